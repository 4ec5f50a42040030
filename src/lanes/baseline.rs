//! The level that every CPU has, through `wide`.

use super::{Kernel, Lanes};
use half::{bf16, f16};
use wide::{f32x16, i16x32, i32x16, u32x16};

/// The baseline level. Always available.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Baseline;

/// a·b + c rounded once, for CPUs without the instruction.
///
/// The product of two f32 is exact in f64. Its sum with c is rounded to odd (if inexact, the last
/// bit is set, away from or towards zero as the error says), and a number rounded to odd with two
/// or more spare bits rounds to f32 as the exact one would (Boldo and Melquiond, "Emulation of
/// FMA and correctly rounded sums", 2008).
#[inline(always)]
#[cfg_attr(any(target_feature = "fma", target_arch = "aarch64"), allow(dead_code))]
pub(crate) fn fused(a: f32, b: f32, c: f32) -> f32 {
    let (p, c) = (f64::from(a) * f64::from(b), f64::from(c));
    let sum = p + c;
    // The exact error of the sum (Knuth's TwoSum); NaN if the sum is not finite.
    let b_part = sum - p;
    let error = (p - (sum - b_part)) + (c - b_part);
    let bits = sum.to_bits();
    let inexact = (error > 0.0) | (error < 0.0);
    let even = bits & 1 == 0;
    // Towards the error: one unit away from zero if it has the sign of the sum, else nearer.
    let away = (error > 0.0) == (sum > 0.0);
    let odd = if away { bits.wrapping_add(1) } else { bits.wrapping_sub(1) };
    f64::from_bits(if inexact & even { odd } else { bits }) as f32
}

/// The same in every lane; not inlined, for it is long.
#[inline(never)]
#[cfg_attr(any(target_feature = "fma", target_arch = "aarch64"), allow(dead_code))]
fn fused_lanes(a: f32x16, b: f32x16, c: f32x16) -> f32x16 {
    let (a, b, c) = (a.to_array(), b.to_array(), c.to_array());
    f32x16::new(core::array::from_fn(|i| fused(a[i], b[i], c[i])))
}

impl Lanes for Baseline {
    type F = f32x16;
    type U = u32x16;
    type Mask = f32x16;

