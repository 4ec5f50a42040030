// Every name of demask.hpp: each call gives what its function of C gives, handles are moved and
// never copied, failures are seen, and arrays that are too short are refused.
#include "check.h"
#include <demask.hpp>

#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>
#if __cplusplus >= 202002L
#include <span>
#endif

namespace {

constexpr std::uint32_t ROWS = 6, VOCAB = 40, SEGMENTS = 2, LENGTH = ROWS / SEGMENTS;
constexpr std::int32_t MASK = -1;

// Whether two plain structs, or arrays of numbers, have the same bytes.
template <class T>
bool same(const T &a, const T &b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

template <class T>
bool same(const std::vector<T> &a, const std::vector<T> &b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

void versions_and_levels() {
  CHECK(demask::version_number() == DEMASK_VERSION_NUMBER);
  CHECK(demask::version_string() == demask_version_string());
  CHECK(demask::status_string(DEMASK_ERR_SHAPE) == demask_status_string(DEMASK_ERR_SHAPE));
  CHECK(demask::level_detect() == demask_level_detect());
  CHECK(demask::level_name(DEMASK_LEVEL_AVX2) == demask_level_name(DEMASK_LEVEL_AVX2));
}

template <class To, class From>
constexpr bool views = std::is_convertible_v<From, demask::span<To>>;

void spans() {
  static_assert(views<const int, const std::vector<int> &> && views<int, std::vector<int> &>, "");
  static_assert(views<const int, demask::span<int>> && views<const int, std::vector<int>>, "");
  static_assert(!views<int, const std::vector<int> &> && !views<int, std::vector<int>>, "");
  static_assert(!views<int, demask::span<const int>> && !views<int, std::vector<long> &>, "");
  static_assert(!views<const std::exception, std::array<std::bad_exception, 2> &>, "another size");
  std::vector<int> vector{1, 2, 3};
  int array[] = {4, 5};
  const std::array<int, 2> fixed{6, 7};
  demask::span<int> of_vector = vector, of_array = array, part(&vector[1], 2), none;
  demask::span<const int> of_fixed = fixed, of_span = of_vector;
  CHECK(of_vector.data() == vector.data() && of_vector.size() == 3 && of_span[2] == 3);
  CHECK(of_array.size() == 2 && of_array[1] == 5 && of_fixed[0] == 6 && part[1] == 3);
  CHECK(none.empty() && none.data() == nullptr && !part.empty());
  int sum = 0;
  for (int &x : of_vector) sum += x++;
  CHECK(sum == 6 && vector[2] == 4);
#if __cplusplus >= 202002L
  std::span<int> standard(vector);
  demask::span<int> from_standard = standard;
  std::span<const int> to_standard = of_span;
  CHECK(from_standard.data() == vector.data() && to_standard.size() == 3);
#endif
}

template <class T>
constexpr bool moves_only = !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T> &&
                            std::is_nothrow_move_constructible_v<T> &&
                            std::is_nothrow_move_assignable_v<T>;

void owners() {
  static_assert(moves_only<demask::context> && moves_only<demask::noise_table>, "");
  static_assert(moves_only<demask::time_grid> && moves_only<demask::sizes>, "");
  static_assert(moves_only<demask::shard_records> && moves_only<demask::shard_merge>, "");
  static_assert(moves_only<demask::profile_estimator>, "");
  static_assert(moves_only<demask::plan_buffers>, "");
  const std::uint32_t list[] = {1, 2};
  auto made = demask::sizes::create_list(list);
  CHECK(made && *made && made->get() != nullptr && made.status() == DEMASK_OK);
  demask_sizes *const handle = made->get();
  demask::sizes first = std::move(*made), second;
  CHECK(first.get() == handle && !*made && made->get() == nullptr && !second);
  second = std::move(first);
  CHECK(second.get() == handle && !first);
  demask::sizes &itself = second;
  second = std::move(itself);
  CHECK(second.get() == handle);
  CHECK(first.shape().status() == DEMASK_ERR_NULL);
  demask::sizes third(second.release());
  CHECK(third.get() == handle && !second);
  third = std::move(*demask::sizes::create_list(list)); // frees the first table
  CHECK(third && third.shape()->masks == 3 && third.shape()->steps == 2);

  demask::context empty;
  CHECK(empty.level().status() == DEMASK_ERR_NULL);
  CHECK(demask::shard_records().bytes().status() == DEMASK_ERR_NULL);
  CHECK(demask::shard_records().rows().status() == DEMASK_ERR_NULL);
  CHECK(demask::time_grid().shape().status() == DEMASK_ERR_NULL);
  CHECK(demask::profile_estimator().mean(0).status() == DEMASK_ERR_NULL);
  CHECK(demask::shard_merge().finish({}, 0, {}).status() == DEMASK_ERR_NULL);
}

void failures() {
  const auto refused = demask::sizes::create_markov(0, 1);
  CHECK(!refused && refused.status() == DEMASK_ERR_SHAPE && !*refused);
  const demask::result<> done = demask::policy_check(*demask::policy_random_order(3));
  CHECK(done && done.status() == DEMASK_OK);
  CHECK(!demask::policy_check(demask_policy{}));
#ifdef __cpp_exceptions
  CHECK(demask::sizes_even(7, 2).value() == 4);
  demask::context context = demask::context::create(demask::options_init().value()).value();
  CHECK(context.level().value() == demask::level_detect());
  done.value();
  int caught = 0;
  try {
    refused.value();
  } catch (const demask::error &error) {
    caught += error.status() == DEMASK_ERR_SHAPE && error.what() == demask_status_string(3);
  }
  try {
    demask::sizes::create_markov(0, 1).value();
  } catch (const std::exception &error) {
    caught += std::string(error.what()) == demask_status_string(DEMASK_ERR_SHAPE);
  }
  try {
    demask::policy_check(demask_policy{}).value();
  } catch (const demask::error &error) {
    caught += error.status() == DEMASK_ERR_STRUCT;
  }
  CHECK(caught == 3);
#endif
}

void structs() {
  demask_options options;
  demask_draw_rule rule;
  demask_constraints constraints;
  demask_statistics statistics;
  demask_options_init(&options, sizeof options);
  demask_draw_rule_init(&rule, sizeof rule);
  demask_constraints_init(&constraints, sizeof constraints);
  demask_statistics_init(&statistics, sizeof statistics);
  CHECK(same(*demask::options_init(), options) && same(*demask::draw_rule_init(), rule));
  CHECK(same(*demask::constraints_init(), constraints));
  CHECK(same(*demask::statistics_init(), statistics));
  demask_step_out out{};
  out.struct_size = sizeof out;
  CHECK(same(demask::sized<demask_step_out>(), out));
}

void policies() {
  demask_policy policy;
  const std::size_t size = sizeof policy;
  demask_policy_first_hitting(DEMASK_NOISE_COSINE, &policy, size);
  CHECK(same(*demask::policy_first_hitting(DEMASK_NOISE_COSINE), policy));
  demask_policy_euler(DEMASK_NOISE_LINEAR, 9, &policy, size);
  CHECK(same(*demask::policy_euler(DEMASK_NOISE_LINEAR, 9), policy));
  double time = 0.0;
  demask_policy_grid_time(&policy, 3, &time);
  CHECK(*demask::policy_grid_time(policy, 3) == time && time > 0.6 && time < 0.7);
  demask_policy_decoder(DEMASK_DECODER_WINO, 5, &policy, size);
  CHECK(same(*demask::policy_decoder(DEMASK_DECODER_WINO, 5), policy));
  demask_policy_sampler(DEMASK_SAMPLER_TWEEDIE, DEMASK_NOISE_COSINE, 8, &policy, size);
  CHECK(same(*demask::policy_sampler(DEMASK_SAMPLER_TWEEDIE, DEMASK_NOISE_COSINE, 8), policy));
  const std::vector<double> times{0.75, 0.5, 0.0};
  const auto given = demask::time_grid::create(times);
  CHECK(given && given->shape()->steps == 2);
  CHECK(given->shape()->start == 0.75 && given->shape()->end == 0.0);
  const auto looped = demask::time_grid::create_remdm_loop(20, 0.55, 0.05, 0.9);
  demask_policy_remdm_loop(0.02, looped->get(), &policy, size);
  CHECK(same(*demask::policy_remdm_loop(0.02, *looped), policy) && policy.steps == 20);
  CHECK(looped->shape()->steps == 20 && looped->shape()->start == 1.0);
  demask_policy_random_order(4, &policy, size);
  CHECK(same(*demask::policy_random_order(4), policy));
  policy.sizes = DEMASK_SIZES_BINOMIAL;
  demask_key key{};
  key.seed = 3;
  std::uint32_t number = 0;
  demask_policy_size(&policy, 90, 50, 2, &key, &number);
  CHECK(number > 0 && *demask::policy_size(policy, 90, 50, 2, key) == number);
  demask::key_words words{};
  demask_key_state(&key, DEMASK_PURPOSE_RACE, words.data());
  CHECK(words[0] != 0 && *demask::key_state(key, DEMASK_PURPOSE_RACE) == words);
  double fraction = 0.0;
  demask_grid_decaying(1.0, 0.1, 8, &fraction);
  CHECK(fraction > 0.0 && *demask::grid_decaying(1.0, 0.1, 8) == fraction);
}

void noise_schedules() {
  const std::vector<double> times{0.0, 0.5, 2.0}, masked{0.0, 0.25, 1.0};
  const auto table = demask::noise_table::create(times, masked, DEMASK_TABLE_MASKED);
  CHECK(table);
  CHECK(demask::noise_table::create(times, {masked.data(), 2}, DEMASK_TABLE_MASKED).status() ==
        DEMASK_ERR_SHAPE);
  const demask_noise geometric = demask::noise_of(DEMASK_NOISE_GEOMETRIC, 1e-4, 20.0);
  CHECK(geometric.schedule == DEMASK_NOISE_GEOMETRIC && geometric.struct_size == sizeof geometric);
  CHECK(geometric.parameter == 1e-4 && geometric.sigma_max == 20.0);
  for (const demask_noise &noise : {geometric, demask::noise_of(*table)}) {
    double out[13];
    demask_noise_alpha(&noise, 0.7, &out[0]);
    demask_noise_log_masked(&noise, 0.7, &out[1]);
    demask_noise_time(&noise, -0.7, &out[2]);
    demask_noise_rate(&noise, 0.7, &out[3]);
    demask_noise_score_sum(&noise, 0.7, &out[4]);
    demask_noise_reveal_probability(&noise, 0.7, 0.6, &out[5]);
    demask_noise_euler_probability(&noise, 0.7, 0.1, &out[6]);
    demask_noise_tau_first_jump_probability(&noise, 0.7, 0.1, &out[7]);
    demask_noise_tau_reject_probability(&noise, 0.7, 0.1, &out[8]);
    demask_noise_last_time(&noise, &out[9]);
    demask_noise_horizon(&noise, &out[10]);
    demask_noise_expected_jumps(&noise, 0.7, 0.1, &out[11]);
    demask_noise_transition_probability(&noise, DEMASK_TRANSITION_TRAPEZOIDAL, 0.25, 0.7, 0.6,
                                        &out[12]);
    CHECK(*demask::noise_alpha(noise, 0.7) == out[0] && out[0] > 0.0);
    CHECK(*demask::noise_log_masked(noise, 0.7) == out[1] && out[1] < 0.0);
    CHECK(*demask::noise_time(noise, -0.7) == out[2] && out[2] > 0.0);
    CHECK(*demask::noise_rate(noise, 0.7) == out[3] && out[3] > 0.0);
    CHECK(*demask::noise_score_sum(noise, 0.7) == out[4] && out[4] > 0.0);
    CHECK(*demask::noise_reveal_probability(noise, 0.7, 0.6) == out[5] && out[5] > 0.0);
    CHECK(*demask::noise_euler_probability(noise, 0.7, 0.1) == out[6] && out[6] > 0.0);
    CHECK(*demask::noise_tau_first_jump_probability(noise, 0.7, 0.1) == out[7] && out[7] > 0.0);
    CHECK(*demask::noise_tau_reject_probability(noise, 0.7, 0.1) == out[8] && out[8] > 0.0);
    CHECK(*demask::noise_last_time(noise) == out[9] && out[9] >= 1.0);
    CHECK(*demask::noise_horizon(noise) == out[10] && out[10] == out[9]);
    CHECK(*demask::noise_expected_jumps(noise, 0.7, 0.1) == out[11] && out[11] > 0.0);
    CHECK(*demask::noise_transition_probability(noise, DEMASK_TRANSITION_TRAPEZOIDAL, 0.25, 0.7,
                                                0.6) == out[12] &&
          out[12] > 0.0);
    const std::vector<double> log_masked{-0.7, -0.1};
    std::vector<double> at(2);
    CHECK(demask::noise_times(noise, log_masked, at));
    CHECK(at[0] == out[2] && at[1] > at[0]);
    CHECK(demask::noise_times(noise, log_masked, {at.data(), 1}).status() == DEMASK_ERR_CAPACITY);
  }
  CHECK(demask::noise_alpha(geometric, 2.0).status() == DEMASK_ERR_ARGUMENT);
}

// Whether a table of C++ draws the sizes that the one of C does, which it frees.
bool draws_as(const demask::result<demask::sizes> &made, demask_sizes *table) {
  const demask::sizes expected(table);
  std::uint32_t masks = 0, steps = 0;
  if (!made || demask_sizes_shape(table, &masks, &steps) != DEMASK_OK) return false;
  const auto shape = made->shape();
  demask_key key{};
  key.seed = 3;
  std::vector<std::uint32_t> ours(steps), theirs(steps);
  const auto drawn = demask::sizes_draw(DEMASK_SIZES_TABLE, made->get(), masks, key, ours);
  demask_sizes_draw(DEMASK_SIZES_TABLE, table, masks, &key, theirs.data(), steps);
  return drawn && shape->masks == masks && shape->steps == steps && ours == theirs;
}

void sizes() {
  using demask::sizes;
  const std::vector<std::uint32_t> list{3, 1, 2};
  const std::vector<double> profile{1.0, 0.5, 0.25, 0.2, 0.1, 0.1}, weights{1.0, 2.0, 1.0, 0.5, 1.0};
  const std::vector<double> constants(2 * 6, 1.5);
  demask_sizes *table = nullptr, *reversed = nullptr;
  demask_sizes_create_list(list.data(), 3, &table);
  const auto made = sizes::create_list(list);
  demask_sizes_create_reversed(table, &reversed);
  CHECK(draws_as(sizes::create_reversed(*made), reversed));
  CHECK(draws_as(made, table));
  demask_sizes_create_geometric(6, 2, DEMASK_WEIGHT_DTC, &table);
  CHECK(draws_as(sizes::create_geometric(6, 2, DEMASK_WEIGHT_DTC), table));
  demask_sizes_create_from_profile(profile.data(), 6, 3, DEMASK_PROFILE_OPTIMAL, &table);
  CHECK(draws_as(sizes::create_from_profile(profile, 3, DEMASK_PROFILE_OPTIMAL), table));
  demask_sizes_create_markov(6, 3, &table);
  CHECK(draws_as(sizes::create_markov(6, 3), table));
  demask_sizes_create_markov_constants(6, 3, constants.data(), constants.size(), &table);
  CHECK(draws_as(sizes::create_markov_constants(6, 3, constants), table));
  demask_sizes_create_systematic(6, 3, DEMASK_WEIGHT_ETC, &table);
  CHECK(draws_as(sizes::create_systematic(6, 3, DEMASK_WEIGHT_ETC), table));
  demask_sizes_create_systematic_weights(weights.data(), weights.size(), 3, &table);
  CHECK(draws_as(sizes::create_systematic_weights(weights, 3), table));
  demask_sizes_create_geometric_for_accuracy(9, 2.0, 0.9, DEMASK_WEIGHT_DTC, &table);
  CHECK(draws_as(sizes::create_geometric_for_accuracy(9, 2.0, 0.9, DEMASK_WEIGHT_DTC), table));
  demask_sizes_create_geometric_in_steps(9, 6, DEMASK_WEIGHT_DTC, &table);
  CHECK(draws_as(sizes::create_geometric_in_steps(9, 6, DEMASK_WEIGHT_DTC), table));
  demask_sizes_create_reveal_odds(9, 5, &table);
  CHECK(draws_as(sizes::create_reveal_odds(9, 5), table));
  demask_sizes_create_markov_closed_form(6, 3, &table);
  CHECK(draws_as(sizes::create_markov_closed_form(6, 3), table));
  const std::vector<double> log_weights(2 * 6, -0.5), gaps{1.0, 0.25, 0.5, 0.25, 0.0};
  demask_sizes_create_markov_log_weights(6, 3, log_weights.data(), log_weights.size(), &table);
  CHECK(draws_as(sizes::create_markov_log_weights(6, 3, log_weights), table));
  demask_sizes_create_systematic_gaps(gaps.data(), gaps.size(), &table);
  const auto systematic = sizes::create_systematic_gaps(gaps);
  std::vector<double> read(gaps.size());
  CHECK(systematic->gaps(read) && same(read, gaps));
  CHECK(systematic->gaps({read.data(), 4}).status() == DEMASK_ERR_SHAPE);
  CHECK(std::isnan(*systematic->proved_constant()));
  CHECK(draws_as(systematic, table));
  CHECK(*sizes::create_markov(32, 4)->proved_constant() == *demask::sizes_markov_constant(32, 4));
  CHECK(*demask::sizes_markov_constant(32, 4) > 0.4);

  CHECK(*demask::sizes_even(7, 2) == 4);
  std::vector<double> ours(6), theirs(6);
  const std::vector<double> times{0.25, 1.0};
  CHECK(demask::sizes_overshoot_bernoulli(times, ours));
  demask_sizes_overshoot_bernoulli(times.data(), 2, theirs.data(), 6);
  CHECK(same(ours, theirs) && ours[1] > 0.0);
  CHECK(demask::sizes_overshoot(DEMASK_SIZES_TABLE, made->get(), 3, ours));
  demask_sizes_overshoot(DEMASK_SIZES_TABLE, made->get(), 3, theirs.data(), 6);
  CHECK(same(ours, theirs) && ours[1] == 2.0);
  double value = 0.0;
  demask_sizes_expected_kl(DEMASK_SIZES_COSINE, nullptr, profile.data(), 6, 3, &value);
  CHECK(*demask::sizes_expected_kl(DEMASK_SIZES_COSINE, nullptr, profile, 3) == value);
  CHECK(value > 0.0);
  demask_sizes_constant(DEMASK_SIZES_EVEN, nullptr, 6, 3, DEMASK_WEIGHT_TC, &value);
  CHECK(*demask::sizes_constant(DEMASK_SIZES_EVEN, nullptr, 6, 3, DEMASK_WEIGHT_TC) == value);
  CHECK(value > 0.0);
  demask_sizes_constant_weights(DEMASK_SIZES_EVEN, nullptr, weights.data(), 5, 3, &value);
  CHECK(*demask::sizes_constant_weights(DEMASK_SIZES_EVEN, nullptr, weights, 3) == value);
  CHECK(value > 0.0);
}

void profiles() {
  const std::vector<double> rising{1.0, 0.25, 0.75, 0.5}, weights{1.0, 3.0, 1.0, 4.0};
  std::vector<double> ours(4), theirs(4);
  CHECK(demask::profile_isotonic(rising, weights, ours));
  demask_profile_isotonic(rising.data(), weights.data(), 4, theirs.data());
  CHECK(same(ours, theirs) && ours[0] == 1.0 && ours[1] == 0.4375 && ours[3] == 0.4375);
  CHECK(demask::profile_isotonic(rising, {weights.data(), 3}, ours).status() == DEMASK_ERR_SHAPE);
  CHECK(demask::profile_isotonic(rising, weights, {ours.data(), 3}).status() ==
        DEMASK_ERR_CAPACITY);
  double value = 0.0;
  demask_profile_complexity(ours.data(), 4, DEMASK_WEIGHT_DTC, &value);
  CHECK(value > 0.0 && *demask::profile_complexity(ours, DEMASK_WEIGHT_DTC) == value);

  auto estimator = demask::profile_estimator::create(4);
  const std::vector<double> first{-0.75, -0.5, -0.75, -0.5}, second{-0.875, -0.875};
  const std::vector<double> third{-0.25, -0.125};
  CHECK(estimator && estimator->profile(ours).status() == DEMASK_ERR_SHAPE);
  CHECK(estimator->observe(0, first) && estimator->observe(0, second));
  CHECK(estimator->observe(2, third));
  CHECK(estimator->observe(4, third).status() == DEMASK_ERR_SHAPE);
  const auto mean = estimator->mean(0);
  CHECK(mean && mean->observations == 2 && mean->mean == 0.75 && mean->standard_error == 0.125);
  CHECK(estimator->mean(1)->observations == 0 && std::isnan(estimator->mean(1)->mean));
  CHECK(estimator->profile(ours));
  CHECK(ours == (std::vector<double>{0.75, 0.46875, 0.1875, 0.1875}));
  CHECK(estimator->profile({ours.data(), 3}).status() == DEMASK_ERR_SHAPE);
}

// Everything that a step needs.
struct batch {
  std::vector<std::int32_t> tokens = std::vector<std::int32_t>(ROWS, MASK);
  std::vector<std::uint8_t> kinds = std::vector<std::uint8_t>(ROWS, DEMASK_KIND_MASKED);
  std::vector<demask_position_state> states = std::vector<demask_position_state>(ROWS);
  std::vector<demask_segment> segments = std::vector<demask_segment>(SEGMENTS);
  std::array<demask_policy, 1> policies{*demask::policy_random_order(2)};
  std::vector<float> data = std::vector<float>(ROWS * VOCAB);
  demask::context context;

  batch() {
    for (std::uint32_t i = 0; i < SEGMENTS; ++i) {
      segments[i].begin = i * LENGTH;
      segments[i].end = (i + 1) * LENGTH;
      segments[i].stream = i;
    }
    for (std::uint32_t i = 0; i < ROWS * VOCAB; ++i)
      data[i] = static_cast<float>(i * 37 % 101) / 32.0f;
    auto options = demask::options_init();
    options->max_positions = 3 * ROWS;
    options->max_segments = SEGMENTS;
    context = std::move(*demask::context::create(*options));
  }
  demask::result<demask_canvas> canvas() {
    return demask::canvas_of(tokens, MASK, segments, policies, kinds, states);
  }
  demask_logits logits() const { return *demask::logits_of(data, ROWS, VOCAB); }
};

void canvases_and_logits() {
  batch b;
  const auto canvas = b.canvas();
  CHECK(canvas && canvas->tokens == b.tokens.data() && canvas->n_positions == ROWS);
  CHECK(canvas->mask_token == MASK && canvas->kinds == b.kinds.data());
  CHECK(canvas->states == b.states.data() && canvas->segments == b.segments.data());
  CHECK(canvas->n_segments == SEGMENTS && canvas->segment_size == sizeof(demask_segment));
  CHECK(canvas->policies == b.policies.data() && canvas->n_policies == 1);
  CHECK(canvas->policy_size == sizeof(demask_policy) && canvas->struct_size == sizeof *canvas);
  CHECK(demask::canvas_of(b.tokens, MASK, b.segments, b.policies)->kinds == nullptr);
  b.kinds.pop_back();
  CHECK(b.canvas().status() == DEMASK_ERR_SHAPE);
  b.kinds.clear(); // its pointer is not NULL
  CHECK(b.canvas()->kinds == nullptr);
  b.states.pop_back();
  CHECK(b.canvas().status() == DEMASK_ERR_SHAPE);

  const auto shape = [&](std::size_t rows, std::size_t vocab, std::size_t stride) {
    return demask::logits_of(b.data, rows, vocab, stride).status();
  };
  const demask_logits logits = *demask::logits_of(b.data, 2, 3, 4);
  CHECK(logits.data == b.data.data() && logits.n_rows == 2 && logits.vocab == 3);
  CHECK(logits.row_stride == 4 && logits.dtype == DEMASK_DTYPE_F32);
  CHECK(b.logits().row_stride == VOCAB && logits.struct_size == sizeof logits);
  CHECK(shape(ROWS, VOCAB, 0) == DEMASK_OK && shape(ROWS + 1, VOCAB, 0) == DEMASK_ERR_SHAPE);
  CHECK(shape(ROWS, VOCAB, VOCAB + 1) == DEMASK_ERR_SHAPE);
  CHECK(shape(ROWS - 1, VOCAB, VOCAB + 10) == DEMASK_OK); // the last row needs no rest
  CHECK(shape(1, ROWS * VOCAB + 1, 0) == DEMASK_ERR_SHAPE && shape(1, 0, 0) == DEMASK_ERR_SHAPE);
  CHECK(shape(SIZE_MAX, VOCAB, SIZE_MAX / 2) == DEMASK_ERR_SHAPE && shape(0, 0, 0) == DEMASK_OK);
  const std::vector<std::uint16_t> halves(2 * VOCAB);
  const auto half = demask::logits_of(DEMASK_DTYPE_F16, halves.data(), halves.size(), 2, VOCAB);
  CHECK(half->dtype == DEMASK_DTYPE_F16 && half->data == halves.data());

  const std::vector<std::uint32_t> index{1, 1, 0};
  const demask_logits indexed = demask::indexed(logits, index);
  CHECK(indexed.n_rows == 3 && indexed.data_rows == 2 && indexed.row_index == index.data());
}

void steps() {
  batch full, planned, c;
  demask::plan_buffers made(ROWS, SEGMENTS), plan;
  CHECK(plan.rows().empty() && plan.times().empty());
  plan = std::move(made);
  CHECK(made.get()->rows == nullptr && made.rows().empty()); // NOLINT: that is what is tested
  CHECK(planned.context.plan(*planned.canvas(), made).status() == DEMASK_ERR_NULL);
  demask::plan_buffers small(ROWS, SEGMENTS - 1);
  CHECK(planned.context.plan(*planned.canvas(), small).status() == DEMASK_ERR_CAPACITY);
  std::vector<std::int32_t> drawn(ROWS), drawn_c(ROWS);
  std::vector<std::uint8_t> states(ROWS), states_c(ROWS);
  for (int step = 0; step < 3; ++step) {
    const auto report = full.context.step(*full.canvas(), full.logits(), drawn, states);
    demask_step_out out = demask::sized<demask_step_out>();
    out.tokens = drawn_c.data();
    out.row_state = states_c.data();
    const demask_canvas canvas = *c.canvas();
    const demask_logits logits = c.logits();
    CHECK(demask_step(c.context.get(), &canvas, &logits, &out) == DEMASK_OK);
    CHECK(report && report->n_active == out.n_active && report->n_revealed == out.n_revealed);
    CHECK(out.n_active == (step < 2 ? SEGMENTS : 0));
    CHECK(same(full.tokens, c.tokens) && same(drawn, drawn_c) && same(states, states_c));

    CHECK(planned.context.plan(*planned.canvas(), plan));
    CHECK(plan.n_active() == out.n_active && plan.n_earlier() == 0);
    CHECK(plan.rows().size() == out.n_revealed && plan.times().size() == SEGMENTS);
    CHECK(plan.reads_earlier().size() == SEGMENTS && plan.reads_earlier()[0] == 0);
    CHECK(plan.rows(0).size() + plan.rows(1).size() == plan.rows().size());
    for (const std::uint32_t row : plan.rows(1)) CHECK(row >= LENGTH && row < ROWS);
    if (plan.n_active() == 0) break;
    const demask_logits rows = demask::indexed(planned.logits(), plan.rows());
    CHECK(planned.context.step_planned(*planned.canvas(), plan, rows)->n_revealed == out.n_revealed);
    CHECK(same(planned.tokens, c.tokens) && same(planned.segments, c.segments));
  }
  for (const std::int32_t token : full.tokens) CHECK(token != MASK);

  // What has no room is refused, and an empty vector is none at all.
  const std::vector<std::int32_t> before = full.tokens;
  const demask_canvas canvas = *full.canvas();
  drawn.pop_back();
  CHECK(full.context.step(canvas, full.logits(), drawn).status() == DEMASK_ERR_CAPACITY);
  CHECK(full.context.step_planned(canvas, plan, full.logits(), drawn).status() ==
        DEMASK_ERR_CAPACITY);
  states.pop_back();
  CHECK(full.context.step(canvas, full.logits(), {}, states).status() == DEMASK_ERR_CAPACITY);
  CHECK(full.context.step_planned(canvas, plan, full.logits(), {}, states).status() ==
        DEMASK_ERR_CAPACITY);
  states.clear();
  CHECK(full.context.step(canvas, full.logits(), {}, states)->row_state == nullptr);
  CHECK(same(full.tokens, before));

  CHECK(full.context.randomize(canvas, 5) && demask_randomize(c.context.get(), &canvas, 5) == 0);
  for (const std::int32_t token : full.tokens) CHECK(token >= 0 && token < 5);
  CHECK(*full.context.level() == demask::level_detect());
}

// A step in two halves is the step; records are those of C.
void halves() {
  batch whole, ours;
  auto options = demask::options_init();
  options->max_positions = ROWS;
  options->max_segments = SEGMENTS;
  demask::context other = std::move(*demask::context::create(*options));
  whole.policies[0] = ours.policies[0] = *demask::policy_decoder(DEMASK_DECODER_LLADA, LENGTH);
  whole.data[4 * VOCAB] = ours.data[4 * VOCAB] = NAN;
  demask::plan_buffers plan(ROWS, SEGMENTS);
  std::vector<demask_row_record> records(ROWS), records_c(ROWS);
  std::vector<std::int32_t> drawn(ROWS), drawn_whole(ROWS);
  std::vector<std::uint8_t> states(ROWS), states_whole(ROWS);
  CHECK(ours.context.plan(*ours.canvas(), plan) && plan.rows().size() == ROWS);
  const demask_canvas canvas = *ours.canvas();
  const demask_logits first = *demask::logits_of(ours.data, 4, VOCAB);
  const demask_logits rest = *demask::logits_of({&ours.data[4 * VOCAB], 2 * VOCAB}, 2, VOCAB);
  CHECK(ours.context.step_rows(canvas, plan, first, 0, records));
  CHECK(other.step_rows(canvas, plan, rest, 4, {&records[4], 2}));
  demask_step_rows(other.get(), &canvas, plan.get(), &first, 0, records_c.data());
  demask_step_rows(other.get(), &canvas, plan.get(), &rest, 4, &records_c[4]);
  CHECK(same(records, records_c) && records[0].statistics.probability > 0.0);
  CHECK(records[4].state == DEMASK_ROW_BAD && records[5].state == DEMASK_ROW_DRAWN);

  // What has no room is refused.
  CHECK(other.step_rows(canvas, plan, rest, 4, {&records_c[4], 1}).status() == DEMASK_ERR_CAPACITY);
  CHECK(other.step_rows(canvas, plan, rest, 5, records_c).status() == DEMASK_ERR_SHAPE);
  CHECK(other.advance(canvas, plan, VOCAB, {records.data(), 5}).status() == DEMASK_ERR_SHAPE);
  CHECK(other.advance(canvas, plan, VOCAB, records, {drawn.data(), 5}).status() ==
        DEMASK_ERR_CAPACITY);
  CHECK(other.advance(canvas, plan, VOCAB, records, {}, {states.data(), 5}).status() ==
        DEMASK_ERR_CAPACITY);
  for (const std::int32_t token : ours.tokens) CHECK(token == MASK);

  const auto advanced = other.advance(canvas, plan, VOCAB, records, drawn, states);
  CHECK(whole.context.plan(*whole.canvas(), plan));
  const auto stepped =
      whole.context.step_planned(*whole.canvas(), plan, whole.logits(), drawn_whole, states_whole);
  CHECK(advanced && advanced->n_revealed == 2 && stepped->n_revealed == 2);
  CHECK(advanced->n_bad_rows == 1 && stepped->n_bad_rows == 1);
  CHECK(same(ours.tokens, whole.tokens) && same(ours.segments, whole.segments));
  CHECK(same(drawn, drawn_whole) && same(states, states_whole));
}

void remasking() {
  batch b;
  auto &policy = b.policies[0];
  policy = *demask::policy_sampler(DEMASK_SAMPLER_ANCESTRAL, DEMASK_NOISE_LINEAR, 4);
  policy.update = DEMASK_UPDATE_REMASK;
  policy.remask_eta = 1.0;
  policy.remask_from = INFINITY;
  b.tokens.assign(ROWS, 7);
  b.kinds.assign(ROWS, DEMASK_KIND_COMMITTED);
  for (demask_segment &segment : b.segments) segment.step = 2;
  demask::plan_buffers plan, c(ROWS, SEGMENTS);
  CHECK(plan.remasked().empty());
  std::vector<std::uint32_t> remasked(ROWS);
  c.get()->remasked = remasked.data();
  const demask_canvas canvas = *b.canvas();
  {
    demask::plan_buffers made(ROWS, SEGMENTS);
    CHECK(b.context.plan(canvas, made));
    plan = std::move(made);
    CHECK(made.remasked().empty()); // NOLINT: that is what is tested
  }
  CHECK(demask_plan(b.context.get(), &canvas, c.get()) == DEMASK_OK);
  remasked.resize(c.get()->n_remasked);
  CHECK(!remasked.empty() && plan.remasked().size() == remasked.size());
  for (std::size_t k = 0; k < remasked.size(); ++k) CHECK(plan.remasked()[k] == remasked[k]);
  const auto step = b.context.step_planned(canvas, plan, demask::sized<demask_logits>());
  CHECK(step && step->n_remasked == remasked.size());
  for (const std::uint32_t position : plan.remasked()) CHECK(b.tokens[position] == MASK);
}

void draws() {
  batch b;
  std::vector<demask_key> keys(ROWS);
  for (std::uint32_t i = 0; i < ROWS; ++i) keys[i].position = i;
  const demask_logits logits = b.logits();
  const demask_draw_rule rule = *demask::draw_rule_init();
  demask_constraints constraints = *demask::constraints_init();
  constraints.excluded = 3;
  std::vector<std::int32_t> ours(3 * ROWS), theirs(3 * ROWS);
  std::vector<std::uint8_t> states(ROWS), states_c(ROWS);
  CHECK(b.context.draw(logits, rule, &constraints, keys, 3, ours, states));
  demask_draw(b.context.get(), &logits, &rule, &constraints, keys.data(), ROWS, 3, theirs.data(),
              states_c.data());
  CHECK(same(ours, theirs) && same(states, states_c) && states[0] == DEMASK_ROW_DRAWN);
  CHECK(b.context.draw(logits, rule, nullptr, keys, 3, {ours.data(), 3 * ROWS - 1}).status() ==
        DEMASK_ERR_CAPACITY);
  CHECK(b.context.draw(logits, rule, nullptr, keys, SIZE_MAX / 2 + 1, ours).status() ==
        DEMASK_ERR_CAPACITY);
  CHECK(b.context.draw(logits, rule, nullptr, keys, 0, ours).status() == DEMASK_ERR_ARGUMENT);
  CHECK(b.context.draw(logits, rule, nullptr, keys, 1, ours, {states.data(), 1}).status() ==
        DEMASK_ERR_CAPACITY);

  std::vector<demask_row_statistics> described(ROWS), described_c(ROWS);
  demask_statistics statistics = *demask::statistics_init();
  statistics.rows = described.data();
  CHECK(b.context.draw_statistics(logits, rule, &constraints, keys, statistics, ours, states));
  statistics.rows = described_c.data();
  demask_draw_statistics(b.context.get(), &logits, &rule, &constraints, keys.data(), ROWS,
                         &statistics, theirs.data(), states_c.data());
  CHECK(same(ours, theirs) && same(described, described_c) && described[0].entropy > 0.0);
  CHECK(b.context.draw_statistics(logits, rule, nullptr, keys, statistics, {ours.data(), 1})
            .status() == DEMASK_ERR_CAPACITY);
  CHECK(b.context
            .draw_statistics(logits, rule, nullptr, keys, statistics, ours, {states.data(), 1})
            .status() == DEMASK_ERR_CAPACITY);

  const std::vector<std::uint32_t> numbers{5, 2, 7, 1, 4, 3};
  std::vector<double> events(ROWS), events_c(ROWS);
  CHECK(demask::hitting_times_next(keys, numbers, events));
  demask_hitting_times_next(keys.data(), numbers.data(), events_c.data(), ROWS);
  CHECK(same(events, events_c) && events[0] < 0.0);
  CHECK(demask::hitting_times_next(keys, {numbers.data(), 1}, events).status() == DEMASK_ERR_SHAPE);
  CHECK(demask::hitting_times_next(keys, numbers, {events.data(), 1}).status() == DEMASK_ERR_SHAPE);
  CHECK(b.context.hitting_times_all(keys[0], -0.5, events));
  demask_hitting_times_all(b.context.get(), keys.data(), -0.5, events_c.data(), ROWS);
  CHECK(same(events, events_c) && events[0] < -0.5);
  CHECK(b.context.hitting_times_of_positions(keys[0], -0.5, numbers, events));
  demask_hitting_times_of_positions(b.context.get(), keys.data(), -0.5, numbers.data(),
                                    events_c.data(), ROWS);
  CHECK(same(events, events_c) && events[0] < -0.5);
  CHECK(b.context.hitting_times_of_positions(keys[0], -0.5, numbers, {events.data(), 1}).status() ==
        DEMASK_ERR_CAPACITY);
}

// A vocabulary in two shards, one of whose edges cuts a block.
constexpr std::size_t WIDE = 600, SHARDS = 2, EDGES[SHARDS + 1] = {0, 300, WIDE};

std::vector<float> wide_rows() {
  std::vector<float> data(ROWS * WIDE);
  for (std::size_t i = 0; i < data.size(); ++i)
    data[i] = static_cast<float>(i * 37 % 1009) / 256.0f;
  return data;
}

// The columns of a shard.
demask_logits columns(const std::vector<float> &data, std::size_t shard) {
  const std::size_t begin = EDGES[shard];
  return *demask::logits_of({&data[begin], data.size() - begin}, ROWS, EDGES[shard + 1] - begin,
                            WIDE);
}

void races() {
  batch b;
  const std::vector<float> data = wide_rows();
  std::vector<demask_key> keys(ROWS);
  for (std::uint32_t i = 0; i < ROWS; ++i) keys[i].position = i;
  demask_draw_rule rule = *demask::draw_rule_init();
  rule.method = DEMASK_METHOD_RACE;
  demask_constraints constraints = *demask::constraints_init();
  constraints.excluded = 20;
  std::vector<std::int32_t> whole(ROWS);
  const demask_logits logits = *demask::logits_of(data, ROWS, WIDE);
  CHECK(b.context.draw(logits, rule, &constraints, keys, 1, whole));
  std::vector<demask_race_result> results[SHARDS], results_c[SHARDS];
  for (std::size_t s = 0; s < SHARDS; ++s) {
    const demask_logits part = columns(data, s);
    results[s].resize(ROWS);
    results_c[s].resize(ROWS);
    CHECK(b.context.race_shard(part, EDGES[s], rule, &constraints, keys, results[s]));
    demask_race_shard(b.context.get(), &part, EDGES[s], &rule, &constraints, keys.data(), ROWS,
                      results_c[s].data());
    CHECK(same(results[s], results_c[s]) && results[s][0].state == DEMASK_RACE_DRAWN);
  }
  demask::span<demask_race_result> few(results[0].data(), ROWS - 1);
  CHECK(b.context.race_shard(columns(data, 0), 0, rule, nullptr, keys, few).status() ==
        DEMASK_ERR_CAPACITY);
  CHECK(demask::race_merge(few, results[1]).status() == DEMASK_ERR_SHAPE);
  CHECK(demask::race_merge(results[1], few).status() == DEMASK_ERR_SHAPE);
  CHECK(same(results[0], results_c[0]) && same(results[1], results_c[1]));
  CHECK(demask::race_merge(results[0], results[1]));
  demask_race_merge(results_c[0].data(), results_c[1].data(), ROWS);
  CHECK(same(results[0], results_c[0]));
  for (std::uint32_t i = 0; i < ROWS; ++i) CHECK(results[0][i].token == whole[i]);
}

// Both rounds over two shards, beside the calls of C with the same handles.
void shards() {
  const float temperature = 0.75f;
  batch b;
  std::vector<float> data = wide_rows();
  data[2 * WIDE + 5] = NAN;
  demask_context *const context = b.context.get();
  std::vector<demask_key> keys(ROWS);
  for (std::uint32_t i = 0; i < ROWS; ++i) keys[i].position = i;
  demask_constraints constraints = *demask::constraints_init();
  constraints.excluded = 20;
  const std::vector<std::int32_t> given{3, -1, 5, 399, 512, 13};

  std::vector<demask::shard_records> records;
  std::vector<const demask_shard_records *> handles;
  for (std::size_t s = 0; s < SHARDS; ++s) {
    const std::size_t begin = EDGES[s], width = EDGES[s + 1] - begin;
    const demask_logits logits = columns(data, s);
    auto sent = demask::shard_records::create(ROWS, width);
    CHECK(sent && sent->bytes() && sent->bytes()->empty() && *sent->rows() == 0);
    CHECK(sent->fill(b.context, logits, begin, WIDE, temperature, &constraints,
                     {given.data(), ROWS - 1}).status() == DEMASK_ERR_SHAPE);
    CHECK(sent->bytes()->empty());
    CHECK(sent->fill(b.context, logits, begin, WIDE, temperature, &constraints, given));
    const demask::span<const std::uint8_t> view = *sent->bytes();
    const std::vector<std::uint8_t> bytes(view.begin(), view.end());
    demask_shard_records_fill(context, &logits, begin, WIDE, temperature, &constraints,
                              given.data(), sent->get());
    const std::uint8_t *bytes_c = nullptr;
    std::size_t n_bytes = 0;
    demask_shard_records_bytes(sent->get(), &bytes_c, &n_bytes);
    CHECK(!bytes.empty() && same(bytes, std::vector<std::uint8_t>(bytes_c, bytes_c + n_bytes)));
    // Without given tokens, an empty vector too, other bytes: that of C without them.
    std::vector<std::int32_t> none = given;
    none.clear();
    CHECK(sent->fill(b.context, logits, begin, WIDE, temperature, &constraints, none));
    const std::vector<std::uint8_t> without(sent->bytes()->begin(), sent->bytes()->end());
    demask_shard_records_fill(context, &logits, begin, WIDE, temperature, &constraints, nullptr,
                              sent->get());
    const auto again = sent->bytes();
    CHECK(!same(without, bytes) && same(without, std::vector<std::uint8_t>(again->begin(),
                                                                           again->end())));

    auto received = demask::shard_records::create(ROWS, width);
    CHECK(received->read({bytes.data(), bytes.size() - 1}).status() == DEMASK_ERR_SHAPE);
    CHECK(received->read(bytes) && *received->rows() == ROWS);
    CHECK(same(bytes, std::vector<std::uint8_t>(received->bytes()->begin(),
                                                received->bytes()->end())));
    records.push_back(std::move(*received));
    handles.push_back(records.back().get());
  }
  CHECK(demask::shard_records::create(1, SIZE_MAX).status() == DEMASK_ERR_SHAPE);

  auto merge = demask::shard_merge::create(DEMASK_LEVEL_AUTO, ROWS, WIDE);
  CHECK(merge && demask::shard_merge::create(99, 1, 1).status() == DEMASK_ERR_ARGUMENT);
  std::vector<demask_row_statistics> merged(ROWS), merged_c(ROWS);
  std::vector<std::uint32_t> blocks(ROWS), blocks_c(ROWS);
  demask_shard_merge_records(merge->get(), handles.data(), SHARDS, keys.data(), ROWS, ROWS,
                             merged_c.data(), blocks_c.data());
  CHECK(merge->records(handles, keys, ROWS, {merged.data(), ROWS - 1}).status() ==
        DEMASK_ERR_CAPACITY);
  CHECK(merge->records(handles, keys, ROWS, merged, {blocks.data(), ROWS - 1}).status() ==
        DEMASK_ERR_CAPACITY);
  CHECK(merge->records({handles.data(), 1}, keys, ROWS).status() == DEMASK_ERR_SHAPE);
  CHECK(merge->records(handles, {keys.data(), 1}, ROWS).status() == DEMASK_ERR_SHAPE);
  CHECK(merge->records(handles, {}, ROWS, merged)); // no keys, no draw
  CHECK(merged[0].entropy == merged_c[0].entropy && merged[0].entropy > 0.0);
  CHECK(merge->records(handles, keys, ROWS, merged, blocks));
  CHECK(same(merged, merged_c) && same(blocks, blocks_c));
  CHECK(merged[0].given_log_probability < 0.0 && std::isnan(merged[1].given_log_probability));

  std::vector<demask_shard_token> drawn(SHARDS * ROWS), drawn_c(SHARDS * ROWS);
  for (std::size_t s = 0; s < SHARDS; ++s) {
    const demask_logits logits = columns(data, s);
    const demask::span<demask_shard_token> of_shard(&drawn[s * ROWS], ROWS);
    const auto draw = [&](demask::span<const std::uint32_t> of, std::size_t room) {
      return b.context
          .shard_tokens(logits, EDGES[s], WIDE, temperature, &constraints, keys, of,
                        {of_shard.data(), room})
          .status();
    };
    CHECK(draw(blocks, ROWS) == DEMASK_OK && draw(blocks, ROWS - 1) == DEMASK_ERR_CAPACITY);
    CHECK(draw({blocks.data(), ROWS - 1}, ROWS) == DEMASK_ERR_SHAPE);
    demask_shard_tokens(context, &logits, EDGES[s], WIDE, temperature, &constraints, keys.data(),
                        ROWS, blocks.data(), &drawn_c[s * ROWS]);
  }
  CHECK(same(drawn, drawn_c));
  std::size_t by_shards = 0;
  for (const demask_shard_token &token : drawn) by_shards += token.token >= 0;
  CHECK(by_shards > 0);

  std::vector<std::int32_t> tokens(ROWS, 77), tokens_c(ROWS);
  std::vector<std::uint8_t> states(ROWS), states_c(ROWS);
  const auto refused = [&](std::size_t n, std::size_t room, std::size_t of_states,
                           std::size_t of_statistics) {
    return merge->finish({drawn.data(), n}, ROWS, {tokens.data(), room}, {states.data(), of_states},
                         {merged.data(), of_statistics}).status();
  };
  CHECK(refused(SHARDS * ROWS - 1, ROWS, ROWS, ROWS) == DEMASK_ERR_SHAPE);
  CHECK(refused(SHARDS * ROWS, ROWS - 1, ROWS, ROWS) == DEMASK_ERR_CAPACITY);
  CHECK(refused(SHARDS * ROWS, ROWS, ROWS - 1, ROWS) == DEMASK_ERR_CAPACITY);
  CHECK(refused(SHARDS * ROWS, ROWS, ROWS, ROWS - 1) == DEMASK_ERR_CAPACITY);
  CHECK(refused(0, ROWS, 0, 0) == DEMASK_ERR_ARGUMENT); // the tokens of no shard
  CHECK(merge->finish(drawn, ROWS - 1, tokens).status() == DEMASK_ERR_SHAPE);
  CHECK(merge->finish(drawn, 0, tokens).status() == DEMASK_ERR_SHAPE);
  CHECK(tokens[0] == 77 && same(merged, merged_c));
  CHECK(merge->finish(drawn, ROWS, tokens, states, merged));
  demask_shard_merge_finish(merge->get(), drawn.data(), SHARDS, ROWS, tokens_c.data(),
                            states_c.data(), merged_c.data());
  CHECK(same(tokens, tokens_c) && same(states, states_c) && same(merged, merged_c));
  for (std::uint32_t i = 0; i < ROWS; ++i) {
    CHECK(states[i] == (i == 2 ? DEMASK_ROW_BAD : DEMASK_ROW_DRAWN));
    CHECK(i == 2 ? tokens[i] == -1 : tokens[i] >= 0 && merged[i].probability > 0.0);
  }
}

}  // namespace

int main() {
  versions_and_levels();
  spans();
  owners();
  failures();
  structs();
  policies();
  noise_schedules();
  sizes();
  profiles();
  canvases_and_logits();
  steps();
  halves();
  remasking();
  draws();
  races();
  shards();
  return checks_end("face");
}
