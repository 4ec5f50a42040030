//! Remask: a committed position becomes a mask again, so that later steps can mend it (ReMDM, Wang et
//! al., arXiv 2503.00307).

use crate::canvas::{Canvas, PositionKind, PositionState};
use crate::error::{Error, number};
use crate::schedule::Noise;

/// With what probability a step remasks a committed position.
///
/// A step from time t to s remasks with probability σ, and reveals a masked position with probability
/// (α(s) − (1 − σ)·α(t))/(1 − α(t)), so that at every time as many positions are masked as without
/// remasking: any σ up to min(1, (1 − α(s))/α(t)) samples the same law, and gives the network other
/// chances (equation 5 and section 4 there).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Remask {
    /// How large σ is.
    pub rate: RemaskRate,
    /// Whether positions share σ by their confidence: position i, whose token had probability ψ when
    /// it was revealed, is remasked with probability σ·exp(−ψ)/Σ exp(−ψ) over the committed positions
    /// of its segment (ReMDM-conf). Masked positions are then revealed as without remasking, as in
    /// their code, so that a little more is masked than the schedule says.
    pub by_confidence: bool,
    /// The first time at which it is on, and the first at which it is off again: steps that begin at a
    /// time t with `until` < t ≤ `from` remask.
    pub from: f64,
    /// See `from`.
    pub until: f64,
}

/// How large the remasking probability σ of a step is, of at most σ_max = min(1, (1 − α(s))/α(t)).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum RemaskRate {
    /// min(η, σ_max).
    Cap(f64),
    /// η·σ_max.
    Rescale(f64),
    /// min((α(s) − α(t))/α(t), σ_max): the forward-backward corrector.
    ForwardBackward,
}

impl Remask {
    /// At every time, all committed positions alike.
    #[must_use]
    pub const fn at(rate: RemaskRate) -> Self {
        Self { rate, by_confidence: false, from: f64::INFINITY, until: 0.0 }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let refuse = |name, value, expected| Err(Error::Argument { name, value, expected });
        if let RemaskRate::Cap(eta) | RemaskRate::Rescale(eta) = self.rate
            && !(0.0..=1.0).contains(&eta)
        {
            return refuse("update.rate", eta, "0 to 1");
        }
        number("update.from", self.from)?;
        number("update.until", self.until)
    }

    /// σ of a step from time `t` to `s`.
    pub(crate) fn probability(&self, noise: Noise<'_>, t: f64, s: f64) -> f64 {
        if !(self.until < t && t <= self.from) {
            return 0.0;
        }
        let alpha = noise.alpha(t);
        // Nothing is committed where everything is masked.
        let most =
            if alpha > 0.0 { (libm::exp(noise.log_masked(s)) / alpha).min(1.0) } else { 1.0 };
        match self.rate {
            RemaskRate::Cap(eta) => eta.min(most),
            RemaskRate::Rescale(eta) => eta * most,
            RemaskRate::ForwardBackward => {
                let forward = noise.reveal_probability(t, s) * libm::exp(noise.log_masked(t));
                if alpha > 0.0 { (forward / alpha).min(most) } else { most }
            }
        }
    }
}

/// Makes canvas position `at` a mask again.
pub(crate) fn remask(canvas: &mut Canvas<'_>, at: u32) {
    let mask = canvas.mask_token();
    canvas.write(at, mask, PositionKind::MASKED, PositionState::default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remasking_is_on_from_its_first_time_to_before_its_last() {
        let rule = Remask { from: 0.75, until: 0.25, ..Remask::at(RemaskRate::Cap(0.125)) };
        let at = |t: f64| rule.probability(Noise::Linear, t, t - 0.125);
        assert_eq!((at(0.75), at(0.5), at(0.25 + f64::EPSILON)), (0.125, 0.125, 0.125));
        assert_eq!((at(1.0), at(0.75 + f64::EPSILON), at(0.25)), (0.0, 0.0, 0.0));
    }
}
