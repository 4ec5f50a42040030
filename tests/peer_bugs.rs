//! Bugs that other samplers had, numbered by family. Chi-squares and intervals fail for a
//! correct sampler with probability below 1e-6; seeds are fixed.
//!
//! `docs/peer-bugs.md` has the table of all families, with the tests that stand elsewhere.

#![cfg_attr(target_arch = "x86_64", allow(unsafe_code, reason = "to set the float mode"))]

mod rows;

use demask::draw::{Law, law, oracle};
use demask::policy::{DrawMethod, FilterOrder};
use demask::{
    AllowedTokens, Canvas, Constraints, Draw, Drawn, Key, Level, Logits, LogitsData, Policy,
    RowState, Sampler, Segment, bf16, f16,
};
use rows::{
    FALSE_POSITIVES, assert_drawn_from, assert_exact, chi_square, histogram, histogram_of_many,
    in_every_type, keys, levels, normal_row, stepped_row, uniforms, words,
};

const NONE: Constraints<'_> = Constraints::NONE;
const BANNED: f32 = f32::NEG_INFINITY;

/// Draws at temperature 1, by every method.
const METHODS: [Draw; 2] =
    [Draw::at(1.0), Draw { method: DrawMethod::ExponentialRace, ..Draw::at(1.0) }];

fn law_of(logits: &Logits<'_>, draw: &Draw) -> Law {
    law(Level::detect(), logits, draw, &NONE).expect("a good row")
}

fn sampler(rows: usize, level: Level) -> Sampler {
    Sampler::builder(rows, 1).level(level).build().expect("a sampler")
}

/// <https://github.com/pytorch/pytorch/issues/48841>, `#4858`, `#50034`.
#[test]
fn row_01_tokens_of_weight_zero_are_never_drawn() {
    for vocab in [40, 3_000, 40_000] {
        let one = |token: usize| {
            let mut row = vec![BANNED; vocab];
            row[token] = -3.0;
            row
        };
        let mut half = normal_row(vocab, 2.0, 0.0, 1);
        half.iter_mut().step_by(2).for_each(|x| *x = BANNED);
        half[vocab - 1] = BANNED;
        let mut far = vec![-200.0; vocab];
        far[vocab / 2] = 0.0;
        let few = 1_000_000;
        let many = if vocab < 100 { 10 * few } else { few };
        for (row, draws) in
            [(one(0), few), (one(vocab - 1), few), (one(vocab / 2), few), (half, many), (far, few)]
        {
            let law = oracle::probabilities(&row, 1.0, None).expect("a good row");
            let law: Vec<f64> = law.iter().map(|&p| if p < 1e-80 { 0.0 } else { p }).collect();
            for data in [
                LogitsData::F32(&row),
                LogitsData::Bf16(&row.iter().map(|&x| bf16::from_f32(x)).collect::<Vec<_>>()),
            ] {
                // This fails if a token of probability 0 was drawn.
                let counts = histogram_of_many(data, vocab, &Draw::at(1.0), &NONE, draws, 2);
                let rounded = matches!(data, LogitsData::Bf16(_));
                let zero = |(&seen, &p): (&u64, &f64)| seen == 0 || p > 0.0;
                assert!(counts.iter().zip(&law).all(zero), "V {vocab}");
                if !rounded {
                    assert_drawn_from(&law, &counts, "banned tokens");
                }
            }
        }
    }
}

/// <https://github.com/pytorch/pytorch/issues/192577>, `#22557`, `#166243`, `#192812`.
#[test]
fn row_03_an_underflowing_tail_is_not_drawn() {
    let vocab = 151_936;
    let mut row = stepped_row(vocab, 3.0, 0.25, 3);
    row[77_777] = 400.0;
    in_every_type(&row, 1, vocab, |logits, _| {
        let (mut sampler, keys) = (sampler(1 << 18, Level::detect()), keys(1, 5));
        let drawn = sampler.draw_many(logits, &Draw::at(1.0), &NONE, &keys, 1 << 18);
        assert!(drawn.expect("a draw").iter().all(|drawn| drawn.token == 77_777));
        let law = law_of(logits, &Draw::at(1.0)).probabilities;
        assert!(law.iter().enumerate().all(|(token, &p)| p == f64::from(token == 77_777)));
    });
    // Each draw anew from the whole row, by both methods.
    let half: Vec<f16> = row.iter().map(|&x| f16::from_f32(x)).collect();
    let brain: Vec<bf16> = row.iter().map(|&x| bf16::from_f32(x)).collect();
    for data in [LogitsData::F32(&row), LogitsData::F16(&half), LogitsData::Bf16(&brain)] {
        for draw in METHODS {
            let counts = histogram(data, vocab, &draw, &NONE, 200_000, 3);
            assert_eq!(counts[77_777], 200_000, "{draw:?}");
        }
    }
}

