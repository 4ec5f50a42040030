//! A perfect network for a small target, and what samplers make of it.

#![allow(dead_code, reason = "each user of this module needs another part of it")]

use crate::exact_law::{Denoiser, Space};
use demask::{Canvas, Logits, LogitsData, Noise, Plan, Policy, RowState, Sampler, Segment};

/// Segments in one canvas of a histogram.
const BATCH: u32 = 4000;

/// A perfect network: for each state and masked position, the logits ln P(token | state). Rows of
/// positions that are not masked are NaN, for nobody is to read them.
pub(crate) struct Network {
    pub(crate) space: Space,
    /// The token that stands for a mask. If it is within the vocabulary, the logits have a column
    /// for it, and the largest logit there.
    pub(crate) mask: i32,
    vocab: usize,
    logits: Vec<f32>,
    /// For a score network, the schedule of its scores: the rows are then logarithms of scores.
    scores: Option<Noise<'static>>,
}

impl Network {
    pub(crate) fn new(target: &impl Denoiser, mask: i32) -> Self {
        let space = target.space();
        let inside = (0..space.vocab as i32).contains(&mask);
        let vocab = space.vocab + usize::from(inside);
        let mut network = Self { space, mask, vocab, logits: Vec::new(), scores: None };
        network.logits.resize(space.states() * space.len * vocab, f32::NAN);
        let mut prediction = vec![0.0; space.vocab];
        for row in 0..space.states() * space.len {
            let (state, position) = (row / space.len, row % space.len);
            if !space.is_masked(state, position) {
                continue;
            }
            target.predict(state, position, &mut prediction);
            for (token, p) in prediction.iter().enumerate() {
                let id = network.id(token) as usize;
                network.logits[row * vocab + id] = p.ln() as f32;
            }
            if inside {
                network.logits[row * vocab + mask as usize] = 20.0;
            }
        }
        network
    }

    /// A score network whose scores are those of the target under `noise`, times `factor`, which is
    /// given the state and the position.
    pub(crate) fn scores(
        target: &impl Denoiser,
        noise: Noise<'static>,
        factor: impl Fn(usize, usize) -> f64,
    ) -> Self {
        let mut network = Self::new(target, -1);
        for (row, logits) in network.logits.chunks_exact_mut(network.vocab).enumerate() {
            let factor = factor(row / network.space.len, row % network.space.len);
            logits.iter_mut().for_each(|logit| *logit += factor.ln() as f32);
        }
        network.scores = Some(noise);
        network
    }

    /// The table for time `t`, if it depends on it.
    fn at_time(&self, t: f64) -> Option<Vec<f32>> {
        let sum = self.scores?.score_sum(t).ln() as f32;
        Some(self.logits.iter().map(|logit| logit + sum).collect())
    }

    /// The token id of a token of the target: the ids leave out the mask.
    fn id(&self, token: usize) -> i32 {
        let token = token as i32;
        if self.vocab > self.space.vocab && token >= self.mask { token + 1 } else { token }
    }

    /// The state of the tokens of a segment.
    pub(crate) fn state(&self, tokens: &[i32]) -> usize {
        let digit = |&id: &i32| match id {
            id if id == self.mask => self.space.vocab,
            id if self.vocab > self.space.vocab && id > self.mask => id as usize - 1,
            id => id as usize,
        };
        self.space.state(tokens.iter().map(digit))
    }

    /// The row of the table for canvas position `at`.
    fn row(&self, canvas: &Canvas<'_>, segment: &Segment, at: u32) -> u32 {
        let state = self.state(&canvas.tokens()[segment.begin as usize..segment.end as usize]);
        (state * self.space.len) as u32 + at - segment.begin
    }

    /// The logits of the rows of the table that `index` names.
    pub(crate) fn rows<'a>(&'a self, index: &'a [u32]) -> Logits<'a> {
        let rows = self.logits.len() / self.vocab;
        Logits::new(LogitsData::F32(&self.logits), rows, self.vocab, self.vocab, Some(index))
            .expect("the index is within the table")
    }

    /// Which row of the table each row of `plan` is.
    pub(crate) fn index_plan(&self, canvas: &Canvas<'_>, plan: &Plan, index: &mut Vec<u32>) {
        index.clear();
        for (segment, ends) in canvas.segments().iter().zip(plan.offsets().windows(2)) {
            let rows = &plan.rows()[ends[0] as usize..ends[1] as usize];
            index.extend(rows.iter().map(|&at| self.row(canvas, segment, at)));
        }
    }

    /// Which row of the table each position of the canvas is; outside of segments, the first row
    /// of the table, which is of a state without masks and NaN.
    pub(crate) fn index_all(&self, canvas: &Canvas<'_>, index: &mut Vec<u32>) {
        index.clear();
        index.resize(canvas.tokens().len(), 0);
        for segment in canvas.segments() {
            for at in segment.begin..segment.end {
                index[at as usize] = self.row(canvas, segment, at);
            }
        }
    }
}

pub(crate) fn sampler(positions: usize, segments: usize) -> Sampler {
    Sampler::builder(positions, segments).build().expect("the caller's thread, any level")
}

