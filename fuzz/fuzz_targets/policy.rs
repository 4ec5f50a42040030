//! Arbitrary policies on arbitrary canvases, to the end or for some steps, by `step`, by `plan` and
//! `step_planned`, and by the two halves of a step; at every level, on one thread and on three. All ways
//! leave the same; a step writes only what its plan said, and only tokens that may stand there; what is
//! refused is named, and changes nothing.

#![no_main]

use arbitrary::{Result, Unstructured};
use demask::policy::{
    Doubt, DoubtOf, DrawMethod, Edit, Fallback, FilterOrder, Neighbours, NucleusEdge, Remask,
    RemaskRate, Replan, ScoreOf, Settle, Stable, Threshold,
};
use demask::schedule::sizes::{
    MarkovSizes, MaskFunction, Rounding, SizeList, SystematicSizes, Weight,
};
use demask::schedule::{Base, NoiseTable};
use demask::{
    AllowedTokens, Canvas, Constraints, Error, Finish, Grid, Level, Logits, LogitsData, MultiJump,
    Noise, Plan, Policy, PositionKind, PositionState, RowRecord, Sampler, Segment, Select, Sizes,
    StepReport, TimeGrid, Transition, Update, bf16, f16,
};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::ops::Range;

const MAX_POSITIONS: usize = 40;
const MAX_SEGMENTS: usize = 4;
const MAX_STEPS: u32 = 64;
/// Rows of this make a step that is worth a pool of threads.
const LARGE_VOCAB: usize = 33_000;

/// How a run makes its steps.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Step,
    Planned,
    Halves,
}

struct Runner {
    level: Level,
    threads: usize,
    sampler: Sampler,
    plan: Plan,
}

thread_local! {
    static RUNNERS: RefCell<Vec<Runner>> = RefCell::new(runners());
}

/// The best level comes first, then those below, then three threads.
fn runners() -> Vec<Runner> {
    let best = Level::detect();
    let levels = Level::ALL.into_iter().rev().filter(|level| level.is_available());
    let mut all: Vec<(Level, usize)> = levels.map(|level| (level, 1)).collect();
    all.push((best, 3));
    all.into_iter()
        .map(|(level, threads)| {
            let builder = Sampler::builder(MAX_POSITIONS, MAX_SEGMENTS).level(level);
            let sampler = builder.threads(threads).vocab(LARGE_VOCAB).build().expect("a sampler");
            let plan = Plan::with_capacity(MAX_POSITIONS, MAX_SEGMENTS);
            Runner { level, threads, sampler, plan }
        })
        .collect()
}

fuzz_target!(|data: &[u8]| {
    let u = &mut Unstructured::new(data);
    if let Ok(tables) = Tables::new(u)
        && let Ok(case) = Case::new(u, &tables)
    {
        case.run();
    }
});

/// A thorough mix of a word (SplitMix64).
fn mix(state: u64) -> u64 {
    let x = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// One of `good`, or once in a while any number.
fn number(u: &mut Unstructured<'_>, good: &[f64]) -> Result<f64> {
    let choice = usize::from(u.arbitrary::<u8>()?);
    Ok(match choice {
        250 => f64::NAN,
        251 => -1.0,
        252 => f64::INFINITY,
        253.. => f64::from_bits(u.arbitrary()?),
        _ => good[choice % good.len()],
    })
}

/// One of `good`, or once in a while any number.
fn count(u: &mut Unstructured<'_>, good: &[u32]) -> Result<u32> {
    let choice = usize::from(u.arbitrary::<u8>()?);
    Ok(match choice {
        254 => u32::MAX,
        255 => u.arbitrary()?,
        _ => good[choice % good.len()],
    })
}

fn pick<T: Copy>(u: &mut Unstructured<'_>, all: &[T]) -> Result<T> {
    Ok(all[usize::from(u.arbitrary::<u8>()?) % all.len()])
}

/// What policies borrow.
struct Tables {
    noise: NoiseTable,
    grid: TimeGrid,
    list: SizeList,
    markov: MarkovSizes,
    systematic: SystematicSizes,
    end_tokens: Vec<i32>,
    last: Vec<i32>,
}

impl Tables {
    fn new(u: &mut Unstructured<'_>) -> Result<Self> {
        let entries = 1 + usize::from(u.arbitrary::<u8>()?) % 4;
        let (mut times, mut masked) = (vec![0.0], vec![0.0]);
        for _ in 0..entries {
            let (step, rise) = (u16::from(u.arbitrary::<u8>()?), u.arbitrary::<u8>()?);
            times.push(times[times.len() - 1] + f64::from(step + 1) / 256.0);
            let before: f64 = masked[masked.len() - 1];
            masked.push((before + f64::from(rise) / 400.0).clamp(1e-9, 1.0));
        }
        let mut falling = vec![1.0];
        for _ in 0..1 + u.arbitrary::<u8>()? % 6 {
            let before: f64 = falling[falling.len() - 1];
            falling.push(before * f64::from(u.arbitrary::<u8>()?) / 255.0);
        }
        let grid = TimeGrid::new(&falling).or_else(|_| TimeGrid::new(&[1.0, 0.0]));
        let sizes: Vec<u32> = (0..1 + u.arbitrary::<u8>()? % 5)
            .map(|_| Ok(1 + u32::from(u.arbitrary::<u8>()? % 6)))
            .collect::<Result<_>>()?;
        let (masks, steps) =
            (1 + u32::from(u.arbitrary::<u8>()?) % 40, 1 + u.arbitrary::<u8>()? % 8);
        let weight = pick(u, &[Weight::TotalCorrelation, Weight::DualTotalCorrelation])?;
        let tokens = |u: &mut Unstructured<'_>| {
            let count = u.arbitrary::<u8>()? % 3;
            (0..count).map(|_| Ok(i32::from(u.arbitrary::<i8>()?))).collect::<Result<Vec<_>>>()
        };
        Ok(Self {
            noise: NoiseTable::new(&times, &masked).expect("a table"),
            grid: grid.expect("a grid"),
            list: SizeList::new(&sizes).expect("a list"),
            markov: MarkovSizes::tc(masks, steps.into()).expect("a table"),
            systematic: SystematicSizes::new(masks, steps.into(), weight).expect("a table"),
            end_tokens: tokens(u)?,
            last: tokens(u)?,
        })
    }
}

