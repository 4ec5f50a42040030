//! Distances that have a closed form, at lengths for which no table of states would do.
//!
//! A sampler is given as in [`Weights::independent`](super::Weights::independent), by the
//! probability with which each step reveals a masked position. What is still masked at the end
//! counts as an error.

/// Calls `visit` with each number of positions that a step reveals out of `masks`, each with
/// probability `p`, and with the probability of that number.
fn for_each_group(masks: usize, p: f64, mut visit: impl FnMut(usize, f64)) {
    if p >= 1.0 {
        return visit(masks, 1.0);
    }
    let mut probability = (1.0 - p).powi(masks as i32);
    for size in 0..=masks {
        visit(size, probability);
        probability *= (masks - size) as f64 / (size + 1) as f64 * p / (1.0 - p);
    }
}

/// The expected product of `factor(size)` over all steps, size being the number of positions that
/// the step reveals; 0 counts for sequences that are not finished.
pub(crate) fn expected_product(len: usize, reveal: &[f64], factor: impl Fn(usize) -> f64) -> f64 {
    let factors: Vec<f64> = (0..=len).map(factor).collect();
    let mut by_masks = vec![0.0; len + 1];
    by_masks[len] = 1.0;
    for &p in reveal {
        // Upwards, so that what a step adds is not moved by the same step.
        for masks in 1..=len {
            let here = std::mem::take(&mut by_masks[masks]);
            for_each_group(masks, p, |size, probability| {
                by_masks[masks - size] += here * probability * factors[size];
            });
        }
    }
    by_masks[0]
}

/// The distance on PRIV: an output is right if every two positions revealed at once agree on the
/// bit that they share, and every right output is as likely as the others.
pub(crate) fn private_bits(len: usize, reveal: &[f64]) -> f64 {
    let agree = |size: usize| (-((size * size.saturating_sub(1)) as f64) / 2.0).exp2();
    1.0 - expected_product(len, reveal, agree)
}

/// The distance on REP if nothing is left: an output is right if the tokens of the first group
/// agree.
pub(crate) fn repeated(len: usize, vocab: usize, reveal: &[f64]) -> f64 {
    let (mut nothing_yet, mut wrong) = (1.0, 0.0);
    for &p in reveal {
        let mut none = 1.0;
        for_each_group(len, p, |size, probability| match size {
            0 => none = probability,
            _ => {
                let agree = (vocab as f64).powi(1 - size as i32);
                wrong += nothing_yet * probability * (1.0 - agree);
            }
        });
        nothing_yet *= if p >= 1.0 { 0.0 } else { none };
    }
    wrong
}

/// The probability that some step reveals two positions or more, if nothing is left.
pub(crate) fn collision(len: usize, reveal: &[f64]) -> f64 {
    1.0 - expected_product(len, reveal, |size| f64::from(u8::from(size <= 1)))
}

/// For each step, the probability that it reveals a given position.
pub(crate) fn shares(reveal: &[f64]) -> Vec<f64> {
    let mut masked = 1.0;
    let share = |&p: &f64| {
        let share = masked * p;
        masked *= 1.0 - p;
        share
    };
    reveal.iter().map(share).collect()
}

/// 1/Σπ², π being the [`shares`]: the number of steps, even in α, with which two positions are as
/// likely to be revealed at once. It is the number of steps of a linear schedule, and less than
/// that of any other.
pub(crate) fn effective_steps(reveal: &[f64]) -> f64 {
    1.0 / shares(reveal).into_iter().map(|share| share * share).sum::<f64>()
}

/// What the distance on PRIV tends to, as steps get narrow: one pair at most is revealed at once,
/// and it disagrees with probability ½. With N steps even in α it is d(d − 1)/(4N).
pub(crate) fn private_bits_limit(len: usize, reveal: &[f64]) -> f64 {
    pairs(len) / 2.0 / effective_steps(reveal)
}

/// What the distance on REP tends to, as steps get narrow: the first group is a pair, which
/// disagrees with probability 1 − 1/S. With N steps even in α, and S = 2, it is d/(4N).
pub(crate) fn repeated_limit(len: usize, vocab: usize, reveal: &[f64]) -> f64 {
    let mut masked = 1.0;
    let first = |share: f64| {
        // The other positions come later; half the step's own width makes it second order.
        let later = masked - 0.5 * share;
        masked -= share;
        share * share * later.powi(len as i32 - 2)
    };
    let sum: f64 = shares(reveal).into_iter().map(first).sum();
    pairs(len) * (1.0 - 1.0 / vocab as f64) * sum
}

fn pairs(len: usize) -> f64 {
    (len * (len - 1)) as f64 / 2.0
}
