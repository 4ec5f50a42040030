//! PRIV at lengths for which no table would do, by a flag: is the output valid?
//!
//! Every two positions share a fair bit; a token of PRIV is the d − 1 bits of its position. An
//! output is right if all pairs agree on their bits, and right outputs are equally likely, so the
//! distance to the target is the probability of a wrong one. Bits that a position shares with
//! positions revealed before are known, and are copied. Bits that it shares with positions revealed
//! later will be copied from it. Only the bits that it shares with the others of its own step are
//! drawn against each other, so these are the tokens here: a position in a group of k draws one of
//! 2^(k−1) equally likely tokens, through plan and step.

use crate::network::{MASK, Worker};
use crate::spread::spread;
use anyhow::Result;
use demask::{Canvas, Logits, LogitsData, Policy};
use indicatif::ProgressBar;

/// Sequences on one canvas.
const BATCH: u64 = 512;

/// The largest group whose bits are drawn. A larger one agrees with probability below 2^−90, and
/// counts as one that does not.
const LARGEST: usize = 14;

/// For each size of a group up to [`LARGEST`], a row of logits: zeros for the tokens of that many
/// bits.
struct Rows(Vec<f32>);

impl Rows {
    const STRIDE: usize = 1 << (LARGEST - 1);

    fn new() -> Self {
        let mut rows = vec![f32::NEG_INFINITY; (LARGEST + 1) * Self::STRIDE];
        for size in 1..=LARGEST {
            rows[size * Self::STRIDE..][..1 << (size - 1)].fill(0.0);
        }
        Self(rows)
    }

    /// The rows that `index` names, as wide as the largest group of the step needs.
    fn logits<'a>(&'a self, largest: usize, index: &'a [u32]) -> Result<Logits<'a>> {
        let vocab = 1 << (largest - 1);
        let data = LogitsData::F32(&self.0);
        Ok(Logits::new(data, LARGEST + 1, vocab, Self::STRIDE, Some(index))?)
    }
}

/// Whether every two positions of a group agree: bit j of a token is what its position shares with
/// the j-th of the others.
fn agree(group: &[u32], tokens: &[i32]) -> bool {
    group.len() <= LARGEST
        && (0..group.len()).all(|i| {
            let token = |k: usize| tokens[group[k] as usize];
            (0..i).all(|j| token(i) >> j & 1 == token(j) >> (i - 1) & 1)
        })
}

/// Decodes `samples` sequences of `len` positions by `policy`, and counts the wrong ones.
pub(crate) fn wrong(
    len: usize,
    policy: &Policy,
    samples: u64,
    seed: u64,
    bar: &ProgressBar,
) -> Result<u64> {
    let rows = Rows::new();
    // The one count: of sequences that are wrong.
    let make = || Ok((Worker::new(BATCH as usize, len, Rows::STRIDE, 0)?, Vec::new()));
    let workers = spread(samples, BATCH, make, |(worker, right), streams| {
        let sequences = (streams.end - streams.start) as usize;
        worker.reset(sequences, len, seed, streams.start);
        right.clear();
        right.resize(sequences, true);
        let Worker { sampler, plan, tokens, segments, index, counts } = worker;
        let mut canvas = Canvas::new(tokens, MASK, segments, core::slice::from_ref(policy))?;
        loop {
            sampler.plan(&canvas, plan)?;
            if plan.active() == 0 {
                break;
            }
            index.clear();
            let mut largest = 1;
            for ends in plan.offsets().windows(2) {
                let size = ((ends[1] - ends[0]) as usize).min(LARGEST);
                largest = largest.max(size);
                index.extend((ends[0]..ends[1]).map(|_| size as u32));
            }
            sampler.step_planned(&mut canvas, plan, &rows.logits(largest, index)?)?;
            for (right, ends) in right.iter_mut().zip(plan.offsets().windows(2)) {
                let group = &plan.rows()[ends[0] as usize..ends[1] as usize];
                *right &= agree(group, canvas.tokens());
            }
        }
        for (right, tokens) in right.iter().zip(tokens.chunks_exact(len)) {
            counts[0] += u64::from(!right || tokens.contains(&MASK));
        }
        bar.inc(sequences as u64);
        Ok(())
    })?;
    Ok(workers.iter().map(|(worker, _)| worker.counts[0]).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All tokens that groups of up to four positions can get: the share that agrees is 2^−pairs.
    #[test]
    fn a_pair_agrees_half_of_the_time() {
        for size in 1..=4usize {
            let tokens_each = 1usize << (size - 1);
            let group: Vec<u32> = (0..size as u32).collect();
            let all = tokens_each.pow(size as u32);
            let agreeing = (0..all).filter(|number| {
                let digit = |k: usize| (number / tokens_each.pow(k as u32) % tokens_each) as i32;
                agree(&group, &(0..size).map(digit).collect::<Vec<_>>())
            });
            assert_eq!(agreeing.count() << (size * (size - 1) / 2), all, "{size}");
        }
    }
}
