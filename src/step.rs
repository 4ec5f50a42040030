//! The whole pipeline on one screen: `plan` chooses positions before the network runs, `step`
//! draws their tokens from its logits and writes them.

use crate::canvas::{Canvas, PositionKind, PositionState, Segment};
use crate::draw::{
    Batch, Described, DrawRule, Drawn, Judged, Mixture, NOT_GIVEN, Outputs, RowState,
    StatisticsRule, Summary, Temperature, row_masses,
};
use crate::error::{Error, shape};
use crate::logits::Logits;
use crate::plan::{Plan, PlannedSegment};
use crate::policy::{Draw, Policy, Stable};
use crate::rng::{Key, Purpose};
use crate::sampler::{Sampler, draw_batch};
use crate::select::{Candidate, Select, by_row, fill as fill_up, surest, to_front};
use crate::stop::{Finish, Phase, phase};
use crate::update::{Doubt, DoubtOf, Posterior, Route, Update, fill, random_token, remask, write};

/// What a step reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepReport {
    /// Positions that got a token.
    pub revealed: usize,
    /// Positions that stayed as they were because their row was bad.
    pub bad_rows: usize,
    /// Positions that became masks again.
    pub remasked: usize,
    /// Positions that were filled, since their text has ended before them.
    pub filled: usize,
    /// Committed positions that got another token.
    pub edited: usize,
    /// Positions that got a random token.
    pub renoised: usize,
}

#[cfg(feature = "capi")]
impl Sampler {
    /// The plan of the last [`step`](Self::step): its rows are those of [`drawn`](Self::drawn).
    pub(crate) fn own_plan(&self) -> &Plan {
        &self.plan
    }
}

impl Sampler {
    /// Makes the step that `plan` chose: draws a token for each of its rows that moves and writes it,
    /// then advances every segment by one step. Logical row `k` of `logits`, and of constraints by row,
    /// belongs to `plan.rows()[k]`.
    ///
    /// A bad row (NaN, +∞, or no finite logit) leaves its position masked. The clock of a
    /// first-hitting segment (its `log_masked`) then stands still, unless other rows of its step
    /// were good: nothing was revealed, so no time has passed.
    ///
    /// # Errors
    /// A plan of another canvas or step, another number of logits rows than the plan's, no earlier
    /// logits where the plan reads them, constraints that do not fit the logits, or more rows than the
    /// sampler was made for. Nothing is changed then.
    pub fn step_planned(
        &mut self,
        canvas: &mut Canvas<'_>,
        plan: &Plan,
        logits: &Logits<'_>,
    ) -> Result<StepReport, Error> {
        plan.check(canvas)?;
        shape(
            logits.rows() == plan.rows().len(),
            "logits rows",
            logits.rows(),
            "the plan's,",
            plan.rows().len(),
        )?;
        check_earlier(plan, logits)?;
        canvas.constraints().check(logits.rows(), logits.vocab())?;
        self.reserve(plan.rows().len(), logits.vocab())?;
        Ok(self.apply(canvas, plan, logits, |k, _| k))
    }

    /// Plans and makes a step in one call, for a client that has the logits of all positions:
    /// logical row `i` of `logits`, and of constraints by row, belongs to canvas position `i`.
    ///
    /// # Errors
    /// Another number of logits rows than tokens, no earlier logits where the plan reads them,
    /// constraints that do not fit the logits, or a canvas larger than the sampler was made for. Nothing
    /// is changed then.
    pub fn step(
        &mut self,
        canvas: &mut Canvas<'_>,
        logits: &Logits<'_>,
    ) -> Result<StepReport, Error> {
        let positions = canvas.tokens().len();
        shape(
            logits.rows() == positions,
            "logits rows",
            logits.rows(),
            "as many as the tokens,",
            positions,
        )?;
        let mut plan = core::mem::take(&mut self.plan);
        let result = plan
            .fill(self.level, canvas)
            .and_then(|()| check_earlier(&plan, logits))
            .and_then(|()| canvas.constraints().check(logits.rows(), logits.vocab()))
            .and_then(|()| self.reserve(plan.rows().len(), logits.vocab()))
            .map(|()| self.apply(canvas, &plan, logits, |_, at| at as usize));
        self.plan = plan;
        result
    }

