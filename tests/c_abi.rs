//! The C ABI from outside: `make -C ffi-tests check` passes, and whole generations and draws of every
//! kind in C give the same tokens as in Rust.

#![cfg(target_os = "linux")]

use demask::policy::FilterOrder;
use demask::schedule::sizes::MarkovSizes;
use demask::{
    AllowedTokens, Canvas, Constraints, Draw, Finish, Key, Logits, LogitsData, Noise, Plan, Policy,
    RowBias, RowOutputs, RowStatistics, Sampler, Segment, Select, Statistics, TimeGrid, TopToken,
};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

#[test]
fn c_programs_pass_and_draw_the_same_tokens() {
    let ffi_tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("ffi-tests");
    let check = Command::new("make")
        .arg("-C")
        .arg(ffi_tests)
        .arg("check")
        .output()
        .expect("make and a C compiler are installed");
    let report = String::from_utf8_lossy(&check.stdout);
    println!("{report}{}", String::from_utf8_lossy(&check.stderr));
    assert!(check.status.success(), "a check of ffi-tests failed; see above");
    assert!(report.contains(" passed, 0 failed"), "the checks were not made");

    let from_rust = markov::report();
    assert_eq!(from_rust.lines().count(), 16 * 257, "generations of 256 sequences");
    assert_same("first_hitting", &from_rust);
    let from_rust = sizes::report();
    let lines = from_rust.lines().count();
    assert_eq!(lines, 5 * (19 + 22) + 16, "19 plain rules, 22 tables, and 16 lines of numbers");
    assert_same("sizes", &from_rust);
    let from_rust = draws::report();
    assert_eq!(from_rust.lines().count(), 53, "29 draws, and statistics of 24 rows");
    assert_same("draws", &from_rust);
    let from_rust = shards::report();
    assert_eq!(from_rust.lines().count(), 25, "12 races, 12 rows and a step");
    assert_same("shards", &from_rust);
}

/// A program of `ffi-tests` prints what Rust does.
fn assert_same(name: &str, from_rust: &str) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target/tmp");
    let program = target.join(format!("ffi-tests/{name}-static"));
    let from_c = Command::new(program).output().expect("ffi-tests built it");
    let from_c = String::from_utf8(from_c.stdout).expect("numbers and names");
    for (number, (c, rust)) in from_c.lines().zip(from_rust.lines()).enumerate() {
        assert_eq!(c, rust, "{name}, line {number}");
    }
    assert_eq!(from_c, from_rust, "{name}");
}

/// The lists and numbers of `ffi-tests/sizes.c`, which says what they are.
mod sizes {
    use super::*;
    use demask::Sizes;
    use demask::schedule::sizes::{
        MarkovSizes, MaskFunction, Overshoot, Profile, ProfileEstimator, Rounding, SizeList,
        SystematicSizes, Weight,
    };

    const MASKS: u32 = 40;
    const STEPS: u32 = 7;

    fn write(report: &mut String, name: &str, sizes: Sizes<'_>, steps: u32) {
        for stream in 0..5 {
            let key = Key { seed: 7, stream, step: 3, position: 9 };
            let mut list = vec![0; steps as usize];
            sizes.draw_all(MASKS, key, &mut list).expect("a rule that serves");
            report.push_str(name);
            for size in list {
                write!(report, " {size}").expect("a string");
            }
            report.push('\n');
        }
    }

