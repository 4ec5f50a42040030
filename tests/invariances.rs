//! What tokens and statistics may not depend on, for random rows, rules, keys and shapes: the batch
//! and its order, threads, how a step is cut, alignment, stride, row index, the type that holds the
//! same logits, what lies beyond the vocabulary, and the number of draws.
//!
//! Nothing here is a test of chance: what is compared must be equal to the last bit. Cases come from
//! fixed seeds, and the log says how many ran.

mod rows;

use demask::policy::{DrawMethod, FilterOrder, NucleusEdge};
use demask::{
    AllowedTokens, Canvas, Constraints, Draw, Drawn, Finish, Key, Logits, LogitsData, Noise, Plan,
    Policy, PositionKind, PositionState, RowOutputs, RowRecord, RowStatistics, Sampler, Segment,
    Statistics, StepReport, TopToken, bf16, f16,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use rows::{normal_row, words};

/// Runs `cases` cases, always the same ones.
fn check<S: Strategy>(
    name: &str,
    cases: u32,
    strategy: S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let ran = core::cell::Cell::new(0);
    let test = |case| {
        ran.set(ran.get() + 1);
        test(case)
    };
    if let Err(error) = TestRunner::new_with_rng(config, rng).run(&strategy, test) {
        panic!("{name}: {error}");
    }
    println!("{name}: {} cases", ran.get());
    assert_eq!(ran.get(), cases, "{name}");
}

/// What logits look like.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Normal,
    /// In steps of a quarter, so that many are equal.
    Ties,
    /// A third of them −∞.
    Banned,
    /// One far above the others.
    Peaked,
    /// About 30,000, apart by less than half precision tells.
    Far,
    /// Some rows hold NaN or +∞, or only −∞.
    Bad,
}

/// `count` rows of logits.
fn logits(shape: Shape, sigma: f64, count: usize, vocab: usize, seed: u64) -> Vec<f32> {
    let offset = if matches!(shape, Shape::Far) { 30_000.0 } else { 0.0 };
    let mut data = normal_row(count * vocab, sigma, offset, seed);
    let mut next = words(seed ^ 1);
    for row in data.chunks_mut(vocab) {
        let at = next() as usize % vocab;
        match shape {
            Shape::Normal | Shape::Far => {}
            Shape::Ties => row.iter_mut().for_each(|x| *x = (4.0 * *x).round() / 4.0),
            Shape::Banned => {
                row.iter_mut()
                    .filter(|_| next().is_multiple_of(3))
                    .for_each(|x| *x = f32::NEG_INFINITY);
                row[at] = 1.0;
            }
            Shape::Peaked => row[at] += 30.0,
            Shape::Bad => match next() % 5 {
                0 => row[at] = f32::NAN,
                1 => row[at] = f32::INFINITY,
                2 => row.fill(f32::NEG_INFINITY),
                _ => {}
            },
        }
    }
    data
}

/// What a type of 16 bits makes of the logits.
#[derive(Clone, Copy, Debug)]
enum Type {
    F32,
    F16,
    Bf16,
}

impl Type {
    /// The nearest that it holds, in f32.
    fn round(self, data: &mut [f32]) {
        data.iter_mut().for_each(|x| {
            *x = match self {
                Self::F32 => *x,
                Self::F16 => f16::from_f32(*x).to_f32(),
                Self::Bf16 => bf16::from_f32(*x).to_f32(),
            }
        });
    }
}

/// How rows lie in memory.
#[derive(Clone, Copy, Debug)]
struct Layout {
    as_type: Type,
    /// Elements before the first row.
    offset: usize,
    /// Elements between rows, which hold what must not be read.
    gap: usize,
    /// Physical rows in an order of their own, with an index; or as they come.
    is_indexed: bool,
}

impl Layout {
    const PLAIN: Self = Self { as_type: Type::F32, offset: 0, gap: 0, is_indexed: false };
}

/// Rows of a vocabulary.
#[derive(Debug)]
struct Rows<'a> {
    data: &'a [f32],
    vocab: usize,
}

