//! Unmasking sizes: constants, lists and laws against their exact values.
//!
//! *False positives.* Seeds are fixed. With random seeds, each chi-square test here would fail a
//! correct implementation with probability 1e-6; there are fewer than 100.

mod size_law;

use demask::schedule::sizes::{
    MarkovSizes, MaskFunction, Overshoot, Profile, ProfileEstimator, Rounding, SizeList,
    SizeTables, SystematicSizes, Weight,
};
use demask::schedule::{Grid, TimeGrid};
use demask::{Key, Noise, Policy, Purpose, Sizes};
use rand_xoshiro::rand_core::Rng;
use size_law::reference::{SCHEMES, SMALL_KL, SMALL_LISTS, STEPS, laws_of_8, laws_of_512};
use size_law::{Blocks, Chain, Law, Mds, Permutation, Polya};
use statrs::distribution::{Binomial, ChiSquared, ContinuousCDF, Discrete};
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

fn profile_of(law: &dyn Law) -> Profile {
    Profile::new(&law.profile()).expect("a profile")
}

/// E KL of a scheme of the table; `None` where its list does not exist.
fn expected_kl_of(scheme: &str, profile: &Profile, steps: u32) -> Option<f64> {
    let masks = profile.masks();
    let of = |sizes: Sizes<'_>, steps| {
        overshoot(sizes, masks, steps).expected_kl(profile).expect("the same masks")
    };
    let systematic_of = |weight| of(Sizes::Systematic(&systematic(masks, steps, weight)), steps);
    let geometric = SizeList::largest_tc_geometric(masks, steps);
    Some(match scheme {
        "UNIF" => of(Sizes::Mask(MaskFunction::Linear, Rounding::Ceil), steps),
        "UNIF-RP" => {
            let gap = f64::from(steps - 1) / f64::from(masks - 1);
            let gaps = vec![gap; masks as usize - 1];
            of(Sizes::Systematic(&SystematicSizes::from_gaps(&gaps).expect("a table")), steps)
        }
        "BERN" => {
            let times: Vec<f64> = (1..=steps).map(|k| f64::from(k) / f64::from(steps)).collect();
            let sizes = Overshoot::bernoulli(masks, &times).expect("a grid");
            sizes.expected_kl(profile).expect("the same masks")
        }
        "COS" => of(Sizes::COSINE, steps),
        "CCL-TC" => geometric.map(|list| of(Sizes::List(&list), list.steps()))?,
        "CCL-DTC" => geometric.map(|list| of(Sizes::List(&list.reversed()), list.steps()))?,
        "TC-EQ" => of(Sizes::Markov(&markov(masks, steps)), steps),
        "TC-EQ-REV" => of(Sizes::MarkovReversed(&markov(masks, steps)), steps),
        "SYS-TC" => systematic_of(TC),
        "SYS-DTC" => systematic_of(DTC),
        "SYS-ETC" => systematic_of(ETC),
        "OPT" => {
            let list = SizeList::optimal(profile, steps).expect("a list");
            of(Sizes::List(&list), steps)
        }
        _ => unreachable!("no scheme {scheme}"),
    })
}

/// The size of the last printed digit of a number of nine significant ones.
fn last_digit(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { 10f64.powi(value.abs().log10().floor() as i32 - 8) }
}