    pub(super) fn report() -> String {
        let mut report = String::new();
        write(&mut report, "rule-0", Sizes::Even, STEPS);
        for (rounding, more) in [(Rounding::Floor, 0), (Rounding::Ceil, 256)] {
            let functions = [
                MaskFunction::Linear,
                MaskFunction::Cosine,
                MaskFunction::Square,
                MaskFunction::Cubic,
                MaskFunction::SquareRoot,
                MaskFunction::Exponential,
                MaskFunction::Logarithmic,
            ];
            for (number, function) in (1 + more..).zip(functions) {
                let name = format!("rule-{number}");
                write(&mut report, &name, Sizes::Mask(function, rounding), STEPS);
            }
        }
        let more = [Sizes::EvenReversed, Sizes::Expected, Sizes::Binomial, Sizes::Kappa];
        for (number, sizes) in [10, 12, 13, 14].into_iter().zip(more) {
            write(&mut report, &format!("rule-{number}"), sizes, STEPS);
        }
        let list = SizeList::new(&[1, 9, 2, 8, 3, 7, 10]).expect("a list");
        write(&mut report, "list", Sizes::List(&list), STEPS);
        write(&mut report, "list-reversed", Sizes::List(&list.reversed()), STEPS);
        let tc = SizeList::tc_geometric(MASKS, 3).expect("a list");
        let dtc = SizeList::dtc_geometric(MASKS, 3).expect("a list");
        for (name, list) in [("geometric-0", tc), ("geometric-1", dtc)] {
            write(&mut report, name, Sizes::List(&list), list.steps());
        }
        let table = MarkovSizes::tc(MASKS + 5, STEPS + 2).expect("a table");
        write(&mut report, "markov", Sizes::Markov(&table), STEPS);
        write(&mut report, "markov-reversed", Sizes::MarkovReversed(&table), STEPS);
        write(&mut report, "markov-again", Sizes::Markov(&table), STEPS);
        let constant = |k: u32, _| 2.0 / (1.0 + f64::from(k));
        let table = MarkovSizes::from_constants(MASKS, STEPS, constant).expect("a table");
        write(&mut report, "constants", Sizes::Markov(&table), STEPS);
        let weights = [
            Weight::TotalCorrelation,
            Weight::DualTotalCorrelation,
            Weight::EffectiveTotalCorrelation,
        ];
        for (number, weight) in weights.into_iter().enumerate() {
            let table = SystematicSizes::new(MASKS, STEPS, weight).expect("a table");
            let name = format!("systematic-{number}");
            write(&mut report, &name, Sizes::Systematic(&table), STEPS);
        }
        let weights: Vec<f64> = (1..MASKS).map(|m| 0.5 + f64::from(m % 3)).collect();
        let table = SystematicSizes::for_weights(MASKS, STEPS, &weights).expect("a table");
        write(&mut report, "weights", Sizes::Systematic(&table), STEPS);
        let smooth: Vec<f64> = (0..MASKS).map(|m| 1.0 / (1.0 + 0.25 * f64::from(m))).collect();
        let profile = Profile::new(&smooth).expect("a profile");
        let list = SizeList::square_root(&profile, STEPS).expect("a list");
        write(&mut report, "square-root", Sizes::List(&list), STEPS);
        let list = SizeList::optimal(&profile, STEPS).expect("a list");
        write(&mut report, "optimal", Sizes::List(&list), STEPS);
        write_more_tables(&mut report);
        write_constants(&mut report);
        write_policies(&mut report);
        write_profiles(&mut report);
        report
    }

    fn write_more_tables(report: &mut String) {
        let tc = SizeList::tc_for_accuracy(MASKS, 2.0, 0.75).expect("a list");
        let dtc = SizeList::dtc_for_accuracy(MASKS, 2.0, 0.75).expect("a list");
        let in_steps = SizeList::largest_tc_geometric(MASKS, 12).expect("a list");
        let reversed = in_steps.reversed();
        let odds = SizeList::reveal_odds(MASKS, 12).expect("a list");
        for (name, list) in [
            ("accuracy-0", tc),
            ("in-steps-0", in_steps),
            ("accuracy-1", dtc),
            ("in-steps-1", reversed),
            ("odds", odds),
        ] {
            write(report, name, Sizes::List(&list), list.steps());
        }
        let table = MarkovSizes::tc_closed_form(MASKS, STEPS).expect("a table");
        write(report, "closed-form", Sizes::Markov(&table), STEPS);
        let weight = |k: u32, u: u32| match u % 5 {
            4 if u >= k => f64::NEG_INFINITY,
            _ => 0.125 * f64::from(u),
        };
        let table = MarkovSizes::from_log_weights(MASKS, STEPS, weight).expect("a table");
        write(report, "log-weights", Sizes::Markov(&table), STEPS);
        let mut gaps: Vec<f64> =
            (0..MASKS - 1).map(|m| [0.375, 0.0, 0.0][m as usize % 3]).collect();
        (gaps[20], gaps[38]) = (1.0, 0.125);
        let table = SystematicSizes::from_gaps(&gaps).expect("a table");
        write(report, "gaps", Sizes::Systematic(&table), STEPS);
    }

