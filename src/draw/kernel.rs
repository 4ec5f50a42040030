//! The categorical draw: one sweep for maxima, then rejection under the maxima.
//!
//! The plain loop would be
//!
//! ```text
//! max = largest logit;  weight[i] = exp((z[i] - max)/T);  sum = Σ weight
//! u = uniform(0, sum);  token = first i whose running sum of weights exceeds u
//! ```
//!
//! It costs an exponential a token, and reads the row twice. Here instead:
//!
//! 1. **Sweep.** The row is cut into chunks of 16·C tokens; lane l of a chunk is a *cell* of C
//!    tokens, every sixteenth. A running vector maximum over a chunk is the maximum of its 16
//!    cells, with no reduction across lanes. C is a function of the vocabulary alone.
//! 2. **Envelope.** Every token of a cell weighs at most u = weight(maximum of the cell).
//! 3. **Propose and accept.** A cell is chosen with probability u/Σu, a token in it uniformly, and
//!    accepted with probability weight(token)/u; otherwise all of this is done again. An accepted
//!    token has the softmax law exactly, whatever C; the expected number of proposals is
//!    C·Σu/Σweight, at most C for any row.
//!
//! With C = 1 the cells are the tokens, nothing is ever rejected, and this is an inverse CDF.

use super::{Drawn, RowDraw, Temperature};
use crate::lanes::math::weight;
use crate::lanes::{Kernel, Lanes, Level, run};
use crate::logits::{Logits, LogitsData};
use crate::rng::Purpose;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

/// The most chunks that a row is cut into.
const MAX_CHUNKS: usize = 256;

/// An element type of logits.
trait Element: Copy {
    fn load<L: Lanes>(s: L, x: &[Self; 16]) -> L::F;
    fn to_f32(self) -> f32;
    const NEG_INFINITY: Self;
}

impl Element for f32 {
    const NEG_INFINITY: Self = f32::NEG_INFINITY;

    #[inline(always)]
    fn load<L: Lanes>(s: L, x: &[f32; 16]) -> L::F {
        s.load(x)
    }
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
}

/// C, the number of tokens in a cell, a power of two.
///
/// Larger cells make the envelope cheaper and the proposals more: 64 chunks balance the two up to
/// C = 128, and beyond that C grows only so that [`MAX_CHUNKS`] suffice.
const fn cell_size(vocab: usize) -> usize {
    let vectors = vocab.div_ceil(16);
    let balanced = vectors.div_ceil(64).next_power_of_two();
    let balanced = if balanced < 128 { balanced } else { 128 };
    let needed = vectors.div_ceil(MAX_CHUNKS).next_power_of_two();
    if needed > balanced { needed } else { balanced }
}

/// The 11 low bits of a random word choose the token of a cell.
const _: () = assert!(cell_size(crate::logits::MAX_VOCAB) <= 1 << 11);

/// Working memory of a row.
struct Scratch {
    /// The maximum of each cell, then its weight. Cell l of chunk c is `cells[c][l]`.
    cells: [[f32; 16]; MAX_CHUNKS],
    /// The weight of the chunks up to each one, itself included.
    prefix: [f64; MAX_CHUNKS],
}

/// Draws a token for each job.
pub(crate) fn draw_rows(
    level: Level,
    logits: &Logits<'_>,
    excluded: Option<u32>,
    jobs: &[RowDraw],
    out: &mut [Drawn],
) {
    let (vocab, excluded) = (logits.vocab(), excluded.map_or(usize::MAX, |id| id as usize));
    match logits.data() {
        LogitsData::F32(data) => run(level, DrawRows { data, vocab, excluded, jobs, out }),
    }
}

struct DrawRows<'a, E> {
    data: &'a [E],
    vocab: usize,
    excluded: usize,
    jobs: &'a [RowDraw],
    out: &'a mut [Drawn],
}

impl<E: Element> Kernel for DrawRows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let mut scratch = Scratch { cells: [[0.0; 16]; MAX_CHUNKS], prefix: [0.0; MAX_CHUNKS] };
        for (job, out) in self.jobs.iter().zip(self.out) {
            let row = &self.data[job.start..job.start + self.vocab];
            *out = draw_row(s, row, self.excluded, job, &mut scratch);
        }
    }
}

