//! Policies as plain numbers.

use super::boundary;
use super::noise::{demask_noise, demask_noise_table};
use super::numbered::{Numbered, numbered};
use super::pointer::{self, Plain, c_struct};
use super::rule::demask_draw_rule;
use super::status::{DEMASK_ERR_ARGUMENT, DEMASK_ERR_STRUCT, Refusal, demask_status};
use crate::policy::{Policy, Schedule, Stop};
use crate::schedule::{Noise, Sizes};
use crate::select::Select;
use crate::stop::Finish;
use crate::update::Update;

/// One position at a time, at its exact first-hitting time, uniform among the masked ones.
pub const DEMASK_SELECT_FIRST_HITTING: u32 = 0;
/// Every masked position independently, with the probability of the Euler step.
pub const DEMASK_SELECT_BERNOULLI: u32 = 1;
/// A uniformly random subset, as large as the size schedule says.
pub const DEMASK_SELECT_RANDOM_ORDER: u32 = 2;

/// A chosen position gets its drawn token, which stays.
pub const DEMASK_UPDATE_REVEAL: u32 = 0;

/// Sizes that differ by at most one, the larger ones first.
pub const DEMASK_SIZES_EVEN: u32 = 0;

/// Masks that are left after the last step stay masked.
pub const DEMASK_FINISH_NONE: u32 = 0;
/// They are drawn at the policy's temperature, in one more step.
pub const DEMASK_FINISH_SAMPLE: u32 = 1;
/// They get their most likely token, in one more step. This biases the law.
pub const DEMASK_FINISH_ARGMAX: u32 = 2;

/// A decoding rule: how a token is drawn, which positions move, what happens to them, when, and
/// when it ends. A plain value: fill it with demask_policy_first_hitting, demask_policy_euler or
/// demask_policy_random_order, then change fields as wanted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_policy {
    /// sizeof(demask_policy), as the caller was compiled. The policies of a canvas have the size
    /// that the canvas says.
    pub struct_size: u32,
    /// Which positions move: a DEMASK_SELECT_ number.
    pub select: u32,
    /// What happens to them: a DEMASK_UPDATE_ number.
    pub update: u32,
    /// The noise schedule that relates time and masked fraction: a DEMASK_NOISE_ number. Its
    /// parameters are noise_parameter, noise_sigma_max and noise_table.
    pub noise: u32,
    /// How many positions random order reveals at each step: a DEMASK_SIZES_ number.
    pub sizes: u32,
    /// What is done about masks that are left at the end: a DEMASK_FINISH_ number.
    pub finish: u32,
    /// The number of steps, at least 1. First-hitting does not look at it.
    pub steps: u32,
    /// Logits are divided by this: 0, or at least 1e-30. 0 takes the largest logit (ties: the
    /// lowest id), INFINITY draws uniformly among the finite logits.
    pub temperature: f32,
    /// As in demask_draw_rule, as are the next four; 0 in each of them filters nothing.
    pub top_k: u32,
    /// See demask_draw_rule.
    pub top_p: f32,
    /// See demask_draw_rule.
    pub min_p: f32,
    /// A DEMASK_FILTER_ number.
    pub filter_order: u32,
    /// A DEMASK_METHOD_ number.
    pub method: u32,
    /// Zero.
    pub reserved: u32,
    /// The time at which the time grid starts, above 0 and at most the last time of the noise
    /// schedule. First-hitting starts from the log_masked of its segment instead.
    pub start: f64,
    /// The time at which the time grid ends, at least 0 and below start.
    pub end: f64,
    /// As `parameter` in demask_noise.
    pub noise_parameter: f64,
    /// As `sigma_max` in demask_noise.
    pub noise_sigma_max: f64,
    /// As `table` in demask_noise.
    pub noise_table: *const demask_noise_table,
    /// Zero.
    pub noise_reserved: usize,
}
c_struct!(demask_policy: 104, grew from 72);

numbered!(Select:
    DEMASK_SELECT_FIRST_HITTING = FirstHitting,
    DEMASK_SELECT_BERNOULLI = Bernoulli,
    DEMASK_SELECT_RANDOM_ORDER = RandomOrder);
