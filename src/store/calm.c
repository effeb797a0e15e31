/* A look at the count of page faults is a system call, a third of what a read of 4 KiB costs. */
#include "store/calm.h"

#include "base/map.h"

/* Calls without a fault between them, until their rest is believed. What one wrong belief costs (a region verified again, half a millisecond) is spread over
 * the calls that earn the next: each makes it four times as many. */
#define CALM_AT_FIRST 64
#define CALM_AT_MOST 65536

static _Thread_local struct {
  uint64_t seen; /* the count after the last call */
  uint32_t calm; /* calls in a row that found the count of the one before */
  uint32_t needed;
} mine = {.needed = CALM_AT_FIRST};

uint64_t ipfsa_calm_begin_anew(void) {
  uint64_t now = ipfsa_fs_page_faults();
  mine.calm = now == mine.seen ? mine.calm : 0;
  return mine.seen = now;
}

uint64_t ipfsa_calm_begin(void) {
  if (mine.calm >= mine.needed) return mine.seen;
  uint64_t begun = ipfsa_calm_begin_anew();
  mine.calm++;
  return begun;
}

bool ipfsa_calm_since(uint64_t begun) {
  uint64_t now = ipfsa_fs_page_faults();
  bool calm = now == begun;
  if (!calm && mine.calm >= mine.needed && mine.needed < CALM_AT_MOST) mine.needed *= 4;
  if (!calm) mine.calm = 0;
  mine.seen = now;
  return calm;
}
