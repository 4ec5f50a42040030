//! Doubt: committed tokens that the network no longer believes become masks again (WINO, Hong et al.,
//! arXiv 2507.18578; dInfer's hierarchy rule, Ma et al., arXiv 2510.08666).

use crate::error::Error;
use crate::select::{Candidate, fill, to_front};

/// When a committed token is doubted.
///
/// A plan then names the committed positions as well as the masked ones, and the canvas needs kinds.
/// WINO's own rows for committed positions come from shadow masks that do not see the position they
/// stand for; a client puts them where the position's row is looked for
/// ([`Logits::new`](crate::Logits::new), index).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Doubt {
    /// A committed position becomes a mask if the probability is below this, in the law of the policy's
    /// [`Score`](crate::policy::Score).
    pub below: f64,
    /// Whose probability that is.
    pub of: DoubtOf,
    /// How masks become fewer all the same.
    pub progress: Progress,
}

/// Whose probability is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DoubtOf {
    /// The token that stands there (WINO). A token outside the vocabulary is never doubted.
    Standing,
    /// The token that is drawn there anew, the likeliest at temperature 0 (dInfer).
    Drawn,
}

/// How decoding comes to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Progress {
    /// Nothing is remasked in a step that reveals one position or none; and if as many are doubted as
    /// the step before revealed, or more, then one fewer than that, the least likely (WINO).
    RemaskFewer,
    /// At least one more position is revealed than remasked, the surest, as far as there are masks
    /// (dInfer).
    RevealMore,
}

impl Doubt {
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.below.is_nan() {
            let (name, expected) = ("update.below", "a number");
            return Err(Error::Argument { name, value: self.below, expected });
        }
        Ok(())
    }

    /// Moves the committed positions that become masks to the front, by the probabilities that their
    /// orders are; returns how many masked ones are revealed, the first of which `revealed` have been
    /// chosen, and how many committed ones are remasked. The step before revealed `before`, if there
    /// was one.
    pub(crate) fn choose(
        &self,
        masked: &mut [Candidate],
        committed: &mut [Candidate],
        revealed: usize,
        before: Option<u32>,
    ) -> (usize, usize) {
        let doubted = to_front(committed, |c| c.order < self.below);
        let before = before.map(|before| before as usize);
        match (self.progress, before) {
            (Progress::RevealMore, _) => (fill(masked, revealed, doubted + 1), doubted),
            (Progress::RemaskFewer, _) if revealed <= 1 => (revealed, 0),
            (Progress::RemaskFewer, Some(before)) if doubted >= before => {
                let rank = |a: &Candidate, b: &Candidate| {
                    a.order.total_cmp(&b.order).then(a.at.cmp(&b.at))
                };
                committed[..doubted].sort_unstable_by(rank);
                (revealed, before.saturating_sub(1))
            }
            (Progress::RemaskFewer, _) => (revealed, doubted),
        }
    }
}
