//! Restores damaged verses of the King James Bible with a small masked diffusion language model.
//!
//! `cargo run --release --example restore` shows some verses being restored, and compares the
//! samplers on verses that the model was never trained on; see `--help` for the rest.
//!
//! The loop that a user of demask writes is [`decode`]; [`run_network`] computes only what the
//! plan asks for. The network is in `kjv.rs`.

#[path = "../decoding/mod.rs"]
mod decoding;
mod display;
mod kjv;
#[path = "../network/mod.rs"]
mod network;
mod verse;

use anyhow::{Result, ensure};
use clap::{Parser, value_parser};
use decoding::{Options, Rule, Tally, choose, parse_fraction};
use demask::{Canvas, Logits, Plan, Policy, Sampler};
use display::Display;
use indicatif::{ProgressBar, ProgressStyle};
use kjv::{Kjv, MASK, VOCAB};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Instant;
use verse::{Page, Spelling};

/// Restores damaged verses with a small masked diffusion language model.
#[derive(Parser)]
#[command(name = "restore", after_help = EXAMPLES)]
struct Arguments {
    /// Fills the gaps in this text, instead of restoring held-out verses. Every _ is one masked
    /// token and takes the space before it along: "the _ of" has one gap of one token, "the __ of"
    /// and "the _ _ of" have one of two. A common word is one token, a name may be several
    #[arg(long)]
    text: Option<String>,

    /// How many different fillings of --text to make
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u32).range(1..))]
    samples: u32,

    /// How many held-out verses to show while they are restored
    #[arg(long, value_name = "N", default_value_t = 4)]
    show: usize,

    /// How many held-out verses to compare the samplers on; 0 leaves the comparison out
    #[arg(long, value_name = "N", default_value_t = 200)]
    verses: usize,

    /// The fraction of a verse's tokens that is masked [default: 0.5 in the verses that are shown,
    /// 0.3 in the comparison]
    #[arg(long, value_name = "FRACTION", value_parser = parse_fraction)]
    mask: Option<f64>,

    /// 0 takes the most likely token, 1 samples from the model's distribution [default: 0 for
    /// verses, 0.7 for --text]
    #[arg(long)]
    temperature: Option<f32>,

    /// The folder of the model
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/models/kjv"))]
    model: PathBuf,

    #[command(flatten)]
    options: Options,
}

const EXAMPLES: &str = "\
Examples:
  restore
  restore --text \"And the _ went forth out of the _.\"
  restore --show 0 --verses 200 --mask 0.3 --temperature 0 --sampler first-hitting
  restore --show 0 --verses 50 --mask 0.8 --sampler euler --steps 4,256 --noise cosine";

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let model = Kjv::read(&arguments.model, arguments.options.threads.get())?;
    let spelling = Spelling::read(&arguments.model)?;
    match &arguments.text {
        Some(text) => fill_gaps(text, &arguments, &model, &spelling),
        None => restore_verses(&arguments, &model, &spelling),
    }
}

/// Decodes `page` to its end. `watch` sees the tokens after every step, and the positions that it
/// revealed.
fn decode(
    model: &Kjv,
    sampler: &mut Sampler,
    page: &mut Page,
    policy: Policy,
    mut watch: impl FnMut(&[i32], &[u32]) -> Result<()>,
) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut plan = Plan::with_capacity(page.tokens.len(), page.segments.len());
    let policies = [policy];
    let mut canvas = Canvas::new(&mut page.tokens, MASK, &mut page.segments, &policies)?;
    loop {
        let start = Instant::now();
        sampler.plan(&canvas, &mut plan)?;
        tally.sampling += start.elapsed();
        if plan.active() == 0 {
            return Ok(tally);
        }
        tally.count(&canvas, &plan);

        let start = Instant::now();
        let logits = run_network(model, &canvas, &plan)?;
        tally.network += start.elapsed();

        let start = Instant::now();
        let logits = Logits::f32(&logits, plan.rows().len(), VOCAB)?;
        sampler.step_planned(&mut canvas, &plan, &logits)?;
        tally.sampling += start.elapsed();
        watch(canvas.tokens(), plan.rows())?;
    }
}

