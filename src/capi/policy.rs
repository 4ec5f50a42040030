//! Policies as plain numbers.

use super::boundary;
use super::change::Change;
use super::draw::demask_key;
use super::grid::demask_time_grid;
use super::noise::{demask_noise, demask_noise_table};
use super::numbered::{Numbered, numbered};
use super::pointer::{self, c_struct};
use super::rule::demask_draw_rule;
use super::selection::{DEMASK_SELECT_THRESHOLD, Selection};
use super::sizes::{self, demask_sizes};
use super::status::{
    DEMASK_ERR_ARGUMENT, DEMASK_ERR_SHAPE, DEMASK_ERR_STRUCT, Refusal, demask_status,
};
use crate::policy::{Policy, Schedule, Score, ScoreOf, Settle, Stop};
use crate::schedule::{Grid, MultiJump, Transition};
use crate::stop::Finish;

/// The probability of the drawn token, in the law at score_temperature before any filter.
pub const DEMASK_SCORE_PROBABILITY: u32 = 0;
/// Its logarithm.
pub const DEMASK_SCORE_LOG_PROBABILITY: u32 = 1;
/// The difference of the two largest probabilities.
pub const DEMASK_SCORE_MARGIN: u32 = 2;
/// The entropy, negative.
pub const DEMASK_SCORE_NEGATIVE_ENTROPY: u32 = 3;
/// The largest probability, but at most that of the drawn token relative to it.
pub const DEMASK_SCORE_CAPPED_PROBABILITY: u32 = 4;
/// A uniform number of the position's own.
pub const DEMASK_SCORE_RANDOM: u32 = 5;
/// 0: what the prior adds is the score.
pub const DEMASK_SCORE_EXTERNAL: u32 = 6;
/// The divergence from the law of the step before, negative; -INFINITY in the first step. Needs the
/// earlier logits at every step of a segment but its first.
pub const DEMASK_SCORE_NEGATIVE_DIVERGENCE: u32 = 7;

/// min(1, h r(t)) (Euler).
pub const DEMASK_TRANSITION_EULER: u32 = 0;
/// 1 - exp(-h r(t)): the first of several jumps counts (tau-leaping).
pub const DEMASK_TRANSITION_TAU_LEAPING: u32 = 1;
/// h r(t) exp(-h r(t)): several jumps are rejected (tau-leaping).
pub const DEMASK_TRANSITION_TAU_LEAPING_REJECT: u32 = 2;
/// The exact probability of the reverse process; with scores, the Tweedie rule.
pub const DEMASK_TRANSITION_ANCESTRAL: u32 = 3;
/// The theta-trapezoidal method, two network calls a step, the first of several jumps counts (Ren
/// et al., arXiv 2502.00234). Needs the earlier logits at every second step of a segment.
pub const DEMASK_TRANSITION_TRAPEZOIDAL: u32 = 4;
/// As TRAPEZOIDAL, several jumps are rejected.
pub const DEMASK_TRANSITION_TRAPEZOIDAL_REJECT: u32 = 5;

/// Steps of one width from start to end.
pub const DEMASK_GRID_UNIFORM: u32 = 0;
/// Steps of width grid_fraction min(1, t) from time t, down to the end.
pub const DEMASK_GRID_DECAYING: u32 = 1;
/// The times of grid_times.
pub const DEMASK_GRID_TIMES: u32 = 2;

/// Masks that are left after the last step stay masked.
pub const DEMASK_FINISH_NONE: u32 = 0;
/// They are drawn at the policy's temperature, in one more step.
pub const DEMASK_FINISH_SAMPLE: u32 = 1;
/// They get their most likely token, in one more step. This biases the law.
pub const DEMASK_FINISH_ARGMAX: u32 = 2;

