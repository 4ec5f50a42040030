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

mod blocks;
mod divergence;
mod element;
mod envelope;
mod filter;
mod kernel;
mod law;
mod masses;
mod merge;
mod mixture;
pub mod oracle;
mod proposals;
mod race;
mod record;
mod row;
mod row_record;
mod row_sums;
pub mod shard;
mod short;
mod short_sums;
mod stage;
mod statistics;
mod summary;

use crate::constraints::Constraints;
use crate::error::Error;
use crate::lanes::Lanes;
use crate::logits::Logits;
use crate::policy::{Draw, DrawMethod, FilterOrder, NucleusEdge};
use crate::rng::Key;
use crate::threads::Split;

pub(crate) use envelope::Scratch;
pub use filter::TopToken;
pub(crate) use kernel::draw_rows;
pub use law::{Law, law};
pub(crate) use mixture::{Mixture, row_masses};
pub(crate) use race::race_rows;
pub use race::{RaceResult, RaceState};
pub use row::largest;
pub use row_record::RowRecord;
pub(crate) use statistics::StatisticsRule;
pub use statistics::{RowStatistics, Statistics};
pub(crate) use summary::{RowNumbers, Summary};

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RowState {
    /// The row was good, but decided that its position stays masked; no token was drawn.
    Kept = 0,
    /// A token was drawn.
    Drawn = 1,
    /// The row holds NaN or +∞, or no finite logit: no token was drawn.
    Bad = 2,
    /// Its committed position became a mask again. The token is the mask token.
    Remasked = 3,
    /// Its position got a random token, which this is, in place of a mask.
    Renoised = 4,
}

/// The outcome of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The token, or −1 if none was written.
    pub token: i32,
    /// Whether the row was usable, and used.
    pub state: RowState,
}

impl Drawn {
    /// The outcome of a bad row.
    pub const BAD: Self = Self { token: -1, state: RowState::Bad };

    /// The outcome of a row whose position stays masked.
    pub(crate) const KEPT: Self = Self { token: -1, state: RowState::Kept };

    pub(crate) fn token(token: usize) -> Self {
        // A vocabulary has at most 2^23 tokens.
        Self { token: token as i32, state: RowState::Drawn }
    }
}

/// Rows to draw from. Job `k` is row `rows[k]` of the logits with `keys[k]` and rule `rule_of[k]`;
/// without `rows` it is row `k`, without `rule_of` the rule is the first.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub(crate) logits: &'a Logits<'a>,
    pub(crate) constraints: &'a Constraints<'a>,
    pub(crate) keys: &'a [Key],
    pub(crate) rows: &'a [u32],
    pub(crate) rules: &'a [DrawRule],
    pub(crate) rule_of: &'a [u32],
    /// How many tokens are drawn from each row.
    pub(crate) draws: usize,
    /// What else is computed of each row, by its rule; empty if nothing is.
    pub(crate) statistics: &'a [Option<StatisticsRule>],
    /// The rows that those with statistics are compared with, if their rule says so.
    pub(crate) against: Option<&'a Logits<'a>>,
    /// Of each job, a token whose probability is wanted, or [`NOT_GIVEN`]; empty if none is.
    pub(crate) given: &'a [u32],
    /// Of each job, what is drawn from in place of its row; empty if all are drawn from as they are.
    pub(crate) mixtures: &'a [Mixture],
}

/// No token is given for a job.
pub(crate) const NOT_GIVEN: u32 = u32::MAX;

/// Where the outcomes of some jobs go: the draws of each, and its statistics and its largest
/// logits, if any are wanted.
pub(crate) struct Outputs<'a> {
    pub(crate) drawn: &'a mut [Drawn],
    pub(crate) statistics: Described<'a>,
    pub(crate) top: &'a mut [TopToken],
}

