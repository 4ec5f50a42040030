//! Proposals of tokens under the envelope of a row, and which of them are accepted.

use super::Temperature;
use super::element::Element;
use super::envelope::Envelope;
use super::row::Row;
use crate::lanes::Lanes;
use crate::lanes::math::{BOUND_UNIT, weight};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

/// The low bits of a random word, below those of the uniform number, that choose within a cell.
pub(super) const OFFSET_BITS: u32 = 11;

impl<E: Element> Row<'_, E> {
    /// The logit of a proposed token; −∞ for one that cannot be accepted.
    #[inline(always)]
    pub(super) fn proposed(&self, token: usize, least: f32) -> f32 {
        if token < self.logits.len() && token != self.excluded {
            let x = self.logits[token].to_f32();
            if x >= least {
                return x;
            }
        }
        f32::NEG_INFINITY
    }

    /// Makes N proposals, M at a time, each from two random words (and rarely more, see [`unit`]).
    #[inline(always)]
    pub(super) fn propose<L: Lanes, const N: usize, const M: usize>(
        &self,
        s: L,
        target: &Target<'_>,
        rng: &mut Xoshiro256PlusPlus,
        out: &mut Accepted,
    ) {
        let Accepted { tokens, accepted } = out;
        let (mut choices, mut words) = ([0; N], [0; N]);
        for p in 0..N {
            choices[p] = rng.next_u64();
            words[p] = rng.next_u64();
        }
        let mut logits = [f32::NEG_INFINITY; 16];
        let mut bars = [f32::INFINITY; 16];
        // The searches of more would not stay in registers.
        for begin in (0..N).step_by(M) {
            let choices = core::array::from_fn(|p| choices[begin + p]);
            let (vectors, lanes, bounds) = target.envelope.pick::<L, M>(s, choices);
            for p in 0..M {
                let (place, word) = (begin + p, words[begin + p]);
                let offset = word as usize & (self.size - 1);
                tokens[place] = self.token(vectors[p], lanes[p], offset);
                logits[place] = self.proposed(tokens[place], target.least);
                bars[place] = rounded_down(bar(word, bounds[p], || rng.next_u64()));
            }
        }
        // One is not worth the way through memory.
        let logits = if N == 1 { s.splat(logits[0]) } else { s.load(&logits) };
        let bars = if N == 1 { s.splat(bars[0]) } else { s.load(&bars) };
        let weights = weight(s, logits, s.splat(target.reference), target.temperature);
        *accepted = s.bits(s.greater(weights, bars)) & u16::MAX >> (16 - N);
    }
}

/// The proposals that were accepted, in their order.
pub(super) struct Accepted {
    tokens: [usize; 16],
    /// Bit p says that proposal p was accepted.
    accepted: u16,
}

impl Accepted {
    /// Before the first proposal.
    pub(super) const NONE: Self = Self { tokens: [0; 16], accepted: 0 };

    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<usize> {
        if self.accepted == 0 {
            return None;
        }
        let token = self.tokens[self.accepted.trailing_zeros() as usize % 16];
        self.accepted &= self.accepted - 1;
        Some(token)
    }
}

/// What a row is drawn from: its envelope, and what turns logits into weights.
pub(super) struct Target<'a> {
    pub(super) envelope: Envelope<'a>,
    /// What weights are relative to: see [`Temperature::reference`].
    pub(super) reference: f32,
    /// Smaller logits are not drawn.
    pub(super) least: f32,
    pub(super) temperature: Temperature,
}

/// What the weight of a proposal must exceed, from the high bits of its second word: uniform up to
/// the bound. `more` is asked for another word where they are too few, see [`unit`].
#[inline(always)]
pub(super) fn bar(word: u64, bound: u32, more: impl FnOnce() -> u64) -> f64 {
    unit(word >> OFFSET_BITS, more) * f64::from(bound) * BOUND_UNIT
}

/// The largest float up to x: of floats, the same ones exceed it. x is at least 2^-149.
#[inline(always)]
fn rounded_down(x: f64) -> f32 {
    // Without the bits that a float has no room for, the conversion is exact, or ends below every
    // weight.
    f64::from_bits(x.to_bits() >> 29 << 29) as f32
}

/// A uniform number in (0, 1] from 53 bits, which are continued by another word where they would
/// leave less than 30 significant ones.
#[inline(always)]
fn unit(bits: u64, more: impl FnOnce() -> u64) -> f64 {
    const STEP: f64 = 1.0 / (1u64 << 53) as f64;
    let fraction = if bits < 1 << 29 { ((more() >> 11) as f64 + 0.5) * STEP } else { 0.5 };
    (bits as f64 + fraction) * STEP
}

#[cfg(test)]
mod tests {
    use super::{rounded_down, unit};

    #[test]
    fn the_same_floats_exceed_a_bar_and_its_float() {
        let spacing = |exponent: i32| 2f64.powi(exponent - 23);
        for exponent in -125..=1 {
            for mantissa in [0, 1, 12_345, (1 << 23) - 1] {
                let weight = f64::from((1 << 23) + mantissa) * spacing(exponent);
                for off in [-1.0, -0.75, -0.5, -0.25, -1e-7, 0.0, 1e-7, 0.25, 0.5, 0.75, 1.0] {
                    let bar = weight + off * spacing(exponent);
                    assert_eq!(rounded_down(bar) < weight as f32, bar < weight, "{bar:e}");
                }
            }
        }
        // The least bars, where floats are subnormal: below every weight but 0.
        for bar in [2f64.powi(-149), 1.9 * 2f64.powi(-130), 2f64.powi(-126)] {
            assert!(rounded_down(bar) > 0.0 && rounded_down(bar) < 2f32.powi(-125));
        }
    }

    #[test]
    fn few_bits_are_continued_by_another_word() {
        let step = 2f64.powi(-53);
        assert_eq!(unit(0, || 0), 2f64.powi(-107));
        assert_eq!(unit(0, || 1 << 63), (0.5 + 0.5 * step) * step);
        assert_eq!(unit((1 << 29) - 1, || 1 << 62), f64::from((1 << 29) - 1) * step + 0.25 * step);
        let none = || unreachable!("29 more bits are enough");
        assert_eq!(unit(1 << 29, none), (f64::from(1 << 29) + 0.5) * step);
        assert_eq!(unit((1 << 53) - 1, none), 1.0);
    }
}
