//! The plan: which positions the next step moves, chosen before the network runs.

use crate::canvas::{Canvas, PositionKind, PositionState, Segment};
use crate::draw::Mixture;
use crate::error::{Error, shape};
use crate::lanes::Level;
use crate::policy::Policy;
use crate::rng::Purpose;
use crate::sampler::Sampler;
use crate::schedule::{Noise, Transition, trapezoidal_weights};
use crate::select::{
    Masked, Select, bernoulli, by_row, first_hitting, predrawn, random_order, sequential,
};
use crate::stop::{Phase, phase};
use crate::update::{Posterior, Update};

/// The positions that will move at the next step, chosen before the network runs. All masked ones of
/// a segment whose rows decide that themselves, or whose next step will read them again; and its
/// committed ones, where its policy looks at them again ([`Update`](crate::Update)).
///
/// Row `k` of the plan is the canvas position `rows()[k]`; the rows of segment `i` are
/// `rows()[offsets()[i]..offsets()[i + 1]]`, ascending.
#[derive(Debug, Default)]
pub struct Plan {
    rows: Vec<u32>,
    offsets: Vec<u32>,
    /// The positions that become masks again, and where those of each segment begin.
    remasked: Vec<u32>,
    remasked_offsets: Vec<u32>,
    times: Vec<f64>,
    segments: Vec<PlannedSegment>,
    /// Of each row, what is drawn from in place of it; empty if all are drawn from as they are.
    mixtures: Vec<Mixture>,
    active: usize,
    max_positions: usize,
    max_segments: usize,
    /// Working memory: bits of a segment's positions, and those that move with their hits.
    masked: Vec<u64>,
    ranks: Vec<u64>,
    chosen: Vec<u32>,
    hits: Vec<f64>,
}

/// What a plan says of a segment beside its rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlannedSegment {
    /// The step that was planned.
    pub(crate) step: u32,
    /// The segment's state after the step.
    pub(crate) initial_masks: u32,
    pub(crate) log_masked: f64,
    pub(crate) output_log_masked: f64,
    pub(crate) reads_earlier: bool,
    /// What the rows decide themselves.
    pub(crate) by_row: Option<ByRow>,
    /// The size of the step, if scores decide which of the rows move.
    pub(crate) by_score: Option<u32>,
    /// What becomes of the positions of a uniform-state model.
    pub(crate) posterior: Option<Posterior>,
    /// How many masks there are.
    pub(crate) masks: u32,
}

/// How a row's mass becomes the probability that its position moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByRow {
    factor: f64,
    transition: Transition,
}

impl ByRow {
    /// The probability for a row of this mass.
    pub(crate) fn probability(self, mass: f64) -> f64 {
        self.transition.clipped(self.factor * mass)
    }
}

