/* What every fuzz target shares. */
#ifndef IPFSA_FUZZ_H
#define IPFSA_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Set by the target: was this input accepted? The replay holds it against the corpus folder (ok, should-fail). */
__attribute__((weak)) int fuzz_accepted;

/* An oracle: what must hold for every input, also in release builds. */
#define FUZZ_CHECK(what)                                                       \
  do {                                                                         \
    if (!(what)) {                                                             \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what); \
      __builtin_trap();                                                        \
    }                                                                          \
  } while (0)

#endif