    fn write_bits(report: &mut String, name: &str, numbers: &[f64]) {
        let bits = numbers.iter().map(|number| format!(" {:016x}", number.to_bits()));
        writeln!(report, "{name}{}", bits.collect::<String>()).expect("a string");
    }

    fn write_constants(report: &mut String) {
        let constant = MarkovSizes::tc_constant(MASKS, STEPS).expect("good arguments");
        write_bits(report, "markov-constant", &[constant]);
        let table = MarkovSizes::tc_closed_form(MASKS, STEPS).expect("a table");
        write_bits(report, "closed-form-constant", &[table.constant().expect("a bound")]);
        let weight = Weight::EffectiveTotalCorrelation;
        let table = SystematicSizes::new(MASKS, STEPS, weight).expect("a table");
        write_bits(report, "systematic-gaps", &table.gaps().collect::<Vec<_>>());
        write_bits(report, "systematic-constant", &[table.constant().expect("it is solved")]);
        let weights: Vec<f64> = (1..MASKS).map(|m| 0.5 + f64::from(m % 3)).collect();
        let overshoot = Overshoot::new(Sizes::COSINE, MASKS, STEPS).expect("good arguments");
        let constant = overshoot.constant_for(&weights).expect("good weights");
        write_bits(report, "cosine-constant", &[constant]);
        let overshoot = Overshoot::bernoulli(MASKS, &[0.25, 0.5, 1.0]).expect("good times");
        write_bits(report, "bernoulli", overshoot.values());
    }

    fn write_policies(report: &mut String) {
        for (number, sizes, least, most) in [
            (11, Sizes::Fixed(6), 0, 0),
            (9, Sizes::TimeRatio { end: 0.001 }, 0, 0),
            (14, Sizes::Kappa, 0, 0),
            (13, Sizes::Binomial, 0, 0),
            (2, Sizes::COSINE, 4, 7),
            (12, Sizes::Expected, 1, 0),
        ] {
            let mut schedule = Policy::random_order(STEPS).schedule;
            (schedule.noise, schedule.end, schedule.sizes) = (Noise::Cosine, 0.125, sizes);
            (schedule.least, schedule.most) = (least, most);
            let key = Key { seed: 7, stream: 4, step: 3, position: 9 };
            let mut left = MASKS;
            write!(report, "policy-{number}").expect("a string");
            for step in 0..STEPS {
                let size = schedule.size(MASKS, left, step, key);
                write!(report, " {size}").expect("a string");
                left -= size;
            }
            report.push('\n');
        }
    }

