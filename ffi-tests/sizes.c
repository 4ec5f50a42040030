/* Unmasking sizes from C: every rule's lists, which are printed and compared with Rust's; what the
 * other functions give; and every mistake by its number. */
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

int main(void) {
  lists();
  divergences();
  mistakes();
  return checks_end("sizes");
}
