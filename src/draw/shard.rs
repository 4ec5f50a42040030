//! Rows whose vocabulary is spread over several machines: records, their merge, and a draw in two
//! rounds.
//!
//! In a tensor-parallel engine each machine holds some columns of every logits row. It need not
//! send them: a block of 256 tokens is known well enough by 32 bytes ([`BlockRecord`]), an eighth of
//! a byte a token. Blocks are cut by token id, so a record does not depend on how the vocabulary is
//! split. Where the edge of a shard cuts a block, its logits themselves are sent, at most 255 an
//! edge, and whoever merges computes the record. So all results have the same bits for any number
//! of shards with any edges, one shard included, and at every level.
//!
//! ```text
//! every shard:   Sampler::shard_records ─► ShardRecords::as_bytes ──┐ sent to all, or to one
//!                                                                  ▼
//! all, or one:   ShardRecords::read ─► ShardMerge::merge ─► statistics, and the block of each draw
//!                                                                  │ ShardMerge::blocks
//!                                                                  ▼
//! every shard:   Sampler::shard_tokens ─► tokens of the blocks that it holds ──┐ sent back
//!                                                                             ▼
//! all, or one:   ShardMerge::finish ─► tokens, and what the statistics say of them
//! ```
//!
//! Without keys the first round alone gives statistics.
//!
//! # The draw
//!
//! A block is chosen in proportion to its mass with one random number, by a running sum in f64 over
//! the blocks in order, and a token in it by a running sum over its 256 weights with a second one
//! (a two-level inverse CDF). Its law is softmax(z/T) to a relative error below 2e-6 for every token
//! of probability 2^-80 or more; a token or block of weight 0 is never drawn.
//!
//! **The tokens are not those of [`Sampler::draw`] for the same key**, which draws whole rows in
//! another way: the law is the same, the token is another. Filters are not applied. A draw that is
//! the same for whole and for sharded rows and needs one round is the keyed exponential race.
//!
//! [`Sampler::draw`]: crate::Sampler::draw
//!
//! # Example
//!
//! ```
//! use demask::draw::shard::{Shard, ShardMerge, ShardRecords, ShardToken};
//! use demask::{Constraints, Key, Level, Logits, Sampler};
//!
//! # fn main() -> Result<(), demask::Error> {
//! // One row of 600 tokens, of which one machine holds 350 and the other 250.
//! let row: Vec<f32> = (0..600).map(|id| (id % 7) as f32).collect();
//! let shards = [Shard { offset: 0, vocab: 600 }, Shard { offset: 350, vocab: 600 }];
//! let logits = [Logits::f32(&row[..350], 1, 350)?, Logits::f32(&row[350..], 1, 250)?];
//! let (mut sampler, none) = (Sampler::builder(1, 1).build()?, Constraints::NONE);
//!
//! let mut records = [ShardRecords::with_capacity(1, 350), ShardRecords::with_capacity(1, 350)];
//! for k in 0..2 {
//!     sampler.shard_records(&logits[k], shards[k], 1.0, &none, &[], &mut records[k])?;
//! }
//! let keys = [Key::default()];
//! let mut merge = ShardMerge::new(Level::detect(), 1, 600)?;
//! let statistics = merge.merge(&[&records[0], &records[1]], &keys)?;
//! assert_eq!((statistics[0].max, statistics[0].argmax), (6.0, 6));
//!
//! let mut tokens = [[ShardToken::NONE], [ShardToken::NONE]];
//! for k in 0..2 {
//!     let blocks = merge.blocks();
//!     sampler.shard_tokens(&logits[k], shards[k], 1.0, &none, &keys, blocks, &mut tokens[k])?;
//! }
//! let drawn = merge.finish(&[&tokens[0], &tokens[1]])?;
//! assert!(drawn[0].token >= 0 && merge.statistics()[0].probability > 0.0);
//! # Ok(())
//! # }
//! ```

use super::element::Element;
use super::envelope::Scratch;
use super::kernel::{Elements, run_batch};
use super::record::{self, Block, BlockLogits, Choose};
use super::stage::{self, Part};
use super::{Batch, Temperature};
use crate::error::{Error, shape};
use crate::lanes::{Kernel, Lanes, Level, run};
use crate::logits::{Guide, Logits, LogitsData, MAX_VOCAB};
use crate::rng::{Key, Purpose};
use bytemuck::{Pod, Zeroable};
use core::ops::Range;
use rand_xoshiro::rand_core::Rng;

