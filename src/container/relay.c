#include "container/relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "container/relay_inside.h"

#define EVENTS_AT_ONCE 128

/* Whoever wrote decided already how to cut it, so nothing is held back. And where the machine's congestion control paces (bbr), it does so inside the
 * machine as well, at a fraction of what memory gives. Reno does not, is part of every kernel, and may be chosen by anyone. */
void ipfsa_relay_set_up(int fd) {
  static const char unpaced[] = "reno";
  int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, unpaced, sizeof unpaced - 1);
}

void ipfsa_relay_end_close(ipfsa_relay_end *end, bool reset) {
  if (end->ops) {
    end->ops->close(end->ctx);
    end->fd = -1;
    return;
  }
  if (end->fd < 0) return;
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  if (reset) (void)setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ipfsa_fs_close(&end->fd);
}

/* --- lists --- */

static void unlink_pair(ipfsa_relay *r, relay_pair *p) {
  *(p->older ? &p->older->newer : &r->oldest) = p->newer;
  *(p->newer ? &p->newer->older : &r->newest) = p->older;
}

static void link_newest(ipfsa_relay *r, relay_pair *p, uint64_t now) {
  p->last_ns = now;
  p->older = r->newest;
  p->newer = NULL;
  *(r->newest ? &r->newest->newer : &r->oldest) = p;
  r->newest = p;
}

static void make_ready(ipfsa_relay *r, relay_pair *p) {
  if (p->is_ready) return;
  p->is_ready = true;
  p->next_ready = NULL;
  *r->ready_end = p;
  r->ready_end = &p->next_ready;
}

/* Closing is not enough: another thread may be starting a process, which holds a copy of every descriptor until it executes its program, and as long
 * the kernel would go on telling of a pair that is gone. */
static void forget_side(ipfsa_relay *r, relay_side *s) { (void)epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, s->end.fd, NULL); }

static void end_pair(ipfsa_relay *r, relay_pair *p) {
  relay_flow_release(r, &p->ab);
  relay_flow_release(r, &p->ba);
  forget_side(r, &p->a);
  forget_side(r, &p->b);
  ipfsa_relay_end_close(&p->a.end, p->reset);
  ipfsa_relay_end_close(&p->b.end, p->reset);
  unlink_pair(r, p);
  RELAY_COUNT(r->counters.n_open, (uint64_t)-1);
  if (p->is_idle) RELAY_COUNT(r->counters.n_idle, 1);
  else if (p->reset) RELAY_COUNT(r->counters.n_broken, 1);
  ipfsa_free(p);
}

/* --- life --- */

ipfsa_status ipfsa_relay_new(uint64_t idle_ns, ipfsa_relay **ret, ipfsa_error *err) {
  ipfsa_relay *r = ipfsa_calloc(1, sizeof *r);
  if (!r) return ipfsa_fail_nomem(err);
  r->idle_ns = idle_ns;
  r->ready_end = &r->ready;
  r->splices = true;
  r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (r->epoll_fd < 0) {
    int code = errno;
    ipfsa_free(r);
    return ipfsa_fail_errno(err, code, "relay: epoll");
  }
  *ret = r;
  return IPFSA_OK;
}

void ipfsa_relay_free(ipfsa_relay *r) {
  if (!r) return;
  while (r->oldest) {
    r->oldest->reset = true; /* bytes may be under way: no clean end */
    end_pair(r, r->oldest);
  }
  while (r->n_spare) {
    relay_pipe *p = &r->spare[--r->n_spare];
    ipfsa_fs_close(&p->in);
    ipfsa_fs_close(&p->out);
  }
  ipfsa_fs_close(&r->epoll_fd);
  ipfsa_free(r);
}

void ipfsa_relay_use_splice(ipfsa_relay *r, bool splices) { r->splices = splices; }

static int watch_side(ipfsa_relay *r, relay_side *s) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = s};
  return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, s->end.fd, &event);
}

