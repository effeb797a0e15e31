/* One direction of a pair: read, write, splice, end. */
#include <errno.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "container/relay_inside.h"

/* --- pipes --- */

static bool take_pipe(ipfsa_relay *r, relay_flow *f) {
  if (r->n_spare) {
    f->pipe = r->spare[--r->n_spare];
    return true;
  }
  int fds[2];
  if (r->n_pipes >= IPFSA_RELAY_MAX_PIPES || pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) return false;
  (void)fcntl(fds[0], F_SETPIPE_SZ, IPFSA_RELAY_PIPE); /* smaller ones work as well */
  f->pipe = (relay_pipe){fds[1], fds[0]};
  r->n_pipes++;
  return true;
}

/* The flow's pipe goes back; one that still holds bytes is closed. */
static void drop_pipe(ipfsa_relay *r, relay_flow *f) {
  if (f->pipe.in < 0) return;
  if (f->in_pipe == 0 && r->n_spare < IPFSA_RELAY_MAX_SPARE) {
    r->spare[r->n_spare++] = f->pipe;
  } else {
    ipfsa_fs_close(&f->pipe.in);
    ipfsa_fs_close(&f->pipe.out);
    r->n_pipes--;
  }
  f->pipe = (relay_pipe){-1, -1};
  f->in_pipe = 0;
}

static void drop_kept(ipfsa_relay *r, relay_flow *f) {
  r->kept -= f->kept_len;
  ipfsa_free(f->kept);
  f->kept = NULL;
  f->kept_off = f->kept_len = 0;
}

void relay_flow_release(ipfsa_relay *r, relay_flow *f) {
  drop_pipe(r, f);
  drop_kept(r, f);
}

/* --- single steps --- */

typedef enum step { STEP_WENT_ON, STEP_WAITS, STEP_ENDED, STEP_BROKE } step;

static step read_end(relay_side *s, void *data, size_t cap, size_t *ret_len) {
  bool again = false;
  if (s->end.ops) {
    if (s->end.ops->read(s->end.ctx, data, cap, ret_len, &again, NULL)) return STEP_BROKE;
  } else {
    ssize_t n;
    while ((n = recv(s->end.fd, data, cap, 0)) < 0 && errno == EINTR) {}
    if (n < 0 && errno != EAGAIN) return STEP_BROKE;
    again = n < 0;
    *ret_len = n < 0 ? 0 : (size_t)n;
  }
  if (again) s->readable = false;
  return again ? STEP_WAITS : *ret_len ? STEP_WENT_ON : STEP_ENDED;
}

static step write_end(relay_side *s, const void *data, size_t len, size_t *ret_len) {
  *ret_len = 0;
  if (s->end.ops) {
    if (s->end.ops->write(s->end.ctx, data, len, ret_len, NULL)) return STEP_BROKE;
  } else {
    ssize_t n;
    while ((n = send(s->end.fd, data, len, MSG_NOSIGNAL)) < 0 && errno == EINTR) {}
    if (n < 0 && errno == EPIPE) return STEP_ENDED; /* it takes no more, but what it sent may still come */
    if (n < 0 && errno != EAGAIN) return STEP_BROKE;
    *ret_len = n < 0 ? 0 : (size_t)n;
  }
  if (*ret_len == 0) s->writable = false;
  return *ret_len ? STEP_WENT_ON : STEP_WAITS;
}

static step splice_step(int from, int to, size_t len, size_t *ret_len) {
  ssize_t n;
  while ((n = splice(from, NULL, to, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)) < 0 && errno == EINTR) {}
  *ret_len = n < 0 ? 0 : (size_t)n;
  if (n > 0) return STEP_WENT_ON;
  if (n == 0 || errno == EPIPE) return STEP_ENDED;
  return errno == EAGAIN ? STEP_WAITS : STEP_BROKE;
}

/* --- a direction --- */

typedef struct course { /* one direction for the length of a call */
  ipfsa_relay *relay;
  relay_pair *pair;
  relay_flow *flow, *back; /* back: the other direction */
  relay_side *from, *to;
  uint64_t *counter;
  size_t moved;
} course;

static void count_moved(course *c, size_t n) {
  if (n == 0) return;
  RELAY_COUNT(*c->counter, n);
  c->moved += n;
  c->pair->moved = true;
}

/* The target takes no more. When it broke, what it sent may be cut short as well: its own end is then no clean one (the kernel tells of a reset
 * once: after a failed write, reading would show an ordinary end). */
static void give_up(course *c, step why) {
  relay_flow_release(c->relay, c->flow);
  c->flow->done = true;
  if (why == STEP_BROKE) c->pair->reset = c->back->broken = true;
}

