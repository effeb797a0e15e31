/* As test-engine-faults.c, for what has streams or threads: exec, a watch with its restart, tunnels, a search over all sources. */
#include "scripted_engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "container/market.h"
#include "container/tunnel.h"
#include "container/tunnel_dial.h"
#include "container/tunnel_registry.h"
#include "container/watch_inside.h"

/* --- exec --- */

typedef struct heard {
  char text[2][16];
} heard;

static int hear(void *ctx, int stream, const void *data, size_t len) {
  heard *h = ctx;
  strncat(h->text[stream == 2], data, len < 8 ? len : 8);
  return 0;
}

static ipfsa_status exec_with(ipfsa_engine *e, int in, ipfsa_error *err) {
  static const char *const words[] = {"cat", "-"}, *const env[] = {"TOKEN=secret-word"};
  ipfsa_container_exec_options o = {.struct_size = sizeof o, .env = {env, 1}, .user = "1000", .workdir = "/", .use_stdin = in >= 0, .stdin_fd = in};
  heard h = {0};
  int64_t code = 99;
  ipfsa_status status = ipfsa_container_exec(e, "web", (ipfsa_texts){words, 2}, &o, hear, &h, &code, err);
  if (status == IPFSA_OK && (strcmp(h.text[0], "0\n") != 0 || strcmp(h.text[1], "hm\n") != 0 || code != 0)) fail_msg("exec: \"%s\", \"%s\", code %d", h.text[0], h.text[1], (int)code);
  if (status) assert_int_equal(code, 99);
  return status;
}

static ipfsa_status exec(ipfsa_engine *e, ipfsa_error *err) { return exec_with(e, -1, err); }

static ipfsa_status exec_input(ipfsa_engine *e, ipfsa_error *err) {
  int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
  ipfsa_status status = exec_with(e, in, err);
  close(in);
  return status;
}

/* --- a watch: it runs and is well, it ends, it is restarted, it is removed --- */

static const ipfsa_watch_times quick = {1000000, 1000, 2000};

typedef struct seen {
  unsigned n_states, n_healthy, n_restarted, n_not_restarted, n_removed;
} seen;

static int see(void *ctx, const ipfsa_watch_event *e) {
  seen *s = ctx;
  s->n_states += e->kind == IPFSA_WATCH_STATE;
  s->n_healthy += e->health == IPFSA_HEALTH_HEALTHY;
  if (e->health == IPFSA_HEALTH_UNHEALTHY) fail_msg("watch: what failed here is told as a failure of the container: %s", e->what);
  if (e->kind == IPFSA_WATCH_HEALTH && e->health == IPFSA_HEALTH_HEALTHY) change_engine("exited", true);
  if (e->kind == IPFSA_WATCH_RESTART && !e->delay_ms) {
    s->n_restarted += !*e->what;
    s->n_not_restarted += *e->what != '\0';
    change_engine(NULL, false);
  }
  s->n_removed += e->kind == IPFSA_WATCH_REMOVED;
  return 0;
}

static ipfsa_status watch_named(ipfsa_engine *e, const ipfsa_watch_options *o, ipfsa_error *err) {
  seen s = {0};
  ipfsa_status status = ipfsa_watch_run(e, o, &quick, see, &s, err);
  /* On a slow machine the next restart is due before it is seen that there is nothing left to restart. */
  if (status == IPFSA_OK && (s.n_states < 2 || !s.n_healthy || s.n_restarted + s.n_not_restarted < 1 || s.n_removed != 1))
    fail_msg("watch: %u states, %u healthy, %u restarts, %u removals", s.n_states, s.n_healthy, s.n_restarted, s.n_removed);
  return status;
}

static void set_probes(const char *label) {
  pthread_mutex_lock(&script_lock);
  probe_label = label;
  pthread_mutex_unlock(&script_lock);
}

static ipfsa_status watch(ipfsa_engine *e, ipfsa_error *err) {
  static const char *const names[] = {"web"};
  set_probes("{\\\"probes\\\":[\\\"exec:true\\\",\\\"log:said\\\"],\\\"threshold\\\":1,\\\"interval_ms\\\":1}");
  ipfsa_status status = watch_named(e, &(ipfsa_watch_options){.struct_size = sizeof(ipfsa_watch_options), .names = {names, 1}, .restart = true}, err);
  set_probes("");
  return status;
}

