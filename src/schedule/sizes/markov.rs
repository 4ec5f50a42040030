//! Markov sizes: how many positions a step reveals depends on how many masks and steps are left.
//!
//! With r masks and k steps left, u masks stay with probability P(u | r, k) = g_k(u)/C_k(r), where
//! C_k(r) = Σ g_k(u) over u from k − 1 to r − 1: one row of weights a k serves every r, so a table
//! for L masks serves every smaller number too. `docs/schedules.md`, section 2, derives the weights
//! of which E KL = v·TC exactly, and has the numbers of the equations named here.

use super::tiles::Tiles;
use crate::error::{Error, shape};
use libm::{exp, expm1, log, log1p};

/// The most cells that a table keeps one by one: 256 MiB.
const MOST_ROW_CELLS: u64 = 1 << 25;
/// The most cells of a table of which only the edges of tiles are kept: 400 MiB.
const MOST_TILED_CELLS: u64 = 1 << 28;

/// A table of random sizes: a law of the next size for every number of masks and steps left.
///
/// Derived here, with the guarantee of Zhao and Cai (arXiv 2602.20126): no knowledge of the law that
/// is sampled, E KL of the order of TC·ln L/K. Their own law of sizes could not be read, and this
/// does not claim to be it; when it is known, [`from_constants`](Self::from_constants) or
/// [`from_log_weights`](Self::from_log_weights) load it.
///
/// [`Sizes::Markov`](super::Sizes::Markov) draws the sizes, and
/// [`Sizes::MarkovReversed`](super::Sizes::MarkovReversed) takes them in reverse order, which makes
/// the last steps the large ones. A table serves any segment of at most its masks and any policy of at
/// most its steps. It takes 8 bytes a mask and step up to 2^25 of them (256 MiB). The table of
/// [`tc`](Self::tc) goes on to 2^28, 65,536 masks in 4,096 steps, with 1.5 bytes a mask and step
/// (400 MiB), made in seconds; drawing a size from such a table costs microseconds.
#[derive(Clone, PartialEq)]
pub struct MarkovSizes {
    masks: u32,
    steps: u32,
    constant: Option<f64>,
    sums: Sums,
}

/// ln C_k(r), with all its digits where C itself overflows, for k from 2.
#[derive(Clone, PartialEq)]
enum Sums {
    /// Rows of `masks + 1` numbers each.
    Rows(Vec<f64>),
    /// Rows that are made where they are needed.
    Tiles(Tiles),
}

impl core::fmt::Debug for MarkovSizes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { masks, steps, constant, .. } = self;
        f.debug_struct("MarkovSizes")
            .field("masks", masks)
            .field("steps", steps)
            .field("constant", constant)
            .finish_non_exhaustive()
    }
}

/// A row of equation (3): writes v_k(r) to `row` from v_{k−1}(r) in `below` and hands over
/// C_k(u + 1)/C_k(u), as a fraction, for u from k.
pub(super) fn next_row(
    k: usize,
    below: impl Fn(usize) -> f64,
    row: &mut [f64],
    mut grows: impl FnMut(usize, f64, f64),
) {
    let masks = row.len() - 1;
    row[..=k.min(masks)].fill(0.0);
    for u in k..masks {
        let (value, numerator, denominator) = cell(u, row[u], below(u));
        row[u + 1] = value;
        grows(u, numerator, denominator);
    }
}

/// v_k(u + 1) from y = v_k(u) and z = v_{k−1}(u), and C_k(u + 1)/C_k(u) = 1 + (1 − y)/(u·z) as a
/// fraction.
#[inline(always)]
pub(super) fn cell(u: usize, y: f64, z: f64) -> (f64, f64, f64) {
    let u = u as f64;
    let denominator = u * z;
    let numerator = denominator + (1.0 - y);
    (z * (u * y + (1.0 - y)) / numerator, numerator, denominator)
}

/// v_1: one step reveals all, at the cost of the whole total correlation.
pub(super) fn first_row(masks: usize) -> Vec<f64> {
    (0..=masks).map(|r| f64::from(u8::from(r >= 2))).collect()
}

/// The rows that a table needs: with r ≤ k every step reveals one position.
fn last_row(masks: u32, steps: u32) -> usize {
    steps.min(masks.saturating_sub(1)) as usize
}