impl Rows<'_> {
    /// Calls `test` with a view in this layout, logical row `k` of which is row `order[k]`.
    fn view<T>(&self, layout: Layout, order: &[usize], test: impl FnOnce(&Logits<'_>) -> T) -> T {
        let Self { data, vocab } = *self;
        let Layout { as_type, offset, gap, is_indexed } = layout;
        let count = data.len() / vocab;
        // With an index, the last row lies first.
        let physical: Vec<usize> =
            if is_indexed { (0..count).rev().collect() } else { order.to_vec() };
        let index: Vec<u32> = order.iter().map(|row| (count - 1 - row) as u32).collect();
        let index = is_indexed.then_some(&index[..]);
        // Larger than any logit, or worse.
        let beyond = [f32::NAN, f32::INFINITY, 60_000.0];
        let mut laid: Vec<f32> = (0..offset).map(|i| beyond[i % 3]).collect();
        for &row in &physical {
            laid.extend_from_slice(&data[row * vocab..(row + 1) * vocab]);
            laid.extend((0..gap).map(|i| beyond[i % 3]));
        }
        let (half, brain): (Vec<f16>, Vec<bf16>);
        let laid = match as_type {
            Type::F32 => LogitsData::F32(&laid[offset..]),
            Type::F16 => {
                half = laid.iter().map(|&x| f16::from_f32(x)).collect();
                LogitsData::F16(&half[offset..])
            }
            Type::Bf16 => {
                brain = laid.iter().map(|&x| bf16::from_f32(x)).collect();
                LogitsData::Bf16(&brain[offset..])
            }
        };
        test(&Logits::new(laid, physical.len(), vocab, vocab + gap, index).expect("a view"))
    }
}

/// A random permutation.
fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let (mut next, mut order) = (words(seed), (0..count).collect::<Vec<_>>());
    (1..count).rev().for_each(|i| order.swap(i, next() as usize % (i + 1)));
    order
}

/// Vocabularies around which kernels change: vectors, blocks, cells.
fn vocabs() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 1..80usize,
        2 => 250..260usize,
        2 => 490..530usize,
        2 => 1_000..1_100usize,
        1 => 2_040..4_200usize,
        1 => 4_200..9_000usize,
    ]
}

fn shapes() -> impl Strategy<Value = Shape> {
    prop::sample::select(vec![
        Shape::Normal,
        Shape::Ties,
        Shape::Banned,
        Shape::Peaked,
        Shape::Far,
        Shape::Bad,
    ])
}

fn types() -> impl Strategy<Value = Type> {
    prop::sample::select(vec![Type::F32, Type::F16, Type::Bf16])
}

fn keys() -> impl Strategy<Value = Key> {
    // Small numbers, as in use, and any.
    let words = || prop_oneof![0..3u64, any::<u64>()];
    let halves = || prop_oneof![0..3u32, any::<u32>()];
    (words(), words(), halves(), halves()).prop_map(|(seed, stream, step, position)| Key {
        seed,
        stream,
        step,
        position,
    })
}

fn draws() -> impl Strategy<Value = Draw> {
    (
        prop::sample::select(vec![0.0, 1e-3, 0.3, 0.7, 1.0, 1.0, 5.0, f32::INFINITY]),
        prop_oneof![2 => Just(0), 1 => 1..60u32],
        prop_oneof![2 => Just(1.0), 1 => 0.01..1.0f32],
        prop_oneof![2 => Just(0.0), 1 => 0.0..1.0f32],
        any::<[bool; 3]>(),
    )
        .prop_map(|(temperature, top_k, top_p, min_p, [before, drop, race])| Draw {
            temperature,
            top_k,
            top_p,
            min_p,
            filter_order: if before {
                FilterOrder::BeforeTemperature
            } else {
                FilterOrder::AfterTemperature
            },
            nucleus_edge: if drop { NucleusEdge::Drop } else { NucleusEdge::Keep },
            method: if race { DrawMethod::ExponentialRace } else { DrawMethod::Rejection },
        })
}

/// A batch of rows to draw from.
#[derive(Clone, Debug)]
struct Batch {
    vocab: usize,
    shape: Shape,
    sigma: f64,
    /// What holds the logits exactly.
    exact: Type,
    keys: Vec<Key>,
    draw: Draw,
    /// Of the statistics.
    temperature: f32,
    filtered: bool,
    top: usize,
    constrained: [bool; 4],
    /// The strength of a guide, if there is one.
    guidance: Option<f32>,
    layout: Layout,
    seed: u64,
}

