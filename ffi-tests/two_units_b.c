/* See two_units_a.c. */
#include <demask.h>

uint32_t version_in_b(void);
const char *name_in_b(void);

uint32_t version_in_b(void) { return DEMASK_VERSION_NUMBER; }
const char *name_in_b(void) { return demask_level_name(DEMASK_LEVEL_BASELINE); }
