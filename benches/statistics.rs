//! What do the statistics of a row cost, beside merely reading the row?
//!
//! `read` is the plainest vector maximum; `draw` a draw at temperature 1; `statistics` the same draw
//! with log-sum-exp, entropy, probability, margin and the rest; `top 8` with the eight largest logits
//! as well. Normal logits (standard deviation 3) in cache. Throughput is in logits.

mod cached_rows;

use cached_rows::{key_sets, normal_logits, time_read};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use demask::draw::oracle;
use demask::{
    Constraints, Draw, Drawn, Level, Logits, RowOutputs, RowStatistics, Sampler, Statistics,
    TopToken,
};
use std::hint::black_box;

/// Entropy and probability must be those of the law.
fn check(row: &[f32], drawn: &Drawn, statistics: &RowStatistics) {
    let law = oracle::probabilities(row, 1.0, None).expect("a usable row");
    let entropy: f64 = law.iter().filter(|&&p| p > 0.0).map(|p| -p * p.ln()).sum();
    assert!((statistics.entropy - entropy).abs() < 2e-6 * entropy, "{statistics:?}, not {entropy}");
    let p = law[drawn.token as usize];
    assert!((statistics.probability / p - 1.0).abs() < 2e-6, "{statistics:?}, not {p}");
}

fn statistics(c: &mut Criterion) {
    let wanted = Statistics::default();
    for vocab in [4_096, 32_000, 126_464] {
        let rows = (1 << 19) / vocab;
        let logits = normal_logits(rows * vocab, 3.0);
        let (logits, keys) = (logits.logits(), key_sets(rows));
        let mut described = vec![RowStatistics::BAD; rows];
        let mut top = vec![TopToken::NONE; 8 * rows];
        let mut group = c.benchmark_group(format!("statistics/{vocab}"));
        group.throughput(Throughput::Elements((rows * vocab) as u64));
        for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
            time_read(&mut group, level, logits, vocab);
            let mut sampler = Sampler::builder(rows, 1).level(level).build().expect("a sampler");
            let view = Logits::f32(logits, rows, vocab).expect("a fine view");
            for (name, statistics, tops) in
                [("draw", 0, 0), ("statistics", rows, 0), ("top 8", rows, 8 * rows)]
            {
                group.bench_function(BenchmarkId::new(name, level), |b| {
                    let mut keys = keys.iter().cycle();
                    b.iter(|| {
                        let keys = keys.next().expect("a cycle has no end");
                        let (view, draw) = (black_box(&view), &Draw::at(1.0));
                        let none = &Constraints::NONE;
                        if statistics == 0 {
                            black_box(sampler.draw(view, draw, none, keys).expect("a fine draw"));
                            return;
                        }
                        let into = RowOutputs { statistics: &mut described, top: &mut top[..tops] };
                        let drawn =
                            sampler.draw_with_statistics(view, draw, none, keys, &wanted, into);
                        black_box(drawn.expect("a fine draw"));
                    });
                });
            }
            let into = RowOutputs { statistics: &mut described, top: &mut top };
            let (draw, none) = (&Draw::at(1.0), &Constraints::NONE);
            let drawn = sampler.draw_with_statistics(&view, draw, none, &keys[0], &wanted, into);
            let drawn = drawn.expect("a fine draw");
            for ((row, drawn), described) in logits.chunks_exact(vocab).zip(drawn).zip(&described) {
                check(row, drawn, described);
            }
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(core::time::Duration::from_millis(300))
        .measurement_time(core::time::Duration::from_secs(1));
    targets = statistics
}
criterion_main!(benches);
