//! The envelope of a row: an upper bound for each cell, ready to be chosen from with exact
//! probabilities.

use super::Temperature;
use crate::lanes::Lanes;
use crate::lanes::math::{weight, weight_bound};
use core::hint::select_unpredictable;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

/// Vectors of cells between two stored running sums: the four accumulators of the sweep.
pub(super) const GROUP: usize = 4;

/// The most groups of cells in a row. One less than a power of two, so that the running sums,
/// which have an end more, can be indexed by masking.
pub(super) const MAX_GROUPS: usize = 127;

/// Working memory of a row: made once, since clearing it would cost more than a small row.
#[derive(Clone, Debug)]
pub(crate) struct Scratch {
    /// The maximum of each cell, then its bound, by group, vector of the group, and lane.
    cells: [[[f32; 16]; GROUP]; MAX_GROUPS + 1],
    /// `running[g][l]` is the sum of the bounds of lane l over the groups before g.
    running: [[f64; 16]; MAX_GROUPS + 1],
}

impl Default for Scratch {
    fn default() -> Self {
        Self { cells: [[[0.0; 16]; GROUP]; MAX_GROUPS + 1], running: [[0.0; 16]; MAX_GROUPS + 1] }
    }
}

impl Scratch {
    /// The cells of a row of `groups` groups.
    #[inline(always)]
    pub(super) fn cells(&mut self, groups: usize) -> &mut [[[f32; 16]; GROUP]] {
        &mut self.cells[..groups]
    }
}

/// The bounds of all cells, ready to be chosen from: lane by lane, within a lane group by group,
/// and within a group vector by vector.
pub(super) struct Envelope<'a> {
    groups: usize,
    cells: &'a [[[f32; 16]; GROUP]; MAX_GROUPS + 1],
    running: &'a [[f64; 16]; MAX_GROUPS + 1],
    /// The sum of all bounds before each lane, and in total.
    lanes: [f64; 17],
}

impl<'a> Envelope<'a> {
    /// The envelope of the first `groups` groups of `scratch`, which hold the maxima of the cells;
    /// `exact` if a cell is a single token, whose bound is then its weight.
    #[inline(always)]
    pub(super) fn new<L: Lanes>(
        s: L,
        scratch: &'a mut Scratch,
        groups: usize,
        max: f32,
        temperature: Temperature,
        exact: bool,
    ) -> Self {
        let Scratch { cells, running } = scratch;
        let mut sums = s.no_sums();
        for (group, running) in cells[..groups].iter_mut().zip(&mut running[1..]) {
            for cell in group {
                let x = s.load(cell);
                let bound = if exact {
                    weight(s, x, max, temperature)
                } else {
                    weight_bound(s, x, max, temperature)
                };
                s.store(bound, cell);
                sums = s.accumulate(sums, bound);
            }
            s.store_sums(sums, running);
        }
        let mut lanes = [0.0; 17];
        for (lane, &sum) in running[groups].iter().enumerate() {
            lanes[lane + 1] = lanes[lane] + sum;
        }
        Self { groups, cells, running, lanes }
    }

    /// The bound of a cell, by its vector and lane.
    #[inline(always)]
    pub(super) fn bound(&self, vector: usize, lane: usize) -> f32 {
        self.cells[vector / GROUP % (MAX_GROUPS + 1)][vector % GROUP][lane % 16]
    }

    /// The cells, as vectors and lanes, that N random words fall on: each with probability
    /// proportional to its bound.
    ///
    /// The running sums are rounded, to far less than 2^-40 of the total. Unless the random number
    /// falls within 2^-36 of the total of an edge of the cell that it finds, the rounding cannot
    /// matter; if it does, the choice is made again in 128-bit integers and with 64 more random
    /// bits. So a cell keeps its exact probability however small that is.
    ///
    /// The searches have no branches and advance side by side: each alone would wait for memory.
    #[inline(always)]
    pub(super) fn pick<const N: usize>(
        &self,
        words: [u64; N],
        rng: &mut Xoshiro256PlusPlus,
    ) -> ([usize; N], [usize; N]) {
        let total = self.lanes[16];
        let mut targets = [0.0; N];
        for p in 0..N {
            targets[p] = (words[p] >> 11) as f64 * (1.0 / (1u64 << 53) as f64) * total;
        }
        let mut lanes = [0; N];
        for &before in &self.lanes[1..16] {
            for p in 0..N {
                lanes[p] += usize::from(before <= targets[p]);
            }
        }
        for p in 0..N {
            targets[p] -= self.lanes[lanes[p]];
        }
        // The place in the flattened running sums; masks stand in for bounds checks.
        let running = self.running.as_flattened();
        let mut places = lanes;
        let mut span = self.groups;
        while span > 1 {
            let half = span / 2;
            for p in 0..N {
                let further = (places[p] + 16 * half) % (16 * (MAX_GROUPS + 1));
                let passed = running[further] <= targets[p];
                places[p] = select_unpredictable(passed, further, places[p]);
            }
            span -= half;
        }
        let margin = total * (1.0 / (1u64 << 36) as f64);
        let mut vectors = [0; N];
        for p in 0..N {
            let (place, lane) = (places[p] / 16 % (MAX_GROUPS + 1), lanes[p] % 16);
            let group = &self.cells[place];
            let mut edges = [self.running[place][lane]; GROUP + 1];
            for k in 0..GROUP {
                edges[k + 1] = edges[k] + f64::from(group[k][lane]);
            }
            let mut vector = 0;
            for &edge in &edges[1..GROUP] {
                vector += usize::from(edge <= targets[p]);
            }
            vectors[p] = place * GROUP + vector;
            if !(targets[p] - edges[vector] > margin && edges[vector + 1] - targets[p] > margin) {
                (vectors[p], lanes[p]) = self.pick_exactly(words[p], rng.next_u64());
            }
        }
        (vectors, lanes)
    }

