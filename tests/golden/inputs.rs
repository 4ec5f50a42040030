//! Inputs that are the same on every platform: words of keyed generators, and integers.

use demask::{Key, Logits, LogitsData, Purpose, bf16, f16};
use rand_xoshiro::rand_core::Rng;

/// Random words.
pub(crate) fn words(seed: u64, stream: u64) -> impl FnMut() -> u64 {
    let mut rng = Key { seed, stream, ..Key::default() }.generator(Purpose::Token);
    move || rng.next_u64()
}

/// A logit from −12 to 12 by a word: the sum of three uniform integers, in units of 2^-19, exactly.
pub(crate) fn logit(word: u64) -> f32 {
    const MASK: u64 = (1 << 21) - 1;
    let sum = (word & MASK) + (word >> 21 & MASK) + (word >> 42 & MASK);
    (sum as i32 - 3 * (1 << 20)) as f32 / (1 << 18) as f32
}

/// Rows with some −∞; of three rows, two lie far from 0.
pub(crate) fn rows(rows: usize, vocab: usize, seed: u64) -> Vec<f32> {
    let mut next = words(seed, vocab as u64);
    let mut data = Vec::with_capacity(rows * vocab);
    for row in 0..rows {
        let offset = [0.0, 300.0, -5_000.0][row % 3];
        for _ in 0..vocab {
            let word = next();
            data.push(if word >> 60 == 0 { f32::NEG_INFINITY } else { offset + logit(word) });
        }
        // A row is never without a token.
        data[row * vocab + vocab / 2] = offset;
    }
    data
}

/// The same rows in every type, rounded to nearest.
pub(crate) struct Typed {
    f32: Vec<f32>,
    f16: Vec<f16>,
    bf16: Vec<bf16>,
}

impl Typed {
    pub(crate) fn new(data: Vec<f32>) -> Self {
        let f16 = data.iter().map(|&x| f16::from_f32(x)).collect();
        let bf16 = data.iter().map(|&x| bf16::from_f32(x)).collect();
        Self { f32: data, f16, bf16 }
    }

    /// The types by name.
    pub(crate) fn each(&self) -> [(&'static str, LogitsData<'_>); 3] {
        [
            ("f32", LogitsData::F32(&self.f32)),
            ("f16", LogitsData::F16(&self.f16)),
            ("bf16", LogitsData::Bf16(&self.bf16)),
        ]
    }
}

pub(crate) fn view(data: LogitsData<'_>, rows: usize, vocab: usize) -> Logits<'_> {
    Logits::new(data, rows, vocab, vocab, None).expect("a view")
}

/// Keys that differ in all fields.
pub(crate) fn keys(rows: usize) -> Vec<Key> {
    let key = |k: u32| Key {
        seed: 11 + u64::from(k / 7),
        stream: 1 << 40 | u64::from(k / 5),
        step: k / 3,
        position: k,
    };
    (0..rows as u32).map(key).collect()
}
