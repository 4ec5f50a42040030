//! As many masks as the noise schedule says (the κ schedule of P2).

use super::mask_function::{Rounding, near};
use crate::schedule::Noise;

/// How many of `masks` positions are masked at time `s`: a share of 1 − α, rounded down. α at time s is
/// κ at time 1 − s of P2, whose times rise.
pub(super) fn masked(masks: u32, noise: Noise<'_>, s: f64) -> u32 {
    near(f64::from(masks) * (1.0 - noise.alpha(s)), Rounding::Floor)
}
