//! exp and ln, the same bits at every level.
//!
//! | function | argument | largest error | test |
//! |---|---|---|---|
//! | [`weight`] | any logits, T ≥ 1e-30 | [`WEIGHT_ERROR`] relative | `weights_keep_their_error_bound` |
//! | [`fast_weight`] | 0 to 125 halvings below | [`FAST_WEIGHT_ERROR`] relative, see there | `fast_weights_keep_their_error_bound` |
//! | [`weight_bound`] | the same | above [`weight`] by [`BOUND_EXCESS`] relative and 2^-22 | `bounds_lie_above_weights` |
//! | [`exponentials`] | any 64 bits | [`EXPONENTIAL_ULP`] ULP | `exponentials_keep_their_error_bound` |
//! | [`log`] | positive, normal | [`LOG_ULP`] ULP | `logarithms_keep_their_error_bound` |
//! | [`exp_f64`] | at most 0 | [`F64_ERROR`] relative | `functions_of_f64_keep_their_error_bound` |
//! | [`ln_f64`], [`ln_1p_f64`] | not negative | [`F64_ERROR`] relative | the same |
//!
//! The polynomials are minimax fits of relative error made for this file: 2^f on [−½, ½] to
//! 2.0e-9, 2^(f/16) on the same to 4.3e-7, ln(1 + f) on [√½ − 1, √2 − 1] to 5.8e-9.

use super::Lanes;
use crate::draw::Temperature;

/// The largest relative error of [`weight`] where it is not 0.
#[cfg(test)]
pub(crate) const WEIGHT_ERROR: f64 = 1.2e-7;

/// The largest relative error of [`fast_weight`] beside that of its argument.
#[cfg(test)]
pub(crate) const FAST_WEIGHT_ERROR: f64 = 6e-7;

/// How far [`weight_bound`] may lie above the weight, relative to it.
#[cfg(test)]
pub(crate) const BOUND_EXCESS: f64 = 0.0616;

/// The largest error of [`exponentials`] in units in the last place.
#[cfg(test)]
pub(crate) const EXPONENTIAL_ULP: f64 = 2.0;

/// The largest relative error of the functions of f64.
#[cfg(test)]
pub(crate) const F64_ERROR: f64 = 2e-8;

/// The largest error of [`log`] in units in the last place.
#[cfg(test)]
pub(crate) const LOG_ULP: f64 = 2.0;

/// Adding and subtracting this rounds a float below 2^22 to an integer, which then also stands in
/// the low bits.
const ROUND: f32 = 12_582_912.0;

