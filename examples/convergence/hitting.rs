//! First-hitting: when and in which order positions are revealed, and what comes out of it.
//!
//! With d masks, 1 − α at the hits are d independent uniform numbers in falling order, and the
//! positions are in uniformly random order (Zheng et al., arXiv 2409.02908, proposition 3.1), so an
//! exact denoiser makes no error. A wrong one errs by at most the sum, over the numbers of masks, of
//! the expected total variation of its prediction (a step can be coupled but for that), and on a
//! point mass by 1 − (1 − e)^d: derived here, and what Liang et al. (arXiv 2602.22505) say in their
//! abstract, no error but the denoiser's, with a matching lower bound.

use crate::check::{Checks, FALSE_POSITIVES, STANDARD_ERRORS};
use crate::comparison::{Comparison, Estimate};
use crate::exact_law::reference::{self, Printed, Subject};
use crate::exact_law::{
    CompositionLaws, Leftover, Perturbed, Weights, law_of_sizes, total_variation,
};
use crate::network::{MASK, Network, Worker};
use crate::plot::{Axis, Curve, Mark, Panel};
use crate::spread::{progress, spread, sum};
use crate::timing::Schedule;
use crate::{Common, Findings, exact_law, subject};
use anyhow::Result;
use clap::{Args, value_parser};
use demask::schedule::hitting;
use demask::{Canvas, Key, Level, Logits, LogitsData, Noise, Policy, Purpose};
use indicatif::ProgressBar;
use plotters::prelude::SeriesLabelPosition;
use statrs::function::beta::beta_reg;

/// First-hitting times against their Beta laws, orders, and outputs (Zheng et al., arXiv
/// 2409.02908).
#[derive(Args)]
pub(crate) struct Arguments {
    /// Numbers of masks whose hitting times are tested
    #[arg(long, value_name = "D", value_delimiter = ',', num_args = 1.., value_parser = value_parser!(u32).range(1..=1 << 22), default_values = ["8", "1024", "131072"])]
    lengths: Vec<u32>,

    /// About how many times are drawn for each of them, and fewer where one takes longer [default: 2,000,000,000;
    /// with --quick 200,000,000]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1000..))]
    times: Option<u64>,

    /// The length whose orders are counted, all of them
    #[arg(long, value_name = "D", default_value_t = 5, value_parser = value_parser!(u32).range(2..=8))]
    order_length: u32,

    /// Targets that are decoded with their exact denoiser, as name:length:vocabulary
    #[arg(long = "target", value_name = "TARGET", value_delimiter = ',', num_args = 1.., value_parser = subject::parse,
          default_values = ["hash:5:4", "markov:5:4", "rep:4:4", "parity:8:2", "priv:4"])]
    targets: Vec<Subject>,

    /// The noise schedules of these
    #[arg(long, value_name = "SCHEDULE", value_delimiter = ',', num_args = 1.., value_parser = Schedule::parse, default_values = ["linear", "cosine", "unit-rate"])]
    noise: Vec<Schedule>,

    /// Targets that are decoded with a wrong denoiser
    #[arg(long, value_name = "TARGET", value_delimiter = ',', num_args = 1.., value_parser = subject::parse,
          default_values = ["hash:6:2", "markov:8:2", "point:10:2"])]
    perturbed: Vec<Subject>,

    /// The probability with which it predicts a token of its own
    #[arg(long, value_name = "E", value_delimiter = ',', num_args = 1.., value_parser = parse_share, default_values = ["0.1", "0.01", "0.001"])]
    wrong: Vec<f64>,

    /// Targets that are decoded several positions at once
    #[arg(long, value_name = "TARGET", value_delimiter = ',', num_args = 1.., value_parser = subject::parse,
          default_values = ["hash:8:2", "markov:8:2", "rep:8:2"])]
    parallel: Vec<Subject>,

    /// Positions at once
    #[arg(long, value_name = "N", value_delimiter = ',', num_args = 1.., value_parser = value_parser!(u32).range(1..), default_values = ["1", "2", "4", "8"])]
    at_once: Vec<u32>,

    /// Sequences in each histogram [default: 10,000,000; with --quick 200,000]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1000..))]
    samples: Option<u64>,
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err("it must be a number above 0 and at most 1".to_owned()),
    }
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<Findings> {
    let mut checks = Checks::default();
    let times = times(arguments, common, &mut checks)?;
    orders(arguments, common, &mut checks)?;
    exact_denoiser(arguments, common, &mut checks)?;
    let perturbed = wrong_denoiser(arguments, common, &mut checks)?;
    let parallel = several_at_once(arguments, common, &mut checks)?;
    Ok(Findings { checks, panels: vec![times, perturbed, parallel], columns: 3 })
}

