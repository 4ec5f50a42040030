//! The float32 Gumbel draw of engines, with a mask among the classes, and its law.
//!
//! An engine turns 24 random bits into a float32 u in [0, 1), makes −ln(−ln u) of it for every class
//! and takes the class with the largest sum of that and its log-probability. Since u is at most
//! 1 − 2^−24, an unlikely class cannot win as often as it should (Zheng et al., arXiv 2409.02908,
//! section 5): a class of probability π needs noise E = −ln u of about π, and E is at least 2^−24.
//!
//! In other words it is a race: class k arrives at E/π.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;
use rayon::prelude::*;

/// Values of u in [0, 1).
const GRID: f64 = 16_777_216.0;

/// A number in (0, 1].
fn uniform(rng: &mut Xoshiro256PlusPlus) -> f64 {
    ((rng.next_u64() >> 11) + 1) as f64 * 0.5f64.powi(53)
}

/// Gumbel noise in float32 from k·2^−24, as engines make it (SEDD's and MDLM's `sample_categorical`;
/// the small numbers are theirs, against ln 0).
fn gumbel(k: u32) -> f32 {
    let u = k as f32 * (1.0 / 16_777_216.0);
    -(1e-10 - (u + 1e-10).ln()).ln()
}

/// Draws a class as engines do: the largest log-probability plus noise, all in float32. Ties: the
/// first.
pub(crate) fn draw_as_engines_do(logarithms: &[f32], rng: &mut Xoshiro256PlusPlus) -> usize {
    let (mut winner, mut best) = (0, f32::NEG_INFINITY);
    for (class, logarithm) in logarithms.iter().enumerate() {
        let score = logarithm + gumbel((rng.next_u64() >> 40) as u32);
        if score > best {
            (winner, best) = (class, score);
        }
    }
    winner
}

/// Where the noise of a race comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Noise {
    /// The 2^24 values that engines have.
    Float32,
    /// Continuous, but never below 2^−24: what Zheng et al.'s proposition 5.2 is about. It is a
    /// little rougher than engines, half a step of the grid on average.
    Cut,
}

/// The least noise that is possible: −ln(1 − 2^−24).
pub(crate) fn least() -> f64 {
    -(-1.0 / GRID).ln_1p()
}

impl Noise {
    /// P(E ≤ limit).
    fn probability(self, limit: f64) -> f64 {
        match self {
            Self::Float32 => (-(-limit).exp_m1() * GRID).floor() / GRID,
            Self::Cut if limit > least() => -(least() - limit).exp_m1(),
            Self::Cut => 0.0,
        }
    }

    /// Gumbel noise from its quantile `v` in (0, 1], the largest noise first.
    fn gumbel(self, v: f64) -> f64 {
        match self {
            Self::Float32 => gumbel((GRID - (v * GRID).ceil()) as u32).into(),
            Self::Cut => -(least() - (-v).ln_1p()).ln(),
        }
    }
}

/// Tokens whose probabilities are within a factor of two.
struct Group {
    largest: f64,
    tokens: Vec<u32>,
}

/// A range of the noise of the mask.
struct Bucket {
    /// The quantiles.
    low: f64,
    high: f64,
    /// −ln P(a token of a group is no candidate), a candidate being one that could arrive before
    /// the mask does.
    costs: Vec<f64>,
    /// P(the noise of the mask is here, and there is a candidate).
    weight: f64,
}

/// The race of [`draw_as_engines_do`] among a mask and many tokens, without drawing noise that
/// cannot matter: the law is the same, but the time is not. Only tokens whose noise is small enough
/// to beat the best so far are looked at; they are found by skipping a geometric number of others.
/// Races in which there is no such token are counted, but not run.
pub(crate) struct Race {
    noise: Noise,
    /// ln of each token's probability, the chance to unmask included.
    logarithms: Vec<f32>,
    groups: Vec<Group>,
    mask: Option<f32>,
    buckets: Vec<Bucket>,
    total: f64,
}

/// How much farther than exact arithmetic says a candidate is looked for, for the rounding of
/// float32 and the small numbers in [`gumbel`].
const SLACK: f64 = 1.0 + 1e-3;

