/* docs/engines.md, the second calling sequence: the positions that move are chosen before the network
 * runs. A request in which none moves is not run, and the output layer is computed only for those
 * that do. The tokens are the same as of an engine that computes all rows at every step. */
#include <demask.h>
#include <stdio.h>
#include <string.h>

enum { REQUESTS = 4, LENGTH = 12, POSITIONS = REQUESTS * LENGTH, VOCAB = 50, MASK = -1, STEPS = 32 };

/* Stands for a network that is told the time, without its output layer: a state for each position of a
 * request, and the output layer for one of them. */
static void hidden_states(const int32_t *tokens, double time, uint32_t *states);
static void output_layer(uint32_t state, float *row);

/* What the network did. */
struct cost {
  unsigned forwards, rows;
};

static demask_status decode_planned(demask_context *context, demask_canvas *canvas,
                                    struct cost *cost) {
  static uint32_t rows[POSITIONS], offsets[REQUESTS + 1], steps[REQUESTS], states[LENGTH];
  static double log_masked[REQUESTS], times[REQUESTS];
  static float data[POSITIONS * VOCAB];
  demask_status status;

  demask_plan_buffers plan = {.struct_size = sizeof plan,
                              .rows = rows, .rows_capacity = POSITIONS,
                              .offsets = offsets, .steps = steps, .log_masked = log_masked,
                              .times = times, .segments_capacity = REQUESTS};
  demask_logits logits = {.struct_size = sizeof logits, .data = data,
                          .vocab = VOCAB, .row_stride = VOCAB};
  for (;;) {
    if ((status = demask_plan(context, canvas, &plan)) != DEMASK_OK) return status;
    if (plan.n_active == 0) return DEMASK_OK; /* all requests are done */

    for (size_t i = 0; i < plan.n_segments; ++i) {
      uint32_t begin = canvas->segments[i].begin;
      if (offsets[i] == offsets[i + 1]) continue; /* nothing of request i moves: no forward */
      hidden_states(canvas->tokens + begin, times[i], states);
      ++cost->forwards;
      for (uint32_t k = offsets[i]; k < offsets[i + 1]; ++k) /* row k is position rows[k] */
        output_layer(states[rows[k] - begin], data + (size_t)k * VOCAB);
    }

    /* Also without any row: then only time passes. */
    logits.n_rows = plan.n_rows;
    cost->rows += (unsigned)plan.n_rows;
    if ((status = demask_step_planned(context, canvas, &plan, &logits, NULL)) != DEMASK_OK)
      return status;
  }
}

/* All rows at every step. A step makes the same plan for itself. */
static demask_status decode_all(demask_context *context, demask_canvas *canvas, struct cost *cost) {
  static uint32_t states[LENGTH];
  static float data[POSITIONS * VOCAB];
  demask_logits logits = {.struct_size = sizeof logits, .data = data, .n_rows = POSITIONS,
                          .vocab = VOCAB, .row_stride = VOCAB};
  for (;;) {
    for (uint32_t i = 0; i < REQUESTS; ++i) {
      double time = 0.0;
      uint32_t step = canvas->segments[i].step;
      demask_status status = demask_policy_grid_time(canvas->policies, step, &time);
      if (status != DEMASK_OK) return status;
      hidden_states(canvas->tokens + i * LENGTH, time, states);
      ++cost->forwards;
      for (uint32_t at = 0; at < LENGTH; ++at)
        output_layer(states[at], data + (i * LENGTH + at) * VOCAB);
      cost->rows += LENGTH;
    }
    demask_step_out out = {.struct_size = sizeof out};
    demask_status status = demask_step(context, canvas, &logits, &out);
    if (status != DEMASK_OK || out.n_active == 0) return status;
  }
}

static void hidden_states(const int32_t *tokens, double time, uint32_t *states) {
  for (uint32_t at = 0; at < LENGTH; ++at) {
    uint32_t state = at * 2654435761u + (uint32_t)(time * 65536.0);
    for (uint32_t i = 0; i < LENGTH; ++i) state = (state ^ (uint32_t)tokens[i]) * 1664525u + i;
    states[at] = state;
  }
}

static void output_layer(uint32_t state, float *row) {
  for (uint32_t v = 0; v < VOCAB; ++v)
    row[v] = (float)((state ^ (v * 2246822519u)) * 1664525u >> 24) / 32.0f;
}

/* The canvas at its start, whose tokens, segments and policy are the caller's. */
static demask_canvas start(int32_t *tokens, demask_segment *segments, demask_policy *policy) {
  memset(segments, 0, REQUESTS * sizeof *segments);
  for (uint32_t i = 0; i < POSITIONS; ++i) tokens[i] = MASK;
  for (uint32_t i = 0; i < REQUESTS; ++i) {
    segments[i].begin = i * LENGTH;
    segments[i].end = (i + 1) * LENGTH;
    segments[i].seed = 42;
    segments[i].stream = i;
  }
  demask_canvas canvas = {.struct_size = sizeof canvas, .mask_token = MASK,
                          .tokens = tokens, .n_positions = POSITIONS,
                          .segments = segments, .n_segments = REQUESTS,
                          .segment_size = sizeof *segments,
                          .policies = policy, .n_policies = 1, .policy_size = sizeof *policy};
  return canvas;
}

int main(void) {
  static int32_t planned[POSITIONS], all[POSITIONS];
  demask_segment segments[REQUESTS];
  demask_policy policy;
  demask_options options;
  demask_context *context;
  demask_options_init(&options, sizeof options);
  options.max_positions = POSITIONS;
  options.max_segments = REQUESTS;
  if (demask_policy_sampler(DEMASK_SAMPLER_ANCESTRAL, DEMASK_NOISE_LINEAR, STEPS, &policy,
                            sizeof policy) != DEMASK_OK ||
      demask_create(&options, &context) != DEMASK_OK)
    return 1;

  struct cost few = {0, 0}, many = {0, 0};
  demask_canvas canvas = start(planned, segments, &policy);
  demask_status status = decode_planned(context, &canvas, &few);
  canvas = start(all, segments, &policy);
  if (status == DEMASK_OK) status = decode_all(context, &canvas, &many);
  demask_destroy(context);

  int same = memcmp(planned, all, sizeof planned) == 0, masks = 0;
  for (int i = 0; i < POSITIONS; ++i) masks += planned[i] == MASK;
  printf("engine_planned: %s, %u forwards with %u rows, of %u with %u\n",
         demask_status_string(status), few.forwards, few.rows, many.forwards, many.rows);
  return status != DEMASK_OK || !same || masks > 0 || few.rows != POSITIONS ||
         2 * few.forwards > many.forwards;
}