const FRACTIONS: [f64; 9] = [0.5, 0.9, 0.0, 1.0, 0.01, 0.3, 1e-9, -0.5, 1.5];

fn noise<'a>(u: &mut Unstructured<'_>, tables: &'a Tables) -> Result<Noise<'a>> {
    Ok(match u.arbitrary::<u8>()? % 10 {
        0 => Noise::Linear,
        1 => Noise::Cosine,
        2 => Noise::UnitRate,
        3 => Noise::CosineSquared,
        4 => Noise::MaskgitCosine,
        5 => Noise::Geometric {
            sigma_min: number(u, &[1e-3, 0.1, 1e-9])?,
            sigma_max: number(u, &[20.0, 1.0, 1e3])?,
        },
        6 => Noise::Power { exponent: number(u, &[2.0, 0.5, 1.0, 1e-3, 50.0])? },
        7 => Noise::Logarithmic,
        8 => Noise::Scaled {
            base: pick(u, &[Base::Linear, Base::Cosine, Base::CosineSquared])?,
            epsilon: number(u, &[1e-3, 0.0, 0.5, 0.999])?,
        },
        _ => Noise::Table(&tables.noise),
    })
}

fn select(u: &mut Unstructured<'_>) -> Result<Select> {
    Ok(match u.arbitrary::<u8>()? % 16 {
        0 => Select::FirstHitting,
        1 => Select::Bernoulli,
        2 => Select::RandomOrder,
        3 => Select::PredrawnBernoulli,
        4 => Select::PredrawnFirstHitting,
        5 => Select::ScoreBernoulli,
        6 => Select::Sequential,
        7 | 8 => Select::TopK,
        9 => Select::Factor(number(u, &FRACTIONS)?),
        10 => Select::EntropyBound { bound: number(u, &FRACTIONS)?, inclusive: u.arbitrary()? },
        11 => Select::Prefix { at: number(u, &FRACTIONS)? },
        12 => Select::Runs { low: number(u, &FRACTIONS)?, high: number(u, &FRACTIONS)? },
        13 => Select::Neighbours(Neighbours {
            anchor: number(u, &FRACTIONS)?,
            near: number(u, &FRACTIONS)?,
            radius: count(u, &[0, 1, 4])?,
        }),
        14 => Select::Stable(Stable {
            above: number(u, &FRACTIONS)?,
            divergence: number(u, &FRACTIONS)?,
            steps: count(u, &[0, 1, 2])?,
        }),
        _ => Select::Threshold(Threshold {
            at: number(u, &FRACTIONS)?,
            at_end: number(u, &FRACTIONS)?,
            strict: u.arbitrary()?,
            fallback: pick(
                u,
                &[
                    Fallback::None,
                    Fallback::Best,
                    Fallback::NearBest,
                    Fallback::FillByScore,
                    Fallback::FillInOrder,
                ],
            )?,
            most: count(u, &[0, 1, 3])?,
            most_share: number(u, &[1.0, 0.5, 0.01, 1e-300])?,
            share_least: count(u, &[0, 1, 3])?,
            within_size: u.arbitrary()?,
        }),
    })
}

fn update(u: &mut Unstructured<'_>) -> Result<Update> {
    Ok(match u.arbitrary::<u8>()? % 7 {
        0 => Update::Reveal,
        1 => Update::Remask(Remask {
            rate: match u.arbitrary::<u8>()? % 3 {
                0 => RemaskRate::Cap(number(u, &FRACTIONS)?),
                1 => RemaskRate::Rescale(number(u, &FRACTIONS)?),
                _ => RemaskRate::ForwardBackward,
            },
            by_confidence: u.arbitrary()?,
            from: number(u, &[f64::INFINITY, 0.8])?,
            until: number(u, &[0.0, 0.2])?,
        }),
        2 => Update::Doubt(Doubt {
            below: number(u, &FRACTIONS)?,
            of: pick(u, &[DoubtOf::Standing, DoubtOf::Drawn])?,
        }),
        3 => {
            Update::Edit(Edit { above: number(u, &FRACTIONS)?, extra_steps: count(u, &[0, 1, 5])? })
        }
        4 => Update::Replan(Replan { eta: number(u, &[1.0, 0.0, 0.5, 2.0, 1e300])? }),
        5 => Update::Renoise { tokens: count(u, &[0, 1, 7])? },
        _ => Update::UniformState { tokens: count(u, &[0, 1, 7])? },
    })
}

fn sizes<'a>(u: &mut Unstructured<'_>, tables: &'a Tables) -> Result<Sizes<'a>> {
    Ok(match u.arbitrary::<u8>()? % 12 {
        0 => Sizes::Even,
        1 => Sizes::EvenReversed,
        2 => Sizes::Fixed(count(u, &[0, 1, 3, 50])?),
        3 => Sizes::TimeRatio { end: number(u, &[0.001, 0.0, 0.5, 0.999])? },
        4 => Sizes::Expected,
        5 => Sizes::Binomial,
        6 => Sizes::Kappa,
        7 => {
            Sizes::Mask(pick(u, &MaskFunction::ALL)?, pick(u, &[Rounding::Floor, Rounding::Ceil])?)
        }
        8 => Sizes::List(&tables.list),
        9 => Sizes::Markov(&tables.markov),
        10 => Sizes::MarkovReversed(&tables.markov),
        _ => Sizes::Systematic(&tables.systematic),
    })
}