numbered!(Update: DEMASK_UPDATE_REVEAL = Reveal);
numbered!(Sizes: DEMASK_SIZES_EVEN = Even);
numbered!(Finish:
    DEMASK_FINISH_NONE = None,
    DEMASK_FINISH_SAMPLE = Sample,
    DEMASK_FINISH_ARGMAX = Argmax);

impl demask_policy {
    /// The policy of these numbers, its parameters not yet checked.
    ///
    /// # Safety
    /// The caller's promise for `noise_table`, as long as the result is used.
    unsafe fn policy<'a>(&self) -> Result<Policy<'a>, Refusal> {
        let Self { temperature, top_k, top_p, min_p, filter_order, method, .. } = *self;
        if self.reserved != 0 {
            return Err(Refusal(DEMASK_ERR_ARGUMENT));
        }
        let rule = demask_draw_rule {
            struct_size: size_of::<demask_draw_rule>() as u32,
            temperature,
            top_k,
            top_p,
            min_p,
            filter_order,
            method,
        };
        let noise = demask_noise {
            struct_size: size_of::<demask_noise>() as u32,
            schedule: self.noise,
            parameter: self.noise_parameter,
            sigma_max: self.noise_sigma_max,
            table: self.noise_table,
            reserved: self.noise_reserved,
        };
        // SAFETY: the caller's promise.
        let noise = unsafe { noise.noise()? };
        Ok(Policy {
            draw: rule.draw()?,
            select: Select::from_number(self.select)?,
            update: Update::from_number(self.update)?,
            schedule: Schedule {
                noise,
                start: self.start,
                end: self.end,
                steps: self.steps,
                sizes: Sizes::from_number(self.sizes)?,
            },
            stop: Stop { finish: Finish::from_number(self.finish)? },
        })
    }

    /// As [`policy`](Self::policy), for an element of an array of elements of `size` bytes.
    ///
    /// # Safety
    /// As for [`policy`](Self::policy).
    pub(super) unsafe fn element<'a>(&self, size: u32) -> Result<Policy<'a>, Refusal> {
        if self.struct_size != size {
            return Err(Refusal(DEMASK_ERR_STRUCT));
        }
        // SAFETY: the caller's promise.
        unsafe { self.policy() }
    }

    fn new(policy: &Policy<'_>, struct_size: usize) -> Self {
        let rule = demask_draw_rule::new(&policy.draw, size_of::<demask_draw_rule>());
        let noise = demask_noise::new(policy.schedule.noise);
        Self {
            struct_size: u32::try_from(struct_size).unwrap_or(0),
            select: policy.select.number(),
            update: policy.update.number(),
            noise: noise.schedule,
            sizes: policy.schedule.sizes.number(),
            finish: policy.stop.finish.number(),
            steps: policy.schedule.steps,
            temperature: rule.temperature,
            top_k: rule.top_k,
            top_p: rule.top_p,
            min_p: rule.min_p,
            filter_order: rule.filter_order,
            method: rule.method,
            reserved: 0,
            start: policy.schedule.start,
            end: policy.schedule.end,
            noise_parameter: noise.parameter,
            noise_sigma_max: noise.sigma_max,
            noise_table: noise.table,
            noise_reserved: noise.reserved,
        }
    }
}

/// The noise schedule of a preset.
fn noise(schedule: u32) -> Result<Noise<'static>, Refusal> {
    let numbers = demask_noise { schedule, ..demask_noise::zeroed() };
    // SAFETY: it has no table.
    unsafe { numbers.noise() }
}

/// Fills `out`, of `struct_size` bytes, with a preset.
///
/// # Safety
/// The caller's promise for `out`.
unsafe fn preset(
    out: *mut demask_policy,
    struct_size: usize,
    policy: impl FnOnce() -> Result<Policy<'static>, Refusal>,
) -> demask_status {
    boundary::call(|| {
        let policy = policy()?;
        policy.check()?;
        // SAFETY: the caller's promise.
        unsafe { pointer::fill(out, struct_size, &demask_policy::new(&policy, struct_size)) }
    })
}

/// Fills `out` with first-hitting: one position at a time, at its exact first-hitting time. The law
/// of the output has no error but the denoiser's (Zheng et al., arXiv 2409.02908). Temperature 1.
/// `noise` is a DEMASK_NOISE_ number that needs no parameter, `struct_size` is
/// sizeof(demask_policy). For other schedules, make the policy with DEMASK_NOISE_LINEAR and set
/// its fields.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_policy_first_hitting(
    noise: u32,
    out: *mut demask_policy,
    struct_size: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe { preset(out, struct_size, || Ok(Policy::first_hitting(self::noise(noise)?))) }
}

