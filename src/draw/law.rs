//! The law that the kernels' own arithmetic implies, by counting random words. For tests.

use super::element::Element;
use super::envelope::{Cells, Envelope, Scratch};
use super::filter::{InNucleus, List, Nucleus, least_logit};
use super::kernel::{Elements, run_batch};
use super::proposals::{OFFSET_BITS, Target, bar};
use super::row::Row;
use super::short::{Group, Order, ROWS};
use super::{Batch, DrawRule, stage};
use crate::constraints::Constraints;
use crate::lanes::math::{BOUND_UNIT, weight};
use crate::lanes::{Kernel, Lanes, Level, run};
use crate::logits::{Guide, Logits, LogitsData};
use crate::policy::Draw;
use crate::rng::Key;

/// The law of a row, as its random words imply it.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq)]
pub struct Law {
    /// Of each token.
    pub probabilities: Vec<f64>,
    /// The probability that a proposal is accepted.
    pub acceptance: f64,
}

/// The law of the first row: not what it should be, but what follows from the kernels' roundings if
/// random words are uniform and independent, to a relative 1e-14. `None` for a bad row, for
/// temperature 0 and for a `draw` or constraints that are refused.
///
/// A word of 64 bits falls on a cell; for each cell those words are counted. A second one has bits
/// of its own for the place in the cell, of which all are equally likely, and for the bar that the
/// weight has to exceed; those below it are counted. What is rejected is proposed anew, so the
/// products of the three, divided by their sum, are the law.
#[doc(hidden)]
#[must_use]
pub fn law(
    level: Level,
    logits: &Logits<'_>,
    draw: &Draw,
    constraints: &Constraints<'_>,
) -> Option<Law> {
    constraints.check(logits.rows(), logits.vocab()).ok()?;
    let rule = DrawRule::new(draw).ok().filter(|rule| !rule.temperature.greedy)?;
    let keys = [Key::default()];
    let batch = Batch { rules: &[rule], ..Batch::new(logits, constraints, &keys) };
    let scratch = &mut Scratch::new(logits.vocab());
    let mut shares =
        run_batch!(level, batch, |elements| Count { elements, batch: &batch, scratch })?;
    let acceptance: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= acceptance);
    Some(Law { probabilities: shares, acceptance })
}

/// Of each token, the probability that it is proposed and accepted.
struct Count<'a, E> {
    elements: Elements<'a, E>,
    batch: &'a Batch<'a>,
    scratch: &'a mut Scratch,
}

impl<E: Element> Kernel for Count<'_, E> {
    type Output = Option<Vec<f64>>;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> Option<Vec<f64>> {
        let Self { elements, batch, scratch } = self;
        let Elements { data, guide, .. } = elements;
        let vocab = batch.logits.vocab();
        let Scratch { cells, staged, list, .. } = scratch;
        let excluded = batch.constraints.excluded.map_or(usize::MAX, |id| id as usize);
        if stage::needed(batch) {
            let staged = &mut staged[..vocab];
            stage::write(s, batch, data, guide, 0, staged);
            return s.call(CountRow { row: Row::new(&*staged, excluded), batch, cells, list });
        }
        let row = &data[batch.logits.start(0)..][..vocab];
        s.call(CountRow { row: Row::new(row, excluded), batch, cells, list })
    }
}

struct CountRow<'a, E> {
    row: Row<'a, E>,
    batch: &'a Batch<'a>,
    cells: &'a mut Cells,
    list: &'a mut List,
}

impl<E: Element> Kernel for CountRow<'_, E> {
    type Output = Option<Vec<f64>>;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> Option<Vec<f64>> {
        let Self { row, batch, cells, list } = self;
        let (rule, row) = (batch.rule(0), &row);
        let maxima = cells.maxima(row.vectors());
        let (max, nan) = row.maxima(s, maxima);
        if nan || !max.is_finite() {
            return None;
        }
        if (rule.top_k as usize) < row.logits.len() {
            list.filter(s, row, maxima, max, rule);
            let left = &Row::new(list.values(), usize::MAX);
            left.maxima(s, cells.maxima(left.vectors()));
            let (least, mut shares) = (f32::NEG_INFINITY, vec![0.0; row.logits.len()]);
            let of_left = s.call(Shares { row: left, rule, max, least, reach: least, cells });
            for (place, share) in of_left.into_iter().enumerate() {
                shares[list.token(place)] = share;
            }
            return Some(shares);
        }
        let (mut least, mut reach) = (least_logit(rule, max), least_logit(rule, max));
        if rule.top_p < 1.0 {
            least = least.max(s.call(Nucleus { row, max, rule }));
            if rule.filter_temperature != rule.temperature {
                reach = least;
            }
            // Few draws have no threshold: each token is then judged on its own.
            let logits = || row.logits.iter().map(|x| x.to_f32()).filter(|&x| x <= max);
            let kept = logits().filter(|&x| x >= least).fold(max, f32::min);
            let next = logits().filter(|&x| x < least).fold(f32::NEG_INFINITY, f32::max);
            assert!(kept == max || s.call(InNucleus { row, x: kept, max, rule }));
            assert!(
                next < least_logit(rule, max) || !s.call(InNucleus { row, x: next, max, rule })
            );
        }
        let plain = rule.is_plain(row.logits.len()) && !stage::needed(batch);
        let shares = s.call(Shares { row, rule, max, least, reach, cells: &mut *cells });
        if plain && row.size == 1 {
            // Batches of single draws go another way, which must be no other law.
            check_side_by_side(s, row, rule, max, cells, &shares);
        }
        Some(shares)
    }
}

