//! Any law on few short sequences, by adding up: what the closed forms are checked against.

use super::Law;
use super::numbers::entropy_term;

pub(crate) struct Enumerated {
    length: usize,
    vocab: usize,
    /// The probability of every sequence, the first token the lowest digit.
    law: Vec<f64>,
}

impl Enumerated {
    /// Of these weights of all `vocab`^`length` sequences, the first token the lowest digit.
    pub(crate) fn new(length: usize, vocab: usize, weights: &[f64]) -> Self {
        assert_eq!(weights.len(), vocab.pow(length as u32), "a weight for every sequence");
        let sum: f64 = weights.iter().sum();
        Self { length, vocab, law: weights.iter().map(|weight| weight / sum).collect() }
    }

    /// Of another law, by its probabilities.
    pub(crate) fn of(law: &dyn Law) -> Self {
        let (length, vocab) = (law.length(), law.vocab());
        let probability = |code| law.log_probability(&tokens(code, length, vocab)).exp();
        let weights: Vec<f64> = (0..vocab.pow(length as u32)).map(probability).collect();
        let sum: f64 = weights.iter().sum();
        assert!((sum - 1.0).abs() < 1e-9, "{}: probabilities sum to {sum}", law.name());
        Self::new(length, vocab, &weights)
    }

    /// The probability of every sequence, the first token the lowest digit.
    pub(crate) fn probabilities(&self) -> &[f64] {
        &self.law
    }

    /// The joint entropy of the positions whose bit is set in `set`.
    fn entropy(&self, set: usize) -> f64 {
        self.marginal(set).into_iter().map(entropy_term).sum()
    }

    /// The law of the tokens in a set, 0 elsewhere.
    fn marginal(&self, set: usize) -> Vec<f64> {
        let mut sums = vec![0.0; self.law.len()];
        for (code, &p) in self.law.iter().enumerate() {
            sums[self.masked(code, set)] += p;
        }
        sums
    }

    /// The sequence with 0 outside of a set.
    fn masked(&self, code: usize, set: usize) -> usize {
        let (mut rest, mut place, mut masked) = (code, 1, 0);
        for i in 0..self.length {
            masked += if set >> i & 1 == 1 { rest % self.vocab * place } else { 0 };
            rest /= self.vocab;
            place *= self.vocab;
        }
        masked
    }

    /// Of each sequence, the probability that a sampler with exact conditionals draws it if it reveals
    /// these sets of positions, one after the other, tokens of a set independently.
    pub(crate) fn by_partition(&self, sets: &[usize]) -> Vec<f64> {
        let mut drawn = vec![1.0; self.law.len()];
        let mut known = 0;
        for &set in sets {
            let context = self.marginal(known);
            for i in (0..self.length).filter(|i| set >> i & 1 == 1) {
                let with = self.marginal(known | 1 << i);
                for (code, p) in drawn.iter_mut().enumerate() {
                    let of_context = context[self.masked(code, known)];
                    let of_both = with[self.masked(code, known | 1 << i)];
                    *p *= if of_context > 0.0 { of_both / of_context } else { 0.0 };
                }
            }
            known |= set;
        }
        drawn
    }

    /// KL(law || other), in nats.
    pub(crate) fn divergence(&self, other: &[f64]) -> f64 {
        let terms = self.law.iter().zip(other).filter(|(p, _)| **p > 0.0);
        terms.map(|(p, q)| p * (p / q).ln()).sum()
    }

    /// E KL of a list of sizes, the mean over all partitions, and KL of the mixture of what they draw.
    pub(crate) fn expected_kl(&self, sizes: &[usize]) -> (f64, f64) {
        let partitions = partitions((1 << self.length) - 1, sizes);
        let (mut sum, mut mixture) = (0.0, vec![0.0; self.law.len()]);
        for sets in &partitions {
            let drawn = self.by_partition(sets);
            sum += self.divergence(&drawn);
            for (total, p) in mixture.iter_mut().zip(drawn) {
                *total += p / partitions.len() as f64;
            }
        }
        (sum / partitions.len() as f64, self.divergence(&mixture))
    }
}

/// All ways to cut a set into parts of these sizes, in order.
fn partitions(set: usize, sizes: &[usize]) -> Vec<Vec<usize>> {
    let Some((&size, rest)) = sizes.split_first() else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for part in (0..=set).filter(|part| part & !set == 0 && part.count_ones() as usize == size) {
        for tail in partitions(set & !part, rest) {
            all.push([vec![part], tail].concat());
        }
    }
    all
}

/// The tokens of a sequence.
fn tokens(code: usize, length: usize, vocab: usize) -> Vec<u32> {
    (0..length as u32).map(|i| (code / vocab.pow(i) % vocab) as u32).collect()
}

impl Law for Enumerated {
    fn name(&self) -> String {
        format!("enumerated V={} L={}", self.vocab, self.length)
    }

    fn length(&self) -> usize {
        self.length
    }

    fn vocab(&self) -> usize {
        self.vocab
    }

    fn profile(&self) -> Vec<f64> {
        let mut means = vec![0.0; self.length + 1];
        let mut counts = vec![0.0; self.length + 1];
        for set in 0..1usize << self.length {
            let size = set.count_ones() as usize;
            means[size] += self.entropy(set);
            counts[size] += 1.0;
        }
        for (mean, count) in means.iter_mut().zip(counts) {
            *mean /= count;
        }
        means.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    fn conditionals(&self, known: &[Option<u32>], wanted: &[usize], rows: &mut [f64]) {
        let set: usize = known
            .iter()
            .enumerate()
            .filter(|(_, token)| token.is_some())
            .map(|(i, _)| 1 << i)
            .sum();
        let place = |i: usize| self.vocab.pow(i as u32);
        let of_known = known.iter().enumerate();
        let context: usize =
            of_known.map(|(i, token)| token.unwrap_or(0) as usize * place(i)).sum();
        for (&i, row) in wanted.iter().zip(rows.chunks_exact_mut(self.vocab)) {
            let with = self.marginal(set | 1 << i);
            for (token, p) in row.iter_mut().enumerate() {
                *p = with[context + token * place(i)];
            }
            let sum: f64 = row.iter().sum();
            for p in row.iter_mut() {
                *p = if sum > 0.0 { *p / sum } else { 1.0 / self.vocab as f64 };
            }
        }
    }

    fn log_probability(&self, tokens: &[u32]) -> f64 {
        let code = tokens.iter().rev().fold(0, |code, &token| code * self.vocab + token as usize);
        self.law[code].ln()
    }
}
