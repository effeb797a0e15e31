/* One thread accepts and carries bytes; a few others dial, since that waits for the engine. */
#include "container/tunnel.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/options.h"
#include "base/pool.h"
#include "container/names.h"
#include "container/relay.h"
#include "container/tunnel_dial.h"
#include "container/tunnel_registry.h"

#define N_DIALERS 8u      /* an exec takes an engine some 50 ms, most of it waiting */
#define BACKLOG 1024      /* connections that come at once; the kernel cuts it to its own limit */
#define SPARE_FILES 320u  /* descriptors beside those of connections: pipes of the relay, the engine's, the library's */
#define NO_FILES_MS 100   /* before accepting is tried again when the process may open no more */

typedef struct dial_job {
  ipfsa_task task;
  ipfsa_tunnel *tunnel;
  int client;
  ipfsa_relay_end far;
  ipfsa_status status;
  struct dial_job *next;
} dial_job;

struct ipfsa_tunnel {
  ipfsa_engine *engine;
  ipfsa_tunnel_dialer *dialer;
  ipfsa_pool *pool;
  ipfsa_relay *relay;
  ipfsa_tunnel_entry entry;
  ipfsa_tunnel_info info; /* what does not change */
  int listener, stop_fd, done_fd;
  uint32_t max_connections;
  bool out_of_files, was_run;
  uint64_t n_accepted, n_dialing, n_failed, n_refused; /* written by the thread that runs it, read by any: relaxed */
  pthread_mutex_t lock; /* over done */
  dial_job *done;
};

#define COUNT(counter, n) __atomic_store_n(&(counter), (counter) + (n), __ATOMIC_RELAXED)
#define LOAD(counter) __atomic_load_n(&(counter), __ATOMIC_RELAXED)

/* --- life --- */

static ipfsa_status port_failed(int code, uint16_t port, ipfsa_error *err) {
  if (code == EADDRINUSE) return ipfsa_fail(err, IPFSA_E_BUSY, "local port %u is taken; choose another, or 0 for a free one", port);
  return ipfsa_fail_errno(err, code, "listen at 127.0.0.1:%u", port);
}

static ipfsa_status listen_at(ipfsa_tunnel *t, uint16_t port, ipfsa_error *err) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof at;
  t->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (t->listener < 0) return port_failed(errno, port, err);
  ipfsa_relay_set_up(t->listener);
  int on = 1; /* connections of an earlier tunnel that are still being forgotten do not hold the port; one that listens does */
  (void)setsockopt(t->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(t->listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(t->listener, BACKLOG) != 0 || getsockname(t->listener, (struct sockaddr *)&at, &len) != 0)
    return port_failed(errno, port, err);
  t->info.local_port = ntohs(at.sin_port);
  return IPFSA_OK;
}

static ipfsa_status open_events(ipfsa_tunnel *t, ipfsa_error *err) {
  t->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  t->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return t->stop_fd >= 0 && t->done_fd >= 0 ? IPFSA_OK : ipfsa_fail_errno(err, errno, "tunnel: event");
}

static uint32_t allowed_connections(uint32_t wanted) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) return wanted;
  uint64_t most = files.rlim_cur > SPARE_FILES + 2 ? (files.rlim_cur - SPARE_FILES) / 2 : 1;
  return most < wanted ? (uint32_t)most : wanted;
}

static ipfsa_status check_options(const char *container, uint16_t port, const ipfsa_tunnel_options *o, ipfsa_error *err) {
  ipfsa_status status = ipfsa_name_check("container", container, err);
  if (status == IPFSA_OK && o->name) status = ipfsa_tunnel_name_check(o->name, err);
  if (status == IPFSA_OK && port == 0) status = ipfsa_fail(err, IPFSA_E_INVALID, "tunnel to %s: expected a container port of 1 to 65535", container);
  if (status == IPFSA_OK && o->max_connections > IPFSA_MAX_TUNNEL_CONNECTIONS)
    status = ipfsa_fail(err, IPFSA_E_LIMIT, "tunnel to %s: at most %u connections at once, got %u", container, IPFSA_MAX_TUNNEL_CONNECTIONS, o->max_connections);
  return status;
}

static void describe(ipfsa_tunnel *t, const char *container, uint16_t port, const ipfsa_tunnel_options *o) {
  snprintf(t->info.name, sizeof t->info.name, "%s", o->name ? o->name : "");
  snprintf(t->info.container, sizeof t->info.container, "%s", container);
  snprintf(t->info.engine, sizeof t->info.engine, "%s", ipfsa_engine_address_text(t->engine));
  ipfsa_json_make_text(t->info.engine);
  t->info.container_port = port;
  t->info.pid = getpid();
  t->info.started = ipfsa_clock_wall_s();
  t->info.answers = true;
}

