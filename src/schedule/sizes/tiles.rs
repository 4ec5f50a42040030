//! A table of Markov sizes too large to keep: only the edges of tiles of 16 × 16 cells are, and what
//! lies in between is made again where it is needed, to the same bits.
//!
//! A cell of the recursion needs its neighbours below and to the left, so a tile follows from its
//! lowest row and its first column.

use super::markov::{cell, first_row, next_row};
use core::ops::ControlFlow;
use libm::{exp, log};

/// The width and height of a tile.
const TILE: usize = 16;

#[derive(Clone, PartialEq)]
pub(super) struct Tiles {
    masks: usize,
    /// v_k(0) to v_k(masks) for k = 1, 17, 33, …
    rows: Vec<f64>,
    /// v_k(u) for u = 0, 16, 32, …, for every k from 1.
    columns: Vec<f64>,
    /// ln C_k(u) for the same u, for every k from 2; −∞ for u below k.
    sums: Vec<f64>,
}

impl Tiles {
    /// The rows up to `last`, and v(masks) in that one.
    pub(super) fn new(masks: usize, last: usize) -> (Self, f64) {
        let width = masks / TILE + 1;
        let mut below = first_row(masks);
        let mut row = vec![0.0; masks + 1];
        let height = last.saturating_sub(2) / TILE + 1;
        let mut rows = Vec::with_capacity(height * (masks + 1));
        let mut columns = Vec::with_capacity(last * width);
        let mut sums = vec![f64::NEG_INFINITY; last.saturating_sub(1) * width];
        rows.extend_from_slice(&below);
        columns.extend(below.iter().step_by(TILE));
        for k in 2..=last {
            let sums = &mut sums[(k - 2) * width..][..width];
            if k.is_multiple_of(TILE) && k <= masks {
                sums[k / TILE] = 0.0;
            }
            let (mut sum, mut growth) = (0.0, (1.0, 1.0));
            next_row(
                k,
                |u| below[u],
                &mut row,
                |u, numerator, denominator| {
                    growth = (growth.0 * numerator, growth.1 * denominator);
                    if (u + 1).is_multiple_of(TILE) {
                        sum += log(growth.0 / growth.1);
                        sums[(u + 1) / TILE] = sum;
                        growth = (1.0, 1.0);
                    }
                },
            );
            core::mem::swap(&mut below, &mut row);
            if (k - 1).is_multiple_of(TILE) && k < last {
                rows.extend_from_slice(&below);
            }
            columns.extend(below.iter().step_by(TILE));
        }
        (Self { masks, rows, columns, sums }, below[masks])
    }

    fn width(&self) -> usize {
        self.masks / TILE + 1
    }

    /// ln C_k at the first column of each block of columns.
    fn sums(&self, k: usize) -> &[f64] {
        let width = self.width();
        &self.sums[(k - 2) * width..][..width]
    }

    /// Hands over C_k(u + 1)/C_k(u), as a fraction, for the u of block `block` from k on.
    fn walk(
        &self,
        k: usize,
        block: usize,
        mut visit: impl FnMut(usize, f64, f64) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let first = block * TILE;
        let count = TILE.min(self.masks - first);
        // The lowest row of the tile that k − 1 lies in.
        let base = (k - 2) / TILE;
        let at = base * (self.masks + 1) + first;
        let mut values = [0.0; TILE];
        values[..count].copy_from_slice(&self.rows[at..at + count]);
        for j in base * TILE + 2..=k {
            let mut y = self.columns[(j - 1) * self.width() + block];
            for (u, value) in (first..first + count).zip(&mut values) {
                let z = core::mem::replace(value, y);
                if u < j {
                    y = 0.0;
                    continue;
                }
                let (next, numerator, denominator) = cell(u, y, z);
                if j == k {
                    visit(u, numerator, denominator)?;
                }
                y = next;
            }
        }
        ControlFlow::Continue(())
    }

    /// The growth of C_k for u from k to before `masks`.
    pub(super) fn growth(&self, k: usize, masks: usize, mut visit: impl FnMut(usize, f64, f64)) {
        for block in k / TILE..masks.div_ceil(TILE) {
            let _ = self.walk(k, block, |u, numerator, denominator| {
                if u >= masks {
                    return ControlFlow::Break(());
                }
                visit(u, numerator, denominator);
                ControlFlow::Continue(())
            });
        }
    }

    /// Where the sums of a block start: at its first column, or at k with C_k(k) = 1.
    fn start(&self, k: usize, block: usize) -> f64 {
        let sum = self.sums(k)[block];
        if sum == f64::NEG_INFINITY { 0.0 } else { sum }
    }

    /// The smallest w with C_k(w + 1) > u·C_k(r), for k < r.
    pub(super) fn stays(&self, k: usize, r: usize, u: f64) -> usize {
        let block = r / TILE;
        let mut growth = 1.0;
        let _ = self.walk(k, block, |w, numerator, denominator| {
            if w >= r {
                return ControlFlow::Break(());
            }
            growth *= numerator / denominator;
            ControlFlow::Continue(())
        });
        let target = log(u) + self.start(k, block) + log(growth);
        let blocks = self.sums(k)[..=block].partition_point(|&sum| sum <= target);
        // Below k the sums are −∞, and the one of the block of k may stand for C_k(k) = 1.
        let block = blocks.saturating_sub(1).max(k / TILE);
        let above = exp(target - self.start(k, block));
        if block == k / TILE && above < 1.0 {
            return k - 1;
        }
        let (mut growth, mut found) = (1.0, k.max(block * TILE));
        let _ = self.walk(k, block, |w, numerator, denominator| {
            growth *= numerator / denominator;
            found = w;
            if growth > above { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found.min(r - 1)
    }
}
