//! Rules that look at committed positions again, or at the step before, against literal readings.

use super::rows::normal_row;
use super::{
    Case, MASK, Random, Row, Unclear, best, clear, even, fast_dllm, is_good, runs, some_rows,
};
use demask::policy::{Doubt, DoubtOf, Edit, Replan, ScoreOf, Stable};
use demask::{
    Canvas, Constraints, Draw, Key, Logits, LogitsData, Noise, Plan, Policy, PositionKind,
    PositionState, RowState, Sampler, Segment, Select, Sizes, StepReport, Update, bf16,
};
use std::collections::BTreeMap;

/// What becomes of a position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Outcome {
    /// Its drawn token stands there.
    Written,
    /// It is a mask again.
    Masked,
    /// A random token stands there.
    Noise,
    /// Its likeliest token stands there.
    Likeliest,
}

/// What a definition is told of a segment.
pub(super) struct Scene {
    /// Good rows of masked positions, ascending, and of committed ones.
    masked: Vec<Row>,
    committed: Vec<Row>,
    /// Tokens and rows of the step before, by position.
    standing: BTreeMap<u32, i32>,
    earlier: BTreeMap<u32, Vec<f64>>,
    states: BTreeMap<u32, PositionState>,
    masks: u32,
    /// How many positions are masked or committed, bad rows among them.
    open: u32,
    segment: Segment,
    steps: u32,
}

impl Scene {
    fn case(&self) -> Case<'_> {
        Case {
            rows: &self.masked,
            masks: self.masks,
            initial: self.segment.initial_masks,
            step: self.segment.step,
            steps: self.steps,
        }
    }
}

pub(super) type Outcomes = Result<BTreeMap<u32, Outcome>, Unclear>;

fn written(positions: Vec<u32>) -> BTreeMap<u32, Outcome> {
    positions.into_iter().map(|at| (at, Outcome::Written)).collect()
}

/// p of a token of a row at temperature 1.
fn probability(row: &Row, token: usize) -> f64 {
    1.0 / (1.0 + row.others(token, 1.0))
}

/// Whether p < bar, where that is clear.
fn below(p: f64, bar: f64) -> Result<bool, Unclear> {
    clear(1.0 - bar, 1.0 - p)
}

/// Whether p > bar, where that is clear.
fn above(p: f64, bar: f64) -> Result<bool, Unclear> {
    clear(1.0 - p, 1.0 - bar)
}

/// dInfer: hierarchy_remask.
fn hierarchy_remask(scene: &Scene) -> Outcomes {
    let (mut candidates, mut doubted) = (scene.masked.clone(), Vec::new());
    for row in &scene.committed {
        if below(probability(row, row.argmax()), 0.4)? {
            candidates.push(row.clone());
            doubted.push(row.at);
        }
    }
    candidates.sort_by_key(|row| row.at);
    let case = Case { rows: &candidates, ..scene.case() };
    let mut chosen = runs(&case, 0.4, 0.9)?;
    let left: Vec<_> = candidates.iter().filter(|row| !chosen.contains(&row.at)).cloned().collect();
    let missing = (doubted.len() + 1).saturating_sub(chosen.len()) as u32;
    chosen.extend(best(&Case { rows: &left, ..case }, missing, |row| row.doubt(1.0))?);
    let mut all: BTreeMap<_, _> = doubted.into_iter().map(|at| (at, Outcome::Masked)).collect();
    all.extend(written(chosen));
    Ok(all)
}

/// WINO's loop body.
fn wino(scene: &Scene) -> Outcomes {
    let case = scene.case();
    let max_accept = ((scene.masked.len() as f64 * 0.7) as u32).clamp(5, 20);
    let mut passed = Vec::new();
    for row in &scene.masked {
        if above(probability(row, row.token), 0.6)? {
            passed.push(row.at);
        }
    }
    if passed.len() > max_accept as usize {
        passed = best(&case, max_accept, |row| row.doubt(1.0))?;
    } else if passed.is_empty() {
        passed = best(&case, 1, |row| row.doubt(1.0))?;
    }
    let accepted = passed.len();
    let mut all = written(passed);
    let mut doubts = Vec::new();
    for row in &scene.committed {
        let standing = scene.standing[&row.at];
        let known = usize::try_from(standing).ok().filter(|&v| v < row.logits.len());
        let Some(token) = known else { continue };
        let p = if row.logits[token].is_finite() { probability(row, token) } else { 0.0 };
        if below(p, 0.9)? {
            doubts.push((p, row.at));
        }
    }
    doubts.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let last_accept = scene.segment.revealed as usize;
    let count = match accepted {
        0 | 1 => 0,
        _ if scene.segment.step > 0 && doubts.len() >= last_accept => last_accept.saturating_sub(1),
        _ => doubts.len(),
    };
    if count > 0 && count < doubts.len() {
        clear(doubts[count - 1].0, doubts[count].0)?;
    }
    all.extend(doubts[..count].iter().map(|&(_, at)| (at, Outcome::Masked)));
    Ok(all)
}