static void what_is_no_text_is_no_lack_of_memory(void **state) {
  (void)state;
  static const char *const odd[] = {"sh", "secret\xff"};
  ipfsa_error err = {0};
  ipfsa_engine *e = NULL;
  int64_t code;
  char told[264];
  start_engine();
  change_engine(NULL, true);
  assert_ok(connect_engine(&e, &err));
  ipfsa_container_exec_options o = {.struct_size = sizeof o, .env = {odd, 2}};
  assert_status(ipfsa_container_exec(e, "web", (ipfsa_texts){odd, 2}, NULL, hear, NULL, &code, &err), IPFSA_E_INVALID);
  assert_status(ipfsa_container_exec(e, "web", (ipfsa_texts){odd, 1}, &o, hear, NULL, &code, &err), IPFSA_E_INVALID);
  assert_null(strstr(err.message, "secret"));
  assert_status(ipfsa_image_pull(e, "busybox", &(ipfsa_image_pull_options){.struct_size = sizeof(ipfsa_image_pull_options), .username = "u", .password = odd[1]}, &err), IPFSA_E_INVALID);
  assert_null(strstr(err.message, "secret"));
  ipfsa_tunnel_dialer *d = NULL;
  assert_ok(ipfsa_tunnel_dialer_new(e, "web", 80, &d, &err));
  ipfsa_tunnel_dialer_note(d, "nc: \xc3\xa4 \xff"); /* what a program said becomes JSON for 'tunnel ls' */
  ipfsa_tunnel_dialer_last_error(d, told, sizeof told);
  assert_string_equal(told, "nc: ?? ?");
  ipfsa_tunnel_dialer_free(d);
  ipfsa_engine_close(e);
  server_stop(&engine_server);
}

static const faulty_call calls[] = {{"exec", exec, true, false}, {"exec with input", exec_input, true, false}, {"watch", watch, true, false}};

static void every_stream_may_run_out_of_memory(void **state) {
  (void)state;
  assert_true(fail_everywhere(calls, sizeof calls / sizeof *calls) > 300);
}

/* --- tunnels --- */

static char *runtime; /* the user's runtime folder of this test */

static int make_runtime(void **state) {
  runtime = test_temp_dir();
  return setenv("XDG_RUNTIME_DIR", runtime, 1) + count_json(state);
}

static int remove_runtime(void **state) {
  (void)state;
  test_remove_tree(runtime);
  return 0;
}

static int count_tunnel(void *ctx, const ipfsa_tunnel_info *info) { return ++*(unsigned *)ctx, strcmp(info->name, "web-80") != 0; }

/* Opened by its name, listed, closed; the engine is closed with it. */
static ipfsa_status open_tunnel(ipfsa_tunnel **ret, ipfsa_error *err) {
  ipfsa_engine *engine = NULL;
  ipfsa_status status = connect_engine(&engine, err);
  return status ? status : ipfsa_tunnel_start(engine, "web", 80, &(ipfsa_tunnel_options){.struct_size = sizeof(ipfsa_tunnel_options), .name = "web-80"}, ret, err);
}

static void a_tunnel_that_cannot_be_opened_leaves_nothing(void **state) {
  (void)state;
  int fds = n_open_fds();
  start_engine();
  change_engine(NULL, true);
  long json = n_json;
  bool fired = true;
  uint64_t n = 0;
  while (fired) {
    ipfsa_tunnel *t = NULL;
    ipfsa_error err = {0};
    unsigned n_listed = 0;
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, ++n, 1, IPFSA_FAULT_FAIL, 0});
    ipfsa_status status = open_tunnel(&t, &err);
    fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    if (status && (status != IPFSA_E_NOMEM || !*err.message || t)) fail_msg("allocation %llu: %s", (unsigned long long)n, err.message);
    if (!fired) assert_ok(status);
    ipfsa_tunnel_close(t);
    assert_ok(ipfsa_tunnel_list(count_tunnel, &n_listed, &err));
    assert_int_equal(n_listed, 0);
    assert_int_equal(n_json, json);
  }
  assert_true(n > 50);
  server_stop(&engine_server);
  assert_int_equal(n_open_fds(), fds);
}

