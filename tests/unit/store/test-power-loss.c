/* Power loss: every change of the repo's files is recorded, also LMDB's and what goes through the index's map. For every prefix of that log
 * and several fates of what was not synced, the disk is built as it would be found: it must open, hold what was acknowledged, show the rest
 * whole or not at all, have no damage, and take a new commit. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../support.h"
#include "base/alloc.h"
#include "base/fs.h"
#include "base/write_queue.h"
#include "store/pins.h"

typedef enum op_kind { OP_WRITE, OP_TRUNCATE, OP_SYNC, OP_CREATE, OP_MKDIR, OP_RENAME, OP_UNLINK, OP_SYNC_DIR, OP_ACK } op_kind;
typedef struct op {
  op_kind kind;
  int id; /* of the file; of an acknowledgement: its number */
  uint64_t off, len;
  uint8_t *data; /* NULL: zeros (a hole) */
  char path[96], to[96];
  size_t durable_at; /* first later op that makes it durable */
} op;

#define MAX_OPS 4000
#define MAX_FILES 256
static op ops[MAX_OPS];
static size_t n_ops;
static bool recording, in_hook;
static char root[4096];
static ino_t inodes[MAX_FILES]; /* newest file of that inode wins */
static int n_files;
static uint8_t index_seen[1 << 20]; /* what the log knows of the mapped index */
static int index_id = -1;

static op *add_op(op_kind kind, int id) {
  if (n_ops == MAX_OPS) abort();
  op *o = &ops[n_ops++];
  *o = (op){.kind = kind, .id = id, .durable_at = SIZE_MAX};
  return o;
}

static int id_of(ino_t inode) {
  for (int i = n_files - 1; i >= 0; i--)
    if (inodes[i] == inode) return i;
  return -1;
}

static void add_write(int id, const void *data, uint64_t len, uint64_t off) {
  op *o = add_op(OP_WRITE, id);
  o->off = off;
  o->len = len;
  o->data = malloc(len ? len : 1);
  if (o->data && data) memcpy(o->data, data, len);
}

/* Pages of the index that changed through its map since the last look. */
static void look_at_index(void) {
  static uint8_t now[sizeof index_seen];
  struct stat st;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, root, O_RDONLY | O_DIRECTORY, 0);
  int file = (int)syscall(SYS_openat, fd, "index", O_RDONLY, 0);
  close(fd);
  if (file < 0) return;
  ssize_t n = fstat(file, &st) == 0 ? pread(file, now, sizeof now, 0) : 0;
  close(file);
  int id = id_of(st.st_ino);
  if (id != index_id) memset(index_seen, 0, sizeof index_seen);
  index_id = id;
  for (ssize_t at = 0; at < n; at += 4096)
    if (memcmp(now + at, index_seen + at, 4096) != 0) add_write(id, now + at, 4096, (uint64_t)at);
  memcpy(index_seen, now, (size_t)n);
}

static bool enter(void) {
  if (!recording || in_hook) return false;
  in_hook = true;
  look_at_index();
  return true;
}
static void leave(void) { in_hook = false; }

/* The path below the root of a descriptor, or of a name in it; false outside. */
static bool path_of(int dirfd, const char *name, char ret[96]) {
  char link[64], path[512];
  snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
  ssize_t n = readlink(link, path, sizeof path - 100);
  if (n < 0) return false;
  path[n] = 0;
  size_t skip = strlen(root);
  if (strncmp(path, root, skip) != 0 || (path[skip] && path[skip] != '/')) return false;
  const char *below = path[skip] ? path + skip + 1 : "";
  snprintf(ret, 96, "%.60s%s%.30s", below, *below && name ? "/" : "", name ? name : "");
  return true;
}

static int id_of_fd(int fd) {
  struct stat st;
  char path[96];
  return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && path_of(fd, NULL, path) ? id_of(st.st_ino) : -1;
}

