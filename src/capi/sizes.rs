//! Unmasking sizes: numbers for the plain rules, tables that the caller makes for the others.

use super::boundary;
use super::draw::demask_key;
use super::pointer;
use super::status::{DEMASK_ERR_ARGUMENT, DEMASK_ERR_SHAPE, Refusal, demask_status};
use crate::schedule::Sizes;
use crate::schedule::sizes::{
    MarkovSizes, MaskFunction, Overshoot, Profile, Rounding, SizeList, SystematicSizes, Weight,
};
use std::sync::Arc;

/// Sizes that differ by at most one, the larger ones first.
pub const DEMASK_SIZES_EVEN: u32 = 0;
/// (1 - k/K) L of L positions masked after step k of K, rounded down; at most L - k and at least
/// K - k. The same holds for the next six.
pub const DEMASK_SIZES_LINEAR: u32 = 1;
/// cos(pi k/(2 K)) L: the cosine of MaskGIT (Chang et al., arXiv 2202.04200).
pub const DEMASK_SIZES_COSINE: u32 = 2;
/// (1 - (k/K)^2) L.
pub const DEMASK_SIZES_SQUARE: u32 = 3;
/// (1 - (k/K)^3) L.
pub const DEMASK_SIZES_CUBIC: u32 = 4;
/// (1 - sqrt(k/K)) L.
pub const DEMASK_SIZES_SQUARE_ROOT: u32 = 5;
/// (1 - L^(k/K - 1))/(1 - 1/L) L.
pub const DEMASK_SIZES_EXPONENTIAL: u32 = 6;
/// -ln(k/K)/ln(L) L, at most L.
pub const DEMASK_SIZES_LOGARITHMIC: u32 = 7;
/// The sizes of a table of the caller.
pub const DEMASK_SIZES_TABLE: u32 = 8;
/// n (1 - s/t) of the n masks left, rounded down, in the step from time t to s; times fall from 1 to
/// sizes_parameter (of demask_policy; 0 elsewhere) in equal steps, and the last one takes all (Dream,
/// Ye et al., arXiv 2508.15487).
pub const DEMASK_SIZES_TIME_RATIO: u32 = 9;
/// Sizes that differ by at most one, the larger ones last.
pub const DEMASK_SIZES_EVEN_REVERSED: u32 = 10;
/// sizes_parameter positions at every step, an integer of at least 1, and all that are left at the last
/// one; without a number of steps, as many steps as it takes.
pub const DEMASK_SIZES_FIXED: u32 = 11;
/// n P of the n masks left, rounded, in the step from time t to s, P = 1 - (1 - alpha(s))/(1 - alpha(t));
/// the last step takes all (dllm).
pub const DEMASK_SIZES_EXPECTED: u32 = 12;
/// A binomial number of the n masks left, of that probability.
pub const DEMASK_SIZES_BINOMIAL: u32 = 13;
/// (1 - alpha(s)) L positions masked after the step to time s, rounded down (P2). For this and the last
/// two noise and times are those of the policy; elsewhere linear, from 1 to 0 in equal steps.
pub const DEMASK_SIZES_KAPPA: u32 = 14;
/// Added to LINEAR to LOGARITHMIC: rounded up.
pub const DEMASK_SIZES_ROUND_UP: u32 = 256;

/// The total correlation, w(m) = n - m for m from 1 to n - 1 and n tokens: large first steps.
pub const DEMASK_WEIGHT_TC: u32 = 0;
/// The dual total correlation, w(m) = m: large last steps.
pub const DEMASK_WEIGHT_DTC: u32 = 1;
/// The effective total correlation, w(m) = m (n - m)/n, at most the smaller of the two: large steps in the
/// middle.
pub const DEMASK_WEIGHT_ETC: u32 = 2;

/// Steps that end at equal parts of the sum of sqrt(f(m - 1) - f(m)) (Lavenant and Zanella, arXiv
/// 2510.25544).
pub const DEMASK_PROFILE_SQUARE_ROOT: u32 = 0;
/// The list with the least expected divergence (Chen, Cong and Li, arXiv 2511.04647).
pub const DEMASK_PROFILE_OPTIMAL: u32 = 1;

/// A table of sizes. Made by a demask_sizes_create function, freed by demask_sizes_destroy. Calls
/// only read it, from any number of threads at once; it must live as long as a struct that points to
/// it is used.
pub struct demask_sizes {
    rule: Rule,
}

