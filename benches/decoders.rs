//! What does a whole step of a decoding rule cost, beside the loops that projects run, and how much of
//! it is not the rows?
//!
//! Shapes are those of models: `llada` (a block of 32 rows of 126,464 tokens), `gemma` (a canvas of
//! 256 rows of 262,144), `mdlm` (64 sequences of 1,024 rows of 50,257) and `protein` (4,096 sequences
//! of 256 rows of 33), all rows masked. Of `mdlm` 2,048 rows are distinct and shared in turn, 412 MB
//! of them in f32.
//!
//! `confidence` is LLaDA's rule, which describes every row: `step` is the step, `rows` the same rows
//! drawn and described without a canvas. `ancestral` reveals all rows, which are only drawn from. Beside
//! them, row by row, what projects do, as plain loops: `Gumbel, f64` and `greedy, softmax` for the first
//! rule (LLaDA at temperature 1 and 0), also `records, entropy` (llama.cpp), `softmax, CDF` and
//! `race, f32` for the second. Throughput is in logits, all on one thread.

#[path = "roofline/rivals.rs"]
#[allow(dead_code, reason = "not every loop is a decoder's")]
mod rivals;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use demask::{
    Canvas, Constraints, Key, Logits, LogitsData, Noise, Policy, RowOutputs, RowStatistics,
    Sampler, Segment, Statistics, bf16,
};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use rivals::{Rival, Working};
use std::hint::black_box;
use std::time::{Duration, Instant};

const MASK: i32 = -1;

struct Shape {
    name: &'static str,
    sequences: usize,
    length: usize,
    vocab: usize,
    distinct: usize,
}

const SHAPES: [Shape; 4] = [
    Shape { name: "llada", sequences: 1, length: 32, vocab: 126_464, distinct: 32 },
    Shape { name: "gemma", sequences: 1, length: 256, vocab: 262_144, distinct: 256 },
    Shape { name: "mdlm", sequences: 64, length: 1_024, vocab: 50_257, distinct: 2_048 },
    Shape { name: "protein", sequences: 4_096, length: 256, vocab: 33, distinct: 1 << 20 },
];

/// Nearly normal logits with standard deviation 2.9.
fn logits(len: usize) -> Vec<f32> {
    let mut state = 11u64;
    let mut uniform = || {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    (0..len).map(|_| (0..4).map(|_| uniform()).sum::<f32>() * 5.0).collect()
}

fn segments(shape: &Shape) -> Vec<Segment> {
    let segment = |i: usize| Segment {
        begin: (i * shape.length) as u32,
        end: ((i + 1) * shape.length) as u32,
        stream: i as u64,
        ..Segment::default()
    };
    (0..shape.sequences).map(segment).collect()
}

fn decoders(c: &mut Criterion) {
    for shape in &SHAPES {
        let &Shape { name, sequences, length, vocab, distinct } = shape;
        let positions = sequences * length;
        let data = logits(distinct * vocab);
        let index: Vec<u32> = (0..positions as u32).map(|at| at % distinct as u32).collect();
        let keys: Vec<Key> = (0..positions)
            .map(|at| Key {
                stream: (at / length) as u64,
                position: (at % length) as u32,
                ..Key::default()
            })
            .collect();
        let mut sampler =
            Sampler::builder(positions, sequences).vocab(vocab).build().expect("a sampler");
        let mut described = vec![RowStatistics::BAD; positions];
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements((positions * vocab) as u64));
        for dtype in ["f32", "bf16"] {
            let brain: Vec<bf16> = match dtype {
                "f32" => Vec::new(),
                _ => data.iter().map(|&z| bf16::from_f32(z)).collect(),
            };
            let rows =
                if dtype == "f32" { LogitsData::F32(&data) } else { LogitsData::Bf16(&brain) };
            let view = Logits::new(rows, distinct, vocab, vocab, Some(&index)).expect("a view");
            let rules = [
                ("confidence", Policy::llada(1), true),
                ("ancestral", Policy::ancestral(Noise::Linear, 1), false),
            ];
            for (rule, policy, describes) in rules {
                let policies = [policy];
                let (mut tokens, mut state) = (vec![MASK; positions], segments(shape));
                let draw = policy.draw;
                let mut canvas = Canvas::new(&mut tokens, MASK, &mut state, &policies).expect("ok");
                sampler.step(&mut canvas, &view).expect("a step");
                let drawn = sampler.draw(&view, &draw, &Constraints::NONE, &keys).expect("a draw");
                let same = drawn.iter().zip(&tokens).all(|(drawn, &token)| drawn.token == token);
                assert!(same, "a step draws what a draw draws");
                let id = |form: &str| BenchmarkId::new(format!("{rule}, {form}"), dtype);
                group.bench_function(id("step"), |b| {
                    b.iter_custom(|times| {
                        let mut spent = Duration::ZERO;
                        for _ in 0..times {
                            tokens.fill(MASK);
                            state.iter_mut().for_each(|segment| segment.step = 0);
                            let begin = Instant::now();
                            let mut canvas =
                                Canvas::new(&mut tokens, MASK, &mut state, &policies).expect("ok");
                            let report = sampler.step(&mut canvas, &view).expect("a step");
                            spent += begin.elapsed();
                            assert_eq!(report.revealed, positions, "all are revealed");
                        }
                        spent
                    });
                });
                group.bench_function(id("rows"), |b| {
                    b.iter(|| {
                        let (none, view) = (&Constraints::NONE, black_box(&view));
                        let drawn = if describes {
                            let into = RowOutputs { statistics: &mut described, top: &mut [] };
                            let wanted = &Statistics::default();
                            sampler.draw_with_statistics(view, &draw, none, &keys, wanted, into)
                        } else {
                            sampler.draw(view, &draw, none, &keys)
                        };
                        black_box(drawn.expect("a draw").len())
                    });
                });
            }
        }
        // As many rows as take the loops a while.
        let some = (1 << 21) / vocab + 1;
        let some = some.min(distinct);
        group.throughput(Throughput::Elements((some * vocab) as u64));
        let loops: [(&str, Rival); 5] = [
            ("records, entropy", rivals::records_entropy),
            ("Gumbel, f64", rivals::gumbel_f64),
            ("greedy, softmax", rivals::greedy_confidence),
            ("softmax, CDF", rivals::softmax_cdf),
            ("race, f32", rivals::race_f32),
        ];
        for (rule, rival) in loops {
            let (mut work, mut rng) = (Working::default(), Xoshiro256PlusPlus::seed_from_u64(1));
            group.bench_function(BenchmarkId::new(format!("plain {rule}"), "f32"), |b| {
                b.iter(|| {
                    for row in data.chunks(vocab).take(some) {
                        black_box(rival(&mut work, black_box(row), &mut rng));
                    }
                });
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(core::time::Duration::from_millis(300))
        .measurement_time(core::time::Duration::from_secs(2));
    targets = decoders
}
criterion_main!(benches);