static int do_open(int dirfd, const char *path, int flags, mode_t mode) {
  bool was = syscall(SYS_faccessat, dirfd, path, F_OK) == 0;
  int fd = (int)syscall(SYS_openat, dirfd, path, flags, mode);
  if (fd < 0 || !(flags & (O_CREAT | O_TRUNC)) || !enter()) return fd;
  struct stat st;
  char name[96];
  int saved = errno;
  if (path_of(fd, NULL, name) && fstat(fd, &st) == 0) {
    if (!was && n_files < MAX_FILES) {
      inodes[n_files] = st.st_ino;
      memcpy(add_op(OP_CREATE, n_files++)->path, name, sizeof name);
    } else if (flags & O_TRUNC) {
      add_op(OP_TRUNCATE, id_of(st.st_ino));
    }
  }
  errno = saved;
  leave();
  return fd;
}

static void wrote(int fd, const void *data, ssize_t n, int64_t off) {
  if (n <= 0 || !enter()) return;
  int saved = errno, id = id_of_fd(fd);
  if (id >= 0) {
    add_write(id, data, (uint64_t)n, (uint64_t)off);
    if (fcntl(fd, F_GETFL) & O_DSYNC) add_op(OP_SYNC, id);
  }
  errno = saved;
  leave();
}

/* What io_uring writes passes by the hooks: the queue tells of it when it begins, the earliest that it may reach the disk. */
static void queued(int fd, const void *data, size_t n, uint64_t off) { wrote(fd, data, (ssize_t)n, (int64_t)off); }

static int synced(int fd) { /* the medium is the log: nothing needs to reach a real one */
  char path[96];
  struct stat st;
  if (!enter()) return 0;
  if (fstat(fd, &st) == 0 && path_of(fd, NULL, path)) {
    if (S_ISDIR(st.st_mode)) memcpy(add_op(OP_SYNC_DIR, -1)->path, path, sizeof path);
    else if (id_of(st.st_ino) >= 0) add_op(OP_SYNC, id_of(st.st_ino));
  }
  leave();
  return 0;
}

static int cut(int fd, off_t len) {
  int rc = (int)syscall(SYS_ftruncate, fd, len);
  if (rc == 0 && enter()) {
    int id = id_of_fd(fd);
    if (id >= 0) add_op(OP_TRUNCATE, id)->off = (uint64_t)len;
    leave();
  }
  return rc;
}

