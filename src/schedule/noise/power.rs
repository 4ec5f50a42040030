//! 1 − α = t^w.

use super::Curve;
use libm::{exp, expm1, log, log1p};

pub(super) struct Power {
    pub(super) exponent: f64,
}

impl Curve for Power {
    fn alpha(&self, t: f64) -> f64 {
        -expm1(self.log_masked(t))
    }
    fn log_masked(&self, t: f64) -> f64 {
        self.exponent * log(t)
    }
    fn time(&self, log_masked: f64) -> f64 {
        exp(log_masked / self.exponent)
    }
    fn jumps(&self, t: f64, h: f64) -> f64 {
        h * self.exponent / t
    }
    fn reveal_probability(&self, t: f64, s: f64) -> f64 {
        // ln(s/t); of a short step from the exact difference, of a long one from the quotient.
        let ratio = if s > 0.5 * t { log1p(-(t - s) / t) } else { log(s / t) };
        -expm1(self.exponent * ratio)
    }
}
