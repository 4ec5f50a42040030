//! Three schedules that are called cosine. Each form takes 1 − t where an angle is near its right
//! angle, so that the small one of sine and cosine is a sine of a small number.

use super::Curve;
use core::f64::consts::{FRAC_PI_2, FRAC_PI_4, LN_2, PI};
use libm::{asin, exp, expm1, log, log1p, sin, sqrt, tan};

/// cot(πt/2) for 0 ≤ t ≤ 1.
fn cotangent(t: f64) -> f64 {
    if t < 0.5 { 1.0 / tan(FRAC_PI_2 * t) } else { tan(FRAC_PI_2 * (1.0 - t)) }
}

/// 1 − α = 2 sin²(πt/4), α = cos(πt/2).
pub(super) struct Cosine;

impl Curve for Cosine {
    fn alpha(&self, t: f64) -> f64 {
        sin(FRAC_PI_2 * (1.0 - t))
    }
    fn log_masked(&self, t: f64) -> f64 {
        if t < 0.5 { LN_2 + 2.0 * log(sin(FRAC_PI_4 * t)) } else { log1p(-self.alpha(t)) }
    }
    fn time(&self, log_masked: f64) -> f64 {
        // The arc sine is taken of whichever of α and √(m/2) is small.
        if log_masked < -0.5 {
            asin(sqrt(0.5 * exp(log_masked))) / FRAC_PI_4
        } else {
            1.0 - asin(-expm1(log_masked)) / FRAC_PI_2
        }
    }
    fn jumps(&self, t: f64, h: f64) -> f64 {
        h * FRAC_PI_2 / tan(FRAC_PI_4 * t)
    }
    fn reveal_probability(&self, t: f64, s: f64) -> f64 {
        // sin²a − sin²b = sin(a − b)·sin(a + b)
        let whole = sin(FRAC_PI_4 * t);
        sin(FRAC_PI_4 * (t - s)) * sin(FRAC_PI_4 * (t + s)) / (whole * whole)
    }
}

/// 1 − α = sin²(πt/2), α = cos²(πt/2).
pub(super) struct CosineSquared;

impl Curve for CosineSquared {
    fn alpha(&self, t: f64) -> f64 {
        let cosine = sin(FRAC_PI_2 * (1.0 - t));
        cosine * cosine
    }
    fn log_masked(&self, t: f64) -> f64 {
        if t < 0.5 { 2.0 * log(sin(FRAC_PI_2 * t)) } else { log1p(-self.alpha(t)) }
    }
    fn time(&self, log_masked: f64) -> f64 {
        if log_masked < -LN_2 {
            asin(exp(0.5 * log_masked)) / FRAC_PI_2
        } else {
            1.0 - asin(sqrt(-expm1(log_masked))) / FRAC_PI_2
        }
    }
    fn jumps(&self, t: f64, h: f64) -> f64 {
        h * PI * cotangent(t)
    }
    fn reveal_probability(&self, t: f64, s: f64) -> f64 {
        // sin²a − sin²b = sin(a − b)·sin(a + b)
        let (sum, rest) = (t + s, (1.0 - t) + (1.0 - s));
        let whole = sin(FRAC_PI_2 * t);
        sin(FRAC_PI_2 * (t - s)) * sin(FRAC_PI_2 * sum.min(rest)) / (whole * whole)
    }
}

/// 1 − α = sin(πt/2), α = 2 sin²(π(1 − t)/4).
pub(super) struct MaskgitCosine;

impl Curve for MaskgitCosine {
    fn alpha(&self, t: f64) -> f64 {
        if t < 0.25 {
            return 1.0 - sin(FRAC_PI_2 * t);
        }
        let half = sin(FRAC_PI_4 * (1.0 - t));
        2.0 * half * half
    }
    fn log_masked(&self, t: f64) -> f64 {
        let masked = sin(FRAC_PI_2 * t);
        if masked < 0.5 { log(masked) } else { log1p(-self.alpha(t)) }
    }
    fn time(&self, log_masked: f64) -> f64 {
        if log_masked < -LN_2 {
            asin(exp(log_masked)) / FRAC_PI_2
        } else {
            1.0 - asin(sqrt(-0.5 * expm1(log_masked))) / FRAC_PI_4
        }
    }
    fn jumps(&self, t: f64, h: f64) -> f64 {
        h * FRAC_PI_2 * cotangent(t)
    }
    fn reveal_probability(&self, t: f64, s: f64) -> f64 {
        if s == 0.0 {
            return 1.0;
        }
        // sin a − sin b = 2·sin((a − b)/2)·cos((a + b)/2)
        let cosine = sin(FRAC_PI_4 * ((1.0 - t) + (1.0 - s)));
        2.0 * sin(FRAC_PI_4 * (t - s)) * cosine / sin(FRAC_PI_2 * t)
    }
}
