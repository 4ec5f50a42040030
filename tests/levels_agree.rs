//! The same bits at every level, for every length, offset and shape of row, and on any number of
//! threads. The tests are listed by level.

mod rows;

use demask::draw::{largest, law};
use demask::policy::{DrawMethod, FilterOrder, NucleusEdge};
use demask::{
    Constraints, Draw, Drawn, Key, Level, Logits, LogitsData, RaceResult, Sampler, bf16, f16,
};
use libtest_mimic::{Arguments, Trial};
use rows::{in_every_type, keys};

fn main() {
    type Test = fn(Level);
    let tests: [(&str, Test); 7] = [
        ("rows_of_every_length", rows_of_every_length),
        ("nothing_is_left_in_a_sampler_by_other_rows", nothing_is_left_in_a_sampler_by_other_rows),
        ("every_type_and_filter", every_type_and_filter),
        ("races_of_every_length_and_offset", races_of_every_length_and_offset),
        ("laws_and_maxima", laws_and_maxima),
        ("any_number_of_threads_for_every_type_and_filter", any_number_of_threads_for_every_type),
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
        let half: Vec<f16> = data.iter().map(|&x| f16::from_f32(x)).collect();
        let brain: Vec<bf16> = data.iter().map(|&x| bf16::from_f32(x)).collect();
        for offset in [0, 1, 5, 15] {
            for data in [
                LogitsData::F32(&data[offset..]),
                LogitsData::F16(&half[offset..]),
                LogitsData::Bf16(&brain[offset..]),
            ] {
                let view = Logits::new(data, rows, vocab, vocab, None).expect("a view");
                for temperature in [0.0, 0.3, 1.0, 7.0, f32::INFINITY] {
                    let first = draws(Level::Baseline, 1, &view, temperature);
                    let other = draws(level, 1, &view, temperature);
                    assert_eq!(first, other, "V {vocab}, offset {offset}, T {temperature}");
                }
            }
            if vocab > 20_000 {
                break; // The baseline emulates fused multiply-add, slowly.
            }
        }
    }
}

/// Rows of other lengths, filtered and not, one batch after the other.
fn nothing_is_left_in_a_sampler_by_other_rows(level: Level) {
    const ROWS: usize = 35;
    let keys = keys(ROWS, 8);
    let sampler = || Sampler::builder(ROWS, 1).level(level).build().expect("a sampler");
    let mut used = sampler();
    for (i, vocab) in [33, 4_096, 7, 200, 2_000, 496, 512, 300, 700].into_iter().enumerate() {
        let data = logits(ROWS * vocab, i as u64);
        let view = Logits::f32(&data, ROWS, vocab).expect("a view");
        for draw in filters() {
            let draw = |sampler: &mut Sampler| {
                sampler.draw(&view, &draw, &Constraints::NONE, &keys).expect("a draw").to_vec()
            };
            assert_eq!(draw(&mut used), draw(&mut sampler()), "V {vocab}");
        }
    }
}

/// Every filter alone, and some together.
fn filters() -> [Draw; 15] {
    let plain = Draw::at(0.9);
    let race = Draw { method: DrawMethod::ExponentialRace, ..plain };
    [
        plain,
        Draw { top_k: 1, ..plain },
        Draw { top_k: 20, ..plain },
        Draw { top_k: 300, top_p: 0.8, ..plain },
        Draw { top_p: 0.7, ..plain },
        Draw { min_p: 0.02, ..plain },
        Draw { top_k: 40, top_p: 0.95, min_p: 0.01, ..plain },
        Draw { top_p: 0.9, filter_order: FilterOrder::BeforeTemperature, ..plain },
        Draw { top_p: 0.7, nucleus_edge: NucleusEdge::Drop, ..plain },
        Draw { top_k: 40, top_p: 0.7, nucleus_edge: NucleusEdge::Drop, ..plain },
        race,
        Draw { top_k: 20, ..race },
        Draw { top_p: 0.7, ..race },
        Draw { top_p: 0.7, nucleus_edge: NucleusEdge::Drop, ..race },
        Draw { top_k: 40, top_p: 0.95, min_p: 0.01, ..race },
    ]
}