/// The state at which the network ran last for each segment: what earlier logits are of.
pub(crate) struct Seen(Vec<usize>);

impl Seen {
    pub(crate) fn new(segments: usize) -> Self {
        Self(vec![0; segments])
    }

    /// Which row of the table each row of `plan` was.
    pub(crate) fn index_plan(
        &self,
        network: &Network,
        canvas: &Canvas<'_>,
        plan: &Plan,
        index: &mut Vec<u32>,
    ) {
        index.clear();
        let segments = self.0.iter().zip(canvas.segments()).zip(plan.offsets().windows(2));
        for ((state, segment), ends) in segments {
            let rows = &plan.rows()[ends[0] as usize..ends[1] as usize];
            let first = (state * network.space.len) as u32;
            index.extend(rows.iter().map(|at| first + at - segment.begin));
        }
    }

    /// Which row of the table each position of the canvas was; outside of segments, the first.
    pub(crate) fn index_all(&self, network: &Network, canvas: &Canvas<'_>, index: &mut Vec<u32>) {
        index.clear();
        index.resize(canvas.tokens().len(), 0);
        for (state, segment) in self.0.iter().zip(canvas.segments()) {
            for at in segment.begin..segment.end {
                index[at as usize] = (state * network.space.len) as u32 + at - segment.begin;
            }
        }
    }

    /// Notes that the network runs for the segments of which `plan` names rows.
    pub(crate) fn note(&mut self, network: &Network, canvas: &Canvas<'_>, plan: &Plan) {
        let segments = self.0.iter_mut().zip(canvas.segments()).zip(plan.offsets().windows(2));
        for ((seen, segment), ends) in segments {
            if ends[0] < ends[1] {
                let positions = segment.begin as usize..segment.end as usize;
                *seen = network.state(&canvas.tokens()[positions]);
            }
        }
    }
}

/// Decodes a canvas to its end by plans. All segments of a score network are at the same time.
pub(crate) fn decode(sampler: &mut Sampler, network: &Network, canvas: &mut Canvas<'_>) {
    let positions = canvas.tokens().len();
    let mut plan = Plan::with_capacity(positions, canvas.segments().len());
    let (mut index, mut earlier) = (Vec::with_capacity(positions), Vec::with_capacity(positions));
    let mut seen = Seen::new(canvas.segments().len());
    loop {
        sampler.plan(canvas, &mut plan).expect("the canvas fits");
        if plan.active() == 0 {
            return;
        }
        network.index_plan(canvas, &plan, &mut index);
        seen.index_plan(network, canvas, &plan, &mut earlier);
        seen.note(network, canvas, &plan);
        let table = network.at_time(plan.times().iter().copied().fold(0.0, f64::max));
        let table = table.as_ref().unwrap_or(&network.logits);
        let (rows, vocab) = (table.len() / network.vocab, network.vocab);
        let view = |index| Logits::new(LogitsData::F32(table), rows, vocab, vocab, Some(index));
        let earlier = view(&earlier).expect("the index is within the table");
        let logits = view(&index).and_then(|logits| logits.with_earlier(&earlier));
        let report = sampler.step_planned(canvas, &plan, &logits.expect("as many rows"));
        let report = report.expect("it fits");
        let drawn = sampler.drawn().iter().filter(|drawn| drawn.state == RowState::Drawn).count();
        assert_eq!((report.revealed, report.bad_rows), (drawn, 0));
    }
}

/// How often each state comes out of `outputs` decodings, a multiple of [`BATCH`].
pub(crate) fn state_histogram(
    policy: Policy<'_>,
    network: &Network,
    seed: u64,
    outputs: u64,
) -> Vec<u64> {
    let space = network.space;
    let len = space.len as u32;
    let positions = BATCH as usize * space.len;
    let mut sampler = sampler(positions, BATCH as usize);
    let mut counts = vec![0; space.states()];
    for batch in 0..outputs / u64::from(BATCH) {
        let segment = |i: u32| Segment {
            begin: i * len,
            end: (i + 1) * len,
            seed,
            stream: batch * u64::from(BATCH) + u64::from(i),
            ..Segment::default()
        };
        let mut tokens = vec![network.mask; positions];
        let mut segments: Vec<_> = (0..BATCH).map(segment).collect();
        let mut canvas =
            Canvas::new(&mut tokens, network.mask, &mut segments, core::slice::from_ref(&policy))
                .expect("a valid canvas");
        decode(&mut sampler, network, &mut canvas);
        for output in tokens.chunks_exact(space.len) {
            counts[network.state(output)] += 1;
        }
    }
    counts
}

/// How often each sequence comes out; the last count is of outputs that still hold a mask.
pub(crate) fn histogram(
    policy: Policy<'_>,
    network: &Network,
    seed: u64,
    outputs: u64,
) -> Vec<u64> {
    let space = network.space;
    let mut counts = vec![0; space.sequences() + 1];
    let states = state_histogram(policy, network, seed, outputs);
    for (state, count) in states.into_iter().enumerate() {
        counts[space.sequence(state).unwrap_or(space.sequences())] += count;
    }
    counts
}
