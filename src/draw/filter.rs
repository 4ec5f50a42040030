//! Filters without a sort: each is a threshold on the logit, found from the maxima of cells.

use super::element::Element;
use super::envelope::{GROUP, MAX_GROUPS};
use super::kernel::Row;
use super::{DrawRule, Temperature};
use crate::lanes::Lanes;
use crate::lanes::math::weight;

/// The least logit that min-p leaves in a row: the smallest float that is at least max + depth.
pub(super) fn least_logit(rule: &DrawRule, max: f32) -> f32 {
    let bound = f64::from(max) + rule.depth;
    let least = bound as f32;
    if f64::from(least) < bound { least.next_up() } else { least }
}

/// The most vectors of maxima that a k-th largest is looked for in.
const TOPS: usize = GROUP * MAX_GROUPS;

/// The candidates of top-k, and then the row that they make.
#[derive(Debug)]
pub(super) struct List {
    /// A logit in its order, the largest first, and its token, as one number.
    keys: Box<[u64]>,
    /// The logits of what is left.
    values: Box<[f32]>,
    tops: [[u32; 16]; TOPS],
}

/// A float as an integer of the same order; no NaN. Both zeros are one.
pub(super) fn order(x: f32) -> u32 {
    let bits = (x + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// The float of an [`order`].
pub(super) fn float(order: u32) -> f32 {
    f32::from_bits(if order >> 31 == 1 { order & !(1 << 31) } else { !order })
}

impl List {
    pub(super) fn new(vocab: usize) -> Self {
        let (keys, values) = (vec![0; vocab].into(), vec![0.0; vocab].into());
        Self { keys, values, tops: [[0; 16]; TOPS] }
    }

    /// The token of place `place` of the list.
    pub(super) fn token(&self, place: usize) -> usize {
        self.keys[place] as u32 as usize
    }

    /// Applies top-k, top-p over what it leaves, and min-p to a row whose maxima of cells are known.
    /// Returns the logits that are left, the largest first if top-p is on; [`token`](Self::token)
    /// tells whose they are.
    ///
    /// The k-th largest maximum of any k or more disjoint parts of the row is a lower bound of its
    /// k-th largest logit (the delegates of Gaihre et al., "Dr. Top-k", SC 2021), so only cells that
    /// reach it are looked into.
    #[inline(always)]
    pub(super) fn filter<L: Lanes, E: Element>(
        &mut self,
        s: L,
        row: &Row<'_, E>,
        maxima: &[[u32; 16]],
        max: f32,
        rule: &DrawRule,
    ) -> usize {
        let k = rule.top_k as usize;
        let bar = self.bar(s, maxima, k, max);
        let mut count = self.gather(s, row, maxima, bar, k);
        if count > k {
            self.keys[..count].select_nth_unstable(k - 1);
            count = k;
        }
        if rule.top_p < 1.0 {
            self.keys[..count].sort_unstable();
        }
        for (value, &key) in self.values.iter_mut().zip(&self.keys[..count]) {
            *value = float(!((key >> 32) as u32));
        }
        if rule.top_p < 1.0 {
            count = nucleus(s, &self.values[..count], rule.top_p, rule.filter_temperature);
        }
        if rule.depth > f64::NEG_INFINITY {
            let least = least_logit(rule, max);
            let mut kept = 0;
            for place in 0..count {
                self.keys[kept] = self.keys[place];
                self.values[kept] = self.values[place];
                kept += usize::from(self.values[place] >= least);
            }
            count = kept;
        }
        count
    }

    /// The logits that are left after [`filter`](Self::filter).
    pub(super) fn values(&self, count: usize) -> &[f32] {
        &self.values[..count]
    }

    /// A logit that at least `k` tokens reach: near the k-th largest if the row has many more cells.
    #[inline(always)]
    fn bar<L: Lanes>(&mut self, s: L, maxima: &[[u32; 16]], k: usize, max: f32) -> f32 {
        // As few parts as are four for each token that is wanted: they are quicker to count.
        let mut parts = maxima.len();
        while parts > 1 && parts / 2 * 16 >= 4 * k {
            parts = parts.div_ceil(2);
        }
        let least = f32::NEG_INFINITY;
        for (p, top) in self.tops[..parts].iter_mut().enumerate() {
            let mut most = s.splat(least);
            for row in maxima[p..].iter().step_by(parts) {
                most = s.max(most, s.float_from_bits(s.load_u32(row)));
            }
            s.store_u32(s.float_bits(most), top);
        }
        let tops = &self.tops[..parts];
        let above = |bar: f32| {
            let (bar, one, none) = (s.splat(bar), s.splat(1.0), s.splat(0.0));
            let mut count = s.splat(0.0);
            for top in tops {
                let top = s.float_from_bits(s.load_u32(top));
                count = s.add(count, s.select(s.greater(top, bar), one, none));
            }
            let mut lanes = [0.0; 16];
            s.store(count, &mut lanes);
            lanes.iter().sum::<f32>() as usize
        };
        if above(least) < k {
            return least;
        }
        // More than k parts, or just k, lie above `low`; fewer above `high`.
        let (mut low, mut high) = (order(least), order(max));
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let count = above(float(middle));
            if count >= k {
                low = middle;
                if count <= k + k / 8 {
                    break;
                }
            } else {
                high = middle;
            }
        }
        float(low + 1)
    }

    /// Lists the tokens above `bar`, and the `k` lowest of those at it.
    #[inline(always)]
    fn gather<L: Lanes, E: Element>(
        &mut self,
        s: L,
        row: &Row<'_, E>,
        maxima: &[[u32; 16]],
        bar: f32,
        k: usize,
    ) -> usize {
        let lowest = bar == f32::NEG_INFINITY;
        let (mut count, mut ties) = (0, if lowest { k } else { 0 });
        for (group, cells) in maxima.chunks(GROUP).enumerate() {
            // The cells that are worth a look, in the order of their tokens.
            let (mut places, mut found) = ([0u8; 16 * GROUP], 0);
            for (v, cell) in cells.iter().enumerate() {
                let cell = s.float_from_bits(s.load_u32(cell));
                let mut bits = if ties < k {
                    !s.bits(s.greater(s.splat(bar), cell))
                } else {
                    s.bits(s.greater(cell, s.splat(bar)))
                };
                while bits != 0 {
                    places[found] = (16 * v) as u8 + bits.trailing_zeros() as u8;
                    found += 1;
                    bits &= bits - 1;
                }
            }
            for offset in 0..row.size {
                let begin = (group * row.size + offset) * GROUP * 16;
                for &place in &places[..found] {
                    let token = begin + usize::from(place);
                    if token >= row.logits.len() || token == row.excluded {
                        continue;
                    }
                    let x = row.logits[token].to_f32();
                    let tie = x == bar && ties < k;
                    self.keys[count] = u64::from(!order(x)) << 32 | token as u64;
                    count += usize::from(x > bar || tie);
                    ties += usize::from(tie);
                }
            }
        }
        count
    }
}

/// How many of these logits, the largest first, are kept by top-p: those for which all larger ones
/// have less than `p` of the mass.
#[inline(always)]
fn nucleus<L: Lanes>(s: L, logits: &[f32], p: f64, temperature: Temperature) -> usize {
    let weights = |part: &[f32]| {
        let mut weights = [0.0; 16];
        let x = f32::load_some(s, part);
        s.store(weight(s, x, logits[0], temperature), &mut weights);
        weights.map(f64::from)
    };
    let mut total = 0.0;
    for part in logits.chunks(16) {
        total += weights(part)[..part.len()].iter().sum::<f64>();
    }
    let (mut sum, mut above, mut last) = (0.0, 0.0, f32::NAN);
    for (begin, part) in logits.chunks(16).enumerate() {
        let weights = weights(part);
        for (i, &x) in part.iter().enumerate() {
            if x != last {
                (above, last) = (sum, x);
            }
            if above >= p * total {
                return 16 * begin + i;
            }
            sum += weights[i];
        }
    }
    logits.len()
}
