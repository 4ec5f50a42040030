//! Sums of weights over a row.

use super::Temperature;
use super::blocks::{Blocks, VECTORS, sum_lanes, tree};
use super::element::Element;
use crate::lanes::math::fast_weight;
use crate::lanes::{Kernel, Lanes};

/// Blocks whose weights are summed lane by lane in f32; beyond, sums are taken in f64.
pub(super) const RUN: usize = 8;

/// Sums of weights exp((x − `max`)/T) over the tokens of a row but `excluded`, to about 1e-6: of
/// those with x ≥ `lower`, and of those among them with x > `above`.
///
/// `max` must be at least every logit that counts; the row must hold no NaN; a token past the end
/// excludes nothing. Weights of 125 halvings and more below `max` are 0.
///
/// Both sums are taken in the same fixed order. So, for any rows and at every level, the second
/// falls, or stays, when `above` grows, and is the first if nothing that counts is at most `above`.
pub(super) struct Masses<'a, E> {
    pub(super) row: &'a [E],
    pub(super) excluded: usize,
    pub(super) max: f32,
    pub(super) temperature: Temperature,
    pub(super) lower: f32,
    pub(super) above: f32,
}

impl<E: Element> Kernel for Masses<'_, E> {
    type Output = (f64, f64);

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) -> (f64, f64) {
        let Self { row, excluded, max, temperature, lower, above } = self;
        let max = temperature.reference(max);
        let least = least_weighty(max, temperature);
        let least = s.splat(least.max(lower));
        let (max, above, zero) = (s.splat(max), s.splat(above), s.splat(0.0));

        let mut blocks = Blocks::new(row);
        blocks.leave_out(excluded);
        let (mut total, mut mass_above) = (0.0, 0.0);
        for begin in (0..blocks.count()).step_by(RUN) {
            let (mut lanes, mut lanes_above) = (zero, zero);
            for block in begin..blocks.count().min(begin + RUN) {
                let (mut w, mut w_above) = ([zero; VECTORS], [zero; VECTORS]);
                for (k, vector) in blocks.get(block).iter().enumerate() {
                    let x = E::load(s, vector);
                    let weight = fast_weight(s, s.sub(x, max), temperature);
                    w[k] = s.select(s.greater(least, x), zero, weight);
                    w_above[k] = s.select(s.greater(x, above), w[k], zero);
                }
                lanes = s.add(lanes, tree(s, w));
                lanes_above = s.add(lanes_above, tree(s, w_above));
            }
            total += sum_lanes(s, lanes);
            mass_above += sum_lanes(s, lanes_above);
        }
        (total, mass_above)
    }
}

/// The least logit that has a weight beside `max`: no farther below than `temperature.floor`, as the
/// kernels subtract; never −∞.
#[inline(always)]
pub(super) fn least_weighty(max: f32, temperature: Temperature) -> f32 {
    if temperature.floor == f32::NEG_INFINITY {
        return f32::MIN;
    }
    let floor = temperature.floor.max(f32::MIN);
    let mut least = max + floor;
    if least - max < floor {
        least = least.next_up();
    }
    least.max(f32::MIN)
}

#[cfg(test)]
mod tests {
    use super::Masses;
    use crate::draw::Temperature;
    use crate::draw::element::Element;
    use crate::lanes::{Level, run};
    use half::{bf16, f16};

