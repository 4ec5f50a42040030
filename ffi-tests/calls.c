/* What each call gives for good arguments. */
#include "check.h"
#include <demask.h>
#include <math.h>
#include <string.h>

static demask_context *make(uint32_t threads, uint32_t level, uint32_t positions,
                            uint32_t segments) {
  demask_options options;
  demask_context *context = NULL;
  CHECK(demask_options_init(&options, sizeof options) == DEMASK_OK);
  options.threads = threads;
  options.level = level;
  options.max_positions = positions;
  options.max_segments = segments;
  CHECK(demask_create(&options, &context) == DEMASK_OK);
  CHECK(context != NULL);
  return context;
}

/* A canvas over arrays of the caller, without anything that is optional. */
static demask_canvas canvas_of(int32_t mask, int32_t *tokens, size_t n_positions,
                               demask_segment *segments, size_t n_segments,
                               const demask_policy *policies, size_t n_policies) {
  return (demask_canvas){.struct_size = sizeof(demask_canvas),
                         .mask_token = mask,
                         .tokens = tokens,
                         .n_positions = n_positions,
                         .segments = segments,
                         .n_segments = n_segments,
                         .policies = policies,
                         .n_policies = n_policies,
                         .segment_size = sizeof(demask_segment),
                         .policy_size = sizeof(demask_policy)};
}

enum { MOST_ROWS = 64, MOST_SEGMENTS = 3 };

/* Room for a plan. */
struct room {
  uint32_t rows[MOST_ROWS], remasked[MOST_ROWS], offsets[MOST_SEGMENTS + 1], steps[MOST_SEGMENTS];
  uint8_t reads_earlier[MOST_SEGMENTS];
  double log_masked[MOST_SEGMENTS], times[MOST_SEGMENTS];
};

static demask_plan_buffers plan_in(struct room *room) {
  return (demask_plan_buffers){.struct_size = sizeof(demask_plan_buffers),
                               .rows = room->rows,
                               .rows_capacity = MOST_ROWS,
                               .offsets = room->offsets,
                               .steps = room->steps,
                               .log_masked = room->log_masked,
                               .times = room->times,
                               .segments_capacity = MOST_SEGMENTS,
                               .reads_earlier = room->reads_earlier,
                               .remasked = room->remasked,
                               .remasked_capacity = MOST_ROWS};
}

static int near(double a, double b) { return fabs(a - b) <= 1e-14 * fabs(b); }

/* Whether `count` of `trials` independent events of probability `p` is within 5 sigma. */
static int within_5_sigma(double count, double trials, double p) {
  return fabs(count - trials * p) <= 5.0 * sqrt(trials * p * (1.0 - p));
}

static void versions_levels_and_texts(void) {
  char version[32];
  snprintf(version, sizeof version, "%d.%d.%d", DEMASK_VERSION_MAJOR, DEMASK_VERSION_MINOR,
           DEMASK_VERSION_PATCH);
  CHECK(strcmp(version, demask_version_string()) == 0);
  CHECK(demask_version_number() == DEMASK_VERSION_NUMBER);
  CHECK(demask_version_number() ==
        (uint32_t)(DEMASK_VERSION_MAJOR * 0x1000000 + DEMASK_VERSION_MINOR * 0x10000 +
                   DEMASK_VERSION_PATCH * 0x100));

  CHECK(strcmp(demask_status_string(DEMASK_OK), "ok") == 0);
  const char *unknown = demask_status_string(-1);
  CHECK(strlen(unknown) > 0 && demask_status_string(INT32_MIN) == unknown);
  for (demask_status status = DEMASK_OK; status <= DEMASK_ERR_RESOURCES; ++status)
    CHECK(strcmp(demask_status_string(status), unknown) != 0);
  CHECK(strcmp(demask_status_string(DEMASK_ERR_PANIC), unknown) != 0);

  CHECK(strcmp(demask_level_name(DEMASK_LEVEL_AUTO), "auto") == 0);
  CHECK(strcmp(demask_level_name(DEMASK_LEVEL_BASELINE), "baseline") == 0);
  CHECK(strcmp(demask_level_name(DEMASK_LEVEL_AVX2), "avx2") == 0);
  CHECK(strcmp(demask_level_name(DEMASK_LEVEL_AVX512), "avx512") == 0);
  CHECK(strcmp(demask_level_name(77), "unknown") == 0);
  uint32_t best = demask_level_detect(), level = 77;
  CHECK(best >= DEMASK_LEVEL_BASELINE && best <= DEMASK_LEVEL_AVX512);
  demask_context *context = make(1, DEMASK_LEVEL_AUTO, 0, 0);
  CHECK(demask_context_level(context, &level) == DEMASK_OK && level == best);
  demask_destroy(context);
  context = make(1, DEMASK_LEVEL_BASELINE, 0, 0);
  CHECK(demask_context_level(context, &level) == DEMASK_OK && level == DEMASK_LEVEL_BASELINE);
  demask_destroy(context);
}

static void policies(void) {
  demask_policy policy;
  double time;
  CHECK(demask_policy_first_hitting(DEMASK_NOISE_UNIT_RATE, &policy, sizeof policy) == DEMASK_OK);
  CHECK(policy.struct_size == sizeof policy && policy.select == DEMASK_SELECT_FIRST_HITTING);
  CHECK(policy.noise == DEMASK_NOISE_UNIT_RATE && policy.temperature == 1.0f);
  CHECK(demask_policy_check(&policy) == DEMASK_OK);
  CHECK(demask_policy_euler(DEMASK_NOISE_COSINE, 4, &policy, sizeof policy) == DEMASK_OK);
  CHECK(policy.select == DEMASK_SELECT_BERNOULLI && policy.noise == DEMASK_NOISE_COSINE);
  CHECK(policy.steps == 4 && policy.start == 1.0 && policy.end == 0.0);
  CHECK(policy.finish == DEMASK_FINISH_NONE && policy.update == DEMASK_UPDATE_REVEAL);
  policy.end = 0.5;
  for (uint32_t step = 0; step < 6; ++step) {
    CHECK(demask_policy_grid_time(&policy, step, &time) == DEMASK_OK);
    CHECK(time == (step < 4 ? 1.0 - 0.125 * step : 0.5));
  }
  CHECK(demask_policy_random_order(7, &policy, sizeof policy) == DEMASK_OK);
  CHECK(policy.select == DEMASK_SELECT_RANDOM_ORDER && policy.steps == 7);
  CHECK(policy.sizes == DEMASK_SIZES_EVEN);
  policy.temperature = INFINITY;
  CHECK(demask_policy_check(&policy) == DEMASK_OK);
  for (uint32_t decoder = 0; decoder <= DEMASK_DECODER_REMDM_CONFIDENT; ++decoder) {
    CHECK(demask_policy_decoder(decoder, 6, &policy, sizeof policy) == DEMASK_OK);
    CHECK(demask_policy_check(&policy) == DEMASK_OK);
  }
  CHECK(demask_policy_decoder(DEMASK_DECODER_FAST_DLLM, 0, &policy, sizeof policy) == DEMASK_OK);
  CHECK(policy.select == DEMASK_SELECT_THRESHOLD && policy.threshold == 0.9);
  CHECK(policy.threshold_2 == 0.9 && policy.fallback == DEMASK_FALLBACK_BEST && policy.strict == 0);
  CHECK(policy.score == DEMASK_SCORE_PROBABILITY && policy.score_temperature == 1.0f);
  policy.score_temperature = 0.0f; /* as is a struct that does not have it yet */
  CHECK(demask_policy_check(&policy) == DEMASK_OK);

  static const uint32_t rates[3] = {DEMASK_REMASK_CAP, DEMASK_REMASK_RESCALE, DEMASK_REMASK_RESCALE};
  static const double etas[3] = {0.008, 0.015, 1.0};
  for (uint32_t k = 0; k < 3; ++k) {
    CHECK(demask_policy_decoder(DEMASK_DECODER_REMDM + k, 12, &policy, sizeof policy) == DEMASK_OK);
    CHECK(policy.select == DEMASK_SELECT_BERNOULLI && policy.noise == DEMASK_NOISE_LINEAR);
    CHECK(policy.transition == DEMASK_TRANSITION_ANCESTRAL && policy.steps == 12);
    CHECK(policy.update == DEMASK_UPDATE_REMASK && policy.temperature == 1.0f);
    CHECK(policy.remask == rates[k] && policy.remask_eta == etas[k]);
    CHECK(policy.remask_by_confidence == (k == 2));
    CHECK(policy.remask_from == INFINITY && policy.remask_until == 0.0);
  }
  /* Of a clock in tenths: to 0.3 masked at 0.6, there until 0.2, and down to 0. */
  demask_time_grid *looped = NULL, *given = NULL;
  uint32_t steps = 77;
  double start = 77.0, end = 77.0;
  CHECK(demask_time_grid_create_remdm_loop(10, 0.6, 0.2, 0.7, &looped) == DEMASK_OK);
  CHECK(demask_time_grid_shape(looped, &steps, &start, &end) == DEMASK_OK);
  CHECK(steps == 10 && start == 1.0 && end == 0.0);
  CHECK(demask_policy_remdm_loop(0.02, looped, &policy, sizeof policy) == DEMASK_OK);
  CHECK(policy.grid == DEMASK_GRID_TIMES && policy.grid_times == looped && policy.steps == 10);
  CHECK(policy.start == 1.0 && policy.end == 0.0 && policy.update == DEMASK_UPDATE_REMASK);
  CHECK(policy.remask == DEMASK_REMASK_CAP && policy.remask_eta == 0.02);
  static const double looped_times[11] = {1.0, 0.825, 0.65, 0.475, 0.3, 0.3,
                                          0.3, 0.3,   0.3,  0.15,  0.0};
  for (uint32_t step = 0; step <= 10; ++step) {
    CHECK(demask_policy_grid_time(&policy, step, &time) == DEMASK_OK);
    CHECK(fabs(time - looped_times[step]) < 1e-15);
  }
  CHECK(policy.remask_from < 0.3 + 1e-15 && policy.remask_from > 0.3 - 1e-15);
  CHECK(policy.remask_until < 0.15 + 1e-15 && policy.remask_until > 0.15 - 1e-15);
  const double times[3] = {2.0, 0.75, 0.125};
  CHECK(demask_time_grid_create(times, 3, &given) == DEMASK_OK);
  CHECK(demask_time_grid_shape(given, &steps, &start, &end) == DEMASK_OK);
  CHECK(steps == 2 && start == 2.0 && end == 0.125);
  demask_time_grid_destroy(given);
  demask_time_grid_destroy(looped);
}

