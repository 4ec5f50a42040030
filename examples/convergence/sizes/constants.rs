//! The library's tables beside printed numbers: guaranteed constants, laws of sizes, lists.

use super::scheme::{DTC, ETC, Scheme, TC};
use crate::Common;
use crate::check::{Checks, STANDARD_ERRORS};
use crate::exact_law::chi_square_test;
use crate::size_law::reference::{SMALL_KL, SMALL_LISTS, STEPS, laws_of_8};
use anyhow::{Context, Result};
use demask::schedule::sizes::{MarkovSizes, Overshoot, Profile, SizeList, SystematicSizes, Weight};
use demask::{Key, Purpose, Sizes};
use rand_xoshiro::rand_core::Rng;
use std::collections::BTreeMap;

const NONE: f64 = f64::NAN;

/// max E R(m)/w(m) at 512 tokens, by [`STEPS`], and how many decimals were printed.
type Constants = (Scheme, Weight, [f64; 6], i32);
#[rustfmt::skip]
const CONSTANTS: [Constants; 10] = [
    (Scheme::SysTc, TC, [0.591507362, 0.322955988, 0.153217192, 0.066376119, 0.026636615, 0.009618237], 9),
    (Scheme::TcEq, TC, [0.651215459, 0.428636530, 0.239970668, 0.115762947, 0.048969482, 0.017873289], 9),
    (Scheme::CclTc, TC, [NONE, NONE, 0.499022, 0.198044, 0.081023, 0.032389], 6),
    (Scheme::Unif, TC, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0], 9),
    (Scheme::SysDtc, DTC, [1.818149388, 0.499025303, 0.182001802, 0.070843062, 0.027231165, 0.009671592], 9),
    (Scheme::TcEqRev, DTC, [9.133225, 1.573383, 0.431445, 0.148870, 0.054159, 0.018527], 6),
    (Scheme::CclDtc, DTC, [NONE, NONE, 0.992218, 0.246201, 0.087963, 0.033403], 6),
    (Scheme::Cos, DTC, [38.0, 9.0, 2.0, 0.5, 0.181818, 0.064516], 6),
    (Scheme::Unif, DTC, [127.0, 63.0, 31.0, 15.0, 7.0, 3.0], 9),
    (Scheme::SysEtc, ETC, [2.037348077, 0.807699280, 0.372136023, 0.160072872, 0.065541992, 0.024631863], 9),
];

/// The best constant of systematic sizes: weight, tokens, steps, value.
#[rustfmt::skip]
const SYSTEMATIC: [(Weight, u32, u32, f64); 19] = [
    (TC, 1024, 4, 0.623213711), (TC, 1024, 8, 0.354657544), (TC, 1024, 16, 0.174755715),
    (TC, 1024, 32, 0.0788904545), (TC, 1024, 64, 0.0335107210), (TC, 1024, 128, 0.0133447451),
    (DTC, 1024, 8, 0.591489454), (DTC, 1024, 16, 0.215340498), (DTC, 1024, 32, 0.0858400619),
    (DTC, 1024, 64, 0.0346068925), (DTC, 1024, 128, 0.0134919465),
    (ETC, 1024, 8, 0.880689056), (ETC, 1024, 16, 0.421686080), (ETC, 1024, 32, 0.187229794),
    (ETC, 1024, 64, 0.0801327835), (ETC, 1024, 128, 0.0327719449),
    (TC, 8, 3, 0.342894393742), (DTC, 8, 3, 0.407035175879), (ETC, 8, 3, 0.847352024922),
];

/// The same by an exact linear program, to five decimals.
#[rustfmt::skip]
const MINIMAX: [(Weight, u32, u32, f64); 15] = [
    (TC, 8, 2, 0.61433), (TC, 8, 4, 0.20253), (TC, 16, 3, 0.45878), (TC, 16, 6, 0.16470), (TC, 24, 12, 0.06177),
    (DTC, 8, 2, 1.06557), (DTC, 8, 4, 0.21212), (DTC, 16, 3, 0.72709), (DTC, 16, 6, 0.17569), (DTC, 24, 12, 0.06199),
    (ETC, 8, 2, 1.58411), (ETC, 8, 4, 0.49092), (ETC, 16, 3, 1.13752), (ETC, 16, 6, 0.41319), (ETC, 24, 12, 0.16137),
];

/// v_K(L) of Markov sizes: L, K, value.
#[rustfmt::skip]
const MARKOV: [(u32, u32, f64); 22] = [
    (32, 2, 0.751691304733), (32, 4, 0.468105967691), (32, 8, 0.224911916872), (32, 16, 0.0718976324696),
    (128, 2, 0.815679570922), (128, 8, 0.346177109081), (128, 32, 0.0674377716627), (128, 64, 0.0191523640561),
    (512, 2, 0.853255456014), (512, 3, 0.740394014425), (512, 4, 0.651215459482), (512, 8, 0.428636529922),
    (512, 16, 0.239970667678), (512, 32, 0.115762947446), (512, 64, 0.0489694819895), (512, 128, 0.0178732888746),
    (1024, 2, 0.866812269443), (1024, 4, 0.678005906456), (1024, 16, 0.269224023146), (1024, 64, 0.061643365861),
    (1024, 128, 0.0251644373869), (4096, 512, 0.00642720562275),
];

