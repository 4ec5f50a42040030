//! Fills the loops of an antibody with a small antibody language model: many fillings of one
//! chain, decoded as one batch.
//!
//! `cargo run --release --example antibody`; `--help` tells the rest. The loop that a user of
//! demask writes is [`decode`]. The network is in `sapiens.rs`.
//!
//! A demonstration: nothing is claimed about the molecules.

#[path = "../decoding/mod.rs"]
mod decoding;
#[path = "../network/mod.rs"]
mod network;
mod sapiens;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum, value_parser};
use decoding::{
    Batch, HEADING, LEGEND, Options, Planned, Rule, Tally, choose, count, exact, parse_fraction,
    parse_temperature,
};
use demask::{Canvas, Logits, Plan, Policy, Sampler};
use indicatif::{ProgressBar, ProgressStyle};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use sapiens::{MASK, Sapiens, VOCAB};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Fills the loops (CDRs) of an antibody's variable domain with an antibody language model.
///
/// A demonstration: nothing is claimed about the molecules.
#[derive(Parser)]
#[command(name = "antibody", after_help = USES)]
#[command(mut_arg("sampler", |sampler| sampler.default_value("first-hitting")))]
struct Arguments {
    /// The chain: which model is used, and which of trastuzumab's chains is filled
    #[arg(long, value_enum, default_value_t = Chain::Heavy)]
    chain: Chain,

    /// Another chain, in one-letter code, with X, * or _ for every residue to be filled in
    #[arg(long, value_name = "RESIDUES", conflicts_with = "mask")]
    sequence: Option<String>,

    /// Masks this fraction of the residues of trastuzumab's chain, others in every sample, instead
    /// of its CDRs
    #[arg(long, value_name = "FRACTION", value_parser = parse_fraction)]
    mask: Option<f64>,

    /// How many fillings to make
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = value_parser!(u32).range(1..))]
    samples: u32,

    /// 1 samples from the model's distribution, 0 takes its most likely residue
    #[arg(long, default_value_t = 1.0, value_parser = parse_temperature)]
    temperature: f32,

    /// The folder of the models
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/models/sapiens"))]
    model: PathBuf,

    #[command(flatten)]
    options: Options,
}

const USES: &str = "\
Examples:
  antibody
  antibody --chain light --sampler all
  antibody --mask 0.15 --samples 256
  antibody --chain light --sequence DIQMTQSPSSLSASVGDRVTITCRAS______VAWYQQKPGKAPKLLIYSASFLYSGVPS";

/// A chain of an antibody.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Chain {
    Heavy,
    Light,
}

impl Chain {
    /// The file of the model, and the residues of the longest chain that it takes.
    fn model(self) -> (&'static str, usize) {
        match self {
            Self::Heavy => ("sapiens_vh_f16.safetensors", 142),
            Self::Light => ("sapiens_vl_f16.safetensors", 126),
        }
    }

