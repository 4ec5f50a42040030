//! The rules of `schedule` and `select` beyond those of `sampler_laws`: every one has its exact law,
//! on targets with and without structure, and only the key decides what comes out.
//!
//! *False positives.* As in `sampler_laws`: seeds are fixed. Had they been drawn at random, a correct
//! sampler would fail a G-test with probability 1e-6, and its total variation would be five
//! deviations above the expected noise with probability 2e-4 or less: for one of the 100 comparisons
//! here, 2e-2.

mod exact_law;
mod perfect_network;

use demask::policy::Schedule;
use demask::schedule::sizes::{MarkovSizes, SystematicSizes, Weight};
use demask::{
    Canvas, Finish, Grid, Key, Level, Logits, LogitsData, MultiJump, Noise, Plan, Policy, Sampler,
    Segment, Select, Sizes, TimeGrid, Transition,
};
use exact_law::stepping::{self, Trapezoid, all_masked, extrapolated_pairs, independent_step};
use exact_law::{
    CompositionLaws, Denoiser, Leftover, Rule, Target, Weights, decaying_grid,
    reveal_probabilities, uniform_grid,
};
use perfect_network::{Network, Seen, decode, histogram, sampler, state_histogram};

const OUTPUTS: u64 = 400_000;

fn targets() -> Vec<(&'static str, Target)> {
    vec![
        ("HASH", Target::hash(4, 2)),
        ("MARKOV", Target::markov(4, 4)),
        ("REP", Target::repeated(4, 3)),
        ("PAIRS", Target::pairs(4, 3)),
        ("PARITY", Target::parity(4, 3)),
        ("PRIV", Target::private_bits(3)),
    ]
}

/// Compares counts with a law.
fn assert_counts(name: &str, counts: &[u64], law: &[f64]) {
    assert!((law.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{name}: not a law");
    assert_eq!(counts.iter().sum::<u64>(), OUTPUTS);
    let found = exact_law::frequencies(counts);
    let noise = exact_law::expected_noise(law, OUTPUTS);
    let slack = 5.0 * exact_law::noise_deviation(law, OUTPUTS);
    let apart = exact_law::total_variation(&found, law);
    let p = exact_law::g_test(counts, law);
    println!("{name}: TV {apart:.6}, by chance {noise:.6}, p = {p:.4}");
    assert!(apart < noise + slack, "{name}: TV {apart}, expected {noise} by chance");
    assert!(p > 1e-6, "{name}: G-test p = {p}");
}

/// A rule whose steps reveal all masked positions with one probability.
struct GridRule {
    name: &'static str,
    policy: Policy<'static>,
    rule: Rule,
    noise: exact_law::Noise,
    times: Vec<f64>,
}

/// Every transition, on every kind of grid.
fn grid_rules() -> Vec<GridRule> {
    use exact_law::Noise::{Cosine, Linear, UnitRate};
    let mut rules = Vec::new();
    let mut push = |name, policy: Policy<'static>, rule, noise, times| {
        rules.push(GridRule { name, policy, rule, noise, times });
    };
    push(
        "ancestral",
        Policy::ancestral(Noise::Cosine, 6),
        Rule::Ancestral,
        Cosine,
        uniform_grid(1.0, 6),
    );
    push("Euler", Policy::euler(Noise::Linear, 3), Rule::Euler, Linear, uniform_grid(1.0, 3));
    let mut reject = Policy::tau_leaping(Noise::Linear, 5);
    reject.schedule.transition = Transition::TauLeaping(MultiJump::Reject);
    push("tau, reject", reject, Rule::TauReject, Linear, uniform_grid(1.0, 5));
    let mut first = Policy::tau_leaping(Noise::Cosine, 5);
    first.stop.finish = Finish::Sample;
    push("tau, first jump", first, Rule::TauFirstJump, Cosine, uniform_grid(1.0, 5));

    // Unit rate: T = 8, uniform to 0 and decaying to 1e-3.
    let unit = |policy: Policy<'static>, start| {
        let mut policy = policy;
        policy.schedule.start = start;
        policy
    };
    let ancestral = unit(Policy::ancestral(Noise::UnitRate, 16), 8.0);
    push("ancestral", ancestral, Rule::Ancestral, UnitRate, uniform_grid(8.0, 16));
    let tau = unit(Policy::tau_leaping(Noise::UnitRate, 16), 8.0);
    push("tau, first jump", tau, Rule::TauFirstJump, UnitRate, uniform_grid(8.0, 16));
    for (name, policy, rule) in [
        ("Euler, decaying", Policy::euler(Noise::UnitRate, 12), Rule::Euler),
        ("ancestral, decaying", Policy::ancestral(Noise::UnitRate, 12), Rule::Ancestral),
    ] {
        let policy = policy.on_decaying_grid(8.0, 1e-3).expect("a grid");
        let Grid::Decaying { fraction } = policy.schedule.grid else {
            panic!("a decaying grid");
        };
        let times = decaying_grid(8.0, fraction, 12);
        assert!((times[12] - 1e-3).abs() < 1e-12, "{}", times[12]);
        push(name, policy, rule, UnitRate, times);
    }
    rules
}