    fn write_profiles(report: &mut String) {
        let noisy =
            |m: u32| 0.015625 * f64::from(MASKS - m) + (f64::from(m * 7 % 11) - 5.0) * 0.03125;
        let noisy: Vec<f64> = (0..MASKS).map(noisy).collect();
        let weights: Vec<f64> = (0..MASKS).map(|m| f64::from(1 + m % 4)).collect();
        let profile = Profile::isotonic(&noisy, &weights).expect("a profile");
        write_bits(report, "isotonic", profile.values());
        let weights = [
            Weight::TotalCorrelation,
            Weight::DualTotalCorrelation,
            Weight::EffectiveTotalCorrelation,
        ];
        write_bits(report, "complexity", &weights.map(|weight| profile.complexity(weight)));
        let mut estimator = ProfileEstimator::new(MASKS).expect("an estimator");
        for call in 0..100 {
            let revealed = call * 3 % (MASKS - 1);
            let value = |i: u32| {
                -0.03125 * f64::from((call * 5 + i * 11) % 17)
                    - 0.0625 * f64::from(MASKS - revealed)
            };
            estimator.observe(revealed, (0..=call % 4).map(value)).expect("good values");
        }
        let profile = estimator.profile().expect("it was observed");
        write_bits(report, "measured", profile.values());
        let moments = [estimator.mean(3), estimator.standard_error(3)];
        write_bits(report, "moments", &moments.map(|moment| moment.expect("8 calls")));
    }
}

/// The draws of `ffi-tests/draws.c`, which says what they are.
mod draws {
    use super::*;
    use demask::{bf16, f16};

    const ROWS: usize = 24;
    const VOCAB: usize = 1003;
    const STRIDE: usize = 1010;
    const WORDS: usize = VOCAB.div_ceil(32);
    const MANY: usize = 5;
    const TOP: usize = 3;

    pub(super) fn report() -> String {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state
        };
        let data: Vec<f32> = (0..ROWS * STRIDE).map(|_| (next() >> 25) as f32 / 8.0).collect();
        let guide: Vec<f32> = (0..ROWS * VOCAB).map(|_| (next() >> 20) as f32 / 256.0).collect();
        let words: Vec<u32> = (0..ROWS * WORDS).map(|_| next()).collect();
        let halves: Vec<f16> = data.iter().map(|&x| f16::from_f32(x)).collect();
        let brains: Vec<bf16> = data.iter().map(|&x| bf16::from_f32(x)).collect();
        let banned: Vec<u32> = (0..VOCAB as u32).step_by(5).collect();
        let bias: Vec<(u32, f32)> =
            (0..VOCAB as u32).step_by(7).map(|v| (v, (v % 16) as f32 / 4.0 - 1.0)).collect();
        let keys: Vec<Key> = (0..ROWS as u32)
            .map(|position| Key { seed: 2024, stream: 7, step: 3, position })
            .collect();
        let logits = |data| Logits::new(data, ROWS, VOCAB, STRIDE, None).expect("they fit");
        let plain = Draw::at(1.5);
        let filters = [
            ("plain", plain),
            ("top-k", Draw { top_k: 40, ..plain }),
            ("top-p", Draw { top_p: 0.75, ..plain }),
            ("min-p", Draw { min_p: 0.25, ..plain }),
            (
                "top-p at 1",
                Draw { top_p: 0.75, filter_order: FilterOrder::BeforeTemperature, ..plain },
            ),
            ("all filters", Draw { top_k: 40, top_p: 0.95, min_p: 0.03125, ..plain }),
        ];
        let mut sampler = Sampler::builder(ROWS * MANY, 1).build().expect("good arguments");
        let mut lines = String::new();
        let mut tokens = Vec::new();
        let mut draw = |name: &str, logits: &_, draw: &_, constraints: &_, draws| {
            let drawn = sampler.draw_many(logits, draw, constraints, &keys, draws);
            tokens = drawn.expect("good arguments").iter().map(|drawn| drawn.token).collect();
            lines += &line(name, &tokens);
            tokens[0]
        };
        let types = [
            ("f32", LogitsData::F32(&data)),
            ("f16", LogitsData::F16(&halves)),
            ("bf16", LogitsData::Bf16(&brains)),
        ];
        let mut first = 0;
        for (of, data) in types {
            for (filter, rule) in &filters {
                let name = format!("{of}, {filter}");
                first = draw(&name, &logits(data), rule, &Constraints::NONE, 1);
            }
        }

