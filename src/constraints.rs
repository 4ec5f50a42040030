//! Which tokens of a row may be drawn, and what is added to their logits first. No arithmetic.

use crate::error::{Error, shape};

/// What is done to the logits of a call before everything else: they are as if it had been written
/// into them, but the rows themselves are only read.
///
/// Order: the bias is added, then what is excluded, banned or not allowed becomes −∞. All but
/// `excluded` cost a pass over a copy of the row in the sampler's own memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Constraints<'a> {
    /// One token that is never drawn, usually the mask token. It may lie outside the vocabulary.
    pub excluded: Option<u32>,
    /// Tokens that are never drawn, in any order, below the vocabulary.
    pub banned: &'a [u32],
    /// What is added to logits: tokens below the vocabulary, each with a number that is not NaN or
    /// +∞. A token named twice gets both.
    pub bias: &'a [(u32, f32)],
    /// The tokens that may be drawn, by row; all of them if `None`.
    pub allowed: Option<AllowedTokens<'a>>,
}

/// A bit for each token of each row, as grammar engines make them: bit `v % 32` of word `v / 32`
/// of a row is 1 where token `v` may be drawn.
#[derive(Clone, Copy, Debug)]
pub struct AllowedTokens<'a> {
    /// The words of all rows.
    pub words: &'a [u32],
    /// The distance of the rows in words, at least vocab/32 rounded up; 0 for one row of words that
    /// serves all rows of logits.
    pub stride: usize,
}

impl<'a> Constraints<'a> {
    /// None at all.
    pub const NONE: Self = Self { excluded: None, banned: &[], bias: &[], allowed: None };

    /// All tokens but one.
    #[must_use]
    pub const fn excluding(token: Option<u32>) -> Self {
        let mut constraints = Self::NONE;
        constraints.excluded = token;
        constraints
    }

    pub(crate) fn check(&self, rows: usize, vocab: usize) -> Result<(), Error> {
        for &token in self.banned {
            shape((token as usize) < vocab, "banned token", token as usize, "below vocab,", vocab)?;
        }
        for &(token, _) in self.bias {
            shape((token as usize) < vocab, "biased token", token as usize, "below vocab,", vocab)?;
        }
        self.check_bias()?;
        self.check_allowed(rows, vocab)
    }

    /// The check for rows of a shard, whose tokens may lie elsewhere.
    pub(crate) fn check_shard(&self, rows: usize, end: usize) -> Result<(), Error> {
        self.check_bias()?;
        self.check_allowed(rows, end)
    }

    fn check_bias(&self) -> Result<(), Error> {
        for &(_, bias) in self.bias {
            if bias.is_nan() || bias == f32::INFINITY {
                let expected = "a number below +∞";
                return Err(Error::Argument { name: "bias", value: bias.into(), expected });
            }
        }
        Ok(())
    }

    fn check_allowed(&self, rows: usize, vocab: usize) -> Result<(), Error> {
        let Some(AllowedTokens { words, stride }) = self.allowed else { return Ok(()) };
        let width = vocab.div_ceil(32);
        let named = "stride of allowed tokens";
        shape(stride == 0 || stride >= width, named, stride, "0 or at least vocab/32,", width)?;
        let needed = match rows {
            0 => Some(0),
            _ => (rows - 1).checked_mul(stride).and_then(|n| n.checked_add(width)),
        };
        let fits = needed.is_some_and(|needed| needed <= words.len());
        shape(fits, "rows of allowed tokens", rows, "such that they fit in", words.len())
    }

    /// The words of allowed tokens of logical row `k`.
    #[inline]
    pub(crate) fn allowed_words(&self, k: usize) -> Option<&'a [u32]> {
        self.allowed.map(|allowed| &allowed.words[k * allowed.stride..])
    }
}