    /// The masses at every level, which must agree, compared with plain sums in f64.
    fn check<E: Element>(row: &[E], excluded: usize, t: f32, lower: f32, above: f32) -> (f64, f64) {
        let temperature = Temperature::new(t).expect("a fine temperature");
        let counts = |&(i, x): &(usize, f32)| i != excluded && x > f32::NEG_INFINITY;
        let logits = || row.iter().map(|x| x.to_f32()).enumerate().filter(counts).map(|(_, x)| x);
        let max = logits().fold(f32::NEG_INFINITY, f32::max);
        let at = |level| run(level, Masses { row, excluded, max, temperature, lower, above });
        let ours = at(Level::Baseline);
        for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
            let other = at(level);
            let bits = |(a, b): (f64, f64)| (a.to_bits(), b.to_bits());
            assert_eq!(bits(ours), bits(other), "{level}");
        }
        let weight = |x: f32| ((f64::from(x) - f64::from(max)) / f64::from(t)).exp();
        // |below/T| times the roundings of the difference and of 1/T, weighed by the weight.
        let mut slack = 0.0;
        let mut sum = |from: f32| {
            let mut sum = 0.0;
            for x in logits().filter(|&x| x > from && x >= lower) {
                let w = weight(x);
                sum += w;
                slack = f64::max(slack, 1e-30) + if w > 0.0 { -w * w.ln() * 1.2e-7 } else { 0.0 };
            }
            sum
        };
        let (total, mass_above) = (sum(f32::NEG_INFINITY), sum(above));
        let near = |ours: f64, exact: f64| (ours - exact).abs() <= 1e-6 * exact + slack;
        assert!(near(ours.0, total), "{} tokens at T {t}: {} for {total}", row.len(), ours.0);
        assert!(near(ours.1, mass_above), "above {above} at T {t}: {} for {mass_above}", ours.1);
        ours
    }

    /// Logits with ties, −∞ and a wide range.
    fn logits(len: usize, seed: u64) -> Vec<f32> {
        let value = |i: usize| {
            let x = (i as u64 + 1).wrapping_mul(2 * seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let x = (x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            match x >> 60 {
                0 => f32::NEG_INFINITY,
                1 => 4.0,
                _ => ((x >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * 30.0,
            }
        };
        (0..len).map(value).collect()
    }

    #[test]
    fn masses_of_every_length_match_plain_sums() {
        let lengths = (1..=70).chain([127, 128, 129, 1_023, 1_024, 1_025, 2_047, 9_000, 50_257]);
        for len in lengths {
            for offset in [0, 1, 7, 15] {
                let long = logits(len + offset, len as u64);
                let row = &long[offset..];
                for t in [1e-3, 0.1, 0.7, 1.0, 10.0, 1e3, f32::INFINITY] {
                    let excluded = [usize::MAX, 0, len / 2, len - 1][offset % 4];
                    if row.iter().enumerate().all(|(i, x)| i == excluded || x.is_infinite()) {
                        continue;
                    }
                    check(row, excluded, t, f32::NEG_INFINITY, 4.0);
                    check(row, excluded, t, -3.0, f32::NEG_INFINITY);
                    check(row, excluded, t, 4.0, 3.9);
                }
                if len > 5_000 {
                    break;
                }
            }
        }
    }

    #[test]
    fn masses_of_other_elements_and_offsets() {
        for len in [31, 128, 1_000, 3_000] {
            let row = logits(len, 5);
            let halves: Vec<f16> = row.iter().map(|&x| f16::from_f32(x)).collect();
            check(&halves, 3, 0.7, -20.0, 2.0);
            let brains: Vec<bf16> = row.iter().map(|&x| bf16::from_f32(x)).collect();
            check(&brains, 3, 0.7, -20.0, 2.0);
            for offset in [-3e4f32, 3e4, 1e7] {
                let far: Vec<f32> = row.iter().map(|&x| x + offset).collect();
                for t in [1e-3, 1.0, 1e3] {
                    check(&far, 3, t, f32::NEG_INFINITY, offset + 2.0);
                }
            }
        }
    }

    #[test]
    fn mass_above_is_monotonic_and_reaches_the_total() {
        let row = logits(5_000, 9);
        let mut bars: Vec<f32> = row.iter().copied().filter(|x| x.is_finite()).collect();
        bars.sort_by(f32::total_cmp);
        let temperature = Temperature::new(1.0).expect("a fine temperature");
        let max = bars[bars.len() - 1];
        let mut last = f64::INFINITY;
        for (k, &above) in bars.iter().enumerate() {
            let level = Level::detect();
            let excluded = usize::MAX;
            let lower = f32::NEG_INFINITY;
            let at =
                |above| run(level, Masses { row: &row, excluded, max, temperature, lower, above });
            let (total, mass) = at(above);
            assert!(mass <= last, "above {above}: {mass} after {last}");
            assert!(k > 0 || at(lower) == (total, total), "everything lies above −∞");
            last = mass;
        }
        assert!(last == 0.0, "nothing lies above the maximum");
    }

    #[test]
    fn tokens_that_weigh_nothing() {
        // One finite token among −∞, the excluded one larger, at all temperatures.
        for t in [1e-30, 1e-3, 1.0, 1e30, f32::MAX, f32::INFINITY] {
            let mut row = vec![f32::NEG_INFINITY; 300];
            row[150] = 2.5;
            row[151] = 1e30;
            assert_eq!(check(&row, 151, t, f32::NEG_INFINITY, f32::NEG_INFINITY), (1.0, 1.0));
            assert_eq!(check(&row, 151, t, 2.5, 2.5), (1.0, 0.0));
            assert_eq!(check(&row, 151, t, 2.6, 0.0), (0.0, 0.0));
        }
    }
}
