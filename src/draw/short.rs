//! Rows of a few vectors, several side by side: proteins, characters, images.
//!
//! Sixteen rows are drawn from at once, one in each lane: nothing then crosses lanes, and no row
//! waits for another. The tokens are those of the general path: cells of one token, chosen by their
//! bounds, accepted one by one.

use super::element::Element;
use super::envelope::{Cells, MAX_ROWS};
use super::filter::List;
use super::kernel::{DrawRow, Wanted};
use super::proposals::{OFFSET_BITS, bar};
use super::row::Row;
use super::row_sums::GroupSums;
use super::short_sums::SideBySide;
use super::statistics::StatisticsRule;
use super::summary::Summary;
use super::{Batch, Drawn, Outputs, RowState, Temperature};
use crate::lanes::math::{weight, weight_bound};
use crate::lanes::{Kernel, Lanes};
use crate::rng::{Generators, Key, Purpose};
use core::ops::Range;
use rand_xoshiro::rand_core::Rng;

/// Rows of a group.
pub(super) const ROWS: usize = 16;

/// Groups that go through each stage together: a group's own stages wait for each other.
const GROUPS: usize = 2;

/// Fewer rows than this are faster one by one,
pub(super) const FEW: usize = 5;

/// and one more for so many tokens, if they are described: that takes a group as long for one row as
/// for all.
const TOKENS_FOR_MORE: usize = 80;

/// So many tokens at the end of a row, or more, are turned by one transposition.
const MANY: usize = 3;

/// Lines that there are, a token in each.
const MAX_LINES: usize = MAX_ROWS - 1;

/// More than the tokens of any row, and a power of two, so that masks can stand in for bounds checks.
const MAX_TOKENS: usize = MAX_ROWS;

/// Words below this leave too few bits for a bar, and are continued: see [`bar`].
const FEW_BITS: u64 = 1 << (29 + OFFSET_BITS);

/// Draws a token for each job of a batch of rows with cells of one token, and describes their rows.
pub(super) struct DrawRows<'a, E> {
    pub(super) batch: &'a Batch<'a>,
    pub(super) data: &'a [E],
    pub(super) excluded: usize,
    pub(super) jobs: Range<usize>,
    /// Of the largest logits, none.
    pub(super) out: Outputs<'a>,
    pub(super) cells: &'a mut Cells,
    pub(super) list: &'a mut List,
    pub(super) sums: &'a mut GroupSums,
    /// Room for what filters leave of a row.
    pub(super) left: &'a mut [f32],
}

