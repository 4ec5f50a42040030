//! The sampling step of masked diffusion language models.

mod canvas;
pub mod draw;
mod error;
mod lanes;
mod logits;
pub mod policy;
mod rng;
pub mod schedule;
mod select;
mod step;
mod stop;
mod threads;
mod update;

pub use canvas::{Canvas, PositionKind, Segment};
pub use draw::{Drawn, RowState};
pub use error::Error;
pub use lanes::Level;
pub use logits::{Logits, LogitsData, MAX_VOCAB};
pub use policy::Policy;
pub use rng::{Key, Purpose};
pub use schedule::{Noise, Sizes};
pub use select::Select;
pub use step::{Plan, Sampler, SamplerBuilder, StepReport};
pub use stop::Finish;
pub use update::Update;