impl Plan {
    /// Room for the plans of canvases of up to `positions` positions in up to `segments` segments.
    #[must_use]
    pub fn with_capacity(positions: usize, segments: usize) -> Self {
        Self {
            rows: Vec::with_capacity(positions),
            offsets: Vec::with_capacity(segments + 1),
            remasked: Vec::with_capacity(positions),
            remasked_offsets: Vec::with_capacity(segments + 1),
            times: Vec::with_capacity(segments),
            segments: Vec::with_capacity(segments),
            mixtures: Vec::with_capacity(positions),
            active: 0,
            max_positions: positions,
            max_segments: segments,
            masked: vec![0; Masked::words_of(positions)],
            ranks: vec![0; Masked::words_of(positions)],
            chosen: Vec::with_capacity(positions),
            hits: Vec::with_capacity(positions),
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

    /// The committed positions that the step makes masks again ([`Update::Remask`]), ascending.
    ///
    /// [`Update::Remask`]: crate::Update::Remask
    #[must_use]
    pub fn remasked(&self) -> &[u32] {
        &self.remasked
    }

    /// For each segment, the time at which a time-conditioned network is to be evaluated (at 0
    /// for a segment that is done).
    #[must_use]
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// Whether the step needs, for the rows of segment `segment`, the network's earlier output as
    /// well ([`Logits::with_earlier`](crate::Logits::with_earlier)): that of the segment's last step
    /// for which a plan named rows. That plan named all masked positions, so a client that keeps its
    /// logits has every row of this one.
    ///
    /// # Panics
    /// If there are not as many segments.
    #[must_use]
    pub fn reads_earlier(&self, segment: usize) -> bool {
        self.segments[segment].reads_earlier
    }

    /// The number of segments in which something may still move, now or later. At 0 the batch is
    /// done.
    #[must_use]
    pub fn active(&self) -> usize {
        self.active
    }

    /// The memory that a plan takes for each position and each segment; a bit counts as a byte.
    #[cfg(feature = "capi")]
    pub(crate) const POSITION_SIZE: usize =
        3 * size_of::<u32>() + size_of::<Mixture>() + size_of::<f64>() + 2;
    #[cfg(feature = "capi")]
    pub(crate) const SEGMENT_SIZE: usize =
        2 * size_of::<u32>() + size_of::<f64>() + size_of::<PlannedSegment>();

    pub(crate) fn segments(&self) -> &[PlannedSegment] {
        &self.segments
    }

    /// Those of [`remasked`](Self::remasked) that lie in a segment.
    pub(crate) fn remasked_of(&self, segment: usize) -> &[u32] {
        let ends = &self.remasked_offsets[segment..segment + 2];
        &self.remasked[ends[0] as usize..ends[1] as usize]
    }

    pub(crate) fn mixtures(&self) -> &[Mixture] {
        &self.mixtures
    }

    /// Makes the plan of a canvas.
    pub(crate) fn fill(&mut self, level: Level, canvas: &Canvas<'_>) -> Result<(), Error> {
        let segments = canvas.segments();
        let positions: usize = segments.iter().map(|s| (s.end - s.begin) as usize).sum();
        let over = |name, value: usize, bound: usize| {
            Err(Error::Capacity { name, value: value as u64, bound: bound as u64 })
        };
        if positions > self.max_positions {
            return over("positions in segments", positions, self.max_positions);
        }
        if segments.len() > self.max_segments {
            return over("segments", segments.len(), self.max_segments);
        }
        self.clear();
        // Segments of one policy mostly stand at the same step.
        let mut latest: Option<(u32, u32, GridStep)> = None;
        for segment in segments {
            let policy = canvas.policy(segment);
            let grid_step = || match latest {
                Some((policy, step, known)) if (policy, step) == (segment.policy, segment.step) => {
                    known
                }
                _ => {
                    let new = GridStep::new(policy, segment.step);
                    latest = Some((segment.policy, segment.step, new));
                    new
                }
            };
            if let Err(refused) = self.choose(level, canvas, segment, policy, grid_step) {
                self.clear();
                return Err(refused);
            }
        }
        if !self.mixtures.is_empty() {
            self.mixtures.resize(self.rows.len(), Mixture::LATEST);
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.offsets.clear();
        self.offsets.push(0);
        self.remasked.clear();
        self.remasked_offsets.clear();
        self.remasked_offsets.push(0);
        self.times.clear();
        self.segments.clear();
        self.mixtures.clear();
        self.active = 0;
    }

    /// Appends the choice for one segment, unless its sizes are not made for its masks.
    fn choose(
        &mut self,
        level: Level,
        canvas: &Canvas<'_>,
        segment: &Segment,
        policy: &Policy<'_>,
        grid_step: impl FnOnce() -> GridStep,
    ) -> Result<(), Error> {
        let Self { rows, ranks, chosen, hits, mixtures, remasked, .. } = self;
        let update = &policy.update;
        let positions = canvas.tokens().len();
        let kinds = canvas.kinds().map_or(0, <[PositionKind]>::len);
        let fits = kinds == positions || matches!(update, Update::Reveal) || update.is_maskless();
        shape(fits, "kinds", kinds, "as many as the tokens,", positions)?;
        let states = canvas.states().map_or(0, <[PositionState]>::len);
        let fits = states == positions || !policy.reads_states();
        shape(fits, "states", states, "as many as the tokens,", positions)?;
        let masked = &Masked::find(level, canvas, segment, &mut self.masked);
        let masks = masked.count();
        let open = match update.revises() {
            true => Masked::find_open(canvas, segment, ranks).count(),
            false => masks,
        };
        let mut planned = PlannedSegment {
            step: segment.step,
            initial_masks: if segment.initial_masks == 0 { masks } else { segment.initial_masks },
            log_masked: segment.log_masked,
            output_log_masked: segment.output_log_masked,
            reads_earlier: false,
            by_row: None,
            by_score: None,
            posterior: None,
            masks,
        };
        let schedule = &policy.schedule;
        let noise = schedule.noise;
        let size = || {
            let key = segment.position_key(segment.begin);
            // All places are given anew where all positions compete for them.
            let (initial, left) = match update {
                Update::Replan(_) => (open, open),
                _ => (planned.initial_masks, masks),
            };
            schedule.size(initial, left, segment.step, key)
        };
        let predrawn = || predrawn::Predrawn::new(segment.key(), segment.origin);
        let begin = rows.len();
        let phase = phase(policy, segment, masks, open);
        if phase == Phase::Decode && policy.is_by_size() {
            let initial =
                if matches!(update, Update::Replan(_)) { open } else { planned.initial_masks };
            schedule.sizes.check(initial, schedule.steps)?;
        }
        let time = match (phase, policy.select) {
            (Phase::Done, _) => 0.0,
            (Phase::Finish, select) => {
                masked.push_all(rows);
                match select.is_first_hitting() {
                    true => noise.time(segment.log_masked),
                    false => policy.grid_time(segment.step),
                }
            }
            (Phase::Decode, select @ (Select::FirstHitting | Select::PredrawnFirstHitting)) => {
                let (now, size) = (segment.log_masked, size());
                hits.clear();
                chosen.clear();
                let into = if schedule.extrapolate { &mut *chosen } else { &mut *rows };
                if select == Select::FirstHitting {
                    let rng = &mut segment.key().generator(Purpose::Hit);
                    first_hitting::choose(masked, now, size, rng, ranks, into, hits);
                } else {
                    predrawn::choose_next(level, masked, predrawn(), now, size, into, hits);
                }
                if hits.is_empty() {
                    noise.time(now)
                } else {
                    let first = hits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    planned.log_masked = hits.iter().copied().fold(now, f64::min);
                    planned.output_log_masked = first;
                    if schedule.extrapolate {
                        masked.push_all(rows);
                        let before = segment.output_log_masked;
                        let line = Line::new(noise, first, before);
                        // 0 is no output yet; later ones are at earlier times, but for bad rows.
                        let drawn = hits.iter().map(|&hit| match first < before && before < 0.0 {
                            true => line.at(hit),
                            false => Mixture::LATEST,
                        });
                        mixtures.resize(begin, Mixture::LATEST);
                        planned.reads_earlier = spread(&rows[begin..], chosen, drawn, mixtures);
                    }
                    noise.time(first)
                }
            }
            (Phase::Decode, Select::RandomOrder) => {
                let rng = &mut segment.key().generator(Purpose::Order);
                random_order::choose(masked, size(), rng, ranks, rows);
                policy.grid_time(segment.step)
            }
            (Phase::Decode, Select::Sequential) => {
                sequential::choose(masked, size(), rows);
                time_by_size(policy, segment.step, masks, planned.initial_masks)
            }
            (Phase::Decode, select) if select.is_by_score() => {
                let size = size();
                // A step of no positions needs no network.
                if update.revises() {
                    Masked::find_open(canvas, segment, ranks).push_all(rows);
                } else if size > 0 || !select.needs_size() {
                    masked.push_all(rows);
                }
                planned.by_score = Some(size);
                planned.reads_earlier = policy.compares_steps() && segment.step > 0;
                time_by_size(policy, segment.step, masks, planned.initial_masks)
            }
            (Phase::Decode, Select::Bernoulli) if update.revises() => {
                Masked::find_open(canvas, segment, ranks).push_all(rows);
                let (t, s) = policy.grid_step(segment.step);
                let (noisy, noisy_after) =
                    (libm::exp(noise.log_masked(t)), libm::exp(noise.log_masked(s)));
                planned.posterior = Some(Posterior { alpha: noise.alpha(t), noisy, noisy_after });
                t
            }
            (Phase::Decode, Select::Bernoulli) => {
                let GridStep { time, choice, remask } = grid_step();
                match choice {
                    Choice::Known(p) => {
                        let rng = &mut segment.key().generator(Purpose::Reveal);
                        bernoulli::choose(masked, p, rng, rows);
                        if remask > 0.0 {
                            choose_remasked(canvas, segment, policy, remask, ranks, remasked);
                        }
                    }
                    Choice::KnownOfAll(p) => {
                        let rng = &mut segment.key().generator(Purpose::Reveal);
                        chosen.clear();
                        bernoulli::choose(masked, p, rng, chosen);
                        masked.push_all(rows);
                        mixtures.resize(begin, Mixture::LATEST);
                        let drawn = core::iter::repeat(Mixture::LATEST);
                        spread(&rows[begin..], chosen, drawn, mixtures);
                    }
                    Choice::ByRow(by_row, mixture) => {
                        masked.push_all(rows);
                        planned.by_row = Some(by_row);
                        planned.reads_earlier = true;
                        mixtures.resize(begin, Mixture::LATEST);
                        mixtures.resize(rows.len(), mixture);
                    }
                }
                time
            }
            (Phase::Decode, Select::PredrawnBernoulli) => {
                let GridStep { time, choice, .. } = grid_step();
                if let Choice::Known(p) = choice {
                    planned.log_masked += libm::log1p(-p);
                }
                predrawn::choose(level, masked, predrawn(), planned.log_masked, rows);
                time
            }
            // Score-driven rules have been seen to.
            (Phase::Decode, _) => {
                let GridStep { time, choice, .. } = grid_step();
                if let Choice::ByRow(by_row, _) = choice {
                    masked.push_all(rows);
                    planned.by_row = Some(by_row);
                }
                time
            }
        };
        self.active += usize::from(phase != Phase::Done);
        self.offsets.push(self.rows.len() as u32);
        self.remasked_offsets.push(self.remasked.len() as u32);
        self.times.push(time);
        self.segments.push(planned);
        Ok(())
    }

    /// Whether this can be the plan of `canvas`: the same segments at the same steps, and every row
    /// still masked, or committed where that is looked at again.
    pub(crate) fn check(&self, canvas: &Canvas<'_>) -> Result<(), Error> {
        let segments = canvas.segments();
        shape(
            self.segments.len() == segments.len(),
            "segments of the plan",
            self.segments.len(),
            "the canvas's,",
            segments.len(),
        )?;
        for (segment, planned) in segments.iter().zip(&self.segments) {
            let (step, now) = (planned.step as usize, segment.step as usize);
            shape(step == now, "planned step", step, "the segment's,", now)?;
        }
        for (segment, ends) in segments.iter().zip(self.offsets.windows(2)) {
            for &at in &self.rows[ends[0] as usize..ends[1] as usize] {
                let revises = canvas.policy(segment).update.revises();
                let moves = if revises { canvas.is_open(at) } else { canvas.is_masked(at) };
                let stands = (segment.begin..segment.end).contains(&at) && moves;
                let (expected, end) = ("a masked position below", segment.end as usize);
                shape(stands, "planned row", at as usize, expected, end)?;
            }
        }
        for &at in &self.remasked {
            let kind = canvas.kinds().and_then(|kinds| kinds.get(at as usize));
            let (stands, end) = (kind == Some(&PositionKind::COMMITTED), canvas.tokens().len());
            shape(stands, "remasked position", at as usize, "a committed position below", end)?;
        }
        Ok(())
    }
}

impl Sampler {
    /// Chooses the positions that the next step moves, without looking at logits.
    ///
    /// The canvas is not changed, and planning again gives the same plan: the choice is keyed by
    /// each segment's seed, stream and step.
    ///
    /// # Errors
    /// A canvas larger than the plan was made for, or a segment whose initial masks the sizes of its
    /// policy do not serve ([`Sizes::check`](crate::Sizes::check)). The plan is empty then.
    pub fn plan(&self, canvas: &Canvas<'_>, plan: &mut Plan) -> Result<(), Error> {
        plan.fill(self.level, canvas)
    }
}

/// The time of a step that is not timed by a grid: without steps, that at which as many are masked.
fn time_by_size(policy: &Policy<'_>, step: u32, masks: u32, initial: u32) -> f64 {
    match policy.schedule.steps {
        0 if masks == 0 => 0.0,
        0 => policy.schedule.noise.time(libm::log(f64::from(masks) / f64::from(initial)).min(0.0)),
        _ => policy.grid_time(step),
    }
}

/// What a policy with a time grid does at one of its steps, whatever the segment.
#[derive(Clone, Copy)]
struct GridStep {
    time: f64,
    choice: Choice,
    /// The probability with which committed positions become masks again.
    remask: f64,
}

#[derive(Clone, Copy)]
enum Choice {
    /// Every masked position moves with this probability.
    Known(f64),
    /// The same, but the next step reads the rows of all.
    KnownOfAll(f64),
    /// The rows decide, by their mass or by that of their mixture.
    ByRow(ByRow, Mixture),
}

impl GridStep {
    fn new(policy: &Policy<'_>, step: u32) -> Self {
        let (noise, transition) = (policy.schedule.noise, policy.schedule.transition);
        let (t, s) = policy.grid_step(step);
        let time = policy.grid_time(step);
        let remask = policy.update.remask().map_or(0.0, |rule| rule.probability(noise, t, s));
        let choice = match transition {
            _ if policy.select == Select::ScoreBernoulli => {
                let factor = transition.score_factor(noise, t, s);
                Choice::ByRow(ByRow { factor, transition }, Mixture::LATEST)
            }
            Transition::Trapezoidal { theta, .. } if step % 2 == 1 && s < t => {
                let (a, b) = trapezoidal_weights(theta);
                let (latest, earlier) = (a * noise.rate(time), -b * noise.rate(t));
                let by_row = ByRow { factor: time - s, transition };
                Choice::ByRow(by_row, Mixture { latest, earlier })
            }
            // Other rules than Bernoulli have no use for a transition.
            Transition::Trapezoidal { .. } => {
                Choice::KnownOfAll(transition.probability(noise, t, s))
            }
            _ => {
                let revealed = transition.probability(noise, t, s);
                let shared = policy.update.remask().is_some_and(|rule| rule.by_confidence);
                // As many are revealed as remasked, in addition.
                let again = match remask > 0.0 && !shared {
                    true => remask * noise.alpha(t) / libm::exp(noise.log_masked(t)),
                    false => 0.0,
                };
                Choice::Known((revealed + again).min(1.0))
            }
        };
        Self { time, choice, remask }
    }
}

/// Appends the committed positions of a segment that become masks again: each with probability
/// `remask`, or with a share of it by its confidence.
fn choose_remasked(
    canvas: &Canvas<'_>,
    segment: &Segment,
    policy: &Policy<'_>,
    remask: f64,
    room: &mut [u64],
    remasked: &mut Vec<u32>,
) {
    let committed = &Masked::find_kind(canvas, segment, PositionKind::COMMITTED, room);
    let shared = policy.update.remask().is_some_and(|rule| rule.by_confidence);
    let Some(states) = canvas.states().filter(|_| shared) else {
        let rng = &mut segment.key().generator(Purpose::Remask);
        return bernoulli::choose(committed, remask, rng, remasked);
    };
    let weight = |at: u32| libm::exp(-f64::from(states[at as usize].probability));
    let begin = remasked.len();
    committed.push_all(remasked);
    let total: f64 = remasked[begin..].iter().map(|&at| weight(at)).sum();
    let mut kept = begin;
    for place in begin..remasked.len() {
        let at = remasked[place];
        let key = segment.position_key(at);
        remasked[kept] = at;
        kept += usize::from(by_row::moves(remask * weight(at) / total, key, Purpose::Remask));
    }
    remasked.truncate(kept);
}

/// Appends to `mixtures` what each of `rows` is drawn from: the next of `drawn` for those that are
/// `chosen`, nothing for the others. Says whether an earlier output is among it.
fn spread(
    rows: &[u32],
    chosen: &[u32],
    mut drawn: impl Iterator<Item = Mixture>,
    mixtures: &mut Vec<Mixture>,
) -> bool {
    let mut reads_earlier = false;
    let mut chosen = chosen.iter().peekable();
    for row in rows {
        let moves = chosen.next_if_eq(&row).is_some();
        let mixture = if moves { drawn.next() } else { None }.unwrap_or(Mixture::NOTHING);
        reads_earlier |= mixture.earlier != 0.0;
        mixtures.push(mixture);
    }
    reads_earlier
}

/// The line through two network outputs in time.
struct Line<'a> {
    noise: Noise<'a>,
    /// Its time, from that of the earlier output.
    latest: f64,
    earlier: f64,
}

impl<'a> Line<'a> {
    /// Through the outputs at these values of ln(1 − α).
    fn new(noise: Noise<'a>, latest: f64, earlier: f64) -> Self {
        Self { noise, latest: noise.time(latest), earlier: noise.time(earlier) }
    }

    /// The weights of the two at a hit after the latest output (Lagrange's form; they sum to 1).
    fn at(&self, hit: f64) -> Mixture {
        let past = (self.noise.time(hit) - self.latest) / (self.earlier - self.latest);
        // Times that round to the same leave nothing to go by.
        if past.is_finite() && past < 0.0 {
            Mixture { latest: 1.0 - past, earlier: past }
        } else {
            Mixture::LATEST
        }
    }
}
