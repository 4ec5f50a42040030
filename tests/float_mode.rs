//! The float mode of the calling thread: what a library built with -ffast-math leaves behind (results
//! and operands that are subnormal become 0) changes nothing. Rust itself requires that numbers are
//! rounded to nearest: in another mode what the kernels compute is the same, and what is computed
//! beside them may differ. C may call in any mode (`ffi-tests/float_mode.c`).
//!
//! Tokens drawn by every filter are in `peer_bugs.rs` (row 15).

#![allow(unsafe_code, reason = "to set the float mode")]
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

#[path = "golden/inputs.rs"]
mod inputs;

use demask::policy::DrawMethod;
use demask::schedule::hitting;
use demask::{
    Canvas, Constraints, Draw, Key, Level, Noise, Plan, Policy, PositionState, RowOutputs,
    RowStatistics, Sampler, Segment, Statistics, TopToken,
};
use inputs::{Typed, keys, view, words};

/// A float mode, as bits of its register that are changed.
#[derive(Clone, Copy, Debug)]
enum Mode {
    Flush,
    Up,
    Down,
    TowardsZero,
}

impl Mode {
    const ROUNDINGS: [Self; 3] = [Self::Up, Self::Down, Self::TowardsZero];

    /// The bits in MXCSR.
    #[cfg(target_arch = "x86_64")]
    const fn bits(self) -> u64 {
        match self {
            Self::Flush => 0x8040,
            Self::Up => 0x4000,
            Self::Down => 0x2000,
            Self::TowardsZero => 0x6000,
        }
    }

    /// The bits in FPCR.
    #[cfg(target_arch = "aarch64")]
    const fn bits(self) -> u64 {
        match self {
            Self::Flush => 1 << 24,
            Self::Up => 1 << 22,
            Self::Down => 2 << 22,
            Self::TowardsZero => 3 << 22,
        }
    }

    /// Runs `work` in this mode.
    #[inline(never)]
    fn run<T>(self, work: &mut dyn FnMut() -> T) -> T {
        let before = control();
        // SAFETY: no bit unmasks an exception, and the mode is put back below.
        unsafe { set_control(before | self.bits()) };
        let result = work();
        assert_eq!(control() & self.bits(), self.bits(), "a call puts the mode back");
        // SAFETY: this is the mode of before.
        unsafe { set_control(before) };
        result
    }
}

fn control() -> u64 {
    use core::arch::asm;
    #[cfg(target_arch = "x86_64")]
    {
        let mut mode = 0u32;
        // SAFETY: the mode is written to a variable.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut mode, options(nostack)) };
        mode.into()
    }
    #[cfg(target_arch = "aarch64")]
    {
        let mode: u64;
        // SAFETY: anyone may read the register.
        unsafe { asm!("mrs {}, fpcr", out(reg) mode, options(nostack)) };
        mode
    }
}

