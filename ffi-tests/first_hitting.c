/* Whole generations through the C ABI, with the network of markov.h, whose law is known.
 *
 * With the exact denoiser, first-hitting gives samples of exactly the Markov chain, which is
 * checked; for the other samplers, how many positions are revealed when. Every generation is made
 * by plan and step, by full steps, on every level, with all policies mixed on one canvas, and that
 * by threads that draw ranges of every step: the tokens must be the same. They are printed, for
 * comparison with the same generation in Rust.
 *
 * usage: first_hitting [POLICY]   one of the names below; all of them and the mixture if none
 */
#include "check.h"
#include "markov.h"
#include <demask.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { GRID_STEPS = 16, SIZE_STEPS = 10, SAMPLERS = 12, POLICIES = 15 };
static const double GRID_END = 0.1;
static const uint64_t SEED = 2024;
static const char *const NAMES[POLICIES] = {
    "first-hitting", "euler",       "euler-sample", "euler-argmax", "random-order", "tau-leaping",
    "trapezoidal",   "extrapolated", "pre-drawn",   "tc-sizes",     "scores",       "times",
    "dream",         "maskgit",      "fast-dllm"};

/* Of TC_SIZES, and of TIMES. */
static demask_sizes *sizes_table;
static demask_time_grid *time_grid;

/* One generation: its canvas, and what was seen on the way. */
struct generation {
  int32_t tokens[POSITIONS];
  demask_segment segments[SEQUENCES];
  demask_policy policies[POLICIES];
  unsigned long calls; /* of the network */
  unsigned long rows;
  int sizes_even; /* whether each step revealed what random order promises */
};

static float logits_data[POSITIONS * STRIDE], earlier_data[POSITIONS * STRIDE];
/* The tokens that the network saw last of each sequence. */
static int32_t seen[POSITIONS];
static uint32_t row_index[POSITIONS];

