//! The vector vocabulary: 16 lanes of f32 or u32 at every level, with the same bits.
//!
//! A kernel is written once, generic over [`Lanes`]. A level adds only operations. A value of a
//! level's type proves that the CPU has the level's features, so its operations are safe to call.

#![allow(unsafe_code, reason = "the one place where vector instructions are named")]

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
pub(crate) mod baseline;
pub(crate) mod math;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use core::arch::asm;
use core::fmt;
use core::hint::select_unpredictable;
use half::{bf16, f16};

/// A bundle of instruction-set features that the kernels are built for.
///
/// Results do not depend on the level, to the last bit; only speed does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Level {
    /// What every CPU of the target has: SSE2 on x86-64, NEON on AArch64, simd128 on wasm32 if
    /// enabled. Where the target lacks fused multiply-add it is emulated, exactly and slowly.
    Baseline,
    /// x86-64 with AVX2, FMA, F16C, BMI1, BMI2, LZCNT and POPCNT (Haswell, Zen and later).
    Avx2,
    /// x86-64 with AVX-512 F, BW, CD, DQ and VL beside the above (Skylake-X, Zen 4 and later).
    Avx512,
}

impl Level {
    /// All levels, from the lowest.
    pub const ALL: [Self; 3] = [Self::Baseline, Self::Avx2, Self::Avx512];

    /// The best level of this CPU. The answer is cached and never changes.
    #[must_use]
    pub fn detect() -> Self {
        let available = |level: &Self| level.is_available();
        Self::ALL.into_iter().rev().find(available).unwrap_or(Self::Baseline)
    }

    /// Whether this CPU, in this build, has the level.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Baseline => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::Avx2::new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::Avx512::new().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// The level's name: `baseline`, `avx2` or `avx512`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A computation written once for every level.
pub(crate) trait Kernel {
    /// What it returns.
    type Output;

    /// The computation. Must be `#[inline(always)]`, and so must everything in it that takes
    /// `s`: the instructions of a level exist only inside the shell in its [`Lanes::call`].
    fn run<L: Lanes>(self, s: L) -> Self::Output;
}

/// The float mode in which levels agree, as long as it lives: rounding to nearest, and subnormal
/// numbers kept. A library built with -ffast-math may have left another one in the thread, in which
/// subnormal logits are all equal.
pub(crate) struct FloatMode {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    before: Control,
}

/// The register that holds the mode: MXCSR, FPCR.
#[cfg(target_arch = "x86_64")]
type Control = u32;
#[cfg(target_arch = "aarch64")]
type Control = u64;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
impl FloatMode {
    /// All exceptions masked, on x86-64 by bits that are 1.
    const DEFAULT: Control = if cfg!(target_arch = "x86_64") { 0x1F80 } else { 0 };

    /// What is no mode: x86-64 keeps the flags of exceptions that occurred in the same register.
    const FLAGS: Control = if cfg!(target_arch = "x86_64") { 0x3F } else { 0 };

    #[inline(always)]
    pub(crate) fn set() -> Self {
        let mode = Self { before: Self::read() };
        if !mode.is_default() {
            // SAFETY: this is the mode that Rust code expects.
            unsafe { Self::load(Self::DEFAULT) };
        }
        mode
    }

    #[inline(always)]
    fn is_default(&self) -> bool {
        self.before & !Self::FLAGS == Self::DEFAULT
    }