pub use super::merge::{NO_BLOCK, ShardMerge};
pub use super::record::{BLOCK, BlockRecord};

/// Where the columns of a view of logits stand in the vocabulary: they are the tokens from `offset`
/// on, as many as the view has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The first token.
    pub offset: usize,
    /// The size of the whole vocabulary, at most [`MAX_VOCAB`].
    pub vocab: usize,
}

/// A token drawn by the shard that holds it. 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct ShardToken {
    /// Its id in the whole vocabulary, or −1: the row's token is not this shard's to draw.
    pub token: i32,
    /// Its logit, NaN without a token.
    pub logit: f32,
}

impl ShardToken {
    /// That of a row whose token is not the shard's to draw.
    pub const NONE: Self = Self { token: -1, logit: f32::NAN };
}

/// What stands before the records. 24 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
struct Header {
    /// [`LAYOUT`].
    layout: u32,
    temperature: f32,
    offset: u32,
    width: u32,
    vocab: u32,
    rows: u32,
}

/// The number of this layout, which changes with it. Bytes in another order do not have it.
const LAYOUT: u32 = 0x444D_5301;

/// Words of 64 bits in a header and in a record.
const HEADER_WORDS: usize = size_of::<Header>() / 8;
const RECORD_WORDS: usize = size_of::<BlockRecord>() / 8;

/// The part of a vocabulary that a shard holds, in blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) offset: usize,
    pub(super) end: usize,
    vocab: usize,
}

impl Extent {
    /// The blocks that are held whole. Empty, with any begin, if there are none.
    pub(super) fn blocks(&self) -> Range<usize> {
        let end = if self.end == self.vocab { self.end.div_ceil(BLOCK) } else { self.end / BLOCK };
        let begin = self.offset.div_ceil(BLOCK);
        begin..end.max(begin)
    }

    /// The tokens of blocks that are not, before and after those that are.
    pub(super) fn fragments(&self) -> [Range<usize>; 2] {
        let blocks = self.blocks();
        let head = self.offset..self.end.min(blocks.start * BLOCK);
        let tail = head.end.max(blocks.end * BLOCK).min(self.end)..self.end;
        [head, tail]
    }

    /// How many words a row takes: records, then the given token's logit and the fragments.
    fn row_words(&self) -> usize {
        let [head, tail] = self.fragments();
        RECORD_WORDS * self.blocks().len() + (1 + head.len() + tail.len()).div_ceil(2)
    }
}

/// The records of a shard's rows, in memory that is reserved when it is made.
///
/// They can be sent as bytes between machines of one byte order:
///
/// | bytes | what |
/// |---|---|
/// | 24 | a header: u32 layout, f32 temperature, u32 offset, width, vocab, rows |
/// | per row, 32 each | a [`BlockRecord`] for each block that the shard holds whole |
/// | per row, 4 | f32: the logit of the token given for the row; NaN without one, or elsewhere |
/// | per row, 4 each | f32: the logits before, then after these blocks, at most 510 |
/// | per row, 0 or 4 | 0, up to a multiple of 8 |
#[derive(Debug)]
pub struct ShardRecords {
    words: Vec<u64>,
}

impl ShardRecords {
    /// Room for `rows` rows of `width` columns, wherever they stand in the vocabulary: about
    /// `rows` · (`width`/8 + 2 kB).
    #[must_use]
    pub fn with_capacity(rows: usize, width: usize) -> Self {
        Self { words: Vec::with_capacity(Self::words(rows, width)) }
    }

    /// How many words are always enough.
    fn words(rows: usize, width: usize) -> usize {
        // Half a word for the given token and for padding each.
        let row = RECORD_WORDS * width.div_ceil(BLOCK) + width.min(2 * (BLOCK - 1)).div_ceil(2) + 1;
        HEADER_WORDS.saturating_add(rows.saturating_mul(row))
    }

    /// The memory for so many rows of so many columns.
    #[cfg(feature = "capi")]
    pub(crate) fn bytes(rows: usize, width: usize) -> u64 {
        (Self::words(rows, width) as u64).saturating_mul(8)
    }

