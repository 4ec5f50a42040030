//! The keyed exponential race: every token has noise of its own, and the largest score wins.
//!
//! The score of a token is z·log2(e)/T − log2(E), with E exponential with mean 1; the winner has the
//! softmax law (Gumbel-max in base 2; Yellott 1977). The noise is a function of the key, the number
//! of the draw and the token's id, so a row may be cut anywhere: the winner of the whole is the best
//! of the parts' winners.
//!
//! A score costs two logarithms, so all but a few dozen tokens of a row are ruled out first:
//!
//! 1. E = −ln(1 − u), and the highest 16 of the 80 bits of u come from 16 lanes of xoshiro128++,
//!    two tokens a word. E ≥ u, so they bound the score from above.
//! 2. A *cell* is the tokens of one lane in eight vectors. Its largest logit and its least noise
//!    bound the scores of its tokens together. Most cells cannot beat the best score so far.
//! 3. In a cell that can, tokens are bounded one by one; for one that can still win, the other 64
//!    bits are made, and the score is computed in f64 (and the rounding error of its last sum).
//!
//! Nothing but speed depends on what is ruled out, or when: scores are pure functions.

use super::element::Element;
use super::envelope::{Cells, Scratch};
use super::filter::{InNucleus, Nucleus};
use super::kernel::{Elements, run_batch};
use super::row::Row;
use super::stage::{self, Part};
use super::{Batch, DrawRule, Drawn, RowState, Temperature};
use crate::lanes::{Kernel, Lanes, Level, run};
use crate::logits::{Guide, Logits, LogitsData};
use crate::rng::{Key, LaneGenerators, Purpose, mix};
use core::ops::Range;

/// Token ids that share 16 generators.
pub(super) const SUPERBLOCK: usize = 4_096;

/// Words of noise a lane in a group: tokens of a cell.
const WORDS: usize = 8;

/// Tokens of a group: two a lane for each word.
const GROUP: usize = 32 * WORDS;

const _: () = assert!(SUPERBLOCK.is_multiple_of(GROUP));

/// What the race among the columns of a shard came to; [`merge`](Self::merge) makes that of the row.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct RaceResult {
    /// The winner's z·log2(e)/T − log2(E), rounded to f64; at temperature 0 its logit. −∞ without a
    /// winner.
    pub score: f64,
    /// What that rounding lost, so that tokens are told apart however large their logits are.
    pub score_rest: f64,
    /// The winner's id in the whole vocabulary; −1 without one.
    pub token: i32,
    /// Whether there is a winner.
    pub state: RaceState,
}

/// What became of a shard of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RaceState {
    /// A token won.
    Drawn = 1,
    /// The shard holds NaN or +∞, which makes the whole row bad.
    Bad = 2,
    /// All logits of the shard are −∞: the token is in another one. A row of such shards is bad.
    Empty = 3,
}

impl RaceResult {
    /// That of a bad shard.
    pub const BAD: Self = Self { state: RaceState::Bad, ..Self::EMPTY };

    /// That of a shard without a token that could be drawn; merging with it changes nothing.
    pub const EMPTY: Self =
        Self { score: f64::NEG_INFINITY, score_rest: 0.0, token: -1, state: RaceState::Empty };

    /// The result of two shards together: the larger score, ties to the lowest id, bad if one is.
    /// Associative and commutative, to the last bit.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        match (self.state, other.state) {
            (RaceState::Bad, _) | (_, RaceState::Bad) => Self::BAD,
            (_, RaceState::Empty) => self,
            (RaceState::Empty, _) => other,
            _ if other.beats(&self) => other,
            _ => self,
        }
    }

    /// The draw from a row whose shards have all been merged.
    #[must_use]
    pub fn drawn(self) -> Drawn {
        match self.state {
            RaceState::Drawn => Drawn { token: self.token, state: RowState::Drawn },
            RaceState::Bad | RaceState::Empty => Drawn::BAD,
        }
    }

    /// Whether it wins against another winner.
    fn beats(&self, other: &Self) -> bool {
        if self.score != other.score {
            return self.score > other.score;
        }
        if self.score_rest != other.score_rest {
            return self.score_rest > other.score_rest;
        }
        self.token < other.token
    }
}

