//! Reveal: a masked position gets its drawn token.

use crate::canvas::{Canvas, PositionKind, PositionState};
use crate::draw::{Drawn, RowState};

/// Writes `drawn` at canvas position `at`, unless its row was bad; says whether it did.
pub(crate) fn reveal(canvas: &mut Canvas<'_>, at: u32, drawn: Drawn, state: PositionState) -> bool {
    let good = drawn.state == RowState::Drawn;
    if good {
        canvas.write(at, drawn.token, PositionKind::COMMITTED, state);
    }
    good
}
