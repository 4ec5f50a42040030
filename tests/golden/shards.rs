//! Vocabularies in pieces: races and the two rounds.

use super::draws::numbers;
use super::inputs::{Typed, keys, rows};
use super::lines::{Hash, Lines};
use demask::draw::shard::{Shard, ShardMerge, ShardRecords, ShardToken};
use demask::policy::DrawMethod;
use demask::{Constraints, Draw, Level, Logits, LogitsData, RaceResult, Sampler};

/// Where vocabularies are cut.
const CUTS: [&[usize]; 4] =
    [&[0, 33], &[0, 1, 20, 257], &[0, 300, 301, 4_096], &[0, 20_001, 50_257]];

const ROWS: usize = 4;

/// The columns of a shard.
fn columns(data: LogitsData<'_>, vocab: usize, from: usize, to: usize) -> Logits<'_> {
    let data = match data {
        LogitsData::F32(data) => LogitsData::F32(&data[from..]),
        LogitsData::F16(data) => LogitsData::F16(&data[from..]),
        LogitsData::Bf16(data) => LogitsData::Bf16(&data[from..]),
        _ => unreachable!("three types"),
    };
    Logits::new(data, ROWS, to - from, vocab, None).expect("a view")
}

fn sampler(level: Level, vocab: usize) -> Sampler {
    Sampler::builder(ROWS, 1).level(level).vocab(vocab).build().expect("a sampler")
}

pub(crate) fn races(level: Level) -> Lines {
    let mut lines = Lines::default();
    let draw = Draw { method: DrawMethod::ExponentialRace, ..Draw::at(0.75) };
    for cuts in CUTS {
        let vocab = cuts[cuts.len() - 1];
        let mut sampler = sampler(level, vocab);
        for (kind, data) in Typed::new(rows(ROWS, vocab, 5)).each() {
            let mut merged = [RaceResult::EMPTY; ROWS];
            let mut hash = Hash::new();
            for cut in cuts.windows(2) {
                let view = columns(data, vocab, cut[0], cut[1]);
                let raced =
                    sampler.race_shard(&view, cut[0], &draw, &Constraints::NONE, &keys(ROWS));
                for (merged, &result) in merged.iter_mut().zip(raced.expect("a race")) {
                    hash.float(result.score);
                    hash.float(result.score_rest);
                    hash.int(result.token);
                    *merged = merged.merge(result);
                }
            }
            let shown = merged.map(|result| (result.token, result.score));
            lines.push(&format!("{kind} cut at {cuts:?}"), &shown, &hash);
        }
    }
    lines
}

pub(crate) fn rounds(level: Level) -> Lines {
    let mut lines = Lines::default();
    for cuts in CUTS {
        let vocab = cuts[cuts.len() - 1];
        let (mut sampler, keys) = (sampler(level, vocab), keys(ROWS));
        for (kind, data) in Typed::new(rows(ROWS, vocab, 6)).each() {
            let views: Vec<_> =
                cuts.windows(2).map(|cut| (cut[0], columns(data, vocab, cut[0], cut[1]))).collect();
            let mut hash = Hash::new();
            let mut records = Vec::new();
            for &(offset, ref view) in &views {
                let mut made = ShardRecords::with_capacity(ROWS, view.vocab());
                let (shard, none) = (Shard { offset, vocab }, &Constraints::NONE);
                sampler
                    .shard_records(view, shard, 0.75, none, &[3, 7, 9, 32], &mut made)
                    .expect("records");
                records.push(made);
            }
            let mut merge = ShardMerge::new(level, ROWS, vocab).expect("a merge");
            merge.merge(&records.iter().collect::<Vec<_>>(), &keys).expect("a merge");
            merge.statistics().iter().flat_map(numbers).for_each(|x| hash.float(x));
            let mut tokens = Vec::new();
            for &(offset, ref view) in &views {
                let mut drawn = vec![ShardToken::NONE; ROWS];
                let (shard, none) = (Shard { offset, vocab }, &Constraints::NONE);
                let blocks = merge.blocks();
                sampler
                    .shard_tokens(view, shard, 0.75, none, &keys, blocks, &mut drawn)
                    .expect("tokens");
                tokens.push(drawn);
            }
            let tokens: Vec<_> = tokens.iter().map(Vec::as_slice).collect();
            let drawn: Vec<_> =
                merge.finish(&tokens).expect("a finish").iter().map(|drawn| drawn.token).collect();
            drawn.iter().for_each(|&token| hash.int(token));
            merge.statistics().iter().flat_map(numbers).for_each(|x| hash.float(x));
            let name = format!("{kind} cut at {cuts:?}");
            lines.push(&format!("{name}, tokens"), &drawn, &hash);
            lines.push_whole(&format!("{name}, first row"), &numbers(&merge.statistics()[0]));
        }
    }
    lines
}
