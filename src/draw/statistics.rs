//! What is known of a row beside the token drawn from it.
//!
//! The plain loop would be two passes of exponentials, one for the sum and one for the entropy.
//! Here the sweep that finds the maxima of cells also sums weights and their moments, one pair of
//! sums for each group of cells, relative to a reference: the largest logit of the groups before.
//! Where a group rises far above it the group's sums are taken again, relative to its own maximum;
//! that happens seldom, since the reference then rises too. Of short rows the sums are taken once the
//! largest logit is known: see [`short_sums`].

use super::Temperature;
use super::blocks::{Block, Blocks, TOKENS, VECTORS, sum_lanes, tree};
use super::element::Element;
use super::envelope::{Cells, GROUP, MAX_GROUPS};
use super::masses::{Masses, least_weighty};
use super::row::Row;
use super::short_sums::{self, Others};
use crate::error::{Error, shape};
use crate::lanes::math::{exp_f64, fast_weight, ln_1p_f64, ln_f64};
use crate::lanes::{Kernel, Lanes};
use crate::logits::Logits;
use bytemuck::{Pod, Zeroable};
use core::ops::Range;

/// Statistics of a row's law p = softmax(z/T), at a temperature of its own: of all tokens that the
/// constraints leave, before any filter unless [`Statistics::filtered`] says otherwise. Natural
/// logarithms, nats.
///
/// Relative errors are below 2e-6 (absolute, where a value is below 1). The same bits at every
/// level, on any number of threads, in any batch. All numbers of a bad row are NaN, its token −1.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct RowStatistics {
    /// ln Σ exp(z/T).
    pub log_sum_exp: f64,
    /// −Σ p ln p. It keeps its digits where p rounds to 1.
    pub entropy: f64,
    /// p of the drawn token.
    pub probability: f64,
    /// ln p of the drawn token.
    pub log_probability: f64,
    /// ln of Σ exp((z − z of the drawn token)/T) over all other tokens, which is ln((1 − p)/p): it
    /// orders tokens by their confidence (the lower, the surer) even where p rounds to 1. −∞ if
    /// there is no other token.
    pub log_others: f64,
    /// p of the most likely token less p of the next one; 0 if two logits are equally large, 1 if
    /// there is only one token.
    pub margin: f64,
    /// ln((1 − p)/p) of the most likely token, as `log_others` is of the drawn one.
    pub argmax_log_others: f64,
    /// ln(1 − margin): it orders rows by their margins (the lower, the surer) even where these round
    /// to 1. −∞ if there is only one token.
    pub log_margin_gap: f64,
    /// ln p of the token that was given for this row, −∞ if it cannot be drawn; NaN without one.
    pub given_log_probability: f64,
    /// Σ p ln(p/q), where q is the law of the row it is compared with; +∞ where q lacks a token of
    /// p, NaN without such a row or if it is bad.
    pub divergence: f64,
    /// The largest logit.
    pub max: f32,
    /// Its token; ties: the lowest id.
    pub argmax: i32,
}

impl RowStatistics {
    /// Those of a bad row.
    pub const BAD: Self = Self {
        log_sum_exp: f64::NAN,
        entropy: f64::NAN,
        probability: f64::NAN,
        log_probability: f64::NAN,
        log_others: f64::NAN,
        margin: f64::NAN,
        argmax_log_others: f64::NAN,
        log_margin_gap: f64::NAN,
        given_log_probability: f64::NAN,
        divergence: f64::NAN,
        max: f32::NAN,
        argmax: -1,
    };
}

/// Which statistics are wanted of the rows of a call.
#[derive(Clone, Copy, Debug)]
pub struct Statistics<'a> {
    /// The temperature of the law that they are of, which may differ from that of the draw: at
    /// least 1e-30, +∞ included.
    pub temperature: f32,
    /// Whether that law is restricted to the tokens that the filters of the draw leave, whatever
    /// temperature these look at: the confidence of Dream, SDAR and llama.cpp. A token that is given
    /// and dropped has log-probability −∞. The largest logits of a row are listed all the same.
    ///
    /// At temperature 0 of the draw no filter is on, and the law is that of all tokens. With top-k it
    /// costs little; without, a second sweep of the rows that are filtered, over a copy; top-p by
    /// itself some thirty passes.
    pub filtered: bool,
    /// A token for each row, whose probability is wanted as well: below the vocabulary. Empty for
    /// none.
    pub given: &'a [u32],
    /// Rows to compare with, logical row by logical row, for the divergence: as many as the logits
    /// and of the same vocabulary and type. The constraints are applied to them as well. Not for a
    /// filtered law.
    pub against: Option<Logits<'a>>,
}