/* xoshiro256++ (Blackman and Vigna, ACM TOMS 47, 2021). */
static uint64_t next_word(uint64_t state[4]) {
  uint64_t sum = state[0] + state[3], shifted = state[1] << 17;
  uint64_t word = (sum << 23 | sum >> 41) + state[0];
  state[2] ^= state[0];
  state[3] ^= state[1];
  state[1] ^= state[2];
  state[0] ^= state[3];
  state[2] ^= shifted;
  state[3] = state[3] << 45 | state[3] >> 19;
  return word;
}

/* A client that has the state of a key makes the random numbers that the library makes. */
static void keys(void) {
  uint64_t state[4], other[4];
  demask_key key = {.seed = 1, .stream = 2, .step = 3, .position = 4};
  for (uint32_t position = 0; position < 100; ++position) {
    key.position = position;
    CHECK(demask_key_state(&key, DEMASK_PURPOSE_HIT, state) == DEMASK_OK);
    double log_masked = 0.0, uniform = ((double)(next_word(state) >> 11) + 0.5) / 9007199254740992.0;
    uint32_t masks = 1;
    CHECK(demask_hitting_times_next(&key, &masks, &log_masked, 1) == DEMASK_OK);
    CHECK(fabs(log_masked - log1p(-uniform)) <= 1e-9 * fabs(log_masked));
  }
  for (uint32_t purpose = 0; purpose <= DEMASK_PURPOSE_FIRST_NOISE; ++purpose) {
    CHECK(demask_key_state(&key, purpose, state) == DEMASK_OK);
    for (uint32_t second = 0; second < purpose; ++second) {
      CHECK(demask_key_state(&key, second, other) == DEMASK_OK);
      CHECK(memcmp(state, other, sizeof state) != 0);
    }
  }
}

typedef demask_status (*at_time)(const demask_noise *, double, double *);
typedef demask_status (*in_step)(const demask_noise *, double, double, double *);

static double value(at_time call, const demask_noise *noise, double x) {
  double out = NAN;
  CHECK(call(noise, x, &out) == DEMASK_OK);
  return out;
}

static double within(in_step call, const demask_noise *noise, double x, double y) {
  double out = NAN;
  CHECK(call(noise, x, y, &out) == DEMASK_OK);
  return out;
}

/* That of a step from time 1/2 to 1/4. */
static double transition(const demask_noise *noise, uint32_t number, double theta) {
  double out = NAN;
  CHECK(demask_noise_transition_probability(noise, number, theta, 0.5, 0.25, &out) == DEMASK_OK);
  return out;
}

static demask_noise schedule(uint32_t number) {
  return (demask_noise){.struct_size = sizeof(demask_noise), .schedule = number};
}