/// A policy of the library, of which some parts are replaced by any others.
fn policy<'a>(u: &mut Unstructured<'_>, tables: &'a Tables) -> Result<Policy<'a>> {
    let steps = count(u, &[4, 0, 1, 2, 3, 8, 60])?;
    let noise_of = noise(u, tables)?;
    let mut policy = match u.arbitrary::<u8>()? % 32 {
        0 => Policy::first_hitting(noise_of),
        1 => Policy::first_hitting_parallel(noise_of, steps),
        2 => Policy::first_hitting_extrapolated(noise_of, steps),
        3 => Policy::euler(noise_of, steps),
        4 => Policy::euler_score(noise_of, steps),
        5 => Policy::ancestral(noise_of, steps),
        6 => Policy::random_order(steps),
        7 => Policy::tc_adaptive(&tables.markov),
        8 => Policy::dtc_adaptive(&tables.markov),
        9 => Policy::llada(steps),
        10 => Policy::dream(steps),
        11 => Policy::dream_margin(steps),
        12 => Policy::dream_entropy(steps),
        13 => Policy::dream_origin(steps),
        14 => Policy::maskgit(steps),
        15 => Policy::fast_dllm(number(u, &FRACTIONS)?),
        16 => Policy::fast_dllm_factor(number(u, &FRACTIONS)?),
        17 => Policy::sdar_dynamic(number(u, &FRACTIONS)?, steps),
        18 => Policy::sdar_sequential(steps),
        19 => Policy::entropy_bound(number(u, &FRACTIONS)?),
        20 => Policy::local_leap(steps),
        21 => Policy::hierarchy_remask(number(u, &FRACTIONS)?, number(u, &FRACTIONS)?),
        22 => Policy::klass(steps),
        23 => Policy::wino(),
        24 => Policy::llada21(number(u, &FRACTIONS)?, number(u, &FRACTIONS)?),
        25 => Policy::p2(number(u, &[1.0, 0.0, 2.0])?, steps),
        26 => Policy::diffusion_gemma(steps),
        27 => Policy::uniform_state(noise_of, steps),
        28 => Policy::dinfer(number(u, &FRACTIONS)?),
        29 => Policy::remdm(RemaskRate::Cap(number(u, &FRACTIONS)?), steps),
        30 => Policy::theta_trapezoidal(noise_of, number(u, &FRACTIONS)?, steps),
        _ => Policy::ancestral(noise_of, steps).on_times(&tables.grid),
    };
    for _ in 0..u.arbitrary::<u8>()? % 5 {
        let Policy { draw, score, schedule, stop, .. } = &mut policy;
        match u.arbitrary::<u8>()? % 26 {
            0 => draw.temperature = number(u, &[1.0, 0.0, 0.5, 1e-30, f64::INFINITY])? as f32,
            1 => draw.top_k = count(u, &[0, 1, 3])?,
            2 => draw.top_p = number(u, &[1.0, 0.9, 0.1, 1e-30])? as f32,
            3 => draw.min_p = number(u, &[0.0, 0.1, 1.0])? as f32,
            4 => draw.filter_order = FilterOrder::BeforeTemperature,
            5 => draw.nucleus_edge = NucleusEdge::Drop,
            6 => draw.method = DrawMethod::ExponentialRace,
            7 => {
                let all = [
                    ScoreOf::Probability,
                    ScoreOf::LogProbability,
                    ScoreOf::Margin,
                    ScoreOf::NegativeEntropy,
                    ScoreOf::CappedProbability,
                    ScoreOf::Random,
                    ScoreOf::External,
                    ScoreOf::NegativeDivergence,
                ];
                score.of = pick(u, &all)?;
            }
            8 => score.temperature = number(u, &[1.0, 0.3, 1e-30, f64::INFINITY])? as f32,
            9 => score.filtered = u.arbitrary()?,
            10 => score.gumbel = number(u, &[0.0, 0.1, 1e300])?,
            11 => score.gumbel_falls = u.arbitrary()?,
            12 => score.priors = u.arbitrary()?,
            13 => score.last = &tables.last,
            14 => policy.select = select(u)?,
            15 => policy.update = update(u)?,
            16 => schedule.noise = noise(u, tables)?,
            17 => {
                schedule.grid = match u.arbitrary::<u8>()? % 3 {
                    0 => Grid::Uniform,
                    1 => Grid::Decaying { fraction: number(u, &[0.3, 1.0, 1e-300])? },
                    _ => Grid::Times(&tables.grid),
                };
            }
            18 => schedule.start = number(u, &[1.0, 0.5, 1e-300, 16.0])?,
            19 => schedule.end = number(u, &[0.0, 0.1, 1e-310, 0.999])?,
            20 => schedule.sizes = sizes(u, tables)?,
            21 => (schedule.least, schedule.most) = (count(u, &[0, 1, 5])?, count(u, &[0, 2, 9])?),
            22 => {
                let multi_jump = pick(u, &[MultiJump::First, MultiJump::Reject])?;
                schedule.transition = match u.arbitrary::<u8>()? % 4 {
                    0 => Transition::Euler,
                    1 => Transition::Ancestral,
                    2 => Transition::TauLeaping(multi_jump),
                    _ => Transition::Trapezoidal { theta: number(u, &FRACTIONS)?, multi_jump },
                };
            }
            23 => schedule.cooling = number(u, &[1.0, 0.1, 1e-30, 3.0, 1e30])? as f32,
            24 => {
                stop.finish = pick(u, &[Finish::None, Finish::Sample, Finish::Argmax])?;
                stop.end_tokens = &tables.end_tokens;
                stop.fill =
                    if u.arbitrary()? { Some(i32::from(u.arbitrary::<i8>()?)) } else { None };
            }
            _ => {
                let mean_entropy = number(u, &[f64::INFINITY, 0.5, 0.0])?;
                stop.settle = Some(Settle { steps: count(u, &[0, 1, 2])?, mean_entropy });
                schedule.extrapolate = u.arbitrary()?;
            }
        }
    }
    Ok(policy)
}