/// A decoding rule: how a token is drawn, which positions move, what happens to them, when, and
/// when it ends. A plain value: fill it with a demask_policy_ function, then change fields as wanted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_policy {
    /// sizeof(demask_policy), as the caller was compiled. The policies of a canvas have the size
    /// that the canvas says.
    pub struct_size: u32,
    /// Which positions move: a DEMASK_SELECT_ number.
    pub select: u32,
    /// What happens to them: a DEMASK_UPDATE_ number.
    pub update: u32,
    /// The noise schedule that relates time and masked fraction: a DEMASK_NOISE_ number. Its
    /// parameters are noise_parameter, noise_sigma_max and noise_table.
    pub noise: u32,
    /// How many positions random order and first-hitting reveal at each step: a DEMASK_SIZES_
    /// number, with its table in sizes_table.
    pub sizes: u32,
    /// What is done about masks that are left at the end: a DEMASK_FINISH_ number.
    pub finish: u32,
    /// The number of steps, at least 1. First-hitting with 0 steps reveals one position after
    /// another, however many there are.
    pub steps: u32,
    /// Logits are divided by this: 0, or at least 1e-30. 0 takes the largest logit (ties: the
    /// lowest id), INFINITY draws uniformly among the finite logits.
    pub temperature: f32,
    /// As in demask_draw_rule, as are the next four; 0 in each of them filters nothing.
    pub top_k: u32,
    /// See demask_draw_rule.
    pub top_p: f32,
    /// See demask_draw_rule.
    pub min_p: f32,
    /// A DEMASK_FILTER_ number.
    pub filter_order: u32,
    /// A DEMASK_METHOD_ number.
    pub method: u32,
    /// Zero.
    pub reserved: u32,
    /// The time at which the time grid starts, above 0 and at most the last time of the noise
    /// schedule. First-hitting starts from the log_masked of its segment instead.
    pub start: f64,
    /// The time at which the time grid ends, at least 0 and below start.
    pub end: f64,
    /// As `parameter` in demask_noise.
    pub noise_parameter: f64,
    /// As `sigma_max` in demask_noise.
    pub noise_sigma_max: f64,
    /// As `table` in demask_noise.
    pub noise_table: *const demask_noise_table,
    /// Zero.
    pub noise_reserved: usize,
    /// With what probability a step of a time grid reveals a position: a DEMASK_TRANSITION_ number.
    pub transition: u32,
    /// How the time grid falls: a DEMASK_GRID_ number.
    pub grid: u32,
    /// 0 or 1, 1 for first-hitting alone: whether the law at each hit is extrapolated in time from
    /// the two latest outputs (Zheng et al., arXiv 2409.02908). From the second step of a segment on
    /// a step then needs the earlier logits.
    pub extrapolate: u32,
    /// Zero.
    pub reserved_2: u32,
    /// The theta of TRAPEZOIDAL, above 0 and below 1. Zero for the others.
    pub theta: f64,
    /// The fraction of DECAYING, above 0 and at most 1: see demask_grid_decaying. Zero for the
    /// others.
    pub grid_fraction: f64,
    /// The times of TIMES. NULL for the others.
    pub grid_times: *const demask_time_grid,
    /// Zero.
    pub grid_reserved: usize,
    /// The table of DEMASK_SIZES_TABLE. NULL for the others.
    pub sizes_table: *const demask_sizes,
    /// Zero.
    pub sizes_reserved: usize,
    /// The parameter of TIME_RATIO or FIXED. Zero for the others.
    pub sizes_parameter: f64,
    /// What orders positions, for the selections from TOP_K on: a DEMASK_SCORE_ number. Those that
    /// would round to 1 are told apart; ties: the lowest position. This and all that follows is not
    /// looked at by the other selections.
    pub score: u32,
    /// The temperature of the law that it is of, from 1e-30 to 1e30, or INFINITY; 0 is 1.
    pub score_temperature: f32,
    /// So many times a Gumbel variable of the position's own is added to every score: the highest
    /// scores are then drawn without replacement, with weights exp(score/score_gumbel).
    pub score_gumbel: f64,
    /// 0 or 1: whether score_gumbel is multiplied by 1 - (k + 1)/K at step k of K.
    pub score_gumbel_falls: u32,
    /// How many last_tokens there are.
    pub n_last_tokens: u32,
    /// Tokens whose positions come after all others; NULL without any.
    pub last_tokens: *const i32,
    /// Zero.
    pub last_reserved: usize,
    /// See the DEMASK_SELECT_ numbers; zero for those that do not say what it is, as are the next five.
    pub threshold: f64,
    /// See the DEMASK_SELECT_ numbers.
    pub threshold_2: f64,
    /// 0 or 1, see the DEMASK_SELECT_ numbers.
    pub strict: u32,
    /// A DEMASK_FALLBACK_ number.
    pub fallback: u32,
    /// See THRESHOLD.
    pub most: u32,
    /// See NEIGHBOURS.
    pub radius: u32,
    /// A DEMASK_REMASK_ number, for REMASK; zero for REVEAL, as are the next four.
    pub remask: u32,
    /// 0 or 1: whether positions share that probability by their confidence, in proportion to
    /// exp(-p), p that of their token when it was revealed. Needs the states of the canvas. Masked
    /// positions are then revealed as without remasking.
    pub remask_by_confidence: u32,
    /// 0 to 1, see the DEMASK_REMASK_ numbers.
    pub remask_eta: f64,
    /// Steps that begin at a time t with remask_until < t <= remask_from remask; INFINITY for all from
    /// the start.
    pub remask_from: f64,
    /// See remask_from.
    pub remask_until: f64,
    /// Tokens that end a text: once one of them stands in a segment with no mask before it, the masks
    /// that are left in the segment get fill_token, and are inactive. Those of fixed positions do not
    /// count. NULL without any.
    pub end_tokens: *const i32,
    /// Zero.
    pub end_reserved: usize,
    /// How many end_tokens there are.
    pub n_end_tokens: u32,
    /// What stands after the end of a text; negative for its end token. Zero without end_tokens.
    pub fill_token: i32,
    /// 0 or 1: whether a score is multiplied and added to by the priors of the canvas. Scores are then
    /// compared as they are.
    pub score_priors: u32,
    /// Zero.
    pub reserved_3: u32,
    /// See THRESHOLD: above 0 and at most 1; 0 is 1.
    pub most_share: f64,
    /// See THRESHOLD.
    pub share_least: u32,
    /// See STABLE.
    pub stable_steps: u32,
    /// See the DEMASK_UPDATE_ numbers; zero for those that do not say what it is, as are the next four.
    pub update_threshold: f64,
    /// A DEMASK_DOUBT_ number.
    pub doubt_of: u32,
    /// Zero.
    pub reserved_4: u32,
    /// See EDIT.
    pub extra_steps: u32,
    /// See RENOISE and UNIFORM_STATE.
    pub noise_tokens: u32,
    /// A segment is done, although it could go on, once so many steps in a row have changed nothing (its
    /// `settled`) and its mean entropy is below settle_entropy. 0 for never.
    pub settle_steps: u32,
    /// At step k of K the temperatures of the draw and of the score are multiplied by c + (1 - c)(K -
    /// k)/K, where c is this; above 0, 0 is 1. 1 without a number of steps.
    pub cooling: f32,
    /// In nats, in the law of the score; INFINITY for any. Zero without settle_steps.
    pub settle_entropy: f64,
    /// The least size of a step, and the largest; 0 is no bound. A size is never more than the masks
    /// left. Zero for REPLAN.
    pub sizes_least: u32,
    /// See sizes_least.
    pub sizes_most: u32,
    /// 0 or 1, see THRESHOLD.
    pub within_size: u32,
    /// A DEMASK_NUCLEUS_ number.
    pub nucleus_edge: u32,
    /// 0 or 1: whether a score is of the law that the filters of the draw leave.
    pub score_filtered: u32,
    /// Zero.
    pub reserved_5: u32,
}
c_struct!(demask_policy: 392, grew from 168);

