/* A network whose law is known, in C and C++.
 *
 * The data are Markov chains: the first state is uniform, and each next one stays with probability
 * 0.9, else it is uniform over the others. For them the exact denoiser is a table: the law of a
 * masked position depends only on the nearest revealed neighbours and their distances, and the k-th
 * power of the transition matrix is 1/S + lambda^k (identity - 1/S). */
#ifndef MARKOV_H
#define MARKOV_H

#include <math.h>
#include <stdint.h>

enum {
  STATES = 8,
  MASK = STATES, /* a token of the vocabulary, and the network's favourite */
  VOCAB = STATES + 1,
  STRIDE = 16, /* the rest of a row is NaN, which must not be looked at */
  LENGTH = 32,
  SEQUENCES = 256,
  POSITIONS = LENGTH * SEQUENCES,
  TRANSITIONS = SEQUENCES * (LENGTH - 1)
};
static const double STAY = 0.9;

/* log_power[k][i]: logarithm of an entry of the k-th power of the transition matrix, off the
 * diagonal (i = 0) and on it. */
static double log_power[LENGTH][2];

/* ln(x) for 0 < x <= 1 from the four operations that every language rounds alike. */
static double natural_log(double x) {
  int halvings = 0;
  while (x < 0.75) {
    x *= 2.0;
    ++halvings;
  }
  double z = (x - 1.0) / (x + 1.0), squared = z * z, series = 0.0;
  for (int k = 41; k >= 1; k -= 2) series = series * squared + 1.0 / k;
  return 2.0 * z * series - halvings * 0.69314718055994530942;
}

static void fill_log_power(void) {
  double states = (double)STATES, uniform = 1.0 / states, power = 1.0;
  double lambda = STAY - (1.0 - STAY) / (states - 1.0);
  for (int k = 0; k < LENGTH; ++k) {
    log_power[k][0] = k == 0 ? -INFINITY : natural_log(uniform - power * uniform);
    log_power[k][1] = natural_log(uniform + power * (1.0 - uniform));
    power *= lambda;
  }
}

/* The logits of one position: STRIDE numbers. */
static void denoise(const int32_t *tokens, uint32_t at, float *row) {
  const int32_t *sequence = tokens + at / LENGTH * LENGTH;
  int here = (int)(at % LENGTH), left = here - 1, right = here + 1;
  while (left >= 0 && sequence[left] == MASK) --left;
  while (right < LENGTH && sequence[right] == MASK) ++right;
  for (int v = 0; v < STATES; ++v) {
    double logit = 0.0;
    if (left >= 0) logit += log_power[here - left][sequence[left] == v];
    if (right < LENGTH) logit += log_power[right - here][sequence[right] == v];
    row[v] = (float)logit;
  }
  row[MASK] = 30.0f;
  for (int v = VOCAB; v < STRIDE; ++v) row[v] = NAN;
}

#endif
