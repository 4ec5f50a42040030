//! The sampler's output has the exact law of its decoding rule, and nothing but the key decides
//! which output it is.
//!
//! The network is replaced by the exact conditionals of a small target, so the law of the output
//! is known to f64 precision: not only in the limit of many steps, but with all the errors that
//! the rule itself makes. Four million outputs are compared with it.
//!
//! *False positives.* All seeds are fixed, so a result never changes from run to run. Had the
//! seeds been drawn at random, a correct sampler would fail a G-test with probability 1e-6. Its
//! total variation would be five deviations above the expected noise (1.5 times the noise for
//! MARKOV, 2.2 times for HASH, of which a few outcomes have most of the mass) with probability
//! 2e-4 for HASH and 7e-5 for MARKOV, by simulation; for one of the 28 comparisons, 4e-3.

mod exact_law;
mod perfect_network;

use demask::{
    Canvas, Finish, Key, Level, Logits, LogitsData, Noise, Plan, Policy, PositionKind, Purpose,
    Sampler, Segment, schedule::hitting,
};
use exact_law::{CompositionLaws, Denoiser, Leftover, Rule, Target, Weights};
use perfect_network::{Network, decode, histogram, sampler};

const OUTPUTS: u64 = 4_000_000;

/// A target, and the mask token that its network uses.
struct Subject {
    name: &'static str,
    target: Target,
    mask: i32,
}

fn subjects() -> [Subject; 2] {
    [
        Subject { name: "HASH", target: Target::hash(4, 2), mask: -1 },
        Subject { name: "MARKOV", target: Target::markov(4, 4), mask: 4 },
    ]
}

impl Subject {
    /// Compares the sampler's outputs with `law`, and, where the rule has an error, with the
    /// target that it approximates.
    fn assert_law(&self, rule: &str, policy: Policy, law: &[f64], seed: u64) {
        let network = Network::new(&self.target, self.mask);
        let counts = histogram(policy, &network, seed, OUTPUTS);
        assert_eq!(counts.iter().sum::<u64>(), OUTPUTS);
        let found = exact_law::frequencies(&counts);
        let target = self.target.law();

        let name = format!("{rule}, {}", self.name);
        let noise = exact_law::expected_noise(law, OUTPUTS);
        let slack = 5.0 * exact_law::noise_deviation(law, OUTPUTS);
        let apart = exact_law::total_variation(&found, law);
        let p = exact_law::g_test(&counts, law);
        let exact = exact_law::total_variation(law, &target);
        let to_target = exact_law::total_variation(&found, &target);
        println!(
            "{name}: TV to the rule's law {apart:.6}, by chance {noise:.6}, p = {p:.4}; TV to the \
             target {to_target:.6}, exactly {exact:.6}"
        );
        assert!(apart < noise + slack, "{name}: TV {apart}, expected {noise} by chance");
        assert!(p > 1e-6, "{name}: G-test p = {p}");
        if exact > 3.0 * noise {
            // The rule's own error is reproduced; and the G-test would notice it.
            assert!((to_target - exact).abs() < noise + slack, "{name}: {to_target}, not {exact}");
            let p = exact_law::g_test(&counts, &target);
            assert!(p < 1e-12, "{name}: cannot be told from the target, p = {p}");
        } else {
            assert!(exact < 1e-14, "{name}: a rule's error that would not be seen: {exact}");
        }
    }
}

#[test]
fn first_hitting_has_the_target_law() {
    for subject in subjects() {
        let law = subject.target.law();
        for (seed, noise) in [(1, Noise::Linear), (2, Noise::Cosine), (3, Noise::UnitRate)] {
            let rule = format!("first-hitting, {noise:?}");
            subject.assert_law(&rule, Policy::first_hitting(noise), &law, seed);
        }
    }
}

#[test]
fn a_mask_within_the_vocabulary_is_never_drawn() {
    for (seed, mask) in [(15, 0), (16, 2)] {
        let subject = Subject { name: "HASH", target: Target::hash(4, 3), mask };
        let rule = format!("first-hitting, mask token {mask}");
        let policy = Policy::first_hitting(Noise::Linear);
        subject.assert_law(&rule, policy, &subject.target.law(), seed);
    }
}

