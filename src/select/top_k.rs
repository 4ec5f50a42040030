//! Top-k: the positions of the highest scores, as many as the sizes say (LLaDA's low confidence,
//! Dream, MaskGIT).

use super::Candidate;

/// Moves the `size` surest to the front, in any order; returns how many there are.
pub(crate) fn choose(candidates: &mut [Candidate], size: usize) -> usize {
    if size < candidates.len() {
        candidates.select_nth_unstable_by(size, Candidate::rank);
    }
    size.min(candidates.len())
}

/// Adds the surest to the first `chosen`, up to `size` of them; returns how many are at the front.
pub(crate) fn fill(candidates: &mut [Candidate], chosen: usize, size: usize) -> usize {
    chosen + choose(&mut candidates[chosen..], size.saturating_sub(chosen))
}
