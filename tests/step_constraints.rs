//! Steps under constraints: bans, biases, and rows of allowed tokens.

mod rows;

use demask::{
    AllowedTokens, Canvas, Constraints, Key, Logits, Noise, Plan, Policy, RowBias, Sampler, Segment,
};
use rows::{normal_row, row_biases};

const MASK: i32 = 3;
const POSITIONS: usize = 40;

fn policies() -> [Policy<'static>; 6] {
    let mut warm = Policy::llada(4);
    warm.draw.temperature = 1.0;
    let mut filtered = Policy::ancestral(Noise::Linear, 1);
    (filtered.draw.top_k, filtered.draw.top_p) = (5, 0.9);
    [
        Policy::llada(4),
        warm,
        Policy::ancestral(Noise::Linear, 1),
        filtered,
        Policy::random_order(2),
        Policy::fast_dllm(0.5),
    ]
}

/// What a step writes is what a draw draws from the same rows under the same constraints.
#[test]
fn a_step_draws_what_a_draw_draws() {
    for vocab in [33, 700] {
        let logits = normal_row(POSITIONS * vocab, 3.0, 0.0, 5);
        let view = Logits::f32(&logits, POSITIONS, vocab).expect("a view");
        let banned: Vec<u32> = (0..vocab as u32).filter(|v| v % 3 == 0).collect();
        let bias = [(1, 4.0), (4, -2.0), (1, 0.5), (7, f32::NEG_INFINITY)];
        let width = vocab.div_ceil(32);
        let mut state = 9u64;
        let mut word = || {
            state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            (state >> 32) as u32 | 1 << 4
        };
        let words: Vec<u32> = (0..POSITIONS * width).map(|_| word()).collect();
        let allowed = Some(AllowedTokens { words: &words, stride: width });
        let (offsets, entries) = row_biases(POSITIONS, vocab, 12);
        let of_row = |at: usize| &entries[offsets[at] as usize..offsets[at + 1] as usize];
        let row_bias = Some(RowBias { offsets: &offsets, entries: &entries });
        for constraints in [
            Constraints { banned: &banned, ..Constraints::NONE },
            Constraints { bias: &bias, ..Constraints::NONE },
            Constraints { allowed, ..Constraints::NONE },
            Constraints { row_bias, ..Constraints::NONE },
            Constraints { banned: &[2, 5], bias: &bias, row_bias, allowed, ..Constraints::NONE },
        ] {
            for policy in policies() {
                let key = |at: usize| Key { seed: 6, position: at as u32, ..Key::default() };
                let keys: Vec<Key> = (0..POSITIONS).map(key).collect();
                let mut sampler = Sampler::builder(POSITIONS, 1).build().expect("a sampler");
                let whole = Constraints { excluded: Some(MASK as u32), ..constraints };
                let drawn =
                    sampler.draw(&view, &policy.draw, &whole, &keys).expect("a draw").to_vec();

                let policies = [policy];
                let start = Segment { end: POSITIONS as u32, seed: 6, ..Segment::default() };
                let (mut tokens, mut segments) = ([MASK; POSITIONS], [start]);
                let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)
                    .and_then(|canvas| canvas.with_constraints(constraints))
                    .expect("a canvas");
                let report = sampler.step(&mut canvas, &view).expect("a step");
                assert!(report.revealed > 0 && report.bad_rows == 0);
                for (at, &token) in tokens.iter().enumerate().filter(|&(_, &token)| token != MASK) {
                    assert_eq!(token, drawn[at].token, "position {at}");
                    let bit = words[at * width + token as usize / 32] >> (token % 32) & 1;
                    assert!(constraints.allowed.is_none() || bit == 1, "{token} is not allowed");
                    assert!(!constraints.banned.contains(&(token as u32)), "{token} is banned");
                    let banned = of_row(at).contains(&(token as u32, f32::NEG_INFINITY));
                    assert!(constraints.row_bias.is_none() || !banned, "{token} is banned there");
                }
                let full = tokens;

                // By plan, rows of bits and biases are those of the planned logits.
                let (mut tokens, mut segments) = ([MASK; POSITIONS], [start]);
                let canvas =
                    Canvas::new(&mut tokens, MASK, &mut segments, &policies).expect("a canvas");
                let mut plan = Plan::with_capacity(POSITIONS, 1);
                sampler.plan(&canvas, &mut plan).expect("a plan");
                let rows = || plan.rows().iter().map(|&at| at as usize);
                let planned: Vec<u32> =
                    rows().flat_map(|at| words[at * width..(at + 1) * width].to_vec()).collect();
                let allowed =
                    constraints.allowed.map(|allowed| AllowedTokens { words: &planned, ..allowed });
                let (mut starts, mut planned) = (vec![0], Vec::new());
                for at in rows() {
                    planned.extend_from_slice(of_row(at));
                    starts.push(planned.len() as u32);
                }
                let row_bias =
                    constraints.row_bias.map(|_| RowBias { offsets: &starts, entries: &planned });
                let mut canvas = canvas
                    .with_constraints(Constraints { allowed, row_bias, ..constraints })
                    .expect("constraints");
                let index: Vec<u32> = plan.rows().to_vec();
                let view = Logits::new(
                    demask::LogitsData::F32(&logits),
                    POSITIONS,
                    vocab,
                    vocab,
                    Some(&index),
                );
                sampler.step_planned(&mut canvas, &plan, &view.expect("a view")).expect("a step");
                assert_eq!(tokens, full, "planned");
            }
        }
    }
}

