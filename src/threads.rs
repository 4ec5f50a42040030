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

    /// Calls `work` on ranges that cover 0..`jobs`, with the matching pieces of `out`, each with a
    /// scratch of its own (there are [`pieces`](Self::pieces) of them). The cut does not matter to
    /// the result, since rows do not see each other.
    pub(crate) fn split<O: Split, S: Send>(
        &self,
        jobs: usize,
        out: O,
        scratch: &mut [S],
        tokens: usize,
        work: impl Fn(Range<usize>, O, &mut S) + Sync,
    ) {
        if jobs == 0 {
            return;
        }
        #[cfg(feature = "threads")]
        if let Some(pool) = &self.pool
            && tokens >= POOL_FLOOR
            && jobs > 1
        {
            pool.install(|| halve(0..jobs, out, scratch, &work));
            return;
        }
        let _ = tokens;
        work(0..jobs, out, &mut scratch[0]);
    }
}

/// Gives a half of the jobs and of the scratches to whatever thread is free, and so on.
#[cfg(feature = "threads")]
fn halve<O: Split, S: Send>(
    jobs: Range<usize>,
    out: O,
    scratch: &mut [S],
    work: &(impl Fn(Range<usize>, O, &mut S) + Sync),
) {
    if jobs.len() == 1 || scratch.len() == 1 {
        return work(jobs, out, &mut scratch[0]);
    }
    let middle = scratch.len() / 2;
    // In proportion, so that all pieces are about as large.
    let first = (jobs.len() * middle / scratch.len()).max(1);
    let (left, right) = scratch.split_at_mut(middle);
    let (out_left, out_right) = out.split_at(first, jobs.len());
    let cut = jobs.start + first;
    rayon::join(
        || halve(jobs.start..cut, out_left, left, work),
        || halve(cut..jobs.end, out_right, right, work),
    );
}

/// Outputs of jobs that can be cut between two jobs.
pub(crate) trait Split: Send + Sized {
    /// The outputs of the first `first` of `jobs` jobs, and those of the others.
    #[cfg(feature = "threads")]
    fn split_at(self, first: usize, jobs: usize) -> (Self, Self);
}

/// As many outputs for each job.
impl<T: Send> Split for &mut [T] {
    #[cfg(feature = "threads")]
    fn split_at(self, first: usize, jobs: usize) -> (Self, Self) {
        self.split_at_mut(self.len() / jobs * first)
    }
}
