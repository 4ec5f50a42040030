//! Noise schedules keep their digits: against references of 50 digits and more, against formulas in
//! which nothing cancels, and at the ends.

mod reference;
mod table;

use core::f64::consts::{FRAC_PI_2, LN_2};
use demask::schedule::Base;
use demask::{Error, Noise, Policy};
use reference::{
    COSINE_SQUARED, GEOMETRIC, LOGARITHMIC, MASKGIT, POWER_2, POWER_HALF, SCALED, STEPS, VALUES,
};

const ALL: [Noise; 10] = [
    Noise::Linear,
    Noise::Cosine,
    Noise::UnitRate,
    COSINE_SQUARED,
    MASKGIT,
    GEOMETRIC,
    POWER_2,
    POWER_HALF,
    LOGARITHMIC,
    SCALED,
];

/// The relative distance of two values, 0 for equal ones (infinities too).
fn relative(value: f64, expected: f64) -> f64 {
    if value == expected { 0.0 } else { ((value - expected) / expected).abs() }
}

/// The relative error that a value may have: 4 ULP, and more where σ is the exponential of up to
/// ln(σ_max/σ_min) = 12 times a rounded number.
fn allowed(noise: Noise<'_>) -> f64 {
    if noise == GEOMETRIC { 24.0 * f64::EPSILON } else { 2.0 * f64::EPSILON }
}

#[test]
fn every_form_agrees_with_long_arithmetic() {
    for (noise, t, alpha, log_masked, rate) in VALUES {
        let place = format!("{noise:?} at {t}");
        let digits = allowed(noise);
        let error = relative(noise.alpha(t), alpha);
        // cos(π/2) and its like are right to an ULP of the argument, which 1 − t keeps.
        assert!(error <= digits, "{place}: α off by {error:e}");
        let error = relative(noise.log_masked(t), log_masked);
        assert!(error <= 1.5 * digits, "{place}: ln(1 − α) off by {error:e}");
        let error = relative(noise.rate(t), rate);
        assert!(error <= 1.5 * digits, "{place}: rate off by {error:e}");
        // An error of one ULP in the logarithm is worth |l|/(r·t) relative ones in the time.
        let error = relative(noise.time(log_masked), t);
        let worth = log_masked.abs() / (rate * t);
        let scale = digits / (2.0 * f64::EPSILON);
        let allowed = f64::EPSILON * scale * (2.0 + worth);
        assert!(error <= allowed, "{place}: inverse off by {error:e}, allowed {allowed:e}");
    }
}

/// Steps from nine tenths of the time to 1e-10 of it: no digit is lost, however short they are.
#[test]
fn reveal_probabilities_agree_with_long_arithmetic() {
    let mut worst = 0.0f64;
    for (noise, t, s, p) in STEPS {
        let error = relative(noise.reveal_probability(t, s), p);
        worst = worst.max(error / allowed(noise));
        assert!(error <= 3.0 * allowed(noise), "{noise:?} from {t} to {s}: off by {error:e}");
    }
    println!("largest error of a reveal probability: {worst:.2} of what a value may have");
}

/// Times from both ends of the schedule, by powers and in between.
fn times(noise: Noise<'_>) -> Vec<f64> {
    let unit = (1..1000).map(|k| f64::from(k) / 1000.0);
    let near_zero = (0..=120).map(|k| 10f64.powf(-0.1 * f64::from(k)));
    match noise {
        Noise::UnitRate => {
            near_zero.chain(unit).chain((0..700).map(|k| 1.0 + f64::from(k))).collect()
        }
        _ => {
            let near_one = near_zero.clone().map(|t| 1.0 - t).filter(|&t| t > 0.0);
            near_zero.chain(unit).chain(near_one).collect()
        }
    }
}

#[test]
fn time_is_the_inverse_of_the_logarithm() {
    for noise in ALL {
        let scale = allowed(noise) / (2.0 * f64::EPSILON);
        let mut logs = Vec::new();
        for t in times(noise) {
            let log_masked = noise.log_masked(t);
            let back = noise.time(log_masked);
            let rate = noise.rate(t);
            let worth = if rate > 0.0 { log_masked.abs() / (rate * t) } else { 0.0 };
            let allowed = f64::EPSILON * scale * (3.0 + 2.0 * worth) * t;
            assert!((back - t).abs() <= allowed, "{noise:?}: {back} for {t}, allowed {allowed:e}");
            logs.push(log_masked);
        }
        let mut in_bulk = vec![f64::NAN; logs.len()];
        noise.times(&logs, &mut in_bulk).expect("as many times as logarithms");
        for (log_masked, time) in logs.into_iter().zip(in_bulk) {
            assert_eq!(time.to_bits(), noise.time(log_masked).to_bits(), "{noise:?}");
        }
    }
    let error = Noise::Linear.times(&[0.0; 3], &mut [0.0; 2]).unwrap_err();
    let expected = "times is 2, but must be as many as the log_masked, 3";
    assert_eq!(error.to_string(), expected);
}

