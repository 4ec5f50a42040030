//! Rows that are not drawn from as they are: guidance, bias, bans and allowed tokens make a changed
//! copy, in memory of the sampler, that the kernels then read.

use super::Batch;
use super::element::Element;
use crate::lanes::Lanes;

/// Whether the rows of a batch need a copy.
#[inline(always)]
pub(super) fn needed(batch: &Batch<'_>) -> bool {
    let constraints = batch.constraints;
    batch.logits.guide().is_some()
        || constraints.allowed.is_some()
        || !constraints.banned.is_empty()
        || !constraints.bias.is_empty()
}

/// Writes row `row` of a batch, as it is to be drawn from, to `out`.
///
/// Guided logits are g + scale·(z − g), −∞ where z or g is.
#[inline(always)]
pub(super) fn write<L: Lanes, E: Element>(
    s: L,
    batch: &Batch<'_>,
    data: &[E],
    guide: &[E],
    row: usize,
    out: &mut [f32],
) {
    write_columns(s, batch, data, guide, row, 0, out);
}

/// The same for rows that hold the columns from `offset` on. Tokens of constraints that lie
/// elsewhere are passed over.
#[inline(always)]
pub(super) fn write_columns<L: Lanes, E: Element>(
    s: L,
    batch: &Batch<'_>,
    data: &[E],
    guide: &[E],
    row: usize,
    offset: usize,
    out: &mut [f32],
) {
    let vocab = out.len();
    let start = batch.logits.start(row);
    let plain = &data[start..start + vocab];
    let words = batch.constraints.allowed_words(row);
    let guide = batch.logits.guide().map(|by| (&guide[by.start(row)..][..vocab], by.scale()));
    let floor = s.splat(f32::NEG_INFINITY);
    for (v, out) in out.chunks_mut(16).enumerate() {
        let tokens = 16 * v..16 * v + out.len();
        let mut x = E::load_some(s, &plain[tokens.clone()]);
        if let Some((guide, scale)) = guide {
            let g = E::load_some(s, &guide[tokens]);
            let guided = s.fma(s.splat(scale), s.sub(x, g), g);
            let banned = s.or(s.equal(x, floor), s.equal(g, floor));
            x = s.select(banned, floor, guided);
        }
        if let Some(words) = words {
            let first = offset + 16 * v;
            let high = words.get(first / 32 + 1).map_or(0, |&word| u64::from(word));
            let bits = (high << 32 | u64::from(words[first / 32])) >> (first % 32);
            x = s.select(s.mask(bits as u16), x, floor);
        }
        if let Ok(whole) = <&mut [f32; 16]>::try_from(&mut *out) {
            s.store(x, whole);
        } else {
            let mut padded = [0.0; 16];
            s.store(x, &mut padded);
            out.copy_from_slice(&padded[..out.len()]);
        }
    }
    for &(token, bias) in batch.constraints.bias {
        // A token that is out stays out, and a NaN stays one.
        if let Some(x) = out.get_mut((token as usize).wrapping_sub(offset))
            && *x != f32::NEG_INFINITY
        {
            *x += bias;
        }
    }
    for &token in batch.constraints.banned {
        if let Some(x) = out.get_mut((token as usize).wrapping_sub(offset))
            && !x.is_nan()
        {
            *x = f32::NEG_INFINITY;
        }
    }
}