/// The same for a row whose cells have their maxima.
struct Shares<'a, E> {
    row: &'a Row<'a, E>,
    rule: &'a DrawRule,
    max: f32,
    least: f32,
    reach: f32,
    cells: &'a mut Cells,
}

impl<E: Element> Kernel for Shares<'_, E> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> Vec<f64> {
        let Self { row, rule, max, least, reach, cells } = self;
        let (vectors, temperature) = (row.vectors(), rule.temperature);
        let reference = temperature.reference(max);
        let envelope = Envelope::new(s, cells, vectors, reference, reach, temperature);
        let target = Target { envelope, reference, least, temperature };
        let mut weights = vec![0.0; row.logits.len()];
        for (begin, weights) in (0..).step_by(16).zip(weights.chunks_mut(16)) {
            let logits = core::array::from_fn(|i| row.proposed(begin + i, least));
            let mut sixteen = [0.0; 16];
            let reference = s.splat(reference);
            s.store(weight(s, s.load(&logits), reference, temperature), &mut sixteen);
            weights.copy_from_slice(&sixteen[..weights.len()]);
        }
        shares(s, row, &target, &weights)
    }
}

/// All random words.
const WORDS: f64 = (1u128 << 64) as f64;

/// How many words fall on a cell, between two units of the total.
fn words_between(begin: u64, end: u64, total: u64) -> (u128, u128) {
    // A word falls on unit ⌊word·total/2^64⌋.
    let first = |unit: u64| (u128::from(unit) << 64).div_ceil(total.into());
    (first(begin), first(end))
}

#[inline(always)]
fn shares<L: Lanes, E: Element>(
    s: L,
    row: &Row<'_, E>,
    target: &Target<'_>,
    weights: &[f32],
) -> Vec<f64> {
    let (vectors, envelope) = (row.vectors(), &target.envelope);
    let mut shares = vec![0.0; weights.len()];
    let (mut begin, mut word) = (0, 0);
    for (lane, vector) in (0..16 * vectors).map(|cell| (cell / vectors, cell % vectors)) {
        let bound = envelope.bound(vector, lane);
        let end = begin + u64::from(bound);
        if bound > 0 {
            let (first, past) = words_between(begin, end, envelope.total());
            // The words between these two fall on the same cell, since a search is monotonic.
            let found = envelope.pick(s, [first as u64, (past - 1) as u64]);
            assert_eq!(found, ([vector; 2], [lane; 2], [bound; 2]), "cell {vector}, {lane}");
            assert_eq!(first, word, "every word falls on one cell");
            let share = (past - first) as f64 / WORDS / row.size as f64;
            for offset in 0..row.size {
                let token = row.token(vector, lane, offset);
                if token < weights.len() {
                    shares[token] = share * accepted(weights[token], bound);
                }
            }
            word = past;
        }
        begin = end;
    }
    assert_eq!((begin, word), (envelope.total(), 1 << 64), "every word falls on a cell");
    shares
}