impl Race {
    /// Among tokens of probabilities `law`, with `remaining` steps to go: all are scaled by
    /// 1/`remaining`, and the rest is the mask's.
    pub(crate) fn new(law: &[f64], remaining: f64, noise: Noise) -> Self {
        let logarithms = law.iter().map(|p| (p / remaining).ln() as f32).collect();
        let mut order: Vec<u32> = (0..law.len() as u32).collect();
        order.sort_by(|&a, &b| law[b as usize].total_cmp(&law[a as usize]));
        let mut groups: Vec<Group> = Vec::new();
        for token in order {
            let p = law[token as usize] / remaining;
            match groups.last_mut() {
                Some(group) if p > 0.5 * group.largest => group.tokens.push(token),
                _ => groups.push(Group { largest: p, tokens: vec![token] }),
            }
        }
        let mut race = Self { noise, logarithms, groups, mask: None, buckets: vec![], total: 0.0 };
        if remaining > 1.0 {
            let mask = 1.0 - 1.0 / remaining;
            race.mask = Some(mask.ln() as f32);
            let mut low = 0.0;
            for edge in 1..=133 {
                // The last one is open: float32 noise goes on to 23, where u is 0.
                let (limit, high) = match f64::from(edge) / 8.0 {
                    16.625 => (40.0, 1.0),
                    limit => (limit, noise.probability(limit)),
                };
                let costs: Vec<f64> =
                    race.groups.iter().map(|group| race.cost(group, limit / mask)).collect();
                let sum: f64 =
                    costs.iter().zip(&race.groups).map(|(c, g)| c * g.tokens.len() as f64).sum();
                let weight = -(-sum).exp_m1() * (high - low);
                race.total += weight;
                race.buckets.push(Bucket { low, high, costs, weight });
                low = high;
            }
        }
        race
    }

    /// −ln P(a token of `group` does not arrive before `time`), or less.
    fn cost(&self, group: &Group, time: f64) -> f64 {
        -(-self.noise.probability(group.largest * time * SLACK)).ln_1p()
    }

    /// Races until a token wins: how many races that takes, and the token.
    pub(crate) fn next(&self, rng: &mut Xoshiro256PlusPlus) -> (u64, u32) {
        let Some(mask) = self.mask else {
            let token = self.run(None, f64::NEG_INFINITY, -uniform(rng).ln(), rng);
            return (1, token.unwrap_or_default());
        };
        let mut races = 0;
        loop {
            // Those without a candidate are lost for the tokens.
            races += 1 + (uniform(rng).ln() / (-self.total).ln_1p()) as u64;
            let mut place = uniform(rng) * self.total;
            let bucket = self.buckets.iter().find(|bucket| {
                place -= bucket.weight;
                place <= 0.0
            });
            let Some(bucket) = bucket.or(self.buckets.last()) else { continue };
            let v = bucket.low + (bucket.high - bucket.low) * uniform(rng);
            let score = match self.noise {
                Noise::Float32 => f64::from(mask + self.noise.gumbel(v) as f32),
                Noise::Cut => f64::from(mask) + self.noise.gumbel(v),
            };
            // An exponential number, given that it reaches a candidate.
            let share = bucket.weight / (bucket.high - bucket.low);
            let first = -(-share * (1.0 - uniform(rng))).ln_1p();
            if let Some(token) = self.run(Some(bucket), score, first, rng) {
                return (races, token);
            }
        }
    }