/// arXiv 2409.02908; <https://github.com/facebookresearch/flow_matching/issues/27>,
/// <https://github.com/DreamLM/Dream/issues/52>.
#[test]
fn row_06_drawn_tokens_have_the_entropy_of_the_law() {
    let vocab = 50_000;
    let [plain, race] = METHODS;
    let normal = || normal_row(vocab, 1.0, 0.0, 6);
    for (row, draw, draws) in [
        (normal(), plain, 4_000_000),
        (vec![0.5; vocab], plain, 4_000_000),
        (normal(), race, 300_000),
        (vec![0.5; vocab], race, 300_000),
    ] {
        let law = oracle::probabilities(&row, 1.0, None).expect("a good row");
        let data = LogitsData::F32(&row);
        let counts = match draw.method {
            DrawMethod::ExponentialRace => histogram(data, vocab, &draw, &NONE, draws, 7),
            _ => histogram_of_many(data, vocab, &draw, &NONE, draws, 7),
        };
        // The mean surprise of a token estimates the entropy without bias.
        let mean = |f: &dyn Fn(f64) -> f64| law.iter().map(|&p| p * f(-p.ln())).sum::<f64>();
        let entropy = mean(&|surprise| surprise);
        let variance = mean(&|surprise| (surprise - entropy).powi(2));
        let draws = counts.iter().sum::<u64>() as f64;
        let surprises = counts.iter().zip(&law).map(|(&seen, p)| -(seen as f64) * p.ln());
        let found = surprises.sum::<f64>() / draws;
        // Five standard deviations: 6e-7; and the rounding of a flat row's sum.
        let slack = 5.0 * (variance / draws).sqrt() + 1e-9;
        println!("entropy {entropy:.6}, found {found:.6}, to {slack:.1e}");
        assert!((found - entropy).abs() < slack, "{found} for {entropy}, beyond {slack}");
        assert_drawn_from(&law, &counts, "a flat row");
    }
}

/// The noise of candle's `gumbel_softmax` (candle-nn/src/sampling.rs), whose uniform numbers lie
/// between 1e-7 and 0.999: how often each token wins.
fn cut_off_race(row: &[f32], draws: usize, seed: u64) -> Vec<u64> {
    let (mut uniform, mut counts) = (uniforms(seed), vec![0; row.len()]);
    for _ in 0..draws {
        let (mut best, mut winner) = (f32::NEG_INFINITY, 0);
        for (token, logit) in row.iter().enumerate() {
            let score = logit - (-(1e-7 + 0.998_999_9 * uniform() as f32).ln()).ln();
            if score > best {
                (best, winner) = (score, token);
            }
        }
        counts[winner] += 1;
    }
    counts
}

/// <https://github.com/huggingface/candle>, candle-nn/src/sampling.rs.
#[test]
fn row_07_noise_that_is_cut_off_starves_far_tokens() {
    // Two tokens 12 apart; 5,000 tokens 12 below one, with 3 % of the mass together.
    let mut flat = vec![0.0; 5_001];
    flat[2_500] = 12.0;
    for (row, draws, fewer) in [(vec![12.0, 0.0], 8_000_000, 8_000_000), (flat, 400_000, 5_000)] {
        let law = oracle::probabilities(&row, 1.0, None).expect("a good row");
        // This test can tell.
        let theirs = chi_square(&cut_off_race(&row, fewer, 7), &law);
        assert!(theirs < FALSE_POSITIVES, "noise that is cut off has the law: p = {theirs:e}");
        for draw in METHODS {
            let counts = histogram(LogitsData::F32(&row), row.len(), &draw, &NONE, draws, 7);
            assert_drawn_from(&law, &counts, &format!("{:?}", draw.method));
        }
    }
}

