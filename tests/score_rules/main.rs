//! Rules that look at scores, each against a slow and literal reading of its definition: f64, one row
//! after the other, nothing shared with the library. And the defects of other implementations, each
//! by a test that they would fail.

mod halves;
mod revision;
#[path = "../rows/mod.rs"]
mod rows;

use demask::policy::{
    Fallback, Neighbours, NucleusEdge, RemaskRate, Score, ScoreOf, Settle, Threshold,
};
use demask::{
    Canvas, Constraints, Draw, Finish, Key, Logits, LogitsData, Noise, Plan, Policy, PositionKind,
    PositionState, RowState, Sampler, Segment, Select, Sizes, bf16,
};
use rows::{FALSE_POSITIVES, chi_square, normal_row, words};
use std::collections::BTreeMap;

const MASK: i32 = -7;

/// A masked position whose row is good.
#[derive(Clone, Debug)]
struct Row {
    at: u32,
    logits: Vec<f64>,
    token: usize,
}

/// What a definition is told of a segment.
struct Case<'a> {
    /// Ascending.
    rows: &'a [Row],
    masks: u32,
    initial: u32,
    step: u32,
    steps: u32,
}

impl Row {
    /// Σ exp((z − z of `token`)/T) of all other tokens.
    fn others(&self, token: usize, temperature: f64) -> f64 {
        let all = self.logits.iter().enumerate().filter(|&(v, _)| v != token);
        all.map(|(_, z)| ((z - self.logits[token]) / temperature).exp()).sum()
    }

    fn argmax(&self) -> usize {
        let better =
            |best: usize, v: usize| if self.logits[v] > self.logits[best] { v } else { best };
        (0..self.logits.len()).fold(0, better)
    }

    /// 1 − p of the drawn token, without rounding p to 1.
    fn doubt(&self, temperature: f64) -> f64 {
        let others = self.others(self.token, temperature);
        if others.is_finite() { others / (1.0 + others) } else { 1.0 }
    }

    /// 1 − (p of the likeliest less p of the next).
    fn margin_doubt(&self, temperature: f64) -> f64 {
        let first = self.argmax();
        let rest = self.others(first, temperature);
        let all = self.logits.iter().enumerate().filter(|&(v, _)| v != first);
        let next = all.map(|(_, &z)| z).fold(f64::NEG_INFINITY, f64::max);
        (rest + ((next - self.logits[first]) / temperature).exp()) / (1.0 + rest)
    }

    fn entropy(&self, temperature: f64) -> f64 {
        let first = self.argmax();
        let rest = self.others(first, temperature);
        let tilt = self.logits.iter().filter(|z| z.is_finite()).map(|z| {
            let below = (self.logits[first] - z) / temperature;
            below * (-below).exp()
        });
        rest.ln_1p() + tilt.sum::<f64>() / (1.0 + rest)
    }

    /// 1 − min(max p, exp((z − max z)/T)).
    fn capped_doubt(&self, temperature: f64) -> f64 {
        let first = self.argmax();
        let rest = self.others(first, temperature);
        let behind = (self.logits[self.token] - self.logits[first]) / temperature;
        (rest / (1.0 + rest)).max(-behind.exp_m1())
    }
}

/// The logits that top-k leaves, and then top-p of these; −∞ in place of the others.
fn filtered(logits: &[f64], draw: &Draw) -> Result<Vec<f64>, Unclear> {
    let (p, temperature) = (f64::from(draw.top_p), f64::from(draw.temperature));
    let mut order: Vec<usize> = (0..logits.len()).filter(|&v| logits[v].is_finite()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    if draw.top_k > 0 {
        order.truncate(draw.top_k as usize);
    }
    let weight = |v: usize| ((logits[v] - logits[order[0]]) / temperature).exp();
    let total: f64 = order.iter().map(|&v| weight(v)).sum();
    let (mut left, mut sum) = (vec![f64::NEG_INFINITY; logits.len()], 0.0);
    for equal in order.chunk_by(|&a, &b| logits[a] == logits[b]) {
        let before = sum;
        sum += equal.iter().map(|&v| weight(v)).sum::<f64>() / total;
        let stays = match draw.nucleus_edge {
            _ if p == 1.0 || before == 0.0 => true,
            NucleusEdge::Drop if (sum - p).abs() > 1e-5 => sum < p,
            NucleusEdge::Keep if (before - p).abs() > 1e-5 => before < p,
            _ => return Err(Unclear),
        };
        if stays {
            equal.iter().for_each(|&v| left[v] = logits[v]);
        }
    }
    Ok(left)
}

/// Numbers that the library knows to 2e-6 only: too close to be told apart, but not equal.
struct Unclear;

type Answer = Result<Vec<u32>, Unclear>;

fn clear(a: f64, b: f64) -> Result<bool, Unclear> {
    // Whether a < b.
    if a != b && (a - b).abs() <= 1e-5 * a.abs().max(b.abs()) + 1e-300 {
        Err(Unclear)
    } else {
        Ok(a < b)
    }
}

/// The rows from the least to the largest doubt; equal ones by their positions.
fn ranked<'a>(
    case: &Case<'a>,
    doubt: impl Fn(&Row) -> f64,
) -> Result<Vec<(f64, &'a Row)>, Unclear> {
    let mut all: Vec<_> = case.rows.iter().map(|row| (doubt(row), row)).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.at.cmp(&b.1.at)));
    for pair in all.windows(2) {
        clear(pair[0].0, pair[1].0)?;
    }
    Ok(all)
}

fn positions<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<u32> {
    let mut all: Vec<_> = rows.into_iter().map(|row| row.at).collect();
    all.sort_unstable();
    all
}

fn best(case: &Case<'_>, count: u32, doubt: impl Fn(&Row) -> f64) -> Answer {
    let all = ranked(case, doubt)?;
    Ok(positions(all.into_iter().take(count as usize).map(|(_, row)| row)))
}

/// LLaDA's `get_num_transfer_tokens`, for a step whose predecessors have kept to it.
fn even(case: &Case<'_>) -> u32 {
    let left = case.steps - case.step;
    case.masks.div_ceil(left)
}

/// Dream: t falls from 1 to 0.001; int(n·(1 − s/t)), and all in the last step.
fn dream(case: &Case<'_>) -> u32 {
    if case.step + 1 == case.steps {
        return case.masks;
    }
    let time = |k: u32| 1.0 + f64::from(k) / f64::from(case.steps) * (0.001 - 1.0);
    (f64::from(case.masks) * (1.0 - time(case.step + 1) / time(case.step))).floor() as u32
}

/// MaskGIT: ⌊N0·cos(π/2·(k + 1)/K)⌋ stay masked, but never fewer than steps are left or more than
/// one less a step.
fn cosine(case: &Case<'_>) -> u32 {
    let done = case.step + 1;
    if done >= case.steps {
        return case.masks;
    }
    let ratio = f64::from(done) / f64::from(case.steps);
    let stay = f64::from(case.initial) * (core::f64::consts::FRAC_PI_2 * ratio).cos();
    let most = case.initial.saturating_sub(done);
    let stay = (stay.floor() as u32).min(most).max(most.min(case.steps - done));
    case.masks.saturating_sub(stay)
}

/// chatllm.cpp: L div K, and one more on the last L mod K steps, for a step whose predecessors have
/// kept to it.
fn even_reversed(case: &Case<'_>) -> u32 {
    case.masks / (case.steps - case.step)
}

/// dllm: n·(1 − (1 − α(s))/(1 − α(t))) with α = 1 − cos(π/2·(1 − t)), to the nearest.
fn dllm(case: &Case<'_>) -> Result<u32, Unclear> {
    if case.step + 1 == case.steps {
        return Ok(case.masks);
    }
    let time = |k: u32| f64::from(case.steps - k) / f64::from(case.steps);
    let alpha = |t: f64| 1.0 - (core::f64::consts::FRAC_PI_2 * (1.0 - t)).cos();
    let kept = (1.0 - alpha(time(case.step + 1))) / (1.0 - alpha(time(case.step)));
    let mean = f64::from(case.masks) * (1.0 - kept);
    if (mean.fract() - 0.5).abs() < 1e-7 { Err(Unclear) } else { Ok(mean.round() as u32) }
}

