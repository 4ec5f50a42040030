//! The Euler method and its relatives: their exact laws, and the rate at which these approach the
//! target.
//!
//! With an exact denoiser, a sampler that reveals one position at a time has no error. So it errs by
//! at most the probability that two positions are revealed at once, or that something is left:
//! with π the probabilities that the steps reveal a given position, TV ≤ d(d − 1)/2·Σπ² + d·left.
//!
//! On PRIV, where every two positions share a fair bit, k positions revealed at once agree with
//! probability 2^−(k(k−1)/2), whatever else is known. So TV = 1 − E 2^−pairs, pairs being how many
//! are revealed at once: at most E pairs/2 = d(d − 1)/4·Σπ², which it tends to as steps get narrow,
//! and at least half the probability of a pair. Both bounds are derived here. Liang et al.
//! (arXiv 2602.22505) state an upper bound in total variation and a lower one that matches it in d
//! and ε; that is their abstract, and the constants here are not claimed to be theirs.

use crate::check::{Checks, STANDARD_ERRORS};
use crate::comparison::{Comparison, Estimate};
use crate::exact_law::reference::{self, Subject};
use crate::exact_law::{
    CompositionLaws, Denoiser, Family, Rule, Target, Weights, closed_form, reveal_probabilities,
    total_variation, uniform_grid,
};
use crate::network::Network;
use crate::plot::{Axis, Curve, Mark, Panel};
use crate::spread::progress;
use crate::timing::Timing;
use crate::{Common, Findings, exact_law, private_bits, subject};
use anyhow::{Result, ensure};
use clap::{Args, value_parser};
use plotters::prelude::SeriesLabelPosition;

/// Histograms against the exact law of the sampler, and the rate at which that nears the target.
///
/// With π the probabilities that the steps reveal a given position, N_eff = 1/Σπ² is the number of
/// steps, even in α, with which two positions are as likely to be revealed at once: N for the linear
/// schedule. Rates are stated in it, and so hold for every schedule.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Targets, as name:length:vocabulary: hash, markov, rep, pairs, parity, priv (whose vocabulary
    /// follows from its length), indep, point
    #[arg(long = "target", value_name = "TARGET", value_delimiter = ',', num_args = 1.., value_parser = subject::parse,
          default_values = ["hash:5:4", "markov:5:4", "rep:4:4", "pairs:8:2", "parity:8:2", "priv:4"])]
    targets: Vec<Subject>,

    /// Numbers of steps of the histograms
    #[arg(long, value_name = "N", value_delimiter = ',', num_args = 1.., value_parser = parse_steps, default_values = ["4", "16", "64"])]
    steps: Vec<usize>,

    /// Sequences in each histogram [default: 10,000,000; with --quick 100,000]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1000..))]
    samples: Option<u64>,

    /// Numbers of steps of the exact slope
    #[arg(long, value_name = "N", value_delimiter = ',', num_args = 1.., value_parser = parse_steps, default_values = ["256", "1024", "4096"])]
    slope_steps: Vec<usize>,

    /// Numbers of steps at which the distances on PRIV and REP of length 4 are measured for a slope
    #[arg(long, value_name = "N", value_delimiter = ',', num_args = 1.., value_parser = parse_steps, default_values = ["32", "64", "128", "256"])]
    measured_steps: Vec<usize>,

    /// How many wrong sequences are awaited for each of these distances [default: 20,000; with
    /// --quick 1,000]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(100..))]
    wrong: Option<u64>,

    /// Lengths of PRIV and REP
    #[arg(long, value_name = "D", value_delimiter = ',', num_args = 1.., value_parser = value_parser!(u16).range(2..=128), default_values = ["4", "8", "16", "32"])]
    lengths: Vec<u16>,

    /// Errors for which the number of steps is sought
    #[arg(long, value_name = "TV", value_delimiter = ',', num_args = 1.., value_parser = parse_error, default_values = ["0.1", "0.03", "0.01"])]
    errors: Vec<f64>,

    #[command(flatten)]
    timing: Timing,
}

/// The most steps that a search tries.
const MOST_STEPS: usize = 1 << 20;

fn parse_steps(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(steps) if (1..=MOST_STEPS).contains(&steps) => Ok(steps),
        _ => Err(format!("it must be a number from 1 to {MOST_STEPS}")),
    }
}