static demask_canvas start(struct generation *g, int policy) {
  size_t size = sizeof(demask_policy);
  memset(g, 0, sizeof *g);
  CHECK(demask_policy_first_hitting(DEMASK_NOISE_LINEAR, &g->policies[0], size) == DEMASK_OK);
  for (uint32_t k = 1; k <= 3; ++k) {
    CHECK(demask_policy_euler(DEMASK_NOISE_LINEAR, GRID_STEPS, &g->policies[k], size) == DEMASK_OK);
    g->policies[k].end = GRID_END;
    g->policies[k].finish = k - 1;
  }
  CHECK(demask_policy_random_order(SIZE_STEPS, &g->policies[4], size) == DEMASK_OK);
  static const uint32_t samplers[SAMPLERS] = {[5] = DEMASK_SAMPLER_TAU_LEAPING,
                                              [6] = DEMASK_SAMPLER_TRAPEZOIDAL,
                                              [7] = DEMASK_SAMPLER_EXTRAPOLATED_HITTING,
                                              [8] = DEMASK_SAMPLER_ANCESTRAL,
                                              [10] = DEMASK_SAMPLER_EULER_SCORE,
                                              [11] = DEMASK_SAMPLER_EULER};
  static const uint32_t decoders[POLICIES] = {[12] = DEMASK_DECODER_DREAM,
                                              [13] = DEMASK_DECODER_MASKGIT,
                                              [14] = DEMASK_DECODER_FAST_DLLM};
  for (uint32_t k = SAMPLERS; k < POLICIES; ++k) {
    uint32_t steps = k == 14 ? 0 : SIZE_STEPS;
    CHECK(demask_policy_decoder(decoders[k], steps, &g->policies[k], size) == DEMASK_OK);
  }
  static const int32_t last_tokens[1] = {0};
  g->policies[12].last_tokens = last_tokens;
  g->policies[12].n_last_tokens = 1;
  g->policies[14].temperature = 1.0f;
  g->policies[14].threshold = g->policies[14].threshold_2 = 0.5;
  for (uint32_t k = 5; k < SAMPLERS; ++k) {
    uint32_t noise = k == 7 ? DEMASK_NOISE_COSINE : DEMASK_NOISE_LINEAR;
    if (k != 9)
      CHECK(demask_policy_sampler(samplers[k], noise, 8, &g->policies[k], size) == DEMASK_OK);
    g->policies[k].finish = DEMASK_FINISH_SAMPLE;
  }
  g->policies[6].theta = 0.375;
  g->policies[8].select = DEMASK_SELECT_PREDRAWN_BERNOULLI;
  g->policies[8].grid = DEMASK_GRID_DECAYING;
  g->policies[8].end = GRID_END;
  CHECK(demask_grid_decaying(1.0, GRID_END, 8, &g->policies[8].grid_fraction) == DEMASK_OK);
  CHECK(demask_policy_random_order(SIZE_STEPS, &g->policies[9], size) == DEMASK_OK);
  g->policies[9].sizes = DEMASK_SIZES_TABLE;
  g->policies[9].sizes_table = sizes_table;
  g->policies[10].start = 0.5;
  g->policies[10].end = GRID_END;
  g->policies[11].grid = DEMASK_GRID_TIMES;
  g->policies[11].grid_times = time_grid;
  g->policies[11].steps = 3;
  g->policies[11].start = 0.9;
  for (uint32_t i = 0; i < SEQUENCES; ++i) {
    g->segments[i].begin = i * LENGTH;
    g->segments[i].end = (i + 1) * LENGTH;
    g->segments[i].seed = SEED;
    g->segments[i].stream = i;
    g->segments[i].policy = policy < POLICIES ? (uint32_t)policy : i % POLICIES;
  }
  for (int i = 0; i < POSITIONS; ++i) g->tokens[i] = MASK;
  g->sizes_even = 1;
  demask_canvas canvas = {.struct_size = sizeof canvas,
                          .mask_token = MASK,
                          .tokens = g->tokens,
                          .n_positions = POSITIONS,
                          .segments = g->segments,
                          .n_segments = SEQUENCES,
                          .policies = g->policies,
                          .n_policies = POLICIES,
                          .segment_size = sizeof(demask_segment),
                          .policy_size = sizeof(demask_policy)};
  return canvas;
}

static void count_step(struct generation *g, size_t rows, size_t revealed) {
  uint32_t size = 0, masks = LENGTH;
  unsigned long step = g->calls;
  for (unsigned long k = 0; k <= step && k < SIZE_STEPS; ++k) {
    masks -= size;
    CHECK(demask_sizes_even(masks, (uint32_t)(SIZE_STEPS - k), &size) == DEMASK_OK);
  }
  g->sizes_even &= revealed == (size_t)size * SEQUENCES;
  g->calls += rows > 0;
  g->rows += rows;
}

enum { MAX_THREADS = 3 };

/* The part of a step's rows that a thread draws, with a context of its own. */
struct part {
  demask_context *context;
  const demask_canvas *canvas;
  const demask_plan_buffers *plan;
  demask_logits logits, earlier;
  size_t first;
  demask_row_record *records;
  demask_status status;
};

static void *draw_part(void *argument) {
  struct part *part = argument;
  part->status = demask_step_rows(part->context, part->canvas, part->plan, &part->logits,
                                  part->first, part->records);
  return NULL;
}