struct Case<'a> {
    policies: Vec<Policy<'a>>,
    tokens: Vec<i32>,
    mask: i32,
    segments: Vec<Segment>,
    kinds: Option<Vec<PositionKind>>,
    states: bool,
    priors: [Vec<f32>; 2],
    vocab: usize,
    dtype: u8,
    /// What logits are made from, and how many rows and numbers are bad.
    salt: u64,
    defects: u8,
    spread: f32,
    banned: Vec<u32>,
    bias: Vec<(u32, f32)>,
    allowed: Vec<u32>,
    withholds: bool,
    most_steps: u32,
}

/// All that a step may change, and what it said.
#[derive(Clone, Debug, PartialEq)]
struct Snapshot {
    tokens: Vec<i32>,
    kinds: Option<Vec<PositionKind>>,
    states: Option<Vec<PositionState>>,
    segments: Vec<Segment>,
}

/// A step of a run, or how it ended.
#[derive(Debug, PartialEq)]
enum Event {
    Step {
        after: Snapshot,
        report: StepReport,
        rows: Vec<u32>,
        remasked: Vec<u32>,
        times: Vec<u64>,
    },
    Refused(Error),
    Done,
}

impl<'a> Case<'a> {
    fn new(u: &mut Unstructured<'_>, tables: &'a Tables) -> Result<Self> {
        let policies = (0..1 + u.arbitrary::<u8>()? % 2)
            .map(|_| policy(u, tables))
            .collect::<Result<Vec<_>>>()?;
        let choice = usize::from(u.arbitrary::<u8>()?);
        let vocab = if choice == 255 { LARGE_VOCAB } else { 1 + choice % 40 };
        let positions = match vocab {
            LARGE_VOCAB => MAX_POSITIONS,
            _ => usize::from(u.arbitrary::<u8>()?) % (MAX_POSITIONS + 1),
        };
        let mask = match u.arbitrary::<u8>()? % 4 {
            0 => (choice % vocab) as i32,
            1 => i32::MAX,
            _ => -1,
        };
        let mut segments = vec![];
        let mut begin = 0;
        for _ in 0..usize::from(u.arbitrary::<u8>()?) % (MAX_SEGMENTS + 1) {
            let gap = u32::from(u.arbitrary::<u8>()?) % 8;
            let length = u32::from(u.arbitrary::<u8>()?) % 24;
            begin += gap.saturating_sub(5);
            let end = (begin + length).min(positions as u32);
            let mut segment = Segment {
                begin: begin.min(end),
                end,
                seed: u.arbitrary::<u8>()?.into(),
                stream: u.arbitrary::<u8>()?.into(),
                policy: u32::from(u.arbitrary::<u8>()?) % policies.len() as u32,
                ..Segment::default()
            };
            if u.arbitrary::<u8>()? % 4 == 0 {
                segment.step = count(u, &[0, 1, 3])?;
                segment.origin = count(u, &[0, 5])?;
                segment.log_masked = number(u, &[0.0, -0.5, -700.0, -1e300, f64::NEG_INFINITY])?;
                segment.output_log_masked = number(u, &[0.0, -0.1, -900.0])?;
                segment.initial_masks = count(u, &[0, 1, 100])?;
                segment.revealed = count(u, &[0, 1, 9])?;
                segment.settled = count(u, &[0, 1])?;
                segment.extra_steps = count(u, &[0, 1])?;
                segment.mean_entropy = number(u, &[0.0, 0.7])?;
            }
            begin = end;
            segments.push(segment);
        }
        let held = u.arbitrary::<u8>()?;
        let salt = u64::from(u.arbitrary::<u32>()?);
        let word = |i: usize, what: u64| mix(mix(salt ^ what << 40) ^ i as u64);
        let has_kinds = held & 1 == 1;
        let kinds = has_kinds.then(|| {
            let kind = |i| match word(i, 1) % 10 {
                0 => PositionKind::FIXED,
                1 => PositionKind::INACTIVE,
                2 | 3 => PositionKind::COMMITTED,
                _ => PositionKind::MASKED,
            };
            (0..positions).map(kind).collect::<Vec<_>>()
        });
        let token = |i: usize| {
            let is_masked = match &kinds {
                Some(kinds) => kinds[i] == PositionKind::MASKED,
                None => word(i, 2) % 4 != 0,
            };
            // What stands at a position may be anything.
            match word(i, 3) % 16 {
                _ if is_masked => mask,
                0 => -7,
                1 => i32::MAX - 1,
                _ => (word(i, 4) % vocab as u64) as i32,
            }
        };
        let prior = |bit: u8, what: u64| match held >> bit & 1 {
            0 => vec![],
            _ => (0..positions).map(|i| (word(i, what) % 9) as f32 / 4.0 - 0.5).collect(),
        };
        let width = vocab.div_ceil(32);
        let constrained = u.arbitrary::<u8>()?;
        let some = |bit: u8| constrained >> bit & 1 == 1;
        let any = |k: usize| (word(k, 7) % vocab as u64) as u32;
        Ok(Self {
            tokens: (0..positions).map(token).collect(),
            states: held >> 1 & 1 == 1,
            priors: [prior(2, 5), prior(3, 6)],
            mask,
            segments,
            banned: if some(0) { vec![any(0), any(1)] } else { vec![] },
            bias: if some(1) { vec![(any(2), 2.5), (any(3), f32::NEG_INFINITY)] } else { vec![] },
            allowed: if some(2) {
                (0..width).map(|i| (word(i, 8) | word(i, 9)) as u32).collect()
            } else {
                vec![]
            },
            withholds: held >> 4 & 7 == 0,
            dtype: u.arbitrary::<u8>()? % 3,
            defects: u.arbitrary::<u8>()? % 5,
            spread: number(u, &[4.0, 0.0, 30.0, 1e-3, 1e30])? as f32,
            most_steps: if vocab == LARGE_VOCAB { 2 } else { MAX_STEPS },
            policies,
            kinds,
            vocab,
            salt,
        })
    }

