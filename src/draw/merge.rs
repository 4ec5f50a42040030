//! The merge of shards' records: statistics of whole rows, and the block of each draw.

use super::record::{BLOCK, Block, BlockLogits, BlockRecord, Choose};
use super::shard::{ShardRecords, ShardToken, first_uniform, second_uniform};
use super::{Drawn, RowState, RowStatistics, Temperature};
use crate::error::{Error, shape};
use crate::lanes::{Level, run};
use crate::logits::MAX_VOCAB;
use crate::rng::Key;
use core::f64::consts::LN_2;

/// The block of a row that needs none: a bad row, or one whose token the merge has drawn itself.
pub const NO_BLOCK: u32 = u32::MAX;

/// How far the largest logit may be ahead, in units of T, before it is taken to be no farther when
/// the others are summed: so their sum is never subnormal.
const MOST_AHEAD: f64 = 600.0;

/// Merges the records of all shards of a vocabulary; see [`shard`](super::shard). It owns the memory
/// that it needs, reserved when it is made.
#[derive(Debug)]
pub struct ShardMerge {
    level: Level,
    vocab: usize,
    capacity: usize,
    /// Those of the row under way, in order, and their running mass.
    records: Vec<BlockRecord>,
    masses: Vec<f64>,
    rows: Vec<Row>,
    statistics: Vec<RowStatistics>,
    blocks: Vec<u32>,
    drawn: Vec<Drawn>,
}

/// What the statistics of a token are computed from.
#[derive(Clone, Copy, Debug)]
struct Row {
    max: f64,
    argmax: usize,
    /// 1/T.
    inverse: f64,
    /// Σ exp((z − max)/T + `shift`) over all tokens but `argmax`, 0 if they are all −∞.
    others: f64,
    /// 0 but for rows whose largest logit is far ahead.
    shift: f64,
    /// ln Σ exp((z − max)/T).
    log_sum: f64,
}

impl ShardMerge {
    /// For up to `rows` rows of up to `vocab` tokens, at `level`, which does not change results.
    ///
    /// # Errors
    /// A level that this CPU lacks, or a vocabulary above [`MAX_VOCAB`].
    pub fn new(level: Level, rows: usize, vocab: usize) -> Result<Self, Error> {
        if !level.is_available() {
            return Err(Error::Level { level });
        }
        shape(vocab <= MAX_VOCAB, "vocab", vocab, "at most", MAX_VOCAB)?;
        Ok(Self {
            level,
            vocab,
            capacity: rows,
            records: Vec::with_capacity(vocab.div_ceil(BLOCK)),
            masses: Vec::with_capacity(vocab.div_ceil(BLOCK)),
            rows: Vec::with_capacity(rows),
            statistics: Vec::with_capacity(rows),
            blocks: Vec::with_capacity(rows),
            drawn: Vec::with_capacity(rows),
        })
    }

    /// Merges the records of all shards, in the order of their offsets: row by row the statistics of
    /// the law softmax(z/T) under the constraints of the records, and with `keys`, one for each
    /// row, the block that the row's token is drawn from. Without keys (an empty slice) there is no
    /// draw.
    ///
    /// Of the statistics, `probability`, `log_probability` and `log_others` belong to the drawn
    /// token: they are NaN until it is known, for most rows in [`finish`](Self::finish).
    /// `divergence` is NaN. Log-probabilities are relative to the f64 nearest to 1/T.
    ///
    /// # Errors
    /// Shards that leave a gap or overlap, do not begin at token 0 or do not reach the end of the
    /// vocabulary, or differ in rows, vocabulary or temperature; another number of keys than rows;
    /// more rows or a larger vocabulary than this was made for.
    pub fn merge(
        &mut self,
        shards: &[&ShardRecords],
        keys: &[Key],
    ) -> Result<&[RowStatistics], Error> {
        let (rows, temperature) = self.check(shards, keys)?;
        self.rows.clear();
        self.statistics.clear();
        self.blocks.clear();
        self.drawn.clear();
        for k in 0..rows {
            let key = keys.get(k);
            self.merge_row(shards, k, key, temperature);
        }
        Ok(&self.statistics)
    }

