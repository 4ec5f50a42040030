//! Rows of logits to draw from, in every type, and whether what was drawn from them fits a law.

#![allow(dead_code, reason = "each user of this module needs another part of it")]

use demask::{Constraints, Draw, Key, Level, Logits, LogitsData, RowState, Sampler, bf16, f16};
use statrs::distribution::{ChiSquared, ContinuousCDF};

/// The chance that a test which compares draws with a law fails for a correct sampler.
pub(crate) const FALSE_POSITIVES: f64 = 1e-6;

/// Threads for many draws.
const THREADS: usize = if cfg!(feature = "threads") { 2 } else { 1 };

/// The levels of this CPU, the lowest first.
pub(crate) fn levels() -> impl Iterator<Item = Level> {
    Level::ALL.into_iter().filter(|level| level.is_available())
}

/// A sparse bias of each row, its entries in any order and some of them bans: the offsets and the
/// entries. Some rows have none.
pub(crate) fn row_biases(rows: usize, vocab: usize, seed: u64) -> (Vec<u32>, Vec<(u32, f32)>) {
    let mut next = words(seed);
    let (mut offsets, mut entries) = (vec![0], Vec::new());
    for _ in 0..rows {
        for _ in 0..next() % 6 {
            let by = [-1.5, 0.25, 3.0, f32::NEG_INFINITY][next() as usize % 4];
            entries.push(((next() % vocab as u64) as u32, by));
        }
        offsets.push(entries.len() as u32);
    }
    (offsets, entries)
}

/// Adds them to the rows.
pub(crate) fn add_row_biases(data: &mut [f32], vocab: usize, biases: &(Vec<u32>, Vec<(u32, f32)>)) {
    for (row, ends) in data.chunks_mut(vocab).zip(biases.0.windows(2)) {
        for &(token, by) in &biases.1[ends[0] as usize..ends[1] as usize] {
            row[token as usize] += by;
        }
    }
}

/// Random words (SplitMix64).
pub(crate) fn words(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }
}

/// Uniform numbers below 1.
pub(crate) fn uniforms(seed: u64) -> impl FnMut() -> f64 {
    let mut next = words(seed);
    move || (next() >> 11) as f64 / (1u64 << 53) as f64
}

/// Normal logits.
pub(crate) fn normal_row(vocab: usize, sigma: f64, offset: f64, seed: u64) -> Vec<f32> {
    let mut uniform = uniforms(seed);
    let mut normal = || {
        let radius = (-2.0 * (1.0 - uniform()).ln()).sqrt();
        radius * (core::f64::consts::TAU * uniform()).cos()
    };
    (0..vocab).map(|_| (offset + sigma * normal()) as f32).collect()
}

/// Logits in steps of `step`: sums of three uniforms, spread to standard deviation `sigma`.
pub(crate) fn stepped_row(vocab: usize, sigma: f64, step: f64, seed: u64) -> Vec<f32> {
    let mut uniform = uniforms(seed);
    let mut bell = || 2.0 * (uniform() + uniform() + uniform() - 1.5);
    (0..vocab).map(|_| ((sigma * bell() / step).round() * step) as f32).collect()
}

/// Logits of Zipf's law, the likeliest tokens anywhere.
pub(crate) fn zipf_row(vocab: usize, offset: f64, seed: u64) -> Vec<f32> {
    let mut next = words(seed);
    let mut row: Vec<f32> = (1..=vocab).map(|rank| (offset - (rank as f64).ln()) as f32).collect();
    for i in (1..vocab).rev() {
        row.swap(i, next() as usize % (i + 1));
    }
    row
}

