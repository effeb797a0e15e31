/* Every sha2-256 kernel this processor can run, over batches of real messages, beside libcrypto in the same run: GB/s on one core. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "hash/kernels.h"

enum { RUNS = 11, MAX_KERNELS = 12, OPENSSL = 1 };
#define BATCH_BYTES ((size_t)32 << 20) /* past the second cache, as imports read it */

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double run_once(const ipfsa_sha256_kernel *k, const uint8_t *data, size_t message) {
  static ipfsa_sha256_job jobs[BATCH_BYTES >> 18];
  static uint8_t digests[BATCH_BYTES >> 18][32];
  size_t n = BATCH_BYTES / message;
  if (k->lanes == 1) n /= 4; /* slow ones have less to do */
  for (size_t i = 0; i < n; i++) jobs[i] = (ipfsa_sha256_job){{{data + i * message, message}, {NULL, 0}, {NULL, 0}}, digests[i]};
  ipfsa_sha256_plan plan = ipfsa_sha256_plan_of(k);
  uint64_t start = ipfsa_clock_monotonic_ns();
  ipfsa_sha256_batch_by(&plan, jobs, n);
  return (double)(n * message) / (double)(ipfsa_clock_monotonic_ns() - start);
}

static void compare(const uint8_t *data, size_t message) {
  static double rates[MAX_KERNELS][RUNS];
  const ipfsa_sha256_kernel *k;
  for (size_t r = 0; r < RUNS; r++) /* kernels take turns, so that a slow moment of the machine meets all of them */
    for (size_t i = 0; i < MAX_KERNELS && (k = ipfsa_sha256_kernel_at(i)); i++)
      if (k->usable()) rates[i][r] = run_once(k, data, message);
  for (size_t i = 0; i < MAX_KERNELS; i++) qsort(rates[i], RUNS, sizeof *rates[i], by_value);
  printf("messages of %zu KiB, medians of %d runs\n", message >> 10, RUNS);
  for (size_t i = 0; i < MAX_KERNELS && (k = ipfsa_sha256_kernel_at(i)); i++)
    if (k->usable())
      printf("  %-10s %2zu lanes  %6.2f GB/s  %5.2f x openssl\n", k->name, k->lanes, rates[i][RUNS / 2], rates[i][RUNS / 2] / rates[OPENSSL][RUNS / 2]);
}

int main(void) {
  uint8_t *data = ipfsa_malloc(BATCH_BYTES);
  if (!data) return 1;
  for (size_t i = 0; i < BATCH_BYTES; i++) data[i] = (uint8_t)(i * 2654435761u >> 13);
  compare(data, (size_t)256 << 10);
  compare(data, (size_t)1 << 20);
  printf("chosen: %s, down to %zu lanes with work\n", ipfsa_sha256_chosen(NULL)->name, ipfsa_sha256_plan_for(SIZE_MAX)->min_live);
  ipfsa_free(data);
  return 0;
}