ipfsa_status ipfsa_relay_add(ipfsa_relay *r, ipfsa_relay_end a, ipfsa_relay_end b, ipfsa_error *err) {
  relay_pair *p = ipfsa_calloc(1, sizeof *p);
  ipfsa_status status = p ? IPFSA_OK : ipfsa_fail_nomem(err);
  if (p) {
    /* Ready until a call says otherwise: an end that is no socket may hold bytes already, which no event tells of. */
    p->a = (relay_side){a, true, true, p};
    p->b = (relay_side){b, true, true, p};
    p->ab.pipe = p->ba.pipe = (relay_pipe){-1, -1};
    if (watch_side(r, &p->a) != 0 || watch_side(r, &p->b) != 0) status = ipfsa_fail_errno(err, errno, "relay: epoll");
  }
  if (status) {
    if (p) forget_side(r, &p->a);
    ipfsa_free(p);
    ipfsa_relay_end_close(&a, true);
    ipfsa_relay_end_close(&b, true);
    return status;
  }
  link_newest(r, p, ipfsa_clock_monotonic_ns());
  RELAY_COUNT(r->counters.n_pairs, 1);
  RELAY_COUNT(r->counters.n_open, 1);
  make_ready(r, p);
  return IPFSA_OK;
}

ipfsa_status ipfsa_relay_watch(ipfsa_relay *r, int fd, ipfsa_relay_cb cb, void *ctx, ipfsa_error *err) {
  if (r->n_watches == IPFSA_RELAY_MAX_WATCHES) return ipfsa_fail(err, IPFSA_E_LIMIT, "relay: %u descriptors are watched already", r->n_watches);
  r->watches[r->n_watches] = (struct relay_watch){cb, ctx};
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = &r->watches[r->n_watches]};
  if (epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) return ipfsa_fail_errno(err, errno, "relay: epoll");
  r->n_watches++;
  return IPFSA_OK;
}

/* --- running --- */

static int shorter(int timeout_ms, uint64_t ns) {
  uint64_t ms = ns / 1000000 + 1;
  int limit = ms > INT32_MAX ? INT32_MAX : (int)ms;
  return timeout_ms < 0 || limit < timeout_ms ? limit : timeout_ms;
}

static int wait_ms(const ipfsa_relay *r, int timeout_ms) {
  if (r->ready) return 0;
  if (!r->idle_ns || !r->oldest) return timeout_ms;
  uint64_t now = ipfsa_clock_monotonic_ns(), end = r->oldest->last_ns + r->idle_ns;
  return end <= now ? 0 : shorter(timeout_ms, end - now);
}

static void take_event(ipfsa_relay *r, const struct epoll_event *event) {
  struct relay_watch *watch = event->data.ptr;
  if (watch >= r->watches && watch < r->watches + IPFSA_RELAY_MAX_WATCHES) {
    watch->cb(watch->ctx);
    return;
  }
  relay_side *s = event->data.ptr;
  if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) s->readable = true;
  if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) s->writable = true;
  make_ready(r, s->pair);
}

/* Every pair that was ready once; those with more to do come again in the next step. */
static void move_ready(ipfsa_relay *r, uint64_t now) {
  relay_pair *p = r->ready;
  r->ready = NULL;
  r->ready_end = &r->ready;
  while (p) {
    relay_pair *next = p->next_ready;
    p->is_ready = p->moved = false;
    bool more = relay_pair_move(r, p);
    if (p->moved) {
      unlink_pair(r, p);
      link_newest(r, p, now);
    }
    if (p->ab.done && p->ba.done) end_pair(r, p);
    else if (more) make_ready(r, p);
    p = next;
  }
}

static void end_idle(ipfsa_relay *r, uint64_t now) {
  while (r->idle_ns && r->oldest && !r->oldest->is_ready && r->oldest->last_ns + r->idle_ns <= now) {
    r->oldest->reset = r->oldest->is_idle = true;
    end_pair(r, r->oldest);
  }
}

ipfsa_status ipfsa_relay_step(ipfsa_relay *r, int timeout_ms, ipfsa_error *err) {
  struct epoll_event events[EVENTS_AT_ONCE];
  int n = epoll_wait(r->epoll_fd, events, EVENTS_AT_ONCE, wait_ms(r, timeout_ms));
  if (n < 0 && errno != EINTR) return ipfsa_fail_errno(err, errno, "relay: waiting");
  /* Events only mark pairs; none is freed before all of them are read. */
  for (int i = 0; i < n; i++) take_event(r, &events[i]);
  uint64_t now = ipfsa_clock_monotonic_ns();
  move_ready(r, now);
  end_idle(r, now);
  return IPFSA_OK;
}

ipfsa_relay_counters ipfsa_relay_count(const ipfsa_relay *r) {
  const ipfsa_relay_counters *c = &r->counters;
#define LOAD(field) .field = __atomic_load_n(&c->field, __ATOMIC_RELAXED)
  return (ipfsa_relay_counters){LOAD(n_pairs), LOAD(n_open), LOAD(n_broken), LOAD(n_idle), LOAD(a_to_b_bytes), LOAD(b_to_a_bytes)};
#undef LOAD
}
