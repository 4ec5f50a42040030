//! The exact laws against closed forms, against plain enumeration, and against reference values
//! that another program (numpy, f64) worked out.

#[path = "mod.rs"]
mod exact_law;

use exact_law::reference::Printed;
use exact_law::*;

/// Total variation between a sampler's output and the target, and the mass still masked.
fn distance(
    target: &Target,
    laws: &CompositionLaws<'_, Target>,
    reveal: &[f64],
    leftover: Leftover,
) -> (f64, f64) {
    let weights = Weights::independent(target.space().len, reveal);
    (total_variation(&laws.output(&weights, leftover), &target.law()), weights.leftover())
}

#[test]
fn hash_has_its_reference_probabilities() {
    let expected = [0.002877018531442, 0.060326467495285, 0.051628910163129, 0.885167603810144];
    let law = Target::hash(2, 2).law();
    for (value, expected) in law.iter().zip(expected) {
        assert!((value - expected).abs() < 1e-15, "{value} is not {expected}");
    }
}

#[test]
fn conditionals_are_those_of_the_joint_law() {
    // x₁ uniform on 3 tokens, then 0.9 to stay: P(x₂ | x₁, x₃) by hand.
    let target = Target::markov(3, 3);
    let space = target.space();
    let mut prediction = [0.0; 3];
    target.predict(space.state([0, 3, 0]), 1, &mut prediction);
    let (stay, leave) = (0.9 * 0.9, 0.05 * 0.05);
    for (value, weight) in prediction.into_iter().zip([stay, leave, leave]) {
        assert!((value - weight / (stay + 2.0 * leave)).abs() < 1e-15, "{value}");
    }
    // Every conditional of every target is a distribution.
    for target in [Target::hash(4, 3), Target::parity(4, 3), Target::private_bits(3)] {
        let space = target.space();
        let mut prediction = vec![0.0; space.vocab];
        for state in 0..space.states() {
            for position in space.masked(state) {
                target.predict(state, position, &mut prediction);
                let sum: f64 = prediction.iter().sum();
                assert!((sum - 1.0).abs() < 1e-14, "state {state}, position {position}: {sum}");
            }
        }
    }
}

/// Moves the law of the state through one step, position by position: each masked one stays
/// masked or gets a token, given the state before the step.
fn plain_step(target: &Target, before: &[f64], p: f64) -> Vec<f64> {
    let space = target.space();
    let mut after = vec![0.0; before.len()];
    let mut prediction = vec![0.0; space.vocab];
    for (state, &probability) in before.iter().enumerate() {
        for (next, after) in after.iter_mut().enumerate() {
            let mut path = probability;
            for position in 0..space.len {
                let (from, to) = (space.digit(state, position), space.digit(next, position));
                path *= if from != space.vocab {
                    f64::from(u8::from(from == to))
                } else if to == space.vocab {
                    1.0 - p
                } else {
                    target.predict(state, position, &mut prediction);
                    p * prediction[to]
                };
                if path == 0.0 {
                    break;
                }
            }
            *after += path;
        }
    }
    after
}

#[test]
fn compositions_give_what_plain_stepping_gives() {
    for target in [Target::hash(3, 3), Target::markov(3, 2), Target::repeated(4, 2)] {
        let space = target.space();
        let reveal = [0.2, 0.0, 0.55, 0.7, 0.31];
        let mut states = vec![0.0; space.states()];
        states[space.all_masked()] = 1.0;
        for p in reveal {
            states = plain_step(&target, &states, p);
        }
        let mut plain = vec![0.0; space.sequences() + 1];
        for (state, probability) in states.iter().enumerate() {
            plain[space.sequence(state).unwrap_or(space.sequences())] += probability;
        }
        let laws = CompositionLaws::new(&target);
        let law = laws.output(&Weights::independent(space.len, &reveal), Leftover::Masked);
        let apart = total_variation(&law, &plain);
        assert!(apart < 1e-15, "{apart}");
    }
}

/// Also Liang et al.'s upper bound: TV is at most the probability that two positions are revealed
/// at once, plus that of a leftover.
#[test]
fn reference_distances_of_time_grids_are_met() {
    let mut rows = reference::distances();
    assert_eq!(rows.len(), 2 * 8 + 11 * 6 + 11 * 5 + 3 * 5);
    while let Some(&reference::Distance { subject, .. }) = rows.first() {
        let (family, len, vocab) = subject;
        let target = family.target(len, vocab);
        let laws = CompositionLaws::new(&target);
        for row in rows.extract_if(.., |row| row.subject == subject) {
            let name = format!(
                "{}, {family:?} {len} {vocab}, {:?}, N = {}",
                row.table,
                row.rule,
                row.times.len() - 1
            );
            let reveal = row.reveal();
            let (tv, left) = distance(&target, &laws, &reveal, row.leftover);
            assert!(row.tv.is(tv), "{name}: {tv} is not {}", row.tv.value);
            if let Some(printed) = row.left {
                assert!(printed.is(left), "{name}: {left} is left, not {}", printed.value);
            }
            if row.leftover == Leftover::Masked {
                let collision = Weights::independent(len, &reveal).collision();
                assert!(tv <= collision + left + 1e-15, "{name}: {tv} is above {collision}");
            }
        }
    }
}

