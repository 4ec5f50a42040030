//! The sums that statistics of a short row are made of, for a row alone and for sixteen side by side.
//!
//! Both take the same sums in the same order, so that a row has the same statistics whatever it is
//! described with: the tokens of each lane vector by vector, in runs of [`RUN`], then the lanes as a
//! tree. What is summed is relative to the second largest logit and without the largest, which
//! therefore hides nothing, however far above it stands.

use super::Temperature;
use super::summary::Summary;
use crate::lanes::Lanes;
use crate::lanes::math::fast_weight;

/// Vectors whose weights are summed before these sums are summed.
const RUN: usize = 8;

/// The sums of a row's tokens but its largest, relative to the largest of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Others {
    /// The largest logit among them; −∞ without one.
    pub(super) max: f32,
    /// Σ w, w = exp((z − max)/T).
    pub(super) mass: f64,
    /// Σ w·(z − max); of no use at infinite temperature.
    pub(super) moment: f64,
}

/// What weights are relative to, in each lane, and how far below it they end.
struct Scale<L: Lanes> {
    references: L::F,
    floor: L::F,
    temperature: Temperature,
}

impl<L: Lanes> Scale<L> {
    #[inline(always)]
    fn new(s: L, maxima: L::F, temperature: Temperature) -> Self {
        // At the highest temperatures no logit lies so deep.
        let floor = s.splat(temperature.floor.max(f32::MIN));
        Self { references: temperature.references(s, maxima), floor, temperature }
    }

    /// Adds the weights of logits, and their moments, to `sums`. A token that is out has none.
    #[inline(always)]
    fn add(&self, s: L, x: L::F, [mass, moment]: [L::F; 2]) -> [L::F; 2] {
        // What lies deeper has a weight of 125 halvings, which no sum notices.
        let below = s.max(s.sub(x, self.references), self.floor);
        let weight = fast_weight(s, below, self.temperature);
        let is_in = s.greater(x, s.splat(f32::NEG_INFINITY));
        let weight = s.select(is_in, weight, s.splat(0.0));
        [s.add(mass, weight), s.fma(weight, below, moment)]
    }
}

/// The sums of runs, while they are taken.
struct Running<L: Lanes> {
    vectors: usize,
    /// Masses and moments of the run under way, and of the runs before it.
    run: [L::F; 2],
    runs: [L::F; 2],
}

impl<L: Lanes> Running<L> {
    #[inline(always)]
    fn new(s: L) -> Self {
        let zeros = [s.splat(0.0); 2];
        Self { vectors: 0, run: zeros, runs: zeros }
    }

    #[inline(always)]
    fn add(&mut self, s: L, scale: &Scale<L>, x: L::F) {
        self.run = scale.add(s, x, self.run);
        self.vectors += 1;
        if self.vectors.is_multiple_of(RUN) {
            self.runs = self.sums(s);
            self.run = [s.splat(0.0); 2];
        }
    }

    #[inline(always)]
    fn sums(&self, s: L) -> [L::F; 2] {
        [s.add(self.runs[0], self.run[0]), s.add(self.runs[1], self.run[1])]
    }
}

/// The others of a row alone, whose largest logit is `argmax`'s; `row` holds its logits, as the bits of
/// floats, and −∞ in the place of tokens that do not count.
#[inline(always)]
pub(super) fn alone<L: Lanes>(
    s: L,
    row: &mut [[u32; 16]],
    argmax: usize,
    temperature: Temperature,
) -> Others {
    let place = &mut row.as_flattened_mut()[argmax];
    let largest = core::mem::replace(place, f32::NEG_INFINITY.to_bits());
    let mut maxima = s.splat(f32::NEG_INFINITY);
    for vector in &*row {
        maxima = s.max(maxima, s.float_from_bits(s.load_u32(vector)));
    }
    // Of two zeros a maximum may be either.
    let max = s.largest(maxima) + 0.0;
    let scale = Scale::new(s, s.splat(max), temperature);
    let mut running = Running::new(s);
    for vector in &*row {
        running.add(s, &scale, s.float_from_bits(s.load_u32(vector)));
    }
    row.as_flattened_mut()[argmax] = largest;
    let [mass, moment] = running.sums(s);
    let (mass, moment) = (sum_lanes(s, mass), sum_lanes(s, moment));
    Others { max, mass: mass.into(), moment: moment.into() }
}

