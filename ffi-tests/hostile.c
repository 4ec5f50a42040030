/* Fifteen thousand hostile calls: good arguments, of which a few are broken at random, for every function
 * in turn. Each call returns a status that its documentation names, and unless that is DEMASK_OK,
 * nothing in the world has changed; what it gives when it is served is in its range; and none crashes.
 *
 * Broken are pointers (NULL, misaligned), struct and element sizes, counts and strides (too small, and
 * so large that they overflow), every number of every struct and array (enums, reserved fields, ranges,
 * NaN, infinities), inputs that are given twice or refer to themselves, and plans that have grown
 * stale. What the header says that only the caller can know is kept: pointers that are neither NULL nor
 * misaligned point to as much as is asked for, and what a call writes overlaps nothing.
 *
 * With HOSTILE_INPUT the choices are those of an input of a fuzzer (fuzz/fuzz_targets/capi.rs), and the
 * calls of one input, some of which go on in the world that the one before has left, are its own. */
#include "world.h"
#include <stdlib.h>

enum { CALLS = 15000 };

#ifdef HOSTILE_INPUT
static const uint8_t *input;
static size_t input_left;

/* The next bytes of the input. After its end 3, which breaks nothing below. */
static uint32_t take(int bytes) {
  uint32_t word = 0;
  if (input_left < (size_t)bytes) {
    input_left = 0;
    return 3;
  }
  for (int i = 0; i < bytes; ++i) word = word << 8 | *input++;
  input_left -= (size_t)bytes;
  return word;
}

static uint32_t next(void) { return take(4); }

static uint32_t below(uint32_t bound) { return take(bound <= 256 ? 1 : 4) % bound; }
#else
static uint64_t random_state = 20260;

/* Marsaglia's xorshift. */
static uint32_t next(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (uint32_t)(random_state >> 32);
}

static uint32_t below(uint32_t bound) { return next() % bound; }
#endif

/* A pointer, or NULL, or one that is misaligned if its elements have an alignment. */
static void *bent(const void *pointer, int aligned) {
  switch (below(30)) {
    case 0:
      return NULL;
    case 1:
      return (char *)pointer + aligned;
    default:
      return (void *)pointer;
  }
}
#define BENT(pointer) bent(pointer, 1)
#define BENT_BYTES(pointer) bent(pointer, 0)

/* A count, or a smaller one, or one that overflows. */
static size_t count(size_t good) {
  static const size_t huge[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2 + 1, SIZE_MAX / 4 + 2,
                                SIZE_MAX / 8 + 4};
  switch (below(16)) {
    case 0:
      return (uint32_t)good == 0 ? 0 : below((uint32_t)good);
    case 1:
      return huge[below(sizeof huge / sizeof *huge)];
    default:
      return good;
  }
}

static double number(void) {
  static const double numbers[] = {0.0,  -0.0,     1.0,       0.5,    0.25,  -1.0,
                                   1e-9, INFINITY, -INFINITY, 1e-310, 1e300, 3.0};
  uint32_t k = below(13);
  return k == 12 ? NAN : numbers[k];
}

/* Mostly one that is good where a part of 1 is wanted. */
static double fraction(void) { return below(8) ? (1.0 + below(9)) / 10.0 : number(); }

/* Of what tables are made: larger ones would take long. */
static uint32_t few(void) { return below(10); }

static uint32_t listed(void) {
  static const uint32_t numbers[] = {22, 23, 77, 256, UINT32_MAX, 0x80000000u};
  uint32_t k = below(22);
  return k < 16 ? k : numbers[k - 16];
}

/* Mostly the steps for which a table of so many masks is made of ROWS numbers. */
static uint32_t steps_of(uint32_t masks) {
  return below(4) && masks > 0 ? ROWS / masks + 1 : few();
}

/* A rule of sizes: that of the table, or any. */
static uint32_t rule(void) { return below(2) ? DEMASK_SIZES_TABLE : listed(); }

/* The bits of numbers of either size that are often not expected. */
static uint32_t word(void) {
  static const uint32_t words[] = {0,           1,           2,           3,          9,
                                   0x3F000000u, 0x3F800000u, 0x7F800000u, 0xFF800000u, 0x7FC00000u,
                                   0x7FF00000u, 0xFFF00000u, 0x7FF80000u, 0x3FF00000u, 0xBFF00000u,
                                   0x80000000u, UINT32_MAX,  UINT32_MAX - 1};
  uint32_t k = below(20);
  return k < 18 ? words[k] : next();
}

struct bytes {
  void *at;
  size_t size;
};

/* Numbers: any of their words may be anything. */
#define ARRAY(array) {array, sizeof array}
#define FIELD(field) {&field, sizeof field}
#define POLICY(p, from, to)                 \
  {(char *)&w.policies[p] + (from), (to) - (from)}
#define POLICY_NUMBERS(p)                                                                      \
  POLICY(p, 4, offsetof(demask_policy, noise_table)),                                          \
      POLICY(p, offsetof(demask_policy, noise_reserved), offsetof(demask_policy, grid_times)), \
      POLICY(p, offsetof(demask_policy, grid_reserved), offsetof(demask_policy, sizes_table)), \
      POLICY(p, offsetof(demask_policy, sizes_reserved), offsetof(demask_policy, last_tokens)), \
      POLICY(p, offsetof(demask_policy, last_reserved), offsetof(demask_policy, end_tokens)),  \
      POLICY(p, offsetof(demask_policy, end_reserved), sizeof(demask_policy))

