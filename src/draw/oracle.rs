//! What is right, slowly and obviously, in f64. For tests and benchmarks.

use super::RowStatistics;
use crate::policy::{Draw, FilterOrder, NucleusEdge};
use crate::rng::{Key, Purpose, mix};
use rand_xoshiro::Xoshiro128PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

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

/// The law that a row is drawn from with the temperature and the filters of `draw`; `None` as for
/// [`probabilities`].
#[must_use]
pub fn filtered(row: &[f32], draw: &Draw, excluded: Option<u32>) -> Option<Vec<f64>> {
    let mut law = probabilities(row, draw.temperature.into(), excluded)?;
    let kept = kept(row, draw, excluded)?;
    let sum: f64 = kept.iter().map(|&i| law[i]).sum();
    for (i, p) in law.iter_mut().enumerate() {
        *p = if kept.contains(&i) { *p / sum } else { 0.0 };
    }
    Some(law)
}

/// The tokens that the filters of `draw` leave of those that can be drawn, by a sort: the largest
/// logits first. At temperature 0 all. `None` as for [`probabilities`].
#[must_use]
pub fn kept(row: &[f32], draw: &Draw, excluded: Option<u32>) -> Option<Vec<usize>> {
    let temperature = f64::from(draw.temperature);
    let at = match draw.filter_order {
        FilterOrder::AfterTemperature => temperature,
        FilterOrder::BeforeTemperature => 1.0,
    };
    let before = probabilities(row, at, excluded)?;
    let is_out = |i: usize| row[i] == f32::NEG_INFINITY || excluded == Some(i as u32);
    let mut order: Vec<usize> = (0..row.len()).filter(|&i| !is_out(i)).collect();
    order.sort_by(|&i, &j| (row[j] + 0.0).total_cmp(&(row[i] + 0.0)).then(i.cmp(&j)));
    if temperature == 0.0 {
        return Some(order);
    }
    if draw.top_k > 0 {
        order.truncate(draw.top_k as usize);
    }
    let total: f64 = order.iter().map(|&i| before[i]).sum();
    let kept = |i: &&usize| {
        let mass_of = |counts: &dyn Fn(f32) -> bool| -> f64 {
            order.iter().filter(|&&j| counts(row[j])).map(|&j| before[j]).sum()
        };
        let p = f64::from(draw.top_p) * total;
        let in_nucleus = match draw.nucleus_edge {
            NucleusEdge::Keep => mass_of(&|x| x > row[**i]) < p,
            NucleusEdge::Drop => mass_of(&|x| x >= row[**i]) <= p || row[**i] == row[order[0]],
        };
        let depth = f64::from(draw.min_p).ln() * at;
        let below = f64::from(row[**i]) - f64::from(row[order[0]]);
        (in_nucleus || draw.top_p == 1.0) && (below >= depth || depth.is_nan())
    };
    Some(order.iter().filter(kept).copied().collect())
}

