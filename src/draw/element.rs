//! What logits are made of. Everything is computed on the exact f32 value of an element.

use crate::lanes::Lanes;
use half::{bf16, f16};

/// An element type of logits.
pub(crate) trait Element: Copy + Send + Sync {
    const NEG_INFINITY: Self;

    fn load<L: Lanes>(s: L, x: &[Self; 16]) -> L::F;

    fn to_f32(self) -> f32;

    /// Loads up to 16 elements; the lanes that are left hold −∞.
    #[inline(always)]
    fn load_some<L: Lanes>(s: L, x: &[Self]) -> L::F {
        let mut padded = [Self::NEG_INFINITY; 16];
        padded[..x.len()].copy_from_slice(x);
        Self::load(s, &padded)
    }
}

impl Element for f32 {
    const NEG_INFINITY: Self = f32::NEG_INFINITY;

    #[inline(always)]
    fn load<L: Lanes>(s: L, x: &[f32; 16]) -> L::F {
        s.load(x)
    }
    #[inline(always)]
    fn load_some<L: Lanes>(s: L, x: &[f32]) -> L::F {
        s.load_some(x)
    }
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
}

impl Element for f16 {
    const NEG_INFINITY: Self = f16::NEG_INFINITY;

    #[inline(always)]
    fn load<L: Lanes>(s: L, x: &[f16; 16]) -> L::F {
        s.load_f16(x)
    }
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self.to_f32_const()
    }
}

impl Element for bf16 {
    const NEG_INFINITY: Self = bf16::NEG_INFINITY;

    #[inline(always)]
    fn load<L: Lanes>(s: L, x: &[bf16; 16]) -> L::F {
        s.load_bf16(x)
    }
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self.to_f32_const()
    }
}
