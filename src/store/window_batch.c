/* Many leaves of a pack looked at together: those that are known cost a walk over page tables, the others are hashed in the lanes of the hash. */
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "hash/hash.h"
#include "store/window_inside.h"

#define MAX_GROUP IPFSA_MAX_CHECK_PLACES
#define READ_IN (4u << 20) /* bytes that are asked for at once where they are not in memory */

/* Leaves of one window, in the order of their bytes. */
typedef struct group {
  window *w;
  look looks[MAX_GROUP];
  bool *good[MAX_GROUP];
  bool ours[MAX_GROUP]; /* the locks of its regions are ours */
  size_t n;
  bool locked[N_REGIONS];
} group;

static size_t first_of(const group *g, size_t i) { return (size_t)(g->looks[i].first - g->w->regions); }
static size_t last_of(const group *g, size_t i) { return (size_t)(g->looks[i].last - g->w->regions); }

/* ---- locks ---- */

static bool lock_region(group *g, size_t r, bool wait) {
  if (g->locked[r]) return true;
  if (wait) pthread_mutex_lock(&g->w->regions[r].lock);
  else if (pthread_mutex_trylock(&g->w->regions[r].lock) != 0) return false;
  return g->locked[r] = true;
}

/* In rising order, so that nobody waits in a circle. Two threads that hash neighbours want one region's lock: he who does not get it looks at the rest first. */
static void lock_regions(group *g, bool wait) {
  for (size_t i = 0; i < g->n; i++) {
    size_t first = first_of(g, i), last = last_of(g, i);
    g->ours[i] = !*g->good[i] && lock_region(g, first, wait) && lock_region(g, last, wait);
  }
}

static void unlock_regions(group *g) {
  for (size_t r = 0; r < N_REGIONS; r++)
    if (g->locked[r]) pthread_mutex_unlock(&g->w->regions[r].lock);
  memset(g->locked, 0, sizeof g->locked);
}

/* ---- what is known ---- */

/* No page of them left the page tables of the window since: nobody but who holds the locks brings one in. */
static bool are_there(const group *g, size_t from, size_t to) {
  const look *last = &g->looks[to - 1];
  return ipfsa_fs_are_mapped(g->w->page_map, g->looks[from].data, (size_t)(last->data + last->len - g->looks[from].data));
}

static bool is_marked(const group *g, size_t i) { return g->ours[i] && ipfsa_window__is_known(&g->looks[i]); }

static bool lie_together(const group *g, size_t i) { return g->looks[i - 1].data + g->looks[i - 1].len == g->looks[i].data; }

static void find_known(group *g) {
  struct timespec changed;
  uint64_t size, now = ipfsa_clock_monotonic_ns();
  for (size_t i = 0, end; i < g->n; i = end) {
    end = i + 1;
    if (!is_marked(g, i)) continue;
    while (end < g->n && is_marked(g, end) && lie_together(g, end)) end++;
    bool all = are_there(g, i, end);
    for (size_t k = i; k < end; k++) *g->good[k] = all || are_there(g, k, k + 1);
  }
  ipfsa_window__look_at_pack(g->w, &changed, &size);
  for (size_t i = 0; i < g->n; i++) {
    if (!g->ours[i] || !*g->good[i]) continue;
    *g->good[i] = same_time(&g->looks[i].first->changed, &changed) && same_time(&g->looks[i].last->changed, &changed);
    if (*g->good[i]) g->looks[i].first->looked_ns = now;
  }
}

/* ---- what is hashed ---- */

/* The disk is read in large pieces, in order: the kernel then reads ahead by itself, and in large pages. */
static void read_in(const group *g, uint64_t size) {
  const look *first = &g->looks[0], *last = &g->looks[g->n - 1];
  uint64_t from = first->place->off / IPFSA_PACK_PAGE * IPFSA_PACK_PAGE, end = last->place->off + last->place->len;
  ipfsa_window__read_in(g->w->fd, from, end < size ? end : size);
}

void ipfsa_window__read_in(int fd, uint64_t from, uint64_t end) {
  for (uint64_t off = from; off < end; off += READ_IN) {
    size_t len = end - off < READ_IN ? (size_t)(end - off) : READ_IN;
    if (!ipfsa_fs_are_ends_cached(fd, off, len)) ipfsa_fs_unmap(ipfsa_fs_map(fd, off, len, -1), len);
  }
}