/// Going backwards in time, nothing rises: not α's complement, not the times of falling logarithms.
#[test]
fn everything_is_monotonic() {
    for noise in ALL {
        let mut sorted = times(noise);
        sorted.sort_by(f64::total_cmp);
        for pair in sorted.windows(2) {
            let (s, t) = (pair[0], pair[1]);
            let place = format!("{noise:?} from {t} to {s}");
            // Neighbours may be an ULP apart, which leaves an ULP of the result.
            let slack = 1.0 + 2.0 * allowed(noise);
            assert!(noise.alpha(t) <= noise.alpha(s) * slack, "{place}: α");
            assert!(noise.log_masked(s) <= noise.log_masked(t) / slack, "{place}: ln(1 − α)");
            let p = noise.reveal_probability(t, s);
            assert!((0.0..=1.0).contains(&p), "{place}: {p}");
        }
        let mut before = noise.last_time();
        for k in 0..200_000 {
            let time = noise.time(-30.0 * f64::from(k) / 200_000.0);
            assert!(time <= before, "{noise:?}: {time} after {before}");
            before = time;
        }
    }
}

#[test]
fn alpha_and_the_masked_fraction_sum_to_one() {
    for noise in ALL {
        for t in times(noise) {
            let sum = noise.alpha(t) + noise.log_masked(t).exp();
            assert!((sum - 1.0).abs() < 1e-15, "{noise:?} at {t}: {sum}");
            let alpha = -noise.log_masked(t).exp_m1();
            // Where α is small both forms have all their digits.
            let error = relative(noise.alpha(t), alpha);
            assert!(noise.alpha(t) > 0.5 || error < 1e-15, "{noise:?} at {t}: {error:e}");
        }
    }
}

#[test]
fn the_rate_is_the_derivative_of_the_logarithm() {
    for noise in ALL {
        for t in times(noise).into_iter().filter(|&t| t < 0.999 || noise == Noise::UnitRate) {
            // Four-point central difference, the step a compromise of truncation and rounding.
            let h = 1e-3 * if noise == Noise::UnitRate { t.min(1.0) } else { t.min(1.0 - t) };
            let f = |k: f64| noise.log_masked(t + k * h);
            let slope = (8.0 * (f(1.0) - f(-1.0)) - (f(2.0) - f(-2.0))) / (12.0 * h);
            // Of the values, and of the times at which they are taken.
            let rounding = 3.0 * f64::EPSILON * (f(0.0).abs() + t * noise.rate(t)) / h;
            let apart = (slope - noise.rate(t)).abs();
            let allowed = 1e-11 * noise.rate(t) + rounding;
            assert!(apart <= allowed, "{noise:?} at {t}: {slope}, rate {}", noise.rate(t));
        }
    }
}

#[test]
fn a_reveal_is_certain_at_time_0_and_impossible_without_a_step() {
    for noise in ALL {
        for t in times(noise).into_iter().chain([noise.last_time()]) {
            assert_eq!(noise.reveal_probability(t, t), 0.0, "{noise:?} at {t}");
            assert_eq!(noise.euler_probability(t, 0.0), 0.0, "{noise:?} at {t}");
            if noise == GEOMETRIC {
                // It does not begin clean.
                let p = noise.reveal_probability(t, 0.0);
                let expected = 1.0 - (noise.log_masked(0.0) - noise.log_masked(t)).exp();
                assert!((p - expected).abs() < 1e-14, "{noise:?} from {t} to 0: {p}");
            } else {
                assert_eq!(noise.reveal_probability(t, 0.0), 1.0, "{noise:?} from {t} to 0");
            }
        }
        assert_eq!(noise.reveal_probability(0.0, 0.0), 0.0, "{noise:?}");
        assert_eq!(noise.euler_probability(0.0, 0.0), 0.0, "{noise:?}");
        assert_eq!(noise.tau_first_jump_probability(0.0, 0.0), 0.0, "{noise:?}");
        assert_eq!(noise.tau_reject_probability(0.0, 0.0), 0.0, "{noise:?}");
    }
}