static const struct bytes NUMBERS[] = {
    ARRAY(w.tokens),
    ARRAY(w.segments),
    POLICY_NUMBERS(0),
    POLICY_NUMBERS(1),
    POLICY_NUMBERS(0),
    POLICY_NUMBERS(1),
    FIELD(w.options.level),
    FIELD(w.canvas.mask_token),
    FIELD(w.plan.reserved),
    ARRAY(w.rows),
    ARRAY(w.offsets),
    ARRAY(w.steps),
    ARRAY(w.log_masked),
    ARRAY(w.data),
    ARRAY(w.row_index),
    FIELD(w.logits.dtype),
    FIELD(w.logits.guidance_scale),
    FIELD(w.logits.reserved),
    FIELD(w.logits.reserved_2),
    ARRAY(w.guide_data),
    FIELD(w.guide.dtype),
    {&w.rule.temperature, sizeof w.rule - sizeof w.rule.struct_size},
    ARRAY(w.banned),
    ARRAY(w.allowed),
    ARRAY(w.bias),
    ARRAY(w.row_bias_offsets),
    ARRAY(w.row_bias),
    FIELD(w.constraints.excluded),
    ARRAY(w.given),
    FIELD(w.statistics.temperature),
    FIELD(w.statistics.filtered),
    FIELD(w.statistics.reserved),
    FIELD(w.out.reserved),
    ARRAY(w.keys),
    ARRAY(w.masks),
    ARRAY(w.events),
    ARRAY(w.logs),
    ARRAY(w.gaps),
    FIELD(w.noise.schedule),
    FIELD(w.noise.parameter),
    FIELD(w.noise.sigma_max),
    FIELD(w.noise.reserved),
    ARRAY(w.records),
    ARRAY(w.records),
    ARRAY(w.races),
    ARRAY(w.other_races),
    ARRAY(w.shard_tokens),
    ARRAY(w.shard_given),
    ARRAY(w.blocks),
    {w.bytes, 64},
};

struct size {
  uint32_t *at;
  uint32_t known;
};

/* Sizes of structs and of the elements of arrays. */
static const struct size SIZES[] = {
    {&w.options.struct_size, sizeof(demask_options)},
    {&w.canvas.struct_size, sizeof(demask_canvas)},
    {&w.canvas.segment_size, sizeof(demask_segment)},
    {&w.canvas.policy_size, sizeof(demask_policy)},
    {&w.policies[0].struct_size, sizeof(demask_policy)},
    {&w.plan.struct_size, sizeof(demask_plan_buffers)},
    {&w.logits.struct_size, sizeof(demask_logits)},
    {&w.guide.struct_size, sizeof(demask_logits)},
    {&w.rule.struct_size, sizeof(demask_draw_rule)},
    {&w.constraints.struct_size, sizeof(demask_constraints)},
    {&w.statistics.struct_size, sizeof(demask_statistics)},
    {&w.out.struct_size, sizeof(demask_step_out)},
    {&w.noise.struct_size, sizeof(demask_noise)},
};

static size_t *const COUNTS[] = {
    &w.canvas.n_positions,     &w.canvas.n_segments,         &w.canvas.n_policies,
    &w.plan.rows_capacity,     &w.plan.segments_capacity,    &w.plan.n_segments,
    &w.plan.n_rows,            &w.plan.n_active,             &w.logits.n_rows,
    &w.logits.vocab,           &w.logits.row_stride,         &w.logits.data_rows,
    &w.guide.n_rows,           &w.guide.vocab,               &w.guide.row_stride,
    &w.constraints.n_banned,   &w.constraints.n_bias,        &w.constraints.n_row_bias,
    &w.constraints.allowed_stride, &w.statistics.n_top,      &w.n_keys,
    &w.n_draws,                &w.first,                     &w.n_records,
    &w.vocab,                  &w.offset,                    &w.n_shards,
    &w.n_bytes,                &w.plan.remasked_capacity,
};

struct pointer {
  void *at;
  int aligned;
};

/* The pointers in structs. */
static const struct pointer POINTERS[] = {
    {&w.canvas.tokens, 1},           {&w.canvas.kinds, 0},
    {&w.canvas.segments, 1},         {&w.canvas.policies, 1},
    {&w.canvas.states, 1},           {&w.canvas.constraints, 1},
    {&w.canvas.prior_multiply, 1},   {&w.canvas.prior_add, 1},
    {&w.policies[0].noise_table, 1}, {&w.policies[0].grid_times, 1},
    {&w.policies[1].sizes_table, 1}, {&w.policies[1].last_tokens, 1},
    {&w.plan.rows, 1},               {&w.plan.offsets, 1},
    {&w.plan.steps, 1},              {&w.plan.log_masked, 1},
    {&w.plan.times, 1},              {&w.plan.reads_earlier, 0},
    {&w.plan.remasked, 1},           {&w.logits.data, 1},
    {&w.logits.row_index, 1},        {&w.logits.guide, 1},
    {&w.logits.earlier, 1},          {&w.guide.data, 1},
    {&w.constraints.banned, 1},      {&w.constraints.bias, 1},
    {&w.constraints.allowed, 1},     {&w.constraints.row_bias_offsets, 1},
    {&w.constraints.row_bias, 1},    {&w.statistics.given, 1},
    {&w.statistics.against, 1},      {&w.statistics.rows, 1},
    {&w.statistics.top, 1},          {&w.out.tokens, 1},
    {&w.out.row_state, 0},           {&w.shards[0], 1},
    {&w.shards[1], 1},               {&w.noise.table, 1},
};

#define LENGTH_OF(array) ((uint32_t)(sizeof(array) / sizeof *(array)))

/* NULL, or misaligned: what was NULL is then a pointer of which nothing may be read. */
static void break_pointer(struct pointer pointer) {
  char *at;
  memcpy(&at, pointer.at, sizeof at);
  at = at != NULL && below(2) == 0 ? NULL : at + pointer.aligned;
  if (pointer.aligned && at != NULL && (uintptr_t)at % 4 == 0) ++at;
  memcpy(pointer.at, &at, sizeof at);
}