/// v_k(r) as fractions, for r from k + 1 on.
#[rustfmt::skip]
const FRACTIONS: [(u32, &[(f64, f64)]); 4] = [
    (2, &[(1.0, 3.0), (5.0, 11.0), (13.0, 25.0), (77.0, 137.0), (29.0, 49.0), (223.0, 363.0), (481.0, 761.0), (4609.0, 7129.0)]),
    (3, &[(1.0, 6.0), (9.0, 35.0), (71.0, 225.0), (5.0, 14.0), (1276.0, 3283.0), (12215.0, 29531.0), (14139.0, 32575.0)]),
    (4, &[(1.0, 10.0), (14.0, 85.0), (31.0, 147.0), (1665.0, 6769.0), (658.0, 2403.0), (53669.0, 180920.0)]),
    (5, &[(1.0, 15.0), (4.0, 35.0), (59.0, 392.0), (575.0, 3207.0), (7807.0, 38475.0)]),
];

/// P(first size s) of Markov sizes for r tokens in k steps, for s from 1 on: r, k, numerators over
/// their sum.
const FIRST_SIZES: [(u32, u32, &[f64]); 4] = [
    (6, 2, &[12.0, 15.0, 20.0, 30.0, 60.0]),
    (6, 3, &[10.0, 11.0, 12.0, 12.0]),
    (8, 3, &[126.0, 137.0, 150.0, 165.0, 180.0, 180.0]),
    (8, 4, &[232.0, 225.0, 210.0, 180.0, 120.0]),
];

/// Every list of systematic sizes for 8 tokens in 3 steps, with its probability, and the gaps.
type Lists = (Weight, [f64; 7], &'static [([u32; 3], f64)]);
#[rustfmt::skip]
const LISTS: [Lists; 3] = [
    (TC, [0.134289439374, 0.164276401565, 0.175358539765, 0.219035202086, 0.321382007823, 0.328552803129, 0.657105606258], &[
        ([5, 2, 1], 0.307040417), ([4, 3, 1], 0.219035202), ([3, 4, 1], 0.131029987), ([3, 3, 2], 0.044328553),
        ([2, 4, 2], 0.164276402), ([1, 5, 2], 0.119947849), ([1, 4, 3], 0.014341591)]),
    (DTC, [0.592964824121, 0.452261306533, 0.281407035176, 0.351758793970, 0.321608040201, 0.0, 0.0], &[
        ([2, 3, 3], 0.321608040), ([2, 2, 4], 0.085427136), ([1, 3, 4], 0.266331658), ([1, 2, 5], 0.281407035),
        ([1, 1, 6], 0.045226131)]),
    (ETC, [0.465926791277, 0.326713395639, 0.262655763240, 0.223520249221, 0.227414330218, 0.235202492212, 0.258566978193], &[
        ([3, 4, 1], 0.207359813), ([2, 5, 1], 0.051207165), ([2, 4, 2], 0.235202492), ([2, 3, 3], 0.040303738),
        ([1, 4, 3], 0.187110592), ([1, 3, 4], 0.223520249), ([1, 2, 5], 0.055295950)]),
];

/// Systematic sizes for 512 tokens in 16 steps from one uniform number.
#[rustfmt::skip]
const LONG_LISTS: [(Weight, f64, [u32; 16]); 3] = [
    (TC, 0.25, [117, 115, 82, 58, 42, 29, 21, 15, 10, 7, 6, 3, 3, 2, 1, 1]),
    (DTC, 0.5, [1, 2, 2, 3, 4, 6, 8, 11, 15, 22, 30, 41, 57, 79, 110, 121]),
    (ETC, 0.75, [1, 2, 4, 7, 12, 22, 37, 58, 82, 95, 87, 57, 29, 13, 4, 2]),
];

/// Gaps for 512 tokens in 16 steps: weight, m, g(m).
const LONG_GAPS: [(Weight, usize, f64); 10] = [
    (TC, 1, 0.00568310609),
    (TC, 256, 0.0112904374),
    (TC, 511, 0.846782808),
    (DTC, 1, 0.817998198),
    (DTC, 2, 0.635996396),
    (DTC, 256, 0.0114621952),
    (DTC, 511, 0.0),
    (ETC, 1, 0.628590805),
    (ETC, 256, 0.0104653375),
    (ETC, 511, 0.628590805),
];

fn short(weight: Weight) -> &'static str {
    match weight {
        Weight::TotalCorrelation => "TC",
        Weight::DualTotalCorrelation => "DTC",
        _ => "ETC",
    }
}