impl Default for Statistics<'_> {
    /// Of the law at temperature 1, and nothing else.
    fn default() -> Self {
        Self { temperature: 1.0, filtered: false, given: &[], against: None }
    }
}

/// Checked [`Statistics`], as the kernels want them, without the rows and tokens of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatisticsRule {
    pub(crate) temperature: Temperature,
    /// Whether the law is that of the tokens that the filters of the draw leave.
    pub(crate) filtered: bool,
    /// Whether rows are compared with others.
    pub(crate) compares: bool,
}

impl StatisticsRule {
    /// Checks what is wanted of these logits.
    pub(crate) fn new(wanted: &Statistics<'_>, logits: &Logits<'_>) -> Result<Self, Error> {
        let Statistics { temperature, filtered, given, ref against } = *wanted;
        if temperature == 0.0 {
            let (name, expected) = ("statistics.temperature", "at least 1e-30");
            return Err(Error::Argument { name, value: 0.0, expected });
        }
        let temperature = Temperature::new(temperature)?;
        let (rows, vocab) = (logits.rows(), logits.vocab());
        let fits = given.is_empty() || given.len() == rows;
        shape(fits, "given tokens", given.len(), "as many as the logits rows,", rows)?;
        for &token in given {
            shape((token as usize) < vocab, "given token", token as usize, "below vocab,", vocab)?;
        }
        if let Some(against) = against {
            logits.check_alike(against, "compared rows", "compared vocab", "compared bits")?;
            shape(against.guide().is_none(), "guides of compared rows", 1, "exactly", 0)?;
            if filtered {
                let (name, expected) = ("statistics.filtered", "0 with rows to compare with");
                return Err(Error::Argument { name, value: 1.0, expected });
            }
        }
        Ok(Self { temperature, filtered, compares: against.is_some() })
    }
}

/// The sums of one group of cells.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    /// The logit that the others are relative to.
    reference: f32,
    /// Σ w, w = exp((z − reference)/T).
    mass: f64,
    /// Σ w·(z − reference).
    moment: f64,
}

/// The sums of all groups of a row.
#[derive(Debug)]
pub(super) struct GroupSums([Sums; MAX_GROUPS]);

impl GroupSums {
    pub(super) const NONE: Self =
        Self([Sums { reference: 0.0, mass: 0.0, moment: 0.0 }; MAX_GROUPS]);
}

/// Blocks of a run, whose weights are summed lane by lane before these sums are summed.
const RUN: usize = 8;

/// Sums of weights while they are taken, in 16 lanes of f32.
struct Running<L: Lanes> {
    reference: L::F,
    least: L::F,
    temperature: Temperature,
    /// Masses and moments of the run under way, and of the runs before it.
    run: [L::F; 2],
    runs: [L::F; 2],
}

impl<L: Lanes> Running<L> {
    #[inline(always)]
    fn new(s: L, reference: f32, temperature: Temperature) -> Self {
        let least = s.splat(least_weighty(reference, temperature));
        let zeros = [s.splat(0.0); 2];
        Self { reference: s.splat(reference), least, temperature, run: zeros, runs: zeros }
    }

    /// Adds a block, its masses as a tree and its moments in two halves, and takes its maxima.
    #[inline(always)]
    fn add<E: Element>(&mut self, s: L, block: &Block<E>, max: &mut [L::F; VECTORS]) {
        let (x, max) = (block.as_chunks::<2>().0, max.as_chunks_mut::<2>().0);
        let moments = [s.splat(0.0); 2];
        let (a, moments) = self.pair(s, &x[0], &mut max[0], moments);
        let (b, moments) = self.pair(s, &x[1], &mut max[1], moments);
        let ab = s.add(a, b);
        let (c, moments) = self.pair(s, &x[2], &mut max[2], moments);
        let (d, moments) = self.pair(s, &x[3], &mut max[3], moments);
        self.run[0] = s.add(self.run[0], s.add(ab, s.add(c, d)));
        self.run[1] = s.add(self.run[1], s.add(moments[0], moments[1]));
    }

