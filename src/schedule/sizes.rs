//! Unmasking sizes: how many positions a step reveals.

/// A rule for the number of positions that a step reveals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sizes {
    /// Sizes that differ by at most one, the larger ones first.
    Even,
}

impl Sizes {
    /// How many of `masks` masked positions a step reveals when `steps_left` steps are left,
    /// this one included. With one step left that is all of them; with none, 0.
    ///
    /// It depends on what is left and not on the past, so a position that could not be revealed
    /// (a bad row) is made up for by the later steps.
    #[must_use]
    pub fn size(self, masks: u32, steps_left: u32) -> u32 {
        match self {
            Self::Even if steps_left == 0 => 0,
            Self::Even => masks.div_ceil(steps_left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sizes;

    fn list(masks: u32, steps: u32) -> Vec<u32> {
        let mut left = masks;
        let sizes = (0..steps).map(|step| {
            let size = Sizes::Even.size(left, steps - step);
            left -= size;
            size
        });
        sizes.collect()
    }

    #[test]
    fn even_sizes_differ_by_one_and_sum_up() {
        assert_eq!(list(10, 4), [3, 3, 2, 2]);
        assert_eq!(list(3, 5), [1, 1, 1, 0, 0]);
        assert_eq!(list(0, 2), [0, 0]);
        for masks in 0..200 {
            for steps in 1..50 {
                let sizes = list(masks, steps);
                assert_eq!(sizes.iter().sum::<u32>(), masks);
                let least = masks / steps;
                let more = (masks % steps) as usize;
                assert!(sizes[..more].iter().all(|&size| size == least + 1), "{masks} in {steps}");
                assert!(sizes[more..].iter().all(|&size| size == least), "{masks} in {steps}");
            }
        }
        assert_eq!(Sizes::Even.size(7, 0), 0);
    }
}