/// torch's `multinomial` with replacement: a running sum in float32, searched for a number.
#[test]
fn row_09_a_running_sum_in_float32_has_steps_of_no_width() {
    let vocab = 262_144;
    let row = normal_row(vocab, 3.0, 0.0, 9);
    let exact = oracle::probabilities(&row, 1.0, None).expect("a good row");
    let mut sum = 0.0f32;
    let lost = exact.iter().filter(|&&p| {
        let before = sum;
        sum += p as f32;
        p > 0.0 && sum == before
    });
    let lost = lost.count();
    assert!(lost > vocab / 5, "only {lost} tokens have no width in float32");
    let flat = oracle::probabilities(&vec![0.25; vocab], 1.0, None).expect("a good row");
    in_every_type(&vec![0.25; vocab], 1, vocab, |logits, _| {
        let ours = law_of(logits, &Draw::at(1.0)).probabilities;
        let close = |(p, exact): (&f64, &f64)| (p / exact - 1.0).abs() < 1e-6;
        assert!(ours.iter().zip(&flat).all(close), "a flat row");
    });
    let ours = law_of(&Logits::f32(&row, 1, vocab).expect("a view"), &Draw::at(1.0));
    assert_exact(&ours.probabilities, &exact, "a normal row");
}

/// <https://github.com/NVIDIA/TensorRT-LLM/issues/19485>, `#1590`.
#[test]
fn row_10_top_p_next_to_one_asks_for_no_token_past_the_end() {
    let below = 1.0f32.next_down();
    for vocab in [2, 15, 17, 257, 1_000, 4_099, 33_333] {
        for sigma in [0.01, 1.0, 8.0] {
            let row = normal_row(vocab, sigma, 0.0, 10);
            in_every_type(&row, 1, vocab, |logits, exact| {
                for top_p in [1.0 - 1e-6, below, 1.0] {
                    for top_k in [0, vocab as u32 - 1] {
                        let draw = Draw { top_p, top_k, ..Draw::at(1.0) };
                        let (ours, what) = (law_of(logits, &draw), format!("V {vocab}, {draw:?}"));
                        let plain = oracle::probabilities(exact, 1.0, None).expect("a good row");
                        // A token may be out only if those above it are enough, to rounding.
                        for (token, &p) in ours.probabilities.iter().enumerate() {
                            let larger = exact.iter().zip(&plain);
                            let above = || -> f64 {
                                larger.filter(|(x, _)| **x > exact[token]).map(|(_, p)| p).sum()
                            };
                            let out = p == 0.0 && top_k == 0 && plain[token] > 1e-12;
                            assert!(!out || above() > f64::from(top_p) - 1e-6, "{what}");
                        }
                        let (mut sampler, keys) = (sampler(100, Level::detect()), keys(1, 1));
                        for draws in [1, 100] {
                            let drawn = sampler.draw_many(logits, &draw, &NONE, &keys, draws);
                            let left = |drawn: &Drawn| {
                                ours.probabilities
                                    .get(drawn.token as usize)
                                    .is_some_and(|&p| p > 0.)
                            };
                            assert!(drawn.expect("a draw").iter().all(left), "{what}");
                        }
                    }
                }
            });
        }
    }
}

