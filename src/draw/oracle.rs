//! What is right, slowly and obviously, in f64. For tests and benchmarks.

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