    /// The bytes to send; none before the first call that fills them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        bytemuck::must_cast_slice(&self.words)
    }

    /// Takes over the bytes of another machine's records. They need not be aligned.
    ///
    /// # Errors
    /// Bytes that are not those of records, or more than there is room for.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let length = bytes.len();
        let least = size_of::<Header>();
        shape(length >= least, "bytes of a shard", length, "at least", least)?;
        let header: Header = bytemuck::pod_read_unaligned(&bytes[..least]);
        let layout = (header.layout as usize, LAYOUT as usize);
        shape(layout.0 == layout.1, "layout of a shard", layout.0, "exactly", layout.1)?;
        let (offset, width) = (header.offset as usize, header.width as usize);
        let extent = Shard { offset, vocab: header.vocab as usize }.extent(width)?;
        Temperature::of_law("temperature", header.temperature)?;
        let row = 8 * extent.row_words() as u64;
        let expected = u64::from(header.rows).saturating_mul(row).saturating_add(least as u64);
        if length as u64 != expected {
            let (name, expected_as) = ("bytes of a shard", "exactly");
            let value = length as u64;
            return Err(Error::Shape { name, value, expected: expected_as, bound: expected });
        }
        self.resize(length / 8)?;
        bytemuck::must_cast_slice_mut(&mut self.words).copy_from_slice(bytes);
        Ok(())
    }

    /// The number of rows; 0 before the first call that fills them.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.header().map_or(0, |header| header.rows as usize)
    }

    fn resize(&mut self, words: usize) -> Result<(), Error> {
        let bound = self.words.capacity();
        if words > bound {
            let (value, bound) = (words as u64, bound as u64);
            return Err(Error::Capacity { name: "words of a shard's records", value, bound });
        }
        self.words.resize(words, 0);
        Ok(())
    }

    fn header(&self) -> Option<&Header> {
        let words = self.words.get(..HEADER_WORDS)?;
        Some(&bytemuck::cast_slice(words)[0])
    }

    /// The temperature, once there is one.
    pub(super) fn temperature(&self) -> f32 {
        self.header().map_or(f32::NAN, |header| header.temperature)
    }

    /// The size of the whole vocabulary, once it is known.
    pub(super) fn vocab(&self) -> usize {
        self.header().map_or(0, |header| header.vocab as usize)
    }

    pub(super) fn extent(&self) -> Extent {
        self.header().map_or(Extent { offset: 0, end: 0, vocab: 0 }, |header| {
            let (offset, vocab) = (header.offset as usize, header.vocab as usize);
            Extent { offset, end: offset + header.width as usize, vocab }
        })
    }

    /// The records of row `k`, the logit of its given token, and its fragments one after the other.
    pub(super) fn row(&self, k: usize) -> (&[BlockRecord], f32, &[f32]) {
        let extent = self.extent();
        let words = &self.words[HEADER_WORDS + k * extent.row_words()..][..extent.row_words()];
        let (records, rest) = words.split_at(RECORD_WORDS * extent.blocks().len());
        let rest: &[f32] = bytemuck::must_cast_slice(rest);
        (bytemuck::cast_slice(records), rest[0], &rest[1..])
    }
}

impl Shard {
    /// Checks that `width` columns fit.
    pub(super) fn extent(self, width: usize) -> Result<Extent, Error> {
        let Self { offset, vocab } = self;
        shape(vocab <= MAX_VOCAB, "shard vocab", vocab, "at most", MAX_VOCAB)?;
        shape(width >= 1, "shard width", width, "at least", 1)?;
        shape(offset <= vocab, "shard offset", offset, "at most the vocabulary,", vocab)?;
        let most = vocab - offset;
        shape(width <= most, "shard width", width, "at most vocab - offset,", most)?;
        Ok(Extent { offset, end: offset + width, vocab })
    }
}

/// A batch of rows of a shard, checked.
pub(crate) struct ShardBatch<'a> {
    pub(crate) batch: Batch<'a>,
    extent: Extent,
    temperature: Temperature,
}

