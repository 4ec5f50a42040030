//! The logits: what a row looks like, in which type, how many.

use crate::pages::Pages;
use clap::ValueEnum;
use demask::LogitsData;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use half::{bf16, f16};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;
use std::fmt;
use std::sync::LazyLock;

/// The type of a logit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dtype {
    F32,
    F16,
    Bf16,
}

impl Dtype {
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        })
    }
}

/// The law that logits are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// Normal, standard deviation 1: a flat row.
    Normal1,
    /// Normal, standard deviation 3: a middling row.
    Normal3,
    /// Normal, standard deviation 8: a peaked row.
    Normal8,
    /// Probabilities in proportion to 1/rank, the ranks scattered over the row.
    Zipf,
    /// All logits are 0.
    Constant,
    /// Normal, standard deviation 1, but for one token, which has all but 1e-6 of the probability.
    OneHot,
    /// One large logit in each cell of the draw, and nothing beside it: as many proposals are
    /// rejected as can be.
    Worst,
}

impl Shape {
    /// What all kernels are timed on; the others are for the draw alone.
    pub(crate) const MAIN: Self = Self::Normal3;
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Normal1 => "normal1",
            Self::Normal3 => "normal3",
            Self::Normal8 => "normal8",
            Self::Zipf => "zipf",
            Self::Constant => "constant",
            Self::OneHot => "one-hot",
            Self::Worst => "worst",
        })
    }
}

/// So many normal deviates. Rows are windows of it, each at a random place: they differ, and are
/// made as fast as memory is written.
const DEVIATES: usize = (1 << 20) + 7;

static NORMAL: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut uniform = move || ((rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    (0..DEVIATES)
        .map(|_| {
            let radius = (-2.0 * uniform().ln()).sqrt();
            (radius * (core::f64::consts::TAU * uniform()).cos()) as f32
        })
        .collect()
});

/// A batch of contiguous rows.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a> {
    pages: &'a Pages,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Shape,
    pub(crate) vocab: usize,
    pub(crate) rows: usize,
}

impl<'a> Batch<'a> {
    /// Fills `pages` with rows.
    pub(crate) fn new(
        pages: &'a mut Pages,
        dtype: Dtype,
        shape: Shape,
        vocab: usize,
        rows: usize,
    ) -> Self {
        let ranks: Vec<f32> = (0..vocab).map(|rank| -((1 + rank) as f32).ln()).collect();
        let halves = bytemuck::cast_slice_mut(pages.words_mut());
        match dtype {
            Dtype::F32 => fill(bytemuck::cast_slice_mut(halves), vocab, rows, |row, out| {
                shape.fill(row, &ranks, out);
            }),
            Dtype::F16 => fill(halves, vocab, rows, |row, out| {
                let mut exact = vec![0.0; vocab];
                shape.fill(row, &ranks, &mut exact);
                HalfBitsSliceExt::reinterpret_cast_mut::<f16>(out).convert_from_f32_slice(&exact);
            }),
            Dtype::Bf16 => fill(halves, vocab, rows, |row, out| {
                let mut exact = vec![0.0; vocab];
                shape.fill(row, &ranks, &mut exact);
                HalfBitsSliceExt::reinterpret_cast_mut::<bf16>(out).convert_from_f32_slice(&exact);
            }),
        }
        Self { pages, dtype, shape, vocab, rows }
    }

    fn elements(&self) -> usize {
        self.rows * self.vocab
    }

    fn halves(&self) -> &'a [u16] {
        &bytemuck::cast_slice(self.pages.words())[..self.elements()]
    }

    /// The logits as 32-bit floats, if that is what they are.
    pub(crate) fn f32(&self) -> Option<&'a [f32]> {
        let all = bytemuck::cast_slice(self.pages.words());
        (self.dtype == Dtype::F32).then(|| &all[..self.elements()])
    }

    pub(crate) fn data(&self) -> LogitsData<'a> {
        match self.dtype {
            Dtype::F32 => LogitsData::F32(self.f32().unwrap_or_default()),
            Dtype::F16 => LogitsData::F16(self.halves().reinterpret_cast()),
            Dtype::Bf16 => LogitsData::Bf16(self.halves().reinterpret_cast()),
        }
    }

    /// The first row, exactly.
    pub(crate) fn first(&self) -> Vec<f32> {
        match self.data() {
            LogitsData::F16(all) => all[..self.vocab].to_f32_vec(),
            LogitsData::Bf16(all) => all[..self.vocab].to_f32_vec(),
            LogitsData::F32(all) => all[..self.vocab].to_vec(),
            _ => unreachable!("all types are named above"),
        }
    }

    /// The rows of one of so many threads.
    pub(crate) fn share(&self, thread: usize, threads: usize) -> std::ops::Range<usize> {
        self.rows * thread / threads..self.rows * (thread + 1) / threads
    }

    /// The memory of these rows, to whole words.
    pub(crate) fn words(&self, rows: std::ops::Range<usize>) -> &'a [u64] {
        let word = |row: usize| row * self.vocab * self.dtype.bytes() / 8;
        &self.pages.words()[word(rows.start)..word(rows.end)]
    }
}

fn fill<T: Send>(out: &mut [T], vocab: usize, rows: usize, row: impl Fn(usize, &mut [T]) + Sync) {
    let logits = out[..rows * vocab].par_chunks_mut(vocab);
    logits.enumerate().with_min_len(16).for_each(|(k, out)| row(k, out));
}

impl Shape {
    /// Row number `row`. `ranks` holds the logit of each rank of a Zipf law.
    fn fill(self, row: usize, ranks: &[f32], out: &mut [f32]) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(row as u64);
        let vocab = out.len();
        match self {
            Self::Normal1 => normal(1.0, &mut rng, out),
            Self::Normal3 => normal(3.0, &mut rng, out),
            Self::Normal8 => normal(8.0, &mut rng, out),
            Self::Zipf => {
                // A step that shares no factor with the number of tokens visits each once.
                let coprime = |&step: &usize| gcd(step, vocab) == 1;
                let step = (below(&mut rng, vocab)..).find(coprime).unwrap_or(1) % vocab.max(2);
                let mut at = below(&mut rng, vocab);
                for &logit in ranks {
                    out[at] = logit;
                    at = (at + step) % vocab;
                }
            }
            Self::Constant => out.fill(0.0),
            Self::OneHot => {
                normal(1.0, &mut rng, out);
                out[below(&mut rng, vocab)] = (vocab as f32).ln() + 0.5 + 14.0;
            }
            Self::Worst => {
                // Sixteen cells are a run of about 16·√(vocab/128) tokens, and take turns in it.
                let cell = (vocab / 128).isqrt().max(1).next_power_of_two();
                out.fill(-60.0);
                out.chunks_mut(16 * cell).for_each(|cells| {
                    let large = cells.len().min(16);
                    cells[..large].fill(0.0);
                });
            }
        }
    }
}

fn normal(sigma: f32, rng: &mut Xoshiro256PlusPlus, out: &mut [f32]) {
    let start = below(rng, NORMAL.len());
    let deviates = NORMAL[start..].iter().chain(NORMAL.iter());
    out.iter_mut().zip(deviates).for_each(|(out, x)| *out = sigma * x);
}

fn below(rng: &mut Xoshiro256PlusPlus, bound: usize) -> usize {
    ((u128::from(rng.next_u64()) * bound as u128) >> 64) as usize
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
