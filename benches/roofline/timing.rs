//! Threads that start together, and medians.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Calls `work(thread)` on all threads at once. Counts from the moment when all are running until
/// the last is done: neither starting nor waking a thread is in it.
pub(crate) fn together(threads: usize, work: impl Fn(usize) + Sync) -> Duration {
    let arrived = AtomicUsize::new(0);
    let meet = |count: usize| {
        arrived.fetch_add(1, Ordering::AcqRel);
        while arrived.load(Ordering::Acquire) < count {
            spin_loop();
        }
    };
    std::thread::scope(|scope| {
        for thread in 1..threads {
            let (meet, work) = (&meet, &work);
            scope.spawn(move || {
                meet(threads);
                work(thread);
                meet(2 * threads);
            });
        }
        meet(threads);
        let start = Instant::now();
        work(0);
        meet(2 * threads);
        start.elapsed()
    })
}

/// Seconds a token, of several repetitions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, seconds_per_token: f64) {
        let at = self.0.partition_point(|&x| x < seconds_per_token);
        self.0.insert(at, seconds_per_token);
    }

    pub(crate) fn median(&self) -> f64 {
        let (low, high) = ((self.0.len() - 1) / 2, self.0.len() / 2);
        (self.0[low] + self.0[high]) / 2.0
    }

    /// (largest − smallest) / median.
    pub(crate) fn spread(&self) -> f64 {
        (self.0[self.0.len() - 1] - self.0[0]) / self.median()
    }
}
