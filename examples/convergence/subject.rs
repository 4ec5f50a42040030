//! Targets by their name on the command line.

use crate::exact_law::reference::Subject;
use crate::exact_law::{Family, Target};

/// The most numbers that the table of a target's composition laws may hold: 2 GB.
const LARGEST: f64 = 250e6;

/// Reads `hash:4:2`: a name, a length and a vocabulary.
pub(crate) fn parse(text: &str) -> Result<Subject, String> {
    let mut parts = text.split(':');
    let family = match parts.next().unwrap_or_default() {
        "hash" => Family::Hash,
        "markov" => Family::Markov,
        "rep" => Family::Repeated,
        "pairs" => Family::Pairs,
        "parity" => Family::Parity,
        "priv" => Family::PrivateBits,
        "indep" => Family::Independent,
        "point" => Family::Point,
        other => {
            return Err(format!(
                "{other:?} is none of hash, markov, rep, pairs, parity, priv, indep, point"
            ));
        }
    };
    let mut number = |what: &str, default: Option<usize>| match (parts.next(), default) {
        (Some(text), _) => text.parse().map_err(|_| format!("the {what} {text:?} is no number")),
        (None, Some(default)) => Ok(default),
        (None, None) => Err(format!("the {what} is missing, as in hash:4:2")),
    };
    let len: usize = number("length", None)?;
    let bits = (family == Family::PrivateBits && (2..=20).contains(&len)).then(|| 1 << (len - 1));
    let vocab = number("vocabulary", bits)?;
    if parts.next().is_some() {
        return Err("more than a name, a length and a vocabulary".to_owned());
    }
    if len < 2 || vocab < 2 {
        return Err("length and vocabulary must be at least 2".to_owned());
    }
    if bits.is_some_and(|bits| vocab != bits) {
        return Err(format!("a token of priv is {} bits: leave the vocabulary out", len - 1));
    }
    let states = (vocab as f64 + 1.0).powi(len as i32);
    if states * (1u64 << len.min(63)) as f64 > LARGEST || states * (len * vocab) as f64 > LARGEST {
        return Err(format!("{text} is too large for tables of all its states, {states:.0}"));
    }
    Ok((family, len, vocab))
}

/// How a target is called in tables.
pub(crate) fn name((family, len, vocab): Subject) -> String {
    format!("{} d={len} S={vocab}", family.name())
}

pub(crate) fn target((family, len, vocab): Subject) -> Target {
    family.target(len, vocab)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_nonsense_is_refused() {
        assert_eq!(parse("hash:6:3"), Ok((Family::Hash, 6, 3)));
        assert_eq!(parse("priv:4"), Ok((Family::PrivateBits, 4, 8)));
        assert_eq!(parse("priv:4:8"), Ok((Family::PrivateBits, 4, 8)));
        for text in
            ["", "hash", "hash:4", "hash:4:x", "hash:1:2", "hash:4:2:1", "priv:4:7", "no:4:2"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("hash:30:2").is_err(), "too large");
        assert!(parse("priv:32").is_err(), "too large");
    }
}
