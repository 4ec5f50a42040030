//! First-hitting: the next positions to be hit, uniform among the masked ones (Zheng et al.,
//! arXiv 2409.02908, section 4.1, and section 4.2 for several at once).

use super::{Masked, random_order};
use crate::rng::below;
use crate::schedule::hitting;
use rand_xoshiro::Xoshiro256PlusPlus;

/// Appends `size` of `masked`, and ln(1 − α) at the hit of each to `hits`, from its present value.
pub(crate) fn choose(
    masked: &Masked<'_>,
    log_masked: f64,
    size: u32,
    rng: &mut Xoshiro256PlusPlus,
    room: &mut [u64],
    rows: &mut Vec<u32>,
    hits: &mut Vec<f64>,
) {
    let begin = hits.len();
    let (mut log_masked, mut masks) = (log_masked, masked.count());
    let size = size.min(masks);
    let mut next = |rng: &mut _| {
        log_masked = hitting::next(log_masked, masks, rng);
        masks -= 1;
        log_masked
    };
    if size > 0 {
        hits.push(next(rng));
    }
    random_order::choose(masked, size, rng, room, rows);
    hits.extend((1..size).map(|_| next(rng)));
    // Any of the chosen positions is as likely as the others to be hit first (Fisher and Yates).
    for open in (1..size).rev() {
        hits.swap(begin + open as usize, begin + below(rng, open + 1) as usize);
    }
}
