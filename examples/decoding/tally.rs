//! What a decoding cost.

use demask::{Canvas, Plan};
use std::time::Duration;

/// Counts over a decoding in which every segment is run through the network by itself.
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
    /// Masked positions in the segments that were run.
    pub(crate) masked: usize,
    /// All positions in the segments that were run.
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

    /// A line of the table under [`HEADING`]: the decoding rule's name, how many of the `total`
    /// masks became `exact`ly what they were (if that is known), and the costs.
    pub(crate) fn line(&self, name: &str, exact: Option<usize>, total: usize) -> String {
        let percent = |part: usize, of: usize| 100.0 * part as f64 / of.max(1) as f64;
        format!(
            "  {name:17}{:>15}{:9}{:6}{:6}{:9}{:8.1} %{:6.1} %{:10.3}{:10.4}",
            exact.map_or("?".to_owned(), |n| format!("{n} {:6.1} %", percent(n, total))),
            self.calls,
            self.idle,
            self.done,
            self.rows,
            percent(self.rows, self.masked),
            percent(self.rows, self.positions),
            self.network.as_secs_f64(),
            self.sampling.as_secs_f64(),
        )
    }
}

/// The head of a table of tallies.
pub(crate) const HEADING: &str = concat!(
    "                        restored      network calls      output-layer rows",
    "       time, seconds\n",
    "  sampler                exactly     made  idle  done     made of masks of all",
    "   network  sampling",
);

/// What the columns of the table mean.
pub(crate) const LEGEND: &str = "\
network calls   sequences run through the network, counted at every step. Not run, thanks to the
                plan: idle, it named none of their masks; done, no masks left while others had.
output layer    rows computed: those that the plan named, as a share of all masked rows and of
                all rows in the calls that were made.
sampling        the library's part, plan and step. All figures were measured in this run.";
