/* Draws with everything that C can ask for: filters, constraints, guidance, types of logits, several
 * draws a row, statistics, and a policy with filters. The tokens, and the bits of the statistics, are
 * printed; tests/c_abi.rs makes the same draws in Rust, and compares. */
#include "check.h"
#include <math.h>
#include <demask.h>
#include <string.h>

enum { ROWS = 24, VOCAB = 1003, STRIDE = 1010, WORDS = (VOCAB + 31) / 32, MANY = 5, TOP = 3 };

static uint32_t state;

/* Numerical Recipes' generator: the same numbers in every language. */
static uint32_t next(void) { return state = state * 1664525u + 1013904223u; }

/* Eighths from 0 to 127/8 have the same value in every type. */
static float f32_data[ROWS * STRIDE], guide_data[ROWS * VOCAB];
static uint16_t f16_data[ROWS * STRIDE], bf16_data[ROWS * STRIDE];

/* The bits of n/8 in half precision, for n below 128. */
static uint16_t half(uint32_t n) {
  uint32_t exponent = 0;
  if (n == 0) return 0;
  while (n >> (exponent + 1) != 0) ++exponent;
  return (uint16_t)(((exponent + 12) << 10) | ((n << (10 - exponent)) & 0x3FF));
}

static void make_logits(void) {
  state = 1;
  for (int i = 0; i < ROWS * STRIDE; ++i) {
    uint32_t eighths = next() >> 25, bits;
    f32_data[i] = (float)eighths / 8.0f;
    memcpy(&bits, &f32_data[i], sizeof bits);
    f16_data[i] = half(eighths);
    bf16_data[i] = (uint16_t)(bits >> 16);
  }
  for (int i = 0; i < ROWS * VOCAB; ++i) guide_data[i] = (float)(next() >> 20) / 256.0f;
}

static void print(const char *name, const int32_t *tokens, size_t count) {
  printf("%s:", name);
  for (size_t i = 0; i < count; ++i) printf(" %d", (int)tokens[i]);
  printf("\n");
}

static void print_bits(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  printf(" %016llx", (unsigned long long)bits);
}

static void print_statistics(const demask_row_statistics *rows, const demask_top_token *top) {
  for (int k = 0; k < ROWS; ++k) {
    printf("row %d:", k);
    print_bits(rows[k].log_sum_exp);
    print_bits(rows[k].entropy);
    print_bits(rows[k].probability);
    print_bits(rows[k].log_probability);
    print_bits(rows[k].log_others);
    print_bits(rows[k].margin);
    print_bits(rows[k].argmax_log_others);
    print_bits(rows[k].log_margin_gap);
    print_bits(rows[k].given_log_probability);
    print_bits(rows[k].divergence);
    print_bits(rows[k].max);
    printf(" %d", (int)rows[k].argmax);
    for (int j = 0; j < TOP; ++j) {
      printf(" %d", (int)top[k * TOP + j].token);
      print_bits(top[k * TOP + j].logit);
    }
    printf("\n");
  }
}

