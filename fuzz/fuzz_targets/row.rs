//! Rows of arbitrary bits, drawn from and described at every level: the same bits at each, and what the
//! documentation promises of them, by an f64 reading of it that is slow and obvious.

#![no_main]

use arbitrary::{Result, Unstructured};
use demask::draw::{Law, law, oracle};
use demask::policy::{DrawMethod, FilterOrder, NucleusEdge};
use demask::{
    AllowedTokens, Constraints, Draw, Drawn, Error, Key, Level, Logits, LogitsData, RowBias,
    RowOutputs, RowState, RowStatistics, Sampler, Statistics, TopToken, bf16, f16,
};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::ops::Range;

/// The stated relative error of probabilities and statistics.
const ERROR: f64 = 2e-6;
/// The least probability that the stated error is of.
const LEAST: f64 = 1.0 / (1u128 << 80) as f64;
const MAX_ROWS: usize = 4;
const MAX_VOCAB: usize = 9_001;
const MAX_DRAWS: usize = 3;

thread_local! {
    /// One for each level that this CPU has.
    static SAMPLERS: RefCell<Vec<Sampler>> = RefCell::new(
        Level::ALL
            .into_iter()
            .filter(|level| level.is_available())
            .map(|level| {
                let builder = Sampler::builder(MAX_ROWS * MAX_DRAWS, 1).level(level);
                builder.vocab(MAX_VOCAB).build().expect("a sampler")
            })
            .collect(),
    );
}

fuzz_target!(|data: &[u8]| {
    if let Ok(case) = Case::new(&mut Unstructured::new(data)) {
        case.run();
    }
});

/// The bits of a number: any, or those that matter.
fn float_bits(u: &mut Unstructured<'_>, half: bool, brain: bool) -> Result<u32> {
    let special = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        1.0 + f32::EPSILON,
        0.5,
        17.25,
        -80.0,
        -87.5,
        f32::MIN_POSITIVE,
        1e-45,
        -1e-45,
        65_504.0,
        f32::MAX,
        f32::MIN,
        f32::NEG_INFINITY,
        f32::NEG_INFINITY,
        f32::INFINITY,
        f32::NAN,
    ];
    let choice = usize::from(u.arbitrary::<u8>()?);
    Ok(match special.get(choice) {
        Some(&x) if half => f16::from_f32(x).to_bits().into(),
        Some(&x) if brain => bf16::from_f32(x).to_bits().into(),
        Some(&x) => x.to_bits(),
        // Of the size that logits have.
        None if choice < 140 => {
            let x = (choice as f32 - 80.0) / 4.0 + f32::from(u.arbitrary::<u8>()?) / 1024.0;
            match (half, brain) {
                (true, _) => f16::from_f32(x).to_bits().into(),
                (_, true) => bf16::from_f32(x).to_bits().into(),
                _ => x.to_bits(),
            }
        }
        None if half || brain => u.arbitrary::<u16>()?.into(),
        None => u.arbitrary()?,
    })
}

/// A number of a rule: often a good one, sometimes any.
fn number(u: &mut Unstructured<'_>, good: &[f32]) -> Result<f32> {
    let choice = usize::from(u.arbitrary::<u8>()?);
    Ok(match choice {
        255 => f32::from_bits(u.arbitrary()?),
        _ => good[choice % good.len()],
    })
}

/// Elements of one of the three types.
enum Elements {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
}

impl Elements {
    fn of(bits: &[u32], kind: u8) -> Self {
        match kind {
            0 => Self::F32(bits.iter().map(|&bits| f32::from_bits(bits)).collect()),
            1 => Self::F16(bits.iter().map(|&bits| f16::from_bits(bits as u16)).collect()),
            _ => Self::Bf16(bits.iter().map(|&bits| bf16::from_bits(bits as u16)).collect()),
        }
    }

    fn data(&self) -> LogitsData<'_> {
        match self {
            Self::F32(all) => LogitsData::F32(all),
            Self::F16(all) => LogitsData::F16(all),
            Self::Bf16(all) => LogitsData::Bf16(all),
        }
    }

    fn exact(&self, range: Range<usize>) -> Vec<f32> {
        match self {
            Self::F32(all) => all[range].to_vec(),
            Self::F16(all) => all[range].iter().map(|x| x.to_f32()).collect(),
            Self::Bf16(all) => all[range].iter().map(|x| x.to_f32()).collect(),
        }
    }
}

