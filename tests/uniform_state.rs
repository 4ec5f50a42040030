//! Models without masks: the exact law of the canvas after every step of a uniform-state model, by
//! enumeration, and what is random about noise.

mod rows;

use demask::{
    Canvas, Logits, Noise, Plan, Policy, PositionKind, PositionState, RowState, Sampler, Segment,
    Update,
};
use rows::{FALSE_POSITIVES, chi_square};
use std::collections::BTreeMap;

const LENGTH: usize = 2;
const TOKENS: usize = 3;

/// The network: the law of the clean token of a position, by what the canvas holds.
fn clean(canvas: &[i32], at: usize) -> [f64; TOKENS] {
    let score = |v: usize| {
        let own = if canvas[at] == v as i32 { 0.8 } else { 0.0 };
        own + [0.3, -0.2, 0.6][(v + canvas[1 - at] as usize) % TOKENS] + 0.1 * (v * at) as f64
    };
    let all = [0, 1, 2].map(|v| score(v).exp());
    let sum: f64 = all.iter().sum();
    all.map(|x| x / sum)
}

/// P(x at time s | x at time t, clean token), as the product of the two forward laws: each keeps the
/// token with some probability, and otherwise takes any.
fn posterior(alpha_t: f64, alpha_s: f64, now: usize, clean: usize) -> [f64; TOKENS] {
    let forward = |keep: f64, from: usize, to: usize| {
        (if from == to { keep } else { 0.0 }) + (1.0 - keep) / TOKENS as f64
    };
    let weights =
        [0, 1, 2].map(|v| forward(alpha_s, clean, v) * forward(alpha_t / alpha_s, v, now));
    let sum: f64 = weights.iter().sum();
    weights.map(|w| w / sum)
}

/// The law of the canvas after steps between times with these α, from uniform noise.
fn exact(alphas: &[f64]) -> BTreeMap<Vec<i32>, f64> {
    let states = (0..9).map(|i| vec![i / 3, i % 3]);
    let mut law: BTreeMap<Vec<i32>, f64> = states.map(|canvas| (canvas, 1.0 / 9.0)).collect();
    for pair in alphas.windows(2) {
        let mut next = BTreeMap::new();
        for (canvas, chance) in law {
            let moves = [0, 1].map(|at| {
                let mut sum = [0.0; TOKENS];
                for (x, p) in clean(&canvas, at).into_iter().enumerate() {
                    let to = posterior(pair[0], pair[1], canvas[at] as usize, x);
                    (0..TOKENS).for_each(|v| sum[v] += p * to[v]);
                }
                sum
            });
            for i in 0..9usize {
                let to = vec![(i / 3) as i32, (i % 3) as i32];
                *next.entry(to).or_insert(0.0) += chance * moves[0][i / 3] * moves[1][i % 3];
            }
        }
        law = next;
    }
    law
}

fn segments(count: usize, length: usize) -> Vec<Segment> {
    let segment = |i: usize| Segment {
        begin: (i * length) as u32,
        end: ((i + 1) * length) as u32,
        seed: 5,
        stream: i as u64,
        ..Segment::default()
    };
    (0..count).map(segment).collect()
}

/// Generates by plan and step; returns how often the canvas was what after `steps` steps.
fn sampled(policy: Policy<'_>, steps: u32, sequences: usize) -> BTreeMap<Vec<i32>, u64> {
    let positions = sequences * LENGTH;
    let mut tokens = vec![0; positions];
    let mut segments = segments(sequences, LENGTH);
    let policies = [policy];
    let mut sampler = Sampler::builder(positions, sequences).build().expect("a sampler");
    let mut plan = Plan::with_capacity(positions, sequences);
    for step in 0..steps {
        let mut canvas = Canvas::new(&mut tokens, -1, &mut segments, &policies).expect("a canvas");
        if step == 0 {
            canvas.randomize(TOKENS as u32).expect("tokens");
        }
        sampler.plan(&canvas, &mut plan).expect("a plan");
        assert_eq!((plan.rows().len(), plan.active()), (positions, sequences));
        let mut logits = Vec::new();
        for canvas in canvas.tokens().chunks(LENGTH) {
            for at in 0..LENGTH {
                logits.extend(clean(canvas, at).map(|p| p.ln() as f32));
            }
        }
        let view = Logits::f32(&logits, positions, TOKENS).expect("a view");
        let report = sampler.step_planned(&mut canvas, &plan, &view).expect("a step");
        let count = |state| sampler.drawn().iter().filter(|drawn| drawn.state == state).count();
        let counted = (count(RowState::Drawn), count(RowState::Renoised));
        assert_eq!((report.revealed, report.renoised), counted);
    }
    let mut counts = BTreeMap::new();
    for canvas in tokens.chunks(LENGTH) {
        *counts.entry(canvas.to_vec()).or_insert(0) += 1;
    }
    counts
}

