//! The two halves of a step: rows in ranges, by several samplers, and then all that follows from them;
//! or from the records of something else.

use super::{
    MASK, Output, RULES, decode_requests, mixed_policies, revision, rows, sampler_of, words,
};
use demask::draw::oracle;
use demask::policy::ScoreOf;
use demask::{
    Canvas, Drawn, Level, Logits, Plan, Policy, PositionKind, PositionState, RowRecord, RowState,
    RowStatistics, Sampler, Segment, Select, StepReport,
};

/// Draws all rows of a plan in ranges of these sizes, in turn, the last range first or not; each by the
/// next of the samplers.
fn records(
    samplers: &mut [Sampler],
    canvas: &Canvas<'_>,
    plan: &Plan,
    output: &Output,
    sizes: &[usize],
    backwards: bool,
) -> Vec<RowRecord> {
    let rows = plan.rows().len();
    let (mut ranges, mut first) = (Vec::new(), 0);
    for &size in sizes.iter().cycle() {
        if first == rows {
            break;
        }
        ranges.push(first..rows.min(first + size));
        first = rows.min(first + size);
    }
    if backwards {
        ranges.reverse();
    }
    let mut records = vec![RowRecord::BAD; rows];
    for (i, range) in ranges.into_iter().enumerate() {
        let sampler = &mut samplers[i % 3];
        let (view, records) = (output.view(range.clone()), &mut records[range.clone()]);
        sampler.step_rows(canvas, plan, &view, range.start, records).expect("rows of the plan");
    }
    records
}

#[test]
fn two_halves_are_a_step() {
    for vocab in [33, 700] {
        let requests: Vec<usize> = (0..2 * mixed_policies().len()).collect();
        let mut sampler = sampler_of(&requests, 1, vocab);
        let (mut reports, mut outcomes) = (Vec::new(), Vec::new());
        let expected = decode_requests(&requests, vocab, |canvas, plan, output| {
            let view = output.view(0..plan.rows().len());
            reports.push(sampler.step_planned(canvas, plan, &view).expect("a step"));
            outcomes.push(sampler.drawn().to_vec());
        });
        assert!(reports.iter().any(|report| report.remasked > 0 && report.edited > 0));
        assert!(outcomes.iter().flatten().any(|drawn| drawn.state == RowState::Kept));

        let threads = if cfg!(feature = "threads") { 2 } else { 1 };
        let level = |level| {
            let builder = Sampler::builder(requests.len() * 24, requests.len()).vocab(vocab);
            builder.level(level).build().expect("a sampler")
        };
        let mut samplers = [
            sampler_of(&requests, 1, vocab),
            level(Level::Baseline),
            sampler_of(&requests, threads, vocab),
        ];
        let ranges: [(&[usize], bool); 6] = [
            (&[1 << 20], false),
            (&[1], true),
            (&[7], false),
            (&[3, 0, 16, 1, 33], true),
            (&[17, 5], false),
            (&[64, 1, 100], true),
        ];
        for (sizes, backwards) in ranges {
            let mut step = 0;
            let halves = decode_requests(&requests, vocab, |canvas, plan, output| {
                let records = records(&mut samplers, canvas, plan, output, sizes, backwards);
                let report = samplers[step % 3].advance(canvas, plan, vocab, &records);
                assert_eq!(report.expect("records of the plan"), reports[step], "{sizes:?}");
                assert_eq!(samplers[step % 3].drawn(), outcomes[step], "{sizes:?}");
                step += 1;
            });
            assert_eq!(step, reports.len());
            assert_eq!(halves, expected, "{sizes:?}");
        }
    }
}

