//! The categorical draw: one sweep for maxima, then rejection under the maxima.
//!
//! The plain loop would be
//!
//! ```text
//! max = largest logit;  weight[i] = exp((z[i] - max)/T);  sum = Σ weight
//! u = uniform(0, sum);  token = first i whose running sum of weights exceeds u
//! ```
//!
//! It costs an exponential a token, and reads the row twice. Here instead:
//!
//! 1. **Sweep.** The row is cut into groups of 8·C vectors of 16 tokens. Vector k of a group goes
//!    into the k-mod-8th of eight running maxima, so each of their lanes ends as the maximum of a
//!    *cell* of C tokens, with no reduction across lanes or accumulators. C is a function of the
//!    vocabulary alone.
//! 2. **Envelope.** Every token of a cell weighs at most u, a cheap upper bound of
//!    weight(maximum of the cell).
//! 3. **Propose and accept.** A cell is chosen with probability u/Σu, a token in it uniformly, and
//!    accepted with probability weight(token)/u; otherwise all of this is done again. An accepted
//!    token has the softmax law exactly, whatever C and however loose the bound; the expected
//!    number of proposals is C·Σu/Σweight, at most 1.1·C for any row.
//!
//! With C = 1 the cells are the tokens and next to nothing is rejected: an inverse CDF.
//!
//! The other method, the exponential race, needs none of this: see [`race`](super::race).

use super::divergence::Compare;
use super::element::Element;
use super::envelope::{Cells, Envelope, Scratch};
use super::filter::{Filtered, InNucleus, List, Nucleus, Top, TopToken, least_logit};
use super::mixture::Mix;
use super::proposals::{Accepted, Target};
use super::race::{DrawRaces, Kept};
use super::row::Row;
use super::row_sums::{GroupSums, Sweep};
use super::statistics::StatisticsRule;
use super::summary::{Describe, Summary};
use super::{Batch, DrawRule, Drawn, Outputs};
use super::{short, stage};
use crate::lanes::{Kernel, Lanes, Level, run};
use crate::logits::{Guide, Logits, LogitsData};
use crate::rng::{Key, Purpose};
use core::ops::Range;

/// The elements that a batch reads.
#[derive(Clone, Copy)]
pub(super) struct Elements<'a, E> {
    /// The logits.
    pub(super) data: &'a [E],
    /// Their guide.
    pub(super) guide: &'a [E],
    /// The rows that they are compared with, and the guide of these.
    pub(super) compared: &'a [E],
    pub(super) compared_guide: &'a [E],
    /// The rows of an earlier call, and the guide of these.
    pub(super) earlier: &'a [E],
    pub(super) earlier_guide: &'a [E],
}

/// Runs a kernel on the elements of a batch, whatever their type.
macro_rules! run_batch {
    ($level:expr, $batch:expr, |$elements:ident| $kernel:expr) => {{
        // These have the type of the logits; without them there is nothing that could be read.
        let compared = $batch.against;
        let earlier = $batch.logits.earlier();
        let others = [
            $batch.logits.guide().map(Guide::data),
            compared.map(Logits::data),
            compared.and_then(Logits::guide).map(Guide::data),
            earlier.as_ref().map(Logits::data),
            earlier.as_ref().and_then(Logits::guide).map(Guide::data),
        ];
        macro_rules! run_on {
            ($variant:ident, $data:expr) => {{
                let [guide, compared, compared_guide, earlier, earlier_guide] =
                    others.map(|rows| match rows {
                        Some(LogitsData::$variant(rows)) => rows,
                        _ => &[],
                    });
                let $elements = Elements {
                    data: $data,
                    guide,
                    compared,
                    compared_guide,
                    earlier,
                    earlier_guide,
                };
                run($level, $kernel)
            }};
        }
        match $batch.logits.data() {
            LogitsData::F32(data) => run_on!(F32, data),
            LogitsData::F16(data) => run_on!(F16, data),
            LogitsData::Bf16(data) => run_on!(Bf16, data),
        }
    }};
}
pub(super) use run_batch;

