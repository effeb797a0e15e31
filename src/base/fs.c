#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fault.h"

/* True when the fault plan makes this operation fail; errno is set then. */
static bool faulted(void) { return ipfsa_fault_point(IPFSA_FAULT_FILE) == IPFSA_FAULT_FAIL; }

/* Runs a call that returns -1 and sets errno, again while it is interrupted. */
#define RETRY(call)                                                                                                    \
  ({                                                                                                                   \
    __typeof__(call) result_;                                                                                          \
    do result_ = faulted() ? -1 : (call);                                                                              \
    while (result_ < 0 && errno == EINTR);                                                                             \
    result_;                                                                                                           \
  })

int ipfsa_fs_open(int dirfd, const char *path, int flags, mode_t mode, ipfsa_error *err) {
  int fd = RETRY(openat(dirfd, path, flags | O_CLOEXEC | O_NOCTTY, mode));
  if (fd < 0) ipfsa_fail_errno(err, errno, "open %s", path);
  return fd;
}

int ipfsa_fs_open_dir(int dirfd, const char *path, ipfsa_error *err) {
  return ipfsa_fs_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0, err);
}

void ipfsa_fs_close(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

ipfsa_status ipfsa_fs_mkdir(int dirfd, const char *path, mode_t mode, ipfsa_error *err) {
  if (RETRY(mkdirat(dirfd, path, mode)) == 0) return IPFSA_OK;
  return ipfsa_fail_errno(err, errno, "mkdir %s", path);
}

ipfsa_status ipfsa_fs_stat(int dirfd, const char *path, struct stat *ret, ipfsa_error *err) {
  struct stat st;
  if (RETRY(fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW)) != 0) return ipfsa_fail_errno(err, errno, "lstat %s", path);
  *ret = st;
  return IPFSA_OK;
}

ipfsa_status ipfsa_fs_stat_target(int dirfd, const char *path, struct stat *ret, ipfsa_error *err) {
  struct stat st;
  if (RETRY(fstatat(dirfd, path, &st, 0)) != 0) return ipfsa_fail_errno(err, errno, "stat %s", path);
  *ret = st;
  return IPFSA_OK;
}

ipfsa_status ipfsa_fs_fstat(int fd, struct stat *ret, ipfsa_error *err) {
  struct stat st;
  if (RETRY(fstat(fd, &st)) != 0) return ipfsa_fail_errno(err, errno, "stat of an open file");
  *ret = st;
  return IPFSA_OK;
}

ipfsa_status ipfsa_fs_read_at(int fd, void *data, size_t len, uint64_t off, size_t *ret_len, ipfsa_error *err) {
  size_t done = 0;
  while (done < len) {
    size_t ask = ipfsa_fault_allowed(len - done);
    ssize_t n = ask ? pread(fd, (char *)data + done, ask, (off_t)(off + done)) : -1;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ipfsa_fail_errno(err, errno, "read of %zu bytes at byte %llu", len, (unsigned long long)off);
    if (n == 0) break;
    done += (size_t)n;
  }
  *ret_len = done;
  return IPFSA_OK;
}

static void iov_pass(struct iovec **iov, size_t *n_iov, size_t n) {
  while (*n_iov && n >= (*iov)->iov_len) n -= (*iov)->iov_len, ++*iov, --*n_iov;
  if (*n_iov && n) (*iov)->iov_base = (char *)(*iov)->iov_base + n, (*iov)->iov_len -= n;
}

/* What is in memory comes without waiting; the rest is asked for in one piece with what will be wanted next. */
static ssize_t read_cached(int fd, const struct iovec *iov, size_t n_iov, uint64_t off, uint64_t want) {
  ssize_t n = preadv2(fd, iov, (int)n_iov, (off_t)off, RWF_NOWAIT);
  size_t got = n > 0 ? (size_t)n : 0, len = 0;
  for (size_t i = 0; i < n_iov; i++) len += iov[i].iov_len;
  if (got < len) ipfsa_fs_will_need(fd, off + got, len - got + want);
  return (ssize_t)got;
}

