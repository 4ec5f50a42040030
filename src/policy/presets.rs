//! Decoding rules that look at logits, under the names of the projects that use them.
//!
//! Where a project's code has a defect, the preset does what the project's paper or comments say;
//! each says so.

use super::{
    Doubt, DoubtOf, Draw, Edit, Fallback, Neighbours, Policy, Remask, RemaskRate, Replan, Score,
    ScoreOf, Settle, Stable, Threshold,
};
use crate::schedule::{Noise, Sizes, TimeGrid};
use crate::select::Select;
use crate::stop::Finish;
use crate::update::Update;

/// The last time of Dream's grid.
const DREAM_END: f64 = 1e-3;

impl<'a> Policy<'a> {
    /// The likeliest token of every position; `score` and `select` say which are revealed. Without a
    /// number of steps until `schedule.steps` says otherwise.
    const fn confident(score: ScoreOf, select: Select) -> Self {
        let mut policy = Self::first_hitting(Noise::Linear);
        policy.draw = Draw::at(0.0);
        policy.score = Score::of(score);
        policy.select = select;
        policy
    }

    const fn in_steps(mut self, steps: u32) -> Self {
        self.schedule.steps = steps;
        self
    }

    const fn with_sizes(mut self, sizes: Sizes<'a>) -> Self {
        self.schedule.sizes = sizes;
        self
    }

    /// LLaDA's low-confidence rule: the positions whose drawn tokens have the highest raw
    /// probabilities, in `steps` steps of even sizes, the larger ones first (Nie et al., arXiv
    /// 2502.09992; `generate.py`). Temperature 0; at others the confidence stays that of temperature 1,
    /// as theirs. One segment is one block.
    ///
    /// Theirs compares confidences in bfloat16, whose ties fall to the left; here they keep their
    /// order. For `remasking="random"` see [`random_order`](Self::random_order), for
    /// `confidence_eos_eot_inf` [`Score::last`].
    #[must_use]
    pub const fn llada(steps: u32) -> Self {
        Self::confident(ScoreOf::Probability, Select::TopK).in_steps(steps)
    }

    /// Dream's `maskgit_plus`: as [`llada`](Self::llada), in sizes ⌊n·(1 − s/t)⌋ of the n masks left,
    /// on times that fall from 1 to 0.001 (Ye et al., arXiv 2508.15487). Some steps may be empty, and
    /// need no network; the last takes what is left.
    ///
    /// Temperature 0. For others set `score.temperature` to that of the draw as well: Dream's
    /// confidences are those of the tempered and filtered law. (Theirs filters by top-p before top-k,
    /// and at temperature 0 too, where the law is that of temperature 1.) `alg_temp` is
    /// [`Score::gumbel`]. Theirs takes one n for all requests of a batch, its mean; here each has its
    /// own.
    #[must_use]
    pub const fn dream(steps: u32) -> Self {
        let mut policy = Self::llada(steps).with_sizes(Sizes::TimeRatio { end: DREAM_END });
        policy.score.filtered = true;
        policy
    }

    /// Dream's `topk_margin`: as [`dream`](Self::dream), by the difference of the two largest
    /// probabilities.
    #[must_use]
    pub const fn dream_margin(steps: u32) -> Self {
        let mut policy = Self::dream(steps);
        policy.score.of = ScoreOf::Margin;
        policy
    }

    /// Dream's `entropy`: as [`dream`](Self::dream), the lowest entropies first (DiffuCoder's default).
    ///
    /// llama.cpp and KLASS take the highest first, by a sign.
    #[must_use]
    pub const fn dream_entropy(steps: u32) -> Self {
        let mut policy = Self::dream(steps);
        policy.score.of = ScoreOf::NegativeEntropy;
        policy
    }