/// A table that several handles may share.
enum Rule {
    List(SizeList),
    Markov(Arc<MarkovSizes>),
    MarkovReversed(Arc<MarkovSizes>),
    Systematic(SystematicSizes),
}

impl demask_sizes {
    fn sizes(&self) -> Sizes<'_> {
        match &self.rule {
            Rule::List(list) => Sizes::List(list),
            Rule::Markov(table) => Sizes::Markov(table),
            Rule::MarkovReversed(table) => Sizes::MarkovReversed(table),
            Rule::Systematic(table) => Sizes::Systematic(table),
        }
    }
}

/// A rule by its DEMASK_SIZES_ number, its parameter, which is 0 for all but TIME_RATIO and FIXED, and its
/// table, which is NULL for all but TABLE.
///
/// # Safety
/// The caller's promise for `table`, as long as the result lives.
pub(super) unsafe fn read<'a>(
    number: u32,
    parameter: f64,
    table: *const demask_sizes,
) -> Result<Sizes<'a>, Refusal> {
    let has_parameter = matches!(number, DEMASK_SIZES_TIME_RATIO | DEMASK_SIZES_FIXED);
    if parameter != 0.0 && !has_parameter {
        return Err(Refusal(DEMASK_ERR_ARGUMENT));
    }
    if number == DEMASK_SIZES_TABLE {
        // SAFETY: the caller's promise: NULL, or a table that lives and is not changed.
        return Ok(unsafe { pointer::object(table)? }.sizes());
    }
    let refusal = Refusal(DEMASK_ERR_ARGUMENT);
    if !table.is_null() {
        return Err(refusal);
    }
    match number {
        DEMASK_SIZES_EVEN => return Ok(Sizes::Even),
        DEMASK_SIZES_TIME_RATIO => return Ok(Sizes::TimeRatio { end: parameter }),
        DEMASK_SIZES_EVEN_REVERSED => return Ok(Sizes::EvenReversed),
        DEMASK_SIZES_FIXED => {
            // `as` saturates; what it changes is no integer in the range.
            let fixed = parameter as u32;
            let exact = f64::from(fixed) == parameter;
            return if exact { Ok(Sizes::Fixed(fixed)) } else { Err(refusal) };
        }
        DEMASK_SIZES_EXPECTED => return Ok(Sizes::Expected),
        DEMASK_SIZES_BINOMIAL => return Ok(Sizes::Binomial),
        DEMASK_SIZES_KAPPA => return Ok(Sizes::Kappa),
        _ => {}
    }
    let function = (number & !DEMASK_SIZES_ROUND_UP).wrapping_sub(DEMASK_SIZES_LINEAR);
    let function = *MaskFunction::ALL.get(function as usize).ok_or(refusal)?;
    let up = number & DEMASK_SIZES_ROUND_UP != 0;
    Ok(Sizes::Mask(function, if up { Rounding::Ceil } else { Rounding::Floor }))
}

/// The DEMASK_SIZES_ number of a rule.
pub(super) fn number(sizes: Sizes<'_>) -> u32 {
    match sizes {
        Sizes::Even => DEMASK_SIZES_EVEN,
        Sizes::TimeRatio { .. } => DEMASK_SIZES_TIME_RATIO,
        Sizes::Mask(function, rounding) => {
            let number = match function {
                MaskFunction::Linear => DEMASK_SIZES_LINEAR,
                MaskFunction::Cosine => DEMASK_SIZES_COSINE,
                MaskFunction::Square => DEMASK_SIZES_SQUARE,
                MaskFunction::Cubic => DEMASK_SIZES_CUBIC,
                MaskFunction::SquareRoot => DEMASK_SIZES_SQUARE_ROOT,
                MaskFunction::Exponential => DEMASK_SIZES_EXPONENTIAL,
                MaskFunction::Logarithmic => DEMASK_SIZES_LOGARITHMIC,
            };
            match rounding {
                Rounding::Floor => number,
                Rounding::Ceil => number + DEMASK_SIZES_ROUND_UP,
            }
        }
        Sizes::EvenReversed => DEMASK_SIZES_EVEN_REVERSED,
        Sizes::Fixed(_) => DEMASK_SIZES_FIXED,
        Sizes::Expected => DEMASK_SIZES_EXPECTED,
        Sizes::Binomial => DEMASK_SIZES_BINOMIAL,
        Sizes::Kappa => DEMASK_SIZES_KAPPA,
        Sizes::List(_) | Sizes::Markov(_) | Sizes::MarkovReversed(_) | Sizes::Systematic(_) => {
            DEMASK_SIZES_TABLE
        }
    }
}

