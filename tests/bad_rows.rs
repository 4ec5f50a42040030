//! A defective row is marked and left alone; its neighbours are unharmed. Bad arguments are refused
//! by name, and nothing is changed.

use demask::{
    Canvas, Constraints, Draw, Drawn, Error, Key, Level, Logits, LogitsData, MAX_VOCAB, Noise,
    Plan, Policy, PositionKind, RowState, Sampler, Segment,
};

/// Ways to spoil the middle one of three rows.
fn spoil(row: &mut [f32], how: usize) {
    let last = row.len() - 1;
    match how {
        0 => row[0] = f32::NAN,
        1 => row[last / 2] = f32::NAN,
        2 => row[last] = -f32::NAN,
        3 => row[last / 3] = f32::INFINITY,
        4 => row.fill(f32::NEG_INFINITY),
        5 => row.fill(f32::NAN),
        _ => {
            // Only the excluded token is left.
            row.fill(f32::NEG_INFINITY);
            row[2.min(last)] = 1.0;
        }
    }
}

#[test]
fn bad_rows_are_marked_and_their_neighbours_unharmed() {
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        let mut sampler = Sampler::builder(3, 1).level(level).build().expect("a sampler");
        for vocab in [4, 15, 16, 17, 64, 1_000, 1_040, 5_003, 33_000] {
            let value = |i: usize| (i * 37 % 101) as f32 / 10.0;
            let good: Vec<f32> = (0..3 * vocab).map(value).collect();
            let keys = [1, 2, 3].map(|stream| Key { stream, ..Key::default() });
            for temperature in [0.0, 1.0, f32::INFINITY] {
                let view = Logits::f32(&good, 3, vocab).expect("a view");
                let clean = sampler
                    .draw(&view, &Draw::at(temperature), &Constraints::excluding(Some(2)), &keys)
                    .expect("ok")
                    .to_vec();
                assert!(clean.iter().all(|drawn| drawn.state == RowState::Drawn));
                for how in 0..7 {
                    let mut data = good.clone();
                    spoil(&mut data[vocab..2 * vocab], how);
                    let view = Logits::f32(&data, 3, vocab).expect("a view");
                    let drawn = sampler
                        .draw(
                            &view,
                            &Draw::at(temperature),
                            &Constraints::excluding(Some(2)),
                            &keys,
                        )
                        .expect("ok");
                    let expected = [clean[0], Drawn::BAD, clean[2]];
                    assert_eq!(
                        drawn, expected,
                        "V {vocab}, T {temperature}, defect {how}, {level}"
                    );
                }
            }
        }
    }
}

#[test]
fn extreme_but_finite_rows_are_good() {
    let mut sampler = Sampler::builder(1, 1).build().expect("a sampler");
    let mut draw = |row: &[f32], temperature| {
        let view = Logits::f32(row, 1, row.len()).expect("a view");
        sampler
            .draw(&view, &Draw::at(temperature), &Constraints::NONE, &[Key::default()])
            .expect("ok")[0]
    };
    for vocab in [2, 40, 5_000] {
        for temperature in [0.0, 1e-30, 1e-3, 1.0, 1e3] {
            for value in [-f32::MAX, -65_504.0, -1e-45, 0.0, 1e-45, 65_504.0, f32::MAX] {
                let mut row = vec![value; vocab];
                let flat = draw(&row, temperature);
                assert_eq!(flat.state, RowState::Drawn, "all {value} at T {temperature}");
                assert!((flat.token as usize) < vocab);
                row.fill(f32::NEG_INFINITY);
                row[vocab - 1] = value;
                let only = draw(&row, temperature);
                assert_eq!(only.token as usize, vocab - 1, "only {value} at T {temperature}");
            }
        }
    }
}