/// The noise of one draw.
#[derive(Clone, Copy)]
pub(super) struct Noise([u64; 4]);

impl Noise {
    pub(super) fn new(key: Key, draw: u32) -> Self {
        Self(key.draw_state(Purpose::Race, draw))
    }

    /// The generators of the tokens from `superblock`·[`SUPERBLOCK`] on. Word k of lane i is that of
    /// tokens 32·k + i (its low half) and 32·k + 16 + i; [`high_bits`] are in it.
    #[inline(always)]
    pub(super) fn lane_states(&self, superblock: usize) -> [[u64; 2]; 16] {
        let Self([a, b, ..]) = self;
        core::array::from_fn(|lane| {
            let place = (16 * superblock + lane) as u64;
            [mix(a ^ place), mix(b ^ place)]
        })
    }

    /// The low 64 bits of a token's uniform number.
    #[inline(always)]
    fn low_bits(&self, token: usize) -> u64 {
        let Self([.., c, d]) = self;
        mix(mix(c ^ token as u64) ^ d)
    }

    /// E of a token whose [`high_bits`] are known: −ln(1 − u), u = (n + ½)·2^-80, where n is the
    /// integer of its 80 bits. Full relative precision at both ends.
    #[inline(always)]
    pub(super) fn exponential(&self, token: usize, high: u16) -> f64 {
        let low = self.low_bits(token);
        let upper = high >> 15 == 1;
        // `near` is u or 1 − u, whichever is below ½.
        let (high, low) = if upper { (!high, !low) } else { (high, low) };
        let bits = f64::from(high) * f64::from_bits((1023 + 64) << 52) + low as f64;
        let near = (bits + 0.5) * f64::from_bits((1023 - 80) << 52);
        if upper { -libm::log(near) } else { -libm::log1p(-near) }
    }
}

/// The high 16 bits of a token's uniform number from a half of its word, 0 the low one: in the
/// order of signed integers, of which every level has a vector minimum.
#[inline(always)]
pub(super) fn high_bits(word: u32, half: usize) -> u16 {
    (word >> (16 * half)) as u16 ^ 0x8000
}

/// The result of a token alone.
#[inline(always)]
pub(super) fn scored(token: usize, logit: f32, log: f64, temperature: Temperature) -> RaceResult {
    let scaled = f64::from(logit) * (f64::from(temperature.high) + f64::from(temperature.low));
    let score = scaled - log;
    // TwoSum: what the difference lost.
    let part = score - scaled;
    let score_rest = (scaled - (score - part)) + (-log - part);
    RaceResult { score, score_rest, token: token as i32, state: RaceState::Drawn }
}

/// Which tokens run: those with larger logits than `least`, and those with that logit up to `last`.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    pub(super) least: f32,
    pub(super) last: usize,
}

impl Kept {
    /// Every token that is not −∞.
    pub(super) const ALL: Self = Self { least: f32::MIN, last: usize::MAX };

    /// Those of them that also have at least this logit.
    #[inline(always)]
    pub(super) fn at_least(self, least: f32) -> Self {
        if least > self.least { Self { least, last: usize::MAX } } else { self }
    }
}

/// The best so far, and what another token needs to beat it.
struct Best {
    result: RaceResult,
    logit: f32,
    /// A token with logit x and noise b (as the bits of a float, counted in units of 2^23) is beaten
    /// if (x − logit)·log2(e)/T − b is below this.
    bar: f32,
}

/// How much the bar is lowered for the roundings of the screen.
///
/// The screen takes logits relative to the best one's, so offsets do not matter. A token that wins
/// lies at most 88 octaves below it (u ≥ 2^-81, E < 57), and one that lies 150 above passes with
/// room to spare; in between x − logit, log2(e)/T (to 2^-22 even where it is subnormal) and their
/// product are off by less than 150·2^-21, the bar and the difference by 300·2^-23, together
/// 1.1e-4.
const MARGIN: f64 = 1.0 / 1024.0;

