/* All that calls read and write, in one struct whose bytes can be compared before and after a call; and a
 * good set of arguments for each call, from which mistakes start. */
#ifndef WORLD_H
#define WORLD_H

#include "check.h"
#include <demask.h>
#include <math.h>
#include <string.h>

enum { POSITIONS = 8, SEGMENTS = 2, POLICIES = 2, VOCAB = 4, STRIDE = 5, ROWS = 8 };
enum { MASK = -1, CANARY = 0x5A };

/* A struct of a later version, with 8 bytes that this library does not know. */
struct later_segment {
  demask_segment known;
  uint64_t unknown;
};
struct later_policy {
  demask_policy known;
  uint64_t unknown;
};

static struct world {
  demask_options options;
  uint32_t after_options, more_after_options;
  demask_context *made;
  int32_t tokens[POSITIONS + 1];
  uint8_t kinds[POSITIONS];
  demask_segment segments[SEGMENTS + 1];
  demask_policy policies[POLICIES + 1];
  struct later_segment later_segments[SEGMENTS];
  struct later_policy later_policies[POLICIES];
  demask_canvas canvas;
  uint64_t after_canvas;
  demask_plan_buffers plan;
  uint64_t after_plan;
  uint32_t rows[ROWS + 1], offsets[SEGMENTS + 2], steps[SEGMENTS + 1];
  double log_masked[SEGMENTS + 1], times[SEGMENTS + 1];
  float data[ROWS * STRIDE + 1];
  uint32_t row_index[ROWS + 1];
  demask_logits logits;
  uint64_t after_logits;
  float guide_data[ROWS * VOCAB];
  demask_logits guide;
  uint64_t after_guide;
  demask_draw_rule rule;
  uint32_t after_rule, more_after_rule;
  uint32_t banned[2], allowed[ROWS];
  demask_token_bias bias[2];
  uint32_t row_bias_offsets[ROWS + 1];
  demask_token_bias row_bias[2];
  demask_constraints constraints;
  uint64_t after_constraints;
  uint32_t given[ROWS];
  demask_row_statistics described[ROWS + 1];
  demask_top_token top[2 * ROWS + 1];
  demask_statistics statistics;
  uint64_t after_statistics;
  size_t n_keys, n_draws;
  demask_step_out out;
  uint64_t after_out;
  int32_t drawn[ROWS + 1];
  uint8_t row_state[ROWS];
  demask_key keys[ROWS + 1];
  uint32_t masks[ROWS + 1];
  double events[ROWS + 1];
  double number;
  uint32_t count;
  demask_row_record records[ROWS + 1];
  size_t first, n_records, vocab;
  demask_race_result races[ROWS + 1], other_races[ROWS];
  demask_shard_records *made_records;
  demask_shard_merge *made_merge;
  const demask_shard_records *shards[2];
  demask_shard_token shard_tokens[ROWS + 1];
  int32_t shard_given[ROWS];
  uint32_t blocks[ROWS + 1];
  size_t offset, n_shards;
  const uint8_t *bytes_at;
  size_t n_bytes;
  uint8_t bytes[1024];
  demask_noise noise;
  uint64_t after_noise;
  double logs[3];
  demask_noise_table *table;
  demask_time_grid *grid;
  uint64_t words[4];
  double gaps[ROWS], profile[ROWS];
} w, before;

static demask_context *context;
static demask_shard_records *shard_records;
static demask_shard_merge *shard_merge;
static demask_time_grid *time_grid;
static demask_sizes *sizes; /* of at most ROWS masks in 3 steps */

/* The pointer `bytes` further: misaligned, unless it is to bytes. */
#define ODD(type, pointer) ((type *)(void *)((char *)(pointer) + 1))

