//! A fixed list of sizes.

use crate::error::{Error, shape};

/// A list of sizes, the same for every sequence: of a caller, or by one of the rules that stand in
/// this module's files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SizeList {
    /// How many positions are revealed after each step.
    boundaries: Vec<u32>,
}

impl SizeList {
    /// The list of these sizes.
    ///
    /// # Errors
    /// No size, a size of 0, or a sum of 2^32 or more.
    pub fn new(sizes: &[u32]) -> Result<Self, Error> {
        shape(!sizes.is_empty(), "sizes", 0, "at least", 1)?;
        let mut revealed = 0u32;
        let mut boundaries = Vec::with_capacity(sizes.len());
        for &size in sizes {
            shape(size > 0, "size", 0, "at least", 1)?;
            let sum = u64::from(revealed) + u64::from(size);
            let fits = u32::try_from(sum);
            shape(fits.is_ok(), "sum of the sizes", sum as usize, "at most", u32::MAX as usize)?;
            revealed = sum as u32;
            boundaries.push(revealed);
        }
        Ok(Self { boundaries })
    }

    /// The list whose steps end where these numbers say, ascending without repeats.
    pub(super) fn from_boundaries(boundaries: Vec<u32>) -> Self {
        debug_assert!(boundaries.first() != Some(&0) && boundaries.is_sorted_by(|a, b| a < b));
        Self { boundaries }
    }

    /// The number of steps.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.boundaries.len() as u32
    }

    /// The number of positions that all steps together reveal.
    #[must_use]
    pub fn masks(&self) -> u32 {
        self.boundaries.last().copied().unwrap_or(0)
    }

    /// The sizes, in order.
    pub fn sizes(&self) -> impl ExactSizeIterator<Item = u32> {
        let mut before = 0;
        self.boundaries.iter().map(move |&boundary| {
            let size = boundary - before;
            before = boundary;
            size
        })
    }

    /// The same sizes in reverse order.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let masks = self.masks();
        let inner = self.boundaries.iter().rev().skip(1).map(|&boundary| masks - boundary);
        Self { boundaries: inner.chain([masks]).collect() }
    }

    /// How many positions are revealed after step `step`.
    pub(super) fn revealed(&self, step: u32) -> u32 {
        self.boundaries[step as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_its_sizes() {
        let list = SizeList::new(&[3, 1, 4]).expect("a list");
        assert_eq!(list.sizes().collect::<Vec<_>>(), [3, 1, 4]);
        assert_eq!(list.reversed().sizes().collect::<Vec<_>>(), [4, 1, 3]);
        assert_eq!((list.steps(), list.masks()), (3, 8));
        assert_eq!((list.revealed(0), list.revealed(2)), (3, 8));
    }

    #[test]
    fn lists_that_cannot_be_are_refused() {
        let message = |sizes: &[u32]| SizeList::new(sizes).expect_err("refused").to_string();
        assert_eq!(message(&[]), "sizes is 0, but must be at least 1");
        assert_eq!(message(&[2, 0, 1]), "size is 0, but must be at least 1");
        assert_eq!(
            message(&[u32::MAX, 1]),
            "sum of the sizes is 4294967296, but must be at most 4294967295"
        );
    }
}
