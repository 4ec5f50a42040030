//! What the command lines and the reports of the two examples share: which sampler, and what it
//! cost.

mod options;
mod tally;

pub(crate) use options::{Options, Rule, parse_fraction};
pub(crate) use tally::Tally;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

/// `count` of the numbers below `n`, chosen at random, ascending.
pub(crate) fn choose(count: usize, n: usize, rng: &mut Xoshiro256PlusPlus) -> Vec<usize> {
    let mut lots: Vec<(u64, usize)> = (0..n).map(|i| (rng.next_u64(), i)).collect();
    lots.sort_unstable();
    let mut chosen: Vec<usize> = lots.into_iter().take(count).map(|(_, i)| i).collect();
    chosen.sort_unstable();
    chosen
}
