//! Random order: a uniformly random subset of a given size.

use crate::rng::below;
use rand_xoshiro::Xoshiro256PlusPlus;

/// A uniform subset of `size` among `masked`, of which there are `count`.
///
/// Selection sampling (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S): each
/// position is taken with probability (still wanted) / (still to come), which needs no memory and
/// keeps the order.
pub(crate) fn choose(
    masked: impl Iterator<Item = u32>,
    count: u32,
    size: u32,
    rng: &mut Xoshiro256PlusPlus,
) -> impl Iterator<Item = u32> {
    let (mut to_come, mut wanted) = (count, size);
    masked.filter(move |_| {
        if wanted == 0 {
            return false;
        }
        let taken = below(rng, to_come) < wanted;
        to_come -= 1;
        wanted -= u32::from(taken);
        taken
    })
}
