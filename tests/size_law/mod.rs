//! Laws on sequences whose information profiles are known in closed form, for schedules of sizes.
//!
//! The profile f(m) is the mean entropy, in nats, of one token given m others, over random sets. A
//! schedule's expected divergence follows from it alone; the conditionals let real samplers run.
//!
//! | law | made by | what it is |
//! |---|---|---|
//! | [`Mds`] | `new(length, dimension, prime)` | Reed-Solomon code: all information in the first tokens |
//! | [`LatentClass`] | `new(length, &[(weight, theta)])` | bits of one of several biased coins |
//! | [`Polya`] | `new(length, vocab, alpha)` | Pólya urn, the Dirichlet multinomial |
//! | [`Permutation`] | `new(length)` | a uniform permutation |
//! | [`FixedWeight`] | `new(length, ones)` | bits with a fixed sum |
//! | [`Blocks`] | `new(length, block, dimension, modulus)` | independent blocks of a code |
//! | [`Chain`] | `new(length, vocab, stickiness)` | sticky Markov chain |
//! | [`Ring`] | `new(length, vocab, stickiness)` | the same, closed |
//! | [`Relabelled`] | `new(law, uniform)` | any of them with the alphabet of every position shuffled |
//! | [`Enumerated`] | `new(length, vocab, &weights)`, `of(&law)` | any small law, by brute force |
//!
//! [`reference`] holds printed numbers: profiles, expected divergences, lists, and the laws of the
//! tables. Nothing here uses the library that it is a measure for, nor a test harness.

#![allow(dead_code, unused_imports, reason = "each user of this module needs another part of it")]

mod blocks;
mod chain;
mod enumerated;
mod fixed_weight;
mod latent_class;
mod mds;
mod numbers;
mod permutation;
mod polya;
pub(crate) mod reference;
mod relabelled;
mod ring;

pub(crate) use blocks::Blocks;
pub(crate) use chain::Chain;
pub(crate) use enumerated::Enumerated;
pub(crate) use fixed_weight::FixedWeight;
pub(crate) use latent_class::LatentClass;
pub(crate) use mds::Mds;
pub(crate) use permutation::Permutation;
pub(crate) use polya::Polya;
pub(crate) use relabelled::Relabelled;
pub(crate) use ring::Ring;

/// A law on sequences of `length` tokens below `vocab`.
pub(crate) trait Law: Send + Sync {
    /// A short name with its parameters.
    fn name(&self) -> String;

    fn length(&self) -> usize;

    fn vocab(&self) -> usize;

    /// f(0) to f(length − 1), in nats.
    fn profile(&self) -> Vec<f64>;

    /// Writes P(x_i = v | the revealed tokens) for every `i` in `wanted`, which are hidden, and every
    /// v below `vocab`, row by row. Contexts that cannot be get some law too.
    fn conditionals(&self, tokens: &[Option<u32>], wanted: &[usize], rows: &mut [f64]);

    /// A sample, from uniform numbers in [0, 1): token by token, unless the law knows better.
    fn sample(&self, uniform: &mut dyn FnMut() -> f64) -> Vec<u32> {
        let mut tokens = vec![None; self.length()];
        let mut row = vec![0.0; self.vocab()];
        for i in 0..self.length() {
            self.conditionals(&tokens, &[i], &mut row);
            tokens[i] = Some(draw(&row, uniform()));
        }
        tokens.into_iter().flatten().collect()
    }

    /// ln P(tokens), −∞ off the support: token by token, unless the law knows better.
    fn log_probability(&self, tokens: &[u32]) -> f64 {
        let mut revealed = vec![None; self.length()];
        let mut row = vec![0.0; self.vocab()];
        let mut sum = 0.0;
        for (i, &token) in tokens.iter().enumerate() {
            self.conditionals(&revealed, &[i], &mut row);
            sum += row[token as usize].ln();
            if sum == f64::NEG_INFINITY {
                break;
            }
            revealed[i] = Some(token);
        }
        sum
    }
}

/// The token that a uniform number below 1 means, by cumulative sums of its probabilities.
pub(crate) fn draw(probabilities: &[f64], uniform: f64) -> u32 {
    let mut rest = uniform * probabilities.iter().sum::<f64>();
    let mut last = 0;
    for (token, &p) in probabilities.iter().enumerate() {
        if p > 0.0 {
            last = token;
            if rest < p {
                break;
            }
            rest -= p;
        }
    }
    last as u32
}

/// E KL of a list of sizes for a profile, by its definition: Σ f(N) − f(N + j) over the tokens j of
/// the steps that begin at N.
pub(crate) fn expected_kl(profile: &[f64], sizes: &[usize]) -> f64 {
    let mut begin = 0;
    let mut sum = 0.0;
    for &size in sizes {
        sum += (0..size).map(|j| profile[begin] - profile[begin + j]).sum::<f64>();
        begin += size;
    }
    sum
}
