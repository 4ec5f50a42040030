//! The envelope of a row: an upper bound for each cell, ready to be chosen from.
//!
//! Bounds are integers, so their sums are exact in any order and a cell's share is the same at
//! every level. A cell whose weight is far below one unit still has one: what is too much is
//! rejected later, with full precision.

use super::Temperature;
use super::filter::List;
use super::row_sums::GroupSums;
use crate::lanes::Lanes;
use crate::lanes::math::weight_bound;
use core::hint::select_unpredictable;

/// Accumulators of the sweep: cells come in groups of so many vectors.
pub(super) const GROUP: usize = 8;

/// The most groups of cells in a row: few enough for sums of 32 bits.
pub(super) const MAX_GROUPS: usize = 63;

/// A power of two, so that masks can stand in for bounds checks.
pub(super) const MAX_ROWS: usize = 512;

const _: () = assert!(GROUP * MAX_GROUPS < MAX_ROWS);

/// Working memory for rows, of one thread. Made once, since clearing it would cost more than a small
/// row.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(super) cells: Cells,
    /// A changed copy of a row.
    pub(super) staged: Box<[f32]>,
    /// One of the row that it is compared with.
    pub(super) compared: Box<[f32]>,
    pub(super) list: List,
    pub(super) sums: GroupSums,
}

impl Scratch {
    /// Room for rows of `vocab` tokens. Zeroed memory is not touched before it is used.
    pub(crate) fn new(vocab: usize) -> Self {
        Self {
            cells: Cells { rows: [[0; 16]; MAX_ROWS] },
            staged: vec![0.0; vocab].into(),
            compared: vec![0.0; vocab].into(),
            sums: GroupSums::NONE,
            list: List::new(vocab),
        }
    }
}

/// The cells of a row. Aligned, so that no vector straddles two lines of the cache.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct Cells {
    /// Row 0 is zero. Row v + 1 holds, for each lane of vector v of cells, the cell's maximum as the
    /// bits of a float; then in the same place, to stay within the nearest cache, the sum of the
    /// lane's bounds up to it.
    pub(super) rows: [[u32; 16]; MAX_ROWS],
}

impl Cells {
    /// The maxima of `vectors` vectors of cells, as the bits of floats.
    #[inline(always)]
    pub(super) fn maxima(&mut self, vectors: usize) -> &mut [[u32; 16]] {
        &mut self.rows[1..=vectors]
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
    /// The envelope of the first `vectors` vectors of `cells`, whose maxima are known. Cells without
    /// a logit of at least `lower` are left out.
    #[inline(always)]
    pub(super) fn new<L: Lanes>(
        s: L,
        cells: &'a mut Cells,
        vectors: usize,
        max: f32,
        lower: f32,
        temperature: Temperature,
    ) -> Self {
        let rows = &mut cells.rows;
        let (mut sums, max) = (s.splat_u32(0), s.splat(max));
        if lower == f32::NEG_INFINITY {
            for row in &mut rows[1..=vectors] {
                let maximum = s.float_from_bits(s.load_u32(row));
                sums = s.add_u32(sums, weight_bound(s, maximum, max, temperature));
                s.store_u32(sums, row);
            }
        } else {
            let (lower, none) = (s.splat(lower), s.splat(0.0));
            for row in &mut rows[1..=vectors] {
                let maximum = s.float_from_bits(s.load_u32(row));
                let bound = s.float_from_bits(weight_bound(s, maximum, max, temperature));
                let bound = s.select(s.greater(lower, maximum), none, bound);
                sums = s.add_u32(sums, s.float_bits(bound));
                s.store_u32(sums, row);
            }
        }
        let mut lanes = [0; 17];
        for (lane, &sum) in rows[vectors].iter().enumerate() {
            lanes[lane + 1] = lanes[lane] + u64::from(sum);
        }
        Self { vectors, rows, lanes }
    }

    /// The sum of all bounds.
    pub(super) fn total(&self) -> u64 {
        self.lanes[16]
    }

    /// The bound of a cell.
    pub(super) fn bound(&self, vector: usize, lane: usize) -> u32 {
        self.rows[vector + 1][lane] - self.rows[vector][lane]
    }

    /// The cells that N random words fall on, each with probability proportional to its bound (to
    /// a relative 2^-29): their vectors, lanes and bounds.
    ///
    /// The searches have no branches and advance side by side: each alone would wait for memory.
    #[inline(always)]
    pub(super) fn pick<L: Lanes, const N: usize>(
        &self,
        s: L,
        words: [u64; N],
    ) -> ([usize; N], [usize; N], [u32; N]) {
        let (mut places, mut rest) = ([0; N], [0; N]);
        for p in 0..N {
            let target = ((u128::from(words[p]) * u128::from(self.lanes[16])) >> 64) as u64;
            let lane = s.ascending_at_most(self.ends(), target) % 16;
            places[p] = lane;
            rest[p] = (target - self.lanes[lane]) as u32;
        }
        let sums = &self.rows.as_flattened()[..16 * (self.vectors + 1)];
        let mut span = self.vectors;
        while span > 1 {
            let half = span / 2;
            for p in 0..N {
                let further = places[p] + 16 * half;
                let passed = sums[further] <= rest[p];
                places[p] = select_unpredictable(passed, further, places[p]);
            }
            span -= half;
        }
        let (mut vectors, mut columns, mut bounds) = ([0; N], [0; N], [0; N]);
        for p in 0..N {
            vectors[p] = places[p] / 16;
            columns[p] = places[p] % 16;
            bounds[p] = sums[places[p] + 16] - sums[places[p]];
        }
        (vectors, columns, bounds)
    }

    /// The sum of all bounds up to each lane.
    #[inline(always)]
    fn ends(&self) -> &[u64; 16] {
        self.lanes.last_chunk().unwrap_or(&[0; 16])
    }
}

#[cfg(test)]
mod tests {
    use super::{Cells, Envelope, GROUP, MAX_GROUPS, MAX_ROWS, Temperature};
    use crate::lanes::baseline::Baseline;