#[test]
fn the_expected_divergences_of_512_tokens() {
    let mut compared = 0;
    for row in laws_of_512() {
        let profile = profile_of(&*row.law);
        for (scheme, values) in SCHEMES.into_iter().zip(row.expected_kl) {
            for (steps, expected) in STEPS.into_iter().zip(values) {
                let Some(value) = expected_kl_of(scheme, &profile, steps) else {
                    assert!(expected.is_nan(), "{scheme} {steps}: no list");
                    continue;
                };
                // Beside the digits that are printed: sums of values that are right to 1e-13.
                let allowed = 1e-8 * expected + 0.6 * last_digit(expected) + 5e-11;
                assert!(
                    (value - expected).abs() <= allowed,
                    "{} {scheme} in {steps}: {value}, not {expected}",
                    row.law.name()
                );
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 10 * (12 * 6 - 4));
}

#[test]
fn the_expected_divergences_of_8_tokens() {
    let rows = laws_of_8();
    for (law, values, best) in SMALL_KL {
        let profile = profile_of(&*rows[law].law);
        let name = rows[law].law.name();
        let close = |value: f64, expected: f64, what: &str| {
            assert!((value - expected).abs() < 2e-11, "{name} {what}: {value}, not {expected}");
        };
        for (sizes, expected) in SMALL_LISTS.into_iter().zip(values) {
            let sizes: Vec<u32> = sizes.iter().map(|&size| size as u32).collect();
            let steps = sizes.len() as u32;
            let of = overshoot(Sizes::List(&list(&sizes)), 8, steps);
            close(of.expected_kl(&profile).expect("8 tokens"), expected, "list");
        }
        let schemes = ["TC-EQ", "SYS-TC", "SYS-DTC", "SYS-ETC", "OPT"];
        for (scheme, expected) in schemes.into_iter().zip(&values[4..]) {
            close(expected_kl_of(scheme, &profile, 3).expect("a value"), *expected, scheme);
        }
        if best[2] != 0 {
            let found = SizeList::optimal(&profile, 3).expect("a list");
            assert_eq!(as_vec(&found), best.map(|size| size as u32), "{name}");
        }
    }
}

/// P(all of an RS code's output is a codeword), self-sampled: E 17^−R(7) over the drawn lists.
#[test]
fn self_sampled_codes_have_the_printed_validity() {
    let printed = [
        (3, [0.080711439, 0.082592936, 0.204824050, 0.126252787]),
        (4, [0.133273515, 0.128648575, 0.165683302, 0.158437406]),
        (6, [0.257150363, 0.250111016, 0.324719770, 0.257644769]),
    ];
    let draws = 400_000u32;
    for (steps, values) in printed {
        let table = markov(16, steps);
        let tables = [TC, DTC, ETC].map(|weight| systematic(16, steps, weight));
        let [tc, dtc, etc] = tables.each_ref().map(Sizes::Systematic);
        for (sizes, expected) in [Sizes::Markov(&table), tc, dtc, etc].into_iter().zip(values) {
            let (mut sum, mut squares) = (0.0, 0.0);
            for stream in 0..draws {
                let mut end = 0;
                let mut ends = drawn(sizes, 16, steps, stream.into()).into_iter().map(|size| {
                    end += size;
                    end
                });
                let over = ends.find(|&end| end >= 7).expect("the last end is 16") - 7;
                let valid = 17f64.powi(-(over as i32));
                sum += valid;
                squares += valid * valid;
            }
            let mean = sum / f64::from(draws);
            let error = ((squares / f64::from(draws) - mean * mean) / f64::from(draws)).sqrt();
            // Five standard errors: 12 comparisons, 7e-6 together.
            assert!((mean - expected).abs() < 5.0 * error, "{sizes:?}: {mean}, not {expected}");
        }
    }
}

#[test]
fn the_overshoot_is_that_of_the_drawn_lists() {
    let closed = MarkovSizes::tc_closed_form(24, 6).expect("a table");
    let weights = MarkovSizes::from_log_weights(24, 6, |k, u| f64::from(k * u % 5) - 1.0);
    let weights = weights.expect("a table");
    let table = markov(40, 9);
    let systematic_table = systematic(24, 6, ETC);
    let draws = 100_000u32;
    for sizes in [
        Sizes::Binomial,
        Sizes::Markov(&closed),
        Sizes::MarkovReversed(&closed),
        Sizes::Markov(&weights),
        Sizes::MarkovReversed(&weights),
        Sizes::Markov(&table),
        Sizes::MarkovReversed(&table),
        Sizes::Systematic(&systematic_table),
    ] {
        let expected = overshoot(sizes, 24, 6);
        let mut moments = [(0.0, 0.0); 24];
        for stream in 0..draws {
            let mut begin = 0;
            for size in drawn(sizes, 24, 6, stream.into()) {
                for m in begin + 1..begin + size {
                    let over = f64::from(begin + size - m);
                    let sums = &mut moments[m as usize];
                    *sums = (sums.0 + over, sums.1 + over * over);
                }
                begin += size;
            }
        }
        for (m, (&(sum, squares), &exact)) in moments.iter().zip(expected.values()).enumerate() {
            let mean = sum / f64::from(draws);
            let error = ((squares / f64::from(draws) - mean * mean) / f64::from(draws)).sqrt();
            // Five and a half standard errors: 184 comparisons, 7e-6 together.
            let allowed = 5.5 * error + 1e-12;
            assert!((mean - exact).abs() <= allowed, "{sizes:?} at {m}: {mean}, not {exact}");
        }
    }
}

#[test]
fn the_closed_form_and_other_constants_keep_what_they_promise() {
    for (masks, steps) in [(2, 1), (5, 2), (24, 6), (100, 40), (512, 16)] {
        let exact = markov(masks, steps).constant().expect("proved");
        // The constants themselves give the same table again.
        let constants = |k: u32, r: u32| MarkovSizes::tc_constant(r, k).expect("a constant");
        if masks <= 24 {
            let same = MarkovSizes::from_constants(masks, steps, constants).expect("a table");
            let value = same.constant().expect("proved");
            assert!((value - exact).abs() <= 1e-14, "{value}, not {exact}");
        }
        let closed = MarkovSizes::tc_closed_form(masks, steps).expect("a table");
        let promised = closed.constant().expect("proved");
        assert!(promised >= exact * (1.0 - 1e-12), "{masks} {steps}: {promised} below {exact}");
        let reached = overshoot(Sizes::Markov(&closed), masks, steps).constant(TC);
        assert!(reached <= promised * (1.0 + 1e-12), "{masks} {steps}: {reached} > {promised}");
    }
    // Too small constants prove nothing.
    let small = MarkovSizes::from_constants(20, 4, |_, _| 1e-3).expect("a table");
    assert_eq!(small.constant(), None);
    let one_too_small = |k: u32, r: u32| {
        let short = if (k, r) == (2, 11) { 1.0 - 1e-9 } else { 1.0 };
        MarkovSizes::tc_constant(r, k).expect("a constant") * short
    };
    let small = MarkovSizes::from_constants(20, 4, one_too_small).expect("a table");
    assert_eq!(small.constant(), None);
    assert_eq!(MarkovSizes::tc(7, 9).expect("a table").constant(), Some(0.0));
}

#[test]
fn systematic_sizes_are_the_best_for_any_weights() {
    // Other gaps with the same number of steps never have a better constant, nor has any list.
    let mut state = 5u64;
    let mut uniform = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1u64 << 24) as f64
    };
    for _ in 0..200 {
        let masks = 3 + (uniform() * 12.0) as u32;
        let steps = 2 + (uniform() * f64::from(masks - 2)) as u32;
        let weights: Vec<f64> = (1..masks).map(|_| 0.05 + uniform()).collect();
        let table = SystematicSizes::for_weights(masks, steps, &weights).expect("a table");
        let constant = table.constant().expect("solved");
        let reached = overshoot(Sizes::Systematic(&table), masks, steps);
        let reached = reached.constant_for(&weights).expect("weights that fit");
        assert!((reached - constant).abs() <= 1e-9 * constant, "{reached}, not {constant}");
        for _ in 0..50 {
            let mut sizes = vec![1; steps as usize];
            for _ in steps..masks {
                sizes[(uniform() * f64::from(steps)) as usize] += 1;
            }
            let of = overshoot(Sizes::List(&list(&sizes)), masks, steps);
            let other = of.constant_for(&weights).expect("weights that fit");
            assert!(other >= constant * (1.0 - 1e-9), "{sizes:?}: {other} below {constant}");
        }
        let even: Vec<f64> = vec![f64::from(steps - 1) / f64::from(masks - 1); masks as usize - 1];
        let other = SystematicSizes::from_gaps(&even).expect("a table");
        let other = overshoot(Sizes::Systematic(&other), masks, steps);
        let other = other.constant_for(&weights).expect("weights that fit");
        assert!(other >= constant * (1.0 - 1e-9), "{other} below {constant}");
    }
}

