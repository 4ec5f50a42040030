//! Blocks of 256 tokens of a row: what is known of one, and the draw inside it.
//!
//! A block is cut by token id, so everything here is a function of its logits and the temperature
//! alone, with the same bits at every level, whoever holds the block.

use super::Temperature;
use super::element::Element;
use super::masses::sum_lanes;
use crate::lanes::math::{fast_weight, weight};
use crate::lanes::{Kernel, Lanes};
use bytemuck::{Pod, Zeroable};

/// Tokens in a block: block b holds those from 256·b on.
pub const BLOCK: usize = 256;

/// The logits of a block; −∞ past the end of the vocabulary.
pub(super) type BlockLogits<E> = [E; BLOCK];

/// What is known of the logits z of a block at temperature T. 32 bytes.
///
/// The largest logit stands apart from the others, whose sums are relative to the second largest:
/// so they keep their digits however far the largest is ahead. A block that holds NaN or +∞ has
/// NaN in all four numbers; one that is −∞ throughout has −∞, −∞, 0, 0.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockRecord {
    /// Σ exp((z − `second`)/T) over all tokens but `argmax`: 1 to 255, 0 if `second` is −∞.
    pub others: f64,
    /// Σ exp((z − `second`)/T) · (`second` − z)/T over the same, in units of ln 2.
    pub moment: f64,
    /// The largest logit.
    pub max: f32,
    /// The largest logit of the other tokens: `max` again if two are equally large.
    pub second: f32,
    /// The token of the largest logit in the whole vocabulary; ties: the lowest id. The block's
    /// first token if all are −∞ or one is NaN.
    pub argmax: u32,
    /// The block's number.
    pub block: u32,
}

/// Computes the record of a block.
pub(super) struct Block<'a, E> {
    pub(super) logits: &'a BlockLogits<E>,
    pub(super) block: usize,
    pub(super) temperature: Temperature,
}

impl<E: Element> Kernel for Block<'_, E> {
    type Output = BlockRecord;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> BlockRecord {
        let Self { logits, block, temperature } = self;
        let vectors = logits.as_chunks::<16>().0;
        let (zero, never) = (s.splat(0.0), s.splat(f32::NEG_INFINITY));

        // The two largest of each lane, then of all.
        let (mut first, mut next, mut nan) = (never, never, s.no_lane());
        for pair in vectors.as_chunks::<2>().0 {
            let (x, y) = (E::load(s, &pair[0]), E::load(s, &pair[1]));
            let (low, high) = (s.min(x, y), s.max(x, y));
            next = s.max(next, s.max(low, s.min(first, high)));
            first = s.max(first, high);
            nan = s.or(nan, s.unordered(x, y));
        }
        // Adding 0 makes −0 a +0, of which a maximum may return either.
        let max = s.largest(first) + 0.0;
        let holders = s.equal(first, s.splat(max));
        let second = if s.bits(holders).count_ones() > 1 {
            max
        } else {
            s.largest(s.max(next, s.select(holders, never, first))) + 0.0
        };
        let (id, block) = ((block * BLOCK) as u32, block as u32);
        if s.any(nan) || max == f32::INFINITY {
            let (max, second, others, moment) = (f32::NAN, f32::NAN, f64::NAN, f64::NAN);
            return BlockRecord { others, moment, max, second, argmax: id, block };
        }

        // The least logit that is no farther below than the weight allows, as it is subtracted; −∞
        // is never one.
        let floor = temperature.floor.max(f32::MIN);
        let mut least = second + floor;
        if least - second < floor {
            least = least.next_up();
        }
        let least = s.splat(least.max(f32::MIN));
        let (largest, reference) = (s.splat(max), s.splat(second.max(f32::MIN)));
        let high = s.splat(temperature.high);
        let (mut sums, mut moments) = ([zero; 4], [zero; 4]);
        let mut argmax = 0;
        for (k, four) in vectors.as_chunks::<4>().0.iter().enumerate().rev() {
            for (j, vector) in four.iter().enumerate().rev() {
                let x = E::load(s, vector);
                let holders = s.bits(s.equal(x, largest));
                let id = (64 * k + 16 * j) as u32 + holders.trailing_zeros();
                argmax = if holders == 0 { argmax } else { id };
                let below = s.sub(s.min(s.max(x, least), reference), reference);
                let w = fast_weight(s, below, temperature);
                // Alone above the second largest there is the largest.
                let w = s.select(s.greater(x, reference), zero, w);
                let w = s.select(s.greater(least, x), zero, w);
                sums[j] = s.add(sums[j], w);
                moments[j] = s.fma(w, s.mul(below, high), moments[j]);
            }
        }
        // A largest logit that is not alone has been counted with its equals, as exactly 1.
        let tied = f64::from(u8::from(second == max));
        let others = if second == f32::NEG_INFINITY { 0.0 } else { total(s, sums) - tied };
        let moment = 0.0 - total(s, moments);
        BlockRecord { others, moment, max, second, argmax: id + argmax, block }
    }
}

/// The sum of all lanes.
#[inline(always)]
fn total<L: Lanes>(s: L, [a, b, c, d]: [L::F; 4]) -> f64 {
    sum_lanes(s, s.add(s.add(a, b), s.add(c, d)))
}

/// Chooses a token of a block by its weight, given a number strictly between 0 and 1; `None` if no
/// token weighs anything, or one is NaN or +∞.
pub(super) struct Choose<'a, E> {
    pub(super) logits: &'a BlockLogits<E>,
    pub(super) temperature: Temperature,
    pub(super) uniform: f64,
}

impl<E: Element> Kernel for Choose<'_, E> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> Option<usize> {
        let Self { logits, temperature, uniform } = self;
        let vectors = logits.as_chunks::<16>().0;
        let mut max = s.splat(f32::NEG_INFINITY);
        for vector in vectors {
            max = s.max(max, E::load(s, vector));
        }
        let max = s.splat(s.largest(max) + 0.0);
        let mut weights = [[0.0; 16]; BLOCK / 16];
        for (vector, weights) in vectors.iter().zip(&mut weights) {
            s.store(weight(s, E::load(s, vector), max, temperature), weights);
        }
        // The sum is taken twice in one order: its last partial sum is the total, which the bound
        // stays below, and a weight of 0 leaves the sum where it did not exceed the bound.
        let weights = weights.as_flattened();
        let total = weights.iter().fold(0.0, |sum, &w| sum + f64::from(w));
        let (bound, mut sum) = (uniform * total, 0.0);
        weights.iter().position(|&w| {
            sum += f64::from(w);
            sum > bound
        })
    }
}

/// A number strictly between 0 and 1 from 52 of 64 random bits: with 53, the largest would round
/// to 1.
pub(super) fn uniform(word: u64) -> f64 {
    ((word >> 12) as f64 + 0.5) * 0.5f64.powi(52)
}