fn batches(vocabs: impl Strategy<Value = usize>) -> impl Strategy<Value = Batch> {
    let rule = (draws(), prop::sample::select(vec![0.5, 1.0, 3.0]), any::<bool>(), 0..4usize);
    let layout = (0..17usize, 0..40usize, any::<bool>());
    (
        (vocabs, shapes(), prop::sample::select(vec![0.5, 2.0, 8.0]), types()),
        prop::collection::vec(keys(), 1..14),
        rule,
        any::<[bool; 4]>(),
        prop_oneof![3 => Just(None), 1 => (0.5..3.0f32).prop_map(Some)],
        layout,
        any::<u64>(),
    )
        .prop_map(
            |((vocab, shape, sigma, exact), keys, rule, constrained, guidance, layout, seed)| {
                let (draw, temperature, filtered, top) = rule;
                let (offset, gap, is_indexed) = layout;
                let layout = Layout { as_type: exact, offset, gap, is_indexed };
                Batch {
                    vocab,
                    shape,
                    sigma,
                    exact,
                    keys,
                    draw,
                    temperature,
                    filtered,
                    top,
                    constrained,
                    guidance,
                    layout,
                    seed,
                }
            },
        )
}

/// What is drawn from a row and known of it, in bits.
type Outcome = (Drawn, Vec<u8>, Vec<TopToken>);

impl Batch {
    fn data(&self, seed: u64) -> Vec<f32> {
        let mut data = logits(self.shape, self.sigma, self.keys.len(), self.vocab, seed);
        self.exact.round(&mut data);
        data
    }

    /// The draws from rows in this order and layout; the constraints of a row go with it.
    fn drawn<T>(
        &self,
        layout: Layout,
        order: &[usize],
        test: impl FnOnce(&Logits<'_>, &Constraints<'_>, &[Key]) -> T,
    ) -> T {
        let Self { vocab, seed, .. } = *self;
        let (data, guide) = (self.data(seed), self.data(seed ^ 2));
        let [excludes, bans, biases, allows] = self.constrained;
        let mut next = words(seed ^ 3);
        let mut some = || (next() % vocab as u64) as u32;
        let (excluded, banned, biased) =
            (some(), [some(), some()], [(some(), 1.5), (some(), -0.25)]);
        let width = vocab.div_ceil(32);
        let bits = |row: usize| {
            let mut next = words(seed ^ 4 ^ (row as u64) << 8);
            core::iter::repeat_with(move || next() as u32 | next() as u32).take(width)
        };
        let allowed: Vec<u32> = order.iter().flat_map(|&row| bits(row)).collect();
        let constraints = Constraints {
            excluded: excludes.then_some(excluded),
            banned: if bans { &banned } else { &[] },
            bias: if biases { &biased } else { &[] },
            row_bias: None,
            allowed: allows.then_some(AllowedTokens { words: &allowed, stride: width }),
        };
        let keys: Vec<Key> = order.iter().map(|&row| self.keys[row]).collect();
        let (rows, guides) = (Rows { data: &data, vocab }, Rows { data: &guide, vocab });
        rows.view(layout, order, |logits| match self.guidance {
            None => test(logits, &constraints, &keys),
            Some(scale) => guides.view(layout, order, |guide| {
                let guided = logits.guided(guide, scale).expect("as many rows");
                test(&guided, &constraints, &keys)
            }),
        })
    }

    fn outcomes(&self, threads: usize, layout: Layout, order: &[usize]) -> Vec<Outcome> {
        self.drawn(layout, order, |logits, constraints, keys| {
            let mut sampler = sampler(keys.len(), 1, threads, self.vocab);
            let given: Vec<u32> = order.iter().map(|row| (row * 7 % self.vocab) as u32).collect();
            let Self { temperature, filtered, .. } = *self;
            let wanted = Statistics { temperature, filtered, given: &given, against: None };
            let mut statistics = vec![RowStatistics::BAD; keys.len()];
            let mut top = vec![TopToken::default(); self.top * keys.len()];
            let into = RowOutputs { statistics: &mut statistics, top: &mut top };
            let drawn = sampler
                .draw_with_statistics(logits, &self.draw, constraints, keys, &wanted, into)
                .expect("a draw");
            let row = |k: usize| {
                let bits = bytemuck::bytes_of(&statistics[k]).to_vec();
                (drawn[k], bits, top[self.top * k..self.top * (k + 1)].to_vec())
            };
            (0..keys.len()).map(row).collect()
        })
    }

    fn many(&self, layout: Layout, order: &[usize], draws: usize) -> Vec<Vec<Drawn>> {
        self.drawn(layout, order, |logits, constraints, keys| {
            let mut sampler = sampler(draws * keys.len(), 1, 1, self.vocab);
            let drawn = sampler.draw_many(logits, &self.draw, constraints, keys, draws);
            drawn.expect("a draw").chunks(draws).map(<[_]>::to_vec).collect()
        })
    }
}

