//! Small targets as networks, and what the library makes of them.

use crate::exact_law::{Denoiser, Space};
use crate::spread::{spread, sum};
use anyhow::Result;
use demask::{Canvas, Logits, LogitsData, Plan, Policy, Sampler, Segment};
use indicatif::ProgressBar;

/// The token that stands for a mask.
pub(crate) const MASK: i32 = -1;

/// Sequences on one canvas.
const BATCH: u64 = 4096;

/// A network that is a table: for each state and masked position, the logits ln P(token | state).
/// Rows of positions that are not masked are NaN, for nobody is to read them.
pub(crate) struct Network {
    pub(crate) space: Space,
    logits: Vec<f32>,
}

impl Network {
    pub(crate) fn new(denoiser: &impl Denoiser) -> Self {
        let space = denoiser.space();
        let mut logits = vec![f32::NAN; space.states() * space.len * space.vocab];
        let mut prediction = vec![0.0; space.vocab];
        for (k, row) in logits.chunks_exact_mut(space.vocab).enumerate() {
            let (state, position) = (k / space.len, k % space.len);
            if space.is_masked(state, position) {
                denoiser.predict(state, position, &mut prediction);
                for (logit, p) in row.iter_mut().zip(&prediction) {
                    *logit = p.ln() as f32;
                }
            }
        }
        Self { space, logits }
    }

    /// The state of a sequence on the canvas.
    fn state(&self, tokens: &[i32]) -> usize {
        let digit = |&token: &i32| if token == MASK { self.space.vocab } else { token as usize };
        self.space.state(tokens.iter().map(digit))
    }

    /// The rows of the table that the rows of `plan` stand for.
    fn index(&self, canvas: &Canvas<'_>, plan: &Plan, index: &mut Vec<u32>) {
        index.clear();
        for (segment, ends) in canvas.segments().iter().zip(plan.offsets().windows(2)) {
            if ends[0] < ends[1] {
                let tokens = &canvas.tokens()[segment.begin as usize..segment.end as usize];
                let first = (self.state(tokens) * self.space.len) as u32;
                let rows = &plan.rows()[ends[0] as usize..ends[1] as usize];
                index.extend(rows.iter().map(|at| first + at - segment.begin));
            }
        }
    }

    fn rows<'a>(&'a self, index: &'a [u32]) -> Result<Logits<'a>> {
        let vocab = self.space.vocab;
        let rows = self.logits.len() / vocab;
        Ok(Logits::new(LogitsData::F32(&self.logits), rows, vocab, vocab, Some(index))?)
    }

    /// Decodes `samples` sequences by `policy`, with plans, and counts how often each comes out.
    /// The last count is of those that still hold a mask.
    pub(crate) fn histogram(
        &self,
        policy: &Policy,
        samples: u64,
        seed: u64,
        bar: &ProgressBar,
    ) -> Result<Vec<u64>> {
        let len = self.space.len;
        let make = || Worker::new(BATCH as usize, len, self.space.vocab, self.space.sequences());
        let workers = spread(samples, BATCH, make, |worker: &mut Worker, streams| {
            let sequences = (streams.end - streams.start) as usize;
            worker.reset(sequences, len, seed, streams.start);
            let Worker { sampler, plan, tokens, segments, index, counts } = worker;
            let mut canvas = Canvas::new(tokens, MASK, segments, core::slice::from_ref(policy))?;
            loop {
                sampler.plan(&canvas, plan)?;
                if plan.active() == 0 {
                    break;
                }
                self.index(&canvas, plan, index);
                sampler.step_planned(&mut canvas, plan, &self.rows(index)?)?;
            }
            for tokens in tokens.chunks_exact(len) {
                let sequence = self.space.sequence(self.state(tokens));
                counts[sequence.unwrap_or(self.space.sequences())] += 1;
            }
            bar.inc(sequences as u64);
            Ok(())
        })?;
        Ok(sum(workers.into_iter().map(|worker| worker.counts)))
    }
}

/// The memory of one thread.
pub(crate) struct Worker {
    pub(crate) sampler: Sampler,
    pub(crate) plan: Plan,
    pub(crate) tokens: Vec<i32>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) index: Vec<u32>,
    pub(crate) counts: Vec<u64>,
}

impl Worker {
    /// For up to `sequences` sequences of `len` positions, and `cells` counts and one more.
    pub(crate) fn new(sequences: usize, len: usize, vocab: usize, cells: usize) -> Result<Self> {
        Ok(Self {
            sampler: Sampler::builder(sequences * len, sequences).vocab(vocab).build()?,
            plan: Plan::with_capacity(sequences * len, sequences),
            tokens: Vec::with_capacity(sequences * len),
            segments: Vec::with_capacity(sequences),
            index: Vec::with_capacity(sequences * len),
            counts: vec![0; cells + 1],
        })
    }

    /// Masks `sequences` sequences of `len` positions, the first of them with stream `stream`.
    pub(crate) fn reset(&mut self, sequences: usize, len: usize, seed: u64, stream: u64) {
        self.tokens.clear();
        self.tokens.resize(sequences * len, MASK);
        self.segments.clear();
        self.segments.extend((0..sequences).map(|i| Segment {
            begin: (i * len) as u32,
            end: ((i + 1) * len) as u32,
            seed,
            stream: stream + i as u64,
            ..Segment::default()
        }));
    }
}