/// The law of the Euler method on a uniform grid, by formulas of the tests' own.
fn euler_law(
    target: &Target,
    noise: exact_law::Noise,
    start: f64,
    steps: u32,
    leftover: Leftover,
) -> Vec<f64> {
    let grid = exact_law::uniform_grid(start, steps as usize);
    let reveal = exact_law::reveal_probabilities(noise, Rule::Euler, &grid);
    let weights = Weights::independent(target.space().len, &reveal);
    CompositionLaws::new(target).output(&weights, leftover)
}

#[test]
fn euler_on_linear_and_cosine_grids_has_its_law() {
    let cases = [
        (Noise::Linear, exact_law::Noise::Linear, 4, 4),
        (Noise::Linear, exact_law::Noise::Linear, 16, 5),
        (Noise::Cosine, exact_law::Noise::Cosine, 16, 6),
    ];
    for subject in subjects() {
        for (noise, exact_noise, steps, seed) in cases {
            let law = euler_law(&subject.target, exact_noise, 1.0, steps, Leftover::Masked);
            let rule = format!("Euler, {noise:?}, {steps} steps");
            subject.assert_law(&rule, Policy::euler(noise, steps), &law, seed);
        }
    }
}

#[test]
fn euler_at_unit_rate_has_its_law_with_every_finish() {
    let cases = [
        (Finish::None, Leftover::Masked, 7),
        (Finish::Sample, Leftover::Sampled, 8),
        (Finish::Argmax, Leftover::MostLikely, 9),
    ];
    for subject in subjects() {
        for (finish, leftover, seed) in cases {
            let mut policy = Policy::euler(Noise::UnitRate, 32);
            policy.schedule.start = 8.0;
            policy.stop.finish = finish;
            let law = euler_law(&subject.target, exact_law::Noise::UnitRate, 8.0, 32, leftover);
            subject.assert_law(&format!("Euler, UnitRate, {finish:?}"), policy, &law, seed);
        }
    }
}

#[test]
fn random_order_has_its_law() {
    for subject in subjects() {
        let laws = CompositionLaws::new(&subject.target);
        let sizes: [&[usize]; 4] = [&[4], &[2, 2], &[2, 1, 1], &[1, 1, 1, 1]];
        for (steps, sizes) in (1..).zip(sizes) {
            let law = laws.output(&Weights::sizes(4, sizes), Leftover::Masked);
            let rule = format!("random order, {steps} steps");
            let seed = 10 + u64::from(steps);
            subject.assert_law(&rule, Policy::random_order(steps), &law, seed);
        }
    }
}

/// With a perfect network the order does not show in the tokens, so it is looked at by itself:
/// the group (numbered by step) in which each of five positions is revealed.
fn reveal_orders(policy: Policy, seed: u64) -> std::collections::HashMap<[u32; 5], u64> {
    const SEGMENTS: u32 = 300_000;
    let segment = |i: u32| Segment {
        begin: 5 * i,
        end: 5 * i + 5,
        seed,
        stream: i.into(),
        ..Segment::default()
    };
    let mut segments: Vec<_> = (0..SEGMENTS).map(segment).collect();
    let mut tokens = vec![-1; 5 * SEGMENTS as usize];
    let mut sampler = sampler(tokens.len(), segments.len());
    let mut plan = Plan::with_capacity(tokens.len(), segments.len());
    let mut group = vec![0; tokens.len()];
    for step in 0.. {
        let mut canvas =
            Canvas::new(&mut tokens, -1, &mut segments, core::slice::from_ref(&policy))
                .expect("a valid canvas");
        sampler.plan(&canvas, &mut plan).expect("it fits");
        if plan.active() == 0 {
            break;
        }
        for &at in plan.rows() {
            group[at as usize] = step;
        }
        let index = vec![0; plan.rows().len()];
        let logits = Logits::new(LogitsData::F32(&[0.0; 2]), 1, 2, 2, Some(&index)).expect("rows");
        sampler.step_planned(&mut canvas, &plan, &logits).expect("it fits");
    }
    let mut counts = std::collections::HashMap::new();
    for order in group.as_chunks::<5>().0 {
        *counts.entry(*order).or_default() += 1;
    }
    counts
}