#define HOOK(name) __asm__(name) __attribute__((visibility("default"), used))
int hook_openat64(int d, const char *p, int f, mode_t m) HOOK("openat64");
int hook_openat64(int d, const char *p, int f, mode_t m) { return do_open(d, p, f, m); }
int hook_openat(int d, const char *p, int f, mode_t m) HOOK("openat");
int hook_openat(int d, const char *p, int f, mode_t m) { return do_open(d, p, f, m); }
int hook_open(const char *p, int f, mode_t m) HOOK("open");
int hook_open(const char *p, int f, mode_t m) { return do_open(AT_FDCWD, p, f, m); }
static ssize_t do_pwrite(int fd, const void *data, size_t n, off_t off) {
  ssize_t done = syscall(SYS_pwrite64, fd, data, n, off);
  wrote(fd, data, done, off);
  return done;
}
ssize_t hook_pwrite64(int fd, const void *data, size_t n, off_t off) HOOK("pwrite64");
ssize_t hook_pwrite64(int fd, const void *data, size_t n, off_t off) { return do_pwrite(fd, data, n, off); }
ssize_t hook_pwrite(int fd, const void *data, size_t n, off_t off) HOOK("pwrite");
ssize_t hook_pwrite(int fd, const void *data, size_t n, off_t off) { return do_pwrite(fd, data, n, off); }
ssize_t hook_write(int fd, const void *data, size_t n) HOOK("write");
ssize_t hook_write(int fd, const void *data, size_t n) {
  off_t at = recording ? (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR) : 0;
  ssize_t done = syscall(SYS_write, fd, data, n);
  wrote(fd, data, done, at);
  return done;
}
ssize_t hook_writev(int fd, const struct iovec *v, int n) HOOK("writev");
ssize_t hook_writev(int fd, const struct iovec *v, int n) {
  ssize_t sum = 0;
  for (int i = 0; i < n; i++) {
    ssize_t done = hook_write(fd, v[i].iov_base, v[i].iov_len);
    if (done < 0) return sum ? sum : done;
    sum += done;
    if ((size_t)done < v[i].iov_len) break;
  }
  return sum;
}
int hook_fsync(int fd) HOOK("fsync");
int hook_fsync(int fd) { return synced(fd); }
int hook_fdatasync(int fd) HOOK("fdatasync");
int hook_fdatasync(int fd) { return synced(fd); }
int hook_ftruncate64(int fd, off_t len) HOOK("ftruncate64");
int hook_ftruncate64(int fd, off_t len) { return cut(fd, len); }
int hook_ftruncate(int fd, off_t len) HOOK("ftruncate");
int hook_ftruncate(int fd, off_t len) { return cut(fd, len); }
int hook_fallocate64(int fd, int mode, off_t off, off_t len) HOOK("fallocate64");
int hook_fallocate64(int fd, int mode, off_t off, off_t len) {
  int rc = (int)syscall(SYS_fallocate, fd, mode, off, len);
  if (rc == 0 && enter()) {
    int id = id_of_fd(fd);
    if (id >= 0 && (mode & FALLOC_FL_PUNCH_HOLE)) {
      op *o = add_op(OP_WRITE, id);
      o->off = (uint64_t)off;
      o->len = (uint64_t)len;
    }
    leave();
  }
  return rc;
}
static void named(op_kind kind, int dirfd, const char *from, const char *to, int id) {
  char path[96], other[96] = "";
  if (!enter()) return;
  if (path_of(dirfd, from, path) && (!to || path_of(dirfd, to, other))) {
    op *o = add_op(kind, id);
    memcpy(o->path, path, sizeof path);
    memcpy(o->to, other, sizeof other);
  }
  leave();
}
int hook_renameat(int a, const char *from, int b, const char *to) HOOK("renameat");
int hook_renameat(int a, const char *from, int b, const char *to) {
  struct stat st = {0};
  int found = fstatat(a, from, &st, AT_SYMLINK_NOFOLLOW);
  int rc = (int)syscall(SYS_renameat2, a, from, b, to, 0);
  if (rc == 0 && found == 0) named(OP_RENAME, a, from, to, id_of(st.st_ino));
  return rc;
}
int hook_unlinkat(int d, const char *p, int f) HOOK("unlinkat");
int hook_unlinkat(int d, const char *p, int f) {
  int rc = (int)syscall(SYS_unlinkat, d, p, f);
  if (rc == 0) named(OP_UNLINK, d, p, NULL, -1);
  return rc;
}
int hook_mkdirat(int d, const char *p, mode_t m) HOOK("mkdirat");
int hook_mkdirat(int d, const char *p, mode_t m) {
  int rc = (int)syscall(SYS_mkdirat, d, p, m);
  if (rc == 0) named(OP_MKDIR, d, p, NULL, -1);
  return rc;
}

/* ---- the disk as it would be found ---- */

static bool is_parent(const char *folder, const char *path) {
  const char *slash = strrchr(path, '/');
  size_t n = slash ? (size_t)(slash - path) : 0;
  return strlen(folder) == n && strncmp(folder, path, n) == 0;
}

static void find_durable(void) {
  for (size_t i = 0; i < n_ops; i++)
    for (size_t j = i + 1; j < n_ops && ops[i].durable_at == SIZE_MAX; j++) {
      bool file = ops[i].kind <= OP_TRUNCATE && ops[j].kind == OP_SYNC && ops[j].id == ops[i].id;
      const char *name = ops[i].kind == OP_RENAME ? ops[i].to : ops[i].path;
      bool folder = ops[i].kind >= OP_CREATE && ops[i].kind <= OP_UNLINK && ops[j].kind == OP_SYNC_DIR && is_parent(ops[j].path, name);
      if (file || folder) ops[i].durable_at = j;
    }
}

typedef enum unsynced_fate { FATE_KEPT, FATE_DROPPED, FATE_TORN, FATE_ODD, FATE_EVEN, FATE_RANDOM, N_FATES } unsynced_fate;

typedef struct file {
  uint8_t *data;
  uint64_t len, cap;
} file;
typedef struct name {
  char path[96];
  int id; /* −1: folder, −2: gone */
} name;
static file files[MAX_FILES];
static name names[MAX_FILES * 2];
static size_t n_names;

static name *name_of(const char *path) {
  for (size_t i = 0; i < n_names; i++)
    if (strcmp(names[i].path, path) == 0) return &names[i];
  name *n = &names[n_names++];
  snprintf(n->path, sizeof n->path, "%s", path);
  n->id = -2;
  return n;
}