/// The steps of a grid multiply: what stays masked in each of them stays masked in all.
#[test]
fn steps_compose() {
    for noise in ALL {
        for t in [1e-6, 0.2, 0.5, 0.93, 1.0] {
            for parts in [2, 3, 10, 1000] {
                let time = |k: u32| t * (1.0 - 0.9 * f64::from(k) / f64::from(parts));
                let steps = (0..parts).map(|k| noise.reveal_probability(time(k), time(k + 1)));
                let log_kept: f64 = steps.map(|p| (-p).ln_1p()).sum();
                let whole = noise.reveal_probability(t, time(parts));
                let error = relative(-log_kept.exp_m1(), whole);
                assert!(error < 1e-13, "{noise:?} from {t} in {parts} steps: {error:e}");
            }
        }
    }
}

#[test]
fn probabilities_of_a_jump_are_those_of_a_poisson_variable() {
    for noise in ALL {
        for t in times(noise) {
            for h in [t, 0.3 * t, 1e-3 * t, 1e-9 * t] {
                let place = format!("{noise:?} at {t}, step {h}");
                let jumps = noise.expected_jumps(t, h);
                assert!(relative(jumps, h * noise.rate(t)) < 1e-15, "{place}: {jumps}");
                assert_eq!(noise.euler_probability(t, h), jumps.min(1.0), "{place}");
                let first = noise.tau_first_jump_probability(t, h);
                let reject = noise.tau_reject_probability(t, h);
                assert!(relative(first, -(-jumps).exp_m1()) < 1e-15, "{place}: {first}");
                assert!(relative(reject, jumps * (-jumps).exp()) < 1e-15, "{place}: {reject}");
                // At least one, exactly one: the Euler probability bounds both.
                assert!(reject <= first && first <= noise.euler_probability(t, h), "{place}");
            }
            // Scores: of a Euler step h·σ′·Σs, of a Tweedie step expm1(Δσ)·Σs.
            let (alpha, sum) = (noise.alpha(t), noise.score_sum(t));
            let error = relative(sum, 1.0 / (-alpha.ln()).exp_m1());
            assert!(!(0.01..0.99).contains(&alpha) || error < 1e-13, "{noise:?} at {t}: {error:e}");
        }
    }
    assert_eq!(Noise::Linear.tau_reject_probability(1e-320, 1.0), 0.0, "an infinite rate");
    assert_eq!(Noise::Linear.tau_first_jump_probability(1e-320, 1.0), 1.0, "an infinite rate");
}

/// How often a mask is left at four positions after 32 steps of 1/4 in unit-rate time, by arithmetic
/// in another program.
#[test]
fn masks_are_left_as_often_as_the_rules_say() {
    let left = |probability: fn(Noise<'static>, f64, f64) -> f64| {
        let times = (1..=32).map(|k| f64::from(k) * 0.25);
        let kept: f64 = times.map(|t| 1.0 - probability(Noise::UnitRate, t, 0.25)).product();
        1.0 - (1.0 - kept).powi(4)
    };
    let euler = left(Noise::euler_probability);
    assert!((euler - 0.124_440_637_797).abs() < 1e-12, "{euler}");
    let reject = left(Noise::tau_reject_probability);
    assert!((reject - 0.648_726_436_325).abs() < 1e-12, "{reject}");
}

/// What single precision loses by the usual forms, and these keep: the masked fraction is 1e-1 to
/// 1e-6 in the first column of the loss, and ln(1 − α) comes close to 0 in the second.
#[test]
fn rounded_to_single_precision_nothing_is_lost() {
    for exponent in 1..=6 {
        let t = 10f64.powi(-exponent);
        let mut lost = 0.0f64;
        for s in [0.5 * t, 0.9 * t, 0.999 * t] {
            let p = Noise::UnitRate.reveal_probability(t, s) as f32;
            let exact = (t - s).exp_m1() / t.exp_m1();
            assert!(relative(p.into(), exact) < 6e-8, "from {t} to {s}");
            let alpha = |t: f64| (-(t as f32)).exp();
            let usual = (alpha(s) - alpha(t)) / (1.0 - alpha(t));
            lost = lost.max(relative(usual.into(), exact));
        }
        assert!(lost > 1e-7 / t, "the usual form loses only {lost:e} from {t}");
    }
    for l in [-1e-4, -1e-5, -1e-6, -1e-7] {
        let alpha = Noise::UnitRate.alpha(Noise::UnitRate.time(l)) as f32;
        let exact = -f64::exp_m1(l);
        assert!(relative(alpha.into(), exact) < 1.2e-7, "α at ln(1 − α) = {l}: {alpha:e}");
        let usual = 1.0 - (l as f32).exp();
        assert!(relative(usual.into(), exact) > 1e-4, "the usual form is fine at {l}");
    }
}