fn sampler(positions: usize, segments: usize, threads: usize, vocab: usize) -> Sampler {
    let builder = Sampler::builder(positions, segments).threads(threads);
    builder.vocab(vocab).build().expect("a sampler")
}

/// Those of `all` in this order.
fn at<T: Clone>(all: &[T], order: &[usize]) -> Vec<T> {
    order.iter().map(|&k| all[k].clone()).collect()
}

#[test]
fn rows_do_not_depend_on_how_they_lie() {
    check("layouts", 1_000, batches(vocabs()), |batch| {
        let order: Vec<usize> = (0..batch.keys.len()).collect();
        let plain = batch.outcomes(1, Layout::PLAIN, &order);
        let Layout { as_type, offset, gap, .. } = batch.layout;
        for (what, layout) in [
            ("alignment", Layout { offset, ..Layout::PLAIN }),
            ("stride, and what lies beyond the vocabulary", Layout { gap, ..Layout::PLAIN }),
            ("row index", Layout { is_indexed: true, ..Layout::PLAIN }),
            ("type", Layout { as_type, ..Layout::PLAIN }),
            ("all of them", batch.layout),
        ] {
            prop_assert_eq!(&batch.outcomes(1, layout, &order), &plain, "{}", what);
        }
        Ok(())
    });
}

#[test]
fn rows_do_not_depend_on_their_batch() {
    check("batches", 800, batches(vocabs()), |batch| {
        let count = batch.keys.len();
        let all: Vec<usize> = (0..count).collect();
        let together = batch.outcomes(1, Layout::PLAIN, &all);
        let order = shuffled(count, batch.seed);
        let other = batch.outcomes(1, batch.layout, &order);
        prop_assert_eq!(&other, &at(&together, &order), "shuffled");
        for (row, together) in together.iter().enumerate() {
            let alone = batch.outcomes(1, batch.layout, &[row]);
            prop_assert_eq!(&alone[0], together, "row {} alone", row);
        }
        // Some of them, some twice.
        let mut next = words(batch.seed ^ 5);
        let some: Vec<usize> = (0..count + 2).map(|_| next() as usize % count).collect();
        let other = batch.outcomes(1, Layout { is_indexed: true, ..batch.layout }, &some);
        prop_assert_eq!(&other, &at(&together, &some), "some");
        Ok(())
    });
}

#[test]
fn the_first_draws_are_the_same_however_many_there_are() {
    let strategy = (batches(vocabs()), 1..40usize, 1..40usize);
    check("numbers of draws", 800, strategy, |(batch, few, more)| {
        let all: Vec<usize> = (0..batch.keys.len()).collect();
        let drawn = batch.many(Layout::PLAIN, &all, few + more);
        let order = shuffled(batch.keys.len(), batch.seed);
        for (row, prefix) in order.iter().zip(batch.many(batch.layout, &order, few)) {
            prop_assert_eq!(&prefix, &drawn[*row][..few], "row {}", row);
        }
        let single = batch.outcomes(1, Layout::PLAIN, &all);
        for (one, drawn) in single.iter().zip(&drawn) {
            prop_assert_eq!(one.0, drawn[0], "the draw beside statistics");
        }
        Ok(())
    });
}

#[cfg(feature = "threads")]
#[test]
fn rows_do_not_depend_on_threads() {
    let vocabs = prop_oneof![20..40usize, 500..530usize, 4_000..9_000usize];
    check("threads", 30, batches(vocabs), |batch| {
        let count = batch.keys.len();
        let alone = batch.outcomes(1, Layout::PLAIN, &(0..count).collect::<Vec<_>>());
        let mut next = words(batch.seed ^ 6);
        // A pool takes in a million tokens.
        let rows = (1usize << 20).div_ceil(batch.vocab) + 5;
        let order: Vec<usize> = (0..rows).map(|_| next() as usize % count).collect();
        let layout = Layout { is_indexed: true, ..batch.layout };
        for threads in [1, 2, 3, 7] {
            let outcomes = batch.outcomes(threads, layout, &order);
            let same = outcomes.iter().zip(&order).all(|(outcome, &row)| *outcome == alone[row]);
            prop_assert!(same, "{} threads", threads);
        }
        Ok(())
    });
}

