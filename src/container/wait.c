/* Waiting until a container does its work: probes of our own with one deadline for all, so that engines without health checks need none. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <regex.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "container/container_inside.h"

#define DEFAULT_WAIT_MS 60000
#define PROBE_PAUSE_MS 50      /* between two looks */
#define PROBE_NS 5000000000u   /* longest single probe */
#define MAX_LOG_LINE 16384u    /* bytes of a line the pattern is held against; engines cut lines there as well */

typedef enum wait_kind { WAIT_HTTP, WAIT_TCP, WAIT_LOG, WAIT_EXEC, WAIT_HEALTHY } wait_kind;
typedef struct wait_rule {
  wait_kind kind;
  uint16_t port;
  const char *text; /* path, pattern, command */
} wait_rule;

static ipfsa_status bad_wait(const char *text, ipfsa_error *err) {
  return ipfsa_fail(err, IPFSA_E_INVALID, "wait \"%.100s\": expected http:PORT[/path], tcp:PORT, log:REGEX, exec:COMMAND or healthy", text);
}

static ipfsa_status parse_port(const char *text, const char *from, wait_rule *ret, ipfsa_error *err) {
  size_t n = strspn(from, "0123456789");
  unsigned long port = n && n <= 5 ? strtoul(from, NULL, 10) : 0;
  if (port == 0 || port > 65535 || (from[n] && (ret->kind != WAIT_HTTP || from[n] != '/'))) return bad_wait(text, err);
  ret->port = (uint16_t)port;
  ret->text = from[n] ? from + n : "/";
  for (const char *p = ret->text; *p; p++)
    if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f) return bad_wait(text, err); /* a request would be none */
  return IPFSA_OK;
}

static ipfsa_status parse_rule(const char *text, wait_rule *ret, ipfsa_error *err) {
  static const struct { const char *prefix; wait_kind kind; } kinds[] = {{"http:", WAIT_HTTP}, {"tcp:", WAIT_TCP}, {"log:", WAIT_LOG}, {"exec:", WAIT_EXEC}};
  if (strcmp(text, "healthy") == 0) {
    *ret = (wait_rule){.kind = WAIT_HEALTHY};
    return IPFSA_OK;
  }
  for (size_t i = 0; i < 4; i++) {
    size_t len = strlen(kinds[i].prefix);
    if (strncmp(text, kinds[i].prefix, len) != 0 || !text[len]) continue;
    *ret = (wait_rule){.kind = kinds[i].kind, .text = text + len};
    if (ret->kind == WAIT_HTTP || ret->kind == WAIT_TCP) return parse_port(text, text + len, ret, err);
    regex_t pattern;
    if (ret->kind != WAIT_LOG) return IPFSA_OK;
    if (regcomp(&pattern, ret->text, REG_EXTENDED | REG_NOSUB) != 0) return ipfsa_fail(err, IPFSA_E_INVALID, "wait \"%.100s\": this is no extended regular expression", text);
    regfree(&pattern);
    return IPFSA_OK;
  }
  return bad_wait(text, err);
}

ipfsa_status ipfsa_container_check_waits(ipfsa_texts waits, ipfsa_error *err) {
  for (size_t i = 0; i < waits.n; i++) {
    wait_rule rule;
    ipfsa_status status = parse_rule(waits.items[i], &rule, err);
    if (status) return status;
  }
  return IPFSA_OK;
}

typedef struct waiting {
  ipfsa_engine *engine;
  const char *name;
  uint64_t deadline;
  const char *current; /* the rule, for messages */
  ipfsa_texts env;     /* its values are in none */
} waiting;

static ipfsa_status with_last_words(waiting *w, ipfsa_status status, ipfsa_error *err) {
  char words[200];
  ipfsa_container_last_words(w->engine, w->name, w->env, words, sizeof words);
  if (*words && err) ipfsa_fail(err, status, "%s; it last said: %s", err->message, words);
  return status;
}

static ipfsa_status not_in_time(waiting *w, ipfsa_error *err) {
  ipfsa_fail(err, IPFSA_E_TIMEOUT, "container %s: \"%.80s\" did not come true in time", w->name, w->current);
  return with_last_words(w, IPFSA_E_TIMEOUT, err);
}

/* Inspects; a container that has ended ends the waiting. */
static ipfsa_status look(waiting *w, ipfsa_container **ret, ipfsa_error *err) {
  json_t *json = NULL;
  ipfsa_status status = ipfsa_container_look(w->engine, w->name, false, &json, err);
  if (status == IPFSA_OK) status = ipfsa_container_from_inspect(json, ret, err);
  if (status) return status;
  if (strcmp((*ret)->state, "exited") != 0 && strcmp((*ret)->state, "dead") != 0) return IPFSA_OK;
  ipfsa_fail(err, IPFSA_E_IO, "container %s ended with exit code %lld before \"%.80s\" came true", w->name, (long long)(*ret)->exit_code, w->current);
  ipfsa_container_free(*ret);
  *ret = NULL;
  return with_last_words(w, IPFSA_E_IO, err);
}