/// All of it.
pub(crate) fn check(common: &Common, checks: &mut Checks) -> Result<()> {
    constants(checks)?;
    small_divergences(checks)?;
    gaps(checks)?;
    laws_of_sizes(common, checks)?;
    long_lists(common, checks)
}

fn constants(checks: &mut Checks) -> Result<()> {
    // The constants are of the sizes alone, whatever the profile.
    let level = Profile::new(&[1.0; 512])?;
    for (scheme, weight, row, decimals) in CONSTANTS {
        for (steps, expected) in STEPS.into_iter().zip(row).filter(|(_, value)| !value.is_nan()) {
            let planned = scheme.plan(&level, steps)?.context("a scheme without sizes")?;
            let found = planned.overshoot()?.constant(weight);
            let name =
                format!("L=512, K={steps}: constant of {} for {}", scheme.name(), short(weight));
            let tolerance = (1e-8 * expected).max(0.5001 * 10f64.powi(-decimals));
            checks.near(name, found, expected, tolerance);
        }
    }
    for (weight, masks, steps, expected) in SYSTEMATIC {
        let table = SystematicSizes::new(masks, steps, weight)?;
        let name = format!("L={masks}, K={steps}: best constant for {}", short(weight));
        checks.relative(&name, table.constant().unwrap_or(NONE), expected, 1e-8);
        let reached = Overshoot::new(Sizes::Systematic(&table), masks, steps)?.constant(weight);
        checks.relative(format!("{name}, reached by its sizes"), reached, expected, 1e-8);
    }
    for (weight, masks, steps, expected) in MINIMAX {
        let found = SystematicSizes::new(masks, steps, weight)?.constant().unwrap_or(NONE);
        let name = format!("L={masks}, K={steps}: minimax constant for {}", short(weight));
        checks.near(name, found, expected, 0.5001e-5);
    }
    for (masks, steps, expected) in MARKOV {
        let name = format!("L={masks}, K={steps}: constant of Markov sizes");
        checks.relative(&name, MarkovSizes::tc_constant(masks, steps)?, expected, 1e-8);
        let table = MarkovSizes::tc(masks, steps)?;
        let sizes = Sizes::Markov(&table);
        if masks <= 1024 {
            let reached = Overshoot::new(sizes, masks, steps)?.constant(TC);
            checks.relative(format!("{name}, reached by its sizes"), reached, expected, 1e-8);
        }
    }
    for (k, fractions) in FRACTIONS {
        for (r, (numerator, denominator)) in (k + 1..).zip(fractions) {
            let name = format!("v_{k}({r}) = {numerator}/{denominator}");
            checks.relative(name, MarkovSizes::tc_constant(r, k)?, numerator / denominator, 1e-12);
        }
    }
    Ok(())
}

/// E KL of laws on 8 tokens: four lists, four schemes in 3 steps, and the best list.
fn small_divergences(checks: &mut Checks) -> Result<()> {
    let laws = laws_of_8();
    for (at, values, best) in SMALL_KL {
        let law = &laws[at].law;
        let profile = Profile::new(&law.profile())?;
        let name = format!("{}: E KL", law.name());
        for (sizes, expected) in SMALL_LISTS.into_iter().zip(values) {
            let sizes: Vec<u32> = sizes.iter().map(|&size| size as u32).collect();
            let list = SizeList::new(&sizes)?;
            let overshoot = Overshoot::new(Sizes::List(&list), 8, list.steps())?;
            let found = overshoot.expected_kl(&profile)?;
            checks.near(format!("{name} of {sizes:?}"), found, expected, 1e-8 * expected + 1e-10);
        }
        let schemes = [Scheme::TcEq, Scheme::SysTc, Scheme::SysDtc, Scheme::SysEtc, Scheme::Opt];
        for (scheme, expected) in schemes.into_iter().zip(&values[4..]) {
            let planned = scheme.plan(&profile, 3)?.context("a scheme without sizes")?;
            let found = planned.overshoot()?.expected_kl(&profile)?;
            let name = format!("{name} of {} in 3 steps", scheme.name());
            checks.near(name, found, *expected, 1e-8 * expected + 1e-10);
        }
        let best: Vec<u32> =
            best.into_iter().filter(|&size| size > 0).map(|size| size as u32).collect();
        let list = SizeList::new(&best)?;
        let found = Overshoot::new(Sizes::List(&list), 8, list.steps())?.expected_kl(&profile)?;
        checks.near(
            format!("{name} of {best:?}, the best"),
            found,
            values[8],
            1e-8 * values[8] + 1e-10,
        );
    }
    Ok(())
}