/// Where the hitting times come from.
#[derive(Clone, Copy)]
enum Source {
    /// All of a sequence at once.
    All,
    /// One by one.
    Next,
    /// The state of a segment, after each plan and step.
    Plan,
}

/// The hits of `masks` that are looked at, counted from 1.
fn hits(masks: u32) -> Vec<u32> {
    if masks <= 8 {
        return (1..=masks).collect();
    }
    let some = [1, 2, 16, masks / 4, masks / 2, masks / 4 * 3, masks - 1, masks];
    let mut some: Vec<u32> = some.into_iter().filter(|&hit| hit <= masks).collect();
    some.sort_unstable();
    some.dedup();
    some
}

/// Calls `visit` with the number of a hit and ln(1 − α) at it, for all hits of a sequence.
fn visit_hits(
    source: Source,
    masks: u32,
    seed: u64,
    stream: u64,
    events: &mut Vec<f64>,
    worker: &mut Worker,
) -> Result<()> {
    let key = Key { seed, stream, step: 0, position: 0 };
    events.clear();
    match source {
        Source::All => {
            events.resize(masks as usize, 0.0);
            hitting::all(Level::detect(), key, 0.0, events);
        }
        Source::Next => {
            let mut rng = key.generator(Purpose::Hit);
            let mut log_masked = 0.0;
            events.extend((1..=masks).rev().map(|left| {
                log_masked = hitting::next(log_masked, left, &mut rng);
                log_masked
            }));
        }
        Source::Plan => {
            worker.reset(1, masks as usize, seed, stream);
            let policy = [Policy::first_hitting(Noise::Linear)];
            let Worker { sampler, plan, tokens, segments, .. } = worker;
            let mut canvas = Canvas::new(tokens, MASK, segments, &policy)?;
            for _ in 0..masks {
                sampler.plan(&canvas, plan)?;
                let logits = Logits::f32(&[0.0, 0.0], 1, 2)?;
                sampler.step_planned(&mut canvas, plan, &logits)?;
                events.push(canvas.segments()[0].log_masked);
            }
        }
    }
    Ok(())
}

/// The largest distance of the distribution function of `probabilities` from that of a uniform
/// number, and the deviations on the way, for a plot.
fn kolmogorov_smirnov(mut probabilities: Vec<f64>) -> (f64, Vec<(f64, f64)>) {
    probabilities.sort_by(f64::total_cmp);
    let n = probabilities.len() as f64;
    let largest = probabilities
        .iter()
        .enumerate()
        .map(|(k, p)| (p - k as f64 / n).max((k + 1) as f64 / n - p))
        .fold(0.0, f64::max);
    let every = (probabilities.len() / 200).max(1);
    let path = probabilities.iter().enumerate().step_by(every);
    (largest, path.map(|(k, &p)| (p, ((k as f64 + 0.5) / n - p) * n.sqrt())).collect())
}

