//! The envelope of a row: an upper bound for each cell, ready to be chosen from with exact
//! probabilities.

use crate::lanes::Lanes;
use core::hint::select_unpredictable;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

/// The most chunks that a row is cut into.
pub(super) const MAX_CHUNKS: usize = 256;

/// The most tokens that are taken out of their cells.
pub(super) const MAX_PEELED: usize = 16;

/// Working memory of a row: made once, since clearing it would cost more than a small row.
#[derive(Clone, Debug)]
pub(crate) struct Scratch {
    /// The maximum of each cell, then its bound. Cell l of chunk c is `cells[c][l]`.
    cells: [[f32; 16]; MAX_CHUNKS],
    /// `running[c][l]` is the sum of the bounds of lane l over the chunks before c.
    running: [[f64; 16]; MAX_CHUNKS + 1],
}

impl Default for Scratch {
    fn default() -> Self {
        Self { cells: [[0.0; 16]; MAX_CHUNKS], running: [[0.0; 16]; MAX_CHUNKS + 1] }
    }
}

impl Scratch {
    /// The cells of a row of `chunks` chunks.
    #[inline(always)]
    pub(super) fn cells(&mut self, chunks: usize) -> &mut [[f32; 16]] {
        &mut self.cells[..chunks]
    }
}

/// A token that is a choice of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peeled {
    pub(super) token: usize,
    /// Its weight divided by the size of a cell: a cell's bound, too, stands for each of its
    /// tokens.
    pub(super) share: f64,
}

/// Choices in this order: the cells lane by lane and, within a lane, chunk by chunk; then the
/// peeled tokens.
pub(super) struct Envelope<'a> {
    cells: &'a mut [[f32; 16]],
    running: &'a mut [[f64; 16]],
    /// The sum of all choices before each lane, before the peeled tokens, and in total.
    lanes: [f64; 18],
    peeled: [Peeled; MAX_PEELED],
    peeled_count: usize,
}

impl<'a> Envelope<'a> {
    /// Where a choice's lane would be, for a peeled token.
    pub(super) const PEELED: usize = 16;

    /// The envelope of the bounds in the first `chunks` chunks of `scratch`.
    #[inline(always)]
    pub(super) fn new<L: Lanes>(s: L, scratch: &'a mut Scratch, chunks: usize) -> Self {
        let mut envelope = Self {
            cells: &mut scratch.cells[..chunks],
            running: &mut scratch.running[..=chunks],
            lanes: [0.0; 18],
            peeled: [Peeled::default(); MAX_PEELED],
            peeled_count: 0,
        };
        envelope.sum_up(s);
        envelope
    }

    /// Brings all sums up to date.
    #[inline(always)]
    pub(super) fn sum_up<L: Lanes>(&mut self, s: L) {
        let mut sums = s.no_sums();
        for (cell, running) in self.cells.iter().zip(&mut self.running[1..]) {
            sums = s.accumulate(sums, s.load(cell));
            s.store_sums(sums, running);
        }
        for (lane, &sum) in self.running[self.cells.len()].iter().enumerate() {
            self.lanes[lane + 1] = self.lanes[lane] + sum;
        }
        let peeled: f64 = self.peeled().iter().map(|peeled| peeled.share).sum();
        self.lanes[17] = self.lanes[16] + peeled;
    }

    #[inline(always)]
    pub(super) fn total(&self) -> f64 {
        self.lanes[17]
    }

    #[inline(always)]
    pub(super) fn bound(&self, chunk: usize, lane: usize) -> f32 {
        self.cells[chunk][lane]
    }

    #[inline(always)]
    pub(super) fn peeled(&self) -> &[Peeled] {
        &self.peeled[..self.peeled_count]
    }

    /// Takes a token out of a cell, whose other tokens are bounded by `rest`. There must be room,
    /// and [`sum_up`](Self::sum_up) must follow.
    #[inline(always)]
    pub(super) fn peel(&mut self, chunk: usize, lane: usize, rest: f32, peeled: Peeled) {
        self.cells[chunk][lane] = rest;
        self.peeled[self.peeled_count] = peeled;
        self.peeled_count += 1;
    }

    /// The choices that N random words fall on, each with probability proportional to its bound:
    /// chunks and lanes, or for a peeled token its index and [`PEELED`](Self::PEELED).
    ///
    /// The running sums are rounded, to far less than 2^-40 of the total. Unless the random number
    /// falls within 2^-36 of the total of an edge of the choice that it finds, the rounding cannot
    /// matter; if it does, the choice is made again in 128-bit integers and with 64 more random
    /// bits. So a choice keeps its exact probability however small that is.
    ///
    /// The searches have no branches and advance side by side: each alone would wait for memory.
    #[inline(always)]
    pub(super) fn pick<const N: usize>(
        &self,
        words: [u64; N],
        rng: &mut Xoshiro256PlusPlus,
    ) -> ([usize; N], [usize; N]) {
        let total = self.total();
        let mut targets = [0.0; N];
        for p in 0..N {
            targets[p] = (words[p] >> 11) as f64 * (1.0 / (1u64 << 53) as f64) * total;
        }
        let mut lanes = [0; N];
        for &before in &self.lanes[1..17] {
            for p in 0..N {
                lanes[p] += usize::from(before <= targets[p]);
            }
        }
        for p in 0..N {
            targets[p] -= self.lanes[lanes[p]];
        }
        let mut chunks = [0; N];
        let mut span = self.cells.len();
        while span > 1 {
            let half = span / 2;
            for p in 0..N {
                let passed = self.running[chunks[p] + half][lanes[p] % 16] <= targets[p];
                chunks[p] += select_unpredictable(passed, half, 0);
            }
            span -= half;
        }
        let margin = total * (1.0 / (1u64 << 36) as f64);
        for p in 0..N {
            let (chunk, lane) = (chunks[p], lanes[p]);
            let (begin, end) = if lane == Self::PEELED {
                let (index, begin, end) = self.pick_peeled(targets[p]);
                chunks[p] = index;
                (begin, end)
            } else {
                (self.running[chunk][lane], self.running[chunk + 1][lane])
            };
            if !(targets[p] - begin > margin && end - targets[p] > margin) {
                (chunks[p], lanes[p]) = self.pick_exactly(words[p], rng.next_u64());
            }
        }
        (chunks, lanes)
    }

