//! When each position is hit, whatever the others do.

use super::exponential::{exponential, of_word};
use crate::error::{Error, shape};
use crate::lanes::{Kernel, Lanes, Level, run};
use crate::rng::{Generators, Key, Purpose};

/// ln(1 − α) when a masked position is hit, from its present value `log_masked`, at most 0, by the
/// generator of `key` for [`Purpose::HitPosition`]: `log_masked` less one exponential.
///
/// Positions are hit independently, at times with the law of the order of first-hitting (Zheng et
/// al., arXiv 2409.02908, proposition 3.1: the masked fractions at the hits are independent uniform
/// numbers). A step from t to s reveals those for which it lies between l(s) and l(t); no randomness
/// is needed afterwards.
#[must_use]
pub fn of_position(log_masked: f64, key: Key) -> f64 {
    log_masked - exponential(&mut key.generator(Purpose::HitPosition))
}

/// [`of_position`] for each of `positions`, which take the place of the key's: `events[i]` belongs
/// to `positions[i]`, and does not depend on what else is asked for. The same bits at every level.
///
/// # Errors
/// Another number of events than of positions. Nothing is changed then.
pub fn of_positions(
    level: Level,
    key: Key,
    log_masked: f64,
    positions: &[u32],
    events: &mut [f64],
) -> Result<(), Error> {
    let (wanted, given) = (positions.len(), events.len());
    shape(given == wanted, "events", given, "as many as the positions,", wanted)?;
    run(level, OfPositions { key, log_masked, positions, events });
    Ok(())
}

/// Positions whose chains of dependent instructions overlap.
const SIDE_BY_SIDE: usize = 32;

struct OfPositions<'a> {
    key: Key,
    log_masked: f64,
    positions: &'a [u32],
    events: &'a mut [f64],
}

impl Kernel for OfPositions<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        let chunks = self.events.chunks_mut(SIDE_BY_SIDE);
        for (events, positions) in chunks.zip(self.positions.chunks(SIDE_BY_SIDE)) {
            let mut lanes = [0; SIDE_BY_SIDE];
            lanes[..positions.len()].copy_from_slice(positions);
            let keys = lanes.map(|position| Key { position, ..self.key });
            let words = Generators::new(&keys, Purpose::HitPosition).next();
            let mut next = [0.0; SIDE_BY_SIDE];
            for (next, word) in next.iter_mut().zip(words) {
                *next = self.log_masked - of_word(word);
            }
            events.copy_from_slice(&next[..positions.len()]);
        }
    }
}