/// Draws the tokens of the jobs in `jobs` of a batch.
pub(crate) fn draw_rows(
    level: Level,
    batch: &Batch<'_>,
    jobs: Range<usize>,
    out: Outputs<'_>,
    scratch: &mut Scratch,
) {
    run_batch!(level, batch, |elements| DrawRows { elements, batch, jobs, out, scratch });
}

struct DrawRows<'a, E> {
    elements: Elements<'a, E>,
    batch: &'a Batch<'a>,
    jobs: Range<usize>,
    out: Outputs<'a>,
    scratch: &'a mut Scratch,
}

impl<E: Element> Kernel for DrawRows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { elements, batch, jobs, out, scratch } = self;
        let Elements { data, guide, compared: others, compared_guide, .. } = elements;
        let vocab = batch.logits.vocab();
        let excluded = batch.constraints.excluded.map_or(usize::MAX, |id| id as usize);
        let staged = stage::needed(batch);
        let Scratch { cells, staged: copy, compared, list, sums } = scratch;
        let logits = |k: usize| {
            let start = batch.logits.start(batch.row(k));
            &data[start..start + vocab]
        };
        let plain = batch.draws == 1 && !staged && batch.mixtures.is_empty();
        let plain = plain && batch.against.is_none() && out.top.is_empty();
        let many = jobs.len() >= short::FEW;
        if plain && many && Row::new(&data[..vocab], excluded).size == 1 {
            let left = &mut compared[..vocab];
            let rows =
                short::DrawRows { batch, data, excluded, jobs, out, cells, list, sums, left };
            return s.call(rows);
        }
        let Outputs { drawn, mut statistics, top } = out;
        let width = top.len() / jobs.len();
        for ((i, k), drawn) in jobs.enumerate().zip(drawn.chunks_mut(batch.draws)) {
            let (key, rule) = (&batch.keys[k], batch.rule(k));
            let mixture = batch.mixture(k);
            if !mixture.is_latest() {
                let mix = Mix { elements, batch, job: k, mixture, cells, copy, compared };
                let Some(_mass) = s.call(mix) else {
                    drawn.fill(Drawn::BAD);
                    continue;
                };
                let row = Row::new(&copy[..vocab], excluded);
                let (other, wanted) = (None, None);
                s.call(DrawRow { row, other, rule, key, cells, list, wanted, drawn });
                continue;
            }
            let mut described = Summary::BAD;
            let rule_of_statistics = batch.statistics(k);
            // What is filtered is not compared.
            let (left, compared): (&mut [f32], &mut [f32]) = match rule_of_statistics {
                Some(rule) if rule.filtered => (&mut compared[..vocab], &mut []),
                _ => (&mut [], &mut *compared),
            };
            let wanted = rule_of_statistics.map(|rule| Wanted {
                rule,
                given: batch.given(k),
                out: statistics.is_some().then_some(&mut described),
                top: &mut top[i * width..(i + 1) * width],
                sums: &mut *sums,
                left,
            });
            // What the row is compared with, as it stands in memory.
            let compares = rule_of_statistics.is_some_and(|rule| rule.compares);
            let other = batch.against.filter(|_| compares).map(|against| {
                let start = against.start(batch.row(k));
                (against, &others[start..start + vocab])
            });
            if staged {
                let copy = &mut copy[..vocab];
                stage::write(s, batch, data, guide, batch.row(k), copy);
                let other = other.map(|(against, _)| {
                    let compared = &mut compared[..vocab];
                    let batch = Batch { logits: against, ..*batch };
                    stage::write(s, &batch, others, compared_guide, batch.row(k), compared);
                    &*compared
                });
                let row = Row::new(&*copy, excluded);
                s.call(DrawRow { row, other, rule, key, cells, list, wanted, drawn });
            } else {
                let (row, other) = (Row::new(logits(k), excluded), other.map(|(_, row)| row));
                s.call(DrawRow { row, other, rule, key, cells, list, wanted, drawn });
            }
            if rule_of_statistics.is_some() {
                statistics.put(i, k, drawn[0], &described);
            }
        }
    }
}

