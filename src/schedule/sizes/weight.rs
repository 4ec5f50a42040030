//! What a guarantee is measured in: total correlation and its relatives.

use crate::error::{Error, shape};

/// A complexity of a law on L tokens that is linear in the drops d(m) = f(m − 1) − f(m) of its
/// [`Profile`](super::Profile): W = Σ w(m)·d(m) over m from 1 to L − 1.
///
/// All three are 0 for independent tokens, and never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Weight {
    /// w(m) = L − m: the total correlation TC, the divergence of the law from the product of its
    /// marginals. Large first batches (Chen, Cong and Li, arXiv 2511.04647, lemma 8).
    TotalCorrelation,
    /// w(m) = m: the dual total correlation DTC, the joint entropy less Σ H(X_i | all others). Large
    /// last batches (the same lemma).
    DualTotalCorrelation,
    /// w(m) = m(L − m)/L: the effective total correlation, at most the smaller of the two (derived
    /// here: `docs/schedules.md`, section 1). For those who do not know which one is small.
    EffectiveTotalCorrelation,
}

impl Weight {
    /// w(1) to w(L − 1), for L = `masks`.
    #[must_use]
    pub fn values(self, masks: u32) -> Vec<f64> {
        let whole = f64::from(masks);
        let weight = |m: u32| {
            let m = f64::from(m);
            match self {
                Self::TotalCorrelation => whole - m,
                Self::DualTotalCorrelation => m,
                Self::EffectiveTotalCorrelation => m * (whole - m) / whole,
            }
        };
        (1..masks).map(weight).collect()
    }
}

/// Refuses weights that are not `masks − 1` finite numbers above 0.
pub(super) fn check(weights: &[f64], masks: u32) -> Result<(), Error> {
    let wanted = masks.saturating_sub(1) as usize;
    shape(weights.len() == wanted, "weights", weights.len(), "one less than the masks,", wanted)?;
    match weights.iter().find(|&&weight| !(weight > 0.0 && weight.is_finite())) {
        Some(&value) => {
            Err(Error::Argument { name: "weight", value, expected: "finite and above 0" })
        }
        None => Ok(()),
    }
}
