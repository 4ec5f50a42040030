//! Selections as plain numbers.

use super::numbered::{Numbered, numbered};
use super::status::{DEMASK_ERR_ARGUMENT, Refusal};
use crate::select::{Fallback, Neighbours, Select, Stable, Threshold};

/// The positions that are hit next, at their exact first-hitting times, uniform among the masked
/// ones: one if the policy has 0 steps, else as many as its sizes say.
pub const DEMASK_SELECT_FIRST_HITTING: u32 = 0;
/// Every masked position independently, with the probability of the policy's transition.
pub const DEMASK_SELECT_BERNOULLI: u32 = 1;
/// A uniformly random subset, as large as the size schedule says.
pub const DEMASK_SELECT_RANDOM_ORDER: u32 = 2;
/// As BERNOULLI, each position by one random number of its own for all steps.
pub const DEMASK_SELECT_PREDRAWN_BERNOULLI: u32 = 3;
/// As FIRST_HITTING, each position by one random number of its own, which is the masked fraction at
/// its hit. A position whose row is bad is passed over, and comes again last.
pub const DEMASK_SELECT_PREDRAWN_FIRST_HITTING: u32 = 4;
/// Every masked position independently, each with the probability that its own row says: rows are
/// logarithms of scores (Lou et al., arXiv 2310.16834). A plan names all masked positions.
pub const DEMASK_SELECT_SCORE_BERNOULLI: u32 = 5;
/// The first masked positions, from left to right, as many as the size schedule says; one with 0
/// steps.
pub const DEMASK_SELECT_SEQUENTIAL: u32 = 6;
/// The highest scores, as many as the size schedule says; one with 0 steps. For this and all that
/// follow a plan names all masked positions, and a token is drawn for each.
pub const DEMASK_SELECT_TOP_K: u32 = 7;
/// Every score that reaches `threshold`, or exceeds it if `strict` is 1. It goes linearly to
/// threshold_2 at the last step, if there is a number of steps. If too few pass: `fallback`.
/// At most the size of the step if within_size is 1; at most `most` positions a step, if that is not 0, and at most the fraction most_share of those that
/// are masked, if that is not 0, but share_least of them.
pub const DEMASK_SELECT_THRESHOLD: u32 = 8;
/// The highest score, and the r-th highest, r from 2, while (r + 1)(1 - score) is at most
/// `threshold` for it and all before it (Wu et al., arXiv 2505.22618).
pub const DEMASK_SELECT_FACTOR: u32 = 9;
/// As many of the highest scores as have entropies whose sum less their largest, or whose sum itself
/// if `strict` is 1, is at most `threshold`; at least one (Ben-Hamu et al., arXiv 2505.24857).
pub const DEMASK_SELECT_ENTROPY_BOUND: u32 = 10;
/// The longest run of masked positions from the left whose scores reach `threshold`; at least one.
pub const DEMASK_SELECT_PREFIX: u32 = 11;
/// Of every run of neighbouring masks the highest score, if it exceeds threshold_2, and all scores
/// that exceed `threshold`; the highest of all if that would be none.
pub const DEMASK_SELECT_RUNS: u32 = 12;
/// As TOP_K, and all scores that reach threshold_2 within `radius` positions of a chosen one that
/// reaches `threshold`.
pub const DEMASK_SELECT_NEIGHBOURS: u32 = 13;
/// All scores that exceed `threshold` of positions whose law has diverged from that in the step before
/// by less than threshold_2 in each of the last stable_steps steps; as TOP_K if there are none. Needs
/// the states of the canvas, and the earlier logits at every step of a segment but its first (KLASS, Kim
/// et al., arXiv 2511.05664).
pub const DEMASK_SELECT_STABLE: u32 = 14;

/// Nothing more is revealed.
pub const DEMASK_FALLBACK_NONE: u32 = 0;
/// The highest score, if none passes.
pub const DEMASK_FALLBACK_BEST: u32 = 1;
/// Every score within 1e-5 of the highest.
pub const DEMASK_FALLBACK_NEAR_BEST: u32 = 2;
/// The highest scores, up to the size of the step.
pub const DEMASK_FALLBACK_FILL_BY_SCORE: u32 = 3;
/// The first positions from the left, up to the size of the step.
pub const DEMASK_FALLBACK_FILL_IN_ORDER: u32 = 4;

numbered!(Fallback:
    DEMASK_FALLBACK_NONE = None,
    DEMASK_FALLBACK_BEST = Best,
    DEMASK_FALLBACK_NEAR_BEST = NearBest,
    DEMASK_FALLBACK_FILL_BY_SCORE = FillByScore,
    DEMASK_FALLBACK_FILL_IN_ORDER = FillInOrder);

/// A selection as numbers.
#[derive(Default, PartialEq)]
pub(super) struct Selection {
    pub(super) select: u32,
    pub(super) threshold: f64,
    pub(super) threshold_2: f64,
    pub(super) strict: u32,
    pub(super) fallback: u32,
    pub(super) most: u32,
    pub(super) radius: u32,
    pub(super) most_share: f64,
    pub(super) share_least: u32,
    pub(super) within_size: u32,
    pub(super) stable_steps: u32,
}