#[test]
fn every_order_is_equally_likely() {
    // Policy and the number of its orders: 5! one by one, 5!/(3! 2!) and 5!/(2! 2! 1!) in groups.
    let cases = [
        (Policy::first_hitting(Noise::Linear), 120),
        (Policy::random_order(5), 120),
        (Policy::random_order(2), 10),
        (Policy::random_order(3), 30),
    ];
    for (seed, (policy, orders)) in cases.into_iter().enumerate() {
        let counts: Vec<u64> = reveal_orders(policy, 20 + seed as u64).into_values().collect();
        assert_eq!(counts.len(), orders, "{policy:?}");
        let p = exact_law::g_test(&counts, &vec![1.0 / orders as f64; orders]);
        assert!(p > 1e-6, "{policy:?}: p = {p}");
    }
}

#[test]
fn euler_reveals_positions_independently() {
    // Four steps of the linear schedule: each position's step is uniform, whatever the others'.
    let counts = reveal_orders(Policy::euler(Noise::Linear, 4), 24);
    let seen: Vec<u64> = (0..1024)
        .map(|n: u32| [0, 1, 2, 3, 4].map(|position| n >> (2 * position) & 3))
        .map(|order| counts.get(&order).copied().unwrap_or(0))
        .collect();
    assert_eq!(seen.iter().sum::<u64>(), 300_000, "all are revealed within four steps");
    let p = exact_law::g_test(&seen, &[1.0 / 1024.0; 1024]);
    assert!(p > 1e-6, "p = {p}");
}

/// Every kind of policy, all of which one canvas can hold.
fn policies() -> Vec<Policy<'static>> {
    let mut policies = vec![
        Policy::first_hitting(Noise::Linear),
        Policy::first_hitting(Noise::Cosine),
        Policy::first_hitting(Noise::UnitRate),
        Policy::euler(Noise::Linear, 5),
        Policy::euler(Noise::Cosine, 9),
        Policy::random_order(1),
        Policy::random_order(2),
        Policy::random_order(3),
    ];
    for finish in [Finish::None, Finish::Sample, Finish::Argmax] {
        let mut policy = Policy::euler(Noise::UnitRate, 6);
        policy.schedule.start = 5.0;
        policy.stop.finish = finish;
        policy.draw.temperature = 0.7;
        policies.push(policy);
    }
    policies
}

/// A canvas and what it borrows. Segments are apart; between them the canvas holds masks that
/// nobody is to touch.
#[derive(Clone, Debug, PartialEq)]
struct Batch {
    tokens: Vec<i32>,
    segments: Vec<Segment>,
    policies: Vec<Policy<'static>>,
    mask: i32,
}

impl Batch {
    /// One segment for each request; a request is the state that its segment starts with, but for
    /// the place on the canvas.
    fn new(network: &Network, requests: &[Segment], gap: u32) -> Self {
        let len = network.space.len as u32;
        let place = |(i, request): (usize, &Segment)| {
            let begin = i as u32 * (len + gap) + gap;
            Segment { begin, end: begin + len, ..*request }
        };
        let segments: Vec<_> = requests.iter().enumerate().map(place).collect();
        let positions = segments.last().map_or(0, |segment| segment.end) + gap;
        let tokens = vec![network.mask; positions as usize];
        Self { tokens, segments, policies: policies(), mask: network.mask }
    }

    fn canvas(&mut self) -> Canvas<'_> {
        Canvas::new(&mut self.tokens, self.mask, &mut self.segments, &self.policies)
            .expect("a valid canvas")
    }

    fn outputs(&self) -> Vec<&[i32]> {
        let range = |s: &Segment| s.begin as usize..s.end as usize;
        self.segments.iter().map(|segment| &self.tokens[range(segment)]).collect()
    }
}

/// `count` requests that differ in every field.
fn requests(count: u32) -> Vec<Segment> {
    let request = |i: u32| Segment {
        seed: u64::from(i / 16),
        stream: u64::from(i) * 0x1_0000_0001,
        policy: i % policies().len() as u32,
        origin: i * 7,
        ..Segment::default()
    };
    (0..count).map(request).collect()
}