    /// Trastuzumab's variable domain.
    fn residues(self) -> &'static str {
        match self {
            Self::Heavy => concat!(
                "EVQLVESGGGLVQPGGSLRLSCAASGFNIKDTYIHWVRQAPGKGLEWVARIYPTNGYTRYADSVKGRFTISADTSKNTAYLQM",
                "NSLRAEDTAVYYCSRWGGDGFYAMDYWGQGTLVTVSS",
            ),
            Self::Light => concat!(
                "DIQMTQSPSSLSASVGDRVTITCRASQDVNTAVAWYQQKPGKAPKLLIYSASFLYSGVPSRFSGSRSGTDFTLTISSLQPEDF",
                "ATYYCQQHYTTPPTFGQGTKVEIK",
            ),
        }
    }

    /// The CDRs 1 to 3 of that domain by the IMGT definition, counted from 1.
    fn cdrs(self) -> [RangeInclusive<usize>; 3] {
        match self {
            Self::Heavy => [26..=33, 51..=58, 97..=109],
            Self::Light => [27..=32, 50..=52, 89..=97],
        }
    }
}

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
    let Arguments { chain, temperature, ref options, .. } = *arguments;
    let (file, longest) = chain.model();
    let model = Sapiens::read(&arguments.model.join(file), longest, options.threads.get())?;
    let Damage { title, original, damaged } = damage(arguments)?;
    let masks = count(&damaged.tokens, MASK);
    let fraction = masks as f64 / damaged.tokens.len() as f64;

    println!("{title}. A demonstration; nothing is claimed about the molecules.\n");
    println!("gaps      {}", letters(damaged.sequence(0)));
    if let Some(original) = &original {
        println!("original  {}", letters(original));
        println!("\n{}", network_alone(&model, original, &damaged)?);
    }

    println!("\n{masks} masked residues. Temperature {temperature}, seed {}.\n", options.seed);
    println!("{HEADING}");
    let style = ProgressStyle::with_template("  {msg:17} {wide_bar} {pos} of {len} residues")?;
    let mut filled = Vec::new();
    for Rule { name, policy } in options.rules(fraction, temperature) {
        let bar =
            ProgressBar::new(masks as u64).with_style(style.clone()).with_message(name.clone());
        let mut batch = damaged.clone();
        let tally = decode(&model, &mut batch, policy, options.threads.get(), |revealed| {
            bar.inc(revealed as u64);
        })?;
        bar.finish_and_clear();
        let exact = original.as_ref().map(|original| {
            let originals = original.repeat(batch.segments.len());
            exact(&damaged.tokens, &batch.tokens, &originals, MASK)
        });
        println!("{}", tally.line(&name, exact, masks));
        filled.push((name, batch));
    }
    println!("\n{LEGEND}\n");

    let (name, batch) = &filled[0];
    print_samples(name, original.as_deref(), &damaged, batch);
    if arguments.mask.is_none() {
        print_frequencies(original.as_deref(), &damaged, batch);
    }
    Ok(())
}

/// Decodes `batch` to its end. `watch` sees how many residues every step revealed.
fn decode(
    model: &Sapiens,
    batch: &mut Batch,
    policy: Policy<'static>,
    threads: usize,
    watch: impl Fn(usize),
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
        let report = sampler.step_planned(&mut canvas, &plan, &logits)?;
        tally.sampling += start.elapsed();
        watch(report.revealed);
    }
}

/// What is to be filled.
struct Damage {
    title: String,
    /// The chain as it was, if that is known.
    original: Option<Vec<i32>>,
    /// As many copies as samples, with gaps.
    damaged: Batch,
}

/// Masks what the arguments say.
fn damage(arguments: &Arguments) -> Result<Damage> {
    let Arguments { chain, mask, ref options, .. } = *arguments;
    let samples = arguments.samples as usize;
    let batch = |chains: &[Vec<i32>]| Batch::new(chains, MASK, options.seed);
    if let Some(sequence) = &arguments.sequence {
        let tokens = tokens(sequence).with_context(|| format!("--sequence {sequence}"))?;
        let (residues, (_, longest)) = (tokens.len() - 2, chain.model());
        ensure!(
            residues <= longest,
            "--sequence has {residues} residues; the model takes {longest}"
        );
        let gaps = count(&tokens, MASK);
        ensure!(gaps > 0, "--sequence {sequence} has no gap; mark residues with X, * or _");
        let title = format!("{gaps} gaps in a given chain, {samples} samples");
        return Ok(Damage { title, original: None, damaged: batch(&vec![tokens; samples]) });
    }

    let original = tokens(chain.residues())?;
    let residues = original.len() - 2;
    let name = match chain {
        Chain::Heavy => "Trastuzumab, heavy chain",
        Chain::Light => "Trastuzumab, light chain",
    };
    let mut copies = vec![original.clone(); samples];
    let title = if let Some(fraction) = mask {
        let masked = ((fraction * residues as f64).round() as usize).max(1);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(options.seed);
        for copy in &mut copies {
            for at in choose(masked, residues, &mut rng) {
                copy[1 + at] = MASK; // behind the token that begins the chain
            }
        }
        format!(
            "{name}, {masked} of {residues} residues masked, others in each of {samples} samples"
        )
    } else {
        for copy in &mut copies {
            for cdr in chain.cdrs() {
                copy[cdr].fill(MASK);
            }
        }
        format!("{name}, CDRs masked, {samples} samples")
    };
    Ok(Damage { title, original: Some(original), damaged: batch(&copies) })
}

/// The tokens of a chain, between those that begin and end it.
fn tokens(residues: &str) -> Result<Vec<i32>> {
    let mut tokens = vec![sapiens::BEGIN];
    for residue in residues.chars() {
        tokens.push(match residue {
            'X' | '*' | '_' => MASK,
            _ => sapiens::token(residue)
                .with_context(|| format!("{residue:?} is neither an amino acid nor X, * or _"))?,
        });
    }
    tokens.push(sapiens::END);
    Ok(tokens)
}

