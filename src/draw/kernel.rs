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
//! 1. **Sweep.** The row is cut into groups of 8·C vectors of 16 tokens. Vector k of a group goes
//!    into the k-mod-8th of eight running maxima, so each of their lanes ends as the maximum of a
//!    *cell* of C tokens, with no reduction across lanes or accumulators. C is a function of the
//!    vocabulary alone.
//! 2. **Envelope.** Every token of a cell weighs at most u, a cheap upper bound of
//!    weight(maximum of the cell).
//! 3. **Propose and accept.** A cell is chosen with probability u/Σu, a token in it uniformly, and
//!    accepted with probability weight(token)/u; otherwise all of this is done again. An accepted
//!    token has the softmax law exactly, whatever C and however loose the bound; the expected
//!    number of proposals is C·Σu/Σweight, at most 1.1·C for any row.
//!
//! With C = 1 the cells are the tokens and next to nothing is rejected: an inverse CDF.

use super::element::Element;
use super::envelope::{Cells, Envelope, GROUP, MAX_GROUPS, Scratch};
use super::filter::{List, float, least_logit, order};
use super::statistics::masses;
use super::{Batch, DrawRule, Drawn, Temperature};
use super::{short, stage};
use crate::constraints::Constraints;
use crate::lanes::math::{BOUND_UNIT, weight};
use crate::lanes::{Kernel, Lanes, Level, run};
use crate::logits::{Guide, Logits, LogitsData, MAX_VOCAB};
use crate::policy::Draw;
use crate::rng::{Key, Purpose};
use core::ops::Range;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

/// C, the number of tokens in a cell, a power of two.
///
/// Larger cells make the envelope cheaper and the proposals more. A vector of bounds costs about
/// as much as an eighth of a proposal, so C² near an eighth of the number of vectors balances the
/// two; for huge vocabularies [`MAX_GROUPS`] decides.
const fn cell_size(vocab: usize) -> usize {
    let vectors = vocab.div_ceil(16);
    let balanced = (vectors / 8).isqrt().next_power_of_two();
    let needed = vectors.div_ceil(GROUP * MAX_GROUPS).next_power_of_two();
    if needed > balanced { needed } else { balanced }
}

/// The low bits of a random word, below those of the uniform number, that choose within a cell.
pub(super) const OFFSET_BITS: u32 = 11;

const _: () = assert!(cell_size(MAX_VOCAB) <= 1 << OFFSET_BITS);

/// Runs a kernel on the elements of a batch and of its guide, whatever their type.
macro_rules! run_batch {
    ($level:expr, $batch:expr, |$data:ident, $guide:ident| $kernel:expr) => {{
        // A guide has the type of the logits; without one there is nothing that could be read.
        macro_rules! run_on {
            ($variant:ident, $elements:expr) => {{
                let $data = $elements;
                let $guide = match $batch.logits.guide().map(Guide::data) {
                    Some(LogitsData::$variant(guide)) => guide,
                    _ => &[],
                };
                run($level, $kernel)
            }};
        }
        match $batch.logits.data() {
            LogitsData::F32(data) => run_on!(F32, data),
            LogitsData::F16(data) => run_on!(F16, data),
            LogitsData::Bf16(data) => run_on!(Bf16, data),
        }
    }};
}

/// Draws the tokens of the jobs in `jobs` of a batch.
pub(crate) fn draw_rows(
    level: Level,
    batch: &Batch<'_>,
    jobs: Range<usize>,
    out: &mut [Drawn],
    scratch: &mut Scratch,
) {
    run_batch!(level, batch, |data, guide| DrawRows { data, guide, batch, jobs, out, scratch });
}

struct DrawRows<'a, E> {
    data: &'a [E],
    guide: &'a [E],
    batch: &'a Batch<'a>,
    jobs: Range<usize>,
    out: &'a mut [Drawn],
    scratch: &'a mut Scratch,
}

