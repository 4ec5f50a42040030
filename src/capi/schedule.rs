//! Noise schedules, first-hitting times and unmasking sizes.

use super::boundary;
use super::context::demask_context;
use super::draw::demask_key;
use super::noise::{self, demask_noise};
use super::pointer;
use super::policy::transition;
use super::status::{DEMASK_ERR_ARGUMENT, Refusal, demask_status};
use crate::lanes::Level;
use crate::rng::Key;
use crate::schedule::{Noise, Sizes, Transition, hitting};

/// Refuses what does not hold; NaN holds nothing.
fn require(holds: bool) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(Refusal(DEMASK_ERR_ARGUMENT)) }
}

fn is_time(noise: Noise<'_>, t: f64) -> bool {
    (0.0..=noise.last_time()).contains(&t)
}

/// Writes one value of a noise schedule.
///
/// # Safety
/// The caller's promise for `noise` and `out`.
unsafe fn evaluate(
    noise: *const demask_noise,
    out: *mut f64,
    value: impl FnOnce(Noise<'_>) -> Result<f64, Refusal>,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let noise = noise::read(noise)?;
        let out = pointer::out(out)?;
        out.write(value(noise)?);
        Ok(())
    })
}

/// Writes one value that belongs to a time of a noise schedule.
///
/// # Safety
/// As for [`evaluate`].
unsafe fn at_time(
    noise: *const demask_noise,
    t: f64,
    out: *mut f64,
    value: impl FnOnce(Noise<'_>) -> f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        evaluate(noise, out, |noise| {
            require(is_time(noise, t))?;
            Ok(value(noise))
        })
    }
}

/// Writes one value that belongs to a step of width `h` from time `t`.
///
/// # Safety
/// As for [`evaluate`].
unsafe fn in_step(
    noise: *const demask_noise,
    t: f64,
    h: f64,
    out: *mut f64,
    value: impl FnOnce(Noise<'_>) -> f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        evaluate(noise, out, |noise| {
            require(is_time(noise, t) && t > 0.0 && (0.0..=t).contains(&h) && h.is_finite())?;
            Ok(value(noise))
        })
    }
}

/// Writes the last time of a noise schedule, at which all is masked, or nearly: 1, INFINITY for
/// UNIT_RATE, or that of the last entry of a table.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_noise_last_time(
    noise: *const demask_noise,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe { evaluate(noise, out, |noise| Ok(noise.last_time())) }
}

/// Writes the time at which a grid starts by default: the last time, or 16 for UNIT_RATE, where a
/// fraction of 1e-7 is still clean.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_noise_horizon(
    noise: *const demask_noise,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe { evaluate(noise, out, |noise| Ok(noise.horizon())) }
}

/// Writes alpha(t), the probability that a token is clean at time `t`: 1 at time 0 (but for
/// GEOMETRIC) and falling to the last time, which is 1, INFINITY for UNIT_RATE, or that of the last
/// entry of a table.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `t` outside
/// 0 to the last time).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_noise_alpha(
    noise: *const demask_noise,
    t: f64,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe { at_time(noise, t, out, |noise| noise.alpha(t)) }
}

/// Writes ln(1 - alpha(t)), the natural logarithm of the masked fraction: -INFINITY at time 0 (but
/// for GEOMETRIC), and 0 where all is masked.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `t` outside
/// 0 to the last time).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_noise_log_masked(
    noise: *const demask_noise,
    t: f64,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe { at_time(noise, t, out, |noise| noise.log_masked(t)) }
}

/// Writes the time at which ln(1 - alpha) is `log_masked`, at most 0: the last time for a value
/// above that of the last time, 0 for one below that of time 0.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `log_masked`
/// above 0).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_noise_time(
    noise: *const demask_noise,
    log_masked: f64,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        evaluate(noise, out, |noise| {
            require(log_masked <= 0.0)?;
            Ok(noise.time(log_masked))
        })
    }
}

/// demask_noise_time of `n` values at once, for first-hitting events.
///
/// Errors: NULL, ALIGN, SHAPE, STRUCT, ARGUMENT (a parameter of the schedule out of its range, a
/// `log_masked` above 0 or NaN).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_noise_times(
    noise: *const demask_noise,
    log_masked: *const f64,
    times: *mut f64,
    n: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let noise = noise::read(noise)?;
        let log_masked = pointer::slice(log_masked, n)?;
        require(log_masked.iter().all(|&value| value <= 0.0))?;
        for (time, &log_masked) in pointer::slice_out(times, n)?.iter_mut().zip(log_masked) {
            time.write(noise.time(log_masked));
        }
        Ok(())
    })
}

