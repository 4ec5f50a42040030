//! The square-root rule: sizes for many masks a step, from the information profile.

use super::{Profile, SizeList};
use crate::error::{Error, shape};

impl SizeList {
    /// Steps that end at equal parts of Σ √d(m), where d are the drops of the profile: the best sizes
    /// in the limit of many masks a step (Lavenant and Zanella, arXiv 2510.25544), where E KL is near
    /// (Σ √d(m))²/(2K). No step is empty. Where the profile is level all the way, sizes are even.
    ///
    /// # Errors
    /// No steps, or more than the masks of the profile.
    pub fn square_root(profile: &Profile, steps: u32) -> Result<Self, Error> {
        let masks = profile.masks();
        check_steps(masks, steps)?;
        let mut sums = vec![0.0; masks as usize];
        for (m, drop) in profile.drops().enumerate() {
            sums[m + 1] = sums[m] + libm::sqrt(drop);
        }
        let whole = sums[masks as usize - 1];
        let mut boundaries = Vec::with_capacity(steps as usize);
        let mut before = 0;
        for k in 1..=steps {
            let part = f64::from(k) / f64::from(steps);
            let boundary = if k == steps {
                masks
            } else if whole > 0.0 {
                sums.partition_point(|&sum| sum < part * whole) as u32
            } else {
                libm::ceil(part * f64::from(masks)) as u32
            };
            before = boundary.max(before + 1).min(masks - (steps - k));
            boundaries.push(before);
        }
        Ok(Self::from_boundaries(boundaries))
    }
}

/// Refuses numbers of steps for which a step would be empty.
pub(super) fn check_steps(masks: u32, steps: u32) -> Result<(), Error> {
    shape(steps > 0, "steps", 0, "at least", 1)?;
    shape(steps <= masks, "steps", steps as usize, "at most the masks,", masks as usize)
}
