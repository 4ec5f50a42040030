/* demask.h - the sampling step of masked diffusion language models: logits -> tokens.
 * C99 and C++11. Contexts are independent; use each from one thread at a time.
 *
 * Calls. A call that can fail returns a demask_status; documentation names the DEMASK_ERR_ numbers
 * it can return, without the prefix. DEMASK_ERR_PANIC, a caught bug, is possible in any. Outputs
 * are written only when a call returns DEMASK_OK. Nothing is printed.
 *
 * Pointers. A pointer must be aligned to its element, which is checked, and point to as many
 * elements as its count says. (NULL, 0) is an empty array. Nothing is kept after a call but by
 * demask_create. What a call writes must not overlap anything else that it is given. No other thread
 * may touch it meanwhile, nor write what the call reads.
 *
 * Structs. A struct that may grow begins with struct_size, its size as the caller was compiled; an
 * array of structs has it beside its count. A program compiled with an older header runs with a
 * newer library: the fields it lacks are zero. With an older library too, if the fields that the
 * library does not know are zero. Fields called reserved are zero.
 *
 * Generated from src/capi by cbindgen: change it there. */

#ifndef DEMASK_H
#define DEMASK_H

#include <stddef.h>
#include <stdint.h>

// The version of this header. Before 1.0 a new minor version may break the ABI, and the name of
// the shared library changes with it.
#define DEMASK_VERSION_MAJOR 0

// See DEMASK_VERSION_MAJOR.
#define DEMASK_VERSION_MINOR 1

// See DEMASK_VERSION_MAJOR.
#define DEMASK_VERSION_PATCH 0

// The version of this header as one number that grows with it; compare it with
// demask_version_number().
#define DEMASK_VERSION_NUMBER (((DEMASK_VERSION_MAJOR << 24) | (DEMASK_VERSION_MINOR << 16)) | (DEMASK_VERSION_PATCH << 8))

// The call did its work.
#define DEMASK_OK 0

// A required pointer is NULL.
#define DEMASK_ERR_NULL 1

// A struct_size, or the size of an array's elements, is unknown to this library, or a field that
// this library does not know is not zero.
#define DEMASK_ERR_STRUCT 2

// A count, offset, stride or index does not fit its neighbours, or overflows.
#define DEMASK_ERR_SHAPE 3

// A pointer is not aligned to its element.
#define DEMASK_ERR_ALIGN 4

// A number is out of its range, NaN or not among the listed ones, or a reserved field is not
// zero.
#define DEMASK_ERR_ARGUMENT 5

// The call is larger than the context was made for, or the result than the arrays given for it.
#define DEMASK_ERR_CAPACITY 6

// The plan is not one of this canvas as it stands now: make a new one.
#define DEMASK_ERR_PLAN 7

// This CPU, or this build of the library, lacks the level asked for. Only functions that take a level.
#define DEMASK_ERR_LEVEL 8

// Not enough memory, or threads could not be started. Only functions that create something, or that need
// room to compute a result.
#define DEMASK_ERR_RESOURCES 9

// A bug in this library was caught. What the call was to write may be half written. The context
// refuses every later call with this number; destroy it.
#define DEMASK_ERR_PANIC 100

// The best level of this CPU. Results do not depend on the level, only speed does.
#define DEMASK_LEVEL_AUTO 0

// What every CPU of the target has: SSE2 on x86-64, NEON on AArch64.
#define DEMASK_LEVEL_BASELINE 1

// x86-64 with AVX2, FMA and F16C.
#define DEMASK_LEVEL_AVX2 2

// x86-64 with AVX-512 F, BW, CD, DQ and VL beside the above.
#define DEMASK_LEVEL_AVX512 3

// The most threads that a context may have.
#define DEMASK_MAX_THREADS 1024

// top_p and min_p look at the probabilities at the drawing temperature.
#define DEMASK_FILTER_AFTER_TEMPERATURE 0

// They look at those at temperature 1; the temperature acts on what is left.
#define DEMASK_FILTER_BEFORE_TEMPERATURE 1

// top_p keeps a token if those with larger logits have less than top_p of the probability.
#define DEMASK_NUCLEUS_KEEP 0

// It keeps a token if it and those with equal or larger logits have at most that, and the largest
// logit always (BD3-LM, ReMDM).
#define DEMASK_NUCLEUS_DROP 1

// Rejection under the maxima of small cells: the fastest.
#define DEMASK_METHOD_REJECTION 0

// The keyed exponential race: the law is the same, the tokens are others; the noise of a token
// depends on the key and its id alone. About three times slower.
#define DEMASK_METHOD_RACE 1

// Masked fraction t on [0, 1] (log-linear). With a parameter, epsilon, 1 - epsilon times that.
#define DEMASK_NOISE_LINEAR 0

// Masked fraction 2 sin^2(pi t/4) on [0, 1]. With a parameter, epsilon, 1 - epsilon times that.
#define DEMASK_NOISE_COSINE 1

// Masked fraction 1 - exp(-t) on [0, infinity): every token is masked at rate 1.
#define DEMASK_NOISE_UNIT_RATE 2

// Masked fraction sin^2(pi t/2) on [0, 1]. With a parameter, epsilon, 1 - epsilon times that.
#define DEMASK_NOISE_COSINE_SQUARED 3

// Masked fraction sin(pi t/2) on [0, 1], the cosine of MaskGIT and MD4.
#define DEMASK_NOISE_MASKGIT_COSINE 4

// Masked fraction 1 - exp(-sigma), sigma = sigma_min^(1 - t) sigma_max^t, on [0, 1]. The parameter
// is sigma_min, above 0; sigma_max is above that.
#define DEMASK_NOISE_GEOMETRIC 5

// Masked fraction t to the power of the parameter, above 0, on [0, 1].
#define DEMASK_NOISE_POWER 6

// Masked fraction ln(1 + t)/ln 2 on [0, 1].
#define DEMASK_NOISE_LOGARITHMIC 7

// A table of the caller, from time 0 to that of its last entry.
#define DEMASK_NOISE_TABLE 8

// The values of a table are masked fractions.
#define DEMASK_TABLE_MASKED 0

// The values of a table are natural logarithms of masked fractions.
#define DEMASK_TABLE_LOG_MASKED 1

// The positions that are hit next, at their exact first-hitting times, uniform among the masked
// ones: one if the policy has 0 steps, else as many as its sizes say.
#define DEMASK_SELECT_FIRST_HITTING 0

// Every masked position independently, with the probability of the policy's transition.
#define DEMASK_SELECT_BERNOULLI 1

// A uniformly random subset, as large as the size schedule says.
#define DEMASK_SELECT_RANDOM_ORDER 2

// As BERNOULLI, each position by one random number of its own for all steps.
#define DEMASK_SELECT_PREDRAWN_BERNOULLI 3

// As FIRST_HITTING, each position by one random number of its own, which is the masked fraction at
// its hit. A position whose row is bad is passed over, and comes again last.
#define DEMASK_SELECT_PREDRAWN_FIRST_HITTING 4

// Every masked position independently, each with the probability that its own row says: rows are
// logarithms of scores (Lou et al., arXiv 2310.16834). A plan names all masked positions.
#define DEMASK_SELECT_SCORE_BERNOULLI 5

// The first masked positions, from left to right, as many as the size schedule says; one with 0
// steps.
#define DEMASK_SELECT_SEQUENTIAL 6

// The highest scores, as many as the size schedule says; one with 0 steps. For this and all that
// follow a plan names all masked positions, and a token is drawn for each.
#define DEMASK_SELECT_TOP_K 7

// Every score that reaches `threshold`, or exceeds it if `strict` is 1. It goes linearly to
// threshold_2 at the last step, if there is a number of steps. If too few pass: `fallback`.
// At most the size of the step if within_size is 1; at most `most` positions a step, if that is not 0, and at most the fraction most_share of those that
// are masked, if that is not 0, but share_least of them.
#define DEMASK_SELECT_THRESHOLD 8

// The highest score, and the r-th highest, r from 2, while (r + 1)(1 - score) is at most
// `threshold` for it and all before it (Wu et al., arXiv 2505.22618).
#define DEMASK_SELECT_FACTOR 9

// As many of the highest scores as have entropies whose sum less their largest, or whose sum itself
// if `strict` is 1, is at most `threshold`; at least one (Ben-Hamu et al., arXiv 2505.24857).
#define DEMASK_SELECT_ENTROPY_BOUND 10

// The longest run of masked positions from the left whose scores reach `threshold`; at least one.
#define DEMASK_SELECT_PREFIX 11

// Of every run of neighbouring masks the highest score, if it exceeds threshold_2, and all scores
// that exceed `threshold`; the highest of all if that would be none.
#define DEMASK_SELECT_RUNS 12

// As TOP_K, and all scores that reach threshold_2 within `radius` positions of a chosen one that
// reaches `threshold`.
#define DEMASK_SELECT_NEIGHBOURS 13

// All scores that exceed `threshold` of positions whose law has diverged from that in the step before
// by less than threshold_2 in each of the last stable_steps steps; as TOP_K if there are none. Needs
// the states of the canvas, and the earlier logits at every step of a segment but its first (KLASS, Kim
// et al., arXiv 2511.05664).
#define DEMASK_SELECT_STABLE 14

// Nothing more is revealed.
#define DEMASK_FALLBACK_NONE 0

// The highest score, if none passes.
#define DEMASK_FALLBACK_BEST 1

// Every score within 1e-5 of the highest.
#define DEMASK_FALLBACK_NEAR_BEST 2

// The highest scores, up to the size of the step.
#define DEMASK_FALLBACK_FILL_BY_SCORE 3

// The first positions from the left, up to the size of the step.
#define DEMASK_FALLBACK_FILL_IN_ORDER 4

// A chosen position gets its drawn token, which stays.
#define DEMASK_UPDATE_REVEAL 0

// A chosen position gets its drawn token, and committed ones may become masks again, as many as the
// schedule wants masked in all (ReMDM, Wang et al., arXiv 2503.00307). For BERNOULLI with ANCESTRAL, and
// a canvas with kinds.
#define DEMASK_UPDATE_REMASK 1

// A chosen position gets its drawn token, and committed ones are doubted whose probability is below
// update_threshold: see doubt_of. For this and all that follow a plan names committed positions as
// well; for this and the next two the canvas has kinds.
#define DEMASK_UPDATE_DOUBT 2

// A chosen position gets its drawn token, and a committed one gets another that is drawn there if its
// probability exceeds update_threshold. After the last mask there are at most extra_steps steps, until
// one changes nothing.
#define DEMASK_UPDATE_EDIT 3

// All masked and committed positions compete for the places that are unmasked, as many as the sizes
// say of all of them; scores of committed ones are multiplied by update_threshold. For TOP_K, with
// sizes KAPPA, of a mask function, a list or a systematic table, without bounds (P2, Peng et al., arXiv
// 2502.03540).
#define DEMASK_UPDATE_REPLAN 4

// There are no masks: all positions that are not fixed or inactive get a token in every step, those that
// are chosen their drawn one, the others one of the first noise_tokens tokens at random (0: of the
// vocabulary). After the last step all have the likeliest tokens of that step. Needs the states of the
// canvas.
#define DEMASK_UPDATE_RENOISE 5

// There are no masks: the exact reverse step of a model whose noise is uniform among noise_tokens tokens
// (0: among the vocabulary). For BERNOULLI with ANCESTRAL (UDLM, Schiff et al., arXiv 2412.10193).
#define DEMASK_UPDATE_UNIFORM_STATE 6

// The probability of the token that stands there (WINO). A doubted position becomes a mask; but nothing
// is remasked in a step that reveals one position or none, and if as many are doubted as the step before
// revealed, or more, then one fewer than that are remasked, the least likely.
#define DEMASK_DOUBT_STANDING 0

// The probability of the token that is drawn there anew (dInfer). A doubted position counts as masked in
// this step: it gets the new token if it is chosen, and becomes a mask if not. At least one more position
// is chosen than is doubted.
#define DEMASK_DOUBT_DRAWN 1

// A committed position is remasked with probability min(remask_eta, r), r = min(1, (1 - alpha(s)) /
// alpha(t)), in a step from time t to s.
#define DEMASK_REMASK_CAP 0

// remask_eta r.
#define DEMASK_REMASK_RESCALE 1

// min((alpha(s) - alpha(t)) / alpha(t), r).
#define DEMASK_REMASK_FORWARD_BACKWARD 2

// The probability of the drawn token, in the law at score_temperature before any filter.
#define DEMASK_SCORE_PROBABILITY 0

// Its logarithm.
#define DEMASK_SCORE_LOG_PROBABILITY 1

// The difference of the two largest probabilities.
#define DEMASK_SCORE_MARGIN 2

// The entropy, negative.
#define DEMASK_SCORE_NEGATIVE_ENTROPY 3

// The largest probability, but at most that of the drawn token relative to it.
#define DEMASK_SCORE_CAPPED_PROBABILITY 4

// A uniform number of the position's own.
#define DEMASK_SCORE_RANDOM 5

// 0: what the prior adds is the score.
#define DEMASK_SCORE_EXTERNAL 6

// The divergence from the law of the step before, negative; -INFINITY in the first step. Needs the
// earlier logits at every step of a segment but its first.
#define DEMASK_SCORE_NEGATIVE_DIVERGENCE 7

