//! Rows whose vocabulary is split: the same bits under any split and at every level, statistics
//! against an oracle, and the law of the draw in two rounds.

mod rows;

use demask::draw::oracle;
use demask::draw::shard::{NO_BLOCK, Shard, ShardMerge, ShardRecords, ShardToken};
use demask::{
    AllowedTokens, Constraints, Drawn, Error, Key, Level, Logits, LogitsData, RowBias, RowState,
    RowStatistics, Sampler, bf16, f16,
};
use rows::{add_row_biases, assert_drawn_from, levels, normal_row, row_biases, words};

fn keys(rows: usize) -> Vec<Key> {
    (0..rows).map(|k| Key { seed: 5, stream: 3, step: 2, position: k as u32 }).collect()
}

/// What all rounds need beside logits.
#[derive(Clone, Copy)]
struct Call<'a> {
    level: Level,
    temperature: f32,
    constraints: Constraints<'a>,
    given: &'a [i32],
}

impl Call<'_> {
    fn at(level: Level, temperature: f32) -> Self {
        Self { level, temperature, constraints: Constraints::NONE, given: &[] }
    }
}

/// The columns of a shard of `rows` rows of `vocab` tokens.
fn columns<'a>(
    data: LogitsData<'a>,
    rows: usize,
    vocab: usize,
    from: usize,
    to: usize,
) -> Logits<'a> {
    let data = match data {
        LogitsData::F32(data) => LogitsData::F32(&data[from..]),
        LogitsData::F16(data) => LogitsData::F16(&data[from..]),
        LogitsData::Bf16(data) => LogitsData::Bf16(&data[from..]),
        _ => unreachable!("three types"),
    };
    Logits::new(data, rows, to - from, vocab, None).expect("a view")
}

/// Both rounds over the shards between `edges`, the first 0 and the last the vocabulary; records
/// travel as bytes.
fn rounds(
    call: &Call<'_>,
    data: LogitsData<'_>,
    rows: usize,
    edges: &[usize],
) -> (Vec<RowStatistics>, Vec<Drawn>) {
    let vocab = edges[edges.len() - 1];
    let keys = keys(rows);
    let sampler = Sampler::builder(1, 1).level(call.level).vocab(vocab).build();
    let mut sampler = sampler.expect("a sampler");
    let shards = || edges.windows(2).map(|edge| (edge[0], edge[1]));
    let Call { temperature, constraints, given, .. } = *call;
    let received: Vec<ShardRecords> = shards()
        .map(|(from, to)| {
            let view = columns(data, rows, vocab, from, to);
            let mut records = ShardRecords::with_capacity(rows, to - from);
            let shard = Shard { offset: from, vocab };
            sampler
                .shard_records(&view, shard, temperature, &constraints, given, &mut records)
                .expect("records");
            let mut bytes = vec![0];
            bytes.extend_from_slice(records.as_bytes());
            let mut received = ShardRecords::with_capacity(rows, to - from);
            received.read(&bytes[1..]).expect("records that were sent");
            received
        })
        .collect();
    let received: Vec<_> = received.iter().collect();
    let mut merge = ShardMerge::new(call.level, rows, vocab).expect("a merge");
    merge.merge(&received, &keys).expect("a merge");
    let tokens: Vec<Vec<ShardToken>> = shards()
        .map(|(from, to)| {
            let view = columns(data, rows, vocab, from, to);
            let mut tokens = vec![ShardToken::NONE; rows];
            let shard = Shard { offset: from, vocab };
            let blocks = merge.blocks();
            sampler
                .shard_tokens(&view, shard, temperature, &constraints, &keys, blocks, &mut tokens)
                .expect("tokens");
            tokens
        })
        .collect();
    let tokens: Vec<_> = tokens.iter().map(Vec::as_slice).collect();
    let drawn = merge.finish(&tokens).expect("a finish").to_vec();
    (merge.statistics().to_vec(), drawn)
}

fn bits(statistics: &RowStatistics) -> [u64; 12] {
    let s = statistics;
    let wide = [
        s.log_sum_exp,
        s.entropy,
        s.probability,
        s.log_probability,
        s.log_others,
        s.margin,
        s.argmax_log_others,
        s.log_margin_gap,
        s.given_log_probability,
        s.divergence,
    ];
    // Of a NaN only that it is one.
    let wide = wide.map(|x| if x.is_nan() { f64::NAN } else { x }.to_bits());
    let max = if s.max.is_nan() { f32::NAN } else { s.max }.to_bits();
    let mut all = [0; 12];
    all[..10].copy_from_slice(&wide);
    (all[10], all[11]) = (max.into(), s.argmax as u64);
    all
}