/// What is done with the second set of rows.
#[derive(Clone, Copy, PartialEq)]
enum Second {
    None,
    Guide(f32),
    Against,
}

struct Case {
    rows: usize,
    vocab: usize,
    stride: usize,
    first: Elements,
    other: Elements,
    second: Second,
    draw: Draw,
    draws: usize,
    excluded: Option<u32>,
    banned: Vec<u32>,
    bias: Vec<(u32, f32)>,
    offsets: Vec<u32>,
    row_bias: Option<Vec<(u32, f32)>>,
    allowed: Option<(Vec<u32>, usize)>,
    keys: Vec<Key>,
    temperature: f32,
    filtered: bool,
    given: Vec<u32>,
    listed: usize,
}

/// A thorough mix of a word (SplitMix64).
fn mix(state: u64) -> u64 {
    let x = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The bits of all elements of rows, from a few that the input gives.
fn fill(u: &mut Unstructured<'_>, kind: u8, rows: usize, stride: usize) -> Result<Vec<u32>> {
    let (half, brain) = (kind == 1, kind == 2);
    let count = 1 + usize::from(u.arbitrary::<u8>()?) % 48;
    let some = (0..count).map(|_| float_bits(u, half, brain)).collect::<Result<Vec<_>>>()?;
    let how = u.arbitrary::<u8>()?;
    let salt = u64::from(u.arbitrary::<u8>()?);
    let elements = rows * stride;
    let floor = Elements::of(&[0], kind);
    let floor = match floor {
        Elements::F32(_) => f32::NEG_INFINITY.to_bits(),
        Elements::F16(_) => f16::NEG_INFINITY.to_bits().into(),
        Elements::Bf16(_) => bf16::NEG_INFINITY.to_bits().into(),
    };
    let hashed = |i: usize| mix(salt << 32 | i as u64);
    Ok((0..elements)
        .map(|i| match how % 5 {
            0 => some[i % count],
            1 => some[i.min(count - 1)],
            2 => some.get(i).copied().unwrap_or(floor),
            3 => some[hashed(i) as usize % count],
            _ => {
                // Few of them, among numbers of the size that logits have.
                let word = hashed(i);
                let x = (word >> 40) as f32 / (1 << 20) as f32 - 8.0;
                match (word % 13 == 0, kind) {
                    (true, _) => some[(word >> 8) as usize % count],
                    (_, 0) => x.to_bits(),
                    (_, 1) => f16::from_f32(x).to_bits().into(),
                    _ => bf16::from_f32(x).to_bits().into(),
                }
            }
        })
        .collect())
}

impl Case {
    fn new(u: &mut Unstructured<'_>) -> Result<Self> {
        let kind = u.arbitrary::<u8>()? % 3;
        let edges = [255, 257, 400, 495, 496, 511, 512, 513, 1_023, 1_025, 2_049, 4_097, MAX_VOCAB];
        let choice = usize::from(u.arbitrary::<u8>()?);
        let vocab = match choice.checked_sub(243) {
            Some(edge) => edges[edge],
            None => 1 + choice % 150,
        };
        let rows = 1 + usize::from(u.arbitrary::<u8>()?) % MAX_ROWS;
        let rows = if vocab > 600 { 1 } else { rows };
        let stride = vocab + usize::from(u.arbitrary::<u8>()?) % 3;
        let first = Elements::of(&fill(u, kind, rows, stride)?, kind);
        let second = match u.arbitrary::<u8>()? % 6 {
            0 => Second::Guide(number(u, &[1.0, 0.0, 2.5, -1.0, 1e30])?),
            1 => Second::Against,
            _ => Second::None,
        };
        let other = match second {
            Second::None => Elements::of(&[], kind),
            _ => Elements::of(&fill(u, kind, rows, stride)?, kind),
        };
        let temperatures = [1.0, 0.0, 0.7, 2.0, 1e-3, 1e-30, 30.0, 1e30, f32::MAX, f32::INFINITY];
        let draw = Draw {
            temperature: number(u, &temperatures)?,
            top_k: [0, 0, 0, 1, 2, 7, 40, u32::MAX][usize::from(u.arbitrary::<u8>()?) % 8],
            top_p: number(u, &[1.0, 1.0, 0.9, 0.5, 0.999, 1e-6, 1e-40, 1.0f32.next_down()])?,
            min_p: number(u, &[0.0, 0.0, 0.0, 0.05, 0.5, 1.0, 1e-30, 1e-45])?,
            filter_order: match u.arbitrary()? {
                false => FilterOrder::AfterTemperature,
                true => FilterOrder::BeforeTemperature,
            },
            nucleus_edge: match u.arbitrary()? {
                false => NucleusEdge::Keep,
                true => NucleusEdge::Drop,
            },
            method: match u.arbitrary::<u8>()? % 3 {
                0 => DrawMethod::ExponentialRace,
                _ => DrawMethod::Rejection,
            },
        };
        let draws = 1 + usize::from(u.arbitrary::<u8>()?) % MAX_DRAWS;
        // Tokens may lie just past the vocabulary.
        let token = |u: &mut Unstructured<'_>| {
            Ok((usize::from(u.arbitrary::<u16>()?) % (vocab + usize::from(vocab > 100))) as u32)
        };
        let bias = |u: &mut Unstructured<'_>| {
            let by = [0.5, -0.5, 1e-7, 30.0, -1e30, f32::MAX, f32::NEG_INFINITY];
            Ok((token(u)?, number(u, &by)?))
        };
        let excluded = match u.arbitrary::<u8>()? % 3 {
            0 => Some(token(u)?),
            1 => Some(u.arbitrary()?),
            _ => None,
        };
        let constrained = u.arbitrary::<u8>()?;
        let count = |bit: u8, most: usize| if constrained >> bit & 1 == 1 { most } else { 0 };
        let banned = (0..count(0, 3)).map(|_| token(u)).collect::<Result<_>>()?;
        let biased = (0..count(1, 3)).map(|_| bias(u)).collect::<Result<_>>()?;
        let (mut offsets, mut row_bias) = (vec![0], None);
        if count(2, 1) == 1 {
            let mut entries: Vec<(u32, f32)> = vec![];
            for _ in 0..rows {
                for _ in 0..u.arbitrary::<u8>()? % 3 {
                    entries.push(bias(u)?);
                }
                offsets.push(entries.len() as u32);
            }
            row_bias = Some(entries);
        }
        let mut allowed = None;
        if count(3, 1) == 1 {
            let width = vocab.div_ceil(32);
            let stride = if u.arbitrary()? { 0 } else { width };
            let salt = u64::from(u.arbitrary::<u16>()?);
            let words = if stride == 0 { width } else { rows * width };
            let sparse = count(4, 1) == 1;
            let word = |i: usize| {
                let word = mix(salt << 20 | i as u64);
                (if sparse { word & (word >> 7) & (word >> 13) } else { word }) as u32
            };
            allowed = Some(((0..words).map(word).collect(), stride));
        }
        let keys = (0..rows).map(|_| {
            let (seed, stream) = (u.arbitrary::<u16>()?.into(), u.arbitrary::<u8>()?.into());
            Ok(Key { seed, stream, step: 3, position: 5 })
        });
        let keys = keys.collect::<Result<_>>()?;
        let temperature = number(u, &[1.0, 0.7, 30.0, 1e-30, f32::INFINITY, 1e30, 0.1])?;
        let filtered = u.arbitrary::<u8>()? % 4 == 0;
        let asks = u.arbitrary()?;
        let given = (0..if asks { rows } else { 0 }).map(|_| token(u)).collect::<Result<_>>()?;
        let listed = usize::from(u.arbitrary::<u8>()?) % 6;
        Ok(Self {
            rows,
            vocab,
            stride,
            first,
            other,
            second,
            draw,
            draws,
            excluded,
            banned,
            bias: biased,
            offsets,
            row_bias,
            allowed,
            keys,
            temperature,
            filtered,
            given,
            listed,
        })
    }

    fn constraints(&self) -> Constraints<'_> {
        let row_bias = self.row_bias.as_deref();
        Constraints {
            excluded: self.excluded,
            banned: &self.banned,
            bias: &self.bias,
            row_bias: row_bias.map(|entries| RowBias { offsets: &self.offsets, entries }),
            allowed: self
                .allowed
                .as_ref()
                .map(|(words, stride)| AllowedTokens { words, stride: *stride }),
        }
    }

    /// The argument that a plain draw must refuse, if any: the words that its error must hold.
    fn refused(&self) -> Option<(&'static str, f64)> {
        let Draw { temperature, top_p, min_p, .. } = self.draw;
        if !(temperature == 0.0 || temperature >= 1e-30) {
            return Some(("temperature", temperature.into()));
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Some(("top_p", top_p.into()));
        }
        if !(min_p >= 0.0 && min_p <= 1.0) {
            return Some(("min_p", min_p.into()));
        }
        if let Some(&token) = self.banned.iter().find(|&&token| token as usize >= self.vocab) {
            return Some(("banned token", token.into()));
        }
        let biases = || self.bias.iter().chain(self.row_bias.iter().flatten());
        if let Some(&(token, _)) = biases().find(|(token, _)| *token as usize >= self.vocab) {
            return Some(("biased token", token.into()));
        }
        let wrong = |by: f32| by.is_nan() || by == f32::INFINITY;
        let found = biases().find(|(_, by)| wrong(*by));
        found.map(|&(_, by)| ("bias", f64::from(by)))
    }

    /// The same for what a description asks for beside a draw.
    fn statistics_refused(&self) -> Option<(&'static str, f64)> {
        let temperature = self.temperature;
        if !((1e-30..=1e30).contains(&temperature) || temperature == f32::INFINITY) {
            return Some(("statistics.temperature", temperature.into()));
        }
        if let Some(&token) = self.given.iter().find(|&&token| token as usize >= self.vocab) {
            return Some(("given token", token.into()));
        }
        if self.filtered && self.second == Second::Against {
            return Some(("filtered", 1.0));
        }
        None
    }

    /// What the constraints and the guide make of row `k` of `elements`; and whether that took NaN or +∞
    /// out of it: which rows such a number spoils is not said.
    fn changed(&self, elements: &Elements, k: usize, guide: Option<f32>) -> (Vec<f32>, bool) {
        let first = k * self.stride;
        let row = |elements: &Elements| elements.exact(first..first + self.vocab);
        let is_odd = |x: f32| x.is_nan() || x == f32::INFINITY;
        let mut changed = row(elements);
        let mut unsaid = false;
        if let Some(scale) = guide {
            for (z, g) in changed.iter_mut().zip(row(&self.other)) {
                // The arithmetic is that of the library: in f64 other logits would be ties.
                let out = *z == f32::NEG_INFINITY || g == f32::NEG_INFINITY;
                unsaid |= out && (is_odd(*z) || is_odd(g));
                *z = if out { f32::NEG_INFINITY } else { scale.mul_add(*z - g, g) };
            }
        }
        let own = self
            .row_bias
            .iter()
            .flat_map(|entries| &entries[self.offsets[k] as usize..self.offsets[k + 1] as usize]);
        for &(token, by) in self.bias.iter().chain(own) {
            let x = &mut changed[token as usize];
            unsaid |= is_odd(*x) && by == f32::NEG_INFINITY;
            *x = if *x == f32::NEG_INFINITY { *x } else { *x + by };
        }
        let mut out = self.banned.clone();
        out.extend(self.excluded);
        if let Some((words, stride)) = &self.allowed {
            let words = &words[k * stride..];
            let bit = |token: usize| words[token / 32] >> (token % 32) & 1;
            out.extend((0..self.vocab).filter(|&token| bit(token) == 0).map(|token| token as u32));
        }
        for token in out {
            if let Some(x) = changed.get_mut(token as usize) {
                unsaid |= is_odd(*x);
                *x = f32::NEG_INFINITY;
            }
        }
        (changed, unsaid)
    }

    fn run(&self) {
        let Self { rows, vocab, stride, draws, .. } = *self;
        let view = Logits::new(self.first.data(), rows, vocab, stride, None).expect("a view");
        let other = || Logits::new(self.other.data(), rows, vocab, stride, None).expect("a view");
        let (view, against, guide) = match self.second {
            Second::None => (view, None, None),
            Second::Against => (view, Some(other()), None),
            Second::Guide(scale) => match view.guided(&other(), scale) {
                Ok(guided) if scale.is_finite() => (guided, None, Some(scale)),
                result => {
                    assert_refusal(&result.map(drop), Some(("guidance scale", scale.into())));
                    return;
                }
            },
        };
        let constraints = self.constraints();
        let wanted = Statistics {
            temperature: self.temperature,
            filtered: self.filtered,
            given: &self.given,
            against,
        };
        let outcomes: Vec<Option<Outcome>> = SAMPLERS.with_borrow_mut(|samplers| {
            let all = samplers.iter_mut();
            all.map(|sampler| {
                let drawn = sampler.draw_many(&view, &self.draw, &constraints, &self.keys, draws);
                assert_refusal(&drawn.map(drop), self.refused());
                if self.refused().is_some() {
                    return None;
                }
                let drawn = sampler.drawn().to_vec();
                let mut statistics = vec![RowStatistics::BAD; rows];
                let mut top = vec![TopToken { token: -7, logit: 7.0 }; rows * self.listed];
                let before = (bits_of(&statistics), top.clone());
                let into = RowOutputs { statistics: &mut statistics, top: &mut top };
                let described = sampler.draw_with_statistics(
                    &view,
                    &self.draw,
                    &constraints,
                    &self.keys,
                    &wanted,
                    into,
                );
                let described = described.map(<[Drawn]>::to_vec);
                assert_refusal(&described.clone().map(drop), self.statistics_refused());
                let Ok(described) = described else {
                    assert!(
                        before == (bits_of(&statistics), top),
                        "a refused call wrote something"
                    );
                    return None;
                };
                let first: Vec<Drawn> = drawn.iter().copied().step_by(draws).collect();
                let how = || format!("{:?} {:?} {:?}", self.draw, wanted, constraints);
                assert_eq!(first, described, "statistics changed a token: {}", how());
                Some(Outcome { level: sampler.level(), drawn, statistics, top })
            })
            .collect()
        });
        let Some(Some(best)) = outcomes.last() else { return };
        for outcome in outcomes.iter().flatten() {
            let levels = (outcome.level, best.level);
            assert_eq!(outcome.drawn, best.drawn, "{levels:?} draw other tokens");
            let same = bits_of(&outcome.statistics) == bits_of(&best.statistics);
            assert!(same, "{levels:?}: {:?} and {:?}", outcome.statistics, best.statistics);
            let bits = |top: &[TopToken]| -> Vec<_> {
                top.iter().map(|t| (t.token, t.logit.to_bits())).collect()
            };
            assert_eq!(bits(&outcome.top), bits(&best.top), "{levels:?} list other tokens");
        }
        for k in 0..rows {
            let (row, unsaid) = self.changed(&self.first, k, guide);
            let drawn = &best.drawn[k * draws..(k + 1) * draws];
            let top = &best.top[k * self.listed..(k + 1) * self.listed];
            let spoilt = row.iter().any(|x| x.is_nan() || *x == f32::INFINITY);
            let good = !spoilt && row.iter().any(|x| x.is_finite());
            if !good {
                assert!(drawn.iter().all(|d| *d == Drawn::BAD), "a bad row drew {drawn:?}");
                let same = bits_of(&best.statistics[k..=k]) == bits_of(&[RowStatistics::BAD]);
                assert!(same, "a bad row has {:?}", best.statistics[k]);
                assert!(top.iter().all(|t| *t == TopToken::NONE), "a bad row lists {top:?}");
                continue;
            }
            if drawn[0].state == RowState::Bad {
                assert!(unsaid, "row {k} was called bad: {row:?}");
                continue;
            }
            assert!(drawn.iter().all(|d| d.state == RowState::Drawn), "{drawn:?}");
            self.check_row(k, &row, drawn, &best.statistics[k], top);
        }
        if rows == 1 && vocab <= 600 && best.drawn[0].state == RowState::Drawn {
            self.check_law(&view, &self.changed(&self.first, 0, guide).0);
        }
    }

    /// The tokens that the filters leave of a good row, twice: those that they leave whichever way the
    /// stated errors fall, and those that they may leave.
    fn kept(&self, row: &[f32]) -> [Vec<bool>; 2] {
        let draw = &self.draw;
        let mut order: Vec<usize> = (0..row.len()).filter(|&i| row[i].is_finite()).collect();
        order.sort_by(|&i, &j| (row[j] + 0.0).total_cmp(&(row[i] + 0.0)).then(i.cmp(&j)));
        let mut kept = [vec![false; row.len()], vec![false; row.len()]];
        let of = |order: &[usize], kept: &mut Vec<bool>| order.iter().for_each(|&i| kept[i] = true);
        if draw.temperature == 0.0 {
            kept.iter_mut().for_each(|kept| of(&order, kept));
            return kept;
        }
        if draw.top_k > 0 {
            order.truncate(draw.top_k as usize);
        }
        let temperature = match draw.filter_order {
            FilterOrder::BeforeTemperature => 1.0,
            _ => f64::from(draw.temperature),
        };
        let largest = f64::from(row[order[0]]);
        let weight = |i: usize| ((f64::from(row[i]) - largest) / temperature).exp();
        let total: f64 = order.iter().map(|&i| weight(i)).sum();
        let top_p = f64::from(draw.top_p);
        let min_p = f64::from(draw.min_p);
        let mut before = 0.0;
        for equal in order.chunk_by(|&i, &j| row[i] == row[j]) {
            let with: f64 = before + equal.iter().map(|&i| weight(i)).sum::<f64>() / total;
            let is_largest = row[equal[0]] == row[order[0]];
            let mass = match draw.nucleus_edge {
                NucleusEdge::Drop => with,
                _ => before,
            };
            let odds = weight(equal[0]) / min_p;
            // Depths beyond every exponent are compared as logarithms.
            let depth = (f64::from(row[equal[0]]) - largest) / temperature - min_p.ln();
            for (kept, slack) in kept.iter_mut().zip([-ERROR, ERROR]) {
                let nucleus = top_p == 1.0 || is_largest || mass < top_p * (1.0 + slack);
                let likely = min_p == 0.0 || is_largest || odds >= 1.0 - slack || depth >= -slack;
                if nucleus && likely {
                    of(equal, kept);
                }
            }
            before = with;
        }
        kept
    }

    fn check_row(
        &self,
        k: usize,
        row: &[f32],
        drawn: &[Drawn],
        ours: &RowStatistics,
        top: &[TopToken],
    ) {
        let [surely, maybe] = self.kept(row);
        let temperature = f64::from(self.draw.temperature);
        let mut order: Vec<usize> = (0..row.len()).filter(|&i| row[i].is_finite()).collect();
        order.sort_by(|&i, &j| (row[j] + 0.0).total_cmp(&(row[i] + 0.0)).then(i.cmp(&j)));
        for (j, drawn) in drawn.iter().enumerate() {
            let token = drawn.token as usize;
            assert!(token < row.len() && row[token].is_finite(), "token {token} cannot be drawn");
            assert!(maybe[token], "token {token} is filtered out of {row:?} by {:?}", self.draw);
            if temperature == 0.0 {
                assert_eq!(token, order[0], "the largest logit, ties to the lowest id");
            } else if self.draw.method == DrawMethod::ExponentialRace {
                let noise = oracle::race_noise(row.len(), self.keys[k], j as u32);
                let score = |i: usize| {
                    let below = f64::from(row[i]) - f64::from(row[order[0]]);
                    below / temperature - noise[i].ln()
                };
                let best = (0..row.len()).filter(|&i| surely[i]).map(score);
                let best = best.fold(f64::NEG_INFINITY, f64::max);
                let (own, slack) = (score(token), 1e-9 * best.abs().max(1.0));
                assert!(own >= best - slack, "token {token} has {own}, another one {best}");
            }
        }
        let listed: Vec<TopToken> = (0..top.len())
            .map(|place| match order.get(place) {
                Some(&i) => TopToken { token: i as i32, logit: row[i] },
                None => TopToken::NONE,
            })
            .collect();
        assert_eq!(top, listed, "the largest logits of {row:?}");

        // What is described is the whole law, or that of what is left.
        let is_filtered = self.filtered && temperature != 0.0;
        if is_filtered && surely != maybe {
            return;
        }
        let left = |i: usize| !is_filtered || surely[i];
        let law_of: Vec<f32> =
            (0..row.len()).map(|i| if left(i) { row[i] } else { f32::NEG_INFINITY }).collect();
        let (token, at) = (drawn[0].token as usize, f64::from(self.temperature));
        let exact = oracle::statistics(&law_of, at, None, token).expect("a good row");
        let near = |name: &str, ours: f64, exact: f64| {
            let close = ours == exact || (ours - exact).abs() <= ERROR * exact.abs().max(1.0);
            assert!(close, "{name} is {ours}, not {exact}, at {at} of {law_of:?}");
        };
        near("log_sum_exp", ours.log_sum_exp, exact.log_sum_exp);
        near("entropy", ours.entropy, exact.entropy);
        near("probability", ours.probability, exact.probability);
        near("log_probability", ours.log_probability, exact.log_probability);
        near("log_others", ours.log_others, exact.log_others);
        near("margin", ours.margin, exact.margin);
        near("argmax_log_others", ours.argmax_log_others, exact.argmax_log_others);
        near("log_margin_gap", ours.log_margin_gap, exact.log_margin_gap);
        assert_eq!((ours.max, ours.argmax), (exact.max, exact.argmax), "of {law_of:?}");
        assert!((0.0..=1.0).contains(&ours.probability), "{ours:?}");
        assert!((0.0..=1.0).contains(&ours.margin), "{ours:?}");
        assert!(ours.entropy >= 0.0 && ours.log_probability <= 0.0, "{ours:?}");
        match self.given.get(k) {
            None => assert!(ours.given_log_probability.is_nan(), "{ours:?}"),
            Some(&given) => {
                let exact = oracle::statistics(&law_of, at, None, given as usize);
                let exact = exact.expect("a good row").log_probability;
                near("given_log_probability", ours.given_log_probability, exact);
            }
        }
        if self.second != Second::Against {
            assert!(ours.divergence.is_nan(), "{ours:?}");
            return;
        }
        let (other, unsaid) = self.changed(&self.other, k, None);
        match oracle::divergence(row, &other, at, None) {
            Some(_) if unsaid && ours.divergence.is_nan() => {}
            Some(exact) => near("divergence", ours.divergence, exact),
            None => assert!(ours.divergence.is_nan(), "{ours:?} with {other:?}"),
        }
    }

    /// The law that the kernel's own arithmetic implies has the stated errors.
    fn check_law(&self, view: &Logits<'_>, row: &[f32]) {
        let [surely, maybe] = self.kept(row);
        let implied = law(Level::detect(), view, &self.draw, &self.constraints());
        let Some(Law { probabilities, .. }) = implied else { return };
        if self.draw.method != DrawMethod::Rejection || surely != maybe {
            return;
        }
        let left: Vec<f32> = row
            .iter()
            .zip(&surely)
            .map(|(&x, &stays)| if stays { x } else { f32::NEG_INFINITY })
            .collect();
        let exact = oracle::probabilities(&left, self.draw.temperature.into(), None);
        let exact = exact.expect("a good row");
        let mut distance = 0.0;
        for (token, (&ours, &p)) in probabilities.iter().zip(&exact).enumerate() {
            assert!(left[token].is_finite() || ours == 0.0, "token {token} has {ours:e}");
            let close = p < LEAST || (ours / p - 1.0).abs() < ERROR;
            assert!(close, "token {token} has {ours:e} for {p:e} in {left:?}, {:?}", self.draw);
            distance += (ours - p).abs() / 2.0;
        }
        assert!(distance < 1e-6, "the total variation is {distance:e}");
    }
}