numbered!(ScoreOf:
    DEMASK_SCORE_PROBABILITY = Probability,
    DEMASK_SCORE_LOG_PROBABILITY = LogProbability,
    DEMASK_SCORE_MARGIN = Margin,
    DEMASK_SCORE_NEGATIVE_ENTROPY = NegativeEntropy,
    DEMASK_SCORE_CAPPED_PROBABILITY = CappedProbability,
    DEMASK_SCORE_RANDOM = Random,
    DEMASK_SCORE_EXTERNAL = External,
    DEMASK_SCORE_NEGATIVE_DIVERGENCE = NegativeDivergence);
numbered!(Finish:
    DEMASK_FINISH_NONE = None,
    DEMASK_FINISH_SAMPLE = Sample,
    DEMASK_FINISH_ARGMAX = Argmax);

impl demask_policy {
    /// The selection and its parameters.
    fn selection(&self) -> Selection {
        let &Self { select, threshold, threshold_2, strict, fallback, most, radius, .. } = self;
        let &Self { share_least, within_size, stable_steps, .. } = self;
        let is_threshold = select == DEMASK_SELECT_THRESHOLD;
        let most_share = match self.most_share {
            0.0 if is_threshold => 1.0,
            share => share,
        };
        Selection {
            select,
            threshold,
            threshold_2,
            strict,
            fallback,
            most,
            radius,
            most_share,
            share_least,
            within_size,
            stable_steps,
        }
    }