    #[inline(always)]
    fn read() -> Control {
        let mut mode: Control = 0;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every x86-64 has SSE; 4 bytes are writable there.
        unsafe {
            asm!("stmxcsr [{}]", in(reg) &raw mut mode, options(nostack, preserves_flags));
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: every AArch64 that this target is for has the register, and anyone may read it.
        unsafe {
            asm!("mrs {}, fpcr", out(reg) mode, options(nomem, nostack, preserves_flags));
        }
        mode
    }

    /// # Safety
    /// The mode must be the default one, or that of the caller, to whom control returns.
    #[cold]
    unsafe fn load(mode: Control) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every x86-64 has SSE; 4 bytes are readable there.
        unsafe {
            asm!("ldmxcsr [{}]", in(reg) &raw const mode, options(nostack, preserves_flags));
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: every AArch64 that this target is for has the register, and anyone may write it.
        unsafe {
            asm!("msr fpcr, {}", in(reg) mode, options(nostack, preserves_flags));
        }
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
impl Drop for FloatMode {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.is_default() {
            // SAFETY: the caller's mode.
            unsafe { Self::load(self.before) };
        }
    }
}

/// Elsewhere there is no other mode that could be left behind (wasm32), or it is not looked at.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
impl FloatMode {
    #[inline(always)]
    pub(crate) fn set() -> Self {
        Self {}
    }
}

/// Runs `kernel` at `level`; at the baseline if the CPU lacks the level, which gives the same bits.
pub(crate) fn run<K: Kernel>(level: Level, kernel: K) -> K::Output {
    let _mode = FloatMode::set();
    #[cfg(target_arch = "x86_64")]
    {
        if let (Level::Avx512, Some(s)) = (level, avx512::Avx512::new()) {
            return s.call(kernel);
        }
        if let (Level::Avx2, Some(s)) = (level, avx2::Avx2::new()) {
            return s.call(kernel);
        }
    }
    let _ = level;
    baseline::Baseline.call(kernel)
}

/// Sixteen lanes. A value of the implementing type is the proof that its instructions may run.
///
/// Every operation is lane-wise, rounds to nearest even, and gives the same bits at every level,
/// but for the payload and sign of a NaN, and the sign of a zero from [`max`](Self::max) and
/// [`min`](Self::min).
pub(crate) trait Lanes: Copy {
    /// 16 × f32.
    type F: Copy;
    /// 16 × u32; arithmetic wraps.
    type U: Copy;
    /// 16 × yes or no.
    type Mask: Copy;

    /// Runs a kernel as a function of its own: for what is large and entered seldom, or from several
    /// places. Everything else is inlined into the function that it stands in.
    fn call<K: Kernel>(self, kernel: K) -> K::Output;

    fn splat(self, x: f32) -> Self::F;
    fn load(self, x: &[f32; 16]) -> Self::F;
    /// Up to 16 floats; the lanes that are left hold −∞.
    fn load_some(self, x: &[f32]) -> Self::F;
    /// The exact values; a NaN stays one.
    fn load_f16(self, x: &[f16; 16]) -> Self::F;
    /// The exact values; a NaN stays one.
    fn load_bf16(self, x: &[bf16; 16]) -> Self::F;
    fn store(self, x: Self::F, out: &mut [f32; 16]);
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// a·b + c, rounded once.
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// The larger; unspecified if one is NaN.
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    /// The larger of x and `least`, which is not NaN; x if that is.
    fn at_least(self, x: Self::F, least: Self::F) -> Self::F;
    /// The larger of x and 0; one of the two if x is NaN.
    #[inline(always)]
    fn at_least_zero(self, x: Self::F) -> Self::F {
        self.max(x, self.splat(0.0))
    }
    /// The smaller; unspecified if one is NaN.
    fn min(self, a: Self::F, b: Self::F) -> Self::F;

    fn greater(self, a: Self::F, b: Self::F) -> Self::Mask;
    fn equal(self, a: Self::F, b: Self::F) -> Self::Mask;
    /// Whether a or b is NaN.
    fn unordered(self, a: Self::F, b: Self::F) -> Self::Mask;
    fn no_lane(self) -> Self::Mask;
    fn or(self, a: Self::Mask, b: Self::Mask) -> Self::Mask;
    fn any(self, mask: Self::Mask) -> bool;
    /// Lane i as bit i.
    fn bits(self, mask: Self::Mask) -> u16;
    /// Bit i as lane i.
    fn mask(self, bits: u16) -> Self::Mask;
    /// a where the mask says yes, else b.
    fn select(self, mask: Self::Mask, a: Self::F, b: Self::F) -> Self::F;

    fn splat_u32(self, x: u32) -> Self::U;
    fn load_u32(self, x: &[u32; 16]) -> Self::U;
    fn store_u32(self, x: Self::U, out: &mut [u32; 16]);
    fn float_bits(self, x: Self::F) -> Self::U;
    fn float_from_bits(self, x: Self::U) -> Self::F;
    fn add_u32(self, a: Self::U, b: Self::U) -> Self::U;
    fn xor(self, a: Self::U, b: Self::U) -> Self::U;
    fn equal_u32(self, a: Self::U, b: Self::U) -> Self::Mask;
    fn and(self, a: Self::U, b: Self::U) -> Self::U;
    /// The smaller of each half of the lanes, as signed integers of 16 bits.
    fn min_i16(self, a: Self::U, b: Self::U) -> Self::U;
    /// Whether a ≤ b.
    fn at_most(self, a: Self::U, b: Self::U) -> Self::Mask;
    /// One more where the mask says yes.
    fn count(self, a: Self::U, mask: Self::Mask) -> Self::U;
    /// How many of 16 ascending integers below 2^63 are at most `bound`, which the last is not.
    #[inline(always)]
    fn ascending_at_most(self, a: &[u64; 16], bound: u64) -> usize {
        let mut count = 0;
        for half in [8, 4, 2, 1] {
            let passed = a[count + half - 1] <= bound;
            count = select_unpredictable(passed, count + half, count);
        }
        count
    }
    fn shl<const N: u32>(self, a: Self::U) -> Self::U;
    fn shr<const N: u32>(self, a: Self::U) -> Self::U;
    /// N is from 1 to 31.
    fn rotate_left<const N: u32>(self, a: Self::U) -> Self::U;
    /// All bits of a lane become its highest one.
    fn spread_highest(self, a: Self::U) -> Self::U;
    /// Whether the highest bit is set.
    fn highest(self, a: Self::U) -> Self::Mask;
    /// The f32 nearest to each value; values must be below 2^31.
    fn to_f32(self, a: Self::U) -> Self::F;
    /// Rounds towards zero; unspecified for NaN and outside 0..2^31.
    fn truncate(self, a: Self::F) -> Self::U;
    /// In each lane, `table[index mod 16]`.
    fn lookup(self, table: Self::U, index: Self::U) -> Self::U;

    /// In f64, `from` less the sum of lanes 0 to i, for every lane i.
    ///
    /// The sums, in each half of the lanes: every lane adds the one below it, then the one 2 below,
    /// then the one 4 below. The upper half then adds the last sum of the lower.
    #[inline(always)]
    fn subtract_running_sums(self, from: f64, x: Self::F, out: &mut [f64; 16]) {
        let mut lanes = [0.0; 16];
        self.store(x, &mut lanes);
        let mut sums = lanes.map(f64::from);
        for half in sums.chunks_exact_mut(8) {
            for distance in [1, 2, 4] {
                for i in (distance..8).rev() {
                    half[i] += half[i - distance];
                }
            }
        }
        let lower = sums[7];
        for (i, (out, sum)) in out.iter_mut().zip(sums).enumerate() {
            *out = from - if i < 8 { sum } else { sum + lower };
        }
    }

    /// Lane i of the result j is lane j of `x[i]`.
    #[inline(always)]
    fn transpose(self, x: [Self::F; 16]) -> [Self::F; 16] {
        let mut rows = [[0.0; 16]; 16];
        for (x, row) in x.into_iter().zip(&mut rows) {
            self.store(x, row);
        }
        let mut columns = [self.splat(0.0); 16];
        for (j, column) in columns.iter_mut().enumerate() {
            let mut lanes = [0.0; 16];
            for (lane, row) in lanes.iter_mut().zip(&rows) {
                *lane = row[j];
            }
            *column = self.load(&lanes);
        }
        columns
    }

    /// The largest lane; unspecified if one is NaN.
    fn largest(self, x: Self::F) -> f32;
}
