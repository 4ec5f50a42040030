//! What the networks of the two examples are made of: weights from a safetensors file, linear
//! layers, attention, and work shared out among threads.
//!
//! Plain f32 arithmetic, in an order that depends on neither the batch nor the threads nor the
//! CPU, so that the same seed gives the same text everywhere.

mod attention;
mod exp;
mod linear;
mod pool;
mod weights;

pub(crate) use attention::attention;
pub(crate) use exp::exp;
pub(crate) use linear::{Linear, add};
pub(crate) use pool::Pool;
pub(crate) use weights::Weights;
