//! How sure is a position? The number that score-driven rules order positions by, from what is known
//! of its row. Nothing here sees logits.

use crate::draw::{RowNumbers, RowStatistics, Temperature};
use crate::error::Error;
use crate::rng::{Key, Purpose};
use crate::schedule::hitting::exponential;
use rand_xoshiro::rand_core::Rng;

/// What orders the positions of a segment, for the rules of [`Select`](crate::Select) that look at
/// logits: the highest scores first; ties: the lowest position.
///
/// Scores that would round to 1 are told apart: probabilities and margins are compared by their odds,
/// from sums that hold all tokens but one.
///
/// ```
/// use demask::policy::{Score, ScoreOf};
///
/// // Dream's alg_temp: positions are drawn without replacement, with weights exp(confidence/0.1).
/// let score = Score { gumbel: 0.1, ..Score::of(ScoreOf::Probability) };
/// assert_eq!(score.temperature, 1.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score<'a> {
    /// The number itself.
    pub of: ScoreOf,
    /// The temperature of the law that it is of: 1 for raw logits (LLaDA), that of the draw for
    /// tempered ones (Dream). From 1e-30 to 1e30, or +∞.
    pub temperature: f32,
    /// Whether that law is restricted to the tokens that the filters of the draw leave (Dream, SDAR,
    /// llama.cpp). At temperature 0 of the draw, and so in a finish by argmax, there are none. Not
    /// where laws are compared with those of the step before. See
    /// [`Statistics::filtered`](crate::Statistics::filtered) for what it costs.
    pub filtered: bool,
    /// τ ≥ 0: τ·G is added to every score, G a Gumbel variable of the position's own. The highest
    /// scores are then a draw without replacement, of positions with weights exp(score/τ) (Kool et
    /// al., arXiv 1903.06059). 0 adds nothing.
    pub gumbel: f64,
    /// Whether τ falls: at step k of K it is τ·(1 − (k + 1)/K), as in MaskGIT (Chang et al., arXiv
    /// 2202.04200).
    pub gumbel_falls: bool,
    /// Whether the priors of the canvas count: a score becomes score·multiply + add of its position
    /// ([`Canvas::with_priors`](crate::Canvas::with_priors)), before noise. Scores are then compared as
    /// they are, not by their odds.
    pub priors: bool,
    /// Positions that drew one of these tokens come after all others, as the end-of-text tokens of
    /// LLaDA's `confidence_eos_eot_inf`.
    pub last: &'a [i32],
}

/// What a score is. "The law" is softmax(z/T) at the temperature of the [`Score`], filtered or not as
/// that says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScoreOf {
    /// p of the drawn token in the law.
    Probability,
    /// ln p of the drawn token. The same order as [`Probability`](Self::Probability), but for noise.
    LogProbability,
    /// The difference between the two largest p of the law, whatever was drawn.
    Margin,
    /// Σ p ln p: the surest law first.
    NegativeEntropy,
    /// The largest p, but at most exp((z − max z)/T) of the drawn token, so that a lucky draw of an
    /// unlikely token is not taken for a sure one (SGLang).
    CappedProbability,
    /// A uniform number of the position's own, whatever the logits.
    Random,
    /// 0: what the prior adds is the score, from another model or the caller's own rule.
    External,
    /// −Σ p ln(p/q), where q is the law of the position in the step before: the law that has changed
    /// least first. −∞ in the first step of a segment, and where there is no such law. Each later step
    /// reads the logits of the step before ([`Logits::with_earlier`](crate::Logits::with_earlier)).
    NegativeDivergence,
}

impl ScoreOf {
    /// Whether scores are probabilities or their differences, which may round to 1.
    pub(crate) const fn is_probability(self) -> bool {
        matches!(self, Self::Probability | Self::Margin | Self::CappedProbability)
    }
}

