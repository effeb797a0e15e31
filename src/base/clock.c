#include "base/clock.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

uint64_t ipfsa_clock_monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t ipfsa_clock_tick(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + 1;
}

int64_t ipfsa_clock_wall_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec;
}

int ipfsa_random_bytes(void *data, size_t len) {
  unsigned char *out = data;
  while (len) {
    ssize_t n = getrandom(out, len, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    out += n;
    len -= (size_t)n;
  }
  return 0;
}

uint64_t ipfsa_random_u64(void) {
  uint64_t v = 0;
  if (ipfsa_random_bytes(&v, sizeof v) != 0) v = ipfsa_clock_monotonic_ns() * 0x9e3779b97f4a7c15u;
  return v;
}
