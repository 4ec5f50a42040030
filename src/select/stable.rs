//! Stable: the positions that are sure, and whose laws have hardly changed for a while (KLASS, Kim et
//! al., arXiv 2511.05664).

use super::candidate::to_front;
use super::{Candidate, top_k};
use crate::error::{Error, number};
use crate::score::Score;

/// When a position is sure for good.
///
/// A step then reads the output of the step before as well, from the segment's second step on
/// ([`Logits::with_earlier`](crate::Logits::with_earlier)), and the canvas needs position states.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stable {
    /// What its score must exceed.
    pub above: f64,
    /// Σ p ln(p/q) of its law p and its law q in the step before must be less than this, in nats...
    pub divergence: f64,
    /// ... in so many steps in a row, this one included. The first step of a segment does not count, for
    /// there is none before it.
    pub steps: u32,
}

impl Stable {
    /// Theirs for LLaDA: 0.9, 0.01, two steps.
    pub const KLASS: Self = Self { above: 0.9, divergence: 0.01, steps: 2 };

    pub(crate) fn check(&self) -> Result<(), Error> {
        number("stable.above", self.above)?;
        number("stable.divergence", self.divergence)
    }

    /// For how many steps the law of a position has hardly changed, if it diverges so much from that
    /// before, for which it was `before`. A divergence that is not known counts as large.
    pub(crate) fn count(&self, divergence: f64, before: u32) -> u32 {
        if divergence < self.divergence { before.saturating_add(1) } else { 0 }
    }

    /// Moves the positions to be revealed to the front; returns how many there are: all that are sure
    /// for good, or the `size` surest if none is. Candidates come in ascending order.
    pub(crate) fn choose(
        &self,
        score: &Score<'_>,
        candidates: &mut [Candidate],
        size: usize,
    ) -> usize {
        let bar = score.bar(self.above);
        match to_front(candidates, |c| c.order > bar && c.stable >= self.steps) {
            0 => top_k::choose(candidates, size),
            count => count,
        }
    }
}
