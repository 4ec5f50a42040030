//! Rows whose vocabulary is spread over several machines: records, their merge, and the draw in two
//! rounds.

use super::boundary;
use super::constraints::{self, demask_constraints};
use super::context::demask_context;
use super::draw::{demask_key, write_states, write_tokens};
use super::level;
use super::logits::{self, demask_logits};
use super::pointer::{self, Plain, c_struct, same_layout};
use super::statistics::demask_row_statistics;
use super::status::{DEMASK_ERR_SHAPE, Refusal, demask_status};
use crate::draw::RowStatistics;
use crate::draw::shard::{NO_BLOCK, Shard, ShardMerge, ShardRecords, ShardToken};
use crate::lanes::Level;
use crate::logits::MAX_VOCAB;
use crate::rng::Key;
use core::mem::offset_of;

/// The block of a row that needs no second round: a bad row, or one whose token the merge has drawn
/// itself.
pub const DEMASK_NO_BLOCK: u32 = 4294967295;

const _: () = assert!(NO_BLOCK == DEMASK_NO_BLOCK);

/// The records of some rows of one shard of a vocabulary, in memory that is taken when they are made: made
/// by demask_shard_records_create, freed by demask_shard_records_destroy.
///
/// In a tensor-parallel engine each machine holds some columns of every logits row. It need not send them:
/// a block of 256 tokens is known well enough by 32 bytes, an eighth of a byte a token. Blocks are cut
/// by token id, and where the edge of a shard cuts one its logits themselves are sent. So all results
/// have the same bits for any number of shards with any edges.
///
/// 1. Every shard: demask_shard_records_fill; its bytes are sent to all, or to one.
/// 2. All, or one: demask_shard_records_read for each shard, then demask_shard_merge_records: statistics
///    of the rows, and the block that each row's token is drawn from.
/// 3. Every shard: demask_shard_tokens, for the blocks that it holds; the tokens are sent back.
/// 4. All, or one: demask_shard_merge_finish: tokens, and what the statistics say of them.
///
/// The law of a token is that of demask_draw without filters, but the tokens are others.
#[cfg_attr(all(), repr(transparent))] // hidden from cbindgen, which would name the inner type
pub struct demask_shard_records {
    records: ShardRecords,
}

/// Merges the records of all shards, in memory that is taken when it is made: made by
/// demask_shard_merge_create, freed by demask_shard_merge_destroy. Use each from one thread at a time.
pub struct demask_shard_merge {
    merge: ShardMerge,
    /// How many rows the last merge had.
    rows: usize,
}

/// A token drawn by the shard that holds it. This struct never grows.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_shard_token {
    /// Its id in the whole vocabulary, or -1: the row's token is not this shard's to draw.
    pub token: i32,
    /// Its logit, NAN without a token.
    pub logit: f32,
}
c_struct!(demask_shard_token: 8);
same_layout!(ShardToken, demask_shard_token: token, logit);

/// Makes room for the records of `n_rows` rows of `width` columns, about n_rows (width / 8 + 2 kB) bytes,
/// and writes it to `*out`. The caller owns it, and frees it with demask_shard_records_destroy. It holds
/// no records yet.
///
/// Errors: NULL, ALIGN, SHAPE (`width` above DEMASK_MAX_VOCAB), RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_shard_records_create(
    n_rows: usize,
    width: usize,
    out: *mut *mut demask_shard_records,
) -> demask_status {
    boundary::call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { pointer::out(out)? };
        check_vocab(width)?;
        boundary::afford(ShardRecords::bytes(n_rows, width))?;
        let records = ShardRecords::with_capacity(n_rows, width);
        out.write(Box::into_raw(Box::new(demask_shard_records { records })));
        Ok(())
    })
}

/// Frees records. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_shard_records_destroy(records: *mut demask_shard_records) {
    // SAFETY: the caller's promise.
    unsafe { boundary::free(records) }
}