/* A good world: two segments of four positions, a full set of arguments for every call. */
static void reset(void) {
  memset(&w, CANARY, sizeof w);
  CHECK(demask_options_init(&w.options, sizeof w.options) == DEMASK_OK);
  w.options.max_positions = POSITIONS;
  w.options.max_segments = SEGMENTS;
  w.options.max_policies = POLICIES;
  w.after_options = w.more_after_options = w.after_rule = w.more_after_rule = 0;
  w.after_canvas = w.after_plan = w.after_logits = w.after_guide = w.after_out = 0;
  w.after_constraints = w.after_statistics = w.after_noise = 0;
  w.noise = (demask_noise){.struct_size = sizeof w.noise, .schedule = DEMASK_NOISE_COSINE};
  for (int i = 0; i < 3; ++i) w.logs[i] = -1.0 - i;
  for (int i = 0; i <= POSITIONS; ++i) w.tokens[i] = MASK;
  memset(w.kinds, DEMASK_KIND_MASKED, sizeof w.kinds);
  memset(w.segments, 0, sizeof w.segments);
  for (uint32_t i = 0; i <= SEGMENTS; ++i) {
    w.segments[i].begin = 4 * i;
    w.segments[i].end = 4 * i + 4;
    w.segments[i].stream = i;
  }
  w.segments[1].policy = 1;
  CHECK(demask_policy_first_hitting(DEMASK_NOISE_LINEAR, &w.policies[0], sizeof(demask_policy)) ==
        DEMASK_OK);
  CHECK(demask_policy_random_order(2, &w.policies[1], sizeof(demask_policy)) == DEMASK_OK);
  w.policies[POLICIES] = w.policies[0];
  for (int i = 0; i < SEGMENTS; ++i) {
    w.later_segments[i].known = w.segments[i];
    w.later_segments[i].unknown = 0;
    w.later_policies[i].known = w.policies[i];
    w.later_policies[i].known.struct_size = sizeof(struct later_policy);
    w.later_policies[i].unknown = 0;
  }
  w.canvas = (demask_canvas){.struct_size = sizeof w.canvas,
                             .mask_token = MASK,
                             .tokens = w.tokens,
                             .kinds = w.kinds,
                             .n_positions = POSITIONS,
                             .segments = w.segments,
                             .n_segments = SEGMENTS,
                             .policies = w.policies,
                             .n_policies = POLICIES,
                             .segment_size = sizeof(demask_segment),
                             .policy_size = sizeof(demask_policy)};
  w.plan = (demask_plan_buffers){.struct_size = sizeof w.plan,
                                 .rows = w.rows,
                                 .rows_capacity = ROWS,
                                 .offsets = w.offsets,
                                 .steps = w.steps,
                                 .log_masked = w.log_masked,
                                 .times = w.times,
                                 .segments_capacity = SEGMENTS,
                                 .n_segments = 77,
                                 .n_rows = 77,
                                 .n_active = 77};
  for (int i = 0; i < ROWS * STRIDE; ++i) w.data[i] = (float)(i % 3);
  for (uint32_t i = 0; i < ROWS; ++i) w.row_index[i] = i;
  w.logits = (demask_logits){.struct_size = sizeof w.logits,
                             .data = w.data,
                             .n_rows = ROWS,
                             .vocab = VOCAB,
                             .row_stride = STRIDE,
                             .row_index = w.row_index,
                             .data_rows = ROWS};
  for (int i = 0; i < ROWS * VOCAB; ++i) w.guide_data[i] = (float)(i % 5);
  w.guide = (demask_logits){.struct_size = sizeof w.guide,
                            .data = w.guide_data,
                            .n_rows = ROWS,
                            .vocab = VOCAB,
                            .row_stride = VOCAB};
  CHECK(demask_draw_rule_init(&w.rule, sizeof w.rule) == DEMASK_OK);
  CHECK(demask_constraints_init(&w.constraints, sizeof w.constraints) == DEMASK_OK);
  w.banned[0] = 1;
  w.banned[1] = 2;
  for (uint32_t i = 0; i < 2; ++i) w.bias[i] = (demask_token_bias){i, 0.5f};
  for (int i = 0; i < ROWS; ++i) w.allowed[i] = 0xFu;
  for (int i = 0; i <= ROWS; ++i) w.row_bias_offsets[i] = i > 2 ? 2 : 0;
  for (uint32_t i = 0; i < 2; ++i) w.row_bias[i] = (demask_token_bias){i, -0.5f};
  CHECK(demask_statistics_init(&w.statistics, sizeof w.statistics) == DEMASK_OK);
  for (uint32_t i = 0; i < ROWS; ++i) w.given[i] = i % VOCAB;
  w.statistics.given = w.given;
  w.statistics.against = &w.guide;
  w.statistics.rows = w.described;
  w.statistics.top = w.top;
  w.statistics.n_top = 2;
  w.n_keys = ROWS;
  w.n_draws = 1;
  w.out = (demask_step_out){.struct_size = sizeof w.out,
                            .tokens = w.drawn,
                            .row_state = w.row_state,
                            .n_active = 77,
                            .n_revealed = 77,
                            .n_bad_rows = 77};
  memset(w.keys, 0, sizeof w.keys);
  for (int i = 0; i < ROWS; ++i) {
    w.masks[i] = 4;
    w.events[i] = -0.5;
    w.gaps[i] = 0.25;
  }
  w.first = w.offset = 0;
  w.n_records = ROWS;
  w.vocab = VOCAB;
  for (uint32_t i = 0; i <= ROWS; ++i)
    w.races[i] = (demask_race_result){0.5 * i, 0.0, (int32_t)i, DEMASK_RACE_DRAWN};
  memcpy(w.other_races, w.races, sizeof w.other_races);
  w.other_races[0].score = 9.0; /* a merge changes something before it can meet a mistake */
  for (int i = 0; i < ROWS; ++i) w.shard_given[i] = i % VOCAB;
  w.shards[0] = w.shards[1] = shard_records;
  w.n_shards = 1;
}

