// demask.hpp - demask.h for C++17 and later: handles that free themselves, arrays that know their
// length, errors that cannot be overlooked. Header only; it links as C does.
//
// Names. demask_x of C is demask::x, or a member of the class whose handle it takes: demask_step is
// demask::context::step. What it does and which errors it has stands in demask.h, and so do all
// structs and numbers, which are used as they are.
//
// Errors. A call that can fail returns a demask::result. `if (!result)` asks it, and status() says
// why; or value() throws demask::error. With -fno-exceptions there is no value() and no error, and
// everything else is the same.
//
// Ownership. A context, noise_table, time_grid, sizes, profile_estimator, shard_records or
// shard_merge owns its handle: it is moved, never copied. One that was moved from owns nothing: calls on it return
// DEMASK_ERR_NULL. get() is the handle, for fields of structs and for calls of C. Spans and structs
// of C own nothing. The memory of a plan_buffers is its own; nothing else here allocates what C
// does not.
//
// Lengths. A span that does not fit the others is refused: DEMASK_ERR_SHAPE if it is read,
// DEMASK_ERR_CAPACITY if it is written. Arrays that a struct points to are the caller's matter.

#ifndef DEMASK_HPP
#define DEMASK_HPP

#include <demask.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <type_traits>
#include <utility>
#include <vector>

namespace demask {

#ifdef __cpp_exceptions
// What value() of a failed result throws.
class error : public std::exception {
 public:
  // The error of a status that is not DEMASK_OK.
  explicit error(demask_status status) noexcept : status_(status) {}
  // Which error it is: a DEMASK_ERR_ number.
  demask_status status() const noexcept { return status_; }
  // The text of demask_status_string: static.
  const char *what() const noexcept override { return demask_status_string(status_); }

 private:
  demask_status status_;
};
#endif

// What a call that can fail returns: a value, or the status that says why there is none.
template <class T = void>
class [[nodiscard]] result {
 public:
  // The outcome of a call: `value` counts if `status` is DEMASK_OK.
  result(demask_status status, T value) noexcept : status_(status), value_(std::move(value)) {}
  // DEMASK_OK or a DEMASK_ERR_ number.
  demask_status status() const noexcept { return status_; }
  // Whether there is a value.
  explicit operator bool() const noexcept { return status_ == DEMASK_OK; }
  // The value; an empty one, with which no call succeeds, if there is none.
  T &operator*() noexcept { return value_; }
  // As above.
  const T &operator*() const noexcept { return value_; }
  // As above.
  T *operator->() noexcept { return &value_; }
  // As above.
  const T *operator->() const noexcept { return &value_; }
#ifdef __cpp_exceptions
  // The value. Throws error if there is none.
  T value() && {
    if (status_ != DEMASK_OK) throw error(status_);
    return std::move(value_);
  }
  // As above.
  const T &value() const & {
    if (status_ != DEMASK_OK) throw error(status_);
    return value_;
  }
#endif

 private:
  demask_status status_;
  T value_;
};

// What a call that can fail returns if it has no value.
template <>
class [[nodiscard]] result<void> {
 public:
  // The outcome of a call.
  result(demask_status status) noexcept : status_(status) {}
  // DEMASK_OK or a DEMASK_ERR_ number.
  demask_status status() const noexcept { return status_; }
  // Whether the call did its work.
  explicit operator bool() const noexcept { return status_ == DEMASK_OK; }
#ifdef __cpp_exceptions
  // Throws error if the call failed.
  void value() const {
    if (status_ != DEMASK_OK) throw error(status_);
  }
#endif

 private:
  demask_status status_;
};

namespace detail {

// What the array of a container or of C consists of.
template <class C>
using element = std::remove_pointer_t<decltype(std::data(std::declval<C &>()))>;

// There is such a type if that array is one of T, or of T that is not const.
template <class C, class T>
using if_holds = std::enable_if_t<std::is_convertible_v<element<C> (*)[], T (*)[]>>;

}  // namespace detail

// A view of an array of somebody else: of anything with data() and size(), such as std::vector,
// std::array and std::span, or of an array of C. It is the same type in every version of C++.
template <class T>
class span {
 public:
  // The empty array.
  constexpr span() noexcept = default;
  // `size` elements from `data` on.
  constexpr span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
  // What a container, or an array of C, holds now.
  template <class C, class = detail::if_holds<C, T>>
  constexpr span(C &array) noexcept : data_(std::data(array)), size_(std::size(array)) {}
  // As above. A container that dies at the end of the statement is for calls alone.
  template <class C, class = detail::if_holds<const C, T>>
  constexpr span(const C &array) noexcept : data_(std::data(array)), size_(std::size(array)) {}
  // The first element; may be NULL if there is none.
  constexpr T *data() const noexcept { return data_; }
  // How many elements there are.
  constexpr std::size_t size() const noexcept { return size_; }
  // Whether there are none.
  constexpr bool empty() const noexcept { return size_ == 0; }
  // The first element, for loops.
  constexpr T *begin() const noexcept { return data_; }
  // One past the last element.
  constexpr T *end() const noexcept { return data_ + size_; }
  // Element `i`, below size().
  constexpr T &operator[](std::size_t i) const noexcept { return data_[i]; }

