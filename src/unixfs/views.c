/* An image is a range of addresses for a range of the file. Leaves that lie together in a pack, at the same distance from a page border as in the image,
 * are shown by one mapping of the pack; its pages that another piece has a part of, and everything else, are private and filled by reading. An image
 * takes in what lies together with what was asked for, up to the borders of a cell, so that a million small tensors need few mappings. */
#include "unixfs/views.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/map.h"
#include "unixfs/views_inside.h"

#define PAGE ((uint64_t)4096)
#define CELL ((uint64_t)1 << 30) /* bytes of a file that an image takes in at once */
#define GAP ((uint64_t)1 << 20)  /* bytes of a file that are read at once where leaves cannot be mapped */
#define MAX_AHEAD ((uint64_t)64 << 20) /* bytes that are verified ahead of one who goes through the file in order; */
#define MIN_AHEAD ((uint64_t)2 << 20)  /* fewer are not worth it: waking threads takes longer than hashing */

typedef ipfsa_view_piece piece;
typedef ipfsa_view_image image;

struct ipfsa_views {
  ipfsa_blockstore *bs;
  ipfsa_file_reader *reader;
  ipfsa_span_map *spans;
  uint64_t size;
  image *images; /* by start */
  int page_map;  /* of ipfsa_fs_open_page_map */
  size_t n, cap, n_mappings;
  struct view_order { /* of one who goes through the file from its beginning on */
    uint64_t last_end; /* of the view at hand, then of the one before */
    uint64_t seen;     /* bytes he has asked for so far; 0: he does not go on in order */
    uint64_t ahead_to; /* what was asked for ahead of him */
    ipfsa_pool *pool;  /* for the view at hand */
  } order;
  bool writable;
  /* Packs that are shown, each by a place in it, and when it was last written to before that. */
  struct view_pack { ipfsa_place place; uint64_t changed_ns; } *packs;
  size_t n_packs, packs_cap;
  bool untold; /* there was no memory for one of them */
  ipfsa_view_ask ask;
};

ipfsa_status ipfsa_views_new(ipfsa_blockstore *bs, ipfsa_file_reader *reader, ipfsa_span_map *spans, ipfsa_views **ret, ipfsa_error *err) {
  ipfsa_views *v = ipfsa_calloc(1, sizeof *v);
  if (!v) return ipfsa_fail_nomem(err);
  *v = (ipfsa_views){.bs = bs, .reader = reader, .spans = spans, .size = ipfsa_file_reader_size(reader), .page_map = ipfsa_fs_open_page_map()};
  *ret = v;
  return IPFSA_OK;
}

void ipfsa_views_set_writable(ipfsa_views *v) { v->writable = true; }

void ipfsa_views_set_progress(ipfsa_views *v, ipfsa_progress_cb progress, void *ctx) {
  v->ask = (ipfsa_view_ask){.progress = progress, .ctx = ctx};
}

static void release_image(image *img) {
  ipfsa_fs_unmap(img->room, img->room_len);
  ipfsa_free(img->pieces);
  *img = (image){0};
}

void ipfsa_views_free(ipfsa_views *v) {
  if (!v) return;
  for (size_t i = 0; i < v->n; i++) release_image(&v->images[i]);
  ipfsa_fs_close(&v->page_map);
  ipfsa_free(v->images);
  ipfsa_free(v->packs);
  ipfsa_free(v);
}

static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }
static uint64_t smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* ---- pieces ---- */

static bool is_placed(const piece *p) { return p->place.len > 0; }
static uint64_t phase_of(const piece *p) { return (p->place.off - p->start) % PAGE; } /* equal ones can share an image */

static bool follows(const piece *a, const piece *b) {
  return is_placed(a) && is_placed(b) && a->end == b->start && ipfsa_place_follows(&a->place, &b->place);
}

static piece of_span(const ipfsa_span *span) { return (piece){.start = span->start, .end = span->start + span->place.len, .place = span->place}; }