/// What statistics are made of, of sixteen rows.
#[derive(Clone, Debug)]
pub(super) struct SideBySide {
    /// The largest logit of each, and its token; ties: the lowest id.
    max: [f32; 16],
    pub(super) argmax: [u32; 16],
    /// Its others: see [`Others`].
    max_of_others: [f32; 16],
    masses: [f32; 16],
    moments: [f32; 16],
}

impl SideBySide {
    pub(super) const NONE: Self = Self {
        max: [0.0; 16],
        argmax: [0; 16],
        max_of_others: [0.0; 16],
        masses: [0.0; 16],
        moments: [0.0; 16],
    };

    /// Of the rows in `lines`: a token in each line, a row in each lane, as the bits of floats, and −∞
    /// in the place of tokens that do not count. What it says of a bad row means nothing.
    #[inline(always)]
    pub(super) fn fill<L: Lanes>(&mut self, s: L, lines: &[[u32; 16]], temperature: Temperature) {
        let least = s.splat(f32::NEG_INFINITY);
        let (mut max, mut next, mut argmax) = (least, least, s.splat(0.0));
        for (token, line) in (0..).zip(lines) {
            let x = s.float_from_bits(s.load_u32(line));
            argmax = s.select(s.greater(x, max), s.float_from_bits(s.splat_u32(token)), argmax);
            next = s.max(next, s.min(x, max));
            max = s.max(max, x);
        }
        // Of two zeros a maximum may be either.
        let (max, next) = (s.add(max, s.splat(0.0)), s.add(next, s.splat(0.0)));
        let argmax = s.float_bits(argmax);
        s.store(max, &mut self.max);
        s.store(next, &mut self.max_of_others);
        s.store_u32(argmax, &mut self.argmax);

        let scale = Scale::new(s, next, temperature);
        let zeros = [s.splat(0.0); 16];
        let (mut masses, mut moments) = (zeros, zeros);
        for lane in 0..lines.len().min(16) {
            let mut running = Running::new(s);
            for token in (lane..lines.len()).step_by(16) {
                let x = s.float_from_bits(s.load_u32(&lines[token]));
                let is_argmax = s.equal_u32(argmax, s.splat_u32(token as u32));
                running.add(s, &scale, s.select(is_argmax, least, x));
            }
            [masses[lane], moments[lane]] = running.sums(s);
        }
        for sums in [&mut masses, &mut moments] {
            for half in [8, 4, 2, 1] {
                for i in 0..half {
                    sums[i] = s.add(sums[i], sums[i + half]);
                }
            }
        }
        s.store(masses[0], &mut self.masses);
        s.store(moments[0], &mut self.moments);
    }

    /// What is known of row `i`, a good one.
    #[inline(always)]
    pub(super) fn summary(&self, i: usize, temperature: Temperature) -> Summary {
        let (mass, moment) = (self.masses[i].into(), self.moments[i].into());
        let others = Others { max: self.max_of_others[i], mass, moment };
        Summary::of_short(self.max[i], self.argmax[i] as usize, others, temperature)
    }
}

