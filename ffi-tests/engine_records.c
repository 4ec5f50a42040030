/* docs/engines.md, the third calling sequence: a step in two halves. What is known of a row is a record of
 * plain numbers; threads of the engine's own pool make records of the rows that they have computed, or an
 * accelerator does, and one call makes the step of all of them. The tokens are those of whole steps. */
#include <demask.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { REQUESTS = 5, LENGTH = 16, POSITIONS = REQUESTS * LENGTH, VOCAB = 300, MASK = -1, THREADS = 3 };

/* Stands for the network: the logits of one position. */
static void network(const int32_t *tokens, uint32_t position, float *row) {
  uint32_t state = position * 2654435761u;
  for (uint32_t i = 0; i < POSITIONS; ++i)
    if (i / LENGTH == position / LENGTH) state = (state ^ (uint32_t)tokens[i]) * 1664525u + i;
  for (uint32_t v = 0; v < VOCAB; ++v)
    row[v] = (float)((state ^ (v * 2246822519u)) * 1664525u >> 20) / 64.0f;
}

/* A job of the engine's pool: rows from `first` to before `end` of a plan. */
struct job {
  demask_context *context; /* its own */
  const demask_canvas *canvas;
  const demask_plan_buffers *plan;
  size_t first, end;
  demask_row_record *records; /* of all rows of the plan */
  float data[POSITIONS * VOCAB];
  demask_status status;
};

static void *run(void *argument) {
  struct job *job = argument;
  for (size_t k = job->first; k < job->end; ++k)
    network(job->canvas->tokens, job->plan->rows[k], job->data + (k - job->first) * VOCAB);
  demask_logits logits = {.struct_size = sizeof logits, .data = job->data,
                          .n_rows = job->end - job->first, .vocab = VOCAB, .row_stride = VOCAB};
  job->status = demask_step_rows(job->context, job->canvas, job->plan, &logits, job->first,
                                 job->records + job->first);
  return NULL;
}

static demask_status step_by_threads(demask_canvas *canvas, demask_plan_buffers *plan,
                                     struct job *jobs) {
  static demask_row_record records[POSITIONS];
  pthread_t threads[THREADS];
  demask_status status = DEMASK_OK;
  size_t running = 0;
  for (size_t t = 0; t < THREADS; ++t) {
    jobs[t].canvas = canvas;
    jobs[t].plan = plan;
    jobs[t].records = records;
    jobs[t].first = plan->n_rows * t / THREADS;
    jobs[t].end = plan->n_rows * (t + 1) / THREADS;
  }
  while (running < THREADS && pthread_create(&threads[running], NULL, run, &jobs[running]) == 0)
    ++running;
  if (running < THREADS) status = DEMASK_ERR_RESOURCES;
  for (size_t t = 0; t < running; ++t) {
    pthread_join(threads[t], NULL);
    if (jobs[t].status != DEMASK_OK) status = jobs[t].status;
  }
  if (status != DEMASK_OK) return status; /* nothing has been changed */
  return demask_advance(jobs[0].context, canvas, plan, VOCAB, records, plan->n_rows, NULL);
}

/* What an accelerator sends back of a row, in the place of its logits: the likeliest token, and the sum
 * of exp(z - z of this token) over all others. */
struct device_row {
  int32_t token;
  float others;
};
static void device(const int32_t *tokens, const uint32_t *rows, size_t n, struct device_row *out);

static demask_status step_by_device(demask_context *context, demask_canvas *canvas,
                                    demask_plan_buffers *plan) {
  static struct device_row rows[POSITIONS];
  static demask_row_record records[POSITIONS];
  device(canvas->tokens, plan->rows, plan->n_rows, rows);
  for (size_t k = 0; k < plan->n_rows; ++k) {
    demask_row_record *record = &records[k];
    double others = rows[k].others;
    record->token = record->statistics.argmax = rows[k].token;
    record->state = isnan(rows[k].others) ? DEMASK_ROW_BAD : DEMASK_ROW_DRAWN;
    /* A threshold on the probability p looks at p and at ln((1 - p)/p), which does not round to 0. */
    record->statistics.probability = 1.0 / (1.0 + others);
    record->statistics.log_others = log(others);
  }
  return demask_advance(context, canvas, plan, VOCAB, records, plan->n_rows, NULL);
}