impl Score<'_> {
    /// A score of the raw law, unfiltered, without noise.
    #[must_use]
    pub const fn of(of: ScoreOf) -> Self {
        Self {
            of,
            temperature: 1.0,
            filtered: false,
            gumbel: 0.0,
            gumbel_falls: false,
            priors: false,
            last: &[],
        }
    }

    /// Whether scores are compared by the odds that they stand for, ln(c/(1 − c)).
    const fn is_by_odds(&self) -> bool {
        let of = matches!(self.of, ScoreOf::LogProbability) || self.of.is_probability();
        of && self.gumbel == 0.0 && !self.priors
    }

    /// Whether the statistics of a row are needed.
    pub(crate) const fn reads_row(&self) -> bool {
        !matches!(self.of, ScoreOf::Random | ScoreOf::External)
    }

    /// Whether a row that something else described has the numbers that the score is made of.
    pub(crate) fn is_known(&self, row: &RowStatistics) -> bool {
        match self.of {
            ScoreOf::Probability => !row.log_others.is_nan(),
            ScoreOf::LogProbability => row.log_probability <= 0.0 && !row.log_others.is_nan(),
            ScoreOf::Margin => (0.0..=1.0).contains(&row.margin) && !row.log_margin_gap.is_nan(),
            ScoreOf::NegativeEntropy => row.entropy >= 0.0 && row.entropy.is_finite(),
            ScoreOf::CappedProbability => {
                row.log_probability <= 0.0 && !row.argmax_log_others.is_nan()
            }
            // A divergence need not be known.
            ScoreOf::NegativeDivergence | ScoreOf::Random | ScoreOf::External => true,
        }
    }

    pub(crate) fn check(&self, steps: u32) -> Result<(), Error> {
        let refuse = |name, value, expected| Err(Error::Argument { name, value, expected });
        Temperature::of_law("score.temperature", self.temperature)?;
        if !(self.gumbel >= 0.0 && self.gumbel.is_finite()) {
            return refuse("score.gumbel", self.gumbel, "finite and at least 0");
        }
        if self.of == ScoreOf::External && !self.priors {
            return refuse("score.priors", 0.0, "1 for scores from elsewhere");
        }
        if self.gumbel_falls && steps == 0 {
            return refuse("score.gumbel_falls", 1.0, "0 without a number of steps");
        }
        Ok(())
    }

    /// What stands for a score in comparisons: larger where the score is, and apart where scores
    /// round to one number; if `is_itself`, the score itself. `token` was drawn from the row with this
    /// key, at step `step` of `steps`; the prior is what multiplies its score, and what is added then.
    pub(crate) fn order(
        &self,
        row: &impl RowNumbers,
        token: i32,
        key: Key,
        (multiply, add): (f32, f32),
        (step, steps): (u32, u32),
        is_itself: bool,
    ) -> f64 {
        if self.last.contains(&token) {
            return f64::NEG_INFINITY;
        }
        let score = || match self.priors {
            true => self.value(row, key) * f64::from(multiply) + f64::from(add),
            false => self.value(row, key),
        };
        let order = if self.is_by_odds() && !is_itself {
            self.odds(row)
        } else if self.gumbel == 0.0 {
            score()
        } else {
            let left = 1.0 - f64::from(step + 1) / f64::from(steps.max(1));
            let scale = if self.gumbel_falls { self.gumbel * left.max(0.0) } else { self.gumbel };
            let noise = -libm::log(exponential(&mut key.generator(Purpose::ScoreNoise)));
            // At scale 0 there is none, whatever it would be.
            score() + scale * noise
        };
        // Both zeros are one.
        order + 0.0
    }

    fn value(&self, row: &impl RowNumbers, key: Key) -> f64 {
        match self.of {
            ScoreOf::Probability => row.probability(),
            ScoreOf::LogProbability => row.log_probability(),
            ScoreOf::Margin => row.margin(),
            ScoreOf::NegativeEntropy => -row.entropy(),
            ScoreOf::External => 0.0,
            // A number that is not known is that of a law that has changed.
            ScoreOf::NegativeDivergence => (-row.divergence()).max(f64::NEG_INFINITY),
            ScoreOf::CappedProbability => probability_of(self.odds(row)),
            ScoreOf::Random => {
                let word = key.generator(Purpose::Score).next_u64();
                ((word >> 11) as f64 + 0.5) / (1u64 << 53) as f64
            }
        }
    }

    /// ln(c/(1 − c)) of a score c that is a probability, or stands for one.
    fn odds(&self, row: &impl RowNumbers) -> f64 {
        match self.of {
            ScoreOf::Margin => libm::log(row.margin()) - row.log_margin_gap(),
            ScoreOf::CappedProbability => {
                let log_max = -libm::log1p(libm::exp(row.argmax_log_others()));
                // How much less likely the drawn token is than the likeliest.
                let behind = (log_max - row.log_probability()).max(0.0);
                let relative = -libm::log(libm::expm1(behind));
                relative.min(-row.argmax_log_others())
            }
            _ => -row.log_others(),
        }
    }

    /// What stands for the score `score` in comparisons.
    pub(crate) fn bar(&self, score: f64) -> f64 {
        match self.of {
            _ if !self.is_by_odds() => score,
            ScoreOf::LogProbability => score - libm::log(-libm::expm1(score)),
            _ if score <= 0.0 => f64::NEG_INFINITY,
            _ if score >= 1.0 => f64::INFINITY,
            _ => libm::log(score) - libm::log1p(-score),
        }
    }

    /// The score that a number stands for.
    pub(crate) fn score(&self, order: f64) -> f64 {
        match self.of {
            _ if !self.is_by_odds() => order,
            ScoreOf::LogProbability => -libm::log1p(libm::exp(-order)),
            _ => probability_of(order),
        }
    }
}

/// The probability with these odds, which are logarithms.
fn probability_of(odds: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-odds))
}
