//! When a sampler's steps are: for the library, and for the exact law.

use crate::exact_law::{
    self, Leftover, Rule, decaying_grid_to, reveal_probabilities, uniform_grid,
};
use clap::{Args, ValueEnum};
use demask::{Finish, MultiJump, Noise, Policy, Select, Transition};

/// The sampler, its schedule and grid, and what becomes of leftovers.
#[derive(Args, Clone, Debug)]
pub(crate) struct Timing {
    /// The rule by which a step reveals positions
    #[arg(long, value_enum, default_value_t = Sampler::Euler)]
    sampler: Sampler,

    /// The noise schedule: linear, cosine, unit-rate, cosine-squared, maskgit-cosine,
    /// geometric:0.001:20, power:2 or logarithmic
    #[arg(long, value_name = "SCHEDULE", default_value = "linear", value_parser = Schedule::parse)]
    noise: Schedule,

    /// The time at which the grid starts [default: the last time of the schedule, or 16 for
    /// unit-rate]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    start: Option<f64>,

    /// How the grid falls
    #[arg(long, value_enum, default_value_t = Shape::Uniform)]
    grid: Shape,

    /// The time at which the grid ends [default: 0; 0.001 for a decaying grid]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    end: Option<f64>,

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
enum Sampler {
    /// Width times rate, at most 1
    Euler,
    /// The same, each position by one random number for all steps
    EulerPredrawn,
    /// The exact probability of the reverse process
    Ancestral,
    /// Poisson jumps, of which the first counts
    TauLeaping,
    /// Poisson jumps; a position with several of them stays masked
    TauLeapingReject,
}

impl Sampler {
    fn exact(self) -> Rule {
        match self {
            Self::Euler | Self::EulerPredrawn => Rule::Euler,
            Self::Ancestral => Rule::Ancestral,
            Self::TauLeaping => Rule::TauFirstJump,
            Self::TauLeapingReject => Rule::TauReject,
        }
    }

    /// The library's, with steps of one width.
    fn policy(self, noise: Noise<'static>, steps: u32) -> Policy<'static> {
        let mut policy = Policy::euler(noise, steps);
        match self {
            Self::Euler => {}
            Self::EulerPredrawn => policy.select = Select::PredrawnBernoulli,
            Self::Ancestral => return Policy::ancestral(noise, steps),
            Self::TauLeaping => return Policy::tau_leaping(noise, steps),
            Self::TauLeapingReject => {
                policy.schedule.transition = Transition::TauLeaping(MultiJump::Reject);
            }
        }
        policy
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// Steps of one width
    Uniform,
    /// Steps of a width in proportion to min(1, t)
    Decaying,
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
    pub(crate) fn policy(&self, steps: usize) -> Result<Policy<'static>, demask::Error> {
        let mut policy = self.sampler.policy(self.noise.noise(), steps as u32);
        policy.stop.finish = match self.finish {
            Ending::None => Finish::None,
            Ending::Sample => Finish::Sample,
            Ending::Argmax => Finish::Argmax,
        };
        (policy.schedule.start, policy.schedule.end) = (self.start(), self.end());
        if self.grid == Shape::Decaying {
            policy = policy.on_decaying_grid(self.start(), self.end())?;
        }
        policy.check()?;
        Ok(policy)
    }

    /// Whether there is a grid of so many steps.
    pub(crate) fn fits(&self, steps: usize) -> bool {
        self.policy(steps).is_ok()
    }

    /// The probability with which each of `steps` steps reveals a position, by the tests' own
    /// formulas.
    pub(crate) fn reveal(&self, steps: usize) -> Vec<f64> {
        let (start, end) = (self.start(), self.end());
        let times = match self.grid {
            Shape::Uniform => {
                uniform_grid(start - end, steps).into_iter().map(|left| end + left).collect()
            }
            Shape::Decaying => decaying_grid_to(start, end, steps),
        };
        reveal_probabilities(self.noise.0, self.sampler.exact(), &times)
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

    fn end(&self) -> f64 {
        self.end.unwrap_or(if self.grid == Shape::Decaying { 1e-3 } else { 0.0 })
    }

    /// How it is called in titles.
    pub(crate) fn name(&self) -> String {
        let Self { sampler, noise, grid, finish, .. } = self;
        let (start, end) = (self.start(), self.end());
        format!(
            "{sampler:?}, {} schedule, {grid:?} grid, t = {start} to {end}, finish {finish:?}",
            noise.name()
        )
    }
}