static void break_size(struct size size) {
  const uint32_t sizes[] = {0,
                            4,
                            8,
                            size.known - 8,
                            size.known - 4,
                            size.known - 1,
                            size.known + 1,
                            size.known + 4,
                            size.known + 8,
                            4100,
                            4104,
                            UINT32_MAX};
  *size.at = sizes[below(LENGTH_OF(sizes))];
}

/* Inputs that are given twice, refer to themselves, or came from elsewhere. */
static void mix_up(void) {
  switch (below(7)) {
    case 0:
      w.logits.guide = &w.logits;
      break;
    case 1:
      w.logits.earlier = below(2) ? &w.logits : &w.guide;
      break;
    case 2:
      w.guide.data = w.data;
      w.logits.guide = &w.guide;
      break;
    case 3:
      w.canvas.constraints = &w.constraints;
      break;
    case 4:
      w.n_shards = 2;
      break;
    case 5:
      w.segments[1] = w.segments[0];
      break;
    default:
      w.canvas.kinds = NULL;
  }
}

static void break_number(struct bytes numbers) {
  uint32_t bits = word();
  memcpy((char *)numbers.at + 4 * below((uint32_t)(numbers.size / 4)), &bits, sizeof bits);
}

/* A mistake in what few functions read, which one at random would seldom meet. */
static void break_what_is_read(uint32_t function) {
  static const struct bytes drawn[] = {ARRAY(w.records), FIELD(w.vocab), FIELD(w.n_records)},
                            merged[] = {ARRAY(w.races), ARRAY(w.other_races)},
                            shard[] = {ARRAY(w.shard_given), FIELD(w.offset), FIELD(w.vocab)},
                            tokens[] = {ARRAY(w.blocks), FIELD(w.offset), FIELD(w.vocab)},
                            finished[] = {ARRAY(w.shard_tokens), FIELD(w.n_shards)},
                            gaps = ARRAY(w.gaps), times = ARRAY(w.times);
  switch (function) {
    case 48:
    case 49:
      w.first = count(w.first);
      break;
    case 50:
    case 51:
      break_number(drawn[below(LENGTH_OF(drawn))]);
      break;
    case 54:
      w.offset = count(w.offset);
      break;
    case 55:
      break_number(merged[below(LENGTH_OF(merged))]);
      break;
    case 57:
      break_number(shard[below(LENGTH_OF(shard))]);
      break;
    case 58:
      w.bytes[below(64)] ^= (uint8_t)(1 << below(8));
      break;
    case 59:
      break_number(tokens[below(LENGTH_OF(tokens))]);
      break;
    case 60:
      w.n_shards = count(w.n_shards);
      break;
    case 61:
      break_number(finished[below(LENGTH_OF(finished))]);
      break;
    case 70:
    case 81:
    case 86:
      break_number(gaps);
      break;
    case 85:
      break_number(times);
  }
}

static void break_something(void) {
  uint32_t kind = below(8);
  if (kind < 3) {
    break_number(NUMBERS[below(LENGTH_OF(NUMBERS))]);
  } else if (kind == 3) {
    w.kinds[below(POSITIONS)] = (uint8_t)below(6);
  } else if (kind == 4) {
    break_size(SIZES[below(LENGTH_OF(SIZES))]);
  } else if (kind == 5) {
    size_t *at = COUNTS[below(LENGTH_OF(COUNTS))];
    *at = count(*at);
  } else if (kind == 6) {
    break_pointer(POINTERS[below(LENGTH_OF(POINTERS))]);
  } else {
    mix_up();
  }
}

/* The statuses that a function's documentation names. */
enum {
  OF_NULL = 1 << DEMASK_ERR_NULL,
  OF_STRUCT = 1 << DEMASK_ERR_STRUCT,
  OF_SHAPE = 1 << DEMASK_ERR_SHAPE,
  OF_ALIGN = 1 << DEMASK_ERR_ALIGN,
  OF_ARGUMENT = 1 << DEMASK_ERR_ARGUMENT,
  OF_CAPACITY = 1 << DEMASK_ERR_CAPACITY,
  OF_PLAN = 1 << DEMASK_ERR_PLAN,
  OF_LEVEL = 1 << DEMASK_ERR_LEVEL,
  OF_RESOURCES = 1 << DEMASK_ERR_RESOURCES,
  OF_INIT = OF_NULL | OF_ALIGN | OF_STRUCT,
  OF_POLICY = OF_INIT | OF_ARGUMENT,
  OF_TABLE = OF_NULL | OF_ALIGN | OF_SHAPE | OF_ARGUMENT | OF_RESOURCES,
  OF_CALL = OF_INIT | OF_SHAPE | OF_ARGUMENT | OF_CAPACITY
};

static demask_context *narrow;
static demask_noise_table *noise_table;
static demask_sizes *systematic;
static demask_profile_estimator *estimator;

/* Frees what a create function made, which is no part of the world. */
#define CREATE(type, destroy, call)                        \
  do {                                                     \
    type *made = NULL;                                     \
    demask_status status = (call);                         \
    CHECK((status == DEMASK_OK) == (made != NULL));        \
    destroy(made);                                         \
    return status;                                         \
  } while (0)
#define MADE bent(&made, 1)

enum { FUNCTIONS = 88 };

/* What the call was asked for beside the world. */
static struct {
  size_t n;
  uint32_t number;
} asked;
static size_t asked_count(size_t good) { return asked.n = count(good); }
static uint32_t asked_few(void) { return asked.number = few(); }

