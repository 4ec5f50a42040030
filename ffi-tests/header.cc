// The header in C++: it compiles, its structs are plain, and its functions have C names.
#include <demask.h>
#include <demask.h>

#include <type_traits>

static_assert(std::is_standard_layout<demask_canvas>::value, "a struct of C");
static_assert(std::is_trivial<demask_segment>::value, "a struct of C");

int main() {
  demask_options options;
  demask_context *context = nullptr;
  if (demask_options_init(&options, sizeof options) != DEMASK_OK) return 1;
  if (demask_create(&options, &context) != DEMASK_OK) return 1;
  uint32_t level = DEMASK_LEVEL_AUTO;
  demask_status status = demask_context_level(context, &level);
  demask_destroy(context);
  return status != DEMASK_OK || level != demask_level_detect();
}
