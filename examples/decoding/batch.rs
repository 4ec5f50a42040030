//! Token sequences one after the other, to be decoded together.

use demask::Segment;

/// Sequences, each of them a segment.
#[derive(Clone)]
pub(crate) struct Batch {
    pub(crate) tokens: Vec<i32>,
    pub(crate) segments: Vec<Segment>,
}

impl Batch {
    /// Sequences with masks, all with one seed; the number of a sequence is its stream.
    pub(crate) fn new(sequences: &[Vec<i32>], mask_token: i32, seed: u64) -> Self {
        let mut batch = Self { tokens: Vec::new(), segments: Vec::new() };
        for (stream, sequence) in (0..).zip(sequences) {
            let begin = batch.tokens.len() as u32;
            batch.tokens.extend(sequence);
            let masked = count(sequence, mask_token) as f64 / sequence.len() as f64;
            batch.segments.push(Segment {
                begin,
                end: batch.tokens.len() as u32,
                seed,
                stream,
                // The sequence is partly filled in: first-hitting starts at this masked fraction.
                log_masked: masked.ln(),
                ..Segment::default()
            });
        }
        batch
    }

    /// The tokens of sequence `i`.
    pub(crate) fn sequence(&self, i: usize) -> &[i32] {
        self.sequence_in(i, &self.tokens)
    }

    /// The tokens of sequence `i` in another state of the batch.
    pub(crate) fn sequence_in<'a>(&self, i: usize, tokens: &'a [i32]) -> &'a [i32] {
        &tokens[self.segments[i].begin as usize..self.segments[i].end as usize]
    }
}

/// How often `token` stands in `tokens`.
pub(crate) fn count(tokens: &[i32], token: i32) -> usize {
    tokens.iter().filter(|&&other| other == token).count()
}

/// How many of the tokens that are `mask_token` in `damaged` are in `restored` what they were.
pub(crate) fn exact(damaged: &[i32], restored: &[i32], original: &[i32], mask_token: i32) -> usize {
    let tokens = damaged.iter().zip(restored).zip(original);
    tokens.filter(|((was, new), old)| **was == mask_token && new == old).count()
}
