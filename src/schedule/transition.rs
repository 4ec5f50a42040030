//! With what probability does a step from time t to s < t reveal a masked position?
//!
//! All rules agree to first order in the width t − s. They differ in how much is left when the
//! steps are few, and in what they need: the exact reverse process (ancestral) needs nothing but α,
//! the others are approximations by a rate that is held over the step.

use super::Noise;
use libm::{exp, expm1};

/// The rule for the probability that a step reveals a masked position.
///
/// With a denoiser it is the same for all masked positions of a sequence, and
/// [`Select::Bernoulli`](crate::Select::Bernoulli) decides before the network runs. With a score
/// network every position has its own
/// ([`Select::ScoreBernoulli`](crate::Select::ScoreBernoulli)).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Transition {
    /// min(1, J): the number of jumps J that the rate at t would make in the step, clipped (Lou et
    /// al., arXiv 2310.16834; Zheng et al., arXiv 2409.02908, equation 45; Liang et al.,
    /// arXiv 2602.22505).
    #[default]
    Euler,
    /// Jumps are Poisson with mean J (Liang et al., arXiv 2506.02318; Ren et al., arXiv 2502.00234).
    TauLeaping(MultiJump),
    /// Exactly that of the reverse process, (α(s) − α(t))/(1 − α(t)) (Sahoo et al.,
    /// arXiv 2406.07524; Zheng et al., arXiv 2409.02908, equation 10); with a score network the Tweedie
    /// rule (Lou et al., arXiv 2310.16834; Zheng et al., equation 69).
    Ancestral,
    /// The θ-trapezoidal method, two network calls a step (Ren et al., arXiv 2502.00234,
    /// algorithm 2): a tau-leap from t to ρ = t − θ·(t − s), then one from ρ to s at the rate
    /// (a₁·r(ρ)·μ(ρ) − a₂·r(t)·μ(t))₊ of each token, with a₁ = 1/(2θ(1 − θ)) and
    /// a₂ = ((1 − θ)² + θ²)/(2θ(1 − θ)), where μ are the denoiser's laws at the two times.
    ///
    /// The second call's step needs the output of the first as well (see
    /// [`Logits::with_earlier`](crate::Logits::with_earlier)), so plans name all masked positions.
    Trapezoidal {
        /// θ, strictly between 0 and 1; 0.3 to 0.5 are advised.
        theta: f64,
        /// What several jumps in one leap mean.
        multi_jump: MultiJump,
    },
}

/// What becomes of a position for which a tau-leap holds more than one jump. Tokens have no order in
/// which jumps could be added up, and papers choose either (Liang et al., arXiv 2506.02318; Ren et al.,
/// arXiv 2502.00234).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MultiJump {
    /// The first jump counts: revealed with probability 1 − exp(−J).
    #[default]
    First,
    /// It stays masked: revealed with probability J·exp(−J), at most 1/e.
    Reject,
}

impl MultiJump {
    /// The probability that a position moves in a leap with `jumps` expected jumps, at least 0.
    #[must_use]
    pub fn probability(self, jumps: f64) -> f64 {
        match self {
            Self::First => -expm1(-jumps),
            // ∞·0 is no number.
            Self::Reject if jumps > 700.0 => 0.0,
            Self::Reject => jumps * exp(-jumps),
        }
    }
}

impl Transition {
    /// The probability that a step of a denoiser from time `t` to `s` reveals a masked position; 0 if
    /// `s` is not below `t`. For the trapezoidal rule, of its first leap.
    #[must_use]
    pub fn probability(self, noise: Noise<'_>, t: f64, s: f64) -> f64 {
        if s >= t {
            return 0.0;
        }
        match self {
            Self::Euler => noise.euler_probability(t, t - s),
            Self::Ancestral => noise.reveal_probability(t, s),
            Self::TauLeaping(multi_jump) => multi_jump.probability(noise.expected_jumps(t, t - s)),
            Self::Trapezoidal { theta, multi_jump } => {
                multi_jump.probability(noise.expected_jumps(t, theta * (t - s)))
            }
        }
    }