fn parse_error(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(error) if (1e-4..0.5).contains(&error) => Ok(error),
        _ => Err("it must be a number from 1e-4 to 0.5".to_owned()),
    }
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<Findings> {
    let mut checks = Checks::default();
    check_references(&mut checks)?;
    println!("{}\n", arguments.timing.name());
    let distances = histograms(arguments, common, &mut checks)?;
    slopes(arguments, &mut checks)?;
    let limits = limits(arguments, &mut checks);
    let measured = measured_slopes(arguments, common, &mut checks)?;
    let scaling = steps_for_errors(arguments, common, &mut checks)?;
    Ok(Findings { checks, panels: vec![distances, limits, measured, scaling], columns: 2 })
}

/// The exact laws beside the numbers of another program.
fn check_references(checks: &mut Checks) -> Result<()> {
    let mut rows = reference::distances();
    let bar = progress(rows.len() as u64, "exact laws beside reference values")?;
    let count = rows.len();
    while let Some(&reference::Distance { subject, .. }) = rows.first() {
        let target = subject::target(subject);
        let laws = CompositionLaws::new(&target);
        for row in rows.extract_if(.., |row| row.subject == subject) {
            let (steps, rule) = (row.times.len() - 1, row.rule);
            let name = format!(
                "{}, {}, {rule:?}, {:?}, N={steps}, leftovers {:?}",
                row.table,
                subject::name(subject),
                row.noise,
                row.leftover
            );
            let weights = Weights::independent(target.space().len, &row.reveal());
            let tv = total_variation(&laws.output(&weights, row.leftover), &target.law());
            checks.near(format!("{name}: exact TV"), tv, row.tv.value, row.tv.tolerance);
            if let Some(left) = row.left {
                let found = weights.leftover();
                checks.near(format!("{name}: leftover"), found, left.value, left.tolerance);
            }
            bar.inc(1);
        }
    }
    let linear = |steps| {
        reveal_probabilities(exact_law::Noise::Linear, Rule::Euler, &uniform_grid(1.0, steps))
    };
    for (len, steps, private, collision, repeated) in reference::CLOSED_FORMS {
        let reveal = linear(steps);
        let mut check = |what: &str, found: f64, printed: f64| {
            let printed = reference::Printed::digits(printed, 5);
            let name = format!("closed forms, d={len}, N={steps}: {what}");
            checks.near(name, found, printed.value, printed.tolerance);
        };
        check("TV on PRIV", closed_form::private_bits(len, &reveal), private);
        check("P(collision)", closed_form::collision(len, &reveal), collision);
        if let Some(repeated) = repeated {
            check("TV on REP, S=2", closed_form::repeated(len, 2, &reveal), repeated);
        }
    }
    bar.finish_and_clear();
    println!(
        "Exact laws beside {count} distances and {} closed forms of another program: in the checks.\n",
        reference::CLOSED_FORMS.len()
    );
    Ok(())
}

/// The distance between the sampler's law and its target.
fn distance(
    target: &Target,
    laws: &CompositionLaws<'_, Target>,
    timing: &Timing,
    steps: usize,
) -> f64 {
    let weights = Weights::independent(target.space().len, &timing.reveal(steps));
    total_variation(&laws.output(&weights, timing.leftover()), &target.law())
}

fn effective(timing: &Timing, steps: usize) -> f64 {
    closed_form::effective_steps(&timing.reveal_to_the_end(steps))
}

