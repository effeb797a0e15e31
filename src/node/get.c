/* Content to files. Every name is made below a folder that this call has made itself and holds open, with O_EXCL and without following
 * links: no name and no symlink in the content can lead out of the target. */
#include <errno.h>
#include <ipfsa/read.h>

#include "base/clock.h"
#include "node/get_room.h"
#include "node/get_small.h"
#include "node/path.h"
#include "unixfs/clone.h"
#include "unixfs/reader.h"

#define MAX_GET_DEPTH IPFSA_MAX_PATH_SEGMENTS

#define SMALL_AT_ONCE 1024 /* entries whose small files are made before the rest of them */

typedef struct open_folder {
  int fd;
  ipfsa_get_entry *entries;
  size_t n, cap, next;
  size_t looked; /* of the entries before this one, the small files are made, */
  size_t failed; /* and the one at this index failed: why */
  ipfsa_error why;
  ipfsa_unixfs_meta meta;
} open_folder;

typedef struct get_run {
  ipfsa_node *node;
  ipfsa_get_options o;
  const ipfsa_get_owned *owned; /* NULL: what is made belongs to the caller of get */
  ipfsa_progress at;
  ipfsa_get_claim claim;
  open_folder stack[MAX_GET_DEPTH];
  size_t depth;
  bool shares_nothing; /* the target's file system and the store's */
} get_run;

static ipfsa_status check_name(ipfsa_bytes name, ipfsa_error *err) {
  bool dots = (name.len == 1 && name.data[0] == '.') || (name.len == 2 && memcmp(name.data, "..", 2) == 0);
  if (name.len == 0 || dots || memchr(name.data, '/', name.len) || memchr(name.data, 0, name.len))
    return ipfsa_fail(err, IPFSA_E_DENIED, "the directory holds the name \"%.*s\", which would lead out of the target; nothing is written for it",
                      (int)(name.len < 200 ? name.len : 200), name.data);
  if (name.len > IPFSA_MAX_NAME) return ipfsa_fail(err, IPFSA_E_LIMIT, "the directory holds a name of %zu bytes; files have at most %d", name.len, IPFSA_MAX_NAME);
  return IPFSA_OK;
}

void ipfsa_get_restore_meta(int fd, const ipfsa_unixfs_meta *meta) {
  if (meta->mode) (void)fchmod(fd, meta->mode & 0777);
  struct timespec times[2] = {{0, UTIME_OMIT}, {meta->mtime_s, meta->mtime_ns}};
  if (meta->has_mtime) (void)futimens(fd, times);
}

/* A folder may say less than its files do. */
static ipfsa_status check_file_room(const get_run *run, int fd, const char *name, uint64_t size, ipfsa_error *err) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return size > IPFSA_PARALLEL_MIN ? ipfsa_get_check_room(run->shares_nothing ? NULL : run->node->repo_path, name, path, size, err) : IPFSA_OK;
}

static bool is_stopped(get_run *run) {
  return ipfsa_node_is_cancelled(run->node) || (run->o.progress && run->o.progress(run->o.progress_ctx, &run->at) != 0);
}

static bool tell_shared(void *ctx, uint64_t len) {
  get_run *run = ctx;
  run->at.done_bytes += len;
  return is_stopped(run);
}

/* How many of the first bytes the file shares with the packs, verified. */
static uint64_t share_file(get_run *run, const ipfsa_cid *cid, uint64_t size, int fd, ipfsa_pool *pool) {
  ipfsa_clone_told told = {tell_shared, run};
  return size <= IPFSA_PARALLEL_MIN || run->shares_nothing ? 0 : ipfsa_clone_file(run->node->bs, cid, size, fd, pool, &told, &run->shares_nothing);
}

/* What is owned is read-only, and on the disk before anyone is told of it. */
static ipfsa_status settle_owned(get_run *run, int fd, mode_t mode, ipfsa_error *err) {
  if (!run->owned) return IPFSA_OK;
  ipfsa_status status = ipfsa_fs_set_mode(fd, mode, err);
  return status ? status : ipfsa_fs_sync(fd, err);
}

