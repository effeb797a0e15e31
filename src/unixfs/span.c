#include "unixfs/span.h"

#include "base/alloc.h"
#include "base/error.h"
#include "unixfs/children.h"

#define MAX_SPANS 131072 /* kept at a time: 8 MiB, the leaves of 32 GiB; then all begins anew */

/* The children of one node whose children are leaves. */
typedef struct span_group {
  uint64_t start, end;
  size_t n;
  ipfsa_span spans[];
} span_group;

struct ipfsa_span_map {
  ipfsa_blockstore *bs;
  ipfsa_cid file;
  uint64_t size;
  span_group **groups; /* by start */
  size_t n, cap, n_spans, last; /* last: the group found before */
  bool refused;        /* this file is not of the shape, or its store has no places */
};

ipfsa_status ipfsa_span_map_new(ipfsa_blockstore *bs, const ipfsa_cid *file, uint64_t size, ipfsa_span_map **ret, ipfsa_error *err) {
  ipfsa_span_map *map = ipfsa_calloc(1, sizeof *map);
  if (!map) return ipfsa_fail_nomem(err);
  map->bs = bs;
  map->file = *file;
  map->size = size;
  *ret = map;
  return IPFSA_OK;
}

static void drop_groups(ipfsa_span_map *map) {
  while (map->n) ipfsa_free(map->groups[--map->n]);
  map->n_spans = map->last = 0;
}

void ipfsa_span_map_forget(ipfsa_span_map *map) {
  drop_groups(map);
  map->refused = false;
}

void ipfsa_span_map_free(ipfsa_span_map *map) {
  if (!map) return;
  drop_groups(map);
  ipfsa_free(map->groups);
  ipfsa_free(map);
}

/* ---- finding ---- */

