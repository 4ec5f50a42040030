//! What the fuzz targets have found, each as small as it can be.

use demask::draw::oracle;
use demask::policy::ScoreOf;
use demask::schedule::NoiseTable;
use demask::schedule::sizes::{MarkovSizes, Overshoot};
use demask::{
    Canvas, Constraints, Draw, Key, Level, Logits, Noise, Policy, RowOutputs, RowStatistics,
    Sampler, Segment, Sizes, Statistics,
};

/// Where the largest logit is close to the least float, or the temperature is so high that this is
/// close to all of them, −∞ must weigh nothing all the same: that which fills up the last block, too. Nor
/// may anything that lies below the largest logit where the next float is many temperatures away.
#[test]
fn what_is_far_below_weighs_nothing_wherever_floats_end_or_are_far_apart() {
    let (never, vocab) = (f32::NEG_INFINITY, 9_001);
    let lowest = |i: usize| if i % 3 == 1 { never } else { f32::MIN };
    let plain = |i: usize| if i % 3 == 1 { never } else { (i % 7) as f32 };
    let first_out = |i: usize| if i < 2_000 { never } else { f32::MIN };
    let high = |i: usize| if i.is_multiple_of(16) { 3.9e16 } else { 0.0 };
    let farthest = |i: usize| [f32::MIN, -80.0, f32::MAX][i % 3];
    let rows: [(&dyn Fn(usize) -> f32, f32); 8] = [
        (&lowest, 1.0),
        (&plain, 1e30),
        (&first_out, 1.0),
        (&lowest, 1e30),
        (&farthest, 1e30),
        (&farthest, 1.0),
        (&high, 1.0),
        (&plain, 1e-9),
    ];
    for (value, temperature) in rows {
        let row: Vec<f32> = (0..vocab).map(value).collect();
        for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
            let mut sampler = Sampler::builder(1, 1).level(level).build().expect("a sampler");
            let logits = Logits::f32(&row, 1, vocab).expect("a view");
            let mut statistics = [RowStatistics::BAD];
            let into = RowOutputs { statistics: &mut statistics, top: &mut [] };
            let wanted = Statistics { temperature, ..Statistics::default() };
            let (draw, keys) = (Draw::at(1.0), [Key::default()]);
            let drawn = sampler
                .draw_with_statistics(&logits, &draw, &Constraints::NONE, &keys, &wanted, into)
                .expect("a draw");
            let token = drawn[0].token as usize;
            let exact = oracle::statistics(&row, temperature.into(), None, token);
            let exact = exact.expect("a good row");
            for (name, ours, exact) in [
                ("entropy", statistics[0].entropy, exact.entropy),
                ("log_sum_exp", statistics[0].log_sum_exp, exact.log_sum_exp),
                ("log_others", statistics[0].log_others, exact.log_others),
                ("probability", statistics[0].probability, exact.probability),
            ] {
                let near = (ours - exact).abs() <= 2e-6 * exact.abs().max(1.0);
                assert!(near, "{name} is {ours}, not {exact}, at T {temperature}, {level}");
            }
        }
    }
}

/// The end of a grid and its whole width may add up to more than its start.
#[test]
fn a_uniform_grid_starts_at_its_start() {
    for (start, end) in [(0.67, 0.06), (0.3, 0.1), (0.7, 0.1), (1.0, 1e-3)] {
        let mut policy = Policy::euler(Noise::UnitRate, 7);
        (policy.schedule.start, policy.schedule.end) = (start, end);
        assert_eq!(policy.check(), Ok(()));
        assert_eq!((policy.grid_time(0), policy.grid_time(7)), (start, end));
    }
}

/// Time −0 is time 0.
#[test]
fn the_rate_at_either_zero_is_infinite() {
    let all =
        [Noise::Linear, Noise::Cosine, Noise::UnitRate, Noise::MaskgitCosine, Noise::Logarithmic];
    for noise in all {
        assert_eq!(noise.rate(-0.0), f64::INFINITY, "{noise:?}");
        assert_eq!(noise.rate(0.0), f64::INFINITY, "{noise:?}");
    }
}

