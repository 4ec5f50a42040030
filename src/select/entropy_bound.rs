//! Entropy bound: the surest positions whose entropies together stay within a bound, which bounds the
//! error of drawing them independently (EB-Sampler, Ben-Hamu et al., arXiv 2505.24857;
//! DiffusionGemma).

use super::Candidate;

/// Moves the positions to be revealed to the front; returns how many there are.
///
/// As many of the surest as have Σ H − max H ≤ `bound`, at least one; if `inclusive`, Σ H ≤ `bound`
/// (SDAR, JetEngine).
pub(crate) fn choose(candidates: &mut [Candidate], bound: f64, inclusive: bool) -> usize {
    candidates.sort_unstable_by(Candidate::rank);
    let (mut sum, mut max) = (0.0, 0.0f64);
    let within = |c: &&Candidate| {
        sum += c.entropy;
        max = max.max(c.entropy);
        (if inclusive { sum } else { sum - max }) <= bound
    };
    let count = candidates.iter().take_while(within).count();
    count.max(usize::from(!candidates.is_empty()))
}
