//! One error for every fallible call: it names the argument and the value that was refused.

use crate::lanes::Level;
use core::fmt;

/// Why a call was refused. Nothing has been changed when one is returned.
///
/// A defective logits *row* is not an error: it is marked, see
/// [`RowState`](crate::draw::RowState).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A number is outside its range, or NaN.
    Argument {
        /// The argument or field.
        name: &'static str,
        /// What was given.
        value: f64,
        /// What is accepted.
        expected: &'static str,
    },
    /// An entry of an array is outside its range, or NaN.
    Entry {
        /// What the entries are.
        name: &'static str,
        /// Which entry, from 0.
        index: usize,
        /// What was given.
        value: f64,
        /// What is accepted.
        expected: &'static str,
    },
    /// A count, offset, stride or index does not fit its neighbours.
    Shape {
        /// The argument or field.
        name: &'static str,
        /// What was given.
        value: u64,
        /// How it must relate to `bound`.
        expected: &'static str,
        /// The other side of that relation.
        bound: u64,
    },
    /// The call is larger than the sampler or plan was made for.
    Capacity {
        /// What there is too much of.
        name: &'static str,
        /// How many were given.
        value: u64,
        /// How many were reserved.
        bound: u64,
    },
    /// This CPU, or this build, lacks the level that was asked for.
    Level {
        /// The level asked for.
        level: Level,
    },
    /// The thread pool could not be made.
    Threads {
        /// How many threads were asked for.
        threads: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Error::Argument { name, value, expected } => {
                write!(f, "{name} is {value}, but must be {expected}")
            }
            Error::Entry { name, index, value, expected } => {
                write!(f, "{name}, entry {index}, is {value}, but must be {expected}")
            }
            Error::Shape { name, value, expected, bound } => {
                write!(f, "{name} is {value}, but must be {expected} {bound}")
            }
            Error::Capacity { name, value, bound } => {
                write!(f, "{name} is {value}, but only {bound} were reserved")
            }
            Error::Level { level } => write!(f, "level {level} is not available on this CPU"),
            Error::Threads { threads } => write!(f, "no pool of {threads} threads could be made"),
        }
    }
}

impl core::error::Error for Error {}

/// Refuses NaN.
pub(crate) fn number(name: &'static str, value: f64) -> Result<(), Error> {
    match value.is_nan() {
        true => Err(Error::Argument { name, value, expected: "a number" }),
        false => Ok(()),
    }
}

/// The one form of a shape check: `value` must stand in the named relation to `bound`.
pub(crate) fn shape(
    holds: bool,
    name: &'static str,
    value: usize,
    expected: &'static str,
    bound: usize,
) -> Result<(), Error> {
    if holds {
        Ok(())
    } else {
        Err(Error::Shape { name, value: value as u64, expected, bound: bound as u64 })
    }
}
