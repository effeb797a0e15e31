/* A file that stays open for many reads at any offset. */
#include "node/file.h"

#include "exchange/fetching.h"
#include "node/path.h"
#include "store/hold.h"
#include "store/pins.h"
#include "unixfs/missing.h"
#include "unixfs/reader.h"
#include "unixfs/span.h"
#include "unixfs/views.h"

#define MAX_REST_COPIED ((uint64_t)16 << 20) /* bytes of memory that a file at rest may keep */
#define MAX_REST_MAPPINGS 1024              /* of the 65530 of a process */

struct ipfsa_file {
  ipfsa_node *node;
  ipfsa_cid cid;
  ipfsa_lease *lease; /* of what is fetched: it outlives this process for a time */
  ipfsa_hold *hold;   /* from the first view on */
  ipfsa_views *views;
  bool views_writable;
  bool failed; /* a read or a view; its reader may stay so */
  bool woken; /* views of before are there, and nobody was given one since */
  ipfsa_progress_cb view_progress;
  void *view_progress_ctx;
  ipfsa_blockstore *bs;
  ipfsa_file_reader *reader;
  ipfsa_span_map *spans;
};

static ipfsa_status lease(ipfsa_file *file, ipfsa_error *err) {
  ipfsa_lease *lease = NULL;
  if (file->node->read_only) return IPFSA_OK;
  ipfsa_status status = ipfsa_lease_new(file->node->store, &lease, err);
  if (status == IPFSA_OK) status = ipfsa_lease_add(lease, &file->cid, err);
  if (status) ipfsa_lease_free(lease);
  else file->lease = lease;
  return status;
}

/* gc must not give the pages away; a node that writes nothing leaves that to its owner. */
static ipfsa_status hold(ipfsa_file *file, ipfsa_error *err) {
  if (file->hold || file->lease || file->node->read_only) return IPFSA_OK;
  return ipfsa_hold_new(file->node->store, &file->cid, &file->hold, err);
}

ipfsa_status ipfsa_file_open(ipfsa_node *node, const char *path, ipfsa_file **ret, ipfsa_error *err) {
  ipfsa_cid cid;
  ipfsa_status status = ipfsa_node_resolve_block(node, path, &cid, err);
  if (status) return status;
  ipfsa_file *file = ipfsa_calloc(1, sizeof *file);
  if (!file) return ipfsa_fail_nomem(err);
  file->node = node;
  file->cid = cid;
  file->bs = ipfsa_node_reading(node);
  if (node->fetching) status = lease(file, err);
  if (status == IPFSA_OK) status = ipfsa_file_reader_open(file->bs, &cid, &file->reader, err);
  /* Places are of this store, and looking for one asks nobody else. */
  if (status == IPFSA_OK) status = ipfsa_span_map_new(node->bs, &cid, ipfsa_file_reader_size(file->reader), &file->spans, err);
  if (status) ipfsa_file_close(file);
  else *ret = file;
  return status;
}

void ipfsa_file_close(ipfsa_file *file) {
  if (!file) return;
  ipfsa_views_free(file->views);
  ipfsa_lease_free(file->lease);
  ipfsa_hold_free(file->hold);
  ipfsa_span_map_free(file->spans);
  ipfsa_file_reader_close(file->reader);
  ipfsa_free(file);
}

uint64_t ipfsa_file_length(const ipfsa_file *file) { return ipfsa_file_reader_size(file->reader); }

/* What one leaf has of it, from where it lies; 0: nothing. */
static size_t read_leaf(ipfsa_file *file, uint64_t off, size_t len, void *data) {
  const ipfsa_span *span = ipfsa_span_map_find(file->spans, off);
  if (!span) return 0;
  uint32_t from = (uint32_t)(off - span->start), n = span->place.len - from;
  if (n > len) n = (uint32_t)len;
  return ipfsa_blockstore_read_place(file->bs, &span->place, from, n, data) ? n : 0;
}

ipfsa_status ipfsa_file_read_at(ipfsa_file *file, uint64_t off, void *data, size_t len, size_t *ret_len, ipfsa_error *err) {
  uint64_t size = ipfsa_file_length(file), left = off < size ? size - off : 0;
  size_t want = left < len ? (size_t)left : len, done = 0;
  while (done < want) {
    size_t n = read_leaf(file, off + done, want - done, (uint8_t *)data + done);
    if (n == 0) break;
    done += n;
  }
  if (done < want) {
    size_t n = 0;
    ipfsa_status status = ipfsa_file_reader_read_at(file->reader, (uint8_t *)data + done, want - done, off + done, &n, err);
    if (status == IPFSA_OK && n < want - done) status = ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: the file ends %zu bytes early", want - done - n);
    if (status) return file->failed = true, status;
  }
  *ret_len = want;
  return IPFSA_OK;
}

