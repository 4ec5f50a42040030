//! What does a plan cost?
//!
//! 4,096 sequences of 1,024 positions on one canvas (16 MB of tokens), one thread. `all masked` is
//! the first step of 32; `half`: every second position is masked, in the middle of decoding; `end`:
//! one in 32. `scan` is the least that any plan does: it finds and counts the masks of sequences in
//! which nothing moves any more. Throughput is in positions.
//!
//! Where a plan is slower than a position a nanosecond, its time goes to what it draws: about 20 ns
//! for each hit of several at once (an exponential in f64 and its place), and two 64-bit products a
//! position for pre-drawn numbers, which only AVX-512 has as vectors.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use demask::{Canvas, Level, Noise, Plan, Policy, Sampler, Segment, Select};
use std::hint::black_box;

const SEQUENCES: usize = 4_096;
const LENGTH: usize = 1_024;
const MASK: i32 = 126_336;

/// A canvas on which one position in `every` is masked.
fn canvas_state(every: usize, step: u32) -> (Vec<i32>, Vec<Segment>) {
    let token = |at: usize| if at.is_multiple_of(every) { MASK } else { at as i32 % 50_000 };
    let segment = |k: usize| Segment {
        begin: (k * LENGTH) as u32,
        end: ((k + 1) * LENGTH) as u32,
        stream: k as u64,
        step,
        ..Segment::default()
    };
    ((0..SEQUENCES * LENGTH).map(token).collect(), (0..SEQUENCES).map(segment).collect())
}

fn plan(c: &mut Criterion) {
    let predrawn = |policy: Policy<'static>, select| Policy { select, ..policy };
    let euler = Policy::euler(Noise::Linear, 32);
    let hitting = Policy::first_hitting(Noise::Cosine);
    let policies = [
        ("first_hitting", hitting),
        ("first_hitting_parallel", Policy::first_hitting_parallel(Noise::Cosine, 32)),
        ("euler", euler),
        ("ancestral", Policy::ancestral(Noise::Cosine, 32)),
        ("random_order", Policy::random_order(32)),
        ("predrawn_euler", predrawn(euler, Select::PredrawnBernoulli)),
        ("predrawn_first_hitting", predrawn(hitting, Select::PredrawnFirstHitting)),
        ("euler_score", Policy::euler_score(Noise::Linear, 32)),
    ];
    let masks = [("all masked", 1, 0), ("half", 2, 16), ("end", 32, 31)];
    let mut group = c.benchmark_group("plan");
    group.throughput(Throughput::Elements((SEQUENCES * LENGTH) as u64));
    let mut plan = Plan::with_capacity(SEQUENCES * LENGTH, SEQUENCES);
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        let sampler = Sampler::builder(1, 1).level(level).build().expect("a sampler");
        let mut run = |name: String, policy, every, step| {
            let policies = [policy];
            let (mut tokens, mut segments) = canvas_state(every, step);
            let canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies).expect("ok");
            sampler.plan(&canvas, &mut plan).expect("a plan");
            assert_eq!(plan.active() == 0, name == "scan");
            group.bench_function(BenchmarkId::new(name, level), |b| {
                b.iter(|| sampler.plan(black_box(&canvas), &mut plan).expect("a plan"));
            });
        };
        run("scan".to_owned(), euler, 1, 32);
        for (name, policy) in policies {
            for (state, every, step) in masks {
                run(format!("{name}, {state}"), policy, every, step);
            }
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(core::time::Duration::from_millis(100))
        .measurement_time(core::time::Duration::from_millis(400));
    targets = plan
}
criterion_main!(benches);