        let mut logits = logits(LogitsData::F32(&data));
        let mut excluded = Constraints::excluding(Some(first as u32));
        let allowed = |stride| Some(AllowedTokens { words: &words, stride });
        let none = Constraints::NONE;
        draw("excluded", &logits, &plain, &excluded, 1);
        draw("banned", &logits, &plain, &Constraints { banned: &banned, ..none }, 1);
        draw("bias", &logits, &plain, &Constraints { bias: &bias, ..none }, 1);
        draw("allowed", &logits, &plain, &Constraints { allowed: allowed(WORDS), ..none }, 1);
        let shared = Constraints { allowed: allowed(0), ..none };
        draw("allowed, shared", &logits, &plain, &shared, 1);
        let offsets: Vec<u32> = (0..=ROWS as u32).map(|i| 2 * i).collect();
        let entries: Vec<(u32, f32)> = (0..ROWS as u32)
            .flat_map(|i| [(11 * i, 6.0), (11 * i + 1, f32::NEG_INFINITY)])
            .collect();
        let row_bias = Some(RowBias { offsets: &offsets, entries: &entries });
        let last = draw("row bias", &logits, &plain, &Constraints { row_bias, ..none }, 1);
        excluded.excluded = Some(last as u32);
        let (banned, bias) = (&banned, &bias);
        let all = Constraints { banned, bias, row_bias, allowed: allowed(WORDS), ..excluded };
        draw("all constraints", &logits, &plain, &all, 1);

        let guide = Logits::f32(&guide, ROWS, VOCAB).expect("they fit");
        logits = logits.guided(&guide, 1.75).expect("a fitting guide");
        draw("guidance", &logits, &plain, &none, 1);
        draw("everything, several draws", &logits, &filters[5].1, &all, MANY);

        let given: Vec<u32> = (0..ROWS as u32).map(|i| 40 * i).collect();
        let wanted = Statistics {
            temperature: 1.25,
            given: &given,
            against: Some(guide),
            ..Statistics::default()
        };
        let mut statistics = [RowStatistics::BAD; ROWS];
        let mut top = [TopToken::NONE; ROWS * TOP];
        let into = RowOutputs { statistics: &mut statistics, top: &mut top };
        let drawn =
            sampler.draw_with_statistics(&logits, &filters[5].1, &all, &keys, &wanted, into);
        let tokens: Vec<i32> =
            drawn.expect("good arguments").iter().map(|drawn| drawn.token).collect();
        lines += &line("with statistics", &tokens);
        for (k, (row, top)) in statistics.iter().zip(top.chunks(TOP)).enumerate() {
            lines += &described(k, row, top);
        }

        let mut policy = Policy::random_order(1);
        policy.draw = filters[5].1;
        policy.draw.filter_order = FilterOrder::BeforeTemperature;
        let mut tokens = [-1; ROWS];
        let mut segments =
            [Segment { end: ROWS as u32, seed: 2024, stream: 7, ..Segment::default() }];
        let policies = [policy];
        let canvas = Canvas::new(&mut tokens, -1, &mut segments, &policies);
        sampler.step(&mut canvas.expect("it fits"), &logits).expect("good arguments");
        lines + &line("a step", &tokens)
    }

    /// The bits of a row's statistics.
    fn described(k: usize, row: &RowStatistics, top: &[TopToken]) -> String {
        let numbers = [
            row.log_sum_exp,
            row.entropy,
            row.probability,
            row.log_probability,
            row.log_others,
            row.margin,
            row.argmax_log_others,
            row.log_margin_gap,
            row.given_log_probability,
            row.divergence,
            row.max.into(),
        ];
        let bits = |x: f64| format!(" {:016x}", x.to_bits());
        let numbers: String = numbers.map(bits).concat();
        let top = top.iter().map(|top| format!(" {}{}", top.token, bits(top.logit.into())));
        format!("row {k}:{numbers} {}{}\n", row.argmax, top.collect::<String>())
    }

    fn line(name: &str, tokens: &[i32]) -> String {
        let texts: Vec<_> = tokens.iter().map(i32::to_string).collect();
        format!("{name}: {}\n", texts.join(" "))
    }
}

