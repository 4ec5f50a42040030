//! What is known of a row beside the token drawn from it.

/// Statistics of a row's law p = softmax(z/T), at a temperature of its own: of all tokens that the
/// constraints leave, before any filter. Natural logarithms, nats.
///
/// Relative errors are below 2e-6 (absolute, where a value is near 0). The same bits at every level,
/// on any number of threads, in any batch. All numbers of a bad row are NaN, its tokens −1.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct RowStatistics {
    /// ln Σ exp(z/T).
    pub log_sum_exp: f64,
    /// −Σ p ln p.
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
    /// ln p of the token that was given for this row; NaN without one.
    pub given_log_probability: f64,
    /// Σ p ln(p/q), where q is the law of the row it is compared with; NaN without one.
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
        given_log_probability: f64::NAN,
        divergence: f64::NAN,
        max: f32::NAN,
        argmax: -1,
    };
}