// min(1, h r(t)) (Euler).
#define DEMASK_TRANSITION_EULER 0

// 1 - exp(-h r(t)): the first of several jumps counts (tau-leaping).
#define DEMASK_TRANSITION_TAU_LEAPING 1

// h r(t) exp(-h r(t)): several jumps are rejected (tau-leaping).
#define DEMASK_TRANSITION_TAU_LEAPING_REJECT 2

// The exact probability of the reverse process; with scores, the Tweedie rule.
#define DEMASK_TRANSITION_ANCESTRAL 3

// The theta-trapezoidal method, two network calls a step, the first of several jumps counts (Ren
// et al., arXiv 2502.00234). Needs the earlier logits at every second step of a segment.
#define DEMASK_TRANSITION_TRAPEZOIDAL 4

// As TRAPEZOIDAL, several jumps are rejected.
#define DEMASK_TRANSITION_TRAPEZOIDAL_REJECT 5

// Steps of one width from start to end.
#define DEMASK_GRID_UNIFORM 0

// Steps of width grid_fraction min(1, t) from time t, down to the end.
#define DEMASK_GRID_DECAYING 1

// The times of grid_times.
#define DEMASK_GRID_TIMES 2

// Masks that are left after the last step stay masked.
#define DEMASK_FINISH_NONE 0

// They are drawn at the policy's temperature, in one more step.
#define DEMASK_FINISH_SAMPLE 1

// They get their most likely token, in one more step. This biases the law.
#define DEMASK_FINISH_ARGMAX 2

// BERNOULLI with EULER: every masked position with probability min(1, h r(t)).
#define DEMASK_SAMPLER_EULER 0

// SCORE_BERNOULLI with EULER. It starts at 0.999 times the last time, since scores are 0 there.
#define DEMASK_SAMPLER_EULER_SCORE 1

// BERNOULLI with ANCESTRAL.
#define DEMASK_SAMPLER_ANCESTRAL 2

// BERNOULLI with TAU_LEAPING.
#define DEMASK_SAMPLER_TAU_LEAPING 3

// SCORE_BERNOULLI with ANCESTRAL. It starts as EULER_SCORE does.
#define DEMASK_SAMPLER_TWEEDIE 4

// BERNOULLI with TRAPEZOIDAL, theta 1/2: two network calls a step.
#define DEMASK_SAMPLER_TRAPEZOIDAL 5

// FIRST_HITTING in so many steps of even sizes.
#define DEMASK_SAMPLER_PARALLEL_HITTING 6

// The same, with laws extrapolated in time.
#define DEMASK_SAMPLER_EXTRAPOLATED_HITTING 7

// ANCESTRAL with UNIFORM_STATE: the canvas starts with random tokens, see demask_randomize.
#define DEMASK_SAMPLER_UNIFORM_STATE 8

// LLaDA's low confidence: TOP_K of PROBABILITY, even sizes.
#define DEMASK_DECODER_LLADA 0

// Dream's maskgit_plus: the same with TIME_RATIO sizes to 0.001.
#define DEMASK_DECODER_DREAM 1

// Dream's topk_margin: the same of MARGIN.
#define DEMASK_DECODER_DREAM_MARGIN 2

// Dream's entropy: the same of NEGATIVE_ENTROPY.
#define DEMASK_DECODER_DREAM_ENTROPY 3

// Dream's origin: BERNOULLI with ANCESTRAL, in so many steps, at least 2.
#define DEMASK_DECODER_DREAM_ORIGIN 4

// MaskGIT: TOP_K of LOG_PROBABILITY with noise 4.5 that falls, COSINE sizes, temperature 1.
#define DEMASK_DECODER_MASKGIT 5

// Fast-dLLM's threshold: PROBABILITY at least 0.9, BEST.
#define DEMASK_DECODER_FAST_DLLM 6

// Fast-dLLM's factor, 1.
#define DEMASK_DECODER_FAST_DLLM_FACTOR 7

// LLaDA2: PROBABILITY above 0.95, BEST.
#define DEMASK_DECODER_LLADA2 8

// SDAR's static rule: LLADA at temperature 1.
#define DEMASK_DECODER_SDAR 9

// SDAR's dynamic rule: PROBABILITY above 0.85, FILL_BY_SCORE.
#define DEMASK_DECODER_SDAR_DYNAMIC 10

// SDAR's sequential rule.
#define DEMASK_DECODER_SDAR_SEQUENTIAL 11

// EB-Sampler: ENTROPY_BOUND 0.1.
#define DEMASK_DECODER_ENTROPY_BOUND 12

// LocalLeap: LLADA and NEIGHBOURS, 0.9, 0.75 and 4 positions.
#define DEMASK_DECODER_LOCAL_LEAP 13

// dInfer's hierarchy: RUNS, 0.4 and 0.9.
#define DEMASK_DECODER_HIERARCHY 14

// dInfer's threshold: PROBABILITY at least 0.9, NEAR_BEST.
#define DEMASK_DECODER_DINFER 15

// Diffulex's DMax: PREFIX, 0.9.
#define DEMASK_DECODER_PREFIX 16

// dInfer's hierarchy with remasking: HIERARCHY and DOUBT of drawn tokens below 0.4.
#define DEMASK_DECODER_HIERARCHY_REMASK 17

// KLASS: STABLE, 0.9, 0.01 and 2 steps.
#define DEMASK_DECODER_KLASS 18

// WINO: PROBABILITY above 0.6, at most 70 % of the masks but 5, and 20; DOUBT of standing tokens
// below 0.9.
#define DEMASK_DECODER_WINO 19

// LLaDA2.1: LLADA2 and EDIT above 0.9 for 16 extra steps.
#define DEMASK_DECODER_LLADA21 20

// P2 with eta 1: REPLAN, TOP_K of LOG_PROBABILITY, sizes KAPPA, temperature 1.
#define DEMASK_DECODER_P2 21

// DiffusionGemma: RENOISE, ENTROPY_BOUND 0.1 of NEGATIVE_ENTROPY, temperatures from 0.8 towards 0.4,
// settled after 1 step with a mean entropy below 0.005.
#define DEMASK_DECODER_DIFFUSION_GEMMA 22

// ReMDM-cap: BERNOULLI with ANCESTRAL and REMASK with CAP 0.008, temperature 1, in so many steps, at
// least 1.
#define DEMASK_DECODER_REMDM 23

// ReMDM-rescale: the same with RESCALE 0.015.
#define DEMASK_DECODER_REMDM_RESCALE 24

// ReMDM-conf: the same with RESCALE 1, shared by confidence: remask_by_confidence. The canvas has states.
#define DEMASK_DECODER_REMDM_CONFIDENT 25

// Given by the user; never changed.
#define DEMASK_KIND_FIXED 0

// Still to be revealed.
#define DEMASK_KIND_MASKED 1

// Revealed by a step.
#define DEMASK_KIND_COMMITTED 2

// Not part of the sequence (padding, beyond the end).
#define DEMASK_KIND_INACTIVE 3

// 32-bit floats.
#define DEMASK_DTYPE_F32 0

// IEEE 754 half precision, 2 bytes.
#define DEMASK_DTYPE_F16 1

// bfloat16: the upper 2 bytes of a 32-bit float.
#define DEMASK_DTYPE_BF16 2

// The largest vocabulary: 2^23 tokens.
#define DEMASK_MAX_VOCAB 8388608

// The position of this row did not move. In demask_step_planned, because its row decided so.
#define DEMASK_ROW_SKIPPED 0

// A token was drawn from this row.
#define DEMASK_ROW_DRAWN 1

// The row holds NaN or +INFINITY, or no finite logit: no token was drawn from it.
#define DEMASK_ROW_BAD 2

// The committed position of this row became a mask again. Its token is the mask token.
#define DEMASK_ROW_REMASKED 3

// The position of this row got a random token, which this is.
#define DEMASK_ROW_RENOISED 4

// The token of a position.
#define DEMASK_PURPOSE_TOKEN 0

// Which masked positions of a segment are revealed (BERNOULLI). The position of the key is 0.
#define DEMASK_PURPOSE_REVEAL 1

// Which subset of a segment's masked positions is revealed. The position of the key is 0.
#define DEMASK_PURPOSE_ORDER 2

// The next first-hitting time of a segment and where it strikes. The position of the key is 0.
#define DEMASK_PURPOSE_HIT 3

// All first-hitting times of a segment at once. The position of the key is the lane.
#define DEMASK_PURPOSE_HIT_LANE 4

// The noise of every token of a position: the exponential race.
#define DEMASK_PURPOSE_RACE 5

// How many positions each step of a segment reveals, where that is random.
#define DEMASK_PURPOSE_SIZES 6

// When each position of a request is revealed, drawn once for all steps. Step and position of the key
// are 0.
#define DEMASK_PURPOSE_PREDRAWN 7

// Whether a position is revealed whose row says how likely that is.
#define DEMASK_PURPOSE_ROW_REVEAL 8

// When a position is hit, whatever the others do.
#define DEMASK_PURPOSE_HIT_POSITION 9

// The score of a position that is random.
#define DEMASK_PURPOSE_SCORE 10

// The noise that is added to the score of a position.
#define DEMASK_PURPOSE_SCORE_NOISE 11

// Which committed positions of a segment are remasked. The position of the key is 0 unless each has a
// probability of its own.
#define DEMASK_PURPOSE_REMASK 12

// What becomes of a position of a uniform-state model.
#define DEMASK_PURPOSE_ROUTE 13

// The random token of a position.
#define DEMASK_PURPOSE_NOISE_TOKEN 14

// The random token that a position starts with.
#define DEMASK_PURPOSE_FIRST_NOISE 15

// A token of the shards won.
#define DEMASK_RACE_DRAWN 1

// A shard holds NaN or +INFINITY, which makes the whole row bad.
#define DEMASK_RACE_BAD 2

// All logits of the shards are -INFINITY: the token is in another one. A row of such shards is bad.
#define DEMASK_RACE_EMPTY 3

// The block of a row that needs no second round: a bad row, or one whose token the merge has drawn
// itself.
#define DEMASK_NO_BLOCK 4294967295

// Sizes that differ by at most one, the larger ones first.
#define DEMASK_SIZES_EVEN 0

// (1 - k/K) L of L positions masked after step k of K, rounded down; at most L - k and at least
// K - k. The same holds for the next six.
#define DEMASK_SIZES_LINEAR 1

// cos(pi k/(2 K)) L: the cosine of MaskGIT (Chang et al., arXiv 2202.04200).
#define DEMASK_SIZES_COSINE 2

// (1 - (k/K)^2) L.
#define DEMASK_SIZES_SQUARE 3

// (1 - (k/K)^3) L.
#define DEMASK_SIZES_CUBIC 4

// (1 - sqrt(k/K)) L.
#define DEMASK_SIZES_SQUARE_ROOT 5

// (1 - L^(k/K - 1))/(1 - 1/L) L.
#define DEMASK_SIZES_EXPONENTIAL 6

// -ln(k/K)/ln(L) L, at most L.
#define DEMASK_SIZES_LOGARITHMIC 7

// The sizes of a table of the caller.
#define DEMASK_SIZES_TABLE 8

// n (1 - s/t) of the n masks left, rounded down, in the step from time t to s; times fall from 1 to
// sizes_parameter (of demask_policy; 0 elsewhere) in equal steps, and the last one takes all (Dream,
// Ye et al., arXiv 2508.15487).
#define DEMASK_SIZES_TIME_RATIO 9

// Sizes that differ by at most one, the larger ones last.
#define DEMASK_SIZES_EVEN_REVERSED 10

// sizes_parameter positions at every step, an integer of at least 1, and all that are left at the last
// one; without a number of steps, as many steps as it takes.
#define DEMASK_SIZES_FIXED 11

// n P of the n masks left, rounded, in the step from time t to s, P = 1 - (1 - alpha(s))/(1 - alpha(t));
// the last step takes all (dllm).
#define DEMASK_SIZES_EXPECTED 12

// A binomial number of the n masks left, of that probability.
#define DEMASK_SIZES_BINOMIAL 13

// (1 - alpha(s)) L positions masked after the step to time s, rounded down (P2). For this and the last
// two noise and times are those of the policy; elsewhere linear, from 1 to 0 in equal steps.
#define DEMASK_SIZES_KAPPA 14

// Added to LINEAR to LOGARITHMIC: rounded up.
#define DEMASK_SIZES_ROUND_UP 256

// The total correlation, w(m) = n - m for m from 1 to n - 1 and n tokens: large first steps.
#define DEMASK_WEIGHT_TC 0

// The dual total correlation, w(m) = m: large last steps.
#define DEMASK_WEIGHT_DTC 1

// The effective total correlation, w(m) = m (n - m)/n, at most the smaller of the two: large steps in the
// middle.
#define DEMASK_WEIGHT_ETC 2

// Steps that end at equal parts of the sum of sqrt(f(m - 1) - f(m)) (Lavenant and Zanella, arXiv
// 2510.25544).
#define DEMASK_PROFILE_SQUARE_ROOT 0

// The list with the least expected divergence (Chen, Cong and Li, arXiv 2511.04647).
#define DEMASK_PROFILE_OPTIMAL 1

