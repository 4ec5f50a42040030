//! How good a schedule of sizes is: the expected divergence that it adds, exactly.

use super::weight;
use super::{Profile, Sizes, Weight};
use crate::error::{Error, shape};

/// E R(m) of a schedule of sizes: R(m) = N(m) − m, where N(m) is the first boundary of a step at or
/// after m revealed tokens. A schedule with random positions is judged through these numbers alone.
///
/// For a law of a given profile, decoded with its exact conditionals, the divergence of the law from
/// what is drawn with one partition into steps, averaged over partitions, is E KL = Σ d(m)·E R(m)
/// (Chen, Cong and Li, arXiv 2511.04647, theorem 4, in another order; `docs/schedules.md`, section
/// 1). A network's own errors add to it. The law of the output, a mixture over partitions, is at
/// most as far away, and often much nearer.
#[derive(Clone, Debug, PartialEq)]
pub struct Overshoot {
    /// E R(0), which is 0, to E R(L − 1).
    values: Vec<f64>,
}

impl Overshoot {
    /// Of a rule for `masks` masks in `steps` steps, exactly (up to rounding). Expected, binomial and κ
    /// sizes are those of [`Noise::Linear`](crate::Noise::Linear) from time 1 to 0.
    ///
    /// # Errors
    /// No masks, no steps, or what [`Sizes::check`] refuses.
    pub fn new(sizes: Sizes<'_>, masks: u32, steps: u32) -> Result<Self, Error> {
        shape(masks > 0, "masks", 0, "at least", 1)?;
        sizes.check(masks, steps)?;
        let values = match sizes {
            Sizes::Markov(table) => table.overshoot(masks, steps, false),
            Sizes::MarkovReversed(table) => table.overshoot(masks, steps, true),
            Sizes::Systematic(table) => table.overshoot(),
            // Uniformly random positions make these the sizes of Bernoulli selection.
            Sizes::Binomial => {
                let times: Vec<f64> =
                    (1..=steps).map(|step| f64::from(step) / f64::from(steps)).collect();
                return Self::bernoulli(masks, &times);
            }
            Sizes::Even
            | Sizes::EvenReversed
            | Sizes::Fixed(_)
            | Sizes::TimeRatio { .. }
            | Sizes::Expected
            | Sizes::Kappa
            | Sizes::Mask(..)
            | Sizes::List(_) => {
                let mut values = vec![0.0; masks as usize];
                let mut left = masks;
                for step in 0..steps {
                    let size = sizes.size(masks, left, step, steps, crate::Key::default());
                    let from = (masks - left) as usize;
                    // Nothing is over at the beginning of a step.
                    for offset in 1..size as usize {
                        values[from + offset] = (size as usize - offset) as f64;
                    }
                    left -= size;
                }
                values
            }
        };
        Ok(Self { values })
    }

    /// Of Bernoulli selection on a grid of times, the sizes that [`Select::Bernoulli`] makes with
    /// [`Noise::Linear`] and ancestral or Euler steps: a masked token is revealed between the fractions
    /// s and t of revealed tokens with probability (t − s)/(1 − s). `times` are these fractions at
    /// the ends of the steps, rising from above 0 to 1. Steps may be empty.
    ///
    /// E R(m) = L − m − L·Σ (t − s)·P(N ≥ m), N binomial with L − 1 trials of probability s (derived
    /// here: `docs/schedules.md`, section 4).
    ///
    /// [`Select::Bernoulli`]: crate::Select::Bernoulli
    /// [`Noise::Linear`]: crate::Noise::Linear
    ///
    /// # Errors
    /// No masks, no times, times that do not rise from above 0 or do not end at 1.
    pub fn bernoulli(masks: u32, times: &[f64]) -> Result<Self, Error> {
        shape(masks > 0, "masks", 0, "at least", 1)?;
        shape(!times.is_empty(), "times", 0, "at least", 1)?;
        let argument = |value, expected| Err(Error::Argument { name: "time", value, expected });
        let mut before = 0.0;
        for &time in times {
            if time.is_nan() || time <= before {
                return argument(time, "above 0 and above the time before it");
            }
            before = time;
        }
        if before != 1.0 {
            return argument(before, "1 at the end");
        }
        let total = masks as usize;
        let mut values: Vec<f64> = (0..total).map(|m| (total - m) as f64).collect();
        values[0] = 0.0;
        for ends in times.windows(2) {
            let (from, width) = (ends[0], ends[1] - ends[0]);
            let mut above = 0.0;
            for m in (1..total).rev() {
                above += binomial(total - 1, m, from);
                values[m] -= total as f64 * width * above;
            }
        }
        for value in &mut values {
            *value = value.max(0.0);
        }
        Ok(Self { values })
    }

    /// E R(m) for m from 0, where it is 0, to L − 1.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// E KL of laws with this profile, in nats.
    ///
    /// # Errors
    /// A profile of another number of masks.
    pub fn expected_kl(&self, profile: &Profile) -> Result<f64, Error> {
        let (given, wanted) = (profile.values().len(), self.values.len());
        shape(given == wanted, "profile values", given, "as many as the masks,", wanted)?;
        Ok(profile.drops().zip(&self.values[1..]).map(|(drop, over)| drop * over).sum())
    }

    /// The least c with E KL ≤ c·W for every law: max E R(m)/w(m). Maximum distance separable codes
    /// of dimension m reach it (derived here: `docs/schedules.md`, section 3).
    #[must_use]
    pub fn constant(&self, weight: Weight) -> f64 {
        self.worst(&weight.values(self.values.len() as u32))
    }

    /// As [`constant`](Self::constant), for any weights w(1) to w(L − 1).
    ///
    /// # Errors
    /// Weights that are not L − 1 finite numbers above 0.
    pub fn constant_for(&self, weights: &[f64]) -> Result<f64, Error> {
        weight::check(weights, self.values.len() as u32)?;
        Ok(self.worst(weights))
    }

    fn worst(&self, weights: &[f64]) -> f64 {
        self.values[1..].iter().zip(weights).map(|(over, w)| over / w).fold(0.0, f64::max)
    }
}

/// The probability of `hits` among `trials` of probability `p`, strictly between 0 and 1.
fn binomial(trials: usize, hits: usize, p: f64) -> f64 {
    let ways = |n: usize| libm::lgamma(n as f64 + 1.0);
    let misses = trials - hits;
    let log = ways(trials) - ways(hits) - ways(misses)
        + hits as f64 * libm::log(p)
        + misses as f64 * libm::log1p(-p);
    libm::exp(log)
}