/// <https://github.com/sgl-project/sglang/issues/4876>, <https://github.com/mstar-project/mstar/issues/254>.
#[test]
fn row_14_ties_of_rows_of_three_values() {
    for vocab in [30, 500, 5_000, 40_000] {
        // 5/4, 1 and 3/4 thrice over, exact in every type.
        let mut next = words(14);
        let row: Vec<f32> = (0..vocab).map(|_| 0.75 + (next() % 3) as f32 / 4.0).collect();
        let first = row.iter().position(|&x| x == 1.25).expect("some token has it");
        let mut order: Vec<usize> = (0..vocab).collect();
        order.sort_by(|&i, &j| row[j].total_cmp(&row[i]).then(i.cmp(&j)));
        let tops = row.iter().filter(|&&x| x == 1.25).count();
        in_every_type(&row, 1, vocab, |logits, _| {
            for level in levels() {
                let mut sampler = sampler(20, level);
                let top_one = Draw { top_k: 1, ..Draw::at(1.0) };
                for draw in [Draw::at(0.0), top_one] {
                    let drawn = sampler.draw_many(logits, &draw, &NONE, &keys(1, 3), 20);
                    let drawn = drawn.expect("a draw");
                    assert!(drawn.iter().all(|drawn| drawn.token as usize == first), "{draw:?}");
                }
            }
            // k inside the first tie and inside the second: the lowest ids of it.
            for k in [tops / 2 + 1, tops, tops + 3] {
                let ours = law_of(logits, &Draw { top_k: k as u32, ..Draw::at(1.0) });
                let kept = order[..k].iter().all(|&token| ours.probabilities[token] > 0.0);
                let count = ours.probabilities.iter().filter(|&&p| p > 0.0).count();
                assert!(kept && count == k, "V {vocab}, k {k}: {count} kept");
            }
            // Top-p takes a tie whole or not at all.
            for top_p in [1e-6, 0.1, 0.4, 0.6, 0.99] {
                let ours = law_of(logits, &Draw { top_p, ..Draw::at(1.0) }).probabilities;
                for value in [0.75, 1.0, 1.25] {
                    let tie = || (0..vocab).filter(|&token| row[token] == value);
                    let of_first = tie().next().is_some_and(|token| ours[token] > 0.0);
                    assert!(tie().all(|token| (ours[token] > 0.0) == of_first), "{top_p}, {value}");
                }
            }
        });
    }
}

/// Rows on which a sampler could be slow, or never end.
fn hard_rows(vocab: usize) -> Vec<Vec<f32>> {
    let mut only = vec![BANNED; vocab];
    only[vocab - 1] = 1e-45;
    let mut next = words(15);
    let mut small =
        |unit: f32| (0..vocab).map(|_| (next() % 7) as f32 * unit - 3.0 * unit).collect();
    vec![
        small(f32::from_bits(1)), // subnormal
        small(f32::MIN_POSITIVE), // hardly normal
        small(0.5f32.powi(24)),   // subnormal in half precision
        small(0.5f32.powi(14)),   // hardly normal there
        vec![-0.0; vocab],
        (0..vocab).map(|i| if i % 2 == 0 { 0.0 } else { -0.0 }).collect(),
        vec![65_504.0; vocab],
        only,
        (0..vocab).map(|i| if i % 3 == 0 { BANNED } else { i as f32 / vocab as f32 }).collect(),
        (0..vocab).map(|i| -((i * 7 % vocab) as f32)).collect(),
        (0..vocab).map(|i| if i < vocab / 2 { 0.0 } else { -86.0 }).collect(),
    ]
}

fn hard_filters() -> Vec<Draw> {
    let mut all = Vec::new();
    for temperature in [1e-30, 0.1, 1.0, 1e30, f32::INFINITY] {
        let plain = Draw::at(temperature);
        let before = FilterOrder::BeforeTemperature;
        all.extend([
            plain,
            Draw { top_k: 3, ..plain },
            Draw { min_p: 0.5, ..plain },
            Draw { top_p: 0.6, ..plain },
            Draw { top_p: 0.3, filter_order: before, ..plain },
            Draw { top_k: 40, top_p: 0.9, min_p: 0.1, ..plain },
        ]);
    }
    all
}

/// <https://github.com/flashinfer-ai/flashinfer/issues/1049>.
#[test]
fn row_15_hard_rows_take_few_proposals() {
    for vocab in [2, 33, 700, 5_000] {
        for row in hard_rows(vocab) {
            in_every_type(&row, 1, vocab, |logits, _| {
                for draw in hard_filters() {
                    // A cell of 2 tokens up to V = 1,023, of 8 here, and excess that is left out.
                    let size = if vocab < 512 { 1.0 } else { 8.0 };
                    let acceptance = law_of(logits, &draw).acceptance;
                    let least = f64::from(draw.top_p) / (1.2 * size);
                    assert!(acceptance > least, "V {vocab}, {draw:?}: {acceptance} of {row:?}");
                }
            });
        }
    }
}