// What draws: its memory, its threads and its level. Made by demask_create, freed by
// demask_destroy.
//
// It keeps nothing from one call for the next, no pointer and no random state. All memory is taken
// when it is made: with one thread, no later call allocates, locks, prints, reads the environment
// or makes a system call.
typedef struct demask_context demask_context;

// A noise schedule by a table. Made by demask_noise_table_create, freed by
// demask_noise_table_destroy. Calls only read it, from any number of threads at once; it must live
// as long as a struct that points to it is used.
typedef struct demask_noise_table demask_noise_table;

// Estimates the information profile of a model from its log-probabilities of known tokens (Lavenant and
// Zanella, arXiv 2510.25544). Made by demask_profile_estimator_create, freed by
// demask_profile_estimator_destroy. Use each from one thread at a time.
//
// 1. For a known sequence, choose m positions at random, mask all others, and run the network.
// 2. demask_profile_estimator_observe, with m and the log-probabilities of the true tokens of the masked
//    positions (given_log_probability of demask_row_statistics).
// 3. After many of these, demask_profile_estimator_profile, for demask_sizes_create_from_profile.
typedef struct demask_profile_estimator demask_profile_estimator;

// Merges the records of all shards, in memory that is taken when it is made: made by
// demask_shard_merge_create, freed by demask_shard_merge_destroy. Use each from one thread at a time.
typedef struct demask_shard_merge demask_shard_merge;

// The records of some rows of one shard of a vocabulary, in memory that is taken when they are made: made
// by demask_shard_records_create, freed by demask_shard_records_destroy.
//
// In a tensor-parallel engine each machine holds some columns of every logits row. It need not send them:
// a block of 256 tokens is known well enough by 32 bytes, an eighth of a byte a token. Blocks are cut
// by token id, and where the edge of a shard cuts one its logits themselves are sent. So all results
// have the same bits for any number of shards with any edges.
//
// 1. Every shard: demask_shard_records_fill; its bytes are sent to all, or to one.
// 2. All, or one: demask_shard_records_read for each shard, then demask_shard_merge_records: statistics
//    of the rows, and the block that each row's token is drawn from.
// 3. Every shard: demask_shard_tokens, for the blocks that it holds; the tokens are sent back.
// 4. All, or one: demask_shard_merge_finish: tokens, and what the statistics say of them.
//
// The law of a token is that of demask_draw without filters, but the tokens are others.
typedef struct demask_shard_records demask_shard_records;

// A table of sizes. Made by a demask_sizes_create function, freed by demask_sizes_destroy. Calls
// only read it, from any number of threads at once; it must live as long as a struct that points to
// it is used.
typedef struct demask_sizes demask_sizes;

// A time grid by its times. Made by a demask_time_grid_create function, freed by demask_time_grid_destroy.
// Calls only read it, from any number of threads at once; it must live as long as a policy that
// points to it is used.
typedef struct demask_time_grid demask_time_grid;

// What a call returns: DEMASK_OK or a DEMASK_ERR_ number. Numbers are only ever added.
//
// Unless the call says otherwise, nothing that the caller owns has been changed when it returns
// anything but DEMASK_OK.
typedef int32_t demask_status;

// What a context is made with. Call demask_options_init first, then set the fields.
typedef struct demask_options {
  // sizeof(demask_options), as the caller was compiled.
  uint32_t struct_size;
  // A DEMASK_LEVEL_ number. AUTO by default; a level that the CPU lacks is DEMASK_ERR_LEVEL.
  uint32_t level;
  // 1, the default, draws on the caller's thread. More, up to DEMASK_MAX_THREADS, make a pool
  // that the context owns; it is used where the rows are worth it. Results do not depend on it.
  uint32_t threads;
  // The most positions that the segments of one call have together, and the most tokens of one
  // demask_draw. 0 by default.
  uint32_t max_positions;
  // The most segments of one call. 1 by default.
  uint32_t max_segments;
  // The most policies of one call. 1 by default; 0 stands for max_segments.
  uint32_t max_policies;
  // The widest rows of a call, in tokens, up to DEMASK_MAX_VOCAB; 0, the default, stands for
  // 262144. Memory that no call needs is never touched.
  uint32_t max_vocab;
} demask_options;

// How a token is drawn from its row: temperature and filters. A plain value: fill it with
// demask_draw_rule_init, then change fields as wanted.
//
// The filters that are on are applied in this order, whatever the temperature does: top-k, then
// top-p over the renormalised rest, then min-p relative to the largest logit. The most likely token
// always stays.
//
// All zero but struct_size is the most likely token, without filters.
typedef struct demask_draw_rule {
  // sizeof(demask_draw_rule), as the caller was compiled.
  uint32_t struct_size;
  // Logits are divided by this: 0, or at least 1e-30; 1 by default. 0 takes the largest logit
  // (ties: the lowest id), which no filter changes; INFINITY draws uniformly among the finite
  // logits.
  float temperature;
  // Keeps the so many largest logits, exactly (ties: the lowest ids); 0, the default, keeps all.
  uint32_t top_k;
  // Keeps a token if the tokens with larger logits have less than this much probability
  // together, so that equal logits are kept or dropped together. 0 to 1; 1, the default, keeps
  // all, and 0 too.
  float top_p;
  // Keeps the tokens that are at least this times as likely as the most likely one. 0 to 1; 0,
  // the default, keeps all.
  float min_p;
  // Which probabilities top_p and min_p look at: a DEMASK_FILTER_ number.
  uint32_t filter_order;
  // Where the randomness enters: a DEMASK_METHOD_ number.
  uint32_t method;
  // What happens to the logit at which top_p is crossed: a DEMASK_NUCLEUS_ number.
  uint32_t nucleus_edge;
} demask_draw_rule;

// A decoding rule: how a token is drawn, which positions move, what happens to them, when, and
// when it ends. A plain value: fill it with a demask_policy_ function, then change fields as wanted.
typedef struct demask_policy {
  // sizeof(demask_policy), as the caller was compiled. The policies of a canvas have the size
  // that the canvas says.
  uint32_t struct_size;
  // Which positions move: a DEMASK_SELECT_ number.
  uint32_t select;
  // What happens to them: a DEMASK_UPDATE_ number.
  uint32_t update;
  // The noise schedule that relates time and masked fraction: a DEMASK_NOISE_ number. Its
  // parameters are noise_parameter, noise_sigma_max and noise_table.
  uint32_t noise;
  // How many positions random order and first-hitting reveal at each step: a DEMASK_SIZES_
  // number, with its table in sizes_table.
  uint32_t sizes;
  // What is done about masks that are left at the end: a DEMASK_FINISH_ number.
  uint32_t finish;
  // The number of steps, at least 1. First-hitting with 0 steps reveals one position after
  // another, however many there are.
  uint32_t steps;
  // Logits are divided by this: 0, or at least 1e-30. 0 takes the largest logit (ties: the
  // lowest id), INFINITY draws uniformly among the finite logits.
  float temperature;
  // As in demask_draw_rule, as are the next four; 0 in each of them filters nothing.
  uint32_t top_k;
  // See demask_draw_rule.
  float top_p;
  // See demask_draw_rule.
  float min_p;
  // A DEMASK_FILTER_ number.
  uint32_t filter_order;
  // A DEMASK_METHOD_ number.
  uint32_t method;
  // Zero.
  uint32_t reserved;
  // The time at which the time grid starts, above 0 and at most the last time of the noise
  // schedule. First-hitting starts from the log_masked of its segment instead.
  double start;
  // The time at which the time grid ends, at least 0 and below start.
  double end;
  // As `parameter` in demask_noise.
  double noise_parameter;
  // As `sigma_max` in demask_noise.
  double noise_sigma_max;
  // As `table` in demask_noise.
  const struct demask_noise_table *noise_table;
  // Zero.
  size_t noise_reserved;
  // With what probability a step of a time grid reveals a position: a DEMASK_TRANSITION_ number.
  uint32_t transition;
  // How the time grid falls: a DEMASK_GRID_ number.
  uint32_t grid;
  // 0 or 1, 1 for first-hitting alone: whether the law at each hit is extrapolated in time from
  // the two latest outputs (Zheng et al., arXiv 2409.02908). From the second step of a segment on
  // a step then needs the earlier logits.
  uint32_t extrapolate;
  // Zero.
  uint32_t reserved_2;
  // The theta of TRAPEZOIDAL, above 0 and below 1. Zero for the others.
  double theta;
  // The fraction of DECAYING, above 0 and at most 1: see demask_grid_decaying. Zero for the
  // others.
  double grid_fraction;
  // The times of TIMES. NULL for the others.
  const struct demask_time_grid *grid_times;
  // Zero.
  size_t grid_reserved;
  // The table of DEMASK_SIZES_TABLE. NULL for the others.
  const struct demask_sizes *sizes_table;
  // Zero.
  size_t sizes_reserved;
  // The parameter of TIME_RATIO or FIXED. Zero for the others.
  double sizes_parameter;
  // What orders positions, for the selections from TOP_K on: a DEMASK_SCORE_ number. Those that
  // would round to 1 are told apart; ties: the lowest position. This and all that follows is not
  // looked at by the other selections.
  uint32_t score;
  // The temperature of the law that it is of, from 1e-30 to 1e30, or INFINITY; 0 is 1.
  float score_temperature;
  // So many times a Gumbel variable of the position's own is added to every score: the highest
  // scores are then drawn without replacement, with weights exp(score/score_gumbel).
  double score_gumbel;
  // 0 or 1: whether score_gumbel is multiplied by 1 - (k + 1)/K at step k of K.
  uint32_t score_gumbel_falls;
  // How many last_tokens there are.
  uint32_t n_last_tokens;
  // Tokens whose positions come after all others; NULL without any.
  const int32_t *last_tokens;
  // Zero.
  size_t last_reserved;
  // See the DEMASK_SELECT_ numbers; zero for those that do not say what it is, as are the next five.
  double threshold;
  // See the DEMASK_SELECT_ numbers.
  double threshold_2;
  // 0 or 1, see the DEMASK_SELECT_ numbers.
  uint32_t strict;
  // A DEMASK_FALLBACK_ number.
  uint32_t fallback;
  // See THRESHOLD.
  uint32_t most;
  // See NEIGHBOURS.
  uint32_t radius;
  // A DEMASK_REMASK_ number, for REMASK; zero for REVEAL, as are the next four.
  uint32_t remask;
  // 0 or 1: whether positions share that probability by their confidence, in proportion to
  // exp(-p), p that of their token when it was revealed. Needs the states of the canvas. Masked
  // positions are then revealed as without remasking.
  uint32_t remask_by_confidence;
  // 0 to 1, see the DEMASK_REMASK_ numbers.
  double remask_eta;
  // Steps that begin at a time t with remask_until < t <= remask_from remask; INFINITY for all from
  // the start.
  double remask_from;
  // See remask_from.
  double remask_until;
  // Tokens that end a text: once one of them stands in a segment with no mask before it, the masks
  // that are left in the segment get fill_token, and are inactive. Those of fixed positions do not
  // count. NULL without any.
  const int32_t *end_tokens;
  // Zero.
  size_t end_reserved;
  // How many end_tokens there are.
  uint32_t n_end_tokens;
  // What stands after the end of a text; negative for its end token. Zero without end_tokens.
  int32_t fill_token;
  // 0 or 1: whether a score is multiplied and added to by the priors of the canvas. Scores are then
  // compared as they are.
  uint32_t score_priors;
  // Zero.
  uint32_t reserved_3;
  // See THRESHOLD: above 0 and at most 1; 0 is 1.
  double most_share;
  // See THRESHOLD.
  uint32_t share_least;
  // See STABLE.
  uint32_t stable_steps;
  // See the DEMASK_UPDATE_ numbers; zero for those that do not say what it is, as are the next four.
  double update_threshold;
  // A DEMASK_DOUBT_ number.
  uint32_t doubt_of;
  // Zero.
  uint32_t reserved_4;
  // See EDIT.
  uint32_t extra_steps;
  // See RENOISE and UNIFORM_STATE.
  uint32_t noise_tokens;
  // A segment is done, although it could go on, once so many steps in a row have changed nothing (its
  // `settled`) and its mean entropy is below settle_entropy. 0 for never.
  uint32_t settle_steps;
  // At step k of K the temperatures of the draw and of the score are multiplied by c + (1 - c)(K -
  // k)/K, where c is this; above 0, 0 is 1. 1 without a number of steps.
  float cooling;
  // In nats, in the law of the score; INFINITY for any. Zero without settle_steps.
  double settle_entropy;
  // The least size of a step, and the largest; 0 is no bound. A size is never more than the masks
  // left. Zero for REPLAN.
  uint32_t sizes_least;
  // See sizes_least.
  uint32_t sizes_most;
  // 0 or 1, see THRESHOLD.
  uint32_t within_size;
  // A DEMASK_NUCLEUS_ number.
  uint32_t nucleus_edge;
  // 0 or 1: whether a score is of the law that the filters of the draw leave.
  uint32_t score_filtered;
  // Zero.
  uint32_t reserved_5;
} demask_policy;

// What identifies the randomness of one draw. Two calls with the same key see the same random
// numbers, whoever else is in the batch, on whatever thread or level; two different keys never
// share any. This struct never grows.
typedef struct demask_key {
  // The seed of the request.
  uint64_t seed;
  // The request id: requests, or samples, of one seed differ here.
  uint64_t stream;
  // The denoising step.
  uint32_t step;
  // The position in the request, counted from its first token.
  uint32_t position;
} demask_key;

