//! Constraints: which tokens may be drawn, and what is added to their logits first.

use super::boundary;
use super::pointer::{self, Plain, c_struct};
use super::status::{DEMASK_ERR_SHAPE, Refusal, demask_status};
use crate::constraints::{AllowedTokens, Constraints, RowBias};
use core::mem::offset_of;

/// What is added to the logits of a token. This struct never grows.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_token_bias {
    /// The token, below the vocabulary.
    pub token: u32,
    /// What is added: not NaN, not INFINITY.
    pub bias: f32,
}
c_struct!(demask_token_bias: 8);

/// What is done to the logits of a call, once they are guided, before everything else: they are as
/// if it had been written into them, but the rows themselves are only read. The bias is added first,
/// then that of the row, then what is excluded, banned or not allowed becomes -INFINITY. The same for
/// all rows but for the biases of rows and the allowed tokens.
///
/// Call demask_constraints_init first, then set fields: all zero excludes token 0. All but
/// `excluded` cost a pass over a copy of the row in the context's own memory.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_constraints {
    /// sizeof(demask_constraints), as the caller was compiled.
    pub struct_size: u32,
    /// One token that is never drawn, usually the mask token; -1, the default, or any other
    /// negative number for none. It may lie outside the vocabulary.
    pub excluded: i32,
    /// `n_banned` tokens below the vocabulary that are never drawn, in any order.
    pub banned: *const u32,
    /// How many tokens are banned; 0 by default.
    pub n_banned: usize,
    /// `n_bias` tokens with what is added to their logits. A token named twice gets both.
    pub bias: *const demask_token_bias,
    /// How many biases there are; 0 by default.
    pub n_bias: usize,
    /// NULL, the default, allows all tokens. Otherwise a bit for each token of each row, as grammar
    /// engines make them: token v may be drawn from row k if bit v % 32 of word
    /// `k * allowed_stride + v / 32` is 1.
    pub allowed: *const u32,
    /// The distance of the rows of `allowed` in words, at least vocab / 32 rounded up; 0 for one row
    /// of words that serves all rows of logits.
    pub allowed_stride: usize,
    /// NULL, the default, adds nothing row by row. Otherwise one number more than there are rows of
    /// logits, ascending from 0 to `n_row_bias`: what is added to the logits of row k alone are the
    /// entries of `row_bias` from `row_bias_offsets[k]` to before `row_bias_offsets[k + 1]`. Rows of a
    /// step are positions of the canvas, those of a planned step the rows of the plan.
    pub row_bias_offsets: *const u32,
    /// The entries of all rows, as those of `bias`; -INFINITY bans a token.
    pub row_bias: *const demask_token_bias,
    /// How many of these entries there are; 0 by default.
    pub n_row_bias: usize,
}
c_struct!(demask_constraints: 80, grew from 56);

/// A bias as the crate takes it, which has the layout of the struct above.
type Bias = (u32, f32);
const _: () = assert!(
    size_of::<Bias>() == size_of::<demask_token_bias>()
        && align_of::<Bias>() == align_of::<demask_token_bias>()
        && offset_of!(Bias, 0) == offset_of!(demask_token_bias, token)
        && offset_of!(Bias, 1) == offset_of!(demask_token_bias, bias)
);
// SAFETY: two numbers, and its size is the sum of theirs, as asserted above.
unsafe impl Plain for Bias {}

/// Fills `out` with no constraints at all. `struct_size` is sizeof(demask_constraints).
///
/// Errors: NULL, ALIGN, STRUCT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_constraints_init(
    out: *mut demask_constraints,
    struct_size: usize,
) -> demask_status {
    let none = demask_constraints {
        struct_size: u32::try_from(struct_size).unwrap_or(0),
        excluded: -1,
        ..demask_constraints::zeroed()
    };
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe { pointer::fill(out, struct_size, &none) })
}

/// Reads the constraints of a call on `rows` rows of `vocab` logits; NULL is none.
///
/// # Safety
/// The caller's promise for `constraints`, as long as the result lives.
pub(super) unsafe fn read<'a>(
    constraints: *const demask_constraints,
    rows: usize,
    vocab: usize,
) -> Result<Constraints<'a>, Refusal> {
    if constraints.is_null() {
        return Ok(Constraints::NONE);
    }
    // SAFETY: the caller's promise, here and below.
    let constraints = unsafe { pointer::read(constraints)? };
    if rows == 0 {
        return Ok(Constraints::NONE);
    }
    let demask_constraints { excluded, banned, n_banned, bias, n_bias, allowed, .. } = constraints;
    let stride = constraints.allowed_stride;
    // SAFETY: as above.
    let (banned, bias) = unsafe {
        (pointer::slice(banned, n_banned)?, pointer::slice(bias.cast::<Bias>(), n_bias)?)
    };
    let demask_constraints { row_bias_offsets, row_bias, n_row_bias, .. } = constraints;
    let row_bias = if row_bias_offsets.is_null() && n_row_bias == 0 {
        None
    } else {
        let count = rows.checked_add(1).ok_or(Refusal(DEMASK_ERR_SHAPE))?;
        // SAFETY: as above: a number for each row and one more.
        let offsets = unsafe { pointer::slice(row_bias_offsets, count)? };
        // SAFETY: as above.
        let entries = unsafe { pointer::slice(row_bias.cast::<Bias>(), n_row_bias)? };
        Some(RowBias { offsets, entries })
    };
    let allowed = if allowed.is_null() {
        None
    } else {
        let width = vocab.div_ceil(32);
        // Before the rows of words are taken for as long as the stride makes them.
        if stride != 0 && stride < width {
            return Err(Refusal(DEMASK_ERR_SHAPE));
        }
        let length = (rows - 1).checked_mul(stride).and_then(|length| length.checked_add(width));
        // SAFETY: as above: the last row of words ends with that of its last token.
        let words = unsafe { pointer::slice(allowed, length.ok_or(Refusal(DEMASK_ERR_SHAPE))?)? };
        Some(AllowedTokens { words, stride })
    };
    Ok(Constraints { excluded: u32::try_from(excluded).ok(), banned, bias, row_bias, allowed })
}
