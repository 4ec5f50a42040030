//! Which tokens of a row may be drawn, and what is added to their logits first. No arithmetic.

use crate::error::{Error, shape};

/// What is done to the logits of a call before everything else: they are as if it had been written
/// into them, but the rows themselves are only read.
///
/// Order: the bias is added, then that of the row, then what is excluded, banned or not allowed
/// becomes −∞. All but `excluded` cost a pass over a copy of the row in the sampler's own memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Constraints<'a> {
    /// One token that is never drawn, usually the mask token. It may lie outside the vocabulary.
    pub excluded: Option<u32>,
    /// Tokens that are never drawn, in any order, below the vocabulary.
    pub banned: &'a [u32],
    /// What is added to logits: tokens below the vocabulary, each with a number that is not NaN or
    /// +∞. A token named twice gets both.
    pub bias: &'a [(u32, f32)],
    /// What is added to the logits of each row on its own; nothing if `None`.
    pub row_bias: Option<RowBias<'a>>,
    /// The tokens that may be drawn, by row; all of them if `None`.
    pub allowed: Option<AllowedTokens<'a>>,
}

/// A sparse bias of each row, in compressed form (CSR): so that every request of a call can have bans
/// and biases of its own, from a penalty for repetitions or for what stands beside, or a credit that
/// grows from step to step.
///
/// Rows are logical rows of the logits: those of [`Sampler::step`](crate::Sampler::step) are canvas
/// positions, those of [`Sampler::step_planned`](crate::Sampler::step_planned) the rows of the plan.
///
/// ```
/// # fn main() -> Result<(), demask::Error> {
/// use demask::{Constraints, Draw, Key, Logits, RowBias, Sampler};
///
/// // Row 0 may not draw token 2, row 1 is as it is, row 2 prefers token 0.
/// let entries = [(2, f32::NEG_INFINITY), (0, 5.0)];
/// let row_bias = Some(RowBias { offsets: &[0, 1, 1, 2], entries: &entries });
/// let constraints = Constraints { row_bias, ..Constraints::NONE };
/// let data = [[0.0, 1.0, 2.0f32]; 3].concat();
/// let logits = Logits::f32(&data, 3, 3)?;
/// let mut sampler = Sampler::builder(3, 1).build()?;
/// let drawn = sampler.draw(&logits, &Draw::at(0.0), &constraints, &[Key::default(); 3])?;
/// assert_eq!(drawn.iter().map(|drawn| drawn.token).collect::<Vec<_>>(), [1, 2, 0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RowBias<'a> {
    /// Where the entries of each row begin, and where those of the last one end: from 0 to
    /// `entries.len()`, ascending, one more than the logits have rows.
    pub offsets: &'a [u32],
    /// As [`Constraints::bias`]: tokens, each with what is added to its logit; −∞ bans it.
    pub entries: &'a [(u32, f32)],
}

impl<'a> RowBias<'a> {
    /// The entries of logical row `k`.
    #[inline]
    fn of(self, k: usize) -> &'a [(u32, f32)] {
        &self.entries[self.offsets[k] as usize..self.offsets[k + 1] as usize]
    }

    fn check(self, rows: usize) -> Result<(), Error> {
        let Self { offsets, entries } = self;
        let (count, end) = (offsets.len(), entries.len());
        let named = "offsets of row biases";
        let whole = rows.checked_add(1) == Some(count);
        shape(whole, named, count, "one more than the logits rows,", rows)?;
        let named = "offset of row biases";
        let mut least = 0;
        for &offset in offsets {
            shape(offset >= least, named, offset as usize, "at least", least as usize)?;
            least = offset;
        }
        let first = offsets[0] as usize;
        shape(first == 0, "first offset of row biases", first, "exactly", 0)?;
        shape(least as usize == end, "last offset of row biases", least as usize, "exactly", end)
    }
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
    pub const NONE: Self =
        Self { excluded: None, banned: &[], bias: &[], row_bias: None, allowed: None };

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
        for &(token, _) in self.bias.iter().chain(self.row_biases()) {
            shape((token as usize) < vocab, "biased token", token as usize, "below vocab,", vocab)?;
        }
        self.check_bias(rows)?;
        self.check_allowed(rows, vocab)
    }

    /// The check for rows of a shard, whose tokens may lie elsewhere.
    pub(crate) fn check_shard(&self, rows: usize, end: usize) -> Result<(), Error> {
        self.check_bias(rows)?;
        self.check_allowed(rows, end)
    }

    fn check_bias(&self, rows: usize) -> Result<(), Error> {
        if let Some(row_bias) = self.row_bias {
            row_bias.check(rows)?;
        }
        for &(_, bias) in self.bias.iter().chain(self.row_biases()) {
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

    /// The biases of all rows.
    fn row_biases(&self) -> &'a [(u32, f32)] {
        self.row_bias.map_or(&[], |row_bias| row_bias.entries)
    }

    /// The biases of logical row `k`, those of all rows first.
    #[inline]
    pub(crate) fn biases_of(&self, k: usize) -> [&'a [(u32, f32)]; 2] {
        [self.bias, self.row_bias.map_or(&[], |row_bias| row_bias.of(k))]
    }

    /// Whether logits have to be changed, by more than leaving out a token.
    #[inline]
    pub(crate) fn change_logits(&self) -> bool {
        self.allowed.is_some()
            || !self.banned.is_empty()
            || !self.bias.is_empty()
            || !self.row_biases().is_empty()
    }

    /// The words of allowed tokens of logical row `k`.
    #[inline]
    pub(crate) fn allowed_words(&self, k: usize) -> Option<&'a [u32]> {
        self.allowed.map(|allowed| &allowed.words[k * allowed.stride..])
    }
}