/// Writes -alpha'(t)/(1 - alpha(t)), the rate at which a masked position is revealed when time runs
/// backwards at `t`: INFINITY at time 0 (but for GEOMETRIC). At an entry of a table, it is the rate
/// before that entry.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `t` outside
/// 0 to the last time).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_noise_rate(
    noise: *const demask_noise,
    t: f64,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe { at_time(noise, t, out, |noise| noise.rate(t)) }
}

/// Writes alpha(t)/(1 - alpha(t)), the sum over tokens of the exact score of a masked position at
/// time `t`. A network's scores sum to something else: its Euler, tau-leaping and Tweedie steps
/// reveal with the probabilities below times (its sum)/(this sum).
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `t` outside
/// 0 to the last time).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_noise_score_sum(
    noise: *const demask_noise,
    t: f64,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe { at_time(noise, t, out, |noise| noise.score_sum(t)) }
}

/// Writes the probability (alpha(s) - alpha(t))/(1 - alpha(t)) that a position masked at time `t` is
/// clean at the earlier time `s`: that of an ancestral step, and of a Tweedie step with exact scores.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `t` not above
/// 0 or past the last time, `s` outside 0 to `t`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_noise_reveal_probability(
    noise: *const demask_noise,
    t: f64,
    s: f64,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        evaluate(noise, out, |noise| {
            require(is_time(noise, t) && t > 0.0 && (0.0..=t).contains(&s))?;
            Ok(noise.reveal_probability(t, s))
        })
    }
}

/// Writes h rate(t), the expected number of jumps of a masked position in a step of width `h` from
/// time `t`, its rate held fixed: 0 if `h` is 0.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `t` not
/// above 0 or past the last time, `h` outside 0 to `t` or INFINITY).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_noise_expected_jumps(
    noise: *const demask_noise,
    t: f64,
    h: f64,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe { in_step(noise, t, h, out, |noise| noise.expected_jumps(t, h)) }
}

/// Writes min(1, h rate(t)), the probability with which the Euler method reveals a masked position in
/// a step of width `h` from time `t`: exactly 1 for a linear step that ends at time 0.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `t` not
/// above 0 or past the last time, `h` outside 0 to `t` or INFINITY).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_noise_euler_probability(
    noise: *const demask_noise,
    t: f64,
    h: f64,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe { in_step(noise, t, h, out, |noise| noise.euler_probability(t, h)) }
}

/// Writes 1 - exp(-h rate(t)), the probability with which tau-leaping reveals a masked position in a
/// step of width `h` from time `t`, if the first of several jumps counts.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `t` not
/// above 0 or past the last time, `h` outside 0 to `t` or INFINITY).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_noise_tau_first_jump_probability(
    noise: *const demask_noise,
    t: f64,
    h: f64,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe { in_step(noise, t, h, out, |noise| noise.tau_first_jump_probability(t, h)) }
}

/// Writes h rate(t) exp(-h rate(t)), the probability with which tau-leaping reveals a masked position
/// in a step of width `h` from time `t`, if several jumps are rejected. At most 1/e.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `t` not
/// above 0 or past the last time, `h` outside 0 to `t` or INFINITY).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_noise_tau_reject_probability(
    noise: *const demask_noise,
    t: f64,
    h: f64,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe { in_step(noise, t, h, out, |noise| noise.tau_reject_probability(t, h)) }
}