typedef struct running {
  ipfsa_tunnel *tunnel;
  pthread_t thread;
  ipfsa_status status;
  ipfsa_error err;
} running;

static void *run_tunnel(void *arg) {
  running *r = arg;
  r->status = ipfsa_tunnel_run(r->tunnel, &r->err);
  return NULL;
}

/* What comes through a connection until its end: "0\n" when all went well. */
static size_t ask_through(const ipfsa_tunnel *t, char *ret, size_t room) {
  ipfsa_tunnel_info info;
  ipfsa_tunnel_get_info((ipfsa_tunnel *)(uintptr_t)t, &info);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(info.local_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  size_t len = 0;
  if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0) fail_msg("connect to port %u: %s", info.local_port, strerror(errno));
  (void)shutdown(fd, SHUT_WR); /* fails when it was reset already */
  for (ssize_t n; len < room && (n = recv(fd, ret + len, room - len, 0)) > 0;) len += (size_t)n;
  close(fd);
  return len;
}

static void begin(running *r) {
  ipfsa_error err = {0};
  *r = (running){0};
  assert_ok(open_tunnel(&r->tunnel, &err));
  assert_int_equal(pthread_create(&r->thread, NULL, run_tunnel, r), 0);
}

static void end(running *r) {
  ipfsa_tunnel_stop(r->tunnel);
  pthread_join(r->thread, NULL);
  if (r->status) fail_msg("tunnel: %s", r->err.message);
  ipfsa_tunnel_close(r->tunnel);
}

/* That connection fails alone: it is counted, and the next one is carried. */
static void a_connection_without_memory_fails_alone(void **state) {
  (void)state;
  int fds = n_open_fds();
  start_engine();
  change_engine(NULL, true);
  running r;
  begin(&r);
  char text[8];
  assert_int_equal(ask_through(r.tunnel, text, sizeof text), 2); /* the relay program is known from now on */
  bool fired = true;
  uint64_t n = 0;
  while (fired) {
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, ++n, 1, IPFSA_FAULT_FAIL, 0});
    size_t len = ask_through(r.tunnel, text, sizeof text);
    fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    ipfsa_tunnel_info info;
    ipfsa_tunnel_get_info(r.tunnel, &info);
    bool counted = info.n_failed + info.n_refused + info.n_broken > 0;
    if (len != 2 && !(fired && counted)) fail_msg("allocation %llu: the connection ended after %zu bytes, and nothing is counted", (unsigned long long)n, len);
    assert_int_equal(ask_through(r.tunnel, text, sizeof text), 2);
    assert_memory_equal(text, "0\n", 2);
  }
  assert_true(n > 30);
  end(&r);
  server_stop(&engine_server);
  assert_int_equal(n_open_fds(), fds);
}

/* A tunnel in a process of its own, as the program's are; nothing fails there. */
static pid_t fork_tunnel(void) {
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    running r = {0};
    if (open_tunnel(&r.tunnel, &r.err) == IPFSA_OK) run_tunnel(&r);
    ipfsa_tunnel_close(r.tunnel);
    _exit(r.status == IPFSA_OK ? 0 : 1);
  }
  ipfsa_error err = {0};
  for (unsigned n_listed = 0, i = 0; !n_listed; i++) {
    assert_true(i < 1000);
    assert_ok(ipfsa_tunnel_list(count_tunnel, &n_listed, &err));
    usleep(5000);
  }
  return pid;
}

/* One call at its n-th allocation; true when nothing was left to fail. */
static bool tunnels_fail_at(bool rm, uint64_t n, unsigned *n_listed, ipfsa_status *ret) {
  ipfsa_error err = {0};
  *n_listed = 0;
  ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, 0});
  *ret = rm ? ipfsa_tunnel_rm("web-80", &err) : ipfsa_tunnel_list(count_tunnel, n_listed, &err);
  bool fired = ipfsa_fault_fired();
  ipfsa_fault_disarm();
  if (*ret && (*ret != IPFSA_E_NOMEM || !*err.message || !fired)) fail_msg("%s, allocation %llu: %s", rm ? "rm" : "ls", (unsigned long long)n, err.message);
  return !fired;
}

