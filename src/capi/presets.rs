//! Policies by the names that users know them by.

use super::boundary;
use super::grid::demask_time_grid;
use super::noise::demask_noise;
use super::pointer::{self, Plain};
use super::policy::demask_policy;
use super::status::{DEMASK_ERR_ARGUMENT, Refusal, demask_status};
use crate::policy::{Policy, RemaskRate};
use crate::schedule::Noise;

/// BERNOULLI with EULER: every masked position with probability min(1, h r(t)).
pub const DEMASK_SAMPLER_EULER: u32 = 0;
/// SCORE_BERNOULLI with EULER. It starts at 0.999 times the last time, since scores are 0 there.
pub const DEMASK_SAMPLER_EULER_SCORE: u32 = 1;
/// BERNOULLI with ANCESTRAL.
pub const DEMASK_SAMPLER_ANCESTRAL: u32 = 2;
/// BERNOULLI with TAU_LEAPING.
pub const DEMASK_SAMPLER_TAU_LEAPING: u32 = 3;
/// SCORE_BERNOULLI with ANCESTRAL. It starts as EULER_SCORE does.
pub const DEMASK_SAMPLER_TWEEDIE: u32 = 4;
/// BERNOULLI with TRAPEZOIDAL, theta 1/2: two network calls a step.
pub const DEMASK_SAMPLER_TRAPEZOIDAL: u32 = 5;
/// FIRST_HITTING in so many steps of even sizes.
pub const DEMASK_SAMPLER_PARALLEL_HITTING: u32 = 6;
/// The same, with laws extrapolated in time.
pub const DEMASK_SAMPLER_EXTRAPOLATED_HITTING: u32 = 7;
/// ANCESTRAL with UNIFORM_STATE: the canvas starts with random tokens, see demask_randomize.
pub const DEMASK_SAMPLER_UNIFORM_STATE: u32 = 8;