/// Compares the shares with those that the rows of a batch imply, all of which are this row.
#[inline(always)]
fn check_side_by_side<L: Lanes, E: Element>(
    s: L,
    row: &Row<'_, E>,
    rule: &DrawRule,
    max: f32,
    cells: &mut Cells,
    shares: &[f64],
) {
    let (height, order) = (row.vectors(), &Order::new(row.logits.len()));
    let lines = cells.maxima(row.logits.len());
    let mut group = Group::new(s, order, row.excluded);
    (group.rows, group.temperature) = ([row.logits; ROWS], rule.temperature);
    group.turn(s, lines);
    let mut references = [0.0; ROWS];
    s.store(group.references, &mut references);
    assert_eq!((references, group.bad), ([rule.temperature.reference(max); ROWS], 0));
    group.sum(s, lines);
    let total = group.totals[0];
    assert_eq!(group.totals, [total; ROWS]);
    let mut begin = 0;
    for (lane, vector) in (0..16 * height).map(|cell| (cell / height, cell % height)) {
        let token = 16 * vector + lane;
        let end = if token < shares.len() { lines[token][0] } else { begin + 1 };
        let (first, past) = words_between(begin.into(), end.into(), total.into());
        let words = [first as u64, (past - 1) as u64];
        group.choices = core::array::from_fn(|i| words[i % 2]);
        group.find(s, lines);
        group.weigh(s);
        for i in 0..ROWS {
            let (tokens, bounds) = (group.tokens[i], group.bounds[i]);
            let proposal = (tokens, bounds, group.weights[i], group.hit[i] == 1);
            assert_eq!(proposal, group.propose(s, i, lines, words[i % 2]));
            let (found, bound, weight, hit) = proposal;
            assert_eq!(hit, token < shares.len(), "the end of the row is no token");
            if hit {
                assert_eq!((found as usize, bound), (token, end - begin));
                let share = (past - first) as f64 / WORDS * accepted(weight, bound);
                assert_eq!(share, shares[token]);
            }
        }
        begin = end;
    }
    assert_eq!(begin, total);
}

/// The probability that a weight exceeds its bar.
fn accepted(weight: f32, bound: u32) -> f64 {
    const BITS: u32 = u64::BITS - OFFSET_BITS;
    const ALL: f64 = (1u64 << BITS) as f64;
    // The bits that a bar is made of, and those that continue them, as one number: bars ascend.
    let accepts = |bits: u128| {
        let (high, low) = ((bits >> BITS) as u64, bits as u64);
        bar(high << OFFSET_BITS, bound, || low << OFFSET_BITS) < f64::from(weight)
    };
    if weight == 0.0 {
        assert!(!accepts(0), "a token of weight 0");
        return 0.0;
    }
    let about = f64::from(weight) / (f64::from(bound) * BOUND_UNIT);
    let mut count = ((about * ALL) as u64).min(1 << BITS);
    if count > 1 << 30 {
        // Not continued: counted one by one.
        while !accepts(u128::from(count - 1) << BITS) {
            count -= 1;
        }
        while count < 1 << BITS && accepts(u128::from(count) << BITS) {
            count += 1;
        }
        return count as f64 / ALL;
    }
    // Nearer than the roundings of doubles.
    let (mut low, mut high) = (0, 1 << (31 + BITS));
    let guess = (about * ALL * ALL) as u128;
    let (below, above) = (guess - (guess >> 48), guess + (guess >> 48) + 1);
    if accepts(below) && !accepts(above) {
        (low, high) = (below, above);
    }
    while high - low > 1 + (low >> 50) {
        let middle = low + (high - low) / 2;
        if accepts(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high as f64 / ALL / ALL
}

#[cfg(test)]
mod tests {
    use super::accepted;
    use crate::draw::proposals::{OFFSET_BITS, bar};
    use crate::lanes::math::BOUND_UNIT;

    /// A peer maps the largest word to 1 and the smallest to 0, whose logarithm is infinite.
    #[test]
    fn no_bar_is_zero_or_above_its_bound() {
        for bound in [1, 2, 3, 1 << 22, 4_452_779, u32::MAX] {
            let most = f64::from(bound) * BOUND_UNIT;
            let edges = [0, 1, 1 << 40, 1 << 63, u64::MAX];
            for (word, more) in edges.into_iter().flat_map(|x| edges.map(|y| (x, y))) {
                let bar = bar(word, bound, || more);
                assert!(bar > 0.0 && bar <= most, "{bar:e} of {most:e}");
            }
            let (ones, zeros) = (u64::MAX, 0);
            assert_eq!(bar(ones, bound, || panic!("53 bits are enough")), most);
            assert!(bar(zeros, bound, || zeros) < most * 0.5f64.powi(100));
        }
    }

    #[test]
    fn acceptance_is_weight_by_bound() {
        // Bars have 106 bits, 30 of them below these.
        for halvings in 0..76 {
            for bound in [1 << 22, 4_444_444, 7] {
                let weight = (f64::from(bound) * BOUND_UNIT * 0.9) as f32 * 0.5f32.powi(halvings);
                let exact = f64::from(weight) / (f64::from(bound) * BOUND_UNIT);
                let error = accepted(weight, bound) / exact - 1.0;
                assert!(error.abs() < 2e-9, "{error:e} after {halvings} halvings");
            }
        }
        assert_eq!(accepted(0.0, 1), 0.0);
        assert_eq!(u64::BITS - OFFSET_BITS, 53, "the bits of a double");
    }
}