 private:
  T *data_ = nullptr;
  std::size_t size_ = 0;
};

namespace detail {

// A handle of C that is freed with its owner.
template <class T, void (*Destroy)(T *)>
class owner {
 public:
  // The type of C.
  using handle = T;
  // Owns nothing.
  owner() noexcept = default;
  // Takes a handle over, NULL included.
  explicit owner(T *taken) noexcept : handle_(taken) {}
  // Takes over what `other` owns.
  owner(owner &&other) noexcept : handle_(other.release()) {}
  // Frees what it owns, and takes over what `other` owns.
  owner &operator=(owner &&other) noexcept {
    if (this != &other) {
      Destroy(handle_);
      handle_ = other.release();
    }
    return *this;
  }
  // Frees what it owns.
  ~owner() { Destroy(handle_); }
  // The handle, still owned here; NULL if it owns nothing.
  T *get() const noexcept { return handle_; }
  // Gives the handle away: whoever takes it frees it.
  T *release() noexcept { return std::exchange(handle_, nullptr); }
  // Whether it owns a handle.
  explicit operator bool() const noexcept { return handle_ != nullptr; }

 private:
  T *handle_ = nullptr;
};

// The result of a call that writes a number or a handle to its last argument.
template <class T, class... P, class... A>
result<T> written_by(demask_status (*call)(P...), A... arguments) noexcept {
  T value{};
  const demask_status status = call(arguments..., &value);
  return {status, value};
}

// The result of a call that fills a struct, whose size comes last.
template <class T, class... P, class... A>
result<T> filled_by(demask_status (*call)(P...), A... arguments) noexcept {
  T value{};
  const demask_status status = call(arguments..., &value, sizeof value);
  return {status, value};
}

// The result of a call that makes what an `Owner` owns.
template <class Owner, class... P, class... A>
result<Owner> made_by(demask_status (*call)(P...), A... arguments) noexcept {
  const auto made = written_by<typename Owner::handle *>(call, arguments...);
  return {made.status(), Owner(*made)};
}

// Whether an array that may be left out is, or has room for `needed` elements.
template <class T>
bool takes(span<T> room, std::size_t needed) noexcept {
  return room.empty() || room.size() >= needed;
}

// An array that may be left out, for C: an empty vector may have a pointer all the same.
template <class T>
T *or_null(span<T> room) noexcept {
  return room.empty() ? nullptr : room.data();
}

}  // namespace detail

// demask_version_number: that of the library. DEMASK_VERSION_NUMBER is that of the header.
inline std::uint32_t version_number() noexcept { return demask_version_number(); }

// demask_version_string.
inline const char *version_string() noexcept { return demask_version_string(); }

// demask_status_string.
inline const char *status_string(demask_status status) noexcept {
  return demask_status_string(status);
}

// demask_level_detect.
inline std::uint32_t level_detect() noexcept { return demask_level_detect(); }

// demask_level_name.
inline const char *level_name(std::uint32_t level) noexcept { return demask_level_name(level); }

// A struct of C that is all zero but for its struct_size, for those without a function that fills
// them in.
template <class T>
T sized() noexcept {
  T value{};
  value.struct_size = sizeof(T);
  return value;
}

// demask_options_init.
inline result<demask_options> options_init() noexcept {
  return detail::filled_by<demask_options>(demask_options_init);
}

// demask_draw_rule_init.
inline result<demask_draw_rule> draw_rule_init() noexcept {
  return detail::filled_by<demask_draw_rule>(demask_draw_rule_init);
}

// demask_constraints_init.
inline result<demask_constraints> constraints_init() noexcept {
  return detail::filled_by<demask_constraints>(demask_constraints_init);
}

// demask_statistics_init.
inline result<demask_statistics> statistics_init() noexcept {
  return detail::filled_by<demask_statistics>(demask_statistics_init);
}

// The demask_noise_table that a noise schedule may name. Must outlive the structs that point to it.
class noise_table : public detail::owner<demask_noise_table, demask_noise_table_destroy> {
 public:
  // Owns nothing, or takes a handle over.
  using owner::owner;
  // demask_noise_table_create, with a value for each time.
  static result<noise_table> create(span<const double> times, span<const double> values,
                                    std::uint32_t quantity) noexcept {
    if (times.size() != values.size()) return {DEMASK_ERR_SHAPE, noise_table()};
    return detail::made_by<noise_table>(demask_noise_table_create, times.data(), values.data(),
                                        times.size(), quantity);
  }
};

// What a policy that uses a time grid has for steps, start and end.
struct time_grid_shape {
  // See demask_time_grid_shape.
  std::uint32_t steps;
  // See demask_time_grid_shape.
  double start;
  // See demask_time_grid_shape.
  double end;
};

// The demask_time_grid that a policy may name. Must outlive the policies that point to it.
class time_grid : public detail::owner<demask_time_grid, demask_time_grid_destroy> {
 public:
  // Owns nothing, or takes a handle over.
  using owner::owner;
  // demask_time_grid_create.
  static result<time_grid> create(span<const double> times) noexcept {
    return detail::made_by<time_grid>(demask_time_grid_create, times.data(), times.size());
  }
  // demask_time_grid_create_remdm_loop.
  static result<time_grid> create_remdm_loop(std::uint32_t steps, double on, double off,
                                             double alpha_on) noexcept {
    return detail::made_by<time_grid>(demask_time_grid_create_remdm_loop, steps, on, off, alpha_on);
  }
  // demask_time_grid_shape.
  result<time_grid_shape> shape() const noexcept {
    time_grid_shape shape{};
    const demask_status status =
        demask_time_grid_shape(get(), &shape.steps, &shape.start, &shape.end);
    return {status, shape};
  }
};

// The masks and the steps that a table of sizes is for.
struct sizes_shape {
  // See demask_sizes_shape.
  std::uint32_t masks;
  // See demask_sizes_shape.
  std::uint32_t steps;
};

// The demask_sizes that a policy or a call on sizes may name. Must outlive the policies that point
// to it.
class sizes : public detail::owner<demask_sizes, demask_sizes_destroy> {
 public:
  // Owns nothing, or takes a handle over.
  using owner::owner;
  // demask_sizes_create_list.
  static result<sizes> create_list(span<const std::uint32_t> list) noexcept {
    return detail::made_by<sizes>(demask_sizes_create_list, list.data(), list.size());
  }
  // demask_sizes_create_geometric.
  static result<sizes> create_geometric(std::uint32_t masks, std::uint32_t zeta,
                                        std::uint32_t weight) noexcept {
    return detail::made_by<sizes>(demask_sizes_create_geometric, masks, zeta, weight);
  }
  // demask_sizes_create_geometric_for_accuracy.
  static result<sizes> create_geometric_for_accuracy(std::uint32_t masks, double estimate,
                                                     double accuracy,
                                                     std::uint32_t weight) noexcept {
    return detail::made_by<sizes>(demask_sizes_create_geometric_for_accuracy, masks, estimate,
                                  accuracy, weight);
  }
  // demask_sizes_create_geometric_in_steps.
  static result<sizes> create_geometric_in_steps(std::uint32_t masks, std::uint32_t steps,
                                                 std::uint32_t weight) noexcept {
    return detail::made_by<sizes>(demask_sizes_create_geometric_in_steps, masks, steps, weight);
  }
  // demask_sizes_create_reveal_odds.
  static result<sizes> create_reveal_odds(std::uint32_t masks, std::uint32_t blocks) noexcept {
    return detail::made_by<sizes>(demask_sizes_create_reveal_odds, masks, blocks);
  }
  // demask_sizes_create_from_profile.
  static result<sizes> create_from_profile(span<const double> profile, std::uint32_t steps,
                                           std::uint32_t rule) noexcept {
    return detail::made_by<sizes>(demask_sizes_create_from_profile, profile.data(), profile.size(),
                                  steps, rule);
  }
  // demask_sizes_create_markov.
  static result<sizes> create_markov(std::uint32_t masks, std::uint32_t steps) noexcept {
    return detail::made_by<sizes>(demask_sizes_create_markov, masks, steps);
  }
  // demask_sizes_create_markov_constants.
  static result<sizes> create_markov_constants(std::uint32_t masks, std::uint32_t steps,
                                               span<const double> constants) noexcept {
    return detail::made_by<sizes>(demask_sizes_create_markov_constants, masks, steps,
                                  constants.data(), constants.size());
  }
  // demask_sizes_create_markov_closed_form.
  static result<sizes> create_markov_closed_form(std::uint32_t masks,
                                                 std::uint32_t steps) noexcept {
    return detail::made_by<sizes>(demask_sizes_create_markov_closed_form, masks, steps);
  }
  // demask_sizes_create_markov_log_weights.
  static result<sizes> create_markov_log_weights(std::uint32_t masks, std::uint32_t steps,
                                                 span<const double> log_weights) noexcept {
    return detail::made_by<sizes>(demask_sizes_create_markov_log_weights, masks, steps,
                                  log_weights.data(), log_weights.size());
  }
  // demask_sizes_create_systematic.
  static result<sizes> create_systematic(std::uint32_t masks, std::uint32_t steps,
                                         std::uint32_t weight) noexcept {
    return detail::made_by<sizes>(demask_sizes_create_systematic, masks, steps, weight);
  }
  // demask_sizes_create_systematic_weights.
  static result<sizes> create_systematic_weights(span<const double> weights,
                                                 std::uint32_t steps) noexcept {
    return detail::made_by<sizes>(demask_sizes_create_systematic_weights, weights.data(),
                                  weights.size(), steps);
  }
  // demask_sizes_create_systematic_gaps.
  static result<sizes> create_systematic_gaps(span<const double> gaps) noexcept {
    return detail::made_by<sizes>(demask_sizes_create_systematic_gaps, gaps.data(), gaps.size());
  }
  // demask_sizes_create_reversed.
  static result<sizes> create_reversed(const sizes &of) noexcept {
    return detail::made_by<sizes>(demask_sizes_create_reversed, of.get());
  }
  // demask_sizes_shape.
  result<sizes_shape> shape() const noexcept {
    sizes_shape shape{};
    const demask_status status = demask_sizes_shape(get(), &shape.masks, &shape.steps);
    return {status, shape};
  }
  // demask_sizes_gaps, for one mask more than `out` has elements.
  result<> gaps(span<double> out) const noexcept {
    return demask_sizes_gaps(get(), out.data(), out.size());
  }
  // demask_sizes_proved_constant.
  result<double> proved_constant() const noexcept {
    return detail::written_by<double>(demask_sizes_proved_constant, get());
  }
};

// demask_sizes_markov_constant.
inline result<double> sizes_markov_constant(std::uint32_t masks, std::uint32_t steps) noexcept {
  return detail::written_by<double>(demask_sizes_markov_constant, masks, steps);
}

// demask_sizes_even.
inline result<std::uint32_t> sizes_even(std::uint32_t masks, std::uint32_t steps_left) noexcept {
  return detail::written_by<std::uint32_t>(demask_sizes_even, masks, steps_left);
}

// demask_sizes_draw, for as many steps as `out` has elements. `table` is get() of a table, or NULL;
// so it is in the next three.
inline result<> sizes_draw(std::uint32_t rule, const demask_sizes *table, std::uint32_t masks,
                           const demask_key &key, span<std::uint32_t> out) noexcept {
  return demask_sizes_draw(rule, table, masks, &key, out.data(), out.size());
}

// demask_sizes_overshoot, for as many masks as `out` has elements.
inline result<> sizes_overshoot(std::uint32_t rule, const demask_sizes *table, std::uint32_t steps,
                                span<double> out) noexcept {
  return demask_sizes_overshoot(rule, table, steps, out.data(), out.size());
}

// demask_sizes_overshoot_bernoulli, for as many masks as `out` has elements.
inline result<> sizes_overshoot_bernoulli(span<const double> times, span<double> out) noexcept {
  return demask_sizes_overshoot_bernoulli(times.data(), times.size(), out.data(), out.size());
}

// demask_sizes_expected_kl.
inline result<double> sizes_expected_kl(std::uint32_t rule, const demask_sizes *table,
                                        span<const double> profile, std::uint32_t steps) noexcept {
  return detail::written_by<double>(demask_sizes_expected_kl, rule, table, profile.data(),
                                    profile.size(), steps);
}

// demask_sizes_constant.
inline result<double> sizes_constant(std::uint32_t rule, const demask_sizes *table,
                                     std::uint32_t masks, std::uint32_t steps,
                                     std::uint32_t weight) noexcept {
  return detail::written_by<double>(demask_sizes_constant, rule, table, masks, steps, weight);
}

// demask_sizes_constant_weights, for one mask more than there are weights.
inline result<double> sizes_constant_weights(std::uint32_t rule, const demask_sizes *table,
                                             span<const double> weights,
                                             std::uint32_t steps) noexcept {
  return detail::written_by<double>(demask_sizes_constant_weights, rule, table, weights.data(),
                                    weights.size(), steps);
}

// demask_profile_isotonic, with a weight and room for a value of each value.
inline result<> profile_isotonic(span<const double> values, span<const double> weights,
                                 span<double> out) noexcept {
  if (weights.size() != values.size()) return DEMASK_ERR_SHAPE;
  if (out.size() < values.size()) return DEMASK_ERR_CAPACITY;
  return demask_profile_isotonic(values.data(), weights.data(), values.size(), out.data());
}

// demask_profile_complexity.
inline result<double> profile_complexity(span<const double> profile,
                                         std::uint32_t weight) noexcept {
  return detail::written_by<double>(demask_profile_complexity, profile.data(), profile.size(),
                                    weight);
}

// What a profile_estimator knows of one number of revealed tokens.
struct profile_mean {
  // See demask_profile_estimator_mean.
  std::uint64_t observations;
  // See demask_profile_estimator_mean.
  double mean;
  // See demask_profile_estimator_mean.
  double standard_error;
};

// A demask_profile_estimator. Use each from one thread at a time.
class profile_estimator
    : public detail::owner<demask_profile_estimator, demask_profile_estimator_destroy> {
 public:
  // Owns nothing, or takes a handle over.
  using owner::owner;
  // demask_profile_estimator_create.
  static result<profile_estimator> create(std::uint32_t masks) noexcept {
    return detail::made_by<profile_estimator>(demask_profile_estimator_create, masks);
  }
  // demask_profile_estimator_observe.
  result<> observe(std::uint32_t revealed, span<const double> log_probabilities) noexcept {
    return demask_profile_estimator_observe(get(), revealed, log_probabilities.data(),
                                            log_probabilities.size());
  }
  // demask_profile_estimator_mean.
  result<profile_mean> mean(std::uint32_t revealed) const noexcept {
    profile_mean mean{};
    const demask_status status = demask_profile_estimator_mean(
        get(), revealed, &mean.observations, &mean.mean, &mean.standard_error);
    return {status, mean};
  }
  // demask_profile_estimator_profile, for as many masks as `out` has elements.
  result<> profile(span<double> out) const noexcept {
    return demask_profile_estimator_profile(get(), out.data(), out.size());
  }
};

// A noise schedule of a DEMASK_NOISE_ number with its parameters, where it has some.
inline demask_noise noise_of(std::uint32_t schedule, double parameter = 0.0,
                             double sigma_max = 0.0) noexcept {
  demask_noise noise = sized<demask_noise>();
  noise.schedule = schedule;
  noise.parameter = parameter;
  noise.sigma_max = sigma_max;
  return noise;
}

// The noise schedule of a table, which must outlive it.
inline demask_noise noise_of(const noise_table &table) noexcept {
  demask_noise noise = noise_of(DEMASK_NOISE_TABLE);
  noise.table = table.get();
  return noise;
}

// A table that dies at the end of the statement serves nobody.
demask_noise noise_of(noise_table &&table) = delete;

// demask_noise_last_time.
inline result<double> noise_last_time(const demask_noise &noise) noexcept {
  return detail::written_by<double>(demask_noise_last_time, &noise);
}

// demask_noise_horizon.
inline result<double> noise_horizon(const demask_noise &noise) noexcept {
  return detail::written_by<double>(demask_noise_horizon, &noise);
}

// demask_noise_alpha.
inline result<double> noise_alpha(const demask_noise &noise, double t) noexcept {
  return detail::written_by<double>(demask_noise_alpha, &noise, t);
}

// demask_noise_log_masked.
inline result<double> noise_log_masked(const demask_noise &noise, double t) noexcept {
  return detail::written_by<double>(demask_noise_log_masked, &noise, t);
}

// demask_noise_time.
inline result<double> noise_time(const demask_noise &noise, double log_masked) noexcept {
  return detail::written_by<double>(demask_noise_time, &noise, log_masked);
}

// demask_noise_times, with room for a time of each value.
inline result<> noise_times(const demask_noise &noise, span<const double> log_masked,
                            span<double> times) noexcept {
  if (times.size() < log_masked.size()) return DEMASK_ERR_CAPACITY;
  return demask_noise_times(&noise, log_masked.data(), times.data(), log_masked.size());
}

// demask_noise_rate.
inline result<double> noise_rate(const demask_noise &noise, double t) noexcept {
  return detail::written_by<double>(demask_noise_rate, &noise, t);
}

// demask_noise_score_sum.
inline result<double> noise_score_sum(const demask_noise &noise, double t) noexcept {
  return detail::written_by<double>(demask_noise_score_sum, &noise, t);
}

// demask_noise_reveal_probability.
inline result<double> noise_reveal_probability(const demask_noise &noise, double t,
                                               double s) noexcept {
  return detail::written_by<double>(demask_noise_reveal_probability, &noise, t, s);
}

// demask_noise_expected_jumps.
inline result<double> noise_expected_jumps(const demask_noise &noise, double t, double h) noexcept {
  return detail::written_by<double>(demask_noise_expected_jumps, &noise, t, h);
}

// demask_noise_euler_probability.
inline result<double> noise_euler_probability(const demask_noise &noise, double t,
                                              double h) noexcept {
  return detail::written_by<double>(demask_noise_euler_probability, &noise, t, h);
}

// demask_noise_tau_first_jump_probability.
inline result<double> noise_tau_first_jump_probability(const demask_noise &noise, double t,
                                                       double h) noexcept {
  return detail::written_by<double>(demask_noise_tau_first_jump_probability, &noise, t, h);
}

// demask_noise_tau_reject_probability.
inline result<double> noise_tau_reject_probability(const demask_noise &noise, double t,
                                                   double h) noexcept {
  return detail::written_by<double>(demask_noise_tau_reject_probability, &noise, t, h);
}

// demask_noise_transition_probability.
inline result<double> noise_transition_probability(const demask_noise &noise,
                                                   std::uint32_t transition, double theta, double t,
                                                   double s) noexcept {
  return detail::written_by<double>(demask_noise_transition_probability, &noise, transition, theta,
                                    t, s);
}

// The four words of a demask_key_state.
using key_words = std::array<std::uint64_t, 4>;

// demask_key_state.
inline result<key_words> key_state(const demask_key &key, std::uint32_t purpose) noexcept {
  key_words words{};
  const demask_status status = demask_key_state(&key, purpose, words.data());
  return {status, words};
}

// demask_hitting_times_next, with a key, a number of masks and a value for each sequence.
inline result<> hitting_times_next(span<const demask_key> keys, span<const std::uint32_t> masks,
                                   span<double> log_masked) noexcept {
  if (masks.size() != keys.size() || log_masked.size() != keys.size()) return DEMASK_ERR_SHAPE;
  return demask_hitting_times_next(keys.data(), masks.data(), log_masked.data(), keys.size());
}

// demask_policy_first_hitting.
inline result<demask_policy> policy_first_hitting(std::uint32_t noise) noexcept {
  return detail::filled_by<demask_policy>(demask_policy_first_hitting, noise);
}

// demask_policy_euler.
inline result<demask_policy> policy_euler(std::uint32_t noise, std::uint32_t steps) noexcept {
  return detail::filled_by<demask_policy>(demask_policy_euler, noise, steps);
}

// demask_policy_decoder.
inline result<demask_policy> policy_decoder(std::uint32_t decoder, std::uint32_t steps) noexcept {
  return detail::filled_by<demask_policy>(demask_policy_decoder, decoder, steps);
}

// demask_policy_sampler.
inline result<demask_policy> policy_sampler(std::uint32_t sampler, std::uint32_t noise,
                                            std::uint32_t steps) noexcept {
  return detail::filled_by<demask_policy>(demask_policy_sampler, sampler, noise, steps);
}

// demask_policy_remdm_loop. `times` must outlive the policy.
inline result<demask_policy> policy_remdm_loop(double eta, const time_grid &times) noexcept {
  return detail::filled_by<demask_policy>(demask_policy_remdm_loop, eta,
                                          static_cast<const demask_time_grid *>(times.get()));
}

// A grid that dies at the end of the statement serves nobody.
result<demask_policy> policy_remdm_loop(double eta, time_grid &&times) = delete;

// demask_policy_random_order.
inline result<demask_policy> policy_random_order(std::uint32_t steps) noexcept {
  return detail::filled_by<demask_policy>(demask_policy_random_order, steps);
}

// demask_policy_check.
inline result<> policy_check(const demask_policy &policy) noexcept {
  return demask_policy_check(&policy);
}

// demask_policy_grid_time.
inline result<double> policy_grid_time(const demask_policy &policy, std::uint32_t step) noexcept {
  return detail::written_by<double>(demask_policy_grid_time, &policy, step);
}

// demask_policy_size.
inline result<std::uint32_t> policy_size(const demask_policy &policy, std::uint32_t initial,
                                         std::uint32_t left, std::uint32_t step,
                                         const demask_key &key) noexcept {
  return detail::written_by<std::uint32_t>(demask_policy_size, &policy, initial, left, step, &key);
}

// demask_grid_decaying.
inline result<double> grid_decaying(double start, double end, std::uint32_t steps) noexcept {
  return detail::written_by<double>(demask_grid_decaying, start, end, steps);
}

// A canvas. `kinds` and `states` are for each token, or not there. Its other fields are zero: set
// them as in C.
inline result<demask_canvas> canvas_of(span<std::int32_t> tokens, std::int32_t mask_token,
                                       span<demask_segment> segments,
                                       span<const demask_policy> policies,
                                       span<std::uint8_t> kinds = {},
                                       span<demask_position_state> states = {}) noexcept {
  demask_canvas canvas{};
  if (!kinds.empty() && kinds.size() != tokens.size()) return {DEMASK_ERR_SHAPE, canvas};
  if (!states.empty() && states.size() != tokens.size()) return {DEMASK_ERR_SHAPE, canvas};
  canvas.struct_size = sizeof canvas;
  canvas.mask_token = mask_token;
  canvas.tokens = tokens.data();
  canvas.kinds = detail::or_null(kinds);
  canvas.n_positions = tokens.size();
  canvas.segments = segments.data();
  canvas.n_segments = segments.size();
  canvas.policies = policies.data();
  canvas.n_policies = policies.size();
  canvas.segment_size = sizeof(demask_segment);
  canvas.policy_size = sizeof(demask_policy);
  canvas.states = detail::or_null(states);
  return {DEMASK_OK, canvas};
}

// Rows of logits of any type: a DEMASK_DTYPE_ number, and `size` elements from `data` on. The rest
// as below.
inline result<demask_logits> logits_of(std::uint32_t dtype, const void *data, std::size_t size,
                                       std::size_t n_rows, std::size_t vocab,
                                       std::size_t row_stride = 0) noexcept {
  demask_logits logits{};
  if (row_stride == 0) row_stride = vocab;
  if (n_rows > 0 && (row_stride == 0 || size < vocab || n_rows - 1 > (size - vocab) / row_stride))
    return {DEMASK_ERR_SHAPE, logits};
  logits.struct_size = sizeof logits;
  logits.dtype = dtype;
  logits.data = data;
  logits.n_rows = n_rows;
  logits.vocab = vocab;
  logits.row_stride = row_stride;
  return {DEMASK_OK, logits};
}

// `n_rows` rows of `vocab` logits, `row_stride` elements apart (0: `vocab`). Its other fields are
// zero: set them as in C.
inline result<demask_logits> logits_of(span<const float> data, std::size_t n_rows,
                                       std::size_t vocab, std::size_t row_stride = 0) noexcept {
  return logits_of(DEMASK_DTYPE_F32, data.data(), data.size(), n_rows, vocab, row_stride);
}

// The same rows through an index: row k is row `row_index[k]` of `logits`.
inline demask_logits indexed(demask_logits logits, span<const std::uint32_t> row_index) noexcept {
  logits.data_rows = logits.n_rows;
  logits.n_rows = row_index.size();
  logits.row_index = row_index.data();
  return logits;
}

// demask_plan_buffers with room of its own: made once, used for every step.
class plan_buffers {
 public:
  // Without room.
  plan_buffers() noexcept = default;
  // Room for the plans of canvases with at most so many positions in segments, and segments.
  plan_buffers(std::size_t positions, std::size_t segments)
      : rows_(positions),
        offsets_(segments + 1),
        steps_(segments),
        remasked_(positions),
        log_masked_(segments),
        times_(segments),
        reads_earlier_(segments) {
    plan_.rows = rows_.data();
    plan_.rows_capacity = positions;
    plan_.offsets = offsets_.data();
    plan_.steps = steps_.data();
    plan_.log_masked = log_masked_.data();
    plan_.times = times_.data();
    plan_.segments_capacity = segments;
    plan_.reads_earlier = reads_earlier_.data();
    plan_.remasked = remasked_.data();
    plan_.remasked_capacity = positions;
  }
  // Takes the room and the plan of `other`.
  plan_buffers(plan_buffers &&other) noexcept { swap(other); }
  // As above.
  plan_buffers &operator=(plan_buffers &&other) noexcept {
    plan_buffers(std::move(other)).swap(*this);
    return *this;
  }
  // Exchanges room and plan.
  void swap(plan_buffers &other) noexcept {
    rows_.swap(other.rows_);
    offsets_.swap(other.offsets_);
    steps_.swap(other.steps_);
    remasked_.swap(other.remasked_);
    log_masked_.swap(other.log_masked_);
    times_.swap(other.times_);
    reads_earlier_.swap(other.reads_earlier_);
    std::swap(plan_, other.plan_);
  }
  // The rows of the plan: canvas positions whose logits the step needs.
  span<const std::uint32_t> rows() const noexcept { return {plan_.rows, plan_.n_rows}; }
  // Those of segment `i` alone, below the number of segments.
  span<const std::uint32_t> rows(std::size_t i) const noexcept {
    return {plan_.rows + plan_.offsets[i], plan_.offsets[i + 1] - plan_.offsets[i]};
  }
  // The time at which a time-conditioned network is to be evaluated for each segment.
  span<const double> times() const noexcept { return {plan_.times, plan_.n_segments}; }
  // 0 or 1 for each segment: whether the step reads the earlier logits of its rows.
  span<const std::uint8_t> reads_earlier() const noexcept {
    return {plan_.reads_earlier, plan_.n_segments};
  }
  // Canvas positions that the step makes masks again.
  span<const std::uint32_t> remasked() const noexcept { return {plan_.remasked, plan_.n_remasked}; }
  // In how many segments something may still move; at 0 the batch is done.
  std::size_t n_active() const noexcept { return plan_.n_active; }
  // For how many rows the step reads earlier logits.
  std::size_t n_earlier() const noexcept { return plan_.n_earlier; }
  // The struct of C, which points to the room here.
  demask_plan_buffers *get() noexcept { return &plan_; }
  // As above.
  const demask_plan_buffers *get() const noexcept { return &plan_; }

