//! Systematic sizes: one uniform number places all boundaries.
//!
//! Between the positions x_1 = 0 and x_(m+1) = x_m + g_m, a step ends after m revealed tokens if
//! (x_m + U, x_(m+1) + U] holds an integer, U uniform. The gap g_m, at most 1, is the probability of
//! that; the gaps sum to K − 1, so there are K steps for every U. `docs/schedules.md`, section 3,
//! proves that nothing else has better constants, and has the numbers of the equations named here.

use super::weight::{self, Weight};
use crate::error::{Error, shape};

/// 1 in the fixed point of positions: integers, so that no step is lost to rounding.
const ONE: u64 = 1 << 48;
/// The most steps whose positions fit.
const MOST_STEPS: usize = 1 << 16;

/// A table of random sizes that one uniform number decides, for one number of masks and of steps.
///
/// With the gaps of [`new`](Self::new) or [`for_weights`](Self::for_weights) these are the random
/// sizes with the least c such that E KL ≤ c·W for every law, for a complexity W such as the total
/// correlation: no rule that does not look at the data has a better constant (derived here:
/// theorem C of `docs/schedules.md`). They have the guarantee of Zhao and Cai (arXiv 2602.20126),
/// whose own law of sizes could not be read.
///
/// A table takes 8 bytes a mask. It can be shared by any number of policies and threads.
#[derive(Clone, PartialEq)]
pub struct SystematicSizes {
    steps: u32,
    constant: Option<f64>,
    /// x_1 to x_L in the fixed point.
    positions: Vec<u64>,
}

impl core::fmt::Debug for SystematicSizes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { steps, constant, .. } = self;
        f.debug_struct("SystematicSizes")
            .field("masks", &self.masks())
            .field("steps", steps)
            .field("constant", constant)
            .finish_non_exhaustive()
    }
}

impl SystematicSizes {
    /// The sizes with the best constant for `weight`, for `masks` masks in `steps` steps.
    ///
    /// ```
    /// use demask::schedule::sizes::{SystematicSizes, Weight};
    ///
    /// # fn main() -> Result<(), demask::Error> {
    /// let sizes = SystematicSizes::new(512, 32, Weight::TotalCorrelation)?;
    /// let constant = sizes.constant().expect("solved for a weight");
    /// assert!((constant - 0.066376119).abs() < 1e-9);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No masks, no steps, or more than 65,536 of both.
    pub fn new(masks: u32, steps: u32, weight: Weight) -> Result<Self, Error> {
        check_counts(masks, steps)?;
        Ok(Self::solved(masks, steps, &weight.values(masks)))
    }

    /// The sizes with the best constant for any weights w(1) to w(L − 1), L = `masks`: the least c
    /// with E KL ≤ c·Σ w(m)·d(m) for every law.
    ///
    /// # Errors
    /// As [`new`](Self::new), and weights that are not L − 1 finite numbers above 0.
    pub fn for_weights(masks: u32, steps: u32, weights: &[f64]) -> Result<Self, Error> {
        check_counts(masks, steps)?;
        weight::check(weights, masks)?;
        Ok(Self::solved(masks, steps, weights))
    }

    /// The sizes of any gaps g_1 to g_(L − 1): the probabilities that a step ends after m revealed
    /// tokens. Equal gaps of (K − 1)/(L − 1) make random sizes without preference.
    ///
    /// # Errors
    /// A gap outside 0 to 1, gaps whose sum is not within 1e-6 of an integer, or 65,536 or more.
    pub fn from_gaps(gaps: &[f64]) -> Result<Self, Error> {
        if let Some(&value) = gaps.iter().find(|gap| !(0.0..=1.0).contains(*gap)) {
            return Err(Error::Argument { name: "gap", value, expected: "from 0 to 1" });
        }
        let sum: f64 = gaps.iter().sum();
        if (sum - sum.round()).abs() > 1e-6 {
            let (name, expected) = ("sum of the gaps", "an integer, within 1e-6");
            return Err(Error::Argument { name, value: sum, expected });
        }
        let most = u32::MAX as usize - 1;
        shape(gaps.len() <= most, "gaps", gaps.len(), "at most", most)?;
        let steps = sum.round() as usize + 1;
        shape(steps <= MOST_STEPS, "steps", steps, "at most", MOST_STEPS)?;
        let gaps: Vec<u64> = gaps.iter().map(|gap| (gap * ONE as f64).round() as u64).collect();
        Ok(Self { steps: steps as u32, constant: None, positions: positions(&gaps, steps as u64) })
    }

    fn solved(masks: u32, steps: u32, weights: &[f64]) -> Self {
        let inner = masks as usize - 1;
        let (constant, gaps) = match steps {
            // One step reveals all, and the first token is the farthest from its end.
            1 => {
                let overshoot = (1..masks).rev().map(f64::from);
                let worst = overshoot.zip(weights).map(|(r, w)| r / w).fold(0.0, f64::max);
                (worst, vec![0; inner])
            }
            _ if steps >= masks => (0.0, vec![ONE; inner]),
            _ => solve(weights, steps),
        };
        let fixed = positions(&gaps, u64::from(steps.min(masks)));
        Self { steps, constant: Some(constant), positions: fixed }
    }

    /// The number of masks of a segment that these sizes are for.
    #[must_use]
    pub fn masks(&self) -> u32 {
        self.positions.len() as u32
    }

