//! Keys: the generators they make are frozen, independent, and never shared.
//!
//! *False positives.* Seeds are fixed. With random keys, each chi-square test here would fail a
//! correct implementation with probability 1e-6 (there are about 900), and one of the avalanche
//! counts would be out of bounds with probability 1e-6.

use demask::draw::oracle;
use demask::policy::DrawMethod;
use demask::{
    Canvas, Constraints, Draw, Key, Level, Logits, LogitsData, Noise, Plan, Policy, Purpose,
    RowState, Sampler, Segment,
};
use rand_xoshiro::rand_core::Rng;
use rows::assert_drawn_from;
use statrs::distribution::{ChiSquared, ContinuousCDF};

mod rows;

const PURPOSES: [Purpose; 16] = [
    Purpose::Token,
    Purpose::Reveal,
    Purpose::Order,
    Purpose::Hit,
    Purpose::HitLane,
    Purpose::Race,
    Purpose::Sizes,
    Purpose::Predrawn,
    Purpose::RowReveal,
    Purpose::HitPosition,
    Purpose::Score,
    Purpose::ScoreNoise,
    Purpose::Remask,
    Purpose::Route,
    Purpose::NoiseToken,
    Purpose::FirstNoise,
];

const fn key(seed: u64, stream: u64, step: u32, position: u32) -> Key {
    Key { seed, stream, step, position }
}

/// The first two outputs.
fn outputs(key: Key, purpose: Purpose) -> [u64; 2] {
    outputs_of_draw(key, purpose, 0)
}

/// The first two outputs for one of several draws.
fn outputs_of_draw(key: Key, purpose: Purpose, draw: u32) -> [u64; 2] {
    let mut rng = key.draw_generator(purpose, draw);
    [rng.next_u64(), rng.next_u64()]
}

/// SplitMix64, for keys that look random.
struct Words(u64);

impl Words {
    fn next(&mut self) -> u64 {
        let word = mix(self.0);
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        word
    }

    fn next_key(&mut self) -> Key {
        let [seed, stream, place] = [self.next(), self.next(), self.next()];
        key(seed, stream, (place >> 32) as u32, place as u32)
    }
}

/// SplitMix64's output function, which keys are mixed with.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ x >> 31
}

/// Its inverse.
fn unmix(x: u64) -> u64 {
    // x ^ x >> k is undone k bits at a time; a product by the inverse modulo 2^64, by Newton.
    let unshift = |x: u64, k: u32| (0..64 / k).fold(x, |y, _| x ^ y >> k);
    let inverse =
        |m: u64| (0..6).fold(m, |i, _| i.wrapping_mul(2u64.wrapping_sub(m.wrapping_mul(i))));
    let x = unshift(x, 31).wrapping_mul(inverse(0x94D0_49BB_1331_11EB));
    let x = unshift(x, 27).wrapping_mul(inverse(0xBF58_476D_1CE4_E5B9));
    unshift(x, 30).wrapping_sub(0x9E37_79B9_7F4A_7C15)
}

/// The key and the number of the purpose that a state comes from: every state has one.
fn invert([w0, w1, w2, w3]: [u64; 4]) -> (Key, u64) {
    let w0 = w0 ^ mix(w1);
    let w1 = w1 ^ mix(w2);
    let w2 = w2 ^ mix(w3);
    let (seed, stream) = (unmix(w0), unmix(w1) ^ w0);
    let (place, purpose) = (unmix(w2) ^ w1, unmix(w3) ^ w2);
    (key(seed, stream, (place >> 32) as u32, place as u32), purpose)
}

/// A key for the given step, position and purpose of which the generator begins with `word`.
fn forged(word: u64, step: u32, position: u32, purpose: Purpose, choice: u64) -> Key {
    // xoshiro256++ puts out rotl(s0 + s3, 23) + s0, of which s0 is free.
    let w0 = mix(choice);
    let w3 = word.wrapping_sub(w0).rotate_right(23).wrapping_sub(w0);
    // The words before they were mixed backwards, from the last to the first.
    let place = u64::from(step) << 32 | u64::from(position);
    let w2_forward = unmix(w3) ^ purpose as u64;
    let w1_forward = unmix(w2_forward) ^ place;
    let w2 = w2_forward ^ mix(w3);
    let w1 = w1_forward ^ mix(w2);
    let (key, number) = invert([w0, w1, w2, w3]);
    assert_eq!((key.step, key.position, number), (step, position, purpose as u64));
    assert_eq!(outputs(key, purpose)[0], word, "the forgery");
    key
}

