// Whole generations through demask.hpp: the plan, the network of markov.h, the step. Prints what
// first_hitting.c prints for the same policies, with which it is compared.
#include "markov.h"
#include <demask.hpp>

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <vector>

namespace {

// What a policy points to.
struct tables {
  demask::sizes sizes;
  demask::time_grid grid;
};

demask::result<tables> make_tables() {
  auto sizes = demask::sizes::create_markov(LENGTH, 10);
  if (!sizes) return {sizes.status(), {}};
  const double times[] = {0.9, 0.8, 0.2, 0.0};
  auto grid = demask::time_grid::create(times);
  return {grid.status(), {std::move(*sizes), std::move(*grid)}};
}

demask::result<demask_policy> make_policy(std::string_view name, const tables &tables) {
  if (name == "first-hitting") return demask::policy_first_hitting(DEMASK_NOISE_LINEAR);
  if (name == "dream") {
    static const std::int32_t last_tokens[] = {0};
    auto policy = demask::policy_decoder(DEMASK_DECODER_DREAM, 10);
    policy->last_tokens = last_tokens;
    policy->n_last_tokens = 1;
    return policy;
  }
  if (name == "tc-sizes") {
    auto policy = demask::policy_random_order(10);
    policy->sizes = DEMASK_SIZES_TABLE;
    policy->sizes_table = tables.sizes.get();
    return policy;
  }
  if (name == "times") {
    auto policy = demask::policy_sampler(DEMASK_SAMPLER_EULER, DEMASK_NOISE_LINEAR, 3);
    policy->finish = DEMASK_FINISH_SAMPLE;
    policy->grid = DEMASK_GRID_TIMES;
    policy->grid_times = tables.grid.get();
    policy->start = 0.9;
    return policy;
  }
  if (name == "extrapolated") {
    auto policy = demask::policy_sampler(DEMASK_SAMPLER_EXTRAPOLATED_HITTING, DEMASK_NOISE_COSINE, 8);
    policy->finish = DEMASK_FINISH_SAMPLE;
    return policy;
  }
  return {DEMASK_ERR_ARGUMENT, {}};
}

void print(const char *name, int calls, std::size_t rows, const std::vector<std::int32_t> &tokens) {
  const auto masks = std::count(tokens.begin(), tokens.end(), static_cast<std::int32_t>(MASK));
  int stay = 0;
  for (std::size_t i = 0; i < POSITIONS; ++i)
    stay += i % LENGTH > 0 && tokens[i] != MASK && tokens[i] == tokens[i - 1];
  std::printf("%s: %d network calls, %zu rows, %d masks left, %d of %d transitions stay\n", name,
              calls, rows, static_cast<int>(masks), stay, static_cast<int>(TRANSITIONS));
  for (std::size_t i = 0; i < POSITIONS; ++i)
    std::printf("%d%c", static_cast<int>(tokens[i]), i % LENGTH == LENGTH - 1 ? '\n' : ' ');
}

demask::result<> generate(const char *name) {
  const auto tables = make_tables();
  if (!tables) return tables.status();
  const auto policy = make_policy(name, *tables);
  if (!policy) return policy.status();

  auto options = demask::options_init();
  options->max_positions = POSITIONS;
  options->max_segments = SEQUENCES;
  auto context = demask::context::create(*options);
  if (!context) return context.status();
  demask::plan_buffers plan(POSITIONS, SEQUENCES);

  std::vector<std::int32_t> tokens(POSITIONS, MASK), seen = tokens;
  std::vector<demask_segment> segments(SEQUENCES);
  for (std::uint32_t i = 0; i < SEQUENCES; ++i) {
    segments[i].begin = i * LENGTH;
    segments[i].end = (i + 1) * LENGTH;
    segments[i].seed = 2024;
    segments[i].stream = i;
  }
  const auto canvas =
      demask::canvas_of(tokens, MASK, segments, demask::span<const demask_policy>(&*policy, 1));
  std::vector<float> data(POSITIONS * STRIDE), earlier_data(POSITIONS * STRIDE);
  int calls = 0;
  std::size_t rows = 0;
  for (;;) {
    if (const auto planned = context->plan(*canvas, plan); !planned) return planned;
    if (plan.n_active() == 0) break;
    const std::size_t n = plan.rows().size();
    std::size_t k = 0;
    for (std::size_t i = 0; i < SEQUENCES; ++i) {
      for (const std::uint32_t at : plan.rows(i)) {
        denoise(tokens.data(), at, &data[k * STRIDE]);
        denoise(seen.data(), at, &earlier_data[k * STRIDE]);
        ++k;
      }
      const auto sequence = tokens.begin() + static_cast<std::ptrdiff_t>(i) * LENGTH;
      if (!plan.rows(i).empty())
        std::copy_n(sequence, LENGTH, seen.begin() + (sequence - tokens.begin()));
    }
    auto logits = demask::logits_of(data, n, VOCAB, STRIDE);
    const auto earlier = demask::logits_of(earlier_data, n, VOCAB, STRIDE);
    if (plan.n_earlier() > 0) logits->earlier = &*earlier;
    const auto step = context->step_planned(*canvas, plan, *logits);
    if (!step) return step.status();
    calls += n > 0;
    rows += n;
  }
  print(name, calls, rows, tokens);
  return DEMASK_OK;
}

}  // namespace

int main() {
  fill_log_power();
  for (const char *name : {"first-hitting", "extrapolated", "tc-sizes", "times", "dream"}) {
    const auto generated = generate(name);
    if (generated) continue;
    std::fprintf(stderr, "%s: %s\n", name, demask::status_string(generated.status()));
    return 1;
  }
}