/// What is wanted of a row beside its tokens, and where it goes.
pub(super) struct Wanted<'a> {
    pub(super) rule: &'a StatisticsRule,
    pub(super) given: Option<usize>,
    pub(super) out: Option<&'a mut Summary>,
    pub(super) top: &'a mut [TopToken],
    pub(super) sums: &'a mut GroupSums,
    /// Room for what the filters leave of the row, if that is what is described.
    pub(super) left: &'a mut [f32],
}

/// Draws as many tokens of a row as `drawn` holds, and describes it if that is wanted.
pub(super) struct DrawRow<'a, E> {
    pub(super) row: Row<'a, E>,
    /// The row that it is compared with.
    pub(super) other: Option<&'a [E]>,
    pub(super) rule: &'a DrawRule,
    pub(super) key: &'a Key,
    pub(super) cells: &'a mut Cells,
    pub(super) list: &'a mut List,
    pub(super) wanted: Option<Wanted<'a>>,
    pub(super) drawn: &'a mut [Drawn],
}

impl<E: Element> Kernel for DrawRow<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { row, other, rule, key, cells, list, mut wanted, drawn } = self;
        let vocab = row.logits.len();
        if wanted.is_none() && rule.is_race() && rule.is_unfiltered(vocab) {
            let (row, kept, max) = (&row, Kept::ALL, f32::INFINITY);
            return s.call(DrawRaces { row, rule, top_p: 1.0, max, kept, key, out: drawn });
        }
        // Whether it is not this row that is described, but what is left of it.
        let filtered = |rule_of: &StatisticsRule| rule_of.filtered && rule.is_filtered(vocab);
        let (max, nan) = match &mut wanted {
            Some(Wanted { rule, sums, .. }) if !filtered(rule) => {
                let (row, temperature, cells) = (&row, rule.temperature, &mut *cells);
                s.call(Sweep { row, temperature, cells, sums })
            }
            _ => row.maxima(s, cells.maxima(row.vectors())),
        };
        let Some(Wanted { rule: rule_of_statistics, given, out, top, sums, left }) = wanted else {
            return s.call(Choose { row: &row, max, nan, rule, key, cells, list, drawn });
        };
        let (temperature, filtered) =
            (rule_of_statistics.temperature, filtered(rule_of_statistics));
        let bad = nan || !max.is_finite();
        let maxima = cells.maxima(row.vectors());
        if bad {
            top.fill(TopToken::NONE);
        } else if !top.is_empty() {
            s.call(Top { row: &row, maxima, max, list: &mut *list, out: top });
        }
        let summed = !bad && !filtered && out.is_some();
        let argmax = summed.then(|| row.first_of_value(max, maxima));
        let maxima = cells.maxima(row.vectors());
        let summary =
            argmax.map(|argmax| Summary::new(s, &row, (max, argmax), maxima, sums, temperature));
        match argmax {
            Some(argmax) if rule.temperature.greedy => drawn.fill(Drawn::token(argmax)),
            _ => {
                let (row, cells, drawn) = (&row, &mut *cells, &mut *drawn);
                let list = &mut *list;
                s.call(Choose { row, max, nan, rule, key, cells, list, drawn });
            }
        }
        let Some(out) = out else { return };
        *out = Summary::BAD;
        if filtered && !bad {
            let token = drawn[0].token as usize;
            if (rule.top_k as usize) >= vocab {
                s.call(Filtered { row: &row, max, rule, out: &mut *left });
                let row = Row::new(&*left, row.excluded);
                *out = s.call(Describe { row, temperature, cells, sums, token, given });
                return;
            }
            // What it was drawn from is listed, and is all of the law.
            let row = Row::new(list.values(), usize::MAX);
            let (token, given) = (list.place(token).unwrap_or(0), given.map(|id| list.place(id)));
            let place = given.flatten();
            let summary = s.call(Describe { row, temperature, cells, sums, token, given: place });
            let dropped = given.is_some() && place.is_none();
            *out = summary.of_whole_row(|place| list.token(place), dropped);
            return;
        }
        if let Some(summary) = summary {
            *out = summary.with_tokens(&row, drawn[0].token as usize, given, temperature);
            if let Some(other) = other {
                let divergence = s.call(Compare { row: &row, max, other, temperature, cells });
                *out = out.with_divergence(divergence);
            }
        }
    }
}

