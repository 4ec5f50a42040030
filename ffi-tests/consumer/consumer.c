/* A client of an installed demask: prints its version, and the likeliest token of a row. */
#include <demask.h>
#include <stdio.h>

int main(void) {
  const float row[4] = {0.5f, 2.0f, 3.5f, -1.0f};
  demask_options options;
  demask_draw_rule rule;
  demask_context *context = NULL;
  demask_options_init(&options, sizeof options);
  options.max_positions = 1;
  demask_draw_rule_init(&rule, sizeof rule);
  rule.temperature = 0.0f;
  if (demask_create(&options, &context) != DEMASK_OK) return 1;
  demask_logits logits = {.struct_size = sizeof logits, .data = row, .n_rows = 1,
                          .vocab = 4, .row_stride = 4};
  demask_key key = {.seed = 1};
  int32_t token = -1;
  demask_status status = demask_draw(context, &logits, &rule, NULL, &key, 1, 1, &token, NULL);
  demask_destroy(context);
  printf("%s: token %d\n", demask_version_string(), (int)token);
  return status;
}
