//! Schedules given by σ = −ln α.

use super::Curve;
use core::f64::consts::LN_2;
use libm::{exp, expm1, log, log1p};

/// ln(1 − e^−σ).
fn log_masked(sigma: f64) -> f64 {
    if sigma < LN_2 { log(-expm1(-sigma)) } else { log1p(-exp(-sigma)) }
}

/// The inverse of [`log_masked`].
fn sigma(log_masked: f64) -> f64 {
    if log_masked < -LN_2 { -log1p(-exp(log_masked)) } else { -log(-expm1(log_masked)) }
}

/// expm1(σ_t − σ_s)/expm1(σ_t), without overflow: with σ_s and the difference, both exact to a few
/// ULP.
fn reveal_probability(sigma_t: f64, sigma_s: f64, difference: f64) -> f64 {
    exp(-sigma_s) * (expm1(-difference) / expm1(-sigma_t))
}

/// σ = t.
pub(super) struct UnitRate;

impl Curve for UnitRate {
    fn alpha(&self, t: f64) -> f64 {
        exp(-t)
    }
    fn log_masked(&self, t: f64) -> f64 {
        log_masked(t)
    }
    fn time(&self, log_masked: f64) -> f64 {
        sigma(log_masked)
    }
    fn jumps(&self, t: f64, h: f64) -> f64 {
        h / expm1(t)
    }
    fn reveal_probability(&self, t: f64, s: f64) -> f64 {
        reveal_probability(t, s, t - s)
    }
}

/// σ = σ_min^(1−t) σ_max^t.
pub(super) struct Geometric {
    pub(super) sigma_min: f64,
    pub(super) sigma_max: f64,
}

impl Geometric {
    /// ln(σ_max/σ_min).
    fn log_ratio(&self) -> f64 {
        let Self { sigma_min, sigma_max } = *self;
        let excess = (sigma_max - sigma_min) / sigma_min;
        if excess < f64::INFINITY { log1p(excess) } else { log(sigma_max) - log(sigma_min) }
    }

    fn sigma(&self, t: f64) -> f64 {
        // From the nearer end, so that nothing overflows and both ends are exact.
        let log_ratio = self.log_ratio();
        if t < 0.5 {
            self.sigma_min * exp(t * log_ratio)
        } else {
            self.sigma_max * exp((t - 1.0) * log_ratio)
        }
    }
}

impl Curve for Geometric {
    fn alpha(&self, t: f64) -> f64 {
        exp(-self.sigma(t))
    }
    fn log_masked(&self, t: f64) -> f64 {
        log_masked(self.sigma(t))
    }
    fn time(&self, log_masked: f64) -> f64 {
        let time = (log(sigma(log_masked)) - log(self.sigma_min)) / self.log_ratio();
        time.clamp(0.0, 1.0)
    }
    fn jumps(&self, t: f64, h: f64) -> f64 {
        let sigma = self.sigma(t);
        h * self.log_ratio() * (sigma / expm1(sigma))
    }
    fn reveal_probability(&self, t: f64, s: f64) -> f64 {
        let (sigma_t, sigma_s) = (self.sigma(t), self.sigma(s));
        let difference = -sigma_t * expm1((s - t) * self.log_ratio());
        reveal_probability(sigma_t, sigma_s, difference)
    }
}
