//! First-hitting times, noise schedules, unmasking sizes.

use super::inputs::words;
use super::lines::{Hash, Lines};
use demask::schedule::sizes::{
    MarkovSizes, MaskFunction, Overshoot, Profile, Rounding, SizeList, SystematicSizes, Weight,
};
use demask::schedule::{Base, NoiseTable, hitting};
use demask::{Key, Level, Noise, Purpose, Sizes};

const KEY: Key = Key { seed: 21, stream: 4, step: 0, position: 0 };

pub(crate) fn hitting_times(level: Level) -> Lines {
    let mut lines = Lines::default();
    for masks in [1, 15, 17, 100, 1_000] {
        let mut events = vec![0.0; masks];
        hitting::all(level, KEY, -0.25, &mut events);
        lines.push(&format!("all of {masks}"), first(&events), &Hash::floats(&events));
        let keys: Vec<_> = (0..masks as u32).map(|step| Key { step, ..KEY }).collect();
        let counts: Vec<_> = (1..=masks as u32).collect();
        hitting::next_of_each(level, &keys, &counts, &mut events).expect("as many");
        lines.push(&format!("next of each of {masks}"), first(&events), &Hash::floats(&events));
        hitting::of_positions(level, KEY, -0.25, &counts, &mut events).expect("as many");
        lines.push(&format!("of {masks} positions"), first(&events), &Hash::floats(&events));
    }
    let mut rng = KEY.generator(Purpose::Hit);
    let next: Vec<_> = (1..=64).map(|masks| hitting::next(-0.5, masks, &mut rng)).collect();
    lines.push("next", first(&next), &Hash::floats(&next));
    lines
}

fn first(values: &[f64]) -> &[f64] {
    &values[..values.len().min(4)]
}

pub(crate) fn noise(_: Level) -> Lines {
    let table = NoiseTable::new(&[0.0, 0.25, 1.0, 2.0], &[0.0, 0.5, 0.75, 1.0]).expect("a table");
    let scaled = |base| Noise::Scaled { base, epsilon: 1e-3 };
    let schedules = [
        ("linear", Noise::Linear),
        ("cosine", Noise::Cosine),
        ("unit rate", Noise::UnitRate),
        ("cosine squared", Noise::CosineSquared),
        ("MaskGIT's cosine", Noise::MaskgitCosine),
        ("geometric", Noise::Geometric { sigma_min: 1e-3, sigma_max: 20.0 }),
        ("power 2", Noise::Power { exponent: 2.0 }),
        ("power 0.3", Noise::Power { exponent: 0.3 }),
        ("logarithmic", Noise::Logarithmic),
        ("scaled linear", scaled(Base::Linear)),
        ("scaled cosine", scaled(Base::Cosine)),
        ("scaled cosine squared", scaled(Base::CosineSquared)),
        ("table", Noise::Table(&table)),
    ];
    let mut lines = Lines::default();
    for (name, noise) in schedules {
        let at = |t: f64, s: f64| {
            let log_masked = noise.log_masked(t);
            [
                noise.alpha(t),
                log_masked,
                noise.time(log_masked),
                noise.rate(t),
                noise.score_sum(t),
                noise.reveal_probability(t, s),
                noise.euler_probability(t, t - s),
                noise.tau_first_jump_probability(t, t - s),
                noise.tau_reject_probability(t, t - s),
            ]
        };
        // All over, and steps down to the shortest.
        let mut hash = Hash::new();
        let mut next = words(22, 0);
        for k in 1..=512 {
            let t = (next() >> 12) as f64 / (1u64 << 52) as f64;
            at(t, 0.875 * t).into_iter().for_each(|x| hash.float(x));
            let short = f64::from_bits((1_023 - k) << 52);
            at(1.0, 1.0 - short).into_iter().for_each(|x| hash.float(x));
            at(short, 0.5 * short).into_iter().for_each(|x| hash.float(x));
        }
        lines.push(name, &at(0.375, 0.25), &hash);
    }
    lines
}

fn profile(masks: u32) -> Profile {
    // Falls by the square of what is left.
    let values: Vec<_> =
        (0..masks).map(|i| f64::from((masks - i) * (masks - i)) / 1_024.0).collect();
    Profile::new(&values).expect("a profile")
}

