//! Doubt: committed tokens that the network no longer believes become masks again (WINO, Hong et al.,
//! arXiv 2507.18578; dInfer's hierarchy rule, Ma et al., arXiv 2510.08666).

use crate::error::{Error, number};
use crate::select::{Candidate, to_front};

/// When a committed token is doubted.
///
/// A plan then names the committed positions as well as the masked ones, and the canvas needs kinds.
/// WINO's own rows for committed positions come from shadow masks that do not see the position they
/// stand for; a client puts them where the position's row is looked for
/// ([`Logits::new`](crate::Logits::new), index).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Doubt {
    /// A committed position is doubted if the probability is below this, in the law of the policy's
    /// [`Score`](crate::policy::Score).
    pub below: f64,
    /// Whose probability that is, and what follows from it.
    pub of: DoubtOf,
}

/// Whose probability is looked at. Either way masks become fewer in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DoubtOf {
    /// That of the token which stands there (WINO); a token outside the vocabulary is never doubted.
    ///
    /// A doubted position becomes a mask. But nothing is remasked in a step that reveals one position
    /// or none; and if as many are doubted as the step before revealed, or more, then one fewer than
    /// that are remasked, the least likely.
    Standing,
    /// That of the token which is drawn there anew (dInfer; the likeliest one at temperature 0).
    ///
    /// A doubted position counts as masked in this step: it gets the new token if it is chosen, and
    /// becomes a mask if it is not. At least one more position is chosen than is doubted, the surest.
    Drawn,
}

impl Doubt {
    pub(crate) fn check(&self) -> Result<(), Error> {
        number("update.below", self.below)
    }

    /// Moves the doubted of some committed positions to the front; returns how many there are.
    pub(crate) fn doubted(&self, committed: &mut [Candidate]) -> usize {
        to_front(committed, |c| c.belief < self.below)
    }

    /// Moves those of `doubted` that become masks to the front, where their standing tokens were
    /// looked at; returns how many there are. The step reveals `revealed`, and the one before it,
    /// if there was one, `before`.
    pub(crate) fn remasked(
        doubted: &mut [Candidate],
        revealed: usize,
        before: Option<u32>,
    ) -> usize {
        match before.map(|before| before as usize) {
            _ if revealed <= 1 => 0,
            Some(before) if doubted.len() >= before => {
                let rank = |a: &Candidate, b: &Candidate| {
                    a.belief.total_cmp(&b.belief).then(a.at.cmp(&b.at))
                };
                doubted.sort_unstable_by(rank);
                before.saturating_sub(1)
            }
            _ => doubted.len(),
        }
    }
}