#[test]
fn every_state_has_one_key() {
    let mut words = Words(1);
    for word in [0, 1, u64::MAX, 1 << 63, words.next()] {
        assert_eq!(unmix(mix(word)), word);
        assert_eq!(mix(unmix(word)), word);
    }
    let corners = [0, 1, u64::MAX];
    for seed in corners {
        for stream in corners {
            for place in corners {
                let key = key(seed, stream, (place >> 32) as u32, place as u32);
                for purpose in PURPOSES {
                    assert_eq!(invert(key.state(purpose)), (key, purpose as u64));
                }
            }
        }
    }
    for k in 0..100_000 {
        let (key, purpose) = (words.next_key(), PURPOSES[k % PURPOSES.len()]);
        assert_eq!(invert(key.state(purpose)), (key, purpose as u64));
    }
}

/// Key, purpose, state, first three outputs.
type Frozen = (Key, Purpose, [u64; 4], [u64; 3]);

/// Worked out once by another program (Python). A change of any number here changes the tokens of
/// every user: it is a breaking change, and belongs into the changelog as value-breaking.
#[rustfmt::skip]
const FROZEN: [Frozen; 12] = [
    (
        key(0, 0, 0, 0),
        Purpose::Token,
        [0x91b0_9e8f_534c_7686, 0x0427_6e7d_8f3c_1461,
         0x5b2c_2f26_53a3_6acf, 0x2130_748a_aac8_0268],
        [0x1eaf_a8cb_caa5_e70f, 0x4254_901b_1d54_14e3, 0x479a_513a_ef90_c43d],
    ),
    (
        key(0, 0, 0, 0),
        Purpose::Reveal,
        [0x776b_ffae_adb4_6d4e, 0x3488_c039_17b7_e0d2,
         0x0ee7_5206_4053_9aae, 0x2a4f_111b_3be5_7715],
        [0xdc60_cca0_df85_4ad6, 0x9c6a_342c_8bc5_4d12, 0xd8da_4ea9_a112_fc03],
    ),
    (
        key(0, 0, 0, 0),
        Purpose::Order,
        [0x41d9_1422_4aa0_8a65, 0x06e2_144f_c72f_6655,
         0x1096_f579_3136_719c, 0x4f83_3d45_9789_ac77],
        [0xf5ca_293d_b8e9_388d, 0x32d7_d0ed_47f7_3e8a, 0xfd2f_13e6_1cef_3c48],
    ),
    (
        key(0, 0, 0, 0),
        Purpose::Hit,
        [0x87cb_148e_97fe_7dd4, 0xceb6_54b0_4d62_2625,
         0x0884_6cfe_3755_c718, 0x698d_fba9_f1fc_1b53],
        [0xa410_11db_2bf7_2a5c, 0x6041_5d53_4654_906a, 0xe480_6ba0_2248_f722],
    ),
    (
        key(0, 0, 0, 0),
        Purpose::HitLane,
        [0x456f_3adb_b241_a013, 0x2ef5_4863_6446_6a79,
         0xb6c0_3d0b_5199_10a8, 0x3a55_e40f_751a_2364],
        [0xbb02_e8bd_6e01_82a2, 0xf7ab_ec6d_400b_62aa, 0x156d_d562_45c7_1bba],
    ),
    (
        key(1, 0, 0, 0),
        Purpose::Token,
        [0x7414_0a58_a62f_94bb, 0xbb34_11df_78ef_ffa9,
         0x8506_3fee_9533_4e26, 0xe281_95dd_d9ee_4956],
        [0x8f54_1947_aeda_df8b, 0xf5fd_6595_3960_6300, 0xa3f3_65af_5bbd_10b8],
    ),
    (
        key(0, 1, 0, 0),
        Purpose::Token,
        [0x0639_6ac1_dd1e_df4a, 0xc590_ba2a_bc94_4405,
         0xbd49_d7b2_7ce9_70ae, 0xd1c0_2706_8798_4b37],
        [0xea6b_c657_1e0a_dc12, 0x4e66_d419_d2dc_f895, 0xfd48_79ce_5132_3ce1],
    ),
    (
        key(0, 0, 1, 0),
        Purpose::Token,
        [0xfa55_c1ea_6d5d_c0d3, 0x3be2_2cd5_028f_8e82,
         0x55f5_74ca_0e3c_ae29, 0xa4c8_5d70_2582_22cf],
        [0xa79f_31dc_3ead_4fe2, 0x7fcb_f2d8_09dd_f150, 0x911a_0076_66d0_cbe6],
    ),
    (
        key(0, 0, 0, 1),
        Purpose::Token,
        [0xc890_19e6_3ba7_9704, 0x2aa6_83ae_458e_7665,
         0x13dc_00e3_3a06_9e6d, 0xd9ee_f7f0_73d3_7c42],
        [0xb3e7_d76f_def8_d68c, 0x4c66_b0ea_0569_2bd9, 0x3380_04b1_635f_7c5d],
    ),
    (
        key(42, 7, 3, 1000),
        Purpose::Reveal,
        [0xf8c7_73dc_ba9d_1609, 0x28b5_66b6_900e_bb3c,
         0x30ca_11fd_4901_565d, 0x7165_bc28_7932_befe],
        [0xfb61_5bc7_3e52_2ca1, 0xdf4f_23ba_ccb1_fbc5, 0x38b2_91e1_79d3_266d],
    ),
    (
        key(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, 0x8000_0001, 0x7fff_fffe),
        Purpose::Hit,
        [0xed39_2f95_71da_08e3, 0x50a9_6e23_8411_c38c,
         0x92c6_7ddc_1784_dcc4, 0xb14e_600e_938a_1727],
        [0xbf3b_e1a5_7729_4caa, 0x0782_2578_0405_9616, 0xac84_4d03_26a3_4d46],
    ),
    (
        key(u64::MAX, u64::MAX, u32::MAX, u32::MAX),
        Purpose::HitLane,
        [0xe5e7_7c7b_27bc_50b9, 0xa14a_7e28_d8b9_d0aa,
         0x273e_6b2c_f2d4_7996, 0x4165_5524_2d8f_36ed],
        [0xb592_223e_facf_f721, 0xc4a4_4da2_a4fb_ffa7, 0xb6ea_3724_b41e_8df9],
    ),
];

