//! 1 − α = ln(1 + t)/ln 2.

use super::Curve;
use core::f64::consts::LN_2;
use libm::{exp, expm1, log, log1p};

pub(super) struct Logarithmic;

impl Curve for Logarithmic {
    fn alpha(&self, t: f64) -> f64 {
        // (1 + t)/2 = 1 − (1 − t)/2.
        -log1p(-0.5 * (1.0 - t)) / LN_2
    }
    fn log_masked(&self, t: f64) -> f64 {
        let masked = log1p(t) / LN_2;
        if masked < 0.5 { log(masked) } else { log1p(-self.alpha(t)) }
    }
    fn time(&self, log_masked: f64) -> f64 {
        if log_masked < -LN_2 {
            expm1(exp(log_masked) * LN_2)
        } else {
            // 1 + t = 2·2^−α.
            1.0 + 2.0 * expm1(expm1(log_masked) * LN_2)
        }
    }
    fn jumps(&self, t: f64, h: f64) -> f64 {
        h / ((1.0 + t) * log1p(t))
    }
    fn reveal_probability(&self, t: f64, s: f64) -> f64 {
        // (1 + t)/(1 + s) = 1 + (t − s)/(1 + s).
        log1p((t - s) / (1.0 + s)) / log1p(t)
    }
}
