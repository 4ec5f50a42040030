//! The whole pipeline on one screen: `plan` chooses positions before the network runs, `step` draws
//! their tokens from its logits and writes them. A step is two halves: rows, which do not see each
//! other and are all the work over the vocabulary; and what follows from all of them together.

mod advance;
mod judge;
mod record;
mod rows;

use crate::canvas::Canvas;
use crate::draw::RowRecord;
use crate::error::{Error, shape};
use crate::logits::{Logits, MAX_VOCAB};
use crate::plan::Plan;
use crate::sampler::Sampler;
use core::ops::Range;

/// What a step reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepReport {
    /// Positions that got a token.
    pub revealed: usize,
    /// Positions that stayed as they were because their row was bad.
    pub bad_rows: usize,
    /// Positions that became masks again.
    pub remasked: usize,
    /// Positions that were filled, since their text has ended before them.
    pub filled: usize,
    /// Committed positions that got another token.
    pub edited: usize,
    /// Positions that got a random token.
    pub renoised: usize,
}

#[cfg(feature = "capi")]
impl Sampler {
    /// The plan of the last [`step`](Self::step): its rows are those of [`drawn`](Self::drawn).
    pub(crate) fn own_plan(&self) -> &Plan {
        &self.plan
    }
}

impl Sampler {
    /// Makes the step that `plan` chose: draws a token for each of its rows that moves and writes it,
    /// then advances every segment by one step. Logical row `k` of `logits`, and of constraints by row,
    /// belongs to `plan.rows()[k]`.
    ///
    /// A bad row (NaN, +∞, or no finite logit) leaves its position masked. The clock of a
    /// first-hitting segment (its `log_masked`) then stands still, unless other rows of its step
    /// were good: nothing was revealed, so no time has passed.
    ///
    /// # Errors
    /// A plan of another canvas or step, another number of logits rows than the plan's, no earlier
    /// logits where the plan reads them, constraints that do not fit the logits, or more rows than the
    /// sampler was made for. Nothing is changed then.
    pub fn step_planned(
        &mut self,
        canvas: &mut Canvas<'_>,
        plan: &Plan,
        logits: &Logits<'_>,
    ) -> Result<StepReport, Error> {
        plan.check(canvas)?;
        shape(
            logits.rows() == plan.rows().len(),
            "logits rows",
            logits.rows(),
            "the plan's,",
            plan.rows().len(),
        )?;
        check_earlier(plan, logits, &(0..plan.rows().len()))?;
        canvas.constraints().check(logits.rows(), logits.vocab())?;
        self.reserve(plan.rows().len(), logits.vocab())?;
        Ok(self.apply(canvas, plan, logits, |k, _| k))
    }

    /// Plans and makes a step in one call, for a client that has the logits of all positions:
    /// logical row `i` of `logits`, and of constraints by row, belongs to canvas position `i`.
    ///
    /// # Errors
    /// Another number of logits rows than tokens, no earlier logits where the plan reads them,
    /// constraints that do not fit the logits, or a canvas larger than the sampler was made for. Nothing
    /// is changed then.
    pub fn step(
        &mut self,
        canvas: &mut Canvas<'_>,
        logits: &Logits<'_>,
    ) -> Result<StepReport, Error> {
        let positions = canvas.tokens().len();
        shape(
            logits.rows() == positions,
            "logits rows",
            logits.rows(),
            "as many as the tokens,",
            positions,
        )?;
        let mut plan = core::mem::take(&mut self.plan);
        let result = plan
            .fill(self.level, canvas)
            .and_then(|()| check_earlier(&plan, logits, &(0..plan.rows().len())))
            .and_then(|()| canvas.constraints().check(logits.rows(), logits.vocab()))
            .and_then(|()| self.reserve(plan.rows().len(), logits.vocab()))
            .map(|()| self.apply(canvas, &plan, logits, |_, at| at as usize));
        self.plan = plan;
        result
    }

    /// Draws from rows `first` and following of the plan, as many as `records`, and describes them where
    /// their policies look at that: the first half of a step. Logical row `j` of `logits`, and of
    /// constraints by row, belongs to `plan.rows()[first + j]`.
    ///
    /// The canvas is only read, so that threads of the caller, each with a sampler of its own, can draw
    /// ranges of one step at a time. [`advance`](Self::advance) makes the step of the records of all
    /// ranges, whoever made them: together the two are [`step_planned`](Self::step_planned), bit for
    /// bit.
    ///
    /// ```
    /// use demask::{Canvas, Logits, Plan, Policy, RowRecord, Sampler, Segment};
    /// use demask::policy::{Score, ScoreOf};
    ///
    /// # fn main() -> Result<(), demask::Error> {
    /// const MASK: i32 = 3;
    /// let (mut tokens, policies) = ([MASK; 4], [Policy::llada(2)]);
    /// let mut segments = [Segment { end: 4, ..Segment::default() }];
    /// let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)?;
    /// let mut plan = Plan::with_capacity(4, 1);
    /// let mut samplers = [Sampler::builder(4, 1).build()?, Sampler::builder(4, 1).build()?];
    /// samplers[0].plan(&canvas, &mut plan)?;
    ///
    /// let logits = [[3.0f32, 0.0, 0.0, 0.0], [0.0; 4], [0.0, 5.0, 0.0, 0.0], [0.0; 4]];
    /// let mut records = [RowRecord::BAD; 4];
    /// std::thread::scope(|scope| {
    ///     let halves = records.chunks_mut(2).zip(logits.chunks(2)).zip(&mut samplers);
    ///     for (k, ((records, logits), sampler)) in halves.enumerate() {
    ///         let (canvas, plan) = (&canvas, &plan);
    ///         scope.spawn(move || {
    ///             let logits = Logits::f32(logits.as_flattened(), 2, 4).expect("a view");
    ///             sampler.step_rows(canvas, plan, &logits, 2 * k, records).expect("two rows");
    ///         });
    ///     }
    /// });
    /// samplers[0].advance(&mut canvas, &plan, 4, &records)?;
    /// assert_eq!(tokens, [0, MASK, 1, MASK]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A range that ends after the rows of the plan, another number of logits rows than records, and as
    /// [`step_planned`](Self::step_planned). Nothing is changed then.
    pub fn step_rows(
        &mut self,
        canvas: &Canvas<'_>,
        plan: &Plan,
        logits: &Logits<'_>,
        first: usize,
        records: &mut [RowRecord],
    ) -> Result<(), Error> {
        let (rows, given) = (logits.rows(), records.len());
        shape(given == rows, "row records", given, "as many as the logits rows,", rows)?;
        self.step_rows_into(canvas, plan, logits, first, || records)
    }

