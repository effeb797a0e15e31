/* Writing into a file: old bytes before, new ones, old ones behind, streamed through the importer as one source. Files are trickle DAGs of 174
 * links; with raw leaves a file of one chunk is that block. */
#include "base/source.h"
#include "node/files.h"
#include "unixfs/chunker.h"
#include "unixfs/importer.h"
#include "unixfs/reader.h"

#define FILES_WIDTH 174

typedef struct edit_source {
  ipfsa_source base;
  ipfsa_node *node;
  ipfsa_file_reader *old; /* NULL: no file before */
  uint64_t old_size, offset, count; /* count: new bytes still wanted */
  uint64_t pos;
  int fd;
  bool fd_over;
  uint8_t *peek; /* the first bytes, read ahead to choose the layout */
  size_t peek_len, peek_pos;
} edit_source;

/* Bytes of the old file, zeros where it ends before the new ones begin. */
static ipfsa_status read_old(edit_source *s, uint8_t *data, size_t len, ipfsa_error *err) {
  size_t n = 0;
  ipfsa_status status = IPFSA_OK;
  if (s->old && s->pos < s->old_size) status = ipfsa_file_reader_read_at(s->old, data, len, s->pos, &n, err);
  if (status) return status;
  if (n < len && s->pos + n < s->old_size)
    return ipfsa_fail(err, IPFSA_E_CORRUPT, "the old file ends at byte %llu of %llu; nothing was changed", (unsigned long long)(s->pos + n),
                      (unsigned long long)s->old_size);
  memset(data + n, 0, len - n);
  return IPFSA_OK;
}

static ipfsa_status read_edit(edit_source *s, uint8_t *data, size_t len, size_t *ret_len, ipfsa_error *err) {
  size_t done = 0;
  while (done < len) {
    size_t n = len - done;
    ipfsa_status status;
    if (ipfsa_node_is_cancelled(s->node)) return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
    if (s->pos < s->offset) {
      if (n > s->offset - s->pos) n = (size_t)(s->offset - s->pos);
      status = read_old(s, data + done, n, err);
    } else if (!s->fd_over && s->count) {
      size_t want = n < s->count ? n : (size_t)s->count;
      status = ipfsa_fs_read(s->fd, data + done, want, &n, err);
      s->count -= n;
      s->fd_over = n < want;
    } else if (s->pos < s->old_size) {
      if (n > s->old_size - s->pos) n = (size_t)(s->old_size - s->pos);
      status = read_old(s, data + done, n, err);
    } else {
      break;
    }
    if (status) return status;
    done += n;
    s->pos += n;
  }
  *ret_len = done;
  return IPFSA_OK;
}

static ipfsa_status read_source(ipfsa_source *self, void *data, size_t len, size_t *ret_len, ipfsa_error *err) {
  edit_source *s = (edit_source *)self;
  size_t n = s->peek_len - s->peek_pos < len ? s->peek_len - s->peek_pos : len, more = 0;
  memcpy(data, s->peek + s->peek_pos, n);
  s->peek_pos += n;
  ipfsa_status status = n < len ? read_edit(s, (uint8_t *)data + n, len - n, &more, err) : IPFSA_OK;
  if (status == IPFSA_OK) *ret_len = n + more;
  return status;
}

static ipfsa_status import_edit(ipfsa_files_txn *txn, edit_source *s, ipfsa_import_params *params, const ipfsa_unixfs_meta *meta, ipfsa_dag_ref *ret,
                                ipfsa_error *err) {
  ipfsa_importer *importer = NULL;
  ipfsa_pool *pool = NULL;
  size_t cap = ipfsa_chunker_max(&params->chunker) + 1;
  s->base = (ipfsa_source){.read = read_source, .size_hint = UINT64_MAX};
  s->peek = ipfsa_malloc(cap);
  if (!s->peek) return ipfsa_fail_nomem(err);
  ipfsa_status status = read_edit(s, s->peek, cap, &s->peek_len, err);
  bool one_chunk = s->peek_len > 0 && s->peek_len < cap;
  params->max_file_links = FILES_WIDTH;
  params->layout = params->raw_leaves && one_chunk ? IPFSA_LAYOUT_BALANCED : IPFSA_LAYOUT_TRICKLE;
  if (status == IPFSA_OK) status = ipfsa_node_pool(txn->node, &pool, err);
  if (status == IPFSA_OK) status = ipfsa_importer_new(params, txn->w, pool, &importer, err);
  if (status == IPFSA_OK) status = ipfsa_importer_file(importer, &s->base, meta, NULL, NULL, NULL, NULL, ret, err);
  ipfsa_importer_free(importer);
  ipfsa_free(s->peek);
  return status;
}

static ipfsa_status write_file(ipfsa_files_txn *txn, const ipfsa_files_path *path, const char *given, int fd, const ipfsa_files_write_options *o, ipfsa_error *err) {
  edit_source s = {.node = txn->node, .offset = o->offset, .count = o->count == IPFSA_FILES_NOTHING ? 0 : o->count ? o->count : UINT64_MAX, .fd = fd};
  ipfsa_import_params params = txn->params;
  ipfsa_unixfs_meta meta = {0};
  ipfsa_cid old;
  ipfsa_dag_ref ref;
  bool exists = false;
  ipfsa_status status = ipfsa_files_look(txn->node, &txn->root, path, path->n, &old, &exists, err);
  if (status == IPFSA_OK && !exists && !o->create) status = ipfsa_fail(err, IPFSA_E_NOT_FOUND, "file does not exist");
  if (status) return status;
  if (exists) {
    params = ipfsa_files_params_like(txn, &old);
    params.raw_leaves = params.cid_version == 1;
    status = ipfsa_file_reader_open(txn->node->bs, &old, &s.old, err);
    if (status == IPFSA_E_WRONG_TYPE) return ipfsa_fail(err, status, "%.200s was not a file", given);
    if (status) return status;
    meta = ipfsa_file_reader_meta(s.old);
    s.old_size = o->truncate ? 0 : ipfsa_file_reader_size(s.old);
  }
  status = ipfsa_files_choose(&params, o->cid_version_1, o->hash, err);
  if (o->cid_version_1 != IPFSA_UNSET || o->hash) params.raw_leaves = params.cid_version == 1;
  if (o->raw_leaves != IPFSA_UNSET) params.raw_leaves = o->raw_leaves == IPFSA_ON;
  if (meta.mode || meta.has_mtime) params.raw_leaves = false;
  if (status == IPFSA_OK) status = import_edit(txn, &s, &params, &meta, &ref, err);
  ipfsa_file_reader_close(s.old);
  return status ? status : ipfsa_files_set(txn, path, &ref, o->parents, err);
}

ipfsa_status ipfsa_files_write(ipfsa_node *node, const char *text, int fd, const ipfsa_files_write_options *given, ipfsa_error *err) {
  ipfsa_files_write_options o = IPFSA_OPTIONS(ipfsa_files_write_options, given);
  ipfsa_files_path path;
  ipfsa_files_txn txn;
  ipfsa_status status = ipfsa_files_parse(text, &path, err);
  if (status == IPFSA_OK && path.n == 0) return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "/ was not a file");
  if (status == IPFSA_OK) status = ipfsa_files_begin(node, NULL, &txn, err);
  if (status) return status;
  status = write_file(&txn, &path, text, fd, &o, err);
  if (status == IPFSA_OK) return ipfsa_files_commit(&txn, err);
  ipfsa_files_abort(&txn);
  return status;
}