    /// The peeled token on which `target`, counted from the first one, falls, and its edges.
    #[inline(always)]
    fn pick_peeled(&self, target: f64) -> (usize, f64, f64) {
        let (mut index, mut begin, mut end) = (0, 0.0, 0.0);
        for (k, peeled) in self.peeled().iter().enumerate() {
            if end <= target {
                (index, begin) = (k, end);
                end += peeled.share;
            }
        }
        (index, begin, end)
    }

    /// The choice in integers: the one in which `high`:`low` · total / 2^128 falls (to two units),
    /// bounds in units of 2^-110.
    #[cold]
    #[inline(never)]
    fn pick_exactly(&self, high: u64, low: u64) -> (usize, usize) {
        // A bound is at most 1.001 and there are at most 2^12, so the total is below 2^123.
        let units = |bound: f64| (bound * (1u128 << 110) as f64) as u128;
        let cells = (0..16).flat_map(|lane| (0..self.cells.len()).map(move |chunk| (chunk, lane)));
        let cells = cells.map(|(chunk, lane)| (chunk, lane, f64::from(self.cells[chunk][lane])));
        let peeled = self.peeled().iter().enumerate();
        let choices =
            cells.chain(peeled.map(|(index, peeled)| (index, Self::PEELED, peeled.share)));
        let total = choices.clone().map(|(_, _, bound)| units(bound)).sum::<u128>();
        let (total_high, total_low) = (total >> 64, total & u128::from(u64::MAX));
        let (high, low) = (u128::from(high), u128::from(low));
        let middle = ((high * total_low) >> 64) + ((low * total_high) >> 64);
        let mut left = high * total_high + middle;
        for (chunk, lane, bound) in choices {
            match left.checked_sub(units(bound)) {
                Some(rest) => left = rest,
                None => return (chunk, lane),
            }
        }
        // Never reached: the number is below the total.
        (0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Envelope, Peeled, Scratch};
    use crate::lanes::baseline::Baseline;
    use crate::rng::{Key, Purpose};

    /// Bounds over many orders of magnitude, with empty cells and peeled tokens.
    fn scratch(chunks: usize) -> Scratch {
        let mut scratch = Scratch::default();
        for (k, bound) in scratch.cells(chunks).as_flattened_mut().iter_mut().enumerate() {
            *bound = if k % 7 == 3 { 0.0 } else { 0.5f32.powi((k * k % 60) as i32) };
        }
        scratch
    }

    #[test]
    fn the_integer_choice_agrees_with_the_quick_one() {
        for chunks in [1, 2, 3, 16, 63, 256] {
            let mut scratch = scratch(chunks);
            let mut envelope = Envelope::new(Baseline, &mut scratch, chunks);
            envelope.peel(0, 1, 0.0, Peeled { token: 17, share: 0.75 });
            envelope.peel(0, 2, 0.0, Peeled { token: 18, share: 1e-3 });
            envelope.sum_up(Baseline);
            let mut rng = Key::default().generator(Purpose::Token);
            for k in 0..20_000u64 {
                let word = k.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let ([chunk], [lane]) = envelope.pick([word], &mut rng);
                assert_eq!((chunk, lane), envelope.pick_exactly(word, 1 << 63), "word {word:#x}");
            }
        }
    }

    #[test]
    fn the_integer_choice_gives_every_cell_its_width() {
        // The first and last word of each choice, found by halving, are its width apart.
        let chunks = 3;
        let mut scratch = scratch(chunks);
        let envelope = Envelope::new(Baseline, &mut scratch, chunks);
        let total = envelope.total();
        let exact = |point: u128| envelope.pick_exactly((point >> 64) as u64, point as u64);
        let mut begin = 0u128;
        for lane in 0..16 {
            for chunk in 0..chunks {
                let bound = f64::from(envelope.bound(chunk, lane));
                if bound == 0.0 {
                    continue;
                }
                assert_eq!(exact(begin), (chunk, lane), "the choices follow each other");
                let (mut inside, mut outside) = (begin, u128::MAX);
                while outside - inside > 1 {
                    let middle = inside + (outside - inside) / 2;
                    if exact(middle) == (chunk, lane) { inside = middle } else { outside = middle }
                }
                let width = (outside - begin) as f64 / u128::MAX as f64;
                assert!((width / (bound / total) - 1.0).abs() < 1e-9, "{width:e} at {bound:e}");
                begin = outside;
            }
        }
    }
}