#[test]
fn a_bad_row_stays_masked() {
    let (mask, vocab) = (9, 8);
    for kinds in [false, true] {
        let mut tokens = [mask; 3];
        let mut marks = [PositionKind::MASKED; 3];
        let mut segments = [Segment { end: 3, ..Segment::default() }];
        let policies = [Policy::random_order(1)];
        let mut logits = vec![0.5; 3 * vocab];
        logits[vocab + 3] = f32::NAN;
        let mut canvas = Canvas::new(&mut tokens, mask, &mut segments, &policies).expect("ok");
        if kinds {
            canvas = canvas.with_kinds(&mut marks).expect("ok");
        }
        let mut sampler = Sampler::builder(3, 1).build().expect("a sampler");
        let logits = Logits::f32(&logits, 3, vocab).expect("a view");
        let report = sampler.step(&mut canvas, &logits).expect("ok");
        assert_eq!((report.revealed, report.bad_rows), (2, 1));
        assert!(tokens[0] != mask && tokens[1] == mask && tokens[2] != mask);
        if kinds {
            let done = PositionKind::COMMITTED;
            assert_eq!(marks, [done, PositionKind::MASKED, done]);
        }
        assert_eq!(segments[0].step, 1);
    }
}

/// The message of an error, which must name the argument and the value.
#[track_caller]
fn refused<T>(result: Result<T, Error>, words: &[&str]) {
    let message = result.err().expect("an error").to_string();
    for word in words {
        assert!(message.contains(word), "“{message}” does not say “{word}”");
    }
}

#[test]
fn bad_arguments_are_refused_by_name() {
    let data = [0.0f32; 24];
    let new = |rows, vocab, stride, index| {
        Logits::new(LogitsData::F32(&data), rows, vocab, stride, index)
    };
    refused(new(1, 0, 8, None), &["vocab", "0", "at least 1"]);
    refused(new(0, MAX_VOCAB + 1, MAX_VOCAB + 1, None), &["vocab", "8388609"]);
    refused(new(3, 8, 7, None), &["stride", "7", "8"]);
    refused(new(4, 8, 8, None), &["rows", "4", "24"]);
    refused(new(usize::MAX, 8, 8, None), &["rows"]);
    refused(new(3, 8, 8, Some(&[0, 3])), &["row index", "3"]);
    assert!(new(3, 8, 8, Some(&[2, 2, 0, 1])).is_ok());
    assert!(new(2, 8, 16, None).is_ok(), "the last row needs no full stride");

    let logits = Logits::f32(&data, 3, 8).expect("a view");
    let keys = [Key::default(); 3];
    let mut sampler = Sampler::builder(2, 1).build().expect("a sampler");
    refused(sampler.draw(&logits, &Draw::at(1.0), &Constraints::NONE, &keys), &["rows", "3", "2"]);
    refused(
        sampler.draw(&logits, &Draw::at(f32::NAN), &Constraints::NONE, &keys),
        &["temperature", "NaN"],
    );
    refused(
        sampler.draw(&logits, &Draw::at(-1.0), &Constraints::NONE, &keys),
        &["temperature", "-1"],
    );
    refused(sampler.draw(&logits, &Draw::at(1e-31), &Constraints::NONE, &keys), &["temperature"]);
    refused(
        sampler.draw(&logits, &Draw::at(1.0), &Constraints::NONE, &keys[..2]),
        &["keys", "2", "3"],
    );
    refused(Sampler::builder(1, 1).threads(0).build(), &["0 threads"]);

    let policies = [Policy::first_hitting(Noise::Linear)];
    let canvas = |segments: &mut [Segment], policies: &[Policy]| {
        let mut tokens = [0; 6];
        Canvas::new(&mut tokens, 0, segments, policies).map(|_| ())
    };
    let segment = Segment { begin: 1, end: 3, ..Segment::default() };
    refused(canvas(&mut [Segment { end: 7, ..segment }], &policies), &["segment end", "7", "6"]);
    refused(canvas(&mut [Segment { end: 0, ..segment }], &policies), &["segment end", "0", "1"]);
    refused(canvas(&mut [segment, segment], &policies), &["segment begin", "1", "3"]);
    refused(canvas(&mut [Segment { policy: 1, ..segment }], &policies), &["policy", "1"]);
    let last = Segment { step: u32::MAX, ..segment };
    refused(canvas(&mut [last], &policies), &["step", "4294967295"]);
    for log_masked in [f64::NAN, 0.1] {
        let segment = Segment { log_masked, ..segment };
        refused(canvas(&mut [segment], &policies), &["log_masked"]);
    }
    let mut policy = Policy::euler(Noise::Linear, 0);
    refused(canvas(&mut [segment], &[policy]), &["steps", "0"]);
    policy.schedule.steps = 4;
    policy.schedule.start = 1.5;
    refused(canvas(&mut [segment], &[policy]), &["start", "1.5"]);
    policy.schedule.noise = Noise::UnitRate;
    policy.schedule.start = f64::INFINITY;
    refused(canvas(&mut [segment], &[policy]), &["start", "inf"]);
    policy.schedule.start = 0.5;
    policy.schedule.end = 0.5;
    refused(canvas(&mut [segment], &[policy]), &["end", "0.5"]);
    policy.schedule.end = 0.0;
    policy.draw.temperature = f32::NAN;
    refused(canvas(&mut [segment], &[policy]), &["temperature", "NaN"]);

    let (mut tokens, mut segments) = ([0; 6], [segment]);
    let view = Canvas::new(&mut tokens, 0, &mut segments, &policies).expect("ok");
    refused(view.with_kinds(&mut [PositionKind::FIXED; 5]), &["kinds", "5", "6"]);
    let view = Canvas::new(&mut tokens, 0, &mut segments, &policies).expect("ok");
    refused(view.with_kinds(&mut [PositionKind(4); 6]), &["position kind", "4"]);
}

