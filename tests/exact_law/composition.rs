//! In what groups positions are revealed, how likely that is, and what comes out of it.

use super::target::{Denoiser, Space, binomial};

/// A set of partial sums; see the module's page. Bit j − 1: j positions are revealed at some time.
type Sums = usize;

/// How many positions are revealed in the end: the largest partial sum.
fn revealed(sums: Sums) -> usize {
    (usize::BITS - sums.leading_zeros()) as usize
}

/// `sums`, followed by a group of `size` more positions.
fn extended(sums: Sums, size: usize) -> Sums {
    if size == 0 { sums } else { sums | 1 << (revealed(sums) + size - 1) }
}

/// `sums` without its last group, and the size of that. `sums` is not empty.
fn last_group(sums: Sums) -> (Sums, usize) {
    let before = sums & !(1 << (revealed(sums) - 1));
    (before, revealed(sums) - revealed(before))
}

/// The probability of every way in which a sampler reveals positions, by partial sums.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    len: usize,
    weight: Vec<f64>,
}

impl Weights {
    /// A sampler of `len` positions whose k-th step reveals every position that is still masked
    /// with probability `reveal[k]`, independently.
    pub(crate) fn independent(len: usize, reveal: &[f64]) -> Self {
        let mut weight = vec![0.0; 1 << len];
        weight[0] = 1.0;
        for &p in reveal {
            // Downwards, so that what a step adds is not moved by the same step.
            for sums in (0..1 << len).rev() {
                let (here, masks) = (weight[sums], len - revealed(sums));
                if here == 0.0 || masks == 0 {
                    continue;
                }
                weight[sums] = 0.0;
                for size in 0..=masks {
                    let stay = (1.0 - p).powi((masks - size) as i32);
                    let share = binomial(masks, size) * p.powi(size as i32) * stay;
                    weight[extended(sums, size)] += here * share;
                }
            }
        }
        Self { len, weight }
    }

    /// A sampler that reveals groups of fixed sizes.
    pub(crate) fn sizes(len: usize, sizes: &[usize]) -> Self {
        let mut weight = vec![0.0; 1 << len];
        weight[sizes.iter().fold(0, |sums, &size| extended(sums, size))] = 1.0;
        Self { len, weight }
    }

    /// The probability that something is still masked at the end.
    pub(crate) fn leftover(&self) -> f64 {
        self.weight[..1 << (self.len - 1)].iter().sum()
    }

    /// The probability that some step reveals two positions or more.
    pub(crate) fn collision(&self) -> f64 {
        let collides = |sums: Sums| sums.count_ones() as usize != revealed(sums);
        (0..1 << self.len).filter(|&sums| collides(sums)).map(|sums| self.weight[sums]).sum()
    }

    /// The expected value of `f`, which is given the sizes of the groups in order.
    pub(crate) fn expectation(&self, f: impl Fn(&[usize]) -> f64) -> f64 {
        let term = |(sums, &weight): (Sums, &f64)| {
            let mut sizes = Vec::new();
            let mut rest = sums;
            while rest != 0 {
                let (before, size) = last_group(rest);
                sizes.push(size);
                rest = before;
            }
            sizes.reverse();
            weight * f(&sizes)
        };
        self.weight.iter().enumerate().filter(|(_, weight)| **weight > 0.0).map(term).sum()
    }
}

/// What becomes of positions that are still masked after the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// They stay masked, which counts as one more outcome.
    Masked,
    /// One more call reveals them all, their tokens drawn.
    Sampled,
    /// One more call reveals them all, each with its most likely token.
    MostLikely,
}

/// How a group's tokens come from the denoiser's prediction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    Sampled,
    MostLikely,
}

/// For every way to reveal positions, the law of the state that it leads to.
#[derive(Clone, Debug)]
pub(crate) struct CompositionLaws<'a, D> {
    denoiser: &'a D,
    /// By partial sums, then by state.
    laws: Vec<Vec<f64>>,
}

impl<'a, D: Denoiser> CompositionLaws<'a, D> {
    pub(crate) fn new(denoiser: &'a D) -> Self {
        let space = denoiser.space();
        let mut laws = vec![all_masked(space)];
        for sums in 1..1 << space.len {
            let (before, size) = last_group(sums);
            laws.push(reveal(denoiser, &laws[before], size, Choice::Sampled));
        }
        Self { denoiser, laws }
    }