pub(crate) fn sizes(_: Level) -> Lines {
    let mut lines = Lines::default();
    let mut push = |name: &str, sizes: Sizes<'_>, masks: u32, steps: usize| {
        let mut hash = Hash::new();
        let mut drawn = vec![0; steps];
        for stream in (0..32).rev() {
            sizes.draw_all(masks, Key { stream, ..KEY }, &mut drawn).expect("sizes");
            drawn.iter().for_each(|&size| hash.word(size.into()));
        }
        lines.push(&format!("{name}, {masks} in {steps}"), &drawn, &hash);
    };
    let weights = [
        ("TC", Weight::TotalCorrelation),
        ("DTC", Weight::DualTotalCorrelation),
        ("ETC", Weight::EffectiveTotalCorrelation),
    ];
    for (masks, steps) in [(37, 5), (128, 9)] {
        push("even", Sizes::Even, masks, steps);
        push("even reversed", Sizes::EvenReversed, masks, steps);
        push("fixed", Sizes::Fixed(3), masks, steps);
        push("time ratio", Sizes::TimeRatio { end: 1e-3 }, masks, steps);
        push("expected", Sizes::Expected, masks, steps);
        push("binomial", Sizes::Binomial, masks, steps);
        push("kappa", Sizes::Kappa, masks, steps);
        for function in MaskFunction::ALL {
            for rounding in [Rounding::Floor, Rounding::Ceil] {
                let name = format!("{function:?} {rounding:?}");
                push(&name, Sizes::Mask(function, rounding), masks, steps);
            }
        }
        let table = MarkovSizes::tc(masks, steps as u32).expect("a table");
        push("Markov", Sizes::Markov(&table), masks, steps);
        push("Markov reversed", Sizes::MarkovReversed(&table), masks, steps);
        let table = MarkovSizes::tc_closed_form(masks, steps as u32).expect("a table");
        push("Markov in closed form", Sizes::Markov(&table), masks, steps);
        for (name, weight) in weights {
            let table = SystematicSizes::new(masks, steps as u32, weight).expect("a table");
            push(&format!("systematic {name}"), Sizes::Systematic(&table), masks, steps);
        }
        let profile = profile(masks);
        for (name, list) in [
            ("geometric", SizeList::tc_geometric(masks, 4)),
            ("reveal odds", SizeList::reveal_odds(masks, 14)),
            ("optimal", SizeList::optimal(&profile, steps as u32)),
            ("square root", SizeList::square_root(&profile, steps as u32)),
        ] {
            let list = list.expect("a list");
            push(name, Sizes::List(&list), masks, list.steps() as usize);
        }
    }
    lines
}

pub(crate) fn tables(_: Level) -> Lines {
    let mut lines = Lines::default();
    for (masks, steps) in [(37, 5), (128, 9)] {
        let markov = MarkovSizes::tc(masks, steps).expect("a table");
        let closed = MarkovSizes::tc_closed_form(masks, steps).expect("a table");
        let systematic = [
            Weight::TotalCorrelation,
            Weight::DualTotalCorrelation,
            Weight::EffectiveTotalCorrelation,
        ]
        .map(|weight| SystematicSizes::new(masks, steps, weight).expect("a table"));
        let name = |what: &str| format!("{what}, {masks} in {steps}");
        let constants = [
            markov.constant(),
            closed.constant(),
            systematic[0].constant(),
            systematic[1].constant(),
            systematic[2].constant(),
        ];
        lines.push_whole(&name("constants"), &constants);
        for (weight, table) in ["TC", "DTC", "ETC"].into_iter().zip(&systematic) {
            let gaps: Vec<_> = table.gaps().collect();
            lines.push(&name(&format!("gaps {weight}")), first(&gaps), &Hash::floats(&gaps));
        }
        for (rule, sizes) in [
            ("Markov", Sizes::Markov(&markov)),
            ("Markov reversed", Sizes::MarkovReversed(&markov)),
            ("cosine", Sizes::COSINE),
            ("systematic", Sizes::Systematic(&systematic[0])),
        ] {
            let overshoot = Overshoot::new(sizes, masks, steps).expect("a rule that serves");
            let mut values = overshoot.values().to_vec();
            values.push(overshoot.expected_kl(&profile(masks)).expect("as many masks"));
            let name = name(&format!("overshoot {rule}"));
            lines.push(&name, first(&values), &Hash::floats(&values));
        }
    }
    lines
}