/// The masses (`a`·p + `b`·q)₊ of the tokens, where p is the law softmax(z) of `latest` and q that of
/// `earlier`, which is as long, both without the token `excluded`; `None` if [`probabilities`] has
/// none for one of them.
#[must_use]
pub fn mixture(
    latest: &[f32],
    earlier: &[f32],
    (a, b): (f64, f64),
    excluded: Option<u32>,
) -> Option<Vec<f64>> {
    assert_eq!(latest.len(), earlier.len(), "rows of one vocabulary");
    let p = probabilities(latest, 1.0, excluded)?;
    let q = probabilities(earlier, 1.0, excluded)?;
    Some(p.iter().zip(&q).map(|(p, q)| (a * p + b * q).max(0.0)).collect())
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

/// The exponential variables of tokens 0 to `vocab`, in the race for draw `draw` of a key:
/// −ln(1 − u), where u = (n + ½)·2^-80 and n are the [`race_bits`] of the token.
#[must_use]
pub fn race_noise(vocab: usize, key: Key, draw: u32) -> Vec<f64> {
    let unit = 0.5f64.powi(80);
    let exponential = |bits: u128| {
        if bits < 1 << 79 {
            -(-(bits as f64 + 0.5) * unit).ln_1p()
        } else {
            -((((1u128 << 80) - 1 - bits) as f64 + 0.5) * unit).ln()
        }
    };
    race_bits(vocab, key, draw).into_iter().map(exponential).collect()
}

/// The 80 random bits of each of the tokens 0 to `vocab`, in the race for draw `draw` of a key: 16
/// from the generator of its lane, above 64 that are mixed from the token's id.
#[must_use]
pub fn race_bits(vocab: usize, key: Key, draw: u32) -> Vec<u128> {
    let [a, b, c, d] = key.draw_state(Purpose::Race, draw);
    let mut all = vec![0; vocab];
    for (superblock, noise) in all.chunks_mut(4_096).enumerate() {
        let mut generators: [_; 16] = core::array::from_fn(|lane| {
            let place = (16 * superblock + lane) as u64;
            let words = [mix(a ^ place), mix(b ^ place)];
            let mut seed = [0; 16];
            seed[..8].copy_from_slice(&words[0].to_le_bytes());
            seed[8..].copy_from_slice(&words[1].to_le_bytes());
            Xoshiro128PlusPlus::from_seed(seed)
        });
        let mut word = [0; 16];
        for (i, bits) in noise.iter_mut().enumerate() {
            let lane = i % 16;
            if i % 32 < 16 {
                word[lane] = generators[lane].next_u32();
            }
            let half = if i % 32 < 16 { word[lane] & 0xFFFF } else { word[lane] >> 16 };
            let token = (4_096 * superblock + i) as u64;
            *bits = u128::from(half ^ 0x8000) << 64 | u128::from(mix(mix(c ^ token) ^ d));
        }
    }
    all
}

/// The winner of the exponential race with this noise: the largest z/T − ln E among the tokens that
/// `runs` says; ties: the lowest id. `None` if no token runs whose logit is not −∞.
#[must_use]
pub fn race(
    row: &[f32],
    temperature: f64,
    noise: &[f64],
    runs: impl Fn(usize) -> bool,
) -> Option<usize> {
    let running = || (0..row.len()).filter(|&i| row[i] > f32::NEG_INFINITY && runs(i));
    let max = running().map(|i| f64::from(row[i])).fold(f64::NEG_INFINITY, f64::max);
    let score = |i: usize| (f64::from(row[i]) - max) / temperature - noise[i].ln();
    let mut best: Option<(usize, f64)> = None;
    for i in running() {
        let score = score(i);
        if best.is_none_or(|(_, most)| score > most) {
            best = Some((i, score));
        }
    }
    best.map(|(i, _)| i)
}

/// The statistics of a row's law softmax(z/T), T above 0 or +∞, without the token `excluded`;
/// `token` is the drawn one, below the length of the row. `None` for the rows for which
/// [`probabilities`] has none.
///
/// What belongs to another row or token is NaN: `given_log_probability` and `divergence`, see
/// [`divergence`]. A token of probability 0 has `log_others` +∞.
#[must_use]
pub fn statistics(
    row: &[f32],
    temperature: f64,
    excluded: Option<u32>,
    token: usize,
) -> Option<RowStatistics> {
    let Exponents { exponents, argmax, log_sum } = Exponents::new(row, temperature, excluded)?;
    let without = |skipped: usize| {
        let all = exponents.iter().copied().enumerate();
        all.filter(move |&(i, _)| i != skipped).map(|(_, e)| e)
    };
    let largest = |skipped| without(skipped).fold(f64::NEG_INFINITY, f64::max);
    // Of numbers that are not negative, so that nothing cancels.
    let spread = exponents.iter().filter(|e| e.is_finite()).map(|e| -e * e.exp());
    let max_of_others = largest(token);
    let others =
        sum(without(token).map(|e| if e.is_finite() { (e - max_of_others).exp() } else { 0.0 }));
    let log_probability = exponents[token] - log_sum;
    // ln of the sum of all weights but the largest, which is 1.
    let log_rest = {
        let next = largest(argmax);
        let weights = without(argmax).map(|e| if e.is_finite() { (e - next).exp() } else { 0.0 });
        if next == f64::NEG_INFINITY { next } else { next + sum(weights).ln() }
    };
    let max = row[argmax];
    let reference = if temperature == f64::INFINITY { 0.0 } else { f64::from(max) / temperature };
    Some(RowStatistics {
        log_sum_exp: reference + log_sum,
        entropy: log_rest.exp().ln_1p() + sum(spread) / log_sum.exp(),
        probability: log_probability.exp(),
        log_probability,
        log_others: if exponents[token] == f64::NEG_INFINITY {
            f64::INFINITY
        } else {
            max_of_others - exponents[token] + others.ln()
        },
        margin: -largest(argmax).exp_m1() * (-log_sum).exp(),
        argmax_log_others: log_rest,
        log_margin_gap: if log_rest == f64::NEG_INFINITY {
            log_rest
        } else {
            // 1 − (1 − w)/(1 + S) = (S + w)/(1 + S), w the second largest weight.
            log_rest + (largest(argmax) - log_rest).exp().ln_1p() - log_rest.exp().ln_1p()
        },
        given_log_probability: f64::NAN,
        divergence: f64::NAN,
        max,
        argmax: argmax as i32,
    })
}

/// Σ p ln(p/q), where p is the law softmax(z/T) of `row` and q that of `other`, which is as long,
/// both without the token `excluded`. +∞ if some q is 0 where p is not; `None` if [`probabilities`]
/// has none for one of them.
#[must_use]
pub fn divergence(
    row: &[f32],
    other: &[f32],
    temperature: f64,
    excluded: Option<u32>,
) -> Option<f64> {
    assert_eq!(row.len(), other.len(), "rows of one vocabulary");
    let ours = Exponents::new(row, temperature, excluded)?;
    let theirs = Exponents::new(other, temperature, excluded)?;
    let terms = ours.exponents.iter().zip(&theirs.exponents).map(|(a, b)| {
        let (log_p, log_q) = (a - ours.log_sum, b - theirs.log_sum);
        let (p, q) = (log_p.exp(), log_q.exp());
        // p ln(p/q) − p + q, which is never negative and has the same sum, so that nothing cancels
        // between tokens where the laws are close.
        let ratio = log_p - log_q;
        if p == 0.0 {
            q
        } else if ratio.abs() > 0.1 {
            p * ratio - p + q
        } else {
            // p·(r − 1 + exp(−r)) = p·(r²/2! − r³/3! + …), to 1e-17.
            let series = (2..12).rev().fold(0.0, |tail, n| (1.0 - tail) * ratio / f64::from(n));
            p * ratio * series
        }
    });
    Some(sum(terms))
}

/// A row relative to its largest logit: (z − max)/T, −∞ for tokens of probability 0.
struct Exponents {
    exponents: Vec<f64>,
    /// The lowest token of the largest logit, whose exponent is 0.
    argmax: usize,
    /// ln of the sum of all exp(exponent).
    log_sum: f64,
}

impl Exponents {
    fn new(row: &[f32], temperature: f64, excluded: Option<u32>) -> Option<Self> {
        assert!(temperature > 0.0, "no exponents at temperature 0");
        let law = probabilities(row, temperature, excluded)?;
        let counts = |i: usize| Some(i) != excluded.map(|id| id as usize) && row[i].is_finite();
        let tokens = || (0..law.len()).filter(|&i| counts(i));
        let max = tokens().map(|i| row[i]).fold(f32::NEG_INFINITY, f32::max);
        let argmax = tokens().find(|&i| row[i] == max)?;
        let exponent = |i: usize| {
            let below = f64::from(row[i]) - f64::from(max);
            if counts(i) { below / temperature } else { f64::NEG_INFINITY }
        };
        let exponents: Vec<f64> = (0..law.len()).map(exponent).collect();
        // The largest is 1: what is added to it keeps its digits.
        let others = exponents.iter().enumerate().filter(|&(i, _)| i != argmax);
        let log_sum = sum(others.map(|(_, e)| e.exp())).ln_1p();
        Some(Self { exponents, argmax, log_sum })
    }
}

/// A compensated sum (Neumaier 1974).
fn sum(terms: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0);
    for term in terms {
        let next = sum + term;
        if next.is_finite() {
            let (large, small) = if sum.abs() >= term.abs() { (sum, term) } else { (term, sum) };
            lost += (large - next) + small;
        }
        sum = next;
    }
    sum + lost
}