/// # Safety
/// The mode must be put back before other code runs.
unsafe fn set_control(mode: u64) {
    use core::arch::asm;
    #[cfg(target_arch = "x86_64")]
    {
        let mode = mode as u32;
        // SAFETY: the caller's promise.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const mode, options(nostack)) };
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the caller's promise.
    unsafe {
        asm!("msr fpcr, {}", in(reg) mode, options(nostack));
    }
}

fn levels() -> impl Iterator<Item = Level> {
    Level::ALL.into_iter().filter(|level| level.is_available())
}

/// A row of subnormal logits, one of others and one of both.
fn hard_rows(vocab: usize) -> Vec<f32> {
    let mut next = words(41, vocab as u64);
    let tiny = |word: u64| f32::from_bits((word >> 42) as u32 | (word as u32) << 31);
    let mut row = |kind: usize| -> Vec<f32> {
        (0..vocab)
            .map(|token| match (kind + token * (kind / 2)) % 3 {
                0 => tiny(next()),
                1 => inputs::logit(next()),
                _ => tiny(next()) * 1e6,
            })
            .collect()
    };
    [row(0), row(1), row(2)].concat()
}

/// All that is known of rows: tokens, the bits of statistics, the largest logits.
fn described(
    level: Level,
    vocab: usize,
    kind: usize,
    typed: &Typed,
    mode: Option<Mode>,
) -> (Vec<i32>, Vec<u64>) {
    const ROWS: usize = 3;
    let logits = view(typed.each()[kind].1, ROWS, vocab);
    let mut sampler = Sampler::builder(ROWS, 1).level(level).vocab(vocab).build().expect("there");
    let (keys, none) = (keys(ROWS), Constraints::NONE);
    let race = Draw { method: DrawMethod::ExponentialRace, ..Draw::at(0.8) };
    let draws = [Draw::at(0.0), Draw::at(1.0), Draw { top_k: 5, ..Draw::at(0.5) }, race];
    let given = [0, 1, 2];
    let (mut tokens, mut bits) = (Vec::new(), Vec::new());
    for draw in draws {
        let mut statistics = [RowStatistics::BAD; ROWS];
        let mut top = [TopToken { token: -1, logit: 0.0 }; 4 * ROWS];
        let mut call = || {
            let wanted =
                Statistics { given: &given, against: Some(logits), ..Statistics::default() };
            let into = RowOutputs { statistics: &mut statistics, top: &mut top };
            let drawn = sampler.draw_with_statistics(&logits, &draw, &none, &keys, &wanted, into);
            drawn.map(|drawn| drawn.iter().map(|drawn| drawn.token).collect::<Vec<_>>())
        };
        let drawn = match mode {
            Some(mode) => mode.run(&mut call),
            None => call(),
        };
        tokens.extend(drawn.expect("a draw"));
        tokens.extend(top.iter().map(|top| top.token));
        for row in &statistics {
            bits.extend(
                [
                    row.log_sum_exp,
                    row.entropy,
                    row.probability,
                    row.log_probability,
                    row.log_others,
                    row.margin,
                    row.argmax_log_others,
                    row.log_margin_gap,
                    row.given_log_probability,
                    row.divergence,
                ]
                .map(f64::to_bits),
            );
            bits.extend([row.max.to_bits().into(), row.argmax as u64]);
        }
    }
    (tokens, bits)
}

#[test]
fn flush_to_zero_changes_no_token_and_no_statistic() {
    for vocab in [5, 40, 700, 5_000] {
        let typed = Typed::new(hard_rows(vocab));
        for level in levels() {
            for kind in 0..3 {
                let plain = described(level, vocab, kind, &typed, None);
                let other = described(level, vocab, kind, &typed, Some(Mode::Flush));
                assert_eq!(plain, other, "V {vocab}, type {kind}, {level}");
            }
        }
    }
}

#[test]
fn flush_to_zero_changes_no_race_and_no_hitting_time() {
    let (rows, vocab) = (3, 700);
    let typed = Typed::new(hard_rows(vocab));
    let draw = Draw { method: DrawMethod::ExponentialRace, ..Draw::at(0.8) };
    for level in levels() {
        let logits = view(typed.each()[0].1, rows, vocab);
        let mut sampler = Sampler::builder(rows, 1).level(level).build().expect("a sampler");
        let mut race = || {
            let keys = keys(rows);
            let raced = sampler.race_shard(&logits, 100, &draw, &Constraints::NONE, &keys);
            raced.expect("a race").to_vec()
        };
        assert_eq!(race(), Mode::Flush.run(&mut race), "{level}");
        let mut hits = || {
            let mut events = vec![0.0; 300];
            hitting::all(level, Key::default(), 0.0, &mut events);
            events
        };
        let plain = hits();
        for mode in Mode::ROUNDINGS.into_iter().chain([Mode::Flush]) {
            assert_eq!(plain, mode.run(&mut hits), "{mode:?}, {level}");
        }
    }
}

/// Tokens and states of positions at the end of a decoding.
fn decoded(level: Level, policy: Policy<'_>, mode: Mode) -> [(Vec<i32>, Vec<PositionState>); 2] {
    let (length, vocab) = (40, 33);
    let typed = Typed::new(inputs::rows(length, vocab, 42));
    [None, Some(mode)].map(|mode| {
        let mut tokens = vec![-1; length];
        let mut states = vec![PositionState::default(); length];
        let mut segments = [Segment { end: length as u32, seed: 9, ..Segment::default() }];
        let mut sampler = Sampler::builder(length, 1).level(level).build().expect("a sampler");
        let mut plan = Plan::with_capacity(length, 1);
        let policies = [policy];
        let mut decode = || {
            for _ in 0..100 {
                let canvas = Canvas::new(&mut tokens, -1, &mut segments, &policies);
                let canvas = canvas.and_then(|canvas| canvas.with_states(&mut states));
                let mut canvas = canvas.expect("a canvas");
                sampler.plan(&canvas, &mut plan).expect("a plan");
                if plan.active() == 0 {
                    return;
                }
                let logits = view(typed.each()[0].1, length, vocab);
                sampler.step(&mut canvas, &logits).expect("a step");
            }
        };
        match mode {
            Some(mode) => mode.run(&mut decode),
            None => decode(),
        }
        (tokens, states)
    })
}

#[test]
fn flush_to_zero_changes_no_decoding() {
    let policies = [
        Policy::first_hitting(Noise::Cosine),
        Policy::euler(Noise::Linear, 8),
        Policy::ancestral(Noise::UnitRate, 8),
        Policy::random_order(8),
        Policy::llada(8),
        Policy::maskgit(8),
        Policy::entropy_bound(0.3),
    ];
    for level in levels() {
        for policy in policies {
            let [plain, other] = decoded(level, policy, Mode::Flush);
            assert!(!plain.0.iter().all(|&token| token == -1), "something is decoded");
            assert_eq!(plain, other, "{policy:?}, {level}");
        }
    }
}

/// The kernels take care of their own mode. What Rust computes beside them is rounded otherwise, at
/// every level alike.
#[test]
fn another_rounding_is_the_same_at_every_level() {
    for vocab in [40, 5_000] {
        let typed = Typed::new(hard_rows(vocab));
        let plain = described(Level::Baseline, vocab, 0, &typed, None);
        for mode in Mode::ROUNDINGS {
            let first = described(Level::Baseline, vocab, 0, &typed, Some(mode));
            let moved = plain.1.iter().zip(&first.1).filter(|(a, b)| a != b).count();
            println!("V {vocab}, {mode:?}: {moved} of {} statistics differ", plain.1.len());
            for level in levels() {
                let other = described(level, vocab, 0, &typed, Some(mode));
                assert_eq!(first, other, "V {vocab}, {mode:?}, {level}");
            }
        }
    }
}