/// All lists of `steps` sizes with this sum.
fn all_lists(masks: u32, steps: u32) -> Vec<Vec<u32>> {
    if steps == 1 {
        return vec![vec![masks]];
    }
    let longer = |first| {
        let rest = all_lists(masks - first, steps - 1);
        rest.into_iter().map(move |rest| [&[first], rest.as_slice()].concat())
    };
    (1..=masks - (steps - 1)).flat_map(longer).collect()
}

#[test]
fn the_optimal_list_is_the_best_of_all() {
    let laws: [Box<dyn Law>; 5] = [
        Box::new(Chain::new(11, 3, 0.7)),
        Box::new(Polya::new(11, 4, 0.3)),
        Box::new(Permutation::new(11)),
        Box::new(Mds::new(11, 4, 11)),
        Box::new(Blocks::new(12, 4, 3, 2)),
    ];
    for law in laws {
        let profile = profile_of(&*law);
        let masks = profile.masks();
        for steps in 1..=masks {
            let best = all_lists(masks, steps)
                .iter()
                .map(|sizes| overshoot(Sizes::List(&list(sizes)), masks, steps))
                .map(|of| of.expected_kl(&profile).expect("the same masks"))
                .fold(f64::INFINITY, f64::min);
            let found = SizeList::optimal(&profile, steps).expect("a list");
            assert_eq!((found.masks(), found.steps()), (masks, steps));
            let of = overshoot(Sizes::List(&found), masks, steps);
            let value = of.expected_kl(&profile).expect("the same masks");
            assert!((value - best).abs() < 1e-13, "{} in {steps}: {value}", law.name());
        }
    }
}

#[test]
fn the_square_root_rule_nears_its_limit() {
    for law in [&Chain::new(2048, 4, 0.99) as &dyn Law, &Permutation::new(2048)] {
        let profile = profile_of(law);
        let roots: f64 = profile.drops().map(f64::sqrt).sum();
        for (steps, tolerance) in [(16, 0.35), (32, 0.2)] {
            let list = SizeList::square_root(&profile, steps).expect("a list");
            let of = overshoot(Sizes::List(&list), 2048, steps);
            let value = of.expected_kl(&profile).expect("the same masks");
            let best = SizeList::optimal(&profile, steps).expect("a list");
            let best = overshoot(Sizes::List(&best), 2048, steps).expected_kl(&profile);
            let best = best.expect("the same masks");
            assert!(value >= best * (1.0 - 1e-9), "{}: {value} below {best}", law.name());
            assert!(value <= best * (1.0 + tolerance), "{}: {value} for {best}", law.name());
            let limit = roots * roots / (2.0 * f64::from(steps));
            assert!((value - limit).abs() < tolerance * limit, "{}: {value}, {limit}", law.name());
        }
    }
    let level = Profile::new(&[0.5; 10]).expect("a profile");
    assert_eq!(as_vec(&SizeList::square_root(&level, 3).expect("a list")), [4, 3, 3]);
    // A single drop: every boundary wants to be there.
    let spike = profile_of(&Mds::new(10, 4, 11));
    assert_eq!(as_vec(&SizeList::square_root(&spike, 3).expect("a list")), [4, 1, 5]);
    assert_eq!(as_vec(&SizeList::square_root(&spike, 10).expect("a list")), [1; 10]);
}

#[test]
fn no_step_is_empty_and_all_sum_up() {
    let check = |sizes: Sizes<'_>, masks: u32, steps: u32| {
        for stream in 0..20 {
            let drawn = drawn(sizes, masks, steps, stream);
            let place = format!("{sizes:?} {masks} in {steps}: {drawn:?}");
            assert_eq!(drawn.iter().sum::<u32>(), masks, "{place}");
            let used = drawn.iter().take_while(|&&size| size > 0).count();
            assert_eq!(used as u32, steps.min(masks), "{place}");
            assert!(drawn[used..].iter().all(|&size| size == 0), "{place}");
        }
    };
    for masks in [1, 2, 3, 7, 16, 33, 70] {
        for steps in [1, 2, 3, 8, 16, 32, 33, 69, 70, 90] {
            check(Sizes::Even, masks, steps);
            check(Sizes::COSINE, masks, steps);
            let table = markov(masks, steps);
            check(Sizes::Markov(&table), masks, steps);
            check(Sizes::MarkovReversed(&table), masks, steps);
            for weight in [TC, DTC, ETC] {
                check(Sizes::Systematic(&systematic(masks, steps, weight)), masks, steps);
            }
        }
    }
}

#[test]
fn bad_rows_are_made_up_for() {
    let given = list(&[4, 3, 2, 1]);
    let table = markov(10, 4);
    let systematic_table = systematic(10, 4, TC);
    for sizes in [
        Sizes::List(&given),
        Sizes::Even,
        Sizes::EvenReversed,
        Sizes::Fixed(3),
        Sizes::TimeRatio { end: 0.0 },
        Sizes::Expected,
        Sizes::Kappa,
        Sizes::COSINE,
        Sizes::Markov(&table),
        Sizes::MarkovReversed(&table),
        Sizes::Systematic(&systematic_table),
    ] {
        let key = Key { seed: 9, ..Key::default() };
        let mut plan = [0; 4];
        sizes.draw_all(10, key, &mut plan).expect("a rule that serves");
        // Nothing could be revealed at the first step.
        let second = sizes.size(10, 10, 1, 4, key);
        match sizes {
            Sizes::Even => assert_eq!(second, 4),
            Sizes::EvenReversed | Sizes::Fixed(_) => assert_eq!(second, 3),
            // A third of ten.
            Sizes::TimeRatio { .. } | Sizes::Expected => assert_eq!(second, 3),
            Sizes::Markov(_) => assert!((1..=8).contains(&second)),
            _ => assert_eq!(second, plan[0] + plan[1], "{sizes:?}"),
        }
        assert_eq!(sizes.size(10, 7, 3, 4, key), 7, "the last step reveals all");
        assert_eq!(sizes.size(10, 0, 2, 4, key), 0);
        assert_eq!(sizes.size(10, 7, 4, 4, key), 0, "past the last step");
        // More was revealed than planned, by somebody else.
        let is_even = matches!(sizes, Sizes::Even | Sizes::EvenReversed | Sizes::Fixed(_));
        let is_share = matches!(sizes, Sizes::TimeRatio { .. } | Sizes::Expected);
        if !is_even && !is_share && !matches!(sizes, Sizes::Markov(_)) {
            let fewer = 10 - plan[0] - plan[1];
            assert_eq!(sizes.size(10, fewer, 1, 4, key), 0, "{sizes:?}");
        } else {
            assert!(sizes.size(10, 4, 1, 4, key) > 0, "{sizes:?}");
        }
        // The step of the key does not matter, its position does.
        let other = Key { step: 3, ..key };
        assert_eq!(sizes.size(10, 10, 0, 4, other), plan[0]);
    }
    let differ = |sizes: Sizes<'_>| {
        let at = |position| {
            let mut list = [0; 4];
            let key = Key { position, ..Key::default() };
            sizes.draw_all(10, key, &mut list).expect("a rule that serves");
            list
        };
        (1..20).any(|position| at(position) != at(0))
    };
    assert!(differ(Sizes::Markov(&table)) && differ(Sizes::Systematic(&systematic_table)));
    // What does not fit is even.
    let key = Key::default();
    assert_eq!(Sizes::List(&given).size(11, 11, 0, 4, key), 3);
    assert_eq!(Sizes::List(&given).size(10, 11, 0, 4, key), 3);
    assert_eq!(Sizes::Markov(&table).size(20, 20, 0, 4, key), 5);
}