static void noise_schedules(void) {
  double ln2 = log(2.0), inf = INFINITY;
  const double table_times[3] = {0.0, 0.5, 2.0}, table_masked[3] = {0.0, 0.25, 1.0};
  demask_noise_table *table = NULL;
  CHECK(demask_noise_table_create(table_times, table_masked, 3, DEMASK_TABLE_MASKED, &table) ==
        DEMASK_OK);
  demask_noise all[9];
  for (uint32_t k = 0; k < 9; ++k) all[k] = schedule(k);
  all[DEMASK_NOISE_GEOMETRIC].parameter = 1e-4;
  all[DEMASK_NOISE_GEOMETRIC].sigma_max = 20.0;
  all[DEMASK_NOISE_POWER].parameter = 2.0;
  all[DEMASK_NOISE_TABLE].table = table;
  const demask_noise *linear = &all[DEMASK_NOISE_LINEAR], *cosine = &all[DEMASK_NOISE_COSINE];
  const demask_noise *unit = &all[DEMASK_NOISE_UNIT_RATE];
  CHECK(near(value(demask_noise_alpha, linear, 0.25), 0.75));
  CHECK(near(value(demask_noise_log_masked, linear, 0.25), -2.0 * ln2));
  CHECK(near(value(demask_noise_rate, linear, 0.25), 4.0));
  CHECK(near(value(demask_noise_time, linear, -2.0 * ln2), 0.25));
  CHECK(within(demask_noise_euler_probability, linear, 0.3, 0.3) == 1.0);
  CHECK(near(value(demask_noise_alpha, cosine, 2.0 / 3.0), 0.5));
  CHECK(near(value(demask_noise_log_masked, cosine, 2.0 / 3.0), -ln2));
  CHECK(near(value(demask_noise_rate, cosine, 2.0 / 3.0), acos(-1.0) / 2.0 * sqrt(3.0)));
  CHECK(near(value(demask_noise_time, cosine, -ln2), 2.0 / 3.0));
  CHECK(near(value(demask_noise_alpha, unit, ln2), 0.5));
  CHECK(near(value(demask_noise_log_masked, unit, ln2), -ln2));
  CHECK(near(value(demask_noise_rate, unit, ln2), 1.0));
  CHECK(near(value(demask_noise_time, unit, -ln2), ln2));
  CHECK(near(value(demask_noise_alpha, &all[DEMASK_NOISE_POWER], 0.5), 0.75));
  CHECK(near(value(demask_noise_alpha, &all[DEMASK_NOISE_COSINE_SQUARED], 0.5), 0.5));
  CHECK(near(value(demask_noise_alpha, &all[DEMASK_NOISE_MASKGIT_COSINE], 1.0 / 3.0), 0.5));
  CHECK(near(value(demask_noise_alpha, &all[DEMASK_NOISE_LOGARITHMIC], sqrt(2.0) - 1.0), 0.5));
  CHECK(near(value(demask_noise_alpha, &all[DEMASK_NOISE_TABLE], 0.5), 0.75));
  CHECK(near(value(demask_noise_alpha, &all[DEMASK_NOISE_GEOMETRIC], 1.0), exp(-20.0)));
  CHECK(near(value(demask_noise_score_sum, unit, ln2), 1.0));
  CHECK(near(value(demask_noise_score_sum, linear, 0.25), 3.0));
  demask_noise scaled = schedule(DEMASK_NOISE_LINEAR);
  scaled.parameter = 0.125;
  CHECK(near(value(demask_noise_alpha, &scaled, 0.5), 1.0 - 0.875 * 0.5));
  CHECK(value(demask_noise_time, &scaled, 0.0) == 1.0);
  for (uint32_t k = 0; k < 9; ++k) {
    const demask_noise *noise = &all[k];
    double rate = value(demask_noise_rate, noise, 0.5), keep = exp(-0.25 * rate);
    CHECK(near(within(demask_noise_euler_probability, noise, 0.5, 0.25), fmin(1.0, 0.25 * rate)));
    CHECK(near(within(demask_noise_tau_first_jump_probability, noise, 0.5, 0.25), 1.0 - keep));
    CHECK(near(within(demask_noise_tau_reject_probability, noise, 0.5, 0.25), 0.25 * rate * keep));
    CHECK(within(demask_noise_reveal_probability, noise, 0.5, 0.5) == 0.0);
    CHECK(within(demask_noise_euler_probability, noise, 0.5, 0.0) == 0.0);
    CHECK(near(within(demask_noise_expected_jumps, noise, 0.5, 0.25), 0.25 * rate));
    CHECK(within(demask_noise_expected_jumps, noise, 0.5, 0.0) == 0.0);
    CHECK(transition(noise, DEMASK_TRANSITION_EULER, 0.0) ==
          within(demask_noise_euler_probability, noise, 0.5, 0.25));
    CHECK(transition(noise, DEMASK_TRANSITION_TAU_LEAPING, 0.0) ==
          within(demask_noise_tau_first_jump_probability, noise, 0.5, 0.25));
    CHECK(transition(noise, DEMASK_TRANSITION_TAU_LEAPING_REJECT, 0.0) ==
          within(demask_noise_tau_reject_probability, noise, 0.5, 0.25));
    CHECK(transition(noise, DEMASK_TRANSITION_ANCESTRAL, 0.0) ==
          within(demask_noise_reveal_probability, noise, 0.5, 0.25));
    CHECK(transition(noise, DEMASK_TRANSITION_TRAPEZOIDAL, 0.5) ==
          within(demask_noise_tau_first_jump_probability, noise, 0.5, 0.125));
    CHECK(transition(noise, DEMASK_TRANSITION_TRAPEZOIDAL_REJECT, 0.5) ==
          within(demask_noise_tau_reject_probability, noise, 0.5, 0.125));
    double last = NAN, horizon = NAN;
    CHECK(demask_noise_last_time(noise, &last) == DEMASK_OK);
    CHECK(demask_noise_horizon(noise, &horizon) == DEMASK_OK);
    CHECK(last == (noise == unit ? inf : k == DEMASK_NOISE_TABLE ? 2.0 : 1.0));
    CHECK(horizon == (noise == unit ? 16.0 : last));
    double masked_then = exp(value(demask_noise_log_masked, noise, 0.75));
    double masked_later = exp(value(demask_noise_log_masked, noise, 0.25));
    CHECK(near(within(demask_noise_reveal_probability, noise, 0.75, 0.25),
               1.0 - masked_later / masked_then));
    double times[2] = {NAN, NAN};
    const double logs[2] = {log(masked_then), log(masked_later)};
    CHECK(demask_noise_times(noise, logs, times, 2) == DEMASK_OK);
    CHECK(fabs(times[0] - 0.75) < 1e-9 && fabs(times[1] - 0.25) < 1e-9);
  }
  for (uint32_t k = DEMASK_NOISE_LINEAR; k <= DEMASK_NOISE_UNIT_RATE; ++k) {
    const demask_noise *noise = &all[k];
    double last = noise == unit ? inf : 1.0;
    CHECK(value(demask_noise_alpha, noise, 0.0) == 1.0);
    CHECK(value(demask_noise_alpha, noise, last) == 0.0);
    CHECK(value(demask_noise_log_masked, noise, 0.0) == -inf);
    CHECK(value(demask_noise_log_masked, noise, last) == 0.0);
    CHECK(value(demask_noise_time, noise, -inf) == 0.0);
    CHECK(value(demask_noise_time, noise, 0.0) == last);
    CHECK(value(demask_noise_rate, noise, 0.0) == inf);
    CHECK(within(demask_noise_reveal_probability, noise, 0.5, 0.0) == 1.0);
    double whole = NAN;
    CHECK(demask_noise_transition_probability(noise, DEMASK_TRANSITION_ANCESTRAL, 0.0, last, 0.0,
                                              &whole) == DEMASK_OK && whole == 1.0);
  }
  demask_noise_table_destroy(table);
  demask_noise_table_destroy(NULL);
}

enum { SEQUENCES = 500, MASKS = 100 };

static void hitting_times(void) {
  static double all[SEQUENCES][MASKS], again[MASKS], log_masked[SEQUENCES];
  static demask_key keys[SEQUENCES];
  static uint32_t masks[SEQUENCES];
  demask_context *context = make(1, DEMASK_LEVEL_AUTO, 0, 0);
  demask_context *baseline = make(1, DEMASK_LEVEL_BASELINE, 0, 0);

  /* The last of n events: ln(1 - alpha) has mean -(1 + 1/2 + ... + 1/n), variance 1 + 1/4 + ... */
  double mean = 0.0, variance = 0.0, sum_all = 0.0, sum_next = 0.0;
  for (int k = 1; k <= MASKS; ++k) {
    mean += 1.0 / k;
    variance += 1.0 / k / k;
  }
  double margin = 5.0 * sqrt(variance * SEQUENCES);
  for (uint32_t i = 0; i < SEQUENCES; ++i) {
    demask_key key = {1, i, 0, 0};
    keys[i] = key;
    CHECK(demask_hitting_times_all(context, &key, 0.0, all[i], MASKS) == DEMASK_OK);
    for (int k = 0; k < MASKS; ++k) CHECK(all[i][k] <= (k == 0 ? 0.0 : all[i][k - 1]));
    sum_all += all[i][MASKS - 1];
    CHECK(demask_hitting_times_all(baseline, &key, 0.0, again, MASKS) == DEMASK_OK);
    CHECK(memcmp(again, all[i], sizeof again) == 0);
  }
  CHECK(fabs(sum_all + SEQUENCES * mean) <= margin);
  for (uint32_t left = MASKS; left > 0; --left) {
    for (int i = 0; i < SEQUENCES; ++i) {
      keys[i].step = MASKS - left;
      masks[i] = left;
    }
    CHECK(demask_hitting_times_next(keys, masks, log_masked, SEQUENCES) == DEMASK_OK);
  }
  for (int i = 0; i < SEQUENCES; ++i) sum_next += log_masked[i];
  CHECK(fabs(sum_next + SEQUENCES * mean) <= margin);

  masks[0] = 0;
  CHECK(demask_hitting_times_next(keys, masks, log_masked, 1) == DEMASK_OK);
  CHECK(log_masked[0] == -INFINITY);

  /* One exponential a position, whichever others are asked for. */
  double sum_positions = 0.0, one;
  for (uint32_t i = 0; i < MASKS; ++i) masks[i] = 3 * i;
  for (uint32_t i = 0; i < SEQUENCES; ++i) {
    demask_key key = {1, i, 0, 7};
    CHECK(demask_hitting_times_of_positions(context, &key, -1.0, masks, again, MASKS) ==
          DEMASK_OK);
    CHECK(demask_hitting_times_of_positions(baseline, &key, -1.0, masks + i % MASKS, &one, 1) ==
          DEMASK_OK);
    CHECK(one == again[i % MASKS]);
    for (int k = 0; k < MASKS; ++k) sum_positions += again[k] + 1.0;
  }
  CHECK(fabs(sum_positions + SEQUENCES * MASKS) <= 5.0 * sqrt(SEQUENCES * MASKS));
  demask_destroy(baseline);
  demask_destroy(context);
}

