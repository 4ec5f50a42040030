//! First-hitting times have their law, down to the ends of the exponential that they are made of,
//! and the same bits at every level.
//!
//! With d masks at the start, 1 − α at the j-th hit is the j-th largest of d independent uniform
//! numbers: Beta(d − j + 1, j).
//!
//! *False positives.* Seeds are fixed. With random seeds, a correct implementation would fail a
//! Kolmogorov–Smirnov test here with probability at most 1e-6, by the inequality of Dvoretzky,
//! Kiefer, Wolfowitz and Massart, a chi-square test with 1e-6, and a count more than six standard
//! deviations from its expectation with about 1e-6 too (there are about 130 such checks in all).

use demask::schedule::{Base, NoiseTable, hitting};
use demask::{Key, Level, Noise, Purpose};
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use rand_xoshiro::{Xoshiro128PlusPlus, Xoshiro256PlusPlus};
use statrs::distribution::{ChiSquared, ContinuousCDF};
use statrs::function::beta::beta_reg;

const FALSE_POSITIVES: f64 = 1e-6;

/// Kolmogorov–Smirnov: `probabilities` are the values of the distribution function at the samples.
fn assert_uniform(name: &str, mut probabilities: Vec<f64>) {
    probabilities.sort_by(f64::total_cmp);
    let n = probabilities.len() as f64;
    let distance = |(k, p): (usize, &f64)| (p - k as f64 / n).max((k + 1) as f64 / n - p);
    let largest = probabilities.iter().enumerate().map(distance).fold(0.0, f64::max);
    // P(sup |F_n − F| > c/√n) ≤ 2 exp(−2c²) for every n.
    let bound = ((2.0 / FALSE_POSITIVES).ln() / (2.0 * n)).sqrt();
    assert!(largest < bound, "{name}: distance {largest}, at most {bound} by chance");
}

/// Pearson's chi-square against equally likely cells.
fn assert_even(name: &str, counts: &[u64]) {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    assert!(expected > 20.0, "{name}: too few samples for this test");
    let statistic =
        counts.iter().map(|&count| (count as f64 - expected).powi(2) / expected).sum::<f64>();
    let law = ChiSquared::new(counts.len() as f64 - 1.0).expect("more than one cell");
    let p = law.sf(statistic);
    assert!(p > FALSE_POSITIVES, "{name}: chi-square {statistic}, p = {p}");
}

/// Whether a count of rare, independent events is within six deviations of its expectation.
fn assert_count(name: &str, count: u64, expected: f64) {
    let apart = (count as f64 - expected).abs();
    assert!(apart < 6.0 * expected.sqrt(), "{name}: {count} times, expected {expected}");
}

fn generator(stream: u64) -> Xoshiro256PlusPlus {
    Key { seed: 0x7157, stream, step: 0, position: 0 }.generator(Purpose::Hit)
}

/// A generator whose next output is `word`: xoshiro256++ puts out rotl(s₀ + s₃, 23) + s₀.
fn about_to_say(word: u64) -> Xoshiro256PlusPlus {
    let state = [0, 1, 2, word.rotate_right(23)];
    let mut seed = [0; 32];
    for (bytes, word) in seed.chunks_exact_mut(8).zip(state) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    let rng = Xoshiro256PlusPlus::from_seed(seed);
    assert_eq!(rng.clone().next_u64(), word);
    rng
}

