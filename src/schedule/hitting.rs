//! First-hitting times: when the masked positions of a sequence are revealed.
//!
//! With n masks left, ln(1 − α) falls by E/n until the next one is revealed, E exponential with
//! mean 1 (Zheng et al., arXiv 2409.02908, equation 14, in logarithms: u^(1/n) is
//! exp(−E/n)). [`Noise::time`](crate::Noise::time) turns the logarithm into a time; nothing else
//! depends on the noise schedule.

use crate::lanes::math::exponential as exponential_lanes;
use crate::lanes::{Kernel, Lanes, Level, run};
use crate::rng::{Key, LaneGenerators, Purpose};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

/// An exponential variable with mean 1, with full relative precision near 0: at least 2^-65,
/// at most 45.06.
pub fn exponential(rng: &mut Xoshiro256PlusPlus) -> f64 {
    // v is uniform; the half keeps it off both ends, and its low bits survive near 0.
    let word = rng.next_u64();
    let nearer = if word >> 63 == 0 { word } else { !word };
    let v = (nearer as f64 + 0.5) * f64::from_bits((1023 - 64) << 52);
    if word >> 63 == 0 { -libm::log1p(-v) } else { -libm::log(v) }
}

/// ln(1 − α) at the next event of a sequence with `masks` masked positions (at least 1), from its
/// present value `log_masked`.
pub fn next(log_masked: f64, masks: u32, rng: &mut Xoshiro256PlusPlus) -> f64 {
    log_masked - exponential(rng) / f64::from(masks)
}

/// All events of a sequence with `events.len()` masked positions, in order: writes ln(1 − α) at
/// each, non-increasing, from the present value `log_masked` (Rényi's representation: no sort).
///
/// The 16 exponentials of a group come from 16 generators, keyed by `key` with the lane as
/// position. They have the precision of f32 and are summed in f64. The result is the same at
/// every level.
pub fn all(level: Level, key: Key, log_masked: f64, events: &mut [f64]) {
    run(level, AllEvents { key, log_masked, events });
}

struct AllEvents<'a> {
    key: Key,
    log_masked: f64,
    events: &'a mut [f64],
}

impl Kernel for AllEvents<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let mut rng = LaneGenerators::new(s, lane_states(self.key));
        let mut log_masked = self.log_masked;
        let mut masks = self.events.len() as f64;
        for group in self.events.chunks_mut(16) {
            let (high, low) = (rng.next(s), rng.next(s));
            let mut waits = [0.0; 16];
            s.store(exponential_lanes(s, high, low), &mut waits);
            for (event, wait) in group.iter_mut().zip(waits) {
                log_masked -= f64::from(wait) / masks;
                masks -= 1.0;
                *event = log_masked;
            }
        }
    }
}

/// The states of the 16 generators of a segment.
fn lane_states(key: Key) -> [[u64; 2]; 16] {
    core::array::from_fn(|lane| {
        let [a, b, ..] = Key { position: lane as u32, ..key }.state(Purpose::HitLane);
        [a, b]
    })
}
