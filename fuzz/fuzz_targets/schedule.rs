//! Noise schedules and their tables, time grids, first-hitting times and unmasking sizes by any numbers:
//! a clean error for what the documentation refuses, or values in the ranges that it states.

#![no_main]

use arbitrary::{Result, Unstructured};
use demask::schedule::hitting;
use demask::schedule::sizes::{
    MarkovSizes, MaskFunction, Overshoot, Profile, Rounding, SizeList, SystematicSizes, Weight,
};
use demask::schedule::{Base, NoiseTable};
use demask::{Error, Grid, Key, Level, Noise, Policy, Sizes, TimeGrid};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let u = &mut Unstructured::new(data);
    let _ = match u.arbitrary::<u8>().unwrap_or(0) % 4 {
        0 => noises(u),
        1 => grids(u),
        2 => hits(u),
        _ => sizes(u),
    };
});

/// A number from 0 to 1, near either end, or once in a while any.
fn number(u: &mut Unstructured<'_>) -> Result<f64> {
    let choice = u.arbitrary::<u8>()?;
    Ok(match choice {
        0..=100 => f64::from(choice) / 100.0,
        101..=140 => f64::from(u.arbitrary::<u32>()?) / f64::from(u32::MAX),
        141..=160 => 0.5f64.powi(i32::from(u.arbitrary::<u16>()? % 1_080)),
        161..=180 => 1.0 - 0.5f64.powi(i32::from(u.arbitrary::<u8>()? % 54)),
        181..=200 => f64::from(u.arbitrary::<u16>()?) / 16.0,
        201 => f64::INFINITY,
        202 => f64::NAN,
        203 => -0.0,
        204 => f64::MAX,
        205 => f64::from_bits(1),
        206 => f64::MIN_POSITIVE,
        207 => -1e-9,
        208..=240 => f64::from_bits(u.arbitrary::<u64>()? >> 1),
        _ => f64::from_bits(u.arbitrary()?),
    })
}

/// An ln(1 − α), mostly at most 0.
fn log_masked(u: &mut Unstructured<'_>) -> Result<f64> {
    let x = number(u)?;
    Ok(match u.arbitrary::<u8>()? % 8 {
        0 => x,
        1 => x.ln(),
        2 => -1e3 * x,
        3 => f64::NEG_INFINITY,
        _ => -x,
    })
}

fn named(result: core::result::Result<(), Error>, holds: bool, what: &str) -> bool {
    assert_eq!(result.is_ok(), holds, "{result:?} of {what}");
    if let Err(error) = result {
        let text = error.to_string();
        let (name, value) = match error {
            Error::Argument { name, value, .. } | Error::Entry { name, value, .. } => {
                (name, value.to_string())
            }
            Error::Shape { name, value, .. } => (name, value.to_string()),
            _ => panic!("{error} of {what}"),
        };
        assert!(!name.is_empty() && text.contains(name) && text.contains(&value), "{text}");
    }
    holds
}