#[test]
fn an_exponential_is_exact_for_every_kind_of_word() {
    let mut words: Vec<u64> = (0..64)
        .flat_map(|bit| [1u64 << bit, (1 << bit) - 1, 3 << bit >> 1, !(1 << bit), u64::MAX << bit])
        .collect();
    let mut rng = generator(0);
    words.extend((0..100_000).map(|k| rng.next_u64() >> (k % 64)));
    words.extend((0..100_000).map(|k| !(rng.next_u64() >> (k % 64))));
    words.sort_unstable();
    words.dedup();
    let mut previous = 0.0;
    for word in words {
        // −ln(1 − v) for v = (word + ½)/2^64, from the side on which nothing cancels.
        let scale = 0.5f64.powi(64);
        let expected = if word < 1 << 63 {
            -(-(word as f64 + 0.5) * scale).ln_1p()
        } else {
            -(((u64::MAX - word) as f64 + 0.5) * scale).ln()
        };
        let value = hitting::exponential(&mut about_to_say(word));
        assert!((value / expected - 1.0).abs() < 1e-15, "{word:#x}: {value}, expected {expected}");
        assert!(value >= previous, "{word:#x}: {value} after {previous}");
        previous = value;
    }
    let least = hitting::exponential(&mut about_to_say(0));
    assert_eq!(least, 0.5f64.powi(65), "the least one");
    let most = hitting::exponential(&mut about_to_say(u64::MAX));
    assert!((most - 65.0 * core::f64::consts::LN_2).abs() < 1e-14, "the largest one is {most}");
}

#[test]
fn exponentials_have_their_moments_and_both_tails() {
    const DRAWS: u64 = 1 << 26;
    let n = DRAWS as f64;
    let mut rng = generator(1);
    let (mut sum, mut squares) = (0.0, 0.0);
    let mut below = [0u64; 21]; // below[k]: less than 2^-k
    let mut above = [0u64; 18]; // above[k]: more than k
    let mut smallest = Vec::new();
    for _ in 0..DRAWS {
        let e = hitting::exponential(&mut rng);
        sum += e;
        squares += e * e;
        let halvings = (1023 - (e.to_bits() >> 52) as i32 - 1).clamp(-1, 20);
        if halvings >= 0 {
            below[halvings as usize] += 1;
        }
        above[(e as usize).min(17)] += 1;
        if e < 0.5f64.powi(20) {
            smallest.push(e);
        }
    }
    for k in (0..20).rev() {
        below[k] += below[k + 1];
    }
    for k in (0..17).rev() {
        above[k] += above[k + 1];
    }

    // The mean has variance 1/n, the mean square 2 has variance (24 − 4)/n.
    let (mean, square) = (sum / n, squares / n);
    assert!((mean - 1.0).abs() < 6.0 / n.sqrt(), "mean {mean}");
    assert!((square - 2.0).abs() < 6.0 * (20.0 / n).sqrt(), "mean square {square}");
    let variance = square - mean * mean;
    // The sample variance of an exponential has variance 8/n.
    assert!((variance - 1.0).abs() < 6.0 * (8.0 / n).sqrt(), "variance {variance}");
    for (k, &count) in below.iter().enumerate() {
        let p = -(-0.5f64.powi(k as i32)).exp_m1();
        assert_count(&format!("below 2^-{k}"), count, n * p);
    }
    for (k, &count) in above.iter().enumerate().skip(1) {
        assert_count(&format!("above {k}"), count, n * (-(k as f64)).exp());
    }
    // Below 2^-20 they are uniform on that scale, and no two are the same: 24 random bits would
    // leave 16 values there, 32 bits 4096.
    smallest.sort_by(f64::total_cmp);
    assert!(smallest.windows(2).all(|pair| pair[0] < pair[1]), "two equal ones near zero");
    let probability = |e: &f64| -(-e).exp_m1() / -(-0.5f64.powi(20)).exp_m1();
    assert_uniform("below 2^-20", smallest.iter().map(probability).collect());
}

/// For each of `sequences` sequences of `masks` masks: exp(l) after the j-th hit, for the j asked
/// for.
fn assert_beta(
    name: &str,
    masks: u32,
    hits: &[u32],
    sequences: u64,
    run: impl Fn(u64) -> Vec<f64>,
) {
    let mut samples = vec![Vec::new(); hits.len()];
    for sequence in 0..sequences {
        let events = run(sequence);
        for (samples, &j) in samples.iter_mut().zip(hits) {
            let masked_fraction = events[j as usize - 1].exp();
            let (a, b) = (f64::from(masks - j + 1), f64::from(j));
            samples.push(beta_reg(a, b, masked_fraction));
        }
    }
    for (samples, j) in samples.into_iter().zip(hits) {
        assert_uniform(&format!("{name}: d = {masks}, hit {j}"), samples);
    }
}