/// Histograms beside the exact law of the sampler, not of the target.
fn histograms(arguments: &Arguments, common: &Common, checks: &mut Checks) -> Result<Panel> {
    let Arguments { targets, steps, timing, .. } = arguments;
    let samples = common.samples(arguments.samples, 10_000_000, 100_000);
    println!(
        "{samples} sequences each. TV to the sampler's exact law, by chance alone, and the most"
    );
    println!(
        "that passes; G-test; TV to the target, estimated, with standard error, and exactly.\n"
    );
    println!(
        "  target              N       TV  by chance     most        p     TV to target    exactly"
    );
    let mut curves = Vec::new();
    for (color, &subject) in targets.iter().enumerate() {
        let target = subject::target(subject);
        let laws = CompositionLaws::new(&target);
        let network = Network::new(&target);
        let name = subject::name(subject);
        let (mut points, mut errors) = (Vec::new(), Vec::new());
        for (k, &steps) in steps.iter().enumerate() {
            let weights = Weights::independent(target.space().len, &timing.reveal(steps));
            let law = laws.output(&weights, timing.leftover());
            let exact = total_variation(&law, &target.law());
            let bar = progress(samples, format!("{name}, {steps} steps"))?;
            let seed = common.seed + 1000 * color as u64 + k as u64;
            let counts = network.histogram(&timing.policy(steps)?, samples, seed, &bar)?;
            bar.finish_and_clear();
            let found = Comparison::new(&counts, &law);
            let estimate = Estimate::new(&counts, &law, &target.law());
            println!(
                "  {name:17} {steps:>3} {:8.2e} {:8.2e} {:10.2e} {:8.1e} {:9.3e} ±{:.0e} {exact:10.3e}",
                found.tv, found.noise, found.bound, found.p, estimate.tv, estimate.error
            );
            let name = format!("{name}, N={steps}");
            found.check(&name, checks);
            let allowed = STANDARD_ERRORS * estimate.error + 1e-6;
            checks.near(format!("{name}: TV to the target"), estimate.tv, exact, allowed);
            points.push((effective(timing, steps), estimate.tv));
            errors.push(estimate.error);
        }
        let grid = (1..=12).map(|power| 1 << power).filter(|&steps| timing.fits(steps));
        let exact =
            grid.map(|steps| (effective(timing, steps), distance(&target, &laws, timing, steps)));
        let exact = exact.filter(|&(_, tv)| tv > 1e-12).collect();
        curves.push(Curve::new(name, Mark::Line, color, exact));
        curves.push(Curve { errors, ..Curve::new("", Mark::Points, color, points) });
    }
    println!();
    let reference = [4.0, 4096.0].map(|steps| (steps, 0.5 / steps)).to_vec();
    curves.push(Curve::new("slope −1", Mark::Dashed, 0, reference));
    Ok(Panel {
        title: format!("Distance to the target: exact (lines), {samples} sequences (points)"),
        x: Axis::log("steps, effective"),
        y: Axis::log("total variation to the target"),
        curves,
        legend: SeriesLabelPosition::LowerLeft,
    })
}

/// The slope of a line through the points (ln x, ln y), least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let (mean_x, spread) = log_spread(points);
    let moment = |&(x, y): &(f64, f64)| (x.ln() - mean_x) * y.ln();
    points.iter().map(moment).sum::<f64>() / spread
}

/// The mean of ln x, and the sum of its squared deviations.
fn log_spread(points: &[(f64, f64)]) -> (f64, f64) {
    let mean = points.iter().map(|(x, _)| x.ln()).sum::<f64>() / points.len() as f64;
    (mean, points.iter().map(|(x, _)| (x.ln() - mean).powi(2)).sum())
}

/// The standard error of [`slope`], from that of ln y at each point.
fn slope_error(points: &[(f64, f64)], errors: &[f64]) -> f64 {
    let (mean, spread) = log_spread(points);
    let term = |((x, _), error): (&(f64, f64), &f64)| ((x.ln() - mean) * error).powi(2);
    points.iter().zip(errors).map(term).sum::<f64>().sqrt() / spread
}

/// log TV falls as −log N, exactly.
///
/// In the effective number of steps this holds on PRIV whatever the schedule. On other targets the
/// constant also depends on when two positions are revealed at once, which does not change with N
/// if N_eff grows in proportion to N; where it does not, nothing is claimed.
fn slopes(arguments: &Arguments, checks: &mut Checks) -> Result<()> {
    let Arguments { targets, slope_steps, timing, .. } = arguments;
    ensure!(slope_steps.len() >= 2, "--slope-steps needs two numbers of steps or more");
    let timing = timing.finishing();
    let steps: Vec<(f64, f64)> =
        slope_steps.iter().map(|&steps| (steps as f64, effective(&timing, steps))).collect();
    for &steps in slope_steps {
        timing.policy(steps)?;
    }
    let regular = (slope(&steps) - 1.0).abs() < 0.01;
    println!(
        "Slope of ln TV in ln N_eff, exactly, N = {slope_steps:?} (N_eff: {:.4} in N):\n",
        slope(&steps)
    );
    for &subject in targets {
        let target = subject::target(subject);
        let laws = CompositionLaws::new(&target);
        let points: Vec<(f64, f64)> = slope_steps
            .iter()
            .map(|&steps| (effective(&timing, steps), distance(&target, &laws, &timing, steps)))
            .collect();
        let name = subject::name(subject);
        if points.iter().any(|&(_, tv)| tv < 1e-12) {
            println!("  {name:17} no distance: independent positions");
            let largest = points.iter().map(|point| point.1).fold(0.0, f64::max);
            checks.at_most(format!("{name}: TV of independent positions"), largest, 1e-12);
            continue;
        }
        println!("  {name:17} {:.4}", slope(&points));
        if regular || subject.0 == Family::PrivateBits {
            checks.near(
                format!("{name}: exact slope of ln TV in ln N_eff"),
                slope(&points),
                -1.0,
                0.02,
            );
        }
    }
    println!();
    Ok(())
}