#[cfg(test)]
mod tests {
    use super::{divergence, statistics};

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-14 * b.abs(), "{a} for {b}");
    }

    #[test]
    fn statistics_of_rows_that_are_known() {
        let never = f32::NEG_INFINITY;
        let row = [0.0, 2f32.ln(), never, 1e30];
        let ours = statistics(&row, 1.0, Some(3), 0).expect("a good row");
        let two = f64::from(2f32.ln()).exp();
        near(ours.log_sum_exp, (1.0 + two).ln());
        near(ours.probability, 1.0 / (1.0 + two));
        near(ours.log_others, two.ln());
        near(ours.margin, (two - 1.0) / (1.0 + two));
        near(ours.entropy, (1.0 + two).ln() - two / (1.0 + two) * two.ln());
        assert_eq!((ours.argmax, ours.max), (1, row[1]));

        // Where p rounds to 1.
        let ours = statistics(&[0.0, -60.0, -60.0], 1.0, None, 0).expect("a good row");
        near(ours.log_others, 2f64.ln() - 60.0);
        near(ours.log_probability, -2.0 * (-60f64).exp());
        near(ours.entropy, 2.0 * (-60f64).exp() * 61.0);
        assert!(ours.margin == 1.0);

        let alone = statistics(&[never, -7.0], 0.5, None, 1).expect("a good row");
        assert_eq!((alone.log_sum_exp, alone.entropy, alone.margin), (-14.0, 0.0, 1.0));
        assert_eq!((alone.probability, alone.log_others), (1.0, f64::NEG_INFINITY));
        let banned = statistics(&[never, -7.0], f64::INFINITY, None, 0).expect("a good row");
        assert_eq!((banned.probability, banned.log_others), (0.0, f64::INFINITY));
        assert_eq!(banned.log_sum_exp, 0.0);
        assert_eq!(statistics(&[1.0, 1.0], 1.0, None, 0).expect("a good row").margin, 0.0);
        for bad in [[f32::NAN, 0.0], [f32::INFINITY, 0.0], [never; 2]] {
            assert_eq!(statistics(&bad, 1.0, None, 0), None);
        }
    }

    #[test]
    fn divergences_that_are_known() {
        let close = divergence(&[1e-9, 0.0], &[0.0, 0.0], 1.0, None).expect("good rows");
        let exact = f64::from(1e-9f32).powi(2) / 8.0;
        assert!((close / exact - 1.0).abs() < 1e-6, "{close} for {exact}");
        let far = divergence(&[1.0, 0.0], &[0.0, 3.0], 2.0, None).expect("good rows");
        let (p, q) = (1.0 / (1.0 + (-0.5f64).exp()), 1.0 / (1.0 + 1.5f64.exp()));
        near(far, p * (p / q).ln() + (1.0 - p) * ((1.0 - p) / (1.0 - q)).ln());
        let never = f32::NEG_INFINITY;
        assert_eq!(divergence(&[0.0, 0.0], &[0.0, never], 1.0, None), Some(f64::INFINITY));
        let narrow = divergence(&[0.0, never], &[0.0, 0.0], 1.0, None).expect("good rows");
        near(narrow, 2f64.ln());
        assert_eq!(divergence(&[5.0, 0.0], &[5.0, 0.0], 1.0, Some(0)), Some(0.0));
        assert_eq!(divergence(&[0.0], &[f32::NAN], 1.0, None), None);
    }
}
