//! The draws of a row have the law softmax(z/T): chi-square against f64 probabilities, with fixed
//! seeds. Each test fails for a correct sampler with probability below 1e-6.

use demask::draw::{oracle, weights};
use demask::{Constraints, Draw, Key, Level, Logits, LogitsData, RowState, Sampler, bf16, f16};
use statrs::distribution::{ChiSquared, ContinuousCDF};

/// The chance that a chi-square as large as this one, or larger, is drawn under the law.
const FALSE_POSITIVES: f64 = 1e-6;

fn uniforms(mut state: u64) -> impl FnMut() -> f64 {
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn normal_row(vocab: usize, sigma: f64, offset: f64, seed: u64) -> Vec<f32> {
    let mut uniform = uniforms(seed);
    let mut normal = || {
        let radius = (-2.0 * (1.0 - uniform()).ln()).sqrt();
        radius * (core::f64::consts::TAU * uniform()).cos()
    };
    (0..vocab).map(|_| (offset + sigma * normal()) as f32).collect()
}

/// Counts `draws` draws from one row; keys differ in all fields.
fn histogram(
    row: &[f32],
    temperature: f32,
    excluded: Option<u32>,
    draws: usize,
    seed: u64,
) -> Vec<u64> {
    const BATCH: usize = 1 << 14;
    let mut sampler = Sampler::builder(BATCH, 1).threads(2).build().expect("a sampler");
    let index = vec![0; BATCH];
    let mut counts = vec![0; row.len()];
    for begin in (0..draws).step_by(BATCH) {
        let rows = BATCH.min(draws - begin);
        let data = LogitsData::F32(row);
        let logits =
            Logits::new(data, 1, row.len(), row.len(), Some(&index[..rows])).expect("a view");
        let key = |k: usize| Key {
            seed,
            stream: (k / 1024) as u64,
            step: (k / 32 % 32) as u32,
            position: (k % 32) as u32,
        };
        let keys: Vec<_> = (begin..begin + rows).map(key).collect();
        for drawn in sampler
            .draw(&logits, &Draw::at(temperature), &Constraints::excluding(excluded), &keys)
            .expect("a draw")
        {
            assert_eq!(drawn.state, RowState::Drawn, "a good row was refused");
            counts[drawn.token as usize] += 1;
        }
    }
    counts
}

/// The p-value of Pearson's chi-square; tokens expected fewer than 10 times are taken together.
fn chi_square(counts: &[u64], law: &[f64]) -> f64 {
    let draws = counts.iter().sum::<u64>() as f64;
    let (mut statistic, mut cells) = (0.0, 0);
    let mut add = |seen: f64, expected: f64| {
        if expected > 0.0 {
            statistic += (seen - expected).powi(2) / expected;
            cells += 1;
        }
    };
    let (mut rare_seen, mut rare_expected) = (0.0, 0.0);
    for (&seen, &p) in counts.iter().zip(law) {
        assert!(p > 0.0 || seen == 0, "a token of probability 0 was drawn");
        if p * draws < 10.0 {
            rare_seen += seen as f64;
            rare_expected += p * draws;
        } else {
            add(seen as f64, p * draws);
        }
    }
    if rare_expected >= 10.0 {
        add(rare_seen, rare_expected);
    }
    // With a single cell there is nothing left to be wrong.
    ChiSquared::new(f64::from(cells - 1)).map_or(1.0, |law| law.sf(statistic))
}

fn check(name: &str, row: &[f32], temperature: f32, excluded: Option<u32>, draws: usize) {
    let law = oracle::probabilities(row, temperature.into(), excluded).expect("a good row");
    let counts = histogram(row, temperature, excluded, draws, 0xD1CE);
    let p = chi_square(&counts, &law);
    println!("{name}: V = {}, T = {temperature}, {draws} draws, p = {p:.4}", row.len());
    assert!(p > FALSE_POSITIVES, "{name}: p = {p:e}");
}

#[test]
fn ten_million_draws_at_33() {
    check("normal row", &normal_row(33, 2.0, 0.0, 1), 1.0, None, 10_000_000);
}

#[test]
fn ten_million_draws_at_50257() {
    check("normal row", &normal_row(50_257, 3.0, -7.0, 2), 1.0, None, 10_000_000);
}

#[test]
fn every_cell_size_and_shape() {
    // Vocabularies on both sides of where the cell size doubles, and ragged ends.
    let vocabs = [2, 3, 16, 17, 64, 255, 1_023, 1_024, 1_025, 2_049, 4_096, 5_000, 20_001, 40_000];
    for (k, vocab) in vocabs.into_iter().enumerate() {
        let seed = k as u64;
        check("normal row", &normal_row(vocab, 1.0, 100.0, seed), 0.7, None, 200_000);
        check("peaked row", &normal_row(vocab, 8.0, 0.0, seed), 1.0, None, 200_000);
        check("flat row", &vec![3.25; vocab], 1.0, None, 200_000);
        check(
            "infinitely hot row",
            &normal_row(vocab, 9.0, 0.0, seed),
            f32::INFINITY,
            None,
            200_000,
        );
    }
}

#[test]
fn banned_and_excluded_tokens_have_probability_zero() {
    for vocab in [8, 1_500, 30_000] {
        let mut row = normal_row(vocab, 2.0, 0.0, 5);
        let largest = (0..vocab).max_by(|&a, &b| row[a].total_cmp(&row[b])).expect("a token");
        check("without the largest", &row, 1.0, Some(largest as u32), 300_000);
        check("excluded beyond the row", &row, 1.0, Some(vocab as u32), 100_000);
        // All but one in four banned, the first, the last and the largest token among them.
        for (token, logit) in row.iter_mut().enumerate() {
            if token % 4 != 1 || token == largest || token == vocab - 1 {
                *logit = f32::NEG_INFINITY;
            }
        }
        check("three quarters banned", &row, 1.0, None, 300_000);
        check("banned and excluded", &row, 1.0, Some(1), 300_000);
    }
}

#[test]
fn one_token_that_holds_nearly_everything() {
    // The other tokens share e^-12 each; a generator with 24 bits would starve them.
    for vocab in [5_000, 60_000] {
        let mut row = vec![0.0; vocab];
        row[vocab / 3] = 12.0;
        check("one peak", &row, 1.0, None, 2_000_000);
        row[vocab / 2] = 11.0;
        row[vocab / 2 + 16] = 11.5; // in the same cell
        row[7] = 9.0;
        check("four peaks", &row, 1.0, None, 2_000_000);
    }
}

#[test]
fn the_tail_keeps_its_mass() {
    // 262,143 tokens that together weigh 3.3e-4: float32 noise would never draw them.
    let vocab = 262_144;
    let gap = 20.5;
    let mut row = vec![0.0; vocab];
    row[0] = gap;
    let draws = 400_000;
    let counts = histogram(&row, 1.0, None, draws, 3);
    let law = oracle::probabilities(&row, 1.0, None).expect("a good row");
    let expected = (1.0 - law[0]) * draws as f64;
    let seen = (draws as u64 - counts[0]) as f64;
    println!("tail of mass {:.3e}: {seen} draws, {expected:.1} expected", 1.0 - law[0]);
    assert!((seen - expected).abs() < 5.0 * expected.sqrt(), "{seen} of {expected}");
}

#[test]
fn temperature_zero_takes_the_lowest_of_the_largest() {
    for vocab in [1, 5, 300, 4_099, 33_333] {
        let row = normal_row(vocab, 2.0, 0.0, 9);
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for copies in [1, 2, 5] {
            let mut row = row.clone();
            for copy in 0..copies {
                row[(copy * 7 + 3) % vocab] = max;
            }
            let first = row.iter().position(|&x| x == max).expect("it is there") as u64;
            let counts = histogram(&row, 0.0, None, 3, 1);
            assert_eq!(counts[first as usize], 3, "vocabulary {vocab}, {copies} copies");
            if vocab > 1 {
                let law = oracle::probabilities(&row, 0.0, Some(first as u32)).expect("good");
                let second = law.iter().position(|&p| p == 1.0).expect("it is there");
                assert_eq!(histogram(&row, 0.0, Some(first as u32), 3, 1)[second], 3);
            }
        }
    }
}

/// The law that the weights of a row imply at every level, compared with f64.
fn check_weights(logits: &Logits<'_>, exact: &[f32], temperature: f32) {
    let law = oracle::probabilities(exact, temperature.into(), None).expect("good");
    let draw = Draw::at(temperature);
    let mut implied = vec![0.0; exact.len()];
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        implied.fill(f32::NAN);
        weights(level, logits, &draw, &Constraints::NONE, &mut implied).expect("good");
        let sum: f64 = implied.iter().map(|&w| f64::from(w)).sum();
        let mut distance = 0.0;
        for (&w, &p) in implied.iter().zip(&law) {
            let ours = f64::from(w) / sum;
            distance += (ours - p).abs() / 2.0;
            assert!(p < 0.5f64.powi(80) || (ours / p - 1.0).abs() < 2e-6, "{ours:e} for {p:e}");
        }
        assert!(distance < 1e-6, "total variation {distance:e}");
    }
}

#[test]
fn the_weights_imply_the_law() {
    // Every token's probability as the kernel's own arithmetic implies it.
    for vocab in [33, 50_257, 262_144] {
        for (sigma, offset) in [(3.0, 0.0), (8.0, 30_000.0), (1.0, -30_000.0)] {
            let row = normal_row(vocab, sigma, offset, 11);
            let half: Vec<f16> = row.iter().map(|&x| f16::from_f32(x)).collect();
            let brain: Vec<bf16> = row.iter().map(|&x| bf16::from_f32(x)).collect();
            let half_exact: Vec<f32> = half.iter().map(|x| x.to_f32()).collect();
            let brain_exact: Vec<f32> = brain.iter().map(|x| x.to_f32()).collect();
            for temperature in [0.1f32, 0.7, 1.0, 2.0, 10.0] {
                check_weights(&Logits::f32(&row, 1, vocab).expect("a view"), &row, temperature);
                let half = Logits::f16(&half, 1, vocab).expect("a view");
                check_weights(&half, &half_exact, temperature);
                let brain = Logits::bf16(&brain, 1, vocab).expect("a view");
                check_weights(&brain, &brain_exact, temperature);
            }
        }
    }
}
