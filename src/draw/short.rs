//! Rows of a few vectors, several side by side: proteins, characters, images.
//!
//! Such a row is drawn from in fewer cycles than one instruction takes to answer another, so what
//! counts is that rows do not wait for each other. The tokens are those of the general path: cells
//! of one token, chosen by their bounds, accepted one by one.

use super::element::Element;
use super::envelope::{Cells, MAX_ROWS};
use super::filter::List;
use super::kernel::DrawRow;
use super::proposals::bar;
use super::row::{Row, part};
use super::{Batch, Drawn, RowState};
use crate::lanes::math::{weight, weight_bound};
use crate::lanes::{Kernel, Lanes};
use crate::rng::Purpose;
use core::ops::Range;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

/// The running sums of a row's bounds, vector by vector, in each lane; the first vector is zero.
pub(super) struct Sums<'a>(pub(super) &'a mut [[u32; 16]]);

impl Sums<'_> {
    /// Fills in the sums; returns the largest logit and whether there is a NaN.
    #[inline(always)]
    pub(super) fn fill<L: Lanes, E: Element>(
        &mut self,
        s: L,
        batch: &Batch<'_>,
        row: &Row<'_, E>,
        job: usize,
    ) -> (f32, bool) {
        let least = s.splat(f32::NEG_INFINITY);
        let (out_vector, out_lane) = (row.excluded / 16, row.excluded % 16);
        let keep = s.mask(!(1 << out_lane));
        let (mut max, mut nan) = (least, s.no_lane());
        let load = |v: usize| row.logits.get(16 * v..).unwrap_or_default();
        for v in 0..self.0.len() - 1 {
            let x = part(s, load(v));
            nan = s.or(nan, s.unordered(x, x));
            max = s.max(max, if v == out_vector { s.select(keep, x, least) } else { x });
        }
        let max = s.largest(max);
        let temperature = batch.rule(job).temperature;
        let reference = temperature.reference(max);
        let mut sums = s.splat_u32(0);
        s.store_u32(sums, &mut self.0[0]);
        for v in 0..self.0.len() - 1 {
            let x = part(s, load(v));
            let x = if v == out_vector { s.select(keep, x, least) } else { x };
            sums = s.add_u32(sums, weight_bound(s, x, reference, temperature));
            s.store_u32(sums, &mut self.0[v + 1]);
        }
        (max, s.any(nan))
    }

    /// The token that a random word falls on, which may lie past the end of the row, and its bound.
    #[inline(always)]
    pub(super) fn pick<L: Lanes>(&self, s: L, word: u64) -> (usize, u32) {
        let last = self.0.len() - 1;
        let lanes = s.running_sums(s.load_u32(&self.0[last]));
        let mut ends = [0; 16];
        s.store_u32(lanes, &mut ends);
        let target = ((u128::from(word) * u128::from(ends[15])) >> 64) as u32;
        let lane = s.count_at_most(lanes, target) as usize % 16;
        let rest = target - (ends[lane] - self.0[last][lane]);
        let mut vector = 0;
        for sums in &self.0[1..last] {
            vector += usize::from(sums[lane] <= rest);
        }
        (16 * vector + lane, self.0[vector + 1][lane] - self.0[vector][lane])
    }
}

/// A proposal and what decides on it.
#[derive(Clone, Copy, Default)]
struct Proposal {
    token: usize,
    logit: f32,
    bar: f64,
}

impl Proposal {
    /// The one that two random words make (and rarely another).
    #[inline(always)]
    fn new<L: Lanes, E: Element>(
        s: L,
        row: &Row<'_, E>,
        sums: &Sums<'_>,
        (choice, word): (u64, u64),
        rng: &mut Xoshiro256PlusPlus,
    ) -> Self {
        let (token, bound) = sums.pick(s, choice);
        let logit = row.proposed(token, f32::NEG_INFINITY);
        let bar = bar(word, bound, || rng.next_u64());
        Self { token, logit, bar }
    }
}

