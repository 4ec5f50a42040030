//! Records that something else may have made: is all there that a step looks at?

use crate::draw::{Drawn, RowRecord, RowState};
use crate::policy::Policy;

impl RowRecord {
    /// The token, if it can have been drawn.
    pub(super) fn drawn(&self, mask_token: i32, vocab: usize) -> Option<Drawn> {
        let is_token = usize::try_from(self.token).is_ok_and(|token| token < vocab);
        let is_drawn = self.state == RowState::Drawn as u32 && self.token != mask_token;
        (is_token && is_drawn).then_some(Drawn { token: self.token, state: RowState::Drawn })
    }

    /// Whether it says all that a policy looks at: the score if it is `scored`, and the probability of
    /// the token that stands there if that is `judged`.
    pub(super) fn describes(
        &self,
        policy: &Policy<'_>,
        scored: bool,
        judged: bool,
        vocab: usize,
    ) -> bool {
        let row = &self.statistics;
        let unknown_or = |holds: bool, number: f64| holds || number.is_nan();
        let always = (0.0..=1.0).contains(&row.probability)
            && usize::try_from(row.argmax).is_ok_and(|argmax| argmax < vocab);
        let entropy = row.entropy >= 0.0 && row.entropy.is_finite();
        always
            && (!scored || policy.score.is_known(row))
            && (!policy.reads_entropy() || entropy)
            && (!policy.compares_steps() || unknown_or(row.divergence >= 0.0, row.divergence))
            && (!judged || row.given_log_probability <= 0.0)
    }
}
