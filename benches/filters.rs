//! What does a filter add to a draw?
//!
//! Draws at temperature 1 from normal logits (standard deviation 3) in cache, without a filter and
//! with top-k 50, min-p 0.05, top-p 0.9 and all of them. Throughput is in logits.

mod cached_rows;

use cached_rows::{key_sets, normal_logits};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use demask::draw::oracle;
use demask::{Constraints, Draw, Key, Level, Logits, Sampler};
use std::hint::black_box;

const PLAIN: Draw = Draw::at(1.0);
const FILTERS: [(&str, Draw); 5] = [
    ("none", PLAIN),
    ("top-k 50", Draw { top_k: 50, ..PLAIN }),
    ("min-p 0.05", Draw { min_p: 0.05, ..PLAIN }),
    ("top-p 0.9", Draw { top_p: 0.9, ..PLAIN }),
    ("all", Draw { top_k: 50, min_p: 0.05, top_p: 0.9, ..PLAIN }),
];

/// Every token that is drawn must be one that the filters leave.
fn check(sampler: &mut Sampler, logits: &[f32], vocab: usize, keys: &[Key], draw: &Draw) {
    let view = Logits::f32(logits, keys.len(), vocab).expect("a fine view");
    let drawn = sampler.draw(&view, draw, &Constraints::NONE, keys).expect("a fine draw");
    for (row, drawn) in logits.chunks_exact(vocab).zip(drawn) {
        let law = oracle::probabilities(row, 1.0, None).expect("a usable row");
        let p = law[drawn.token as usize];
        let above = law.iter().filter(|&&other| other > p);
        assert!(draw.top_k == 0 || above.clone().count() < draw.top_k as usize, "top-k");
        assert!(p > 0.999 * f64::from(draw.min_p) * law.iter().copied().fold(0.0, f64::max));
        let mass: f64 = above.sum();
        assert!(draw.top_k != 0 || mass < f64::from(draw.top_p) + 1e-6, "top-p");
    }
}

fn filters(c: &mut Criterion) {
    for vocab in [4_096, 32_000, 126_464] {
        let rows = (1 << 19) / vocab;
        let logits = normal_logits(rows * vocab, 3.0);
        let (logits, keys) = (logits.logits(), key_sets(rows));
        let mut group = c.benchmark_group(format!("filters/{vocab}"));
        group.throughput(Throughput::Elements((rows * vocab) as u64));
        for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
            let mut sampler = Sampler::builder(rows, 1).level(level).build().expect("a sampler");
            let view = Logits::f32(logits, rows, vocab).expect("a fine view");
            for (name, draw) in &FILTERS {
                check(&mut sampler, logits, vocab, &keys[0], draw);
                group.bench_function(BenchmarkId::new(*name, level), |b| {
                    let mut keys = keys.iter().cycle();
                    b.iter(|| {
                        let keys = keys.next().expect("a cycle has no end");
                        let drawn = sampler.draw(black_box(&view), draw, &Constraints::NONE, keys);
                        black_box(drawn.expect("a fine draw"));
                    });
                });
            }
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(core::time::Duration::from_millis(300))
        .measurement_time(core::time::Duration::from_secs(1));
    targets = filters
}
criterion_main!(benches);
