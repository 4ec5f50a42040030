//! The options that say how positions are sampled.

use clap::{Args, ValueEnum, value_parser};
use demask::{Noise, Policy};
use std::num::NonZero;
use std::thread::available_parallelism;

/// How to sample.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// The sampler
    #[arg(long, value_enum, default_value_t = Choice::All)]
    pub(crate) sampler: Choice,

    /// Numbers of steps, separated by commas [default: 8,16,32,64 for euler, 8,16 for fixed]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = value_parser!(u32).range(1..))]
    pub(crate) steps: Vec<u32>,

    /// The noise schedule of first-hitting and euler
    #[arg(long, value_enum, default_value_t = Schedule::Linear)]
    pub(crate) noise: Schedule,

    /// What all randomness starts from
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,

    /// Threads of the network and of the sampler; the result does not depend on it [default: one
    /// for each core]
    #[arg(long, value_name = "N", default_value_t = cores(), hide_default_value = true)]
    pub(crate) threads: NonZero<usize>,
}

/// The samplers to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// One position at a time, at its first-hitting time
    FirstHitting,
    /// On a grid of times, every masked position with the probability of the Euler step
    Euler,
    /// A fixed number of random positions at each step
    Fixed,
    /// Each of them
    All,
}

/// The noise schedules to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Schedule {
    /// The masked fraction grows in proportion to time
    Linear,
    /// The masked fraction follows a cosine
    Cosine,
}

/// A decoding rule and its name.
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) policy: Policy<'static>,
}

impl Options {
    /// The decoding rules that were asked for, for canvases of which `fraction` is masked at the
    /// start.
    pub(crate) fn rules(&self, fraction: f64, temperature: f32) -> Vec<Rule> {
        let noise = match self.noise {
            Schedule::Linear => Noise::Linear,
            Schedule::Cosine => Noise::Cosine,
        };
        let rule = |name: String, mut policy: Policy<'static>| {
            policy.draw.temperature = temperature;
            // The canvas is partly filled in: decoding starts at the time of its masked fraction.
            policy.schedule.start = policy.schedule.noise.time(fraction.ln());
            Rule { name, policy }
        };
        let steps = |default: &[u32]| {
            if self.steps.is_empty() { default.to_vec() } else { self.steps.clone() }
        };
        let mut rules = Vec::new();
        if matches!(self.sampler, Choice::FirstHitting | Choice::All) {
            rules.push(rule("first-hitting".to_owned(), Policy::first_hitting(noise)));
        }
        if matches!(self.sampler, Choice::Euler | Choice::All) {
            for steps in steps(&[8, 16, 32, 64]) {
                rules.push(rule(format!("Euler, {steps} steps"), Policy::euler(noise, steps)));
            }
        }
        if matches!(self.sampler, Choice::Fixed | Choice::All) {
            for steps in steps(&[8, 16]) {
                rules.push(rule(format!("fixed, {steps} steps"), Policy::random_order(steps)));
            }
        }
        rules
    }
}

fn cores() -> NonZero<usize> {
    available_parallelism().unwrap_or(NonZero::<usize>::MIN)
}

/// A share above 0 and at most 1.
pub(crate) fn parse_fraction(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(fraction) if fraction > 0.0 && fraction <= 1.0 => Ok(fraction),
        _ => Err("it must be a number above 0 and at most 1".to_owned()),
    }
}

/// 0, or at least 1e-30.
pub(crate) fn parse_temperature(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(temperature) if temperature == 0.0 || temperature >= 1e-30 => Ok(temperature),
        _ => Err("it must be 0, or a number of at least 1e-30".to_owned()),
    }
}