enum { DRAWS = 20000, MANY = 64, WIDE = 32768 };

/* A draw of one token for each row, at a temperature and without an excluded token. */
static demask_status plain_draw(demask_context *context, const demask_logits *logits,
                                float temperature, int32_t excluded, const demask_key *keys,
                                size_t n_keys, int32_t *tokens, uint8_t *row_state) {
  demask_draw_rule rule = {.struct_size = sizeof rule, .temperature = temperature};
  demask_constraints constraints = {.struct_size = sizeof constraints, .excluded = excluded};
  return demask_draw(context, logits, &rule, excluded < 0 ? NULL : &constraints, keys, n_keys, 1,
                     tokens, row_state);
}

/* Everything that a draw may be told, one by one: the tokens have the law that is left of weights
 * 1, 2, 0, 3, 1. */
static void draw_laws(void) {
  static uint32_t same_row[DRAWS];
  static demask_key keys[DRAWS];
  static int32_t tokens[DRAWS], several[DRAWS];
  const float row[] = {0.0f, (float)log(2.0), -INFINITY, (float)log(3.0), 0.0f};
  const float zeros[5] = {0};
  const uint32_t banned[] = {3}, allowed[] = {0x13};
  const demask_token_bias bias[] = {{0, (float)log(4.0)}};
  const struct {
    float temperature;
    uint32_t top_k;
    float top_p, min_p;
    uint32_t filter_order;
    int32_t excluded;
    int bans, biases, allows, guides;
    double weights[5];
  } laws[] = {
      {1.0f, 0, 1.0f, 0.0f, 0, -1, 0, 0, 0, 0, {1, 2, 0, 3, 1}},
      {1.0f, 0, 0.0f, 0.0f, 0, -1, 0, 0, 0, 0, {1, 2, 0, 3, 1}}, /* 0 filters nothing */
      {0.5f, 0, 1.0f, 0.0f, 0, -1, 0, 0, 0, 0, {1, 4, 0, 9, 1}},
      {1.0f, 2, 1.0f, 0.0f, 0, -1, 0, 0, 0, 0, {0, 2, 0, 3, 0}},
      {1.0f, 3, 1.0f, 0.0f, 0, -1, 0, 0, 0, 0, {1, 2, 0, 3, 0}}, /* a tie: the lowest id */
      {1.0f, 0, 0.6f, 0.0f, 0, -1, 0, 0, 0, 0, {0, 2, 0, 3, 0}},
      {0.5f, 0, 0.5f, 0.0f, 0, -1, 0, 0, 0, 0, {0, 0, 0, 9, 0}},
      {0.5f, 0, 0.5f, 0.0f, 1, -1, 0, 0, 0, 0, {0, 4, 0, 9, 0}}, /* filtered at temperature 1 */
      {1.0f, 0, 1.0f, 0.5f, 0, -1, 0, 0, 0, 0, {0, 2, 0, 3, 0}},
      {1.0f, 0, 1.0f, 0.0f, 0, 4, 0, 0, 0, 0, {1, 2, 0, 3, 0}},
      {1.0f, 0, 1.0f, 0.0f, 0, -1, 1, 0, 0, 0, {1, 2, 0, 0, 1}},
      {1.0f, 0, 1.0f, 0.0f, 0, -1, 0, 1, 0, 0, {4, 2, 0, 3, 1}},
      {1.0f, 0, 1.0f, 0.0f, 0, -1, 0, 0, 1, 0, {1, 2, 0, 0, 1}},
      {1.0f, 0, 1.0f, 0.0f, 0, -1, 0, 0, 0, 1, {1, 4, 0, 9, 1}}, /* scale 2, a flat guide */
      {0.5f, 2, 1.0f, 0.0f, 0, 1, 1, 1, 1, 1, {16, 0, 0, 0, 1}}, /* the bias is not guided */
  };
  demask_context *context = make(1, DEMASK_LEVEL_AUTO, DRAWS, 0);
  demask_logits logits = {.struct_size = sizeof logits,
                          .data = row,
                          .n_rows = DRAWS,
                          .vocab = 5,
                          .row_stride = 5,
                          .row_index = same_row,
                          .data_rows = 1};
  demask_logits guide = logits;
  guide.data = zeros;
  for (uint32_t i = 0; i < DRAWS; ++i) keys[i].position = i;
  for (size_t i = 0; i < sizeof laws / sizeof *laws; ++i) {
    demask_draw_rule rule;
    demask_constraints constraints;
    CHECK(demask_draw_rule_init(&rule, sizeof rule) == DEMASK_OK);
    CHECK(rule.temperature == 1.0f && rule.top_k == 0 && rule.top_p == 1.0f && rule.min_p == 0.0f);
    CHECK(rule.filter_order == DEMASK_FILTER_AFTER_TEMPERATURE);
    CHECK(rule.method == DEMASK_METHOD_REJECTION);
    rule.temperature = laws[i].temperature;
    rule.top_k = laws[i].top_k;
    rule.top_p = laws[i].top_p;
    rule.min_p = laws[i].min_p;
    rule.filter_order = laws[i].filter_order;
    CHECK(demask_constraints_init(&constraints, sizeof constraints) == DEMASK_OK);
    CHECK(constraints.excluded == -1 && constraints.n_banned == 0 && constraints.n_bias == 0);
    CHECK(constraints.allowed == NULL && constraints.row_bias_offsets == NULL);
    constraints.excluded = laws[i].excluded;
    constraints.banned = banned;
    constraints.n_banned = laws[i].bans ? 1 : 0;
    constraints.bias = bias;
    constraints.n_bias = laws[i].biases ? 1 : 0;
    constraints.allowed = laws[i].allows ? allowed : NULL;
    logits.guide = laws[i].guides ? &guide : NULL;
    logits.guidance_scale = 2.0f;
    logits.n_rows = guide.n_rows = DRAWS;
    CHECK(demask_draw(context, &logits, &rule, &constraints, keys, DRAWS, 1, tokens, NULL) ==
          DEMASK_OK);
    double counts[5] = {0}, total = 0.0;
    for (int k = 0; k < DRAWS; ++k) {
      CHECK(tokens[k] >= 0 && tokens[k] < 5);
      ++counts[tokens[k]];
    }
    for (int v = 0; v < 5; ++v) total += laws[i].weights[v];
    for (int v = 0; v < 5; ++v)
      CHECK(within_5_sigma(counts[v], DRAWS, laws[i].weights[v] / total));
    /* Several draws a row: the first is the same, and all have the law. */
    enum { EACH = 8, FEW = DRAWS / EACH };
    logits.n_rows = guide.n_rows = FEW;
    CHECK(demask_draw(context, &logits, &rule, &constraints, keys, FEW, EACH, several, NULL) ==
          DEMASK_OK);
    memset(counts, 0, sizeof counts);
    for (int k = 0; k < FEW; ++k) {
      CHECK(several[k * EACH] == tokens[k]);
      for (int j = 0; j < EACH; ++j) ++counts[several[k * EACH + j]];
    }
    for (int v = 0; v < 5; ++v)
      CHECK(within_5_sigma(counts[v], DRAWS, laws[i].weights[v] / total));
  }
  demask_destroy(context);
}

static int close_to(double a, double b) { return fabs(a - b) <= 2e-6 * fmax(1.0, fabs(b)); }

