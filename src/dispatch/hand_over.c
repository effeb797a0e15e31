#include "dispatch/hand_over.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"

#define LOOK_MS 100 /* how often it is asked whether to go on */

ipfsa_status ipfsa_hand_over_address(const char *path, struct sockaddr_un *ret, ipfsa_error *err) {
  *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (path[0] != '/') return ipfsa_fail(err, IPFSA_E_INVALID, "socket \"%.200s\": expected an absolute path", path);
  if (strlen(path) >= sizeof ret->sun_path) return ipfsa_fail(err, IPFSA_E_LIMIT, "socket %.60s…: a path of over %zu bytes; choose a shorter one", path, sizeof ret->sun_path - 1);
  memcpy(ret->sun_path, path, strlen(path));
  return IPFSA_OK;
}

ipfsa_status ipfsa_hand_over_wait(const ipfsa_hand_over *h, short events, ipfsa_error *err) {
  for (;;) {
    uint64_t now = ipfsa_clock_monotonic_ns(), left = now < h->deadline ? (h->deadline - now) / 1000000 : 0;
    struct pollfd p = {.fd = h->fd, .events = events};
    int n = poll(&p, 1, left < LOOK_MS ? (int)left : LOOK_MS);
    if (n > 0) return IPFSA_OK;
    if (n < 0 && errno != EINTR) return ipfsa_fail_errno(err, errno, "hand-over: waiting");
    if (h->cancelled && h->cancelled(h->cancelled_ctx)) return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
    if (left == 0) return ipfsa_fail(err, IPFSA_E_TIMEOUT, "hand-over: the other end did not go on in time");
  }
}

static bool is_no_error(void) { return errno == EINTR || errno == EAGAIN; }

ipfsa_status ipfsa_hand_over_put(const ipfsa_hand_over *h, const void *data, size_t len, ipfsa_error *err) {
  const char *p = data;
  while (len) {
    ipfsa_status status = ipfsa_hand_over_wait(h, POLLOUT, err);
    if (status) return status;
    ssize_t n = send(h->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && !is_no_error()) return ipfsa_fail_errno(err, errno, "hand-over: the other end went away");
    if (n > 0) p += n, len -= (size_t)n;
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_hand_over_get(const ipfsa_hand_over *h, void *data, size_t len, ipfsa_error *err) {
  char *p = data;
  while (len) {
    ipfsa_status status = ipfsa_hand_over_wait(h, POLLIN, err);
    if (status) return status;
    ssize_t n = recv(h->fd, p, len, MSG_DONTWAIT);
    if (n == 0) return ipfsa_fail(err, IPFSA_E_IO, "hand-over: the other end went away in the middle of it");
    if (n < 0 && !is_no_error()) return ipfsa_fail_errno(err, errno, "hand-over: the other end went away");
    if (n > 0) p += n, len -= (size_t)n;
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_hand_over_put_text(const ipfsa_hand_over *h, const char *text, size_t len, ipfsa_error *err) {
  unsigned char head[4] = {(unsigned char)(len >> 24), (unsigned char)(len >> 16), (unsigned char)(len >> 8), (unsigned char)len};
  if (len > IPFSA_MAX_HAND_OVER_TEXT) return ipfsa_fail(err, IPFSA_E_LIMIT, "hand-over: a text of %zu bytes; at most %u are taken", len, IPFSA_MAX_HAND_OVER_TEXT);
  ipfsa_status status = ipfsa_hand_over_put(h, head, sizeof head, err);
  return status ? status : ipfsa_hand_over_put(h, text, len, err);
}

ipfsa_status ipfsa_hand_over_get_text(const ipfsa_hand_over *h, ipfsa_buf *ret, ipfsa_error *err) {
  unsigned char head[4];
  ipfsa_status status = ipfsa_hand_over_get(h, head, sizeof head, err);
  if (status) return status;
  size_t len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
  if (len > IPFSA_MAX_HAND_OVER_TEXT) return ipfsa_fail(err, IPFSA_E_LIMIT, "hand-over: a text of %zu bytes; at most %u are taken", len, IPFSA_MAX_HAND_OVER_TEXT);
  if (!ipfsa_buf_reserve(ret, len)) return ipfsa_fail_nomem(err);
  status = ipfsa_hand_over_get(h, ret->data + ret->len, len, err);
  if (status == IPFSA_OK) ret->len += len;
  return status;
}

/* ---- descriptors: unix(7), SCM_RIGHTS ---- */

typedef union rights {
  char room[CMSG_SPACE(sizeof(int))];
  struct cmsghdr align;
} rights;

ipfsa_status ipfsa_hand_over_put_fd(const ipfsa_hand_over *h, int fd, ipfsa_error *err) {
  rights r = {0};
  char byte = 'F';
  struct iovec iov = {&byte, 1};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = r.room, .msg_controllen = sizeof r.room};
  struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
  *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
  memcpy(CMSG_DATA(c), &fd, sizeof fd);
  for (;;) {
    ipfsa_status status = ipfsa_hand_over_wait(h, POLLOUT, err);
    if (status) return status;
    if (sendmsg(h->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == 1) return IPFSA_OK;
    if (!is_no_error()) return ipfsa_fail_errno(err, errno, errno == EPIPE ? "hand-over: the other end went away" : "hand-over: a descriptor could not be passed");
  }
}

ipfsa_status ipfsa_hand_over_get_fd(const ipfsa_hand_over *h, int *ret, ipfsa_error *err) {
  rights r = {0};
  char byte = 0;
  struct iovec iov = {&byte, 1};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = r.room, .msg_controllen = sizeof r.room};
  ssize_t n = -1;
  while (n < 0) {
    ipfsa_status status = ipfsa_hand_over_wait(h, POLLIN, err);
    if (status) return status;
    n = recvmsg(h->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && !is_no_error()) return ipfsa_fail_errno(err, errno, "hand-over: the other end went away");
    msg.msg_controllen = n < 0 ? sizeof r.room : msg.msg_controllen;
  }
  int fd = -1;
  struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
  if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd)) memcpy(&fd, CMSG_DATA(c), sizeof fd);
  if (n == 0) return ipfsa_fail(err, IPFSA_E_IO, "hand-over: the other end went away in the middle of it");
  if (fd >= 0 && (byte != 'F' || (msg.msg_flags & MSG_CTRUNC))) ipfsa_fs_close(&fd);
  if (fd < 0 && (msg.msg_flags & MSG_CTRUNC))
    return ipfsa_fail(err, IPFSA_E_LIMIT, "hand-over: a descriptor could not be taken; raise the limit of open files of this process (ulimit -n)");
  if (fd < 0) return ipfsa_fail(err, IPFSA_E_MALFORMED, "hand-over: expected a descriptor, and there is none");
  *ret = fd;
  return IPFSA_OK;
}
