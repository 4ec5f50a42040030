//! The generators of keys, for those who draw beside the library.

use super::boundary;
use super::draw::demask_key;
use super::numbered::{Numbered, numbered};
use super::pointer;
use super::status::{Refusal, demask_status};
use crate::rng::{Key, Purpose};

/// The token of a position.
pub const DEMASK_PURPOSE_TOKEN: u32 = 0;
/// Which masked positions of a segment are revealed (BERNOULLI). The position of the key is 0.
pub const DEMASK_PURPOSE_REVEAL: u32 = 1;
/// Which subset of a segment's masked positions is revealed. The position of the key is 0.
pub const DEMASK_PURPOSE_ORDER: u32 = 2;
/// The next first-hitting time of a segment and where it strikes. The position of the key is 0.
pub const DEMASK_PURPOSE_HIT: u32 = 3;
/// All first-hitting times of a segment at once. The position of the key is the lane.
pub const DEMASK_PURPOSE_HIT_LANE: u32 = 4;
/// The noise of every token of a position: the exponential race.
pub const DEMASK_PURPOSE_RACE: u32 = 5;
/// How many positions each step of a segment reveals, where that is random.
pub const DEMASK_PURPOSE_SIZES: u32 = 6;
/// When each position of a request is revealed, drawn once for all steps. Step and position of the key
/// are 0.
pub const DEMASK_PURPOSE_PREDRAWN: u32 = 7;
/// Whether a position is revealed whose row says how likely that is.
pub const DEMASK_PURPOSE_ROW_REVEAL: u32 = 8;
/// When a position is hit, whatever the others do.
pub const DEMASK_PURPOSE_HIT_POSITION: u32 = 9;
/// The score of a position that is random.
pub const DEMASK_PURPOSE_SCORE: u32 = 10;
/// The noise that is added to the score of a position.
pub const DEMASK_PURPOSE_SCORE_NOISE: u32 = 11;
/// Which committed positions of a segment are remasked. The position of the key is 0 unless each has a
/// probability of its own.
pub const DEMASK_PURPOSE_REMASK: u32 = 12;
/// What becomes of a position of a uniform-state model.
pub const DEMASK_PURPOSE_ROUTE: u32 = 13;
/// The random token of a position.
pub const DEMASK_PURPOSE_NOISE_TOKEN: u32 = 14;
/// The random token that a position starts with.
pub const DEMASK_PURPOSE_FIRST_NOISE: u32 = 15;

numbered!(Purpose:
    DEMASK_PURPOSE_TOKEN = Token,
    DEMASK_PURPOSE_REVEAL = Reveal,
    DEMASK_PURPOSE_ORDER = Order,
    DEMASK_PURPOSE_HIT = Hit,
    DEMASK_PURPOSE_HIT_LANE = HitLane,
    DEMASK_PURPOSE_RACE = Race,
    DEMASK_PURPOSE_SIZES = Sizes,
    DEMASK_PURPOSE_PREDRAWN = Predrawn,
    DEMASK_PURPOSE_ROW_REVEAL = RowReveal,
    DEMASK_PURPOSE_HIT_POSITION = HitPosition,
    DEMASK_PURPOSE_SCORE = Score,
    DEMASK_PURPOSE_SCORE_NOISE = ScoreNoise,
    DEMASK_PURPOSE_REMASK = Remask,
    DEMASK_PURPOSE_ROUTE = Route,
    DEMASK_PURPOSE_NOISE_TOKEN = NoiseToken,
    DEMASK_PURPOSE_FIRST_NOISE = FirstNoise);

/// Writes to `out` the four words of the state that the generator of a key begins with for a purpose, a
/// DEMASK_PURPOSE_ number: that of xoshiro256++ (Blackman and Vigna, ACM TOMS 47, 2021). No two keys, and
/// no two purposes of one, share a state. A client that makes random numbers of its own, on an
/// accelerator for one, has them keyed as those of the library are.
///
/// Errors: NULL, ALIGN, ARGUMENT (an unknown purpose).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_key_state(
    key: *const demask_key,
    purpose: u32,
    out: *mut u64,
) -> demask_status {
    // SAFETY: the caller's promise; `out` has room for four words.
    boundary::call(|| unsafe {
        let key: Key = pointer::slice(key, 1)?[0].into();
        let out = pointer::slice_out(out, 4)?;
        pointer::write_each(out, &key.state(Purpose::from_number(purpose)?));
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_key_the_generators() {
        for number in 0..16 {
            let purpose = Purpose::from_number(number).expect("a purpose");
            assert_eq!((purpose as u32, purpose.number()), (number, number));
        }
        assert!(Purpose::from_number(16).is_err());
    }
}
