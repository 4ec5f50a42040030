//! The next event: of one sequence, or of each of many.

use super::exponential::{exponential, of_word};
use crate::error::{Error, shape};
use crate::lanes::{Kernel, Lanes, Level, run};
use crate::rng::{Generators, Key, Purpose};
use rand_xoshiro::Xoshiro256PlusPlus;

/// ln(1 − α) at the next event of a sequence with `masks` masked positions, from its present value
/// `log_masked`, at most 0 (Zheng et al., arXiv 2409.02908, equation 14). Without masks the next event
/// never comes, and it is −∞.
pub fn next(log_masked: f64, masks: u32, rng: &mut Xoshiro256PlusPlus) -> f64 {
    log_masked - exponential(rng) / f64::from(masks)
}

/// The next event of each of many sequences: changes every `log_masked` to its value there.
///
/// Sequence i has `masks[i]` masked positions and `keys[i]`. Its event is [`next`] with the
/// generator of that key for [`Purpose::Hit`], to the last bit, whatever the other sequences are and
/// at every level. In a plan the position of the key is 0.
///
/// # Errors
/// Another number of keys or masks than of `log_masked`. Nothing is changed then.
pub fn next_of_each(
    level: Level,
    keys: &[Key],
    masks: &[u32],
    log_masked: &mut [f64],
) -> Result<(), Error> {
    let (sequences, as_many) = (log_masked.len(), "as many as the log_masked,");
    shape(keys.len() == sequences, "keys", keys.len(), as_many, sequences)?;
    shape(masks.len() == sequences, "masks", masks.len(), as_many, sequences)?;
    run(level, NextOfEach { keys, masks, log_masked });
    Ok(())
}

/// Sequences whose chains of dependent instructions overlap.
const SIDE_BY_SIDE: usize = 32;

struct NextOfEach<'a> {
    keys: &'a [Key],
    masks: &'a [u32],
    log_masked: &'a mut [f64],
}

impl Kernel for NextOfEach<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        let sequences = self.log_masked.chunks_mut(SIDE_BY_SIDE);
        let inputs = self.keys.chunks(SIDE_BY_SIDE).zip(self.masks.chunks(SIDE_BY_SIDE));
        for (log_masked, (keys, masks)) in sequences.zip(inputs) {
            let mut lanes =
                ([Key::default(); SIDE_BY_SIDE], [1; SIDE_BY_SIDE], [0.0; SIDE_BY_SIDE]);
            lanes.0[..keys.len()].copy_from_slice(keys);
            lanes.1[..keys.len()].copy_from_slice(masks);
            lanes.2[..keys.len()].copy_from_slice(log_masked);
            let next = next_of_some(&lanes.0, &lanes.1, &lanes.2);
            log_masked.copy_from_slice(&next[..keys.len()]);
        }
    }
}

#[inline(always)]
fn next_of_some(
    keys: &[Key; SIDE_BY_SIDE],
    masks: &[u32; SIDE_BY_SIDE],
    log_masked: &[f64; SIDE_BY_SIDE],
) -> [f64; SIDE_BY_SIDE] {
    let words = Generators::new(keys, Purpose::Hit).next();
    let mut next = [0.0; SIDE_BY_SIDE];
    for i in 0..SIDE_BY_SIDE {
        next[i] = log_masked[i] - of_word(words[i]) / f64::from(masks[i]);
    }
    next
}