/// P2 with a linear κ: int(N·(1 − κ)) stay masked. Also diffusers' quota, ⌈(k + 1)·N/K⌉ in all.
fn linear_kappa(case: &Case<'_>) -> u32 {
    case.masks.saturating_sub(case.initial * (case.steps - case.step - 1) / case.steps)
}

/// d2Cache: always as many.
fn fixed(case: &Case<'_>, size: u32) -> u32 {
    if case.step + 1 == case.steps { case.masks } else { size }
}

/// All whose 1 − c is at most 1 − θ.
fn passing<'a>(
    case: &Case<'a>,
    theta: f64,
    doubt: impl Fn(&Row) -> f64,
) -> Result<Vec<&'a Row>, Unclear> {
    let mut all = Vec::new();
    for row in case.rows {
        if !clear(1.0 - theta, doubt(row))? {
            all.push(row);
        }
    }
    Ok(all)
}

/// All whose doubt is at most `bar`, and the surest if none is.
fn threshold_of(case: &Case<'_>, bar: f64, doubt: impl Fn(&Row) -> f64 + Copy) -> Answer {
    let all = passing(case, 1.0 - bar, doubt)?;
    if all.is_empty() { best(case, 1, doubt) } else { Ok(positions(all)) }
}

fn fast_dllm(case: &Case<'_>, theta: f64) -> Answer {
    let all = passing(case, theta, |row| row.doubt(1.0))?;
    if all.is_empty() { best(case, 1, |row| row.doubt(1.0)) } else { Ok(positions(all)) }
}

fn factor(case: &Case<'_>, factor: f64) -> Answer {
    let all = ranked(case, |row| row.doubt(1.0))?;
    let mut chosen = Vec::new();
    for (rank, (doubt, row)) in (1..).zip(all) {
        // The bar of the r-th, 1 − f/(r + 1), but for the first.
        if rank > 1 && clear(factor / f64::from(rank + 1), doubt)? {
            break;
        }
        chosen.push(row);
    }
    Ok(positions(chosen))
}

fn entropy_bound(case: &Case<'_>, bound: f64, inclusive: bool) -> Answer {
    let all = ranked(case, |row| row.entropy(1.0))?;
    let mut chosen: Vec<(f64, &Row)> = Vec::new();
    for next in all {
        let mut entropies: Vec<f64> = chosen.iter().map(|c| c.0).collect();
        entropies.push(next.0);
        let max = entropies.iter().copied().fold(0.0, f64::max);
        let sum: f64 = entropies.iter().sum();
        let spent = if inclusive { sum } else { sum - max };
        // A difference of sums is known to the digits of the sums.
        if (spent - bound).abs() <= 1e-5 * sum {
            return Err(Unclear);
        }
        if spent > bound && !chosen.is_empty() {
            break;
        }
        chosen.push(next);
    }
    Ok(positions(chosen.into_iter().map(|(_, row)| row)))
}

fn sdar_dynamic(case: &Case<'_>, theta: f64, size: u32) -> Answer {
    let all = passing(case, theta, |row| row.doubt(1.0))?;
    if all.len() < size as usize {
        best(case, size, |row| row.doubt(1.0))
    } else {
        Ok(positions(all))
    }
}

fn fill_in_order(case: &Case<'_>, theta: f64, size: u32) -> Answer {
    let mut chosen = positions(passing(case, theta, |row| row.doubt(1.0))?);
    for row in case.rows {
        if chosen.len() < size as usize && !chosen.contains(&row.at) {
            chosen.push(row.at);
        }
    }
    chosen.sort_unstable();
    Ok(chosen)
}

/// Fast-dLLM's port of Dream: of the surest, as many as the quota and what was left of it before, the
/// first one and those that reach θ.
fn fast_dllm_dream(case: &Case<'_>, theta: f64) -> Answer {
    let quota = linear_kappa(case) as usize;
    let mut chosen = Vec::new();
    for (k, (doubt, row)) in ranked(case, |row| row.doubt(1.0))?.into_iter().take(quota).enumerate()
    {
        if k == 0 || !clear(1.0 - theta, doubt)? {
            chosen.push(row);
        }
    }
    Ok(positions(chosen))
}

fn near_best(case: &Case<'_>, theta: f64) -> Answer {
    let surest = case.rows.iter().map(|row| row.doubt(1.0)).fold(f64::INFINITY, f64::min);
    Ok(positions(passing(case, theta.min(1.0 - surest - 1e-5), |row| row.doubt(1.0))?))
}

fn at_most(case: &Case<'_>, theta: f64, most: u32) -> Answer {
    let all: Vec<_> = passing(case, theta, |row| row.doubt(1.0))?.into_iter().cloned().collect();
    if all.is_empty() {
        return best(case, 1, |row| row.doubt(1.0));
    }
    best(&Case { rows: &all, ..*case }, most, |row| row.doubt(1.0))
}

fn prefix(case: &Case<'_>, theta: f64) -> Answer {
    let passed = positions(passing(case, theta, |row| row.doubt(1.0))?);
    let all = positions(case.rows);
    let count = all.iter().take_while(|at| passed.contains(at)).count();
    Ok(all[..count.max(1).min(all.len())].to_vec())
}

fn runs(case: &Case<'_>, low: f64, high: f64) -> Answer {
    let mut chosen = positions(passing(case, high, |row| row.doubt(1.0))?);
    let mut begin = 0;
    for i in 0..case.rows.len() {
        if i + 1 == case.rows.len() || case.rows[i + 1].at != case.rows[i].at + 1 {
            let run = Case { rows: &case.rows[begin..=i], ..*case };
            let first = best(&run, 1, |row| row.doubt(1.0))?;
            let sure = positions(passing(&run, low, |row| row.doubt(1.0))?);
            chosen.extend(
                first
                    .iter()
                    .filter(|at| sure.contains(at) && !chosen.contains(at))
                    .copied()
                    .collect::<Vec<_>>(),
            );
            begin = i + 1;
        }
    }
    if chosen.is_empty() {
        return best(case, 1, |row| row.doubt(1.0));
    }
    chosen.sort_unstable();
    Ok(chosen)
}

fn local_leap(case: &Case<'_>, size: u32) -> Answer {
    let mut chosen = best(case, size, |row| row.doubt(1.0))?;
    let anchors: Vec<u32> = positions(passing(case, 0.9, |row| row.doubt(1.0))?);
    let anchors: Vec<u32> = anchors.into_iter().filter(|at| chosen.contains(at)).collect();
    for at in positions(passing(case, 0.75, |row| row.doubt(1.0))?) {
        if !chosen.contains(&at) && anchors.iter().any(|anchor| anchor.abs_diff(at) <= 4) {
            chosen.push(at);
        }
    }
    chosen.sort_unstable();
    Ok(chosen)
}

