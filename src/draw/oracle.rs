//! What is right, slowly and obviously, in f64. For tests and benchmarks.

use crate::policy::{Draw, FilterOrder};
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

/// The exponential variables of tokens 0 to `vocab`, in the race for draw `draw` of a key, each from
/// the 80 bits that are its own.
#[must_use]
pub fn race_noise(vocab: usize, key: Key, draw: u32) -> Vec<f64> {
    let [a, b, c, d] = key.draw_state(Purpose::Race, draw);
    let mut all = vec![0.0; vocab];
    for (superblock, noise) in all.chunks_mut(4_096).enumerate() {
        let mut generators: Vec<_> = (0..16)
            .map(|lane| {
                let place = (16 * superblock + lane) as u64;
                let words = [mix(a ^ place), mix(b ^ place)];
                let mut seed = [0; 16];
                seed[..8].copy_from_slice(&words[0].to_le_bytes());
                seed[8..].copy_from_slice(&words[1].to_le_bytes());
                Xoshiro128PlusPlus::from_seed(seed)
            })
            .collect();
        let mut word = [0; 16];
        for (i, exponential) in noise.iter_mut().enumerate() {
            let lane = i % 16;
            if i % 32 < 16 {
                word[lane] = generators[lane].next_u32();
            }
            let half = if i % 32 < 16 { word[lane] & 0xFFFF } else { word[lane] >> 16 };
            let token = (4_096 * superblock + i) as u64;
            let bits = u128::from(half ^ 0x8000) << 64 | u128::from(mix(mix(c ^ token) ^ d));
            let unit = 0.5f64.powi(80);
            *exponential = if bits < 1 << 79 {
                -(-(bits as f64 + 0.5) * unit).ln_1p()
            } else {
                -((((1u128 << 80) - 1 - bits) as f64 + 0.5) * unit).ln()
            };
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
