//! Even sizes.

/// How many of `left` masks a step reveals with `steps_left` steps left, this one included: sizes
/// that differ by at most one, the larger ones first.
pub(super) fn size(left: u32, steps_left: u32) -> u32 {
    left.div_ceil(steps_left)
}

/// The same, the larger ones last.
pub(super) fn size_reversed(left: u32, steps_left: u32) -> u32 {
    left / steps_left
}