    #[inline(always)]
    fn call<K: Kernel>(self, kernel: K) -> K::Output {
        #[inline(never)]
        fn shell<K: Kernel>(s: Baseline, kernel: K) -> K::Output {
            kernel.run(s)
        }
        shell(self, kernel)
    }
    #[inline(always)]
    fn splat(self, x: f32) -> f32x16 {
        f32x16::splat(x)
    }
    #[inline(always)]
    fn load(self, x: &[f32; 16]) -> f32x16 {
        f32x16::new(*x)
    }
    #[inline(always)]
    fn load_some(self, x: &[f32]) -> f32x16 {
        let mut padded = [f32::NEG_INFINITY; 16];
        for (padded, &x) in padded.iter_mut().zip(x) {
            *padded = x;
        }
        f32x16::new(padded)
    }
    #[inline(always)]
    fn load_f16(self, x: &[f16; 16]) -> f32x16 {
        f32x16::new(x.map(f16::to_f32_const))
    }
    #[inline(always)]
    fn load_bf16(self, x: &[bf16; 16]) -> f32x16 {
        f32x16::new(x.map(bf16::to_f32_const))
    }
    #[inline(always)]
    fn store(self, x: f32x16, out: &mut [f32; 16]) {
        *out = x.to_array();
    }
    #[inline(always)]
    fn add(self, a: f32x16, b: f32x16) -> f32x16 {
        a + b
    }
    #[inline(always)]
    fn sub(self, a: f32x16, b: f32x16) -> f32x16 {
        a - b
    }
    #[inline(always)]
    fn mul(self, a: f32x16, b: f32x16) -> f32x16 {
        a * b
    }
    #[inline(always)]
    fn div(self, a: f32x16, b: f32x16) -> f32x16 {
        a / b
    }
    #[inline(always)]
    fn fma(self, a: f32x16, b: f32x16, c: f32x16) -> f32x16 {
        // `wide` fuses only where the build has the instruction.
        if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
            return a.mul_add(b, c);
        }
        fused_lanes(a, b, c)
    }
    #[inline(always)]
    fn max(self, a: f32x16, b: f32x16) -> f32x16 {
        a.fast_max(b)
    }
    #[inline(always)]
    fn at_least(self, x: f32x16, least: f32x16) -> f32x16 {
        x.simd_lt(least).bitselect(least, x)
    }
    #[inline(always)]
    fn min(self, a: f32x16, b: f32x16) -> f32x16 {
        a.fast_min(b)
    }
    #[inline(always)]
    fn greater(self, a: f32x16, b: f32x16) -> f32x16 {
        a.simd_gt(b)
    }
    #[inline(always)]
    fn equal(self, a: f32x16, b: f32x16) -> f32x16 {
        a.simd_eq(b)
    }
    #[inline(always)]
    fn unordered(self, a: f32x16, b: f32x16) -> f32x16 {
        a.simd_ne(a) | b.simd_ne(b)
    }
    #[inline(always)]
    fn no_lane(self) -> f32x16 {
        f32x16::splat(0.0)
    }
    #[inline(always)]
    fn or(self, a: f32x16, b: f32x16) -> f32x16 {
        a | b
    }
    #[inline(always)]
    fn any(self, mask: f32x16) -> bool {
        mask.any()
    }
    #[inline(always)]
    fn bits(self, mask: f32x16) -> u16 {
        let lanes = mask.to_array().into_iter().enumerate();
        lanes.fold(0, |bits, (lane, x)| bits | ((x.to_bits() >> 31) as u16) << lane)
    }
    #[inline(always)]
    fn mask(self, bits: u16) -> f32x16 {
        let lane = |i: usize| f32::from_bits(if bits >> i & 1 == 1 { u32::MAX } else { 0 });
        f32x16::new(core::array::from_fn(lane))
    }
    #[inline(always)]
    fn select(self, mask: f32x16, a: f32x16, b: f32x16) -> f32x16 {
        mask.bitselect(a, b)
    }
    #[inline(always)]
    fn splat_u32(self, x: u32) -> u32x16 {
        u32x16::splat(x)
    }
    #[inline(always)]
    fn load_u32(self, x: &[u32; 16]) -> u32x16 {
        u32x16::new(*x)
    }
    #[inline(always)]
    fn store_u32(self, x: u32x16, out: &mut [u32; 16]) {
        *out = x.to_array();
    }
    #[inline(always)]
    fn float_bits(self, x: f32x16) -> u32x16 {
        bytemuck::must_cast(x)
    }
    #[inline(always)]
    fn float_from_bits(self, x: u32x16) -> f32x16 {
        bytemuck::must_cast(x)
    }
    #[inline(always)]
    fn add_u32(self, a: u32x16, b: u32x16) -> u32x16 {
        a + b
    }
    #[inline(always)]
    fn xor(self, a: u32x16, b: u32x16) -> u32x16 {
        a ^ b
    }
    #[inline(always)]
    fn equal_u32(self, a: u32x16, b: u32x16) -> f32x16 {
        bytemuck::must_cast(a.simd_eq(b))
    }
    #[inline(always)]
    fn and(self, a: u32x16, b: u32x16) -> u32x16 {
        a & b
    }
    #[inline(always)]
    fn min_i16(self, a: u32x16, b: u32x16) -> u32x16 {
        let (a, b): (i16x32, i16x32) = (bytemuck::must_cast(a), bytemuck::must_cast(b));
        bytemuck::must_cast(a.min(b))
    }
    #[inline(always)]
    fn at_most(self, a: u32x16, b: u32x16) -> f32x16 {
        bytemuck::must_cast(a.simd_le(b))
    }
    #[inline(always)]
    fn count(self, a: u32x16, mask: f32x16) -> u32x16 {
        a - self.float_bits(mask)
    }
    #[inline(always)]
    fn shl<const N: u32>(self, a: u32x16) -> u32x16 {
        a << N
    }
    #[inline(always)]
    fn shr<const N: u32>(self, a: u32x16) -> u32x16 {
        a >> N
    }
    #[inline(always)]
    fn rotate_left<const N: u32>(self, a: u32x16) -> u32x16 {
        (a << N) | (a >> (32 - N))
    }
    #[inline(always)]
    fn spread_highest(self, a: u32x16) -> u32x16 {
        bytemuck::must_cast(bytemuck::must_cast::<u32x16, i32x16>(a) >> 31)
    }
    #[inline(always)]
    fn highest(self, a: u32x16) -> f32x16 {
        self.float_from_bits(self.spread_highest(a))
    }
    #[inline(always)]
    fn to_f32(self, a: u32x16) -> f32x16 {
        f32x16::from_i32x16(bytemuck::must_cast::<u32x16, i32x16>(a))
    }
    #[inline(always)]
    fn truncate(self, a: f32x16) -> u32x16 {
        bytemuck::must_cast(a.fast_trunc_int())
    }
    #[inline(always)]
    fn lookup(self, table: u32x16, index: u32x16) -> u32x16 {
        let (table, index) = (table.to_array(), index.to_array());
        u32x16::new(index.map(|i| table[i as usize % 16]))
    }
    #[inline(always)]
    fn largest(self, x: f32x16) -> f32 {
        x.to_array().into_iter().fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a })
    }
}

