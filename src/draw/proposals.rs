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

    /// Makes N proposals, each from two random words (and rarely more, see [`unit`]).
    #[inline(always)]
    pub(super) fn propose<L: Lanes, const N: usize>(
        &self,
        s: L,
        target: &Target<'_>,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Accepted {
        let (mut choices, mut words) = ([0; N], [0; N]);
        for p in 0..N {
            choices[p] = rng.next_u64();
            words[p] = rng.next_u64();
        }
        let (vectors, lanes, bounds) = target.envelope.pick(choices);
        let mut tokens = [0; 16];
        let mut logits = [f32::NEG_INFINITY; 16];
        let mut bars = [0.0; N];
        for p in 0..N {
            let offset = words[p] as usize & (self.size - 1);
            tokens[p] = self.token(vectors[p], lanes[p], offset);
            logits[p] = self.proposed(tokens[p], target.least);
            bars[p] = bar(words[p], bounds[p], || rng.next_u64());
        }
        let mut weights = [0.0; 16];
        // One is not worth the way through memory.
        let logits = if N == 1 { s.splat(logits[0]) } else { s.load(&logits) };
        s.store(weight(s, logits, s.splat(target.reference), target.temperature), &mut weights);
        let mut accepted = 0u32;
        for p in 0..N {
            accepted |= u32::from(bars[p] < f64::from(weights[p])) << p;
        }
        Accepted { tokens, accepted }
    }
}

/// The proposals that were accepted, in their order.
pub(super) struct Accepted {
    tokens: [usize; 16],
    /// Bit p says that proposal p was accepted.
    accepted: u32,
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

/// A uniform number in (0, 1] from 53 bits, which are continued by another word where they would
/// leave less than 30 significant ones.
#[inline(always)]
fn unit(bits: u64, more: impl FnOnce() -> u64) -> f64 {
    const STEP: f64 = 1.0 / (1u64 << 53) as f64;
    let fraction = if bits < 1 << 29 { ((more() >> 11) as f64 + 0.5) * STEP } else { 0.5 };
    (bits as f64 + fraction) * STEP
}