impl GridRule {
    fn law(&self, target: &Target) -> Vec<f64> {
        let reveal = reveal_probabilities(self.noise, self.rule, &self.times);
        let weights = Weights::independent(target.space().len, &reveal);
        let leftover = match self.policy.stop.finish {
            Finish::None => Leftover::Masked,
            Finish::Sample => Leftover::Sampled,
            Finish::Argmax => Leftover::MostLikely,
        };
        CompositionLaws::new(target).output(&weights, leftover)
    }
}

#[test]
fn transitions_on_all_grids_have_their_laws() {
    let mut seed = 100;
    for (target_name, target) in targets() {
        let network = Network::new(&target, -1);
        for rule in grid_rules() {
            seed += 1;
            let name = format!("{}, {:?}, {target_name}", rule.name, rule.noise);
            let counts = histogram(rule.policy, &network, seed, OUTPUTS);
            assert_counts(&name, &counts, &rule.law(&target));
        }
    }
}

/// The same law by one number a position as by new ones at every step.
#[test]
fn predrawn_hits_have_the_law_of_their_rule() {
    let mut seed = 200;
    for (target_name, target) in targets().into_iter().take(2) {
        let network = Network::new(&target, -1);
        for mut rule in grid_rules() {
            seed += 1;
            rule.policy.select = Select::PredrawnBernoulli;
            let name = format!("{}, pre-drawn, {:?}, {target_name}", rule.name, rule.noise);
            let counts = histogram(rule.policy, &network, seed, OUTPUTS);
            assert_counts(&name, &counts, &rule.law(&target));
        }
    }
}

#[test]
fn times_of_the_caller_have_their_law() {
    let times = [0.9, 0.85, 0.3, 0.29, 0.0];
    let grid = TimeGrid::new(&times).expect("a grid");
    let target = Target::markov(4, 4);
    let policy = Policy::ancestral(Noise::Cosine, 1).on_times(&grid);
    assert!(policy.check().is_ok());
    let counts = histogram(policy, &Network::new(&target, -1), 300, OUTPUTS);
    let reveal = reveal_probabilities(exact_law::Noise::Cosine, Rule::Ancestral, &times);
    let law =
        CompositionLaws::new(&target).output(&Weights::independent(4, &reveal), Leftover::Masked);
    assert_counts("times of the caller", &counts, &law);
}

/// Several hits a call, whichever way they are drawn, are groups of fixed sizes.
#[test]
fn parallel_hits_have_the_law_of_their_sizes() {
    let mut seed = 400;
    for (target_name, target) in targets() {
        let network = Network::new(&target, -1);
        let laws = CompositionLaws::new(&target);
        let len = target.space().len;
        for (steps, sizes) in [(1, vec![len]), (2, vec![len - 2, 2]), (0, vec![1; len])] {
            let sizes = if steps == 2 { vec![len.div_ceil(2), len / 2] } else { sizes };
            let law = laws.output(&Weights::sizes(len, &sizes), Leftover::Masked);
            for select in [Select::FirstHitting, Select::PredrawnFirstHitting] {
                if steps == 0 && select == Select::FirstHitting {
                    continue;
                }
                seed += 1;
                let mut policy = Policy::first_hitting_parallel(Noise::Cosine, steps);
                policy.select = select;
                let counts = histogram(policy, &network, seed, OUTPUTS);
                assert_counts(&format!("{select:?}, {sizes:?}, {target_name}"), &counts, &law);
            }
        }
    }
}

