//! First-hitting times: when the masked positions of a sequence are revealed.
//!
//! With n masks left, ln(1 − α) falls by E/n until the next one is revealed, E exponential with
//! mean 1 (Zheng et al., arXiv 2409.02908, equation 14, in logarithms: u^(1/n) is
//! exp(−E/n)). [`Noise::time`](crate::Noise::time) turns the logarithm into a time; nothing else
//! depends on the noise schedule.
//!
//! | function | what it makes | randomness |
//! |---|---|---|
//! | [`next`], [`next_of_each`] | the next event of one sequence, or of each of many | [`Purpose::Hit`](crate::Purpose::Hit) |
//! | [`all`] | all events of a sequence, in order | [`Purpose::HitLane`](crate::Purpose::HitLane) |
//! | [`of_position`], [`of_positions`] | when each position is hit, whatever the others do | [`Purpose::HitPosition`](crate::Purpose::HitPosition) |
//!
//! Their laws agree, not their values: the events of `all`, given to positions in uniformly random
//! order, are distributed as those of `of_positions`, and so are those of `next` one after another.
//!
//! ln(1 − α) is a f64 that only ever falls, so nothing drifts: after any number of events its error
//! is that of the waits, relative to each, and the rounding of the sum.

mod all;
mod exponential;
mod next;
mod positions;

pub use all::all;
pub use exponential::exponential;
pub use next::{next, next_of_each};
pub use positions::{of_position, of_positions};
