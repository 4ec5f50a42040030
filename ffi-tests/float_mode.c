/* Not a program: a library that is loaded before one, and leaves the thread in another float mode before
 * main begins, as libraries do that were built with -ffast-math. MODE is FLUSH, or a rounding mode of
 * fenv.h. Nothing that demask gives may change; check.sh compares what programs print. */
#include <fenv.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#define FLUSH (-1)

#if MODE == FLUSH && defined(__x86_64__)
__attribute__((constructor)) static void leave_a_mode(void) { _mm_setcsr(_mm_getcsr() | 0x8040u); }
#elif MODE == FLUSH && defined(__aarch64__)
__attribute__((constructor)) static void leave_a_mode(void) {
  unsigned long mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  __asm__ volatile("msr fpcr, %0" : : "r"(mode | 1ul << 24));
}
#elif MODE != FLUSH
__attribute__((constructor)) static void leave_a_mode(void) { fesetround(MODE); }
#endif
