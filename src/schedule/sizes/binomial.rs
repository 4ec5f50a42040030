//! A binomial number of positions: as many as Bernoulli selection reveals.

use crate::rng::{successes, threshold};
use rand_xoshiro::rand_core::Rng;

/// The successes of `trials` trials of probability `p`, which counts to 64 bits: 64 trials at a time,
/// in about eight random words.
pub(super) fn draw(trials: u32, p: f64, rng: &mut impl Rng) -> u32 {
    let Some(threshold) = threshold(p) else {
        return trials;
    };
    if threshold == 0 {
        return 0;
    }
    let whole = (0..trials / 64).map(|_| u64::MAX);
    let rest = (1u64 << (trials % 64)) - 1;
    whole.chain([rest]).map(|word| successes(rng, word, threshold).count_ones()).sum()
}