#[cfg(test)]
mod tests {
    use super::fused;
    use crate::lanes::{Kernel, Lanes, Level, run};
    use crate::rng::{Key, Purpose};
    use rand_xoshiro::rand_core::Rng;

    #[test]
    fn published_inputs_of_wrong_fma() {
        let bits =
            |a, b, c| fused(f32::from_bits(a), f32::from_bits(b), f32::from_bits(c)).to_bits();
        // https://github.com/rust-lang/libm/issues/263
        assert_eq!(bits(1_266_679_807, 1_300_234_242, 1_115_553_792), 1_501_560_833);
        assert_eq!(bits(1_484_783_617, 1_488_977_920, 2_147_483_649), 1_908_408_321);
        // https://github.com/rust-lang/compiler-builtins/issues/1262
        assert_eq!(bits(0x9700_0800, 0x1CFF_F001, 0x0001_0002), 0x0001_0001);
        // https://github.com/bytecodealliance/wasmtime/issues/4512
        assert_eq!(bits(0x4303_0000, 0x431A_0244, 0x4198_8721), 0x469D_C473);
        // https://github.com/libjxl/jxl-rs/issues/353
        assert_eq!(fused(11.031_567, 18.731_552, -44.786_354), 161.852);
        // https://github.com/JuliaLang/julia/issues/43088,
        // https://github.com/rust-lang/compiler-builtins/pull/902
        assert_eq!(fused(-1.936_963_1e13, 2.151_355_1e-7, -1.735_442_7e-24), -4_167_095.8);
        // https://github.com/JuliaMath/openlibm/pull/357
        assert_eq!(fused(0.947_400_1, 4.639_901e-7, -0.243_250_85).to_bits(), 0xBE79_16A3);
    }