/// Runs `work` with a float mode of this thread, as a library built with -ffast-math leaves it.
#[cfg(target_arch = "x86_64")]
fn in_float_mode<T>(change: u32, work: impl FnOnce() -> T) -> T {
    use core::arch::asm;
    let mut before = 0u32;
    // SAFETY: the mode is written to a variable.
    unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut before, options(nostack)) };
    let changed = before | change;
    // SAFETY: no bit unmasks an exception, and the mode is put back below.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const changed, options(nostack)) };
    let result = work();
    // SAFETY: this is the mode of before.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const before, options(nostack)) };
    result
}

/// <https://github.com/flashinfer-ai/flashinfer/pull/774>,
/// <https://github.com/llvm/llvm-project/issues/57589>.
#[cfg(target_arch = "x86_64")]
#[test]
fn row_15_flush_to_zero_changes_no_token() {
    const FLUSH: u32 = 0x8040; // results and operands that are subnormal become 0
    for vocab in [5, 40, 700, 5_000] {
        let rows: Vec<f32> = hard_rows(vocab).concat();
        let count = rows.len() / vocab;
        let guide = normal_row(rows.len(), 1e-38, 0.0, 3);
        let bias = [(1, 1e-40), (2, 1e-45)];
        let constraints = [NONE, Constraints { bias: &bias, ..NONE }];
        let keys = keys(count, 8);
        let run = |logits: &Logits<'_>, what: &str| {
            for level in levels() {
                let mut sampler = sampler(3 * count, level);
                for draw in hard_filters().into_iter().chain([Draw::at(0.0)]) {
                    for constraints in &constraints {
                        let mut draws = || {
                            sampler
                                .draw_many(logits, &draw, constraints, &keys, 3)
                                .map(<[_]>::to_vec)
                        };
                        let plain = draws().expect("a draw");
                        let other = in_float_mode(FLUSH, &mut draws).expect("a draw");
                        for (k, (a, b)) in plain.iter().zip(&other).enumerate() {
                            let row = k / 3;
                            assert_eq!(a, b, "V {vocab}, row {row}, {what}, {draw:?}, {level}");
                        }
                    }
                }
            }
        };
        let mut types = ["f32", "f16", "bf16"].into_iter();
        in_every_type(&rows, count, vocab, |logits, _| run(logits, types.next().expect("three")));
        let (logits, guide) = (
            Logits::f32(&rows, count, vocab).expect("a view"),
            Logits::f32(&guide, count, vocab).expect("a view"),
        );
        run(&logits.guided(&guide, 1.5).expect("a guide that fits"), "guided");
    }
}

/// <https://github.com/vllm-project/vllm/pull/40376>, <https://github.com/ggml-org/llama.cpp/pull/26651>,
/// <https://github.com/JustVugg/colibri/issues/369>.
#[test]
fn row_16_defects_are_found_in_every_type_under_every_filter() {
    const NAN: f32 = f32::NAN;
    for vocab in [17, 40, 1_003, 5_001] {
        let good = stepped_row(3 * vocab, 2.0, 0.25, 16);
        let last = vocab - 1;
        let defects: [(usize, f32); 7] = [
            (0, NAN),
            (vocab / 2, NAN),
            (last, -NAN),
            (last, f32::INFINITY),
            (0, f32::INFINITY),
            (vocab, NAN), // everywhere
            (vocab, BANNED),
        ];
        for (at, value) in defects {
            let mut spoilt = good.clone();
            match spoilt[vocab..2 * vocab].get_mut(at) {
                Some(x) => *x = value,
                None => spoilt[vocab..2 * vocab].fill(value),
            }
            let of_all = |data: &[f32]| {
                let mut all = Vec::new();
                in_every_type(data, 3, vocab, |logits, _| {
                    for level in levels() {
                        let mut sampler = sampler(6, level);
                        for draw in hard_filters().into_iter().chain([Draw::at(0.0)]) {
                            for constraints in [NONE, Constraints { bias: &[(3, 0.5)], ..NONE }] {
                                let keys = keys(3, 16);
                                let drawn =
                                    sampler.draw_many(logits, &draw, &constraints, &keys, 2);
                                let drawn: [Drawn; 6] =
                                    drawn.expect("a draw").try_into().expect("twice three");
                                all.push((drawn, draw, level));
                            }
                        }
                    }
                });
                all
            };
            for (mut expected, spoilt) in of_all(&good).into_iter().zip(of_all(&spoilt)) {
                expected.0[2..4].fill(Drawn::BAD);
                assert_eq!(spoilt, expected, "V {vocab}, {value} at {at}");
            }
        }
    }
}

