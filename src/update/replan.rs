//! Replan: every step decides anew which positions are masked (P2, path planning, Peng et al., arXiv
//! 2502.03540).

use crate::error::Error;
use crate::schedule::Sizes;

/// How masked and committed positions are compared.
///
/// At every step a token is drawn for every masked and every committed position. The highest scores
/// stay or become unmasked, as many as the sizes say of all of these positions together; the others
/// stay or become masks. A committed position keeps its token as long as it is not masked.
///
/// A plan then names the committed positions as well as the masked ones, and the canvas needs kinds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Replan {
    /// η ≥ 0, which the scores of committed positions are multiplied by. Of negative scores (ln p, the
    /// entropy) a larger η masks more, and 0 never masks them.
    pub eta: f64,
}

impl Replan {
    /// Refuses sizes that do not say how many are masked after each step.
    pub(crate) fn check(&self, sizes: &Sizes<'_>) -> Result<(), Error> {
        if !(self.eta >= 0.0 && self.eta.is_finite()) {
            let (name, expected) = ("update.eta", "finite and at least 0");
            return Err(Error::Argument { name, value: self.eta, expected });
        }
        if !matches!(sizes, Sizes::Mask(..) | Sizes::Kappa | Sizes::List(_) | Sizes::Systematic(_))
        {
            let expected = "a mask function, kappa, a list or a systematic table, to plan anew";
            return Err(Error::Argument { name: "schedule.sizes", value: 0.0, expected });
        }
        Ok(())
    }
}