/// The parameter of a rule.
pub(super) fn parameter(sizes: Sizes<'_>) -> f64 {
    match sizes {
        Sizes::TimeRatio { end } => end,
        Sizes::Fixed(size) => size.into(),
        _ => 0.0,
    }
}

/// The complexity of a DEMASK_WEIGHT_ number.
pub(super) fn weight(number: u32) -> Result<Weight, Refusal> {
    match number {
        DEMASK_WEIGHT_TC => Ok(Weight::TotalCorrelation),
        DEMASK_WEIGHT_DTC => Ok(Weight::DualTotalCorrelation),
        DEMASK_WEIGHT_ETC => Ok(Weight::EffectiveTotalCorrelation),
        _ => Err(Refusal(DEMASK_ERR_ARGUMENT)),
    }
}

/// The bytes of `n` elements, as many as there are at most.
pub(super) fn bytes(n: usize, each: u64) -> u64 {
    (n as u64).saturating_mul(each)
}

/// The most bytes that the overshoot of `masks` masks takes, and what is made of it.
const fn overshoot_bytes(masks: u32) -> u64 {
    64 * masks as u64
}

/// An array of a number for each mask at each step but one.
///
/// # Safety
/// The caller's promise for `first`, as long as the result lives.
unsafe fn by_steps_and_masks<'a>(
    masks: u32,
    steps: u32,
    first: *const f64,
    n: usize,
) -> Result<&'a [f64], Refusal> {
    if n as u64 != u64::from(steps.saturating_sub(1)) * u64::from(masks) {
        return Err(Refusal(DEMASK_ERR_SHAPE));
    }
    // SAFETY: the caller's promise.
    unsafe { pointer::slice(first, n) }
}

/// Makes a table for which `bytes` bytes are enough, and hands it to the caller.
///
/// # Safety
/// The caller's promise for `out`.
unsafe fn create(
    out: *mut *mut demask_sizes,
    bytes: u64,
    rule: impl FnOnce() -> Result<Rule, Refusal>,
) -> demask_status {
    boundary::call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { pointer::out(out)? };
        boundary::afford(bytes)?;
        out.write(Box::into_raw(Box::new(demask_sizes { rule: rule()? })));
        Ok(())
    })
}

/// Makes a table of `n` sizes, each at least 1, and writes it to `*out`. It serves segments that
/// start with as many masks as their sum, under policies of `n` steps. The caller owns it, and frees
/// it with demask_sizes_destroy; `sizes` are copied.
///
/// Errors: NULL, ALIGN, SHAPE (no size, a size of 0, a sum of 2^32 or more), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_create_list(
    sizes: *const u32,
    n: usize,
    out: *mut *mut demask_sizes,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        create(out, bytes(n, 4), || Ok(Rule::List(SizeList::new(pointer::slice(sizes, n)?)?)))
    }
}

/// Makes the list of Chen, Cong and Li (arXiv 2511.04647, appendix D): for `weight` TC every step
/// reveals a share of 1/zeta of what is left, rounded down, at least 1; for DTC it is that list in
/// reverse order. The expected divergence is at most the weight's correlation over zeta - 1. How many
/// steps it has demask_sizes_shape tells.
///
/// Errors: NULL, ALIGN, SHAPE (no masks, zeta below 2), ARGUMENT (another weight), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_create_geometric(
    masks: u32,
    zeta: u32,
    weight: u32,
    out: *mut *mut demask_sizes,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        create(out, 8 * u64::from(masks), || match weight {
            DEMASK_WEIGHT_TC => Ok(Rule::List(SizeList::tc_geometric(masks, zeta)?)),
            DEMASK_WEIGHT_DTC => Ok(Rule::List(SizeList::dtc_geometric(masks, zeta)?)),
            _ => Err(Refusal(DEMASK_ERR_ARGUMENT)),
        })
    }
}