/// Liang et al.'s rate: N·TV tends to a constant.
#[test]
fn distance_falls_as_one_over_the_number_of_steps() {
    let reveal = reveal_probabilities(Noise::Linear, Rule::Euler, &uniform_grid(1.0, 4096));
    for ((family, len, vocab), rate) in reference::RATES {
        let target = family.target(len, vocab);
        let laws = CompositionLaws::new(&target);
        let found = 4096.0 * distance(&target, &laws, &reveal, Leftover::Masked).0;
        assert!((found - rate).abs() < 0.5001e-4, "{family:?}: {found} is not {rate}");
    }
    let independent = Target::independent(4, 3);
    let laws = CompositionLaws::new(&independent);
    let (tv, _) = distance(&independent, &laws, &reveal, Leftover::Masked);
    assert!(tv < 1e-15, "a product law has no error: {tv}");
}

/// r = −α′/(1 − α), by a difference.
#[test]
fn rates_are_derivatives() {
    let all = [
        Noise::Linear,
        Noise::Cosine,
        Noise::UnitRate,
        Noise::CosineSquared,
        Noise::MaskgitCosine,
        Noise::Geometric(1e-3, 20.0),
        Noise::Power(0.5),
        Noise::Power(2.0),
        Noise::Logarithmic,
    ];
    for noise in all {
        for t in [0.1, 0.4, 0.9] {
            let slope = (noise.masked(t + 1e-5) - noise.masked(t - 1e-5)) / 2e-5;
            let (found, rate) = (slope / noise.masked(t), noise.rate(t));
            assert!((found / rate - 1.0).abs() < 1e-6, "{noise:?} at {t}: {found}, not {rate}");
        }
    }
}

#[test]
fn decaying_grids_end_where_they_should() {
    let grid = decaying_grid(8.0, 0.389208279647, 32);
    assert!((grid[32] - 1e-3).abs() < 1e-12, "the grid ends at {}", grid[32]);
    let found = decaying_grid_to(8.0, 1e-3, 32);
    assert!(grid.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-10), "{found:?}");
}

#[test]
fn one_by_one_in_random_order_has_no_error() {
    for target in [
        Target::hash(6, 2),
        Target::hash(4, 3),
        Target::markov(8, 2),
        Target::repeated(8, 2),
        Target::private_bits(4),
    ] {
        let len = target.space().len;
        let tv = total_variation(&law_of_sizes(&target, &vec![1; len]), &target.law());
        assert!(tv < 1e-14, "{tv}");
    }
}

/// Fixed sizes (first-hitting with several positions a call).
#[test]
fn parallel_sizes_have_their_reference_distances() {
    for ((family, len, vocab), printed, digits) in reference::PARALLEL {
        let target = family.target(len, vocab);
        let laws = CompositionLaws::new(&target);
        for ((size, printed), digits) in [2, 4, 8].into_iter().zip(printed).zip(digits) {
            let sizes = vec![size; len / size];
            let law = laws.output(&Weights::sizes(len, &sizes), Leftover::Masked);
            let tv = total_variation(&law, &target.law());
            let printed = Printed::digits(printed, digits);
            assert!(printed.is(tv), "{size} at once: {tv} is not {}", printed.value);
            assert!(total_variation(&law, &law_of_sizes(&target, &sizes)) < 1e-14, "two ways");
        }
    }
}

/// First-hitting with a wrong denoiser errs by at most the summed error of its predictions, and
/// on a point mass by almost as much (Liang et al.'s lower bound).
#[test]
fn first_hitting_errs_as_its_denoiser_does() {
    for ((family, len, vocab), printed, slope) in reference::PERTURBED {
        let target = family.target(len, vocab);
        for (error, printed) in reference::WRONG.into_iter().zip(printed) {
            let mistake = reference::mistake(family);
            let denoiser = Perturbed { target: &target, error, mistake };
            let law = law_of_sizes(&denoiser, &vec![1; len]);
            let tv = total_variation(&law, &target.law());
            let printed = Printed::digits(printed, 6);
            assert!(printed.is(tv), "error {error}: {tv} is not {}", printed.value);
            let bound = denoiser.summed_error();
            assert!((bound / error - slope).abs() < 5e-6 * slope, "error {error}: {bound}");
            assert!(tv <= bound, "{tv} is above {bound}");
        }
    }
}