    /// decide → draw → select → update → time, for a plan that fits. Cannot fail.
    fn apply(
        &mut self,
        canvas: &mut Canvas<'_>,
        plan: &Plan,
        logits: &Logits<'_>,
        row_of: impl Fn(usize, u32) -> usize,
    ) -> StepReport {
        self.decide(canvas, plan, logits, &row_of);
        self.draw_planned(canvas, plan, logits, row_of);
        self.select(canvas, plan, logits.vocab());
        self.spread(plan.rows().len());
        self.update(canvas, plan)
    }

    /// Draws a token for each row of the plan that is to be drawn from, and judges it if its policy
    /// looks at scores.
    fn draw_planned(
        &mut self,
        canvas: &Canvas<'_>,
        plan: &Plan,
        logits: &Logits<'_>,
        row_of: impl Fn(usize, u32) -> usize,
    ) {
        let Self { level, threads, rows, keys, rule_of, rules, mixtures, states, .. } = self;
        let Self { statistics, given, judged, drawn, scratch, .. } = self;
        rows.clear();
        keys.clear();
        rule_of.clear();
        rules.clear();
        mixtures.clear();
        statistics.clear();
        given.clear();
        for (i, (segment, planned)) in canvas.segments().iter().zip(plan.segments()).enumerate() {
            let policy = canvas.policy(segment);
            rules.push(step_rule(policy, segment.step));
            statistics.push(statistics_rule(policy, segment, planned));
            let reads_standing = policy.update.reads_standing();
            for k in rows_of(plan, i).filter(|&k| states[k] == RowState::Drawn) {
                let at = plan.rows()[k];
                rows.push(row_of(k, at) as u32);
                keys.push(segment.position_key(at));
                rule_of.push(i as u32);
                if reads_standing {
                    // Those before it have none.
                    given.resize(keys.len(), NOT_GIVEN);
                    let standing = usize::try_from(canvas.tokens()[at as usize]);
                    let known = standing.ok().filter(|&token| token < logits.vocab());
                    if let (Some(given), Some(token)) = (given.last_mut(), known) {
                        *given = token as u32;
                    }
                }
                mixtures.extend(plan.mixtures().get(k));
            }
        }
        if statistics.iter().all(Option::is_none) {
            statistics.clear();
        }
        let constraints = canvas.constraints();
        let plain = Batch::new(logits, &constraints, keys);
        let earlier = logits.earlier();
        let against = earlier.as_ref();
        let batch = Batch { rows, rules, rule_of, statistics, against, given, mixtures, ..plain };
        let judge = judge(canvas, plan, keys, rule_of);
        judged.clear();
        // Where nothing is described there is nothing to keep.
        if !batch.statistics.is_empty() {
            judged.resize(batch.keys.len(), Judged::NONE);
        }
        let drawn = &mut drawn[..batch.keys.len()];
        let statistics = match statistics.is_empty() {
            true => Described::NONE,
            false => Described::Judged(judged, &judge),
        };
        let out = Outputs { drawn, statistics, top: &mut [] };
        draw_batch(*level, threads, &batch, out, scratch);
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

    /// Fills the states of the plan's rows: whether a token is to be drawn from each. The plan says so
    /// of most; some decide by their mass, before any token is drawn.
    fn decide(
        &mut self,
        canvas: &Canvas<'_>,
        plan: &Plan,
        logits: &Logits<'_>,
        row_of: impl Fn(usize, u32) -> usize,
    ) {
        let Self { level, threads, rows, mixtures, masses, states, scratch, .. } = self;
        states.clear();
        let kept = |mixture: &Mixture| match *mixture == Mixture::NOTHING {
            true => RowState::Kept,
            false => RowState::Drawn,
        };
        states.extend(plan.mixtures().iter().map(kept));
        states.resize(plan.rows().len(), RowState::Drawn);
        rows.clear();
        mixtures.clear();
        let deciding = || {
            let all = plan.segments().iter().zip(canvas.segments()).enumerate();
            all.filter_map(|(i, (planned, segment))| Some((i, planned.by_row?, segment)))
        };
        for k in deciding().flat_map(|(i, ..)| rows_of(plan, i)) {
            rows.push(row_of(k, plan.rows()[k]) as u32);
            mixtures.extend(plan.mixtures().get(k));
        }
        let constraints = canvas.constraints();
        let batch = Batch { rows, mixtures, ..Batch::new(logits, &constraints, &[]) };
        let (jobs, masses) = (rows.len(), &mut masses[..rows.len()]);
        threads.split(jobs, &mut *masses, scratch, jobs * logits.vocab(), |jobs, out, scratch| {
            row_masses(*level, &batch, jobs, out, scratch);
        });
        let mut masses = masses.iter();
        for (i, by_row, segment) in deciding() {
            for (k, &mass) in rows_of(plan, i).zip(&mut masses) {
                let key = segment.position_key(plan.rows()[k]);
                states[k] = if mass.is_nan() {
                    RowState::Bad
                } else if by_row::moves(by_row.probability(mass), key, Purpose::RowReveal) {
                    RowState::Drawn
                } else {
                    RowState::Kept
                };
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
                        false => judge(job, drawn[job], &Summary::BAD),
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

    /// Moves what was drawn, one behind the other, to the rows of the plan that it was drawn for.
    fn spread(&mut self, rows: usize) {
        let Self { states, drawn, .. } = self;
        self.filled = rows;
        let mut left = states.iter().filter(|&&state| state == RowState::Drawn).count();
        if left == rows {
            return;
        }
        // From the end, where places are free.
        for k in (0..rows).rev() {
            drawn[k] = match states[k] {
                RowState::Drawn => {
                    left -= 1;
                    drawn[left]
                }
                RowState::Bad => Drawn::BAD,
                _ => Drawn::KEPT,
            };
        }
    }
}

/// The rows of segment `segment` in a plan.
fn rows_of(plan: &Plan, segment: usize) -> core::ops::Range<usize> {
    plan.offsets()[segment] as usize..plan.offsets()[segment + 1] as usize
}

/// Refuses logits without an earlier output if the plan reads it.
fn check_earlier(plan: &Plan, logits: &Logits<'_>) -> Result<(), Error> {
    let missing = logits.earlier().is_none() && plan.segments().iter().any(|s| s.reads_earlier);
    shape(!missing, "earlier rows", 0, "as many as the logits rows,", logits.rows())
}

/// Makes of each row what its segment's policy keeps of it.
fn judge<'a>(
    canvas: &'a Canvas<'_>,
    plan: &'a Plan,
    keys: &'a [Key],
    segment_of: &'a [u32],
) -> impl Fn(usize, Drawn, &Summary) -> Judged + Sync + 'a {
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
    fn candidate(&self, at: u32, job: u32, committed: bool) -> Candidate {
        let &Self { order, entropy, belief, stable, .. } = self;
        Candidate { order, entropy, belief, at, job, stable, committed, chosen: false }
    }

    /// What is kept of a position whose token was written in step number `step`, from 1.
    fn state(&self, step: u32) -> PositionState {
        let &Self { probability, argmax, .. } = self;
        PositionState { step, probability, stable: 0, argmax: argmax.max(0) }
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

/// Whether a position is a committed one that its policy looks at again as such.
fn is_revised(canvas: &Canvas<'_>, policy: &Policy<'_>, at: u32) -> bool {
    let Policy { update, .. } = policy;
    let apart = update.revises() && !update.is_maskless();
    apart && canvas.kind(at) == PositionKind::COMMITTED
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

/// How a segment's rows are drawn at this step: a finish by argmax is a step at temperature 0.
fn step_rule(policy: &Policy<'_>, step: u32) -> DrawRule {
    let finishing = policy.calls().is_some_and(|calls| step >= calls);
    if finishing && policy.stop.finish == Finish::Argmax {
        return DrawRule::GREEDY;
    }
    let temperature = policy.cooled(policy.draw.temperature, step);
    DrawRule::new(&Draw { temperature, ..policy.draw }).unwrap_or(DrawRule::GREEDY)
}

/// What is to be known of a segment's rows for its scores.
fn statistics_rule(
    policy: &Policy<'_>,
    segment: &Segment,
    planned: &PlannedSegment,
) -> Option<StatisticsRule> {
    let Policy { score, select, update, .. } = policy;
    let by_confidence = update.remask().is_some_and(|rule| rule.by_confidence);
    let scored = planned.by_score.is_some()
        && (score.reads_row() || select.reads_row() || update.reads_row());
    let reads_row = scored || by_confidence || policy.reads_entropy();
    let temperature = policy.cooled(score.temperature, segment.step);
    let temperature = Temperature::new(temperature).ok().filter(|_| reads_row)?;
    let compares = planned.reads_earlier && policy.compares_steps();
    Some(StatisticsRule { temperature, filtered: score.filtered, compares })
}
