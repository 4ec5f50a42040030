#include <demask.h>
#include <stdio.h>

enum { LENGTH = 16, VOCAB = 100, MASK = -1 };
void network(const int32_t *tokens, float *logits); /* yours: LENGTH rows of VOCAB logits */

int main(void) {
  int32_t tokens[LENGTH];
  float data[LENGTH * VOCAB];
  for (int i = 0; i < LENGTH; ++i) tokens[i] = MASK;

  demask_options options;
  demask_options_init(&options, sizeof options);
  options.max_positions = LENGTH;
  demask_context *context;
  if (demask_create(&options, &context) != DEMASK_OK) return 1;

  demask_policy policy; /* random order, four positions a step */
  demask_policy_random_order(LENGTH / 4, &policy, sizeof policy);
  demask_segment segment = {.end = LENGTH, .seed = 42};
  demask_canvas canvas = {.struct_size = sizeof canvas, .mask_token = MASK,
                          .tokens = tokens, .n_positions = LENGTH,
                          .segments = &segment, .n_segments = 1, .segment_size = sizeof segment,
                          .policies = &policy, .n_policies = 1, .policy_size = sizeof policy};
  demask_logits logits = {.struct_size = sizeof logits, .data = data, .n_rows = LENGTH,
                          .vocab = VOCAB, .row_stride = VOCAB};
  for (int step = 0; step < LENGTH / 4; ++step) {
    network(tokens, data);
    if (demask_step(context, &canvas, &logits, NULL) != DEMASK_OK) return 1;
  }
  demask_destroy(context);
  int masks = 0;
  for (int i = 0; i < LENGTH; ++i) masks += tokens[i] == MASK;
  for (int i = 0; i < LENGTH; ++i) printf("%d%c", (int)tokens[i], i < LENGTH - 1 ? ' ' : '\n');
  return masks;
}

/* Stands for a network: every token is likely to be its position. */
void network(const int32_t *tokens, float *logits) {
  for (int i = 0; i < LENGTH * VOCAB; ++i) {
    int revealed = tokens[i / VOCAB] != MASK;
    logits[i] = !revealed && i % VOCAB == i / VOCAB ? 9.0f : 0.0f;
  }
}
