//! A sticky Markov chain: a token stays with some probability, else it is drawn anew, uniformly.

use super::Law;
use super::numbers::{entropy_term, log_binomial, log_factorials};

/// The powers of the transition matrix: its diagonal and its other entries.
pub(super) struct Sticky {
    pub(super) vocab: usize,
    powers: Vec<(f64, f64)>,
}

impl Sticky {
    /// Of powers 0 to `most`.
    pub(super) fn new(vocab: usize, stickiness: f64, most: usize) -> Self {
        assert!(vocab >= 2 && (0.0..1.0).contains(&stickiness), "no such chain");
        let share = (vocab as f64).recip();
        let power = |n: usize| {
            let stays = stickiness.powi(n as i32);
            (stays + (1.0 - stays) * share, (1.0 - stays) * share)
        };
        Self { vocab, powers: (0..=most).map(power).collect() }
    }

    /// The diagonal of a power.
    pub(super) fn same(&self, n: usize) -> f64 {
        self.powers[n].0
    }

    /// An entry of a power.
    pub(super) fn entry(&self, n: usize, from: u32, to: u32) -> f64 {
        let (same, other) = self.powers[n];
        if from == to { same } else { other }
    }

    /// The entropy of a token at distance `a` of one that is known.
    pub(super) fn one_side(&self, a: usize) -> f64 {
        let (same, other) = self.powers[a];
        entropy_term(same) + (self.vocab - 1) as f64 * entropy_term(other)
    }

    /// The entropy of a token between two that are known, at distances `a` and `b`, which are the same
    /// with probability `equal`.
    pub(super) fn between(&self, a: usize, b: usize, equal: f64) -> f64 {
        let ((same_a, other_a), (same_b, other_b)) = (self.powers[a], self.powers[b]);
        let entropy = |terms: [(f64, f64); 3]| {
            let sum: f64 = terms.iter().map(|(mass, count)| mass * count).sum();
            terms.iter().map(|(mass, count)| count * entropy_term(mass / sum)).sum::<f64>()
        };
        let vocab = self.vocab as f64;
        let neither = other_a * other_b;
        let alike = [(same_a * same_b, 1.0), (neither, vocab - 1.0), (0.0, 0.0)];
        let unlike = [(same_a * other_b, 1.0), (other_a * same_b, 1.0), (neither, vocab - 2.0)];
        let mut sum = equal * entropy(alike);
        if equal < 1.0 {
            sum += (1.0 - equal) * entropy(unlike);
        }
        sum
    }
}

pub(crate) struct Chain {
    length: usize,
    stickiness: f64,
    sticky: Sticky,
}

impl Chain {
    pub(crate) fn new(length: usize, vocab: usize, stickiness: f64) -> Self {
        Self { length, stickiness, sticky: Sticky::new(vocab, stickiness, length) }
    }
}

impl Law for Chain {
    fn name(&self) -> String {
        format!("Markov V={} rho={} L={}", self.sticky.vocab, self.stickiness, self.length)
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
        // Summed over the places between two known ones that are c apart.
        let two_sides: Vec<f64> = (0..length)
            .map(|c| {
                (1..c).map(|a| self.sticky.between(a, c - a, self.sticky.same(c))).sum::<f64>()
            })
            .collect();
        let mut one_side = vec![0.0; length];
        for a in 1..length {
            one_side[a] = one_side[a - 1] + self.sticky.one_side(a);
        }
        let value = |m: usize| {
            if m == 0 {
                return (self.vocab() as f64).ln();
            }
            let whole = ways(length - 1, m);
            let inner = |c: usize| {
                let log = ways(length - 1 - c, m - 2) - whole;
                (length - c) as f64 * two_sides[c] * log.exp()
            };
            let inner: f64 = if m >= 2 { (2..length).map(inner).sum() } else { 0.0 };
            // All known ones are on one side, j places beyond the nearest one.
            let outer = |j: usize| (ways(j, m - 1) - whole).exp() * one_side[length - 1 - j];
            let outer: f64 = (m - 1..length - 1).map(outer).sum();
            (inner + 2.0 * outer) / length as f64
        };
        (0..length).map(value).collect()
    }

    fn conditionals(&self, tokens: &[Option<u32>], wanted: &[usize], rows: &mut [f64]) {
        for (&i, row) in wanted.iter().zip(rows.chunks_exact_mut(self.vocab())) {
            let left = (0..i).rev().find_map(|j| Some((i - j, tokens[j]?)));
            let right = (i + 1..self.length).find_map(|j| Some((j - i, tokens[j]?)));
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
