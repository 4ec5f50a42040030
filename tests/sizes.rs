//! Unmasking sizes: constants, lists and laws against their exact values.
//!
//! *False positives.* Seeds are fixed. With random seeds, each chi-square test here would fail a
//! correct implementation with probability 1e-6; there are fewer than 100.

use demask::schedule::sizes::{
    MarkovSizes, MaskFunction, Overshoot, Rounding, SizeList, SystematicSizes, Weight,
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

/// The sizes of a rule for one key.
fn drawn(sizes: Sizes<'_>, masks: u32, steps: u32, stream: u64) -> Vec<u32> {
    let mut list = vec![0; steps as usize];
    let key = Key { seed: 0x51E5, stream, ..Key::default() };
    sizes.draw_all(masks, key, &mut list).expect("a rule that serves");
    list
}

fn as_vec(list: &SizeList) -> Vec<u32> {
    list.sizes().collect()
}

#[test]
fn the_fractions_of_the_recursion() {
    let fractions: [(u32, u32, f64, f64); 19] = [
        (2, 3, 1.0, 3.0),
        (2, 4, 5.0, 11.0),
        (2, 5, 13.0, 25.0),
        (2, 6, 77.0, 137.0),
        (2, 7, 29.0, 49.0),
        (2, 8, 223.0, 363.0),
        (2, 9, 481.0, 761.0),
        (2, 10, 4609.0, 7129.0),
        (3, 4, 1.0, 6.0),
        (3, 6, 71.0, 225.0),
        (3, 8, 1276.0, 3283.0),
        (3, 10, 14139.0, 32575.0),
        (4, 5, 1.0, 10.0),
        (4, 6, 14.0, 85.0),
        (4, 8, 1665.0, 6769.0),
        (4, 10, 53669.0, 180920.0),
        (5, 6, 1.0, 15.0),
        (5, 8, 59.0, 392.0),
        (5, 10, 7807.0, 38475.0),
    ];
    for (steps, masks, top, bottom) in fractions {
        let v = MarkovSizes::tc_constant(masks, steps).expect("a constant");
        assert_close(v, top / bottom, 1e-15);
    }
    // The bound of theorem B, reached by one and two steps.
    for masks in 2..300u32 {
        let harmonic: f64 = (1..masks).map(|n| f64::from(n).recip()).sum();
        for steps in [1, 2, 3, 5, 17, 64, 250] {
            let v = MarkovSizes::tc_constant(masks, steps).expect("a constant");
            let bound = (harmonic - 1.0) / (harmonic + f64::from(steps) - 2.0);
            let bound = if masks == 2 { f64::from(steps == 1) } else { bound };
            assert!(v <= bound * (1.0 + 1e-13), "{masks} masks, {steps} steps: {v} > {bound}");
            assert!(steps > 2 || masks == 2 || v >= bound * (1.0 - 1e-13), "{masks} {steps}");
        }
    }
}

/// A chi-square test of counts against probabilities; cells that expect few go together.
#[track_caller]
fn assert_law<K: Ord + core::fmt::Debug>(
    counts: &BTreeMap<K, u32>,
    law: &BTreeMap<K, f64>,
    draws: u32,
) {
    let (mut statistic, mut cells, mut rare) = (0.0, 0.0, (0.0, 0.0));
    for (value, p) in law {
        let count = f64::from(counts.get(value).copied().unwrap_or(0));
        let expected = p * f64::from(draws);
        if expected >= 8.0 {
            statistic += (count - expected).powi(2) / expected;
            cells += 1.0;
        } else {
            rare = (rare.0 + count, rare.1 + expected);
        }
    }
    if rare.1 > 0.0 {
        // Below 8 expected the bound is that of the Poisson tail: 40 has probability 1e-15.
        if rare.1 >= 8.0 {
            statistic += (rare.0 - rare.1).powi(2) / rare.1;
            cells += 1.0;
        } else {
            assert!(rare.0 < 40.0, "{} rare values", rare.0);
        }
    }
    for value in counts.keys() {
        assert!(law.contains_key(value), "{value:?} is impossible");
    }
    let p = ChiSquared::new(cells - 1.0).expect("two cells").sf(statistic);
    assert!(p > 1e-6, "chi-square {statistic} with {} degrees: p = {p:e}", cells - 1.0);
}

fn count<K: Ord>(values: impl Iterator<Item = K>) -> BTreeMap<K, u32> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_insert(0) += 1;
    }
    counts
}

