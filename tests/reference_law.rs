//! The law of a draw against one in a hundred digits: the probability of each token as the kernel's
//! own arithmetic implies it, and the oracle in f64 that other tests compare with.

mod rows;

use dashu_float::{FBig, round::mode::HalfEven};
use demask::draw::{law, oracle};
use demask::{Constraints, Draw, Level, Logits};
use rows::{assert_exact, in_every_type, levels, normal_row, zipf_row};
use std::collections::HashMap;

/// Bits of a number of a hundred decimal digits.
const BITS: usize = 333;

type Big = FBig<HalfEven, 2>;

fn big(x: f32) -> Big {
    Big::try_from(x).expect("a finite number").with_precision(BITS).value()
}

/// softmax(z/T), rounded to f64 at the end.
fn hundred_digits(row: &[f32], temperature: f32) -> Vec<f64> {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // A row in half precision has few logits that differ.
    let mut known: HashMap<u32, Big> = HashMap::new();
    let mut weight = |logit: f32| -> Big {
        if logit == f32::NEG_INFINITY {
            return Big::ZERO;
        }
        let of = || ((big(logit) - big(max)) / big(temperature)).exp();
        known.entry(logit.to_bits()).or_insert_with(of).clone()
    };
    let weights: Vec<Big> = row.iter().map(|&logit| weight(logit)).collect();
    let sum = weights.iter().fold(Big::ZERO.with_precision(BITS).value(), |sum, w| sum + w);
    weights.iter().map(|w| (w / &sum).to_f64().value()).collect()
}

/// How far the oracle is from the reference at most, as a share of the probability.
fn check(logits: &Logits<'_>, exact: &[f32], temperature: f32, what: &str) -> f64 {
    let reference = hundred_digits(exact, temperature);
    let draw = Draw::at(temperature);
    for level in levels() {
        // The baseline emulates fused multiply-adds.
        if level == Level::Baseline && exact.len() > 4_096 && level != Level::detect() {
            continue;
        }
        let ours = law(level, logits, &draw, &Constraints::NONE).expect("a good row");
        assert_exact(&ours.probabilities, &reference, &format!("{what}, {level}"));
    }
    let oracle = oracle::probabilities(exact, temperature.into(), None).expect("a good row");
    // The sum of the weights is rounded once a token.
    let allowed = 1e-12 + exact.len() as f64 * 0.5f64.powi(53);
    let mut farthest: f64 = 0.0;
    for (token, (&f64s, &right)) in oracle.iter().zip(&reference).enumerate() {
        if right < 1e-300 {
            assert!(
                f64s < 2e-300 && (right > 0.0 || f64s == 0.0),
                "{what}: token {token}, {f64s:e}"
            );
            continue;
        }
        let error = (f64s / right - 1.0).abs();
        assert!(error < allowed, "{what}: token {token}: the oracle has {f64s:e} for {right:e}");
        farthest = farthest.max(error);
    }
    farthest
}

fn rows_of(vocab: usize, offset: f32) -> [(&'static str, Vec<f32>); 7] {
    let mut one_hot = vec![offset; vocab];
    one_hot[vocab / 3] += 20.5;
    let mut only = vec![f32::NEG_INFINITY; vocab];
    only[vocab / 2] = offset;
    [
        ("sigma 1", normal_row(vocab, 1.0, offset.into(), 21)),
        ("sigma 3", normal_row(vocab, 3.0, offset.into(), 22)),
        ("sigma 8", normal_row(vocab, 8.0, offset.into(), 23)),
        ("Zipf", zipf_row(vocab, offset.into(), 24)),
        ("constant", vec![offset; vocab]),
        ("one hot", one_hot),
        ("only one", only),
    ]
}

fn grid(rows: &[(&str, Vec<f32>)], temperatures: &[f32]) {
    let mut farthest = 0.0f64;
    for (name, row) in rows {
        for &temperature in temperatures {
            let vocab = row.len();
            let what = format!("{name}, V {vocab}, T {temperature}, first logit {}", row[0]);
            in_every_type(row, 1, vocab, |logits, exact| {
                farthest = farthest.max(check(logits, exact, temperature, &what));
            });
        }
    }
    println!("the oracle in f64 is right to {farthest:.1e}");
}

#[test]
fn the_reference_knows_e() {
    // Of two logits that differ by 1: 1/(1 + e), from another implementation.
    let p = Big::ONE.with_precision(BITS).value() / (Big::ONE + big(1.0).exp());
    let digits = p.with_base_and_precision::<10>(100).value().to_string();
    let right = "0.2689414213699951207488407581781637256348553598349434807236340920809595469297953606125254679240187";
    assert!(digits.starts_with(right), "{digits}");
}

#[test]
fn small_rows() {
    for vocab in [2, 20, 33, 511, 512] {
        for offset in [0.0, 30_000.0, -30_000.0] {
            grid(&rows_of(vocab, offset), &[0.1, 0.7, 1.0, 2.0, 10.0]);
        }
    }
}

#[test]
fn rows_of_4096() {
    grid(&rows_of(4_096, 0.0), &[0.1, 0.7, 10.0]);
    grid(&rows_of(4_096, -30_000.0), &[0.7]);
}

#[test]
fn the_largest_rows() {
    let [_, normal, _, _, constant, one_hot, only] = rows_of(262_144, -7.0);
    grid(&[normal, constant, one_hot, only], &[0.7]);
}