#[test]
fn what_a_table_does_not_serve_is_refused_by_name() {
    let message = |sizes: Sizes<'_>, masks, steps| {
        sizes.check(masks, steps).expect_err("refused").to_string()
    };
    let given = list(&[4, 3, 2, 1]);
    let given = Sizes::List(&given);
    assert_eq!(given.check(10, 4), Ok(()));
    assert_eq!(message(given, 10, 3), "schedule.steps is 3, but must be that of schedule.sizes, 4");
    assert_eq!(message(given, 9, 4), "segment masks is 9, but must be that of schedule.sizes, 10");
    let table = markov(10, 4);
    let table = Sizes::Markov(&table);
    assert_eq!((table.check(10, 4), table.check(3, 2)), (Ok(()), Ok(())));
    let at_most = "schedule.steps is 5, but must be at most that of schedule.sizes, 4";
    assert_eq!(message(table, 10, 5), at_most);
    let at_most = "segment masks is 11, but must be at most that of schedule.sizes, 10";
    assert_eq!(message(table, 11, 4), at_most);
    let table = systematic(10, 4, TC);
    let table = Sizes::Systematic(&table);
    assert_eq!(message(table, 9, 4), "segment masks is 9, but must be that of schedule.sizes, 10");
    assert_eq!(message(Sizes::Even, 9, 0), "schedule.steps is 0, but must be at least 1");
    let fixed = "schedule.sizes.fixed is 0, but must be at least 1";
    assert_eq!(message(Sizes::Fixed(0), 9, 3), fixed);
    assert!(Overshoot::new(Sizes::Even, 0, 1).is_err());

    let refused = |error: demask::Error| error.to_string();
    let tables = [
        MarkovSizes::tc(0, 1).map(drop),
        MarkovSizes::tc(1, 0).map(drop),
        MarkovSizes::tc(1 << 16, (1 << 12) + 1).map(drop),
        MarkovSizes::from_constants(1 << 14, 1 << 12, |_, _| 1.0).map(drop),
        MarkovSizes::from_constants(9, 3, |_, _| 0.0).map(drop),
        MarkovSizes::from_log_weights(9, 3, |_, _| f64::NAN).map(drop),
        MarkovSizes::from_log_weights(9, 3, |_, _| f64::NEG_INFINITY).map(drop),
        SystematicSizes::new(1 << 17, (1 << 16) + 1, TC).map(drop),
        SystematicSizes::for_weights(4, 2, &[1.0, 1.0]).map(drop),
        SystematicSizes::for_weights(4, 2, &[1.0, 0.0, 1.0]).map(drop),
        SystematicSizes::from_gaps(&[0.5, 1.5]).map(drop),
        SystematicSizes::from_gaps(&[0.5, 0.7]).map(drop),
        Overshoot::bernoulli(4, &[0.5, 0.4, 1.0]).map(drop),
        Overshoot::bernoulli(4, &[0.5, 0.9]).map(drop),
        SizeList::reveal_odds(512, 3).map(drop),
        SizeList::tc_geometric(5, 1).map(drop),
        SizeList::optimal(&Profile::new(&[1.0, 0.5]).expect("a profile"), 3).map(drop),
    ];
    let expected = [
        "masks is 0, but must be at least 1",
        "steps is 0, but must be at least 1",
        "masks times steps is 268500992, but must be at most 268435456",
        "masks times steps is 67108864, but must be at most 33554432",
        "constant is 0, but must be from 1e-280 to 1e280",
        "log weight is NaN, but must be below +inf, and finite at k - 1 masks",
        "log weight is -inf, but must be below +inf, and finite at k - 1 masks",
        "steps is 65537, but must be at most 65536",
        "weights is 2, but must be one less than the masks, 3",
        "weight is 0, but must be finite and above 0",
        "gap is 1.5, but must be from 0 to 1",
        "sum of the gaps is 1.2, but must be an integer, within 1e-6",
        "time is 0.4, but must be above 0 and above the time before it",
        "time is 0.9, but must be 1 at the end",
        "blocks is 3, but must be at least 12",
        "zeta is 1, but must be at least 2",
        "steps is 3, but must be at most the masks, 2",
    ];
    for (table, expected) in tables.into_iter().zip(expected) {
        assert_eq!(table.map_err(refused), Err(expected.to_owned()));
    }
}