    /// The law of a sampler's output: the probability of each sequence, and a last entry, that
    /// something is still masked.
    pub(crate) fn output(&self, weights: &Weights, leftover: Leftover) -> Vec<f64> {
        let space = self.denoiser.space();
        let mut law = vec![0.0; space.sequences() + 1];
        for (sums, &weight) in weights.weight.iter().enumerate().filter(|(_, w)| **w > 0.0) {
            let masks = space.len - revealed(sums);
            let finished = match leftover {
                _ if masks == 0 => &self.laws[sums],
                Leftover::Masked => &self.laws[sums],
                Leftover::Sampled => &self.laws[extended(sums, masks)],
                Leftover::MostLikely => {
                    &reveal(self.denoiser, &self.laws[sums], masks, Choice::MostLikely)
                }
            };
            add_output(space, finished, weight, &mut law);
        }
        law
    }
}

/// The law of the output if groups of fixed sizes are revealed: as from [`CompositionLaws`], for
/// one composition and without the table of all.
pub(crate) fn law_of_sizes<D: Denoiser>(denoiser: &D, sizes: &[usize]) -> Vec<f64> {
    let space = denoiser.space();
    let end = sizes
        .iter()
        .fold(all_masked(space), |law, &size| reveal(denoiser, &law, size, Choice::Sampled));
    let mut law = vec![0.0; space.sequences() + 1];
    add_output(space, &end, 1.0, &mut law);
    law
}

fn all_masked(space: Space) -> Vec<f64> {
    let mut law = vec![0.0; space.states()];
    law[space.all_masked()] = 1.0;
    law
}

/// Adds `weight` times a law of states to a law of outputs.
fn add_output(space: Space, states: &[f64], weight: f64, law: &mut [f64]) {
    for (state, &probability) in states.iter().enumerate().filter(|(_, p)| **p > 0.0) {
        law[space.sequence(state).unwrap_or(space.sequences())] += weight * probability;
    }
}

/// The law after `size` masked positions are revealed: each subset of that size with the same
/// probability, its tokens independent given the state before.
fn reveal<D: Denoiser>(denoiser: &D, before: &[f64], size: usize, choice: Choice) -> Vec<f64> {
    let space = denoiser.space();
    let mut after = vec![0.0; before.len()];
    let mut predictions = vec![vec![0.0; space.vocab]; space.len];
    for (state, &probability) in before.iter().enumerate().filter(|(_, p)| **p > 0.0) {
        let masked: Vec<usize> = space.masked(state).collect();
        for &position in &masked {
            let prediction = &mut predictions[position];
            denoiser.predict(state, position, prediction);
            if choice == Choice::MostLikely {
                put_all_on_most_likely(prediction);
            }
        }
        let each = probability / binomial(masked.len(), size);
        for subset in (0..1usize << masked.len()).filter(|s| s.count_ones() as usize == size) {
            let chosen = (0..masked.len()).filter(|i| subset >> i & 1 == 1).map(|i| masked[i]);
            let chosen: Vec<usize> = chosen.collect();
            add_tokens(space, &predictions, &chosen, state, each, &mut after);
        }
    }
    after
}

/// Adds `weight` to `after`, spread over all tokens at the `chosen` positions of `state`.
fn add_tokens(
    space: Space,
    predictions: &[Vec<f64>],
    chosen: &[usize],
    state: usize,
    weight: f64,
    after: &mut [f64],
) {
    let Some((&position, rest)) = chosen.split_first() else {
        after[state] += weight;
        return;
    };
    for (token, &probability) in predictions[position].iter().enumerate() {
        if probability > 0.0 {
            let next = space.with_token(state, position, token);
            add_tokens(space, predictions, rest, next, weight * probability, after);
        }
    }
}

/// Moves all probability to the most likely token. Of tokens that differ by rounding alone it is
/// the first.
fn put_all_on_most_likely(prediction: &mut [f64]) {
    let largest = prediction.iter().copied().fold(0.0, f64::max);
    let first = prediction.iter().position(|&p| p >= largest * (1.0 - 1e-12));
    for (token, probability) in prediction.iter_mut().enumerate() {
        *probability = if Some(token) == first { 1.0 } else { 0.0 };
    }
}
