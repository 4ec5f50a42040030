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
//! 2. **Envelope.** Every token of a cell weighs at most u, a cheap upper bound of
//!    weight(maximum of the cell).
//! 3. **Propose and accept.** A cell is chosen with probability u/Σu, a token in it uniformly, and
//!    accepted with probability weight(token)/u; otherwise all of this is done again. An accepted
//!    token has the softmax law exactly, whatever C; the expected number of proposals is
//!    C·Σu/Σweight, at most C for any row.
//!
//! With C = 1 the cells are the tokens, nothing is ever rejected, and this is an inverse CDF.

use super::envelope::{Envelope, MAX_CHUNKS, MAX_PEELED, Peeled, Scratch};
use super::{Drawn, RowDraw, Temperature};
use crate::lanes::math::{weight, weight_bound};
use crate::lanes::{Kernel, Lanes, Level, run};
use crate::logits::{Logits, LogitsData};
use crate::rng::Purpose;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

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

/// Draws a token for each job.
pub(crate) fn draw_rows(
    level: Level,
    logits: &Logits<'_>,
    excluded: Option<u32>,
    jobs: &[RowDraw],
    out: &mut [Drawn],
    scratch: &mut Scratch,
) {
    let (vocab, excluded) = (logits.vocab(), excluded.map_or(usize::MAX, |id| id as usize));
    match logits.data() {
        LogitsData::F32(data) => {
            run(level, DrawRows { data, vocab, excluded, jobs, out, scratch });
        }
    }
}

struct DrawRows<'a, E> {
    data: &'a [E],
    vocab: usize,
    excluded: usize,
    jobs: &'a [RowDraw],
    out: &'a mut [Drawn],
    scratch: &'a mut Scratch,
}

impl<E: Element> Kernel for DrawRows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        for (job, out) in self.jobs.iter().zip(self.out) {
            let row = &self.data[job.start..job.start + self.vocab];
            *out = draw_row(s, row, self.excluded, job, self.scratch);
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
    let cells = scratch.cells(row.len().div_ceil(16 * size));

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

    for cell in &mut *cells {
        let x = s.load(cell);
        let bound = if size == 1 {
            weight(s, x, max, job.temperature)
        } else {
            weight_bound(s, x, max, job.temperature)
        };
        s.store(bound, cell);
    }
    let mut rng = job.key.generator(Purpose::Token);
    let chunks = cells.len();
    let envelope = Envelope::new(s, scratch, chunks);
    if size == 1 {
        let word = rng.next_u64();
        let ([chunk], [lane]) = envelope.pick([word], &mut rng);
        return Drawn::token(16 * chunk + lane);
    }
    let mut proposals =
        Proposals { row, excluded, size, max, temperature: job.temperature, envelope };
    // The first batch is small: flat rows accept at once, and peaked ones are peeled after it.
    if let Some(token) = proposals.batch::<L, 4>(s, &mut rng) {
        return Drawn::token(token);
    }
    loop {
        if let Some(token) = proposals.batch::<L, 16>(s, &mut rng) {
            return Drawn::token(token);
        }
    }
}

/// Everything that a proposal needs.
struct Proposals<'a, E> {
    row: &'a [E],
    excluded: usize,
    size: usize,
    max: f32,
    temperature: Temperature,
    envelope: Envelope<'a>,
}

