//! Randomness is keyed, never shared: a [`Key`] and a [`Purpose`] make one generator.
//!
//! Two calls with the same key see the same random numbers, whoever else is in the batch, on
//! whatever thread or instruction set. Two different keys never share a generator state.

use crate::lanes::Lanes;
use bytemuck::{Pod, Zeroable};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// What identifies the randomness of one draw.
///
/// | field | who varies it |
/// |---|---|
/// | `seed` | the user of a request |
/// | `stream` | the request, or the sample of a request: requests of one seed differ here |
/// | `step` | the denoising step |
/// | `position` | the position within the request, counted from its first token |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
#[repr(C)]
pub struct Key {
    /// The seed of the request.
    pub seed: u64,
    /// The request id.
    pub stream: u64,
    /// The denoising step.
    pub step: u32,
    /// The position in the request.
    pub position: u32,
}

/// What a generator is for. The same position at the same step needs several independent ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Purpose {
    /// The token of a position.
    Token = 0,
    /// Which masked positions of a segment are revealed (Bernoulli). `position` is 0.
    Reveal = 1,
    /// Which subset of a segment's masked positions is revealed. `position` is 0.
    Order = 2,
    /// The next first-hitting time of a segment and where it strikes. `position` is 0.
    Hit = 3,
    /// All first-hitting times of a segment at once; `position` is the lane.
    HitLane = 4,
    /// The noise of every token of a position: the exponential race.
    Race = 5,
    /// How many positions each step of a segment reveals, where that is random.
    Sizes = 6,
    /// When each position of a request is revealed, drawn once for all steps. `step` and `position`
    /// are 0.
    Predrawn = 7,
    /// Whether a position is revealed whose row says how likely that is.
    RowReveal = 8,
    /// When a position is hit, whatever the others do.
    HitPosition = 9,
    /// The score of a position that is random.
    Score = 10,
    /// The noise that is added to the score of a position.
    ScoreNoise = 11,
    /// Which committed positions of a segment are remasked; `position` is 0 unless each has a
    /// probability of its own.
    Remask = 12,
    /// What becomes of a position of a uniform-state model.
    Route = 13,
    /// The random token of a position.
    NoiseToken = 14,
    /// The random token that a position starts with.
    FirstNoise = 15,
}

/// SplitMix64's output function: a bijection of 64-bit words whose every output bit depends on
/// every input bit.
#[inline(always)]
pub(crate) const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The words of a key, each of which depends on those before it.
#[inline(always)]
const fn absorb([seed, stream, place, purpose]: [u64; 4]) -> [u64; 4] {
    let w0 = mix(seed);
    let w1 = mix(w0 ^ stream);
    let w2 = mix(w1 ^ place);
    [w0, w1, w2, mix(w2 ^ purpose)]
}

/// The same, where each also depends on those after it.
#[inline(always)]
const fn spread([w0, w1, w2, w3]: [u64; 4]) -> [u64; 4] {
    let w2 = w2 ^ mix(w3);
    let w1 = w1 ^ mix(w2);
    [w0 ^ mix(w1), w1, w2, w3]
}

impl Key {
    /// The generator state for this key: a bijection from (seed, stream, step and position,
    /// purpose) to 256 bits, so that no two keys share a state.
    ///
    /// The words are absorbed forwards, then mixed backwards: each of the four depends on the
    /// whole key. xoshiro needs that, for its first outputs are close for close states.
    #[inline(always)]
    #[must_use]
    pub const fn state(self, purpose: Purpose) -> [u64; 4] {
        self.draw_state(purpose, 0)
    }

    /// The state for draw `draw` of several with one key; draw 0 is [`state`](Self::state).
    #[inline(always)]
    pub(crate) const fn draw_state(self, purpose: Purpose, draw: u32) -> [u64; 4] {
        let purpose = (draw as u64) << 32 | purpose as u64;
        spread(absorb([self.seed, self.stream, self.place(), purpose]))
    }