/// LLaDA2.1.
fn llada21(scene: &Scene) -> Outcomes {
    let mut all = written(fast_dllm(&scene.case(), 0.6)?);
    for row in &scene.committed {
        let other = scene.standing[&row.at] != row.token as i32;
        if other && above(probability(row, row.token), 0.5)? {
            all.insert(row.at, Outcome::Written);
        }
    }
    Ok(all)
}

/// P2: ⌊N(1 − k/K)⌋ lowest of all are masked after step k.
fn p2(scene: &Scene, eta: f64) -> Outcomes {
    let (done, steps, open) = (scene.segment.step + 1, scene.steps, scene.open);
    p2_masking(scene, eta, if done >= steps { 0 } else { open * (steps - done) / steps })
}

/// The same with a sine as κ, and steps that may be empty.
fn p2_sine(scene: &Scene) -> Outcomes {
    let done = f64::from(scene.segment.step + 1) / f64::from(scene.steps);
    let kappa = (done * core::f64::consts::FRAC_PI_2).sin();
    let masked = f64::from(scene.open) * (1.0 - kappa);
    // sin(π/6) is 1/2.
    let whole =
        if (masked - masked.round()).abs() < 1e-9 { masked.round() } else { masked.floor() };
    p2_masking(scene, 1.0, whole as u32)
}

fn p2_masking(scene: &Scene, eta: f64, mask_count: u32) -> Outcomes {
    let open = scene.open;
    let mut ranked: Vec<(f64, u32, bool)> = Vec::new();
    for (rows, committed) in [(&scene.masked, false), (&scene.committed, true)] {
        for row in rows {
            let score = -row.others(row.token, 1.0).ln_1p();
            let eta = if committed { eta } else { 1.0 };
            // 0 times a large number is 0.
            ranked.push((if eta == 0.0 { 0.0 } else { -eta * score }, row.at, committed));
        }
    }
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let kept = (open - mask_count) as usize;
    if kept > 0 && kept < ranked.len() {
        clear(ranked[kept - 1].0, ranked[kept].0)?;
    }
    let mut all = BTreeMap::new();
    for (place, &(_, at, committed)) in ranked.iter().enumerate() {
        match (place < kept, committed) {
            (true, false) => all.insert(at, Outcome::Written),
            (false, true) => all.insert(at, Outcome::Masked),
            _ => None,
        };
    }
    Ok(all)
}

/// Σ p ln(p/q); NaN if `q` is bad.
fn divergence(p: &[f64], q: &[f64]) -> f64 {
    let law = |z: &[f64]| {
        let max = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = z.iter().map(|z| (z - max).exp()).sum();
        z.iter().map(|z| (z - max) - sum.ln()).collect::<Vec<_>>()
    };
    let (p, q) = (law(p), law(q));
    let terms = p.iter().zip(&q).filter(|(p, _)| p.is_finite());
    terms.map(|(p, q)| p.exp() * (p - q)).sum()
}

/// How many steps in a row the law of each masked row has moved by less than 0.01.
fn stable(scene: &Scene) -> Result<BTreeMap<u32, u32>, Unclear> {
    let mut all = BTreeMap::new();
    for row in &scene.masked {
        let kl = match scene.segment.step {
            0 => f64::INFINITY,
            _ => divergence(&row.logits, &scene.earlier[&row.at]),
        };
        if (kl - 0.01).abs() < 1e-5 {
            return Err(Unclear);
        }
        let count = if kl < 0.01 { scene.states[&row.at].stable + 1 } else { 0 };
        all.insert(row.at, count);
    }
    Ok(all)
}

/// KLASS.
fn klass(scene: &Scene) -> Outcomes {
    let history = stable(scene)?;
    let mut ready = Vec::new();
    for row in &scene.masked {
        if above(probability(row, row.token), 0.9)? && history[&row.at] >= 2 {
            ready.push(row.at);
        }
    }
    if ready.is_empty() {
        ready = best(&scene.case(), even(&scene.case()), |row| row.doubt(1.0))?;
    }
    Ok(written(ready))
}