/// Computes the records of rows of which only the columns of one shard are here: `logits` holds the
/// tokens from `offset` on, as many as its own `vocab`, of a vocabulary of `vocab` tokens, at most
/// DEMASK_MAX_VOCAB. `temperature` is that of the law, from 1e-30 to 1e30, or INFINITY.
///
/// `constraints`, NULL or the same for every shard, count tokens from the beginning of the vocabulary.
/// `given` is NULL, or has a token for each row, the same for every shard, whose log-probability is
/// wanted as well; a negative one stands for none.
///
/// Errors: NULL, STRUCT, SHAPE (a shard that does not lie in the vocabulary, a given token past it), ALIGN,
/// ARGUMENT, CAPACITY (rows wider than max_vocab of the context, or more than `records` was made for).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_shard_records_fill(
    context: *mut demask_context,
    logits: *const demask_logits,
    offset: usize,
    vocab: usize,
    temperature: f32,
    constraints: *const demask_constraints,
    given: *const i32,
    records: *mut demask_shard_records,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        boundary::call_on(context, |context| {
            let logits = logits::read(logits)?;
            check_vocab(vocab)?;
            let constraints = constraints::read(constraints, logits.rows(), vocab)?;
            let given = if given.is_null() { &[] } else { pointer::slice(given, logits.rows())? };
            let records = &mut pointer::object_mut(records)?.records;
            let (sampler, shard) = (&mut context.sampler, Shard { offset, vocab });
            Ok(sampler.shard_records(&logits, shard, temperature, &constraints, given, records)?)
        })
    }
}

/// Writes where the bytes of records are and how many there are, to be sent to machines of the same byte
/// order: none before records are filled or read. They belong to `records`, and stand there until these
/// are filled, read or freed.
///
/// Errors: NULL, ALIGN.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_shard_records_bytes(
    records: *const demask_shard_records,
    bytes: *mut *const u8,
    n_bytes: *mut usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let all = pointer::object(records)?.records.as_bytes();
        let (bytes, n_bytes) = (pointer::out(bytes)?, pointer::out(n_bytes)?);
        bytes.write(all.as_ptr());
        n_bytes.write(all.len());
        Ok(())
    })
}

/// Writes of how many rows records are: 0 before they are filled or read.
///
/// Errors: NULL, ALIGN.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_shard_records_rows(
    records: *const demask_shard_records,
    n_rows: *mut usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let records = pointer::object(records)?;
        pointer::out(n_rows)?.write(records.records.rows());
        Ok(())
    })
}

/// Takes over the bytes of another machine's records, which need not be aligned.
///
/// Errors: NULL, ALIGN, SHAPE (bytes that are not those of records), ARGUMENT, CAPACITY (more than
/// `records` was made for).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_shard_records_read(
    records: *mut demask_shard_records,
    bytes: *const u8,
    n_bytes: usize,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let records = pointer::object_mut(records)?;
        Ok(records.records.read(pointer::slice(bytes, n_bytes)?)?)
    })
}

/// Draws the tokens of the rows whose block, as demask_shard_merge_records wrote it, lies in this shard:
/// with the same logits, offset, vocabulary, temperature and constraints as demask_shard_records_fill, and
/// with the keys of the merge. `keys` and `blocks` have `n_keys` entries, one for each row, and `tokens`
/// gets as many; -1 where the token is not this shard's to draw.
///
/// Errors: those of demask_shard_records_fill.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_shard_tokens(
    context: *mut demask_context,
    logits: *const demask_logits,
    offset: usize,
    vocab: usize,
    temperature: f32,
    constraints: *const demask_constraints,
    keys: *const demask_key,
    n_keys: usize,
    blocks: *const u32,
    tokens: *mut demask_shard_token,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        boundary::call_on(context, |context| {
            let logits = logits::read(logits)?;
            check_vocab(vocab)?;
            let constraints = &constraints::read(constraints, logits.rows(), vocab)?;
            let keys = pointer::slice(keys.cast::<Key>(), n_keys)?;
            let blocks = pointer::slice(blocks, n_keys)?;
            let tokens = pointer::slice_out(tokens.cast::<ShardToken>(), n_keys)?;
            let (sampler, shard) = (&mut context.sampler, Shard { offset, vocab });
            let shard = sampler.shard_batch(&logits, shard, temperature, constraints, keys)?;
            shard.draw_tokens(
                sampler.level(),
                blocks,
                pointer::write_all(tokens, ShardToken::NONE),
            );
            Ok(())
        })
    }
}

/// Makes what merges the records of up to `n_rows` rows of up to `vocab` tokens, and writes it to `*out`.
/// The caller owns it, and frees it with demask_shard_merge_destroy. `level` is a DEMASK_LEVEL_ number,
/// which does not change results.
///
/// Errors: NULL, ALIGN, SHAPE (`vocab` above DEMASK_MAX_VOCAB), ARGUMENT, LEVEL, RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_shard_merge_create(
    level: u32,
    n_rows: usize,
    vocab: usize,
    out: *mut *mut demask_shard_merge,
) -> demask_status {
    boundary::call(|| {
        // SAFETY: the caller's promise.
        let out = unsafe { pointer::out(out)? };
        let level = level::level(level)?.unwrap_or_else(Level::detect);
        check_vocab(vocab)?;
        boundary::afford(ShardMerge::bytes(n_rows, vocab))?;
        let merge = ShardMerge::new(level, n_rows, vocab)?;
        out.write(Box::into_raw(Box::new(demask_shard_merge { merge, rows: 0 })));
        Ok(())
    })
}