fn assert_same(
    ours: &(Vec<RowStatistics>, Vec<Drawn>),
    other: &(Vec<RowStatistics>, Vec<Drawn>),
    what: &str,
) {
    assert_eq!(ours.1, other.1, "tokens, {what}");
    for (a, b) in ours.0.iter().zip(&other.0) {
        assert_eq!(bits(a), bits(b), "{a:?} for {b:?}, {what}");
    }
}

/// Rows with ties, −0, −∞, whole blocks of −∞ and a wide range, and as the last row a bad one.
fn mixed_rows(rows: usize, vocab: usize, seed: u64) -> Vec<f32> {
    let mut next = words(seed);
    let mut data: Vec<f32> = (0..rows * vocab)
        .map(|i| {
            let x = next();
            match x % 16 {
                0 => f32::NEG_INFINITY,
                1 => 4.0,
                2 => -0.0,
                3 => 0.0,
                _ if i / 256 % 5 == 3 => f32::NEG_INFINITY,
                _ => ((x >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * 30.0,
            }
        })
        .collect();
    if rows > 1 {
        data[(rows - 1) * vocab + vocab / 2] = [f32::NAN, f32::INFINITY][seed as usize % 2];
    }
    data
}

/// 0, up to eight edges anywhere, often close to each other or to those of blocks, and `vocab`.
fn random_edges(vocab: usize, next: &mut impl FnMut() -> u64) -> Vec<usize> {
    let mut edges = vec![0, vocab];
    for _ in 0..next() % 9 {
        let at = next() as usize % vocab;
        edges.push(match next() % 4 {
            0 => at / 256 * 256,
            1 => (at / 256 * 256 + next() as usize % 3).min(vocab),
            2 => (edges[edges.len() - 1] + next() as usize % 20).min(vocab),
            _ => at,
        });
    }
    edges.sort_unstable();
    edges.dedup();
    edges
}

#[test]
fn any_split_and_level_gives_the_same_bits() {
    let mut next = words(1);
    let small = (1..=20).chain([33, 255, 256, 257, 300, 511, 512, 513, 1_000, 2_049, 5_000]);
    for vocab in small.chain([20_011, 50_257, 126_464, 262_144]) {
        let rows = if vocab > 10_000 { 2 } else { 5 };
        let data = mixed_rows(rows, vocab, vocab as u64);
        let half: Vec<f16> = data.iter().map(|&x| f16::from_f32(x)).collect();
        let brain: Vec<bf16> = data.iter().map(|&x| bf16::from_f32(x)).collect();
        let views = [LogitsData::F32(&data), LogitsData::F16(&half), LogitsData::Bf16(&brain)];
        let given: Vec<i32> = (0..rows).map(|_| (next() % vocab as u64) as i32 - 1).collect();
        for (view, temperature) in views.into_iter().zip([0.7, 1.0, 30.0]) {
            let excluded = next() as usize % (vocab + 1);
            let constraints = Constraints::excluding(Some(excluded as u32));
            let call = Call { level: Level::Baseline, temperature, constraints, given: &given };
            let whole = rounds(&call, view, rows, &[0, vocab]);
            assert!(excluded == vocab / 2 || whole.1[rows - 1] == Drawn::BAD);
            for level in levels() {
                let call = Call { level, ..call };
                let tries = if vocab > 10_000 { 2 } else { 12 };
                for _ in 0..tries {
                    let edges = random_edges(vocab, &mut next);
                    let split = rounds(&call, view, rows, &edges);
                    assert_same(&split, &whole, &format!("V {vocab}, edges {edges:?}, {level}"));
                }
            }
        }
    }
}

/// Whether a value is within 2e-6 of `exact`, relative to it, and beside that to `rest`.
fn assert_near(ours: f64, exact: f64, rest: f64, what: &str) {
    let near = (ours - exact).abs() <= 2e-6 * exact.abs() + rest || ours == exact;
    assert!(near, "{what}: {ours:e} for {exact:e}");
}

fn check_statistics(
    ours: &RowStatistics,
    row: &[f32],
    temperature: f32,
    excluded: Option<u32>,
    token: i32,
    given: i32,
    what: &str,
) {
    let temperature = f64::from(temperature);
    let of = |token: i32| {
        oracle::statistics(row, temperature, excluded, token as usize).expect("a good row")
    };
    let exact = of(token);
    assert_eq!((ours.max, ours.argmax), (exact.max, exact.argmax), "{what}");
    // Sums of logarithms lose what lies below the last place of max/T.
    let scale = 1e-15 * (f64::from(exact.max) / temperature).abs();
    let near = |ours, exact, rest, name: &str| {
        assert_near(ours, exact, rest, &format!("{name}, {what}"));
    };
    near(ours.log_sum_exp, exact.log_sum_exp, 2e-6 + scale, "log_sum_exp");
    // What lies 125 halvings below the two largest of its block is left out.
    near(ours.entropy, exact.entropy, 1e-30, "entropy");
    near(ours.probability, exact.probability, 1e-300, "probability");
    near(ours.log_probability, exact.log_probability, 1e-30, "log_probability");
    near(ours.log_others, exact.log_others, 2e-6 + scale, "log_others");
    near(ours.margin, exact.margin, 1e-300, "margin");
    near(ours.argmax_log_others, exact.argmax_log_others, 2e-6 + scale, "argmax_log_others");
    near(ours.log_margin_gap, exact.log_margin_gap, 2e-6 + scale, "log_margin_gap");
    assert!(ours.divergence.is_nan());
    near(ours.given_log_probability, of(given).log_probability, 1e-30, "given_log_probability");
}

#[test]
fn statistics_match_the_oracle() {
    let mut next = words(2);
    for vocab in [1, 2, 5, 33, 256, 257, 1_000, 5_000, 40_000] {
        for temperature in [1e-3, 0.1, 0.7, 1.0, 7.0, 1e3, f32::INFINITY] {
            // The last are farther apart than a float can hold.
            let narrow = [(0.0, 0.01), (0.0, 3.0), (3e4, 8.0), (-3e4, 1.0)];
            for (offset, sigma) in narrow.into_iter().chain([(0.0, 300.0), (0.0, 7e37)]) {
                let mut row = normal_row(vocab, sigma, offset, next());
                for _ in 0..vocab / 10 {
                    row[next() as usize % vocab] = f32::NEG_INFINITY;
                }
                if next().is_multiple_of(4) {
                    let at = next() as usize % vocab;
                    row[at] = row[next() as usize % vocab] + 50.0;
                }
                let kept = row.iter().position(|x| x.is_finite()).expect("a finite logit");
                let excluded = Some(next() as u32 % 1_500).filter(|&id| id as usize != kept);
                let given = [(next() % vocab as u64) as i32];
                let level = levels().last().expect("a level");
                let constraints = Constraints::excluding(excluded);
                let call = Call { level, temperature, constraints, given: &given };
                let edges = random_edges(vocab, &mut next);
                let (statistics, drawn) = rounds(&call, LogitsData::F32(&row), 1, &edges);
                let what = format!("V {vocab}, T {temperature}, {offset} ± {sigma}");
                let token = drawn[0].token;
                let ours = &statistics[0];
                check_statistics(ours, &row, temperature, excluded, token, given[0], &what);
            }
        }
    }
}

#[test]
fn confidence_keeps_its_order_where_it_saturates() {
    let level = levels().last().expect("a level");
    let mut last = f64::INFINITY;
    for ahead in [10.0, 30.0, 100.0, 400.0, 599.0, 601.0, 3e3, 1e5] {
        let mut row = normal_row(700, 1.0, 0.0, 3);
        row[300] = ahead;
        let call = Call { given: &[5], ..Call::at(level, 1.0) };
        let (statistics, drawn) = rounds(&call, LogitsData::F32(&row), 1, &[0, 20, 290, 700]);
        let log_others = statistics[0].log_others;
        assert!(log_others < last, "{log_others} after {last}");
        let what = format!("{ahead} ahead");
        check_statistics(&statistics[0], &row, 1.0, None, drawn[0].token, 5, &what);
        last = log_others;
    }
}

#[test]
fn constraints_count_tokens_in_the_whole_vocabulary() {
    let mut next = words(4);
    for vocab in [40, 300, 1_000, 3_001] {
        let rows = 3;
        let data = normal_row(rows * vocab, 2.0, 0.0, vocab as u64);
        let banned = [0, 7, vocab as u32 / 2, vocab as u32 - 1];
        let bias = [(3, 2.0), (vocab as u32 - 2, -1.5), (3, 0.25)];
        let biases = row_biases(rows, vocab, vocab as u64);
        let width = vocab.div_ceil(32);
        let allowed: Vec<u32> = (0..rows * width).map(|_| (next() | next()) as u32).collect();
        let constraints = Constraints {
            excluded: Some(11),
            banned: &banned,
            bias: &bias,
            row_bias: Some(RowBias { offsets: &biases.0, entries: &biases.1 }),
            allowed: Some(AllowedTokens { words: &allowed, stride: width }),
        };
        let mut changed = data.clone();
        for row in changed.chunks_mut(vocab) {
            bias.iter().for_each(|&(id, by)| row[id as usize] += by);
        }
        add_row_biases(&mut changed, vocab, &biases);
        for (k, row) in changed.chunks_mut(vocab).enumerate() {
            for id in 0..vocab {
                let allowed = allowed[k * width + id / 32] >> (id % 32) & 1 == 1;
                if !allowed || banned.contains(&(id as u32)) || id == 11 {
                    row[id] = f32::NEG_INFINITY;
                }
            }
        }
        for level in levels() {
            let plain = Call { given: &[3, 3, 11], ..Call::at(level, 0.8) };
            let expected = rounds(&plain, LogitsData::F32(&changed), rows, &[0, vocab]);
            assert_eq!(expected.0[2].given_log_probability, f64::NEG_INFINITY);
            for _ in 0..30 {
                let edges = random_edges(vocab, &mut next);
                let call = Call { constraints, ..plain };
                let split = rounds(&call, LogitsData::F32(&data), rows, &edges);
                assert_same(&split, &expected, &format!("V {vocab}, edges {edges:?}, {level}"));
            }
        }
    }
}

#[test]
fn guided_rows_can_be_split() {
    let vocab = 700;
    let (data, guide) = (normal_row(vocab, 2.0, 0.0, 5), normal_row(vocab, 2.0, 0.0, 6));
    let (data, guide) = (LogitsData::F32(&data), LogitsData::F32(&guide));
    let mut sampler = Sampler::builder(1, 1).build().expect("a sampler");
    let mut merge = ShardMerge::new(sampler.level(), 1, vocab).expect("a merge");
    let mut merged = |edges: &[usize]| {
        let mut all = Vec::new();
        for edge in edges.windows(2) {
            let view = columns(data, 1, vocab, edge[0], edge[1]);
            let guide = columns(guide, 1, vocab, edge[0], edge[1]);
            let view = view.guided(&guide, 1.5).expect("guided logits");
            let (shard, none) = (Shard { offset: edge[0], vocab }, Constraints::NONE);
            let mut records = ShardRecords::with_capacity(1, vocab);
            sampler.shard_records(&view, shard, 1.0, &none, &[9], &mut records).expect("records");
            all.push(records);
        }
        bits(&merge.merge(&all.iter().collect::<Vec<_>>(), &[]).expect("a merge")[0])
    };
    let whole = merged(&[0, vocab]);
    assert_eq!(merged(&[0, 5, 301, 640, vocab]), whole);
    assert_ne!(f64::from_bits(whole[1]), 0.0);
}

/// Draws with keys that differ in all fields from one row between `edges`.
fn histogram(row: &[f32], temperature: f32, edges: &[usize], draws: usize) -> Vec<u64> {
    let vocab = row.len();
    let mut sampler = Sampler::builder(1, 1).vocab(vocab).build().expect("a sampler");
    let shard = |from| Shard { offset: from, vocab };
    let mut views = Vec::new();
    let mut records = Vec::new();
    for edge in edges.windows(2) {
        let view = columns(LogitsData::F32(row), 1, vocab, edge[0], edge[1]);
        let mut record = ShardRecords::with_capacity(1, vocab);
        sampler
            .shard_records(&view, shard(edge[0]), temperature, &Constraints::NONE, &[], &mut record)
            .expect("records");
        views.push(view);
        records.push(record);
    }
    let records: Vec<_> = records.iter().collect();
    let mut merge = ShardMerge::new(sampler.level(), 1, vocab).expect("a merge");
    let mut counts = vec![0; vocab];
    for k in 0..draws as u64 {
        let (step, position) = ((k / 32 % 32) as u32, (k % 32) as u32);
        let keys = [Key { seed: 0xD1CE, stream: k / 1024, step, position }];
        merge.merge(&records, &keys).expect("a merge");
        let (block, mut token) = (merge.blocks()[0] as usize, [ShardToken::NONE]);
        if block != NO_BLOCK as usize {
            let owner = edges.iter().rposition(|&edge| edge <= 256 * block).expect("an owner");
            let (shard, none) = (shard(edges[owner]), Constraints::NONE);
            let blocks = merge.blocks();
            sampler
                .shard_tokens(&views[owner], shard, temperature, &none, &keys, blocks, &mut token)
                .expect("a token");
        }
        let drawn = merge.finish(&[&token]).expect("a finish")[0];
        assert_eq!(drawn.state, RowState::Drawn);
        counts[drawn.token as usize] += 1;
    }
    counts
}

#[test]
fn draws_follow_the_softmax_law() {
    let check = |name: &str, row: &[f32], temperature: f32, edges: &[usize], draws: usize| {
        let law = oracle::probabilities(row, temperature.into(), None).expect("a good row");
        let counts = histogram(row, temperature, edges, draws);
        assert_drawn_from(&law, &counts, &format!("{name} at T {temperature}"));
    };
    check("normal", &normal_row(33, 2.0, 0.0, 1), 1.0, &[0, 9, 33], 1_000_000);
    check("whole", &normal_row(33, 1.0, 5.0, 2), 0.5, &[0, 33], 300_000);
    let row = normal_row(5_000, 2.0, -7.0, 3);
    check("normal", &row, 1.0, &[0, 100, 300, 1_111, 3_072, 5_000], 1_000_000);
    check("hot", &row, 30.0, &[0, 2_500, 5_000], 300_000);
    let mut gaps = row;
    gaps[256..700].fill(f32::NEG_INFINITY);
    gaps[4_500..].fill(f32::NEG_INFINITY);
    check("gaps", &gaps, 1.5, &[0, 290, 600, 5_000], 300_000);
    let wide = normal_row(126_464, 3.0, 0.0, 4);
    check("normal", &wide, 1.0, &[0, 31_616, 63_232, 94_848, 126_464], 200_000);
}

#[test]
fn bad_rows_are_data() {
    let vocab = 800;
    let edges = [0, 300, 301, 512, 800];
    for at in [0, 100, 299, 300, 301, 400, 511, 512, 799] {
        for level in levels() {
            for bad in [f32::NAN, -f32::NAN, f32::INFINITY] {
                let mut data = normal_row(2 * vocab, 2.0, 0.0, 1);
                data[at] = bad;
                let call = Call::at(level, 1.0);
                let (statistics, drawn) = rounds(&call, LogitsData::F32(&data), 2, &edges);
                assert_eq!(drawn[0], Drawn::BAD, "{bad} at {at}");
                assert_eq!(bits(&statistics[0]), bits(&RowStatistics::BAD));
                // Its neighbour does not notice.
                assert_eq!(drawn[1].state, RowState::Drawn);
                assert!(statistics[1].entropy > 0.0);
            }
            // The only finite token, all other shards empty.
            let mut data = vec![f32::NEG_INFINITY; 2 * vocab];
            data[at] = -2.5;
            let call = Call::at(level, 1.0);
            let (statistics, drawn) = rounds(&call, LogitsData::F32(&data), 2, &edges);
            assert_eq!((drawn[0].token, drawn[1]), (at as i32, Drawn::BAD));
            let one = &statistics[0];
            assert_eq!((one.probability, one.entropy, one.margin), (1.0, 0.0, 1.0));
            assert_eq!((one.log_others, one.log_sum_exp), (f64::NEG_INFINITY, -2.5));
            // Excluded, there is none; and a NaN there is still one.
            let constraints = Constraints::excluding(Some(at as u32));
            let call = Call { constraints, ..call };
            assert_eq!(rounds(&call, LogitsData::F32(&data), 2, &edges).1, [Drawn::BAD; 2]);
            let mut data = normal_row(vocab, 2.0, 0.0, 1);
            data[at] = f32::INFINITY;
            let (_, drawn) = rounds(&call, LogitsData::F32(&data), 1, &edges);
            assert_eq!(drawn[0].state, RowState::Drawn);
            data[at] = f32::NAN;
            assert_eq!(rounds(&call, LogitsData::F32(&data), 1, &edges).1, [Drawn::BAD]);
        }
    }
}

/// The records of columns `from..to` of `rows` rows of 600 tokens.
fn records(rows: usize, from: usize, to: usize, vocab: usize, temperature: f32) -> ShardRecords {
    let data = vec![1.0; rows * (to - from)];
    let view = Logits::f32(&data, rows, to - from).expect("a view");
    let mut sampler = Sampler::builder(1, 1).build().expect("a sampler");
    let mut records = ShardRecords::with_capacity(rows, to - from);
    let shard = Shard { offset: from, vocab };
    sampler
        .shard_records(&view, shard, temperature, &Constraints::NONE, &[], &mut records)
        .expect("records");
    records
}

fn name(error: Error) -> &'static str {
    match error {
        Error::Argument { name, .. } | Error::Shape { name, .. } | Error::Capacity { name, .. } => {
            name
        }
        _ => "another error",
    }
}

#[test]
fn shards_that_do_not_fit_are_refused_by_name() {
    let mut merge = ShardMerge::new(Level::detect(), 2, 600).expect("a merge");
    let shard = |from, to| records(2, from, to, 600, 1.0);
    let mut refused = |shards: &[&ShardRecords]| merge.merge(shards, &[]).map(|_| ()).map_err(name);
    let (left, right) = (shard(0, 250), shard(250, 600));
    assert_eq!(refused(&[&left, &right]), Ok(()));
    assert_eq!(refused(&[]), Err("shards"));
    assert_eq!(refused(&[&left]), Err("end of the last shard"));
    assert_eq!(refused(&[&right]), Err("shard offset"));
    assert_eq!(refused(&[&right, &left]), Err("shard offset"));
    assert_eq!(refused(&[&left, &shard(251, 600)]), Err("shard offset"));
    assert_eq!(refused(&[&left, &shard(200, 600)]), Err("shard offset"));
    assert_eq!(refused(&[&left, &left, &right]), Err("shard offset"));
    assert_eq!(refused(&[&left, &ShardRecords::with_capacity(2, 350)]), Err("shard width"));
    assert_eq!(refused(&[&left, &records(1, 250, 600, 600, 1.0)]), Err("shard rows"));
    assert_eq!(refused(&[&left, &records(2, 250, 600, 601, 1.0)]), Err("shard vocab"));
    assert_eq!(refused(&[&left, &records(2, 250, 600, 600, 1.1)]), Err("shard temperature"));
    assert_eq!(refused(&[&records(3, 0, 600, 600, 1.0)]), Err("rows"));
    assert_eq!(refused(&[&records(1, 0, 601, 601, 1.0)]), Err("vocab"));
    assert_eq!(merge.merge(&[&left, &right], &keys(1)).map(|_| ()).map_err(name), Err("keys"));
    // What a refused merge left alone.
    assert_eq!(merge.statistics().len(), 2);
    assert_eq!(merge.finish(&[]).map(|_| ()).map_err(name), Err("keys of the merge"));
}

#[test]
fn records_and_tokens_that_do_not_fit_are_refused_by_name() {
    let mut sampler = Sampler::builder(1, 1).vocab(300).build().expect("a sampler");
    let data = vec![1.0; 2 * 600];
    let view = |width| Logits::f32(&data, 2, width).expect("a view");
    let mut room = ShardRecords::with_capacity(2, 300);
    let mut refused = |width, offset, vocab, temperature, given: &[i32]| {
        let shard = Shard { offset, vocab };
        let none = Constraints::NONE;
        sampler
            .shard_records(&view(width), shard, temperature, &none, given, &mut room)
            .map_err(name)
    };
    assert_eq!(refused(300, 300, 600, 1.0, &[0, 599]), Ok(()));
    assert_eq!(refused(300, 301, 600, 1.0, &[]), Err("shard width"));
    assert_eq!(refused(300, 601, 600, 1.0, &[]), Err("shard offset"));
    assert_eq!(refused(300, 0, 1 << 24, 1.0, &[]), Err("shard vocab"));
    assert_eq!(refused(300, 0, 600, 0.0, &[]), Err("temperature"));
    assert_eq!(refused(300, 0, 600, f32::NAN, &[]), Err("temperature"));
    assert_eq!(refused(300, 0, 600, 1.0, &[1]), Err("given tokens"));
    assert_eq!(refused(300, 0, 600, 1.0, &[1, 600]), Err("given token"));
    assert_eq!(refused(600, 0, 600, 1.0, &[]), Err("vocab"));
    let mut room = ShardRecords::with_capacity(0, 300);
    let (shard, none) = (Shard { offset: 0, vocab: 600 }, Constraints::NONE);
    let outcome = sampler.shard_records(&view(300), shard, 1.0, &none, &[], &mut room);
    assert_eq!(outcome.map_err(name), Err("words of a shard's records"));
    let banned = Constraints { banned: &[600], ..none };
    let outcome = sampler.shard_records(&view(100), shard, 1.0, &banned, &[], &mut room);
    assert_eq!(outcome.map_err(name), Err("banned token"));

    // Bytes that are not those of records.
    let sent = records(2, 0, 600, 600, 1.0);
    let mut room = ShardRecords::with_capacity(2, 600);
    for length in 0..sent.as_bytes().len() {
        let cut = room.read(&sent.as_bytes()[..length]).map_err(name);
        assert_eq!(cut, Err("bytes of a shard"), "{length} bytes");
    }
    assert_eq!(room.rows(), 0);
    let changed = |at: usize, by: u8| {
        let mut bytes = sent.as_bytes().to_vec();
        bytes[at] ^= by;
        bytes
    };
    assert_eq!(room.read(&changed(0, 1)).map_err(name), Err("layout of a shard"));
    assert_eq!(room.read(&changed(7, 128)).map_err(name), Err("temperature"));
    assert_eq!(room.read(&changed(11, 128)).map_err(name), Err("shard offset"));
    assert_eq!(room.read(&changed(15, 1)).map_err(name), Err("shard width"));
    assert_eq!(room.read(&changed(20, 1)).map_err(name), Err("bytes of a shard"));
    assert_eq!(room.read(sent.as_bytes()), Ok(()));
    let mut small = ShardRecords::with_capacity(0, 600);
    let outcome = small.read(sent.as_bytes()).map_err(name);
    assert_eq!(outcome, Err("words of a shard's records"));

    // Tokens.
    let mut merge = ShardMerge::new(Level::detect(), 2, 600).expect("a merge");
    merge.merge(&[&room], &keys(2)).expect("a merge");
    let block = merge.blocks()[0] as i32;
    let mut refused = |tokens: &[ShardToken]| merge.finish(&[tokens]).map(|_| ()).map_err(name);
    assert_eq!(refused(&[ShardToken::NONE]), Err("shard tokens"));
    assert_eq!(refused(&[ShardToken::NONE; 2]), Err("row without a shard token"));
    let token = |token| ShardToken { token, logit: 1.0 };
    assert_eq!(refused(&[token(256 * block + 256); 2]), Err("shard token"));
    let nan = ShardToken { token: 256 * block, logit: f32::NAN };
    assert_eq!(refused(&[nan; 2]), Err("logit of a shard token"));
    let (view, shard) = (view(300), Shard { offset: 0, vocab: 600 });
    let mut tokens = [ShardToken::NONE; 2];
    let mut short = |keys: &[Key], blocks: &[u32], tokens: &mut [ShardToken]| {
        sampler.shard_tokens(&view, shard, 1.0, &none, keys, blocks, tokens).map_err(name)
    };
    assert_eq!(short(&keys(1), &[0, 0], &mut tokens), Err("keys"));
    assert_eq!(short(&keys(2), &[0], &mut tokens), Err("blocks"));
    assert_eq!(short(&keys(2), &[0, 0], &mut tokens[..1]), Err("tokens"));
    // Blocks that are not there, or not whole.
    assert_eq!(short(&keys(2), &[1, u32::MAX], &mut tokens), Ok(()));
    assert!(tokens.iter().all(|token| token.token == -1));
}

#[test]
fn no_rows_are_no_error() {
    let mut sampler = Sampler::builder(1, 1).build().expect("a sampler");
    let view = Logits::f32(&[], 0, 70).expect("a view");
    let mut records = ShardRecords::with_capacity(0, 70);
    let shard = Shard { offset: 0, vocab: 70 };
    sampler
        .shard_records(&view, shard, 1.0, &Constraints::NONE, &[], &mut records)
        .expect("no records");
    let mut merge = ShardMerge::new(Level::detect(), 0, 70).expect("a merge");
    assert_eq!(merge.merge(&[&records], &[]).expect("a merge"), &[]);
    assert_eq!(merge.finish(&[]).expect("a finish"), &[]);
}
