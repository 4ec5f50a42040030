/* Every mistake that a call can tell is told by its number, and has changed nothing.
 *
 * All that the calls read and write lies in one struct, see world.h. A case starts from a good one,
 * breaks one thing, makes one call, and compares the whole struct, outputs and canvas included, with
 * its copy.
 *
 * DEMASK_ERR_PANIC needs a bug in the library; a Rust test of the boundary stands for it.
 */
#define _POSIX_C_SOURCE 200809L
#include "world.h"
#include <stdlib.h>
#include <sys/resource.h>

/* Breaks a good world by `mistake`, makes `call`, and wants `status` and nothing changed. */
#define CASE(prepare, mistake, call, status)                        \
  do {                                                              \
    prepare();                                                      \
    mistake;                                                        \
    memcpy(&before, &w, sizeof w);                                  \
    demask_status got = (call);                                     \
    check_at(got == (status), #mistake " -> " #call " == " #status, \
             __FILE__, __LINE__);                                   \
    check_at(memcmp(&before, &w, sizeof w) == 0,                    \
             #mistake " -> " #call " changes nothing",              \
             __FILE__, __LINE__);                                   \
  } while (0)
#define NOTHING (void)0

/* The struct_size rule, for a struct `w.x` followed by the unknown bytes `w.after_x`. */
#define STRUCT_CASES(prepare, x, call)                                            \
  do {                                                                            \
    CASE(prepare, w.x.struct_size = 0, call, DEMASK_ERR_STRUCT);                  \
    CASE(prepare, w.x.struct_size = 8, call, DEMASK_ERR_STRUCT);                  \
    CASE(prepare, w.x.struct_size = sizeof w.x + 1, call, DEMASK_ERR_STRUCT);     \
    CASE(prepare, w.x.struct_size = 4104, call, DEMASK_ERR_STRUCT);               \
    CASE(prepare, w.x.struct_size = UINT32_MAX, call, DEMASK_ERR_STRUCT);         \
    CASE(prepare, (w.x.struct_size += 8, w.after_##x = 1u), call, DEMASK_ERR_STRUCT); \
    prepare();                                                                    \
    w.x.struct_size += 8;                                                         \
    CHECK((call) == DEMASK_OK);                                                   \
  } while (0)

static demask_status create(void) {
  demask_status status = demask_create(&w.options, &w.made);
  if (status == DEMASK_OK) demask_destroy(w.made);
  return status;
}

static void cases_of_create(int may_limit_memory) {
  CASE(reset, NOTHING, demask_options_init(NULL, sizeof w.options), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_options_init(ODD(demask_options, &w.options), sizeof w.options),
       DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, demask_options_init(&w.options, 0), DEMASK_ERR_STRUCT);
  CASE(reset, NOTHING, demask_options_init(&w.options, sizeof w.options - 1), DEMASK_ERR_STRUCT);
  CASE(reset, NOTHING, demask_options_init(&w.options, SIZE_MAX), DEMASK_ERR_STRUCT);
  CASE(reset, NOTHING, demask_create(NULL, &w.made), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_create(&w.options, NULL), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_create(ODD(demask_options, &w.options), &w.made), DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, demask_create(&w.options, ODD(demask_context *, &w.made)),
       DEMASK_ERR_ALIGN);
  STRUCT_CASES(reset, options, create());
  CASE(reset, w.options.level = 4, create(), DEMASK_ERR_ARGUMENT);
  CASE(reset, w.options.threads = 0, create(), DEMASK_ERR_ARGUMENT);
  CASE(reset, w.options.threads = DEMASK_MAX_THREADS + 1, create(), DEMASK_ERR_ARGUMENT);
  for (uint32_t level = DEMASK_LEVEL_BASELINE; level <= DEMASK_LEVEL_AVX512; ++level) {
    if (level <= demask_level_detect()) {
      reset();
      w.options.level = level;
      CHECK(create() == DEMASK_OK);
    } else {
      CASE(reset, w.options.level = level, create(), DEMASK_ERR_LEVEL);
    }
  }
  if (may_limit_memory) {
    struct rlimit all, little;
    CHECK(getrlimit(RLIMIT_AS, &all) == 0);
    little = all;
    little.rlim_cur = (rlim_t)1 << 30;
    CHECK(setrlimit(RLIMIT_AS, &little) == 0);
    CASE(reset, w.options.max_positions = UINT32_MAX, create(), DEMASK_ERR_RESOURCES);
    CASE(reset, w.options.max_segments = UINT32_MAX, create(), DEMASK_ERR_RESOURCES);
    CASE(reset, w.options.max_policies = UINT32_MAX, create(), DEMASK_ERR_RESOURCES);
    CASE(reset, (w.options.max_segments = 1 << 24, w.options.max_policies = 0), create(),
         DEMASK_ERR_RESOURCES);
    CHECK(setrlimit(RLIMIT_AS, &all) == 0);
  } else {
    fprintf(stderr, "errors: skipped: DEMASK_ERR_RESOURCES, since memory must not be limited\n");
  }
  CASE(reset, NOTHING, demask_context_level(NULL, &w.count), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_context_level(context, NULL), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_context_level(context, ODD(uint32_t, &w.count)), DEMASK_ERR_ALIGN);
  demask_destroy(NULL);
}

static void cases_of_policies(void) {
  demask_policy *first = &w.policies[0], *second = &w.policies[1];
  size_t size = sizeof(demask_policy);
  CASE(reset, NOTHING, demask_policy_first_hitting(DEMASK_NOISE_LOGARITHMIC + 2, first, size), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, demask_policy_first_hitting(0, NULL, size), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_policy_first_hitting(0, ODD(demask_policy, first), size),
       DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, demask_policy_first_hitting(0, first, 4), DEMASK_ERR_STRUCT);
  CASE(reset, NOTHING, demask_policy_first_hitting(0, first, size + 4), DEMASK_ERR_STRUCT);
  CASE(reset, NOTHING, demask_policy_euler(DEMASK_NOISE_LOGARITHMIC + 2, 1, first, size), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, demask_policy_euler(0, 0, first, size), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, demask_policy_euler(0, 1, NULL, size), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_policy_euler(0, 1, first, 160), DEMASK_ERR_STRUCT);
  CASE(reset, NOTHING, demask_policy_random_order(0, first, size), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, demask_policy_random_order(1, NULL, size), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_policy_random_order(1, first, 0), DEMASK_ERR_STRUCT);

  CASE(reset, NOTHING, demask_policy_decoder(DEMASK_DECODER_REMDM_CONFIDENT + 1, 1, first, size), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, demask_policy_decoder(0, 1, NULL, size), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_policy_decoder(0, 1, ODD(demask_policy, first), size), DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, demask_policy_decoder(0, 1, first, size - 4), DEMASK_ERR_STRUCT);
  CASE(reset, NOTHING, demask_policy_decoder(DEMASK_DECODER_DREAM_ORIGIN, 1, first, size), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->threshold = 1.0, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->strict = 1, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->radius = 1, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->sizes_parameter = 0.5, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, (first->sizes = DEMASK_SIZES_TIME_RATIO, first->steps = 2, first->sizes_parameter = 1.0),
       demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->score = DEMASK_SCORE_NEGATIVE_DIVERGENCE + 1, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->score_gumbel_falls = 2, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->remask = 1, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->remask_by_confidence = 1, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->remask_eta = 0.5, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->remask_from = 1.0, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->update = DEMASK_UPDATE_REMASK, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->update = DEMASK_UPDATE_REMASK + 1, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->fill_token = 1, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->end_reserved = 1, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->n_end_tokens = 1, demask_policy_check(first), DEMASK_ERR_NULL);
  CASE(reset, first->score_priors = 2, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->reserved_3 = 1, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, (first->select = DEMASK_SELECT_TOP_K, first->score = DEMASK_SCORE_EXTERNAL),
       demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->last_reserved = 1, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->n_last_tokens = 1, demask_policy_check(first), DEMASK_ERR_NULL);
  CASE(reset, (first->select = DEMASK_SELECT_TOP_K, first->score_gumbel = -1.0),
       demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, (first->select = DEMASK_SELECT_TOP_K, first->score_temperature = -1.0f),
       demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, (first->select = DEMASK_SELECT_THRESHOLD, first->fallback = DEMASK_FALLBACK_FILL_IN_ORDER + 1),
       demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, (first->select = DEMASK_SELECT_THRESHOLD, first->threshold = NAN),
       demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->select = DEMASK_SELECT_STABLE + 1, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, demask_policy_check(NULL), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_policy_check(ODD(demask_policy, first)), DEMASK_ERR_ALIGN);
  CASE(reset, first->struct_size = 64, demask_policy_check(first), DEMASK_ERR_STRUCT);
  CASE(reset, first->filter_order = 2, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->method = DEMASK_METHOD_RACE + 1, demask_policy_check(first),
       DEMASK_ERR_ARGUMENT);
  CASE(reset, first->reserved = 1, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->top_p = 1.5f, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->min_p = -0.5f, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->select = DEMASK_SELECT_STABLE + 1, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->update = 1, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->noise = DEMASK_NOISE_TABLE + 1, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->sizes = DEMASK_SIZES_KAPPA + 1, demask_policy_check(first),
       DEMASK_ERR_ARGUMENT);
  CASE(reset, first->sizes = DEMASK_SIZES_TABLE, demask_policy_check(first), DEMASK_ERR_NULL);
  CASE(reset, first->transition = DEMASK_TRANSITION_TRAPEZOIDAL_REJECT + 1,
       demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->grid = DEMASK_GRID_TIMES + 1, demask_policy_check(first),
       DEMASK_ERR_ARGUMENT);
  CASE(reset, first->grid = DEMASK_GRID_TIMES, demask_policy_check(first), DEMASK_ERR_NULL);
  CASE(reset, first->extrapolate = 2, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->sizes_reserved = 1, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->theta = 0.5, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->grid_fraction = 0.5, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->reserved_2 = 1, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->grid_reserved = 1, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, second->extrapolate = 1, demask_policy_check(second), DEMASK_ERR_ARGUMENT);
  CASE(reset, (second->grid = DEMASK_GRID_DECAYING, second->grid_fraction = 1.5),
       demask_policy_check(second), DEMASK_ERR_ARGUMENT);
  CASE(reset, (second->transition = DEMASK_TRANSITION_TRAPEZOIDAL, second->theta = 1.0),
       demask_policy_check(second), DEMASK_ERR_ARGUMENT);
  CASE(reset, second->select = DEMASK_SELECT_SCORE_BERNOULLI, demask_policy_check(second),
       DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, demask_policy_sampler(9, DEMASK_NOISE_LINEAR, 3, first, size),
       DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, demask_policy_sampler(0, DEMASK_NOISE_LINEAR, 0, first, size),
       DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, demask_policy_sampler(0, DEMASK_NOISE_TABLE, 3, first, size),
       DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_grid_decaying(1.0, 0.0, 3, &w.number), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, demask_grid_decaying(8.0, 0.1, 3, &w.number), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, demask_grid_decaying(1.0, 0.1, 3, NULL), DEMASK_ERR_NULL);
  CASE(reset, first->finish = 3, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->temperature = NAN, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->temperature = -1.0f, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, first->temperature = 1e-31f, demask_policy_check(first), DEMASK_ERR_ARGUMENT);
  CASE(reset, second->steps = 0, demask_policy_check(second), DEMASK_ERR_ARGUMENT);
  CASE(reset, second->start = NAN, demask_policy_check(second), DEMASK_ERR_ARGUMENT);
  CASE(reset, second->start = 0.0, demask_policy_check(second), DEMASK_ERR_ARGUMENT);
  CASE(reset, second->start = 1.5, demask_policy_check(second), DEMASK_ERR_ARGUMENT);
  CASE(reset, second->end = NAN, demask_policy_check(second), DEMASK_ERR_ARGUMENT);
  CASE(reset, second->end = -0.5, demask_policy_check(second), DEMASK_ERR_ARGUMENT);
  CASE(reset, second->end = 1.0, demask_policy_check(second), DEMASK_ERR_ARGUMENT);

  CASE(reset, NOTHING, demask_policy_decoder(DEMASK_DECODER_REMDM, 0, first, size),
       DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, demask_policy_remdm_loop(0.02, NULL, first, size), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_policy_remdm_loop(0.02, time_grid, NULL, size), DEMASK_ERR_NULL);
  CASE(reset, NOTHING,
       demask_policy_remdm_loop(0.02, ODD(demask_time_grid, time_grid), first, size),
       DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING,
       demask_policy_remdm_loop(0.02, time_grid, ODD(demask_policy, first), size),
       DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, demask_policy_remdm_loop(0.02, time_grid, first, size - 4),
       DEMASK_ERR_STRUCT);
  CASE(reset, NOTHING, demask_policy_remdm_loop(1.5, time_grid, first, size), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, demask_policy_remdm_loop(NAN, time_grid, first, size), DEMASK_ERR_ARGUMENT);
  /* A grid of times says how many steps there are. */
#define OTHER_STEPS                                                                      \
  (demask_policy_euler(DEMASK_NOISE_LINEAR, 77, first, size), first->grid = DEMASK_GRID_TIMES, \
   first->grid_times = time_grid)
  CASE(reset, OTHER_STEPS, demask_policy_check(first), DEMASK_ERR_SHAPE);
  CASE(reset, OTHER_STEPS, demask_policy_grid_time(first, 0, &w.number), DEMASK_ERR_SHAPE);
#undef OTHER_STEPS

#define SIZE(policy, left, key, out) demask_policy_size(policy, 4, left, 0, key, out)
  CASE(reset, NOTHING, SIZE(NULL, 4, w.keys, &w.count), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, SIZE(second, 4, NULL, &w.count), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, SIZE(second, 4, w.keys, NULL), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, SIZE(ODD(demask_policy, second), 4, w.keys, &w.count), DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, SIZE(second, 4, ODD(demask_key, w.keys), &w.count), DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, SIZE(second, 4, w.keys, ODD(uint32_t, &w.count)), DEMASK_ERR_ALIGN);
  CASE(reset, second->struct_size = 64, SIZE(second, 4, w.keys, &w.count), DEMASK_ERR_STRUCT);
  CASE(reset, second->steps = 0, SIZE(second, 4, w.keys, &w.count), DEMASK_ERR_ARGUMENT);
  CASE(reset, second->top_p = NAN, SIZE(second, 4, w.keys, &w.count), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, SIZE(second, 5, w.keys, &w.count), DEMASK_ERR_SHAPE);
  CASE(reset, (second->sizes = DEMASK_SIZES_TABLE, second->sizes_table = sizes),
       demask_policy_size(second, ROWS + 1, 1, 0, w.keys, &w.count), DEMASK_ERR_SHAPE);
  CASE(reset, (second->sizes = DEMASK_SIZES_TABLE, second->sizes_table = sizes, second->steps = 4),
       SIZE(second, 4, w.keys, &w.count), DEMASK_ERR_SHAPE);
#undef SIZE

  CASE(reset, NOTHING, demask_key_state(NULL, 0, w.words), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_key_state(w.keys, 0, NULL), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_key_state(ODD(demask_key, w.keys), 0, w.words), DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, demask_key_state(w.keys, 0, ODD(uint64_t, w.words)), DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, demask_key_state(w.keys, DEMASK_PURPOSE_FIRST_NOISE + 1, w.words),
       DEMASK_ERR_ARGUMENT);

  CASE(reset, NOTHING, demask_policy_grid_time(NULL, 0, &w.number), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_policy_grid_time(second, 0, NULL), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_policy_grid_time(second, 0, ODD(double, &w.number)),
       DEMASK_ERR_ALIGN);
  CASE(reset, second->steps = 0, demask_policy_grid_time(second, 0, &w.number),
       DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, demask_policy_grid_time(first, 0, &w.number), DEMASK_ERR_ARGUMENT);
}

static demask_status plan(void) { return demask_plan(context, &w.canvas, &w.plan); }
static demask_status step(void) { return demask_step(context, &w.canvas, &w.logits, &w.out); }
static demask_status step_planned(void) {
  return demask_step_planned(context, &w.canvas, &w.plan, &w.logits, &w.out);
}

static demask_status draw(void) {
  return demask_draw(context, &w.logits, &w.rule, &w.constraints, w.keys, w.n_keys, w.n_draws,
                     w.drawn, w.row_state);
}

static demask_status describe(void) {
  return demask_draw_statistics(context, &w.logits, &w.rule, &w.constraints, w.keys, w.n_keys,
                                &w.statistics, w.drawn, w.row_state);
}

static demask_status step_rows(void) {
  return demask_step_rows(context, &w.canvas, &w.plan, &w.logits, w.first, w.records);
}

static demask_status advance(void) {
  return demask_advance(context, &w.canvas, &w.plan, w.vocab, w.records, w.n_records, &w.out);
}

static demask_status race_shard(void) {
  return demask_race_shard(context, &w.logits, w.offset, &w.rule, &w.constraints, w.keys, w.n_keys,
                           w.races);
}

static demask_status fill_shard(void) {
  return demask_shard_records_fill(context, &w.logits, w.offset, w.vocab, w.rule.temperature,
                                   &w.constraints, w.shard_given, shard_records);
}

static demask_status draw_shard(void) {
  return demask_shard_tokens(context, &w.logits, w.offset, w.vocab, w.rule.temperature,
                             &w.constraints, w.keys, w.n_keys, w.blocks, w.shard_tokens);
}

static demask_status merge_shards(void) {
  return demask_shard_merge_records(shard_merge, w.shards, w.n_shards, w.keys, w.n_keys, ROWS,
                                    w.described, w.blocks);
}

static demask_status finish_shards(void) {
  return demask_shard_merge_finish(shard_merge, w.shard_tokens, w.n_shards, w.n_keys, w.drawn,
                                   w.row_state, w.described);
}

/* A mistake in the canvas is told by each call that takes one. */
#define CANVAS_CASE(mistake, status)                 \
  do {                                               \
    CASE(reset, mistake, plan(), status);            \
    CASE(reset, mistake, step(), status);            \
    CASE(reset_planned, mistake, step_planned(), status); \
  } while (0)

static void use_later_structs(void) {
  w.canvas.segments = &w.later_segments[0].known;
  w.canvas.segment_size = sizeof(struct later_segment);
  w.canvas.policies = &w.later_policies[0].known;
  w.canvas.policy_size = sizeof(struct later_policy);
}

static void cases_of_canvases(void) {
  STRUCT_CASES(reset, canvas, plan());
  STRUCT_CASES(reset, canvas, step());
  STRUCT_CASES(reset_planned, canvas, step_planned());

  CANVAS_CASE(w.canvas.tokens = NULL, DEMASK_ERR_NULL);
  CANVAS_CASE(w.canvas.tokens = ODD(int32_t, w.tokens), DEMASK_ERR_ALIGN);
  CANVAS_CASE(w.canvas.n_positions = SIZE_MAX, DEMASK_ERR_SHAPE);
  CANVAS_CASE(w.canvas.n_positions = SIZE_MAX / 4, DEMASK_ERR_SHAPE);
  CANVAS_CASE(w.canvas.n_positions = POSITIONS - 1, DEMASK_ERR_SHAPE);
  CANVAS_CASE(w.kinds[3] = DEMASK_KIND_INACTIVE + 1, DEMASK_ERR_SHAPE);

  static float prior[POSITIONS];
  prior[POSITIONS - 1] = NAN;
  CANVAS_CASE(w.canvas.prior_add = prior, DEMASK_ERR_ARGUMENT);
  CANVAS_CASE(w.canvas.prior_multiply = ODD(float, prior), DEMASK_ERR_ALIGN);
  CANVAS_CASE(w.canvas.states = ODD(demask_position_state, (demask_position_state *)prior), DEMASK_ERR_ALIGN);

  CANVAS_CASE(w.canvas.segments = NULL, DEMASK_ERR_NULL);
  CANVAS_CASE(w.canvas.segments = ODD(demask_segment, w.segments), DEMASK_ERR_ALIGN);
  CANVAS_CASE(w.canvas.n_segments = SIZE_MAX / sizeof(demask_segment), DEMASK_ERR_SHAPE);
  CANVAS_CASE(w.canvas.n_segments = SEGMENTS + 1, DEMASK_ERR_CAPACITY);
  CANVAS_CASE(w.canvas.segment_size = 0, DEMASK_ERR_STRUCT);
  CANVAS_CASE(w.canvas.segment_size = 48, DEMASK_ERR_STRUCT);
  CANVAS_CASE(w.canvas.segment_size = sizeof(demask_segment) + 4, DEMASK_ERR_STRUCT);
  CANVAS_CASE((use_later_structs(), w.later_segments[1].unknown = 1), DEMASK_ERR_STRUCT);
  CANVAS_CASE(w.segments[0].end = 5, DEMASK_ERR_SHAPE);
  CANVAS_CASE(w.segments[1].begin = 9, DEMASK_ERR_SHAPE);
  CANVAS_CASE(w.segments[1].end = 9, DEMASK_ERR_SHAPE);
  CANVAS_CASE(w.segments[0].policy = POLICIES, DEMASK_ERR_SHAPE);
  CANVAS_CASE(w.segments[0].log_masked = NAN, DEMASK_ERR_ARGUMENT);
  CANVAS_CASE(w.segments[0].log_masked = 0.5, DEMASK_ERR_ARGUMENT);
  CANVAS_CASE(w.segments[0].output_log_masked = NAN, DEMASK_ERR_ARGUMENT);
  CANVAS_CASE(w.segments[0].output_log_masked = 0.5, DEMASK_ERR_ARGUMENT);
  CANVAS_CASE(w.segments[1].step = UINT32_MAX, DEMASK_ERR_ARGUMENT);

  CANVAS_CASE(w.canvas.policies = NULL, DEMASK_ERR_NULL);
  CANVAS_CASE(w.canvas.policies = ODD(demask_policy, w.policies), DEMASK_ERR_ALIGN);
  CANVAS_CASE(w.canvas.n_policies = SIZE_MAX / sizeof(demask_policy), DEMASK_ERR_SHAPE);
  CANVAS_CASE(w.canvas.n_policies = POLICIES + 1, DEMASK_ERR_CAPACITY);
  CANVAS_CASE(w.canvas.policy_size = sizeof(demask_policy) + 8, DEMASK_ERR_STRUCT);
  CANVAS_CASE(w.policies[1].struct_size = 0, DEMASK_ERR_STRUCT);
  CANVAS_CASE((use_later_structs(), w.later_policies[1].unknown = 1), DEMASK_ERR_STRUCT);
  CANVAS_CASE(w.policies[1].method = DEMASK_METHOD_RACE + 1, DEMASK_ERR_ARGUMENT);
  CANVAS_CASE(w.policies[1].top_p = NAN, DEMASK_ERR_ARGUMENT);
  CANVAS_CASE(w.policies[1].noise = DEMASK_NOISE_TABLE + 1, DEMASK_ERR_ARGUMENT);
  CANVAS_CASE(w.policies[1].steps = 0, DEMASK_ERR_ARGUMENT);
  CANVAS_CASE(w.policies[1].temperature = NAN, DEMASK_ERR_ARGUMENT);

  /* More positions than the context was made for, in segments. */
  demask_context *narrow = NULL, *whole = context;
  reset();
  w.options.max_positions = POSITIONS - 1;
  CHECK(demask_create(&w.options, &narrow) == DEMASK_OK);
  context = narrow;
  CASE(reset, NOTHING, plan(), DEMASK_ERR_CAPACITY);
  CASE(reset, NOTHING, step(), DEMASK_ERR_CAPACITY);
  CASE(reset, NOTHING, draw(), DEMASK_ERR_CAPACITY);
  CASE(reset, NOTHING, describe(), DEMASK_ERR_CAPACITY);
  context = whole;
  demask_destroy(narrow);

  CASE(reset, NOTHING, demask_plan(NULL, &w.canvas, &w.plan), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_plan(context, NULL, &w.plan), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_plan(context, ODD(demask_canvas, &w.canvas), &w.plan),
       DEMASK_ERR_ALIGN);
}

static void cases_of_plans(void) {
  STRUCT_CASES(reset, plan, plan());
  STRUCT_CASES(reset_planned, plan, step_planned());
  CASE(reset, NOTHING, demask_plan(context, &w.canvas, NULL), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_plan(context, &w.canvas, ODD(demask_plan_buffers, &w.plan)),
       DEMASK_ERR_ALIGN);
  CASE(reset, w.plan.reserved = 1, plan(), DEMASK_ERR_ARGUMENT);
  CASE(reset, w.plan.rows = NULL, plan(), DEMASK_ERR_NULL);
  CASE(reset, w.plan.offsets = NULL, plan(), DEMASK_ERR_NULL);
  CASE(reset, w.plan.steps = NULL, plan(), DEMASK_ERR_NULL);
  CASE(reset, w.plan.log_masked = NULL, plan(), DEMASK_ERR_NULL);
  CASE(reset, w.plan.rows = ODD(uint32_t, w.rows), plan(), DEMASK_ERR_ALIGN);
  CASE(reset, w.plan.offsets = ODD(uint32_t, w.offsets), plan(), DEMASK_ERR_ALIGN);
  CASE(reset, w.plan.steps = ODD(uint32_t, w.steps), plan(), DEMASK_ERR_ALIGN);
  CASE(reset, w.plan.log_masked = ODD(double, w.log_masked), plan(), DEMASK_ERR_ALIGN);
  CASE(reset, w.plan.times = ODD(double, w.times), plan(), DEMASK_ERR_ALIGN);
  CASE(reset, w.plan.rows_capacity = 2, plan(), DEMASK_ERR_CAPACITY);
  CASE(reset, (w.plan.rows = NULL, w.plan.rows_capacity = 0), plan(), DEMASK_ERR_CAPACITY);
  CASE(reset, w.plan.segments_capacity = 1, plan(), DEMASK_ERR_CAPACITY);
  CASE(reset, w.plan.rows_capacity = SIZE_MAX / 4, plan(), DEMASK_ERR_SHAPE);
  CASE(reset, w.plan.segments_capacity = SIZE_MAX, plan(), DEMASK_ERR_SHAPE);
  CASE(reset, (w.plan.remasked = ODD(uint32_t, w.masks), w.plan.remasked_capacity = 4), plan(),
       DEMASK_ERR_ALIGN);
  CASE(reset, (w.plan.remasked = w.masks, w.plan.remasked_capacity = SIZE_MAX), plan(),
       DEMASK_ERR_SHAPE);
  CASE(reset,
       (demask_policy_sampler(DEMASK_SAMPLER_ANCESTRAL, DEMASK_NOISE_LINEAR, 4, &w.policies[0],
                              sizeof w.policies[0]),
        w.policies[0].update = DEMASK_UPDATE_REMASK, w.policies[0].remask_eta = 1.0,
        w.policies[0].remask_from = INFINITY, memset(w.kinds, DEMASK_KIND_COMMITTED, 4),
        w.segments[0].step = 1, w.plan.remasked = w.masks, w.plan.remasked_capacity = 0),
       plan(), DEMASK_ERR_CAPACITY);
  w.plan.remasked_capacity = 4;
  CHECK(plan() == DEMASK_OK && w.plan.n_remasked == 4 && w.masks[3] == 3);

  CASE(reset_planned, NOTHING,
       demask_step_planned(NULL, &w.canvas, &w.plan, &w.logits, &w.out), DEMASK_ERR_NULL);
  CASE(reset_planned, NOTHING,
       demask_step_planned(context, NULL, &w.plan, &w.logits, &w.out), DEMASK_ERR_NULL);
  CASE(reset_planned, NOTHING,
       demask_step_planned(context, &w.canvas, NULL, &w.logits, &w.out), DEMASK_ERR_NULL);
  CASE(reset_planned, NOTHING,
       demask_step_planned(context, &w.canvas, &w.plan, NULL, &w.out), DEMASK_ERR_NULL);
  CASE(reset_planned, w.plan.reserved = 1, step_planned(), DEMASK_ERR_ARGUMENT);
  CASE(reset_planned, w.plan.rows = NULL, step_planned(), DEMASK_ERR_NULL);
  CASE(reset_planned, w.plan.rows = ODD(uint32_t, w.rows), step_planned(), DEMASK_ERR_ALIGN);
  CASE(reset_planned, w.plan.offsets = NULL, step_planned(), DEMASK_ERR_NULL);
  CASE(reset_planned, w.plan.steps = NULL, step_planned(), DEMASK_ERR_NULL);
  CASE(reset_planned, w.plan.log_masked = NULL, step_planned(), DEMASK_ERR_NULL);
  CASE(reset_planned, w.plan.n_rows = POSITIONS + 1, step_planned(), DEMASK_ERR_PLAN);

  /* Plans that do not stand: never made, of another canvas, or of an earlier state of this. */
  CASE(reset, NOTHING, step_planned(), DEMASK_ERR_PLAN);
  CASE(reset_planned, w.plan.n_segments = 1, step_planned(), DEMASK_ERR_PLAN);
  CASE(reset_planned, w.plan.n_rows = 2, step_planned(), DEMASK_ERR_PLAN);
  CASE(reset_planned, w.canvas.n_segments = 1, step_planned(), DEMASK_ERR_PLAN);
  CASE(reset_planned, w.kinds[w.rows[0]] = DEMASK_KIND_COMMITTED, step_planned(),
       DEMASK_ERR_PLAN);
  CASE(reset_planned, w.segments[0].step = 1, step_planned(), DEMASK_ERR_PLAN);
  CASE(reset_planned, w.steps[1] = 1, step_planned(), DEMASK_ERR_PLAN);
  CASE(reset_planned, w.segments[0].log_masked = -100.0, step_planned(), DEMASK_ERR_PLAN);
  CASE(reset_planned, w.log_masked[0] = NAN, step_planned(), DEMASK_ERR_PLAN);
  CASE(reset_planned, w.log_masked[1] = 0.5, step_planned(), DEMASK_ERR_PLAN);
  CASE(reset_planned, w.offsets[0] = 1, step_planned(), DEMASK_ERR_PLAN);
  CASE(reset_planned, w.offsets[1] = 4, step_planned(), DEMASK_ERR_PLAN);
  CASE(reset_planned, w.offsets[2] = 2, step_planned(), DEMASK_ERR_PLAN);
  CASE(reset_planned, w.rows[0] = 4, step_planned(), DEMASK_ERR_PLAN);
  CASE(reset_planned, w.rows[2] = w.rows[1], step_planned(), DEMASK_ERR_PLAN);
  CASE(reset_planned, w.rows[2] = UINT32_MAX, step_planned(), DEMASK_ERR_PLAN);
  reset_planned();
  CHECK(step_planned() == DEMASK_OK);
  memcpy(&before, &w, sizeof w);
  CHECK(step_planned() == DEMASK_ERR_PLAN); /* made twice */
  CHECK(memcmp(&before, &w, sizeof w) == 0);
}

/* A mistake in the logits is told by each call that takes them. */
#define LOGITS_CASE(mistake, status)                                                      \
  do {                                                                                    \
    CASE(reset, mistake, step(), status);                                                 \
    CASE(reset_planned, mistake, step_planned(), status);                                 \
    CASE(reset, mistake, draw(), status);                                                 \
    CASE(reset, mistake, describe(), status);                                             \
  } while (0)

static void cases_of_logits(void) {
  STRUCT_CASES(reset, logits, step());
  STRUCT_CASES(reset_planned, logits, step_planned());
  STRUCT_CASES(reset, logits, draw());
  LOGITS_CASE(w.logits.dtype = DEMASK_DTYPE_BF16 + 1, DEMASK_ERR_ARGUMENT);
  LOGITS_CASE(w.logits.reserved = 1, DEMASK_ERR_ARGUMENT);
  LOGITS_CASE(w.logits.data = NULL, DEMASK_ERR_NULL);
  LOGITS_CASE(w.logits.data = ODD(float, w.data), DEMASK_ERR_ALIGN);
  LOGITS_CASE(w.logits.vocab = 0, DEMASK_ERR_SHAPE);
  LOGITS_CASE((w.logits.vocab = DEMASK_MAX_VOCAB + 1, w.logits.n_rows = 1, w.logits.data_rows = 1,
               w.logits.row_stride = SIZE_MAX), DEMASK_ERR_SHAPE);
  LOGITS_CASE(w.logits.row_stride = VOCAB - 1, DEMASK_ERR_SHAPE);
  LOGITS_CASE(w.logits.row_stride = SIZE_MAX / 2, DEMASK_ERR_SHAPE);
  LOGITS_CASE(w.logits.row_stride = SIZE_MAX / 7 + 1, DEMASK_ERR_SHAPE);
  LOGITS_CASE(w.logits.data_rows = SIZE_MAX, DEMASK_ERR_SHAPE);
  LOGITS_CASE(w.logits.data_rows = 0, DEMASK_ERR_SHAPE);
  LOGITS_CASE((w.logits.row_index = NULL, w.logits.n_rows = SIZE_MAX), DEMASK_ERR_SHAPE);
  LOGITS_CASE(w.logits.row_index = ODD(uint32_t, w.row_index), DEMASK_ERR_ALIGN);
  LOGITS_CASE(w.row_index[1] = ROWS, DEMASK_ERR_SHAPE);
  LOGITS_CASE(w.logits.n_rows -= 1, DEMASK_ERR_SHAPE);
  LOGITS_CASE(w.logits.n_rows = 0, DEMASK_ERR_SHAPE);
  CASE(reset, NOTHING, demask_step(NULL, &w.canvas, &w.logits, &w.out), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_step(context, NULL, &w.logits, &w.out), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_step(context, &w.canvas, NULL, &w.out), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_step(context, &w.canvas, ODD(demask_logits, &w.logits), &w.out),
       DEMASK_ERR_ALIGN);
}

static void cases_of_reports(void) {
  STRUCT_CASES(reset, out, step());
  STRUCT_CASES(reset_planned, out, step_planned());
  CASE(reset, NOTHING, demask_step(context, &w.canvas, &w.logits, ODD(demask_step_out, &w.out)),
       DEMASK_ERR_ALIGN);
  CASE(reset, w.out.reserved = 1, step(), DEMASK_ERR_ARGUMENT);
  CASE(reset, w.out.tokens = ODD(int32_t, w.drawn), step(), DEMASK_ERR_ALIGN);
  CASE(reset_planned, w.out.reserved = 1, step_planned(), DEMASK_ERR_ARGUMENT);
  CASE(reset_planned, w.out.tokens = ODD(int32_t, w.drawn), step_planned(), DEMASK_ERR_ALIGN);
}

/* A mistake in the guide is told by each call that takes logits. */
#define GUIDE_CASE(mistake, status)                                                       \
  do {                                                                                    \
    CASE(reset_guided, mistake, step(), status);                                          \
    CASE(reset_guided, mistake, draw(), status);                                          \
  } while (0)

static void cases_of_guides(void) {
  STRUCT_CASES(reset_guided, guide, step());
  STRUCT_CASES(reset_guided, guide, draw());
  GUIDE_CASE(w.logits.guide = ODD(demask_logits, &w.guide), DEMASK_ERR_ALIGN);
  GUIDE_CASE(w.logits.guide = &w.logits, DEMASK_ERR_SHAPE); /* itself */
  GUIDE_CASE(w.guide.guide = &w.guide, DEMASK_ERR_SHAPE);
  GUIDE_CASE(w.guide.dtype = DEMASK_DTYPE_F16, DEMASK_ERR_SHAPE);
  GUIDE_CASE(w.guide.dtype = DEMASK_DTYPE_BF16 + 1, DEMASK_ERR_ARGUMENT);
  GUIDE_CASE(w.guide.reserved = 1, DEMASK_ERR_ARGUMENT);
  GUIDE_CASE(w.guide.data = NULL, DEMASK_ERR_NULL);
  GUIDE_CASE(w.guide.data = ODD(float, w.guide_data), DEMASK_ERR_ALIGN);
  GUIDE_CASE(w.guide.n_rows = ROWS - 1, DEMASK_ERR_SHAPE);
  GUIDE_CASE(w.guide.n_rows = 0, DEMASK_ERR_SHAPE);
  GUIDE_CASE(w.guide.vocab = VOCAB - 1, DEMASK_ERR_SHAPE);
  GUIDE_CASE(w.guide.row_stride = VOCAB - 1, DEMASK_ERR_SHAPE);
  GUIDE_CASE(w.guide.row_stride = SIZE_MAX / 2, DEMASK_ERR_SHAPE);
  GUIDE_CASE(w.logits.guidance_scale = NAN, DEMASK_ERR_ARGUMENT);
  GUIDE_CASE(w.logits.guidance_scale = INFINITY, DEMASK_ERR_ARGUMENT);

  /* The rows of an earlier call. */
  GUIDE_CASE(w.logits.earlier = ODD(demask_logits, &w.guide), DEMASK_ERR_ALIGN);
  GUIDE_CASE(w.logits.earlier = &w.logits, DEMASK_ERR_SHAPE); /* itself */
  GUIDE_CASE((w.logits.guide = NULL, w.logits.earlier = &w.guide, w.guide.earlier = &w.guide),
             DEMASK_ERR_SHAPE);
  GUIDE_CASE((w.logits.guide = NULL, w.logits.earlier = &w.guide, w.guide.vocab = VOCAB - 1),
             DEMASK_ERR_SHAPE);
  GUIDE_CASE((w.logits.guide = NULL, w.logits.earlier = &w.guide, w.guide.n_rows = ROWS - 1),
             DEMASK_ERR_SHAPE);
  GUIDE_CASE(w.logits.reserved_2 = 1, DEMASK_ERR_ARGUMENT);
}

static void cases_of_rules(void) {
  size_t size = sizeof w.rule;
  CASE(reset, NOTHING, demask_draw_rule_init(NULL, size), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_draw_rule_init(ODD(demask_draw_rule, &w.rule), size),
       DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, demask_draw_rule_init(&w.rule, size - 8), DEMASK_ERR_STRUCT);
  STRUCT_CASES(reset, rule, draw());
  CASE(reset, w.rule.temperature = NAN, draw(), DEMASK_ERR_ARGUMENT);
  CASE(reset, w.rule.temperature = -1.0f, draw(), DEMASK_ERR_ARGUMENT);
  CASE(reset, w.rule.temperature = 1e-31f, draw(), DEMASK_ERR_ARGUMENT);
  CASE(reset, w.rule.top_p = NAN, draw(), DEMASK_ERR_ARGUMENT);
  CASE(reset, w.rule.top_p = -0.5f, draw(), DEMASK_ERR_ARGUMENT);
  CASE(reset, w.rule.top_p = 1.5f, draw(), DEMASK_ERR_ARGUMENT);
  CASE(reset, w.rule.min_p = NAN, draw(), DEMASK_ERR_ARGUMENT);
  CASE(reset, w.rule.min_p = -0.5f, draw(), DEMASK_ERR_ARGUMENT);
  CASE(reset, w.rule.min_p = 1.5f, draw(), DEMASK_ERR_ARGUMENT);
  CASE(reset, (w.rule.temperature = 0.0f, w.rule.top_p = 1.5f), draw(), DEMASK_ERR_ARGUMENT);
  CASE(reset, w.rule.filter_order = DEMASK_FILTER_BEFORE_TEMPERATURE + 1, draw(),
       DEMASK_ERR_ARGUMENT);
  CASE(reset, w.rule.method = DEMASK_METHOD_RACE + 1, draw(), DEMASK_ERR_ARGUMENT);
}

static void cases_of_constraints(void) {
  demask_constraints *constraints = &w.constraints;
  size_t size = sizeof *constraints;
  CASE(reset, NOTHING, demask_constraints_init(NULL, size), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_constraints_init(ODD(demask_constraints, constraints), size),
       DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, demask_constraints_init(constraints, 48), DEMASK_ERR_STRUCT);
  STRUCT_CASES(reset_constrained, constraints, draw());
  CASE(reset_constrained, constraints->banned = NULL, draw(), DEMASK_ERR_NULL);
  CASE(reset_constrained, constraints->banned = ODD(uint32_t, w.banned), draw(),
       DEMASK_ERR_ALIGN);
  CASE(reset_constrained, constraints->n_banned = SIZE_MAX, draw(), DEMASK_ERR_SHAPE);
  CASE(reset_constrained, w.banned[1] = VOCAB, draw(), DEMASK_ERR_SHAPE);
  CASE(reset_constrained, constraints->bias = NULL, draw(), DEMASK_ERR_NULL);
  CASE(reset_constrained, constraints->bias = ODD(demask_token_bias, w.bias), draw(),
       DEMASK_ERR_ALIGN);
  CASE(reset_constrained, constraints->n_bias = SIZE_MAX / 8, draw(), DEMASK_ERR_SHAPE);
  CASE(reset_constrained, w.bias[1].token = VOCAB, draw(), DEMASK_ERR_SHAPE);
  CASE(reset_constrained, w.bias[1].bias = NAN, draw(), DEMASK_ERR_ARGUMENT);
  CASE(reset_constrained, w.bias[1].bias = INFINITY, draw(), DEMASK_ERR_ARGUMENT);
  CASE(reset_constrained, constraints->row_bias_offsets = NULL, draw(), DEMASK_ERR_NULL);
  CASE(reset_constrained, constraints->row_bias_offsets = ODD(uint32_t, w.row_bias_offsets),
       draw(), DEMASK_ERR_ALIGN);
  CASE(reset_constrained, constraints->row_bias = NULL, draw(), DEMASK_ERR_NULL);
  CASE(reset_constrained, constraints->row_bias = ODD(demask_token_bias, w.row_bias), draw(),
       DEMASK_ERR_ALIGN);
  CASE(reset_constrained, constraints->n_row_bias = SIZE_MAX / 8, draw(), DEMASK_ERR_SHAPE);
  CASE(reset_constrained, constraints->n_row_bias = 1, draw(), DEMASK_ERR_SHAPE);
  CASE(reset_constrained, w.row_bias_offsets[0] = 1, draw(), DEMASK_ERR_SHAPE);
  CASE(reset_constrained, w.row_bias_offsets[2] = 3, draw(), DEMASK_ERR_SHAPE);
  CASE(reset_constrained, w.row_bias_offsets[ROWS] = 1, draw(), DEMASK_ERR_SHAPE);
  CASE(reset_constrained, w.row_bias[1].token = VOCAB, draw(), DEMASK_ERR_SHAPE);
  CASE(reset_constrained, w.row_bias[1].bias = NAN, draw(), DEMASK_ERR_ARGUMENT);
  CASE(reset_constrained, w.row_bias[1].bias = INFINITY, draw(), DEMASK_ERR_ARGUMENT);
  /* A caller whose struct ends before them has none. */
  reset_constrained();
  constraints->struct_size = 56;
  w.row_bias_offsets[0] = 1;
  CHECK(draw() == DEMASK_OK);
  CASE(reset_constrained, constraints->allowed = ODD(uint32_t, w.allowed), draw(),
       DEMASK_ERR_ALIGN);
  CASE(reset_constrained, constraints->allowed_stride = SIZE_MAX / 4, draw(), DEMASK_ERR_SHAPE);
  /* A stride that is shorter than a row of words. */
  static const float wide[2 * 40];
  CASE(reset_constrained,
       (w.logits.data = wide, w.logits.vocab = w.logits.row_stride = 40, w.logits.row_index = NULL,
        w.logits.n_rows = w.n_keys = 2),
       draw(), DEMASK_ERR_SHAPE);
}

static void cases_of_draws(void) {
#define DRAW(context, logits, rule, constraints, keys, tokens) \
  demask_draw(context, logits, rule, constraints, keys, w.n_keys, w.n_draws, tokens, w.row_state)
  demask_logits *logits = &w.logits;
  demask_draw_rule *rule = &w.rule;
  demask_constraints *constraints = &w.constraints;
  CASE(reset, NOTHING, DRAW(NULL, logits, rule, constraints, w.keys, w.drawn), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, DRAW(context, NULL, rule, constraints, w.keys, w.drawn), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, DRAW(context, logits, NULL, constraints, w.keys, w.drawn),
       DEMASK_ERR_NULL);
  CASE(reset, NOTHING,
       DRAW(context, logits, ODD(demask_draw_rule, rule), constraints, w.keys, w.drawn),
       DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING,
       DRAW(context, logits, rule, ODD(demask_constraints, constraints), w.keys, w.drawn),
       DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, DRAW(context, logits, rule, NULL, NULL, w.drawn), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, DRAW(context, logits, rule, NULL, ODD(demask_key, w.keys), w.drawn),
       DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, DRAW(context, logits, rule, NULL, w.keys, NULL), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, DRAW(context, logits, rule, NULL, w.keys, ODD(int32_t, w.drawn)),
       DEMASK_ERR_ALIGN);
  CASE(reset, w.n_keys = ROWS - 1, draw(), DEMASK_ERR_SHAPE);
  CASE(reset, w.n_keys = ROWS + 1, draw(), DEMASK_ERR_SHAPE);
  CASE(reset, w.n_keys = SIZE_MAX, draw(), DEMASK_ERR_SHAPE);
  CASE(reset, w.n_draws = 0, draw(), DEMASK_ERR_ARGUMENT);
  CASE(reset, w.n_draws = 2, draw(), DEMASK_ERR_CAPACITY);
  CASE(reset, w.n_draws = SIZE_MAX / 4, draw(), DEMASK_ERR_SHAPE);
  CASE(reset, w.n_draws = SIZE_MAX / 16, draw(), DEMASK_ERR_SHAPE);
  CASE(reset, (w.n_draws = 4, w.logits.n_rows = w.n_keys = 3), draw(), DEMASK_ERR_CAPACITY);
#undef DRAW
}

static void cases_of_statistics(void) {
#define DESCRIBE(context, logits, rule, constraints, keys, statistics, tokens)                  \
  demask_draw_statistics(context, logits, rule, constraints, keys, w.n_keys, statistics, tokens, \
                         w.row_state)
  demask_statistics *statistics = &w.statistics;
  demask_logits *logits = &w.logits;
  demask_draw_rule *rule = &w.rule;
  size_t size = sizeof *statistics;
  CASE(reset, NOTHING, demask_statistics_init(NULL, size), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_statistics_init(ODD(demask_statistics, statistics), size),
       DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, demask_statistics_init(statistics, size - 16), DEMASK_ERR_STRUCT);
  STRUCT_CASES(reset, statistics, describe());
  STRUCT_CASES(reset, logits, describe());
  STRUCT_CASES(reset, rule, describe());
  STRUCT_CASES(reset, constraints, describe());
  STRUCT_CASES(reset, guide, describe());

  CASE(reset, NOTHING, DESCRIBE(NULL, logits, rule, NULL, w.keys, statistics, w.drawn),
       DEMASK_ERR_NULL);
  CASE(reset, NOTHING, DESCRIBE(context, NULL, rule, NULL, w.keys, statistics, w.drawn),
       DEMASK_ERR_NULL);
  CASE(reset, NOTHING, DESCRIBE(context, logits, NULL, NULL, w.keys, statistics, w.drawn),
       DEMASK_ERR_NULL);
  CASE(reset, NOTHING, DESCRIBE(context, logits, rule, NULL, NULL, statistics, w.drawn),
       DEMASK_ERR_NULL);
  CASE(reset, NOTHING, DESCRIBE(context, logits, rule, NULL, w.keys, NULL, w.drawn),
       DEMASK_ERR_NULL);
  CASE(reset, NOTHING, DESCRIBE(context, logits, rule, NULL, w.keys, statistics, NULL),
       DEMASK_ERR_NULL);
  CASE(reset, NOTHING,
       DESCRIBE(context, logits, rule, NULL, w.keys, ODD(demask_statistics, statistics), w.drawn),
       DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING,
       DESCRIBE(context, logits, rule, NULL, w.keys, statistics, ODD(int32_t, w.drawn)),
       DEMASK_ERR_ALIGN);
  CASE(reset, w.n_keys = ROWS + 1, describe(), DEMASK_ERR_SHAPE);
  CASE(reset, w.n_keys = SIZE_MAX, describe(), DEMASK_ERR_SHAPE);
  CASE(reset, w.n_keys = SIZE_MAX / 64, describe(), DEMASK_ERR_SHAPE);
  CASE(reset, w.rule.temperature = -1.0f, describe(), DEMASK_ERR_ARGUMENT);
  CASE(reset, w.rule.method = DEMASK_METHOD_RACE + 1, describe(), DEMASK_ERR_ARGUMENT);
  CASE(reset_constrained, w.banned[1] = VOCAB, describe(), DEMASK_ERR_SHAPE);
  CASE(reset_constrained, w.bias[1].bias = NAN, describe(), DEMASK_ERR_ARGUMENT);

  CASE(reset, statistics->temperature = 0.0f, describe(), DEMASK_ERR_ARGUMENT);
  CASE(reset, statistics->temperature = -1.0f, describe(), DEMASK_ERR_ARGUMENT);
  CASE(reset, statistics->temperature = NAN, describe(), DEMASK_ERR_ARGUMENT);
  CASE(reset, statistics->given = ODD(uint32_t, w.given), describe(), DEMASK_ERR_ALIGN);
  CASE(reset, w.given[ROWS - 1] = VOCAB, describe(), DEMASK_ERR_SHAPE);
  CASE(reset, statistics->against = ODD(demask_logits, &w.guide), describe(), DEMASK_ERR_ALIGN);
  CASE(reset, w.guide.data = NULL, describe(), DEMASK_ERR_NULL);
  CASE(reset, w.guide.dtype = DEMASK_DTYPE_F16, describe(), DEMASK_ERR_SHAPE);
  CASE(reset, w.guide.n_rows = ROWS - 1, describe(), DEMASK_ERR_SHAPE);
  CASE(reset, w.guide.n_rows = 0, describe(), DEMASK_ERR_SHAPE);
  CASE(reset, w.guide.vocab = VOCAB - 1, describe(), DEMASK_ERR_SHAPE);
  CASE(reset, w.guide.guide = &w.logits, describe(), DEMASK_ERR_SHAPE);
  CASE(reset, statistics->rows = ODD(demask_row_statistics, w.described), describe(),
       DEMASK_ERR_ALIGN);
  CASE(reset, statistics->top = ODD(demask_top_token, w.top), describe(), DEMASK_ERR_ALIGN);
  CASE(reset, statistics->n_top = SIZE_MAX / 2, describe(), DEMASK_ERR_SHAPE);
  CASE(reset, statistics->n_top = SIZE_MAX / 64, describe(), DEMASK_ERR_SHAPE);
#undef DESCRIBE
}

static void cases_of_schedules(void) {
  double *out = &w.number;
  const demask_noise *noise = &w.noise;
  demask_status (*const at_time[])(const demask_noise *, double, double *) = {
      demask_noise_alpha, demask_noise_log_masked, demask_noise_rate, demask_noise_score_sum,
      demask_noise_time};
  for (int i = 0; i < 5; ++i) {
    double good = i < 4 ? 0.5 : -0.5, past = i < 4 ? 1.5 : 0.5;
    CASE(reset, NOTHING, at_time[i](NULL, good, out), DEMASK_ERR_NULL);
    CASE(reset, w.noise.schedule = DEMASK_NOISE_TABLE + 1, at_time[i](noise, good, out),
         DEMASK_ERR_ARGUMENT);
    CASE(reset, w.noise.parameter = 1.0, at_time[i](noise, good, out), DEMASK_ERR_ARGUMENT);
    CASE(reset, w.noise.sigma_max = 1.0, at_time[i](noise, good, out), DEMASK_ERR_ARGUMENT);
    CASE(reset, w.noise.reserved = 1, at_time[i](noise, good, out), DEMASK_ERR_ARGUMENT);
    CASE(reset, w.noise.schedule = DEMASK_NOISE_TABLE, at_time[i](noise, good, out),
         DEMASK_ERR_NULL);
    CASE(reset, w.noise.struct_size = 4, at_time[i](noise, good, out), DEMASK_ERR_STRUCT);
    CASE(reset, NOTHING, at_time[i](noise, NAN, out), DEMASK_ERR_ARGUMENT);
    CASE(reset, NOTHING, at_time[i](noise, past, out), DEMASK_ERR_ARGUMENT);
    CASE(reset, NOTHING, at_time[i](noise, good, NULL), DEMASK_ERR_NULL);
    CASE(reset, NOTHING, at_time[i](noise, good, ODD(double, out)), DEMASK_ERR_ALIGN);
    if (i < 4) CASE(reset, NOTHING, at_time[i](noise, -0.5, out), DEMASK_ERR_ARGUMENT);
  }
  demask_status (*const in_step[])(const demask_noise *, double, double, double *) = {
      demask_noise_reveal_probability, demask_noise_euler_probability,
      demask_noise_tau_first_jump_probability, demask_noise_tau_reject_probability,
      demask_noise_expected_jumps};
  for (int i = 0; i < 5; ++i) {
    CASE(reset, NOTHING, in_step[i](NULL, 0.5, 0.25, out), DEMASK_ERR_NULL);
    CASE(reset, NOTHING, in_step[i](noise, 1.5, 0.25, out), DEMASK_ERR_ARGUMENT);
    CASE(reset, NOTHING, in_step[i](noise, NAN, 0.25, out), DEMASK_ERR_ARGUMENT);
    CASE(reset, NOTHING, in_step[i](noise, 0.0, 0.0, out), DEMASK_ERR_ARGUMENT);
    CASE(reset, NOTHING, in_step[i](noise, 0.5, 0.75, out), DEMASK_ERR_ARGUMENT);
    CASE(reset, NOTHING, in_step[i](noise, 0.5, -0.25, out), DEMASK_ERR_ARGUMENT);
    CASE(reset, NOTHING, in_step[i](noise, 0.5, NAN, out), DEMASK_ERR_ARGUMENT);
    CASE(reset, NOTHING, in_step[i](noise, 0.5, 0.25, NULL), DEMASK_ERR_NULL);
    CASE(reset, NOTHING, in_step[i](noise, 0.5, 0.25, ODD(double, out)), DEMASK_ERR_ALIGN);
  }
  CASE(reset, w.noise.schedule = DEMASK_NOISE_UNIT_RATE,
       demask_noise_euler_probability(noise, INFINITY, INFINITY, out), DEMASK_ERR_ARGUMENT);
  demask_status (*const of_schedule[])(const demask_noise *, double *) = {demask_noise_last_time,
                                                                         demask_noise_horizon};
  for (int i = 0; i < 2; ++i) {
    CASE(reset, NOTHING, of_schedule[i](NULL, out), DEMASK_ERR_NULL);
    CASE(reset, NOTHING, of_schedule[i](ODD(const demask_noise, noise), out), DEMASK_ERR_ALIGN);
    CASE(reset, NOTHING, of_schedule[i](noise, NULL), DEMASK_ERR_NULL);
    CASE(reset, NOTHING, of_schedule[i](noise, ODD(double, out)), DEMASK_ERR_ALIGN);
    CASE(reset, w.noise.struct_size = 4, of_schedule[i](noise, out), DEMASK_ERR_STRUCT);
    CASE(reset, w.noise.parameter = 1.0, of_schedule[i](noise, out), DEMASK_ERR_ARGUMENT);
    CASE(reset, w.noise.reserved = 1, of_schedule[i](noise, out), DEMASK_ERR_ARGUMENT);
  }
#define TRANSITION(number, theta, t, s) \
  demask_noise_transition_probability(noise, number, theta, t, s, out)
  for (uint32_t number = 0; number <= DEMASK_TRANSITION_TRAPEZOIDAL_REJECT; ++number) {
    int leaps = number >= DEMASK_TRANSITION_TRAPEZOIDAL;
    double theta = leaps ? 0.5 : 0.0;
    reset();
    CHECK(TRANSITION(number, theta, 0.5, 0.25) == DEMASK_OK && w.number > 0.0);
    CASE(reset, NOTHING, demask_noise_transition_probability(NULL, number, theta, 0.5, 0.25, out),
         DEMASK_ERR_NULL);
    CASE(reset, NOTHING,
         demask_noise_transition_probability(noise, number, theta, 0.5, 0.25, NULL),
         DEMASK_ERR_NULL);
    CASE(reset, NOTHING,
         demask_noise_transition_probability(noise, number, theta, 0.5, 0.25, ODD(double, out)),
         DEMASK_ERR_ALIGN);
    CASE(reset, NOTHING, TRANSITION(number, leaps ? 1.0 : 0.5, 0.5, 0.25), DEMASK_ERR_ARGUMENT);
    CASE(reset, NOTHING, TRANSITION(number, leaps ? 0.0 : NAN, 0.5, 0.25), DEMASK_ERR_ARGUMENT);
    CASE(reset, NOTHING, TRANSITION(number, theta, 0.0, 0.0), DEMASK_ERR_ARGUMENT);
    CASE(reset, NOTHING, TRANSITION(number, theta, 1.5, 0.25), DEMASK_ERR_ARGUMENT);
    CASE(reset, NOTHING, TRANSITION(number, theta, NAN, 0.25), DEMASK_ERR_ARGUMENT);
    CASE(reset, NOTHING, TRANSITION(number, theta, 0.5, 0.75), DEMASK_ERR_ARGUMENT);
    CASE(reset, NOTHING, TRANSITION(number, theta, 0.5, -0.25), DEMASK_ERR_ARGUMENT);
    CASE(reset, NOTHING, TRANSITION(number, theta, 0.5, NAN), DEMASK_ERR_ARGUMENT);
    CASE(reset, w.noise.struct_size = 4, TRANSITION(number, theta, 0.5, 0.25), DEMASK_ERR_STRUCT);
    if (number != DEMASK_TRANSITION_ANCESTRAL)
      CASE(reset, w.noise.schedule = DEMASK_NOISE_UNIT_RATE,
           TRANSITION(number, theta, INFINITY, 0.25), DEMASK_ERR_ARGUMENT);
  }
  CASE(reset, NOTHING, TRANSITION(6, 0.0, 0.5, 0.25), DEMASK_ERR_ARGUMENT);
#undef TRANSITION
  STRUCT_CASES(reset, noise, demask_noise_alpha(noise, 0.5, out));

  CASE(reset, NOTHING, demask_noise_times(NULL, w.logs, w.events, 3), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_noise_times(noise, NULL, w.events, 3), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_noise_times(noise, w.logs, NULL, 3), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_noise_times(noise, w.logs, ODD(double, w.events), 3),
       DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, demask_noise_times(noise, w.logs, w.events, SIZE_MAX / 8),
       DEMASK_ERR_SHAPE);
  CASE(reset, w.logs[2] = 0.5, demask_noise_times(noise, w.logs, w.events, 3),
       DEMASK_ERR_ARGUMENT);
  CASE(reset, w.logs[2] = NAN, demask_noise_times(noise, w.logs, w.events, 3),
       DEMASK_ERR_ARGUMENT);

  static const double times[3] = {0.0, 0.5, 1.0}, falling[3] = {0.0, 0.5, 0.25};
#define TABLE(times, values, n, quantity, table) \
  demask_noise_table_create(times, values, n, quantity, table)
  CASE(reset, NOTHING, TABLE(NULL, times, 3, 0, &w.table), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, TABLE(times, NULL, 3, 0, &w.table), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, TABLE(times, times, 3, 0, NULL), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, TABLE(ODD(double, times), times, 3, 0, &w.table), DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, TABLE(times, times, 3, 2, &w.table), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, TABLE(times, times, 1, 0, &w.table), DEMASK_ERR_SHAPE);
  CASE(reset, NOTHING, TABLE(falling, times, 3, 0, &w.table), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, TABLE(times, falling, 3, 0, &w.table), DEMASK_ERR_ARGUMENT);
#undef TABLE
  CASE(reset, NOTHING, demask_time_grid_create(NULL, 3, &w.grid), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_time_grid_create(falling, 3, NULL), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_time_grid_create(times, 3, &w.grid), DEMASK_ERR_ARGUMENT);

#define LOOP(steps, on, off, alpha_on) \
  demask_time_grid_create_remdm_loop(steps, on, off, alpha_on, &w.grid)
  CASE(reset, NOTHING, demask_time_grid_create_remdm_loop(9, 0.5, 0.1, 0.9, NULL), DEMASK_ERR_NULL);
  CASE(reset, NOTHING,
       demask_time_grid_create_remdm_loop(9, 0.5, 0.1, 0.9, ODD(demask_time_grid *, &w.grid)),
       DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, LOOP(1, 0.5, 0.1, 0.9), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, LOOP(0, 0.5, 0.1, 0.9), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, LOOP(0x80000000u, 0.5, 0.1, 0.9), DEMASK_ERR_SHAPE);
  CASE(reset, NOTHING, LOOP(UINT32_MAX, 0.5, 0.1, 0.9), DEMASK_ERR_SHAPE);
  CASE(reset, NOTHING, LOOP(9, 1.0, 0.1, 0.9), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, LOOP(9, NAN, 0.1, 0.9), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, LOOP(9, 0.5, 0.5, 0.9), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, LOOP(9, 0.5, 0.0, 0.9), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, LOOP(9, 0.5, 0.1, 1.0), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, LOOP(9, 0.5, 0.1, NAN), DEMASK_ERR_ARGUMENT);
#undef LOOP
  CASE(reset, NOTHING, demask_time_grid_shape(NULL, &w.count, out, &w.logs[0]), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_time_grid_shape(time_grid, NULL, out, &w.logs[0]), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_time_grid_shape(time_grid, &w.count, NULL, &w.logs[0]),
       DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_time_grid_shape(time_grid, &w.count, out, NULL), DEMASK_ERR_NULL);
  CASE(reset, NOTHING,
       demask_time_grid_shape(time_grid, &w.count, out, ODD(double, &w.logs[0])), DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING,
       demask_time_grid_shape(ODD(demask_time_grid, time_grid), &w.count, out, &w.logs[0]),
       DEMASK_ERR_ALIGN);

  CASE(reset, NOTHING, demask_sizes_even(4, 2, NULL), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_sizes_even(4, 2, ODD(uint32_t, &w.count)), DEMASK_ERR_ALIGN);

  CASE(reset, NOTHING, demask_hitting_times_next(NULL, w.masks, w.events, ROWS), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_hitting_times_next(w.keys, NULL, w.events, ROWS), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_hitting_times_next(w.keys, w.masks, NULL, ROWS), DEMASK_ERR_NULL);
  CASE(reset, NOTHING,
       demask_hitting_times_next(w.keys, w.masks, ODD(double, w.events), ROWS), DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING,
       demask_hitting_times_next(w.keys, w.masks, w.events, SIZE_MAX / 8), DEMASK_ERR_SHAPE);
  CASE(reset, w.events[ROWS - 1] = NAN,
       demask_hitting_times_next(w.keys, w.masks, w.events, ROWS), DEMASK_ERR_ARGUMENT);
  CASE(reset, w.events[ROWS - 1] = 0.5,
       demask_hitting_times_next(w.keys, w.masks, w.events, ROWS), DEMASK_ERR_ARGUMENT);

  CASE(reset, NOTHING, demask_hitting_times_all(NULL, w.keys, 0.0, w.events, ROWS),
       DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_hitting_times_all(context, NULL, 0.0, w.events, ROWS),
       DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_hitting_times_all(context, w.keys, 0.0, NULL, ROWS),
       DEMASK_ERR_NULL);
  CASE(reset, NOTHING,
       demask_hitting_times_all(context, ODD(demask_key, w.keys), 0.0, w.events, ROWS),
       DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING,
       demask_hitting_times_all(context, w.keys, 0.0, ODD(double, w.events), ROWS),
       DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, demask_hitting_times_all(context, w.keys, NAN, w.events, ROWS),
       DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, demask_hitting_times_all(context, w.keys, 0.5, w.events, ROWS),
       DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, demask_hitting_times_all(context, w.keys, 0.0, w.events, SIZE_MAX),
       DEMASK_ERR_SHAPE);

#define OF_POSITIONS(context, key, log_masked, positions, events, n) \
  demask_hitting_times_of_positions(context, key, log_masked, positions, events, n)
  CASE(reset, NOTHING, OF_POSITIONS(NULL, w.keys, 0.0, w.masks, w.events, ROWS), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, OF_POSITIONS(context, NULL, 0.0, w.masks, w.events, ROWS),
       DEMASK_ERR_NULL);
  CASE(reset, NOTHING, OF_POSITIONS(context, w.keys, 0.0, NULL, w.events, ROWS),
       DEMASK_ERR_NULL);
  CASE(reset, NOTHING, OF_POSITIONS(context, w.keys, 0.0, w.masks, NULL, ROWS), DEMASK_ERR_NULL);
  CASE(reset, NOTHING,
       OF_POSITIONS(context, w.keys, 0.0, ODD(uint32_t, w.masks), w.events, ROWS),
       DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING,
       OF_POSITIONS(context, w.keys, 0.0, w.masks, ODD(double, w.events), ROWS),
       DEMASK_ERR_ALIGN);
  CASE(reset, NOTHING, OF_POSITIONS(context, w.keys, 0.5, w.masks, w.events, ROWS),
       DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, OF_POSITIONS(context, w.keys, NAN, w.masks, w.events, ROWS),
       DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, OF_POSITIONS(context, w.keys, 0.0, w.masks, w.events, SIZE_MAX / 4),
       DEMASK_ERR_SHAPE);
#undef OF_POSITIONS
}

/* The good worlds are good, and later structs with zero tails are too. */
static void good_worlds(void) {
  reset();
  CHECK(plan() == DEMASK_OK && step() == DEMASK_OK);
  CHECK(w.out.n_active == 2 && w.out.n_revealed == 3 && w.out.n_bad_rows == 0);
  memcpy(&before, &w, sizeof w);
  reset_planned();
  CHECK(step_planned() == DEMASK_OK);
  CHECK(w.out.n_active == 2 && w.out.n_revealed == 3 && w.out.n_bad_rows == 0);
  reset_planned();
  w.plan.n_active = 3; /* what a step reports is not taken from the caller */
  CHECK(step_planned() == DEMASK_OK && w.out.n_active == 2);
  reset_drawn();
  w.plan.n_active = 3;
  CHECK(advance() == DEMASK_OK && w.out.n_active == 2);
  reset();
  use_later_structs();
  CHECK(step() == DEMASK_OK);
  CHECK(memcmp(before.tokens, w.tokens, sizeof w.tokens) == 0);
  CHECK(memcmp(before.kinds, w.kinds, sizeof w.kinds) == 0);
  for (int i = 0; i < SEGMENTS; ++i) {
    CHECK(w.later_segments[i].known.step == 1 && w.later_segments[i].unknown == 0);
    CHECK(w.later_segments[i].known.log_masked == before.segments[i].log_masked);
    CHECK(w.segments[i].step == 0);
  }
  reset();
  CHECK(draw() == DEMASK_OK && w.drawn[ROWS] == 0x5A5A5A5A);
  w.logits.n_rows = w.n_keys = 2;
  w.n_draws = ROWS / 2;
  CHECK(draw() == DEMASK_OK && w.drawn[ROWS] == 0x5A5A5A5A);
  reset();
  memset(&before.described, CANARY, sizeof before.described);
  CHECK(describe() == DEMASK_OK && w.drawn[ROWS] == 0x5A5A5A5A && w.top[2 * ROWS].token == 0x5A5A5A5A);
  CHECK(memcmp(&w.described[ROWS], &before.described[ROWS], sizeof *w.described) == 0);
  w.statistics.given = NULL;
  w.statistics.against = NULL;
  w.statistics.top = NULL;
  w.statistics.rows = NULL;
  CHECK(describe() == DEMASK_OK);
  reset_guided();
  CHECK(draw() == DEMASK_OK && step() == DEMASK_OK);
  reset_constrained();
  CHECK(draw() == DEMASK_OK);
  for (int i = 0; i < ROWS; ++i) CHECK(w.drawn[i] == 0); /* all that is left */
  w.constraints.allowed_stride = 0;
  CHECK(draw() == DEMASK_OK && w.drawn[0] == 0);
  w.logits.n_rows = w.n_keys = 0; /* then the constraints are not looked at */
  w.banned[0] = VOCAB;
  w.guide.n_rows = 0;
  CHECK(draw() == DEMASK_OK && describe() == DEMASK_OK);
  reset();
  CHECK(demask_hitting_times_next(w.keys, w.masks, w.events, ROWS) == DEMASK_OK);
  CHECK(demask_hitting_times_all(context, w.keys, 0.0, w.events, ROWS) == DEMASK_OK);
  CHECK(w.drawn[ROWS] == 0x5A5A5A5A && w.masks[ROWS] == 0x5A5A5A5A);
}

static void cases_of_halves(void) {
  STRUCT_CASES(reset_planned, plan, step_rows());
  STRUCT_CASES(reset_planned, canvas, step_rows());
  STRUCT_CASES(reset_planned, logits, step_rows());
  CASE(reset_planned, NOTHING,
       demask_step_rows(NULL, &w.canvas, &w.plan, &w.logits, 0, w.records), DEMASK_ERR_NULL);
  CASE(reset_planned, NOTHING,
       demask_step_rows(context, &w.canvas, &w.plan, NULL, 0, w.records), DEMASK_ERR_NULL);
  CASE(reset_planned, NOTHING,
       demask_step_rows(context, &w.canvas, &w.plan, &w.logits, 0, NULL), DEMASK_ERR_NULL);
  CASE(reset_planned, NOTHING,
       demask_step_rows(context, &w.canvas, &w.plan, &w.logits, 0,
                        ODD(demask_row_record, w.records)),
       DEMASK_ERR_ALIGN);
  CASE(reset_planned, w.first = 1, step_rows(), DEMASK_ERR_SHAPE);
  CASE(reset_planned, w.first = SIZE_MAX, step_rows(), DEMASK_ERR_SHAPE);
  CASE(reset_planned, w.logits.n_rows = 4, step_rows(), DEMASK_ERR_SHAPE);
  CASE(reset_planned, w.segments[0].step = 1, step_rows(), DEMASK_ERR_PLAN);
  CASE(reset_planned, w.rows[0] ^= 1, step_rows(), DEMASK_ERR_PLAN);
  CASE(reset, NOTHING, step_rows(), DEMASK_ERR_PLAN);

  STRUCT_CASES(reset_drawn, out, advance());
  CASE(reset_drawn, NOTHING,
       demask_advance(NULL, &w.canvas, &w.plan, VOCAB, w.records, 3, NULL), DEMASK_ERR_NULL);
  CASE(reset_drawn, NOTHING, demask_advance(context, NULL, &w.plan, VOCAB, w.records, 3, NULL),
       DEMASK_ERR_NULL);
  CASE(reset_drawn, NOTHING, demask_advance(context, &w.canvas, NULL, VOCAB, w.records, 3, NULL),
       DEMASK_ERR_NULL);
  CASE(reset_drawn, NOTHING, demask_advance(context, &w.canvas, &w.plan, VOCAB, NULL, 3, NULL),
       DEMASK_ERR_NULL);
  CASE(reset_drawn, NOTHING,
       demask_advance(context, &w.canvas, &w.plan, VOCAB, ODD(demask_row_record, w.records), 3,
                      NULL),
       DEMASK_ERR_ALIGN);
  CASE(reset_drawn, w.n_records = 2, advance(), DEMASK_ERR_SHAPE);
  CASE(reset_drawn, w.n_records = 0, advance(), DEMASK_ERR_SHAPE);
  CASE(reset_drawn, w.n_records = SIZE_MAX, advance(), DEMASK_ERR_SHAPE);
  CASE(reset_drawn, w.vocab = 0, advance(), DEMASK_ERR_SHAPE);
  CASE(reset_drawn, w.vocab = DEMASK_MAX_VOCAB + 1, advance(), DEMASK_ERR_SHAPE);
  CASE(reset_drawn, w.out.reserved = 1, advance(), DEMASK_ERR_ARGUMENT);
  CASE(reset_drawn, w.segments[1].step = 1, advance(), DEMASK_ERR_PLAN);
  CASE(reset_drawn, w.kinds[w.rows[1]] = DEMASK_KIND_FIXED, advance(), DEMASK_ERR_PLAN);

  /* A record that says nothing is that of a bad row. */
  reset_drawn();
  w.records[0].token = VOCAB;
  w.records[1].state = 77;
  CHECK(advance() == DEMASK_OK && w.out.n_bad_rows == 2 && w.out.n_revealed == 1);
  CHECK(w.row_state[0] == DEMASK_ROW_BAD && w.row_state[2] == DEMASK_ROW_DRAWN);
  CHECK(w.segments[0].step == 1 && w.drawn[3] == 0x5A5A5A5A);
}

static void cases_of_shards(void) {
  CHECK((reset_race(), race_shard()) == DEMASK_OK);
  CASE(reset, NOTHING, race_shard(), DEMASK_ERR_ARGUMENT);
  CASE(reset_race, w.rule.top_k = 2, race_shard(), DEMASK_ERR_ARGUMENT);
  CASE(reset_race, w.rule.top_p = 0.5f, race_shard(), DEMASK_ERR_ARGUMENT);
  CASE(reset_race, w.rule.min_p = 0.5f, race_shard(), DEMASK_ERR_ARGUMENT);
  CASE(reset_race, w.rule.temperature = NAN, race_shard(), DEMASK_ERR_ARGUMENT);
  CASE(reset_race, w.offset = DEMASK_MAX_VOCAB - VOCAB + 1, race_shard(), DEMASK_ERR_SHAPE);
  CASE(reset_race, w.offset = SIZE_MAX, race_shard(), DEMASK_ERR_SHAPE);
  CASE(reset_race, w.n_keys = 3, race_shard(), DEMASK_ERR_SHAPE);
  CASE(reset_race, w.logits.vocab = STRIDE + 1, race_shard(), DEMASK_ERR_SHAPE);
  CASE(reset_race, NOTHING,
       demask_race_shard(context, &w.logits, 0, &w.rule, NULL, w.keys, ROWS, NULL),
       DEMASK_ERR_NULL);
  CASE(reset_race, NOTHING,
       demask_race_shard(context, &w.logits, 0, &w.rule, NULL, NULL, ROWS, w.races),
       DEMASK_ERR_NULL);
  CASE(reset, w.races[7].state = 0, demask_race_merge(w.races, w.other_races, ROWS),
       DEMASK_ERR_ARGUMENT);
  CASE(reset, w.other_races[7].state = 4, demask_race_merge(w.races, w.other_races, ROWS),
       DEMASK_ERR_ARGUMENT);
  CASE(reset, w.other_races[7].score = NAN, demask_race_merge(w.races, w.other_races, ROWS),
       DEMASK_ERR_ARGUMENT);
  CASE(reset, w.other_races[7].token = -1, demask_race_merge(w.races, w.other_races, ROWS),
       DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, demask_race_merge(NULL, w.other_races, 1), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_race_merge(w.races, NULL, 1), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_race_merge(w.races, w.other_races, SIZE_MAX), DEMASK_ERR_SHAPE);
  CHECK(demask_race_merge(NULL, NULL, 0) == DEMASK_OK);

  CASE(reset, NOTHING, demask_shard_records_create(1, 1, NULL), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_shard_records_create(1, DEMASK_MAX_VOCAB + 1, &w.made_records),
       DEMASK_ERR_SHAPE);
  CASE(reset, NOTHING, demask_shard_records_create(SIZE_MAX, 1, &w.made_records),
       DEMASK_ERR_RESOURCES);
  CHECK((reset(), fill_shard()) == DEMASK_OK);
  CASE(reset, w.offset = 1, fill_shard(), DEMASK_ERR_SHAPE);
  CASE(reset, w.offset = SIZE_MAX, fill_shard(), DEMASK_ERR_SHAPE);
  CASE(reset, w.vocab = VOCAB - 1, fill_shard(), DEMASK_ERR_SHAPE);
  CASE(reset, w.vocab = DEMASK_MAX_VOCAB + 1, fill_shard(), DEMASK_ERR_SHAPE);
  CASE(reset, w.shard_given[3] = VOCAB, fill_shard(), DEMASK_ERR_SHAPE);
  CASE(reset, w.rule.temperature = 0.0f, fill_shard(), DEMASK_ERR_ARGUMENT);
  CASE(reset, w.rule.temperature = NAN, fill_shard(), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING,
       demask_shard_records_fill(context, &w.logits, 0, VOCAB, 1.0f, NULL, NULL, NULL),
       DEMASK_ERR_NULL);
  CASE(reset, NOTHING,
       demask_shard_records_fill(NULL, &w.logits, 0, VOCAB, 1.0f, NULL, NULL, shard_records),
       DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_shard_records_bytes(NULL, &w.bytes_at, &w.n_bytes), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_shard_records_bytes(shard_records, NULL, &w.n_bytes),
       DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_shard_records_bytes(shard_records, &w.bytes_at, NULL),
       DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_shard_records_rows(NULL, &w.n_keys), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_shard_records_rows(shard_records, NULL), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_shard_records_rows(shard_records, ODD(size_t, &w.n_keys)),
       DEMASK_ERR_ALIGN);
  reset_shard();
  w.n_keys = 77;
  CHECK(demask_shard_records_rows(shard_records, &w.n_keys) == DEMASK_OK && w.n_keys == ROWS);
  CHECK((reset_shard(), demask_shard_records_read(shard_records, w.bytes, w.n_bytes)) ==
        DEMASK_OK);
  CASE(reset_shard, w.n_bytes -= 8, demask_shard_records_read(shard_records, w.bytes, w.n_bytes),
       DEMASK_ERR_SHAPE);
  CASE(reset_shard, w.n_bytes = 23, demask_shard_records_read(shard_records, w.bytes, w.n_bytes),
       DEMASK_ERR_SHAPE);
  CASE(reset_shard, w.bytes[0] ^= 1, demask_shard_records_read(shard_records, w.bytes, w.n_bytes),
       DEMASK_ERR_SHAPE);
  CASE(reset_shard, memset(w.bytes + 4, 0, 4),
       demask_shard_records_read(shard_records, w.bytes, w.n_bytes), DEMASK_ERR_ARGUMENT);
  CASE(reset_shard, NOTHING, demask_shard_records_read(NULL, w.bytes, w.n_bytes), DEMASK_ERR_NULL);
  CASE(reset_shard, NOTHING, demask_shard_records_read(shard_records, NULL, 24), DEMASK_ERR_NULL);

  CASE(reset, NOTHING, demask_shard_merge_create(0, 1, 1, NULL), DEMASK_ERR_NULL);
  CASE(reset, NOTHING, demask_shard_merge_create(4, 1, 1, &w.made_merge), DEMASK_ERR_ARGUMENT);
  CASE(reset, NOTHING, demask_shard_merge_create(0, 1, SIZE_MAX, &w.made_merge), DEMASK_ERR_SHAPE);
  CASE(reset, NOTHING, demask_shard_merge_create(0, SIZE_MAX, 1, &w.made_merge),
       DEMASK_ERR_RESOURCES);
  CHECK((reset_shard(), merge_shards()) == DEMASK_OK && isnan(w.described[0].probability));
  CASE(reset_shard, w.n_shards = 0, merge_shards(), DEMASK_ERR_SHAPE);
  CASE(reset_shard, w.n_shards = 2, merge_shards(), DEMASK_ERR_SHAPE);
  CASE(reset_shard, w.shards[0] = NULL, merge_shards(), DEMASK_ERR_NULL);
  CASE(reset_shard, w.shards[0] = ODD(demask_shard_records, shard_records), merge_shards(),
       DEMASK_ERR_ALIGN);
  CASE(reset_shard, w.n_keys = 3, merge_shards(), DEMASK_ERR_SHAPE);
  CASE(reset_shard, NOTHING,
       demask_shard_merge_records(shard_merge, w.shards, 1, w.keys, ROWS, ROWS - 1, NULL, NULL),
       DEMASK_ERR_SHAPE);
  CASE(reset_shard, NOTHING,
       demask_shard_merge_records(NULL, w.shards, 1, w.keys, ROWS, ROWS, NULL, NULL),
       DEMASK_ERR_NULL);
  CHECK((reset_merged(), draw_shard()) == DEMASK_OK);
  CASE(reset_merged, w.n_keys = 3, draw_shard(), DEMASK_ERR_SHAPE);
  CASE(reset_merged, w.offset = 1, draw_shard(), DEMASK_ERR_SHAPE);
  CASE(reset_merged, w.rule.temperature = -1.0f, draw_shard(), DEMASK_ERR_ARGUMENT);
  CHECK((reset_merged(), finish_shards()) == DEMASK_OK && w.described[0].probability > 0.0);
  CHECK(w.drawn[ROWS] == 0x5A5A5A5A);
  CASE(reset_merged, w.shard_tokens[3].token = -1, finish_shards(), DEMASK_ERR_ARGUMENT);
  CASE(reset_merged, w.shard_tokens[3].token = 256, finish_shards(), DEMASK_ERR_SHAPE);
  CASE(reset_merged, w.shard_tokens[3].logit = NAN, finish_shards(), DEMASK_ERR_ARGUMENT);
  CASE(reset_merged, w.n_shards = 0, finish_shards(), DEMASK_ERR_ARGUMENT);
  CASE(reset_merged, w.n_keys = 7, finish_shards(), DEMASK_ERR_SHAPE);
  CASE(reset_merged, w.n_shards = SIZE_MAX, finish_shards(), DEMASK_ERR_SHAPE);
  CASE(reset_merged, NOTHING,
       demask_shard_merge_finish(shard_merge, w.shard_tokens, 1, ROWS, NULL, NULL, NULL),
       DEMASK_ERR_NULL);
  demask_shard_records_destroy(NULL);
  demask_shard_merge_destroy(NULL);
}

/* usage: errors [--any-memory]   which leaves out what needs a limit of memory */
int main(int argc, char **argv) {
  make_objects();
  good_worlds();
  cases_of_create(argc < 2 || strcmp(argv[1], "--any-memory") != 0);
  cases_of_policies();
  cases_of_canvases();
  cases_of_plans();
  cases_of_logits();
  cases_of_guides();
  cases_of_reports();
  cases_of_rules();
  cases_of_constraints();
  cases_of_draws();
  cases_of_statistics();
  cases_of_schedules();
  cases_of_halves();
  cases_of_shards();
  good_worlds(); /* a refusal leaves the context usable */
  free_objects();
  return checks_end("errors");
}
