#include "container/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support.h"
#include "base/alloc.h"
#include "base/fault.h"
#include "container/relay_inside.h"

static bool splices; /* every test runs both ways */

/* One pair between two outer sockets of the test: near | a … b | far. */
typedef struct wires {
  int near, far;
} wires;

static void nonblocking(int fd) { assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0); }

static void socket_pair(int ret[2]) {
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret), 0);
}

/* A connected pair over TCP: these can break. */
static void tcp_pair(int ret[2]) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof at;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
  assert_int_equal(listen(listener, 1), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
  ret[0] = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(connect(ret[0], (struct sockaddr *)&at, sizeof at), 0);
  ret[1] = accept(listener, NULL, NULL);
  assert_true(ret[1] >= 0);
  close(listener);
  nonblocking(ret[0]);
  nonblocking(ret[1]);
}

static wires add_pair(ipfsa_relay *relay, void (*make)(int[2])) {
  int one[2], two[2];
  ipfsa_error err = {0};
  make(one);
  make(two);
  assert_ok(ipfsa_relay_add(relay, (ipfsa_relay_end){.fd = one[1]}, (ipfsa_relay_end){.fd = two[1]}, &err));
  return (wires){one[0], two[0]};
}

static ipfsa_relay *new_relay(uint64_t idle_ns) {
  ipfsa_error err = {0};
  ipfsa_relay *relay = NULL;
  assert_ok(ipfsa_relay_new(idle_ns, &relay, &err));
  ipfsa_relay_use_splice(relay, splices);
  return relay;
}

static void step(ipfsa_relay *relay, int ms) {
  ipfsa_error err = {0};
  assert_ok(ipfsa_relay_step(relay, ms, &err));
}

