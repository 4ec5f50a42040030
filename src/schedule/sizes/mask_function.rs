//! Mask-scheduling functions: how much is masked after a fraction r of the steps.

use core::f64::consts::FRAC_PI_2;
use libm::{cos, exp2, log2};

/// A function γ(r), falling from γ(0) = 1 to γ(1) = 0: after step k of K steps, γ(k/K)·L of L
/// positions are masked, rounded (Chang et al., arXiv 2202.04200, section 3.3, "masking design").
///
/// No step is empty while there are as many masks as steps: at most L − k and at least K − k
/// positions are masked after step k, which takes the place of the floor of one position a step in
/// their code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MaskFunction {
    /// γ = 1 − r. Rounded up it is ⌊kL/K⌋ revealed after step k.
    Linear,
    /// γ = cos(πr/2).
    Cosine,
    /// γ = 1 − r².
    Square,
    /// γ = 1 − r³.
    Cubic,
    /// γ = 1 − √r: the largest steps first.
    SquareRoot,
    /// γ = (1 − L^(r − 1))/(1 − 1/L), theirs scaled to γ(0) = 1.
    Exponential,
    /// γ = −ln r/ln L, at most 1: the largest steps first.
    Logarithmic,
}

/// How a number of masks is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// Down, as in MaskGIT's code.
    Floor,
    /// Up, as in MaskGIT's paper.
    Ceil,
}

impl MaskFunction {
    /// All functions.
    pub const ALL: [Self; 7] = [
        Self::Linear,
        Self::Cosine,
        Self::Square,
        Self::Cubic,
        Self::SquareRoot,
        Self::Exponential,
        Self::Logarithmic,
    ];

    /// How many of `masks` positions are masked after `done` of `steps` steps.
    pub(super) fn masked(self, rounding: Rounding, masks: u32, done: u32, steps: u32) -> u32 {
        if done == 0 {
            return masks;
        }
        if done >= steps {
            return 0;
        }
        let rounded = match self {
            Self::Linear => power(1, rounding, masks, done, steps),
            Self::Square => power(2, rounding, masks, done, steps),
            Self::Cubic => power(3, rounding, masks, done, steps),
            Self::SquareRoot => square_root(rounding, masks, done, steps),
            Self::Cosine | Self::Exponential | Self::Logarithmic => {
                let whole = f64::from(masks);
                let ratio = f64::from(done) / f64::from(steps);
                let fraction = match self {
                    Self::Exponential => {
                        (1.0 - exp2(log2(whole) * (ratio - 1.0))) / (1.0 - whole.recip())
                    }
                    Self::Logarithmic => -log2(ratio) / log2(whole),
                    _ => cos(FRAC_PI_2 * ratio),
                };
                near(whole * fraction, rounding)
            }
        };
        // Every later step takes one at least, and so did every earlier one.
        let earlier = masks.saturating_sub(done);
        rounded.min(earlier).max(earlier.min(steps - done))
    }
}

/// (1 − (done/steps)^exponent)·masks, rounded exactly.
fn power(exponent: u32, rounding: Rounding, masks: u32, done: u32, steps: u32) -> u32 {
    let (done, steps) = (u128::from(done).pow(exponent), u128::from(steps).pow(exponent));
    let masked = u128::from(masks) * (steps - done);
    let rounded = match rounding {
        Rounding::Floor => masked / steps,
        Rounding::Ceil => masked.div_ceil(steps),
    };
    rounded as u32
}

/// (1 − √(done/steps))·masks, rounded exactly.
fn square_root(rounding: Rounding, masks: u32, done: u32, steps: u32) -> u32 {
    let (masks, steps) = (u128::from(masks), u128::from(steps));
    let square = masks * masks * u128::from(done);
    let revealed = (square / steps).isqrt();
    let exact = revealed * revealed * steps == square;
    let rounded = match rounding {
        Rounding::Floor if !exact => masks - revealed - 1,
        _ => masks - revealed,
    };
    rounded as u32
}

/// `value` rounded; a value within 1e-9 of an integer is that integer, as cos(π/3) is 1/2.
pub(super) fn near(value: f64, rounding: Rounding) -> u32 {
    let nearest = value.round();
    let rounded = if (value - nearest).abs() < 1e-9 {
        nearest
    } else {
        match rounding {
            Rounding::Floor => value.floor(),
            Rounding::Ceil => value.ceil(),
        }
    };
    rounded as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_takes_one_at_least_and_the_last_the_rest() {
        for function in MaskFunction::ALL {
            for rounding in [Rounding::Floor, Rounding::Ceil] {
                for masks in 1..70 {
                    for steps in 1..=masks {
                        let masked: Vec<u32> = (0..=steps)
                            .map(|done| function.masked(rounding, masks, done, steps))
                            .collect();
                        let place = format!("{function:?} {rounding:?} {masks} in {steps}");
                        assert_eq!((masked[0], masked[steps as usize]), (masks, 0), "{place}");
                        assert!(masked.windows(2).all(|w| w[0] > w[1]), "{place}: {masked:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn more_steps_than_masks_are_ones_and_then_nothing() {
        for function in MaskFunction::ALL {
            for rounding in [Rounding::Floor, Rounding::Ceil] {
                let masked: Vec<u32> =
                    (0..=9).map(|done| function.masked(rounding, 4, done, 9)).collect();
                assert!(masked.windows(2).all(|w| w[0] - w[1] <= 1), "{function:?} {masked:?}");
                assert_eq!((masked[0], masked[9]), (4, 0), "{function:?}");
            }
        }
    }

    #[test]
    fn exact_values_are_not_rounded_away() {
        let masked = |function: MaskFunction, rounding, done, steps| {
            function.masked(rounding, 600, done, steps)
        };
        for rounding in [Rounding::Floor, Rounding::Ceil] {
            assert_eq!(masked(MaskFunction::Cosine, rounding, 20, 30), 300);
            assert_eq!(masked(MaskFunction::Linear, rounding, 1, 3), 400);
            assert_eq!(masked(MaskFunction::Square, rounding, 1, 10), 594);
            assert_eq!(masked(MaskFunction::Cubic, rounding, 1, 2), 525);
            assert_eq!(masked(MaskFunction::SquareRoot, rounding, 9, 16), 150);
        }
        let (floor, ceil) = (Rounding::Floor, Rounding::Ceil);
        for function in MaskFunction::ALL {
            // 1/7 is not exact for any of them.
            let (down, up) = (masked(function, floor, 1, 7), masked(function, ceil, 1, 7));
            assert_eq!(down + 1, up, "{function:?}");
        }
    }
}
