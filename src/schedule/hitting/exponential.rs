//! Exponential variables with mean 1, in f64.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

/// An exponential variable with mean 1, with full relative precision near 0: at least 2^-65,
/// at most 45.06. By inversion, −ln of a uniform number; the logarithm is derived here.
pub fn exponential(rng: &mut Xoshiro256PlusPlus) -> f64 {
    of_word(rng.next_u64())
}

/// ln(1 + f) = 2s + s³·P(s²), s = f/(2 + f), for 1 + f in [√½, √2]: a minimax fit made for this
/// file, to 2.5e-18 of the logarithm.
const P: [f64; 7] = [
    0.666_666_666_666_673_4,
    0.399_999_999_994_146_8,
    0.285_714_287_423_875_2,
    0.222_221_985_731_932_44,
    0.181_835_643_257_283_94,
    0.153_140_505_609_004_36,
    0.147_959_496_225_584_2,
];

/// ln 2, whose first part times an integer of up to 11 bits is exact.
const LN_2: [f64; 2] = [0.693_147_180_559_890_3, 5.497_923_018_708_371e-14];

/// −ln(1 − v), v = (`word` + ½)/2^64, to 1e-15 of itself.
///
/// No branches, and nothing but sums, products and a quotient of f64, which are never fused: a loop
/// over it becomes vector code at every level, with the bits of the scalar one.
#[inline(always)]
pub(super) fn of_word(word: u64) -> f64 {
    // `near` is v or 1 − v, whichever is at most ½, so that no digits are lost on either side.
    let upper = word >> 63 == 1;
    let nearer = if upper { !word } else { word };
    let near = (nearer.cast_signed() as f64 + 0.5) * f64::from_bits((1023 - 64) << 52);

    // Lower half: ln(1 − near), as ln(1 + f) or ln((1 + f)/2).
    let below_root = near < 1.0 - core::f64::consts::FRAC_1_SQRT_2;
    let lower_f = if below_root { -near } else { 1.0 - 2.0 * near };
    let lower_e = if below_root { 0.0 } else { -1.0 };
    // Upper half: ln(near), with the exponent taken out so that 1 + f is within [√½, √2).
    // Subtracting the bits of √½ makes the exponent field count from there.
    let root = core::f64::consts::FRAC_1_SQRT_2.to_bits();
    let field = near.to_bits().wrapping_add((1023 << 52) - root) >> 52;
    let mantissa = f64::from_bits(near.to_bits().wrapping_sub(field.wrapping_sub(1023) << 52));
    let upper_f = mantissa - 1.0;
    // The field as a float: in the low bits of 2^52.
    let upper_e =
        f64::from_bits(field | (1023 + 52) << 52) - (f64::from_bits((1023 + 52) << 52) + 1023.0);
    let f = if upper { upper_f } else { lower_f };
    let e = if upper { upper_e } else { lower_e };

    // ln(1 + f) = f − (f²/2 − s·(f²/2 + z·P(z))), z = s²: the same, with f in front.
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = P[0] + w * (P[2] + w * (P[4] + w * P[6]));
    let odd = P[1] + w * (P[3] + w * P[5]);
    let half_square = 0.5 * f * f;
    let tail = s * (half_square + z * (even + z * odd)) + e * LN_2[1];
    -(e * LN_2[0] + (f - (half_square - tail)))
}