/* A tunnel that is there is never left out of the list without a word, and one that could not be removed is still there. */
static void ls_and_rm_without_memory_say_so(void **state) {
  (void)state;
  start_engine();
  change_engine(NULL, true);
  unsigned n_listed;
  ipfsa_status status;
  ipfsa_error err = {0};
  pid_t pid = fork_tunnel();
  uint64_t n = 1, m = 1;
  for (bool over = false; !over; n++) {
    over = tunnels_fail_at(false, n, &n_listed, &status);
    if (status == IPFSA_OK) assert_int_equal(n_listed, 1);
  }
  for (bool over = false; !over; m++) {
    over = tunnels_fail_at(true, m, &n_listed, &status);
    n_listed = 0;
    assert_ok(ipfsa_tunnel_list(count_tunnel, &n_listed, &err));
    assert_int_equal(n_listed, status == IPFSA_OK ? 0 : 1);
    if (status == IPFSA_OK) assert_int_equal(waitpid(pid, NULL, 0), pid);
    if (status == IPFSA_OK && !over) pid = fork_tunnel();
  }
  assert_true(n > 4 && m > 2);
  server_stop(&engine_server);
}

/* --- a search --- */

typedef struct found {
  unsigned n_entries, n_failures;
  bool odd;
} found;

static int take_entry(void *ctx, const ipfsa_marketplace_entry *e) { return ((found *)ctx)->n_entries++, e->n_sources == 0; }
static void take_failure(void *ctx, const char *source, ipfsa_status status, const char *message) {
  found *f = ctx;
  f->n_failures++;
  f->odd = f->odd || !*source || !*message || status != IPFSA_E_NOMEM;
}

/* What a source could not tell is told; nothing is left out without a word. */
static void a_search_without_memory_says_so(void **state) {
  (void)state;
  int fds = n_open_fds();
  start_engine();
  char host[64];
  snprintf(host, sizeof host, "tcp://127.0.0.1:%u", engine_server.port);
  ipfsa_engine_params engine = {.host = host, .timeout_ms = 10000};
  long json = n_json;
  unsigned whole = 0, n_told = 0;
  bool fired = true;
  for (uint64_t n = 0; fired; n++) { /* 0: nothing fails */
    ipfsa_error err = {0};
    found f = {0};
    size_t n_answered = 0;
    ipfsa_market_params p = {.query = {.term = "", .limit = 100, .timeout_ms = 10000}, .ask_curated = true, .ask_local = true, .ask_engine = true, .engine = &engine,
                             .failed = take_failure, .ctx = &f};
    if (n) ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, 0});
    ipfsa_status status = ipfsa_market_search(&p, take_entry, &f, &n_answered, &err);
    fired = !n || ipfsa_fault_fired();
    ipfsa_fault_disarm();
    if (n == 0) whole = f.n_entries;
    if (status && (status != IPFSA_E_NOMEM || !*err.message)) fail_msg("allocation %llu: %s", (unsigned long long)n, err.message);
    if (f.odd) fail_msg("allocation %llu: a source tells of something else", (unsigned long long)n);
    if (status == IPFSA_OK && !f.n_failures && f.n_entries != whole) fail_msg("allocation %llu: %u entries of %u, without a word", (unsigned long long)n, f.n_entries, whole);
    n_told += status || f.n_failures;
    assert_int_equal(n_json, json);
  }
  assert_true(whole > 10 && n_told > 50);
  server_stop(&engine_server);
  assert_int_equal(n_open_fds(), fds);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_stream_may_run_out_of_memory), cmocka_unit_test(what_is_no_text_is_no_lack_of_memory),
                                     cmocka_unit_test(a_tunnel_that_cannot_be_opened_leaves_nothing),
                                     cmocka_unit_test(a_connection_without_memory_fails_alone), cmocka_unit_test(ls_and_rm_without_memory_say_so),
                                     cmocka_unit_test(a_search_without_memory_says_so)};
  return cmocka_run_group_tests(tests, make_runtime, remove_runtime);
}
