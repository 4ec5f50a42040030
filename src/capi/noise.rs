//! Noise schedules: a number, parameters, and tables that the caller makes.

use super::boundary;
use super::pointer::{self, c_struct};
use super::status::{DEMASK_ERR_ARGUMENT, Refusal, demask_status};
use crate::schedule::{Base, Noise, NoiseTable};

/// Masked fraction t on [0, 1] (log-linear). With a parameter, epsilon, 1 - epsilon times that.
pub const DEMASK_NOISE_LINEAR: u32 = 0;
/// Masked fraction 2 sin^2(pi t/4) on [0, 1]. With a parameter, epsilon, 1 - epsilon times that.
pub const DEMASK_NOISE_COSINE: u32 = 1;
/// Masked fraction 1 - exp(-t) on [0, infinity): every token is masked at rate 1.
pub const DEMASK_NOISE_UNIT_RATE: u32 = 2;
/// Masked fraction sin^2(pi t/2) on [0, 1]. With a parameter, epsilon, 1 - epsilon times that.
pub const DEMASK_NOISE_COSINE_SQUARED: u32 = 3;
/// Masked fraction sin(pi t/2) on [0, 1], the cosine of MaskGIT and MD4.
pub const DEMASK_NOISE_MASKGIT_COSINE: u32 = 4;
/// Masked fraction 1 - exp(-sigma), sigma = sigma_min^(1 - t) sigma_max^t, on [0, 1]. The parameter
/// is sigma_min, above 0; sigma_max is above that.
pub const DEMASK_NOISE_GEOMETRIC: u32 = 5;
/// Masked fraction t to the power of the parameter, above 0, on [0, 1].
pub const DEMASK_NOISE_POWER: u32 = 6;
/// Masked fraction ln(1 + t)/ln 2 on [0, 1].
pub const DEMASK_NOISE_LOGARITHMIC: u32 = 7;
/// A table of the caller, from time 0 to that of its last entry.
pub const DEMASK_NOISE_TABLE: u32 = 8;

/// The values of a table are masked fractions.
pub const DEMASK_TABLE_MASKED: u32 = 0;
/// The values of a table are natural logarithms of masked fractions.
pub const DEMASK_TABLE_LOG_MASKED: u32 = 1;

/// A noise schedule by a table. Made by demask_noise_table_create, freed by
/// demask_noise_table_destroy. Calls only read it, from any number of threads at once; it must live
/// as long as a struct that points to it is used.
#[cfg_attr(all(), repr(transparent))] // hidden from cbindgen, which would name the inner type
pub struct demask_noise_table {
    table: NoiseTable,
}

/// A noise schedule: the relation between time and the fraction of masked tokens.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_noise {
    /// sizeof(demask_noise), as the caller was compiled.
    pub struct_size: u32,
    /// A DEMASK_NOISE_ number.
    pub schedule: u32,
    /// The parameter: epsilon, at least 0 and below 1, of LINEAR, COSINE and COSINE_SQUARED;
    /// sigma_min of GEOMETRIC; the exponent of POWER. Zero for the others.
    pub parameter: f64,
    /// sigma_max of GEOMETRIC. Zero for the others.
    pub sigma_max: f64,
    /// The table of TABLE. NULL for the others.
    pub table: *const demask_noise_table,
    /// Zero.
    pub reserved: usize,
}
c_struct!(demask_noise: 40, grew from 40);

impl demask_noise {
    /// A schedule as numbers, without the size of the struct.
    pub(super) fn new(noise: Noise<'_>) -> Self {
        let none = core::ptr::null();
        let (schedule, parameter, sigma_max, table) = match noise {
            Noise::Linear => (DEMASK_NOISE_LINEAR, 0.0, 0.0, none),
            Noise::Cosine => (DEMASK_NOISE_COSINE, 0.0, 0.0, none),
            Noise::UnitRate => (DEMASK_NOISE_UNIT_RATE, 0.0, 0.0, none),
            Noise::CosineSquared => (DEMASK_NOISE_COSINE_SQUARED, 0.0, 0.0, none),
            Noise::MaskgitCosine => (DEMASK_NOISE_MASKGIT_COSINE, 0.0, 0.0, none),
            Noise::Geometric { sigma_min, sigma_max } => {
                (DEMASK_NOISE_GEOMETRIC, sigma_min, sigma_max, none)
            }
            Noise::Power { exponent } => (DEMASK_NOISE_POWER, exponent, 0.0, none),
            Noise::Logarithmic => (DEMASK_NOISE_LOGARITHMIC, 0.0, 0.0, none),
            Noise::Scaled { base, epsilon } => {
                (Self::new(base.into()).schedule, epsilon, 0.0, none)
            }
            // The handle is the table and nothing else.
            Noise::Table(table) => (DEMASK_NOISE_TABLE, 0.0, 0.0, (&raw const *table).cast()),
        };
        Self { struct_size: 0, schedule, parameter, sigma_max, table, reserved: 0 }
    }

