//! A list whose steps grow with the odds of being revealed (Wainwright, "The data geometry of
//! masking diffusion", August 2026: the schedule of a single block).

use super::SizeList;
use crate::error::{Error, shape};

/// ln(ψ(j/L)), where ψ(t) = t/(1 − t) are the odds that a token is revealed when j of L are.
fn log_odds(revealed: u32, masks: u32) -> f64 {
    libm::log(f64::from(revealed) / f64::from(masks - revealed))
}

impl SizeList {
    /// One token, at most `blocks` steps between which the odds of being revealed grow by the same
    /// factor at most, and one token: E KL is at most 2·H/`blocks`·ln(ψ((L − 1)/L)/ψ(2/L)) plus what
    /// lies at the ends, where H is W of
    /// [`EffectiveTotalCorrelation`](super::Weight::EffectiveTotalCorrelation) without its ends.
    /// [`SystematicSizes`](super::SystematicSizes) with that weight is its random counterpart with
    /// the best constant.
    ///
    /// # Errors
    /// Fewer than 4 masks, or fewer blocks than the logarithm above, for which the bound is not
    /// proved.
    pub fn reveal_odds(masks: u32, blocks: u32) -> Result<Self, Error> {
        shape(masks >= 4, "masks", masks as usize, "at least", 4)?;
        let last = masks - 1;
        let range = log_odds(last, masks) - log_odds(2, masks);
        let least = libm::ceil(range) as usize;
        shape(blocks as usize >= least, "blocks", blocks as usize, "at least", least)?;
        let growth = range / f64::from(blocks);
        let mut boundaries = vec![1];
        let mut from = 1;
        while from < last {
            let bound = log_odds(from + 1, masks) + growth;
            // The bound is right to a few ULP; a step may end where it holds exactly.
            let ends = |&to: &u32| log_odds(to, masks) <= bound + 1e-12;
            let odds = libm::exp(bound);
            let near = (odds / (1.0 + odds) * f64::from(masks)) as u32;
            let near = near.clamp(from + 1, last);
            from =
                [near + 1, near].into_iter().find(|to| *to <= last && ends(to)).unwrap_or(from + 1);
            boundaries.push(from);
        }
        boundaries.push(masks);
        Ok(Self::from_boundaries(boundaries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_as_long_as_the_odds_allow() {
        for masks in [4, 5, 17, 64, 512] {
            for blocks in [6, 7, 12, 40, 200] {
                let Ok(list) = SizeList::reveal_odds(masks, blocks) else {
                    let range = log_odds(masks - 1, masks) - log_odds(2, masks);
                    assert!(range > f64::from(blocks), "{masks} masks, {blocks} blocks");
                    continue;
                };
                let mut boundaries: Vec<u32> = list
                    .sizes()
                    .scan(0, |sum, size| {
                        *sum += size;
                        Some(*sum)
                    })
                    .collect();
                assert_eq!(boundaries.pop(), Some(masks));
                assert_eq!((boundaries[0], boundaries.last()), (1, Some(&(masks - 1))));
                assert!(boundaries.len() as u32 <= blocks + 1, "{masks} masks, {blocks} blocks");
                let psi = |j: u32| f64::from(j) / f64::from(masks - j);
                let rho = (psi(masks - 1) / psi(2)).powf(1.0 / f64::from(blocks)) - 1.0;
                for ends in boundaries.windows(2) {
                    let bound = (1.0 + rho) * psi(ends[0] + 1) * (1.0 + 1e-11);
                    assert!(psi(ends[1]) <= bound, "{masks} {blocks}: {ends:?}");
                    let longer = ends[1] + 1;
                    assert!(longer == masks || psi(longer) > bound, "{masks} {blocks}: {ends:?}");
                }
            }
        }
    }
}
