//! Laws by their name on the command line.

use crate::size_law::{
    Blocks, Chain, FixedWeight, LatentClass, Law, Mds, Permutation, Polya, Ring,
};

/// A law that was named; its length comes later.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named {
    kind: String,
    numbers: Vec<f64>,
}

const KINDS: &str = "rs:DIMENSION[:PRIME], noisy:ERROR, coins:WEIGHT:P:WEIGHT:P..., polya:V:ALPHA, \
                     markov:V:RHO, ring:V:RHO, blocks:BLOCK:DIMENSION:MODULUS, permutation, \
                     ones:COUNT";

pub(crate) fn parse(text: &str) -> Result<Named, String> {
    let mut parts = text.split(':');
    let kind = parts.next().unwrap_or_default().to_owned();
    let numbers = parts.map(|part| part.parse().map_err(|_| format!("{part:?} is no number")));
    let named = Named { kind, numbers: numbers.collect::<Result<_, String>>()? };
    let fits = match (named.kind.as_str(), named.numbers.len()) {
        ("rs", 1 | 2) | ("noisy" | "ones", 1) | ("polya" | "markov" | "ring", 2) => true,
        ("blocks", 3) | ("permutation", 0) => true,
        ("coins", count) => count >= 2 && count.is_multiple_of(2),
        _ => false,
    };
    if fits { Ok(named) } else { Err(format!("{text:?} is none of {KINDS}")) }
}

/// A count among parameters.
fn whole(number: f64, low: usize, high: usize, what: &str) -> Result<usize, String> {
    let count = number as usize;
    match count as f64 == number && (low..=high).contains(&count) {
        true => Ok(count),
        false => Err(format!("the {what} {number} is not a whole number from {low} to {high}")),
    }
}

fn above_zero(number: f64, below: f64, what: &str) -> Result<f64, String> {
    match number > 0.0 && number < below {
        true => Ok(number),
        false => Err(format!("the {what} {number} is not above 0 and below {below}")),
    }
}

fn is_prime(n: usize) -> bool {
    n >= 2 && (2..).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d))
}

impl Named {
    /// The law on `length` tokens.
    pub(crate) fn law(&self, length: usize) -> Result<Box<dyn Law>, String> {
        const MOST: usize = 1 << 16;
        let n = self.numbers.as_slice();
        Ok(match (self.kind.as_str(), n) {
            ("rs", &[dimension, ..]) => {
                let dimension = whole(dimension, 1, length, "dimension")?;
                let prime = match n.get(1) {
                    Some(&prime) => whole(prime, length, MOST, "prime")?,
                    None => (length.max(2)..).find(|&n| is_prime(n)).unwrap_or(2),
                };
                if !is_prime(prime) {
                    return Err(format!("{prime} is not prime"));
                }
                Box::new(Mds::new(length, dimension, prime as u64))
            }
            ("noisy", &[error]) => {
                Box::new(LatentClass::noisy_bit(length, above_zero(error, 1.0, "error")?))
            }
            ("coins", n) => {
                let classes: Vec<(f64, f64)> = n.chunks(2).map(|pair| (pair[0], pair[1])).collect();
                let sum: f64 = classes.iter().map(|class| class.0).sum();
                if (sum - 1.0).abs() > 1e-12 {
                    return Err(format!("the weights of the coins sum to {sum}, not to 1"));
                }
                for &(weight, p) in &classes {
                    above_zero(weight, f64::INFINITY, "weight")?;
                    above_zero(p, 1.0, "probability")?;
                }
                Box::new(LatentClass::new(length, &classes))
            }
            ("polya", &[vocab, alpha]) => {
                let vocab = whole(vocab, 2, MOST, "vocabulary")?;
                Box::new(Polya::new(length, vocab, above_zero(alpha, f64::INFINITY, "alpha")?))
            }
            ("markov" | "ring", &[vocab, rho]) => {
                let vocab = whole(vocab, 2, MOST, "vocabulary")?;
                if !(0.0..1.0).contains(&rho) {
                    return Err(format!("the stickiness {rho} is not from 0 to 1"));
                }
                match self.kind.as_str() {
                    "ring" => Box::new(Ring::new(length, vocab, rho)),
                    _ => Box::new(Chain::new(length, vocab, rho)),
                }
            }
            ("blocks", &[block, dimension, modulus]) => {
                let block = whole(block, 2, length, "block")?;
                let dimension = whole(dimension, 1, block - 1, "dimension")?;
                let modulus = whole(modulus, 2, MOST, "modulus")?;
                if !length.is_multiple_of(block) {
                    return Err(format!("blocks of {block} do not fill {length} tokens"));
                }
                let polynomial = dimension > 1 && dimension < block - 1;
                if polynomial && (modulus < block || !is_prime(modulus)) {
                    return Err(format!("{modulus} is not a prime of at least {block}"));
                }
                Box::new(Blocks::new(length, block, dimension, modulus))
            }
            ("permutation", []) => Box::new(Permutation::new(length)),
            ("ones", &[count]) => {
                Box::new(FixedWeight::new(length, whole(count, 0, length, "count")?))
            }
            _ => return Err(format!("{self:?} is none of {KINDS}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_nonsense_is_refused() {
        let law = |text: &str, length| parse(text)?.law(length).map(|law| law.name());
        for text in [
            "rs:3",
            "rs:3:11",
            "noisy:0.1",
            "coins:0.25:0.1:0.75:0.9",
            "polya:5:0.5",
            "markov:3:0.7",
            "ring:3:0.7",
            "blocks:4:3:2",
            "blocks:4:1:3",
            "blocks:4:2:5",
            "permutation",
            "ones:4",
        ] {
            assert!(law(text, 8).is_ok(), "{text}: {:?}", law(text, 8));
        }
        for text in [
            "",
            "rs",
            "rs:0",
            "rs:9",
            "rs:3:9",
            "rs:3:7",
            "noisy:0",
            "noisy:1",
            "noisy:x",
            "coins:1:0.5:1:0.1",
            "coins:1",
            "polya:1:1",
            "polya:2:-1",
            "markov:3:1",
            "ring:1:0.5",
            "blocks:3:2:2",
            "blocks:4:4:2",
            "blocks:4:2:4",
            "permutation:1",
            "ones:9",
            "ones:1.5",
        ] {
            assert!(law(text, 8).is_err(), "{text}: {:?}", law(text, 8));
        }
    }
}