/* look: first at what is in memory. */
static ipfsa_status read_places(int fd, struct iovec *iov, size_t n_iov, uint64_t off, bool look, uint64_t ahead, size_t *ret_len, ipfsa_error *err) {
  size_t done = 0;
  for (bool first = look; n_iov; first = false) {
    size_t ask = ipfsa_fault_allowed(iov->iov_len);
    ssize_t n = ask ? 0 : -1;
    if (ask && ask < iov->iov_len) n = preadv(fd, &(struct iovec){iov->iov_base, ask}, 1, (off_t)(off + done)); /* the fault plan: a short one */
    else if (ask && first) n = read_cached(fd, iov, n_iov, off, ahead);
    if (n == 0) n = preadv(fd, iov, (int)n_iov, (off_t)(off + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ipfsa_fail_errno(err, errno, "read at byte %llu", (unsigned long long)(off + done));
    if (n == 0) break;
    done += (size_t)n;
    iov_pass(&iov, &n_iov, (size_t)n);
  }
  *ret_len = done;
  return IPFSA_OK;
}

ipfsa_status ipfsa_fs_readv_at(int fd, struct iovec *iov, size_t n_iov, uint64_t off, uint64_t ahead, size_t *ret_len, ipfsa_error *err) {
  return read_places(fd, iov, n_iov, off, true, ahead, ret_len, err);
}

bool ipfsa_fs_read_past_cache(int fd, struct iovec *iov, size_t n_iov, uint64_t off) {
  size_t len = 0, got = 0;
  for (size_t i = 0; i < n_iov; i++) len += iov[i].iov_len;
  IPFSA_AUTO_FD int direct = ipfsa_fs_open_direct(fd);
  return direct >= 0 && read_places(direct, iov, n_iov, off, false, 0, &got, NULL) == IPFSA_OK && got == len;
}

ipfsa_status ipfsa_fs_read_once(int fd, void *data, size_t len, uint64_t off, size_t *ret_len, ipfsa_error *err) {
  ssize_t n;
  do {
    size_t ask = ipfsa_fault_allowed(len);
    n = ask ? pread(fd, data, ask, (off_t)off) : -1;
  } while (n < 0 && errno == EINTR);
  if (n < 0) return ipfsa_fail_errno(err, errno, "read of %zu bytes at byte %llu", len, (unsigned long long)off);
  *ret_len = (size_t)n;
  return IPFSA_OK;
}

ipfsa_status ipfsa_fs_read(int fd, void *data, size_t len, size_t *ret_len, ipfsa_error *err) {
  size_t done = 0;
  while (done < len) {
    size_t ask = ipfsa_fault_allowed(len - done);
    ssize_t n = ask ? read(fd, (char *)data + done, ask) : -1;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ipfsa_fail_errno(err, errno, "read");
    if (n == 0) break;
    done += (size_t)n;
  }
  *ret_len = done;
  return IPFSA_OK;
}

ipfsa_status ipfsa_fs_write_at(int fd, const void *data, size_t len, uint64_t off, ipfsa_error *err) {
  size_t done = 0;
  while (done < len) {
    size_t ask = ipfsa_fault_allowed(len - done);
    ssize_t n = ask ? pwrite(fd, (const char *)data + done, ask, (off_t)(off + done)) : -1;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ipfsa_fail_errno(err, errno, "write of %zu bytes at byte %llu", len, (unsigned long long)off);
    if (n == 0) return ipfsa_fail(err, IPFSA_E_IO, "write of %zu bytes at byte %llu moved nothing", len,
                                  (unsigned long long)off);
    done += (size_t)n;
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_fs_write(int fd, const void *data, size_t len, ipfsa_error *err) {
  size_t done = 0;
  while (done < len) {
    size_t ask = ipfsa_fault_allowed(len - done);
    ssize_t n = ask ? write(fd, (const char *)data + done, ask) : -1;
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return ipfsa_fail_errno(err, n < 0 ? errno : EIO, "write of %zu bytes", len);
    done += (size_t)n;
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_fs_truncate(int fd, uint64_t len, ipfsa_error *err) {
  if (RETRY(ftruncate(fd, (off_t)len)) == 0) return IPFSA_OK;
  return ipfsa_fail_errno(err, errno, "truncate to %llu bytes", (unsigned long long)len);
}

ipfsa_status ipfsa_fs_allocate(int fd, uint64_t off, uint64_t len, ipfsa_error *err) {
  if (len == 0 || RETRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len)) == 0) return IPFSA_OK;
  if (errno == EOPNOTSUPP || errno == ENOSYS) return IPFSA_OK;
  return ipfsa_fail_errno(err, errno, "allocate %llu bytes", (unsigned long long)len);
}

int ipfsa_fs_open_direct(int fd) {
  char path[48];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return RETRY(open(path, O_RDONLY | O_DIRECT | O_CLOEXEC));
}

ipfsa_status ipfsa_fs_punch(int fd, uint64_t off, uint64_t len, ipfsa_error *err) {
  if (RETRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len)) == 0) return IPFSA_OK;
  if (errno == EOPNOTSUPP || errno == ENOSYS)
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "this file system cannot punch holes");
  return ipfsa_fail_errno(err, errno, "punch a hole of %llu bytes", (unsigned long long)len);
}

bool ipfsa_fs_is_cached(int fd, uint64_t off) {
  char byte;
  return preadv2(fd, &(struct iovec){&byte, 1}, 1, (off_t)off, RWF_NOWAIT) == 1;
}

bool ipfsa_fs_are_ends_cached(int fd, uint64_t off, uint64_t len) { return ipfsa_fs_is_cached(fd, off) && ipfsa_fs_is_cached(fd, off + len - 1); }

ipfsa_status ipfsa_fs_clone(int fd, uint64_t off, int from_fd, uint64_t from_off, uint64_t len, ipfsa_error *err) {
  struct file_clone_range range = {.src_fd = from_fd, .src_offset = from_off, .src_length = len, .dest_offset = off};
  if (RETRY(ioctl(fd, FICLONERANGE, &range)) == 0) return IPFSA_OK;
  if (errno == EOPNOTSUPP || errno == ENOTTY || errno == ENOSYS || errno == EXDEV || errno == EINVAL || errno == ETXTBSY)
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "these files cannot share bytes");
  return ipfsa_fail_errno(err, errno, "share %llu bytes", (unsigned long long)len);
}

