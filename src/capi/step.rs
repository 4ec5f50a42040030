//! The step: planned, or with the logits of all positions.

use super::boundary;
use super::canvas::{OpenCanvas, demask_canvas};
use super::context::demask_context;
use super::logits::{self, demask_logits};
use super::plan::demask_plan_buffers;
use super::pointer::{self, c_struct};
use super::status::{DEMASK_ERR_ARGUMENT, Refusal, demask_status};
use crate::draw::{Drawn, RowState};
use crate::logits::Logits;
use crate::step::StepReport;
use core::mem::{MaybeUninit, offset_of};

/// The position of this row did not move. In demask_step_planned, because its row decided so.
pub const DEMASK_ROW_SKIPPED: u8 = 0;
/// A token was drawn from this row.
pub const DEMASK_ROW_DRAWN: u8 = 1;
/// The row holds NaN or +INFINITY, or no finite logit: no token was drawn from it.
pub const DEMASK_ROW_BAD: u8 = 2;
/// The committed position of this row became a mask again. Its token is the mask token.
pub const DEMASK_ROW_REMASKED: u8 = 3;
/// The position of this row got a random token, which this is.
pub const DEMASK_ROW_RENOISED: u8 = 4;

/// What a step reports. The pointers are set by the caller, the counts by the step.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_step_out {
    /// sizeof(demask_step_out), as the caller was compiled.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// NULL, or room for a token of each row of the logits: the one that was drawn, else -1.
    pub tokens: *mut i32,
    /// NULL, or room for a DEMASK_ROW_ number of each row of the logits.
    pub row_state: *mut u8,
    /// In how many segments something could still move when the step was planned. At 0 the batch
    /// was done before this step.
    pub n_active: usize,
    /// How many positions got a token.
    pub n_revealed: usize,
    /// How many positions stayed masked because their row was bad.
    pub n_bad_rows: usize,
    /// How many positions became masks again.
    pub n_remasked: usize,
    /// How many positions were filled, since their text has ended before them.
    pub n_filled: usize,
    /// How many committed positions got another token.
    pub n_edited: usize,
    /// How many positions got a random token.
    pub n_renoised: usize,
}
c_struct!(demask_step_out: 80, grew from 48);

/// Makes the step that `plan` chose: draws a token for each of its rows that moves and writes it,
/// then advances every segment by one step. Row k of `logits` belongs to canvas position
/// `plan->rows[k]`. `logits` may be NULL if the plan has no rows; `out` may be NULL.
///
/// A bad row leaves its position masked. The log_masked of a first-hitting segment then stands still,
/// unless other rows of its step were good.
///
/// Errors: NULL, STRUCT, SHAPE (also where the plan reads earlier logits and there are none), ALIGN,
/// ARGUMENT, CAPACITY, PLAN (not a plan of this canvas, or the
/// canvas has changed since).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_step_planned(
    context: *mut demask_context,
    canvas: *const demask_canvas,
    plan: *const demask_plan_buffers,
    logits: *const demask_logits,
    out: *mut demask_step_out,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        boundary::call_on(context, |context| {
            let canvas = OpenCanvas::new(canvas, &mut context.room)?;
            let buffers = demask_plan_buffers::read(plan)?;
            buffers.load(&canvas.view, &context.sampler, &mut context.plan)?;
            let logits = if logits.is_null() && buffers.n_rows == 0 {
                Logits::none()
            } else {
                logits::read(logits)?
            };
            let mut canvas = canvas.constrain(logits.rows(), logits.vocab())?;
            let out = Out::new(out, buffers.n_rows)?;
            let report = context.sampler.step_planned(&mut canvas.view, &context.plan, &logits)?;
            canvas.write_back();
            let drawn = context.sampler.drawn().iter().copied().enumerate();
            out.write(context.plan.active(), report, drawn);
            Ok(())
        })
    }
}

