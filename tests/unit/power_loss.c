/* See power_loss.h. The C library's calls are defined here anew, so that LMDB's own are seen as well. */
#include "power_loss.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/write_queue.h"
#include "support.h"

#define MAX_NAME 200

typedef enum op_kind { OP_WRITE, OP_TRUNCATE, OP_SYNC, OP_CREATE, OP_MKDIR, OP_RENAME, OP_UNLINK, OP_SYNC_DIR, OP_ACK } op_kind;
typedef struct op {
  op_kind kind;
  int id; /* of the file; of an acknowledgement: its number */
  uint64_t off, len;
  uint8_t *data; /* NULL: zeros (a hole) */
  char path[MAX_NAME], to[MAX_NAME];
  size_t durable_at; /* first later op that makes it durable */
} op;

#define MAX_OPS 4000
#define MAX_FILES 256
static op ops[MAX_OPS];
static size_t n_ops;
static bool recording;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static __thread bool in_hook;
static char root[4096];
static ino_t inodes[MAX_FILES]; /* newest file of that inode wins */
static int n_files;
typedef struct disk_file {
  uint8_t *data, *base; /* base: what it held when the recording began */
  uint64_t len, cap, base_len;
} disk_file;
typedef struct disk_name {
  char path[MAX_NAME];
  int id; /* −1: folder, −2: gone */
} disk_name;
static disk_file files[MAX_FILES];
static disk_name names[MAX_FILES * 2], base_names[MAX_FILES];
static size_t n_names, n_base_names;
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
  pthread_mutex_lock(&log_lock);
  look_at_index();
  return true;
}
static void leave(void) {
  pthread_mutex_unlock(&log_lock);
  in_hook = false;
}

/* The path below the root of a descriptor, or of a name in it; false outside. */
static bool path_of(int dirfd, const char *name, char ret[MAX_NAME]) {
  char link[64], path[1024];
  bool absolute = name && name[0] == '/';
  snprintf(link, sizeof link, dirfd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", dirfd);
  ssize_t n = absolute ? snprintf(path, sizeof path, "%s", name) : readlink(link, path, sizeof path - 1);
  if (n < 0 || n >= (ssize_t)sizeof path) return false;
  path[n] = 0;
  size_t skip = strlen(root);
  if (strncmp(path, root, skip) != 0 || (path[skip] && path[skip] != '/')) return false;
  const char *below = path[skip] ? path + skip + 1 : "", *last = absolute || !name ? "" : name;
  if (snprintf(ret, MAX_NAME, "%s%s%s", below, *below && *last ? "/" : "", last) >= MAX_NAME) abort();
  return true;
}

static int id_of_fd(int fd) {
  struct stat st;
  char path[MAX_NAME];
  return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && path_of(fd, NULL, path) ? id_of(st.st_ino) : -1;
}

static int do_open(int dirfd, const char *path, int flags, mode_t mode) {
  bool was = syscall(SYS_faccessat, dirfd, path, F_OK) == 0;
  int fd = (int)syscall(SYS_openat, dirfd, path, flags, mode);
  if (fd < 0 || !(flags & (O_CREAT | O_TRUNC)) || !enter()) return fd;
  struct stat st;
  char name[MAX_NAME];
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
  char path[MAX_NAME];
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
  char path[MAX_NAME], other[MAX_NAME] = "";
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

static disk_name *name_of(const char *path) {
  for (size_t i = 0; i < n_names; i++)
    if (strcmp(names[i].path, path) == 0) return &names[i];
  disk_name *n = &names[n_names++];
  snprintf(n->path, sizeof n->path, "%s", path);
  n->id = -2;
  return n;
}

static void size_to(disk_file *f, uint64_t len) {
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
    char path[MAX_NAME];
    snprintf(path, sizeof path, "%.90s%.90s", to, names[i].path + len);
    int id = names[i].id;
    names[i].id = -2;
    name_of(path)->id = id;
  }
}

static void apply(const op *o, bool torn) {
  uint64_t len = torn ? o->len / 2 : o->len;
  disk_file *f = o->id >= 0 ? &files[o->id] : NULL;
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
    name_of(o->path)->id = -2;
    name_of(o->to)->id = o->id; /* before what is below it: names are made in this order */
    rename_below(o->path, o->to);
  } else if (o->kind == OP_UNLINK) {
    name_of(o->path)->id = -2;
  }
}

