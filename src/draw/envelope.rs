//! The envelope of a row: an upper bound for each cell, ready to be chosen from.
//!
//! Bounds are integers, so their sums are exact in any order and a cell's share is the same at
//! every level. A cell whose weight is far below one unit still has one: what is too much is
//! rejected later, with full precision.

use super::Temperature;
use crate::lanes::Lanes;
use crate::lanes::math::weight_bound;
use core::hint::select_unpredictable;

/// Accumulators of the sweep: cells come in groups of so many vectors.
pub(super) const GROUP: usize = 8;

/// The most groups of cells in a row: few enough for sums of 32 bits.
pub(super) const MAX_GROUPS: usize = 63;

/// A power of two, so that masks can stand in for bounds checks.
const MAX_ROWS: usize = 512;

const _: () = assert!(GROUP * MAX_GROUPS < MAX_ROWS);

/// Working memory of a row: made once, since clearing it would cost more than a small row.
#[derive(Clone, Debug)]
pub(crate) struct Scratch {
    /// Row 0 is zero. Row v + 1 holds, for each lane of vector v of cells, the cell's maximum as the
    /// bits of a float; then in the same place, to stay within the nearest cache, the sum of the
    /// lane's bounds up to it.
    rows: [[u32; 16]; MAX_ROWS],
}

impl Scratch {
    /// Room for rows of `vocab` tokens.
    pub(crate) fn new(_vocab: usize) -> Self {
        Self { rows: [[0; 16]; MAX_ROWS] }
    }

    /// The maxima of the cells of a row of `groups` groups, as the bits of floats.
    #[inline(always)]
    pub(super) fn maxima(&mut self, groups: usize) -> &mut [[[u32; 16]; GROUP]] {
        self.rows[1..=groups * GROUP].as_chunks_mut().0
    }
}

/// The bounds of all cells as running sums, in this order: lane by lane, and within a lane vector
/// by vector.
pub(super) struct Envelope<'a> {
    vectors: usize,
    rows: &'a [[u32; 16]; MAX_ROWS],
    /// The sum of all bounds before each lane, and in total.
    lanes: [u64; 17],
}

impl<'a> Envelope<'a> {
    /// The envelope of the first `groups` groups of `scratch`, whose maxima are known.
    #[inline(always)]
    pub(super) fn new<L: Lanes>(
        s: L,
        scratch: &'a mut Scratch,
        groups: usize,
        max: f32,
        temperature: Temperature,
    ) -> Self {
        let vectors = groups * GROUP;
        let rows = &mut scratch.rows;
        let mut sums = s.splat_u32(0);
        for row in &mut rows[1..=vectors] {
            let maximum = s.float_from_bits(s.load_u32(row));
            sums = s.add_u32(sums, weight_bound(s, maximum, max, temperature));
            s.store_u32(sums, row);
        }
        let mut lanes = [0; 17];
        for (lane, &sum) in rows[vectors].iter().enumerate() {
            lanes[lane + 1] = lanes[lane] + u64::from(sum);
        }
        Self { vectors, rows, lanes }
    }

    /// The cells that N random words fall on, each with probability proportional to its bound (to
    /// a relative 2^-29): their vectors, lanes and bounds.
    ///
    /// The searches have no branches and advance side by side: each alone would wait for memory.
    #[inline(always)]
    pub(super) fn pick<const N: usize>(
        &self,
        words: [u64; N],
    ) -> ([usize; N], [usize; N], [u32; N]) {
        let mut targets = [0; N];
        for p in 0..N {
            targets[p] = ((u128::from(words[p]) * u128::from(self.lanes[16])) >> 64) as u64;
        }
        let mut lanes = [0; N];
        for &before in &self.lanes[1..16] {
            for p in 0..N {
                lanes[p] += u64::from(before <= targets[p]);
            }
        }
        let mut rest = [0; N];
        // The place in the flattened rows: of the sum before the vector.
        let mut places = [0; N];
        for p in 0..N {
            places[p] = lanes[p] as usize % 16;
            rest[p] = (targets[p] - self.lanes[places[p]]) as u32;
        }
        let sums = self.rows.as_flattened();
        let mut span = self.vectors;
        while span > 1 {
            let half = span / 2;
            for p in 0..N {
                let further = (places[p] + 16 * half) % (16 * MAX_ROWS);
                let passed = sums[further] <= rest[p];
                places[p] = select_unpredictable(passed, further, places[p]);
            }
            span -= half;
        }
        let (mut vectors, mut columns, mut bounds) = ([0; N], [0; N], [0; N]);
        for p in 0..N {
            vectors[p] = places[p] / 16;
            columns[p] = places[p] % 16;
            bounds[p] = sums[(places[p] + 16) % (16 * MAX_ROWS)] - sums[places[p]];
        }
        (vectors, columns, bounds)
    }
}

#[cfg(test)]
mod tests {
    use super::{Envelope, GROUP, MAX_GROUPS, Scratch, Temperature};
    use crate::lanes::baseline::Baseline;

    #[test]
    fn every_cell_is_found_between_its_edges() {
        for groups in [1, 2, 3, 16, 63, MAX_GROUPS] {
            let mut scratch = Scratch::new(0);
            let maxima = scratch.maxima(groups).as_flattened_mut().as_flattened_mut();
            for (k, max) in maxima.iter_mut().enumerate() {
                let x = if k % 7 == 3 { f32::NEG_INFINITY } else { -((k * k % 42) as f32) };
                *max = x.to_bits();
            }
            let temperature = Temperature::new(1.0).expect("a fine temperature");
            let envelope = Envelope::new(Baseline, &mut scratch, groups, 0.0, temperature);
            let total = u128::from(envelope.lanes[16]);
            // The least word that falls on unit `unit` of the total, and the one before it.
            let word = |unit: u64| (u128::from(unit) << 64).div_ceil(total) as u64;
            let mut begin = 0;
            for lane in 0..16 {
                for vector in 0..groups * GROUP {
                    let bound = envelope.rows[vector + 1][lane] - envelope.rows[vector][lane];
                    let end = begin + u64::from(bound);
                    let last = if u128::from(end) == total { u64::MAX } else { word(end) - 1 };
                    let found = envelope.pick([word(begin), last]);
                    assert_eq!(found, ([vector; 2], [lane; 2], [bound; 2]), "{groups} groups");
                    begin = end;
                }
            }
            assert_eq!(u128::from(begin), total);
        }
    }

    #[test]
    fn the_sums_of_the_largest_row_fit() {
        let mut scratch = Scratch::new(0);
        scratch.maxima(MAX_GROUPS).as_flattened_mut().as_flattened_mut().fill(0f32.to_bits());
        let temperature = Temperature::new(1.0).expect("a fine temperature");
        let envelope = Envelope::new(Baseline, &mut scratch, MAX_GROUPS, 0.0, temperature);
        let cells = (MAX_GROUPS * GROUP * 16) as u64;
        assert_eq!(envelope.lanes[16], cells * u64::from(envelope.rows[1][0]));
    }
}
