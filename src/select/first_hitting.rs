//! First-hitting: the next position, uniform among the masked ones (Zheng et al.,
//! arXiv 2409.02908, section 4.1).

use crate::rng::below;
use rand_xoshiro::Xoshiro256PlusPlus;

/// One of `masked`, of which there are `count` (at least 1).
pub(crate) fn choose(
    mut masked: impl Iterator<Item = u32>,
    count: u32,
    rng: &mut Xoshiro256PlusPlus,
) -> Option<u32> {
    masked.nth(below(rng, count) as usize)
}
