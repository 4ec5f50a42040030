//! The draw with statistics of its rows.

use super::boundary;
use super::constraints::{self, demask_constraints};
use super::context::demask_context;
use super::draw::{demask_key, write_states, write_tokens};
use super::logits::{self, demask_logits};
use super::pointer::{self, Plain, c_struct, same_layout};
use super::rule::demask_draw_rule;
use super::status::{DEMASK_ERR_ARGUMENT, DEMASK_ERR_SHAPE, Refusal, demask_status};
use crate::draw::{RowStatistics, Statistics, TopToken};
use crate::rng::Key;
use crate::sampler::RowOutputs;
use core::mem::offset_of;

/// Statistics of a row's law p = softmax(logits / temperature), at the temperature of
/// demask_statistics: of all tokens that the constraints leave, before any filter. Natural
/// logarithms, nats.
///
/// Relative errors are below 2e-6 (absolute, where a value is below 1). The same bits at every level,
/// on any number of threads, in any batch. All numbers of a bad row are NaN, its argmax is -1. This
/// struct never grows.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_row_statistics {
    /// The logarithm of the sum of exp(logit / temperature).
    pub log_sum_exp: f64,
    /// The entropy of p, the sum of -p ln p. It keeps its digits where p rounds to 1.
    pub entropy: f64,
    /// p of the drawn token.
    pub probability: f64,
    /// ln p of the drawn token.
    pub log_probability: f64,
    /// ln((1 - p) / p) of the drawn token, by a sum over all other tokens: it orders tokens by their
    /// confidence (the lower, the surer) even where p rounds to 1. -INFINITY if there is no other
    /// token.
    pub log_others: f64,
    /// p of the most likely token less p of the next one; 0 if two logits are equally large, 1 if
    /// there is only one token.
    pub margin: f64,
    /// ln((1 - p) / p) of the most likely token, as log_others is of the drawn one.
    pub argmax_log_others: f64,
    /// ln(1 - margin): it orders rows by their margins (the lower, the surer) even where these round
    /// to 1. -INFINITY if there is only one token.
    pub log_margin_gap: f64,
    /// ln p of the token that was given for this row, -INFINITY if it cannot be drawn; NaN without
    /// one.
    pub given_log_probability: f64,
    /// The sum of p ln(p / q), where q is the law of the row it is compared with; INFINITY where q
    /// lacks a token of p, NaN without such a row or if it is bad.
    pub divergence: f64,
    /// The largest logit.
    pub max: f32,
    /// Its token; ties: the lowest id.
    pub argmax: i32,
}
c_struct!(demask_row_statistics: 88);

/// One of the largest logits of a row. This struct never grows.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_top_token {
    /// Its token; -1 if the row has no more, or is bad.
    pub token: i32,
    /// The logit; -INFINITY if the row has no more, or is bad.
    pub logit: f32,
}
c_struct!(demask_top_token: 8);

same_layout!(RowStatistics, demask_row_statistics: log_sum_exp, entropy, probability,
    log_probability, log_others, margin, argmax_log_others, log_margin_gap, given_log_probability,
    divergence, max, argmax);
same_layout!(TopToken, demask_top_token: token, logit);

/// Which statistics are wanted of the rows of a call, and where they go. Call demask_statistics_init
/// first, then set fields; the arrays are the caller's.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_statistics {
    /// sizeof(demask_statistics), as the caller was compiled.
    pub struct_size: u32,
    /// The temperature of the law that they are of, which may differ from that of the draw: from
    /// 1e-30 to 1e30, or INFINITY; 1 by default.
    pub temperature: f32,
    /// NULL, or a token for each row, below the vocabulary, whose probability is wanted as well.
    pub given: *const u32,
    /// NULL, or rows to compare with, row by row, for the divergence: as many as the logits, of the
    /// same type and vocabulary, without a guide. The constraints are applied to them as well.
    pub against: *const demask_logits,
    /// NULL, or room for the statistics of each row.
    pub rows: *mut demask_row_statistics,
    /// NULL, or room for the `n_top` largest logits of each row, the largest first (ties: the lowest
    /// id), those of row k from `k * n_top` on.
    pub top: *mut demask_top_token,
    /// How many of the largest logits are wanted; 0 by default. Not looked at without `top`.
    pub n_top: usize,
    /// 0 or 1: whether they are of the law that the filters of the draw leave, restricted to the tokens
    /// that these keep. Not together with `against`.
    pub filtered: u32,
    /// Zero.
    pub reserved: u32,
}
c_struct!(demask_statistics: 56, grew from 48);