impl<E: Element> Kernel for DrawRows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { data, guide, batch, jobs, out, scratch } = self;
        let vocab = batch.logits.vocab();
        let excluded = batch.constraints.excluded.map_or(usize::MAX, |id| id as usize);
        let size = cell_size(vocab);
        let staged = stage::needed(batch);
        let Scratch { cells, staged: copy, list } = scratch;
        if size == 1 && batch.draws == 1 && !staged {
            return short::draw(s, batch, data, excluded, jobs, out, cells, list);
        }
        for (k, out) in jobs.zip(out.chunks_mut(batch.draws)) {
            let (row, key, rule) = (batch.row(k), &batch.keys[k], batch.rule(k));
            if staged {
                let logits = &mut copy[..vocab];
                stage::write(s, batch, data, guide, row, logits);
                Row { logits, excluded, size }.draw(s, rule, key, cells, list, out);
            } else {
                let start = batch.logits.start(row);
                let logits = &data[start..start + vocab];
                Row { logits, excluded, size }.draw(s, rule, key, cells, list, out);
            }
        }
    }
}

/// A row, the token of it that may not be drawn (or a number past its end), and its cell size.
pub(super) struct Row<'a, E> {
    pub(super) logits: &'a [E],
    pub(super) excluded: usize,
    pub(super) size: usize,
}