    /// The number of steps of a policy that these sizes are for.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// The least c with E KL ≤ c·W for every law, of tables that were solved for a weight; an equality
    /// for [`Weight::TotalCorrelation`].
    #[must_use]
    pub fn constant(&self) -> Option<f64> {
        self.constant
    }

    /// g_1 to g_(L − 1), the probability that a step ends after m revealed tokens.
    pub fn gaps(&self) -> impl ExactSizeIterator<Item = f64> {
        self.positions.windows(2).map(|ends| (ends[1] - ends[0]) as f64 / ONE as f64)
    }

    /// How many positions are revealed after step `step`, for a uniform `word`.
    pub(super) fn revealed(&self, step: u32, word: u64) -> u32 {
        let masks = self.masks();
        let steps = self.steps.min(masks);
        if step + 1 >= steps {
            return masks;
        }
        // j − U for j = step + 1, with U = (word's upper 48 bits)/2^48 in [0, 1).
        let threshold = u64::from(step + 1) * ONE - (word >> 16);
        self.positions.partition_point(|&position| position < threshold) as u32
    }

    /// E R(m) for m below the masks, equation (6).
    pub(super) fn overshoot(&self) -> Vec<f64> {
        let x = &self.positions;
        let sums: Vec<u128> = x
            .iter()
            .scan(0, |sum, &position| {
                *sum += u128::from(position);
                Some(*sum)
            })
            .collect();
        let mut end = 0;
        let mut overshoot = vec![0.0; x.len()];
        for m in 0..x.len() {
            // The last position less than 1 away.
            while end + 1 < x.len() && x[end + 1] - x[m] < ONE {
                end += 1;
            }
            let terms = (end - m) as u128 * u128::from(ONE + x[m]);
            // Position m, counted from 0, is x_(m+1): that of m + 1 revealed tokens.
            let exact = terms - (sums[end] - sums[m]);
            if let Some(place) = overshoot.get_mut(m + 1) {
                *place = exact as f64 / ONE as f64;
            }
        }
        overshoot
    }
}

fn check_counts(masks: u32, steps: u32) -> Result<(), Error> {
    shape(masks > 0, "masks", 0, "at least", 1)?;
    shape(steps > 0, "steps", 0, "at least", 1)?;
    let used = steps.min(masks) as usize;
    shape(used <= MOST_STEPS, "steps", used, "at most", MOST_STEPS)
}

/// x_1 to x_L for gaps that sum to `steps − 1` but for rounding, in the fixed point: the sum is exact,
/// and neighbours are at most 1 apart.
fn positions(gaps: &[u64], steps: u64) -> Vec<u64> {
    let last = u128::from((steps - 1) * ONE);
    let total: u128 = gaps.iter().map(|&gap| u128::from(gap)).sum();
    let mut x = Vec::with_capacity(gaps.len() + 1);
    let mut sum = 0u128;
    x.push(0);
    for &gap in gaps {
        sum += u128::from(gap);
        x.push((sum * last / total.max(1)) as u64);
    }
    let mut next = last as u64;
    for position in x.iter_mut().rev() {
        *position = (*position).max(next.saturating_sub(ONE));
        next = *position;
    }
    x
}

/// The gaps of least constant that sum to at most `steps − 1`, with `steps` from 2 to the number of
/// weights, and that constant: the sum falls continuously in the constant, but for the fixed point,
/// so it is found by bisection.
fn solve(weights: &[f64], steps: u32) -> (f64, Vec<u64>) {
    let masks = weights.len() + 1;
    let wanted = u128::from(steps - 1) * u128::from(ONE);
    let mut gaps = vec![0; weights.len()];
    let mut ends = vec![0; masks + 1];
    let mut low = 0.0;
    let farthest = (1..masks).map(|m| (masks - m) as f64 / weights[m - 1]);
    let mut high = farthest.fold(0.0, f64::max);
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        fill_gaps(weights, middle, &mut gaps, &mut ends);
        if ends[1] > wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    fill_gaps(weights, high, &mut gaps, &mut ends);
    (high, gaps)
}

/// The smallest gaps with E R(m) ≤ `constant`·w(m), from the last to the first. `ends[m]` becomes
/// g_m + … + g_(L−1). In the fixed point, for errors of one E R would add up in those before it.
fn fill_gaps(weights: &[f64], constant: f64, gaps: &mut [u64], ends: &mut [u128]) {
    let masks = weights.len() + 1;
    let one = u128::from(ONE);
    ends[masks] = 0;
    // E R(m + 1), and how many of its terms are positive.
    let (mut after, mut terms) = (0, 0);
    for m in (1..masks).rev() {
        // With g_m = 0: one more term, which is 1, in front of those of m + 1.
        let mut overshoot = one + after;
        terms += 1;
        let bound = (constant * weights[m - 1] * ONE as f64) as u128;
        let mut gap = 0;
        if overshoot > bound {
            loop {
                gap = (overshoot - bound).div_ceil(terms as u128);
                // The last term, without g_m.
                let last = one - (ends[m + 1] - ends[m + terms]);
                if gap <= last || terms == 1 {
                    break;
                }
                overshoot -= last;
                terms -= 1;
            }
        }
        after = overshoot - gap * terms as u128;
        gaps[m - 1] = gap as u64;
        ends[m] = ends[m + 1] + gap;
    }
}
