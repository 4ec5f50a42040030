//! Unmasking sizes: what schedules of sizes cost, exactly and along plan and step.

mod constants;
mod laws;
mod scheme;
mod teacher;

use crate::check::{Checks, STANDARD_ERRORS};
use crate::plot::{Axis, Curve, Mark, Panel};
use crate::size_law::reference::{SCHEMES, STEPS, laws_of_512};
use crate::size_law::{Law, Relabelled, expected_kl};
use crate::spread::progress;
use crate::{Common, Findings};
use anyhow::{Result, anyhow};
use clap::{Args, ValueEnum, value_parser};
use demask::schedule::sizes::Profile;
use demask::{Key, Purpose};
use laws::Named;
use plotters::prelude::SeriesLabelPosition;
use scheme::{Planned, Scheme, TC};
use teacher::{Mean, teacher_forced, uniforms};

/// How many standard errors the measured E KL may be off: a normal mean is farther with probability
/// 6e-5.
const TEACHER_ERRORS: f64 = 4.0;

/// How many costly sequences are awaited at least for a mean to be judged. Where the last steps are
/// large, a cost may come from a few sequences of which little was known before such a step: if none
/// of them was seen, the standard error would know nothing of them.
const COSTLY: f64 = 100.0;

const LAWS: [&str; 10] = [
    "rs:37",
    "rs:475",
    "noisy:0.1",
    "polya:2:1",
    "markov:4:0.9",
    "markov:4:0.5",
    "blocks:8:7:2",
    "blocks:8:1:2",
    "blocks:8:4:11",
    "permutation",
];

const TEACHERS: [&str; 6] =
    ["noisy:0.3", "polya:32:0.5", "markov:4:0.9", "blocks:8:4:11", "rs:37", "permutation"];

/// What schedules of sizes cost: E KL by the library's own tables, and measured along plan and step.
///
/// E KL is the divergence of the law from what one partition into steps draws, averaged over
/// partitions, for the exact denoiser: in nats, exactly, for laws of which the profile is known. The
/// guarantees are those of Zhao and Cai (arXiv 2602.20126); the random sizes are derived here.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Laws of the table: rs:DIMENSION[:PRIME], noisy:ERROR, coins:WEIGHT:P:WEIGHT:P..., polya:V:ALPHA,
    /// markov:V:RHO, ring:V:RHO, blocks:BLOCK:DIMENSION:MODULUS, permutation, ones:COUNT [default: rs:37
    /// rs:475 noisy:0.1 polya:2:1 markov:4:0.9 markov:4:0.5 blocks:8:7:2 blocks:8:1:2 blocks:8:4:11
    /// permutation, as far as there are such laws of the length]
    #[arg(long = "law", value_name = "LAW", value_delimiter = ',', num_args = 1.., value_parser = laws::parse)]
    laws: Vec<Named>,

    /// Laws that are decoded along plan and step [default: noisy:0.3 polya:32:0.5 markov:4:0.9
    /// blocks:8:4:11 rs:37 permutation, as far as there are such laws of the length]
    #[arg(long = "teacher", value_name = "LAW", value_delimiter = ',', num_args = 1.., value_parser = laws::parse)]
    teachers: Vec<Named>,

    /// The number of tokens of all of them
    #[arg(long, value_name = "L", default_value_t = 512, value_parser = value_parser!(u32).range(4..=4096))]
    length: u32,

    /// Schemes [default: all]
    #[arg(long = "scheme", value_name = "SCHEME", value_delimiter = ',', num_args = 1.., value_enum)]
    schemes: Vec<Scheme>,

    /// Numbers of steps of the table
    #[arg(long, value_name = "K", value_delimiter = ',', num_args = 1.., value_parser = value_parser!(u32).range(1..), default_values = ["4", "8", "16", "32", "64", "128"])]
    steps: Vec<u32>,

    /// The number of steps of what is decoded
    #[arg(long, value_name = "K", default_value_t = 16, value_parser = value_parser!(u32).range(1..))]
    teacher_steps: u32,

    /// Sequences that are decoded, of each law [default: 2,000; with --quick 80; up to 50 times as
    /// many where the cost comes from a few of them, with --quick 25 times]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(16..))]
    samples: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<Findings> {
    let mut checks = Checks::default();
    let schemes = match arguments.schemes.as_slice() {
        [] => Scheme::value_variants().to_vec(),
        some => some.to_vec(),
    };
    let bar = progress(3, "constants, lists, and E KL beside reference values")?;
    constants::check(common, &mut checks)?;
    bar.inc(1);
    check_printed(&mut checks)?;
    bar.inc(1);
    let table_laws = laws("--law", &arguments.laws, &LAWS, arguments.length)?;
    let teachers = laws("--teacher", &arguments.teachers, &TEACHERS, arguments.length)?;
    drawn_sizes(arguments, common, &table_laws, &schemes, &mut checks)?;
    bar.finish_and_clear();
    println!("Constants, lists and E KL at L = 512 beside another program: in the checks.\n");
    table(arguments, &table_laws, &schemes, &mut checks)?;
    let panels = measured(arguments, common, teachers, &schemes, &mut checks)?;
    Ok(Findings { checks, panels, columns: 2 })
}

