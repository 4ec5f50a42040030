//! Time grids of the caller.

use super::boundary;
use super::pointer;
use super::status::demask_status;
use crate::schedule::{Grid, TimeGrid};

/// A time grid by its times. Made by a demask_time_grid_create function, freed by demask_time_grid_destroy.
/// Calls only read it, from any number of threads at once; it must live as long as a policy that
/// points to it is used.
#[cfg_attr(all(), repr(transparent))] // hidden from cbindgen, which would name the inner type
pub struct demask_time_grid {
    grid: TimeGrid,
}

impl demask_time_grid {
    pub(super) fn grid(&self) -> &TimeGrid {
        &self.grid
    }

    /// The handle is the grid and nothing else.
    pub(super) fn of(grid: &TimeGrid) -> *const Self {
        (&raw const *grid).cast()
    }
}

/// Makes the time grid whose step k goes from `times[k]` to `times[k + 1]`, and writes it to `*out`:
/// `n` times, at least 2, none above the one before, the first finite, the last at least 0 and below it. The
/// caller owns it, and frees it with demask_time_grid_destroy; `times` are copied.
///
/// A policy that uses it has as many steps, which is one less than `n`, and its first and last time
/// as start and end.
///
/// Errors: NULL, ALIGN, SHAPE (fewer than 2 times), ARGUMENT (a time out of range or order),
/// RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_time_grid_create(
    times: *const f64,
    n: usize,
    out: *mut *mut demask_time_grid,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let times = pointer::slice(times, n)?;
        let out = pointer::out(out)?;
        boundary::afford((n as u64).saturating_mul(8))?;
        let grid = TimeGrid::new(times)?;
        out.write(Box::into_raw(Box::new(demask_time_grid { grid })));
        Ok(())
    })
}

/// Makes the time grid of ReMDM-loop in `steps` steps, at least 2, for DEMASK_NOISE_LINEAR (Wang et al.,
/// arXiv 2503.00307): of a clock that falls evenly from 1 to 0, alpha rises to `alpha_on` until the clock
/// shows `on`, stays there until it shows `off`, and then rises to 1. Theirs are 0.55, 0.05 and 0.9. It is
/// owned and freed as that of demask_time_grid_create; demask_policy_remdm_loop makes a policy of it.
///
/// Errors: NULL, ALIGN, SHAPE (2^31 steps or more), ARGUMENT (fewer than 2; not 0 < `off` < `on` < 1,
/// `alpha_on` not between 0 and 1), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_time_grid_create_remdm_loop(
    steps: u32,
    on: f64,
    off: f64,
    alpha_on: f64,
    out: *mut *mut demask_time_grid,
) -> demask_status {
    boundary::call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { pointer::out(out)? };
        // The times, and the copy of them that a grid keeps; so many as are not refused.
        boundary::afford(if steps < 1 << 31 { 16 * u64::from(steps) + 16 } else { 0 })?;
        let grid = TimeGrid::remdm_loop(steps, on, off, alpha_on)?;
        out.write(Box::into_raw(Box::new(demask_time_grid { grid })));
        Ok(())
    })
}

/// Writes the number of steps of a time grid, its first and largest time, and its last one: what steps,
/// start and end of a policy that uses it are.
///
/// Errors: NULL, ALIGN.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_time_grid_shape(
    grid: *const demask_time_grid,
    steps: *mut u32,
    start: *mut f64,
    end: *mut f64,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let grid = pointer::object(grid)?.grid();
        let (steps, start, end) = (pointer::out(steps)?, pointer::out(start)?, pointer::out(end)?);
        steps.write(grid.steps());
        start.write(grid.start());
        end.write(grid.end());
        Ok(())
    })
}

/// Frees a time grid. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_time_grid_destroy(grid: *mut demask_time_grid) {
    // SAFETY: the caller's promise.
    unsafe { boundary::free(grid) }
}

/// Writes the fraction of the decaying grid that goes from `start` to `end` in `steps` steps, for
/// grid_fraction of a policy whose start and end these are.
///
/// Errors: NULL, ALIGN, ARGUMENT (`end` not above 0, `start` not finite and above `end`, or too few
/// steps, each of which goes down by 1 at most).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_grid_decaying(
    start: f64,
    end: f64,
    steps: u32,
    out: *mut f64,
) -> demask_status {
    boundary::call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { pointer::out(out)? };
        if let Grid::Decaying { fraction } = Grid::decaying(start, end, steps)? {
            out.write(fraction);
        }
        Ok(())
    })
}