/// Makes the list of demask_sizes_create_geometric that keeps the expected divergence at or below
/// `accuracy` for laws whose correlation of that weight is at most `estimate` (both in nats): zeta is
/// 1 + estimate / accuracy, rounded up.
///
/// Errors: NULL, ALIGN, SHAPE (no masks), ARGUMENT (`estimate` not finite and at least 0, `accuracy` not
/// above 0, another weight), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_create_geometric_for_accuracy(
    masks: u32,
    estimate: f64,
    accuracy: f64,
    weight: u32,
    out: *mut *mut demask_sizes,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        create(out, 8 * u64::from(masks), || match weight {
            DEMASK_WEIGHT_TC => {
                Ok(Rule::List(SizeList::tc_for_accuracy(masks, estimate, accuracy)?))
            }
            DEMASK_WEIGHT_DTC => {
                Ok(Rule::List(SizeList::dtc_for_accuracy(masks, estimate, accuracy)?))
            }
            _ => Err(Refusal(DEMASK_ERR_ARGUMENT)),
        })
    }
}

/// Makes the list of demask_sizes_create_geometric with the largest zeta that needs at most `steps`
/// steps. It may need fewer, which demask_sizes_shape tells: not every number of steps is that of some
/// zeta.
///
/// Errors: NULL, ALIGN, SHAPE (no masks, or fewer steps than zeta 2 needs), ARGUMENT (another weight),
/// RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_create_geometric_in_steps(
    masks: u32,
    steps: u32,
    weight: u32,
    out: *mut *mut demask_sizes,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        // The best list so far, and the one that is tried.
        create(out, 16 * u64::from(masks), || {
            let reverse = match weight {
                DEMASK_WEIGHT_TC => false,
                DEMASK_WEIGHT_DTC => true,
                _ => return Err(Refusal(DEMASK_ERR_ARGUMENT)),
            };
            let list = SizeList::largest_tc_geometric(masks, steps);
            let list = list.ok_or(Refusal(DEMASK_ERR_SHAPE))?;
            Ok(Rule::List(if reverse { list.reversed() } else { list }))
        })
    }
}

/// Makes the list of one position, at most `blocks` steps between which the odds of being revealed grow by
/// the same factor at most, and one position (Wainwright, "The data geometry of masking diffusion", August
/// 2026). How many steps it has demask_sizes_shape tells.
///
/// Errors: NULL, ALIGN, SHAPE (fewer than 4 masks, fewer blocks than ln((n - 1) (n - 2)/2) for n masks,
/// for which nothing is proved), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_create_reveal_odds(
    masks: u32,
    blocks: u32,
    out: *mut *mut demask_sizes,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        create(out, 8 * u64::from(masks), || Ok(Rule::List(SizeList::reveal_odds(masks, blocks)?)))
    }
}

/// Makes the list for a law of information profile `profile`: f(0) to f(n - 1) in nats, the mean
/// entropy of one of n tokens given m others. `rule` is a DEMASK_PROFILE_ number. It serves segments
/// that start with n masks, under policies of `steps` steps.
///
/// Errors: NULL, ALIGN, SHAPE (no value, no steps or more than n; for OPTIMAL, more than 2^26 values
/// times steps), ARGUMENT (a value that is not finite, below 0 or above the one before it; an unknown
/// rule), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_create_from_profile(
    profile: *const f64,
    n: usize,
    steps: u32,
    rule: u32,
    out: *mut *mut demask_sizes,
) -> demask_status {
    let cells = (n as u64).saturating_mul(u64::from(steps)).min(1 << 26);
    // SAFETY: the caller's promise.
    unsafe {
        create(out, (4 * cells).saturating_add(bytes(n, 64)), || {
            let profile = Profile::new(pointer::slice(profile, n)?)?;
            Ok(Rule::List(match rule {
                DEMASK_PROFILE_SQUARE_ROOT => SizeList::square_root(&profile, steps)?,
                DEMASK_PROFILE_OPTIMAL => SizeList::optimal(&profile, steps)?,
                _ => return Err(Refusal(DEMASK_ERR_ARGUMENT)),
            }))
        })
    }
}

/// Makes the table of random sizes of which the expected divergence is v times the total correlation
/// for every law (docs/schedules.md, section 2). It serves segments of at most `masks` masks, under
/// policies of at most `steps` steps. It takes 8 bytes a mask and step up to 2^25 of them, 1.5 beyond.
///
/// Errors: NULL, ALIGN, SHAPE (no masks, no steps, more than 2^28 masks times steps), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_create_markov(
    masks: u32,
    steps: u32,
    out: *mut *mut demask_sizes,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        create(out, MarkovSizes::memory(masks, steps), || {
            Ok(Rule::Markov(Arc::new(MarkovSizes::tc(masks, steps)?)))
        })
    }
}