/* Calls one of the functions; `named` gets the statuses that it may return. */
static demask_status call(uint32_t function, int *named) {
  size_t size = sizeof(demask_policy) + (below(20) == 0 ? 4 : 0);
  demask_policy *policy = BENT(&w.policies[below(2)]);
  demask_noise *noise = BENT(&w.noise);
  double *out = BENT(&w.number);
  void *self = below(2) ? context : BENT(below(4) ? context : narrow);
  uint32_t masks = below(8) ? 1u << below(4) : few();
  *named = OF_POLICY;
  switch (function) {
    case 0:
      *named = OF_INIT;
      return demask_options_init(BENT(&w.options), count(sizeof w.options));
    case 1:
      *named = OF_POLICY | OF_LEVEL | OF_RESOURCES;
      CREATE(demask_context, demask_destroy, demask_create(BENT(&w.options), MADE));
    case 2:
      *named = OF_INIT;
      return demask_draw_rule_init(BENT(&w.rule), count(sizeof w.rule));
    case 3:
      *named = OF_INIT;
      return demask_constraints_init(BENT(&w.constraints), count(sizeof w.constraints));
    case 4:
      *named = OF_INIT;
      return demask_statistics_init(BENT(&w.statistics), count(sizeof w.statistics));
    case 5:
      *named = OF_NULL | OF_ALIGN;
      return demask_context_level(self, BENT(&w.count));
    case 6:
      return demask_policy_first_hitting(listed(), policy, size);
    case 7:
      return demask_policy_euler(listed(), listed(), policy, size);
    case 8:
      return demask_policy_decoder(listed(), listed(), policy, size);
    case 9:
      return demask_policy_sampler(listed(), listed(), listed(), policy, size);
    case 10:
      return demask_policy_random_order(listed(), policy, size);
    case 11:
      *named = OF_POLICY | OF_SHAPE;
      return demask_policy_check(policy);
    case 12:
      *named = OF_POLICY | OF_SHAPE;
      return demask_policy_grid_time(policy, listed(), out);
    case 13:
      *named = OF_NULL | OF_ALIGN | OF_ARGUMENT;
      return demask_grid_decaying(number(), number(), few(), out);
    case 14:
      return demask_noise_alpha(noise, number(), out);
    case 15:
      return demask_noise_log_masked(noise, number(), out);
    case 16:
      return demask_noise_time(noise, number(), out);
    case 17:
      *named = OF_POLICY | OF_SHAPE;
      return demask_noise_times(noise, BENT(w.logs), BENT(w.events), asked_count(3));
    case 18:
      return demask_noise_rate(noise, number(), out);
    case 19:
      return demask_noise_score_sum(noise, number(), out);
    case 20:
      return demask_noise_reveal_probability(noise, number(), number(), out);
    case 21:
      return demask_noise_euler_probability(noise, number(), number(), out);
    case 22:
      return demask_noise_tau_first_jump_probability(noise, number(), number(), out);
    case 23:
      return demask_noise_tau_reject_probability(noise, number(), number(), out);
    case 24:
      *named = OF_TABLE;
      CREATE(demask_noise_table, demask_noise_table_destroy,
             demask_noise_table_create(BENT(w.times), BENT(w.log_masked), count(SEGMENTS),
                                       below(3), MADE));
    case 25:
      *named = OF_TABLE;
      CREATE(demask_time_grid, demask_time_grid_destroy,
             demask_time_grid_create(BENT(w.events), count(ROWS), MADE));
    case 26:
      *named = OF_NULL | OF_ALIGN | OF_ARGUMENT;
      return demask_sizes_even(asked_few(), few(), BENT(&w.count));
    case 27:
      *named = OF_TABLE;
      CREATE(demask_sizes, demask_sizes_destroy,
             demask_sizes_create_list(BENT(w.masks), count(ROWS), MADE));
    case 28:
      *named = OF_TABLE;
      CREATE(demask_sizes, demask_sizes_destroy,
             demask_sizes_create_geometric(few(), few(), below(4), MADE));
    case 29:
      *named = OF_TABLE;
      CREATE(demask_sizes, demask_sizes_destroy,
             demask_sizes_create_from_profile(BENT(w.events), count(ROWS), few(), below(4), MADE));
    case 30:
      *named = OF_TABLE;
      CREATE(demask_sizes, demask_sizes_destroy, demask_sizes_create_markov(few(), few(), MADE));
    case 31:
      *named = OF_TABLE;
      CREATE(demask_sizes, demask_sizes_destroy,
             demask_sizes_create_markov_constants(masks, steps_of(masks), BENT(w.events), count(ROWS),
                                                  MADE));
    case 32:
      *named = OF_TABLE;
      CREATE(demask_sizes, demask_sizes_destroy,
             demask_sizes_create_systematic(few(), few(), below(4), MADE));
    case 33:
      *named = OF_TABLE;
      CREATE(demask_sizes, demask_sizes_destroy,
             demask_sizes_create_systematic_weights(BENT(w.events), count(ROWS), few(), MADE));
    case 34:
      *named = OF_TABLE;
      CREATE(demask_sizes, demask_sizes_destroy, demask_sizes_create_reversed(BENT(sizes), MADE));
    case 35:
      *named = OF_NULL | OF_ALIGN;
      return demask_sizes_shape(BENT(sizes), BENT(&w.count), BENT(&w.masks[0]));
    case 36:
      *named = OF_TABLE;
      asked.number = below(2) ? ROWS : few();
      return demask_sizes_draw(rule(), BENT(sizes), asked.number, BENT(w.keys), BENT(w.masks),
                               asked_count(below(2) ? 3 : ROWS));
    case 37:
      *named = OF_TABLE;
      return demask_sizes_overshoot(rule(), BENT(sizes), few(), BENT(w.events), asked_count(ROWS));
    case 38:
      *named = OF_TABLE;
      return demask_sizes_expected_kl(rule(), BENT(sizes), BENT(w.events), count(ROWS), few(),
                                      out);
    case 39:
      *named = OF_TABLE;
      return demask_sizes_constant(rule(), BENT(sizes), few(), few(), below(4), out);
    case 40:
      *named = OF_NULL | OF_ALIGN | OF_SHAPE | OF_ARGUMENT;
      return demask_hitting_times_next(BENT(w.keys), BENT(w.masks), BENT(w.events),
                                       asked_count(ROWS));
    case 41:
      *named = OF_NULL | OF_ALIGN | OF_SHAPE | OF_ARGUMENT;
      return demask_hitting_times_all(self, BENT(w.keys), number(), BENT(w.events),
                                      asked_count(ROWS));
    case 42:
      *named = OF_NULL | OF_ALIGN | OF_SHAPE | OF_ARGUMENT;
      return demask_hitting_times_of_positions(self, BENT(w.keys), number(), BENT(w.masks),
                                               BENT(w.events), asked_count(ROWS));
    case 43:
      *named = OF_CALL;
      asked.number = listed();
      return demask_randomize(self, BENT(&w.canvas), asked.number);
    case 44:
      *named = OF_CALL;
      return demask_plan(self, BENT(&w.canvas), BENT(&w.plan));
    case 45:
      *named = OF_CALL;
      return demask_step(self, BENT(&w.canvas), BENT(&w.logits), BENT(&w.out));
    case 46:
    case 47:
      *named = OF_CALL | OF_PLAN;
      return demask_step_planned(self, BENT(&w.canvas), BENT(&w.plan), BENT(&w.logits),
                                 BENT(&w.out));
    case 48:
    case 49:
      *named = OF_CALL | OF_PLAN;
      return demask_step_rows(self, BENT(&w.canvas), BENT(&w.plan), BENT(&w.logits), w.first,
                              BENT(w.records));
    case 50:
    case 51:
      *named = OF_CALL | OF_PLAN;
      return demask_advance(self, BENT(&w.canvas), BENT(&w.plan), w.vocab, BENT(w.records),
                            w.n_records, BENT(&w.out));
    case 52:
      *named = OF_CALL;
      return demask_draw(self, BENT(&w.logits), BENT(&w.rule), BENT(&w.constraints), BENT(w.keys),
                         w.n_keys, w.n_draws, BENT(w.drawn), BENT_BYTES(w.row_state));
    case 53:
      *named = OF_CALL;
      return demask_draw_statistics(self, BENT(&w.logits), BENT(&w.rule), BENT(&w.constraints),
                                    BENT(w.keys), w.n_keys, BENT(&w.statistics), BENT(w.drawn),
                                    BENT_BYTES(w.row_state));
    case 54:
      *named = OF_CALL;
      return demask_race_shard(self, BENT(&w.logits), w.offset, BENT(&w.rule),
                               BENT(&w.constraints), BENT(w.keys), w.n_keys, BENT(w.races));
    case 55:
      *named = OF_NULL | OF_ALIGN | OF_SHAPE | OF_ARGUMENT;
      return demask_race_merge(BENT(w.races), BENT(w.other_races), count(ROWS));
    case 56:
      *named = OF_NULL | OF_ALIGN | OF_SHAPE | OF_RESOURCES;
      if (below(2))
        CREATE(demask_shard_records, demask_shard_records_destroy,
               demask_shard_records_create(count(3), count(400), MADE));
      *named |= OF_ARGUMENT | OF_LEVEL;
      CREATE(demask_shard_merge, demask_shard_merge_destroy,
             demask_shard_merge_create(listed(), count(3), count(400), MADE));
    case 57:
      *named = OF_CALL;
      return demask_shard_records_fill(self, BENT(&w.logits), w.offset, w.vocab,
                                       w.rule.temperature, BENT(&w.constraints),
                                       BENT(w.shard_given), BENT(shard_records));
    case 58:
      *named = OF_NULL | OF_ALIGN | OF_SHAPE | OF_ARGUMENT | OF_CAPACITY;
      if (below(2))
        return demask_shard_records_bytes(BENT(shard_records), BENT(&w.bytes_at),
                                          BENT(&w.n_bytes));
      return demask_shard_records_read(BENT(shard_records), BENT_BYTES(w.bytes), w.n_bytes);
    case 59:
      *named = OF_CALL;
      return demask_shard_tokens(self, BENT(&w.logits), w.offset, w.vocab, w.rule.temperature,
                                 BENT(&w.constraints), BENT(w.keys), w.n_keys, BENT(w.blocks),
                                 BENT(w.shard_tokens));
    case 60:
      *named = OF_NULL | OF_ALIGN | OF_SHAPE | OF_ARGUMENT | OF_CAPACITY;
      return demask_shard_merge_records(BENT(shard_merge), BENT(w.shards), w.n_shards, BENT(w.keys),
                                        w.n_keys, below(8) ? ROWS : below(ROWS),
                                        BENT(w.described), BENT(w.blocks));
    case 62:
      return (below(2) ? demask_noise_last_time : demask_noise_horizon)(noise, out);
    case 63:
      return demask_noise_expected_jumps(noise, fraction(), number(), out);
    case 64:
      return demask_noise_transition_probability(noise, below(7), below(2) ? 0.0 : fraction(),
                                                 fraction(), number(), out);
    case 65:
      *named = OF_TABLE;
      CREATE(demask_time_grid, demask_time_grid_destroy,
             demask_time_grid_create_remdm_loop(below(8) ? few() : listed(), fraction(), fraction(),
                                                fraction(), MADE));
    case 66:
      *named = OF_NULL | OF_ALIGN;
      return demask_time_grid_shape(BENT(time_grid), BENT(&w.count), out, BENT(w.logs));
    case 67:
      return demask_policy_remdm_loop(fraction(), BENT(time_grid), policy, size);
    case 68:
      *named = OF_POLICY | OF_SHAPE;
      return demask_policy_size(policy, few(), few(), listed(), BENT(w.keys), BENT(&w.count));
    case 69:
      *named = OF_NULL | OF_ALIGN | OF_ARGUMENT;
      return demask_key_state(BENT(w.keys), listed(), BENT(w.words));
    case 70:
      *named = OF_TABLE;
      return demask_profile_isotonic(BENT(w.events), BENT(w.gaps), count(ROWS), BENT(w.profile));
    case 71:
      *named = OF_TABLE;
      return demask_profile_complexity(BENT(w.events), count(ROWS), below(4), out);
    case 72:
      *named = OF_NULL | OF_ALIGN | OF_SHAPE | OF_RESOURCES;
      CREATE(demask_profile_estimator, demask_profile_estimator_destroy,
             demask_profile_estimator_create(few(), MADE));
    case 73:
      *named = OF_NULL | OF_ALIGN | OF_SHAPE | OF_ARGUMENT;
      return demask_profile_estimator_observe(BENT(estimator), few(), BENT(w.logs), count(3));
    case 74:
      *named = OF_NULL | OF_ALIGN | OF_SHAPE;
      return demask_profile_estimator_mean(BENT(estimator), few(), BENT(w.words), out,
                                           BENT(w.logs));
    case 75:
      *named = OF_NULL | OF_ALIGN | OF_SHAPE | OF_RESOURCES;
      return demask_profile_estimator_profile(BENT(estimator), BENT(w.profile), count(ROWS));
    case 76:
      *named = OF_TABLE;
      CREATE(demask_sizes, demask_sizes_destroy,
             demask_sizes_create_geometric_for_accuracy(few(), number(), fraction(), below(3),
                                                        MADE));
    case 77:
      *named = OF_TABLE;
      CREATE(demask_sizes, demask_sizes_destroy,
             demask_sizes_create_geometric_in_steps(few(), few(), below(3), MADE));
    case 78:
      *named = OF_NULL | OF_ALIGN | OF_SHAPE | OF_RESOURCES;
      CREATE(demask_sizes, demask_sizes_destroy,
             demask_sizes_create_reveal_odds(few(), few(), MADE));
    case 79:
      *named = OF_NULL | OF_ALIGN | OF_SHAPE | OF_RESOURCES;
      CREATE(demask_sizes, demask_sizes_destroy,
             demask_sizes_create_markov_closed_form(few(), few(), MADE));
    case 80:
      *named = OF_TABLE;
      CREATE(demask_sizes, demask_sizes_destroy,
             demask_sizes_create_markov_log_weights(masks, steps_of(masks), BENT(w.events),
                                                    count(ROWS), MADE));
    case 81:
      *named = OF_TABLE;
      CREATE(demask_sizes, demask_sizes_destroy,
             demask_sizes_create_systematic_gaps(BENT(w.gaps), count(ROWS), MADE));
    case 82:
      *named = OF_NULL | OF_ALIGN | OF_SHAPE | OF_ARGUMENT;
      return demask_sizes_gaps(BENT(below(4) ? systematic : sizes), BENT(w.profile),
                               count(ROWS - 1));
    case 83:
      *named = OF_NULL | OF_ALIGN;
      return demask_sizes_proved_constant(BENT(below(2) ? systematic : sizes), out);
    case 84:
      *named = OF_NULL | OF_ALIGN | OF_SHAPE | OF_RESOURCES;
      return demask_sizes_markov_constant(few(), few(), out);
    case 85:
      *named = OF_TABLE;
      return demask_sizes_overshoot_bernoulli(BENT(w.times), count(3), BENT(w.profile),
                                              count(ROWS));
    case 86:
      *named = OF_TABLE;
      return demask_sizes_constant_weights(rule(), BENT(sizes), BENT(w.gaps), count(ROWS - 1),
                                           few(), out);
    case 87:
      *named = OF_NULL | OF_ALIGN;
      return demask_shard_records_rows(BENT(shard_records), BENT(&w.n_keys));
    default:
      *named = OF_NULL | OF_ALIGN | OF_SHAPE | OF_ARGUMENT;
      return demask_shard_merge_finish(BENT(shard_merge), BENT(w.shard_tokens), w.n_shards,
                                       w.n_keys, BENT(w.drawn), BENT_BYTES(w.row_state),
                                       BENT(w.described));
  }
}

