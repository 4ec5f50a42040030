//! Edit: a committed token is replaced where the network has come to prefer another (LLaDA2.1; SGLang's
//! joint threshold).

use crate::error::{Error, number};

/// When a committed token is replaced by the one that is drawn there anew.
///
/// A plan then names the committed positions as well as the masked ones, and the canvas needs kinds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edit {
    /// Another token takes its place if its probability exceeds this, in the law of the policy's
    /// [`Score`](crate::policy::Score).
    pub above: f64,
    /// The most steps that are made after the last mask has gone. The first of these that changes
    /// nothing is the last.
    pub extra_steps: u32,
}

impl Edit {
    pub(crate) fn check(&self) -> Result<(), Error> {
        number("update.above", self.above)
    }
}
