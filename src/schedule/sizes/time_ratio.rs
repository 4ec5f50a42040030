//! Sizes in proportion to time: ⌊n·(1 − s/t)⌋ of n masks in the step from t to s (Dream, Ye et al.,
//! arXiv 2508.15487).

use crate::error::Error;

/// Refuses an end that is no time before 1.
pub(super) fn check(end: f64) -> Result<(), Error> {
    if (0.0..1.0).contains(&end) {
        return Ok(());
    }
    let (name, expected) = ("schedule.sizes.end", "at least 0 and below 1");
    Err(Error::Argument { name, value: end, expected })
}

/// The size of a step, whose times fall from 1 to `end` in equal steps; the last takes all.
pub(super) fn size(left: u32, step: u32, steps: u32, end: f64) -> u32 {
    if step + 1 >= steps {
        return left;
    }
    let time = |step: u32| 1.0 - f64::from(step) * (1.0 - end) / f64::from(steps);
    (f64::from(left) * (1.0 - time(step + 1) / time(step))) as u32
}
