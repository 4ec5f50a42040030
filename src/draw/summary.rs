//! A row in few numbers, and the statistics that they make.

use super::Temperature;
use super::blocks::{Blocks, TOKENS};
use super::element::Element;
use super::envelope::Cells;
use super::row::Row;
use super::row_sums::{BlockSums, GroupSums, Sweep};
use super::short_sums::{self, Others};
use super::statistics::RowStatistics;
use crate::lanes::math::{exp_f64, ln_1p_f64, ln_f64};
use crate::lanes::{Kernel, Lanes};
use core::ops::Range;

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
        for sums in sums.of(row.groups()) {
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
    for (g, sums) in sums.of(row.groups()).iter().enumerate() {
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