#[test]
fn generators_are_frozen() {
    for (key, purpose, state, first) in FROZEN {
        assert_eq!(key.state(purpose), state, "{key:?}, {purpose:?}");
        let mut rng = key.generator(purpose);
        let found = [rng.next_u64(), rng.next_u64(), rng.next_u64()];
        assert_eq!(found, first, "{key:?}, {purpose:?}");
    }
}

/// Pairs of outputs, counted by five of their bits each: 1024 cells, even if the two are uniform
/// and independent.
struct Pairs {
    high: Vec<u64>,
    low: Vec<u64>,
}

impl Pairs {
    fn new() -> Self {
        Self { high: vec![0; 1 << 10], low: vec![0; 1 << 10] }
    }

    fn add(&mut self, a: u64, b: u64) {
        self.high[(a >> 59 << 5 | b >> 59) as usize] += 1;
        self.low[((a & 31) << 5 | b & 31) as usize] += 1;
    }

    fn assert_even(&self, name: &str) {
        assert_even(&format!("{name}, high bits"), &self.high);
        assert_even(&format!("{name}, low bits"), &self.low);
    }
}

/// Pearson's chi-square against equally likely cells.
fn assert_even(name: &str, counts: &[u64]) {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    assert!(expected > 20.0, "{name}: too few samples for this test");
    let statistic =
        counts.iter().map(|&count| (count as f64 - expected).powi(2) / expected).sum::<f64>();
    let law = ChiSquared::new(counts.len() as f64 - 1.0).expect("more than one cell");
    let p = law.sf(statistic);
    assert!(p > 1e-6, "{name}: chi-square {statistic}, p = {p}");
}