/// N·TV on PRIV goes to d(d − 1)/4, on REP to d/4.
fn limits(arguments: &Arguments, checks: &mut Checks) -> Panel {
    let Arguments { lengths, timing, .. } = arguments;
    let timing = timing.finishing();
    const MOST: u32 = 18;
    println!("N_eff·TV, exactly, at N = {}, and the limit:\n", 1 << MOST);
    println!("     d         PRIV        limit     REP, S=2        limit");
    let mut curves = Vec::new();
    let reveal = timing.reveal_to_the_end(1 << MOST);
    let steps = closed_form::effective_steps(&reveal);
    for (color, &len) in lengths.iter().enumerate() {
        let len = usize::from(len);
        let private = steps * closed_form::private_bits(len, &reveal);
        let repeated = steps * closed_form::repeated(len, 2, &reveal);
        let private_limit = steps * closed_form::private_bits_limit(len, &reveal);
        let repeated_limit = steps * closed_form::repeated_limit(len, 2, &reveal);
        println!(
            "  {len:4} {private:12.5} {private_limit:12.5} {repeated:12.5} {repeated_limit:12.5}"
        );
        let (name, share) =
            (format!("d={len}, N={}", 1 << MOST), 0.01 + len as f64 * len as f64 / steps);
        checks.relative(
            format!("{name}: N_eff·TV on PRIV and d(d−1)/4"),
            private,
            private_limit,
            share,
        );
        checks.relative(
            format!("{name}: N_eff·TV on REP and its limit"),
            repeated,
            repeated_limit,
            share,
        );
        let curve = |distance: &dyn Fn(&[f64]) -> f64, limit: &dyn Fn(&[f64]) -> f64| {
            let point = |power: u32| {
                let reveal = timing.reveal_to_the_end(1 << power);
                (closed_form::effective_steps(&reveal), distance(&reveal) / limit(&reveal))
            };
            (2..=14).filter(|power| timing.fits(1 << power)).map(point).collect()
        };
        let points = curve(&|reveal| closed_form::private_bits(len, reveal), &|reveal| {
            closed_form::private_bits_limit(len, reveal)
        });
        curves.push(Curve::new(format!("PRIV, d={len}"), Mark::Line, color, points));
    }
    println!();
    curves.push(Curve::new("limit", Mark::Dashed, 0, vec![(2.0, 1.0), (16384.0, 1.0)]));
    Panel {
        title: "PRIV: N·TV over its limit d(d−1)/4".to_owned(),
        x: Axis::log("steps, effective"),
        y: Axis { range: Some((0.0, 1.1)), ..Axis::linear("N·TV / (d(d−1)/4)") },
        curves,
        legend: SeriesLabelPosition::LowerRight,
    }
}

