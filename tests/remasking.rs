//! Remasking: the exact law of the canvas after every step of small generations, by enumeration, and
//! what a plan, the kinds and the states of positions say of it.

mod rows;

use demask::policy::{Remask, RemaskRate};
use demask::{
    Canvas, Key, Logits, Noise, Plan, Policy, PositionKind, PositionState, Purpose, Sampler,
    Segment, TimeGrid, Update,
};
use rows::{FALSE_POSITIVES, chi_square};
use std::collections::BTreeMap;

const MASK: i32 = 2;
const LENGTH: usize = 3;

/// The network: the law of a position's two tokens, by what the others hold.
fn p_of_one(tokens: &[i32], at: usize) -> f64 {
    let others = (0..LENGTH).filter(|&other| other != at);
    let score: f64 = others.map(|i| [-1.1, 1.3, 0.2][tokens[i] as usize] * (1.0 + i as f64)).sum();
    1.0 / (1.0 + (0.3 - 0.5 * score).exp())
}

/// α(t), from the time.
fn alpha(t: f64) -> f64 {
    1.0 - t
}

/// σ, and the chance that a masked position is revealed, by the definitions.
fn chances(rate: RemaskRate, is_on: bool, t: f64, s: f64) -> (f64, f64) {
    let most = if alpha(t) == 0.0 { 1.0 } else { ((1.0 - alpha(s)) / alpha(t)).min(1.0) };
    let sigma = match rate {
        _ if !is_on => 0.0,
        RemaskRate::Cap(eta) => eta.min(most),
        RemaskRate::Rescale(eta) => eta * most,
        _ if alpha(t) == 0.0 => 0.0,
        _ => ((alpha(s) - alpha(t)) / alpha(t)).min(most),
    };
    (sigma, (alpha(s) - (1.0 - sigma) * alpha(t)) / (1.0 - alpha(t)))
}

/// The law of the canvas after the steps between `times`, from all masks.
fn exact(rate: RemaskRate, is_on: impl Fn(f64) -> bool, times: &[f64]) -> BTreeMap<Vec<i32>, f64> {
    let mut law = BTreeMap::from([(vec![MASK; LENGTH], 1.0)]);
    for pair in times.windows(2) {
        let (sigma, reveal) = chances(rate, is_on(pair[0]), pair[0], pair[1]);
        let mut next = BTreeMap::new();
        for (tokens, chance) in law {
            let mut ends = vec![(Vec::new(), chance)];
            for at in 0..LENGTH {
                let one = p_of_one(&tokens, at);
                let moves = if tokens[at] == MASK {
                    vec![(MASK, 1.0 - reveal), (0, reveal * (1.0 - one)), (1, reveal * one)]
                } else {
                    vec![(MASK, sigma), (tokens[at], 1.0 - sigma)]
                };
                let mut longer = Vec::new();
                for (begun, chance) in &ends {
                    for &(token, p) in moves.iter().filter(|&&(_, p)| p > 0.0) {
                        let mut tokens: Vec<i32> = begun.clone();
                        tokens.push(token);
                        longer.push((tokens, chance * p));
                    }
                }
                ends = longer;
            }
            for (tokens, chance) in ends {
                *next.entry(tokens).or_insert(0.0) += chance;
            }
        }
        law = next;
    }
    law
}

/// Generates by plan and step; returns how often the canvas was what after `steps` steps.
fn sampled(policy: Policy<'_>, steps: u32, sequences: usize) -> BTreeMap<Vec<i32>, u64> {
    let positions = sequences * LENGTH;
    let (mut tokens, mut kinds) = (vec![MASK; positions], vec![PositionKind::MASKED; positions]);
    let mut segments: Vec<Segment> = (0..sequences)
        .map(|i| {
            let (begin, end) = ((i * LENGTH) as u32, ((i + 1) * LENGTH) as u32);
            Segment { begin, end, seed: 11, stream: i as u64, ..Segment::default() }
        })
        .collect();
    let policies = [policy];
    let mut sampler = Sampler::builder(positions, sequences).build().expect("a sampler");
    let mut plan = Plan::with_capacity(positions, sequences);
    for _ in 0..steps {
        let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)
            .and_then(|canvas| canvas.with_kinds(&mut kinds))
            .expect("a canvas");
        sampler.plan(&canvas, &mut plan).expect("a plan");
        let mut logits = Vec::new();
        for &at in plan.rows() {
            let (first, at) = (at as usize / LENGTH * LENGTH, at as usize % LENGTH);
            let one = p_of_one(&canvas.tokens()[first..first + LENGTH], at);
            logits.extend([(1.0 - one).ln() as f32, one.ln() as f32]);
        }
        let view = Logits::f32(&logits, plan.rows().len(), 2).expect("a view");
        let (rows, remasked) = (plan.rows().len(), plan.remasked().len());
        let report = sampler.step_planned(&mut canvas, &plan, &view).expect("a step");
        assert_eq!((report.revealed, report.remasked), (rows, remasked));
    }
    for (token, kind) in tokens.iter().zip(&kinds) {
        assert_eq!(*token == MASK, *kind == PositionKind::MASKED, "kinds follow the tokens");
    }
    let mut counts = BTreeMap::new();
    for tokens in tokens.chunks(LENGTH) {
        *counts.entry(tokens.to_vec()).or_insert(0) += 1;
    }
    counts
}

