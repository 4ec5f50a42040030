/* Unmasking sizes and information profiles from C: every rule's lists, and numbers bit by bit, which are
 * printed and compared with Rust's; what the other functions give; and every mistake by its number. */
#include "check.h"
#include <demask.h>
#include <math.h>
#include <string.h>

enum { MASKS = 40, STEPS = 7, STREAMS = 5, NUMBERS = 19 };

static const double TC_32_4 = 0.468105967691, SYS_TC_8_3 = 0.342894393742;

static int near(double a, double b) { return fabs(a - b) <= 1e-11 * fabs(b); }

/* Prints the lists of a rule for several keys, and checks that they sum up. */
static void print_lists(const char *name, uint32_t rule, const demask_sizes *table, uint32_t masks,
                        uint32_t steps) {
  uint32_t sizes[MASKS];
  for (uint64_t stream = 0; stream < STREAMS; ++stream) {
    demask_key key = {.seed = 7, .stream = stream, .step = 3, .position = 9};
    CHECK(demask_sizes_draw(rule, table, masks, &key, sizes, steps) == DEMASK_OK);
    uint32_t sum = 0;
    printf("%s", name);
    for (uint32_t k = 0; k < steps; ++k) {
      printf(" %u", (unsigned)sizes[k]);
      sum += sizes[k];
    }
    printf("\n");
    CHECK(sum == masks);
  }
}

/* The profile of a Reed-Solomon code of dimension 13, and a smooth one. */
static void profiles(double *code, double *smooth) {
  for (int m = 0; m < MASKS; ++m) {
    code[m] = m < 13 ? 2.0 : 0.0;
    smooth[m] = 1.0 / (1.0 + 0.25 * m);
  }
}

/* Probabilities that a step ends after so many positions, which sum to STEPS - 1. */
static void given_gaps(double *gaps) {
  for (int m = 0; m < MASKS - 1; ++m) gaps[m] = m == 20 ? 1.0 : m % 3 == 0 ? 0.375 : 0.0;
  gaps[38] = 0.125;
}

