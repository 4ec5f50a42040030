//! The exponential function, without branches or calls, so that loops over it become SIMD code.

use core::f32::consts::{LN_2, LOG2_E};

/// e^x to a few units of 2^-23, relative, for results between 2^-126 and 2^127, and one of these
/// beyond.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    /// Adding it rounds to an integer, which the low bits of the sum then hold.
    const ROUND: f32 = 12_582_912.0;
    let bits = (x * LOG2_E).clamp(-126.0, 127.0);
    let rounded = bits + ROUND;
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
    // What is left is e^r with |r| ≤ ln(2)/2, by its Taylor series.
    let r = (bits - (rounded - ROUND)) * LN_2;
    let series = 1.0 / 720.0 + r * (1.0 / 5040.0);
    let series = 1.0 / 24.0 + r * (1.0 / 120.0 + r * series);
    let series = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * series)));
    power * series
}