    /// The schedule of these numbers, its parameters not yet checked.
    ///
    /// # Safety
    /// The caller's promise for `table`, as long as the result lives.
    pub(super) unsafe fn noise<'a>(&self) -> Result<Noise<'a>, Refusal> {
        let Self { schedule, parameter, sigma_max, table, reserved, .. } = *self;
        let refusal = Err(Refusal(DEMASK_ERR_ARGUMENT));
        let noise = match schedule {
            DEMASK_NOISE_LINEAR => scaled(Base::Linear, parameter),
            DEMASK_NOISE_COSINE => scaled(Base::Cosine, parameter),
            DEMASK_NOISE_UNIT_RATE => Noise::UnitRate,
            DEMASK_NOISE_COSINE_SQUARED => scaled(Base::CosineSquared, parameter),
            DEMASK_NOISE_MASKGIT_COSINE => Noise::MaskgitCosine,
            DEMASK_NOISE_GEOMETRIC => Noise::Geometric { sigma_min: parameter, sigma_max },
            DEMASK_NOISE_POWER => Noise::Power { exponent: parameter },
            DEMASK_NOISE_LOGARITHMIC => Noise::Logarithmic,
            DEMASK_NOISE_TABLE => {
                // SAFETY: the caller's promise: NULL, or a table that lives and is not changed.
                Noise::Table(unsafe { &pointer::object(table)?.table })
            }
            _ => return refusal,
        };
        // What a schedule does not look at is zero, so that it can get a meaning.
        let own = Self::new(noise);
        let same = own.parameter == parameter && own.sigma_max == sigma_max && own.table == table;
        if same && reserved == 0 { Ok(noise) } else { refusal }
    }
}

/// A schedule with its epsilon; without one it is itself.
fn scaled(base: Base, epsilon: f64) -> Noise<'static> {
    if epsilon == 0.0 { base.into() } else { Noise::Scaled { base, epsilon } }
}

/// Reads and checks a noise schedule.
///
/// # Safety
/// The caller's promise for `noise`, as long as the result lives.
pub(super) unsafe fn read<'a>(noise: *const demask_noise) -> Result<Noise<'a>, Refusal> {
    // SAFETY: the caller's promise.
    let noise = unsafe { pointer::read(noise)?.noise()? };
    noise.check()?;
    Ok(noise)
}

/// Makes a noise schedule from a table of `n` entries, at least 2, and writes it to `*out`: its
/// masked fraction is linear in time between neighbours. The caller owns it, and frees it with
/// demask_noise_table_destroy; `times` and `values` are copied.
///
/// The first entry is time 0 and masked fraction 0 (-INFINITY as a logarithm). Times rise, values do
/// not fall; later ones are above 0 and at most 1, or -700 to 0 as logarithms. `quantity`, a
/// DEMASK_TABLE_ number, says what the values are.
///
/// Errors: NULL, ALIGN, SHAPE (fewer than 2 entries), ARGUMENT (a time or value out of range or
/// order, an unknown quantity), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_noise_table_create(
    times: *const f64,
    values: *const f64,
    n: usize,
    quantity: u32,
    out: *mut *mut demask_noise_table,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let times = pointer::slice(times, n)?;
        let values = pointer::slice(values, n)?;
        let out = pointer::out(out)?;
        boundary::afford((n as u64).saturating_mul(NoiseTable::ENTRY_SIZE as u64))?;
        let table = match quantity {
            DEMASK_TABLE_MASKED => NoiseTable::new(times, values)?,
            DEMASK_TABLE_LOG_MASKED => NoiseTable::from_log_masked(times, values)?,
            _ => return Err(Refusal(DEMASK_ERR_ARGUMENT)),
        };
        out.write(Box::into_raw(Box::new(demask_noise_table { table })));
        Ok(())
    })
}

/// Frees a table. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_noise_table_destroy(table: *mut demask_noise_table) {
    // SAFETY: the caller's promise.
    unsafe { boundary::free(table) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_survives_the_way_to_c_and_back() {
        let table = NoiseTable::new(&[0.0, 2.0], &[0.0, 0.5]).unwrap();
        let epsilon = 0.25;
        for noise in [
            Noise::Linear,
            Noise::Cosine,
            Noise::UnitRate,
            Noise::CosineSquared,
            Noise::MaskgitCosine,
            Noise::Geometric { sigma_min: 0.5, sigma_max: 2.0 },
            Noise::Power { exponent: 2.0 },
            Noise::Logarithmic,
            Noise::Scaled { base: Base::Linear, epsilon },
            Noise::Scaled { base: Base::Cosine, epsilon },
            Noise::Scaled { base: Base::CosineSquared, epsilon },
            Noise::Table(&table),
        ] {
            let numbers = demask_noise::new(noise);
            // SAFETY: the table lives.
            let back = |numbers: demask_noise| unsafe { numbers.noise() };
            assert_eq!(back(numbers), Ok(noise));
            let refusal = Err(Refusal(DEMASK_ERR_ARGUMENT));
            assert_eq!(back(demask_noise { reserved: 1, ..numbers }), refusal);
            // What a schedule has no use for must be zero.
            let uses = |own: f64, other: demask_noise| own != 0.0 || back(other) == refusal;
            let other = demask_noise { parameter: 0.5, ..numbers };
            let is_base = matches!(noise, Noise::Linear | Noise::Cosine | Noise::CosineSquared);
            assert!(is_base || uses(numbers.parameter, other), "{noise:?}");
            assert!(uses(numbers.sigma_max, demask_noise { sigma_max: 0.5, ..numbers }));
            let pointed = demask_noise { table: (&raw const table).cast(), ..numbers };
            assert_eq!(back(pointed).is_ok(), matches!(noise, Noise::Table(_)));
        }
    }
}
