//! When, and how many: noise schedules, first-hitting times, unmasking sizes.

pub mod hitting;
mod noise;
mod sizes;
mod table;

pub use noise::Noise;
pub use sizes::Sizes;
pub use table::NoiseTable;