impl Best {
    #[inline(always)]
    fn bar<L: Lanes>(&self, s: L) -> L::F {
        s.splat(self.bar)
    }
}

/// Whether tokens, or cells of them, are ruled out: `x` their largest logit, `high` their least high
/// bits.
#[inline(always)]
fn beaten<L: Lanes>(
    s: L,
    best: &Best,
    least: f32,
    temperature: Temperature,
    x: L::F,
    high: L::U,
) -> L::Mask {
    // The bits of a float, read as a number in units of 2^23, are its base-2 logarithm but for the
    // exponent's bias and a curve that is never below them (Schraudolph 1999). All of these are
    // exact; no bits at all come to less than the logarithm of any u.
    let log = s.mul(s.to_f32(s.float_bits(s.to_f32(high))), s.splat(1.0 / (1u32 << 23) as f32));
    // Two logits may lie so far apart that their difference overflows, and still not matter.
    let lead = s.max(s.sub(x, s.splat(best.logit)), s.splat(f32::MIN));
    let ahead = s.mul(lead, s.splat(temperature.high));
    // A NaN, from ∞·0 at infinite temperature, does not rule out.
    s.or(s.greater(best.bar(s), s.sub(ahead, log)), s.greater(s.splat(least), x))
}

/// The race among the columns of one row from `offset` on.
pub(super) struct Race<'a, E> {
    pub(super) logits: &'a [E],
    pub(super) offset: usize,
    /// An id of the whole vocabulary, or a number past its end.
    pub(super) excluded: usize,
    pub(super) kept: Kept,
    pub(super) temperature: Temperature,
    pub(super) noise: Noise,
}

impl<E: Element> Kernel for Race<'_, E> {
    type Output = RaceResult;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> RaceResult {
        let Self { logits, offset, excluded, kept, temperature, noise } = self;
        let end = offset + logits.len();
        let mut best = Best { result: RaceResult::EMPTY, logit: 0.0, bar: f32::NEG_INFINITY };
        let floor = s.splat(f32::NEG_INFINITY);
        let mut nan = s.no_lane();
        let mut begin = offset - offset % GROUP;
        let mut generators = LaneGenerators::new(s, noise.lane_states(begin / SUPERBLOCK));
        for _ in 0..begin % SUPERBLOCK / 32 {
            generators.next(s);
        }
        let mut edge;
        while begin < end {
            let whole = begin.checked_sub(offset).and_then(|at| logits.get(at..at + GROUP));
            let whole = whole.and_then(|tokens| tokens.as_chunks().0.try_into().ok());
            let group: &[[E; 16]; 2 * WORDS] = match whole {
                Some(group) => group,
                None => {
                    // A cut group is filled up with −∞.
                    let (from, to) = (begin.max(offset), end.min(begin + GROUP));
                    edge = [[E::NEG_INFINITY; 16]; 2 * WORDS];
                    edge.as_flattened_mut()[from - begin..to - begin]
                        .copy_from_slice(&logits[from - offset..to - offset]);
                    &edge
                }
            };
            let mut words = [[0; 16]; WORDS];
            let mut noises = s.splat_u32(0x7FFF_7FFF);
            let mut tops = [floor; 2];
            for k in 0..WORDS {
                let word = generators.next(s);
                s.store_u32(word, &mut words[k]);
                noises = s.min_i16(noises, word);
                let (x, y) = (E::load(s, &group[2 * k]), E::load(s, &group[2 * k + 1]));
                nan = s.or(nan, s.unordered(x, y));
                tops = [s.max(tops[0], x), s.max(tops[1], y)];
            }
            let [even, odd] = halves(s, noises);
            let beaten = [
                s.bits(beaten(s, &best, kept.least, temperature, tops[0], even)),
                s.bits(beaten(s, &best, kept.least, temperature, tops[1], odd)),
            ];
            if beaten != [u16::MAX; 2] {
                // A row of NaN must not be slow.
                if s.any(nan) {
                    return RaceResult::BAD;
                }
                let best = &mut best;
                s.call(Finish {
                    group,
                    words: &words,
                    beaten,
                    begin,
                    excluded,
                    kept,
                    temperature,
                    noise,
                    best,
                });
                if best.result.state == RaceState::Bad {
                    return RaceResult::BAD;
                }
            }
            begin += GROUP;
            if begin.is_multiple_of(SUPERBLOCK) {
                generators = LaneGenerators::new(s, noise.lane_states(begin / SUPERBLOCK));
            }
        }
        if s.any(nan) { RaceResult::BAD } else { best.result }
    }
}