    /// What the sum of a position's scores Σ ŝ(v) is to be multiplied by, to give what
    /// [`clipped`](Self::clipped) wants.
    ///
    /// It is what a denoiser's step expects, divided by the sum of the exact scores.
    pub(crate) fn score_factor(self, noise: Noise<'_>, t: f64, s: f64) -> f64 {
        if s >= t {
            return 0.0;
        }
        let jumps = match self {
            Self::Ancestral => noise.reveal_probability(t, s),
            _ => noise.expected_jumps(t, t - s),
        };
        jumps / noise.score_sum(t)
    }

    /// The probability that a position moves of which a step expects `jumps` jumps; NaN for NaN.
    pub(crate) fn clipped(self, jumps: f64) -> f64 {
        match self {
            Self::Euler | Self::Ancestral if jumps > 1.0 => 1.0,
            Self::Euler | Self::Ancestral => jumps,
            Self::TauLeaping(multi_jump) | Self::Trapezoidal { multi_jump, .. } => {
                multi_jump.probability(jumps)
            }
        }
    }
}

/// The weights a₁ and a₂ of the second leap of the trapezoidal rule; a₁ − a₂ = 1.
pub(crate) fn trapezoidal_weights(theta: f64) -> (f64, f64) {
    let twice = 2.0 * theta * (1.0 - theta);
    (1.0 / twice, ((1.0 - theta) * (1.0 - theta) + theta * theta) / twice)
}

#[cfg(test)]
mod tests {
    use super::{MultiJump, Transition, trapezoidal_weights};
    use crate::schedule::Noise;

    const NOISES: [Noise<'static>; 3] = [Noise::Linear, Noise::Cosine, Noise::UnitRate];

    const RULES: [Transition; 4] = [
        Transition::Euler,
        Transition::Ancestral,
        Transition::TauLeaping(MultiJump::First),
        Transition::TauLeaping(MultiJump::Reject),
    ];

    #[test]
    fn all_rules_agree_to_first_order() {
        for noise in NOISES {
            for t in [0.01, 0.3, 0.9] {
                for rule in RULES {
                    let h = 1e-6 * t;
                    let p = rule.probability(noise, t, t - h);
                    assert!(
                        (p / (h * noise.rate(t)) - 1.0).abs() < 1e-5,
                        "{noise:?}, {rule:?}: {p}"
                    );
                    assert_eq!(rule.probability(noise, t, t), 0.0);
                }
            }
        }
        assert_eq!(Transition::Euler.probability(Noise::Linear, 0.25, 0.0), 1.0);
        assert_eq!(Transition::Ancestral.probability(Noise::Cosine, 0.25, 0.0), 1.0);
        assert_eq!(MultiJump::Reject.probability(f64::INFINITY), 0.0);
        assert_eq!(MultiJump::First.probability(f64::INFINITY), 1.0);
    }

    /// A score that is consistent with α gives what the denoiser's rule does.
    #[test]
    fn consistent_scores_have_the_probability_of_a_denoiser() {
        for noise in NOISES {
            for (t, s) in [(0.999, 0.7), (0.5, 0.0), (0.3, 0.29), (1e-4, 1e-5)] {
                let alpha = noise.alpha(t);
                let score = alpha / noise.log_masked(t).exp();
                for rule in RULES {
                    let p = rule.clipped(score * rule.score_factor(noise, t, s));
                    let denoiser = rule.probability(noise, t, s);
                    assert!((p / denoiser - 1.0).abs() < 1e-11, "{noise:?}, {rule:?} at {t}: {p}");
                }
            }
        }
    }

    #[test]
    fn trapezoidal_weights_differ_by_one() {
        for theta in [0.1, 0.3, 0.5, 0.9] {
            let (a, b) = trapezoidal_weights(theta);
            assert!((a - b - 1.0).abs() < 1e-14 && b >= 1.0 - 1e-14, "{theta}: {a}, {b}");
        }
        assert_eq!(trapezoidal_weights(0.5), (2.0, 1.0));
    }
}