    /// The logits of position `at` at a step, of which some are −∞ and some rows are bad.
    fn row(&self, at: usize, step: u32) -> Vec<f32> {
        let base = mix(self.salt ^ u64::from(step) << 32 ^ at as u64);
        // Rows of one step in four are those of the step before.
        let base = if step % 4 == 3 {
            mix(self.salt ^ u64::from(step - 1) << 32 ^ at as u64)
        } else {
            base
        };
        let mut row: Vec<f32> = (0..self.vocab as u64)
            .map(|token| {
                let word = mix(base ^ token << 8);
                match word % 16 {
                    0 if self.defects % 2 == 1 => f32::NEG_INFINITY,
                    1 => 1.0,
                    _ => self.finite((word >> 40) as f32 / (1 << 24) as f32 - 0.5),
                }
            })
            .collect();
        let place = (base >> 20) as usize % self.vocab;
        match base % 12 {
            0 if self.defects > 2 => row[place] = f32::NAN,
            1 if self.defects > 2 => row[place] = f32::INFINITY,
            2 if self.defects > 3 => row.fill(f32::NEG_INFINITY),
            _ => {}
        }
        row
    }

    /// A logit from a number within a half of 0.
    fn finite(&self, x: f32) -> f32 {
        let x = x * self.spread;
        match self.dtype {
            _ if !x.is_finite() => 0.0,
            1 => x.clamp(-65_504.0, 65_504.0),
            _ => x,
        }
    }

