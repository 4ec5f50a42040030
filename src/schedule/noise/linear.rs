//! 1 − α = t.

use super::Curve;
use libm::{exp, log};

pub(super) struct Linear;

impl Curve for Linear {
    fn alpha(&self, t: f64) -> f64 {
        1.0 - t
    }
    fn log_masked(&self, t: f64) -> f64 {
        log(t)
    }
    fn time(&self, log_masked: f64) -> f64 {
        exp(log_masked)
    }
    fn jumps(&self, t: f64, h: f64) -> f64 {
        // One division, not a product with the rounded rate: h/h is 1.
        h / t
    }
    fn reveal_probability(&self, t: f64, s: f64) -> f64 {
        (t - s) / t
    }
}