/* A law of weights 1, 2, 0, 3, 1 beside one of 1, 1, 1, 1, 1; and a bad row. */
static void statistics(void) {
  enum { VOCAB = 5 };
  const float ln2 = (float)log(2.0), ln3 = (float)log(3.0);
  const float rows[2 * VOCAB] = {0.0f, ln2, -INFINITY, ln3, 0.0f, NAN, 0.0f, 0.0f, 0.0f, 0.0f};
  const float zeros[2 * VOCAB] = {0};
  const uint32_t given[2] = {1, 1};
  demask_row_statistics described[2];
  demask_top_token top[2 * 6];
  int32_t tokens[2], others[2];
  uint8_t states[2];
  const demask_key keys[2] = {{.seed = 1}, {.seed = 2}};
  demask_context *context = make(1, DEMASK_LEVEL_AUTO, 2, 0);
  demask_logits logits = {.struct_size = sizeof logits,
                          .data = rows,
                          .n_rows = 2,
                          .vocab = VOCAB,
                          .row_stride = VOCAB};
  demask_logits against = logits;
  against.data = zeros;
  demask_draw_rule rule;
  demask_statistics wanted;
  CHECK(demask_draw_rule_init(&rule, sizeof rule) == DEMASK_OK);
  CHECK(demask_statistics_init(&wanted, sizeof wanted) == DEMASK_OK);
  CHECK(wanted.temperature == 1.0f && wanted.given == NULL && wanted.against == NULL);
  CHECK(wanted.rows == NULL && wanted.top == NULL && wanted.n_top == 0);
  wanted.given = given;
  wanted.against = &against;
  wanted.rows = described;
  wanted.top = top;
  wanted.n_top = 6;
  for (int greedy = 0; greedy < 2; ++greedy) {
    if (greedy) rule.temperature = 0.0f;
    CHECK(demask_draw_statistics(context, &logits, &rule, NULL, keys, 2, &wanted, tokens, states) ==
          DEMASK_OK);
    CHECK(states[0] == DEMASK_ROW_DRAWN && states[1] == DEMASK_ROW_BAD && tokens[1] == -1);
    CHECK(demask_draw(context, &logits, &rule, NULL, keys, 2, 1, others, NULL) == DEMASK_OK);
    CHECK(tokens[0] == others[0] && (!greedy || tokens[0] == 3));
    const double weights[VOCAB] = {1, 2, 0, 3, 1};
    double p = weights[tokens[0]] / 7.0, entropy = 0.0, divergence = 0.0;
    for (int v = 0; v < VOCAB; ++v) {
      double q = weights[v] / 7.0;
      if (q > 0.0) entropy -= q * log(q);
      if (q > 0.0) divergence += q * log(q * VOCAB);
    }
    CHECK(close_to(described[0].log_sum_exp, log(7.0)));
    CHECK(close_to(described[0].entropy, entropy));
    CHECK(close_to(described[0].probability, p) && close_to(described[0].log_probability, log(p)));
    CHECK(close_to(described[0].log_others, log((1.0 - p) / p)));
    CHECK(close_to(described[0].margin, 1.0 / 7.0));
    CHECK(close_to(described[0].given_log_probability, log(2.0 / 7.0)));
    CHECK(close_to(described[0].divergence, divergence));
    CHECK(described[0].max == ln3 && described[0].argmax == 3);
    CHECK(top[0].token == 3 && top[0].logit == ln3 && top[1].token == 1 && top[2].token == 0);
    CHECK(top[3].token == 4 && top[5].token == -1 && top[5].logit == -INFINITY);
    CHECK(isnan(described[1].log_sum_exp) && isnan(described[1].probability));
    CHECK(isnan(described[1].max) && described[1].argmax == -1);
    for (int j = 6; j < 12; ++j) CHECK(top[j].token == -1);
  }
  /* At another temperature than the draw's, and nothing that was not asked for. */
  wanted.given = NULL;
  wanted.against = NULL;
  wanted.top = NULL;
  wanted.temperature = 0.5f;
  CHECK(demask_draw_statistics(context, &logits, &rule, NULL, keys, 2, &wanted, tokens, NULL) ==
        DEMASK_OK);
  CHECK(close_to(described[0].probability, 9.0 / 15.0));
  CHECK(isnan(described[0].given_log_probability) && isnan(described[0].divergence));
  demask_destroy(context);
}

static void draws(void) {
  static demask_key keys[MANY];
  static int32_t tokens[MANY], others[MANY];
  static uint8_t states[MANY];
  static float wide[MANY * WIDE];
  const float row[] = {0.0f, 1.0f, -INFINITY, 3.0f, 0.0f, NAN};
  demask_context *context = make(1, DEMASK_LEVEL_AUTO, MANY, 0);
  demask_logits logits = {.struct_size = sizeof logits,
                          .data = row,
                          .n_rows = MANY,
                          .vocab = 5,
                          .row_stride = 5,
                          .row_index = (const uint32_t[MANY]){0},
                          .data_rows = 1};
  for (uint32_t i = 0; i < MANY; ++i) keys[i].position = i;

  CHECK(plain_draw(context, &logits, 1.0f, -1, keys, MANY, others, NULL) == DEMASK_OK);
  CHECK(plain_draw(context, &logits, 1.0f, 5, keys, MANY, tokens, states) == DEMASK_OK);
  CHECK(memcmp(tokens, others, sizeof tokens) == 0); /* a token past the vocabulary excludes none */
  for (int i = 0; i < MANY; ++i) CHECK(states[i] == DEMASK_ROW_DRAWN);
  CHECK(plain_draw(context, &logits, 0.0f, -1, keys, MANY, tokens, NULL) == DEMASK_OK);
  for (int i = 0; i < MANY; ++i) CHECK(tokens[i] == 3);
  CHECK(plain_draw(context, &logits, 0.0f, 3, keys, 0, NULL, NULL) == DEMASK_ERR_SHAPE);
  logits.n_rows = 0;
  CHECK(plain_draw(context, &logits, 0.0f, 3, NULL, 0, NULL, NULL) == DEMASK_OK);

  /* A tie, and a NaN, which no number of draws makes good. */
  logits.row_index = NULL;
  logits.n_rows = 2;
  const float pair[] = {0.0f, 1.0f, 1.0f, 0.0f, 0.0f, 0.0f, NAN, 0.0f, 0.0f, 0.0f};
  logits.data = pair;
  demask_draw_rule rule = {.struct_size = sizeof rule};
  CHECK(demask_draw(context, &logits, &rule, NULL, keys, 2, 3, tokens, states) == DEMASK_OK);
  for (int j = 0; j < 3; ++j) CHECK(tokens[j] == 1 && tokens[3 + j] == -1); /* the lowest */
  CHECK(states[0] == DEMASK_ROW_DRAWN && states[1] == DEMASK_ROW_BAD);
  CHECK(demask_draw(context, &logits, &rule, NULL, keys, 2, 1, tokens, NULL) == DEMASK_OK);
  CHECK(tokens[0] == 1 && tokens[1] == -1);
  demask_destroy(context);

  /* Enough work for a pool; the same tokens on every number of threads. */
  for (int i = 0; i < MANY * WIDE; ++i) wide[i] = (float)(i % 251) / 25.0f;
  demask_logits much = {.struct_size = sizeof much,
                        .data = wide,
                        .n_rows = MANY,
                        .vocab = WIDE,
                        .row_stride = WIDE};
  for (uint32_t threads = 1; threads <= 3; ++threads) {
    context = make(threads, DEMASK_LEVEL_AUTO, MANY, 0);
    int32_t *to = threads == 1 ? others : tokens;
    CHECK(plain_draw(context, &much, 1.0f, -1, keys, MANY, to, NULL) == DEMASK_OK);
    CHECK(memcmp(to, others, MANY * sizeof *to) == 0);
    demask_destroy(context);
  }
}