    #[inline(always)]
    const fn place(self) -> u64 {
        (self.step as u64) << 32 | self.position as u64
    }

    /// The generator for this key.
    #[inline]
    #[must_use]
    pub fn generator(self, purpose: Purpose) -> Xoshiro256PlusPlus {
        self.draw_generator(purpose, 0)
    }

    /// The generator for draw `draw` of several with one key; draw 0 has
    /// [`generator`](Self::generator).
    #[inline]
    #[must_use]
    pub fn draw_generator(self, purpose: Purpose, draw: u32) -> Xoshiro256PlusPlus {
        generator_of(self.draw_state(purpose, draw))
    }
}

/// The states of many keys for one purpose, word by word: [`Key::state`], in vector code.
#[inline(always)]
pub(crate) fn states<const N: usize>(keys: &[Key; N], purpose: Purpose) -> [[u64; N]; 4] {
    // Three words each, as they lie in memory. Told apart by their fields, the compiler would leave
    // the last few keys in scalar code.
    let [mut w0, mut w1, mut w2, mut w3] = [[0; N]; 4];
    for i in 0..N {
        let [seed, stream, place]: [u64; 3] = bytemuck::must_cast(keys[i]);
        let place = if cfg!(target_endian = "big") { place } else { place.rotate_left(32) };
        [w0[i], w1[i], w2[i], w3[i]] = absorb([seed, stream, place, purpose as u64]);
    }
    for i in 0..N {
        [w0[i], w1[i], w2[i], w3[i]] = spread([w0[i], w1[i], w2[i], w3[i]]);
    }
    [w0, w1, w2, w3]
}

/// The generators of many keys for one purpose, side by side in vector code.
pub(crate) struct Generators<const N: usize>([[u64; N]; 4]);

impl<const N: usize> Generators<N> {
    /// Before they are made.
    pub(crate) const NONE: Self = Self([[0; N]; 4]);

    /// [`Key::generator`] of each key.
    #[inline(always)]
    pub(crate) fn new(keys: &[Key; N], purpose: Purpose) -> Self {
        Self(states(keys, purpose))
    }

    /// The next word of each (xoshiro256++).
    #[inline(always)]
    pub(crate) fn next(&mut self) -> [u64; N] {
        let [s0, s1, s2, s3] = &mut self.0;
        let mut words = [0; N];
        for i in 0..N {
            words[i] = s0[i].wrapping_add(s3[i]).rotate_left(23).wrapping_add(s0[i]);
            let (a, b) = (s2[i] ^ s0[i], s3[i] ^ s1[i]);
            (s0[i], s1[i], s2[i], s3[i]) =
                (s0[i] ^ b, s1[i] ^ a, a ^ s1[i] << 17, b.rotate_left(45));
        }
        words
    }

    /// One of them, as it stands.
    #[inline]
    pub(crate) fn get(&self, i: usize) -> Xoshiro256PlusPlus {
        generator_of(self.0.map(|words| words[i]))
    }
}

/// The generator with this state.
#[inline]
fn generator_of(state: [u64; 4]) -> Xoshiro256PlusPlus {
    let mut seed = [0; 32];
    for (bytes, word) in seed.chunks_exact_mut(8).zip(state) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    Xoshiro256PlusPlus::from_seed(seed)
}

/// Sixteen xoshiro128++ generators (Blackman and Vigna, "Scrambled linear pseudorandom number
/// generators", 2021), one a lane.
pub(crate) struct LaneGenerators<L: Lanes>([L::U; 4]);

impl<L: Lanes> LaneGenerators<L> {
    /// Those whose states are these words of the lanes, the low half of a word first.
    #[inline(always)]
    pub(crate) fn new(s: L, states: [[u64; 2]; 16]) -> Self {
        let mut words = [[0; 16]; 4];
        let [w0, w1, w2, w3] = &mut words;
        for (lane, [a, b]) in states.into_iter().enumerate() {
            (w0[lane], w1[lane]) = (a as u32, (a >> 32) as u32);
            (w2[lane], w3[lane]) = (b as u32, (b >> 32) as u32);
        }
        Self([s.load_u32(w0), s.load_u32(w1), s.load_u32(w2), s.load_u32(w3)])
    }