/* The first group that begins behind off. */
static size_t group_after(const ipfsa_span_map *map, uint64_t off) {
  size_t lo = 0, hi = map->n;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    if (map->groups[mid]->start <= off) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

static bool holds(const span_group *g, uint64_t off) { return off >= g->start && off < g->end; }

static const span_group *find_group(ipfsa_span_map *map, uint64_t off) {
  if (map->last < map->n && holds(map->groups[map->last], off)) return map->groups[map->last];
  size_t after = group_after(map, off);
  if (after == 0 || !holds(map->groups[after - 1], off)) return NULL;
  map->last = after - 1;
  return map->groups[map->last];
}

static bool in_span(const ipfsa_span *span, uint64_t off) { return off >= span->start && off - span->start < span->place.len; }

/* The last one that begins at or before off. */
static size_t span_until(const span_group *g, uint64_t off) {
  size_t lo = 0, hi = g->n;
  while (lo + 1 < hi) {
    size_t mid = lo + (hi - lo) / 2;
    if (g->spans[mid].start <= off) lo = mid;
    else hi = mid;
  }
  return lo;
}

static const ipfsa_span *find_span(const span_group *g, uint64_t off) {
  uint32_t usual = g->spans[0].place.len; /* most files have leaves of one length */
  size_t guess = usual ? (size_t)((off - g->start) / usual) : 0;
  if (guess < g->n && in_span(&g->spans[guess], off)) return &g->spans[guess];
  const ipfsa_span *span = &g->spans[span_until(g, off)];
  return in_span(span, off) ? span : NULL;
}

void ipfsa_span_map_gap(const ipfsa_span_map *map, uint64_t off, uint64_t *ret_start, uint64_t *ret_end) {
  size_t after = group_after(map, off);
  const span_group *g = after ? map->groups[after - 1] : NULL;
  *ret_start = 0;
  *ret_end = map->size;
  if (!g || !holds(g, off)) return;
  size_t from = span_until(g, off), to = from + 1;
  while (from > 0 && g->spans[from - 1].place.len == 0) from--;
  while (to < g->n && g->spans[to].place.len == 0) to++;
  *ret_start = g->spans[from].start;
  *ret_end = to < g->n ? g->spans[to].start : g->end;
}

/* ---- loading ---- */

static bool child_at(const ipfsa_file_node *in, uint64_t off, ipfsa_child *ret) {
  ipfsa_child_iter it = ipfsa_file_children(in);
  while (ipfsa_child_next(&it, ret))
    if (off - ret->start < ret->size) return true;
  return false;
}

static bool is_leaf(ipfsa_span_map *map, const ipfsa_child *c, ipfsa_place *ret) { return ipfsa_blockstore_locate(map->bs, &c->cid, ret) && ret->len == c->size; }

static span_group *new_group(ipfsa_span_map *map, size_t n) {
  if (map->n_spans + n > MAX_SPANS) drop_groups(map);
  if (n > MAX_SPANS || !ipfsa_grow((void **)&map->groups, &map->cap, map->n + 1, sizeof(span_group *))) return NULL;
  return ipfsa_calloc(1, sizeof(span_group) + n * sizeof(ipfsa_span));
}

static bool add_group(ipfsa_span_map *map, span_group *g) {
  size_t at = group_after(map, g->start);
  bool ok = g->n > 0 && g->end > g->start;
  if (!ok) return ipfsa_free(g), false;
  memmove(map->groups + at + 1, map->groups + at, (map->n - at) * sizeof *map->groups);
  map->groups[at] = g;
  map->n++;
  map->n_spans += g->n;
  return true;
}

/* A child that is no leaf, or a small one, keeps a length of 0: there the file is read in the usual way. False: all of them are such. */
static bool load_children(ipfsa_span_map *map, const ipfsa_file_node *in) {
  span_group *g = new_group(map, in->node.n_links);
  bool any = false;
  if (!g) return false;
  g->start = g->end = in->start;
  ipfsa_child c;
  for (ipfsa_child_iter it = ipfsa_file_children(in); g->n < in->node.n_links && ipfsa_child_next(&it, &c); g->end = it.at) {
    ipfsa_span *span = &g->spans[g->n++];
    if (is_leaf(map, &c, &span->place)) any = true;
    else span->place.len = 0;
    span->start = c.start;
  }
  if (any) return add_group(map, g);
  ipfsa_free(g);
  return false;
}

static bool load_single(ipfsa_span_map *map, const ipfsa_child *c, const ipfsa_place *place) {
  span_group *g = new_group(map, 1);
  if (!g) return false;
  g->start = c->start;
  g->end = c->start + c->size;
  g->spans[g->n++] = (ipfsa_span){c->start, *place};
  return add_group(map, g);
}

static bool load_inner(ipfsa_span_map *map, const ipfsa_child *c, ipfsa_block *ret_block, ipfsa_file_node *ret) {
  *ret = (ipfsa_file_node){.start = c->start};
  return c->cid.codec == IPFSA_CODEC_DAG_PB && ipfsa_blockstore_get(map->bs, &c->cid, ret_block, NULL) == IPFSA_OK && ipfsa_file_node_decode(ret_block->data, ret) &&
         ret->u.data.len == 0;
}

/* Down to the last node above off: its children are what is asked for, though the one at off may be a leaf that is too small. */
static bool load(ipfsa_span_map *map, uint64_t off) {
  ipfsa_child at = {.cid = map->file, .size = map->size};
  ipfsa_place place;
  if (is_leaf(map, &at, &place)) return load_single(map, &at, &place);
  IPFSA_AUTO_BLOCK ipfsa_block above = {0};
  ipfsa_file_node in = {0};
  for (size_t depth = 0; depth < IPFSA_MAX_FILE_DEPTH; depth++) {
    IPFSA_AUTO_BLOCK ipfsa_block block = {0};
    ipfsa_file_node next;
    if (!load_inner(map, &at, &block, &next)) return depth > 0 && load_children(map, &in);
    ipfsa_block_release(&above);
    above = block;
    block = (ipfsa_block){0};
    in = next;
    if (!child_at(&in, off, &at)) return false;
    if (is_leaf(map, &at, &place)) return load_children(map, &in);
  }
  return false;
}

/* *ret_failed: nothing could be loaded there. */
static const ipfsa_span *find_or_load(ipfsa_span_map *map, uint64_t off, bool *ret_failed) {
  *ret_failed = false;
  if (map->refused) return NULL;
  const span_group *g = find_group(map, off);
  if (!g) *ret_failed = !load(map, off);
  if (!g && !*ret_failed) g = find_group(map, off);
  return g ? find_span(g, off) : NULL;
}

const ipfsa_span *ipfsa_span_map_find(ipfsa_span_map *map, uint64_t off) {
  bool failed;
  const ipfsa_span *span = find_or_load(map, off, &failed);
  if (failed) map->refused = true;
  return span;
}

const ipfsa_span *ipfsa_span_map_look(ipfsa_span_map *map, uint64_t off) {
  bool failed;
  return find_or_load(map, off, &failed);
}
