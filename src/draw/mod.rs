//! One logits row → a token. The only place where SIMD over the vocabulary matters.
//!
//! A draw costs little more than reading the row. It does not compute the softmax: one sweep keeps
//! the maxima of small cells of tokens, a cell is chosen in proportion to an upper bound of its
//! weight, a token in it uniformly, and accepted with probability weight/bound; otherwise all of
//! this is repeated. The accepted token has exactly the softmax law (rejection sampling; von
//! Neumann 1951). Weights are exp((z − max)/T) with a relative error below 1.2e-7.
//!
//! Rows are drawn by [`Sampler::draw`](crate::Sampler::draw) and by the steps of a sampler; this
//! module holds what they return, and the [`oracle`].

mod envelope;
mod kernel;
pub mod oracle;

use crate::error::Error;
use crate::rng::Key;

pub(crate) use envelope::Scratch;
pub(crate) use kernel::draw_rows;
pub use kernel::{largest, weights};

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RowState {
    /// A token was drawn.
    Drawn = 1,
    /// The row holds NaN or +∞, or no finite logit: no token was drawn.
    Bad = 2,
}

/// The outcome of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The token, or −1 for a bad row.
    pub token: i32,
    /// Whether the row was usable.
    pub state: RowState,
}

impl Drawn {
    /// The outcome of a bad row.
    pub const BAD: Self = Self { token: -1, state: RowState::Bad };

    pub(crate) fn token(token: usize) -> Self {
        // A vocabulary has at most 2^23 tokens.
        Self { token: token as i32, state: RowState::Drawn }
    }
}

/// One row's work: where it starts, how it is drawn, with which randomness.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowDraw {
    pub(crate) start: usize,
    pub(crate) key: Key,
    pub(crate) temperature: Temperature,
}

/// A checked temperature, as the kernels want it: log2(e)/T in two parts, and the distance below
/// the maximum from which a weight is exactly 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Temperature {
    /// log2(e)/T rounded to f32.
    pub(crate) high: f32,
    /// What that rounding lost.
    pub(crate) low: f32,
    /// Logits this far below the maximum, or farther, have weight 0: 125 halvings.
    pub(crate) floor: f32,
    /// Temperature 0.
    pub(crate) greedy: bool,
}

impl Temperature {
    /// Temperature 0: the largest logit.
    pub(crate) const GREEDY: Self = Self { high: 0.0, low: 0.0, floor: 0.0, greedy: true };

    /// Checks and converts; 0, or at least 1e-30, +∞ included.
    pub(crate) fn new(temperature: f32) -> Result<Self, Error> {
        if temperature == 0.0 {
            return Ok(Self::GREEDY);
        }
        if temperature.is_nan() || temperature < 1e-30 {
            let expected = "0 or at least 1e-30";
            let value = f64::from(temperature);
            return Err(Error::Argument { name: "temperature", value, expected });
        }
        let scale = core::f64::consts::LOG2_E / f64::from(temperature);
        let high = scale as f32;
        // -125 / 0 is -inf: at T = +inf every finite logit has the same weight.
        let floor = (-125.0 / scale) as f32;
        Ok(Self { high, low: (scale - f64::from(high)) as f32, floor, greedy: false })
    }
}