/// A score network with errors: every position has a probability of its own.
#[test]
fn scores_decide_with_the_probability_of_their_row() {
    let factor =
        |state: usize, position: usize| 0.6 + ((7 * state + 3 * position) % 5) as f64 / 5.0;
    let rules = [
        (Transition::Euler, Rule::Euler),
        (Transition::Ancestral, Rule::Ancestral),
        (Transition::TauLeaping(MultiJump::First), Rule::TauFirstJump),
        (Transition::TauLeaping(MultiJump::Reject), Rule::TauReject),
    ];
    let noises = [
        (Noise::Linear, exact_law::Noise::Linear, 0.9),
        (Noise::UnitRate, exact_law::Noise::UnitRate, 4.0),
    ];
    let mut seed = 500;
    for (target_name, target) in [("HASH", Target::hash(4, 2)), ("PAIRS", Target::pairs(4, 3))] {
        let space = target.space();
        for (noise, exact_noise, start) in noises {
            for (transition, rule) in rules {
                seed += 1;
                let mut policy = Policy::euler_score(noise, 5);
                policy.schedule.transition = transition;
                policy.schedule.start = start;
                let times = uniform_grid(start, 5);
                let law = times.windows(2).fold(all_masked(space), |law, step| {
                    let (t, s) = (step[0], step[1]);
                    let jumps = match rule {
                        Rule::Ancestral => 1.0 - exact_noise.masked(s) / exact_noise.masked(t),
                        _ => (t - s) * exact_noise.rate(t),
                    };
                    independent_step(space, &law, |state, position, tokens| {
                        let jumps = jumps * factor(state, position);
                        let p = match rule {
                            Rule::Euler | Rule::Ancestral => jumps.min(1.0),
                            Rule::TauFirstJump => -(-jumps).exp_m1(),
                            Rule::TauReject => jumps * (-jumps).exp(),
                        };
                        target.predict(state, position, tokens);
                        tokens.iter_mut().for_each(|token| *token *= p);
                    })
                });
                let network = Network::scores(&target, noise, factor);
                let counts = state_histogram(policy, &network, seed, OUTPUTS);
                let name = format!("scores, {transition:?}, {noise:?}, {target_name}");
                assert_counts(&name, &counts, &law);
            }
        }
    }
    // Exact scores are a denoiser: the Tweedie rule is ancestral sampling.
    let target = Target::markov(4, 4);
    let network = Network::scores(&target, Noise::Cosine, |_, _| 1.0);
    let policy = Policy::tweedie(Noise::Cosine, 4);
    let times = uniform_grid(0.999, 4);
    let reveal = reveal_probabilities(exact_law::Noise::Cosine, Rule::Ancestral, &times);
    let law =
        CompositionLaws::new(&target).output(&Weights::independent(4, &reveal), Leftover::Masked);
    assert_counts("Tweedie", &histogram(policy, &network, 550, OUTPUTS), &law);
}

