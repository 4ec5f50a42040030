//! By row: a position's own row says how likely it is to move. The token is drawn only if it does.

use crate::rng::{Key, Purpose, threshold};
use rand_xoshiro::rand_core::Rng;

/// Whether the position with this key moves, which it does with probability `p`, to 64 bits.
pub(crate) fn moves(p: f64, key: Key, purpose: Purpose) -> bool {
    let word = key.generator(purpose).next_u64();
    threshold(p).is_none_or(|threshold| word < threshold)
}
