/* File operations with fault points. EINTR is retried and short reads and writes are continued here, nowhere else.
 * Paths are relative to a dirfd. All sync rules of the store (docs/formats) rest on these calls. Threads: any. */
#ifndef IPFSA_BASE_FS_H
#define IPFSA_BASE_FS_H

#include <ipfsa/base.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Return a descriptor (close-on-exec) or -1 with *err filled. `name` is only for messages. */
int ipfsa_fs_open(int dirfd, const char *path, int flags, mode_t mode, ipfsa_error *err);
int ipfsa_fs_open_dir(int dirfd, const char *path, ipfsa_error *err);
void ipfsa_fs_close(int *fd); /* sets -1; errors of close are not reported: sync first */
int ipfsa_fs_dup(int fd, ipfsa_error *err); /* the same open file once more, for an owner of its own */
ipfsa_status ipfsa_fs_mkdir(int dirfd, const char *path, mode_t mode, ipfsa_error *err); /* EEXIST → E_EXISTS */
ipfsa_status ipfsa_fs_stat(int dirfd, const char *path, struct stat *ret, ipfsa_error *err); /* does not follow links */
ipfsa_status ipfsa_fs_stat_target(int dirfd, const char *path, struct stat *ret, ipfsa_error *err); /* follows links */
ipfsa_status ipfsa_fs_fstat(int fd, struct stat *ret, ipfsa_error *err);
/* Reads up to len bytes; *ret_len < len only at end of file. */
ipfsa_status ipfsa_fs_read_at(int fd, void *data, size_t len, uint64_t off, size_t *ret_len, ipfsa_error *err);
/* Bytes that lie together in the file, into several places; at the end of the file fewer. `iov` is used up. Where they are not in memory, the
 * `ahead` bytes behind them are asked for as well. At most 64 places. */
struct iovec;
ipfsa_status ipfsa_fs_readv_at(int fd, struct iovec *iov, size_t n_iov, uint64_t off, uint64_t ahead, size_t *ret_len, ipfsa_error *err);
/* One read: *ret_len may be short anywhere. A regular file that is read with a byte more than it has shows its end so, in one call. */
ipfsa_status ipfsa_fs_read_once(int fd, void *data, size_t len, uint64_t off, size_t *ret_len, ipfsa_error *err);
ipfsa_status ipfsa_fs_read(int fd, void *data, size_t len, size_t *ret_len, ipfsa_error *err); /* streams */
ipfsa_status ipfsa_fs_write_at(int fd, const void *data, size_t len, uint64_t off, ipfsa_error *err);
ipfsa_status ipfsa_fs_write(int fd, const void *data, size_t len, ipfsa_error *err);
ipfsa_status ipfsa_fs_truncate(int fd, uint64_t len, ipfsa_error *err);
ipfsa_status ipfsa_fs_allocate(int fd, uint64_t off, uint64_t len, ipfsa_error *err); /* fallocate keep-size; EOPNOTSUPP is ok */
/* The same file once more, for reading past the page cache: memory, offsets and lengths on borders of 4 KiB. −1: the file system has no such way. */
int ipfsa_fs_open_direct(int fd);
/* As readv_at, past the page cache: memory, offset and lengths on those borders. False: not all of it came; read it in the usual way. */
bool ipfsa_fs_read_past_cache(int fd, struct iovec *iov, size_t n_iov, uint64_t off);
ipfsa_status ipfsa_fs_punch(int fd, uint64_t off, uint64_t len, ipfsa_error *err);    /* hole; EOPNOTSUPP → NOT_SUPPORTED */
/* The range of another file, shared until one of them is written. All three on borders of the file system's blocks. NOT_SUPPORTED: two file systems,
 * one that cannot share, or other borders; write the bytes instead. */
