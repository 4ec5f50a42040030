//! Where the rows of a call run: the caller's thread, or a pool owned by the sampler.

use crate::error::Error;
use core::ops::Range;

/// Fewer tokens than this (rows × vocabulary) are drawn on the caller's thread: waking a sleeping
/// pool costs about 100 µs, the time of drawing them.
#[cfg(feature = "threads")]
const POOL_FLOOR: usize = 1 << 20;

/// The caller's thread, or a pool.
#[derive(Debug)]
pub(crate) struct Threads {
    #[cfg(feature = "threads")]
    pool: Option<rayon::ThreadPool>,
}

impl Threads {
    /// `count` threads; 1 is the caller's own and leaves rayon untouched.
    pub(crate) fn new(count: usize) -> Result<Self, Error> {
        #[cfg(feature = "threads")]
        match count {
            0 => Err(Error::Threads { threads: count }),
            1 => Ok(Self { pool: None }),
            _ => rayon::ThreadPoolBuilder::new()
                .num_threads(count)
                .thread_name(|n| format!("demask-{n}"))
                .build()
                .map(|pool| Self { pool: Some(pool) })
                .map_err(|_| Error::Threads { threads: count }),
        }
        #[cfg(not(feature = "threads"))]
        if count == 1 { Ok(Self {}) } else { Err(Error::Threads { threads: count }) }
    }

    /// How many pieces of work can be under way or waiting: a few for each thread, to even out
    /// rows of different cost.
    pub(crate) fn pieces(&self) -> usize {
        #[cfg(feature = "threads")]
        if let Some(pool) = &self.pool {
            return 4 * pool.current_num_threads();
        }
        1
    }

    /// Calls `work` on ranges that cover 0..`jobs`, with the matching pieces of `out`, which has
    /// `width` entries a job, each with a scratch of its own (there are [`pieces`](Self::pieces) of
    /// them). The cut does not matter to the result, since rows do not see each other.
    pub(crate) fn split<O: Send, S: Send>(
        &self,
        jobs: usize,
        width: usize,
        out: &mut [O],
        scratch: &mut [S],
        tokens: usize,
        work: impl Fn(Range<usize>, &mut [O], &mut S) + Sync,
    ) {
        if jobs == 0 || width == 0 {
            return;
        }
        #[cfg(feature = "threads")]
        if let Some(pool) = &self.pool
            && tokens >= POOL_FLOOR
            && jobs > 1
        {
            use rayon::prelude::*;
            let piece = jobs.div_ceil(scratch.len());
            pool.install(|| {
                out.par_chunks_mut(piece * width).zip(scratch).enumerate().for_each(
                    |(k, (out, scratch))| {
                        work(k * piece..k * piece + out.len() / width, out, scratch);
                    },
                );
            });
            return;
        }
        let _ = tokens;
        work(0..jobs, out, &mut scratch[0]);
    }
}