/// 1 − α at the j-th of d hits is Beta(d − j + 1, j).
fn times(arguments: &Arguments, common: &Common, checks: &mut Checks) -> Result<Panel> {
    let wanted = common.samples(arguments.times, 2_000_000_000, 200_000_000);
    // P(sup |F_n − F| > c/√n) ≤ 2 exp(−2c²) for every n (Dvoretzky, Kiefer, Wolfowitz, Massart).
    let critical = ((2.0 / FALSE_POSITIVES).ln() / 2.0).sqrt();
    println!("1 − α at hit j of d is Beta(d − j + 1, j): Kolmogorov–Smirnov distance times √n,");
    println!("at most {critical:.3} (probability of more: {FALSE_POSITIVES:.0e})\n");
    println!("       d  drawn        sequences  hit: distance·√n");
    let mut curves = Vec::new();
    for (color, &masks) in arguments.lengths.iter().enumerate() {
        for (k, (source, name)) in [
            (Source::All, "all at once"),
            (Source::Next, "one by one"),
            (Source::Plan, "plan, step"),
        ]
        .into_iter()
        .enumerate()
        {
            // In units of the first: a step of a plan also looks at all positions.
            let work = u64::from(masks)
                * match source {
                    Source::All => 1,
                    Source::Next => 5,
                    Source::Plan => 40 + u64::from(masks) / 5,
                };
            let sequences = (wanted / work).min(100_000);
            if sequences < 50 {
                continue;
            }
            let hits = hits(masks);
            let seed = common.seed + 1000 * k as u64;
            let bar = progress(sequences, format!("{masks} hits, {name}"))?;
            let samples = hit_samples(source, masks, &hits, sequences, seed, &bar)?;
            bar.finish_and_clear();
            print!("  {masks:6}  {name:11} {sequences:>10} ");
            for (samples, hit) in samples.into_iter().zip(&hits) {
                let root = (samples.len() as f64).sqrt();
                let (distance, path) = kolmogorov_smirnov(samples);
                print!(" {hit}: {:.2}", distance * root);
                let name = format!("d={masks}, {name}, hit {hit}: KS distance to the Beta law");
                checks.at_most(name, distance, critical / root);
                if matches!(source, Source::All) {
                    let first = *hit == hits[0];
                    let name = if first { format!("d = {masks}") } else { String::new() };
                    curves.push(Curve::new(name, Mark::Line, color, path));
                }
            }
            println!();
        }
    }
    println!();
    for bound in [critical, -critical] {
        let name = if bound > 0.0 { "bound" } else { "" };
        curves.push(Curve::new(name, Mark::Dashed, 0, vec![(0.0, bound), (1.0, bound)]));
    }
    Ok(Panel {
        title: "Hitting times: distribution minus Beta law, each hit a line".to_owned(),
        x: Axis::linear("Beta distribution function F"),
        y: Axis { range: Some((-3.4, 3.4)), ..Axis::linear("√n·(Fₙ − F)") },
        curves,
        legend: SeriesLabelPosition::UpperRight,
    })
}

/// For each of `hits`, the value of its Beta distribution function at each sequence's hit.
fn hit_samples(
    source: Source,
    masks: u32,
    hits: &[u32],
    sequences: u64,
    seed: u64,
    bar: &ProgressBar,
) -> Result<Vec<Vec<f64>>> {
    let planned = if matches!(source, Source::Plan) { masks as usize } else { 0 };
    let make = || Ok((Worker::new(1, planned, 2, 0)?, Vec::new(), vec![Vec::new(); hits.len()]));
    let workers = spread(sequences, 16, make, |(worker, events, samples), streams| {
        for stream in streams {
            visit_hits(source, masks, seed, stream, events, worker)?;
            for (samples, &hit) in samples.iter_mut().zip(hits) {
                let (a, b) = (f64::from(masks - hit + 1), f64::from(hit));
                samples.push(beta_reg(a, b, events[hit as usize - 1].exp()));
            }
            bar.inc(1);
        }
        Ok(())
    })?;
    let mut all = vec![Vec::new(); hits.len()];
    for (_, _, samples) in workers {
        for (all, mut samples) in all.iter_mut().zip(samples) {
            all.append(&mut samples);
        }
    }
    Ok(all)
}

