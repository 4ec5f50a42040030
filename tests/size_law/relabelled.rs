//! A law whose alphabet is shuffled at every position. Its profile is the same, but code that mixes up
//! positions or tokens no longer gets away with it.

use super::Law;

pub(crate) struct Relabelled {
    law: Box<dyn Law>,
    /// What a token of the law is called, by position.
    names: Vec<Vec<u32>>,
}

impl Relabelled {
    /// Shuffles by uniform numbers in [0, 1).
    pub(crate) fn new(law: Box<dyn Law>, uniform: &mut dyn FnMut() -> f64) -> Self {
        let mut shuffled = |_| {
            let mut names: Vec<u32> = (0..law.vocab() as u32).collect();
            for last in (1..names.len()).rev() {
                names.swap(last, (uniform() * (last + 1) as f64) as usize);
            }
            names
        };
        let names = (0..law.length()).map(&mut shuffled).collect();
        Self { law, names }
    }

    fn original(&self, position: usize, token: u32) -> u32 {
        let place = self.names[position].iter().position(|&name| name == token);
        place.expect("a token of the vocabulary") as u32
    }
}

impl Law for Relabelled {
    fn name(&self) -> String {
        format!("{}, relabelled", self.law.name())
    }

    fn length(&self) -> usize {
        self.law.length()
    }

    fn vocab(&self) -> usize {
        self.law.vocab()
    }

    fn profile(&self) -> Vec<f64> {
        self.law.profile()
    }

    fn conditionals(&self, tokens: &[Option<u32>], wanted: &[usize], rows: &mut [f64]) {
        let original = |(i, token): (usize, &Option<u32>)| Some(self.original(i, (*token)?));
        let originals: Vec<Option<u32>> = tokens.iter().enumerate().map(original).collect();
        let mut plain = vec![0.0; rows.len()];
        self.law.conditionals(&originals, wanted, &mut plain);
        let vocab = self.vocab();
        for ((row, plain), &i) in
            rows.chunks_exact_mut(vocab).zip(plain.chunks_exact(vocab)).zip(wanted)
        {
            for (&name, &p) in self.names[i].iter().zip(plain) {
                row[name as usize] = p;
            }
        }
    }

    fn sample(&self, uniform: &mut dyn FnMut() -> f64) -> Vec<u32> {
        let plain = self.law.sample(uniform);
        plain.iter().zip(&self.names).map(|(&token, names)| names[token as usize]).collect()
    }

    fn log_probability(&self, tokens: &[u32]) -> f64 {
        let plain: Vec<u32> =
            tokens.iter().enumerate().map(|(i, &token)| self.original(i, token)).collect();
        self.law.log_probability(&plain)
    }
}
