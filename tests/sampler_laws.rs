//! The sampler's output has the exact law of its decoding rule.
//!
//! The network is replaced by the exact conditionals of a small target, so the law of the output
//! is known to f64 precision: not only in the limit of many steps, but the law with all the
//! errors that the rule itself makes. A million outputs are compared with it.
//!
//! *False positives.* All seeds are fixed, so the outcome never changes from run to run. Had the
//! seeds been drawn at random, a correct sampler would fail one of the G-tests here with
//! probability 3e-5 (30 tests at 1e-6), and a bound of 1.5 times the expected total variation
//! with probability TVRATE for HASH (of which few outcomes carry the law) and 1e-9 for MARKOV.

mod exact_law;

use demask::{
    Canvas, Finish, Key, Level, Logits, LogitsData, Noise, Plan, Policy, PositionKind, Sampler,
    Segment,
};
use exact_law::{CompositionLaws, Denoiser, Leftover, Rule, Space, Target, Weights};
use exact_law::{expected_noise, g_test, reveal_probabilities, total_variation, uniform_grid};

const OUTPUTS: u64 = 1_000_000;

/// Segments in one canvas.
const BATCH: u32 = 4000;

/// A mask token outside of the vocabulary.
const MASK: i32 = -1;

/// A perfect network: for each state and masked position, the logits ln P(token | state). Rows of
/// positions that are not masked are NaN, for nobody is to read them.
struct Network {
    space: Space,
    logits: Vec<f32>,
}

impl Network {
    fn new(target: &Target) -> Self {
        let space = target.space();
        let mut logits = vec![f32::NAN; space.states() * space.len * space.vocab];
        let mut prediction = vec![0.0; space.vocab];
        for (row, logits) in logits.chunks_exact_mut(space.vocab).enumerate() {
            let (state, position) = (row / space.len, row % space.len);
            if space.is_masked(state, position) {
                target.predict(state, position, &mut prediction);
                for (logit, p) in logits.iter_mut().zip(&prediction) {
                    *logit = p.ln() as f32;
                }
            }
        }
        Self { space, logits }
    }

    /// The state of the tokens of a segment.
    fn state(&self, tokens: &[i32]) -> usize {
        let digit = |&token: &i32| usize::try_from(token).unwrap_or(self.space.vocab);
        self.space.state(tokens.iter().map(digit))
    }

    /// The physical row of canvas position `at`.
    fn row(&self, canvas: &Canvas<'_>, segment: &Segment, at: u32) -> u32 {
        let state = self.state(&canvas.tokens()[segment.begin as usize..segment.end as usize]);
        (state * self.space.len) as u32 + at - segment.begin
    }

    /// The logits of the rows that `index` names.
    fn rows<'a>(&'a self, index: &'a [u32]) -> Logits<'a> {
        let vocab = self.space.vocab;
        let rows = self.logits.len() / vocab;
        Logits::new(LogitsData::F32(&self.logits), rows, vocab, vocab, Some(index))
            .expect("the index is within the table")
    }

    /// Which row each row of `plan` is.
    fn index_plan(&self, canvas: &Canvas<'_>, plan: &Plan, index: &mut Vec<u32>) {
        index.clear();
        for (segment, ends) in canvas.segments().iter().zip(plan.offsets().windows(2)) {
            let rows = &plan.rows()[ends[0] as usize..ends[1] as usize];
            index.extend(rows.iter().map(|&at| self.row(canvas, segment, at)));
        }
    }

    /// Which row each position of the canvas is.
    fn index_all(&self, canvas: &Canvas<'_>, index: &mut Vec<u32>) {
        index.clear();
        for segment in canvas.segments() {
            index.extend((segment.begin..segment.end).map(|at| self.row(canvas, segment, at)));
        }
    }
}

/// Segments of `len` positions, one after the other, with streams from `first_stream` on.
fn segments(count: u32, len: u32, seed: u64, first_stream: u64) -> Vec<Segment> {
    let segment = |i: u32| Segment {
        begin: i * len,
        end: (i + 1) * len,
        seed,
        stream: first_stream + u64::from(i),
        ..Segment::default()
    };
    (0..count).map(segment).collect()
}

/// Decodes a canvas to its end by plans.
fn decode(sampler: &mut Sampler, network: &Network, canvas: &mut Canvas<'_>) {
    let positions = canvas.tokens().len();
    let mut plan = Plan::with_capacity(positions, canvas.segments().len());
    let mut index = Vec::with_capacity(positions);
    loop {
        sampler.plan(canvas, &mut plan).expect("the canvas fits");
        if plan.active() == 0 {
            return;
        }
        network.index_plan(canvas, &plan, &mut index);
        let report = sampler.step_planned(canvas, &plan, &network.rows(&index)).expect("it fits");
        assert_eq!((report.revealed, report.bad_rows), (index.len(), 0));
    }
}