    fn constraints(&self) -> Constraints<'_> {
        let words = &self.allowed;
        let allowed = (!words.is_empty()).then_some(AllowedTokens { words, stride: 0 });
        Constraints { banned: &self.banned, bias: &self.bias, allowed, ..Constraints::NONE }
    }

    /// Whether NaN or +∞ stands in a row. Where constraints take all of it out, nothing is said of it.
    fn is_odd(&self, at: usize, step: u32) -> bool {
        self.row(at, step).iter().any(|x| x.is_nan() || *x == f32::INFINITY)
    }

    /// Which tokens could be drawn from a row; `None` for one that is surely bad.
    fn legal(&self, at: usize, step: u32) -> Option<Vec<bool>> {
        let bits = |i: usize| self.allowed.get(i / 32).is_none_or(|word| word >> (i % 32) & 1 == 1);
        let stays = |i: usize| {
            bits(i) && !self.banned.contains(&(i as u32)) && i as i64 != i64::from(self.mask)
        };
        let mut row = self.row(at, step);
        if (0..row.len()).any(|i| stays(i) && (row[i].is_nan() || row[i] == f32::INFINITY)) {
            return None;
        }
        for &(token, by) in &self.bias {
            row[token as usize] += by;
        }
        let legal: Vec<bool> = (0..row.len()).map(|i| row[i].is_finite() && stays(i)).collect();
        legal.contains(&true).then_some(legal)
    }

    fn run(&self) {
        let mut tokens = self.tokens.clone();
        let mut segments = self.segments.clone();
        let canvas = Canvas::new(&mut tokens, self.mask, &mut segments, &self.policies);
        if let Err(error) = canvas {
            self.check_refusal(error);
            // Times may be NaN.
            let [after, before] = [(&tokens, &segments), (&self.tokens, &self.segments)]
                .map(|all| format!("{all:?}"));
            assert_eq!(after, before, "a refused canvas was changed");
            return;
        }
        for policy in &self.policies {
            assert_eq!(policy.check(), Ok(()), "a policy that a canvas took");
        }
        RUNNERS.with_borrow_mut(|runners| {
            let (best, others) = runners.split_first_mut().expect("a level");
            let expected = self.decode(best, Way::Planned, true);
            for (i, runner) in others.iter_mut().enumerate() {
                let way = [Way::Halves, Way::Step, Way::Planned][i % 3];
                // A pool has no part in small steps.
                if (self.vocab == LARGE_VOCAB) != (runner.threads > 1) && self.vocab == LARGE_VOCAB
                {
                    continue;
                }
                let found = self.decode(runner, way, false);
                self.compare(&expected, &found, (runner.level, runner.threads, way));
            }
            for way in [Way::Step, Way::Halves] {
                if self.vocab != LARGE_VOCAB {
                    let found = self.decode(best, way, false);
                    self.compare(&expected, &found, (best.level, 1, way));
                }
            }
        });
    }

    fn compare(&self, expected: &[Event], found: &[Event], how: (Level, usize, Way)) {
        assert_eq!(expected.len(), found.len(), "{how:?} with {:?}", self.policies);
        for (step, (expected, found)) in expected.iter().zip(found).enumerate() {
            assert_eq!(expected, found, "step {step}, {how:?} with {:?}", self.policies);
        }
    }

    /// Steps to the end, or for some; if `checks`, each is looked at.
    fn decode(&self, runner: &mut Runner, way: Way, checks: bool) -> Vec<Event> {
        let Runner { sampler, plan, .. } = runner;
        let mut now = Snapshot {
            tokens: self.tokens.clone(),
            kinds: self.kinds.clone(),
            states: self.states.then(|| vec![PositionState::default(); self.tokens.len()]),
            segments: self.segments.clone(),
        };
        let mut events = vec![];
        for step in 0..self.most_steps {
            let before = now.clone();
            let event = self.step(sampler, plan, way, step, &mut now);
            match &event {
                Event::Step { .. } if checks => {
                    self.check_step(step, &before, &event, plan);
                    // Planning anew gives the same plan.
                    let mut again = Plan::with_capacity(MAX_POSITIONS, MAX_SEGMENTS);
                    let mut other = before.clone();
                    let canvas = self.canvas(&mut other);
                    sampler.plan(&canvas, &mut again).expect("the plan of before");
                    assert_eq!((again.rows(), again.offsets()), (plan.rows(), plan.offsets()));
                }
                Event::Step { .. } => {}
                Event::Refused(_) | Event::Done => {
                    assert_eq!(now, before, "a step that was refused changed something");
                    if checks && event == Event::Done {
                        self.check_end(step, &now);
                    }
                    events.push(event);
                    break;
                }
            }
            events.push(event);
        }
        events
    }

    fn canvas<'b>(&'b self, now: &'b mut Snapshot) -> Canvas<'b> {
        let Snapshot { tokens, kinds, states, segments } = now;
        let mut canvas =
            Canvas::new(tokens, self.mask, segments, &self.policies).expect("a canvas");
        if let Some(kinds) = kinds {
            canvas = canvas.with_kinds(kinds).expect("kinds");
        }
        if let Some(states) = states {
            canvas = canvas.with_states(states).expect("states");
        }
        let canvas = canvas.with_priors(&self.priors[0], &self.priors[1]).expect("priors");
        canvas.with_constraints(self.constraints()).expect("constraints")
    }

    /// One step, in one of the ways.
    fn step(
        &self,
        sampler: &mut Sampler,
        plan: &mut Plan,
        way: Way,
        step: u32,
        now: &mut Snapshot,
    ) -> Event {
        let mut canvas = self.canvas(now);
        if let Err(error) = sampler.plan(&canvas, plan) {
            return Event::Refused(error);
        }
        if plan.active() == 0 {
            return Event::Done;
        }
        let positions = match way {
            Way::Step => (0..self.tokens.len() as u32).collect(),
            _ => plan.rows().to_vec(),
        };
        let data = Rows::new(self, &positions, step);
        let earlier = Rows::new(self, &positions, step.saturating_sub(1));
        let (rows, vocab) = (positions.len(), self.vocab);
        let reads = (0..plan.offsets().len() - 1)
            .any(|i| plan.reads_earlier(i) && plan.offsets()[i] < plan.offsets()[i + 1]);
        let both = |range: Range<usize>| {
            let earlier = earlier.view(range.clone(), vocab);
            data.view(range, vocab).with_earlier(&earlier).expect("rows of two outputs")
        };
        if self.withholds {
            // Without the earlier output a step that reads it is refused, and one that does not is made.
            let alone = data.view(0..rows, vocab);
            if reads {
                let result = match way {
                    Way::Step => sampler.step(&mut canvas, &alone),
                    _ => sampler.step_planned(&mut canvas, plan, &alone),
                };
                let error = result.expect_err("there is no earlier output");
                assert!(error.to_string().starts_with("earlier rows"), "{error}");
            }
        }
        let result = match way {
            Way::Step => sampler.step(&mut canvas, &both(0..rows)),
            Way::Planned => sampler.step_planned(&mut canvas, plan, &both(0..rows)),
            Way::Halves => {
                let mut records = vec![RowRecord::BAD; rows];
                let cut = rows * 3 / 7;
                let halves = [0..cut, cut..rows];
                let drawn = halves.into_iter().try_for_each(|range| {
                    let records = &mut records[range.clone()];
                    sampler.step_rows(&canvas, plan, &both(range.clone()), range.start, records)
                });
                drawn.and_then(|()| sampler.advance(&mut canvas, plan, vocab, &records))
            }
        };
        match result {
            Err(error) => Event::Refused(error),
            Ok(report) => Event::Step {
                report,
                rows: plan.rows().to_vec(),
                remasked: plan.remasked().to_vec(),
                times: plan.times().iter().map(|time| time.to_bits()).collect(),
                after: now.clone(),
            },
        }
    }

    fn is_masked(&self, of: &Snapshot, at: usize) -> bool {
        match &of.kinds {
            Some(kinds) => kinds[at] == PositionKind::MASKED,
            None => of.tokens[at] == self.mask,
        }
    }

    fn is_open(&self, of: &Snapshot, at: usize) -> bool {
        match &of.kinds {
            Some(kinds) => [PositionKind::MASKED, PositionKind::COMMITTED].contains(&kinds[at]),
            None => true,
        }
    }

    /// A step against the documentation of plans, steps and updates.
    fn check_step(&self, step: u32, before: &Snapshot, event: &Event, plan: &Plan) {
        let Event::Step { after, report, rows, remasked, .. } = event else { return };
        assert_eq!(plan.offsets().len(), before.segments.len() + 1);
        assert_eq!(plan.offsets()[before.segments.len()] as usize, rows.len());
        assert_eq!(plan.times().len(), before.segments.len());
        assert!(remasked.is_sorted_by(|a, b| a < b), "{remasked:?}");
        let at = |at: usize, of: &Snapshot| {
            let (kinds, states) = (of.kinds.as_ref(), of.states.as_ref());
            (of.tokens[at], kinds.map(|kinds| kinds[at]), states.map(|states| states[at]))
        };
        let mut inside = vec![false; before.tokens.len()];
        let mut written = 0;
        for (i, (old, new)) in before.segments.iter().zip(&after.segments).enumerate() {
            let policy = &self.policies[old.policy as usize];
            let update = &policy.update;
            let rows = &rows[plan.offsets()[i] as usize..plan.offsets()[i + 1] as usize];
            assert!(rows.is_sorted_by(|a, b| a < b), "{rows:?}");
            let time = plan.times()[i];
            let last = policy.schedule.noise.last_time();
            assert!((0.0..=last).contains(&time), "time {time} of segment {i}, {policy:?}");
            let maskless = matches!(update, Update::Renoise { .. } | Update::UniformState { .. });
            let revises = !matches!(update, Update::Reveal | Update::Remask(_));
            for &at in rows {
                assert!((old.begin..old.end).contains(&at), "row {at} of segment {i}");
                let moves = match revises {
                    true => self.is_open(before, at as usize),
                    false => self.is_masked(before, at as usize),
                };
                assert!(moves, "planned position {at}, {policy:?}");
            }
            assert_eq!(new.step, old.step + 1);
            let same = |s: &Segment| (s.begin, s.end, s.seed, s.stream, s.policy, s.origin);
            assert_eq!(same(old), same(new));
            assert!(
                new.log_masked <= old.log_masked,
                "{} after {}",
                new.log_masked,
                old.log_masked
            );
            assert!(new.mean_entropy >= 0.0 && new.output_log_masked <= 0.0, "{new:?}");

            let (mut masks, mut masks_left) = (0, 0);
            for place in old.begin as usize..old.end as usize {
                inside[place] = true;
                let (was_masked, is_masked) =
                    (self.is_masked(before, place), self.is_masked(after, place));
                masks += usize::from(was_masked);
                masks_left += usize::from(is_masked);
                let ((was, ..), (is, kind, _)) = (at(place, before), at(place, after));
                let is_planned = rows.contains(&(place as u32));
                let legal = self.legal(place, step);
                let earlier = plan
                    .reads_earlier(i)
                    .then(|| self.legal(place, step.saturating_sub(1)))
                    .flatten();
                let drawable = |token: i32| {
                    let legal_in = |legal: &Option<Vec<bool>>| {
                        let known = legal
                            .as_ref()
                            .and_then(|legal| legal.get(usize::try_from(token).ok()?));
                        known.copied().unwrap_or(false)
                    };
                    legal_in(&legal) || legal_in(&earlier)
                };
                if !self.is_open(before, place) {
                    assert_eq!(at(place, before), at(place, after), "position {place} is given");
                    continue;
                }
                if was == is && was_masked == is_masked {
                    continue;
                }
                written += 1;
                let text = format!("position {place}: {was} became {is}, {policy:?}");
                let ends = !policy.stop.end_tokens.is_empty();
                let fill = policy.stop.fill;
                let is_fill =
                    fill == Some(is) || fill.is_none() && policy.stop.end_tokens.contains(&is);
                let filled = ends
                    && was_masked
                    && is_fill
                    && kind.is_none_or(|k| k == PositionKind::INACTIVE);
                let noise = match *update {
                    Update::Renoise { tokens: 0 } | Update::UniformState { tokens: 0 } => {
                        self.vocab as i64
                    }
                    Update::Renoise { tokens } | Update::UniformState { tokens } => tokens.into(),
                    _ => 0,
                };
                let is_noise = (0..noise).contains(&i64::from(is));
                if filled {
                    continue;
                }
                if is_masked && !was_masked && !maskless {
                    let allowed = remasked.contains(&(place as u32))
                        || is_planned && matches!(update, Update::Doubt(_) | Update::Replan(_));
                    assert!(is == self.mask && allowed, "{text}");
                    continue;
                }
                assert!(is_planned, "{text}, though it was not planned");
                assert!(was_masked || revises, "{text}, though it was committed");
                let was_drawn = drawable(is);
                assert!(was_drawn || is_noise, "{text}, which cannot be drawn");
                let is_bad = legal.is_none() && earlier.is_none();
                assert!(!is_bad, "{text}, though its row is bad");
            }
            let plain = matches!(update, Update::Reveal) && policy.stop.end_tokens.is_empty();
            if plain && before.segments.len() == 1 {
                assert_eq!(masks - masks_left, report.revealed, "masks that went, {policy:?}");
            }
            if plain {
                assert!(masks - masks_left == new.revealed as usize, "{new:?}, {policy:?}");
            }
        }
        for (place, inside) in inside.iter().enumerate() {
            assert!(
                *inside || at(place, before) == at(place, after),
                "position {place} is in no segment"
            );
        }
        let StepReport { revealed, remasked, filled, edited, renoised, .. } = *report;
        let said = revealed + remasked + filled + edited + renoised;
        let gemma = self.policies.iter().any(|p| matches!(p.update, Update::Renoise { .. }));
        assert!(written <= said || gemma, "{written} positions were written, {report:?}");
    }

    /// What is left at the end of a decoding.
    fn check_end(&self, step: u32, now: &Snapshot) {
        for segment in &now.segments {
            let policy = &self.policies[segment.policy as usize];
            let all = 0..step;
            let plain = matches!(policy.update, Update::Reveal)
                && policy.stop.finish != Finish::None
                && policy.stop.settle.is_none()
                && policy.stop.end_tokens.is_empty()
                // From the start, so that the step at which masks are finished was made.
                && segment.step == step;
            let mut places = segment.begin as usize..segment.end as usize;
            let is_good = |at, step| !self.is_odd(at, step) && self.legal(at, step).is_some();
            let good = |at: usize| all.clone().all(|step| is_good(at, step));
            if plain && self.defects == 0 && step > 0 {
                let left = places.find(|&at| self.is_masked(now, at) && good(at));
                assert_eq!(left, None, "a mask was left by {policy:?}");
            }
        }
    }

    /// An error of a canvas names an argument of a segment or a policy, with the value that stands there.
    fn check_refusal(&self, error: Error) {
        let (name, value) = match error {
            Error::Argument { name, value, .. } => (name, value),
            Error::Shape { name, value, .. } => (name, value as f64),
            _ => panic!("{error} is no error of a canvas"),
        };
        let named = |value: f64| {
            let text = error.to_string();
            text.contains(name) && (text.contains(&value.to_string()) || value.is_nan())
        };
        assert!(named(value) && !name.is_empty(), "{error}");
        let same = |x: f64| x == value || x.is_nan() && value.is_nan();
        let mut found: Vec<f64> = vec![];
        for segment in &self.segments {
            found.extend(match name {
                "segment begin" => Some(segment.begin.into()),
                "segment end" => Some(segment.end.into()),
                "segment policy" => Some(segment.policy.into()),
                "segment step" => Some(segment.step.into()),
                "segment log_masked" => Some(segment.log_masked),
                "segment output_log_masked" => Some(segment.output_log_masked),
                "segment mean_entropy" => Some(segment.mean_entropy),
                _ => None,
            });
        }
        for policy in &self.policies {
            found.extend(value_of(policy, name));
        }
        assert!(found.iter().any(|&x| same(x)), "{error}, but it is one of {found:?}");
    }
}

