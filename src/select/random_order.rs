//! Random order: a uniformly random subset of a given size.

use super::Masked;
use crate::rng::below;
use rand_xoshiro::Xoshiro256PlusPlus;

/// Appends a uniform subset of `size` among `masked`.
///
/// Ranks among the masked positions are drawn, those that were drawn before anew; of a subset that
/// is larger than half, what is left out. `room` holds a bit for each of them.
pub(crate) fn choose(
    masked: &Masked<'_>,
    size: u32,
    rng: &mut Xoshiro256PlusPlus,
    room: &mut [u64],
    rows: &mut Vec<u32>,
) {
    let count = masked.count();
    if size >= count {
        return masked.push_all(rows);
    }
    if size == 0 {
        return;
    }
    let ranks = &mut room[..count.div_ceil(64) as usize];
    ranks.fill(0);
    for _ in 0..size.min(count - size) {
        loop {
            let rank = below(rng, count);
            let (word, bit) = (&mut ranks[rank as usize / 64], 1 << (rank % 64));
            if *word & bit == 0 {
                *word |= bit;
                break;
            }
        }
    }
    if size > count - size {
        ranks.iter_mut().for_each(|word| *word = !*word);
    }
    // The next ranks are the lowest bits of `next`, 64 of them or more.
    let (mut next, mut left, mut rest) = (0u128, 0, ranks.iter());
    for (k, &word) in masked.words().iter().enumerate() {
        let here = word.count_ones();
        if left < here {
            next |= u128::from(rest.next().copied().unwrap_or(0)) << left;
            left += 64;
        }
        let chosen = if here == 64 { next as u64 } else { next as u64 & ((1 << here) - 1) };
        masked.push(k, deposit(chosen, word), rows);
        next >>= here;
        left -= here;
    }
}

/// The bits of `word` whose ranks among its ones are the ones of `ranks`.
fn deposit(mut ranks: u64, mut word: u64) -> u64 {
    if word == u64::MAX {
        return ranks;
    }
    let mut bits = 0;
    let mut passed = 0;
    while ranks != 0 {
        let rank = ranks.trailing_zeros();
        for _ in passed..rank {
            word &= word - 1;
        }
        bits |= word & word.wrapping_neg();
        passed = rank;
        ranks &= ranks - 1;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::{choose, deposit};
    use crate::lanes::Level;
    use crate::rng::{Key, Purpose, mix};
    use crate::select::masked::tests::{tokens, with_masked};
    use std::collections::HashMap;

    #[test]
    fn bits_are_deposited_by_rank() {
        for i in 0..2_000u64 {
            let word = mix(i) & [u64::MAX, mix(i + 9_000), 0][i as usize % 3];
            let ones: Vec<u32> = (0..64).filter(|bit| word >> bit & 1 == 1).collect();
            let ranks = mix(!i) & (1u64 << (ones.len() % 64)).wrapping_sub(1);
            let expected = (0..ones.len())
                .filter(|rank| ranks >> rank & 1 == 1)
                .fold(0, |bits, rank| bits | 1 << ones[rank]);
            assert_eq!(deposit(ranks, word), expected, "{ranks:#x} in {word:#x}");
        }
    }

    #[test]
    fn subsets_have_their_size_and_ascend() {
        for share in [3, 100, 256] {
            let mut tokens = tokens(500, share, 9);
            with_masked(Level::detect(), &mut tokens, 3, |masked| {
                let mut all = Vec::new();
                masked.push_all(&mut all);
                for size in (0..=all.len()).chain([all.len() + 9]) {
                    let mut rows = vec![77];
                    let key = Key { stream: size as u64, ..Key::default() };
                    let mut room = [!0; 8];
                    let rng = &mut key.generator(Purpose::Order);
                    choose(masked, size as u32, rng, &mut room, &mut rows);
                    assert_eq!(rows[0], 77, "rows of other segments");
                    assert_eq!(rows.len() - 1, size.min(all.len()));
                    assert!(rows[1..].is_sorted_by(|a, b| a < b));
                    assert!(rows[1..].iter().all(|row| all.binary_search(row).is_ok()));
                }
            });
        }
    }

    /// All subsets of five masked positions, of each size: a share is off by five deviations with
    /// probability 6e-7, each of 30 times.
    #[test]
    fn all_subsets_are_equally_likely() {
        let mut tokens = vec![9, 0, 9, 9, 0, 9, 0, 0, 9];
        with_masked(Level::detect(), &mut tokens, 0, |masked| {
            for (size, subsets) in [(1, 5), (2, 10), (3, 10), (4, 5)] {
                let mut counts = HashMap::<Vec<u32>, u32>::new();
                const ROUNDS: u32 = 200_000;
                for step in 0..ROUNDS {
                    let mut rows = Vec::new();
                    let rng = &mut Key { step, ..Key::default() }.generator(Purpose::Order);
                    choose(masked, size, rng, &mut [0], &mut rows);
                    *counts.entry(rows).or_default() += 1;
                }
                assert_eq!(counts.len(), subsets);
                let mean = f64::from(ROUNDS) / subsets as f64;
                for (subset, count) in counts {
                    let error = (f64::from(count) - mean).abs() / mean.sqrt();
                    assert!(error < 5.0, "{subset:?}: {count} for {mean}");
                }
            }
        });
    }
}
