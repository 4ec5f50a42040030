//! Unmasking sizes: constants, lists and laws against their exact values.
//!
//! *False positives.* Seeds are fixed. With random seeds, each chi-square test here would fail a
//! correct implementation with probability 1e-6; there are fewer than 100.

use demask::schedule::sizes::{
    MarkovSizes, MaskFunction, Overshoot, Profile, ProfileEstimator, Rounding, SizeList,
    SizeTables, SystematicSizes, Weight,
};
use demask::{Key, Purpose, Sizes};
use rand_xoshiro::rand_core::Rng;
use statrs::distribution::{ChiSquared, ContinuousCDF};
use std::collections::BTreeMap;

const TC: Weight = Weight::TotalCorrelation;
const DTC: Weight = Weight::DualTotalCorrelation;
const ETC: Weight = Weight::EffectiveTotalCorrelation;

#[track_caller]
fn assert_close(value: f64, expected: f64, tolerance: f64) {
    let apart = (value - expected).abs();
    assert!(apart <= tolerance * expected.abs(), "{value} instead of {expected}");
}

fn markov(masks: u32, steps: u32) -> MarkovSizes {
    MarkovSizes::tc(masks, steps).expect("a Markov table")
}

fn systematic(masks: u32, steps: u32, weight: Weight) -> SystematicSizes {
    SystematicSizes::new(masks, steps, weight).expect("a systematic table")
}

fn list(sizes: &[u32]) -> SizeList {
    SizeList::new(sizes).expect("a list")
}

fn overshoot(sizes: Sizes<'_>, masks: u32, steps: u32) -> Overshoot {
    Overshoot::new(sizes, masks, steps).expect("a rule that serves")
}

/// Table of constants at 512 masks: a row for 4, 8, 16, 32, 64 and 128 steps.
const STEPS: [u32; 6] = [4, 8, 16, 32, 64, 128];

#[test]
fn guaranteed_constants_are_the_reference_values() {
    // v* and v from an independent program (Python, bisection and recursion), which also met the
    // exact minimax linear program for small numbers.
    let systematic_rows = [
        (TC, [0.591507362, 0.322955988, 0.153217192, 0.066376119, 0.026636615, 0.009618237]),
        (DTC, [1.818149388, 0.499025303, 0.182001802, 0.070843062, 0.027231165, 0.009671592]),
        (ETC, [2.037348077, 0.807699280, 0.372136023, 0.160072872, 0.065541992, 0.024631863]),
    ];
    for (weight, row) in systematic_rows {
        for (steps, expected) in STEPS.into_iter().zip(row) {
            let table = systematic(512, steps, weight);
            // Nine decimals are printed.
            let near = |value: f64| (value - expected).abs() < 1e-8 * expected + 6e-10;
            assert!(table.constant().is_some_and(near), "{weight:?} {steps}: {table:?}");
            let reached = overshoot(Sizes::Systematic(&table), 512, steps).constant(weight);
            assert!(near(reached), "{weight:?} {steps}: {reached}");
        }
    }
    let forward = [0.651215459, 0.428636530, 0.239970668, 0.115762947, 0.048969482, 0.017873289];
    let reverse = [9.133225, 1.573383, 0.431445, 0.148870, 0.054159, 0.018527];
    for (i, steps) in STEPS.into_iter().enumerate() {
        let table = markov(512, steps);
        let constant = overshoot(Sizes::Markov(&table), 512, steps).constant(TC);
        assert!((constant - forward[i]).abs() < 6e-10, "{steps}: {constant}");
        assert_close(constant, table.constant().expect("proved"), 1e-12);
        let constant = overshoot(Sizes::MarkovReversed(&table), 512, steps).constant(DTC);
        assert!((constant - reverse[i]).abs() < 6e-7, "{steps}: {constant}");
        let even = overshoot(Sizes::Even, 512, steps);
        assert_eq!(even.constant(TC), 1.0);
        assert_eq!(even.constant(DTC), f64::from(512 / steps - 1));
        let cosine = [38.0, 9.0, 2.0, 0.5, 0.181818, 0.064516][i];
        let constant = overshoot(Sizes::COSINE, 512, steps).constant(DTC);
        assert!((constant - cosine).abs() < 6e-7, "{steps}: {constant}");
    }
    let both = [2.03, 0.806122, 0.371409, 0.159760, 0.065414, 0.024584];
    for (steps, expected) in STEPS.into_iter().zip(both) {
        let table = systematic(512, steps, ETC);
        let sizes = overshoot(Sizes::Systematic(&table), 512, steps);
        let near = |value: f64| (value - expected).abs() < if steps == 4 { 6e-3 } else { 6e-7 };
        assert!(near(sizes.constant(DTC)), "{steps}: {}", sizes.constant(DTC));
        let of_tc = sizes.constant(TC);
        assert!(if steps == 4 { (of_tc - 1.0).abs() < 0.05 } else { near(of_tc) }, "{of_tc}");
    }
    let geometric = [
        (16, 0.499022, 0.992218),
        (32, 0.198044, 0.246201),
        (64, 0.081023, 0.087963),
        (128, 0.032389, 0.033403),
    ];
    for (steps, of_tc, of_dtc) in geometric {
        let list = SizeList::largest_tc_geometric(512, steps).expect("a list");
        let value = overshoot(Sizes::List(&list), 512, list.steps()).constant(TC);
        assert!((value - of_tc).abs() < 6e-7, "{steps}: {value}");
        let value = overshoot(Sizes::List(&list.reversed()), 512, list.steps()).constant(DTC);
        assert!((value - of_dtc).abs() < 6e-7, "{steps}: {value}");
    }
}