static void size_to(file *f, uint64_t len) {
  if (len > f->cap) {
    f->data = realloc(f->data, len * 2);
    f->cap = len * 2;
  }
  if (len > f->len) memset(f->data + f->len, 0, len - f->len);
}

/* What lies in a folder that is renamed. */
static void rename_below(const char *from, const char *to) {
  size_t len = strlen(from), n = n_names;
  for (size_t i = 0; i < n; i++) {
    if (names[i].id == -2 || strncmp(names[i].path, from, len) != 0 || names[i].path[len] != '/') continue;
    char path[96];
    snprintf(path, sizeof path, "%.40s%.50s", to, names[i].path + len);
    int id = names[i].id;
    names[i].id = -2;
    name_of(path)->id = id;
  }
}

static void apply(const op *o, bool torn) {
  uint64_t len = torn ? o->len / 2 : o->len;
  file *f = o->id >= 0 ? &files[o->id] : NULL;
  if (o->kind == OP_WRITE && f) {
    if (!o->data && o->off + len > f->len) len = o->off < f->len ? f->len - o->off : 0; /* a hole does not make a file longer */
    if (len == 0) return;
    if (o->off + len > f->len) size_to(f, o->off + len), f->len = o->off + len;
    if (o->data) memcpy(f->data + o->off, o->data, len);
    else memset(f->data + o->off, 0, len);
  } else if (o->kind == OP_TRUNCATE && f) {
    size_to(f, o->off);
    f->len = o->off;
  } else if (o->kind == OP_CREATE) {
    name_of(o->path)->id = o->id;
  } else if (o->kind == OP_MKDIR) {
    name_of(o->path)->id = -1;
  } else if (o->kind == OP_RENAME) {
    rename_below(o->path, o->to);
    name_of(o->path)->id = -2;
    name_of(o->to)->id = o->id;
  } else if (o->kind == OP_UNLINK) {
    name_of(o->path)->id = -2;
  }
}

static void build_disk(size_t n, unsynced_fate fate, int dirfd) {
  uint64_t random = 0x9e3779b97f4a7c15u * (n + 1);
  for (int i = 0; i < n_files; i++) files[i].len = 0;
  n_names = 0;
  for (size_t i = 0; i < n; i++) {
    bool durable = ops[i].durable_at < n;
    random = random * 6364136223846793005u + 1442695040888963407u;
    if (!durable && (fate == FATE_DROPPED || (fate == FATE_ODD && i % 2 == 0) || (fate == FATE_EVEN && i % 2) || (fate == FATE_RANDOM && random >> 63))) continue;
    apply(&ops[i], !durable && fate == FATE_TORN);
  }
  for (size_t i = 0; i < n_names; i++)
    if (names[i].id == -1) mkdirat(dirfd, names[i].path, 0700);
  for (size_t i = 0; i < n_names; i++) {
    if (names[i].id < 0) continue;
    file *f = &files[names[i].id];
    int fd = openat(dirfd, names[i].path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) continue; /* its folder was lost */
    if (f->len) assert_int_equal(pwrite(fd, f->data, f->len, 0), (ssize_t)f->len);
    if (strcmp(names[i].path, "index") == 0 && f->len > 64) assert_int_equal(pwrite(fd, "another boot", 12, 24), 12);
    close(fd);
  }
}

/* ---- the work ---- */

#define N_BLOCKS 40
static uint8_t *blocks[N_BLOCKS];
static size_t lens[N_BLOCKS];
static ipfsa_cid cids[N_BLOCKS];

static void make_blocks(void) {
  for (unsigned i = 0; i < N_BLOCKS; i++) {
    char seed[32];
    lens[i] = i % 5 ? 100 + i * 7 : i % 10 ? 20000 + i : 66000 + i; /* the largest go with O_DIRECT, on their way while others are put */
    blocks[i] = ipfsa_alloc_aligned(4096, lens[i]);
    snprintf(seed, sizeof seed, "power %u", i);
    test_shake128(seed, blocks[i], lens[i]);
    assert_int_equal(ipfsa_cid_of_block(1, IPFSA_CODEC_RAW, IPFSA_HASH_SHA2_256, 0, ipfsa_bytes_of(blocks[i], lens[i]), &cids[i], NULL), 0);
  }
}