/* Worlds that the calls from 43 on are good in. */
static void reset_for(uint32_t function) {
  if (function >= 62)
    reset();
  else if (function >= 57 || (function == 56 && below(2)))
    below(4) ? reset_merged() : reset_shard();
  else if (function >= 54)
    reset_race();
  else if (function >= 52)
    below(2) ? reset_guided() : reset_constrained();
  else if (function >= 50)
    reset_drawn();
  else if (function >= 46)
    reset_planned();
  else
    reset();
  if (function >= 46 && function < 52 && below(10) == 0) {
    w.logits.n_rows = ROWS; /* the canvas moves on, and the plan is that of a step before */
    CHECK(demask_step(context, &w.canvas, &w.logits, NULL) == DEMASK_OK);
  }
  for (int i = 0; i < ROWS; ++i) w.events[i] = (double)(ROWS - 1 - i) / ROWS;
  if (function == 24)
    for (int i = 0; i < SEGMENTS; ++i) w.times[i] = w.log_masked[i] = i;
  if (function == 33) w.events[ROWS - 1] = 0.0625;
  if (function == 40)
    for (int i = 0; i < ROWS; ++i) w.events[i] = -0.125 * i;
  if (function == 85)
    for (int i = 0; i < 3; ++i) w.times[i] = (i + 2) / 4.0;
  w.policies[0].grid_times = below(8) ? NULL : time_grid;
  w.noise.table = below(8) ? NULL : noise_table;
}