static void lists(void) {
  static const uint32_t numbers[NUMBERS] = {DEMASK_SIZES_EVEN,
                                            DEMASK_SIZES_LINEAR,
                                            DEMASK_SIZES_COSINE,
                                            DEMASK_SIZES_SQUARE,
                                            DEMASK_SIZES_CUBIC,
                                            DEMASK_SIZES_SQUARE_ROOT,
                                            DEMASK_SIZES_EXPONENTIAL,
                                            DEMASK_SIZES_LOGARITHMIC,
                                            DEMASK_SIZES_LINEAR + DEMASK_SIZES_ROUND_UP,
                                            DEMASK_SIZES_COSINE + DEMASK_SIZES_ROUND_UP,
                                            DEMASK_SIZES_SQUARE + DEMASK_SIZES_ROUND_UP,
                                            DEMASK_SIZES_CUBIC + DEMASK_SIZES_ROUND_UP,
                                            DEMASK_SIZES_SQUARE_ROOT + DEMASK_SIZES_ROUND_UP,
                                            DEMASK_SIZES_EXPONENTIAL + DEMASK_SIZES_ROUND_UP,
                                            DEMASK_SIZES_LOGARITHMIC + DEMASK_SIZES_ROUND_UP,
                                            DEMASK_SIZES_EVEN_REVERSED,
                                            DEMASK_SIZES_EXPECTED,
                                            DEMASK_SIZES_BINOMIAL,
                                            DEMASK_SIZES_KAPPA};
  char name[16];
  for (int i = 0; i < NUMBERS; ++i) {
    snprintf(name, sizeof name, "rule-%u", (unsigned)numbers[i]);
    print_lists(name, numbers[i], NULL, MASKS, STEPS);
  }
  static const uint32_t given[STEPS] = {1, 9, 2, 8, 3, 7, 10};
  double code[MASKS], smooth[MASKS], weights[MASKS - 1], constants[(STEPS - 1) * MASKS];
  profiles(code, smooth);
  for (int m = 1; m < MASKS; ++m) weights[m - 1] = 0.5 + m % 3;
  for (int k = 0; k < STEPS - 1; ++k)
    for (int r = 0; r < MASKS; ++r) constants[k * MASKS + r] = 2.0 / (2.0 + k);
  demask_sizes *table = NULL, *reversed = NULL;
  uint32_t masks = 0, steps = 0;

  CHECK(demask_sizes_create_list(given, STEPS, &table) == DEMASK_OK);
  CHECK(demask_sizes_create_reversed(table, &reversed) == DEMASK_OK);
  print_lists("list", DEMASK_SIZES_TABLE, table, MASKS, STEPS);
  demask_sizes_destroy(table);
  print_lists("list-reversed", DEMASK_SIZES_TABLE, reversed, MASKS, STEPS);
  demask_sizes_destroy(reversed);

  for (uint32_t weight = DEMASK_WEIGHT_TC; weight <= DEMASK_WEIGHT_DTC; ++weight) {
    CHECK(demask_sizes_create_geometric(MASKS, 3, weight, &table) == DEMASK_OK);
    CHECK(demask_sizes_shape(table, &masks, &steps) == DEMASK_OK);
    CHECK(masks == MASKS && steps > 3 && steps < MASKS);
    snprintf(name, sizeof name, "geometric-%u", (unsigned)weight);
    print_lists(name, DEMASK_SIZES_TABLE, table, masks, steps);
    demask_sizes_destroy(table);
  }

  CHECK(demask_sizes_create_markov(MASKS + 5, STEPS + 2, &table) == DEMASK_OK);
  CHECK(demask_sizes_create_reversed(table, &reversed) == DEMASK_OK);
  CHECK(demask_sizes_shape(table, &masks, &steps) == DEMASK_OK);
  CHECK(masks == MASKS + 5 && steps == STEPS + 2);
  print_lists("markov", DEMASK_SIZES_TABLE, table, MASKS, STEPS);
  demask_sizes_destroy(table); /* The reversed one shares its table. */
  print_lists("markov-reversed", DEMASK_SIZES_TABLE, reversed, MASKS, STEPS);
  CHECK(demask_sizes_create_reversed(reversed, &table) == DEMASK_OK);
  demask_sizes_destroy(reversed);
  print_lists("markov-again", DEMASK_SIZES_TABLE, table, MASKS, STEPS);
  demask_sizes_destroy(table);

  CHECK(demask_sizes_create_markov_constants(MASKS, STEPS, constants, (STEPS - 1) * MASKS,
                                             &table) == DEMASK_OK);
  print_lists("constants", DEMASK_SIZES_TABLE, table, MASKS, STEPS);
  demask_sizes_destroy(table);

  for (uint32_t weight = DEMASK_WEIGHT_TC; weight <= DEMASK_WEIGHT_ETC; ++weight) {
    CHECK(demask_sizes_create_systematic(MASKS, STEPS, weight, &table) == DEMASK_OK);
    snprintf(name, sizeof name, "systematic-%u", (unsigned)weight);
    print_lists(name, DEMASK_SIZES_TABLE, table, MASKS, STEPS);
    demask_sizes_destroy(table);
  }
  CHECK(demask_sizes_create_systematic_weights(weights, MASKS - 1, STEPS, &table) == DEMASK_OK);
  CHECK(demask_sizes_shape(table, &masks, &steps) == DEMASK_OK && masks == MASKS);
  print_lists("weights", DEMASK_SIZES_TABLE, table, MASKS, STEPS);
  demask_sizes_destroy(table);

  CHECK(demask_sizes_create_from_profile(smooth, MASKS, STEPS, DEMASK_PROFILE_SQUARE_ROOT,
                                         &table) == DEMASK_OK);
  print_lists("square-root", DEMASK_SIZES_TABLE, table, MASKS, STEPS);
  demask_sizes_destroy(table);
  CHECK(demask_sizes_create_from_profile(smooth, MASKS, STEPS, DEMASK_PROFILE_OPTIMAL, &table) ==
        DEMASK_OK);
  print_lists("optimal", DEMASK_SIZES_TABLE, table, MASKS, STEPS);
  demask_sizes_destroy(table);

  for (uint32_t weight = DEMASK_WEIGHT_TC; weight <= DEMASK_WEIGHT_DTC; ++weight) {
    CHECK(demask_sizes_create_geometric_for_accuracy(MASKS, 2.0, 0.75, weight, &table) ==
          DEMASK_OK);
    CHECK(demask_sizes_shape(table, &masks, &steps) == DEMASK_OK && masks == MASKS);
    snprintf(name, sizeof name, "accuracy-%u", (unsigned)weight);
    print_lists(name, DEMASK_SIZES_TABLE, table, masks, steps);
    demask_sizes_destroy(table);
    CHECK(demask_sizes_create_geometric_in_steps(MASKS, 12, weight, &table) == DEMASK_OK);
    CHECK(demask_sizes_shape(table, &masks, &steps) == DEMASK_OK && masks == MASKS && steps <= 12);
    snprintf(name, sizeof name, "in-steps-%u", (unsigned)weight);
    print_lists(name, DEMASK_SIZES_TABLE, table, masks, steps);
    demask_sizes_destroy(table);
  }
  CHECK(demask_sizes_create_reveal_odds(MASKS, 12, &table) == DEMASK_OK);
  CHECK(demask_sizes_shape(table, &masks, &steps) == DEMASK_OK && masks == MASKS && steps <= 14);
  print_lists("odds", DEMASK_SIZES_TABLE, table, masks, steps);
  demask_sizes_destroy(table);
  CHECK(demask_sizes_create_markov_closed_form(MASKS, STEPS, &table) == DEMASK_OK);
  print_lists("closed-form", DEMASK_SIZES_TABLE, table, MASKS, STEPS);
  demask_sizes_destroy(table);
  for (int k = 2; k <= STEPS; ++k)
    for (int u = 0; u < MASKS; ++u)
      constants[(k - 2) * MASKS + u] = u < k - 1 ? NAN : u % 5 == 4 && u >= k ? -INFINITY : 0.125 * u;
  CHECK(demask_sizes_create_markov_log_weights(MASKS, STEPS, constants, (STEPS - 1) * MASKS,
                                               &table) == DEMASK_OK);
  print_lists("log-weights", DEMASK_SIZES_TABLE, table, MASKS, STEPS);
  demask_sizes_destroy(table);
  double gaps[MASKS - 1];
  given_gaps(gaps);
  CHECK(demask_sizes_create_systematic_gaps(gaps, MASKS - 1, &table) == DEMASK_OK);
  CHECK(demask_sizes_shape(table, &masks, &steps) == DEMASK_OK && masks == MASKS && steps == STEPS);
  print_lists("gaps", DEMASK_SIZES_TABLE, table, MASKS, STEPS);
  demask_sizes_destroy(table);
  demask_sizes_destroy(NULL);
}