impl<'a> ShardBatch<'a> {
    pub(crate) fn new(batch: Batch<'a>, shard: Shard, temperature: f32) -> Result<Self, Error> {
        let extent = shard.extent(batch.logits.vocab())?;
        batch.constraints.check(batch.logits.rows(), shard.vocab)?;
        Ok(Self { batch, extent, temperature: Temperature::of_law("temperature", temperature)? })
    }

    /// Sizes `records` for this batch: the words of all rows, and how many there are in each.
    pub(crate) fn prepare<'r>(
        &self,
        given: &[i32],
        temperature: f32,
        records: &'r mut ShardRecords,
    ) -> Result<&'r mut [u64], Error> {
        let (rows, vocab) = (self.batch.logits.rows(), self.extent.vocab);
        let fits = given.is_empty() || given.len() == rows;
        shape(fits, "given tokens", given.len(), "none, or as many as the rows,", rows)?;
        for &token in given {
            let below = i64::from(token) < vocab as i64;
            shape(below, "given token", token.max(0) as usize, "below the vocabulary,", vocab)?;
        }
        let row = self.extent.row_words();
        records.resize(HEADER_WORDS.saturating_add(rows.saturating_mul(row)))?;
        let (header, words) = records.words.split_at_mut(HEADER_WORDS);
        // All of these are at most MAX_VOCAB, and so many rows would not fit in memory.
        let Extent { offset, end, vocab } = self.extent;
        let [offset, width, vocab, rows] = [offset, end - offset, vocab, rows].map(|n| n as u32);
        bytemuck::cast_slice_mut(header)[0] =
            Header { layout: LAYOUT, temperature, offset, width, vocab, rows };
        Ok(words)
    }

    /// Writes the words of the rows in `jobs`.
    pub(crate) fn write_records(
        &self,
        level: Level,
        given: &[i32],
        jobs: Range<usize>,
        out: &mut [u64],
        scratch: &mut Scratch,
    ) {
        let (shard, batch) = (self, &self.batch);
        run_batch!(level, batch, |elements| WriteRows {
            data: elements.data,
            guide: elements.guide,
            shard,
            given,
            jobs,
            out,
            scratch
        });
    }

    /// Draws the tokens of the rows whose block is held whole.
    pub(crate) fn draw_tokens(&self, level: Level, blocks: &[u32], out: &mut [ShardToken]) {
        let (shard, batch) = (self, &self.batch);
        run_batch!(level, batch, |elements| DrawRows {
            data: elements.data,
            guide: elements.guide,
            shard,
            blocks,
            out
        });
    }

    /// The column of the token that is never drawn, or a number past the last one.
    fn excluded(&self) -> usize {
        let excluded = self.batch.constraints.excluded.map_or(usize::MAX, |id| id as usize);
        excluded.checked_sub(self.extent.offset).unwrap_or(usize::MAX)
    }
}

struct WriteRows<'a, E> {
    data: &'a [E],
    guide: &'a [E],
    shard: &'a ShardBatch<'a>,
    given: &'a [i32],
    jobs: Range<usize>,
    out: &'a mut [u64],
    scratch: &'a mut Scratch,
}

impl<E: Element> Kernel for WriteRows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { data, guide, shard, given, jobs, out, scratch } = self;
        let (batch, extent) = (&shard.batch, &shard.extent);
        let width = batch.logits.vocab();
        let staged = stage::needed(batch);
        for (k, words) in jobs.zip(out.chunks_mut(extent.row_words())) {
            let given = given.get(k).map_or(usize::MAX, |&token| token as usize);
            if staged {
                let logits = &mut scratch.staged[..width];
                let part = Part { row: k, column: 0, first: extent.offset };
                s.call(Stage { batch, data, guide, part, out: &mut *logits });
                s.call(WriteRow { logits: &*logits, shard, given, words });
            } else {
                let logits = &data[batch.logits.start(k)..][..width];
                s.call(WriteRow { logits, shard, given, words });
            }
        }
    }
}

/// Writes the words of a row.
struct WriteRow<'a, E> {
    logits: &'a [E],
    shard: &'a ShardBatch<'a>,
    /// A token, or a number past the last one.
    given: usize,
    words: &'a mut [u64],
}

