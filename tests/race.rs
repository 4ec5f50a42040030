//! The keyed exponential race: its winners against an oracle that scores every token, its law, and
//! that a row may be cut anywhere.
//!
//! *False positives.* Seeds are fixed. With random keys, each test of a law would fail a correct
//! implementation with probability below 1e-6. The others compare with what must be equal.

mod rows;

use demask::draw::{law, oracle};
use demask::policy::{DrawMethod, FilterOrder, NucleusEdge};
use demask::{
    AllowedTokens, Constraints, Draw, Drawn, Error, Key, Level, Logits, LogitsData, RaceResult,
    RaceState, RowBias, RowState, Sampler, bf16, f16,
};
use rows::{FALSE_POSITIVES, chi_square, row_biases, words};
use statrs::distribution::{DiscreteCDF, Poisson};

/// Sums of three uniforms, spread to standard deviation `sigma`, in steps of `step`.
fn row(vocab: usize, sigma: f64, step: f64, offset: f64, seed: u64) -> Vec<f32> {
    let mut next = words(seed);
    let mut uniform = || (next() >> 11) as f64 / (1u64 << 53) as f64;
    let mut bell = || 2.0 * (uniform() + uniform() + uniform() - 1.5);
    (0..vocab).map(|_| (offset + (sigma * bell() / step).round() * step) as f32).collect()
}

fn race(temperature: f32) -> Draw {
    Draw { method: DrawMethod::ExponentialRace, ..Draw::at(temperature) }
}

fn key(k: usize) -> Key {
    Key { seed: 77, stream: k as u64 / 5, step: k as u32 % 5, position: k as u32 }
}

fn keys(count: usize) -> Vec<Key> {
    (0..count).map(key).collect()
}

/// What is drawn from one row with many keys.
fn draws(
    level: Level,
    row: &[f32],
    draw: &Draw,
    constraints: &Constraints<'_>,
    keys: &[Key],
) -> Vec<Drawn> {
    const BATCH: usize = 1 << 14;
    let mut sampler = Sampler::builder(BATCH.min(keys.len()), 1)
        .level(level)
        .threads(2)
        .vocab(row.len())
        .build()
        .expect("a sampler");
    let index = vec![0; BATCH];
    let mut all = Vec::new();
    for keys in keys.chunks(BATCH) {
        let data = LogitsData::F32(row);
        let index = Some(&index[..keys.len()]);
        let logits = Logits::new(data, 1, row.len(), row.len(), index).expect("a view");
        all.extend(sampler.draw(&logits, draw, constraints, keys).expect("a draw"));
    }
    all
}

/// The tokens that constraints and filters leave, as the kernels find them; for rows that hold none
/// so far below the largest that its weight is 0.
fn kept(row: &[f32], draw: &Draw, excluded: Option<u32>) -> Vec<bool> {
    let logits = Logits::f32(row, 1, row.len()).expect("a view");
    let constraints = Constraints::excluding(excluded);
    let law = law(Level::detect(), &logits, draw, &constraints).expect("a good row");
    law.probabilities.iter().map(|&p| p > 0.0).collect()
}

#[test]
fn winners_are_frozen() {
    let vocab = 10_000;
    let flat = vec![1.0; vocab];
    let key = Key { seed: 42, stream: 7, step: 3, position: 1_000 };
    let mut sampler = Sampler::builder(6, 1).build().expect("a sampler");
    let logits = Logits::f32(&flat, 1, vocab).expect("a view");
    let drawn = sampler.draw_many(&logits, &race(1.0), &Constraints::NONE, &[key], 6);
    let tokens: Vec<i32> = drawn.expect("a draw").iter().map(|drawn| drawn.token).collect();
    assert_eq!(tokens, [7_934, 7_460, 5_680, 6_174, 1_322, 305]);
    let one = sampler.race_shard(&logits, 5_000, &race(1e-9), &Constraints::NONE, &[key]);
    let one = one.expect("a race")[0];
    assert_eq!(
        (one.score.to_bits(), one.score_rest.to_bits(), one.token),
        (0x41d5_7f71_ed89_6548, 0x3e78_7c00_2000_0000, 11_607)
    );
}

