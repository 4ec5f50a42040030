//! Prefix: the longest run of positions from the left that are sure enough (Diffulex's DMax).

use super::Candidate;

/// Returns how many of the first candidates, which come in ascending order, have scores that reach
/// the bar: at least one.
pub(crate) fn choose(candidates: &[Candidate], bar: f64) -> usize {
    let count = candidates.iter().take_while(|c| c.order >= bar).count();
    count.max(usize::from(!candidates.is_empty()))
}
