//! Bernoulli: every masked position is chosen independently with the same probability. It is
//! decided before any token is drawn, and token probabilities are never multiplied by it.

use crate::rng::Coin;
use rand_xoshiro::Xoshiro256PlusPlus;

/// Each of `masked` with probability `p`.
pub(crate) fn choose(
    masked: impl Iterator<Item = u32>,
    p: f64,
    rng: &mut Xoshiro256PlusPlus,
) -> impl Iterator<Item = u32> {
    let coin = Coin::new(p);
    masked.filter(move |_| coin.toss(rng))
}
