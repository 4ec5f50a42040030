//! What happens to the positions that move? The only room that writes tokens.

mod fill;
mod remask;
mod reveal;

pub(crate) use fill::fill;
pub(crate) use remask::remask;
pub use remask::{Remask, RemaskRate};
pub(crate) use reveal::reveal;

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
}

impl Update {
    /// How committed positions become masks again, if they do.
    pub(crate) const fn remask(&self) -> Option<&Remask> {
        match self {
            Self::Remask(remask) => Some(remask),
            Self::Reveal => None,
        }
    }
}