    /// The numbers of the update.
    fn change(&self) -> Change {
        Change {
            update: self.update,
            remask: self.remask,
            by_confidence: self.remask_by_confidence,
            eta: self.remask_eta,
            from: self.remask_from,
            until: self.remask_until,
            threshold: self.update_threshold,
            of: self.doubt_of,
            extra_steps: self.extra_steps,
            tokens: self.noise_tokens,
        }
    }

    /// The stop of `finish` and the end tokens.
    ///
    /// # Safety
    /// The caller's promise for `end_tokens`, as long as the result is used.
    unsafe fn stop<'a>(&self) -> Result<Stop<'a>, Refusal> {
        let finish = Finish::from_number(self.finish)?;
        let settle = match (self.settle_steps, self.settle_entropy) {
            (0, 0.0) => None,
            (0, _) => return Err(Refusal(DEMASK_ERR_ARGUMENT)),
            (steps, mean_entropy) => Some(Settle { steps, mean_entropy }),
        };
        let unused = self.n_end_tokens == 0 && self.fill_token != 0;
        if unused || self.end_reserved != 0 {
            return Err(Refusal(DEMASK_ERR_ARGUMENT));
        }
        if self.n_end_tokens == 0 {
            return Ok(Stop { finish, settle, ..Stop::AT_LAST });
        }
        // SAFETY: the caller's promise.
        let end_tokens = unsafe { pointer::slice(self.end_tokens, self.n_end_tokens as usize)? };
        let fill = (self.fill_token >= 0).then_some(self.fill_token);
        Ok(Stop { finish, end_tokens, fill, settle })
    }

    /// The score of `score` and its parameters.
    ///
    /// # Safety
    /// The caller's promise for `last_tokens`, as long as the result is used.
    unsafe fn score<'a>(&self) -> Result<Score<'a>, Refusal> {
        let unlisted =
            self.score_gumbel_falls > 1 || self.score_priors > 1 || self.score_filtered > 1;
        if unlisted || self.last_reserved != 0 {
            return Err(Refusal(DEMASK_ERR_ARGUMENT));
        }
        let temperature = if self.score_temperature == 0.0 { 1.0 } else { self.score_temperature };
        let last = match self.n_last_tokens {
            0 => &[],
            // SAFETY: the caller's promise.
            count => unsafe { pointer::slice(self.last_tokens, count as usize)? },
        };
        Ok(Score {
            of: ScoreOf::from_number(self.score)?,
            temperature,
            filtered: self.score_filtered == 1,
            gumbel: self.score_gumbel,
            gumbel_falls: self.score_gumbel_falls == 1,
            priors: self.score_priors == 1,
            last,
        })
    }

    /// The grid of `grid` and its parameters.
    ///
    /// # Safety
    /// The caller's promise for `grid_times`, as long as the result is used.
    unsafe fn grid<'a>(&self) -> Result<Grid<'a>, Refusal> {
        let fraction = self.grid_fraction;
        let grid = match self.grid {
            DEMASK_GRID_UNIFORM => Grid::Uniform,
            DEMASK_GRID_DECAYING => Grid::Decaying { fraction },
            DEMASK_GRID_TIMES => {
                // SAFETY: the caller's promise: NULL, or a grid that lives and is not changed.
                Grid::Times(unsafe { pointer::object(self.grid_times)? }.grid())
            }
            _ => return Err(Refusal(DEMASK_ERR_ARGUMENT)),
        };
        let unused = matches!(grid, Grid::Decaying { .. }) || fraction == 0.0;
        let unused = unused && (matches!(grid, Grid::Times(_)) || self.grid_times.is_null());
        if unused { Ok(grid) } else { Err(Refusal(DEMASK_ERR_ARGUMENT)) }
    }