/// Where the statistics of jobs go. An empty slice for nowhere.
pub(crate) enum Described<'a> {
    Rows(&'a mut [RowStatistics]),
    /// What is made of them at once, half as long.
    Judged(&'a mut [Judged], &'a Judge<'a>),
    Records(&'a mut [RowRecord]),
}

/// Makes what is kept of a job, given what was drawn for it.
pub(crate) type Judge<'a> = dyn Fn(usize, Drawn, &Summary) -> Judged + Sync + 'a;

/// What a step keeps of a row that is described.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged {
    /// What stands for the score of its position: the larger, the surer.
    pub(crate) order: f64,
    /// The entropy of its law; NaN if no rule looks at it.
    pub(crate) entropy: f64,
    /// The probability by which a committed position is judged anew.
    pub(crate) belief: f64,
    /// The probability of its drawn token; 0 for a bad row.
    pub(crate) probability: f32,
    /// Its most likely token; −1 for a bad row.
    pub(crate) argmax: i32,
    /// For how many steps in a row its law has hardly changed.
    pub(crate) stable: u32,
}

impl Judged {
    /// That of a row which is not described.
    pub(crate) const NONE: Self = Self {
        order: f64::NAN,
        entropy: f64::NAN,
        belief: f64::NAN,
        probability: 0.0,
        argmax: -1,
        stable: 0,
    };
}

impl<'a> Described<'a> {
    /// Nowhere.
    pub(crate) const NONE: Self = Self::Rows(&mut []);

    /// Whether there is a place for each job.
    fn is_some(&self) -> bool {
        match self {
            Self::Rows(rows) => !rows.is_empty(),
            Self::Judged(rows, _) => !rows.is_empty(),
            Self::Records(rows) => !rows.is_empty(),
        }
    }

    /// Writes what is known of job `k`, the `i`-th of those here, if there is a place for it.
    fn put(&mut self, i: usize, k: usize, drawn: Drawn, summary: &Summary) {
        match self {
            Self::Rows(rows) => {
                if let Some(row) = rows.get_mut(i) {
                    *row = summary.statistics();
                }
            }
            Self::Judged(rows, judge) => rows[i] = judge(k, drawn, summary),
            Self::Records(rows) => rows[i].statistics = summary.statistics(),
        }
    }
}

impl Split for Described<'_> {
    #[cfg(feature = "threads")]
    fn split_at(self, first: usize, jobs: usize) -> (Self, Self) {
        match self {
            Self::Rows(rows) => {
                let (rows, after) = rows.split_at(first, jobs);
                (Self::Rows(rows), Self::Rows(after))
            }
            Self::Judged(rows, judge) => {
                let (rows, after) = rows.split_at(first, jobs);
                (Self::Judged(rows, judge), Self::Judged(after, judge))
            }
            Self::Records(rows) => {
                let (rows, after) = rows.split_at(first, jobs);
                (Self::Records(rows), Self::Records(after))
            }
        }
    }
}

impl Split for Outputs<'_> {
    #[cfg(feature = "threads")]
    fn split_at(self, first: usize, jobs: usize) -> (Self, Self) {
        let Self { drawn, statistics, top } = self;
        let (drawn, drawn_after) = drawn.split_at(first, jobs);
        let (statistics, statistics_after) = statistics.split_at(first, jobs);
        let (top, top_after) = top.split_at(first, jobs);
        let after = Self { drawn: drawn_after, statistics: statistics_after, top: top_after };
        (Self { drawn, statistics, top }, after)
    }
}

impl<'a> Batch<'a> {
    /// Row after row, without rules.
    pub(crate) const fn new(
        logits: &'a Logits<'a>,
        constraints: &'a Constraints<'a>,
        keys: &'a [Key],
    ) -> Self {
        Self {
            logits,
            constraints,
            keys,
            rows: &[],
            rules: &[],
            rule_of: &[],
            draws: 1,
            statistics: &[],
            against: None,
            given: &[],
            mixtures: &[],
        }
    }

    /// The logical row of job `k`.
    #[inline(always)]
    fn row(&self, k: usize) -> usize {
        self.rows.get(k).map_or(k, |&row| row as usize)
    }

    /// What job `k` is drawn from.
    #[inline(always)]
    fn mixture(&self, k: usize) -> Mixture {
        self.mixtures.get(k).copied().unwrap_or(Mixture::LATEST)
    }

    /// The place of the rule of job `k`.
    #[inline(always)]
    fn rule_place(&self, k: usize) -> usize {
        self.rule_of.get(k).map_or(0, |&rule| rule as usize)
    }

    /// The rule of job `k`.
    #[inline(always)]
    fn rule(&self, k: usize) -> &'a DrawRule {
        &self.rules[self.rule_place(k)]
    }

    /// What else is computed of job `k`.
    #[inline(always)]
    fn statistics(&self, k: usize) -> Option<&'a StatisticsRule> {
        self.statistics.get(self.rule_place(k))?.as_ref()
    }

    /// The token that was given for job `k`.
    fn given(&self, k: usize) -> Option<usize> {
        let given = self.given.get(k).filter(|&&token| token != NOT_GIVEN);
        given.map(|&token| token as usize)
    }
}

/// A checked [`Draw`], as the kernels want it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DrawRule {
    pub(crate) temperature: Temperature,
    /// The temperature of the probabilities that top-p and min-p look at.
    pub(crate) filter_temperature: Temperature,
    /// The largest number, not 0, if all are kept.
    pub(crate) top_k: u32,
    /// 1 if all are kept.
    pub(crate) top_p: f64,
    pub(crate) nucleus_edge: NucleusEdge,
    /// ln of min-p times its temperature: how far below the maximum a logit may be. −∞ if all are
    /// kept.
    pub(crate) depth: f64,
    pub(crate) method: DrawMethod,
}