/// The high bits of the tokens of a word: even vectors, odd vectors.
#[inline(always)]
fn halves<L: Lanes>(s: L, word: L::U) -> [L::U; 2] {
    let bits = s.xor(word, s.splat_u32(0x8000_8000));
    [s.shr::<16>(s.shl::<16>(bits)), s.shr::<16>(bits)]
}

/// Looks into the cells of a group that are not beaten.
struct Finish<'a, E> {
    group: &'a [[E; 16]; 2 * WORDS],
    words: &'a [[u32; 16]; WORDS],
    beaten: [u16; 2],
    /// The id of the first token.
    begin: usize,
    excluded: usize,
    kept: Kept,
    temperature: Temperature,
    noise: Noise,
    best: &'a mut Best,
}

impl<E: Element> Kernel for Finish<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { group, words, beaten: out, begin, excluded, kept, temperature, noise, best } =
            self;
        for (v, vector) in group.iter().enumerate() {
            let parity = v % 2;
            if out[parity] == u16::MAX {
                continue;
            }
            let word = &words[v / 2];
            let (x, high) = (E::load(s, vector), halves(s, s.load_u32(word))[parity]);
            let mut left = !s.bits(beaten(s, best, kept.least, temperature, x, high));
            let mut logits = [0.0; 16];
            s.store(x, &mut logits);
            while left != 0 {
                let lane = left.trailing_zeros() as usize;
                left &= left - 1;
                let (token, logit) = (begin + 16 * v + lane, logits[lane]);
                if token == excluded || (logit == kept.least && token > kept.last) {
                    continue;
                }
                if logit == f32::INFINITY {
                    best.result = RaceResult::BAD;
                    return;
                }
                let log = libm::log2(noise.exponential(token, high_bits(word[lane], parity)));
                let result = scored(token, logit, log, temperature);
                if best.result.merge(result) == result {
                    *best = Best { result, logit, bar: (-log - 143.0 - MARGIN) as f32 };
                    // Others of this vector may be beaten now.
                    left &= !s.bits(beaten(s, best, kept.least, temperature, x, high));
                }
            }
        }
    }
}

/// Draws as many tokens of a whole row as `out` holds.
pub(super) struct DrawRaces<'a, E> {
    pub(super) row: &'a Row<'a, E>,
    pub(super) rule: &'a DrawRule,
    /// 1 if `kept` is all that top-p leaves.
    pub(super) top_p: f64,
    /// The largest logit, if there is a top-p.
    pub(super) max: f32,
    pub(super) kept: Kept,
    pub(super) key: &'a Key,
    pub(super) out: &'a mut [Drawn],
}

impl<E: Element> Kernel for DrawRaces<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { row, rule, mut top_p, max, mut kept, key, out } = self;
        let temperature = rule.temperature;
        if top_p < 1.0 && (rule.filter_temperature != temperature || out.len() >= 32) {
            // A nucleus at another temperature can be too small to be hit by chance; many draws
            // share the cost of a threshold.
            kept = kept.at_least(s.call(Nucleus { row, max, rule }));
            top_p = 1.0;
        }
        for (j, out) in out.iter_mut().enumerate() {
            let (noise, mut kept) = (Noise::new(*key, j as u32), kept);
            *out = loop {
                let &Row { logits, excluded, .. } = row;
                let race = Race { logits, offset: 0, excluded, kept, temperature, noise };
                let drawn = s.call(race).drawn();
                if top_p == 1.0 || drawn.state != RowState::Drawn {
                    break drawn;
                }
                let x = row.logits[drawn.token as usize].to_f32();
                if x == max || s.call(InNucleus { row, x, max, rule }) {
                    break drawn;
                }
                // Everything up to it lies outside too. What is left has the noise that it had.
                kept = kept.at_least(x.next_up());
            };
        }
    }
}