/// d, the hits looked at, the number of sequences.
const BETA_CASES: [(u32, &[u32], u64); 3] = [
    (8, &[1, 2, 3, 4, 5, 6, 7, 8], 50_000),
    (1024, &[1, 2, 16, 256, 512, 768, 1023, 1024], 4_000),
    (131_072, &[1, 2, 16, 1_000, 65_536, 131_071, 131_072], 300),
];

#[test]
fn hits_one_by_one_are_beta() {
    for (masks, hits, sequences) in BETA_CASES {
        assert_beta("next", masks, hits, sequences, |sequence| {
            let mut rng = generator(1000 + sequence);
            let mut log_masked = 0.0;
            let next = |left: u32| {
                let before = log_masked;
                log_masked = hitting::next(log_masked, left, &mut rng);
                assert!(log_masked <= before, "{log_masked} after {before}");
                log_masked
            };
            (1..=masks).rev().map(next).collect()
        });
    }
}

#[test]
fn hits_all_at_once_are_beta() {
    for (masks, hits, sequences) in BETA_CASES {
        assert_beta("all", masks, hits, sequences, |stream| {
            let key = Key { seed: 0xA11, stream, step: 0, position: 0 };
            let mut events = vec![f64::NAN; masks as usize];
            hitting::all(Level::detect(), key, 0.0, &mut events);
            assert!(events[0] <= 0.0, "{}", events[0]);
            assert!(events.windows(2).all(|pair| pair[1] <= pair[0]), "they do not rise");
            events
        });
    }
}

#[test]
fn hits_of_many_sequences_at_a_time_are_beta() {
    for (masks, hits, sequences) in BETA_CASES {
        // All sequences side by side; the events looked at are kept.
        let mut keys: Vec<Key> =
            (0..sequences).map(|stream| Key { seed: 0xEAC4, stream, ..Key::default() }).collect();
        let mut log_masked = vec![0.0; sequences as usize];
        let mut samples = Vec::new();
        // The longest ones take a while; their first and last hits are looked at.
        let looked_at = |hit: u32| masks < 10_000 || hit <= 1_000;
        for hit in (1..=masks).filter(|&hit| looked_at(hit)) {
            keys.iter_mut().for_each(|key| key.step = hit);
            let left = vec![masks - hit + 1; keys.len()];
            let before = log_masked.clone();
            hitting::next_of_each(Level::detect(), &keys, &left, &mut log_masked).expect("ok");
            assert!(log_masked.iter().zip(&before).all(|(after, before)| after <= before));
            if hits.contains(&hit) {
                samples.push((hit, log_masked.clone()));
            }
        }
        for (hit, log_masked) in samples {
            let (a, b) = (f64::from(masks - hit + 1), f64::from(hit));
            let probabilities = log_masked.iter().map(|l| beta_reg(a, b, l.exp())).collect();
            assert_uniform(&format!("many: d = {masks}, hit {hit}"), probabilities);
        }
    }
}

#[test]
fn hits_of_positions_in_order_are_beta() {
    for (masks, hits, sequences) in BETA_CASES {
        let positions: Vec<u32> = (0..masks).collect();
        assert_beta("positions", masks, hits, sequences, |stream| {
            let key = Key { seed: 0x905, stream, step: 0, position: 0 };
            let mut events = vec![f64::NAN; positions.len()];
            hitting::of_positions(Level::detect(), key, 0.0, &positions, &mut events).expect("ok");
            events.sort_by(|a, b| b.total_cmp(a));
            events
        });
    }
}

