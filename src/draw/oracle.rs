//! What is right, slowly and obviously, in f64. For tests and benchmarks.

use crate::policy::{Draw, FilterOrder};

/// The categorical law softmax(z/T) of a row, without the token `excluded`; `None` for a row that
/// holds NaN or +∞, or has no finite logit left.
///
/// At temperature 0 all the probability is on the largest logit, ties to the lowest id; at +∞ the
/// finite logits share it evenly.
#[must_use]
pub fn probabilities(row: &[f32], temperature: f64, excluded: Option<u32>) -> Option<Vec<f64>> {
    if row.iter().any(|x| x.is_nan()) {
        return None;
    }
    let mut logits: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
    if let Some(logit) = excluded.and_then(|id| logits.get_mut(id as usize)) {
        *logit = f64::NEG_INFINITY;
    }
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !max.is_finite() {
        return None;
    }
    let weight = |&logit: &f64| {
        if logit == f64::NEG_INFINITY { 0.0 } else { ((logit - max) / temperature).exp() }
    };
    let mut law: Vec<f64> = if temperature == 0.0 {
        let first = logits.iter().position(|&logit| logit == max)?;
        (0..logits.len()).map(|i| f64::from(u8::from(i == first))).collect()
    } else {
        logits.iter().map(weight).collect()
    };
    let sum: f64 = law.iter().sum();
    law.iter_mut().for_each(|p| *p /= sum);
    Some(law)
}

/// The law that a row is drawn from with the temperature and the filters of `draw`, by a sort;
/// `None` as for [`probabilities`].
#[must_use]
pub fn filtered(row: &[f32], draw: &Draw, excluded: Option<u32>) -> Option<Vec<f64>> {
    let temperature = f64::from(draw.temperature);
    let mut law = probabilities(row, temperature, excluded)?;
    if temperature == 0.0 {
        return Some(law);
    }
    let at = match draw.filter_order {
        FilterOrder::AfterTemperature => temperature,
        FilterOrder::BeforeTemperature => 1.0,
    };
    let before = probabilities(row, at, excluded)?;
    let mut order: Vec<usize> = (0..row.len()).filter(|&i| before[i] > 0.0).collect();
    order.sort_by(|&i, &j| (row[j] + 0.0).total_cmp(&(row[i] + 0.0)).then(i.cmp(&j)));
    if draw.top_k > 0 {
        order.truncate(draw.top_k as usize);
    }
    let total: f64 = order.iter().map(|&i| before[i]).sum();
    let kept = |i: &&usize| {
        let larger = order.iter().filter(|&&j| row[j] > row[**i]).map(|&j| before[j]);
        let above: f64 = larger.sum();
        let depth = f64::from(draw.min_p).ln() * at;
        let below = f64::from(row[**i]) - f64::from(row[order[0]]);
        (above < f64::from(draw.top_p) * total || draw.top_p == 1.0)
            && (below >= depth || depth.is_nan())
    };
    let kept: Vec<usize> = order.iter().filter(kept).copied().collect();
    let sum: f64 = kept.iter().map(|&i| law[i]).sum();
    for (i, p) in law.iter_mut().enumerate() {
        *p = if kept.contains(&i) { *p / sum } else { 0.0 };
    }
    Some(law)
}

/// The first token whose running sum of probabilities exceeds `u` (0 ≤ u < 1): the plain draw.
#[must_use]
pub fn inverse_cdf(law: &[f64], u: f64) -> Option<usize> {
    let mut sum = 0.0;
    let last = law.iter().rposition(|&p| p > 0.0);
    law.iter()
        .position(|&p| {
            sum += p;
            p > 0.0 && sum > u
        })
        .or(last)
}
