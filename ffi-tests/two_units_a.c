/* The header in two translation units of one program: no symbol is defined twice. */
#include <demask.h>
#include <demask.h>

uint32_t version_in_b(void);
const char *name_in_b(void);

int main(void) {
  const char *here = demask_level_name(DEMASK_LEVEL_BASELINE);
  return version_in_b() != demask_version_number() || name_in_b() != here;
}