/* What it has in the regions is asked for; false: touching it would raise a signal. */
static bool bring_in(const look *l, uint64_t size) {
  if (size < l->place->off + l->len) return false; /* a page behind the end of the file raises a signal */
  return ipfsa_window__bring_in(l, l->first, size) && (l->last == l->first || ipfsa_window__bring_in(l, l->last, size));
}

static void hash_all(const group *g, const size_t *which, size_t n, bool *ret_match) {
  uint8_t wraps[MAX_GROUP][64], digests[MAX_GROUP][32];
  ipfsa_sha256_job jobs[MAX_GROUP] = {0};
  for (size_t i = 0; i < n; i++) {
    const look *l = &g->looks[which[i]];
    size_t prefix_len, suffix_len;
    ipfsa_leaf_wrap(l->place->kind, l->len, wraps[i], &prefix_len, wraps[i] + 32, &suffix_len);
    jobs[i] = (ipfsa_sha256_job){{{wraps[i], prefix_len}, {l->data, l->len}, {wraps[i] + 32, suffix_len}}, digests[i]};
  }
  ipfsa_sha256_batch(jobs, n);
  for (size_t i = 0; i < n; i++) ret_match[i] = memcmp(digests[i], g->looks[which[i]].place->digest, 32) == 0;
}

static void forget_all(const group *g) {
  for (size_t r = 0; r < N_REGIONS; r++)
    if (g->locked[r]) ipfsa_window__forget(&g->w->regions[r]);
}

/* Matches count when no fault came between: code that runs for the first time has some as well, so there is a second try. */
static bool hash_undisturbed(const group *g, const size_t *which, size_t n, bool *ret_match) {
  for (int i = 0; i < 2; i++) {
    uint64_t faults = ipfsa_fs_page_faults();
    hash_all(g, which, n, ret_match);
    if (ipfsa_fs_page_faults() == faults) return true;
    forget_all(g);
  }
  return false;
}

static void hash_unknown(group *g) {
  struct timespec changed, after;
  uint64_t size;
  size_t which[MAX_GROUP], n = 0;
  bool match[MAX_GROUP];
  ipfsa_window__look_at_pack(g->w, &changed, &size);
  for (size_t r = 0; r < N_REGIONS; r++)
    if (g->locked[r]) ipfsa_window__begin_anew(&g->w->regions[r], &changed);
  for (size_t i = 0; i < g->n; i++)
    if (g->ours[i] && !*g->good[i] && bring_in(&g->looks[i], size)) which[n++] = i;
  if (n == 0 || !hash_undisturbed(g, which, n, match)) return;
  ipfsa_window__look_at_pack(g->w, &after, &size);
  if (!same_time(&changed, &after)) return forget_all(g);
  for (size_t i = 0; i < n; i++) {
    *g->good[which[i]] = match[i];
    if (match[i]) ipfsa_window__remember(&g->looks[which[i]]);
  }
}

/* ---- groups ---- */

static void look_once(group *g, bool hash, bool wait) {
  lock_regions(g, wait);
  find_known(g);
  if (hash) hash_unknown(g);
  unlock_regions(g);
}

static bool any_left(const group *g) {
  for (size_t i = 0; i < g->n; i++)
    if (!*g->good[i] && !g->ours[i]) return true;
  return false;
}

static void look_at_group(group *g, bool hash) {
  struct timespec changed;
  uint64_t size;
  if (hash) {
    ipfsa_window__look_at_pack(g->w, &changed, &size);
    read_in(g, size);
  }
  look_once(g, hash, false);
  if (hash && any_left(g)) look_once(g, true, true);
}

static bool fits(const ipfsa_place *p) { return p->len >= IPFSA_MIN_WINDOW_BLOCK && p->len <= REGION_BYTES; }

void ipfsa_windows_check(ipfsa_windows *all, int fd, const ipfsa_place *const *places, size_t n, bool hash, bool *ret_good) {
  memset(ret_good, 0, n * sizeof *ret_good);
  for (size_t i = 0; i < n;) {
    group g = {.w = fits(places[i]) ? ipfsa_window__hold(all, fd, places[i]) : NULL};
    uint64_t number = places[i]->off / WINDOW_BYTES, end = places[i]->off;
    if (!g.w) {
      i++;
      continue;
    }
    for (; i < n && g.n < MAX_GROUP && fits(places[i]) && places[i]->off / WINDOW_BYTES == number && places[i]->off >= end; i++) {
      g.good[g.n] = &ret_good[i];
      g.looks[g.n++] = ipfsa_window__look(g.w, places[i]);
      end = places[i]->off + places[i]->len;
    }
    look_at_group(&g, hash);
    ipfsa_window__release(g.w);
  }
}
