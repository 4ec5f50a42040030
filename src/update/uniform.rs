//! Uniform state: noise is a random token, not a mask (UDLM, Schiff et al., arXiv 2412.10193; Duo, Sahoo
//! et al., arXiv 2506.10892).

use crate::rng::{Key, Purpose, threshold};
use rand_xoshiro::rand_core::Rng;

/// What becomes of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// It gets the token that was drawn for it.
    Clean,
    /// It keeps its token.
    Stay,
    /// It gets a random token.
    Noise,
}

/// A step from time t to s of a model whose noise is uniform among K tokens.
///
/// Given the token x at time t and a draw x̂ of the clean one, the posterior at time s is a mixture of
/// x̂ with weight α(s)(1 − r)/K, of x with weight r(1 − α(s))/K, and of the uniform law with weight
/// (1 − α(s))(1 − r)/K, where r = α(t)/α(s); if x̂ = x, of x with α(t) more. No work over the vocabulary
/// is left after x̂ is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Posterior {
    /// α(t), and 1 − α(t) and 1 − α(s) with their own digits.
    pub(crate) alpha: f64,
    pub(crate) noisy: f64,
    pub(crate) noisy_after: f64,
}

impl Posterior {
    /// The route of the position with this key, of K = `tokens`; `same` says whether x̂ = x.
    pub(crate) fn route(&self, key: Key, tokens: u32, same: bool) -> Route {
        let &Self { alpha, noisy, noisy_after } = self;
        let alpha_after = 1.0 - noisy_after;
        // Times K·α(s), which all have in common: α(s) − α(t) = (1 − α(t)) − (1 − α(s)).
        let gained = noisy - noisy_after;
        let clean = alpha_after * gained;
        let stay = alpha * noisy_after;
        let noise = noisy_after * gained;
        let extra = if same { f64::from(tokens) * alpha * alpha_after } else { 0.0 };
        let total = clean + stay + noise + extra;
        if total == 0.0 {
            return Route::Stay;
        }
        let mut rng = key.generator(Purpose::Route);
        let mut decide = |p: f64| {
            let word = rng.next_u64();
            threshold(p).is_none_or(|threshold| word < threshold)
        };
        if decide(noise / total) {
            return Route::Noise;
        }
        // The two have one token.
        if same || decide(clean / (clean + stay)) { Route::Clean } else { Route::Stay }
    }
}
