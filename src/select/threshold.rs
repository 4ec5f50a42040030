//! Threshold: every position whose score reaches a bar (Fast-dLLM, Wu et al., arXiv 2505.22618;
//! LLaDA2, SDAR, dInfer).

use super::candidate::to_front;
use super::{Candidate, top_k};
use crate::error::{Error, number};
use crate::score::Score;

/// Which scores are high enough, and what happens if too few are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// The least score that is revealed, in the units of the policy's
    /// [`ScoreOf`](crate::policy::ScoreOf).
    pub at: f64,
    /// What it has become at the last step, after falling (or rising) linearly from `at` at the first
    /// one; at later steps the same. For policies without a number of steps it is `at` throughout.
    pub at_end: f64,
    /// Whether a score must exceed the threshold, and not merely reach it.
    pub strict: bool,
    /// What is revealed if too few positions pass.
    pub fallback: Fallback,
    /// The most positions of a step: the surest of those that pass; 0 for no limit.
    pub most: u32,
    /// The most positions of a step as a share of those that are masked, rounded down, but at least
    /// `share_least`: 1 for no limit. Above `most` it does not count.
    pub most_share: f64,
    /// See `most_share`.
    pub share_least: u32,
    /// Whether the size of the step bounds their number as well (Fast-dLLM's port of Dream, whose sizes
    /// are those of [`Sizes::Kappa`](crate::Sizes::Kappa): what did not pass is for the next step).
    pub within_size: bool,
}

/// What a threshold reveals if too few positions pass it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fallback {
    /// Nothing more.
    None,
    /// The surest position, if none passes (Fast-dLLM).
    Best,
    /// Every position within 1e-5 of the highest score, which bounds the threshold from above
    /// (dInfer).
    NearBest,
    /// The surest positions, up to the size of the step (SDAR's dynamic rule, LMDeploy).
    FillByScore,
    /// The first positions that did not pass, from left to right, up to the size of the step
    /// (JetEngine).
    FillInOrder,
}

/// How far below the highest score `NearBest` goes.
const NEAR: f64 = 1e-5;

impl Threshold {
    /// One threshold for all steps, which a score must reach; the surest position if none does.
    #[must_use]
    pub const fn at(at: f64) -> Self {
        Self {
            at,
            at_end: at,
            strict: false,
            fallback: Fallback::Best,
            most: 0,
            most_share: 1.0,
            share_least: 0,
            within_size: false,
        }
    }

    pub(crate) fn check(&self, steps: u32) -> Result<(), Error> {
        number("threshold.at", self.at)?;
        number("threshold.at_end", self.at_end)?;
        if !(self.most_share > 0.0 && self.most_share <= 1.0) {
            let (name, expected) = ("threshold.most_share", "above 0 and at most 1");
            return Err(Error::Argument { name, value: self.most_share, expected });
        }
        if self.fallback == Fallback::None && steps == 0 {
            let (name, expected) = ("threshold.fallback", "not None without a number of steps");
            return Err(Error::Argument { name, value: 0.0, expected });
        }
        Ok(())
    }

    /// The threshold at a step.
    fn at_step(&self, step: u32, steps: u32) -> f64 {
        match steps.saturating_sub(1) {
            0 => self.at,
            last => {
                let gone = f64::from(step.min(last)) / f64::from(last);
                self.at * (1.0 - gone) + self.at_end * gone
            }
        }
    }

    /// Moves the positions to be revealed to the front; returns how many there are. Candidates come
    /// in ascending order; a step's size is `size`.
    pub(crate) fn choose(
        &self,
        score: &Score<'_>,
        candidates: &mut [Candidate],
        size: usize,
        (step, steps): (u32, u32),
    ) -> usize {
        let mut bar = score.bar(self.at_step(step, steps));
        if self.fallback == Fallback::NearBest {
            let best = candidates.iter().map(|c| c.order).fold(f64::NEG_INFINITY, f64::max);
            bar = bar.min(score.bar(score.score(best) - NEAR));
        }
        let passes = |c: &Candidate| if self.strict { c.order > bar } else { c.order >= bar };
        let count = to_front(candidates, passes);
        let count = match self.fallback {
            Fallback::Best if count == 0 => top_k::choose(candidates, 1),
            Fallback::FillByScore if count < size => top_k::choose(candidates, size),
            Fallback::FillInOrder if count < size => {
                candidates[count..].sort_unstable_by_key(|c| c.at);
                size.min(candidates.len())
            }
            _ => count,
        };
        let share = (candidates.len() as f64 * self.most_share) as usize;
        let most = match self.most as usize {
            0 => usize::MAX,
            most => most,
        };
        // At least one, if there is any: a share of few is none.
        let most = most.min(share.max(self.share_least as usize).max(1));
        let most = if self.within_size { most.min(size) } else { most };
        if most < count { top_k::choose(&mut candidates[..count], most) } else { count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::ScoreOf;

    /// The positions that are revealed of those with these scores.
    fn chosen(rule: Threshold, scores: &[f64]) -> Vec<u32> {
        let candidate = |(at, &order): (usize, &f64)| Candidate {
            order,
            entropy: f64::NAN,
            at: at as u32,
            job: at as u32,
            stable: 0,
            belief: f64::NAN,
            committed: false,
            chosen: false,
        };
        let mut candidates: Vec<_> = scores.iter().enumerate().map(candidate).collect();
        let count = rule.choose(&Score::of(ScoreOf::External), &mut candidates, 0, (0, 0));
        let mut chosen: Vec<_> = candidates[..count].iter().map(|c| c.at).collect();
        chosen.sort_unstable();
        chosen
    }

    #[test]
    fn a_threshold_is_reached_or_exceeded() {
        let scores = [0.75, 0.5, 0.5 - f64::EPSILON, 0.5 + f64::EPSILON];
        assert_eq!(chosen(Threshold::at(0.5), &scores), [0, 1, 3]);
        assert_eq!(chosen(Threshold { strict: true, ..Threshold::at(0.5) }, &scores), [0, 3]);
    }

    #[test]
    fn a_share_is_rounded_down_but_not_to_none() {
        let scores = [0.6, 0.9, 0.7, 0.8, 0.5];
        let share = |most_share| Threshold { most_share, ..Threshold::at(0.5) };
        assert_eq!(chosen(share(0.1), &scores), [1]);
        assert_eq!(chosen(share(0.59), &scores), [1, 3]);
        assert_eq!(chosen(share(1.0), &scores), [0, 1, 2, 3, 4]);
        assert_eq!(chosen(Threshold { share_least: 3, ..share(0.1) }, &scores), [1, 2, 3]);
        assert_eq!(chosen(share(0.1), &[]), []);
    }
}
