//! The first half of a step: which rows are drawn from, a token for each of them, and what is known of
//! it. Rows do not see each other, so a range of them may be drawn by whoever has their logits.

use super::judge::judge;
use super::rows_in;
use crate::canvas::{Canvas, Segment};
use crate::draw::{
    Batch, Described, DrawRule, Judged, Mixture, NOT_GIVEN, Outputs, RowRecord, RowState,
    StatisticsRule, Temperature, row_masses,
};
use crate::logits::Logits;
use crate::plan::{Plan, PlannedSegment};
use crate::policy::{Draw, Policy};
use crate::rng::Purpose;
use crate::sampler::{Sampler, draw_batch};
use crate::select::by_row;
use crate::stop::Finish;
use core::ops::Range;

/// Where what is known of the rows that are drawn from goes.
pub(super) enum Into<'a> {
    /// To the sampler's own memory, as its second half wants it.
    Step,
    /// To these, as many as rows.
    Records(&'a mut [RowRecord]),
}

impl Sampler {
    /// Draws from the rows in `range` that are to be drawn from, one behind the other into the
    /// sampler's own memory. Logical row `row_of(k, at)` belongs to row `k` of the plan, which is canvas
    /// position `at`.
    pub(super) fn draw_planned(
        &mut self,
        canvas: &Canvas<'_>,
        plan: &Plan,
        logits: &Logits<'_>,
        range: &Range<usize>,
        row_of: impl Fn(usize, u32) -> usize,
        into: Into<'_>,
    ) {
        self.decide(canvas, plan, logits, range, &row_of);
        self.gather(canvas, plan, logits.vocab(), range, row_of);
        let Self { level, threads, rows, keys, rule_of, rules, mixtures, .. } = self;
        let Self { statistics, given, judged, drawn, scratch, .. } = self;
        let constraints = canvas.constraints();
        let plain = Batch::new(logits, &constraints, keys);
        let earlier = logits.earlier();
        let against = earlier.as_ref();
        let batch = Batch { rows, rules, rule_of, statistics, against, given, mixtures, ..plain };
        let judge = judge(canvas, plan, keys, rule_of);
        let statistics = match into {
            // Where nothing is described there is nothing to keep.
            _ if statistics.is_empty() => Described::NONE,
            Into::Step => Described::Judged(judged, &judge),
            Into::Records(records) => Described::Records(&mut records[..keys.len()]),
        };
        let out = Outputs { drawn: &mut drawn[..keys.len()], statistics, top: &mut [] };
        draw_batch(*level, threads, &batch, out, scratch);
    }

    /// Collects what the rows in `range` are drawn by, of those whose state says so: job after job,
    /// segment after segment.
    pub(super) fn gather(
        &mut self,
        canvas: &Canvas<'_>,
        plan: &Plan,
        vocab: usize,
        range: &Range<usize>,
        row_of: impl Fn(usize, u32) -> usize,
    ) {
        let Self { rows, keys, rule_of, rules, mixtures, states, statistics, given, .. } = self;
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
            let is_drawn = |&k: &usize| states[k - range.start] == RowState::Drawn;
            for k in rows_in(plan, i, range).filter(is_drawn) {
                let at = plan.rows()[k];
                rows.push(row_of(k, at) as u32);
                keys.push(segment.position_key(at));
                rule_of.push(i as u32);
                if reads_standing {
                    // Those before it have none.
                    given.resize(keys.len(), NOT_GIVEN);
                    let standing = usize::try_from(canvas.tokens()[at as usize]);
                    let known = standing.ok().filter(|&token| token < vocab);
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
        let described = if statistics.is_empty() { 0 } else { keys.len() };
        self.judged.clear();
        self.judged.resize(described, Judged::NONE);
    }

    /// Fills the states of the rows in `range`: whether a token is to be drawn from each. The plan says
    /// so of most; some decide by their mass, before any token is drawn.
    fn decide(
        &mut self,
        canvas: &Canvas<'_>,
        plan: &Plan,
        logits: &Logits<'_>,
        range: &Range<usize>,
        row_of: impl Fn(usize, u32) -> usize,
    ) {
        let Self { level, threads, rows, mixtures, masses, states, scratch, .. } = self;
        states.clear();
        let kept = |mixture: &Mixture| match *mixture == Mixture::NOTHING {
            true => RowState::Kept,
            false => RowState::Drawn,
        };
        // There are none, or one for each row.
        states.extend(plan.mixtures().get(range.clone()).unwrap_or_default().iter().map(kept));
        states.resize(range.len(), RowState::Drawn);
        rows.clear();
        mixtures.clear();
        let deciding = || {
            let all = plan.segments().iter().zip(canvas.segments()).enumerate();
            all.filter_map(|(i, (planned, segment))| Some((i, planned.by_row?, segment)))
        };
        for k in deciding().flat_map(|(i, ..)| rows_in(plan, i, range)) {
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
            for (k, &mass) in rows_in(plan, i, range).zip(&mut masses) {
                let key = segment.position_key(plan.rows()[k]);
                states[k - range.start] = if mass.is_nan() {
                    RowState::Bad
                } else if by_row::moves(by_row.probability(mass), key, Purpose::RowReveal) {
                    RowState::Drawn
                } else {
                    RowState::Kept
                };
            }
        }
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
    let temperature = match policy.cooled(score.temperature, segment.step) {
        f32::INFINITY if score.temperature.is_infinite() => f32::INFINITY,
        cooled => cooled.clamp(1e-30, Temperature::HIGHEST_OF_LAWS),
    };
    let temperature = Temperature::new(temperature).ok().filter(|_| reads_row)?;
    let compares = planned.reads_earlier && policy.compares_steps();
    Some(StatisticsRule { temperature, filtered: score.filtered, compares })
}