/// Policies that need nothing beside logits and position states.
fn policies() -> impl Strategy<Value = Policy<'static>> {
    let presets = vec![
        Policy::first_hitting(Noise::Linear),
        Policy::first_hitting(Noise::Cosine),
        Policy::euler(Noise::Linear, 4),
        Policy::ancestral(Noise::Cosine, 3),
        Policy::random_order(3),
        Policy::llada(4),
        Policy::dream_margin(3),
        Policy::dream_entropy(3),
        Policy::dream_origin(3),
        Policy::maskgit(4),
        Policy::fast_dllm(0.4),
        Policy::fast_dllm_factor(0.5),
        Policy::sdar_dynamic(0.5, 4),
        Policy::sdar_sequential(4),
        Policy::entropy_bound(0.3),
        Policy::local_leap(4),
        Policy::hierarchy(0.2, 0.6),
        Policy::wino(),
        Policy::llada21(0.5, 0.6),
        Policy::remdm_confident(5),
        Policy::p2(0.5, 4),
        Policy::diffusion_gemma(4),
    ];
    (prop::sample::select(presets), draws(), any::<bool>()).prop_map(|(policy, draw, own)| {
        let mut policy = if own { policy } else { Policy { draw, ..policy } };
        if policy.stop.finish == Finish::None && !own {
            policy.stop.finish = Finish::Sample;
        }
        policy
    })
}

/// Requests that are decoded together.
#[derive(Clone, Debug)]
struct Requests {
    vocab: usize,
    shape: Shape,
    sigma: f64,
    exact: Type,
    layout: Layout,
    all: Vec<Request>,
    seed: u64,
}

#[derive(Clone, Debug)]
struct Request {
    policy: Policy<'static>,
    key: Key,
    length: usize,
    /// How many of its positions are not masked at first, from the first on.
    prompt: usize,
}

fn requests(
    vocabs: impl Strategy<Value = usize>,
    lengths: core::ops::Range<usize>,
) -> impl Strategy<Value = Requests> {
    let request =
        (policies(), keys(), lengths, 0..4usize).prop_map(|(policy, key, length, prompt)| {
            // The step that a request begins with is 0.
            let key = Key { step: 0, ..key };
            Request { policy, key, length, prompt: prompt.min(length) }
        });
    (
        (vocabs, shapes(), prop::sample::select(vec![1.0, 4.0]), types()),
        (0..17usize, 0..40usize, any::<bool>()),
        prop::collection::vec(request, 1..7),
        any::<u64>(),
    )
        .prop_map(|((vocab, shape, sigma, exact), layout, all, seed)| {
            let (offset, gap, is_indexed) = layout;
            let layout = Layout { as_type: exact, offset, gap, is_indexed };
            Requests { vocab, shape, sigma, exact, layout, all, seed }
        })
}

/// A request as it stands: its tokens, kinds, states and segment, the latter as if alone.
type Standing = (Vec<i32>, Vec<PositionKind>, Vec<PositionState>, Segment);

/// How a step is made.
#[derive(Clone, Copy, Debug)]
enum By {
    Step,
    Plan,
    /// Of ranges of rows, which begin at random.
    Ranges,
}

