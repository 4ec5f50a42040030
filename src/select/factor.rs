//! Factor: as many positions as their own confidence allows (Fast-dLLM's factor rule, Wu et al., arXiv
//! 2505.22618).

use super::Candidate;
use crate::score::Score;

/// Moves the positions to be revealed to the front; returns how many there are.
///
/// The surest position always; and the r-th surest, r from 2, while (r + 1)·(1 − score) ≤ `factor`
/// for it and all before it.
pub(crate) fn choose(score: &Score<'_>, candidates: &mut [Candidate], factor: f64) -> usize {
    candidates.sort_unstable_by(Candidate::rank);
    // 1 − score, without rounding the score to 1 first.
    let doubt = |c: &Candidate| score.score(-c.order);
    let allowed = |&(i, c): &(usize, &Candidate)| i == 0 || (i as f64 + 2.0) * doubt(c) <= factor;
    candidates.iter().enumerate().take_while(allowed).count()
}
