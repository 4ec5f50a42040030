//! Whole decodings by every preset.

use super::inputs::{Typed, logit, view, words};
use super::lines::{Hash, Lines};
use demask::policy::RemaskRate;
use demask::schedule::sizes::MarkovSizes;
use demask::{
    Canvas, Draw, Finish, Level, Logits, Noise, Plan, Policy, PositionKind, PositionState, Sampler,
    Segment, Select, TimeGrid, Update,
};

/// Positions of the two segments, of which the first begins with a prompt.
const LENGTHS: [usize; 2] = [24, 9];
const PROMPT: usize = 3;

/// The vocabulary, which of the types, and whether the mask is a token of it.
const SHAPES: [(usize, usize, bool); 3] = [(20, 0, false), (33, 1, true), (257, 2, true)];

pub(crate) fn policies(level: Level) -> Lines {
    let table = MarkovSizes::tc(24, 6).expect("a table");
    let times = TimeGrid::remdm_loop(9, 0.55, 0.05, 0.9).expect("times");
    let cold = |policy: Policy<'static>| Policy { draw: Draw::at(0.7), ..policy };
    let select = |policy: Policy<'static>, select| Policy { select, ..policy };
    let filtered = Draw { top_k: 12, top_p: 0.9, ..Draw::at(0.75) };
    let mut noisy = Policy::dream(6);
    (noisy.draw, noisy.score.temperature, noisy.score.gumbel) = (filtered, 0.75, 0.1);
    let mut finished = Policy::tau_leaping(Noise::Linear, 4);
    finished.stop.finish = Finish::Sample;
    let mut greedy = Policy::tau_leaping(Noise::CosineSquared, 4);
    greedy.stop.finish = Finish::Argmax;
    let decaying = Policy::euler(Noise::UnitRate, 12).on_decaying_grid(8.0, 1e-3).expect("a grid");
    let policies: [(&str, Policy<'_>); 47] = [
        ("first-hitting", Policy::first_hitting(Noise::Cosine)),
        ("first-hitting, parallel", Policy::first_hitting_parallel(Noise::Linear, 6)),
        ("first-hitting, extrapolated", Policy::first_hitting_extrapolated(Noise::Cosine, 6)),
        (
            "first-hitting, predrawn",
            select(Policy::first_hitting(Noise::Linear), Select::PredrawnFirstHitting),
        ),
        ("Euler", Policy::euler(Noise::Linear, 6)),
        ("Euler, decaying grid", decaying),
        ("Euler, scores", Policy::euler_score(Noise::Linear, 6)),
        ("ancestral", Policy::ancestral(Noise::Cosine, 6)),
        (
            "ancestral, predrawn",
            select(Policy::ancestral(Noise::Linear, 6), Select::PredrawnBernoulli),
        ),
        ("Tweedie", Policy::tweedie(Noise::Cosine, 6)),
        ("tau-leaping, sampled finish", finished),
        ("tau-leaping, greedy finish", greedy),
        ("theta-trapezoidal", Policy::theta_trapezoidal(Noise::Linear, 0.5, 4)),
        ("random order", Policy::random_order(6)),
        ("random order, T 0.7", cold(Policy::random_order(6))),
        ("TC adaptive", Policy::tc_adaptive(&table)),
        ("DTC adaptive", Policy::dtc_adaptive(&table)),
        ("LLaDA", Policy::llada(6)),
        ("LLaDA, T 0.7", cold(Policy::llada(6))),
        ("Dream", Policy::dream(6)),
        ("Dream, filtered and noisy", noisy),
        ("Dream margin", Policy::dream_margin(6)),
        ("Dream entropy", Policy::dream_entropy(6)),
        ("Dream origin", Policy::dream_origin(6)),
        ("MaskGIT", Policy::maskgit(6)),
        ("Fast-dLLM", Policy::fast_dllm(0.9)),
        ("Fast-dLLM factor", Policy::fast_dllm_factor(1.0)),
        ("LLaDA2", Policy::llada2(0.95)),
        ("LLaDA2.1", Policy::llada21(0.5, 0.9)),
        ("SDAR", Policy::sdar(6)),
        ("SDAR dynamic", Policy::sdar_dynamic(0.85, 6)),
        ("SDAR sequential", Policy::sdar_sequential(6)),
        ("entropy bound", Policy::entropy_bound(0.3)),
        ("LocalLeap", Policy::local_leap(6)),
        ("hierarchy", Policy::hierarchy(0.4, 0.9)),
        ("hierarchy, remasking", Policy::hierarchy_remask(0.4, 0.9)),
        ("KLASS", Policy::klass(6)),
        ("WINO", Policy::wino()),
        ("P2", Policy::p2(1.0, 6)),
        ("DiffusionGemma", Policy::diffusion_gemma(6)),
        ("uniform state", Policy::uniform_state(Noise::Linear, 6)),
        ("dInfer", Policy::dinfer(0.9)),
        ("ReMDM cap", Policy::remdm(RemaskRate::Cap(0.1), 9)),
        ("ReMDM rescale", Policy::remdm(RemaskRate::Rescale(0.3), 9)),
        ("ReMDM loop", Policy::remdm_loop(0.2, &times)),
        ("ReMDM by confidence", Policy::remdm_confident(9)),
        ("prefix", Policy::prefix(0.6)),
    ];
    let mut lines = Lines::default();
    for (name, policy) in policies {
        for (vocab, kind, masked_inside) in SHAPES {
            let mask = if masked_inside { vocab as i32 - 1 } else { -1 };
            let (tokens, steps, hash) = decode(level, policy, vocab, kind, mask);
            lines.push(&format!("{name}, V {vocab}, {steps} steps"), &tokens, &hash);
        }
    }
    lines
}

/// The rows of a network that looks at all tokens, but for every third row. Most rows have one or two
/// favourites. Scores are smaller.
fn network(tokens: &[i32], rows: &[u32], vocab: usize, is_of_scores: bool) -> Vec<f32> {
    let mut data = Vec::new();
    let mut begin = 0;
    for length in LENGTHS {
        let mut seen = Hash::new();
        tokens[begin..begin + length].iter().for_each(|&token| seen.int(token));
        let within = rows.iter().filter(|&&at| (begin..begin + length).contains(&(at as usize)));
        for &at in within {
            let mut next = words(if at % 3 == 0 { 1 } else { seen.0 }, at.into());
            let row = data.len();
            let offset = if is_of_scores { -12.0 } else { 0.0 };
            data.extend((0..vocab).map(|_| offset + 0.5 * logit(next())));
            for boosts in [[4.0, 6.0, 9.0, 14.0], [0.0, 0.0, 7.0, 8.5]] {
                let word = next();
                data[row + (word % vocab as u64) as usize] += boosts[(word >> 62) as usize];
            }
        }
        begin += length;
    }
    data
}

/// Decodes a canvas of two segments: the tokens of the first, the steps, and a hash of all that
/// happened.
fn decode(
    level: Level,
    policy: Policy<'_>,
    vocab: usize,
    kind: usize,
    mask: i32,
) -> (Vec<i32>, usize, Hash) {
    let length = LENGTHS[0] + LENGTHS[1];
    let mut tokens = vec![mask; length];
    let mut kinds = vec![PositionKind::MASKED; length];
    for (at, (token, kind)) in tokens.iter_mut().zip(&mut kinds).take(PROMPT).enumerate() {
        (*token, *kind) = (at as i32 + 2, PositionKind::FIXED);
    }
    let mut states = vec![PositionState::default(); length];
    let segment = |begin, end, stream| Segment {
        begin: begin as u32,
        end: end as u32,
        seed: 31,
        stream,
        ..Segment::default()
    };
    let mut segments = [segment(0, LENGTHS[0], 1), segment(LENGTHS[0], length, 2)];
    let policies = [policy];
    let builder = Sampler::builder(length, segments.len()).level(level);
    let mut sampler = builder.vocab(vocab).build().expect("a sampler");
    let mut plan = Plan::with_capacity(length, segments.len());
    let maskless = matches!(policy.update, Update::Renoise { .. } | Update::UniformState { .. });
    let (mut hash, mut steps) = (Hash::new(), 0);
    let mut before = tokens.clone();
    loop {
        let canvas = Canvas::new(&mut tokens, mask, &mut segments, &policies);
        let canvas = canvas.and_then(|canvas| canvas.with_kinds(&mut kinds));
        let canvas = canvas.and_then(|canvas| canvas.with_states(&mut states));
        let mut canvas = canvas.expect("a canvas");
        if maskless && steps == 0 {
            canvas.randomize(vocab as u32).expect("tokens");
        }
        sampler.plan(&canvas, &mut plan).expect("a plan");
        if plan.active() == 0 {
            break;
        }
        let rows = |tokens: &[i32]| {
            let is_of_scores = policy.select == Select::ScoreBernoulli;
            Typed::new(network(tokens, plan.rows(), vocab, is_of_scores))
        };
        let (now, earlier) = (rows(canvas.tokens()), rows(&before));
        let count = plan.rows().len();
        let of = |typed| -> Logits<'_> { view(Typed::each(typed)[kind].1, count, vocab) };
        let logits = of(&now).with_earlier(&of(&earlier)).expect("as many rows");
        plan.rows().iter().chain(plan.remasked()).for_each(|&at| hash.word(at.into()));
        plan.times().iter().for_each(|&time| hash.float(time));
        // The network's last output is that of the last step with rows.
        if count > 0 {
            before.copy_from_slice(canvas.tokens());
        }
        let report = sampler.step_planned(&mut canvas, &plan, &logits).expect("a step");
        for count in [report.revealed, report.remasked, report.edited, report.renoised] {
            hash.word(count as u64);
        }
        canvas.tokens().iter().for_each(|&token| hash.int(token));
        for segment in canvas.segments() {
            hash.float(segment.log_masked);
            hash.float(segment.mean_entropy);
        }
        steps += 1;
        assert!(steps < 200, "{policy:?} does not end");
    }
    for state in &states {
        hash.word(state.step.into());
        hash.float(state.probability.into());
        hash.int(state.argmax);
    }
    (tokens[..LENGTHS[0]].to_vec(), steps, hash)
}
