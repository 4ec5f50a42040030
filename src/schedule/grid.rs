//! Time grids: at which times the steps of a policy begin.

use crate::error::{Error, shape};
use libm::{ceil, pow};

/// How a time grid falls from the start of a [`Schedule`](crate::policy::Schedule) to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Grid<'a> {
    /// Steps of one width.
    #[default]
    Uniform,
    /// Steps of width `fraction`·min(1, t) from time t: constant, then shrinking exponentially with
    /// the time that is left, until the end is reached, where the grid stays (Liang et al.,
    /// arXiv 2506.02318, theorem 1). Only an end above 0 is reached by a fraction below 1.
    ///
    /// [`Grid::decaying`] finds the fraction for a number of steps.
    Decaying {
        /// Above 0 and at most 1.
        fraction: f64,
    },
    /// Any times.
    Times(&'a TimeGrid),
}

impl Grid<'_> {
    /// The decaying grid that goes from `start` to `end` in `steps` steps, the last of which ends
    /// there to the last bits: [`Grid::Decaying`], its fraction found here by bisection.
    ///
    /// ```
    /// use demask::schedule::Grid;
    /// use demask::{Noise, Policy};
    ///
    /// let mut policy = Policy::euler(Noise::UnitRate, 32);
    /// (policy.schedule.start, policy.schedule.end) = (8.0, 1e-3);
    /// policy.schedule.grid = Grid::decaying(8.0, 1e-3, 32)?;
    /// assert!((policy.grid_time(31) / policy.grid_time(32) - 1.637).abs() < 1e-3);
    /// # Ok::<(), demask::Error>(())
    /// ```
    ///
    /// # Errors
    /// `start` not finite or not above `end`, `end` not above 0, or too few steps: each goes down by
    /// 1 at most.
    pub fn decaying(start: f64, end: f64, steps: u32) -> Result<Self, Error> {
        let refuse = |name, value, expected| Err(Error::Argument { name, value, expected });
        if !(end > 0.0 && end.is_finite()) {
            return refuse("end", end, "finite and above 0");
        }
        if !(start > end && start.is_finite()) {
            return refuse("start", start, "finite and above the end");
        }
        let last = |fraction| decayed(start, fraction, steps);
        if last(1.0) > end {
            let expected = "at least the time from start to end, in ones";
            return refuse("steps", steps.into(), expected);
        }
        // The last time falls as the fraction grows.
        let (mut low, mut high) = (0.0, 1.0);
        loop {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high {
                return Ok(Self::Decaying { fraction: high });
            }
            if last(middle) > end {
                low = middle;
            } else {
                high = middle;
            }
        }
    }

    /// The time at the beginning of step `step` of `steps` steps from `start` to `end`.
    ///
    /// The last step of a uniform grid that ends at 0 then starts at exactly its own width.
    pub(crate) fn time(self, (start, end): (f64, f64), steps: u32, step: u32) -> f64 {
        match self {
            // Rounded, the sum of the end and the whole width may lie on either side of the start.
            Self::Uniform if step == 0 => start,
            Self::Uniform => {
                let left = f64::from(steps.saturating_sub(step)) / f64::from(steps);
                (end + (start - end) * left).min(start)
            }
            Self::Decaying { fraction } => decayed(start, fraction, step.min(steps)).max(end),
            Self::Times(grid) => grid.times[(step.min(steps) as usize).min(grid.times.len() - 1)],
        }
    }

    /// Checks what there is to check beside the start, the end and the number of steps alone.
    pub(crate) fn check(self, (start, end): (f64, f64), steps: u32) -> Result<(), Error> {
        let refuse = |name, value, expected| Err(Error::Argument { name, value, expected });
        match self {
            Self::Uniform => Ok(()),
            Self::Decaying { fraction } => match fraction > 0.0 && fraction <= 1.0 {
                true => Ok(()),
                false => refuse("schedule.grid.fraction", fraction, "above 0 and at most 1"),
            },
            Self::Times(grid) => {
                let (own, given) = (grid.steps() as usize, steps as usize);
                shape(own == given, "schedule.steps", given, "those of its grid,", own)?;
                if start != grid.start() {
                    return refuse("schedule.start", start, "the first time of its grid");
                }
                if end != grid.end() {
                    return refuse("schedule.end", end, "the last time of its grid");
                }
                Ok(())
            }
        }
    }
}