/* The piece that begins at off. */
static piece piece_from(ipfsa_views *v, uint64_t off) {
  const ipfsa_span *span = ipfsa_span_map_find(v->spans, off);
  if (span && span->start == off && (span->place.off - off) % IPFSA_VIEW_ALIGN == 0) return of_span(span);
  uint64_t start, end, border = off - off % GAP + GAP;
  if (span) return (piece){.start = off, .end = span->start + span->place.len};
  ipfsa_span_map_gap(v->spans, off, &start, &end);
  return (piece){.start = off, .end = smaller(smaller(end, border), v->size)};
}

/* Where an image begins that has off: back over leaves that lie together. */
static uint64_t begin_of(ipfsa_views *v, uint64_t off) {
  const ipfsa_span *span = ipfsa_span_map_find(v->spans, off);
  if (!span) {
    uint64_t start, end;
    ipfsa_span_map_gap(v->spans, off, &start, &end);
    return larger(start, off - off % GAP);
  }
  piece first = of_span(span);
  for (uint64_t cell = off - off % CELL; first.start > cell;) {
    span = ipfsa_span_map_find(v->spans, first.start - 1);
    if (!span) break;
    piece before = of_span(span);
    if (!follows(&before, &first)) break;
    first = before;
  }
  return first.start;
}

static ipfsa_status add_piece(image *img, const piece *p, ipfsa_error *err) {
  if (img->n == IPFSA_MAX_VIEW_LEAVES) return ipfsa_fail(err, IPFSA_E_LIMIT, "a view of over %d leaves; take a part", IPFSA_MAX_VIEW_LEAVES);
  if (!ipfsa_grow((void **)&img->pieces, &img->cap, img->n + 1, sizeof *img->pieces)) return ipfsa_fail_nomem(err);
  img->pieces[img->n++] = *p;
  img->end = p->end;
  return IPFSA_OK;
}

/* Everything up to `end`, and on while leaves lie together. */
static ipfsa_status collect(ipfsa_views *v, image *img, uint64_t off, uint64_t end, ipfsa_error *err) {
  uint64_t cell_end = off - off % CELL + CELL;
  ipfsa_status status = IPFSA_OK;
  img->start = img->end = begin_of(v, off);
  while (status == IPFSA_OK && img->end < v->size && (img->end < end || img->end < cell_end)) {
    piece p = piece_from(v, img->end);
    if (img->end >= end && !follows(&img->pieces[img->n - 1], &p)) break;
    status = add_piece(img, &p, err);
  }
  return status;
}

/* ---- addresses ---- */

/* Where the first placed piece begins in its pack, less where it begins in the file. */
static uint64_t shift_of_image(const image *img) {
  for (size_t i = 0; i < img->n; i++)
    if (is_placed(&img->pieces[i])) return img->pieces[i].place.off - img->pieces[i].start;
  return 0;
}

/* A large image has the distance from a border of its pages' table that the pack has: the kernel can then show large pages by one entry. */
static ipfsa_status reserve(image *img, ipfsa_error *err) {
  uint64_t size = img->end - img->start, border = size < IPFSA_PAGE_TABLE ? PAGE : IPFSA_PAGE_TABLE, len = (size + 2 * border) & ~(PAGE - 1);
  img->room = len <= SIZE_MAX ? ipfsa_fs_reserve((size_t)len) : NULL;
  if (!img->room) return ipfsa_fail(err, IPFSA_E_NOMEM, "no addresses for a view of %llu bytes", (unsigned long long)size);
  img->room_len = (size_t)len;
  img->data = img->room + (img->start + shift_of_image(img) - (uintptr_t)img->room) % border;
  return IPFSA_OK;
}

static uint64_t phase_of_image(const image *img) { return shift_of_image(img) % PAGE; }

/* A file's leaves come pack by pack: a look back finds the one that was noted. */
static void note_pack(ipfsa_views *v, const ipfsa_place *place) {
  for (size_t i = v->n_packs; i-- > 0;)
    if (v->packs[i].place.pack == place->pack) return;
  if (!ipfsa_grow((void **)&v->packs, &v->packs_cap, v->n_packs + 1, sizeof *v->packs)) v->untold = true;
  else v->packs[v->n_packs++] = (struct view_pack){*place, ipfsa_blockstore_changed_ns(v->bs, place)};
}