static int within(double x, double low, double high) { return low <= x && x <= high; }

static int all_within(const double *x, size_t n, double low, double high) {
  for (size_t i = 0; i < n; ++i)
    if (!within(x[i], low, high)) return 0;
  return 1;
}

/* A token of the logits and its row's state, or none and why. */
static int is_outcome(int32_t token, uint32_t state, size_t vocab) {
  if (state == DEMASK_ROW_DRAWN || state == DEMASK_ROW_RENOISED)
    return token >= 0 && (size_t)token < vocab;
  return state == DEMASK_ROW_REMASKED || token == -1;
}

/* Whether `n` tokens, and their states if there are any, are outcomes of draws. */
static int are_drawn(size_t n, size_t vocab) {
  for (size_t i = 0; i < n; ++i) {
    int is_none = w.drawn[i] == -1;
    if (!is_none && (w.drawn[i] < 0 || (size_t)w.drawn[i] >= vocab)) return 0;
    if (w.row_state[i] != CANARY &&
        w.row_state[i] != (is_none ? DEMASK_ROW_BAD : DEMASK_ROW_DRAWN))
      return 0;
  }
  return 1;
}

static int are_described(const demask_row_statistics *row, size_t n, size_t vocab) {
  for (size_t i = 0; i < n; ++i, ++row) {
    if (row->argmax == -1) {
      if (row->entropy == row->entropy || row->max == row->max) return 0;
    } else if (row->argmax < 0 || (size_t)row->argmax >= vocab ||
               !within(row->probability, 0, 1) || !within(row->margin, 0, 1) ||
               !within(row->entropy, 0, log((double)vocab) * (1 + 2e-6)) ||
               !(row->log_probability <= 0) || row->log_others != row->log_others ||
               !(fabs(row->log_sum_exp) < INFINITY) || !(fabs((double)row->max) < INFINITY)) {
      return 0;
    }
  }
  return 1;
}

