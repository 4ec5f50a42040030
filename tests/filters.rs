//! Filters, constraints and guidance: what is left of a row, compared with a sort in f64, and that
//! draws come from it. Chi-squares fail for a correct sampler with probability below 1e-6.

mod rows;

use demask::draw::{law, oracle};
use demask::policy::{FilterOrder, NucleusEdge};
use demask::{
    AllowedTokens, Constraints, Draw, Level, Logits, LogitsData, RowBias, RowState, Sampler, bf16,
    f16,
};
use rows::{
    add_row_biases, assert_drawn_from, assert_exact, histogram, in_every_type, keys, row_biases,
    stepped_row, words,
};

/// The law that the kernel's arithmetic implies.
fn implied_by(logits: &Logits<'_>, draw: &Draw, excluded: Option<u32>) -> Vec<f64> {
    let constraints = Constraints::excluding(excluded);
    law(Level::detect(), logits, draw, &constraints).expect("a good row").probabilities
}

fn implied(row: &[f32], draw: &Draw, excluded: Option<u32>) -> Vec<f64> {
    implied_by(&Logits::f32(row, 1, row.len()).expect("a view"), draw, excluded)
}

/// Also that the same tokens are left, however unlikely they are.
#[track_caller]
fn assert_close(ours: &[f64], law: &[f64], what: &str) {
    for (token, (&ours, &p)) in ours.iter().zip(law).enumerate() {
        assert_eq!(ours > 0.0, p > 0.0, "{what}: token {token} has {ours:e} for {p:e}");
    }
    assert_exact(ours, law, what);
}

fn every_filter() -> Vec<Draw> {
    let mut all = Vec::new();
    for temperature in [0.5, 1.0, 3.0] {
        for top_k in [0, 1, 2, 7, 50, u32::MAX] {
            for top_p in [1.0, 0.999, 0.9, 0.5, 0.05, 1e-8] {
                for min_p in [0.0, 0.02, 0.5, 1.0] {
                    for filter_order in
                        [FilterOrder::AfterTemperature, FilterOrder::BeforeTemperature]
                    {
                        let plain = Draw { top_k, top_p, min_p, ..Draw::at(temperature) };
                        for nucleus_edge in [NucleusEdge::Keep, NucleusEdge::Drop] {
                            all.push(Draw { filter_order, nucleus_edge, ..plain });
                        }
                    }
                }
            }
        }
    }
    all
}

