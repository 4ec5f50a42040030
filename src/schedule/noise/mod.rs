//! Noise schedules: the probability α that a token is still clean at time t, in the forms that
//! lose no digits.
//!
//! Everything is expressed through l(t) = ln(1 − α(t)), the logarithm of the masked fraction:
//! α = −expm1(l), and a masked position is revealed between t and s < t with probability
//! −expm1(l(s) − l(t)). Subtracting two α's would cancel, and so would subtracting two l's for a
//! short step: each schedule has a form of its own for that difference.

mod cosine;
mod linear;
mod logarithmic;
mod power;
mod scaled;
mod sigma;
mod table;

use crate::error::{Error, shape};
use cosine::{Cosine, CosineSquared, MaskgitCosine};
use libm::{exp, expm1};
use linear::Linear;
use logarithmic::Logarithmic;
use power::Power;
use scaled::Scaled;
use sigma::{Geometric, UnitRate};
pub use table::NoiseTable;

/// A noise schedule, from time 0 (clean) to its last time (all masked, or nearly).
///
/// m = 1 − α is the masked fraction, r = −α′/(1 − α) the rate at which a masked position is
/// revealed when time runs backwards (Sahoo et al., arXiv 2406.07524; the forms that lose no digits are
/// derived here):
///
/// | schedule | m(t) | r(t) | times |
/// |---|---|---|---|
/// | [`Linear`](Self::Linear) | t | 1/t | 0 to 1 |
/// | [`Cosine`](Self::Cosine) | 2 sin²(πt/4) | (π/2) cot(πt/4) | 0 to 1 |
/// | [`CosineSquared`](Self::CosineSquared) | sin²(πt/2) | π cot(πt/2) | 0 to 1 |
/// | [`MaskgitCosine`](Self::MaskgitCosine) | sin(πt/2) | (π/2) cot(πt/2) | 0 to 1 |
/// | [`Geometric`](Self::Geometric) | 1 − e^−σ, σ = σ_min^(1−t) σ_max^t | σ ln(σ_max/σ_min)/(e^σ − 1) | 0 to 1 |
/// | [`UnitRate`](Self::UnitRate) | 1 − e^−t | 1/(e^t − 1) | 0 to ∞ |
/// | [`Power`](Self::Power) | t^w | w/t | 0 to 1 |
/// | [`Logarithmic`](Self::Logarithmic) | ln(1 + t)/ln 2 | 1/((1 + t) ln(1 + t)) | 0 to 1 |
/// | [`Scaled`](Self::Scaled) | (1 − ε) m₀(t) | r₀(t) | 0 to 1 |
/// | [`Table`](Self::Table) | a table of the caller | | 0 to its last time |
///
/// Arguments of the functions below must lie in the ranges that they name, and the parameters must
/// pass [`check`](Self::check); otherwise the result means nothing (it may be NaN), but nothing
/// panics. Results are the same bits on every machine.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Noise<'a> {
    /// m = t (log-linear: Lou et al., arXiv 2310.16834; Sahoo et al., arXiv 2406.07524).
    Linear,
    /// m = 2 sin²(πt/4) = 1 − cos(πt/2) (Sahoo et al., arXiv 2406.07524, `noise_schedule.py`).
    Cosine,
    /// m = 1 − e^−t: every token is masked at rate 1 (Liang et al., arXiv 2506.02318 and
    /// 2602.22505).
    UnitRate,
    /// m = sin²(πt/2) (Sahoo et al., arXiv 2406.07524, `noise_schedule.py`).
    CosineSquared,
    /// m = sin(πt/2) = cos(π(1 − t)/2): the cosine of MaskGIT (Chang et al., arXiv 2202.04200) and
    /// of MD4 (Shi et al., arXiv 2406.04329).
    MaskgitCosine,
    /// m = 1 − e^−σ with σ = σ_min^(1−t) σ_max^t (Lou et al., arXiv 2310.16834).
    ///
    /// It does not begin clean, nor end all masked: at time 0 a fraction of about σ_min is masked.
    Geometric {
        /// σ at time 0, above 0.
        sigma_min: f64,
        /// σ at time 1, finite and above `sigma_min`.
        sigma_max: f64,
    },
    /// m = t^w (Arriola et al., arXiv 2503.09573: 2 is their square, ½ their square root).
    Power {
        /// w, finite and above 0.
        exponent: f64,
    },
    /// m = ln(1 + t)/ln 2 (Arriola et al., arXiv 2503.09573).
    Logarithmic,
    /// 1 − ε times the masked fraction of another schedule, so that a fraction ε is clean at time 1
    /// (the ε of Lou et al. and Sahoo et al., 1e-3 there).
    ///
    /// Only α, l and the times belonging to them change: rates and probabilities of revealing a
    /// masked position are those of `base`.
    Scaled {
        /// The schedule that is scaled.
        base: Base,
        /// ε, at least 0 and below 1.
        epsilon: f64,
    },
    /// A table of the caller.
    Table(&'a NoiseTable),
}