/// The time after `step` steps of width fraction·min(1, t) from `start`.
fn decayed(start: f64, fraction: f64, step: u32) -> f64 {
    let constant = if start > 1.0 { ceil((start - 1.0) / fraction) } else { 0.0 };
    let step = f64::from(step);
    if step <= constant {
        return start - fraction * step;
    }
    (start - fraction * constant) * pow(1.0 - fraction, step - constant)
}

/// Times of the caller; no rule of a paper.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeGrid {
    times: Vec<f64>,
}

impl TimeGrid {
    /// The grid whose step k goes from `times[k]` to `times[k + 1]`: two times or more, none above
    /// the one before, the first finite, the last at least 0 and below the first. In a step between
    /// equal times nothing is revealed but what remasking makes up for.
    ///
    /// [`Policy::on_times`](crate::Policy::on_times) makes a policy use it.
    ///
    /// # Errors
    /// Fewer than two times, or more than 2^31; the first time that is out of range or order, by
    /// index.
    pub fn new(times: &[f64]) -> Result<Self, Error> {
        shape(times.len() >= 2, "times", times.len(), "at least", 2)?;
        shape(times.len() <= 1 << 31, "times", times.len(), "at most", 1 << 31)?;
        let mut before = f64::INFINITY;
        for (index, &value) in times.iter().enumerate() {
            let falls = value <= before && (index + 1 < times.len() || value < times[0]);
            if !((0.0..f64::INFINITY).contains(&value) && falls) {
                let expected = "at least 0, finite and not above the one before it";
                return Err(Error::Entry { name: "time", index, value, expected });
            }
            before = value;
        }
        Ok(Self { times: times.to_vec() })
    }

    /// The times of ReMDM-loop in `steps` steps, at least 2, for [`Noise::Linear`](crate::Noise::Linear)
    /// (Wang et al., arXiv 2503.00307): of a clock that falls evenly from 1 to 0, α rises to `alpha_on`
    /// until the clock shows `on`, stays there until it shows `off`, and then rises to 1. Theirs are
    /// 0.55, 0.05 and 0.9.
    ///
    /// # Errors
    /// Fewer steps, or 2^31 or more; not 0 < `off` < `on` < 1, or `alpha_on` not between 0 and 1.
    pub fn remdm_loop(steps: u32, on: f64, off: f64, alpha_on: f64) -> Result<Self, Error> {
        let refuse = |name, value, expected| Err(Error::Argument { name, value, expected });
        if steps < 2 {
            return refuse("steps", steps.into(), "at least 2");
        }
        shape(steps < 1 << 31, "steps", steps as usize, "below", 1 << 31)?;
        if !(on > 0.0 && on < 1.0) {
            return refuse("on", on, "above 0 and below 1");
        }
        if !(off > 0.0 && off < on) {
            return refuse("off", off, "above 0 and below on");
        }
        if !(alpha_on > 0.0 && alpha_on < 1.0) {
            return refuse("alpha_on", alpha_on, "above 0 and below 1");
        }
        let stay = 1.0 - alpha_on;
        let time = |step: u32| {
            let clock = f64::from(steps - step) / f64::from(steps);
            // Rounding may not lead past the times that stay.
            if clock > on {
                (1.0 - (1.0 - clock) * alpha_on / (1.0 - on)).max(stay)
            } else if clock > off {
                stay
            } else {
                (clock * stay / off).min(stay)
            }
        };
        let times: Vec<f64> = (0..=steps).map(time).collect();
        Self::new(&times)
    }