/// Calls `test` with the same logits in every type, and with the exact values of each.
pub(crate) fn in_every_type(
    data: &[f32],
    rows: usize,
    vocab: usize,
    mut test: impl FnMut(&Logits<'_>, &[f32]),
) {
    test(&Logits::f32(data, rows, vocab).expect("a view"), data);
    let half: Vec<f16> = data.iter().map(|&x| f16::from_f32(x)).collect();
    let exact: Vec<f32> = half.iter().map(|x| x.to_f32()).collect();
    test(&Logits::f16(&half, rows, vocab).expect("a view"), &exact);
    let brain: Vec<bf16> = data.iter().map(|&x| bf16::from_f32(x)).collect();
    let exact: Vec<f32> = brain.iter().map(|x| x.to_f32()).collect();
    test(&Logits::bf16(&brain, rows, vocab).expect("a view"), &exact);
}

/// Keys that differ in the stream.
pub(crate) fn keys(rows: usize, seed: u64) -> Vec<Key> {
    (0..rows as u64).map(|stream| Key { seed, stream, ..Key::default() }).collect()
}

/// Counts `draws` draws from one row; keys differ in all fields.
pub(crate) fn histogram(
    row: LogitsData<'_>,
    vocab: usize,
    draw: &Draw,
    constraints: &Constraints<'_>,
    draws: usize,
    seed: u64,
) -> Vec<u64> {
    // Enough for the pool at 32 tokens.
    let batch = draws.min(1 << 15);
    let mut sampler = Sampler::builder(batch, 1).threads(THREADS).vocab(vocab).build().expect("ok");
    let (index, mut counts) = (vec![0; batch], vec![0; vocab]);
    for begin in (0..draws).step_by(batch) {
        let rows = batch.min(draws - begin);
        let logits = Logits::new(row, 1, vocab, vocab, Some(&index[..rows])).expect("a view");
        let key = |k: usize| Key {
            seed,
            stream: (k / 1024) as u64,
            step: (k / 32 % 32) as u32,
            position: (k % 32) as u32,
        };
        let keys: Vec<_> = (begin..begin + rows).map(key).collect();
        for drawn in sampler.draw(&logits, draw, constraints, &keys).expect("a draw") {
            assert_eq!(drawn.state, RowState::Drawn, "a good row was refused");
            counts[drawn.token as usize] += 1;
        }
    }
    counts
}

/// Counts `draws` draws from one row (in whole batches of a million), many with each key.
pub(crate) fn histogram_of_many(
    row: LogitsData<'_>,
    vocab: usize,
    draw: &Draw,
    constraints: &Constraints<'_>,
    draws: usize,
    seed: u64,
) -> Vec<u64> {
    const ROWS: usize = 64;
    const MANY: usize = 1 << 14;
    let build = Sampler::builder(ROWS * MANY, 1).threads(THREADS).vocab(vocab).build();
    let (mut sampler, mut counts) = (build.expect("a sampler"), vec![0; vocab]);
    let logits = Logits::new(row, 1, vocab, vocab, Some(&[0; ROWS])).expect("a view");
    for step in 0..draws.div_ceil(ROWS * MANY) as u32 {
        let keys = core::array::from_fn::<_, ROWS, _>(|k| Key {
            seed,
            stream: k as u64,
            step,
            ..Key::default()
        });
        let drawn = sampler.draw_many(&logits, draw, constraints, &keys, MANY).expect("a draw");
        for drawn in drawn {
            assert_eq!(drawn.state, RowState::Drawn, "a good row was refused");
            counts[drawn.token as usize] += 1;
        }
    }
    counts
}

/// The p-value of Pearson's chi-square; tokens expected fewer than 10 times are taken together.
/// Panics if a token of probability 0 was drawn.
pub(crate) fn chi_square(counts: &[u64], law: &[f64]) -> f64 {
    assert_eq!(counts.len(), law.len(), "one probability a token");
    let draws = counts.iter().sum::<u64>() as f64;
    let (mut statistic, mut cells) = (0.0, 0);
    let mut add = |seen: f64, expected: f64| {
        if expected > 0.0 {
            statistic += (seen - expected).powi(2) / expected;
            cells += 1;
        }
    };
    let (mut rare_seen, mut rare_expected) = (0.0, 0.0);
    for (token, (&seen, &p)) in counts.iter().zip(law).enumerate() {
        assert!(p > 0.0 || seen == 0, "token {token} of probability 0 was drawn");
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
    ChiSquared::new(f64::from(cells) - 1.0).map_or(1.0, |law| law.sf(statistic))
}

/// Fails, with probability [`FALSE_POSITIVES`] if the counts have the law.
#[track_caller]
pub(crate) fn assert_drawn_from(law: &[f64], counts: &[u64], what: &str) {
    let p = chi_square(counts, law);
    println!("{what}: V = {}, {} draws, p = {p:.4}", law.len(), counts.iter().sum::<u64>());
    assert!(p > FALSE_POSITIVES, "{what}: p = {p:e}");
}

/// Compares a law with the exact one: relative errors, where the exact probability is at least
/// 2^-80, and the total variation.
#[track_caller]
pub(crate) fn assert_exact(ours: &[f64], exact: &[f64], what: &str) {
    assert_eq!(ours.len(), exact.len(), "one probability a token");
    let mut distance = 0.0;
    for (token, (&ours, &p)) in ours.iter().zip(exact).enumerate() {
        assert!(p > 0.0 || ours == 0.0, "{what}: token {token} is not left, and has {ours:e}");
        let close = p < 0.5f64.powi(80) || (ours / p - 1.0).abs() < 2e-6;
        assert!(close, "{what}: token {token} has {ours:e} for {p:e}");
        distance += (ours - p).abs() / 2.0;
    }
    assert!(distance < 1e-6, "{what}: total variation {distance:e}");
}