ipfsa_status ipfsa_tunnel_start(ipfsa_engine *engine, const char *container, uint16_t port, const ipfsa_tunnel_options *options, ipfsa_tunnel **ret, ipfsa_error *err) {
  const ipfsa_tunnel_options copy = IPFSA_OPTIONS(ipfsa_tunnel_options, options), *o = &copy;
  ipfsa_tunnel *t = ipfsa_calloc(1, sizeof *t);
  if (!t) {
    ipfsa_engine_close(engine);
    return ipfsa_fail_nomem(err);
  }
  *t = (ipfsa_tunnel){.engine = engine, .entry = IPFSA_TUNNEL_NO_ENTRY, .listener = -1, .stop_fd = -1, .done_fd = -1};
  pthread_mutex_init(&t->lock, NULL);
  t->max_connections = allowed_connections(o->max_connections ? o->max_connections : IPFSA_TUNNEL_CONNECTIONS);
  int64_t idle = o->idle_timeout_ms ? o->idle_timeout_ms : IPFSA_TUNNEL_IDLE_MS;
  ipfsa_status status = check_options(container, port, o, err);
  if (status == IPFSA_OK) describe(t, container, port, o);
  if (status == IPFSA_OK) status = listen_at(t, o->local_port, err);
  if (status == IPFSA_OK) status = open_events(t, err);
  if (status == IPFSA_OK) status = ipfsa_relay_new(idle < 0 ? 0 : (uint64_t)(idle < INT32_MAX ? idle : INT32_MAX) * 1000000, &t->relay, err);
  if (status == IPFSA_OK) status = ipfsa_tunnel_dialer_new(engine, container, port, &t->dialer, err);
  if (status == IPFSA_OK) status = ipfsa_tunnel_dialer_check(t->dialer, err);
  if (status == IPFSA_OK && o->name) status = ipfsa_tunnel_register(&t->info, &t->entry, err);
  if (status) ipfsa_tunnel_close(t);
  else *ret = t;
  return status;
}

void ipfsa_tunnel_close(ipfsa_tunnel *t) {
  if (!t) return;
  ipfsa_fs_close(&t->listener);
  ipfsa_relay_free(t->relay); /* before the engine and the dialer, which its ends use */
  ipfsa_tunnel_dialer_free(t->dialer);
  ipfsa_engine_close(t->engine);
  ipfsa_fs_close(&t->stop_fd);
  ipfsa_fs_close(&t->done_fd);
  pthread_mutex_destroy(&t->lock);
  ipfsa_tunnel_unregister(&t->entry); /* last: who waits for its end finds the port free */
  ipfsa_free(t);
}

static void ring(int fd) {
  uint64_t one = 1;
  if (write(fd, &one, sizeof one) < 0) return; /* full: it rings already */
}

static void hush(int fd) {
  uint64_t n;
  if (read(fd, &n, sizeof n) < 0) return; /* nothing rang */
}

void ipfsa_tunnel_stop(ipfsa_tunnel *t) { ring(t->stop_fd); }

void ipfsa_tunnel_get_info(ipfsa_tunnel *t, ipfsa_tunnel_info *ret) {
  ipfsa_relay_counters c = ipfsa_relay_count(t->relay);
  *ret = t->info;
  ret->n_accepted = LOAD(t->n_accepted);
  ret->n_open = LOAD(t->n_dialing) + c.n_open;
  ret->n_failed = LOAD(t->n_failed) + ipfsa_tunnel_dialer_n_late(t->dialer);
  ret->n_refused = LOAD(t->n_refused);
  ret->n_broken = c.n_broken;
  ret->n_idle = c.n_idle;
  ret->sent_bytes = c.a_to_b_bytes;
  ret->received_bytes = c.b_to_a_bytes;
  ipfsa_tunnel_dialer_last_error(t->dialer, ret->last_error, sizeof ret->last_error);
}

/* --- dialing --- */

static void run_job(ipfsa_task *task) { /* in a dialing thread */
  dial_job *job = (dial_job *)task;
  ipfsa_tunnel *t = job->tunnel;
  ipfsa_error err = {0};
  job->status = ipfsa_tunnel_dial(t->dialer, &job->far, &err);
  if (job->status && job->status != IPFSA_E_CANCELLED) ipfsa_tunnel_dialer_note(t->dialer, err.message);
  pthread_mutex_lock(&t->lock);
  job->next = t->done;
  t->done = job;
  pthread_mutex_unlock(&t->lock);
  ring(t->done_fd);
}

static void close_client(int client) {
  ipfsa_relay_end end = {.fd = client};
  ipfsa_relay_end_close(&end, true);
}

