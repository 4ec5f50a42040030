//! A decoding rule as data: independent choices, and presets under the names users know.

mod presets;

use crate::draw::DrawRule;
use crate::error::Error;
use crate::rng::Key;
use crate::schedule::sizes::MarkovSizes;
use crate::schedule::{Grid, MultiJump, Noise, Sizes, TimeGrid, Transition};
pub use crate::score::{Score, ScoreOf};
use crate::select::Select;
pub use crate::select::Stable;
pub use crate::select::{Fallback, Neighbours, Threshold};
use crate::stop::Finish;
pub use crate::stop::Settle;
use crate::update::Update;
pub use crate::update::{Doubt, DoubtOf, Edit, Remask, RemaskRate, Replan};

/// A decoding rule: how a token is drawn, which positions move, what happens to them, when, and
/// when it ends. A plain value that can be printed, compared and edited.
///
/// ```
/// use demask::{Finish, Noise, Policy};
///
/// let mut policy = Policy::euler(Noise::Cosine, 32);
/// policy.draw.temperature = 0.8;
/// policy.stop.finish = Finish::Sample;
/// assert!(policy.check().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy<'a> {
    /// Which token a position gets.
    pub draw: Draw,
    /// How sure a position is, for the selections that look at logits.
    pub score: Score<'a>,
    /// Which positions move.
    pub select: Select,
    /// What happens to them.
    pub update: Update,
    /// When, and how many.
    pub schedule: Schedule<'a>,
    /// What is done about masks that are left at the end.
    pub stop: Stop<'a>,
}

/// How a token is drawn from its row: temperature and filters.
///
/// The filters that are on are applied in this order, whatever the temperature does: top-k, then
/// top-p over the renormalised rest, then min-p relative to the largest logit. The most likely token
/// always stays.
///
/// ```
/// use demask::Draw;
///
/// let draw = Draw { top_k: 50, top_p: 0.9, ..Draw::at(0.7) };
/// assert!(draw.check().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// Logits are divided by this. 0 takes the largest logit (ties: the lowest id), which no filter
    /// changes; +∞ draws uniformly among the finite logits. 0, or at least 1e-30.
    pub temperature: f32,
    /// Keeps the so many largest logits, exactly (ties: the lowest ids); 0 keeps all.
    pub top_k: u32,
    /// Keeps the most likely tokens, up to this much probability together; `nucleus_edge` says
    /// whether the one that crosses it stays. Equal logits are kept or dropped together. Above 0;
    /// 1 keeps all.
    pub top_p: f32,
    /// Keeps the tokens that are at least this times as likely as the most likely one. 0, which
    /// keeps all, to 1.
    pub min_p: f32,
    /// Which probabilities top-p and min-p look at.
    pub filter_order: FilterOrder,
    /// What top-p does with the token that crosses it.
    pub nucleus_edge: NucleusEdge,
    /// Where the randomness enters.
    pub method: DrawMethod,
}

/// Which probabilities top-p and min-p look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterOrder {
    /// Those at the drawing temperature (Hugging Face, vLLM).
    #[default]
    AfterTemperature,
    /// Those at temperature 1; the temperature acts on what is left (llama.cpp).
    BeforeTemperature,
}

/// What top-p = p does with the token whose probability takes the sum, from the most likely token
/// on, across p. Equal logits are one in this, by all of their probability: they are kept or dropped
/// together. The largest logit always stays, and with it all that equal it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NucleusEdge {
    /// It stays: a token is kept if those with larger logits have less than p (Holtzman et al.,
    /// arXiv 1904.09751; Hugging Face, Dream). What is kept has at least p.
    #[default]
    Keep,
    /// It is dropped: a token is kept if it and those with equal or larger logits have at most p
    /// (BD3-LM, ReMDM). What is kept has at most p, unless it is the largest logit alone.
    ///
    /// Theirs cuts through equal logits, in the order that a sort left them in.
    Drop,
}

