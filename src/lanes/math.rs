//! exp and ln, the same bits at every level.
//!
//! | function | argument | largest error | test |
//! |---|---|---|---|
//! | [`weight`] | any logits, T ≥ 1e-30 | [`WEIGHT_ERROR`] relative | `weights_keep_their_error_bound` |
//! | [`exponential`] | any 64 bits | [`EXPONENTIAL_ULP`] ULP | `exponentials_keep_their_error_bound` |
//!
//! The polynomials are minimax fits of relative error made for this file: 2^f on [−½, ½] to
//! 2.0e-9, ln(1 + f) on [√½ − 1, √2 − 1] to 5.8e-9.

use super::Lanes;
use crate::draw::Temperature;

/// The largest relative error of [`weight`] where it is not 0.
pub(crate) const WEIGHT_ERROR: f64 = 1.5e-7;

/// The largest error of [`exponential`] in units in the last place.
pub(crate) const EXPONENTIAL_ULP: f64 = 2.0;

/// Adding and subtracting this rounds a float below 2^22 to an integer, which then also stands in
/// the low bits.
const ROUND: f32 = 12_582_912.0;

const EXP2: [f32; 7] = [
    1.0,
    0.693_147_2,
    0.240_226_48,
    0.055_503_324,
    0.009_618_437,
    0.001_339_887_4,
    0.000_153_533_62,
];

const LN: [f32; 8] = [
    0.333_333_3,
    -0.250_008_2,
    0.200_012_27,
    -0.166_233_57,
    0.142_017_57,
    -0.131_601_83,
    0.127_615_76,
    -0.076_344_97,
];

#[inline(always)]
fn horner<L: Lanes, const N: usize>(s: L, x: L::F, coefficients: &[f32; N]) -> L::F {
    let mut y = s.splat(coefficients[N - 1]);
    for &c in coefficients[..N - 1].iter().rev() {
        y = s.fma(y, x, s.splat(c));
    }
    y
}

/// exp((x − max)/T) for x ≤ max: 1 at the maximum, exactly 0 from 125 halvings below it on (and
/// for −∞), never subnormal.
///
/// x − max is taken exactly, as a rounded difference and its rounding error, so that the result
/// keeps its relative error whatever the offset and the temperature.
#[inline(always)]
pub(crate) fn weight<L: Lanes>(s: L, x: L::F, max: f32, temperature: Temperature) -> L::F {
    let max = s.splat(max);
    let (high, low) = (s.splat(temperature.high), s.splat(temperature.low));
    let below = s.sub(x, max);
    let max_part = s.sub(below, x);
    // TwoSum of x and −max: (x − (below − max_part)) + (−max − max_part).
    let error = s.sub(s.sub(x, s.sub(below, max_part)), s.add(max, max_part));
    let rounded = s.fma(below, high, s.splat(ROUND));
    let integer = s.sub(rounded, s.splat(ROUND));
    let zero = s.splat(0.0);
    let fraction = s.fma(below, high, s.sub(zero, integer));
    let fraction = s.fma(below, low, fraction);
    let fraction = s.fma(error, high, fraction);
    let power = horner(s, fraction, &EXP2);
    // 2^integer: the low bits of `rounded` are the integer, to which the exponent's bias is added.
    let bias = s.splat_u32(127u32.wrapping_sub(ROUND.to_bits()));
    let scale = s.from_bits(s.shl::<23>(s.add_u32(s.to_bits(rounded), bias)));
    s.select(s.greater(below, s.splat(temperature.floor)), s.mul(power, scale), zero)
}

/// Sixteen exponential variables with mean 1 from 64 random bits each, with full relative
/// precision near 0: −ln(1 − v), v = (`high`·2^32 + `low` + ½)/2^64 (a half bit of `low` aside).
#[inline(always)]
pub(crate) fn exponential<L: Lanes>(s: L, high: L::U, low: L::U) -> L::F {
    // `near` is v or 1 − v, whichever is below ½, so that no digits are lost on either side.
    let upper = s.greater(s.to_f32(s.shr::<31>(high)), s.splat(0.5));
    let zeros = s.splat(0.0);
    let ones = s.from_bits(s.splat_u32(u32::MAX));
    let flip = s.to_bits(s.select(upper, ones, zeros));
    let (high, low) = (s.xor(high, flip), s.xor(low, flip));
    let low = s.fma(s.to_f32(s.shr::<1>(low)), s.splat(0.5f32.powi(63)), s.splat(0.5f32.powi(64)));
    let near = s.fma(s.to_f32(high), s.splat(0.5f32.powi(32)), low);

    // Lower half: ln(1 − near), as ln(1 + f) or ln((1 + f)/2). Upper half: ln(near), with the
    // exponent taken out so that 1 + f is within [√½, √2).
    let one = s.splat(1.0);
    let below_root = s.greater(s.splat(1.0 - core::f32::consts::FRAC_1_SQRT_2), near);
    let minus = s.sub(zeros, near);
    let lower_f = s.select(below_root, minus, s.fma(near, s.splat(-2.0), one));
    let lower_e = s.select(below_root, zeros, s.splat(-1.0));
    // Subtracting the bits of √½ makes the exponent field count from there.
    let root = core::f32::consts::FRAC_1_SQRT_2.to_bits();
    let shifted = s.add_u32(s.to_bits(near), s.splat_u32((127u32 << 23).wrapping_sub(root)));
    let field = s.shr::<23>(shifted);
    let upper_e = s.sub(s.to_f32(field), s.splat(127.0));
    let exponent = s.shl::<23>(s.add_u32(field, s.splat_u32(127u32.wrapping_neg())));
    let negative = s.add_u32(s.xor(exponent, s.splat_u32(u32::MAX)), s.splat_u32(1));
    let mantissa = s.from_bits(s.add_u32(s.to_bits(near), negative));
    let upper_f = s.sub(mantissa, one);
    let f = s.select(upper, upper_f, lower_f);
    let e = s.select(upper, upper_e, lower_e);

    // −(e·ln 2 + f − f²/2 + f³·P(f)), the small terms first.
    let square = s.mul(f, f);
    let tail = s.mul(s.mul(square, f), horner(s, f, &LN));
    let tail = s.fma(square, s.splat(-0.5), tail);
    let (ln2_high, ln2_low) = (0.693_359_4, -2.121_944_4e-4);
    let tail = s.fma(e, s.splat(ln2_low), tail);
    let sum = s.fma(e, s.splat(ln2_high), s.add(f, tail));
    s.sub(zeros, sum)
}