/* As `reset`, and a plan is made: 1 row of the first segment and 2 of the second. */
static void reset_planned(void) {
  reset();
  CHECK(demask_plan(context, &w.canvas, &w.plan) == DEMASK_OK);
  CHECK(w.plan.n_segments == 2 && w.plan.n_rows == 3 && w.plan.n_active == 2);
  CHECK(w.offsets[0] == 0 && w.offsets[1] == 1 && w.offsets[2] == 3);
  CHECK(w.rows[3] == 0x5A5A5A5A && w.offsets[3] == 0x5A5A5A5A && w.steps[2] == 0x5A5A5A5A);
  w.logits.n_rows = w.plan.n_rows;
}

/* As `reset_planned`, with records of all rows. */
static void reset_drawn(void) {
  reset_planned();
  CHECK(demask_step_rows(context, &w.canvas, &w.plan, &w.logits, 0, w.records) == DEMASK_OK);
  w.n_records = w.plan.n_rows;
}

/* As `reset`, for races of shards. */
static void reset_race(void) {
  reset();
  w.rule.method = DEMASK_METHOD_RACE;
}

/* As `reset`, with the records of the only shard. */
static void reset_shard(void) {
  reset();
  CHECK(demask_shard_records_fill(context, &w.logits, 0, VOCAB, 1.0f, NULL, NULL, shard_records) ==
        DEMASK_OK);
  const uint8_t *bytes;
  CHECK(demask_shard_records_bytes(shard_records, &bytes, &w.n_bytes) == DEMASK_OK);
  CHECK(w.n_bytes <= sizeof w.bytes);
  memcpy(w.bytes, bytes, w.n_bytes);
}

/* As `reset_shard`, and the records are merged, and the tokens drawn. */
static void reset_merged(void) {
  reset_shard();
  CHECK(demask_shard_merge_records(shard_merge, w.shards, 1, w.keys, ROWS, ROWS, NULL, w.blocks) ==
        DEMASK_OK);
  CHECK(demask_shard_tokens(context, &w.logits, 0, VOCAB, 1.0f, NULL, w.keys, ROWS, w.blocks,
                            w.shard_tokens) == DEMASK_OK);
}

/* As `reset`, and the logits are guided. */
static void reset_guided(void) {
  reset();
  w.logits.guide = &w.guide;
  w.logits.guidance_scale = 1.5f;
}

/* As `reset`, with constraints of every kind. */
static void reset_constrained(void) {
  reset();
  w.constraints.excluded = 3;
  w.constraints.banned = w.banned;
  w.constraints.n_banned = 2;
  w.constraints.bias = w.bias;
  w.constraints.n_bias = 2;
  w.constraints.allowed = w.allowed;
  w.constraints.allowed_stride = 1;
  w.constraints.row_bias_offsets = w.row_bias_offsets;
  w.constraints.row_bias = w.row_bias;
  w.constraints.n_row_bias = 2;
}

static void make_objects(void) {
  reset();
  CHECK(demask_create(&w.options, &context) == DEMASK_OK);
  CHECK(demask_shard_records_create(ROWS, VOCAB, &shard_records) == DEMASK_OK);
  CHECK(demask_shard_merge_create(DEMASK_LEVEL_AUTO, ROWS, VOCAB, &shard_merge) == DEMASK_OK);
  static const double times[3] = {0.75, 0.5, 0.0};
  CHECK(demask_time_grid_create(times, 3, &time_grid) == DEMASK_OK);
  CHECK(demask_sizes_create_markov(ROWS, 3, &sizes) == DEMASK_OK);
}

static void free_objects(void) {
  demask_destroy(context);
  demask_shard_records_destroy(shard_records);
  demask_shard_merge_destroy(shard_merge);
  demask_time_grid_destroy(time_grid);
  demask_sizes_destroy(sizes);
}

#endif