int main(void) {
  static uint32_t banned[VOCAB / 5 + 1], allowed[ROWS * WORDS];
  static demask_token_bias bias[VOCAB / 7 + 1];
  static demask_key keys[ROWS];
  static int32_t tokens[ROWS * MANY];
  static uint32_t row_bias_offsets[ROWS + 1];
  static demask_token_bias row_bias[2 * ROWS];
  uint32_t n_banned = 0, n_bias = 0;
  make_logits();
  for (uint32_t v = 0; v < VOCAB; v += 5) banned[n_banned++] = v;
  for (uint32_t v = 0; v < VOCAB; v += 7)
    bias[n_bias++] = (demask_token_bias){v, (float)(v % 16) / 4.0f - 1.0f};
  for (int i = 0; i < ROWS * WORDS; ++i) allowed[i] = next();
  for (uint32_t i = 0; i < ROWS; ++i) {
    row_bias[2 * i] = (demask_token_bias){11 * i, 6.0f};
    row_bias[2 * i + 1] = (demask_token_bias){11 * i + 1, -INFINITY};
    row_bias_offsets[i + 1] = 2 * i + 2;
  }
  for (uint32_t i = 0; i < ROWS; ++i) keys[i] = (demask_key){2024, 7, 3, i};

  demask_options options;
  demask_context *context = NULL;
  CHECK(demask_options_init(&options, sizeof options) == DEMASK_OK);
  options.max_positions = ROWS * MANY;
  CHECK(demask_create(&options, &context) == DEMASK_OK);
  demask_logits logits = {.struct_size = sizeof logits,
                          .data = f32_data,
                          .n_rows = ROWS,
                          .vocab = VOCAB,
                          .row_stride = STRIDE};
  demask_logits guide = {.struct_size = sizeof guide,
                         .data = guide_data,
                         .n_rows = ROWS,
                         .vocab = VOCAB,
                         .row_stride = VOCAB};

  demask_draw_rule plain, filters[6];
  CHECK(demask_draw_rule_init(&plain, sizeof plain) == DEMASK_OK);
  plain.temperature = 1.5f;
  for (int i = 0; i < 6; ++i) filters[i] = plain;
  filters[1].top_k = 40;
  filters[2].top_p = 0.75f;
  filters[3].min_p = 0.25f;
  filters[4].top_p = 0.75f;
  filters[4].filter_order = DEMASK_FILTER_BEFORE_TEMPERATURE;
  filters[5].top_k = 40;
  filters[5].top_p = 0.95f;
  filters[5].min_p = 0.03125f;
  const char *const filter_names[] = {"plain",          "top-k", "top-p", "min-p",
                                      "top-p at 1",     "all filters"};
  const struct {
    const char *name;
    uint32_t dtype;
    const void *data;
  } types[] = {{"f32", DEMASK_DTYPE_F32, f32_data},
               {"f16", DEMASK_DTYPE_F16, f16_data},
               {"bf16", DEMASK_DTYPE_BF16, bf16_data}};
  for (int t = 0; t < 3; ++t) {
    logits.dtype = types[t].dtype;
    logits.data = types[t].data;
    for (int i = 0; i < 6; ++i) {
      char name[64];
      CHECK(demask_draw(context, &logits, &filters[i], NULL, keys, ROWS, 1, tokens, NULL) ==
            DEMASK_OK);
      snprintf(name, sizeof name, "%s, %s", types[t].name, filter_names[i]);
      print(name, tokens, ROWS);
    }
  }
  logits.dtype = DEMASK_DTYPE_F32;
  logits.data = f32_data;

  demask_constraints none, constraints;
  CHECK(demask_constraints_init(&none, sizeof none) == DEMASK_OK);
  const char *const constraint_names[] = {"excluded",        "banned",   "bias",           "allowed",
                                          "allowed, shared", "row bias", "all constraints"};
  for (int i = 0; i < 7; ++i) {
    constraints = none;
    if (i == 0 || i == 6) constraints.excluded = tokens[0];
    if (i == 1 || i == 6) {
      constraints.banned = banned;
      constraints.n_banned = n_banned;
    }
    if (i == 2 || i == 6) {
      constraints.bias = bias;
      constraints.n_bias = n_bias;
    }
    if (i == 3 || i == 4 || i == 6) {
      constraints.allowed = allowed;
      constraints.allowed_stride = i == 4 ? 0 : WORDS;
    }
    if (i >= 5) {
      constraints.row_bias_offsets = row_bias_offsets;
      constraints.row_bias = row_bias;
      constraints.n_row_bias = 2 * ROWS;
    }
    CHECK(demask_draw(context, &logits, &plain, &constraints, keys, ROWS, 1, tokens, NULL) ==
          DEMASK_OK);
    print(constraint_names[i], tokens, ROWS);
  }

  logits.guide = &guide;
  logits.guidance_scale = 1.75f;
  CHECK(demask_draw(context, &logits, &plain, NULL, keys, ROWS, 1, tokens, NULL) == DEMASK_OK);
  print("guidance", tokens, ROWS);
  CHECK(demask_draw(context, &logits, &filters[5], &constraints, keys, ROWS, MANY, tokens, NULL) ==
        DEMASK_OK);
  print("everything, several draws", tokens, ROWS * MANY);

  static demask_row_statistics described[ROWS];
  static demask_top_token top[ROWS * TOP];
  static uint32_t given[ROWS];
  demask_statistics statistics;
  for (uint32_t i = 0; i < ROWS; ++i) given[i] = 40 * i;
  CHECK(demask_statistics_init(&statistics, sizeof statistics) == DEMASK_OK);
  statistics.temperature = 1.25f;
  statistics.given = given;
  statistics.against = &guide;
  statistics.rows = described;
  statistics.top = top;
  statistics.n_top = TOP;
  CHECK(demask_draw_statistics(context, &logits, &filters[5], &constraints, keys, ROWS, &statistics,
                               tokens, NULL) == DEMASK_OK);
  print("with statistics", tokens, ROWS);
  print_statistics(described, top);

  /* A policy carries the filters too, and a step sees the guide. */
  demask_policy policy;
  CHECK(demask_policy_random_order(1, &policy, sizeof policy) == DEMASK_OK);
  policy.temperature = 1.5f;
  policy.top_k = 40;
  policy.top_p = 0.95f;
  policy.min_p = 0.03125f;
  policy.filter_order = DEMASK_FILTER_BEFORE_TEMPERATURE;
  demask_segment segment = {.end = ROWS, .seed = 2024, .stream = 7};
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
  for (int i = 0; i < ROWS; ++i) tokens[i] = -1;
  CHECK(demask_step(context, &canvas, &logits, NULL) == DEMASK_OK);
  print("a step", tokens, ROWS);
  demask_destroy(context);
  return checks_end("draws");
}