    /// The weights of two vectors together, and their moments beside those before.
    #[inline(always)]
    fn pair<E: Element>(
        &self,
        s: L,
        [a, b]: &[[E; 16]; 2],
        max: &mut [L::F; 2],
        moments: [L::F; 2],
    ) -> (L::F, [L::F; 2]) {
        let (a, a_moment) = self.weigh(s, E::load(s, a), &mut max[0], moments[0]);
        let (b, b_moment) = self.weigh(s, E::load(s, b), &mut max[1], moments[1]);
        (s.add(a, b), [a_moment, b_moment])
    }

    #[inline(always)]
    fn weigh(&self, s: L, x: L::F, max: &mut L::F, moment: L::F) -> (L::F, L::F) {
        *max = s.max(*max, x);
        // What lies deeper has a weight of 125 halvings, which no sum notices.
        let below = s.sub(s.at_least(x, self.least), self.reference);
        let weight = fast_weight(s, below, self.temperature);
        (weight, s.fma(weight, below, moment))
    }

    #[inline(always)]
    fn end_run(&mut self, s: L) {
        for k in 0..2 {
            self.runs[k] = s.add(self.runs[k], self.run[k]);
            self.run[k] = s.splat(0.0);
        }
    }

    #[inline(always)]
    fn sums(&self, s: L, reference: f32) -> Sums {
        Sums { reference, mass: sum_lanes(s, self.runs[0]), moment: sum_lanes(s, self.runs[1]) }
    }
}

/// The sums of some blocks relative to `reference`.
struct BlockSums<'a, E> {
    blocks: &'a Blocks<'a, E>,
    begin: usize,
    end: usize,
    reference: f32,
    temperature: Temperature,
}

impl<E: Element> Kernel for BlockSums<'_, E> {
    type Output = Sums;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> Sums {
        let Self { blocks, begin, end, reference, temperature } = self;
        let mut running = Running::new(s, reference, temperature);
        let mut max = [s.splat(f32::NEG_INFINITY); VECTORS];
        for run in (begin..end).step_by(RUN) {
            for block in run..end.min(run + RUN) {
                running.add(s, blocks.get(block), &mut max);
            }
            running.end_run(s);
        }
        running.sums(s, reference)
    }
}

#[inline(always)]
fn load<L: Lanes, E: Element>(s: L, block: &Block<E>) -> [L::F; VECTORS] {
    let mut x = [s.splat(0.0); VECTORS];
    for k in 0..VECTORS {
        x[k] = E::load(s, &block[k]);
    }
    x
}

#[inline(always)]
fn largest_of<L: Lanes>(s: L, x: [L::F; VECTORS]) -> f32 {
    let [a, b, c, d, e, f, g, h] = x;
    let (ab, cd, ef, gh) = (s.max(a, b), s.max(c, d), s.max(e, f), s.max(g, h));
    s.largest(s.max(s.max(ab, cd), s.max(ef, gh)))
}

/// The sweep of a row that also sums its weights, but for short rows: what [`Row::maxima`] writes and
/// returns.
pub(super) struct Sweep<'a, E> {
    pub(super) row: &'a Row<'a, E>,
    pub(super) temperature: Temperature,
    pub(super) cells: &'a mut Cells,
    pub(super) sums: &'a mut GroupSums,
}

/// How many halvings a group may rise above its reference before its sums are taken again: beyond,
/// the rounding of z − reference would show.
const RISE: f32 = 8.0;