    #[inline(always)]
    pub(crate) fn next(&mut self, s: L) -> L::U {
        let [s0, s1, s2, s3] = self.0;
        let sum = s.add_u32(s0, s3);
        let output = s.add_u32(s.rotate_left::<7>(sum), s0);
        let s2 = s.xor(s2, s0);
        let s3 = s.xor(s3, s1);
        self.0 = [s.xor(s0, s3), s.xor(s1, s2), s.xor(s2, s.shl::<9>(s1)), s.rotate_left::<11>(s3)];
        output
    }
}

/// A uniform integer below `n`, exactly (Lemire, "Fast random integer generation in an
/// interval", 2019). `n` must not be 0.
#[inline]
pub(crate) fn below(rng: &mut Xoshiro256PlusPlus, n: u32) -> u32 {
    let n = u64::from(n);
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(n);
        // The product's low half is uniform over multiples; values under 2^64 mod n would be
        // counted once too often. That number takes a division, and is below n.
        let low = product as u64;
        if low >= n || low >= n.wrapping_neg() % n {
            return (product >> 64) as u32;
        }
    }
}

/// Which of the `trials`, bits of a word, have random numbers of 64 bits below `threshold`.
///
/// Bit b of 64 numbers is one random word, b from the highest on, and nobody looks at the bits after
/// the first in which a number differs from the threshold. For 64 trials that takes about eight words.
#[inline]
pub(crate) fn successes(rng: &mut impl Rng, trials: u64, threshold: u64) -> u64 {
    let (mut open, mut below) = (trials, 0);
    for bit in (0..64).rev() {
        if open == 0 {
            break;
        }
        let random = rng.next_u64();
        let differs = if threshold >> bit & 1 == 1 { !random } else { random };
        // The first difference decides: 0 against 1 is below the threshold.
        below |= open & differs & !random;
        open &= !differs;
    }
    below
}

/// The integer that a random word of 64 bits lies below with probability `p`; 0 for everything
/// below 0, none for 1 and everything above, below which every word lies. `p` is not NaN.
#[inline]
pub(crate) fn threshold(p: f64) -> Option<u64> {
    // `as` saturates, and 2^64 times a double below 1 is at most 2^64 - 2^11.
    (p < 1.0).then_some((p * 18_446_744_073_709_551_616.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::below;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    /// A generator whose first word is this one: rotl(s0 + s3, 23) + s0, with s0 = 0.
    fn beginning_with(word: u64) -> Xoshiro256PlusPlus {
        let mut seed = [0; 32];
        seed[8..16].copy_from_slice(&1u64.to_le_bytes());
        seed[24..].copy_from_slice(&word.rotate_right(23).to_le_bytes());
        let rng = Xoshiro256PlusPlus::from_seed(seed);
        assert_eq!(rng.clone().next_u64(), word);
        rng
    }

    /// Of the 2^64 words as many give each integer below 3, which leaves one word over.
    #[test]
    fn integers_are_uniform_to_the_last_word() {
        let third = u64::MAX / 3;
        for (word, expected) in
            [(1, 0), (third, 0), (third + 1, 1), (2 * third, 1), (2 * third + 1, 2), (u64::MAX, 2)]
        {
            let mut rng = beginning_with(word);
            let mut after = rng.clone();
            after.next_u64();
            assert_eq!((below(&mut rng, 3), rng), (expected, after), "{word}");
        }
        let mut rng = beginning_with(0);
        let mut second = rng.clone();
        second.next_u64();
        assert_eq!(below(&mut rng, 3), below(&mut second, 3), "0 is passed over");
        assert_eq!(rng, second);
        // Nothing is left over of a power of two.
        assert_eq!(below(&mut beginning_with(0), 1 << 31), 0);
    }
}