/// Two-stage schemes: 1 − α = t from 1 to 0.25, HASH, d = 4, S = 2; the distance to the exact law of
/// the noisy sequence, masks included.
#[test]
fn trapezoids_have_their_reference_distances() {
    use stepping::{MultiJump, Trapezoid, all_masked, independent_step, noisy};
    let target = Target::hash(4, 2);
    let space = target.space();
    let exact = noisy(&target, 0.25);
    assert!((exact.iter().sum::<f64>() - 1.0).abs() < 1e-14);
    let rows = [
        (0.5, MultiJump::Reject, [1.918e-1, 8.457e-2, 3.781e-2, 1.765e-2]),
        (0.5, MultiJump::First, [5.455e-2, 2.081e-2, 8.593e-3, 3.996e-3]),
        (0.3, MultiJump::First, [7.742e-2, 3.059e-2, 1.228e-2, 5.511e-3]),
    ];
    for (theta, multi_jump, printed) in rows {
        for (steps, printed) in [2, 4, 8, 16].into_iter().zip(printed) {
            let width = 0.75 / steps as f64;
            let law = (0..steps).fold(all_masked(space), |law, step| {
                let t = 1.0 - width * step as f64;
                let (now, between) = (1.0 / t, 1.0 / (t - theta * width));
                Trapezoid { theta, multi_jump, width, now, between }.step(&target, &law)
            });
            let tv = total_variation(&law, &exact);
            assert!(
                Printed::digits(printed, 4).is(tv),
                "θ = {theta}, {multi_jump:?}, N = {steps}: {tv}"
            );
        }
    }
    // One call a step, by the same enumeration.
    let rows = [
        (Rule::Ancestral, [1.327e-1, 6.626e-2, 3.307e-2, 1.654e-2]),
        (Rule::TauReject, [4.369e-1, 2.561e-1, 1.349e-1, 6.814e-2]),
        (Rule::TauFirstJump, [2.709e-1, 1.492e-1, 7.763e-2, 3.950e-2]),
    ];
    for (rule, printed) in rows {
        for (steps, printed) in [2, 4, 8, 16].into_iter().zip(printed) {
            let times: Vec<f64> =
                (0..=steps).map(|step| 1.0 - 0.75 * step as f64 / steps as f64).collect();
            let reveal = reveal_probabilities(Noise::Linear, rule, &times);
            let law = reveal.iter().fold(all_masked(space), |law, p| {
                independent_step(space, &law, |state, position, tokens| {
                    target.predict(state, position, tokens);
                    tokens.iter_mut().for_each(|token| *token *= p);
                })
            });
            let tv = total_variation(&law, &exact);
            assert!(
                Printed::digits(printed, 4).is(tv),
                "{rule:?}, N = {steps}: {tv} is not {printed}"
            );
        }
    }
}

