//! Filters without a sort: each is a threshold on the logit, found from the maxima of cells.

use super::DrawRule;
use super::element::Element;
use super::envelope::{GROUP, MAX_GROUPS};
use super::masses::Masses;
use super::race::Kept;
use super::row::{Row, cell_size, part, store_part};
use crate::lanes::math::weight;
use crate::lanes::{Kernel, Lanes};
use crate::policy::NucleusEdge;
use bytemuck::must_cast;

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
    /// A copy, to find the last that stays.
    ranked: Box<[u64]>,
    /// The logits of what is left, and how many there are.
    values: Box<[f32]>,
    left: usize,
    tops: [[u32; 16]; TOPS],
    /// A bit for each token of a group that may be among them.
    reach: Box<[[u16; GROUP]]>,
}

/// A float as an integer of the same order; no NaN. Both zeros are one.
fn order(x: f32) -> u32 {
    let bits = (x + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// The float of an [`order`].
fn float(order: u32) -> f32 {
    f32::from_bits(if order >> 31 == 1 { order & !(1 << 31) } else { !order })
}

impl List {
    pub(super) fn new(vocab: usize) -> Self {
        Self {
            keys: vec![0; vocab].into(),
            ranked: vec![0; vocab].into(),
            values: vec![0.0; vocab].into(),
            left: 0,
            tops: [[0; 16]; TOPS],
            reach: vec![[0; GROUP]; cell_size(vocab)].into(),
        }
    }

    /// The token of place `place` of the list.
    pub(super) fn token(&self, place: usize) -> usize {
        self.keys[place] as u32 as usize
    }

    /// The place of a token in the list.
    pub(super) fn place(&self, token: usize) -> Option<usize> {
        self.keys[..self.left].iter().position(|&key| key as u32 as usize == token)
    }

    /// Applies top-k, top-p over what it leaves, and min-p to a row whose maxima of cells are known.
    /// What is left is listed, the largest first if top-p is on, and of equal logits the lowest ids
    /// first: [`values`](Self::values), and [`token`](Self::token) tells whose they are.
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
    ) {
        let mut count = self.largest(s, row, maxima, max, rule.top_k as usize);
        if rule.top_p < 1.0 {
            self.keys[..count].sort_unstable();
        }
        for (value, &key) in self.values.iter_mut().zip(&self.keys[..count]) {
            *value = float(!((key >> 32) as u32));
        }
        if rule.top_p < 1.0 {
            count = nucleus(s, &self.values[..count], rule);
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
        self.left = count;
    }

    /// Lists the `k` largest logits that are not −∞, in the order of their cells; returns how many
    /// there are.
    #[inline(always)]
    fn largest<L: Lanes, E: Element>(
        &mut self,
        s: L,
        row: &Row<'_, E>,
        maxima: &[[u32; 16]],
        max: f32,
        k: usize,
    ) -> usize {
        let bar = self.bar(s, maxima, k, max);
        let count = self.gather(s, row, maxima, bar, k);
        if count <= k {
            return count;
        }
        // In the order that they were found in: a selection leaves another with every release of
        // the standard library.
        let ranked = &mut self.ranked[..count];
        ranked.copy_from_slice(&self.keys[..count]);
        let (_, &mut last, _) = ranked.select_nth_unstable(k - 1);
        let mut kept = 0;
        for place in 0..count {
            self.keys[kept] = self.keys[place];
            kept += usize::from(self.keys[place] <= last);
        }
        kept
    }

    /// The logits that are left after [`filter`](Self::filter).
    pub(super) fn values(&self) -> &[f32] {
        &self.values[..self.left]
    }

    /// What is left after [`filter`](Self::filter), as a threshold: of equal logits the lowest ids
    /// are kept.
    pub(super) fn kept(&self) -> Kept {
        let least = self.values().iter().copied().fold(f32::INFINITY, f32::min);
        let ties = (0..self.left).filter(|&place| self.values[place] == least);
        Kept { least, last: ties.map(|place| self.token(place)).max().unwrap_or(0) }
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
        let mut depth = s.splat(least);
        for (p, top) in self.tops[..parts].iter_mut().enumerate() {
            let mut most = s.splat(least);
            for row in maxima[p..].iter().step_by(parts) {
                most = s.max(most, s.float_from_bits(s.load_u32(row)));
            }
            depth = s.max(depth, s.sub(s.splat(0.0), most));
            s.store_u32(s.float_bits(most), top);
        }
        let tops = &self.tops[..parts];
        if count_above(s, tops, least) < k {
            return least;
        }
        // At least k parts lie above `low`, at first all of them; fewer above `high`.
        let lowest = order(-s.largest(depth));
        let (mut low, mut high) = (lowest.max(order(least) + 1) - 1, order(max));
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let count = count_above(s, tops, float(middle));
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
        let Self { keys, reach, .. } = self;
        let reach = &mut reach[..row.size];
        let (mut count, mut ties) = (0, 0);
        // Past the k-th tie only what lies above it counts; −∞ never does.
        let mut least = if bar == f32::NEG_INFINITY { f32::MIN } else { bar };
        for (group, cells) in maxima.chunks(GROUP).enumerate() {
            if !reaching(s, row, group, cells, least, reach) {
                continue;
            }
            for offset in 0..row.size {
                let begin = 16 * GROUP * (group * row.size + offset);
                let mut bits = u128::from_le(must_cast(reach[offset].map(u16::to_le)));
                while bits != 0 {
                    let token = begin + bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    let x = row.logit(token);
                    if x < least {
                        continue;
                    }
                    keys[count] = u64::from(!order(x)) << 32 | token as u64;
                    count += 1;
                    if x == bar {
                        ties += 1;
                        if ties == k {
                            least = bar.next_up();
                            reaching(s, row, group, cells, least, reach);
                        }
                    }
                }
            }
        }
        count
    }
}

/// Finds the tokens of a group that may reach `least`: a bit for each in `reach`, vector by vector,
/// without a branch on it, for few do, at random places. Says whether there can be any.
#[inline(always)]
fn reaching<L: Lanes, E: Element>(
    s: L,
    row: &Row<'_, E>,
    group: usize,
    cells: &[[u32; 16]],
    least: f32,
    reach: &mut [[u16; GROUP]],
) -> bool {
    let bits_of = |x| !s.bits(s.greater(s.splat(least), x));
    // The vectors of cells that reach it.
    let (mut places, mut found) = ([0; GROUP], 0);
    for (v, cell) in cells.iter().enumerate() {
        places[found] = v;
        found += usize::from(bits_of(s.float_from_bits(s.load_u32(cell))) != 0);
    }
    reach.fill([0; GROUP]);
    if found == 0 {
        return false;
    }
    let (vectors, rest) = row.logits.as_chunks::<16>();
    let (vectors, reach) = (&vectors[group * row.size * GROUP..], reach.as_flattened_mut());
    for &v in &places[..found] {
        let begin = v * row.size;
        let vectors = vectors.get(begin..).unwrap_or(&[]);
        for (reach, x) in reach[begin..][..row.size].iter_mut().zip(vectors) {
            *reach = bits_of(E::load(s, x));
        }
    }
    if let Some(reach) = reach.get_mut(vectors.len()) {
        *reach = bits_of(E::load_some(s, rest));
    }
    true
}

/// How many of the floats are larger than `bar`.
#[inline(always)]
fn count_above<L: Lanes>(s: L, floats: &[[u32; 16]], bar: f32) -> usize {
    let bar = s.splat(bar);
    let above = |x: &[u32; 16]| s.bits(s.greater(s.float_from_bits(s.load_u32(x)), bar));
    floats.iter().map(|x| above(x).count_ones() as usize).sum()
}

/// How many of these logits, the largest first, are kept by a top-p that is below 1.
#[inline(always)]
fn nucleus<L: Lanes>(s: L, logits: &[f32], rule: &DrawRule) -> usize {
    let mut total = 0.0;
    for part in logits.chunks(16) {
        total += weights_of(s, part, logits[0], rule)[..part.len()].iter().sum::<f64>();
    }
    let edge = rule.top_p * total;
    // The place and the value of the equal logits under way, and the mass before them.
    let (mut first, mut last, mut sum) = (0, logits[0], 0.0);
    for (begin, part) in logits.chunks(16).enumerate() {
        let weights = weights_of(s, part, logits[0], rule);
        for (i, &x) in part.iter().enumerate() {
            if x != last {
                match rule.nucleus_edge {
                    NucleusEdge::Keep if sum >= edge => return 16 * begin + i,
                    NucleusEdge::Drop if sum > edge && first > 0 => return first,
                    _ => (first, last) = (16 * begin + i, x),
                }
            }
            sum += weights[i];
        }
    }
    match rule.nucleus_edge {
        // All of the mass is more than top-p.
        NucleusEdge::Drop if first > 0 => first,
        _ => logits.len(),
    }
}

/// The weights of up to 16 logits.
#[inline(always)]
fn weights_of<L: Lanes>(s: L, logits: &[f32], max: f32, rule: &DrawRule) -> [f64; 16] {
    let (temperature, mut weights) = (rule.filter_temperature, [0.0; 16]);
    let reference = s.splat(temperature.reference(max));
    s.store(weight(s, s.load_some(logits), reference, temperature), &mut weights);
    weights.map(f64::from)
}

/// One of the largest logits of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct TopToken {
    /// Its token; −1 if the row has no more.
    pub token: i32,
    /// The logit; −∞ if the row has no more.
    pub logit: f32,
}

impl TopToken {
    /// Where there is no more.
    pub const NONE: Self = Self { token: -1, logit: f32::NEG_INFINITY };
}

/// The largest logits of a row whose maxima of cells are known, the largest first.
pub(super) struct Top<'a, E> {
    pub(super) row: &'a Row<'a, E>,
    pub(super) maxima: &'a [[u32; 16]],
    pub(super) max: f32,
    pub(super) list: &'a mut List,
    pub(super) out: &'a mut [TopToken],
}