#[test]
fn constants_of_other_lengths_are_the_reference_values() {
    let systematic_values = [
        (TC, 4, 0.623213711),
        (TC, 8, 0.354657544),
        (TC, 16, 0.174755715),
        (TC, 32, 0.0788904545),
        (TC, 64, 0.0335107210),
        (TC, 128, 0.0133447451),
        (DTC, 8, 0.591489454),
        (DTC, 16, 0.215340498),
        (DTC, 32, 0.0858400619),
        (DTC, 64, 0.0346068925),
        (DTC, 128, 0.0134919465),
        (ETC, 8, 0.880689056),
        (ETC, 16, 0.421686080),
        (ETC, 32, 0.187229794),
        (ETC, 64, 0.0801327835),
        (ETC, 128, 0.0327719449),
    ];
    for (weight, steps, expected) in systematic_values {
        let constant = systematic(1024, steps, weight).constant().expect("solved");
        assert_close(constant, expected, 1e-8);
    }
    let markov_values = [
        (1024, 2, 0.866812269443),
        (1024, 4, 0.678005906456),
        (1024, 16, 0.269224023146),
        (1024, 64, 0.061643365861),
        (1024, 128, 0.0251644373869),
        (4096, 512, 0.00642720562275),
        (32, 2, 0.751691304733),
        (32, 4, 0.468105967691),
        (32, 8, 0.224911916872),
        (32, 16, 0.0718976324696),
        (128, 2, 0.815679570922),
        (128, 8, 0.346177109081),
        (128, 32, 0.0674377716627),
        (128, 64, 0.0191523640561),
        (512, 2, 0.853255456014),
        (512, 3, 0.740394014425),
        (512, 4, 0.651215459482),
        (512, 8, 0.428636529922),
        (512, 16, 0.239970667678),
        (512, 32, 0.115762947446),
        (512, 64, 0.0489694819895),
        (512, 128, 0.0178732888746),
    ];
    for (masks, steps, expected) in markov_values {
        assert_close(MarkovSizes::tc_constant(masks, steps).expect("a constant"), expected, 1e-11);
        assert_close(markov(masks, steps).constant().expect("proved"), expected, 1e-11);
    }
    // The exact minimax linear program, five digits.
    let minimax = [
        (TC, 8, 2, 0.61433),
        (TC, 8, 4, 0.20253),
        (TC, 16, 3, 0.45878),
        (TC, 16, 6, 0.16470),
        (TC, 24, 12, 0.06177),
        (DTC, 8, 2, 1.06557),
        (DTC, 8, 4, 0.21212),
        (DTC, 16, 3, 0.72709),
        (DTC, 16, 6, 0.17569),
        (DTC, 24, 12, 0.06199),
        (ETC, 8, 2, 1.58411),
        (ETC, 8, 4, 0.49092),
        (ETC, 16, 3, 1.13752),
        (ETC, 16, 6, 0.41319),
        (ETC, 24, 12, 0.16137),
    ];
    for (weight, masks, steps, expected) in minimax {
        let constant = systematic(masks, steps, weight).constant().expect("solved");
        assert!((constant - expected).abs() < 6e-6, "{weight:?} {masks} {steps}: {constant}");
    }
}