impl<E: Element> Kernel for Sweep<'_, E> {
    type Output = (f32, bool);

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> (f32, bool) {
        let Self { row, temperature, cells, sums } = self;
        let maxima = cells.maxima(row.vectors());
        if row.size == 1 {
            return row.maxima(s, maxima);
        }
        let blocks = &mut Blocks::new(row.logits);
        blocks.leave_out(row.excluded);
        let blocks = &*blocks;
        if temperature.high == 0.0 {
            // All finite logits weigh 1, which the clamp of a weight would give −∞ as well.
            let &Row { logits, excluded, .. } = row;
            let (max, lower, above) = (0.0, f32::NEG_INFINITY, f32::INFINITY);
            let count = Masses { row: logits, excluded, max, temperature, lower, above };
            sums.0[0] = Sums { mass: s.call(count).0, ..Sums::default() };
            sums.0[1..row.groups()].fill(Sums::default());
            return row.maxima(s, maxima);
        }
        let least = s.splat(f32::NEG_INFINITY);
        let (mut row_max, mut mass) = ([least; GROUP], 0.0);
        let mut reference = temperature.reference(largest_of(s, load(s, blocks.get(0))));
        let (groups, _) = maxima.as_chunks_mut::<GROUP>();
        for (g, cells) in groups.iter_mut().enumerate() {
            let Range { start: begin, end } = row.blocks_of(g, blocks.count());
            let mut max = [least; GROUP];
            let mut running = Running::new(s, reference, temperature);
            for run in (begin..end).step_by(RUN) {
                for block in run..end.min(run + RUN) {
                    running.add(s, blocks.get(block), &mut max);
                }
                running.end_run(s);
            }
            for k in 0..GROUP {
                s.store_u32(s.float_bits(max[k]), &mut cells[k]);
                row_max[k] = s.max(row_max[k], max[k]);
            }
            sums.0[g] = running.sums(s, reference);
            let group_max = largest_of(s, max);
            if group_max > reference {
                let far = (group_max - reference) * temperature.high > RISE;
                reference = group_max;
                if far {
                    let again = BlockSums { blocks, begin, end, reference, temperature };
                    sums.0[g] = s.call(again);
                }
            }
            mass += sums.0[g].mass;
        }
        // The excluded token was left out of the sums; a NaN makes the row bad even there.
        let excluded = row.logits.get(row.excluded).is_some_and(|x| x.to_f32().is_nan());
        (largest_of(s, row_max), mass.is_nan() || excluded)
    }
}

/// A row and its drawn token in few numbers, of which each statistic is made when it is asked for;
/// logits are meant as (z − max)/T, max the largest. The statistics are those of [`RowStatistics`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    max: f32,
    argmax: i32,
    /// The logit of the drawn token, −∞ if it is out, and whether it is `argmax`.
    drawn: f64,
    drew_argmax: bool,
    /// exp of it.
    weight: f64,
    /// That of the token that was given; NaN without one.
    given: f64,
    /// The largest logit but `argmax`'s; −∞ without one.
    second: f64,
    /// Σ exp(z − base) of all tokens but `argmax`, which do not vanish beside it.
    others: f64,
    base: f64,
    /// Σ exp(z) of these, and Σ z·exp(z); the latter is 0 at infinite temperature.
    rest: f64,
    tilt: f64,
    /// max/T.
    reference: f64,
    divergence: f64,
}

impl Summary {
    /// That of a bad row, of which all is NaN.
    pub(crate) const BAD: Self = Self {
        max: f32::NAN,
        argmax: -1,
        drawn: f64::NAN,
        drew_argmax: false,
        weight: f64::NAN,
        given: f64::NAN,
        second: f64::NAN,
        others: f64::NAN,
        base: f64::NAN,
        rest: f64::NAN,
        tilt: f64::NAN,
        reference: f64::NAN,
        divergence: f64::NAN,
    };

    /// That of a good row after its [`Sweep`], while its cells still hold their maxima.
    #[inline(always)]
    pub(super) fn new<L: Lanes, E: Element>(
        s: L,
        row: &Row<'_, E>,
        (max, argmax): (f32, usize),
        maxima: &mut [[u32; 16]],
        sums: &GroupSums,
        temperature: Temperature,
    ) -> Self {
        if row.size == 1 {
            let others = short_sums::alone(s, maxima, argmax, temperature);
            return Self::of_short(max, argmax, others, temperature);
        }
        let second = row.largest_but(argmax, maxima);
        let (mut mass, mut moment) = (0.0, 0.0);
        for sums in &sums.0[..row.groups()] {
            let rise = f64::from(sums.reference) - f64::from(temperature.reference(max));
            let scale = if rise == 0.0 { 1.0 } else { libm::exp(rise * temperature.inverse) };
            mass += sums.mass * scale;
            moment += (sums.moment + rise * sums.mass) * scale;
        }
        let others = if second == f32::NEG_INFINITY {
            Others { max, ..Others::default() }
        } else if mass < 2.0 {
            // The largest logit holds more than half of the mass, and hides the others in it.
            others_of(s, row, sums, (max, argmax), second, temperature)
        } else {
            Others { max, mass: mass - 1.0, moment }
        };
        Self::of_others(max, argmax, second, others, temperature)
    }