/* Remasking by plan and by full steps: the same tokens, kinds and states. */
static void remasking(void) {
  enum { POSITIONS = 64, VOCAB = 5, STEPS = 8, MASK = 4 };
  static int32_t tokens[2][POSITIONS];
  static uint8_t kinds[2][POSITIONS];
  static demask_position_state states[2][POSITIONS];
  static float data[POSITIONS * VOCAB], planned[POSITIONS * VOCAB];
  for (int i = 0; i < POSITIONS * VOCAB; ++i) data[i] = (float)(i * 7 % 5) / 2.0f;
  demask_context *context = make(1, DEMASK_LEVEL_AUTO, POSITIONS, 1);
  demask_policy policy;
  CHECK(demask_policy_sampler(DEMASK_SAMPLER_ANCESTRAL, DEMASK_NOISE_LINEAR, STEPS, &policy,
                              sizeof policy) == DEMASK_OK);
  policy.update = DEMASK_UPDATE_REMASK;
  policy.remask = DEMASK_REMASK_RESCALE;
  policy.remask_eta = 0.75;
  policy.remask_from = INFINITY;
  CHECK(demask_policy_check(&policy) == DEMASK_OK);
  demask_time_grid *times = NULL;
  CHECK(demask_time_grid_create_remdm_loop(STEPS, 0.6, 0.2, 0.7, &times) == DEMASK_OK);
  for (int rule = 0; rule < 4; ++rule) {
    int by_confidence = rule % 2;
    policy.remask_by_confidence = (uint32_t)by_confidence;
    if (rule == 2) CHECK(demask_policy_remdm_loop(0.5, times, &policy, sizeof policy) == DEMASK_OK);
    if (rule == 3)
      CHECK(demask_policy_decoder(DEMASK_DECODER_REMDM_CONFIDENT, STEPS, &policy, sizeof policy) ==
            DEMASK_OK);
    size_t remasked = 0;
    for (int full = 0; full < 2; ++full) {
      demask_segment segment = {.begin = 0, .end = POSITIONS, .seed = 3};
      demask_canvas canvas =
          canvas_of(MASK, tokens[full], POSITIONS, &segment, 1, &policy, 1);
      canvas.kinds = kinds[full];
      canvas.states = states[full];
      memset(states[full], 0, sizeof states[full]);
      memset(kinds[full], DEMASK_KIND_MASKED, sizeof kinds[full]);
      for (int i = 0; i < POSITIONS; ++i) tokens[full][i] = MASK;
      for (int step = 0; step < STEPS; ++step) {
        demask_logits logits = {.struct_size = sizeof logits,
                                .data = data,
                                .n_rows = POSITIONS,
                                .vocab = VOCAB,
                                .row_stride = VOCAB};
        demask_step_out out = {.struct_size = sizeof out};
        if (full) {
          CHECK(demask_step(context, &canvas, &logits, &out) == DEMASK_OK);
        } else {
          struct room room;
          demask_plan_buffers plan = plan_in(&room);
          CHECK(demask_plan(context, &canvas, &plan) == DEMASK_OK && plan.n_active == 1);
          for (size_t k = 0; k < plan.n_remasked; ++k)
            CHECK(kinds[full][room.remasked[k]] == DEMASK_KIND_COMMITTED);
          for (size_t k = 0; k < plan.n_rows; ++k)
            memcpy(planned + k * VOCAB, data + room.rows[k] * VOCAB, VOCAB * sizeof *data);
          logits.data = planned;
          logits.n_rows = plan.n_rows;
          CHECK(demask_step_planned(context, &canvas, &plan, &logits, &out) == DEMASK_OK);
          CHECK(out.n_revealed == plan.n_rows && out.n_remasked == plan.n_remasked);
          remasked += out.n_remasked;
        }
        for (int i = 0; i < POSITIONS; ++i) {
          int masked = tokens[full][i] == MASK;
          CHECK(masked == (kinds[full][i] == DEMASK_KIND_MASKED));
          CHECK(masked ? states[full][i].step == 0 : states[full][i].step > 0);
          CHECK(masked || (states[full][i].probability > 0) == by_confidence);
        }
      }
    }
    CHECK(remasked > 0);
    CHECK(memcmp(tokens[0], tokens[1], sizeof tokens[0]) == 0);
    CHECK(memcmp(kinds[0], kinds[1], sizeof kinds[0]) == 0);
    CHECK(memcmp(states[0], states[1], sizeof states[0]) == 0);
  }
  demask_time_grid_destroy(times);
  demask_destroy(context);
}

/* A temperature of a policy at a step, as the header says. */
static float cooled(const demask_policy *policy, float temperature, uint32_t step) {
  if (policy->cooling == 1.0f) return temperature;
  double left = ((double)policy->steps - step) / policy->steps, end = policy->cooling;
  return (float)(temperature * (end + (1.0 - end) * left));
}

/* A step of a canvas with one segment, whose rows are drawn and described by somebody else: an accelerator,
 * for which demask_draw_statistics stands here. */
static demask_status step_described(demask_context *context, const demask_canvas *canvas,
                                    const demask_plan_buffers *plan, const demask_logits *logits,
                                    demask_step_out *out) {
  const demask_policy *policy = canvas->policies;
  const demask_segment *segment = canvas->segments;
  demask_key keys[MOST_ROWS];
  uint32_t standing[MOST_ROWS];
  int32_t drawn[MOST_ROWS];
  uint8_t row_state[MOST_ROWS];
  demask_row_statistics described[MOST_ROWS];
  demask_row_record records[MOST_ROWS];
  for (size_t k = 0; k < plan->n_rows; ++k) {
    uint32_t at = plan->rows[k];
    keys[k] = (demask_key){segment->seed, segment->stream, segment->step, at - segment->begin};
    standing[k] = (uint32_t)canvas->tokens[at];
  }
  demask_draw_rule rule = {.struct_size = sizeof rule,
                           .temperature = cooled(policy, policy->temperature, segment->step)};
  demask_constraints constraints = {.struct_size = sizeof constraints,
                                    .excluded = canvas->mask_token};
  demask_logits rows = *logits;
  rows.earlier = NULL;
  demask_statistics statistics = {
      .struct_size = sizeof statistics,
      .temperature = cooled(policy, policy->score_temperature, segment->step),
      .given = standing,
      .against = plan->n_earlier > 0 ? logits->earlier : NULL,
      .rows = described};
  CHECK(demask_draw_statistics(context, &rows, &rule, &constraints, keys, plan->n_rows,
                               &statistics, drawn, row_state) == DEMASK_OK);
  for (size_t k = 0; k < plan->n_rows; ++k)
    records[k] = (demask_row_record){drawn[k], row_state[k], described[k]};
  return demask_advance(context, canvas, plan, logits->vocab, records, plan->n_rows, out);
}

/* Rules that look at committed positions again, or at the step before, and those without masks, to
 * their end: by plan and step and by full steps. The prompt stays, and all is revealed. */
