//! What happens to the positions that move? The only room that writes tokens.

mod doubt;
mod edit;
mod fill;
mod remask;
mod renoise;
mod replan;
mod reveal;
mod uniform;

pub use doubt::{Doubt, DoubtOf};
pub use edit::Edit;
pub(crate) use fill::fill;
pub(crate) use remask::remask;
pub use remask::{Remask, RemaskRate};
pub(crate) use renoise::random_token;
pub use replan::Replan;
pub(crate) use reveal::write;
pub(crate) use uniform::{Posterior, Route};

use crate::error::Error;
use crate::schedule::{Sizes, Transition};
use crate::select::Select;

/// What happens to the positions of a segment.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Update {
    /// A chosen position gets its drawn token, which stays.
    Reveal,
    /// A chosen position gets its drawn token; committed ones may become masks again, which a plan
    /// says before the network runs ([`Plan::remasked`](crate::Plan::remasked)). For
    /// [`Select::Bernoulli`](crate::Select::Bernoulli) with the ancestral transition, and a canvas
    /// with position kinds, of which only committed positions are remasked.
    Remask(Remask),
    /// A chosen position gets its drawn token; committed ones that are doubted may become masks again.
    Doubt(Doubt),
    /// A chosen position gets its drawn token; committed ones may be given another.
    Edit(Edit),
    /// All masked and committed positions compete for the places that are unmasked. For
    /// [`Select::TopK`](crate::Select::TopK).
    Replan(Replan),
    /// There are no masks: at every step a token is drawn for each position that is masked or committed
    /// (without kinds, for each of the segment), those that are chosen get it, and the others a random
    /// one (DiffusionGemma). All are looked at again in the next step. After the last step all have
    /// the likeliest tokens of that step. The canvas needs position states.
    Renoise {
        /// Random tokens are below this; 0 for the vocabulary of the logits.
        tokens: u32,
    },
    /// There are no masks, and noise is a random token: the exact reverse step of a uniform-state
    /// model, which draws the clean token of every position, and then gives the position that token, its
    /// own, or a random one (UDLM, Schiff et al., arXiv 2412.10193; Duo, Sahoo et al., arXiv
    /// 2506.10892). Positions are those of [`Renoise`](Self::Renoise). For
    /// [`Select::Bernoulli`](crate::Select::Bernoulli) with the ancestral transition.
    UniformState {
        /// How many tokens noise is uniform among; 0 for the vocabulary of the logits.
        tokens: u32,
    },
}

impl Update {
    /// How committed positions become masks again, if they do.
    pub(crate) const fn remask(&self) -> Option<&Remask> {
        match self {
            Self::Remask(remask) => Some(remask),
            _ => None,
        }
    }

    /// Whether committed positions are looked at again, so that a plan names them as well.
    pub(crate) const fn revises(&self) -> bool {
        !matches!(self, Self::Reveal | Self::Remask(_))
    }

    /// Whether there are no masks, but tokens that are noise.
    pub(crate) const fn is_maskless(&self) -> bool {
        matches!(self, Self::Renoise { .. } | Self::UniformState { .. })
    }

    /// Whether the rows of positions matter, whatever their scores are.
    pub(crate) const fn reads_row(&self) -> bool {
        matches!(self, Self::Doubt(_) | Self::Edit(_) | Self::Renoise { .. })
    }

    /// Whether the law at the tokens that stand there is looked at.
    pub(crate) const fn reads_standing(&self) -> bool {
        matches!(self, Self::Doubt(Doubt { of: DoubtOf::Standing, .. }))
    }

    /// Checks its parameters, and that the other parts of the policy go with it.
    pub(crate) fn check(
        &self,
        select: Select,
        transition: Transition,
        sizes: &Sizes<'_>,
    ) -> Result<(), Error> {
        let fits = match self {
            Self::Reveal => true,
            Self::Remask(_) | Self::UniformState { .. } => {
                select == Select::Bernoulli && transition == Transition::Ancestral
            }
            Self::Replan(_) => select == Select::TopK,
            Self::Doubt(_) | Self::Edit(_) | Self::Renoise { .. } => select.is_by_score(),
        };
        if !fits {
            let expected = "one that goes with the selection and the transition, as reveal does";
            let value = self.number().into();
            return Err(Error::Argument { name: "update", value, expected });
        }
        match self {
            Self::Remask(remask) => remask.check(),
            Self::Doubt(doubt) => doubt.check(),
            Self::Edit(edit) => edit.check(),
            Self::Replan(replan) => replan.check(sizes),
            Self::Reveal | Self::Renoise { .. } | Self::UniformState { .. } => Ok(()),
        }
    }

    /// Its number in C.
    pub(crate) const fn number(&self) -> u32 {
        match self {
            Self::Reveal => 0,
            Self::Remask(_) => 1,
            Self::Doubt(_) => 2,
            Self::Edit(_) => 3,
            Self::Replan(_) => 4,
            Self::Renoise { .. } => 5,
            Self::UniformState { .. } => 6,
        }
    }
}
