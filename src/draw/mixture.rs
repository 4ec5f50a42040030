//! One row in place of two: a weighted sum of the laws of two network calls, where it is positive.
//!
//! With p the law of the latest output at a position and q that of an earlier one, both softmax at
//! temperature 1, a token gets the mass (a·p + b·q)₊, of which b is mostly negative: extrapolation
//! in time and the second stage of the θ-trapezoidal method. The logarithm of that goes into the
//! sampler's memory, and the kernels draw from it as from any row.

use super::Batch;
use super::Temperature;
use super::blocks::{TOKENS, VECTORS, sum_lanes, tree};
use super::element::Element;
use super::envelope::{Cells, Scratch};
use super::kernel::{Elements, run_batch};
use super::masses::{Masses, RUN};
use super::row::{Row, part, store_part};
use super::stage;
use crate::lanes::math::{log, weight};
use crate::lanes::{Kernel, Lanes, Level, run};
use crate::logits::{Guide, Logits, LogitsData};
use core::ops::Range;

/// The weights of two laws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mixture {
    /// a, of the law of the latest output.
    pub(crate) latest: f64,
    /// b, of that of the earlier one.
    pub(crate) earlier: f64,
}

impl Mixture {
    /// Nothing at all: the position stays masked.
    pub(crate) const NOTHING: Self = Self { latest: 0.0, earlier: 0.0 };

    /// The latest output as it is.
    pub(crate) const LATEST: Self = Self { latest: 1.0, earlier: 0.0 };

    /// Whether the row can be drawn from as it is.
    #[inline(always)]
    pub(crate) fn is_latest(self) -> bool {
        self == Self::LATEST
    }
}

/// Writes the mixture of a job's rows to `copy`, ln((a·p + b·q)₊) but for a term that is the same for
/// all tokens; −∞ where it is not positive, or smaller than 2^-126 of the larger term. Returns
/// Σ (a·p + b·q)₊, or `None` if one of the rows is bad.
///
/// The error of a token's mass is below 2e-6·(|a|·p + |b|·q), and that of its logarithm at most 2
/// ULP more.
pub(super) struct Mix<'a, E> {
    pub(super) elements: Elements<'a, E>,
    pub(super) batch: &'a Batch<'a>,
    pub(super) job: usize,
    pub(super) mixture: Mixture,
    pub(super) cells: &'a mut Cells,
    pub(super) copy: &'a mut [f32],
    pub(super) compared: &'a mut [f32],
}

impl<E: Element> Kernel for Mix<'_, E> {
    type Output = Option<f64>;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> Option<f64> {
        let Self { elements, batch, job, mixture, cells, copy, compared } = self;
        let (vocab, row) = (batch.logits.vocab(), batch.row(job));
        let excluded = batch.constraints.excluded.map_or(usize::MAX, |id| id as usize);
        let (latest, earlier) = (&mut copy[..vocab], &mut compared[..vocab]);
        let before = &batch.logits.earlier()?;
        let Elements { data, guide, earlier: others, earlier_guide, .. } = elements;
        s.call(Copy { batch, data, guide, row, out: &mut *latest });
        let batch = &Batch { logits: before, ..*batch };
        s.call(Copy { batch, data: others, guide: earlier_guide, row, out: &mut *earlier });
        let latest_sum = s.call(Sum { row: &mut *latest, excluded, cells })?;
        let earlier_sum = s.call(Sum { row: &mut *earlier, excluded, cells })?;
        Some(s.call(Combine { latest, earlier, sums: [latest_sum, earlier_sum], mixture }))
    }
}

/// Copies a row as the constraints and the guide change it: large, and needed twice.
struct Copy<'a, E> {
    batch: &'a Batch<'a>,
    data: &'a [E],
    guide: &'a [E],
    row: usize,
    out: &'a mut [f32],
}

impl<E: Element> Kernel for Copy<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { batch, data, guide, row, out } = self;
        stage::write(s, batch, data, guide, row, out);
    }
}

/// The largest logit of a row, and Σ exp(z − max); without the excluded token, whose logit becomes
/// −∞. `None` for a bad row.
struct Sum<'a> {
    row: &'a mut [f32],
    excluded: usize,
    cells: &'a mut Cells,
}

impl Kernel for Sum<'_> {
    type Output = Option<(f32, f64)>;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> Option<(f32, f64)> {
        let Self { row, excluded, cells } = self;
        let sum = sum_of(s, &Row::new(&*row, excluded), cells)?;
        if let Some(logit) = row.get_mut(excluded) {
            *logit = f32::NEG_INFINITY;
        }
        Some(sum)
    }
}