static void revisions(void) {
  enum { POSITIONS = 24, PROMPT = 2, VOCAB = 7, MASK = 6, STEPS = 9, RULES = 8, MOST = 400 };
  enum { PLANNED, FULL, DESCRIBED, FORMS };
  static const uint32_t decoders[RULES - 1] = {
      DEMASK_DECODER_HIERARCHY_REMASK, DEMASK_DECODER_KLASS,  DEMASK_DECODER_WINO,
      DEMASK_DECODER_LLADA21,          DEMASK_DECODER_P2,     DEMASK_DECODER_DIFFUSION_GEMMA,
      DEMASK_DECODER_P2};
  static int32_t tokens[FORMS][POSITIONS];
  static uint8_t kinds[FORMS][POSITIONS];
  static demask_position_state states[FORMS][POSITIONS];
  static float data[2][POSITIONS * VOCAB], planned[2][POSITIONS * VOCAB];
  demask_context *context = make(1, DEMASK_LEVEL_AUTO, POSITIONS, 1);
  size_t remasked = 0, edited = 0, renoised = 0, extra = 0;
  for (int rule = 0; rule < RULES; ++rule) {
    demask_policy policy;
    size_t size = sizeof policy;
    int last = rule == RULES - 1;
    if (last) {
      CHECK(demask_policy_sampler(DEMASK_SAMPLER_UNIFORM_STATE, DEMASK_NOISE_COSINE, STEPS, &policy,
                                  size) == DEMASK_OK);
      policy.noise_tokens = MASK;
    } else {
      uint32_t steps = decoders[rule] == DEMASK_DECODER_LLADA21 ? 0 : STEPS;
      CHECK(demask_policy_decoder(decoders[rule], steps, &policy, size) == DEMASK_OK);
      if (policy.update == DEMASK_UPDATE_DOUBT || policy.update == DEMASK_UPDATE_EDIT)
        policy.threshold = policy.threshold_2 = policy.update_threshold = 0.3;
      if (policy.update == DEMASK_UPDATE_RENOISE) policy.noise_tokens = MASK;
    }
    CHECK(demask_policy_check(&policy) == DEMASK_OK);
    int maskless = policy.update >= DEMASK_UPDATE_RENOISE;
    uint32_t made[FORMS] = {0};
    for (int form = 0; form < FORMS; ++form) {
      demask_segment segment = {.begin = 0, .end = POSITIONS, .seed = 3, .stream = 1};
      demask_canvas canvas =
          canvas_of(MASK, tokens[form], POSITIONS, &segment, 1, &policy, 1);
      canvas.kinds = kinds[form];
      canvas.states = states[form];
      memset(states[form], 0, sizeof states[form]);
      for (int i = 0; i < POSITIONS; ++i) {
        tokens[form][i] = i < PROMPT ? 40 + i : MASK;
        kinds[form][i] = i < PROMPT ? DEMASK_KIND_FIXED : DEMASK_KIND_MASKED;
      }
      if (maskless) {
        CHECK(demask_randomize(context, &canvas, 0) == DEMASK_ERR_SHAPE);
        CHECK(demask_randomize(context, &canvas, MASK) == DEMASK_OK);
        for (int i = PROMPT; i < POSITIONS; ++i) CHECK(tokens[form][i] >= 0 && tokens[form][i] < MASK);
      }
      for (int step = 0;; ++step) {
        CHECK(step < MOST);
        /* A network that changes its mind every third step, or always where tokens are edited. */
        int period = policy.update == DEMASK_UPDATE_EDIT ? 1 : 3;
        for (int when = 0; when < 2; ++when)
          for (int i = 0; i < POSITIONS * VOCAB; ++i) {
            int before = step > when ? step - when : 0;
            data[when][i] = (float)((i * 5 + before / period * 11) % 13) / 3.0f;
          }
        demask_logits earlier = {.struct_size = sizeof earlier,
                                 .data = data[1],
                                 .n_rows = POSITIONS,
                                 .vocab = VOCAB,
                                 .row_stride = VOCAB};
        demask_logits logits = earlier;
        logits.data = data[0];
        logits.earlier = &earlier;
        struct room room;
        demask_plan_buffers plan = plan_in(&room);
        CHECK(demask_plan(context, &canvas, &plan) == DEMASK_OK);
        if (plan.n_active == 0) {
          made[form] = (uint32_t)step;
          extra += segment.extra_steps;
          break;
        }
        CHECK(room.reads_earlier[0] == (policy.select == DEMASK_SELECT_STABLE && step > 0));
        demask_step_out out = {.struct_size = sizeof out};
        if (form == FULL) {
          CHECK(demask_step(context, &canvas, &logits, &out) == DEMASK_OK);
        } else {
          for (size_t k = 0; k < plan.n_rows; ++k)
            for (int when = 0; when < 2; ++when)
              memcpy(planned[when] + k * VOCAB, data[when] + room.rows[k] * VOCAB, VOCAB * sizeof **data);
          logits.data = planned[0];
          earlier.data = planned[1];
          logits.n_rows = earlier.n_rows = plan.n_rows;
          uint8_t row_state[POSITIONS];
          out.row_state = row_state;
          if (form == PLANNED)
            CHECK(demask_step_planned(context, &canvas, &plan, &logits, &out) == DEMASK_OK);
          else
            CHECK(step_described(context, &canvas, &plan, &logits, &out) == DEMASK_OK);
          size_t counted[5] = {0};
          for (size_t k = 0; k < plan.n_rows; ++k) ++counted[row_state[k]];
          CHECK(counted[DEMASK_ROW_REMASKED] == out.n_remasked);
          CHECK(counted[DEMASK_ROW_RENOISED] == out.n_renoised);
          CHECK(counted[DEMASK_ROW_DRAWN] >= out.n_revealed + out.n_edited);
        }
        CHECK(segment.revealed == out.n_revealed);
        remasked += out.n_remasked;
        edited += out.n_edited;
        renoised += out.n_renoised;
      }
      for (int i = 0; i < POSITIONS; ++i) {
        CHECK(i < PROMPT ? tokens[form][i] == 40 + i : tokens[form][i] != MASK);
        CHECK(kinds[form][i] == (i < PROMPT ? DEMASK_KIND_FIXED : DEMASK_KIND_COMMITTED));
      }
    }
    for (int form = FULL; form < FORMS; ++form) {
      CHECK(made[form] == made[0] && made[0] > 0);
      CHECK(memcmp(tokens[0], tokens[form], sizeof tokens[0]) == 0);
      CHECK(memcmp(kinds[0], kinds[form], sizeof kinds[0]) == 0);
      CHECK(memcmp(states[0], states[form], sizeof states[0]) == 0);
    }
  }
  CHECK(remasked > 0);
  CHECK(edited > 0);
  CHECK(renoised > 0);
  CHECK(extra > 0);
  demask_destroy(context);
}

/* What a canvas says beside its tokens: bans, and scores from elsewhere. */
static void constraints_and_priors(void) {
  enum { POSITIONS = 9, VOCAB = 6, MASK = 5, BEST = 6 };
  static float data[POSITIONS * VOCAB], prior[POSITIONS];
  for (int i = 0; i < POSITIONS * VOCAB; ++i) data[i] = (float)(i * 5 % 7);
  for (int i = 0; i < POSITIONS; ++i) prior[i] = i == BEST ? 1.5f : (float)i / 8.0f;
  demask_context *context = make(1, DEMASK_LEVEL_AUTO, POSITIONS, 1);
  demask_policy policy;
  CHECK(demask_policy_decoder(DEMASK_DECODER_LLADA, 0, &policy, sizeof policy) == DEMASK_OK);
  policy.score = DEMASK_SCORE_EXTERNAL;
  policy.score_priors = 1;
  static const uint32_t banned[2] = {0, 3};
  demask_constraints constraints;
  CHECK(demask_constraints_init(&constraints, sizeof constraints) == DEMASK_OK);
  constraints.banned = banned;
  constraints.n_banned = 2;
  /* Row by row, by position: the position in the middle may not get token 1 or 4. */
  static const demask_token_bias row_bias[2] = {{1, -INFINITY}, {4, -INFINITY}};
  uint32_t row_bias_offsets[POSITIONS + 1];
  for (int i = 0; i <= POSITIONS; ++i) row_bias_offsets[i] = i > POSITIONS / 2 ? 2 : 0;
  constraints.row_bias_offsets = row_bias_offsets;
  constraints.row_bias = row_bias;
  constraints.n_row_bias = 2;
  int32_t tokens[POSITIONS];
  for (int i = 0; i < POSITIONS; ++i) tokens[i] = MASK;
  demask_segment segment = {.begin = 0, .end = POSITIONS, .seed = 3};
  demask_canvas canvas = canvas_of(MASK, tokens, POSITIONS, &segment, 1, &policy, 1);
  canvas.constraints = &constraints;
  canvas.prior_add = prior;
  demask_logits logits = {.struct_size = sizeof logits,
                          .data = data,
                          .n_rows = POSITIONS,
                          .vocab = VOCAB,
                          .row_stride = VOCAB};
  constraints.excluded = 1; /* the mask is, and no other */
  CHECK(demask_step(context, &canvas, &logits, NULL) == DEMASK_ERR_ARGUMENT);
  constraints.excluded = -1;
  for (int step = 0; step < POSITIONS; ++step) {
    /* One position a step: the largest prior first, then from the right. */
    int at = step == 0 ? BEST : POSITIONS - step > BEST ? POSITIONS - step : POSITIONS - step - 1;
    CHECK(tokens[at] == MASK);
    CHECK(demask_step(context, &canvas, &logits, NULL) == DEMASK_OK);
    int best = -1;
    for (int v = 0; v < VOCAB; ++v) {
      int out = v == 0 || v == 3 || v == MASK || (at == POSITIONS / 2 && (v == 1 || v == 4));
      if (!out && (best < 0 || data[at * VOCAB + v] > data[at * VOCAB + best])) best = v;
    }
    CHECK(tokens[at] == best);
  }
  demask_destroy(context);
}