/// What a rule would look at, by the oracle; the token is the likeliest.
fn oracle_record(policy: &Policy<'_>, row: &[f32], before: &[f32], standing: i32) -> RowRecord {
    let temperature = f64::from(policy.score.temperature);
    let law = oracle::probabilities(row, temperature, None).expect("a good row");
    let token = (0..row.len()).fold(0, |best, v| if row[v] > row[best] { v } else { best });
    let mut statistics = oracle::statistics(row, temperature, None, token).expect("a good row");
    let divergence = oracle::divergence(row, before, temperature, None);
    statistics.divergence = divergence.expect("two good rows");
    if let Some(p) = usize::try_from(standing).ok().and_then(|token| law.get(token)) {
        statistics.given_log_probability = p.ln();
    }
    RowRecord::of(Drawn { token: token as i32, state: RowState::Drawn }, statistics)
}

/// Every rule at temperature 0 on canvases with committed positions: an accelerator's records, here
/// those of the oracle, do what rows of logits do. Their numbers differ by 2e-6, which at these seeds
/// decides nothing.
#[test]
fn records_of_an_oracle_do_what_logits_do() {
    let mut policies: Vec<_> = RULES.iter().map(|rule| rule.1(6)).collect();
    policies.extend(revision::RULES.iter().map(|rule| rule.1(3)));
    for policy in &mut policies {
        policy.draw = demask::Draw::at(0.0);
        policy.schedule.cooling = 1.0;
    }
    let (length, vocab) = (12, 60);
    let mut sampler = Sampler::builder(length, 1).vocab(vocab).build().expect("a sampler");
    let mut plan = Plan::with_capacity(length, 1);
    let mut moved = 0;
    for (number, policy) in policies.iter().enumerate() {
        for seed in 0..20 {
            let policies = [*policy];
            let mut next = words(seed << 8 | number as u64);
            let kinds: Vec<_> =
                (0..length).map(|_| PositionKind(1 + u8::from(next().is_multiple_of(3)))).collect();
            let tokens: Vec<i32> = kinds
                .iter()
                .map(|kind| match *kind {
                    PositionKind::MASKED => MASK,
                    _ => (next() % vocab as u64) as i32,
                })
                .collect();
            let row = |k: usize| rows::normal_row(vocab, 3.0, 0.0, seed << 16 | k as u64);
            let data: Vec<f32> = (0..length).flat_map(row).collect();
            let before: Vec<f32> = (0..length).flat_map(|k| row(k + k % 2 * 100)).collect();
            let state = || {
                let state = PositionState { stable: 1, ..PositionState::default() };
                let segment = Segment { end: length as u32, step: 1, ..Segment::default() };
                (tokens.clone(), kinds.clone(), vec![state; length], [segment])
            };
            let (mut expected, mut got) = (state(), state());
            for (by_records, (tokens, kinds, states, segments)) in
                [(false, &mut expected), (true, &mut got)]
            {
                let mut canvas = Canvas::new(tokens, MASK, segments, &policies)
                    .and_then(|canvas| canvas.with_kinds(kinds))
                    .and_then(|canvas| canvas.with_states(states))
                    .expect("a canvas");
                sampler.plan(&canvas, &mut plan).expect("a plan");
                let of = |data: &[f32]| -> Vec<f32> {
                    let rows = plan.rows().iter().map(|&at| at as usize * vocab);
                    rows.flat_map(|begin| data[begin..begin + vocab].to_vec()).collect()
                };
                let (data, before) = (of(&data), of(&before));
                let report = if by_records {
                    let rows = data.chunks(vocab).zip(before.chunks(vocab)).zip(plan.rows());
                    let records: Vec<_> = rows
                        .map(|((row, before), &at)| {
                            oracle_record(policy, row, before, canvas.tokens()[at as usize])
                        })
                        .collect();
                    sampler.advance(&mut canvas, &plan, vocab, &records)
                } else {
                    let count = plan.rows().len();
                    let earlier = Logits::f32(&before, count, vocab).expect("a view");
                    let view = Logits::f32(&data, count, vocab).expect("a view");
                    let view = view.with_earlier(&earlier).expect("a view");
                    sampler.step_planned(&mut canvas, &plan, &view)
                };
                moved += report.expect("a step").revealed;
            }
            assert_eq!(got.0, expected.0, "policy {number}, seed {seed}: {policy:?}");
            assert_eq!(got.1, expected.1, "policy {number}, seed {seed}");
            let near = |a: f32, b: f32| (a - b).abs() <= 4e-6;
            for (got, expected) in got.2.iter().zip(&expected.2) {
                assert!(near(got.probability, expected.probability), "{got:?}, {expected:?}");
                let state = PositionState { probability: expected.probability, ..*got };
                assert_eq!(state, *expected);
            }
            let (got, expected) = (got.3[0], expected.3[0]);
            assert!((got.mean_entropy - expected.mean_entropy).abs() <= 1e-5);
            assert_eq!(Segment { mean_entropy: expected.mean_entropy, ..got }, expected);
        }
    }
    assert!(moved > 4_000, "{moved} positions moved");
}

