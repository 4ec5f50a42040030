//! The theory of masked diffusion samplers, measured on the library: each subcommand compares what
//! `plan` and `step` do with exact laws, prints a table, draws a plot, and writes its checks to
//! `target/convergence/<subcommand>.json`. It fails if one of them does.
//!
//! `cargo run --release --example convergence -- euler`; `--help` tells the rest.

mod check;
mod comparison;
mod euler;
#[path = "../../tests/exact_law/mod.rs"]
mod exact_law;
mod gumbel;
mod hitting;
mod network;
mod plot;
mod private_bits;
mod race;
#[path = "../../tests/size_law/mod.rs"]
mod size_law;
mod sizes;
mod spread;
mod subject;
mod timing;

use anyhow::{Context, Result};
use check::Checks;
use clap::{Args, Parser, Subcommand};
use plot::Panel;
use std::fs;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::available_parallelism;

/// The theory of masked diffusion samplers, measured on the library.
#[derive(Parser)]
#[command(name = "convergence", after_help = USES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum Command {
    Euler(euler::Arguments),
    Hitting(hitting::Arguments),
    Sizes(sizes::Arguments),
    Gumbel(gumbel::Arguments),
}

/// What all subcommands take.
#[derive(Args, Clone)]
pub(crate) struct Common {
    /// Fewer samples: a few seconds instead of minutes
    #[arg(long, global = true)]
    quick: bool,

    /// What all randomness starts from
    #[arg(long, global = true, default_value_t = 7)]
    seed: u64,

    /// Threads; no result depends on their number [default: one for each core]
    #[arg(long, global = true, value_name = "N", default_value_t = cores(), hide_default_value = true)]
    threads: NonZero<usize>,

    /// Where the plot and the checks are written
    #[arg(long, global = true, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/target/convergence"))]
    output: PathBuf,
}

impl Common {
    /// The number of samples that were asked for, or a number that depends on the hurry.
    fn samples(&self, wanted: Option<u64>, full: u64, quick: u64) -> u64 {
        wanted.unwrap_or(if self.quick { quick } else { full })
    }
}

/// What a subcommand found out.
pub(crate) struct Findings {
    checks: Checks,
    panels: Vec<Panel>,
    /// How many of them stand side by side.
    columns: usize,
}

const USES: &str = "\
Every check is of the form |measured - expected| <= tolerance; the JSON file lists them all.
Tests of laws refuse a correct library with probability 1e-6 at most, had the seed been drawn at
random; means may be five standard errors off, which has probability 6e-7.

Examples:
  convergence euler
  convergence euler --quick --target hash:5:3,markov:6:2 --steps 8,24 --noise cosine
  convergence euler --quick --noise unit-rate --start 10 --finish sample
  convergence hitting --lengths 5,300
  convergence sizes --quick --length 100 --law ring:3:0.8,ones:30 --teacher coins:0.3:0.1:0.7:0.8
  convergence gumbel --remaining 1,500,10000";

fn cores() -> NonZero<usize> {
    available_parallelism().unwrap_or(NonZero::<usize>::MIN)
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// True if all checks passed.
fn run(Arguments { command, common }: &Arguments) -> Result<bool> {
    let folder = &common.output;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(common.threads.get()).build()?;
    let (name, findings) = pool.install(|| match command {
        Command::Euler(arguments) => ("euler", euler::run(arguments, common)),
        Command::Hitting(arguments) => ("hitting", hitting::run(arguments, common)),
        Command::Sizes(arguments) => ("sizes", sizes::run(arguments, common)),
        Command::Gumbel(arguments) => ("gumbel", gumbel::run(arguments, common)),
    });
    let Findings { checks, panels, columns } = findings?;
    let (plot, list) = (folder.join(format!("{name}.svg")), folder.join(format!("{name}.json")));
    plot::save(&plot, columns, &panels)?;
    let passed = checks.finish(&list)?;
    println!("{}\n{}", list.display(), plot.display());
    Ok(passed)
}