/// DiffusionGemma: the temperature of a step.
fn gemma_temperature(step: u32, steps: u32) -> f64 {
    let left = f64::from(steps - step) / f64::from(steps);
    f64::from((f64::from(0.8f32) * (0.5 + 0.5 * left)) as f32)
}

fn all_rows(scene: &Scene) -> Vec<Row> {
    let mut rows = [scene.masked.clone(), scene.committed.clone()].concat();
    rows.sort_by_key(|row| row.at);
    rows
}

/// Whether a scene is the last one of DiffusionGemma, and its mean entropy.
fn gemma_ends(scene: &Scene) -> Result<(bool, f64), Unclear> {
    let temperature = gemma_temperature(scene.segment.step, scene.steps);
    let rows = all_rows(scene);
    let sum: f64 = rows.iter().map(|row| row.entropy(temperature)).sum();
    let mean = if rows.is_empty() { 0.0 } else { sum / rows.len() as f64 };
    if (mean - 0.005).abs() < 1e-6 {
        return Err(Unclear);
    }
    let same = |row: &Row| {
        let state = scene.states[&row.at];
        state.step > 0 && state.argmax == row.argmax() as i32
    };
    let still = !rows.is_empty() && rows.iter().all(same);
    let last = scene.segment.step + 1 >= scene.steps;
    Ok((last || still && mean < 0.005, mean))
}

/// DiffusionGemma: the surest within 0.1 nats are accepted, the others are noise.
fn diffusion_gemma(scene: &Scene) -> Outcomes {
    let temperature = gemma_temperature(scene.segment.step, scene.steps);
    let rows = all_rows(scene);
    if gemma_ends(scene)?.0 {
        return Ok(rows.iter().map(|row| (row.at, Outcome::Likeliest)).collect());
    }
    let mut ranked: Vec<_> = rows.iter().map(|row| (row.entropy(temperature), row.at)).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut all: BTreeMap<_, _> = rows.iter().map(|row| (row.at, Outcome::Noise)).collect();
    let mut sum = 0.0;
    for (place, &(entropy, at)) in ranked.iter().enumerate() {
        // The entropies strictly before it.
        if (sum - 0.1f64).abs() <= 1e-5 * sum {
            return Err(Unclear);
        }
        if sum > 0.1 {
            // Which of two that are too close comes first would matter.
            clear(ranked[place - 1].0, entropy)?;
            break;
        }
        all.insert(at, Outcome::Written);
        sum += entropy;
    }
    Ok(all)
}

pub(super) type Rule = (&'static str, fn(u32) -> Policy<'static>, fn(&Scene) -> Outcomes);

/// The positions whose laws have moved least; in the first step, from left to right.
fn least_moved(scene: &Scene) -> Outcomes {
    let moved = |row: &Row| match scene.segment.step {
        0 => 0.0,
        _ => divergence(&row.logits, &scene.earlier[&row.at]),
    };
    // Nearly equal laws are known to about 1e-6 nats; unknown ones come last, from left to right.
    let known: Vec<f64> = scene.masked.iter().map(moved).collect();
    for (i, a) in known.iter().enumerate() {
        for b in known[..i].iter().filter(|b| scene.segment.step > 0 && !(*b - a).is_nan()) {
            if (a - b).abs() < 1e-5 * (1.0 + a.abs().min(b.abs())) && a.is_finite() {
                return Err(Unclear);
            }
        }
    }
    let last = |x: f64| if x.is_nan() { f64::INFINITY } else { x };
    Ok(written(best(&scene.case(), even(&scene.case()), |row| last(moved(row)))?))
}

pub(super) const RULES: [Rule; 10] = [
    (
        "p2, a sine",
        |steps| {
            let mut policy = Policy::p2(1.0, steps);
            policy.schedule.noise = Noise::Cosine;
            policy
        },
        p2_sine,
    ),
    ("hierarchy_remask", |_| Policy::hierarchy_remask(0.4, 0.9), hierarchy_remask),
    ("wino", |_| Policy::wino(), wino),
    ("llada21", |_| Policy::llada21(0.6, 0.5), llada21),
    ("p2", |steps| Policy::p2(1.0, steps), |scene| p2(scene, 1.0)),
    ("p2, eta 3", |steps| Policy::p2(3.0, steps), |scene| p2(scene, 3.0)),
    ("p2, eta 0", |steps| Policy::p2(0.0, steps), |scene| p2(scene, 0.0)),
    ("klass", Policy::klass, klass),
    (
        "least divergence",
        |steps| {
            let mut policy = Policy::llada(steps);
            policy.score.of = ScoreOf::NegativeDivergence;
            policy
        },
        least_moved,
    ),
    ("diffusion_gemma", Policy::diffusion_gemma, diffusion_gemma),
];

