//! What does the exponential race cost, beside the other draw and merely reading the row?
//!
//! `read` is the plainest vector maximum, `draw` the default draw, `race` the keyed exponential race
//! with noise for every token. Normal logits (standard deviation 3) in cache. Throughput is in
//! logits.

mod cached_rows;

use cached_rows::{key_sets, normal_logits, time_read};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use demask::draw::oracle;
use demask::policy::DrawMethod;
use demask::{Constraints, Draw, Level, Logits, Sampler};
use std::hint::black_box;

fn race(c: &mut Criterion) {
    for vocab in [33, 4_096, 32_000, 126_464] {
        let rows = (1 << 19) / vocab;
        let logits = normal_logits(rows * vocab, 3.0);
        let (logits, keys) = (logits.logits(), key_sets(rows));
        let mut group = c.benchmark_group(format!("race/{vocab}"));
        group.throughput(Throughput::Elements((rows * vocab) as u64));
        let mut first = None;
        for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
            time_read(&mut group, level, logits, vocab);
            let mut sampler = Sampler::builder(rows, 1).level(level).build().expect("a sampler");
            let view = Logits::f32(logits, rows, vocab).expect("a fine view");
            for (name, method) in
                [("draw", DrawMethod::Rejection), ("race", DrawMethod::ExponentialRace)]
            {
                let draw = Draw { method, ..Draw::at(1.0) };
                group.bench_function(BenchmarkId::new(name, level), |b| {
                    let mut keys = keys.iter().cycle();
                    b.iter(|| {
                        let keys = keys.next().expect("a cycle has no end");
                        let drawn = sampler.draw(black_box(&view), &draw, &Constraints::NONE, keys);
                        black_box(drawn.expect("a fine draw"));
                    });
                });
                // Tokens that the law allows, the same at every level.
                let drawn = sampler.draw(&view, &draw, &Constraints::NONE, &keys[0]);
                let drawn = drawn.expect("a fine draw");
                for (row, drawn) in logits.chunks_exact(vocab).zip(drawn) {
                    let law = oracle::probabilities(row, 1.0, None).expect("a usable row");
                    assert!(law[drawn.token as usize] > 0.0, "an impossible token");
                }
                if method == DrawMethod::ExponentialRace {
                    assert_eq!(first.get_or_insert_with(|| drawn.to_vec()), drawn, "{level}");
                }
            }
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(core::time::Duration::from_millis(300))
        .measurement_time(core::time::Duration::from_secs(1));
    targets = race
}
criterion_main!(benches);
