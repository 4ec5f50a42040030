//! When, and how many: noise schedules, first-hitting times, unmasking sizes.

pub mod hitting;
mod noise;
mod sizes;

pub use noise::{Base, Noise, NoiseTable};
pub use sizes::Sizes;
