//! All events of a sequence, in order.

use crate::lanes::math::exponentials;
use crate::lanes::{Kernel, Lanes, Level, run};
use crate::rng::{Key, LaneGenerators, Purpose, states};

/// All events of a sequence with `events.len()` masked positions, in order: writes ln(1 − α) at
/// each, non-increasing, from the present value `log_masked` (Rényi's representation: no sort).
///
/// The 16 exponentials of a group come from 16 generators, keyed by `key` with the lane as
/// position. A wait, E/n, has the precision of f32; waits are summed in f64, first within a group, so
/// that a sequence of any length is as exact as its waits. The result is the same at every level.
pub fn all(level: Level, key: Key, log_masked: f64, events: &mut [f64]) {
    run(level, All { key, log_masked, events });
}

struct All<'a> {
    key: Key,
    log_masked: f64,
    events: &'a mut [f64],
}

/// Groups whose chains of dependent instructions overlap.
const SIDE_BY_SIDE: usize = 4;

impl Kernel for All<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let mut rng = LaneGenerators::new(s, lane_states(self.key));
        let mut log_masked = self.log_masked;
        let mut masks = self.events.len();
        let (groups, rest) = self.events.as_chunks_mut();
        let (blocks, groups) = groups.as_chunks_mut::<SIDE_BY_SIDE>();
        for block in blocks {
            log_masked = next(s, &mut rng, masks, log_masked, block);
            masks -= 16 * SIDE_BY_SIDE;
        }
        for group in groups {
            log_masked = next(s, &mut rng, masks, log_masked, core::array::from_mut(group));
            masks -= 16;
        }
        if masks > 0 {
            let mut group = [0.0; 16];
            next(s, &mut rng, masks, log_masked, core::array::from_mut(&mut group));
            rest.copy_from_slice(&group[..masks]);
        }
    }
}

/// The next events of a sequence, in groups of 16; returns the last of them.
#[inline(always)]
fn next<L: Lanes, const N: usize>(
    s: L,
    rng: &mut LaneGenerators<L>,
    mut masks: usize,
    mut log_masked: f64,
    events: &mut [[f64; 16]; N],
) -> f64 {
    const LANES: [f32; 16] =
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0];
    let mut words = [[s.splat_u32(0); 2]; N];
    for [high, low] in &mut words {
        (*high, *low) = (rng.next(s), rng.next(s));
    }
    let waits = exponentials(s, &words);
    for i in 0..N {
        // Past the last event, masks are counted as 1.
        let left = s.max(s.sub(s.splat(masks as f32), s.load(&LANES)), s.splat(1.0));
        s.subtract_running_sums(log_masked, s.div(waits[i], left), &mut events[i]);
        log_masked = events[i][15];
        masks = masks.saturating_sub(16);
    }
    log_masked
}

/// The states of the 16 generators of a segment.
#[inline(always)]
fn lane_states(key: Key) -> [[u64; 2]; 16] {
    let mut keys = [key; 16];
    for (lane, key) in keys.iter_mut().enumerate() {
        key.position = lane as u32;
    }
    let [first, second, ..] = states(&keys, Purpose::HitLane);
    let mut words = [[0; 2]; 16];
    for (lane, words) in words.iter_mut().enumerate() {
        *words = [first[lane], second[lane]];
    }
    words
}
