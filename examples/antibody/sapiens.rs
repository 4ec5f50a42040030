//! The forward pass of the models in `models/sapiens`: a RoBERTa as fairseq builds it, in which a
//! layer norm follows every part, positions are learned, and the output layer is the embedding
//! again, behind a dense layer and one more norm.

use crate::network::{Linear, Pool, Weights, add, attention, exp};
use anyhow::{Result, ensure};
use libm::sqrtf;
use multiversion::multiversion;
use std::ops::Range;
use std::path::Path;

/// The number of tokens.
pub(crate) const VOCAB: usize = 25;
/// The letters of the tokens: the twenty amino acids, with the special tokens as `.`.
const LETTERS: &[u8; VOCAB] = b"....ACDEFGHIKLMNPQRSTVWY.";
/// The token before a chain, `<s>`.
pub(crate) const BEGIN: i32 = 0;
/// The token behind it, `</s>`.
pub(crate) const END: i32 = 2;
/// The token that stands for a mask.
pub(crate) const MASK: i32 = 24;
/// Position 0 uses this row of the position embedding; fairseq counts from behind its padding
/// token, which is number 1.
const FIRST_POSITION: usize = 2;
/// Numbers that describe a position.
const WIDTH: usize = 128;
const LAYERS: usize = 4;
/// Numbers of a position in one of the 8 attention heads.
const HEAD: usize = 16;
/// Numbers of a position inside a feed-forward layer.
const INNER: usize = 256;

/// A model of one chain.
pub(crate) struct Sapiens {
    tokens: Vec<f32>,
    positions: Vec<f32>,
    embedding_norm: Norm,
    layers: Vec<Layer>,
    head: Linear,
    head_norm: Norm,
    output: Linear,
    pool: Pool,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    mixed: Linear,
    attention_norm: Norm,
    widen: Linear,
    narrow: Linear,
    feed_forward_norm: Norm,
}

struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Sapiens {
    /// Reads a safetensors file in which chains have at most `longest` residues; runs on `threads`
    /// threads.
    pub(crate) fn read(path: &Path, longest: usize, threads: usize) -> Result<Self> {
        let weights = Weights::read(path)?;
        let norm = |name: &str| -> Result<Norm> {
            let weight = weights.tensor(&format!("{name}.weight"), &[WIDTH])?;
            Ok(Norm { weight, bias: weights.tensor(&format!("{name}.bias"), &[WIDTH])? })
        };
        let linear = |name: &str, outputs, inputs| -> Result<Linear> {
            let weight = weights.tensor(&format!("{name}.weight"), &[outputs, inputs])?;
            let bias = weights.tensor(&format!("{name}.bias"), &[outputs])?;
            Ok(Linear::new(&weight, inputs, Some(&bias)))
        };
        let layer = |layer: usize| {
            let name = |part: &str| format!("layers.{layer}.{part}");
            Ok(Layer {
                query: linear(&name("self_attn.q_proj"), WIDTH, WIDTH)?,
                key: linear(&name("self_attn.k_proj"), WIDTH, WIDTH)?,
                value: linear(&name("self_attn.v_proj"), WIDTH, WIDTH)?,
                mixed: linear(&name("self_attn.out_proj"), WIDTH, WIDTH)?,
                attention_norm: norm(&name("self_attn_layer_norm"))?,
                widen: linear(&name("fc1"), INNER, WIDTH)?,
                narrow: linear(&name("fc2"), WIDTH, INNER)?,
                feed_forward_norm: norm(&name("final_layer_norm"))?,
            })
        };
        let rows = FIRST_POSITION + longest + 2; // with <s> and </s>
        Ok(Self {
            tokens: weights.tensor("embed_tokens.weight", &[VOCAB, WIDTH])?,
            positions: weights.tensor("embed_positions.weight", &[rows, WIDTH])?,
            embedding_norm: norm("emb_layer_norm")?,
            layers: (0..LAYERS).map(layer).collect::<Result<_>>()?,
            head: linear("lm_head.dense", WIDTH, WIDTH)?,
            head_norm: norm("lm_head.layer_norm")?,
            output: linear("lm_head", VOCAB, WIDTH)?,
            pool: Pool::new(threads)?,
        })
    }

    /// The last hidden states of the given ranges of `tokens`, each of them a chain between
    /// [`BEGIN`] and [`END`]; 128 numbers for each token, one chain after the other.
    pub(crate) fn hidden(&self, tokens: &[i32], chains: &[Range<usize>]) -> Result<Vec<f32>> {
        let longest = self.positions.len() / WIDTH - FIRST_POSITION - 2;
        for chain in chains {
            let residues = chain.len() - 2;
            ensure!(residues <= longest, "{residues} residues; the model takes at most {longest}");
        }
        Ok(self.pool.map(chains, |group| self.forward(tokens, group)))
    }

    /// The logits of some rows of `hidden`, 25 for each; −∞ for the special tokens, which no
    /// residue can be.
    pub(crate) fn logits(&self, hidden: &[f32], rows: &[usize]) -> Vec<f32> {
        let mut states = Vec::with_capacity(rows.len() * WIDTH);
        for row in rows {
            states.extend(&hidden[row * WIDTH..][..WIDTH]);
        }
        let mut x = self.head.apply(&states);
        gelu(&mut x);
        self.head_norm.apply(&mut x);
        let mut logits = self.output.apply(&x);
        for row in logits.chunks_exact_mut(VOCAB) {
            for (logit, letter) in row.iter_mut().zip(LETTERS) {
                if *letter == b'.' {
                    *logit = f32::NEG_INFINITY;
                }
            }
        }
        logits
    }

    fn forward(&self, tokens: &[i32], chains: &[Range<usize>]) -> Vec<f32> {
        let mut x = Vec::new();
        for chain in chains {
            let positions = self.positions.chunks_exact(WIDTH).skip(FIRST_POSITION);
            for (&token, position) in tokens[chain.clone()].iter().zip(positions) {
                let token = &self.tokens[token as usize * WIDTH..][..WIDTH];
                x.extend(token.iter().zip(position).map(|(token, position)| token + position));
            }
        }
        self.embedding_norm.apply(&mut x);
        for layer in &self.layers {
            let q = layer.query.apply(&x);
            let k = layer.key.apply(&x);
            let v = layer.value.apply(&x);
            let mut mixed = Vec::with_capacity(x.len());
            for chain in chains {
                let at = mixed.len()..mixed.len() + chain.len() * WIDTH;
                mixed.extend(attention(&q[at.clone()], &k[at.clone()], &v[at], WIDTH, HEAD));
            }
            add(&mut x, &layer.mixed.apply(&mixed));
            layer.attention_norm.apply(&mut x);

            let mut inner = layer.widen.apply(&x);
            gelu(&mut inner);
            add(&mut x, &layer.narrow.apply(&inner));
            layer.feed_forward_norm.apply(&mut x);
        }
        x
    }
}