/// Fills `out` with the Euler method on a uniform time grid of `steps` steps, at least 1, from the
/// last time of the noise schedule (16 for the unit rate) to 0: every masked position is revealed
/// with probability min(1, h r(t)), independently (Lou et al., arXiv 2310.16834). Temperature 1,
/// DEMASK_FINISH_NONE. `noise` is as for demask_policy_first_hitting, `struct_size` is
/// sizeof(demask_policy).
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_policy_euler(
    noise: u32,
    steps: u32,
    out: *mut demask_policy,
    struct_size: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe { preset(out, struct_size, || Ok(Policy::euler(self::noise(noise)?, steps))) }
}

/// Fills `out` with a uniformly random order in `steps` steps, at least 1, whose sizes differ by at
/// most one, the larger ones first. Temperature 1. `struct_size` is sizeof(demask_policy).
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_policy_random_order(
    steps: u32,
    out: *mut demask_policy,
    struct_size: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe { preset(out, struct_size, || Ok(Policy::random_order(steps))) }
}

/// Checks every field of a policy, as every call that takes one does.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_policy_check(policy: *const demask_policy) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe { Ok(pointer::read(policy)?.policy()?.check()?) })
}

/// Writes the time at the beginning of step `step` of a policy's time grid: `start` for step 0,
/// `end` for step `steps` and any later one.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT (also for first-hitting, which has no grid).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_policy_grid_time(
    policy: *const demask_policy,
    step: u32,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let policy = pointer::read(policy)?.policy()?;
        let out = pointer::out(out)?;
        policy.check()?;
        if matches!(policy.select, Select::FirstHitting) {
            return Err(Refusal(DEMASK_ERR_ARGUMENT));
        }
        out.write(policy.grid_time(step));
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Draw, FilterOrder};

    #[test]
    fn a_policy_survives_the_way_to_c_and_back() {
        let size = size_of::<demask_policy>();
        let geometric = Noise::Geometric { sigma_min: 0.5, sigma_max: 2.0 };
        for noise in [Noise::Linear, Noise::Cosine, Noise::UnitRate, geometric] {
            for finish in [Finish::None, Finish::Sample, Finish::Argmax] {
                let presets = [
                    Policy::first_hitting(noise),
                    Policy::euler(noise, 17),
                    Policy::random_order(5),
                ];
                for mut policy in presets {
                    policy.stop.finish = finish;
                    policy.draw = Draw { top_k: 7, top_p: 0.5, min_p: 0.125, ..Draw::at(0.25) };
                    policy.draw.filter_order = FilterOrder::BeforeTemperature;
                    policy.schedule.end = 0.125;
                    let numbers = demask_policy::new(&policy, size);
                    // SAFETY: it has no table.
                    let element = |size| unsafe { numbers.element(size) };
                    // SAFETY: as above.
                    assert_eq!(unsafe { numbers.policy() }, Ok(policy));
                    assert_eq!(element(size as u32), Ok(policy));
                    assert_eq!(element(80), Err(Refusal(DEMASK_ERR_STRUCT)));
                }
            }
        }
    }

    #[test]
    fn a_number_that_is_not_listed_is_refused() {
        let good = demask_policy::new(&Policy::random_order(3), size_of::<demask_policy>());
        let fields: [fn(&mut demask_policy) -> &mut u32; 8] = [
            |p| &mut p.select,
            |p| &mut p.update,
            |p| &mut p.noise,
            |p| &mut p.sizes,
            |p| &mut p.finish,
            |p| &mut p.filter_order,
            |p| &mut p.method,
            |p| &mut p.reserved,
        ];
        // Of the noise schedules, the last one needs a table.
        let listed = [3, 1, 8, 1, 3, 2, 2, 1];
        for (field, listed) in fields.into_iter().zip(listed) {
            for number in [0, listed - 1, listed, u32::MAX] {
                let mut policy = good;
                *field(&mut policy) = number;
                // SAFETY: it has no table.
                let read = unsafe { policy.policy() };
                assert_eq!(read.is_ok(), number < listed, "number {number}");
            }
        }
    }
}
