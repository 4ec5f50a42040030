//! Time grids of the caller.

use super::boundary;
use super::pointer;
use super::status::demask_status;
use crate::schedule::TimeGrid;

/// A time grid by its times. Made by demask_time_grid_create, freed by demask_time_grid_destroy.
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

/// Frees a time grid. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_time_grid_destroy(grid: *mut demask_time_grid) {
    if !grid.is_null() {
        // SAFETY: the caller's promise: it came out of the box that the function above made.
        let grid = unsafe { Box::from_raw(grid) };
        // Nobody is left to be told of a bug in here.
        let _ = boundary::call(|| {
            drop(grid);
            Ok(())
        });
    }
}
