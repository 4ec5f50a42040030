//! What do first-hitting times cost?
//!
//! `all`: all events of 1,024 sequences of 1,024 masks, in order, at each level; `next`: the next
//! event of one sequence after another, each from its own key; `scalar`: the same events by the
//! formula as it is usually written, τ ← 1 − u^(1/n)·(1 − τ) with `powf`. Throughput is in events.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use demask::schedule::hitting;
use demask::{Key, Level, Purpose};
use std::hint::black_box;

const SEQUENCES: u64 = 1_024;
const MASKS: usize = 1_024;

/// The masked fraction after the k-th of n events has mean (n − k)/(n + 1).
fn check(level: Level) {
    let mut sums = vec![0.0; MASKS];
    let mut events = vec![0.0; MASKS];
    for stream in 0..SEQUENCES {
        hitting::all(level, Key { stream, ..Key::default() }, 0.0, &mut events);
        for (sum, event) in sums.iter_mut().zip(&events) {
            *sum += event.exp();
        }
    }
    for (k, sum) in sums.into_iter().enumerate() {
        let expected = (MASKS - k - 1 + 1) as f64 / (MASKS + 1) as f64;
        let deviation = (expected * (1.0 - expected) / (MASKS + 2) as f64).sqrt();
        let error = (sum / SEQUENCES as f64 - expected) / deviation * (SEQUENCES as f64).sqrt();
        assert!(error.abs() < 5.0, "event {k}: {error} standard errors off");
    }
}

fn hitting_times(c: &mut Criterion) {
    let mut group = c.benchmark_group("hitting_times");
    group.throughput(Throughput::Elements(SEQUENCES * MASKS as u64));
    let mut events = vec![0.0; MASKS];
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        check(level);
        group.bench_function(BenchmarkId::new("all", level), |b| {
            b.iter(|| {
                for stream in 0..SEQUENCES {
                    let key = Key { stream, ..Key::default() };
                    hitting::all(level, black_box(key), 0.0, &mut events);
                }
                black_box(&events);
            });
        });
    }
    group.bench_function("scalar", |b| {
        let mut state = 1u64;
        b.iter(|| {
            for _ in 0..SEQUENCES {
                let mut masked = 1.0f64;
                for (k, event) in events.iter_mut().enumerate() {
                    state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
                    let u = ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
                    masked *= u.powf(1.0 / (MASKS - k) as f64);
                    *event = masked;
                }
                black_box(&events);
            }
        });
    });
    group.throughput(Throughput::Elements(SEQUENCES));
    group.bench_function("next", |b| {
        let mut log_masked = vec![0.0; SEQUENCES as usize];
        b.iter(|| {
            for (stream, log_masked) in log_masked.iter_mut().enumerate() {
                let key = Key { stream: stream as u64, ..Key::default() };
                *log_masked = hitting::next(0.0, MASKS as u32, &mut key.generator(Purpose::Hit));
            }
            black_box(&log_masked);
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(core::time::Duration::from_millis(500))
        .measurement_time(core::time::Duration::from_secs(2));
    targets = hitting_times
}
criterion_main!(benches);