/* A plan is one of the canvas, as far as can be told from outside. */
static int is_plan(void) {
  const demask_plan_buffers *plan = &w.plan;
  if (plan->n_segments != w.canvas.n_segments || plan->n_active > plan->n_segments ||
      plan->n_rows > POSITIONS || plan->n_rows > plan->rows_capacity)
    return 0;
  if (plan->n_segments == 0) return plan->n_rows == 0;
  if (w.offsets[0] != 0 || w.offsets[plan->n_segments] != plan->n_rows) return 0;
  for (size_t i = 0; i < plan->n_segments; ++i) {
    if (w.offsets[i] > w.offsets[i + 1]) return 0;
    for (uint32_t k = w.offsets[i]; k < w.offsets[i + 1]; ++k)
      if (w.rows[k] >= w.canvas.n_positions || (k > 0 && w.rows[k - 1] >= w.rows[k])) return 0;
  }
  if (plan->times != NULL && !all_within(w.times, plan->n_segments, 0, INFINITY)) return 0;
  return all_within(w.log_masked, plan->n_segments, -INFINITY, 0);
}

/* A step has counted what it did, and has written nothing but tokens. */
static int is_step(size_t vocab) {
  size_t changed = 0;
  int is_drawn = w.canvas.policy_size == sizeof(demask_policy) &&
                 w.policies[0].noise_tokens == 0 && w.policies[1].noise_tokens == 0;
  for (int i = 0; i < POSITIONS; ++i) {
    int32_t token = w.tokens[i];
    if (w.kinds[i] != before.kinds[i] && w.kinds[i] > DEMASK_KIND_INACTIVE) return 0;
    if (token == before.tokens[i]) continue;
    ++changed;
    if (is_drawn && token != w.canvas.mask_token && (token < 0 || (size_t)token >= vocab)) return 0;
  }
  if (w.tokens[POSITIONS] != before.tokens[POSITIONS]) return 0;
  if (memcmp(&w.out, &before.out, sizeof w.out) == 0) return 1;
  return w.out.n_active <= w.canvas.n_segments &&
         changed <= w.out.n_revealed + w.out.n_remasked + w.out.n_filled + w.out.n_edited +
                        w.out.n_renoised &&
         w.out.n_revealed + w.out.n_bad_rows + w.out.n_edited + w.out.n_renoised <= POSITIONS;
}