/// Draws a token for each job of a batch of rows with cells of one token.
pub(super) struct DrawRows<'a, E> {
    pub(super) batch: &'a Batch<'a>,
    pub(super) data: &'a [E],
    pub(super) excluded: usize,
    pub(super) jobs: Range<usize>,
    pub(super) out: &'a mut [Drawn],
    pub(super) cells: &'a mut Cells,
    pub(super) list: &'a mut List,
}

impl<E: Element> Kernel for DrawRows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { batch, data, excluded, jobs, out, cells, list } = self;
        let vocab = batch.logits.vocab();
        let height = vocab.div_ceil(16) + 1;
        let together = (MAX_ROWS / height).min(16);
        let row = |job: usize| {
            let start = batch.logits.start(batch.row(job));
            Row { logits: &data[start..start + vocab], excluded, size: 1 }
        };
        let first = jobs.start;
        let mut begin = jobs.start;
        while begin < jobs.end {
            let rule = batch.rule(begin);
            if !rule.is_plain(vocab) {
                let out = &mut out[begin - first..][..1];
                let (row, key) = (row(begin), &batch.keys[begin]);
                let (cells, list) = (&mut *cells, &mut *list);
                let (other, described, drawn) = (None, None, out);
                s.call(DrawRow { row, other, rule, key, cells, list, described, drawn });
                begin += 1;
                continue;
            }
            let mut end = begin + 1;
            while end < jobs.end.min(begin + together) && core::ptr::eq(rule, batch.rule(end)) {
                end += 1;
            }
            // Each stage for all rows: a row's own stages wait for each other.
            let mut rngs = [const { None }; 16];
            let mut words = [(0, 0); 16];
            for (i, key) in batch.keys[begin..end].iter().enumerate() {
                let mut rng = key.generator(Purpose::Token);
                words[i] = (rng.next_u64(), rng.next_u64());
                rngs[i] = Some(rng);
            }
            let mut maxima = [0.0; 16];
            let mut bad = 0u32;
            for (i, top) in maxima[..end - begin].iter_mut().enumerate() {
                let mut sums = Sums(&mut cells.rows[i * height..][..height]);
                let (max, nan) = sums.fill(s, batch, &row(begin + i), begin);
                bad |= u32::from(nan | !max.is_finite()) << i;
                *top = rule.temperature.reference(max);
            }
            let (mut proposals, mut logits) = ([Proposal::default(); 16], [0.0; 16]);
            for i in 0..end - begin {
                if let Some(rng) = &mut rngs[i] {
                    let sums = Sums(&mut cells.rows[i * height..][..height]);
                    proposals[i] = Proposal::new(s, &row(begin + i), &sums, words[i], rng);
                    logits[i] = proposals[i].logit;
                }
            }
            let mut weights = [0.0; 16];
            let (x, max) = (s.load(&logits), s.load(&maxima));
            s.store(weight(s, x, max, rule.temperature), &mut weights);
            for i in 0..end - begin {
                let drawn = &mut out[begin + i - first];
                if bad >> i & 1 == 1 {
                    *drawn = Drawn::BAD;
                    continue;
                }
                let mut proposal = proposals[i];
                let mut weigh = weights[i];
                if proposal.bar >= f64::from(weigh)
                    && let Some(rng) = &mut rngs[i]
                {
                    let row = row(begin + i);
                    let sums = Sums(&mut cells.rows[i * height..][..height]);
                    while proposal.bar >= f64::from(weigh) {
                        let words = (rng.next_u64(), rng.next_u64());
                        proposal = Proposal::new(s, &row, &sums, words, rng);
                        let (x, max) = (s.splat(proposal.logit), s.splat(maxima[i]));
                        let mut again = [0.0; 16];
                        s.store(weight(s, x, max, rule.temperature), &mut again);
                        weigh = again[0];
                    }
                }
                *drawn = Drawn { token: proposal.token as i32, state: RowState::Drawn };
            }
            begin = end;
        }
    }
}
