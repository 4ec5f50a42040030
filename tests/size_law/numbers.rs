//! Binomials and entropies.

/// ln n! for n up to `most`.
pub(super) fn log_factorials(most: usize) -> Vec<f64> {
    log_rising(1.0, most)
}

/// ln of a(a + 1)…(a + n − 1) for n up to `most`, with compensated sums.
pub(super) fn log_rising(a: f64, most: usize) -> Vec<f64> {
    let (mut sum, mut carry) = (0.0, 0.0);
    let mut logs = vec![0.0];
    for n in 0..most {
        let term = (a + n as f64).ln() - carry;
        let next: f64 = sum + term;
        carry = (next - sum) - term;
        sum = next;
        logs.push(sum);
    }
    logs
}

/// ln of the binomial coefficient; −∞ where it is 0. `factorials` from [`log_factorials`].
pub(super) fn log_binomial(factorials: &[f64], n: usize, k: usize) -> f64 {
    if k > n {
        return f64::NEG_INFINITY;
    }
    factorials[n] - factorials[k] - factorials[n - k]
}

/// −p ln p, 0 at 0.
pub(super) fn entropy_term(p: f64) -> f64 {
    if p > 0.0 { -p * p.ln() } else { 0.0 }
}

/// The entropy of a bit.
pub(super) fn bit_entropy(p: f64) -> f64 {
    entropy_term(p) + entropy_term(1.0 - p)
}
