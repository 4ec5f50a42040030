//! Threads that start together, and medians.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Calls `work(thread)` on all threads at once. Counts from the first that begins, when all are
/// running, until the last is done: neither starting nor waking a thread is in it.
pub(crate) fn together(threads: usize, work: impl Fn(usize) + Sync) -> Duration {
    let arrived = AtomicUsize::new(0);
    let timed = |thread| {
        arrived.fetch_add(1, Ordering::AcqRel);
        while arrived.load(Ordering::Acquire) < threads {
            spin_loop();
        }
        let start = Instant::now();
        work(thread);
        (start, Instant::now())
    };
    std::thread::scope(|scope| {
        let timed = &timed;
        let others: Vec<_> =
            (1..threads).map(|thread| scope.spawn(move || timed(thread))).collect();
        let (mut start, mut end) = timed(0);
        for other in others {
            let (other_start, other_end) = other.join().expect("no thread panics");
            start = start.min(other_start);
            end = end.max(other_end);
        }
        end - start
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
