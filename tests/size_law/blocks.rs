//! Independent blocks of a code of which any `dimension` tokens are independent and say all others:
//! copies, parity, or Reed-Solomon. Total and dual total correlation both grow with the length.

use super::numbers::{log_binomial, log_factorials};
use super::{Law, Mds};

pub(crate) struct Blocks {
    length: usize,
    block: usize,
    dimension: usize,
    modulus: usize,
    code: Code,
}

enum Code {
    /// All tokens of a block are the same.
    Copies,
    /// They sum to 0.
    Parity,
    Polynomial(Mds),
}

impl Blocks {
    /// Blocks of `block` tokens below `modulus`. Dimension 1 is copies, `block − 1` is parity, for any
    /// modulus; others need a prime of at least `block`.
    pub(crate) fn new(length: usize, block: usize, dimension: usize, modulus: usize) -> Self {
        assert!(length.is_multiple_of(block) && block >= 2, "blocks do not fit");
        let code = match dimension {
            1 => Code::Copies,
            _ if dimension == block - 1 => Code::Parity,
            _ => Code::Polynomial(Mds::new(block, dimension, modulus as u64)),
        };
        Self { length, block, dimension, modulus, code }
    }
}

impl Law for Blocks {
    fn name(&self) -> String {
        let Self { length, block, dimension, modulus, .. } = self;
        let blocks = length / block;
        match self.code {
            Code::Copies => format!("{blocks} x repetition[{block}]_{modulus}"),
            Code::Parity => format!("{blocks} x parity[{block}]_{modulus}"),
            Code::Polynomial(_) => format!("{blocks} x RS[{block},{dimension}]_{modulus}"),
        }
    }

    fn length(&self) -> usize {
        self.length
    }

    fn vocab(&self) -> usize {
        self.modulus
    }

    fn profile(&self) -> Vec<f64> {
        let (length, block) = (self.length, self.block);
        let factorials = log_factorials(length);
        let ways = |n, k| log_binomial(&factorials, n, k);
        let entropy = (self.modulus as f64).ln();
        let value = |m: usize| {
            // Of a token whose block has `known` revealed tokens, below the dimension.
            let term = |known: usize| {
                let log = ways(block - 1, known) + ways(length - block, m - known);
                (log - ways(length - 1, m)).exp()
            };
            entropy * (0..self.dimension.min(m + 1)).map(term).sum::<f64>()
        };
        (0..length).map(value).collect()
    }

    fn conditionals(&self, tokens: &[Option<u32>], wanted: &[usize], rows: &mut [f64]) {
        for (&i, row) in wanted.iter().zip(rows.chunks_exact_mut(self.modulus)) {
            let first = i / self.block * self.block;
            let block = tokens[first..first + self.block].iter().enumerate();
            let known: Vec<(usize, u32)> =
                block.filter_map(|(i, token)| Some((i, (*token)?))).take(self.dimension).collect();
            if known.len() < self.dimension {
                row.fill(1.0 / self.modulus as f64);
                continue;
            }
            let value = match &self.code {
                Code::Copies => known[0].1 as usize,
                Code::Parity => {
                    let sum: usize = known.iter().map(|&(_, token)| token as usize).sum();
                    (self.modulus - sum % self.modulus) % self.modulus
                }
                Code::Polynomial(code) => code.interpolate(&known, &[i - first])[0] as usize,
            };
            row.fill(0.0);
            row[value] = 1.0;
        }
    }
}