fn decoded(mut batch: Batch, sampler: &mut Sampler, network: &Network) -> Batch {
    decode(sampler, network, &mut batch.canvas());
    batch
}

#[test]
fn steps_with_all_rows_do_what_planned_steps_do() {
    for mask in [-1, 4, 1] {
        let network = Network::new(&Target::markov(4, 4), mask);
        let mut planned = Batch::new(&network, &requests(500), 1);
        let mut whole = planned.clone();
        let mut by_kind = planned.clone();
        // By kind, the tokens of masked positions do not matter: only the network sees them.
        let mut kinds = vec![PositionKind::INACTIVE; by_kind.tokens.len()];
        for segment in &by_kind.segments {
            kinds[segment.begin as usize..segment.end as usize].fill(PositionKind::MASKED);
        }
        let (positions, segments) = (planned.tokens.len(), planned.segments.len());
        let mut sampler = sampler(positions, segments);
        let mut plan = Plan::with_capacity(positions, segments);
        let mut index = Vec::new();
        for step in 0.. {
            let mut canvas = planned.canvas();
            sampler.plan(&canvas, &mut plan).expect("it fits");
            network.index_plan(&canvas, &plan, &mut index);
            let report = sampler.step_planned(&mut canvas, &plan, &network.rows(&index));
            let report = report.expect("it fits");

            let mut canvas = whole.canvas();
            network.index_all(&canvas, &mut index);
            let whole_report = sampler.step(&mut canvas, &network.rows(&index)).expect("it fits");
            assert_eq!(whole_report, report, "step {step}");
            assert_eq!(whole, planned, "step {step}");

            let mut canvas = by_kind.canvas().with_kinds(&mut kinds).expect("as many");
            network.index_all(&canvas, &mut index);
            let kind_report = sampler.step(&mut canvas, &network.rows(&index)).expect("it fits");
            assert_eq!(kind_report, report, "step {step}");
            assert_eq!(by_kind, planned, "step {step}");

            if plan.active() == 0 {
                break;
            }
        }
        for (at, kind) in kinds.iter().enumerate() {
            let in_segment =
                planned.segments.iter().any(|s| (s.begin..s.end).contains(&(at as u32)));
            let expected = match (in_segment, planned.tokens[at] == mask) {
                (false, _) => PositionKind::INACTIVE,
                (true, true) => PositionKind::MASKED,
                (true, false) => PositionKind::COMMITTED,
            };
            assert_eq!(*kind, expected, "position {at}");
        }
    }
}

#[test]
fn tokens_do_not_depend_on_the_level() {
    let network = Network::new(&Target::markov(4, 4), -1);
    let batch = Batch::new(&network, &requests(2000), 0);
    let (positions, segments) = (batch.tokens.len(), batch.segments.len());
    let first = decoded(batch.clone(), &mut sampler(positions, segments), &network);
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        let mut sampler =
            Sampler::builder(positions, segments).level(level).build().expect("there");
        assert_eq!(decoded(batch.clone(), &mut sampler, &network), first, "{level}");
    }
}

#[cfg(feature = "threads")]
#[test]
fn tokens_do_not_depend_on_the_threads() {
    // Rows long enough, and enough of them, that the pool is really used: its work starts at a
    // million logits.
    let (vocab, rows) = (4099, 61);
    let logits: Vec<f32> = (0..vocab * rows)
        .map(|i| (exact_law::target::splitmix64(i as u64) >> 40) as f32 / (1u64 << 21) as f32)
        .collect();
    let decode = |threads: usize| {
        let mut tokens = vec![-1; 1024];
        let segment = |i: u32| Segment {
            begin: 32 * i,
            end: 32 * i + 32,
            stream: i.into(),
            policy: i % 2,
            ..Segment::default()
        };
        let mut segments: Vec<_> = (0..32).map(segment).collect();
        let policies = [Policy::random_order(2), Policy::euler(Noise::Linear, 2)];
        let mut sampler = Sampler::builder(1024, 32).threads(threads).build().expect("a pool");
        let mut plan = Plan::with_capacity(1024, 32);
        for _ in 0..2 {
            let mut canvas =
                Canvas::new(&mut tokens, -1, &mut segments, &policies).expect("a valid canvas");
            sampler.plan(&canvas, &mut plan).expect("it fits");
            assert!(plan.rows().len() * vocab > 1 << 20, "enough work for the pool");
            let index: Vec<u32> = plan.rows().iter().map(|&at| at % rows as u32).collect();
            let logits = Logits::new(LogitsData::F32(&logits), rows, vocab, vocab, Some(&index));
            sampler.step_planned(&mut canvas, &plan, &logits.expect("rows")).expect("it fits");
        }
        (tokens, segments)
    };
    let alone = decode(1);
    assert!(alone.0.iter().all(|&token| token >= 0), "all are revealed");
    for threads in [2, 3, 7] {
        assert_eq!(decode(threads), alone, "{threads} threads");
    }
}