/* Pieces [i, j) lie together and in phase: one mapping. Pages at the image's own borders may show what is beside it in the pack. */
static void map_stretch(ipfsa_views *v, image *img, size_t i, size_t j) {
  const piece *first = &img->pieces[i];
  uint64_t lead = (uint64_t)(img->data - img->room), from = lead + first->start - img->start, to = lead + img->pieces[j - 1].end - img->start;
  uint64_t map_from = i == 0 ? from & ~(PAGE - 1) : (from + PAGE - 1) & ~(PAGE - 1);
  uint64_t map_to = j < img->n ? to & ~(PAGE - 1) : (to + PAGE - 1) & ~(PAGE - 1);
  if (map_from >= map_to || v->n_mappings == IPFSA_MAX_VIEW_MAPPINGS) return;
  note_pack(v, &first->place);
  if (!ipfsa_blockstore_map(v->bs, &img->pieces[j - 1].place, first->place.off + map_from - from, map_to - map_from, img->room + map_from)) return;
  if (v->writable && !ipfsa_fs_set_writable(img->room + map_from, (size_t)(map_to - map_from), true)) return; /* then all of it is copied */
  v->n_mappings++;
  uint64_t shown_from = larger(from, map_from) - lead + img->start, shown_to = smaller(to, map_to) - lead + img->start;
  for (size_t k = i; k < j; k++) {
    piece *p = &img->pieces[k];
    p->map_from = smaller(larger(shown_from, p->start), p->end);
    p->map_to = smaller(larger(shown_to, p->start), p->end);
  }
}

static void map_pieces(ipfsa_views *v, image *img) {
  uint64_t phase = phase_of_image(img);
  for (size_t i = 0, j; i < img->n; i = j) {
    j = i + 1;
    if (!is_placed(&img->pieces[i]) || phase_of(&img->pieces[i]) != phase) continue;
    while (j < img->n && follows(&img->pieces[j - 1], &img->pieces[j])) j++;
    map_stretch(v, img, i, j);
  }
}

static ipfsa_status make_image(ipfsa_views *v, uint64_t off, uint64_t end, image *ret, ipfsa_error *err) {
  image img = {.page_map = v->page_map};
  ipfsa_status status = collect(v, &img, off, end, err);
  if (status == IPFSA_OK) status = reserve(&img, err);
  if (status) return ipfsa_free(img.pieces), status;
  map_pieces(v, &img);
  *ret = img;
  return IPFSA_OK;
}

/* ---- finding ---- */

static bool holds(const image *img, uint64_t off, uint64_t end) { return img->start <= off && end <= img->end; }

