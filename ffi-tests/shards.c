/* Rows whose vocabulary is spread over shards: the race in one round, records and tokens in two. All
 * splits must give the same bits. They are printed; tests/c_abi.rs does the same in Rust, and
 * compares. The merged statistics then make the step of a decoding rule. */
#include "check.h"
#include <demask.h>
#include <math.h>
#include <string.h>

enum { ROWS = 12, VOCAB = 1500, WORDS = (VOCAB + 31) / 32, MAX_SHARDS = 4, SPLITS = 3 };
enum { MAX_BYTES = 24 + ROWS * (32 * 6 + 4 * 512) };

static const size_t EDGES[SPLITS][MAX_SHARDS + 1] = {
    {0, VOCAB}, {0, 300, VOCAB}, {0, 256, 257, 900, VOCAB}};
static const size_t SHARDS[SPLITS] = {1, 2, 4};

static float data[ROWS * VOCAB];
static uint32_t banned[3] = {1, 299, 1200}, allowed[WORDS];
static int32_t given[ROWS];
static demask_key keys[ROWS];
static demask_constraints constraints;

static uint32_t state = 3;

/* Numerical Recipes' generator: the same numbers in every language. */
static uint32_t next(void) { return state = state * 1664525u + 1013904223u; }

static void print_bits(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  /* Of a NaN only that it is one. */
  if (isnan(x)) bits = 0;
  printf(" %016llx", (unsigned long long)bits);
}

/* The columns of a shard. */
static demask_logits columns(size_t begin, size_t end) {
  return (demask_logits){.struct_size = sizeof(demask_logits),
                         .data = data + begin,
                         .n_rows = ROWS,
                         .vocab = end - begin,
                         .row_stride = VOCAB};
}

/* The tokens of whole rows and of their shards, whichever way these are merged. */
static void race(demask_context *context) {
  demask_draw_rule rule;
  int32_t whole[ROWS];
  uint8_t row_state[ROWS];
  CHECK(demask_draw_rule_init(&rule, sizeof rule) == DEMASK_OK);
  rule.temperature = 0.75f;
  rule.method = DEMASK_METHOD_RACE;
  demask_logits logits = columns(0, VOCAB);
  CHECK(demask_draw(context, &logits, &rule, &constraints, keys, ROWS, 1, whole, row_state) ==
        DEMASK_OK);
  for (int split = 0; split < SPLITS; ++split) {
    demask_race_result results[MAX_SHARDS][ROWS];
    size_t shards = SHARDS[split];
    for (size_t s = 0; s < shards; ++s) {
      logits = columns(EDGES[split][s], EDGES[split][s + 1]);
      CHECK(demask_race_shard(context, &logits, EDGES[split][s], &rule, &constraints, keys, ROWS,
                              results[s]) == DEMASK_OK);
    }
    /* A tree for four, from the last for two. */
    for (size_t step = 1; step < shards; step *= 2)
      for (size_t s = 0; s + step < shards; s += 2 * step)
        CHECK(demask_race_merge(results[s], results[s + step], ROWS) == DEMASK_OK);
    for (int k = 0; k < ROWS; ++k) {
      int drawn = row_state[k] == DEMASK_ROW_DRAWN;
      CHECK(results[0][k].token == whole[k]);
      CHECK(results[0][k].state == (drawn ? DEMASK_RACE_DRAWN : DEMASK_RACE_BAD));
    }
    if (split == 0)
      for (int k = 0; k < ROWS; ++k) {
        printf("race %d: %d", k, (int)results[0][k].token);
        print_bits(results[0][k].score);
        print_bits(results[0][k].score_rest);
        printf("\n");
      }
  }
}

/* Both rounds over a split, records travelling as bytes. */
static void rounds(demask_context *context, int split, demask_row_statistics *statistics,
                   int32_t *tokens, uint8_t *row_state) {
  static uint8_t sent[MAX_SHARDS][1 + MAX_BYTES];
  const demask_shard_records *received[MAX_SHARDS];
  demask_shard_token shard_tokens[MAX_SHARDS][ROWS];
  demask_shard_merge *merge = NULL;
  uint32_t blocks[ROWS];
  size_t shards = SHARDS[split];
  for (size_t s = 0; s < shards; ++s) {
    size_t begin = EDGES[split][s], end = EDGES[split][s + 1], n_bytes = 0;
    const uint8_t *bytes = NULL;
    demask_shard_records *own = NULL, *theirs = NULL;
    CHECK(demask_shard_records_create(ROWS, end - begin, &own) == DEMASK_OK);
    CHECK(demask_shard_records_create(ROWS, end - begin, &theirs) == DEMASK_OK);
    demask_logits logits = columns(begin, end);
    CHECK(demask_shard_records_fill(context, &logits, begin, VOCAB, 0.75f, &constraints, given,
                                    own) == DEMASK_OK);
    CHECK(demask_shard_records_bytes(own, &bytes, &n_bytes) == DEMASK_OK);
    CHECK(n_bytes > 24 && n_bytes <= MAX_BYTES);
    memcpy(sent[s] + 1, bytes, n_bytes); /* misaligned */
    CHECK(demask_shard_records_read(theirs, sent[s] + 1, n_bytes) == DEMASK_OK);
    demask_shard_records_destroy(own);
    received[s] = theirs;
  }
  CHECK(demask_shard_merge_create(DEMASK_LEVEL_AUTO, ROWS, VOCAB, &merge) == DEMASK_OK);
  CHECK(demask_shard_merge_records(merge, received, shards, keys, ROWS, ROWS, NULL, blocks) ==
        DEMASK_OK);
  for (size_t s = 0; s < shards; ++s) {
    size_t begin = EDGES[split][s], end = EDGES[split][s + 1];
    demask_logits logits = columns(begin, end);
    CHECK(demask_shard_tokens(context, &logits, begin, VOCAB, 0.75f, &constraints, keys, ROWS,
                              blocks, shard_tokens[shards - 1 - s]) == DEMASK_OK);
    demask_shard_records_destroy((demask_shard_records *)received[s]);
  }
  CHECK(demask_shard_merge_finish(merge, shard_tokens[0], shards, ROWS, tokens, row_state,
                                  statistics) == DEMASK_OK);
  demask_shard_merge_destroy(merge);
}