/// The shards of `ffi-tests/shards.c`, which says what they are; here one shard.
mod shards {
    use super::*;
    use demask::draw::shard::{Shard, ShardMerge, ShardRecords, ShardToken};
    use demask::policy::DrawMethod;
    use demask::{Level, RowRecord};

    const ROWS: usize = 12;
    const VOCAB: usize = 1500;

    fn bits(x: f64) -> String {
        format!(" {:016x}", if x.is_nan() { 0 } else { x.to_bits() })
    }

    pub(super) fn report() -> String {
        let mut state = 3u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state
        };
        let mut data: Vec<f32> = (0..ROWS * VOCAB).map(|_| (next() >> 20) as f32 / 256.0).collect();
        data[7 * VOCAB + 800] = f32::NAN;
        let words: Vec<u32> = (0..VOCAB.div_ceil(32)).map(|_| next() | next()).collect();
        let given: Vec<i32> = (0..ROWS as i32).map(|k| if k == 2 { -1 } else { 100 * k }).collect();
        let keys: Vec<Key> = (0..ROWS as u32)
            .map(|position| Key { seed: 2024, stream: 5, step: 1, position })
            .collect();
        let constraints = Constraints {
            banned: &[1, 299, 1200],
            allowed: Some(AllowedTokens { words: &words, stride: 0 }),
            ..Constraints::excluding(Some(1499))
        };
        let logits = Logits::f32(&data, ROWS, VOCAB).expect("they fit");
        let mut sampler = Sampler::builder(ROWS, 1).build().expect("good arguments");
        let mut lines = String::new();

        let draw = Draw { method: DrawMethod::ExponentialRace, ..Draw::at(0.75) };
        let raced = sampler.race_shard(&logits, 0, &draw, &constraints, &keys);
        for (k, result) in raced.expect("good arguments").iter().enumerate() {
            let score = bits(result.score) + &bits(result.score_rest);
            writeln!(lines, "race {k}: {}{score}", result.token).expect("a string takes all");
        }

        let shard = Shard { offset: 0, vocab: VOCAB };
        let mut records = ShardRecords::with_capacity(ROWS, VOCAB);
        sampler
            .shard_records(&logits, shard, 0.75, &constraints, &given, &mut records)
            .expect("good arguments");
        let mut merge = ShardMerge::new(Level::detect(), ROWS, VOCAB).expect("a merge");
        merge.merge(&[&records], &keys).expect("all of the vocabulary");
        let mut tokens = [ShardToken::NONE; ROWS];
        let blocks = merge.blocks();
        sampler
            .shard_tokens(&logits, shard, 0.75, &constraints, &keys, blocks, &mut tokens)
            .expect("good arguments");
        let drawn = merge.finish(&[&tokens]).expect("all tokens").to_vec();
        for (k, (drawn, row)) in drawn.iter().zip(merge.statistics()).enumerate() {
            let numbers = [
                row.log_sum_exp,
                row.entropy,
                row.probability,
                row.log_others,
                row.margin,
                row.given_log_probability,
            ];
            let numbers = numbers.map(bits).concat();
            writeln!(lines, "row {k}: {} {}{numbers}", drawn.token, row.argmax)
                .expect("a string takes all");
        }

        let mut policy = Policy::llada(6);
        policy.score.temperature = 0.75;
        let (mut tokens, policies) = ([-1; ROWS], [policy]);
        let mut segments = [Segment { end: ROWS as u32, ..Segment::default() }];
        let mut canvas = Canvas::new(&mut tokens, -1, &mut segments, &policies).expect("it fits");
        let mut plan = Plan::with_capacity(ROWS, 1);
        sampler.plan(&canvas, &mut plan).expect("it fits");
        let rows = drawn.iter().zip(merge.statistics());
        let records: Vec<_> = rows.map(|(&drawn, &row)| RowRecord::of(drawn, row)).collect();
        sampler.advance(&mut canvas, &plan, VOCAB, &records).expect("records of the plan");
        let texts: Vec<_> = tokens.iter().map(i32::to_string).collect();
        lines + &format!("step: {}\n", texts.join(" "))
    }
}