/* A step in two halves: its rows by so many threads, and what follows from them. */
static demask_status step_by_threads(demask_context **contexts, size_t threads,
                                     const demask_canvas *canvas, const demask_plan_buffers *plan,
                                     const demask_logits *logits, demask_step_out *out) {
  static demask_row_record records[POSITIONS];
  pthread_t handles[MAX_THREADS];
  struct part parts[MAX_THREADS];
  for (size_t t = 0; t < threads; ++t) {
    size_t first = plan->n_rows * t / threads, end = plan->n_rows * (t + 1) / threads;
    parts[t] = (struct part){.context = contexts[t],
                             .canvas = canvas,
                             .plan = plan,
                             .logits = *logits,
                             .first = first,
                             .records = records + first};
    parts[t].logits.n_rows = end - first;
    parts[t].logits.data = (const float *)logits->data + first * STRIDE;
    if (logits->earlier != NULL) {
      parts[t].earlier = parts[t].logits;
      parts[t].earlier.data = (const float *)logits->earlier->data + first * STRIDE;
      parts[t].earlier.earlier = NULL;
      parts[t].logits.earlier = &parts[t].earlier;
    }
    CHECK(pthread_create(&handles[t], NULL, draw_part, &parts[t]) == 0);
  }
  for (size_t t = 0; t < threads; ++t) {
    CHECK(pthread_join(handles[t], NULL) == 0);
    CHECK(parts[t].status == DEMASK_OK);
  }
  return demask_advance(contexts[0], canvas, plan, VOCAB, records, plan->n_rows, out);
}

/* The loop of a client that computes the rows that the plan names, and no others; steps are made in
 * one call, or by several threads, each with one of the contexts. */
static void generate_by(demask_context **contexts, size_t threads, struct generation *g,
                        int policy) {
  demask_context *context = contexts[0];
  static uint32_t rows[POSITIONS], offsets[SEQUENCES + 1], steps[SEQUENCES];
  static uint8_t reads_earlier[SEQUENCES];
  static double log_masked[SEQUENCES], times[SEQUENCES];
  demask_plan_buffers plan = {.struct_size = sizeof plan,
                              .rows = rows,
                              .rows_capacity = POSITIONS,
                              .offsets = offsets,
                              .steps = steps,
                              .log_masked = log_masked,
                              .times = times,
                              .reads_earlier = reads_earlier,
                              .segments_capacity = SEQUENCES};
  demask_canvas canvas = start(g, policy);
  for (int step = 0; step <= LENGTH; ++step) {
    CHECK(demask_plan(context, &canvas, &plan) == DEMASK_OK);
    if (plan.n_active == 0) return;
    demask_logits logits = {.struct_size = sizeof logits,
                            .data = logits_data,
                            .n_rows = plan.n_rows,
                            .vocab = VOCAB,
                            .row_stride = STRIDE};
    for (size_t k = 0; k < plan.n_rows; ++k) denoise(g->tokens, rows[k], logits_data + k * STRIDE);
    demask_logits earlier = logits;
    size_t n_earlier = 0;
    for (uint32_t i = 0; i < SEQUENCES; ++i) {
      for (uint32_t k = offsets[i]; k < offsets[i + 1]; ++k) {
        n_earlier += reads_earlier[i];
        if (reads_earlier[i]) denoise(seen, rows[k], earlier_data + (size_t)k * STRIDE);
      }
      if (offsets[i] < offsets[i + 1])
        memcpy(seen + i * LENGTH, g->tokens + i * LENGTH, LENGTH * sizeof *seen);
    }
    CHECK(n_earlier == plan.n_earlier);
    demask_step_out out = {.struct_size = sizeof out};
    if (n_earlier > 0) {
      CHECK(demask_step_planned(context, &canvas, &plan, &logits, &out) == DEMASK_ERR_SHAPE);
      earlier.data = earlier_data;
      logits.earlier = &earlier;
    }
    if (threads == 1)
      CHECK(demask_step_planned(context, &canvas, &plan, &logits, &out) == DEMASK_OK);
    else
      CHECK(step_by_threads(contexts, threads, &canvas, &plan, &logits, &out) == DEMASK_OK);
    CHECK(out.n_revealed <= plan.n_rows && out.n_bad_rows == 0);
    CHECK(out.n_revealed == plan.n_rows || n_earlier > 0 || policy > 4);
    count_step(g, plan.n_rows, out.n_revealed);
  }
  CHECK(!"the generation ends");
}

static void generate_planned(demask_context *context, struct generation *g, int policy) {
  generate_by(&context, 1, g, policy);
}