impl<E: Element> Kernel for Top<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { row, maxima, max, list, out } = self;
        let k = out.len().min(row.logits.len());
        let count = list.largest(s, row, maxima, max, k);
        list.keys[..count].sort_unstable();
        out.fill(TopToken::NONE);
        for (out, &key) in out.iter_mut().zip(&list.keys[..count]) {
            let token = key as u32 as i32;
            *out = TopToken { token, logit: float(!((key >> 32) as u32)) };
        }
    }
}

/// Whether top-p keeps logit `x`, if it is not the largest one: it keeps that in any case.
pub(super) struct InNucleus<'a, E> {
    pub(super) row: &'a Row<'a, E>,
    pub(super) x: f32,
    pub(super) max: f32,
    pub(super) rule: &'a DrawRule,
}

impl<E: Element> Kernel for InNucleus<'_, E> {
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> bool {
        let Self { row, x, max, rule } = self;
        let (temperature, lower) = (rule.filter_temperature, f32::NEG_INFINITY);
        let &Row { logits: row, excluded, .. } = row;
        let above = match rule.nucleus_edge {
            NucleusEdge::Keep => x,
            // With x itself.
            NucleusEdge::Drop => x.next_down(),
        };
        let (total, mass) = Masses { row, excluded, max, temperature, lower, above }.run(s);
        match rule.nucleus_edge {
            NucleusEdge::Keep => mass < rule.top_p * total,
            NucleusEdge::Drop => mass <= rule.top_p * total,
        }
    }
}

