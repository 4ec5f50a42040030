/* docs/engines.md, the first calling sequence: an engine that has the logits of all positions. Requests
 * of different lengths are decoded in blocks by LLaDA's rule, with guidance, by a model whose rows are
 * shifted by one and whose rows of logits are padded. What stands for the network lets only a client
 * that does all of that right find the expected tokens; then it is run once more with a bad row. */
#include <demask.h>
#include <math.h>
#include <stdio.h>

enum { REQUESTS = 3, BLOCK = 8, POSITIONS = 72, VOCAB = 100, STRIDE = 128, MASK = 99 };

/* What the engine keeps of a request: where its tokens stand, the prompt first. */
struct request {
  uint32_t begin, prompt, end;
  uint64_t seed;
};
static const struct request requests[REQUESTS] = {{0, 5, 21, 11}, {21, 3, 48, 12}, {52, 4, 72, 13}};

/* Stands for the network: fills a row of logits for every position. */
static void network(const int32_t *tokens, float *logits, int conditional);
static uint32_t bad_row = POSITIONS; /* of the network's rows, holds NaN */
static int32_t expected(uint32_t position) { return (int32_t)(7 * position % 90); }

/* The block of request `id` that begins at position `begin`, before its first step. Its stream and
 * the positions counted from `origin` make its random numbers its own, whatever else is in the batch. */
static demask_segment block(uint64_t id, uint32_t begin) {
  const struct request *r = &requests[id];
  uint32_t end = begin + BLOCK < r->end ? begin + BLOCK : r->end;
  return (demask_segment){
      .begin = begin, .end = end, .origin = begin - r->begin, .seed = r->seed, .stream = id};
}

static int masked(const int32_t *tokens, const demask_segment *segment) {
  for (uint32_t i = segment->begin; i < segment->end; ++i)
    if (tokens[i] == MASK) return 1;
  return 0;
}

static demask_status decode(int32_t *tokens, unsigned *calls) {
  static float data[POSITIONS * STRIDE], guide_data[POSITIONS * STRIDE];
  static uint32_t shifted[POSITIONS];
  demask_status status;

  demask_options options; /* once: the context takes all its memory here */
  demask_options_init(&options, sizeof options);
  options.max_positions = POSITIONS;
  options.max_segments = REQUESTS;
  options.max_vocab = VOCAB;
  demask_context *context;
  if ((status = demask_create(&options, &context)) != DEMASK_OK) return status;

  demask_policy policy; /* two tokens a step; positions of the highest confidence first */
  demask_policy_decoder(DEMASK_DECODER_LLADA, BLOCK / 2, &policy, sizeof policy);

  demask_segment segments[REQUESTS]; /* the window of each request that is decoded now */
  for (uint64_t id = 0; id < REQUESTS; ++id)
    segments[id] = block(id, requests[id].begin + requests[id].prompt);
  demask_canvas canvas = {.struct_size = sizeof canvas, .mask_token = MASK,
                          .tokens = tokens, .n_positions = POSITIONS,
                          .segments = segments, .n_segments = REQUESTS,
                          .segment_size = sizeof segments[0],
                          .policies = &policy, .n_policies = 1, .policy_size = sizeof policy};
  demask_logits logits = {.struct_size = sizeof logits, .data = data, .n_rows = POSITIONS,
                          .vocab = VOCAB, .row_stride = STRIDE};

  /* A model that predicts the next token: position i is read from row i - 1. */
  for (int id = 0; id < REQUESTS; ++id)
    for (uint32_t i = requests[id].begin; i < requests[id].end; ++i)
      shifted[i] = i > requests[id].begin ? i - 1 : i;
  logits.row_index = shifted;
  logits.data_rows = POSITIONS;

  /* Classifier-free guidance: LLaDA's cfg_scale is 0.5 here. */
  demask_logits guide = logits;
  guide.data = guide_data;
  logits.guide = &guide;
  logits.guidance_scale = 1.5f;

  while (canvas.n_segments > 0) {
    network(tokens, data, 1);
    network(tokens, guide_data, 0);
    ++*calls;
    if ((status = demask_step(context, &canvas, &logits, NULL)) != DEMASK_OK) break;

    size_t left = 0; /* requests go on, go over to their next block, or leave; others may join here */
    for (size_t i = 0; i < canvas.n_segments; ++i) {
      demask_segment segment = segments[i];
      if (!masked(tokens, &segment))
        segment = block(segment.stream, segment.end);
      else if (segment.step >= policy.steps)
        continue; /* a mask is left after the last step: its row was bad, the request fails */
      if (segment.begin < segment.end) segments[left++] = segment;
    }
    canvas.n_segments = left;
  }
  demask_destroy(context);
  return status;
}

static void network(const int32_t *tokens, float *logits, int conditional) {
  for (uint32_t row = 0; row < POSITIONS; ++row) {
    float *of = logits + row * STRIDE;
    int32_t next = expected(row + 1), decoy = (next + 1) % 90;
    for (int v = 0; v < STRIDE; ++v) of[v] = v < VOCAB ? (float)(row * 31 % (v + 2)) / 100.0f : NAN;
    /* The decoy is likelier, until guidance takes away what is as likely without the prompt. */
    of[decoy] = 21.0f;
    if (conditional) of[next] = (tokens[row] == MASK ? 19.5f : 20.0f) + (float)(row * 13 % 17) / 20.0f;
    of[MASK] = 40.0f;
    if (row == bad_row) of[2] = NAN;
  }
}

/* Decodes, and counts the tokens that are not what they should be: `failed`, if it is a position, and
 * what comes after it in its request, in later blocks, stay masked. */
static unsigned wrong_tokens(uint32_t failed, demask_status *status, unsigned *calls) {
  static int32_t tokens[POSITIONS];
  unsigned wrong = 0;
  for (uint32_t i = 0; i < POSITIONS; ++i) tokens[i] = -5; /* no request, or its prompt */
  for (int id = 0; id < REQUESTS; ++id)
    for (uint32_t i = requests[id].begin + requests[id].prompt; i < requests[id].end; ++i)
      tokens[i] = MASK;
  *calls = 0;
  *status = decode(tokens, calls);
  for (uint32_t i = 0; i < POSITIONS; ++i) {
    int32_t right = -5;
    for (int id = 0; id < REQUESTS; ++id) {
      uint32_t first = requests[id].begin + requests[id].prompt, end = requests[id].end;
      if (i < first || i >= end) continue;
      int lost = failed >= first && failed < end && (i - first) / BLOCK > (failed - first) / BLOCK;
      right = lost || i == failed ? MASK : expected(i);
    }
    wrong += tokens[i] != right;
  }
  return wrong;
}

int main(void) {
  demask_status good, bad;
  unsigned calls, other_calls;
  unsigned wrong = wrong_tokens(POSITIONS, &good, &calls);
  bad_row = 34; /* position 35 is in the second block of request 1 */
  wrong += wrong_tokens(bad_row + 1, &bad, &other_calls);
  printf("engine_rows: %s, %s, %u network calls, %u wrong tokens\n", demask_status_string(good),
         demask_status_string(bad), calls, wrong);
  /* The longest request has three blocks of four steps. */
  return good != DEMASK_OK || bad != DEMASK_OK || wrong > 0 || calls != 12 || other_calls != 8;
}
