//! What draws: its level, its threads and its memory.

use crate::constraints::Constraints;
use crate::draw::shard::{Shard, ShardBatch, ShardRecords, ShardToken};
use crate::draw::{
    Batch, Described, DrawRule, Drawn, Judged, Mixture, Outputs, RaceResult, RowState,
    RowStatistics, Scratch, Statistics, StatisticsRule, TopToken, draw_rows, race_rows,
};
use crate::error::{Error, shape};
use crate::lanes::Level;
use crate::logits::Logits;
use crate::plan::Plan;
use crate::policy::{Draw, DrawMethod};
use crate::rng::Key;
use crate::select::Candidate;
use crate::threads::Threads;

/// The vocabulary that a sampler is made for unless told otherwise.
const DEFAULT_VOCAB: usize = 1 << 18;

/// Makes plans and steps. It owns the memory and the threads that they need, and nothing else:
/// no state passes from one call to the next.
#[derive(Debug)]
pub struct Sampler {
    pub(crate) level: Level,
    pub(crate) threads: Threads,
    pub(crate) plan: Plan,
    /// Of each row of the step under way: its logical row, its key and its rule.
    pub(crate) rows: Vec<u32>,
    pub(crate) keys: Vec<Key>,
    pub(crate) rule_of: Vec<u32>,
    pub(crate) rules: Vec<DrawRule>,
    pub(crate) drawn: Vec<Drawn>,
    pub(crate) mixtures: Vec<Mixture>,
    /// The masses of those that decide for themselves.
    pub(crate) masses: Vec<f64>,
    /// Of each row of the plan.
    pub(crate) states: Vec<RowState>,
    /// Of each segment, what is to be known of its rows, and what is known of them; empty if no scores
    /// are wanted.
    pub(crate) statistics: Vec<Option<StatisticsRule>>,
    pub(crate) judged: Vec<Judged>,
    /// Of each row of the step under way, the token that stands there, if it matters.
    pub(crate) given: Vec<u32>,
    /// The positions that a rule chooses among by their scores.
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) raced: Vec<RaceResult>,
    /// How many of `drawn` the last call filled.
    pub(crate) filled: usize,
    pub(crate) vocab: usize,
    pub(crate) scratch: Vec<Scratch>,
}

/// Where [`Sampler::draw_with_statistics`] writes.
#[derive(Debug, Default)]
pub struct RowOutputs<'a> {
    /// One for each row, or empty.
    pub statistics: &'a mut [RowStatistics],
    /// The same number for each row, the largest logits first; or empty.
    pub top: &'a mut [TopToken],
}

/// The choices that a [`Sampler`] is made with.
#[derive(Clone, Copy, Debug)]
pub struct SamplerBuilder {
    level: Option<Level>,
    threads: usize,
    positions: usize,
    segments: usize,
    vocab: usize,
}

impl SamplerBuilder {
    /// Runs the kernels at `level` instead of the best one of this CPU. Results do not change.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// Draws on `threads` threads. 1, the default, is the caller's own; more make a pool.
    /// Results do not change.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Reserves memory for rows of up to `vocab` tokens; 262,144 by default. Memory that no call
    /// needs is never touched.
    #[must_use]
    pub fn vocab(mut self, vocab: usize) -> Self {
        self.vocab = vocab;
        self
    }

    /// Reserves memory.
    ///
    /// # Errors
    /// A level that this CPU lacks, threads that cannot be started, or a vocabulary above
    /// [`MAX_VOCAB`](crate::MAX_VOCAB).
    pub fn build(self) -> Result<Sampler, Error> {
        let level = self.level.unwrap_or_else(Level::detect);
        if !level.is_available() {
            return Err(Error::Level { level });
        }
        let (vocab, bound) = (self.vocab, crate::MAX_VOCAB);
        shape(vocab <= bound, "vocab", vocab, "at most", bound)?;
        let threads = Threads::new(self.threads)?;
        Ok(Sampler {
            level,
            scratch: (0..threads.pieces()).map(|_| Scratch::new(vocab)).collect(),
            threads,
            plan: Plan::with_capacity(self.positions, self.segments),
            rows: Vec::with_capacity(self.positions),
            keys: Vec::with_capacity(self.positions),
            rule_of: Vec::with_capacity(self.positions),
            rules: Vec::with_capacity(self.segments),
            mixtures: Vec::with_capacity(self.positions),
            masses: vec![0.0; self.positions],
            states: Vec::with_capacity(self.positions),
            statistics: Vec::with_capacity(self.segments),
            judged: Vec::with_capacity(self.positions),
            given: Vec::with_capacity(self.positions),
            candidates: Vec::with_capacity(self.positions),
            drawn: vec![Drawn::BAD; self.positions],
            raced: vec![RaceResult::EMPTY; self.positions],
            filled: 0,
            vocab,
        })
    }
}

