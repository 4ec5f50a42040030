//! Noise schedules: the probability α that a token is still clean at time t, in the forms that
//! lose no digits.
//!
//! Everything is expressed through l(t) = ln(1 − α(t)), the logarithm of the masked fraction:
//! α = −expm1(l), and a masked position is revealed between t and s < t with probability
//! −expm1(l(s) − l(t)). Subtracting two α's would cancel.

use super::NoiseTable;
use core::f64::consts::{FRAC_PI_2, FRAC_PI_4, LN_2};
use libm::{asin, exp, expm1, log, log1p, sin, sqrt, tan};

/// A noise schedule, from time 0 (clean) to its last time (all masked).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Noise<'a> {
    /// 1 − α = t on \[0, 1\] (log-linear; Sahoo et al., arXiv 2406.07524).
    Linear,
    /// 1 − α = 2 sin²(πt/4) on \[0, 1\] (cosine; Sahoo et al., `noise_schedule.py`).
    Cosine,
    /// 1 − α = 1 − e^−t on \[0, ∞): every token is masked at rate 1 (Liang et al.,
    /// arXiv 2506.02318 and 2602.22505).
    UnitRate,
    /// A table of the caller.
    Table(&'a NoiseTable),
}

impl Noise<'_> {
    /// The last time: 1, or +∞ for [`UnitRate`](Self::UnitRate).
    #[must_use]
    pub const fn last_time(self) -> f64 {
        match self {
            Self::Linear | Self::Cosine => 1.0,
            Self::UnitRate => f64::INFINITY,
            Self::Table(table) => table.last_time(),
        }
    }

    /// The time at which a grid starts by default: the last time, or 16 for
    /// [`UnitRate`](Self::UnitRate), where a fraction of 1e-7 is still clean.
    #[must_use]
    pub const fn horizon(self) -> f64 {
        match self {
            Self::Linear | Self::Cosine => 1.0,
            Self::UnitRate => 16.0,
            Self::Table(table) => table.last_time(),
        }
    }

    /// α(t), the probability that a token is clean at time `t`.
    #[must_use]
    pub fn alpha(self, t: f64) -> f64 {
        match self {
            Self::Linear => 1.0 - t,
            Self::Cosine => sin(FRAC_PI_2 * (1.0 - t)),
            Self::UnitRate => exp(-t),
            Self::Table(table) => table.alpha(t),
        }
    }

    /// l(t) = ln(1 − α(t)): −∞ at time 0, 0 at the last time.
    #[must_use]
    pub fn log_masked(self, t: f64) -> f64 {
        match self {
            Self::Linear => log(t),
            Self::Cosine if t < 0.5 => LN_2 + 2.0 * log(sin(FRAC_PI_4 * t)),
            Self::Cosine => log1p(-self.alpha(t)),
            Self::UnitRate if t < LN_2 => log(-expm1(-t)),
            Self::UnitRate => log1p(-exp(-t)),
            Self::Table(table) => table.log_masked(t),
        }
    }

    /// The time at which ln(1 − α) is `log_masked`; the inverse of
    /// [`log_masked`](Self::log_masked).
    #[must_use]
    pub fn time(self, log_masked: f64) -> f64 {
        match self {
            Self::Linear => exp(log_masked),
            // α = cos(πt/2): the arc sine is taken of whichever of α and √(m/2) is small.
            Self::Cosine if log_masked < -0.5 => asin(sqrt(0.5 * exp(log_masked))) / FRAC_PI_4,
            Self::Cosine => 1.0 - asin(-expm1(log_masked)) / FRAC_PI_2,
            Self::UnitRate if log_masked < -LN_2 => -log1p(-exp(log_masked)),
            Self::UnitRate => -log(-expm1(log_masked)),
            Self::Table(table) => table.time(log_masked),
        }
    }

    /// r(t) = −α′(t)/(1 − α(t)), the rate at which a masked position is revealed when time runs
    /// backwards at `t`.
    #[must_use]
    pub fn rate(self, t: f64) -> f64 {
        match self {
            Self::Linear => 1.0 / t,
            Self::Cosine => FRAC_PI_2 / tan(FRAC_PI_4 * t),
            Self::UnitRate => 1.0 / expm1(t),
            Self::Table(table) => 1.0 / table.time_since_zero(t),
        }
    }

    /// The probability min(1, h·r(t)) with which the Euler method reveals a masked position in a
    /// step of width `h` from time `t` (Lou et al., arXiv 2310.16834).
    ///
    /// It is exactly 1 for a linear step that ends at time 0.
    #[must_use]
    pub fn euler_probability(self, t: f64, h: f64) -> f64 {
        // One division, not a product with the rounded rate: h/h is 1.
        let p = match self {
            Self::Linear => h / t,
            Self::Cosine => h * FRAC_PI_2 / tan(FRAC_PI_4 * t),
            Self::UnitRate => h / expm1(t),
            Self::Table(table) => h / table.time_since_zero(t),
        };
        p.min(1.0)
    }

    /// The probability that a position masked at time `t` is clean at the earlier time `s`.
    #[must_use]
    pub fn reveal_probability(self, t: f64, s: f64) -> f64 {
        match self {
            Self::Table(table) if s > 0.0 && s < t => table.reveal_probability(t, s),
            _ => -expm1(self.log_masked(s) - self.log_masked(t)),
        }
    }
}
