//! What the command lines and the reports of the two examples share: which sampler, which rows
//! of the network it asked for, and what it cost.

mod batch;
mod options;
mod planned;
mod tally;

pub(crate) use batch::{Batch, count, exact};
pub(crate) use options::{Options, Rule, parse_fraction, parse_temperature};
pub(crate) use planned::Planned;
pub(crate) use tally::{HEADING, LEGEND, Tally};

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

/// `count` of the numbers below `n`, chosen at random and in random order.
pub(crate) fn choose(count: usize, n: usize, rng: &mut Xoshiro256PlusPlus) -> Vec<usize> {
    let mut lots: Vec<(u64, usize)> = (0..n).map(|i| (rng.next_u64(), i)).collect();
    lots.sort_unstable();
    lots.into_iter().take(count).map(|(_, i)| i).collect()
}