/// <https://github.com/tensorflow/tensorflow/issues/2774>, `#11758`,
/// <https://github.com/tensorflow/probability/issues/1571>.
#[test]
fn row_17_extreme_logits_have_their_law() {
    for vocab in [8, 300, 5_000] {
        for reach in [1e3, 65_504.0, 1e30, f32::MAX / 2.0] {
            let value = |i: usize| [reach, -reach, reach * 0.999, 0.0][i * 7 % 4];
            let row: Vec<f32> = (0..vocab).map(value).collect();
            for temperature in [1e-3, 1.0, 1e3, reach, f32::INFINITY] {
                let check = |logits: &Logits<'_>, exact: &[f32]| {
                    let what = format!("V {vocab}, ±{reach} at T {temperature}");
                    let exact = oracle::probabilities(exact, temperature.into(), None);
                    let ours = law_of(logits, &Draw::at(temperature));
                    assert_exact(&ours.probabilities, &exact.expect("a good row"), &what);
                };
                if reach <= 65_504.0 {
                    in_every_type(&row, 1, vocab, check);
                } else {
                    check(&Logits::f32(&row, 1, vocab).expect("a view"), &row);
                }
            }
        }
    }
}

/// <https://github.com/flashinfer-ai/flashinfer/issues/384>.
#[test]
fn row_18_every_token_is_written_whatever_k() {
    for level in levels() {
        let mut sampler = sampler(60, level);
        // A call that leaves large tokens behind.
        let wide = vec![0.0; 100_000];
        for top_k in [19, 20, 21, 1 << 20, i32::MAX as u32, u32::MAX] {
            let logits = Logits::f32(&wide, 1, 100_000).expect("a view");
            let before = sampler.draw_many(&logits, &Draw::at(1.0), &NONE, &keys(1, 2), 60);
            assert!(before.expect("a draw").iter().any(|drawn| drawn.token > 99));
            let row = normal_row(60, 1.0, 0.0, 18);
            in_every_type(&row, 3, 20, |logits, _| {
                for top_p in [1.0, 0.9] {
                    let draw = Draw { top_k, top_p, ..Draw::at(1.0) };
                    let drawn = sampler.draw_many(logits, &draw, &NONE, &keys(3, 4), 20);
                    let drawn = drawn.expect("a draw");
                    assert_eq!(drawn.len(), 60);
                    let fine = |drawn: &Drawn| {
                        drawn.state == RowState::Drawn && (0..20).contains(&drawn.token)
                    };
                    assert!(drawn.iter().all(fine), "k {top_k}");
                }
            });
        }
    }
}

