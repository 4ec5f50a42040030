//! Plans in memory of the caller.

use super::boundary;
use super::canvas::{OpenCanvas, demask_canvas};
use super::context::demask_context;
use super::pointer::{self, c_struct};
use super::status::{
    DEMASK_ERR_ARGUMENT, DEMASK_ERR_CAPACITY, DEMASK_ERR_PLAN, DEMASK_ERR_SHAPE, Refusal,
    demask_status,
};
use crate::canvas::Canvas;
use crate::plan::Plan;
use crate::sampler::Sampler;

/// A plan: the positions that the next step moves, chosen before the network runs. The arrays are
/// the caller's; demask_plan fills them, demask_step_planned reads them.
///
/// Row k of the plan is canvas position `rows[k]`. The rows of segment i are those from
/// `offsets[i]` to before `offsets[i + 1]`, ascending.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_plan_buffers {
    /// sizeof(demask_plan_buffers), as the caller was compiled.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// Room for `rows_capacity` canvas positions: those whose logits the step needs.
    pub rows: *mut u32,
    /// As many as there are positions in segments are always enough.
    pub rows_capacity: usize,
    /// Room for `segments_capacity + 1` row numbers.
    pub offsets: *mut u32,
    /// Room for `segments_capacity` step numbers: the step of each segment that was planned.
    pub steps: *mut u32,
    /// Room for `segments_capacity` values: the log_masked of each segment after the step.
    pub log_masked: *mut f64,
    /// Room for `segments_capacity` times, or NULL: the time at which a time-conditioned network
    /// is to be evaluated for each segment (0 for one that is done).
    pub times: *mut f64,
    /// At least the number of segments of the canvas.
    pub segments_capacity: usize,
    /// Set by demask_plan: how many segments the canvas has.
    pub n_segments: usize,
    /// Set by demask_plan: how many rows were planned. If 0, the network need not run, but the step
    /// is still made: time passes.
    pub n_rows: usize,
    /// Set by demask_plan: in how many segments something may still move, now or later. At 0 the
    /// batch is done, and no step is to be made.
    pub n_active: usize,
    /// NULL, or room for `segments_capacity` numbers, 0 or 1: whether the step reads the earlier
    /// logits of the segment's rows.
    pub reads_earlier: *mut u8,
    /// Set by demask_plan: the number of rows for which the step reads earlier logits. If it is not
    /// 0, the logits of the step have an `earlier`.
    pub n_earlier: usize,
    /// NULL, or room for `remasked_capacity` canvas positions: the committed ones that the step makes masks
    /// again (DEMASK_UPDATE_REMASK), ascending.
    pub remasked: *mut u32,
    /// As many as there are positions in segments are always enough. Not looked at without `remasked`.
    pub remasked_capacity: usize,
    /// Set by demask_plan: how many positions the step makes masks again.
    pub n_remasked: usize,
}
c_struct!(demask_plan_buffers: 128, grew from 104);

/// Chooses the positions that the next step moves, without looking at logits. The canvas is not
/// changed, and planning again gives the same plan: the choice depends on the seed, stream, step,
/// policy and masks of each segment alone.
///
/// Errors: NULL, STRUCT, SHAPE, ALIGN, ARGUMENT, CAPACITY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_plan(
    context: *mut demask_context,
    canvas: *const demask_canvas,
    plan: *mut demask_plan_buffers,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        boundary::call_on(context, |context| {
            let canvas = OpenCanvas::read(canvas, &mut context.room)?.view;
            let buffers = demask_plan_buffers::read(plan)?;
            context.sampler.plan(&canvas, &mut context.plan)?;
            buffers.fill(&canvas, &context.plan)?;
            (&raw mut (*plan).n_segments).write(canvas.segments().len());
            (&raw mut (*plan).n_rows).write(context.plan.rows().len());
            (&raw mut (*plan).n_active).write(context.plan.active());
            let all = context.plan.segments().iter().zip(context.plan.offsets().windows(2));
            let reading = all.filter(|(planned, _)| planned.reads_earlier);
            let rows = reading.map(|(_, ends)| (ends[1] - ends[0]) as usize).sum();
            (&raw mut (*plan).n_earlier).write(rows);
            if buffers.struct_size as usize >= size_of::<demask_plan_buffers>() {
                (&raw mut (*plan).n_remasked).write(context.plan.remasked().len());
            }
            Ok(())
        })
    }
}

