//! Planning, stepping and drawing on the caller's thread do not allocate, whatever is drawn from and
//! how often. What a sampler takes when it is made grows with its vocabulary and with its outputs,
//! not with their product.

#![allow(unsafe_code, reason = "an allocator can only be replaced by an unsafe trait")]

mod rows;

use demask::draw::shard::{Shard, ShardMerge, ShardRecords, ShardToken};
use demask::policy::{DrawMethod, FilterOrder, RemaskRate};
use demask::schedule::sizes::{MarkovSizes, SizeList, SystematicSizes, Weight};
use demask::{
    AllowedTokens, Canvas, Constraints, Draw, Finish, Key, Logits, LogitsData, Noise, Plan, Policy,
    PositionKind, PositionState, RowBias, RowOutputs, RowRecord, RowStatistics, Sampler, Segment,
    Select, Sizes, Statistics, TimeGrid,
};
use rows::{in_every_type, levels, stepped_row};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system's allocator, counted.
struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Relaxed);
        BYTES.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        CALLS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// The only test of this file, since other tests would be counted too.
#[test]
fn nothing_allocates_but_builders() {
    a_step_does_not_allocate();
    draws_do_not_allocate();
    memory_is_linear();
}

fn draws_do_not_allocate() {
    let plain = Draw::at(0.9);
    let filters = [
        plain,
        Draw::at(0.0),
        Draw { top_k: 1, ..plain },
        Draw { top_k: 300, top_p: 0.8, ..plain },
        Draw { top_p: 0.7, ..plain },
        Draw { min_p: 0.02, ..plain },
        Draw { top_k: 40, top_p: 0.95, min_p: 0.01, ..plain },
        Draw { top_p: 0.9, filter_order: FilterOrder::BeforeTemperature, ..plain },
    ];
    let plain_law = Statistics::default();
    let filtered_law = Statistics { filtered: true, ..plain_law };
    let mut statistics = [RowStatistics::BAD; 9];
    for (rows, vocab) in [(9, 20), (7, 1_003), (3, 40_000usize)] {
        let words = vec![!8; vocab.div_ceil(32)];
        let allowed = Some(AllowedTokens { words: &words, stride: 0 });
        let mut offsets = vec![1; rows + 1];
        offsets[0] = 0;
        let row_bias = Some(RowBias { offsets: &offsets, entries: &[(5, -2.0)] });
        let constraints = [
            Constraints::NONE,
            Constraints::excluding(Some(3)),
            Constraints {
                banned: &[0, 9],
                bias: &[(2, 1.5)],
                row_bias,
                allowed,
                excluded: Some(4),
            },
        ];
        let keys = rows::keys(rows, 1);
        let data = stepped_row(rows * vocab, 2.0, 0.25, 1);
        for level in levels() {
            let builder = Sampler::builder(40 * rows, 1).level(level).vocab(vocab);
            let mut sampler = builder.build().expect("a sampler");
            in_every_type(&data, rows, vocab, |logits, _| {
                let guided = logits.guided(logits, 1.5).expect("a guide that fits");
                let before = CALLS.load(Relaxed);
                for logits in [logits, &guided] {
                    for draw in &filters {
                        for constraints in &constraints {
                            for draws in [1, 3, 40] {
                                let drawn =
                                    sampler.draw_many(logits, draw, constraints, &keys, draws);
                                assert_eq!(drawn.expect("a draw").len(), rows * draws);
                            }
                            for wanted in [plain_law, filtered_law] {
                                let into = RowOutputs {
                                    statistics: &mut statistics[..rows],
                                    top: &mut [],
                                };
                                let drawn = sampler.draw_with_statistics(
                                    logits,
                                    draw,
                                    constraints,
                                    &keys,
                                    &wanted,
                                    into,
                                );
                                assert_eq!(drawn.expect("a draw").len(), rows);
                            }
                        }
                    }
                }
                let calls = CALLS.load(Relaxed) - before;
                assert_eq!(calls, 0, "calls to the allocator, {vocab} tokens, {level}");
            });
        }
    }
}