/// Races among the columns that a shard holds of its rows: `offset` and those that follow.
pub(crate) fn race_rows(
    level: Level,
    batch: &Batch<'_>,
    offset: usize,
    jobs: Range<usize>,
    out: &mut [RaceResult],
    scratch: &mut Scratch,
) {
    run_batch!(level, batch, |elements| RaceRows { elements, batch, offset, jobs, out, scratch });
}

struct RaceRows<'a, E> {
    elements: Elements<'a, E>,
    batch: &'a Batch<'a>,
    offset: usize,
    jobs: Range<usize>,
    out: &'a mut [RaceResult],
    scratch: &'a mut Scratch,
}

impl<E: Element> Kernel for RaceRows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { elements, batch, offset, jobs, out, scratch } = self;
        let Elements { data, guide, .. } = elements;
        let vocab = batch.logits.vocab();
        let excluded = batch.constraints.excluded.map_or(usize::MAX, |id| id as usize);
        let staged = stage::needed(batch);
        for (k, out) in jobs.zip(out) {
            let Scratch { cells, staged: copy, .. } = &mut *scratch;
            let (temperature, noise) = (batch.rule(k).temperature, Noise::new(batch.keys[k], 0));
            let kept = Kept::ALL;
            *out = if staged {
                let logits = &mut copy[..vocab];
                let part = Part { row: batch.row(k), column: 0, first: offset };
                stage::write_part(s, batch, data, guide, part, logits);
                let logits = &*logits;
                if temperature.greedy {
                    s.call(Largest { logits, offset, excluded, cells })
                } else {
                    s.call(Race { logits, offset, excluded, kept, temperature, noise })
                }
            } else {
                let start = batch.logits.start(batch.row(k));
                let logits = &data[start..start + vocab];
                if temperature.greedy {
                    s.call(Largest { logits, offset, excluded, cells })
                } else {
                    s.call(Race { logits, offset, excluded, kept, temperature, noise })
                }
            };
        }
    }
}

/// The race at temperature 0, where logits are scores.
struct Largest<'a, E> {
    logits: &'a [E],
    offset: usize,
    excluded: usize,
    cells: &'a mut Cells,
}

