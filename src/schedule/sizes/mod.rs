//! Unmasking sizes: how many positions a step reveals.
//!
//! | rule | sizes | made for |
//! |---|---|---|
//! | [`Sizes::Even`] | equal, what is over first | most laws, if nothing is known; LLaDA |
//! | [`Sizes::EvenReversed`] | equal, what is over last | chatllm.cpp |
//! | [`Sizes::Fixed`] | the same number at every step | d2Cache; as many steps as it takes |
//! | [`Sizes::TimeRatio`] | ⌊n·(1 − s/t)⌋ of the n masks left | Dream |
//! | [`Sizes::Expected`] | n·P of the n masks left, rounded, by the policy's noise and times | dllm |
//! | [`Sizes::Binomial`] | a binomial number of the same mean | dllm, `stochastic_transfer` |
//! | [`Sizes::Kappa`] | ⌊L·(1 − α)⌋ stay masked, by the policy's noise and times | P2; diffusers |
//! | [`Sizes::Mask`] | a [`MaskFunction`] of MaskGIT, the cosine among them | images |
//! | [`Sizes::List`] | a [`SizeList`]: of the caller, of Chen, Cong and Li, by an information profile | a law of which something is known |
//! | [`Sizes::Markov`] | random, one step after the other ([`MarkovSizes`]) | E KL = v·TC for every law |
//! | [`Sizes::MarkovReversed`] | the same in reverse order | laws of small dual total correlation |
//! | [`Sizes::Systematic`] | random, from one uniform number ([`SystematicSizes`]) | the best constant of all that do not look at the data |
//!
//! Markov and systematic sizes are derived here, with the guarantee of Zhao and Cai (arXiv
//! 2602.20126): E KL of the order of TC/K or DTC/K up to a logarithm, without knowing TC or DTC. Their
//! law of sizes could not be read, and none of this is claimed to be it. The proofs stand in
//! `docs/schedules.md`.
//!
//! All of it is about L, the number of masks of a segment at its start: not its length, and not
//! counting what the prompt gives. Sizes are random in a stream of their own and never depend on
//! logits; positions are uniform ([`Select::RandomOrder`](crate::Select::RandomOrder)).
//! [`Overshoot`] says how good a rule is, exactly; [`ProfileEstimator`] measures what is to be known
//! of a model.
//!
//! Tables and lists are plain values of the caller, made once and shared by any number of policies
//! and threads; a policy borrows them. Bernoulli selection needs none of this: each of its steps
//! reveals a binomial number of positions ([`Overshoot::bernoulli`]).
//!
//! # What becomes of a difference
//!
//! A step may reveal fewer positions than its rule says (bad rows, a threshold that is not filled up,
//! `most` of the [`Schedule`](crate::policy::Schedule)), or more (a threshold that more pass,
//! neighbours, `least`). Each rule makes up for it in its own way:
//!
//! | rules | the difference goes to |
//! |---|---|
//! | `Mask`, `Kappa`, `List`, `MarkovReversed`, `Systematic` | the next step, all of it: sizes lead to as many masks as are planned after a step. If there are fewer already, the size is 0 |
//! | `Even`, `EvenReversed` | all later steps, evenly |
//! | `TimeRatio`, `Expected`, `Binomial` | all later steps: a size is a share of what is left |
//! | `Markov` | all later steps, whose law is that of the masks left |
//! | `Fixed` | the last step, or more steps if their number is not given |
//!
//! So even sizes that hand on what a step did not use, at once, are `Kappa` with
//! [`Noise::Linear`] from 1 to 0: ⌈(k + 1)·L/K⌉ less what is revealed already, the
//! quota of diffusers' block refinement without a mask token.

mod binomial;
mod estimator;
mod even;
mod expected;
mod geometric;
mod kappa;
mod list;
mod markov;
mod mask_function;
mod odds;
mod optimal;
mod overshoot;
mod profile;
mod square_root;
mod systematic;
mod tables;
mod tiles;
mod time_ratio;
mod weight;

pub use estimator::ProfileEstimator;
pub use list::SizeList;
pub use markov::MarkovSizes;
pub use mask_function::{MaskFunction, Rounding};
pub use overshoot::Overshoot;
pub use profile::Profile;
pub use systematic::SystematicSizes;
pub use tables::SizeTables;
pub use weight::Weight;

use super::{Noise, Transition};
use crate::error::{Error, shape};
use crate::rng::{Key, Purpose};
use rand_xoshiro::rand_core::Rng;