/// The logits of the rows that `plan` named, from the verses that have such rows; the other verses
/// are not run.
fn run_network(model: &Kjv, canvas: &Canvas<'_>, plan: &Plan) -> Result<Vec<f32>> {
    let mut verses: Vec<Range<usize>> = Vec::new();
    let mut rows = Vec::new();
    let mut hidden_rows = 0;
    for (segment, ends) in canvas.segments().iter().zip(plan.offsets().windows(2)) {
        let named = &plan.rows()[ends[0] as usize..ends[1] as usize];
        if !named.is_empty() {
            rows.extend(named.iter().map(|&at| hidden_rows + (at - segment.begin) as usize));
            verses.push(segment.begin as usize..segment.end as usize);
            hidden_rows += (segment.end - segment.begin) as usize;
        }
    }
    let hidden = model.hidden(canvas.tokens(), &verses)?;
    Ok(model.logits(&hidden, &rows))
}

/// `--text`: fills the gaps in the user's text, several times.
fn fill_gaps(text: &str, arguments: &Arguments, model: &Kjv, spelling: &Spelling) -> Result<()> {
    let damaged = spelling.encode(text)?;
    let gaps = verse::masks(&damaged);
    ensure!(gaps > 0, "--text has no gap; mark every missing token with _");
    let fraction = gaps as f64 / damaged.len() as f64;
    let samples = vec![damaged; arguments.samples as usize];
    let damaged = Page::new(&samples, arguments.options.seed);
    let mut sampler = sampler_for(&damaged, arguments)?;
    for Rule { name, policy } in arguments.options.rules(fraction, arguments.temperature.unwrap_or(0.7)) {
        println!("{name}");
        let mut page = damaged.clone();
        let mut display = Display::new(spelling, &damaged, None);
        decode(model, &mut sampler, &mut page, policy, |t, r| display.watch(t, r))?;
        display.finish(&page)?;
    }
    Ok(())
}

/// Shows some held-out verses while they are restored, then compares the samplers on more.
fn restore_verses(arguments: &Arguments, model: &Kjv, spelling: &Spelling) -> Result<()> {
    let held_out = verse::read_held_out(&arguments.model)?;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(arguments.options.seed);
    let mut pick = |count: usize, fraction: f64| -> Result<(Vec<Vec<i32>>, Page)> {
        ensure!(count <= held_out.len(), "only {} held-out verses", held_out.len());
        let chosen = choose(count, held_out.len(), &mut rng);
        let originals: Vec<_> =
            chosen.iter().map(|&i| spelling.encode(&held_out[i])).collect::<Result<_>>()?;
        let damaged: Vec<_> =
            originals.iter().map(|tokens| verse::damage(tokens, fraction, &mut rng)).collect();
        Ok((originals, Page::new(&damaged, arguments.options.seed)))
    };
    let temperature = arguments.temperature.unwrap_or(0.0);

    if arguments.show > 0 {
        let fraction = arguments.mask.unwrap_or(0.5);
        let (originals, damaged) = pick(arguments.show, fraction)?;
        let Rule { name, policy } = arguments.options.rules(fraction, temperature).remove(0);
        println!("{name}");
        let mut page = damaged.clone();
        let mut sampler = sampler_for(&damaged, arguments)?;
        let mut display = Display::new(spelling, &damaged, Some(&originals));
        decode(model, &mut sampler, &mut page, policy, |t, r| display.watch(t, r))?;
        display.finish(&page)?;
    }
    let fraction = arguments.mask.unwrap_or(0.3);
    let (originals, damaged) = pick(arguments.verses, fraction)?;
    let mut rules = arguments.options.rules(fraction, temperature);
    let one = Rule { name: "all at once".to_owned(), policy: Policy { draw: rules[0].policy.draw, ..Policy::random_order(1) } };
    rules.insert(0, one);
    let total = verse::masks(&damaged.tokens);
    println!("{total} masks");
    for Rule { name, policy } in rules {
        let mut page = damaged.clone();
        let mut sampler = sampler_for(&damaged, arguments)?;
        let bar = ProgressBar::new(total as u64).with_style(ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}")?);
        let tally = decode(model, &mut sampler, &mut page, policy, |t, r| {bar.set_position((total - verse::masks(t)) as u64); Ok(())})?;
        bar.finish_and_clear();
        let exact = verse::exact(&damaged.tokens, &page.tokens, &originals.concat());
        println!("{name:18} {:.2} % {}", 100. * exact as f64 / total as f64, tally.line());
    }
    Ok(())
}

fn sampler_for(page: &Page, arguments: &Arguments) -> Result<Sampler> {
    Ok(Sampler::builder(page.tokens.len(), page.segments.len())
        .threads(arguments.options.threads.get())
        .build()?)
}