impl demask_plan_buffers {
    /// # Safety
    /// The caller's promise for `plan`.
    pub(super) unsafe fn read(plan: *const Self) -> Result<Self, Refusal> {
        // SAFETY: the caller's promise.
        let buffers = unsafe { pointer::read(plan)? };
        if buffers.reserved == 0 { Ok(buffers) } else { Err(Refusal(DEMASK_ERR_ARGUMENT)) }
    }

    /// Fills the arrays from `plan`, or none of them.
    ///
    /// # Safety
    /// The caller's promise for the arrays.
    unsafe fn fill(&self, canvas: &Canvas<'_>, plan: &Plan) -> Result<(), Refusal> {
        let segments = self.segments_capacity;
        let ends = segments.checked_add(1).ok_or(Refusal(DEMASK_ERR_SHAPE))?;
        // SAFETY: the caller's promise.
        let (rows, offsets, steps, log_masked, times, reads_earlier, remasked) = unsafe {
            (
                pointer::slice_out(self.rows, self.rows_capacity)?,
                pointer::slice_out(self.offsets, ends)?,
                pointer::slice_out(self.steps, segments)?,
                pointer::slice_out(self.log_masked, segments)?,
                pointer::optional_slice_out(self.times, segments)?,
                pointer::optional_slice_out(self.reads_earlier, segments)?,
                pointer::optional_slice_out(self.remasked, self.remasked_capacity)?,
            )
        };
        let few = |remasked: &&mut [_]| remasked.len() < plan.remasked().len();
        if plan.rows().len() > rows.len()
            || canvas.segments().len() > segments
            || remasked.as_ref().is_some_and(few)
        {
            return Err(Refusal(DEMASK_ERR_CAPACITY));
        }
        pointer::write_each(rows, plan.rows());
        pointer::write_each(offsets, plan.offsets());
        pointer::write_each(steps, plan.segments().iter().map(|planned| &planned.step));
        pointer::write_each(log_masked, plan.segments().iter().map(|planned| &planned.log_masked));
        pointer::write_each(times.unwrap_or_default(), plan.times());
        pointer::write_each(remasked.unwrap_or_default(), plan.remasked());
        for (place, planned) in reads_earlier.unwrap_or_default().iter_mut().zip(plan.segments()) {
            place.write(planned.reads_earlier.into());
        }
        Ok(())
    }

    /// Plans again, and refuses a plan of the caller that is another one: what a step needs beside
    /// the arrays follows from the canvas.
    ///
    /// # Safety
    /// The caller's promise for the arrays.
    pub(super) unsafe fn load(
        &self,
        canvas: &Canvas<'_>,
        sampler: &Sampler,
        plan: &mut Plan,
    ) -> Result<(), Refusal> {
        let stands = |holds: bool| if holds { Ok(()) } else { Err(Refusal(DEMASK_ERR_PLAN)) };
        let segments = canvas.segments().len();
        stands(self.n_segments == segments)?;
        sampler.plan(canvas, plan)?;
        // No more is read than there must be.
        stands(self.n_rows == plan.rows().len())?;
        // SAFETY: the caller's promise.
        let (rows, offsets, steps, log_masked) = unsafe {
            (
                pointer::slice(self.rows, self.n_rows)?,
                pointer::slice(self.offsets, segments + 1)?,
                pointer::slice(self.steps, segments)?,
                pointer::slice(self.log_masked, segments)?,
            )
        };
        stands(rows == plan.rows() && offsets == plan.offsets())?;
        for ((planned, &step), log_masked) in plan.segments().iter().zip(steps).zip(log_masked) {
            let same = log_masked.to_bits() == planned.log_masked.to_bits();
            stands(step == planned.step && same)?;
        }
        Ok(())
    }
}
