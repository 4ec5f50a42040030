//! Which positions move now? Each rule takes a segment's masked positions and chooses among them,
//! without replacement. No rule here sees logits or writes tokens: those that depend on logits are
//! given scores.

pub(crate) mod bernoulli;
pub(crate) mod by_row;
mod candidate;
mod entropy_bound;
mod factor;
pub(crate) mod first_hitting;
mod masked;
mod neighbours;
pub(crate) mod predrawn;
mod prefix;
pub(crate) mod random_order;
mod runs;
pub(crate) mod sequential;
mod stable;
mod threshold;
mod top_k;

pub(crate) use candidate::{Candidate, to_front};
pub(crate) use masked::Masked;
pub use neighbours::Neighbours;
pub use stable::Stable;
pub use threshold::{Fallback, Threshold};
pub(crate) use top_k::{choose as surest, fill};

use crate::error::{Error, number};
use crate::score::Score;

/// A rule for choosing positions.
///
/// The rules from [`TopK`](Self::TopK) on look at the scores of the masked positions (see
/// [`Score`](crate::policy::Score)): a plan names all of these, a token is drawn for each, and those
/// that are not chosen stay masked. Positions whose row is bad are left out. For [`Factor`](Self::Factor),
/// [`EntropyBound`](Self::EntropyBound), [`Prefix`](Self::Prefix), [`Runs`](Self::Runs) and most
/// thresholds a policy needs no number of steps: they reveal something at every step.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Select {
    /// The positions that are hit next, uniform among the masked ones: one if the policy has no
    /// steps, else as many as its sizes say.
    FirstHitting,
    /// Every masked position independently, with the same probability, that of the policy's
    /// [`Transition`](crate::Transition).
    Bernoulli,
    /// A uniformly random subset, as large as the size schedule says.
    RandomOrder,
    /// As [`Bernoulli`](Self::Bernoulli), each position by one random number of its own for all
    /// steps: the same law, other tokens. A plan then needs no random numbers of its step, and can
    /// be foreseen. The segment starts with `log_masked` 0, as usual.
    PredrawnBernoulli,
    /// As [`FirstHitting`](Self::FirstHitting), each position by one random number of its own, which
    /// is 1 − α at its hit. A position whose row is bad is passed over, and comes again last.
    PredrawnFirstHitting,
    /// Every masked position independently, each with the probability that its own row says: the
    /// rows are logarithms of scores ŝ(v), estimates of the ratio P(v here)/P(mask here) at the
    /// step's time (Lou et al., arXiv 2310.16834), and their sum takes the place of the known one.
    /// A plan names all masked positions; what moves is decided before its token is drawn.
    ScoreBernoulli,
    /// The first masked positions, from left to right, as many as the sizes say; one if the policy has
    /// no steps.
    Sequential,
    /// The highest scores, as many as the sizes say; one if the policy has no steps.
    TopK,
    /// Every score that reaches a threshold.
    Threshold(Threshold),
    /// The surest position, and the r-th surest, r from 2, while (r + 1)·(1 − score) is at most this for
    /// it and all before it (Wu et al., arXiv 2505.22618). For scores that are probabilities, without
    /// noise.
    Factor(f64),
    /// As many of the highest scores as have entropies H with Σ H − max H ≤ `bound`, and at least one
    /// (Ben-Hamu et al., arXiv 2505.24857).
    EntropyBound {
        /// The bound, in nats.
        bound: f64,
        /// Whether Σ H itself is bounded (SDAR, JetEngine).
        inclusive: bool,
    },
    /// The longest run of masked positions from the left whose scores reach `at`, and at least the
    /// first (Diffulex).
    Prefix {
        /// The least score.
        at: f64,
    },
    /// Of every maximal run of neighbouring masks the highest score, if it exceeds `low`, and all
    /// scores that exceed `high`; the highest of all if that would be none (dInfer's hierarchy).
    Runs {
        /// What the highest score of a run must exceed.
        low: f64,
        /// What any other must.
        high: f64,
    },
    /// As [`TopK`](Self::TopK), and the neighbours of very sure positions among those (LocalLeap).
    Neighbours(Neighbours),
    /// All positions that are sure, and whose laws have hardly changed for a while; as
    /// [`TopK`](Self::TopK) if there are none (KLASS).
    Stable(Stable),
}