/// LLaDA's low confidence: TOP_K of PROBABILITY, even sizes.
pub const DEMASK_DECODER_LLADA: u32 = 0;
/// Dream's maskgit_plus: the same with TIME_RATIO sizes to 0.001.
pub const DEMASK_DECODER_DREAM: u32 = 1;
/// Dream's topk_margin: the same of MARGIN.
pub const DEMASK_DECODER_DREAM_MARGIN: u32 = 2;
/// Dream's entropy: the same of NEGATIVE_ENTROPY.
pub const DEMASK_DECODER_DREAM_ENTROPY: u32 = 3;
/// Dream's origin: BERNOULLI with ANCESTRAL, in so many steps, at least 2.
pub const DEMASK_DECODER_DREAM_ORIGIN: u32 = 4;
/// MaskGIT: TOP_K of LOG_PROBABILITY with noise 4.5 that falls, COSINE sizes, temperature 1.
pub const DEMASK_DECODER_MASKGIT: u32 = 5;
/// Fast-dLLM's threshold: PROBABILITY at least 0.9, BEST.
pub const DEMASK_DECODER_FAST_DLLM: u32 = 6;
/// Fast-dLLM's factor, 1.
pub const DEMASK_DECODER_FAST_DLLM_FACTOR: u32 = 7;
/// LLaDA2: PROBABILITY above 0.95, BEST.
pub const DEMASK_DECODER_LLADA2: u32 = 8;
/// SDAR's static rule: LLADA at temperature 1.
pub const DEMASK_DECODER_SDAR: u32 = 9;
/// SDAR's dynamic rule: PROBABILITY above 0.85, FILL_BY_SCORE.
pub const DEMASK_DECODER_SDAR_DYNAMIC: u32 = 10;
/// SDAR's sequential rule.
pub const DEMASK_DECODER_SDAR_SEQUENTIAL: u32 = 11;
/// EB-Sampler: ENTROPY_BOUND 0.1.
pub const DEMASK_DECODER_ENTROPY_BOUND: u32 = 12;
/// LocalLeap: LLADA and NEIGHBOURS, 0.9, 0.75 and 4 positions.
pub const DEMASK_DECODER_LOCAL_LEAP: u32 = 13;
/// dInfer's hierarchy: RUNS, 0.4 and 0.9.
pub const DEMASK_DECODER_HIERARCHY: u32 = 14;
/// dInfer's threshold: PROBABILITY at least 0.9, NEAR_BEST.
pub const DEMASK_DECODER_DINFER: u32 = 15;
/// Diffulex's DMax: PREFIX, 0.9.
pub const DEMASK_DECODER_PREFIX: u32 = 16;
/// dInfer's hierarchy with remasking: HIERARCHY and DOUBT of drawn tokens below 0.4.
pub const DEMASK_DECODER_HIERARCHY_REMASK: u32 = 17;
/// KLASS: STABLE, 0.9, 0.01 and 2 steps.
pub const DEMASK_DECODER_KLASS: u32 = 18;
/// WINO: PROBABILITY above 0.6, at most 70 % of the masks but 5, and 20; DOUBT of standing tokens
/// below 0.9.
pub const DEMASK_DECODER_WINO: u32 = 19;
/// LLaDA2.1: LLADA2 and EDIT above 0.9 for 16 extra steps.
pub const DEMASK_DECODER_LLADA21: u32 = 20;
/// P2 with eta 1: REPLAN, TOP_K of LOG_PROBABILITY, sizes KAPPA, temperature 1.
pub const DEMASK_DECODER_P2: u32 = 21;
/// DiffusionGemma: RENOISE, ENTROPY_BOUND 0.1 of NEGATIVE_ENTROPY, temperatures from 0.8 towards 0.4,
/// settled after 1 step with a mean entropy below 0.005.
pub const DEMASK_DECODER_DIFFUSION_GEMMA: u32 = 22;
/// ReMDM-cap: BERNOULLI with ANCESTRAL and REMASK with CAP 0.008, temperature 1, in so many steps, at
/// least 1.
pub const DEMASK_DECODER_REMDM: u32 = 23;
/// ReMDM-rescale: the same with RESCALE 0.015.
pub const DEMASK_DECODER_REMDM_RESCALE: u32 = 24;
/// ReMDM-conf: the same with RESCALE 1, shared by confidence: remask_by_confidence. The canvas has states.
pub const DEMASK_DECODER_REMDM_CONFIDENT: u32 = 25;

/// The noise schedule of a preset.
fn noise(schedule: u32) -> Result<Noise<'static>, Refusal> {
    let numbers = demask_noise { schedule, ..demask_noise::zeroed() };
    // SAFETY: it has no table.
    unsafe { numbers.noise() }
}

/// Fills `out`, of `struct_size` bytes, with a preset.
///
/// # Safety
/// The caller's promise for `out`.
unsafe fn preset<'a>(
    out: *mut demask_policy,
    struct_size: usize,
    policy: impl FnOnce() -> Result<Policy<'a>, Refusal>,
) -> demask_status {
    boundary::call(|| {
        let policy = policy()?;
        policy.check()?;
        // SAFETY: the caller's promise.
        unsafe { pointer::fill(out, struct_size, &demask_policy::new(&policy, struct_size)) }
    })
}

/// Fills `out` with first-hitting: one position at a time, at its exact first-hitting time. The law
/// of the output has no error but the denoiser's (Zheng et al., arXiv 2409.02908). Temperature 1.
/// `noise` is a DEMASK_NOISE_ number that needs no parameter, `struct_size` is
/// sizeof(demask_policy). For other schedules, make the policy with DEMASK_NOISE_LINEAR and set
/// its fields.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_policy_first_hitting(
    noise: u32,
    out: *mut demask_policy,
    struct_size: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe { preset(out, struct_size, || Ok(Policy::first_hitting(self::noise(noise)?))) }
}

/// Fills `out` with the Euler method on a uniform time grid of `steps` steps, at least 1, from the
/// last time of the noise schedule (16 for the unit rate) to 0: every masked position is revealed
/// with probability min(1, h r(t)), independently (Lou et al., arXiv 2310.16834). Temperature 1,
/// DEMASK_FINISH_NONE. `noise` is as for demask_policy_first_hitting, `struct_size` is
/// sizeof(demask_policy).
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_policy_euler(
    noise: u32,
    steps: u32,
    out: *mut demask_policy,
    struct_size: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe { preset(out, struct_size, || Ok(Policy::euler(self::noise(noise)?, steps))) }
}