fn noises(u: &mut Unstructured<'_>) -> Result<()> {
    let (mut times, mut values) = (vec![0.0], vec![0.0]);
    for _ in 0..u.arbitrary::<u8>()? % 6 {
        let (time, value) = (number(u)?, number(u)?);
        // Mostly in order.
        let before: (f64, f64) = (times[times.len() - 1], values[values.len() - 1]);
        let apart = u.arbitrary::<u8>()? % 8 == 0;
        times.push(if apart { time } else { before.0 + time });
        values.push(if apart { value } else { before.1 + (1.0 - before.1) * value });
    }
    let rises = |all: &[f64], strictly: bool| {
        all.windows(2).all(|pair| pair[1] > pair[0] || !strictly && pair[1] == pair[0])
    };
    let good = times.len() >= 2
        && rises(&times, true)
        && times.iter().all(|t| t.is_finite())
        && rises(&values, false)
        && values[1..].iter().all(|&m| m > 0.0 && m <= 1.0);
    let table = NoiseTable::new(&times, &values);
    named(table.clone().map(drop), good, "a table");
    let base = [Base::Linear, Base::Cosine, Base::CosineSquared];
    let noise = match (u.arbitrary::<u8>()? % 10, &table) {
        (0, _) => Noise::Linear,
        (1, _) => Noise::Cosine,
        (2, _) => Noise::UnitRate,
        (3, _) => Noise::CosineSquared,
        (4, _) => Noise::MaskgitCosine,
        (5, _) => Noise::Geometric { sigma_min: number(u)?, sigma_max: 100.0 * number(u)? },
        (6, _) => Noise::Power { exponent: number(u)? },
        (7, _) => Noise::Logarithmic,
        (8, _) => {
            Noise::Scaled { base: base[usize::from(u.arbitrary::<u8>()?) % 3], epsilon: number(u)? }
        }
        (_, Ok(table)) => Noise::Table(table),
        _ => return Ok(()),
    };
    let holds = match noise {
        Noise::Geometric { sigma_min, sigma_max } => {
            sigma_min > 0.0 && sigma_max > sigma_min && sigma_max.is_finite()
        }
        Noise::Power { exponent } => exponent > 0.0 && exponent.is_finite(),
        Noise::Scaled { epsilon, .. } => (0.0..1.0).contains(&epsilon),
        _ => true,
    };
    if !named(noise.check(), holds, &format!("{noise:?}")) {
        return Ok(());
    }
    let last = noise.last_time();
    let place = |u: &mut Unstructured<'_>| {
        let x = number(u)?;
        let x = if x == 0.0 { x } else { x.abs() };
        Ok(if x.is_nan() {
            0.5f64.min(last)
        } else if x <= last {
            x
        } else {
            (x % 1.0).min(last)
        })
    };
    let (t, s): (f64, f64) = (place(u)?, place(u)?);
    let (t, s) = (t.max(s), t.min(s));
    let text = || format!("{noise:?} from {t:e} to {s:e}");
    let [alpha, alpha_s] = [t, s].map(|t| noise.alpha(t));
    assert!((0.0..=1.0).contains(&alpha) && alpha <= alpha_s, "{alpha}, {alpha_s}: {}", text());
    let [log, log_s] = [t, s].map(|t| noise.log_masked(t));
    assert!(log <= 0.0 && log_s <= log, "{log}, {log_s}: {}", text());
    assert!(noise.rate(t) >= 0.0, "{}: {}", noise.rate(t), text());
    assert!(noise.score_sum(t) >= 0.0, "{}: {}", noise.score_sum(t), text());
    // The functions of steps want a time above 0 that is finite.
    if t > 0.0 && t.is_finite() {
        let (h, unit) = (t - s, 0.0..=1.0);
        let p = noise.reveal_probability(t, s);
        assert!(unit.contains(&p) && (p == 0.0 || s < t), "{p}: {}", text());
        let euler = noise.euler_probability(t, h);
        assert!(unit.contains(&euler) && (euler == 0.0 || h > 0.0), "{euler}: {}", text());
        let first = noise.tau_first_jump_probability(t, h);
        assert!(unit.contains(&first) && first <= euler, "{first} above {euler}: {}", text());
        let reject = noise.tau_reject_probability(t, h);
        let bound = (-1.0f64).exp() * (1.0 + 1e-12);
        assert!((0.0..=bound).contains(&reject) && reject <= first, "{reject}: {}", text());
    }
    let (l, m) = (log_masked(u)?.min(0.0), log_masked(u)?.min(0.0));
    let (l, m) = (if l.is_nan() { -0.5 } else { l }, if m.is_nan() { -0.25 } else { m });
    let (l, m) = (l.max(m), l.min(m));
    let [time, earlier] = [l, m].map(|l| noise.time(l));
    let within = (0.0..=last).contains(&time) && (0.0..=last).contains(&earlier);
    assert!(within, "{time:e}, {earlier:e} at {l:e}, {m:e}: {noise:?}");
    // Inverses are rounded.
    assert!(
        earlier <= time * (1.0 + 1e-9) + 1e-300,
        "{earlier:e} after {time:e} at {l:e}, {m:e}: {noise:?}"
    );
    Ok(())
}