ipfsa_status ipfsa_fs_clone(int fd, uint64_t off, int from_fd, uint64_t from_off, uint64_t len, ipfsa_error *err);
/* Asks the kernel to begin reading a range that will be wanted soon; a hint, so nothing can fail. */
void ipfsa_fs_will_need(int fd, uint64_t off, uint64_t len);
bool ipfsa_fs_is_cached(int fd, uint64_t off); /* is this byte in memory? As of now; to see whether asking for a range is worth it. Where it is not, the kernel begins to read a few pages there */
bool ipfsa_fs_are_ends_cached(int fd, uint64_t off, uint64_t len); /* the first and the last of a range, for ranges that are read or dropped as a whole; len > 0 */
void ipfsa_fs_wont_need(int fd, uint64_t off, uint64_t len); /* a hint as well: what is in memory of it need not stay there */
/* What this user may still write there, and how much there is in all. UINT64_MAX and 0: the file system does not say. */
typedef struct ipfsa_fs_room {
  uint64_t bytes, all_bytes;
  uint64_t files, all_files; /* names that it can still take; many file systems make room for them as they come */
  int id[2];                 /* of the file system, while it is mounted */
  bool may_share;            /* it is of a kind that can share extents between files (XFS, Btrfs, bcachefs) */
} ipfsa_fs_room;
ipfsa_status ipfsa_fs_room_at(const char *path, ipfsa_fs_room *ret, ipfsa_error *err);
ipfsa_status ipfsa_fs_datasync(int fd, ipfsa_error *err);
ipfsa_status ipfsa_fs_sync(int fd, ipfsa_error *err);
ipfsa_status ipfsa_fs_sync_dir(int dirfd, const char *path, ipfsa_error *err); /* fsync of a folder by path */
ipfsa_status ipfsa_fs_rename(int dirfd, const char *from, const char *to, ipfsa_error *err);
/* Two names change places in one step, whatever they are. NOT_SUPPORTED: this file system cannot do that. */
ipfsa_status ipfsa_fs_exchange(int dirfd, const char *a, const char *b, ipfsa_error *err);
ipfsa_status ipfsa_fs_link(int from_dirfd, const char *from, int to_dirfd, const char *to, ipfsa_error *err); /* a second name of a file */
ipfsa_status ipfsa_fs_set_mode(int fd, mode_t mode, ipfsa_error *err);
ipfsa_status ipfsa_fs_flock(int fd, bool wait, ipfsa_error *err); /* exclusive, until fd is closed; held by another and no wait: E_LOCKED */
void ipfsa_fs_unlock_close(int *fd); /* what closing alone does not do where a child that was forked meanwhile has it open, too */
ipfsa_status ipfsa_fs_unlink(int dirfd, const char *path, ipfsa_error *err);
ipfsa_status ipfsa_fs_rmdir(int dirfd, const char *path, ipfsa_error *err);
ipfsa_status ipfsa_fs_symlink(const char *target, int dirfd, const char *path, ipfsa_error *err);
ipfsa_status ipfsa_fs_readlink(int dirfd, const char *path, char **ret_target, size_t *ret_len, ipfsa_error *err);
/* Reads a whole small file (at most max bytes, else E_LIMIT); *ret_data owned, terminated, free with ipfsa_free. */
ipfsa_status ipfsa_fs_read_file(int dirfd, const char *path, size_t max, char **ret_data, size_t *ret_len, ipfsa_error *err);
/* temp → write → fsync → rename → fsync of the folder: the file is the old one or the new one, whole. */
ipfsa_status ipfsa_fs_replace_file(int dirfd, const char *path, const void *data, size_t len, mode_t mode, ipfsa_error *err);

/* A file that is memory only, nameless, open for reading and writing; -1 with *err filled. Seals (fcntl(2), F_SEAL_…) take away what may be done to it. */
int ipfsa_fs_memory(const char *name, ipfsa_error *err);
ipfsa_status ipfsa_fs_seal(int fd, int seals, ipfsa_error *err);
/* Bytes of memory that can be had without swapping: MemAvailable. */
ipfsa_status ipfsa_fs_available_memory(uint64_t *ret, ipfsa_error *err);

/* A descriptor that becomes readable, and stays so, once it is set; -1 with *err filled. */
int ipfsa_fs_event(ipfsa_error *err);
void ipfsa_fs_event_set(int fd);

typedef int (*ipfsa_fs_entry_cb)(void *ctx, const char *name, unsigned char type /* DT_… */);
/* Calls cb for every entry but "." and ".."; unordered; a return other than 0 stops with E_CANCELLED. */
ipfsa_status ipfsa_fs_list(int dirfd, const char *path, ipfsa_fs_entry_cb cb, void *ctx, ipfsa_error *err);

static inline void ipfsa_fs_close_ptr(int *fd) { ipfsa_fs_close(fd); }
#define IPFSA_AUTO_FD __attribute__((cleanup(ipfsa_fs_close_ptr)))

#endif
