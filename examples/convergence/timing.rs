//! When a sampler's steps are: for the library, and for the exact law.

use crate::exact_law::{self, Leftover, Rule, reveal_probabilities, uniform_grid};
use clap::{Args, ValueEnum};
use demask::{Finish, Noise, Policy};

/// Schedule, grid, and what becomes of leftovers.
#[derive(Args, Clone, Debug)]
pub(crate) struct Timing {
    /// The noise schedule: linear, cosine, unit-rate, cosine-squared, maskgit-cosine,
    /// geometric:0.001:20, power:2 or logarithmic
    #[arg(long, value_name = "SCHEDULE", default_value = "linear", value_parser = Schedule::parse)]
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

/// A noise schedule, by name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Schedule(exact_law::Noise);

impl Schedule {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        use exact_law::Noise;
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let numbers: Vec<f64> = parts
            .map(|part| part.parse().map_err(|_| format!("{part:?} is no number")))
            .collect::<Result<_, String>>()?;
        let schedule = match (name, numbers.as_slice()) {
            ("linear", []) => Noise::Linear,
            ("cosine", []) => Noise::Cosine,
            ("unit-rate", []) => Noise::UnitRate,
            ("cosine-squared", []) => Noise::CosineSquared,
            ("maskgit-cosine", []) => Noise::MaskgitCosine,
            ("geometric", []) => Noise::Geometric(1e-3, 20.0),
            ("geometric", &[least, most]) => Noise::Geometric(least, most),
            ("power", &[exponent]) => Noise::Power(exponent),
            ("logarithmic", []) => Noise::Logarithmic,
            _ => {
                return Err(format!(
                    "{text:?} is none of linear, cosine, unit-rate, cosine-squared, \
                     maskgit-cosine, geometric:LEAST:MOST, power:EXPONENT, logarithmic"
                ));
            }
        };
        Self(schedule).noise().check().map_err(|error| error.to_string())?;
        Ok(Self(schedule))
    }

    /// The library's.
    pub(crate) fn noise(self) -> Noise<'static> {
        match self.0 {
            exact_law::Noise::Linear => Noise::Linear,
            exact_law::Noise::Cosine => Noise::Cosine,
            exact_law::Noise::UnitRate => Noise::UnitRate,
            exact_law::Noise::CosineSquared => Noise::CosineSquared,
            exact_law::Noise::MaskgitCosine => Noise::MaskgitCosine,
            exact_law::Noise::Geometric(sigma_min, sigma_max) => {
                Noise::Geometric { sigma_min, sigma_max }
            }
            exact_law::Noise::Power(exponent) => Noise::Power { exponent },
            exact_law::Noise::Logarithmic => Noise::Logarithmic,
        }
    }

    pub(crate) fn name(self) -> String {
        format!("{:?}", self.0)
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
    pub(crate) fn policy(&self, steps: usize) -> Policy<'static> {
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
        reveal_probabilities(self.noise.0, Rule::Euler, &times)
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
        format!("{} schedule, t = {} to {}", self.noise.name(), self.start(), self.end)
    }
}