impl Select {
    /// Whether positions move at their first-hitting times rather than by a grid or a list of sizes.
    pub(crate) const fn is_first_hitting(self) -> bool {
        matches!(self, Self::FirstHitting | Self::PredrawnFirstHitting)
    }

    /// Whether the scores of positions say which ones move.
    pub(crate) const fn is_by_score(self) -> bool {
        matches!(
            self,
            Self::TopK
                | Self::Threshold(_)
                | Self::Factor(_)
                | Self::EntropyBound { .. }
                | Self::Prefix { .. }
                | Self::Runs { .. }
                | Self::Neighbours(_)
                | Self::Stable(_)
        )
    }

    /// Whether the sizes of the schedule matter.
    pub(crate) const fn is_sized(self) -> bool {
        match self {
            Self::FirstHitting | Self::PredrawnFirstHitting | Self::RandomOrder => true,
            Self::Sequential | Self::TopK | Self::Neighbours(_) | Self::Stable(_) => true,
            Self::Threshold(Threshold { fallback, within_size, .. }) => {
                within_size || matches!(fallback, Fallback::FillByScore | Fallback::FillInOrder)
            }
            _ => false,
        }
    }

    /// Whether scores decide, but a step of size 0 reveals nothing.
    pub(crate) const fn needs_size(self) -> bool {
        match self {
            Self::TopK | Self::Neighbours(_) => true,
            Self::Threshold(Threshold { within_size, .. }) => within_size,
            _ => false,
        }
    }

    /// How a row is compared with that of the step before, if it is.
    pub(crate) const fn stable(&self) -> Option<&Stable> {
        match self {
            Self::Stable(stable) => Some(stable),
            _ => None,
        }
    }

    /// Whether the rows of positions matter, whatever their scores are.
    pub(crate) const fn reads_row(self) -> bool {
        matches!(self, Self::EntropyBound { .. } | Self::Stable(_))
    }

    /// Checks the parameters of a rule that looks at scores.
    pub(crate) fn check(self, score: &Score<'_>, steps: u32) -> Result<(), Error> {
        match self {
            Self::Threshold(threshold) => threshold.check(steps),
            Self::Neighbours(neighbours) => neighbours.check(),
            Self::Stable(stable) => stable.check(),
            Self::Factor(factor) => {
                if !score.of.is_probability() || score.gumbel > 0.0 || score.priors {
                    let expected = "a probability without noise or priors, for a factor";
                    let name = "score";
                    return Err(Error::Argument {
                        name,
                        value: f64::from(score.of as u8),
                        expected,
                    });
                }
                number("factor", factor)
            }
            Self::EntropyBound { bound, .. } => number("entropy bound", bound),
            Self::Prefix { at } => number("prefix.at", at),
            Self::Runs { low, high } => {
                number("runs.low", low).and_then(|()| number("runs.high", high))
            }
            _ => Ok(()),
        }
    }

    /// Moves the candidates that are revealed at step `step` of `steps`, whose size is `size`, to the
    /// front, and returns how many there are. Candidates come in ascending order.
    pub(crate) fn choose(
        self,
        score: &Score<'_>,
        candidates: &mut [Candidate],
        size: u32,
        steps: (u32, u32),
    ) -> usize {
        let size = size as usize;
        match self {
            Self::TopK => top_k::choose(candidates, size),
            Self::Threshold(threshold) => threshold.choose(score, candidates, size, steps),
            Self::Factor(factor) => factor::choose(score, candidates, factor),
            Self::EntropyBound { bound, inclusive } => {
                entropy_bound::choose(candidates, bound, inclusive)
            }
            Self::Prefix { at } => prefix::choose(candidates, score.bar(at)),
            Self::Runs { low, high } => runs::choose(candidates, score.bar(low), score.bar(high)),
            Self::Neighbours(neighbours) => neighbours.choose(score, candidates, size),
            Self::Stable(stable) => stable.choose(score, candidates, size),
            // The others have chosen before there were tokens.
            _ => candidates.len(),
        }
    }
}
