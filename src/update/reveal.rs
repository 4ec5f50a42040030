//! Reveal: a position gets its drawn token; and whatever else a step wrote to it.

use super::remask::remask;
use crate::canvas::{Canvas, PositionKind, PositionState};
use crate::draw::{Drawn, RowState};

/// Does what was decided about canvas position `at`.
pub(crate) fn write(canvas: &mut Canvas<'_>, at: u32, drawn: Drawn, state: PositionState) {
    match drawn.state {
        RowState::Drawn => canvas.write(at, drawn.token, PositionKind::COMMITTED, state),
        RowState::Renoised => canvas.write(at, drawn.token, PositionKind::MASKED, state),
        RowState::Remasked => remask(canvas, at),
        RowState::Kept | RowState::Bad => {}
    }
}
