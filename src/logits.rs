//! A view of logits: which type, how many rows, how wide, how far apart. No arithmetic.

use crate::error::{Error, shape};
use half::{bf16, f16};

/// The largest vocabulary that a draw accepts: 2^23 tokens.
pub const MAX_VOCAB: usize = 1 << 23;

/// A batch of logits rows, borrowed and never written.
///
/// Logical row `k` starts at element `index[k] * stride` of the buffer (`k * stride` without an
/// index) and is `vocab` elements long. An index lets shifted, packed or gathered rows be used
/// without a copy; several logical rows may name one physical row.
#[derive(Clone, Copy, Debug)]
pub struct Logits<'a> {
    data: LogitsData<'a>,
    rows: usize,
    vocab: usize,
    stride: usize,
    index: Option<&'a [u32]>,
    guide: Option<Guide<'a>>,
    earlier: Option<Earlier<'a>>,
}

/// The rows of an earlier network call, for steps that draw from two.
#[derive(Clone, Copy, Debug)]
struct Earlier<'a> {
    data: LogitsData<'a>,
    stride: usize,
    index: Option<&'a [u32]>,
    guide: Option<Guide<'a>>,
}

/// A second set of rows, for guidance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guide<'a> {
    data: LogitsData<'a>,
    stride: usize,
    index: Option<&'a [u32]>,
    scale: f32,
}

impl<'a> Guide<'a> {
    pub(crate) fn data(&self) -> LogitsData<'a> {
        self.data
    }

    pub(crate) fn scale(&self) -> f32 {
        self.scale
    }

    /// The first element of logical row `k`.
    #[inline]
    pub(crate) fn start(&self, k: usize) -> usize {
        self.stride * self.index.map_or(k, |index| index[k] as usize)
    }
}

/// The elements of a batch of rows, by type.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum LogitsData<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// IEEE 754 half precision.
    F16(&'a [f16]),
    /// The upper half of an f32.
    Bf16(&'a [bf16]),
}

impl LogitsData<'_> {
    fn len(&self) -> usize {
        match self {
            Self::F32(data) => data.len(),
            Self::F16(data) => data.len(),
            Self::Bf16(data) => data.len(),
        }
    }
}

impl<'a> Logits<'a> {
    /// `rows` contiguous rows of `vocab` 32-bit floats.
    ///
    /// # Errors
    /// `vocab` outside 1..=[`MAX_VOCAB`], or `data` shorter than `rows * vocab`.
    pub fn f32(data: &'a [f32], rows: usize, vocab: usize) -> Result<Self, Error> {
        Self::new(LogitsData::F32(data), rows, vocab, vocab, None)
    }

    /// `rows` contiguous rows of `vocab` half-precision floats.
    ///
    /// # Errors
    /// As [`f32`](Self::f32).
    pub fn f16(data: &'a [f16], rows: usize, vocab: usize) -> Result<Self, Error> {
        Self::new(LogitsData::F16(data), rows, vocab, vocab, None)
    }

    /// `rows` contiguous rows of `vocab` bfloat16 numbers.
    ///
    /// # Errors
    /// As [`f32`](Self::f32).
    pub fn bf16(data: &'a [bf16], rows: usize, vocab: usize) -> Result<Self, Error> {
        Self::new(LogitsData::Bf16(data), rows, vocab, vocab, None)
    }

    /// No rows at all, for a step whose plan named none.
    #[must_use]
    pub const fn none() -> Self {
        let (data, index, guide, earlier) = (LogitsData::F32(&[]), None, None, None);
        Self { data, rows: 0, vocab: 1, stride: 1, index, guide, earlier }
    }