/// All that a batch of random segments consists of.
struct Batch {
    policies: Vec<Policy<'static>>,
    segments: Vec<Segment>,
    tokens: Vec<i32>,
    kinds: Vec<PositionKind>,
    states: Vec<PositionState>,
    vocab: usize,
    mask: i32,
}

impl Batch {
    fn new(round: u64, random: &mut Random) -> Self {
        let vocab = random.pick(&[2usize, 3, 7, 16, 33, 100, 257, 700]);
        let mask = if random.below(3) == 0 { vocab as i32 - 1 } else { MASK };
        let policies: Vec<_> =
            RULES.iter().map(|rule| rule.1(1 + random.below(8) as u32)).collect();
        let (segments, tokens, kinds, states) = Default::default();
        let mut all = Self { policies, segments, tokens, kinds, states, vocab, mask };
        for stream in 0..30 {
            let begin = all.tokens.len() as u32;
            for _ in 0..random.pick(&[0, 1, 2, 3, 8, 8, 13, 30]) {
                let kind = random.pick(&[
                    PositionKind::MASKED,
                    PositionKind::MASKED,
                    PositionKind::COMMITTED,
                    PositionKind::COMMITTED,
                    PositionKind::FIXED,
                    PositionKind::INACTIVE,
                ]);
                all.kinds.push(kind);
                all.tokens.push(match kind {
                    PositionKind::MASKED => mask,
                    // Also one that no row knows.
                    _ => random.below(vocab as u64 + 1) as i32,
                });
                all.states.push(PositionState {
                    step: random.below(3) as u32,
                    probability: 0.5,
                    stable: random.below(3) as u32,
                    argmax: random.below(vocab as u64) as i32,
                });
            }
            let policy = random.below(RULES.len() as u64) as u32;
            let steps = all.policies[policy as usize].schedule.steps;
            let end = all.tokens.len() as u32;
            let masks = all.kinds[begin as usize..].iter().filter(|k| **k == PositionKind::MASKED);
            all.segments.push(Segment {
                begin,
                end,
                seed: round,
                stream,
                policy,
                step: random.below(if steps == 0 { 9 } else { steps.into() }) as u32,
                origin: random.below(100) as u32,
                initial_masks: masks.count() as u32 + random.below(4) as u32,
                revealed: random.below(6) as u32,
                ..Segment::default()
            });
        }
        all
    }

    /// What a definition is told of a segment, with the tokens that its rows draw by themselves.
    fn scene(
        &self,
        segment: &Segment,
        logits: &[f32],
        earlier: &[f32],
        data: LogitsData<'_>,
        sampler: &mut Sampler,
    ) -> Scene {
        let &Self { vocab, mask, .. } = self;
        let excluded = usize::try_from(mask).ok();
        let policy = &self.policies[segment.policy as usize];
        let steps = policy.schedule.steps;
        let open: Vec<u32> = (segment.begin..segment.end)
            .filter(|&at| {
                let kind = self.kinds[at as usize];
                kind == PositionKind::MASKED || kind == PositionKind::COMMITTED
            })
            .collect();
        let keys: Vec<_> = open
            .iter()
            .map(|&at| Key {
                seed: segment.seed,
                stream: segment.stream,
                step: segment.step,
                position: segment.origin + at - segment.begin,
            })
            .collect();
        let draw = match RULES[segment.policy as usize].0 {
            "diffusion_gemma" => Draw::at(gemma_temperature(segment.step, steps) as f32),
            _ => policy.draw,
        };
        let own = Logits::new(data, self.tokens.len(), vocab, vocab, Some(&open)).expect("a view");
        let constraints = Constraints::excluding(excluded.map(|v| v as u32));
        let drawn = sampler.draw(&own, &draw, &constraints, &keys).expect("a draw");
        let values = |all: &[f32], at: u32| -> Vec<f64> {
            let row = all[at as usize * vocab..][..vocab].iter().enumerate();
            let out = |v: usize| Some(v) == excluded;
            row.map(|(v, &z)| if out(v) { f64::NEG_INFINITY } else { z.into() }).collect()
        };
        let mut scene = Scene {
            masked: Vec::new(),
            committed: Vec::new(),
            standing: open.iter().map(|&at| (at, self.tokens[at as usize])).collect(),
            earlier: BTreeMap::new(),
            states: open.iter().map(|&at| (at, self.states[at as usize])).collect(),
            masks: 0,
            open: open.len() as u32,
            segment: *segment,
            steps,
        };
        for (&at, drawn) in open.iter().zip(drawn) {
            let is_masked = self.kinds[at as usize] == PositionKind::MASKED;
            scene.masks += u32::from(is_masked);
            let is_bad = !is_good(&earlier[at as usize * vocab..][..vocab], excluded);
            let before = if is_bad { vec![f64::NAN; vocab] } else { values(earlier, at) };
            scene.earlier.insert(at, before);
            if is_good(&logits[at as usize * vocab..][..vocab], excluded) {
                let rows = if is_masked { &mut scene.masked } else { &mut scene.committed };
                rows.push(Row { at, logits: values(logits, at), token: drawn.token as usize });
            }
        }
        scene
    }
}

