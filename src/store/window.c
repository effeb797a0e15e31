/* A window is a mapping of 64 MiB of a pack. Of a leaf in it is remembered that it matched its digest; that holds as long as none of its pages left the
 * memory since. Whether one did, this thread's count of page faults tells: a page that went must fault to come back. A fault brings in neighbours too,
 * but none beyond its page table, so a region is what one page table spans, and whoever touches a region holds its lock: each fault in it is seen by him
 * who made it, who forgets what was remembered there. A write to the pack shows in its time of change. */
#include "store/window.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/map.h"
#include "hash/hash.h"
#include "store/calm.h"
#include "store/window_inside.h"

struct ipfsa_windows {
  pthread_mutex_t lock; /* over the table; never held while a file is touched */
  uint64_t looks;
  int page_map;
  uint64_t keys[128]; /* pack and number of the window in it, + 1; 0 = free */
  window windows[128];
};

ipfsa_windows *ipfsa_windows_new(void) {
  const char *wish = getenv("IPFSA_WINDOWS");
  if ((wish && strcmp(wish, "off") == 0) || !ipfsa_fs_counts_page_faults()) return NULL;
  ipfsa_windows *all = ipfsa_calloc(1, sizeof *all);
  if (!all) return NULL;
  pthread_mutex_init(&all->lock, NULL);
  all->page_map = ipfsa_fs_open_page_map();
  return all;
}

static void close_window(window *w) {
  ipfsa_fs_unmap(w->map, N_REGIONS * REGION_BYTES);
  for (size_t i = 0; w->regions && i < N_REGIONS; i++) pthread_mutex_destroy(&w->regions[i].lock);
  ipfsa_free(w->regions);
  *w = (window){.fd = -1};
}

void ipfsa_windows_free(ipfsa_windows *all) {
  if (!all) return;
  for (size_t i = 0; i < MAX_WINDOWS; i++) close_window(&all->windows[i]);
  ipfsa_fs_close(&all->page_map);
  pthread_mutex_destroy(&all->lock);
  ipfsa_free(all);
}

static bool open_window(window *w, int fd, uint64_t off) {
  region *regions = ipfsa_calloc(N_REGIONS, sizeof *regions);
  const uint8_t *map = regions ? ipfsa_fs_map_window(fd, off, N_REGIONS * REGION_BYTES) : NULL;
  if (!map) return ipfsa_free(regions), false;
  for (size_t i = 0; i < N_REGIONS; i++) pthread_mutex_init(&regions[i].lock, NULL);
  *w = (window){.fd = fd, .map = map, .regions = regions};
  return true;
}

/* From where a key would like to be, all around: what is there is found at once. */
static size_t find_key(const ipfsa_windows *all, uint64_t key, uint64_t home) {
  size_t at = (size_t)(home * 0x9e3779b97f4a7c15u >> 32) % MAX_WINDOWS;
  for (size_t i = 0; i < MAX_WINDOWS; i++, at = (at + 1) % MAX_WINDOWS)
    if (all->keys[at] == key) return at;
  return MAX_WINDOWS;
}

/* A free place in the table, else that of the window that was not used for longest. */
static size_t find_room(const ipfsa_windows *all, uint64_t home) {
  size_t found = find_key(all, 0, home);
  if (found < MAX_WINDOWS) return found;
  for (size_t i = 0; i < MAX_WINDOWS; i++) {
    bool idle = __atomic_load_n(&all->windows[i].refs, __ATOMIC_ACQUIRE) == 0;
    if (idle && (found == MAX_WINDOWS || all->windows[i].used < all->windows[found].used)) found = i;
  }
  return found;
}

/* The window, held until release; NULL: none to be had. */
window *ipfsa_window__hold(ipfsa_windows *all, int fd, const ipfsa_place *place) {
  uint64_t number = place->off / WINDOW_BYTES, key = ((uint64_t)place->pack << 32 | number) + 1;
  pthread_mutex_lock(&all->lock);
  size_t i = find_key(all, key, key);
  if (i == MAX_WINDOWS && fd >= 0 && (i = find_room(all, key)) < MAX_WINDOWS) {
    close_window(&all->windows[i]);
    all->keys[i] = open_window(&all->windows[i], fd, number * WINDOW_BYTES) ? key : 0;
    all->windows[i].page_map = all->page_map; /* once: who holds the window reads it without the lock */
  }
  window *w = i < MAX_WINDOWS && all->keys[i] ? &all->windows[i] : NULL;
  if (w) {
    w->used = ++all->looks;
    __atomic_add_fetch(&w->refs, 1, __ATOMIC_RELAXED);
  }
  pthread_mutex_unlock(&all->lock);
  return w;
}