/// The letters of a chain, without the tokens that begin and end it.
fn letters(tokens: &[i32]) -> String {
    tokens[1..tokens.len() - 1].iter().map(|&token| sapiens::letter(token)).collect()
}

/// How well the network alone knows the masked residues, from one call for each chain.
fn network_alone(model: &Sapiens, original: &[i32], damaged: &Batch) -> Result<String> {
    let chains: Vec<_> =
        damaged.segments.iter().map(|chain| chain.begin as usize..chain.end as usize).collect();
    let rows: Vec<usize> =
        (0..damaged.tokens.len()).filter(|&at| damaged.tokens[at] == MASK).collect();
    let logits = model.logits(&model.hidden(&damaged.tokens, &chains)?, &rows);
    let (mut best, mut nats) = (0, 0.0);
    for (&at, row) in rows.iter().zip(logits.chunks_exact(VOCAB)) {
        let right = row[original[at % original.len()] as usize];
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = row.iter().map(|&logit| f64::from(logit - max).exp()).sum();
        best += usize::from(right == max);
        nats += sum.ln() + f64::from(max - right);
    }
    let masks = rows.len() as f64;
    Ok(format!(
        "The network alone, all gaps at once: the original residue is the most likely one in \
         {:.1} % of the gaps,\nand costs {:.2} nats on average (a uniform guess costs {:.2}).",
        100.0 * best as f64 / masks,
        nats / masks,
        20.0f64.ln(),
    ))
}

/// Prints some distinct fillings.
fn print_samples(name: &str, original: Option<&[i32]>, damaged: &Batch, filled: &Batch) {
    const SHOWN: usize = 8;
    let mut distinct: BTreeMap<String, usize> = BTreeMap::new();
    let mut order = Vec::new();
    for sample in 0..filled.segments.len() {
        let gaps = gaps(damaged.sequence(sample), filled.sequence(sample));
        let times = distinct.entry(gaps.clone()).or_default();
        if *times == 0 {
            order.push((sample, gaps));
        }
        *times += 1;
    }
    println!(
        "{name}: {} of {} samples are distinct. The first:",
        order.len(),
        filled.segments.len()
    );
    for (sample, gaps) in order.iter().take(SHOWN) {
        let (before, after) = (damaged.sequence(*sample), filled.sequence(*sample));
        let recovered = original.map_or(String::new(), |original| {
            format!(
                "{} of {} as in the original",
                exact(before, after, original, MASK),
                count(before, MASK)
            )
        });
        println!("{}", format!("  {gaps}  {recovered}").trim_end());
    }
    println!();
}

/// The residues in the gaps of a chain, a space between one gap and the next.
fn gaps(damaged: &[i32], filled: &[i32]) -> String {
    let gap = |at: usize| damaged[at] == MASK;
    let mut text = String::new();
    for at in (1..damaged.len()).filter(|&at| gap(at)) {
        if !gap(at - 1) && !text.is_empty() {
            text.push(' ');
        }
        text.push(sapiens::letter(filled[at]));
    }
    text
}

/// Prints how often each residue stands in each gap.
fn print_frequencies(original: Option<&[i32]>, damaged: &Batch, filled: &Batch) {
    let samples = filled.segments.len();
    println!("residue   original, its share   all of 5 % or more");
    for (at, _) in damaged.sequence(0).iter().enumerate().filter(|(_, token)| **token == MASK) {
        let mut times = [0; VOCAB];
        for sample in 0..samples {
            times[filled.sequence(sample)[at] as usize] += 1;
        }
        let percent = |token: usize| 100.0 * f64::from(times[token]) / samples as f64;
        let right = original.map_or(String::new(), |original| {
            let token = original[at];
            format!("{} {:5.1} %", sapiens::letter(token), percent(token as usize))
        });
        let mut order: Vec<usize> = (0..VOCAB).filter(|&token| percent(token) >= 5.0).collect();
        order.sort_by_key(|&token| core::cmp::Reverse(times[token]));
        let shares = order
            .iter()
            .map(|&token| format!("  {} {:2.0}", sapiens::letter(token as i32), percent(token)));
        println!("{at:7}   {right:19} {}", shares.collect::<String>());
    }
}