#[test]
fn trapezoids_have_their_laws() {
    let mut seed = 600;
    let cases = [
        (0.5, MultiJump::First, stepping::MultiJump::First, 2),
        (0.5, MultiJump::Reject, stepping::MultiJump::Reject, 2),
        (0.3, MultiJump::First, stepping::MultiJump::First, 3),
    ];
    for (target_name, target) in targets() {
        let network = Network::new(&target, -1);
        let space = target.space();
        for (theta, multi_jump, exact_jump, steps) in cases {
            seed += 1;
            // 1 − α from 1 to 0.25 under the linear schedule, or e^−t from 4 to 0.5.
            let linear = seed % 2 == 0;
            let (noise, exact_noise, start, end) = match linear {
                true => (Noise::Linear, exact_law::Noise::Linear, 1.0, 0.25),
                false => (Noise::UnitRate, exact_law::Noise::UnitRate, 4.0, 0.5),
            };
            let mut policy = Policy::theta_trapezoidal(noise, theta, steps);
            policy.schedule = Schedule {
                start,
                end,
                transition: Transition::Trapezoidal { theta, multi_jump },
                ..policy.schedule
            };
            let width = (start - end) / f64::from(steps);
            let law = (0..steps).fold(all_masked(space), |law, step| {
                let t = start - width * f64::from(step);
                let (now, between) = (exact_noise.rate(t), exact_noise.rate(t - theta * width));
                Trapezoid { theta, multi_jump: exact_jump, width, now, between }.step(&target, &law)
            });
            let counts = state_histogram(policy, &network, seed, OUTPUTS);
            let name = format!("θ = {theta}, {multi_jump:?}, {noise:?}, {target_name}");
            assert_counts(&name, &counts, &law);
        }
    }
}

#[test]
fn extrapolated_hits_have_their_law() {
    for (seed, (target_name, target)) in targets().into_iter().enumerate() {
        if target.space().len != 4 {
            continue;
        }
        let network = Network::new(&target, -1);
        let law = extrapolated_pairs(&target, 8_000);
        for select in [Select::FirstHitting, Select::PredrawnFirstHitting] {
            let mut policy = Policy::first_hitting_extrapolated(Noise::Linear, 2);
            policy.select = select;
            let counts = state_histogram(policy, &network, 700 + seed as u64, OUTPUTS);
            assert_counts(&format!("extrapolated, {select:?}, {target_name}"), &counts, &law);
        }
    }
}

/// Random sizes: the law is that of the lists of sizes that the streams' keys draw.
#[test]
fn random_sizes_have_the_law_of_their_lists() {
    let markov = MarkovSizes::tc(6, 3).expect("a table");
    let systematic = SystematicSizes::new(4, 3, Weight::DualTotalCorrelation).expect("a table");
    let policies = [
        ("TC", Policy::tc_adaptive(&markov)),
        ("DTC", Policy::dtc_adaptive(&markov)),
        ("systematic", {
            let mut policy = Policy::first_hitting_parallel(Noise::Cosine, 3);
            policy.schedule.sizes = Sizes::Systematic(&systematic);
            policy
        }),
    ];
    let mut seed = 800;
    for (target_name, target) in targets().into_iter().take(2) {
        let network = Network::new(&target, -1);
        let laws = CompositionLaws::new(&target);
        for (name, policy) in policies {
            seed += 1;
            let mut lists = std::collections::BTreeMap::<[u32; 3], u64>::new();
            for stream in 0..OUTPUTS {
                let mut sizes = [0; 3];
                let key = Key { seed, stream, ..Key::default() };
                policy.schedule.sizes.draw_all(4, key, &mut sizes).expect("it serves");
                *lists.entry(sizes).or_default() += 1;
            }
            assert!(lists.len() > 2, "{name}: {lists:?}");
            let mut law = vec![0.0; target.space().sequences() + 1];
            for (sizes, count) in lists {
                let sizes = sizes.map(|size| size as usize);
                let one = laws.output(&Weights::sizes(4, &sizes), Leftover::Masked);
                for (law, one) in law.iter_mut().zip(one) {
                    *law += one * count as f64 / OUTPUTS as f64;
                }
            }
            let counts = histogram(policy, &network, seed, OUTPUTS);
            assert_counts(&format!("{name} sizes, {target_name}"), &counts, &law);
        }
    }
}

/// A table for other segments is refused by name.
#[test]
fn sizes_that_do_not_serve_are_refused() {
    let table = MarkovSizes::tc(3, 2).expect("a table");
    let policies = [Policy::tc_adaptive(&table)];
    let (mut tokens, mut segments) = ([-1; 4], [Segment { end: 4, ..Segment::default() }]);
    let canvas = Canvas::new(&mut tokens, -1, &mut segments, &policies).expect("a canvas");
    let mut plan = Plan::with_capacity(4, 1);
    let error = sampler(4, 1).plan(&canvas, &mut plan).expect_err("four masks");
    assert!(error.to_string().starts_with("segment masks is 4"), "{error}");
}

