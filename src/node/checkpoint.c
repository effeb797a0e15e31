/* Checkpoints of this machine's files and of the store's: the places that have their files. */
#include <fcntl.h>
#include <ipfsa/checkpoint.h>
#include <ipfsa/read.h>
#include <string.h>

#include "base/buf.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/members.h"
#include "node/file.h"
#include "node/node.h"

typedef struct place {
  ipfsa_checkpoint_place base;
  ipfsa_node *node; /* NULL: the disk */
  const char *path; /* of the folder, or of the one file */
} place;

static char *join(const char *folder, const char *name) {
  IPFSA_AUTO_BUF ipfsa_buf text = {0};
  ipfsa_buf_str(&text, folder);
  if (*name) ipfsa_buf_printf(&text, "%s%s", *folder && folder[strlen(folder) - 1] == '/' ? "" : "/", name);
  ipfsa_buf_u8(&text, '\0');
  size_t len;
  return text.failed ? NULL : (char *)ipfsa_buf_take(&text, &len);
}

/* ---- files of the store ---- */

typedef struct content_source {
  ipfsa_source base;
  ipfsa_file *file;
} content_source;

static ipfsa_status read_content(ipfsa_source *self, void *data, size_t len, uint64_t off, ipfsa_error *err) {
  size_t n = 0;
  ipfsa_status status = ipfsa_file_read_at(((content_source *)self)->file, off, data, len, &n, err);
  if (status == IPFSA_OK && n < len) return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: the file ends %zu bytes early", len - n);
  return status;
}

static ipfsa_status view_content(ipfsa_source *self, uint64_t off, uint64_t len, const void **ret, uint64_t *ret_mapped, ipfsa_error *err) {
  ipfsa_view view;
  ipfsa_status status = ipfsa_file_view(((content_source *)self)->file, off, len, &view, err);
  if (status) return status;
  *ret = view.data;
  *ret_mapped = view.mapped;
  return IPFSA_OK;
}

static void make_writable(ipfsa_source *self) { ipfsa_file_set_views_writable(((content_source *)self)->file); }

static void ask_in_views(ipfsa_source *self, ipfsa_progress_cb progress, void *ctx) {
  ipfsa_file_set_view_progress(((content_source *)self)->file, progress, ctx);
}

static ipfsa_status missing_of_content(ipfsa_source *self, ipfsa_range_cb cb, void *ctx, ipfsa_error *err) {
  return ipfsa_file_missing_ranges(((content_source *)self)->file, cb, ctx, err);
}

static bool leaf_of_content(ipfsa_source *self, uint64_t off, ipfsa_source_leaf *ret) { return ipfsa_file_leaf_at(((content_source *)self)->file, off, ret); }

static bool rest_content(ipfsa_source *self) { return ipfsa_file_rest(((content_source *)self)->file); }
static bool wake_content(ipfsa_source *self) { return ipfsa_file_wake(((content_source *)self)->file); }

static void close_content(ipfsa_source *self) {
  ipfsa_file_close(((content_source *)self)->file);
  ipfsa_free(self);
}

static ipfsa_status open_content(ipfsa_node *node, const char *path, ipfsa_source **ret, ipfsa_error *err) {
  content_source *s = ipfsa_calloc(1, sizeof *s);
  if (!s) return ipfsa_fail_nomem(err);
  ipfsa_status status = ipfsa_file_open(node, path, &s->file, err);
  if (status) {
    ipfsa_free(s);
    return status;
  }
  s->base = (ipfsa_source){.read_at = read_content, .close = close_content, .size_hint = ipfsa_file_length(s->file), .map_fd = -1,
                           .view = view_content, .views_writable = make_writable, .view_progress = ask_in_views, .rest = rest_content, .wake = wake_content,
                           .missing = missing_of_content, .leaf_at = leaf_of_content};
  *ret = &s->base;
  return IPFSA_OK;
}

/* ---- files of the disk ---- */

static ipfsa_status open_local(const char *path, ipfsa_source **ret, ipfsa_error *err) {
  int fd = ipfsa_fs_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0, err);
  struct stat st;
  if (fd < 0) return err->status;
  ipfsa_status status = ipfsa_fs_fstat(fd, &st, err);
  if (status == IPFSA_OK && !S_ISREG(st.st_mode)) status = ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "%s is no file: a checkpoint is read at offsets", path);
  if (status == IPFSA_OK) status = ipfsa_source_open_fd(fd, true, path, ret, err);
  if (status) ipfsa_fs_close(&fd);
  return status;
}

/* ---- places ---- */

static ipfsa_status open_file(ipfsa_checkpoint_place *self, const char *name, ipfsa_source **ret, ipfsa_error *err) {
  place *p = (place *)self;
  IPFSA_AUTO_FREE char *path = join(p->path, name);
  if (!path) return ipfsa_fail_nomem(err);
  return p->node ? open_content(p->node, path, ret, err) : open_local(path, ret, err);
}