impl<E: Element> Row<'_, E> {
    /// Draws as many tokens as `out` holds.
    #[inline(always)]
    pub(super) fn draw<L: Lanes>(
        &self,
        s: L,
        rule: &DrawRule,
        key: &Key,
        cells: &mut Cells,
        list: &mut List,
        out: &mut [Drawn],
    ) {
        let maxima = cells.maxima(self.vectors());
        let (max, nan) = self.maxima(s, maxima);
        if nan || max == f32::INFINITY || max == f32::NEG_INFINITY {
            return out.fill(Drawn::BAD);
        }
        if rule.temperature.greedy {
            return out.fill(Drawn::token(self.first_of_value(max, maxima)));
        }
        if (rule.top_k as usize) < self.logits.len() {
            let count = list.filter(s, self, maxima, max, rule);
            let logits = list.values(count);
            let rest = Row { logits, excluded: usize::MAX, size: cell_size(count) };
            let maxima = cells.maxima(rest.vectors());
            rest.maxima(s, maxima);
            let rule = &DrawRule { top_p: 1.0, ..*rule };
            rest.draw_plain(s, rule, max, f32::NEG_INFINITY, key, cells, out);
            for drawn in out {
                *drawn = Drawn::token(list.token(drawn.token as usize));
            }
            return;
        }
        self.draw_plain(s, rule, max, least_logit(rule, max), key, cells, out);
    }

    /// Draws from a row whose cells have their maxima, among the logits of at least `least`.
    #[inline(always)]
    fn draw_plain<L: Lanes>(
        &self,
        s: L,
        rule: &DrawRule,
        max: f32,
        least: f32,
        key: &Key,
        cells: &mut Cells,
        out: &mut [Drawn],
    ) {
        let temperature = rule.temperature;
        let (mut top_p, mut least, mut reach) = (rule.top_p, least, least);
        if top_p < 1.0 && rule.filter_temperature != temperature {
            // A nucleus at another temperature can be too small to be hit by chance.
            least = least.max(self.nucleus(s, max, rule));
            (top_p, reach) = (1.0, least);
        } else if top_p < 1.0 && out.len() >= 32 {
            // A threshold takes some thirty passes over the row, which many draws share. It leaves
            // their proposals as they are, and so their tokens.
            least = least.max(self.nucleus(s, max, rule));
            top_p = 1.0;
        }
        let envelope = Envelope::new(s, cells, self.vectors(), max, reach, temperature);
        let target = Target { envelope, max, least, temperature };
        for (j, out) in out.iter_mut().enumerate() {
            let mut rng = key.draw_generator(Purpose::Token, j as u32);
            // As many proposals at first as are likely to be needed: with cells of one token nearly
            // all are accepted, with small ones every few.
            let mut proposals = match self.size {
                1 => self.propose::<L, 1>(s, &target, &mut rng),
                2..16 => self.propose::<L, 4>(s, &target, &mut rng),
                _ => self.propose::<L, 16>(s, &target, &mut rng),
            };
            // The largest logit that is known to lie outside the nucleus.
            let mut outside = f32::NEG_INFINITY;
            *out = loop {
                let Some(token) = proposals.next() else {
                    proposals = match self.size {
                        1 => self.propose::<L, 1>(s, &target, &mut rng),
                        _ => self.propose::<L, 16>(s, &target, &mut rng),
                    };
                    continue;
                };
                if top_p == 1.0 {
                    break Drawn::token(token);
                }
                let x = self.logits[token].to_f32();
                if x > outside {
                    if x == max || self.is_in_nucleus(s, x, max, rule) {
                        break Drawn::token(token);
                    }
                    outside = x;
                }
            };
        }
    }

    /// Whether top-p keeps logit `x`: whether all larger ones have less than p of the mass.
    #[inline(always)]
    fn is_in_nucleus<L: Lanes>(&self, s: L, x: f32, max: f32, rule: &DrawRule) -> bool {
        let (temperature, all) = (rule.filter_temperature, f32::NEG_INFINITY);
        let (total, above) = masses(s, self.logits, self.excluded, max, temperature, all, x);
        above < rule.top_p * total
    }

    /// The least logit that top-p keeps, or a number between it and the next.
    #[inline(always)]
    fn nucleus<L: Lanes>(&self, s: L, max: f32, rule: &DrawRule) -> f32 {
        // The mass above a logit falls as the logit grows, so it can be searched for.
        let (mut out, mut inside) = (order(f32::NEG_INFINITY), order(max));
        while inside - out > 1 {
            let middle = out + (inside - out) / 2;
            if self.is_in_nucleus(s, float(middle), max, rule) {
                inside = middle;
            } else {
                out = middle;
            }
        }
        float(inside)
    }

    /// The number of vectors of cells.
    fn vectors(&self) -> usize {
        match self.size {
            1 => self.logits.len().div_ceil(16),
            size => self.logits.len().div_ceil(16 * GROUP * size) * GROUP,
        }
    }

    /// Writes the maximum of each cell, without the excluded token; returns the largest, and whether
    /// there is a NaN, the excluded token's included.
    #[inline(always)]
    fn maxima<L: Lanes>(&self, s: L, maxima: &mut [[u32; 16]]) -> (f32, bool) {
        let (max, nan) = match self.size {
            1 => self.load(s, maxima),
            _ => self.sweep(s, maxima.as_chunks_mut().0),
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
    ///
    /// An ordered maximum drops a NaN silently, so every pair of vectors is also compared for one.
    #[inline(always)]
    fn sweep<L: Lanes>(&self, s: L, cells: &mut [[[u32; 16]; GROUP]]) -> (f32, bool) {
        let mut nan = s.no_lane();
        let mut row = [s.splat(f32::NEG_INFINITY); GROUP];
        for (group, cells) in self.logits.chunks(16 * GROUP * self.size).zip(cells) {
            let mut max = [s.splat(f32::NEG_INFINITY); GROUP];
            let (vectors, rest) = group.as_chunks::<16>();
            let (blocks, singles) = vectors.as_chunks::<GROUP>();
            for block in blocks {
                let mut x = [s.splat(0.0); GROUP];
                for k in 0..GROUP {
                    x[k] = E::load(s, &block[k]);
                    max[k] = s.max(max[k], x[k]);
                }
                for pair in x.chunks_exact(2) {
                    nan = s.or(nan, s.unordered(pair[0], pair[1]));
                }
            }
            for (single, max) in singles.iter().zip(&mut max) {
                let x = E::load(s, single);
                *max = s.max(*max, x);
                nan = s.or(nan, s.unordered(x, x));
            }
            if !rest.is_empty() {
                let x = E::load_some(s, rest);
                max[singles.len()] = s.max(max[singles.len()], x);
                nan = s.or(nan, s.unordered(x, x));
            }
            for (k, cell) in cells.iter_mut().enumerate() {
                s.store_u32(s.float_bits(max[k]), cell);
                row[k] = s.max(row[k], max[k]);
            }
        }
        let row = row.into_iter().fold(s.splat(f32::NEG_INFINITY), |a, b| s.max(a, b));
        (s.largest(row), s.any(nan))
    }

    /// The token at `offset` of a cell; it may lie past the end of the row.
    #[inline(always)]
    fn token(&self, vector: usize, lane: usize, offset: usize) -> usize {
        // With cells of one token this is 16·vector + lane.
        let (group, accumulator) = (vector / GROUP, vector % GROUP);
        ((group * self.size + offset) * GROUP + accumulator) * 16 + lane
    }

    /// Replaces the maximum of the excluded token's cell by the maximum without it.
    #[inline(always)]
    fn exclude(&self, cells: &mut [[u32; 16]]) {
        let (vector, lane) = (self.excluded / 16, self.excluded % 16);
        let cell = vector / (GROUP * self.size) * GROUP + vector % GROUP;
        let mut max = f32::NEG_INFINITY;
        for offset in 0..self.size {
            let token = self.token(cell, lane, offset);
            if token < self.logits.len() && token != self.excluded {
                max = max.max(self.logits[token].to_f32());
            }
        }
        cells[cell][lane] = max.to_bits();
    }

    /// The lowest token whose logit equals `max`, which is the largest of the cells.
    #[inline(always)]
    fn first_of_value(&self, max: f32, maxima: &[[u32; 16]]) -> usize {
        // Sixteen at a time without an early exit, which the compiler turns into vectors.
        let holds = |cells: &[[u32; 16]]| {
            let equals = |&x: &u32| f32::from_bits(x) == max;
            cells.as_flattened().iter().fold(false, |any, x| any | equals(x))
        };
        let group = maxima.chunks(GROUP).position(holds).unwrap_or(0);
        for (block, x) in self.logits.chunks(16).enumerate().skip(group * GROUP * self.size) {
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

    /// Makes N proposals, each from two random words (and rarely more, see [`unit`]).
    #[inline(always)]
    fn propose<L: Lanes, const N: usize>(
        &self,
        s: L,
        target: &Target<'_>,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Accepted {
        let (mut choices, mut words) = ([0; N], [0; N]);
        for p in 0..N {
            choices[p] = rng.next_u64();
            words[p] = rng.next_u64();
        }
        let (vectors, lanes, bounds) = target.envelope.pick(choices);
        let mut tokens = [0; 16];
        let mut logits = [f32::NEG_INFINITY; 16];
        let mut bars = [0.0; N];
        for p in 0..N {
            let offset = words[p] as usize & (self.size - 1);
            let token = self.token(vectors[p], lanes[p], offset);
            if token < self.logits.len() && token != self.excluded {
                let x = self.logits[token].to_f32();
                logits[p] = if x >= target.least { x } else { f32::NEG_INFINITY };
            }
            tokens[p] = token;
            bars[p] = unit(words[p] >> OFFSET_BITS, rng) * f64::from(bounds[p]) * BOUND_UNIT;
        }
        let mut weights = [0.0; 16];
        // One is not worth the way through memory.
        let logits = if N == 1 { s.splat(logits[0]) } else { s.load(&logits) };
        s.store(weight(s, logits, s.splat(target.max), target.temperature), &mut weights);
        let mut accepted = 0u32;
        for p in 0..N {
            accepted |= u32::from(bars[p] < f64::from(weights[p])) << p;
        }
        Accepted { tokens, accepted }
    }
}

/// The proposals that were accepted, in their order.
struct Accepted {
    tokens: [usize; 16],
    /// Bit p says that proposal p was accepted.
    accepted: u32,
}

impl Accepted {
    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.accepted == 0 {
            return None;
        }
        let token = self.tokens[self.accepted.trailing_zeros() as usize % 16];
        self.accepted &= self.accepted - 1;
        Some(token)
    }
}

/// What a row is drawn from: its envelope, and what turns logits into weights.
struct Target<'a> {
    envelope: Envelope<'a>,
    max: f32,
    /// Smaller logits are not drawn.
    least: f32,
    temperature: Temperature,
}

/// A uniform number in (0, 1] from 53 bits, which are continued by another word where they would
/// leave less than 30 significant ones.
#[inline(always)]
pub(super) fn unit(bits: u64, rng: &mut Xoshiro256PlusPlus) -> f64 {
    const STEP: f64 = 1.0 / (1u64 << 53) as f64;
    let fraction = if bits < 1 << 29 { ((rng.next_u64() >> 11) as f64 + 0.5) * STEP } else { 0.5 };
    (bits as f64 + fraction) * STEP
}

/// The weights exp((z − max)/T) of the tokens of the first row, as the draw computes them, 0 for
/// those that constraints and filters leave out: what a law is enumerated from in tests. `None` for
/// a bad row, for temperature 0 and for a `draw` or constraints that are refused.
///
/// # Panics
/// If `out` is not as long as the row.
#[doc(hidden)]
pub fn weights(
    level: Level,
    logits: &Logits<'_>,
    draw: &Draw,
    constraints: &Constraints<'_>,
    out: &mut [f32],
) -> Option<()> {
    assert_eq!(logits.vocab(), out.len(), "one weight a token");
    constraints.check(logits.rows(), logits.vocab()).ok()?;
    let rule = DrawRule::new(draw).ok().filter(|rule| !rule.temperature.greedy)?;
    let keys = [Key::default()];
    let batch = Batch {
        logits,
        constraints,
        keys: &keys,
        rows: &[],
        rules: &[rule],
        rule_of: &[],
        draws: 1,
    };
    let scratch = &mut Scratch::new(logits.vocab());
    run_batch!(level, batch, |data, guide| Weights { data, guide, batch: &batch, scratch, out })
}

struct Weights<'a, E> {
    data: &'a [E],
    guide: &'a [E],
    batch: &'a Batch<'a>,
    scratch: &'a mut Scratch,
    out: &'a mut [f32],
}

