/* What window.c keeps and window_batch.c looks at, many leaves at a time. */
#ifndef IPFSA_STORE_WINDOW_INSIDE_H
#define IPFSA_STORE_WINDOW_INSIDE_H

#include <pthread.h>
#include <time.h>

#include "base/map.h"
#include "store/pack.h"
#include "store/window.h"

#define WINDOW_BYTES ((uint64_t)64 << 20)
#define REGION_BYTES IPFSA_PAGE_TABLE
#define N_REGIONS ((size_t)(WINDOW_BYTES / REGION_BYTES) + 1) /* a leaf that begins in a window may end behind it */
#define N_SLOTS (REGION_BYTES / IPFSA_MIN_WINDOW_BLOCK)       /* at most one leaf begins in each */
#define MAX_WINDOWS (sizeof(void *) < 8 ? 4 : 128)            /* 8 GiB of addresses, about 5 MiB of what is remembered */
#define SURE_NS 500000000ull /* ns after a look in which touching needs no care: pages touched now are the last that the kernel takes */

typedef struct region {
  pthread_mutex_t lock;
  struct timespec changed;  /* the pack's, when what follows was verified */
  uint64_t looked_ns;       /* when a page was last known to be there */
  bool populated;           /* all of it was asked for once */
  uint64_t carried;         /* mark of the leaf that begins in the region before; 0 = not verified */
  uint64_t begun[N_SLOTS];  /* marks of those that begin here */
} region;

typedef struct window {
  int fd, page_map;
  uint64_t looked_tick, changed_ns; /* the pack's time of change, and when it was looked at; atomic */
  const uint8_t *map;
  region *regions;
  uint64_t used; /* when, in looks */
  unsigned refs;
} window;

/* One leaf under its locks. */
typedef struct look {
  window *w;
  const uint8_t *data;
  uint32_t len;
  region *first, *last; /* the same, or neighbours */
  size_t slot;          /* in the first */
  uint64_t mark;
  const ipfsa_place *place;
} look;

window *ipfsa_window__hold(ipfsa_windows *all, int fd, const ipfsa_place *place);
void ipfsa_window__release(window *w);
look ipfsa_window__look(window *w, const ipfsa_place *place); /* takes no locks */
void ipfsa_window__look_at_pack(const window *w, struct timespec *ret_changed, uint64_t *ret_size);
static inline bool same_time(const struct timespec *a, const struct timespec *b) { return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec; }

/* The regions' locks are held. */
void ipfsa_window__forget(region *r);
void ipfsa_window__begin_anew(region *r, const struct timespec *changed);
bool ipfsa_window__is_known(const look *l);
bool ipfsa_window__bring_in(const look *l, region *r, uint64_t size);
void ipfsa_window__remember(const look *l);

#endif
