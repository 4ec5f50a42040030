//! Attention of every position to every position of its sequence, in several heads.

use libm::{expf, sqrtf};
use multiversion::multiversion;

/// The values `v`, mixed for each position as its query `q` and the keys `k` of the sequence say.
/// All are rows of `heads` × `head` numbers, one row a position.
///
/// Compiled a second time for CPUs with AVX2; no result changes.
#[multiversion(targets("x86_64+avx2"))]
pub(crate) fn attention(q: &[f32], k: &[f32], v: &[f32], heads: usize, head: usize) -> Vec<f32> {
    let width = heads * head;
    let positions = q.len() / width;
    let scale = 1.0 / sqrtf(head as f32);
    let mut y = vec![0.0; q.len()];
    let mut keys = vec![0.0; head * positions]; // of one head, turned: one row a component
    let mut weights = vec![0.0; positions];
    for lane in (0..width).step_by(head) {
        for (position, key) in k.chunks_exact(width).enumerate() {
            for (component, &x) in key[lane..lane + head].iter().enumerate() {
                keys[component * positions + position] = x * scale;
            }
        }
        for (query, y) in q.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            weights.fill(0.0);
            for (&x, keys) in query[lane..].iter().zip(keys.chunks_exact(positions)) {
                add_scaled(&mut weights, x, keys);
            }
            softmax(&mut weights);
            for (&weight, value) in weights.iter().zip(v.chunks_exact(width)) {
                add_scaled(&mut y[lane..lane + head], weight, &value[lane..]);
            }
        }
    }
    y
}

/// y += a · x.
#[inline(always)]
fn add_scaled(y: &mut [f32], a: f32, x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// Scores → weights that sum to 1.
#[inline(always)]
fn softmax(scores: &mut [f32]) {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for score in &mut *scores {
        *score = expf(*score - max);
        sum += *score;
    }
    for weight in scores {
        *weight /= sum;
    }
}