/// P(s | r masks, k steps) of TC-EQ: the recursion for v in plain f64, weights by their ratios.
fn markov_law(masks: usize, steps: usize) -> BTreeMap<u32, f64> {
    let mut v = vec![vec![0.0; masks + 1]; steps + 1];
    v[1] = (0..=masks).map(|r| f64::from(r >= 2)).collect();
    for k in 2..=steps {
        for u in k..masks {
            let (y, z) = (v[k][u], v[k - 1][u]);
            let u_ = u as f64;
            v[k][u + 1] = z * (u_ * y + 1.0 - y) / (u_ * z + 1.0 - y);
        }
    }
    let mut g = vec![0.0; masks];
    g[steps - 1] = 1.0;
    for u in steps..masks {
        let z = |u: usize| v[steps - 1][u];
        g[u] = g[u - 1] * (1.0 + (u as f64 - 2.0) * z(u - 1)) / (u as f64 * z(u));
    }
    let sum: f64 = g.iter().sum();
    (steps - 1..masks).map(|u| ((masks - u) as u32, g[u] / sum)).collect()
}

#[test]
fn the_oracle_of_markov_sizes_has_the_printed_laws() {
    let printed: [(usize, usize, &[f64], f64); 4] = [
        (6, 2, &[12.0, 15.0, 20.0, 30.0, 60.0], 137.0),
        (6, 3, &[10.0, 11.0, 12.0, 12.0], 45.0),
        (8, 3, &[126.0, 137.0, 150.0, 165.0, 180.0, 180.0], 938.0),
        (8, 4, &[232.0, 225.0, 210.0, 180.0, 120.0], 967.0),
    ];
    for (masks, steps, tops, bottom) in printed {
        let law: Vec<f64> = markov_law(masks, steps).into_values().collect();
        assert_eq!(law.len(), tops.len());
        for (p, top) in law.into_iter().zip(tops) {
            assert_close(p, top / bottom, 1e-14);
        }
    }
    let law = markov_law(512, 16);
    assert_close(law[&1], 0.00580221436, 1e-8);
    assert_close(law[&2], 0.00578246662, 1e-8);
    let mean: f64 = law.iter().map(|(&s, p)| f64::from(s) * p).sum();
    assert_close(mean, 123.625011, 1e-8);
}

#[test]
fn markov_sizes_have_their_law() {
    let draws = 200_000;
    // Also in a table that is larger than the segment.
    for (of_masks, of_steps, masks, steps) in
        [(6, 2, 6, 2), (6, 3, 6, 3), (8, 3, 8, 3), (8, 4, 8, 4), (512, 16, 512, 16), (90, 7, 31, 5)]
    {
        let table = markov(of_masks, of_steps);
        let sizes = (0..draws).map(|stream| {
            let key = Key { seed: 3, stream: stream.into(), ..Key::default() };
            Sizes::Markov(&table).size(masks, masks, 0, steps, key)
        });
        assert_law(&count(sizes), &markov_law(masks as usize, steps as usize), draws);
    }
    // Whole lists, forwards and in reverse: products of the laws of the steps.
    let table = markov(8, 4);
    let mut law = BTreeMap::new();
    let mut grow = vec![(Vec::new(), 8, 1.0)];
    for k in (1..=4).rev() {
        grow = grow
            .into_iter()
            .flat_map(|(list, left, p): (Vec<u32>, u32, f64)| {
                let next: BTreeMap<u32, f64> = match k {
                    1 => BTreeMap::from([(left, 1.0)]),
                    _ if left <= k => BTreeMap::from([(1, 1.0)]),
                    _ => markov_law(left as usize, k as usize),
                };
                next.into_iter().map(move |(size, q)| {
                    let longer = [list.as_slice(), &[size]].concat();
                    (longer, left - size, p * q)
                })
            })
            .collect();
    }
    for (list, _, p) in grow {
        law.insert(list, p);
    }
    let forward = (0..draws).map(|s| drawn(Sizes::Markov(&table), 8, 4, s.into()));
    assert_law(&count(forward), &law, draws);
    for stream in 0..1000 {
        let mut forward = drawn(Sizes::Markov(&table), 8, 4, stream);
        forward.reverse();
        assert_eq!(drawn(Sizes::MarkovReversed(&table), 8, 4, stream), forward);
    }
}