impl<E: Element> Kernel for WriteRow<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { logits, shard, given, words } = self;
        let ShardBatch { extent, temperature, .. } = *shard;
        let (blocks, excluded) = (extent.blocks(), shard.excluded());
        let logit = |column: usize| {
            let x = logits[column].to_f32();
            if column == excluded && !x.is_nan() { f32::NEG_INFINITY } else { x }
        };

        let (records, rest) = words.split_at_mut(RECORD_WORDS * blocks.len());
        let records: &mut [BlockRecord] = bytemuck::cast_slice_mut(records);
        for (block, record) in blocks.zip(records) {
            let column = block * BLOCK - extent.offset;
            let whole = logits[column..].first_chunk::<BLOCK>();
            let touched = excluded.wrapping_sub(column) < BLOCK;
            *record = match whole {
                Some(logits) if !touched => s.call(Block { logits, block, temperature }),
                _ => {
                    let logits = &padded(logits, column, excluded);
                    s.call(Block { logits, block, temperature })
                }
            };
        }

        let rest: &mut [f32] = bytemuck::must_cast_slice_mut(rest);
        rest.fill(0.0);
        let held = extent.offset..extent.end;
        rest[0] = if held.contains(&given) { logit(given - extent.offset) } else { f32::NAN };
        let [head, tail] = extent.fragments();
        for (token, out) in head.chain(tail).zip(&mut rest[1..]) {
            *out = logit(token - extent.offset);
        }
    }
}

/// Copies part of a row as the constraints and the guide change it: a kernel of its own, since it is
/// large and needed in two places.
struct Stage<'a, E> {
    batch: &'a Batch<'a>,
    data: &'a [E],
    guide: &'a [E],
    part: Part,
    out: &'a mut [f32],
}

impl<E: Element> Kernel for Stage<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { batch, data, guide, part, out } = self;
        stage::write_part(s, batch, data, guide, part, out);
    }
}

/// The exact values of the block that begins at a column of a row, without the excluded column, and
/// −∞ past the end of the row.
fn padded<E: Element>(row: &[E], column: usize, excluded: usize) -> BlockLogits<f32> {
    let mut copy = [f32::NEG_INFINITY; BLOCK];
    for (copy, x) in copy.iter_mut().zip(&row[column..]) {
        *copy = x.to_f32();
    }
    // A NaN makes the row bad even there.
    if let Some(x) = copy.get_mut(excluded.wrapping_sub(column))
        && !x.is_nan()
    {
        *x = f32::NEG_INFINITY;
    }
    copy
}

struct DrawRows<'a, E> {
    data: &'a [E],
    guide: &'a [E],
    shard: &'a ShardBatch<'a>,
    blocks: &'a [u32],
    out: &'a mut [ShardToken],
}

impl<E: Element> Kernel for DrawRows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { data, guide, shard, blocks, out } = self;
        let ShardBatch { batch, extent, temperature } = shard;
        let (temperature, width) = (*temperature, batch.logits.vocab());
        for (k, out) in out.iter_mut().enumerate() {
            let block = blocks[k] as usize;
            *out = ShardToken::NONE;
            if !extent.blocks().contains(&block) {
                continue;
            }
            let (first, column) = (block * BLOCK, block * BLOCK - extent.offset);
            let excluded = shard.excluded();
            let uniform = second_uniform(&batch.keys[k]);
            let logits = &if stage::needed(batch) {
                let mut staged = [f32::NEG_INFINITY; BLOCK];
                let part = Part { row: k, column, first };
                let out = &mut staged[..BLOCK.min(width - column)];
                s.call(Stage { batch, data, guide, part, out });
                padded(&staged, 0, excluded.wrapping_sub(column))
            } else {
                padded(&data[batch.logits.start(k)..][..width], column, excluded)
            };
            if let Some(at) = s.call(Choose { logits, temperature, uniform }) {
                let logit = logits[at];
                // A vocabulary has at most 2^23 tokens.
                *out = ShardToken { token: (first + at) as i32, logit };
            }
        }
    }
}

/// The number that chooses the block of a row.
pub(super) fn first_uniform(key: &Key) -> f64 {
    record::uniform(key.generator(Purpose::Token).next_u64())
}

/// The number that chooses the token in its block.
pub(super) fn second_uniform(key: &Key) -> f64 {
    let mut rng = key.generator(Purpose::Token);
    rng.next_u64();
    record::uniform(rng.next_u64())
}