    /// The policy of these numbers, its parameters not yet checked.
    ///
    /// # Safety
    /// The caller's promise for `noise_table`, `grid_times`, `sizes_table`, `last_tokens` and
    /// `end_tokens`, as long as the result is used.
    unsafe fn policy<'a>(&self) -> Result<Policy<'a>, Refusal> {
        let Self { temperature, top_k, top_p, min_p, filter_order, method, .. } = *self;
        let reserved = [self.grid_reserved, self.sizes_reserved] == [0; 2]
            && [self.reserved, self.reserved_2, self.reserved_3, self.reserved_4] == [0; 4]
            && self.reserved_5 == 0;
        if !reserved || self.extrapolate > 1 {
            return Err(Refusal(DEMASK_ERR_ARGUMENT));
        }
        let rule = demask_draw_rule {
            struct_size: size_of::<demask_draw_rule>() as u32,
            temperature,
            top_k,
            top_p,
            min_p,
            filter_order,
            method,
            nucleus_edge: self.nucleus_edge,
        };
        let noise = demask_noise {
            struct_size: size_of::<demask_noise>() as u32,
            schedule: self.noise,
            parameter: self.noise_parameter,
            sigma_max: self.noise_sigma_max,
            table: self.noise_table,
            reserved: self.noise_reserved,
        };
        // SAFETY: the caller's promise.
        let (noise, grid) = unsafe { (noise.noise()?, self.grid()?) };
        Ok(Policy {
            draw: rule.draw()?,
            // SAFETY: the caller's promise.
            score: unsafe { self.score()? },
            select: self.selection().select()?,
            update: self.change().update()?,
            schedule: Schedule {
                noise,
                grid,
                start: self.start,
                end: self.end,
                steps: self.steps,
                // SAFETY: the caller's promise.
                sizes: unsafe { sizes::read(self.sizes, self.sizes_parameter, self.sizes_table)? },
                least: self.sizes_least,
                most: self.sizes_most,
                transition: transition(self.transition, self.theta)?,
                extrapolate: self.extrapolate == 1,
                cooling: if self.cooling == 0.0 { 1.0 } else { self.cooling },
            },
            // SAFETY: the caller's promise.
            stop: unsafe { self.stop()? },
        })
    }

    /// As [`policy`](Self::policy), for an element of an array of elements of `size` bytes.
    ///
    /// # Safety
    /// As for [`policy`](Self::policy).
    pub(super) unsafe fn element<'a>(&self, size: u32) -> Result<Policy<'a>, Refusal> {
        if self.struct_size != size {
            return Err(Refusal(DEMASK_ERR_STRUCT));
        }
        // SAFETY: the caller's promise.
        unsafe { self.policy() }
    }