impl Norm {
    /// Brings every row to mean 0 and variance 1, then scales and shifts it.
    fn apply(&self, x: &mut [f32]) {
        for row in x.chunks_exact_mut(WIDTH) {
            let mean = row.iter().sum::<f32>() / WIDTH as f32;
            let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / WIDTH as f32;
            let scale = 1.0 / sqrtf(variance + 1e-5);
            for ((x, weight), bias) in row.iter_mut().zip(&self.weight).zip(&self.bias) {
                *x = (*x - mean) * scale * weight + bias;
            }
        }
    }
}

/// x · Φ(x), with the normal distribution function by way of [`erf`]. Compiled a second time for
/// CPUs with AVX2; no result changes.
#[multiversion(targets("x86_64+avx2"))]
fn gelu(x: &mut [f32]) {
    for x in x {
        *x *= 0.5 * (1.0 + erf(*x * core::f32::consts::FRAC_1_SQRT_2));
    }
}

/// The error function, to 2e-7 (Abramowitz and Stegun, 7.1.26).
#[inline(always)]
fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let series = 1.421_413_7 + t * (-1.453_152 + t * 1.061_405_4);
    let series = t * (0.254_829_6 + t * (-0.284_496_74 + t * series));
    (1.0 - series * exp(-x * x)).copysign(x)
}

/// The token of an amino acid.
pub(crate) fn token(residue: char) -> Option<i32> {
    let letter = u8::try_from(residue).ok().filter(u8::is_ascii_uppercase)?;
    LETTERS.iter().position(|&known| known == letter).map(|token| token as i32)
}

/// The letter of a residue; `_` for a mask.
pub(crate) fn letter(token: i32) -> char {
    if token == MASK { '_' } else { LETTERS[token as usize].into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// The expected logits come from an implementation in f64 with the exact error function:
    /// trastuzumab's heavy chain with residues 26 to 33 masked, those of residue 26.
    #[test]
    fn logits_are_those_of_the_published_model() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/models/sapiens/sapiens_vh_f16.safetensors");
        let model = Sapiens::read(Path::new(path), 142, 1).expect("the model is in the repository");
        let chain = concat!(
            "EVQLVESGGGLVQPGGSLRLSCAAS________IHWVRQAPGKGLEWVARIYPTNGYTRYADSVKGRFTISADTSKNTAYLQMNS",
            "LRAEDTAVYYCSRWGGDGFYAMDYWGQGTLVTVSS",
        );
        let mut tokens = vec![BEGIN];
        tokens.extend(chain.chars().map(|residue| token(residue).unwrap_or(MASK)));
        tokens.push(END);
        let sequence = 0..tokens.len();
        let hidden =
            model.hidden(&tokens, core::slice::from_ref(&sequence)).expect("a short chain");
        let logits = model.logits(&hidden, &[26]);
        let expected = [
            0.621, -0.0154, 0.3401, 1.2647, -0.2902, 5.1923, -0.2892, -0.2427, -0.052, -0.2078,
            -0.2607, -0.1228, -0.3544, -0.1232, 0.9088, 0.0079, 0.0969, 0.3483, -0.0471, -0.3394,
        ];
        for (residue, (&found, expected)) in logits[4..24].iter().zip(expected).enumerate() {
            assert!((found - expected).abs() < 2e-4, "residue {residue}: {found}, not {expected}");
        }
        for special in [0, 1, 2, 3, 24] {
            assert_eq!(logits[special], f32::NEG_INFINITY, "token {special} is no residue");
        }
    }
}
