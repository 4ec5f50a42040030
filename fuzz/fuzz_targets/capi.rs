//! Calls of the C functions with hostile arguments, as ffi-tests/hostile.c makes them, by the bytes of an
//! input: a few calls each, of which some go on in the world that the one before has left. A call returns a
//! status that its documentation names; unless that is DEMASK_OK not a byte of the world has changed, and
//! else what it gave is in its range.
//!
//! The world is C, so that the structs are those of the header, and not declared a second time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::ffi::c_int;

// Links the library, whose functions the C file calls.
use demask as _;

unsafe extern "C" {
    fn hostile_input(data: *const u8, size: usize) -> c_int;
}

fuzz_target!(|data: &[u8]| {
    // SAFETY: so many bytes can be read; libFuzzer calls from one thread.
    let holds = unsafe { hostile_input(data.as_ptr(), data.len()) };
    assert!(holds == 1, "a check of ffi-tests/hostile.c did not hold");
});
