/* Wrong calls, to show that AddressSanitizer sees them: it must end this program.
 *
 * usage: past_row CASE LEVEL   a DEMASK_LEVEL_ number, and one of
 *   none   a right call, which passes
 *   read   the row of logits is one element shorter than the call says
 *   write  the array for tokens is one element shorter
 *   leak   the context is not destroyed
 *
 * The status is 3 if the CPU lacks the level. */
#include <demask.h>
#include <stdlib.h>
#include <string.h>

enum { VOCAB = 1003 };

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  int is_read = strcmp(argv[1], "read") == 0, is_write = strcmp(argv[1], "write") == 0;
  size_t n = VOCAB - (is_read ? 1 : 0), n_tokens = is_write ? 1 : 2;
  float *row = malloc(n * sizeof *row);
  int32_t *tokens = malloc(n_tokens * sizeof *tokens);
  if (row == NULL || tokens == NULL) return 2;
  for (size_t i = 0; i < n; ++i) row[i] = (float)(i % 31) / 8.0f;

  demask_options options;
  demask_draw_rule rule;
  demask_context *context = NULL;
  demask_options_init(&options, sizeof options);
  options.max_positions = 2;
  options.level = (uint32_t)atoi(argv[2]);
  demask_draw_rule_init(&rule, sizeof rule);
  demask_status status = demask_create(&options, &context);
  if (status != DEMASK_OK) return status == DEMASK_ERR_LEVEL ? 3 : 2;
  demask_logits logits = {.struct_size = sizeof logits, .data = row, .n_rows = 1,
                          .vocab = VOCAB, .row_stride = VOCAB};
  demask_key key = {.seed = 1};
  status = demask_draw(context, &logits, &rule, NULL, &key, 1, 2, tokens, NULL);
  if (strcmp(argv[1], "leak") != 0) demask_destroy(context);
  context = NULL;
  free(tokens);
  free(row);
  return status == DEMASK_OK ? 0 : 2;
}