/// The waits of single positions: their law, that of neighbours, and of one position in two streams,
/// two steps and two seeds.
#[test]
fn hits_of_positions_are_independent_exponentials() {
    const CELLS: usize = 32;
    let positions: Vec<u32> = (0..1 << 16).collect();
    let cell = |l: &f64| ((-l.exp_m1() * CELLS as f64) as usize).min(CELLS - 1);
    let waits = |key: Key| -> Vec<f64> {
        let mut events = vec![f64::NAN; positions.len()];
        hitting::of_positions(Level::detect(), key, 0.0, &positions, &mut events).expect("ok");
        events
    };
    let key = |seed, stream, step| Key { seed, stream, step, position: 0 };
    for (name, other) in [
        ("stream", (|k| (7, 2 * k + 1, 3)) as fn(u64) -> (u64, u64, u32)),
        ("step", |k| (7, 2 * k, 4)),
        ("seed", |k| (8, 2 * k, 3)),
    ] {
        let mut pairs = vec![0; CELLS * CELLS];
        let mut neighbours = vec![0; CELLS * CELLS];
        for k in 0..16 {
            let (seed, stream, step) = other(k);
            let (a, b) = (waits(key(7, 2 * k, 3)), waits(key(seed, stream, step)));
            for (a, b) in a.iter().zip(&b) {
                pairs[cell(a) * CELLS + cell(b)] += 1;
            }
            for pair in b.chunks_exact(2) {
                neighbours[cell(&pair[0]) * CELLS + cell(&pair[1])] += 1;
            }
        }
        assert_even(&format!("positions in another {name}"), &pairs);
        assert_even(&format!("neighbours, another {name}"), &neighbours);
    }
}

/// A sequence's event is its own, whatever batch it is in and at every level: what a plan makes for
/// it alone.
#[test]
fn a_hit_does_not_depend_on_the_batch() {
    let mut words = generator(77);
    for len in (0..=70).chain([127, 128, 129, 1000]) {
        let keys: Vec<Key> = (0..len)
            .map(|_| Key {
                seed: words.next_u64() >> (words.next_u64() % 64),
                stream: words.next_u64() >> (words.next_u64() % 64),
                step: words.next_u32() >> (words.next_u32() % 32),
                position: words.next_u32() >> (words.next_u32() % 32),
            })
            .collect();
        let masks: Vec<u32> = (0..len)
            .map(|_| words.next_u32().checked_shr(words.next_u32() % 33).unwrap_or(0))
            .collect();
        let before: Vec<f64> = (0..len)
            .map(|k| if k % 5 == 0 { 0.0 } else { -hitting::exponential(&mut words) })
            .collect();
        let alone: Vec<u64> = (0..len as usize)
            .map(|k| {
                let mut rng = keys[k].generator(Purpose::Hit);
                hitting::next(before[k], masks[k], &mut rng).to_bits()
            })
            .collect();
        for level in Level::ALL {
            let mut together = before.clone();
            hitting::next_of_each(level, &keys, &masks, &mut together).expect("ok");
            let bits: Vec<u64> = together.iter().map(|l| l.to_bits()).collect();
            assert!(bits == alone, "{len} sequences, {level}");
        }
        for (k, &l) in alone.iter().enumerate().filter(|&(k, _)| masks[k] == 0) {
            assert_eq!(f64::from_bits(l), f64::NEG_INFINITY, "sequence {k} has no masks");
        }
    }
    let mut log_masked = [-1.0; 3];
    let error =
        hitting::next_of_each(Level::detect(), &[Key::default(); 2], &[1; 3], &mut log_masked);
    assert_eq!(
        error.unwrap_err().to_string(),
        "keys is 2, but must be as many as the log_masked, 3"
    );
    let error =
        hitting::next_of_each(Level::detect(), &[Key::default(); 3], &[1; 4], &mut log_masked);
    assert_eq!(
        error.unwrap_err().to_string(),
        "masks is 4, but must be as many as the log_masked, 3"
    );
    assert_eq!(log_masked, [-1.0; 3]);
}