/// Fills `out` with the defaults: temperature 1, and nowhere to write. `struct_size` is
/// sizeof(demask_statistics).
///
/// Errors: NULL, ALIGN, STRUCT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_statistics_init(
    out: *mut demask_statistics,
    struct_size: usize,
) -> demask_status {
    let statistics = demask_statistics {
        struct_size: u32::try_from(struct_size).unwrap_or(0),
        temperature: 1.0,
        ..demask_statistics::zeroed()
    };
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe { pointer::fill(out, struct_size, &statistics) })
}

/// Draws a token for each row of `logits` as demask_draw does, the same ones, and writes statistics
/// of the rows to the arrays that `statistics` names.
///
/// `statistics` is required; the other arguments are those of demask_draw with one draw a row:
/// `constraints` may be NULL, `keys` has a key for each row, `tokens` gets `n_keys` tokens,
/// `row_state` is NULL or gets as many DEMASK_ROW_ numbers. At temperature 0 of `rule` and 1 of
/// `statistics` the probability is the confidence of the most likely token.
///
/// Errors: those of demask_draw, also for the arrays of `statistics` and what they must fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_draw_statistics(
    context: *mut demask_context,
    logits: *const demask_logits,
    rule: *const demask_draw_rule,
    constraints: *const demask_constraints,
    keys: *const demask_key,
    n_keys: usize,
    statistics: *const demask_statistics,
    tokens: *mut i32,
    row_state: *mut u8,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        boundary::call_on(context, |context| {
            let logits = logits::read(logits)?;
            let draw = pointer::read(rule)?.draw()?;
            let constraints = constraints::read(constraints, logits.rows(), logits.vocab())?;
            let keys = pointer::slice(keys.cast::<Key>(), n_keys)?;
            let tokens = pointer::slice_out(tokens, n_keys)?;
            let states = pointer::optional_slice_out(row_state, n_keys)?;

            let statistics = pointer::read(statistics)?;
            let demask_statistics { temperature, given, against, rows, top, n_top, .. } =
                statistics;
            if statistics.filtered > 1 || statistics.reserved != 0 {
                return Err(Refusal(DEMASK_ERR_ARGUMENT));
            }
            let filtered = statistics.filtered == 1;
            let given = if given.is_null() { &[] } else { pointer::slice(given, n_keys)? };
            let against = if against.is_null() { None } else { Some(logits::read(against)?) };
            let rows = pointer::optional_slice_out(rows.cast::<RowStatistics>(), n_keys)?;
            let n_top = if top.is_null() { 0 } else { n_top };
            let n_top = n_keys.checked_mul(n_top).ok_or(Refusal(DEMASK_ERR_SHAPE))?;
            let top = pointer::slice_out(top.cast::<TopToken>(), n_top)?;

            let wanted = Statistics { temperature, given, against, filtered };
            let into = || RowOutputs {
                statistics: pointer::write_all(rows.unwrap_or_default(), RowStatistics::BAD),
                top: pointer::write_all(top, TopToken::NONE),
            };
            let sampler = &mut context.sampler;
            let drawn =
                sampler.draw_described(&logits, &draw, &constraints, keys, &wanted, into)?;
            write_tokens(tokens, drawn);
            write_states(states, drawn, 1);
            Ok(())
        })
    }
}
