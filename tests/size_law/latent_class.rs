//! Bits that are independent given a hidden class. The dual total correlation is at most the entropy
//! of the class.

use super::Law;
use super::numbers::{bit_entropy, log_binomial, log_factorials};

pub(crate) struct LatentClass {
    length: usize,
    /// Weights, which sum to 1, and the probability of a 1.
    classes: Vec<(f64, f64)>,
}

impl LatentClass {
    pub(crate) fn new(length: usize, classes: &[(f64, f64)]) -> Self {
        let weight: f64 = classes.iter().map(|class| class.0).sum();
        assert!((weight - 1.0).abs() < 1e-12, "weights sum to {weight}");
        assert!(classes.iter().all(|&(w, theta)| w > 0.0 && theta > 0.0 && theta < 1.0));
        Self { length, classes: classes.to_vec() }
    }

    /// One fair bit, repeated with errors of probability `error`.
    pub(crate) fn noisy_bit(length: usize, error: f64) -> Self {
        Self::new(length, &[(0.5, error), (0.5, 1.0 - error)])
    }

    /// ln of the probability of some `ones` among `revealed` tokens, in one order, and the
    /// probability that the next is 1.
    fn after(&self, revealed: usize, ones: usize) -> (f64, f64) {
        let log = |&(weight, theta): &(f64, f64)| {
            weight.ln() + ones as f64 * theta.ln() + (revealed - ones) as f64 * (-theta).ln_1p()
        };
        let logs: Vec<f64> = self.classes.iter().map(log).collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let masses = logs.iter().map(|log| (log - most).exp());
        let (mut sum, mut of_ones) = (0.0, 0.0);
        for (mass, &(_, theta)) in masses.zip(&self.classes) {
            sum += mass;
            of_ones += mass * theta;
        }
        (most + sum.ln(), of_ones / sum)
    }
}

impl Law for LatentClass {
    fn name(&self) -> String {
        let classes: Vec<String> =
            self.classes.iter().map(|(weight, theta)| format!("{weight}:{theta}")).collect();
        format!("latent class {} L={}", classes.join(" "), self.length)
    }

    fn length(&self) -> usize {
        self.length
    }

    fn vocab(&self) -> usize {
        2
    }

    fn profile(&self) -> Vec<f64> {
        let factorials = log_factorials(self.length);
        let value = |m: usize| {
            let term = |ones: usize| {
                let (log, next) = self.after(m, ones);
                (log_binomial(&factorials, m, ones) + log).exp() * bit_entropy(next)
            };
            (0..=m).map(term).sum()
        };
        (0..self.length).map(value).collect()
    }

    fn conditionals(&self, tokens: &[Option<u32>], wanted: &[usize], rows: &mut [f64]) {
        let revealed = tokens.iter().flatten();
        let ones = revealed.clone().filter(|&&token| token == 1).count();
        let (_, next) = self.after(revealed.count(), ones);
        for row in rows.chunks_exact_mut(2).take(wanted.len()) {
            row.copy_from_slice(&[1.0 - next, next]);
        }
    }
}