static int n_open_fds(void) {
  int n = 0;
  for (int fd = 0; fd < 2048; fd++) n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

/* Reads until the other side ends or `want` bytes came, stepping the relay. Returns the bytes; *ret_error the errno that ended it, 0 at a clean end. */
static size_t read_all(ipfsa_relay *relay, int fd, void *data, size_t want, int *ret_error) {
  size_t n = 0;
  *ret_error = -1;
  for (int rounds = 0; rounds < 20000 && n < want; rounds++) {
    ssize_t got = recv(fd, (uint8_t *)data + n, want - n, 0);
    if (got > 0) n += (size_t)got;
    else if (got == 0 || errno != EAGAIN) {
      *ret_error = got == 0 ? 0 : errno;
      break;
    } else {
      step(relay, 1);
    }
  }
  return n;
}

/* --- half-close --- */

static void half_close(void (*make)(int[2])) {
  ipfsa_relay *relay = new_relay(0);
  wires w = add_pair(relay, make);
  char data[64];
  int error;
  assert_int_equal(send(w.near, "question", 8, 0), 8);
  assert_int_equal(shutdown(w.near, SHUT_WR), 0);
  assert_int_equal(read_all(relay, w.far, data, sizeof data, &error), 8);
  assert_int_equal(error, 0); /* the end came through … */
  assert_int_equal(send(w.far, "answer", 6, 0), 6);
  assert_int_equal(read_all(relay, w.near, data, 6, &error), 6); /* … and the other direction lives */
  assert_memory_equal(data, "answer", 6);
  assert_int_equal(ipfsa_relay_count(relay).n_open, 1);
  assert_int_equal(shutdown(w.far, SHUT_WR), 0);
  assert_int_equal(read_all(relay, w.near, data, sizeof data, &error), 0);
  assert_int_equal(error, 0);
  ipfsa_relay_counters c = ipfsa_relay_count(relay);
  assert_int_equal(c.n_open, 0);
  assert_int_equal(c.n_broken, 0);
  assert_int_equal(c.a_to_b_bytes, 8);
  assert_int_equal(c.b_to_a_bytes, 6);
  close(w.near);
  close(w.far);
  ipfsa_relay_free(relay);
}

static void an_end_is_the_end_of_one_direction(void **state) {
  (void)state;
  int before = n_open_fds();
  half_close(socket_pair);
  half_close(tcp_pair);
  assert_int_equal(n_open_fds(), before);
}

static void break_socket(int fd) {
  struct linger now = {1, 0};
  assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
  close(fd);
}

static void a_reset_is_passed_on_as_one(void **state) {
  (void)state;
  ipfsa_relay *relay = new_relay(0);
  wires w = add_pair(relay, tcp_pair);
  char data[64];
  int error;
  assert_int_equal(send(w.far, "half an answ", 12, 0), 12);
  assert_int_equal(read_all(relay, w.near, data, 12, &error), 12);
  break_socket(w.far);
  assert_int_equal(read_all(relay, w.near, data, sizeof data, &error), 0);
  assert_int_equal(error, ECONNRESET); /* a clean end would make the half look whole */
  assert_int_equal(ipfsa_relay_count(relay).n_broken, 1);
  assert_int_equal(ipfsa_relay_count(relay).n_open, 0);
  close(w.near);
  /* The same when it is a write that meets the reset: the kernel tells of it once. */
  w = add_pair(relay, tcp_pair);
  step(relay, 1);
  break_socket(w.far);
  assert_int_equal(send(w.near, "more", 4, 0), 4);
  assert_int_equal(read_all(relay, w.near, data, sizeof data, &error), 0);
  assert_int_equal(error, ECONNRESET);
  assert_int_equal(ipfsa_relay_count(relay).n_open, 0);
  close(w.near);
  ipfsa_relay_free(relay);
}

static void a_pair_in_which_nothing_moves_is_ended(void **state) {
  (void)state;
  ipfsa_relay *relay = new_relay(30 * 1000000);
  wires w = add_pair(relay, tcp_pair);
  char data[8];
  int error;
  assert_int_equal(read_all(relay, w.near, data, sizeof data, &error), 0);
  assert_int_equal(error, ECONNRESET);
  assert_int_equal(ipfsa_relay_count(relay).n_idle, 1);
  assert_int_equal(ipfsa_relay_count(relay).n_broken, 0);
  close(w.near);
  close(w.far);
  ipfsa_relay_free(relay);
}

/* --- an end that is no socket: reads and writes are short, now and then nothing goes --- */

typedef struct odd_end {
  int fd;
  uint64_t seed;
  bool closed;
} odd_end;

static uint64_t next(uint64_t *seed) {
  *seed = *seed * 6364136223846793005u + 1442695040888963407u;
  return *seed >> 33;
}

static ipfsa_status odd_read(void *ctx, void *data, size_t cap, size_t *ret_len, bool *ret_again, ipfsa_error *err) {
  (void)err;
  odd_end *e = ctx;
  size_t want = 1 + next(&e->seed) % 3000;
  ssize_t n = recv(e->fd, data, want < cap ? want : cap, 0);
  *ret_again = n < 0 && errno == EAGAIN;
  *ret_len = n < 0 ? 0 : (size_t)n;
  return n < 0 && !*ret_again ? IPFSA_E_IO : IPFSA_OK;
}

static ipfsa_status odd_write(void *ctx, const void *data, size_t len, size_t *ret_len, ipfsa_error *err) {
  (void)err;
  odd_end *e = ctx;
  size_t want = 1 + next(&e->seed) % 3000;
  ssize_t n = send(e->fd, data, want < len ? want : len, MSG_NOSIGNAL);
  *ret_len = n < 0 ? 0 : (size_t)n;
  return n < 0 && errno != EAGAIN ? IPFSA_E_IO : IPFSA_OK;
}

static ipfsa_status odd_end_writing(void *ctx, ipfsa_error *err) {
  (void)err;
  return shutdown(((odd_end *)ctx)->fd, SHUT_WR) == 0 ? IPFSA_OK : IPFSA_E_IO;
}

static void odd_close(void *ctx) {
  odd_end *e = ctx;
  close(e->fd);
  e->closed = true;
}

static const ipfsa_relay_ops odd_ops = {odd_read, odd_write, odd_end_writing, odd_close};

/* --- bytes --- */

#define N_PAIRS 8
#define MAX_BYTES (3u << 20)

typedef struct way { /* one direction of one pair */
  int from, to;
  uint64_t seed_out, seed_in;
  size_t total, sent, got;
  bool ended;
} way;

/* Deterministic bytes by position, so that order and loss show. */
static void fill(way *w, uint8_t *data, size_t n, size_t at) {
  for (size_t i = 0; i < n; i++) data[i] = (uint8_t)((at + i) * 31 + (at + i) / 251 + w->total);
}

static void send_some(way *w, uint64_t *seed) {
  static uint8_t data[200000];
  if (w->sent == w->total) return;
  size_t n = 1 + next(seed) % (next(seed) % 4 ? 900 : sizeof data);
  if (n > w->total - w->sent) n = w->total - w->sent;
  fill(w, data, n, w->sent);
  ssize_t put = send(w->from, data, n, MSG_NOSIGNAL);
  if (put < 0) assert_int_equal(errno, EAGAIN);
  else w->sent += (size_t)put;
  if (w->sent == w->total) assert_int_equal(shutdown(w->from, SHUT_WR), 0);
}

static void receive_some(way *w, uint64_t *seed) {
  static uint8_t data[200000], expected[200000];
  if (w->ended) return;
  size_t n = 1 + next(seed) % (next(seed) % 4 ? 5000 : sizeof data);
  ssize_t got = recv(w->to, data, n, 0);
  if (got < 0) {
    assert_int_equal(errno, EAGAIN);
    return;
  }
  fill(w, expected, (size_t)got, w->got);
  assert_memory_equal(data, expected, (size_t)got);
  w->got += (size_t)got;
  if (got == 0) {
    assert_int_equal(w->got, w->total); /* the end comes after every byte */
    w->ended = true;
  }
}

static void every_byte_arrives_in_order(void **state) {
  (void)state;
  uint64_t seed = 20260101;
  for (int round = 0; round < 6; round++) {
    int before = n_open_fds();
    ipfsa_relay *relay = new_relay(0);
    way ways[2 * N_PAIRS];
    static odd_end odd[N_PAIRS];
    uint64_t there = 0, back = 0;
    for (int i = 0; i < N_PAIRS; i++) {
      int one[2], two[2];
      ipfsa_error err = {0};
      (i % 2 ? tcp_pair : socket_pair)(one);
      (i % 3 ? tcp_pair : socket_pair)(two);
      ipfsa_relay_end b = {.fd = two[1]};
      odd[i] = (odd_end){two[1], seed + (uint64_t)i, false};
      if (i >= N_PAIRS / 2) b = (ipfsa_relay_end){two[1], &odd_ops, &odd[i]};
      assert_ok(ipfsa_relay_add(relay, (ipfsa_relay_end){.fd = one[1]}, b, &err));
      ways[2 * i] = (way){.from = one[0], .to = two[0], .total = 1 + next(&seed) % MAX_BYTES};
      ways[2 * i + 1] = (way){.from = two[0], .to = one[0], .total = 1 + next(&seed) % (round % 2 ? MAX_BYTES : 3000)};
      there += ways[2 * i].total;
      back += ways[2 * i + 1].total;
    }
    for (int left = 2 * N_PAIRS; left;) {
      way *w = &ways[next(&seed) % (2 * N_PAIRS)];
      if (next(&seed) % 2) send_some(w, &seed);
      else receive_some(w, &seed);
      step(relay, 0);
      left = 0;
      for (int i = 0; i < 2 * N_PAIRS; i++) left += !ways[i].ended;
    }
    step(relay, 0);
    ipfsa_relay_counters c = ipfsa_relay_count(relay);
    assert_int_equal(c.n_open, 0);
    assert_int_equal(c.n_broken, 0);
    assert_int_equal(c.a_to_b_bytes, there);
    assert_int_equal(c.b_to_a_bytes, back);
    for (int i = 0; i < N_PAIRS; i++) {
      assert_true(i < N_PAIRS / 2 || odd[i].closed);
      close(ways[2 * i].from);
      close(ways[2 * i].to);
    }
    ipfsa_relay_free(relay);
    assert_int_equal(n_open_fds(), before);
  }
}

/* --- a target that does not read --- */

static void a_full_target_holds_its_source_only(void **state) {
  (void)state;
  ipfsa_relay *relay = new_relay(0);
  wires full = add_pair(relay, tcp_pair), other = add_pair(relay, tcp_pair);
  static uint8_t data[1 << 16];
  size_t sent = 0;
  int quiet = 0;
  while (quiet < 50) { /* until nothing is taken any more */
    ssize_t n = send(full.near, data, sizeof data, MSG_NOSIGNAL);
    quiet = n > 0 ? 0 : quiet + 1;
    sent += n > 0 ? (size_t)n : 0;
    step(relay, 1);
    assert_true(sent < (256u << 20)); /* buffers of the kernel and of one direction, never all of it */
  }
  int error;
  assert_int_equal(send(other.near, "x", 1, 0), 1);
  assert_int_equal(read_all(relay, other.far, data, 1, &error), 1);
  shutdown(full.near, SHUT_WR);
  size_t got = 0, n;
  while ((n = read_all(relay, full.far, data, sizeof data, &error)) > 0) got += n;
  assert_int_equal(got, sent);
  close(full.near), close(full.far), close(other.near), close(other.far);
  ipfsa_relay_free(relay);
}

#define N_FULL 24

/* An ordinary user's sockets hold what net.core.rmem_max and wmem_max say. */
static bool sockets_may_hold(int bytes) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), in = 0, out = 0;
  socklen_t len = sizeof in;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &in, &len);
  getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &out, &len);
  close(fd);
  return in >= bytes && out >= bytes;
}