fn gaps(checks: &mut Checks) -> Result<()> {
    for (weight, expected, _) in LISTS {
        let table = SystematicSizes::new(8, 3, weight)?;
        for (m, (found, expected)) in (1..).zip(table.gaps().zip(expected)) {
            let name = format!("L=8, K=3: gap {m} for {}", short(weight));
            checks.near(name, found, expected, 1e-11);
        }
    }
    for (weight, m, expected) in LONG_GAPS {
        let table = SystematicSizes::new(512, 16, weight)?;
        let found = table.gaps().nth(m - 1).unwrap_or(NONE);
        let name = format!("L=512, K=16: gap {m} for {}", short(weight));
        checks.near(name, found, expected, 1e-8 * expected + 1e-11);
    }
    Ok(())
}

fn key(common: &Common, stream: u64) -> Key {
    Key { seed: common.seed, stream, step: 0, position: 0 }
}

/// Sizes that are drawn, by chi-square.
fn laws_of_sizes(common: &Common, checks: &mut Checks) -> Result<()> {
    let draws = common.samples(None, 2_000_000, 200_000);
    for (masks, steps, numerators) in FIRST_SIZES {
        let table = MarkovSizes::tc(masks, steps)?;
        let mut counts = vec![0; numerators.len()];
        let mut sizes = vec![0; steps as usize];
        for stream in 0..draws {
            Sizes::Markov(&table).draw_all(masks, key(common, stream), &mut sizes)?;
            counts[sizes[0] as usize - 1] += 1;
        }
        let sum: f64 = numerators.iter().sum();
        let law: Vec<f64> = numerators.iter().map(|numerator| numerator / sum).collect();
        let name = format!("Markov sizes of {masks} tokens in {steps} steps, the first: p-value");
        checks.p_value(name, chi_square_test(&counts, &law));
    }
    let table = MarkovSizes::tc(512, 16)?;
    let mut sizes = [0; 16];
    let (mut sum, mut squares, mut ones) = (0.0, 0.0, 0.0);
    for stream in 0..draws {
        Sizes::Markov(&table).draw_all(512, key(common, stream), &mut sizes)?;
        let first = f64::from(sizes[0]);
        sum += first;
        squares += first * first;
        ones += f64::from(u8::from(sizes[0] == 1));
    }
    let n = draws as f64;
    let (mean, expected) = (sum / n, 123.625011);
    let error = ((squares / n - mean * mean) / n).sqrt();
    let name = "L=512, K=16: mean first size of Markov sizes";
    checks.near(name, mean, expected, STANDARD_ERRORS * error);
    let (share, expected) = (ones / n, 0.00580221436);
    let error = (expected / n).sqrt();
    checks.near("L=512, K=16: P(first size 1)", share, expected, STANDARD_ERRORS * error);

    for (weight, _, lists) in LISTS {
        let table = SystematicSizes::new(8, 3, weight)?;
        let mut seen: BTreeMap<[u32; 3], u64> = BTreeMap::new();
        for stream in 0..draws {
            let mut sizes = [0; 3];
            Sizes::Systematic(&table).draw_all(8, key(common, stream), &mut sizes)?;
            *seen.entry(sizes).or_default() += 1;
        }
        let counts: Vec<u64> =
            lists.iter().map(|(sizes, _)| seen.get(sizes).copied().unwrap_or(0)).collect();
        let name = format!("Systematic sizes of 8 tokens in 3 steps for {}", short(weight));
        let others = draws - counts.iter().sum::<u64>();
        checks.at_most(format!("{name}: lists that cannot be"), others as f64, 0.0);
        let law: Vec<f64> = lists.iter().map(|(_, p)| *p).collect();
        checks.p_value(format!("{name}: p-value of chi-square"), chi_square_test(&counts, &law));
    }
    Ok(())
}

/// The lists of a uniform number, of which the library only ever sees a key: one whose number is
/// near enough is looked for.
fn long_lists(common: &Common, checks: &mut Checks) -> Result<()> {
    for (weight, wanted, expected) in LONG_LISTS {
        let table = SystematicSizes::new(512, 16, weight)?;
        let uniform = |stream: u64| {
            let word = key(common, stream).generator(Purpose::Sizes).next_u64();
            (word >> 11) as f64 * 0.5f64.powi(53)
        };
        let near = (0..10_000_000).find(|&stream| (uniform(stream) - wanted).abs() < 2e-6);
        let mut sizes = [0; 16];
        Sizes::Systematic(&table).draw_all(512, key(common, near.unwrap_or(0)), &mut sizes)?;
        let apart: u32 = sizes.iter().zip(expected).map(|(&a, b)| a.abs_diff(b)).sum();
        let name = format!("L=512, K=16: the list for {} at U={wanted}, places off", short(weight));
        checks.at_most(name, f64::from(apart), 0.0);
    }
    Ok(())
}
