//! Noise schedules keep their digits: against references of 50 digits and more, against formulas in
//! which nothing cancels, and at the ends.

use core::f64::consts::{FRAC_PI_2, FRAC_PI_4, LN_2};
use demask::{Noise, Policy};

const ALL: [Noise; 3] = [Noise::Linear, Noise::Cosine, Noise::UnitRate];

/// The relative distance of two values, 0 for equal ones (infinities too).
fn relative(value: f64, expected: f64) -> f64 {
    if value == expected { 0.0 } else { ((value - expected) / expected).abs() }
}

/// Noise, t, α(t), ln(1 − α(t)), −α′(t)/(1 − α(t)): from the definitions, with mpmath 1.3 at 700
/// digits, for the f64 t that stands here.
#[rustfmt::skip]
const REFERENCE: [(Noise, f64, f64, f64, f64); 36] = [
    (Noise::Linear, 1e-12, 0.999999999999, -27.631021115928547, 1000000000000.0),
    (Noise::Linear, 1e-06, 0.999999, -13.815510557964274, 1000000.0),
    (Noise::Linear, 0.001, 0.999, -6.907755278982137, 1000.0),
    (Noise::Linear, 0.1, 0.9, -2.3025850929940455, 10.0),
    (Noise::Linear, 0.25, 0.75, -1.3862943611198906, 4.0),
    (Noise::Linear, 0.49, 0.51, -0.7133498878774648, 2.0408163265306123),
    (Noise::Linear, 0.51, 0.49, -0.6733445532637656, 1.9607843137254901),
    (Noise::Linear, 0.75, 0.25, -0.2876820724517809, 1.3333333333333333),
    (Noise::Linear, 0.9, 0.09999999999999998, -0.10536051565782628, 1.1111111111111112),
    (Noise::Linear, 0.999, 0.0010000000000000009, -0.0010005003335835344, 1.001001001001001),
    (Noise::Linear, 0.999999, 1.0000000000287557e-06, -1.000000500029089e-06, 1.000001000001),
    (Noise::Linear, 0.999999999999, 9.999778782798785e-13, -9.999778782803785e-13, 1.000000000001),
    (Noise::Cosine, 1e-12, 1.0, -55.052024001838134, 2000000000000.0),
    (Noise::Cosine, 1e-06, 0.9999999999987663, -27.42100288590979, 1999999.9999995888),
    (Noise::Cosine, 0.001, 0.9999987662997035, -13.605492533562073, 1999.9995887664663),
    (Noise::Cosine, 0.1, 0.9876883405951378, -4.39720854650086, 19.958859727087145),
    (Noise::Cosine, 0.25, 0.9238795325112867, -2.5754380951028257, 7.896926407782203),
    (Noise::Cosine, 0.49, 0.7181262977631888, -1.2662961727737134, 3.8781101464314385),
    (Noise::Cosine, 0.51, 0.6959127965923143, -1.1904407653957056, 3.7095613957450886),
    (Noise::Cosine, 0.75, 0.3826834323650898, -0.48237331107169895, 2.350862834655025),
    (Noise::Cosine, 0.9, 0.15643446504023084, -0.17011768593024365, 1.839166197678975),
    (Noise::Cosine, 0.999, 0.0015707956808308802, -0.0015720306738168696, 1.573265667818812),
    (Noise::Cosine, 0.999999, 1.5707963268394199e-06, -1.570797560541262e-06, 1.5707987941979349),
    (Noise::Cosine, 0.999999999999, 1.5707615780781874e-12, -1.5707615780794211e-12, 1.570796326797364),
    (Noise::UnitRate, 1e-12, 0.999999999999, -27.631021115929048, 999999999999.5),
    (Noise::UnitRate, 1e-06, 0.9999990000005, -13.815511057964233, 999999.5000000834),
    (Noise::UnitRate, 0.001, 0.999000499833375, -6.908255237315471, 999.5000833333319),
    (Noise::UnitRate, 0.1, 0.9048374180359595, -2.3521684610440907, 9.50833194477505),
    (Noise::UnitRate, 0.5, 0.6065306597126334, -0.9327521295671886, 1.5414940825367982),
    (Noise::UnitRate, 0.69, 0.5015760690660556, -0.6963042971440567, 1.0063242110510318),
    (Noise::UnitRate, 0.7, 0.4965853037914095, -0.6863410028083852, 0.9864338636344634),
    (Noise::UnitRate, 1.0, 0.36787944117144233, -0.4586751453870819, 0.5819767068693265),
    (Noise::UnitRate, 3.0, 0.049787068367863944, -0.05106918094270159, 0.05239569649125595),
    (Noise::UnitRate, 16.0, 1.1253517471925912e-07, -1.1253518105134236e-07, 1.1253518738342608e-07),
    (Noise::UnitRate, 40.0, 4.248354255291589e-18, -4.248354255291589e-18, 4.248354255291589e-18),
    (Noise::UnitRate, 700.0, 9.85967654375977e-305, -9.85967654375977e-305, 9.85967654375977e-305),
];