static ipfsa_status copy_file(get_run *run, ipfsa_file_reader *r, int fd, uint64_t done, ipfsa_error *err) {
  uint64_t size = ipfsa_file_reader_size(r);
  ipfsa_status status = done ? ipfsa_file_reader_seek(r, done, err) : IPFSA_OK;
  /* Blocks that are there are found; else the kernel looks for one at every page, which takes as long as copying it. */
  if (size - done > IPFSA_PARALLEL_MIN) (void)ipfsa_fs_allocate(fd, done, size - done, NULL);
  while (status == IPFSA_OK && done < size) {
    ipfsa_bytes piece;
    status = ipfsa_file_reader_next(r, &piece, err);
    if (status) break;
    if (piece.len == 0) return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: the file ends early");
    status = ipfsa_fs_write_at(fd, piece.data, piece.len, done, err);
    done += piece.len;
    run->at.done_bytes += piece.len;
    if (status == IPFSA_OK && is_stopped(run)) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  }
  return status;
}

static ipfsa_status get_file(get_run *run, const ipfsa_cid *cid, int dirfd, const char *name, ipfsa_error *err) {
  ipfsa_file_reader *r = NULL;
  ipfsa_status status = ipfsa_file_reader_open(run->node->bs, cid, &r, err);
  if (status) return status;
  ipfsa_pool *pool = NULL;
  /* Once: what is made has the same bytes in memory. */
  if (ipfsa_file_reader_size(r) > IPFSA_PARALLEL_MIN && ipfsa_node_pool(run->node, &pool, NULL) == IPFSA_OK) ipfsa_file_reader_use_pool(r, pool, true);
  int fd = ipfsa_fs_open(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0644, err);
  status = fd < 0 ? err->status : check_file_room(run, fd, name, ipfsa_file_reader_size(r), err);
  uint64_t n_shared = status == IPFSA_OK ? share_file(run, cid, ipfsa_file_reader_size(r), fd, pool) : 0;
  if (status == IPFSA_OK) status = copy_file(run, r, fd, n_shared, err);
  ipfsa_unixfs_meta meta = ipfsa_file_reader_meta(r);
  if (fd >= 0 && status == IPFSA_OK) ipfsa_get_restore_meta(fd, &meta);
  if (status == IPFSA_OK) status = settle_owned(run, fd, 0444 | (meta.mode & 0111), err);
  if (status == IPFSA_OK && run->owned) run->owned->written(run->owned->ctx, cid, ipfsa_file_reader_size(r), n_shared, dirfd, name);
  if (fd >= 0 && status) (void)ipfsa_fs_unlink(dirfd, name, NULL); /* no half a file under its name */
  ipfsa_fs_close(&fd);
  ipfsa_file_reader_close(r);
  run->at.done_items++;
  return status;
}

/* A relative target that never climbs above the folder the get began in. */
static bool stays_inside(const char *target, size_t depth) {
  if (target[0] == '/') return false;
  size_t level = depth;
  while (*target) {
    size_t len = strcspn(target, "/");
    if (len == 2 && target[0] == '.' && target[1] == '.') {
      if (level == 0) return false;
      level--;
    } else if (len && !(len == 1 && target[0] == '.')) {
      level++;
    }
    target += len + (target[len] == '/');
  }
  return true;
}

static ipfsa_status get_symlink(get_run *run, const ipfsa_cid *cid, int dirfd, const char *name, ipfsa_error *err) {
  IPFSA_AUTO_FREE char *target = NULL;
  size_t len = 0;
  ipfsa_status status = ipfsa_unixfs_readlink(run->node->bs, cid, &target, &len, err);
  if (status) return status;
  if (strlen(target) != len) return ipfsa_fail(err, IPFSA_E_DENIED, "the symbolic link %s has a NUL in its target", name);
  size_t depth = run->depth ? run->depth - 1 : 0;
  if (!run->o.any_symlink && !stays_inside(target, depth))
    return ipfsa_fail(err, IPFSA_E_DENIED, "the symbolic link %s leads out of the target (to %.200s); --any-symlink makes it all the same", name, target);
  return ipfsa_fs_symlink(target, dirfd, name, err);
}

static void close_folder(open_folder *f) {
  for (size_t i = 0; i < f->n; i++) ipfsa_free(f->entries[i].name);
  ipfsa_free(f->entries);
  ipfsa_fs_close(&f->fd);
}

typedef struct collecting {
  open_folder *f;
  ipfsa_status status;
  ipfsa_error why;
} collecting;