// The active window of one request: the positions from `begin` to before `end`, and the state of
// its decoding. Everything may differ between the segments of one canvas.
//
// All zero, with `begin`, `end`, `seed` and `stream` set, is the start of a decoding with
// policy 0.
typedef struct demask_segment {
  // The first position.
  uint32_t begin;
  // One past the last position.
  uint32_t end;
  // The seed of the request, see demask_key.
  uint64_t seed;
  // The id of the request, see demask_key.
  uint64_t stream;
  // How many steps have been made, below UINT32_MAX. Every step adds one.
  uint32_t step;
  // The index of the segment's policy among the policies of the canvas.
  uint32_t policy;
  // The position of `begin` within the request, for one that is decoded window by window.
  uint32_t origin;
  // How many masks the segment had at its first step, on which sizes depend. 0 is the number that
  // it has now; the next step writes it here.
  uint32_t initial_masks;
  // The natural logarithm of the masked fraction at the current time, for first-hitting: at
  // most 0, which is the start. A step that reveals something lowers it. For PREDRAWN_BERNOULLI,
  // that of the probability to be still masked. No other policy looks at it.
  double log_masked;
  // That of the masked fraction at the time of the latest network output, for extrapolating
  // policies: at most 0, which is none yet.
  double output_log_masked;
  // Set by a step: how many positions it revealed.
  uint32_t revealed;
  // Set by a step: how many steps in a row have changed nothing; where all positions are looked at
  // anew in every step, how many have left all of the likeliest tokens as they were.
  uint32_t settled;
  // Set by a step: how many steps have been made that began without a mask.
  uint32_t extra_steps;
  // Zero.
  uint32_t reserved;
  // Set by a step: the mean entropy of its rows in nats, 0 if that was not computed. At least 0.
  double mean_entropy;
} demask_segment;

// What is known of a position's token, kept by the caller from step to step; all zero at the start.
// This struct never grows.
typedef struct demask_position_state {
  // The step of its segment in which the position got its token, counted from 1; 0 if it has none
  // from a step.
  uint32_t step;
  // The token's probability in that step, in the law of the policy's score; 0 if that was not
  // computed.
  float probability;
  // Of a masked position, for how many steps in a row its law has hardly changed (STABLE); else 0.
  uint32_t stable;
  // The most likely token of the position in step `step`, where that was computed; else 0.
  int32_t argmax;
} demask_position_state;

// What is added to the logits of a token. This struct never grows.
typedef struct demask_token_bias {
  // The token, below the vocabulary.
  uint32_t token;
  // What is added: not NaN, not INFINITY.
  float bias;
} demask_token_bias;

// What is done to the logits of a call, once they are guided, before everything else: they are as
// if it had been written into them, but the rows themselves are only read. The bias is added first,
// then that of the row, then what is excluded, banned or not allowed becomes -INFINITY. The same for
// all rows but for the biases of rows and the allowed tokens.
//
// Call demask_constraints_init first, then set fields: all zero excludes token 0. All but
// `excluded` cost a pass over a copy of the row in the context's own memory.
typedef struct demask_constraints {
  // sizeof(demask_constraints), as the caller was compiled.
  uint32_t struct_size;
  // One token that is never drawn, usually the mask token; -1, the default, or any other
  // negative number for none. It may lie outside the vocabulary.
  int32_t excluded;
  // `n_banned` tokens below the vocabulary that are never drawn, in any order.
  const uint32_t *banned;
  // How many tokens are banned; 0 by default.
  size_t n_banned;
  // `n_bias` tokens with what is added to their logits. A token named twice gets both.
  const struct demask_token_bias *bias;
  // How many biases there are; 0 by default.
  size_t n_bias;
  // NULL, the default, allows all tokens. Otherwise a bit for each token of each row, as grammar
  // engines make them: token v may be drawn from row k if bit v % 32 of word
  // `k * allowed_stride + v / 32` is 1.
  const uint32_t *allowed;
  // The distance of the rows of `allowed` in words, at least vocab / 32 rounded up; 0 for one row
  // of words that serves all rows of logits.
  size_t allowed_stride;
  // NULL, the default, adds nothing row by row. Otherwise one number more than there are rows of
  // logits, ascending from 0 to `n_row_bias`: what is added to the logits of row k alone are the
  // entries of `row_bias` from `row_bias_offsets[k]` to before `row_bias_offsets[k + 1]`. Rows of a
  // step are positions of the canvas, those of a planned step the rows of the plan.
  const uint32_t *row_bias_offsets;
  // The entries of all rows, as those of `bias`; -INFINITY bans a token.
  const struct demask_token_bias *row_bias;
  // How many of these entries there are; 0 by default.
  size_t n_row_bias;
} demask_constraints;

// The tokens of a batch, and how each part of it is decoded. All memory is the caller's. A step
// changes tokens, kinds, states, and of every segment the step and the fields after `origin`, in place,
// if and only if it succeeds.
//
// Segments stand in ascending order and do not overlap. Positions outside of them are never
// touched.
typedef struct demask_canvas {
  // sizeof(demask_canvas), as the caller was compiled.
  uint32_t struct_size;
  // The token that stands for a mask. It is never drawn. A value outside the vocabulary, such as
  // -1, is fine.
  int32_t mask_token;
  // `n_positions` tokens, below 2^32.
  int32_t *tokens;
  // `n_positions` DEMASK_KIND_ numbers that say which positions are masked, or NULL: then a
  // position is masked if it holds `mask_token`.
  uint8_t *kinds;
  // How many tokens (and kinds) there are.
  size_t n_positions;
  // `n_segments` segments, `segment_size` bytes apart.
  struct demask_segment *segments;
  // How many segments there are.
  size_t n_segments;
  // `n_policies` policies, `policy_size` bytes apart. They may be shared by segments.
  const struct demask_policy *policies;
  // How many policies there are.
  size_t n_policies;
  // sizeof(demask_segment), as the caller was compiled.
  uint32_t segment_size;
  // sizeof(demask_policy), as the caller was compiled.
  uint32_t policy_size;
  // NULL, or `n_positions` states in which a step notes when a position got its token, and how likely
  // that was.
  struct demask_position_state *states;
  // NULL, or what tokens are drawn under beside that on the mask token; its `excluded` must be
  // negative. Rows of allowed tokens are those of the step's logits. Only steps look at it.
  const struct demask_constraints *constraints;
  // NULL for 1, or `n_positions` finite numbers that scores are multiplied by, for the policies with
  // score_priors.
  const float *prior_multiply;
  // NULL for 0, or as many that are added to them then.
  const float *prior_add;
} demask_canvas;

// A plan: the positions that the next step moves, chosen before the network runs. The arrays are
// the caller's; demask_plan fills them, demask_step_planned reads them.
//
// Row k of the plan is canvas position `rows[k]`. The rows of segment i are those from
// `offsets[i]` to before `offsets[i + 1]`, ascending.
typedef struct demask_plan_buffers {
  // sizeof(demask_plan_buffers), as the caller was compiled.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // Room for `rows_capacity` canvas positions: those whose logits the step needs.
  uint32_t *rows;
  // As many as there are positions in segments are always enough.
  size_t rows_capacity;
  // Room for `segments_capacity + 1` row numbers.
  uint32_t *offsets;
  // Room for `segments_capacity` step numbers: the step of each segment that was planned.
  uint32_t *steps;
  // Room for `segments_capacity` values: the log_masked of each segment after the step.
  double *log_masked;
  // Room for `segments_capacity` times, or NULL: the time at which a time-conditioned network
  // is to be evaluated for each segment (0 for one that is done).
  double *times;
  // At least the number of segments of the canvas.
  size_t segments_capacity;
  // Set by demask_plan: how many segments the canvas has.
  size_t n_segments;
  // Set by demask_plan: how many rows were planned. If 0, the network need not run, but the step
  // is still made: time passes.
  size_t n_rows;
  // Set by demask_plan: in how many segments something may still move, now or later. At 0 the
  // batch is done, and no step is to be made.
  size_t n_active;
  // NULL, or room for `segments_capacity` numbers, 0 or 1: whether the step reads the earlier
  // logits of the segment's rows.
  uint8_t *reads_earlier;
  // Set by demask_plan: the number of rows for which the step reads earlier logits. If it is not
  // 0, the logits of the step have an `earlier`.
  size_t n_earlier;
  // NULL, or room for `remasked_capacity` canvas positions: the committed ones that the step makes masks
  // again (DEMASK_UPDATE_REMASK), ascending.
  uint32_t *remasked;
  // As many as there are positions in segments are always enough. Not looked at without `remasked`.
  size_t remasked_capacity;
  // Set by demask_plan: how many positions the step makes masks again.
  size_t n_remasked;
} demask_plan_buffers;

// Rows of logits, read only. The logits of token v in row k are element
// `row_index[k] * row_stride + v` of `data` (`k * row_stride + v` without an index).
//
// -INFINITY bans a token: it is never drawn. A row with NaN, +INFINITY or no finite logit is bad:
// no token is drawn from it, and the call goes on.
typedef struct demask_logits {
  // sizeof(demask_logits), as the caller was compiled.
  uint32_t struct_size;
  // The type of an element: a DEMASK_DTYPE_ number.
  uint32_t dtype;
  // The first element of the first row, aligned to an element; 64 bytes are merely faster. May
  // be NULL if there are no rows.
  const void *data;
  // How many rows the call is to see. 0 is fine: then nothing else is looked at.
  size_t n_rows;
  // The number of tokens in a row: 1 to DEMASK_MAX_VOCAB.
  size_t vocab;
  // The distance of rows in elements, at least `vocab`.
  size_t row_stride;
  // NULL, or `n_rows` row numbers below `data_rows`: lets shifted, packed or gathered rows be
  // used without a copy. Several may be the same.
  const uint32_t *row_index;
  // How many rows `data` has, if there is a `row_index`; otherwise it has `n_rows`.
  size_t data_rows;
  // NULL, or the rows g of classifier-free guidance (unconditional): then a draw sees
  // g + guidance_scale (z - g) for each row z here (conditional) and its row of the guide, and
  // -INFINITY where z or g is. Of the same type, `n_rows` and `vocab`, and without a guide of its
  // own. Costs a pass over a copy of the row in the context's own memory.
  const struct demask_logits *guide;
  // The scale of guidance, finite: 0 draws from the guide, 1 from these logits. LLaDA's cfg_scale
  // is this less 1. Not looked at without a guide.
  float guidance_scale;
  // Zero.
  uint32_t reserved;
  // NULL, or the rows of an earlier network call, row by row: the output for the same position of
  // the segment's last step for which a plan had rows. Steps of policies that draw from two
  // outputs need them where the plan says so, nothing else looks at them, and the rows of other
  // segments may be any. Of the same type, `n_rows` and `vocab`; they may have a guide, but no
  // earlier rows of their own. Costs passes over copies of the rows in the context's own memory.
  const struct demask_logits *earlier;
  // Zero.
  size_t reserved_2;
} demask_logits;

// What a step reports. The pointers are set by the caller, the counts by the step.
typedef struct demask_step_out {
  // sizeof(demask_step_out), as the caller was compiled.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // NULL, or room for a token of each row of the logits: the one that was drawn, else -1.
  int32_t *tokens;
  // NULL, or room for a DEMASK_ROW_ number of each row of the logits.
  uint8_t *row_state;
  // In how many segments something could still move when the step was planned. At 0 the batch
  // was done before this step.
  size_t n_active;
  // How many positions got a token.
  size_t n_revealed;
  // How many positions stayed masked because their row was bad.
  size_t n_bad_rows;
  // How many positions became masks again.
  size_t n_remasked;
  // How many positions were filled, since their text has ended before them.
  size_t n_filled;
  // How many committed positions got another token.
  size_t n_edited;
  // How many positions got a random token.
  size_t n_renoised;
} demask_step_out;

// Statistics of a row's law p = softmax(logits / temperature), at the temperature of
// demask_statistics: of all tokens that the constraints leave, before any filter. Natural
// logarithms, nats.
//
// Relative errors are below 2e-6 (absolute, where a value is below 1). The same bits at every level,
// on any number of threads, in any batch. All numbers of a bad row are NaN, its argmax is -1. This
// struct never grows.
typedef struct demask_row_statistics {
  // The logarithm of the sum of exp(logit / temperature).
  double log_sum_exp;
  // The entropy of p, the sum of -p ln p. It keeps its digits where p rounds to 1.
  double entropy;
  // p of the drawn token.
  double probability;
  // ln p of the drawn token.
  double log_probability;
  // ln((1 - p) / p) of the drawn token, by a sum over all other tokens: it orders tokens by their
  // confidence (the lower, the surer) even where p rounds to 1. -INFINITY if there is no other
  // token.
  double log_others;
  // p of the most likely token less p of the next one; 0 if two logits are equally large, 1 if
  // there is only one token.
  double margin;
  // ln((1 - p) / p) of the most likely token, as log_others is of the drawn one.
  double argmax_log_others;
  // ln(1 - margin): it orders rows by their margins (the lower, the surer) even where these round
  // to 1. -INFINITY if there is only one token.
  double log_margin_gap;
  // ln p of the token that was given for this row, -INFINITY if it cannot be drawn; NaN without
  // one.
  double given_log_probability;
  // The sum of p ln(p / q), where q is the law of the row it is compared with; INFINITY where q
  // lacks a token of p, NaN without such a row or if it is bad.
  double divergence;
  // The largest logit.
  float max;
  // Its token; ties: the lowest id.
  int32_t argmax;
} demask_row_statistics;

