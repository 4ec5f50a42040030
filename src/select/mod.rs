//! Which positions move now? Each rule takes a segment's masked positions and chooses among them,
//! without replacement, in ascending order. No rule here sees logits or writes tokens.

pub(crate) mod bernoulli;
pub(crate) mod by_row;
pub(crate) mod first_hitting;
mod masked;
pub(crate) mod predrawn;
pub(crate) mod random_order;

pub(crate) use masked::Masked;

/// A rule for choosing positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

impl Select {
    /// Whether positions move at their first-hitting times rather than by a grid or a list of sizes.
    pub(crate) const fn is_first_hitting(self) -> bool {
        matches!(self, Self::FirstHitting | Self::PredrawnFirstHitting)
    }
}