#[test]
fn a_position_does_not_depend_on_the_others() {
    let key = Key { seed: 4, stream: 9, step: 2, position: 123 };
    let expected = |log_masked: f64, position: u32| {
        let e = hitting::exponential(&mut Key { position, ..key }.generator(Purpose::HitPosition));
        assert_eq!(hitting::of_position(log_masked, Key { position, ..key }), log_masked - e);
        (log_masked - e).to_bits()
    };
    for len in (0..=70).chain([127, 128, 129, 1000]) {
        // In any order, with gaps, and one of them twice.
        let mut positions: Vec<u32> =
            (0..len).map(|k: u32| k.wrapping_mul(0x9E37_79B1) >> (k % 32)).collect();
        if len > 1 {
            positions[0] = positions[len as usize - 1];
        }
        for log_masked in [0.0, -2.75] {
            for level in Level::ALL {
                let mut events = vec![f64::NAN; len as usize];
                hitting::of_positions(level, key, log_masked, &positions, &mut events).expect("ok");
                for (&position, event) in positions.iter().zip(events) {
                    let expected = expected(log_masked, position);
                    assert_eq!(event.to_bits(), expected, "{position} of {len}, {level}");
                }
            }
        }
    }
    let error = hitting::of_positions(Level::detect(), key, 0.0, &[1, 2], &mut [0.0; 3]);
    let expected = "events is 3, but must be as many as the positions, 2";
    assert_eq!(error.unwrap_err().to_string(), expected);
}

/// What powers of uniform numbers in single precision lose: u^(1/n) near 1, and the product of many.
#[test]
fn nothing_is_lost_near_one_and_nothing_drifts() {
    for masks in [1_024, 8_192, 131_072, 1_000_000u32] {
        let (mut lost, mut stays) = (0.0f64, 0);
        for stream in 0..1_000 {
            let mut rng = generator(90_000 + stream);
            let e = hitting::exponential(&mut rng.clone());
            // The step of the masked fraction from 1.
            let step = -hitting::next(0.0, masks, &mut rng).exp_m1();
            let exact = -(-e / f64::from(masks)).exp_m1();
            assert!((step / exact - 1.0).abs() < 1e-15, "{masks} masks: {step:e}, not {exact:e}");
            let power = ((-e).exp() as f32).powf(1.0 / masks as f32);
            lost = lost.max((f64::from(1.0 - power) / exact - 1.0).abs());
            stays += u32::from(power >= 1.0);
        }
        assert!(lost > 0.01, "{masks} masks: single precision loses only {lost:e}");
        assert!(masks < 1_000_000 || stays > 0, "{masks} masks: single precision always moves");
    }
    // Summed one by one in f64, the exponentials that the lanes were made of, in f64.
    for (stream, masks) in [(0, 1 << 10), (1, 1 << 17), (2, 1 << 20)] {
        let key = Key { seed: 6, stream, step: 0, position: 0 };
        let mut events = vec![0.0; masks];
        hitting::all(Level::detect(), key, 0.0, &mut events);
        let mut exact = 0.0;
        for (k, (&event, e)) in events.iter().zip(scalar_exponentials(key, masks)).enumerate() {
            exact -= e / (masks - k) as f64;
            let error = (event / exact - 1.0).abs();
            assert!(error < 3.0e-7, "event {k} of {masks}: off by {error:e}");
        }
        let error = (events[masks - 1] / exact - 1.0).abs();
        assert!(error < 1.5e-7, "the last of {masks}: off by {error:e}");
    }
}

/// The bits of ln(1 − α) from a key. A change of any of them is a value-breaking change.
#[test]
fn frozen_values() {
    let key = Key { seed: 0x5EED, stream: 7, step: 3, position: 0 };
    let level = Level::detect();
    let mut next = [-0.5, -0.5, 0.0];
    let keys = [key, Key { stream: 8, ..key }, Key { step: 4, ..key }];
    hitting::next_of_each(level, &keys, &[1, 100, 131_072], &mut next).expect("ok");
    let expected = [0xBFE3_CE12_4E01_487C, 0xBFE0_1A1D_61B8_F736, 0xBEDC_DA6C_5528_0E78];
    assert_eq!(next.map(f64::to_bits), expected, "{next:?}");
    let mut all = [0.0; 100];
    hitting::all(level, key, 0.0, &mut all);
    let all = [0, 1, 15, 16, 63, 64, 98, 99].map(|k| all[k].to_bits());
    let expected = [
        0xBF76_310B_8000_0000,
        0xBF85_94FF_7000_0000,
        0xBFBF_3ABF_5680_0000,
        0xBFC2_90D3_B740_0000,
        0xBFF0_56A1_DA32_0000,
        0xBFF1_3785_0C32_0000,
        0xC011_07C2_9C20_8000,
        0xC013_853E_0C20_8000,
    ];
    assert_eq!(all, expected);
    let mut positions = [0.0; 3];
    hitting::of_positions(level, key, 0.0, &[0, 1, 4_096], &mut positions).expect("ok");
    let expected = [0xBFE6_5F49_A212_5F0B, 0xBFCF_705E_26F8_8262, 0xBFD1_56E9_EA3C_2DEA];
    assert_eq!(positions.map(f64::to_bits), expected, "{positions:?}");
}

