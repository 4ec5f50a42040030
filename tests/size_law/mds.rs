//! Reed-Solomon codes: the values of a uniformly random polynomial at 0, 1, …, modulo a prime.
//!
//! Any `dimension` tokens are independent and say all others, so f is ln q, then 0: the extreme law of
//! every guarantee.

use super::Law;

pub(crate) struct Mds {
    length: usize,
    dimension: usize,
    prime: u64,
    /// The inverses modulo the prime; 0 has none.
    inverses: Vec<u64>,
}

impl Mds {
    /// The polynomials of degree below `dimension` at `length` places, at most `prime`.
    pub(crate) fn new(length: usize, dimension: usize, prime: u64) -> Self {
        assert!((1..=length).contains(&dimension) && length as u64 <= prime, "no such code");
        let mut inverses = vec![0, 1];
        for n in 2..prime {
            // q = (q / n)·n + q mod n, and so 1/n = −(q / n)/(q mod n).
            assert!(!prime.is_multiple_of(n), "{prime} is not prime");
            inverses.push((prime - prime / n) * inverses[(prime % n) as usize] % prime);
        }
        Self { length, dimension, prime, inverses }
    }

    fn minus(&self, a: usize, b: usize) -> u64 {
        (a as u64 + self.prime - b as u64) % self.prime
    }

    /// The values at `wanted` of the polynomial through `points`, as many as the dimension
    /// (Lagrange, with barycentric weights).
    pub(super) fn interpolate(&self, points: &[(usize, u32)], wanted: &[usize]) -> Vec<u64> {
        let q = self.prime;
        let weighted: Vec<u64> = points
            .iter()
            .map(|&(a, y)| {
                let others = points.iter().filter(|&&(b, _)| b != a);
                let product = others.fold(1, |product, &(b, _)| product * self.minus(a, b) % q);
                u64::from(y) % q * self.inverses[product as usize] % q
            })
            .collect();
        let value = |&i: &usize| {
            if let Some(&(_, y)) = points.iter().find(|&&(a, _)| a == i) {
                return u64::from(y) % q;
            }
            let mut whole = 1;
            let mut sum = 0;
            for (&(a, _), weighted) in points.iter().zip(&weighted) {
                let apart = self.minus(i, a);
                whole = whole * apart % q;
                sum = (sum + weighted * self.inverses[apart as usize]) % q;
            }
            whole * sum % q
        };
        wanted.iter().map(value).collect()
    }
}

impl Law for Mds {
    fn name(&self) -> String {
        format!("RS[{},{}]_{}", self.length, self.dimension, self.prime)
    }

    fn length(&self) -> usize {
        self.length
    }

    fn vocab(&self) -> usize {
        self.prime as usize
    }

    fn profile(&self) -> Vec<f64> {
        let entropy = (self.prime as f64).ln();
        (0..self.length).map(|m| if m < self.dimension { entropy } else { 0.0 }).collect()
    }

    /// Off the support the first tokens that are revealed count.
    fn conditionals(&self, tokens: &[Option<u32>], wanted: &[usize], rows: &mut [f64]) {
        let revealed = tokens.iter().enumerate().filter_map(|(i, token)| Some((i, (*token)?)));
        let points: Vec<(usize, u32)> = revealed.take(self.dimension).collect();
        if points.len() < self.dimension {
            rows.fill(1.0 / self.prime as f64);
            return;
        }
        rows.fill(0.0);
        let values = self.interpolate(&points, wanted);
        for (row, value) in rows.chunks_exact_mut(self.vocab()).zip(values) {
            row[value as usize] = 1.0;
        }
    }

    fn sample(&self, uniform: &mut dyn FnMut() -> f64) -> Vec<u32> {
        let coefficients: Vec<u64> =
            (0..self.dimension).map(|_| (uniform() * self.prime as f64) as u64).collect();
        let value = |i: usize| {
            let horner = |sum, &c: &u64| (sum * i as u64 + c) % self.prime;
            coefficients.iter().fold(0, horner) as u32
        };
        (0..self.length).map(value).collect()
    }

    fn log_probability(&self, tokens: &[u32]) -> f64 {
        let points: Vec<(usize, u32)> =
            tokens.iter().copied().enumerate().take(self.dimension).collect();
        let all: Vec<usize> = (0..self.length).collect();
        let is_code =
            self.interpolate(&points, &all).iter().zip(tokens).all(|(&v, &t)| v == u64::from(t));
        if is_code {
            -(self.dimension as f64) * (self.prime as f64).ln()
        } else {
            f64::NEG_INFINITY
        }
    }
}