static ipfsa_status put(ipfsa_store *store, unsigned first, unsigned end, ipfsa_error *err) {
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_status status = ipfsa_blockstore_begin(ipfsa_store_blockstore(store), &w, err);
  uint64_t ticket;
  for (unsigned i = first; status == IPFSA_OK && i < end; i++) {
    ipfsa_leaf leaf = {cids[i].mh.code, cids[i].mh.digest, cids[i].mh.len, 0, (uint32_t)lens[i]};
    if (i % 5 == 0) status = ipfsa_writer_put_run_later(w, &(ipfsa_leaf_run){blocks[i], lens[i], IPFSA_LEAF_RAW, &leaf, 1}, &ticket, err);
    else status = ipfsa_writer_put(w, &cids[i], ipfsa_bytes_of(blocks[i], lens[i]), err);
  }
  if (status == IPFSA_OK) status = ipfsa_writer_commit(w, err);
  ipfsa_writer_close(w);
  return status;
}

static bool there(ipfsa_store *store, unsigned i) {
  ipfsa_error err = {0};
  ipfsa_block block = {0};
  ipfsa_status status = ipfsa_blockstore_get(ipfsa_store_blockstore(store), &cids[i], &block, &err);
  if (status == IPFSA_E_NOT_FOUND) return false;
  assert_ok(status);
  assert_int_equal(block.data.len, lens[i]);
  assert_memory_equal(block.data.data, blocks[i], lens[i]);
  ipfsa_block_release(&block);
  return true;
}

static bool is_kept(unsigned i) { return cids[i].mh.digest[0] % 2 == 0; }
static bool keep(void *ctx, const ipfsa_multihash *mh) {
  (void)ctx;
  return mh->digest[0] % 2 == 0;
}

/* The second sweep takes all of the first two commits, and with them their pack. */
static bool keep_third(void *ctx, const ipfsa_multihash *mh) {
  (void)ctx;
  for (unsigned i = 0; i < 20; i++)
    if (ipfsa_multihash_equal(&cids[i].mh, mh)) return false;
  return true;
}

enum { ACK_OPEN = 1, ACK_FIRST, ACK_SECOND, ACK_PIN, ACK_SWEEP, ACK_THIRD, ACK_ALL_SWEPT };
static void acknowledge(int number) {
  in_hook = true;
  look_at_index();
  add_op(OP_ACK, number);
  in_hook = false;
}

static const ipfsa_store_options options = {.create = true, .max_pack_size = 150000, .checkpoint_every = 15};

static void record_work(void) {
  ipfsa_error err = {0};
  ipfsa_store *store = NULL;
  ipfsa_pin pin = {.cid = cids[1], .mode = IPFSA_PIN_RECURSIVE, .name = "kept"};
  char *dir = test_temp_dir();
  assert_non_null(realpath(dir, root));
  int fd = open(root, O_RDONLY | O_DIRECTORY);
  recording = true;
  assert_ok(ipfsa_store_open(fd, &options, &store, &err));
  acknowledge(ACK_OPEN);
  assert_ok(put(store, 0, 10, &err));
  acknowledge(ACK_FIRST);
  assert_ok(put(store, 10, 20, &err));
  acknowledge(ACK_SECOND);
  assert_ok(ipfsa_pins_set(store, &pin, 1, &err));
  acknowledge(ACK_PIN);
  assert_ok(ipfsa_store_sweep(store, keep, NULL, NULL, NULL, &err));
  acknowledge(ACK_SWEEP);
  assert_ok(put(store, 20, 30, &err));
  acknowledge(ACK_THIRD);
  assert_ok(ipfsa_store_sweep(store, keep_third, NULL, NULL, NULL, &err));
  acknowledge(ACK_ALL_SWEPT);
  ipfsa_store_stat stat;
  assert_ok(ipfsa_store_stat_get(store, &stat, &err));
  assert_int_equal(stat.n_packs, 1); /* the first is gone */
  ipfsa_store_close(store);
  recording = false;
  close(fd);
  test_remove_tree(dir);
}

