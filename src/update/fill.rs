//! Fill: what is still masked after the end of a text gets a token that stands for nothing.

use crate::canvas::{Canvas, PositionKind, PositionState};
use crate::policy::Stop;

/// If an end token stands in segment `i` with no mask before it, writes what is to stand after it to
/// all masks that are left in the segment, which are no part of the text any more; returns how many.
pub(crate) fn fill(canvas: &mut Canvas<'_>, i: usize, stop: &Stop<'_>) -> usize {
    if stop.end_tokens.is_empty() {
        return 0;
    }
    let segment = canvas.segments()[i];
    let mut open = segment.begin..segment.end;
    let ends = |&at: &u32| {
        let written = canvas.kind(at) != PositionKind::FIXED;
        canvas.is_masked(at) || written && stop.end_tokens.contains(&canvas.tokens()[at as usize])
    };
    let Some(end) = open.find(ends).filter(|&end| !canvas.is_masked(end)) else { return 0 };
    let token = stop.fill.unwrap_or(canvas.tokens()[end as usize]);
    let state = PositionState { step: segment.step, ..PositionState::default() };
    let mut filled = 0;
    for at in open {
        if canvas.is_masked(at) {
            canvas.write(at, token, PositionKind::INACTIVE, state);
            filled += 1;
        }
    }
    filled
}