/// Fills `out` with the decoding rule of a project, at its own parameters: a DEMASK_DECODER_ number says
/// which. Temperature 0 unless that says otherwise. `steps` is the number of steps of a segment; 0 is
/// one position a step, or as many steps as thresholds, factors and bounds need. `struct_size` is
/// sizeof(demask_policy).
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_policy_decoder(
    decoder: u32,
    steps: u32,
    out: *mut demask_policy,
    struct_size: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        preset(out, struct_size, || {
            let mut policy = match decoder {
                DEMASK_DECODER_LLADA => Policy::llada(steps),
                DEMASK_DECODER_DREAM => Policy::dream(steps),
                DEMASK_DECODER_DREAM_MARGIN => Policy::dream_margin(steps),
                DEMASK_DECODER_DREAM_ENTROPY => Policy::dream_entropy(steps),
                DEMASK_DECODER_DREAM_ORIGIN => return Ok(Policy::dream_origin(steps)),
                DEMASK_DECODER_MASKGIT => Policy::maskgit(steps),
                DEMASK_DECODER_FAST_DLLM => Policy::fast_dllm(0.9),
                DEMASK_DECODER_FAST_DLLM_FACTOR => Policy::fast_dllm_factor(1.0),
                DEMASK_DECODER_LLADA2 => Policy::llada2(0.95),
                DEMASK_DECODER_SDAR => Policy::sdar(steps),
                DEMASK_DECODER_SDAR_DYNAMIC => Policy::sdar_dynamic(0.85, steps),
                DEMASK_DECODER_SDAR_SEQUENTIAL => Policy::sdar_sequential(steps),
                DEMASK_DECODER_ENTROPY_BOUND => Policy::entropy_bound(0.1),
                DEMASK_DECODER_LOCAL_LEAP => Policy::local_leap(steps),
                DEMASK_DECODER_HIERARCHY => Policy::hierarchy(0.4, 0.9),
                DEMASK_DECODER_DINFER => Policy::dinfer(0.9),
                DEMASK_DECODER_PREFIX => Policy::prefix(0.9),
                DEMASK_DECODER_HIERARCHY_REMASK => Policy::hierarchy_remask(0.4, 0.9),
                DEMASK_DECODER_KLASS => Policy::klass(steps),
                DEMASK_DECODER_WINO => Policy::wino(),
                DEMASK_DECODER_LLADA21 => Policy::llada21(0.95, 0.9),
                DEMASK_DECODER_P2 => Policy::p2(1.0, steps),
                DEMASK_DECODER_DIFFUSION_GEMMA => Policy::diffusion_gemma(steps),
                DEMASK_DECODER_REMDM => Policy::remdm(RemaskRate::Cap(0.008), steps),
                DEMASK_DECODER_REMDM_RESCALE => Policy::remdm(RemaskRate::Rescale(0.015), steps),
                DEMASK_DECODER_REMDM_CONFIDENT => Policy::remdm_confident(steps),
                _ => return Err(Refusal(DEMASK_ERR_ARGUMENT)),
            };
            policy.schedule.steps = steps;
            Ok(policy)
        })
    }
}

/// Fills `out` with ReMDM-loop (Wang et al., arXiv 2503.00307): as DEMASK_DECODER_REMDM, on `times`, with
/// CAP `eta`, 0 to 1, while they stay, and no remasking elsewhere. Theirs are 0.02 and the times of
/// demask_time_grid_create_remdm_loop. The policy points to `times`, which must outlive it.
/// `struct_size` is sizeof(demask_policy).
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_policy_remdm_loop(
    eta: f64,
    times: *const demask_time_grid,
    out: *mut demask_policy,
    struct_size: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        preset(out, struct_size, || Ok(Policy::remdm_loop(eta, pointer::object(times)?.grid())))
    }
}