    pub(super) fn new(policy: &Policy<'_>, struct_size: usize) -> Self {
        let rule = demask_draw_rule::new(&policy.draw, size_of::<demask_draw_rule>());
        let noise = demask_noise::new(policy.schedule.noise);
        let (transition, theta) = match policy.schedule.transition {
            Transition::Euler => (DEMASK_TRANSITION_EULER, 0.0),
            Transition::TauLeaping(MultiJump::First) => (DEMASK_TRANSITION_TAU_LEAPING, 0.0),
            Transition::TauLeaping(MultiJump::Reject) => {
                (DEMASK_TRANSITION_TAU_LEAPING_REJECT, 0.0)
            }
            Transition::Ancestral => (DEMASK_TRANSITION_ANCESTRAL, 0.0),
            Transition::Trapezoidal { theta, multi_jump: MultiJump::First } => {
                (DEMASK_TRANSITION_TRAPEZOIDAL, theta)
            }
            Transition::Trapezoidal { theta, multi_jump: MultiJump::Reject } => {
                (DEMASK_TRANSITION_TRAPEZOIDAL_REJECT, theta)
            }
        };
        let selection = Selection::new(policy.select);
        let Selection { select, threshold, threshold_2, strict, fallback, most, radius, .. } =
            selection;
        let change = Change::new(&policy.update);
        let settle = policy.stop.settle;
        let Score { of, temperature, filtered, gumbel, gumbel_falls, priors, last } = policy.score;
        let ends = policy.stop.end_tokens;
        let none = core::ptr::null();
        let (grid, grid_fraction, grid_times) = match policy.schedule.grid {
            Grid::Uniform => (DEMASK_GRID_UNIFORM, 0.0, none),
            Grid::Decaying { fraction } => (DEMASK_GRID_DECAYING, fraction, none),
            Grid::Times(times) => (DEMASK_GRID_TIMES, 0.0, demask_time_grid::of(times)),
        };
        Self {
            struct_size: u32::try_from(struct_size).unwrap_or(0),
            select,
            update: change.update,
            noise: noise.schedule,
            sizes: sizes::number(policy.schedule.sizes),
            finish: policy.stop.finish.number(),
            steps: policy.schedule.steps,
            temperature: rule.temperature,
            top_k: rule.top_k,
            top_p: rule.top_p,
            min_p: rule.min_p,
            filter_order: rule.filter_order,
            method: rule.method,
            reserved: 0,
            start: policy.schedule.start,
            end: policy.schedule.end,
            noise_parameter: noise.parameter,
            noise_sigma_max: noise.sigma_max,
            noise_table: noise.table,
            noise_reserved: noise.reserved,
            transition,
            grid,
            extrapolate: u32::from(policy.schedule.extrapolate),
            reserved_2: 0,
            theta,
            grid_fraction,
            grid_times,
            grid_reserved: 0,
            sizes_table: core::ptr::null(),
            sizes_reserved: 0,
            sizes_parameter: sizes::parameter(policy.schedule.sizes),
            score: of.number(),
            score_temperature: temperature,
            score_gumbel: gumbel,
            score_gumbel_falls: gumbel_falls.into(),
            n_last_tokens: last.len() as u32,
            last_tokens: if last.is_empty() { core::ptr::null() } else { last.as_ptr() },
            last_reserved: 0,
            threshold,
            threshold_2,
            strict,
            fallback,
            most,
            radius,
            remask: change.remask,
            remask_by_confidence: change.by_confidence,
            remask_eta: change.eta,
            remask_from: change.from,
            remask_until: change.until,
            end_tokens: if ends.is_empty() { core::ptr::null() } else { ends.as_ptr() },
            end_reserved: 0,
            n_end_tokens: ends.len() as u32,
            score_priors: priors.into(),
            reserved_3: 0,
            fill_token: if ends.is_empty() { 0 } else { policy.stop.fill.unwrap_or(-1) },
            most_share: selection.most_share,
            share_least: selection.share_least,
            stable_steps: selection.stable_steps,
            update_threshold: change.threshold,
            doubt_of: change.of,
            reserved_4: 0,
            extra_steps: change.extra_steps,
            noise_tokens: change.tokens,
            settle_steps: settle.map_or(0, |settle| settle.steps),
            cooling: policy.schedule.cooling,
            settle_entropy: settle.map_or(0.0, |settle| settle.mean_entropy),
            sizes_least: policy.schedule.least,
            sizes_most: policy.schedule.most,
            within_size: selection.within_size,
            nucleus_edge: rule.nucleus_edge,
            score_filtered: filtered.into(),
            reserved_5: 0,
        }
    }
}

/// The rule of a DEMASK_TRANSITION_ number and `theta`, which is not yet checked where it is used, and 0
/// where it is not.
pub(super) fn transition(number: u32, theta: f64) -> Result<Transition, Refusal> {
    let (first, reject) = (MultiJump::First, MultiJump::Reject);
    let transition = match number {
        DEMASK_TRANSITION_EULER => Transition::Euler,
        DEMASK_TRANSITION_TAU_LEAPING => Transition::TauLeaping(first),
        DEMASK_TRANSITION_TAU_LEAPING_REJECT => Transition::TauLeaping(reject),
        DEMASK_TRANSITION_ANCESTRAL => Transition::Ancestral,
        DEMASK_TRANSITION_TRAPEZOIDAL => Transition::Trapezoidal { theta, multi_jump: first },
        DEMASK_TRANSITION_TRAPEZOIDAL_REJECT => {
            Transition::Trapezoidal { theta, multi_jump: reject }
        }
        _ => return Err(Refusal(DEMASK_ERR_ARGUMENT)),
    };
    let used = matches!(transition, Transition::Trapezoidal { .. });
    if used || theta == 0.0 { Ok(transition) } else { Err(Refusal(DEMASK_ERR_ARGUMENT)) }
}