/// For every noise schedule the times of a sequence never rise.
#[test]
fn times_of_hits_do_not_rise() {
    let table = NoiseTable::new(&[0.0, 0.25, 0.5, 1.0], &[0.0, 0.5, 0.5, 1.0]).expect("a table");
    for noise in [
        Noise::Linear,
        Noise::Cosine,
        Noise::UnitRate,
        Noise::CosineSquared,
        Noise::MaskgitCosine,
        Noise::Geometric { sigma_min: 1e-4, sigma_max: 20.0 },
        Noise::Power { exponent: 0.5 },
        Noise::Logarithmic,
        Noise::Scaled { base: Base::Linear, epsilon: 1e-3 },
        Noise::Table(&table),
    ] {
        for masks in [8, 1_024, 131_072] {
            let key = Key { seed: 12, stream: masks as u64, step: 0, position: 0 };
            let (mut events, mut times) = (vec![0.0; masks], vec![f64::NAN; masks]);
            hitting::all(Level::detect(), key, 0.0, &mut events);
            noise.times(&events, &mut times).expect("as many times as events");
            assert!((0.0..=noise.last_time()).contains(&times[0]), "{noise:?}: {}", times[0]);
            assert!(times.windows(2).all(|pair| pair[1] <= pair[0]), "{noise:?}, {masks} masks");
            assert!(times[masks - 1] >= 0.0, "{noise:?}, {masks} masks");
        }
    }
}

#[test]
fn a_hit_starts_from_where_the_sequence_stands() {
    // The wait is E/n, whatever came before; E is the generator's exponential.
    for (masks, log_masked) in [(1, 0.0), (7, -0.25), (1 << 20, -30.0), (u32::MAX, -1e-9)] {
        let e = hitting::exponential(&mut generator(2));
        let next = hitting::next(log_masked, masks, &mut generator(2));
        assert_eq!(next, log_masked - e / f64::from(masks));
    }
    for len in [1, 16, 17, 300] {
        let (mut from_start, mut later) = (vec![0.0; len], vec![0.0; len]);
        let key = Key { seed: 1, stream: 2, step: 3, position: 4 };
        hitting::all(Level::detect(), key, 0.0, &mut from_start);
        hitting::all(Level::detect(), key, -3.5, &mut later);
        for (a, b) in from_start.iter().zip(&later) {
            assert!((a - 3.5 - b).abs() < 1e-13, "{b} for {a}");
        }
    }
}

#[test]
fn every_level_has_the_same_bits() {
    let lengths = (0..=70).chain([127, 128, 129, 1_023, 1_024, 1_025, 131_072]);
    let available: Vec<Level> =
        Level::ALL.into_iter().filter(|level| level.is_available()).collect();
    println!("levels: {available:?}");
    for len in lengths {
        for (stream, log_masked) in [(0, 0.0), (1, -7.25)] {
            let key = Key { seed: 5, stream, step: 9, position: 0 };
            let bits = |level: Level| {
                let mut events = vec![f64::NAN; len];
                hitting::all(level, key, log_masked, &mut events);
                events.iter().map(|event| event.to_bits()).collect::<Vec<_>>()
            };
            let first = bits(Level::Baseline);
            for &level in &available {
                assert!(bits(level) == first, "{level}, {len} masks");
            }
            // A level that the CPU lacks falls back, to the same bits.
            for level in Level::ALL {
                assert!(bits(level) == first, "{level}, {len} masks");
            }
        }
    }
}