void ipfsa_fs_will_need(int fd, uint64_t off, uint64_t len) {
  (void)posix_fadvise(fd, (off_t)off, (off_t)len, POSIX_FADV_WILLNEED);
}

void ipfsa_fs_wont_need(int fd, uint64_t off, uint64_t len) {
  (void)posix_fadvise(fd, (off_t)off, (off_t)len, POSIX_FADV_DONTNEED);
}

/* linux/magic.h; bcachefs has none there. */
static bool kind_may_share(long kind) { return kind == 0x58465342 /* XFS */ || kind == (long)0x9123683E /* Btrfs */ || kind == (long)0xca451a4e /* bcachefs */; }

ipfsa_status ipfsa_fs_room_at(const char *path, ipfsa_fs_room *ret, ipfsa_error *err) {
  struct statfs st;
  if (RETRY(statfs(path, &st)) != 0) return ipfsa_fail_errno(err, errno, "statfs %s", path);
  ipfsa_fs_room room = {UINT64_MAX, 0, UINT64_MAX, 0, {0, 0}, kind_may_share((long)st.f_type)};
  memcpy(room.id, &st.f_fsid, sizeof room.id);
  uint64_t unit = (uint64_t)(st.f_frsize ? st.f_frsize : st.f_bsize), bytes, all;
  if (st.f_blocks && !__builtin_mul_overflow((uint64_t)st.f_bavail, unit, &bytes) && !__builtin_mul_overflow((uint64_t)st.f_blocks, unit, &all))
    room.bytes = bytes, room.all_bytes = all;
  if (st.f_files) room.files = (uint64_t)st.f_ffree, room.all_files = (uint64_t)st.f_files;
  *ret = room;
  return IPFSA_OK;
}

ipfsa_status ipfsa_fs_datasync(int fd, ipfsa_error *err) {
  if (RETRY(fdatasync(fd)) == 0) return IPFSA_OK;
  return ipfsa_fail_errno(err, errno, "fdatasync");
}

ipfsa_status ipfsa_fs_sync(int fd, ipfsa_error *err) {
  if (RETRY(fsync(fd)) == 0) return IPFSA_OK;
  return ipfsa_fail_errno(err, errno, "fsync");
}

ipfsa_status ipfsa_fs_sync_dir(int dirfd, const char *path, ipfsa_error *err) {
  IPFSA_AUTO_FD int fd = ipfsa_fs_open_dir(dirfd, path, err);
  if (fd < 0) return err ? err->status : IPFSA_E_IO;
  ipfsa_status status = ipfsa_fs_sync(fd, err);
  return status ? ipfsa_error_prefix(err, status, "%s", path) : IPFSA_OK;
}

ipfsa_status ipfsa_fs_rename(int dirfd, const char *from, const char *to, ipfsa_error *err) {
  if (RETRY(renameat(dirfd, from, dirfd, to)) == 0) return IPFSA_OK;
  return ipfsa_fail_errno(err, errno, "rename %s to %s", from, to);
}