/// Writes the probability with which a step of a policy from time `t` to `s` reveals a masked position,
/// by the outputs of a denoiser; of TRAPEZOIDAL and TRAPEZOIDAL_REJECT, that of the first of its two
/// leaps. `transition` is a DEMASK_TRANSITION_ number; `theta` is above 0 and below 1 for these two, and
/// 0 for the others.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, an unknown
/// transition, `theta`, `t` not above 0 or past the last time, `s` outside 0 to `t`; `t` INFINITY but for
/// ANCESTRAL).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_noise_transition_probability(
    noise: *const demask_noise,
    transition: u32,
    theta: f64,
    t: f64,
    s: f64,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        evaluate(noise, out, |noise| {
            let transition = self::transition(transition, theta)?;
            require(is_time(noise, t) && t > 0.0 && (0.0..=t).contains(&s))?;
            match transition {
                Transition::Ancestral => {}
                Transition::Euler | Transition::TauLeaping(_) => require(t.is_finite())?,
                Transition::Trapezoidal { theta, .. } => {
                    require(t.is_finite() && theta > 0.0 && theta < 1.0)?;
                }
            }
            Ok(transition.probability(noise, t, s))
        })
    }
}

/// Writes how many of `masks` masked positions a step reveals by even sizes when `steps_left` steps
/// are left, this one included: all with one step left, 0 with none.
///
/// Errors: NULL, ALIGN.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_sizes_even(
    masks: u32,
    steps_left: u32,
    out: *mut u32,
) -> demask_status {
    boundary::call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { pointer::out(out)? };
        out.write(Sizes::Even.size(masks, masks, 0, steps_left, Key::default()));
        Ok(())
    })
}

/// The next first-hitting event of each of `n` sequences, as a plan makes it for a segment: changes
/// ln(1 - alpha) in `log_masked`, at most 0, to its value at the next reveal. demask_noise_time
/// turns it into a time.
///
/// Sequence i has `masks[i]` masked positions; with none the next reveal never comes, and
/// `log_masked[i]` becomes -INFINITY. Its randomness is `keys[i]`, of which the position is 0 in a
/// plan.
///
/// Errors: NULL, SHAPE, ALIGN, ARGUMENT (a `log_masked` above 0 or NaN).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_hitting_times_next(
    keys: *const demask_key,
    masks: *const u32,
    log_masked: *mut f64,
    n: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let keys = pointer::slice(keys.cast::<Key>(), n)?;
        let masks = pointer::slice(masks, n)?;
        let log_masked = pointer::slice_mut(log_masked, n)?;
        require(log_masked.iter().all(|&value| value <= 0.0))?;
        Ok(hitting::next_of_each(Level::detect(), keys, masks, log_masked)?)
    })
}

/// All first-hitting events of one sequence with `n` masked positions, in order: writes
/// ln(1 - alpha) at each to `events`, never increasing, from the present value `log_masked`, at
/// most 0. The randomness is `key`, whose position is not looked at. Much faster than
/// demask_hitting_times_next, with other values of the same law to the precision of 32-bit floats.
///
/// Errors: NULL, SHAPE, ALIGN, ARGUMENT (`log_masked` above 0 or NaN).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_hitting_times_all(
    context: *mut demask_context,
    key: *const demask_key,
    log_masked: f64,
    events: *mut f64,
    n: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        boundary::call_on(context, |context| {
            let key = pointer::slice(key, 1)?[0];
            require(log_masked <= 0.0)?;
            for event in pointer::slice_out(events, n)?.iter_mut() {
                event.write(log_masked);
            }
            let events = pointer::slice_mut(events, n)?;
            hitting::all(context.sampler.level(), key.into(), log_masked, events);
            Ok(())
        })
    }
}

/// When each of `n` positions of a sequence is hit, whatever the others do: writes ln(1 - alpha) then
/// to `events`, from the present value `log_masked`, at most 0. `events[i]` belongs to
/// `positions[i]`, which takes the place of the key's position, and depends on no other. A step from
/// time t to s reveals the positions for which it lies between the values of s and t.
///
/// Errors: NULL, SHAPE, ALIGN, ARGUMENT (`log_masked` above 0 or NaN).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_hitting_times_of_positions(
    context: *mut demask_context,
    key: *const demask_key,
    log_masked: f64,
    positions: *const u32,
    events: *mut f64,
    n: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        boundary::call_on(context, |context| {
            let key = pointer::slice(key, 1)?[0];
            require(log_masked <= 0.0)?;
            let positions = pointer::slice(positions, n)?;
            for event in pointer::slice_out(events, n)?.iter_mut() {
                event.write(log_masked);
            }
            let events = pointer::slice_mut(events, n)?;
            let level = context.sampler.level();
            Ok(hitting::of_positions(level, key.into(), log_masked, positions, events)?)
        })
    }
}