/// A step by records, of which those of one row may have been changed.
fn step_by_records(
    policy: Policy<'static>,
    change: impl Fn(&mut RowRecord),
    nan: bool,
) -> (Vec<i32>, Vec<PositionKind>, Vec<PositionState>, [Segment; 2], StepReport) {
    const ROW: usize = 4;
    let (length, vocab) = (10, 50);
    let policies = [policy, Policy::llada(3)];
    let mut tokens = vec![MASK; 2 * length];
    let mut kinds = vec![PositionKind::MASKED; 2 * length];
    if !policy.update.eq(&demask::Update::Reveal) {
        for at in [1, 4, 5] {
            (tokens[at], kinds[at]) = (at as i32, PositionKind::COMMITTED);
        }
    }
    let mut states = vec![PositionState { stable: 1, ..PositionState::default() }; 2 * length];
    let segment = |i: u32| Segment {
        begin: 10 * i,
        end: 10 * i + 10,
        step: 1,
        policy: i,
        stream: i.into(),
        revealed: 8,
        initial_masks: 10,
        ..Segment::default()
    };
    let mut segments = [segment(0), segment(1)];
    let mut sampler = Sampler::builder(2 * length, 2).vocab(vocab).build().expect("a sampler");
    let mut plan = Plan::with_capacity(2 * length, 2);
    let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)
        .and_then(|canvas| canvas.with_kinds(&mut kinds))
        .and_then(|canvas| canvas.with_states(&mut states))
        .expect("a canvas");
    sampler.plan(&canvas, &mut plan).expect("a plan");
    let row = |k: usize| rows::normal_row(vocab, 3.0, 0.0, 77 + k as u64);
    let rows = plan.rows().len();
    assert!(rows > 15, "{policy:?}");
    let mut data: Vec<f32> = (0..rows).flat_map(row).collect();
    let earlier: Vec<f32> = data.iter().map(|z| z * 0.999).collect();
    if nan {
        data[ROW * vocab + 7] = f32::NAN;
    }
    let earlier = Logits::f32(&earlier, rows, vocab).expect("a view");
    let view = Logits::f32(&data, rows, vocab).and_then(|view| view.with_earlier(&earlier));
    let mut records = vec![RowRecord::BAD; rows];
    let view = view.expect("a view");
    sampler.step_rows(&canvas, &plan, &view, 0, &mut records).expect("all rows");
    change(&mut records[ROW]);
    let report = sampler.advance(&mut canvas, &plan, vocab, &records).expect("a step");
    (tokens, kinds, states, segments, report)
}

