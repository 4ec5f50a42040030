//! The information profile of a model, from its log-probabilities of known tokens.

use super::Profile;
use crate::error::{Error, shape};

/// Estimates f(m), the mean of −ln p(x_i | x_S) over samples x, random sets S of m tokens and other
/// tokens i (Lavenant and Zanella, arXiv 2510.25544; one network call with the tokens of S revealed
/// gives every i).
///
/// It is fed by observations: network calls, each with log-probabilities of the true tokens of
/// masked positions ([`RowStatistics::given_log_probability`](crate::RowStatistics)). Those of one
/// call depend on each other, so their mean counts once, and the standard error is over calls.
///
/// ```
/// use demask::schedule::sizes::{ProfileEstimator, SizeList};
///
/// # fn main() -> Result<(), demask::Error> {
/// // Two calls with nothing revealed, and one with 2 of 4 tokens.
/// let mut estimator = ProfileEstimator::new(4)?;
/// estimator.observe(0, [-0.75, -0.5, -0.75, -0.5])?;
/// estimator.observe(0, [-0.875, -0.875])?;
/// estimator.observe(2, [-0.25, -0.125])?;
/// assert_eq!(estimator.mean(0), Some(0.75));
/// assert_eq!(estimator.standard_error(0), Some(0.125));
/// let profile = estimator.profile()?;
/// assert_eq!(profile.values(), [0.75, 0.46875, 0.1875, 0.1875]);
/// let sizes = SizeList::optimal(&profile, 2)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileEstimator {
    cells: Vec<Cell>,
}

/// The observations with one number of revealed tokens (Welford's running moments).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cell {
    count: u64,
    mean: f64,
    /// Σ (value − mean)².
    squares: f64,
}

impl ProfileEstimator {
    /// For laws on `masks` tokens; nothing is observed yet.
    ///
    /// # Errors
    /// No masks.
    pub fn new(masks: u32) -> Result<Self, Error> {
        shape(masks > 0, "masks", 0, "at least", 1)?;
        Ok(Self { cells: vec![Cell::default(); masks as usize] })
    }

    /// Adds one network call with `revealed` tokens revealed at random: the log-probabilities, in
    /// nats, of the true tokens of masked positions (all of them, or a random choice).
    ///
    /// # Errors
    /// No masked position with so many revealed, no log-probability, or one that is not a finite
    /// number of at most 1e-5 (0 but for rounding). Nothing is added then.
    pub fn observe<I>(&mut self, revealed: u32, log_probabilities: I) -> Result<(), Error>
    where
        I: IntoIterator<Item = f64>,
    {
        let masks = self.cells.len();
        shape((revealed as usize) < masks, "revealed", revealed as usize, "below", masks)?;
        let (mut count, mut sum) = (0u32, 0.0);
        for value in log_probabilities {
            if !(value <= 1e-5 && value.is_finite()) {
                let (name, expected) = ("log-probability", "finite and at most 0");
                return Err(Error::Argument { name, value, expected });
            }
            count += 1;
            sum -= value;
        }
        shape(count > 0, "log-probabilities", 0, "at least", 1)?;
        let cell = &mut self.cells[revealed as usize];
        cell.count += 1;
        let value = sum / f64::from(count);
        let apart = value - cell.mean;
        cell.mean += apart / cell.count as f64;
        cell.squares += apart * (value - cell.mean);
        Ok(())
    }

    /// How many calls were observed with `revealed` tokens revealed.
    #[must_use]
    pub fn observations(&self, revealed: u32) -> u64 {
        self.cells.get(revealed as usize).map_or(0, |cell| cell.count)
    }

    /// The mean with `revealed` tokens revealed, as it was observed; `None` if nothing was.
    #[must_use]
    pub fn mean(&self, revealed: u32) -> Option<f64> {
        self.cells.get(revealed as usize).filter(|cell| cell.count > 0).map(|cell| cell.mean)
    }

    /// The standard error of that mean; `None` below two observations.
    #[must_use]
    pub fn standard_error(&self, revealed: u32) -> Option<f64> {
        let cell = self.cells.get(revealed as usize).filter(|cell| cell.count > 1)?;
        let count = cell.count as f64;
        Some(libm::sqrt(cell.squares / (count - 1.0) / count))
    }

    /// The profile: the nearest one that never rises, each mean weighted by its observations, with
    /// straight lines between the numbers that were observed and level beyond the outer ones.
    ///
    /// # Errors
    /// Nothing was observed.
    pub fn profile(&self) -> Result<Profile, Error> {
        let observed: Vec<usize> =
            (0..self.cells.len()).filter(|&m| self.cells[m].count > 0).collect();
        shape(!observed.is_empty(), "observations", 0, "at least", 1)?;
        let means: Vec<f64> = observed.iter().map(|&m| self.cells[m].mean).collect();
        let weights: Vec<f64> = observed.iter().map(|&m| self.cells[m].count as f64).collect();
        let fitted = Profile::isotonic(&means, &weights)?;
        let fitted = fitted.values();
        let value = |m: usize| {
            let right = observed.partition_point(|&at| at < m);
            match (right.checked_sub(1), observed.get(right)) {
                (_, Some(&at)) if at == m => fitted[right],
                (Some(left), Some(&to)) => {
                    let from = observed[left];
                    let share = (m - from) as f64 / (to - from) as f64;
                    fitted[left] + (fitted[right] - fitted[left]) * share
                }
                (Some(left), None) => fitted[left],
                (None, _) => fitted[0],
            }
        };
        Profile::new(&(0..self.cells.len()).map(value).collect::<Vec<_>>())
    }
}