impl<E: Element> Kernel for Largest<'_, E> {
    type Output = RaceResult;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> RaceResult {
        let Self { logits, offset, excluded, cells } = self;
        // Past the end of the row if it lies before it.
        let row = Row::new(logits, excluded.wrapping_sub(offset));
        let maxima = cells.maxima(row.vectors());
        let (max, nan) = row.maxima(s, maxima);
        if nan || max == f32::INFINITY {
            RaceResult::BAD
        } else if max == f32::NEG_INFINITY {
            RaceResult::EMPTY
        } else {
            let token = (offset + row.first_of_value(max, maxima)) as i32;
            let score = f64::from(max + 0.0);
            RaceResult { score, score_rest: 0.0, token, state: RaceState::Drawn }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Best, Kept, MARGIN, Noise, RaceResult, beaten, high_bits};
    use crate::draw::Temperature;
    use crate::lanes::{Kernel, Lanes, Level, run};
    use crate::rng::{Key, mix};

    struct Beaten<'a>(&'a Best, Temperature, [f32; 16], [u32; 16]);

    impl Kernel for Beaten<'_> {
        type Output = u16;

        #[inline(always)]
        fn run<L: Lanes>(self, s: L) -> u16 {
            let Self(best, temperature, x, high) = self;
            let (x, high) = (s.load(&x), s.load_u32(&high));
            s.bits(beaten(s, best, Kept::ALL.least, temperature, x, high))
        }
    }

    #[test]
    fn a_score_that_equals_the_best_is_never_ruled_out() {
        let mut state = 5u64;
        let mut next = || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            mix(state)
        };
        // Where the bar is as much too high, some must be, or nothing was tested.
        let (mut lost, mut ties) = ([0; 2], 0);
        for t in [1e-30f32, 1e-10, 1e-3, 0.3, 1.0, 7.0, 1e4, 1e10, 1e36, f32::MAX] {
            let temperature = Temperature::new(t).expect("a fine temperature");
            let scale = f64::from(temperature.high) + f64::from(temperature.low);
            for round in 0..20_000 {
                // E of the best, from 2^-80 to 56, and the least E of tokens with these high bits.
                let log = (next() >> 40) as f64 / (1u64 << 24) as f64 * 86.0 - 80.0;
                let high: [u32; 16] = core::array::from_fn(|k| match k {
                    0 => 0,
                    1..6 => 1 << (next() % 16),
                    _ => (next() >> (48 + next() % 16)) as u32,
                });
                let reach = f64::from(t.min(1e30)) * 100.0;
                let logit = (reach * [0.0, 1e-3, 1.0, 1e4, -1e6][round % 5]) as f32;
                let (mut wins, mut close) = (0u16, 0);
                let x = core::array::from_fn(|k| {
                    let u = (f64::from(high[k]) * 2f64.powi(64) + 0.5) * 0.5f64.powi(80);
                    let its = libm::log2(-libm::log1p(-u));
                    // The least logit with which it ties or wins.
                    let wanted = f64::from(logit) + (its - log) / scale;
                    let mut x = wanted as f32;
                    let lead = |x: f32| (f64::from(x) - f64::from(logit)) * scale - (its - log);
                    if lead(x) < 0.0 {
                        x = x.next_up();
                    }
                    // Not if that would be no finite logit.
                    wins |= u16::from(x.is_finite() && lead(x) >= 0.0) << k;
                    close += usize::from((0.0..1e-5).contains(&lead(x)));
                    x
                });
                for (margin, count) in [1.1e-4, -1.1e-4].into_iter().zip(&mut lost) {
                    let bar = (-log - 143.0 - margin) as f32;
                    let best = Best { result: RaceResult::EMPTY, logit, bar };
                    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
                        let beaten = run(level, Beaten(&best, temperature, x, high));
                        *count += (beaten & wins).count_ones();
                    }
                }
                ties += close;
            }
        }
        assert!(MARGIN > 1.1e-4 && lost[0] == 0, "{} winners were ruled out", lost[0]);
        assert!(lost[1] > 1_000 && ties > 1_000, "{} of {ties} with a bar too high", lost[1]);
    }

    #[test]
    fn exponentials_are_exact_at_both_ends() {
        // The words of tokens 0 to 2^20, and their integer with all other high bits.
        let noise = Noise::new(Key { seed: 3, ..Key::default() }, 0);
        let mut sum = 0.0;
        for token in 0..1 << 20 {
            for high in [0, 1, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, token as u16] {
                let e = noise.exponential(token, high);
                let n = u128::from(high) << 64 | u128::from(noise.low_bits(token));
                let unit = 0.5f64.powi(80);
                let rest = (1u128 << 80) - 1 - n;
                let exact = if n < rest {
                    -(-(n as f64 + 0.5) * unit).ln_1p()
                } else {
                    -((rest as f64 + 0.5) * unit).ln()
                };
                assert!(e > 0.0 && e < 57.0 && (e / exact - 1.0).abs() < 1e-15, "{n:#x}: {e:e}");
            }
            sum += noise.exponential(token, token as u16);
        }
        let mean = sum / f64::from(1 << 20);
        // Stratified over the high bits: far closer to 1 than a sample.
        assert!((mean - 1.0).abs() < 1e-4, "mean {mean}");
        assert_eq!([high_bits(0x8000_0000, 1), high_bits(0x8000_0000, 0)], [0, 0x8000]);
        assert_eq!([high_bits(0x7FFF_8000, 1), high_bits(0x7FFF_8000, 0)], [0xFFFF, 0]);
    }
}