typedef struct listing {
  ipfsa_checkpoint_name_cb cb;
  void *ctx;
} listing;

static int pass_entry(void *ctx, const ipfsa_entry *entry) {
  listing *l = ctx;
  char name[IPFSA_MAX_SHARD_NAME + 1]; /* longer ones are no shards */
  if (entry->name_len > IPFSA_MAX_SHARD_NAME) return 0;
  memcpy(name, entry->name, entry->name_len);
  name[entry->name_len] = '\0';
  return l->cb(l->ctx, name) ? 0 : 1;
}

static int pass_name(void *ctx, const char *name, unsigned char type) {
  listing *l = ctx;
  (void)type;
  return l->cb(l->ctx, name) ? 0 : 1;
}

static ipfsa_status list_folder(ipfsa_checkpoint_place *self, ipfsa_checkpoint_name_cb cb, void *ctx, ipfsa_error *err) {
  place *p = (place *)self;
  listing l = {cb, ctx};
  if (p->node) return ipfsa_ls(p->node, p->path, false, pass_entry, &l, err);
  return ipfsa_fs_list(AT_FDCWD, p->path, pass_name, &l, err);
}

/* ---- opening ---- */

static ipfsa_status is_folder(ipfsa_node *node, const char *path, bool *ret, ipfsa_error *err) {
  struct stat st;
  *ret = false;
  if (!node) {
    ipfsa_status status = ipfsa_fs_stat_target(AT_FDCWD, path, &st, err);
    *ret = status == IPFSA_OK && S_ISDIR(st.st_mode);
    return status;
  }
  ipfsa_file *file = NULL;
  ipfsa_error why = {0};
  ipfsa_status status = ipfsa_file_open(node, path, &file, &why);
  ipfsa_file_close(file);
  *ret = status == IPFSA_E_WRONG_TYPE;
  if (status && !*ret) *err = why;
  return *ret ? IPFSA_OK : status;
}

/* The folder of a file, so that its neighbours are found; a CID alone has none. */
static ipfsa_status split(ipfsa_node *node, const char *path, char **ret_folder, const char **ret_name, ipfsa_error *err) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  size_t len = slash ? (size_t)(slash - path) : 0;
  char *folder = !slash && !node ? ipfsa_strdup(".") : len ? ipfsa_strndup(path, len) : ipfsa_strdup("/");
  if (!folder) return ipfsa_fail_nomem(err);
  if (node && ipfsa_path_parse(node, folder, NULL, NULL) != IPFSA_OK) {
    ipfsa_free(folder);
    folder = ipfsa_strdup(path);
    if (!folder) return ipfsa_fail_nomem(err);
    name = "";
  }
  *ret_folder = folder;
  *ret_name = name;
  return IPFSA_OK;
}

/* *ret_folder (owned): where its files are; *ret_name: which one, borrowed from path, NULL: what the folder has. */
static ipfsa_status find_place(ipfsa_node *node, const char *path, char **ret_folder, const char **ret_name, ipfsa_error *err) {
  bool folder = false;
  *ret_name = NULL;
  ipfsa_status status = is_folder(node, path, &folder, err);
  if (status || !folder) return status ? status : split(node, path, ret_folder, ret_name, err);
  *ret_folder = ipfsa_strdup(path);
  return *ret_folder ? IPFSA_OK : ipfsa_fail_nomem(err);
}

ipfsa_status ipfsa_checkpoint_open(ipfsa_node *node, const char *path, ipfsa_checkpoint **ret, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  IPFSA_AUTO_FREE char *folder = NULL;
  const char *name = NULL;
  bool constant = node && ipfsa_path_parse(NULL, path, NULL, NULL) == IPFSA_OK; /* a CID and what is below it; an alias may change */
  if (constant && (*ret = ipfsa_kept_take(&node->kept, path))) return IPFSA_OK;
  ipfsa_status status = find_place(node, path, &folder, &name, err);
  if (status) return status;
  place p = {{open_file, list_folder}, node, folder};
  status = ipfsa_checkpoint_load(&p.base, name, ret, err);
  if (status == IPFSA_OK && constant) ipfsa_kept_watch(&node->kept, *ret, path);
  return status;
}

/* ---- every byte ---- */

typedef struct reading {
  ipfsa_progress_cb progress;
  void *ctx;
  ipfsa_progress at;
  uint64_t before; /* bytes of the files that are done */
  ipfsa_members_check members;
  ipfsa_error why; /* of members, where a callback cannot tell it otherwise */
} reading;