    /// That of a good short row.
    #[inline(always)]
    pub(super) fn of_short(
        max: f32,
        argmax: usize,
        others: Others,
        temperature: Temperature,
    ) -> Self {
        let second = others.max;
        if second == f32::NEG_INFINITY {
            let none = Others { max, ..Others::default() };
            return Self::of_others(max, argmax, second, none, temperature);
        }
        Self::of_others(max, argmax, second, others, temperature)
    }

    #[inline(always)]
    fn of_others(
        max: f32,
        argmax: usize,
        second: f32,
        others: Others,
        temperature: Temperature,
    ) -> Self {
        let inverse = temperature.inverse;
        let base = (f64::from(others.max) - f64::from(max)) * inverse;
        let scale = if base == 0.0 { 1.0 } else { exp_f64(base) };
        let moment = if inverse == 0.0 { 0.0 } else { others.moment * inverse };
        Self {
            // Of two zeros a maximum may be either.
            max: max + 0.0,
            argmax: argmax as i32,
            second: below(second, max, temperature),
            others: others.mass,
            base,
            rest: others.mass * scale,
            tilt: (moment + base * others.mass) * scale,
            reference: f64::from(max) * inverse,
            ..Self::BAD
        }
    }

    /// With the drawn token, and another that was given.
    #[inline(always)]
    pub(super) fn with_tokens<E: Element>(
        self,
        row: &Row<'_, E>,
        drawn: usize,
        given: Option<usize>,
        temperature: Temperature,
    ) -> Self {
        let below = |token: usize| below(row.logit(token), self.max, temperature);
        let drew_argmax = drawn as i32 == self.argmax;
        let (drawn, given) = (below(drawn), given.map_or(f64::NAN, below));
        let weight = if drew_argmax { 1.0 } else { exp_f64(drawn) };
        Self { drawn, drew_argmax, weight, given, ..self }
    }

    /// That of the row which this one is a part of: `token` names its tokens there, and `dropped` says
    /// that the token which was given is not among them.
    pub(super) fn of_whole_row(self, token: impl Fn(usize) -> usize, dropped: bool) -> Self {
        let given = if dropped { f64::NEG_INFINITY } else { self.given };
        Self { argmax: token(self.argmax as usize) as i32, given, ..self }
    }

    pub(super) fn with_divergence(self, divergence: f64) -> Self {
        Self { divergence, ..self }
    }

    /// ln Σ exp(z).
    fn log_mass(&self) -> f64 {
        ln_1p_f64(self.rest)
    }

    fn entropy_of(&self, log_mass: f64) -> f64 {
        let entropy = log_mass - self.tilt / (1.0 + self.rest);
        if entropy < 0.0 { 0.0 } else { entropy }
    }

    fn log_margin_gap_of(&self, log_mass: f64) -> f64 {
        // 1 − (1 − w)/(1 + S) = (S + w)/(1 + S), w the second largest weight.
        ln_f64(self.others + exp_f64(self.second - self.base)) + self.base - log_mass
    }

    /// All of them.
    pub(super) fn statistics(&self) -> RowStatistics {
        if self.argmax < 0 {
            return RowStatistics::BAD;
        }
        let log_mass = self.log_mass();
        RowStatistics {
            log_sum_exp: log_mass + self.reference,
            entropy: self.entropy_of(log_mass),
            probability: self.probability(),
            log_probability: self.drawn - log_mass,
            log_others: self.log_others(),
            margin: self.margin(),
            argmax_log_others: self.argmax_log_others(),
            log_margin_gap: self.log_margin_gap_of(log_mass),
            given_log_probability: self.given - log_mass,
            divergence: self.divergence,
            max: self.max,
            argmax: self.argmax,
        }
    }
}

/// The numbers of [`RowStatistics`] that scores and rules are made of, wherever they come from.
pub(crate) trait RowNumbers {
    fn entropy(&self) -> f64;
    fn probability(&self) -> f64;
    fn log_probability(&self) -> f64;
    fn log_others(&self) -> f64;
    fn margin(&self) -> f64;
    fn argmax_log_others(&self) -> f64;
    fn log_margin_gap(&self) -> f64;
    fn given_log_probability(&self) -> f64;
    fn divergence(&self) -> f64;
    /// −1 for a bad row.
    fn argmax(&self) -> i32;
}