    /// As [`step_rows`](Self::step_rows), into as many records as there are logits rows, which are asked
    /// for when nothing can be refused any more.
    pub(crate) fn step_rows_into<'a>(
        &mut self,
        canvas: &Canvas<'_>,
        plan: &Plan,
        logits: &Logits<'_>,
        first: usize,
        records: impl FnOnce() -> &'a mut [RowRecord],
    ) -> Result<(), Error> {
        plan.check(canvas)?;
        let (rows, planned) = (logits.rows(), plan.rows().len());
        shape(first <= planned, "first row", first, "at most the plan's,", planned)?;
        let left = planned - first;
        shape(rows <= left, "logits rows", rows, "at most those that are left of the plan,", left)?;
        let range = first..first + rows;
        check_earlier(plan, logits, &range)?;
        canvas.constraints().check(rows, logits.vocab())?;
        self.reserve(rows, logits.vocab())?;
        let records = records();
        records.fill(RowRecord::BAD);
        let into = rows::Into::Records(&mut *records);
        self.draw_planned(canvas, plan, logits, &range, |k, _| k - first, into);
        self.spread(rows, records);
        Ok(())
    }

    /// Makes the step that `plan` chose of what was drawn from its rows: the second half of a step,
    /// after [`step_rows`](Self::step_rows), or after an accelerator that drew and described rows
    /// itself. `records[k]` belongs to `plan.rows()[k]`, and `vocab` is the size of the vocabulary.
    ///
    /// A record that does not say what its position needs ([`RowRecord`]) is that of a bad row.
    ///
    /// # Errors
    /// A plan of another canvas or step, another number of records than the plan's rows, a vocabulary
    /// of 0 or above [`MAX_VOCAB`](crate::MAX_VOCAB) where there are rows, or more rows than the
    /// sampler was made for. Nothing is changed then.
    pub fn advance(
        &mut self,
        canvas: &mut Canvas<'_>,
        plan: &Plan,
        vocab: usize,
        records: &[RowRecord],
    ) -> Result<StepReport, Error> {
        plan.check(canvas)?;
        let (rows, given) = (plan.rows().len(), records.len());
        shape(given == rows, "row records", given, "as many as the plan's rows,", rows)?;
        shape(rows == 0 || vocab > 0, "vocab", vocab, "at least", 1)?;
        shape(rows == 0 || vocab <= MAX_VOCAB, "vocab", vocab, "at most", MAX_VOCAB)?;
        self.reserve(rows, 0)?;
        self.take(canvas, plan, vocab, records);
        Ok(self.finish(canvas, plan, vocab))
    }

    /// Both halves, for a plan that fits. Cannot fail.
    fn apply(
        &mut self,
        canvas: &mut Canvas<'_>,
        plan: &Plan,
        logits: &Logits<'_>,
        row_of: impl Fn(usize, u32) -> usize,
    ) -> StepReport {
        let all = 0..plan.rows().len();
        self.draw_planned(canvas, plan, logits, &all, row_of, rows::Into::Step);
        self.finish(canvas, plan, logits.vocab())
    }
}

/// The rows of segment `segment` in a plan.
fn rows_of(plan: &Plan, segment: usize) -> Range<usize> {
    plan.offsets()[segment] as usize..plan.offsets()[segment + 1] as usize
}

/// Those of them that lie in `range`.
fn rows_in(plan: &Plan, segment: usize, range: &Range<usize>) -> Range<usize> {
    let rows = rows_of(plan, segment);
    let begin = rows.start.clamp(range.start, range.end);
    begin..rows.end.clamp(begin, range.end)
}

/// Refuses logits without an earlier output if the plan reads it for some row in `range`.
fn check_earlier(plan: &Plan, logits: &Logits<'_>, range: &Range<usize>) -> Result<(), Error> {
    let reads = |i: usize| plan.reads_earlier(i) && !rows_in(plan, i, range).is_empty();
    let missing = logits.earlier().is_none() && (0..plan.segments().len()).any(reads);
    shape(!missing, "earlier rows", 0, "as many as the logits rows,", logits.rows())
}