void ipfsa_window__release(window *w) { __atomic_sub_fetch(&w->refs, 1, __ATOMIC_RELEASE); }

look ipfsa_window__look(window *w, const ipfsa_place *place) {
  uint64_t at = place->off % WINDOW_BYTES, mark;
  memcpy(&mark, place->digest, sizeof mark);
  mark ^= place->len * 0x9e3779b97f4a7c15u; /* two leaves that claim one place do not pass for each other */
  return (look){.w = w, .data = w->map + at, .len = place->len, .first = &w->regions[at / REGION_BYTES], .last = &w->regions[(at + place->len - 1) / REGION_BYTES],
            .slot = at % REGION_BYTES / IPFSA_MIN_WINDOW_BLOCK, .mark = mark ? mark : 1, .place = place};
}

static look begin(window *w, const ipfsa_place *place) {
  look l = ipfsa_window__look(w, place);
  pthread_mutex_lock(&l.first->lock);
  if (l.last != l.first) pthread_mutex_lock(&l.last->lock);
  return l;
}

static void end(const look *l) {
  if (l->last != l->first) pthread_mutex_unlock(&l->last->lock);
  pthread_mutex_unlock(&l->first->lock);
}

void ipfsa_window__forget(region *r) {
  r->carried = 0;
  memset(r->begun, 0, sizeof r->begun);
}

static void forget(const look *l) {
  ipfsa_window__forget(l->first);
  if (l->last != l->first) ipfsa_window__forget(l->last);
}

static uint64_t in_ns(const struct timespec *t) { return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec; }

void ipfsa_window__look_at_pack(const window *w, struct timespec *ret_changed, uint64_t *ret_size) {
  struct stat st = {.st_ctim = {.tv_nsec = -1}}; /* with size 0: nothing is verified */
  (void)ipfsa_fs_fstat(w->fd, &st, NULL);
  *ret_changed = st.st_ctim;
  *ret_size = (uint64_t)st.st_size;
}

/* False: the pack was written to since the regions were verified. */
static bool is_unchanged(const look *l) {
  struct timespec changed;
  uint64_t size;
  ipfsa_window__look_at_pack(l->w, &changed, &size);
  bool same = same_time(&l->first->changed, &changed) && same_time(&l->last->changed, &changed);
  __atomic_store_n(&l->w->changed_ns, in_ns(&changed), __ATOMIC_RELAXED);
  return same;
}

/* The same, as of this tick of the kernel's clock (1 to 10 ms): in a row of small reads, asking for the time of change would take as long as the copy. */
static bool is_unchanged_this_tick(const look *l) {
  uint64_t tick = ipfsa_clock_tick();
  if (__atomic_load_n(&l->w->looked_tick, __ATOMIC_ACQUIRE) == tick) {
    uint64_t changed = __atomic_load_n(&l->w->changed_ns, __ATOMIC_RELAXED);
    return in_ns(&l->first->changed) == changed && in_ns(&l->last->changed) == changed;
  }
  bool same = is_unchanged(l);
  __atomic_store_n(&l->w->looked_tick, tick, __ATOMIC_RELEASE);
  return same;
}

void ipfsa_window__begin_anew(region *r, const struct timespec *changed) {
  if (!same_time(&r->changed, changed)) ipfsa_window__forget(r);
  r->changed = *changed;
}

bool ipfsa_window__is_known(const look *l) { return l->first->begun[l->slot] == l->mark && (l->last == l->first || l->last->carried == l->mark); }

/* Fresh memory has its faults before they are counted. */
static void touch(uint8_t *data, uint32_t len) {
  for (uint32_t at = 0; at < len; at += IPFSA_PACK_PAGE) *(volatile uint8_t *)(data + at) = 0;
  *(volatile uint8_t *)(data + len - 1) = 0;
}