const EXP2: [f32; 7] = [
    1.0,
    core::f32::consts::LN_2,
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
pub(crate) fn weight<L: Lanes>(s: L, x: L::F, max: L::F, temperature: Temperature) -> L::F {
    let (high, low) = (s.splat(temperature.high), s.splat(temperature.low));
    let below = s.sub(x, max);
    let max_part = s.sub(below, x);
    // TwoSum of x and −max: (x − (below − max_part)) + (−max − max_part).
    let error = s.sub(s.sub(x, s.sub(below, max_part)), s.add(max, max_part));
    let rounded = s.fma(below, high, s.splat(ROUND));
    let minus_integer = s.sub(s.splat(ROUND), rounded);
    let fraction = s.fma(below, high, minus_integer);
    let fraction = s.fma(below, low, fraction);
    let fraction = s.fma(error, high, fraction);
    let power = horner(s, fraction, &EXP2);
    // 2^integer: the low bits of `rounded` are the integer, to which the exponent's bias is added.
    let bias = s.splat_u32(127u32.wrapping_sub(ROUND.to_bits()));
    let scale = s.float_from_bits(s.shl::<23>(s.add_u32(s.float_bits(rounded), bias)));
    s.select(s.greater(below, s.splat(temperature.floor)), s.mul(power, scale), s.splat(0.0))
}

/// 2^(f/16) = 1 + f·(a + f·b), with a constant term of exactly 1.
const EXP2_SIXTEENTH: [f32; 2] = [0.043_324_26, 0.000_938_453_4];

/// The bits of 2^(j/16), less j·2^19: adding k·2^19 gives the bits of 2^(k/16), j = k mod 16.
const SIXTEENTHS: [u32; 16] = [
    0x3F80_0000,
    0x3F7D_AAC3,
    0x3F7B_95C2,
    0x3F79_C3D3,
    0x3F78_37F0,
    0x3F76_F532,
    0x3F75_FED7,
    0x3F75_583F,
    0x3F75_04F3,
    0x3F75_08A4,
    0x3F75_672A,
    0x3F76_248C,
    0x3F77_44FD,
    0x3F78_CCDF,
    0x3F7A_C0C7,
    0x3F7D_257D,
];

/// exp(below/T) for T.floor ≤ below ≤ 0, at about half the cost of [`weight`]; never subnormal, 1
/// at 0, and exact where below·log2(e)/T is an integer.
///
/// Its relative error is [`FAST_WEIGHT_ERROR`] and |below/T|·2^-24: log2(e)/T is rounded to f32,
/// which changes T by that much for all tokens alike.
///
/// The argument is rounded to a sixteenth of an octave, whose power comes from a table (Tang 1989).
#[inline(always)]
pub(crate) fn fast_weight<L: Lanes>(s: L, below: L::F, temperature: Temperature) -> L::F {
    // Exact: high·16 is log2(e)·16/T rounded to f32, and below 2^128 since T is at least 1e-30.
    let scale = s.splat(16.0 * temperature.high);
    let rounded = s.fma(below, scale, s.splat(ROUND));
    let minus_integer = s.sub(s.splat(ROUND), rounded);
    let fraction = s.fma(below, scale, minus_integer);
    let [a, b] = EXP2_SIXTEENTH;
    let slope = s.fma(fraction, s.splat(b), s.splat(a));
    let power = s.fma(fraction, slope, s.splat(1.0));
    // The low 13 bits of ROUND are 0, so that the shift leaves 2^19 times the integer.
    let bits = s.float_bits(rounded);
    let sixteenth = s.lookup(s.load_u32(&SIXTEENTHS), bits);
    s.mul(power, s.float_from_bits(s.add_u32(sixteenth, s.shl::<19>(bits))))
}

/// The unit of [`weight_bound`]: 2^-22.
pub(crate) const BOUND_UNIT: f64 = 1.0 / (1u32 << 22) as f64;

/// An upper bound of [`weight`] of every logit up to x ≤ max, in whole [`BOUND_UNIT`]s: at least
/// 1, at most [`BOUND_EXCESS`] and one unit above the weight of x itself.
///
/// The bits of a float, read as an integer, are its base-2 logarithm but for a curve that is never
/// above it: (1 + f)·2^n ≥ 2^(n + f) (Schraudolph 1999). Every operation is monotonic in x.
#[inline(always)]
pub(crate) fn weight_bound<L: Lanes>(s: L, x: L::F, max: L::F, temperature: Temperature) -> L::U {
    const OCTAVE: f32 = (1u32 << 23) as f32;
    // The exponent's bias, the unit, and 2^-14: more than all the roundings here can lose.
    const BIAS: f32 = (127.0 + 22.0 + 1.0 / 16_384.0) * OCTAVE;
    let below = s.sub(x, max);
    let bits = s.add(s.mul(below, s.splat(temperature.high * OCTAVE)), s.splat(BIAS));
    // NaN, from −∞ at infinite temperature, may become anything here that is not negative.
    let bound = s.float_from_bits(s.truncate(s.at_least_zero(bits)));
    s.add_u32(s.truncate(bound), s.splat_u32(1))
}

/// Sixteen exponential variables with mean 1 from each pair of `words`, 64 random bits each, with
/// full relative precision near 0: −ln(1 − v), v = (high·2^32 + low + ½)/2^64 (a half bit of low
/// aside).
///
/// Several at a time, so that their chains of dependent instructions overlap.
#[inline(always)]
pub(crate) fn exponentials<L: Lanes, const N: usize>(s: L, words: &[[L::U; 2]; N]) -> [L::F; N] {
    let zero = s.splat(0.0);
    let (mut f, mut e, mut power) = ([zero; N], [zero; N], [s.splat(LN[LN.len() - 1]); N]);
    for i in 0..N {
        (f[i], e[i]) = one_minus(s, words[i]);
    }
    for &c in LN[..LN.len() - 1].iter().rev() {
        for i in 0..N {
            power[i] = s.fma(power[i], f[i], s.splat(c));
        }
    }
    for i in 0..N {
        power[i] = s.sub(zero, log_of_octave(s, e[i], f[i], power[i]));
    }
    power
}

/// f and e with 1 − v = (1 + f)·2^e, 1 + f from √½ to √2.
#[inline(always)]
fn one_minus<L: Lanes>(s: L, [high, low]: [L::U; 2]) -> (L::F, L::F) {
    // `near` is v or 1 − v, whichever is below ½, so that no digits are lost on either side.
    let (upper, flip) = (s.highest(high), s.spread_highest(high));
    let (high, low) = (s.xor(high, flip), s.xor(low, flip));
    let low = s.fma(s.to_f32(s.shr::<1>(low)), s.splat(0.5f32.powi(63)), s.splat(0.5f32.powi(64)));
    let near = s.fma(s.to_f32(high), s.splat(0.5f32.powi(32)), low);

    // Lower half: 1 − near, or half of that. Upper half: near, with the exponent taken out so that
    // 1 + f is within [√½, √2).
    let (zero, one) = (s.splat(0.0), s.splat(1.0));
    let below_root = s.greater(s.splat(1.0 - core::f32::consts::FRAC_1_SQRT_2), near);
    let minus = s.sub(zero, near);
    let lower_f = s.select(below_root, minus, s.fma(near, s.splat(-2.0), one));
    let lower_e = s.select(below_root, zero, s.splat(-1.0));
    let (upper_e, upper_f) = octave(s, near);
    (s.select(upper, upper_f, lower_f), s.select(upper, upper_e, lower_e))
}

/// ln x for x positive and normal.
#[inline(always)]
pub(crate) fn log<L: Lanes>(s: L, x: L::F) -> L::F {
    let (e, f) = octave(s, x);
    log_of_octave(s, e, f, horner(s, f, &LN))
}

/// e and f of x = 2^e·(1 + f), positive and normal, with 1 + f within [√½, √2).
#[inline(always)]
fn octave<L: Lanes>(s: L, x: L::F) -> (L::F, L::F) {
    // Subtracting the bits of √½ makes the exponent field count from there.
    let root = core::f32::consts::FRAC_1_SQRT_2.to_bits();
    let shifted = s.add_u32(s.float_bits(x), s.splat_u32((127u32 << 23).wrapping_sub(root)));
    let e = s.sub(s.to_f32(s.shr::<23>(shifted)), s.splat(127.0));
    let fraction = s.and(shifted, s.splat_u32((1 << 23) - 1));
    let mantissa = s.float_from_bits(s.add_u32(fraction, s.splat_u32(root)));
    (e, s.sub(mantissa, s.splat(1.0)))
}

/// ln(2^e·(1 + f)) as e·ln 2 + f − f²/2 + f³·P(f), the small terms first.
#[inline(always)]
fn log_of_octave<L: Lanes>(s: L, e: L::F, f: L::F, power: L::F) -> L::F {
    let square = s.mul(f, f);
    let tail = s.mul(s.mul(square, f), power);
    let tail = s.fma(square, s.splat(-0.5), tail);
    let (ln2_high, ln2_low) = (0.693_359_4, -2.121_944_4e-4);
    let tail = s.fma(e, s.splat(ln2_low), tail);
    s.fma(e, s.splat(ln2_high), s.add(f, tail))
}

/// Σ c·x^k without fused multiply-adds, which not every level has.
#[inline(always)]
fn horner_f64<const N: usize>(x: f64, coefficients: &[f32; N]) -> f64 {
    coefficients.iter().rev().fold(0.0, |y, &c| y * x + f64::from(c))
}

/// exp(x) for x ≤ 0, to the digits that sums of weights have; 0 where that is below the normal
/// numbers.
///
/// Without branches, so that the rows of a batch do not wait for each other.
#[inline(always)]
pub(crate) fn exp_f64(x: f64) -> f64 {
    // Adding and subtracting this rounds to an integer, which then also stands in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let octaves = x * core::f64::consts::LOG2_E;
    let rounded = octaves.max(-1_023.0) + ROUND;
    let power = horner_f64(octaves - (rounded - ROUND), &EXP2);
    let integer = rounded.to_bits().wrapping_sub(ROUND.to_bits());
    let scale = f64::from_bits(integer.wrapping_add(1_023) << 52);
    // A NaN is one in all that it was compared with.
    if octaves < -1_022.0 { 0.0 } else { power * scale }
}

/// ln x for x ≥ 0, to the digits that sums of weights have: exactly 0 at 1, −∞ at 0, as if 0 below
/// the normal numbers.
#[inline(always)]
pub(crate) fn ln_f64(x: f64) -> f64 {
    // Subtracting the bits of √½ makes the exponent field count from there.
    let root = core::f64::consts::FRAC_1_SQRT_2.to_bits();
    let shifted = x.to_bits().wrapping_add((1_023u64 << 52).wrapping_sub(root));
    let e = (shifted >> 52) as i32 - 1_023;
    let f = f64::from_bits((shifted & ((1 << 52) - 1)).wrapping_add(root)) - 1.0;
    let square = f * f;
    let tail = square * f * horner_f64(f, &LN) - 0.5 * square;
    let ln = f64::from(e) * core::f64::consts::LN_2 + (f + tail);
    if x.is_nan() {
        x
    } else if x < f64::MIN_POSITIVE {
        f64::NEG_INFINITY
    } else {
        ln
    }
}

/// ln(1 + x) for x ≥ 0, to the digits that sums of weights have, however small it is.
#[inline(always)]
pub(crate) fn ln_1p_f64(x: f64) -> f64 {
    let sum = 1.0 + x;
    // What the rounding of the sum lost.
    ln_f64(sum) + (x - (sum - 1.0)) / sum
}

#[cfg(test)]
mod tests {
    use super::{
        BOUND_EXCESS, BOUND_UNIT, EXPONENTIAL_ULP, F64_ERROR, FAST_WEIGHT_ERROR, LOG_ULP,
        SIXTEENTHS, WEIGHT_ERROR, exp_f64, exponentials, fast_weight, ln_1p_f64, ln_f64, log,
        weight, weight_bound,
    };
    use crate::draw::Temperature;
    use crate::lanes::{Kernel, Lanes, Level, run};

    struct Weights<'a> {
        logits: &'a [f32; 16],
        max: f32,
        temperature: Temperature,
    }

    impl Kernel for Weights<'_> {
        type Output = [f32; 16];

        #[inline(always)]
        fn run<L: Lanes>(self, s: L) -> [f32; 16] {
            let mut out = [0.0; 16];
            let max = s.splat(self.max);
            s.store(weight(s, s.load(self.logits), max, self.temperature), &mut out);
            out
        }
    }

    struct Bounds<'a>(Weights<'a>);

    impl Kernel for Bounds<'_> {
        type Output = [u32; 16];

        #[inline(always)]
        fn run<L: Lanes>(self, s: L) -> [u32; 16] {
            let Weights { logits, max, temperature } = self.0;
            let mut out = [0; 16];
            s.store_u32(weight_bound(s, s.load(logits), s.splat(max), temperature), &mut out);
            out
        }
    }

    struct FastWeights<'a>(&'a [f32; 16], Temperature);

    impl Kernel for FastWeights<'_> {
        type Output = [f32; 16];

        #[inline(always)]
        fn run<L: Lanes>(self, s: L) -> [f32; 16] {
            let mut out = [0.0; 16];
            s.store(fast_weight(s, s.load(self.0), self.1), &mut out);
            out
        }
    }

    struct Exponentials([u32; 16], [u32; 16]);

    impl Kernel for Exponentials {
        type Output = [f32; 16];

        #[inline(always)]
        fn run<L: Lanes>(self, s: L) -> [f32; 16] {
            let mut out = [0.0; 16];
            let words = [[s.load_u32(&self.0), s.load_u32(&self.1)]];
            s.store(exponentials(s, &words)[0], &mut out);
            out
        }
    }

    struct Logs<'a>(&'a [f32; 16]);

    impl Kernel for Logs<'_> {
        type Output = [f32; 16];

        #[inline(always)]
        fn run<L: Lanes>(self, s: L) -> [f32; 16] {
            let mut out = [0.0; 16];
            s.store(log(s, s.load(self.0)), &mut out);
            out
        }
    }

    fn levels() -> impl Iterator<Item = Level> {
        Level::ALL.into_iter().filter(|level| level.is_available())
    }

    /// A small generator for test inputs (SplitMix64).
    fn words(mut state: u64) -> impl FnMut() -> u64 {
        move || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let x = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            x ^ (x >> 31)
        }
    }

    #[test]
    fn weights_keep_their_error_bound() {
        let mut next = words(1);
        let mut worst = 0.0f64;
        for offset in [0.0f32, 1.0, -7.3, 1e3, -3e4, 3e4, 1e-20, 1e7] {
            for t in [1e-3f32, 0.1, 0.7, 1.0, 2.0, 10.0, 1e3, f32::INFINITY] {
                let temperature = Temperature::new(t).expect("a fine temperature");
                for round in 0..2_000 {
                    // From close to the maximum to beyond the floor.
                    let reach = t.min(1e30) * [1e-3, 1.0, 30.0, 95.0][round % 4];
                    let logits = core::array::from_fn(|_| {
                        offset - (next() >> 40) as f32 / (1u64 << 24) as f32 * reach
                    });
                    let max = logits.iter().fold(offset, |a: f32, &b| a.max(b));
                    let ours = run(Level::Baseline, Weights { logits: &logits, max, temperature });
                    for level in levels() {
                        let other = run(level, Weights { logits: &logits, max, temperature });
                        assert_eq!(ours.map(f32::to_bits), other.map(f32::to_bits), "{level}");
                    }
                    for (&x, w) in logits.iter().zip(ours) {
                        let y = (f64::from(x) - f64::from(max)) / f64::from(t);
                        if y < -124.99 * core::f64::consts::LN_2 {
                            assert!(w == 0.0 || f64::from(w) < 2.4e-38, "{x} below {max} at {t}");
                            continue;
                        }
                        let error = (f64::from(w) / y.exp() - 1.0).abs();
                        worst = worst.max(error);
                        assert!(error < WEIGHT_ERROR, "weight({x}, {max}, T {t}): {error:e}");
                    }
                }
            }
        }
        println!("largest relative error of a weight: {worst:.3e}");
    }

    #[test]
    fn fast_weights_keep_their_error_bound() {
        for (j, &entry) in SIXTEENTHS.iter().enumerate() {
            let power = (2f64.powf(j as f64 / 16.0) as f32).to_bits();
            assert_eq!(entry.wrapping_add((j as u32) << 19), power, "2^({j}/16)");
        }
        let mut next = words(4);
        let mut worst = 0.0f64;
        for t in [1e-30f32, 1e-3, 0.1, 0.7, 1.0, 2.0, 10.0, 1e3, 1e30] {
            let temperature = Temperature::new(t).expect("a fine temperature");
            for round in 0..20_000 {
                let reach = temperature.floor * [1e-4, 0.01, 0.2, 1.0][round % 4];
                let mut below =
                    core::array::from_fn(|_| (next() >> 40) as f32 / (1u64 << 24) as f32 * reach);
                below[3] = 0.0;
                below[7] = temperature.floor;
                let ours = run(Level::Baseline, FastWeights(&below, temperature));
                for level in levels() {
                    let other = run(level, FastWeights(&below, temperature));
                    assert_eq!(ours.map(f32::to_bits), other.map(f32::to_bits), "{level}");
                }
                assert!(ours[3] == 1.0, "at the reference");
                for (x, w) in below.into_iter().zip(ours) {
                    let y = f64::from(x) / f64::from(t);
                    let argument = -y * 0.5f64.powi(24);
                    let error = (f64::from(w) / y.exp() - 1.0).abs();
                    assert!(w.is_normal(), "exp({y}) = {w:e}");
                    assert!(error < FAST_WEIGHT_ERROR + argument, "exp({y}) to {error:e}");
                    worst = worst.max(error - argument);
                }
            }
        }
        println!("largest relative error of a fast weight: {worst:.3e}");
    }

    #[test]
    fn whole_halvings_are_exact() {
        // log2(e)/T rounds to 1.
        let temperature = Temperature::new(core::f32::consts::LOG2_E).expect("a temperature");
        assert!(temperature.high == 1.0);
        for n in 0..=125 {
            let below = [-(n as f32); 16];
            for level in levels() {
                let w = run(level, FastWeights(&below, temperature));
                assert!(w == [0.5f32.powi(n); 16], "{n} halvings: {w:?}, {level}");
            }
        }
    }

    #[test]
    fn bounds_lie_above_weights() {
        let mut next = words(3);
        for t in [1e-30f32, 1e-3, 0.1, 0.7, 1.0, 2.0, 10.0, 1e3, f32::INFINITY] {
            let temperature = Temperature::new(t).expect("a fine temperature");
            let mut far = [f32::NEG_INFINITY; 16];
            far[5] = -f32::MAX;
            far[6] = -1e3 * t.min(1e30);
            for level in levels() {
                let bounds = run(level, Bounds(Weights { logits: &far, max: 0.0, temperature }));
                let most = [1, 4_500_000][usize::from(t == f32::INFINITY)];
                assert!(bounds.iter().all(|bound| (1..=most).contains(bound)), "{bounds:?}");
            }
            for round in 0..20_000 {
                let max = [0.0f32, 1.0, -7.3, 3e4, 1e7][round % 5];
                let reach = t.min(1e30) * [1e-3, 1.0, 30.0, 95.0][round % 4];
                let logits = core::array::from_fn(|_| {
                    max - (next() >> 40) as f32 / (1u64 << 24) as f32 * reach
                });
                let input = || Weights { logits: &logits, max, temperature };
                let weights = run(Level::Baseline, input());
                let bounds = run(Level::Baseline, Bounds(input()));
                for level in levels() {
                    let other = run(level, Bounds(input()));
                    assert_eq!(bounds, other, "{level}");
                }
                for (weight, bound) in weights.into_iter().zip(bounds) {
                    let (weight, bound) = (f64::from(weight), f64::from(bound) * BOUND_UNIT);
                    assert!(bound >= weight, "{bound} bounds {weight}");
                    assert!(bound <= weight * (1.0 + BOUND_EXCESS) + BOUND_UNIT);
                }
            }
        }
    }

    #[test]
    fn weights_at_the_edges() {
        for level in levels() {
            for t in [1e-30f32, 1e-3, 1.0, 1e3, f32::INFINITY] {
                let temperature = Temperature::new(t).expect("a fine temperature");
                let mut logits = [f32::NEG_INFINITY; 16];
                logits[3] = 2.5;
                logits[4] = -f32::MAX / 2.0;
                let w = run(level, Weights { logits: &logits, max: 2.5, temperature });
                let far = if t == f32::INFINITY { 1.0 } else { 0.0 };
                let expected =
                    |lane| [0.0, 1.0, far][usize::from(lane == 3) + 2 * usize::from(lane == 4)];
                for (lane, w) in w.into_iter().enumerate() {
                    assert_eq!(
                        w.to_bits(),
                        f32::to_bits(expected(lane)),
                        "lane {lane}, T {t}, {level}"
                    );
                }
            }
        }
    }

    #[test]
    fn exponentials_keep_their_error_bound() {
        let mut next = words(2);
        let mut worst = 0.0f64;
        for round in 0..100_000 {
            // Uniform words, and words with many zeros or ones at the high end.
            let words: [u64; 16] = core::array::from_fn(|lane| {
                let x = next() >> ((round + lane) % 64);
                if (round / 64) % 2 == 0 { x } else { !x }
            });
            let high = words.map(|w| (w >> 32) as u32);
            let low = words.map(|w| w as u32);
            let ours = run(Level::Baseline, Exponentials(high, low));
            for level in levels() {
                let other = run(level, Exponentials(high, low));
                assert_eq!(ours.map(f32::to_bits), other.map(f32::to_bits), "{level}");
            }
            for (word, ours) in words.into_iter().zip(ours) {
                let upper = word >> 63 == 1;
                let near = if upper { !word } else { word } | 1;
                let near = near as f64 * 0.5f64.powi(64);
                let exact = if upper { -near.ln() } else { -(-near).ln_1p() };
                let ulp = f64::from(f32::EPSILON) * 2f64.powi(exact.log2().floor() as i32);
                let error = (f64::from(ours) - exact).abs() / ulp;
                worst = worst.max(error);
                assert!(error < EXPONENTIAL_ULP, "exponential({word:#x}) = {ours}, not {exact}");
            }
        }
        println!("largest error of an exponential: {worst:.3} ULP");
    }

    #[test]
    fn logarithms_keep_their_error_bound() {
        let mut next = words(5);
        let mut worst = 0.0f64;
        for round in 0..100_000 {
            // Every octave of normal numbers, and the neighbourhood of 1.
            let numbers: [f32; 16] = core::array::from_fn(|lane| {
                let word = next();
                let near_one = 1.0 + ((word >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * 0.01;
                let any = f32::from_bits(((word >> 41) as u32).max(f32::MIN_POSITIVE.to_bits()));
                match (round + lane) % 4 {
                    0 => near_one,
                    _ if any.is_finite() => any,
                    _ => f32::MIN_POSITIVE,
                }
            });
            let ours = run(Level::Baseline, Logs(&numbers));
            for level in levels() {
                let other = run(level, Logs(&numbers));
                assert_eq!(ours.map(f32::to_bits), other.map(f32::to_bits), "{level}");
            }
            for (x, ours) in numbers.into_iter().zip(ours) {
                let exact = f64::from(x).ln();
                if exact == 0.0 {
                    assert!(ours == 0.0, "ln 1 = {ours}");
                    continue;
                }
                let ulp = f64::from(f32::EPSILON) * 2f64.powi(exact.abs().log2().floor() as i32);
                let error = (f64::from(ours) - exact).abs() / ulp;
                worst = worst.max(error);
                assert!(error < LOG_ULP, "ln {x:e} = {ours}, not {exact}");
            }
        }
        println!("largest error of a logarithm: {worst:.3} ULP");
    }

    #[test]
    fn functions_of_f64_keep_their_error_bound() {
        let mut next = words(6);
        let mut worst = [0.0f64; 3];
        let mut near = |k: usize, ours: f64, exact: f64, x: f64| {
            let error = if ours == exact { 0.0 } else { (ours / exact - 1.0).abs() };
            worst[k] = worst[k].max(error);
            assert!(error < F64_ERROR, "function {k} of {x:e}: {ours:e}, not {exact:e}");
        };
        for round in 0..300_000 {
            let uniform = (next() >> 11) as f64 / (1u64 << 53) as f64;
            let reach = [1e-9, 1e-3, 1.0, 30.0, 708.0][round % 5];
            let x = -reach * uniform;
            near(0, exp_f64(x), x.exp(), x);
            let x = (1_400.0 * (uniform - 0.5)).exp();
            near(1, ln_f64(x), x.ln(), x);
            near(2, ln_1p_f64(x), x.ln_1p(), x);
            let x = 1.0 + (uniform - 0.5) * reach.min(1.0);
            near(1, ln_f64(x), x.ln(), x);
            let x = 500.0 * uniform * reach.min(1.0);
            near(2, ln_1p_f64(x), x.ln_1p(), x);
        }
        println!("largest relative errors: {worst:?}");
        assert_eq!((exp_f64(0.0), exp_f64(-0.0)), (1.0, 1.0));
        for x in [-709.0, -1e4, -1e300, f64::NEG_INFINITY] {
            assert_eq!(exp_f64(x), 0.0, "exp({x})");
        }
        assert_eq!((ln_f64(1.0), ln_1p_f64(0.0)), (0.0, 0.0));
        assert_eq!((ln_f64(0.0), ln_f64(1e-310)), (f64::NEG_INFINITY, f64::NEG_INFINITY));
        for x in [exp_f64(f64::NAN), ln_f64(f64::NAN), ln_1p_f64(f64::NAN)] {
            assert!(x.is_nan());
        }
    }
}
