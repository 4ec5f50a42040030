//! What a decoding cost.

use demask::{Canvas, Plan};
use std::time::Duration;

/// Counts over a decoding, of which every segment is run through the network by itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Segments run through the network.
    pub(crate) calls: usize,
    /// Segments not run because the plan named none of their masks.
    pub(crate) idle: usize,
    /// Segments not run because they had no mask left while others had.
    pub(crate) done: usize,
    /// Rows of the output layer that were computed.
    pub(crate) rows: usize,
    /// Masked positions in the segments run.
    pub(crate) masked: usize,
    /// All positions in the segments run.
    pub(crate) positions: usize,
    /// Time spent in the network.
    pub(crate) network: Duration,
    /// Time spent in planning and stepping.
    pub(crate) sampling: Duration,
}

impl Tally {
    /// Counts a step that is about to be made.
    pub(crate) fn count(&mut self, canvas: &Canvas<'_>, plan: &Plan) {
        for (segment, ends) in canvas.segments().iter().zip(plan.offsets().windows(2)) {
            let rows = (ends[1] - ends[0]) as usize;
            let masked = canvas.masked(segment).count();
            match (rows, masked) {
                (0, 0) => self.done += 1,
                (0, _) => self.idle += 1,
                _ => {
                    self.calls += 1;
                    self.rows += rows;
                    self.masked += masked;
                    self.positions += (segment.end - segment.begin) as usize;
                }
            }
        }
    }

    /// The head of a table of tallies, in two lines.
    pub(crate) const HEAD: [&str; 2] = [
        "  network calls      output-layer rows computed       seconds",
        "  made  idle  done     rows  of masked   of all   network  sampling",
    ];

    /// One line of that table.
    pub(crate) fn line(&self) -> String {
        let percent = |of: usize| 100.0 * self.rows as f64 / of.max(1) as f64;
        format!(
            "{:6}{:6}{:6}{:9}{:9.1} %{:7.1} %{:10.3}{:10.4}",
            self.calls,
            self.idle,
            self.done,
            self.rows,
            percent(self.masked),
            percent(self.positions),
            self.network.as_secs_f64(),
            self.sampling.as_secs_f64(),
        )
    }

    /// What the columns mean.
    pub(crate) const LEGEND: &str = "\
network calls: sequences run through the network, counted one by one and step by step;
  idle: not run, since the plan named none of their masks; done: no masks left while others had.
output-layer rows computed: those that the plan named, as a share of the masked rows and of
  all rows in the calls that were made.
sampling: plan and step. All figures are measured in this run.";
}
