//! Many samples on all threads. Samples are numbered, and a number is what a sample is keyed by,
//! so nothing depends on how many threads there are.

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use std::ops::Range;

/// A bar for `length` units of work.
pub(crate) fn progress(length: u64, message: impl Into<String>) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("  {msg:44} {wide_bar} {percent:3} %  {eta:>4}")?;
    Ok(ProgressBar::new(length).with_style(style).with_message(message.into()))
}

/// Cuts `samples` samples into batches of `batch`, and gives them in turn to one worker for each
/// thread of the pool in which it is called. Returns the workers.
pub(crate) fn spread<W: Send>(
    samples: u64,
    batch: u64,
    make: impl Fn() -> Result<W> + Sync,
    work: impl Fn(&mut W, Range<u64>) -> Result<()> + Sync,
) -> Result<Vec<W>> {
    let threads = rayon::current_num_threads() as u64;
    let run = |thread: u64| {
        let mut worker = make()?;
        let starts = (0..samples).step_by(batch as usize);
        for start in starts.skip(thread as usize).step_by(threads as usize) {
            work(&mut worker, start..samples.min(start + batch))?;
        }
        Ok(worker)
    };
    (0..threads).into_par_iter().map(run).collect()
}

/// Adds up what the workers counted.
pub(crate) fn sum(counts: impl IntoIterator<Item = Vec<u64>>) -> Vec<u64> {
    let mut counts = counts.into_iter();
    let mut total = counts.next().unwrap_or_default();
    for counts in counts {
        for (total, count) in total.iter_mut().zip(counts) {
            *total += count;
        }
    }
    total
}