/* The blocks of one commit: all when acknowledged, else each whole or absent (there() looks); once a sweep began, only those it keeps are promised. */
static void check_commit(ipfsa_store *store, unsigned first, bool acked, bool sweeping, bool swept, int ack, const char *where) {
  unsigned n_kept = 0, n_other = 0, kept = 0, other = 0;
  for (unsigned i = first; i < first + 10; i++) {
    bool is = there(store, i);
    if (is_kept(i)) n_kept++, kept += is;
    else n_other++, other += is;
  }
  if (first < 20 && ack >= ACK_THIRD) {
    if (ack == ACK_ALL_SWEPT && kept + other) fail_msg("%s: %u swept blocks from %u on are back", where, kept + other, first);
    return;
  }
  if (acked && kept != n_kept) fail_msg("%s: %u of %u acknowledged blocks from %u on", where, kept, n_kept, first);
  if (acked && !sweeping && other != n_other) fail_msg("%s: %u of %u acknowledged blocks from %u on", where, other, n_other, first);
  if (swept && other) fail_msg("%s: %u swept blocks from %u on are back", where, other, first);
}

static void check_disk(size_t n, unsynced_fate fate) {
  int ack = 0;
  char where[64];
  ipfsa_error err = {0};
  ipfsa_pin pin;
  ipfsa_store *store = NULL;
  ipfsa_store_verify_result result;
  for (size_t i = 0; i < n; i++)
    if (ops[i].kind == OP_ACK) ack = ops[i].id;
  snprintf(where, sizeof where, "after operation %zu of %zu, fate %d, acknowledged %d", n, n_ops, (int)fate, ack);
  char *dir = test_temp_dir();
  int fd = open(dir, O_RDONLY | O_DIRECTORY);
  build_disk(n, fate, fd);
  if (ipfsa_store_open(fd, &options, &store, &err) != IPFSA_OK) fail_msg("%s: open: %s", where, err.message);
  check_commit(store, 0, ack >= ACK_FIRST, ack >= ACK_PIN, ack >= ACK_SWEEP, ack, where);
  check_commit(store, 10, ack >= ACK_SECOND, ack >= ACK_PIN, ack >= ACK_SWEEP, ack, where);
  check_commit(store, 20, ack >= ACK_THIRD, false, false, ack, where);
  ipfsa_status pinned = ipfsa_pins_get(store, &cids[1], &pin, &err);
  if (pinned != IPFSA_OK && (ack >= ACK_PIN || pinned != IPFSA_E_NOT_PINNED)) fail_msg("%s: the pin: %s", where, err.message);
  if (ipfsa_store_verify(store, false, NULL, NULL, NULL, NULL, &result, &err) != IPFSA_OK) fail_msg("%s: verify: %s", where, err.message);
  if (result.n_damaged) fail_msg("%s: %llu damaged", where, (unsigned long long)result.n_damaged);
  if (put(store, 30, 40, &err) != IPFSA_OK) fail_msg("%s: put: %s", where, err.message);
  ipfsa_store_close(store);
  store = NULL;
  if (ipfsa_store_open(fd, &options, &store, &err) != IPFSA_OK) fail_msg("%s: open again: %s", where, err.message);
  check_commit(store, 30, true, false, false, ack, where);
  ipfsa_store_close(store);
  close(fd);
  test_remove_tree(dir);
}

static void power_goes(const char *way) {
  ipfsa_write_queue *queue = NULL;
  setenv("IPFSA_IO", way, 1);
  if (ipfsa_write_queue_new(&queue, NULL) != IPFSA_OK) {
    print_message("skipped: io_uring cannot be had\n");
    return;
  }
  ipfsa_write_queue_free(queue);
  n_ops = 0;
  n_files = 0;
  index_id = -1;
  make_blocks();
  record_work();
  find_durable();
  for (size_t n = 0; n <= n_ops; n++)
    for (unsynced_fate fate = 0; fate < N_FATES; fate++) check_disk(n, fate);
  print_message("%s: %zu operations, %zu disks\n", way, n_ops, (n_ops + 1) * N_FATES);
  for (size_t i = 0; i < n_ops; i++) free(ops[i].data);
  for (int i = 0; i < n_files; i++) free(files[i].data), files[i] = (file){0};
  for (unsigned i = 0; i < N_BLOCKS; i++) ipfsa_free_aligned(blocks[i]);
}

static void power_may_go_at_any_time(void **state) {
  (void)state;
  power_goes("plain");
  power_goes("uring");
}

int main(void) {
  ipfsa_write_queue_listener = queued;
  const struct CMUnitTest tests[] = {cmocka_unit_test(power_may_go_at_any_time)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
