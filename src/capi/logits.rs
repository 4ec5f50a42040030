//! Logits: rows in memory of the caller, never written.

use super::pointer::{self, c_struct};
use super::status::{DEMASK_ERR_ARGUMENT, DEMASK_ERR_SHAPE, Refusal};
use crate::logits::{Logits, LogitsData, MAX_VOCAB};
use core::ffi::c_void;

/// 32-bit floats.
pub const DEMASK_DTYPE_F32: u32 = 0;
/// IEEE 754 half precision, 2 bytes.
pub const DEMASK_DTYPE_F16: u32 = 1;
/// bfloat16: the upper 2 bytes of a 32-bit float.
pub const DEMASK_DTYPE_BF16: u32 = 2;

/// The largest vocabulary: 2^23 tokens.
pub const DEMASK_MAX_VOCAB: usize = 8388608;

const _: () = assert!(MAX_VOCAB == DEMASK_MAX_VOCAB);

/// Rows of logits, read only. The logits of token v in row k are element
/// `row_index[k] * row_stride + v` of `data` (`k * row_stride + v` without an index).
///
/// -INFINITY bans a token: it is never drawn. A row with NaN, +INFINITY or no finite logit is bad:
/// no token is drawn from it, and the call goes on.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_logits {
    /// sizeof(demask_logits), as the caller was compiled.
    pub struct_size: u32,
    /// The type of an element: a DEMASK_DTYPE_ number.
    pub dtype: u32,
    /// The first element of the first row, aligned to an element; 64 bytes are merely faster. May
    /// be NULL if there are no rows.
    pub data: *const c_void,
    /// How many rows the call is to see. 0 is fine: then nothing else is looked at.
    pub n_rows: usize,
    /// The number of tokens in a row: 1 to DEMASK_MAX_VOCAB.
    pub vocab: usize,
    /// The distance of rows in elements, at least `vocab`.
    pub row_stride: usize,
    /// NULL, or `n_rows` row numbers below `data_rows`: lets shifted, packed or gathered rows be
    /// used without a copy. Several may be the same.
    pub row_index: *const u32,
    /// How many rows `data` has, if there is a `row_index`; otherwise it has `n_rows`.
    pub data_rows: usize,
    /// NULL, or the rows g of classifier-free guidance (unconditional): then a draw sees
    /// g + guidance_scale (z - g) for each row z here (conditional) and its row of the guide, and
    /// -INFINITY where z or g is. Of the same type, `n_rows` and `vocab`, and without a guide of its
    /// own. Costs a pass over a copy of the row in the context's own memory.
    pub guide: *const demask_logits,
    /// The scale of guidance, finite: 0 draws from the guide, 1 from these logits. LLaDA's cfg_scale
    /// is this less 1. Not looked at without a guide.
    pub guidance_scale: f32,
    /// Zero.
    pub reserved: u32,
    /// NULL, or the rows of an earlier network call, row by row: the output for the same position of
    /// the segment's last step for which a plan had rows. Steps of policies that draw from two
    /// outputs need them where the plan says so, nothing else looks at them, and the rows of other
    /// segments may be any. Of the same type, `n_rows` and `vocab`; they may have a guide, but no
    /// earlier rows of their own. Costs passes over copies of the rows in the context's own memory.
    pub earlier: *const demask_logits,
    /// Zero.
    pub reserved_2: usize,
}
c_struct!(demask_logits: 88, grew from 88);

/// Reads and checks the logits of a call, their guide and their earlier rows.
///
/// # Safety
/// The caller's promise for `logits`, as long as the result lives.
pub(super) unsafe fn read<'a>(logits: *const demask_logits) -> Result<Logits<'a>, Refusal> {
    // SAFETY: the caller's promise, here and below.
    let logits = unsafe { pointer::read(logits)? };
    // SAFETY: as above.
    let latest = unsafe { guided(&logits)? };
    if logits.earlier.is_null() || logits.n_rows == 0 {
        return Ok(latest);
    }
    // SAFETY: as above.
    let earlier = unsafe { pointer::read(logits.earlier)? };
    // Earlier rows that have earlier ones, perhaps themselves, are not followed.
    if !earlier.earlier.is_null() {
        return Err(Refusal(DEMASK_ERR_SHAPE));
    }
    // SAFETY: as above.
    let earlier = unsafe { guided(&earlier)? };
    Ok(latest.with_earlier(&earlier)?)
}

/// The rows of some logits and their guide.
///
/// # Safety
/// The caller's promise for the pointers, as long as the result lives.
unsafe fn guided<'a>(logits: &demask_logits) -> Result<Logits<'a>, Refusal> {
    // SAFETY: as above.
    let rows = unsafe { rows(logits)? };
    if logits.guide.is_null() || logits.n_rows == 0 {
        return Ok(rows);
    }
    // SAFETY: as above.
    let guide = unsafe { pointer::read(logits.guide)? };
    // A guide that is guided, perhaps by itself, is not followed.
    if !guide.guide.is_null() {
        return Err(Refusal(DEMASK_ERR_SHAPE));
    }
    // SAFETY: as above.
    let guide = unsafe { self::rows(&guide)? };
    Ok(rows.guided(&guide, logits.guidance_scale)?)
}

/// The rows of some logits, without their guide.
///
/// # Safety
/// The caller's promise for the pointers, as long as the result lives.
unsafe fn rows<'a>(logits: &demask_logits) -> Result<Logits<'a>, Refusal> {
    let demask_logits { n_rows, vocab, row_stride, .. } = *logits;
    if !matches!(logits.dtype, DEMASK_DTYPE_F32 | DEMASK_DTYPE_F16 | DEMASK_DTYPE_BF16)
        || logits.reserved != 0
        || logits.reserved_2 != 0
    {
        return Err(Refusal(DEMASK_ERR_ARGUMENT));
    }
    if n_rows == 0 {
        return Ok(Logits::none());
    }
    let (index, rows) = if logits.row_index.is_null() {
        (None, n_rows)
    } else {
        // SAFETY: the caller's promise.
        (Some(unsafe { pointer::slice(logits.row_index, n_rows)? }), logits.data_rows)
    };
    let length = rows
        .checked_sub(1)
        .map_or(Some(0), |before| before.checked_mul(row_stride)?.checked_add(vocab));
    let length = length.ok_or(Refusal(DEMASK_ERR_SHAPE))?;
    // SAFETY: as above: the last of `rows` rows ends with its last token.
    let data = unsafe {
        match logits.dtype {
            DEMASK_DTYPE_F16 => LogitsData::F16(pointer::slice(logits.data.cast(), length)?),
            DEMASK_DTYPE_BF16 => LogitsData::Bf16(pointer::slice(logits.data.cast(), length)?),
            _ => LogitsData::F32(pointer::slice(logits.data.cast(), length)?),
        }
    };
    Ok(Logits::new(data, rows, vocab, row_stride, index)?)
}