impl MarkovSizes {
    /// The sizes of which E KL = v·TC for every law on `masks` tokens, with v = v_K(L) of equation (3)
    /// for K = `steps`, at most (H − 1)/(H + K − 2) with H = 1 + 1/2 + … + 1/(L − 1) (derived here:
    /// theorems A and B of `docs/schedules.md`).
    ///
    /// # Errors
    /// No masks, no steps, or more than 2^28 masks times steps.
    pub fn tc(masks: u32, steps: u32) -> Result<Self, Error> {
        check_counts(masks, steps)?;
        let cells = u64::from(masks) * u64::from(steps);
        shape(
            cells <= MOST_TILED_CELLS,
            "masks times steps",
            cells as usize,
            "at most",
            MOST_TILED_CELLS as usize,
        )?;
        if cells > MOST_ROW_CELLS {
            return Ok(Self::tiled(masks, steps));
        }
        let mut below = first_row(masks as usize);
        let mut row = vec![0.0; masks as usize + 1];
        let rows = Self::rows(masks, steps, |k, sums| {
            next_row(
                k,
                |u| below[u],
                &mut row,
                |u, numerator, denominator| {
                    sums[u + 1] = sums[u] + log(numerator / denominator);
                },
            );
            core::mem::swap(&mut below, &mut row);
            Ok(())
        })?;
        // Where r ≤ k no step has a cost.
        let constant = if steps >= masks { 0.0 } else { below[masks as usize] };
        Ok(Self { masks, steps, constant: Some(constant), sums: Sums::Rows(rows) })
    }

    fn tiled(masks: u32, steps: u32) -> Self {
        let (tiles, constant) = Tiles::new(masks as usize, last_row(masks, steps));
        let constant = if steps >= masks { 0.0 } else { constant };
        Self { masks, steps, constant: Some(constant), sums: Sums::Tiles(tiles) }
    }

    /// v_K(L) of equation (3), for L = `masks` and K = `steps`: E KL/TC of [`tc`](Self::tc), without
    /// a table.
    ///
    /// # Errors
    /// No masks or no steps.
    pub fn tc_constant(masks: u32, steps: u32) -> Result<f64, Error> {
        check_counts(masks, steps)?;
        if steps >= masks {
            return Ok(0.0);
        }
        let mut below = first_row(masks as usize);
        let mut row = vec![0.0; masks as usize + 1];
        for k in 2..=steps as usize {
            next_row(k, |u| below[u], &mut row, |_, _, _| {});
            core::mem::swap(&mut below, &mut row);
        }
        Ok(below[masks as usize])
    }

    /// The bound (H − 1)/(H + k − 2), with H = 1 + 1/2 + … + 1/(r − 1), taken for v_k(r) itself: the
    /// member of the parametric family that has a closed form.
    ///
    /// # Errors
    /// As [`from_constants`](Self::from_constants).
    pub fn tc_closed_form(masks: u32, steps: u32) -> Result<Self, Error> {
        check_counts(masks, steps)?;
        let mut harmonic = vec![0.0; masks as usize + 1];
        for n in 1..=masks as usize {
            harmonic[n] = harmonic[n - 1] + (n as f64).recip();
        }
        Self::from_constants(masks, steps, |k, r| match k {
            1 => 1.0,
            _ => {
                let h = harmonic[r as usize - 1];
                (h - 1.0) / (h + f64::from(k) - 2.0)
            }
        })
    }

    /// The parametric family: weights by equation (4) with `constants(k, r)` for v_k(r), asked for
    /// every k from 1 to `steps − 1` and r from k + 1 to `masks − 1`. With r ≤ k steps are single
    /// positions.
    ///
    /// Where c_k(r) is at least the constant y_k(r) that the sizes reach from there, the
    /// [`constant`](Self::constant) is proved: E KL is at most y_K(L)·TC (derived here:
    /// `docs/schedules.md`, section 2).
    ///
    /// # Errors
    /// No masks, no steps, more than 2^25 masks times steps, or a constant that is not from 1e-280
    /// to 1e280, between which nothing overflows.
    pub fn from_constants(
        masks: u32,
        steps: u32,
        constants: impl Fn(u32, u32) -> f64,
    ) -> Result<Self, Error> {
        check_rows(masks, steps)?;
        let mut row = first_row(masks as usize);
        let mut proved = true;
        let rows = Self::rows(masks, steps, |k, sums| {
            // What the sizes below reach must not be more than what is taken for it.
            for (r, reached) in row[..masks as usize].iter().enumerate().skip(k) {
                let value = constants(k as u32 - 1, r as u32);
                if !(1e-280..=1e280).contains(&value) {
                    let (name, expected) = ("constant", "from 1e-280 to 1e280");
                    return Err(Error::Argument { name, value, expected });
                }
                proved &= value >= reached * (1.0 - 1e-12);
            }
            let below = |u: usize| constants(k as u32 - 1, u as u32);
            next_row(k, below, &mut row, |u, numerator, denominator| {
                sums[u + 1] = sums[u] + log(numerator / denominator);
            });
            Ok(())
        })?;
        let reached = if steps >= masks { 0.0 } else { row[masks as usize] };
        let constant = proved.then_some(reached);
        Ok(Self { masks, steps, constant, sums: Sums::Rows(rows) })
    }

