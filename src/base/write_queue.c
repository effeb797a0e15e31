#include "base/write_queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef IPFSA_HAVE_URING
#include <liburing.h>
#endif

#include "base/alloc.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/fs.h"

long ipfsa_write_queue_patience_ms = 2000;
void (*ipfsa_write_queue_listener)(int fd, const void *data, size_t len, uint64_t off);

typedef struct write_slot {
  uint64_t ticket; /* 0 = free */
  int fd;
  const uint8_t *data;
  size_t len;
  uint64_t off;
  int fault; /* errno the fault plan has for it */
} write_slot;

struct ipfsa_write_queue {
  pthread_mutex_t lock;
  write_slot slots[IPFSA_MAX_WRITES];
  uint64_t last; /* ticket */
  bool is_ring;
  ipfsa_status status; /* of the first write that failed */
  ipfsa_error err;
#ifdef IPFSA_HAVE_URING
  struct io_uring ring;
#endif
};

static ipfsa_status fail_write(ipfsa_write_queue *q, int sys_errno, size_t len, uint64_t off) {
  if (q->status == IPFSA_OK) q->status = ipfsa_fail_errno(&q->err, sys_errno, "write of %zu bytes at byte %llu", len, (unsigned long long)off);
  return q->status;
}

static ipfsa_status tell(const ipfsa_write_queue *q, ipfsa_error *err) {
  if (q->status && err) *err = q->err;
  return q->status;
}

#ifdef IPFSA_HAVE_URING

static bool open_ring(ipfsa_write_queue *q, int *ret_errno) {
  int rc = io_uring_queue_init(IPFSA_MAX_WRITES * 2, &q->ring, 0);
  *ret_errno = -rc;
  return rc == 0;
}

static void close_ring(ipfsa_write_queue *q) { io_uring_queue_exit(&q->ring); }

/* Begins, or goes on with, the write of a slot. The fault plan speaks now, so that the n-th write is the same one in every run; what it says
 * comes out when the write ends. */
static int begin(ipfsa_write_queue *q, write_slot *s) {
  struct io_uring_sqe *sqe = io_uring_get_sqe(&q->ring);
  if (!sqe) return EBUSY;
  size_t ask = ipfsa_fault_allowed(s->len);
  s->fault = ask ? 0 : errno;
  if (s->fault) io_uring_prep_nop(sqe);
  else io_uring_prep_write(sqe, s->fd, s->data, (unsigned)ask, s->off);
  io_uring_sqe_set_data(sqe, s);
  if (!s->fault && ipfsa_write_queue_listener) ipfsa_write_queue_listener(s->fd, s->data, ask, s->off);
  int rc;
  do rc = io_uring_submit(&q->ring);
  while (rc == -EINTR);
  return rc < 0 ? -rc : 0;
}

/* Taken back before it began: done here instead. */
static int write_plainly(ipfsa_write_queue *q, const write_slot *s) {
  ipfsa_error err = {0};
  if (ipfsa_fs_write_at(s->fd, s->data, s->len, s->off, &err) == IPFSA_OK) return (int)s->len;
  if (q->status == IPFSA_OK) q->status = err.status, q->err = err;
  return -ECANCELED;
}

/* One completion: the write is over, failed, or goes on where it fell short. */
static void take(ipfsa_write_queue *q, write_slot *s, int result) {
  if (s->fault) result = -s->fault;
  if (result == -ECANCELED) result = write_plainly(q, s);
  bool again = result == -EINTR || result == -EAGAIN;
  if (result < 0 && !again) fail_write(q, -result, s->len, s->off);
  else if (result == 0) fail_write(q, EIO, s->len, s->off);
  if (result > 0) {
    s->data += result;
    s->len -= (size_t)result;
    s->off += (uint64_t)result;
  }
  int rc = q->status == IPFSA_OK && s->len ? begin(q, s) : 0;
  if (rc) fail_write(q, rc, s->len, s->off);
  if (q->status || s->len == 0) s->ticket = 0;
}

/* Linux 6.18 was seen to leave a write that it had put aside for its own threads without ever beginning it. What runs is not to be taken back (-EALREADY),
 * only what waits; then it ends with -ECANCELED. */
static void take_back(ipfsa_write_queue *q) {
  for (size_t i = 0; i < IPFSA_MAX_WRITES; i++) {
    struct io_uring_sqe *sqe = q->slots[i].ticket ? io_uring_get_sqe(&q->ring) : NULL;
    if (!sqe) continue;
    io_uring_prep_cancel(sqe, &q->slots[i], 0);
    io_uring_sqe_set_data(sqe, NULL);
  }
  (void)io_uring_submit(&q->ring);
}