/// The exponentials of `all`, one generator a lane, in f64 and from rand_xoshiro.
fn scalar_exponentials(key: Key, count: usize) -> Vec<f64> {
    let mut lanes: Vec<Xoshiro128PlusPlus> = (0..16)
        .map(|lane| {
            let [first, second, ..] = Key { position: lane, ..key }.state(Purpose::HitLane);
            let mut seed = [0; 16];
            seed[..8].copy_from_slice(&first.to_le_bytes());
            seed[8..].copy_from_slice(&second.to_le_bytes());
            Xoshiro128PlusPlus::from_seed(seed)
        })
        .collect();
    let exponential = |k: usize| {
        let rng = &mut lanes[k % 16];
        let high = u64::from(rng.next_u32());
        let word = high << 32 | u64::from(rng.next_u32());
        let scale = 0.5f64.powi(64);
        if word < 1 << 63 {
            -(-(word as f64 + 0.5) * scale).ln_1p()
        } else {
            -(((u64::MAX - word) as f64 + 0.5) * scale).ln()
        }
    };
    (0..count).map(exponential).collect()
}

#[test]
fn every_lane_is_its_own_scalar_generator() {
    for (stream, len) in [(0, 1), (1, 15), (2, 16), (3, 31), (4, 1000), (5, 131_072)] {
        // The lane takes the place of the position.
        let key = Key { seed: 77, stream, step: 4, position: 123 };
        let mut events = vec![f64::NAN; len];
        hitting::all(Level::detect(), key, 0.0, &mut events);
        let mut before = 0.0;
        for (k, (&event, e)) in events.iter().zip(scalar_exponentials(key, len)).enumerate() {
            let wait = (before - event) * (len - k) as f64;
            // Two units in the last place of f32 and the rounding of a quotient, and what the
            // difference of two f64 has lost.
            let lost = 4.0 * f64::EPSILON * f64::abs(event) * (len - k) as f64;
            assert!((wait - e).abs() <= 3.0e-7 * e + lost, "event {k} of {len}: {wait} for {e}");
            before = event;
        }
    }
}

#[test]
fn waits_are_independent_exponentials() {
    // 40 million waits: their own law, and that of pairs of neighbours (two lanes), of pairs one
    // group apart (one lane), and of the same event in two streams.
    const MASKS: usize = 1 << 17;
    let cell =
        |wait: f64, cells: usize| ((-(-wait).exp_m1() * cells as f64) as usize).min(cells - 1);
    let mut single = vec![0u64; 1 << 12];
    let mut pairs = [vec![0u64; 1 << 10], vec![0; 1 << 10], vec![0; 1 << 10]];
    let mut previous_stream: Vec<f64> = Vec::new();
    for stream in 0..300 {
        let key = Key { seed: 3, stream, step: 0, position: 0 };
        let mut events = vec![0.0; MASKS];
        hitting::all(Level::detect(), key, 0.0, &mut events);
        let mut before = 0.0;
        let waits: Vec<f64> = events
            .iter()
            .enumerate()
            .map(|(k, &event)| {
                let wait = (before - event) * (MASKS - k) as f64;
                before = event;
                wait
            })
            .collect();
        for &wait in &waits {
            single[cell(wait, 1 << 12)] += 1;
        }
        for (pairs, distance) in pairs.iter_mut().zip([1, 16]) {
            // Pairs that do not overlap, so that the counts are independent.
            for chunk in waits.chunks_exact(2 * distance) {
                for (&a, &b) in chunk[..distance].iter().zip(&chunk[distance..]) {
                    pairs[cell(a, 32) << 5 | cell(b, 32)] += 1;
                }
            }
        }
        if stream % 2 == 1 {
            for (&a, &b) in previous_stream.iter().zip(&waits) {
                pairs[2][cell(a, 32) << 5 | cell(b, 32)] += 1;
            }
        }
        previous_stream = waits;
    }
    assert_even("waits", &single);
    assert_even("neighbours", &pairs[0]);
    assert_even("one lane", &pairs[1]);
    assert_even("two streams", &pairs[2]);
}