/// Plans and makes a step in one call, for a client that has the logits of all positions: row i of
/// `logits` belongs to canvas position i. `out` may be NULL.
///
/// A bad row leaves its position masked.
///
/// Errors: NULL, STRUCT, SHAPE, ALIGN, ARGUMENT, CAPACITY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_step(
    context: *mut demask_context,
    canvas: *const demask_canvas,
    logits: *const demask_logits,
    out: *mut demask_step_out,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        boundary::call_on(context, |context| {
            let canvas = OpenCanvas::new(canvas, &mut context.room)?;
            let logits = logits::read(logits)?;
            let mut canvas = canvas.constrain(logits.rows(), logits.vocab())?;
            let out = Out::new(out, logits.rows())?;
            let sampler = &mut context.sampler;
            let report = sampler.step(&mut canvas.view, &logits)?;
            canvas.write_back();
            let plan = sampler.own_plan();
            let rows = plan.rows().iter().map(|&at| at as usize);
            out.write(plan.active(), report, rows.zip(sampler.drawn().iter().copied()));
            Ok(())
        })
    }
}

/// The number that a row's state has in C.
pub(super) fn state_number(state: RowState) -> u8 {
    match state {
        RowState::Drawn => DEMASK_ROW_DRAWN,
        RowState::Bad => DEMASK_ROW_BAD,
        RowState::Kept => DEMASK_ROW_SKIPPED,
        RowState::Remasked => DEMASK_ROW_REMASKED,
        RowState::Renoised => DEMASK_ROW_RENOISED,
    }
}

/// Where a step's report goes, checked before the step is made.
pub(super) struct Out<'a> {
    at: *mut demask_step_out,
    /// The size of the struct there.
    size: usize,
    tokens: Option<&'a mut [MaybeUninit<i32>]>,
    row_state: Option<&'a mut [MaybeUninit<u8>]>,
}

impl Out<'_> {
    /// # Safety
    /// The caller's promise for `at` and its arrays of `rows` rows, as long as the result lives.
    pub(super) unsafe fn new(at: *mut demask_step_out, rows: usize) -> Result<Self, Refusal> {
        if at.is_null() {
            return Ok(Self { at, size: 0, tokens: None, row_state: None });
        }
        // SAFETY: the caller's promise.
        unsafe {
            let out = pointer::read(at)?;
            if out.reserved != 0 {
                return Err(Refusal(DEMASK_ERR_ARGUMENT));
            }
            Ok(Self {
                at,
                size: out.struct_size as usize,
                tokens: pointer::optional_slice_out(out.tokens, rows)?,
                row_state: pointer::optional_slice_out(out.row_state, rows)?,
            })
        }
    }

    /// Writes the report; `drawn` are the rows that were drawn.
    pub(super) fn write(
        self,
        active: usize,
        report: StepReport,
        drawn: impl Iterator<Item = (usize, Drawn)> + Clone,
    ) {
        if let Some(tokens) = self.tokens {
            tokens.fill(MaybeUninit::new(Drawn::BAD.token));
            for (row, drawn) in drawn.clone() {
                tokens[row].write(drawn.token);
            }
        }
        if let Some(states) = self.row_state {
            states.fill(MaybeUninit::new(DEMASK_ROW_SKIPPED));
            for (row, drawn) in drawn {
                states[row].write(state_number(drawn.state));
            }
        }
        if !self.at.is_null() {
            let has = |offset: usize| self.size >= offset + size_of::<usize>();
            // SAFETY: the promise that this was made with; the first three are in every version.
            unsafe {
                if has(offset_of!(demask_step_out, n_remasked)) {
                    (&raw mut (*self.at).n_remasked).write(report.remasked);
                }
                if has(offset_of!(demask_step_out, n_filled)) {
                    (&raw mut (*self.at).n_filled).write(report.filled);
                }
                if has(offset_of!(demask_step_out, n_edited)) {
                    (&raw mut (*self.at).n_edited).write(report.edited);
                }
                if has(offset_of!(demask_step_out, n_renoised)) {
                    (&raw mut (*self.at).n_renoised).write(report.renoised);
                }
                (&raw mut (*self.at).n_active).write(active);
                (&raw mut (*self.at).n_revealed).write(report.revealed);
                (&raw mut (*self.at).n_bad_rows).write(report.bad_rows);
            }
        }
    }
}
