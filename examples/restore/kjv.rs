//! The forward pass of the model in `models/kjv`: a transformer in which every position sees every
//! other, with RMS norms before each part, rotary positions, gated feed-forward layers, and an
//! output layer that is the embedding again. It is not told the time.

use crate::network::{Linear, Pool, Weights, add, attention, exp};
use anyhow::{Result, ensure};
use libm::{cos, pow, sin, sqrtf};
use multiversion::multiversion;
use std::ops::Range;
use std::path::Path;

/// The number of tokens.
pub(crate) const VOCAB: usize = 4096;
/// The token that stands for a mask.
pub(crate) const MASK: i32 = 0;
/// The longest sequence.
const POSITIONS: usize = 512;
/// Numbers that describe a position.
const WIDTH: usize = 192;
const LAYERS: usize = 4;
const HEADS: usize = 6;
/// Numbers of a position in one attention head.
const HEAD: usize = WIDTH / HEADS;
/// Numbers of a position inside a feed-forward layer.
const INNER: usize = 512;

/// The model.
pub(crate) struct Kjv {
    embedding: Vec<f32>,
    rotations: Vec<[(f32, f32); HEAD / 2]>,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    output: Linear,
    pool: Pool,
}

struct Layer {
    attention_norm: Vec<f32>,
    query: Linear,
    key: Linear,
    value: Linear,
    mixed: Linear,
    feed_forward_norm: Vec<f32>,
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl Kjv {
    /// Reads `model.safetensors` in `folder`; runs on `threads` threads.
    pub(crate) fn read(folder: &Path, threads: usize) -> Result<Self> {
        let weights = Weights::read(&folder.join("model.safetensors"))?;
        let norm = |name: &str| weights.tensor(&format!("model.{name}.weight"), &[WIDTH]);
        let layer = |layer: usize| {
            let linear = |name: &str, outputs, inputs| -> Result<Linear> {
                let name = format!("model.layers.{layer}.{name}_proj.weight");
                Ok(Linear::new(&weights.tensor(&name, &[outputs, inputs])?, inputs, None))
            };
            Ok(Layer {
                attention_norm: norm(&format!("layers.{layer}.input_layernorm"))?,
                query: linear("self_attn.q", WIDTH, WIDTH)?,
                key: linear("self_attn.k", WIDTH, WIDTH)?,
                value: linear("self_attn.v", WIDTH, WIDTH)?,
                mixed: linear("self_attn.o", WIDTH, WIDTH)?,
                feed_forward_norm: norm(&format!("layers.{layer}.post_attention_layernorm"))?,
                gate: linear("mlp.gate", INNER, WIDTH)?,
                up: linear("mlp.up", INNER, WIDTH)?,
                down: linear("mlp.down", WIDTH, INNER)?,
            })
        };
        let embedding = weights.tensor("model.embed_tokens.weight", &[VOCAB, WIDTH])?;
        Ok(Self {
            rotations: (0..POSITIONS).map(rotation).collect(),
            layers: (0..LAYERS).map(layer).collect::<Result<_>>()?,
            norm: norm("norm")?,
            output: Linear::new(&embedding, WIDTH, None),
            embedding,
            pool: Pool::new(threads)?,
        })
    }

    /// The last hidden states of the given ranges of `tokens`, each of them a sequence of its own;
    /// 192 numbers for each token, one sequence after the other.
    pub(crate) fn hidden(&self, tokens: &[i32], sequences: &[Range<usize>]) -> Result<Vec<f32>> {
        for sequence in sequences {
            let length = sequence.len();
            ensure!(
                length <= POSITIONS,
                "{length} tokens, but the model takes at most {POSITIONS}"
            );
        }
        Ok(self.pool.map(sequences, |group| self.forward(tokens, group)))
    }

    /// The logits of some rows of `hidden`, 4,096 for each.
    pub(crate) fn logits(&self, hidden: &[f32], rows: &[usize]) -> Vec<f32> {
        let rows_alone: Vec<Range<usize>> = rows.iter().map(|&row| row..row + 1).collect();
        self.pool.map(&rows_alone, |group| {
            let states = group.iter().flat_map(|row| &hidden[row.start * WIDTH..row.end * WIDTH]);
            self.output.apply(&states.copied().collect::<Vec<f32>>())
        })
    }

    fn forward(&self, tokens: &[i32], sequences: &[Range<usize>]) -> Vec<f32> {
        let mut x = Vec::new();
        for &token in sequences.iter().flat_map(|sequence| &tokens[sequence.clone()]) {
            x.extend(&self.embedding[token as usize * WIDTH..][..WIDTH]);
        }
        for layer in &self.layers {
            let h = rms_norm(&x, &layer.attention_norm);
            let mut q = layer.query.apply(&h);
            let mut k = layer.key.apply(&h);
            let v = layer.value.apply(&h);
            let mut mixed = Vec::with_capacity(x.len());
            for sequence in sequences {
                let at = mixed.len()..mixed.len() + sequence.len() * WIDTH;
                self.rotate(&mut q[at.clone()]);
                self.rotate(&mut k[at.clone()]);
                mixed.extend(attention(&q[at.clone()], &k[at.clone()], &v[at], WIDTH, HEAD));
            }
            add(&mut x, &layer.mixed.apply(&mixed));

            let h = rms_norm(&x, &layer.feed_forward_norm);
            let mut inner = layer.up.apply(&h);
            open_gates(&mut inner, &layer.gate.apply(&h));
            add(&mut x, &layer.down.apply(&inner));
        }
        rms_norm(&x, &self.norm)
    }

    /// Turns the queries or keys of one sequence by their positions: component `i` of a head and
    /// component `i` of its second half are the two coordinates of a point.
    fn rotate(&self, x: &mut [f32]) {
        for (row, rotation) in x.chunks_exact_mut(WIDTH).zip(&self.rotations) {
            for head in row.chunks_exact_mut(HEAD) {
                let (first, second) = head.split_at_mut(HEAD / 2);
                for ((a, b), &(cos, sin)) in first.iter_mut().zip(second).zip(rotation) {
                    (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                }
            }
        }
    }
}

/// The cosines and sines of the angles at a position.
fn rotation(position: usize) -> [(f32, f32); HEAD / 2] {
    core::array::from_fn(|i| {
        let angle = position as f64 * pow(10_000.0, -(i as f64) / (HEAD / 2) as f64);
        (cos(angle) as f32, sin(angle) as f32)
    })
}

/// Every row divided by its root mean square, times `weight`.
fn rms_norm(x: &[f32], weight: &[f32]) -> Vec<f32> {
    let mut y = Vec::with_capacity(x.len());
    for row in x.chunks_exact(WIDTH) {
        let mean_square = row.iter().map(|x| x * x).sum::<f32>() / WIDTH as f32;
        let scale = 1.0 / sqrtf(mean_square + 1e-5);
        y.extend(row.iter().zip(weight).map(|(x, weight)| x * scale * weight));
    }
    y
}

/// x · gate · σ(gate), the gated linear unit with SiLU. Compiled a second time for CPUs with AVX2;
/// no result changes.
#[multiversion(targets("x86_64+avx2"))]
fn open_gates(x: &mut [f32], gates: &[f32]) {
    for (x, &gate) in x.iter_mut().zip(gates) {
        *x *= gate / (1.0 + exp(-gate));
    }
}

#[cfg(test)]
mod tests {
    use super::{Kjv, VOCAB};
    use std::path::Path;

    /// The expected logits come from another implementation, which agrees with the model in
    /// PyTorch to 3e-5. The sequence before must make no difference.
    #[test]
    fn logits_are_those_of_the_trained_model() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/models/kjv"));
        let model = Kjv::read(folder, 2).expect("the model is in the repository");
        let mut tokens = vec![99; 10];
        tokens.extend((0..64).map(|i| if i % 2 == 1 { 0 } else { 10 + 7 * i }));
        let hidden = model.hidden(&tokens, &[0..10, 10..74]).expect("short sequences");
        let expected: [(usize, [(usize, f32); 5]); 3] = [
            (1, [(1208, 7.2297), (1045, 7.1407), (566, 6.9493), (0, 1.9599), (4095, -5.606)]),
            (31, [(13, 8.4192), (269, 6.7348), (510, 5.9591), (0, 3.2468), (4095, -3.8838)]),
            (63, [(1254, 9.3982), (1337, 9.038), (3353, 8.712), (0, 0.5667), (4095, -2.8999)]),
        ];
        let logits = model.logits(&hidden, &expected.map(|(row, _)| 10 + row));
        for ((row, expected), logits) in expected.iter().zip(logits.chunks_exact(VOCAB)) {
            let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(max, logits[expected[0].0], "row {row}: another token is the most likely");
            for &(token, expected) in expected {
                let found = logits[token];
                assert!((found - expected).abs() < 2e-4, "row {row}, token {token}: {found}");
            }
        }
    }
}