/// <https://github.com/vllm-project/vllm/issues/51226>, <https://github.com/sgl-project/sglang/pull/35697>,
/// <https://github.com/tenstorrent/tt-metal/issues/53802>, <https://github.com/NVIDIA/TensorRT-LLM/pull/1742>.
#[test]
fn row_19_batch_mates_and_their_filters_change_no_token() {
    const LENGTH: usize = 3;
    let (requests, vocab) = (24, 20_011);
    let data = normal_row(31 * vocab, 2.0, 0.0, 19);
    let policies: Vec<Policy> = hard_filters()
        .into_iter()
        .chain([Draw::at(0.0)])
        .map(|draw| Policy { draw, ..Policy::random_order(1) })
        .collect();
    // Each request keeps its seed, its stream, its rule and its logits, wherever it stands.
    let decode = |order: &[usize], threads: usize| -> Vec<(usize, Vec<i32>)> {
        let mut tokens = vec![-1; LENGTH * order.len()];
        let segment = |(place, &request): (usize, &usize)| Segment {
            begin: (LENGTH * place) as u32,
            end: (LENGTH * (place + 1)) as u32,
            seed: request as u64 % 5,
            stream: request as u64,
            policy: (request * 5 % policies.len()) as u32,
            ..Segment::default()
        };
        let mut segments: Vec<Segment> = order.iter().enumerate().map(segment).collect();
        let index: Vec<u32> = order
            .iter()
            .flat_map(|&request| (0..LENGTH).map(move |at| ((request * LENGTH + at) % 31) as u32))
            .collect();
        let mut sampler = Sampler::builder(tokens.len(), order.len())
            .threads(threads)
            .vocab(vocab)
            .build()
            .expect("a sampler");
        let mut canvas = Canvas::new(&mut tokens, -1, &mut segments, &policies).expect("ok");
        let logits = Logits::new(LogitsData::F32(&data), 31, vocab, vocab, Some(&index));
        let report = sampler.step(&mut canvas, &logits.expect("a view")).expect("a step");
        assert_eq!(report.revealed as usize, LENGTH * order.len());
        let mut found: Vec<_> =
            order.iter().copied().zip(tokens.chunks(LENGTH).map(<[i32]>::to_vec)).collect();
        found.sort();
        found
    };
    let all: Vec<usize> = (0..requests).collect();
    let together = decode(&all, 1);
    let threads: &[usize] = if cfg!(feature = "threads") { &[1, 2, 3, 5, 8, 16] } else { &[1] };
    for &threads in threads {
        let reversed: Vec<usize> = all.iter().rev().copied().collect();
        assert_eq!(decode(&reversed, threads), together, "in reverse, {threads} threads");
        let shuffled: Vec<usize> = all.iter().map(|i| i * 7 % requests).collect();
        assert_eq!(decode(&shuffled, threads), together, "shuffled, {threads} threads");
    }
    for request in &together {
        assert_eq!(&decode(&[request.0], 1)[0], request, "alone");
    }
    let some: Vec<usize> = all.iter().copied().filter(|i| i % 3 != 1).collect();
    assert!(decode(&some, 1).iter().all(|request| together.contains(request)), "without a third");
    let distinct: std::collections::HashSet<_> = together.iter().map(|(_, t)| t).collect();
    assert!(distinct.len() > requests / 2, "requests differ");
}

/// <https://github.com/tensorflow/tensorflow/issues/58445>, `#117644`,
/// <https://github.com/pytorch/pytorch/issues/194676>, `#90006`.
///
/// A change of any token here is a breaking change, and belongs into the changelog as
/// value-breaking.
#[test]
fn row_22_tokens_are_frozen() {
    let plain = Draw::at(0.9);
    let nucleus = Draw { top_p: 0.8, ..plain };
    let filtered = Draw { top_k: 60, top_p: 0.9, min_p: 0.01, ..plain };
    let frozen = [
        (33, plain, [8, 27, 9, 8, 27, 23]),
        (33, nucleus, [8, 27, 8, 8, 27, 23]),
        (600, plain, [187, 187, 347, 511, 511, 103]),
        (600, nucleus, [187, 187, 347, 511, 511, 103]),
        (600, filtered, [168, 511, 164, 389, 164, 366]),
        (50_257, plain, [47_789, 44_922, 38_362, 34_412, 27_615, 5_402]),
        (50_257, nucleus, [47_789, 44_922, 12_054, 34_412, 27_615, 5_402]),
        (50_257, filtered, [26_113, 9_374, 11_200, 8_116, 49_710, 3_774]),
        (262_144, plain, [249_690, 236_866, 148_078, 143_999, 171_675, 15_855]),
        (262_144, filtered, [26_113, 59_652, 11_200, 58_394, 49_710, 54_052]),
    ];
    let key = Key { seed: 1, stream: 2, step: 3, position: 4 };
    for (vocab, draw, tokens) in frozen {
        // Integers by a power of two: the same logits everywhere, and exact in half precision.
        let logit = |i: u64| (i.wrapping_mul(2_654_435_761) >> 7 & 1023) as f32 / 64.0;
        let row: Vec<f32> = (0..vocab as u64).map(logit).collect();
        let half: Vec<f16> = row.iter().map(|&x| f16::from_f32(x)).collect();
        for logits in [Logits::f32(&row, 1, vocab), Logits::f16(&half, 1, vocab)] {
            let logits = logits.expect("a view");
            for level in levels() {
                let mut sampler = sampler(6, level);
                let drawn = sampler.draw_many(&logits, &draw, &NONE, &[key], 6).expect("a draw");
                let drawn: Vec<i32> = drawn.iter().map(|drawn| drawn.token).collect();
                assert_eq!(drawn, tokens, "V {vocab}, {draw:?}, {level}");
            }
        }
    }
}