/// A record that lacks something is that of a bad row, and what nobody looks at may be any.
#[test]
fn a_bad_record_is_a_bad_row() {
    type Change = fn(&mut RowRecord);
    let always: [Change; 14] = [
        |r| r.token = -1,
        |r| r.token = 50,
        |r| r.token = MASK,
        |r| r.token = i32::MIN,
        |r| r.state = 0,
        |r| r.state = 2,
        |r| r.state = 3,
        |r| r.state = 257,
        |r| r.statistics.probability = f64::NAN,
        |r| r.statistics.probability = 1.0 + f64::EPSILON,
        |r| r.statistics.probability = -f64::MIN_POSITIVE,
        |r| r.statistics.argmax = -1,
        |r| r.statistics.argmax = 50,
        |r| *r = RowRecord::BAD,
    ];
    let log_others: &[Change] = &[|r| r.statistics.log_others = f64::NAN];
    let log_probability: &[Change] =
        &[|r| r.statistics.log_probability = f64::NAN, |r| r.statistics.log_probability = 1e-300];
    let margin: &[Change] = &[
        |r| r.statistics.margin = f64::NAN,
        |r| r.statistics.margin = -1e-300,
        |r| r.statistics.margin = 1.5,
        |r| r.statistics.log_margin_gap = f64::NAN,
    ];
    let entropy: &[Change] = &[
        |r| r.statistics.entropy = f64::NAN,
        |r| r.statistics.entropy = -1e-9,
        |r| r.statistics.entropy = f64::INFINITY,
    ];
    let argmax_others: &[Change] = &[|r| r.statistics.argmax_log_others = f64::NAN];
    let given: &[Change] = &[
        |r| r.statistics.given_log_probability = f64::NAN,
        |r| r.statistics.given_log_probability = 0.25,
    ];
    let divergence: &[Change] = &[|r| r.statistics.divergence = -0.25];
    let all = [log_others, log_probability, margin, entropy, argmax_others, given, divergence];
    let of = |of| {
        let mut policy = Policy::llada(3);
        policy.score.of = of;
        policy
    };
    let policies: [(Policy<'static>, &[usize]); 11] = [
        (of(ScoreOf::Probability), &[0]),
        (of(ScoreOf::LogProbability), &[0, 1]),
        (of(ScoreOf::Margin), &[2]),
        (of(ScoreOf::NegativeEntropy), &[3]),
        (of(ScoreOf::CappedProbability), &[1, 4]),
        (of(ScoreOf::NegativeDivergence), &[6]),
        (Policy::entropy_bound(0.4), &[3]),
        (Policy::klass(3), &[0, 6]),
        (Policy::wino(), &[0, 5]),
        (Policy::llada21(0.5, 0.4), &[0]),
        (Policy::diffusion_gemma(4), &[3]),
    ];
    for (policy, looked_at) in policies {
        let good = step_by_records(policy, |_| {}, false);
        let bad = step_by_records(policy, |_| {}, true);
        assert_ne!(good, bad);
        assert_eq!(bad.4.bad_rows, 1);
        for (k, change) in always.iter().enumerate() {
            assert_eq!(step_by_records(policy, change, false), bad, "{k} of {policy:?}");
        }
        for (i, changes) in all.iter().enumerate() {
            let expected = if looked_at.contains(&i) { &bad } else { &good };
            for (k, change) in changes.iter().enumerate() {
                let got = step_by_records(policy, change, false);
                assert_eq!(&got, expected, "{k} of {i} of {policy:?}");
            }
        }
    }

    // Without scores nothing but tokens is looked at.
    let policy = Policy::random_order(2);
    let all = Policy { select: Select::RandomOrder, ..policy };
    let mut tokens = [MASK; 6];
    let mut segments = [Segment { end: 6, ..Segment::default() }];
    let policies = [all];
    let mut sampler = Sampler::builder(6, 1).build().expect("a sampler");
    let mut plan = Plan::with_capacity(6, 1);
    let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies).expect("a canvas");
    sampler.plan(&canvas, &mut plan).expect("a plan");
    let drawn = Drawn { token: 2, state: RowState::Drawn };
    let records = [RowRecord::of(drawn, RowStatistics::BAD); 3];
    let report = sampler.advance(&mut canvas, &plan, 3, &records).expect("a step");
    assert_eq!((report.revealed, report.bad_rows), (3, 0));
    assert_eq!(tokens.iter().filter(|&&token| token == 2).count(), 3);
}