static void device(const int32_t *tokens, const uint32_t *rows, size_t n, struct device_row *out) {
  static float row[VOCAB];
  for (size_t k = 0; k < n; ++k) {
    int best = 0;
    network(tokens, rows[k], row);
    for (int v = 1; v < VOCAB; ++v)
      if (row[v] > row[best]) best = v;
    out[k].token = best;
    out[k].others = 0.0f;
    for (int v = 0; v < VOCAB; ++v)
      if (v != best) out[k].others += expf(row[v] - row[best]);
  }
}

/* Whole steps, to compare with. */
static demask_status step_whole(demask_context *context, demask_canvas *canvas,
                                demask_plan_buffers *plan) {
  static float data[POSITIONS * VOCAB];
  for (size_t k = 0; k < plan->n_rows; ++k)
    network(canvas->tokens, plan->rows[k], data + k * VOCAB);
  demask_logits logits = {.struct_size = sizeof logits, .data = data, .n_rows = plan->n_rows,
                          .vocab = VOCAB, .row_stride = VOCAB};
  return demask_step_planned(context, canvas, plan, &logits, NULL);
}

enum by { WHOLE, THREADED, DEVICE };

/* Decodes all requests to their end; the number of steps, or 0 if one failed. */
static unsigned decode(struct job *jobs, enum by by, float temperature, int32_t *tokens) {
  static uint32_t rows[POSITIONS], offsets[REQUESTS + 1], steps[REQUESTS];
  static double log_masked[REQUESTS];
  demask_segment segments[REQUESTS] = {{0}};
  demask_policy policy;
  if (demask_policy_decoder(DEMASK_DECODER_FAST_DLLM, 0, &policy, sizeof policy) != DEMASK_OK)
    return 0;
  policy.temperature = temperature;
  policy.threshold = policy.threshold_2 = 0.15;
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
                          .segment_size = sizeof segments[0],
                          .policies = &policy, .n_policies = 1, .policy_size = sizeof policy};
  demask_plan_buffers plan = {.struct_size = sizeof plan,
                              .rows = rows, .rows_capacity = POSITIONS,
                              .offsets = offsets, .steps = steps, .log_masked = log_masked,
                              .segments_capacity = REQUESTS};
  for (unsigned step = 0;; ++step) {
    demask_context *context = jobs[0].context;
    if (demask_plan(context, &canvas, &plan) != DEMASK_OK) return 0;
    if (plan.n_active == 0) return step;
    demask_status status = by == WHOLE      ? step_whole(context, &canvas, &plan)
                           : by == THREADED ? step_by_threads(&canvas, &plan, jobs)
                                            : step_by_device(context, &canvas, &plan);
    if (status != DEMASK_OK) return 0;
  }
}

int main(void) {
  static struct job jobs[THREADS];
  static int32_t whole[POSITIONS], other[POSITIONS];
  demask_options options;
  demask_options_init(&options, sizeof options);
  options.max_positions = POSITIONS;
  options.max_segments = REQUESTS;
  for (int t = 0; t < THREADS; ++t)
    if (demask_create(&options, &jobs[t].context) != DEMASK_OK) return 1;

  int differ = 0;
  unsigned steps = decode(jobs, WHOLE, 1.0f, whole);
  differ += decode(jobs, THREADED, 1.0f, other) != steps || memcmp(whole, other, sizeof whole) != 0;
  unsigned greedy_steps = decode(jobs, WHOLE, 0.0f, whole);
  differ += decode(jobs, DEVICE, 0.0f, other) != greedy_steps ||
            memcmp(whole, other, sizeof whole) != 0;
  printf("engine_records: %u steps, %u greedy ones, %d differ\n", steps, greedy_steps, differ);
  for (int t = 0; t < THREADS; ++t) demask_destroy(jobs[t].context);
  /* More than one position a step, and not all at once: the records decide. */
  return differ != 0 || steps <= 1 || steps >= LENGTH || greedy_steps <= 1 ||
         greedy_steps >= LENGTH;
}
