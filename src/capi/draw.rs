//! The draw alone: a token for each row of logits.

use super::boundary;
use super::context::demask_context;
use super::logits::{self, demask_logits};
use super::pointer::{self, Plain, c_struct};
use super::status::demask_status;
use super::step::state_number;
use crate::constraints::Constraints;
use crate::policy::Draw;
use crate::rng::Key;

/// What identifies the randomness of one draw. Two calls with the same key see the same random
/// numbers, whoever else is in the batch, on whatever thread or level; two different keys never
/// share any. This struct never grows.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_key {
    /// The seed of the request.
    pub seed: u64,
    /// The request id: requests, or samples, of one seed differ here.
    pub stream: u64,
    /// The denoising step.
    pub step: u32,
    /// The position in the request, counted from its first token.
    pub position: u32,
}
c_struct!(demask_key: 24);

impl From<demask_key> for Key {
    fn from(demask_key { seed, stream, step, position }: demask_key) -> Self {
        Self { seed, stream, step, position }
    }
}

// SAFETY: its fields are numbers, in the order of `demask_key`, and its size is the sum of theirs.
unsafe impl Plain for Key {}
const _: () = assert!(size_of::<Key>() == 24 && align_of::<Key>() == align_of::<demask_key>());

/// Draws a token for each row of `logits`, each with its own key: the categorical law
/// softmax(logits / temperature), without the token `excluded`.
///
/// `temperature` is 0 (the largest logit; ties: the lowest id) or at least 1e-30. A negative
/// `excluded` excludes none. `keys` has `n_keys` keys, as many as `logits` has rows; at most
/// max_positions of the context. `tokens` gets as many tokens, -1 for a bad row. `row_state` is
/// NULL, or gets as many DEMASK_ROW_ numbers, DRAWN or BAD.
///
/// Errors: NULL, STRUCT, SHAPE, ALIGN, ARGUMENT, CAPACITY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_draw(
    context: *mut demask_context,
    logits: *const demask_logits,
    temperature: f32,
    excluded: i32,
    keys: *const demask_key,
    n_keys: usize,
    tokens: *mut i32,
    row_state: *mut u8,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        boundary::call_on(context, |context| {
            let logits = logits::read(logits)?;
            let keys = pointer::slice(keys.cast::<Key>(), n_keys)?;
            let tokens = pointer::slice_out(tokens, n_keys)?;
            let states = pointer::optional_slice_out(row_state, n_keys)?;
            let constraints = Constraints::excluding(u32::try_from(excluded).ok());
            let draw = Draw::at(temperature);
            let drawn = context.sampler.draw(&logits, &draw, &constraints, keys)?;
            for (place, drawn) in tokens.iter_mut().zip(drawn) {
                place.write(drawn.token);
            }
            for (place, drawn) in states.unwrap_or_default().iter_mut().zip(drawn) {
                place.write(state_number(drawn.state));
            }
            Ok(())
        })
    }
}
