//! Attention of every position to every position of its sequence, in several heads.

use super::{Linear, exp};
use libm::sqrtf;
use multiversion::multiversion;

/// The values `v`, mixed for each position as its query `q` and the keys `k` of the sequence say.
/// All are rows of `width` numbers, one row a position, and a head is `head` of these numbers.
pub(crate) fn attention(q: &[f32], k: &[f32], v: &[f32], width: usize, head: usize) -> Vec<f32> {
    let positions = q.len() / width;
    let scale = 1.0 / sqrtf(head as f32);
    let mut y = vec![0.0; q.len()];
    for lanes in (0..width).step_by(head).map(|first| first..first + head) {
        let of_head = |rows: &[f32]| -> Vec<f32> {
            rows.chunks_exact(width).flat_map(|row| &row[lanes.clone()]).copied().collect()
        };
        let queries: Vec<f32> = of_head(q).into_iter().map(|x| x * scale).collect();
        let keys = of_head(k);
        let turned: Vec<f32> =
            lanes.clone().flat_map(|lane| v[lane..].iter().step_by(width)).copied().collect();

        let mut weights = Linear::new(&keys, head, None).apply(&queries);
        softmax(&mut weights, positions);
        let mixed = Linear::new(&turned, positions, None).apply(&weights);
        for (y, mixed) in y.chunks_exact_mut(width).zip(mixed.chunks_exact(head)) {
            y[lanes.clone()].copy_from_slice(mixed);
        }
    }
    y
}

/// Turns every row of `width` scores into weights that sum to 1.
///
/// Compiled a second time for CPUs with AVX2; no result changes.
#[multiversion(targets("x86_64+avx2"))]
fn softmax(scores: &mut [f32], width: usize) {
    for row in scores.chunks_exact_mut(width) {
        let max = reduce(row, f32::NEG_INFINITY, f32::max);
        for score in &mut *row {
            *score = exp(*score - max);
        }
        let sum = reduce(row, 0.0, |a, b| a + b);
        for weight in row {
            *weight /= sum;
        }
    }
}

/// Combines all of `x` by `f`, first in 16 lanes side by side, then these and the rest.
#[inline(always)]
fn reduce(x: &[f32], start: f32, f: impl Fn(f32, f32) -> f32) -> f32 {
    let (vectors, rest) = x.as_chunks::<16>();
    let mut lanes = [start; 16];
    for vector in vectors {
        for (lane, &x) in lanes.iter_mut().zip(vector) {
            *lane = f(*lane, x);
        }
    }
    lanes.iter().chain(rest).copied().fold(start, f)
}