/// Where the randomness of a draw enters. The law is the same, the tokens are not. At temperature 0
/// there is none, and no difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DrawMethod {
    /// Rejection under the maxima of small cells: the fastest. Its random numbers choose among the
    /// cells of the whole row.
    #[default]
    Rejection = 0,
    /// Every token v has noise of its own, E exponential with mean 1, and the largest
    /// z/T − ln E wins (Gumbel-max; Yellott 1977). Ties of that sum, which are as good as
    /// impossible: the lowest id.
    ///
    /// The noise is a function of the [`Key`], the number of the draw and the token's
    /// id, and of nothing else. Use it where that matters: a row that is split over the vocabulary
    /// ([`Sampler::race_shard`](crate::Sampler::race_shard)), draws coupled over steps, models or
    /// temperatures (the token changes as little as it can), filters that must not change the
    /// noise. With a filter, it is the race among the tokens that are kept.
    ///
    /// A draw reads the whole row, at three to five times the cost of a plain maximum of it; each
    /// of several draws from one row does so anew.
    ExponentialRace = 1,
}

impl Draw {
    /// A plain draw at a temperature, without filters.
    #[must_use]
    pub const fn at(temperature: f32) -> Self {
        Self {
            temperature,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            filter_order: FilterOrder::AfterTemperature,
            nucleus_edge: NucleusEdge::Keep,
            method: DrawMethod::Rejection,
        }
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// The first parameter that is out of its range, by name.
    pub fn check(&self) -> Result<(), Error> {
        DrawRule::new(self).map(drop)
    }
}

/// When positions move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule<'a> {
    /// The noise schedule that relates time and masked fraction.
    pub noise: Noise<'a>,
    /// How a time grid falls from `start` to `end`.
    pub grid: Grid<'a>,
    /// The time at which decoding starts. First-hitting policies start from the segment's
    /// `log_masked` instead.
    pub start: f64,
    /// The time at which a time grid ends, below `start`, at least 0.
    pub end: f64,
    /// The number of steps of a time grid or of a list of sizes. With 0 steps first-hitting, sequential
    /// and top-k reveal one position after another, or as many at a time as [`Sizes::Fixed`] says,
    /// however many there are, and the other selections by score take as many steps as they need.
    pub steps: u32,
    /// How many positions a selection by size (random order, first-hitting, sequential, top-k and its
    /// relatives, thresholds that are filled up or stay within it) reveals at each step.
    pub sizes: Sizes<'a>,
    /// The least size of a step; a size is never more than the masks left. 0 is no bound, as is
    /// needed for [`Update::Replan`], whose sizes are of all positions.
    pub least: u32,
    /// The largest size of a step, the last one included: what that leaves masked is for `stop.finish`.
    /// At least `least`; 0 is no bound.
    ///
    /// It bounds the size alone, and not what a selection reveals beside it: the positions that pass a
    /// threshold (see [`Threshold::most`]), or neighbours.
    pub most: u32,
    /// The probability with which a step of a time grid reveals a position.
    pub transition: Transition,
    /// For first-hitting only: whether the law at each hit is extrapolated in time from the two
    /// latest network outputs, linearly, entries below 0 taken as 0 (Zheng et al., arXiv 2409.02908,
    /// section 4.2, the high-order variant; that rule for negative entries is ours).
    ///
    /// A step then reads the output of the step before as well, from the segment's second step on
    /// (see [`Logits::with_earlier`](crate::Logits::with_earlier)), and a plan names all masked
    /// positions, for the next step will need them.
    pub extrapolate: bool,
    /// What the temperatures of the draw and of the score have fallen to, as a fraction, when the
    /// steps are used up: at step k of K they are multiplied by c + (1 − c)(K − k)/K, where c is this.
    /// 1 without a number of steps, and for no fall. Below its range the temperature of a draw
    /// becomes 0; that of a score stays within its own.
    pub cooling: f32,
}