/// The rate, measured: PRIV and REP of length 4, on which every distance is a share of wrong
/// sequences.
fn measured_slopes(arguments: &Arguments, common: &Common, checks: &mut Checks) -> Result<Panel> {
    const LEN: usize = 4;
    let Arguments { measured_steps, timing, .. } = arguments;
    ensure!(measured_steps.len() >= 2, "--measured-steps needs two numbers of steps or more");
    let timing = timing.finishing();
    let wrong = common.samples(arguments.wrong, 20_000, 1_000);
    println!("Measured, about {wrong} wrong sequences each, d = {LEN}: N_eff·TV, and exactly\n");
    println!("  target              N       sequences     N_eff·TV     exactly");
    let repeated = Target::repeated(LEN, 2);
    let network = Network::new(&repeated);
    let right = repeated.law();
    let mut curves = Vec::new();
    for (color, family) in [Family::PrivateBits, Family::Repeated].into_iter().enumerate() {
        let name = family.name();
        let (mut points, mut exact_points, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for (k, &steps) in measured_steps.iter().enumerate() {
            let reveal = timing.reveal_to_the_end(steps);
            let exact = match family {
                Family::PrivateBits => closed_form::private_bits(LEN, &reveal),
                _ => closed_form::repeated(LEN, 2, &reveal),
            };
            let samples = (wrong as f64 / exact).ceil() as u64;
            let bar = progress(samples, format!("{name} d={LEN}, {steps} steps"))?;
            let seed = common.seed + 100_000 + 1000 * color as u64 + k as u64;
            let policy = timing.policy(steps)?;
            let count = match family {
                Family::PrivateBits => private_bits::wrong(LEN, &policy, samples, seed, &bar)?,
                _ => {
                    let counts = network.histogram(&policy, samples, seed, &bar)?;
                    counts.iter().zip(&right).filter(|(_, p)| **p == 0.0).map(|(n, _)| n).sum()
                }
            };
            bar.finish_and_clear();
            let tv = count as f64 / samples as f64;
            let error = (exact * (1.0 - exact) / samples as f64).sqrt();
            let effective = closed_form::effective_steps(&reveal);
            println!(
                "  {name:17} {steps:>4} {samples:>12} {:>8.4} ±{:.4} {:10.4}",
                effective * tv,
                effective * error,
                effective * exact
            );
            let check = format!("{name} d={LEN}, N={steps}: N_eff·TV, measured");
            checks.near(
                check,
                effective * tv,
                effective * exact,
                STANDARD_ERRORS * effective * error,
            );
            points.push((effective, tv));
            exact_points.push((effective, exact));
            errors.push(error / exact);
        }
        let (found, error) = (slope(&points), slope_error(&points, &errors));
        println!("  {name:17} slope {found:.4} ±{error:.4}, exactly {:.4}\n", slope(&exact_points));
        let check = format!("{name} d={LEN}: measured slope of ln TV in ln N_eff, and exactly");
        checks.near(check, found, slope(&exact_points), STANDARD_ERRORS * error);
        let check =
            format!("{name} d={LEN}: measured slope and −1 (±0.02 and five standard errors)");
        if (slope(&exact_points) + 1.0).abs() < 0.02 {
            checks.near(check, found, -1.0, 0.02 + STANDARD_ERRORS * error);
        }
        let bars = points.iter().zip(&errors).map(|((_, tv), error)| tv * error).collect();
        curves.push(Curve::new(format!("{name}, exact"), Mark::Line, color, exact_points));
        let points = Curve::new(format!("{name}, measured"), Mark::Points, color, points);
        curves.push(Curve { errors: bars, ..points });
    }
    let last = curves[0].points.iter().map(|point| point.0).fold(0.0, f64::max);
    let reference = [10.0, last].map(|steps| (steps, 2.0 / steps)).to_vec();
    curves.push(Curve::new("slope −1", Mark::Dashed, 0, reference));
    Ok(Panel {
        title: format!("Measured rate, d = {LEN}"),
        x: Axis::log("steps, effective"),
        y: Axis::log("total variation to the target"),
        curves,
        legend: SeriesLabelPosition::LowerLeft,
    })
}

/// The fewest steps with which the distance on PRIV is at most `error`, by bisection; `None` if they
/// are more than [`MOST_STEPS`].
fn fewest_steps(len: usize, error: f64, timing: &Timing) -> Option<usize> {
    let reaches = |steps| {
        timing.fits(steps)
            && closed_form::private_bits(len, &timing.reveal_to_the_end(steps)) <= error
    };
    let mut high = 1;
    while !reaches(high) {
        high *= 2;
        if high > MOST_STEPS {
            return None;
        }
    }
    let mut low = high / 2;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if reaches(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

/// About how many seconds a sequence takes on one core.
fn cost(len: usize, steps: usize) -> f64 {
    (40.0 + 2.5 * len as f64) * 1e-9 * steps as f64
}

/// Steps for an error on PRIV: d²/ε times a constant.
fn steps_for_errors(arguments: &Arguments, common: &Common, checks: &mut Checks) -> Result<Panel> {
    let Arguments { lengths, errors, timing, .. } = arguments;
    let timing = timing.finishing();
    println!("Steps for an error ε on PRIV, exactly; N_eff·ε/d²; and the error, measured:\n");
    println!("     d      ε        N   N_eff·ε/d²   sequences      measured       exactly");
    let mut curves = Vec::new();
    for (color, &error) in errors.iter().enumerate() {
        let (mut exact_points, mut points, mut bars) = (Vec::new(), Vec::new(), Vec::new());
        for &len in lengths {
            let len = usize::from(len);
            let Some(steps) = fewest_steps(len, error, &timing) else {
                println!("  {len:4} {error:6}          more than {MOST_STEPS} steps");
                continue;
            };
            let reveal = timing.reveal_to_the_end(steps);
            let effective = closed_form::effective_steps(&reveal);
            let scale = effective / (len * len) as f64;
            print!("  {len:4} {error:6} {steps:8} {:12.4}", scale * error);
            exact_points.push((len as f64, scale * error));
            let name = format!("PRIV d={len}, ε={error}, N={steps}");
            // A quarter is never exceeded. How far below it is depends on d, (d − 1)/(4d) in the
            // limit, and on the schedule.
            let even = (effective / steps as f64 - 1.0).abs() < 1e-6;
            let low = if even && (4..=32).contains(&len) { 0.18 } else { 0.0 };
            checks.between(format!("{name}: N_eff·ε/d²"), scale * error, low, 0.25);
            let exact = closed_form::private_bits(len, &reveal);
            // For a relative error of one or three per cent, but as time allows.
            let (relative, seconds) = if common.quick { (0.03, 1.0) } else { (0.01, 40.0) };
            let wanted = (1.0 - exact) / (exact * relative * relative);
            let samples = wanted.min(seconds / cost(len, steps)) as u64;
            let deviation = (exact * (1.0 - exact) / samples as f64).sqrt();
            if samples == 0 || deviation > 0.05 * exact {
                println!("           too many steps to be measured");
                continue;
            }
            let bar = progress(samples, format!("PRIV d={len}, {steps} steps"))?;
            let seed = common.seed + 200_000 + 1000 * color as u64 + len as u64;
            let count = private_bits::wrong(len, &timing.policy(steps)?, samples, seed, &bar)?;
            bar.finish_and_clear();
            let tv = count as f64 / samples as f64;
            println!("{samples:12}   {tv:.5} ±{deviation:.5} {exact:10.5}");
            checks.near(format!("{name}: TV, measured"), tv, exact, STANDARD_ERRORS * deviation);
            let slack = STANDARD_ERRORS * scale * deviation;
            let check = format!("{name}: N_eff·TV/d², measured (five standard errors wider)");
            checks.between(check, scale * tv, low - slack, 0.25 + slack);
            points.push((len as f64, scale * tv));
            bars.push(scale * deviation);
        }
        curves.push(Curve::new(format!("ε = {error}, exact"), Mark::Line, color, exact_points));
        let points = Curve::new("", Mark::Points, color, points);
        curves.push(Curve { errors: bars, ..points });
    }
    println!();
    let (first, last) = (lengths.iter().min(), lengths.iter().max());
    let ends = [first, last].map(|len| (len.map_or(1.0, |&len| f64::from(len)), 0.25)).to_vec();
    curves.push(Curve::new("limit 1/4", Mark::Dashed, 0, ends));
    Ok(Panel {
        title: "PRIV: steps for an error, N·ε/d² (points: measured)".to_owned(),
        x: Axis::log("length d"),
        y: Axis { range: Some((0.15, 0.27)), ..Axis::linear("N·ε/d²") },
        curves,
        legend: SeriesLabelPosition::LowerRight,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_those_of_powers() {
        let points = [4.0, 8.0, 64.0].map(|x: f64| (x, 3.0 * x.powf(-1.25)));
        assert!((slope(&points) + 1.25).abs() < 1e-12);
        // Two points: the error of (b − a)/ln 2.
        let points = [(1.0, 1.0), (2.0, 1.0)];
        let error = slope_error(&points, &[0.3, 0.4]);
        assert!((error - 0.5 / 2f64.ln()).abs() < 1e-12, "{error}");
    }
}