    /// Dream's `origin`: every position with probability 1 − s/t, on times that fall from 1 to 0.001,
    /// and all that are left in the last of `steps` steps, at least 2.
    #[must_use]
    pub const fn dream_origin(steps: u32) -> Self {
        let before = steps.saturating_sub(1);
        let mut policy = Self::ancestral(Noise::Linear, before);
        policy.schedule.end = 1.0 - before as f64 * (1.0 - DREAM_END) / steps as f64;
        policy.stop.finish = Finish::Sample;
        policy
    }

    /// MaskGIT: the highest ln p + τ·(1 − r)·G after a fraction r of `steps` steps, τ = 4.5, in sizes
    /// of the cosine schedule; tokens at temperature 1 (Chang et al., arXiv 2202.04200;
    /// `parallel_decode.py`).
    ///
    /// Theirs reveals all ties of the last score; here the lowest positions.
    #[must_use]
    pub const fn maskgit(steps: u32) -> Self {
        let mut policy = Self::confident(ScoreOf::LogProbability, Select::TopK)
            .in_steps(steps)
            .with_sizes(Sizes::COSINE);
        policy.draw = Draw::at(1.0);
        policy.score.gumbel = 4.5;
        policy.score.gumbel_falls = true;
        policy
    }

    /// Fast-dLLM's threshold rule: every position whose token has at least this probability, and the
    /// surest if none has (Wu et al., arXiv 2505.22618). 0.9 is theirs.
    #[must_use]
    pub const fn fast_dllm(threshold: f64) -> Self {
        Self::confident(ScoreOf::Probability, Select::Threshold(Threshold::at(threshold)))
    }

    /// Fast-dLLM's factor rule: see [`Select::Factor`]. 1 is theirs.
    ///
    /// Theirs takes the last position even if it fails, by an index that is one too far; here it must
    /// pass as any other.
    #[must_use]
    pub const fn fast_dllm_factor(factor: f64) -> Self {
        Self::confident(ScoreOf::Probability, Select::Factor(factor))
    }

    /// LLaDA2's rule, also that of SGLang's low-confidence algorithm: every position whose token has
    /// more than this probability, and the surest if none has. 0.95 is theirs.
    #[must_use]
    pub const fn llada2(threshold: f64) -> Self {
        let mut threshold = Threshold::at(threshold);
        threshold.strict = true;
        Self::confident(ScoreOf::Probability, Select::Threshold(threshold))
    }

    /// SDAR's static rule, also LMDeploy's: the highest probabilities of the tempered and filtered law,
    /// in even sizes; temperature 1. For others set `score.temperature` to that of the draw as well.
    #[must_use]
    pub const fn sdar(steps: u32) -> Self {
        let mut policy = Self::llada(steps);
        policy.draw = Draw::at(1.0);
        policy.score.filtered = true;
        policy
    }

    /// SDAR's dynamic rule: all above this probability, but at least as many as
    /// [`sdar`](Self::sdar). 0.85 is theirs.
    #[must_use]
    pub const fn sdar_dynamic(threshold: f64, steps: u32) -> Self {
        let mut threshold = Threshold::at(threshold);
        threshold.strict = true;
        threshold.fallback = Fallback::FillByScore;
        let mut policy = Self::sdar(steps);
        policy.select = Select::Threshold(threshold);
        policy
    }

    /// SDAR's sequential rule: from left to right, in even sizes; temperature 1.
    #[must_use]
    pub const fn sdar_sequential(steps: u32) -> Self {
        let mut policy = Self::sdar(steps);
        policy.select = Select::Sequential;
        policy
    }

    /// EB-Sampler: the lowest entropies, as many as have Σ H − max H within the bound (Ben-Hamu et al.,
    /// arXiv 2505.24857).
    ///
    /// SDAR's `entropy_bounded` cannot run, and d2Cache takes the maximum over the batch.
    #[must_use]
    pub const fn entropy_bound(bound: f64) -> Self {
        let select = Select::EntropyBound { bound, inclusive: false };
        Self::confident(ScoreOf::NegativeEntropy, select)
    }

