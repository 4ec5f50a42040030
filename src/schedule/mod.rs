//! When, and how many: noise schedules, time grids, first-hitting times, unmasking sizes.

mod grid;
pub mod hitting;
mod noise;
pub mod sizes;
mod transition;

pub use grid::{Grid, TimeGrid};
pub use noise::{Base, Noise, NoiseTable};
pub use sizes::Sizes;
pub(crate) use transition::trapezoidal_weights;
pub use transition::{MultiJump, Transition};