impl DrawRule {
    /// The largest logit.
    pub(crate) const GREEDY: Self = Self {
        temperature: Temperature::GREEDY,
        filter_temperature: Temperature::GREEDY,
        top_k: u32::MAX,
        top_p: 1.0,
        nucleus_edge: NucleusEdge::Keep,
        depth: f64::NEG_INFINITY,
        method: DrawMethod::Rejection,
    };

    #[inline(always)]
    fn is_race(&self) -> bool {
        self.method == DrawMethod::ExponentialRace
    }

    /// Whether all tokens of a row of `vocab` tokens are drawn from, by their weights.
    #[inline(always)]
    fn is_plain(&self, vocab: usize) -> bool {
        self.method == DrawMethod::Rejection && self.is_unfiltered(vocab)
    }

    /// Whether all tokens of a row of `vocab` tokens are drawn from.
    #[inline(always)]
    fn is_unfiltered(&self, vocab: usize) -> bool {
        !self.temperature.greedy && !self.is_filtered(vocab)
    }

    /// Whether some filter is on, for a row of `vocab` tokens. At temperature 0 none is.
    #[inline(always)]
    fn is_filtered(&self, vocab: usize) -> bool {
        (self.top_k as usize) < vocab || self.top_p < 1.0 || self.depth > f64::NEG_INFINITY
    }

    pub(crate) fn new(draw: &Draw) -> Result<Self, Error> {
        let refuse = |name, value: f32, expected| {
            Err(Error::Argument { name, value: f64::from(value), expected })
        };
        let temperature = Temperature::new(draw.temperature)?;
        if !(draw.top_p > 0.0 && draw.top_p <= 1.0) {
            return refuse("top_p", draw.top_p, "above 0 and at most 1");
        }
        if !(0.0..=1.0).contains(&draw.min_p) {
            return refuse("min_p", draw.min_p, "0 to 1");
        }
        if temperature.greedy {
            return Ok(Self::GREEDY);
        }
        let filter_at = match draw.filter_order {
            FilterOrder::AfterTemperature => draw.temperature,
            FilterOrder::BeforeTemperature => 1.0,
        };
        let depth = match draw.min_p {
            0.0 => f64::NEG_INFINITY,
            // At infinite temperature all tokens are as likely as the first: 0 · ∞ is no number.
            1.0 if filter_at != f32::INFINITY => 0.0,
            p => libm::log(f64::from(p)) * f64::from(filter_at),
        };
        Ok(Self {
            temperature,
            filter_temperature: Temperature::new(filter_at)?,
            top_k: if draw.top_k == 0 { u32::MAX } else { draw.top_k },
            top_p: draw.top_p.into(),
            nucleus_edge: draw.nucleus_edge,
            depth: if depth.is_nan() { f64::NEG_INFINITY } else { depth },
            method: draw.method,
        })
    }
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
    /// 1/T.
    pub(crate) inverse: f64,
    /// Temperature 0.
    pub(crate) greedy: bool,
}

impl Temperature {
    /// Temperature 1.
    pub(crate) const ONE: Self = {
        let scale = core::f64::consts::LOG2_E;
        let high = scale as f32;
        let (low, floor) = ((scale - high as f64) as f32, (-125.0 / scale) as f32);
        Self { high, low, floor, inverse: 1.0, greedy: false }
    };

    /// Temperature 0: the largest logit.
    pub(crate) const GREEDY: Self =
        Self { high: 0.0, low: 0.0, floor: 0.0, inverse: f64::INFINITY, greedy: true };

    /// The logit that weights are relative to: the largest, or any where all finite logits weigh 1,
    /// whose distance could not be told.
    #[inline(always)]
    pub(crate) fn reference(self, max: f32) -> f32 {
        if self.high == 0.0 { 0.0 } else { max.clamp(f32::MIN, f32::MAX) }
    }

    /// The same for each lane, none of which is NaN.
    #[inline(always)]
    pub(crate) fn references<L: Lanes>(self, s: L, max: L::F) -> L::F {
        if self.high == 0.0 {
            return s.splat(0.0);
        }
        s.min(s.max(max, s.splat(f32::MIN)), s.splat(f32::MAX))
    }

    /// Of a law that is described. Sums of logits have no room in f32 beyond these temperatures.
    pub(crate) fn of_law(name: &'static str, temperature: f32) -> Result<Self, Error> {
        if (1e-30..=Self::HIGHEST_OF_LAWS).contains(&temperature) || temperature == f32::INFINITY {
            return Self::new(temperature);
        }
        let (value, expected) = (temperature.into(), "from 1e-30 to 1e30, or +inf");
        Err(Error::Argument { name, value, expected })
    }

    /// The highest finite temperature of a law that is described.
    pub(crate) const HIGHEST_OF_LAWS: f32 = 1e30;

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
        let (low, inverse) = ((scale - f64::from(high)) as f32, 1.0 / f64::from(temperature));
        Ok(Self { high, low, floor, inverse, greedy: false })
    }
}