/// Logits of another step: some rows nearly the same, others new.
fn moved(random: &mut Random, rows: &[f32], vocab: usize) -> Vec<f32> {
    let mut all = some_rows(random, rows.len() / vocab, vocab);
    for (new, old) in all.chunks_mut(vocab).zip(rows.chunks(vocab)) {
        let shift = random.pick(&[0.0, 0.01, 0.05, 0.2]);
        if random.below(4) > 0 {
            let sign = |v: usize| if v.is_multiple_of(2) { shift } else { -shift };
            new.iter_mut().zip(old).enumerate().for_each(|(v, (new, z))| *new = z + sign(v));
        }
    }
    all
}

#[test]
fn every_revision_is_its_definition() {
    let (mut checked, mut unclear) = (BTreeMap::new(), 0u32);
    for round in 0..400 {
        let mut random = Random::new(7_000 + round);
        let mut batch = Batch::new(round, &mut random);
        let (vocab, positions) = (batch.vocab, batch.tokens.len());
        let mut logits = some_rows(&mut random, positions, vocab);
        let mut earlier = moved(&mut random, &logits, vocab);
        let to_brain = |rows: &[f32]| rows.iter().map(|&z| bf16::from_f32(z)).collect::<Vec<_>>();
        let (brain, brain_earlier) = (to_brain(&logits), to_brain(&earlier));
        let is_brain = random.below(2) == 0;
        if is_brain {
            logits = brain.iter().map(|z| z.to_f32()).collect();
            earlier = brain_earlier.iter().map(|z| z.to_f32()).collect();
        }
        let (data, before) = match is_brain {
            true => (LogitsData::Bf16(&brain), LogitsData::Bf16(&brain_earlier)),
            false => (LogitsData::F32(&logits), LogitsData::F32(&earlier)),
        };
        let view = |data| Logits::new(data, positions, vocab, vocab, None).expect("a view");
        let both = view(data).with_earlier(&view(before)).expect("as many rows");
        let mut sampler = Sampler::builder(positions, 30).vocab(vocab).build().expect("a sampler");
        let scenes: Vec<Scene> = batch
            .segments
            .iter()
            .map(|segment| batch.scene(segment, &logits, &earlier, data, &mut sampler))
            .collect();
        let tokens_before = batch.tokens.clone();
        let kinds_before = batch.kinds.clone();
        let mut canvas =
            Canvas::new(&mut batch.tokens, batch.mask, &mut batch.segments, &batch.policies)
                .and_then(|canvas| canvas.with_kinds(&mut batch.kinds))
                .and_then(|canvas| canvas.with_states(&mut batch.states))
                .expect("a canvas");
        sampler.step(&mut canvas, &both).expect("a step");
        for (scene, segment) in scenes.iter().zip(&batch.segments) {
            let (name, _, definition) = RULES[scene.segment.policy as usize];
            let is_maskless = name == "diffusion_gemma";
            let is_done = if is_maskless { scene.open == 0 } else { scene.masks == 0 };
            let goes_on = name == "llada21" && scene.open > 0;
            let expected =
                if is_done && !goes_on { Ok(BTreeMap::new()) } else { definition(scene) };
            let Ok(expected) = expected else {
                unclear += 1;
                continue;
            };
            let what = format!("{name}, round {round}, V {vocab}, {:?}", scene.segment);
            let rows: BTreeMap<u32, &Row> =
                scene.masked.iter().chain(&scene.committed).map(|row| (row.at, row)).collect();
            for at in scene.segment.begin..scene.segment.end {
                let i = at as usize;
                let now = (batch.tokens[i], batch.kinds[i]);
                let what = format!("{what}, position {at}: {:?}", expected.get(&at));
                match expected.get(&at) {
                    None => assert_eq!(now, (tokens_before[i], kinds_before[i]), "{what}"),
                    Some(Outcome::Masked) => {
                        assert_eq!(now, (batch.mask, PositionKind::MASKED), "{what}");
                    }
                    Some(Outcome::Written) => {
                        let token = rows[&at].token as i32;
                        assert_eq!(now, (token, PositionKind::COMMITTED), "{what}");
                    }
                    Some(Outcome::Likeliest) => {
                        let token = rows[&at].argmax() as i32;
                        assert_eq!(now, (token, PositionKind::COMMITTED), "{what}");
                    }
                    Some(Outcome::Noise) => {
                        assert!((0..vocab as i32).contains(&now.0), "{what}: {now:?}");
                        assert_eq!(now.1, PositionKind::MASKED, "{what}");
                    }
                }
            }
            if name == "klass" && !is_done {
                for (at, count) in stable(scene).unwrap_or_default() {
                    let expected = if expected.contains_key(&at) { 0 } else { count };
                    assert_eq!(batch.states[at as usize].stable, expected, "{what}, {at}");
                }
            }
            if is_maskless
                && !is_done
                && let Ok((ends, mean)) = gemma_ends(scene)
            {
                let now = segment.mean_entropy;
                assert!((now - mean).abs() <= 1e-5 * mean, "{what}: {now}, not {mean}");
                let mut canvas_tokens = batch.tokens.clone();
                let mut one = [*segment];
                let canvas = Canvas::new(&mut canvas_tokens, MASK, &mut one, &batch.policies);
                let mut states = batch.states.clone();
                let canvas = canvas.and_then(|c| c.with_states(&mut states)).expect("a canvas");
                let mut plan = Plan::with_capacity(positions, 1);
                sampler.plan(&canvas, &mut plan).expect("a plan");
                assert_eq!(plan.active(), usize::from(!ends), "{what}");
            }
            *checked.entry(name).or_insert(0) += 1;
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

/// Decodes a canvas with a prompt to its end; returns the reports of the steps and the canvas.
fn decode(
    policy: Policy<'_>,
    prompt: &[i32],
    masks: usize,
    network: impl Fn(usize, u32) -> Vec<f32>,
) -> (Vec<StepReport>, Vec<i32>) {
    let length = prompt.len() + masks;
    let mut tokens = [prompt.to_vec(), vec![MASK; masks]].concat();
    let mut kinds = vec![PositionKind::FIXED; prompt.len()];
    kinds.resize(length, PositionKind::MASKED);
    let mut states = vec![PositionState::default(); length];
    let mut segments = [Segment { end: length as u32, ..Segment::default() }];
    let policies = [policy];
    let mut sampler = Sampler::builder(length, 1).build().expect("a sampler");
    let mut plan = Plan::with_capacity(length, 1);
    let mut reports: Vec<StepReport> = Vec::new();
    loop {
        let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)
            .and_then(|canvas| canvas.with_kinds(&mut kinds))
            .and_then(|canvas| canvas.with_states(&mut states))
            .expect("a canvas");
        sampler.plan(&canvas, &mut plan).expect("a plan");
        if plan.active() == 0 {
            return (reports, tokens);
        }
        let rows = |step: usize| -> Vec<f32> {
            plan.rows().iter().flat_map(|&at| network(step, at)).collect()
        };
        let (now, before) = (rows(reports.len()), rows(reports.len().saturating_sub(1)));
        let vocab = now.len() / plan.rows().len();
        let view = |rows| Logits::f32(rows, plan.rows().len(), vocab).expect("a view");
        let compares = policy.select == Policy::klass(1).select
            || policy.score.of == ScoreOf::NegativeDivergence;
        assert_eq!(plan.reads_earlier(0), compares && !reports.is_empty());
        let view = view(&now).with_earlier(&view(&before)).expect("as many rows");
        reports.push(sampler.step_planned(&mut canvas, &plan, &view).expect("a step"));
        assert!(reports.len() < 1_000, "{policies:?} does not end");
    }
}

#[test]
fn every_revision_ends_with_all_revealed() {
    for (name, policy, _) in RULES {
        for (masks, steps) in [(1, 1), (1, 5), (17, 1), (17, 4), (40, 40), (40, 64), (64, 7)] {
            for width in [0.5, 3.0, 9.0] {
                let network = |step: usize, at: u32| {
                    normal_row(11, width, 0.0, (step as u64) << 20 | u64::from(at))
                };
                let (reports, tokens) = decode(policy(steps), &[3, 1], masks, network);
                let what = format!("{name}, {masks} masks, {steps} steps, width {width}");
                assert!(!tokens.contains(&MASK), "{what}: {tokens:?}");
                assert_eq!(tokens[..2], [3, 1], "{what}: a prompt stays");
                if policy(steps).schedule.steps > 0 {
                    assert!(reports.len() <= steps as usize, "{what}: {} steps", reports.len());
                }
            }
        }
    }
}

/// Open-dLLM #7, #12: P2 that never remasks a committed token.
#[test]
fn path_planning_masks_a_token_that_is_no_longer_believed() {
    // Position 0 is sure of token 1 at first, and of nothing once position 1 is there.
    let network = |step: usize, at: u32| match (step, at) {
        (0, 0) => vec![0.0, 9.0],
        (_, 0) => vec![0.0, 0.1],
        (0, _) => vec![0.0, 1.0],
        _ => vec![0.0, 8.0],
    };
    let mut policy = Policy::p2(1.0, 3);
    policy.draw = Draw::at(0.0);
    let (reports, _) = decode(policy, &[], 3, network);
    assert_eq!(reports[0].revealed, 1);
    assert_eq!((reports[1].revealed, reports[1].remasked), (2, 1), "{reports:?}");
    let mut policy = Policy::p2(0.0, 3);
    policy.draw = Draw::at(0.0);
    let (reports, _) = decode(policy, &[], 3, network);
    assert!(reports.iter().all(|report| report.remasked == 0), "eta 0: {reports:?}");
}

/// WINO's rows of committed positions come from elsewhere: by the index of the logits.
#[test]
fn a_shadow_row_speaks_for_a_committed_position() {
    // Rows 0 to 2 are those of the positions, 3 is the shadow of position 0.
    let sure = [0.0f32, 9.0];
    let logits = [sure, sure, sure, [9.0, 0.0]].concat();
    for (shadow, expected) in [(0, [1, 1, 1]), (3, [MASK, 1, 1])] {
        let index = [shadow, 1, 2];
        let view = Logits::new(LogitsData::F32(&logits), 4, 2, 2, Some(&index)).expect("a view");
        let (mut tokens, policies) = ([1, MASK, MASK], [Policy::wino()]);
        let mut kinds = [PositionKind::COMMITTED, PositionKind::MASKED, PositionKind::MASKED];
        let mut segments = [Segment { end: 3, step: 1, revealed: 2, ..Segment::default() }];
        let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)
            .and_then(|canvas| canvas.with_kinds(&mut kinds))
            .expect("a canvas");
        let mut sampler = Sampler::builder(3, 1).build().expect("a sampler");
        let report = sampler.step(&mut canvas, &view).expect("a step");
        assert_eq!((report.revealed, report.remasked), (2, usize::from(shadow == 3)));
        let states: Vec<_> = sampler.drawn().iter().map(|drawn| drawn.state).collect();
        let first = if shadow == 3 { RowState::Remasked } else { RowState::Kept };
        assert_eq!(states, [first, RowState::Drawn, RowState::Drawn]);
        assert_eq!(tokens, expected);
    }
}

/// LLaDA2.1: edits go on after the last mask, until one changes nothing.
#[test]
fn edits_end_when_nothing_changes() {
    let policy = Policy::llada21(0.5, 0.9);
    // All are sure of token 0 at once, and change their minds twice.
    let token_at = |step: usize| [0, 2, 1][step.min(2)];
    let network = |step: usize, _: u32| {
        let mut row = vec![0.0; 3];
        row[token_at(step)] = 9.0;
        row
    };
    let (reports, tokens) = decode(policy, &[], 4, network);
    let edited: Vec<_> = reports.iter().map(|report| (report.revealed, report.edited)).collect();
    assert_eq!(edited, [(4, 0), (0, 4), (0, 4), (0, 0)]);
    assert_eq!(tokens, [1; 4]);
    // A network that never rests is stopped.
    let restless =
        |step: usize, _: u32| if step.is_multiple_of(2) { vec![9.0, 0.0] } else { vec![0.0, 9.0] };
    assert_eq!(decode(policy, &[], 4, restless).0.len(), 17);
}

/// KLASS compares guided laws with guided laws.
#[test]
fn a_guided_law_is_compared_with_the_guided_law_before() {
    let plain = [0.0f32, 4.0, 0.0];
    // The same guided law, 2z − g, from other logits.
    let (guide, moved, moved_guide) = ([0.0f32, 1.0, 0.0], [0.0f32, 5.0, 0.0], [0.0f32, 3.0, 0.0]);
    let view = |row, guide| {
        let guide = Logits::f32(guide, 1, 3).expect("a view");
        Logits::f32(row, 1, 3).and_then(|view| view.guided(&guide, 2.0)).expect("a guided view")
    };
    let same = view(&moved, &moved_guide).with_earlier(&view(&plain, &guide)).expect("rows");
    let far = [0.0f32, 9.0, 0.0];
    let other = view(&moved, &moved_guide).with_earlier(&view(&moved, &far)).expect("rows");
    let unguided = Logits::f32(&moved, 1, 3).expect("a view");
    let half = unguided.with_earlier(&view(&plain, &guide)).expect("rows");
    for (logits, expected) in [(same, 2), (other, 0), (half, 0)] {
        let (mut tokens, policies) = ([MASK; 1], [Policy::klass(8)]);
        let mut states = [PositionState { stable: 1, ..PositionState::default() }];
        let mut segments = [Segment { end: 1, step: 1, ..Segment::default() }];
        let mut policy = policies[0];
        policy.schedule.sizes = Sizes::TimeRatio { end: 0.001 };
        let policies = [policy];
        let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)
            .and_then(|canvas| canvas.with_states(&mut states))
            .expect("a canvas");
        let mut sampler = Sampler::builder(1, 1).build().expect("a sampler");
        sampler.step(&mut canvas, &logits).expect("a step");
        // Sure and stable for two steps; else the size of the step counts, which is 0.
        assert_eq!(tokens[0] != MASK, expected == 2, "{tokens:?}");
        assert_eq!(states[0].stable, if expected == 2 { 0 } else { expected });
    }
}