#[test]
fn the_screen_never_hides_the_winner() {
    // Every level of temperature and offset, rows with many ties and without.
    let temperatures =
        [1e-30, 1e-20, 1e-3, 0.1, 0.7, 1.0, 2.0, 30.0, 1e4, 1e20, f32::MAX, f32::INFINITY];
    let mut compared = 0;
    for (seed, vocab) in [1, 2, 20, 255, 257, 4_095, 4_097, 20_011].into_iter().enumerate() {
        let count = if vocab < 1_000 { 60 } else { 4 };
        for (sigma, step, offset) in [
            (1.0, 1e-9, 0.0),
            (3.0, 0.25, 0.0),
            (8.0, 1e-9, 0.0),
            (2.0, 1e-9, 3e4),
            (2.0, 1e-9, -3e4),
            (4.0, 1e-9, 1e7),
            (4.0, 1e-9, -1e7),
            (1e20, 1e9, 0.0),
            (1e-25, 1e-30, 0.0),
        ] {
            let row = row(vocab, sigma, step, offset, seed as u64);
            for temperature in temperatures {
                let keys = keys(count);
                let none = Constraints::NONE;
                let ours = draws(Level::detect(), &row, &race(temperature), &none, &keys);
                for (key, ours) in keys.iter().zip(ours) {
                    let noise = oracle::race_noise(vocab, *key, 0);
                    let winner = oracle::race(&row, temperature.into(), &noise, |_| true);
                    let what = format!("V {vocab}, sigma {sigma}, at {offset}, T {temperature}");
                    assert_eq!(Some(ours.token as usize), winner, "{what}, {key:?}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 20_000, "{compared} winners");
}

#[test]
fn order_of_tokens_does_not_matter_to_the_screen() {
    // Ascending logits beat the best so far again and again, descending ones hardly ever.
    let vocab = 9_001;
    for slope in [1e-4, 1e-2, 1.0, -1e-4, -1e-2, -1.0] {
        let row: Vec<f32> = (0..vocab).map(|i| slope * i as f32).collect();
        for (key, ours) in keys(40).iter().zip(draws(
            Level::detect(),
            &row,
            &race(1.0),
            &Constraints::NONE,
            &keys(40),
        )) {
            let noise = oracle::race_noise(vocab, *key, 0);
            let winner = oracle::race(&row, 1.0, &noise, |_| true);
            assert_eq!(Some(ours.token as usize), winner, "slope {slope}");
        }
    }
}

fn every_filter() -> Vec<Draw> {
    let mut all = Vec::new();
    for temperature in [0.5, 1.0, 3.0, f32::INFINITY] {
        for (top_k, top_p, min_p) in [
            (1, 1.0, 0.0),
            (7, 1.0, 0.0),
            (50, 0.8, 0.0),
            (0, 0.9, 0.0),
            (0, 0.3, 0.0),
            (0, 0.05, 0.0),
            (0, 1e-8, 0.0),
            (0, 1.0, 0.05),
            (0, 1.0, 1.0),
            (0, 0.7, 0.2),
            (30, 0.9, 0.02),
        ] {
            for filter_order in [FilterOrder::AfterTemperature, FilterOrder::BeforeTemperature] {
                for nucleus_edge in [NucleusEdge::Keep, NucleusEdge::Drop] {
                    let plain = Draw { top_k, top_p, min_p, ..race(temperature) };
                    all.push(Draw { filter_order, nucleus_edge, ..plain });
                }
            }
        }
    }
    all
}

#[test]
fn filters_restrict_the_race_and_leave_its_noise() {
    let (mut compared, mut changed) = (0, 0);
    for (seed, vocab) in [1, 2, 17, 64, 300, 1_500, 5_000].into_iter().enumerate() {
        for step in [1e-9, 0.37] {
            let row = row(vocab, 2.0, step, 0.0, seed as u64 + 9);
            for excluded in [None, Some(vocab as u32 / 3)] {
                if vocab == 1 && excluded.is_some() {
                    continue;
                }
                let constraints = Constraints::excluding(excluded);
                let count = if vocab < 1_000 { 12 } else { 2 };
                let keys = keys(count);
                let noise: Vec<_> =
                    keys.iter().map(|&key| oracle::race_noise(vocab, key, 0)).collect();
                for draw in every_filter() {
                    let kept = kept(&row, &draw, excluded);
                    let ours = draws(Level::detect(), &row, &draw, &constraints, &keys);
                    let plain =
                        draws(Level::detect(), &row, &race(draw.temperature), &constraints, &keys);
                    for ((ours, plain), noise) in ours.iter().zip(plain).zip(&noise) {
                        let t = draw.temperature.into();
                        let winner = oracle::race(&row, t, noise, |i| kept[i]);
                        let what = format!("V {vocab}, without {excluded:?}, {draw:?}");
                        assert_eq!(Some(ours.token as usize), winner, "{what}");
                        compared += 1;
                        changed += u32::from(plain.token != ours.token);
                        if kept[plain.token as usize] {
                            assert_eq!(ours.token, plain.token, "{what}: a winner stays one");
                        }
                    }
                }
            }
        }
    }
    assert!(compared > 5_000 && changed > 500, "{changed} of {compared} changed");
}

#[test]
fn draw_j_has_noise_of_its_own() {
    let vocab = 700;
    let data = row(vocab, 1.0, 1e-9, 0.0, 4);
    let logits = Logits::f32(&data, 1, vocab).expect("a view");
    let mut sampler = Sampler::builder(40, 1).build().expect("a sampler");
    for draw in [race(1.0), Draw { top_p: 0.6, ..race(1.0) }, Draw { top_k: 40, ..race(1.0) }] {
        let kept = kept(&data, &draw, None);
        let mut of = |draws| {
            let drawn = sampler.draw_many(&logits, &draw, &Constraints::NONE, &[key(3)], draws);
            drawn.expect("a draw").to_vec()
        };
        let all = of(40);
        for (j, drawn) in all.iter().enumerate() {
            let noise = oracle::race_noise(vocab, key(3), j as u32);
            let winner = oracle::race(&data, 1.0, &noise, |i| kept[i]);
            assert_eq!(Some(drawn.token as usize), winner, "draw {j}");
        }
        for few in [1, 3, 31] {
            assert_eq!(of(few), all[..few], "{few} draws");
        }
    }
}

fn histogram(row: &[f32], temperature: f32, excluded: Option<u32>, count: usize) -> Vec<u64> {
    let mut counts = vec![0; row.len()];
    let constraints = Constraints::excluding(excluded);
    for drawn in draws(Level::detect(), row, &race(temperature), &constraints, &keys(count)) {
        assert_eq!(drawn.state, RowState::Drawn, "a good row was refused");
        counts[drawn.token as usize] += 1;
    }
    counts
}

#[test]
fn winners_have_the_softmax_law() {
    for (vocab, count) in [
        (2, 2_000_000),
        (3, 500_000),
        (33, 1_000_000),
        (256, 500_000),
        (1_025, 300_000),
        (4_100, 150_000),
        (50_257, 40_000),
        (262_144, 30_000),
    ] {
        for (sigma, offset, temperature) in [
            (2.0, 0.0, 1.0),
            (1.0, 3e4, 0.5),
            (8.0, -3e4, 3.0),
            (0.0, 1e7, 1e-30),
            (9.0, 0.0, f32::INFINITY),
        ] {
            let row = row(vocab, sigma, 1e-9, offset, vocab as u64);
            let law = oracle::probabilities(&row, temperature.into(), None).expect("a good row");
            let p = chi_square(&histogram(&row, temperature, None, count), &law);
            println!("V {vocab}, sigma {sigma}, at {offset}, T {temperature}: p = {p:.4}");
            assert!(p > FALSE_POSITIVES, "p = {p:e}");
            if vocab > 100_000 {
                break;
            }
        }
    }
}

#[test]
fn what_is_out_never_wins() {
    for vocab in [8, 300, 9_000] {
        let mut row = row(vocab, 2.0, 1e-9, 0.0, 5);
        let largest = (0..vocab).max_by(|&a, &b| row[a].total_cmp(&row[b])).expect("a token");
        for (token, logit) in row.iter_mut().enumerate() {
            if token % 4 != 1 || token == vocab - 1 {
                *logit = f32::NEG_INFINITY;
            }
        }
        for temperature in [1.0, f32::INFINITY] {
            for excluded in [None, Some(1), Some(largest as u32), Some(vocab as u32)] {
                let law = oracle::probabilities(&row, temperature.into(), excluded).expect("good");
                let counts = histogram(&row, temperature, excluded, 100_000);
                let p = chi_square(&counts, &law);
                assert!(p > FALSE_POSITIVES, "V {vocab}: p = {p:e}");
            }
        }
    }
}

/// Whether a count of rare events is what a Poisson law of this mean allows.
fn assert_poisson(seen: u64, mean: f64) {
    let law = Poisson::new(mean).expect("a mean");
    let p = 2.0 * law.cdf(seen).min(1.0 - law.cdf(seen.max(1) - 1));
    println!("{seen} seen, {mean:.2} expected, p = {p:.4}");
    assert!(p > FALSE_POSITIVES, "{seen} of {mean}: p = {p:e}");
}

#[test]
fn the_far_tail_keeps_its_mass() {
    // 262,143 tokens of 1.3e-9 each, 3.3e-4 together, beside one that holds the rest: noise in f32
    // never draws one of them.
    let vocab = 262_144;
    let mut row = vec![0.0; vocab];
    row[vocab / 2] = 20.5;
    let count = 1_000_000;
    let counts = histogram(&row, 1.0, None, count);
    let law = oracle::probabilities(&row, 1.0, None).expect("a good row");
    assert_poisson(count as u64 - counts[vocab / 2], (1.0 - law[vocab / 2]) * count as f64);
    // One token of 1e-5 beside a certain one, before it and after it.
    for (token, other) in [(0, 1), (1, 0)] {
        let mut row = [0.0; 2];
        row[other] = 1e5f32.ln();
        let counts = histogram(&row, 1.0, None, 5_000_000);
        let law = oracle::probabilities(&row, 1.0, None).expect("a good row");
        assert_poisson(counts[token], law[token] * 5e6);
    }
}

#[test]
fn the_noise_of_a_token_far_out_is_exact() {
    // A token 1e-9 as likely as another wins just if its exponential is 1e-9 times the other's: the
    // law of that ratio, from the noise of the tokens of many rows, is E/(E + E') uniform; its tail.
    let vocab = 1 << 16;
    let (mut ratios, mut below, mut pairs) = (Vec::new(), [0u64; 4], 0.0);
    for k in 0..400 {
        let noise = oracle::race_noise(vocab, key(k), 0);
        for pair in noise.chunks(2) {
            let ratio = pair[0] / (pair[0] + pair[1]);
            assert!(pair[0] > 0.0 && pair[0] < 57.0);
            pairs += 1.0;
            for (below, scale) in below.iter_mut().zip([1e-4, 1e-5, 1e-6, 3e-7]) {
                *below += u64::from(ratio < scale);
            }
            if k < 10 {
                ratios.push(ratio);
            }
        }
    }
    for (below, scale) in below.into_iter().zip([1e-4, 1e-5, 1e-6, 3e-7]) {
        assert_poisson(below, pairs * scale);
    }
    let mut bins = [0; 64];
    ratios.iter().for_each(|ratio| bins[(ratio * 64.0) as usize] += 1);
    assert!(chi_square(&bins, &[1.0 / 64.0; 64]) > FALSE_POSITIVES);
}

#[test]
fn noise_is_independent_of_its_neighbours() {
    // Pairs of tokens, of superblocks, of draws and of keys, in 16 by 16 bins.
    let vocab = 3 * 4_096;
    let uniforms = |key: Key, draw: u32| -> Vec<usize> {
        let noise = oracle::race_noise(vocab, key, draw);
        noise.iter().map(|e| ((-(-e).exp_m1() * 16.0) as usize).min(15)).collect()
    };
    type Pair<'a> = &'a dyn Fn(&[usize], &[usize], &[usize], usize) -> usize;
    let tests: [(&str, Pair<'_>); 6] = [
        ("the next token", &|a, _, _, i| a[(i + 1) % vocab]),
        ("the same word", &|a, _, _, i| a[(i + 16) % vocab]),
        ("the next word", &|a, _, _, i| a[(i + 32) % vocab]),
        ("the next superblock", &|a, _, _, i| a[(i + 4_096) % vocab]),
        ("the next draw", &|_, b, _, i| b[i]),
        ("the next key", &|_, _, c, i| c[i]),
    ];
    let mut counts = vec![[0u64; 256]; tests.len()];
    for k in 0..60 {
        let base = Key { seed: 0, stream: 0, step: 0, position: k };
        let (a, b) = (uniforms(base, 0), uniforms(base, 1));
        let c = uniforms(Key { position: k + 1, ..base }, 0);
        for i in 0..vocab {
            for ((_, other), counts) in tests.iter().zip(&mut counts) {
                counts[16 * a[i] + other(&a, &b, &c, i)] += 1;
            }
        }
    }
    for ((name, _), counts) in tests.iter().zip(&counts) {
        let p = chi_square(counts, &[1.0 / 256.0; 256]);
        println!("{name}: p = {p:.4}");
        assert!(p > FALSE_POSITIVES, "{name}: p = {p:e}");
    }
}

/// The results of shards of some rows, cut at `edges`.
fn shards(
    sampler: &mut Sampler,
    data: &LogitsData<'_>,
    (rows, vocab): (usize, usize),
    edges: &[usize],
    draw: &Draw,
    constraints: &Constraints<'_>,
) -> Vec<Vec<RaceResult>> {
    let keys = keys(rows);
    let mut all = Vec::new();
    for pair in edges.windows(2) {
        // A view of the columns, without a copy.
        let columns = pair[1] - pair[0];
        let data = match *data {
            LogitsData::F32(data) => LogitsData::F32(&data[pair[0]..]),
            LogitsData::F16(data) => LogitsData::F16(&data[pair[0]..]),
            LogitsData::Bf16(data) => LogitsData::Bf16(&data[pair[0]..]),
            _ => unreachable!("three types"),
        };
        let view = Logits::new(data, rows, columns, vocab, None).expect("a view");
        let results = sampler.race_shard(&view, pair[0], draw, constraints, &keys);
        all.push(results.expect("a race").to_vec());
    }
    all
}

fn bits(result: RaceResult) -> (u64, u64, i32, RaceState) {
    (result.score.to_bits(), result.score_rest.to_bits(), result.token, result.state)
}

#[test]
fn any_split_merges_to_the_whole_row() {
    let mut next = words(6);
    for vocab in [2, 31, 257, 1_000, 4_097, 9_001, 32_064] {
        let rows = 6;
        let mut data = row(rows * vocab, 2.0, 0.01, 100.0, vocab as u64);
        // A shard of nothing but −∞, and a row that is 3 everywhere.
        data[..vocab / 3].fill(f32::NEG_INFINITY);
        data[vocab..2 * vocab].fill(3.0);
        let half: Vec<f16> = data.iter().map(|&x| f16::from_f32(x)).collect();
        let brain: Vec<bf16> = data.iter().map(|&x| bf16::from_f32(x)).collect();
        let words: Vec<u32> = (0..rows * vocab.div_ceil(32)).map(|_| next() as u32 | 2).collect();
        let last = vocab as u32 - 1;
        let allowed = Some(AllowedTokens { words: &words, stride: vocab.div_ceil(32) });
        let bias = [(0, 2.5), (last, -1.0), (last / 2, 0.5)];
        let biases = row_biases(rows, vocab, 3);
        let row_bias = Some(RowBias { offsets: &biases.0, entries: &biases.1 });
        let constraints = [
            Constraints::NONE,
            Constraints::excluding(Some(last / 2)),
            Constraints { excluded: Some(last), banned: &[0], bias: &bias, row_bias, allowed },
        ];
        for data in [LogitsData::F32(&data), LogitsData::F16(&half), LogitsData::Bf16(&brain)] {
            for constraints in &constraints {
                for temperature in [0.0, 1e-30, 0.8, f32::INFINITY] {
                    let draw = race(temperature);
                    let mut sampler = Sampler::builder(rows, 1).build().expect("a sampler");
                    let whole = Logits::new(data, rows, vocab, vocab, None).expect("a view");
                    let whole =
                        sampler.draw(&whole, &draw, constraints, &keys(rows)).expect("ok").to_vec();
                    let shape = (rows, vocab);
                    let one = shards(&mut sampler, &data, shape, &[0, vocab], &draw, constraints);
                    for _ in 0..4 {
                        let mut edges = vec![0, vocab];
                        (0..next() % 7).for_each(|_| edges.push(next() as usize % vocab));
                        edges.sort_unstable();
                        edges.dedup();
                        let parts = shards(&mut sampler, &data, shape, &edges, &draw, constraints);
                        for k in 0..rows {
                            let part = |p: usize| parts[p][k];
                            let left =
                                (0..parts.len()).fold(RaceResult::EMPTY, |a, p| a.merge(part(p)));
                            let right = (0..parts.len()).rev().map(part).reduce(RaceResult::merge);
                            let right = right.expect("a shard");
                            let what = format!("V {vocab}, T {temperature}, row {k}, {edges:?}");
                            assert_eq!(bits(left), bits(right), "{what}");
                            assert_eq!(bits(left), bits(one[0][k]), "{what}");
                            assert_eq!(left.drawn(), whole[k], "{what}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn guided_shards_merge_too() {
    let (rows, vocab, cut) = (5, 3_000, 1_111);
    let data = row(rows * vocab, 2.0, 1e-9, 0.0, 1);
    let guide = row(rows * vocab, 2.0, 1e-9, 0.0, 2);
    let keys = keys(rows);
    let mut sampler = Sampler::builder(rows, 1).build().expect("a sampler");
    let none = Constraints::NONE;
    let view = |from: usize, columns: usize| {
        let of = |data| Logits::new(LogitsData::F32(data), rows, columns, vocab, None);
        let guide = of(&guide[from..]).expect("a view");
        of(&data[from..]).expect("a view").guided(&guide, 2.5).expect("rows that match")
    };
    let whole = sampler.draw(&view(0, vocab), &race(1.0), &none, &keys).expect("ok").to_vec();
    let left = sampler.race_shard(&view(0, cut), 0, &race(1.0), &none, &keys).expect("ok").to_vec();
    let right = sampler.race_shard(&view(cut, vocab - cut), cut, &race(1.0), &none, &keys);
    for ((&left, &right), whole) in left.iter().zip(right.expect("ok")).zip(whole) {
        assert_eq!(left.merge(right).drawn(), whole);
    }
}

#[test]
fn rows_that_cannot_be_drawn_from_are_bad() {
    for vocab in [1, 20, 257, 5_000] {
        for bad in [f32::NAN, f32::INFINITY] {
            for at in [0, vocab / 2, vocab - 1] {
                let mut data = row(3 * vocab, 2.0, 1e-9, 0.0, 1);
                data[vocab + at] = bad;
                let logits = Logits::f32(&data, 3, vocab).expect("a view");
                let mut sampler = Sampler::builder(3, 1).build().expect("a sampler");
                for draw in [race(1.0), race(f32::INFINITY), Draw { top_p: 0.5, ..race(1.0) }] {
                    let drawn = sampler.draw(&logits, &draw, &Constraints::NONE, &keys(3));
                    let drawn = drawn.expect("a draw");
                    let states = [drawn[0].state, drawn[1].state, drawn[2].state];
                    assert_eq!(states, [RowState::Drawn, RowState::Bad, RowState::Drawn]);
                    assert_eq!(drawn[1], Drawn::BAD);
                }
                // In its shard alone; the excluded token may be +∞, but not NaN.
                let excluded = Constraints::excluding(Some(at as u32));
                let drawn = sampler.draw(&logits, &race(1.0), &excluded, &keys(3)).expect("ok");
                let usable = bad == f32::INFINITY && vocab > 1;
                assert_eq!(drawn[1].state == RowState::Drawn, usable, "{bad} at {at}");
                if vocab > 1 {
                    let (data, shape) = (LogitsData::F32(&data), (3, vocab));
                    let cut = [0, vocab / 2, vocab];
                    let none = Constraints::NONE;
                    let parts = shards(&mut sampler, &data, shape, &cut, &race(1.0), &none);
                    let states = [parts[0][1].state, parts[1][1].state];
                    let (bad, good) = (RaceState::Bad, RaceState::Drawn);
                    assert_eq!(states, if at < vocab / 2 { [bad, good] } else { [good, bad] });
                    assert_eq!(parts[0][1].merge(parts[1][1]), RaceResult::BAD);
                }
            }
        }
        let data = vec![f32::NEG_INFINITY; vocab];
        let none = Constraints::NONE;
        for temperature in [0.0, 1.0, f32::INFINITY] {
            let drawn = draws(Level::detect(), &data, &race(temperature), &none, &keys(1));
            assert_eq!(drawn, [Drawn::BAD]);
            let mut sampler = Sampler::builder(1, 1).build().expect("a sampler");
            let (data, shape) = (LogitsData::F32(&data), (1, vocab));
            let part =
                shards(&mut sampler, &data, shape, &[0, vocab], &race(temperature), &none)[0][0];
            assert_eq!(part, RaceResult::EMPTY);
            assert_eq!(part.merge(part).drawn(), Drawn::BAD);
        }
    }
}

#[test]
fn merging_is_associative_and_commutative() {
    let drawn =
        |score, score_rest, token| RaceResult { score, score_rest, token, state: RaceState::Drawn };
    let results = [
        RaceResult::BAD,
        RaceResult::EMPTY,
        drawn(1.0, 0.0, 4),
        drawn(1.0, 0.0, 3),
        drawn(1.0, 1e-20, 9),
        drawn(1.0, -1e-20, 2),
        drawn(-5.0, 0.0, 0),
        drawn(2.0, 0.0, 7),
    ];
    for a in results {
        for b in results {
            assert_eq!(a.merge(b), b.merge(a));
            for c in results {
                assert_eq!(a.merge(b).merge(c), a.merge(b.merge(c)));
            }
        }
    }
    assert_eq!(results[2].merge(results[3]), results[3], "ties: the lowest id");
    assert_eq!(results[4].merge(results[3]), results[4], "what rounding lost decides");
    assert_eq!(results[1].merge(results[6]), results[6], "an empty shard changes nothing");
    assert_eq!(results[7].merge(results[0]), RaceResult::BAD, "a bad shard does");
}

#[test]
fn what_a_shard_cannot_do_is_named() {
    let data = [0.0; 40];
    let logits = Logits::f32(&data, 2, 20).expect("a view");
    let mut sampler = Sampler::builder(2, 1).build().expect("a sampler");
    let mut refused =
        |offset, draw: Draw, constraints: &Constraints<'_>, keys: &[Key], name: &str| {
            let error = sampler.race_shard(&logits, offset, &draw, constraints, keys);
            let error = error.expect_err("refused");
            assert!(error.to_string().starts_with(name), "{error}");
            error
        };
    let (none, two) = (Constraints::NONE, keys(2));
    refused(0, Draw::at(1.0), &none, &two, "method is 0");
    refused(0, Draw { top_k: 5, ..race(1.0) }, &none, &two, "top_k is 5");
    refused(0, Draw { top_p: 0.5, ..race(1.0) }, &none, &two, "top_p is 0.5");
    refused(0, Draw { min_p: 0.5, ..race(1.0) }, &none, &two, "min_p is 0.5");
    refused(0, race(-1.0), &none, &two, "temperature is -1");
    refused(0, race(1.0), &none, &keys(3), "keys is 3");
    let bias = Constraints { bias: &[(900, f32::NAN)], ..none };
    refused(0, race(1.0), &bias, &two, "bias is NaN");
    let allowed = Some(AllowedTokens { words: &[0; 2], stride: 0 });
    refused(64, race(1.0), &Constraints { allowed, ..none }, &two, "rows of allowed tokens");
    let error = refused(demask::MAX_VOCAB - 19, race(1.0), &none, &two, "offset is");
    assert!(matches!(error, Error::Shape { .. }));
    let largest = sampler.race_shard(&logits, demask::MAX_VOCAB - 20, &race(1.0), &none, &two);
    assert!(largest.expect("it fits")[0].token as usize >= demask::MAX_VOCAB - 20);
}
