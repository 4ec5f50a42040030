//! Updates as plain numbers.

use super::numbered::{Numbered, numbered};
use super::status::{DEMASK_ERR_ARGUMENT, Refusal};
use crate::update::{Doubt, DoubtOf, Edit, Remask, RemaskRate, Replan, Update};

/// A chosen position gets its drawn token, which stays.
pub const DEMASK_UPDATE_REVEAL: u32 = 0;
/// A chosen position gets its drawn token, and committed ones may become masks again, as many as the
/// schedule wants masked in all (ReMDM, Wang et al., arXiv 2503.00307). For BERNOULLI with ANCESTRAL, and
/// a canvas with kinds.
pub const DEMASK_UPDATE_REMASK: u32 = 1;
/// A chosen position gets its drawn token, and committed ones are doubted whose probability is below
/// update_threshold: see doubt_of. For this and all that follow a plan names committed positions as
/// well; for this and the next two the canvas has kinds.
pub const DEMASK_UPDATE_DOUBT: u32 = 2;
/// A chosen position gets its drawn token, and a committed one gets another that is drawn there if its
/// probability exceeds update_threshold. After the last mask there are at most extra_steps steps, until
/// one changes nothing.
pub const DEMASK_UPDATE_EDIT: u32 = 3;
/// All masked and committed positions compete for the places that are unmasked, as many as the sizes
/// say of all of them; scores of committed ones are multiplied by update_threshold. For TOP_K, with
/// sizes KAPPA, of a mask function, a list or a systematic table, without bounds (P2, Peng et al., arXiv
/// 2502.03540).
pub const DEMASK_UPDATE_REPLAN: u32 = 4;
/// There are no masks: all positions that are not fixed or inactive get a token in every step, those that
/// are chosen their drawn one, the others one of the first noise_tokens tokens at random (0: of the
/// vocabulary). After the last step all have the likeliest tokens of that step. Needs the states of the
/// canvas.
pub const DEMASK_UPDATE_RENOISE: u32 = 5;
/// There are no masks: the exact reverse step of a model whose noise is uniform among noise_tokens tokens
/// (0: among the vocabulary). For BERNOULLI with ANCESTRAL (UDLM, Schiff et al., arXiv 2412.10193).
pub const DEMASK_UPDATE_UNIFORM_STATE: u32 = 6;

/// The probability of the token that stands there (WINO). A doubted position becomes a mask; but nothing
/// is remasked in a step that reveals one position or none, and if as many are doubted as the step before
/// revealed, or more, then one fewer than that are remasked, the least likely.
pub const DEMASK_DOUBT_STANDING: u32 = 0;
/// The probability of the token that is drawn there anew (dInfer). A doubted position counts as masked in
/// this step: it gets the new token if it is chosen, and becomes a mask if not. At least one more position
/// is chosen than is doubted.
pub const DEMASK_DOUBT_DRAWN: u32 = 1;

/// A committed position is remasked with probability min(remask_eta, r), r = min(1, (1 - alpha(s)) /
/// alpha(t)), in a step from time t to s.
pub const DEMASK_REMASK_CAP: u32 = 0;
/// remask_eta r.
pub const DEMASK_REMASK_RESCALE: u32 = 1;
/// min((alpha(s) - alpha(t)) / alpha(t), r).
pub const DEMASK_REMASK_FORWARD_BACKWARD: u32 = 2;

numbered!(DoubtOf:
    DEMASK_DOUBT_STANDING = Standing,
    DEMASK_DOUBT_DRAWN = Drawn);

/// An update as numbers.
#[derive(Default, PartialEq)]
pub(super) struct Change {
    pub(super) update: u32,
    pub(super) remask: u32,
    pub(super) by_confidence: u32,
    pub(super) eta: f64,
    pub(super) from: f64,
    pub(super) until: f64,
    pub(super) threshold: f64,
    pub(super) of: u32,
    pub(super) extra_steps: u32,
    pub(super) tokens: u32,
}

impl Change {
    pub(super) fn new(update: &Update) -> Self {
        let of = Self { update: update.number(), ..Self::default() };
        match *update {
            Update::Reveal => of,
            Update::Remask(Remask { rate, by_confidence, from, until }) => {
                let (remask, eta) = match rate {
                    RemaskRate::Cap(eta) => (DEMASK_REMASK_CAP, eta),
                    RemaskRate::Rescale(eta) => (DEMASK_REMASK_RESCALE, eta),
                    RemaskRate::ForwardBackward => (DEMASK_REMASK_FORWARD_BACKWARD, 0.0),
                };
                Self { remask, by_confidence: by_confidence.into(), eta, from, until, ..of }
            }
            Update::Doubt(doubt) => Self { threshold: doubt.below, of: doubt.of.number(), ..of },
            Update::Edit(Edit { above, extra_steps }) => {
                Self { threshold: above, extra_steps, ..of }
            }
            Update::Replan(Replan { eta }) => Self { threshold: eta, ..of },
            Update::Renoise { tokens } | Update::UniformState { tokens } => Self { tokens, ..of },
        }
    }

    /// The update of these numbers; those that it has no use for must be 0.
    pub(super) fn update(&self) -> Result<Update, Refusal> {
        let &Self { eta, from, until, threshold, extra_steps, tokens, .. } = self;
        let update = match self.update {
            DEMASK_UPDATE_REVEAL => Update::Reveal,
            DEMASK_UPDATE_REMASK => {
                let rate = match self.remask {
                    DEMASK_REMASK_CAP => RemaskRate::Cap(eta),
                    DEMASK_REMASK_RESCALE => RemaskRate::Rescale(eta),
                    DEMASK_REMASK_FORWARD_BACKWARD => RemaskRate::ForwardBackward,
                    _ => return Err(Refusal(DEMASK_ERR_ARGUMENT)),
                };
                let by_confidence = self.by_confidence == 1;
                Update::Remask(Remask { rate, by_confidence, from, until })
            }
            DEMASK_UPDATE_DOUBT => {
                Update::Doubt(Doubt { below: threshold, of: DoubtOf::from_number(self.of)? })
            }
            DEMASK_UPDATE_EDIT => Update::Edit(Edit { above: threshold, extra_steps }),
            DEMASK_UPDATE_REPLAN => Update::Replan(Replan { eta: threshold }),
            DEMASK_UPDATE_RENOISE => Update::Renoise { tokens },
            DEMASK_UPDATE_UNIFORM_STATE => Update::UniformState { tokens },
            _ => return Err(Refusal(DEMASK_ERR_ARGUMENT)),
        };
        if Self::new(&update) == *self { Ok(update) } else { Err(Refusal(DEMASK_ERR_ARGUMENT)) }
    }
}