static int on_read(void *ctx, const ipfsa_progress *p) {
  reading *r = ctx;
  r->at.done_bytes = r->before + p->done_bytes;
  return r->progress ? r->progress(r->ctx, &r->at) : 0;
}

static int take(void *ctx, const void *data, size_t len) {
  reading *r = ctx;
  return ipfsa_members_check_feed(&r->members, data, len, &r->why) == IPFSA_OK ? 0 : 1;
}

static ipfsa_status read_local(ipfsa_shard *s, reading *r, ipfsa_error *err) {
  enum { PIECE = 1 << 20 };
  IPFSA_AUTO_FREE uint8_t *room = ipfsa_malloc(PIECE);
  ipfsa_status status = room ? IPFSA_OK : ipfsa_fail_nomem(err);
  for (uint64_t off = 0; status == IPFSA_OK && off < s->size; off += PIECE) {
    size_t n = s->size - off < PIECE ? (size_t)(s->size - off) : PIECE;
    status = s->source->read_at(s->source, room, n, off, err);
    if (status == IPFSA_OK) status = ipfsa_members_check_feed(&r->members, room, n, err);
    if (status == IPFSA_OK && on_read(r, &(ipfsa_progress){.done_bytes = off}) != 0) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  }
  return status == IPFSA_OK ? s->source->check(s->source, err) : status;
}

static ipfsa_status read_shard(place *p, ipfsa_shard *s, reading *r, ipfsa_error *err) {
  r->members = ipfsa_members_check_over(&s->tensors);
  if (!p->node) return read_local(s, r, err);
  IPFSA_AUTO_FREE char *path = join(p->path, s->name);
  if (!path) return ipfsa_fail_nomem(err);
  ipfsa_status status = ipfsa_cat(p->node, path, 0, UINT64_MAX, take, r, on_read, r, err);
  if (status && r->why.status) *err = r->why;
  return status && r->why.status ? r->why.status : status;
}

static ipfsa_status read_all(place *p, ipfsa_checkpoint *cp, reading *r, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; i < cp->n_shards; i++) r->at.total_bytes += cp->shards[i].size;
  for (size_t i = 0; status == IPFSA_OK && i < cp->n_shards; i++) {
    status = read_shard(p, &cp->shards[i], r, err);
    if (status && *cp->shards[i].name) status = ipfsa_error_prefix(err, status, "%s", cp->shards[i].name);
    r->before += cp->shards[i].size;
  }
  return status;
}

ipfsa_status ipfsa_checkpoint_verify(ipfsa_node *node, const char *path, ipfsa_progress_cb progress, void *progress_ctx, ipfsa_checkpoint_verified *ret,
                                     ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  IPFSA_AUTO_FREE char *folder = NULL;
  const char *name = NULL;
  ipfsa_checkpoint *cp = NULL;
  ipfsa_status status = find_place(node, path, &folder, &name, err);
  if (status) return status;
  place p = {{open_file, list_folder}, node, folder};
  reading r = {.progress = progress, .ctx = progress_ctx};
  status = ipfsa_checkpoint_load(&p.base, name, &cp, err);
  if (status) return status;
  status = read_all(&p, cp, &r, err);
  if (status == IPFSA_OK) *ret = (ipfsa_checkpoint_verified){cp->format, cp->n_shards, cp->n_tensors, r.at.total_bytes};
  ipfsa_checkpoint_close(cp);
  return status;
}

/* ---- a caller's own source ---- */

typedef struct given_source {
  ipfsa_source base;
  ipfsa_checkpoint_source from;
} given_source;

static ipfsa_status read_given(ipfsa_source *self, void *data, size_t len, uint64_t off, ipfsa_error *err) {
  given_source *s = (given_source *)self;
  if (s->from.read_at(s->from.ctx, data, len, off) == 0) return IPFSA_OK;
  return ipfsa_fail_at(err, IPFSA_E_IO, off, "%zu bytes at %llu could not be read", len, (unsigned long long)off);
}

static void close_given(ipfsa_source *self) { ipfsa_free(self); }

ipfsa_status ipfsa_checkpoint_open_source(const ipfsa_checkpoint_source *source, ipfsa_checkpoint **ret, ipfsa_error *err) {
  ipfsa_checkpoint_source from = IPFSA_OPTIONS(ipfsa_checkpoint_source, source);
  if (!from.read_at) return ipfsa_fail(err, IPFSA_E_INVALID, "a source without read_at");
  given_source *s = ipfsa_calloc(1, sizeof *s);
  if (!s) return ipfsa_fail_nomem(err);
  s->from = from;
  s->base = (ipfsa_source){.read_at = read_given, .close = close_given, .size_hint = from.size, .map_fd = -1};
  return ipfsa_checkpoint_load_file(&s->base, from.name ? from.name : "checkpoint", ret, err);
}
