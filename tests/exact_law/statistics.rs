//! How far laws and histograms are apart, and how far by chance alone.

use statrs::function::gamma::gamma_ur;
use std::f64::consts::PI;

/// Half the sum of absolute differences: the largest difference in the probability of any event.
pub(crate) fn total_variation(p: &[f64], q: &[f64]) -> f64 {
    assert_eq!(p.len(), q.len(), "laws over the same outcomes");
    0.5 * p.iter().zip(q).map(|(p, q)| (p - q).abs()).sum::<f64>()
}

/// Relative frequencies.
pub(crate) fn frequencies(counts: &[u64]) -> Vec<f64> {
    let total = counts.iter().sum::<u64>() as f64;
    counts.iter().map(|&count| count as f64 / total).collect()
}

/// The expected total variation between `law` and the frequencies of `samples` samples of it
/// (the counts taken as normal).
pub(crate) fn expected_noise(law: &[f64], samples: u64) -> f64 {
    let deviation = |p: &f64| (2.0 * p * (1.0 - p) / (PI * samples as f64)).sqrt();
    0.5 * law.iter().map(deviation).sum::<f64>()
}

/// The standard deviation of that total variation, over histograms; correlations between
/// outcomes are left out, which makes it about a tenth too small.
pub(crate) fn noise_deviation(law: &[f64], samples: u64) -> f64 {
    let variance = |p: &f64| (1.0 - 2.0 / PI) * p * (1.0 - p) / samples as f64;
    0.5 * law.iter().map(variance).sum::<f64>().sqrt()
}

/// The p-value of the G-test (log-likelihood ratio) of `counts` against `law`.
///
/// Outcomes are taken together, from the least likely on, until each group expects five samples
/// or more. An outcome of probability 0 that did occur gives p = 0.
///
/// The statistic of a group that expects λ samples is 1/(6λ) too large on average: with many
/// thousands of groups that expect few, [`chi_square_test`] is the one to trust.
pub(crate) fn g_test(counts: &[u64], law: &[f64]) -> f64 {
    let term = |&(expected, count): &(f64, u64)| match count {
        0 => 0.0,
        count => 2.0 * count as f64 * (count as f64 / expected).ln(),
    };
    grouped_test(counts, law, term)
}

/// The p-value of Pearson's chi-square test, of the groups of [`g_test`].
pub(crate) fn chi_square_test(counts: &[u64], law: &[f64]) -> f64 {
    grouped_test(counts, law, |&(expected, count)| (count as f64 - expected).powi(2) / expected)
}

fn grouped_test(counts: &[u64], law: &[f64], term: impl Fn(&(f64, u64)) -> f64) -> f64 {
    assert_eq!(counts.len(), law.len(), "one probability an outcome");
    let total = counts.iter().sum::<u64>() as f64;
    let mut cells: Vec<(f64, u64)> = law.iter().map(|p| p * total).zip(counts.to_vec()).collect();
    if cells.iter().any(|&(expected, count)| expected <= 0.0 && count > 0) {
        return 0.0;
    }
    cells.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut groups: Vec<(f64, u64)> = Vec::new();
    for (expected, count) in cells {
        match groups.last_mut() {
            Some(group) if group.0 < 5.0 => *group = (group.0 + expected, group.1 + count),
            _ => groups.push((expected, count)),
        }
    }
    let statistic = groups.iter().map(term).sum::<f64>();
    chi_square_tail(statistic.max(0.0), groups.len() - 1)
}

/// The probability that a chi-square variable with `freedom` degrees of freedom exceeds `x`.
pub(crate) fn chi_square_tail(x: f64, freedom: usize) -> f64 {
    match (freedom, x > 0.0) {
        (0, _) | (_, false) => 1.0,
        _ => gamma_ur(0.5 * freedom as f64, 0.5 * x),
    }
}
