//! The sticky chain closed to a ring: the weight of a sequence is the product of the transitions
//! between all neighbours, the last and the first included.

use super::Law;
use super::chain::Sticky;
use super::numbers::{log_binomial, log_factorials};

pub(crate) struct Ring {
    length: usize,
    stickiness: f64,
    sticky: Sticky,
}

impl Ring {
    pub(crate) fn new(length: usize, vocab: usize, stickiness: f64) -> Self {
        assert!(length >= 2, "no ring");
        Self { length, stickiness, sticky: Sticky::new(vocab, stickiness, length) }
    }

    /// The probability that two tokens at distance `c` are the same.
    fn equal(&self, c: usize) -> f64 {
        let (vocab, length) = (self.sticky.vocab as f64, self.length);
        let sum = 1.0 + (vocab - 1.0) * self.stickiness.powi(length as i32);
        vocab * self.sticky.same(c) * self.sticky.same(length - c) / sum
    }
}

impl Law for Ring {
    fn name(&self) -> String {
        format!("ring V={} rho={} L={}", self.sticky.vocab, self.stickiness, self.length)
    }

    fn length(&self) -> usize {
        self.length
    }

    fn vocab(&self) -> usize {
        self.sticky.vocab
    }

    fn profile(&self) -> Vec<f64> {
        let length = self.length;
        let factorials = log_factorials(length);
        let ways = |n, k| log_binomial(&factorials, n, k);
        let two_sides: Vec<f64> = (0..length)
            .map(|c| (1..c).map(|a| self.sticky.between(a, c - a, self.equal(c))).sum::<f64>())
            .collect();
        let value = |m: usize| match m {
            0 => (self.vocab() as f64).ln(),
            // The only known token is the neighbour on both sides.
            1 => {
                let around = |a: usize| self.sticky.between(a, length - a, 1.0);
                (1..length).map(around).sum::<f64>() / (length - 1) as f64
            }
            _ => {
                let whole = ways(length - 1, m);
                let gap = |c: usize| two_sides[c] * (ways(length - 1 - c, m - 2) - whole).exp();
                (2..length).map(gap).sum()
            }
        };
        (0..length).map(value).collect()
    }

    fn conditionals(&self, tokens: &[Option<u32>], wanted: &[usize], rows: &mut [f64]) {
        let length = self.length;
        for (&i, row) in wanted.iter().zip(rows.chunks_exact_mut(self.vocab())) {
            let left = (1..length).find_map(|a| Some((a, tokens[(i + length - a) % length]?)));
            let right = (1..length).find_map(|b| Some((b, tokens[(i + b) % length]?)));
            let mut sum = 0.0;
            for (token, p) in (0..).zip(row.iter_mut()) {
                let side = |known: Option<(usize, u32)>| {
                    known.map_or(1.0, |(distance, at)| self.sticky.entry(distance, at, token))
                };
                *p = side(left) * side(right);
                sum += *p;
            }
            for p in row {
                *p /= sum;
            }
        }
    }
}