static ipfsa_status begin_views(ipfsa_file *file, ipfsa_error *err) {
  file->woken = false;
  if (file->views) return IPFSA_OK;
  ipfsa_status status = hold(file, err);
  if (status == IPFSA_OK) status = ipfsa_views_new(file->bs, file->reader, file->spans, &file->views, err);
  if (status == IPFSA_OK && file->views_writable) ipfsa_views_set_writable(file->views);
  return status;
}

bool ipfsa_file_rest(ipfsa_file *file) {
  uint64_t copied;
  size_t mappings;
  if (!file->hold || !file->views || file->views_writable || file->failed) return false;
  ipfsa_views_cost(file->views, &copied, &mappings);
  if (copied > MAX_REST_COPIED || mappings > MAX_REST_MAPPINGS) return false;
  ipfsa_hold_rest(file->hold);
  ipfsa_file_set_view_progress(file, NULL, NULL); /* who wakes it may be another */
  return true;
}

bool ipfsa_file_wake(ipfsa_file *file) { return file->woken = ipfsa_hold_wake(file->hold) && ipfsa_views_wake(file->views); }

void ipfsa_file_set_views_writable(ipfsa_file *file) {
  file->views_writable = true;
  if (!file->woken) return;
  ipfsa_views_free(file->views); /* they are not to be written to */
  file->views = NULL;
}

void ipfsa_file_set_view_progress(ipfsa_file *file, ipfsa_progress_cb progress, void *ctx) {
  file->view_progress = progress;
  file->view_progress_ctx = ctx;
}

/* What is not here comes first, leaf after leaf: then it has places. */
static ipfsa_status fetch_range(ipfsa_file *file, uint64_t off, uint64_t end, ipfsa_error *err) {
  ipfsa_progress at = {.total_bytes = end - off};
  uint64_t begin = off;
  uint64_t before = file->node->fetching ? ipfsa_fetching_count(file->bs) : 0;
  ipfsa_status status = IPFSA_OK;
  while (file->node->fetching && status == IPFSA_OK && off < end) {
    const ipfsa_span *span = ipfsa_span_map_find(file->spans, off);
    ipfsa_bytes piece = {0};
    if (!span) status = ipfsa_file_reader_seek(file->reader, off, err);
    if (!span && status == IPFSA_OK) status = ipfsa_file_reader_next(file->reader, &piece, err);
    if (!span && status == IPFSA_OK && piece.len == 0) status = ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: the file ends early, at byte %llu", (unsigned long long)off);
    off = span ? span->start + span->place.len : off + piece.len;
    at.done_bytes = (off < end ? off : end) - begin;
    if (!span && status == IPFSA_OK && file->view_progress && file->view_progress(file->view_progress_ctx, &at)) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  }
  if (file->node->fetching && ipfsa_fetching_count(file->bs) != before) ipfsa_span_map_forget(file->spans);
  return status;
}

ipfsa_status ipfsa_file_view(ipfsa_file *file, uint64_t off, uint64_t len, ipfsa_view *ret, ipfsa_error *err) {
  uint64_t size = ipfsa_file_length(file);
  const uint8_t *data = NULL;
  ipfsa_view view = {.data = "", .size = len};
  ipfsa_pool *pool = NULL;
  if (off > size || len > size - off)
    return ipfsa_fail(err, IPFSA_E_INVALID, "bytes %llu to %llu of a file that has %llu", (unsigned long long)off, (unsigned long long)(off + len),
                      (unsigned long long)size);
  ipfsa_status status = begin_views(file, err);
  if (status == IPFSA_OK) status = fetch_range(file, off, off + len, err);
  if (status == IPFSA_OK && ipfsa_views_want_pool(file->views, off, len)) (void)ipfsa_node_pool(file->node, &pool, NULL); /* without one it takes longer */
  if (file->views) ipfsa_views_set_progress(file->views, file->view_progress, file->view_progress_ctx);
  if (status == IPFSA_OK && len) status = ipfsa_views_get(file->views, pool, off, len, &data, &view.mapped, err);
  if (status) return file->failed = true, status;
  if (data) view.data = data;
  *ret = view;
  return IPFSA_OK;
}

ipfsa_status ipfsa_file_missing_ranges(ipfsa_file *file, ipfsa_range_cb cb, void *ctx, ipfsa_error *err) {
  return ipfsa_file_missing(file->node->bs, &file->cid, ipfsa_file_length(file), cb, ctx, err);
}

bool ipfsa_file_leaf_at(ipfsa_file *file, uint64_t off, ipfsa_source_leaf *ret) {
  const ipfsa_span *span = off < ipfsa_file_length(file) ? ipfsa_span_map_find(file->spans, off) : NULL;
  if (!span) return false;
  ret->start = span->start;
  ret->end = span->start + span->place.len;
  ret->id[0] = (uint8_t)span->place.kind;
  memcpy(ret->id + 1, span->place.digest, 32);
  return true;
}