/// As demask_sizes_create_markov, with the caller's constants in the place of v (docs/schedules.md,
/// section 2): that for k steps and r masks left is `constants[(k - 1) * masks + r]`, from 1e-280
/// to 1e280, for k from 1 to steps - 1 and r from k + 1 to masks - 1. There are `n`, (steps - 1) times masks;
/// the others are not looked at.
///
/// Errors: NULL, ALIGN, SHAPE (no masks, no steps, more than 2^25 masks times steps, another n),
/// ARGUMENT (a constant), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_create_markov_constants(
    masks: u32,
    steps: u32,
    constants: *const f64,
    n: usize,
    out: *mut *mut demask_sizes,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        create(out, MarkovSizes::memory(masks, steps), || {
            let constants = by_steps_and_masks(masks, steps, constants, n)?;
            let constant =
                |k: u32, r: u32| constants[(k as usize - 1) * masks as usize + r as usize];
            Ok(Rule::Markov(Arc::new(MarkovSizes::from_constants(masks, steps, constant)?)))
        })
    }
}

/// As demask_sizes_create_markov_constants, with the constants (H - 1)/(H + k - 2), where H is
/// 1 + 1/2 + ... + 1/(r - 1): the bound on v that has a closed form, in the place of v.
///
/// Errors: NULL, ALIGN, SHAPE (no masks, no steps, more than 2^25 masks times steps), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_create_markov_closed_form(
    masks: u32,
    steps: u32,
    out: *mut *mut demask_sizes,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        create(out, MarkovSizes::memory(masks, steps), || {
            Ok(Rule::Markov(Arc::new(MarkovSizes::tc_closed_form(masks, steps)?)))
        })
    }
}

/// As demask_sizes_create_markov, for any law of that form: with k steps and r masks left, u of the masks
/// stay with a probability proportional to g_k(u), for u from k - 1 to r - 1. ln g_k(u) is
/// `log_weights[(k - 2) * masks + u]`, for k from 2 to steps and u from k - 1 to masks - 1; -INFINITY is
/// a weight of 0. There are `n`, (steps - 1) times masks; the others are not looked at.
///
/// Errors: NULL, ALIGN, SHAPE (no masks, no steps, more than 2^25 masks times steps, another n),
/// ARGUMENT (a weight that is NaN or INFINITY, or -INFINITY at u = k - 1), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_create_markov_log_weights(
    masks: u32,
    steps: u32,
    log_weights: *const f64,
    n: usize,
    out: *mut *mut demask_sizes,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        create(out, MarkovSizes::memory(masks, steps), || {
            let weights = by_steps_and_masks(masks, steps, log_weights, n)?;
            let weight = |k: u32, u: u32| weights[(k as usize - 2) * masks as usize + u as usize];
            Ok(Rule::Markov(Arc::new(MarkovSizes::from_log_weights(masks, steps, weight)?)))
        })
    }
}

/// Makes the table of the random sizes with the least c such that the expected divergence is at most
/// c times the weight's correlation for every law (docs/schedules.md, section 3). It serves segments
/// that start with exactly `masks` masks, under policies of `steps` steps. `weight` is a
/// DEMASK_WEIGHT_ number.
///
/// Errors: NULL, ALIGN, SHAPE (no masks, no steps, more than 65536 of both), ARGUMENT (an unknown
/// weight), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_create_systematic(
    masks: u32,
    steps: u32,
    weight: u32,
    out: *mut *mut demask_sizes,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        create(out, 48 * u64::from(masks), || {
            let weight = self::weight(weight)?;
            Ok(Rule::Systematic(SystematicSizes::new(masks, steps, weight)?))
        })
    }
}

/// As demask_sizes_create_systematic, for `n` weights w(1) to w(n) of the caller and segments of
/// n + 1 masks.
///
/// Errors: NULL, ALIGN, SHAPE (no steps, more than 65536 steps and masks, more than 2^32 - 2
/// weights), ARGUMENT (a weight that is not finite and above 0), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_create_systematic_weights(
    weights: *const f64,
    n: usize,
    steps: u32,
    out: *mut *mut demask_sizes,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        create(out, bytes(n, 48).saturating_add(48), || {
            let masks = n.checked_add(1).and_then(|masks| u32::try_from(masks).ok());
            let masks = masks.ok_or(Refusal(DEMASK_ERR_SHAPE))?;
            let weights = pointer::slice(weights, n)?;
            Ok(Rule::Systematic(SystematicSizes::for_weights(masks, steps, weights)?))
        })
    }
}