/// A rule for the number of positions that a step reveals.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Sizes<'a> {
    /// Sizes that differ by at most one, the larger ones first.
    Even,
    /// Sizes that differ by at most one, the larger ones last (chatllm.cpp). With fewer masks than steps
    /// the first ones are empty.
    EvenReversed,
    /// This many positions at every step, at least 1, and all that are left at the last one, if the
    /// policy has a number of steps (d2Cache's `num_transfer_tokens`). Without one there are as many
    /// steps as it takes.
    Fixed(u32),
    /// ⌊n·(1 − s/t)⌋ of the n masks left, in the step from time t to s; times fall from 1 to `end` in
    /// equal steps, and the last one takes all (Dream, Ye et al., arXiv 2508.15487).
    TimeRatio {
        /// The last time, at least 0 and below 1. Dream's is 0.001.
        end: f64,
    },
    /// n·P of the n masks left, to the nearest integer, halves to the even one, in the step from time t
    /// to s: P = 1 − (1 − α(s))/(1 − α(t)), of the policy's noise and times, whatever its
    /// [`Transition`] is. The last step takes all (dllm, `get_num_transfer_tokens`; its cosine is
    /// [`Noise::MaskgitCosine`]).
    ///
    /// Steps may be empty; a plan then names no rows, and the network need not run, which is what dllm
    /// drops them for. It computes P in f32, so that a product at a half may fall to the other side.
    Expected,
    /// A binomial number of the n masks left, of the probability P of [`Expected`](Self::Expected). The
    /// last step takes all (dllm's `stochastic_transfer`). So many are revealed by
    /// [`Select::Bernoulli`](crate::Select::Bernoulli) with ancestral steps; here a score may say which.
    Binomial,
    /// ⌊L·(1 − α(s))⌋ of the L initial masks are masked after the step from time t to s, by the policy's
    /// noise and times; none after the last (P2, Peng et al., arXiv 2502.03540, whose κ is α at 1 − s).
    ///
    /// P2's linear κ is [`Noise::Linear`] from time 1 to 0, its sine [`Noise::Cosine`], its geometric one
    /// [`Noise::Power`] with exponent 2. Steps may be empty; [`Mask`](Self::Mask), where none is,
    /// is the same for linear functions and no more steps than masks.
    Kappa,
    /// As many positions masked after step k of K as a function of k/K says, rounded.
    Mask(MaskFunction, Rounding),
    /// A fixed list, for segments of as many masks as its sum and policies of as many steps.
    List(&'a SizeList),
    /// Random sizes, each by the masks and steps left.
    Markov(&'a MarkovSizes),
    /// The sizes of the same law in reverse order. A step draws the chain anew up to its place, in
    /// O(K·ln L), and keeps nothing.
    MarkovReversed(&'a MarkovSizes),
    /// Random sizes from one uniform number, for segments of exactly the table's masks and policies
    /// of its steps.
    Systematic(&'a SystematicSizes),
}

impl Sizes<'_> {
    /// ⌊L·cos(πk/(2K))⌋ masked after step k of K: the cosine of MaskGIT (Chang et al., arXiv
    /// 2202.04200).
    pub const COSINE: Self = Self::Mask(MaskFunction::Cosine, Rounding::Floor);

    /// Whether the rule serves a segment that starts with `masks` masks, in `steps` steps.
    ///
    /// # Errors
    /// No steps; other masks or steps than those of a list or of a systematic table; more than those
    /// of a Markov table; a parameter out of its range.
    pub fn check(self, masks: u32, steps: u32) -> Result<(), Error> {
        shape(steps > 0, "schedule.steps", 0, "at least", 1)?;
        self.check_steps(steps)?;
        let (bound, exact) = match self {
            Self::Even | Self::EvenReversed | Self::Fixed(_) => return Ok(()),
            Self::TimeRatio { .. } | Self::Mask(..) => return Ok(()),
            Self::Expected | Self::Binomial | Self::Kappa => return Ok(()),
            Self::List(list) => (list.masks(), true),
            Self::Systematic(table) => (table.masks(), true),
            Self::Markov(table) | Self::MarkovReversed(table) => (table.masks(), false),
        };
        fits("segment masks", masks, bound, exact)
    }

    /// Whether sizes depend on the noise and times of the policy.
    pub(crate) const fn is_timed(self) -> bool {
        matches!(self, Self::Expected | Self::Binomial | Self::Kappa)
    }

    /// The size of every step of a policy without a number of steps.
    pub(crate) const fn without_steps(self) -> u32 {
        if let Self::Fixed(size) = self { size } else { 1 }
    }

    /// The part of [`check`](Self::check) that is about the policy.
    pub(crate) fn check_steps(self, steps: u32) -> Result<(), Error> {
        let (bound, exact) = match self {
            Self::Even | Self::EvenReversed | Self::Mask(..) => return Ok(()),
            Self::Expected | Self::Binomial | Self::Kappa => return Ok(()),
            Self::Fixed(size) => return shape(size > 0, "schedule.sizes.fixed", 0, "at least", 1),
            Self::TimeRatio { end } => return time_ratio::check(end),
            Self::List(list) => (list.steps(), true),
            Self::Systematic(table) => (table.steps(), true),
            Self::Markov(table) | Self::MarkovReversed(table) => (table.steps(), false),
        };
        fits("schedule.steps", steps, bound, exact)
    }

    /// How many positions step `step` of `steps` reveals, in a segment that started with `initial`
    /// masks and has `left` now. The last step reveals all of them; past it, 0.
    ///
    /// A position that could not be revealed (a bad row) is made up for by later steps, in the way that
    /// the [module](self) says.
    ///
    /// Expected, binomial and κ sizes are those of [`Noise::Linear`] from time 1 to 0;
    /// [`Schedule::size`](crate::policy::Schedule::size) has those of a policy.
    ///
    /// Randomness is that of `key`, whose step is not looked at: seed, stream and position are those
    /// of the segment and the same at all of its steps, so that a schedule is one draw. Sizes of
    /// several segments of one request differ if their positions do.
    ///
    /// For what [`check`](Self::check) refuses, and for more masks left than there were, sizes are
    /// even. It does not allocate.
    #[must_use]
    pub fn size(self, initial: u32, left: u32, step: u32, steps: u32, key: Key) -> u32 {
        let time = |step: u32| f64::from(steps.saturating_sub(step)) / f64::from(steps);
        let times = (time(step), time(step.saturating_add(1)));
        self.size_at(initial, left, (step, steps), key, (Noise::Linear, times))
    }

    /// As [`size`](Self::size), of a step from a time to another one of a noise schedule.
    pub(crate) fn size_at(
        self,
        initial: u32,
        left: u32,
        (step, steps): (u32, u32),
        key: Key,
        (noise, (t, s)): (Noise<'_>, (f64, f64)),
    ) -> u32 {
        if step >= steps {
            return 0;
        }
        let steps_left = steps - step;
        if left > initial || self.check(initial, steps).is_err() {
            return even::size(left, steps_left);
        }
        let probability = || Transition::Ancestral.probability(noise, t, s);
        let planned = match self {
            Self::Fixed(_) | Self::Expected | Self::Binomial | Self::Kappa if steps_left == 1 => 0,
            Self::Even => left - even::size(left, steps_left),
            Self::EvenReversed => left - even::size_reversed(left, steps_left),
            Self::Fixed(size) => left.saturating_sub(size),
            Self::TimeRatio { end } => left - time_ratio::size(left, step, steps, end),
            Self::Expected => left - expected::size(left, probability()),
            Self::Binomial => {
                let rng = &mut Key { step, ..key }.generator(Purpose::Sizes);
                left - binomial::draw(left, probability(), rng)
            }
            Self::Kappa => kappa::masked(initial, noise, s),
            Self::Mask(function, rounding) => function.masked(rounding, initial, step + 1, steps),
            Self::List(list) => initial - list.revealed(step),
            Self::Markov(table) => table.stays(left, steps_left, uniform(key, step)),
            Self::MarkovReversed(table) => {
                // In the order drawn, the steps after step k of this order are the first ones.
                let used = steps.min(initial);
                let drawn = used.saturating_sub(step + 1);
                initial - table.chain(initial, used, drawn, |at| uniform(key, at))
            }
            Self::Systematic(table) => initial - table.revealed(step, word(key, 0)),
        };
        left.saturating_sub(planned)
    }

    /// Writes the sizes of all steps of a segment that starts with `masks` masks and meets no bad
    /// row: the same ones that [`size`](Self::size) gives.
    ///
    /// # Errors
    /// What [`check`](Self::check) refuses for as many steps as there are places in `sizes`.
    pub fn draw_all(self, masks: u32, key: Key, sizes: &mut [u32]) -> Result<(), Error> {
        let steps = u32::try_from(sizes.len()).unwrap_or(u32::MAX);
        self.check(masks, steps)?;
        let mut left = masks;
        for (step, size) in (0..).zip(sizes) {
            *size = self.size(masks, left, step, steps, key);
            left -= *size;
        }
        Ok(())
    }
}

/// Refuses what a table does not serve.
fn fits(name: &'static str, given: u32, bound: u32, exact: bool) -> Result<(), Error> {
    let (holds, expected) = match exact {
        true => (given == bound, "that of schedule.sizes,"),
        false => (given <= bound, "at most that of schedule.sizes,"),
    };
    shape(holds, name, given as usize, expected, bound as usize)
}

/// The random word of a step.
fn word(key: Key, step: u32) -> u64 {
    Key { step, ..key }.generator(Purpose::Sizes).next_u64()
}

/// A uniform number strictly between 0 and 1.
fn uniform(key: Key, step: u32) -> f64 {
    ((word(key, step) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}
