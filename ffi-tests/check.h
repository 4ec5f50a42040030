/* Counting checks: a program ends with "name: N passed, M failed" and a status that says so. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

static unsigned long checks_passed, checks_failed;

/* Counts whether `holds`, and says where it did not. */
static void check_at(int holds, const char *what, const char *file, int line) {
  if (holds) {
    ++checks_passed;
  } else {
    ++checks_failed;
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
  }
}

#define CHECK(holds) check_at((holds) ? 1 : 0, #holds, __FILE__, __LINE__)

/* The exit status of a program whose checks are all made. */
static int checks_end(const char *name) {
  fprintf(stderr, "%s: %lu passed, %lu failed\n", name, checks_passed, checks_failed);
  return checks_failed != 0 || checks_passed == 0;
}

#endif