/* How good they are: known constants, and the profile of one drop, which reads off E R(13). */
static void divergences(void) {
  double code[MASKS], smooth[MASKS], over[MASKS], constant = 0.0, kl = 0.0, worst = 0.0;
  demask_sizes *table = NULL;
  profiles(code, smooth);
  CHECK(demask_sizes_create_markov(32, 4, &table) == DEMASK_OK);
  CHECK(demask_sizes_constant(DEMASK_SIZES_TABLE, table, 32, 4, DEMASK_WEIGHT_TC, &constant) ==
        DEMASK_OK);
  CHECK(near(constant, TC_32_4));
  demask_sizes_destroy(table);
  CHECK(demask_sizes_create_systematic(8, 3, DEMASK_WEIGHT_TC, &table) == DEMASK_OK);
  CHECK(demask_sizes_constant(DEMASK_SIZES_TABLE, table, 8, 3, DEMASK_WEIGHT_TC, &constant) ==
        DEMASK_OK);
  CHECK(near(constant, SYS_TC_8_3));
  demask_sizes_destroy(table);

  CHECK(demask_sizes_overshoot(DEMASK_SIZES_EVEN, NULL, STEPS, over, MASKS) == DEMASK_OK);
  for (int m = 1; m < MASKS; ++m) worst = fmax(worst, over[m] / m);
  CHECK(demask_sizes_constant(DEMASK_SIZES_EVEN, NULL, MASKS, STEPS, DEMASK_WEIGHT_DTC,
                              &constant) == DEMASK_OK);
  CHECK(constant == worst && over[0] == 0.0 && over[6] == 0.0 && over[1] == 5.0);
  CHECK(demask_sizes_expected_kl(DEMASK_SIZES_EVEN, NULL, code, MASKS, STEPS, &kl) == DEMASK_OK);
  CHECK(near(kl, 2.0 * over[13]));
}

/* Prints the bits of numbers. */
static void print_bits(const char *name, const double *numbers, int n) {
  printf("%s", name);
  for (int i = 0; i < n; ++i) {
    uint64_t bits;
    memcpy(&bits, &numbers[i], sizeof bits);
    printf(" %08x%08x", (unsigned)(bits >> 32), (unsigned)bits);
  }
  printf("\n");
}

/* What tables know of themselves. */
static void constants_and_gaps(void) {
  double constant = 0.0, again = 0.0, gaps[MASKS - 1], over[MASKS], weights[MASKS - 1];
  demask_sizes *table = NULL, *reversed = NULL;
  CHECK(demask_sizes_create_markov(MASKS, STEPS, &table) == DEMASK_OK);
  CHECK(demask_sizes_proved_constant(table, &constant) == DEMASK_OK);
  CHECK(demask_sizes_markov_constant(MASKS, STEPS, &again) == DEMASK_OK && again == constant);
  print_bits("markov-constant", &constant, 1);
  CHECK(demask_sizes_create_reversed(table, &reversed) == DEMASK_OK);
  CHECK(demask_sizes_proved_constant(reversed, &again) == DEMASK_OK && isnan(again));
  demask_sizes_destroy(reversed);
  demask_sizes_destroy(table);
  CHECK(demask_sizes_create_markov_closed_form(MASKS, STEPS, &table) == DEMASK_OK);
  CHECK(demask_sizes_proved_constant(table, &again) == DEMASK_OK && again > constant);
  print_bits("closed-form-constant", &again, 1);
  demask_sizes_destroy(table);
  CHECK(demask_sizes_markov_constant(32, 4, &again) == DEMASK_OK && near(again, TC_32_4));
  CHECK(demask_sizes_markov_constant(4, 4, &again) == DEMASK_OK && again == 0.0);

  CHECK(demask_sizes_create_systematic(MASKS, STEPS, DEMASK_WEIGHT_ETC, &table) == DEMASK_OK);
  CHECK(demask_sizes_gaps(table, gaps, MASKS - 1) == DEMASK_OK);
  print_bits("systematic-gaps", gaps, MASKS - 1);
  CHECK(demask_sizes_proved_constant(table, &constant) == DEMASK_OK);
  print_bits("systematic-constant", &constant, 1);
  CHECK(demask_sizes_constant(DEMASK_SIZES_TABLE, table, MASKS, STEPS, DEMASK_WEIGHT_ETC, &again) ==
        DEMASK_OK && near(again, constant));
  for (int m = 1; m < MASKS; ++m) weights[m - 1] = m * (MASKS - (double)m) / MASKS;
  CHECK(demask_sizes_constant_weights(DEMASK_SIZES_TABLE, table, weights, MASKS - 1, STEPS,
                                      &constant) == DEMASK_OK && constant == again);
  /* Its gaps make it again: the same sizes and, to the fixed point, the same gaps. */
  demask_sizes *made = NULL;
  double same[MASKS - 1];
  CHECK(demask_sizes_create_systematic_gaps(gaps, MASKS - 1, &made) == DEMASK_OK);
  CHECK(demask_sizes_gaps(made, same, MASKS - 1) == DEMASK_OK);
  CHECK(memcmp(gaps, same, sizeof gaps) == 0);
  CHECK(demask_sizes_proved_constant(made, &again) == DEMASK_OK && isnan(again));
  demask_sizes_destroy(made);
  demask_sizes_destroy(table);
  given_gaps(gaps);
  CHECK(demask_sizes_create_systematic_gaps(gaps, MASKS - 1, &table) == DEMASK_OK);
  CHECK(demask_sizes_gaps(table, same, MASKS - 1) == DEMASK_OK);
  CHECK(memcmp(gaps, same, sizeof gaps) == 0);
  demask_sizes_destroy(table);
  for (int m = 1; m < MASKS; ++m) weights[m - 1] = 0.5 + m % 3;
  CHECK(demask_sizes_constant_weights(DEMASK_SIZES_COSINE, NULL, weights, MASKS - 1, STEPS,
                                      &constant) == DEMASK_OK);
  print_bits("cosine-constant", &constant, 1);

  /* One step is E R(m) = n - m; a position revealed at 1/4 with probability 1/4 changes that. */
  static const double times[3] = {0.25, 0.5, 1.0};
  CHECK(demask_sizes_overshoot_bernoulli(times + 2, 1, over, MASKS) == DEMASK_OK);
  for (int m = 1; m < MASKS; ++m) CHECK(over[m] == MASKS - m);
  CHECK(over[0] == 0.0);
  CHECK(demask_sizes_overshoot_bernoulli(times + 1, 2, over, 2) == DEMASK_OK);
  CHECK(near(over[1], 0.5)); /* both in one step: of 1/2 + 1/2 squared; then one is over */
  CHECK(demask_sizes_overshoot_bernoulli(times, 3, over, MASKS) == DEMASK_OK);
  print_bits("bernoulli", over, MASKS);
}