/// The sum of 16 lanes, as a tree.
#[inline(always)]
fn sum_lanes<L: Lanes>(s: L, x: L::F) -> f32 {
    let mut sums = [0.0; 16];
    s.store(x, &mut sums);
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use super::{Others, SideBySide, alone};
    use crate::draw::Temperature;
    use crate::lanes::{Kernel, Lanes, Level, run};

    const TEMPERATURES: [f32; 8] = [1e-30, 1e-3, 0.3, 1.0, 10.0, 1e3, f32::MAX, f32::INFINITY];

    struct Both<'a> {
        rows: &'a [Vec<f32>; 16],
        temperature: Temperature,
    }

    impl Kernel for Both<'_> {
        type Output = [[(usize, Others); 16]; 2];

        #[inline(always)]
        fn run<L: Lanes>(self, s: L) -> [[(usize, Others); 16]; 2] {
            let Self { rows, temperature } = self;
            let vocab = rows[0].len();
            let mut lines = vec![[0; 16]; vocab];
            for (lane, row) in rows.iter().enumerate() {
                for (line, x) in lines.iter_mut().zip(row) {
                    line[lane] = x.to_bits();
                }
            }
            let mut sums = SideBySide::NONE;
            sums.fill(s, &lines, temperature);
            let mut out = [[(0, Others::default()); 16]; 2];
            for (i, row) in rows.iter().enumerate() {
                let (mass, moment) = (sums.masses[i].into(), sums.moments[i].into());
                let max = sums.max_of_others[i];
                out[0][i] = (sums.argmax[i] as usize, Others { max, mass, moment });
                let mut vectors = vec![[f32::NEG_INFINITY.to_bits(); 16]; vocab.div_ceil(16)];
                for (place, x) in vectors.as_flattened_mut().iter_mut().zip(row) {
                    *place = x.to_bits();
                }
                let before = vectors.clone();
                let argmax = argmax(row);
                out[1][i] = (argmax, alone(s, &mut vectors, argmax, temperature));
                assert_eq!(before, vectors, "the row is left as it was");
            }
            out
        }
    }

    fn argmax(row: &[f32]) -> usize {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row.iter().position(|&x| x == max).expect("a largest logit")
    }

    /// Rows of all kinds: with ties, −∞, few tokens, zeros of both signs, and far apart.
    fn rows(vocab: usize) -> [Vec<f32>; 16] {
        let logit = |row: usize, token: usize| {
            let x = (row * 1_009 + token + 1) as u64;
            let x = x.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let x = (x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let uniform = (x >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
            match row {
                0..4 => uniform * [0.0, 2.0, 60.0, 1e5][row],
                4 => uniform * 4.0 + 1e6,
                5 => (uniform * 6.0).round(),
                6 => [0.0, -0.0][token % 2],
                7 => -(token as f32),
                8 => token as f32 * 3.0,
                9 if token != vocab / 3 => f32::NEG_INFINITY,
                10 if !token.is_multiple_of(7) => f32::NEG_INFINITY,
                11 if token == vocab / 2 => 45.0,
                12 if token == vocab / 2 => 5e4,
                13 if token == vocab - 1 => 100.0,
                14 => [-1e38, 1e38, 0.0][token % 3],
                _ if x >> 61 == 0 => f32::NEG_INFINITY,
                _ if token == 0 => 0.5,
                _ => uniform * 20.0 - 5.0,
            }
        };
        core::array::from_fn(|row| (0..vocab).map(|token| logit(row, token)).collect())
    }

    /// The plain loop.
    fn exact(row: &[f32], argmax: usize, t: f64) -> Others {
        let others = || row.iter().enumerate().filter(|&(i, _)| i != argmax).map(|(_, &x)| x);
        let max = others().fold(f32::NEG_INFINITY, f32::max);
        let mut sums = Others { max, ..Others::default() };
        for x in others().filter(|&x| x > f32::NEG_INFINITY) {
            let below = f64::from(x) - f64::from(max);
            let weight = (below / t).exp();
            sums.mass += weight;
            sums.moment += weight * below;
        }
        sums
    }

    #[test]
    fn alone_and_side_by_side_are_the_same_bits_and_near_the_plain_loop() {
        let levels = || Level::ALL.into_iter().filter(|level| level.is_available());
        let bits = |x: Others| [x.max.to_bits().into(), x.mass.to_bits(), x.moment.to_bits()];
        for vocab in (1..=70).chain([127, 128, 129, 255, 256, 257, 400, 480, 495, 496]) {
            let rows = rows(vocab);
            for t in TEMPERATURES {
                let temperature = Temperature::new(t).expect("a fine temperature");
                let first = run(Level::Baseline, Both { rows: &rows, temperature });
                for level in levels() {
                    let both = run(level, Both { rows: &rows, temperature });
                    for (i, row) in rows.iter().enumerate() {
                        for (argmax_of, others) in [both[0][i], both[1][i]] {
                            let name = format!("{level}, V {vocab}, T {t}, row {i}");
                            assert_eq!(argmax_of, argmax(row), "{name}");
                            assert_eq!(bits(others), bits(first[1][i].1), "{name}");
                        }
                    }
                }
                for (i, row) in rows.iter().enumerate() {
                    let (argmax, ours) = first[1][i];
                    let exact = exact(row, argmax, t.into());
                    let name = format!("V {vocab}, T {t}, row {i}: {ours:?}, not {exact:?}");
                    assert_eq!(ours.max, exact.max, "{name}");
                    if exact.max == f32::NEG_INFINITY {
                        continue;
                    }
                    // |z − max|/T times the roundings of the difference and of 1/T, weighed.
                    let slack = 1.2e-7 * exact.moment.abs() / f64::from(t);
                    let error = (ours.mass - exact.mass).abs();
                    assert!(error <= 1e-6 * exact.mass + slack, "{name}");
                    // Its weights are small where it is large.
                    if t < 1e30 {
                        let error = (ours.moment - exact.moment).abs() / f64::from(t);
                        assert!(error <= 2e-6 * exact.mass, "{name}");
                    }
                }
            }
        }
    }
}
