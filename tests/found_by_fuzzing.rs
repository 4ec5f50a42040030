//! What the fuzz targets have found, each as small as it can be.

use demask::draw::oracle;
use demask::schedule::NoiseTable;
use demask::{
    Constraints, Draw, Key, Level, Logits, Noise, Policy, RowOutputs, RowStatistics, Sampler,
    Statistics,
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
    let rows: [(&dyn Fn(usize) -> f32, f32); 6] = [
        (&lowest, 1.0),
        (&plain, 1e38),
        (&first_out, 1.0),
        (&lowest, f32::MAX),
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
