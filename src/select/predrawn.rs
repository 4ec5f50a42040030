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

/// So many masked positions of 64 are looked at one by one rather than all in vectors.
const FEW: u32 = 12;

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
            let first = 64 * k as u32;
            let mut above = 0;
            if word.count_ones() <= FEW {
                let mut bits = word;
                while bits != 0 {
                    let bit = bits.trailing_zeros();
                    above |= u64::from(hits.word(first + bit) >= bar) << bit;
                    bits &= bits - 1;
                }
            } else {
                // Without branches, which the compiler turns into vectors.
                for bit in 0..64 {
                    above |= u64::from(hits.word(first + bit) >= bar) << bit;
                }
            }
            masked.push(k, above & word, rows);
        }
    }
}

/// The largest number below `bar` of a masked position, and the word of bits that it is in.
struct Largest<'a> {
    masked: &'a Masked<'a>,
    hits: Predrawn,
    bar: u64,
}

impl Kernel for Largest<'_> {
    type Output = (u64, usize);

    #[inline(always)]
    fn run<L: Lanes>(self, _s: L) -> (u64, usize) {
        let Self { masked, hits, bar } = self;
        let mut largest = (0, 0);
        for (k, &word) in masked.words().iter().enumerate() {
            let first = 64 * k as u32;
            let counts = |bit: u32| {
                let number = hits.word(first + bit);
                let counts = number < bar && word >> bit & 1 == 1;
                if counts { number } else { 0 }
            };
            let mut here = 0;
            if word.count_ones() <= FEW {
                let mut bits = word;
                while bits != 0 {
                    here = here.max(counts(bits.trailing_zeros()));
                    bits &= bits - 1;
                }
            } else {
                // Without branches, which the compiler turns into vectors.
                for bit in 0..64 {
                    here = here.max(counts(bit));
                }
            }
            if here > largest.0 {
                largest = (here, k);
            }
        }
        largest
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
    level: Level,
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
    let largest = Largest { masked, hits: numbers, bar: bar.unwrap_or(u64::MAX) };
    if size == 1
        && let (number @ 1.., k) = run(level, largest)
    {
        let word = masked.words()[k];
        let is_it =
            |&bit: &usize| word >> bit & 1 == 1 && numbers.word((64 * k + bit) as u32) == number;
        rows.extend((0..64).find(is_it).map(|bit| masked.position(64 * k + bit)));
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

#[cfg(test)]
mod tests {
    use super::{Predrawn, choose, choose_next, log_uniform};
    use crate::lanes::Level;
    use crate::rng::Key;
    use crate::select::masked::tests::{tokens, with_masked};

    fn levels() -> impl Iterator<Item = Level> {
        Level::ALL.into_iter().filter(|level| level.is_available())
    }

    #[test]
    fn numbers_are_those_of_split_mix() {
        let hits = Predrawn::new(Key { seed: 3, stream: 4, step: 5, position: 6 }, 0);
        let again = Predrawn::new(Key { seed: 3, stream: 4, ..Key::default() }, 0);
        let window = Predrawn { origin: 10, ..hits };
        let mut state = hits.state;
        for position in 0..100 {
            // Steele, Lea and Flood's loop.
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let x = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            assert_eq!(hits.word(position), x ^ (x >> 31));
            assert_eq!(again.word(position), hits.word(position), "the step does not matter");
            assert_eq!(window.word(position), hits.word(position + 10), "a window");
        }
    }

    #[test]
    fn logarithms_of_numbers() {
        assert_eq!(log_uniform(u64::MAX), 0.0);
        assert_eq!(log_uniform(0), -64.0 * core::f64::consts::LN_2);
        for word in [1, 1 << 40, 1 << 62, (1 << 63) - 1, 1 << 63, u64::MAX - 1, u64::MAX - 12345] {
            // 1 − U exactly, where that is small.
            let rest = !word as f64 / (1u128 << 64) as f64;
            let exact = if word >> 63 == 1 { (-rest).ln_1p() } else { (1.0 - rest).ln() };
            let ours = log_uniform(word);
            assert!(
                (ours - exact).abs() <= 1e-13 * exact.abs() + 1e-300,
                "{word}: {ours}, {exact}"
            );
        }
    }

    #[test]
    fn hits_are_above_what_is_kept() {
        for share in [256, 60, 5] {
            let mut tokens = tokens(700, share, 9);
            for level in levels() {
                with_masked(level, &mut tokens, 3, |masked| {
                    let hits = Predrawn::new(Key { stream: 9, ..Key::default() }, 50);
                    let mut all = Vec::new();
                    masked.push_all(&mut all);
                    for log_kept in [0.0, -1e-3, -0.5, -3.0, f64::NEG_INFINITY] {
                        let mut rows = Vec::new();
                        choose(level, masked, hits, log_kept, &mut rows);
                        let log_of = |at: u32| log_uniform(hits.word(at - 3));
                        let above = |at: &u32| log_of(*at) > log_kept;
                        let expected: Vec<u32> = all.iter().copied().filter(above).collect();
                        assert_eq!(rows, expected, "kept {log_kept}, {level}");
                    }
                });
            }
        }
    }

    #[test]
    fn the_next_hits_are_the_largest_numbers() {
        for share in [256, 60, 5] {
            let mut tokens = tokens(700, share, 9);
            for level in levels() {
                with_masked(level, &mut tokens, 3, |masked| {
                    let hits = Predrawn::new(Key { stream: 9, ..Key::default() }, 50);
                    let log_of = |at: u32| log_uniform(hits.word(at - 3));
                    let mut all = Vec::new();
                    masked.push_all(&mut all);
                    all.sort_by(|&a, &b| log_of(b).total_cmp(&log_of(a)));
                    for size in [0, 1, 2, 5, all.len() as u32, 9_999] {
                        // From the start, and after some hits that were not made use of.
                        for passed in [0, 1, 3] {
                            let now = if passed == 0 { 0.0 } else { log_of(all[passed - 1]) };
                            let order = all[passed..].iter().chain(&all[..passed]).copied();
                            let mut expected: Vec<u32> = order.take(size as usize).collect();
                            expected.sort_unstable();
                            let (mut rows, mut times) = (Vec::new(), Vec::new());
                            choose_next(level, masked, hits, now, size, &mut rows, &mut times);
                            assert_eq!(rows, expected, "{size} after {passed}, {level}");
                            assert_eq!(times.len(), rows.len());
                            for (&at, time) in rows.iter().zip(times) {
                                assert_eq!(time, log_of(at).min(now));
                            }
                        }
                    }
                });
            }
        }
    }
}
