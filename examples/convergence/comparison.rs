//! A histogram beside a law.

use crate::check::{Checks, FALSE_POSITIVES};
use crate::exact_law::{expected_noise, frequencies, g_test, total_variation};

/// How far a histogram is from a law.
pub(crate) struct Comparison {
    pub(crate) tv: f64,
    /// What chance alone makes of it, on average.
    pub(crate) noise: f64,
    /// The largest that passes.
    pub(crate) bound: f64,
    /// The p-value of the G-test.
    pub(crate) p: f64,
}

impl Comparison {
    /// The bound is 1.5 times the expected noise. Where few outcomes have most of the probability,
    /// chance alone can exceed that; there the bound is what it exceeds with probability 1e-6 at
    /// most: P(TV > its mean + t) ≤ exp(−2·samples·t²), by McDiarmid's inequality, since one sample
    /// changes TV by 1/samples at most.
    pub(crate) fn new(counts: &[u64], law: &[f64]) -> Self {
        let samples = counts.iter().sum();
        let noise = expected_noise(law, samples);
        let chance = (-FALSE_POSITIVES.ln() / (2.0 * samples as f64)).sqrt();
        let tv = total_variation(&frequencies(counts), law);
        Self { tv, noise, bound: noise + chance.max(0.5 * noise), p: g_test(counts, law) }
    }

    pub(crate) fn check(&self, name: &str, checks: &mut Checks) {
        checks.at_most(
            format!("{name}: TV of the histogram and the exact law"),
            self.tv,
            self.bound,
        );
        checks.p_value(format!("{name}: p-value of the G-test"), self.p);
    }
}

/// An estimate of the total variation between a sampler's law and its target.
pub(crate) struct Estimate {
    pub(crate) tv: f64,
    pub(crate) error: f64,
}

impl Estimate {
    /// TV is how much more probability the sampler gives to the outcomes that it is to favour, of
    /// which the share in a histogram is an unbiased estimate, whatever the noise elsewhere.
    /// `error` is its standard error.
    pub(crate) fn new(counts: &[u64], law: &[f64], target: &[f64]) -> Self {
        let samples = counts.iter().sum::<u64>() as f64;
        let favoured = || (0..law.len()).filter(|&k| law[k] > target[k]);
        let count: u64 = favoured().map(|k| counts[k]).sum();
        let expected = favoured().map(|k| law[k]).sum::<f64>().max(0.0);
        let at_target: f64 = favoured().map(|k| target[k]).sum();
        Self {
            tv: count as f64 / samples - at_target,
            error: (expected * (1.0 - expected).max(0.0) / samples).sqrt(),
        }
    }
}