#[test]
fn canvases_have_their_exact_law_after_every_step() {
    let uniform = |steps: u32| -> Vec<f64> {
        (0..=steps).map(|k| 1.0 - f64::from(k) / f64::from(steps)).collect()
    };
    let looped = TimeGrid::remdm_loop(9, 0.55, 0.2, 0.7).expect("a grid");
    // The clock shows 1, 8/9, …; α stays at 0.7 from 5/9 on, which is above 0.55, to above 0.2.
    let mut times: Vec<f64> = (0..=9).map(|k| f64::from(9 - k) / 9.0).collect();
    for time in &mut times {
        *time = match *time {
            clock if clock > 0.55 => 1.0 - (1.0 - clock) * 0.7 / 0.45,
            clock if clock > 0.2 => 1.0 - 0.7,
            clock => clock * (1.0 - 0.7) / 0.2,
        };
    }
    let plateau = 1.0 - 0.7;
    type Case<'a> = (Policy<'a>, RemaskRate, Vec<f64>, &'a dyn Fn(f64) -> bool);
    let mut late = Policy::remdm(RemaskRate::Cap(0.5), 6);
    if let Update::Remask(remask) = &mut late.update {
        (remask.from, remask.until) = (0.7, 0.3);
    }
    let cases: [Case<'_>; 5] = [
        (Policy::remdm(RemaskRate::Cap(0.3), 5), RemaskRate::Cap(0.3), uniform(5), &|_| true),
        (Policy::remdm(RemaskRate::Rescale(0.6), 5), RemaskRate::Rescale(0.6), uniform(5), &|_| {
            true
        }),
        (
            Policy::remdm(RemaskRate::ForwardBackward, 5),
            RemaskRate::ForwardBackward,
            uniform(5),
            &|_| true,
        ),
        (late, RemaskRate::Cap(0.5), uniform(6), &|t| t <= 0.7 && t > 0.3),
        (Policy::remdm_loop(0.4, &looped), RemaskRate::Cap(0.4), times, &move |t| t == plateau),
    ];
    for (policy, rate, times, is_on) in cases {
        for steps in 1..times.len() {
            let law = exact(rate, is_on, &times[..=steps]);
            let counts = sampled(policy, steps as u32, 40_000);
            let what = format!("{rate:?} after {steps} steps");
            assert!(counts.keys().all(|tokens| law.contains_key(tokens)), "{what}: {counts:?}");
            let counted: Vec<u64> =
                law.keys().map(|tokens| counts.get(tokens).copied().unwrap_or(0)).collect();
            let chances: Vec<f64> = law.into_values().collect();
            let p = chi_square(&counted, &chances);
            assert!(p > FALSE_POSITIVES, "{what}: p = {p:e}");
        }
    }
}

/// As many are masked as without remasking, at every time.
#[test]
fn remasking_keeps_the_schedule() {
    let times: Vec<f64> = (0..=8).map(|k| 1.0 - f64::from(k) / 8.0).collect();
    for rate in [RemaskRate::Cap(0.2), RemaskRate::Rescale(0.9), RemaskRate::ForwardBackward] {
        for steps in 1..=8 {
            let law = exact(rate, |_| true, &times[..=steps]);
            let masks = |tokens: &[i32]| tokens.iter().filter(|&&token| token == MASK).count();
            let mean: f64 = law.iter().map(|(tokens, p)| p * masks(tokens) as f64).sum();
            assert!((mean / LENGTH as f64 - times[steps]).abs() < 1e-12, "{rate:?}, {steps} steps");
        }
    }
}

