//! How far the law of a row is from that of another.

use super::Temperature;
use super::blocks::{Blocks, VECTORS, load, sum_lanes, tree};
use super::element::Element;
use super::envelope::Cells;
use super::masses::least_weighty;
use super::row::Row;
use super::row_sums::RUN;
use crate::lanes::math::fast_weight;
use crate::lanes::{Kernel, Lanes};

/// The divergence of a good row from another row, which may be bad.
pub(super) struct Compare<'a, E> {
    pub(super) row: &'a Row<'a, E>,
    pub(super) max: f32,
    pub(super) other: &'a [E],
    pub(super) temperature: Temperature,
    pub(super) cells: &'a mut Cells,
}

impl<E: Element> Kernel for Compare<'_, E> {
    type Output = f64;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> f64 {
        let Self { row, max, other, temperature, cells } = self;
        let other = Row::new(other, row.excluded);
        let (other_max, nan) = other.maxima(s, cells.maxima(other.vectors()));
        if nan || !other_max.is_finite() {
            return f64::NAN;
        }
        let (excluded, maxima) = (row.excluded, [max, other_max]);
        let (row, other) = (row.logits, other.logits);
        Divergence { row, other, excluded, maxima, temperature }.run(s)
    }
}

/// Σ p ln(p/q) of two good rows with their largest logits.
struct Divergence<'a, E> {
    row: &'a [E],
    other: &'a [E],
    excluded: usize,
    maxima: [f32; 2],
    temperature: Temperature,
}

impl<E: Element> Kernel for Divergence<'_, E> {
    type Output = f64;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> f64 {
        let Self { row, other, excluded, maxima, temperature } = self;
        let (x_max, y_max) = (temperature.reference(maxima[0]), temperature.reference(maxima[1]));
        let x_least = s.splat(least_weighty(x_max, temperature));
        let y_least = s.splat(least_weighty(y_max, temperature));
        let (x_max, y_max) = (s.splat(x_max), s.splat(y_max));
        let (mut row, mut other) = (Blocks::new(row), Blocks::new(other));
        row.leave_out(excluded);
        other.leave_out(excluded);
        let zero = s.splat(0.0);
        let mut lacking = s.no_lane();
        // Σ p, Σ q, and Σ p·((z − max) − (z' − max')) in units of their own weights.
        let mut totals = [0.0; 3];
        for run in (0..row.count()).step_by(RUN) {
            let mut sums = [zero; 3];
            for block in run..row.count().min(run + RUN) {
                let (mut p, mut q, mut gap) = ([zero; VECTORS], [zero; VECTORS], [zero; VECTORS]);
                let (x, y) = (load(s, row.get(block)), load(s, other.get(block)));
                for k in 0..VECTORS {
                    let (x_out, y_out) = (s.greater(x_least, x[k]), s.greater(y_least, y[k]));
                    let x_below = s.select(x_out, zero, s.sub(x[k], x_max));
                    let y_below = s.sub(y[k], y_max);
                    p[k] = s.select(x_out, zero, fast_weight(s, x_below, temperature));
                    let y_clean = s.select(y_out, zero, y_below);
                    q[k] = s.select(y_out, zero, fast_weight(s, y_clean, temperature));
                    // A token without weight in q may still have a logit there.
                    let banned = s.equal(y[k], s.splat(f32::NEG_INFINITY));
                    gap[k] = s.mul(p[k], s.sub(x_below, s.select(banned, zero, y_below)));
                    lacking = s.or(lacking, s.greater(s.select(banned, p[k], zero), zero));
                }
                sums[0] = s.add(sums[0], tree(s, p));
                sums[1] = s.add(sums[1], tree(s, q));
                sums[2] = s.add(sums[2], tree(s, gap));
            }
            for k in 0..3 {
                totals[k] += sum_lanes(s, sums[k]);
            }
        }
        if s.any(lacking) {
            return f64::INFINITY;
        }
        let [p, q, gap] = totals;
        let tilt = if temperature.inverse == 0.0 { 0.0 } else { gap * temperature.inverse };
        (tilt / p + libm::log(q / p)).max(0.0)
    }
}