#[inline(always)]
fn draw_row<L: Lanes, E: Element>(
    s: L,
    row: &[E],
    excluded: usize,
    job: &RowDraw,
    scratch: &mut Scratch,
) -> Drawn {
    let size = cell_size(row.len());
    let chunks = row.len().div_ceil(16 * size);
    let cells = &mut scratch.cells[..chunks];
    let prefix = &mut scratch.prefix[..chunks];

    let nan = sweep(s, row, size, cells);
    if excluded < row.len() {
        let (chunk, lane) = (excluded / (16 * size), excluded % 16);
        cells[chunk][lane] = cell_maximum_without(row, excluded, size);
    }
    let mut max = s.load(&cells[0]);
    for cell in &cells[1..] {
        max = s.max(max, s.load(cell));
    }
    let max = s.largest(max);
    if nan || max == f32::INFINITY || max == f32::NEG_INFINITY {
        return Drawn::BAD;
    }
    if job.temperature.greedy {
        return Drawn::token(first_of_value(row, max, excluded, size, cells));
    }

    let mut total = 0.0;
    for (cell, prefix) in cells.iter_mut().zip(prefix.iter_mut()) {
        let envelope = weight(s, s.load(cell), max, job.temperature);
        s.store(envelope, cell);
        total += s.sum(envelope);
        *prefix = total;
    }
    let mut rng = job.key.generator(Purpose::Token);
    let envelope = Envelope { cells, prefix, total };
    if size == 1 {
        let (chunk, lane) = envelope.pick(&mut rng);
        return Drawn::token(16 * chunk + lane);
    }

    // The first proposals go four at a time, since peaked rows accept at once.
    let mut batch = 4;
    loop {
        let mut tokens = [0; 16];
        let mut logits = [f32::NEG_INFINITY; 16];
        let mut bars = [0.0; 16];
        for p in 0..batch {
            let (chunk, lane) = envelope.pick(&mut rng);
            let word = rng.next_u64();
            let offset = word as usize & (size - 1);
            let token = (chunk * size + offset) * 16 + lane;
            if token < row.len() && token != excluded {
                logits[p] = row[token].to_f32();
            }
            tokens[p] = token;
            bars[p] = unit(word >> 11, &mut rng) * f64::from(envelope.cells[chunk][lane]);
        }
        let mut weights = [0.0; 16];
        s.store(weight(s, s.load(&logits), max, job.temperature), &mut weights);
        for p in 0..batch {
            if bars[p] < f64::from(weights[p]) {
                return Drawn::token(tokens[p]);
            }
        }
        batch = 16;
    }
}

/// Writes the maximum of each cell; says whether there is a NaN.
///
/// An ordered maximum drops a NaN silently, so every pair of vectors is also compared for one.
#[inline(always)]
fn sweep<L: Lanes, E: Element>(s: L, row: &[E], size: usize, cells: &mut [[f32; 16]]) -> bool {
    let mut nan = s.no_lane();
    for (chunk, cell) in row.chunks(16 * size).zip(cells) {
        let (vectors, rest) = chunk.as_chunks::<16>();
        let (quads, singles) = vectors.as_chunks::<4>();
        let mut m = [s.splat(f32::NEG_INFINITY); 4];
        for quad in quads {
            let x0 = E::load(s, &quad[0]);
            let x1 = E::load(s, &quad[1]);
            let x2 = E::load(s, &quad[2]);
            let x3 = E::load(s, &quad[3]);
            m[0] = s.max(m[0], x0);
            m[1] = s.max(m[1], x1);
            m[2] = s.max(m[2], x2);
            m[3] = s.max(m[3], x3);
            nan = s.or(nan, s.or(s.unordered(x0, x1), s.unordered(x2, x3)));
        }
        for single in singles {
            let x = E::load(s, single);
            m[0] = s.max(m[0], x);
            nan = s.or(nan, s.unordered(x, x));
        }
        if !rest.is_empty() {
            let mut padded = [E::NEG_INFINITY; 16];
            padded[..rest.len()].copy_from_slice(rest);
            let x = E::load(s, &padded);
            m[0] = s.max(m[0], x);
            nan = s.or(nan, s.unordered(x, x));
        }
        s.store(s.max(s.max(m[0], m[1]), s.max(m[2], m[3])), cell);
    }
    s.any(nan)
}

/// The maximum of the cell of token `excluded`, without it.
#[inline(always)]
fn cell_maximum_without<E: Element>(row: &[E], excluded: usize, size: usize) -> f32 {
    let first = excluded / (16 * size) * (16 * size) + excluded % 16;
    let mut max = f32::NEG_INFINITY;
    for token in (first..row.len()).step_by(16).take(size) {
        let x = row[token].to_f32();
        if token != excluded && x > max {
            max = x;
        }
    }
    max
}

/// The lowest token whose logit equals `max`, which is the largest of the cells.
#[inline(always)]
fn first_of_value<E: Element>(
    row: &[E],
    max: f32,
    excluded: usize,
    size: usize,
    cells: &[[f32; 16]],
) -> usize {
    let chunk = cells.iter().position(|cell| cell.contains(&max)).unwrap_or(0);
    let begin = chunk * 16 * size;
    let is_it = |(token, x): (usize, &E)| x.to_f32() == max && begin + token != excluded;
    begin + row[begin..].iter().enumerate().position(is_it).unwrap_or(0)
}

