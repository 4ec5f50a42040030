//! The whole pipeline on one screen: `plan` chooses positions before the network runs, `step`
//! draws their tokens from its logits and writes them.

use crate::canvas::{Canvas, PositionState};
use crate::draw::{
    Batch, Described, DrawRule, Drawn, Judged, Mixture, Outputs, RowState, RowStatistics,
    StatisticsRule, Temperature, row_masses,
};
use crate::error::{Error, shape};
use crate::logits::Logits;
use crate::plan::{Plan, PlannedSegment};
use crate::policy::Policy;
use crate::rng::{Key, Purpose};
use crate::sampler::{Sampler, draw_batch};
use crate::select::{Candidate, Select, by_row};
use crate::stop::Finish;
use crate::update::{fill, remask, reveal};

/// What a step reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepReport {
    /// Positions that got a token.
    pub revealed: usize,
    /// Positions that stayed masked because their row was bad.
    pub bad_rows: usize,
    /// Positions that became masks again.
    pub remasked: usize,
    /// Positions that were filled, since their text has ended before them.
    pub filled: usize,
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
    /// then advances every segment by one step. Logical row `k` of `logits` belongs to
    /// `plan.rows()[k]`.
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
    /// logical row `i` of `logits` belongs to canvas position `i`.
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
        self.select(canvas, plan);
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
        let Self { statistics, judged, drawn, scratch, .. } = self;
        rows.clear();
        keys.clear();
        rule_of.clear();
        rules.clear();
        mixtures.clear();
        statistics.clear();
        for (i, (segment, planned)) in canvas.segments().iter().zip(plan.segments()).enumerate() {
            rules.push(step_rule(canvas.policy(segment), segment.step));
            statistics.push(statistics_rule(canvas.policy(segment), planned));
            for k in rows_of(plan, i).filter(|&k| states[k] == RowState::Drawn) {
                let at = plan.rows()[k];
                rows.push(row_of(k, at) as u32);
                keys.push(segment.position_key(at));
                rule_of.push(i as u32);
                mixtures.extend(plan.mixtures().get(k));
            }
        }
        if statistics.iter().all(Option::is_none) {
            statistics.clear();
        }
        let constraints = canvas.constraints();
        let plain = Batch::new(logits, &constraints, keys);
        let batch = Batch { rows, rules, rule_of, statistics, mixtures, ..plain };
        let judge = judge(canvas, plan, keys, rule_of);
        judged.clear();
        judged.resize(batch.keys.len(), Judged::NONE);
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
            let mut revealed = 0;
            for k in rows_of(plan, i) {
                let drawn = self.drawn[k];
                // Rows were judged in the order in which they were drawn from.
                let is_drawn = self.states[k] == RowState::Drawn;
                let row = if is_drawn { judged.next() } else { None };
                let probability = row.map_or(0.0, |row| row.probability);
                let state = PositionState { step: planned.step + 1, probability };
                revealed += usize::from(reveal(canvas, plan.rows()[k], drawn, state));
                report.bad_rows += usize::from(drawn.state == RowState::Bad);
            }
            for &at in plan.remasked_of(i) {
                remask(canvas, at);
            }
            report.remasked += plan.remasked_of(i).len();
            report.revealed += revealed;
            let segment = canvas.segments()[i];
            // A clock that only bad rows have seen stands still; those of pre-drawn hits may not.
            let stands = canvas.policy(&segment).select == Select::FirstHitting && revealed == 0;
            let segment = &mut canvas.segments_mut()[i];
            segment.step += 1;
            segment.initial_masks = planned.initial_masks;
            segment.output_log_masked = planned.output_log_masked;
            if !stands {
                segment.log_masked = planned.log_masked;
            }
            let policy = canvas.policy(&canvas.segments()[i]);
            report.filled += fill(canvas, i, &policy.stop);
        }
        report
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

    /// Where scores decide, keeps the positions masked that are not chosen.
    fn select(&mut self, canvas: &Canvas<'_>, plan: &Plan) {
        let Self { states, drawn, judged, statistics, keys, rule_of, candidates, .. } = self;
        let judge = judge(canvas, plan, keys, rule_of);
        let mut jobs = 0;
        for (i, (planned, segment)) in plan.segments().iter().zip(canvas.segments()).enumerate() {
            let rows = rows_of(plan, i);
            let Some(size) = planned.by_score else {
                let is_drawn = |&&state: &&RowState| state == RowState::Drawn;
                jobs += states[rows].iter().filter(is_drawn).count();
                continue;
            };
            let Policy { score, select, schedule, .. } = canvas.policy(segment);
            let steps = (segment.step, schedule.steps);
            candidates.clear();
            for &at in &plan.rows()[rows] {
                let (job, drawn) = (jobs, drawn[jobs]);
                jobs += 1;
                if drawn.state != RowState::Drawn {
                    continue;
                }
                let is_judged = statistics.get(i).is_some_and(Option::is_some);
                let Judged { order, entropy, .. } = match is_judged {
                    true => judged[job],
                    // Its score does not look at the row.
                    false => judge(job, drawn, &RowStatistics::BAD),
                };
                let job = job as u32;
                candidates.push(Candidate { order, entropy, at, job, chosen: false });
            }
            let chosen = select.choose(score, candidates, size, steps);
            for candidate in &candidates[chosen..] {
                drawn[candidate.job as usize] = Drawn::KEPT;
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
                RowState::Kept => Drawn::KEPT,
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
) -> impl Fn(usize, Drawn, &RowStatistics) -> Judged + Sync + 'a {
    move |job, drawn, row| {
        let (i, key) = (segment_of[job] as usize, keys[job]);
        let segment = &canvas.segments()[i];
        let Policy { score, schedule, .. } = canvas.policy(segment);
        let order = match plan.segments()[i].by_score {
            Some(_) => {
                let prior = canvas.prior(segment.canvas_position(key.position));
                score.order(row, drawn.token, key, prior, (segment.step, schedule.steps))
            }
            None => f64::NAN,
        };
        // That of a bad row is NaN.
        let probability = row.probability.max(0.0) as f32;
        Judged { order, entropy: row.entropy, probability }
    }
}

/// How a segment's rows are drawn at this step: a finish by argmax is a step at temperature 0.
fn step_rule(policy: &Policy<'_>, step: u32) -> DrawRule {
    let finishing = policy.calls().is_some_and(|calls| step >= calls);
    if finishing && policy.stop.finish == Finish::Argmax {
        return DrawRule::GREEDY;
    }
    DrawRule::new(&policy.draw).unwrap_or(DrawRule::GREEDY)
}

/// What is to be known of a segment's rows for its scores.
fn statistics_rule(policy: &Policy<'_>, planned: &PlannedSegment) -> Option<StatisticsRule> {
    let by_confidence = policy.update.remask().is_some_and(|rule| rule.by_confidence);
    let scored =
        planned.by_score.is_some() && (policy.score.reads_row() || policy.select.reads_entropy());
    let reads_row = scored || by_confidence;
    let temperature = Temperature::new(policy.score.temperature).ok().filter(|_| reads_row)?;
    Some(StatisticsRule { temperature, compares: false })
}
