//! What do first-hitting times cost?
//!
//! | benchmark | what is made |
//! |---|---|
//! | `all` | all events of 1,024 sequences of 1,024 masks, in order |
//! | `all_long` | all events of 8 sequences of 131,072 masks |
//! | `next_of_each` | the next event of each of 4,096 sequences, each from its own key |
//! | `of_positions` | when each of 1,024 positions of 1,024 sequences is hit |
//! | `scalar/…` | the events of `all`, one by one, as engines write it |
//!
//! The scalar loops make τ ← u^(1/n) τ for the masked fraction τ, with `powf`: `exp1_powf` from
//! `rand_distr`'s Exp1, as (1/e)^(E/n); `uniform_powf` from a uniform u. `exp1_log` adds logarithms,
//! which is as fast as a scalar loop gets. Throughput is in events, on one core.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use demask::schedule::hitting;
use demask::{Key, Level, Purpose};
use rand_distr::{Distribution, Exp1, OpenClosed01};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::hint::black_box;

const SEQUENCES: usize = 1_024;
const MASKS: usize = 1_024;
const LONG: usize = 131_072;

fn key(stream: usize) -> Key {
    Key { stream: stream as u64, ..Key::default() }
}

/// The masked fraction after the k-th of n events has mean (n − k)/(n + 1).
fn check(name: &str, mut events_of: impl FnMut(usize, &mut [f64])) {
    let mut sums = vec![0.0; MASKS];
    let mut events = vec![0.0; MASKS];
    for stream in 0..SEQUENCES {
        events_of(stream, &mut events);
        for (sum, event) in sums.iter_mut().zip(&events) {
            *sum += event.exp();
        }
    }
    for (k, sum) in sums.into_iter().enumerate() {
        let expected = (MASKS - k) as f64 / (MASKS + 1) as f64;
        let deviation = (expected * (1.0 - expected) / (MASKS + 2) as f64).sqrt();
        let error = (sum / SEQUENCES as f64 - expected) / deviation * (SEQUENCES as f64).sqrt();
        assert!(error.abs() < 5.0, "{name}, event {k}: {error} standard errors off");
    }
}

fn exp1_powf(rng: &mut Xoshiro256PlusPlus, events: &mut [f64]) {
    let masks = events.len();
    let mut masked = 1.0f64;
    for (k, event) in events.iter_mut().enumerate() {
        let wait: f64 = Exp1.sample(rng);
        masked *= (-1f64).exp().powf(wait / (masks - k) as f64);
        *event = masked;
    }
}

fn uniform_powf(rng: &mut Xoshiro256PlusPlus, events: &mut [f64]) {
    let masks = events.len();
    let mut masked = 1.0f64;
    for (k, event) in events.iter_mut().enumerate() {
        let u: f64 = OpenClosed01.sample(rng);
        masked *= u.powf(1.0 / (masks - k) as f64);
        *event = masked;
    }
}

fn exp1_log(rng: &mut Xoshiro256PlusPlus, events: &mut [f64]) {
    let masks = events.len();
    let mut log_masked = 0.0f64;
    for (k, event) in events.iter_mut().enumerate() {
        let wait: f64 = Exp1.sample(rng);
        log_masked -= wait / (masks - k) as f64;
        *event = log_masked;
    }
}

/// A scalar loop: its name, itself, and whether it makes logarithms.
type Scalar = (&'static str, fn(&mut Xoshiro256PlusPlus, &mut [f64]), bool);

fn hitting_times(c: &mut Criterion) {
    let mut group = c.benchmark_group("hitting_times");
    let events = &mut vec![0.0; MASKS];
    let long = &mut vec![0.0; LONG];
    let scalar: [Scalar; 3] = [
        ("exp1_powf", exp1_powf, false),
        ("uniform_powf", uniform_powf, false),
        ("exp1_log", exp1_log, true),
    ];
    group.throughput(Throughput::Elements((SEQUENCES * MASKS) as u64));
    for (name, run, logarithms) in scalar {
        let mut rng = key(0).generator(Purpose::Hit);
        check(name, |_, events| {
            run(&mut rng, events);
            if !logarithms {
                events.iter_mut().for_each(|event| *event = event.ln());
            }
        });
        group.bench_function(BenchmarkId::new("scalar", name), |b| {
            b.iter(|| {
                for _ in 0..SEQUENCES {
                    run(&mut rng, black_box(events));
                }
            });
        });
    }
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        check("all", |stream, events| hitting::all(level, key(stream), 0.0, events));
        group.throughput(Throughput::Elements((SEQUENCES * MASKS) as u64));
        group.bench_function(BenchmarkId::new("all", level), |b| {
            b.iter(|| {
                for stream in 0..SEQUENCES {
                    hitting::all(level, key(stream), 0.0, black_box(events));
                }
            });
        });
        let positions: Vec<u32> = (0..MASKS as u32).collect();
        group.bench_function(BenchmarkId::new("of_positions", level), |b| {
            b.iter(|| {
                for stream in 0..SEQUENCES {
                    let events = black_box(&mut *events);
                    hitting::of_positions(level, key(stream), 0.0, &positions, events).expect("ok");
                }
            });
        });
        group.throughput(Throughput::Elements((8 * LONG) as u64));
        group.bench_function(BenchmarkId::new("all_long", level), |b| {
            b.iter(|| {
                for stream in 0..8 {
                    hitting::all(level, key(stream), 0.0, black_box(long));
                }
            });
        });
        const EACH: usize = 4_096;
        let keys: Vec<Key> = (0..EACH).map(key).collect();
        let masks: Vec<u32> = (0..EACH as u32).map(|k| 1 + k % 2_048).collect();
        let mut log_masked = vec![0.0; EACH];
        group.throughput(Throughput::Elements(EACH as u64));
        group.bench_function(BenchmarkId::new("next_of_each", level), |b| {
            b.iter(|| {
                let log_masked = black_box(&mut log_masked);
                hitting::next_of_each(level, &keys, &masks, log_masked).expect("ok");
            });
        });
    }
    group.throughput(Throughput::Elements(SEQUENCES as u64));
    group.bench_function("next", |b| {
        let mut log_masked = vec![0.0; SEQUENCES];
        b.iter(|| {
            for (stream, log_masked) in log_masked.iter_mut().enumerate() {
                let mut rng = key(stream).generator(Purpose::Hit);
                *log_masked = hitting::next(0.0, MASKS as u32, &mut rng);
            }
            black_box(&log_masked);
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(core::time::Duration::from_millis(300))
        .measurement_time(core::time::Duration::from_secs(1));
    targets = hitting_times
}
criterion_main!(benches);