    /// Any law of sizes of this form: `log_weights(k, u)` is ln g_k(u), asked for every k from 2 to
    /// `steps` and u from k − 1 to `masks − 1`. −∞ is a weight of 0. No constant is known.
    ///
    /// # Errors
    /// No masks, no steps, more than 2^25 masks times steps, or a weight that is NaN, +∞, or −∞ at
    /// u = k − 1, where something must be left to draw.
    pub fn from_log_weights(
        masks: u32,
        steps: u32,
        log_weights: impl Fn(u32, u32) -> f64,
    ) -> Result<Self, Error> {
        check_rows(masks, steps)?;
        let rows = Self::rows(masks, steps, |k, sums| {
            for u in k - 1..masks as usize {
                let value = log_weights(k as u32, u as u32);
                if value.is_nan() || value == f64::INFINITY || (u < k && value.is_infinite()) {
                    let (name, expected) = ("log weight", "below +inf, and finite at k - 1 masks");
                    return Err(Error::Argument { name, value, expected });
                }
                sums[u + 1] = if u < k {
                    value
                } else {
                    let (high, low) = (sums[u].max(value), sums[u].min(value));
                    high + log1p(exp(low - high))
                };
            }
            Ok(())
        })?;
        Ok(Self { masks, steps, constant: None, sums: Sums::Rows(rows) })
    }

    /// Rows of ln C_k for k from 2; `fill` writes to places k + 1 and on, after C_k(k) = 1.
    fn rows(
        masks: u32,
        steps: u32,
        mut fill: impl FnMut(usize, &mut [f64]) -> Result<(), Error>,
    ) -> Result<Vec<f64>, Error> {
        let length = masks as usize + 1;
        let rows = last_row(masks, steps).saturating_sub(1);
        let mut sums = vec![f64::NEG_INFINITY; rows * length];
        for (k, row) in (2..).zip(sums.chunks_exact_mut(length)) {
            row[k] = 0.0;
            fill(k, row)?;
        }
        Ok(sums)
    }

    /// At least the bytes that making a table takes, if it can be made.
    #[cfg(feature = "capi")]
    pub(crate) fn memory(masks: u32, steps: u32) -> u64 {
        let cells = u64::from(masks) * u64::from(steps);
        let table =
            if cells > MOST_ROW_CELLS { cells.min(MOST_TILED_CELLS) * 2 } else { cells * 8 };
        table + 32 * u64::from(masks)
    }

    /// The most masks of a segment that this table serves.
    #[must_use]
    pub fn masks(&self) -> u32 {
        self.masks
    }

    /// The most steps of a policy that this table serves.
    #[must_use]
    pub const fn steps(&self) -> u32 {
        self.steps
    }

    /// The c for which E KL ≤ c·TC was proved for [`masks`](Self::masks) tokens in
    /// [`steps`](Self::steps) steps, forward; an equality for [`tc`](Self::tc). `None` where the table
    /// of the caller proves none.
    #[must_use]
    pub fn constant(&self) -> Option<f64> {
        self.constant
    }

    /// How many of `left` masks stay after a step with `steps_left` steps left, this one included,
    /// for a number `u` strictly between 0 and 1.
    pub(super) fn stays(&self, left: u32, steps_left: u32, u: f64) -> u32 {
        if steps_left <= 1 {
            return 0;
        }
        if left <= steps_left {
            return left.saturating_sub(1);
        }
        let (k, r) = (steps_left as usize, left as usize);
        match &self.sums {
            Sums::Rows(_) => {
                let row = &self.row(k)[k..=r];
                // The smallest w with C(w + 1) > u·C(r).
                let target = log(u) + row[r - k];
                let place = row.partition_point(|&sum| sum <= target);
                (k + place - 1).min(r - 1) as u32
            }
            Sums::Tiles(tiles) => tiles.stays(k, r, u) as u32,
        }
    }

    fn row(&self, k: usize) -> &[f64] {
        let length = self.masks as usize + 1;
        match &self.sums {
            Sums::Rows(rows) => &rows[(k - 2) * length..(k - 1) * length],
            Sums::Tiles(_) => &[],
        }
    }

    /// The masks left after steps `0..steps_done` of a whole schedule, drawn anew.
    pub(super) fn chain(
        &self,
        masks: u32,
        steps: u32,
        steps_done: u32,
        uniform: impl Fn(u32) -> f64,
    ) -> u32 {
        (0..steps_done).fold(masks, |left, step| self.stays(left, steps - step, uniform(step)))
    }

