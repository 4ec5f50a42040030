//! Status numbers, and what each error of the crate is among them.

use crate::error::Error;
use core::ffi::{CStr, c_char};

/// What a call returns: DEMASK_OK or a DEMASK_ERR_ number. Numbers are only ever added.
///
/// Unless the call says otherwise, nothing that the caller owns has been changed when it returns
/// anything but DEMASK_OK.
pub type demask_status = i32;

/// The call did its work.
pub const DEMASK_OK: i32 = 0;
/// A required pointer is NULL.
pub const DEMASK_ERR_NULL: i32 = 1;
/// A struct_size, or the size of an array's elements, is unknown to this library, or a field that
/// this library does not know is not zero.
pub const DEMASK_ERR_STRUCT: i32 = 2;
/// A count, offset, stride or index does not fit its neighbours, or overflows.
pub const DEMASK_ERR_SHAPE: i32 = 3;
/// A pointer is not aligned to its element.
pub const DEMASK_ERR_ALIGN: i32 = 4;
/// A number is out of its range, NaN or not among the listed ones, or a reserved field is not
/// zero.
pub const DEMASK_ERR_ARGUMENT: i32 = 5;
/// The call is larger than the context was made for, or the result than the arrays given for it.
pub const DEMASK_ERR_CAPACITY: i32 = 6;
/// The plan is not one of this canvas as it stands now: make a new one.
pub const DEMASK_ERR_PLAN: i32 = 7;
/// This CPU, or this build of the library, lacks the level asked for. Only functions that take a level.
pub const DEMASK_ERR_LEVEL: i32 = 8;
/// Not enough memory, or threads could not be started. Only functions that create something, or that need
/// room to compute a result.
pub const DEMASK_ERR_RESOURCES: i32 = 9;
/// A bug in this library was caught. What the call was to write may be half written. The context
/// refuses every later call with this number; destroy it.
pub const DEMASK_ERR_PANIC: i32 = 100;

/// A status other than DEMASK_OK, on its way to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) demask_status);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(match error {
            Error::Argument { .. } | Error::Entry { .. } => DEMASK_ERR_ARGUMENT,
            Error::Shape { .. } => DEMASK_ERR_SHAPE,
            Error::Capacity { .. } => DEMASK_ERR_CAPACITY,
            Error::Level { .. } => DEMASK_ERR_LEVEL,
            Error::Threads { .. } => DEMASK_ERR_RESOURCES,
        })
    }
}

/// A short text for any status: static, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn demask_status_string(status: demask_status) -> *const c_char {
    text(status).as_ptr()
}

fn text(status: demask_status) -> &'static CStr {
    match status {
        DEMASK_OK => c"ok",
        DEMASK_ERR_NULL => c"a required pointer is NULL",
        DEMASK_ERR_STRUCT => c"a struct size or an unknown field is not of this version",
        DEMASK_ERR_SHAPE => c"a count, offset, stride or index does not fit",
        DEMASK_ERR_ALIGN => c"a pointer is not aligned to its element",
        DEMASK_ERR_ARGUMENT => c"a number is out of its range",
        DEMASK_ERR_CAPACITY => c"larger than what was reserved",
        DEMASK_ERR_PLAN => c"the plan is not of this canvas as it stands",
        DEMASK_ERR_LEVEL => c"this CPU lacks the level",
        DEMASK_ERR_RESOURCES => c"not enough memory or threads",
        DEMASK_ERR_PANIC => c"a bug in demask was caught; destroy the context",
        _ => c"unknown status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::Level;

    /// That the conversion is total is the compiler's to check; here, that no two kinds of mistake
    /// share a number (an argument and an entry of one are the same kind), and that each number has
    /// a text of its own.
    #[test]
    fn every_error_has_its_own_number_and_text() {
        let (name, expected) = ("x", "y");
        let errors = [
            Error::Argument { name, value: 0.0, expected },
            Error::Entry { name, index: 0, value: 0.0, expected },
            Error::Shape { name, value: 0, expected, bound: 0 },
            Error::Capacity { name, value: 0, bound: 0 },
            Error::Level { level: Level::Baseline },
            Error::Threads { threads: 0 },
        ];
        let numbers = errors.map(|error| Refusal::from(error).0);
        assert_eq!(numbers, [5, 5, 3, 6, 8, 9]);

        let known = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 100];
        let mut texts = known.map(text);
        texts.sort_unstable();
        assert!(texts.windows(2).all(|pair| pair[0] != pair[1]), "two texts are the same");
        for status in -1000..1000 {
            let is_known = text(status) != c"unknown status";
            assert_eq!(is_known, known.contains(&status), "status {status}");
        }
        assert_eq!(text(i32::MIN), text(i32::MAX));
    }
}
