/* Content as a tar stream (POSIX.1-2001, "ustar" with PAX headers where a name, a link or a size needs one), written as it is read. */
#include <ipfsa/read.h>

#include "node/get.h"
#include "node/get_room.h"
#include "node/path.h"
#include "unixfs/reader.h"

#define TAR_BLOCK 512
#define MAX_TAR_DEPTH IPFSA_MAX_PATH_SEGMENTS

typedef struct tar_entry {
  char *name;
  ipfsa_cid cid;
} tar_entry;

typedef struct tar_folder {
  tar_entry *entries;
  size_t n, cap, next, path_len;
  ipfsa_status status; /* of collecting its entries */
} tar_folder;

typedef struct tar_run {
  ipfsa_node *node;
  ipfsa_write_cb write;
  void *ctx;
  ipfsa_get_options o;
  ipfsa_progress at;
  ipfsa_buf path;
  tar_folder stack[MAX_TAR_DEPTH];
  size_t depth;
} tar_run;

static ipfsa_status give(tar_run *run, const void *data, size_t len, ipfsa_error *err) {
  if (len == 0 || run->write(run->ctx, data, len) == 0) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_CANCELLED, "the output takes no more");
}

static ipfsa_status give_padding(tar_run *run, uint64_t size, ipfsa_error *err) {
  static const char zeros[TAR_BLOCK];
  return give(run, zeros, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK, err);
}

static void put_octal(char *field, size_t width, uint64_t v) { snprintf(field, width, "%0*llo", (int)width - 1, (unsigned long long)v); }

#define MAX_OCTAL_SIZE (((uint64_t)1 << 33) - 1) /* eleven digits */

static void make_header(char head[TAR_BLOCK], const char *name, size_t name_len, char type, uint64_t size, const ipfsa_unixfs_meta *meta,
                        const char *target) {
  memset(head, 0, TAR_BLOCK);
  memcpy(head, name, name_len < 100 ? name_len : 100);
  uint32_t mode = meta->mode ? meta->mode & 0777 : type == '5' ? 0755 : 0644;
  put_octal(head + 100, 8, mode);
  put_octal(head + 108, 8, 0);
  put_octal(head + 116, 8, 0);
  put_octal(head + 124, 12, size <= MAX_OCTAL_SIZE ? size : 0);
  put_octal(head + 136, 12, meta->has_mtime && meta->mtime_s > 0 ? (uint64_t)meta->mtime_s & MAX_OCTAL_SIZE : 0);
  memset(head + 148, ' ', 8);
  head[156] = type;
  if (target) memcpy(head + 157, target, strnlen(target, 100));
  memcpy(head + 257, "ustar\00000", 8);
  unsigned sum = 0;
  for (int i = 0; i < TAR_BLOCK; i++) sum += (unsigned char)head[i];
  snprintf(head + 148, 8, "%06o", sum);
}

/* "LENGTH key=value\n", where the length counts itself. */
static void put_pax(ipfsa_buf *buf, const char *key, const char *value, size_t value_len) {
  size_t body = strlen(key) + value_len + 3, len = body + 1;
  for (size_t digits = 0; digits != len; digits = len, len = body + (size_t)snprintf(NULL, 0, "%zu", digits)) continue;
  ipfsa_buf_printf(buf, "%zu %s=", len, key);
  ipfsa_buf_append(buf, value, value_len);
  ipfsa_buf_u8(buf, '\n');
}

