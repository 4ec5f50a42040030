//! Distributions over short sequences, as tables, with their exact conditionals.

/// Sequences of `len` positions, each of which holds one of `vocab` tokens or a mask.
///
/// Such a *state* is a number of `len` digits in base `vocab` + 1, the first position most
/// significant; the largest digit is the mask. A *sequence* is a state without masks; it is also
/// numbered by itself, in base `vocab`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    pub(crate) len: usize,
    pub(crate) vocab: usize,
}

impl Space {
    pub(crate) fn states(self) -> usize {
        (self.vocab + 1).pow(self.len as u32)
    }

    pub(crate) fn sequences(self) -> usize {
        self.vocab.pow(self.len as u32)
    }

    pub(crate) fn all_masked(self) -> usize {
        self.states() - 1
    }

    fn place_value(self, position: usize) -> usize {
        (self.vocab + 1).pow((self.len - 1 - position) as u32)
    }

    /// What `position` holds: a token, or `vocab` for a mask.
    pub(crate) fn digit(self, state: usize, position: usize) -> usize {
        state / self.place_value(position) % (self.vocab + 1)
    }

    pub(crate) fn is_masked(self, state: usize, position: usize) -> bool {
        self.digit(state, position) == self.vocab
    }

    pub(crate) fn masked(self, state: usize) -> impl Iterator<Item = usize> {
        (0..self.len).filter(move |&position| self.is_masked(state, position))
    }

    /// `state` with its mask at `position` replaced by `token`.
    pub(crate) fn with_token(self, state: usize, position: usize, token: usize) -> usize {
        debug_assert!(self.is_masked(state, position), "only a mask is replaced");
        state - (self.vocab - token) * self.place_value(position)
    }

    /// The state with these digits.
    pub(crate) fn state(self, digits: impl IntoIterator<Item = usize>) -> usize {
        digits.into_iter().fold(0, |state, digit| state * (self.vocab + 1) + digit)
    }

    /// The number of the sequence that `state` is; `None` if something is masked.
    pub(crate) fn sequence(self, state: usize) -> Option<usize> {
        (0..self.len).try_fold(0, |sequence, position| {
            let digit = self.digit(state, position);
            (digit < self.vocab).then_some(sequence * self.vocab + digit)
        })
    }
}

/// What a network predicts: for a masked position of a state, a probability for each token.
pub(crate) trait Denoiser {
    fn space(&self) -> Space;

    /// Writes the probabilities of the tokens at the masked `position` of `state`.
    fn predict(&self, state: usize, position: usize, probabilities: &mut [f64]);
}

/// A distribution over sequences. As a [`Denoiser`] it predicts its own conditionals, exactly.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    space: Space,
    /// For each state, the probability that a random sequence agrees with its tokens.
    mass: Vec<f64>,
}

impl Target {
    /// The distribution in which a sequence has probability proportional to `weight`, which is
    /// given its tokens.
    pub(crate) fn new(len: usize, vocab: usize, weight: impl Fn(&[usize]) -> f64) -> Self {
        let space = Space { len, vocab };
        let mut mass = vec![0.0; space.states()];
        let mut tokens = vec![0; len];
        // Replacing a mask by a token makes the number smaller, so ascending order finds all
        // terms of a sum ready.
        for state in 0..space.states() {
            let first = space.masked(state).next();
            mass[state] = if let Some(position) = first {
                (0..vocab).map(|token| mass[space.with_token(state, position, token)]).sum()
            } else {
                for (position, token) in tokens.iter_mut().enumerate() {
                    *token = space.digit(state, position);
                }
                weight(&tokens)
            };
        }
        let total = mass[space.all_masked()];
        mass.iter_mut().for_each(|m| *m /= total);
        Self { space, mass }
    }