/* ---- the beginning: what is there is durable ---- */

static void take_base(int dirfd, const char *below) {
  int fd = openat(dirfd, *below ? below : ".", O_RDONLY | O_DIRECTORY);
  DIR *dir = fdopendir(fd);
  if (!dir) fail_msg("open %s", below);
  for (struct dirent *e; (e = readdir(dir));) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    disk_name *n = &base_names[n_base_names++];
    snprintf(n->path, sizeof n->path, "%.90s%s%.90s", below, *below ? "/" : "", e->d_name);
    n->id = e->d_type == DT_DIR ? -1 : n_files;
    if (e->d_type == DT_DIR) {
      take_base(dirfd, n->path);
      continue;
    }
    struct stat st;
    int in = openat(dirfd, n->path, O_RDONLY);
    assert_int_equal(fstat(in, &st), 0);
    disk_file *f = &files[n_files];
    f->base_len = (uint64_t)st.st_size;
    f->base = malloc(f->base_len + 1);
    assert_int_equal(pread(in, f->base, f->base_len, 0), (ssize_t)f->base_len);
    inodes[n_files++] = st.st_ino;
    if (strcmp(n->path, "index") == 0 && f->base_len <= sizeof index_seen) {
      memcpy(index_seen, f->base, f->base_len);
      index_id = n->id;
    }
    close(in);
  }
  closedir(dir);
}

void power_record(const char *dir) {
  assert_non_null(realpath(dir, root));
  int fd = open(root, O_RDONLY | O_DIRECTORY);
  n_ops = n_base_names = 0;
  n_files = 0;
  index_id = -1;
  memset(index_seen, 0, sizeof index_seen);
  take_base(fd, "");
  close(fd);
  ipfsa_write_queue_listener = queued;
  recording = true;
}

void power_acknowledge(int number) {
  if (!enter()) return;
  add_op(OP_ACK, number);
  leave();
}

size_t power_stop(void) {
  recording = false;
  find_durable();
  return n_ops;
}

void power_forget(void) {
  for (size_t i = 0; i < n_ops; i++) free(ops[i].data);
  for (int i = 0; i < n_files; i++) {
    free(files[i].data);
    free(files[i].base);
    files[i] = (disk_file){0};
  }
  n_ops = 0;
  n_files = 0;
}

static void back_to_base(void) {
  for (int i = 0; i < n_files; i++) {
    files[i].len = 0;
    size_to(&files[i], files[i].base_len);
    if (files[i].base_len) memcpy(files[i].data, files[i].base, files[i].base_len);
    files[i].len = files[i].base_len;
  }
  memcpy(names, base_names, n_base_names * sizeof *names);
  n_names = n_base_names;
}

int power_build(size_t n, power_fate fate, int dirfd) {
  uint64_t random = 0x9e3779b97f4a7c15u * (n + 1);
  int acknowledged = 0;
  back_to_base();
  for (size_t i = 0; i < n; i++) {
    bool durable = ops[i].durable_at < n;
    if (ops[i].kind == OP_ACK) acknowledged = ops[i].id;
    random = random * 6364136223846793005u + 1442695040888963407u;
    if (!durable && (fate == FATE_DROPPED || (fate == FATE_ODD && i % 2 == 0) || (fate == FATE_EVEN && i % 2) || (fate == FATE_RANDOM && random >> 63))) continue;
    apply(&ops[i], !durable && fate == FATE_TORN);
  }
  for (size_t i = 0; i < n_names; i++)
    if (names[i].id == -1) mkdirat(dirfd, names[i].path, 0700);
  for (size_t i = 0; i < n_names; i++) {
    if (names[i].id < 0) continue;
    disk_file *f = &files[names[i].id];
    int fd = openat(dirfd, names[i].path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) continue; /* its folder was lost */
    if (f->len) assert_int_equal(pwrite(fd, f->data, f->len, 0), (ssize_t)f->len);
    if (strcmp(names[i].path, "index") == 0 && f->len > 64) assert_int_equal(pwrite(fd, "another boot", 12, 24), 12);
    close(fd);
  }
  return acknowledged;
}