fn grids(u: &mut Unstructured<'_>) -> Result<()> {
    let mut times = vec![number(u)?];
    for _ in 0..u.arbitrary::<u8>()? % 8 {
        let before = times[times.len() - 1];
        let x = number(u)?;
        times.push(if u.arbitrary::<u8>()? % 6 == 0 { x } else { before * x });
    }
    let (first, last) = (times[0], times[times.len() - 1]);
    let good = times.len() >= 2
        && first.is_finite()
        && times.windows(2).all(|pair| pair[1] <= pair[0])
        && last >= 0.0
        && last < first;
    let grid = TimeGrid::new(&times);
    named(grid.clone().map(drop), good, &format!("{times:?}"));
    let steps = u32::from(u.arbitrary::<u16>()?);
    let (start, end) = (number(u)?, number(u)?);
    let mut policy = Policy::euler(Noise::UnitRate, steps);
    (policy.schedule.start, policy.schedule.end) = (start, end);
    let decaying = Grid::decaying(start, end, steps);
    let possible = end > 0.0 && end.is_finite() && start > end && start.is_finite();
    if !possible {
        named(decaying.map(drop), false, "a decaying grid");
    }
    policy.schedule.grid = match (u.arbitrary::<u8>()? % 4, &grid, decaying) {
        (0, ..) => Grid::Uniform,
        (1, Ok(grid), _) => {
            policy = policy.on_times(grid);
            Grid::Times(grid)
        }
        (2, _, Ok(grid)) => grid,
        _ => Grid::Decaying { fraction: number(u)? },
    };
    if policy.check().is_err() {
        return Ok(());
    }
    let (start, end, steps) = (policy.schedule.start, policy.schedule.end, policy.schedule.steps);
    let mut before = f64::INFINITY;
    for k in 0..60u32 {
        let step = (u64::from(k) * (u64::from(steps) + 2) / 59) as u32;
        let time = policy.grid_time(step);
        assert!((end..=start).contains(&time), "{time:e} at {step}, {:?}", policy.schedule);
        assert!(time <= before, "{time:e} after {before:e} at {step}, {:?}", policy.schedule);
        if step == 0 {
            assert_eq!(time, start, "{:?}", policy.schedule);
        }
        before = time;
    }
    Ok(())
}

fn hits(u: &mut Unstructured<'_>) -> Result<()> {
    let key = Key {
        seed: u.arbitrary()?,
        stream: u.arbitrary::<u8>()?.into(),
        step: u.arbitrary()?,
        position: u.arbitrary()?,
    };
    let now = log_masked(u)?.min(0.0);
    let now = if now.is_nan() { 0.0 } else { now };
    let count = 1 + usize::from(u.arbitrary::<u8>()?);
    let mut expected: Option<[Vec<u64>; 3]> = None;
    let masks = (0..count).map(|_| u.arbitrary::<u16>().map(u32::from)).collect::<Result<Vec<_>>>();
    let masks = masks.unwrap_or_else(|_| vec![3; count]);
    let keys: Vec<Key> = (0..count as u64).map(|stream| Key { stream, ..key }).collect();
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        let mut all = vec![f64::NAN; count];
        hitting::all(level, key, now, &mut all);
        let falls = all.windows(2).all(|pair| pair[1] <= pair[0]);
        assert!(falls && all.iter().all(|&l| l <= now), "from {now:e}: {all:?}");
        let mut alone = vec![f64::NAN; count];
        hitting::of_positions(level, key, now, &masks, &mut alone).expect("as many");
        for (&position, &event) in masks.iter().zip(&alone) {
            let one = hitting::of_position(now, Key { position, ..key });
            assert!(event <= now && event.to_bits() == one.to_bits(), "{event:e}, {one:e}");
        }
        let mut next = vec![now; count];
        hitting::next_of_each(level, &keys, &masks, &mut next).expect("as many");
        for (&masks, &event) in masks.iter().zip(&next) {
            let never = event == f64::NEG_INFINITY;
            assert!(event <= now && (masks > 0 || never), "{event:e} of {masks} from {now:e}");
        }
        let bits =
            [all, alone, next].map(|all| all.iter().map(|l| l.to_bits()).collect::<Vec<_>>());
        match &expected {
            None => expected = Some(bits),
            Some(expected) => assert_eq!(expected, &bits, "{level}"),
        }
    }
    Ok(())
}

