//! The same bits at every level, for every length, offset and shape of row, and on any number of
//! threads. The tests are listed by level.

use demask::draw::{largest, weights};
use demask::policy::{DrawMethod, FilterOrder};
use demask::{
    Constraints, Draw, Drawn, Key, Level, Logits, LogitsData, RaceResult, Sampler, bf16, f16,
};
use libtest_mimic::{Arguments, Trial};

fn main() {
    type Test = fn(Level);
    let tests: [(&str, Test); 5] = [
        ("rows_of_every_length", rows_of_every_length),
        ("every_type_and_filter", every_type_and_filter),
        ("races_of_every_length_and_offset", races_of_every_length_and_offset),
        ("weights_and_maxima", weights_and_maxima),
        ("any_number_of_threads_and_any_batch", any_number_of_threads_and_any_batch),
    ];
    // A level that this CPU lacks shows as ignored.
    let trials = Level::ALL.into_iter().flat_map(|level| {
        tests.map(|(name, test)| {
            let run = move || {
                test(level);
                Ok(())
            };
            Trial::test(name, run).with_kind(level.name()).with_ignored_flag(!level.is_available())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

/// Logits with ties, −∞ and a wide range; the period 251 is prime, so that swapped blocks show.
fn logits(len: usize, seed: u64) -> Vec<f32> {
    let value = |i: usize| {
        let x = (i as u64 % 251).wrapping_mul(2 * seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        match x >> 60 {
            0 => f32::NEG_INFINITY,
            1 => 4.0,
            _ => ((x >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * 30.0,
        }
    };
    (0..len).map(value).collect()
}

fn draws(level: Level, threads: usize, logits: &Logits<'_>, temperature: f32) -> Vec<Drawn> {
    let (rows, vocab) = (logits.rows(), logits.vocab());
    let key = |k: usize| Key { seed: 5, stream: k as u64 / 3, step: 2, position: k as u32 % 3 };
    let keys: Vec<_> = (0..rows).map(key).collect();
    let mut sampler = Sampler::builder(rows, 1)
        .level(level)
        .threads(threads)
        .vocab(vocab)
        .build()
        .expect("a sampler");
    sampler
        .draw(logits, &Draw::at(temperature), &Constraints::excluding(Some(2)), &keys)
        .expect("a draw")
        .to_vec()
}

fn rows_of_every_length(level: Level) {
    let lengths = (1..=70)
        .chain([127, 128, 129, 255, 256, 257, 1_023, 1_024, 1_025, 2_047, 2_048])
        .chain([4_095, 4_097, 8_200, 16_385, 32_000, 50_257, 131_072, 262_144, 300_001]);
    for vocab in lengths {
        let rows = if vocab < 1_000 { 40 } else { 4 };
        let data = logits(rows * vocab + 16, vocab as u64);
        for offset in [0, 1, 5, 15] {
            let data = LogitsData::F32(&data[offset..]);
            let view = Logits::new(data, rows, vocab, vocab, None).expect("a view");
            for temperature in [0.0, 0.3, 1.0, 7.0, f32::INFINITY] {
                let first = draws(Level::Baseline, 1, &view, temperature);
                let other = draws(level, 1, &view, temperature);
                assert_eq!(first, other, "V {vocab}, offset {offset}, T {temperature}");
            }
            if vocab > 20_000 {
                break; // The baseline emulates fused multiply-add, slowly.
            }
        }
    }
}

fn every_type_and_filter(level: Level) {
    let plain = Draw::at(0.9);
    let race = Draw { method: DrawMethod::ExponentialRace, ..plain };
    let filters = [
        plain,
        Draw { top_k: 1, ..plain },
        Draw { top_k: 20, ..plain },
        Draw { top_k: 300, top_p: 0.8, ..plain },
        Draw { top_p: 0.7, ..plain },
        Draw { min_p: 0.02, ..plain },
        Draw { top_k: 40, top_p: 0.95, min_p: 0.01, ..plain },
        Draw { top_p: 0.9, filter_order: FilterOrder::BeforeTemperature, ..plain },
        race,
        Draw { top_k: 20, ..race },
        Draw { top_p: 0.7, ..race },
        Draw { top_k: 40, top_p: 0.95, min_p: 0.01, ..race },
    ];
    for vocab in (1..=70).chain([127, 513, 2_049, 4_100, 16_400, 33_000]) {
        let rows = if vocab < 1_000 { 8 } else { 2 };
        let data = logits(rows * vocab, vocab as u64);
        let half: Vec<f16> = data.iter().map(|&x| f16::from_f32(x)).collect();
        let brain: Vec<bf16> = data.iter().map(|&x| bf16::from_f32(x)).collect();
        let views = [
            Logits::f32(&data, rows, vocab).expect("a view"),
            Logits::f16(&half, rows, vocab).expect("a view"),
            Logits::bf16(&brain, rows, vocab).expect("a view"),
        ];
        let keys: Vec<_> =
            (0..rows as u64).map(|stream| Key { stream, ..Key::default() }).collect();
        let constraints = Constraints { banned: &[0], excluded: Some(2), ..Constraints::NONE };
        for view in &views {
            for draw in &filters {
                let draws = |level| {
                    let mut sampler =
                        Sampler::builder(3 * rows, 1).level(level).build().expect("a sampler");
                    let drawn = sampler.draw_many(view, draw, &constraints, &keys, 3);
                    drawn.expect("a draw").to_vec()
                };
                assert_eq!(draws(Level::Baseline), draws(level), "V {vocab}, {draw:?}");
            }
        }
    }
}

fn races_of_every_length_and_offset(level: Level) {
    let around = [255, 256, 257, 4_095, 4_096, 4_097, 8_191, 8_192, 8_193, 12_300];
    for vocab in (1..=70).chain(around) {
        let rows = if vocab < 1_000 { 8 } else { 2 };
        let data = logits(rows * vocab, vocab as u64);
        let half: Vec<f16> = data.iter().map(|&x| f16::from_f32(x)).collect();
        let brain: Vec<bf16> = data.iter().map(|&x| bf16::from_f32(x)).collect();
        let keys: Vec<_> =
            (0..rows as u64).map(|stream| Key { stream, ..Key::default() }).collect();
        for view in [
            Logits::f32(&data, rows, vocab).expect("a view"),
            Logits::f16(&half, rows, vocab).expect("a view"),
            Logits::bf16(&brain, rows, vocab).expect("a view"),
        ] {
            for offset in [0, 1, 31, 300, 4_090, 4_096] {
                for temperature in [0.0, 1e-30, 0.9, f32::INFINITY] {
                    let method = DrawMethod::ExponentialRace;
                    let draw = Draw { method, ..Draw::at(temperature) };
                    let excluded = Constraints::excluding(Some(offset as u32 + 2));
                    let race = |level| {
                        let sampler = Sampler::builder(rows, 1).level(level).build();
                        let mut sampler = sampler.expect("a sampler");
                        let raced = sampler.race_shard(&view, offset, &draw, &excluded, &keys);
                        let bits = |x: &RaceResult| {
                            (x.score.to_bits(), x.score_rest.to_bits(), x.token, x.state)
                        };
                        raced.expect("a race").iter().map(bits).collect::<Vec<_>>()
                    };
                    let what = format!("V {vocab}, from {offset}, T {temperature}");
                    assert_eq!(race(Level::Baseline), race(level), "{what}");
                }
            }
        }
    }
}

fn weights_and_maxima(level: Level) {
    for vocab in [1, 15, 16, 17, 1_000, 70_003] {
        let row = logits(vocab, 3);
        let mut first = vec![0.0; vocab];
        let view = Logits::f32(&row, 1, vocab).expect("a view");
        let (draw, none) = (Draw::at(0.8), Constraints::NONE);
        let usable = weights(Level::Baseline, &view, &draw, &none, &mut first);
        let maximum = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut other = vec![0.0; vocab];
        assert_eq!(weights(level, &view, &draw, &none, &mut other), usable);
        assert!(first.iter().zip(&other).all(|(a, b)| a.to_bits() == b.to_bits()), "V {vocab}");
        assert_eq!(largest(level, &row), maximum, "V {vocab}");
    }
}

fn any_number_of_threads_and_any_batch(level: Level) {
    let (rows, vocab) = (257, 9_000);
    let data = logits(rows * vocab, 8);
    let view = Logits::f32(&data, rows, vocab).expect("a view");
    let alone = draws(level, 1, &view, 1.0);
    for threads in [2, 3, 7] {
        assert_eq!(alone, draws(level, threads, &view, 1.0), "{threads} threads");
    }
    // Each row alone, through an index, from a wider stride.
    let mut sampler = Sampler::builder(1, 1).level(level).build().expect("a sampler");
    for k in (0..rows).step_by(16) {
        let index = [k as u32];
        let view = Logits::new(LogitsData::F32(&data), rows, vocab, vocab, Some(&index));
        let key = Key { seed: 5, stream: k as u64 / 3, step: 2, position: k as u32 % 3 };
        let drawn = sampler
            .draw(&view.expect("a view"), &Draw::at(1.0), &Constraints::excluding(Some(2)), &[key])
            .expect("a draw");
        assert_eq!(drawn, &alone[k..=k], "row {k}");
    }
    let stride = vocab + 13;
    let mut spread = vec![f32::NAN; rows * stride];
    for (wide, row) in spread.chunks_mut(stride).zip(data.chunks(vocab)) {
        wide[..vocab].copy_from_slice(row);
    }
    let view = Logits::new(LogitsData::F32(&spread), rows, vocab, stride, None).expect("a view");
    assert_eq!(alone, draws(level, 1, &view, 1.0), "a wider stride");
}