impl Sampler {
    /// A sampler for canvases of up to `positions` positions in up to `segments` segments.
    #[must_use]
    pub fn builder(positions: usize, segments: usize) -> SamplerBuilder {
        SamplerBuilder { level: None, threads: 1, positions, segments, vocab: DEFAULT_VOCAB }
    }

    /// The memory that a sampler takes for each position and each segment, without its plan.
    #[cfg(feature = "capi")]
    pub(crate) const POSITION_SIZE: usize = size_of::<Drawn>()
        + size_of::<RaceResult>()
        + size_of::<Key>()
        + size_of::<Mixture>()
        + size_of::<f64>()
        + size_of::<RowState>()
        + size_of::<Judged>()
        + size_of::<Candidate>()
        + 3 * size_of::<u32>();
    #[cfg(feature = "capi")]
    pub(crate) const SEGMENT_SIZE: usize =
        size_of::<DrawRule>() + size_of::<Option<StatisticsRule>>();

    /// The level that the kernels run at.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// What the last step, or the last draw, drew for each of its rows.
    #[must_use]
    pub fn drawn(&self) -> &[Drawn] {
        &self.drawn[..self.filled]
    }

    /// Draws one token for each logits row, with the row's own key: the categorical law
    /// softmax(z / temperature) of the tokens that the constraints and the filters of `draw` leave.
    ///
    /// # Errors
    /// A parameter of `draw` out of range, constraints that do not fit the logits, another number of
    /// keys than rows, more rows than positions, or a wider vocabulary than the sampler was made
    /// for.
    pub fn draw(
        &mut self,
        logits: &Logits<'_>,
        draw: &Draw,
        constraints: &Constraints<'_>,
        keys: &[Key],
    ) -> Result<&[Drawn], Error> {
        self.draw_many(logits, draw, constraints, keys, 1)
    }

    /// Draws `draws` tokens for each logits row, independently: those of row `k` begin at
    /// `k * draws`. Draw `j` of a row is the same however many are asked for, and draw 0 is that of
    /// [`draw`](Self::draw).
    ///
    /// # Errors
    /// As [`draw`](Self::draw); the positions that the sampler was made for must hold all draws.
    pub fn draw_many(
        &mut self,
        logits: &Logits<'_>,
        draw: &Draw,
        constraints: &Constraints<'_>,
        keys: &[Key],
        draws: usize,
    ) -> Result<&[Drawn], Error> {
        self.call(logits, draw, constraints, keys, draws, None, RowOutputs::default)
    }

    /// Draws one token for each logits row as [`draw`](Self::draw) does, the same ones, and
    /// describes the law of each row at the temperature of `wanted`: into `into.statistics`, one a
    /// row, for the token that was drawn, and the m largest logits of each row into `into.top`,
    /// m·rows in all (ties: the lowest id; places that are left get token −1). Either may be empty.
    ///
    /// # Errors
    /// As [`draw`](Self::draw); a parameter of `wanted` out of range, rows to compare with that do
    /// not fit, or outputs of another length.
    pub fn draw_with_statistics(
        &mut self,
        logits: &Logits<'_>,
        draw: &Draw,
        constraints: &Constraints<'_>,
        keys: &[Key],
        wanted: &Statistics<'_>,
        into: RowOutputs<'_>,
    ) -> Result<&[Drawn], Error> {
        let rows = logits.rows();
        let (described, listed) = (into.statistics.len(), into.top.len());
        let fits = described == rows || described == 0;
        shape(fits, "statistics", described, "as many as the logits rows,", rows)?;
        let fits = listed == 0 || rows > 0 && listed.is_multiple_of(rows);
        shape(fits, "top tokens", listed, "a multiple of the logits rows,", rows)?;
        self.draw_described(logits, draw, constraints, keys, wanted, || into)
    }

