//! Which positions move now? Each rule takes a segment's masked positions and chooses among them,
//! without replacement, in ascending order. No rule here sees logits or writes tokens.

pub(crate) mod bernoulli;
pub(crate) mod first_hitting;
pub(crate) mod random_order;

/// A rule for choosing positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Select {
    /// The one position that is hit next, uniform among the masked ones.
    FirstHitting,
    /// Every masked position independently, with the probability of the Euler step.
    Bernoulli,
    /// A uniformly random subset, as large as the size schedule says.
    RandomOrder,
}