/// dllm #105: tokens that are to be suppressed are suppressed after sampling, when confidences have
/// been taken from a law that holds them.
#[test]
fn confidence_is_that_of_the_law_without_banned_tokens() {
    // Position 0 is sure but for a banned token; position 1 is less sure in any case.
    let logits = [[3.0f32, 0.0, 8.0], [2.0, 0.0, 0.0]].concat();
    let view = Logits::f32(&logits, 2, 3).expect("a view");
    for (banned, first) in [(&[2u32][..], 0), (&[], 0)] {
        let policies = [Policy::llada(2)];
        let (mut tokens, mut segments) = ([MASK; 2], [Segment { end: 2, ..Segment::default() }]);
        let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)
            .and_then(|canvas| canvas.with_constraints(Constraints { banned, ..Constraints::NONE }))
            .expect("a canvas");
        let mut sampler = Sampler::builder(2, 1).build().expect("a sampler");
        sampler.step(&mut canvas, &view).expect("a step");
        assert_eq!(tokens.iter().position(|&token| token != MASK), Some(first));
        assert_eq!(tokens[0], if banned.is_empty() { 2 } else { 0 });
    }
    // Without token 2 position 1 is the surer one.
    let logits = [[1.0f32, 0.0, 8.0], [2.0, 0.0, -9.0]].concat();
    let view = Logits::f32(&logits, 2, 3).expect("a view");
    let policies = [Policy::llada(2)];
    let (mut tokens, mut segments) = ([MASK; 2], [Segment { end: 2, ..Segment::default() }]);
    let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)
        .and_then(|canvas| {
            canvas.with_constraints(Constraints { banned: &[2], ..Constraints::NONE })
        })
        .expect("a canvas");
    let mut sampler = Sampler::builder(2, 1).build().expect("a sampler");
    sampler.step(&mut canvas, &view).expect("a step");
    assert_eq!(tokens, [MASK, 0]);
}

#[test]
fn constraints_that_do_not_fit_change_nothing() {
    let logits = [0.0f32; 10];
    let view = Logits::f32(&logits, 2, 5).expect("a view");
    let policies = [Policy::llada(2)];
    let words = [u32::MAX];
    let short = Some(AllowedTokens { words: &words, stride: 1 });
    let entries = [(1, 1.0), (4, f32::INFINITY)];
    let by_row = |offsets, entries| Some(RowBias { offsets, entries });
    let (of_one, infinite) = (by_row(&[0, 2], &entries), by_row(&[0, 1, 2], &entries));
    for (constraints, name) in [
        (Constraints { banned: &[5], ..Constraints::NONE }, "banned token"),
        (Constraints { bias: &[(9, 1.0)], ..Constraints::NONE }, "biased token"),
        (Constraints { bias: &[(1, f32::NAN)], ..Constraints::NONE }, "bias"),
        (Constraints { allowed: short, ..Constraints::NONE }, "allowed"),
        (Constraints { row_bias: of_one, ..Constraints::NONE }, "offsets of row biases"),
        (Constraints { row_bias: infinite, ..Constraints::NONE }, "bias"),
    ] {
        let (mut tokens, mut segments) = ([MASK; 2], [Segment { end: 2, ..Segment::default() }]);
        let before = segments;
        let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)
            .and_then(|canvas| canvas.with_constraints(constraints))
            .expect("a canvas");
        let mut sampler = Sampler::builder(2, 1).build().expect("a sampler");
        let error = sampler.step(&mut canvas, &view).expect_err("refused").to_string();
        assert!(error.contains(name), "{error}");
        let mut plan = Plan::with_capacity(2, 1);
        sampler.plan(&canvas, &mut plan).expect("a plan");
        let error =
            sampler.step_planned(&mut canvas, &plan, &view).expect_err("refused").to_string();
        assert!(error.contains(name), "{error}");
        assert_eq!((tokens, segments), ([MASK; 2], before));
    }
    let (mut tokens, mut segments) = ([MASK; 2], [Segment { end: 2, ..Segment::default() }]);
    let error = Canvas::new(&mut tokens, MASK, &mut segments, &policies)
        .and_then(|canvas| canvas.with_constraints(Constraints::excluding(Some(1))))
        .expect_err("refused")
        .to_string();
    assert!(error.contains("excluded"), "{error}");
}

/// A penalty for what stands beside a position, of each position alone: no token twice in a row.
#[test]
fn a_row_bias_is_of_its_position() {
    let (positions, vocab) = (12, 4);
    let logits = [0.5f32, 0.4, 0.3, 0.2].repeat(positions);
    let view = Logits::f32(&logits, positions, vocab).expect("a view");
    let policies = [Policy::sdar_sequential(positions as u32)];
    let (mut tokens, mut segments) =
        (vec![-1; positions], [Segment { end: positions as u32, ..Segment::default() }]);
    let mut sampler = Sampler::builder(positions, 1).build().expect("a sampler");
    for step in 0..positions {
        let entries: Vec<(u32, f32)> =
            if step == 0 { vec![] } else { vec![(tokens[step - 1] as u32, f32::NEG_INFINITY)] };
        let offsets: Vec<u32> =
            (0..=positions).map(|at| if at > step { entries.len() as u32 } else { 0 }).collect();
        let row_bias = Some(RowBias { offsets: &offsets, entries: &entries });
        let mut canvas = Canvas::new(&mut tokens, -1, &mut segments, &policies)
            .and_then(|canvas| {
                canvas.with_constraints(Constraints { row_bias, ..Constraints::NONE })
            })
            .expect("a canvas");
        assert_eq!(sampler.step(&mut canvas, &view).expect("a step").revealed, 1);
    }
    assert!(tokens.windows(2).all(|pair| pair[0] != pair[1] && pair[0] >= 0), "{tokens:?}");
}