#[test]
fn a_segment_does_not_see_the_rest_of_its_batch() {
    let network = Network::new(&Target::markov(4, 4), -1);
    let requests = requests(300);
    let batch = Batch::new(&network, &requests, 0);
    let mut sampler = sampler(batch.tokens.len() * 2, batch.segments.len());
    let together = decoded(batch, &mut sampler, &network);

    for (request, output) in requests.iter().zip(together.outputs()) {
        let alone = Batch::new(&network, core::slice::from_ref(request), 3);
        let alone = decoded(alone, &mut sampler, &network);
        assert_eq!(alone.outputs(), [output], "{request:?}");
        assert_eq!(alone.tokens[..3], [-1; 3], "positions before the segment");
        assert_eq!(alone.tokens[7..], [-1; 3], "positions after the segment");
    }

    let reversed: Vec<_> = requests.iter().rev().copied().collect();
    let reversed = decoded(Batch::new(&network, &reversed, 1), &mut sampler, &network);
    let outputs: Vec<_> = reversed.outputs().into_iter().rev().collect();
    assert_eq!(outputs, together.outputs());
}

#[test]
fn streams_seeds_steps_and_places_in_the_request_give_other_tokens() {
    let network = Network::new(&Target::hash(4, 2), -1);
    let request = Segment { policy: 5, ..Segment::default() };
    let mut sampler = sampler(400, 100);
    let mut distinct = |vary: fn(&mut Segment, u32)| {
        let mut requests = vec![request; 100];
        for (request, i) in requests.iter_mut().zip(0..) {
            vary(request, i);
        }
        let batch = decoded(Batch::new(&network, &requests, 0), &mut sampler, &network);
        batch.outputs().into_iter().collect::<std::collections::HashSet<_>>().len()
    };
    assert_eq!(distinct(|_, _| ()), 1);
    // Of 16 sequences, a hundred random outputs show several.
    assert!(distinct(|request, i| request.stream = i.into()) > 4);
    assert!(distinct(|request, i| request.seed = i.into()) > 4);
    assert!(distinct(|request, i| request.origin = 4 * i) > 4);
    assert!(distinct(|request, i| (request.policy, request.step) = (0, i)) > 4);
}

#[test]
fn windows_of_a_request_draw_what_the_whole_request_draws() {
    // Four independent positions, revealed in one step: as one segment, or as two windows.
    let row = [0.0f32; 7];
    let decode = |windows: &[(u32, u32)]| {
        let mut tokens = [-1; 64];
        let segment = |&(begin, end): &(u32, u32)| Segment {
            begin,
            end,
            seed: 3,
            stream: 9,
            origin: begin,
            ..Segment::default()
        };
        let mut segments: Vec<_> = windows.iter().map(segment).collect();
        let policies = [Policy::random_order(1)];
        let mut canvas =
            Canvas::new(&mut tokens, -1, &mut segments, &policies).expect("a valid canvas");
        let logits = Logits::new(LogitsData::F32(&row), 1, 7, 7, Some(&[0; 64])).expect("rows");
        sampler(64, 4).step(&mut canvas, &logits).expect("it fits");
        tokens
    };
    assert_eq!(decode(&[(0, 64)]), decode(&[(0, 10), (10, 11), (11, 40), (40, 64)]));
}