/// The generations of `ffi-tests/first_hitting.c`, which says what they are.
mod markov {
    use super::*;

    const STATES: usize = 8;
    const MASK: i32 = STATES as i32;
    const VOCAB: usize = STATES + 1;
    const LENGTH: usize = 32;
    const SEQUENCES: usize = 256;
    const STAY: f64 = 0.9;

    /// ln(x) for 0 < x <= 1 from the four operations that every language rounds alike.
    fn natural_log(mut x: f64) -> f64 {
        let mut halvings = 0.0;
        while x < 0.75 {
            x *= 2.0;
            halvings += 1.0;
        }
        let z = (x - 1.0) / (x + 1.0);
        let terms = (1..=41).rev().step_by(2);
        let series = terms.fold(0.0, |series, k| series * (z * z) + 1.0 / f64::from(k));
        2.0 * z * series - halvings * core::f64::consts::LN_2
    }

    /// Logarithms of the entries of the powers of the transition matrix, off and on the diagonal.
    fn log_powers() -> [[f64; 2]; LENGTH] {
        let uniform = 1.0 / STATES as f64;
        let lambda = STAY - (1.0 - STAY) / (STATES - 1) as f64;
        let mut power = 1.0;
        let mut logs = [[f64::NEG_INFINITY, 0.0]; LENGTH];
        for log in &mut logs[1..] {
            power *= lambda;
            *log = [uniform - power * uniform, uniform + power * (1.0 - uniform)].map(natural_log);
        }
        logs
    }

    /// The logits of canvas position `at`.
    fn denoise(logs: &[[f64; 2]; LENGTH], tokens: &[i32], at: u32) -> [f32; VOCAB] {
        let (sequence, here) = (at as usize / LENGTH, at as usize % LENGTH);
        let sequence = &tokens[sequence * LENGTH..][..LENGTH];
        let left = (0..here).rev().find(|&i| sequence[i] != MASK);
        let right = (here + 1..LENGTH).find(|&i| sequence[i] != MASK);
        core::array::from_fn(|v| {
            if v == STATES {
                return 30.0;
            }
            let log = |i: usize| logs[i.abs_diff(here)][usize::from(sequence[i] == v as i32)];
            (left.map_or(0.0, log) + right.map_or(0.0, log)) as f32
        })
    }

    /// Generates, and prints what C prints.
    fn generate(
        name: &str,
        policies: &[Policy],
        policy_of: impl Fn(usize) -> usize,
    ) -> Result<String, demask::Error> {
        let logs = log_powers();
        let mut tokens = vec![MASK; SEQUENCES * LENGTH];
        let mut segments: Vec<_> = (0..SEQUENCES)
            .map(|i| Segment {
                begin: (i * LENGTH) as u32,
                end: ((i + 1) * LENGTH) as u32,
                seed: 2024,
                stream: i as u64,
                policy: policy_of(i) as u32,
                ..Segment::default()
            })
            .collect();
        let mut sampler = Sampler::builder(tokens.len(), SEQUENCES).build()?;
        let mut plan = Plan::with_capacity(tokens.len(), SEQUENCES);
        let (mut calls, mut rows) = (0, 0);
        // The tokens that the network saw last of each sequence.
        let mut seen = tokens.clone();
        loop {
            let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, policies)?;
            sampler.plan(&canvas, &mut plan)?;
            if plan.active() == 0 {
                break;
            }
            let row = |&at: &u32| denoise(&logs, canvas.tokens(), at);
            let data: Vec<f32> = plan.rows().iter().flat_map(row).collect();
            let before = |&at: &u32| denoise(&logs, &seen, at);
            let earlier: Vec<f32> = plan.rows().iter().flat_map(before).collect();
            for (i, ends) in plan.offsets().windows(2).enumerate() {
                if ends[0] < ends[1] {
                    let sequence = i * LENGTH..(i + 1) * LENGTH;
                    seen[sequence.clone()].copy_from_slice(&canvas.tokens()[sequence]);
                }
            }
            let logits = Logits::f32(&data, plan.rows().len(), VOCAB)?;
            let earlier = Logits::f32(&earlier, plan.rows().len(), VOCAB)?;
            sampler.step_planned(&mut canvas, &plan, &logits.with_earlier(&earlier)?)?;
            calls += usize::from(!plan.rows().is_empty());
            rows += plan.rows().len();
        }

