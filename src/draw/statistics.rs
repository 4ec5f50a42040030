//! What is known of a row beside the token drawn from it.
//!
//! The plain loop would be two passes of exponentials, one for the sum and one for the entropy.
//! Here the sweep that finds the maxima of cells also sums weights and their moments, one pair of
//! sums for each group of cells, relative to a reference: the largest logit of the groups before.
//! Where a group rises far above it the group's sums are taken again, relative to its own maximum;
//! that happens seldom, since the reference then rises too.

use super::Temperature;
use super::blocks::{Block, Blocks, TOKENS, VECTORS, sum_lanes, tree};
use super::element::Element;
use super::envelope::{Cells, GROUP, MAX_GROUPS};
use super::masses::{Masses, least_weighty};
use super::row::Row;
use crate::error::{Error, shape};
use crate::lanes::math::fast_weight;
use crate::lanes::{Kernel, Lanes};
use crate::logits::Logits;
use core::ops::Range;

/// Statistics of a row's law p = softmax(z/T), at a temperature of its own: of all tokens that the
/// constraints leave, before any filter unless [`Statistics::filtered`] says otherwise. Natural
/// logarithms, nats.
///
/// Relative errors are below 2e-6 (absolute, where a value is below 1). The same bits at every
/// level, on any number of threads, in any batch. All numbers of a bad row are NaN, its token −1.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// At temperature 0 of the draw no filter is on, and the law is that of all tokens. Costs a
    /// second sweep of the rows that are filtered, over a copy, and the filters once more; top-p by
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

