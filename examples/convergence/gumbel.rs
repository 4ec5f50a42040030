//! Draws with a mask among the classes: Bernoulli first, as the library does it, beside the float32
//! Gumbel form of engines.

use crate::check::{Checks, STANDARD_ERRORS};
use crate::exact_law::{chi_square_test, total_variation};
use crate::network::{MASK, Worker};
use crate::plot::{Axis, Curve, Mark, Panel};
use crate::race::{self, Noise, Outcome, Race, cut_outcome, draw_as_engines_do, float32_outcome};
use crate::spread::{progress, spread, sum};
use crate::{Common, Findings};
use anyhow::Result;
use clap::{Args, value_parser};
use demask::{Canvas, Key, Logits, LogitsData, Policy, Purpose};
use plotters::prelude::SeriesLabelPosition;
use statrs::distribution::{ContinuousCDF, Normal};
use std::time::Instant;

/// The entropy of drawn tokens with a mask class: the library beside float32 Gumbel noise
/// (Zheng et al., arXiv 2409.02908, section 5).
#[derive(Args)]
pub(crate) struct Arguments {
    /// The number of tokens
    #[arg(long, value_name = "V", default_value_t = 50_257, value_parser = value_parser!(u32).range(2..=1 << 20))]
    vocab: u32,

    /// Laws of the tokens: zipf:1 for p ∝ 1/rank, normal:2 for normal logits with standard deviation
    /// 2 (their quantiles)
    #[arg(long = "law", value_name = "LAW", value_delimiter = ',', num_args = 1.., value_parser = parse_law,
          default_values = ["zipf:1", "normal:2", "normal:3", "normal:4"])]
    laws: Vec<Law>,

    /// Numbers of remaining steps; a token is drawn with probability 1 in so many
    #[arg(long, value_name = "N", value_delimiter = ',', num_args = 1.., value_parser = value_parser!(u32).range(1..=1 << 24), default_values = ["1", "2048", "50000"])]
    remaining: Vec<u32>,

    /// Tokens drawn in each case [default: 1,000,000; with --quick 50,000; the library's at most one
    /// in 2·10^10 looks at a mask, with --quick 2·10^8]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1000..))]
    samples: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Law {
    Zipf(f64),
    Normal(f64),
}

fn parse_law(text: &str) -> Result<Law, String> {
    let (name, number) = text.split_once(':').unwrap_or((text, "1"));
    let number: f64 = number.parse().map_err(|_| format!("{number:?} is no number"))?;
    if !(0.0..=20.0).contains(&number) {
        return Err(format!("{number} is not from 0 to 20"));
    }
    match name {
        "zipf" => Ok(Law::Zipf(number)),
        "normal" => Ok(Law::Normal(number)),
        _ => Err(format!("{name:?} is neither zipf nor normal")),
    }
}

impl Law {
    fn name(self) -> String {
        match self {
            Self::Zipf(exponent) => format!("Zipf({exponent})"),
            Self::Normal(deviation) => format!("normal({deviation})"),
        }
    }