/// A schedule that [`Noise::Scaled`] scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Base {
    /// [`Noise::Linear`].
    Linear,
    /// [`Noise::Cosine`].
    Cosine,
    /// [`Noise::CosineSquared`].
    CosineSquared,
}

impl From<Base> for Noise<'_> {
    fn from(base: Base) -> Self {
        match base {
            Base::Linear => Self::Linear,
            Base::Cosine => Self::Cosine,
            Base::CosineSquared => Self::CosineSquared,
        }
    }
}

impl Base {
    fn curve(self) -> &'static dyn Curve {
        match self {
            Self::Linear => &Linear,
            Self::Cosine => &Cosine,
            Self::CosineSquared => &CosineSquared,
        }
    }
}

/// The formulas of one schedule.
trait Curve {
    fn alpha(&self, t: f64) -> f64;
    fn log_masked(&self, t: f64) -> f64;
    /// The inverse of `log_masked`; values that it does not take give the first or last time.
    fn time(&self, log_masked: f64) -> f64;
    /// h·r(t).
    fn jumps(&self, t: f64, h: f64) -> f64;
    /// (α(s) − α(t))/(1 − α(t)) for s < t, to a few ULP of itself.
    fn reveal_probability(&self, t: f64, s: f64) -> f64;
}

impl Noise<'_> {
    /// Calls `f` with the formulas.
    fn with<R>(self, f: impl FnOnce(&dyn Curve) -> R) -> R {
        match self {
            Self::Linear => f(&Linear),
            Self::Cosine => f(&Cosine),
            Self::UnitRate => f(&UnitRate),
            Self::CosineSquared => f(&CosineSquared),
            Self::MaskgitCosine => f(&MaskgitCosine),
            Self::Geometric { sigma_min, sigma_max } => f(&Geometric { sigma_min, sigma_max }),
            Self::Power { exponent } => f(&Power { exponent }),
            Self::Logarithmic => f(&Logarithmic),
            Self::Scaled { base, epsilon } => f(&Scaled { base: base.curve(), epsilon }),
            Self::Table(table) => f(table),
        }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// The first one that is out of its range, by name.
    pub fn check(self) -> Result<(), Error> {
        let require = |holds, name, value, expected| {
            if holds { Ok(()) } else { Err(Error::Argument { name, value, expected }) }
        };
        match self {
            Self::Geometric { sigma_min, sigma_max } => {
                let least = sigma_min > 0.0 && sigma_min < f64::INFINITY;
                require(least, "noise.sigma_min", sigma_min, "finite and above 0")?;
                let most = sigma_max > sigma_min && sigma_max < f64::INFINITY;
                require(most, "noise.sigma_max", sigma_max, "finite and above noise.sigma_min")
            }
            Self::Power { exponent } => {
                let within = exponent > 0.0 && exponent < f64::INFINITY;
                require(within, "noise.exponent", exponent, "finite and above 0")
            }
            Self::Scaled { epsilon, .. } => {
                let within = (0.0..1.0).contains(&epsilon);
                require(within, "noise.epsilon", epsilon, "at least 0 and below 1")
            }
            Self::Linear
            | Self::Cosine
            | Self::UnitRate
            | Self::CosineSquared
            | Self::MaskgitCosine
            | Self::Logarithmic
            | Self::Table(_) => Ok(()),
        }
    }

    /// The last time: 1, or +∞ for [`UnitRate`](Self::UnitRate), or that of the last entry of a
    /// [`Table`](Self::Table).
    #[must_use]
    pub const fn last_time(self) -> f64 {
        match self {
            Self::UnitRate => f64::INFINITY,
            Self::Table(table) => table.last_time(),
            _ => 1.0,
        }
    }

    /// The time at which a grid starts by default: the last time, or 16 for
    /// [`UnitRate`](Self::UnitRate), where a fraction of 1e-7 is still clean.
    #[must_use]
    pub const fn horizon(self) -> f64 {
        match self {
            Self::UnitRate => 16.0,
            _ => self.last_time(),
        }
    }

    /// α(t), the probability that a token is clean at time `t`, 0 to the last time.
    #[must_use]
    pub fn alpha(self, t: f64) -> f64 {
        self.with(|curve| curve.alpha(t))
    }

    /// l(t) = ln(1 − α(t)) at time `t`, 0 to the last time: −∞ at time 0 (but for
    /// [`Geometric`](Self::Geometric)), 0 where all is masked.
    #[must_use]
    pub fn log_masked(self, t: f64) -> f64 {
        self.with(|curve| curve.log_masked(t))
    }

    /// The time at which ln(1 − α) is `log_masked`, at most 0; the inverse of
    /// [`log_masked`](Self::log_masked).
    ///
    /// The last time for a value above that of the last time, as first-hitting events have under a
    /// schedule that does not end all masked; 0 for a value below that of time 0.
    #[must_use]
    pub fn time(self, log_masked: f64) -> f64 {
        self.with(|curve| curve.time(log_masked))
    }

    /// [`time`](Self::time) of each of `log_masked`, written to `times`.
    ///
    /// # Errors
    /// Another number of times.
    pub fn times(self, log_masked: &[f64], times: &mut [f64]) -> Result<(), Error> {
        shape(
            times.len() == log_masked.len(),
            "times",
            times.len(),
            "as many as the log_masked,",
            log_masked.len(),
        )?;
        self.with(|curve| {
            for (time, &log_masked) in times.iter_mut().zip(log_masked) {
                *time = curve.time(log_masked);
            }
        });
        Ok(())
    }

    /// r(t) = −α′(t)/(1 − α(t)), the rate at which a masked position is revealed when time runs
    /// backwards at `t`, 0 to the last time: +∞ at time 0 (but for
    /// [`Geometric`](Self::Geometric)).
    ///
    /// At an entry of a [`Table`](Self::Table) it is the rate before that entry.
    #[must_use]
    pub fn rate(self, t: f64) -> f64 {
        // Both zeros are one.
        self.with(|curve| curve.jumps(t + 0.0, 1.0))
    }

    /// The sum over tokens of the exact score of a masked position at time `t`, α/(1 − α)
    /// (Lou et al., arXiv 2310.16834).
    ///
    /// A network's scores sum to something else. Its Euler, tau-leaping and Tweedie steps reveal
    /// with the probabilities (or jump counts) below times (its sum)/(this sum).
    #[must_use]
    pub fn score_sum(self, t: f64) -> f64 {
        self.with(|curve| curve.alpha(t) / exp(curve.log_masked(t)))
    }

    /// The expected number of jumps h·r(t) of a masked position in a step of width `h` from time
    /// `t`, its rate held fixed; 0 if `h` is.
    #[must_use]
    pub fn expected_jumps(self, t: f64, h: f64) -> f64 {
        if h == 0.0 { 0.0 } else { self.with(|curve| curve.jumps(t, h)) }
    }

    /// The probability min(1, h·r(t)) with which the Euler method reveals a masked position in a
    /// step of width `h` from time `t` (Lou et al., arXiv 2310.16834).
    ///
    /// It is exactly 1 for a linear step that ends at time 0. Where the masked fraction is concave
    /// (the unit rate, for one), it is below 1 in such a step, and masks may be left.
    #[must_use]
    pub fn euler_probability(self, t: f64, h: f64) -> f64 {
        self.expected_jumps(t, h).min(1.0)
    }

    /// The probability 1 − e^−Λ, Λ = h·r(t), with which tau-leaping reveals a masked position in a
    /// step of width `h` from time `t`, if the first of several jumps counts.
    ///
    /// The number of jumps is Poisson with mean Λ (Liang et al., arXiv 2506.02318; the rule for
    /// several is a choice, see [`tau_reject_probability`](Self::tau_reject_probability)).
    #[must_use]
    pub fn tau_first_jump_probability(self, t: f64, h: f64) -> f64 {
        -expm1(-self.expected_jumps(t, h))
    }

    /// The probability Λe^−Λ, Λ = h·r(t), with which tau-leaping reveals a masked position in a
    /// step of width `h` from time `t`, if it takes exactly one jump and several are rejected
    /// (Ren et al., arXiv 2502.00234). At most 1/e.
    #[must_use]
    pub fn tau_reject_probability(self, t: f64, h: f64) -> f64 {
        let jumps = self.expected_jumps(t, h);
        // An infinite number of jumps is never one.
        if jumps < f64::INFINITY { jumps * exp(-jumps) } else { 0.0 }
    }

    /// The probability (α(s) − α(t))/(1 − α(t)) that a position masked at time `t` is clean at the
    /// earlier time `s`, 0 if `s` is `t`.
    ///
    /// It is the probability of the ancestral step (Sahoo et al., arXiv 2406.07524), and of the
    /// Tweedie step (Lou et al., arXiv 2310.16834): with σ = −ln α that one is
    /// (e^(σ(t) − σ(s)) − 1) times the sum of the scores, which for the exact scores is
    /// (e^(σ(t) − σ(s)) − 1)/(e^σ(t) − 1), the same number. For other scores, see
    /// [`score_sum`](Self::score_sum).
    #[must_use]
    pub fn reveal_probability(self, t: f64, s: f64) -> f64 {
        if s == t { 0.0 } else { self.with(|curve| curve.reveal_probability(t, s)).min(1.0) }
    }
}