/// Draws from a row whose cells have their maxima.
struct Choose<'a, E> {
    row: &'a Row<'a, E>,
    max: f32,
    nan: bool,
    rule: &'a DrawRule,
    key: &'a Key,
    cells: &'a mut Cells,
    list: &'a mut List,
    drawn: &'a mut [Drawn],
}

impl<E: Element> Kernel for Choose<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { row, max, nan, rule, key, cells, list, drawn: out } = self;
        let maxima = cells.maxima(row.vectors());
        if nan || !max.is_finite() {
            return out.fill(Drawn::BAD);
        }
        if rule.temperature.greedy {
            return out.fill(Drawn::token(row.first_of_value(max, maxima)));
        }
        if (rule.top_k as usize) < row.logits.len() {
            list.filter(s, row, maxima, max, rule);
            if rule.is_race() {
                let kept = list.kept();
                return s.call(DrawRaces { row, rule, top_p: 1.0, max, kept, key, out });
            }
            let row = &Row::new(list.values(), usize::MAX);
            row.maxima(s, cells.maxima(row.vectors()));
            let (rule, least) = (&DrawRule { top_p: 1.0, ..*rule }, f32::NEG_INFINITY);
            s.call(DrawPlain { row, rule, max, least, key, cells, out: &mut *out });
            for drawn in out {
                *drawn = Drawn::token(list.token(drawn.token as usize));
            }
            return;
        }
        let least = least_logit(rule, max);
        if rule.is_race() {
            let kept = Kept::ALL.at_least(least);
            return s.call(DrawRaces { row, rule, top_p: rule.top_p, max, kept, key, out });
        }
        s.call(DrawPlain { row, rule, max, least, key, cells, out });
    }
}

/// Draws from a row whose cells have their maxima, among the logits of at least `least`.
struct DrawPlain<'a, E> {
    row: &'a Row<'a, E>,
    rule: &'a DrawRule,
    max: f32,
    least: f32,
    key: &'a Key,
    cells: &'a mut Cells,
    out: &'a mut [Drawn],
}

impl<E: Element> Kernel for DrawPlain<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { row, rule, max, mut least, key, cells, out } = self;
        let temperature = rule.temperature;
        let (mut top_p, mut reach) = (rule.top_p, least);
        if top_p < 1.0 && rule.filter_temperature != temperature {
            // A nucleus at another temperature can be too small to be hit by chance.
            least = least.max(s.call(Nucleus { row, max, rule }));
            (top_p, reach) = (1.0, least);
        } else if top_p < 1.0 && out.len() >= 32 {
            // A threshold takes some thirty passes over the row, which many draws share. It leaves
            // their proposals as they are, and so their tokens.
            least = least.max(s.call(Nucleus { row, max, rule }));
            top_p = 1.0;
        }
        let reference = temperature.reference(max);
        let envelope = Envelope::new(s, cells, row.vectors(), reference, reach, temperature);
        let target = Target { envelope, reference, least, temperature };
        for (j, out) in out.iter_mut().enumerate() {
            let mut rng = key.draw_generator(Purpose::Token, j as u32);
            let mut proposals = Accepted::NONE;
            let mut first = true;
            // The largest logit that is known to lie outside the nucleus.
            let mut outside = f32::NEG_INFINITY;
            *out = loop {
                let Some(token) = proposals.next() else {
                    // As many as are likely to be needed: with cells of one token nearly all are
                    // accepted, with small ones every few.
                    match row.size {
                        1 => row.propose::<L, 1, 1>(s, &target, &mut rng, &mut proposals),
                        2..16 if first => {
                            row.propose::<L, 4, 4>(s, &target, &mut rng, &mut proposals)
                        }
                        _ => row.propose::<L, 16, 4>(s, &target, &mut rng, &mut proposals),
                    }
                    first = false;
                    continue;
                };
                if top_p == 1.0 {
                    break Drawn::token(token);
                }
                let x = row.logits[token].to_f32();
                if x > outside {
                    if x == max || s.call(InNucleus { row, x, max, rule }) {
                        break Drawn::token(token);
                    }
                    outside = x;
                }
            };
        }
    }
}