impl<E: Element> Kernel for DrawRows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { batch, data, excluded, jobs, out, cells, list, sums, left } = self;
        let Outputs { mut drawn, mut statistics, .. } = out;
        let vocab = batch.logits.vocab();
        let order = &Order::new(vocab);
        let mut groups = [Group::new(s, order, excluded), Group::new(s, order, excluded)];
        let together = ROWS * (MAX_LINES / vocab).min(GROUPS);
        let mut begin = jobs.start;
        while begin < jobs.end {
            let (rule, described) = (batch.rule(begin), batch.statistics(begin));
            let described = described.filter(|_| statistics.is_some());
            let mut end = jobs.end.min(begin + together);
            if let Some(rules) = batch.rule_of.get(begin..end) {
                end = begin + rules.iter().take_while(|&&other| other == rules[0]).count();
            }
            let few = FEW + described.map_or(0, |_| vocab / TOKENS_FOR_MORE);
            let last = (end - begin) % ROWS;
            if end - begin > ROWS && last < few {
                end -= last;
            }
            let (here, rest) = drawn.split_at_mut(end - begin);
            drawn = rest;
            let row = |k| {
                let logits = &data[batch.logits.start(batch.row(k))..][..vocab];
                Row { logits, excluded, size: 1 }
            };
            let is_plain = rule.is_plain(vocab);
            let filtered = described.is_some_and(|rule| rule.filtered) && rule.is_filtered(vocab);
            let side_by_side = !filtered && here.len() >= few && (is_plain || described.is_some());
            if side_by_side {
                let used = here.len().div_ceil(ROWS);
                for (first, group) in (begin..end).step_by(ROWS).zip(&mut groups) {
                    let count = (end - first).min(ROWS);
                    for (k, logits) in (first..).zip(&mut group.rows[..count]) {
                        *logits = row(k).logits;
                    }
                    // The lanes that are left draw from the last row again.
                    let last = group.rows[count - 1];
                    group.rows[count..].fill(last);
                    group.temperature = rule.temperature;
                    if is_plain {
                        group.keep_words(&batch.keys[first..]);
                    }
                }
                let groups = &mut groups[..used];
                let lines = cells.maxima(used * vocab);
                for (group, lines) in groups.iter_mut().zip(lines.chunks_exact_mut(vocab)) {
                    group.turn(s, lines);
                }
                if let Some(StatisticsRule { temperature, .. }) = described {
                    for (group, lines) in groups.iter_mut().zip(lines.chunks_exact(vocab)) {
                        group.sums.fill(s, lines, *temperature);
                    }
                }
                if is_plain {
                    draw(s, groups, lines, here);
                } else if rule.temperature.greedy {
                    for (group, here) in groups.iter().zip(here.chunks_mut(ROWS)) {
                        group.take_largest(here);
                    }
                }
            }
            for (i, (k, here)) in (begin..end).zip(here.chunks_mut(1)).enumerate() {
                let (key, place) = (&batch.keys[k], k - jobs.start);
                let (cells, list) = (&mut *cells, &mut *list);
                let (row, other) = (row(k), None);
                if !side_by_side {
                    let mut summary = Summary::BAD;
                    let wanted = described.map(|rule| Wanted {
                        rule,
                        given: batch.given(k),
                        out: Some(&mut summary),
                        top: &mut [],
                        sums: &mut *sums,
                        left: &mut *left,
                    });
                    s.call(DrawRow { row, other, rule, key, cells, list, wanted, drawn: here });
                    if described.is_some() {
                        statistics.put(place, k, here[0], &summary);
                    }
                    continue;
                }
                let Some(StatisticsRule { temperature, .. }) = described else { break };
                let logits = row.logits;
                if !(is_plain || rule.temperature.greedy) {
                    let wanted = None;
                    s.call(DrawRow { row, other, rule, key, cells, list, wanted, drawn: here });
                }
                let summary = match here[0].state {
                    RowState::Drawn => {
                        let (row, token) = (Row { logits, excluded, size: 1 }, here[0].token);
                        let summary = groups[i / ROWS].sums.summary(i % ROWS, *temperature);
                        summary.with_tokens(&row, token as usize, batch.given(k), *temperature)
                    }
                    _ => Summary::BAD,
                };
                statistics.put(place, k, here[0], &summary);
            }
            begin = end;
        }
    }
}

