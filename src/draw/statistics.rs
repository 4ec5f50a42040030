//! What is known of a row beside the token drawn from it, and what is wanted of it.

use super::Temperature;
use crate::error::{Error, shape};
use crate::logits::Logits;
use bytemuck::{Pod, Zeroable};

/// Statistics of a row's law p = softmax(z/T), at a temperature of its own: of all tokens that the
/// constraints leave, before any filter unless [`Statistics::filtered`] says otherwise. Natural
/// logarithms, nats.
///
/// Relative errors are below 2e-6 (absolute, where a value is below 1). The same bits at every
/// level, on any number of threads, in any batch. All numbers of a bad row are NaN, its token −1.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct RowStatistics {
    /// ln Σ exp(z/T).
    pub log_sum_exp: f64,
    /// −Σ p ln p. It keeps its digits where p rounds to 1.
    pub entropy: f64,
    /// p of the drawn token.
    pub probability: f64,
    /// ln p of the drawn token.
    pub log_probability: f64,
    /// ln of Σ exp((z − z of the drawn token)/T) over all other tokens, which is ln((1 − p)/p): it
    /// orders tokens by their confidence (the lower, the surer) even where p rounds to 1. −∞ if
    /// there is no other token.
    pub log_others: f64,
    /// p of the most likely token less p of the next one; 0 if two logits are equally large, 1 if
    /// there is only one token.
    pub margin: f64,
    /// ln((1 − p)/p) of the most likely token, as `log_others` is of the drawn one.
    pub argmax_log_others: f64,
    /// ln(1 − margin): it orders rows by their margins (the lower, the surer) even where these round
    /// to 1. −∞ if there is only one token.
    pub log_margin_gap: f64,
    /// ln p of the token that was given for this row, −∞ if it cannot be drawn; NaN without one.
    pub given_log_probability: f64,
    /// Σ p ln(p/q), where q is the law of the row it is compared with; +∞ where q lacks a token of
    /// p, NaN without such a row or if it is bad.
    pub divergence: f64,
    /// The largest logit.
    pub max: f32,
    /// Its token; ties: the lowest id.
    pub argmax: i32,
}

impl RowStatistics {
    /// Those of a bad row.
    pub const BAD: Self = Self {
        log_sum_exp: f64::NAN,
        entropy: f64::NAN,
        probability: f64::NAN,
        log_probability: f64::NAN,
        log_others: f64::NAN,
        margin: f64::NAN,
        argmax_log_others: f64::NAN,
        log_margin_gap: f64::NAN,
        given_log_probability: f64::NAN,
        divergence: f64::NAN,
        max: f32::NAN,
        argmax: -1,
    };
}

/// Which statistics are wanted of the rows of a call.
#[derive(Clone, Copy, Debug)]
pub struct Statistics<'a> {
    /// The temperature of the law that they are of, which may differ from that of the draw: from
    /// 1e-30 to 1e30, or +∞.
    pub temperature: f32,
    /// Whether that law is restricted to the tokens that the filters of the draw leave, whatever
    /// temperature these look at: the confidence of Dream, SDAR and llama.cpp. A token that is given
    /// and dropped has log-probability −∞. The largest logits of a row are listed all the same.
    ///
    /// At temperature 0 of the draw no filter is on, and the law is that of all tokens. With top-k it
    /// costs little; without, a second sweep of the rows that are filtered, over a copy; top-p by
    /// itself some thirty passes.
    pub filtered: bool,
    /// A token for each row, whose probability is wanted as well: below the vocabulary. Empty for
    /// none.
    pub given: &'a [u32],
    /// Rows to compare with, logical row by logical row, for the divergence: as many as the logits
    /// and of the same vocabulary and type. The constraints are applied to them as well. Not for a
    /// filtered law.
    pub against: Option<Logits<'a>>,
}

impl Default for Statistics<'_> {
    /// Of the law at temperature 1, and nothing else.
    fn default() -> Self {
        Self { temperature: 1.0, filtered: false, given: &[], against: None }
    }
}

/// Checked [`Statistics`], as the kernels want them, without the rows and tokens of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatisticsRule {
    pub(crate) temperature: Temperature,
    /// Whether the law is that of the tokens that the filters of the draw leave.
    pub(crate) filtered: bool,
    /// Whether rows are compared with others.
    pub(crate) compares: bool,
}

impl StatisticsRule {
    /// Checks what is wanted of these logits.
    pub(crate) fn new(wanted: &Statistics<'_>, logits: &Logits<'_>) -> Result<Self, Error> {
        let Statistics { temperature, filtered, given, ref against } = *wanted;
        let temperature = Temperature::of_law("statistics.temperature", temperature)?;
        let (rows, vocab) = (logits.rows(), logits.vocab());
        let fits = given.is_empty() || given.len() == rows;
        shape(fits, "given tokens", given.len(), "as many as the logits rows,", rows)?;
        for &token in given {
            shape((token as usize) < vocab, "given token", token as usize, "below vocab,", vocab)?;
        }
        if let Some(against) = against {
            logits.check_alike(against, "compared rows", "compared vocab", "compared bits")?;
            shape(against.guide().is_none(), "guides of compared rows", 1, "exactly", 0)?;
            if filtered {
                let (name, expected) = ("statistics.filtered", "0 with rows to compare with");
                return Err(Error::Argument { name, value: 1.0, expected });
            }
        }
        Ok(Self { temperature, filtered, compares: against.is_some() })
    }
}
