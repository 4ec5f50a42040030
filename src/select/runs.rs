//! Runs: one position in every run of masks, so that the sequence is divided again and again (dInfer's
//! hierarchy rule, Ma et al., arXiv 2510.08666).

use super::candidate::to_front;
use super::{Candidate, top_k};

/// Moves the positions to be revealed to the front; returns how many there are. Candidates come in
/// ascending order.
///
/// Of every maximal run of neighbouring positions the surest, if its score exceeds `low`; every
/// position whose score exceeds `high`; and the surest of all if that would be none.
pub(crate) fn choose(candidates: &mut [Candidate], low: f64, high: f64) -> usize {
    let mut begin = 0;
    for i in 0..candidates.len() {
        let ends = candidates.get(i + 1).is_none_or(|next| next.at != candidates[i].at + 1);
        if ends {
            let run = &mut candidates[begin..=i];
            let best = run.iter().min_by(|a, b| a.rank(b)).map(|best| best.at);
            for candidate in run {
                let bar = if Some(candidate.at) == best { low.min(high) } else { high };
                candidate.chosen = candidate.order > bar;
            }
            begin = i + 1;
        }
    }
    match to_front(candidates, |c| c.chosen) {
        0 => top_k::choose(candidates, 1),
        count => count,
    }
}