impl RowNumbers for RowStatistics {
    fn entropy(&self) -> f64 {
        self.entropy
    }

    fn probability(&self) -> f64 {
        self.probability
    }

    fn log_probability(&self) -> f64 {
        self.log_probability
    }

    fn log_others(&self) -> f64 {
        self.log_others
    }

    fn margin(&self) -> f64 {
        self.margin
    }

    fn argmax_log_others(&self) -> f64 {
        self.argmax_log_others
    }

    fn log_margin_gap(&self) -> f64 {
        self.log_margin_gap
    }

    fn given_log_probability(&self) -> f64 {
        self.given_log_probability
    }

    fn divergence(&self) -> f64 {
        self.divergence
    }

    fn argmax(&self) -> i32 {
        self.argmax
    }
}

impl RowNumbers for Summary {
    fn entropy(&self) -> f64 {
        self.entropy_of(self.log_mass())
    }

    fn probability(&self) -> f64 {
        self.weight / (1.0 + self.rest)
    }

    fn log_probability(&self) -> f64 {
        self.drawn - self.log_mass()
    }

    fn log_others(&self) -> f64 {
        if self.drew_argmax {
            return self.argmax_log_others();
        }
        // It is at most as heavy as the largest one, which is among the others.
        ln_f64(1.0 + (self.rest - self.weight)) - self.drawn
    }

    fn margin(&self) -> f64 {
        -libm::expm1(self.second) / (1.0 + self.rest)
    }

    fn argmax_log_others(&self) -> f64 {
        ln_f64(self.others) + self.base
    }

    fn log_margin_gap(&self) -> f64 {
        self.log_margin_gap_of(self.log_mass())
    }

    fn given_log_probability(&self) -> f64 {
        self.given - self.log_mass()
    }

    fn divergence(&self) -> f64 {
        self.divergence
    }

    fn argmax(&self) -> i32 {
        self.argmax
    }
}

/// (z − max)/T; −∞ for a token that is out, at infinite temperature too.
fn below(z: f32, max: f32, temperature: Temperature) -> f64 {
    match z {
        f32::NEG_INFINITY => f64::NEG_INFINITY,
        // Both zeros are one.
        _ => (f64::from(z) - f64::from(max)) * temperature.inverse + 0.0,
    }
}

/// All tokens of a row but `argmax`, of which there are some, by sums that do not hold it.
#[inline(always)]
fn others_of<L: Lanes, E: Element>(
    s: L,
    row: &Row<'_, E>,
    sums: &GroupSums,
    (max, argmax): (f32, usize),
    second: f32,
    temperature: Temperature,
) -> Others {
    // Relative to the largest logit, much smaller ones would not be seen.
    let far = below(second, max, temperature) < -40.0;
    let base = if far { second } else { max };
    let reference = temperature.reference(base);
    let blocks = &mut Blocks::new(row.logits);
    blocks.leave_out(row.excluded);
    blocks.leave_out(argmax);
    let blocks = &*blocks;
    let (mut mass, mut moment) = (0.0, 0.0);
    for (g, sums) in sums.0[..row.groups()].iter().enumerate() {
        let blocks_of_group = row.blocks_of(g, blocks.count());
        let sums = if far || blocks_of_group.contains(&(argmax / TOKENS)) {
            let Range { start: begin, end } = blocks_of_group;
            s.call(BlockSums { blocks, begin, end, reference, temperature })
        } else {
            *sums
        };
        let rise = f64::from(sums.reference) - f64::from(reference);
        let scale = libm::exp(rise * temperature.inverse);
        mass += sums.mass * scale;
        moment += (sums.moment + rise * sums.mass) * scale;
    }
    Others { max: base, mass, moment }
}

/// What is known of a good row and one of its tokens.
pub(super) struct Describe<'a> {
    pub(super) row: Row<'a, f32>,
    pub(super) temperature: Temperature,
    pub(super) cells: &'a mut Cells,
    pub(super) sums: &'a mut GroupSums,
    pub(super) token: usize,
    pub(super) given: Option<usize>,
}

