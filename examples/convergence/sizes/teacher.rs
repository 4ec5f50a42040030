//! E KL measured along plan and step, at any length.
//!
//! A sequence x of the law is masked and decoded again. The plan says which positions move; each
//! gets its own token x_i back, by logits that leave no choice, and −ln P(x_i | what was revealed
//! before the step) is added up. Z = ln P(x) + that sum has mean E KL, with the sizes and positions
//! that the sampler really uses (equation (1) of `docs/schedules.md`, without the mean).

use super::scheme::Planned;
use crate::network::MASK;
use crate::size_law::Law;
use crate::spread::spread;
use anyhow::{Result, ensure};
use demask::{Canvas, Key, Logits, LogitsData, Plan, Policy, Purpose, Sampler, Segment};
use indicatif::ProgressBar;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

/// The largest vocabulary, for which the table of logits is 16 MB.
pub(crate) const MOST_TOKENS: usize = 2048;

/// Sequences in a batch of one thread.
const BATCH: u64 = 4;

/// A mean and its standard error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mean {
    pub(crate) mean: f64,
    pub(crate) error: f64,
}

impl Mean {
    pub(crate) fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Self { mean, error: (variance / n).sqrt() }
    }
}

/// Uniform numbers in [0, 1).
pub(crate) fn uniforms(mut rng: Xoshiro256PlusPlus) -> impl FnMut() -> f64 {
    move || (rng.next_u64() >> 11) as f64 * 0.5f64.powi(53)
}

/// The mean of Z over `samples` sequences for each of `schemes`, all of which decode the same
/// sequences, side by side on one canvas.
pub(crate) fn teacher_forced(
    law: &dyn Law,
    schemes: &[Planned],
    samples: u64,
    seed: u64,
    bar: &ProgressBar,
) -> Result<Vec<Mean>> {
    let (length, vocab) = (law.length(), law.vocab());
    ensure!(vocab <= MOST_TOKENS, "{}: {vocab} tokens are more than {MOST_TOKENS}", law.name());
    // Row v lets nothing but token v be drawn.
    let mut choices = vec![f32::NEG_INFINITY; vocab * vocab];
    choices.iter_mut().step_by(vocab + 1).for_each(|logit| *logit = 0.0);
    let policies: Vec<Policy<'_>> = schemes.iter().map(Planned::policy).collect();
    let positions = length * schemes.len();
    let make = || {
        let sampler = Sampler::builder(positions, schemes.len()).vocab(vocab).build()?;
        Ok((
            sampler,
            Plan::with_capacity(positions, schemes.len()),
            vec![Vec::new(); schemes.len()],
        ))
    };
    let workers = spread(samples, BATCH, make, |(sampler, plan, values), streams| {
        for stream in streams {
            let key = Key { seed, stream, step: 0, position: 0 };
            let truth = law.sample(&mut uniforms(key.generator(Purpose::Token)));
            let mut z = vec![law.log_probability(&truth); schemes.len()];
            let mut tokens = vec![MASK; positions];
            let segment = |k: usize| Segment {
                begin: (k * length) as u32,
                end: ((k + 1) * length) as u32,
                // The schemes differ in their seed, so that no two of them are alike by chance.
                seed: seed ^ (k as u64 + 1) << 32,
                stream,
                policy: k as u32,
                ..Segment::default()
            };
            let mut segments: Vec<Segment> = (0..schemes.len()).map(segment).collect();
            let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)?;
            loop {
                sampler.plan(&canvas, plan)?;
                if plan.active() == 0 {
                    break;
                }
                for ((z, segment), ends) in
                    z.iter_mut().zip(canvas.segments()).zip(plan.offsets().windows(2))
                {
                    let rows = &plan.rows()[ends[0] as usize..ends[1] as usize];
                    let place = segment.begin as usize..segment.end as usize;
                    *z += surprise(law, &truth, &canvas.tokens()[place], segment.begin, rows);
                }
                let index: Vec<u32> =
                    plan.rows().iter().map(|&at| truth[at as usize % length]).collect();
                let data = LogitsData::F32(&choices);
                let logits = Logits::new(data, vocab, vocab, vocab, Some(&index))?;
                sampler.step_planned(&mut canvas, plan, &logits)?;
            }
            let right = |(at, &token): (usize, &i32)| token == truth[at % length] as i32;
            ensure!(tokens.iter().enumerate().all(right), "{}: another token", law.name());
            for (values, z) in values.iter_mut().zip(z) {
                values.push((stream, z));
            }
            bar.inc(1);
        }
        Ok(())
    })?;
    // In the order of the sequences, so that sums do not depend on the threads.
    let means = (0..schemes.len()).map(|k| {
        let mut all: Vec<(u64, f64)> =
            workers.iter().flat_map(|(_, _, values)| values[k].iter().copied()).collect();
        all.sort_by_key(|value| value.0);
        Mean::of(&all.into_iter().map(|value| value.1).collect::<Vec<f64>>())
    });
    Ok(means.collect())
}

/// −Σ ln P(the token of `truth` | the tokens revealed so far), over the positions `rows` of a canvas
/// on which the sequence begins at `begin`.
fn surprise(law: &dyn Law, truth: &[u32], tokens: &[i32], begin: u32, rows: &[u32]) -> f64 {
    if rows.is_empty() {
        return 0.0;
    }
    let known: Vec<Option<u32>> =
        tokens.iter().map(|&token| (token != MASK).then_some(token as u32)).collect();
    let wanted: Vec<usize> = rows.iter().map(|at| (at - begin) as usize).collect();
    let mut laws = vec![0.0; wanted.len() * law.vocab()];
    law.conditionals(&known, &wanted, &mut laws);
    let places = wanted.iter().zip(laws.chunks_exact(law.vocab()));
    places.map(|(&i, law)| -law[truth[i] as usize].ln()).sum()
}
