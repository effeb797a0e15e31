/* What is likely to be asked for next is verified beside the one who looks at what he has: the store remembers it. One task reads from the disk and goes on at once,
 * another hashes what came: a disk that waits for the hash would idle. Nothing here belongs to a view; the tasks end by themselves, and a file that is closed
 * meanwhile makes them useless, not wrong. */
#include "base/alloc.h"
#include "unixfs/views_inside.h"

#define STEP ((uint64_t)8 << 20) /* bytes asked of the disk at once */
#define MOST 1024                /* leaves of two such tasks: 64 MiB of leaves of 64 KiB */

typedef struct ahead ahead;
typedef struct ahead_part {
  ipfsa_task task;
  ahead *owner;
} ahead_part;

struct ahead {
  ahead_part reading, hashing;
  unsigned refs; /* the last of both frees it */
  ipfsa_blockstore *bs;
  size_t n;
  ipfsa_place places[];
};

static void let_go(ahead *a) {
  if (__atomic_sub_fetch(&a->refs, 1, __ATOMIC_ACQ_REL) == 0) ipfsa_free(a);
}

/* Leaves from i on that lie together, up to a step. */
static size_t stretch_from(const ahead *a, size_t i, uint64_t *ret_len) {
  uint64_t len = a->places[i].len;
  size_t end = i + 1;
  for (; end < a->n && len < STEP && ipfsa_place_follows(&a->places[end - 1], &a->places[end]); end++) len += a->places[end].len;
  *ret_len = len;
  return end;
}

static void read_ahead(ipfsa_task *task) {
  ahead *a = ((ahead_part *)task)->owner;
  uint64_t len;
  for (size_t i = 0; i < a->n;) {
    size_t end = stretch_from(a, i, &len);
    ipfsa_blockstore_read_ahead(a->bs, &a->places[i], len);
    i = end;
  }
  let_go(a);
}

static void verify_ahead(ipfsa_task *task) {
  ahead *a = ((ahead_part *)task)->owner;
  const ipfsa_place *group[IPFSA_MAX_GET_MANY];
  bool good[IPFSA_MAX_GET_MANY];
  for (size_t i = 0; i < a->n;) {
    size_t n = 0;
    for (; i < a->n && n < IPFSA_MAX_GET_MANY && a->places[i].pack == a->places[i - n].pack; i++) group[n++] = &a->places[i];
    ipfsa_blockstore_check_places(a->bs, group, n, true, good);
  }
  let_go(a);
}

/* Leaves from byte `from` of the file on, whatever they lie beside: where they lie together no longer, the disk need not stand still. */
static uint64_t collect(ahead *a, ipfsa_span_map *spans, uint64_t from, uint64_t end) {
  while (from < end && a->n < MOST) {
    const ipfsa_span *span = ipfsa_span_map_look(spans, from);
    uint64_t start, gap_end;
    if (span) {
      a->places[a->n++] = span->place;
      from = span->start + span->place.len;
      continue;
    }
    ipfsa_span_map_gap(spans, from, &start, &gap_end); /* read in the usual way, when it is asked for */
    from = gap_end < end ? gap_end : end;
  }
  return from;
}

uint64_t ipfsa_views_ahead(ipfsa_blockstore *bs, ipfsa_span_map *spans, uint64_t from, uint64_t end, ipfsa_pool *pool) {
  ahead *a = ipfsa_calloc(1, sizeof *a + MOST * sizeof a->places[0]);
  if (!a) return end;
  *a = (ahead){.reading = {{.run = read_ahead}, a}, .hashing = {{.run = verify_ahead}, a}, .refs = 2, .bs = bs};
  uint64_t to = collect(a, spans, from, end);
  if (a->n) {
    ipfsa_pool_submit(pool, &a->reading.task);
    ipfsa_pool_submit(pool, &a->hashing.task);
  } else {
    ipfsa_free(a);
  }
  return to;
}
