//! Neighbours: the surest positions, and those beside a very sure one that are sure enough themselves
//! (LocalLeap, Kong et al., arXiv 2510.07081).

use super::candidate::to_front;
use super::{Candidate, top_k};
use crate::error::{Error, number};
use crate::score::Score;

/// When a position follows its neighbour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbours {
    /// The least score of a revealed position that others follow.
    pub anchor: f64,
    /// The least score of a position that follows.
    pub near: f64,
    /// How far from it that may be, in positions.
    pub radius: u32,
}

impl Neighbours {
    /// LocalLeap's: 0.9, 0.75 and 4.
    pub const LOCAL_LEAP: Self = Self { anchor: 0.9, near: 0.75, radius: 4 };

    pub(crate) fn check(&self) -> Result<(), Error> {
        number("neighbours.anchor", self.anchor)?;
        number("neighbours.near", self.near)
    }

    /// Moves the positions to be revealed to the front; returns how many there are.
    pub(crate) fn choose(
        &self,
        score: &Score<'_>,
        candidates: &mut [Candidate],
        size: usize,
    ) -> usize {
        let (anchor, near) = (score.bar(self.anchor), score.bar(self.near));
        let count = top_k::choose(candidates, size);
        let (top, others) = candidates.split_at_mut(count);
        let beside =
            |at: u32| top.iter().any(|c| c.order >= anchor && c.at.abs_diff(at) <= self.radius);
        count + to_front(others, |c| c.order >= near && beside(c.at))
    }
}
