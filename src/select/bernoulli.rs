//! Bernoulli: every masked position is chosen independently with the same probability. It is
//! decided before any token is drawn, and token probabilities are never multiplied by it.

use super::Masked;
use crate::rng::{successes, threshold};
use rand_xoshiro::rand_core::Rng;

/// Appends each of `masked` with probability `p`, to 64 bits.
pub(crate) fn choose(masked: &Masked<'_>, p: f64, rng: &mut impl Rng, rows: &mut Vec<u32>) {
    let Some(threshold) = threshold(p) else {
        return masked.push_all(rows);
    };
    if threshold == 0 {
        return;
    }
    for (k, &word) in masked.words().iter().enumerate() {
        masked.push(k, successes(rng, word, threshold), rows);
    }
}

#[cfg(test)]
mod tests {
    use super::choose;
    use crate::lanes::Level;
    use crate::rng::{Key, Purpose};
    use crate::select::masked::tests::{tokens, with_masked};
    use rand_xoshiro::rand_core::TryRng;

    #[test]
    fn certainties() {
        let mut tokens = tokens(300, 128, 9);
        with_masked(Level::detect(), &mut tokens, 5, |masked| {
            let mut all = Vec::new();
            masked.push_all(&mut all);
            for (p, expected) in
                [(0.0, &[][..]), (-1.0, &[]), (1e-30, &[]), (1.0, &all), (7.0, &all)]
            {
                let mut rows = Vec::new();
                choose(masked, p, &mut Key::default().generator(Purpose::Reveal), &mut rows);
                assert_eq!(rows, expected, "p = {p}");
            }
        });
    }

    /// Puts out the bits of one number of 64 bits, from the highest on, at one place of its words.
    struct Bits {
        number: u64,
        place: u32,
        taken: u32,
    }

    impl TryRng for Bits {
        type Error = core::convert::Infallible;

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            self.taken += 1;
            // Beside it, the opposite.
            let bit = self.number >> (64 - self.taken) & 1;
            Ok(if bit == 1 { 1 << self.place } else { !(1 << self.place) })
        }

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            unreachable!("words of 64 bits are asked for")
        }

        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
            unreachable!("words of 64 bits are asked for")
        }
    }

    /// A quarter of all numbers is below 2^62, and the other numbers are not.
    #[test]
    fn a_reveal_is_decided_by_all_64_bits() {
        for place in [0, 1, 37, 63] {
            let mut tokens = vec![0; 64];
            tokens[place as usize] = 9;
            with_masked(Level::detect(), &mut tokens, 0, |masked| {
                let third = (1.0 / 3.0 * 2f64.powi(64)) as u64;
                for (p, threshold) in [(0.25, 1 << 62), (0.5, 1 << 63), (1.0 / 3.0, third)] {
                    for number in [0, threshold - 1, threshold, threshold + 1, u64::MAX] {
                        let mut rows = Vec::new();
                        choose(masked, p, &mut Bits { number, place, taken: 0 }, &mut rows);
                        let expected = if number < threshold { &[place][..] } else { &[] };
                        assert_eq!(rows, expected, "{number} against {threshold}");
                    }
                }
            });
        }
    }

    /// Every position by itself, and every two together. With 10^5 rounds a share is off by five
    /// deviations with probability 6e-7, each of about 3,000 times.
    #[test]
    fn positions_are_chosen_independently_with_their_probability() {
        let mut tokens = tokens(130, 128, 9);
        for p in [0.5, 0.1, 0.731, 1e-3] {
            with_masked(Level::detect(), &mut tokens, 64, |masked| {
                let count = masked.count() as usize;
                let mut all = Vec::new();
                masked.push_all(&mut all);
                let (mut single, mut pairs) = (vec![0u32; count], vec![0u32; count * count]);
                const ROUNDS: u32 = 100_000;
                for step in 0..ROUNDS {
                    let mut rows = Vec::new();
                    let key = Key { step, ..Key::default() };
                    choose(masked, p, &mut key.generator(Purpose::Reveal), &mut rows);
                    let ranks: Vec<usize> = rows
                        .iter()
                        .map(|row| all.binary_search(row).expect("only masked ones"))
                        .collect();
                    for (i, &a) in ranks.iter().enumerate() {
                        single[a] += 1;
                        for &b in &ranks[..i] {
                            pairs[a * count + b] += 1;
                        }
                    }
                }
                let near = |count: u32, p: f64| {
                    let mean = p * f64::from(ROUNDS);
                    let slack = 5.0 * (mean * (1.0 - p)).sqrt() + 3.0;
                    assert!((f64::from(count) - mean).abs() < slack, "{count} for {mean}");
                };
                single.iter().for_each(|&count| near(count, p));
                for a in 0..count {
                    (0..a).for_each(|b| near(pairs[a * count + b], p * p));
                }
            });
        }
    }
}
