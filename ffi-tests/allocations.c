/* After demask_create, with one thread, no call allocates: the allocator's functions are wrapped
 * by the linker (--wrap) and counted. */
#include "check.h"
#include <demask.h>
#include <stdlib.h>
#include <string.h>

static unsigned long allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
int __real_posix_memalign(void **out, size_t alignment, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
int __wrap_posix_memalign(void **out, size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_malloc(size_t size) { return ++allocations, __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) {
  return ++allocations, __real_calloc(count, size);
}
void *__wrap_realloc(void *memory, size_t size) {
  return ++allocations, __real_realloc(memory, size);
}
int __wrap_posix_memalign(void **out, size_t alignment, size_t size) {
  return ++allocations, __real_posix_memalign(out, alignment, size);
}
void *__wrap_aligned_alloc(size_t alignment, size_t size) {
  return ++allocations, __real_aligned_alloc(alignment, size);
}

enum { SEGMENTS = 6, LENGTH = 20, POSITIONS = SEGMENTS * LENGTH, VOCAB = 3000, MASK = -1 };

int main(void) {
  static int32_t tokens[POSITIONS], drawn[POSITIONS];
  static uint8_t kinds[POSITIONS], states[POSITIONS];
  static demask_segment segments[SEGMENTS];
  static demask_policy policies[3];
  static uint32_t rows[POSITIONS], offsets[SEGMENTS + 1], steps[SEGMENTS], masks[POSITIONS];
  static double log_masked[SEGMENTS], times[SEGMENTS], events[POSITIONS];
  static double more_events[POSITIONS];
  static float data[POSITIONS * VOCAB];
  static demask_key keys[POSITIONS];
  static const uint32_t banned[3] = {1, 2, 3};
  static const demask_token_bias bias[2] = {{250, 1.0f}, {7, -1.0f}};
  static uint32_t allowed[(VOCAB + 31) / 32], row_bias_offsets[POSITIONS / 3 + 1];
  static demask_row_statistics described[POSITIONS];
  static demask_row_record records[POSITIONS];
  static demask_race_result races[POSITIONS];
  static demask_shard_token shard_tokens[POSITIONS];
  static uint32_t blocks[POSITIONS];
  demask_shard_records *shard = NULL;
  demask_shard_merge *merge = NULL;
  static demask_top_token top[POSITIONS * 5];
  memset(allowed, 0x5F, sizeof allowed);
  row_bias_offsets[POSITIONS / 3] = 2;
  demask_options options;
  demask_context *context = NULL;
  size_t size = sizeof(demask_policy);
  for (int i = 0; i < POSITIONS * VOCAB; ++i) data[i] = (float)(i % 251) / 32.0f;

  CHECK(demask_options_init(&options, sizeof options) == DEMASK_OK);
  options.max_positions = POSITIONS;
  options.max_segments = SEGMENTS;
  options.max_policies = 3;
  CHECK(allocations == 0);
  CHECK(demask_create(&options, &context) == DEMASK_OK);
  CHECK(allocations > 0); /* the count works */
  CHECK(demask_shard_records_create(POSITIONS, VOCAB, &shard) == DEMASK_OK);
  CHECK(demask_shard_merge_create(DEMASK_LEVEL_AUTO, POSITIONS, VOCAB, &merge) == DEMASK_OK);
  demask_time_grid *grid = NULL;
  demask_sizes *systematic = NULL;
  demask_profile_estimator *estimator = NULL;
  demask_policy looped;
  CHECK(demask_time_grid_create_remdm_loop(9, 0.5, 0.25, 0.75, &grid) == DEMASK_OK);
  CHECK(demask_sizes_create_systematic(LENGTH, 8, DEMASK_WEIGHT_TC, &systematic) == DEMASK_OK);
  CHECK(demask_profile_estimator_create(LENGTH, &estimator) == DEMASK_OK);
  allocations = 0;

  CHECK(demask_policy_first_hitting(DEMASK_NOISE_COSINE, &policies[0], size) == DEMASK_OK);
  CHECK(demask_policy_euler(DEMASK_NOISE_LINEAR, 8, &policies[1], size) == DEMASK_OK);
  CHECK(demask_policy_random_order(8, &policies[2], size) == DEMASK_OK);
  for (int planned = 0; planned < 2; ++planned) {
    memset(kinds, DEMASK_KIND_MASKED, sizeof kinds);
    for (int i = 0; i < POSITIONS; ++i) tokens[i] = MASK;
    for (uint32_t i = 0; i < SEGMENTS; ++i)
      segments[i] = (demask_segment){
          .begin = i * LENGTH, .end = (i + 1) * LENGTH, .stream = i, .policy = i % 3};
    demask_canvas canvas = {.struct_size = sizeof canvas,
                            .mask_token = MASK,
                            .tokens = tokens,
                            .kinds = kinds,
                            .n_positions = POSITIONS,
                            .segments = segments,
                            .n_segments = SEGMENTS,
                            .policies = policies,
                            .n_policies = 3,
                            .segment_size = sizeof(demask_segment),
                            .policy_size = sizeof(demask_policy)};
    demask_plan_buffers plan = {.struct_size = sizeof plan,
                                .rows = rows,
                                .rows_capacity = POSITIONS,
                                .offsets = offsets,
                                .steps = steps,
                                .log_masked = log_masked,
                                .times = times,
                                .segments_capacity = SEGMENTS,
                                .n_active = 1};
    demask_logits logits = {.struct_size = sizeof logits,
                            .data = data,
                            .n_rows = POSITIONS,
                            .vocab = VOCAB,
                            .row_stride = VOCAB};
    demask_step_out out = {
        .struct_size = sizeof out, .tokens = drawn, .row_state = states, .n_active = 1};
    for (int step = 0; step <= LENGTH; ++step) {
      if (planned) {
        CHECK(demask_plan(context, &canvas, &plan) == DEMASK_OK);
        logits.n_rows = plan.n_rows;
        if (step % 2 == 0) {
          CHECK(demask_step_planned(context, &canvas, &plan, &logits, &out) == DEMASK_OK);
        } else {
          CHECK(demask_step_rows(context, &canvas, &plan, &logits, 0, records) == DEMASK_OK);
          CHECK(demask_advance(context, &canvas, &plan, VOCAB, records, plan.n_rows, &out) ==
                DEMASK_OK);
        }
      } else {
        CHECK(demask_step(context, &canvas, &logits, &out) == DEMASK_OK);
      }
    }
    CHECK(out.n_active == 0 && memchr(kinds, DEMASK_KIND_MASKED, sizeof kinds) == NULL);
    logits.n_rows = POSITIONS;
    demask_draw_rule rule;
    demask_constraints constraints;
    CHECK(demask_draw_rule_init(&rule, sizeof rule) == DEMASK_OK);
    CHECK(demask_constraints_init(&constraints, sizeof constraints) == DEMASK_OK);
    CHECK(demask_draw(context, &logits, &rule, NULL, keys, POSITIONS, 1, drawn, states) ==
          DEMASK_OK);
    /* All at once: filters, constraints, guidance and several draws. */
    demask_logits guide = logits;
    guide.n_rows = logits.n_rows = POSITIONS / 3;
    logits.guide = &guide;
    logits.guidance_scale = 1.5f;
    rule.top_k = 50;
    rule.top_p = 0.9f;
    rule.min_p = 0.01f;
    constraints.excluded = 5;
    constraints.banned = banned;
    constraints.n_banned = 3;
    constraints.bias = bias;
    constraints.n_bias = 2;
    constraints.allowed = allowed;
    constraints.row_bias_offsets = row_bias_offsets;
    constraints.row_bias = bias;
    constraints.n_row_bias = 2;
    CHECK(demask_draw(context, &logits, &rule, &constraints, keys, POSITIONS / 3, 3, drawn,
                      states) == DEMASK_OK);
    demask_statistics statistics;
    CHECK(demask_statistics_init(&statistics, sizeof statistics) == DEMASK_OK);
    statistics.given = masks;
    statistics.against = &guide;
    statistics.rows = described;
    statistics.top = top;
    statistics.n_top = 5;
    CHECK(demask_draw_statistics(context, &logits, &rule, &constraints, keys, POSITIONS / 3,
                                 &statistics, drawn, states) == DEMASK_OK);
    logits.guide = NULL;
    logits.n_rows = POSITIONS;
    CHECK(demask_hitting_times_next(keys, masks, events, POSITIONS) == DEMASK_OK);
    CHECK(demask_hitting_times_all(context, keys, 0.0, events, POSITIONS) == DEMASK_OK);
    CHECK(demask_hitting_times_of_positions(context, keys, 0.0, masks, events, POSITIONS) ==
          DEMASK_OK);
    demask_noise noise = {.struct_size = sizeof noise, .schedule = DEMASK_NOISE_LOGARITHMIC};
    CHECK(demask_noise_times(&noise, events, more_events, POSITIONS) == DEMASK_OK);
    uint32_t next_size = 0;
    uint64_t words[4], observations;
    double mean, error, start, end;
    CHECK(demask_policy_size(&policies[2], LENGTH, LENGTH, 0, keys, &next_size) == DEMASK_OK);
    CHECK(demask_policy_remdm_loop(0.02, grid, &looped, size) == DEMASK_OK);
    CHECK(demask_time_grid_shape(grid, &next_size, &start, &end) == DEMASK_OK);
    CHECK(demask_key_state(keys, DEMASK_PURPOSE_TOKEN, words) == DEMASK_OK);
    CHECK(demask_sizes_gaps(systematic, more_events, LENGTH - 1) == DEMASK_OK);
    CHECK(demask_profile_estimator_observe(estimator, 3, events, POSITIONS) == DEMASK_OK);
    CHECK(demask_profile_estimator_mean(estimator, 3, &observations, &mean, &error) == DEMASK_OK);
    demask_draw_rule race = {
        .struct_size = sizeof race, .temperature = 1.0f, .method = DEMASK_METHOD_RACE};
    CHECK(demask_race_shard(context, &logits, 0, &race, NULL, keys, POSITIONS, races) == DEMASK_OK);
    CHECK(demask_race_merge(races, races + 1, 0) == DEMASK_OK);
    const demask_shard_records *shards[1] = {shard};
    const uint8_t *bytes;
    size_t n_bytes;
    CHECK(demask_shard_records_fill(context, &logits, 0, VOCAB, 1.0f, NULL, NULL, shard) ==
          DEMASK_OK);
    CHECK(demask_shard_records_bytes(shard, &bytes, &n_bytes) == DEMASK_OK && n_bytes > 0);
    CHECK(demask_shard_merge_records(merge, shards, 1, keys, POSITIONS, POSITIONS, described,
                                     blocks) == DEMASK_OK);
    CHECK(demask_shard_tokens(context, &logits, 0, VOCAB, 1.0f, NULL, keys, POSITIONS, blocks,
                              shard_tokens) == DEMASK_OK);
    CHECK(demask_shard_merge_finish(merge, shard_tokens, 1, POSITIONS, drawn, states, described) ==
          DEMASK_OK);
    logits.dtype = DEMASK_DTYPE_BF16 + 1;
    CHECK(demask_step(context, &canvas, &logits, &out) == DEMASK_ERR_ARGUMENT);
    CHECK(allocations == 0);
  }
  demask_destroy(context);
  demask_shard_records_destroy(shard);
  demask_shard_merge_destroy(merge);
  demask_time_grid_destroy(grid);
  demask_sizes_destroy(systematic);
  demask_profile_estimator_destroy(estimator);
  CHECK(allocations == 0);
  return checks_end("allocations");
}