/// The value of the field of a policy that an error names.
fn value_of(policy: &Policy<'_>, name: &str) -> Option<f64> {
    let Policy { draw, score, select, update, schedule, stop } = policy;
    let flag = |on: bool| f64::from(u8::from(on));
    Some(match (name, select, update, schedule.noise) {
        ("temperature", ..) => draw.temperature.into(),
        ("top_p", ..) => draw.top_p.into(),
        ("min_p", ..) => draw.min_p.into(),
        ("score", ..) => f64::from(score.of as u8),
        ("score.temperature", ..) => score.temperature.into(),
        ("score.gumbel", ..) => score.gumbel,
        ("score.gumbel_falls", ..) => flag(score.gumbel_falls),
        ("score.priors", ..) => flag(score.priors),
        ("score.filtered", ..) => flag(score.filtered),
        ("factor", Select::Factor(factor), ..) => *factor,
        ("entropy bound", Select::EntropyBound { bound, .. }, ..) => *bound,
        ("prefix.at", Select::Prefix { at }, ..) => *at,
        ("runs.low", Select::Runs { low, .. }, ..) => *low,
        ("runs.high", Select::Runs { high, .. }, ..) => *high,
        ("neighbours.anchor", Select::Neighbours(it), ..) => it.anchor,
        ("neighbours.near", Select::Neighbours(it), ..) => it.near,
        ("stable.above", Select::Stable(it), ..) => it.above,
        ("stable.divergence", Select::Stable(it), ..) => it.divergence,
        ("threshold.at", Select::Threshold(it), ..) => it.at,
        ("threshold.at_end", Select::Threshold(it), ..) => it.at_end,
        ("threshold.most_share", Select::Threshold(it), ..) => it.most_share,
        ("threshold.fallback", Select::Threshold(it), ..) => f64::from(it.fallback as u8),
        ("select", Select::PredrawnBernoulli, ..) => 3.0,
        ("select", Select::ScoreBernoulli, ..) => 5.0,
        ("update", _, Update::Remask(_), _) => 1.0,
        ("update", _, Update::Doubt(_), _) => 2.0,
        ("update", _, Update::Edit(_), _) => 3.0,
        ("update", _, Update::Replan(_), _) => 4.0,
        ("update", _, Update::Renoise { .. }, _) => 5.0,
        ("update", _, Update::UniformState { .. }, _) => 6.0,
        ("update.rate", _, Update::Remask(it), _) => match it.rate {
            RemaskRate::Cap(eta) | RemaskRate::Rescale(eta) => eta,
            _ => return None,
        },
        ("update.from", _, Update::Remask(it), _) => it.from,
        ("update.until", _, Update::Remask(it), _) => it.until,
        ("update.below", _, Update::Doubt(it), _) => it.below,
        ("update.above", _, Update::Edit(it), _) => it.above,
        ("update.eta", _, Update::Replan(it), _) => it.eta,
        ("update.tokens", _, Update::Renoise { tokens } | Update::UniformState { tokens }, _) => {
            (*tokens).into()
        }
        ("noise.sigma_min", _, _, Noise::Geometric { sigma_min, .. }) => sigma_min,
        ("noise.sigma_max", _, _, Noise::Geometric { sigma_max, .. }) => sigma_max,
        ("noise.exponent", _, _, Noise::Power { exponent }) => exponent,
        ("noise.epsilon", _, _, Noise::Scaled { epsilon, .. }) => epsilon,
        ("schedule.start", ..) => schedule.start,
        ("schedule.end", ..) => schedule.end,
        ("schedule.steps", ..) => schedule.steps.into(),
        ("schedule.least", ..) => schedule.least.into(),
        ("schedule.most", ..) => schedule.most.into(),
        ("schedule.cooling", ..) => schedule.cooling.into(),
        ("schedule.extrapolate", ..) => flag(schedule.extrapolate),
        ("schedule.grid.fraction", ..) => match schedule.grid {
            Grid::Decaying { fraction } => fraction,
            _ => return None,
        },
        ("schedule.transition.theta", ..) => match schedule.transition {
            Transition::Trapezoidal { theta, .. } => theta,
            _ => return None,
        },
        ("schedule.sizes", ..) => 0.0,
        ("schedule.sizes.fixed", ..) => match schedule.sizes {
            Sizes::Fixed(size) => size.into(),
            _ => return None,
        },
        ("schedule.sizes.end", ..) => match schedule.sizes {
            Sizes::TimeRatio { end } => end,
            _ => return None,
        },
        ("stop.settle.steps", ..) => stop.settle?.steps.into(),
        ("stop.settle.mean_entropy", ..) => stop.settle?.mean_entropy,
        _ => return None,
    })
}

/// Rows of logits of one of the three types.
enum Rows {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
}

impl Rows {
    fn new(case: &Case<'_>, positions: &[u32], step: u32) -> Self {
        let all = positions.iter().flat_map(|&at| case.row(at as usize, step));
        match case.dtype {
            0 => Self::F32(all.collect()),
            1 => Self::F16(all.map(f16::from_f32).collect()),
            _ => Self::Bf16(all.map(bf16::from_f32).collect()),
        }
    }

    /// Some of the rows.
    fn view(&self, range: Range<usize>, vocab: usize) -> Logits<'_> {
        let elements = range.start * vocab..range.end * vocab;
        let data = match self {
            Self::F32(all) => LogitsData::F32(&all[elements]),
            Self::F16(all) => LogitsData::F16(&all[elements]),
            Self::Bf16(all) => LogitsData::Bf16(&all[elements]),
        };
        Logits::new(data, range.len(), vocab, vocab, None).expect("a view")
    }
}
