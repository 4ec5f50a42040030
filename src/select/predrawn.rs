//! Pre-drawn hits: each position has one uniform number of its own for the whole decoding, and moves
//! when time has come down to it.
//!
//! Whether a position is revealed does not depend on what the others hold, as long as all have the
//! same probability at every step. Then one number U decides, drawn in advance: with probability
//! keep₁·…·keepₖ a position is still masked after k steps, so it moves at the first step at which U is
//! above that product; and for first-hitting U is 1 − α at the hit itself (Zheng et al.,
//! arXiv 2409.02908, section 4: the times are independent and uniform in 1 − α). The law of the
//! output is that of new random numbers at every step (derived here from that independence).
//!
//! U of a position is output number `position` of the SplitMix64 generator (Steele, Lea and Flood
//! 2014) whose state the segment's key gives: it depends on seed, stream and position alone.

use super::Masked;
use crate::lanes::{Kernel, Lanes, Level, run};
use crate::rng::{Key, Purpose, mix, threshold};

/// The numbers of a segment's positions.
#[derive(Clone, Copy)]
pub(crate) struct Predrawn {
    state: u64,
    /// The request's position of the segment's first one.
    origin: u32,
}

impl Predrawn {
    /// Those of the segment with this key, whose step and position are not looked at.
    pub(crate) fn new(key: Key, origin: u32) -> Self {
        let [state, ..] = Key { step: 0, position: 0, ..key }.state(Purpose::Predrawn);
        Self { state, origin }
    }

    /// U·2^64 − 1 of position `index` of the segment; U is above 0 and at most 1.
    #[inline(always)]
    fn word(self, index: u32) -> u64 {
        let position = u64::from(self.origin.wrapping_add(index));
        mix(self.state.wrapping_add(position.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }
}

/// Appends those of `masked` with U above exp(`log_kept`), the probability to be still masked after
/// this step.
pub(crate) fn choose(
    level: Level,
    masked: &Masked<'_>,
    hits: Predrawn,
    log_kept: f64,
    rows: &mut Vec<u32>,
) {
    // U > K says that U·2^64 − 1 is at least K·2^64, rounded down.
    if let Some(bar) = threshold(libm::exp(log_kept)) {
        run(level, Above { masked, hits, bar, rows });
    }
}

struct Above<'a> {
    masked: &'a Masked<'a>,
    hits: Predrawn,
    bar: u64,
    rows: &'a mut Vec<u32>,
}

impl Kernel for Above<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _s: L) {
        let Self { masked, hits, bar, rows } = self;
        for (k, &word) in masked.words().iter().enumerate() {
            if word == 0 {
                continue;
            }
            // Without branches, which the compiler turns into vectors.
            let mut above = 0;
            for bit in 0..64 {
                above |= u64::from(hits.word(64 * k as u32 + bit) >= bar) << bit;
            }
            masked.push(k, above & word, rows);
        }
    }
}

/// ln U for the number that stands for it, with full precision at both ends.
fn log_uniform(word: u64) -> f64 {
    const UNIT: f64 = f64::from_bits((1023 - 64) << 52);
    if word >> 63 == 1 {
        libm::log1p(-(!word as f64) * UNIT)
    } else {
        libm::log((word as f64 + 1.0) * UNIT)
    }
}

/// Appends the `size` positions among `masked` that are hit next, and ln(1 − α) at the hit of each to
/// `hits`.
///
/// Hits at or above `log_masked`, the time of the last hit, were not made use of: their rows were
/// bad. They come when nothing else is left. Numbers may tie, with probability 2^-64; the lowest
/// position is then the first.
pub(crate) fn choose_next(
    masked: &Masked<'_>,
    numbers: Predrawn,
    log_masked: f64,
    size: u32,
    rows: &mut Vec<u32>,
    hits: &mut Vec<f64>,
) {
    // A little less than the last hit, for it must not come again by a rounding.
    const SLACK: f64 = 1.0 - 1.0 / (1u64 << 40) as f64;
    let bar = if log_masked == 0.0 { None } else { threshold(libm::exp(log_masked) * SLACK) };
    let index = |at: u32| at - masked.position(0);
    // The larger number is hit first; what was missed comes last.
    let order = |&at: &u32| {
        let word = numbers.word(index(at));
        (bar.is_some_and(|bar| word >= bar), !word, at)
    };
    let begin = rows.len();
    if size == 1 {
        let mut first: Option<(bool, u64, u32)> = None;
        for (k, &word) in masked.words().iter().enumerate() {
            let mut bits = word;
            while bits != 0 {
                let here = order(&masked.position(64 * k + bits.trailing_zeros() as usize));
                first = first.filter(|&first| first < here).or(Some(here));
                bits &= bits - 1;
            }
        }
        rows.extend(first.map(|(_, _, at)| at));
    } else {
        masked.push_all(rows);
        let size = size as usize;
        if size < rows.len() - begin {
            rows[begin..].select_nth_unstable_by_key(size, order);
            rows.truncate(begin + size);
        }
        rows[begin..].sort_unstable();
    }
    let time = |&at: &u32| log_uniform(numbers.word(index(at))).min(log_masked);
    hits.extend(rows[begin..].iter().map(time));
}