#[test]
fn revisions_ask_for_what_they_need() {
    let mut tokens = [0, MASK];
    let mut segments = [Segment { end: 2, ..Segment::default() }];
    let mut plan = Plan::with_capacity(2, 1);
    let sampler = Sampler::builder(2, 1).build().expect("a sampler");
    for (policy, missing) in [
        (Policy::wino(), "kinds"),
        (Policy::llada21(0.9, 0.9), "kinds"),
        (Policy::p2(1.0, 2), "kinds"),
        (Policy::klass(2), "states"),
    ] {
        let policies = [policy];
        let canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies).expect("a canvas");
        let error = sampler.plan(&canvas, &mut plan).expect_err("refused").to_string();
        assert!(error.contains(missing), "{error}");
    }
    let refused = |policy: Policy<'_>| policy.check().expect_err("refused").to_string();
    let with = |mut policy: Policy<'static>, update| {
        policy.update = update;
        policy
    };
    let doubt = Doubt { below: f64::NAN, of: DoubtOf::Standing };
    let edit = Edit { above: f64::NAN, extra_steps: 1 };
    let mut even = Policy::p2(1.0, 4);
    even.schedule.sizes = Sizes::Even;
    let stable = |change: fn(&mut Stable)| {
        let (mut policy, mut stable) = (Policy::klass(2), Stable::KLASS);
        change(&mut stable);
        policy.select = Select::Stable(stable);
        policy
    };
    let mut share = Policy::wino();
    if let Select::Threshold(threshold) = &mut share.select {
        threshold.most_share = 0.0;
    }
    for (policy, name) in [
        (with(Policy::wino(), Update::Doubt(doubt)), "update.below"),
        (with(Policy::wino(), Update::Edit(edit)), "update.above"),
        (Policy::p2(-1.0, 4), "update.eta"),
        (Policy::p2(f64::NAN, 4), "update.eta"),
        (Policy::p2(1.0, 0), "schedule.steps"),
        (even, "schedule.sizes"),
        (with(Policy::random_order(3), Update::Edit(edit)), "update"),
        (with(Policy::wino(), Update::Replan(Replan { eta: 1.0 })), "update"),
        (stable(|stable| stable.above = f64::NAN), "stable.above"),
        (stable(|stable| stable.divergence = f64::NAN), "stable.divergence"),
        (share, "threshold.most_share"),
    ] {
        let message = refused(policy);
        assert!(message.contains(name), "{message} for {name}");
    }
}