impl<E: Element> Kernel for Weights<'_, E> {
    type Output = Option<()>;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> Option<()> {
        let Self { data, guide, batch, scratch, out } = self;
        let vocab = out.len();
        let Scratch { cells, staged, list } = scratch;
        stage::write(s, batch, data, guide, 0, &mut staged[..vocab]);
        let excluded = batch.constraints.excluded.map_or(usize::MAX, |id| id as usize);
        let row = Row { logits: &staged[..vocab], excluded, size: cell_size(vocab) };
        let maxima = cells.maxima(row.vectors());
        let (max, nan) = row.maxima(s, maxima);
        if nan || !max.is_finite() {
            return None;
        }
        let rule = batch.rule(0);
        for (x, out) in row.logits.chunks(16).zip(out.chunks_mut(16)) {
            let mut weights = [0.0; 16];
            let x = f32::load_some(s, x);
            s.store(weight(s, x, s.splat(max), rule.temperature), &mut weights);
            out.copy_from_slice(&weights[..out.len()]);
        }
        if let Some(out) = out.get_mut(row.excluded) {
            *out = 0.0;
        }
        if (rule.top_k as usize) < vocab {
            let count = list.filter(s, &row, maxima, max, rule);
            let mut kept = vec![false; vocab];
            (0..count).for_each(|place| kept[list.token(place)] = true);
            out.iter_mut().zip(kept).filter(|(_, kept)| !kept).for_each(|(out, _)| *out = 0.0);
            return Some(());
        }
        let mut least = least_logit(rule, max);
        if rule.top_p < 1.0 {
            least = least.max(row.nucleus(s, max, rule));
        }
        for (out, &x) in out.iter_mut().zip(row.logits) {
            if x < least {
                *out = 0.0;
            }
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