    /// As [`draw_with_statistics`](Self::draw_with_statistics), into outputs of the right lengths
    /// that are asked for when nothing can be refused any more: memory of C is not touched before.
    pub(crate) fn draw_described<'a>(
        &mut self,
        logits: &Logits<'_>,
        draw: &Draw,
        constraints: &Constraints<'_>,
        keys: &[Key],
        wanted: &Statistics<'_>,
        into: impl FnOnce() -> RowOutputs<'a>,
    ) -> Result<&[Drawn], Error> {
        let rule = StatisticsRule::new(wanted, logits)?;
        self.call(logits, draw, constraints, keys, 1, Some((rule, wanted)), into)
    }

    fn call<'a>(
        &mut self,
        logits: &Logits<'_>,
        draw: &Draw,
        constraints: &Constraints<'_>,
        keys: &[Key],
        draws: usize,
        described: Option<(StatisticsRule, &Statistics<'_>)>,
        into: impl FnOnce() -> RowOutputs<'a>,
    ) -> Result<&[Drawn], Error> {
        let rules = &[DrawRule::new(draw)?];
        let (rows, vocab) = (logits.rows(), logits.vocab());
        shape(keys.len() == rows, "keys", keys.len(), "as many as the logits rows,", rows)?;
        constraints.check(rows, vocab)?;
        self.reserve(rows.saturating_mul(draws), vocab)?;
        let Self { level, threads, drawn, scratch, .. } = self;
        self.filled = rows * draws;
        let filled = rows * draws;
        let statistics = &described.map(|(rule, _)| Some(rule));
        let batch = Batch {
            rules,
            draws,
            statistics: statistics.as_slice(),
            against: described.and_then(|(_, wanted)| wanted.against.as_ref()),
            given: described.map_or(&[], |(_, wanted)| wanted.given),
            ..Batch::new(logits, constraints, keys)
        };
        let RowOutputs { statistics, top } = into();
        let statistics = Described::Rows(statistics);
        let out = Outputs { drawn: &mut drawn[..filled], statistics, top };
        draw_batch(*level, threads, &batch, out, scratch);
        Ok(self.drawn())
    }

    /// Races among the columns of one vocabulary shard: `logits` holds tokens `offset` to
    /// `offset + logits.vocab()` of every row. The results of all shards of a row,
    /// [merged](RaceResult::merge) in any order, are what [`draw`](Self::draw) draws from the whole
    /// row, to the last bit, wherever the row is cut: a tensor-parallel engine sends 24 bytes a row
    /// and shard instead of logits.
    ///
    /// Constraints are those of the whole row, the same for every shard: token ids, and the bits of
    /// allowed tokens, count from the beginning of the vocabulary. Ids that lie in other shards are
    /// passed over. At temperature 0 the results are the largest logits.
    ///
    /// ```
    /// use demask::policy::DrawMethod;
    /// use demask::{Constraints, Draw, Key, Logits, Sampler};
    ///
    /// # fn main() -> Result<(), demask::Error> {
    /// let row = [0.5, 2.0, 1.0, -1.0, 1.5];
    /// let draw = Draw { method: DrawMethod::ExponentialRace, ..Draw::at(0.8) };
    /// let (none, keys) = (Constraints::NONE, [Key { seed: 7, ..Key::default() }]);
    /// let mut sampler = Sampler::builder(1, 1).build()?;
    /// let whole = sampler.draw(&Logits::f32(&row, 1, 5)?, &draw, &none, &keys)?[0];
    /// let left = sampler.race_shard(&Logits::f32(&row[..3], 1, 3)?, 0, &draw, &none, &keys)?[0];
    /// let right = sampler.race_shard(&Logits::f32(&row[3..], 1, 2)?, 3, &draw, &none, &keys)?[0];
    /// assert_eq!(left.merge(right).drawn(), whole);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A `draw` whose method is not the exponential race, or with a filter, which needs the whole
    /// row; `offset + vocab` above [`MAX_VOCAB`](crate::MAX_VOCAB); and as [`draw`](Self::draw).
    pub fn race_shard(
        &mut self,
        logits: &Logits<'_>,
        offset: usize,
        draw: &Draw,
        constraints: &Constraints<'_>,
        keys: &[Key],
    ) -> Result<&[RaceResult], Error> {
        let rule = DrawRule::new(draw)?;
        let whole_row = |on: bool, name, value: f32, expected| match on {
            true => Err(Error::Argument { name, value: value.into(), expected }),
            false => Ok(()),
        };
        let other = draw.method != DrawMethod::ExponentialRace;
        whole_row(other, "method", f32::from(draw.method as u8), "1, the exponential race")?;
        let expected = "0 for a shard, since it needs the whole row";
        whole_row(draw.top_k != 0, "top_k", draw.top_k as f32, expected)?;
        whole_row(draw.min_p != 0.0, "min_p", draw.min_p, expected)?;
        let expected = "1 for a shard, since it needs the whole row";
        whole_row(draw.top_p != 1.0, "top_p", draw.top_p, expected)?;
        let (rows, vocab, bound) = (logits.rows(), logits.vocab(), crate::MAX_VOCAB);
        let fits = offset <= bound - vocab;
        shape(fits, "offset", offset, "such that offset + vocab is at most", bound)?;
        shape(keys.len() == rows, "keys", keys.len(), "as many as the logits rows,", rows)?;
        constraints.check_shard(rows, offset + vocab)?;
        self.reserve(rows, vocab)?;
        let Self { level, threads, raced, scratch, .. } = self;
        let raced = &mut raced[..rows];
        let batch = Batch { rules: &[rule], ..Batch::new(logits, constraints, keys) };
        threads.split(rows, &mut *raced, scratch, rows * vocab, |jobs, out, scratch| {
            race_rows(*level, &batch, offset, jobs, out, scratch);
        });
        Ok(raced)
    }

    /// Computes the records of rows of which only the columns of `shard` are here: the first round
    /// for a vocabulary that is spread over several machines, see [`shard`](crate::draw::shard).
    ///
    /// `constraints` count tokens in the whole vocabulary and must be the same for every shard.
    /// `given`, none or one token for each row and the same for every shard, asks for the
    /// log-probability of these tokens; a negative one stands for none.
    ///
    /// # Errors
    /// A shard that does not lie in its vocabulary, a temperature below 1e-30 (that of 0 is
    /// refused, since the largest logit does not depend on it), constraints or given tokens that do
    /// not fit, or more than the sampler or `records` were made for.
    pub fn shard_records(
        &mut self,
        logits: &Logits<'_>,
        shard: Shard,
        temperature: f32,
        constraints: &Constraints<'_>,
        given: &[i32],
        records: &mut ShardRecords,
    ) -> Result<(), Error> {
        let (rows, vocab) = (logits.rows(), logits.vocab());
        let batch = Batch::new(logits, constraints, &[]);
        let batch = ShardBatch::new(batch, shard, temperature)?;
        self.reserve(0, vocab)?;
        let out = batch.prepare(given, temperature, records)?;
        let Self { level, threads, scratch, .. } = self;
        threads.split(rows, out, scratch, rows * vocab, |jobs, out, scratch| {
            batch.write_records(*level, given, jobs, out, scratch);
        });
        Ok(())
    }

    /// Draws the tokens of the rows whose block, as [`ShardMerge::blocks`] says, lies in this
    /// shard: the second round, with the same logits, shard, temperature, constraints and keys as
    /// in the first. The other rows get [`ShardToken::NONE`].
    ///
    /// [`ShardMerge::blocks`]: crate::draw::shard::ShardMerge::blocks
    ///
    /// # Errors
    /// As [`shard_records`](Self::shard_records); another number of keys, blocks or tokens than
    /// rows.
    pub fn shard_tokens(
        &mut self,
        logits: &Logits<'_>,
        shard: Shard,
        temperature: f32,
        constraints: &Constraints<'_>,
        keys: &[Key],
        blocks: &[u32],
        tokens: &mut [ShardToken],
    ) -> Result<(), Error> {
        let rows = logits.rows();
        for (name, length) in [("blocks", blocks.len()), ("tokens", tokens.len())] {
            shape(length == rows, name, length, "as many as the logits rows,", rows)?;
        }
        let batch = self.shard_batch(logits, shard, temperature, constraints, keys)?;
        batch.draw_tokens(self.level, blocks, tokens);
        Ok(())
    }

    /// The rows of a shard whose tokens are drawn.
    pub(crate) fn shard_batch<'a>(
        &self,
        logits: &'a Logits<'a>,
        shard: Shard,
        temperature: f32,
        constraints: &'a Constraints<'a>,
        keys: &'a [Key],
    ) -> Result<ShardBatch<'a>, Error> {
        let rows = logits.rows();
        shape(keys.len() == rows, "keys", keys.len(), "as many as the logits rows,", rows)?;
        ShardBatch::new(Batch::new(logits, constraints, keys), shard, temperature)
    }

    /// Refuses what the memory was not made for.
    pub(crate) fn reserve(&self, rows: usize, vocab: usize) -> Result<(), Error> {
        let over = |name, value: usize, bound: usize| {
            Err(Error::Capacity { name, value: value as u64, bound: bound as u64 })
        };
        if rows > self.drawn.len() {
            return over("rows", rows, self.drawn.len());
        }
        if vocab > self.vocab {
            return over("vocab", vocab, self.vocab);
        }
        Ok(())
    }
}

/// Draws the rows of a batch on as many threads as they are worth.
pub(crate) fn draw_batch(
    level: Level,
    threads: &Threads,
    batch: &Batch<'_>,
    out: Outputs<'_>,
    scratch: &mut [Scratch],
) {
    let tokens = batch.keys.len() * batch.logits.vocab();
    if batch.draws == 0 {
        return;
    }
    threads.split(batch.keys.len(), out, scratch, tokens, |jobs, out, scratch| {
        draw_rows(level, batch, jobs, out, scratch);
    });
}