#[test]
fn profiles_are_checked_and_fitted() {
    let profile = Profile::new(&[1.0, 0.5, 0.5 + 1e-13, -1e-16]).expect("rounding is allowed");
    assert_eq!(profile.values(), [1.0, 0.5, 0.5, 0.0]);
    assert_eq!(profile.drops().collect::<Vec<_>>(), [0.5, 0.0, 0.5]);
    assert_eq!((profile.masks(), profile.entropy()), (4, 2.0));
    assert_eq!(profile.complexity(TC), 3.0 * 0.5 + 0.5);
    assert_eq!(profile.complexity(DTC), 0.5 + 3.0 * 0.5);
    assert_eq!(profile.complexity(ETC), (3.0 * 0.5 + 3.0 * 0.5) / 4.0);
    for bad in [&[][..], &[f64::NAN], &[0.5, 0.6], &[0.5, -0.1], &[f64::INFINITY]] {
        assert!(Profile::new(bad).is_err(), "{bad:?}");
    }
    let fit = |values: &[f64], weights: &[f64]| {
        Profile::isotonic(values, weights).expect("a fit").values().to_vec()
    };
    assert_eq!(fit(&[3.0, 2.0, 1.0], &[1.0; 3]), [3.0, 2.0, 1.0]);
    assert_eq!(fit(&[1.0, 2.0, 3.0], &[1.0; 3]), [2.0; 3]);
    assert_eq!(fit(&[4.0, 1.0, 3.0, 0.5], &[1.0, 1.0, 3.0, 1.0]), [4.0, 2.5, 2.5, 0.5]);
    assert_eq!(fit(&[1.0, -1.0], &[1.0; 2]), [1.0, 0.0]);
    // The nearest one: no small change that stays in order is nearer.
    let values = [2.0, 2.5, 1.0, 1.5, 1.25, 0.25, 0.75];
    let weights = [1.0, 2.0, 1.0, 1.0, 3.0, 1.0, 2.0];
    let near = |fit: &[f64]| -> f64 {
        let terms = fit.iter().zip(values).zip(weights);
        terms.map(|((a, b), weight)| weight * (a - b).powi(2)).sum()
    };
    let best = fit(&values, &weights);
    for from in 0..7 {
        for to in from + 1..=7 {
            for change in [1e-4, -1e-4] {
                let mut other = best.clone();
                other[from..to].iter_mut().for_each(|value| *value += change);
                assert!(!other.is_sorted_by(|a, b| a >= b) || near(&other) > near(&best));
            }
        }
    }
    assert!(Profile::isotonic(&[1.0], &[0.0]).is_err());
    assert!(Profile::isotonic(&[1.0], &[1.0, 1.0]).is_err());
    assert!(Profile::isotonic(&[f64::NAN], &[1.0]).is_err());
}

#[test]
fn profiles_are_estimated_from_conditionals() {
    // The estimator is fed as a client would: sample, reveal some at random, one call for the rest.
    let law = Chain::new(16, 3, 0.7);
    let exact = law.profile();
    let mut rng = Key { seed: 77, ..Key::default() }.generator(Purpose::Order);
    let mut uniform = move || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let mut estimator = ProfileEstimator::new(16).expect("an estimator");
    let calls = 3000;
    for revealed in 0..16 {
        for _ in 0..calls {
            let tokens = law.sample(&mut uniform);
            let mut order: Vec<usize> = (0..16).collect();
            for last in (1..16).rev() {
                order.swap(last, (uniform() * (last + 1) as f64) as usize);
            }
            let (known, wanted) = order.split_at(revealed);
            let mut context = vec![None; 16];
            known.iter().for_each(|&i| context[i] = Some(tokens[i]));
            let mut rows = vec![0.0; wanted.len() * 3];
            law.conditionals(&context, wanted, &mut rows);
            let logs =
                wanted.iter().zip(rows.chunks(3)).map(|(&i, row)| row[tokens[i] as usize].ln());
            estimator.observe(revealed as u32, logs).expect("finite");
        }
    }
    for (m, exact) in (0..).zip(&exact) {
        let (mean, error) = (estimator.mean(m), estimator.standard_error(m));
        let (mean, error) = (mean.expect("observed"), error.expect("observed often"));
        assert_eq!(estimator.observations(m), calls);
        // Five standard errors, 16 comparisons: 1e-5. All first tokens have the same entropy.
        assert!((mean - exact).abs() <= 5.0 * error + 1e-12, "{m}: {mean} ± {error}, {exact}");
        assert!(m == 0 || error > 1e-4 && error < 0.02, "{m}: {error}");
    }
    let profile = estimator.profile().expect("observed");
    assert!(profile.values().iter().zip(&exact).all(|(a, b)| (a - b).abs() < 0.05));
    // Its best list is nearly as good as that of the exact profile.
    let exact = Profile::new(&exact).expect("a profile");
    let kl = |list: &SizeList| {
        overshoot(Sizes::List(list), 16, 4).expected_kl(&exact).expect("16 tokens")
    };
    let found = kl(&SizeList::optimal(&profile, 4).expect("a list"));
    let best = kl(&SizeList::optimal(&exact, 4).expect("a list"));
    assert!(found >= best - 1e-12 && found < 1.1 * best, "{found} for {best}");

    let mut estimator = ProfileEstimator::new(4).expect("an estimator");
    assert!(estimator.profile().is_err());
    for (revealed, log) in [(4, -1.0), (0, f64::NAN), (0, f64::NEG_INFINITY), (0, 0.1)] {
        assert!(estimator.observe(revealed, [-1.0, log]).is_err(), "{revealed} {log}");
    }
    assert!(estimator.observe(0, []).is_err());
    assert_eq!(estimator, ProfileEstimator::new(4).expect("an estimator"), "nothing was added");
    estimator.observe(1, [-0.5]).expect("finite");
    assert_eq!(estimator.profile().expect("observed").values(), [0.5; 4]);
    assert_eq!(estimator.standard_error(1), None);
    assert_eq!(estimator.mean(0), None);
}

#[test]
fn tables_are_made_once() {
    let mut tables = SizeTables::default();
    assert!(tables.is_empty());
    for _ in 0..2 {
        for (masks, steps, weight) in [(20, 4, TC), (20, 4, DTC), (21, 4, TC), (20, 5, TC)] {
            let table = tables.prepare(masks, steps, weight).expect("a table").clone();
            assert_eq!(table, systematic(masks, steps, weight));
            assert_eq!(tables.get(masks, steps, weight), Some(&table));
        }
        assert_eq!(tables.len(), 4);
    }
    assert_eq!(tables.get(20, 6, TC), None);
    assert!(tables.prepare(0, 4, TC).is_err());
    assert_eq!(tables.len(), 4);
}