#[test]
fn every_form_agrees_with_long_arithmetic() {
    for (noise, t, alpha, log_masked, rate) in REFERENCE {
        let place = format!("{noise:?} at {t}");
        let error = relative(noise.alpha(t), alpha);
        // cos(π/2) and its like are right to an ULP of the argument, which 1 − t keeps.
        assert!(error < 4e-16, "{place}: α off by {error:e}");
        let error = relative(noise.log_masked(t), log_masked);
        assert!(error < 6e-16, "{place}: ln(1 − α) off by {error:e}");
        let error = relative(noise.rate(t), rate);
        assert!(error < 6e-16, "{place}: rate off by {error:e}");
        // An error of one ULP in the logarithm is worth |l|/(r·t) relative ones in the time.
        let error = relative(noise.time(log_masked), t);
        let allowed = f64::EPSILON * (2.0 + log_masked.abs() / (rate * t));
        assert!(error <= allowed, "{place}: inverse off by {error:e}, allowed {allowed:e}");
    }
}

/// Times from both ends of the schedule, by powers and in between.
fn times(noise: Noise) -> Vec<f64> {
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
        for t in times(noise) {
            let log_masked = noise.log_masked(t);
            let back = noise.time(log_masked);
            let worth = log_masked.abs() / (noise.rate(t) * t);
            let allowed = f64::EPSILON * (3.0 + 2.0 * worth) * t;
            assert!((back - t).abs() <= allowed, "{noise:?}: {back} for {t}, allowed {allowed:e}");
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

/// P(clean at s | masked at t), from formulas in which nothing cancels.
fn reveal_probability(noise: Noise, t: f64, s: f64) -> f64 {
    let width = t - s;
    match noise {
        Noise::Linear => width / t,
        // sin²a − sin²b = sin(a − b)·sin(a + b)
        Noise::Cosine => {
            let (difference, sum) = ((FRAC_PI_4 * width).sin(), (FRAC_PI_4 * (t + s)).sin());
            difference * sum / (FRAC_PI_4 * t).sin().powi(2)
        }
        _ => width.exp_m1() / t.exp_m1(),
    }
}

/// α from exp(−t) and their difference, the form that loses: 41 % at t = 1e-5 in f32.
#[test]
fn reveal_probabilities_keep_their_digits_near_zero() {
    for noise in ALL {
        for t in [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-12] {
            for fraction in [0.0, 0.1, 0.5, 0.75] {
                let s = fraction * t;
                let error =
                    relative(noise.reveal_probability(t, s), reveal_probability(noise, t, s));
                assert!(error < 1e-14, "{noise:?} from {t} to {s}: {error:e}");
            }
        }
    }
}

#[test]
fn reveal_probabilities_of_short_steps_are_off_by_the_rounding_of_the_logarithms() {
    for noise in ALL {
        for t in times(noise) {
            for fraction in [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6] {
                let s = t * (1.0 - fraction);
                let expected = reveal_probability(noise, t, s);
                let apart = (noise.reveal_probability(t, s) - expected).abs();
                let allowed = f64::EPSILON * (2.0 * noise.log_masked(s).abs() + 1.0);
                assert!(apart <= allowed, "{noise:?} from {t} to {s}: {apart:e} > {allowed:e}");
            }
            assert_eq!(noise.reveal_probability(t, t), 0.0, "{noise:?} at {t}");
            assert_eq!(noise.reveal_probability(t, 0.0), 1.0, "{noise:?} from {t} to 0");
        }
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
}

#[test]
fn schedules_begin_clean_and_end_masked() {
    for noise in ALL {
        let last = noise.last_time();
        assert_eq!(noise.alpha(0.0), 1.0, "{noise:?}");
        assert_eq!(noise.log_masked(0.0), f64::NEG_INFINITY, "{noise:?}");
        assert_eq!(noise.time(f64::NEG_INFINITY), 0.0, "{noise:?}");
        assert_eq!(noise.rate(0.0), f64::INFINITY, "{noise:?}");
        assert_eq!(noise.alpha(last), 0.0, "{noise:?}");
        assert_eq!(noise.log_masked(last), 0.0, "{noise:?}");
        assert_eq!(noise.time(0.0), last, "{noise:?}");
        assert_eq!(noise.reveal_probability(last, 0.0), 1.0, "{noise:?}");
        for s in [1e-9, 0.3, 0.9] {
            // From the end, what is clean at s is what is revealed on the way there.
            let error = relative(noise.reveal_probability(last, s), noise.alpha(s));
            assert!(error < 1e-15, "{noise:?}: {error:e}");
        }
        let fine = |t: f64| t > 0.0 && t <= last;
        assert!(fine(noise.horizon()), "{noise:?}");
    }
    assert_eq!(Noise::Linear.rate(1.0), 1.0);
    assert!(relative(Noise::Cosine.rate(1.0), FRAC_PI_2) < 4e-16);
    assert_eq!(Noise::UnitRate.rate(f64::INFINITY), 0.0);
    assert!(Noise::UnitRate.alpha(Noise::UnitRate.horizon()) < 2e-7);
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