impl<E: Element> Proposals<'_, E> {
    /// Makes N proposals, each from two random words (and rarely more, see [`Envelope::pick`] and
    /// [`unit`]); the first that is accepted counts. If none is, hot cells among them are peeled.
    #[inline(always)]
    fn batch<L: Lanes, const N: usize>(
        &mut self,
        s: L,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Option<usize> {
        let (mut choices, mut words) = ([0; N], [0; N]);
        for p in 0..N {
            choices[p] = rng.next_u64();
            words[p] = rng.next_u64();
        }
        let (chunks, lanes) = self.envelope.pick(choices, rng);
        let mut tokens = [0; N];
        let mut logits = [f32::NEG_INFINITY; 16];
        let mut bars = [0.0; N];
        for p in 0..N {
            if lanes[p] == Envelope::PEELED {
                // A peeled token is always accepted: its bar lies below any weight.
                (tokens[p], bars[p]) = (self.envelope.peeled()[chunks[p]].token, -1.0);
                continue;
            }
            let offset = words[p] as usize & (self.size - 1);
            let token = (chunks[p] * self.size + offset) * 16 + lanes[p];
            if token < self.row.len() && self.is_open(token) {
                logits[p] = self.row[token].to_f32();
            }
            tokens[p] = token;
            let bound = self.envelope.bound(chunks[p], lanes[p]);
            bars[p] = unit(words[p] >> 11, rng) * f64::from(bound);
        }
        let mut weights = [0.0; 16];
        s.store(weight(s, s.load(&logits), self.max, self.temperature), &mut weights);
        let accepted = (0..N).find(|&p| bars[p] < f64::from(weights[p]));
        if accepted.is_none() {
            self.peel(s, &chunks, &lanes);
        }
        accepted.map(|p| tokens[p])
    }

    /// Whether a proposal may end at `token`: it is neither excluded nor peeled.
    #[inline(always)]
    fn is_open(&self, token: usize) -> bool {
        token != self.excluded && self.envelope.peeled().iter().all(|peeled| peeled.token != token)
    }

    /// Of cells that were proposed in vain and hold more than a sixteenth of the envelope, takes
    /// the heaviest token out: it becomes a choice of its own, and the rest of the cell is bounded
    /// by its second largest logit. In a peaked row that saves most of the rejections.
    #[inline(always)]
    fn peel<L: Lanes>(&mut self, s: L, chunks: &[usize], lanes: &[usize]) {
        let hot = self.envelope.total() / 16.0;
        let mut any = false;
        for (&chunk, &lane) in chunks.iter().zip(lanes) {
            let full = self.envelope.peeled().len() == MAX_PEELED;
            if full || lane >= 16 || f64::from(self.envelope.bound(chunk, lane)) <= hot {
                continue;
            }
            let (mut token, mut first, mut second) = (0, f32::NEG_INFINITY, f32::NEG_INFINITY);
            let begin = chunk * 16 * self.size + lane;
            for at in (begin..self.row.len()).step_by(16).take(self.size) {
                let x = self.row[at].to_f32();
                if x > second && self.is_open(at) {
                    if x > first {
                        (token, first, second) = (at, x, first);
                    } else {
                        second = x;
                    }
                }
            }
            let (mut share, mut rest) = ([0.0; 16], [0.0; 16]);
            s.store(weight(s, s.splat(first), self.max, self.temperature), &mut share);
            s.store(weight_bound(s, s.splat(second), self.max, self.temperature), &mut rest);
            let share = f64::from(share[0]) / self.size as f64;
            self.envelope.peel(chunk, lane, rest[0], Peeled { token, share });
            any = true;
        }
        if any {
            self.envelope.sum_up(s);
        }
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
    // Sixteen at a time without an early exit, which the compiler turns into vectors.
    let holds = |x: &[f32]| x.iter().fold(false, |any, &x| any | (x == max));
    let chunk = cells.iter().position(|cell| holds(cell)).unwrap_or(0);
    for (block, x) in row.chunks(16).enumerate().skip(chunk * size) {
        if x.iter().fold(false, |any, x| any | (x.to_f32() == max)) {
            for (lane, x) in x.iter().enumerate() {
                if x.to_f32() == max && 16 * block + lane != excluded {
                    return 16 * block + lane;
                }
            }
        }
    }
    // Never reached: some token is the maximum of its cell.
    0
}

/// A uniform number in (0, 1] from 53 bits, which are continued by another word where they would
/// leave less than 30 significant ones.
#[inline(always)]
fn unit(bits: u64, rng: &mut Xoshiro256PlusPlus) -> f64 {
    const STEP: f64 = 1.0 / (1u64 << 53) as f64;
    let fraction = if bits < 1 << 29 { ((rng.next_u64() >> 11) as f64 + 0.5) * STEP } else { 0.5 };
    (bits as f64 + fraction) * STEP
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