/* The step of LLaDA's rule, two positions of twelve, from the statistics of merged shards. */
static void step(demask_context *context, const demask_row_statistics *statistics,
                 const int32_t *drawn, const uint8_t *row_state) {
  demask_row_record records[ROWS];
  demask_policy policy;
  int32_t tokens[ROWS];
  uint32_t rows[ROWS], offsets[2], steps[1];
  double log_masked[1];
  for (int i = 0; i < ROWS; ++i) {
    tokens[i] = -1;
    records[i] = (demask_row_record){drawn[i], row_state[i], statistics[i]};
  }
  CHECK(demask_policy_decoder(DEMASK_DECODER_LLADA, 6, &policy, sizeof policy) == DEMASK_OK);
  policy.score_temperature = 0.75f;
  demask_segment segment = {.end = ROWS};
  demask_canvas canvas = {.struct_size = sizeof canvas,
                          .mask_token = -1,
                          .tokens = tokens,
                          .n_positions = ROWS,
                          .segments = &segment,
                          .n_segments = 1,
                          .policies = &policy,
                          .n_policies = 1,
                          .segment_size = sizeof segment,
                          .policy_size = sizeof policy};
  demask_plan_buffers plan = {.struct_size = sizeof plan,
                              .rows = rows,
                              .rows_capacity = ROWS,
                              .offsets = offsets,
                              .steps = steps,
                              .log_masked = log_masked,
                              .segments_capacity = 1};
  demask_step_out out = {.struct_size = sizeof out};
  CHECK(demask_plan(context, &canvas, &plan) == DEMASK_OK && plan.n_rows == ROWS);
  CHECK(demask_advance(context, &canvas, &plan, VOCAB, records, ROWS, &out) == DEMASK_OK);
  CHECK(out.n_revealed == 2 && out.n_bad_rows == 1);
  printf("step:");
  for (int i = 0; i < ROWS; ++i) printf(" %d", (int)tokens[i]);
  printf("\n");
}

int main(void) {
  for (int i = 0; i < ROWS * VOCAB; ++i) data[i] = (float)(next() >> 20) / 256.0f;
  data[7 * VOCAB + 800] = NAN;
  for (int i = 0; i < WORDS; ++i) allowed[i] = next() | next();
  for (int i = 0; i < ROWS; ++i) {
    given[i] = i == 2 ? -1 : 100 * i;
    keys[i] = (demask_key){2024, 5, 1, (uint32_t)i};
  }
  CHECK(demask_constraints_init(&constraints, sizeof constraints) == DEMASK_OK);
  constraints.excluded = 1499;
  constraints.banned = banned;
  constraints.n_banned = 3;
  constraints.allowed = allowed;

  demask_options options;
  demask_context *context = NULL;
  CHECK(demask_options_init(&options, sizeof options) == DEMASK_OK);
  options.max_positions = ROWS;
  CHECK(demask_create(&options, &context) == DEMASK_OK);
  race(context);
  demask_row_statistics whole[ROWS], statistics[ROWS];
  int32_t tokens[ROWS], again[ROWS];
  uint8_t row_state[ROWS], state_again[ROWS];
  rounds(context, 0, whole, tokens, row_state);
  for (int split = 1; split < SPLITS; ++split) {
    rounds(context, split, statistics, again, state_again);
    CHECK(memcmp(again, tokens, sizeof tokens) == 0);
    CHECK(memcmp(state_again, row_state, sizeof row_state) == 0);
    CHECK(memcmp(statistics, whole, sizeof whole) == 0);
  }
  for (int k = 0; k < ROWS; ++k) {
    printf("row %d: %d %d", k, (int)tokens[k], (int)whole[k].argmax);
    print_bits(whole[k].log_sum_exp);
    print_bits(whole[k].entropy);
    print_bits(whole[k].probability);
    print_bits(whole[k].log_others);
    print_bits(whole[k].margin);
    print_bits(whole[k].given_log_probability);
    printf("\n");
  }
  step(context, whole, tokens, row_state);
  demask_destroy(context);
  return checks_end("shards");
}