/// mlx takes a matrix of noise, draws by vocabulary: <https://github.com/ml-explore/mlx/issues/3847>.
fn memory_is_linear() {
    let bytes = |draws: usize, vocab: usize| {
        let before = BYTES.load(Relaxed);
        let sampler = Sampler::builder(draws, 1).vocab(vocab).build().expect("a sampler");
        drop(sampler);
        BYTES.load(Relaxed) - before
    };
    let few = bytes(1, 1_000);
    let (draws, vocab) = (bytes(1 << 16, 1_000) - few, bytes(1, 1 << 18) - few);
    let both = bytes(1 << 16, 1 << 18) - few;
    assert_eq!(both, draws + vocab, "{draws} bytes by draws, {vocab} by vocabulary");
    // What a draw leaves, and what steps keep of a position: its key, its score, its place.
    assert!(draws <= 216 << 16 && vocab <= 64 << 18, "{draws} and {vocab} bytes");
}

fn a_step_does_not_allocate() {
    const MASK: i32 = -1;
    let (length, vocab) = (12, 300);
    let mut finishing = Policy::euler(Noise::Cosine, 3);
    finishing.stop.finish = Finish::Argmax;
    let mut score = Policy::euler_score(Noise::Linear, 6);
    score.stop.finish = Finish::Sample;
    let predrawn = |policy: Policy<'static>, select| Policy { select, ..policy };
    let table = MarkovSizes::tc(12, 5).expect("a table");
    let systematic = SystematicSizes::new(12, 5, Weight::TotalCorrelation).expect("a table");
    let list = SizeList::new(&[1, 2, 3, 4, 2]).expect("a list");
    let sized = |sizes| {
        let mut policy = Policy::random_order(5);
        policy.schedule.sizes = sizes;
        policy
    };
    let looped = TimeGrid::remdm_loop(9, 0.55, 0.05, 0.9);
    let looped = looped.expect("times");
    let mut sized_threshold = Policy::sdar_dynamic(0.85, 6);
    sized_threshold.score.gumbel = 0.1;
    let policies = [
        Policy::llada(6),
        Policy::entropy_bound(0.3),
        Policy::local_leap(5),
        Policy::hierarchy(0.1, 0.3),
        sized_threshold,
        Policy::remdm(RemaskRate::Rescale(0.3), 9),
        Policy::remdm_loop(0.2, &looped),
        Policy::remdm_confident(9),
        Policy::hierarchy_remask(0.1, 0.3),
        Policy::wino(),
        Policy::llada21(0.3, 0.9),
        Policy::p2(1.0, 6),
        Policy::klass(6),
        Policy::diffusion_gemma(5),
        Policy::uniform_state(Noise::Linear, 5),
        sized(Sizes::Markov(&table)),
        sized(Sizes::MarkovReversed(&table)),
        sized(Sizes::Systematic(&systematic)),
        sized(Sizes::List(&list)),
        sized(Sizes::EvenReversed),
        sized(Sizes::Fixed(3)),
        sized(Sizes::Expected),
        sized(Sizes::Binomial),
        sized(Sizes::Kappa),
        Policy::first_hitting(Noise::UnitRate),
        finishing,
        Policy::random_order(4),
        Policy::first_hitting_extrapolated(Noise::Cosine, 4),
        Policy::theta_trapezoidal(Noise::Linear, 0.5, 4),
        predrawn(
            Policy::first_hitting_extrapolated(Noise::Linear, 3),
            Select::PredrawnFirstHitting,
        ),
        predrawn(Policy::ancestral(Noise::Linear, 3), Select::PredrawnBernoulli),
        score,
    ];
    let segments = policies.len();
    let positions = segments * length;
    let data: Vec<f32> = (0..positions * vocab).map(|i| (i * 7 % 113) as f32 / 9.0).collect();
    let keys: Vec<_> =
        (0..positions as u32).map(|position| Key { position, ..Key::default() }).collect();
    let mut tokens = vec![MASK; positions];
    let mut kinds = vec![PositionKind::MASKED; positions];
    let mut states = vec![PositionState::default(); positions];
    let mut state: Vec<_> = (0..segments)
        .map(|k| Segment {
            begin: (k * length) as u32,
            end: ((k + 1) * length) as u32,
            stream: k as u64,
            policy: k as u32,
            ..Segment::default()
        })
        .collect();
    let mut sampler = Sampler::builder(positions, segments).build().expect("a sampler");
    let mut plan = Plan::with_capacity(positions, segments);
    let mut records = [ShardRecords::with_capacity(4, 270), ShardRecords::with_capacity(4, 30)];
    let mut received = ShardRecords::with_capacity(4, 270);
    let mut merge = ShardMerge::new(sampler.level(), 4, vocab).expect("a merge");
    let mut drawn = [[ShardToken::NONE; 4]; 2];
    let mut made = vec![RowRecord::BAD; positions];

    let before = CALLS.load(Relaxed);
    assert!(before > 0, "the allocator is counted");
    let (mut steps, mut revealed, mut remasked) = (0, 0, 0);
    loop {
        let canvas = Canvas::new(&mut tokens, MASK, &mut state, &policies);
        let canvas = canvas.and_then(|canvas| canvas.with_kinds(&mut kinds));
        let canvas = canvas.and_then(|canvas| canvas.with_states(&mut states));
        let mut canvas = canvas.expect("a canvas");
        sampler.plan(&canvas, &mut plan).expect("a plan");
        if plan.active() == 0 {
            break;
        }
        let rows = plan.rows().len();
        let report = if steps % 3 < 2 {
            let logits = Logits::f32(&data, rows, vocab).expect("a view");
            let earlier = Logits::f32(&data[..rows * vocab], rows, vocab).expect("a view");
            let logits = logits.with_earlier(&earlier).expect("as many rows");
            if steps % 3 == 0 {
                sampler.step_planned(&mut canvas, &plan, &logits)
            } else {
                let made = &mut made[..rows];
                sampler.step_rows(&canvas, &plan, &logits, 0, made).expect("all rows");
                sampler.advance(&mut canvas, &plan, vocab, made)
            }
        } else {
            let logits = Logits::f32(&data, positions, vocab).expect("a view");
            let logits = logits.with_earlier(&logits).expect("as many rows");
            sampler.step(&mut canvas, &logits)
        };
        let report = report.expect("a step");
        revealed += report.revealed;
        remasked += report.remasked;
        steps += 1;
    }
    let logits = Logits::f32(&data, positions, vocab).expect("a view");
    sampler.draw(&logits, &Draw::at(0.7), &Constraints::NONE, &keys).expect("a draw");
    let race = Draw { method: DrawMethod::ExponentialRace, ..Draw::at(0.7) };
    let filtered = Draw { top_k: 20, top_p: 0.9, ..race };
    sampler.draw(&logits, &race, &Constraints::NONE, &keys).expect("a draw");
    sampler.draw(&logits, &filtered, &Constraints::NONE, &keys).expect("a draw");
    let banned = Constraints { banned: &[3, 700], ..Constraints::NONE };
    sampler.race_shard(&logits, 600, &race, &banned, &keys).expect("a race");
    for (banned, given) in [(&[][..], &[][..]), (&[3], &[7, 8, 9, 299])] {
        let constraints = Constraints { banned, ..Constraints::NONE };
        let shards = [(0, 270), (270, 30)].map(|(offset, width)| {
            let data = LogitsData::F32(&data[offset..]);
            let view = Logits::new(data, 4, width, vocab, None).expect("a view");
            (view, Shard { offset, vocab })
        });
        for ((view, shard), records) in shards.iter().zip(&mut records) {
            let made = sampler.shard_records(view, *shard, 0.7, &constraints, given, records);
            made.expect("records");
        }
        received.read(records[0].as_bytes()).expect("records that were sent");
        merge.merge(&[&received, &records[1]], &keys[..4]).expect("a merge");
        for ((view, shard), drawn) in shards.iter().zip(&mut drawn) {
            let (keys, blocks) = (&keys[..4], merge.blocks());
            let made = sampler.shard_tokens(view, *shard, 0.7, &constraints, keys, blocks, drawn);
            made.expect("tokens");
        }
        merge.finish(&[&drawn[0], &drawn[1]]).expect("a finish");
    }
    let calls = CALLS.load(Relaxed) - before;

    // What the trapezoidal method leaves, which has no finish.
    let left = tokens.iter().filter(|&&token| token == MASK).count();
    assert!((length..3 * length).contains(&steps), "as many steps as hits, at least: {steps}");
    assert!(remasked > 0 && revealed - remasked > positions - left, "some are revealed twice");
    assert!(left < length);
    assert_eq!(calls, 0, "calls to the allocator");
}