ipfsa_status ipfsa_fs_exchange(int dirfd, const char *a, const char *b, ipfsa_error *err) {
  if (RETRY(renameat2(dirfd, a, dirfd, b, RENAME_EXCHANGE)) == 0) return IPFSA_OK;
  if (errno == EINVAL || errno == ENOSYS) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "this file system cannot exchange %s and %s", a, b);
  return ipfsa_fail_errno(err, errno, "exchange %s and %s", a, b);
}

ipfsa_status ipfsa_fs_link(int from_dirfd, const char *from, int to_dirfd, const char *to, ipfsa_error *err) {
  if (RETRY(linkat(from_dirfd, from, to_dirfd, to, 0)) == 0) return IPFSA_OK;
  return ipfsa_fail_errno(err, errno, "link %s to %s", to, from);
}

ipfsa_status ipfsa_fs_set_mode(int fd, mode_t mode, ipfsa_error *err) {
  if (RETRY(fchmod(fd, mode)) == 0) return IPFSA_OK;
  return ipfsa_fail_errno(err, errno, "set mode %04o", (unsigned)mode);
}

ipfsa_status ipfsa_fs_flock(int fd, bool wait, ipfsa_error *err) {
  if (RETRY(flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB)) == 0) return IPFSA_OK;
  if (errno == EWOULDBLOCK) return ipfsa_fail(err, IPFSA_E_LOCKED, "it is locked by another call or process");
  return ipfsa_fail_errno(err, errno, "flock");
}

void ipfsa_fs_unlock_close(int *fd) {
  if (*fd >= 0) (void)flock(*fd, LOCK_UN);
  ipfsa_fs_close(fd);
}

ipfsa_status ipfsa_fs_unlink(int dirfd, const char *path, ipfsa_error *err) {
  if (RETRY(unlinkat(dirfd, path, 0)) == 0) return IPFSA_OK;
  return ipfsa_fail_errno(err, errno, "unlink %s", path);
}

ipfsa_status ipfsa_fs_rmdir(int dirfd, const char *path, ipfsa_error *err) {
  if (RETRY(unlinkat(dirfd, path, AT_REMOVEDIR)) == 0) return IPFSA_OK;
  return ipfsa_fail_errno(err, errno, "rmdir %s", path);
}

ipfsa_status ipfsa_fs_symlink(const char *target, int dirfd, const char *path, ipfsa_error *err) {
  if (RETRY(symlinkat(target, dirfd, path)) == 0) return IPFSA_OK;
  return ipfsa_fail_errno(err, errno, "symlink %s", path);
}

ipfsa_status ipfsa_fs_readlink(int dirfd, const char *path, char **ret_target, size_t *ret_len, ipfsa_error *err) {
  char target[4097]; /* PATH_MAX with terminator; the kernel stores no longer ones */
  ssize_t n = RETRY(readlinkat(dirfd, path, target, sizeof target));
  if (n < 0) return ipfsa_fail_errno(err, errno, "readlink %s", path);
  if ((size_t)n == sizeof target) return ipfsa_fail(err, IPFSA_E_LIMIT, "readlink %s: target over 4096 bytes", path);
  char *copy = ipfsa_malloc((size_t)n + 1);
  if (!copy) return ipfsa_fail_nomem(err);
  memcpy(copy, target, (size_t)n);
  copy[n] = '\0';
  *ret_target = copy;
  if (ret_len) *ret_len = (size_t)n;
  return IPFSA_OK;
}

ipfsa_status ipfsa_fs_read_file(int dirfd, const char *path, size_t max, char **ret_data, size_t *ret_len, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  IPFSA_AUTO_FD int fd = ipfsa_fs_open(dirfd, path, O_RDONLY, 0, err);
  if (fd < 0) return err->status;
  IPFSA_AUTO_BUF ipfsa_buf buf = {.max = max + 2};
  size_t n = 0;
  do {
    size_t want = max + 1 - buf.len < 65536 ? max + 1 - buf.len : 65536;
    if (!ipfsa_buf_reserve(&buf, want + 1)) return ipfsa_buf_status(&buf, err);
    ipfsa_status status = ipfsa_fs_read(fd, buf.data + buf.len, want, &n, err);
    if (status) return ipfsa_error_prefix(err, status, "%s", path);
    buf.len += n;
    if (buf.len > max) return ipfsa_fail(err, IPFSA_E_LIMIT, "%s is larger than its limit of %zu bytes", path, max);
  } while (n > 0);
  buf.data[buf.len] = '\0';
  *ret_data = (char *)ipfsa_buf_take(&buf, ret_len);
  return IPFSA_OK;
}

