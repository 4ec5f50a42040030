//! x86-64 with AVX-512: one register is 16 lanes.

use super::{Kernel, Lanes};
use core::arch::x86_64::*;
use half::{bf16, f16};

/// Proof that the CPU has AVX-512 F, BW, CD, DQ and VL, and the bundle of [`super::avx2`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// The proof, if the CPU has the features. Once true, always true.
    #[inline]
    pub(crate) fn new() -> Option<Self> {
        let has = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512cd")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && super::avx2::Avx2::new().is_some();
        has.then_some(Self(()))
    }
}

/// One intrinsic.
macro_rules! one {
    ($intrinsic:ident $(::<$n:tt>)?, $($x:expr),*) => {
        // SAFETY: `self` proves that the CPU has AVX-512.
        unsafe { $intrinsic$(::<$n>)?($($x),*) }
    };
}

impl Avx512 {
    /// Lane i becomes the sum of lanes 0 to i, in f64.
    #[inline(always)]
    fn running_sums_of_8(self, x: __m256) -> __m512d {
        let x = one!(_mm512_cvtps_pd, x);
        let x = one!(_mm512_add_pd, x, self.up::<7>(x));
        let x = one!(_mm512_add_pd, x, self.up::<6>(x));
        one!(_mm512_add_pd, x, self.up::<4>(x))
    }

    /// The lanes moved up by 8 − `N`, with zeros below.
    #[inline(always)]
    fn up<const N: i32>(self, x: __m512d) -> __m512d {
        let zero = self.splat_u32(0);
        let bits = one!(_mm512_castpd_si512, x);
        let moved = one!(_mm512_alignr_epi64::<N>, bits, zero);
        one!(_mm512_castsi512_pd, moved)
    }
}

impl Lanes for Avx512 {
    type F = __m512;
    type U = __m512i;
    type Mask = __mmask16;