    /// LocalLeap: as [`llada`](Self::llada), and the neighbours of very sure positions (Kong et al.,
    /// arXiv 2510.07081).
    #[must_use]
    pub const fn local_leap(steps: u32) -> Self {
        let select = Select::Neighbours(Neighbours::LOCAL_LEAP);
        Self::confident(ScoreOf::Probability, select).in_steps(steps)
    }

    /// dInfer's hierarchy rule, without remasking: see [`Select::Runs`] (Ma et al., arXiv 2510.08666).
    /// 0.4 and 0.9 are theirs.
    #[must_use]
    pub const fn hierarchy(low: f64, high: f64) -> Self {
        Self::confident(ScoreOf::Probability, Select::Runs { low, high })
    }

    /// dInfer's hierarchy rule with remasking: committed positions whose likeliest token has now less
    /// than `low` are candidates again, and at least one more position is revealed than there are of
    /// these. 0.4 and 0.9 are theirs.
    #[must_use]
    pub const fn hierarchy_remask(low: f64, high: f64) -> Self {
        let mut policy = Self::hierarchy(low, high);
        policy.update = Update::Doubt(Doubt { below: low, of: DoubtOf::Drawn });
        policy
    }

    /// KLASS: every position whose token has more than 0.9 and whose law has moved by less than 0.01
    /// nats in each of two steps; if there is none, as [`llada`](Self::llada) (Kim et al., arXiv
    /// 2511.05664). Each step reads the logits of the step before.
    ///
    /// Theirs takes the softmax of noisy weights for the law where the temperature is not 0, and has
    /// the entropy's sign reversed in one version; here the law is that of the logits.
    #[must_use]
    pub const fn klass(steps: u32) -> Self {
        let select = Select::Stable(Stable::KLASS);
        Self::confident(ScoreOf::Probability, select).in_steps(steps)
    }

    /// WINO: many positions are revealed, those whose tokens have more than 0.6, and at most 70 % of the
    /// masks (but 5, and no more than 20); and revealed tokens that come to have less than 0.9 become
    /// masks again (Hong et al., arXiv 2507.18578; `decoding.py`). For the rows of committed positions
    /// see [`Doubt`].
    #[must_use]
    pub const fn wino() -> Self {
        let threshold = Threshold {
            strict: true,
            most: 20,
            most_share: 0.7,
            share_least: 5,
            ..Threshold::at(0.6)
        };
        let mut policy = Self::confident(ScoreOf::Probability, Select::Threshold(threshold));
        policy.update = Update::Doubt(Doubt { below: 0.9, of: DoubtOf::Standing });
        policy
    }

    /// LLaDA2.1: as [`llada2`](Self::llada2), and a revealed token gives way to another that has more
    /// than `edit`, for at most 16 steps after the last mask. 0.95 and 0.9 are those of dLLM; SGLang's
    /// joint threshold edits from 0.
    #[must_use]
    pub const fn llada21(threshold: f64, edit: f64) -> Self {
        let mut policy = Self::llada2(threshold);
        policy.update = Update::Edit(Edit { above: edit, extra_steps: 16 });
        policy
    }

    /// P2, path planning: in step k of `steps` the ⌊N·(1 − k/K)⌋ positions of the lowest ln p are
    /// masked, of all N that the prompt does not give; that of a revealed position counts `eta` times
    /// (Peng et al., arXiv 2502.03540). Tokens at temperature 1.
    ///
    /// Theirs ranks positions by the largest of V noisy logits, normalised; here they are ranked by the
    /// probability that the token has. For another κ set `schedule.noise` ([`Sizes::Kappa`]). Open-dLLM's
    /// copy never remasks.
    #[must_use]
    pub const fn p2(eta: f64, steps: u32) -> Self {
        let mut policy = Self::confident(ScoreOf::LogProbability, Select::TopK)
            .in_steps(steps)
            .with_sizes(Sizes::Kappa);
        policy.draw = Draw::at(1.0);
        policy.update = Update::Replan(Replan { eta });
        policy
    }

