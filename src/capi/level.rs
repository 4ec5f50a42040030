//! Instruction-set levels as numbers.

use super::context::demask_context;
use super::status::{DEMASK_ERR_ARGUMENT, Refusal, demask_status};
use super::{boundary, pointer};
use crate::lanes::Level;
use core::ffi::{CStr, c_char};

/// The best level of this CPU. Results do not depend on the level, only speed does.
pub const DEMASK_LEVEL_AUTO: u32 = 0;
/// What every CPU of the target has: SSE2 on x86-64, NEON on AArch64.
pub const DEMASK_LEVEL_BASELINE: u32 = 1;
/// x86-64 with AVX2, FMA and F16C.
pub const DEMASK_LEVEL_AVX2: u32 = 2;
/// x86-64 with AVX-512 F, BW, CD, DQ and VL beside the above.
pub const DEMASK_LEVEL_AVX512: u32 = 3;

fn number(level: Level) -> u32 {
    match level {
        Level::Baseline => DEMASK_LEVEL_BASELINE,
        Level::Avx2 => DEMASK_LEVEL_AVX2,
        Level::Avx512 => DEMASK_LEVEL_AVX512,
    }
}

/// The level of a number; none for DEMASK_LEVEL_AUTO.
pub(super) fn level(number: u32) -> Result<Option<Level>, Refusal> {
    match number {
        DEMASK_LEVEL_AUTO => Ok(None),
        DEMASK_LEVEL_BASELINE => Ok(Some(Level::Baseline)),
        DEMASK_LEVEL_AVX2 => Ok(Some(Level::Avx2)),
        DEMASK_LEVEL_AVX512 => Ok(Some(Level::Avx512)),
        _ => Err(Refusal(DEMASK_ERR_ARGUMENT)),
    }
}

/// The best level of this CPU, never DEMASK_LEVEL_AUTO. It does not change while a process runs.
#[unsafe(no_mangle)]
pub extern "C" fn demask_level_detect() -> u32 {
    number(Level::detect())
}

/// The name of a level, for logs: "auto", "baseline", "avx2", "avx512", or "unknown" for any other
/// number. Static, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn demask_level_name(level: u32) -> *const c_char {
    name(level).as_ptr()
}

fn name(level: u32) -> &'static CStr {
    match level {
        DEMASK_LEVEL_AUTO => c"auto",
        DEMASK_LEVEL_BASELINE => c"baseline",
        DEMASK_LEVEL_AVX2 => c"avx2",
        DEMASK_LEVEL_AVX512 => c"avx512",
        _ => c"unknown",
    }
}

/// Writes the level that a context runs at, never DEMASK_LEVEL_AUTO.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_context_level(
    context: *mut demask_context,
    out: *mut u32,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        boundary::call_on(context, |context| {
            pointer::out(out)?.write(number(context.sampler.level()));
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_those_of_the_levels() {
        for one in Level::ALL {
            assert_eq!(level(number(one)), Ok(Some(one)));
            assert_eq!(name(number(one)).to_str(), Ok(one.name()));
        }
        assert_eq!(level(DEMASK_LEVEL_AUTO), Ok(None));
        assert_eq!(level(4), Err(Refusal(DEMASK_ERR_ARGUMENT)));
    }
}