#[test]
fn every_combination_leaves_what_a_sort_leaves() {
    let mut compared = 0;
    for (seed, vocab) in [1, 2, 5, 16, 17, 33, 64, 130].into_iter().enumerate() {
        for step in [1e-9, 0.37] {
            let row = stepped_row(vocab, 2.0, step, seed as u64);
            for draw in every_filter() {
                for excluded in [None, Some(vocab as u32 / 3)] {
                    let Some(law) = oracle::filtered(&row, &draw, excluded) else { continue };
                    let what = format!("V {vocab}, without {excluded:?}, {draw:?}");
                    assert_close(&implied(&row, &draw, excluded), &law, &what);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 45_000, "{compared} laws were compared");
}

#[test]
fn large_rows_leave_what_a_sort_leaves() {
    for (vocab, sigma, step) in [(3_000, 1.0, 1e-9), (50_257, 3.0, 1e-9), (131_072, 3.0, 0.25)] {
        let row = stepped_row(vocab, sigma, step, 3);
        for (top_k, top_p, min_p) in [
            (1, 1.0, 0.0),
            (50, 1.0, 0.0),
            (50, 0.9, 0.01),
            (1_000, 1.0, 0.0),
            (2_900, 0.7, 0.0),
            (0, 1.0, 0.05),
            (0, 0.9, 0.0),
            (0, 0.5, 0.1),
        ] {
            for nucleus_edge in [NucleusEdge::Keep, NucleusEdge::Drop] {
                let draw = Draw { top_k, top_p, min_p, nucleus_edge, ..Draw::at(0.8) };
                in_every_type(&row, 1, vocab, |logits, row| {
                    let ours = implied_by(logits, &draw, Some(17));
                    // The oracle looks at every pair: the law of what is kept, from the definition.
                    let law = oracle::probabilities(row, 0.8, Some(17)).expect("a good row");
                    let mut order: Vec<usize> = (0..vocab).filter(|&i| law[i] > 0.0).collect();
                    order.sort_by(|&i, &j| row[j].total_cmp(&row[i]).then(i.cmp(&j)));
                    order.truncate(if top_k == 0 { vocab } else { top_k as usize });
                    let total: f64 = order.iter().map(|&i| law[i]).sum();
                    let (mut sum, mut kept) = (0.0, vec![]);
                    for equal in order.chunk_by(|&i, &j| row[i] == row[j]) {
                        let before = sum;
                        sum += equal.iter().map(|&i| law[i]).sum::<f64>();
                        let inside = match nucleus_edge {
                            NucleusEdge::Keep => before < f64::from(top_p) * total,
                            _ => sum <= f64::from(top_p) * total || before == 0.0,
                        };
                        if !(inside || top_p == 1.0) {
                            break;
                        }
                        let enough = |i: &usize| law[*i] >= f64::from(min_p) * law[order[0]];
                        kept.extend(equal.iter().copied().filter(enough));
                    }
                    let mass: f64 = kept.iter().map(|&i| law[i]).sum();
                    let mut expected = vec![0.0; vocab];
                    kept.iter().for_each(|&i| expected[i] = law[i] / mass);
                    assert_close(&ours, &expected, &format!("V {vocab}, {draw:?}"));
                });
            }
        }
    }
}

fn counted(row: &[f32], draw: &Draw, draws: usize, seed: u64) -> Vec<u64> {
    histogram(LogitsData::F32(row), row.len(), draw, &Constraints::NONE, draws, seed)
}

#[test]
fn draws_come_from_what_is_left() {
    for (vocab, sigma, draws) in [(50, 1.5, 100_000), (900, 2.0, 60_000), (20_000, 2.0, 20_000)] {
        let row = stepped_row(vocab, sigma, 1e-9, 8);
        for (top_k, top_p, min_p) in
            [(20, 1.0, 0.0), (0, 0.8, 0.0), (0, 1.0, 0.1), (40, 0.7, 0.05), (0, 0.3, 0.2)]
        {
            for (filter_order, nucleus_edge) in [
                (FilterOrder::AfterTemperature, NucleusEdge::Keep),
                (FilterOrder::BeforeTemperature, NucleusEdge::Keep),
                (FilterOrder::AfterTemperature, NucleusEdge::Drop),
                (FilterOrder::BeforeTemperature, NucleusEdge::Drop),
            ] {
                let draw =
                    Draw { top_k, top_p, min_p, filter_order, nucleus_edge, ..Draw::at(1.3) };
                let what = format!("V {vocab}, {draw:?}");
                let law = implied(&row, &draw, None);
                assert_drawn_from(&law, &counted(&row, &draw, draws, 5), &what);
            }
        }
    }
}

#[test]
fn the_token_at_an_exact_boundary_is_left_out() {
    // Logits of −1, −2, −3, … at temperature 1/ln 2 have the probabilities ½, ¼, ⅛, … exactly, the
    // last one twice; a token stays only if those before it have less than p.
    let mut row: Vec<f32> = (1..=20).map(|i| -(i as f32)).collect();
    row.push(-20.0);
    let temperature = std::f32::consts::LOG2_E;
    let mut p = 0.0;
    for kept in 1..20 {
        p += 0.5f32.powi(kept);
        for (top_p, kept) in [(p.next_down(), kept), (p, kept), (p.next_up(), kept + 1)] {
            // The last two are one tie.
            let kept = if kept == 20 { 21 } else { kept };
            for top_k in [0, 21] {
                let draw = Draw { top_p, top_k, ..Draw::at(temperature) };
                let left = implied(&row, &draw, None).iter().filter(|&&p| p > 0.0).count();
                assert_eq!(left, kept as usize, "p = {top_p}, top-k {top_k}");
            }
        }
        // Where the crossing token is dropped, one that takes the sum to p exactly stays.
        for (top_p, kept) in [(p.next_down(), kept - 1), (p, kept), (p.next_up(), kept)] {
            for top_k in [0, 21] {
                let nucleus_edge = NucleusEdge::Drop;
                let draw = Draw { top_p, top_k, nucleus_edge, ..Draw::at(temperature) };
                let left = implied(&row, &draw, None).iter().filter(|&&p| p > 0.0).count();
                assert_eq!(left, (kept as usize).max(1), "p = {top_p}, top-k {top_k}, dropped");
            }
        }
    }
}

/// At infinite temperature all of 16 tokens have 1/16 exactly, in the order of their logits; also after
/// a top-k that leaves them all.
#[test]
fn a_boundary_is_exact_after_top_k_too() {
    let mut row: Vec<f32> = (0..16).map(|i| (i * 7 % 16) as f32).collect();
    row.push(f32::NEG_INFINITY);
    for crossing in 1..16 {
        let p = crossing as f32 / 16.0;
        let (keep, drop) = (NucleusEdge::Keep, NucleusEdge::Drop);
        for (top_p, nucleus_edge, kept) in [
            (p.next_down(), keep, crossing),
            (p, keep, crossing),
            (p.next_up(), keep, crossing + 1),
            (p.next_down(), drop, (crossing - 1).max(1)),
            (p, drop, crossing),
            (p.next_up(), drop, crossing),
        ] {
            for top_k in [0, 16] {
                let draw = Draw { top_p, top_k, nucleus_edge, ..Draw::at(f32::INFINITY) };
                let left = implied(&row, &draw, None).iter().filter(|&&p| p > 0.0).count();
                assert_eq!(left, kept, "{draw:?}");
            }
        }
    }
}

#[test]
fn equal_logits_are_kept_or_dropped_together() {
    let never = f32::NEG_INFINITY;
    let kept = |row: &[f32], top_p: f32, top_k: u32, nucleus_edge: NucleusEdge| {
        let draw = Draw { top_p, top_k, nucleus_edge, ..Draw::at(1.0) };
        let law = implied(row, &draw, None);
        (0..row.len()).filter(|&i| law[i] > 0.0).collect::<Vec<_>>()
    };
    let (keep, drop) = (NucleusEdge::Keep, NucleusEdge::Drop);
    for zeros in [0, 300, 5_000] {
        // Two of one value with 4/9 each, two with 1/18; and many that cannot be drawn. Two zeros
        // are one value.
        let mut row = vec![never; zeros];
        row.extend([0.0, -(8f32.ln()), -0.0, -(8f32.ln())]);
        let at = |places: &[usize]| places.iter().map(|place| zeros + place).collect::<Vec<_>>();
        for top_k in [0, 4] {
            for (top_p, keeping, dropping) in [
                (0.3, &[0, 2][..], &[0, 2][..]),
                (0.5, &[0, 2], &[0, 2]),
                (0.88, &[0, 2], &[0, 2]),
                (0.9, &[0, 1, 2, 3], &[0, 2]),
                (0.99, &[0, 1, 2, 3], &[0, 2]),
                (1.0, &[0, 1, 2, 3], &[0, 1, 2, 3]),
            ] {
                assert_eq!(kept(&row, top_p, top_k, keep), at(keeping), "{zeros}, keep {top_p}");
                assert_eq!(kept(&row, top_p, top_k, drop), at(dropping), "{zeros}, drop {top_p}");
            }
        }
        // A tie that crosses p goes as one.
        row.extend([-1.0, -1.0, -1.0]);
        let (first, tie) = (at(&[0, 2]), at(&[0, 2, 4, 5, 6]));
        for top_k in [0, 7] {
            assert_eq!(kept(&row, 0.7, top_k, keep), tie, "{zeros}");
            assert_eq!(kept(&row, 0.7, top_k, drop), first, "{zeros}");
            assert_eq!(kept(&row, 0.94, top_k, drop), tie, "{zeros}");
        }
    }
}

#[test]
fn top_k_keeps_exactly_k_and_the_lowest_of_a_tie() {
    for vocab in [30, 500, 5_000, 70_000] {
        // Three values only.
        let row: Vec<f32> = (0..vocab).map(|i| (i * i * 7 % 3) as f32).collect();
        let mut order: Vec<usize> = (0..vocab).collect();
        order.sort_by(|&i, &j| row[j].total_cmp(&row[i]).then(i.cmp(&j)));
        for k in [1, 2, 9, 29, vocab / 3, vocab / 2, vocab - 1, vocab, vocab + 1] {
            let draw = Draw { top_k: k as u32, ..Draw::at(1.0) };
            let law = implied(&row, &draw, None);
            let kept: Vec<usize> = (0..vocab).filter(|&i| law[i] > 0.0).collect();
            let mut expected = order[..k.min(vocab)].to_vec();
            expected.sort_unstable();
            assert!(kept == expected, "V {vocab}, k {k}: {} kept", kept.len());
        }
        // Ascending logits put every candidate into the last cells.
        let row: Vec<f32> = (0..vocab).map(|i| i as f32 / vocab as f32).collect();
        let draw = Draw { top_k: 29, ..Draw::at(1.0) };
        let law = implied(&row, &draw, None);
        assert!((0..vocab).all(|i| (law[i] > 0.0) == (i >= vocab - 29)), "V {vocab}, ascending");
    }
}

#[test]
fn the_most_likely_token_always_stays() {
    for vocab in [7, 1_000, 40_000] {
        let row = stepped_row(vocab, 3.0, 1e-9, 2);
        let best = (0..vocab).max_by(|&i, &j| row[i].total_cmp(&row[j])).expect("a token");
        for draw in [
            Draw { top_p: 1e-8, ..Draw::at(1.0) },
            Draw { top_p: 1e-30, ..Draw::at(1e3) },
            Draw { top_k: 1, top_p: 0.8, ..Draw::at(1.0) },
            Draw { top_k: 1, ..Draw::at(f32::INFINITY) },
            Draw { min_p: 1.0, ..Draw::at(1e-3) },
            Draw { top_k: 5, top_p: 1e-8, min_p: 1.0, ..Draw::at(1.0) },
        ] {
            for nucleus_edge in [NucleusEdge::Keep, NucleusEdge::Drop] {
                let draw = Draw { nucleus_edge, ..draw };
                let counts = counted(&row, &draw, 50, 1);
                assert_eq!(counts[best], 50, "V {vocab}, {draw:?}");
            }
        }
        // At p one step below 1 the whole of the mass is asked for, and every index is in range.
        let draw = Draw { top_p: 1.0f32.next_down(), ..Draw::at(1.0) };
        assert_eq!(counted(&row, &draw, 50, 1).iter().sum::<u64>(), 50);
    }
}

#[test]
fn bfloat16_rows_keep_the_right_nucleus() {
    // A running sum in bfloat16 stops growing at 256 times its terms.
    let vocab = 131_072;
    let row: Vec<bf16> =
        stepped_row(vocab, 1.0, 1e-9, 4).iter().map(|&x| bf16::from_f32(x)).collect();
    let exact: Vec<f32> = row.iter().map(|x| x.to_f32()).collect();
    let draw = Draw { top_p: 0.999, ..Draw::at(1.0) };
    let logits = Logits::bf16(&row, 1, vocab).expect("a view");
    let ours = implied_by(&logits, &draw, None);
    let law = oracle::probabilities(&exact, 1.0, None).expect("a good row");
    let kept: f64 = (0..vocab).filter(|&i| ours[i] > 0.0).map(|i| law[i]).sum();
    let least = (0..vocab).filter(|&i| ours[i] > 0.0).map(|i| exact[i]).fold(9.0, f32::min);
    let above: f64 = (0..vocab).filter(|&i| exact[i] > least).map(|i| law[i]).sum();
    assert!(above < 0.999 && kept >= 0.999 - 1e-6, "{kept} kept, {above} without the least");
}

#[test]
fn draw_j_does_not_depend_on_how_many_are_asked_for() {
    for vocab in [40, 3_000, 40_000] {
        let data = stepped_row(2 * vocab, 2.0, 1e-9, 6);
        let logits = Logits::f32(&data, 2, vocab).expect("a view");
        let mut sampler = Sampler::builder(2 * 70, 1).build().expect("a sampler");
        for draw in [
            Draw::at(1.0),
            Draw { top_k: 30, ..Draw::at(0.7) },
            Draw { top_p: 0.6, ..Draw::at(1.0) },
            Draw { top_p: 0.6, filter_order: FilterOrder::BeforeTemperature, ..Draw::at(2.0) },
            Draw { top_p: 0.6, nucleus_edge: NucleusEdge::Drop, ..Draw::at(1.0) },
            Draw { min_p: 0.1, top_p: 0.9, ..Draw::at(1.0) },
        ] {
            let keys = keys(2, 9);
            let none = Constraints::NONE;
            let mut of = |draws: usize| {
                sampler.draw_many(&logits, &draw, &none, &keys, draws).expect("a draw").to_vec()
            };
            let all = of(70);
            for draws in [1, 2, 5, 31, 33] {
                for (few, all) in of(draws).chunks(draws).zip(all.chunks(70)) {
                    assert_eq!(few, &all[..draws], "V {vocab}, {draws} draws, {draw:?}");
                }
            }
            let distinct: std::collections::BTreeSet<i32> = all.iter().map(|d| d.token).collect();
            assert!(distinct.len() > 3, "draws of one row differ");
        }
    }
}

#[test]
fn constraints_are_as_if_written_into_the_logits() {
    for vocab in [20, 33, 1_000, 20_011] {
        let rows = 24;
        let data = stepped_row(rows * vocab, 2.0, 1e-9, 7);
        let mut next = words(1);
        let width = vocab.div_ceil(32);
        let words: Vec<u32> = (0..rows * width).map(|_| next() as u32 | 2).collect();
        let banned = [0, vocab as u32 - 1, 7, 7];
        let bias = [(1, 3.5), (5, -1.25), (5, -0.5), (vocab as u32 - 2, f32::NEG_INFINITY)];
        let biases = row_biases(rows, vocab, 8);
        let constraints = Constraints {
            excluded: Some(3),
            banned: &banned,
            bias: &bias,
            row_bias: Some(RowBias { offsets: &biases.0, entries: &biases.1 }),
            allowed: Some(AllowedTokens { words: &words, stride: width }),
        };
        let mut edited = data.clone();
        for row in edited.chunks_mut(vocab) {
            bias.iter().for_each(|&(token, bias)| row[token as usize] += bias);
        }
        add_row_biases(&mut edited, vocab, &biases);
        for (k, row) in edited.chunks_mut(vocab).enumerate() {
            for (token, x) in row.iter_mut().enumerate() {
                let allowed = words[k * width + token / 32] >> (token % 32) & 1 == 1;
                if !allowed || banned.contains(&(token as u32)) {
                    *x = f32::NEG_INFINITY;
                }
            }
        }
        let keys = keys(rows, 3);
        for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
            let mut sampler = Sampler::builder(rows, 1).level(level).build().expect("a sampler");
            for draw in [Draw::at(0.0), Draw::at(1.0), Draw { top_k: 5, ..Draw::at(1.0) }] {
                let logits = Logits::f32(&edited, rows, vocab).expect("a view");
                let plain = Constraints::excluding(Some(3));
                let by_hand = sampler.draw(&logits, &draw, &plain, &keys).expect("a draw").to_vec();
                let logits = Logits::f32(&data, rows, vocab).expect("a view");
                let ours = sampler.draw(&logits, &draw, &constraints, &keys).expect("a draw");
                assert_eq!(ours, by_hand, "V {vocab}, {level}, {draw:?}");

                // Alone, and of rows in another order: they go with logical rows.
                let turned: Vec<u32> = (0..rows as u32).rev().collect();
                let view = |data| Logits::new(data, rows, vocab, vocab, Some(&turned));
                let mut edited = data.clone();
                edited.chunks_mut(vocab).enumerate().for_each(|(k, row)| {
                    row.copy_from_slice(&data[(rows - 1 - k) * vocab..][..vocab]);
                });
                add_row_biases(&mut edited, vocab, &biases);
                let logits = Logits::f32(&edited, rows, vocab).expect("a view");
                let plain = Constraints::NONE;
                let by_hand = sampler.draw(&logits, &draw, &plain, &keys).expect("a draw").to_vec();
                let logits = view(LogitsData::F32(&data)).expect("a view");
                let alone = Constraints { row_bias: constraints.row_bias, ..plain };
                let ours = sampler.draw(&logits, &draw, &alone, &keys).expect("a draw");
                assert_eq!(ours, by_hand, "V {vocab}, {level}, {draw:?}, row biases alone");
            }
        }
    }
}

#[test]
fn guidance_combines_two_rows() {
    let (rows, vocab) = (10, 1_003);
    let data = stepped_row(rows * vocab, 2.0, 1e-9, 1);
    let mut guide = stepped_row(rows * vocab, 2.0, 1e-9, 2);
    guide[5] = f32::NEG_INFINITY;
    let scale = 2.5f32;
    let combined: Vec<f32> = data
        .iter()
        .zip(&guide)
        .map(|(&z, &g)| if g == f32::NEG_INFINITY { g } else { scale.mul_add(z - g, g) })
        .collect();
    let keys = keys(rows, 4);
    let mut sampler = Sampler::builder(rows, 1).build().expect("a sampler");
    let draw = Draw::at(1.0);
    let plain = Logits::f32(&combined, rows, vocab).expect("a view");
    let by_hand = sampler.draw(&plain, &draw, &Constraints::NONE, &keys).expect("ok").to_vec();
    let unconditional = Logits::f32(&guide, rows, vocab).expect("a view");
    let guided = Logits::f32(&data, rows, vocab).expect("a view").guided(&unconditional, scale);
    let ours = sampler.draw(&guided.expect("rows that match"), &draw, &Constraints::NONE, &keys);
    assert_eq!(ours.expect("a draw"), by_hand);

    let halves: Vec<f16> = data.iter().map(|&x| f16::from_f32(x)).collect();
    let halves = Logits::f16(&halves, rows, vocab).expect("a view");
    assert!(plain.guided(&halves, 1.0).is_err(), "two types");
    assert!(plain.guided(&unconditional, f32::NAN).is_err(), "no number");
}

/// Duo and UDLM guide laws, γ·ln p + (1 − γ)·ln q, token by token, and normalise the sum; LLaDA logits,
/// g + (s + 1)·(z − g).
#[test]
fn guidance_of_laws_is_guidance_of_logits() {
    for vocab in [9, 700] {
        let data = stepped_row(vocab, 1.5, 1e-9, 21);
        let mut guide = stepped_row(vocab, 1.5, 1e-9, 22);
        // Far from each other: normalisers differ by e^30 and more.
        guide.iter_mut().for_each(|g| *g += 40.0);
        guide[3] = f32::NEG_INFINITY;
        for gamma in [-0.5f32, 0.0, 0.3, 1.0, 1.75, 4.0] {
            let g = f64::from(gamma);
            let log_law = |row: &[f32]| -> Vec<f64> {
                let weights = row.iter().map(|&z| f64::from(z).exp());
                let log_sum = weights.sum::<f64>().ln();
                row.iter().map(|&z| f64::from(z) - log_sum).collect()
            };
            let guided = |log_p: f64, log_q: f64| g * log_p + (1.0 - g) * log_q;
            // A token that the guide bans has no logarithm there, and is out.
            let weight = |(p, q): (&f64, &f64)| {
                if *q == f64::NEG_INFINITY { 0.0 } else { guided(*p, *q).exp() }
            };
            let (p, q) = (log_law(&data), log_law(&guide));
            let mut law: Vec<f64> = p.iter().zip(&q).map(weight).collect();
            let sum: f64 = law.iter().sum();
            law.iter_mut().for_each(|p| *p /= sum);
            let z = Logits::f32(&data, 1, vocab).expect("a view");
            let unconditional = Logits::f32(&guide, 1, vocab).expect("a view");
            let logits = z.guided(&unconditional, gamma).expect("a guide that fits");
            for draw in [Draw::at(1.0), Draw { top_k: 20, top_p: 0.9, ..Draw::at(1.0) }] {
                let ours = implied_by(&logits, &draw, None);
                let logs: Vec<f32> = law.iter().map(|p| p.ln() as f32).collect();
                let kept = oracle::kept(&logs, &draw, None).expect("a good row");
                let mass: f64 = kept.iter().map(|&i| law[i]).sum();
                for i in 0..vocab {
                    let exact = if kept.contains(&i) { law[i] / mass } else { 0.0 };
                    // Guided logits of up to 100 are rounded to f32.
                    let near = (ours[i] - exact).abs() <= 3e-5 * exact;
                    assert!(near, "γ {gamma}, token {i}: {} for {exact}", ours[i]);
                }
            }
        }
    }
}

#[test]
fn wrong_parameters_are_named() {
    let data = [0.0; 40];
    let logits = Logits::f32(&data, 2, 20).expect("a view");
    let mut sampler = Sampler::builder(2, 1).build().expect("a sampler");
    let keys = keys(2, 1);
    let mut refused = |draw: Draw, constraints: &Constraints<'_>, words: &[&str]| {
        let error = sampler.draw(&logits, &draw, constraints, &keys).expect_err("refused");
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    };
    let none = &Constraints::NONE;
    for (top_p, value) in [(0.0, "0"), (-0.5, "-0.5"), (1.5, "1.5"), (f32::NAN, "NaN")] {
        refused(Draw { top_p, ..Draw::at(1.0) }, none, &["top_p", value]);
    }
    for (min_p, value) in [(-0.5, "-0.5"), (1.5, "1.5"), (f32::NAN, "NaN")] {
        refused(Draw { min_p, ..Draw::at(1.0) }, none, &["min_p", value]);
    }
    let at = Draw::at(1.0);
    refused(at, &Constraints { banned: &[3, 20], ..*none }, &["banned token", "20"]);
    refused(at, &Constraints { bias: &[(20, 1.0)], ..*none }, &["biased token", "20"]);
    refused(at, &Constraints { bias: &[(2, f32::NAN)], ..*none }, &["bias", "NaN"]);
    refused(at, &Constraints { bias: &[(2, f32::INFINITY)], ..*none }, &["bias", "inf"]);
    let entries = [(2, 1.0), (19, -1.0)];
    for (offsets, words) in [
        (&[][..], &["offsets of row biases", "0", "2"][..]),
        (&[0, 2], &["offsets of row biases", "2"]),
        (&[0, 1, 2, 2], &["offsets of row biases", "4"]),
        (&[1, 1, 2], &["first offset of row biases", "1"]),
        (&[0, 2, 1], &["offset of row biases", "1", "2"]),
        (&[0, 3, 2], &["offset of row biases", "2", "3"]),
        (&[0, 1, 1], &["last offset of row biases", "1", "2"]),
        (&[0, 1, 3], &["last offset of row biases", "3", "2"]),
    ] {
        let row_bias = Some(RowBias { offsets, entries: &entries });
        refused(at, &Constraints { row_bias, ..*none }, words);
    }
    for (entry, words) in [
        ((20, 1.0), &["biased token", "20"][..]),
        ((2, f32::NAN), &["bias", "NaN"]),
        ((2, f32::INFINITY), &["bias", "inf"]),
    ] {
        let row_bias = Some(RowBias { offsets: &[0, 0, 1], entries: &[entry] });
        refused(at, &Constraints { row_bias, ..*none }, words);
    }
    let allowed = Some(AllowedTokens { words: &[], stride: 0 });
    refused(at, &Constraints { allowed, ..*none }, &["allowed tokens", "2", "0"]);
    // Nothing is left: the row is bad, and no error.
    let all: Vec<u32> = (0..20).collect();
    let drawn = sampler.draw(&logits, &at, &Constraints { banned: &all, ..*none }, &keys);
    assert!(drawn.expect("a draw").iter().all(|drawn| drawn.state == RowState::Bad));
}