/// A uniform number in (0, 1] from 53 bits, which are continued by another word where they would
/// leave less than 30 significant ones.
#[inline(always)]
fn unit(bits: u64, rng: &mut Xoshiro256PlusPlus) -> f64 {
    const STEP: f64 = 1.0 / (1u64 << 53) as f64;
    let fraction = if bits < 1 << 29 { ((rng.next_u64() >> 11) as f64 + 0.5) * STEP } else { 0.5 };
    (bits as f64 + fraction) * STEP
}

/// The weights of the cells, ready to be chosen from.
struct Envelope<'a> {
    cells: &'a [[f32; 16]],
    prefix: &'a [f64],
    total: f64,
}

impl Envelope<'_> {
    /// A cell, as (chunk, lane), with probability proportional to its weight.
    ///
    /// The running sums are rounded, to far less than 2^-40 of the total. Unless the random number
    /// falls within 2^-36 of the total of an edge of the cell that it finds, the rounding cannot
    /// matter; if it does, the choice is made again in 128-bit integers and with 64 more random
    /// bits. So a cell keeps its exact probability however small that is.
    #[inline(always)]
    fn pick(&self, rng: &mut Xoshiro256PlusPlus) -> (usize, usize) {
        let word = rng.next_u64();
        let target = (word >> 11) as f64 * (1.0 / (1u64 << 53) as f64) * self.total;
        let mut chunk = 0;
        for &prefix in self.prefix {
            chunk += usize::from(prefix <= target);
        }
        let chunk = chunk.min(self.prefix.len() - 1);
        let before = if chunk == 0 { 0.0 } else { self.prefix[chunk - 1] };
        let target = target - before;
        let (mut sum, mut lane, mut begin, mut end) = (0.0, 0, 0.0, f64::INFINITY);
        for &cell in &self.cells[chunk] {
            sum += f64::from(cell);
            let passed = sum <= target;
            lane += usize::from(passed);
            begin = if passed { sum } else { begin };
            end = if !passed && sum < end { sum } else { end };
        }
        let margin = self.total * (1.0 / (1u64 << 36) as f64);
        if lane < 16 && target - begin > margin && end - target > margin {
            return (chunk, lane);
        }
        self.pick_exactly(word, rng.next_u64())
    }

    /// The choice in integers: the cell in which `high`:`low` · Σ / 2^128 falls (to two units),
    /// weights in units of 2^-110.
    #[cold]
    #[inline(never)]
    fn pick_exactly(&self, high: u64, low: u64) -> (usize, usize) {
        // A weight is at most 1 and there are at most 2^12, so the sum is at most 2^122.
        let units = |cell: f32| (f64::from(cell) * (1u128 << 110) as f64) as u128;
        let total = self.cells.as_flattened().iter().map(|&cell| units(cell)).sum::<u128>();
        let (total_high, total_low) = (total >> 64, total & u128::from(u64::MAX));
        let (high, low) = (u128::from(high), u128::from(low));
        let middle = (high * total_low >> 64) + (low * total_high >> 64);
        let mut left = high * total_high + middle;
        for (k, &cell) in self.cells.as_flattened().iter().enumerate() {
            match left.checked_sub(units(cell)) {
                Some(rest) => left = rest,
                None => return (k / 16, k % 16),
            }
        }
        // Never reached: the number is below the sum.
        (0, 0)
    }
}

/// The weights exp((z − max)/T) of all tokens of a row, as the draw computes them: what a law is
/// enumerated from in tests. `None` for a bad row, for temperature 0 and for one out of range.
///
/// # Panics
/// If `out` is not as long as `row`.
#[doc(hidden)]
pub fn weights(level: Level, row: &[f32], temperature: f32, out: &mut [f32]) -> Option<()> {
    assert_eq!(row.len(), out.len(), "one weight a token");
    let temperature = Temperature::new(temperature).ok().filter(|t| !t.greedy)?;
    run(level, Weights { row, temperature, out })
}

struct Weights<'a> {
    row: &'a [f32],
    temperature: Temperature,
    out: &'a mut [f32],
}

impl Kernel for Weights<'_> {
    type Output = Option<()>;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> Option<()> {
        let max = self.row.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        if self.row.iter().any(|x| x.is_nan()) || !max.is_finite() {
            return None;
        }
        for (x, out) in self.row.chunks(16).zip(self.out.chunks_mut(16)) {
            let (mut padded, mut weights) = ([f32::NEG_INFINITY; 16], [0.0; 16]);
            padded[..x.len()].copy_from_slice(x);
            s.store(weight(s, s.load(&padded), max, self.temperature), &mut weights);
            out.copy_from_slice(&weights[..x.len()]);
        }
        Some(())
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
