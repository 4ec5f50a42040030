//! A uniformly random permutation: as many tokens as places, each once.

use super::Law;

pub(crate) struct Permutation {
    length: usize,
}

impl Permutation {
    pub(crate) fn new(length: usize) -> Self {
        assert!(length > 0, "no such permutation");
        Self { length }
    }
}

impl Law for Permutation {
    fn name(&self) -> String {
        format!("permutation of {}", self.length)
    }

    fn length(&self) -> usize {
        self.length
    }

    fn vocab(&self) -> usize {
        self.length
    }

    fn profile(&self) -> Vec<f64> {
        (0..self.length).map(|m| ((self.length - m) as f64).ln()).collect()
    }

    /// Uniform over the tokens that have not been used, off the support too.
    fn conditionals(&self, tokens: &[Option<u32>], wanted: &[usize], rows: &mut [f64]) {
        let mut next = vec![1.0; self.length];
        for &token in tokens.iter().flatten() {
            next[token as usize] = 0.0;
        }
        let unused: f64 = next.iter().sum();
        for row in rows.chunks_exact_mut(self.length).take(wanted.len()) {
            for (p, unseen) in row.iter_mut().zip(&next) {
                *p = unseen / unused;
            }
        }
    }
}