impl Schedule<'_> {
    /// How many positions step `step` of a segment reveals by the sizes of its policy, as a plan takes
    /// them: the segment had `initial` masks at its start and has `left` now. `key` is that of the
    /// segment's first position, at any step.
    ///
    /// With 0 steps it is that of [`Sizes::Fixed`], or 1. For the others see [`Sizes::size`], but that
    /// sizes that depend on time are those of this noise schedule and grid. Then it is brought between
    /// `least` and `most`. It does not allocate.
    #[must_use]
    pub fn size(&self, initial: u32, left: u32, step: u32, key: Key) -> u32 {
        let size = match self.steps {
            0 => self.sizes.without_steps(),
            steps if step >= steps => return 0,
            steps => {
                let timing = (self.noise, self.grid_step(step));
                self.sizes.size_at(initial, left, (step, steps), key, timing)
            }
        };
        let most = if self.most == 0 { u32::MAX } else { self.most };
        size.max(self.least).min(most).min(left)
    }

    /// The beginning and the end of step `step` of the time grid.
    fn grid_step(&self, step: u32) -> (f64, f64) {
        let Self { grid, start, end, steps, .. } = *self;
        let time = |step| grid.time((start, end), steps, step);
        (time(step), time(step.saturating_add(1)))
    }

    /// Checks how many positions the steps reveal, where that matters.
    fn check_sizes(&self) -> Result<(), Error> {
        if self.most != 0 && self.least > self.most {
            let (name, value) = ("schedule.least", self.least.into());
            return Err(Error::Argument { name, value, expected: "at most schedule.most" });
        }
        match (self.steps, self.sizes) {
            (0, Sizes::Fixed(_)) | (1.., _) => self.sizes.check_steps(self.steps),
            _ => Ok(()),
        }
    }
}

/// How decoding ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop<'a> {
    /// What is done about masks that are left after the last step.
    pub finish: Finish,
    /// Tokens that end a text. Once one of them stands in a segment with no mask before it, the masks
    /// that are left in the segment are filled and inactive. Those that a prompt holds do not count,
    /// if the canvas has position kinds that tell. Empty for none.
    pub end_tokens: &'a [i32],
    /// What stands after the end of a text; `None` repeats its end token.
    pub fill: Option<i32>,
    /// When a segment has come to rest, and is done; `None` if that does not matter.
    pub settle: Option<Settle>,
}

impl Stop<'_> {
    /// When nothing is masked, or the steps are used up.
    pub const AT_LAST: Self =
        Self { finish: Finish::None, end_tokens: &[], fill: None, settle: None };
}

impl<'a> Policy<'a> {
    /// First-hitting: one position at a time, at its exact first-hitting time; the law of the
    /// output has no error but the denoiser's (Zheng et al., arXiv 2409.02908, section 4; Liang et
    /// al., arXiv 2602.22505).
    #[must_use]
    pub const fn first_hitting(noise: Noise<'a>) -> Self {
        Self {
            draw: Draw::at(1.0),
            score: Score::of(ScoreOf::Probability),
            select: Select::FirstHitting,
            update: Update::Reveal,
            schedule: Schedule {
                noise,
                grid: Grid::Uniform,
                start: noise.horizon(),
                end: 0.0,
                steps: 0,
                sizes: Sizes::Even,
                least: 0,
                most: 0,
                transition: Transition::Euler,
                extrapolate: false,
                cooling: 1.0,
            },
            stop: Stop::AT_LAST,
        }
    }

    /// First-hitting with several positions a network call: in `steps` steps whose sizes are even
    /// until `schedule.sizes` says otherwise. The tokens of a step come from the output at its first
    /// hit (Zheng et al., arXiv 2409.02908, section 4.2).
    #[must_use]
    pub const fn first_hitting_parallel(noise: Noise<'a>, steps: u32) -> Self {
        let mut policy = Self::first_hitting(noise);
        policy.schedule.steps = steps;
        policy
    }

    /// As [`first_hitting_parallel`](Self::first_hitting_parallel), each token from the law that is
    /// extrapolated to the time of its hit.
    #[must_use]
    pub const fn first_hitting_extrapolated(noise: Noise<'a>, steps: u32) -> Self {
        let mut policy = Self::first_hitting_parallel(noise, steps);
        policy.schedule.extrapolate = true;
        policy
    }

