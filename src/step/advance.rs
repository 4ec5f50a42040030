//! The second half of a step: which positions move, what becomes of them, and how far that brings
//! their segments. Nothing here sees logits.

use super::judge::{is_revised, judge};
use super::{StepReport, rows_of};
use crate::canvas::{Canvas, PositionState, Segment};
use crate::draw::{Drawn, Judged, Mixture, NOT_GIVEN, RowRecord, RowState, RowStatistics};
use crate::plan::Plan;
use crate::policy::Policy;
use crate::rng::{Key, Purpose};
use crate::sampler::Sampler;
use crate::select::{Candidate, Select, fill as fill_up, surest, to_front};
use crate::stop::{Phase, phase};
use crate::update::{Doubt, DoubtOf, Posterior, Route, Update, fill, random_token, remask, write};

impl Sampler {
    /// Select → update → time, for rows that were drawn from: the whole of the plan. Cannot fail.
    pub(super) fn finish(
        &mut self,
        canvas: &mut Canvas<'_>,
        plan: &Plan,
        vocab: usize,
    ) -> StepReport {
        self.select(canvas, plan, vocab);
        self.spread(plan.rows().len(), &mut []);
        self.update(canvas, plan)
    }

    /// Takes records in place of rows of logits: leaves what [`draw_planned`](Self::draw_planned) does.
    pub(super) fn take(
        &mut self,
        canvas: &Canvas<'_>,
        plan: &Plan,
        vocab: usize,
        records: &[RowRecord],
    ) {
        self.states.clear();
        for (i, planned) in plan.segments().iter().enumerate() {
            self.states.extend(rows_of(plan, i).map(|k| {
                // Only some rows may decide themselves that their positions stay.
                let stays = planned.by_row.is_some() && records[k].state == RowState::Kept as u32;
                match stays || plan.mixtures().get(k) == Some(&Mixture::NOTHING) {
                    true => RowState::Kept,
                    false => RowState::Drawn,
                }
            }));
        }
        self.gather(canvas, plan, vocab, &(0..records.len()), |k, _| k);
        let Self { states, keys, rule_of, statistics, given, .. } = self;
        let Self { mixtures, drawn, judged, .. } = self;
        let judge = judge(canvas, plan, keys, rule_of);
        let rows = (0..records.len()).filter(|&k| states[k] == RowState::Drawn);
        for (job, k) in rows.enumerate() {
            let (i, at) = (rule_of[job] as usize, plan.rows()[k]);
            let policy = canvas.policy(&canvas.segments()[i]);
            let scored = plan.segments()[i].by_score.is_some();
            let stands = given.get(job).is_some_and(|&token| token != NOT_GIVEN);
            // Mixtures are not described.
            let is_latest = mixtures.get(job).is_none_or(|mixture| mixture.is_latest());
            let described = is_latest && statistics.get(i).is_some_and(Option::is_some);
            let record = &records[k];
            let says_all = || {
                let judged = stands && is_revised(canvas, policy, at);
                record.describes(policy, scored, judged, vocab)
            };
            let outcome = record.drawn(canvas.mask_token(), vocab);
            let (outcome, row) = match outcome.filter(|_| !described || says_all()) {
                Some(outcome) => (outcome, &record.statistics),
                None => (Drawn::BAD, &RowStatistics::BAD),
            };
            drawn[job] = outcome;
            if described {
                judged[job] = judge(job, outcome, row);
            }
        }
    }

    /// Where scores decide, which positions move; and what becomes of those that do not.
    fn select(&mut self, canvas: &Canvas<'_>, plan: &Plan, vocab: usize) {
        let Self { states, drawn, judged, statistics, keys, rule_of, candidates, .. } = self;
        let judge = judge(canvas, plan, keys, rule_of);
        let mut jobs = 0;
        for (i, (planned, segment)) in plan.segments().iter().zip(canvas.segments()).enumerate() {
            let rows = rows_of(plan, i);
            let first = jobs;
            jobs += states[rows.clone()].iter().filter(|&&state| state == RowState::Drawn).count();
            let rows = &plan.rows()[rows];
            let policy = canvas.policy(segment);
            let Policy { update, .. } = policy;
            if let Some(posterior) = &planned.posterior {
                let tokens = tokens_of(update, vocab);
                for (job, &at) in (first..jobs).zip(rows) {
                    let standing = canvas.tokens()[at as usize];
                    drawn[job] = routed(posterior, keys[job], tokens, drawn[job], standing);
                }
                continue;
            }
            let Some(size) = planned.by_score else { continue };
            // All rows of such a segment were drawn from, and candidates are masked ones first.
            candidates.clear();
            let mut masks = 0;
            for committed in [false, true] {
                for (job, &at) in (first..jobs).zip(rows) {
                    let fits = is_revised(canvas, policy, at) == committed;
                    if drawn[job].state != RowState::Drawn || !fits {
                        continue;
                    }
                    let is_judged = statistics.get(i).is_some_and(Option::is_some);
                    let judged = match is_judged {
                        true => judged[job],
                        // Its score does not look at the row.
                        false => judge(job, drawn[job], &RowStatistics::BAD),
                    };
                    candidates.push(judged.candidate(at, job as u32, committed));
                }
                if !committed {
                    masks = candidates.len();
                }
                if !update.revises() {
                    break;
                }
            }
            choose(canvas, segment, size, candidates, masks, drawn);
            if let Update::Renoise { .. } = update {
                let tokens = tokens_of(update, vocab);
                for (drawn, &key) in drawn[first..jobs].iter_mut().zip(&keys[first..jobs]) {
                    if drawn.state == RowState::Kept {
                        *drawn = renoised(key, tokens);
                    }
                }
            }
        }
    }

