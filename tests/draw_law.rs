//! The draws of a row have the law softmax(z/T): chi-square against f64 probabilities, with fixed
//! seeds. Each test fails for a correct sampler with probability below 1e-6.

mod rows;

use demask::draw::{law, oracle};
use demask::policy::NucleusEdge;
use demask::{Constraints, Draw, Level, Logits, LogitsData};
use rows::{
    assert_drawn_from, assert_exact, histogram, histogram_of_many, in_every_type, levels,
    normal_row, zipf_row,
};

fn counted(
    row: &[f32],
    temperature: f32,
    excluded: Option<u32>,
    draws: usize,
    seed: u64,
) -> Vec<u64> {
    let (draw, constraints) = (Draw::at(temperature), Constraints::excluding(excluded));
    histogram(LogitsData::F32(row), row.len(), &draw, &constraints, draws, seed)
}

fn check(name: &str, row: &[f32], temperature: f32, excluded: Option<u32>, draws: usize) {
    let law = oracle::probabilities(row, temperature.into(), excluded).expect("a good row");
    let counts = counted(row, temperature, excluded, draws, 0xD1CE);
    assert_drawn_from(&law, &counts, &format!("{name} at T {temperature}"));
}

#[test]
fn a_hundred_million_draws_at_33() {
    check("normal row", &normal_row(33, 2.0, 0.0, 1), 1.0, None, 100_000_000);
}

#[test]
fn a_hundred_million_draws_at_126464() {
    let row = normal_row(126_464, 1.5, -7.0, 2);
    let (draw, none) = (Draw::at(1.0), Constraints::NONE);
    let counts =
        histogram_of_many(LogitsData::F32(&row), row.len(), &draw, &none, 100_000_000, 0xD1CE);
    let law = oracle::probabilities(&row, 1.0, None).expect("a good row");
    assert_drawn_from(&law, &counts, "normal row");
}

#[test]
fn a_million_single_draws_at_50257() {
    check("normal row", &normal_row(50_257, 3.0, -7.0, 2), 1.0, None, 1_000_000);
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

/// Logits that lie farther apart than a float can hold.
#[test]
fn infinite_temperature_is_uniform_at_any_distance() {
    for vocab in [3, 40, 600, 20_000] {
        let mut row: Vec<f32> = (0..vocab).map(|i| [3e38, -1e38, 0.0, -3e38][i % 4]).collect();
        row[1] = f32::NEG_INFINITY;
        check("far apart", &row, f32::INFINITY, None, 200_000);
        let view = Logits::f32(&row, 1, vocab).expect("a view");
        for level in levels() {
            let draw = Draw { top_k: vocab as u32 - 1, ..Draw::at(f32::INFINITY) };
            let dropping = Draw { top_p: 0.6, nucleus_edge: NucleusEdge::Drop, ..draw };
            for draw in [Draw::at(f32::INFINITY), draw, Draw { top_p: 0.9, ..draw }, dropping] {
                let ours = law(level, &view, &draw, &Constraints::NONE).expect("a good row");
                let exact = oracle::filtered(&row, &draw, None).expect("a good row");
                assert_exact(&ours.probabilities, &exact, "far apart");
            }
        }
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
    for (vocab, draws) in [(5_000, 2_000_000), (60_000, 500_000)] {
        let mut row = vec![0.0; vocab];
        row[vocab / 3] = 12.0;
        check("one peak", &row, 1.0, None, draws);
        row[vocab / 2] = 11.0;
        row[vocab / 2 + 16] = 11.5; // in the same cell
        row[7] = 9.0;
        check("four peaks", &row, 1.0, None, draws);
    }
}

#[test]
fn the_tail_keeps_its_mass() {
    // 262,143 tokens that together weigh 3.3e-4: float32 noise would never draw them.
    let vocab = 262_144;
    let gap = 20.5;
    let mut row = vec![0.0; vocab];
    row[0] = gap;
    let draws = 1_000_000;
    let counts = counted(&row, 1.0, None, draws, 3);
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
            let counts = counted(&row, 0.0, None, 3, 1);
            assert_eq!(counts[first as usize], 3, "vocabulary {vocab}, {copies} copies");
            if vocab > 1 {
                let law = oracle::probabilities(&row, 0.0, Some(first as u32)).expect("good");
                let second = law.iter().position(|&p| p == 1.0).expect("it is there");
                assert_eq!(counted(&row, 0.0, Some(first as u32), 3, 1)[second], 3);
            }
        }
    }
}

/// The law that a row is drawn from at every level, compared with f64.
fn check_law(logits: &Logits<'_>, exact: &[f32], temperature: f32, what: &str) {
    let draw = Draw::at(temperature);
    let of = |level| law(level, logits, &draw, &Constraints::NONE).expect("a good row");
    let ours = of(Level::detect());
    let exact = oracle::probabilities(exact, temperature.into(), None).expect("a good row");
    assert_exact(&ours.probabilities, &exact, what);
    for level in levels().filter(|&level| level != Level::detect()) {
        // The baseline emulates fused multiply-add, slowly.
        if level != Level::Baseline || exact.len() <= 4_096 || temperature == 0.7 {
            assert!(of(level) == ours, "{what}: another law at {level}");
        }
    }
}

/// The exact probability of every token, quantisation included: see [`law`].
fn enumerate(vocabs: &[usize]) {
    for &vocab in vocabs {
        for offset in [0.0, 30_000.0, -30_000.0] {
            let value = offset as f32;
            let mut one_hot = vec![value; vocab];
            one_hot[vocab / 3] += 20.5;
            let mut only = vec![f32::NEG_INFINITY; vocab];
            only[vocab / 2] = value;
            let rows = [
                ("sigma 1", normal_row(vocab, 1.0, offset, 11)),
                ("sigma 3", normal_row(vocab, 3.0, offset, 12)),
                ("sigma 8", normal_row(vocab, 8.0, offset, 13)),
                ("Zipf", zipf_row(vocab, offset, 14)),
                ("constant", vec![value; vocab]),
                ("one hot", one_hot),
                ("only one", only),
            ];
            for (name, row) in &rows {
                for temperature in [0.1f32, 0.7, 1.0, 2.0, 10.0] {
                    let what = format!("{name}, V {vocab}, offset {offset}, T {temperature}");
                    in_every_type(row, 1, vocab, |logits, exact| {
                        check_law(logits, exact, temperature, &what);
                    });
                }
            }
        }
    }
}

#[test]
fn exact_laws_of_small_rows() {
    enumerate(&[2, 20, 33, 511, 512, 4_096]);
}

#[test]
fn exact_laws_of_large_rows() {
    enumerate(&[32_000, 50_257, 126_464]);
}

#[test]
fn exact_laws_of_the_largest_rows() {
    enumerate(&[262_144]);
}