impl Kernel for Describe<'_> {
    type Output = Summary;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> Summary {
        let Self { row, temperature, cells, sums, token, given } = self;
        let sweep = Sweep { row: &row, temperature, cells: &mut *cells, sums: &mut *sums };
        let (max, _) = s.call(sweep);
        let maxima = cells.maxima(row.vectors());
        let largest = (max, row.first_of_value(max, maxima));
        let summary = Summary::new(s, &row, largest, maxima, sums, temperature);
        summary.with_tokens(&row, token, given, temperature)
    }
}

/// The divergence of a good row from another row, which may be bad.
pub(super) struct Compare<'a, E> {
    pub(super) row: &'a Row<'a, E>,
    pub(super) max: f32,
    pub(super) other: &'a [E],
    pub(super) temperature: Temperature,
    pub(super) cells: &'a mut Cells,
}

impl<E: Element> Kernel for Compare<'_, E> {
    type Output = f64;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> f64 {
        let Self { row, max, other, temperature, cells } = self;
        let other = Row::new(other, row.excluded);
        let (other_max, nan) = other.maxima(s, cells.maxima(other.vectors()));
        if nan || !other_max.is_finite() {
            return f64::NAN;
        }
        let (excluded, maxima) = (row.excluded, [max, other_max]);
        let (row, other) = (row.logits, other.logits);
        Divergence { row, other, excluded, maxima, temperature }.run(s)
    }
}

/// Σ p ln(p/q) of two good rows with their largest logits.
struct Divergence<'a, E> {
    row: &'a [E],
    other: &'a [E],
    excluded: usize,
    maxima: [f32; 2],
    temperature: Temperature,
}

impl<E: Element> Kernel for Divergence<'_, E> {
    type Output = f64;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> f64 {
        let Self { row, other, excluded, maxima, temperature } = self;
        let (x_max, y_max) = (temperature.reference(maxima[0]), temperature.reference(maxima[1]));
        let x_least = s.splat(least_weighty(x_max, temperature));
        let y_least = s.splat(least_weighty(y_max, temperature));
        let (x_max, y_max) = (s.splat(x_max), s.splat(y_max));
        let (mut row, mut other) = (Blocks::new(row), Blocks::new(other));
        row.leave_out(excluded);
        other.leave_out(excluded);
        let zero = s.splat(0.0);
        let mut lacking = s.no_lane();
        // Σ p, Σ q, and Σ p·((z − max) − (z' − max')) in units of their own weights.
        let mut totals = [0.0; 3];
        for run in (0..row.count()).step_by(RUN) {
            let mut sums = [zero; 3];
            for block in run..row.count().min(run + RUN) {
                let (mut p, mut q, mut gap) = ([zero; VECTORS], [zero; VECTORS], [zero; VECTORS]);
                let (x, y) = (load(s, row.get(block)), load(s, other.get(block)));
                for k in 0..VECTORS {
                    let (x_out, y_out) = (s.greater(x_least, x[k]), s.greater(y_least, y[k]));
                    let x_below = s.select(x_out, zero, s.sub(x[k], x_max));
                    let y_below = s.sub(y[k], y_max);
                    p[k] = s.select(x_out, zero, fast_weight(s, x_below, temperature));
                    let y_clean = s.select(y_out, zero, y_below);
                    q[k] = s.select(y_out, zero, fast_weight(s, y_clean, temperature));
                    // A token without weight in q may still have a logit there.
                    let banned = s.equal(y[k], s.splat(f32::NEG_INFINITY));
                    gap[k] = s.mul(p[k], s.sub(x_below, s.select(banned, zero, y_below)));
                    lacking = s.or(lacking, s.greater(s.select(banned, p[k], zero), zero));
                }
                sums[0] = s.add(sums[0], tree(s, p));
                sums[1] = s.add(sums[1], tree(s, q));
                sums[2] = s.add(sums[2], tree(s, gap));
            }
            for k in 0..3 {
                totals[k] += sum_lanes(s, sums[k]);
            }
        }
        if s.any(lacking) {
            return f64::INFINITY;
        }
        let [p, q, gap] = totals;
        let tilt = if temperature.inverse == 0.0 { 0.0 } else { gap * temperature.inverse };
        (tilt / p + libm::log(q / p)).max(0.0)
    }
}