/* What targets do not take is kept for all of them together up to a limit; beyond, each has a piece. */
static void what_is_kept_has_a_limit(void **state) {
  (void)state;
  ipfsa_relay *relay = new_relay(0);
  static uint8_t data[1 << 20];
  size_t sent[N_FULL] = {0};
  wires all[N_FULL];
  int little = 32768, much = 4 << 20, error;
  if (!sockets_may_hold(much)) {
    print_message("skipped: net.core.rmem_max and wmem_max are under %d here, too little to fill what is kept\n", much);
    ipfsa_relay_free(relay);
    skip();
  }
  for (int i = 0; i < N_FULL; i++) {
    int one[2], two[2];
    ipfsa_error err = {0};
    tcp_pair(one);
    tcp_pair(two);
    assert_int_equal(setsockopt(one[0], SOL_SOCKET, SO_SNDBUF, &much, sizeof much), 0);
    assert_int_equal(setsockopt(one[1], SOL_SOCKET, SO_RCVBUF, &much, sizeof much), 0);
    assert_int_equal(setsockopt(two[0], SOL_SOCKET, SO_RCVBUF, &little, sizeof little), 0);
    assert_int_equal(setsockopt(two[1], SOL_SOCKET, SO_SNDBUF, &little, sizeof little), 0);
    assert_ok(ipfsa_relay_add(relay, (ipfsa_relay_end){.fd = one[1]}, (ipfsa_relay_end){.fd = two[1]}, &err));
    all[i] = (wires){one[0], two[0]};
  }
  for (int i = 0; i < N_FULL; i++) { /* all of it is there before the relay reads */
    for (ssize_t n; (n = send(all[i].near, data, sizeof data - sent[i], MSG_NOSIGNAL)) > 0; sent[i] += (size_t)n) {}
    assert_true(sent[i] > IPFSA_RELAY_BUFFER / 2);
  }
  for (int i = 0; i < 50; i++) {
    step(relay, 1);
    assert_in_range(relay->kept, 0, IPFSA_RELAY_MAX_KEPT + IPFSA_RELAY_BUFFER + N_FULL * IPFSA_RELAY_PIECE);
  }
  if (!splices) assert_true(relay->kept > IPFSA_RELAY_MAX_KEPT); /* the limit was met */
  for (int i = 0; i < N_FULL; i++) {
    size_t got = 0, n;
    assert_int_equal(setsockopt(all[i].far, SOL_SOCKET, SO_RCVBUF, &much, sizeof much), 0);
    shutdown(all[i].near, SHUT_WR);
    while ((n = read_all(relay, all[i].far, data, sizeof data, &error)) > 0) got += n;
    assert_int_equal(got, sent[i]);
    close(all[i].near), close(all[i].far);
  }
  assert_int_equal(relay->kept, 0);
  ipfsa_relay_free(relay);
}

