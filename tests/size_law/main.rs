//! The laws of `size_law` are what they say: closed forms against brute force, conditionals against
//! probabilities, and printed numbers.

#[path = "mod.rs"]
mod size_law;

use size_law::reference::{SMALL_KL, SMALL_LISTS, laws_of_8, laws_of_512};
use size_law::{
    Blocks, Chain, Enumerated, FixedWeight, LatentClass, Law, Mds, Permutation, Polya, Relabelled,
    Ring, expected_kl,
};

use statrs::distribution::{ChiSquared, ContinuousCDF};

/// Uniform numbers in [0, 1): a Weyl sequence through SplitMix64's output function.
fn uniforms(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ x >> 31) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Laws with few enough sequences to add up.
fn small_laws() -> Vec<Box<dyn Law>> {
    let weights: Vec<f64> = (0..243).map(|code| f64::from(code * 7919 % 101 + 1)).collect();
    vec![
        Box::new(Mds::new(5, 2, 5)),
        Box::new(Mds::new(4, 3, 7)),
        Box::new(Mds::new(5, 5, 5)),
        Box::new(LatentClass::noisy_bit(7, 0.1)),
        Box::new(LatentClass::new(6, &[(0.2, 0.05), (0.5, 0.6), (0.3, 0.9)])),
        Box::new(Polya::new(7, 2, 1.0)),
        Box::new(Polya::new(5, 3, 0.5)),
        Box::new(Permutation::new(5)),
        Box::new(FixedWeight::new(8, 3)),
        Box::new(FixedWeight::new(7, 0)),
        Box::new(Blocks::new(8, 4, 3, 2)),
        Box::new(Blocks::new(6, 3, 1, 3)),
        Box::new(Blocks::new(8, 4, 2, 5)),
        Box::new(Blocks::new(4, 2, 1, 4)),
        Box::new(Chain::new(6, 3, 0.7)),
        Box::new(Chain::new(8, 2, 0.4)),
        Box::new(Ring::new(6, 3, 0.7)),
        Box::new(Ring::new(8, 2, 0.9)),
        Box::new(Ring::new(2, 3, 0.5)),
        Box::new(Relabelled::new(Box::new(Chain::new(5, 3, 0.7)), &mut uniforms(1))),
        Box::new(Enumerated::new(5, 3, &weights)),
    ]
}

/// Eight of ten places, relative to the first value.
fn assert_same(name: &str, values: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(values.len(), expected.len(), "{name}");
    for (m, (a, b)) in values.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * expected[0].max(1.0), "{name} at {m}: {a}, not {b}");
    }
}

#[test]
fn profiles_are_those_of_brute_force() {
    for law in small_laws() {
        let name = law.name();
        let brute = Enumerated::of(&*law);
        assert_same(&name, &law.profile(), &brute.profile(), 1e-12);
    }
}

#[test]
fn conditionals_are_those_of_brute_force() {
    let mut uniform = uniforms(2);
    for law in small_laws() {
        let brute = Enumerated::of(&*law);
        let (length, vocab) = (law.length(), law.vocab());
        for _ in 0..50 {
            let tokens = law.sample(&mut uniform);
            let shown = uniform();
            let context: Vec<Option<u32>> =
                tokens.iter().map(|&token| (uniform() < shown).then_some(token)).collect();
            let wanted: Vec<usize> = (0..length).filter(|&i| context[i].is_none()).collect();
            if wanted.is_empty() {
                continue;
            }
            let mut rows = vec![0.0; wanted.len() * vocab];
            let mut expected = rows.clone();
            law.conditionals(&context, &wanted, &mut rows);
            brute.conditionals(&context, &wanted, &mut expected);
            assert_same(&law.name(), &rows, &expected, 1e-12);
        }
    }
}

