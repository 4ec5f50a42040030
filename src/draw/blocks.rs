//! A row in whole blocks of 128 tokens: what sums over a row are made of.

use super::element::Element;
use crate::lanes::Lanes;

/// Vectors of 16 tokens in a block.
pub(super) const VECTORS: usize = 8;

/// Tokens in a block.
pub(super) const TOKENS: usize = 16 * VECTORS;

pub(super) type Block<E> = [[E; 16]; VECTORS];

/// A row in whole blocks: the last one is filled up with −∞, and so are the places of tokens that
/// do not count, in copies of their blocks.
pub(super) struct Blocks<'a, E> {
    whole: &'a [Block<E>],
    count: usize,
    copies: [(usize, Block<E>); 3],
    copied: usize,
}

impl<'a, E: Element> Blocks<'a, E> {
    /// All blocks of `row`.
    #[inline(always)]
    pub(super) fn new(row: &'a [E]) -> Self {
        let (vectors, _) = row.as_chunks::<16>();
        let (whole, _) = vectors.as_chunks::<VECTORS>();
        let count = row.len().div_ceil(TOKENS);
        let copies = [(usize::MAX, [[E::NEG_INFINITY; 16]; VECTORS]); 3];
        let mut blocks = Self { whole, count, copies, copied: 0 };
        let rest = &row[TOKENS * whole.len()..];
        if !rest.is_empty() {
            blocks.copies[0].0 = whole.len();
            blocks.copies[0].1.as_flattened_mut()[..rest.len()].copy_from_slice(rest);
            blocks.copied = 1;
        }
        blocks
    }

    /// Leaves out `token`, which may lie past the end. For up to two tokens.
    #[inline(always)]
    pub(super) fn leave_out(&mut self, token: usize) {
        let block = token / TOKENS;
        if block >= self.count {
            return;
        }
        let known = self.copies.iter().position(|copy| copy.0 == block);
        let slot = known.unwrap_or(self.copied);
        if known.is_none() {
            self.copies[slot] = (block, self.whole[block]);
            self.copied += 1;
        }
        self.copies[slot].1.as_flattened_mut()[token % TOKENS] = E::NEG_INFINITY;
    }

    #[inline(always)]
    pub(super) fn count(&self) -> usize {
        self.count
    }

    #[inline(always)]
    pub(super) fn get(&self, block: usize) -> &Block<E> {
        for copy in &self.copies {
            if copy.0 == block {
                return &copy.1;
            }
        }
        &self.whole[block]
    }
}

/// A block in eight vectors.
#[inline(always)]
pub(super) fn load<L: Lanes, E: Element>(s: L, block: &Block<E>) -> [L::F; VECTORS] {
    let mut x = [s.splat(0.0); VECTORS];
    for k in 0..VECTORS {
        x[k] = E::load(s, &block[k]);
    }
    x
}

/// The largest of eight vectors, lane by lane.
#[inline(always)]
pub(super) fn largest<L: Lanes>(s: L, x: [L::F; VECTORS]) -> L::F {
    let [a, b, c, d, e, f, g, h] = x;
    let (ab, cd, ef, gh) = (s.max(a, b), s.max(c, d), s.max(e, f), s.max(g, h));
    s.max(s.max(ab, cd), s.max(ef, gh))
}

/// The sum of eight vectors, as a tree.
#[inline(always)]
pub(super) fn tree<L: Lanes>(s: L, x: [L::F; VECTORS]) -> L::F {
    let [a, b, c, d, e, f, g, h] = x;
    let (ab, cd, ef, gh) = (s.add(a, b), s.add(c, d), s.add(e, f), s.add(g, h));
    s.add(s.add(ab, cd), s.add(ef, gh))
}

/// The sum of 16 lanes in f64, as a tree.
#[inline(always)]
pub(super) fn sum_lanes<L: Lanes>(s: L, x: L::F) -> f64 {
    let mut lanes = [0.0; 16];
    s.store(x, &mut lanes);
    let mut sums = [0.0; 16];
    for i in 0..16 {
        sums[i] = f64::from(lanes[i]);
    }
    // Loops of fixed length, which the compiler turns into vectors.
    for i in 0..8 {
        sums[i] += sums[i + 8];
    }
    for i in 0..4 {
        sums[i] += sums[i + 4];
    }
    (sums[0] + sums[2]) + (sums[1] + sums[3])
}