/* --- a copy of a descriptor is still open when its pair ends, as in a process that another thread is starting --- */

static void a_pair_is_forgotten_with_its_end(void **state) {
  (void)state;
  ipfsa_relay *relay = new_relay(0);
  ipfsa_error err = {0};
  int one[2], two[2];
  socket_pair(one);
  socket_pair(two);
  int copies[2] = {dup(one[1]), dup(two[1])};
  assert_true(copies[0] >= 0 && copies[1] >= 0);
  assert_ok(ipfsa_relay_add(relay, (ipfsa_relay_end){.fd = one[1]}, (ipfsa_relay_end){.fd = two[1]}, &err));
  assert_int_equal(shutdown(one[0], SHUT_WR), 0);
  assert_int_equal(shutdown(two[0], SHUT_WR), 0);
  for (int i = 0; i < 100 && ipfsa_relay_count(relay).n_open; i++) step(relay, 1);
  assert_int_equal(ipfsa_relay_count(relay).n_open, 0);
  close(one[0]), close(two[0]); /* which the copies are told of */
  struct epoll_event event;
  assert_int_equal(epoll_wait(relay->epoll_fd, &event, 1, 0), 0);
  step(relay, 0);
  assert_int_equal(ipfsa_relay_count(relay).n_open, 0);
  close(copies[0]), close(copies[1]);
  ipfsa_relay_free(relay);
}

