//! What does drawing one token from one row cost, beside merely reading the row?
//!
//! `read` is the plainest vector maximum; `draw` is the categorical draw at temperature 1, of normal
//! logits with standard deviation 1, 3 and 8 (flat, middling and peaked rows); `greedy` is the draw
//! at temperature 0. Rows lie in 2 MiB of memory, so they are read from cache, and are visited in
//! turn; every draw has a key of its own. Throughput is in logits.

mod cached_rows;

use cached_rows::{key_sets, normal_logits, time_read};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use demask::draw::oracle;
use demask::{Constraints, Draw, Key, Level, Logits, RowState, Sampler};
use std::hint::black_box;

/// The draws of one call must be usable, not impossible, and on the whole as likely as the law
/// says: the mean of ln p over the draws estimates −(the entropy).
fn check(sampler: &mut Sampler, logits: &[f32], vocab: usize) {
    let law = oracle::probabilities(&logits[..vocab], 1.0, None).expect("a usable row");
    let entropy: f64 = law.iter().filter(|&&p| p > 0.0).map(|p| -p * p.ln()).sum();
    let moment: f64 = law.iter().filter(|&&p| p > 0.0).map(|p| p * p.ln() * p.ln()).sum();
    let rows = 512;
    let index = vec![0; rows];
    let view = Logits::new(demask::LogitsData::F32(logits), 1, vocab, vocab, Some(&index));
    let keys: Vec<_> = (0..rows as u64).map(|stream| Key { stream, ..Key::default() }).collect();
    let drawn = sampler
        .draw(&view.expect("a fine view"), &Draw::at(1.0), &Constraints::NONE, &keys)
        .expect("a fine draw");
    let surprise = drawn.iter().map(|d| {
        assert_eq!(d.state, RowState::Drawn, "a good row was refused");
        -law[d.token as usize].ln()
    });
    let mean = surprise.sum::<f64>() / rows as f64;
    let error = ((moment - entropy * entropy) / rows as f64).sqrt();
    assert!((mean - entropy).abs() < 5.0 * error + 1e-6, "mean −ln p {mean}, entropy {entropy}");
}

fn draw_row(c: &mut Criterion) {
    for vocab in [25, 4_096, 32_000, 131_072] {
        let rows = (1 << 19) / vocab;
        let shapes = [1.0, 3.0, 8.0].map(|sigma| (sigma, normal_logits(rows * vocab, sigma)));
        let keys = key_sets(rows);
        let mut group = c.benchmark_group(format!("draw_row/{vocab}"));
        group.throughput(Throughput::Elements((rows * vocab) as u64));
        for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
            let mut sampler =
                Sampler::builder(rows.max(512), 1).level(level).build().expect("a sampler");
            for (_, logits) in &shapes {
                check(&mut sampler, logits.logits(), vocab);
            }
            let logits = shapes[1].1.logits();
            time_read(&mut group, level, logits, vocab);
            let mut time = |name: String, logits: &[f32], temperature| {
                let view = Logits::f32(logits, rows, vocab).expect("a fine view");
                group.bench_function(BenchmarkId::new(name, level), |b| {
                    let mut keys = keys.iter().cycle();
                    b.iter(|| {
                        let keys = keys.next().expect("a cycle has no end");
                        let drawn = sampler.draw(
                            black_box(&view),
                            &Draw::at(temperature),
                            &Constraints::NONE,
                            keys,
                        );
                        black_box(drawn.expect("a fine draw"));
                    });
                });
            };
            time("greedy".into(), logits, 0.0);
            for (sigma, logits) in &shapes {
                time(format!("draw, sigma {sigma}"), logits.logits(), 1.0);
            }
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(core::time::Duration::from_millis(500))
        .measurement_time(core::time::Duration::from_secs(1));
    targets = draw_row
}
criterion_main!(benches);