    /// The Euler method on a uniform time grid of `steps` steps: every masked position is revealed
    /// with probability min(1, h·r(t)), independently (Lou et al., arXiv 2310.16834, `sampling.py`;
    /// Liang et al., arXiv 2602.22505; `r` is [`Noise::rate`]).
    ///
    /// [`Noise::UnitRate`] has no last time: set `schedule.start` to the horizon wanted (by
    /// default 16). For other grids see [`Grid`].
    #[must_use]
    pub const fn euler(noise: Noise<'a>, steps: u32) -> Self {
        let mut policy = Self::first_hitting(noise);
        policy.select = Select::Bernoulli;
        policy.schedule.steps = steps;
        policy
    }

    /// The Euler method with a score network, whose rows are ln ŝ(v): position i is revealed with
    /// probability min(1, h·σ′(t)·Σ ŝ(v)), where σ = −ln α (Lou et al., arXiv 2310.16834).
    ///
    /// Scores are 0 where everything is masked, so the grid starts at 0.999 of the default of
    /// [`euler`](Self::euler), a thousandth of whose tokens the linear schedule has clean, as in the
    /// paper's code.
    #[must_use]
    pub const fn euler_score(noise: Noise<'a>, steps: u32) -> Self {
        let mut policy = Self::euler(noise, steps);
        policy.select = Select::ScoreBernoulli;
        policy.schedule.start *= 0.999;
        policy
    }

    /// Ancestral sampling on a uniform time grid: every masked position is revealed with the exact
    /// probability of the reverse process (Sahoo et al., arXiv 2406.07524, equation 6).
    #[must_use]
    pub const fn ancestral(noise: Noise<'a>, steps: u32) -> Self {
        let mut policy = Self::euler(noise, steps);
        policy.schedule.transition = Transition::Ancestral;
        policy
    }

    /// The Tweedie (analytic) rule with a score network: ancestral sampling whose probability is
    /// taken from the row's scores (Lou et al., arXiv 2310.16834, section 4.2). With a denoiser it
    /// is [`ancestral`](Self::ancestral).
    #[must_use]
    pub const fn tweedie(noise: Noise<'a>, steps: u32) -> Self {
        let mut policy = Self::euler_score(noise, steps);
        policy.schedule.transition = Transition::Ancestral;
        policy
    }

    /// Tau-leaping on a uniform time grid: jumps are Poisson at the rate of the beginning of the
    /// step, and the first one counts (Liang et al., arXiv 2506.02318; see [`MultiJump`]). It leaves
    /// masks at the end: see `stop.finish`.
    #[must_use]
    pub const fn tau_leaping(noise: Noise<'a>, steps: u32) -> Self {
        let mut policy = Self::euler(noise, steps);
        policy.schedule.transition = Transition::TauLeaping(MultiJump::First);
        policy
    }

    /// The θ-trapezoidal method on a uniform time grid: two network calls, and so two steps of a
    /// [`Segment`](crate::Segment), for each of `steps` steps (Ren et al., arXiv 2502.00234; see
    /// [`Transition::Trapezoidal`]). It leaves masks at the end: see `stop.finish`.
    #[must_use]
    pub const fn theta_trapezoidal(noise: Noise<'a>, theta: f64, steps: u32) -> Self {
        let mut policy = Self::euler(noise, steps);
        policy.schedule.transition =
            Transition::Trapezoidal { theta, multi_jump: MultiJump::First };
        policy
    }

    /// Uniformly random order with fixed sizes: `steps` steps whose sizes differ by at most one,
    /// the larger ones first.
    #[must_use]
    pub const fn random_order(steps: u32) -> Self {
        let mut policy = Self::first_hitting(Noise::Linear);
        policy.select = Select::RandomOrder;
        policy.schedule.steps = steps;
        policy
    }

