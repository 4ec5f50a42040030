//! A decoding rule as data: five independent choices, and presets under the names users know.

use crate::draw::DrawRule;
use crate::error::Error;
use crate::schedule::{Noise, Sizes};
use crate::select::Select;
use crate::stop::Finish;
use crate::update::Update;

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
    /// Which positions move.
    pub select: Select,
    /// What happens to them.
    pub update: Update,
    /// When, and how many.
    pub schedule: Schedule<'a>,
    /// What is done about masks that are left at the end.
    pub stop: Stop,
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
    /// Keeps a token if the tokens with larger logits have less than this much probability
    /// together, so that equal logits are kept or dropped together. Above 0; 1 keeps all.
    pub top_p: f32,
    /// Keeps the tokens that are at least this times as likely as the most likely one. 0, which
    /// keeps all, to 1.
    pub min_p: f32,
    /// Which probabilities top-p and min-p look at.
    pub filter_order: FilterOrder,
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
    /// The noise is a function of the [`Key`](crate::Key), the number of the draw and the token's
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
    /// The time at which decoding starts. First-hitting policies start from the segment's
    /// `log_masked` instead.
    pub start: f64,
    /// The time at which a time grid ends, below `start`, at least 0.
    pub end: f64,
    /// The number of steps of a time grid or of a list of sizes; unused by first-hitting.
    pub steps: u32,
    /// How many positions a size-driven policy reveals at each step.
    pub sizes: Sizes,
}

/// How decoding ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop {
    /// What is done about masks that are left after the last step.
    pub finish: Finish,
}

impl<'a> Policy<'a> {
    /// First-hitting: one position at a time, at its exact first-hitting time; the law of the
    /// output has no error but the denoiser's (Zheng et al., arXiv 2409.02908, section 4).
    #[must_use]
    pub const fn first_hitting(noise: Noise<'a>) -> Self {
        Self {
            draw: Draw::at(1.0),
            select: Select::FirstHitting,
            update: Update::Reveal,
            schedule: Schedule {
                noise,
                start: noise.horizon(),
                end: 0.0,
                steps: 0,
                sizes: Sizes::Even,
            },
            stop: Stop { finish: Finish::None },
        }
    }

    /// The Euler method on a uniform time grid of `steps` steps: every masked position is revealed
    /// with probability min(1, h·r(t)), independently (Lou et al., arXiv 2310.16834, `sampling.py`;
    /// `r` is [`Noise::rate`]).
    ///
    /// [`Noise::UnitRate`] has no last time: set `schedule.start` to the horizon wanted (by
    /// default 16).
    #[must_use]
    pub const fn euler(noise: Noise<'a>, steps: u32) -> Self {
        let mut policy = Self::first_hitting(noise);
        policy.select = Select::Bernoulli;
        policy.schedule.steps = steps;
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

    /// Checks every parameter.
    ///
    /// # Errors
    /// The first parameter that is out of its range, by name.
    pub fn check(&self) -> Result<(), Error> {
        self.draw.check()?;
        let Schedule { start, end, steps, noise, .. } = self.schedule;
        noise.check()?;
        if matches!(self.select, Select::FirstHitting) {
            return Ok(());
        }
        let refuse = |name, value, expected| Err(Error::Argument { name, value, expected });
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
        Ok(())
    }

    /// The time at the beginning of step `step` of the time grid.
    ///
    /// The last step of a grid that ends at 0 then starts at exactly its own width.
    #[must_use]
    pub fn grid_time(&self, step: u32) -> f64 {
        let Schedule { start, end, steps, .. } = self.schedule;
        let left = f64::from(steps.saturating_sub(step)) / f64::from(steps);
        end + (start - end) * left
    }
}