    #[inline(always)]
    fn call<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl")]
        #[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
        #[inline(never)]
        fn shell<K: Kernel>(s: Avx512, kernel: K) -> K::Output {
            kernel.run(s)
        }
        // SAFETY: `self` proves that the CPU has the features of the shell.
        unsafe { shell(self, kernel) }
    }
    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        one!(_mm512_set1_ps, x)
    }
    #[inline(always)]
    fn load(self, x: &[f32; 16]) -> __m512 {
        // SAFETY: `self` proves AVX-512; 16 floats are readable at `x`.
        unsafe { _mm512_loadu_ps(x.as_ptr()) }
    }
    #[inline(always)]
    fn load_some(self, x: &[f32]) -> __m512 {
        let mask = ((1u32 << x.len().min(16)) - 1) as u16;
        let least = self.splat(f32::NEG_INFINITY);
        // SAFETY: `self` proves AVX-512; the floats that the mask names are readable at `x`, and
        // those that it does not name are not touched.
        unsafe { _mm512_mask_loadu_ps(least, mask, x.as_ptr()) }
    }
    #[inline(always)]
    fn load_f16(self, x: &[f16; 16]) -> __m512 {
        // SAFETY: `self` proves AVX-512; 16 words are readable at `x`.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(x.as_ptr().cast())) }
    }
    #[inline(always)]
    fn load_bf16(self, x: &[bf16; 16]) -> __m512 {
        // SAFETY: `self` proves AVX-512; 16 words are readable at `x`.
        let words = unsafe { _mm512_cvtepu16_epi32(_mm256_loadu_si256(x.as_ptr().cast())) };
        self.float_from_bits(self.shl::<16>(words))
    }
    #[inline(always)]
    fn store(self, x: __m512, out: &mut [f32; 16]) {
        // SAFETY: `self` proves AVX-512; 16 floats are writable at `out`.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), x) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        one!(_mm512_add_ps, a, b)
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        one!(_mm512_sub_ps, a, b)
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        one!(_mm512_mul_ps, a, b)
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        one!(_mm512_div_ps, a, b)
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        one!(_mm512_fmadd_ps, a, b, c)
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        one!(_mm512_max_ps, a, b)
    }
    #[inline(always)]
    fn at_least(self, x: __m512, least: __m512) -> __m512 {
        // The instruction returns its second operand if one is NaN.
        one!(_mm512_max_ps, least, x)
    }
    #[inline(always)]
    fn at_least_zero(self, x: __m512) -> __m512 {
        // On integers, where more instructions run at once: a negative float is a negative one.
        let x = one!(_mm512_max_epi32, self.float_bits(x), self.splat_u32(0));
        self.float_from_bits(x)
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        one!(_mm512_min_ps, a, b)
    }
    #[inline(always)]
    fn greater(self, a: __m512, b: __m512) -> __mmask16 {
        one!(_mm512_cmp_ps_mask::<_CMP_GT_OQ>, a, b)
    }
    #[inline(always)]
    fn equal(self, a: __m512, b: __m512) -> __mmask16 {
        one!(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>, a, b)
    }
    #[inline(always)]
    fn unordered(self, a: __m512, b: __m512) -> __mmask16 {
        one!(_mm512_cmp_ps_mask::<_CMP_UNORD_Q>, a, b)
    }
    #[inline(always)]
    fn no_lane(self) -> __mmask16 {
        0
    }
    #[inline(always)]
    fn or(self, a: __mmask16, b: __mmask16) -> __mmask16 {
        a | b
    }
    #[inline(always)]
    fn any(self, mask: __mmask16) -> bool {
        mask != 0
    }
    #[inline(always)]
    fn bits(self, mask: __mmask16) -> u16 {
        mask
    }
    #[inline(always)]
    fn mask(self, bits: u16) -> __mmask16 {
        bits
    }
    #[inline(always)]
    fn select(self, mask: __mmask16, a: __m512, b: __m512) -> __m512 {
        one!(_mm512_mask_blend_ps, mask, b, a)
    }
    #[inline(always)]
    fn splat_u32(self, x: u32) -> __m512i {
        one!(_mm512_set1_epi32, x.cast_signed())
    }
    #[inline(always)]
    fn load_u32(self, x: &[u32; 16]) -> __m512i {
        // SAFETY: `self` proves AVX-512; 16 words are readable at `x`.
        unsafe { _mm512_loadu_si512(x.as_ptr().cast()) }
    }
    #[inline(always)]
    fn store_u32(self, x: __m512i, out: &mut [u32; 16]) {
        // SAFETY: `self` proves AVX-512; 16 words are writable at `out`.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), x) }
    }
    #[inline(always)]
    fn float_bits(self, x: __m512) -> __m512i {
        one!(_mm512_castps_si512, x)
    }
    #[inline(always)]
    fn float_from_bits(self, x: __m512i) -> __m512 {
        one!(_mm512_castsi512_ps, x)
    }
    #[inline(always)]
    fn add_u32(self, a: __m512i, b: __m512i) -> __m512i {
        one!(_mm512_add_epi32, a, b)
    }
    #[inline(always)]
    fn xor(self, a: __m512i, b: __m512i) -> __m512i {
        one!(_mm512_xor_si512, a, b)
    }
    #[inline(always)]
    fn equal_u32(self, a: __m512i, b: __m512i) -> __mmask16 {
        one!(_mm512_cmpeq_epi32_mask, a, b)
    }
    #[inline(always)]
    fn and(self, a: __m512i, b: __m512i) -> __m512i {
        one!(_mm512_and_si512, a, b)
    }
    #[inline(always)]
    fn min_i16(self, a: __m512i, b: __m512i) -> __m512i {
        one!(_mm512_min_epi16, a, b)
    }
    #[inline(always)]
    fn at_most(self, a: __m512i, b: __m512i) -> __mmask16 {
        one!(_mm512_cmple_epu32_mask, a, b)
    }
    #[inline(always)]
    fn count(self, a: __m512i, mask: __mmask16) -> __m512i {
        one!(_mm512_mask_sub_epi32, a, mask, a, self.splat_u32(u32::MAX))
    }
    #[inline(always)]
    fn ascending_at_most(self, a: &[u64; 16], bound: u64) -> usize {
        let bound = one!(_mm512_set1_epi64, bound.cast_signed());
        // SAFETY: `self` proves AVX-512; 16 words are readable at `a`, in two halves of 8.
        let (low, high) = unsafe {
            (_mm512_loadu_si512(a.as_ptr().cast()), _mm512_loadu_si512(a.as_ptr().add(8).cast()))
        };
        let low = one!(_mm512_cmple_epu64_mask, low, bound);
        let high = one!(_mm512_cmple_epu64_mask, high, bound);
        (u32::from(low) | u32::from(high) << 8).count_ones() as usize
    }
    #[inline(always)]
    fn shl<const N: u32>(self, a: __m512i) -> __m512i {
        one!(_mm512_slli_epi32::<N>, a)
    }
    #[inline(always)]
    fn shr<const N: u32>(self, a: __m512i) -> __m512i {
        one!(_mm512_srli_epi32::<N>, a)
    }
    #[inline(always)]
    fn rotate_left<const N: u32>(self, a: __m512i) -> __m512i {
        one!(_mm512_rolv_epi32, a, self.splat_u32(N))
    }
    #[inline(always)]
    fn spread_highest(self, a: __m512i) -> __m512i {
        one!(_mm512_srai_epi32::<31>, a)
    }
    #[inline(always)]
    fn highest(self, a: __m512i) -> __mmask16 {
        one!(_mm512_movepi32_mask, a)
    }
    #[inline(always)]
    fn to_f32(self, a: __m512i) -> __m512 {
        one!(_mm512_cvtepi32_ps, a)
    }
    #[inline(always)]
    fn truncate(self, a: __m512) -> __m512i {
        one!(_mm512_cvttps_epi32, a)
    }
    #[inline(always)]
    fn lookup(self, table: __m512i, index: __m512i) -> __m512i {
        // The instruction looks at the low four bits of an index.
        one!(_mm512_permutexvar_epi32, index, table)
    }
    #[inline(always)]
    fn subtract_running_sums(self, from: f64, x: __m512, out: &mut [f64; 16]) {
        let lower = self.running_sums_of_8(one!(_mm512_castps512_ps256, x));
        let upper = self.running_sums_of_8(one!(_mm512_extractf32x8_ps::<1>, x));
        let seven = one!(_mm512_set1_epi64, 7);
        let last = one!(_mm512_permutexvar_pd, seven, lower);
        let upper = one!(_mm512_add_pd, upper, last);
        let from = one!(_mm512_set1_pd, from);
        let (lower, upper) = (one!(_mm512_sub_pd, from, lower), one!(_mm512_sub_pd, from, upper));
        // SAFETY: `self` proves AVX-512; 16 doubles are writable at `out`, in two halves of 8.
        unsafe {
            _mm512_storeu_pd(out.as_mut_ptr(), lower);
            _mm512_storeu_pd(out.as_mut_ptr().add(8), upper);
        }
    }
    #[inline(always)]
    fn transpose(self, x: [__m512; 16]) -> [__m512; 16] {
        let (mut pairs, mut fours, mut eights, mut columns) = (x, x, x, x);
        // Within quarters of 4 lanes: pairs of rows, then fours; then the quarters themselves.
        for i in [0, 2, 4, 6, 8, 10, 12, 14] {
            pairs[i] = one!(_mm512_unpacklo_ps, x[i], x[i + 1]);
            pairs[i + 1] = one!(_mm512_unpackhi_ps, x[i], x[i + 1]);
        }
        for i in [0, 4, 8, 12] {
            for j in 0..2 {
                fours[i + 2 * j] =
                    one!(_mm512_shuffle_ps::<0b01_00_01_00>, pairs[i + j], pairs[i + j + 2]);
                fours[i + 2 * j + 1] =
                    one!(_mm512_shuffle_ps::<0b11_10_11_10>, pairs[i + j], pairs[i + j + 2]);
            }
        }
        for i in 0..4 {
            for half in [0, 8] {
                let (a, b) = (fours[half + i], fours[half + i + 4]);
                eights[half + i] = one!(_mm512_shuffle_f32x4::<0b10_00_10_00>, a, b);
                eights[half + i + 4] = one!(_mm512_shuffle_f32x4::<0b11_01_11_01>, a, b);
            }
        }
        for i in 0..4 {
            let (a, b) = (eights[i], eights[i + 8]);
            columns[i] = one!(_mm512_shuffle_f32x4::<0b10_00_10_00>, a, b);
            columns[i + 8] = one!(_mm512_shuffle_f32x4::<0b11_01_11_01>, a, b);
            let (a, b) = (eights[i + 4], eights[i + 12]);
            columns[i + 4] = one!(_mm512_shuffle_f32x4::<0b10_00_10_00>, a, b);
            columns[i + 12] = one!(_mm512_shuffle_f32x4::<0b11_01_11_01>, a, b);
        }
        columns
    }
    #[inline(always)]
    fn largest(self, x: __m512) -> f32 {
        // SAFETY: `self` proves that the CPU has AVX-512.
        unsafe {
            let eight = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps::<1>(x));
            let four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }
}
