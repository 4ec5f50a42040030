//! Lists whose steps take a fixed share of what is left (Chen, Cong and Li, arXiv 2511.04647).

use super::SizeList;
use crate::error::{Error, shape};

impl SizeList {
    /// Every step reveals ⌊n/ζ⌋ of the n masks that are left, and one when that is 0: E KL is at most
    /// TC/(ζ − 1) (Chen, Cong and Li, theorem 9 and appendix D). The larger ζ, the more steps: about
    /// 2 + (1 + ln L)·ζ at most.
    ///
    /// Not every number of steps is that of some ζ; see
    /// [`largest_tc_geometric`](Self::largest_tc_geometric).
    ///
    /// # Errors
    /// No masks, or ζ below 2.
    pub fn tc_geometric(masks: u32, zeta: u32) -> Result<Self, Error> {
        shape(masks > 0, "masks", 0, "at least", 1)?;
        shape(zeta > 1, "zeta", zeta as usize, "at least", 2)?;
        let mut boundaries = Vec::new();
        let mut revealed = 0;
        while revealed < masks {
            revealed += ((masks - revealed) / zeta).max(1);
            boundaries.push(revealed);
        }
        Ok(Self::from_boundaries(boundaries))
    }

    /// The list of [`tc_geometric`](Self::tc_geometric) in reverse order: E KL is at most DTC/(ζ − 1).
    ///
    /// # Errors
    /// As there.
    pub fn dtc_geometric(masks: u32, zeta: u32) -> Result<Self, Error> {
        Ok(Self::tc_geometric(masks, zeta)?.reversed())
    }

    /// The list of [`tc_geometric`](Self::tc_geometric) that keeps E KL at or below `accuracy` for
    /// laws whose total correlation is at most `estimate` (both in nats): ζ = 1 + ⌈estimate/accuracy⌉.
    ///
    /// # Errors
    /// No masks, a negative or infinite estimate, or an accuracy not above 0.
    pub fn tc_for_accuracy(masks: u32, estimate: f64, accuracy: f64) -> Result<Self, Error> {
        Self::tc_geometric(masks, zeta_for(masks, estimate, accuracy)?)
    }

    /// As [`tc_for_accuracy`](Self::tc_for_accuracy), for the dual total correlation.
    ///
    /// # Errors
    /// As there.
    pub fn dtc_for_accuracy(masks: u32, estimate: f64, accuracy: f64) -> Result<Self, Error> {
        Self::dtc_geometric(masks, zeta_for(masks, estimate, accuracy)?)
    }

    /// The list of [`tc_geometric`](Self::tc_geometric) with the largest ζ that needs at most `steps`
    /// steps; it may need fewer. `None` if even ζ = 2 needs more, or without masks.
    #[must_use]
    pub fn largest_tc_geometric(masks: u32, steps: u32) -> Option<Self> {
        // The number of steps grows with ζ, to `masks` ones beyond ζ = masks / 2.
        let rounds = |zeta| Self::tc_geometric(masks, zeta).ok().filter(|l| l.steps() <= steps);
        let (mut fits, mut list) = (2, rounds(2)?);
        let mut fails = masks.saturating_add(2).max(3);
        while fails - fits > 1 {
            let zeta = fits + (fails - fits) / 2;
            match rounds(zeta) {
                Some(found) => (fits, list) = (zeta, found),
                None => fails = zeta,
            }
        }
        Some(list)
    }
}

fn zeta_for(masks: u32, estimate: f64, accuracy: f64) -> Result<u32, Error> {
    let argument = |name, value, expected| Err(Error::Argument { name, value, expected });
    if !(estimate >= 0.0 && estimate.is_finite()) {
        return argument("estimate", estimate, "finite and at least 0");
    }
    if accuracy.is_nan() || accuracy <= 0.0 {
        return argument("accuracy", accuracy, "above 0");
    }
    // Beyond the masks every list is ones. At an estimate of 0 a single step would do; ζ is 2 then.
    let ratio = (estimate / accuracy).ceil().clamp(1.0, f64::from(masks.max(1)));
    Ok((ratio as u32).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The construction of appendix D to the letter: λ shares, then ones, empty steps dropped.
    fn by_the_letter(n: u32, zeta: u32) -> Vec<u32> {
        if zeta > n {
            return vec![1; n as usize];
        }
        let share = f64::from(n - zeta + 1).ln() / -(1.0 - f64::from(zeta).recip()).ln();
        let (mut left, mut sizes) = (n, Vec::new());
        for _ in 0..share.floor() as usize + 2 {
            sizes.push(left / zeta);
            left -= left / zeta;
        }
        sizes.extend(vec![1; left as usize]);
        sizes.retain(|&size| size > 0);
        sizes
    }

    #[test]
    fn the_lists_are_those_of_the_paper() {
        for n in 1..300 {
            for zeta in 2..n + 3 {
                let list = SizeList::tc_geometric(n, zeta).expect("a list");
                assert_eq!(list.sizes().collect::<Vec<_>>(), by_the_letter(n, zeta), "{n} {zeta}");
            }
        }
    }

    #[test]
    fn rounds_grow_with_zeta_and_the_largest_is_found() {
        for n in 1..150 {
            let rounds: Vec<u32> = (2..=n + 2)
                .map(|z| SizeList::tc_geometric(n, z).expect("a list").steps())
                .collect();
            assert!(rounds.is_sorted(), "{n}: {rounds:?}");
            for steps in 1..=n + 1 {
                let expected = rounds.iter().rev().find(|&&r| r <= steps).copied();
                let found = SizeList::largest_tc_geometric(n, steps).map(|list| list.steps());
                assert_eq!(found, expected, "{n} masks, {steps} steps");
            }
        }
    }

    #[test]
    fn accuracies_choose_zeta() {
        let list = |estimate, accuracy| SizeList::tc_for_accuracy(512, estimate, accuracy);
        let zeta = |zeta| SizeList::tc_geometric(512, zeta);
        assert_eq!(list(3.0, 1.0), zeta(4));
        assert_eq!(list(3.0, 0.99), zeta(5));
        assert_eq!(list(0.0, 1.0), zeta(2));
        assert_eq!(list(1e300, 1e-300), zeta(513));
        assert!(list(f64::NAN, 1.0).is_err() && list(-1.0, 1.0).is_err());
        assert!(list(1.0, 0.0).is_err() && list(1.0, f64::NAN).is_err());
        let reverse = SizeList::dtc_for_accuracy(512, 3.0, 1.0).expect("a list").reversed();
        assert_eq!(Ok(reverse), zeta(4));
    }
}
