//! The law that the kernels' own arithmetic implies. For tests.

use super::element::Element;
use super::envelope::Scratch;
use super::filter::{Nucleus, least_logit};
use super::kernel::run_batch;
use super::row::Row;
use super::{Batch, DrawRule, stage};
use crate::constraints::Constraints;
use crate::lanes::math::weight;
use crate::lanes::{Kernel, Lanes, Level, run};
use crate::logits::{Guide, Logits, LogitsData};
use crate::policy::Draw;
use crate::rng::Key;

/// The weights exp((z − max)/T) of the tokens of the first row, as the draw computes them, 0 for
/// those that constraints and filters leave out: what a law is enumerated from in tests. `None` for
/// a bad row, for temperature 0 and for a `draw` or constraints that are refused.
///
/// # Panics
/// If `out` is not as long as the row.
#[doc(hidden)]
pub fn weights(
    level: Level,
    logits: &Logits<'_>,
    draw: &Draw,
    constraints: &Constraints<'_>,
    out: &mut [f32],
) -> Option<()> {
    assert_eq!(logits.vocab(), out.len(), "one weight a token");
    constraints.check(logits.rows(), logits.vocab()).ok()?;
    let rule = DrawRule::new(draw).ok().filter(|rule| !rule.temperature.greedy)?;
    let keys = [Key::default()];
    let batch = Batch {
        logits,
        constraints,
        keys: &keys,
        rows: &[],
        rules: &[rule],
        rule_of: &[],
        draws: 1,
        statistics: None,
    };
    let scratch = &mut Scratch::new(logits.vocab());
    run_batch!(level, batch, |data, guide, _other| Weights {
        data,
        guide,
        batch: &batch,
        scratch,
        out
    })
}

struct Weights<'a, E> {
    data: &'a [E],
    guide: &'a [E],
    batch: &'a Batch<'a>,
    scratch: &'a mut Scratch,
    out: &'a mut [f32],
}

impl<E: Element> Kernel for Weights<'_, E> {
    type Output = Option<()>;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> Option<()> {
        let Self { data, guide, batch, scratch, out } = self;
        let vocab = out.len();
        let Scratch { cells, staged, list, .. } = scratch;
        stage::write(s, batch, data, guide, 0, &mut staged[..vocab]);
        let excluded = batch.constraints.excluded.map_or(usize::MAX, |id| id as usize);
        let row = Row::new(&staged[..vocab], excluded);
        let maxima = cells.maxima(row.vectors());
        let (max, nan) = row.maxima(s, maxima);
        if nan || !max.is_finite() {
            return None;
        }
        let rule = batch.rule(0);
        for (x, out) in row.logits.chunks(16).zip(out.chunks_mut(16)) {
            let mut weights = [0.0; 16];
            let x = f32::load_some(s, x);
            s.store(weight(s, x, s.splat(max), rule.temperature), &mut weights);
            out.copy_from_slice(&weights[..out.len()]);
        }
        if let Some(out) = out.get_mut(row.excluded) {
            *out = 0.0;
        }
        if (rule.top_k as usize) < vocab {
            let count = list.filter(s, &row, maxima, max, rule);
            let mut kept = vec![false; vocab];
            (0..count).for_each(|place| kept[list.token(place)] = true);
            out.iter_mut().zip(kept).filter(|(_, kept)| !kept).for_each(|(out, _)| *out = 0.0);
            return Some(());
        }
        let mut least = least_logit(rule, max);
        if rule.top_p < 1.0 {
            least = least.max(s.call(Nucleus { row: &row, max, rule }));
        }
        for (out, &x) in out.iter_mut().zip(row.logits) {
            if x < least {
                *out = 0.0;
            }
        }
        Some(())
    }
}