/// Policies of every rule, for canvases that mix them.
fn policies() -> Vec<Policy<'static>> {
    let mut policies: Vec<_> = grid_rules().into_iter().map(|rule| rule.policy).collect();
    for index in [0, 6] {
        policies.push(Policy { select: Select::PredrawnBernoulli, ..policies[index] });
    }
    policies.extend([
        Policy::first_hitting_parallel(Noise::Linear, 2),
        Policy::first_hitting_parallel(Noise::Cosine, 3),
        Policy::first_hitting_extrapolated(Noise::Linear, 2),
        Policy::first_hitting_extrapolated(Noise::UnitRate, 3),
        Policy { select: Select::PredrawnFirstHitting, ..Policy::first_hitting(Noise::Cosine) },
        Policy {
            select: Select::PredrawnFirstHitting,
            ..Policy::first_hitting_extrapolated(Noise::Linear, 2)
        },
        Policy::euler_score(Noise::Linear, 4),
        Policy::tweedie(Noise::Cosine, 5),
        Policy::theta_trapezoidal(Noise::Linear, 0.5, 3),
        Policy::theta_trapezoidal(Noise::Cosine, 0.3, 2),
    ]);
    let last = policies.len() - 1;
    policies[last].stop.finish = Finish::Sample;
    // Where the scores of this network, which sum to 1, decide.
    for policy in &mut policies[last - 3..last - 1] {
        policy.schedule.start = 0.5;
    }
    policies[last - 1].draw.temperature = 0.8;
    policies
}

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

/// Decodes requests on one canvas; returns the tokens and the state of the segments.
fn decoded(
    sampler: &mut Sampler,
    network: &Network,
    requests: &[Segment],
    gap: u32,
) -> (Vec<i32>, Vec<Segment>) {
    let (mut tokens, mut segments) = canvas_of(network, requests, gap);
    let policies = policies();
    let mut canvas =
        Canvas::new(&mut tokens, network.mask, &mut segments, &policies).expect("a canvas");
    decode(sampler, network, &mut canvas);
    (tokens, segments)
}

fn canvas_of(network: &Network, requests: &[Segment], gap: u32) -> (Vec<i32>, Vec<Segment>) {
    let len = network.space.len as u32;
    let place = |(i, request): (usize, &Segment)| {
        let begin = i as u32 * (len + gap) + gap;
        Segment { begin, end: begin + len, ..*request }
    };
    let segments: Vec<_> = requests.iter().enumerate().map(place).collect();
    let positions = segments.last().map_or(0, |segment| segment.end) + gap;
    (vec![network.mask; positions as usize], segments)
}

fn outputs(tokens: &[i32], segments: &[Segment]) -> Vec<Vec<i32>> {
    let range = |s: &Segment| s.begin as usize..s.end as usize;
    segments.iter().map(|segment| tokens[range(segment)].to_vec()).collect()
}

#[test]
fn only_the_key_decides() {
    let network = Network::new(&Target::markov(4, 4), -1);
    let requests = requests(600);
    let mut sampler = sampler(6_000, 600);
    let (tokens, segments) = decoded(&mut sampler, &network, &requests, 0);
    let together = outputs(&tokens, &segments);
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        let mut sampler = Sampler::builder(6_000, 600).level(level).build().expect("there");
        let other = decoded(&mut sampler, &network, &requests, 0);
        assert_eq!(other, (tokens.clone(), segments.clone()), "{level}");
    }
    for (request, output) in requests.iter().zip(&together) {
        let (tokens, segments) = decoded(&mut sampler, &network, &[*request], 3);
        assert_eq!(&outputs(&tokens, &segments)[0], output, "{request:?} alone");
        assert_eq!((&tokens[..3], &tokens[7..]), (&[-1; 3][..], &[-1; 3][..]));
    }
    let reversed: Vec<_> = requests.iter().rev().copied().collect();
    let (tokens, segments) = decoded(&mut sampler, &network, &reversed, 1);
    let outputs: Vec<_> = outputs(&tokens, &segments).into_iter().rev().collect();
    assert_eq!(outputs, together, "in another order");
}