#[test]
fn the_largest_tables_work() {
    let (masks, steps) = (1 << 16, 1 << 12);
    for weight in [TC, DTC, ETC] {
        let table = systematic(masks, steps, weight);
        let reached = overshoot(Sizes::Systematic(&table), masks, steps).constant(weight);
        assert_close(reached, table.constant().expect("solved"), 1e-7);
        let sizes = drawn(Sizes::Systematic(&table), masks, steps, 1);
        assert_eq!(sizes.iter().sum::<u32>(), masks);
        assert!(sizes.iter().all(|&size| size > 0));
    }
    // Fixed point of the approximation v = ln(1 + 2vL)/(2(K − 1)), good to some per cent.
    let table = systematic(masks, steps, TC);
    let mut v = 1e-3;
    for _ in 0..100 {
        v = (2.0 * v * f64::from(masks)).ln_1p() / (2.0 * f64::from(steps - 1));
    }
    assert_close(table.constant().expect("solved"), v, 0.03);

    let table = markov(masks, steps);
    let constant = table.constant().expect("proved");
    assert_close(constant, MarkovSizes::tc_constant(masks, steps).expect("a constant"), 1e-12);
    let sizes = drawn(Sizes::Markov(&table), masks, steps, 1);
    assert_eq!(sizes.iter().sum::<u32>(), masks);
    assert!(sizes.iter().all(|&size| size > 0));
    // A smaller segment has the same law as in a table of its own, which is kept row by row.
    let small = markov(600, 40);
    for stream in 0..500 {
        let (large, small) = (Sizes::Markov(&table), Sizes::Markov(&small));
        assert_eq!(drawn(large, 600, 40, stream), drawn(small, 600, 40, stream));
    }
}

/// The sizes that a policy's plans have, if all of them are revealed.
fn planned(policy: &Policy<'_>, masks: u32, stream: u64) -> Vec<u32> {
    policy.check().expect("a policy");
    let mut left = masks;
    let size = |step| {
        let key = Key { seed: 0x51E5, stream, step, ..Key::default() };
        let size = policy.schedule.size(masks, left, step, key);
        left -= size;
        size
    };
    (0..policy.schedule.steps).map(size).collect()
}

fn timed(sizes: Sizes<'static>, noise: Noise<'static>, steps: u32) -> Policy<'static> {
    let mut policy = Policy::random_order(steps);
    (policy.schedule.sizes, policy.schedule.noise) = (sizes, noise);
    policy
}

#[test]
fn what_is_over_comes_last_as_in_chatllm() {
    for masks in 0..90 {
        for steps in 1..100 {
            let mut schedule = vec![masks / steps; steps as usize];
            for i in 0..masks % steps {
                schedule[(steps - 1 - i) as usize] += 1;
            }
            assert_eq!(drawn(Sizes::EvenReversed, masks, steps, 0), schedule);
            let mut even = drawn(Sizes::Even, masks, steps, 0);
            even.reverse();
            assert_eq!(even, schedule);
        }
    }
}

#[test]
fn fixed_sizes_are_as_many_at_every_step() {
    for (masks, size, steps, expected) in [
        (10, 3, 4, &[3, 3, 3, 1][..]),
        (10, 3, 6, &[3, 3, 3, 1, 0, 0]),
        (10, 3, 2, &[3, 7]),
        (2, 5, 1, &[2]),
    ] {
        assert_eq!(drawn(Sizes::Fixed(size), masks, steps, 0), expected);
    }
    let mut policy = Policy::llada(0);
    policy.schedule.sizes = Sizes::Fixed(4);
    let size =
        |policy: &Policy<'_>, left, step| policy.schedule.size(11, left, step, Key::default());
    assert_eq!([11, 7, 3, 0].map(|left| size(&policy, left, 1000)), [4, 4, 3, 0]);
    // Without a number of steps no other rule has more than one.
    policy.schedule.sizes = Sizes::COSINE;
    assert_eq!([11, 1, 0].map(|left| size(&policy, left, 0)), [1, 1, 0]);
    policy.schedule.sizes = Sizes::Fixed(0);
    for steps in [0, 3] {
        policy.schedule.steps = steps;
        let refused = policy.check().expect_err("refused").to_string();
        assert_eq!(refused, "schedule.sizes.fixed is 0, but must be at least 1");
    }
    // Nobody asks for it.
    policy.select = demask::Select::Bernoulli;
    assert_eq!(policy.check(), Ok(()));
}

/// dllm's loop, `probability` and the rounding given.
fn dllm(masks: u32, steps: u32, round: impl Fn(u32, u32) -> u32) -> Vec<u32> {
    let mut left = masks;
    let step = |step| {
        let size = round(left, step).min(left);
        left -= size;
        size
    };
    (0..steps).map(step).collect()
}