/* Sizes of policies, step by step, which have parameters, noise and times. */
static void sizes_of_policies(void) {
  static const struct {
    uint32_t sizes, least, most;
    double parameter;
  } cases[] = {{DEMASK_SIZES_FIXED, 0, 0, 6.0},  {DEMASK_SIZES_TIME_RATIO, 0, 0, 0.001},
               {DEMASK_SIZES_KAPPA, 0, 0, 0.0},  {DEMASK_SIZES_BINOMIAL, 0, 0, 0.0},
               {DEMASK_SIZES_COSINE, 4, 7, 0.0}, {DEMASK_SIZES_EXPECTED, 1, 0, 0.0}};
  demask_key key = {.seed = 7, .stream = 4, .step = 3, .position = 9};
  demask_policy policy;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    CHECK(demask_policy_random_order(STEPS, &policy, sizeof policy) == DEMASK_OK);
    policy.noise = DEMASK_NOISE_COSINE;
    policy.end = 0.125;
    policy.sizes = cases[i].sizes;
    policy.sizes_parameter = cases[i].parameter;
    policy.sizes_least = cases[i].least;
    policy.sizes_most = cases[i].most;
    printf("policy-%u", (unsigned)cases[i].sizes);
    uint32_t left = MASKS, size = 77;
    for (uint32_t step = 0; step < STEPS; ++step) {
      CHECK(demask_policy_size(&policy, MASKS, left, step, &key, &size) == DEMASK_OK);
      printf(" %u", (unsigned)size);
      CHECK(size <= left);
      left -= size;
    }
    printf("\n");
    CHECK(left == 0 || cases[i].most > 0);
    CHECK(demask_policy_size(&policy, MASKS, left, STEPS, &key, &size) == DEMASK_OK && size == 0);
  }
  CHECK(demask_policy_random_order(STEPS, &policy, sizeof policy) == DEMASK_OK);
  uint32_t list[STEPS], left = MASKS, size = 77;
  CHECK(demask_sizes_draw(DEMASK_SIZES_EVEN, NULL, MASKS, &key, list, STEPS) == DEMASK_OK);
  for (uint32_t step = 0; step < STEPS; ++step, left -= size) {
    CHECK(demask_policy_size(&policy, MASKS, left, step, &key, &size) == DEMASK_OK);
    CHECK(size == list[step]);
  }
  /* Without a number of steps. */
  CHECK(demask_policy_decoder(DEMASK_DECODER_LLADA, 0, &policy, sizeof policy) == DEMASK_OK);
  CHECK(demask_policy_size(&policy, 9, 5, 1000, &key, &size) == DEMASK_OK && size == 1);
  policy.sizes = DEMASK_SIZES_FIXED;
  policy.sizes_parameter = 3.0;
  CHECK(demask_policy_size(&policy, 9, 5, 1000, &key, &size) == DEMASK_OK && size == 3);
  CHECK(demask_policy_size(&policy, 9, 2, 1000, &key, &size) == DEMASK_OK && size == 2);
  CHECK(demask_policy_size(&policy, 9, 0, 1000, &key, &size) == DEMASK_OK && size == 0);
}

