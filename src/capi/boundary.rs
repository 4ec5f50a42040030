//! No panic crosses into C: it becomes a status, and its context is used no more.

use super::context::demask_context;
use super::pointer;
use super::status::{DEMASK_ERR_PANIC, DEMASK_ERR_RESOURCES, DEMASK_OK, Refusal, demask_status};
use crate::lanes::FloatMode;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the body of a call that needs no context, in the float mode that Rust code expects, whichever
/// the caller's thread is in.
pub(super) fn call(body: impl FnOnce() -> Result<(), Refusal>) -> demask_status {
    let _mode = FloatMode::set();
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => DEMASK_OK,
        Ok(Err(Refusal(status))) => status,
        Err(payload) => {
            // Dropping it might panic again; a bug may cost these bytes.
            core::mem::forget(payload);
            DEMASK_ERR_PANIC
        }
    }
}

/// Runs the body of a call on a context, unless an earlier call on it panicked.
///
/// # Safety
/// The caller's promise for `context`.
pub(super) unsafe fn call_on(
    context: *mut demask_context,
    body: impl FnOnce(&mut demask_context) -> Result<(), Refusal>,
) -> demask_status {
    // SAFETY: the caller's promise: NULL, or a live context that nobody else uses now.
    let context = match unsafe { pointer::object_mut(context) } {
        Ok(context) => context,
        Err(Refusal(status)) => return status,
    };
    if context.dead {
        return DEMASK_ERR_PANIC;
    }
    let status = call(|| body(context));
    context.dead = status == DEMASK_ERR_PANIC;
    status
}

/// Frees an object that the library made, if there is one.
///
/// # Safety
/// The caller's promise: NULL, or what its create function gave and nobody has freed or uses now.
pub(super) unsafe fn free<T>(object: *mut T) {
    if !object.is_null() {
        // SAFETY: it came out of the box that its create function made.
        let object = unsafe { Box::from_raw(object) };
        // Nobody is left to be told of a bug in here.
        let _ = call(|| {
            drop(object);
            Ok(())
        });
    }
}

/// Refuses what there is no memory for. The allocations that follow abort the process if they fail,
/// so as much is asked for here first, and given back.
pub(super) fn afford(bytes: u64) -> Result<(), Refusal> {
    let refusal = Refusal(DEMASK_ERR_RESOURCES);
    let mut memory = Vec::<u8>::new();
    let bytes = usize::try_from(bytes).map_err(|_| refusal)?;
    memory.try_reserve_exact(bytes).map_err(|_| refusal)?;
    // An allocation that is not looked at may be optimised away.
    core::hint::black_box(&memory);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capi::context::{demask_create, demask_destroy, demask_options};
    use crate::capi::pointer::Plain;
    use crate::capi::status::DEMASK_ERR_SHAPE;

    #[test]
    fn a_panic_is_a_status_and_the_context_is_dead() {
        let options = demask_options {
            struct_size: size_of::<demask_options>() as u32,
            threads: 1,
            ..demask_options::zeroed()
        };
        let mut context = core::ptr::null_mut();
        // SAFETY: both pointers are to locals of the right type.
        assert_eq!(unsafe { demask_create(&options, &mut context) }, DEMASK_OK);
        // SAFETY: the context was just made, and is destroyed below.
        let call_on = |body: fn() -> Result<(), Refusal>| unsafe { call_on(context, |_| body()) };
        assert_eq!(call_on(|| Ok(())), DEMASK_OK);
        assert_eq!(call_on(|| Err(Refusal(DEMASK_ERR_SHAPE))), DEMASK_ERR_SHAPE);
        assert_eq!(call_on(|| Ok(())), DEMASK_OK, "a refusal leaves the context usable");
        assert_eq!(call_on(|| panic!("on purpose")), DEMASK_ERR_PANIC);
        assert_eq!(call_on(|| Ok(())), DEMASK_ERR_PANIC, "the context is dead");
        // SAFETY: the context was made above.
        unsafe { demask_destroy(context) };
    }

    #[test]
    fn a_panic_without_a_context_is_a_status() {
        assert_eq!(call(|| panic!("on purpose")), DEMASK_ERR_PANIC);
    }
}
