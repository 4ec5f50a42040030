//! The two halves of a step: rows, in ranges, and what follows from all of them.

use super::boundary;
use super::canvas::{OpenCanvas, demask_canvas};
use super::context::demask_context;
use super::logits::{self, demask_logits};
use super::plan::demask_plan_buffers;
use super::pointer::{self, Plain, c_struct, same_layout};
use super::statistics::demask_row_statistics;
use super::status::demask_status;
use super::step::{Out, demask_step_out};
use crate::draw::RowRecord;
use core::mem::offset_of;

/// The token that was drawn from a row, and what is known of the row: what demask_step_rows writes and
/// demask_advance reads. Plain numbers, which may be copied and sent. This struct never grows.
///
/// An accelerator that draws tokens and describes rows fills records itself. Of the statistics it needs
/// what the policy of the segment looks at, in the law at score_temperature (with score_filtered, of
/// what the filters leave); the others may be any, NAN for example. Without a score and without any rule
/// below, so for FIRST_HITTING, BERNOULLI or RANDOM_ORDER, that is nothing. Otherwise `probability`, 0
/// to 1, and `argmax`, below the vocabulary, and
///
/// - by the score: for PROBABILITY `log_others`, which is ln(1 - p) - ln p; for LOG_PROBABILITY
///   `log_probability`, at most 0, and `log_others`; for MARGIN `margin`, 0 to 1, and `log_margin_gap`,
///   which is ln(1 - margin); for NEGATIVE_ENTROPY `entropy`, finite and at least 0; for
///   CAPPED_PROBABILITY `log_probability` and `argmax_log_others`;
/// - for NEGATIVE_DIVERGENCE and STABLE `divergence`, at least 0, NAN where it is not known;
/// - for ENTROPY_BOUND and settle_entropy below INFINITY `entropy`;
/// - for DEMASK_DOUBT_STANDING, at committed positions, `given_log_probability` of the token that stands
///   there, at most 0;
/// - for remask_by_confidence nothing more.
///
/// A record that lacks one of these, whose state is not listed, or whose token is the mask token or
/// outside the vocabulary, is that of a bad row. Rows that are drawn from a mixture with earlier logits
/// need no statistics. Records of rows that the step does not draw from are not looked at.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_row_record {
    /// The token that was drawn, below the vocabulary; -1 if none was.
    pub token: i32,
    /// DEMASK_ROW_DRAWN or DEMASK_ROW_BAD; or DEMASK_ROW_SKIPPED where the row decided that its position
    /// stays masked, as only those of SCORE_BERNOULLI and of trapezoidal transitions do.
    pub state: u32,
    /// What is known of the row.
    pub statistics: demask_row_statistics,
}
c_struct!(demask_row_record: 96);
same_layout!(RowRecord, demask_row_record: token, state, statistics);

/// The first half of a step: draws from rows `first` and following of the plan, as many as `logits` has,
/// and describes them where their policies look at that. Row j of `logits`, and of constraints by row,
/// belongs to canvas position `plan->rows[first + j]`. `records` gets `logits->n_rows` records.
///
/// Canvas, plan and logits are only read: threads of the caller, each with a context of its own, may draw
/// ranges of one step at the same time. Each of these contexts must be large enough for the segments and
/// policies of the whole canvas. demask_advance makes the step of the records of all ranges; together they
/// are demask_step_planned, bit for bit.
///
/// Errors: NULL, STRUCT, SHAPE (a range that ends after the rows of the plan; no earlier logits where
/// the plan reads them for a row of the range), ALIGN, ARGUMENT, CAPACITY, PLAN.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_step_rows(
    context: *mut demask_context,
    canvas: *const demask_canvas,
    plan: *const demask_plan_buffers,
    logits: *const demask_logits,
    first: usize,
    records: *mut demask_row_record,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        boundary::call_on(context, |context| {
            let canvas = OpenCanvas::read(canvas, &mut context.room)?;
            let buffers = demask_plan_buffers::read(plan)?;
            buffers.load(&canvas.view, &context.sampler, &mut context.plan)?;
            let logits = logits::read(logits)?;
            let canvas = canvas.constrain(logits.rows(), logits.vocab())?.view;
            let records = pointer::slice_out(records.cast::<RowRecord>(), logits.rows())?;
            let (sampler, plan) = (&mut context.sampler, &context.plan);
            sampler.step_rows_into(&canvas, plan, &logits, first, || {
                pointer::write_all(records, RowRecord::BAD)
            })?;
            Ok(())
        })
    }
}

/// The second half of a step: makes the step that `plan` chose of `n_records` records, one for each of
/// its rows, by demask_step_rows or by an accelerator. `vocab` is the size of the vocabulary, 1 to
/// DEMASK_MAX_VOCAB; it is not looked at if there are no rows. `out` may be NULL; its arrays have room
/// for `n_records` rows.
///
/// What becomes of a bad row is what demask_step_planned says, and a record that does not say what its
/// position needs is that of a bad row.
///
/// Errors: NULL, STRUCT, SHAPE (another number of records than the plan's rows, `vocab`), ALIGN,
/// ARGUMENT, CAPACITY, PLAN.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_advance(
    context: *mut demask_context,
    canvas: *const demask_canvas,
    plan: *const demask_plan_buffers,
    vocab: usize,
    records: *const demask_row_record,
    n_records: usize,
    out: *mut demask_step_out,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        boundary::call_on(context, |context| {
            let mut canvas = OpenCanvas::new(canvas, &mut context.room)?;
            let buffers = demask_plan_buffers::read(plan)?;
            buffers.load(&canvas.view, &context.sampler, &mut context.plan)?;
            let records = pointer::slice(records.cast::<RowRecord>(), n_records)?;
            let out = Out::new(out, buffers.n_rows)?;
            let (sampler, plan) = (&mut context.sampler, &context.plan);
            let report = sampler.advance(&mut canvas.view, plan, vocab, records)?;
            canvas.write_back();
            out.write(plan.active(), report, sampler.drawn().iter().copied().enumerate());
            Ok(())
        })
    }
}