/* Profiles: of values with errors, and of observations. */
static void measured_profiles(void) {
  double noisy[MASKS], weights[MASKS], profile[MASKS], complexity[3];
  for (int m = 0; m < MASKS; ++m) {
    noisy[m] = 0.015625 * (MASKS - m) + (m * 7 % 11 - 5) * 0.03125; /* exact, in any float mode */
    weights[m] = 1.0 + m % 4;
  }
  CHECK(demask_profile_isotonic(noisy, weights, MASKS, profile) == DEMASK_OK);
  double before = 0.0, after = 0.0;
  for (int m = 0; m < MASKS; ++m) {
    CHECK(m == 0 || profile[m] <= profile[m - 1]);
    CHECK(profile[m] >= 0.0);
    before += weights[m] * noisy[m];
    after += weights[m] * profile[m];
  }
  CHECK(after >= before - 1e-12); /* pools keep their sums; what was negative became 0 */
  print_bits("isotonic", profile, MASKS);
  for (uint32_t weight = DEMASK_WEIGHT_TC; weight <= DEMASK_WEIGHT_ETC; ++weight)
    CHECK(demask_profile_complexity(profile, MASKS, weight, &complexity[weight]) == DEMASK_OK);
  print_bits("complexity", complexity, 3);
  double total = MASKS * profile[0], whole = 0.0;
  for (int m = 0; m < MASKS; ++m) whole += profile[m];
  CHECK(near(complexity[DEMASK_WEIGHT_TC], total - whole)); /* the entropies alone less that of all */
  CHECK(near(complexity[DEMASK_WEIGHT_DTC], whole - MASKS * profile[MASKS - 1]));

  /* The example of the crate's documentation, with its exact numbers. */
  static const double first[4] = {-0.75, -0.5, -0.75, -0.5}, second[2] = {-0.875, -0.875};
  static const double third[2] = {-0.25, -0.125};
  demask_profile_estimator *estimator = NULL;
  uint64_t observations = 77;
  double mean = 77.0, error = 77.0, small[4];
  CHECK(demask_profile_estimator_create(4, &estimator) == DEMASK_OK);
  CHECK(demask_profile_estimator_mean(estimator, 0, &observations, &mean, &error) == DEMASK_OK);
  CHECK(observations == 0 && isnan(mean) && isnan(error));
  CHECK(demask_profile_estimator_observe(estimator, 0, first, 4) == DEMASK_OK);
  CHECK(demask_profile_estimator_mean(estimator, 0, &observations, &mean, &error) == DEMASK_OK);
  CHECK(observations == 1 && mean == 0.625 && isnan(error));
  CHECK(demask_profile_estimator_observe(estimator, 0, second, 2) == DEMASK_OK);
  CHECK(demask_profile_estimator_observe(estimator, 2, third, 2) == DEMASK_OK);
  CHECK(demask_profile_estimator_mean(estimator, 0, &observations, &mean, &error) == DEMASK_OK);
  CHECK(observations == 2 && mean == 0.75 && error == 0.125);
  CHECK(demask_profile_estimator_profile(estimator, small, 4) == DEMASK_OK);
  CHECK(small[0] == 0.75 && small[1] == 0.46875 && small[2] == 0.1875 && small[3] == 0.1875);
  demask_profile_estimator_destroy(estimator);

  /* Many calls with every third number revealed. */
  CHECK(demask_profile_estimator_create(MASKS, &estimator) == DEMASK_OK);
  for (int call = 0; call < 100; ++call) {
    double log_probabilities[4];
    uint32_t revealed = (uint32_t)(call * 3 % (MASKS - 1));
    for (int i = 0; i < 4; ++i)
      log_probabilities[i] = -0.03125 * ((call * 5 + i * 11) % 17) - 0.0625 * (MASKS - revealed);
    CHECK(demask_profile_estimator_observe(estimator, revealed, log_probabilities,
                                           (size_t)(1 + call % 4)) == DEMASK_OK);
  }
  CHECK(demask_profile_estimator_profile(estimator, profile, MASKS) == DEMASK_OK);
  print_bits("measured", profile, MASKS);
  double moments[2];
  CHECK(demask_profile_estimator_mean(estimator, 3, &observations, &moments[0], &moments[1]) ==
        DEMASK_OK && observations == 8);
  print_bits("moments", moments, 2);
  demask_sizes *table = NULL;
  CHECK(demask_sizes_create_from_profile(profile, MASKS, STEPS, DEMASK_PROFILE_OPTIMAL, &table) ==
        DEMASK_OK);
  demask_sizes_destroy(table);
  demask_profile_estimator_destroy(estimator);
  demask_profile_estimator_destroy(NULL);
}

/* A case calls with one thing wrong: the status is `expected`, and no output is written. */
#define REFUSED(call, expected)                                                                    \
  do {                                                                                             \
    CHECK((call) == (expected));                                                                   \
    CHECK(made == untouched && number == 77.0 && count == 77 && sizes[0] == 77);                   \
  } while (0)

#define ODD(type, pointer) ((type *)(void *)((char *)(pointer) + 1))