/* The loop of a client that has all logits anyway; here they lie in reverse order. */
static void generate_full(demask_context *context, struct generation *g, int policy) {
  demask_canvas canvas = start(g, policy);
  demask_logits logits = {.struct_size = sizeof logits,
                          .data = logits_data,
                          .n_rows = POSITIONS,
                          .vocab = VOCAB,
                          .row_stride = STRIDE,
                          .row_index = row_index,
                          .data_rows = POSITIONS};
  demask_logits earlier = logits;
  earlier.data = earlier_data;
  logits.earlier = &earlier;
  for (int step = 0; step <= LENGTH; ++step) {
    memcpy(earlier_data, logits_data, sizeof logits_data);
    for (uint32_t i = 0; i < POSITIONS; ++i) {
      row_index[i] = POSITIONS - 1 - i;
      denoise(g->tokens, i, logits_data + (size_t)row_index[i] * STRIDE);
    }
    demask_step_out out = {.struct_size = sizeof out};
    CHECK(demask_step(context, &canvas, &logits, &out) == DEMASK_OK);
    if (out.n_active == 0) return;
  }
  CHECK(!"the generation ends");
}

static int masks_left(const struct generation *g) {
  int masks = 0;
  for (int i = 0; i < POSITIONS; ++i) {
    CHECK(g->tokens[i] >= 0 && g->tokens[i] <= MASK);
    masks += g->tokens[i] == MASK;
  }
  return masks;
}

static int transitions_that_stay(const struct generation *g) {
  int stay = 0;
  for (int i = 0; i < POSITIONS; ++i)
    stay += i % LENGTH > 0 && g->tokens[i] != MASK && g->tokens[i] == g->tokens[i - 1];
  return stay;
}

/* Whether `count` of `trials` independent events of probability `p` is within 5 sigma. */
static int within_5_sigma(int count, int trials, double p) {
  return fabs(count - trials * p) <= 5.0 * sqrt(trials * p * (1.0 - p));
}

/* The probability that the Euler steps leave a position masked: the rate is 1/t. */
static double left_by_euler(void) {
  double left = 1.0, width = (1.0 - GRID_END) / GRID_STEPS;
  for (int k = 0; k < GRID_STEPS; ++k) left *= 1.0 - width / (1.0 - k * width);
  return left;
}

static void check_generation(const struct generation *g, int policy) {
  int masks = masks_left(g);
  if (policy == 0) {
    CHECK(masks == 0 && g->calls == LENGTH && g->rows == POSITIONS);
    CHECK(within_5_sigma(transitions_that_stay(g), TRANSITIONS, STAY));
    for (int v = 0; v < STATES; ++v) {
      int first = 0;
      for (int i = 0; i < SEQUENCES; ++i) first += g->tokens[i * LENGTH] == v;
      CHECK(within_5_sigma(first, SEQUENCES, 1.0 / STATES));
    }
  } else if (policy == 1) {
    CHECK(within_5_sigma(masks, POSITIONS, left_by_euler()));
    CHECK(g->calls <= GRID_STEPS && g->rows == (unsigned long)(POSITIONS - masks));
  } else if (policy == 4) {
    CHECK(masks == 0 && g->calls == SIZE_STEPS && g->rows == POSITIONS && g->sizes_even);
  } else if (policy == 6) {
    CHECK(masks == 0 && g->calls == 2 * 8 + 1 && g->rows > POSITIONS);
  } else if (policy == 7 || policy == 10) {
    CHECK(masks == 0 && g->calls <= 8 + 1 && g->rows > POSITIONS);
  } else if (policy >= SAMPLERS) {
    CHECK(masks == 0 && g->calls <= LENGTH && g->rows > POSITIONS);
  } else {
    CHECK(masks == 0 && g->calls <= GRID_STEPS + 1 && g->rows == POSITIONS);
  }
}

static void print_generation(const struct generation *g, int policy) {
  printf("%s: %lu network calls, %lu rows, %d masks left, %d of %d transitions stay\n",
         policy < POLICIES ? NAMES[policy] : "mixed", g->calls, g->rows, masks_left(g),
         transitions_that_stay(g), (int)TRANSITIONS);
  for (int i = 0; i < POSITIONS; ++i)
    printf("%d%c", (int)g->tokens[i], i % LENGTH == LENGTH - 1 ? '\n' : ' ');
}