/// A rule by its name, as a policy of so many steps, and its definition.
type Rule = (&'static str, fn(u32) -> Policy<'static>, fn(&Case<'_>) -> Answer);

fn with_select(mut policy: Policy<'static>, select: Select) -> Policy<'static> {
    policy.select = select;
    policy
}

fn by_score(mut policy: Policy<'static>, of: ScoreOf) -> Policy<'static> {
    policy.score.of = of;
    policy
}

fn with_threshold(mut policy: Policy<'static>, change: fn(&mut Threshold)) -> Policy<'static> {
    if let Select::Threshold(threshold) = &mut policy.select {
        change(threshold);
    }
    policy
}

fn with_sizes(mut policy: Policy<'static>, sizes: Sizes<'static>) -> Policy<'static> {
    policy.schedule.sizes = sizes;
    policy
}

/// What bounded sizes leave masked is drawn at the end.
fn bounded(mut policy: Policy<'static>, least: u32, most: u32) -> Policy<'static> {
    (policy.schedule.least, policy.schedule.most) = (least, most);
    policy.stop.finish = Finish::Sample;
    policy
}

fn at_a_temperature(mut policy: Policy<'static>) -> Policy<'static> {
    (policy.draw.temperature, policy.score.temperature) = (0.3, 0.3);
    policy
}

const RULES: [Rule; 41] = [
    (
        "sizes of chatllm.cpp",
        |steps| with_sizes(Policy::llada(steps), Sizes::EvenReversed),
        |c| best(c, even_reversed(c), |row| row.doubt(1.0)),
    ),
    (
        "sizes of dllm",
        |steps| {
            let mut policy = with_sizes(Policy::llada(steps), Sizes::Expected);
            policy.schedule.noise = Noise::MaskgitCosine;
            policy
        },
        |c| best(c, dllm(c)?, |row| row.doubt(1.0)),
    ),
    (
        "sizes of P2",
        |steps| with_sizes(Policy::dream_entropy(steps), Sizes::Kappa),
        |c| best(c, linear_kappa(c), |row| row.entropy(1.0)),
    ),
    (
        "fixed sizes",
        |steps| with_sizes(Policy::llada(steps), Sizes::Fixed(3)),
        |c| best(c, fixed(c, 3), |row| row.doubt(1.0)),
    ),
    (
        "fixed sizes without steps",
        |_| with_sizes(Policy::llada(0), Sizes::Fixed(3)),
        |c| best(c, 3, |row| row.doubt(1.0)),
    ),
    (
        "fixed sizes without steps, filled up",
        |_| with_sizes(Policy::sdar_dynamic(0.85, 0), Sizes::Fixed(4)),
        |c| sdar_dynamic(c, 0.85, 4),
    ),
    (
        "diffusers",
        |steps| {
            let policy = with_sizes(Policy::sdar_dynamic(0.8, steps), Sizes::Kappa);
            with_threshold(policy, |threshold| threshold.strict = true)
        },
        |c| sdar_dynamic(c, 0.8, linear_kappa(c)),
    ),
    (
        "Fast-dLLM's Dream",
        |steps| {
            let mut policy = with_sizes(Policy::fast_dllm(0.6), Sizes::Kappa);
            (policy.schedule.steps, policy.stop.finish) = (steps, Finish::Sample);
            with_threshold(policy, |threshold| threshold.within_size = true)
        },
        |c| fast_dllm_dream(c, 0.6),
    ),
    (
        "llada, bounded",
        |steps| bounded(Policy::llada(steps), 2, 3),
        |c| best(c, even(c).clamp(2, 3), |row| row.doubt(1.0)),
    ),
    (
        "local_leap, bounded",
        |steps| bounded(Policy::local_leap(steps), 2, 3),
        |c| local_leap(c, even(c).clamp(2, 3)),
    ),
    (
        "sdar_dynamic, bounded",
        |steps| bounded(Policy::sdar_dynamic(0.85, steps), 2, 4),
        // More may pass than the bound.
        |c| sdar_dynamic(c, 0.85, even(c).clamp(2, 4)),
    ),
    (
        "sdar_dynamic, bounded twice",
        |steps| {
            let policy = bounded(Policy::sdar_dynamic(0.3, steps), 5, 0);
            with_threshold(policy, |threshold| threshold.most = 3)
        },
        |c| {
            let size = even(c).max(5);
            let chosen = sdar_dynamic(c, 0.3, size)?;
            let kept: Vec<_> =
                c.rows.iter().filter(|row| chosen.contains(&row.at)).cloned().collect();
            best(&Case { rows: &kept, ..*c }, 3, |row| row.doubt(1.0))
        },
    ),
    ("llada", Policy::llada, |c| best(c, even(c), |row| row.doubt(1.0))),
    ("dream", Policy::dream, |c| best(c, dream(c), |row| row.doubt(1.0))),
    (
        "dream at a temperature",
        |steps| at_a_temperature(Policy::dream(steps)),
        |c| best(c, dream(c), |row| row.doubt(f64::from(0.3f32))),
    ),
    (
        "dream_margin at a temperature",
        |steps| at_a_temperature(Policy::dream_margin(steps)),
        |c| best(c, dream(c), |row| row.margin_doubt(f64::from(0.3f32))),
    ),
    (
        "dream_entropy at a temperature",
        |steps| at_a_temperature(Policy::dream_entropy(steps)),
        |c| best(c, dream(c), |row| row.entropy(f64::from(0.3f32))),
    ),
    ("dream_margin", Policy::dream_margin, |c| best(c, dream(c), |row| row.margin_doubt(1.0))),
    ("dream_entropy", Policy::dream_entropy, |c| best(c, dream(c), |row| row.entropy(1.0))),
    (
        "maskgit without noise",
        |steps| {
            let mut policy = Policy::maskgit(steps);
            policy.score.gumbel = 0.0;
            policy
        },
        |c| best(c, cosine(c), |row| row.doubt(1.0)),
    ),
    (
        "capped probability",
        |steps| {
            let mut policy = Policy::sdar(steps);
            policy.score.of = ScoreOf::CappedProbability;
            policy
        },
        |c| best(c, even(c), |row| row.capped_doubt(1.0)),
    ),
    ("fast_dllm", |_| Policy::fast_dllm(0.9), |c| fast_dllm(c, 0.9)),
    ("fast_dllm at 0.3", |_| Policy::fast_dllm(0.3), |c| fast_dllm(c, 0.3)),
    ("fast_dllm_factor", |_| Policy::fast_dllm_factor(1.0), |c| factor(c, 1.0)),
    ("fast_dllm_factor 0.2", |_| Policy::fast_dllm_factor(0.2), |c| factor(c, 0.2)),
    ("llada2", |_| Policy::llada2(0.95), |c| fast_dllm(c, 0.95)),
    (
        "falling threshold",
        |steps| {
            let mut policy = Policy::fast_dllm(0.9);
            (policy.schedule.steps, policy.stop.finish) = (steps, Finish::Sample);
            with_threshold(policy, |threshold| threshold.at_end = 0.4)
        },
        |c| {
            let gone = f64::from(c.step) / f64::from((c.steps - 1).max(1));
            fast_dllm(c, 0.9 - 0.5 * gone)
        },
    ),
    (
        "at most three",
        |_| with_threshold(Policy::fast_dllm(0.3), |threshold| threshold.most = 3),
        |c| at_most(c, 0.3, 3),
    ),
    ("sdar", Policy::sdar, |c| best(c, even(c), |row| row.doubt(1.0))),
    ("sdar_dynamic", |steps| Policy::sdar_dynamic(0.85, steps), |c| sdar_dynamic(c, 0.85, even(c))),
    (
        "sdar_dynamic, from the left",
        |steps| {
            with_threshold(Policy::sdar_dynamic(0.85, steps), |threshold| {
                threshold.fallback = Fallback::FillInOrder;
            })
        },
        |c| fill_in_order(c, 0.85, even(c)),
    ),
    ("entropy_bound", |_| Policy::entropy_bound(0.1), |c| entropy_bound(c, 0.1, false)),
    (
        "inclusive entropy bound",
        |_| {
            let select = Select::EntropyBound { bound: 1.5, inclusive: true };
            with_select(Policy::entropy_bound(0.0), select)
        },
        |c| entropy_bound(c, 1.5, true),
    ),
    ("local_leap", Policy::local_leap, |c| local_leap(c, even(c))),
    ("hierarchy", |_| Policy::hierarchy(0.4, 0.9), |c| runs(c, 0.4, 0.9)),
    ("dinfer", |_| Policy::dinfer(0.9), |c| near_best(c, 0.9)),
    ("prefix", |_| Policy::prefix(0.6), |c| prefix(c, 0.6)),
    (
        "threshold of the margin",
        |_| by_score(Policy::fast_dllm(0.4), ScoreOf::Margin),
        |c| threshold_of(c, 0.6, |row| row.margin_doubt(1.0)),
    ),
    (
        "threshold of ln p",
        |_| by_score(Policy::fast_dllm(0.7f64.ln()), ScoreOf::LogProbability),
        |c| threshold_of(c, 0.3, |row| row.doubt(1.0)),
    ),
    (
        "threshold of the entropy",
        |_| by_score(Policy::fast_dllm(-0.8), ScoreOf::NegativeEntropy),
        |c| threshold_of(c, 0.8, |row| row.entropy(1.0)),
    ),
    (
        "threshold of the capped probability",
        |_| {
            let mut policy = by_score(Policy::fast_dllm(0.6), ScoreOf::CappedProbability);
            policy.draw.temperature = 1.0;
            policy
        },
        |c| threshold_of(c, 0.4, |row| row.capped_doubt(1.0)),
    ),
];

/// Random numbers of a test.
struct Random(Box<dyn FnMut() -> u64>);

impl Random {
    fn new(seed: u64) -> Self {
        Self(Box::new(words(seed)))
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.0)() % bound
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// Logits of `count` positions: normal of several widths, in coarse steps (ties inside a row), far
/// ahead in one token (saturated), a copy of the row before (ties between rows), and bad ones.
fn some_rows(random: &mut Random, count: usize, vocab: usize) -> Vec<f32> {
    let mut all: Vec<f32> = Vec::new();
    for k in 0..count {
        let kind = random.below(20);
        if k > 0 && kind < 4 {
            all.extend_from_within((k - 1) * vocab..);
            continue;
        }
        let mut row =
            normal_row(vocab, random.pick(&[0.3, 1.0, 3.0, 6.0]), 0.0, random.below(1 << 40));
        match kind {
            4..7 => row.iter_mut().for_each(|z| *z = (*z * 2.0).round() / 2.0),
            7..13 => row[random.below(vocab as u64) as usize] += 2.0 + random.below(60) as f32,
            13 => {
                for _ in 0..vocab / 2 {
                    row[random.below(vocab as u64) as usize] = f32::NEG_INFINITY;
                }
            }
            14 => {
                let bad = random.pick(&[f32::NAN, f32::INFINITY]);
                row[random.below(vocab as u64) as usize] = bad;
            }
            15 => row.fill(f32::NEG_INFINITY),
            _ => {}
        }
        all.extend(row);
    }
    all
}

/// Of the excluded token only a NaN matters.
fn is_good(row: &[f32], excluded: Option<usize>) -> bool {
    let mut others = row.iter().enumerate().filter(|&(v, _)| Some(v) != excluded);
    others.clone().any(|(_, z)| z.is_finite())
        && others.all(|(_, &z)| z < f32::INFINITY)
        && !row.iter().any(|z| z.is_nan())
}

#[test]
fn every_rule_chooses_as_its_definition() {
    let (mut checked, mut unclear) = (BTreeMap::new(), 0u32);
    for round in 0..650 {
        let mut random = Random::new(round);
        let vocab = random.pick(&[2usize, 3, 7, 16, 33, 100, 257, 700]);
        let policies: Vec<_> = (0..RULES.len())
            .map(|i| {
                let mut policy = RULES[i].1(1 + random.below(8) as u32);
                if policy.draw.temperature > 0.0 {
                    policy.draw.top_k = random.pick(&[0, 0, 5, 40]);
                    policy.draw.top_p = random.pick(&[1.0, 1.0, 0.9, 0.5]);
                    policy.draw.nucleus_edge = random.pick(&[NucleusEdge::Keep, NucleusEdge::Drop]);
                }
                policy
            })
            .collect();
        // The mask may be a token of the vocabulary, which is then never drawn.
        let mask = if random.below(3) == 0 { vocab as i32 - 1 } else { MASK };
        let excluded = usize::try_from(mask).ok();
        let mut segments = Vec::new();
        let mut tokens = Vec::new();
        for i in 0..40 {
            let begin = tokens.len() as u32;
            let length = random.pick(&[0, 1, 2, 3, 8, 8, 13, 30]);
            for _ in 0..length {
                tokens.push(if random.below(4) == 0 { -1 } else { mask });
            }
            let masks = tokens[begin as usize..].iter().filter(|&&token| token == mask).count();
            let policy = random.below(RULES.len() as u64) as u32;
            let steps = policies[policy as usize].schedule.steps;
            segments.push(Segment {
                begin,
                end: tokens.len() as u32,
                seed: round,
                stream: i,
                policy,
                step: if steps == 0 {
                    random.below(9) as u32
                } else {
                    random.below(steps.into()) as u32
                },
                origin: random.below(100) as u32,
                initial_masks: masks as u32 + random.below(4) as u32,
                ..Segment::default()
            });
        }
        let positions = tokens.len();
        let mut logits = some_rows(&mut random, positions, vocab);
        let brain: Vec<bf16> = logits.iter().map(|&z| bf16::from_f32(z)).collect();
        let data = if random.below(2) == 0 {
            logits = brain.iter().map(|z| z.to_f32()).collect();
            LogitsData::Bf16(&brain)
        } else {
            LogitsData::F32(&logits)
        };
        let view = Logits::new(data, positions, vocab, vocab, None).expect("a view");
        let mut sampler =
            Sampler::builder(positions, segments.len()).vocab(vocab).build().expect("a sampler");

        // The tokens that the rows draw, by themselves.
        let mut drawn = vec![0; positions];
        for segment in &segments {
            let key = |at: u32| Key {
                seed: segment.seed,
                stream: segment.stream,
                step: segment.step,
                position: segment.origin + at - segment.begin,
            };
            let rows: Vec<u32> = (segment.begin..segment.end).collect();
            let keys: Vec<_> = rows.iter().map(|&at| key(at)).collect();
            let own = Logits::new(data, positions, vocab, vocab, Some(&rows)).expect("a view");
            let draw = policies[segment.policy as usize].draw;
            let constraints = Constraints::excluding(excluded.map(|v| v as u32));
            for (&at, drawn_here) in
                rows.iter().zip(sampler.draw(&own, &draw, &constraints, &keys).expect("a draw"))
            {
                drawn[at as usize] = drawn_here.token;
            }
        }

        let before = tokens.clone();
        let started = segments.clone();
        let mut canvas =
            Canvas::new(&mut tokens, mask, &mut segments, &policies).expect("a canvas");
        sampler.step(&mut canvas, &view).expect("a step");
        for segment in &started {
            let (name, _, definition) = RULES[segment.policy as usize];
            let policy = &policies[segment.policy as usize];
            let masked: Vec<u32> =
                (segment.begin..segment.end).filter(|&at| before[at as usize] == mask).collect();
            let describe = |at: u32| {
                let row = &logits[at as usize * vocab..][..vocab];
                let values = row
                    .iter()
                    .enumerate()
                    .map(|(v, &z)| if Some(v) == excluded { f64::NEG_INFINITY } else { z.into() });
                let mut values: Vec<f64> = values.collect();
                if !is_good(row, excluded) {
                    return Ok(None);
                }
                if policy.score.filtered && policy.draw.temperature > 0.0 {
                    values = filtered(&values, &policy.draw)?;
                }
                Ok(Some(Row { at, logits: values, token: drawn[at as usize] as usize }))
            };
            let rows: Result<Vec<_>, Unclear> = masked.iter().map(|&at| describe(at)).collect();
            let Ok(rows) = rows else {
                unclear += 1;
                continue;
            };
            let rows: Vec<Row> = rows.into_iter().flatten().collect();
            let case = Case {
                rows: &rows,
                masks: masked.len() as u32,
                initial: segment.initial_masks,
                step: segment.step,
                steps: policy.schedule.steps,
            };
            let changed: Vec<u32> =
                masked.iter().copied().filter(|&at| tokens[at as usize] != mask).collect();
            for at in segment.begin..segment.end {
                let (was, is) = (before[at as usize], tokens[at as usize]);
                assert!(
                    is == was || was == mask && is == drawn[at as usize],
                    "{name}: {was} became {is}"
                );
            }
            match definition(&case) {
                Ok(expected) => {
                    let what = format!(
                        "{name}, round {round}, {segment:?}, V {vocab}, T {}",
                        policy.draw.temperature
                    );
                    assert_eq!(changed, expected, "{what}");
                    *checked.entry(name).or_insert(0) += 1;
                }
                Err(Unclear) => unclear += 1,
            }
        }
    }
    println!("checked {checked:?}, unclear {unclear}");
    assert!(
        checked.len() == RULES.len() && checked.values().all(|&count| count > 400),
        "{checked:?}"
    );
    let all: u32 = checked.values().sum();
    assert!(unclear < all / 20, "{unclear} of {all} cases are unclear");
}

/// Decodes a canvas of `length` masks to its end; returns the sizes of the steps and the canvas.
fn decode(policy: Policy<'_>, length: usize, vocab: usize, seed: u64) -> (Vec<usize>, Vec<i32>) {
    let mut tokens = vec![MASK; length];
    let mut segments = [Segment { end: length as u32, seed, ..Segment::default() }];
    let policies = [policy];
    let mut sampler = Sampler::builder(length, 1).build().expect("a sampler");
    let mut plan = Plan::with_capacity(length, 1);
    let mut sizes = Vec::new();
    loop {
        let mut canvas =
            Canvas::new(&mut tokens, MASK, &mut segments, &policies).expect("a canvas");
        sampler.plan(&canvas, &mut plan).expect("a plan");
        if plan.active() == 0 {
            return (sizes, tokens);
        }
        let rows = plan.rows().len();
        let logits = normal_row(rows * vocab, 3.0, 0.0, seed ^ (sizes.len() as u64) << 20);
        let view = Logits::f32(&logits, rows, vocab).expect("a view");
        sizes.push(sampler.step_planned(&mut canvas, &plan, &view).expect("a step").revealed);
        assert!(sizes.len() < 1_000, "{policies:?} does not end");
    }
}

#[test]
fn every_rule_ends_with_all_revealed() {
    let sequential: Rule = ("sdar_sequential", Policy::sdar_sequential, |_| Err(Unclear));
    for (name, policy, _) in RULES.into_iter().chain([sequential]) {
        for (length, steps) in [(1, 1), (1, 5), (17, 1), (17, 4), (40, 40), (40, 64), (64, 7)] {
            let (sizes, tokens) = decode(policy(steps), length, 11, u64::from(steps));
            assert!(!tokens.contains(&MASK), "{name}, {length} masks, {steps} steps: {tokens:?}");
            assert_eq!(sizes.iter().sum::<usize>(), length, "{name}");
            let Policy { schedule, stop, .. } = policy(steps);
            let calls = schedule.steps as usize + usize::from(stop.finish != Finish::None);
            let steps = schedule.steps as usize;
            assert!(steps == 0 || sizes.len() <= calls, "{name}: {sizes:?} in {steps} steps");
            if steps == 0 {
                assert!(sizes.iter().all(|&size| size > 0), "{name}: {sizes:?}");
            }
        }
    }
}

#[test]
fn sizes_are_those_of_the_projects() {
    let sizes = |policy, length| decode(policy, length, 5, 3).0;
    // LLaDA's and Dream's own functions, called with these numbers.
    assert_eq!(sizes(Policy::llada(4), 10), [3, 3, 2, 2]);
    assert_eq!(sizes(Policy::llada(3), 32), [11, 11, 10]);
    assert_eq!(sizes(Policy::dream(5), 16), [3, 3, 3, 3, 4]);
    // 4·0.2490, 4·0.3316, 3·0.4960, and the rest.
    assert_eq!(sizes(Policy::dream(16), 4), [[0; 13].as_slice(), &[1, 1, 2]].concat());
    // Ten masks, four steps: L mod K last, halves to the even number, a cosine, three at a time.
    let with = |steps, size, noise| {
        let mut policy = with_sizes(Policy::llada(steps), size);
        policy.schedule.noise = noise;
        policy
    };
    assert_eq!(sizes(with(4, Sizes::EvenReversed, Noise::Linear), 10), [2, 2, 3, 3]);
    assert_eq!(sizes(with(4, Sizes::Expected, Noise::Linear), 10), [2, 3, 2, 3]);
    assert_eq!(sizes(with(4, Sizes::Kappa, Noise::Linear), 10), [3, 2, 3, 2]);
    // 10·cos(π/8·k) is 9.2, 7.1, 3.8.
    assert_eq!(sizes(with(4, Sizes::Kappa, Noise::MaskgitCosine), 10), [1, 2, 4, 3]);
    assert_eq!(sizes(with(0, Sizes::Fixed(3), Noise::Linear), 10), [3, 3, 3, 1]);
    assert_eq!(sizes(with(2, Sizes::Fixed(3), Noise::Linear), 10), [3, 7]);
    // What a bound leaves is drawn at the end.
    assert_eq!(sizes(bounded(Policy::llada(3), 0, 2), 10), [2, 2, 2, 4]);
    assert_eq!(sizes(bounded(Policy::dream(16), 1, 0), 4), [1, 1, 1, 1]);
}

/// dllm drops steps of size 0, for its network does not look at the time. Here they cost no call of it.
#[test]
fn a_step_of_no_positions_needs_no_network() {
    let within = |threshold: &mut Threshold| threshold.within_size = true;
    let selects = [
        Select::TopK,
        Policy::local_leap(8).select,
        Select::Sequential,
        Select::RandomOrder,
        Select::FirstHitting,
        Select::PredrawnFirstHitting,
        with_threshold(Policy::fast_dllm(0.0), within).select,
    ];
    for (select, is_empty) in selects
        .map(|select| (select, true))
        .into_iter()
        // Others may pass.
        .chain([(Policy::sdar_dynamic(0.9, 8).select, false)])
    {
        // 3/8 of a position.
        let policies = [with_sizes(with_select(Policy::llada(8), select), Sizes::Expected)];
        let mut tokens = [MASK; 3];
        let mut segments = [Segment { end: 3, ..Segment::default() }];
        let mut canvas =
            Canvas::new(&mut tokens, MASK, &mut segments, &policies).expect("a canvas");
        let mut sampler = Sampler::builder(3, 1).build().expect("a sampler");
        let mut plan = Plan::with_capacity(3, 1);
        sampler.plan(&canvas, &mut plan).expect("a plan");
        assert_eq!((plan.rows().is_empty(), plan.active()), (is_empty, 1), "{select:?}");
        if is_empty {
            let none = Logits::f32(&[], 0, 5).expect("a view");
            let report = sampler.step_planned(&mut canvas, &plan, &none).expect("a step");
            assert_eq!(report.revealed, 0);
            assert_eq!((tokens, segments[0].step), ([MASK; 3], 1), "{select:?}");
        }
    }
}

#[test]
fn a_sequence_is_written_from_left_to_right() {
    let mut tokens = [MASK, 4, MASK, MASK, 4, MASK, MASK];
    let (seen, vocab) = (tokens.len(), 3);
    let logits = vec![0.0; seen * vocab];
    let view = Logits::f32(&logits, seen, vocab).expect("a view");
    let mut segments = [Segment { end: seen as u32, ..Segment::default() }];
    let policies = [Policy::sdar_sequential(3)];
    let mut sampler = Sampler::builder(seen, 1).build().expect("a sampler");
    for masked in [&[3u32, 5, 6][..], &[6], &[]] {
        let mut canvas =
            Canvas::new(&mut tokens, MASK, &mut segments, &policies).expect("a canvas");
        sampler.step(&mut canvas, &view).expect("a step");
        let left: Vec<_> = canvas.masked(&canvas.segments()[0]).collect();
        assert_eq!(left, masked);
    }
}

/// The sets of positions that `policy` reveals in one step of four rows, counted over seeds.
fn sets(policy: Policy<'_>, step: u32, logits: &[f32], rounds: u64) -> BTreeMap<Vec<u32>, u64> {
    let vocab = logits.len() / 4;
    let view = Logits::f32(logits, 4, vocab).expect("a view");
    let policies = [policy];
    let mut sampler = Sampler::builder(4, 1).build().expect("a sampler");
    let mut counts = BTreeMap::new();
    for seed in 0..rounds {
        let mut tokens = [MASK; 4];
        let mut segments = [Segment { end: 4, seed, step, ..Segment::default() }];
        let mut canvas =
            Canvas::new(&mut tokens, MASK, &mut segments, &policies).expect("a canvas");
        sampler.step(&mut canvas, &view).expect("a step");
        let set = (0..4).filter(|&at| tokens[at as usize] != MASK).collect();
        *counts.entry(set).or_insert(0) += 1;
    }
    counts
}

/// The chance of each pair of four, drawn one after the other without replacement, by their weights.
fn pairs(weights: [f64; 4]) -> BTreeMap<Vec<u32>, f64> {
    let total: f64 = weights.iter().sum();
    let mut law = BTreeMap::new();
    for a in 0..4 {
        for b in (0..4).filter(|&b| b != a) {
            let chance = weights[a] / total * weights[b] / (total - weights[a]);
            *law.entry(vec![a.min(b) as u32, a.max(b) as u32]).or_insert(0.0) += chance;
        }
    }
    law
}

fn assert_pairs(policy: Policy<'_>, step: u32, logits: &[f32], weights: [f64; 4], what: &str) {
    let law = pairs(weights);
    let counts = sets(policy, step, logits, 60_000);
    assert!(counts.keys().all(|set| law.contains_key(set)), "{what}: {counts:?}");
    let counted: Vec<u64> = law.keys().map(|set| counts.get(set).copied().unwrap_or(0)).collect();
    let law: Vec<f64> = law.into_values().collect();
    let p = chi_square(&counted, &law);
    assert!(p > FALSE_POSITIVES, "{what}: p = {p:e}, {counted:?}, {law:?}");
}

/// Dream's alg_temp, MaskGIT's noise and random remasking are laws over sets of positions: exactly
/// those of draws without replacement. llama.cpp may pick one position twice.
#[test]
fn noise_draws_positions_without_replacement() {
    // Two tokens a row, the likelier ahead by so much.
    let ahead = [0.5f32, 1.0, 2.0, 3.5];
    let logits: Vec<f32> = ahead.iter().flat_map(|&gap| [0.0, gap]).collect();
    let p = ahead.map(|gap| 1.0 / (1.0 + (-f64::from(gap)).exp()));

    let mut policy = Policy::llada(2);
    policy.score.gumbel = 0.2;
    assert_pairs(policy, 0, &logits, p.map(|p| (p / 0.2).exp()), "alg_temp");

    let mut policy = Policy::dream_entropy(1);
    (policy.schedule.sizes, policy.schedule.steps, policy.score.gumbel) = (Sizes::Even, 2, 0.3);
    let entropy = p.map(|p| -p * p.ln() - (1.0 - p) * (1.0 - p).ln());
    assert_pairs(policy, 0, &logits, entropy.map(|h| (-h / 0.3).exp()), "alg_temp of entropy");

    // Greedy tokens, so that each position has one score. Step 1 of 4 with four masks takes ⌈4/3⌉.
    let mut policy = evenly(Policy::maskgit(4));
    (policy.draw, policy.score.gumbel) = (Draw::at(0.0), 3.0);
    let scale = 3.0 * (1.0 - 2.0 / 4.0);
    assert_pairs(policy, 1, &logits, p.map(|p| (p.ln() / scale).exp()), "MaskGIT's noise");

    let mut policy = Policy::llada(2);
    policy.score.of = ScoreOf::Random;
    assert_pairs(policy, 0, &logits, [1.0; 4], "random");
}

/// A policy with sizes as even as they can be.
fn evenly(mut policy: Policy<'static>) -> Policy<'static> {
    policy.schedule.sizes = Sizes::Even;
    policy
}

fn revealed(policy: Policy<'_>, logits: &[f32], vocab: usize) -> Vec<u32> {
    let rows = logits.len() / vocab;
    let view = Logits::f32(logits, rows, vocab).expect("a view");
    let mut tokens = vec![MASK; rows];
    let mut segments = [Segment { end: rows as u32, ..Segment::default() }];
    let policies = [policy];
    let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies).expect("a canvas");
    let mut sampler = Sampler::builder(rows, 1).build().expect("a sampler");
    sampler.step(&mut canvas, &view).expect("a step");
    (0..rows as u32).filter(|&at| tokens[at as usize] != MASK).collect()
}

/// llama.cpp and KLASS: the entropy rule commits the most uncertain position first.
#[test]
fn the_surest_law_comes_first() {
    let sure = [0.97f32, 0.01, 0.01, 0.01].map(f32::ln);
    let logits = [[0.25f32.ln(); 4], sure, [0.25f32.ln(); 4]].concat();
    assert_eq!(revealed(evenly(Policy::dream_entropy(3)), &logits, 4), [1]);
    assert_eq!(revealed(Policy::entropy_bound(0.0), &logits, 4), [1]);
}

/// llama.cpp: the margin of rows that were not sorted is that of tokens 0 and 1.
#[test]
fn a_margin_is_between_the_two_largest() {
    let logits = [[3.0f32, 0.0, 3.0], [0.0, 0.1, 2.0], [0.0, 0.0, 0.5]].concat();
    assert_eq!(revealed(evenly(Policy::dream_margin(3)), &logits, 3), [1]);
}

/// Dream at low temperatures (#72, #56, #84): confidences that round to 1 tie, and fall to the left.
#[test]
fn saturated_positions_are_not_taken_from_the_left() {
    for (name, policy) in [
        ("probability", Policy::llada(8)),
        ("margin", evenly(Policy::dream_margin(8))),
        ("entropy", evenly(Policy::dream_entropy(8))),
    ] {
        let mut policy = policy;
        (policy.draw.temperature, policy.score.temperature) = (0.1, 0.1);
        let gaps = [5.0f32, 5.5, 4.0, 6.0, 5.7, 5.9, 3.0, 5.8];
        let logits: Vec<f32> = gaps.iter().flat_map(|&gap| [gap, 0.0, -1.0]).collect();
        assert_eq!(revealed(policy, &logits, 3), [3], "{name}");
    }
}

/// Fast-dLLM's factor rule accepts the last position whatever its confidence.
#[test]
fn the_last_position_must_pass_as_well() {
    let logits = [[9.0f32, 0.0], [0.2, 0.0]].concat();
    assert_eq!(revealed(Policy::fast_dllm_factor(1.0), &logits, 2), [0]);
}

/// Fast-dLLM #40: a threshold may transfer nothing, and decoding stands still.
#[test]
fn a_threshold_that_nothing_passes_reveals_the_surest() {
    let logits = [[0.1f32, 0.0], [0.3, 0.0], [0.2, 0.0]].concat();
    assert_eq!(revealed(Policy::fast_dllm(0.9), &logits, 2), [1]);
    assert_eq!(revealed(Policy::llada2(0.95), &logits, 2), [1]);
}

/// LLaDA #137: the option for end-of-text tokens does nothing for them at temperatures above 0.
#[test]
fn end_tokens_come_last_at_every_temperature() {
    for temperature in [0.0, 0.7] {
        let mut policy = Policy::llada(3);
        policy.draw.temperature = temperature;
        policy.score.last = &[2];
        // Both sure rows draw token 2, the end.
        let logits = [[0.0f32, 0.0, 40.0], [0.1, 0.0, -40.0], [0.0, 0.0, 50.0]].concat();
        assert_eq!(revealed(policy, &logits, 3), [1], "temperature {temperature}");
    }
}

/// Text that has ended is filled: the end token must have no mask before it.
#[test]
fn what_follows_the_end_of_a_text_is_filled() {
    for (fill, with_kinds) in [(None, false), (None, true), (Some(9), false), (Some(9), true)] {
        // Token 2 ends a text; the prompt holds one, and the network wants one at position 5.
        let mut tokens = [2, MASK, MASK, 2, MASK, MASK, MASK, MASK];
        let kind = |&token: &i32| match token {
            MASK => PositionKind::MASKED,
            _ => PositionKind::FIXED,
        };
        let mut kinds: Vec<_> = tokens.iter().map(kind).collect();
        let mut policy = Policy::llada(6);
        (policy.stop.end_tokens, policy.stop.fill) = (&[7, 2], fill);
        let policies = [policy];
        let begin = if with_kinds { 0 } else { 4 };
        let mut segments = [Segment { begin, end: 8, ..Segment::default() }];
        // The order in which positions are revealed: 5, 1, 2, 4, 6, 7.
        let sureness = [0.0f32, 4.0, 3.0, 0.0, 2.0, 9.0, 1.5, 1.0];
        let row = |at: usize| match at {
            5 => [0.0, 0.0, sureness[at]],
            _ => [0.0, sureness[at], 0.0],
        };
        let logits: Vec<f32> = (0..8).flat_map(row).collect();
        let view = Logits::f32(&logits, 8, 3).expect("a view");
        let mut sampler = Sampler::builder(8, 1).build().expect("a sampler");
        let mut plan = Plan::with_capacity(8, 1);
        let mut filled = Vec::new();
        loop {
            let mut canvas =
                Canvas::new(&mut tokens, MASK, &mut segments, &policies).expect("a canvas");
            if with_kinds {
                canvas = canvas.with_kinds(&mut kinds).expect("kinds");
            }
            sampler.plan(&canvas, &mut plan).expect("a plan");
            if plan.active() == 0 {
                break;
            }
            filled.push(sampler.step(&mut canvas, &view).expect("a step").filled);
        }
        let after = fill.unwrap_or(2);
        if with_kinds {
            assert_eq!(tokens, [2, 1, 1, 2, 1, 2, after, after]);
            assert_eq!(filled, [0, 0, 0, 2]);
            assert_eq!(kinds[6..], [PositionKind::INACTIVE; 2]);
        } else {
            // Four masks in six steps: one each until the text has ended.
            assert_eq!(tokens, [2, MASK, MASK, 2, 1, 2, after, after]);
            assert_eq!(filled, [0, 2]);
        }
    }
}

/// WeDLM adds a distance to entropies, PC-Sampler multiplies probabilities, P2 takes scores of another
/// model.
#[test]
fn priors_multiply_and_add() {
    let logits = [[2.0f32, 0.0], [1.9, 0.0], [1.8, 0.0], [1.7, 0.0]].concat();
    let view = Logits::f32(&logits, 4, 2).expect("a view");
    let first = |policy: Policy<'_>, multiply: &[f32], add: &[f32]| {
        let mut tokens = [MASK; 4];
        let mut segments = [Segment { end: 4, ..Segment::default() }];
        let policies = [policy];
        let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)
            .and_then(|canvas| canvas.with_priors(multiply, add))
            .expect("a canvas");
        let mut sampler = Sampler::builder(4, 1).build().expect("a sampler");
        sampler.step(&mut canvas, &view).expect("a step");
        tokens.iter().position(|&token| token != MASK).expect("one")
    };
    for of in [ScoreOf::Probability, ScoreOf::NegativeEntropy, ScoreOf::External] {
        let mut policy = Policy::llada(4);
        policy.score.of = of;
        let is_external = of == ScoreOf::External;
        if !is_external {
            assert_eq!(
                first(policy, &[9.0, 1.0, 9.0, 1.0], &[0.0, 9.0, 9.0, 9.0]),
                0,
                "not asked for"
            );
        }
        policy.score.priors = true;
        // Four scores that lie together: 0.88 to 0.85, or −0.37 to −0.43.
        assert_eq!(first(policy, &[], &[0.0, 0.0, 1.0, 0.5]), 2, "{of:?}");
        if !is_external {
            let sign = if of == ScoreOf::Probability { 1.0 } else { -1.0 };
            let multiply = [1.0, 1.0, 1.0, 2.0].map(|x: f32| x.powf(sign));
            assert_eq!(first(policy, &multiply, &[]), 3, "{of:?}");
        }
        assert_eq!(
            first(policy, &[0.0; 4], &[0.1, 0.3, 0.2, 0.3]),
            1,
            "{of:?}, by the added alone"
        );
    }
    // Thresholds are those of the score with its prior.
    let mut policy = Policy::fast_dllm(0.5);
    (policy.score.of, policy.score.priors) = (ScoreOf::External, true);
    assert_eq!(first(policy, &[], &[0.1, 0.4, 0.2, 0.5]), 3);

    let (mut tokens, mut segments) = ([MASK; 2], [Segment { end: 2, ..Segment::default() }]);
    let policies = [policy];
    for (multiply, add, name) in [
        (&[1.0f32][..], &[][..], "multiplying"),
        (&[], &[0.0; 3], "added"),
        (&[], &[0.0, f32::NAN], "prior"),
    ] {
        let canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies).expect("a canvas");
        let error = canvas.with_priors(multiply, add).expect_err("refused").to_string();
        assert!(error.contains(name), "{error}");
    }
    policy.score.priors = false;
    assert!(policy.check().expect_err("refused").to_string().contains("score.priors"));
}

/// SGLang: the confidence of a lucky draw is that of the token, not of the row.
#[test]
fn a_lucky_draw_is_not_a_sure_one() {
    let mut policy = Policy::llada(2);
    policy.score.of = ScoreOf::CappedProbability;
    policy.draw.temperature = 1e6;
    // Row 0 is sure of a token that it does not draw, as seeds go; row 1 is flat.
    let logits = [[0.0f32; 64].map(|_| 0.0), [0.0; 64]].concat();
    let mut lucky = logits.clone();
    lucky[5] = 30.0;
    assert_eq!(revealed(policy, &lucky, 64), [1]);
}

#[test]
fn refusals_name_the_parameter() {
    let refused = |policy: Policy<'_>| policy.check().expect_err("refused").to_string();
    let with_score = |change: fn(&mut Score<'_>)| {
        let mut policy = Policy::llada(2);
        change(&mut policy.score);
        policy
    };
    for (policy, name) in [
        (with_score(|score| score.temperature = 0.0), "score.temperature"),
        (with_score(|score| score.temperature = f32::NAN), "score.temperature"),
        (with_score(|score| score.gumbel = -1.0), "score.gumbel"),
        (with_score(|score| score.gumbel = f64::INFINITY), "score.gumbel"),
        (Policy::fast_dllm(f64::NAN), "threshold.at"),
        (Policy::fast_dllm_factor(f64::NAN), "factor"),
        (Policy::entropy_bound(f64::NAN), "entropy bound"),
        (Policy::prefix(f64::NAN), "prefix.at"),
        (Policy::hierarchy(f64::NAN, 0.9), "runs.low"),
        (Policy::hierarchy(0.4, f64::NAN), "runs.high"),
        (
            with_select(
                Policy::llada(2),
                Select::Neighbours(Neighbours { near: f64::NAN, ..Neighbours::LOCAL_LEAP }),
            ),
            "neighbours.near",
        ),
        (
            with_threshold(Policy::fast_dllm(0.9), |threshold| threshold.fallback = Fallback::None),
            "threshold.fallback",
        ),
        (with_select(Policy::dream_entropy(2), Select::Factor(1.0)), "score"),
        (
            {
                let mut policy = Policy::llada(2);
                policy.schedule.sizes = Sizes::TimeRatio { end: 1.0 };
                policy
            },
            "schedule.sizes.end",
        ),
    ] {
        let message = refused(policy);
        assert!(message.contains(name), "{message} for {name}");
    }
}

#[test]
fn a_bad_row_is_left_out_and_its_neighbours_are_not() {
    let logits = [[2.0f32, 0.0], [f32::NAN, 9.0], [1.0, 0.0]].concat();
    let view = Logits::f32(&logits, 3, 2).expect("a view");
    let mut tokens = [MASK; 3];
    let mut segments = [Segment { end: 3, ..Segment::default() }];
    let policies = [Policy::fast_dllm(0.5)];
    let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies).expect("a canvas");
    let mut sampler = Sampler::builder(3, 1).build().expect("a sampler");
    let report = sampler.step(&mut canvas, &view).expect("a step");
    assert_eq!((report.revealed, report.bad_rows), (2, 1));
    let states: Vec<_> = sampler.drawn().iter().map(|drawn| drawn.state).collect();
    assert_eq!(states, [RowState::Drawn, RowState::Bad, RowState::Drawn]);
    assert_eq!(tokens, [0, MASK, 0]);
}

/// All rules, with noise and without, at several temperatures.
fn mixed_policies() -> Vec<Policy<'static>> {
    let mut policies: Vec<Policy<'static>> = RULES.iter().map(|rule| rule.1(6)).collect();
    let mut scores = Policy::euler_score(Noise::Linear, 5);
    (scores.schedule.start, scores.schedule.end) = (0.5, 0.1);
    scores.stop.finish = Finish::Sample;
    // Only its rows that are drawn from as they are have entropies.
    let mut extrapolated = Policy::first_hitting_extrapolated(Noise::Cosine, 4);
    extrapolated.stop.settle = Some(Settle { steps: 9, mean_entropy: 0.5 });
    policies.extend([
        Policy::maskgit(5),
        Policy::sdar_sequential(4),
        Policy::random_order(4),
        Policy::first_hitting(Noise::Linear),
        Policy::dream_origin(5),
        Policy::remdm(RemaskRate::Rescale(0.4), 5),
        Policy::remdm_confident(5),
        Policy::uniform_state(Noise::Linear, 5),
        Policy::theta_trapezoidal(Noise::Linear, 0.4, 3),
        extrapolated,
        scores,
    ]);
    policies.extend(revision::RULES.iter().map(|rule| rule.1(5)));
    for (i, policy) in policies.iter_mut().enumerate() {
        match i % 4 {
            1 => policy.draw = Draw { top_k: 9, ..Draw::at(0.8) },
            2 => policy.draw = Draw { top_p: 0.7, ..Draw::at(1.3) },
            _ => {}
        }
    }
    policies
}

/// What is left of requests that are decoded on one canvas.
#[derive(Debug, PartialEq)]
struct Decoded {
    tokens: Vec<i32>,
    kinds: Vec<PositionKind>,
    states: Vec<PositionState>,
    segments: Vec<Segment>,
}

/// The rows of a planned step, and those of the step before.
struct Output {
    vocab: usize,
    logits: Vec<f32>,
    earlier: Vec<f32>,
}

impl Output {
    /// A view of some of the rows.
    fn view(&self, rows: std::ops::Range<usize>) -> Logits<'_> {
        let of = |data| {
            let rows = rows.start * self.vocab..rows.end * self.vocab;
            Logits::f32(&<[f32]>::as_ref(data)[rows.clone()], rows.len() / self.vocab, self.vocab)
        };
        let earlier = of(&self.earlier).expect("a view");
        of(&self.logits).and_then(|view| view.with_earlier(&earlier)).expect("a view")
    }
}

/// Decodes requests on one canvas by `step`, which is given a plan and its output.
fn decode_requests(
    requests: &[usize],
    vocab: usize,
    mut step: impl FnMut(&mut Canvas<'_>, &Plan, &Output),
) -> Decoded {
    let policies = mixed_policies();
    let length = |request: usize| 3 + request * 7 % 19;
    let mut segments = Vec::new();
    let mut end = 0;
    for &request in requests {
        let begin = end + request as u32 % 3;
        end = begin + length(request) as u32;
        segments.push(Segment {
            begin,
            end,
            seed: 4,
            stream: request as u64,
            policy: (request % policies.len()) as u32,
            origin: request as u32,
            ..Segment::default()
        });
    }
    let mut tokens = vec![MASK; end as usize];
    let mut kinds = vec![PositionKind::MASKED; tokens.len()];
    let mut states = vec![PositionState::default(); tokens.len()];
    let mut plan = Plan::with_capacity(tokens.len(), requests.len());
    let planner = Sampler::builder(0, 0).build().expect("a sampler");
    for number in 0.. {
        let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)
            .and_then(|canvas| canvas.with_kinds(&mut kinds))
            .and_then(|canvas| canvas.with_states(&mut states))
            .expect("a canvas");
        planner.plan(&canvas, &mut plan).expect("a plan");
        if plan.active() == 0 {
            break;
        }
        // Every third output is that of the step before, as of a network that has settled.
        let output = |number: u64| {
            let mut logits = Vec::new();
            for (i, &request) in requests.iter().enumerate() {
                let ends = [plan.offsets()[i] as usize, plan.offsets()[i + 1] as usize];
                for &at in &plan.rows()[ends[0]..ends[1]] {
                    let place = u64::from(at - canvas.segments()[i].begin);
                    let seed = (request as u64) << 32 | place << 16 | (number - number / 3);
                    logits.extend(normal_row(vocab, 2.5, 0.0, seed));
                }
            }
            logits
        };
        let (logits, earlier) = (output(number), output(number.saturating_sub(1)));
        step(&mut canvas, &plan, &Output { vocab, logits, earlier });
    }
    Decoded { tokens, kinds, states, segments }
}

/// A sampler for such requests.
fn sampler_of(requests: &[usize], threads: usize, vocab: usize) -> Sampler {
    let builder = Sampler::builder(requests.len() * 24, requests.len());
    builder.threads(threads).vocab(vocab).build().expect("a sampler")
}

/// The tokens of each request, decoded on one canvas or not.
fn decode_together(requests: &[usize], threads: usize, vocab: usize) -> Vec<Vec<i32>> {
    let mut sampler = sampler_of(requests, threads, vocab);
    let Decoded { tokens, segments, .. } =
        decode_requests(requests, vocab, |canvas, plan, output| {
            let view = output.view(0..plan.rows().len());
            sampler.step_planned(canvas, plan, &view).expect("a step");
        });
    let of = |segment: &Segment| tokens[segment.begin as usize..segment.end as usize].to_vec();
    segments.iter().map(of).collect()
}

#[test]
fn a_request_is_decoded_alike_in_every_batch() {
    for vocab in [33, 700] {
        let requests: Vec<usize> = (0..64).collect();
        let together = decode_together(&requests, 1, vocab);
        assert!(together.iter().flatten().all(|&token| token != MASK), "all are decoded");
        for (request, tokens) in together.iter().enumerate() {
            assert_eq!(&decode_together(&[request], 1, vocab)[0], tokens, "{request} alone");
        }
        let reversed: Vec<usize> = requests.iter().rev().copied().collect();
        let mut backwards = decode_together(&reversed, 1, vocab);
        backwards.reverse();
        assert_eq!(backwards, together, "in another order");
        if cfg!(feature = "threads") {
            for threads in [2, 3, 7] {
                assert_eq!(
                    decode_together(&requests, threads, vocab),
                    together,
                    "{threads} threads"
                );
            }
        }
    }
}

/// What was dropped at one step may be left at the next: such laws have no divergence.
#[test]
fn filtered_laws_are_not_compared_from_step_to_step() {
    let by_divergence = by_score(Policy::dream(4), ScoreOf::NegativeDivergence);
    for mut policy in [Policy::klass(4), by_divergence] {
        policy.score.filtered = false;
        assert!(policy.check().is_ok());
        policy.score.filtered = true;
        let error = policy.check().expect_err("refused").to_string();
        assert!(error.contains("score.filtered is 1"), "{error}");
    }
}