/// Every printed value of E KL.
fn check_printed(checks: &mut Checks) -> Result<()> {
    for row in laws_of_512() {
        let profile = Profile::new(&row.law.profile())?;
        for ((scheme, name), printed) in
            Scheme::value_variants().iter().zip(SCHEMES).zip(row.expected_kl)
        {
            for (steps, printed) in STEPS.into_iter().zip(printed) {
                let name = format!("{}, {name}, K={steps}: E KL", row.law.name());
                match (scheme.plan(&profile, steps)?, printed.is_nan()) {
                    (Some(planned), false) => {
                        let found = planned.overshoot()?.expected_kl(&profile)?;
                        // Nine digits were printed, from values of f that were good to 4e-12 (seen
                        // in 40-digit arithmetic where E KL is small).
                        let tolerance = 1e-8 * printed + 4e-12 * 512.0 * row.known[0];
                        checks.near(name, found, printed, tolerance);
                    }
                    (None, true) => {}
                    (planned, _) => {
                        let has = f64::from(u8::from(planned.is_some()));
                        checks.near(format!("{name}: has sizes"), has, 1.0 - has, 0.0);
                    }
                }
            }
        }
    }
    Ok(())
}

/// Sizes as they are drawn cost what the tables say, on average.
fn drawn_sizes(
    arguments: &Arguments,
    common: &Common,
    laws: &[Box<dyn Law>],
    schemes: &[Scheme],
    checks: &mut Checks,
) -> Result<()> {
    let draws = common.samples(None, 10_000, 1_000);
    let profiles: Vec<(String, Vec<f64>)> =
        laws.iter().map(|law| (law.name(), law.profile())).collect();
    for &scheme in schemes.iter().filter(|scheme| scheme.is_random() && !scheme.knows_the_law()) {
        for &steps in &arguments.steps {
            let any = Profile::new(&profiles[0].1)?;
            let Some(planned) = scheme.plan(&any, steps)? else { continue };
            let Some(sizes) = planned.sizes() else { continue };
            let mut list = vec![0; planned.steps() as usize];
            let mut costs = vec![Vec::new(); profiles.len()];
            for stream in 0..draws {
                let key = Key { seed: common.seed, stream, step: 0, position: 0 };
                sizes.draw_all(arguments.length, key, &mut list)?;
                let list: Vec<usize> = list.iter().map(|&size| size as usize).collect();
                for (costs, (_, profile)) in costs.iter_mut().zip(&profiles) {
                    costs.push(expected_kl(profile, &list));
                }
            }
            for (costs, (name, profile)) in costs.iter().zip(&profiles) {
                let exact = planned.overshoot()?.expected_kl(&Profile::new(profile)?)?;
                let found = Mean::of(costs);
                let name = format!("{name}, {}, K={steps}: E KL of drawn sizes", scheme.name());
                let allowed = STANDARD_ERRORS * found.error + 1e-9 * exact;
                checks.near(name, found.mean, exact, allowed);
            }
        }
    }
    Ok(())
}

/// The laws that an option names; without it, those of `usual` of which there are some of the length.
fn laws(option: &str, named: &[Named], usual: &[&str], length: u32) -> Result<Vec<Box<dyn Law>>> {
    let length = length as usize;
    if !named.is_empty() {
        let laws = named.iter().map(|named| named.law(length));
        return laws.collect::<Result<_, _>>().map_err(|error| anyhow!("{option}: {error}"));
    }
    let usual = usual.iter().map(|text| laws::parse(text).map(|named| named.law(length).ok()));
    let laws: Vec<_> = usual.collect::<Result<_, _>>().map_err(|error| anyhow!(error))?;
    Ok(laws.into_iter().flatten().collect())
}

