//! Pólya's urn, the Dirichlet multinomial: tokens that were seen become likelier.

use super::Law;
use super::numbers::{entropy_term, log_binomial, log_factorials, log_rising};

pub(crate) struct Polya {
    length: usize,
    vocab: usize,
    alpha: f64,
}

impl Polya {
    /// At least 2 tokens, each with weight `alpha`, above 0, at first.
    pub(crate) fn new(length: usize, vocab: usize, alpha: f64) -> Self {
        assert!(vocab >= 2 && alpha > 0.0, "no such urn");
        Self { length, vocab, alpha }
    }

    fn weight(&self) -> f64 {
        self.vocab as f64 * self.alpha
    }
}

impl Law for Polya {
    fn name(&self) -> String {
        format!("Polya V={} alpha={} L={}", self.vocab, self.alpha, self.length)
    }

    fn length(&self) -> usize {
        self.length
    }

    fn vocab(&self) -> usize {
        self.vocab
    }

    fn profile(&self) -> Vec<f64> {
        let whole = self.weight();
        let factorials = log_factorials(self.length);
        let [own, others, all] =
            [self.alpha, whole - self.alpha, whole].map(|a| log_rising(a, self.length));
        let value = |m: usize| {
            let term = |seen: usize| {
                let log =
                    log_binomial(&factorials, m, seen) + own[seen] + others[m - seen] - all[m];
                let next = (self.alpha + seen as f64) / (whole + m as f64);
                log.exp() * entropy_term(next)
            };
            self.vocab as f64 * (0..=m).map(term).sum::<f64>()
        };
        (0..self.length).map(value).collect()
    }

    fn conditionals(&self, tokens: &[Option<u32>], wanted: &[usize], rows: &mut [f64]) {
        let mut next = vec![self.alpha; self.vocab];
        let mut sum = self.weight();
        for &token in tokens.iter().flatten() {
            next[token as usize] += 1.0;
            sum += 1.0;
        }
        for weight in &mut next {
            *weight /= sum;
        }
        for row in rows.chunks_exact_mut(self.vocab).take(wanted.len()) {
            row.copy_from_slice(&next);
        }
    }
}