#[test]
fn the_two_branches_of_a_form_meet() {
    // Each form switches where the other branch begins to cancel.
    let close = |name: &str, a: f64, b: f64| assert!(relative(a, b) < 1e-15, "{name}: {a}, {b}");
    let below = |x: f64| f64::from_bits(x.to_bits() - 1); // towards zero
    close("cosine", Noise::Cosine.log_masked(0.5), Noise::Cosine.log_masked(below(0.5)));
    close("cosine", Noise::Cosine.time(-0.5), Noise::Cosine.time(below(-0.5)));
    close("unit rate", Noise::UnitRate.log_masked(LN_2), Noise::UnitRate.log_masked(below(LN_2)));
    close("unit rate", Noise::UnitRate.time(-LN_2), Noise::UnitRate.time(below(-LN_2)));
    for noise in [COSINE_SQUARED, MASKGIT, LOGARITHMIC] {
        let half = noise.time(-LN_2);
        close("half, inverse", half, noise.time(below(-LN_2)));
        close("half", noise.log_masked(half), -LN_2);
        close("half, below", noise.log_masked(half - 1e-15), -LN_2 - 1e-15 * noise.rate(half));
    }
    for noise in [COSINE_SQUARED, MASKGIT] {
        close("rate at ½", noise.rate(0.5), noise.rate(below(0.5)));
    }
    close("σ at ½", GEOMETRIC.alpha(0.5), GEOMETRIC.alpha(below(0.5)));
    close("power", POWER_2.reveal_probability(0.3, 0.15), 0.75);
    close("power, below", POWER_2.reveal_probability(0.3, below(0.15)), 0.75);
}

#[test]
fn schedules_begin_clean_and_end_masked() {
    for noise in ALL {
        let last = noise.last_time();
        assert!(noise.horizon() > 0.0 && noise.horizon() <= last, "{noise:?}");
        assert_eq!(noise.time(f64::NEG_INFINITY), 0.0, "{noise:?}");
        assert_eq!(noise.time(0.0), last, "{noise:?}");
        assert!(noise.check().is_ok(), "{noise:?}");
        let at_end = match noise {
            Noise::Geometric { sigma_max, .. } => (-sigma_max).exp(),
            Noise::Scaled { epsilon, .. } => epsilon,
            _ => 0.0,
        };
        assert!(relative(noise.alpha(last), at_end) < 1e-15, "{noise:?}");
        assert!(relative(noise.log_masked(last), (-at_end).ln_1p()) < 1e-15, "{noise:?}");
        for s in [1e-9, 0.3, 0.9] {
            // From the end, what is clean at s is what is revealed on the way there.
            let expected = (noise.alpha(s) - at_end) / (1.0 - at_end);
            let error = relative(noise.reveal_probability(last, s), expected);
            assert!(error < 1e-14, "{noise:?}: {error:e}");
        }
        if noise == GEOMETRIC {
            assert!(relative(noise.alpha(0.0), (-1e-4f64).exp()) < 1e-15);
            assert!(relative(noise.log_masked(0.0), (-(-1e-4f64).exp_m1()).ln()) < 1e-15);
            continue;
        }
        assert_eq!(noise.alpha(0.0), 1.0, "{noise:?}");
        assert_eq!(noise.log_masked(0.0), f64::NEG_INFINITY, "{noise:?}");
        assert_eq!(noise.rate(0.0), f64::INFINITY, "{noise:?}");
        assert_eq!(noise.reveal_probability(last, 0.0), 1.0, "{noise:?}");
    }
    assert_eq!(Noise::Linear.rate(1.0), 1.0);
    assert!(relative(Noise::Cosine.rate(1.0), FRAC_PI_2) < 4e-16);
    assert_eq!(Noise::UnitRate.rate(f64::INFINITY), 0.0);
    assert!(Noise::UnitRate.alpha(Noise::UnitRate.horizon()) < 2e-7);
}