#[test]
fn systematic_gaps_and_lists_are_the_reference_values() {
    type Case<'a> = (Weight, f64, [f64; 7], &'a [(&'a [u32], f64)]);
    let cases: [Case<'_>; 3] = [
        (
            TC,
            0.342894393742,
            [
                0.134289439374,
                0.164276401565,
                0.175358539765,
                0.219035202086,
                0.321382007823,
                0.328552803129,
                0.657105606258,
            ],
            &[
                (&[5, 2, 1], 0.307040417),
                (&[4, 3, 1], 0.219035202),
                (&[3, 4, 1], 0.131029987),
                (&[3, 3, 2], 0.044328553),
                (&[2, 4, 2], 0.164276402),
                (&[1, 5, 2], 0.119947849),
                (&[1, 4, 3], 0.014341591),
            ],
        ),
        (
            DTC,
            0.407035175879,
            [
                0.592964824121,
                0.452261306533,
                0.281407035176,
                0.351758793970,
                0.321608040201,
                0.0,
                0.0,
            ],
            &[
                (&[2, 3, 3], 0.321608040),
                (&[2, 2, 4], 0.085427136),
                (&[1, 3, 4], 0.266331658),
                (&[1, 2, 5], 0.281407035),
                (&[1, 1, 6], 0.045226131),
            ],
        ),
        (
            ETC,
            0.847352024922,
            [
                0.465926791277,
                0.326713395639,
                0.262655763240,
                0.223520249221,
                0.227414330218,
                0.235202492212,
                0.258566978193,
            ],
            &[
                (&[3, 4, 1], 0.207359813),
                (&[2, 5, 1], 0.051207165),
                (&[2, 4, 2], 0.235202492),
                (&[2, 3, 3], 0.040303738),
                (&[1, 4, 3], 0.187110592),
                (&[1, 3, 4], 0.223520249),
                (&[1, 2, 5], 0.055295950),
            ],
        ),
    ];
    let draws = 200_000;
    for (weight, constant, gaps, lists) in cases {
        let table = systematic(8, 3, weight);
        assert_close(table.constant().expect("solved"), constant, 1e-11);
        for (gap, expected) in table.gaps().zip(gaps) {
            assert!((gap - expected).abs() < 1e-11, "{weight:?}: {gap}, not {expected}");
        }
        let law = lists.iter().map(|&(list, p)| (list.to_vec(), p)).collect();
        let all = (0..draws).map(|s| drawn(Sizes::Systematic(&table), 8, 3, s.into()));
        assert_law(&count(all), &law, draws);
        // Gaps in, the same table out.
        let gaps: Vec<f64> = table.gaps().collect();
        let again = SystematicSizes::from_gaps(&gaps).expect("a table");
        assert!(again.gaps().zip(&gaps).all(|(a, b)| (a - b).abs() < 1e-13));
        assert_eq!((again.masks(), again.steps(), again.constant()), (8, 3, None));
    }
    let places: [(Weight, &[(usize, f64)]); 3] = [
        (TC, &[(1, 0.00568310609), (256, 0.0112904374), (511, 0.846782808)]),
        (DTC, &[(1, 0.817998198), (2, 0.635996396), (256, 0.0114621952), (511, 0.0)]),
        (ETC, &[(1, 0.628590805), (256, 0.0104653375), (511, 0.628590805)]),
    ];
    for (weight, places) in places {
        let gaps: Vec<f64> = systematic(512, 16, weight).gaps().collect();
        for &(m, expected) in places {
            let gap = gaps[m - 1];
            assert!((gap - expected).abs() <= 1e-8 * expected, "{weight:?} {m}: {gap}");
        }
    }
}

/// The size list for one U, by the drawing rule in floating point.
fn systematic_list(gaps: &[f64], steps: usize, u: f64) -> Vec<u32> {
    let masks = gaps.len() + 1;
    let mut x = vec![0.0];
    for gap in gaps {
        x.push(x[x.len() - 1] + gap);
    }
    x[masks - 1] = (steps - 1) as f64;
    let mut ends = vec![0];
    for j in 1..steps {
        let below = x.iter().filter(|&&place| place < j as f64 - u).count();
        ends.push(below.max(ends[j - 1] + 1).min(masks - (steps - j)));
    }
    ends.push(masks);
    ends.windows(2).map(|pair| (pair[1] - pair[0]) as u32).collect()
}

#[test]
fn systematic_lists_of_512() {
    let printed: [(Weight, f64, [u32; 16]); 3] = [
        (TC, 0.25, [117, 115, 82, 58, 42, 29, 21, 15, 10, 7, 6, 3, 3, 2, 1, 1]),
        (DTC, 0.5, [1, 2, 2, 3, 4, 6, 8, 11, 15, 22, 30, 41, 57, 79, 110, 121]),
        (ETC, 0.75, [1, 2, 4, 7, 12, 22, 37, 58, 82, 95, 87, 57, 29, 13, 4, 2]),
    ];
    for (weight, u, expected) in printed {
        let table = systematic(512, 16, weight);
        let gaps: Vec<f64> = table.gaps().collect();
        assert_eq!(systematic_list(&gaps, 16, u), expected, "{weight:?}");
        // The library's own lists follow the same rule at their own U.
        for stream in 0..2000 {
            let key = Key { seed: 0x51E5, stream, ..Key::default() };
            let word = key.generator(Purpose::Sizes).next_u64();
            let u = (word >> 16) as f64 / (1u64 << 48) as f64;
            let expected = systematic_list(&gaps, 16, u);
            assert_eq!(drawn(Sizes::Systematic(&table), 512, 16, stream), expected);
        }
    }
}

#[test]
fn lists_by_rule_are_the_printed_ones() {
    let geometric = |zeta| SizeList::tc_geometric(512, zeta).expect("a list");
    assert_eq!(as_vec(&geometric(2)), [256, 128, 64, 32, 16, 8, 4, 2, 1, 1]);
    let mut reverse = as_vec(&SizeList::dtc_geometric(512, 2).expect("a list"));
    reverse.reverse();
    assert_eq!(reverse, as_vec(&geometric(2)));
    for (zeta, rounds) in
        [(2, 10), (3, 17), (4, 23), (5, 28), (8, 43), (12, 61), (16, 78), (29, 126), (32, 136)]
    {
        assert_eq!(geometric(zeta).steps(), rounds, "zeta {zeta}");
    }
    assert_eq!(SizeList::largest_tc_geometric(512, 8), None);
    assert_eq!(SizeList::largest_tc_geometric(512, 64), Some(geometric(12)));
    assert_eq!(
        drawn(Sizes::COSINE, 512, 16, 0),
        [3, 7, 13, 16, 22, 26, 30, 33, 38, 40, 43, 46, 47, 49, 49, 50]
    );
    assert_eq!(drawn(Sizes::Even, 10, 4, 0), [3, 3, 2, 2]);
    // Rounded up, the linear function is ⌊kL/K⌋ revealed.
    let linear = Sizes::Mask(MaskFunction::Linear, Rounding::Ceil);
    assert_eq!(drawn(linear, 10, 4, 0), [2, 3, 2, 3]);
}