static void source_ended(course *c, step how) {
  c->flow->ended = true;
  if (how == STEP_BROKE) c->flow->broken = true;
}

/* Writes what is held. True: go on. */
static bool push_held(course *c) {
  relay_flow *f = c->flow;
  size_t n = 0;
  step s;
  if (f->in_pipe) {
    s = splice_step(f->pipe.out, c->to->end.fd, f->in_pipe, &n);
    f->in_pipe -= n;
    if (s == STEP_WAITS) c->to->writable = false;
  } else {
    s = write_end(c->to, f->kept + f->kept_off, f->kept_len - f->kept_off, &n);
    f->kept_off += n;
    if (f->kept_off == f->kept_len) drop_kept(c->relay, f);
  }
  count_moved(c, n);
  if (s == STEP_ENDED || s == STEP_BROKE) give_up(c, s);
  return s == STEP_WENT_ON;
}

/* What the target did not take of the shared buffer. */
static bool keep(course *c, const uint8_t *data, size_t len) {
  c->flow->kept = ipfsa_memdup(data, len);
  if (!c->flow->kept) { /* bytes would be lost: the pair ends as broken */
    c->flow->done = c->back->done = c->pair->reset = true;
    return false;
  }
  c->flow->kept_off = 0;
  c->flow->kept_len = len;
  c->relay->kept += len;
  return true;
}

static size_t read_at_once(const course *c) {
  return c->flow->bulk && c->relay->kept < IPFSA_RELAY_MAX_KEPT ? IPFSA_RELAY_BUFFER : IPFSA_RELAY_PIECE;
}

static bool copy_some(course *c) {
  uint8_t *buffer = c->relay->buffer;
  size_t len = 0, off = 0;
  step s = read_end(c->from, buffer, read_at_once(c), &len);
  if (s == STEP_WAITS) return false;
  if (s != STEP_WENT_ON) {
    source_ended(c, s);
    return true;
  }
  c->flow->bulk = len >= IPFSA_RELAY_PIECE && !c->from->end.ops && !c->to->end.ops;
  while (off < len) {
    size_t n = 0;
    s = write_end(c->to, buffer + off, len - off, &n);
    off += n;
    count_moved(c, n);
    if (s == STEP_WAITS) return keep(c, buffer + off, len - off);
    if (s == STEP_WENT_ON) continue;
    give_up(c, s);
    return false;
  }
  return true;
}

static bool splice_some(course *c) {
  relay_flow *f = c->flow;
  size_t n = 0;
  step s = splice_step(c->from->end.fd, f->pipe.in, IPFSA_RELAY_PIPE, &n);
  f->in_pipe = n;
  if (s == STEP_WENT_ON) return true;
  f->bulk = false;
  drop_pipe(c->relay, f);
  if (s == STEP_WAITS) c->from->readable = false;
  else source_ended(c, s);
  return s != STEP_WAITS;
}

/* All that came is out. */
static void pass_end_on(course *c) {
  relay_flow *f = c->flow;
  f->done = true;
  if (f->broken) c->pair->reset = c->back->done = true;
  else if (c->to->end.ops) c->pair->reset |= c->to->end.ops->end_writing(c->to->end.ctx, NULL) != IPFSA_OK;
  else (void)shutdown(c->to->end.fd, SHUT_WR); /* fails only when that end is gone: reading it says so */
  relay_flow_release(c->relay, f);
}

/* True: the share is used up and there may be more. */
static bool move_flow(course *c) {
  relay_flow *f = c->flow;
  while (!f->done) {
    if (c->moved >= IPFSA_RELAY_SHARE) return true;
    bool held = f->in_pipe || f->kept;
    if (!held && f->ended) {
      pass_end_on(c);
      break;
    }
    if (!c->to->writable) return false;
    if (!held && !c->from->readable) return false;
    bool splices = f->bulk && c->relay->splices;
    bool went_on = held ? push_held(c) : splices && (f->pipe.in >= 0 || take_pipe(c->relay, f)) ? splice_some(c) : copy_some(c);
    if (!went_on) return false;
  }
  return false;
}

bool relay_pair_move(ipfsa_relay *r, relay_pair *p) {
  course there = {r, p, &p->ab, &p->ba, &p->a, &p->b, &r->counters.a_to_b_bytes, 0};
  course back = {r, p, &p->ba, &p->ab, &p->b, &p->a, &r->counters.b_to_a_bytes, 0};
  bool more = move_flow(&there);
  more |= move_flow(&back);
  return more;
}
