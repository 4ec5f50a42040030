//! x86-64 with AVX2, FMA and F16C: two 256-bit registers make 16 lanes.

use super::{Kernel, Lanes};
use core::arch::x86_64::*;
use half::{bf16, f16};

/// Proof that the CPU has AVX2, FMA, F16C, BMI1, BMI2, LZCNT and POPCNT.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// The proof, if the CPU has the features. Once true, always true.
    #[inline]
    pub(crate) fn new() -> Option<Self> {
        let has = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        has.then_some(Self(()))
    }
}

/// One intrinsic on both halves.
macro_rules! both {
    ($intrinsic:ident $(::<$n:tt>)?, $($x:expr),+) => {
        // SAFETY: `self` proves that the CPU has AVX2 and FMA.
        unsafe { [$intrinsic$(::<$n>)?($($x[0]),+), $intrinsic$(::<$n>)?($($x[1]),+)] }
    };
}

impl Avx2 {
    /// Lane i becomes the sum of lanes 0 to i, in f64 and two halves.
    #[inline(always)]
    fn running_sums_of_8(self, x: __m256) -> [__m256d; 2] {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe {
            let a = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
            let b = _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(x));
            // Moved up by 2 lanes, with zeros below; of that, each pair's upper lane beside the
            // lower one of what was not moved is moved by 1.
            let [a_2, b_2] = self.up_2([a, b]);
            let a = _mm256_add_pd(a, _mm256_shuffle_pd::<0b0101>(a_2, a));
            let b = _mm256_add_pd(b, _mm256_shuffle_pd::<0b0101>(b_2, b));
            let [a_2, b_2] = self.up_2([a, b]);
            let (a, b) = (_mm256_add_pd(a, a_2), _mm256_add_pd(b, b_2));
            [a, _mm256_add_pd(b, a)]
        }
    }

    /// Lane i of the result j is lane j of `x[i]`.
    #[inline(always)]
    fn transpose_8(self, x: [__m256; 8]) -> [__m256; 8] {
        let (mut pairs, mut fours, mut columns) = (x, x, x);
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe {
            // Within halves: pairs of rows, then fours; then the halves themselves.
            for i in [0, 2, 4, 6] {
                pairs[i] = _mm256_unpacklo_ps(x[i], x[i + 1]);
                pairs[i + 1] = _mm256_unpackhi_ps(x[i], x[i + 1]);
            }
            for i in [0, 4] {
                for j in 0..2 {
                    let (a, b) = (pairs[i + j], pairs[i + j + 2]);
                    fours[i + 2 * j] = _mm256_shuffle_ps::<0b01_00_01_00>(a, b);
                    fours[i + 2 * j + 1] = _mm256_shuffle_ps::<0b11_10_11_10>(a, b);
                }
            }
            for i in 0..4 {
                columns[i] = _mm256_permute2f128_ps::<0x20>(fours[i], fours[i + 4]);
                columns[i + 4] = _mm256_permute2f128_ps::<0x31>(fours[i], fours[i + 4]);
            }
        }
        columns
    }

    /// 8 lanes moved up by 2, with zeros below.
    #[inline(always)]
    fn up_2(self, [a, b]: [__m256d; 2]) -> [__m256d; 2] {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe { [_mm256_permute2f128_pd::<0x08>(a, a), _mm256_permute2f128_pd::<0x21>(a, b)] }
    }
}

impl Lanes for Avx2 {
    type F = [__m256; 2];
    type U = [__m256i; 2];
    type Mask = [__m256; 2];