    /// HASH: no structure and full support. A sequence has weight (−ln u)², u from
    /// [`splitmix64`] of its number.
    pub(crate) fn hash(len: usize, vocab: usize) -> Self {
        Self::new(len, vocab, |tokens| {
            let number = tokens.iter().fold(0, |n, &token| n * vocab as u64 + token as u64);
            let u = ((splitmix64(number) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
            u.ln().powi(2)
        })
    }

    /// MARKOV: a uniform first token; every next one stays with probability 0.9, else is uniform
    /// among the others.
    pub(crate) fn markov(len: usize, vocab: usize) -> Self {
        let change = 0.1 / (vocab - 1) as f64;
        Self::new(len, vocab, |tokens| {
            tokens.windows(2).map(|pair| if pair[0] == pair[1] { 0.9 } else { change }).product()
        })
    }

    /// REP: a uniform token, repeated.
    pub(crate) fn repeated(len: usize, vocab: usize) -> Self {
        Self::uniform_where(len, vocab, |tokens| tokens.iter().all(|&token| token == tokens[0]))
    }

    /// PAIRS: uniform tokens, each written twice in a row.
    pub(crate) fn pairs(len: usize, vocab: usize) -> Self {
        Self::uniform_where(len, vocab, |tokens| tokens.chunks(2).all(|pair| pair[0] == pair[1]))
    }

    /// PARITY: uniform over the sequences with a sum divisible by `vocab`.
    pub(crate) fn parity(len: usize, vocab: usize) -> Self {
        let divisible = |tokens: &[usize]| tokens.iter().sum::<usize>().is_multiple_of(vocab);
        Self::uniform_where(len, vocab, divisible)
    }

    /// PRIV: every two positions share a fair bit of their own; a token is the `len` − 1 bits of
    /// its position. Two positions revealed at once disagree with probability ½, whatever else is
    /// known: the worst that can happen.
    pub(crate) fn private_bits(len: usize) -> Self {
        let bit = |tokens: &[usize], position: usize, partner: usize| {
            let index = if partner < position { partner } else { partner - 1 };
            tokens[position] >> index & 1
        };
        Self::uniform_where(len, 1 << (len - 1), |tokens| {
            (0..len).all(|i| (0..i).all(|j| bit(tokens, i, j) == bit(tokens, j, i)))
        })
    }

    /// INDEP: independent positions, token v with weight v + 1 + position.
    pub(crate) fn independent(len: usize, vocab: usize) -> Self {
        Self::new(len, vocab, |tokens| {
            tokens.iter().enumerate().map(|(i, &token)| (token + 1 + i) as f64).product()
        })
    }

    /// All the probability on one sequence: zeros.
    pub(crate) fn point(len: usize, vocab: usize) -> Self {
        Self::uniform_where(len, vocab, |tokens| tokens.iter().all(|&token| token == 0))
    }

    fn uniform_where(len: usize, vocab: usize, allowed: impl Fn(&[usize]) -> bool) -> Self {
        Self::new(len, vocab, |tokens| if allowed(tokens) { 1.0 } else { 0.0 })
    }

    /// The probability that a random sequence agrees with the tokens of `state`.
    pub(crate) fn mass(&self, state: usize) -> f64 {
        self.mass[state]
    }

    /// The law of the output of a perfect sampler: the probability of each sequence, and a last
    /// entry 0, that something is still masked.
    pub(crate) fn law(&self) -> Vec<f64> {
        let mut law = vec![0.0; self.space.sequences() + 1];
        for (state, &mass) in self.mass.iter().enumerate() {
            if let Some(sequence) = self.space.sequence(state) {
                law[sequence] = mass;
            }
        }
        law
    }
}

impl Denoiser for Target {
    fn space(&self) -> Space {
        self.space
    }

    /// In an impossible state, where there is no conditional, tokens are uniform. (No distance to
    /// the target depends on it: what follows an impossible state is impossible.)
    fn predict(&self, state: usize, position: usize, probabilities: &mut [f64]) {
        let mass = self.mass[state];
        for (token, probability) in probabilities.iter_mut().enumerate() {
            *probability = if mass > 0.0 {
                self.mass[self.space.with_token(state, position, token)] / mass
            } else {
                1.0 / self.space.vocab as f64
            };
        }
    }
}

/// The targets that have a name, for one length and vocabulary each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Hash,
    Markov,
    Repeated,
    Pairs,
    Parity,
    PrivateBits,
    Independent,
    Point,
}

impl Family {
    /// Its member. PRIV has the vocabulary that its length asks for.
    pub(crate) fn target(self, len: usize, vocab: usize) -> Target {
        match self {
            Self::Hash => Target::hash(len, vocab),
            Self::Markov => Target::markov(len, vocab),
            Self::Repeated => Target::repeated(len, vocab),
            Self::Pairs => Target::pairs(len, vocab),
            Self::Parity => Target::parity(len, vocab),
            Self::PrivateBits => Target::private_bits(len),
            Self::Independent => Target::independent(len, vocab),
            Self::Point => Target::point(len, vocab),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hash => "HASH",
            Self::Markov => "MARKOV",
            Self::Repeated => "REP",
            Self::Pairs => "PAIRS",
            Self::Parity => "PARITY",
            Self::PrivateBits => "PRIV",
            Self::Independent => "INDEP",
            Self::Point => "POINT",
        }
    }
}

/// An imperfect denoiser: with probability `error` it predicts a token of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Perturbed<'a> {
    pub(crate) target: &'a Target,
    pub(crate) error: f64,
    /// The token that is predicted by mistake, given the position.
    pub(crate) mistake: fn(usize) -> usize,
}

impl Perturbed<'_> {
    /// The sum over the numbers of masks of the expected total variation between the true and
    /// this prediction at a random masked position. First-hitting cannot be farther from the
    /// target than this.
    pub(crate) fn summed_error(&self) -> f64 {
        let space = self.target.space;
        let mut exact = vec![0.0; space.vocab];
        let mut here = vec![0.0; space.vocab];
        let mut sum = 0.0;
        for state in 0..space.states() {
            let masks = space.masked(state).count();
            // Each set of masked positions is as likely as the others of its size.
            let place = self.target.mass(state) / binomial(space.len, masks) / masks as f64;
            for position in space.masked(state) {
                self.target.predict(state, position, &mut exact);
                self.predict(state, position, &mut here);
                sum += place * super::total_variation(&exact, &here);
            }
        }
        sum
    }
}

impl Denoiser for Perturbed<'_> {
    fn space(&self) -> Space {
        self.target.space
    }

    fn predict(&self, state: usize, position: usize, probabilities: &mut [f64]) {
        self.target.predict(state, position, probabilities);
        probabilities.iter_mut().for_each(|p| *p *= 1.0 - self.error);
        probabilities[(self.mistake)(position)] += self.error;
    }
}

/// The number of `k`-subsets of `n` things.
pub(crate) fn binomial(n: usize, k: usize) -> f64 {
    (0..k).fold(1.0, |product, i| product * (n - i) as f64 / (i + 1) as f64)
}

/// The output function of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014), which turns counters into random bits.
pub(crate) fn splitmix64(counter: u64) -> u64 {
    let x = counter.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
