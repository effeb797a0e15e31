/* Every sha2-256 kernel this processor can run, beside libcrypto in the same run: GB/s on one core, medians. */
#include <stdio.h>
#include <stdlib.h>

#include "hash/kernels.h"

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

int main(void) {
  double openssl = 0;
  for (int pass = 0; pass < 2; pass++)
    for (size_t i = 0; ipfsa_sha256_kernel_at(i); i++) {
      const ipfsa_sha256_kernel *k = ipfsa_sha256_kernel_at(i);
      if (!k->usable()) continue;
      double runs[21];
      for (size_t r = 0; r < 21; r++) runs[r] = ipfsa_sha256_measure(k, 256, 40);
      qsort(runs, 21, sizeof *runs, by_value);
      if (i == 1) openssl = runs[10];
      if (pass) printf("%-10s %2zu lanes  %6.2f GB/s  %5.2f x openssl\n", k->name, k->lanes, runs[10], runs[10] / openssl);
    }
  printf("chosen: %s\n", ipfsa_sha256_chosen()->name);
  return 0;
}
