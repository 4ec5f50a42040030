// consumer.c in C++.
#include <demask.hpp>

#include <array>
#include <cstdio>

int main() {
  const std::array<float, 4> row{0.5f, 2.0f, 3.5f, -1.0f};
  auto options = demask::options_init().value();
  options.max_positions = 1;
  auto rule = demask::draw_rule_init().value();
  rule.temperature = 0.0f;
  auto context = demask::context::create(options).value();
  const std::array<demask_key, 1> keys{};
  std::array<std::int32_t, 1> tokens{};
  context.draw(demask::logits_of(row, 1, 4).value(), rule, nullptr, keys, 1, tokens).value();
  std::printf("%s: token %d\n", demask::version_string(), static_cast<int>(tokens[0]));
}
