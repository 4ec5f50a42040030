//! The best list of sizes for a known information profile.

use super::square_root::check_steps;
use super::{Profile, SizeList};
use crate::error::{Error, shape};

/// The most masks times steps, for the memory of the search (256 MiB).
const MOST_CELLS: u64 = 1 << 26;

impl SizeList {
    /// The list with the least E KL for a law of this profile: no schedule that does not look at the
    /// tokens, random or not, does better (Chen, Cong and Li, arXiv 2511.04647, theorem 4).
    ///
    /// The search is theirs, in O(K·L·ln L): the cost of a step obeys the quadrangle inequality, so
    /// that the best beginnings of a step never move back as its end moves on. Ties: the earliest
    /// beginning.
    ///
    /// # Errors
    /// No steps, more than the masks of the profile, or more than 2^26 masks times steps.
    pub fn optimal(profile: &Profile, steps: u32) -> Result<Self, Error> {
        let masks = profile.masks();
        check_steps(masks, steps)?;
        let cells = u64::from(masks) * u64::from(steps);
        let (given, most) = (cells as usize, MOST_CELLS as usize);
        shape(cells <= MOST_CELLS, "masks times steps", given, "at most", most)?;
        let mut search = Search::new(profile);
        let (masks, steps) = (masks as usize, steps as usize);
        let mut beginnings = vec![0u32; steps * (masks + 1)];
        for (step, row) in beginnings.chunks_exact_mut(masks + 1).enumerate() {
            search.next_step(step, masks - (steps - 1 - step), row);
        }
        let mut boundaries = vec![masks as u32; steps];
        for step in (1..steps).rev() {
            let end = boundaries[step] as usize;
            boundaries[step - 1] = beginnings[step * (masks + 1) + end];
        }
        Ok(Self::from_boundaries(boundaries))
    }
}

/// The least cost of ending a step at each place.
struct Search {
    /// f(m) less f(L − 1), which changes no cost and keeps the digits where f is nearly level.
    above: Vec<f64>,
    /// Σ above(j) over j from m.
    rest: Vec<f64>,
    /// The least cost of the steps before this one, by their end.
    least: Vec<f64>,
    next: Vec<f64>,
}

impl Search {
    fn new(profile: &Profile) -> Self {
        let masks = profile.masks() as usize;
        let (mut above, mut rest) = (vec![0.0; masks], vec![0.0; masks + 1]);
        let drops: Vec<f64> = profile.drops().collect();
        for m in (0..masks).rev() {
            above[m] = drops.get(m).map_or(0.0, |drop| above[m + 1] + drop);
            rest[m] = rest[m + 1] + above[m];
        }
        let mut least = vec![f64::INFINITY; masks + 1];
        least[0] = 0.0;
        Self { above, rest, next: vec![f64::INFINITY; masks + 1], least }
    }

    /// Σ f(from) − f(j) over the tokens j of a step, equation (1).
    fn cost(&self, from: usize, to: usize) -> f64 {
        let cost = (to - from) as f64 * self.above[from] - (self.rest[from] - self.rest[to]);
        cost.max(0.0)
    }

    /// Adds step number `step`, which ends at `last` or before: writes its best beginnings by end.
    fn next_step(&mut self, step: usize, last: usize, beginnings: &mut [u32]) {
        self.next.fill(f64::INFINITY);
        self.between((step + 1, last), (step, last - 1), beginnings);
        core::mem::swap(&mut self.least, &mut self.next);
    }

    /// Fills the ends from `ends.0` to `ends.1`, whose beginnings lie from `from.0` to `from.1`:
    /// the middle one first, which halves the rest.
    fn between(&mut self, ends: (usize, usize), from: (usize, usize), beginnings: &mut [u32]) {
        if ends.0 > ends.1 {
            return;
        }
        let end = ends.0 + (ends.1 - ends.0) / 2;
        let (mut best, mut least) = (from.0, f64::INFINITY);
        for begin in from.0..=from.1.min(end - 1) {
            let cost = self.least[begin] + self.cost(begin, end);
            if cost < least {
                (best, least) = (begin, cost);
            }
        }
        self.next[end] = least;
        beginnings[end] = best as u32;
        self.between((ends.0, end - 1), (from.0, best), beginnings);
        self.between((end + 1, ends.1), (best, from.1), beginnings);
    }
}
