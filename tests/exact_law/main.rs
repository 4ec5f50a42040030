//! The exact laws against closed forms, against plain enumeration, and against reference values
//! that another program (numpy, f64) worked out.

#[path = "mod.rs"]
mod exact_law;

use exact_law::target::binomial;
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

/// Whether `value` rounds to `printed`, a number of `digits` significant digits.
fn rounds_to(value: f64, printed: f64, digits: i32) -> bool {
    let unit = 10f64.powi(printed.log10().floor() as i32 + 1 - digits);
    (value - printed).abs() <= 0.5001 * unit
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

/// Twelve printed digits. "Forced finish" in the reference values is one more call that draws
/// everything that is left; a last step of probability 1 gives other numbers.
#[test]
fn reference_values_of_time_grids_are_met() {
    let unit_rate = uniform_grid(8.0, 32);
    let uniform = |rule| reveal_probabilities(Noise::UnitRate, rule, &unit_rate);
    let euler_16 = |noise| reveal_probabilities(noise, Rule::Euler, &uniform_grid(1.0, 16));
    let decaying = decaying_grid(8.0, 0.389208279647, 32);
    assert!((decaying[32] - 1e-3).abs() < 1e-12, "the grid ends at {}", decaying[32]);
    let decaying = reveal_probabilities(Noise::UnitRate, Rule::Euler, &decaying);

    // Probabilities of the steps; what becomes of leftovers; TV for HASH d = 4, S = 2 and for
    // MARKOV d = 4, S = 4.
    let rows = [
        (euler_16(Noise::Linear), Leftover::Masked, 0.025582715133, 0.072458703874),
        (uniform(Rule::Euler), Leftover::Masked, 0.154896272795, 0.170826678008),
        (uniform(Rule::Euler), Leftover::Sampled, 0.052591303442, 0.086040857985),
        (uniform(Rule::Ancestral), Leftover::Masked, 0.051130356030, 0.083044468246),
        (uniform(Rule::TauReject), Leftover::Masked, 0.648871239694, 0.652939059711),
        (uniform(Rule::TauFirstJump), Leftover::Masked, 0.437204336026, 0.446452700148),
        (decaying, Leftover::Masked, 0.044105464634, 0.102487154545),
        (euler_16(Noise::Cosine), Leftover::Masked, 0.032360858609, 0.104820002042),
    ];
    let (hash, markov) = (Target::hash(4, 2), Target::markov(4, 4));
    let (hash_laws, markov_laws) = (CompositionLaws::new(&hash), CompositionLaws::new(&markov));
    for (reveal, leftover, hash_tv, markov_tv) in rows {
        let (tv, _) = distance(&hash, &hash_laws, &reveal, leftover);
        assert!((tv - hash_tv).abs() < 1e-10, "HASH: {tv} is not {hash_tv}");
        let (tv, _) = distance(&markov, &markov_laws, &reveal, leftover);
        assert!((tv - markov_tv).abs() < 1e-10, "MARKOV: {tv} is not {markov_tv}");
    }
    let left = Weights::independent(4, &uniform(Rule::Euler)).leftover();
    assert!((left - 0.124440637797).abs() < 1e-10, "Euler leaves {left}");
    let left = Weights::independent(4, &uniform(Rule::TauReject)).leftover();
    assert!((left - 0.648726436325).abs() < 1e-10, "tau-leaping leaves {left}");
}

/// The linear schedule with N uniform steps, on which Euler and the ancestral sampler agree.
/// Also Liang et al.'s rate: N·TV tends to a constant, and TV is at most the probability that two
/// positions are revealed at once.
#[test]
fn distance_falls_as_one_over_the_number_of_steps() {
    const STEPS: [usize; 6] = [4, 16, 64, 256, 1024, 4096];
    type Row = (Target, [f64; 6], f64);
    #[rustfmt::skip]
    let rows: [Row; 11] = [
        (Target::hash(3, 2), [6.880e-2, 1.712e-2, 4.275e-3, 1.068e-3, 2.671e-4, 6.676e-5], 0.2735),
        (Target::hash(4, 2), [1.029e-1, 2.558e-2, 6.394e-3, 1.598e-3, 3.996e-4, 9.989e-5], 0.4091),
        (Target::hash(6, 2), [1.882e-1, 5.174e-2, 1.327e-2, 3.338e-3, 8.358e-4, 2.090e-4], 0.8562),
        (Target::hash(8, 2), [2.318e-1, 6.480e-2, 1.671e-2, 4.210e-3, 1.055e-3, 2.638e-4], 1.0806),
        (Target::hash(4, 4), [2.146e-1, 5.944e-2, 1.525e-2, 3.836e-3, 9.606e-4, 2.402e-4], 0.9841),
        (Target::markov(4, 2), [1.801e-1, 4.613e-2, 1.159e-2, 2.901e-3, 7.256e-4, 1.814e-4], 0.7430),
        (Target::markov(8, 2), [2.473e-1, 6.434e-2, 1.645e-2, 4.135e-3, 1.035e-3, 2.589e-4], 1.0603),
        (Target::markov(4, 4), [2.701e-1, 7.246e-2, 1.841e-2, 4.621e-3, 1.156e-3, 2.892e-4], 1.1845),
        (Target::repeated(4, 2), [2.480e-1, 6.247e-2, 1.562e-2, 3.906e-3, 9.766e-4, 2.441e-4], 1.0000),
        (Target::pairs(8, 2), [4.138e-1, 1.193e-1, 3.089e-2, 7.790e-3, 1.952e-3, 4.882e-4], 1.9996),
        (Target::parity(8, 2), [3.586e-1, 1.159e-1, 3.068e-2, 7.777e-3, 1.951e-3, 4.881e-4], 1.9994),
    ];
    for (row, (target, printed, rate)) in rows.iter().enumerate() {
        let laws = CompositionLaws::new(target);
        for (steps, printed) in STEPS.into_iter().zip(printed) {
            let reveal =
                reveal_probabilities(Noise::Linear, Rule::Euler, &uniform_grid(1.0, steps));
            let (tv, _) = distance(target, &laws, &reveal, Leftover::Masked);
            assert!(rounds_to(tv, *printed, 4), "row {row}, N = {steps}: {tv} is not {printed}");
            let collision = Weights::independent(target.space().len, &reveal).collision();
            assert!(tv <= collision, "row {row}, N = {steps}: {tv} is above {collision}");
            if steps == 4096 {
                let found = tv * steps as f64;
                assert!(rounds_to(found, *rate, 4 + i32::from(*rate >= 1.0)), "row {row}: {found}");
            }
        }
    }
    let independent = Target::independent(4, 3);
    let reveal = reveal_probabilities(Noise::Linear, Rule::Euler, &uniform_grid(1.0, 4));
    let (tv, _) =
        distance(&independent, &CompositionLaws::new(&independent), &reveal, Leftover::Masked);
    assert!(tv < 1e-15, "a product law has no error: {tv}");
}

/// The fraction with which `steps` shrinking steps from `start` end at `end`, by bisection.
fn decay_fraction(start: f64, end: f64, steps: usize) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        let reached = decaying_grid(start, middle, steps)[steps];
        if reached > end { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// α = e^−t from T = ln(10⁴·d): HASH, S = 2, leftovers counted as errors.
#[test]
#[expect(clippy::approx_constant, reason = "0.318 is a distance here, not 1/π")]
fn unit_rate_grids_have_their_reference_distances() {
    const STEPS: [usize; 5] = [16, 64, 256, 1024, 4096];
    // Length, whether the steps decay (to 10⁻⁴/d), rule, TV, digits printed for each.
    type Row = (usize, bool, Rule, [f64; 5], [i32; 5]);
    #[rustfmt::skip]
    let rows: [Row; 11] = [
        (4, false, Rule::Euler, [5.70e-1, 8.19e-2, 1.149e-2, 2.315e-3, 5.445e-4], [3, 3, 4, 4, 4]),
        (4, false, Rule::Ancestral, [1.308e-1, 3.398e-2, 8.526e-3, 2.133e-3, 5.332e-4], [4; 5]),
        (4, false, Rule::TauReject, [8.97e-1, 5.22e-1, 1.889e-1, 5.359e-2, 1.392e-2], [3, 3, 4, 4, 4]),
        (4, false, Rule::TauFirstJump, [7.82e-1, 3.16e-1, 9.06e-2, 2.346e-2, 5.918e-3], [3, 3, 3, 4, 4]),
        (4, true, Rule::Euler, [1.125e-1, 2.862e-2, 7.172e-3, 1.850e-3, 5.224e-4], [4; 5]),
        (4, true, Rule::Ancestral, [1.335e-1, 2.922e-2, 7.205e-3, 1.851e-3, 5.223e-4], [4; 5]),
        (4, true, Rule::TauReject, [3.18e-1, 2.592e-2, 7.003e-3, 1.850e-3, 5.256e-4], [3, 4, 4, 4, 4]),
        (8, false, Rule::Euler, [8.63e-1, 2.180e-1, 3.798e-2, 8.259e-3, 1.988e-3], [3, 4, 4, 4, 4]),
        (8, false, Rule::Ancestral, [3.736e-1, 1.180e-1, 3.093e-2, 7.820e-3, 1.960e-3], [4; 5]),
        (8, true, Rule::Euler, [2.734e-1, 7.823e-2, 2.025e-2, 5.151e-3, 1.340e-3], [4; 5]),
        (8, true, Rule::Ancestral, [2.812e-1, 8.019e-2, 2.038e-2, 5.159e-3, 1.341e-3], [4; 5]),
    ];
    for len in [4, 8] {
        let target = Target::hash(len, 2);
        let laws = CompositionLaws::new(&target);
        let (start, end) = ((1e4 * len as f64).ln(), 1e-4 / len as f64);
        for (_, decays, rule, printed, digits) in rows.iter().filter(|row| row.0 == len) {
            for ((steps, printed), digits) in STEPS.into_iter().zip(printed).zip(digits) {
                let times = match decays {
                    false => uniform_grid(start, steps),
                    true => decaying_grid(start, decay_fraction(start, end, steps), steps),
                };
                let reveal = reveal_probabilities(Noise::UnitRate, *rule, &times);
                let (tv, _) = distance(&target, &laws, &reveal, Leftover::Masked);
                let row = format!("d = {len}, {rule:?}, decays: {decays}, N = {steps}");
                assert!(rounds_to(tv, *printed, *digits), "{row}: {tv} is not {printed}");
            }
        }
    }
}

/// The cosine schedule, leftovers drawn by one more call: HASH, d = 8, S = 2.
#[test]
fn cosine_grids_have_their_reference_distances() {
    let rows = [
        (Rule::Ancestral, [7.109e-2, 1.855e-2, 4.686e-3, 1.175e-3, 2.938e-4]),
        (Rule::Euler, [7.295e-2, 1.866e-2, 4.693e-3, 1.175e-3, 2.939e-4]),
        (Rule::TauReject, [6.467e-2, 1.813e-2, 4.660e-3, 1.173e-3, 2.937e-4]),
    ];
    let target = Target::hash(8, 2);
    let laws = CompositionLaws::new(&target);
    for (rule, printed) in rows {
        for (steps, printed) in [16, 64, 256, 1024, 4096].into_iter().zip(printed) {
            let reveal = reveal_probabilities(Noise::Cosine, rule, &uniform_grid(1.0, steps));
            let (tv, _) = distance(&target, &laws, &reveal, Leftover::Sampled);
            assert!(rounds_to(tv, printed, 4), "{rule:?}, N = {steps}: {tv} is not {printed}");
        }
    }
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

/// Fixed sizes (first-hitting with several positions a call): d = 8, S = 2, by tokens per step.
#[test]
fn parallel_sizes_have_their_reference_distances() {
    let rows = [
        (Target::hash(8, 2), [1.4163e-1, 3.9221e-1, 5.9391e-1]),
        (Target::markov(8, 2), [1.8731e-1, 4.6406e-1, 7.8781e-1]),
        (Target::repeated(8, 2), [0.5, 0.875, 0.9922]),
    ];
    for (target, printed) in &rows {
        let laws = CompositionLaws::new(target);
        for (size, &printed) in [2, 4, 8].into_iter().zip(printed) {
            let sizes = vec![size; 8 / size];
            let law = laws.output(&Weights::sizes(8, &sizes), Leftover::Masked);
            let tv = total_variation(&law, &target.law());
            let digits = if printed == 0.9922 { 4 } else { 5 };
            assert!(rounds_to(tv, printed, digits), "{size} at once: {tv} is not {printed}");
            assert!(total_variation(&law, &law_of_sizes(target, &sizes)) < 1e-14, "two ways");
        }
    }
}

/// First-hitting with a wrong denoiser errs by at most the summed error of its predictions, and
/// on a point mass by almost as much (Liang et al.'s lower bound).
#[test]
fn first_hitting_errs_as_its_denoiser_does() {
    type Row = (Target, fn(usize) -> usize, [f64; 3], f64);
    let rows: [Row; 3] = [
        (Target::hash(6, 2), |i| (i + 1) % 2, [1.31978e-1, 1.42284e-2, 1.43540e-3], 3.13633),
        (Target::markov(8, 2), |i| (i + 1) % 2, [1.95622e-1, 2.07967e-2, 2.09276e-3], 4.0),
        (Target::point(10, 2), |_| 1, [6.51322e-1, 9.56179e-2, 9.95512e-3], 10.0),
    ];
    for (target, mistake, printed, slope) in &rows {
        for (error, &printed) in [1e-1, 1e-2, 1e-3].into_iter().zip(printed) {
            let denoiser = Perturbed { target, error, mistake: *mistake };
            let law = law_of_sizes(&denoiser, &vec![1; target.space().len]);
            let tv = total_variation(&law, &target.law());
            assert!(rounds_to(tv, printed, 6), "error {error}: {tv} is not {printed}");
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
            assert!(rounds_to(tv, printed, 4), "θ = {theta}, {multi_jump:?}, N = {steps}: {tv}");
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
            assert!(rounds_to(tv, printed, 4), "{rule:?}, N = {steps}: {tv} is not {printed}");
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
    for steps in [3, 16, 200] {
        let reveal = reveal_probabilities(Noise::Linear, Rule::Euler, &uniform_grid(1.0, steps));
        let weights = Weights::independent(4, &reveal);

        // PRIV is right if every two positions revealed at once agree on their bit.
        let private = Target::private_bits(4);
        let law = CompositionLaws::new(&private).output(&weights, Leftover::Masked);
        let tv = total_variation(&law, &private.law());
        assert!((tv - private_closed_form(&weights)).abs() < 1e-12, "PRIV, N = {steps}: {tv}");

        // REP is right if the first group agrees.
        let repeated = Target::repeated(4, 3);
        let law = CompositionLaws::new(&repeated).output(&weights, Leftover::Masked);
        let tv = total_variation(&law, &repeated.law());
        let closed = 1.0 - weights.expectation(|sizes| 3f64.powi(1 - sizes[0] as i32));
        assert!((tv - closed).abs() < 1e-12, "REP, N = {steps}: {tv} is not {closed}");
    }
}

fn private_closed_form(weights: &Weights) -> f64 {
    let pairs = |sizes: &[usize]| sizes.iter().map(|&size| binomial(size, 2)).sum::<f64>();
    1.0 - weights.expectation(|sizes| (-pairs(sizes)).exp2())
}

fn private_distance(len: usize, steps: usize) -> f64 {
    let reveal = reveal_probabilities(Noise::Linear, Rule::Euler, &uniform_grid(1.0, steps));
    private_closed_form(&Weights::independent(len, &reveal))
}

/// The matching lower bound: on PRIV, the steps for an error ε grow as d²/(4ε).
#[test]
fn private_bits_need_steps_quadratic_in_the_length() {
    for (len, tv, collision, repeated) in
        [(4, 7.3223e-4, 1.4642e-3, 2.4414e-4), (8, 3.4128e-3, 6.8168e-3, 4.8828e-4)]
    {
        let reveal = reveal_probabilities(Noise::Linear, Rule::Euler, &uniform_grid(1.0, 4096));
        let weights = Weights::independent(len, &reveal);
        assert!(rounds_to(private_closed_form(&weights), tv, 5), "d = {len}");
        assert!(rounds_to(weights.collision(), collision, 5), "d = {len}");
        let first = weights.expectation(|sizes| (1.0 - sizes[0] as f64).exp2());
        assert!(rounds_to(1.0 - first, repeated, 5), "d = {len}: {first}");
    }
    for (len, error, printed) in [
        (4, 0.1, 29),
        (4, 0.03, 99),
        (4, 0.01, 299),
        (8, 0.1, 134),
        (8, 0.03, 462),
        (8, 0.01, 1396),
    ] {
        // The reference is good to half a per cent.
        let slack = printed / 200;
        let fewest = (printed - slack..=printed + slack)
            .find(|&steps| private_distance(len, steps) <= error);
        assert!(fewest.is_some(), "d = {len}, {error}: more than {printed}");
        let before = printed - slack - 1;
        assert!(private_distance(len, before) > error, "d = {len}, {error}: fewer than {printed}");
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
    // An impossible outcome is never a chance result.
    assert_eq!(g_test(&[999_999, 1], &[1.0, 0.0]), 0.0);
}