#[test]
fn a_scaled_schedule_reveals_as_the_one_that_it_scales() {
    for base in [Base::Linear, Base::Cosine, Base::CosineSquared] {
        let plain = Noise::from(base);
        for epsilon in [0.0, 1e-9, 1e-3, 0.5] {
            let noise = Noise::Scaled { base, epsilon };
            for t in times(plain) {
                assert_eq!(noise.rate(t), plain.rate(t));
                assert_eq!(
                    noise.euler_probability(t, 0.1 * t),
                    plain.euler_probability(t, 0.1 * t)
                );
                let (p, q) = (noise.reveal_probability(t, 0.7 * t), plain.alpha(t));
                assert_eq!(p, plain.reveal_probability(t, 0.7 * t));
                let (alpha, expected) = (noise.alpha(t), 1.0 - (1.0 - epsilon) * (1.0 - q));
                assert!((alpha - expected).abs() < 3e-16, "{noise:?} at {t}");
            }
            // What first-hitting starts from, all masked, is above all that the schedule takes.
            assert_eq!(noise.time(0.0), 1.0, "{noise:?}");
        }
    }
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let refused = |noise: Noise<'static>, name: &str| {
        let error = noise.check().unwrap_err();
        let Error::Argument { name: named, .. } = error else { panic!("{error:?}") };
        assert_eq!(named, name, "{noise:?}");
        // So is a policy with it, whatever its rule.
        let policies = [Policy::first_hitting(noise), Policy::euler(noise, 4)];
        for policy in policies {
            assert_eq!(policy.check().map_err(|error| error.to_string()), Err(error.to_string()));
        }
    };
    let geometric = |sigma_min, sigma_max| Noise::Geometric { sigma_min, sigma_max };
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        refused(geometric(bad, 20.0), "noise.sigma_min");
        refused(geometric(1.0, bad), "noise.sigma_max");
        refused(Noise::Power { exponent: bad }, "noise.exponent");
    }
    refused(geometric(1.0, 1.0), "noise.sigma_max");
    for epsilon in [-1e-300, 1.0, f64::NAN, f64::INFINITY] {
        refused(Noise::Scaled { base: Base::Cosine, epsilon }, "noise.epsilon");
    }
    let error = Noise::Power { exponent: -2.0 }.check().unwrap_err();
    assert_eq!(error.to_string(), "noise.exponent is -2, but must be finite and above 0");
    for (sigma_min, sigma_max) in [(1e-300, 1e300), (1.0, 1.0 + f64::EPSILON), (5e-324, 1.0)] {
        let noise = geometric(sigma_min, sigma_max);
        assert!(noise.check().is_ok());
        for t in [0.0, 1e-9, 0.3, 0.5, 0.9, 1.0] {
            assert!((0.0..=1.0).contains(&noise.alpha(t)), "{noise:?} at {t}");
            assert!(noise.log_masked(t) <= 0.0 && noise.rate(t) >= 0.0, "{noise:?} at {t}");
            assert!((0.0..=1.0).contains(&noise.time(noise.log_masked(t))), "{noise:?} at {t}");
            let p = noise.reveal_probability(t, 0.5 * t);
            assert!((0.0..=1.0).contains(&p), "{noise:?} at {t}: {p}");
        }
    }
}

#[test]
fn a_grid_goes_from_its_start_to_its_end() {
    for (noise, start, end) in [
        (Noise::Linear, 1.0, 0.0),
        (Noise::Cosine, 0.8, 0.1),
        (Noise::UnitRate, 16.0, 0.0),
        (Noise::UnitRate, 7.0, 1e-3),
    ] {
        for steps in [1, 2, 3, 7, 49, 1000, 4097, u32::MAX] {
            let mut policy = Policy::euler(noise, steps);
            (policy.schedule.start, policy.schedule.end) = (start, end);
            policy.check().expect("a valid policy");
            assert!(relative(policy.grid_time(0), start) < 3e-16, "{policy:?}");
            assert_eq!(policy.grid_time(steps), end, "{policy:?}");
            assert_eq!(policy.grid_time(steps.saturating_add(1)), end, "it stays at its end");
            let looked_at = (0..steps.min(5000)).chain(steps - steps.min(5000)..steps);
            let width = (start - end) / f64::from(steps);
            for step in looked_at {
                let (t, s) = (policy.grid_time(step), policy.grid_time(step + 1));
                assert!(s < t, "{policy:?}: {s} after {t}");
                let apart = (t - s - width).abs();
                assert!(apart <= 4.0 * f64::EPSILON * start, "{policy:?}: {apart:e} at {step}");
            }
        }
    }
}