    /// DiffusionGemma: at every step a token for each position, at temperatures that fall from 0.8
    /// towards 0.4; the surest whose entropies stay within 0.1 are accepted, the others get random
    /// tokens. It ends when the likeliest tokens have not changed and the mean entropy is below 0.005,
    /// and with them (`generation_diffusion_gemma.py`). 48 steps are theirs.
    #[must_use]
    pub const fn diffusion_gemma(steps: u32) -> Self {
        let select = Select::EntropyBound { bound: 0.1, inclusive: false };
        let mut policy = Self::confident(ScoreOf::NegativeEntropy, select).in_steps(steps);
        policy.draw = Draw::at(0.8);
        policy.score.temperature = 0.8;
        policy.schedule.cooling = 0.5;
        policy.update = Update::Renoise { tokens: 0 };
        policy.stop.settle = Some(Settle { steps: 1, mean_entropy: 0.005 });
        policy
    }

    /// Ancestral sampling of a uniform-state model (UDLM, Duo) in `steps` steps: see
    /// [`Update::UniformState`]. The canvas starts with random tokens
    /// ([`Canvas::randomize`](crate::Canvas::randomize)).
    #[must_use]
    pub const fn uniform_state(noise: Noise<'a>, steps: u32) -> Self {
        let mut policy = Self::ancestral(noise, steps);
        policy.update = Update::UniformState { tokens: 0 };
        policy
    }

    /// dInfer's threshold rule: every position whose token has at least this probability, or comes
    /// within 1e-5 of the surest.
    #[must_use]
    pub const fn dinfer(threshold: f64) -> Self {
        let mut threshold = Threshold::at(threshold);
        threshold.fallback = Fallback::NearBest;
        Self::confident(ScoreOf::Probability, Select::Threshold(threshold))
    }

    /// ReMDM: ancestral sampling in `steps` steps, of which each remasks committed positions (Wang et al.,
    /// arXiv 2503.00307). Theirs are `Cap(0.008)` and `Rescale(0.015)` in 1,024 steps, tokens by top-p
    /// 0.9 without the crossing one ([`NucleusEdge::Drop`](super::NucleusEdge::Drop)). The canvas needs
    /// position kinds.
    ///
    /// For their `loop` see [`remdm_loop`](Self::remdm_loop).
    #[must_use]
    pub const fn remdm(rate: RemaskRate, steps: u32) -> Self {
        let mut policy = Self::ancestral(Noise::Linear, steps);
        policy.update = Update::Remask(Remask::at(rate));
        policy
    }

    /// ReMDM-loop: [`remdm`](Self::remdm) on times that stay for a while
    /// ([`TimeGrid::remdm_loop`]), with `Cap(eta)` there and no remasking elsewhere. Theirs is 0.02.
    #[must_use]
    pub fn remdm_loop(eta: f64, times: &'a TimeGrid) -> Self {
        let (from, until) = times.plateau().unwrap_or((0.0, 0.0));
        let mut policy = Self::ancestral(Noise::Linear, times.steps()).on_times(times);
        let rate = RemaskRate::Cap(eta);
        policy.update = Update::Remask(Remask { from, until, ..Remask::at(rate) });
        policy
    }

    /// ReMDM-conf: as [`remdm`](Self::remdm), the whole of σ_max shared by confidence, those that were
    /// revealed with low probabilities first. Theirs are probabilities of the law after top-p: set
    /// `score.filtered` for these. The canvas needs position states as well.
    #[must_use]
    pub const fn remdm_confident(steps: u32) -> Self {
        let mut remask = Remask::at(RemaskRate::Rescale(1.0));
        remask.by_confidence = true;
        let mut policy = Self::ancestral(Noise::Linear, steps);
        policy.update = Update::Remask(remask);
        policy
    }

    /// Diffulex's DMax: the longest run of positions from the left whose tokens have at least this
    /// probability.
    #[must_use]
    pub const fn prefix(at: f64) -> Self {
        Self::confident(ScoreOf::Probability, Select::Prefix { at })
    }
}
