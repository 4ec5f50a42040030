//! Laws step by step, by plain enumeration: for samplers whose positions do not all have the same
//! chance to be revealed. The law is one of states, masks included.

use super::target::{Denoiser, Space, Target};

/// What a leap does with several jumps of one position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MultiJump {
    /// The first one counts.
    First,
    /// The position stays masked.
    Reject,
}

impl MultiJump {
    pub(crate) fn probability(self, jumps: f64) -> f64 {
        match self {
            Self::First => -(-jumps).exp_m1(),
            Self::Reject => jumps * (-jumps).exp(),
        }
    }
}

/// All positions masked, for certain.
pub(crate) fn all_masked(space: Space) -> Vec<f64> {
    let mut law = vec![0.0; space.states()];
    law[space.all_masked()] = 1.0;
    law
}

/// The law after a step in which each masked position of a state gets token v with the probability
/// that `moves` writes for it, independently, or stays masked.
pub(crate) fn independent_step(
    space: Space,
    before: &[f64],
    mut moves: impl FnMut(usize, usize, &mut [f64]),
) -> Vec<f64> {
    let mut after = vec![0.0; before.len()];
    for (state, &weight) in before.iter().enumerate().filter(|(_, p)| **p > 0.0) {
        add_moves(space, state, weight, &mut moves, &mut after);
    }
    after
}

fn add_moves(
    space: Space,
    state: usize,
    weight: f64,
    moves: &mut impl FnMut(usize, usize, &mut [f64]),
    after: &mut [f64],
) {
    let mut open: Vec<(usize, f64)> = vec![(state, weight)];
    let mut tokens = vec![0.0; space.vocab];
    for position in space.masked(state) {
        moves(state, position, &mut tokens);
        let stays = 1.0 - tokens.iter().sum::<f64>();
        let mut next = Vec::with_capacity(open.len() * (space.vocab + 1));
        for (reached, weight) in open {
            next.push((reached, weight * stays));
            for (token, &p) in tokens.iter().enumerate().filter(|(_, p)| **p > 0.0) {
                next.push((space.with_token(reached, position, token), weight * p));
            }
        }
        open = next;
    }
    for (reached, weight) in open {
        after[reached] += weight;
    }
}

/// The two leaps of a θ-trapezoidal step, for rates `now` at its beginning and `between` at
/// t − θ·width.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trapezoid {
    pub(crate) theta: f64,
    pub(crate) multi_jump: MultiJump,
    pub(crate) width: f64,
    pub(crate) now: f64,
    pub(crate) between: f64,
}

impl Trapezoid {
    /// The law after the step.
    pub(crate) fn step<D: Denoiser>(&self, denoiser: &D, before: &[f64]) -> Vec<f64> {
        let Self { theta, multi_jump, width, now, between } = *self;
        let space = denoiser.space();
        let first = multi_jump.probability(theta * width * now);
        let a = 1.0 / (2.0 * theta * (1.0 - theta));
        let b = ((1.0 - theta).powi(2) + theta.powi(2)) / (2.0 * theta * (1.0 - theta));
        let mut after = vec![0.0; before.len()];
        let (mut early, mut late) = (vec![0.0; space.vocab], vec![0.0; space.vocab]);
        for (state, &weight) in before.iter().enumerate().filter(|(_, p)| **p > 0.0) {
            let mut middle = vec![0.0; before.len()];
            let mut leap = |state: usize, position: usize, tokens: &mut [f64]| {
                denoiser.predict(state, position, tokens);
                tokens.iter_mut().for_each(|p| *p *= first);
            };
            add_moves(space, state, weight, &mut leap, &mut middle);
            let second = independent_step(space, &middle, |reached, position, tokens| {
                denoiser.predict(state, position, &mut early);
                denoiser.predict(reached, position, &mut late);
                for ((token, early), late) in tokens.iter_mut().zip(&early).zip(&late) {
                    *token = (a * between * late - b * now * early).max(0.0);
                }
                let rate: f64 = tokens.iter().sum();
                let share = multi_jump.probability((1.0 - theta) * width * rate) / rate;
                tokens.iter_mut().for_each(|p| *p *= if rate > 0.0 { share } else { 0.0 });
            });
            after.iter_mut().zip(second).for_each(|(after, second)| *after += second);
        }
        after
    }
}

/// The exact law of the noisy sequence in which each token is masked with probability `masked`.
pub(crate) fn noisy(target: &Target, masked: f64) -> Vec<f64> {
    let space = target.space();
    let share = |state: usize| {
        let masks = space.masked(state).count();
        masked.powi(masks as i32) * (1.0 - masked).powi((space.len - masks) as i32)
    };
    (0..space.states()).map(|state| share(state) * target.mass(state)).collect()
}

/// First-hitting of four positions in two steps of two under 1 − α = t, its laws extrapolated in time
/// from the two latest outputs.
///
/// The second step's first hit is at the time of its output, τ₃, and its second one at τ₄ < τ₃; the
/// first step's output was at τ₁. The second hit's law is (1 + y)·μ₃ − y·μ₁ where that is positive,
/// y = (τ₃ − τ₄)/(τ₁ − τ₃). The hits are four sorted uniform times, so their gaps are as independent
/// exponential variables: P(y > x) = 1/(1 + x)², that is y = u^−½ − 1 with u uniform. The law for y is
/// averaged over `points` values of u.
pub(crate) fn extrapolated_pairs<D: Denoiser>(denoiser: &D, points: usize) -> Vec<f64> {
    let space = denoiser.space();
    assert_eq!(space.len, 4, "pairs of four positions");
    let start = space.all_masked();
    let predict = |state: usize, position: usize| {
        let mut tokens = vec![0.0; space.vocab];
        denoiser.predict(state, position, &mut tokens);
        tokens
    };
    let mut law = vec![0.0; space.states()];
    for i in 0..4 {
        for j in 0..i {
            let others: Vec<usize> = (0..4).filter(|&k| k != i && k != j).collect();
            let (law_i, law_j) = (predict(start, i), predict(start, j));
            for (v, w) in (0..space.vocab).flat_map(|v| (0..space.vocab).map(move |w| (v, w))) {
                let state = space.with_token(space.with_token(start, i, v), j, w);
                let weight = law_i[v] * law_j[w] / 6.0;
                if weight == 0.0 {
                    continue;
                }
                for (first, second) in [(others[0], others[1]), (others[1], others[0])] {
                    let (now, before) = (predict(state, second), predict(start, second));
                    let mut late = vec![0.0; space.vocab];
                    for point in 0..points {
                        let y = ((point as f64 + 0.5) / points as f64).powf(-0.5) - 1.0;
                        let mixed = now
                            .iter()
                            .zip(&before)
                            .map(|(now, before)| ((1.0 + y) * now - y * before).max(0.0));
                        let total: f64 = mixed.clone().sum();
                        for (late, mixed) in late.iter_mut().zip(mixed) {
                            *late += mixed / total / points as f64;
                        }
                    }
                    for (v, p) in predict(state, first).into_iter().enumerate() {
                        for (w, q) in late.iter().enumerate() {
                            let end = space.with_token(state, first, v);
                            law[space.with_token(end, second, w)] += 0.5 * weight * p * q;
                        }
                    }
                }
            }
        }
    }
    law
}