        let masks = tokens.iter().filter(|&&token| token == MASK).count();
        let pairs = tokens.chunks(LENGTH).flat_map(|sequence| sequence.windows(2));
        let stay = pairs.filter(|pair| pair[0] == pair[1] && pair[0] != MASK).count();
        let transitions = SEQUENCES * (LENGTH - 1);
        let mut lines = format!(
            "{name}: {calls} network calls, {rows} rows, {masks} masks left, \
             {stay} of {transitions} transitions stay\n"
        );
        for sequence in tokens.chunks(LENGTH) {
            let texts: Vec<_> = sequence.iter().map(i32::to_string).collect();
            writeln!(lines, "{}", texts.join(" ")).expect("a string takes all");
        }
        Ok(lines)
    }

    pub(super) fn report() -> String {
        let euler = |finish| {
            let mut policy = Policy::euler(Noise::Linear, 16);
            policy.schedule.end = 0.1;
            policy.stop.finish = finish;
            policy
        };
        let sizes = MarkovSizes::tc(LENGTH as u32, 10).expect("a table");
        let times = TimeGrid::new(&[0.9, 0.8, 0.2, 0.0]).expect("a grid");
        let mut predrawn =
            Policy::ancestral(Noise::Linear, 8).on_decaying_grid(1.0, 0.1).expect("a grid");
        predrawn.select = Select::PredrawnBernoulli;
        let mut scores = Policy::euler_score(Noise::Linear, 8);
        (scores.schedule.start, scores.schedule.end) = (0.5, 0.1);
        let mut policies = [
            Policy::first_hitting(Noise::Linear),
            euler(Finish::None),
            euler(Finish::Sample),
            euler(Finish::Argmax),
            Policy::random_order(10),
            Policy::tau_leaping(Noise::Linear, 8),
            Policy::theta_trapezoidal(Noise::Linear, 0.375, 8),
            Policy::first_hitting_extrapolated(Noise::Cosine, 8),
            predrawn,
            Policy::tc_adaptive(&sizes),
            scores,
            Policy::euler(Noise::Linear, 3).on_times(&times),
            Policy::dream(10),
            Policy::maskgit(10),
            Policy::fast_dllm(0.5),
        ];
        policies[5..12].iter_mut().for_each(|policy| policy.stop.finish = Finish::Sample);
        policies[12].score.last = &[0];
        policies[14].draw.temperature = 1.0;
        policies[9].stop.finish = Finish::None;
        let names = [
            "first-hitting",
            "euler",
            "euler-sample",
            "euler-argmax",
            "random-order",
            "tau-leaping",
            "trapezoidal",
            "extrapolated",
            "pre-drawn",
            "tc-sizes",
            "scores",
            "times",
            "dream",
            "maskgit",
            "fast-dllm",
        ];
        let pure = names.iter().enumerate().map(|(p, name)| generate(name, &policies, |_| p));
        pure.chain([generate("mixed", &policies, |i| i % policies.len())])
            .collect::<Result<String, _>>()
            .expect("good arguments")
    }
}