    /// The statistics of the rows of the last merge.
    #[must_use]
    pub fn statistics(&self) -> &[RowStatistics] {
        &self.statistics
    }

    /// The block that the token of each row of the last merge is in, which the shard that holds it
    /// draws: [`Sampler::shard_tokens`](crate::Sampler::shard_tokens). [`NO_BLOCK`] for a row that
    /// needs none.
    #[must_use]
    pub fn blocks(&self) -> &[u32] {
        &self.blocks
    }

    /// Takes the tokens that all shards drew, in any order, and completes the statistics by those of
    /// the drawn tokens. Returns what became of each row.
    ///
    /// # Errors
    /// A merge without keys; another number of tokens than rows; a row whose token no shard drew, or
    /// that is not in its block. A later call with the right tokens succeeds.
    pub fn finish(&mut self, tokens: &[&[ShardToken]]) -> Result<&[Drawn], Error> {
        let rows = self.rows.len();
        for tokens in tokens {
            shape(tokens.len() == rows, "shard tokens", tokens.len(), "as many as rows,", rows)?;
        }
        self.finish_by(|k| tokens.iter().map(|tokens| tokens[k]).find(|drawn| drawn.token >= 0))
    }

    /// As [`finish`](Self::finish), with what some shard drew for row `k`, if one did.
    pub(crate) fn finish_by(
        &mut self,
        token: impl Fn(usize) -> Option<ShardToken>,
    ) -> Result<&[Drawn], Error> {
        let rows = self.rows.len();
        shape(self.blocks.len() == rows, "keys of the merge", 0, "as many as the rows,", rows)?;
        for (k, &block) in self.blocks.iter().enumerate() {
            if block == NO_BLOCK {
                continue;
            }
            let Some(ShardToken { token, logit }) = token(k) else {
                let (name, expected) = ("row without a shard token", "drawn by some shard");
                return Err(Error::Argument { name, value: k as f64, expected });
            };
            let (id, block) = (token as usize, block as usize);
            shape(id / BLOCK == block, "shard token", id, "in block", block)?;
            if !logit.is_finite() {
                let (name, expected) = ("logit of a shard token", "finite");
                return Err(Error::Argument { name, value: logit.into(), expected });
            }
        }
        for k in 0..rows {
            if self.blocks[k] != NO_BLOCK
                && let Some(drawn) = token(k)
            {
                self.draw(k, drawn);
            }
        }
        Ok(&self.drawn)
    }

    /// The memory for so many rows of so many tokens.
    #[cfg(feature = "capi")]
    pub(crate) fn bytes(rows: usize, vocab: usize) -> u64 {
        let row =
            size_of::<Row>() + size_of::<RowStatistics>() + size_of::<u32>() + size_of::<Drawn>();
        let block = size_of::<BlockRecord>() + size_of::<f64>();
        let blocks = block as u64 * vocab.div_ceil(BLOCK) as u64;
        (rows as u64).saturating_mul(row as u64).saturating_add(blocks)
    }

    fn check(&self, shards: &[&ShardRecords], keys: &[Key]) -> Result<(usize, Temperature), Error> {
        let Some(first) = shards.first() else {
            shape(false, "shards", 0, "at least", 1)?;
            return Ok((0, Temperature::GREEDY));
        };
        let (rows, vocab) = (first.rows(), first.vocab());
        let mut end = 0;
        for shard in shards {
            let extent = shard.extent();
            let (offset, theirs) = (extent.offset, shard.rows());
            shape(extent.end > offset, "shard width", 0, "at least", 1)?;
            shape(shard.vocab() == vocab, "shard vocab", shard.vocab(), "the first's,", vocab)?;
            shape(theirs == rows, "shard rows", theirs, "the first shard's,", rows)?;
            shape(offset == end, "shard offset", offset, "the end of the shard before,", end)?;
            if shard.temperature().to_bits() != first.temperature().to_bits() {
                let (value, expected) = (shard.temperature().into(), "the first shard's");
                return Err(Error::Argument { name: "shard temperature", value, expected });
            }
            end = extent.end;
        }
        shape(end == vocab, "end of the last shard", end, "that of the vocabulary,", vocab)?;
        let fits = keys.is_empty() || keys.len() == rows;
        shape(fits, "keys", keys.len(), "none, or as many as the rows,", rows)?;
        for (name, value, bound) in [("rows", rows, self.capacity), ("vocab", vocab, self.vocab)] {
            if value > bound {
                let (value, bound) = (value as u64, bound as u64);
                return Err(Error::Capacity { name, value, bound });
            }
        }
        Ok((rows, Temperature::of_law("temperature", first.temperature())?))
    }

