//! Restores damaged verses of the King James Bible with a small masked diffusion language model.
//!
//! `cargo run --release --example restore` shows some verses being restored, then compares the
//! samplers on verses that the model was never trained on. `--help` tells the rest.
//!
//! The loop that a user of demask writes is [`decode`]. The network is in `kjv.rs`.

#[path = "../decoding/mod.rs"]
mod decoding;
mod display;
mod kjv;
#[path = "../network/mod.rs"]
mod network;
mod verse;

use anyhow::{Context, Result, ensure};
use clap::{Parser, value_parser};
use decoding::{
    Batch, HEADING, LEGEND, Options, Planned, Rule, Tally, count, exact, parse_fraction,
    parse_temperature,
};
use demask::{Canvas, Logits, Plan, Policy, Sampler};
use display::Display;
use indicatif::{ProgressBar, ProgressStyle};
use kjv::{Kjv, MASK, VOCAB};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use verse::{HeldOut, Spelling};

/// Held-out verses that the first of the chosen samplers is run on by default.
const VERSES: usize = 200;
/// The first of these, on which all of the chosen samplers are compared by default.
const VERSES_FOR_ALL: usize = 50;

/// Restores damaged verses of the King James Bible with a small masked diffusion language model.
#[derive(Parser)]
#[command(name = "restore", after_help = USES)]
struct Arguments {
    /// Fills the gaps of this text instead of restoring held-out verses. Every _ is one masked
    /// token and takes the space before it along: "the _ of" has a gap of one token, "the __ of"
    /// and "the _ _ of" have a gap of two. A common word is one token, a name may be several
    #[arg(long)]
    text: Option<String>,

    /// How often to fill the gaps of --text
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u32).range(1..))]
    samples: u32,

    /// How many held-out verses to show while they are restored
    #[arg(long, value_name = "N", default_value_t = 4)]
    show: usize,

    /// How many held-out verses to run the samplers on; 0 for none [default: 200 for the
    /// first of the chosen samplers, and the first 50 of these to compare all of them]
    #[arg(long, value_name = "N")]
    verses: Option<usize>,

    /// The fraction of a verse's tokens that is masked [default: 0.5 in the verses that are shown,
    /// 0.3 in the others]
    #[arg(long, value_name = "FRACTION", value_parser = parse_fraction)]
    mask: Option<f64>,

    /// 1 samples from the model's distribution, 0 takes its most likely token [default: 0 for
    /// verses, 0.7 for --text]
    #[arg(long, value_parser = parse_temperature)]
    temperature: Option<f32>,

    /// The folder of the model
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/models/kjv"))]
    model: PathBuf,

    #[command(flatten)]
    options: Options,
}

const USES: &str = "\
The text of --text and the verses that are shown are decoded with the first of the chosen samplers.

Examples:
  restore
  restore --text \"And the _ went forth out of the _.\"
  restore --show 0 --verses 200 --mask 0.3 --temperature 0 --sampler first-hitting
  restore --show 0 --verses 50 --mask 0.8 --sampler euler --steps 4,256 --noise cosine";

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let model = Kjv::read(&arguments.model, arguments.options.threads.get())?;
    let spelling = Spelling::read(&arguments.model)?;
    match &arguments.text {
        Some(text) => fill_gaps(text, arguments, &model, &spelling),
        None => {
            if arguments.show > 0 {
                show_verses(arguments, &model, &spelling)?;
            }
            if arguments.verses != Some(0) {
                compare_samplers(arguments, &model, &spelling)?;
            }
            Ok(())
        }
    }
}

