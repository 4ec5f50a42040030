//! What does a whole step over a batch cost, and what does planning save?
//!
//! 64 sequences of 128 positions, half of them masked, vocabulary 32,000. `plan` alone; `planned`:
//! plan and step on the planned rows; `all rows`: a step that is handed the logits of every
//! position and draws the planned ones; `scalar`: the loop that engines run today over the same
//! rows (f32 expf softmax, running f32 sum). Each policy reveals one position in sixteen or fewer.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use demask::draw::oracle;
use demask::{Canvas, Logits, LogitsData, Noise, Plan, Policy, RowState, Sampler, Segment};
use std::hint::black_box;

const SEQUENCES: usize = 64;
const LENGTH: usize = 128;
const VOCAB: usize = 32_000;
const MASK: i32 = -1;

/// 97 distinct rows, which positions share in turn: 12 MB, more than a core's cache.
fn logits() -> Vec<f32> {
    let mut state = 11u64;
    let mut uniform = || {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    // The sum of four uniforms is near enough to normal, with standard deviation 2.9.
    (0..97 * VOCAB).map(|_| (0..4).map(|_| uniform()).sum::<f32>() * 5.0).collect()
}

fn canvas_state() -> (Vec<i32>, Vec<Segment>) {
    let tokens = (0..SEQUENCES * LENGTH).map(|at| if at % 2 == 0 { MASK } else { 7 }).collect();
    let segment = |k: usize| Segment {
        begin: (k * LENGTH) as u32,
        end: ((k + 1) * LENGTH) as u32,
        stream: k as u64,
        ..Segment::default()
    };
    (tokens, (0..SEQUENCES).map(segment).collect())
}

/// The draw as a plain loop, for comparison: three passes, expf, a running sum in f32.
fn scalar_draw(row: &[f32], u: f32, weights: &mut [f32]) -> usize {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for (weight, &x) in weights.iter_mut().zip(row) {
        *weight = (x - max).exp();
        sum += *weight;
    }
    let mut left = u * sum;
    weights
        .iter()
        .position(|&w| {
            left -= w;
            left < 0.0
        })
        .unwrap_or(row.len() - 1)
}

fn step(c: &mut Criterion) {
    let data = logits();
    let (tokens, segments) = canvas_state();
    let positions = tokens.len();
    let law = oracle::probabilities(&data[..VOCAB], 1.0, None).expect("a usable row");
    assert!(law.iter().all(|&p| p > 0.0), "every token of a row is possible");

    let cases = [
        ("first_hitting", Policy::first_hitting(Noise::Linear)),
        ("euler_32", Policy::euler(Noise::Linear, 32)),
        ("random_order_16", Policy::random_order(16)),
    ];
    for (name, policy) in cases {
        let policies = [policy];
        let mut sampler = Sampler::builder(positions, SEQUENCES).build().expect("a sampler");
        let mut plan = Plan::with_capacity(positions, SEQUENCES);
        let (mut work, mut state) = (tokens.clone(), segments.clone());
        let canvas = Canvas::new(&mut work, MASK, &mut state, &policies).expect("a canvas");
        sampler.plan(&canvas, &mut plan).expect("a plan");
        let rows = plan.rows().len();
        let index: Vec<u32> = plan.rows().iter().map(|&at| at % 97).collect();
        let planned = Logits::new(LogitsData::F32(&data), 97, VOCAB, VOCAB, Some(&index));
        let planned = planned.expect("a view");
        let all: Vec<u32> = (0..positions as u32).map(|at| at % 97).collect();
        let all = Logits::new(LogitsData::F32(&data), 97, VOCAB, VOCAB, Some(&all));
        let all = all.expect("a view");

        // Both forms reveal the planned positions, with the same tokens.
        let mut run = |planned_form: bool| {
            let (mut work, mut state) = (tokens.clone(), segments.clone());
            let mut canvas = Canvas::new(&mut work, MASK, &mut state, &policies).expect("ok");
            let report = if planned_form {
                sampler.step_planned(&mut canvas, &plan, &planned)
            } else {
                sampler.step(&mut canvas, &all)
            };
            assert_eq!(report.expect("a step").revealed, rows);
            assert!(sampler.drawn().iter().all(|drawn| drawn.state == RowState::Drawn));
            work
        };
        assert_eq!(run(true), run(false), "the two forms agree");

        let mut group = c.benchmark_group(format!("step/{name}"));
        group.throughput(Throughput::Elements(positions as u64));
        group.bench_function("plan", |b| {
            let (mut work, mut state) = (tokens.clone(), segments.clone());
            let canvas = Canvas::new(&mut work, MASK, &mut state, &policies).expect("a canvas");
            b.iter(|| sampler.plan(black_box(&canvas), &mut plan).expect("a plan"));
        });
        group.throughput(Throughput::Elements((rows * VOCAB) as u64));
        for (form, planned_form) in [("planned", true), ("all rows", false)] {
            group.bench_function(form, |b| {
                let (mut work, mut state) = (tokens.clone(), segments.clone());
                b.iter(|| {
                    work.copy_from_slice(&tokens);
                    state.copy_from_slice(&segments);
                    let mut canvas =
                        Canvas::new(&mut work, MASK, &mut state, &policies).expect("ok");
                    let report = if planned_form {
                        sampler.plan(&canvas, &mut plan).expect("a plan");
                        sampler.step_planned(&mut canvas, &plan, &planned)
                    } else {
                        sampler.step(&mut canvas, &all)
                    };
                    black_box(report.expect("a step"))
                });
            });
        }
        group.bench_function("scalar", |b| {
            let mut weights = vec![0.0; VOCAB];
            b.iter(|| {
                for (k, &row) in index.iter().enumerate() {
                    let row = &data[row as usize * VOCAB..][..VOCAB];
                    black_box(scalar_draw(row, (k as f32 + 0.5) / rows as f32, &mut weights));
                }
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(core::time::Duration::from_millis(500))
        .measurement_time(core::time::Duration::from_secs(2));
    targets = step
}
criterion_main!(benches);
