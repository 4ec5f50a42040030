//! Is a segment done? And if masks are left after the last step, what becomes of them?

use crate::canvas::Segment;
use crate::error::{Error, number};
use crate::policy::Policy;
use crate::update::Update;

/// When a segment is done although it could go on: it has come to rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settle {
    /// So many steps in a row, at least 1, have changed nothing (see
    /// [`Segment::settled`](crate::Segment::settled)).
    pub steps: u32,
    /// The mean entropy of the rows of the latest step is below this, in nats, in the law of the
    /// policy's [`Score`](crate::policy::Score); +∞ for any.
    pub mean_entropy: f64,
}

impl Settle {
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.steps == 0 {
            let (name, expected) = ("stop.settle.steps", "at least 1");
            return Err(Error::Argument { name, value: 0.0, expected });
        }
        number("stop.settle.mean_entropy", self.mean_entropy)
    }

    /// Whether entropies are looked at.
    pub(crate) fn reads_entropy(&self) -> bool {
        self.mean_entropy < f64::INFINITY
    }

    /// Whether a segment has come to rest.
    pub(crate) fn holds(&self, segment: &Segment) -> bool {
        let calm = !self.reads_entropy() || segment.mean_entropy < self.mean_entropy;
        segment.settled >= self.steps && calm
    }
}

/// What is done about positions that are still masked after the last step of a time grid or of a
/// list of sizes.
///
/// It takes one more network call, at the grid's last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// They stay masked.
    None,
    /// They are drawn at the policy's temperature (Lou et al., arXiv 2310.16834).
    Sample,
    /// They get their most likely token, which biases the law (Sahoo et al., arXiv 2406.07524).
    Argmax,
}

/// Where a segment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// An ordinary step is next.
    Decode,
    /// The steps are used up; all masks that are left are revealed now.
    Finish,
    /// Nothing will move any more.
    Done,
}

/// Where a segment of `masks` masks, and `open` positions that are masked or committed, stands before
/// its next step.
pub(crate) fn phase(policy: &Policy<'_>, segment: &Segment, masks: u32, open: u32) -> Phase {
    let (calls, step) = (policy.calls(), segment.step);
    let is_settled = policy.stop.settle.is_some_and(|settle| settle.holds(segment));
    if is_settled {
        return Phase::Done;
    }
    if policy.update.is_maskless() {
        let goes_on = open > 0 && calls.is_none_or(|calls| step < calls);
        return if goes_on { Phase::Decode } else { Phase::Done };
    }
    if masks == 0 {
        let goes_on = match policy.update {
            // What is committed may be masked again.
            Update::Remask(_) => calls.is_some_and(|calls| step < calls),
            Update::Edit(edit) => {
                let changed = segment.extra_steps == 0 || segment.settled == 0;
                open > 0 && changed && segment.extra_steps < edit.extra_steps
            }
            _ => false,
        };
        return if goes_on { Phase::Decode } else { Phase::Done };
    }
    let Some(calls) = calls else { return Phase::Decode };
    match policy.stop.finish {
        _ if step < calls => Phase::Decode,
        Finish::None => Phase::Done,
        Finish::Sample | Finish::Argmax if step == calls => Phase::Finish,
        Finish::Sample | Finish::Argmax => Phase::Done,
    }
}