/// Decodes `batch` to its end. `watch` sees the tokens after every step, and the positions that the
/// step revealed.
fn decode(
    model: &Kjv,
    batch: &mut Batch,
    policy: Policy<'static>,
    threads: usize,
    mut watch: impl FnMut(&[i32], &[u32]) -> Result<()>,
) -> Result<Tally> {
    let (positions, segments) = (batch.tokens.len(), batch.segments.len());
    let mut sampler = Sampler::builder(positions, segments).threads(threads).build()?;
    let mut plan = Plan::with_capacity(positions, segments);
    let policies = [policy];
    let mut canvas = Canvas::new(&mut batch.tokens, MASK, &mut batch.segments, &policies)?;
    let mut tally = Tally::default();
    loop {
        let start = Instant::now();
        sampler.plan(&canvas, &mut plan)?;
        tally.sampling += start.elapsed();
        if plan.active() == 0 {
            return Ok(tally);
        }
        tally.count(&canvas, &plan);

        let start = Instant::now();
        let Planned { sequences, rows } = Planned::new(&canvas, &plan);
        let hidden = model.hidden(canvas.tokens(), &sequences)?;
        let logits = model.logits(&hidden, &rows);
        tally.network += start.elapsed();

        let start = Instant::now();
        let logits = Logits::f32(&logits, rows.len(), VOCAB)?;
        sampler.step_planned(&mut canvas, &plan, &logits)?;
        tally.sampling += start.elapsed();
        watch(canvas.tokens(), plan.rows())?;
    }
}

/// `--text`: fills the gaps of the user's text, several times.
fn fill_gaps(text: &str, arguments: &Arguments, model: &Kjv, spelling: &Spelling) -> Result<()> {
    let tokens = spelling.encode(text)?;
    let gaps = count(&tokens, MASK);
    ensure!(gaps > 0, "--text {text:?} has no gap; mark every missing token with _");
    let fraction = gaps as f64 / tokens.len() as f64;
    let temperature = arguments.temperature.unwrap_or(0.7);
    let Rule { name, policy } = arguments.options.rules(fraction, temperature).remove(0);
    let samples = vec![tokens; arguments.samples as usize];
    let damaged = Batch::new(&samples, MASK, arguments.options.seed);

    println!("{name}, temperature {temperature}, seed {}\n", arguments.options.seed);
    let mut batch = damaged.clone();
    let mut display = Display::new(spelling, &damaged);
    let threads = arguments.options.threads.get();
    let tally =
        decode(model, &mut batch, policy, threads, |tokens, rows| display.watch(tokens, rows))
            .context("--text cannot be filled in")?;
    display.finish_samples(&batch)?;
    println!(
        "{} network calls {:.1} ms, sampling of {} tokens {:.2} ms",
        tally.calls,
        1e3 * tally.network.as_secs_f64(),
        tally.rows,
        1e3 * tally.sampling.as_secs_f64(),
    );
    Ok(())
}

/// Shows some held-out verses while they are restored.
fn show_verses(arguments: &Arguments, model: &Kjv, spelling: &Spelling) -> Result<()> {
    let Arguments { show, ref options, .. } = *arguments;
    let fraction = arguments.mask.unwrap_or(0.5);
    let temperature = arguments.temperature.unwrap_or(0.0);
    let held_out = HeldOut::pick(&arguments.model, spelling, show, fraction, options.seed)?;
    let Rule { name, policy } = options.rules(fraction, temperature).remove(0);

    println!("{name}, temperature {temperature}, seed {}\n", options.seed);
    let damaged = Batch::new(&held_out.damaged, MASK, options.seed);
    let mut batch = damaged.clone();
    let mut display = Display::new(spelling, &damaged);
    decode(model, &mut batch, policy, options.threads.get(), |tokens, rows| {
        display.watch(tokens, rows)
    })?;
    display.finish_verses(&batch, &held_out.originals)
}

/// Runs the samplers on held-out verses and prints a table of what they restored and what it cost.
fn compare_samplers(arguments: &Arguments, model: &Kjv, spelling: &Spelling) -> Result<()> {
    let Arguments { verses, ref options, .. } = *arguments;
    let fraction = arguments.mask.unwrap_or(0.3);
    let temperature = arguments.temperature.unwrap_or(0.0);
    let count = verses.unwrap_or(VERSES);
    let held_out = HeldOut::pick(&arguments.model, spelling, count, fraction, options.seed)?;
    // The network alone: one call for each verse, and all its masks are replaced at once.
    let mut at_once = Policy::random_order(1);
    at_once.draw.temperature = temperature;
    let mut rules = vec![Rule { name: "all at once".to_owned(), policy: at_once }];
    rules.extend(options.rules(fraction, temperature));

    let Options { seed, threads, .. } = options;
    println!("Restoring with temperature {temperature}, seed {seed}, {threads} threads\n");
    println!("{HEADING}");
    if verses.is_none() && rules.len() > 2 {
        run_samplers(arguments, model, &held_out, VERSES, &rules[..2])?;
        run_samplers(arguments, model, &held_out, VERSES_FOR_ALL, &rules)?;
    } else {
        run_samplers(arguments, model, &held_out, count, &rules)?;
    }
    println!("{LEGEND}");
    Ok(())
}

