//! The information profile of a law: all that a data-independent schedule of sizes can see of it.

use super::Weight;
use crate::error::{Error, shape};

/// f(m) for m from 0 to L − 1: the entropy, in nats, of a random one of L tokens given a random set
/// of m others, which never rises with m (Chen, Cong and Li, arXiv 2511.04647; `docs/schedules.md`,
/// section 1).
///
/// f(0) is the mean entropy of a token alone, f(L − 1) that given all others. The total correlation
/// and its relatives ([`Weight`]) follow from it, and so does E KL of every schedule of sizes
/// ([`Overshoot`](super::Overshoot)).
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    values: Vec<f64>,
}

impl Profile {
    /// The profile of these values, from f(0) on.
    ///
    /// # Errors
    /// No value or 2^32 or more, a value that is not finite, one below 0 or above the one before it
    /// by more than 1e-9 (of the first one, if that is above 1): smaller errors are of rounding, and
    /// are taken away.
    pub fn new(values: &[f64]) -> Result<Self, Error> {
        check_length(values.len())?;
        let tolerance = 1e-9 * values[0].abs().max(1.0);
        let mut before = f64::INFINITY;
        let mut kept = Vec::with_capacity(values.len());
        for &value in values {
            let argument =
                |expected| Err(Error::Argument { name: "profile value", value, expected });
            if !(value >= -tolerance && value.is_finite()) {
                return argument("finite and at least 0");
            }
            if value > before + tolerance {
                return argument("at most the value before it");
            }
            before = before.min(value).max(0.0);
            kept.push(before);
        }
        Ok(Self { values: kept })
    }

    /// The profile nearest to values with errors, by weighted least squares: neighbours that rise are
    /// replaced by their mean (pool adjacent violators; Barlow et al., "Statistical inference under
    /// order restrictions", 1972). Negative values become 0.
    ///
    /// # Errors
    /// No value or 2^32 or more, a value that is not finite, another number of weights, or a weight
    /// that is not finite and above 0.
    pub fn isotonic(values: &[f64], weights: &[f64]) -> Result<Self, Error> {
        check_length(values.len())?;
        let (given, wanted) = (weights.len(), values.len());
        shape(given == wanted, "weights", given, "as many as the values,", wanted)?;
        let argument = |name, value, expected| Err(Error::Argument { name, value, expected });
        if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
            return argument("profile value", value, "finite");
        }
        if let Some(&value) = weights.iter().find(|&&w| !(w > 0.0 && w.is_finite())) {
            return argument("weight", value, "finite and above 0");
        }
        // Pools of mean, weight and length, whose means fall.
        let mut pools: Vec<(f64, f64, usize)> = Vec::new();
        for (&value, &weight) in values.iter().zip(weights) {
            let mut pool = (value, weight, 1);
            while let Some(&(mean, mass, length)) = pools.last() {
                if mean > pool.0 {
                    break;
                }
                let together = mass + pool.1;
                let middle = mean + (pool.0 - mean) * (pool.1 / together);
                pool = (middle, together, length + pool.2);
                pools.pop();
            }
            pools.push(pool);
        }
        let pooled = pools.iter().flat_map(|&(mean, _, n)| core::iter::repeat_n(mean.max(0.0), n));
        Ok(Self { values: pooled.collect() })
    }

    /// The number L of tokens.
    #[must_use]
    pub fn masks(&self) -> u32 {
        self.values.len() as u32
    }

    /// f(0) to f(L − 1).
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// d(m) = f(m − 1) − f(m) for m from 1 to L − 1, none negative.
    pub fn drops(&self) -> impl ExactSizeIterator<Item = f64> {
        self.values.windows(2).map(|pair| pair[0] - pair[1])
    }

    /// The joint entropy Σ f(m), in nats.
    #[must_use]
    pub fn entropy(&self) -> f64 {
        self.values.iter().sum()
    }

    /// The complexity Σ w(m)·d(m), in nats: the total correlation, or another of [`Weight`].
    #[must_use]
    pub fn complexity(&self, weight: Weight) -> f64 {
        self.drops().zip(weight.values(self.masks())).map(|(drop, w)| drop * w).sum()
    }
}

fn check_length(length: usize) -> Result<(), Error> {
    shape(length > 0, "profile values", 0, "at least", 1)?;
    shape(u32::try_from(length).is_ok(), "profile values", length, "below 2 to the", 32)
}