    /// The choice in integers: the cell in which `high`:`low` · total / 2^128 falls (to two units),
    /// bounds in units of 2^-110.
    #[cold]
    #[inline(never)]
    fn pick_exactly(&self, high: u64, low: u64) -> (usize, usize) {
        // A bound is at most 1.1 and there are at most 2^13, so the total is below 2^124.
        let units = |bound: f32| (f64::from(bound) * (1u128 << 110) as f64) as u128;
        let vectors = self.cells[..self.groups].as_flattened();
        let total = vectors.as_flattened().iter().map(|&bound| units(bound)).sum::<u128>();
        let (total_high, total_low) = (total >> 64, total & u128::from(u64::MAX));
        let (high, low) = (u128::from(high), u128::from(low));
        let middle = ((high * total_low) >> 64) + ((low * total_high) >> 64);
        let mut left = high * total_high + middle;
        for lane in 0..16 {
            for (vector, bounds) in vectors.iter().enumerate() {
                match left.checked_sub(units(bounds[lane])) {
                    Some(rest) => left = rest,
                    None => return (vector, lane),
                }
            }
        }
        // Never reached: the number is below the total.
        (0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Envelope, GROUP, Scratch, Temperature};
    use crate::lanes::baseline::Baseline;
    use crate::rng::{Key, Purpose};

    /// Maxima from which bounds over many orders of magnitude follow, some of them 0.
    fn scratch(groups: usize) -> Scratch {
        let mut scratch = Scratch::default();
        let cells = scratch.cells(groups).as_flattened_mut().as_flattened_mut();
        for (k, max) in cells.iter_mut().enumerate() {
            *max = if k % 7 == 3 { f32::NEG_INFINITY } else { -((k * k % 42) as f32) };
        }
        scratch
    }

    fn envelope(scratch: &mut Scratch, groups: usize) -> Envelope<'_> {
        let temperature = Temperature::new(1.0).expect("a fine temperature");
        Envelope::new(Baseline, scratch, groups, 0.0, temperature, true)
    }

    #[test]
    fn the_integer_choice_agrees_with_the_quick_one() {
        for groups in [1, 2, 3, 16, 63, 127] {
            let mut scratch = scratch(groups);
            let envelope = envelope(&mut scratch, groups);
            let mut rng = Key::default().generator(Purpose::Token);
            for k in 0..20_000u64 {
                let word = k.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let ([vector], [lane]) = envelope.pick([word], &mut rng);
                assert_eq!((vector, lane), envelope.pick_exactly(word, 1 << 63), "{word:#x}");
            }
        }
    }

    #[test]
    fn the_integer_choice_gives_every_cell_its_width() {
        // The first and last word of each choice, found by halving, are its width apart.
        let groups = 3;
        let mut scratch = scratch(groups);
        let envelope = envelope(&mut scratch, groups);
        let total = envelope.lanes[16];
        let exact = |point: u128| envelope.pick_exactly((point >> 64) as u64, point as u64);
        let mut begin = 0u128;
        for lane in 0..16 {
            for vector in 0..groups * GROUP {
                let bound = f64::from(envelope.bound(vector, lane));
                if bound == 0.0 {
                    continue;
                }
                assert_eq!(exact(begin), (vector, lane), "the choices follow each other");
                let (mut inside, mut outside) = (begin, u128::MAX);
                while outside - inside > 1 {
                    let middle = inside + (outside - inside) / 2;
                    if exact(middle) == (vector, lane) { inside = middle } else { outside = middle }
                }
                let width = (outside - begin) as f64 / u128::MAX as f64;
                assert!((width / (bound / total) - 1.0).abs() < 1e-9, "{width:e} at {bound:e}");
                begin = outside;
            }
        }
    }
}