/// Restores the first `verses` verses by every one of `rules`, and prints a line for each.
fn run_samplers(
    arguments: &Arguments,
    model: &Kjv,
    held_out: &HeldOut,
    verses: usize,
    rules: &[Rule],
) -> Result<()> {
    let Options { seed, threads, .. } = arguments.options;
    let damaged = Batch::new(&held_out.damaged[..verses], MASK, seed);
    let originals = held_out.originals[..verses].concat();
    let masks = count(&damaged.tokens, MASK);
    println!("{verses} held-out verses, {} tokens, {masks} of them masked:", originals.len());
    let style = ProgressStyle::with_template("  {msg:17} {wide_bar} {pos} of {len} tokens")?;
    for Rule { name, policy } in rules {
        let bar =
            ProgressBar::new(masks as u64).with_style(style.clone()).with_message(name.clone());
        let mut batch = damaged.clone();
        let tally = decode(model, &mut batch, *policy, threads.get(), |_, rows| {
            bar.inc(rows.len() as u64);
            Ok(())
        })?;
        bar.finish_and_clear();
        let exact = exact(&damaged.tokens, &batch.tokens, &originals, MASK);
        println!("{}", tally.line(name, Some(exact), masks));
    }
    println!();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(options: &str) -> Arguments {
        Arguments::parse_from(["restore"].into_iter().chain(options.split_whitespace()))
    }

    fn restored(options: &str) -> (HeldOut, Vec<i32>) {
        let arguments = arguments(options);
        let Options { seed, threads, .. } = arguments.options;
        let model = Kjv::read(&arguments.model, threads.get()).unwrap();
        let spelling = Spelling::read(&arguments.model).unwrap();
        let held_out = HeldOut::pick(&arguments.model, &spelling, 40, 0.3, seed).unwrap();
        let mut batch = Batch::new(&held_out.damaged, MASK, seed);
        let policy = arguments.options.rules(0.3, arguments.temperature.unwrap()).remove(0).policy;
        decode(&model, &mut batch, policy, threads.get(), |_, _| Ok(())).unwrap();
        (held_out, batch.tokens)
    }

    #[test]
    fn the_result_does_not_depend_on_the_threads() {
        let one = restored("--sampler euler --steps 6 --temperature 1 --threads 1").1;
        let three = restored("--sampler euler --steps 6 --temperature 1 --threads 3").1;
        assert_eq!(one, three);
        let other = restored("--sampler euler --steps 6 --temperature 1 --seed 8").1;
        assert_ne!(one, other, "another seed picks other verses");
    }

    #[test]
    fn a_third_of_the_masked_tokens_comes_back() {
        for sampler in ["first-hitting", "fixed --steps 4"] {
            let (held_out, tokens) = restored(&format!("--sampler {sampler} --temperature 0"));
            let damaged = held_out.damaged.concat();
            let masks = count(&damaged, MASK);
            assert_eq!(count(&tokens, MASK), 0, "{sampler}: all masks are filled in");
            let exact = exact(&damaged, &tokens, &held_out.originals.concat(), MASK);
            assert!(3 * exact > masks, "{sampler}: only {exact} of {masks}");
        }
    }

    #[test]
    fn gaps_take_the_space_before_them_along() {
        let spelling = Spelling::read(&arguments("").model).unwrap();
        let gaps = spelling.encode("And the _ of the _ _.").unwrap();
        let texts: Vec<String> = gaps.iter().map(|&token| spelling.text(token)).collect();
        assert_eq!(texts.concat(), "And the ___ of the ___ ___.");
        assert_eq!(gaps, spelling.encode("And the_ of the__.").unwrap());
        assert_eq!(count(&gaps, MASK), 3);
    }
}