    #[test]
    fn emulated_fma_rounds_once() {
        // The soft-float fma of the standard library is exact; compare with every pairing of
        // awkward bit patterns, NaNs by class only.
        let edges = [
            0.0,
            1.0,
            1.5,
            f32::MIN_POSITIVE,
            f32::from_bits(1),
            f32::from_bits(0x007F_FFFF),
            f32::MAX,
            f32::INFINITY,
            f32::NAN,
            1.0 + f32::EPSILON,
            1.0 - f32::EPSILON / 2.0,
            3.0 * 0.5f32.powi(75),
            0.5f32.powi(24),
            16_777_215.0,
            1e-30,
            7.077_654e30,
            0.1,
        ];
        let signed = edges.iter().flat_map(|&x: &f32| [x, -x]).collect::<Vec<_>>();
        let check = |a: f32, b: f32, c: f32| {
            let (ours, theirs) = (fused(a, b, c), a.mul_add(b, c));
            assert!(
                ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan()),
                "fma({a:e}, {b:e}, {c:e}) = {ours:e}, not {theirs:e}"
            );
        };
        for &a in &signed {
            for &b in &signed {
                for &c in &signed {
                    check(a, b, c);
                }
            }
        }
    }

    /// The fused multiply-add of a level.
    struct Fma<'a>(&'a [[f32; 16]; 3]);

    impl Kernel for Fma<'_> {
        type Output = [f32; 16];

        #[inline(always)]
        fn run<L: Lanes>(self, s: L) -> [f32; 16] {
            let mut out = [0.0; 16];
            let [a, b, c] = self.0.map(|x| s.load(&x));
            s.store(s.fma(a, b, c), &mut out);
            out
        }
    }

    /// Triples of floats: any bits; and sums that nearly cancel, nearly tie, have a subnormal result or
    /// are about to overflow.
    fn triples(mut next: impl FnMut() -> u64) -> [[f32; 16]; 3] {
        // With this exponent, of any sign and fraction.
        let scaled = |word: u64, exponent: i32| {
            let field = (exponent + 127).clamp(0, 254) as u32;
            f32::from_bits(word as u32 & 0x807F_FFFF | field << 23)
        };
        let triples: [[f32; 3]; 16] = core::array::from_fn(|lane| {
            let (x, y, z) = (next(), next(), next());
            let (a, b) = (f32::from_bits(x as u32), f32::from_bits(y as u32));
            let near = (z >> 32) as i32 % 4;
            match lane / 2 {
                0 => [a, b, f32::from_bits(z as u32)],
                // The sum cancels, but for what the product lost.
                1 => {
                    let c = -(a * b);
                    [a, b, f32::from_bits(c.to_bits().wrapping_add(z as u32 % 5))]
                }
                // c is about half a unit of the product, or the product of c.
                2 => [a, b, a * b * 0.5f32.powi(23 + near)],
                3 => {
                    let (a, b) =
                        (scaled(x, (x >> 32) as i32 % 40), scaled(y, (y >> 32) as i32 % 40));
                    [a, b, scaled(z, ((x >> 32) as i32 % 40 + (y >> 32) as i32 % 40) + 22 + near)]
                }
                // Exponents that meet anywhere within the digits of both.
                4 => {
                    let (p, q) = ((x >> 40) as i32 % 60 - 30, (y >> 40) as i32 % 60 - 30);
                    [scaled(x, p), scaled(y, q), scaled(z, p + q + (z >> 40) as i32 % 60 - 30)]
                }
                // Products around the smallest numbers, and terms there.
                5 => {
                    let p = -70 + (x >> 40) as i32 % 40;
                    let q = -127 - p - 24 + (y >> 40) as i32 % 50;
                    [scaled(x, p), scaled(y, q), scaled(z, -127 + (z >> 40) as i32 % 30)]
                }
                // A product of 25 bits is a tie, which a term too small for f64 breaks.
                6 => {
                    let odd = |word: u64, bits: u32| {
                        let unit = 1 << (24 - bits);
                        f32::from_bits(scaled(word, 0).to_bits() & !(unit - 1) | unit)
                    };
                    [odd(x, 12), odd(y, 13), scaled(z, -40 - (z >> 40) as i32 % 60)]
                }
                // Around the largest number.
                _ => {
                    let p = 60 + (x >> 40) as i32 % 7;
                    let q = 127 - p - (y >> 40) as i32 % 3;
                    [scaled(x, p), scaled(y, q), scaled(z, 127 - (z >> 40) as i32 % 26)]
                }
            }
        });
        [0, 1, 2].map(|k| triples.map(|triple| triple[k]))
    }

    /// Compares the emulation with every level that has the instruction, and where none has, with
    /// the standard library's.
    fn compare_with_hardware(vectors: u64, seed: u64) {
        let fuses = |level: &Level| {
            let built_in = cfg!(any(target_feature = "fma", target_arch = "aarch64"));
            level.is_available() && (*level != Level::Baseline || built_in)
        };
        let levels: Vec<_> = Level::ALL.into_iter().filter(fuses).collect();
        let mut rng = Key { seed, ..Key::default() }.generator(Purpose::Token);
        // Kinds of results.
        let (mut subnormal, mut infinite, mut zero, mut twice_rounded) = (0u64, 0u64, 0u64, 0u64);
        for _ in 0..vectors {
            let triples = triples(|| rng.next_u64());
            let [a, b, c] = &triples;
            let ours: [f32; 16] = core::array::from_fn(|i| fused(a[i], b[i], c[i]));
            let check = |theirs: [f32; 16], name: &str| {
                for (i, (ours, theirs)) in ours.into_iter().zip(theirs).enumerate() {
                    assert!(
                        ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan(),
                        "fma({:e}, {:e}, {:e}) = {ours:e}, not {theirs:e} as {name} has it",
                        a[i],
                        b[i],
                        c[i],
                    );
                }
            };
            for &level in &levels {
                check(run(level, Fma(&triples)), level.name());
            }
            if levels.is_empty() {
                check(core::array::from_fn(|i| a[i].mul_add(b[i], c[i])), "the standard library");
            }
            for (i, x) in ours.into_iter().enumerate() {
                subnormal += u64::from(x.is_subnormal());
                infinite += u64::from(x.is_infinite());
                zero += u64::from(x == 0.0);
                let naive = (f64::from(a[i]) * f64::from(b[i]) + f64::from(c[i])) as f32;
                twice_rounded += u64::from(naive != x && !x.is_nan());
            }
        }
        println!(
            "{} triples against {levels:?}: {subnormal} subnormal, {infinite} infinite, {zero} zero, \
             {twice_rounded} that f64 rounds wrongly",
            16 * vectors
        );
        let few = vectors / 8;
        assert!(subnormal > few && infinite > few && zero > few, "no corner is left out");
        assert!(twice_rounded > few, "only {twice_rounded} hard cases");
    }

    #[test]
    fn emulated_fma_is_that_of_the_hardware() {
        compare_with_hardware(250_000, 1);
    }

    /// Ten seconds: `cargo test --lib emulated_fma -- --ignored --nocapture`.
    #[test]
    #[ignore = "10^8 triples"]
    fn emulated_fma_is_that_of_the_hardware_at_length() {
        compare_with_hardware(6_250_000, 2);
    }
}
