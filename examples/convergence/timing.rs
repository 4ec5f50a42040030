//! When a sampler's steps are: for the library, and for the exact law.

use crate::exact_law::{self, Leftover, Rule, reveal_probabilities, uniform_grid};
use clap::{Args, ValueEnum};
use demask::{Finish, Noise, Policy};

/// Schedule, grid, and what becomes of leftovers.
#[derive(Args, Clone, Debug)]
pub(crate) struct Timing {
    /// The noise schedule
    #[arg(long, value_enum, default_value_t = Schedule::Linear)]
    noise: Schedule,

    /// The time at which the grid starts [default: the last time of the schedule, or 16 for
    /// unit-rate]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    start: Option<f64>,

    /// The time at which the grid ends
    #[arg(long, value_name = "TIME", default_value_t = 0.0, value_parser = parse_time)]
    end: f64,

    /// What becomes of positions that are masked after the last step
    #[arg(long, value_enum, default_value_t = Ending::None)]
    finish: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Schedule {
    /// 1 − α = t
    Linear,
    /// 1 − α = 2 sin²(πt/4)
    Cosine,
    /// 1 − α = 1 − e^−t
    UnitRate,
}

impl Schedule {
    pub(crate) fn noise(self) -> Noise {
        match self {
            Self::Linear => Noise::Linear,
            Self::Cosine => Noise::Cosine,
            Self::UnitRate => Noise::UnitRate,
        }
    }

    fn exact(self) -> exact_law::Noise {
        match self {
            Self::Linear => exact_law::Noise::Linear,
            Self::Cosine => exact_law::Noise::Cosine,
            Self::UnitRate => exact_law::Noise::UnitRate,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Ending {
    /// They stay masked, which counts as an error
    None,
    /// One more call draws them all
    Sample,
    /// One more call takes the most likely token of each
    Argmax,
}

fn parse_time(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(time) if (0.0..1e6).contains(&time) => Ok(time),
        _ => Err("it must be a number of at least 0".to_owned()),
    }
}

impl Timing {
    /// The library's policy with `steps` steps.
    pub(crate) fn policy(&self, steps: usize) -> Policy {
        let mut policy = Policy::euler(self.noise.noise(), steps as u32);
        policy.schedule.start = self.start();
        policy.schedule.end = self.end;
        policy.stop.finish = match self.finish {
            Ending::None => Finish::None,
            Ending::Sample => Finish::Sample,
            Ending::Argmax => Finish::Argmax,
        };
        policy
    }

    /// The probability with which each of `steps` steps reveals a position, by the tests' own
    /// formulas.
    pub(crate) fn reveal(&self, steps: usize) -> Vec<f64> {
        let width = self.start() - self.end;
        let times: Vec<f64> =
            uniform_grid(width, steps).into_iter().map(|left| self.end + left).collect();
        reveal_probabilities(self.noise.exact(), Rule::Euler, &times)
    }

    pub(crate) fn leftover(&self) -> Leftover {
        match self.finish {
            Ending::None => Leftover::Masked,
            Ending::Sample => Leftover::Sampled,
            Ending::Argmax => Leftover::MostLikely,
        }
    }

    /// The same, with leftovers drawn by one more call.
    pub(crate) fn finishing(&self) -> Self {
        Self { finish: Ending::Sample, ..self.clone() }
    }

    /// As [`reveal`](Self::reveal), with one more step that reveals what is left.
    pub(crate) fn reveal_to_the_end(&self, steps: usize) -> Vec<f64> {
        let mut reveal = self.reveal(steps);
        reveal.push(1.0);
        reveal
    }

    fn start(&self) -> f64 {
        self.start.unwrap_or_else(|| self.noise.noise().horizon())
    }

    /// How it is called in titles.
    pub(crate) fn name(&self) -> String {
        let noise = match self.noise {
            Schedule::Linear => "linear schedule",
            Schedule::Cosine => "cosine schedule",
            Schedule::UnitRate => "unit rate",
        };
        format!("{noise}, t = {:.4} to {}", self.start(), self.end)
    }
}
