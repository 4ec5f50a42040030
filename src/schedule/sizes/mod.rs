//! Unmasking sizes: how many positions a step reveals.
//!
//! | rule | sizes | made for |
//! |---|---|---|
//! | [`Sizes::Even`] | equal | most laws, if nothing is known |
//! | [`Sizes::TimeRatio`] | ⌊n·(1 − s/t)⌋ of the n masks left | Dream |
//! | [`Sizes::Mask`] | a [`MaskFunction`] of MaskGIT, the cosine among them | images |
//! | [`Sizes::List`] | a [`SizeList`]: of the caller, of Chen, Cong and Li, by an information profile | a law of which something is known |
//! | [`Sizes::Markov`] | random, one step after the other ([`MarkovSizes`]) | E KL = v·TC for every law |
//! | [`Sizes::MarkovReversed`] | the same in reverse order | laws of small dual total correlation |
//! | [`Sizes::Systematic`] | random, from one uniform number ([`SystematicSizes`]) | the best constant of all that do not look at the data |
//!
//! The random families are derived here, with the guarantee of Zhao and Cai (arXiv 2602.20126): E KL
//! of the order of TC/K or DTC/K up to a logarithm, without knowing TC or DTC. Their law of sizes
//! could not be read, and none of this is claimed to be it. The proofs stand in `docs/schedules.md`.
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

mod estimator;
mod even;
mod geometric;
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

use crate::error::{Error, shape};
use crate::rng::{Key, Purpose};
use rand_xoshiro::rand_core::Rng;

/// A rule for the number of positions that a step reveals.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Sizes<'a> {
    /// Sizes that differ by at most one, the larger ones first.
    Even,
    /// ⌊n·(1 − s/t)⌋ of the n masks left, in the step from time t to s; times fall from 1 to `end` in
    /// equal steps, and the last one takes all (Dream, Ye et al., arXiv 2508.15487).
    TimeRatio {
        /// The last time, at least 0 and below 1. Dream's is 0.001.
        end: f64,
    },
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
    /// of a Markov table.
    pub fn check(self, masks: u32, steps: u32) -> Result<(), Error> {
        shape(steps > 0, "schedule.steps", 0, "at least", 1)?;
        self.check_steps(steps)?;
        let (bound, exact) = match self {
            Self::Even | Self::Mask(..) | Self::TimeRatio { .. } => return Ok(()),
            Self::List(list) => (list.masks(), true),
            Self::Systematic(table) => (table.masks(), true),
            Self::Markov(table) | Self::MarkovReversed(table) => (table.masks(), false),
        };
        fits("segment masks", masks, bound, exact)
    }

    /// The part of [`check`](Self::check) that is about the policy.
    pub(crate) fn check_steps(self, steps: u32) -> Result<(), Error> {
        let (bound, exact) = match self {
            Self::Even | Self::Mask(..) => return Ok(()),
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
    /// A position that could not be revealed (a bad row) is made up for by later steps: a step
    /// reveals what lies between the masks left and those that were to be left after it. Even and
    /// Markov sizes plan anew from the masks left.
    ///
    /// Randomness is that of `key`, whose step is not looked at: seed, stream and position are those
    /// of the segment and the same at all of its steps, so that a schedule is one draw. Sizes of
    /// several segments of one request differ if their positions do.
    ///
    /// For what [`check`](Self::check) refuses, and for more masks left than there were, sizes are
    /// even. It does not allocate.
    #[must_use]
    pub fn size(self, initial: u32, left: u32, step: u32, steps: u32, key: Key) -> u32 {
        if step >= steps {
            return 0;
        }
        let steps_left = steps - step;
        if left > initial || self.check(initial, steps).is_err() {
            return even::size(left, steps_left);
        }
        let planned = match self {
            Self::Even => left - even::size(left, steps_left),
            Self::TimeRatio { end } => left - time_ratio::size(left, step, steps, end),
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