/* --- memory runs out: that pair breaks, others go on, nothing leaks --- */

static void memory_runs_out(void **state) {
  (void)state;
  int before = n_open_fds();
  static uint8_t data[1 << 20];
  for (uint64_t nth = 1; nth < 30; nth++) {
    ipfsa_error err = {0};
    ipfsa_relay *relay = NULL;
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, nth, 1, IPFSA_FAULT_FAIL, 0});
    ipfsa_status status = ipfsa_relay_new(0, &relay, &err);
    if (status == IPFSA_OK) {
      int one[2], two[2];
      ipfsa_relay_use_splice(relay, splices);
      tcp_pair(one);
      tcp_pair(two);
      status = ipfsa_relay_add(relay, (ipfsa_relay_end){.fd = one[1]}, (ipfsa_relay_end){.fd = two[1]}, &err);
      for (int i = 0; i < 200 && status == IPFSA_OK; i++) {
        (void)send(one[0], data, sizeof data, MSG_NOSIGNAL);
        step(relay, 1);
      }
      close(one[0]);
      close(two[0]);
    }
    bool fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    if (status) assert_int_equal(err.status, IPFSA_E_NOMEM);
    else if (fired) assert_int_equal(ipfsa_relay_count(relay).n_broken, 1);
    ipfsa_relay_free(relay);
    if (!fired) break;
    assert_true(nth < 29);
  }
  assert_int_equal(n_open_fds(), before);
}

