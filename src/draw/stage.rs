//! Rows that are not drawn from as they are: guidance, bias, bans and allowed tokens make a changed
//! copy, in memory of the sampler, that the kernels then read.

use super::Batch;
use super::element::Element;
use super::row::store_part;
use crate::lanes::Lanes;

/// Whether the rows of a batch need a copy.
#[inline(always)]
pub(super) fn needed(batch: &Batch<'_>) -> bool {
    batch.logits.guide().is_some()
        || batch.constraints.change_logits()
        || batch.against.is_some_and(|rows| rows.guide().is_some())
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
    write_part(s, batch, data, guide, Part { row, column: 0, first: 0 }, out);
}

/// A part of a row: where it begins among the row's logits, and which token stands there, as the
/// constraints count tokens. They differ where the rows are shards of a vocabulary.
pub(super) struct Part {
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) first: usize,
}

/// Writes part of a row, as it is to be drawn from, to `out`.
#[inline(always)]
pub(super) fn write_part<L: Lanes, E: Element>(
    s: L,
    batch: &Batch<'_>,
    data: &[E],
    guide: &[E],
    part: Part,
    out: &mut [f32],
) {
    let Part { row, column, first } = part;
    let width = out.len();
    let plain = &data[batch.logits.start(row) + column..][..width];
    let words = batch.constraints.allowed_words(row);
    let guide =
        batch.logits.guide().map(|by| (&guide[by.start(row) + column..][..width], by.scale()));
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
            let (word, bit) = ((first + 16 * v) / 32, (first + 16 * v) % 32);
            let next = words.get(word + 1).map_or(0, |&next| u64::from(next) << 32);
            let bits = (u64::from(words[word]) | next) >> bit;
            x = s.select(s.mask(bits as u16), x, floor);
        }
        store_part(s, x, out);
    }
    for &(token, bias) in batch.constraints.biases_of(row).into_iter().flatten() {
        // A token that is out stays out, and a NaN stays one.
        if let Some(x) = out.get_mut((token as usize).wrapping_sub(first))
            && *x != f32::NEG_INFINITY
        {
            *x += bias;
        }
    }
    for &token in batch.constraints.banned {
        if let Some(x) = out.get_mut((token as usize).wrapping_sub(first))
            && !x.is_nan()
        {
            *x = f32::NEG_INFINITY;
        }
    }
}
