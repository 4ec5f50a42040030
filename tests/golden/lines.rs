//! Cases as lines of text.

use std::fmt::Debug;

/// The lines of a section.
#[derive(Debug, Default)]
pub(crate) struct Lines(Vec<String>);

impl Lines {
    pub(crate) fn all(&self) -> &[String] {
        &self.0
    }

    /// A case: what is shown, and the hash of everything.
    pub(crate) fn push(&mut self, name: &str, shown: &[impl Debug], hash: &Hash) {
        let shown: Vec<_> = shown.iter().map(|x| format!("{x:?}")).collect();
        self.0.push(format!("{name} = {} #{:016x}", shown.join(" "), hash.0));
    }

    /// A case that is shown whole.
    pub(crate) fn push_whole(&mut self, name: &str, shown: &[impl Debug]) {
        let shown: Vec<_> = shown.iter().map(|x| format!("{x:?}")).collect();
        self.0.push(format!("{name} = {}", shown.join(" ")));
    }
}

/// FNV-1a over the bytes of words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hash(pub(crate) u64);

impl Hash {
    pub(crate) fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    pub(crate) fn word(&mut self, word: u64) {
        for byte in word.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3);
        }
    }

    pub(crate) fn int(&mut self, x: i32) {
        self.word(x.cast_unsigned().into());
    }

    /// Of a NaN only that it is one.
    pub(crate) fn float(&mut self, x: f64) {
        self.word(if x.is_nan() { f64::NAN } else { x }.to_bits());
    }

    pub(crate) fn floats(x: &[f64]) -> Self {
        let mut hash = Self::new();
        x.iter().for_each(|&x| hash.float(x));
        hash
    }
}