#[test]
fn expected_sizes_are_those_of_dllm() {
    // Linear: n/(K − j), in integers, halves to the even number.
    for masks in 0..150 {
        for steps in 1..80 {
            let expected = dllm(masks, steps, |left, step| {
                let of = steps - step;
                let (whole, rest) = (left / of, left % of);
                whole + u32::from(2 * rest > of || 2 * rest == of && whole % 2 == 1)
            });
            let policy = timed(Sizes::Expected, Noise::Linear, steps);
            assert_eq!(planned(&policy, masks, 0), expected, "{masks} in {steps}");
            assert_eq!(drawn(Sizes::Expected, masks, steps, 0), expected, "{masks} in {steps}");
        }
    }
    // Their cosine, α = 1 − cos(π/2·(1 − t)), and other times, in plain f64.
    let alpha = |t: f64| 1.0 - (core::f64::consts::FRAC_PI_2 * (1.0 - t)).cos();
    let times = TimeGrid::new(&[0.97, 0.9, 0.9, 0.35, 0.2, 0.01]).expect("times");
    let (mut checked, mut halves) = (0, 0);
    let mut compare = |policy: &Policy<'_>, masks: u32, time: &dyn Fn(u32) -> f64| {
        let steps = policy.schedule.steps;
        let near_half = core::cell::Cell::new(false);
        let expected = dllm(masks, steps, |left, step| {
            let kept = (1.0 - alpha(time(step + 1))) / (1.0 - alpha(time(step)));
            let mean = f64::from(left) * (1.0 - kept);
            near_half.set(near_half.get() || (mean.fract() - 0.5).abs() < 1e-7);
            if step + 1 == steps { left } else { mean.round_ties_even() as u32 }
        });
        if near_half.get() {
            halves += 1;
        } else {
            assert_eq!(planned(policy, masks, 0), expected, "{masks}, {policy:?}");
            checked += 1;
        }
    };
    for masks in 0..200 {
        for steps in 1..50 {
            let policy = timed(Sizes::Expected, Noise::MaskgitCosine, steps);
            let time = |step| f64::from(steps - step) / f64::from(steps);
            compare(&policy, masks, &time);
        }
        let policy = timed(Sizes::Expected, Noise::MaskgitCosine, 5).on_times(&times);
        let time = |step| [0.97, 0.9, 0.9, 0.35, 0.2, 0.01][step as usize];
        compare(&policy, masks, &time);
        let mut policy = timed(Sizes::Expected, Noise::MaskgitCosine, 7);
        (policy.schedule.start, policy.schedule.end) = (0.9, 0.1);
        let time = |step| 0.1 + 0.8 * f64::from(7 - step) / 7.0;
        compare(&policy, masks, &time);
    }
    assert!(checked > 9_000 && halves < 300, "{checked} checked, {halves} left out");
    // Where the grid stays, nothing is revealed.
    let policy = timed(Sizes::Expected, Noise::Linear, 5).on_times(&times);
    assert_eq!(planned(&policy, 100, 0)[1], 0);
}