/// As demask_sizes_create_systematic, for the `n` probabilities of the caller that a step ends after 1 to n
/// revealed positions, each from 0 to 1, in segments of n + 1 masks and as many steps as their sum and 1
/// more. Equal ones make random sizes without preference. No constant is known.
///
/// Errors: NULL, ALIGN, SHAPE (more than 65536 steps, more than 2^32 - 2 probabilities), ARGUMENT (one
/// outside 0 to 1, a sum that is not within 1e-6 of an integer), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_create_systematic_gaps(
    gaps: *const f64,
    n: usize,
    out: *mut *mut demask_sizes,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        create(out, bytes(n, 48).saturating_add(48), || {
            Ok(Rule::Systematic(SystematicSizes::from_gaps(pointer::slice(gaps, n)?)?))
        })
    }
}

/// Makes the table whose sizes are those of `sizes` in reverse order. A Markov table is shared, not
/// copied; either may be destroyed first.
///
/// Errors: NULL, ALIGN, ARGUMENT (a systematic table), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_create_reversed(
    sizes: *const demask_sizes,
    out: *mut *mut demask_sizes,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        let copied = match pointer::object(sizes).map(|sizes| &sizes.rule) {
            Ok(Rule::List(list)) => 4 * u64::from(list.steps()),
            _ => 0,
        };
        create(out, copied, || match &pointer::object(sizes)?.rule {
            Rule::List(list) => Ok(Rule::List(list.reversed())),
            Rule::Markov(table) => Ok(Rule::MarkovReversed(Arc::clone(table))),
            Rule::MarkovReversed(table) => Ok(Rule::Markov(Arc::clone(table))),
            Rule::Systematic(_) => Err(Refusal(DEMASK_ERR_ARGUMENT)),
        })
    }
}

/// Frees a table. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_destroy(sizes: *mut demask_sizes) {
    // SAFETY: the caller's promise.
    unsafe { boundary::free(sizes) }
}

/// Writes the masks and the steps that a table is for: exactly these of a list or a systematic table,
/// at most these of a Markov table.
///
/// Errors: NULL, ALIGN.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_shape(
    sizes: *const demask_sizes,
    masks: *mut u32,
    steps: *mut u32,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let sizes = pointer::object(sizes)?;
        let (masks, steps) = (pointer::out(masks)?, pointer::out(steps)?);
        let (of_masks, of_steps) = match &sizes.rule {
            Rule::List(list) => (list.masks(), list.steps()),
            Rule::Markov(table) | Rule::MarkovReversed(table) => (table.masks(), table.steps()),
            Rule::Systematic(table) => (table.masks(), table.steps()),
        };
        masks.write(of_masks);
        steps.write(of_steps);
        Ok(())
    })
}

/// Writes the probabilities of a systematic table that a step ends after 1 to `n` revealed positions, where
/// `n` is one less than its masks.
///
/// Errors: NULL, ALIGN, SHAPE (another `n`), ARGUMENT (a table that is not systematic).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_gaps(
    sizes: *const demask_sizes,
    out: *mut f64,
    n: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let sizes = pointer::object(sizes)?;
        let out = pointer::slice_out(out, n)?;
        let Rule::Systematic(table) = &sizes.rule else {
            return Err(Refusal(DEMASK_ERR_ARGUMENT));
        };
        let gaps = table.gaps();
        if gaps.len() != n {
            return Err(Refusal(DEMASK_ERR_SHAPE));
        }
        for (place, gap) in out.iter_mut().zip(gaps) {
            place.write(gap);
        }
        Ok(())
    })
}

/// Writes the c for which it is proved that the expected divergence is at most c times a correlation for
/// every law, in segments of the table's masks and policies of its steps: the total correlation for a
/// Markov table, with equality for that of demask_sizes_create_markov; that of its weight for a systematic
/// one. NAN where none is: for lists, reversed tables, and tables of the caller's that prove none.
/// demask_sizes_constant computes it anew, for any.
///
/// Errors: NULL, ALIGN.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_proved_constant(
    sizes: *const demask_sizes,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let constant = match &pointer::object(sizes)?.rule {
            Rule::Markov(table) => table.constant(),
            Rule::Systematic(table) => table.constant(),
            Rule::List(_) | Rule::MarkovReversed(_) => None,
        };
        pointer::out(out)?.write(constant.unwrap_or(f64::NAN));
        Ok(())
    })
}

