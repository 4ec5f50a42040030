//! What a step keeps of a row that is described: the numbers that its segment's policy looks at.

use crate::canvas::{Canvas, PositionKind, PositionState};
use crate::draw::{Drawn, Judged, RowNumbers};
use crate::plan::Plan;
use crate::policy::{Policy, Stable};
use crate::rng::Key;
use crate::select::Candidate;
use crate::update::Update;

/// Makes of each row what its segment's policy keeps of it.
pub(super) fn judge<'a, R: RowNumbers>(
    canvas: &'a Canvas<'_>,
    plan: &'a Plan,
    keys: &'a [Key],
    segment_of: &'a [u32],
) -> impl Fn(usize, Drawn, &R) -> Judged + Sync + 'a {
    move |job, drawn, row| {
        let (i, key) = (segment_of[job] as usize, keys[job]);
        let segment = &canvas.segments()[i];
        let policy = canvas.policy(segment);
        let Policy { score, update, schedule, .. } = policy;
        let at = segment.canvas_position(key.position);
        let committed = is_revised(canvas, policy, at);
        let steps = (segment.step, schedule.steps);
        let score =
            |is_itself| score.order(row, drawn.token, key, canvas.prior(at), steps, is_itself);
        let order = match update {
            _ if plan.segments()[i].by_score.is_none() => f64::NAN,
            // Even that of a token which comes last.
            Update::Replan(replan) if committed && replan.eta == 0.0 => 0.0,
            Update::Replan(replan) if committed => replan.eta * score(true),
            Update::Replan(_) => score(true),
            _ => score(false),
        };
        let before = canvas.states().map_or(0, |states| states[at as usize].stable);
        let count = |stable: &Stable| stable.count(row.divergence(), before);
        let belief = match update.reads_standing() {
            true => libm::exp(row.given_log_probability()),
            false => row.probability(),
        };
        Judged {
            order,
            entropy: if policy.reads_entropy() { row.entropy() } else { f64::NAN },
            belief,
            // That of a bad row is NaN.
            probability: row.probability().max(0.0) as f32,
            argmax: row.argmax(),
            stable: policy.select.stable().map_or(0, count),
        }
    }
}

impl Judged {
    /// What a rule is told of canvas position `at`, whose token is that of job `job`.
    pub(super) fn candidate(&self, at: u32, job: u32, committed: bool) -> Candidate {
        let &Self { order, entropy, belief, stable, .. } = self;
        Candidate { order, entropy, belief, at, job, stable, committed, chosen: false }
    }

    /// What is kept of a position whose token was written in step number `step`, from 1.
    pub(super) fn state(&self, step: u32) -> PositionState {
        let &Self { probability, argmax, .. } = self;
        PositionState { step, probability, stable: 0, argmax: argmax.max(0) }
    }
}

/// Whether a position is a committed one that its policy looks at again as such.
pub(super) fn is_revised(canvas: &Canvas<'_>, policy: &Policy<'_>, at: u32) -> bool {
    let Policy { update, .. } = policy;
    let apart = update.revises() && !update.is_maskless();
    apart && canvas.kind(at) == PositionKind::COMMITTED
}
