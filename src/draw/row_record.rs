//! What a row gives its position in a step.

use super::{Drawn, RowStatistics};
use bytemuck::{Pod, Zeroable};

/// The token that was drawn from a row, and what is known of the row: what
/// [`Sampler::step_rows`](crate::Sampler::step_rows) makes and
/// [`Sampler::advance`](crate::Sampler::advance) takes. 96 bytes of plain numbers.
///
/// An accelerator that draws tokens and describes rows fills records itself. Of the statistics it needs
/// what the policy of the segment looks at, in the law of its [`Score`](crate::policy::Score); the others
/// may be any, NaN for example:
///
/// | policy | statistics |
/// |---|---|
/// | no score, and no rule below (first-hitting, Bernoulli, random order, ...) | none |
/// | otherwise | `probability`, 0 to 1, and `argmax`, below the vocabulary; and by its score: |
/// | [`Probability`](crate::policy::ScoreOf::Probability) | `log_others`, which is ln(1 − p) − ln p |
/// | [`LogProbability`](crate::policy::ScoreOf::LogProbability) | `log_probability`, at most 0, and `log_others` |
/// | [`Margin`](crate::policy::ScoreOf::Margin) | `margin`, 0 to 1, and `log_margin_gap`, which is ln(1 − margin) |
/// | [`NegativeEntropy`](crate::policy::ScoreOf::NegativeEntropy) | `entropy`, finite and at least 0 |
/// | [`CappedProbability`](crate::policy::ScoreOf::CappedProbability) | `log_probability` and `argmax_log_others` |
/// | [`NegativeDivergence`](crate::policy::ScoreOf::NegativeDivergence), [`Select::Stable`](crate::Select::Stable) | `divergence`, at least 0; NaN where it is not known |
/// | [`Select::EntropyBound`](crate::Select::EntropyBound), [`Settle`](crate::policy::Settle) by entropy | `entropy` |
/// | [`DoubtOf::Standing`](crate::policy::DoubtOf::Standing) | at committed positions, `given_log_probability` of the token that stands there, at most 0 |
/// | remasking by confidence | none beside the first two |
///
/// A record that lacks one of them, whose state is not listed, or whose token is the mask token or
/// outside the vocabulary, is that of a bad row. Rows that are drawn from a mixture with an earlier
/// output need no statistics, nor do rows that a plan does not draw from; their records are not looked
/// at.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct RowRecord {
    /// The token that was drawn, in the vocabulary; −1 if none was.
    pub token: i32,
    /// A [`RowState`](super::RowState) as a number: `Drawn` or `Bad`; or `Kept` of a row that decided that
    /// its position stays masked, as only rows of scores and of trapezoidal steps do.
    pub state: u32,
    /// What is known of the row.
    pub statistics: RowStatistics,
}

impl RowRecord {
    /// That of a bad row.
    pub const BAD: Self = Self::of(Drawn::BAD, RowStatistics::BAD);

    /// That of a row with this outcome and these statistics.
    #[must_use]
    pub const fn of(drawn: Drawn, statistics: RowStatistics) -> Self {
        Self { token: drawn.token, state: drawn.state as u32, statistics }
    }
}