/// Shares of σ: exp(−ψ) by the probability ψ that a position was revealed with, one random number each.
#[test]
fn unsure_positions_are_remasked_first() {
    const COUNT: usize = 40_000;
    // Four positions of each sequence are committed, two are not, and one is the prompt's.
    let probability = [0.95f32, 0.5, 0.1, 0.7];
    let length = probability.len() + 3;
    let positions = COUNT * length;
    let (mut tokens, mut kinds) = (vec![0; positions], vec![PositionKind::FIXED; positions]);
    let mut states = vec![PositionState::default(); positions];
    let mut segments = Vec::new();
    for i in 0..COUNT {
        let begin = i * length;
        for (k, &probability) in probability.iter().enumerate() {
            kinds[begin + k] = PositionKind::COMMITTED;
            states[begin + k] = PositionState { step: 1, probability, ..PositionState::default() };
        }
        for at in [begin + 4, begin + 5] {
            (tokens[at], kinds[at]) = (MASK, PositionKind::MASKED);
        }
        segments.push(Segment {
            begin: begin as u32,
            end: (begin + length) as u32,
            stream: i as u64,
            step: 5,
            ..Segment::default()
        });
    }
    let before = states.clone();
    let policies = [Policy::remdm_confident(8)];
    let mut sampler = Sampler::builder(positions, COUNT).build().expect("a sampler");
    let mut plan = Plan::with_capacity(positions, COUNT);
    let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)
        .and_then(|canvas| canvas.with_kinds(&mut kinds))
        .and_then(|canvas| canvas.with_states(&mut states))
        .expect("a canvas");
    sampler.plan(&canvas, &mut plan).expect("a plan");
    let rows = plan.rows().to_vec();
    let logits: Vec<f32> = rows.iter().flat_map(|_| [0.0, 2.0]).collect();
    let view = Logits::f32(&logits, rows.len(), 2).expect("a view");
    sampler.step_planned(&mut canvas, &plan, &view).expect("a step");

    let (sigma, _) = chances(RemaskRate::Rescale(1.0), true, 3.0 / 8.0, 2.0 / 8.0);
    let total: f64 = probability.iter().map(|&p| (-f64::from(p)).exp()).sum();
    for (k, &p) in probability.iter().enumerate() {
        let expected = sigma * (-f64::from(p)).exp() / total;
        let count = (0..COUNT).filter(|i| tokens[i * length + k] == MASK).count() as u64;
        let counts = [count, COUNT as u64 - count];
        let p = chi_square(&counts, &[expected, 1.0 - expected]);
        assert!(p > FALSE_POSITIVES, "{k}: {count} for {expected}, p = {p:e}");
    }
    // Masked ones are revealed as without remasking.
    let reveal = 1.0 - (2.0 / 8.0) / (3.0 / 8.0);
    let counts = [rows.len() as u64, (2 * COUNT - rows.len()) as u64];
    assert!(chi_square(&counts, &[reveal, 1.0 - reveal]) > FALSE_POSITIVES, "{counts:?}");
    for at in 0..positions {
        let state = states[at];
        if rows.contains(&(at as u32)) {
            let p = if tokens[at] == 1 {
                1.0 / (1.0 + (-2f64).exp())
            } else {
                1.0 / (1.0 + 2f64.exp())
            };
            assert_eq!(state.step, 6, "the sixth step");
            assert!((f64::from(state.probability) - p).abs() < 1e-6, "{state:?} of {p}");
        } else if before[at].step > 0 && tokens[at] == MASK {
            assert_eq!(state, PositionState::default(), "a mask has no state");
        } else {
            assert_eq!(state, before[at], "nothing else changes");
        }
        if at > 3_000 {
            break; // `contains` looks through all rows.
        }
    }
}

/// The step map, beside a request whose rows are described, and one whose are not.
#[test]
fn steps_and_probabilities_are_noted() {
    let logits: Vec<f32> = (0..6).flat_map(|at| [0.0, 1.0 + at as f32]).collect();
    let view = Logits::f32(&logits, 6, 2).expect("a view");
    let mut tokens = [MASK; 6];
    let mut segments = [
        Segment { end: 3, ..Segment::default() },
        Segment { begin: 3, end: 6, policy: 1, ..Segment::default() },
    ];
    let policies = [Policy::sdar_sequential(3), Policy::llada(3)];
    let mut states = [PositionState::default(); 6];
    let mut sampler = Sampler::builder(6, 2).build().expect("a sampler");
    for _ in 0..3 {
        let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)
            .and_then(|canvas| canvas.with_states(&mut states))
            .expect("a canvas");
        sampler.step(&mut canvas, &view).expect("a step");
    }
    // From left to right, and from the surest on.
    assert_eq!(states.map(|state| state.step), [1, 2, 3, 3, 2, 1]);
    for (at, state) in states.iter().enumerate() {
        let p = if at < 3 { 0.0 } else { 1.0 / (1.0 + (-1.0 - at as f64).exp()) };
        assert!((f64::from(state.probability) - p).abs() < 1e-6, "{at}: {state:?} of {p}");
    }
}