// One of the largest logits of a row. This struct never grows.
typedef struct demask_top_token {
  // Its token; -1 if the row has no more, or is bad.
  int32_t token;
  // The logit; -INFINITY if the row has no more, or is bad.
  float logit;
} demask_top_token;

// Which statistics are wanted of the rows of a call, and where they go. Call demask_statistics_init
// first, then set fields; the arrays are the caller's.
typedef struct demask_statistics {
  // sizeof(demask_statistics), as the caller was compiled.
  uint32_t struct_size;
  // The temperature of the law that they are of, which may differ from that of the draw: from
  // 1e-30 to 1e30, or INFINITY; 1 by default.
  float temperature;
  // NULL, or a token for each row, below the vocabulary, whose probability is wanted as well.
  const uint32_t *given;
  // NULL, or rows to compare with, row by row, for the divergence: as many as the logits, of the
  // same type and vocabulary, without a guide. The constraints are applied to them as well.
  const struct demask_logits *against;
  // NULL, or room for the statistics of each row.
  struct demask_row_statistics *rows;
  // NULL, or room for the `n_top` largest logits of each row, the largest first (ties: the lowest
  // id), those of row k from `k * n_top` on.
  struct demask_top_token *top;
  // How many of the largest logits are wanted; 0 by default. Not looked at without `top`.
  size_t n_top;
  // 0 or 1: whether they are of the law that the filters of the draw leave, restricted to the tokens
  // that these keep. Not together with `against`.
  uint32_t filtered;
  // Zero.
  uint32_t reserved;
} demask_statistics;

// The token that was drawn from a row, and what is known of the row: what demask_step_rows writes and
// demask_advance reads. Plain numbers, which may be copied and sent. This struct never grows.
//
// An accelerator that draws tokens and describes rows fills records itself. Of the statistics it needs
// what the policy of the segment looks at, in the law at score_temperature (with score_filtered, of
// what the filters leave); the others may be any, NAN for example. Without a score and without any rule
// below, so for FIRST_HITTING, BERNOULLI or RANDOM_ORDER, that is nothing. Otherwise `probability`, 0
// to 1, and `argmax`, below the vocabulary, and
//
// - by the score: for PROBABILITY `log_others`, which is ln(1 - p) - ln p; for LOG_PROBABILITY
//   `log_probability`, at most 0, and `log_others`; for MARGIN `margin`, 0 to 1, and `log_margin_gap`,
//   which is ln(1 - margin); for NEGATIVE_ENTROPY `entropy`, finite and at least 0; for
//   CAPPED_PROBABILITY `log_probability` and `argmax_log_others`;
// - for NEGATIVE_DIVERGENCE and STABLE `divergence`, at least 0, NAN where it is not known;
// - for ENTROPY_BOUND and settle_entropy below INFINITY `entropy`;
// - for DEMASK_DOUBT_STANDING, at committed positions, `given_log_probability` of the token that stands
//   there, at most 0;
// - for remask_by_confidence nothing more.
//
// A record that lacks one of these, whose state is not listed, or whose token is the mask token or
// outside the vocabulary, is that of a bad row. Rows that are drawn from a mixture with earlier logits
// need no statistics. Records of rows that the step does not draw from are not looked at.
typedef struct demask_row_record {
  // The token that was drawn, below the vocabulary; -1 if none was.
  int32_t token;
  // DEMASK_ROW_DRAWN or DEMASK_ROW_BAD; or DEMASK_ROW_SKIPPED where the row decided that its position
  // stays masked, as only those of SCORE_BERNOULLI and of trapezoidal transitions do.
  uint32_t state;
  // What is known of the row.
  struct demask_row_statistics statistics;
} demask_row_record;

// What the race among the columns of one shard came to, or of several after demask_race_merge. Plain
// numbers, to be sent between machines. This struct never grows.
typedef struct demask_race_result {
  // The winner's score; -INFINITY without one.
  double score;
  // What its rounding lost.
  double score_rest;
  // The winner's id in the whole vocabulary; -1 without one. Once all shards are merged it is the
  // token of the row.
  int32_t token;
  // A DEMASK_RACE_ number.
  uint32_t state;
} demask_race_result;

// A token drawn by the shard that holds it. This struct never grows.
typedef struct demask_shard_token {
  // Its id in the whole vocabulary, or -1: the row's token is not this shard's to draw.
  int32_t token;
  // Its logit, NAN without a token.
  float logit;
} demask_shard_token;

// A noise schedule: the relation between time and the fraction of masked tokens.
typedef struct demask_noise {
  // sizeof(demask_noise), as the caller was compiled.
  uint32_t struct_size;
  // A DEMASK_NOISE_ number.
  uint32_t schedule;
  // The parameter: epsilon, at least 0 and below 1, of LINEAR, COSINE and COSINE_SQUARED;
  // sigma_min of GEOMETRIC; the exponent of POWER. Zero for the others.
  double parameter;
  // sigma_max of GEOMETRIC. Zero for the others.
  double sigma_max;
  // The table of TABLE. NULL for the others.
  const struct demask_noise_table *table;
  // Zero.
  size_t reserved;
} demask_noise;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of the library that is linked, in the form of DEMASK_VERSION_NUMBER.
uint32_t demask_version_number(void);

// The version of the library that is linked, as text ("0.1.0"): static, never NULL.
const char *demask_version_string(void);

// A short text for any status: static, never NULL.
const char *demask_status_string(demask_status status);

// The best level of this CPU, never DEMASK_LEVEL_AUTO. It does not change while a process runs.
uint32_t demask_level_detect(void);

// The name of a level, for logs: "auto", "baseline", "avx2", "avx512", or "unknown" for any other
// number. Static, never NULL.
const char *demask_level_name(uint32_t level);

// Writes the level that a context runs at, never DEMASK_LEVEL_AUTO.
demask_status demask_context_level(struct demask_context *context, uint32_t *out);

// Fills `out` with the defaults. `struct_size` is sizeof(demask_options).
//
// Errors: NULL, ALIGN, STRUCT.
demask_status demask_options_init(struct demask_options *out, size_t struct_size);

