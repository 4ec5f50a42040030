//! The exponential race of a vocabulary that is spread over several machines.

use super::boundary;
use super::constraints::{self, demask_constraints};
use super::context::demask_context;
use super::draw::demask_key;
use super::logits::{self, demask_logits};
use super::pointer::{self, c_struct};
use super::rule::demask_draw_rule;
use super::status::{DEMASK_ERR_ARGUMENT, DEMASK_ERR_SHAPE, Refusal, demask_status};
use crate::draw::{RaceResult, RaceState};
use crate::logits::MAX_VOCAB;
use crate::rng::Key;

/// A token of the shards won.
pub const DEMASK_RACE_DRAWN: u32 = 1;
/// A shard holds NaN or +INFINITY, which makes the whole row bad.
pub const DEMASK_RACE_BAD: u32 = 2;
/// All logits of the shards are -INFINITY: the token is in another one. A row of such shards is bad.
pub const DEMASK_RACE_EMPTY: u32 = 3;

/// What the race among the columns of one shard came to, or of several after demask_race_merge. Plain
/// numbers, to be sent between machines. This struct never grows.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_race_result {
    /// The winner's score; -INFINITY without one.
    pub score: f64,
    /// What its rounding lost.
    pub score_rest: f64,
    /// The winner's id in the whole vocabulary; -1 without one. Once all shards are merged it is the
    /// token of the row.
    pub token: i32,
    /// A DEMASK_RACE_ number.
    pub state: u32,
}
c_struct!(demask_race_result: 24);

impl demask_race_result {
    fn new(result: RaceResult) -> Self {
        let RaceResult { score, score_rest, token, state } = result;
        let state = match state {
            RaceState::Drawn => DEMASK_RACE_DRAWN,
            RaceState::Bad => DEMASK_RACE_BAD,
            RaceState::Empty => DEMASK_RACE_EMPTY,
        };
        Self { score, score_rest, token, state }
    }

    fn result(self) -> Result<RaceResult, Refusal> {
        let Self { score, score_rest, token, state } = self;
        match state {
            DEMASK_RACE_BAD => Ok(RaceResult::BAD),
            DEMASK_RACE_EMPTY => Ok(RaceResult::EMPTY),
            DEMASK_RACE_DRAWN if token >= 0 && !score.is_nan() && !score_rest.is_nan() => {
                Ok(RaceResult { score, score_rest, token, state: RaceState::Drawn })
            }
            _ => Err(Refusal(DEMASK_ERR_ARGUMENT)),
        }
    }
}

/// Races among the columns of one vocabulary shard: row k of `logits` holds the logits of the tokens
/// from `offset` on, as many as its `vocab`. The results of all shards of a row, merged in any order,
/// are what demask_draw draws from the whole row, to the last bit, wherever the row is cut: a
/// tensor-parallel engine sends 24 bytes a row and shard.
///
/// The method of `rule` is DEMASK_METHOD_RACE, without filters, since these need the whole row. Its
/// `constraints`, NULL or the same for every shard, count tokens from the beginning of the vocabulary;
/// ids that lie in other shards are passed over. `keys` has a key for each row, and `results` gets as
/// many results. At temperature 0 they are the largest logits.
///
/// Errors: NULL, STRUCT, SHAPE (also for offset + vocab above DEMASK_MAX_VOCAB), ALIGN, ARGUMENT (another
/// method, a filter, a number out of its range), CAPACITY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_race_shard(
    context: *mut demask_context,
    logits: *const demask_logits,
    offset: usize,
    rule: *const demask_draw_rule,
    constraints: *const demask_constraints,
    keys: *const demask_key,
    n_keys: usize,
    results: *mut demask_race_result,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        boundary::call_on(context, |context| {
            let logits = logits::read(logits)?;
            let draw = pointer::read(rule)?.draw()?;
            let end = offset.checked_add(logits.vocab()).filter(|&end| end <= MAX_VOCAB);
            let end = end.ok_or(Refusal(DEMASK_ERR_SHAPE))?;
            let constraints = constraints::read(constraints, logits.rows(), end)?;
            let keys = pointer::slice(keys.cast::<Key>(), n_keys)?;
            let results = pointer::slice_out(results, n_keys)?;
            let raced = context.sampler.race_shard(&logits, offset, &draw, &constraints, keys)?;
            for (place, &result) in results.iter_mut().zip(raced) {
                place.write(demask_race_result::new(result));
            }
            Ok(())
        })
    }
}

/// Merges the results of other shards into `results`, row by row, `n` of each: `results[k]` becomes that of
/// both, the larger score, ties to the lowest id, bad if one is. Merging is associative and commutative,
/// to the last bit, so any order or tree of merges gives the same.
///
/// Errors: NULL, ALIGN, SHAPE, ARGUMENT (a state that is not listed, a winner without a token or score).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_race_merge(
    results: *mut demask_race_result,
    others: *const demask_race_result,
    n: usize,
) -> demask_status {
    boundary::call(|| {
        // SAFETY: the caller's promise.
        let (results, others) =
            unsafe { (pointer::slice_mut(results, n)?, pointer::slice(others, n)?) };
        for result in results.iter().chain(others) {
            result.result()?;
        }
        for (place, other) in results.iter_mut().zip(others) {
            *place = demask_race_result::new(place.result()?.merge(other.result()?));
        }
        Ok(())
    })
}