/// Writes the demask_sizes_proved_constant of the table that demask_sizes_create_markov would make,
/// without making it: in a time of masks times steps, whatever that is, and 16 bytes a mask.
///
/// Errors: NULL, ALIGN, SHAPE (no masks, no steps), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_markov_constant(
    masks: u32,
    steps: u32,
    out: *mut f64,
) -> demask_status {
    boundary::call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { pointer::out(out)? };
        boundary::afford(16 * u64::from(masks) + 16)?;
        out.write(MarkovSizes::tc_constant(masks, steps)?);
        Ok(())
    })
}

/// Writes the sizes of the `n` steps of a segment that starts with `masks` masks: those of its plans,
/// if no row is bad. `sizes` is a DEMASK_SIZES_ number, `table` the table of TABLE, NULL for the
/// others. The randomness is `key`, whose step is not looked at.
///
/// Errors: NULL, ALIGN, SHAPE (no steps, or masks or steps that the table does not serve), ARGUMENT
/// (an unknown number, a table where none belongs).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_draw(
    sizes: u32,
    table: *const demask_sizes,
    masks: u32,
    key: *const demask_key,
    out: *mut u32,
    n: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let sizes = read(sizes, 0.0, table)?;
        let key = pointer::slice(key, 1)?[0];
        let out = pointer::slice_out(out, n)?;
        sizes.check(masks, u32::try_from(n).map_err(|_| Refusal(DEMASK_ERR_SHAPE))?)?;
        Ok(sizes.draw_all(masks, key.into(), pointer::write_all(out, 0))?)
    })
}

/// Writes E R(m) for m from 0 to n - 1, where n is the number of masks: how far the first end of a
/// step at or after m revealed tokens lies beyond m, on average. Every expected divergence follows
/// from it: the sum of (f(m - 1) - f(m)) E R(m) for a law of information profile f.
///
/// FIXED and TIME_RATIO have no parameter here; a list of what demask_policy_size gives, without its zeros,
/// has the same E R.
///
/// Errors: NULL, ALIGN, SHAPE (no masks, no steps, or what the table does not serve), ARGUMENT,
/// RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_overshoot(
    sizes: u32,
    table: *const demask_sizes,
    steps: u32,
    out: *mut f64,
    n: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let sizes = read(sizes, 0.0, table)?;
        let out = pointer::slice_out(out, n)?;
        let masks = u32::try_from(n).map_err(|_| Refusal(DEMASK_ERR_SHAPE))?;
        boundary::afford(overshoot_bytes(masks))?;
        pointer::write_each(out, Overshoot::new(sizes, masks, steps)?.values());
        Ok(())
    })
}

/// As demask_sizes_overshoot, for Bernoulli selection on a grid of times: the sizes that
/// DEMASK_SELECT_BERNOULLI makes with DEMASK_NOISE_LINEAR and ancestral or Euler steps. `times` are the
/// fractions of revealed tokens at the ends of the `n_times` steps, rising from above 0 to 1.
///
/// Errors: NULL, ALIGN, SHAPE (no masks, 2^32 or more, no times), ARGUMENT (times that do not rise from
/// above 0, or do not end at 1), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_overshoot_bernoulli(
    times: *const f64,
    n_times: usize,
    out: *mut f64,
    n: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let times = pointer::slice(times, n_times)?;
        let out = pointer::slice_out(out, n)?;
        let masks = u32::try_from(n).map_err(|_| Refusal(DEMASK_ERR_SHAPE))?;
        boundary::afford(overshoot_bytes(masks))?;
        pointer::write_each(out, Overshoot::bernoulli(masks, times)?.values());
        Ok(())
    })
}

/// Writes the expected divergence, in nats, of a law of information profile f(0) to f(n - 1) from
/// what is drawn in `steps` steps of these sizes at random positions, given the partition into steps.
///
/// Errors: NULL, ALIGN, SHAPE (no values, no steps, or what the table does not serve), ARGUMENT (an
/// unknown number; a value of the profile that is not finite, below 0 or above the one before it),
/// RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_expected_kl(
    sizes: u32,
    table: *const demask_sizes,
    profile: *const f64,
    n: usize,
    steps: u32,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let sizes = read(sizes, 0.0, table)?;
        let profile = pointer::slice(profile, n)?;
        let out = pointer::out(out)?;
        let masks = u32::try_from(n).map_err(|_| Refusal(DEMASK_ERR_SHAPE))?;
        boundary::afford(overshoot_bytes(masks))?;
        let profile = Profile::new(profile)?;
        out.write(Overshoot::new(sizes, masks, steps)?.expected_kl(&profile)?);
        Ok(())
    })
}