    /// Moves what was drawn, one behind the other, to the rows that it was drawn for; and with it the
    /// statistics of `records`, into as many records as rows, or none.
    pub(super) fn spread(&mut self, rows: usize, records: &mut [RowRecord]) {
        let Self { states, drawn, .. } = self;
        self.filled = rows;
        let mut left = states.iter().filter(|&&state| state == RowState::Drawn).count();
        if left < rows {
            // From the end, where places are free.
            for k in (0..rows).rev() {
                let (outcome, statistics) = match states[k] {
                    RowState::Drawn => {
                        left -= 1;
                        (drawn[left], records.get(left).map(|record| record.statistics))
                    }
                    RowState::Bad => (Drawn::BAD, None),
                    _ => (Drawn::KEPT, None),
                };
                drawn[k] = outcome;
                if let Some(record) = records.get_mut(k) {
                    record.statistics = statistics.unwrap_or(RowStatistics::BAD);
                }
            }
        }
        for (record, &drawn) in records.iter_mut().zip(&drawn[..rows]) {
            *record = RowRecord::of(drawn, record.statistics);
        }
    }

    /// Writes what was chosen, and advances every segment by one step.
    fn update(&self, canvas: &mut Canvas<'_>, plan: &Plan) -> StepReport {
        let mut report = StepReport::default();
        let mut judged = self.judged.iter();
        for (i, planned) in plan.segments().iter().enumerate() {
            let segment = canvas.segments()[i];
            let policy = canvas.policy(&segment);
            let before = report;
            let mut rest = Rest::default();
            let first = judged.clone();
            for k in rows_of(plan, i) {
                let (at, drawn) = (plan.rows()[k], self.drawn[k]);
                // Rows were judged in the order in which they were drawn from.
                let is_drawn = self.states[k] == RowState::Drawn;
                let row = if is_drawn { judged.next() } else { None }.unwrap_or(&Judged::NONE);
                rest.look(canvas, at, row);
                let step = planned.step + 1;
                match drawn.state {
                    RowState::Drawn if policy.update.is_maskless() || canvas.is_masked(at) => {
                        report.revealed += 1;
                    }
                    RowState::Drawn => {
                        let other = canvas.tokens()[at as usize] != drawn.token;
                        report.edited += usize::from(other);
                    }
                    RowState::Remasked => report.remasked += 1,
                    RowState::Renoised => report.renoised += 1,
                    RowState::Bad => report.bad_rows += 1,
                    RowState::Kept if policy.select.stable().is_some() => {
                        let stable = row.stable;
                        canvas.note(at, PositionState { stable, ..PositionState::default() });
                    }
                    RowState::Kept => {}
                }
                write(canvas, at, drawn, row.state(step));
            }
            for &at in plan.remasked_of(i) {
                remask(canvas, at);
            }
            report.remasked += plan.remasked_of(i).len();
            let revealed = report.revealed - before.revealed;
            // A clock that only bad rows have seen stands still; those of pre-drawn hits may not.
            let stands = policy.select == Select::FirstHitting && revealed == 0;
            let unchanged = match policy.update {
                Update::Renoise { .. } => rest.is_same(),
                _ => StepReport { bad_rows: before.bad_rows, ..report } == before,
            };
            let segment = &mut canvas.segments_mut()[i];
            segment.step += 1;
            segment.initial_masks = planned.initial_masks;
            segment.output_log_masked = planned.output_log_masked;
            segment.revealed = revealed as u32;
            segment.settled = if unchanged { segment.settled.saturating_add(1) } else { 0 };
            segment.extra_steps += u32::from(planned.masks == 0);
            segment.mean_entropy = rest.mean_entropy();
            if !stands {
                segment.log_masked = planned.log_masked;
            }
            let segment = *segment;
            let ends = || phase(policy, &segment, planned.masks, 1) == Phase::Done;
            if matches!(policy.update, Update::Renoise { .. }) && ends() {
                self.reveal_likeliest(canvas, plan, i, first);
            }
            report.filled += fill(canvas, i, &policy.stop);
        }
        report
    }