/* Copies, and only then looks whether what was copied is what was verified. */
static bool copy(const look *l, uint32_t from, uint32_t len, uint8_t *data, uint64_t (*begin_calm)(void)) {
  touch(data, len);
  uint64_t now = ipfsa_clock_monotonic_ns(), begun = begin_calm();
  bool sure = now - l->first->looked_ns < SURE_NS || ipfsa_fs_populate(l->data + from, len, l->w->page_map);
  if (sure) memcpy(data, l->data + from, len);
  if (sure && ipfsa_calm_since(begun) && is_unchanged_this_tick(l)) return l->first->looked_ns = now, true;
  forget(l);
  if (sure) memset(data, 0, len);
  return false;
}

static bool matches(const look *l) {
  uint8_t prefix[32], suffix[32], digest[32];
  size_t prefix_len, suffix_len;
  ipfsa_leaf_wrap(l->place->kind, l->len, prefix, &prefix_len, suffix, &suffix_len);
  ipfsa_sha256_batch(&(ipfsa_sha256_job){{{prefix, prefix_len}, {l->data, l->len}, {suffix, suffix_len}}, digest}, 1);
  return memcmp(digest, l->place->digest, 32) == 0;
}

/* The part of the leaf in a region, and once, when it is in memory already, the whole region as far as the file goes: its neighbours then need no faults
 * of their own. What came in by a fault was not looked at. False: where touching would raise a signal. */
bool ipfsa_window__bring_in(const look *l, region *r, uint64_t size) {
  const uint8_t *at = l->w->map + (size_t)(r - l->w->regions) * REGION_BYTES, *end = l->data + l->len;
  const uint8_t *from = l->data > at ? l->data : at, *to = end < at + REGION_BYTES ? end : at + REGION_BYTES;
  uint64_t off = l->place->off - (uint64_t)(l->data - l->w->map), last = off + (uint64_t)(to - l->w->map), faults = ipfsa_fs_page_faults();
  if (!ipfsa_fs_is_cached(l->w->fd, last - 1)) {
    ipfsa_fs_will_need(l->w->fd, l->place->off, l->len);
  } else if (!r->populated) {
    uint64_t left = size - (last - (uint64_t)(to - at));
    (void)ipfsa_fs_populate(at, left < REGION_BYTES ? (size_t)left : REGION_BYTES, l->w->page_map);
    r->populated = true;
  }
  bool there = ipfsa_fs_populate(from, (size_t)(to - from), l->w->page_map);
  if (ipfsa_fs_page_faults() != faults) ipfsa_window__forget(r);
  return there;
}

/* A match counts when no fault came between: code that runs for the first time has some as well, so there is a second try. */
static bool matches_undisturbed(const look *l) {
  for (int i = 0; i < 2; i++) {
    uint64_t faults = ipfsa_fs_page_faults();
    bool match = matches(l);
    if (ipfsa_fs_page_faults() == faults) return match;
    forget(l);
  }
  return false;
}

void ipfsa_window__remember(const look *l) {
  l->first->begun[l->slot] = l->mark;
  if (l->last != l->first) l->last->carried = l->mark;
  l->first->looked_ns = ipfsa_clock_monotonic_ns();
}

static bool verify(const look *l) {
  struct timespec changed;
  uint64_t size;
  ipfsa_window__look_at_pack(l->w, &changed, &size);
  ipfsa_window__begin_anew(l->first, &changed);
  ipfsa_window__begin_anew(l->last, &changed);
  if (size < l->place->off + l->len) return false; /* a page behind the end of the file raises a signal */
  bool there = ipfsa_window__bring_in(l, l->first, size) && (l->last == l->first || ipfsa_window__bring_in(l, l->last, size));
  if (!there || !matches_undisturbed(l) || !is_unchanged(l)) return forget(l), false;
  ipfsa_window__remember(l);
  return true;
}

bool ipfsa_windows_read(ipfsa_windows *all, int fd, const ipfsa_place *place, uint32_t from, uint32_t len, void *data) {
  if (place->len < IPFSA_MIN_WINDOW_BLOCK || place->len > REGION_BYTES || len == 0) return len == 0;
  window *w = ipfsa_window__hold(all, fd, place);
  if (!w) return false;
  look l = begin(w, place);
  bool done = (ipfsa_window__is_known(&l) && copy(&l, from, len, data, ipfsa_calm_begin)) || (verify(&l) && copy(&l, from, len, data, ipfsa_calm_begin_anew));
  end(&l);
  ipfsa_window__release(w);
  return done;
}
