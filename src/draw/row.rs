//! A row of logits in cells, and the sweep that finds their maxima.

use super::blocks::{TOKENS, VECTORS};
use super::element::Element;
use super::envelope::{GROUP, MAX_GROUPS};
use crate::lanes::{Kernel, Lanes, Level, run};
use crate::logits::MAX_VOCAB;
use core::ops::Range;

/// C, the number of tokens in a cell, a power of two. A cell is one lane of C consecutive vectors.
///
/// Larger cells make the envelope cheaper and the proposals more. A vector of bounds costs about
/// as much as an eighth of a proposal, so C² near an eighth of the number of vectors balances the
/// two; for huge vocabularies [`MAX_GROUPS`] decides.
pub(super) const fn cell_size(vocab: usize) -> usize {
    let vectors = vocab.div_ceil(16);
    let balanced = (vectors / 8).isqrt().next_power_of_two();
    let needed = vectors.div_ceil(GROUP * MAX_GROUPS).next_power_of_two();
    if needed > balanced { needed } else { balanced }
}

const _: () = assert!(cell_size(MAX_VOCAB) <= 1 << super::proposals::OFFSET_BITS);

/// A row, the token of it that may not be drawn (or a number past its end), and its cell size.
pub(super) struct Row<'a, E> {
    pub(super) logits: &'a [E],
    pub(super) excluded: usize,
    pub(super) size: usize,
}

impl<'a, E: Element> Row<'a, E> {
    #[inline(always)]
    pub(super) fn new(logits: &'a [E], excluded: usize) -> Self {
        Self { logits, excluded, size: cell_size(logits.len()) }
    }

    /// The number of vectors of cells.
    pub(super) fn vectors(&self) -> usize {
        self.logits.len().div_ceil(16 * self.size)
    }

    /// The number of groups of cells that sums are taken of.
    pub(super) fn groups(&self) -> usize {
        if self.size == 1 { 1 } else { self.vectors().div_ceil(GROUP) }
    }

    /// The blocks of a group, of `count` in the row.
    #[inline(always)]
    pub(super) fn blocks_of(&self, group: usize, count: usize) -> Range<usize> {
        match self.size {
            1 => 0..count,
            size => group * size..count.min((group + 1) * size),
        }
    }

    /// The logit of a token; −∞ for the excluded one.
    #[inline(always)]
    pub(super) fn logit(&self, token: usize) -> f32 {
        if token == self.excluded { f32::NEG_INFINITY } else { self.logits[token].to_f32() }
    }

    /// Writes the maximum of each cell, without the excluded token; returns the largest, and whether
    /// there is a NaN, the excluded token's included.
    #[inline(always)]
    pub(super) fn maxima<L: Lanes>(&self, s: L, maxima: &mut [[u32; 16]]) -> (f32, bool) {
        let (max, nan) = match self.size {
            1 => self.load(s, maxima),
            _ => self.sweep(s, maxima),
        };
        if self.excluded >= self.logits.len() {
            return (max, nan);
        }
        self.exclude(maxima);
        if self.logits[self.excluded].to_f32() >= max {
            let maxima = maxima.as_flattened().iter();
            return (maxima.fold(f32::NEG_INFINITY, |a, &b| a.max(f32::from_bits(b))), nan);
        }
        (max, nan)
    }

    /// The maxima of cells of one token: the tokens.
    #[inline(always)]
    fn load<L: Lanes>(&self, s: L, cells: &mut [[u32; 16]]) -> (f32, bool) {
        let mut nan = s.no_lane();
        let mut max = s.splat(f32::NEG_INFINITY);
        let (vectors, rest) = self.logits.as_chunks::<16>();
        for (vector, cell) in vectors.iter().zip(&mut *cells) {
            let x = E::load(s, vector);
            max = s.max(max, x);
            nan = s.or(nan, s.unordered(x, x));
            s.store_u32(s.float_bits(x), cell);
        }
        if let Some(cell) = cells.get_mut(vectors.len()) {
            let x = E::load_some(s, rest);
            max = s.max(max, x);
            nan = s.or(nan, s.unordered(x, x));
            s.store_u32(s.float_bits(x), cell);
        }
        (s.largest(max), s.any(nan))
    }

    /// The maxima of larger cells.
    #[inline(always)]
    fn sweep<L: Lanes>(&self, s: L, cells: &mut [[u32; 16]]) -> (f32, bool) {
        match self.size {
            2 => self.sweep_blocks::<L, 4>(s, cells),
            4 => self.sweep_blocks::<L, 2>(s, cells),
            _ => self.sweep_blocks::<L, 1>(s, cells),
        }
    }

    /// The maxima of cells of which N vectors, or a part of one, make a block.
    ///
    /// An ordered maximum drops a NaN silently, so every pair of vectors is also compared for one.
    #[inline(always)]
    fn sweep_blocks<L: Lanes, const N: usize>(&self, s: L, cells: &mut [[u32; 16]]) -> (f32, bool) {
        let least = s.splat(f32::NEG_INFINITY);
        let (mut nan, mut row) = (s.no_lane(), [least; N]);
        for (x, cells) in self.logits.chunks(16 * N * self.size).zip(cells.chunks_mut(N)) {
            let mut max = [least; N];
            let (vectors, _) = x.as_chunks::<16>();
            let (blocks, _) = vectors.as_chunks::<VECTORS>();
            for block in blocks {
                let mut pairs = [least; VECTORS / 2];
                for (pair, max) in block.as_chunks::<2>().0.iter().zip(&mut pairs) {
                    let (a, b) = (E::load(s, &pair[0]), E::load(s, &pair[1]));
                    *max = s.max(a, b);
                    nan = s.or(nan, s.unordered(a, b));
                }
                max = largest_of_pairs(s, max, pairs);
            }
            for (v, x) in x[TOKENS * blocks.len()..].chunks(16).enumerate() {
                let x = part(s, x);
                max[v * N / VECTORS] = s.max(max[v * N / VECTORS], x);
                nan = s.or(nan, s.unordered(x, x));
            }
            for (k, cell) in cells.iter_mut().enumerate() {
                s.store_u32(s.float_bits(max[k]), cell);
                row[k] = s.max(row[k], max[k]);
            }
        }
        let row = row.into_iter().fold(least, |a, b| s.max(a, b));
        (s.largest(row), s.any(nan))
    }