/* --- tcp and http --- */

/* Where a port of the container is reached from here; false: nowhere yet. */
static bool address_of(const ipfsa_container *c, bool local, uint16_t port, struct sockaddr_in *ret) {
  *ret = (struct sockaddr_in){.sin_family = AF_INET};
  for (size_t i = 0; i < c->n_ports && local; i++) {
    const ipfsa_container_port *p = &c->ports[i];
    if (p->container_port != port || !p->host_port || strcmp(p->protocol, "tcp") != 0) continue;
    ret->sin_port = htons(p->host_port);
    if (inet_pton(AF_INET, strcmp(p->host_ip, "0.0.0.0") == 0 ? "127.0.0.1" : p->host_ip, &ret->sin_addr) == 1) return true;
  }
  ret->sin_port = htons(port);
  return local && *c->address && inet_pton(AF_INET, c->address, &ret->sin_addr) == 1;
}

/* A connection, or -1: nobody listens yet. */
static int try_connect(waiting *w, const struct sockaddr_in *to, uint64_t deadline) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  int code = 0;
  socklen_t len = sizeof code;
  if (connect(fd, (const struct sockaddr *)to, sizeof *to) == 0) return fd;
  struct pollfd ready = {.fd = fd, .events = POLLOUT};
  if (errno == EINPROGRESS && ipfsa_wire_poll(&ready, 1, ipfsa_engine_cancel_fd(w->engine), deadline, NULL) == IPFSA_OK &&
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) == 0 && code == 0)
    return fd;
  close(fd);
  return -1;
}

/* Does it stay open, or give bytes? A proxy in front of a closed port accepts and hangs up. */
static bool stays_open(waiting *w, int fd) {
  struct pollfd ready = {.fd = fd, .events = POLLIN};
  ipfsa_status status = ipfsa_wire_poll(&ready, 1, ipfsa_engine_cancel_fd(w->engine), ipfsa_clock_monotonic_ns() + 100000000, NULL);
  char byte;
  return status == IPFSA_E_TIMEOUT || (status == IPFSA_OK && recv(fd, &byte, 1, MSG_PEEK) == 1);
}

/* The status of a GET, 0 when none came. */
static int ask_http(waiting *w, int fd, const char *path, uint64_t deadline) {
  IPFSA_AUTO_BUF ipfsa_buf request = {0};
  if (ipfsa_http_put_request(&request, "GET", path, NULL) || ipfsa_http_put_header(&request, "Host", "localhost", NULL)) return 0;
  ipfsa_buf_str(&request, "Connection: close\r\n");
  ipfsa_http_put_end(&request);
  if (request.failed || send(fd, request.data, request.len, MSG_NOSIGNAL) != (ssize_t)request.len) return 0;
  ipfsa_http_reader reader;
  ipfsa_http_reader_init(&reader, false);
  ipfsa_http_event event = IPFSA_HTTP_MORE;
  while (event == IPFSA_HTTP_MORE) {
    uint8_t data[4096];
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (ipfsa_wire_poll(&ready, 1, ipfsa_engine_cancel_fd(w->engine), deadline, NULL)) break;
    ssize_t n = recv(fd, data, sizeof data, 0);
    if (n <= 0) break;
    ipfsa_cursor in = ipfsa_cursor_over(ipfsa_bytes_of(data, (size_t)n));
    ipfsa_bytes body;
    if (ipfsa_http_read(&reader, &in, &event, &body, NULL)) break;
  }
  int status = event == IPFSA_HTTP_HEAD ? reader.status : 0;
  ipfsa_http_reader_release(&reader);
  return status;
}

static bool probe_port(waiting *w, const wait_rule *rule, const ipfsa_container *c) {
  struct sockaddr_in to;
  if (!address_of(c, ipfsa_engine_is_local(w->engine), rule->port, &to)) return false;
  uint64_t soon = ipfsa_clock_monotonic_ns() + PROBE_NS, deadline = soon < w->deadline ? soon : w->deadline;
  IPFSA_AUTO_FD int fd = try_connect(w, &to, deadline);
  if (fd < 0) return false;
  if (rule->kind == WAIT_TCP) return stays_open(w, fd);
  int status = ask_http(w, fd, rule->text, deadline);
  return status >= 200 && status < 400;
}

/* --- exec, health --- */

static ipfsa_status probe_exec(waiting *w, const char *command, bool *ret, ipfsa_error *err) {
  const char *words[] = {"sh", "-c", command};
  int64_t code = 1;
  ipfsa_error local = {0};
  ipfsa_status status = ipfsa_container_run(w->engine, w->name, (ipfsa_texts){words, 3}, NULL, w->deadline, NULL, NULL, &code, &local);
  *ret = status == IPFSA_OK && code == 0;
  if (status == IPFSA_E_CANCELLED && err) *err = local;
  return status == IPFSA_E_CANCELLED ? status : IPFSA_OK; /* everything else may pass: it is asked again until time is up */
}

