//! The draw alone: tokens for each row of logits.

use super::boundary;
use super::constraints::{self, demask_constraints};
use super::context::demask_context;
use super::logits::{self, demask_logits};
use super::pointer::{self, Plain, c_struct};
use super::rule::demask_draw_rule;
use super::status::{DEMASK_ERR_ARGUMENT, DEMASK_ERR_SHAPE, Refusal, demask_status};
use super::step::state_number;
use crate::draw::Drawn;
use crate::rng::Key;
use core::mem::MaybeUninit;

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

/// Draws `n_draws` tokens for each row of `logits`, independently: the categorical law
/// softmax(logits / temperature) of the tokens that `constraints` and the filters of `rule` leave.
///
/// `constraints` may be NULL: none. `keys` has `n_keys` keys, one for each row. `n_draws` is at
/// least 1; draw j of a row is the same however many are asked for. `tokens` gets
/// `n_keys * n_draws` tokens, those of row k from `k * n_draws` on, -1 for a bad row; they are at
/// most max_positions of the context. `row_state` is NULL, or gets `n_keys` DEMASK_ROW_ numbers,
/// DRAWN or BAD.
///
/// Errors: NULL, STRUCT, SHAPE, ALIGN, ARGUMENT (`rule`, a bias or the guidance_scale out of range,
/// no draws), CAPACITY (more tokens than max_positions, rows wider than max_vocab).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_draw(
    context: *mut demask_context,
    logits: *const demask_logits,
    rule: *const demask_draw_rule,
    constraints: *const demask_constraints,
    keys: *const demask_key,
    n_keys: usize,
    n_draws: usize,
    tokens: *mut i32,
    row_state: *mut u8,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        boundary::call_on(context, |context| {
            let logits = logits::read(logits)?;
            let draw = pointer::read(rule)?.draw()?;
            let constraints = constraints::read(constraints, logits.rows(), logits.vocab())?;
            let keys = pointer::slice(keys.cast::<Key>(), n_keys)?;
            if n_draws == 0 {
                return Err(Refusal(DEMASK_ERR_ARGUMENT));
            }
            let n_tokens = n_keys.checked_mul(n_draws).ok_or(Refusal(DEMASK_ERR_SHAPE))?;
            let tokens = pointer::slice_out(tokens, n_tokens)?;
            let states = pointer::optional_slice_out(row_state, n_keys)?;
            let drawn = context.sampler.draw_many(&logits, &draw, &constraints, keys, n_draws)?;
            write_tokens(tokens, drawn);
            write_states(states, drawn, n_draws);
            Ok(())
        })
    }
}

/// Writes what was drawn.
pub(super) fn write_tokens(tokens: &mut [MaybeUninit<i32>], drawn: &[Drawn]) {
    for (place, drawn) in tokens.iter_mut().zip(drawn) {
        place.write(drawn.token);
    }
}

/// Writes the states of the rows: a row is bad for all of its draws, or for none.
pub(super) fn write_states(states: Option<&mut [MaybeUninit<u8>]>, drawn: &[Drawn], draws: usize) {
    for (place, drawn) in states.unwrap_or_default().iter_mut().zip(drawn.chunks(draws)) {
        place.write(state_number(drawn[0].state));
    }
}
