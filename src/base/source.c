#include "base/source.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"

typedef struct fd_source {
  ipfsa_source base;
  int fd;
  bool own_fd, regular;
  uint64_t off, size;
  struct timespec mtime; /* at first */
  char name[];
} fd_source;

static ipfsa_status changed(const fd_source *s, bool more, ipfsa_error *err) {
  return ipfsa_fail(err, IPFSA_E_CHANGED, "%s changed while it was read: it had %llu bytes at first, now %s; add it again when it is at rest",
                    s->name, (unsigned long long)s->size, more ? "more" : "fewer");
}

static ipfsa_status check_end(fd_source *s, size_t got, size_t asked, ipfsa_error *err) {
  if (!s->regular) return IPFSA_OK;
  bool ended = got < asked;
  return (ended && s->off != s->size) || s->off > s->size ? changed(s, s->off > s->size, err) : IPFSA_OK;
}

static ipfsa_status read_fd(ipfsa_source *self, void *data, size_t len, size_t *ret_len, ipfsa_error *err) {
  fd_source *s = (fd_source *)self;
  size_t n = 0;
  ipfsa_status status =
      s->regular ? ipfsa_fs_read_at(s->fd, data, len, s->off, &n, err) : ipfsa_fs_read(s->fd, data, len, &n, err);
  if (status) return ipfsa_error_prefix(err, status, "%s", s->name);
  s->off += n;
  status = check_end(s, n, len, err);
  if (status) return status;
  *ret_len = n;
  return IPFSA_OK;
}

static ipfsa_status read_fd_at(ipfsa_source *self, void *data, size_t len, uint64_t off, ipfsa_error *err) {
  fd_source *s = (fd_source *)self;
  size_t n = 0;
  ipfsa_status status = ipfsa_fs_read_at(s->fd, data, len, self->map_off + off, &n, err);
  if (status) return ipfsa_error_prefix(err, status, "%s", s->name);
  return n < len ? changed(s, false, err) : IPFSA_OK;
}

static ipfsa_status check_fd(ipfsa_source *self, ipfsa_error *err) {
  fd_source *s = (fd_source *)self;
  struct stat st;
  ipfsa_status status = ipfsa_fs_fstat(s->fd, &st, err);
  if (status) return status;
  if ((uint64_t)st.st_size != s->size) return changed(s, (uint64_t)st.st_size > s->size, err);
  if (st.st_mtim.tv_sec == s->mtime.tv_sec && st.st_mtim.tv_nsec == s->mtime.tv_nsec) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_CHANGED, "%s changed while it was read: something was written to it; add it again when it is at rest", s->name);
}

static void close_fd(ipfsa_source *self) {
  fd_source *s = (fd_source *)self;
  if (s->own_fd) ipfsa_fs_close(&s->fd);
  ipfsa_free(s);
}

ipfsa_status ipfsa_source_open_fd(int fd, bool own_fd, const char *name, ipfsa_source **ret, ipfsa_error *err) {
  size_t name_len = strlen(name);
  fd_source *s = ipfsa_calloc(1, sizeof *s + name_len + 1);
  if (!s) return ipfsa_fail_nomem(err);
  memcpy(s->name, name, name_len);
  struct stat st;
  ipfsa_status status = ipfsa_fs_fstat(fd, &st, err);
  if (status) {
    ipfsa_free(s);
    return status;
  }
  s->base = (ipfsa_source){.read = read_fd, .close = close_fd, .size_hint = UINT64_MAX, .map_fd = -1};
  s->fd = fd;
  s->own_fd = own_fd;
  s->regular = S_ISREG(st.st_mode);
  if (s->regular) {
    off_t at = lseek(fd, 0, SEEK_CUR);
    s->off = at > 0 ? (uint64_t)at : 0;
    s->size = (uint64_t)st.st_size;
    s->base.size_hint = s->size > s->off ? s->size - s->off : 0;
    if (s->size < s->off) s->size = s->off;
    s->mtime = st.st_mtim;
    s->base.map_off = s->off;
    s->base.read_at = read_fd_at;
    s->base.check = check_fd;
  }
  *ret = &s->base;
  return IPFSA_OK;
}

typedef struct bytes_source {
  ipfsa_source base;
  ipfsa_bytes left;
} bytes_source;

static ipfsa_status read_bytes(ipfsa_source *self, void *data, size_t len, size_t *ret_len, ipfsa_error *err) {
  (void)err;
  bytes_source *s = (bytes_source *)self;
  size_t n = len < s->left.len ? len : s->left.len;
  if (n) memcpy(data, s->left.data, n);
  s->left.data += n;
  s->left.len -= n;
  *ret_len = n;
  return IPFSA_OK;
}

static void close_bytes(ipfsa_source *self) { ipfsa_free(self); }

ipfsa_status ipfsa_source_open_bytes(ipfsa_bytes bytes, ipfsa_source **ret, ipfsa_error *err) {
  static const uint8_t none = 0;
  bytes_source *s = ipfsa_calloc(1, sizeof *s);
  if (!s) return ipfsa_fail_nomem(err);
  s->base = (ipfsa_source){.read = read_bytes, .close = close_bytes, .size_hint = bytes.len, .map_fd = -1};
  s->left = bytes.data ? bytes : (ipfsa_bytes){&none, 0};
  *ret = &s->base;
  return IPFSA_OK;
}

void ipfsa_source_close(ipfsa_source *source) {
  if (source && source->close) source->close(source);
}