/// The largest logit of a row, and Σ exp(z − max), to about 1e-6; `None` for a bad row.
#[inline(always)]
fn sum_of<L: Lanes, E: Element>(s: L, row: &Row<'_, E>, cells: &mut Cells) -> Option<(f32, f64)> {
    let (max, nan) = row.maxima(s, cells.maxima(row.vectors()));
    if nan || !max.is_finite() {
        return None;
    }
    let &Row { logits: row, excluded, .. } = row;
    let (lower, above) = (f32::NEG_INFINITY, f32::INFINITY);
    let temperature = Temperature::ONE;
    Some((max, s.call(Masses { row, excluded, max, temperature, lower, above }).0))
}

/// The weighted sum of two good rows, written over the first one.
struct Combine<'a> {
    latest: &'a mut [f32],
    earlier: &'a [f32],
    /// Of each row, its largest logit and Σ exp(z − max).
    sums: [(f32, f64); 2],
    mixture: Mixture,
}

impl Kernel for Combine<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> f64 {
        let Self { latest, earlier, sums: [(x_max, x_sum), (y_max, y_sum)], mixture } = self;
        let (a, b) = (mixture.latest / x_sum, mixture.earlier / y_sum);
        // Relative to the larger one, so that sums are at most 2 and far from subnormal.
        let scale = a.abs().max(b.abs());
        if scale == 0.0 {
            latest.fill(f32::NEG_INFINITY);
            return 0.0;
        }
        let (a, b) = (s.splat((a / scale) as f32), s.splat((b / scale) as f32));
        let (x_max, y_max) = (s.splat(x_max), s.splat(y_max));
        let (zero, least) = (s.splat(0.0), s.splat(f32::MIN_POSITIVE));
        let (one, never) = (s.splat(1.0), s.splat(f32::NEG_INFINITY));
        let temperature = Temperature::ONE;
        let mut total = 0.0;
        let runs = latest.chunks_mut(RUN * TOKENS).zip(earlier.chunks(RUN * TOKENS));
        for (latest, earlier) in runs {
            let mut lanes = zero;
            for (latest, earlier) in latest.chunks_mut(TOKENS).zip(earlier.chunks(TOKENS)) {
                let mut masses = [zero; VECTORS];
                let vectors = latest.chunks_mut(16).zip(earlier.chunks(16));
                for ((out, y), mass) in vectors.zip(&mut masses) {
                    let (x, y) = (part(s, &*out), part(s, y));
                    let (p, q) =
                        (weight(s, x, x_max, temperature), weight(s, y, y_max, temperature));
                    let sum = s.fma(a, p, s.mul(b, q));
                    let positive = s.greater(sum, least);
                    *mass = s.select(positive, sum, zero);
                    let logit = s.select(positive, log(s, s.select(positive, sum, one)), never);
                    store_part(s, logit, out);
                }
                lanes = s.add(lanes, tree(s, masses));
            }
            total += sum_lanes(s, lanes);
        }
        total * scale
    }
}

/// The mass of each job's row before it is drawn from: of its mixture if it has one, else Σ exp(z) of
/// its logits as they are. NaN for a bad row.
pub(crate) fn row_masses(
    level: Level,
    batch: &Batch<'_>,
    jobs: Range<usize>,
    out: &mut [f64],
    scratch: &mut Scratch,
) {
    run_batch!(level, batch, |elements| RowMasses { elements, batch, jobs, out, scratch });
}

struct RowMasses<'a, E> {
    elements: Elements<'a, E>,
    batch: &'a Batch<'a>,
    jobs: Range<usize>,
    out: &'a mut [f64],
    scratch: &'a mut Scratch,
}