static void finish_job(ipfsa_tunnel *t, dial_job *job, bool stopping) {
  COUNT(t->n_dialing, (uint64_t)-1);
  if (job->status) {
    COUNT(t->n_failed, 1);
    close_client(job->client);
  } else if (stopping) {
    close_client(job->client);
    ipfsa_relay_end_close(&job->far, true);
  } else if (ipfsa_relay_add(t->relay, (ipfsa_relay_end){.fd = job->client}, job->far, NULL)) {
    COUNT(t->n_failed, 1);
  }
  ipfsa_free(job);
}

static void finish_jobs(ipfsa_tunnel *t, bool stopping) {
  pthread_mutex_lock(&t->lock);
  dial_job *job = ipfsa_steal(t->done);
  pthread_mutex_unlock(&t->lock);
  while (job) {
    dial_job *next = job->next;
    finish_job(t, job, stopping);
    job = next;
  }
}

static void on_done(void *ctx) {
  ipfsa_tunnel *t = ctx;
  hush(t->done_fd);
  finish_jobs(t, false);
}

/* --- accepting --- */

static void take_client(ipfsa_tunnel *t, int client) {
  COUNT(t->n_accepted, 1);
  bool full = t->n_dialing + ipfsa_relay_count(t->relay).n_open >= t->max_connections;
  dial_job *job = full ? NULL : ipfsa_calloc(1, sizeof *job);
  if (!job) {
    COUNT(t->n_refused, 1);
    close_client(client);
    return;
  }
  *job = (dial_job){.task.run = run_job, .tunnel = t, .client = client};
  COUNT(t->n_dialing, 1);
  ipfsa_pool_submit(t->pool, &job->task);
}

static void on_client(void *ctx) {
  ipfsa_tunnel *t = ctx;
  for (int i = 0; i < BACKLOG; i++) {
    int client = accept4(t->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client >= 0) {
      take_client(t, client);
      continue;
    }
    t->out_of_files = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
    if (errno == EAGAIN || t->out_of_files) return; /* other errors are of that one connection, which is gone */
  }
}

/* --- running --- */

static void on_control(void *ctx) {
  ipfsa_tunnel *t = ctx;
  ipfsa_tunnel_info info;
  ipfsa_tunnel_get_info(t, &info);
  if (ipfsa_tunnel_answer(&t->entry, &info)) ipfsa_tunnel_stop(t);
}

static void on_stop(void *ctx) { (void)ctx; }

static bool is_stopped(const ipfsa_tunnel *t) {
  uint64_t n;
  return read(t->stop_fd, &n, sizeof n) == sizeof n;
}

static ipfsa_status watch_all(ipfsa_tunnel *t, ipfsa_error *err) {
  ipfsa_status status = ipfsa_relay_watch(t->relay, t->listener, on_client, t, err);
  if (status == IPFSA_OK) status = ipfsa_relay_watch(t->relay, t->stop_fd, on_stop, t, err);
  if (status == IPFSA_OK) status = ipfsa_relay_watch(t->relay, t->done_fd, on_done, t, err);
  if (status == IPFSA_OK && t->entry.control_fd >= 0) status = ipfsa_relay_watch(t->relay, t->entry.control_fd, on_control, t, err);
  return status;
}

static ipfsa_status carry(ipfsa_tunnel *t, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  while (status == IPFSA_OK && !is_stopped(t)) {
    if (t->out_of_files) nanosleep(&(struct timespec){0, NO_FILES_MS * 1000000}, NULL); /* the listener stays readable: no use to ask at once */
    t->out_of_files = false;
    status = ipfsa_relay_step(t->relay, -1, err);
  }
  return status;
}

/* splice raises SIGPIPE where send is told not to. One that was pending before stays. */
static ipfsa_status carry_without_sigpipe(ipfsa_tunnel *t, ipfsa_error *err) {
  sigset_t pipe_only, before, pending;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  sigpending(&pending);
  bool was_pending = sigismember(&pending, SIGPIPE) == 1;
  pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
  ipfsa_status status = carry(t, err);
  while (!was_pending && sigtimedwait(&pipe_only, NULL, &(struct timespec){0, 0}) == SIGPIPE) {}
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return status;
}

ipfsa_status ipfsa_tunnel_run(ipfsa_tunnel *t, ipfsa_error *err) {
  if (t->was_run) return ipfsa_fail(err, IPFSA_E_INVALID, "tunnel to %s: it ran already", t->info.container);
  t->was_run = true;
  ipfsa_status status = ipfsa_pool_new(N_DIALERS, &t->pool, err);
  if (status) return status;
  status = watch_all(t, err);
  if (status == IPFSA_OK) status = carry_without_sigpipe(t, err);
  ipfsa_fs_close(&t->listener);
  ipfsa_engine_cancel(t->engine); /* dialing ends at once */
  ipfsa_pool_free(t->pool);
  t->pool = NULL;
  finish_jobs(t, true);
  return status;
}