static int collect_entry(void *ctx, const ipfsa_dir_entry *entry) {
  collecting *c = ctx;
  open_folder *f = c->f;
  c->status = check_name(entry->name, &c->why);
  char *name = c->status ? NULL : ipfsa_strndup((const char *)entry->name.data, entry->name.len);
  if (c->status == IPFSA_OK && (!name || !ipfsa_grow((void **)&f->entries, &f->cap, f->n + 1, sizeof *f->entries))) {
    ipfsa_free(name);
    c->status = ipfsa_fail_nomem(&c->why);
  }
  if (c->status) return 1;
  f->entries[f->n++] = (ipfsa_get_entry){name, entry->cid, entry->tsize, false};
  return 0;
}

/* Nothing is made before all of its names are known to be harmless. */
static ipfsa_status open_new_folder(get_run *run, const ipfsa_cid *cid, const ipfsa_unixfs_meta *meta, int dirfd, const char *name,
                                    ipfsa_error *err) {
  if (run->depth == MAX_GET_DEPTH) return ipfsa_fail(err, IPFSA_E_LIMIT, "over %d folders in one another", MAX_GET_DEPTH);
  open_folder *f = &run->stack[run->depth++]; /* closed with the others, whatever comes */
  *f = (open_folder){.fd = -1, .meta = *meta, .failed = SIZE_MAX};
  collecting c = {f, IPFSA_OK, {0}};
  ipfsa_status status = ipfsa_dir_list(run->node->bs, cid, collect_entry, &c, err);
  if (c.status) return *err = c.why, c.status;
  if (status == IPFSA_OK) status = ipfsa_fs_mkdir(dirfd, name, 0755, err);
  if (status) return status;
  f->fd = ipfsa_fs_open(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, err);
  return f->fd < 0 ? err->status : IPFSA_OK;
}

static ipfsa_status get_one(get_run *run, const ipfsa_cid *cid, int dirfd, const char *name, ipfsa_error *err) {
  ipfsa_unixfs_stat st;
  ipfsa_status status = ipfsa_unixfs_stat_get(run->node->bs, cid, &st, err);
  if (status) return status;
  if (st.type == IPFSA_UNIXFS_DIRECTORY || st.type == IPFSA_UNIXFS_HAMT) return open_new_folder(run, cid, &st.meta, dirfd, name, err);
  if (st.type == IPFSA_UNIXFS_SYMLINK) return get_symlink(run, cid, dirfd, name, err);
  if (run->owned && run->owned->link(run->owned->ctx, cid, st.size, dirfd, name)) return IPFSA_OK;
  return get_file(run, cid, dirfd, name, err);
}

/* The small files among the next entries. One that fails is told of when its turn comes: what lies before it may fail as well. */
static ipfsa_status make_small(get_run *run, open_folder *f, ipfsa_error *err) {
  size_t n = f->n - f->next < SMALL_AT_ONCE ? f->n - f->next : SMALL_AT_ONCE, failed;
  ipfsa_small_files files = {run->node, f->fd, f->entries + f->next, n, &run->o, &run->at};
  ipfsa_status status = ipfsa_get_small(&files, &failed, &f->why);
  f->looked = f->next + n;
  if (status == IPFSA_OK) return IPFSA_OK;
  if (failed == n) return *err = f->why, status;
  f->failed = f->next + failed;
  return IPFSA_OK;
}

static ipfsa_status get_below(get_run *run, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  while (status == IPFSA_OK && run->depth) {
    open_folder *f = &run->stack[run->depth - 1];
    if (f->next < f->n) {
      if (f->next == f->looked && !run->owned) status = make_small(run, f, err);
      if (status) break;
      const ipfsa_get_entry *entry = &f->entries[f->next++];
      run->claim.bytes = run->at.done_bytes;
      status = ipfsa_get_check_claim(&run->claim, f->fd, err);
      if (status) break;
      run->claim.entries++;
      if (f->next - 1 == f->failed) *err = f->why, status = f->why.status;
      else if (!entry->done) status = get_one(run, &entry->cid, f->fd, entry->name, err);
      if (status == IPFSA_E_EXISTS) ipfsa_error_prefix(err, status, "the directory holds the name %s twice", entry->name);
      continue;
    }
    ipfsa_get_restore_meta(f->fd, &f->meta);
    status = settle_owned(run, f->fd, 0555, err);
    close_folder(f);
    run->depth--;
  }
  while (run->depth) close_folder(&run->stack[--run->depth]);
  return status;
}

/* The folder that a path lies in. Owned; NULL: no memory. */
static char *folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? ipfsa_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : ipfsa_strdup(".");
}