/// Frees it. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_shard_merge_destroy(merge: *mut demask_shard_merge) {
    // SAFETY: the caller's promise.
    unsafe { boundary::free(merge) }
}

/// Merges the records of all `n_shards` shards, in the order of their offsets: statistics of the law
/// softmax(logits / temperature) of each row, and with keys the block that its token is drawn from.
///
/// `keys` has `n_keys` keys: one for each row, or none, and then there is no draw. `statistics` is NULL, or
/// room for those of `n_rows` rows, as many as the records have; of them `probability`,
/// `log_probability` and `log_others` belong to the drawn token and are NAN until
/// demask_shard_merge_finish, and `divergence` is NAN. `blocks` is NULL, or gets `n_keys` numbers, for
/// demask_shard_tokens.
///
/// Errors: NULL, ALIGN, SHAPE (shards that leave a gap, overlap, or do not begin at token 0 or reach the
/// end of the vocabulary, or that differ in rows or vocabulary; `n_rows` or `n_keys`), ARGUMENT
/// (temperatures that differ), CAPACITY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_shard_merge_records(
    merge: *mut demask_shard_merge,
    shards: *const *const demask_shard_records,
    n_shards: usize,
    keys: *const demask_key,
    n_keys: usize,
    n_rows: usize,
    statistics: *mut demask_row_statistics,
    blocks: *mut u32,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let merge = pointer::object_mut(merge)?;
        let shards = pointer::objects(shards, n_shards)?;
        let keys = pointer::slice(keys.cast::<Key>(), n_keys)?;
        let statistics = pointer::optional_slice_out(statistics.cast::<RowStatistics>(), n_rows)?;
        let blocks = pointer::optional_slice_out(blocks, n_keys)?;
        // Their handles are the records and nothing else.
        let shards = &*(core::ptr::from_ref(shards) as *const [&ShardRecords]);
        if shards.first().is_some_and(|shard| shard.rows() != n_rows) {
            return Err(Refusal(DEMASK_ERR_SHAPE));
        }
        let rows = merge.merge.merge(shards, keys)?;
        merge.rows = n_rows;
        pointer::write_each(statistics.unwrap_or_default(), rows);
        pointer::write_each(blocks.unwrap_or_default(), merge.merge.blocks());
        Ok(())
    })
}

/// Takes the tokens that all shards drew: those of shard s from `s * n_rows` on, in any order of shards.
/// `tokens` gets `n_rows` tokens, as many as the merge had, -1 for a bad row; `row_state` is NULL, or gets
/// as many DEMASK_ROW_ numbers, DRAWN or BAD; `statistics` is NULL, or gets those of the rows, complete. A
/// later call with the right tokens succeeds.
///
/// Errors: NULL, ALIGN, SHAPE (another `n_rows`, a merge without keys, a token that is not in its block),
/// ARGUMENT (a row whose token no shard drew, a logit that is not finite).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_shard_merge_finish(
    merge: *mut demask_shard_merge,
    shard_tokens: *const demask_shard_token,
    n_shards: usize,
    n_rows: usize,
    tokens: *mut i32,
    row_state: *mut u8,
    statistics: *mut demask_row_statistics,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let merge = pointer::object_mut(merge)?;
        let all = n_shards.checked_mul(n_rows).ok_or(Refusal(DEMASK_ERR_SHAPE))?;
        let shards = pointer::slice(shard_tokens.cast::<ShardToken>(), all)?;
        let tokens = pointer::slice_out(tokens, n_rows)?;
        let states = pointer::optional_slice_out(row_state, n_rows)?;
        let statistics = pointer::optional_slice_out(statistics.cast::<RowStatistics>(), n_rows)?;
        if n_rows != merge.rows {
            return Err(Refusal(DEMASK_ERR_SHAPE));
        }
        let of_row = |k: usize| shards.iter().skip(k).step_by(n_rows.max(1));
        let drawn = merge.merge.finish_by(|k| of_row(k).copied().find(|drawn| drawn.token >= 0))?;
        write_tokens(tokens, drawn);
        write_states(states, drawn, 1);
        pointer::write_each(statistics.unwrap_or_default(), merge.merge.statistics());
        Ok(())
    })
}

/// Refuses vocabularies that are too large before anything is read by them.
fn check_vocab(vocab: usize) -> Result<(), Refusal> {
    if vocab <= MAX_VOCAB { Ok(()) } else { Err(Refusal(DEMASK_ERR_SHAPE)) }
}