    fn merge_row(
        &mut self,
        shards: &[&ShardRecords],
        k: usize,
        key: Option<&Key>,
        temperature: Temperature,
    ) {
        self.gather(shards, k, temperature);
        let merged = Row::new(&self.records, &mut self.masses, shards[0].temperature());
        let Some((row, mut statistics)) = merged else {
            self.rows.push(Row::BAD);
            self.statistics.push(RowStatistics::BAD);
            if key.is_some() {
                self.blocks.push(NO_BLOCK);
                self.drawn.push(Drawn::BAD);
            }
            return;
        };
        let given = shards.iter().map(|shard| shard.row(k).1).find(|logit| !logit.is_nan());
        if let Some(logit) = given {
            statistics.given_log_probability = row.log_probability(logit);
        }
        self.rows.push(row);
        self.statistics.push(statistics);
        let Some(key) = key else { return };
        // The last mass exceeds the bound, since the number is below 1 by 2^-53 or more.
        let bound = first_uniform(key) * self.masses.last().map_or(0.0, |&mass| mass);
        let block = self.masses.partition_point(|&mass| mass <= bound);
        let held = shards.iter().any(|shard| shard.extent().blocks().contains(&block));
        self.blocks.push(if held { block as u32 } else { NO_BLOCK });
        self.drawn.push(Drawn::BAD);
        if !held {
            let logits = &assemble(shards, k, block);
            let uniform = second_uniform(key);
            if let Some(at) = run(self.level, Choose { logits, temperature, uniform }) {
                let token = ShardToken { token: (block * BLOCK + at) as i32, logit: logits[at] };
                self.draw(k, token);
            }
        }
    }

    /// Collects the records of row `k` in the order of the blocks, and computes those of blocks that
    /// the edges of shards cut.
    fn gather(&mut self, shards: &[&ShardRecords], k: usize, temperature: Temperature) {
        self.records.clear();
        let level = self.level;
        let cut = |records: &mut Vec<BlockRecord>, end: usize| {
            while records.len() < end {
                let block = records.len();
                let logits = &assemble(shards, k, block);
                records.push(run(level, Block { logits, block, temperature }));
            }
        };
        for shard in shards {
            let blocks = shard.extent().blocks();
            if !blocks.is_empty() {
                cut(&mut self.records, blocks.start);
                self.records.extend_from_slice(shard.row(k).0);
            }
        }
        cut(&mut self.records, shards[0].vocab().div_ceil(BLOCK));
    }

    /// Notes the token of row `k` and its statistics.
    fn draw(&mut self, k: usize, drawn: ShardToken) {
        let (row, statistics) = (&self.rows[k], &mut self.statistics[k]);
        statistics.log_probability = row.log_probability(drawn.logit);
        statistics.probability = libm::exp(statistics.log_probability);
        statistics.log_others = row.log_others(drawn);
        self.drawn[k] = Drawn { token: drawn.token, state: RowState::Drawn };
    }
}

impl Row {
    /// Stands for a bad row.
    const BAD: Self =
        Self { max: f64::NAN, argmax: 0, inverse: 0.0, others: 0.0, shift: 0.0, log_sum: 0.0 };

