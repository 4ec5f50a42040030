//! The whole pipeline on one screen: `plan` chooses positions before the network runs, `step`
//! draws their tokens from its logits and writes them.

use crate::canvas::{Canvas, Segment};
use crate::constraints::Constraints;
use crate::draw::{Batch, DrawRule, Outputs, RowState};
use crate::error::{Error, shape};
use crate::logits::Logits;
use crate::policy::Policy;
use crate::rng::Purpose;
use crate::sampler::{Sampler, draw_batch};
use crate::schedule::hitting;
use crate::select::{self, Select};
use crate::stop::{Finish, Phase, phase};
use crate::update::reveal;

/// What a step reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepReport {
    /// Positions that got a token.
    pub revealed: usize,
    /// Positions that stayed masked because their row was bad.
    pub bad_rows: usize,
}

/// The positions that will move at the next step, chosen before the network runs.
///
/// Row `k` of the plan is the canvas position `rows()[k]`; the rows of segment `i` are
/// `rows()[offsets()[i]..offsets()[i + 1]]`, ascending.
#[derive(Debug, Default)]
pub struct Plan {
    rows: Vec<u32>,
    offsets: Vec<u32>,
    /// The step of each segment that was planned.
    steps: Vec<u32>,
    times: Vec<f64>,
    log_masked: Vec<f64>,
    active: usize,
    max_positions: usize,
    max_segments: usize,
}

impl Plan {
    /// Room for the plans of canvases of up to `positions` positions in up to `segments` segments.
    #[must_use]
    pub fn with_capacity(positions: usize, segments: usize) -> Self {
        Self {
            rows: Vec::with_capacity(positions),
            offsets: Vec::with_capacity(segments + 1),
            steps: Vec::with_capacity(segments),
            times: Vec::with_capacity(segments),
            log_masked: Vec::with_capacity(segments),
            active: 0,
            max_positions: positions,
            max_segments: segments,
        }
    }

    /// The canvas positions whose logits the step needs. If there are none, the network need not
    /// run, but the step is still made: time passes.
    #[must_use]
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Where the rows of each segment begin; one more entry than there are segments.
    #[must_use]
    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// For each segment, the time at which a time-conditioned network is to be evaluated (at 0
    /// for a segment that is done).
    #[must_use]
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// The number of segments in which something may still move, now or later. At 0 the batch is
    /// done.
    #[must_use]
    pub fn active(&self) -> usize {
        self.active
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.offsets.clear();
        self.offsets.push(0);
        self.steps.clear();
        self.times.clear();
        self.log_masked.clear();
        self.active = 0;
    }

    /// Appends the choice for one segment.
    fn choose(&mut self, canvas: &Canvas<'_>, segment: &Segment) {
        let policy = canvas.policy(segment);
        let masked = canvas.masked(segment);
        let masks = masked.clone().count() as u32;
        let noise = policy.schedule.noise;
        let mut log_masked = segment.log_masked;
        let phase = phase(policy, segment.step, masks);
        let time = match (phase, policy.select) {
            (Phase::Done, _) => 0.0,
            (Phase::Finish, _) => {
                self.rows.extend(masked);
                policy.schedule.end
            }
            (Phase::Decode, Select::FirstHitting) => {
                let mut rng = segment.key().generator(Purpose::Hit);
                log_masked = hitting::next(log_masked, masks, &mut rng);
                self.rows.extend(select::first_hitting::choose(masked, masks, &mut rng));
                noise.time(log_masked)
            }
            (Phase::Decode, Select::Bernoulli) => {
                let mut rng = segment.key().generator(Purpose::Reveal);
                let time = policy.grid_time(segment.step);
                let width = time - policy.grid_time(segment.step + 1);
                let p = noise.euler_probability(time, width);
                self.rows.extend(select::bernoulli::choose(masked, p, &mut rng));
                time
            }
            (Phase::Decode, Select::RandomOrder) => {
                let mut rng = segment.key().generator(Purpose::Order);
                let steps_left = policy.schedule.steps - segment.step;
                let size = policy.schedule.sizes.size(masks, steps_left);
                self.rows.extend(select::random_order::choose(masked, masks, size, &mut rng));
                policy.grid_time(segment.step)
            }
        };
        self.active += usize::from(phase != Phase::Done);
        self.offsets.push(self.rows.len() as u32);
        self.steps.push(segment.step);
        self.times.push(time);
        self.log_masked.push(log_masked);
    }

    /// Whether this can be the plan of `canvas`: the same segments at the same steps, and every row
    /// still masked.
    fn check(&self, canvas: &Canvas<'_>) -> Result<(), Error> {
        let segments = canvas.segments();
        shape(
            self.times.len() == segments.len(),
            "segments of the plan",
            self.times.len(),
            "the canvas's,",
            segments.len(),
        )?;
        for (segment, &step) in segments.iter().zip(&self.steps) {
            let now = segment.step as usize;
            shape(step as usize == now, "planned step", step as usize, "the segment's,", now)?;
        }
        for (segment, ends) in segments.iter().zip(self.offsets.windows(2)) {
            for &at in &self.rows[ends[0] as usize..ends[1] as usize] {
                let stands = (segment.begin..segment.end).contains(&at) && canvas.is_masked(at);
                shape(
                    stands,
                    "planned row",
                    at as usize,
                    "a masked position below",
                    segment.end as usize,
                )?;
            }
        }
        Ok(())
    }
}

/// What a plan needs to be kept in memory of a C caller.
#[cfg(feature = "capi")]
impl Plan {
    /// ln(1 − α) of each segment after the step.
    pub(crate) fn log_masked(&self) -> &[f64] {
        &self.log_masked
    }