/// E KL of the laws that were asked for, by scheme and steps.
fn table(
    arguments: &Arguments,
    laws: &[Box<dyn Law>],
    schemes: &[Scheme],
    checks: &mut Checks,
) -> Result<()> {
    for law in laws {
        let profile = Profile::new(&law.profile())?;
        let tc = profile.complexity(TC);
        println!(
            "{}: E KL in nats; entropy {:.4}, TC {:.4}, DTC {:.4}, ETC {:.4}",
            law.name(),
            profile.entropy(),
            tc,
            profile.complexity(scheme::DTC),
            profile.complexity(scheme::ETC)
        );
        let heads: Vec<String> =
            arguments.steps.iter().map(|steps| format!("{:>12}", format!("K={steps}"))).collect();
        println!("  {:9} {}", "", heads.concat());
        for &scheme in schemes {
            let mut cells = String::new();
            for &steps in &arguments.steps {
                let Some(planned) = scheme.plan(&profile, steps)? else {
                    cells += &format!("{:>12}", "–");
                    continue;
                };
                let found = planned.overshoot()?.expected_kl(&profile)?;
                cells += &format!("{found:12.6}");
                let name = format!("{}, {}, K={steps}", law.name(), scheme.name());
                let constant = planned.overshoot()?.constant(TC);
                match scheme {
                    Scheme::TcEq | Scheme::SysTc => {
                        let name = format!("{name}: E KL is the constant times TC");
                        checks.near(name, found, constant * tc, 1e-9 * tc);
                    }
                    _ => {
                        let name = format!("{name}: E KL over its bound by TC");
                        let share = found / (constant * tc).max(1e-12);
                        checks.between(name, share, -1e-9, 1.0 + 1e-9);
                    }
                }
            }
            println!("  {:9} {cells}", scheme.name());
        }
        println!();
    }
    Ok(())
}

/// E KL along plan and step.
fn measured(
    arguments: &Arguments,
    common: &Common,
    teachers: Vec<Box<dyn Law>>,
    schemes: &[Scheme],
    checks: &mut Checks,
) -> Result<Vec<Panel>> {
    let samples = common.samples(arguments.samples, 2_000, 80);
    // As many as that are decoded where fewer would have too few costly ones among them.
    let most = samples.max(common.samples(None, 100_000, 2_000));
    let Arguments { length, teacher_steps, .. } = *arguments;
    println!(
        "Along plan and step, L = {length}, K = {teacher_steps}, {samples} sequences, alphabets shuffled: E KL"
    );
    println!("measured, with standard error, and exactly; the difference in standard errors\n");
    let mut panels = Vec::new();
    for (number, plain) in teachers.into_iter().enumerate() {
        let name = plain.name();
        let profile = Profile::new(&plain.profile())?;
        let key = Key { seed: common.seed, stream: number as u64, step: 1, position: 0 };
        let law = Relabelled::new(plain, &mut uniforms(key.generator(Purpose::Token)));
        let mut used = Vec::new();
        let mut planned: Vec<Planned> = Vec::new();
        for &scheme in schemes {
            if let Some(plan) = scheme.plan(&profile, teacher_steps)? {
                used.push(scheme);
                planned.push(plan);
            }
        }
        let exact = planned
            .iter()
            .map(|planned| Ok(planned.overshoot()?.expected_kl(&profile)?))
            .collect::<Result<Vec<f64>>>()?;
        let needed = planned
            .iter()
            .zip(&exact)
            .map(|(planned, &exact)| sequences_needed(planned, &profile, exact))
            .collect::<Result<Vec<u64>>>()?;
        let seed = common.seed + 1000 * number as u64;
        let bar = progress(samples, format!("{name}, {} schemes", used.len()))?;
        let mut found = teacher_forced(&law, &planned, samples, seed, &bar)?;
        bar.finish_and_clear();
        for (k, &needed) in needed.iter().enumerate() {
            if needed > samples && needed <= most {
                let bar = progress(needed, format!("{name}, {}", used[k].name()))?;
                let alone = std::slice::from_ref(&planned[k]);
                found[k] = teacher_forced(&law, alone, needed, seed + k as u64 + 1, &bar)?[0];
                bar.finish_and_clear();
            }
        }
        println!("  {name}");
        let mut points = Vec::new();
        for (k, (scheme, found)) in used.iter().zip(found).enumerate() {
            let exact = exact[k];
            // Where Z does not vary, it is rounding that does. A sample with too few of the costly
            // sequences has too small a variance as well, in proportion.
            let error = (found.error * (exact / found.mean).clamp(1.0, 2.0).sqrt())
                .max(1e-9 * (1.0 + profile.entropy()));
            let judged = needed[k] <= most;
            println!(
                "    {:9} {:11.5} ±{:<9.5} {exact:11.5}  {:5.2}{}",
                scheme.name(),
                found.mean,
                found.error,
                (found.mean - exact) / error,
                if judged { "" } else { "  too rare to be judged" }
            );
            if judged {
                let check = format!(
                    "{name}, {}, K={teacher_steps}: E KL along plan and step",
                    scheme.name()
                );
                checks.near(check, found.mean, exact, TEACHER_ERRORS * error);
            }

            points.push((*scheme, found));
        }
        println!();
        if panels.len() < 4 {
            panels.push(panel(arguments, &name, &profile, &points)?);
        }
    }
    Ok(panels)
}