/* The number of images that begin at or before off. */
static size_t images_until(const ipfsa_views *v, uint64_t off) {
  size_t lo = 0, hi = v->n;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    if (v->images[mid].start <= off) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

static image *find_image(ipfsa_views *v, uint64_t off, uint64_t end) {
  for (size_t i = images_until(v, off); i-- > 0;)
    if (holds(&v->images[i], off, end)) return &v->images[i];
  return NULL;
}

static ipfsa_status image_of(ipfsa_views *v, uint64_t off, uint64_t end, image **ret, ipfsa_error *err) {
  image img;
  if ((*ret = find_image(v, off, end))) return IPFSA_OK;
  if (!ipfsa_grow((void **)&v->images, &v->cap, v->n + 1, sizeof *v->images)) return ipfsa_fail_nomem(err);
  ipfsa_status status = make_image(v, off, end, &img, err);
  if (status) return status;
  size_t at = images_until(v, img.start);
  memmove(v->images + at + 1, v->images + at, (v->n - at) * sizeof *v->images);
  v->images[at] = img;
  v->n++;
  *ret = &v->images[at];
  return IPFSA_OK;
}

/* ---- bytes ---- */

static ipfsa_status read_file(ipfsa_views *v, uint8_t *data, uint64_t off, uint64_t len, ipfsa_error *err) {
  size_t n = 0;
  ipfsa_status status = ipfsa_file_reader_read_at(v->reader, data, (size_t)len, off, &n, err);
  if (status == IPFSA_OK && n < len) return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: the file ends %llu bytes early", (unsigned long long)(len - n));
  return status;
}

/* What the store knows as verified is not hashed again. */
static ipfsa_status read_piece(ipfsa_views *v, const piece *p, uint8_t *data, uint64_t from, uint64_t to, ipfsa_error *err) {
  if (is_placed(p) && ipfsa_blockstore_read_place(v->bs, &p->place, (uint32_t)(from - p->start), (uint32_t)(to - from), data)) return IPFSA_OK;
  return read_file(v, data, from, to - from, err);
}

/* [from, to) of a piece into private pages. Others may read what is in them already. */
static ipfsa_status copy_in(ipfsa_views *v, const image *img, const piece *p, uint64_t from, uint64_t to, ipfsa_error *err) {
  if (from == to) return IPFSA_OK;
  uint8_t *at = ipfsa_view_at(img, from);
  size_t lead = (uintptr_t)at % PAGE, len = (size_t)((lead + (to - from) + PAGE - 1) & ~(PAGE - 1));
  if (!ipfsa_fs_set_writable(at - lead, len, true)) return ipfsa_fail_nomem(err);
  ipfsa_status status = read_piece(v, p, at, from, to, err);
  if (!v->writable && !ipfsa_fs_set_writable(at - lead, len, false) && status == IPFSA_OK) return ipfsa_fail_nomem(err);
  return status;
}

static bool is_mapped(const piece *p) { return p->map_from < p->map_to; }

static ipfsa_status copy_piece(ipfsa_views *v, const image *img, piece *p, ipfsa_error *err) {
  if (is_mapped(p)) {
    ipfsa_status status = copy_in(v, img, p, p->start, p->map_from, err);
    return status ? status : copy_in(v, img, p, p->map_to, p->end, err);
  }
  ipfsa_status status = copy_in(v, img, p, p->start, p->end, err);
  p->ready = status == IPFSA_OK;
  return status;
}

/* A leaf that is not what it should be where it is mapped: reading it tells why. */
static ipfsa_status tell_why(ipfsa_views *v, const piece *p, ipfsa_error *err) {
  IPFSA_AUTO_FREE uint8_t *room = ipfsa_malloc((size_t)(p->end - p->start));
  if (!room) return ipfsa_fail_nomem(err);
  ipfsa_status status = read_file(v, room, p->start, p->end - p->start, err);
  return status ? status : ipfsa_fail_at(err, IPFSA_E_CHANGED, p->start, "what is stored of the file at byte %llu changed meanwhile; open it again", (unsigned long long)p->start);
}

static size_t piece_at(const image *img, uint64_t off) {
  size_t lo = 0, hi = img->n;
  while (lo + 1 < hi) {
    size_t mid = lo + (hi - lo) / 2;
    if (img->pieces[mid].start <= off) lo = mid;
    else hi = mid;
  }
  return lo;
}

/* ---- ahead ---- */

static bool goes_on(const struct view_order *o, uint64_t off) { return off >= o->last_end && off - o->last_end < GAP; }

bool ipfsa_views_want_pool(const ipfsa_views *v, uint64_t off, uint64_t len) { return len > MIN_AHEAD || (goes_on(&v->order, off) && v->order.seen + len > MIN_AHEAD); }

static void note_order(ipfsa_views *v, ipfsa_pool *pool, uint64_t off, uint64_t end) {
  struct view_order *o = &v->order;
  bool in_order = goes_on(o, off);
  if (!in_order || o->ahead_to <= off) o->ahead_to = 0;
  o->seen = in_order ? o->seen + (end - off) : 0;
  o->last_end = end;
  o->pool = pool;
}

/* Twice what he has seen, so that a few small tensors bring nothing else in; a quarter of it anew at a time, so that there is always something under way. What is in
 * memory may be followed by what is not, so it is begun when something is hashed, and then kept up. */
static void go_ahead(void *ctx) {
  ipfsa_views *v = ctx;
  struct view_order *o = &v->order;
  uint64_t most = o->seen < MAX_AHEAD / 2 ? 2 * o->seen : MAX_AHEAD;
  if (!o->pool || most < MIN_AHEAD || o->ahead_to > o->last_end + most / 4 * 3) return;
  uint64_t from = larger(o->last_end, o->ahead_to), to = smaller(o->last_end + most, v->size);
  if (from < to) o->ahead_to = ipfsa_views_ahead(v->bs, v->spans, from, to, o->pool);
}

/* Copies first: a leaf is hashed as a whole, wherever its bytes are. */
static ipfsa_status make_ready(ipfsa_views *v, ipfsa_pool *pool, const image *img, size_t first, uint64_t end, ipfsa_error *err) {
  size_t n = 0, last = first;
  piece *bad = NULL;
  ipfsa_status status = IPFSA_OK;
  const ipfsa_view_begun begun = {go_ahead, v};
  while (last < img->n && img->pieces[last].start < end) n += !img->pieces[last++].ready;
  if (n == 0) return IPFSA_OK;
  IPFSA_AUTO_FREE piece **todo = ipfsa_calloc(n, sizeof *todo);
  if (!todo) return ipfsa_fail_nomem(err);
  n = 0;
  for (size_t i = first; status == IPFSA_OK && i < last; i++) {
    piece *p = &img->pieces[i];
    if (p->ready) continue;
    status = copy_piece(v, img, p, err);
    if (!p->ready) todo[n++] = p;
    else if (status == IPFSA_OK && ipfsa_view_is_stopped(&v->ask, p->end)) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  }
  if (status == IPFSA_OK && n) status = ipfsa_views_verify(v->bs, img, todo, n, pool, &v->ask, &begun, &bad, err);
  return status == IPFSA_OK && bad ? tell_why(v, bad, err) : status;
}

ipfsa_status ipfsa_views_get(ipfsa_views *v, ipfsa_pool *pool, uint64_t off, uint64_t len, const uint8_t **ret, uint64_t *ret_mapped, ipfsa_error *err) {
  image *img = NULL;
  uint64_t end = off + len, mapped = 0;
  ipfsa_status status = image_of(v, off, end, &img, err);
  if (status) return status;
  size_t first = piece_at(img, off);
  v->ask.at = (ipfsa_progress){.total_bytes = len};
  v->ask.begin = v->ask.asked = off;
  note_order(v, pool, off, end);
  status = make_ready(v, pool, img, first, end, err);
  if (status) return status;
  if (v->order.ahead_to) go_ahead(v); /* all was known, thanks to that */
  for (size_t i = first; i < img->n && img->pieces[i].start < end; i++) {
    const piece *p = &img->pieces[i];
    uint64_t from = larger(p->map_from, off), to = smaller(p->map_to, end);
    if (from < to) mapped += to - from;
  }
  *ret = ipfsa_view_at(img, off);
  *ret_mapped = mapped;
  return IPFSA_OK;
}

/* ---- views that rested ---- */

void ipfsa_views_cost(const ipfsa_views *v, uint64_t *ret_copied, size_t *ret_mappings) {
  *ret_copied = 0;
  for (size_t i = 0; i < v->n; i++)
    for (size_t k = 0; k < v->images[i].n; k++) {
      const piece *p = &v->images[i].pieces[k];
      *ret_copied += p->end - p->start - (p->map_to - p->map_from);
    }
  *ret_mappings = v->n_mappings;
}

bool ipfsa_views_wake(ipfsa_views *v) {
  bool good = !v->untold;
  for (size_t i = 0; good && i < v->n_packs; i++)
    good = v->packs[i].changed_ns && ipfsa_blockstore_changed_ns(v->bs, &v->packs[i].place) == v->packs[i].changed_ns;
  v->order = (struct view_order){0};
  return good;
}