/// A table that rises by less than a width can be divided by.
#[test]
fn rates_of_a_table_that_hardly_rises_are_numbers() {
    let table = NoiseTable::new(&[0.0, 0.37], &[0.0, 6.3e-322]).expect("a table");
    let noise = Noise::Table(&table);
    assert_eq!(noise.rate(0.0), f64::INFINITY);
    assert!((noise.rate(0.1) - 10.0).abs() < 1e-12, "{}", noise.rate(0.1));
}

/// Sums of a described law would overflow at higher temperatures, which would make the row bad.
#[test]
fn a_law_is_described_up_to_a_temperature_of_1e30() {
    for vocab in [13, 9_001] {
        let row: Vec<f32> = (0..vocab).map(|i| [f32::MAX, -80.0][i % 2]).collect();
        let logits = Logits::f32(&row, 1, vocab).expect("a view");
        let mut sampler = Sampler::builder(1, 1).build().expect("a sampler");
        let mut describe = |temperature| {
            let mut statistics = [RowStatistics::BAD];
            let into = RowOutputs { statistics: &mut statistics, top: &mut [] };
            let wanted = Statistics { temperature, ..Statistics::default() };
            let (draw, keys) = (Draw::at(1.0), [Key::default()]);
            sampler
                .draw_with_statistics(&logits, &draw, &Constraints::NONE, &keys, &wanted, into)
                .map(|drawn| drawn[0].token % 2)
                .map_err(|error| error.to_string())
        };
        assert_eq!(describe(1e30), Ok(0));
        assert_eq!(describe(f32::INFINITY), Ok(0));
        for temperature in [1e30f32.next_up(), f32::MAX, 0.0, -1.0, f32::NAN] {
            let expected = format!(
                "statistics.temperature is {}, but must be from 1e-30 to 1e30, or +inf",
                f64::from(temperature)
            );
            assert_eq!(describe(temperature), Err(expected));
        }
    }
}

/// c + (1 − c) is not 1 for a large c: the first step had temperature 0.
#[test]
fn a_temperature_cools_from_itself() {
    let vocab = 5;
    let row: Vec<f32> = (0..8 * vocab).map(|i| (i * 7 % 11) as f32).collect();
    for cooling in [1e30, 1e-30] {
        let mut policy = Policy::llada(4);
        policy.score.of = ScoreOf::NegativeEntropy;
        policy.schedule.cooling = cooling;
        for score in [1e-30, 1.0, 1e30, f32::INFINITY] {
            policy.score.temperature = score;
            let (mut tokens, mut segments) = ([-1; 8], [Segment { end: 8, ..Segment::default() }]);
            let policies = [policy];
            let mut sampler = Sampler::builder(8, 1).build().expect("a sampler");
            for _ in 0..4 {
                let logits = Logits::f32(&row, 8, vocab).expect("a view");
                let mut canvas =
                    Canvas::new(&mut tokens, -1, &mut segments, &policies).expect("a canvas");
                let report = sampler.step(&mut canvas, &logits).expect("a step");
                assert_eq!((report.revealed, report.bad_rows), (2, 0), "{cooling:e} {score:e}");
            }
        }
    }
}

/// With constants beyond these, sums of the weights of sizes overflowed.
#[test]
fn constants_of_sizes_have_a_range() {
    for constant in [1e-280, 1.0, 1e280] {
        let table = MarkovSizes::from_constants(43, 8, |_, _| constant).expect("a table");
        let overshoot = Overshoot::new(Sizes::Markov(&table), 43, 8).expect("good arguments");
        assert!(overshoot.values().iter().all(|over| (0.0..=43.0).contains(over)), "{constant:e}");
    }
    for constant in [1e-310, 1e281] {
        assert!(MarkovSizes::from_constants(43, 8, |_, _| constant).is_err(), "{constant:e}");
    }
}