/// The tokens of every policy are frozen: a change of any number here changes the tokens of users, and
/// belongs into the changelog as value-breaking.
#[test]
fn tokens_are_frozen() {
    let network = Network::new(&Target::markov(4, 4), -1);
    let mut sampler = sampler(1_000, 100);
    let hashes: Vec<u64> = (0..policies().len() as u32)
        .map(|policy| {
            let request = |i: u32| Segment {
                seed: 2_024,
                stream: i.into(),
                policy,
                origin: 3 * i,
                ..Segment::default()
            };
            let requests: Vec<_> = (0..100).map(request).collect();
            let (tokens, _) = decoded(&mut sampler, &network, &requests, 0);
            // FNV-1a.
            tokens.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &token| {
                (hash ^ token.cast_unsigned() as u64).wrapping_mul(0x0100_0000_01B3)
            })
        })
        .collect();
    assert_eq!(hashes, FROZEN, "{hashes:#x?}");
}

/// In the order of `policies`.
const FROZEN: [u64; 20] = [
    0xf5bb_8c78_c09c_2682,
    0x82cd_7438_c572_60b2,
    0xa66c_1efb_9a3f_cad7,
    0xd42f_2df8_6aba_6f3f,
    0xf074_7450_68ad_837d,
    0xfd82_ae9e_141c_5d4b,
    0x9242_82f1_c876_ce19,
    0xeed3_ea22_4766_9674,
    0x2b53_e1c3_6593_02ba,
    0x491f_1f0a_6c4b_6bee,
    0x985b_f689_6e3c_bb67,
    0x8b08_11de_a749_6377,
    0x2282_9821_98eb_f267,
    0x8b08_11de_a749_6377,
    0x598d_f8e1_2edf_169c,
    0xb0f2_ca63_b0ea_2c27,
    0xdfde_c5a5_d010_cbcc,
    0xaf7f_f0f6_29c0_29e8,
    0x4057_8c73_fec7_2593,
    0x6834_2148_da06_0d36,
];

#[test]
fn steps_with_all_rows_do_what_planned_steps_do() {
    for mask in [-1, 4, 1] {
        let network = Network::new(&Target::markov(4, 4), mask);
        let requests = requests(300);
        let (mut planned, mut planned_segments) = canvas_of(&network, &requests, 1);
        let (mut whole, mut whole_segments) = canvas_of(&network, &requests, 1);
        let policies = policies();
        let mut sampler = sampler(planned.len(), 300);
        let mut plan = Plan::with_capacity(planned.len(), 300);
        let (mut index, mut earlier) = (Vec::new(), Vec::new());
        let mut seen = Seen::new(300);
        loop {
            let mut canvas =
                Canvas::new(&mut planned, mask, &mut planned_segments, &policies).expect("ok");
            sampler.plan(&canvas, &mut plan).expect("it fits");
            network.index_plan(&canvas, &plan, &mut index);
            seen.index_plan(&network, &canvas, &plan, &mut earlier);
            let logits = network.rows(&index);
            let logits = logits.with_earlier(&network.rows(&earlier)).expect("as many rows");

            let mut all =
                Canvas::new(&mut whole, mask, &mut whole_segments, &policies).expect("ok");
            let (mut all_index, mut all_earlier) = (Vec::new(), Vec::new());
            network.index_all(&all, &mut all_index);
            seen.index_all(&network, &all, &mut all_earlier);
            seen.note(&network, &all, &plan);
            let all_logits = network.rows(&all_index);
            let all_logits =
                all_logits.with_earlier(&network.rows(&all_earlier)).expect("as many rows");

            let report = sampler.step_planned(&mut canvas, &plan, &logits).expect("it fits");
            let drawn = sampler.drawn().to_vec();
            let other = sampler.step(&mut all, &all_logits).expect("it fits");
            assert_eq!(other, report);
            assert_eq!(sampler.drawn(), drawn);
            assert_eq!((&whole, &whole_segments), (&planned, &planned_segments));
            if plan.active() == 0 {
                break;
            }
        }
    }
}

