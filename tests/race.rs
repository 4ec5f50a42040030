//! x
use demask::draw::oracle;
use demask::policy::DrawMethod;
use demask::{Constraints, Draw, Key, Level, Logits, RaceResult, RaceState, RowState, Sampler};

fn uniforms(mut state: u64) -> impl FnMut() -> f64 {
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn normal_row(vocab: usize, sigma: f64, offset: f64, seed: u64) -> Vec<f32> {
    let mut uniform = uniforms(seed);
    let mut normal = || {
        let radius = (-2.0 * (1.0 - uniform()).ln()).sqrt();
        radius * (core::f64::consts::TAU * uniform()).cos()
    };
    (0..vocab).map(|_| (offset + sigma * normal()) as f32).collect()
}

fn race(temperature: f32) -> Draw {
    Draw { method: DrawMethod::ExponentialRace, ..Draw::at(temperature) }
}

#[test]
fn first() {
    for vocab in [1, 5, 33, 255, 256, 257, 4095, 5000, 50_257] {
        for t in [0.1f32, 1.0, 10.0, f32::INFINITY] {
            let row = normal_row(vocab, 3.0, 0.0, 1);
            let logits = Logits::f32(&row, 1, vocab).expect("a view");
            let mut sampler = Sampler::builder(1, 1).build().expect("a sampler");
            for k in 0..20 {
                let key = Key { seed: k, ..Key::default() };
                let ours = sampler.draw(&logits, &race(t), &Constraints::NONE, &[key]).expect("ok")[0];
                let noise = oracle::race_noise(vocab, key, 0);
                let w = oracle::race(&row, t.into(), &noise, |_| true).expect("w");
                assert_eq!(ours.token as usize, w, "{vocab} {t} {k}");
            }
        }
    }
}