/// A way to count keys from zero.
type Counter = (&'static str, fn(u32) -> Key);

/// By each of the fields.
const COUNTERS: [Counter; 4] = [
    ("seed", |n| key(n as u64, 0, 0, 0)),
    ("stream", |n| key(0, n as u64, 0, 0)),
    ("step", |n| key(0, 0, n, 0)),
    ("position", |n| key(0, 0, 0, n)),
];

#[test]
fn consecutive_keys_are_independent() {
    for (field, key) in COUNTERS {
        for purpose in PURPOSES {
            let mut pairs = Pairs::new();
            for n in 0..100_000 {
                let (a, b) = (outputs(key(2 * n), purpose), outputs(key(2 * n + 1), purpose));
                pairs.add(a[0], b[0]);
            }
            pairs.assert_even(&format!("{field} and the next, {purpose:?}"));
        }
        // The first two outputs of one generator, and the same output of two purposes.
        let mut within = Pairs::new();
        let mut purposes = Pairs::new();
        for n in 0..100_000 {
            let token = outputs(key(n), Purpose::Token);
            within.add(token[0], token[1]);
            let other = outputs(key(n), PURPOSES[1 + n as usize % 5]);
            purposes.add(token[0], other[0]);
        }
        within.assert_even(&format!("two outputs, by {field}"));
        purposes.assert_even(&format!("two purposes, by {field}"));
    }
}

#[test]
fn keys_that_differ_in_one_bit_are_independent() {
    const KEYS: u32 = 100_000;
    let flipped = |k: Key, bit: u32| match bit {
        0..64 => key(k.seed ^ 1 << bit, k.stream, k.step, k.position),
        64..128 => key(k.seed, k.stream ^ 1 << (bit - 64), k.step, k.position),
        128..160 => key(k.seed, k.stream, k.step ^ 1 << (bit - 128), k.position),
        _ => key(k.seed, k.stream, k.step, k.position ^ 1 << (bit - 160)),
    };
    // With n fair coins, P(|heads − n/2| > t) ≤ 2 exp(−2t²/n), for each of 192·64 counts.
    let bound = (f64::from(KEYS) * 0.5 * (2.0 * 192.0 * 64.0 / 1e-6f64).ln()).sqrt();
    let mut words = Words(2);
    for bit in 0..192 {
        let mut pairs = Pairs::new();
        let mut changed = [0u32; 64];
        for _ in 0..KEYS {
            let key = words.next_key();
            let a = outputs(key, Purpose::Token)[0];
            let b = outputs(flipped(key, bit), Purpose::Token)[0];
            pairs.add(a, b);
            for (output, changed) in changed.iter_mut().enumerate() {
                *changed += ((a ^ b) >> output & 1) as u32;
            }
        }
        pairs.assert_even(&format!("bit {bit} of the key"));
        for (output, changed) in changed.into_iter().enumerate() {
            let apart = (f64::from(changed) - f64::from(KEYS) / 2.0).abs();
            assert!(apart < bound, "bit {bit} changes bit {output} in {changed} of {KEYS} keys");
        }
    }
}

#[test]
fn consecutive_draws_are_independent() {
    for purpose in PURPOSES {
        let mut pairs = Pairs::new();
        for n in 0..100_000 {
            let of = |draw| outputs_of_draw(Key::default(), purpose, draw)[0];
            pairs.add(of(2 * n), of(2 * n + 1));
        }
        pairs.assert_even(&format!("a draw and the next, {purpose:?}"));
    }
    // A draw's number is not mistaken for a purpose or a position: with keys that look random, any
    // bit of it changes the outputs.
    let mut words = Words(3);
    for bit in 0..32 {
        let mut pairs = Pairs::new();
        for _ in 0..100_000 {
            let (key, draw) = (words.next_key(), words.next() as u32);
            let of = |draw| outputs_of_draw(key, Purpose::Token, draw)[0];
            pairs.add(of(draw), of(draw ^ 1 << bit));
        }
        pairs.assert_even(&format!("bit {bit} of the draw"));
    }
}

#[test]
fn any_two_purposes_are_independent() {
    for (i, a) in PURPOSES.into_iter().enumerate() {
        for b in &PURPOSES[..i] {
            let mut pairs = Pairs::new();
            for n in 0..50_000 {
                let key = key(0, n / 1_000, 0, n as u32 % 1_000);
                pairs.add(outputs(key, a)[0], outputs(key, *b)[0]);
            }
            pairs.assert_even(&format!("{a:?} and {b:?}"));
        }
    }
}

#[test]
fn a_million_keys_in_a_row_share_no_outputs() {
    let distinct = |name: &str, keys: &mut dyn Iterator<Item = (Key, Purpose, u32)>| {
        // By 12 bits of each word.
        let mut bits = [const { [0u64; 1 << 12] }; 4];
        let pair = |(key, purpose, draw)| {
            let [a, b] = outputs_of_draw(key, purpose, draw);
            for (bits, word) in bits.iter_mut().zip([a >> 52, a & 0xFFF, b >> 52, b & 0xFFF]) {
                bits[word as usize] += 1;
            }
            u128::from(a) << 64 | u128::from(b)
        };
        let mut pairs: Vec<u128> = keys.map(pair).collect();
        assert_eq!(pairs.len(), 1_000_000, "{name}");
        pairs.sort_unstable();
        assert!(pairs.windows(2).all(|two| two[0] != two[1]), "{name}: two of the same");
        for (which, counts) in
            ["first, high", "first, low", "second, high", "second, low"].iter().zip(&bits)
        {
            assert_even(&format!("{name}, {which} bits"), counts);
        }
    };
    for (field, key) in COUNTERS {
        distinct(field, &mut (0..1_000_000).map(|n| (key(n), Purpose::Token, 0)));
    }
    distinct("draw", &mut (0..1_000_000).map(|n| (Key::default(), Purpose::Token, n)));
    // All fields at once, as a batch uses them.
    let mut grid = (0..1_000_000u32).map(|n| {
        let (seed, stream, step) = (n / 200_000, n / 10_000 % 20, n / 500 % 20);
        (key(seed.into(), stream.into(), step, n / 5 % 100), PURPOSES[n as usize % 5], 0)
    });
    distinct("all fields", &mut grid);
    let mut draws = (0..1_000_000u32).map(|n| {
        (key(0, (n / 16_000).into(), 0, n / 160 % 100), PURPOSES[n as usize % 16], n / 16 % 10)
    });
    distinct("purposes, draws, positions and streams", &mut draws);
}

/// The tokens that are drawn with two keys, or in two draws, that differ in one field have the
/// product of their laws: TensorRT-Edge-LLM #211, where every step had the same number.
#[test]
fn tokens_of_keys_that_differ_in_one_field_are_independent() {
    const PAIRS: usize = 100_000;
    const CLASSES: usize = 8;
    type Next = fn(Key) -> Key;
    let fields: [(&str, Next); 8] = [
        ("seed", |k| key(k.seed + 1, k.stream, k.step, k.position)),
        ("stream", |k| key(k.seed, k.stream + 1, k.step, k.position)),
        ("step", |k| key(k.seed, k.stream, k.step + 1, k.position)),
        ("position", |k| key(k.seed, k.stream, k.step, k.position + 1)),
        ("seed, its highest bit", |k| key(k.seed ^ 1 << 63, k.stream, k.step, k.position)),
        ("stream, its highest bit", |k| key(k.seed, k.stream ^ 1 << 63, k.step, k.position)),
        ("seed and stream, swapped", |k| key(k.stream, k.seed, k.step, k.position)),
        ("step and position, swapped", |k| key(k.seed, k.stream, k.position, k.step)),
    ];
    // Even, so that a key is not the next of another pair; small, as in use. Those that are swapped
    // differ.
    let base = |n: usize| {
        key(
            2 * (n as u64 % 8),
            2 * (n as u64 / 1_000) + 101,
            2 * (n as u32 / 8 % 5) + 1_001,
            2 * (n as u32 / 40 % 25),
        )
    };
    for vocab in [CLASSES, 80, 1_200] {
        // Unequal, and each class of all kinds of ids.
        let row: Vec<f32> = (0..vocab).map(|token| (token % CLASSES) as f32 * 0.3).collect();
        let law = oracle::probabilities(&row, 1.0, None).expect("a good row");
        let mut of_class = [0.0; CLASSES];
        law.iter().enumerate().for_each(|(token, p)| of_class[token % CLASSES] += p);
        let law: Vec<f64> = of_class.iter().flat_map(|p| of_class.map(|q| p * q)).collect();
        let mut of_method = Vec::new();
        let check = |name: &str, pairs: &mut dyn Iterator<Item = (usize, usize)>| {
            let mut counts = [0; CLASSES * CLASSES];
            pairs.for_each(|(a, b)| counts[a * CLASSES + b] += 1);
            assert_drawn_from(&law, &counts, name);
        };
        for method in [DrawMethod::Rejection, DrawMethod::ExponentialRace] {
            let draw = Draw { method, ..Draw::at(1.0) };
            let mut sampler = Sampler::builder(2 * PAIRS, 1).build().expect("a sampler");
            let index = vec![0; PAIRS];
            let data = LogitsData::F32(&row);
            let mut drawn = |keys: &[Key], draws: usize| -> Vec<usize> {
                let index = Some(&index[..keys.len()]);
                let logits = Logits::new(data, 1, vocab, vocab, index).expect("a view");
                let drawn = sampler.draw_many(&logits, &draw, &Constraints::NONE, keys, draws);
                drawn.expect("a draw").iter().map(|drawn| drawn.token as usize % CLASSES).collect()
            };
            let keys: Vec<Key> = (0..PAIRS).map(base).collect();
            let first = drawn(&keys, 1);
            for (field, next) in fields {
                let keys: Vec<Key> = keys.iter().map(|&key| next(key)).collect();
                let second = drawn(&keys, 1);
                check(&format!("{field}, {method:?}"), &mut first.iter().copied().zip(second));
            }
            // Two draws with each key, and many with one.
            let two = drawn(&keys, 2);
            check(&format!("draw, {method:?}"), &mut two.chunks(2).map(|two| (two[0], two[1])));
            let many = drawn(&keys[..1], 2 * PAIRS);
            check(
                &format!("many draws, {method:?}"),
                &mut many.chunks(2).map(|two| (two[0], two[1])),
            );
            of_method.push(first);
        }
        // The methods have purposes of their own.
        let (a, b) = (of_method[0].iter().copied(), of_method[1].iter().copied());
        check("purpose", &mut a.zip(b));
    }
}

/// The positions that a plan of one step names, for one segment of one masked position.
fn planned(policy: Policy, key: Key) -> usize {
    let mut tokens = [-1];
    let mut segments = [Segment {
        end: 1,
        seed: key.seed,
        stream: key.stream,
        step: key.step,
        ..Segment::default()
    }];
    let policies = [policy];
    let canvas = Canvas::new(&mut tokens, -1, &mut segments, &policies).expect("a valid canvas");
    let mut plan = Plan::with_capacity(1, 1);
    Sampler::builder(1, 1).build().expect("there").plan(&canvas, &mut plan).expect("it fits");
    plan.rows().len()
}

/// The last step of the Euler method on the linear schedule has h·r(h) = h/h = 1, on every grid:
/// nothing is left, whatever the generator says.
#[test]
fn the_last_linear_euler_step_is_certain() {
    let leaves = |start: f64, steps: u32| {
        let mut policy = Policy::euler(Noise::Linear, steps);
        policy.schedule.start = start;
        let key = forged(u64::MAX, steps - 1, 0, Purpose::Reveal, steps.into());
        planned(policy, key) == 0
    };
    for start in [1.0, 0.7, 0.123] {
        let left: Vec<u32> = (1..=2000).filter(|&steps| leaves(start, steps)).collect();
        assert!(
            left.is_empty(),
            "from {start}, {} of 2000 grids can leave a mask, of {:?}… steps",
            left.len(),
            &left[..left.len().min(5)]
        );
    }
}

/// At the ends of the random number's range a draw must not slip off the row, nor onto a token
/// that is banned.
#[test]
fn no_word_draws_a_banned_token() {
    let words = [0, 1, (1 << 11) - 1, 1 << 11, (1 << 63) - 1, 1 << 63, u64::MAX - 1, u64::MAX];
    for vocab in [1, 2, 5, 16, 17, 50, 100, 1000, 1025, 5000] {
        // Only some tokens are open, away from both ends, in one lane, in many, or all.
        type IsOpen = fn(usize, usize) -> bool;
        let rows: [(&str, IsOpen); 4] = [
            ("the middle", |token, vocab| token == vocab / 2),
            ("every seventh", |token, vocab| token % 7 == 3 || token == vocab / 2),
            ("one lane", |token, vocab| token % 16 == vocab / 2 % 16),
            ("all", |_, _| true),
        ];
        for (name, is_open) in rows {
            let open = |token: usize| is_open(token, vocab);
            let logit =
                |token| if open(token) { (token % 3) as f32 * 4.0 } else { f32::NEG_INFINITY };
            let row: Vec<f32> = (0..vocab).map(logit).collect();
            for word in words {
                let keys: Vec<Key> =
                    (0..8).map(|choice| forged(word, 1, 2, Purpose::Token, choice)).collect();
                let data: Vec<f32> = row.iter().copied().cycle().take(8 * vocab).collect();
                let logits = Logits::f32(&data, 8, vocab).expect("rows");
                for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
                    let mut sampler = Sampler::builder(8, 1).level(level).build().expect("there");
                    let drawn = sampler
                        .draw(&logits, &Draw::at(1.0), &Constraints::NONE, &keys)
                        .expect("a draw");
                    for drawn in drawn {
                        let what = format!("V = {vocab}, open: {name}, word {word:#x}, {level}");
                        assert_eq!(drawn.state, RowState::Drawn, "{what}");
                        assert!((0..vocab as i32).contains(&drawn.token), "{what}: {drawn:?}");
                        assert!(open(drawn.token as usize), "{what}: {drawn:?}");
                    }
                }
            }
        }
    }
}