/// A plan says when it reads an earlier output; without one the step is refused and changes nothing.
#[test]
fn a_missing_earlier_output_is_refused() {
    let policies = [Policy::theta_trapezoidal(Noise::Linear, 0.5, 2)];
    let mut sampler = sampler(4, 1);
    let mut plan = Plan::with_capacity(4, 1);
    let (mut tokens, mut segments) = (vec![-1; 4], vec![Segment { end: 4, ..Segment::default() }]);
    let row = [0.0f32; 3];
    for step in 0..4 {
        let mut canvas = Canvas::new(&mut tokens, -1, &mut segments, &policies).expect("a canvas");
        sampler.plan(&canvas, &mut plan).expect("it fits");
        if plan.active() == 0 {
            break;
        }
        let index = vec![0; plan.rows().len()];
        let logits = Logits::new(LogitsData::F32(&row), 1, 3, 3, Some(&index)).expect("rows");
        assert_eq!(plan.reads_earlier(0), step % 2 == 1);
        if plan.reads_earlier(0) {
            let before = canvas.segments().to_vec();
            let error = sampler.step_planned(&mut canvas, &plan, &logits).expect_err("refused");
            assert!(error.to_string().starts_with("earlier rows is 0"), "{error}");
            assert!(sampler.step(&mut canvas, &logits).is_err());
            assert_eq!(canvas.segments(), before);
        }
        let logits = logits.with_earlier(&logits).expect("as many");
        sampler.step_planned(&mut canvas, &plan, &logits).expect("it fits");
    }
    let logits = Logits::f32(&row, 1, 3).expect("a row");
    assert!(logits.with_earlier(&Logits::f32(&row[..2], 1, 2).expect("a row")).is_err());
    assert!(logits.with_earlier(&logits.with_earlier(&logits).expect("as many")).is_err());
}

/// A row that is bad reveals nothing, so the clock of its segment stands still; a pre-drawn hit is
/// passed over and comes again when nothing else is left.
#[test]
fn bad_rows_do_not_move_the_clock() {
    let bad = [f32::NAN; 2];
    let good = [0.0f32; 2];
    for select in [Select::FirstHitting, Select::PredrawnFirstHitting] {
        let policies = [Policy { select, ..Policy::first_hitting(Noise::Linear) }];
        let mut sampler = sampler(6, 1);
        let mut plan = Plan::with_capacity(6, 1);
        let (mut tokens, mut segments) =
            (vec![-1; 6], vec![Segment { end: 6, ..Segment::default() }]);
        let mut bad_at = None;
        let mut order = Vec::new();
        loop {
            let mut canvas =
                Canvas::new(&mut tokens, -1, &mut segments, &policies).expect("a canvas");
            sampler.plan(&canvas, &mut plan).expect("it fits");
            if plan.active() == 0 {
                break;
            }
            let at = plan.rows()[0];
            order.push(at);
            let before = canvas.segments()[0].log_masked;
            // The first position that is hit is bad at its first time.
            let is_bad = bad_at.is_none();
            let row = if is_bad { &bad } else { &good };
            bad_at = bad_at.or(Some(at));
            let report =
                sampler.step_planned(&mut canvas, &plan, &Logits::f32(row, 1, 2).expect("a row"));
            assert_eq!(report.expect("it fits").bad_rows, usize::from(is_bad));
            let after = canvas.segments()[0].log_masked;
            match select {
                Select::FirstHitting => assert_eq!(after == before, is_bad),
                _ => assert!(after < before || order.len() == 7),
            }
        }
        assert_eq!(order.len(), 7);
        if select == Select::PredrawnFirstHitting {
            assert_eq!((order[0], order[6]), (order[6], order[0]), "{order:?}");
        }
        assert_eq!(segments[0].initial_masks, 6);
    }
}
