//! Sums of the weights of a row, for its statistics.
//!
//! The plain loop would be two passes of exponentials, one for the sum and one for the entropy.
//! Here the sweep that finds the maxima of cells also sums weights and their moments, one pair of
//! sums for each group of cells, relative to a reference: the largest logit of the groups before.
//! Where a group rises far above it the group's sums are taken again, relative to its own maximum;
//! that happens seldom, since the reference then rises too. Of short rows the sums are taken once the
//! largest logit is known: see [`short_sums`](super::short_sums).

use super::Temperature;
use super::blocks::{Block, Blocks, VECTORS, largest, load, sum_lanes};
use super::element::Element;
use super::envelope::{Cells, GROUP, MAX_GROUPS};
use super::masses::{Masses, least_weighty};
use super::row::{Row, largest_of_pairs};
use crate::lanes::math::fast_weight;
use crate::lanes::{Kernel, Lanes};
use core::ops::Range;

/// The sums of one group of cells.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    /// The logit that the others are relative to.
    pub(super) reference: f32,
    /// Σ w, w = exp((z − reference)/T).
    pub(super) mass: f64,
    /// Σ w·(z − reference).
    pub(super) moment: f64,
}

/// The sums of all groups of a row.
#[derive(Debug)]
pub(super) struct GroupSums([Sums; MAX_GROUPS]);

impl GroupSums {
    /// Those of the first `groups` groups.
    pub(super) fn of(&self, groups: usize) -> &[Sums] {
        &self.0[..groups]
    }

    pub(super) const NONE: Self =
        Self([Sums { reference: 0.0, mass: 0.0, moment: 0.0 }; MAX_GROUPS]);
}

/// Blocks of a run, whose weights are summed lane by lane before these sums are summed.
pub(super) const RUN: usize = 8;

/// Sums of weights while they are taken, in 16 lanes of f32.
///
/// What is cut off 125 halvings below the reference has no weight that a sum notices; but where no
/// float lies so deep, or none that is so close, the cut has one. `DEEP` sums leave out what is below it.
struct Running<L: Lanes, const DEEP: bool> {
    reference: L::F,
    least: L::F,
    temperature: Temperature,
    /// Masses and moments of the run under way, and of the runs before it.
    run: [L::F; 2],
    runs: [L::F; 2],
}

impl<L: Lanes, const DEEP: bool> Running<L, DEEP> {
    #[inline(always)]
    fn new(s: L, reference: f32, temperature: Temperature) -> Self {
        let least = s.splat(least_weighty(reference, temperature));
        let zeros = [s.splat(0.0); 2];
        Self { reference: s.splat(reference), least, temperature, run: zeros, runs: zeros }
    }

    /// Adds a block, its masses as a tree and its moments in two halves; returns the maxima of its
    /// pairs of vectors.
    #[inline(always)]
    fn add<E: Element>(&mut self, s: L, block: &Block<E>) -> [L::F; VECTORS / 2] {
        let x = block.as_chunks::<2>().0;
        let moments = [s.splat(0.0); 2];
        let (max_a, a, moments) = self.pair(s, &x[0], moments);
        let (max_b, b, moments) = self.pair(s, &x[1], moments);
        let ab = s.add(a, b);
        let (max_c, c, moments) = self.pair(s, &x[2], moments);
        let (max_d, d, moments) = self.pair(s, &x[3], moments);
        self.run[0] = s.add(self.run[0], s.add(ab, s.add(c, d)));
        self.run[1] = s.add(self.run[1], s.add(moments[0], moments[1]));
        [max_a, max_b, max_c, max_d]
    }

    /// The maximum of two vectors, their weights together, and their moments beside those before.
    #[inline(always)]
    fn pair<E: Element>(
        &self,
        s: L,
        [a, b]: &[[E; 16]; 2],
        moments: [L::F; 2],
    ) -> (L::F, L::F, [L::F; 2]) {
        let (a, b) = (E::load(s, a), E::load(s, b));
        let max = s.max(a, b);
        let (a, a_moment) = self.weigh(s, a, moments[0]);
        let (b, b_moment) = self.weigh(s, b, moments[1]);
        (max, s.add(a, b), [a_moment, b_moment])
    }

    #[inline(always)]
    fn weigh(&self, s: L, x: L::F, moment: L::F) -> (L::F, L::F) {
        // What lies deeper has a weight of 125 halvings, which no sum notices.
        let below = s.sub(s.at_least(x, self.least), self.reference);
        let mut weight = fast_weight(s, below, self.temperature);
        if DEEP {
            // A NaN stays one.
            weight = s.select(s.greater(self.least, x), s.splat(0.0), weight);
        }
        (weight, s.fma(weight, below, moment))
    }

    #[inline(always)]
    fn end_run(&mut self, s: L) {
        for k in 0..2 {
            self.runs[k] = s.add(self.runs[k], self.run[k]);
            self.run[k] = s.splat(0.0);
        }
    }

    #[inline(always)]
    fn sums(&self, s: L, reference: f32) -> Sums {
        Sums { reference, mass: sum_lanes(s, self.runs[0]), moment: sum_lanes(s, self.runs[1]) }
    }
}

/// The sums of some blocks relative to `reference`.
pub(super) struct BlockSums<'a, E> {
    pub(super) blocks: &'a Blocks<'a, E>,
    pub(super) begin: usize,
    pub(super) end: usize,
    pub(super) reference: f32,
    pub(super) temperature: Temperature,
}