impl Requests {
    /// Decodes the requests in this order by some steps; what each comes to, in their own order.
    fn decoded(&self, order: &[usize], threads: usize, layout: Layout, by: By) -> Vec<Standing> {
        const MASK: i32 = -1;
        let Self { vocab, seed, .. } = *self;
        let policies: Vec<Policy<'_>> = order.iter().map(|&i| self.all[i].policy).collect();
        let (mut tokens, mut kinds, mut segments) = (Vec::new(), Vec::new(), Vec::new());
        // The physical rows that positions have.
        let first_row = |i: usize| self.all[..i].iter().map(|other| other.length).sum::<usize>();
        let mut rows = Vec::new();
        for (k, &i) in order.iter().enumerate() {
            let Request { key, length, prompt, .. } = self.all[i];
            let begin = tokens.len() as u32;
            segments.push(Segment {
                begin,
                end: begin + length as u32,
                seed: key.seed,
                stream: key.stream,
                origin: key.position,
                policy: k as u32,
                ..Segment::default()
            });
            tokens
                .extend((0..length).map(|at| if at < prompt { (at % vocab) as i32 } else { MASK }));
            kinds
                .extend((0..length).map(|at| {
                    if at < prompt { PositionKind::FIXED } else { PositionKind::MASKED }
                }));
            rows.extend((0..length).map(|at| first_row(i) + at));
        }
        let count = first_row(self.all.len());
        let mut states = vec![PositionState::default(); tokens.len()];
        let mut sampler = sampler(tokens.len(), segments.len(), threads, vocab);
        let mut plan = Plan::with_capacity(tokens.len(), segments.len());
        let mut cuts = words(seed ^ 7);
        for step in 0..4 {
            let mut data = logits(self.shape, self.sigma, count, vocab, seed ^ (8 + step));
            self.exact.round(&mut data);
            let data = Rows { data: &data, vocab };
            let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)
                .and_then(|canvas| canvas.with_states(&mut states))
                .and_then(|canvas| canvas.with_kinds(&mut kinds))
                .expect("a canvas");
            if let By::Step = by {
                let step = |logits: &Logits<'_>| sampler.step(&mut canvas, logits).map(drop);
                data.view(layout, &rows, step).expect("a step");
                continue;
            }
            sampler.plan(&canvas, &mut plan).expect("a plan");
            let planned: Vec<usize> = plan.rows().iter().map(|&at| rows[at as usize]).collect();
            if let By::Plan = by {
                let step = |logits: &Logits<'_>| -> Result<StepReport, _> {
                    sampler.step_planned(&mut canvas, &plan, logits)
                };
                data.view(layout, &planned, step).expect("a step");
                continue;
            }
            let mut records = vec![RowRecord::BAD; planned.len()];
            let mut begin = 0;
            while begin < planned.len() {
                let end = planned.len().min(begin + 1 + cuts() as usize % 9);
                let (range, records) = (&planned[begin..end], &mut records[begin..end]);
                let draw =
                    |logits: &Logits<'_>| sampler.step_rows(&canvas, &plan, logits, begin, records);
                data.view(layout, range, draw).expect("rows");
                begin = end;
            }
            sampler.advance(&mut canvas, &plan, vocab, &records).expect("a step");
        }
        let mut standing: Vec<(usize, Standing)> = Vec::new();
        for (&i, segment) in order.iter().zip(&segments) {
            let range = segment.begin as usize..segment.end as usize;
            let segment = Segment { begin: 0, end: range.len() as u32, policy: 0, ..*segment };
            let of = (&tokens[range.clone()], &kinds[range.clone()], &states[range]);
            standing.push((i, (of.0.to_vec(), of.1.to_vec(), of.2.to_vec(), segment)));
        }
        standing.sort_by_key(|(i, _)| *i);
        standing.into_iter().map(|(_, standing)| standing).collect()
    }
}

#[test]
fn steps_do_not_depend_on_their_batch_nor_on_how_they_are_cut() {
    let vocabs = prop_oneof![4 => 2..70usize, 1 => 500..530usize, 1 => 1_000..1_100usize];
    let revealed = core::cell::Cell::new([0u64; 2]);
    check("steps", 500, requests(vocabs, 0..20), |requests| {
        let all: Vec<usize> = (0..requests.all.len()).collect();
        let plain = requests.decoded(&all, 1, Layout::PLAIN, By::Step);
        for (tokens, ..) in &plain {
            let [masked, others] = revealed.get();
            let left = tokens.iter().filter(|&&token| token < 0).count();
            revealed.set([masked + left as u64, others + (tokens.len() - left) as u64]);
        }
        let order = shuffled(all.len(), requests.seed);
        for by in [By::Step, By::Plan, By::Ranges] {
            let other = requests.decoded(&order, 1, requests.layout, by);
            prop_assert_eq!(&other, &plain, "shuffled, by {:?}", by);
        }
        for request in all {
            let alone = requests.decoded(&[request], 1, requests.layout, By::Ranges);
            prop_assert_eq!(&alone[0], &plain[request], "request {} alone", request);
        }
        Ok(())
    });
    let [masked, others] = revealed.get();
    println!("{others} positions with a token, {masked} without");
    assert!(masked > 1_000 && others > 10_000);
}

#[cfg(feature = "threads")]
#[test]
fn steps_do_not_depend_on_threads() {
    // A plan may name one row of a segment; all of most reach the pool.
    check("threads of steps", 12, requests(20_000..30_000usize, 30..50), |requests| {
        let order = shuffled(requests.all.len(), requests.seed);
        let alone = requests.decoded(&order, 1, Layout::PLAIN, By::Step);
        for threads in [2, 3, 7] {
            let other = requests.decoded(&order, threads, requests.layout, By::Step);
            prop_assert_eq!(&other, &alone, "{} threads", threads);
        }
        Ok(())
    });
}