/* --- sockets of this machine are not paced, nor are those that were accepted --- */

static void local_sockets_are_not_paced(void **state) {
  (void)state;
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof at;
  int fds[3] = {socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_STREAM, 0)};
  ipfsa_relay_set_up(fds[0]);
  assert_int_equal(bind(fds[0], (struct sockaddr *)&at, sizeof at), 0);
  assert_int_equal(listen(fds[0], 1), 0);
  assert_int_equal(getsockname(fds[0], (struct sockaddr *)&at, &len), 0);
  ipfsa_relay_set_up(fds[1]);
  assert_int_equal(connect(fds[1], (struct sockaddr *)&at, sizeof at), 0);
  fds[2] = accept(fds[0], NULL, NULL);
  for (int i = 1; i < 3; i++) {
    char name[16] = "";
    int on = 0;
    len = sizeof name;
    assert_int_equal(getsockopt(fds[i], IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
    assert_string_equal(name, "reno");
    len = sizeof on;
    assert_int_equal(getsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    assert_int_not_equal(on, 0);
  }
  for (int i = 0; i < 3; i++) close(fds[i]);
}

/* --- many --- */

static void count_call(void *ctx) {
  char byte;
  int *fd_and_calls = ctx;
  while (read(fd_and_calls[0], &byte, 1) == 1) fd_and_calls[1]++;
}

static void many_pairs_and_a_watch(void **state) {
  (void)state;
  int before = n_open_fds();
  ipfsa_relay *relay = new_relay(0);
  ipfsa_error err = {0};
  int bell[2], seen[2];
  socket_pair(bell);
  seen[0] = bell[1], seen[1] = 0;
  assert_ok(ipfsa_relay_watch(relay, bell[1], count_call, seen, &err));
  wires all[200];
  for (int i = 0; i < 200; i++) all[i] = add_pair(relay, socket_pair);
  for (int i = 0; i < 200; i++) assert_int_equal(send(all[i].near, "ping", 4, 0), 4);
  assert_int_equal(send(bell[0], "!!", 2, 0), 2);
  char data[8];
  int error;
  for (int i = 0; i < 200; i++) assert_int_equal(read_all(relay, all[i].far, data, 4, &error), 4);
  for (int i = 0; i < 100 && seen[1] < 2; i++) step(relay, 1);
  assert_int_equal(seen[1], 2);
  assert_int_equal(ipfsa_relay_count(relay).n_open, 200);
  for (int i = 0; i < 200; i++) close(all[i].near), close(all[i].far);
  for (int i = 0; i < 100 && ipfsa_relay_count(relay).n_open; i++) step(relay, 1);
  assert_int_equal(ipfsa_relay_count(relay).n_open, 0);
  ipfsa_relay_free(relay);
  close(bell[0]), close(bell[1]);
  assert_int_equal(n_open_fds(), before);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN); /* splice raises it, as the header of tunnels says */
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_end_is_the_end_of_one_direction), cmocka_unit_test(a_reset_is_passed_on_as_one),
      cmocka_unit_test(a_pair_in_which_nothing_moves_is_ended), cmocka_unit_test(every_byte_arrives_in_order),
      cmocka_unit_test(a_full_target_holds_its_source_only), cmocka_unit_test(a_pair_is_forgotten_with_its_end), cmocka_unit_test(what_is_kept_has_a_limit), cmocka_unit_test(memory_runs_out), cmocka_unit_test(local_sockets_are_not_paced),
      cmocka_unit_test(many_pairs_and_a_watch)};
  int failed = cmocka_run_group_tests_name("copying", tests, NULL, NULL);
  splices = true;
  return failed + cmocka_run_group_tests_name("by splice", tests, NULL, NULL);
}