    /// Where the grid first stays, and the next time below; `None` if it falls throughout.
    pub(crate) fn plateau(&self) -> Option<(f64, f64)> {
        let stay = self.times.windows(2).find(|pair| pair[0] == pair[1])?[0];
        let below = self.times.iter().copied().find(|&time| time < stay);
        Some((stay, below.unwrap_or(0.0)))
    }

    /// The number of steps: one less than there are times.
    #[must_use]
    pub fn steps(&self) -> u32 {
        (self.times.len() - 1) as u32
    }

    /// The first and largest time.
    #[must_use]
    pub fn start(&self) -> f64 {
        self.times[0]
    }

    /// The last and smallest time.
    #[must_use]
    pub fn end(&self) -> f64 {
        self.times[self.times.len() - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::{Grid, TimeGrid, decayed};

    #[test]
    fn closed_forms_are_what_steps_lead_to() {
        for start in [0.3, 1.0, 1.7, 8.0, 16.0] {
            for fraction in [0.01, 0.389_208_279_647, 0.5, 1.0] {
                let mut time: f64 = start;
                for step in 0..60 {
                    let closed = decayed(start, fraction, step);
                    assert!((closed - time).abs() <= 1e-13 * start, "{start}, {fraction}: {step}");
                    time -= fraction * time.min(1.0);
                }
            }
        }
    }

    #[test]
    fn a_decaying_grid_ends_where_it_is_to() {
        for (start, end, steps) in
            [(8.0, 1e-3, 32), (1.0, 1e-5, 7), (0.5, 0.4, 1), (16.0, 1e-9, 999)]
        {
            let grid = Grid::decaying(start, end, steps).expect("a grid");
            let time = |step| grid.time((start, end), steps, step);
            assert_eq!(time(0), start);
            assert!((time(steps) / end - 1.0).abs() < 1e-12, "{} for {end}", time(steps));
            assert!((0..steps).all(|step| time(step) > time(step + 1)), "it falls");
            assert_eq!(time(steps + 1), time(steps));
        }
        let Ok(Grid::Decaying { fraction }) = Grid::decaying(8.0, 1e-3, 32) else {
            panic!("a decaying grid");
        };
        assert!((fraction - 0.389_208_279_647).abs() < 1e-12, "{fraction}");
        for (start, end, steps) in
            [(8.0, 1e-3, 7), (1.0, 0.0, 9), (1.0, 1.0, 9), (f64::INFINITY, 1.0, 9), (1.0, 0.1, 0)]
        {
            assert!(Grid::decaying(start, end, steps).is_err(), "{start} to {end} in {steps}");
        }
    }

    #[test]
    fn a_loop_falls_where_its_clock_meets_its_parameters() {
        for steps in (2..=60).chain([1000, 1024]) {
            for on in [0.3, 0.5, 0.55, 0.9] {
                for off in [0.01, 0.05, 0.1, 0.2] {
                    for alpha_on in [0.5, 0.6, 0.7, 0.9] {
                        let grid = TimeGrid::remdm_loop(steps, on, off, alpha_on);
                        let grid = grid.unwrap_or_else(|error| {
                            panic!("{steps} steps, {on}, {off}, {alpha_on}: {error}")
                        });
                        assert_eq!((grid.start(), grid.end(), grid.steps()), (1.0, 0.0, steps));
                    }
                }
            }
        }
    }

    #[test]
    fn times_are_checked() {
        let grid = TimeGrid::new(&[3.0, 1.0, 0.0]).expect("a grid");
        assert_eq!((grid.start(), grid.end(), grid.steps()), (3.0, 0.0, 2));
        let inf = f64::INFINITY;
        for times in [&[][..], &[1.0], &[1.0, 1.0], &[1.0, 2.0], &[inf, 1.0], &[1.0, -0.5]] {
            assert!(TimeGrid::new(times).is_err(), "{times:?}");
        }
        assert!(TimeGrid::new(&[1.0, f64::NAN]).is_err());
    }
}
