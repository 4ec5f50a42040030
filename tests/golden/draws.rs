//! Tokens by every rule and type, under constraints, and statistics.

use super::inputs::{Typed, keys, rows, view};
use super::lines::{Hash, Lines};
use demask::policy::{DrawMethod, FilterOrder, NucleusEdge};
use demask::{
    AllowedTokens, Constraints, Draw, Drawn, Level, Logits, RowBias, RowOutputs, RowStatistics,
    Sampler, Statistics, TopToken,
};

/// Vocabularies, and how many rows are drawn from.
const SHAPES: [(usize, usize); 5] = [(20, 64), (33, 64), (257, 32), (4_096, 12), (50_257, 3)];

/// Draws from each row.
const MANY: usize = 3;

fn rules() -> [(&'static str, Draw); 14] {
    let plain = Draw::at(1.0);
    let race = Draw { method: DrawMethod::ExponentialRace, ..plain };
    let all = Draw { top_k: 12, top_p: 0.9, min_p: 0.02, ..Draw::at(0.75) };
    let before = FilterOrder::BeforeTemperature;
    [
        ("T 1", plain),
        ("T 0", Draw::at(0.0)),
        ("T 0.25", Draw::at(0.25)),
        ("T inf", Draw::at(f32::INFINITY)),
        ("top-k 5", Draw { top_k: 5, ..plain }),
        ("top-p 0.75", Draw { top_p: 0.75, ..plain }),
        ("min-p 0.1", Draw { min_p: 0.1, ..plain }),
        ("all filters", all),
        ("filters before T", Draw { filter_order: before, ..all }),
        ("nucleus drops", Draw { top_p: 0.75, nucleus_edge: NucleusEdge::Drop, ..plain }),
        ("race", race),
        ("race T 0.25", Draw { temperature: 0.25, ..race }),
        ("race top-k 5", Draw { top_k: 5, ..race }),
        ("race all filters", Draw { method: DrawMethod::ExponentialRace, ..all }),
    ]
}

fn sampler(level: Level, rows: usize, vocab: usize) -> Sampler {
    Sampler::builder(rows, 1).level(level).vocab(vocab).build().expect("a sampler")
}

fn push_tokens(lines: &mut Lines, name: &str, drawn: &[Drawn]) {
    let mut hash = Hash::new();
    for drawn in drawn {
        hash.int(drawn.token);
        hash.word(drawn.state as u64);
    }
    let shown: Vec<_> = drawn.iter().take(8).map(|drawn| drawn.token).collect();
    lines.push(name, &shown, &hash);
}

pub(crate) fn draws(level: Level) -> Lines {
    let mut lines = Lines::default();
    for (vocab, count) in SHAPES {
        let data = Typed::new(rows(count, vocab, 1));
        let mut sampler = sampler(level, MANY * count, vocab);
        for (kind, data) in data.each() {
            for (rule, draw) in rules() {
                let logits = view(data, count, vocab);
                let drawn =
                    sampler.draw_many(&logits, &draw, &Constraints::NONE, &keys(count), MANY);
                let name = format!("{kind} V {vocab} {rule}");
                push_tokens(&mut lines, &name, drawn.expect("a draw"));
            }
        }
    }
    lines
}

pub(crate) fn constraints(level: Level) -> Lines {
    let mut lines = Lines::default();
    for (vocab, count) in [SHAPES[1], SHAPES[3]] {
        let data = Typed::new(rows(count, vocab, 2));
        let guides = Typed::new(rows(count, vocab, 3));
        let mut sampler = sampler(level, MANY * count, vocab);
        let token = |k: usize| (k * 7 % vocab) as u32;
        let bias = [(token(1), 1.5), (token(2), -2.25), (token(3), f32::NEG_INFINITY)];
        let entries: Vec<_> = (0..count).map(|k| (token(k + 4), 3.0)).collect();
        let offsets: Vec<_> = (0..=count as u32).collect();
        let stride = vocab.div_ceil(32);
        let words = (0..count * stride).map(|i| 0x5BD3_6A97u32.rotate_left(i as u32));
        let words: Vec<_> = words.collect();
        let none = Constraints::NONE;
        let cases = [
            ("excluded and banned", Constraints { banned: &[0, 5], excluded: Some(9), ..none }),
            ("bias", Constraints { bias: &bias, ..none }),
            (
                "bias by row",
                Constraints {
                    row_bias: Some(RowBias { offsets: &offsets, entries: &entries }),
                    ..none
                },
            ),
            (
                "allowed",
                Constraints { allowed: Some(AllowedTokens { words: &words, stride }), ..none },
            ),
        ];
        for ((kind, data), (_, guide)) in data.each().into_iter().zip(guides.each()) {
            let logits = view(data, count, vocab);
            let mut push = |name: &str, logits: &Logits<'_>, constraints: &Constraints<'_>| {
                for (rule, draw) in rules().into_iter().step_by(7) {
                    let drawn = sampler.draw_many(logits, &draw, constraints, &keys(count), MANY);
                    let name = format!("{kind} V {vocab} {name}, {rule}");
                    push_tokens(&mut lines, &name, drawn.expect("a draw"));
                }
            };
            for (name, constraints) in &cases {
                push(name, &logits, constraints);
            }
            let guided = logits.guided(&view(guide, count, vocab), 1.5).expect("a guide that fits");
            push("guided", &guided, &none);
        }
    }
    lines
}

/// All numbers of a row.
pub(crate) fn numbers(row: &RowStatistics) -> [f64; 12] {
    [
        row.log_sum_exp,
        row.entropy,
        row.probability,
        row.log_probability,
        row.log_others,
        row.margin,
        row.argmax_log_others,
        row.log_margin_gap,
        row.given_log_probability,
        row.divergence,
        row.max.into(),
        row.argmax.into(),
    ]
}

pub(crate) fn statistics(level: Level) -> Lines {
    let mut lines = Lines::default();
    for (vocab, count) in SHAPES {
        let data = rows(count, vocab, 4);
        // Other rows, which lack the same tokens.
        let pairs = data.iter().zip(rows(count, vocab, 5));
        let other = |(&x, other): (&f32, f32)| if x.is_finite() { x.max(other) } else { x };
        let (others, data) = (Typed::new(pairs.map(other).collect()), Typed::new(data));
        let mut sampler = sampler(level, count, vocab);
        let given: Vec<_> = (0..count).map(|k| (k * 11 % vocab) as u32).collect();
        for ((kind, data), (_, other)) in data.each().into_iter().zip(others.each()) {
            let logits = view(data, count, vocab);
            let other = view(other, count, vocab);
            let plain = Statistics { given: &given, ..Statistics::default() };
            let filters = Draw { top_k: 12, top_p: 0.9, ..Draw::at(2.0) };
            let cases = [
                ("T 1", Draw::at(1.0), Statistics { against: Some(other), ..plain }),
                ("T 0.5 greedy", Draw::at(0.0), Statistics { temperature: 0.5, ..plain }),
                ("T 2 filtered", filters, Statistics { temperature: 2.0, filtered: true, ..plain }),
            ];
            for (rule, draw, wanted) in cases {
                let mut described = vec![RowStatistics::BAD; count];
                let mut top = vec![TopToken { token: -1, logit: 0.0 }; 3 * count];
                let into = RowOutputs { statistics: &mut described, top: &mut top };
                sampler
                    .draw_with_statistics(
                        &logits,
                        &draw,
                        &Constraints::NONE,
                        &keys(count),
                        &wanted,
                        into,
                    )
                    .expect("a draw");
                let mut hash = Hash::new();
                described.iter().flat_map(numbers).for_each(|x| hash.float(x));
                for top in &top {
                    hash.int(top.token);
                    hash.float(top.logit.into());
                }
                lines.push(&format!("{kind} V {vocab} {rule}"), &numbers(&described[0]), &hash);
            }
        }
    }
    lines
}