impl<E: Element> Kernel for BlockSums<'_, E> {
    type Output = Sums;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> Sums {
        match is_deep(self.reference, self.temperature) {
            true => self.sums::<L, true>(s),
            false => self.sums::<L, false>(s),
        }
    }
}

impl<E: Element> BlockSums<'_, E> {
    #[inline(always)]
    fn sums<L: Lanes, const DEEP: bool>(self, s: L) -> Sums {
        let Self { blocks, begin, end, reference, temperature } = self;
        let mut running = Running::<L, DEEP>::new(s, reference, temperature);
        for run in (begin..end).step_by(RUN) {
            for block in run..end.min(run + RUN) {
                running.add(s, blocks.get(block));
            }
            running.end_run(s);
        }
        running.sums(s, reference)
    }
}

/// Whether the least logit that has a weight beside a reference lies so close to it that it has one in
/// sums: because floats end there, or are far apart.
#[inline(always)]
fn is_deep(reference: f32, temperature: Temperature) -> bool {
    least_weighty(reference, temperature) - reference > 0.5 * temperature.floor
}

/// The sweep of a row that also sums its weights, but for short rows: what [`Row::maxima`] writes and
/// returns.
pub(super) struct Sweep<'a, E> {
    pub(super) row: &'a Row<'a, E>,
    pub(super) temperature: Temperature,
    pub(super) cells: &'a mut Cells,
    pub(super) sums: &'a mut GroupSums,
}

/// The maxima of a group of cells of `size` tokens, while its blocks come one by one.
struct CellMaxima<L: Lanes> {
    size: usize,
    /// That of the vector of cells under way, and of all of the group.
    cell: L::F,
    all: L::F,
}

impl<L: Lanes> CellMaxima<L> {
    /// Adds a block of the group, whose pairs of vectors have these maxima.
    #[inline(always)]
    fn put(&mut self, s: L, pairs: [L::F; VECTORS / 2], block: usize, cells: &mut [[u32; 16]]) {
        let least = s.splat(f32::NEG_INFINITY);
        let [max] = largest_of_pairs(s, [least], pairs);
        self.all = s.max(self.all, max);
        match self.size {
            2 => store(s, pairs, &mut cells[4 * block..]),
            4 => store(s, largest_of_pairs(s, [least; 2], pairs), &mut cells[2 * block..]),
            size => {
                let blocks = size / VECTORS;
                let before = if block.is_multiple_of(blocks) { least } else { self.cell };
                self.cell = s.max(before, max);
                store(s, [self.cell], &mut cells[block / blocks..]);
            }
        }
    }
}

/// Writes what a block says of its vectors of cells, which at the end of a row may be fewer.
#[inline(always)]
fn store<L: Lanes, const N: usize>(s: L, max: [L::F; N], cells: &mut [[u32; 16]]) {
    for (max, cell) in max.into_iter().zip(cells) {
        s.store_u32(s.float_bits(max), cell);
    }
}

/// How many halvings a group may rise above its reference before its sums are taken again: beyond,
/// the rounding of z − reference would show.
const RISE: f32 = 8.0;

impl<E: Element> Kernel for Sweep<'_, E> {
    type Output = (f32, bool);

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> (f32, bool) {
        let Self { row, temperature, cells, sums } = self;
        let maxima = cells.maxima(row.vectors());
        if row.size == 1 {
            return row.maxima(s, maxima);
        }
        let blocks = &mut Blocks::new(row.logits);
        blocks.leave_out(row.excluded);
        let blocks = &*blocks;
        if temperature.high == 0.0 {
            // All finite logits weigh 1, which the clamp of a weight would give −∞ as well.
            let &Row { logits, excluded, .. } = row;
            let (max, lower, above) = (0.0, f32::NEG_INFINITY, f32::INFINITY);
            let count = Masses { row: logits, excluded, max, temperature, lower, above };
            sums.0[0] = Sums { mass: s.call(count).0, ..Sums::default() };
            sums.0[1..row.groups()].fill(Sums::default());
            return row.maxima(s, maxima);
        }
        let least = s.splat(f32::NEG_INFINITY);
        let (mut row_max, mut mass) = (least, 0.0);
        let mut reference = temperature.reference(s.largest(largest(s, load(s, blocks.get(0)))));
        for (g, cells) in maxima.chunks_mut(GROUP).enumerate() {
            let Range { start: begin, end } = row.blocks_of(g, blocks.count());
            let mut max = CellMaxima { size: row.size, cell: least, all: least };
            let mut running = Running::<L, false>::new(s, reference, temperature);
            for run in (begin..end).step_by(RUN) {
                for block in run..end.min(run + RUN) {
                    let pairs = running.add(s, blocks.get(block));
                    max.put(s, pairs, block - begin, cells);
                }
                running.end_run(s);
            }
            row_max = s.max(row_max, max.all);
            sums.0[g] = running.sums(s, reference);
            let group_max = s.largest(max.all);
            let mut again = is_deep(reference, temperature);
            if group_max > reference {
                again |= (group_max - reference) * temperature.high > RISE;
                reference = group_max;
            }
            if again {
                let again = BlockSums { blocks, begin, end, reference, temperature };
                sums.0[g] = s.call(again);
            }
            mass += sums.0[g].mass;
        }
        // The excluded token was left out of the sums; a NaN makes the row bad even there.
        let excluded = row.logits.get(row.excluded).is_some_and(|x| x.to_f32().is_nan());
        (s.largest(row_max), mass.is_nan() || excluded)
    }
}