    /// Uniformly random order with random sizes of which E KL = v·TC holds for every law, the larger ones
    /// first, in as many steps as the table has ([`MarkovSizes`]: derived here, in the spirit and with
    /// the guarantee of Zhao and Cai, arXiv 2602.20126, whose own law of sizes could not be read).
    ///
    /// It serves segments of at most the table's masks. For segments of one length,
    /// [`Sizes::Systematic`] has better constants.
    #[must_use]
    pub const fn tc_adaptive(table: &'a MarkovSizes) -> Self {
        let mut policy = Self::random_order(table.steps());
        policy.schedule.sizes = Sizes::Markov(table);
        policy
    }

    /// The same in reverse order, the larger sizes last, for laws whose dual total correlation is the
    /// small one.
    #[must_use]
    pub const fn dtc_adaptive(table: &'a MarkovSizes) -> Self {
        let mut policy = Self::random_order(table.steps());
        policy.schedule.sizes = Sizes::MarkovReversed(table);
        policy
    }

    /// The same policy on the decaying grid that goes from `start` to `end` in as many steps as it
    /// has.
    ///
    /// # Errors
    /// As [`Grid::decaying`].
    pub fn on_decaying_grid(mut self, start: f64, end: f64) -> Result<Self, Error> {
        self.schedule.grid = Grid::decaying(start, end, self.schedule.steps)?;
        (self.schedule.start, self.schedule.end) = (start, end);
        Ok(self)
    }