/* Whether what a function gave is in the range that its documentation states. */
static int in_range(uint32_t function) {
  uint32_t sum = 0;
  switch (function) {
    case 5:
      return w.count >= DEMASK_LEVEL_BASELINE && w.count <= DEMASK_LEVEL_AVX512;
    case 12:
    case 16:
    case 18:
    case 19:
    case 38:
    case 39:
      return within(w.number, 0, INFINITY);
    case 13:
      return w.number > 0 && w.number <= 1;
    case 14:
    case 20:
    case 21:
    case 22:
      return within(w.number, 0, 1);
    case 15:
      return within(w.number, -INFINITY, 0);
    case 17:
      return all_within(w.events, asked.n, 0, INFINITY);
    case 23:
      return within(w.number, 0, exp(-1.0) * (1 + 1e-12));
    case 26:
      return w.count <= asked.number;
    case 36:
      for (size_t i = 0; i < asked.n; ++i) sum += w.masks[i];
      return sum == asked.number;
    case 37:
      return all_within(w.events, asked.n, 0, (double)asked.n);
    case 40:
      return all_within(w.events, asked.n, -INFINITY, 0);
    case 41:
    case 42:
      for (size_t i = 1; function == 41 && i < asked.n; ++i)
        if (w.events[i] > w.events[i - 1]) return 0;
      return all_within(w.events, asked.n, -INFINITY, 0);
    case 43:
      for (int i = 0; i < POSITIONS; ++i)
        if (w.tokens[i] != before.tokens[i] &&
            (w.tokens[i] < 0 || (uint32_t)w.tokens[i] >= asked.number))
          return 0;
      return 1;
    case 44:
      return is_plan();
    case 45:
    case 46:
    case 47:
      return is_step(w.logits.vocab);
    case 48:
    case 49:
      for (size_t i = 0; i < w.logits.n_rows; ++i)
        if (!is_outcome(w.records[i].token, w.records[i].state, w.logits.vocab)) return 0;
      return 1;
    case 50:
    case 51:
      return is_step(w.vocab);
    case 52:
      return are_drawn(w.n_keys * w.n_draws, w.logits.vocab);
    case 53:
      return are_drawn(w.n_keys, w.logits.vocab) &&
             (w.statistics.rows == NULL || are_described(w.described, w.n_keys, w.logits.vocab));
    case 54:
      for (size_t i = 0; i < w.n_keys; ++i) {
        int is_won = w.races[i].state == DEMASK_RACE_DRAWN;
        if (w.races[i].state < DEMASK_RACE_DRAWN || w.races[i].state > DEMASK_RACE_EMPTY) return 0;
        if (is_won ? w.races[i].token < 0 || (size_t)w.races[i].token < w.offset ||
                         (size_t)w.races[i].token - w.offset >= w.logits.vocab
                   : w.races[i].token != -1)
          return 0;
      }
      return 1;
    case 59:
      for (size_t i = 0; i < w.n_keys; ++i)
        if (w.shard_tokens[i].token != -1 && (w.shard_tokens[i].token < 0 ||
                                              (size_t)w.shard_tokens[i].token >= w.vocab))
          return 0;
      return 1;
    default:
      return 1;
  }
}

/* Calls a function with these mistakes in the world, and checks what came of it. */
static demask_status hostile_call(uint32_t function, uint32_t mistakes, uint32_t number) {
  int named;
  for (; mistakes > 0; --mistakes) break_something();
  if (below(2)) break_what_is_read(function);
  memcpy(&before, &w, sizeof w);
  demask_status status = call(function, &named);
  int known = status == DEMASK_OK ||
              (status > 0 && status <= DEMASK_ERR_RESOURCES && (named >> status & 1));
  int kept = status == DEMASK_OK || memcmp(&before, &w, sizeof w) == 0;
  int ranges = status != DEMASK_OK || in_range(function);
  CHECK(known);
  CHECK(kept);
  CHECK(ranges);
  if (!known || !kept || !ranges)
    fprintf(stderr, "call %u of function %u: %s\n", number, function,
            demask_status_string(status));
  return status;
}

static void make_all(void) {
  static const double rising[2] = {0.0, 1.0};
  CHECK(demask_noise_table_create(rising, rising, 2, DEMASK_TABLE_MASKED, &noise_table) ==
        DEMASK_OK);
  CHECK(demask_sizes_create_systematic(ROWS, 3, DEMASK_WEIGHT_TC, &systematic) == DEMASK_OK);
  CHECK(demask_profile_estimator_create(ROWS, &estimator) == DEMASK_OK);
  make_objects();
  w.options.max_positions = 2;
  w.options.max_vocab = VOCAB - 1;
  CHECK(demask_create(&w.options, &narrow) == DEMASK_OK);
}

#ifdef HOSTILE_INPUT
int hostile_input(const uint8_t *data, size_t size);

/* Makes the calls of an input; returns whether all checks have held. What is made once is never
 * freed. */
int hostile_input(const uint8_t *data, size_t size) {
  enum { MOST = 12 };
  if (context == NULL) make_all();
  input = data;
  input_left = size;
  for (uint32_t number = 0; number < MOST && input_left > 0; ++number) {
    uint32_t function = take(1) % FUNCTIONS, how = take(1);
    if (number == 0 || how % 4 != 0) reset_for(function);
    hostile_call(function, how / 4 % 4, number);
  }
  return checks_failed == 0;
}
#else
int main(void) {
  static unsigned long of_status[DEMASK_ERR_RESOURCES + 1], good[FUNCTIONS], refused[FUNCTIONS];
  make_all();
  for (uint32_t number = 0; number < CALLS; ++number) {
    uint32_t function = number % FUNCTIONS;
    reset_for(function);
    demask_status status = hostile_call(function, below(4), number);
    if (status >= DEMASK_OK && status <= DEMASK_ERR_RESOURCES) ++of_status[status];
    ++(status == DEMASK_OK ? good : refused)[function];
    CHECK(demask_status_string((demask_status)word()) != NULL);
    CHECK(demask_level_name(word()) != NULL);
  }
  /* The mistakes were many, and not too many: each function was refused and served. */
  for (int status = DEMASK_OK; status <= DEMASK_ERR_RESOURCES; ++status) {
    fprintf(stderr, "hostile: %lu times: %s\n", of_status[status], demask_status_string(status));
    CHECK(status == DEMASK_ERR_LEVEL || of_status[status] > 10);
  }
  for (int function = 0; function < FUNCTIONS; ++function) {
    CHECK(good[function] > 0 && refused[function] > 0);
    if (good[function] == 0 || refused[function] == 0)
      fprintf(stderr, "function %d: %lu good, %lu refused\n", function, good[function],
              refused[function]);
  }
  demask_destroy(narrow);
  free_objects();
  demask_noise_table_destroy(noise_table);
  demask_sizes_destroy(systematic);
  demask_profile_estimator_destroy(estimator);
  return checks_end("hostile");
}
#endif