#[test]
fn kappa_sizes_are_those_of_p2() {
    // int(N·(1 − κ)) of its schedulers, in integers where they are rational.
    type Masked = fn(u32, u32, u32) -> Option<u32>;
    let cases: [(Noise<'_>, Masked); 3] = [
        (Noise::Linear, |masks, done, steps| Some(masks * (steps - done) / steps)),
        (Noise::Power { exponent: 2.0 }, |masks, done, steps| {
            Some(masks * (steps - done).pow(2) / steps.pow(2))
        }),
        (Noise::Cosine, |masks, done, steps| {
            let kappa = (f64::from(done) / f64::from(steps) * core::f64::consts::FRAC_PI_2).sin();
            let masked = f64::from(masks) * (1.0 - kappa);
            let is_clear = done == steps || (masked - masked.round()).abs() > 1e-7;
            is_clear.then_some(masked as u32)
        }),
    ];
    for (noise, masked) in cases {
        let (mut checked, mut unclear) = (0, 0);
        for masks in 0..130 {
            for steps in 1..70 {
                let sizes = planned(&timed(Sizes::Kappa, noise, steps), masks, 0);
                let mut left = masks;
                for (done, size) in (1..).zip(&sizes) {
                    left -= size;
                    match masked(masks, done, steps) {
                        Some(expected) => {
                            assert_eq!(left, expected, "{noise:?}: {masks} in {steps}, {done}");
                            checked += 1;
                        }
                        None => unclear += 1,
                    }
                }
                assert_eq!(left, 0);
                if noise == Noise::Linear {
                    assert_eq!(drawn(Sizes::Kappa, masks, steps, 0), sizes);
                    let by_function = Sizes::Mask(MaskFunction::Linear, Rounding::Floor);
                    let is_same = drawn(by_function, masks, steps, 0) == sizes;
                    assert!(is_same || steps > masks, "{masks} in {steps}: {sizes:?}");
                }
            }
        }
        assert!(checked > 250_000 && unclear < checked / 20, "{checked}, {unclear} unclear");
    }
    // The functions of MaskGIT are the same but for steps that would be empty.
    let (mut same, mut other) = (0, 0);
    for masks in 1..130 {
        for steps in 1..70 {
            let sizes = planned(&timed(Sizes::Kappa, Noise::MaskgitCosine, steps), masks, 0);
            let by_function = drawn(Sizes::COSINE, masks, steps, 0);
            if sizes.iter().all(|&size| size > 0) {
                assert_eq!(sizes, by_function, "{masks} in {steps}");
                same += 1;
            } else {
                assert!(steps > masks || by_function.iter().all(|&size| size > 0));
                other += 1;
            }
        }
    }
    assert!(same > 1_000 && other > 1_000, "{same} and {other}");
}

/// The quota of diffusers' block refinement without a mask token, whatever was committed before.
#[test]
fn even_sizes_that_are_made_up_for_at_once() {
    for masks in 1..60 {
        for steps in 1..40 {
            let schedule = timed(Sizes::Kappa, Noise::Linear, steps).schedule;
            for step in 0..steps {
                for committed in 0..=masks {
                    let target = ((step + 1) * masks).div_ceil(steps);
                    let needed = target.saturating_sub(committed);
                    let size = schedule.size(masks, masks - committed, step, Key::default());
                    assert_eq!(
                        size, needed,
                        "{committed} of {masks} before step {step} of {steps}"
                    );
                }
            }
        }
    }
}

#[test]
fn binomial_sizes_have_their_law() {
    let law = |masks: u32, p: f64| -> BTreeMap<u32, f64> {
        let law = Binomial::new(p, masks.into()).expect("a law");
        (0..=masks).map(|k| (k, law.pmf(k.into()))).collect()
    };
    let mut grid = Policy::random_order(3);
    grid.schedule.sizes = Sizes::Binomial;
    grid.schedule.noise = Noise::UnitRate;
    (grid.schedule.start, grid.schedule.end) = (2.0, 0.5);
    let unit = |t: f64| 1.0 - (-t).exp();
    let cases = [
        (timed(Sizes::Binomial, Noise::Linear, 4), 0, 10, 0.25),
        (timed(Sizes::Binomial, Noise::Linear, 4), 2, 64, 0.5),
        (timed(Sizes::Binomial, Noise::Linear, 9), 6, 65, 1.0 / 3.0),
        (timed(Sizes::Binomial, Noise::Linear, 900), 0, 200, 1.0 / 900.0),
        // m(1/2) = 1 − cos(π/4).
        (timed(Sizes::Binomial, Noise::Cosine, 2), 0, 127, 0.5f64.sqrt()),
        (grid, 1, 33, 1.0 - unit(1.0) / unit(1.5)),
    ];
    let draws = 200_000;
    for (policy, step, masks, p) in cases {
        let sizes = (0..draws).map(|stream| {
            let key = Key { seed: 5, stream: stream.into(), ..Key::default() };
            policy.schedule.size(masks, masks, step, key)
        });
        assert_law(&count(sizes), &law(masks, p), draws);
    }
    // Many masks.
    let (masks, draws) = (1 << 17, 4_000);
    let policy = timed(Sizes::Binomial, Noise::Linear, 50);
    let sizes = (0..draws).map(|stream| {
        let key = Key { seed: 6, stream: stream.into(), ..Key::default() };
        policy.schedule.size(masks, masks, 0, key)
    });
    let counts = count(sizes);
    let cells = |law: &BTreeMap<u32, f64>| {
        let mut cells = BTreeMap::new();
        law.iter().for_each(|(k, p)| *cells.entry(k / 8).or_insert(0.0) += p);
        cells
    };
    let mut together = BTreeMap::new();
    counts.iter().for_each(|(k, &n)| *together.entry(k / 8).or_insert(0) += n);
    assert_law(&together, &cells(&law(masks, 0.02)), draws);
    // Whole lists: each step is independent of those before, given what is left.
    let mut lists = BTreeMap::new();
    for first in 0..=6 {
        for second in 0..=6 - first {
            let p = law(6, 1.0 / 3.0)[&first] * law(6 - first, 0.5)[&second];
            lists.insert(vec![first, second, 6 - first - second], p);
        }
    }
    let draws = 200_000;
    let lists_drawn = (0..draws).map(|stream| drawn(Sizes::Binomial, 6, 3, stream.into()));
    assert_law(&count(lists_drawn), &lists, draws);
}

#[test]
fn sizes_are_brought_between_their_bounds() {
    let given = list(&[4, 3, 2, 1]);
    let table = markov(10, 4);
    let mut checked = 0;
    for sizes in [
        Sizes::Even,
        Sizes::EvenReversed,
        Sizes::Fixed(3),
        Sizes::TimeRatio { end: 1e-3 },
        Sizes::Expected,
        Sizes::Binomial,
        Sizes::Kappa,
        Sizes::COSINE,
        Sizes::List(&given),
        Sizes::Markov(&table),
    ] {
        let mut policy = Policy::llada(4);
        policy.schedule.sizes = sizes;
        for (least, most) in [(0, 0), (1, 0), (0, 2), (2, 2), (3, 5), (u32::MAX, 0), (0, u32::MAX)]
        {
            (policy.schedule.least, policy.schedule.most) = (least, most);
            assert_eq!(policy.check(), Ok(()));
            for (left, step) in (0..=10).flat_map(|left| (0..6).map(move |step| (left, step))) {
                let key = Key { seed: left.into(), ..Key::default() };
                let mut expected = sizes.size(10, left, step, 4, key);
                if step < 4 {
                    if expected < least {
                        expected = least;
                    }
                    if most > 0 && expected > most {
                        expected = most;
                    }
                }
                let size = policy.schedule.size(10, left, step, key);
                assert_eq!(size, expected.min(left), "{sizes:?} {least} {most} {left} {step}");
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 10 * 7 * 66);
    let mut policy = Policy::llada(4);
    (policy.schedule.least, policy.schedule.most) = (5, 4);
    let refused = policy.check().expect_err("refused").to_string();
    assert_eq!(refused, "schedule.least is 5, but must be at most schedule.most");
    for (least, most, name) in [(2, 0, "schedule.least is 2"), (0, 3, "schedule.most is 3")] {
        let mut policy = Policy::p2(1.0, 4);
        (policy.schedule.least, policy.schedule.most) = (least, most);
        let refused = policy.check().expect_err("refused").to_string();
        let expected = format!("{name}, but must be 0 where all positions are planned anew");
        assert_eq!(refused, expected);
    }
}

/// First-hitting has no grid unless its sizes go by one.
#[test]
fn times_are_checked_where_sizes_need_them() {
    let mut policy = Policy::first_hitting_parallel(Noise::Linear, 5);
    policy.schedule.start = 3.0;
    assert_eq!(policy.check(), Ok(()));
    for sizes in [Sizes::Expected, Sizes::Binomial, Sizes::Kappa] {
        policy.schedule.sizes = sizes;
        let refused = policy.check().expect_err("refused").to_string();
        assert!(refused.starts_with("schedule.start is 3, but must be"), "{refused}");
        let good = Policy {
            schedule: demask::policy::Schedule { start: 1.0, ..policy.schedule },
            ..policy
        };
        assert_eq!(good.check(), Ok(()));
        let mut fraction = good;
        fraction.schedule.grid = Grid::Decaying { fraction: 2.0 };
        assert!(fraction.check().is_err());
        let extrapolated = Policy {
            schedule: demask::policy::Schedule { extrapolate: true, ..good.schedule },
            ..good
        };
        assert_eq!(extrapolated.check(), Ok(()));
    }
}

/// Frozen: a change of any of these is a breaking change.
#[test]
fn golden_lists() {
    let table = markov(100, 8);
    let systematic_table = systematic(100, 8, ETC);
    let golden = [
        (Sizes::Binomial, [[12, 12, 11, 12, 13, 12, 13, 15], [18, 12, 16, 7, 12, 13, 6, 16]]),
        (Sizes::Markov(&table), [[15, 47, 24, 3, 4, 5, 1, 1], [28, 24, 30, 3, 6, 4, 4, 1]]),
        (Sizes::MarkovReversed(&table), [[1, 1, 5, 4, 3, 24, 47, 15], [1, 4, 4, 6, 3, 30, 24, 28]]),
        (
            Sizes::Systematic(&systematic_table),
            [[1, 3, 7, 14, 26, 30, 16, 3], [1, 4, 8, 17, 27, 29, 12, 2]],
        ),
    ];
    for (sizes, lists) in golden {
        for (stream, expected) in (0..).zip(lists) {
            assert_eq!(drawn(sizes, 100, 8, stream), expected, "{sizes:?}, stream {stream}");
        }
    }
}