    /// The token at `offset` of a cell; it may lie past the end of the row.
    #[inline(always)]
    pub(super) fn token(&self, vector: usize, lane: usize, offset: usize) -> usize {
        (vector * self.size + offset) * 16 + lane
    }

    /// The place of a token's cell: its vector and its lane.
    #[inline(always)]
    fn cell(&self, token: usize) -> (usize, usize) {
        (token / (16 * self.size), token % 16)
    }

    /// The largest logit of a token's cell but its own.
    #[inline(always)]
    fn largest_beside(&self, token: usize) -> f32 {
        let (vector, lane) = self.cell(token);
        let tokens = (0..self.size).map(|offset| self.token(vector, lane, offset));
        let others = tokens.filter(|&other| other < self.logits.len() && other != token);
        others.fold(f32::NEG_INFINITY, |max, other| max.max(self.logit(other)))
    }

    /// Replaces the maximum of the excluded token's cell by the maximum without it.
    #[inline(always)]
    fn exclude(&self, maxima: &mut [[u32; 16]]) {
        let (vector, lane) = self.cell(self.excluded);
        maxima[vector][lane] = self.largest_beside(self.excluded).to_bits();
    }

    /// The largest logit but that of `token`, from the maxima of cells; −∞ without one.
    #[inline(always)]
    pub(super) fn largest_but(&self, token: usize, maxima: &mut [[u32; 16]]) -> f32 {
        let (vector, lane) = self.cell(token);
        let beside = self.largest_beside(token);
        let own = core::mem::replace(&mut maxima[vector][lane], beside.to_bits());
        // Sixteen at a time, which the compiler turns into vectors.
        let mut max = [f32::NEG_INFINITY; 16];
        for cells in maxima.iter() {
            for (max, &cell) in max.iter_mut().zip(cells) {
                let cell = f32::from_bits(cell);
                *max = if cell > *max { cell } else { *max };
            }
        }
        maxima[vector][lane] = own;
        max.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }

    /// The lowest token whose logit equals `max`, which is the largest of the cells.
    #[inline(always)]
    pub(super) fn first_of_value(&self, max: f32, maxima: &[[u32; 16]]) -> usize {
        let holds = |cells: &[u32; 16]| {
            // Without an early exit, which the compiler turns into vectors.
            cells.iter().fold(false, |any, &x| any | (f32::from_bits(x) == max))
        };
        let vector = maxima.iter().position(holds).unwrap_or(0);
        for (block, x) in self.logits.chunks(16).enumerate().skip(vector * self.size) {
            if x.iter().fold(false, |any, x| any | (x.to_f32() == max)) {
                for (lane, x) in x.iter().enumerate() {
                    if x.to_f32() == max && 16 * block + lane != self.excluded {
                        return 16 * block + lane;
                    }
                }
            }
        }
        // Never reached: some token is the maximum of its cell.
        0
    }
}

/// The larger of N maxima and those of a block, which its pairs of vectors have: of N equal parts of
/// the block.
#[inline(always)]
pub(super) fn largest_of_pairs<L: Lanes, const N: usize>(
    s: L,
    mut max: [L::F; N],
    mut pairs: [L::F; VECTORS / 2],
) -> [L::F; N] {
    let mut parts = VECTORS / 2;
    while parts > N {
        parts /= 2;
        for k in 0..parts {
            pairs[k] = s.max(pairs[2 * k], pairs[2 * k + 1]);
        }
    }
    for k in 0..N {
        max[k] = s.max(max[k], pairs[k]);
    }
    max
}

/// A vector of up to 16 tokens.
#[inline(always)]
pub(super) fn part<L: Lanes, E: Element>(s: L, x: &[E]) -> L::F {
    match x.first_chunk() {
        Some(x) => E::load(s, x),
        None => E::load_some(s, x),
    }
}

/// Writes the first elements of a vector, up to 16.
#[inline(always)]
pub(super) fn store_part<L: Lanes>(s: L, x: L::F, out: &mut [f32]) {
    if let Some(whole) = out.first_chunk_mut() {
        s.store(x, whole);
    } else {
        let mut padded = [0.0; 16];
        s.store(x, &mut padded);
        out.copy_from_slice(&padded[..out.len()]);
    }
}

/// The largest element of a row by the plainest vector loop: the bare sweep that benchmarks
/// compare a draw with.
#[doc(hidden)]
#[must_use]
pub fn largest(level: Level, row: &[f32]) -> f32 {
    run(level, Largest(row))
}

struct Largest<'a>(&'a [f32]);

impl Kernel for Largest<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> f32 {
        let (blocks, rest) = self.0.as_chunks::<128>();
        let mut m = [s.splat(f32::NEG_INFINITY); 8];
        for block in blocks {
            for (m, x) in m.iter_mut().zip(block.as_chunks::<16>().0) {
                *m = s.max(*m, s.load(x));
            }
        }
        for other in 1..8 {
            m[0] = s.max(m[0], m[other]);
        }
        rest.iter().fold(s.largest(m[0]), |a, &b| if b > a { b } else { a })
    }
}