/// Writes the least c such that the expected divergence is at most c times the weight's correlation
/// for every law. `weight` is a DEMASK_WEIGHT_ number.
///
/// Errors: NULL, ALIGN, SHAPE (no masks, no steps, or what the table does not serve), ARGUMENT (an
/// unknown number), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_constant(
    sizes: u32,
    table: *const demask_sizes,
    masks: u32,
    steps: u32,
    weight: u32,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let sizes = read(sizes, 0.0, table)?;
        let weight = self::weight(weight)?;
        let out = pointer::out(out)?;
        boundary::afford(overshoot_bytes(masks))?;
        out.write(Overshoot::new(sizes, masks, steps)?.constant(weight));
        Ok(())
    })
}

/// As demask_sizes_constant, for segments of n + 1 masks and the complexity of `n` weights w(1) to w(n) of
/// the caller.
///
/// Errors: NULL, ALIGN, SHAPE (no steps, 2^32 - 1 weights or more, or what the table does not serve),
/// ARGUMENT (an unknown number, a weight that is not finite and above 0), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_constant_weights(
    sizes: u32,
    table: *const demask_sizes,
    weights: *const f64,
    n: usize,
    steps: u32,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let sizes = read(sizes, 0.0, table)?;
        let weights = pointer::slice(weights, n)?;
        let out = pointer::out(out)?;
        let masks = n.checked_add(1).and_then(|masks| u32::try_from(masks).ok());
        let masks = masks.ok_or(Refusal(DEMASK_ERR_SHAPE))?;
        boundary::afford(overshoot_bytes(masks))?;
        out.write(Overshoot::new(sizes, masks, steps)?.constant_for(weights)?);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capi::status::DEMASK_ERR_NULL;

    #[test]
    fn numbers_survive_the_way_to_c_and_back() {
        let null = core::ptr::null();
        // SAFETY: without a table there is nothing to promise.
        let back = |number| unsafe { read(number, 0.0, null) };
        assert_eq!(back(number(Sizes::Even)), Ok(Sizes::Even));
        for function in MaskFunction::ALL {
            for rounding in [Rounding::Floor, Rounding::Ceil] {
                let sizes = Sizes::Mask(function, rounding);
                assert_eq!(back(number(sizes)), Ok(sizes));
            }
        }
        let plain = [Sizes::EvenReversed, Sizes::Expected, Sizes::Binomial, Sizes::Kappa];
        for sizes in plain.into_iter().chain([Sizes::TimeRatio { end: 0.5 }, Sizes::Fixed(7)]) {
            // SAFETY: without a table there is nothing to promise.
            assert_eq!(unsafe { read(number(sizes), parameter(sizes), null) }, Ok(sizes));
        }
        for fixed in [0.5, -1.0, 1e10, f64::NAN] {
            // SAFETY: the same.
            let refused = unsafe { read(DEMASK_SIZES_FIXED, fixed, null) };
            assert_eq!(refused, Err(Refusal(DEMASK_ERR_ARGUMENT)), "{fixed}");
        }
        // SAFETY: the same.
        let refused = unsafe { read(DEMASK_SIZES_EVEN, 0.5, null) };
        assert_eq!(refused, Err(Refusal(DEMASK_ERR_ARGUMENT)));
        assert_eq!(back(DEMASK_SIZES_TABLE), Err(Refusal(DEMASK_ERR_NULL)));
        for unlisted in [15, DEMASK_SIZES_ROUND_UP, DEMASK_SIZES_ROUND_UP + 8, 512, u32::MAX] {
            assert_eq!(back(unlisted), Err(Refusal(DEMASK_ERR_ARGUMENT)), "{unlisted}");
        }
    }

    #[test]
    fn a_table_is_that_of_its_handle() {
        let list = SizeList::new(&[1, 2]).expect("a list");
        let handle = demask_sizes { rule: Rule::List(list.clone()) };
        // SAFETY: the handle lives.
        let read = |number| unsafe { read(number, 0.0, &handle) };
        assert_eq!(read(DEMASK_SIZES_TABLE), Ok(Sizes::List(&list)));
        assert_eq!(number(Sizes::List(&list)), DEMASK_SIZES_TABLE);
        assert_eq!(read(DEMASK_SIZES_EVEN), Err(Refusal(DEMASK_ERR_ARGUMENT)));
        assert_eq!(read(DEMASK_SIZES_COSINE), Err(Refusal(DEMASK_ERR_ARGUMENT)));
    }
}