/// Fills `out` with a preset that takes the number of steps, at least 1, of a uniform time grid from
/// the last time of the noise schedule (16 for the unit rate) to 0: a DEMASK_SAMPLER_ number says
/// which. `noise` is as for demask_policy_first_hitting, `struct_size` is sizeof(demask_policy).
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_policy_sampler(
    sampler: u32,
    noise: u32,
    steps: u32,
    out: *mut demask_policy,
    struct_size: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        preset(out, struct_size, || {
            let noise = self::noise(noise)?;
            Ok(match sampler {
                DEMASK_SAMPLER_EULER => Policy::euler(noise, steps),
                DEMASK_SAMPLER_EULER_SCORE => Policy::euler_score(noise, steps),
                DEMASK_SAMPLER_ANCESTRAL => Policy::ancestral(noise, steps),
                DEMASK_SAMPLER_TAU_LEAPING => Policy::tau_leaping(noise, steps),
                DEMASK_SAMPLER_TWEEDIE => Policy::tweedie(noise, steps),
                DEMASK_SAMPLER_TRAPEZOIDAL => Policy::theta_trapezoidal(noise, 0.5, steps),
                DEMASK_SAMPLER_PARALLEL_HITTING => Policy::first_hitting_parallel(noise, steps),
                DEMASK_SAMPLER_EXTRAPOLATED_HITTING => {
                    Policy::first_hitting_extrapolated(noise, steps)
                }
                DEMASK_SAMPLER_UNIFORM_STATE => Policy::uniform_state(noise, steps),
                _ => return Err(Refusal(DEMASK_ERR_ARGUMENT)),
            })
        })
    }
}

/// Fills `out` with a uniformly random order in `steps` steps, at least 1, whose sizes differ by at
/// most one, the larger ones first. Temperature 1. `struct_size` is sizeof(demask_policy).
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_policy_random_order(
    steps: u32,
    out: *mut demask_policy,
    struct_size: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe { preset(out, struct_size, || Ok(Policy::random_order(steps))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capi::status::DEMASK_OK;
    use crate::policy::Remask;
    use crate::schedule::TimeGrid;
    use crate::update::Update;

    /// The policy that a call fills in.
    fn filled(call: impl FnOnce(*mut demask_policy, usize) -> demask_status) -> demask_policy {
        let mut numbers = demask_policy::zeroed();
        assert_eq!(call(&raw mut numbers, size_of::<demask_policy>()), DEMASK_OK);
        numbers
    }

    #[test]
    fn decoders_of_remdm_are_those_of_the_crate() {
        let size = size_of::<demask_policy>() as u32;
        for (decoder, policy) in [
            (DEMASK_DECODER_REMDM, Policy::remdm(RemaskRate::Cap(0.008), 9)),
            (DEMASK_DECODER_REMDM_RESCALE, Policy::remdm(RemaskRate::Rescale(0.015), 9)),
            (DEMASK_DECODER_REMDM_CONFIDENT, Policy::remdm_confident(9)),
        ] {
            // SAFETY: it is filled in here.
            let call = |out, size| unsafe { demask_policy_decoder(decoder, 9, out, size) };
            // SAFETY: it has no table.
            assert_eq!(unsafe { filled(call).element(size) }, Ok(policy), "decoder {decoder}");
        }
    }

    #[test]
    fn remdm_loop_remasks_while_its_times_stay() {
        let size = size_of::<demask_policy>() as u32;
        let times = TimeGrid::remdm_loop(20, 0.55, 0.2, 0.9).expect("a grid");
        // SAFETY: it is filled in here, and the grid lives.
        let call = |out, size| unsafe {
            demask_policy_remdm_loop(0.02, demask_time_grid::of(&times), out, size)
        };
        // SAFETY: the grid lives.
        let policy = unsafe { filled(call).element(size) };
        assert_eq!(policy, Ok(Policy::remdm_loop(0.02, &times)));
        let Ok(Policy { update: Update::Remask(Remask { from, until, .. }), .. }) = policy else {
            panic!("it remasks");
        };
        assert!(from > until && until > 0.0, "{from} to {until}");
    }
}