#[test]
fn what_remasking_needs_is_asked_for() {
    let mut tokens = vec![0, MASK];
    let mut kinds = vec![PositionKind::COMMITTED, PositionKind::MASKED];
    let mut segments = [Segment { end: 2, ..Segment::default() }];
    let policies = [Policy::remdm_confident(3)];
    let sampler = Sampler::builder(2, 1).build().expect("a sampler");
    let mut plan = Plan::with_capacity(2, 1);
    let canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies).expect("a canvas");
    let error = sampler.plan(&canvas, &mut plan).expect_err("no kinds").to_string();
    assert!(error.contains("kinds"), "{error}");
    let canvas = canvas.with_kinds(&mut kinds).expect("kinds");
    let error = sampler.plan(&canvas, &mut plan).expect_err("no states").to_string();
    assert!(error.contains("states"), "{error}");
    let mut states = [PositionState::default()];
    let error = canvas.with_states(&mut states).expect_err("too few").to_string();
    assert!(error.contains("states"), "{error}");

    let refused = |update: Remask| {
        let mut policy = Policy::remdm(RemaskRate::Cap(0.5), 3);
        policy.update = Update::Remask(update);
        policy.check().expect_err("refused").to_string()
    };
    let nan = f64::NAN;
    assert!(refused(Remask::at(RemaskRate::Cap(nan))).contains("update.rate"));
    assert!(refused(Remask::at(RemaskRate::Rescale(1.5))).contains("update.rate"));
    assert!(
        refused(Remask { from: nan, ..Remask::at(RemaskRate::Cap(0.1)) }).contains("update.from")
    );
    assert!(
        refused(Remask { until: nan, ..Remask::at(RemaskRate::Cap(0.1)) }).contains("update.until")
    );
    let mut euler = Policy::euler(Noise::Linear, 3);
    euler.update = Policy::remdm(RemaskRate::Cap(0.5), 3).update;
    assert!(euler.check().expect_err("refused").to_string().contains("update"));
    let mut cold = Policy::remdm_confident(3);
    cold.score.temperature = 0.0;
    assert!(cold.check().expect_err("refused").to_string().contains("score.temperature"));
    for (steps, on, off, alpha_on, name) in [
        (1, 0.5, 0.1, 0.9, "steps"),
        (9, 1.0, 0.1, 0.9, "on"),
        (9, 0.5, 0.5, 0.9, "off"),
        (9, 0.5, 0.1, 1.0, "alpha_on"),
    ] {
        let error = TimeGrid::remdm_loop(steps, on, off, alpha_on).expect_err("refused");
        assert!(error.to_string().contains(name), "{error}");
    }
}

/// Open-dLLM #7, #12: remasking that never remasks a committed token.
#[test]
fn committed_tokens_are_remasked_and_the_prompt_is_not() {
    let mut tokens = vec![0; 8];
    let mut kinds = vec![PositionKind::COMMITTED; 8];
    (kinds[2], kinds[5]) = (PositionKind::FIXED, PositionKind::INACTIVE);
    let mut segments = [Segment { end: 8, step: 1, ..Segment::default() }];
    let policies = [Policy::remdm(RemaskRate::Rescale(1.0), 2)];
    let mut sampler = Sampler::builder(8, 1).build().expect("a sampler");
    let mut plan = Plan::with_capacity(8, 1);
    let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)
        .and_then(|canvas| canvas.with_kinds(&mut kinds))
        .expect("a canvas");
    // From 1/2 to 0 all are to be clean.
    sampler.plan(&canvas, &mut plan).expect("a plan");
    assert_eq!((plan.active(), plan.remasked()), (1, &[][..]));
    // From 1/2 to 1/4, with all committed, half of them are.
    let sooner = [Policy {
        schedule: demask::policy::Schedule { end: 0.25, ..policies[0].schedule },
        ..policies[0]
    }];
    let mut segments = [Segment { end: 8, step: 1, stream: 3, ..Segment::default() }];
    canvas = Canvas::new(&mut tokens, MASK, &mut segments, &sooner)
        .and_then(|canvas| canvas.with_kinds(&mut kinds))
        .expect("a canvas");
    sampler.plan(&canvas, &mut plan).expect("a plan");
    let remasked = plan.remasked().to_vec();
    assert!(!remasked.is_empty() && !remasked.contains(&2) && !remasked.contains(&5));
    let key = Key { stream: 3, step: 1, ..Key::default() };
    assert_ne!(key.state(Purpose::Remask), key.state(Purpose::Reveal));
    let report = sampler.step_planned(&mut canvas, &plan, &Logits::f32(&[], 0, 3).expect("none"));
    assert_eq!(report.expect("a step").remasked, remasked.len());
    for (at, &token) in (0..).zip(&tokens) {
        assert_eq!(token == MASK, remasked.contains(&at));
    }
}