#[test]
fn halves_that_do_not_fit_are_refused_and_change_nothing() {
    let policies = [Policy::llada(3), Policy::klass(3)];
    let mut tokens = [MASK; 8];
    let segment = |i: u32, step| Segment {
        begin: 4 * i,
        end: 4 * i + 4,
        step,
        policy: i,
        ..Segment::default()
    };
    let mut states = [PositionState::default(); 8];
    let mut segments = [segment(0, 0), segment(1, 1)];
    let before = segments;
    let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)
        .and_then(|canvas| canvas.with_states(&mut states))
        .expect("a canvas");
    let mut sampler = Sampler::builder(8, 2).vocab(3).build().expect("a sampler");
    let mut narrow = Sampler::builder(3, 1).vocab(3).build().expect("a sampler");
    let mut plan = Plan::with_capacity(8, 2);
    sampler.plan(&canvas, &mut plan).expect("a plan");
    let data = [0.5f32; 9 * 3];
    let view = |rows: usize| Logits::f32(&data[..rows * 3], rows, 3).expect("a view");
    let mark = RowRecord { token: 5, ..RowRecord::BAD };
    let refused = |sampler: &mut Sampler, view: &Logits<'_>, first, count, message: &str| {
        let mut records = vec![mark; count];
        let error = sampler.step_rows(&canvas, &plan, view, first, &mut records);
        let error = error.expect_err(message).to_string();
        assert!(error.contains(message), "{error}");
        let same = |record: &RowRecord| bytemuck::bytes_of(record) == bytemuck::bytes_of(&mark);
        assert!(records.iter().all(same), "{message}");
    };
    refused(&mut sampler, &view(2), 0, 3, "row records is 3, but must be as many as the");
    refused(&mut sampler, &view(0), 9, 0, "first row is 9, but must be at most the plan's, 8");
    refused(&mut sampler, &view(0), usize::MAX, 0, "first row");
    refused(&mut sampler, &view(3), 6, 3, "logits rows is 3, but must be at most those");
    refused(&mut sampler, &view(2), 3, 2, "earlier rows is 0");
    refused(&mut narrow, &view(4), 0, 4, "rows is 4, but only 3 were reserved");
    let wide = Logits::f32(&data[..4], 1, 4).expect("a view");
    refused(&mut sampler, &wide, 0, 1, "vocab is 4, but only 3 were reserved");

    // The rows of the first segment do not read the earlier output, and nothing reads no rows.
    let mut records = [mark; 4];
    sampler.step_rows(&canvas, &plan, &view(4), 0, &mut records).expect("its rows");
    sampler.step_rows(&canvas, &plan, &view(0), 8, &mut []).expect("no rows");
    let refused = |result: Result<StepReport, demask::Error>, message: &str| {
        let error = result.expect_err(message).to_string();
        assert!(error.contains(message), "{error}");
    };
    let records = [RowRecord::BAD; 9];
    refused(sampler.advance(&mut canvas, &plan, 3, &records), "row records is 9");
    refused(sampler.advance(&mut canvas, &plan, 3, &records[..7]), "row records is 7");
    refused(sampler.advance(&mut canvas, &plan, 0, &records[..8]), "vocab is 0");
    let above = demask::MAX_VOCAB + 1;
    refused(sampler.advance(&mut canvas, &plan, above, &records[..8]), "vocab is 8388609");
    refused(narrow.advance(&mut canvas, &plan, 3, &records[..8]), "rows is 8, but only 3");
    let none = Plan::with_capacity(8, 2);
    refused(sampler.advance(&mut canvas, &none, 3, &[]), "segments of the plan is 0");
    assert_eq!((canvas.segments(), canvas.tokens()), (&before[..], &[MASK; 8][..]));
    let report = sampler.advance(&mut canvas, &plan, 3, &records[..8]).expect("bad rows");
    assert_eq!(report, StepReport { bad_rows: 8, ..StepReport::default() });
    let error = sampler.step_rows(&canvas, &plan, &view(4), 0, &mut [mark; 4]);
    let error = error.expect_err("a plan of a step that has been made").to_string();
    assert!(error.contains("planned step is 0"), "{error}");
}