fn many(
    level: Level,
    threads: usize,
    view: &Logits<'_>,
    draw: &Draw,
    constraints: &Constraints<'_>,
    draws: usize,
) -> Vec<Drawn> {
    let rows = view.rows();
    let builder = Sampler::builder(draws * rows, 1).level(level).threads(threads);
    let mut sampler = builder.vocab(view.vocab()).build().expect("a sampler");
    sampler.draw_many(view, draw, constraints, &keys(rows, 4), draws).expect("a draw").to_vec()
}

fn every_type_and_filter(level: Level) {
    // Around where cells double in size and groups of them end.
    let blocks = [127, 128, 129, 495, 497, 511, 512, 513, 1_023, 1_025, 2_047, 2_049, 4_100];
    for vocab in (1..=70).chain(blocks).chain([16_400, 33_000]) {
        let rows = if vocab < 1_000 { 8 } else { 2 };
        let constraints = Constraints { banned: &[0], excluded: Some(2), ..Constraints::NONE };
        in_every_type(&logits(rows * vocab, vocab as u64), rows, vocab, |view, _| {
            for draw in &filters() {
                let draws = |level| many(level, 1, view, draw, &constraints, 3);
                assert_eq!(draws(Level::Baseline), draws(level), "V {vocab}, {draw:?}");
            }
        });
    }
}

fn races_of_every_length_and_offset(level: Level) {
    let around = [255, 256, 257, 4_095, 4_096, 4_097, 8_191, 8_192, 8_193, 12_300];
    for vocab in (1..=70).chain(around) {
        let rows = if vocab < 1_000 { 8 } else { 2 };
        let data = logits(rows * vocab, vocab as u64);
        in_every_type(&data, rows, vocab, |view, _| {
            for offset in [0, 1, 31, 300, 4_090, 4_096] {
                for temperature in [0.0, 1e-30, 0.9, f32::INFINITY] {
                    let method = DrawMethod::ExponentialRace;
                    let draw = Draw { method, ..Draw::at(temperature) };
                    let excluded = Constraints::excluding(Some(offset as u32 + 2));
                    let race = |level| {
                        let sampler = Sampler::builder(rows, 1).level(level).build();
                        let mut sampler = sampler.expect("a sampler");
                        let raced =
                            sampler.race_shard(view, offset, &draw, &excluded, &keys(rows, 1));
                        let bits = |x: &RaceResult| {
                            (x.score.to_bits(), x.score_rest.to_bits(), x.token, x.state)
                        };
                        raced.expect("a race").iter().map(bits).collect::<Vec<_>>()
                    };
                    let what = format!("V {vocab}, from {offset}, T {temperature}");
                    assert_eq!(race(Level::Baseline), race(level), "{what}");
                }
            }
        });
    }
}

fn any_number_of_threads_for_every_type(level: Level) {
    // Rows enough for the pool.
    let (rows, vocab) = (131, 8_209);
    let constraints = [
        Constraints::excluding(Some(2)),
        Constraints { banned: &[0, 8_208], bias: &[(9, 1.5)], ..Constraints::NONE },
    ];
    in_every_type(&logits(rows * vocab, 6), rows, vocab, |view, _| {
        for (draw, constraints) in filters().iter().zip(constraints.iter().cycle()) {
            let alone = many(level, 1, view, draw, constraints, 2);
            for threads in [2, 3, 7] {
                let other = many(level, threads, view, draw, constraints, 2);
                assert_eq!(alone, other, "{threads} threads, {draw:?}");
            }
        }
    });
}

fn laws_and_maxima(level: Level) {
    for vocab in [1, 15, 16, 17, 497, 1_000, 70_003] {
        let row = logits(vocab, 3);
        in_every_type(&row, 1, vocab, |view, _| {
            for draw in filters().iter().filter(|draw| draw.method == DrawMethod::Rejection) {
                let of = |level| law(level, view, draw, &Constraints::NONE);
                assert!(of(level) == of(Level::Baseline), "V {vocab}, {draw:?}");
            }
        });
        let maximum = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
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