static ipfsa_status give_header(tar_run *run, char type, uint64_t size, const ipfsa_unixfs_meta *meta, const char *target, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf pax = {0};
  char head[TAR_BLOCK], number[24];
  const char *name = (const char *)run->path.data;
  if (run->path.len > 100) put_pax(&pax, "path", name, run->path.len);
  if (target && strlen(target) > 100) put_pax(&pax, "linkpath", target, strlen(target));
  if (size > MAX_OCTAL_SIZE) put_pax(&pax, "size", number, (size_t)snprintf(number, sizeof number, "%llu", (unsigned long long)size));
  ipfsa_status status = ipfsa_buf_status(&pax, err);
  if (status == IPFSA_OK && pax.len) {
    make_header(head, "PaxHeader", 9, 'x', pax.len, &(ipfsa_unixfs_meta){0}, NULL);
    status = give(run, head, sizeof head, err);
    if (status == IPFSA_OK) status = give(run, pax.data, pax.len, err);
    if (status == IPFSA_OK) status = give_padding(run, pax.len, err);
  }
  make_header(head, name, run->path.len, type, size, meta, target);
  return status ? status : give(run, head, sizeof head, err);
}

static ipfsa_status give_file(tar_run *run, const ipfsa_cid *cid, ipfsa_error *err) {
  ipfsa_file_reader *r = NULL;
  ipfsa_status status = ipfsa_file_reader_open(run->node->bs, cid, &r, err);
  if (status) return status;
  uint64_t size = ipfsa_file_reader_size(r), done = 0;
  ipfsa_unixfs_meta meta = ipfsa_file_reader_meta(r);
  status = give_header(run, '0', size, &meta, NULL, err);
  while (status == IPFSA_OK && done < size) {
    ipfsa_bytes piece;
    status = ipfsa_file_reader_next(r, &piece, err);
    if (status == IPFSA_OK && (piece.len == 0 || piece.len > size - done)) status = ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: a file of another length than it says");
    if (status == IPFSA_OK) status = give(run, piece.data, piece.len, err);
    done += piece.len;
    run->at.done_bytes += piece.len;
    bool stop = ipfsa_node_is_cancelled(run->node) || (run->o.progress && run->o.progress(run->o.progress_ctx, &run->at) != 0);
    if (status == IPFSA_OK && stop) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  }
  ipfsa_file_reader_close(r);
  return status ? status : give_padding(run, size, err);
}

static ipfsa_status give_symlink(tar_run *run, const ipfsa_cid *cid, const ipfsa_unixfs_meta *meta, ipfsa_error *err) {
  IPFSA_AUTO_FREE char *target = NULL;
  size_t len = 0;
  ipfsa_status status = ipfsa_unixfs_readlink(run->node->bs, cid, &target, &len, err);
  if (status == IPFSA_OK && strlen(target) != len) status = ipfsa_fail(err, IPFSA_E_DENIED, "a symbolic link with a NUL in its target");
  return status ? status : give_header(run, '2', 0, meta, target, err);
}

static bool name_leads_out(ipfsa_bytes name) {
  bool dots = (name.len == 1 && name.data[0] == '.') || (name.len == 2 && memcmp(name.data, "..", 2) == 0);
  return name.len == 0 || name.len > IPFSA_MAX_NAME || dots || memchr(name.data, '/', name.len) || memchr(name.data, 0, name.len);
}

static int collect(void *ctx, const ipfsa_dir_entry *entry) {
  tar_folder *f = ctx;
  f->status = name_leads_out(entry->name) ? IPFSA_E_DENIED : IPFSA_E_NOMEM;
  char *name = f->status == IPFSA_E_DENIED ? NULL : ipfsa_malloc(entry->name.len + 1);
  if (!name || !ipfsa_grow((void **)&f->entries, &f->cap, f->n + 1, sizeof *f->entries)) return ipfsa_free(name), 1;
  memcpy(name, entry->name.data, entry->name.len);
  name[entry->name.len] = '\0';
  f->entries[f->n++] = (tar_entry){name, entry->cid};
  f->status = IPFSA_OK;
  return 0;
}

