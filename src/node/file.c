/* A file that stays open for many reads at any offset. */
#include <ipfsa/read.h>

#include "node/path.h"
#include "unixfs/reader.h"
#include "unixfs/span.h"

struct ipfsa_file {
  ipfsa_blockstore *bs;
  ipfsa_file_reader *reader;
  ipfsa_span_map *spans;
};

ipfsa_status ipfsa_file_open(ipfsa_node *node, const char *path, ipfsa_file **ret, ipfsa_error *err) {
  ipfsa_cid cid;
  ipfsa_status status = ipfsa_node_resolve_block(node, path, &cid, err);
  if (status) return status;
  ipfsa_file *file = ipfsa_calloc(1, sizeof *file);
  if (!file) return ipfsa_fail_nomem(err);
  file->bs = node->bs;
  status = ipfsa_file_reader_open(node->bs, &cid, &file->reader, err);
  if (status == IPFSA_OK) status = ipfsa_span_map_new(node->bs, &cid, ipfsa_file_reader_size(file->reader), &file->spans, err);
  if (status) ipfsa_file_close(file);
  else *ret = file;
  return status;
}

void ipfsa_file_close(ipfsa_file *file) {
  if (!file) return;
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
    if (status) return status;
  }
  *ret_len = want;
  return IPFSA_OK;
}