 private:
  std::vector<std::uint32_t> rows_, offsets_, steps_, remasked_;
  std::vector<double> log_masked_, times_;
  std::vector<std::uint8_t> reads_earlier_;
  demask_plan_buffers plan_ = sized<demask_plan_buffers>();
};

// A demask_context: what draws. Use each from one thread at a time.
class context : public detail::owner<demask_context, demask_destroy> {
 public:
  // Owns nothing, or takes a handle over.
  using owner::owner;
  // demask_create.
  static result<context> create(const demask_options &options) noexcept {
    return detail::made_by<context>(demask_create, &options);
  }
  // demask_context_level.
  result<std::uint32_t> level() noexcept {
    return detail::written_by<std::uint32_t>(demask_context_level, get());
  }
  // demask_randomize.
  result<> randomize(const demask_canvas &canvas, std::uint32_t tokens) noexcept {
    return demask_randomize(get(), &canvas, tokens);
  }
  // demask_plan.
  result<> plan(const demask_canvas &canvas, plan_buffers &plan) noexcept {
    return demask_plan(get(), &canvas, plan.get());
  }
  // demask_step_planned. `tokens` and `row_state` have room for each row of `logits`, or are not
  // there. The counts of the result are those of demask_step_out. A plan without rows takes
  // sized<demask_logits>().
  result<demask_step_out> step_planned(const demask_canvas &canvas, const plan_buffers &plan,
                                       const demask_logits &logits, span<std::int32_t> tokens = {},
                                       span<std::uint8_t> row_state = {}) noexcept {
    demask_step_out out = reporting(tokens, row_state);
    if (!detail::takes(tokens, logits.n_rows) || !detail::takes(row_state, logits.n_rows))
      return {DEMASK_ERR_CAPACITY, out};
    const demask_status status = demask_step_planned(get(), &canvas, plan.get(), &logits, &out);
    return {status, out};
  }
  // demask_step, with a report as that of step_planned.
  result<demask_step_out> step(const demask_canvas &canvas, const demask_logits &logits,
                               span<std::int32_t> tokens = {},
                               span<std::uint8_t> row_state = {}) noexcept {
    demask_step_out out = reporting(tokens, row_state);
    if (!detail::takes(tokens, logits.n_rows) || !detail::takes(row_state, logits.n_rows))
      return {DEMASK_ERR_CAPACITY, out};
    const demask_status status = demask_step(get(), &canvas, &logits, &out);
    return {status, out};
  }
  // demask_step_rows, with room for a record of each row of `logits`. Other threads may draw other
  // ranges of the step meanwhile, each with a context of its own.
  result<> step_rows(const demask_canvas &canvas, const plan_buffers &plan,
                     const demask_logits &logits, std::size_t first,
                     span<demask_row_record> records) noexcept {
    if (records.size() < logits.n_rows) return DEMASK_ERR_CAPACITY;
    return demask_step_rows(get(), &canvas, plan.get(), &logits, first, records.data());
  }
  // demask_advance, with a record of each row of the plan. `tokens` and `row_state` have room for
  // each record, or are not there; the report is as that of step_planned.
  result<demask_step_out> advance(const demask_canvas &canvas, const plan_buffers &plan,
                                  std::size_t vocab, span<const demask_row_record> records,
                                  span<std::int32_t> tokens = {},
                                  span<std::uint8_t> row_state = {}) noexcept {
    demask_step_out out = reporting(tokens, row_state);
    if (!detail::takes(tokens, records.size()) || !detail::takes(row_state, records.size()))
      return {DEMASK_ERR_CAPACITY, out};
    const demask_status status = demask_advance(get(), &canvas, plan.get(), vocab, records.data(),
                                                records.size(), &out);
    return {status, out};
  }
  // demask_draw: `n_draws` tokens for each key. `row_state` has room for each key, or is not there.
  result<> draw(const demask_logits &logits, const demask_draw_rule &rule,
                const demask_constraints *constraints, span<const demask_key> keys,
                std::size_t n_draws, span<std::int32_t> tokens,
                span<std::uint8_t> row_state = {}) noexcept {
    if (n_draws != 0 && tokens.size() / n_draws < keys.size()) return DEMASK_ERR_CAPACITY;
    if (!detail::takes(row_state, keys.size())) return DEMASK_ERR_CAPACITY;
    return demask_draw(get(), &logits, &rule, constraints, keys.data(), keys.size(), n_draws,
                       tokens.data(), detail::or_null(row_state));
  }
  // demask_draw_statistics: a token for each key. `row_state` is as in draw.
  result<> draw_statistics(const demask_logits &logits, const demask_draw_rule &rule,
                           const demask_constraints *constraints, span<const demask_key> keys,
                           const demask_statistics &statistics, span<std::int32_t> tokens,
                           span<std::uint8_t> row_state = {}) noexcept {
    if (tokens.size() < keys.size()) return DEMASK_ERR_CAPACITY;
    if (!detail::takes(row_state, keys.size())) return DEMASK_ERR_CAPACITY;
    return demask_draw_statistics(get(), &logits, &rule, constraints, keys.data(), keys.size(),
                                  &statistics, tokens.data(), detail::or_null(row_state));
  }
  // demask_race_shard, with room for a result of each key.
  result<> race_shard(const demask_logits &logits, std::size_t offset, const demask_draw_rule &rule,
                      const demask_constraints *constraints, span<const demask_key> keys,
                      span<demask_race_result> results) noexcept {
    if (results.size() < keys.size()) return DEMASK_ERR_CAPACITY;
    return demask_race_shard(get(), &logits, offset, &rule, constraints, keys.data(), keys.size(),
                             results.data());
  }
  // demask_shard_tokens, with a block and room for a token of each key.
  result<> shard_tokens(const demask_logits &logits, std::size_t offset, std::size_t vocab,
                        float temperature, const demask_constraints *constraints,
                        span<const demask_key> keys, span<const std::uint32_t> blocks,
                        span<demask_shard_token> tokens) noexcept {
    if (blocks.size() != keys.size()) return DEMASK_ERR_SHAPE;
    if (tokens.size() < keys.size()) return DEMASK_ERR_CAPACITY;
    return demask_shard_tokens(get(), &logits, offset, vocab, temperature, constraints, keys.data(),
                               keys.size(), blocks.data(), tokens.data());
  }
  // demask_hitting_times_all, for as many masks as `events` has elements.
  result<> hitting_times_all(const demask_key &key, double log_masked,
                             span<double> events) noexcept {
    return demask_hitting_times_all(get(), &key, log_masked, events.data(), events.size());
  }
  // demask_hitting_times_of_positions, with room for an event of each position.
  result<> hitting_times_of_positions(const demask_key &key, double log_masked,
                                      span<const std::uint32_t> positions,
                                      span<double> events) noexcept {
    if (events.size() < positions.size()) return DEMASK_ERR_CAPACITY;
    return demask_hitting_times_of_positions(get(), &key, log_masked, positions.data(),
                                             events.data(), positions.size());
  }

