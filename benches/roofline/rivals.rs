//! What engines do today, as plain loops: one row, one token.
//!
//! Each is the arithmetic of the code it names, compiled by the same compiler with the same flags;
//! none calls the library.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

/// A token's record as llama.cpp's samplers keep it: 12 bytes.
#[derive(Clone, Copy, Default)]
struct Record {
    id: i32,
    logit: f32,
    p: f32,
}

/// Memory that an engine keeps from row to row.
#[derive(Default)]
pub(crate) struct Working {
    single: Vec<f32>,
    double: Vec<f64>,
    records: Vec<Record>,
}

impl Working {
    /// The records of a row, without probabilities yet.
    fn records_of(&mut self, row: &[f32]) -> &mut Vec<Record> {
        self.records.clear();
        let record = |(&logit, id)| Record { id, logit, ..Record::default() };
        self.records.extend(row.iter().zip(0..).map(record));
        &mut self.records
    }
}

/// Draws a token of a row.
pub(crate) type Rival = fn(&mut Working, &[f32], &mut Xoshiro256PlusPlus) -> usize;

/// Uniform in (0, 1).
fn uniform(rng: &mut Xoshiro256PlusPlus) -> f64 {
    ((rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// Uniform in (0, 1) with 24 bits.
fn uniform_f32(rng: &mut Xoshiro256PlusPlus) -> f32 {
    ((rng.next_u64() >> 40) as f32 + 0.5) / (1u32 << 24) as f32
}

fn largest(row: &[f32]) -> f32 {
    row.iter().fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
}

/// exp(z − max) of each token into `out`; returns the sum.
fn exponentials(row: &[f32], out: &mut Vec<f32>) -> f32 {
    let max = largest(row);
    out.clear();
    let mut sum = 0.0;
    for &logit in row {
        let weight = (logit - max).exp();
        sum += weight;
        out.push(weight);
    }
    sum
}

/// Maximum, expf of every token, running sum, linear search: the textbook draw (llama.cpp's `dist`
/// without its records, candle's `WeightedIndex`).
pub(crate) fn softmax_cdf(work: &mut Working, row: &[f32], rng: &mut Xoshiro256PlusPlus) -> usize {
    let sum = exponentials(row, &mut work.single);
    let target = uniform(rng) * f64::from(sum);
    let mut running = 0.0;
    let passed = |&weight: &f32| {
        running += f64::from(weight);
        running > target
    };
    work.single.iter().position(passed).unwrap_or(row.len() - 1)
}

/// Records of (id, logit, p), softmax into them, entropy, the largest: what llama.cpp's diffusion example
/// does of a row for its confidence and entropy rules, without a sort.
#[allow(dead_code, reason = "a rival of whole steps")]
pub(crate) fn records_entropy(
    work: &mut Working,
    row: &[f32],
    _: &mut Xoshiro256PlusPlus,
) -> usize {
    let records = work.records_of(row);
    let best = records.iter().fold(records[0], |a, &b| if b.logit > a.logit { b } else { a });
    let mut sum = 0.0;
    for record in &mut *records {
        record.p = (record.logit - best.logit).exp();
        sum += record.p;
    }
    let mut entropy = 0.0;
    for record in &mut *records {
        record.p /= sum;
        entropy -= record.p * (record.p + 1e-10).ln();
    }
    // It is used by nobody here, but a rule would.
    if entropy.is_nan() { 0 } else { best.id as usize }
}

/// Records of (id, logit, p), sorted as a whole, softmax, the shortest head of mass 0.9, a draw from
/// it: the top-p of llama.cpp, candle and Hugging Face.
pub(crate) fn sort_top_p(work: &mut Working, row: &[f32], rng: &mut Xoshiro256PlusPlus) -> usize {
    let records = work.records_of(row);
    records.sort_unstable_by(|a, b| b.logit.total_cmp(&a.logit));
    let max = records[0].logit;
    let mut sum = 0.0;
    for record in records.iter_mut() {
        record.p = (record.logit - max).exp();
        sum += record.p;
    }
    let (mut mass, mut kept) = (0.0, 0);
    for record in records.iter_mut() {
        record.p /= sum;
        mass += record.p;
        kept += 1;
        if mass >= 0.9 {
            break;
        }
    }
    let target = uniform(rng) * f64::from(mass);
    let mut running = 0.0;
    let passed = |record: &Record| {
        running += f64::from(record.p);
        running > target
    };
    records[records[..kept].iter().position(passed).unwrap_or(kept - 1)].id as usize
}

/// The token of largest p/E with E exponential, all in f32: vLLM, gpt-fast, MDLM.
pub(crate) fn race_f32(work: &mut Working, row: &[f32], rng: &mut Xoshiro256PlusPlus) -> usize {
    let sum = exponentials(row, &mut work.single);
    let (mut best, mut token) = (f32::NEG_INFINITY, 0);
    for (id, weight) in work.single.iter().enumerate() {
        let score = weight / sum / -uniform_f32(rng).ln();
        if score > best {
            (best, token) = (score, id);
        }
    }
    token
}

/// The token of largest exp(z)/−ln u in f64: LLaDA's `add_gumbel_noise` and argmax.
pub(crate) fn gumbel_f64(work: &mut Working, row: &[f32], rng: &mut Xoshiro256PlusPlus) -> usize {
    work.double.clear();
    work.double.extend(row.iter().map(|&logit| f64::from(logit).exp() / -uniform(rng).ln()));
    let (mut best, mut token) = (f64::NEG_INFINITY, 0);
    for (id, &score) in work.double.iter().enumerate() {
        if score > best {
            (best, token) = (score, id);
        }
    }
    token
}

/// Argmax and its softmax probability: LLaDA's default step, at temperature 0.
pub(crate) fn greedy_confidence(
    work: &mut Working,
    row: &[f32],
    _: &mut Xoshiro256PlusPlus,
) -> usize {
    let sum = exponentials(row, &mut work.single);
    let (mut best, mut token) = (f32::NEG_INFINITY, 0);
    for (id, &logit) in row.iter().enumerate() {
        if logit > best {
            (best, token) = (logit, id);
        }
    }
    std::hint::black_box(work.single[token] / sum);
    token
}