/// Sizes of all rules, their tables, and how good they are said to be.
fn sizes(u: &mut Unstructured<'_>) -> Result<()> {
    let masks = u32::from(u.arbitrary::<u8>()?) % 65;
    let steps = u32::from(u.arbitrary::<u8>()?) % 17;
    let rule = u.arbitrary::<u8>()? % 18;
    let (mut list, mut markov, mut systematic) = (None, None, None);
    let weights =
        [Weight::TotalCorrelation, Weight::DualTotalCorrelation, Weight::EffectiveTotalCorrelation];
    let weight = weights[usize::from(u.arbitrary::<u8>()?) % 3];
    let profile = || {
        let mut values: Vec<f64> = vec![];
        for m in 0..masks {
            let x = number(u)?;
            // Mostly falling.
            let before = if m == 0 { 8.0 } else { values[m as usize - 1] };
            values.push(if u.arbitrary::<u8>()? % 32 == 0 {
                x
            } else {
                before * x.clamp(0.0, 1.0)
            });
        }
        Ok(values)
    };
    let values = { profile }()?;
    // Errors of rounding are taken away.
    let slack = 1e-9 * values.first().map_or(1.0, |f: &f64| f.abs().max(1.0));
    let least = |m: usize| values[..m].iter().copied().fold(f64::INFINITY, f64::min).max(0.0);
    let fits = |(m, &f): (usize, &f64)| f.is_finite() && f >= -slack && f <= least(m) + slack;
    let good = !values.is_empty() && values.iter().enumerate().all(fits);
    let profile = Profile::new(&values);
    named(profile.clone().map(drop), good, &format!("{values:?}"));
    match rule {
        0 => {
            let some: Vec<u32> = (0..steps)
                .map(|_| Ok(u32::from(u.arbitrary::<u8>()? % 9)))
                .collect::<Result<_>>()?;
            let made = SizeList::new(&some);
            named(made.clone().map(drop), steps > 0 && !some.contains(&0), &format!("{some:?}"));
            list = made.ok();
        }
        1 => {
            let made = SizeList::tc_geometric(masks, steps);
            named(made.clone().map(drop), masks > 0 && steps >= 2, "geometric sizes");
            list = made.ok();
        }
        2 => {
            let made = SizeList::dtc_geometric(masks, steps);
            named(made.clone().map(drop), masks > 0 && steps >= 2, "geometric sizes");
            list = made.ok();
        }
        3 | 4 => {
            let Ok(profile) = &profile else { return Ok(()) };
            let make = if rule == 3 { SizeList::optimal } else { SizeList::square_root };
            let made = make(profile, steps);
            named(made.clone().map(drop), steps > 0 && steps <= masks, "sizes by a profile");
            list = made.ok();
        }
        5 | 6 => {
            let made = MarkovSizes::tc(masks, steps);
            named(made.clone().map(drop), masks > 0 && steps > 0, "a Markov table");
            markov = made.ok();
        }
        7 => {
            let by: Vec<f64> = (0..8).map(|_| number(u)).collect::<Result<_>>()?;
            let constant = |k: u32, r: u32| by[(k * 3 + r) as usize % 8];
            markov = MarkovSizes::from_constants(masks, steps, constant).ok();
        }
        8 => {
            let by: Vec<f64> = (0..8).map(|_| log_masked(u)).collect::<Result<_>>()?;
            let constant = |k: u32, r: u32| by[(k * 3 + r) as usize % 8];
            markov = MarkovSizes::from_log_weights(masks, steps, constant).ok();
        }
        9 => {
            let made = SystematicSizes::new(masks, steps, weight);
            named(made.clone().map(drop), masks > 0 && steps > 0, "a systematic table");
            systematic = made.ok();
        }
        10 => {
            let by: Vec<f64> = (1..masks).map(|_| number(u)).collect::<Result<_>>()?;
            let good = masks > 0 && steps > 0 && by.iter().all(|w| w.is_finite() && *w > 0.0);
            let made = SystematicSizes::for_weights(masks, steps, &by);
            named(made.clone().map(drop), good, &format!("{by:?}"));
            systematic = made.ok();
        }
        _ => {}
    }
    let functions = MaskFunction::ALL;
    let function = functions[usize::from(u.arbitrary::<u8>()?) % functions.len()];
    let rounding = if u.arbitrary()? { Rounding::Floor } else { Rounding::Ceil };
    let end = number(u)?;
    let (sizes, masks, steps) = match (rule, &list, &markov, &systematic) {
        (_, Some(list), ..) => (Sizes::List(list), list.masks(), list.steps()),
        (6, _, Some(table), _) => (Sizes::MarkovReversed(table), masks, steps),
        (_, _, Some(table), _) => (Sizes::Markov(table), masks, steps),
        (.., Some(table)) => (Sizes::Systematic(table), masks, steps),
        (11, ..) => (Sizes::EvenReversed, masks, steps),
        (12, ..) => (Sizes::Fixed(u.arbitrary::<u8>()?.into()), masks, steps),
        (13, ..) => (Sizes::TimeRatio { end }, masks, steps),
        (14, ..) => (Sizes::Mask(function, rounding), masks, steps),
        (15, ..) => (Sizes::Expected, masks, steps),
        (16, ..) => (Sizes::Binomial, masks, steps),
        (17, ..) => (Sizes::Kappa, masks, steps),
        _ => (Sizes::Even, masks, steps),
    };
    let key = Key { seed: u.arbitrary()?, ..Key::default() };
    let holds = steps > 0
        && match sizes {
            Sizes::Fixed(size) => size > 0,
            Sizes::TimeRatio { end } => (0.0..1.0).contains(&end),
            _ => true,
        };
    let mut drawn = vec![u32::MAX; steps as usize];
    let result = sizes.draw_all(masks, key, &mut drawn);
    if !named(result, holds, &format!("{sizes:?} of {masks} in {steps}")) {
        assert!(drawn.iter().all(|&size| size == u32::MAX), "a refused call wrote sizes");
        return Ok(());
    }
    let text = || format!("{drawn:?} of {masks} in {steps} by {sizes:?}");
    assert_eq!(drawn.iter().map(|&size| u64::from(size)).sum::<u64>(), masks.into(), "{}", text());
    // Any number of masks that are left, as after bad rows.
    for step in 0..steps {
        let left = u32::from(u.arbitrary::<u8>().unwrap_or(1)) % (masks + 2);
        let size = sizes.size(masks, left, step, steps, key);
        assert!(size <= left, "{size} of {left} at step {step}: {}", text());
        assert!(step + 1 < steps || size == left, "{size} of {left} at the end: {}", text());
    }
    let Ok(overshoot) = Overshoot::new(sizes, masks, steps) else { return Ok(()) };
    for (m, &over) in overshoot.values().iter().enumerate() {
        let most = f64::from(masks) - m as f64;
        assert!((0.0..=most * (1.0 + 1e-9)).contains(&over), "E R({m}) is {over}: {}", text());
    }
    let constant = overshoot.constant(weight);
    assert!(constant >= 0.0 && constant.is_finite(), "{constant}: {}", text());
    if let Ok(profile) = &profile
        && profile.masks() == masks
    {
        let kl = overshoot.expected_kl(profile).expect("as many masks");
        let complexity = profile.complexity(weight);
        let bound = constant * complexity * (1.0 + 1e-9) + 1e-12;
        // The sum of a profile of the largest numbers is infinite.
        assert!(
            complexity == f64::INFINITY || kl >= 0.0 && kl <= bound,
            "E KL {kl} above {bound}: {}",
            text()
        );
    }
    Ok(())
}
