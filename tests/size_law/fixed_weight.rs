//! Bits with a fixed number of ones.

use super::Law;
use super::numbers::{bit_entropy, log_binomial, log_factorials};

pub(crate) struct FixedWeight {
    length: usize,
    ones: usize,
}

impl FixedWeight {
    pub(crate) fn new(length: usize, ones: usize) -> Self {
        assert!(ones <= length, "more ones than bits");
        Self { length, ones }
    }

    /// The probability of a one after `seen` ones among `revealed` bits; within 0 and 1 off the
    /// support too.
    fn next(&self, revealed: usize, seen: usize) -> f64 {
        let left = self.ones as f64 - seen as f64;
        (left / (self.length - revealed) as f64).clamp(0.0, 1.0)
    }
}

impl Law for FixedWeight {
    fn name(&self) -> String {
        format!("weight {} of {}", self.ones, self.length)
    }

    fn length(&self) -> usize {
        self.length
    }

    fn vocab(&self) -> usize {
        2
    }

    fn profile(&self) -> Vec<f64> {
        let factorials = log_factorials(self.length);
        let ways = |n, k| log_binomial(&factorials, n, k);
        let (length, ones) = (self.length, self.ones);
        let value = |m: usize| {
            let term = |seen: usize| {
                if m - seen > length - ones {
                    return 0.0;
                }
                let log = ways(ones, seen) + ways(length - ones, m - seen) - ways(length, m);
                log.exp() * bit_entropy(self.next(m, seen))
            };
            (0..=m.min(ones)).map(term).sum()
        };
        (0..length).map(value).collect()
    }

    fn conditionals(&self, tokens: &[Option<u32>], wanted: &[usize], rows: &mut [f64]) {
        let revealed = tokens.iter().flatten();
        let seen = revealed.clone().filter(|&&token| token == 1).count();
        let next = self.next(revealed.count(), seen);
        for row in rows.chunks_exact_mut(2).take(wanted.len()) {
            row.copy_from_slice(&[1.0 - next, next]);
        }
    }
}