#[test]
fn a_refused_step_changes_nothing() {
    let policies = [Policy::random_order(2)];
    let (mut tokens, mut segments) =
        ([-1; 4], [Segment { begin: 0, end: 4, ..Segment::default() }]);
    let (tokens_before, segments_before) = (tokens, segments);
    let mut sampler = Sampler::builder(4, 1).build().expect("a sampler");
    let mut plan = Plan::with_capacity(4, 1);
    let data = [0.0f32; 64];
    {
        let mut canvas = Canvas::new(&mut tokens, -1, &mut segments, &policies).expect("ok");
        refused(sampler.plan(&canvas, &mut Plan::with_capacity(3, 1)), &["positions", "4", "3"]);
        refused(sampler.plan(&canvas, &mut Plan::with_capacity(4, 0)), &["segments", "1", "0"]);
        sampler.plan(&canvas, &mut plan).expect("a plan");
        assert_eq!(plan.rows().len(), 2);
        let three = Logits::f32(&data, 3, 8).expect("a view");
        refused(sampler.step_planned(&mut canvas, &plan, &three), &["logits rows", "3", "2"]);
        refused(sampler.step(&mut canvas, &three), &["logits rows", "3", "4"]);
        let mut small = Sampler::builder(1, 1).build().expect("a sampler");
        let two = Logits::f32(&data, 2, 8).expect("a view");
        refused(small.step_planned(&mut canvas, &plan, &two), &["rows", "2", "1"]);
        let other = Plan::with_capacity(4, 1);
        refused(sampler.step_planned(&mut canvas, &other, &Logits::none()), &["segments", "0"]);
    }
    assert_eq!((tokens, segments), (tokens_before, segments_before));
    // A plan whose rows are no longer masked.
    tokens[plan.rows()[0] as usize] = 3;
    let tokens_before = tokens;
    let mut canvas = Canvas::new(&mut tokens, -1, &mut segments, &policies).expect("ok");
    let two = Logits::f32(&data, 2, 8).expect("a view");
    refused(sampler.step_planned(&mut canvas, &plan, &two), &["planned row"]);
    assert_eq!((tokens, segments), (tokens_before, segments_before));
}