/// <https://github.com/ggml-org/llama.cpp/issues/8988>, `#15223`, `#15665`.
#[test]
fn row_24_shifts_and_orders_change_neither_tokens_nor_proposals() {
    for vocab in [40, 3_000, 40_000] {
        // Steps of 1/8, so that all shifts are exact.
        let row = stepped_row(vocab, 2.0, 0.125, 24);
        let shifted = |by: f32| row.iter().map(|x| x + by).collect::<Vec<f32>>();
        for draw in [
            Draw::at(0.7),
            Draw { top_k: 50, ..Draw::at(0.7) },
            Draw { top_k: 50, top_p: 0.9, ..Draw::at(0.7) },
            Draw { top_p: 0.9, ..Draw::at(0.7) },
            Draw { min_p: 0.05, ..Draw::at(0.7) },
        ] {
            let of = |row: &[f32]| law_of(&Logits::f32(row, 1, vocab).expect("a view"), &draw);
            let drawn = |row: &[f32]| histogram(LogitsData::F32(row), vocab, &draw, &NONE, 500, 24);
            let (plain, counts) = (of(&row), drawn(&row));
            for by in [-1_000.0, 1_000.0, 30_000.0] {
                assert!(of(&shifted(by)) == plain, "V {vocab}, {draw:?}, shifted by {by}");
                assert!(drawn(&shifted(by)) == counts, "V {vocab}, {draw:?}, shifted by {by}");
            }
            // In order, cells hold tokens of about one weight: there are fewer proposals.
            let mut ascending = row.clone();
            ascending.sort_by(f32::total_cmp);
            let descending: Vec<f32> = ascending.iter().rev().copied().collect();
            for sorted in [ascending, descending] {
                let acceptance = of(&sorted).acceptance;
                assert!(acceptance > 0.9 * plain.acceptance, "V {vocab}, {draw:?}: {acceptance}");
            }
        }
    }
}

/// <https://github.com/pytorch/pytorch/pull/2896>, <https://github.com/pytorch/pytorch/issues/47386>.
#[test]
fn row_25_more_draws_than_tokens() {
    for vocab in [9, 700, 20_000] {
        let mut row = vec![BANNED; vocab];
        let bits = vec![u32::MAX; vocab.div_ceil(32)];
        let allowed = Some(AllowedTokens { words: &bits, stride: 0 });
        for constraints in [NONE, Constraints { allowed, ..NONE }] {
            let mut sampler = sampler(1_000, Level::detect());
            for open in [&[][..], &[vocab - 1], &[0, 5]] {
                row.fill(BANNED);
                open.iter().for_each(|&token| row[token] = 2.0);
                in_every_type(&row, 1, vocab, |logits, _| {
                    let draw = Draw { top_k: 7, ..Draw::at(1.0) };
                    for draw in [Draw::at(1.0), draw] {
                        let drawn =
                            sampler.draw_many(logits, &draw, &constraints, &keys(1, 25), 1_000);
                        let drawn = drawn.expect("a draw");
                        let fine = |drawn: &Drawn| match open {
                            [] => *drawn == Drawn::BAD,
                            open => open.contains(&(drawn.token as usize)),
                        };
                        assert!(drawn.iter().all(fine), "V {vocab}, {open:?}");
                    }
                });
            }
        }
    }
}

/// The table's tests are there.
#[test]
fn the_table_of_families_names_tests_that_exist() {
    let table = include_str!("../docs/peer-bugs.md");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = 0;
    for name in table.split('`').filter(|name| name.contains(".rs::")) {
        let (file, test) = name.split_once("::").expect("it has one");
        let source = std::fs::read_to_string(root.join(file)).expect(file);
        let is_there = [format!("fn {test}("), format!("(\"{test}\", ")];
        assert!(is_there.iter().any(|text| source.contains(text)), "{name} is not there");
        named += 1;
    }
    let rows = |number: u32| {
        table.lines().filter(|line| line.starts_with(&format!("| {number} |"))).count()
    };
    assert!((1..=28).all(|number| rows(number) == 1), "one row for each family");
    assert!(named > 40, "{named} tests");
}