static ipfsa_status open_folder(tar_run *run, const ipfsa_cid *cid, const ipfsa_unixfs_meta *meta, ipfsa_error *err) {
  if (run->depth == MAX_TAR_DEPTH) return ipfsa_fail(err, IPFSA_E_LIMIT, "over %d folders in one another", MAX_TAR_DEPTH);
  size_t path_len = run->path.len;
  ipfsa_buf_u8(&run->path, '/');
  ipfsa_status status = give_header(run, '5', 0, meta, NULL, err);
  run->path.len = path_len;
  tar_folder *f = &run->stack[run->depth++];
  *f = (tar_folder){.path_len = path_len};
  if (status == IPFSA_OK) status = ipfsa_dir_list(run->node->bs, cid, collect, f, err);
  if (f->status == IPFSA_E_NOMEM) return ipfsa_fail_nomem(err);
  if (f->status) return ipfsa_fail(err, IPFSA_E_DENIED, "a directory holds a name that no archive may hold (empty, over 255 bytes, \"..\", with \"/\" or NUL)");
  return status;
}

static void close_folder(tar_folder *f) {
  for (size_t i = 0; i < f->n; i++) ipfsa_free(f->entries[i].name);
  ipfsa_free(f->entries);
}

static ipfsa_status give_one(tar_run *run, const ipfsa_cid *cid, ipfsa_error *err) {
  ipfsa_unixfs_stat st;
  ipfsa_status status = ipfsa_unixfs_stat_get(run->node->bs, cid, &st, err);
  if (status) return status;
  if (st.type == IPFSA_UNIXFS_DIRECTORY || st.type == IPFSA_UNIXFS_HAMT) return open_folder(run, cid, &st.meta, err);
  return st.type == IPFSA_UNIXFS_SYMLINK ? give_symlink(run, cid, &st.meta, err) : give_file(run, cid, err);
}

static ipfsa_status give_below(tar_run *run, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  while (status == IPFSA_OK && run->depth) {
    tar_folder *f = &run->stack[run->depth - 1];
    run->path.len = f->path_len;
    if (f->next == f->n) {
      close_folder(f);
      run->depth--;
      continue;
    }
    tar_entry *entry = &f->entries[f->next++];
    ipfsa_buf_u8(&run->path, '/');
    ipfsa_buf_str(&run->path, entry->name);
    status = ipfsa_buf_status(&run->path, err);
    if (status == IPFSA_OK) status = give_one(run, &entry->cid, err);
  }
  while (run->depth) close_folder(&run->stack[--run->depth]);
  return status;
}

ipfsa_status ipfsa_get_tar(ipfsa_node *node, const char *path, ipfsa_write_cb write, void *ctx, const ipfsa_get_options *given, ipfsa_error *err) {
  static const char end[2 * TAR_BLOCK];
  ipfsa_resolved at;
  char text[IPFSA_MAX_CID_TEXT];
  ipfsa_unixfs_stat st;
  ipfsa_get_options o = IPFSA_OPTIONS(ipfsa_get_options, given);
  ipfsa_status status = ipfsa_node_resolve(node, path, &at, err);
  if (status == IPFSA_OK && o.room_in) status = ipfsa_unixfs_stat_get(node->bs, &at.cid, &st, err);
  if (status == IPFSA_OK && o.room_in) status = ipfsa_get_check_room(NULL, path, o.room_in, st.cumulative > st.size ? st.cumulative : st.size, err);
  if (status) return status;
  tar_run *run = ipfsa_calloc(1, sizeof *run);
  if (!run) return ipfsa_fail_nomem(err);
  run->node = node;
  run->write = write;
  run->ctx = ctx;
  run->o = o;
  ipfsa_cid_format(&at.cid, text);
  ipfsa_buf_str(&run->path, at.name[0] ? at.name : text);
  status = ipfsa_buf_status(&run->path, err);
  if (status == IPFSA_OK) status = give_one(run, &at.cid, err);
  if (status == IPFSA_OK) status = give_below(run, err);
  if (status == IPFSA_OK) status = give(run, end, sizeof end, err);
  while (run->depth) close_folder(&run->stack[--run->depth]);
  ipfsa_buf_release(&run->path);
  ipfsa_free(run);
  return status;
}