    /// Sums the records of a row; `None` for a bad one. `masses` become the running sums of the
    /// masses of its blocks.
    fn new(
        records: &[BlockRecord],
        masses: &mut Vec<f64>,
        temperature: f32,
    ) -> Option<(Self, RowStatistics)> {
        let (mut max, mut second, mut argmax) = (f32::NEG_INFINITY, f32::NEG_INFINITY, 0);
        for record in records {
            if record.max.is_nan() {
                return None;
            }
            if record.max > max {
                second = max.max(record.second);
                (max, argmax) = (record.max, record.argmax);
            } else {
                second = second.max(record.max);
            }
        }
        if max == f32::NEG_INFINITY {
            return None;
        }
        let inverse = 1.0 / f64::from(temperature);
        let ahead = (f64::from(max) - f64::from(second)) * inverse;
        // −∞ · 0 is no number.
        let alone = second == f32::NEG_INFINITY;
        let shift = if alone { 0.0 } else { (ahead - MOST_AHEAD).max(0.0) };
        let (max, argmax) = (f64::from(max), argmax as usize);
        let mut row = Self { max, argmax, inverse, others: 0.0, shift, log_sum: 0.0 };
        // Σ weight · (max − z)/T: nothing is subtracted from it, so that the entropy keeps its
        // digits.
        let (mut others, mut spread, mut sum) = (0.0, 0.0, 0.0);
        let mut add = |logit: f32, mass: f64, moment: f64| {
            let weight = row.weight(logit);
            if weight == 0.0 {
                return 0.0;
            }
            let distance = (row.max - f64::from(logit)) * row.inverse;
            others += weight * mass;
            spread += weight * (mass * distance + moment);
            weight * mass
        };
        masses.clear();
        for record in records {
            let is_ahead = record.argmax as usize == argmax;
            let largest = if is_ahead { 1.0 } else { add(record.max, 1.0, 0.0) };
            sum += largest + add(record.second, record.others, record.moment * LN_2);
            masses.push(sum);
        }
        row.others = others;
        let unshift = libm::exp(-row.shift);
        let others = others * unshift;
        row.log_sum = libm::log1p(others);
        let statistics = RowStatistics {
            log_sum_exp: row.max * row.inverse + row.log_sum,
            entropy: row.log_sum + spread * unshift / (1.0 + others),
            margin: if alone { 1.0 } else { -libm::expm1(-ahead) } / (1.0 + others),
            argmax_log_others: row.log_rest(),
            log_margin_gap: if alone {
                f64::NEG_INFINITY
            } else {
                row.log_rest() + libm::log1p(libm::exp(-ahead - row.log_rest())) - row.log_sum
            },
            max: max as f32,
            argmax: argmax as i32,
            ..RowStatistics::BAD
        };
        Some((row, statistics))
    }

    /// exp((logit − max)/T + shift), but for the largest logit itself.
    fn weight(&self, logit: f32) -> f64 {
        if logit == f32::NEG_INFINITY {
            return 0.0;
        }
        libm::exp((f64::from(logit) - self.max) * self.inverse + self.shift)
    }

    fn log_probability(&self, logit: f32) -> f64 {
        if logit == f32::NEG_INFINITY {
            return f64::NEG_INFINITY;
        }
        (f64::from(logit) - self.max) * self.inverse - self.log_sum
    }

    /// ln of the sum of all weights but the largest, which is 1.
    fn log_rest(&self) -> f64 {
        libm::log(self.others) - self.shift
    }

    fn log_others(&self, drawn: ShardToken) -> f64 {
        if drawn.token as usize == self.argmax {
            return self.log_rest();
        }
        // Its weight is one of `others`, and the largest logit's, 1, is none.
        let exponent = (f64::from(drawn.logit) - self.max) * self.inverse;
        let others = self.others * libm::exp(-self.shift) - libm::exp(exponent);
        libm::log1p(others.max(0.0)) - exponent
    }
}

/// The logits of a block that edges of shards cut; −∞ past the end of the vocabulary.
fn assemble(shards: &[&ShardRecords], k: usize, block: usize) -> BlockLogits<f32> {
    let mut logits = [f32::NEG_INFINITY; BLOCK];
    let first = block * BLOCK;
    for shard in shards {
        let extent = shard.extent();
        let (begin, end) = (extent.offset.max(first), extent.end.min(first + BLOCK));
        if begin >= end {
            continue;
        }
        let [head, tail] = extent.fragments();
        let at =
            if begin < head.end { begin - head.start } else { head.len() + begin - tail.start };
        let held = &shard.row(k).2[at..at + (end - begin)];
        logits[begin - first..end - first].copy_from_slice(held);
    }
    logits
}