/// *False positives*: with random seeds a correct sampler would fail each of the 21 chi-square tests
/// with probability 1e-6.
#[test]
fn samples_have_the_probabilities() {
    let mut uniform = uniforms(3);
    for law in small_laws() {
        let brute = Enumerated::of(&*law);
        let draws = 40_000;
        let mut counts = vec![0.0; brute.probabilities().len()];
        for _ in 0..draws {
            let tokens = law.sample(&mut uniform);
            let digit = |code, &token: &u32| code * law.vocab() + token as usize;
            counts[tokens.iter().rev().fold(0, digit)] += 1.0;
        }
        // Rare sequences together, so that no cell expects fewer than 5.
        let (mut statistic, mut cells, mut rare) = (0.0, 0.0, (0.0, 0.0));
        for (count, p) in counts.iter().zip(brute.probabilities()) {
            let expected = p * f64::from(draws);
            if expected >= 5.0 {
                statistic += (count - expected).powi(2) / expected;
                cells += 1.0;
            } else {
                rare = (rare.0 + count, rare.1 + expected);
            }
        }
        if rare.1 >= 5.0 {
            statistic += (rare.0 - rare.1).powi(2) / rare.1;
            cells += 1.0;
        } else {
            assert!(rare.0 < 40.0, "{}: {} impossible samples", law.name(), rare.0);
        }
        // One cell has nothing to vary.
        let p = ChiSquared::new(cells - 1.0).map_or(1.0, |law| law.sf(statistic));
        assert!(p > 1e-6, "{}: {statistic} with {} degrees, p = {p:e}", law.name(), cells - 1.0);
    }
}

#[test]
fn the_expected_divergence_is_that_of_all_partitions() {
    // Sticky 3-state chain and a Pólya urn on 5 tokens; the mixture is much nearer.
    let chain = Enumerated::of(&Chain::new(5, 3, 0.7)).expected_kl(&[2, 3]);
    let polya = Enumerated::of(&Polya::new(5, 3, 0.5)).expected_kl(&[1, 2, 2]);
    for ((mean, mixture), expected) in
        [(chain, (0.551934, 0.238486)), (polya, (0.098562, 0.011814))]
    {
        assert!((mean - expected.0).abs() < 6e-7 && (mixture - expected.1).abs() < 6e-7);
    }
    for law in small_laws().into_iter().filter(|law| law.length() == 5) {
        let brute = Enumerated::of(&*law);
        for sizes in [&[5][..], &[4, 1], &[1, 4], &[2, 2, 1], &[1, 1, 1, 1, 1]] {
            let (mean, mixture) = brute.expected_kl(sizes);
            let formula = expected_kl(&law.profile(), sizes);
            assert!((mean - formula).abs() < 1e-9, "{} {sizes:?}: {mean}, {formula}", law.name());
            assert!(mixture <= mean + 1e-12, "{} {sizes:?}", law.name());
        }
    }
}

/// Total, dual total and effective total correlation of a profile.
fn correlations(profile: &[f64]) -> [f64; 3] {
    let length = profile.len() as f64;
    let sum = |weight: &dyn Fn(f64) -> f64| {
        (1..profile.len()).map(|m| weight(m as f64) * (profile[m - 1] - profile[m])).sum()
    };
    [sum(&|m| length - m), sum(&|m| m), sum(&|m| m * (length - m) / length)]
}

#[test]
fn printed_numbers_of_512_tokens() {
    for row in laws_of_512() {
        let profile = row.law.profile();
        let [tc, dtc, etc] = correlations(&profile);
        let entropy = profile.iter().sum();
        for (value, expected) in
            [profile[0], profile[511], tc, dtc, etc, entropy].into_iter().zip(row.known)
        {
            let name = row.law.name();
            assert!((value - expected).abs() < 1e-8, "{name}: {value}, not {expected}");
        }
    }
}

#[test]
fn printed_numbers_of_8_tokens() {
    let rows = laws_of_8();
    for row in &rows {
        let profile = row.law.profile();
        assert_same(&row.law.name(), &profile, &row.profile, 1e-11);
        assert_same(&row.law.name(), &correlations(&profile), &row.correlations, 2e-11);
    }
    for (law, values, _) in SMALL_KL {
        let profile = rows[law].law.profile();
        for (sizes, expected) in SMALL_LISTS.into_iter().zip(values) {
            let value = expected_kl(&profile, sizes);
            assert!((value - expected).abs() < 1e-11 * expected.max(1.0), "{value}, {expected}");
        }
    }
}