    /// The general form: rows `stride` elements apart, optionally gathered by `index`.
    ///
    /// With an index, logical row `k` is physical row `index[k]`, and there are `index.len()`
    /// logical rows; `rows` is then the number of physical rows in `data`.
    ///
    /// Output layers are often padded to a round width, with logits that belong to no token. Take
    /// that width for `stride` and the number of tokens for `vocab`: what lies beyond is not read,
    /// and cannot be drawn.
    ///
    /// # Errors
    /// `vocab` outside 1..=[`MAX_VOCAB`], `stride` below `vocab`, `data` too short for the last
    /// physical row, or an index entry that is not below `rows`.
    pub fn new(
        data: LogitsData<'a>,
        rows: usize,
        vocab: usize,
        stride: usize,
        index: Option<&'a [u32]>,
    ) -> Result<Self, Error> {
        shape(vocab >= 1, "vocab", vocab, "at least", 1)?;
        shape(vocab <= MAX_VOCAB, "vocab", vocab, "at most", MAX_VOCAB)?;
        shape(stride >= vocab, "stride", stride, "at least vocab,", vocab)?;
        if rows > 0 {
            let needed = (rows - 1).checked_mul(stride).and_then(|n| n.checked_add(vocab));
            let held = data.len();
            shape(needed.is_some_and(|n| n <= held), "rows", rows, "such that they fit in", held)?;
        }
        for &row in index.unwrap_or_default() {
            shape((row as usize) < rows, "row index", row as usize, "below rows,", rows)?;
        }
        Ok(Self { data, rows, vocab, stride, index, guide: None, earlier: None })
    }

    /// The same rows under classifier-free guidance: g + `scale`·(z − g), where z are these logits
    /// (conditional) and g those of `guide` (unconditional), logical row by logical row, and −∞
    /// where z or g is. Costs a pass over a copy of the row.
    ///
    /// LLaDA's `cfg_scale` s, of g + (s + 1)·(z − g), is `scale` = s + 1. Guidance of the laws,
    /// γ·ln p + (1 − γ)·ln q with p = softmax(z) and q = softmax(g) (Schiff et al., arXiv 2412.10193,
    /// UDLM; Duo), is `scale` = γ: ln p and z differ by a constant of the row, as do ln q and g, and
    /// so do the sums, whose softmax is the same.
    ///
    /// # Errors
    /// Another number of rows, another vocabulary or another element type than these logits', a
    /// guide that is guided itself, or a `scale` that is not finite.
    pub fn guided(mut self, guide: &Logits<'a>, scale: f32) -> Result<Self, Error> {
        self.check_alike(guide, "guide rows", "guide vocab", "guide bits")?;
        shape(guide.guide.is_none(), "guides of the guide", 1, "exactly", 0)?;
        if !scale.is_finite() {
            let expected = "finite";
            return Err(Error::Argument { name: "guidance scale", value: scale.into(), expected });
        }
        let Self { data, stride, index, .. } = *guide;
        self.guide = Some(Guide { data, stride, index, scale });
        Ok(self)
    }