static void mistakes(void) {
  char nowhere;
  demask_sizes *const untouched = (demask_sizes *)(void *)&nowhere;
  demask_sizes *made = untouched, *systematic = NULL, *four = NULL;
  double number = 77.0, code[MASKS], smooth[MASKS];
  uint32_t count = 77, other = 77, sizes[4] = {77, 77, 77, 77};
  const uint32_t good[4] = {4, 3, 2, 1}, empty_step[2] = {3, 0};
  const uint32_t overflow[2] = {UINT32_MAX, 1};
  demask_key key = {0};
  profiles(code, smooth);
  CHECK(demask_sizes_create_systematic(10, 4, DEMASK_WEIGHT_TC, &systematic) == DEMASK_OK);
  CHECK(demask_sizes_create_list(good, 4, &four) == DEMASK_OK);

  REFUSED(demask_sizes_create_list(NULL, 4, &made), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_create_list(good, 4, NULL), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_create_list(ODD(const uint32_t, good), 3, &made), DEMASK_ERR_ALIGN);
  REFUSED(demask_sizes_create_list(good, 4, ODD(demask_sizes *, &made)), DEMASK_ERR_ALIGN);
  REFUSED(demask_sizes_create_list(NULL, 0, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_list(empty_step, 2, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_list(overflow, 2, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_list(good, SIZE_MAX, &made), DEMASK_ERR_RESOURCES);

  REFUSED(demask_sizes_create_geometric(9, 1, DEMASK_WEIGHT_TC, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_geometric(0, 2, DEMASK_WEIGHT_TC, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_geometric(9, 2, DEMASK_WEIGHT_ETC, &made), DEMASK_ERR_ARGUMENT);

  REFUSED(demask_sizes_create_markov(0, 3, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_markov(9, 0, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_markov(1u << 16, 1u << 13, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_markov(9, 3, NULL), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_create_markov_constants(9, 3, smooth, 17, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_markov_constants(9, 3, NULL, 18, &made), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_create_markov_constants(14, 3, code, 28, &made), DEMASK_ERR_ARGUMENT);

  REFUSED(demask_sizes_create_systematic(9, 0, DEMASK_WEIGHT_TC, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_systematic(9, 3, 3, &made), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_create_systematic(1u << 17, (1u << 16) + 1, 0, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_systematic_weights(NULL, 8, 3, &made), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_create_systematic_weights(code, SIZE_MAX, 3, &made), DEMASK_ERR_RESOURCES);
  REFUSED(demask_sizes_create_systematic_weights(code, MASKS - 1, 3, &made), DEMASK_ERR_ARGUMENT);

  REFUSED(demask_sizes_create_from_profile(NULL, 8, 3, 0, &made), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_create_from_profile(code, SIZE_MAX, 9, 1, &made), DEMASK_ERR_RESOURCES);
  REFUSED(demask_sizes_create_from_profile(code, 8, 9, 0, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_from_profile(code, 8, 0, 1, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_from_profile(code, 8, 3, 2, &made), DEMASK_ERR_ARGUMENT);
  smooth[3] = NAN;
  REFUSED(demask_sizes_create_from_profile(smooth, 8, 3, 1, &made), DEMASK_ERR_ARGUMENT);

  REFUSED(demask_sizes_create_reversed(NULL, &made), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_create_reversed(systematic, &made), DEMASK_ERR_ARGUMENT);

  REFUSED(demask_sizes_create_geometric_for_accuracy(9, -1.0, 1.0, 0, &made), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_create_geometric_for_accuracy(9, NAN, 1.0, 0, &made), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_create_geometric_for_accuracy(9, 1.0, 0.0, 0, &made), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_create_geometric_for_accuracy(0, 1.0, 1.0, 0, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_geometric_for_accuracy(9, 1.0, 1.0, 2, &made), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_create_geometric_for_accuracy(9, 1.0, 1.0, 0, NULL), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_create_geometric_in_steps(9, 3, 0, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_geometric_in_steps(0, 3, 0, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_geometric_in_steps(9, 9, 2, &made), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_create_geometric_in_steps(9, 9, 0, NULL), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_create_reveal_odds(3, 9, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_reveal_odds(9, 3, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_reveal_odds(9, 4, ODD(demask_sizes *, &made)), DEMASK_ERR_ALIGN);
  REFUSED(demask_sizes_create_markov_closed_form(0, 3, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_markov_closed_form(9, 0, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_markov_closed_form(9, 3, NULL), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_create_markov_log_weights(9, 3, smooth, 17, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_markov_log_weights(9, 0, smooth, 0, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_create_markov_log_weights(9, 3, NULL, 18, &made), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_create_markov_log_weights(9, 3, ODD(const double, smooth), 18, &made),
          DEMASK_ERR_ALIGN);
  REFUSED(demask_sizes_create_markov_log_weights(9, 3, smooth, 18, &made), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_create_systematic_gaps(NULL, 3, &made), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_create_systematic_gaps(code, 3, &made), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_create_systematic_gaps(smooth, 2, &made), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_create_systematic_gaps(smooth, 8, &made), DEMASK_ERR_ARGUMENT); /* NaN */
  REFUSED(demask_sizes_create_systematic_gaps(smooth, SIZE_MAX, &made), DEMASK_ERR_RESOURCES);
  REFUSED(demask_sizes_create_systematic_gaps(smooth, 1, NULL), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_gaps(NULL, &number, 1), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_gaps(systematic, NULL, 9), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_gaps(systematic, ODD(double, &number), 9), DEMASK_ERR_ALIGN);
  REFUSED(demask_sizes_gaps(systematic, &number, 1), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_gaps(four, &number, 1), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_proved_constant(NULL, &number), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_proved_constant(four, NULL), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_proved_constant(four, ODD(double, &number)), DEMASK_ERR_ALIGN);
  REFUSED(demask_sizes_markov_constant(0, 3, &number), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_markov_constant(9, 0, &number), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_markov_constant(9, 3, NULL), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_overshoot_bernoulli(NULL, 1, &number, 1), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_overshoot_bernoulli(code, 1, NULL, 1), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_overshoot_bernoulli(code, 1, &number, 1), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_overshoot_bernoulli(smooth, 2, &number, 1), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_overshoot_bernoulli(smooth + 3, 1, &number, 1), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_overshoot_bernoulli(NULL, 0, &number, 1), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_overshoot_bernoulli(smooth, 1, NULL, 0), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_constant_weights(0, NULL, NULL, 8, 3, &number), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_constant_weights(0, NULL, smooth, 3, 0, &number), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_constant_weights(0, NULL, smooth, SIZE_MAX, 3, &number), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_constant_weights(0, NULL, smooth, 8, 3, &number), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_constant_weights(0, four, smooth, 3, 3, &number), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_constant_weights(0, NULL, smooth, 3, 3, NULL), DEMASK_ERR_NULL);

  REFUSED(demask_sizes_shape(NULL, &count, &other), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_shape(four, &count, NULL), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_shape(four, ODD(uint32_t, &count), &other), DEMASK_ERR_ALIGN);

  REFUSED(demask_sizes_draw(DEMASK_SIZES_KAPPA + 1, NULL, 10, &key, sizes, 4), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_draw(DEMASK_SIZES_ROUND_UP, NULL, 10, &key, sizes, 4), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_draw(DEMASK_SIZES_EVEN, four, 10, &key, sizes, 4), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_draw(DEMASK_SIZES_TABLE, NULL, 10, &key, sizes, 4), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_draw(DEMASK_SIZES_TABLE, four, 10, NULL, sizes, 4), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_draw(DEMASK_SIZES_TABLE, four, 10, &key, NULL, 4), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_draw(DEMASK_SIZES_TABLE, four, 10, &key, sizes, 3), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_draw(DEMASK_SIZES_TABLE, four, 9, &key, sizes, 4), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_draw(DEMASK_SIZES_EVEN, NULL, 9, &key, sizes, 0), DEMASK_ERR_SHAPE);

  REFUSED(demask_sizes_overshoot(DEMASK_SIZES_TABLE, four, 4, &number, 1), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_overshoot(DEMASK_SIZES_EVEN, NULL, 0, &number, 1), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_overshoot(DEMASK_SIZES_EVEN, NULL, 4, NULL, 1), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_expected_kl(0, NULL, NULL, 8, 3, &number), DEMASK_ERR_NULL);
  REFUSED(demask_sizes_expected_kl(0, NULL, code, SIZE_MAX, 3, &number), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_expected_kl(0, NULL, code, 8, 0, &number), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_expected_kl(0, NULL, smooth, 8, 3, &number), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_constant(0, NULL, 8, 3, 3, &number), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_sizes_constant(0, NULL, 0, 3, 0, &number), DEMASK_ERR_SHAPE);
  REFUSED(demask_sizes_constant(0, NULL, 8, 3, 0, NULL), DEMASK_ERR_NULL);

  demask_policy policy;
  CHECK(demask_policy_random_order(4, &policy, sizeof policy) == DEMASK_OK);
  policy.sizes = DEMASK_SIZES_TABLE;
  CHECK(demask_policy_check(&policy) == DEMASK_ERR_NULL);
  policy.sizes_table = four;
  CHECK(demask_policy_check(&policy) == DEMASK_OK);
  policy.steps = 5;
  CHECK(demask_policy_check(&policy) == DEMASK_ERR_SHAPE);
  policy.sizes = DEMASK_SIZES_COSINE;
  CHECK(demask_policy_check(&policy) == DEMASK_ERR_ARGUMENT);
  policy.sizes_table = NULL;
  CHECK(demask_policy_check(&policy) == DEMASK_OK);
  policy.sizes_reserved = 1;
  CHECK(demask_policy_check(&policy) == DEMASK_ERR_ARGUMENT);
  demask_sizes_destroy(systematic);
  demask_sizes_destroy(four);
}

/* The same for profiles, and nothing is observed by what is refused. */
static void mistakes_of_profiles(void) {
  char nowhere;
  demask_profile_estimator *const untouched = (demask_profile_estimator *)(void *)&nowhere;
  demask_profile_estimator *made = untouched, *estimator = NULL;
  double number = 77.0, values[3] = {1.0, 0.5, 0.25}, weights[3] = {1.0, 1.0, 0.0};
  double log_probabilities[2] = {-0.5, NAN};
  uint64_t observations = 77;
  const uint32_t count = 77, sizes[1] = {77};
  CHECK(demask_profile_estimator_create(3, &estimator) == DEMASK_OK);

  REFUSED(demask_profile_isotonic(NULL, weights, 1, &number), DEMASK_ERR_NULL);
  REFUSED(demask_profile_isotonic(values, NULL, 1, &number), DEMASK_ERR_NULL);
  REFUSED(demask_profile_isotonic(values, weights, 1, NULL), DEMASK_ERR_NULL);
  REFUSED(demask_profile_isotonic(ODD(const double, values), weights, 1, &number),
          DEMASK_ERR_ALIGN);
  REFUSED(demask_profile_isotonic(values, weights, 1, ODD(double, &number)), DEMASK_ERR_ALIGN);
  REFUSED(demask_profile_isotonic(values, weights, 0, &number), DEMASK_ERR_SHAPE);
  REFUSED(demask_profile_isotonic(values, weights, SIZE_MAX, &number), DEMASK_ERR_SHAPE);
  REFUSED(demask_profile_isotonic(log_probabilities + 1, weights, 1, &number),
          DEMASK_ERR_ARGUMENT);
  REFUSED(demask_profile_isotonic(values, weights + 2, 1, &number), DEMASK_ERR_ARGUMENT);

  REFUSED(demask_profile_complexity(NULL, 3, 0, &number), DEMASK_ERR_NULL);
  REFUSED(demask_profile_complexity(values, 3, 0, NULL), DEMASK_ERR_NULL);
  REFUSED(demask_profile_complexity(values, 3, 0, ODD(double, &number)), DEMASK_ERR_ALIGN);
  REFUSED(demask_profile_complexity(values, 0, 0, &number), DEMASK_ERR_SHAPE);
  REFUSED(demask_profile_complexity(values, 3, 3, &number), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_profile_complexity(log_probabilities, 2, 0, &number), DEMASK_ERR_ARGUMENT);

  REFUSED(demask_profile_estimator_create(0, &made), DEMASK_ERR_SHAPE);
  REFUSED(demask_profile_estimator_create(3, NULL), DEMASK_ERR_NULL);
  REFUSED(demask_profile_estimator_create(3, ODD(demask_profile_estimator *, &made)),
          DEMASK_ERR_ALIGN);
  REFUSED(demask_profile_estimator_profile(estimator, values, 3), DEMASK_ERR_SHAPE); /* of nothing */
  REFUSED(demask_profile_estimator_observe(NULL, 0, values, 1), DEMASK_ERR_NULL);
  REFUSED(demask_profile_estimator_observe(estimator, 0, NULL, 1), DEMASK_ERR_NULL);
  REFUSED(demask_profile_estimator_observe(estimator, 0, ODD(const double, log_probabilities), 1),
          DEMASK_ERR_ALIGN);
  REFUSED(demask_profile_estimator_observe(estimator, 3, log_probabilities, 1), DEMASK_ERR_SHAPE);
  REFUSED(demask_profile_estimator_observe(estimator, 0, NULL, 0), DEMASK_ERR_SHAPE);
  REFUSED(demask_profile_estimator_observe(estimator, 0, log_probabilities, SIZE_MAX),
          DEMASK_ERR_SHAPE);
  REFUSED(demask_profile_estimator_observe(estimator, 0, log_probabilities, 2),
          DEMASK_ERR_ARGUMENT);
  REFUSED(demask_profile_estimator_observe(estimator, 0, values, 1), DEMASK_ERR_ARGUMENT);
  REFUSED(demask_profile_estimator_mean(NULL, 0, &observations, &number, &number), DEMASK_ERR_NULL);
  REFUSED(demask_profile_estimator_mean(estimator, 0, NULL, &number, &number), DEMASK_ERR_NULL);
  REFUSED(demask_profile_estimator_mean(estimator, 0, &observations, NULL, &number),
          DEMASK_ERR_NULL);
  REFUSED(demask_profile_estimator_mean(estimator, 0, &observations, &number, NULL),
          DEMASK_ERR_NULL);
  REFUSED(demask_profile_estimator_mean(estimator, 0, ODD(uint64_t, &observations), &number, &number),
          DEMASK_ERR_ALIGN);
  REFUSED(demask_profile_estimator_mean(estimator, 3, &observations, &number, &number),
          DEMASK_ERR_SHAPE);
  CHECK(observations == 77);
  double error = 77.0;
  CHECK(demask_profile_estimator_mean(estimator, 0, &observations, &number, &error) == DEMASK_OK);
  CHECK(observations == 0);
  number = 77.0;
  CHECK(demask_profile_estimator_observe(estimator, 0, log_probabilities, 1) == DEMASK_OK);
  REFUSED(demask_profile_estimator_profile(NULL, values, 3), DEMASK_ERR_NULL);
  REFUSED(demask_profile_estimator_profile(estimator, NULL, 3), DEMASK_ERR_NULL);
  REFUSED(demask_profile_estimator_profile(estimator, ODD(double, values), 3), DEMASK_ERR_ALIGN);
  REFUSED(demask_profile_estimator_profile(estimator, values, 2), DEMASK_ERR_SHAPE);
  REFUSED(demask_profile_estimator_profile(estimator, values, SIZE_MAX), DEMASK_ERR_SHAPE);
  CHECK(values[0] == 1.0 && values[1] == 0.5 && values[2] == 0.25);
  demask_profile_estimator_destroy(estimator);
}

int main(void) {
  lists();
  divergences();
  constants_and_gaps();
  sizes_of_policies();
  measured_profiles();
  mistakes_of_profiles();
  mistakes();
  return checks_end("sizes");
}