static ipfsa_status probe(waiting *w, const wait_rule *rule, bool *ret, ipfsa_error *err) {
  ipfsa_container *c = NULL;
  if ((rule->kind == WAIT_HTTP || rule->kind == WAIT_TCP) && !ipfsa_engine_is_local(w->engine))
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "wait \"%.80s\": the engine is on another machine, whose ports are not reached from here; wait for log:, exec: or healthy", w->current);
  ipfsa_status status = look(w, &c, err);
  if (status) return status;
  if (rule->kind == WAIT_EXEC) status = probe_exec(w, rule->text, ret, err);
  else if (rule->kind != WAIT_HEALTHY) *ret = probe_port(w, rule, c);
  else if (!*c->health) status = ipfsa_fail(err, IPFSA_E_INVALID, "container %s has no health check to wait for: give it one with --health-cmd", w->name);
  else *ret = strcmp(c->health, "healthy") == 0;
  ipfsa_container_free(c);
  return status;
}

static ipfsa_status wait_probing(waiting *w, const wait_rule *rule, ipfsa_error *err) {
  for (;;) {
    bool is_true = false;
    ipfsa_status status = probe(w, rule, &is_true, err);
    if (status || is_true) return status;
    if (ipfsa_clock_monotonic_ns() >= w->deadline) return not_in_time(w, err);
    status = ipfsa_engine_pause(w->engine, PROBE_PAUSE_MS, err);
    if (status) return status;
  }
}

/* --- a line of the log --- */

typedef struct line_finder {
  regex_t pattern;
  struct { char text[MAX_LOG_LINE]; size_t len; } line[2]; /* of standard output and standard error */
  bool found;
} line_finder;

static int find_line(void *ctx, int stream, const void *data, size_t len) {
  line_finder *f = ctx;
  const char *p = data;
  size_t which = stream == 2;
  for (size_t i = 0; i < len; i++) {
    bool ends = p[i] == '\n' || f->line[which].len == MAX_LOG_LINE - 1;
    if (p[i] != '\n' && p[i] != '\0') f->line[which].text[f->line[which].len++] = p[i];
    if (!ends) continue;
    f->line[which].text[f->line[which].len] = '\0';
    f->line[which].len = 0;
    if (regexec(&f->pattern, f->line[which].text, 0, NULL, 0) != 0) continue;
    f->found = true;
    return 1;
  }
  return 0;
}

static ipfsa_status follow_until_found(waiting *w, line_finder *f, ipfsa_error *err) {
  ipfsa_container_logs_options options = {.struct_size = sizeof options, .follow = true};
  for (;;) {
    ipfsa_status status = ipfsa_container_read_logs(w->engine, w->name, &options, false, false, w->deadline, find_line, f, err);
    if (f->found) return IPFSA_OK;
    if (status == IPFSA_E_TIMEOUT) return not_in_time(w, err);
    if (status) return status;
    ipfsa_container *c = NULL; /* the log ended: the container did, or the engine cut the connection */
    status = look(w, &c, err);
    ipfsa_container_free(c);
    if (status) return status;
    status = ipfsa_engine_pause(w->engine, PROBE_PAUSE_MS, err);
    if (status) return status;
  }
}

static ipfsa_status wait_for_line(waiting *w, const wait_rule *rule, ipfsa_error *err) {
  line_finder *f = ipfsa_calloc(1, sizeof *f);
  if (!f) return ipfsa_fail_nomem(err);
  ipfsa_status status = IPFSA_OK;
  if (regcomp(&f->pattern, rule->text, REG_EXTENDED | REG_NOSUB) != 0) status = ipfsa_fail_nomem(err); /* it was checked before */
  if (status == IPFSA_OK) {
    status = follow_until_found(w, f, err);
    regfree(&f->pattern);
  }
  ipfsa_free(f);
  return status;
}

ipfsa_status ipfsa_container_wait_ready(ipfsa_engine *engine, const char *name, ipfsa_texts waits, int64_t timeout_ms, ipfsa_texts env, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  uint64_t ms = timeout_ms > 0 && timeout_ms < INT32_MAX ? (uint64_t)timeout_ms : timeout_ms > 0 ? INT32_MAX : DEFAULT_WAIT_MS;
  waiting w = {engine, name, ipfsa_clock_monotonic_ns() + ms * 1000000, "", env};
  for (size_t i = 0; i < waits.n; i++) {
    wait_rule rule;
    w.current = waits.items[i];
    ipfsa_status status = parse_rule(waits.items[i], &rule, err);
    if (status == IPFSA_OK) status = rule.kind == WAIT_LOG ? wait_for_line(&w, &rule, err) : wait_probing(&w, &rule, err);
    if (status) return status;
  }
  return IPFSA_OK;
}