/// Checks every field of a policy, as every call that takes one does.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT, SHAPE (other steps than those of its times or of its table).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_policy_check(policy: *const demask_policy) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe { Ok(pointer::read(policy)?.policy()?.check()?) })
}

/// Writes the time at the beginning of step `step` of a policy's time grid: `start` for step 0,
/// `end` for step `steps` and any later one.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT (also for first-hitting, which has no grid), SHAPE (other steps
/// than those of its times or of its table).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_policy_grid_time(
    policy: *const demask_policy,
    step: u32,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let policy = pointer::read(policy)?.policy()?;
        let out = pointer::out(out)?;
        policy.check()?;
        if policy.select.is_first_hitting() || policy.schedule.steps == 0 {
            return Err(Refusal(DEMASK_ERR_ARGUMENT));
        }
        out.write(policy.grid_time(step));
        Ok(())
    })
}

/// Writes how many positions step `step` of a segment reveals by the sizes of a policy, between sizes_least
/// and sizes_most, as a plan takes them: the segment had `initial` masks at its first step, and has `left`
/// now. 0 when the steps are used up; 1, or what FIXED says, for a policy without a number of steps. The
/// randomness is that of `key`, the key of the segment's first position, whose step is not looked at.
///
/// What demask_sizes_draw has no parameter for, FIXED, TIME_RATIO, and the noise and times of a policy, is
/// found here step by step: the sum of the sizes so far is what `left` is less than `initial`.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT, SHAPE (masks or steps that the table does not serve, `left`
/// above `initial`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_policy_size(
    policy: *const demask_policy,
    initial: u32,
    left: u32,
    step: u32,
    key: *const demask_key,
    out: *mut u32,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let policy = pointer::read(policy)?.policy()?;
        let key = pointer::slice(key, 1)?[0];
        let out = pointer::out(out)?;
        policy.check()?;
        let Schedule { sizes, steps, .. } = policy.schedule;
        if left > initial {
            return Err(Refusal(DEMASK_ERR_SHAPE));
        }
        if steps > 0 {
            sizes.check(initial, steps)?;
        }
        out.write(policy.schedule.size(initial, left, step, key.into()));
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Draw, FilterOrder, NucleusEdge};
    use crate::schedule::{Noise, Sizes, TimeGrid};
    use crate::select::Select;
    use crate::update::RemaskRate;

    #[test]
    fn a_policy_survives_the_way_to_c_and_back() {
        let size = size_of::<demask_policy>();
        let times = TimeGrid::new(&[0.75, 0.125]).expect("a grid");
        let geometric = Noise::Geometric { sigma_min: 0.5, sigma_max: 2.0 };
        let mut inclusive = Policy::entropy_bound(0.5);
        inclusive.select = Select::EntropyBound { bound: 2.0, inclusive: true };
        let of = ScoreOf::Random;
        let settle = Some(Settle { steps: 3, mean_entropy: f64::INFINITY });
        inclusive.stop = Stop { end_tokens: &[3], fill: Some(4), settle, ..Stop::AT_LAST };
        (inclusive.schedule.least, inclusive.schedule.most) = (2, 5);
        inclusive.schedule.sizes = Sizes::Fixed(3);
        let mut within = Policy::llada2(0.5);
        if let Select::Threshold(threshold) = &mut within.select {
            threshold.within_size = true;
        }
        inclusive.score = Score {
            of,
            temperature: 0.5,
            filtered: true,
            gumbel: 0.25,
            gumbel_falls: true,
            priors: true,
            last: &[7, 9],
        };
        for noise in [Noise::Linear, Noise::Cosine, Noise::UnitRate, geometric] {
            for finish in [Finish::None, Finish::Sample, Finish::Argmax] {
                let presets = [
                    Policy::first_hitting(noise),
                    Policy::euler(noise, 17),
                    Policy::random_order(5),
                    Policy::euler_score(noise, 4),
                    Policy::tau_leaping(noise, 3),
                    Policy::tweedie(noise, 6),
                    Policy::theta_trapezoidal(noise, 0.25, 6),
                    Policy::first_hitting_extrapolated(noise, 4),
                    Policy::ancestral(noise, 9).on_decaying_grid(1.0, 0.25).expect("a grid"),
                    Policy::euler(noise, 1).on_times(&times),
                    Policy::llada(9),
                    Policy::dream_margin(9),
                    Policy::maskgit(9),
                    Policy::llada2(0.75),
                    Policy::fast_dllm_factor(0.5),
                    Policy::sdar_dynamic(0.25, 9),
                    Policy::sdar_sequential(9),
                    Policy::entropy_bound(0.5),
                    Policy::local_leap(9),
                    Policy::hierarchy(0.25, 0.5),
                    Policy::dinfer(0.5),
                    Policy::prefix(0.5),
                    inclusive,
                    within,
                    Policy::remdm(RemaskRate::Cap(0.25), 9),
                    Policy::remdm_confident(9),
                    Policy::hierarchy_remask(0.25, 0.5),
                    Policy::klass(9),
                    Policy::wino(),
                    Policy::llada21(0.75, 0.5),
                    Policy::p2(1.5, 9),
                    Policy::diffusion_gemma(9),
                    Policy::uniform_state(noise, 9),
                ];
                for mut policy in presets {
                    policy.stop.finish = finish;
                    policy.draw = Draw { top_k: 7, top_p: 0.5, min_p: 0.125, ..Draw::at(0.25) };
                    policy.draw.filter_order = FilterOrder::BeforeTemperature;
                    policy.draw.nucleus_edge = NucleusEdge::Drop;
                    policy.schedule.end = 0.125;
                    let numbers = demask_policy::new(&policy, size);
                    // SAFETY: it has no table.
                    let element = |size| unsafe { numbers.element(size) };
                    // SAFETY: as above.
                    assert_eq!(unsafe { numbers.policy() }, Ok(policy));
                    assert_eq!(element(size as u32), Ok(policy));
                    assert_eq!(element(80), Err(Refusal(DEMASK_ERR_STRUCT)));
                }
            }
        }
    }

    #[test]
    fn a_number_that_is_not_listed_is_refused() {
        let good = demask_policy::new(&Policy::random_order(3), size_of::<demask_policy>());
        let fields: [fn(&mut demask_policy) -> &mut u32; 33] = [
            |p| &mut p.select,
            |p| &mut p.update,
            |p| &mut p.noise,
            |p| &mut p.sizes,
            |p| &mut p.finish,
            |p| &mut p.filter_order,
            |p| &mut p.method,
            |p| &mut p.reserved,
            |p| &mut p.transition,
            |p| &mut p.grid,
            |p| &mut p.extrapolate,
            |p| &mut p.reserved_2,
            |p| &mut p.score,
            |p| &mut p.score_gumbel_falls,
            |p| &mut p.strict,
            |p| &mut p.fallback,
            |p| &mut p.most,
            |p| &mut p.radius,
            |p| &mut p.remask,
            |p| &mut p.remask_by_confidence,
            |p| &mut p.n_end_tokens,
            |p| &mut p.score_priors,
            |p| &mut p.reserved_3,
            |p| &mut p.share_least,
            |p| &mut p.stable_steps,
            |p| &mut p.doubt_of,
            |p| &mut p.reserved_4,
            |p| &mut p.extra_steps,
            |p| &mut p.noise_tokens,
            |p| &mut p.within_size,
            |p| &mut p.nucleus_edge,
            |p| &mut p.score_filtered,
            |p| &mut p.reserved_5,
        ];
        // Of the noise schedules, the grids and the sizes, the last one needs a table.
        let listed = [
            15, 7, 8, 8, 3, 2, 2, 1, 6, 2, 2, 1, 8, 2, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1,
            1, 2, 2, 1,
        ];
        for (field, listed) in fields.into_iter().zip(listed) {
            for number in [0, listed - 1, listed, u32::MAX] {
                let mut policy = good;
                *field(&mut policy) = number;
                // SAFETY: it has no table.
                let read = unsafe { policy.policy() };
                assert_eq!(read.is_ok(), number < listed, "number {number}");
            }
        }
    }
}