/// The least logit that top-p keeps, or a number between it and the next.
pub(super) struct Nucleus<'a, E> {
    pub(super) row: &'a Row<'a, E>,
    pub(super) max: f32,
    pub(super) rule: &'a DrawRule,
}

impl<E: Element> Kernel for Nucleus<'_, E> {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> f32 {
        let Self { row, max, rule } = self;
        // The mass above a logit, with it or without it, falls as the logit grows, so it can be
        // searched for.
        let (mut out, mut inside) = (order(f32::NEG_INFINITY), order(max));
        while inside - out > 1 {
            let middle = out + (inside - out) / 2;
            if s.call(InNucleus { row, x: float(middle), max, rule }) {
                inside = middle;
            } else {
                out = middle;
            }
        }
        float(inside)
    }
}

/// Writes a good row with −∞ in place of the logits that top-p and min-p do not leave, where there is no
/// top-k; that of the excluded token does not matter.
pub(super) struct Filtered<'a, E> {
    pub(super) row: &'a Row<'a, E>,
    pub(super) max: f32,
    pub(super) rule: &'a DrawRule,
    pub(super) out: &'a mut [f32],
}

impl<E: Element> Kernel for Filtered<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { row, max, rule, out } = self;
        let mut least = least_logit(rule, max);
        if rule.top_p < 1.0 {
            least = least.max(s.call(Nucleus { row, max, rule }));
        }
        let (least, never) = (s.splat(least), s.splat(f32::NEG_INFINITY));
        for (out, x) in out.chunks_mut(16).zip(row.logits.chunks(16)) {
            let x = part(s, x);
            store_part(s, s.select(s.greater(least, x), never, x), out);
        }
    }
}