/// Every order of revealing is equally likely.
fn orders(arguments: &Arguments, common: &Common, checks: &mut Checks) -> Result<()> {
    const BATCH: u64 = 4096;
    let len = arguments.order_length as usize;
    let orders: usize = (1..=len).product();
    let sequences = common.samples(None, 50_000, 5_000) * orders as u64;
    let bar = progress(sequences, format!("orders of {len} positions"))?;
    let policy = [Policy::first_hitting(Noise::Linear)];
    let make = || Ok((Worker::new(BATCH as usize, len, 2, orders)?, Vec::new()));
    let workers = spread(sequences, BATCH, make, |(worker, order), streams| {
        let batch = (streams.end - streams.start) as usize;
        worker.reset(batch, len, common.seed + 50_000, streams.start);
        // For each sequence, its positions in the order in which they are revealed.
        order.clear();
        order.resize(batch * len, 0);
        let Worker { sampler, plan, tokens, segments, index, counts } = worker;
        let mut canvas = Canvas::new(tokens, MASK, segments, &policy)?;
        for step in 0..len {
            sampler.plan(&canvas, plan)?;
            for (sequence, &at) in plan.rows().iter().enumerate() {
                order[sequence * len + step] = at as usize - sequence * len;
            }
            index.clear();
            index.resize(plan.rows().len(), 0);
            let logits = Logits::new(LogitsData::F32(&[0.0; 2]), 1, 2, 2, Some(index))?;
            sampler.step_planned(&mut canvas, plan, &logits)?;
        }
        for order in order.chunks_exact(len) {
            counts[order_number(order)] += 1;
        }
        bar.inc(batch as u64);
        Ok(())
    })?;
    bar.finish_and_clear();
    let counts = sum(workers.into_iter().map(|(worker, _)| worker.counts));
    let p = exact_law::chi_square_test(&counts[..orders], &vec![1.0 / orders as f64; orders]);
    println!(
        "All {orders} orders of {len} positions, {sequences} sequences: chi-square, p = {p:.3}\n"
    );
    checks
        .p_value(format!("d={len}: p-value of chi-square, all {orders} orders equally likely"), p);
    Ok(())
}

/// The number of a permutation, from 0 on (its Lehmer code).
fn order_number(order: &[usize]) -> usize {
    (0..order.len()).fold(0, |number, i| {
        let smaller = order[i + 1..].iter().filter(|&&later| later < order[i]).count();
        number * (order.len() - i) + smaller
    })
}

/// With the exact denoiser, the output has the law of the target.
fn exact_denoiser(arguments: &Arguments, common: &Common, checks: &mut Checks) -> Result<()> {
    let samples = common.samples(arguments.samples, 10_000_000, 200_000);
    println!(
        "Exact denoiser, {samples} sequences: TV to the target, by chance alone, and the most"
    );
    println!("that passes; G-test\n");
    println!("  target            noise                TV  by chance     most        p");
    for (color, &subject) in arguments.targets.iter().enumerate() {
        let target = subject::target(subject);
        let network = Network::new(&target);
        let name = subject::name(subject);
        for (k, schedule) in arguments.noise.iter().enumerate() {
            let noise = schedule.noise();
            let schedule = schedule.name();
            let bar = progress(samples, format!("{name}, {schedule}"))?;
            let seed = common.seed + 100_000 + 1000 * color as u64 + k as u64;
            let policy = Policy::first_hitting(noise);
            let counts = network.histogram(&policy, samples, seed, &bar)?;
            bar.finish_and_clear();
            let found = Comparison::new(&counts, &target.law());
            println!(
                "  {name:17} {schedule:13} {:9.2e} {:9.2e} {:9.2e} {:8.1e}",
                found.tv, found.noise, found.bound, found.p
            );
            found.check(&format!("{name}, {schedule}, exact denoiser"), checks);
        }
    }
    println!();
    Ok(())
}

