//! Renoise: positions that are not accepted get a random token for the next network call, in place of
//! a mask (DiffusionGemma).

use crate::canvas::{Canvas, PositionKind, PositionState};
use crate::error::{Error, shape};
use crate::logits::MAX_VOCAB;
use crate::rng::{Key, Purpose};
use rand_xoshiro::rand_core::Rng;

/// A token for a position that is not known: uniform among the first `tokens` ids, to 64 bits.
pub(crate) fn random_token(key: Key, purpose: Purpose, tokens: u32) -> i32 {
    let word = key.generator(purpose).next_u64();
    // The upper half of the product, below `tokens`, which is at most 2^23.
    ((u128::from(word) * u128::from(tokens)) >> 64) as i32
}

impl Canvas<'_> {
    /// Gives every position of a segment that is masked or committed (without kinds, every position of
    /// a segment) a random token, uniform among the first `tokens` ids: what decoding without masks
    /// starts from ([`Update::Renoise`](crate::Update::Renoise),
    /// [`Update::UniformState`](crate::Update::UniformState)). Keyed by seed, stream, step and position
    /// as all draws are.
    ///
    /// # Errors
    /// No tokens, or more than [`MAX_VOCAB`].
    pub fn randomize(&mut self, tokens: u32) -> Result<(), Error> {
        let given = tokens as usize;
        shape(given > 0, "tokens", given, "at least", 1)?;
        shape(given <= MAX_VOCAB, "tokens", given, "at most", MAX_VOCAB)?;
        for i in 0..self.segments().len() {
            let segment = self.segments()[i];
            for at in segment.begin..segment.end {
                if self.is_open(at) {
                    let key = segment.position_key(at);
                    let token = random_token(key, Purpose::FirstNoise, tokens);
                    self.write(at, token, PositionKind::MASKED, PositionState::default());
                }
            }
        }
        Ok(())
    }
}