#[test]
fn planning_again_gives_the_same_plan() {
    let network = Network::new(&Target::hash(4, 2), -1);
    let mut batch = Batch::new(&network, &requests(200), 2);
    let (positions, segments) = (batch.tokens.len(), batch.segments.len());
    let mut sampler = sampler(positions, segments);
    let other = Sampler::builder(1, 1).level(Level::Baseline).build().expect("there");
    let mut plan = Plan::with_capacity(positions, segments);
    let mut again = Plan::with_capacity(positions + 5, segments + 5);
    let mut index = Vec::new();
    loop {
        let before = batch.clone();
        let canvas = batch.canvas();
        sampler.plan(&canvas, &mut plan).expect("it fits");
        for _ in 0..2 {
            other.plan(&canvas, &mut again).expect("it fits");
            assert_eq!(again.rows(), plan.rows());
            assert_eq!(again.offsets(), plan.offsets());
            assert_eq!(again.times(), plan.times());
            assert_eq!(again.active(), plan.active());
        }
        assert_eq!(batch, before, "planning changes nothing");
        if plan.active() == 0 {
            break;
        }
        let mut canvas = batch.canvas();
        network.index_plan(&canvas, &plan, &mut index);
        sampler.step_planned(&mut canvas, &plan, &network.rows(&index)).expect("it fits");
    }
}

#[test]
fn a_plan_names_the_times_of_its_grid_or_of_its_hits() {
    let network = Network::new(&Target::hash(4, 2), -1);
    let mut batch = Batch::new(&network, &requests(110), 0);
    let mut sampler = sampler(batch.tokens.len(), batch.segments.len());
    let mut plan = Plan::with_capacity(batch.tokens.len(), batch.segments.len());
    let mut index = Vec::new();
    let mut log_masked = vec![0.0; batch.segments.len()];
    loop {
        let policies = batch.policies.clone();
        let mut canvas = batch.canvas();
        sampler.plan(&canvas, &mut plan).expect("it fits");
        for (i, segment) in canvas.segments().iter().enumerate() {
            let (policy, time) = (&policies[segment.policy as usize], plan.times()[i]);
            let masks = canvas.masked(segment).count() as u32;
            let schedule = &policy.schedule;
            let expected = match (policy.select, masks) {
                (_, 0) => 0.0,
                (demask::Select::FirstHitting, _) => {
                    // The key's own generator gives the wait for the next hit.
                    let key = Key {
                        seed: segment.seed,
                        stream: segment.stream,
                        step: segment.step,
                        position: 0,
                    };
                    let mut rng = key.generator(Purpose::Hit);
                    log_masked[i] = hitting::next(log_masked[i], masks, &mut rng);
                    assert_eq!(plan.offsets()[i + 1] - plan.offsets()[i], 1);
                    match schedule.noise {
                        Noise::Linear => log_masked[i].exp(),
                        Noise::Cosine => {
                            (-log_masked[i].exp_m1()).acos() * core::f64::consts::FRAC_2_PI
                        }
                        _ => -(-log_masked[i].exp_m1()).ln(),
                    }
                }
                _ if segment.step >= schedule.steps => 0.0,
                _ => {
                    schedule.start * f64::from(schedule.steps - segment.step)
                        / f64::from(schedule.steps)
                }
            };
            assert!((time - expected).abs() <= 1e-12 * expected, "{segment:?}: {time}, {expected}");
        }
        if plan.active() == 0 {
            break;
        }
        network.index_plan(&canvas, &plan, &mut index);
        sampler.step_planned(&mut canvas, &plan, &network.rows(&index)).expect("it fits");
        let steps: Vec<f64> = batch.segments.iter().map(|segment| segment.log_masked).collect();
        assert_eq!(steps, log_masked);
    }
}