// Makes a context and writes it to `*out`. The caller owns it, and frees it with demask_destroy.
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT (an unknown level, threads outside 1 to
// DEMASK_MAX_THREADS, max_vocab above DEMASK_MAX_VOCAB), LEVEL, RESOURCES.
demask_status demask_create(const struct demask_options *options, struct demask_context **out);

// Frees a context. NULL is fine. Its threads, if it has any, end soon after.
void demask_destroy(struct demask_context *context);

// Fills `out` with the defaults: temperature 1, without filters. `struct_size` is
// sizeof(demask_draw_rule).
//
// Errors: NULL, ALIGN, STRUCT.
demask_status demask_draw_rule_init(struct demask_draw_rule *out, size_t struct_size);

// Makes a noise schedule from a table of `n` entries, at least 2, and writes it to `*out`: its
// masked fraction is linear in time between neighbours. The caller owns it, and frees it with
// demask_noise_table_destroy; `times` and `values` are copied.
//
// The first entry is time 0 and masked fraction 0 (-INFINITY as a logarithm). Times rise, values do
// not fall; later ones are above 0 and at most 1, or -700 to 0 as logarithms. `quantity`, a
// DEMASK_TABLE_ number, says what the values are.
//
// Errors: NULL, ALIGN, SHAPE (fewer than 2 entries), ARGUMENT (a time or value out of range or
// order, an unknown quantity), RESOURCES.
demask_status demask_noise_table_create(const double *times,
                                        const double *values,
                                        size_t n,
                                        uint32_t quantity,
                                        struct demask_noise_table **out);

// Frees a table. NULL is fine.
void demask_noise_table_destroy(struct demask_noise_table *table);

// Makes the time grid whose step k goes from `times[k]` to `times[k + 1]`, and writes it to `*out`:
// `n` times, at least 2, none above the one before, the first finite, the last at least 0 and below it. The
// caller owns it, and frees it with demask_time_grid_destroy; `times` are copied.
//
// A policy that uses it has as many steps, which is one less than `n`, and its first and last time
// as start and end.
//
// Errors: NULL, ALIGN, SHAPE (fewer than 2 times), ARGUMENT (a time out of range or order),
// RESOURCES.
demask_status demask_time_grid_create(const double *times,
                                      size_t n,
                                      struct demask_time_grid **out);

// Makes the time grid of ReMDM-loop in `steps` steps, at least 2, for DEMASK_NOISE_LINEAR (Wang et al.,
// arXiv 2503.00307): of a clock that falls evenly from 1 to 0, alpha rises to `alpha_on` until the clock
// shows `on`, stays there until it shows `off`, and then rises to 1. Theirs are 0.55, 0.05 and 0.9. It is
// owned and freed as that of demask_time_grid_create; demask_policy_remdm_loop makes a policy of it.
//
// Errors: NULL, ALIGN, SHAPE (2^31 steps or more), ARGUMENT (fewer than 2; not 0 < `off` < `on` < 1,
// `alpha_on` not between 0 and 1), RESOURCES.
demask_status demask_time_grid_create_remdm_loop(uint32_t steps,
                                                 double on,
                                                 double off,
                                                 double alpha_on,
                                                 struct demask_time_grid **out);

// Writes the number of steps of a time grid, its first and largest time, and its last one: what steps,
// start and end of a policy that uses it are.
//
// Errors: NULL, ALIGN.
demask_status demask_time_grid_shape(const struct demask_time_grid *grid,
                                     uint32_t *steps,
                                     double *start,
                                     double *end);

// Frees a time grid. NULL is fine.
void demask_time_grid_destroy(struct demask_time_grid *grid);

// Writes the fraction of the decaying grid that goes from `start` to `end` in `steps` steps, for
// grid_fraction of a policy whose start and end these are.
//
// Errors: NULL, ALIGN, ARGUMENT (`end` not above 0, `start` not finite and above `end`, or too few
// steps, each of which goes down by 1 at most).
demask_status demask_grid_decaying(double start, double end, uint32_t steps, double *out);

// Checks every field of a policy, as every call that takes one does.
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT, SHAPE (other steps than those of its times or of its table).
demask_status demask_policy_check(const struct demask_policy *policy);

// Writes the time at the beginning of step `step` of a policy's time grid: `start` for step 0,
// `end` for step `steps` and any later one.
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT (also for first-hitting, which has no grid), SHAPE (other steps
// than those of its times or of its table).
demask_status demask_policy_grid_time(const struct demask_policy *policy,
                                      uint32_t step,
                                      double *out);

// Writes how many positions step `step` of a segment reveals by the sizes of a policy, between sizes_least
// and sizes_most, as a plan takes them: the segment had `initial` masks at its first step, and has `left`
// now. 0 when the steps are used up; 1, or what FIXED says, for a policy without a number of steps. The
// randomness is that of `key`, the key of the segment's first position, whose step is not looked at.
//
// What demask_sizes_draw has no parameter for, FIXED, TIME_RATIO, and the noise and times of a policy, is
// found here step by step: the sum of the sizes so far is what `left` is less than `initial`.
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT, SHAPE (masks or steps that the table does not serve, `left`
// above `initial`).
demask_status demask_policy_size(const struct demask_policy *policy,
                                 uint32_t initial,
                                 uint32_t left,
                                 uint32_t step,
                                 const struct demask_key *key,
                                 uint32_t *out);

// Fills `out` with first-hitting: one position at a time, at its exact first-hitting time. The law
// of the output has no error but the denoiser's (Zheng et al., arXiv 2409.02908). Temperature 1.
// `noise` is a DEMASK_NOISE_ number that needs no parameter, `struct_size` is
// sizeof(demask_policy). For other schedules, make the policy with DEMASK_NOISE_LINEAR and set
// its fields.
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT.
demask_status demask_policy_first_hitting(uint32_t noise,
                                          struct demask_policy *out,
                                          size_t struct_size);

// Fills `out` with the Euler method on a uniform time grid of `steps` steps, at least 1, from the
// last time of the noise schedule (16 for the unit rate) to 0: every masked position is revealed
// with probability min(1, h r(t)), independently (Lou et al., arXiv 2310.16834). Temperature 1,
// DEMASK_FINISH_NONE. `noise` is as for demask_policy_first_hitting, `struct_size` is
// sizeof(demask_policy).
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT.
demask_status demask_policy_euler(uint32_t noise,
                                  uint32_t steps,
                                  struct demask_policy *out,
                                  size_t struct_size);

// Fills `out` with the decoding rule of a project, at its own parameters: a DEMASK_DECODER_ number says
// which. Temperature 0 unless that says otherwise. `steps` is the number of steps of a segment; 0 is
// one position a step, or as many steps as thresholds, factors and bounds need. `struct_size` is
// sizeof(demask_policy).
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT.
demask_status demask_policy_decoder(uint32_t decoder,
                                    uint32_t steps,
                                    struct demask_policy *out,
                                    size_t struct_size);

// Fills `out` with ReMDM-loop (Wang et al., arXiv 2503.00307): as DEMASK_DECODER_REMDM, on `times`, with
// CAP `eta`, 0 to 1, while they stay, and no remasking elsewhere. Theirs are 0.02 and the times of
// demask_time_grid_create_remdm_loop. The policy points to `times`, which must outlive it.
// `struct_size` is sizeof(demask_policy).
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT.
demask_status demask_policy_remdm_loop(double eta,
                                       const struct demask_time_grid *times,
                                       struct demask_policy *out,
                                       size_t struct_size);

// Fills `out` with a preset that takes the number of steps, at least 1, of a uniform time grid from
// the last time of the noise schedule (16 for the unit rate) to 0: a DEMASK_SAMPLER_ number says
// which. `noise` is as for demask_policy_first_hitting, `struct_size` is sizeof(demask_policy).
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT.
demask_status demask_policy_sampler(uint32_t sampler,
                                    uint32_t noise,
                                    uint32_t steps,
                                    struct demask_policy *out,
                                    size_t struct_size);

// Fills `out` with a uniformly random order in `steps` steps, at least 1, whose sizes differ by at
// most one, the larger ones first. Temperature 1. `struct_size` is sizeof(demask_policy).
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT.
demask_status demask_policy_random_order(uint32_t steps,
                                         struct demask_policy *out,
                                         size_t struct_size);

// Gives every position of a segment that is masked or committed (without kinds, every position of a
// segment) a random token, uniform among the first `tokens` ids, at least 1: what decoding without masks
// starts from (RENOISE, UNIFORM_STATE). Keyed by seed, stream, step and position, as all draws are.
//
// Errors: NULL, STRUCT, SHAPE (also for `tokens`), ALIGN, ARGUMENT, CAPACITY.
demask_status demask_randomize(struct demask_context *context,
                               const struct demask_canvas *canvas,
                               uint32_t tokens);

// Chooses the positions that the next step moves, without looking at logits. The canvas is not
// changed, and planning again gives the same plan: the choice depends on the seed, stream, step,
// policy and masks of each segment alone.
//
// Errors: NULL, STRUCT, SHAPE, ALIGN, ARGUMENT, CAPACITY.
demask_status demask_plan(struct demask_context *context,
                          const struct demask_canvas *canvas,
                          struct demask_plan_buffers *plan);

// Makes the step that `plan` chose: draws a token for each of its rows that moves and writes it,
// then advances every segment by one step. Row k of `logits` belongs to canvas position
// `plan->rows[k]`. `logits` may be NULL if the plan has no rows; `out` may be NULL.
//
// A bad row leaves its position masked. The log_masked of a first-hitting segment then stands still,
// unless other rows of its step were good.
//
// Errors: NULL, STRUCT, SHAPE (also where the plan reads earlier logits and there are none), ALIGN,
// ARGUMENT, CAPACITY, PLAN (not a plan of this canvas, or the
// canvas has changed since).
demask_status demask_step_planned(struct demask_context *context,
                                  const struct demask_canvas *canvas,
                                  const struct demask_plan_buffers *plan,
                                  const struct demask_logits *logits,
                                  struct demask_step_out *out);

// Plans and makes a step in one call, for a client that has the logits of all positions: row i of
// `logits` belongs to canvas position i. `out` may be NULL.
//
// A bad row leaves its position masked.
//
// Errors: NULL, STRUCT, SHAPE, ALIGN, ARGUMENT, CAPACITY.
demask_status demask_step(struct demask_context *context,
                          const struct demask_canvas *canvas,
                          const struct demask_logits *logits,
                          struct demask_step_out *out);

// Fills `out` with no constraints at all. `struct_size` is sizeof(demask_constraints).
//
// Errors: NULL, ALIGN, STRUCT.
demask_status demask_constraints_init(struct demask_constraints *out, size_t struct_size);

// Draws `n_draws` tokens for each row of `logits`, independently: the categorical law
// softmax(logits / temperature) of the tokens that `constraints` and the filters of `rule` leave.
//
// `constraints` may be NULL: none. `keys` has `n_keys` keys, one for each row. `n_draws` is at
// least 1; draw j of a row is the same however many are asked for. `tokens` gets
// `n_keys * n_draws` tokens, those of row k from `k * n_draws` on, -1 for a bad row; they are at
// most max_positions of the context. `row_state` is NULL, or gets `n_keys` DEMASK_ROW_ numbers,
// DRAWN or BAD.
//
// Errors: NULL, STRUCT, SHAPE, ALIGN, ARGUMENT (`rule`, a bias or the guidance_scale out of range,
// no draws), CAPACITY (more tokens than max_positions, rows wider than max_vocab).
demask_status demask_draw(struct demask_context *context,
                          const struct demask_logits *logits,
                          const struct demask_draw_rule *rule,
                          const struct demask_constraints *constraints,
                          const struct demask_key *keys,
                          size_t n_keys,
                          size_t n_draws,
                          int32_t *tokens,
                          uint8_t *row_state);

// Writes to `out` the four words of the state that the generator of a key begins with for a purpose, a
// DEMASK_PURPOSE_ number: that of xoshiro256++ (Blackman and Vigna, ACM TOMS 47, 2021). No two keys, and
// no two purposes of one, share a state. A client that makes random numbers of its own, on an
// accelerator for one, has them keyed as those of the library are.
//
// Errors: NULL, ALIGN, ARGUMENT (an unknown purpose).
demask_status demask_key_state(const struct demask_key *key,
                               uint32_t purpose,
                               uint64_t *out);

// Fills `out` with the defaults: temperature 1, and nowhere to write. `struct_size` is
// sizeof(demask_statistics).
//
// Errors: NULL, ALIGN, STRUCT.
demask_status demask_statistics_init(struct demask_statistics *out, size_t struct_size);

// Draws a token for each row of `logits` as demask_draw does, the same ones, and writes statistics
// of the rows to the arrays that `statistics` names.
//
// `statistics` is required; the other arguments are those of demask_draw with one draw a row:
// `constraints` may be NULL, `keys` has a key for each row, `tokens` gets `n_keys` tokens,
// `row_state` is NULL or gets as many DEMASK_ROW_ numbers. At temperature 0 of `rule` and 1 of
// `statistics` the probability is the confidence of the most likely token.
//
// Errors: those of demask_draw, also for the arrays of `statistics` and what they must fit.
demask_status demask_draw_statistics(struct demask_context *context,
                                     const struct demask_logits *logits,
                                     const struct demask_draw_rule *rule,
                                     const struct demask_constraints *constraints,
                                     const struct demask_key *keys,
                                     size_t n_keys,
                                     const struct demask_statistics *statistics,
                                     int32_t *tokens,
                                     uint8_t *row_state);

// The first half of a step: draws from rows `first` and following of the plan, as many as `logits` has,
// and describes them where their policies look at that. Row j of `logits`, and of constraints by row,
// belongs to canvas position `plan->rows[first + j]`. `records` gets `logits->n_rows` records.
//
// Canvas, plan and logits are only read: threads of the caller, each with a context of its own, may draw
// ranges of one step at the same time. Each of these contexts must be large enough for the segments and
// policies of the whole canvas. demask_advance makes the step of the records of all ranges; together they
// are demask_step_planned, bit for bit.
//
// Errors: NULL, STRUCT, SHAPE (a range that ends after the rows of the plan; no earlier logits where
// the plan reads them for a row of the range), ALIGN, ARGUMENT, CAPACITY, PLAN.
demask_status demask_step_rows(struct demask_context *context,
                               const struct demask_canvas *canvas,
                               const struct demask_plan_buffers *plan,
                               const struct demask_logits *logits,
                               size_t first,
                               struct demask_row_record *records);

// The second half of a step: makes the step that `plan` chose of `n_records` records, one for each of
// its rows, by demask_step_rows or by an accelerator. `vocab` is the size of the vocabulary, 1 to
// DEMASK_MAX_VOCAB; it is not looked at if there are no rows. `out` may be NULL; its arrays have room
// for `n_records` rows.
//
// What becomes of a bad row is what demask_step_planned says, and a record that does not say what its
// position needs is that of a bad row.
//
// Errors: NULL, STRUCT, SHAPE (another number of records than the plan's rows, `vocab`), ALIGN,
// ARGUMENT, CAPACITY, PLAN.
demask_status demask_advance(struct demask_context *context,
                             const struct demask_canvas *canvas,
                             const struct demask_plan_buffers *plan,
                             size_t vocab,
                             const struct demask_row_record *records,
                             size_t n_records,
                             struct demask_step_out *out);

// Races among the columns of one vocabulary shard: row k of `logits` holds the logits of the tokens
// from `offset` on, as many as its `vocab`. The results of all shards of a row, merged in any order,
// are what demask_draw draws from the whole row, to the last bit, wherever the row is cut: a
// tensor-parallel engine sends 24 bytes a row and shard.
//
// The method of `rule` is DEMASK_METHOD_RACE, without filters, since these need the whole row. Its
// `constraints`, NULL or the same for every shard, count tokens from the beginning of the vocabulary;
// ids that lie in other shards are passed over. `keys` has a key for each row, and `results` gets as
// many results. At temperature 0 they are the largest logits.
//
// Errors: NULL, STRUCT, SHAPE (also for offset + vocab above DEMASK_MAX_VOCAB), ALIGN, ARGUMENT (another
// method, a filter, a number out of its range), CAPACITY.
demask_status demask_race_shard(struct demask_context *context,
                                const struct demask_logits *logits,
                                size_t offset,
                                const struct demask_draw_rule *rule,
                                const struct demask_constraints *constraints,
                                const struct demask_key *keys,
                                size_t n_keys,
                                struct demask_race_result *results);

// Merges the results of other shards into `results`, row by row, `n` of each: `results[k]` becomes that of
// both, the larger score, ties to the lowest id, bad if one is. Merging is associative and commutative,
// to the last bit, so any order or tree of merges gives the same.
//
// Errors: NULL, ALIGN, SHAPE, ARGUMENT (a state that is not listed, a winner without a token or score).
demask_status demask_race_merge(struct demask_race_result *results,
                                const struct demask_race_result *others,
                                size_t n);

// Makes room for the records of `n_rows` rows of `width` columns, about n_rows (width / 8 + 2 kB) bytes,
// and writes it to `*out`. The caller owns it, and frees it with demask_shard_records_destroy. It holds
// no records yet.
//
// Errors: NULL, ALIGN, SHAPE (`width` above DEMASK_MAX_VOCAB), RESOURCES.
demask_status demask_shard_records_create(size_t n_rows,
                                          size_t width,
                                          struct demask_shard_records **out);

// Frees records. NULL is fine.
void demask_shard_records_destroy(struct demask_shard_records *records);

// Computes the records of rows of which only the columns of one shard are here: `logits` holds the
// tokens from `offset` on, as many as its own `vocab`, of a vocabulary of `vocab` tokens, at most
// DEMASK_MAX_VOCAB. `temperature` is that of the law, from 1e-30 to 1e30, or INFINITY.
//
// `constraints`, NULL or the same for every shard, count tokens from the beginning of the vocabulary.
// `given` is NULL, or has a token for each row, the same for every shard, whose log-probability is
// wanted as well; a negative one stands for none.
//
// Errors: NULL, STRUCT, SHAPE (a shard that does not lie in the vocabulary, a given token past it), ALIGN,
// ARGUMENT, CAPACITY (rows wider than max_vocab of the context, or more than `records` was made for).
demask_status demask_shard_records_fill(struct demask_context *context,
                                        const struct demask_logits *logits,
                                        size_t offset,
                                        size_t vocab,
                                        float temperature,
                                        const struct demask_constraints *constraints,
                                        const int32_t *given,
                                        struct demask_shard_records *records);

// Writes where the bytes of records are and how many there are, to be sent to machines of the same byte
// order: none before records are filled or read. They belong to `records`, and stand there until these
// are filled, read or freed.
//
// Errors: NULL, ALIGN.
demask_status demask_shard_records_bytes(const struct demask_shard_records *records,
                                         const uint8_t **bytes,
                                         size_t *n_bytes);

// Writes of how many rows records are: 0 before they are filled or read.
//
// Errors: NULL, ALIGN.
demask_status demask_shard_records_rows(const struct demask_shard_records *records, size_t *n_rows);

// Takes over the bytes of another machine's records, which need not be aligned.
//
// Errors: NULL, ALIGN, SHAPE (bytes that are not those of records), ARGUMENT, CAPACITY (more than
// `records` was made for).
demask_status demask_shard_records_read(struct demask_shard_records *records,
                                        const uint8_t *bytes,
                                        size_t n_bytes);

// Draws the tokens of the rows whose block, as demask_shard_merge_records wrote it, lies in this shard:
// with the same logits, offset, vocabulary, temperature and constraints as demask_shard_records_fill, and
// with the keys of the merge. `keys` and `blocks` have `n_keys` entries, one for each row, and `tokens`
// gets as many; -1 where the token is not this shard's to draw.
//
// Errors: those of demask_shard_records_fill.
demask_status demask_shard_tokens(struct demask_context *context,
                                  const struct demask_logits *logits,
                                  size_t offset,
                                  size_t vocab,
                                  float temperature,
                                  const struct demask_constraints *constraints,
                                  const struct demask_key *keys,
                                  size_t n_keys,
                                  const uint32_t *blocks,
                                  struct demask_shard_token *tokens);

// Makes what merges the records of up to `n_rows` rows of up to `vocab` tokens, and writes it to `*out`.
// The caller owns it, and frees it with demask_shard_merge_destroy. `level` is a DEMASK_LEVEL_ number,
// which does not change results.
//
// Errors: NULL, ALIGN, SHAPE (`vocab` above DEMASK_MAX_VOCAB), ARGUMENT, LEVEL, RESOURCES.
demask_status demask_shard_merge_create(uint32_t level,
                                        size_t n_rows,
                                        size_t vocab,
                                        struct demask_shard_merge **out);

// Frees it. NULL is fine.
void demask_shard_merge_destroy(struct demask_shard_merge *merge);

// Merges the records of all `n_shards` shards, in the order of their offsets: statistics of the law
// softmax(logits / temperature) of each row, and with keys the block that its token is drawn from.
//
// `keys` has `n_keys` keys: one for each row, or none, and then there is no draw. `statistics` is NULL, or
// room for those of `n_rows` rows, as many as the records have; of them `probability`,
// `log_probability` and `log_others` belong to the drawn token and are NAN until
// demask_shard_merge_finish, and `divergence` is NAN. `blocks` is NULL, or gets `n_keys` numbers, for
// demask_shard_tokens.
//
// Errors: NULL, ALIGN, SHAPE (shards that leave a gap, overlap, or do not begin at token 0 or reach the
// end of the vocabulary, or that differ in rows or vocabulary; `n_rows` or `n_keys`), ARGUMENT
// (temperatures that differ), CAPACITY.
demask_status demask_shard_merge_records(struct demask_shard_merge *merge,
                                         const struct demask_shard_records *const *shards,
                                         size_t n_shards,
                                         const struct demask_key *keys,
                                         size_t n_keys,
                                         size_t n_rows,
                                         struct demask_row_statistics *statistics,
                                         uint32_t *blocks);

// Takes the tokens that all shards drew: those of shard s from `s * n_rows` on, in any order of shards.
// `tokens` gets `n_rows` tokens, as many as the merge had, -1 for a bad row; `row_state` is NULL, or gets
// as many DEMASK_ROW_ numbers, DRAWN or BAD; `statistics` is NULL, or gets those of the rows, complete. A
// later call with the right tokens succeeds.
//
// Errors: NULL, ALIGN, SHAPE (another `n_rows`, a merge without keys, a token that is not in its block),
// ARGUMENT (a row whose token no shard drew, a logit that is not finite).
demask_status demask_shard_merge_finish(struct demask_shard_merge *merge,
                                        const struct demask_shard_token *shard_tokens,
                                        size_t n_shards,
                                        size_t n_rows,
                                        int32_t *tokens,
                                        uint8_t *row_state,
                                        struct demask_row_statistics *statistics);

// Writes the last time of a noise schedule, at which all is masked, or nearly: 1, INFINITY for
// UNIT_RATE, or that of the last entry of a table.
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range).
demask_status demask_noise_last_time(const struct demask_noise *noise, double *out);

// Writes the time at which a grid starts by default: the last time, or 16 for UNIT_RATE, where a
// fraction of 1e-7 is still clean.
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range).
demask_status demask_noise_horizon(const struct demask_noise *noise, double *out);

// Writes alpha(t), the probability that a token is clean at time `t`: 1 at time 0 (but for
// GEOMETRIC) and falling to the last time, which is 1, INFINITY for UNIT_RATE, or that of the last
// entry of a table.
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `t` outside
// 0 to the last time).
demask_status demask_noise_alpha(const struct demask_noise *noise, double t, double *out);

// Writes ln(1 - alpha(t)), the natural logarithm of the masked fraction: -INFINITY at time 0 (but
// for GEOMETRIC), and 0 where all is masked.
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `t` outside
// 0 to the last time).
demask_status demask_noise_log_masked(const struct demask_noise *noise, double t, double *out);

// Writes the time at which ln(1 - alpha) is `log_masked`, at most 0: the last time for a value
// above that of the last time, 0 for one below that of time 0.
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `log_masked`
// above 0).
demask_status demask_noise_time(const struct demask_noise *noise, double log_masked, double *out);

// demask_noise_time of `n` values at once, for first-hitting events.
//
// Errors: NULL, ALIGN, SHAPE, STRUCT, ARGUMENT (a parameter of the schedule out of its range, a
// `log_masked` above 0 or NaN).
demask_status demask_noise_times(const struct demask_noise *noise,
                                 const double *log_masked,
                                 double *times,
                                 size_t n);

// Writes -alpha'(t)/(1 - alpha(t)), the rate at which a masked position is revealed when time runs
// backwards at `t`: INFINITY at time 0 (but for GEOMETRIC). At an entry of a table, it is the rate
// before that entry.
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `t` outside
// 0 to the last time).
demask_status demask_noise_rate(const struct demask_noise *noise, double t, double *out);

// Writes alpha(t)/(1 - alpha(t)), the sum over tokens of the exact score of a masked position at
// time `t`. A network's scores sum to something else: its Euler, tau-leaping and Tweedie steps
// reveal with the probabilities below times (its sum)/(this sum).
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `t` outside
// 0 to the last time).
demask_status demask_noise_score_sum(const struct demask_noise *noise, double t, double *out);

// Writes the probability (alpha(s) - alpha(t))/(1 - alpha(t)) that a position masked at time `t` is
// clean at the earlier time `s`: that of an ancestral step, and of a Tweedie step with exact scores.
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `t` not above
// 0 or past the last time, `s` outside 0 to `t`).
demask_status demask_noise_reveal_probability(const struct demask_noise *noise,
                                              double t,
                                              double s,
                                              double *out);

// Writes h rate(t), the expected number of jumps of a masked position in a step of width `h` from
// time `t`, its rate held fixed: 0 if `h` is 0.
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `t` not
// above 0 or past the last time, `h` outside 0 to `t` or INFINITY).
demask_status demask_noise_expected_jumps(const struct demask_noise *noise,
                                          double t,
                                          double h,
                                          double *out);

// Writes min(1, h rate(t)), the probability with which the Euler method reveals a masked position in
// a step of width `h` from time `t`: exactly 1 for a linear step that ends at time 0.
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `t` not
// above 0 or past the last time, `h` outside 0 to `t` or INFINITY).
demask_status demask_noise_euler_probability(const struct demask_noise *noise,
                                             double t,
                                             double h,
                                             double *out);

// Writes 1 - exp(-h rate(t)), the probability with which tau-leaping reveals a masked position in a
// step of width `h` from time `t`, if the first of several jumps counts.
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `t` not
// above 0 or past the last time, `h` outside 0 to `t` or INFINITY).
demask_status demask_noise_tau_first_jump_probability(const struct demask_noise *noise,
                                                      double t,
                                                      double h,
                                                      double *out);

// Writes h rate(t) exp(-h rate(t)), the probability with which tau-leaping reveals a masked position
// in a step of width `h` from time `t`, if several jumps are rejected. At most 1/e.
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, `t` not
// above 0 or past the last time, `h` outside 0 to `t` or INFINITY).
demask_status demask_noise_tau_reject_probability(const struct demask_noise *noise,
                                                  double t,
                                                  double h,
                                                  double *out);

// Writes the probability with which a step of a policy from time `t` to `s` reveals a masked position,
// by the outputs of a denoiser; of TRAPEZOIDAL and TRAPEZOIDAL_REJECT, that of the first of its two
// leaps. `transition` is a DEMASK_TRANSITION_ number; `theta` is above 0 and below 1 for these two, and
// 0 for the others.
//
// Errors: NULL, ALIGN, STRUCT, ARGUMENT (a parameter of the schedule out of its range, an unknown
// transition, `theta`, `t` not above 0 or past the last time, `s` outside 0 to `t`; `t` INFINITY but for
// ANCESTRAL).
demask_status demask_noise_transition_probability(const struct demask_noise *noise,
                                                  uint32_t transition,
                                                  double theta,
                                                  double t,
                                                  double s,
                                                  double *out);

// Writes how many of `masks` masked positions a step reveals by even sizes when `steps_left` steps
// are left, this one included: all with one step left, 0 with none.
//
// Errors: NULL, ALIGN.
demask_status demask_sizes_even(uint32_t masks, uint32_t steps_left, uint32_t *out);

// The next first-hitting event of each of `n` sequences, as a plan makes it for a segment: changes
// ln(1 - alpha) in `log_masked`, at most 0, to its value at the next reveal. demask_noise_time
// turns it into a time.
//
// Sequence i has `masks[i]` masked positions; with none the next reveal never comes, and
// `log_masked[i]` becomes -INFINITY. Its randomness is `keys[i]`, of which the position is 0 in a
// plan.
//
// Errors: NULL, SHAPE, ALIGN, ARGUMENT (a `log_masked` above 0 or NaN).
demask_status demask_hitting_times_next(const struct demask_key *keys,
                                        const uint32_t *masks,
                                        double *log_masked,
                                        size_t n);

// All first-hitting events of one sequence with `n` masked positions, in order: writes
// ln(1 - alpha) at each to `events`, never increasing, from the present value `log_masked`, at
// most 0. The randomness is `key`, whose position is not looked at. Much faster than
// demask_hitting_times_next, with other values of the same law to the precision of 32-bit floats.
//
// Errors: NULL, SHAPE, ALIGN, ARGUMENT (`log_masked` above 0 or NaN).
demask_status demask_hitting_times_all(struct demask_context *context,
                                       const struct demask_key *key,
                                       double log_masked,
                                       double *events,
                                       size_t n);

// When each of `n` positions of a sequence is hit, whatever the others do: writes ln(1 - alpha) then
// to `events`, from the present value `log_masked`, at most 0. `events[i]` belongs to
// `positions[i]`, which takes the place of the key's position, and depends on no other. A step from
// time t to s reveals the positions for which it lies between the values of s and t.
//
// Errors: NULL, SHAPE, ALIGN, ARGUMENT (`log_masked` above 0 or NaN).
demask_status demask_hitting_times_of_positions(struct demask_context *context,
                                                const struct demask_key *key,
                                                double log_masked,
                                                const uint32_t *positions,
                                                double *events,
                                                size_t n);

// Makes a table of `n` sizes, each at least 1, and writes it to `*out`. It serves segments that
// start with as many masks as their sum, under policies of `n` steps. The caller owns it, and frees
// it with demask_sizes_destroy; `sizes` are copied.
//
// Errors: NULL, ALIGN, SHAPE (no size, a size of 0, a sum of 2^32 or more), RESOURCES.
demask_status demask_sizes_create_list(const uint32_t *sizes, size_t n, struct demask_sizes **out);

// Makes the list of Chen, Cong and Li (arXiv 2511.04647, appendix D): for `weight` TC every step
// reveals a share of 1/zeta of what is left, rounded down, at least 1; for DTC it is that list in
// reverse order. The expected divergence is at most the weight's correlation over zeta - 1. How many
// steps it has demask_sizes_shape tells.
//
// Errors: NULL, ALIGN, SHAPE (no masks, zeta below 2), ARGUMENT (another weight), RESOURCES.
demask_status demask_sizes_create_geometric(uint32_t masks,
                                            uint32_t zeta,
                                            uint32_t weight,
                                            struct demask_sizes **out);

// Makes the list of demask_sizes_create_geometric that keeps the expected divergence at or below
// `accuracy` for laws whose correlation of that weight is at most `estimate` (both in nats): zeta is
// 1 + estimate / accuracy, rounded up.
//
// Errors: NULL, ALIGN, SHAPE (no masks), ARGUMENT (`estimate` not finite and at least 0, `accuracy` not
// above 0, another weight), RESOURCES.
demask_status demask_sizes_create_geometric_for_accuracy(uint32_t masks,
                                                         double estimate,
                                                         double accuracy,
                                                         uint32_t weight,
                                                         struct demask_sizes **out);

// Makes the list of demask_sizes_create_geometric with the largest zeta that needs at most `steps`
// steps. It may need fewer, which demask_sizes_shape tells: not every number of steps is that of some
// zeta.
//
// Errors: NULL, ALIGN, SHAPE (no masks, or fewer steps than zeta 2 needs), ARGUMENT (another weight),
// RESOURCES.
demask_status demask_sizes_create_geometric_in_steps(uint32_t masks,
                                                     uint32_t steps,
                                                     uint32_t weight,
                                                     struct demask_sizes **out);

// Makes the list of one position, at most `blocks` steps between which the odds of being revealed grow by
// the same factor at most, and one position (Wainwright, "The data geometry of masking diffusion", August
// 2026). How many steps it has demask_sizes_shape tells.
//
// Errors: NULL, ALIGN, SHAPE (fewer than 4 masks, fewer blocks than ln((n - 1) (n - 2)/2) for n masks,
// for which nothing is proved), RESOURCES.
demask_status demask_sizes_create_reveal_odds(uint32_t masks,
                                              uint32_t blocks,
                                              struct demask_sizes **out);

// Makes the list for a law of information profile `profile`: f(0) to f(n - 1) in nats, the mean
// entropy of one of n tokens given m others. `rule` is a DEMASK_PROFILE_ number. It serves segments
// that start with n masks, under policies of `steps` steps.
//
// Errors: NULL, ALIGN, SHAPE (no value, no steps or more than n; for OPTIMAL, more than 2^26 values
// times steps), ARGUMENT (a value that is not finite, below 0 or above the one before it; an unknown
// rule), RESOURCES.
demask_status demask_sizes_create_from_profile(const double *profile,
                                               size_t n,
                                               uint32_t steps,
                                               uint32_t rule,
                                               struct demask_sizes **out);

// Makes the table of random sizes of which the expected divergence is v times the total correlation
// for every law (docs/schedules.md, section 2). It serves segments of at most `masks` masks, under
// policies of at most `steps` steps. It takes 8 bytes a mask and step up to 2^25 of them, 1.5 beyond.
//
// Errors: NULL, ALIGN, SHAPE (no masks, no steps, more than 2^28 masks times steps), RESOURCES.
demask_status demask_sizes_create_markov(uint32_t masks,
                                         uint32_t steps,
                                         struct demask_sizes **out);

// As demask_sizes_create_markov, with the caller's constants in the place of v (docs/schedules.md,
// section 2): that for k steps and r masks left is `constants[(k - 1) * masks + r]`, from 1e-280
// to 1e280, for k from 1 to steps - 1 and r from k + 1 to masks - 1. There are `n`, (steps - 1) times masks;
// the others are not looked at.
//
// Errors: NULL, ALIGN, SHAPE (no masks, no steps, more than 2^25 masks times steps, another n),
// ARGUMENT (a constant), RESOURCES.
demask_status demask_sizes_create_markov_constants(uint32_t masks,
                                                   uint32_t steps,
                                                   const double *constants,
                                                   size_t n,
                                                   struct demask_sizes **out);

// As demask_sizes_create_markov_constants, with the constants (H - 1)/(H + k - 2), where H is
// 1 + 1/2 + ... + 1/(r - 1): the bound on v that has a closed form, in the place of v.
//
// Errors: NULL, ALIGN, SHAPE (no masks, no steps, more than 2^25 masks times steps), RESOURCES.
demask_status demask_sizes_create_markov_closed_form(uint32_t masks,
                                                     uint32_t steps,
                                                     struct demask_sizes **out);

// As demask_sizes_create_markov, for any law of that form: with k steps and r masks left, u of the masks
// stay with a probability proportional to g_k(u), for u from k - 1 to r - 1. ln g_k(u) is
// `log_weights[(k - 2) * masks + u]`, for k from 2 to steps and u from k - 1 to masks - 1; -INFINITY is
// a weight of 0. There are `n`, (steps - 1) times masks; the others are not looked at.
//
// Errors: NULL, ALIGN, SHAPE (no masks, no steps, more than 2^25 masks times steps, another n),
// ARGUMENT (a weight that is NaN or INFINITY, or -INFINITY at u = k - 1), RESOURCES.
demask_status demask_sizes_create_markov_log_weights(uint32_t masks,
                                                     uint32_t steps,
                                                     const double *log_weights,
                                                     size_t n,
                                                     struct demask_sizes **out);

// Makes the table of the random sizes with the least c such that the expected divergence is at most
// c times the weight's correlation for every law (docs/schedules.md, section 3). It serves segments
// that start with exactly `masks` masks, under policies of `steps` steps. `weight` is a
// DEMASK_WEIGHT_ number.
//
// Errors: NULL, ALIGN, SHAPE (no masks, no steps, more than 65536 of both), ARGUMENT (an unknown
// weight), RESOURCES.
demask_status demask_sizes_create_systematic(uint32_t masks,
                                             uint32_t steps,
                                             uint32_t weight,
                                             struct demask_sizes **out);

// As demask_sizes_create_systematic, for `n` weights w(1) to w(n) of the caller and segments of
// n + 1 masks.
//
// Errors: NULL, ALIGN, SHAPE (no steps, more than 65536 steps and masks, more than 2^32 - 2
// weights), ARGUMENT (a weight that is not finite and above 0), RESOURCES.
demask_status demask_sizes_create_systematic_weights(const double *weights,
                                                     size_t n,
                                                     uint32_t steps,
                                                     struct demask_sizes **out);

// As demask_sizes_create_systematic, for the `n` probabilities of the caller that a step ends after 1 to n
// revealed positions, each from 0 to 1, in segments of n + 1 masks and as many steps as their sum and 1
// more. Equal ones make random sizes without preference. No constant is known.
//
// Errors: NULL, ALIGN, SHAPE (more than 65536 steps, more than 2^32 - 2 probabilities), ARGUMENT (one
// outside 0 to 1, a sum that is not within 1e-6 of an integer), RESOURCES.
demask_status demask_sizes_create_systematic_gaps(const double *gaps,
                                                  size_t n,
                                                  struct demask_sizes **out);

// Makes the table whose sizes are those of `sizes` in reverse order. A Markov table is shared, not
// copied; either may be destroyed first.
//
// Errors: NULL, ALIGN, ARGUMENT (a systematic table), RESOURCES.
demask_status demask_sizes_create_reversed(const struct demask_sizes *sizes,
                                           struct demask_sizes **out);

// Frees a table. NULL is fine.
void demask_sizes_destroy(struct demask_sizes *sizes);

// Writes the masks and the steps that a table is for: exactly these of a list or a systematic table,
// at most these of a Markov table.
//
// Errors: NULL, ALIGN.
demask_status demask_sizes_shape(const struct demask_sizes *sizes,
                                 uint32_t *masks,
                                 uint32_t *steps);

// Writes the probabilities of a systematic table that a step ends after 1 to `n` revealed positions, where
// `n` is one less than its masks.
//
// Errors: NULL, ALIGN, SHAPE (another `n`), ARGUMENT (a table that is not systematic).
demask_status demask_sizes_gaps(const struct demask_sizes *sizes,
                                double *out,
                                size_t n);

// Writes the c for which it is proved that the expected divergence is at most c times a correlation for
// every law, in segments of the table's masks and policies of its steps: the total correlation for a
// Markov table, with equality for that of demask_sizes_create_markov; that of its weight for a systematic
// one. NAN where none is: for lists, reversed tables, and tables of the caller's that prove none.
// demask_sizes_constant computes it anew, for any.
//
// Errors: NULL, ALIGN.
demask_status demask_sizes_proved_constant(const struct demask_sizes *sizes,
                                           double *out);

// Writes the demask_sizes_proved_constant of the table that demask_sizes_create_markov would make,
// without making it: in a time of masks times steps, whatever that is, and 16 bytes a mask.
//
// Errors: NULL, ALIGN, SHAPE (no masks, no steps), RESOURCES.
demask_status demask_sizes_markov_constant(uint32_t masks, uint32_t steps, double *out);

// Writes the sizes of the `n` steps of a segment that starts with `masks` masks: those of its plans,
// if no row is bad. `sizes` is a DEMASK_SIZES_ number, `table` the table of TABLE, NULL for the
// others. The randomness is `key`, whose step is not looked at.
//
// Errors: NULL, ALIGN, SHAPE (no steps, or masks or steps that the table does not serve), ARGUMENT
// (an unknown number, a table where none belongs).
demask_status demask_sizes_draw(uint32_t sizes,
                                const struct demask_sizes *table,
                                uint32_t masks,
                                const struct demask_key *key,
                                uint32_t *out,
                                size_t n);

// Writes E R(m) for m from 0 to n - 1, where n is the number of masks: how far the first end of a
// step at or after m revealed tokens lies beyond m, on average. Every expected divergence follows
// from it: the sum of (f(m - 1) - f(m)) E R(m) for a law of information profile f.
//
// FIXED and TIME_RATIO have no parameter here; a list of what demask_policy_size gives, without its zeros,
// has the same E R.
//
// Errors: NULL, ALIGN, SHAPE (no masks, no steps, or what the table does not serve), ARGUMENT,
// RESOURCES.
demask_status demask_sizes_overshoot(uint32_t sizes,
                                     const struct demask_sizes *table,
                                     uint32_t steps,
                                     double *out,
                                     size_t n);

// As demask_sizes_overshoot, for Bernoulli selection on a grid of times: the sizes that
// DEMASK_SELECT_BERNOULLI makes with DEMASK_NOISE_LINEAR and ancestral or Euler steps. `times` are the
// fractions of revealed tokens at the ends of the `n_times` steps, rising from above 0 to 1.
//
// Errors: NULL, ALIGN, SHAPE (no masks, 2^32 or more, no times), ARGUMENT (times that do not rise from
// above 0, or do not end at 1), RESOURCES.
demask_status demask_sizes_overshoot_bernoulli(const double *times,
                                               size_t n_times,
                                               double *out,
                                               size_t n);

// Writes the expected divergence, in nats, of a law of information profile f(0) to f(n - 1) from
// what is drawn in `steps` steps of these sizes at random positions, given the partition into steps.
//
// Errors: NULL, ALIGN, SHAPE (no values, no steps, or what the table does not serve), ARGUMENT (an
// unknown number; a value of the profile that is not finite, below 0 or above the one before it),
// RESOURCES.
demask_status demask_sizes_expected_kl(uint32_t sizes,
                                       const struct demask_sizes *table,
                                       const double *profile,
                                       size_t n,
                                       uint32_t steps,
                                       double *out);

// Writes the least c such that the expected divergence is at most c times the weight's correlation
// for every law. `weight` is a DEMASK_WEIGHT_ number.
//
// Errors: NULL, ALIGN, SHAPE (no masks, no steps, or what the table does not serve), ARGUMENT (an
// unknown number), RESOURCES.
demask_status demask_sizes_constant(uint32_t sizes,
                                    const struct demask_sizes *table,
                                    uint32_t masks,
                                    uint32_t steps,
                                    uint32_t weight,
                                    double *out);

// As demask_sizes_constant, for segments of n + 1 masks and the complexity of `n` weights w(1) to w(n) of
// the caller.
//
// Errors: NULL, ALIGN, SHAPE (no steps, 2^32 - 1 weights or more, or what the table does not serve),
// ARGUMENT (an unknown number, a weight that is not finite and above 0), RESOURCES.
demask_status demask_sizes_constant_weights(uint32_t sizes,
                                            const struct demask_sizes *table,
                                            const double *weights,
                                            size_t n,
                                            uint32_t steps,
                                            double *out);

// Writes the profile nearest to `n` values with errors, by least squares with `weights`, one for each
// value: neighbours that rise are replaced by their mean (pool adjacent violators; Barlow et al.,
// "Statistical inference under order restrictions", 1972), and negative values by 0. `out` gets `n`
// values that never rise.
//
// Errors: NULL, ALIGN, SHAPE (no value, 2^32 or more), ARGUMENT (a value that is not finite, a weight
// that is not finite and above 0), RESOURCES.
demask_status demask_profile_isotonic(const double *values,
                                      const double *weights,
                                      size_t n,
                                      double *out);

// Writes the complexity of a law of information profile `profile`, f(0) to f(n - 1) in nats: the sum of
// w(m) (f(m - 1) - f(m)), in nats. `weight` is a DEMASK_WEIGHT_ number, which has w.
//
// Errors: NULL, ALIGN, SHAPE (no value, 2^32 or more), ARGUMENT (a value that is not finite, below 0 or
// above the one before it; an unknown weight), RESOURCES.
demask_status demask_profile_complexity(const double *profile,
                                        size_t n,
                                        uint32_t weight,
                                        double *out);

// Makes an estimator for laws on `masks` tokens, and writes it to `*out`. Nothing is observed yet. The
// caller owns it, and frees it with demask_profile_estimator_destroy. It takes 24 bytes a token.
//
// Errors: NULL, ALIGN, SHAPE (no masks), RESOURCES.
demask_status demask_profile_estimator_create(uint32_t masks,
                                              struct demask_profile_estimator **out);

// Frees an estimator. NULL is fine.
void demask_profile_estimator_destroy(struct demask_profile_estimator *estimator);

// Adds one network call with `revealed` tokens revealed at random, below the masks: the
// log-probabilities, `n` of them, in nats, of the true tokens of masked positions (all of them, or a
// random choice). They depend on each other, so their mean counts once.
//
// Errors: NULL, ALIGN, SHAPE (`revealed`; no log-probability, 2^32 or more), ARGUMENT (a log-probability
// that is not finite, or above 1e-5).
demask_status demask_profile_estimator_observe(struct demask_profile_estimator *estimator,
                                               uint32_t revealed,
                                               const double *log_probabilities,
                                               size_t n);

// Writes what is known with `revealed` tokens revealed, below the masks: how many calls were observed,
// their mean, in nats, and its standard error. The mean of none is NAN, and so is the standard error
// below two.
//
// Errors: NULL, ALIGN, SHAPE (`revealed`).
demask_status demask_profile_estimator_mean(const struct demask_profile_estimator *estimator,
                                            uint32_t revealed,
                                            uint64_t *observations,
                                            double *mean,
                                            double *standard_error);

// Writes the profile, f(0) to f(n - 1) in nats, where `n` is the number of masks: the nearest one that
// never rises, each mean weighted by its observations, with straight lines between the numbers that were
// observed and level beyond the outer ones.
//
// Errors: NULL, ALIGN, SHAPE (another `n`, nothing was observed), RESOURCES.
demask_status demask_profile_estimator_profile(const struct demask_profile_estimator *estimator,
                                               double *out,
                                               size_t n);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* DEMASK_H */