/// How many sequences of a scheme have [`COSTLY`] costly ones among them, of which each knows
/// nothing before the largest step; none where E KL is 0.
fn sequences_needed(planned: &Planned, profile: &Profile, expected: f64) -> Result<u64> {
    let overshoot = planned.overshoot()?;
    let largest = 1.0 + overshoot.values().iter().copied().fold(0.0, f64::max);
    let drop: f64 = profile.drops().sum();
    Ok(if expected < 1e-9 { 0 } else { (COSTLY * largest * drop / expected).ceil() as u64 })
}

/// E KL by the number of steps, with what was measured.
fn panel(
    arguments: &Arguments,
    name: &str,
    profile: &Profile,
    points: &[(Scheme, Mean)],
) -> Result<Panel> {
    const SHOWN: [Scheme; 7] = [
        Scheme::Unif,
        Scheme::Cos,
        Scheme::TcEq,
        Scheme::SysTc,
        Scheme::SysDtc,
        Scheme::SysEtc,
        Scheme::Opt,
    ];
    let mut curves = Vec::new();
    let most = arguments.length.min(256);
    let grid: Vec<u32> = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256]
        .into_iter()
        .filter(|&k| k <= most)
        .collect();
    for (color, (scheme, mean)) in
        points.iter().filter(|(scheme, _)| SHOWN.contains(scheme)).enumerate()
    {
        let mut line = Vec::new();
        for &steps in &grid {
            if let Some(planned) = scheme.plan(profile, steps)? {
                let exact = planned.overshoot()?.expected_kl(profile)?;
                if exact > 1e-6 {
                    line.push((f64::from(steps), exact));
                }
            }
        }
        curves.push(Curve::new(scheme.name(), Mark::Line, color, line));
        let at = f64::from(arguments.teacher_steps);
        let point = Curve::new("", Mark::Points, color, vec![(at, mean.mean)]);
        curves.push(Curve { errors: vec![mean.error], ..point });
    }
    let top = curves.iter().flat_map(|curve| &curve.points).map(|point| point.1);
    let top = top.fold(0.0, f64::max).max(1e-3);
    let reference = [2.0, f64::from(most)].map(|steps| (steps, 0.6 * top / steps)).to_vec();
    curves.push(Curve::new("slope −1", Mark::Dashed, 0, reference));
    Ok(Panel {
        title: format!("{name}: exact (lines), along plan and step (points)"),
        x: Axis::log("steps K"),
        y: Axis::log("E KL, nats"),
        curves,
        legend: SeriesLabelPosition::LowerLeft,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_laws_are_those_of_the_length() {
        let count = |named: &[Named], usual: &[&str], length| {
            laws("--law", named, usual, length).map(|laws| laws.len()).ok()
        };
        assert_eq!(count(&[], &LAWS, 512), Some(LAWS.len()));
        assert_eq!(count(&[], &TEACHERS, 512), Some(TEACHERS.len()));
        assert_eq!(count(&[], &["rs:5", "rs:6"], 5), Some(1));
        let named = ["rs:5", "rs:6"].map(|text| laws::parse(text).expect("a law"));
        assert_eq!(count(&named, &LAWS, 6), Some(2));
        assert_eq!(count(&named, &LAWS, 5), None);
    }
}