 private:
  // A report that goes to the caller's arrays.
  static demask_step_out reporting(span<std::int32_t> tokens,
                                   span<std::uint8_t> row_state) noexcept {
    demask_step_out out = sized<demask_step_out>();
    out.tokens = detail::or_null(tokens);
    out.row_state = detail::or_null(row_state);
    return out;
  }
};

// demask_race_merge, with as many results of other shards as `results` has.
inline result<> race_merge(span<demask_race_result> results,
                           span<const demask_race_result> others) noexcept {
  if (others.size() != results.size()) return DEMASK_ERR_SHAPE;
  return demask_race_merge(results.data(), others.data(), results.size());
}

// The demask_shard_records of one shard, its own or another's that were sent.
class shard_records : public detail::owner<demask_shard_records, demask_shard_records_destroy> {
 public:
  // Owns nothing, or takes a handle over.
  using owner::owner;
  // demask_shard_records_create.
  static result<shard_records> create(std::size_t n_rows, std::size_t width) noexcept {
    return detail::made_by<shard_records>(demask_shard_records_create, n_rows, width);
  }
  // demask_shard_records_fill. `given` has a token for each row of `logits`, or is not there.
  result<> fill(context &by, const demask_logits &logits, std::size_t offset, std::size_t vocab,
                float temperature, const demask_constraints *constraints,
                span<const std::int32_t> given = {}) noexcept {
    if (!given.empty() && given.size() != logits.n_rows) return DEMASK_ERR_SHAPE;
    return demask_shard_records_fill(by.get(), &logits, offset, vocab, temperature, constraints,
                                     detail::or_null(given), get());
  }
  // demask_shard_records_bytes. They belong to the records, and stand there until these are filled,
  // read or freed.
  result<span<const std::uint8_t>> bytes() const noexcept {
    const std::uint8_t *bytes = nullptr;
    std::size_t n_bytes = 0;
    const demask_status status = demask_shard_records_bytes(get(), &bytes, &n_bytes);
    return {status, {bytes, n_bytes}};
  }
  // demask_shard_records_rows.
  result<std::size_t> rows() const noexcept {
    return detail::written_by<std::size_t>(demask_shard_records_rows, get());
  }
  // demask_shard_records_read.
  result<> read(span<const std::uint8_t> bytes) noexcept {
    return demask_shard_records_read(get(), bytes.data(), bytes.size());
  }
};

// A demask_shard_merge: what merges the records of all shards. Use each from one thread at a time.
class shard_merge : public detail::owner<demask_shard_merge, demask_shard_merge_destroy> {
 public:
  // Owns nothing, or takes a handle over.
  using owner::owner;
  // demask_shard_merge_create.
  static result<shard_merge> create(std::uint32_t level, std::size_t n_rows,
                                    std::size_t vocab) noexcept {
    return detail::made_by<shard_merge>(demask_shard_merge_create, level, n_rows, vocab);
  }
  // demask_shard_merge_records, of get() of each shard's records. `keys` has a key for each row, or
  // is not there; `statistics` has room for each row, `blocks` for each key, or they are not there.
  result<> records(span<const demask_shard_records *const> shards, span<const demask_key> keys,
                   std::size_t n_rows, span<demask_row_statistics> statistics = {},
                   span<std::uint32_t> blocks = {}) noexcept {
    if (!detail::takes(statistics, n_rows) || !detail::takes(blocks, keys.size()))
      return DEMASK_ERR_CAPACITY;
    return demask_shard_merge_records(get(), shards.data(), shards.size(), keys.data(), keys.size(),
                                      n_rows, detail::or_null(statistics), detail::or_null(blocks));
  }
  // demask_shard_merge_finish, with `n_rows` tokens of each shard, shard after shard. `tokens` has
  // room for each row; `row_state` and `statistics` have it too, or are not there.
  result<> finish(span<const demask_shard_token> shard_tokens, std::size_t n_rows,
                  span<std::int32_t> tokens, span<std::uint8_t> row_state = {},
                  span<demask_row_statistics> statistics = {}) noexcept {
    const std::size_t n_shards = n_rows == 0 ? 0 : shard_tokens.size() / n_rows;
    if (n_shards * n_rows != shard_tokens.size()) return DEMASK_ERR_SHAPE;
    if (tokens.size() < n_rows || !detail::takes(row_state, n_rows) ||
        !detail::takes(statistics, n_rows))
      return DEMASK_ERR_CAPACITY;
    return demask_shard_merge_finish(get(), shard_tokens.data(), n_shards, n_rows, tokens.data(),
                                     detail::or_null(row_state), detail::or_null(statistics));
  }
};

}  // namespace demask

#endif
