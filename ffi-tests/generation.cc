// Whole generations through demask.hpp: the plan, the network of markov.h, the step. Prints what
// first_hitting.c prints for the same policies, with which it is compared. Each is made once more
// by halves of every step, with a context for each of two ranges of rows: the tokens are the same.
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

// Whether a step is one call, or the rows of two ranges and what follows from them.
enum class by { step, halves };

// A step in two halves, in which each context draws a range of the rows.
demask::result<> step_by_halves(demask::context (&contexts)[2], const demask_canvas &canvas,
                                const demask::plan_buffers &plan, const demask_logits &logits,
                                std::vector<demask_row_record> &records) {
  const std::size_t n = plan.rows().size(), ends[] = {0, n / 3, n};
  for (std::size_t half = 0; half < 2; ++half) {
    const std::size_t first = ends[half], rows = ends[half + 1] - first;
    const auto part = [&](const demask_logits &of) {
      const float *data = static_cast<const float *>(of.data) + first * STRIDE;
      return demask::logits_of({data, rows * STRIDE}, rows, VOCAB, STRIDE);
    };
    auto range = part(logits);
    demask_logits earlier;
    if (logits.earlier != nullptr) {
      earlier = *part(*logits.earlier);
      range->earlier = &earlier;
    }
    const auto drawn =
        contexts[half].step_rows(canvas, plan, *range, first, {&records[first], rows});
    if (!drawn) return drawn;
  }
  return contexts[0].advance(canvas, plan, VOCAB, {records.data(), n}).status();
}

demask::result<std::vector<std::int32_t>> generate(const char *name, by how) {
  const auto tables = make_tables();
  if (!tables) return {tables.status(), {}};
  const auto policy = make_policy(name, *tables);
  if (!policy) return {policy.status(), {}};

  auto options = demask::options_init();
  options->max_positions = POSITIONS;
  options->max_segments = SEQUENCES;
  demask::context contexts[2];
  for (demask::context &context : contexts) {
    auto made = demask::context::create(*options);
    if (!made) return {made.status(), {}};
    context = std::move(*made);
  }
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
  std::vector<demask_row_record> records(POSITIONS);
  std::vector<float> data(POSITIONS * STRIDE), earlier_data(POSITIONS * STRIDE);
  int calls = 0;
  std::size_t rows = 0;
  for (;;) {
    if (const auto planned = contexts[0].plan(*canvas, plan); !planned)
      return {planned.status(), {}};
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
    const demask_status status =
        how == by::step ? contexts[0].step_planned(*canvas, plan, *logits).status()
                       : step_by_halves(contexts, *canvas, plan, *logits, records).status();
    if (status != DEMASK_OK) return {status, {}};
    calls += n > 0;
    rows += n;
  }
  if (how == by::step) print(name, calls, rows, tokens);
  return {DEMASK_OK, std::move(tokens)};
}

}  // namespace

int main() {
  fill_log_power();
  for (const char *name : {"first-hitting", "extrapolated", "tc-sizes", "times", "dream"}) {
    const auto by_step = generate(name, by::step), by_halves = generate(name, by::halves);
    if (!by_step || !by_halves) {
      const demask_status status = by_step ? by_halves.status() : by_step.status();
      std::fprintf(stderr, "%s: %s\n", name, demask::status_string(status));
      return 1;
    }
    if (*by_halves == *by_step) continue;
    std::fprintf(stderr, "%s: other tokens by halves of steps\n", name);
    return 1;
  }
}