/// With a wrong denoiser, the output errs by at most the summed error of the predictions.
fn wrong_denoiser(arguments: &Arguments, common: &Common, checks: &mut Checks) -> Result<Panel> {
    let samples = common.samples(arguments.samples, 10_000_000, 200_000);
    println!(
        "Wrong denoiser: with probability e it predicts token (i + 1) mod 2 at position i, on a"
    );
    println!("point mass token 1. TV, exactly; its bound; {samples} sequences\n");
    println!(
        "  target                  e     exact TV        bound   ratio       measured          p"
    );
    let mut curves = Vec::new();
    for (color, &subject) in arguments.perturbed.iter().enumerate() {
        let (family, len, _) = subject;
        let target = subject::target(subject);
        let name = subject::name(subject);
        let printed = reference::PERTURBED.into_iter().find(|row| row.0 == subject);
        let (mut exact_points, mut points, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        let mut bounds = Vec::new();
        for (k, &error) in arguments.wrong.iter().enumerate() {
            let denoiser =
                Perturbed { target: &target, error, mistake: reference::mistake(family) };
            let law = law_of_sizes(&denoiser, &vec![1; len]);
            let exact = total_variation(&law, &target.law());
            let bound = denoiser.summed_error();
            let name = format!("{name}, e={error}");
            if let Some((_, distances, slope)) = printed
                && let Some(at) = reference::WRONG.iter().position(|&wrong| wrong == error)
            {
                let printed = Printed::digits(distances[at], 6);
                checks.near(format!("{name}: exact TV"), exact, printed.value, printed.tolerance);
                checks.relative(format!("{name}: summed error over e"), bound / error, slope, 5e-6);
            }
            checks.between(format!("{name}: exact TV over its bound"), exact / bound, 0.0, 1.0);
            let bar = progress(samples, name.clone())?;
            let seed = common.seed + 200_000 + 1000 * color as u64 + k as u64;
            let policy = Policy::first_hitting(Noise::Linear);
            let counts = Network::new(&denoiser).histogram(&policy, samples, seed, &bar)?;
            bar.finish_and_clear();
            let found = Comparison::new(&counts, &law);
            let estimate = Estimate::new(&counts, &law, &target.law());
            println!(
                "  {:17} {error:7} {exact:12.5e} {bound:12.5e} {:7.3} {:9.3e} ±{:.0e} {:8.1e}",
                subject::name(subject),
                exact / bound,
                estimate.tv,
                estimate.error,
                found.p
            );
            found.check(&format!("{name}, wrong denoiser"), checks);
            let allowed = STANDARD_ERRORS * estimate.error + 1e-6;
            checks.near(format!("{name}: TV to the target"), estimate.tv, exact, allowed);
            exact_points.push((error, exact));
            bounds.push((error, bound));
            points.push((error, estimate.tv));
            errors.push(estimate.error);
        }
        curves.push(Curve::new(name, Mark::Line, color, exact_points));
        curves.push(Curve { errors, ..Curve::new("", Mark::Points, color, points) });
        let label = if color == 0 { "bound: summed error" } else { "" };
        curves.push(Curve::new(label, Mark::Dashed, 0, bounds));
    }
    println!();
    Ok(Panel {
        title: format!("Wrong denoiser: exact (lines), {samples} sequences (points)"),
        x: Axis::log("probability of a wrong prediction, e"),
        y: Axis::log("total variation to the target"),
        curves,
        legend: SeriesLabelPosition::UpperLeft,
    })
}

/// The sizes of ⌈len/at_once⌉ groups, as even as the library makes them; `None` if there are fewer
/// than `at_once` positions.
fn even_groups(len: usize, at_once: usize) -> Option<Vec<usize>> {
    let steps = len.div_ceil(at_once);
    let size = |step: usize| len / steps + usize::from(step < len % steps);
    (at_once <= len).then(|| (0..steps).map(size).collect())
}

/// Several positions at once: an error that no number of calls takes away.
fn several_at_once(arguments: &Arguments, common: &Common, checks: &mut Checks) -> Result<Panel> {
    let samples = common.samples(arguments.samples, 10_000_000, 200_000);
    println!("Several positions at each call, {samples} sequences: TV to the target, exactly and");
    println!("measured; TV to the exact law, by chance alone; G-test\n");
    println!(
        "  target            at once     exact TV       measured        TV  by chance        p"
    );
    let mut curves = Vec::new();
    for (color, &subject) in arguments.parallel.iter().enumerate() {
        let (_, len, _) = subject;
        let target = subject::target(subject);
        let laws = CompositionLaws::new(&target);
        let network = Network::new(&target);
        let printed = reference::PARALLEL.into_iter().find(|row| row.0 == subject);
        let (mut exact_points, mut points, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for (k, &at_once) in arguments.at_once.iter().enumerate() {
            let Some(sizes) = even_groups(len, at_once as usize) else { continue };
            let law = laws.output(&Weights::sizes(len, &sizes), Leftover::Masked);
            let exact = total_variation(&law, &target.law());
            let name = format!("{}, {at_once} at once", subject::name(subject));
            let column = [2, 4, 8].iter().position(|&column| column == at_once);
            if let (Some((_, distances, digits)), Some(column)) = (printed, column) {
                let printed = Printed::digits(distances[column], digits[column]);
                checks.near(format!("{name}: exact TV"), exact, printed.value, printed.tolerance);
            }
            if at_once == 1 {
                checks.at_most(format!("{name}: exact TV"), exact, 1e-14);
            }
            let bar = progress(samples, name.clone())?;
            let seed = common.seed + 300_000 + 1000 * color as u64 + k as u64;
            let policy = Policy::first_hitting_parallel(Noise::Linear, sizes.len() as u32);
            let counts = network.histogram(&policy, samples, seed, &bar)?;
            bar.finish_and_clear();
            let found = Comparison::new(&counts, &law);
            let estimate = Estimate::new(&counts, &law, &target.law());
            println!(
                "  {:17} {at_once:7} {exact:12.5e} {:9.3e} ±{:.0e} {:9.2e} {:9.2e} {:8.1e}",
                subject::name(subject),
                estimate.tv,
                estimate.error,
                found.tv,
                found.noise,
                found.p
            );
            found.check(&name, checks);
            let allowed = STANDARD_ERRORS * estimate.error + 1e-6;
            checks.near(format!("{name}: TV to the target"), estimate.tv, exact, allowed);
            exact_points.push((f64::from(at_once), exact));
            points.push((f64::from(at_once), estimate.tv));
            errors.push(estimate.error);
        }
        curves.push(Curve::new(subject::name(subject), Mark::Line, color, exact_points));
        curves.push(Curve { errors, ..Curve::new("", Mark::Points, color, points) });
    }
    println!();
    Ok(Panel {
        title: format!("Parallel first-hitting: exact (lines), {samples} sequences (points)"),
        x: Axis::linear("positions at each call"),
        y: Axis { range: Some((-0.02, 1.05)), ..Axis::linear("total variation to the target") },
        curves,
        legend: SeriesLabelPosition::LowerRight,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutations_are_numbered_through() {
        let mut numbers: Vec<usize> = (0..27)
            .map(|n| [n / 9, n / 3 % 3, n % 3])
            .filter(|[a, b, c]| a != b && b != c && a != c)
            .map(|order| order_number(&order))
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn the_distance_of_kolmogorov_and_smirnov() {
        let (distance, _) = kolmogorov_smirnov(vec![0.75, 0.25]);
        assert_eq!(distance, 0.25);
        let (distance, _) = kolmogorov_smirnov(vec![0.9, 0.8, 0.7]);
        assert!((distance - 0.7).abs() < 1e-15);
    }

    #[test]
    fn groups_are_as_the_library_makes_them() {
        assert_eq!(even_groups(8, 3), Some(vec![3, 3, 2]));
        assert_eq!(even_groups(10, 4), Some(vec![4, 3, 3]));
        assert_eq!(even_groups(4, 5), None);
        assert_eq!(even_groups(8, 4), Some(vec![4, 4]));
    }
}
