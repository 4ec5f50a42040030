//! Statistics of rows against f64, for every length, shape, temperature, type and level; that they
//! change no token, and that confidence keeps its order where probabilities round to 1.

mod rows;

use demask::draw::oracle;
use demask::policy::{DrawMethod, FilterOrder, NucleusEdge};
use demask::{
    AllowedTokens, Constraints, Draw, Drawn, Level, Logits, LogitsData, RowBias, RowOutputs,
    RowState, RowStatistics, Sampler, Statistics, TopToken, bf16, f16,
};
use rows::{add_row_biases, in_every_type, keys, levels, row_biases};

/// Logits with ties, −∞ and a wide range, about `offset`.
fn logits(len: usize, seed: u64, spread: f32, offset: f32) -> Vec<f32> {
    let value = |i: usize| {
        let x = (i as u64 + 1).wrapping_mul(2 * seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let x = (x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        match x >> 60 {
            0 => f32::NEG_INFINITY,
            1 => offset + 0.25 * spread,
            _ => offset + ((x >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * spread,
        }
    };
    (0..len).map(value).collect()
}

/// One call for all rows of a view.
fn describe(
    level: Level,
    view: &Logits<'_>,
    draw: &Draw,
    constraints: &Constraints<'_>,
    wanted: &Statistics<'_>,
) -> (Vec<Drawn>, Vec<RowStatistics>) {
    let rows = view.rows();
    let mut statistics = vec![RowStatistics::BAD; rows];
    let builder = Sampler::builder(rows, 1).level(level).vocab(view.vocab());
    let mut sampler = builder.build().expect("a sampler");
    let into = RowOutputs { statistics: &mut statistics, top: &mut [] };
    let drawn = sampler
        .draw_with_statistics(view, draw, constraints, &keys(rows, 0), wanted, into)
        .expect("a draw")
        .to_vec();
    (drawn, statistics)
}

fn bits(x: &RowStatistics) -> [u64; 12] {
    [
        x.log_sum_exp.to_bits(),
        x.entropy.to_bits(),
        x.probability.to_bits(),
        x.log_probability.to_bits(),
        x.log_others.to_bits(),
        x.margin.to_bits(),
        x.argmax_log_others.to_bits(),
        x.log_margin_gap.to_bits(),
        x.given_log_probability.to_bits(),
        x.divergence.to_bits(),
        x.max.to_bits().into(),
        x.argmax as u64,
    ]
}

/// Relative to the exact value, or absolute where that is below 1.
fn near(ours: f64, exact: f64) -> bool {
    ours == exact || (ours - exact).abs() <= 2e-6 * exact.abs().max(1.0)
}

fn compare(name: &str, ours: &RowStatistics, exact: &RowStatistics) {
    let pairs = [
        ("log_sum_exp", ours.log_sum_exp, exact.log_sum_exp),
        ("entropy", ours.entropy, exact.entropy),
        ("probability", ours.probability, exact.probability),
        ("log_probability", ours.log_probability, exact.log_probability),
        ("log_others", ours.log_others, exact.log_others),
        ("margin", ours.margin, exact.margin),
        ("argmax_log_others", ours.argmax_log_others, exact.argmax_log_others),
        ("log_margin_gap", ours.log_margin_gap, exact.log_margin_gap),
    ];
    for (field, ours, exact) in pairs {
        assert!(near(ours, exact), "{name}: {field} is {ours}, not {exact}");
    }
    assert_eq!((ours.max, ours.argmax), (exact.max, exact.argmax), "{name}");
}

/// All levels on one row, which must agree to the last bit, against f64.
fn check(name: &str, data: LogitsData<'_>, exact: &[f32], temperature: f32, excluded: Option<u32>) {
    let vocab = exact.len();
    let view = Logits::new(data, 1, vocab, vocab, None).expect("a view");
    let constraints = Constraints::excluding(excluded);
    let wanted = Statistics { temperature, ..Statistics::default() };
    for draw in [Draw::at(0.0), Draw::at(1.0)] {
        let (drawn, ours) = describe(Level::detect(), &view, &draw, &constraints, &wanted);
        for level in levels() {
            let (other_drawn, others) = describe(level, &view, &draw, &constraints, &wanted);
            assert_eq!(bits(&ours[0]), bits(&others[0]), "{name}: {level}");
            assert_eq!(drawn, other_drawn, "{name}: {level}");
        }
        let token = drawn[0].token as usize;
        let law = oracle::statistics(exact, temperature.into(), excluded, token);
        let name = format!("{name}, V {vocab}, T {temperature}, token {token}");
        compare(&name, &ours[0], &law.expect("a good row"));
    }
}

fn usable(row: &[f32], excluded: Option<u32>) -> bool {
    let mut tokens = row.iter().zip(0..);
    tokens.any(|(x, token)| x.is_finite() && Some(token) != excluded)
}

#[test]
fn every_length_matches_the_oracle() {
    let lengths = (1..=70)
        .chain([127, 128, 129, 400, 495, 496, 497, 511, 512, 513, 1_023, 1_024, 1_025, 2_047]);
    for len in lengths.chain([2_048, 2_049, 4_096, 8_191, 8_193, 33_000]) {
        let row = logits(len, len as u64, 30.0, 0.0);
        let excluded = [None, Some(0), Some(len as u32 / 2), Some(len as u32 - 1)][len % 4];
        if usable(&row, excluded) {
            for temperature in [0.1, 1.0, 10.0] {
                check("row", LogitsData::F32(&row), &row, temperature, excluded);
            }
        }
    }
}

#[test]
fn every_shape_temperature_and_offset() {
    for vocab in [300, 5_000, 40_000] {
        for offset in [0.0, -3e4, 3e4, 1e6] {
            for spread in [0.0, 2.0, 60.0] {
                let row = logits(vocab, 3, spread, offset);
                for temperature in [1e-3, 0.3, 1.0, 1e3, f32::INFINITY] {
                    check("shape", LogitsData::F32(&row), &row, temperature, Some(7));
                }
            }
        }
        // Every group higher than the one before, or far lower.
        for step in [0.01, 1.0, -0.01, -1.0] {
            let row: Vec<f32> = (0..vocab).map(|i| step * i as f32).collect();
            check("ramp", LogitsData::F32(&row), &row, 1.0, None);
        }
        // A first block of −∞, and one token in it all.
        let mut row = vec![f32::NEG_INFINITY; vocab];
        row[vocab - 3] = -7.5;
        check("one token", LogitsData::F32(&row), &row, 1.0, None);
        row[vocab / 2] = -7.5;
        check("two tokens", LogitsData::F32(&row), &row, 1.0, None);
    }
}

#[test]
fn large_vocabularies() {
    for (vocab, seed) in [(50_257, 1), (126_464, 2), (262_144, 3), (600_001, 4)] {
        let row = logits(vocab, seed, 25.0, -4.0);
        check("large", LogitsData::F32(&row), &row, 1.0, Some(126_336));
    }
}

#[test]
fn half_and_bfloat16_rows() {
    for vocab in [33, 700, 9_000] {
        let row = logits(vocab, 8, 25.0, 1.0);
        let half: Vec<f16> = row.iter().map(|&x| f16::from_f32(x)).collect();
        let exact: Vec<f32> = half.iter().map(|x| x.to_f32()).collect();
        check("f16", LogitsData::F16(&half), &exact, 0.8, None);
        let brain: Vec<bf16> = row.iter().map(|&x| bf16::from_f32(x)).collect();
        let exact: Vec<f32> = brain.iter().map(|x| x.to_f32()).collect();
        check("bf16", LogitsData::Bf16(&brain), &exact, 0.8, Some(1));
    }
}

/// Peers compare probabilities, which are all 1 in f32 from a gap of 17 on.
#[test]
fn confidence_keeps_its_order_when_it_saturates() {
    for vocab in [40, 3_000, 130_000] {
        for brain in [false, true] {
            let mut last = [f64::INFINITY; 4];
            for gap in 5..=60 {
                let mut row = logits(vocab, 5, 4.0, 0.0);
                row[vocab / 3] = 2.0 + gap as f32;
                let cast: Vec<bf16> = row.iter().map(|&x| bf16::from_f32(x)).collect();
                let data = if brain { LogitsData::Bf16(&cast) } else { LogitsData::F32(&row) };
                let view = Logits::new(data, 1, vocab, vocab, None).expect("a view");
                let (draw, wanted) = (Draw::at(0.0), Statistics::default());
                let (_, ours) =
                    describe(Level::detect(), &view, &draw, &Constraints::NONE, &wanted);
                let orders = |x: &RowStatistics| {
                    [x.log_others, x.argmax_log_others, x.log_margin_gap, x.entropy.ln()]
                };
                let now = orders(&ours[0]);
                // While it is large, the gap of the margin and the entropy fall more slowly than it.
                for ((now, last), fall) in now.into_iter().zip(last).zip([0.9, 0.9, 0.0, 0.0]) {
                    assert!(now < last - fall, "V {vocab}, gap {gap}: {now} after {last}");
                }
                if !brain {
                    let law = oracle::statistics(&row, 1.0, None, vocab / 3).expect("a good row");
                    for (now, exact) in now.into_iter().zip(orders(&law)) {
                        assert!((now - exact).abs() < 3e-6, "V {vocab}, gap {gap}: {now}, {exact}");
                    }
                }
                last = now;
            }
        }
    }
}

#[test]
fn a_gap_beyond_every_exponent() {
    for vocab in [40, 3_000, 130_000] {
        let mut row = logits(vocab, 5, 4.0, 0.0);
        row[1] = 5e4;
        check("far", LogitsData::F32(&row), &row, 1.0, None);
        row[2] = 4e4;
        check("far and middling", LogitsData::F32(&row), &row, 1.0, None);
    }
}

#[test]
fn statistics_change_no_token() {
    // Short rows are drawn side by side without them.
    for vocab in [10, 33, 400, 511, 512, 3_000] {
        check_that_statistics_change_no_token(vocab);
    }
}

fn check_that_statistics_change_no_token(vocab: usize) {
    let rows = 64;
    let mut data = logits(rows * vocab, 2, 12.0, 0.0);
    // Bad rows are as bad, also where the bad number is at the token that may not be drawn.
    for (k, bad) in [(3, f32::NAN), (4, f32::INFINITY)] {
        data[k * vocab + 9] = bad;
        data[(k + 10) * vocab + 7] = bad;
    }
    let view = Logits::f32(&data, rows, vocab).expect("a view");
    let excluding = Constraints::excluding(Some(9));
    let constraints = Constraints { banned: &[5], excluded: Some(9), ..Constraints::NONE };
    let mut sampler = Sampler::builder(rows, 1).build().expect("a sampler");
    let plain = Draw::at(0.9);
    let draws = [
        plain,
        Draw { top_k: 20, ..plain },
        Draw { top_p: 0.8, ..plain },
        Draw { min_p: 0.1, ..plain },
        Draw::at(0.0),
        Draw::at(f32::INFINITY),
        Draw { method: DrawMethod::ExponentialRace, ..plain },
    ];
    for draw in draws {
        for constraints in [Constraints::NONE, excluding, constraints] {
            let drawn = sampler.draw(&view, &draw, &constraints, &keys(rows, 0)).expect("a draw");
            let drawn = drawn.to_vec();
            for temperature in [0.5, f32::INFINITY] {
                let wanted = Statistics { temperature, ..Statistics::default() };
                let (again, ours) = describe(Level::detect(), &view, &draw, &constraints, &wanted);
                assert_eq!(drawn, again, "V {vocab}, {draw:?}, {constraints:?}");
                for (drawn, ours) in drawn.iter().zip(&ours) {
                    assert_eq!(drawn.state == RowState::Bad, ours.max.is_nan(), "V {vocab}");
                }
            }
        }
    }
}

#[test]
fn statistics_do_not_depend_on_threads_or_batch() {
    let (rows, vocab) = (300, 9_000);
    let data = logits(rows * vocab, 2, 12.0, 0.0);
    let view = Logits::f32(&data, rows, vocab).expect("a view");
    let (draw, none, wanted) = (Draw::at(0.9), Constraints::NONE, Statistics::default());
    let run = |threads: usize| {
        let mut sampler = Sampler::builder(rows, 1).threads(threads).build().expect("a sampler");
        let mut statistics = vec![RowStatistics::BAD; rows];
        let mut top = vec![TopToken::NONE; 3 * rows];
        let into = RowOutputs { statistics: &mut statistics, top: &mut top };
        let drawn =
            sampler.draw_with_statistics(&view, &draw, &none, &keys(rows, 0), &wanted, into);
        (drawn.expect("a draw").to_vec(), statistics, top)
    };
    let alone = run(1);
    for threads in [2, 3, 7] {
        let other = run(threads);
        assert!(alone.1.iter().zip(&other.1).all(|(a, b)| bits(a) == bits(b)), "{threads} threads");
        assert_eq!((&alone.0, &alone.2), (&other.0, &other.2), "{threads} threads");
    }
    for k in (0..rows).step_by(23) {
        let one = Logits::f32(&data[k * vocab..(k + 1) * vocab], 1, vocab).expect("a view");
        let mut sampler = Sampler::builder(1, 1).build().expect("a sampler");
        let mut statistics = [RowStatistics::BAD];
        let into = RowOutputs { statistics: &mut statistics, top: &mut [] };
        let drawn =
            sampler.draw_with_statistics(&one, &draw, &none, &keys(rows, 0)[k..=k], &wanted, into);
        assert_eq!(drawn.expect("a draw"), &alone.0[k..=k]);
        assert_eq!(bits(&statistics[0]), bits(&alone.1[k]), "row {k}");
    }
}

/// Short rows are described one by one or side by side.
#[test]
fn statistics_of_short_rows_do_not_depend_on_the_batch() {
    const ROWS: usize = 40;
    let plain = Draw::at(0.9);
    let draws = [
        plain,
        Draw::at(0.0),
        Draw { top_k: 4, ..plain },
        Draw { top_p: 0.8, ..plain },
        Draw { method: DrawMethod::ExponentialRace, ..plain },
    ];
    for vocab in [1, 2, 7, 16, 20, 33, 70, 129, 400, 495, 496] {
        let mut data = logits(ROWS * vocab, vocab as u64, 25.0, 0.0);
        for (row, x) in [(2, f32::NAN), (21, f32::INFINITY)] {
            data[row * vocab + vocab / 2] = x;
        }
        data[4 * vocab..5 * vocab].fill(f32::NEG_INFINITY);
        data[4 * vocab + vocab / 3] = 3.0;
        data[5 * vocab + vocab / 3] = 200.0;
        data[6 * vocab..7 * vocab].fill(-0.0);
        data[7 * vocab..8 * vocab].fill(f32::NEG_INFINITY);
        let half: Vec<f16> = data.iter().map(|&x| f16::from_f32(x)).collect();
        let brain: Vec<bf16> = data.iter().map(|&x| bf16::from_f32(x)).collect();
        let all = [LogitsData::F32(&data), LogitsData::F16(&half), LogitsData::Bf16(&brain)];
        for (data, draw) in all.into_iter().flat_map(|data| draws.map(|draw| (data, draw))) {
            for temperature in [0.4, 1.0, f32::INFINITY] {
                check_batches(data, vocab, &draw, temperature);
            }
        }
    }
}

/// Batches of some of 40 rows, each in two orders and as a copy must be made of them, against each
/// row alone.
fn check_batches(data: LogitsData<'_>, vocab: usize, draw: &Draw, temperature: f32) {
    let all_keys = keys(40, 0);
    let excluding = Constraints::excluding((vocab > 2).then_some(1));
    // Nothing is changed by them, but a copy is made.
    let copying = Constraints { bias: &[(0, 0.0)], ..excluding };
    let run = |rows: &[u32], constraints: &Constraints<'_>, top: usize, compares: bool| {
        let view = Logits::new(data, 40, vocab, vocab, Some(rows)).expect("a view");
        let keys: Vec<_> = rows.iter().map(|&row| all_keys[row as usize]).collect();
        let given: Vec<u32> = rows.iter().map(|&row| row % vocab as u32).collect();
        let against = compares.then_some(view);
        let filtered = draw.top_p < 1.0;
        let wanted = Statistics { temperature, filtered, given: &given, against };
        let mut sampler = Sampler::builder(rows.len(), 1).build().expect("a sampler");
        let mut statistics = vec![RowStatistics::BAD; rows.len()];
        let mut top = vec![TopToken::NONE; top * rows.len()];
        let into = RowOutputs { statistics: &mut statistics, top: &mut top };
        let drawn = sampler.draw_with_statistics(&view, draw, constraints, &keys, &wanted, into);
        let drawn = drawn.expect("a draw").to_vec();
        let bits = statistics.iter().map(|row| bits(&RowStatistics { divergence: 0.0, ..*row }));
        drawn.into_iter().zip(bits).collect::<Vec<_>>()
    };
    let alone: Vec<_> = (0..40).map(|row| run(&[row], &excluding, 0, false)[0]).collect();
    let name = format!("V {vocab}, T {temperature}, {draw:?}");
    for count in [4, 5, 9, 16, 17, 33, 40] {
        let mut rows: Vec<u32> = (0..count).map(|k| k * 7 % 40).collect();
        for _ in 0..2 {
            let expected: Vec<_> = rows.iter().map(|&row| alone[row as usize]).collect();
            assert_eq!(run(&rows, &excluding, 0, false), expected, "{count} rows: {name}");
            assert_eq!(run(&rows, &copying, 0, false), expected, "{count} copies: {name}");
            if count == 17 {
                assert_eq!(run(&rows, &excluding, 3, false), expected, "with the largest: {name}");
                // Filtered laws are not compared.
                if draw.top_p == 1.0 {
                    assert_eq!(run(&rows, &excluding, 0, true), expected, "compared: {name}");
                }
            }
            rows.reverse();
        }
    }
}

#[test]
fn given_tokens_and_divergences() {
    for vocab in [33, 900, 20_000] {
        let row = logits(vocab, 2, 14.0, 3.0);
        // A little way off; then another row, which lacks no token; then the same.
        let shifted: Vec<f32> =
            row.iter().enumerate().map(|(i, x)| x + 0.01 * (i % 7) as f32 - 40.0).collect();
        let other: Vec<f32> = row.iter().rev().map(|x| x.max(-20.0)).collect();
        for other in [&shifted, &other, &row] {
            let view = Logits::f32(&row, 1, vocab).expect("a view");
            let against = Some(Logits::f32(other, 1, vocab).expect("a view"));
            for temperature in [0.5, 1.0, f32::INFINITY] {
                for token in [3, 20] {
                    let given = &[token];
                    let plain = Statistics::default();
                    let wanted = Statistics { temperature, given, against, ..plain };
                    let constraints = Constraints::excluding(Some(20));
                    let results = levels().map(|level| {
                        describe(level, &view, &Draw::at(0.0), &constraints, &wanted).1[0]
                    });
                    let results: Vec<_> = results.collect();
                    assert!(results.iter().all(|x| bits(x) == bits(&results[0])), "levels");
                    let t = f64::from(temperature);
                    let law = oracle::divergence(&row, other, t, Some(20)).expect("good rows");
                    let ours = results[0].divergence;
                    assert!((ours - law).abs() <= 2e-6 * law.max(1.0), "{ours}, not {law}");
                    let law = oracle::statistics(&row, t, Some(20), token as usize);
                    let (law, ours) = (law.expect("a row"), results[0].given_log_probability);
                    assert!(near(ours, law.log_probability), "{ours}, token {token}");
                }
            }
        }
    }
}

#[test]
fn a_law_that_lacks_a_token_is_infinitely_far() {
    let row = vec![0.5; 1_000];
    let mut other = row.clone();
    other[700] = f32::NEG_INFINITY;
    let divergence = |row: &[f32], other: &[f32], constraints: &Constraints<'_>| {
        let view = Logits::f32(row, 1, row.len()).expect("a view");
        let against = Some(Logits::f32(other, 1, row.len()).expect("a view"));
        let wanted = Statistics { against, ..Statistics::default() };
        describe(Level::detect(), &view, &Draw::at(1.0), constraints, &wanted).1[0].divergence
    };
    assert!(divergence(&row, &other, &Constraints::NONE) == f64::INFINITY);
    let expected = (1_000f64 / 999.0).ln();
    assert!((divergence(&other, &row, &Constraints::NONE) - expected).abs() < 1e-6);
    // Constraints act on both rows.
    assert!(divergence(&row, &other, &Constraints::excluding(Some(700))).abs() < 1e-6);
    let banned = Constraints { banned: &[700], ..Constraints::NONE };
    assert!(divergence(&row, &other, &banned).abs() < 1e-6);
    other[3] = f32::NAN;
    assert!(divergence(&row, &other, &Constraints::NONE).is_nan());
}

#[test]
fn constraints_are_as_if_written_into_the_logits() {
    let vocab = 2_100;
    let row = logits(vocab, 6, 9.0, 0.0);
    let words: Vec<u32> =
        (0..vocab.div_ceil(32) as u32).map(|w| w.wrapping_mul(0x9E37_79B9)).collect();
    let constraints = Constraints {
        excluded: Some(4),
        banned: &[17, 2_000],
        bias: &[(100, 3.5), (101, f32::NEG_INFINITY)],
        row_bias: Some(RowBias { offsets: &[0, 2], entries: &[(98, 2.0), (99, -1.0)] }),
        allowed: Some(AllowedTokens { words: &words, stride: 0 }),
    };
    let mut written = row.clone();
    written[100] += 3.5;
    written[98] += 2.0;
    written[99] -= 1.0;
    for (token, x) in written.iter_mut().enumerate() {
        let allowed = words[token / 32] >> (token % 32) & 1 == 1;
        if !allowed || [17, 2_000, 101].contains(&token) {
            *x = f32::NEG_INFINITY;
        }
    }
    let view = Logits::f32(&row, 1, vocab).expect("a view");
    let (drawn, ours) =
        describe(Level::detect(), &view, &Draw::at(0.7), &constraints, &Statistics::default());
    let law = oracle::statistics(&written, 1.0, Some(4), drawn[0].token as usize);
    compare("constraints", &ours[0], &law.expect("a good row"));
}

/// Every filter alone and together, in both orders, with both edges and methods.
fn filters() -> Vec<Draw> {
    let mut all = Vec::new();
    for (top_k, top_p, min_p) in [
        (1, 1.0, 0.0),
        (5, 1.0, 0.0),
        (40, 0.8, 0.0),
        (40, 0.9, 0.02),
        (0, 0.9, 0.0),
        (0, 0.4, 0.0),
        (0, 1e-8, 0.0),
        (0, 1.0, 0.05),
        (0, 0.8, 0.1),
        (u32::MAX, 0.95, 0.0),
        (0, 1.0, 0.0),
    ] {
        for temperature in [0.0, 0.6, 1.7, f32::INFINITY] {
            let draw = Draw { top_k, top_p, min_p, ..Draw::at(temperature) };
            all.extend([
                draw,
                Draw { filter_order: FilterOrder::BeforeTemperature, ..draw },
                Draw { nucleus_edge: NucleusEdge::Drop, ..draw },
                Draw { method: DrawMethod::ExponentialRace, ..draw },
            ]);
        }
    }
    all
}

/// The statistics of the law that the filters leave, each against a row in which a sort has left
/// what they leave; and the tokens without them.
#[test]
fn a_filtered_law_is_that_of_what_the_filters_leave() {
    let (mut compared, mut narrowed, mut dropped) = (0, 0, 0);
    for vocab in [1, 2, 7, 16, 17, 33, 130, 515, 3_000] {
        for spread in [3.0, 25.0] {
            let row = logits(vocab, vocab as u64 + 1, spread, 2.0);
            let excluded = [None, Some(vocab as u32 / 3)][vocab % 2];
            if !usable(&row, excluded) {
                continue;
            }
            let given = [vocab as u32 / 2];
            let constraints = Constraints::excluding(excluded);
            for draw in filters() {
                let view = Logits::f32(&row, 1, vocab).expect("a view");
                let left = oracle::kept(&row, &draw, excluded).expect("a good row");
                let mut filtered = vec![f32::NEG_INFINITY; vocab];
                left.iter().for_each(|&token| filtered[token] = row[token]);
                narrowed += u32::from(filtered != row);
                let temperatures =
                    if vocab > 1_000 { &[1.0][..] } else { &[0.5, 1.0, 30.0, f32::INFINITY] };
                for &temperature in temperatures {
                    let plain = Statistics { temperature, given: &given, ..Statistics::default() };
                    let wanted = Statistics { filtered: true, ..plain };
                    let run = |level, wanted| describe(level, &view, &draw, &constraints, wanted);
                    let (drawn, ours) = run(Level::detect(), &wanted);
                    for level in levels() {
                        let other = run(level, &wanted);
                        assert_eq!((&drawn, bits(&ours[0])), (&other.0, bits(&other.1[0])));
                    }
                    let (unfiltered, _) = run(Level::detect(), &plain);
                    let name = format!("V {vocab}, T {temperature}, {draw:?}");
                    assert_eq!(drawn, unfiltered, "{name}");
                    let law = |token: usize| {
                        oracle::statistics(&filtered, temperature.into(), excluded, token)
                            .expect("a good row")
                    };
                    let token = drawn[0].token as usize;
                    compare(&name, &ours[0], &law(token));
                    let of_given = law(given[0] as usize).log_probability;
                    let ours = ours[0].given_log_probability;
                    assert!(near(ours, of_given), "{name}: {ours}, not {of_given}");
                    dropped += u32::from(of_given == f64::NEG_INFINITY);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 5_000 && narrowed > 1_000 && dropped > 1_000, "{compared}, {narrowed}");
}

/// Of changed rows, of rows of any type, among others, and of bad ones.
#[test]
fn filtered_laws_of_rows_that_are_not_as_they_stand() {
    for vocab in [30, 600, 9_000] {
        let rows = 6;
        let mut data: Vec<f32> = logits(rows * vocab, 3, 9.0, 0.0);
        let (offsets, entries) = row_biases(rows, vocab, 4);
        data[3 * vocab + 5] = f32::NAN;
        data[4 * vocab..5 * vocab].fill(f32::NEG_INFINITY);
        let row_bias = Some(RowBias { offsets: &offsets, entries: &entries });
        let constraints = Constraints { banned: &[4], row_bias, ..Constraints::NONE };
        in_every_type(&data, rows, vocab, |view, exact| {
            let guided = view.guided(view, 2.0).expect("a guide");
            let mut written = exact.to_vec();
            add_row_biases(&mut written, vocab, &(offsets.clone(), entries.clone()));
            written.chunks_mut(vocab).for_each(|row| row[4] = f32::NEG_INFINITY);
            for (view, draw) in [(view, 0.8), (&guided, 1.0), (view, 0.0)].map(|(view, t)| {
                (view, Draw { top_k: 25, top_p: 0.85, min_p: 0.01, ..Draw::at(t) })
            }) {
                for draw in [draw, Draw { top_k: 0, ..draw }, Draw { top_k: 0, top_p: 1.0, ..draw }]
                {
                    let wanted = Statistics { filtered: true, ..Statistics::default() };
                    let run = |level| describe(level, view, &draw, &constraints, &wanted);
                    let (drawn, ours) = run(Level::detect());
                    for level in levels() {
                        let (_, others) = run(level);
                        assert!(ours.iter().zip(&others).all(|(a, b)| bits(a) == bits(b)));
                    }
                    for (k, row) in written.chunks(vocab).enumerate() {
                        let Some(left) = oracle::kept(row, &draw, None) else {
                            assert_eq!(drawn[k].state, RowState::Bad);
                            assert_eq!(bits(&ours[k]), bits(&RowStatistics::BAD));
                            continue;
                        };
                        let mut filtered = vec![f32::NEG_INFINITY; vocab];
                        left.iter().for_each(|&token| filtered[token] = row[token]);
                        let token = drawn[k].token as usize;
                        let law = oracle::statistics(&filtered, 1.0, None, token);
                        compare(&format!("V {vocab}, {draw:?}"), &ours[k], &law.expect("a row"));
                    }
                }
            }
        });
    }
}

#[test]
fn the_largest_logits_are_those_before_the_filters() {
    let row = [0.5, 3.0, 2.0, 1.0];
    let view = Logits::f32(&row, 1, 4).expect("a view");
    let (mut statistics, mut top) = ([RowStatistics::BAD], [TopToken::NONE; 3]);
    let into = RowOutputs { statistics: &mut statistics, top: &mut top };
    let wanted = Statistics { filtered: true, ..Statistics::default() };
    let draw = Draw { top_k: 1, ..Draw::at(1.0) };
    let mut sampler = Sampler::builder(1, 1).build().expect("a sampler");
    let none = Constraints::NONE;
    sampler.draw_with_statistics(&view, &draw, &none, &keys(1, 0), &wanted, into).expect("a draw");
    assert_eq!((statistics[0].probability, statistics[0].margin), (1.0, 1.0));
    assert_eq!(top.map(|top| top.token), [1, 2, 3]);
}

#[test]
fn the_largest_logits_in_order() {
    for vocab in [5, 33, 700, 40_000] {
        let row: Vec<f32> = logits(vocab, 4, 30.0, 0.0).iter().map(|x| x.round()).collect();
        for m in [1, 7, 60] {
            let mut sampler = Sampler::builder(1, 1).build().expect("a sampler");
            let mut top = vec![TopToken { token: 77, logit: 7.0 }; m];
            let view = Logits::f32(&row, 1, vocab).expect("a view");
            let constraints = Constraints::excluding(Some(2));
            let into = RowOutputs { statistics: &mut [], top: &mut top };
            let wanted = Statistics::default();
            sampler
                .draw_with_statistics(
                    &view,
                    &Draw::at(1.0),
                    &constraints,
                    &keys(1, 0),
                    &wanted,
                    into,
                )
                .expect("a draw");
            let mut order: Vec<usize> =
                (0..vocab).filter(|&i| i != 2 && row[i] > f32::NEG_INFINITY).collect();
            order.sort_by(|&a, &b| row[b].total_cmp(&row[a]).then(a.cmp(&b)));
            for (place, top) in top.iter().enumerate() {
                let expected = order
                    .get(place)
                    .map_or(TopToken::NONE, |&i| TopToken { token: i as i32, logit: row[i] });
                assert_eq!(*top, expected, "V {vocab}, place {place} of {m}");
            }
        }
    }
}

#[test]
fn bad_rows_have_no_statistics() {
    for vocab in [40, 3_000] {
        let mut data = logits(4 * vocab, 2, 9.0, 0.0);
        data[7] = f32::NAN;
        data[2 * vocab + vocab / 2] = f32::INFINITY;
        data[3 * vocab..].fill(f32::NEG_INFINITY);
        let view = Logits::f32(&data, 4, vocab).expect("a view");
        for level in levels() {
            let (drawn, ours) =
                describe(level, &view, &Draw::at(1.0), &Constraints::NONE, &Statistics::default());
            for k in [0, 2, 3] {
                assert_eq!(drawn[k].state, RowState::Bad);
                assert_eq!(bits(&ours[k]), bits(&RowStatistics::BAD), "row {k}");
            }
            let row = &data[vocab..2 * vocab];
            let law = oracle::statistics(row, 1.0, None, drawn[1].token as usize);
            compare("a good row among bad ones", &ours[1], &law.expect("a good row"));
        }
    }
}

#[test]
fn wrong_arguments_are_named() {
    let data = vec![0.5; 60];
    let view = Logits::f32(&data, 2, 30).expect("a view");
    let mut sampler = Sampler::builder(2, 1).build().expect("a sampler");
    let mut refused = |wanted: &Statistics<'_>, statistics: usize, top: usize| {
        let mut statistics = vec![RowStatistics::BAD; statistics];
        let mut top = vec![TopToken { token: 77, logit: 7.0 }; top];
        let into = RowOutputs { statistics: &mut statistics, top: &mut top };
        let (draw, none) = (Draw::at(1.0), Constraints::NONE);
        let error = sampler
            .draw_with_statistics(&view, &draw, &none, &keys(2, 0), wanted, into)
            .expect_err("a wrong argument")
            .to_string();
        assert!(top.iter().all(|top| top.token == 77), "nothing is written");
        error
    };
    let plain = Statistics::default();
    for temperature in [0.0, -1.0, f32::NAN] {
        let error = refused(&Statistics { temperature, ..plain }, 2, 0);
        assert!(error.contains("temperature"), "{error}");
    }
    let error = refused(&Statistics { given: &[1], ..plain }, 2, 0);
    assert!(error.contains("given tokens"), "{error}");
    let error = refused(&Statistics { given: &[1, 30], ..plain }, 2, 0);
    assert!(error.contains("given token") && error.contains("30"), "{error}");
    let error = refused(&plain, 3, 0);
    assert!(error.contains("statistics") && error.contains('3'), "{error}");
    let error = refused(&plain, 2, 3);
    assert!(error.contains("top tokens") && error.contains('3'), "{error}");
    let half = vec![f16::from_f32(0.5); 60];
    let against = Some(Logits::f16(&half, 2, 30).expect("a view"));
    let error = refused(&Statistics { against, ..plain }, 2, 0);
    assert!(error.contains("compared"), "{error}");
    let against = Some(Logits::f32(&data, 1, 30).expect("a view"));
    let error = refused(&Statistics { against, ..plain }, 2, 0);
    assert!(error.contains("compared rows"), "{error}");
    let error = refused(&Statistics { against: Some(view), filtered: true, ..plain }, 2, 0);
    assert!(error.contains("statistics.filtered is 1"), "{error}");
}