/// Extrapolation is between plain parallel first-hitting and the target.
#[test]
fn extrapolated_pairs_are_a_law() {
    for target in [Target::hash(4, 2), Target::markov(4, 4)] {
        let law = stepping::extrapolated_pairs(&target, 4_000);
        let finer = stepping::extrapolated_pairs(&target, 16_000);
        assert!((law.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(total_variation(&law, &finer) < 1e-6, "{}", total_variation(&law, &finer));
        // A product law has the same conditionals at all times: nothing to extrapolate.
        let independent = Target::independent(4, 3);
        let law = stepping::extrapolated_pairs(&independent, 1_000);
        let exact = stepping::noisy(&independent, 0.0);
        assert!(total_variation(&law, &exact) < 1e-12);
    }
}

#[test]
fn closed_forms_agree() {
    let linear =
        |steps| reveal_probabilities(Noise::Linear, Rule::Euler, &uniform_grid(1.0, steps));
    let mut leaving = linear(16);
    leaving.truncate(13);
    for reveal in [linear(3), linear(16), linear(200), leaving, vec![0.2, 0.0, 0.55, 1.0]] {
        let weights = Weights::independent(4, &reveal);
        let steps = reveal.len();

        let private = Target::private_bits(4);
        let law = CompositionLaws::new(&private).output(&weights, Leftover::Masked);
        let tv = total_variation(&law, &private.law());
        let closed = closed_form::private_bits(4, &reveal);
        assert!((tv - closed).abs() < 1e-12, "PRIV, N = {steps}: {tv} is not {closed}");

        if weights.leftover() == 0.0 {
            let collision = closed_form::collision(4, &reveal);
            assert!((weights.collision() - collision).abs() < 1e-12, "N = {steps}: {collision}");
            let repeated = Target::repeated(4, 3);
            let law = CompositionLaws::new(&repeated).output(&weights, Leftover::Masked);
            let tv = total_variation(&law, &repeated.law());
            let closed = closed_form::repeated(4, 3, &reveal);
            assert!((tv - closed).abs() < 1e-12, "REP, N = {steps}: {tv} is not {closed}");
        }
    }
}

/// The matching lower bound: on PRIV, the steps for an error ε grow as d²/(4ε).
#[test]
fn private_bits_need_steps_quadratic_in_the_length() {
    let linear =
        |steps| reveal_probabilities(Noise::Linear, Rule::Euler, &uniform_grid(1.0, steps));
    for (len, steps, private, collision, repeated) in reference::CLOSED_FORMS {
        let reveal = linear(steps);
        let found = closed_form::private_bits(len, &reveal);
        assert!(Printed::digits(private, 5).is(found), "PRIV, d = {len}: {found}");
        let limit = closed_form::private_bits_limit(len, &reveal);
        assert!(found < limit, "d = {len}: {found} is not below {limit}");
        let found = closed_form::collision(len, &reveal);
        assert!(Printed::digits(collision, 5).is(found), "collision, d = {len}: {found}");
        if let Some(repeated) = repeated {
            let found = closed_form::repeated(len, 2, &reveal);
            assert!(Printed::digits(repeated, 5).is(found), "REP, d = {len}: {found}");
            let limit = closed_form::repeated_limit(len, 2, &reveal);
            let expected = len as f64 / 4.0 / steps as f64;
            assert!((limit / expected - 1.0).abs() < 1e-3, "d = {len}: {limit}, not {expected}");
        }
    }
    let (start, end) = (8e4f64.ln(), 1e-4 / 8.0);
    let grids = [uniform_grid(start, 1024), decaying_grid_to(start, end, 1024)];
    for (times, printed) in grids.iter().zip(reference::PRIVATE_BITS_AT_UNIT_RATE) {
        let reveal = reveal_probabilities(Noise::UnitRate, Rule::Euler, times);
        let found = closed_form::private_bits(8, &reveal);
        assert!(Printed::digits(printed, 5).is(found), "unit rate: {found} is not {printed}");
    }
    for (len, printed) in reference::PRIVATE_BITS_STEPS {
        for (error, printed) in reference::ERRORS.into_iter().zip(printed) {
            // The reference is good to half a per cent.
            let (fewer, more) = (printed - printed / 200 - 1, printed + printed / 200);
            let distance = |steps| closed_form::private_bits(len, &linear(steps));
            assert!(distance(more) <= error, "d = {len}, {error}: more than {printed}");
            assert!(distance(fewer) > error, "d = {len}, {error}: fewer than {printed}");
        }
    }
}

#[test]
fn the_g_test_has_its_level_and_its_power() {
    // A die thrown 600 times; counts by hand, p-values from the chi-square law with 5 degrees.
    let fair = [1.0 / 6.0; 6];
    assert_eq!(g_test(&[100; 6], &fair), 1.0);
    let p = g_test(&[110, 90, 105, 95, 100, 100], &fair);
    // G = 2 Σ O ln(O/E) = 2.50355528, and P(χ²₅ > G) = 0.775959543871568 (mpmath).
    assert!((p - 0.775959543871568).abs() < 1e-12, "{p}");
    assert!(g_test(&[200, 80, 80, 80, 80, 80], &fair) < 1e-12);
    // Rare outcomes count together: three groups here, of 6, 6 and 1988 expected samples.
    let rare = [0.994, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001];
    assert_eq!(g_test(&[1988, 6, 0, 0, 0, 0, 6], &rare), 1.0);
    assert!(g_test(&[1888, 18, 16, 16, 16, 16, 18], &rare) < 1e-12);
    // Pearson's statistic of the same die is 2.5: P(χ²₅ > 2.5) = 0.776495071123323.
    let p = chi_square_test(&[110, 90, 105, 95, 100, 100], &fair);
    assert!((p - 0.776495071123323).abs() < 1e-12, "{p}");
    assert!(chi_square_test(&[200, 80, 80, 80, 80, 80], &fair) < 1e-12);
    // An impossible outcome is never a chance result.
    assert_eq!(g_test(&[999_999, 1], &[1.0, 0.0]), 0.0);
}
