//! Work shared out among threads.

use anyhow::{Context, Result};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::ops::Range;

/// Rows that go through a network together: enough to use a weight many times once it is in the
/// cache, few enough to stay in the cache themselves.
const GROUP: usize = 128;

/// The threads that a network runs on.
pub(crate) struct Pool(ThreadPool);

impl Pool {
    pub(crate) fn new(threads: usize) -> Result<Self> {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        Ok(Self(pool.with_context(|| format!("cannot start {threads} threads for the network"))?))
    }

    /// Runs `forward` on groups of whole sequences and joins what it returns. The sequences do not
    /// see each other, so the result does not depend on the groups.
    pub(crate) fn map(
        &self,
        sequences: &[Range<usize>],
        forward: impl Fn(&[Range<usize>]) -> Vec<f32> + Sync,
    ) -> Vec<f32> {
        let rows: usize = sequences.iter().map(Range::len).sum();
        let group = rows.div_ceil(self.0.current_num_threads()).min(GROUP);
        let mut filled = 0;
        let groups: Vec<&[Range<usize>]> = sequences
            .chunk_by(|sequence, _| {
                filled += sequence.len();
                let open = filled < group;
                filled *= usize::from(open);
                open
            })
            .collect();
        let parts: Vec<Vec<f32>> =
            self.0.install(|| groups.par_iter().map(|group| forward(group)).collect());
        parts.concat()
    }
}