/// The sweep of a row that also sums its weights: what [`Row::maxima`] writes and returns.
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
        let blocks = &mut Blocks::new(row.logits);
        blocks.leave_out(row.excluded);
        let blocks = &*blocks;
        let maxima = cells.maxima(row.vectors());
        if temperature.high == 0.0 {
            // All finite logits weigh 1, which the clamp of a weight would give −∞ as well.
            let &Row { logits, excluded, .. } = row;
            let (max, lower, above) = (0.0, f32::NEG_INFINITY, f32::INFINITY);
            let count = Masses { row: logits, excluded, max, temperature, lower, above };
            sums.0[0] = Sums { mass: s.call(count).0, ..Sums::default() };
            sums.0[1..row.groups()].fill(Sums::default());
            return row.maxima(s, maxima);
        }
        if row.size == 1 {
            let (max, nan) = row.maxima(s, maxima);
            let Range { start: begin, end } = row.blocks_of(0, blocks.count());
            let reference = temperature.reference(max);
            sums.0[0] = BlockSums { blocks, begin, end, reference, temperature }.run(s);
            return (max, nan);
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

/// A good row after its [`Sweep`], while its cells still hold their maxima: everything but what
/// depends on the drawn token.
pub(super) struct Summary {
    max: f32,
    argmax: usize,
    /// The largest logit but `argmax`'s; −∞ without one.
    second: f32,
    temperature: Temperature,
    /// Σ w, w = exp((z − max)/T).
    mass: f64,
    /// Σ w·(z − max)/T; 0 at infinite temperature.
    tilt: f64,
}

/// What the tokens of a row but one add up to.
struct Others {
    /// ln Σ w, w = exp((z − max)/T).
    log_mass: f64,
    /// Σ w·(z − max)/T; 0 at infinite temperature.
    tilt: f64,
}

impl Summary {
    #[inline(always)]
    pub(super) fn new<E: Element>(
        row: &Row<'_, E>,
        (max, argmax): (f32, usize),
        maxima: &mut [[u32; 16]],
        sums: &GroupSums,
        temperature: Temperature,
    ) -> Self {
        let second = row.largest_but(argmax, maxima);
        let (mut mass, mut moment) = (0.0, 0.0);
        for sums in &sums.0[..row.groups()] {
            let rise = f64::from(sums.reference) - f64::from(temperature.reference(max));
            let scale = if rise == 0.0 { 1.0 } else { libm::exp(rise * temperature.inverse) };
            mass += sums.mass * scale;
            moment += (sums.moment + rise * sums.mass) * scale;
        }
        Self { max, argmax, second, temperature, mass, tilt: moment * temperature.inverse }
    }

    /// (z − max)/T; −∞ for a token that is out, at infinite temperature too.
    fn below(&self, z: f32) -> f64 {
        match z {
            f32::NEG_INFINITY => f64::NEG_INFINITY,
            _ => (f64::from(z) - f64::from(self.max)) * self.temperature.inverse,
        }
    }

    /// All tokens but `token`, by sums that do not hold it.
    #[inline(always)]
    fn others<L: Lanes, E: Element>(
        &self,
        s: L,
        row: &Row<'_, E>,
        sums: &GroupSums,
        token: usize,
    ) -> Others {
        let &Self { max, second, temperature, .. } = self;
        if second == f32::NEG_INFINITY {
            return Others { log_mass: second.into(), tilt: 0.0 };
        }
        // Relative to the largest logit, much smaller ones would not be seen.
        let far = self.below(second) < -40.0;
        let reference = temperature.reference(if far { second } else { max });
        let blocks = &mut Blocks::new(row.logits);
        blocks.leave_out(row.excluded);
        blocks.leave_out(token);
        let blocks = &*blocks;
        let (mut mass, mut moment) = (0.0, 0.0);
        for (g, sums) in sums.0[..row.groups()].iter().enumerate() {
            let blocks_of_group = row.blocks_of(g, blocks.count());
            let sums = if far || blocks_of_group.contains(&(token / TOKENS)) {
                let Range { start: begin, end } = blocks_of_group;
                s.call(BlockSums { blocks, begin, end, reference, temperature })
            } else {
                *sums
            };
            let rise = f64::from(sums.reference) - f64::from(reference);
            let scale = libm::exp(rise * temperature.inverse);
            mass += sums.mass * scale;
            let below = f64::from(sums.reference) - f64::from(temperature.reference(max));
            moment += (sums.moment + below * sums.mass) * scale;
        }
        let base = self.below(reference);
        Others {
            log_mass: libm::log(mass) + base,
            tilt: moment * temperature.inverse * libm::exp(base),
        }
    }

    /// The statistics of the row for its drawn token.
    #[inline(always)]
    pub(super) fn describe<L: Lanes, E: Element>(
        &self,
        s: L,
        row: &Row<'_, E>,
        sums: &GroupSums,
        token: usize,
        given: Option<usize>,
    ) -> RowStatistics {
        let &Self { max, argmax, second, temperature, mass, tilt } = self;
        let below = |token: usize| self.below(row.logit(token));
        // A token that holds more than half of the mass hides the others in it.
        let (others, log_mass) = if mass < 2.0 {
            let others = self.others(s, row, sums, argmax);
            let log_mass = libm::log1p(libm::exp(others.log_mass));
            (others, log_mass)
        } else {
            (Others { log_mass: libm::log(mass - 1.0), tilt }, libm::log(mass))
        };
        let weight = libm::exp(below(token));
        let log_mass_but = if token == argmax {
            others.log_mass
        } else if 2.0 * weight <= mass {
            libm::log(mass - weight)
        } else {
            self.others(s, row, sums, token).log_mass
        };
        let alone = second == f32::NEG_INFINITY;
        let next = self.below(second);
        RowStatistics {
            log_sum_exp: log_mass + f64::from(max) * temperature.inverse,
            entropy: (log_mass - others.tilt / mass).max(0.0),
            probability: weight / mass,
            log_probability: below(token) - log_mass,
            log_others: log_mass_but - below(token),
            margin: -libm::expm1(next) / mass,
            argmax_log_others: others.log_mass,
            log_margin_gap: if alone {
                f64::NEG_INFINITY
            } else {
                others.log_mass + libm::log1p(libm::exp(next - others.log_mass)) - log_mass
            },
            given_log_probability: given.map_or(f64::NAN, |given| below(given) - log_mass),
            divergence: f64::NAN,
            // Of two zeros a maximum may be either.
            max: max + 0.0,
            argmax: argmax as i32,
        }
    }
}

/// The statistics of a good row for one of its tokens.
pub(super) struct Describe<'a> {
    pub(super) row: Row<'a, f32>,
    pub(super) temperature: Temperature,
    pub(super) cells: &'a mut Cells,
    pub(super) sums: &'a mut GroupSums,
    pub(super) token: usize,
    pub(super) given: Option<usize>,
}

impl Kernel for Describe<'_> {
    type Output = RowStatistics;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> RowStatistics {
        let Self { row, temperature, cells, sums, token, given } = self;
        let sweep = Sweep { row: &row, temperature, cells: &mut *cells, sums: &mut *sums };
        let (max, _) = s.call(sweep);
        let maxima = cells.maxima(row.vectors());
        let largest = (max, row.first_of_value(max, maxima));
        Summary::new(&row, largest, maxima, sums, temperature).describe(s, &row, sums, token, given)
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