    /// The logits. Ranks are spread over the vocabulary.
    fn logits(self, vocab: usize) -> Vec<f64> {
        let normal = Normal::standard();
        let mut logits = vec![0.0; vocab];
        // A stride that shares no factor with the vocabulary visits each token once.
        let stride = (vocab * 2 / 5..).find(|&stride| gcd(stride, vocab) == 1).unwrap_or(1);
        for rank in 0..vocab {
            logits[rank * stride % vocab] = match self {
                Self::Zipf(exponent) => -exponent * ((rank + 1) as f64).ln(),
                Self::Normal(deviation) => {
                    -deviation * normal.inverse_cdf((rank as f64 + 0.5) / vocab as f64)
                }
            };
        }
        logits
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logits.iter().map(|z| (z - largest).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}

/// In nats.
fn entropy(law: &[f64]) -> f64 {
    law.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum()
}

/// The temperature at which logits have this entropy, by bisection.
fn temperature(logits: &[f64], wanted: f64) -> f64 {
    let (mut low, mut high) = (0.01, 2.0);
    for _ in 0..30 {
        let middle = 0.5 * (low + high);
        let scaled: Vec<f64> = logits.iter().map(|z| z / middle).collect();
        if entropy(&softmax(&scaled)) < wanted { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// Tokens that were drawn, and in how many trials.
struct Drawn {
    counts: Vec<u64>,
    trials: u64,
}

impl Drawn {
    fn tokens(&self) -> f64 {
        self.counts.iter().sum::<u64>() as f64
    }

    /// The mean of −ln law(token): the entropy if `law` is the law of the tokens, and more if it is
    /// not; and its standard error.
    fn entropy(&self, law: &[f64]) -> (f64, f64) {
        let n = self.tokens();
        let mean = |f: &dyn Fn(f64) -> f64| {
            let seen = self.counts.iter().zip(law).filter(|(count, _)| **count > 0);
            seen.map(|(&count, p)| count as f64 * f(-p.ln())).sum::<f64>() / n
        };
        let first = mean(&|surprise| surprise);
        let second = mean(&|surprise| (surprise - first).powi(2));
        (first, (second / n).sqrt())
    }

    /// Tokens drawn in a trial, times the number of remaining steps, and its standard error.
    fn rate(&self, remaining: f64) -> (f64, f64) {
        let rate = self.tokens() / self.trials as f64;
        let variance = rate * (1.0 - rate).max(0.0) / self.trials as f64;
        (rate * remaining, variance.sqrt() * remaining)
    }

    /// Three checks of one sampler against what it should do.
    fn check(&self, name: &str, expected: &Outcome, remaining: f64, checks: &mut Checks) {
        let (found, error) = self.entropy(&expected.law);
        let wanted = entropy(&expected.law);
        checks.near(
            format!("{name}: entropy of drawn tokens"),
            found,
            wanted,
            STANDARD_ERRORS * error,
        );
        let (rate, _) = self.rate(remaining);
        // The variance at the expected rate, and what a table of it may be off.
        let share = expected.rate / remaining;
        let error = (share * (1.0 - share).max(0.0) / self.trials as f64).sqrt() * remaining;
        let allowed = STANDARD_ERRORS * error + 1e-4 * expected.rate;
        checks.near(format!("{name}: P(unmask) × remaining"), rate, expected.rate, allowed);
        let p = chi_square_test(&self.counts, &expected.law);
        checks.p_value(format!("{name}: p-value of chi-square of the tokens"), p);
    }
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<Findings> {
    let mut checks = Checks::default();
    check_references(&mut checks);
    let vocab = arguments.vocab as usize;
    println!(
        "V = {vocab}. H: entropy in nats, of the law and of drawn tokens; rate: P(unmask) × remaining."
    );
    println!(
        "float32: Gumbel noise from 24 random bits, the mask among the classes; published: its"
    );
    println!("continuous form (proposition 5.2); T: the temperature with that entropy.\n");
    println!(
        "                          ------ demask -----    ----------- float32 ----------    -------- published --------"
    );
    println!(
        "  law        remaining     H        H     rate          H  exactly  rate exactly         H  exactly    rate     T"
    );
    let mut entropies = Vec::new();
    let mut laws = Vec::new();
    for (color, &law) in arguments.laws.iter().enumerate() {
        let logits = law.logits(vocab);
        let mu = softmax(&logits);
        let rounded: Vec<f32> = logits.iter().map(|&z| z as f32).collect();
        let name = law.name();
        let (mut ours_points, mut ours_errors) = (Vec::new(), Vec::new());
        let (mut engine_points, mut engine_errors) = (Vec::new(), Vec::new());
        for (k, &steps) in arguments.remaining.iter().enumerate() {
            let remaining = f64::from(steps);
            let seed = common.seed + 1000 * color as u64 + k as u64;
            let case = format!("{name}, {steps} remaining");
            let ours = draw_with_library(arguments, common, &rounded, steps, seed)?;
            let exact = Outcome { rate: 1.0, law: mu.clone() };
            ours.check(&format!("{case}, demask"), &exact, remaining, &mut checks);

            let float32 = float32_outcome(&mu, remaining);
            let engines = draw_by_race(arguments, common, &mu, remaining, Noise::Float32, seed)?;
            engines.check(&format!("{case}, float32 noise"), &float32, remaining, &mut checks);

            let cut = cut_outcome(&mu, remaining, race::least());
            let published = draw_by_race(arguments, common, &mu, remaining, Noise::Cut, seed)?;
            published.check(
                &format!("{case}, noise of at least 2^−24"),
                &cut,
                remaining,
                &mut checks,
            );

            let (our_entropy, our_error) = ours.entropy(&mu);
            let (engine_entropy, engine_error) = engines.entropy(&float32.law);
            let (cut_entropy, _) = published.entropy(&cut.law);
            println!(
                "  {name:10} {steps:9} {:8.4} {our_entropy:8.4} {:8.4} {engine_entropy:10.4} {:8.4} {:6.4} {:6.4} {cut_entropy:10.4} {:8.4} {:7.4} {:6.3}",
                entropy(&mu),
                ours.rate(remaining).0,
                entropy(&float32.law),
                engines.rate(remaining).0,
                float32.rate,
                entropy(&cut.law),
                cut.rate,
                temperature(&logits, entropy(&cut.law)),
            );
            let change = engine_entropy - entropy(&mu);
            if entropy(&float32.law) - entropy(&mu) < -0.1 {
                let check = format!("{case}, float32 noise: entropy is lost, 0.05 nats or more");
                checks.between(check, change, -entropy(&mu), -0.05);
            }
            let at = remaining;
            ours_points.push((at, our_entropy));
            ours_errors.push(our_error);
            engine_points.push((at, engine_entropy));
            engine_errors.push(engine_error);
            if color == 0 && k + 1 == arguments.remaining.len().min(2) {
                laws = law_curves(&mu, &float32, &cut, &ours);
                laws.push(Curve::new(format!("{case}:"), Mark::Line, 7, Vec::new()));
                laws.rotate_right(1);
            }
        }
        let last = f64::from(arguments.remaining.iter().copied().max().unwrap_or(1)).max(10.0);
        let grid = (0..=16).map(|k| last.powf(f64::from(k) / 16.0));
        let exact: Vec<(f64, f64)> =
            grid.map(|at| (at, entropy(&cut_outcome(&mu, at, race::least()).law))).collect();
        let truth = [1.0, last].map(|at| (at, entropy(&mu))).to_vec();
        let label = |text: &str| {
            if color + 1 == arguments.laws.len() { text.to_owned() } else { String::new() }
        };
        entropies.push(Curve::new(label("entropy of the law"), Mark::Dashed, 0, truth));
        entropies.push(Curve::new(&name, Mark::Line, color, exact));
        let points = Curve::new(label("drawn by demask"), Mark::Points, color, ours_points);
        entropies.push(Curve { errors: ours_errors, ..points });
        let points =
            Curve::new(label("drawn with float32 noise"), Mark::Crosses, color, engine_points);
        entropies.push(Curve { errors: engine_errors, ..points });
    }
    println!();
    time_plain_draws(arguments, &mut checks, common)?;
    let highest = entropies.iter().flat_map(|curve| &curve.points).map(|point| point.1);
    let top = 1.05 * highest.fold(0.0, f64::max);
    let entropies = Panel {
        title: "Entropy of drawn tokens (lines: published law of float32 noise)".to_owned(),
        x: Axis::log("remaining steps"),
        y: Axis { range: Some((0.0, top)), ..Axis::linear("entropy, nats") },
        curves: entropies,
        legend: SeriesLabelPosition::LowerLeft,
    };
    let laws = Panel {
        title: "What becomes of unlikely tokens".to_owned(),
        x: Axis::log("rank of the token"),
        y: Axis {
            range: Some((1e-9, 0.3)),
            ..Axis::log("probability, given that a token is drawn")
        },
        curves: laws,
        legend: SeriesLabelPosition::LowerLeft,
    };
    Ok(Findings { checks, panels: vec![entropies, laws], columns: 2 })
}

/// Draws tokens along plan and step: a grid of linear steps at the step at which `remaining` of them
/// are left, so that each mask is revealed with probability 1/`remaining`.
fn draw_with_library(
    arguments: &Arguments,
    common: &Common,
    logits: &[f32],
    remaining: u32,
    seed: u64,
) -> Result<Drawn> {
    const POSITIONS: usize = 1 << 16;
    let wanted = common.samples(arguments.samples, 1_000_000, 50_000);
    let looks = common.samples(None, 20_000_000_000, 200_000_000);
    let trials = (wanted * u64::from(remaining)).min(looks);
    let bar = progress(trials, format!("demask, {remaining} remaining"))?;
    let policy = [Policy::euler(demask::Noise::Linear, remaining)];
    let make = || Worker::new(1, POSITIONS, logits.len(), logits.len());
    let batch = POSITIONS as u64;
    let workers = spread(trials, batch, make, |worker, trials| {
        let positions = (trials.end - trials.start) as usize;
        worker.reset(1, positions, seed, trials.start / batch);
        let Worker { sampler, plan, tokens, segments, index, counts } = worker;
        let mut canvas = Canvas::new(tokens, MASK, segments, &policy)?;
        sampler.plan(&canvas, plan)?;
        index.clear();
        index.resize(plan.rows().len(), 0);
        let data = LogitsData::F32(logits);
        let rows = Logits::new(data, 1, logits.len(), logits.len(), Some(index))?;
        sampler.step_planned(&mut canvas, plan, &rows)?;
        for &at in plan.rows() {
            counts[tokens[at as usize] as usize] += 1;
        }
        bar.inc(positions as u64);
        Ok(())
    })?;
    bar.finish_and_clear();
    let mut counts = sum(workers.into_iter().map(|worker| worker.counts));
    counts.pop();
    Ok(Drawn { counts, trials })
}

/// Draws tokens by races with a mask.
fn draw_by_race(
    arguments: &Arguments,
    common: &Common,
    law: &[f64],
    remaining: f64,
    noise: Noise,
    seed: u64,
) -> Result<Drawn> {
    const BATCH: u64 = 10_000;
    let samples = common.samples(arguments.samples, 1_000_000, 50_000);
    let race = Race::new(law, remaining, noise);
    let bar = progress(samples, format!("{noise:?} noise, {remaining} remaining"))?;
    let make = || Ok((vec![0; law.len()], 0));
    let workers = spread(samples, BATCH, make, |(counts, trials), draws| {
        let key = Key { seed, stream: draws.start, step: noise as u32, position: 0 };
        let mut rng = key.generator(Purpose::Token);
        for _ in draws.clone() {
            let (races, token) = race.next(&mut rng);
            *trials += races;
            counts[token as usize] += 1;
        }
        bar.inc(draws.end - draws.start);
        Ok(())
    })?;
    bar.finish_and_clear();
    let trials = workers.iter().map(|worker| worker.1).sum();
    Ok(Drawn { counts: sum(workers.into_iter().map(|worker| worker.0)), trials })
}

/// The draw of engines, class by class, without a mask: what the races above stand for.
fn time_plain_draws(arguments: &Arguments, checks: &mut Checks, common: &Common) -> Result<()> {
    const BATCH: u64 = 100;
    let draws = common.samples(None, 20_000, 1_000);
    let Some(&law) = arguments.laws.first() else { return Ok(()) };
    let mu = softmax(&law.logits(arguments.vocab as usize));
    let logarithms: Vec<f32> = mu.iter().map(|p| p.ln() as f32).collect();
    let bar = progress(draws, "float32 Gumbel draws, class by class")?;
    let start = Instant::now();
    let make = || Ok(vec![0; mu.len()]);
    let workers = spread(draws, BATCH, make, |counts: &mut Vec<u64>, draws| {
        let key = Key { seed: common.seed, stream: draws.start, step: 9, position: 0 };
        let mut rng = key.generator(Purpose::Token);
        for _ in draws.clone() {
            counts[draw_as_engines_do(&logarithms, &mut rng)] += 1;
        }
        bar.inc(draws.end - draws.start);
        Ok(())
    })?;
    bar.finish_and_clear();
    let seconds = start.elapsed().as_secs_f64();
    let drawn = Drawn { counts: sum(workers), trials: draws };
    let float32 = float32_outcome(&mu, 1.0);
    drawn.check(&format!("{}, float32 noise class by class", law.name()), &float32, 1.0, checks);
    let (found, error) = drawn.entropy(&float32.law);
    println!(
        "{draws} float32 draws class by class, 1 remaining, {}: H {found:.3} ±{error:.3}, exactly {:.4}; {:.0} µs each\n",
        law.name(),
        entropy(&float32.law),
        1e6 * seconds / draws as f64
    );
    Ok(())
}

/// Probabilities by rank, for a plot.
fn law_curves(mu: &[f64], float32: &Outcome, cut: &Outcome, ours: &Drawn) -> Vec<Curve> {
    let mut order: Vec<usize> = (0..mu.len()).collect();
    order.sort_by(|&a, &b| mu[b].total_cmp(&mu[a]));
    let ranks: Vec<usize> = (0..=60)
        .map(|k| (mu.len() as f64).powf(f64::from(k) / 60.0) as usize)
        .filter(|&rank| rank >= 1 && rank <= mu.len())
        .collect();
    let curve = |name: &str, mark, color, law: &[f64]| {
        let points = ranks.iter().map(|&rank| (rank as f64, law[order[rank - 1]]));
        let points = points.filter(|point| point.1 > 1e-9).collect();
        Curve::new(name, mark, color, points)
    };
    // Shares of drawn tokens, over ranges of ranks.
    let tokens = ours.tokens();
    let share = |pair: &[usize]| {
        let count: u64 =
            order[pair[0] - 1..pair[1] - 1].iter().map(|&token| ours.counts[token]).sum();
        let width = (pair[1] - pair[0]) as f64;
        (((pair[0] * pair[1]) as f64).sqrt(), count as f64 / tokens / width)
    };
    let coarse: Vec<usize> = ranks.iter().copied().step_by(3).collect();
    let shares = coarse.windows(2).filter(|pair| pair[0] < pair[1]).map(share).collect();
    vec![
        curve("the law", Mark::Dashed, 0, mu),
        Curve::new("demask, drawn", Mark::Points, 0, shares),
        curve("float32 noise", Mark::Line, 1, &float32.law),
        curve("float32, published form", Mark::Line, 2, &cut.law),
    ]
}

/// One row: remaining steps, P(unmask) × remaining, change of entropy, temperature with that entropy,
/// TV; with the numbers of decimals that were printed.
type Row = (f64, [f64; 4], [i32; 4]);

/// Laws at V = 50,257: the entropy, and what noise of at least 2^−24 makes of them, as another
/// program (numpy, f64) printed it.
#[rustfmt::skip]
const REFERENCES: [(Law, f64, &[Row]); 4] = [
    (Law::Zipf(1.0), 7.566, &[
        (1.0, [1.0, -0.0140, 0.9987, 2.1e-3], [4, 4, 4, 4]),
        (64.0, [0.8792, -0.663, 0.943, 9.2e-2], [4, 3, 3, 3]),
        (1024.0, [0.6379, -2.261, 0.827, 0.296], [4, 3, 3, 3]),
        (2048.0, [0.5770, -2.680, 0.798, 0.348], [4, 3, 3, 3]),
        (10000.0, [0.4381, -3.659, 0.727, 0.469], [4, 3, 3, 3]),
        (50000.0, [0.2981, -4.685, 0.642, 0.590], [4, 3, 3, 3]),
    ]),
    (Law::Normal(2.0), 8.846, &[
        (1.0, [1.0, -0.011, 0.997, 1.9e-3], [4, 3, 3, 4]),
        (2048.0, [0.4422, -1.943, 0.693, 0.374], [4, 3, 3, 3]),
        (50000.0, [0.0568, -5.318, 0.440, 0.801], [4, 3, 3, 3]),
    ]),
    (Law::Normal(3.0), 6.638, &[
        (1.0, [1.0, -0.016, 0.998, 1.8e-3], [4, 3, 3, 4]),
        (2048.0, [0.7350, -1.287, 0.842, 0.195], [4, 3, 3, 3]),
        (50000.0, [0.3429, -3.275, 0.644, 0.504], [4, 3, 3, 3]),
    ]),
    (Law::Normal(4.0), 4.462, &[
        (1.0, [1.0, -0.012, 0.999, 1.0e-3], [4, 3, 3, 4]),
        (2048.0, [0.8892, -0.688, 0.911, 0.088], [4, 3, 3, 3]),
        (50000.0, [0.6423, -1.836, 0.763, 0.271], [4, 3, 3, 3]),
    ]),
];

/// The closed form beside the numbers of another program.
fn check_references(checks: &mut Checks) {
    const VOCAB: usize = 50_257;
    // A tenth of a unit more than rounding, for the roots of the other program.
    let tolerance = |decimals: i32| 0.6 * 10f64.powi(-decimals);
    for (law, printed, rows) in REFERENCES {
        let logits = law.logits(VOCAB);
        let mu = softmax(&logits);
        let truth = entropy(&mu);
        let name = format!("{}, V={VOCAB}", law.name());
        checks.near(format!("{name}: entropy"), truth, printed, tolerance(3));
        for &(remaining, printed, decimals) in rows {
            let outcome = cut_outcome(&mu, remaining, race::least());
            let reached = entropy(&outcome.law);
            let found = [
                ("P(unmask) × remaining", outcome.rate),
                ("change of entropy", reached - truth),
                ("temperature with that entropy", temperature(&logits, reached)),
                ("TV to the law", total_variation(&outcome.law, &mu)),
            ];
            for (((what, found), printed), decimals) in found.into_iter().zip(printed).zip(decimals)
            {
                let check = format!("{name}, {remaining} remaining, published law: {what}");
                checks.near(check, found, printed, tolerance(decimals));
            }
        }
    }
    // 53 random bits lose a rate of 1.1e-8, and 5e-8 nats.
    let mu = softmax(&Law::Zipf(1.0).logits(VOCAB));
    let outcome = cut_outcome(&mu, 2048.0, 0.5f64.powi(53));
    let name = "Zipf(1), 2048 remaining, 53 bits";
    checks.near(format!("{name}: missing rate"), 1.0 - outcome.rate, 1.1e-8, 0.05e-8);
    let change = entropy(&outcome.law) - entropy(&mu);
    checks.near(format!("{name}: change of entropy"), change, -5e-8, 0.5e-8);
}
