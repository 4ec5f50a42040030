//! Information profiles: what is to be known of a law, or measured of a model, for a list of sizes.

use super::boundary;
use super::pointer;
use super::sizes::{bytes, weight};
use super::status::{DEMASK_ERR_SHAPE, Refusal, demask_status};
use crate::schedule::sizes::{Profile, ProfileEstimator};

/// Estimates the information profile of a model from its log-probabilities of known tokens (Lavenant and
/// Zanella, arXiv 2510.25544). Made by demask_profile_estimator_create, freed by
/// demask_profile_estimator_destroy. Use each from one thread at a time.
///
/// 1. For a known sequence, choose m positions at random, mask all others, and run the network.
/// 2. demask_profile_estimator_observe, with m and the log-probabilities of the true tokens of the masked
///    positions (given_log_probability of demask_row_statistics).
/// 3. After many of these, demask_profile_estimator_profile, for demask_sizes_create_from_profile.
pub struct demask_profile_estimator {
    estimator: ProfileEstimator,
    masks: u32,
}

/// Writes the profile nearest to `n` values with errors, by least squares with `weights`, one for each
/// value: neighbours that rise are replaced by their mean (pool adjacent violators; Barlow et al.,
/// "Statistical inference under order restrictions", 1972), and negative values by 0. `out` gets `n`
/// values that never rise.
///
/// Errors: NULL, ALIGN, SHAPE (no value, 2^32 or more), ARGUMENT (a value that is not finite, a weight
/// that is not finite and above 0), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_profile_isotonic(
    values: *const f64,
    weights: *const f64,
    n: usize,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let values = pointer::slice(values, n)?;
        let weights = pointer::slice(weights, n)?;
        let out = pointer::slice_out(out, n)?;
        boundary::afford(bytes(n, 64))?;
        pointer::write_each(out, Profile::isotonic(values, weights)?.values());
        Ok(())
    })
}

/// Writes the complexity of a law of information profile `profile`, f(0) to f(n - 1) in nats: the sum of
/// w(m) (f(m - 1) - f(m)), in nats. `weight` is a DEMASK_WEIGHT_ number, which has w.
///
/// Errors: NULL, ALIGN, SHAPE (no value, 2^32 or more), ARGUMENT (a value that is not finite, below 0 or
/// above the one before it; an unknown weight), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_profile_complexity(
    profile: *const f64,
    n: usize,
    weight: u32,
    out: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let profile = pointer::slice(profile, n)?;
        let weight = self::weight(weight)?;
        let out = pointer::out(out)?;
        boundary::afford(bytes(n, 32))?;
        out.write(Profile::new(profile)?.complexity(weight));
        Ok(())
    })
}

/// Makes an estimator for laws on `masks` tokens, and writes it to `*out`. Nothing is observed yet. The
/// caller owns it, and frees it with demask_profile_estimator_destroy. It takes 24 bytes a token.
///
/// Errors: NULL, ALIGN, SHAPE (no masks), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_profile_estimator_create(
    masks: u32,
    out: *mut *mut demask_profile_estimator,
) -> demask_status {
    boundary::call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { pointer::out(out)? };
        boundary::afford(bytes(masks as usize, 24))?;
        let estimator = ProfileEstimator::new(masks)?;
        out.write(Box::into_raw(Box::new(demask_profile_estimator { estimator, masks })));
        Ok(())
    })
}

/// Frees an estimator. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_profile_estimator_destroy(
    estimator: *mut demask_profile_estimator,
) {
    // SAFETY: the caller's promise.
    unsafe { boundary::free(estimator) }
}

/// Adds one network call with `revealed` tokens revealed at random, below the masks: the
/// log-probabilities, `n` of them, in nats, of the true tokens of masked positions (all of them, or a
/// random choice). They depend on each other, so their mean counts once.
///
/// Errors: NULL, ALIGN, SHAPE (`revealed`; no log-probability, 2^32 or more), ARGUMENT (a log-probability
/// that is not finite, or above 1e-5).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_profile_estimator_observe(
    estimator: *mut demask_profile_estimator,
    revealed: u32,
    log_probabilities: *const f64,
    n: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let estimator = pointer::object_mut(estimator)?;
        let values = pointer::slice(log_probabilities, n)?;
        if u32::try_from(n).is_err() {
            return Err(Refusal(DEMASK_ERR_SHAPE));
        }
        Ok(estimator.estimator.observe(revealed, values.iter().copied())?)
    })
}

/// Writes what is known with `revealed` tokens revealed, below the masks: how many calls were observed,
/// their mean, in nats, and its standard error. The mean of none is NAN, and so is the standard error
/// below two.
///
/// Errors: NULL, ALIGN, SHAPE (`revealed`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_profile_estimator_mean(
    estimator: *const demask_profile_estimator,
    revealed: u32,
    observations: *mut u64,
    mean: *mut f64,
    standard_error: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let demask_profile_estimator { estimator, masks } = pointer::object(estimator)?;
        let observations = pointer::out(observations)?;
        let (mean, standard_error) = (pointer::out(mean)?, pointer::out(standard_error)?);
        if revealed >= *masks {
            return Err(Refusal(DEMASK_ERR_SHAPE));
        }
        observations.write(estimator.observations(revealed));
        mean.write(estimator.mean(revealed).unwrap_or(f64::NAN));
        standard_error.write(estimator.standard_error(revealed).unwrap_or(f64::NAN));
        Ok(())
    })
}

/// Writes the profile, f(0) to f(n - 1) in nats, where `n` is the number of masks: the nearest one that
/// never rises, each mean weighted by its observations, with straight lines between the numbers that were
/// observed and level beyond the outer ones.
///
/// Errors: NULL, ALIGN, SHAPE (another `n`, nothing was observed), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_profile_estimator_profile(
    estimator: *const demask_profile_estimator,
    out: *mut f64,
    n: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let demask_profile_estimator { estimator, masks } = pointer::object(estimator)?;
        let out = pointer::slice_out(out, n)?;
        if n != *masks as usize {
            return Err(Refusal(DEMASK_ERR_SHAPE));
        }
        boundary::afford(bytes(n, 128))?;
        pointer::write_each(out, estimator.profile()?.values());
        Ok(())
    })
}