static ipfsa_status sync_new(const char *path, ipfsa_error *err) {
  struct stat st;
  ipfsa_status status = ipfsa_fs_stat(AT_FDCWD, path, &st, err);
  if (status || !S_ISREG(st.st_mode)) return status;
  IPFSA_AUTO_FD int fd = ipfsa_fs_open(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW, 0, err);
  return fd < 0 ? err->status : ipfsa_fs_sync(fd, err);
}

/* A file that is there is replaced only by a whole one, also when the power goes meanwhile. */
static ipfsa_status get_over_file(get_run *run, const ipfsa_cid *cid, const char *target, bool replaces, ipfsa_error *err) {
  char temp[4200];
  IPFSA_AUTO_FREE char *folder = folder_of(target);
  if (!folder) return ipfsa_fail_nomem(err);
  snprintf(temp, sizeof temp, "%.4096s.%016llx.tmp", target, (unsigned long long)ipfsa_random_u64());
  ipfsa_status status = get_one(run, cid, AT_FDCWD, temp, err);
  if (status == IPFSA_OK && replaces) status = sync_new(temp, err);
  if (status == IPFSA_OK) status = ipfsa_fs_rename(AT_FDCWD, temp, target, err);
  if (status == IPFSA_OK) return replaces ? ipfsa_fs_sync_dir(AT_FDCWD, folder, err) : IPFSA_OK;
  (void)ipfsa_fs_unlink(AT_FDCWD, temp, NULL);
  return status;
}

static uint64_t size_said(const ipfsa_unixfs_stat *st) { return st->type == IPFSA_UNIXFS_FILE || st->is_raw_block ? st->size : st->cumulative; }

ipfsa_status ipfsa_get_at(ipfsa_node *node, const ipfsa_cid *cid, int dirfd, const char *name, const ipfsa_get_options *options,
                          const ipfsa_get_owned *owned, ipfsa_error *err) {
  get_run *run = ipfsa_calloc(1, sizeof *run);
  if (!run) return ipfsa_fail_nomem(err);
  run->node = node;
  run->o = IPFSA_OPTIONS(ipfsa_get_options, options);
  run->owned = owned;
  ipfsa_unixfs_stat st;
  ipfsa_status status = ipfsa_unixfs_stat_get(node->bs, cid, &st, err);
  if (status == IPFSA_OK) run->claim.said = size_said(&st), status = get_one(run, cid, dirfd, name, err);
  if (status == IPFSA_OK) status = get_below(run, err);
  while (run->depth) close_folder(&run->stack[--run->depth]);
  ipfsa_free(run);
  return status;
}

ipfsa_status ipfsa_get(ipfsa_node *node, const char *path, const char *target, const ipfsa_get_options *given, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_resolved at;
  ipfsa_unixfs_stat st;
  struct stat there;
  ipfsa_status status = ipfsa_node_resolve(node, path, &at, err);
  if (status == IPFSA_OK) status = ipfsa_unixfs_stat_get(node->bs, &at.cid, &st, err);
  if (status) return status;
  get_run *run = ipfsa_calloc(1, sizeof *run);
  if (!run) return ipfsa_fail_nomem(err);
  run->node = node;
  run->o = IPFSA_OPTIONS(ipfsa_get_options, given);
  run->claim.said = run->at.total_bytes = size_said(&st);
  bool folder = st.type == IPFSA_UNIXFS_DIRECTORY || st.type == IPFSA_UNIXFS_HAMT;
  bool exists = lstat(target, &there) == 0;
  IPFSA_AUTO_FREE char *parent = folder_of(target);
  if (folder && exists) status = ipfsa_fail(err, IPFSA_E_EXISTS, "%s exists already; name another place with -o", target);
  else if (exists && S_ISDIR(there.st_mode)) status = ipfsa_fail(err, IPFSA_E_EXISTS, "%s is a folder; name a file with -o", target);
  else if (!parent) status = ipfsa_fail_nomem(err);
  else status = ipfsa_get_check_room(node->repo_path, path, parent, run->at.total_bytes, err);
  if (status == IPFSA_OK && folder) status = get_one(run, &at.cid, AT_FDCWD, target, err);
  else if (status == IPFSA_OK) status = get_over_file(run, &at.cid, target, exists, err);
  if (status == IPFSA_OK) status = get_below(run, err);
  while (run->depth) close_folder(&run->stack[--run->depth]);
  ipfsa_free(run);
  return status;
}