struct Outcome {
    level: Level,
    drawn: Vec<Drawn>,
    statistics: Vec<RowStatistics>,
    top: Vec<TopToken>,
}

/// The numbers as bits, all NaN alike.
fn bits_of(statistics: &[RowStatistics]) -> Vec<[u64; 12]> {
    let bits = |x: f64| if x.is_nan() { u64::MAX } else { x.to_bits() };
    statistics
        .iter()
        .map(|x| {
            [
                bits(x.log_sum_exp),
                bits(x.entropy),
                bits(x.probability),
                bits(x.log_probability),
                bits(x.log_others),
                bits(x.margin),
                bits(x.argmax_log_others),
                bits(x.log_margin_gap),
                bits(x.given_log_probability),
                bits(x.divergence),
                bits(x.max.into()),
                x.argmax as u64,
            ]
        })
        .collect()
}

/// A call is refused exactly for what it must be, and its error names the argument and the value.
fn assert_refusal(result: &core::result::Result<(), Error>, expected: Option<(&str, f64)>) {
    match (result, expected) {
        (Ok(()), None) => {}
        (Err(error), Some((name, value))) => {
            let message = error.to_string();
            assert!(message.contains(name), "“{message}” does not name {name}");
            assert!(message.contains(&value.to_string()), "“{message}” does not say {value}");
        }
        _ => panic!("{result:?}, but {expected:?}"),
    }
}