    /// Gives every position of a segment whose row was good its most likely token.
    fn reveal_likeliest<'a>(
        &self,
        canvas: &mut Canvas<'_>,
        plan: &Plan,
        segment: usize,
        judged: impl Iterator<Item = &'a Judged>,
    ) {
        let step = canvas.segments()[segment].step;
        let rows = rows_of(plan, segment).filter(|&k| self.states[k] == RowState::Drawn);
        for (k, row) in rows.zip(judged).filter(|(_, row)| row.argmax >= 0) {
            let drawn = Drawn { token: row.argmax, state: RowState::Drawn };
            write(canvas, plan.rows()[k], drawn, row.state(step));
        }
    }
}

/// Decides what becomes of the candidates of a segment, of which the first `masks` are masked and the
/// others committed, at a step of size `size`.
fn choose(
    canvas: &Canvas<'_>,
    segment: &Segment,
    size: u32,
    candidates: &mut [Candidate],
    masks: usize,
    drawn: &mut [Drawn],
) {
    let Policy { score, select, update, schedule, .. } = canvas.policy(segment);
    let steps = (segment.step, schedule.steps);
    let mask = Drawn { token: canvas.mask_token(), state: RowState::Remasked };
    // What is not chosen stays masked, or becomes a mask.
    let leave = |drawn: &mut [Drawn], candidates: &[Candidate]| {
        for candidate in candidates {
            drawn[candidate.job as usize] = if candidate.committed { mask } else { Drawn::KEPT };
        }
    };
    let keep = |drawn: &mut [Drawn], candidates: &[Candidate]| {
        for candidate in candidates {
            drawn[candidate.job as usize] = Drawn::KEPT;
        }
    };
    match update {
        Update::Replan(_) => {
            let kept = surest(candidates, size as usize);
            leave(drawn, &candidates[kept..]);
            let committed = to_front(&mut candidates[..kept], |c| c.committed);
            keep(drawn, &candidates[..committed]);
        }
        Update::Doubt(doubt @ Doubt { of: DoubtOf::Drawn, .. }) => {
            let doubted = doubt.doubted(&mut candidates[masks..]);
            let (open, others) = candidates.split_at_mut(masks + doubted);
            open.sort_unstable_by_key(|c| c.at);
            let chosen = select.choose(score, open, size, steps);
            let chosen = fill_up(open, chosen, doubted + 1);
            leave(drawn, &open[chosen..]);
            keep(drawn, others);
        }
        _ => {
            let (masked, committed) = candidates.split_at_mut(masks);
            let chosen = select.choose(score, masked, size, steps);
            leave(drawn, &masked[chosen..]);
            let (moved, kept) = match update {
                Update::Doubt(doubt) => {
                    let before = (segment.step > 0).then_some(segment.revealed);
                    let doubted = doubt.doubted(committed);
                    let count = Doubt::remasked(&mut committed[..doubted], chosen, before);
                    committed.split_at(count)
                }
                Update::Edit(edit) => {
                    let count = to_front(committed, |c| {
                        let same = canvas.tokens()[c.at as usize] == drawn[c.job as usize].token;
                        !same && c.belief > edit.above
                    });
                    (&[][..], &committed[count..])
                }
                _ => (&[][..], &*committed),
            };
            leave(drawn, moved);
            keep(drawn, kept);
        }
    }
}

/// How many tokens noise is uniform among.
fn tokens_of(update: &Update, vocab: usize) -> u32 {
    match *update {
        Update::Renoise { tokens } | Update::UniformState { tokens } if tokens > 0 => tokens,
        _ => vocab as u32,
    }
}

/// What becomes of a position that gets a random token.
fn renoised(key: Key, tokens: u32) -> Drawn {
    let token = random_token(key, Purpose::NoiseToken, tokens);
    Drawn { token, state: RowState::Renoised }
}

/// What becomes of a position of a uniform-state model.
fn routed(posterior: &Posterior, key: Key, tokens: u32, drawn: Drawn, standing: i32) -> Drawn {
    if drawn.state != RowState::Drawn {
        return drawn;
    }
    match posterior.route(key, tokens, drawn.token == standing) {
        Route::Clean => drawn,
        Route::Stay => Drawn::KEPT,
        Route::Noise => renoised(key, tokens),
    }
}

/// What is known of the rows of a segment in one step.
#[derive(Default)]
struct Rest {
    rows: u32,
    entropy: f64,
    changed: bool,
}

impl Rest {
    /// Takes in a row, before what was decided about its position is written.
    fn look(&mut self, canvas: &Canvas<'_>, at: u32, row: &Judged) {
        if row.argmax < 0 {
            return;
        }
        self.rows += 1;
        self.entropy += row.entropy;
        let before = canvas.states().map(|states| states[at as usize]);
        self.changed |= before.is_none_or(|state| state.step == 0 || state.argmax != row.argmax);
    }

    /// Whether the likeliest tokens of all good rows are those of the step before.
    fn is_same(&self) -> bool {
        self.rows > 0 && !self.changed
    }

    fn mean_entropy(&self) -> f64 {
        if self.rows > 0 { (self.entropy / f64::from(self.rows)).max(0.0) } else { 0.0 }
    }
}