#[test]
fn a_refused_call_changes_nothing() {
    let network = Network::new(&Target::hash(4, 2), -1);
    let mut batch = Batch::new(&network, &requests(22), 1);
    let (positions, segments) = (batch.tokens.len(), batch.segments.len());
    let mut sampler = sampler(positions, segments);
    let mut plan = Plan::with_capacity(positions, segments);
    // A plan of the state before.
    let mut canvas = batch.canvas();
    sampler.plan(&canvas, &mut plan).expect("it fits");
    let mut index = Vec::new();
    network.index_plan(&canvas, &plan, &mut index);
    let logits = network.rows(&index);
    sampler.step_planned(&mut canvas, &plan, &logits).expect("it fits");
    let before = batch.clone();
    let refused = |batch: &mut Batch, result: Result<demask::StepReport, demask::Error>| {
        assert!(result.is_err(), "not refused");
        assert_eq!(*batch, before, "changed by a refused call");
    };
    let result = sampler.step_planned(&mut batch.canvas(), &plan, &logits);
    refused(&mut batch, result);

    // A fresh plan, with too few rows and too many.
    sampler.plan(&batch.canvas(), &mut plan).expect("it fits");
    network.index_plan(&batch.canvas(), &plan, &mut index);
    let result = sampler.step_planned(&mut batch.canvas(), &plan, &network.rows(&index[1..]));
    refused(&mut batch, result);
    index.push(0);
    let result = sampler.step_planned(&mut batch.canvas(), &plan, &network.rows(&index));
    refused(&mut batch, result);
    index.pop();
    let result = sampler.step_planned(&mut batch.canvas(), &plan, &Logits::none());
    refused(&mut batch, result);

    // The plan of another canvas: other segments, or the same elsewhere.
    let mut fewer = Batch::new(&network, &requests(21), 1);
    let mut elsewhere = Batch::new(&network, &requests(22), 2);
    for other in [&mut fewer, &mut elsewhere] {
        let mut plan = Plan::with_capacity(200, segments);
        sampler.plan(&other.canvas(), &mut plan).expect("it fits");
        let index = vec![0; plan.rows().len()];
        let result = sampler.step_planned(&mut batch.canvas(), &plan, &network.rows(&index));
        refused(&mut batch, result);
    }
    let never_filled = Plan::with_capacity(positions, segments);
    let result = sampler.step_planned(&mut batch.canvas(), &never_filled, &Logits::none());
    refused(&mut batch, result);

    // All rows, but not as many as there are positions.
    let result = sampler.step(&mut batch.canvas(), &network.rows(&vec![0; positions - 1]));
    refused(&mut batch, result);

    // A sampler that is too small, and a plan that is.
    let mut small = Sampler::builder(3, segments).build().expect("there");
    let result = small.step_planned(&mut batch.canvas(), &plan, &network.rows(&index));
    refused(&mut batch, result);
    let all = vec![0; positions];
    let result = small.step(&mut batch.canvas(), &network.rows(&all));
    refused(&mut batch, result);
    for (positions, segments) in [(positions - 30, segments), (positions, segments - 1)] {
        let mut small = Plan::with_capacity(positions, segments);
        assert!(sampler.plan(&batch.canvas(), &mut small).is_err(), "a plan that is too small");
        assert_eq!(batch, before);
    }

    // The sampler and the plan are still good.
    let report = sampler.step_planned(&mut batch.canvas(), &plan, &network.rows(&index));
    assert_eq!(report.expect("it fits").revealed, index.len());
}

/// A plan is a choice for one step. Made again, the step would skip what the next plan chooses,
/// and the law of the output would be another one; it does not matter whether rows are named.
#[test]
fn a_plan_is_good_for_one_step() {
    let network = Network::new(&Target::hash(4, 2), -1);
    for stream in 0..50 {
        // Euler with five steps: the first names no row at all for two fifths of the streams.
        let request = Segment { policy: 3, stream, ..Segment::default() };
        let mut batch = Batch::new(&network, &[request], 0);
        let mut sampler = sampler(4, 1);
        let mut plan = Plan::with_capacity(4, 1);
        let mut index = Vec::new();
        let mut canvas = batch.canvas();
        sampler.plan(&canvas, &mut plan).expect("it fits");
        network.index_plan(&canvas, &plan, &mut index);
        sampler.step_planned(&mut canvas, &plan, &network.rows(&index)).expect("it fits");
        let again = sampler.step_planned(&mut canvas, &plan, &network.rows(&index));
        assert!(again.is_err(), "a plan of {} rows was used twice: {again:?}", index.len());
    }
}
