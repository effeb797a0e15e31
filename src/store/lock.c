/* The cross-process writer lock: flock decides, the pid inside the file is for the message. */
#include <errno.h>
#include <sys/file.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "store/local.h"

#define LOCK_NAME "lock"
#define FIRST_POLL_MS 1
#define LAST_POLL_MS 20

void ipfsa_store__lock_init(ipfsa_store *s) {
  pthread_condattr_t clock;
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_cond_init(&s->taken, &clock);
  pthread_condattr_destroy(&clock);
  pthread_mutex_init(&s->flock_lock, NULL);
  s->lock_fd = -1;
}

void ipfsa_store__lock_release(ipfsa_store *s) {
  ipfsa_fs_close(&s->lock_fd);
  pthread_mutex_destroy(&s->flock_lock);
  pthread_cond_destroy(&s->taken);
}

static long holder_of(int fd) {
  char text[32] = "";
  size_t n = 0;
  if (ipfsa_fs_read_at(fd, text, sizeof text - 1, 0, &n, NULL)) return 0;
  return strtol(text, NULL, 10);
}

static bool waits_on(const ipfsa_store *s, uint64_t waited_ms) {
  if (s->options.lock_waiting && !s->opening) return s->options.lock_waiting(s->options.lock_waiting_ctx, waited_ms) == 0;
  return waited_ms < s->options.lock_timeout_ms;
}

ipfsa_status ipfsa_store__wait_for_lock(ipfsa_store *s, int fd, ipfsa_error *err) {
  uint64_t begin = ipfsa_clock_monotonic_ns();
  for (long pause_ms = FIRST_POLL_MS; flock(fd, LOCK_EX | LOCK_NB) != 0;) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return ipfsa_fail_errno(err, errno, "lock the repo");
    if (!waits_on(s, (ipfsa_clock_monotonic_ns() - begin) / 1000000))
      return ipfsa_fail(err, IPFSA_E_LOCKED, "the repo is in use by process %ld; wait for it, or give it more time (--lock-timeout, lock_timeout_ms)", holder_of(fd));
    nanosleep(&(struct timespec){0, pause_ms * 1000000}, NULL);
    pause_ms = pause_ms * 2 < LAST_POLL_MS ? pause_ms * 2 : LAST_POLL_MS;
  }
  return IPFSA_OK;
}

static ipfsa_status take(ipfsa_store *s, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  if (s->options.read_only) return ipfsa_fail(err, IPFSA_E_READ_ONLY, "the repo is opened read-only");
  int fd = ipfsa_fs_open(s->dirfd, LOCK_NAME, O_RDWR | O_CREAT, 0600, err);
  if (fd < 0) return err->status;
  ipfsa_status status = ipfsa_store__wait_for_lock(s, fd, err);
  if (status) {
    ipfsa_fs_close(&fd);
    return status;
  }
  char text[32];
  int len = snprintf(text, sizeof text, "%-20ld\n", (long)getpid());
  (void)ipfsa_fs_write_at(fd, text, (size_t)len, 0, NULL); /* only words for others: a full disk must not stop a removal */
  s->lock_fd = fd;
  return IPFSA_OK;
}

/* Another thread may be at it, and wait for another process with a limit of its own. With IPFSA_OK the mutex is held, and no thread is at it. */
static ipfsa_status enter(ipfsa_store *s, ipfsa_error *err) {
  uint64_t begin = ipfsa_clock_monotonic_ns();
  pthread_mutex_lock(&s->flock_lock);
  while (s->taking) {
    uint64_t now = ipfsa_clock_monotonic_ns(), until = now + LAST_POLL_MS * 1000000;
    struct timespec at = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
    if (pthread_cond_timedwait(&s->taken, &s->flock_lock, &at) == 0 || !s->taking) continue;
    pthread_mutex_unlock(&s->flock_lock); /* it is the caller's code that is asked */
    if (!waits_on(s, (now - begin) / 1000000))
      return ipfsa_fail(err, IPFSA_E_LOCKED, "the repo is in use by another process, for which another thread waits; wait for it, or give it more time (--lock-timeout, lock_timeout_ms)");
    pthread_mutex_lock(&s->flock_lock);
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_store_lock(ipfsa_store *s, ipfsa_error *err) {
  ipfsa_status status = enter(s, err);
  if (status) return status;
  if (s->lock_count == 0) {
    s->taking = true;
    pthread_mutex_unlock(&s->flock_lock);
    status = take(s, err);
    pthread_mutex_lock(&s->flock_lock);
    s->taking = false;
    pthread_cond_broadcast(&s->taken);
  }
  if (status == IPFSA_OK) s->lock_count++;
  pthread_mutex_unlock(&s->flock_lock);
  return status;
}

void ipfsa_store_unlock(ipfsa_store *s) {
  pthread_mutex_lock(&s->flock_lock);
  if (s->lock_count && --s->lock_count == 0) ipfsa_fs_unlock_close(&s->lock_fd);
  pthread_mutex_unlock(&s->flock_lock);
}