    /// The same policy on the times of a grid.
    #[must_use]
    pub fn on_times(mut self, grid: &'a TimeGrid) -> Self {
        self.schedule.grid = Grid::Times(grid);
        (self.schedule.start, self.schedule.end) = (grid.start(), grid.end());
        self.schedule.steps = grid.steps();
        self
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// The first parameter that is out of its range, by name.
    pub fn check(&self) -> Result<(), Error> {
        self.draw.check()?;
        let Schedule { grid, start, end, steps, noise, transition, extrapolate, .. } =
            self.schedule;
        noise.check()?;
        self.update.check(self.select, transition, &self.schedule.sizes)?;
        if self.update.remask().is_some_and(|remask| remask.by_confidence) {
            self.score.check(steps)?;
        }
        if self.select.is_sized() {
            self.schedule.check_sizes()?;
        }
        if let Some(settle) = self.stop.settle {
            settle.check()?;
            if settle.reads_entropy() {
                self.score.check(steps)?;
            }
        }
        let refuse = |name, value, expected| Err(Error::Argument { name, value, expected });
        let cooling = self.schedule.cooling;
        if !(cooling > 0.0 && cooling.is_finite()) || cooling != 1.0 && steps == 0 {
            let expected = "finite and above 0, and 1 without a number of steps";
            return refuse("schedule.cooling", cooling.into(), expected);
        }
        if matches!(self.update, Update::Replan(_) | Update::Renoise { .. }) && steps == 0 {
            return refuse("schedule.steps", 0.0, "at least 1 for this update");
        }
        if self.score.filtered && self.compares_steps() {
            let expected = "0 where laws are compared with those of the step before";
            return refuse("score.filtered", 1.0, expected);
        }
        let Schedule { least, most, .. } = self.schedule;
        if matches!(self.update, Update::Replan(_)) && (least, most) != (0, 0) {
            let (name, value) =
                if least > 0 { ("schedule.least", least) } else { ("schedule.most", most) };
            return refuse(name, value.into(), "0 where all positions are planned anew");
        }
        let is_timed = self.is_by_size() && self.schedule.sizes.is_timed();
        if self.select.is_first_hitting() && !is_timed {
            return Ok(());
        }
        if extrapolate && !self.select.is_first_hitting() {
            return refuse("schedule.extrapolate", 1.0, "0, except for first-hitting");
        }
        if self.select.is_by_score() {
            self.score.check(steps)?;
            self.select.check(&self.score, steps)?;
        }
        if steps == 0 && (self.select.is_by_score() || self.select == Select::Sequential) {
            return Ok(());
        }
        if steps == 0 {
            return refuse("schedule.steps", 0.0, "at least 1");
        }
        if !(start > 0.0 && start <= noise.last_time() && start.is_finite()) {
            return refuse(
                "schedule.start",
                start,
                "finite, above 0 and at most the last time of the noise schedule",
            );
        }
        if !(end >= 0.0 && end < start) {
            return refuse("schedule.end", end, "at least 0 and below schedule.start");
        }
        grid.check((start, end), steps)?;
        if self.select == Select::ScoreBernoulli && noise.log_masked(start) >= 0.0 {
            return refuse(
                "schedule.start",
                start,
                "a time at which some tokens are clean, for scores",
            );
        }
        if let Transition::Trapezoidal { theta, .. } = transition {
            if !(theta > 0.0 && theta < 1.0) {
                return refuse("schedule.transition.theta", theta, "above 0 and below 1");
            }
            if steps > u32::MAX / 4 {
                return refuse("schedule.steps", steps.into(), "below 2^30 for two calls a step");
            }
            if matches!(self.select, Select::PredrawnBernoulli | Select::ScoreBernoulli) {
                let (name, expected) = ("select", "1, Bernoulli, for the trapezoidal transition");
                let number = if self.select == Select::PredrawnBernoulli { 3.0 } else { 5.0 };
                return refuse(name, number, expected);
            }
        }
        Ok(())
    }

    /// Whether the entropies of rows are looked at beside their scores.
    pub(crate) fn reads_entropy(&self) -> bool {
        let settles = self.stop.settle.is_some_and(|settle| settle.reads_entropy());
        settles || matches!(self.select, Select::EntropyBound { .. })
    }

    /// Whether rows are compared with those of the step before.
    pub(crate) fn compares_steps(&self) -> bool {
        self.select.stable().is_some() || self.score.of == ScoreOf::NegativeDivergence
    }

    /// Whether what is known of positions from earlier steps is looked at.
    pub(crate) fn reads_states(&self) -> bool {
        let by_confidence = self.update.remask().is_some_and(|remask| remask.by_confidence);
        let renoises = matches!(self.update, Update::Renoise { .. });
        by_confidence || renoises || self.select.stable().is_some()
    }

    /// A temperature at a step.
    pub(crate) fn cooled(&self, temperature: f32, step: u32) -> f32 {
        let Schedule { cooling, steps, .. } = self.schedule;
        if cooling == 1.0 {
            return temperature;
        }
        // At the first step exactly 1, whatever c is.
        let left = f64::from(steps.saturating_sub(step)) / f64::from(steps);
        let done = f64::from(step.min(steps)) / f64::from(steps);
        (f64::from(temperature) * (f64::from(cooling) * done + left)) as f32
    }

    /// The time at which the network is evaluated for step `step` of a segment, by the time grid:
    /// the beginning of grid step `step`. A trapezoidal step counts as two, the second of which is
    /// evaluated at t − θ·h.
    ///
    /// The last step of a uniform grid that ends at 0 starts at exactly its own width.
    #[must_use]
    pub fn grid_time(&self, step: u32) -> f64 {
        let (t, s) = self.grid_step(step);
        match self.schedule.transition {
            Transition::Trapezoidal { theta, .. } if step % self.calls_a_step() == 1 => {
                t - theta * (t - s)
            }
            _ => t,
        }
    }

    /// The beginning and the end of the grid step that step `step` of a segment belongs to.
    pub(crate) fn grid_step(&self, step: u32) -> (f64, f64) {
        self.schedule.grid_step(step / self.calls_a_step())
    }

    /// Whether the sizes of the schedule say how many positions a step reveals.
    pub(crate) const fn is_by_size(&self) -> bool {
        self.select.is_sized() && self.schedule.steps != 0
    }

    /// The steps that a segment makes before it finishes; `None` if that depends on its masks.
    pub(crate) fn calls(&self) -> Option<u32> {
        let steps = self.schedule.steps;
        if steps == 0 { None } else { Some(steps * self.calls_a_step()) }
    }

    /// The network calls, and steps of a segment, in a step of the grid.
    const fn calls_a_step(&self) -> u32 {
        match (self.select, self.schedule.transition) {
            (Select::Bernoulli, Transition::Trapezoidal { .. }) => 2,
            _ => 1,
        }
    }
}
