//! Blocks of 256 tokens of a row: what is known of one, and the draw inside it.
//!
//! A block is cut by token id, so everything here is a function of its logits and the temperature
//! alone, with the same bits at every level, whoever holds the block.

use super::Temperature;
use super::blocks::sum_lanes;
use super::element::Element;
use super::masses::least_weighty;
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
        let mut lanes = s.bits(holders);
        let second = if lanes.count_ones() > 1 {
            max
        } else {
            s.largest(s.max(next, s.select(holders, never, first))) + 0.0
        };
        let (id, block) = ((block * BLOCK) as u32, block as u32);
        if s.any(nan) || max == f32::INFINITY {
            let (max, second, others, moment) = (f32::NAN, f32::NAN, f64::NAN, f64::NAN);
            return BlockRecord { others, moment, max, second, argmax: id, block };
        }

        let least = s.splat(least_weighty(second, temperature));
        let (largest, reference) = (s.splat(max), s.splat(second.max(f32::MIN)));
        let high = s.splat(temperature.high);
        let (mut sums, mut moments) = ([zero; 4], [zero; 4]);
        // Of each lane the first vector that holds the largest logit, if it does.
        let (mut places, mut place) = (zero, s.splat((BLOCK / 16) as f32));
        for four in vectors.as_chunks::<4>().0.iter().rev() {
            for (j, vector) in four.iter().enumerate().rev() {
                let x = E::load(s, vector);
                place = s.sub(place, s.splat(1.0));
                places = s.select(s.equal(x, largest), place, places);
                // Logits may lie so far apart that their difference overflows.
                let below = s.sub(s.min(s.max(x, least), reference), reference);
                let below = s.max(below, s.splat(f32::MIN));
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
        let mut vectors = [0.0; 16];
        s.store(places, &mut vectors);
        let mut argmax = BLOCK as u32;
        while lanes != 0 {
            let lane = lanes.trailing_zeros();
            argmax = argmax.min(16 * vectors[lane as usize] as u32 + lane);
            lanes &= lanes - 1;
        }
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
pub(super) struct Choose<'a> {
    pub(super) logits: &'a BlockLogits<f32>,
    pub(super) temperature: Temperature,
    pub(super) uniform: f64,
}

impl Kernel for Choose<'_> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> Option<usize> {
        let Self { logits, temperature, uniform } = self;
        let vectors = logits.as_chunks::<16>().0;
        let mut max = s.splat(f32::NEG_INFINITY);
        for vector in vectors {
            max = s.max(max, s.load(vector));
        }
        let max = s.splat(temperature.reference(s.largest(max) + 0.0));
        let mut weights = [[0.0; 16]; BLOCK / 16];
        for (vector, weights) in vectors.iter().zip(&mut weights) {
            s.store(weight(s, s.load(vector), max, temperature), weights);
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

#[cfg(test)]
mod tests {
    use super::{BLOCK, Block, BlockLogits, Choose, uniform};
    use crate::draw::{Temperature, oracle};
    use crate::lanes::{Level, run};

    /// A block of `len` tokens, with ties and −∞.
    fn logits(len: usize, spread: f32, seed: u64) -> BlockLogits<f32> {
        let mut logits = [f32::NEG_INFINITY; BLOCK];
        for (i, logit) in logits[..len].iter_mut().enumerate() {
            let x = (i as u64 + 1).wrapping_mul(2 * seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let x = (x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            *logit = match x >> 60 {
                0 => f32::NEG_INFINITY,
                1 => spread / 4.0,
                2 => -0.0,
                _ => ((x >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * spread,
            };
        }
        logits
    }

    fn levels() -> impl Iterator<Item = Level> {
        Level::ALL.into_iter().filter(|level| level.is_available())
    }

    #[test]
    fn records_of_every_length_match_plain_sums() {
        for len in (0..=70).chain([128, 129, 255, 256]) {
            for t in [1e-30, 1e-3, 0.1, 1.0, 10.0, 1e3, f32::INFINITY] {
                for (seed, spread) in [1e-3, 1.0, 30.0, 3e4].into_iter().enumerate() {
                    let logits = &logits(len, spread, (len * 4 + seed) as u64);
                    let temperature = Temperature::new(t).expect("a temperature");
                    let block = || Block { logits, block: 3, temperature };
                    let ours = run(Level::Baseline, block());
                    for level in levels() {
                        let other = run(level, block());
                        assert_eq!(
                            bytemuck::bytes_of(&ours),
                            bytemuck::bytes_of(&other),
                            "{level}"
                        );
                    }
                    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    let first = logits.iter().position(|&x| x == max).expect("a maximum");
                    let others = || logits.iter().enumerate().filter(|&(i, _)| i != first);
                    let second = others().map(|(_, &x)| x).fold(f32::NEG_INFINITY, f32::max);
                    assert_eq!((ours.max, ours.second), (max, second));
                    assert_eq!((ours.argmax as usize, ours.block), (3 * BLOCK + first, 3));
                    let (mut mass, mut moment) = (0.0, 0.0);
                    for (_, &x) in others().filter(|(_, x)| x.is_finite()) {
                        let y = (f64::from(second) - f64::from(x)) / f64::from(t);
                        mass += (-y).exp();
                        moment += if y < 700.0 { (-y).exp() * y } else { 0.0 };
                    }
                    // A moment counts beside the mass, so that is what its error is relative to.
                    let near =
                        |ours: f64, exact: f64| (ours - exact).abs() <= 1.5e-6 * exact.max(mass);
                    assert!(near(ours.others, mass), "{len} at T {t}: {} for {mass}", ours.others);
                    let bits = moment * core::f64::consts::LOG2_E;
                    assert!(near(ours.moment, bits), "{len} at T {t}: {} for {bits}", ours.moment);
                }
            }
        }
    }

    #[test]
    fn choices_follow_the_running_sum() {
        let temperature = Temperature::new(0.8).expect("a temperature");
        for len in [1, 2, 17, 100, 256] {
            let logits = &logits(len, 8.0, len as u64);
            let Some(law) = oracle::probabilities(logits, f64::from(0.8f32), None) else {
                assert_eq!(
                    run(Level::Baseline, Choose { logits, temperature, uniform: 0.5 }),
                    None
                );
                continue;
            };
            let mut sum = 0.0;
            for (i, p) in law.iter().enumerate().filter(|&(_, &p)| p > 0.0) {
                for (at, expected) in [(sum + p * 1e-2 + 1e-6, i), (sum + p * 0.99 - 1e-6, i)] {
                    for level in levels().filter(|_| *p > 1e-5) {
                        let chosen = run(level, Choose { logits, temperature, uniform: at });
                        assert_eq!(chosen, Some(expected), "{at} of {len}, {level}");
                    }
                }
                sum += p;
            }
        }
    }

    #[test]
    fn the_ends_of_the_unit_interval_choose_tokens_that_weigh() {
        let (least, most) = (uniform(0), uniform(u64::MAX));
        assert!(0.0 < least && most < 1.0);
        let temperature = Temperature::new(1.0).expect("a temperature");
        let mut logits = [f32::NEG_INFINITY; BLOCK];
        logits[30..200].fill(-7.0);
        // So far below that it weighs nothing.
        (logits[20], logits[220]) = (-1e3, -1e3);
        for level in levels() {
            let choose = |uniform| run(level, Choose { logits: &logits, temperature, uniform });
            assert_eq!((choose(least), choose(most)), (Some(30), Some(199)));
        }
    }
}