    #[inline(always)]
    fn call<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
        #[inline(never)]
        fn shell<K: Kernel>(s: Avx2, kernel: K) -> K::Output {
            kernel.run(s)
        }
        // SAFETY: `self` proves that the CPU has the features of the shell.
        unsafe { shell(self, kernel) }
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Self::F {
        // SAFETY: `self` proves that the CPU has AVX2.
        let x = unsafe { _mm256_set1_ps(x) };
        [x, x]
    }
    #[inline(always)]
    fn load(self, x: &[f32; 16]) -> Self::F {
        // SAFETY: `self` proves AVX2; 16 floats are readable at `x`, in two halves of 8.
        unsafe { [_mm256_loadu_ps(x.as_ptr()), _mm256_loadu_ps(x.as_ptr().add(8))] }
    }
    #[inline(always)]
    fn load_some(self, x: &[f32]) -> Self::F {
        let mask = self.mask(((1u32 << x.len().min(16)) - 1) as u16);
        // SAFETY: `self` proves AVX2; the floats that the mask names are readable at `x`, and those
        // that it does not name are not touched. The second half starts within or at the end of `x`.
        let loaded = unsafe {
            let (low, high) = (_mm256_castps_si256(mask[0]), _mm256_castps_si256(mask[1]));
            let second = x.as_ptr().add(x.len().min(8));
            [_mm256_maskload_ps(x.as_ptr(), low), _mm256_maskload_ps(second, high)]
        };
        self.select(mask, loaded, self.splat(f32::NEG_INFINITY))
    }
    #[inline(always)]
    fn load_f16(self, x: &[f16; 16]) -> Self::F {
        let at = x.as_ptr().cast::<__m128i>();
        // SAFETY: `self` proves AVX2 and F16C; 16 words are readable at `x`, in two halves of 8.
        unsafe {
            let halves = [_mm_loadu_si128(at), _mm_loadu_si128(at.add(1))];
            [_mm256_cvtph_ps(halves[0]), _mm256_cvtph_ps(halves[1])]
        }
    }
    #[inline(always)]
    fn load_bf16(self, x: &[bf16; 16]) -> Self::F {
        let at = x.as_ptr().cast::<__m128i>();
        // SAFETY: `self` proves AVX2; 16 words are readable at `x`, in two halves of 8.
        let words = unsafe {
            let halves = [_mm_loadu_si128(at), _mm_loadu_si128(at.add(1))];
            [_mm256_cvtepu16_epi32(halves[0]), _mm256_cvtepu16_epi32(halves[1])]
        };
        self.float_from_bits(self.shl::<16>(words))
    }
    #[inline(always)]
    fn store(self, x: Self::F, out: &mut [f32; 16]) {
        // SAFETY: `self` proves AVX2; 16 floats are writable at `out`, in two halves of 8.
        unsafe {
            _mm256_storeu_ps(out.as_mut_ptr(), x[0]);
            _mm256_storeu_ps(out.as_mut_ptr().add(8), x[1]);
        }
    }
    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        both!(_mm256_add_ps, a, b)
    }
    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        both!(_mm256_sub_ps, a, b)
    }
    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        both!(_mm256_mul_ps, a, b)
    }
    #[inline(always)]
    fn div(self, a: Self::F, b: Self::F) -> Self::F {
        both!(_mm256_div_ps, a, b)
    }
    #[inline(always)]
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        both!(_mm256_fmadd_ps, a, b, c)
    }
    #[inline(always)]
    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        both!(_mm256_max_ps, a, b)
    }
    #[inline(always)]
    fn at_least(self, x: Self::F, least: Self::F) -> Self::F {
        // The instruction returns its second operand if one is NaN.
        both!(_mm256_max_ps, least, x)
    }
    #[inline(always)]
    fn at_least_zero(self, x: Self::F) -> Self::F {
        // On integers, where more instructions run at once: a negative float is a negative one.
        self.float_from_bits(both!(_mm256_max_epi32, self.float_bits(x), self.splat_u32(0)))
    }
    #[inline(always)]
    fn min(self, a: Self::F, b: Self::F) -> Self::F {
        both!(_mm256_min_ps, a, b)
    }
    #[inline(always)]
    fn greater(self, a: Self::F, b: Self::F) -> Self::Mask {
        both!(_mm256_cmp_ps::<_CMP_GT_OQ>, a, b)
    }
    #[inline(always)]
    fn equal(self, a: Self::F, b: Self::F) -> Self::Mask {
        both!(_mm256_cmp_ps::<_CMP_EQ_OQ>, a, b)
    }
    #[inline(always)]
    fn unordered(self, a: Self::F, b: Self::F) -> Self::Mask {
        both!(_mm256_cmp_ps::<_CMP_UNORD_Q>, a, b)
    }
    #[inline(always)]
    fn no_lane(self) -> Self::Mask {
        self.splat(0.0)
    }
    #[inline(always)]
    fn or(self, a: Self::Mask, b: Self::Mask) -> Self::Mask {
        both!(_mm256_or_ps, a, b)
    }
    #[inline(always)]
    fn any(self, mask: Self::Mask) -> bool {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe { _mm256_movemask_ps(_mm256_or_ps(mask[0], mask[1])) != 0 }
    }
    #[inline(always)]
    fn bits(self, mask: Self::Mask) -> u16 {
        // SAFETY: `self` proves that the CPU has AVX2.
        let halves = unsafe { [_mm256_movemask_ps(mask[0]), _mm256_movemask_ps(mask[1])] };
        (halves[0] | halves[1] << 8) as u16
    }
    #[inline(always)]
    fn mask(self, bits: u16) -> Self::Mask {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe {
            let low = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            let high = _mm256_slli_epi32::<8>(low);
            let all = _mm256_set1_epi32(bits.into());
            let low = _mm256_cmpeq_epi32(_mm256_and_si256(all, low), low);
            let high = _mm256_cmpeq_epi32(_mm256_and_si256(all, high), high);
            [_mm256_castsi256_ps(low), _mm256_castsi256_ps(high)]
        }
    }
    #[inline(always)]
    fn select(self, mask: Self::Mask, a: Self::F, b: Self::F) -> Self::F {
        both!(_mm256_blendv_ps, b, a, mask)
    }
    #[inline(always)]
    fn splat_u32(self, x: u32) -> Self::U {
        // SAFETY: `self` proves that the CPU has AVX2.
        let x = unsafe { _mm256_set1_epi32(x.cast_signed()) };
        [x, x]
    }
    #[inline(always)]
    fn load_u32(self, x: &[u32; 16]) -> Self::U {
        let at = x.as_ptr().cast::<__m256i>();
        // SAFETY: `self` proves AVX2; 16 words are readable at `x`, in two halves of 8.
        unsafe { [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))] }
    }
    #[inline(always)]
    fn store_u32(self, x: Self::U, out: &mut [u32; 16]) {
        let at = out.as_mut_ptr().cast::<__m256i>();
        // SAFETY: `self` proves AVX2; 16 words are writable at `out`, in two halves of 8.
        unsafe {
            _mm256_storeu_si256(at, x[0]);
            _mm256_storeu_si256(at.add(1), x[1]);
        }
    }
    #[inline(always)]
    fn float_bits(self, x: Self::F) -> Self::U {
        both!(_mm256_castps_si256, x)
    }
    #[inline(always)]
    fn float_from_bits(self, x: Self::U) -> Self::F {
        both!(_mm256_castsi256_ps, x)
    }
    #[inline(always)]
    fn add_u32(self, a: Self::U, b: Self::U) -> Self::U {
        both!(_mm256_add_epi32, a, b)
    }
    #[inline(always)]
    fn xor(self, a: Self::U, b: Self::U) -> Self::U {
        both!(_mm256_xor_si256, a, b)
    }
    #[inline(always)]
    fn equal_u32(self, a: Self::U, b: Self::U) -> Self::Mask {
        self.float_from_bits(both!(_mm256_cmpeq_epi32, a, b))
    }
    #[inline(always)]
    fn and(self, a: Self::U, b: Self::U) -> Self::U {
        both!(_mm256_and_si256, a, b)
    }
    #[inline(always)]
    fn min_i16(self, a: Self::U, b: Self::U) -> Self::U {
        both!(_mm256_min_epi16, a, b)
    }
    #[inline(always)]
    fn at_most(self, a: Self::U, b: Self::U) -> Self::Mask {
        self.equal_u32(both!(_mm256_min_epu32, a, b), a)
    }
    #[inline(always)]
    fn count(self, a: Self::U, mask: Self::Mask) -> Self::U {
        both!(_mm256_sub_epi32, a, self.float_bits(mask))
    }
    #[inline(always)]
    fn ascending_at_most(self, a: &[u64; 16], bound: u64) -> usize {
        let at = a.as_ptr().cast::<__m256i>();
        // SAFETY: `self` proves AVX2; 16 words are readable at `a`, in four quarters of 4.
        unsafe {
            let bound = _mm256_set1_epi64x(bound.cast_signed());
            let larger = |i| _mm256_cmpgt_epi64(_mm256_loadu_si256(at.add(i)), bound);
            // Each word becomes two bytes.
            let low = _mm256_packs_epi32(larger(0), larger(1));
            let high = _mm256_packs_epi32(larger(2), larger(3));
            let bits = _mm256_movemask_epi8(_mm256_packs_epi16(low, high)).cast_unsigned();
            16 - bits.count_ones() as usize / 2
        }
    }
    #[inline(always)]
    fn shl<const N: u32>(self, a: Self::U) -> Self::U {
        // SAFETY: `self` proves that the CPU has AVX2.
        let count = unsafe { _mm_cvtsi32_si128(N.cast_signed()) };
        both!(_mm256_sll_epi32, a, [count, count])
    }
    #[inline(always)]
    fn shr<const N: u32>(self, a: Self::U) -> Self::U {
        // SAFETY: `self` proves that the CPU has AVX2.
        let count = unsafe { _mm_cvtsi32_si128(N.cast_signed()) };
        both!(_mm256_srl_epi32, a, [count, count])
    }
    #[inline(always)]
    fn rotate_left<const N: u32>(self, a: Self::U) -> Self::U {
        // SAFETY: `self` proves that the CPU has AVX2.
        let count = unsafe { _mm_cvtsi32_si128((32 - N).cast_signed()) };
        self.xor(self.shl::<N>(a), both!(_mm256_srl_epi32, a, [count, count]))
    }
    #[inline(always)]
    fn spread_highest(self, a: Self::U) -> Self::U {
        both!(_mm256_srai_epi32::<31>, a)
    }
    #[inline(always)]
    fn highest(self, a: Self::U) -> Self::Mask {
        self.float_from_bits(self.spread_highest(a))
    }
    #[inline(always)]
    fn to_f32(self, a: Self::U) -> Self::F {
        both!(_mm256_cvtepi32_ps, a)
    }
    #[inline(always)]
    fn truncate(self, a: Self::F) -> Self::U {
        both!(_mm256_cvttps_epi32, a)
    }
    #[inline(always)]
    fn lookup(self, table: Self::U, index: Self::U) -> Self::U {
        // A permutation of 8 looks at the low three bits of an index; the fourth, moved to the
        // sign, chooses between the halves of the table.
        let low = both!(_mm256_permutevar8x32_epi32, [table[0]; 2], index);
        let high = both!(_mm256_permutevar8x32_epi32, [table[1]; 2], index);
        let upper = self.float_from_bits(self.shl::<28>(index));
        let (low, high) = (self.float_from_bits(low), self.float_from_bits(high));
        self.float_bits(both!(_mm256_blendv_ps, low, high, upper))
    }
    #[inline(always)]
    fn subtract_running_sums(self, from: f64, x: Self::F, out: &mut [f64; 16]) {
        let ([a, b], [c, d]) = (self.running_sums_of_8(x[0]), self.running_sums_of_8(x[1]));
        // SAFETY: `self` proves AVX2; 16 doubles are writable at `out`, in four quarters of 4.
        unsafe {
            let last = _mm256_permute4x64_pd::<0xFF>(b);
            let (c, d) = (_mm256_add_pd(c, last), _mm256_add_pd(d, last));
            let (from, at) = (_mm256_set1_pd(from), out.as_mut_ptr());
            _mm256_storeu_pd(at, _mm256_sub_pd(from, a));
            _mm256_storeu_pd(at.add(4), _mm256_sub_pd(from, b));
            _mm256_storeu_pd(at.add(8), _mm256_sub_pd(from, c));
            _mm256_storeu_pd(at.add(12), _mm256_sub_pd(from, d));
        }
    }
    #[inline(always)]
    fn transpose(self, x: [Self::F; 16]) -> [Self::F; 16] {
        let mut columns = x;
        for rows in 0..2 {
            for lanes in 0..2 {
                let mut square = [x[0][0]; 8];
                for i in 0..8 {
                    square[i] = x[8 * rows + i][lanes];
                }
                let square = self.transpose_8(square);
                for i in 0..8 {
                    columns[8 * lanes + i][rows] = square[i];
                }
            }
        }
        columns
    }
    #[inline(always)]
    fn largest(self, x: Self::F) -> f32 {
        // SAFETY: `self` proves that the CPU has AVX2.
        unsafe {
            let eight = _mm256_max_ps(x[0], x[1]);
            let four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }
}