    /// Becomes a plan that was kept elsewhere, and fits. A step does not look at its times.
    pub(crate) fn assign(
        &mut self,
        rows: &[u32],
        offsets: &[u32],
        steps: &[u32],
        log_masked: &[f64],
    ) {
        self.clear();
        self.rows.extend_from_slice(rows);
        self.offsets.clear();
        self.offsets.extend_from_slice(offsets);
        self.steps.extend_from_slice(steps);
        self.log_masked.extend_from_slice(log_masked);
        self.times.resize(log_masked.len(), 0.0);
    }
}

#[cfg(feature = "capi")]
impl Sampler {
    /// The plan of the last [`step`](Self::step): its rows are those of [`drawn`](Self::drawn).
    pub(crate) fn own_plan(&self) -> &Plan {
        &self.plan
    }
}

impl Sampler {
    /// Chooses the positions that the next step moves, without looking at logits.
    ///
    /// The canvas is not changed, and planning again gives the same plan: the choice is keyed by
    /// each segment's seed, stream and step.
    ///
    /// # Errors
    /// A canvas larger than the plan was made for.
    pub fn plan(&self, canvas: &Canvas<'_>, plan: &mut Plan) -> Result<(), Error> {
        fill(canvas, plan)
    }

    /// Makes the step that `plan` chose: draws a token for each of its rows and writes it, then
    /// advances every segment by one step. Logical row `k` of `logits` belongs to `plan.rows()[k]`.
    ///
    /// A bad row (NaN, +∞, or no finite logit) leaves its position masked.
    ///
    /// # Errors
    /// A plan of another canvas or step, another number of logits rows than the plan's, or more rows
    /// than the sampler was made for. Nothing is changed then.
    pub fn step_planned(
        &mut self,
        canvas: &mut Canvas<'_>,
        plan: &Plan,
        logits: &Logits<'_>,
    ) -> Result<StepReport, Error> {
        plan.check(canvas)?;
        shape(
            logits.rows() == plan.rows.len(),
            "logits rows",
            logits.rows(),
            "the plan's,",
            plan.rows.len(),
        )?;
        self.reserve(plan.rows.len(), logits.vocab())?;
        Ok(self.apply(canvas, plan, logits, |k, _| k))
    }

    /// Plans and makes a step in one call, for a client that has the logits of all positions:
    /// logical row `i` of `logits` belongs to canvas position `i`.
    ///
    /// # Errors
    /// Another number of logits rows than tokens, or a canvas larger than the sampler was made
    /// for. Nothing is changed then.
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
        let result = fill(canvas, &mut plan)
            .and_then(|()| self.reserve(plan.rows.len(), logits.vocab()))
            .map(|()| self.apply(canvas, &plan, logits, |_, at| at as usize));
        self.plan = plan;
        result
    }

    /// draw → update → time, for a plan that fits. Cannot fail.
    fn apply(
        &mut self,
        canvas: &mut Canvas<'_>,
        plan: &Plan,
        logits: &Logits<'_>,
        row_of: impl Fn(usize, u32) -> usize,
    ) -> StepReport {
        let Self { level, threads, rows, keys, rule_of, rules, drawn, scratch, .. } = self;
        rows.clear();
        keys.clear();
        rule_of.clear();
        rules.clear();
        for (i, (segment, ends)) in
            canvas.segments().iter().zip(plan.offsets.windows(2)).enumerate()
        {
            rules.push(step_rule(canvas.policy(segment), segment.step));
            for k in ends[0]..ends[1] {
                let at = plan.rows[k as usize];
                rows.push(row_of(k as usize, at) as u32);
                keys.push(segment.position_key(at));
                rule_of.push(i as u32);
            }
        }
        let constraints = Constraints::excluding(u32::try_from(canvas.mask_token()).ok());
        let batch = Batch {
            logits,
            constraints: &constraints,
            keys,
            rows,
            rules,
            rule_of,
            draws: 1,
            statistics: None,
        };
        self.filled = batch.keys.len();
        let out = Outputs::drawn(&mut drawn[..self.filled]);
        draw_batch(*level, threads, &batch, out, scratch);

        let mut report = StepReport::default();
        for (&at, &drawn) in plan.rows.iter().zip(self.drawn()) {
            if reveal(canvas, at, drawn) {
                report.revealed += 1;
            } else {
                debug_assert_eq!(drawn.state, RowState::Bad, "only bad rows stay masked");
                report.bad_rows += 1;
            }
        }
        for (segment, &log_masked) in canvas.segments_mut().iter_mut().zip(&plan.log_masked) {
            segment.step += 1;
            segment.log_masked = log_masked;
        }
        report
    }
}

/// Fills `plan` for `canvas`.
fn fill(canvas: &Canvas<'_>, plan: &mut Plan) -> Result<(), Error> {
    let segments = canvas.segments();
    let positions: usize = segments.iter().map(|s| (s.end - s.begin) as usize).sum();
    let over = |name, value: usize, bound: usize| {
        Err(Error::Capacity { name, value: value as u64, bound: bound as u64 })
    };
    if positions > plan.max_positions {
        return over("positions in segments", positions, plan.max_positions);
    }
    if segments.len() > plan.max_segments {
        return over("segments", segments.len(), plan.max_segments);
    }
    plan.clear();
    for segment in segments {
        plan.choose(canvas, segment);
    }
    Ok(())
}

/// How a segment's rows are drawn at this step: a finish by argmax is a step at temperature 0.
fn step_rule(policy: &Policy<'_>, step: u32) -> DrawRule {
    let finishing = !matches!(policy.select, Select::FirstHitting) && step >= policy.schedule.steps;
    if finishing && policy.stop.finish == Finish::Argmax {
        return DrawRule::GREEDY;
    }
    DrawRule::new(&policy.draw).unwrap_or(DrawRule::GREEDY)
}