#[test]
fn canvases_have_their_exact_law_after_every_step() {
    const STEPS: u32 = 5;
    // What α is of a time is tested elsewhere.
    for noise in [Noise::Linear, Noise::Cosine] {
        let time = |k: u32| 1.0 - f64::from(k) / f64::from(STEPS);
        let alphas: Vec<f64> = (0..=STEPS).map(|k| noise.alpha(time(k))).collect();
        let mut policy = Policy::uniform_state(noise, STEPS);
        policy.update = Update::UniformState { tokens: TOKENS as u32 };
        for steps in 1..=STEPS {
            let law = exact(&alphas[..=steps as usize]);
            let counts = sampled(policy, steps, 60_000);
            let counted: Vec<u64> =
                law.keys().map(|canvas| counts.get(canvas).copied().unwrap_or(0)).collect();
            let chances: Vec<f64> = law.into_values().collect();
            let p = chi_square(&counted, &chances);
            assert!(p > FALSE_POSITIVES, "{noise:?}, {steps} steps: p = {p:e}, {counted:?}");
        }
    }
}

/// Noise is uniform among its tokens, at the start and at every step, whatever the vocabulary.
#[test]
fn noise_is_uniform() {
    const POSITIONS: usize = 40_000;
    let mut policy = Policy::diffusion_gemma(4);
    policy.update = Update::Renoise { tokens: 7 };
    let policies = [policy];
    let (mut tokens, mut states) = (vec![0; POSITIONS], vec![PositionState::default(); POSITIONS]);
    let mut segments = segments(POSITIONS / 8, 8);
    let mut canvas = Canvas::new(&mut tokens, -1, &mut segments, &policies)
        .and_then(|canvas| canvas.with_states(&mut states))
        .expect("a canvas");
    canvas.randomize(7).expect("tokens");
    let first = canvas.tokens().to_vec();
    // Flat rows: one is accepted in each segment, and its token is any of eleven.
    let logits = vec![0.0f32; POSITIONS * 11];
    let view = Logits::f32(&logits, POSITIONS, 11).expect("a view");
    let mut sampler = Sampler::builder(POSITIONS, POSITIONS / 8).build().expect("a sampler");
    let report = sampler.step(&mut canvas, &view).expect("a step");
    assert_eq!((report.revealed, report.renoised), (POSITIONS / 8, POSITIONS / 8 * 7));
    let noise: Vec<i32> = (sampler.drawn().iter())
        .filter(|drawn| drawn.state == RowState::Renoised)
        .map(|drawn| drawn.token)
        .collect();
    for tokens in [&first, &noise] {
        let counts: Vec<u64> =
            (0..7).map(|v| tokens.iter().filter(|&&token| token == v).count() as u64).collect();
        assert_eq!(counts.iter().sum::<u64>(), tokens.len() as u64, "{counts:?}");
        let p = chi_square(&counts, &[1.0 / 7.0; 7]);
        assert!(p > FALSE_POSITIVES, "{counts:?}: p = {p:e}");
    }
    // The two have nothing to do with each other.
    let same = first.iter().zip(canvas.tokens()).filter(|(a, b)| a == b).count() as u64;
    let drawn_alike = POSITIONS as f64 / 8.0 / 11.0 + POSITIONS as f64 * 7.0 / 8.0 / 7.0;
    let chance = drawn_alike / POSITIONS as f64;
    let p = chi_square(&[same, POSITIONS as u64 - same], &[chance, 1.0 - chance]);
    assert!(p > FALSE_POSITIVES, "{same}: p = {p:e}");
}

/// A prompt stays, an inactive position too; without kinds all of a segment is noise.
#[test]
fn what_is_given_is_not_noise() {
    let kinds = [
        PositionKind::FIXED,
        PositionKind::MASKED,
        PositionKind::COMMITTED,
        PositionKind::INACTIVE,
        PositionKind::MASKED,
    ];
    for update in [Update::Renoise { tokens: 0 }, Update::UniformState { tokens: 0 }] {
        let mut policy = match update {
            Update::Renoise { .. } => Policy::diffusion_gemma(6),
            _ => Policy::uniform_state(Noise::Linear, 6),
        };
        policy.update = update;
        let policies = [policy];
        let (mut tokens, mut kinds) = ([90, 91, 92, 93, 94, 95], kinds.to_vec());
        kinds.push(PositionKind::MASKED);
        let mut states = [PositionState::default(); 6];
        // The last position belongs to no segment.
        let mut segments = [Segment { end: 5, ..Segment::default() }];
        let mut canvas = Canvas::new(&mut tokens, -1, &mut segments, &policies)
            .and_then(|canvas| canvas.with_kinds(&mut kinds))
            .and_then(|canvas| canvas.with_states(&mut states))
            .expect("a canvas");
        canvas.randomize(4).expect("tokens");
        let mut sampler = Sampler::builder(6, 1).build().expect("a sampler");
        let mut plan = Plan::with_capacity(6, 1);
        let mut steps = 0;
        loop {
            let tokens = canvas.tokens();
            assert_eq!([tokens[0], tokens[3], tokens[5]], [90, 93, 95], "{update:?}");
            assert!([1, 2, 4].iter().all(|&at| (0..4).contains(&tokens[at])), "{tokens:?}");
            sampler.plan(&canvas, &mut plan).expect("a plan");
            if plan.active() == 0 {
                break;
            }
            assert_eq!(plan.rows(), [1, 2, 4]);
            let logits: Vec<f32> =
                [[0.0f32, 3.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0], [1.0; 4]].concat();
            let view = Logits::f32(&logits, 3, 4).expect("a view");
            sampler.step_planned(&mut canvas, &plan, &view).expect("a step");
            steps += 1;
        }
        assert_eq!(steps, 6, "no rest while entropies are high");
        assert_eq!(canvas.segments()[0].step, 6);
        if let Update::Renoise { .. } = update {
            assert_eq!(tokens, [90, 1, 2, 93, 0, 95], "the likeliest tokens at last");
        }
        let committed = [1, 2, 4].iter().all(|&at| kinds[at] == PositionKind::COMMITTED);
        assert!(committed || update != Update::Renoise { tokens: 0 }, "{kinds:?}");
        assert_eq!(kinds[5], PositionKind::MASKED);
    }
}