/* Two windows: all kinds of positions, a bad row, and what is drawn is what demask_draw draws. */
static void steps(void) {
  enum { POSITIONS = 10, VOCAB = 7, MASK = 3 };
  const uint8_t start_kinds[POSITIONS] = {1, 0, 1, 3, 1, 2, 1, 1, 1, 0};
  float data[POSITIONS * VOCAB];
  for (int i = 0; i < POSITIONS * VOCAB; ++i) data[i] = (float)(i % 4);
  data[2 * VOCAB + 4] = INFINITY;
  demask_context *context = make(1, DEMASK_LEVEL_AUTO, POSITIONS, 2);
  demask_policy policy;
  CHECK(demask_policy_random_order(1, &policy, sizeof policy) == DEMASK_OK);
  for (int with_kinds = 0; with_kinds < 2; ++with_kinds) {
    int32_t tokens[POSITIONS], drawn[POSITIONS];
    uint8_t kinds[POSITIONS], states[POSITIONS];
    memcpy(kinds, start_kinds, sizeof kinds);
    for (int i = 0; i < POSITIONS; ++i)
      tokens[i] = with_kinds || kinds[i] == DEMASK_KIND_MASKED ? MASK : 100 + i;
    demask_segment segments[2] = {{.begin = 0, .end = 5, .seed = 5, .stream = 6, .step = 0},
                                  {.begin = 6, .end = 10, .seed = 5, .stream = 7, .origin = 90}};
    demask_canvas canvas = canvas_of(MASK, tokens, POSITIONS, segments, 2, &policy, 1);
    if (with_kinds) canvas.kinds = kinds;
    demask_logits logits = {.struct_size = sizeof logits,
                            .data = data,
                            .n_rows = POSITIONS,
                            .vocab = VOCAB,
                            .row_stride = VOCAB};
    demask_step_out out = {.struct_size = sizeof out, .tokens = drawn, .row_state = states};
    CHECK(demask_step(context, &canvas, &logits, &out) == DEMASK_OK);
    CHECK(out.n_active == 2 && out.n_revealed == 5 && out.n_bad_rows == 1);
    for (int i = 0; i < POSITIONS; ++i) {
      int moved = start_kinds[i] == DEMASK_KIND_MASKED, bad = i == 2, second = i >= 6;
      demask_key key = {5, second ? 7 : 6, 0, (uint32_t)(second ? 90 + i - 6 : i)};
      int32_t token;
      demask_logits row = logits;
      row.data = data + i * VOCAB;
      row.n_rows = 1;
      CHECK(plain_draw(context, &row, 1.0f, MASK, &key, 1, &token, NULL) == DEMASK_OK);
      CHECK(drawn[i] == (moved ? token : -1));
      CHECK(states[i] ==
            (!moved ? DEMASK_ROW_SKIPPED : bad ? DEMASK_ROW_BAD : DEMASK_ROW_DRAWN));
      if (moved && !bad) {
        CHECK(tokens[i] == token && token != MASK);
        CHECK(kinds[i] == (with_kinds ? DEMASK_KIND_COMMITTED : DEMASK_KIND_MASKED));
      } else {
        CHECK(tokens[i] == (with_kinds || moved ? MASK : 100 + i) && kinds[i] == start_kinds[i]);
      }
    }
    CHECK(segments[0].step == 1 && segments[1].step == 1 && segments[0].log_masked == 0.0);
    /* The steps are used up: nothing may move any more, and the mask that is left stays. */
    CHECK(demask_step(context, &canvas, &logits, &out) == DEMASK_OK);
    CHECK(out.n_active == 0 && out.n_revealed == 0 && tokens[2] == MASK);
    CHECK(demask_step(context, &canvas, &logits, NULL) == DEMASK_OK);
  }
  demask_destroy(context);
}

/* A plan names times, and what demask_hitting_times_next gives; an empty one needs no logits. */
static void plans(void) {
  int32_t tokens[6] = {-1, -1, -1, -1, 8, 9};
  demask_segment segments[3] = {{.begin = 0, .end = 3, .seed = 1, .stream = 2},
                                {.begin = 3, .end = 4, .seed = 1, .stream = 3, .policy = 1},
                                {.begin = 4, .end = 6, .seed = 1, .stream = 4}};
  demask_policy policy[2];
  CHECK(demask_policy_first_hitting(DEMASK_NOISE_COSINE, &policy[0], sizeof *policy) == DEMASK_OK);
  CHECK(demask_policy_euler(DEMASK_NOISE_LINEAR, 1000000, &policy[1], sizeof *policy) == DEMASK_OK);
  struct room room;
  demask_plan_buffers plan = plan_in(&room);
  demask_canvas canvas = canvas_of(-1, tokens, 6, segments, 3, policy, 2);
  const uint32_t *rows = room.rows, *offsets = room.offsets;
  const double *log_masked = room.log_masked, *times = room.times;
  demask_options options;
  demask_context *context, *other = make(1, DEMASK_LEVEL_AUTO, 6, 3);
  CHECK(demask_options_init(&options, sizeof options) == DEMASK_OK);
  options.max_positions = 6;
  options.max_segments = 3;
  options.max_policies = 0; /* as many as segments */
  CHECK(demask_create(&options, &context) == DEMASK_OK);
  CHECK(demask_plan(other, &canvas, &plan) == DEMASK_ERR_CAPACITY); /* 1 policy by default */

  CHECK(demask_plan(context, &canvas, &plan) == DEMASK_OK);
  CHECK(plan.n_segments == 3 && plan.n_active == 2 && plan.n_rows == 1);
  CHECK(offsets[0] == 0 && offsets[1] == 1 && offsets[2] == 1 && offsets[3] == 1 && rows[0] < 3);
  demask_key key = {1, 2, 0, 0};
  uint32_t masks = 3;
  double next = 0.0, time;
  CHECK(demask_hitting_times_next(&key, &masks, &next, 1) == DEMASK_OK);
  CHECK(log_masked[0] == next && log_masked[1] == 0.0 && log_masked[2] == 0.0);
  demask_noise cosine = schedule(DEMASK_NOISE_COSINE);
  CHECK(demask_noise_time(&cosine, next, &time) == DEMASK_OK);
  CHECK(times[0] == time && times[1] == 1.0 && times[2] == 0.0);

  /* The step moves the position and the time of the first segment, and every step number. */
  const float row[2] = {0.0f, 1.0f};
  demask_logits logits = {
      .struct_size = sizeof logits, .data = row, .n_rows = 1, .vocab = 2, .row_stride = 2};
  CHECK(demask_step_planned(context, &canvas, &plan, &logits, NULL) == DEMASK_OK);
  for (int i = 0; i < 6; ++i) CHECK((tokens[i] == -1) == (i < 4 && (uint32_t)i != rows[0]));
  CHECK(segments[0].log_masked == next && segments[1].log_masked == 0.0);
  for (int i = 0; i < 3; ++i) CHECK(segments[i].step == 1);

  /* Only the Euler segment is left: a millionth is all that it may move. */
  canvas.segments = segments + 1;
  canvas.n_segments = 1;
  plan.times = NULL;
  CHECK(demask_plan(context, &canvas, &plan) == DEMASK_OK);
  CHECK(plan.n_segments == 1 && plan.n_active == 1 && plan.n_rows == 0);
  plan.rows = NULL;
  demask_step_out out = {.struct_size = sizeof out};
  CHECK(demask_step_planned(context, &canvas, &plan, NULL, &out) == DEMASK_OK);
  CHECK(out.n_active == 1 && out.n_revealed == 0 && segments[1].step == 2 && tokens[3] == -1);

  /* An empty canvas is done. */
  demask_canvas empty = {.struct_size = sizeof empty};
  plan.rows_capacity = 0;
  CHECK(demask_plan(context, &empty, &plan) == DEMASK_OK);
  CHECK(plan.n_segments == 0 && plan.n_active == 0 && plan.n_rows == 0 && offsets[0] == 0);
  CHECK(demask_step_planned(context, &empty, &plan, NULL, NULL) == DEMASK_OK);
  demask_logits none = {.struct_size = sizeof none};
  CHECK(demask_step(context, &empty, &none, &out) == DEMASK_OK && out.n_active == 0);
  demask_destroy(other);
  demask_destroy(context);
}

int main(void) {
  versions_levels_and_texts();
  policies();
  noise_schedules();
  keys();
  hitting_times();
  draw_laws();
  statistics();
  draws();
  steps();
  remasking();
  revisions();
  constraints_and_priors();
  plans();
  return checks_end("calls");
}