/// Draws a token from each row of some groups whose logits are in `lines`, as many as `drawn` holds.
#[inline(always)]
fn draw<L: Lanes, E: Element>(
    s: L,
    groups: &mut [Group<'_, L, E>],
    lines: &mut [[u32; 16]],
    drawn: &mut [Drawn],
) {
    let vocab = groups[0].order.vocab;
    for (group, lines) in groups.iter_mut().zip(lines.chunks_exact_mut(vocab)) {
        group.sum(s, lines);
    }
    for (group, lines) in groups.iter_mut().zip(lines.chunks_exact(vocab)) {
        group.find(s, lines);
    }
    for group in &mut *groups {
        group.weigh(s);
    }
    let lines = lines.chunks_exact(vocab);
    for ((group, lines), drawn) in groups.iter().zip(lines).zip(drawn.chunks_mut(ROWS)) {
        for (drawn, &token) in drawn.iter_mut().zip(&group.tokens) {
            *drawn = Drawn { token: token as i32, state: RowState::Drawn };
        }
        let mut left = ((1 << drawn.len()) - 1) & (group.bad | !group.accepted);
        while left != 0 {
            let i = left.trailing_zeros() as usize % ROWS;
            left &= left - 1;
            drawn[i] = match group.bad >> i & 1 {
                1 => Drawn::BAD,
                _ => Drawn::token(group.draw_again(s, i, lines)),
            };
        }
    }
}

/// The order of the cells of a row: lane by lane, and within a lane vector by vector.
pub(super) struct Order {
    vocab: usize,
    /// The token of each cell.
    tokens: [u16; MAX_TOKENS],
}

impl Order {
    #[inline(always)]
    pub(super) fn new(vocab: usize) -> Self {
        let mut tokens = [0; MAX_TOKENS];
        let mut place = 0;
        for lane in 0..16 {
            for token in (lane..vocab).step_by(16) {
                tokens[place % MAX_TOKENS] = token as u16;
                place += 1;
            }
        }
        Self { vocab, tokens }
    }

    /// The tokens in this order.
    #[inline(always)]
    fn cells(&self) -> &[u16] {
        &self.tokens[..self.vocab]
    }

    /// The token that follows after `passed` cells; the last one after all of them, which is where
    /// the row ends.
    #[inline(always)]
    fn token(&self, passed: usize) -> usize {
        usize::from(self.tokens[passed.min(self.vocab - 1) % MAX_TOKENS]) % MAX_TOKENS
    }
}

/// Sixteen rows of one length side by side, and what is known of each after the stages of a draw.
pub(super) struct Group<'a, L: Lanes, E> {
    order: &'a Order,
    excluded: usize,
    pub(super) temperature: Temperature,
    pub(super) rows: [&'a [E]; ROWS],
    generators: Generators<ROWS>,
    /// Their first words: what chooses a token, and what accepts it.
    pub(super) choices: [u64; ROWS],
    words: [u64; ROWS],
    /// What weights are relative to: see [`Temperature::reference`].
    pub(super) references: L::F,
    /// Bit i says that row i cannot be drawn from.
    pub(super) bad: u32,
    /// The sum of all bounds.
    pub(super) totals: [u32; ROWS],
    /// The unit of that which was chosen.
    units: [u32; ROWS],
    /// The token that it fell on, the sum of bounds up to it, and its logit.
    pub(super) tokens: [u32; ROWS],
    ends: [u32; ROWS],
    logits: [E; ROWS],
    /// Its bound and its weight; 1 if it is one, 0 for the end of the row.
    pub(super) bounds: [u32; ROWS],
    pub(super) weights: [f32; ROWS],
    pub(super) hit: [u32; ROWS],
    /// Bit i says that the token of row i was accepted.
    accepted: u32,
    /// What statistics are made of, where they are wanted.
    sums: SideBySide,
}

/// What was seen of the rows, a row in each lane.
struct Seen<L: Lanes> {
    maxima: L::F,
    /// Whether there is a NaN, in whatever lane.
    nan: L::Mask,
}

/// The unit, of `total`, that a random word falls on: the upper half of their product.
#[inline(always)]
fn unit_of(word: u64, total: u32) -> u32 {
    let (high, low, total) = (word >> 32, word & 0xFFFF_FFFF, u64::from(total));
    ((high * total + ((low * total) >> 32)) >> 32) as u32
}

/// Whether a unit lies in the cell, or place at the end of the row, that ends with `end`: not so far
/// before it as its bound.
#[inline(always)]
fn is_hit(unit: u32, end: u32, bound: u32) -> bool {
    end.wrapping_sub(unit).wrapping_sub(1) < bound
}

impl<'a, L: Lanes, E: Element> Group<'a, L, E> {
    #[inline(always)]
    pub(super) fn new(s: L, order: &'a Order, excluded: usize) -> Self {
        Self {
            order,
            excluded,
            temperature: Temperature::ONE,
            rows: [&[]; ROWS],
            generators: Generators::NONE,
            choices: [0; ROWS],
            words: [0; ROWS],
            references: s.splat(0.0),
            bad: 0,
            totals: [0; ROWS],
            units: [0; ROWS],
            tokens: [0; ROWS],
            ends: [0; ROWS],
            logits: [E::NEG_INFINITY; ROWS],
            bounds: [0; ROWS],
            weights: [0.0; ROWS],
            hit: [0; ROWS],
            accepted: 0,
            sums: SideBySide::NONE,
        }
    }

    /// Draws the largest logit of each row, as it was found beside the sums, for as many as `drawn`
    /// holds.
    fn take_largest(&self, drawn: &mut [Drawn]) {
        for (i, (drawn, &token)) in drawn.iter_mut().zip(&self.sums.argmax).enumerate() {
            *drawn = match self.bad >> i & 1 {
                1 => Drawn::BAD,
                _ => Drawn::token(token as usize),
            };
        }
    }

    /// Makes the generators of the rows' keys, and their first words.
    #[inline(always)]
    fn keep_words(&mut self, keys: &[Key]) {
        let mut generators = if let Some(keys) = keys.first_chunk() {
            Generators::new(keys, Purpose::Token)
        } else {
            let mut padded = [Key::default(); ROWS];
            padded[..keys.len()].copy_from_slice(keys);
            Generators::new(&padded, Purpose::Token)
        };
        (self.choices, self.words) = (generators.next(), generators.next());
        self.generators = generators;
    }

    /// Fills `lines` with the logits, as the bits of floats: a token in each line, a row in each lane.
    #[inline(always)]
    pub(super) fn turn(&mut self, s: L, lines: &mut [[u32; 16]]) {
        let vocab = self.order.vocab;
        let (whole, rest) = (vocab - vocab % 16, vocab % 16);
        let mut seen = Seen { maxima: s.splat(f32::NEG_INFINITY), nan: s.no_lane() };
        for begin in (0..whole).step_by(16) {
            self.turn_16(s, begin, lines, &mut seen);
        }
        if whole > 0 && rest >= MANY {
            // Some are turned again.
            self.turn_16(s, vocab - 16, lines, &mut seen);
        } else {
            for token in whole..vocab {
                self.turn_one(s, token, lines, &mut seen);
            }
        }
        let (least, most) = (s.splat(f32::NEG_INFINITY), s.splat(f32::INFINITY));
        let finite = s.bits(s.greater(seen.maxima, least)) & s.bits(s.greater(most, seen.maxima));
        self.bad = u32::from(!finite);
        if s.any(seen.nan) {
            for (i, row) in self.rows.iter().enumerate() {
                self.bad |= u32::from(row.iter().any(|x| x.to_f32().is_nan())) << i;
            }
        }
        self.references = self.temperature.references(s, seen.maxima);
    }

    /// Turns 16 tokens.
    #[inline(always)]
    fn turn_16(&self, s: L, begin: usize, lines: &mut [[u32; 16]], seen: &mut Seen<L>) {
        let least = s.splat(f32::NEG_INFINITY);
        let mut x = [least; ROWS];
        for (x, row) in x.iter_mut().zip(&self.rows) {
            if let Some(logits) = row[begin..].first_chunk() {
                *x = E::load(s, logits);
            }
        }
        for pair in x.chunks_exact(2) {
            seen.nan = s.or(seen.nan, s.unordered(pair[0], pair[1]));
        }
        if (begin..begin + 16).contains(&self.excluded) {
            let keep = s.mask(!(1 << (self.excluded - begin)));
            for x in &mut x {
                *x = s.select(keep, *x, least);
            }
        }
        let x = s.transpose(x);
        let mut maxima = [seen.maxima; 4];
        if let Some(lines) = lines[begin..].first_chunk_mut::<16>() {
            for lane in 0..16 {
                // Four at a time, since a maximum waits for the one before it.
                maxima[lane % 4] = s.max(maxima[lane % 4], x[lane]);
                s.store_u32(s.float_bits(x[lane]), &mut lines[lane]);
            }
        }
        let [a, b, c, d] = maxima;
        seen.maxima = s.max(s.max(a, b), s.max(c, d));
    }

    /// Turns one token.
    #[inline(always)]
    fn turn_one(&self, s: L, token: usize, lines: &mut [[u32; 16]], seen: &mut Seen<L>) {
        let mut logits = [E::NEG_INFINITY; ROWS];
        for (logit, row) in logits.iter_mut().zip(&self.rows) {
            *logit = row[token];
        }
        let x = E::load(s, &logits);
        seen.nan = s.or(seen.nan, s.unordered(x, x));
        let x = if token == self.excluded { s.splat(f32::NEG_INFINITY) } else { x };
        seen.maxima = s.max(seen.maxima, x);
        s.store_u32(s.float_bits(x), &mut lines[token]);
    }

    /// Replaces the logits in `lines` by the running sums of their bounds.
    #[inline(always)]
    pub(super) fn sum(&mut self, s: L, lines: &mut [[u32; 16]]) {
        let (rest, mut sums) = (self.order.vocab % 16, s.splat_u32(0));
        for lane in 0..16 {
            for line in lines.iter_mut().skip(lane).step_by(16) {
                let x = s.float_from_bits(s.load_u32(line));
                sums = s.add_u32(sums, weight_bound(s, x, self.references, self.temperature));
                s.store_u32(sums, line);
            }
            // A unit for the end of the row.
            if rest > 0 && lane >= rest {
                sums = s.add_u32(sums, s.splat_u32(1));
            }
        }
        s.store_u32(sums, &mut self.totals);
    }

    /// Finds the tokens that the choices fall on.
    #[inline(always)]
    pub(super) fn find(&mut self, s: L, lines: &[[u32; 16]]) {
        let mut units = [0; ROWS];
        for ((unit, &word), &total) in units.iter_mut().zip(&self.choices).zip(&self.totals) {
            *unit = unit_of(word, total);
        }
        // How many sums were passed does not depend on their order.
        let (target, mut passed) = (s.load_u32(&units), [s.splat_u32(0); 4]);
        let (fours, others) = lines.as_chunks::<4>();
        for four in fours {
            for k in 0..4 {
                passed[k] = s.count(passed[k], s.at_most(s.load_u32(&four[k]), target));
            }
        }
        for line in others {
            passed[0] = s.count(passed[0], s.at_most(s.load_u32(line), target));
        }
        let passed = s.add_u32(s.add_u32(passed[0], passed[1]), s.add_u32(passed[2], passed[3]));
        let mut places = [0; ROWS];
        s.store_u32(passed, &mut places);
        let order = self.order;
        let (mut tokens, mut ends) = ([0; ROWS], [0; ROWS]);
        let mut logits = [E::NEG_INFINITY; ROWS];
        for i in 0..ROWS {
            let token = order.token(places[i] as usize);
            (tokens[i], ends[i]) = (token as u32, lines[token][i]);
            logits[i] = self.rows[i][token];
        }
        (self.units, self.tokens, self.ends, self.logits) = (units, tokens, ends, logits);
    }

    /// Weighs them, and accepts them or not.
    #[inline(always)]
    pub(super) fn weigh(&mut self, s: L) {
        let Self { temperature, references, tokens, units, ends, words, .. } = *self;
        let x = E::load(s, &self.logits);
        let excluded = s.equal_u32(s.load_u32(&tokens), s.splat_u32(self.excluded as u32));
        let x = s.select(excluded, s.splat(f32::NEG_INFINITY), x);
        let (mut bounds, mut weights, mut hit) = ([0; ROWS], [0.0; ROWS], [0; ROWS]);
        s.store_u32(weight_bound(s, x, references, temperature), &mut bounds);
        s.store(weight(s, x, references, temperature), &mut weights);
        let mut accepted = [0; ROWS];
        for i in 0..ROWS {
            hit[i] = u32::from(is_hit(units[i], ends[i], bounds[i]));
            let below = bar(words[i], bounds[i], || 0) < f64::from(weights[i]);
            accepted[i] = hit[i] & u32::from(below & (words[i] >= FEW_BITS));
        }
        self.accepted = s.bits(s.equal_u32(s.load_u32(&accepted), s.splat_u32(1))).into();
        (self.bounds, self.weights, self.hit) = (bounds, weights, hit);
    }

    /// Draws from row `i`, whose token was not accepted, or not yet.
    #[inline(always)]
    fn draw_again(&self, s: L, i: usize, lines: &[[u32; 16]]) -> usize {
        let (mut rng, mut word) = (self.generators.get(i), self.words[i]);
        let mut proposal = (self.tokens[i], self.bounds[i], self.weights[i], self.hit[i] == 1);
        loop {
            let (token, bound, weight, hit) = proposal;
            let bar = bar(word, bound, || rng.next_u64());
            if hit && bar < f64::from(weight) {
                return token as usize;
            }
            proposal = self.propose(s, i, lines, rng.next_u64());
            word = rng.next_u64();
        }
    }

    /// What a random word for row `i` falls on: a token, its bound, its weight, and whether it is one
    /// and not the end of the row.
    #[inline(always)]
    pub(super) fn propose(
        &self,
        s: L,
        i: usize,
        lines: &[[u32; 16]],
        word: u64,
    ) -> (u32, u32, f32, bool) {
        let unit = unit_of(word, self.totals[i]);
        let passed = |&token: &u16| lines[usize::from(token)][i] <= unit;
        let token = self.order.token(self.order.cells().partition_point(passed));
        let mut references = [0.0; ROWS];
        s.store(self.references, &mut references);
        let (x, reference) = (s.splat(self.logit(i, token).to_f32()), s.splat(references[i]));
        let (mut bounds, mut weights) = ([0; 16], [0.0; 16]);
        s.store_u32(weight_bound(s, x, reference, self.temperature), &mut bounds);
        s.store(weight(s, x, reference, self.temperature), &mut weights);
        let hit = is_hit(unit, lines[token][i], bounds[0]);
        (token as u32, bounds[0], weights[0], hit)
    }

    /// A logit of row `i`; −∞ for the excluded token.
    #[inline(always)]
    fn logit(&self, i: usize, token: usize) -> E {
        let logit = self.rows[i][token];
        if token == self.excluded { E::NEG_INFINITY } else { logit }
    }
}
