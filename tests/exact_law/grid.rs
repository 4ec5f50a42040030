//! Time grids, and the probability with which each step reveals a masked position.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, LN_2, PI};

/// A noise schedule: how the masked fraction 1 − α grows with time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Noise {
    /// 1 − α = t.
    Linear,
    /// 1 − α = 2 sin²(πt/4).
    Cosine,
    /// 1 − α = 1 − e^−t.
    UnitRate,
    /// 1 − α = sin²(πt/2).
    CosineSquared,
    /// 1 − α = sin(πt/2).
    MaskgitCosine,
    /// 1 − α = 1 − e^−σ, σ falling from the second number to the first on a logarithmic scale.
    Geometric(f64, f64),
    /// 1 − α = t^w.
    Power(f64),
    /// 1 − α = ln(1 + t)/ln 2.
    Logarithmic,
}

impl Noise {
    /// 1 − α(t).
    pub(crate) fn masked(self, t: f64) -> f64 {
        match self {
            Self::Linear => t,
            Self::Cosine => 2.0 * (FRAC_PI_4 * t).sin().powi(2),
            Self::UnitRate => -(-t).exp_m1(),
            Self::CosineSquared => (FRAC_PI_2 * t).sin().powi(2),
            Self::MaskgitCosine => (FRAC_PI_2 * t).sin(),
            Self::Geometric(least, most) => -(-least.powf(1.0 - t) * most.powf(t)).exp_m1(),
            Self::Power(exponent) => t.powf(exponent),
            Self::Logarithmic => t.ln_1p() / LN_2,
        }
    }

    /// −α′(t)/(1 − α(t)), the rate at which a mask is revealed when time runs backwards.
    pub(crate) fn rate(self, t: f64) -> f64 {
        match self {
            Self::Linear => 1.0 / t,
            Self::Cosine => FRAC_PI_2 / (FRAC_PI_4 * t).tan(),
            Self::UnitRate => 1.0 / t.exp_m1(),
            Self::CosineSquared => PI / (FRAC_PI_2 * t).tan(),
            Self::MaskgitCosine => FRAC_PI_2 / (FRAC_PI_2 * t).tan(),
            Self::Geometric(least, most) => {
                let sigma = least.powf(1.0 - t) * most.powf(t);
                sigma * (most / least).ln() / sigma.exp_m1()
            }
            Self::Power(exponent) => exponent / t,
            Self::Logarithmic => 1.0 / ((1.0 + t) * t.ln_1p()),
        }
    }
}

/// A rule for the probability that a step reveals a masked position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Width times rate, at most 1.
    Euler,
    /// The exact probability of the reverse process, (α(s) − α(t))/(1 − α(t)).
    Ancestral,
    /// Tau-leaping, a position moving if exactly one of its jumps falls into the step.
    TauReject,
    /// Tau-leaping, a position moving by the first of its jumps.
    TauFirstJump,
}

/// For each step of a grid of falling times, the probability that it reveals a masked position.
pub(crate) fn reveal_probabilities(noise: Noise, rule: Rule, times: &[f64]) -> Vec<f64> {
    let step = |pair: &[f64]| {
        let (t, s) = (pair[0], pair[1]);
        let jumps = (t - s) * noise.rate(t);
        match rule {
            Rule::Euler => jumps.min(1.0),
            Rule::Ancestral => 1.0 - noise.masked(s) / noise.masked(t),
            Rule::TauReject => jumps * (-jumps).exp(),
            Rule::TauFirstJump => -(-jumps).exp_m1(),
        }
    };
    times.windows(2).map(step).collect()
}

/// `steps` steps of one width from `start` to 0.
pub(crate) fn uniform_grid(start: f64, steps: usize) -> Vec<f64> {
    (0..=steps).map(|step| start * (steps - step) as f64 / steps as f64).collect()
}

/// `steps` steps from `start`, each `fraction` · min(1, t) wide: even at first, then shrinking
/// with the time that is left. They end above 0 (early stopping).
pub(crate) fn decaying_grid(start: f64, fraction: f64, steps: usize) -> Vec<f64> {
    let next = |&t: &f64| Some(t - fraction * t.min(1.0));
    std::iter::successors(Some(start), next).take(steps + 1).collect()
}

/// `steps` steps from `start` that shrink as those of [`decaying_grid`] do and end at `end`. The
/// fraction is found by bisection.
pub(crate) fn decaying_grid_to(start: f64, end: f64, steps: usize) -> Vec<f64> {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        let reached = decaying_grid(start, middle, steps)[steps];
        if reached > end { low = middle } else { high = middle }
    }
    decaying_grid(start, 0.5 * (low + high), steps)
}
