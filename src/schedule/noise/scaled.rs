//! 1 − α = 1 − ε times that of another schedule.

use super::Curve;
use libm::log1p;

pub(super) struct Scaled {
    pub(super) base: &'static dyn Curve,
    pub(super) epsilon: f64,
}

impl Curve for Scaled {
    fn alpha(&self, t: f64) -> f64 {
        let alpha = self.base.alpha(t);
        alpha + self.epsilon * (1.0 - alpha)
    }
    fn log_masked(&self, t: f64) -> f64 {
        self.base.log_masked(t) + log1p(-self.epsilon)
    }
    fn time(&self, log_masked: f64) -> f64 {
        self.base.time((log_masked - log1p(-self.epsilon)).min(0.0))
    }
    fn jumps(&self, t: f64, h: f64) -> f64 {
        self.base.jumps(t, h)
    }
    fn reveal_probability(&self, t: f64, s: f64) -> f64 {
        self.base.reveal_probability(t, s)
    }
}