    /// The token with the largest score above `best`, if there is one. `clock` says how far away the
    /// first candidate is. Without a bucket the limit is what the best so far says.
    fn run(
        &self,
        bucket: Option<&Bucket>,
        mut best: f64,
        mut clock: f64,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Option<u32> {
        let mut winner = None;
        for (k, group) in self.groups.iter().enumerate() {
            let cost = bucket.map_or_else(|| self.cost(group, (-best).exp()), |b| b.costs[k]);
            let within = -(-cost).exp_m1();
            if cost <= 0.0 {
                continue;
            }
            let mut at = 0;
            while at < group.tokens.len() {
                let left = (group.tokens.len() - at) as f64;
                let skip = clock / cost;
                if skip >= left {
                    clock -= cost * left;
                    break;
                }
                at += skip as usize;
                let token = group.tokens[at];
                let (logarithm, noise) =
                    (self.logarithms[token as usize], self.noise.gumbel(within * uniform(rng)));
                let score = match self.noise {
                    Noise::Float32 => f64::from(logarithm + noise as f32),
                    Noise::Cut => f64::from(logarithm) + noise,
                };
                if score > best {
                    (winner, best) = (Some(token), score);
                }
                at += 1;
                clock = -uniform(rng).ln();
            }
        }
        winner
    }
}

/// What a race makes of a law.
pub(crate) struct Outcome {
    /// P(a token wins) times the number of remaining steps: 1 in exact arithmetic.
    pub(crate) rate: f64,
    /// The law of the token, given that one wins.
    pub(crate) law: Vec<f64>,
}

impl Outcome {
    fn new(shares: Vec<f64>, remaining: f64) -> Self {
        let total: f64 = shares.iter().sum();
        let law = shares.into_iter().map(|share| share / total).collect();
        Self { rate: total * remaining, law }
    }
}

/// The outcome with continuous noise of at least `least` (Zheng et al., proposition 5.2): class k
/// sets off at `least`/π and then arrives at rate π. Between two departures the winner is
/// exponential.
pub(crate) fn cut_outcome(law: &[f64], remaining: f64, least: f64) -> Outcome {
    // Ascending probabilities; the mask is the last of the classes.
    let mut classes: Vec<(f64, usize)> =
        law.iter().enumerate().map(|(token, p)| (p / remaining, token)).collect();
    if remaining > 1.0 {
        classes.push((1.0 - 1.0 / remaining, law.len()));
    }
    classes.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Σ of the probabilities from each class on, the small ones last.
    let mut tails = vec![0.0; classes.len()];
    let mut sum = 0.0;
    for (tail, class) in tails.iter_mut().zip(&classes).rev() {
        sum += class.0;
        *tail = sum;
    }
    let mut shares = vec![0.0; law.len() + 1];
    let (mut sum, mut before) = (0.0, 0.0);
    for (i, &(p, class)) in classes.iter().enumerate() {
        if p > 0.0 {
            // exp(a) − exp(b) with a above b, over the tail.
            let running = (classes.len() - i) as f64;
            let a = (running - tails[i] / p) * least;
            let apart = tails[i] * least * (1.0 / before - 1.0 / p);
            sum += a.exp() * -(-apart).exp_m1() / tails[i];
        }
        shares[class] = p * sum;
        before = p;
    }
    shares.pop();
    Outcome::new(shares, remaining)
}

/// The outcome with the noise of engines. The j-th least of the 2^24 values of E is ln of
/// 1/(1 − j·2^−24); a class wins at it if the others come later:
/// P(class) = Σ_j 2^−24 · Π over others P(E > E_j·(their π)/π).
///
/// The product over all classes, as a function of the time E_j/π, is tabulated.
pub(crate) fn float32_outcome(law: &[f64], remaining: f64) -> Outcome {
    const STEP: f64 = 0.05;
    const LAST: f64 = 45.0;
    let mask = (remaining > 1.0).then(|| 1.0 - 1.0 / remaining);
    // ln P(a class has not arrived). Beyond 16.6 the mask has its last values; nothing is left there.
    let survival = |p: f64, time: f64| (-Noise::Float32.probability(p * time)).ln_1p().max(-60.0);
    let points = (LAST / STEP) as usize + 1;
    let table: Vec<f64> = (0..points)
        .into_par_iter()
        .map(|k| {
            let time = k as f64 * STEP;
            let tokens: f64 = law.iter().map(|p| survival(p / remaining, time)).sum();
            tokens + mask.map_or(0.0, |mask| -mask * time)
        })
        .collect();
    let at = |time: f64| {
        let place = time / STEP;
        let k = place as usize;
        match table.get(k..k + 2) {
            Some(pair) => pair[0] + (pair[1] - pair[0]) * (place - k as f64),
            None => f64::NEG_INFINITY,
        }
    };
    // ∫ of the exponential of straight lines.
    let line = |pair: &[f64]| match pair[0] - pair[1] {
        fall if fall < 1e-9 => pair[0].exp() * STEP,
        fall => pair[0].exp() * -(-fall).exp_m1() / fall * STEP,
    };
    let whole: f64 = table.windows(2).map(line).sum();
    let share = |p: &f64| {
        let p = p / remaining;
        let width = 1.0 / (GRID * p);
        if width < 0.05 {
            // The sum as an integral: without its end, at which half a step is missing, and with
            // the next term of Euler and Maclaurin.
            return p * (whole - 0.5 * width + width * width / 12.0);
        }
        let term = |j: f64| {
            let noise = -(-j / GRID).ln_1p();
            // The class itself is not among the others.
            (at(noise / p) + noise).exp()
        };
        let terms = (LAST / width).min(GRID - 1.0) as u64;
        (1..=terms).map(|j| term(j as f64)).sum::<f64>() / GRID
    };
    Outcome::new(law.iter().map(share).collect(), remaining)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact_law::chi_square_tail;
    use rand_xoshiro::rand_core::SeedableRng;

    /// A law with tokens at all distances from the least noise.
    fn law() -> Vec<f64> {
        let mut law: Vec<f64> = (0..40).map(|k| 0.6f64.powi(k)).collect();
        let total: f64 = law.iter().sum();
        law.iter_mut().for_each(|p| *p /= total);
        law
    }

    fn chi_square(counts: &[f64], law: &[f64]) -> f64 {
        let total: f64 = counts.iter().sum();
        let (mut square, mut cells) = (0.0, 0);
        let (mut rest, mut rest_count) = (0.0, 0.0);
        for (&count, p) in counts.iter().zip(law) {
            if p * total < 10.0 {
                (rest, rest_count) = (rest + p * total, rest_count + count);
            } else {
                square += (count - p * total).powi(2) / (p * total);
                cells += 1;
            }
        }
        if rest >= 10.0 {
            square += (rest_count - rest).powi(2) / rest;
            cells += 1;
        }
        chi_square_tail(square, cells - 1)
    }

    const DRAWS: u64 = 400_000;

    /// Holds a race against the outcome that it should have: chi-square at 1e-6.
    fn check(noise: Noise, remaining: f64, outcome: &Outcome, rng: &mut Xoshiro256PlusPlus) {
        let law = law();
        let race = Race::new(&law, remaining, noise);
        let mut counts = vec![0.0; law.len()];
        let mut races = 0;
        for _ in 0..DRAWS {
            let (count, token) = race.next(rng);
            races += count;
            counts[token as usize] += 1.0;
        }
        let p = chi_square(&counts, &outcome.law);
        assert!(p > 1e-6, "{noise:?}, {remaining} steps: p = {p}");
        let rate = DRAWS as f64 / races as f64 * remaining;
        let error = rate / (DRAWS as f64).sqrt();
        assert!((rate - outcome.rate).abs() < 5.0 * error, "{rate}, not {}", outcome.rate);
    }

    /// The plain draw, the race and the formula agree; chi-square at 1e-6.
    #[test]
    fn the_race_is_the_draw_of_engines() {
        for remaining in [1.0, 4.0, 3e5] {
            let law = law();
            let outcome = float32_outcome(&law, remaining);
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
            check(Noise::Float32, remaining, &outcome, &mut rng);

            if remaining < 100.0 {
                let mut logarithms: Vec<f32> =
                    law.iter().map(|p| (p / remaining).ln() as f32).collect();
                logarithms.push((1.0 - 1.0 / remaining).ln() as f32);
                let mut counts = vec![0.0; law.len() + 1];
                for _ in 0..DRAWS {
                    counts[draw_as_engines_do(&logarithms, &mut rng)] += 1.0;
                }
                let mut whole: Vec<f64> =
                    outcome.law.iter().map(|p| p * outcome.rate / remaining).collect();
                whole.push(1.0 - outcome.rate / remaining);
                let p = chi_square(&counts, &whole);
                assert!(p > 1e-6, "plain draw, {remaining} steps: p = {p}");
            }
        }
    }

    #[test]
    fn cut_noise_has_the_law_of_the_proposition() {
        for remaining in [1.0, 3e5] {
            let outcome = cut_outcome(&law(), remaining, least());
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
            check(Noise::Cut, remaining, &outcome, &mut rng);
        }
    }

    #[test]
    fn without_a_least_noise_there_is_no_bias() {
        let law = law();
        let outcome = cut_outcome(&law, 1000.0, 1e-30);
        assert!((outcome.rate - 1.0).abs() < 1e-12, "{}", outcome.rate);
        for (found, p) in outcome.law.iter().zip(&law) {
            assert!((found / p - 1.0).abs() < 1e-9, "{found}, not {p}");
        }
    }

    /// Two classes by hand: the likelier one is alone until the other sets off.
    #[test]
    fn two_classes_by_hand() {
        let (least, law) = (0.1, [0.2, 0.8]);
        let alone = 1.0 - (-0.8f64 * (least / 0.2 - least / 0.8)).exp();
        let outcome = cut_outcome(&law, 1.0, least);
        assert!((outcome.law[1] - (alone + (1.0 - alone) * 0.8)).abs() < 1e-15);
    }
}