static ipfsa_status write_new_file(int dirfd, const char *temp, const void *data, size_t len, mode_t mode, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  IPFSA_AUTO_FD int fd = ipfsa_fs_open(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode, err);
  if (fd < 0) return err->status;
  ipfsa_status status = ipfsa_fs_write(fd, data, len, err);
  return status ? status : ipfsa_fs_sync(fd, err);
}

ipfsa_status ipfsa_fs_replace_file(int dirfd, const char *path, const void *data, size_t len, mode_t mode, ipfsa_error *err) {
  char temp[4200];
  int n = snprintf(temp, sizeof temp, "%s.%016llx.tmp", path, (unsigned long long)ipfsa_random_u64());
  if (n < 0 || (size_t)n >= sizeof temp) return ipfsa_fail(err, IPFSA_E_LIMIT, "path over 4096 bytes");
  ipfsa_status status = write_new_file(dirfd, temp, data, len, mode, err);
  if (status == IPFSA_OK) status = ipfsa_fs_rename(dirfd, temp, path, err);
  if (status) {
    unlinkat(dirfd, temp, 0); /* best effort: a stray temp file is not the answer to report */
    return ipfsa_error_prefix(err, status, "%s", path);
  }
  const char *slash = strrchr(path, '/');
  if (!slash) return ipfsa_fs_sync_dir(dirfd, ".", err);
  IPFSA_AUTO_FREE char *folder = ipfsa_strndup(path, slash == path ? 1 : (size_t)(slash - path));
  return folder ? ipfsa_fs_sync_dir(dirfd, folder, err) : ipfsa_fail_nomem(err);
}

ipfsa_status ipfsa_fs_list(int dirfd, const char *path, ipfsa_fs_entry_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  int fd = ipfsa_fs_open_dir(dirfd, path, err);
  if (fd < 0) return err->status;
  DIR *dir = fdopendir(fd);
  if (!dir) {
    int saved = errno;
    close(fd);
    return ipfsa_fail_errno(err, saved, "list %s", path);
  }
  ipfsa_status status = IPFSA_OK;
  for (;;) {
    errno = 0;
    struct dirent *entry = faulted() ? NULL : readdir(dir);
    if (!entry && errno == EINTR) continue;
    if (!entry && errno) status = ipfsa_fail_errno(err, errno, "list %s", path);
    if (!entry) break;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (cb(ctx, entry->d_name, entry->d_type) != 0) {
      status = ipfsa_fail(err, IPFSA_E_CANCELLED, "listing of %s stopped", path);
      break;
    }
  }
  closedir(dir);
  return status;
}

int ipfsa_fs_dup(int fd, ipfsa_error *err) {
  int copy = RETRY(fcntl(fd, F_DUPFD_CLOEXEC, 3)); /* 0 to 2 may be closed, and a program's own */
  if (copy < 0) ipfsa_fail_errno(err, errno, "an open file once more");
  return copy;
}

int ipfsa_fs_memory(const char *name, ipfsa_error *err) {
  int fd = RETRY(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (fd < 0) ipfsa_fail_errno(err, errno, "memory as a file");
  return fd;
}

ipfsa_status ipfsa_fs_seal(int fd, int seals, ipfsa_error *err) {
  if (RETRY(fcntl(fd, F_ADD_SEALS, seals)) == 0) return IPFSA_OK;
  return ipfsa_fail_errno(err, errno, "sealing memory");
}

#define MEMINFO_SIZE 65536 /* the kernel writes some 1500 bytes */

/* "MemAvailable:   12345 kB" */
ipfsa_status ipfsa_fs_available_memory(uint64_t *ret, ipfsa_error *err) {
  IPFSA_AUTO_FREE char *text = NULL;
  ipfsa_status status = ipfsa_fs_read_file(AT_FDCWD, "/proc/meminfo", MEMINFO_SIZE, &text, NULL, err);
  if (status) return status;
  const char *line = strstr(text, "\nMemAvailable:");
  if (!line) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "/proc/meminfo has no MemAvailable: it needs Linux 3.14");
  *ret = strtoull(line + strlen("\nMemAvailable:"), NULL, 10) * 1024;
  return IPFSA_OK;
}

int ipfsa_fs_event(ipfsa_error *err) {
  int fd = RETRY(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (fd < 0) ipfsa_fail_errno(err, errno, "eventfd");
  return fd;
}

void ipfsa_fs_event_set(int fd) {
  uint64_t one = 1;
  while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {}
}
