//! What a plan asks of a network.

use demask::{Canvas, Plan};
use std::ops::Range;

/// The part of a batch that has to go through a network, because a plan named rows of it.
pub(crate) struct Planned {
    /// The segments with such rows, as ranges of the canvas's tokens.
    pub(crate) sequences: Vec<Range<usize>>,
    /// The rows, counted over these segments one after the other.
    pub(crate) rows: Vec<usize>,
}

impl Planned {
    pub(crate) fn new(canvas: &Canvas<'_>, plan: &Plan) -> Self {
        let mut planned = Self { sequences: Vec::new(), rows: Vec::new() };
        let mut before = 0; // positions of the sequences so far
        for (segment, ends) in canvas.segments().iter().zip(plan.offsets().windows(2)) {
            let named = &plan.rows()[ends[0] as usize..ends[1] as usize];
            if named.is_empty() {
                continue;
            }
            let sequence = segment.begin as usize..segment.end as usize;
            planned.rows.extend(named.iter().map(|&at| before + at as usize - sequence.start));
            before += sequence.len();
            planned.sequences.push(sequence);
        }
        planned
    }
}