    /// For u from k to `masks − 1`, C_k(u)/C_k(u + 1) and 1 less it, which is the chance that u stay
    /// if no more than u do.
    fn shares(&self, k: usize, masks: usize, shares: &mut [(f64, f64)]) {
        match &self.sums {
            Sums::Rows(_) => {
                for (share, ends) in shares[k..masks].iter_mut().zip(self.row(k)[k..].windows(2)) {
                    let fall = ends[0] - ends[1];
                    *share = (exp(fall), -expm1(fall));
                }
            }
            Sums::Tiles(tiles) => tiles.growth(k, masks, |u, numerator, denominator| {
                shares[u] = (denominator / numerator, (numerator - denominator) / numerator);
            }),
        }
    }

    /// E R(m) for m below `masks`, which with `steps` must be served: how far the first boundary at or
    /// after m lies beyond m, on average. The law of the masks left goes through the steps.
    pub(super) fn overshoot(&self, masks: u32, steps: u32, reversed: bool) -> Vec<f64> {
        let total = masks as usize;
        let mut overshoot = vec![0.0; total];
        if steps >= masks {
            return overshoot;
        }
        // P(r masks left), of which those with r ≤ k have nothing more to cost.
        let mut law = vec![0.0; total + 1];
        law[total] = 1.0;
        let mut shares = vec![(0.0, 1.0); total + 1];
        let mut below = vec![0.0; total + 1];
        for k in (2..=steps as usize).rev() {
            self.shares(k, total, &mut shares);
            // Σ g(u)(w − u)/C(w) over u < w, for w from k; not needed in the reverse order.
            below[k] = 1.0;
            for w in k..total {
                below[w + 1] = 1.0 + shares[w].0 * below[w];
            }
            // Downwards: `reach` is Σ P(r)·C(w)/C(r) over r ≥ w, `beyond` the same of P(r)(r − w).
            let (mut reach, mut beyond) = (law[total], 0.0);
            for w in (k..total).rev() {
                let (share, stop) = shares[w];
                let left = law[w];
                law[w] = stop * reach;
                beyond = share * (beyond + reach);
                if reversed {
                    overshoot[w] += beyond;
                } else {
                    overshoot[total - w] += share * reach * below[w];
                }
                reach = share * reach + if w > k { left } else { 0.0 };
            }
            law[total] = 0.0;
            law[k - 1] = reach;
        }
        // The last step reveals all.
        let (mut reach, mut beyond) = (law[total], 0.0);
        for w in (1..total).rev() {
            beyond += reach;
            if reversed {
                overshoot[w] += beyond;
            } else {
                overshoot[total - w] += w as f64 * reach;
            }
            reach += law[w];
        }
        overshoot
    }
}

fn check_counts(masks: u32, steps: u32) -> Result<(), Error> {
    shape(masks > 0, "masks", 0, "at least", 1)?;
    shape(steps > 0, "steps", 0, "at least", 1)
}

fn check_rows(masks: u32, steps: u32) -> Result<(), Error> {
    check_counts(masks, steps)?;
    let (cells, most) = (u64::from(masks) * u64::from(steps), MOST_ROW_CELLS);
    shape(cells <= most, "masks times steps", cells as usize, "at most", most as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers strictly between 0 and 1, near both ends too.
    fn uniforms() -> impl Iterator<Item = f64> {
        let inner = (0..61).map(|i| (f64::from(i) + 0.5) / 61.0);
        inner.chain([1e-17, 1e-9, 1e-4, 1.0 - 1e-4, 1.0 - 1e-9, 1.0 - f64::EPSILON / 2.0])
    }

    #[test]
    fn tiles_are_the_table() {
        for (masks, steps) in
            [(2, 2), (3, 2), (15, 9), (16, 16), (17, 5), (33, 17), (48, 47), (100, 34), (131, 140)]
        {
            let rows = MarkovSizes::tc(masks, steps).expect("a table");
            let tiles = MarkovSizes::tiled(masks, steps);
            assert!(matches!((&rows.sums, &tiles.sums), (Sums::Rows(_), Sums::Tiles(_))));
            assert_eq!(rows.constant(), tiles.constant(), "{masks} masks, {steps} steps");
            for k in 1..=steps {
                for r in 0..=masks {
                    for u in uniforms() {
                        let (a, b) = (rows.stays(r, k, u), tiles.stays(r, k, u));
                        assert_eq!(a, b, "{masks} masks, {steps} steps: {r}, {k}, {u}");
                    }
                }
            }
            for reversed in [false, true] {
                for (masks, steps) in [(masks, steps), (masks - 1, steps / 2 + 1)] {
                    let expected = rows.overshoot(masks, steps, reversed);
                    for (a, b) in tiles.overshoot(masks, steps, reversed).iter().zip(&expected) {
                        assert!((a - b).abs() <= 1e-11 * b, "{masks} in {steps}: {a}, not {b}");
                    }
                }
            }
        }
    }
}
