//! What a rule that looks at scores is told of a position.

use core::cmp::Ordering;

/// A position whose row was good: a masked one, or a committed one that is looked at again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// What stands for its score: the larger, the surer.
    pub(crate) order: f64,
    /// The entropy of its law; NaN if no rule asks for it.
    pub(crate) entropy: f64,
    /// Its canvas position.
    pub(crate) at: u32,
    /// Which of the drawn tokens is its own.
    pub(crate) job: u32,
    /// For how many steps in a row its law has hardly changed.
    pub(crate) stable: u32,
    /// Of a committed one, the probability by which it is judged anew.
    pub(crate) belief: f64,
    /// Whether it is committed.
    pub(crate) committed: bool,
    /// A mark for rules that look at candidates twice.
    pub(crate) chosen: bool,
}

impl Candidate {
    /// The surest first; ties: the lowest position.
    pub(crate) fn rank(&self, other: &Self) -> Ordering {
        other.order.total_cmp(&self.order).then(self.at.cmp(&other.at))
    }
}

/// Moves those that `chosen` says to the front, ascending if they were; returns how many.
pub(crate) fn to_front(candidates: &mut [Candidate], chosen: impl Fn(&Candidate) -> bool) -> usize {
    let mut count = 0;
    for i in 0..candidates.len() {
        if chosen(&candidates[i]) {
            candidates.swap(count, i);
            count += 1;
        }
    }
    count
}