    /// The same rows together with those of an earlier network call, logical row by logical row: the
    /// output for the same position, of the call before. Steps of policies that draw from two
    /// outputs need them ([`Plan::reads_earlier`](crate::Plan::reads_earlier)); nothing else looks at
    /// them. Rows of segments that need none may be anything, the first row by an index for example.
    ///
    /// The θ-trapezoidal method, by a client that keeps the logits of the step before:
    ///
    /// ```
    /// # fn main() -> Result<(), demask::Error> {
    /// use demask::{Canvas, Finish, Logits, Noise, Plan, Policy, Sampler, Segment};
    ///
    /// const MASK: i32 = -1;
    /// let vocab = 4;
    /// // This network likes the token that stands at the position before.
    /// let network = |tokens: &[i32], rows: &[u32]| {
    ///     let mut logits = vec![0.0; rows.len() * vocab];
    ///     for (row, &at) in logits.chunks_mut(vocab).zip(rows) {
    ///         match tokens[..at as usize].last() {
    ///             Some(&token) if token != MASK => row[token as usize] = 3.0,
    ///             _ => {}
    ///         }
    ///     }
    ///     logits
    /// };
    ///
    /// let mut tokens = [2, MASK, MASK, MASK, MASK, MASK];
    /// let mut segments = [Segment { end: 6, seed: 1, ..Segment::default() }];
    /// let mut policies = [Policy::theta_trapezoidal(Noise::Linear, 0.5, 3)];
    /// policies[0].stop.finish = Finish::Sample;
    /// let mut sampler = Sampler::builder(6, 1).build()?;
    /// let mut plan = Plan::with_capacity(6, 1);
    /// // The rows of the plan before, and their logits.
    /// let (mut kept_rows, mut kept) = (Vec::new(), Vec::new());
    /// loop {
    ///     let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)?;
    ///     sampler.plan(&canvas, &mut plan)?;
    ///     if plan.active() == 0 {
    ///         break;
    ///     }
    ///     let data = network(canvas.tokens(), plan.rows());
    ///     let logits = Logits::f32(&data, plan.rows().len(), vocab)?;
    ///     if plan.reads_earlier(0) {
    ///         // Every row of this plan was one of the plan before.
    ///         let row_of = |at| kept_rows.binary_search(at).expect("named before") as u32;
    ///         let index: Vec<u32> = plan.rows().iter().map(row_of).collect();
    ///         let view = demask::LogitsData::F32(&kept);
    ///         let earlier = Logits::new(view, kept_rows.len(), vocab, vocab, Some(&index))?;
    ///         sampler.step_planned(&mut canvas, &plan, &logits.with_earlier(&earlier)?)?;
    ///     } else {
    ///         sampler.step_planned(&mut canvas, &plan, &logits)?;
    ///     }
    ///     (kept_rows, kept) = (plan.rows().to_vec(), data);
    /// }
    /// assert!(!tokens.contains(&MASK));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Another number of rows, another vocabulary or another element type than these logits', or
    /// earlier logits that have earlier ones themselves.
    pub fn with_earlier(mut self, earlier: &Logits<'a>) -> Result<Self, Error> {
        self.check_alike(earlier, "earlier rows", "earlier vocab", "earlier bits")?;
        shape(earlier.earlier.is_none(), "earlier rows of earlier rows", 1, "exactly", 0)?;
        let Self { data, stride, index, guide, .. } = *earlier;
        self.earlier = Some(Earlier { data, stride, index, guide });
        Ok(self)
    }

    /// Refuses other logits that differ in the number of rows, the vocabulary or the type.
    pub(crate) fn check_alike(
        &self,
        other: &Logits<'_>,
        rows: &'static str,
        vocab: &'static str,
        bits: &'static str,
    ) -> Result<(), Error> {
        let own = self.rows();
        shape(other.rows() == own, rows, other.rows(), "as many as the logits rows,", own)?;
        shape(other.vocab == self.vocab, vocab, other.vocab, "the logits',", self.vocab)?;
        let width =
            |data: &LogitsData<'_>| if matches!(data, LogitsData::F32(_)) { 32 } else { 16 };
        let same = matches!(
            (&self.data, &other.data),
            (LogitsData::F32(_), LogitsData::F32(_))
                | (LogitsData::F16(_), LogitsData::F16(_))
                | (LogitsData::Bf16(_), LogitsData::Bf16(_))
        );
        shape(same, bits, width(&other.data), "of the logits' type,", width(&self.data))
    }

    /// The number of logical rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.index.map_or(self.rows, <[u32]>::len)
    }

    /// The number of tokens in a row.
    #[must_use]
    pub fn vocab(&self) -> usize {
        self.vocab
    }

    pub(crate) fn data(&self) -> LogitsData<'a> {
        self.data
    }

    pub(crate) fn guide(&self) -> Option<&Guide<'a>> {
        self.guide.as_ref()
    }

    /// The rows of the earlier network call, as many and as wide as these.
    pub(crate) fn earlier(&self) -> Option<Self> {
        self.earlier.map(|earlier| {
            let Earlier { data, stride, index, guide } = earlier;
            let (rows, vocab) = (self.rows(), self.vocab);
            Self { data, rows, vocab, stride, index, guide, earlier: None }
        })
    }

    /// The first element of logical row `k`, which must be below [`rows`](Self::rows).
    #[inline]
    pub(crate) fn start(&self, k: usize) -> usize {
        self.stride * self.index.map_or(k, |index| index[k] as usize)
    }
}