static demask_status create(uint32_t level, demask_context **context) {
  demask_options options;
  CHECK(demask_options_init(&options, sizeof options) == DEMASK_OK);
  options.level = level;
  options.max_positions = POSITIONS;
  options.max_segments = SEQUENCES;
  options.max_policies = POLICIES;
  return demask_create(&options, context);
}

int main(int argc, char **argv) {
  static struct generation pure[POLICIES], other, mixed;
  fill_log_power();
  static const double grid_times[4] = {0.9, 0.8, 0.2, 0.0};
  CHECK(demask_time_grid_create(grid_times, 4, &time_grid) == DEMASK_OK);
  CHECK(demask_sizes_create_markov(LENGTH, SIZE_STEPS, &sizes_table) == DEMASK_OK);
  int first = 0, last = POLICIES - 1;
  if (argc > 1) {
    while (first < POLICIES && strcmp(argv[1], NAMES[first]) != 0) ++first;
    last = first;
    if (first == POLICIES) {
      fprintf(stderr, "unknown policy %s\n", argv[1]);
      return 2;
    }
  }

  for (uint32_t level = DEMASK_LEVEL_BASELINE; level <= DEMASK_LEVEL_AVX512; ++level) {
    demask_context *context = NULL;
    demask_status status = create(level, &context);
    fprintf(stderr, "first_hitting: level %s: %s\n", demask_level_name(level),
            demask_status_string(status));
    if (status == DEMASK_ERR_LEVEL) continue;
    CHECK(status == DEMASK_OK);
    if (status != DEMASK_OK) break;
    for (int policy = first; policy <= last; ++policy) {
      struct generation *g = level == DEMASK_LEVEL_BASELINE ? &pure[policy] : &other;
      generate_planned(context, g, policy);
      CHECK(memcmp(g->tokens, pure[policy].tokens, sizeof g->tokens) == 0);
      generate_full(context, &other, policy);
      CHECK(memcmp(other.tokens, pure[policy].tokens, sizeof other.tokens) == 0);
    }
    if (first < last) {
      generate_planned(context, &mixed, POLICIES);
      for (int i = 0; i < POSITIONS; ++i)
        CHECK(mixed.tokens[i] == pure[i / LENGTH % POLICIES].tokens[i]);
    }
    demask_destroy(context);
  }

  if (first < last) {
    demask_context *contexts[MAX_THREADS] = {NULL};
    for (uint32_t t = 0; t < MAX_THREADS; ++t)
      CHECK(create(t == 1 ? DEMASK_LEVEL_BASELINE : DEMASK_LEVEL_AUTO, &contexts[t]) == DEMASK_OK);
    for (size_t threads = 2; threads <= MAX_THREADS; ++threads) {
      generate_by(contexts, threads, &other, POLICIES);
      CHECK(memcmp(other.tokens, mixed.tokens, sizeof mixed.tokens) == 0);
      CHECK(memcmp(other.segments, mixed.segments, sizeof mixed.segments) == 0);
    }
    for (int t = 0; t < MAX_THREADS; ++t) demask_destroy(contexts[t]);
  }

  for (int policy = first; policy <= last; ++policy) {
    check_generation(&pure[policy], policy);
    print_generation(&pure[policy], policy);
  }
  if (first < last) {
    print_generation(&mixed, POLICIES);
    /* A finish touches only what Euler left. */
    for (int i = 0; i < POSITIONS; ++i)
      for (int k = 2; k <= 3; ++k)
        CHECK(pure[1].tokens[i] == MASK || pure[k].tokens[i] == pure[1].tokens[i]);
  }
  demask_time_grid_destroy(time_grid);
  demask_time_grid_destroy(NULL);
  demask_sizes_destroy(sizes_table);
  return checks_end("first_hitting");
}
