//! What happens to the positions that move? The only room that writes tokens.

mod reveal;

pub(crate) use reveal::reveal;

/// What happens to a chosen position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Update {
    /// Its drawn token is written and stays.
    Reveal,
}