impl<E: Element> Kernel for RowMasses<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { elements, batch, jobs, out, scratch } = self;
        let Scratch { cells, staged: copy, compared, .. } = scratch;
        let vocab = batch.logits.vocab();
        let excluded = batch.constraints.excluded.map_or(usize::MAX, |id| id as usize);
        let staged = stage::needed(batch);
        for (job, out) in jobs.zip(out) {
            let (mixture, row) = (batch.mixture(job), batch.row(job));
            let mass = if !mixture.is_latest() {
                s.call(Mix { elements, batch, job, mixture, cells, copy, compared })
            } else {
                let Elements { data, guide, .. } = elements;
                let sum = if staged {
                    let copy = &mut copy[..vocab];
                    s.call(Copy { batch, data, guide, row, out: &mut *copy });
                    s.call(Sum { row: copy, excluded, cells })
                } else {
                    let row = Row::new(&data[batch.logits.start(row)..][..vocab], excluded);
                    sum_of(s, &row, cells)
                };
                sum.map(|(max, sum)| sum * libm::exp(max.into()))
            };
            *out = mass.unwrap_or(f64::NAN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Mixture, row_masses};
    use crate::constraints::Constraints;
    use crate::draw::element::Element;
    use crate::draw::{
        Batch, Described, DrawRule, Drawn, Outputs, RowState, Scratch, Temperature, draw_rows,
        oracle,
    };
    use crate::lanes::Level;
    use crate::logits::{Logits, LogitsData};
    use crate::policy::Draw;
    use crate::rng::Key;
    use half::{bf16, f16};

    #[test]
    fn temperature_one_is_what_a_check_makes_of_it() {
        assert_eq!(Temperature::new(1.0), Ok(Temperature::ONE));
    }

    /// Logits within `reach` of each other, some of them −∞.
    fn logits(len: usize, seed: u64, reach: f32) -> Vec<f32> {
        let value = |i: usize| {
            let x = (i as u64 + 1).wrapping_mul(2 * seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let x = (x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            match x >> 60 {
                0 => f32::NEG_INFINITY,
                _ => ((x >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * reach,
            }
        };
        (0..len).map(value).collect()
    }

    fn levels() -> impl Iterator<Item = Level> {
        Level::ALL.into_iter().filter(|level| level.is_available())
    }

    /// What a batch of one job does.
    struct Outcome {
        mass: f64,
        drawn: Drawn,
        /// The row that was drawn from.
        row: Vec<f32>,
    }

    fn outcome(level: Level, logits: &Logits<'_>, excluded: Option<u32>, mix: Mixture) -> Outcome {
        let constraints = Constraints::excluding(excluded);
        let rules = [DrawRule::new(&Draw::at(1.0)).expect("a fine draw")];
        let keys = [Key { stream: 5, ..Key::default() }];
        let plain = Batch::new(logits, &constraints, &keys);
        let batch = Batch { rules: &rules, mixtures: &[mix], ..plain };
        let mut scratch = Scratch::new(logits.vocab());
        let mut mass = [0.0];
        row_masses(level, &batch, 0..1, &mut mass, &mut scratch);
        let mut drawn = [Drawn::BAD];
        draw_rows(
            level,
            &batch,
            0..1,
            Outputs { drawn: &mut drawn, statistics: Described::NONE, top: &mut [] },
            &mut scratch,
        );
        Outcome { mass: mass[0], drawn: drawn[0], row: scratch.staged.to_vec() }
    }

    /// Compares one mixture with the plain sums, and the levels with each other.
    fn check<'a, E: Element>(
        rows: [&'a [E]; 2],
        wrap: fn(&'a [E]) -> LogitsData<'a>,
        excluded: Option<u32>,
        (a, b): (f64, f64),
    ) {
        let vocab = rows[0].len();
        let [latest, earlier] =
            rows.map(|row| Logits::new(wrap(row), 1, vocab, vocab, None).expect("a row"));
        let both = latest.with_earlier(&earlier).expect("rows of one vocabulary");
        let mix = Mixture { latest: a, earlier: b };
        let ours = outcome(Level::Baseline, &both, excluded, mix);
        for level in levels() {
            let other = outcome(level, &both, excluded, mix);
            assert_eq!(other.mass.to_bits(), ours.mass.to_bits(), "{level}");
            assert_eq!(other.drawn, ours.drawn, "{level}");
            let bits = |row: &[f32]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&other.row), bits(&ours.row), "{level}");
        }
        let [x, y] = rows.map(|row| row.iter().map(|x| x.to_f32()).collect::<Vec<_>>());
        let Some(exact) = oracle::mixture(&x, &y, (a, b), excluded) else {
            assert!(ours.mass.is_nan() && ours.drawn == Drawn::BAD);
            return;
        };
        let p = oracle::probabilities(&x, 1.0, excluded).expect("a good row");
        let q = oracle::probabilities(&y, 1.0, excluded).expect("a good row");
        let terms: Vec<f64> = p.iter().zip(&q).map(|(p, q)| a.abs() * p + b.abs() * q).collect();
        let total: f64 = exact.iter().sum();
        let name = format!("{vocab} tokens, {a}·p + {b}·q");
        let error = (ours.mass - total).abs();
        assert!(error <= 2e-6 * terms.iter().sum::<f64>(), "{name}: {} for {total}", ours.mass);
        // The rows of all tokens differ from the logarithms by the same number, which the mass shows.
        let weights: Vec<f64> = ours.row.iter().map(|&x| f64::from(x).exp()).collect();
        let unit = ours.mass / weights.iter().sum::<f64>();
        for (v, ((&weight, &exact), term)) in weights.iter().zip(&exact).zip(&terms).enumerate() {
            let logarithm = f64::from(ours.row[v].max(-90.0));
            let rounding = 2.0 * f64::from(f32::EPSILON) * logarithm.abs() * weight * unit;
            let error = (weight * unit - exact).abs();
            let bound = 3e-6 * term + rounding + 1e-37 * unit;
            assert!(error <= bound, "{name}: token {v} has {} for {exact}", weight * unit);
        }
        if total > 1e-5 {
            assert_eq!(ours.drawn.state, RowState::Drawn);
            assert!(exact[ours.drawn.token as usize] > 0.0, "{name}: drew {:?}", ours.drawn);
        }
    }

    const WEIGHTS: [(f64, f64); 7] = [
        (1.25, -0.25),
        (2.0, -1.0),
        (4.75, -1.0),
        (1.0, 0.5),
        (40.0, -39.0),
        (0.0, 1.0),
        (2.0 / 0.3, -1.58 / 0.42),
    ];

    #[test]
    fn mixtures_of_every_length_match_plain_sums() {
        let lengths = (1..=70).chain([127, 128, 129, 1_023, 1_024, 1_025, 3_000, 20_000]);
        for len in lengths {
            for (k, weights) in WEIGHTS.into_iter().enumerate() {
                let reach = [1.0, 12.0, 60.0][(len + k) % 3];
                let (x, y) = (logits(len, k as u64, reach), logits(len, 40 + k as u64, reach));
                let excluded = [None, Some(0), Some(len as u32 / 2), Some(9_999_999)][k % 4];
                check([&x, &y], LogitsData::F32, excluded, weights);
                if len > 4_000 {
                    break;
                }
            }
        }
    }

    #[test]
    fn mixtures_of_other_elements() {
        for len in [20, 129, 2_500] {
            let (x, y) = (logits(len, 3, 20.0), logits(len, 4, 20.0));
            let halves = [&x, &y].map(|row| row.iter().map(|&x| f16::from_f32(x)).collect());
            let [x16, y16]: [Vec<f16>; 2] = halves;
            check([&x16, &y16], LogitsData::F16, Some(3), (1.5, -0.5));
            let brains = [&x, &y].map(|row| row.iter().map(|&x| bf16::from_f32(x)).collect());
            let [x16, y16]: [Vec<bf16>; 2] = brains;
            check([&x16, &y16], LogitsData::Bf16, Some(3), (1.5, -0.5));
        }
    }

    #[test]
    fn a_mixture_of_a_bad_row_is_bad() {
        for bad in [f32::NAN, f32::INFINITY] {
            for at in [0, 7, 299] {
                let good = vec![0.5; 300];
                let mut row = good.clone();
                row[at] = bad;
                for (x, y) in [(&row, &good), (&good, &row)] {
                    check([x, y], LogitsData::F32, None, (1.5, -0.5));
                    // A NaN counts at the excluded token too.
                    if bad.is_nan() {
                        check([x, y], LogitsData::F32, Some(at as u32), (1.5, -0.5));
                    }
                }
            }
        }
        let (none, some) = (vec![f32::NEG_INFINITY; 40], vec![1.0; 40]);
        check([&none, &some], LogitsData::F32, None, (1.5, -0.5));
        check([&some, &none], LogitsData::F32, None, (1.5, -0.5));
    }

    #[test]
    fn equal_rows_mix_to_themselves() {
        let row = logits(777, 9, 15.0);
        check([&row, &row], LogitsData::F32, Some(5), (3.0, -2.0));
        let p = oracle::probabilities(&row, 1.0, Some(5)).expect("a good row");
        let mixed = oracle::mixture(&row, &row, (3.0, -2.0), Some(5)).expect("good rows");
        assert!(p.iter().zip(&mixed).all(|(p, mixed)| (p - mixed).abs() < 1e-15));
        // Nothing is left of a difference of equal laws.
        let latest = Logits::f32(&row, 1, 777).expect("a row");
        let both = latest.with_earlier(&latest).expect("a row");
        let mix = Mixture { latest: 1.0, earlier: -1.0 };
        let Outcome { mass, drawn, .. } = outcome(Level::detect(), &both, None, mix);
        assert_eq!((mass, drawn), (0.0, Drawn::BAD));
    }

    #[test]
    fn rows_without_a_mixture_have_the_mass_of_their_scores() {
        for (len, excluded) in [(9, None), (300, Some(7)), (5_000, Some(4_999))] {
            let row = logits(len, 2, 30.0);
            let plain = Logits::f32(&row, 1, len).expect("a row");
            let ours = outcome(Level::detect(), &plain, excluded, Mixture::LATEST).mass;
            let counts = |&(v, _): &(usize, &f32)| Some(v as u32) != excluded;
            let scores = row.iter().enumerate().filter(counts);
            let exact: f64 = scores.map(|(_, &z)| f64::from(z).exp()).sum();
            assert!((ours / exact - 1.0).abs() < 1e-6, "{ours} for {exact}");
        }
        let bad = Logits::f32(&[f32::NAN, 1.0], 1, 2).expect("a row");
        assert!(outcome(Level::detect(), &bad, None, Mixture::LATEST).mass.is_nan());
    }
}