impl Selection {
    pub(super) fn new(select: Select) -> Self {
        let of = |select| Self { select, ..Self::default() };
        match select {
            Select::FirstHitting => of(DEMASK_SELECT_FIRST_HITTING),
            Select::Bernoulli => of(DEMASK_SELECT_BERNOULLI),
            Select::RandomOrder => of(DEMASK_SELECT_RANDOM_ORDER),
            Select::PredrawnBernoulli => of(DEMASK_SELECT_PREDRAWN_BERNOULLI),
            Select::PredrawnFirstHitting => of(DEMASK_SELECT_PREDRAWN_FIRST_HITTING),
            Select::ScoreBernoulli => of(DEMASK_SELECT_SCORE_BERNOULLI),
            Select::Sequential => of(DEMASK_SELECT_SEQUENTIAL),
            Select::TopK => of(DEMASK_SELECT_TOP_K),
            Select::Threshold(threshold) => Self {
                threshold: threshold.at,
                threshold_2: threshold.at_end,
                strict: threshold.strict.into(),
                fallback: threshold.fallback.number(),
                most: threshold.most,
                most_share: threshold.most_share,
                share_least: threshold.share_least,
                within_size: threshold.within_size.into(),
                ..of(DEMASK_SELECT_THRESHOLD)
            },
            Select::Factor(factor) => Self { threshold: factor, ..of(DEMASK_SELECT_FACTOR) },
            Select::EntropyBound { bound, inclusive } => Self {
                threshold: bound,
                strict: inclusive.into(),
                ..of(DEMASK_SELECT_ENTROPY_BOUND)
            },
            Select::Prefix { at } => Self { threshold: at, ..of(DEMASK_SELECT_PREFIX) },
            Select::Runs { low, high } => {
                Self { threshold: high, threshold_2: low, ..of(DEMASK_SELECT_RUNS) }
            }
            Select::Neighbours(Neighbours { anchor, near, radius }) => Self {
                threshold: anchor,
                threshold_2: near,
                radius,
                ..of(DEMASK_SELECT_NEIGHBOURS)
            },
            Select::Stable(Stable { above, divergence, steps }) => Self {
                threshold: above,
                threshold_2: divergence,
                stable_steps: steps,
                ..of(DEMASK_SELECT_STABLE)
            },
        }
    }

    /// The selection of these numbers; those that it has no use for must be 0.
    pub(super) fn select(&self) -> Result<Select, Refusal> {
        let Self { threshold, threshold_2, most, radius, most_share, share_least, .. } = *self;
        let is_strict = self.strict == 1;
        let select = match self.select {
            DEMASK_SELECT_FIRST_HITTING => Select::FirstHitting,
            DEMASK_SELECT_BERNOULLI => Select::Bernoulli,
            DEMASK_SELECT_RANDOM_ORDER => Select::RandomOrder,
            DEMASK_SELECT_PREDRAWN_BERNOULLI => Select::PredrawnBernoulli,
            DEMASK_SELECT_PREDRAWN_FIRST_HITTING => Select::PredrawnFirstHitting,
            DEMASK_SELECT_SCORE_BERNOULLI => Select::ScoreBernoulli,
            DEMASK_SELECT_SEQUENTIAL => Select::Sequential,
            DEMASK_SELECT_TOP_K => Select::TopK,
            DEMASK_SELECT_THRESHOLD => {
                let fallback = Fallback::from_number(self.fallback)?;
                let (at, at_end, strict) = (threshold, threshold_2, is_strict);
                let within_size = self.within_size == 1;
                let limits =
                    Threshold { most, most_share, share_least, within_size, ..Threshold::at(at) };
                Select::Threshold(Threshold { at_end, strict, fallback, ..limits })
            }
            DEMASK_SELECT_FACTOR => Select::Factor(threshold),
            DEMASK_SELECT_ENTROPY_BOUND => {
                Select::EntropyBound { bound: threshold, inclusive: is_strict }
            }
            DEMASK_SELECT_PREFIX => Select::Prefix { at: threshold },
            DEMASK_SELECT_RUNS => Select::Runs { low: threshold_2, high: threshold },
            DEMASK_SELECT_NEIGHBOURS => {
                let (anchor, near) = (threshold, threshold_2);
                Select::Neighbours(Neighbours { anchor, near, radius })
            }
            DEMASK_SELECT_STABLE => {
                let (above, divergence, steps) = (threshold, threshold_2, self.stable_steps);
                Select::Stable(Stable { above, divergence, steps })
            }
            _ => return Err(Refusal(DEMASK_ERR_ARGUMENT)),
        };
        if Self::new(select) == *self { Ok(select) } else { Err(Refusal(DEMASK_ERR_ARGUMENT)) }
    }
}