/// vLLM, transformers: it stops when the likeliest tokens stand still and the entropies are low.
#[test]
fn a_canvas_comes_to_rest() {
    let run = |logits: [&[f32]; 4]| {
        let policies = [Policy::diffusion_gemma(48)];
        let (mut tokens, mut states) = ([0; 2], [PositionState::default(); 2]);
        let mut segments = [Segment { end: 2, ..Segment::default() }];
        let mut sampler = Sampler::builder(2, 1).build().expect("a sampler");
        let mut plan = Plan::with_capacity(2, 1);
        let mut canvas = Canvas::new(&mut tokens, -1, &mut segments, &policies)
            .and_then(|canvas| canvas.with_states(&mut states))
            .expect("a canvas");
        canvas.randomize(3).expect("tokens");
        for step in 0.. {
            sampler.plan(&canvas, &mut plan).expect("a plan");
            if plan.active() == 0 {
                let segment = canvas.segments()[0];
                return (step, tokens, segment.settled);
            }
            let view = Logits::f32(logits[step.min(3)], 2, 3).expect("a view");
            sampler.step(&mut canvas, &view).expect("a step");
        }
        unreachable!()
    };
    let sure = |a: usize, b: usize| {
        let mut logits = [0.0f32; 6];
        (logits[a], logits[3 + b]) = (30.0, 30.0);
        logits
    };
    let (x, y) = (sure(1, 2), sure(2, 2));
    let vague = [0.0f32, 0.1, 0.0, 0.0, 0.0, 0.1];
    // The second step is as the first.
    assert_eq!(run([&x, &x, &x, &x]), (2, [1, 2], 1));
    // Another token, and then none.
    assert_eq!(run([&x, &y, &y, &y]), (3, [2, 2], 1));
    // Still, but not sure, for two steps.
    assert_eq!(run([&vague, &vague, &vague, &x]), (4, [1, 2], 3));
    // Never.
    assert_eq!(run([&vague, &vague, &vague, &vague]), (48, [1, 2], 47));
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |policy: Policy<'_>| policy.check().expect_err("refused").to_string();
    let mut policy = Policy::diffusion_gemma(0);
    assert!(refused(policy).contains("schedule.cooling"));
    policy.schedule.cooling = 1.0;
    assert!(refused(policy).contains("schedule.steps"));
    let mut policy = Policy::uniform_state(Noise::Linear, 4);
    policy.select = demask::Select::RandomOrder;
    assert!(refused(policy).contains("update"));
    let mut policy = Policy::diffusion_gemma(4);
    policy.stop.settle = Some(demask::policy::Settle { steps: 0, mean_entropy: 1.0 });
    assert!(refused(policy).contains("stop.settle.steps"));
    policy.stop.settle = Some(demask::policy::Settle { steps: 1, mean_entropy: f64::NAN });
    assert!(refused(policy).contains("stop.settle.mean_entropy"));

    let policies = [Policy::diffusion_gemma(4)];
    let (mut tokens, mut segments) = ([7; 2], [Segment { end: 2, ..Segment::default() }]);
    let mut canvas = Canvas::new(&mut tokens, -1, &mut segments, &policies).expect("a canvas");
    for tokens in [0, u32::MAX] {
        let error = canvas.randomize(tokens).expect_err("refused").to_string();
        assert!(error.contains("tokens"), "{error}");
    }
    let sampler = Sampler::builder(2, 1).build().expect("a sampler");
    let error = sampler.plan(&canvas, &mut Plan::with_capacity(2, 1)).expect_err("no states");
    assert!(error.to_string().contains("states"), "{error}");
    assert_eq!(canvas.tokens(), [7; 2], "nothing is changed");
    let mut segments = [Segment { end: 2, mean_entropy: -1.0, ..Segment::default() }];
    let error = Canvas::new(&mut tokens, -1, &mut segments, &policies).expect_err("refused");
    assert!(error.to_string().contains("mean_entropy"), "{error}");
}