static int wait_for_any(ipfsa_write_queue *q, struct io_uring_cqe **ret) {
  for (;;) {
    struct __kernel_timespec patience = {.tv_sec = ipfsa_write_queue_patience_ms / 1000, .tv_nsec = ipfsa_write_queue_patience_ms % 1000 * 1000000};
    int rc = io_uring_wait_cqe_timeout(&q->ring, ret, &patience);
    if (rc == -ETIME) take_back(q);
    else if (rc != -EINTR && rc != -EAGAIN) return rc;
  }
}

static void wait_one(ipfsa_write_queue *q) {
  struct io_uring_cqe *cqe = NULL;
  int rc = wait_for_any(q, &cqe);
  if (rc < 0) { /* the ring is of no use any more; its descriptor's end waits for what is under way */
    fail_write(q, -rc, 0, 0);
    close_ring(q);
    q->is_ring = false;
    memset(q->slots, 0, sizeof q->slots);
    return;
  }
  write_slot *s = io_uring_cqe_get_data(cqe);
  int result = cqe->res;
  io_uring_cqe_seen(&q->ring, cqe);
  if (s) take(q, s, result); /* else it is the answer to a wish to take back */
}

#else

static bool open_ring(ipfsa_write_queue *q, int *ret_errno) {
  (void)q;
  *ret_errno = ENOSYS;
  return false;
}
static void close_ring(ipfsa_write_queue *q) { (void)q; }
static int begin(ipfsa_write_queue *q, write_slot *s) {
  (void)q, (void)s;
  return ENOSYS;
}
static void wait_one(ipfsa_write_queue *q) { (void)q; }

#endif

ipfsa_status ipfsa_write_queue_new(ipfsa_write_queue **ret, ipfsa_error *err) {
  const char *forced = getenv("IPFSA_IO");
  bool plain = forced && strcmp(forced, "plain") == 0, ring = forced && strcmp(forced, "uring") == 0;
  ipfsa_write_queue *q = ipfsa_calloc(1, sizeof *q);
  if (!q) return ipfsa_fail_nomem(err);
  int why = 0;
  q->is_ring = !plain && open_ring(q, &why);
  if (ring && !q->is_ring) {
    ipfsa_free(q);
    return ipfsa_fail_errno(err, why, "IPFSA_IO=uring, and io_uring cannot be had; unset it and writes are done one by one");
  }
  pthread_mutex_init(&q->lock, NULL);
  *ret = q;
  return IPFSA_OK;
}

bool ipfsa_write_queue_is_ring(const ipfsa_write_queue *q) { return q->is_ring; }

static write_slot *free_slot(ipfsa_write_queue *q) {
  for (size_t i = 0; i < IPFSA_MAX_WRITES; i++)
    if (!q->slots[i].ticket) return &q->slots[i];
  return NULL;
}

static bool is_under_way(const ipfsa_write_queue *q, uint64_t ticket) {
  for (size_t i = 0; i < IPFSA_MAX_WRITES; i++)
    if (q->slots[i].ticket && q->slots[i].ticket <= ticket) return true;
  return false;
}

static ipfsa_status put_into_ring(ipfsa_write_queue *q, const write_slot *write) {
  write_slot *s;
  while (!(s = free_slot(q))) wait_one(q);
  if (q->status) return q->status;
  *s = *write;
  int rc = begin(q, s);
  if (rc == 0) return IPFSA_OK;
  s->ticket = 0;
  return fail_write(q, rc, write->len, write->off);
}

ipfsa_status ipfsa_write_queue_put(ipfsa_write_queue *q, int fd, const void *data, size_t len, uint64_t off, uint64_t *ret_ticket, ipfsa_error *err) {
  pthread_mutex_lock(&q->lock);
  write_slot write = {.ticket = q->last + 1, .fd = fd, .data = data, .len = len, .off = off};
  if (q->status == IPFSA_OK && q->is_ring) put_into_ring(q, &write);
  else if (q->status == IPFSA_OK) q->status = ipfsa_fs_write_at(fd, data, len, off, &q->err);
  ipfsa_status status = tell(q, err);
  if (status == IPFSA_OK) *ret_ticket = ++q->last;
  pthread_mutex_unlock(&q->lock);
  return status;
}

ipfsa_status ipfsa_write_queue_settle(ipfsa_write_queue *q, uint64_t ticket, ipfsa_error *err) {
  pthread_mutex_lock(&q->lock);
  while (is_under_way(q, ticket)) wait_one(q);
  ipfsa_status status = tell(q, err);
  pthread_mutex_unlock(&q->lock);
  return status;
}

void ipfsa_write_queue_free(ipfsa_write_queue *q) {
  if (!q) return;
  (void)ipfsa_write_queue_settle(q, IPFSA_ALL_WRITES, NULL);
  if (q->is_ring) close_ring(q);
  pthread_mutex_destroy(&q->lock);
  ipfsa_free(q);
}