/// How often each sequence comes out; the last count is of outputs that still hold a mask.
fn histogram(policy: Policy, network: &Network, seed: u64) -> Vec<u64> {
    let space = network.space;
    let positions = BATCH as usize * space.len;
    let mut sampler = Sampler::builder(positions, BATCH as usize).build().expect("a level");
    let mut counts = vec![0; space.sequences() + 1];
    for batch in 0..OUTPUTS / u64::from(BATCH) {
        let mut tokens = vec![MASK; positions];
        let mut segments = segments(BATCH, space.len as u32, seed, batch * u64::from(BATCH));
        let policies = [policy];
        let mut canvas =
            Canvas::new(&mut tokens, MASK, &mut segments, &policies).expect("a valid canvas");
        decode(&mut sampler, network, &mut canvas);
        for output in tokens.chunks_exact(space.len) {
            let sequence = space.sequence(network.state(output));
            counts[sequence.unwrap_or(space.sequences())] += 1;
        }
    }
    counts
}

/// Compares the sampler's outputs with `law`, and, where the two can be told apart, with the
/// target that the rule approximates.
fn assert_law(name: &str, policy: Policy, target: &Target, law: &[f64], seed: u64) {
    let counts = histogram(policy, &Network::new(target), seed);
    let outputs: u64 = counts.iter().sum();
    assert_eq!(outputs, OUTPUTS);
    let found = exact_law::statistics::frequencies(&counts);

    let noise = expected_noise(law, outputs);
    let apart = total_variation(&found, law);
    let p = g_test(&counts, law);
    let exact = total_variation(law, &target.law());
    let to_target = total_variation(&found, &target.law());
    println!(
        "{name}: TV to the rule's law {apart:.6} (noise {noise:.6}, ratio {:.2}), p = {p:.4}; \
         TV to the target {to_target:.6}, exactly {exact:.6}",
        apart / noise
    );
    assert!(apart < 1.5 * noise, "{name}: TV {apart}, expected {noise} by chance");
    assert!(p > 1e-6, "{name}: G-test p = {p}");
    if exact > 3.0 * noise {
        // The rule's own error is reproduced, and would be noticed by the test above.
        assert!((to_target - exact).abs() < 1.5 * noise, "{name}: {to_target} for {exact}");
        let p = g_test(&counts, &target.law());
        assert!(p < 1e-12, "{name}: cannot be told from the target, p = {p}");
    } else {
        assert!(exact < 1e-14, "{name}: a rule with an error too small to be seen: {exact}");
    }
}

fn targets() -> [(&'static str, Target); 2] {
    [("HASH", Target::hash(4, 2)), ("MARKOV", Target::markov(4, 4))]
}

#[test]
fn first_hitting_has_the_target_law() {
    for (name, target) in targets() {
        let law = target.law();
        for (seed, noise) in [(1, Noise::Linear), (2, Noise::Cosine), (3, Noise::UnitRate)] {
            let name = format!("first-hitting, {noise:?}, {name}");
            assert_law(&name, Policy::first_hitting(noise), &target, &law, seed);
        }
    }
}

fn euler_law(
    target: &Target,
    noise: exact_law::Noise,
    start: f64,
    steps: u32,
    end: Leftover,
) -> Vec<f64> {
    let grid = uniform_grid(start, steps as usize);
    let reveal = reveal_probabilities(noise, Rule::Euler, &grid);
    let weights = Weights::independent(target.space().len, &reveal);
    CompositionLaws::new(target).output(&weights, end)
}

#[test]
fn euler_on_linear_and_cosine_grids_has_its_law() {
    let cases = [
        (Noise::Linear, exact_law::Noise::Linear, 4, 4),
        (Noise::Linear, exact_law::Noise::Linear, 16, 5),
        (Noise::Cosine, exact_law::Noise::Cosine, 16, 6),
    ];
    for (name, target) in targets() {
        for (noise, exact_noise, steps, seed) in cases {
            let law = euler_law(&target, exact_noise, 1.0, steps, Leftover::Masked);
            let name = format!("Euler, {noise:?}, {steps} steps, {name}");
            assert_law(&name, Policy::euler(noise, steps), &target, &law, seed);
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
    for (name, target) in targets() {
        for (finish, leftover, seed) in cases {
            let mut policy = Policy::euler(Noise::UnitRate, 32);
            policy.schedule.start = 8.0;
            policy.stop.finish = finish;
            let law = euler_law(&target, exact_law::Noise::UnitRate, 8.0, 32, leftover);
            let name = format!("Euler, unit rate, finish {finish:?}, {name}");
            assert_law(&name, policy, &target, &law, seed);
        }
    }
}

#[test]
fn random_order_has_its_law() {
    for (name, target) in targets() {
        let sizes: [&[usize]; 4] = [&[4], &[2, 2], &[2, 1, 1], &[1, 1, 1, 1]];
        for (steps, sizes) in (1..).zip(sizes) {
            let laws = CompositionLaws::new(&target);
            let law = laws.output(&Weights::sizes(4, sizes), Leftover::Masked);
            let name = format!("random order, {steps} steps, {name}");
            assert_law(&name, Policy::random_order(steps), &target, &law, 10 + u64::from(steps));
        }
    }
}
