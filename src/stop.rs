//! Is a segment done? And if masks are left after the last step, what becomes of them?

use crate::policy::Policy;

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

/// Where a segment of `masks` masks stands before its step number `step`.
pub(crate) fn phase(policy: &Policy<'_>, step: u32, masks: u32) -> Phase {
    let calls = policy.calls();
    // What is committed may be masked again.
    let may_remask = policy.update.remask().is_some() && calls.is_some_and(|calls| step < calls);
    if masks == 0 && !may_remask {
        return Phase::Done;
    }
    let Some(calls) = calls else { return Phase::Decode };
    match policy.stop.finish {
        _ if step < calls => Phase::Decode,
        Finish::None => Phase::Done,
        Finish::Sample | Finish::Argmax if step == calls => Phase::Finish,
        Finish::Sample | Finish::Argmax => Phase::Done,
    }
}