    fn cells() -> Cells {
        Cells { rows: [[0; 16]; MAX_ROWS] }
    }

    #[test]
    fn every_cell_is_found_between_its_edges() {
        for (vectors, lower) in [1, 2, 3, 8, 16, 24, 128, 504, GROUP * MAX_GROUPS]
            .into_iter()
            .flat_map(|vectors| [f32::NEG_INFINITY, -20.0, 0.0].map(|lower| (vectors, lower)))
        {
            let mut cells = cells();
            for (k, max) in cells.maxima(vectors).as_flattened_mut().iter_mut().enumerate() {
                let x = if k % 7 == 3 { f32::NEG_INFINITY } else { -((k * k % 42) as f32) };
                *max = x.to_bits();
            }
            let maxima = cells.maxima(vectors).to_vec();
            let temperature = Temperature::new(1.0).expect("a fine temperature");
            let envelope = Envelope::new(Baseline, &mut cells, vectors, 0.0, lower, temperature);
            let total = u128::from(envelope.lanes[16]);
            // The least word that falls on unit `unit` of the total, and the one before it.
            let word = |unit: u64| (u128::from(unit) << 64).div_ceil(total) as u64;
            let mut begin = 0;
            for (lane, vector) in (0..16 * vectors).map(|k| (k / vectors, k % vectors)) {
                let bound = envelope.rows[vector + 1][lane] - envelope.rows[vector][lane];
                assert_eq!(bound > 0, f32::from_bits(maxima[vector][lane]) >= lower);
                let end = begin + u64::from(bound);
                if bound > 0 {
                    let last = if u128::from(end) == total { u64::MAX } else { word(end) - 1 };
                    let found = envelope.pick(Baseline, [word(begin), last]);
                    assert_eq!(found, ([vector; 2], [lane; 2], [bound; 2]), "{vectors}");
                }
                begin = end;
            }
            assert_eq!(u128::from(begin), total);
        }
    }

    #[test]
    fn the_sums_of_the_largest_row_fit() {
        let mut cells = cells();
        let vectors = GROUP * MAX_GROUPS;
        cells.maxima(vectors).as_flattened_mut().fill(0f32.to_bits());
        let temperature = Temperature::new(1.0).expect("a fine temperature");
        let envelope =
            Envelope::new(Baseline, &mut cells, vectors, 0.0, f32::NEG_INFINITY, temperature);
        let count = (vectors * 16) as u64;
        assert_eq!(envelope.lanes[16], count * u64::from(envelope.rows[1][0]));
    }
}
