/* Is it ready, is it well? Tries with a deadline each; nothing of the engine's own checks is needed. */
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
#include "container/probe.h"

#define MAX_LOG_LINE 16384u /* bytes of a line the pattern is held against; engines cut lines there as well */

/* --- reading one --- */

static ipfsa_status bad_probe(const char *what, const char *text, ipfsa_error *err) {
  return ipfsa_fail(err, IPFSA_E_INVALID, "%s \"%.100s\": expected http:PORT[/path], tcp:PORT, log:REGEX, exec:COMMAND or healthy", what, text);
}

static ipfsa_status parse_port(const char *what, const char *text, const char *from, ipfsa_probe *ret, ipfsa_error *err) {
  size_t n = strspn(from, "0123456789");
  unsigned long port = n && n <= 5 ? strtoul(from, NULL, 10) : 0;
  if (port == 0 || port > 65535 || (from[n] && (ret->kind != IPFSA_PROBE_HTTP || from[n] != '/'))) return bad_probe(what, text, err);
  ret->port = (uint16_t)port;
  ret->text = from[n] ? from + n : "/";
  for (const char *p = ret->text; *p; p++)
    if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f) return bad_probe(what, text, err); /* a request would be none */
  return IPFSA_OK;
}

ipfsa_status ipfsa_probe_parse(const char *what, const char *text, ipfsa_probe *ret, ipfsa_error *err) {
  static const struct { const char *prefix; ipfsa_probe_kind kind; } kinds[] = {
      {"http:", IPFSA_PROBE_HTTP}, {"tcp:", IPFSA_PROBE_TCP}, {"log:", IPFSA_PROBE_LOG}, {"exec:", IPFSA_PROBE_EXEC}};
  if (strcmp(text, "healthy") == 0) {
    *ret = (ipfsa_probe){.kind = IPFSA_PROBE_HEALTHY};
    return IPFSA_OK;
  }
  for (size_t i = 0; i < 4; i++) {
    size_t len = strlen(kinds[i].prefix);
    if (strncmp(text, kinds[i].prefix, len) != 0 || !text[len]) continue;
    *ret = (ipfsa_probe){.kind = kinds[i].kind, .text = text + len};
    if (ret->kind == IPFSA_PROBE_HTTP || ret->kind == IPFSA_PROBE_TCP) return parse_port(what, text, text + len, ret, err);
    regex_t pattern;
    if (ret->kind != IPFSA_PROBE_LOG) return IPFSA_OK;
    int code = regcomp(&pattern, ret->text, REG_EXTENDED | REG_NOSUB);
    if (code == REG_ESPACE) return ipfsa_fail_nomem(err);
    if (code != 0) return ipfsa_fail(err, IPFSA_E_INVALID, "%s \"%.100s\": this is no extended regular expression", what, text);
    regfree(&pattern);
    return IPFSA_OK;
  }
  return bad_probe(what, text, err);
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
static int try_connect(ipfsa_engine *engine, const struct sockaddr_in *to, uint64_t deadline) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  int code = 0;
  socklen_t len = sizeof code;
  if (connect(fd, (const struct sockaddr *)to, sizeof *to) == 0) return fd;
  struct pollfd ready = {.fd = fd, .events = POLLOUT};
  if (errno == EINPROGRESS && ipfsa_wire_poll(&ready, 1, ipfsa_engine_cancel_fd(engine), deadline, NULL) == IPFSA_OK &&
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) == 0 && code == 0)
    return fd;
  close(fd);
  return -1;
}

/* Does it stay open, or give bytes? A proxy in front of a closed port accepts and hangs up. */
static bool stays_open(ipfsa_engine *engine, int fd) {
  struct pollfd ready = {.fd = fd, .events = POLLIN};
  ipfsa_status status = ipfsa_wire_poll(&ready, 1, ipfsa_engine_cancel_fd(engine), ipfsa_clock_monotonic_ns() + 100000000, NULL);
  char byte;
  return status == IPFSA_E_TIMEOUT || (status == IPFSA_OK && recv(fd, &byte, 1, MSG_PEEK) == 1);
}

/* *ret: the status of a GET, 0 when none came. Fails only for lack of memory. */
static ipfsa_status ask_http(ipfsa_engine *engine, int fd, const char *path, uint64_t deadline, int *ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf request = {0};
  *ret = 0;
  ipfsa_status status = ipfsa_http_put_request(&request, "GET", path, err);
  if (status == IPFSA_OK) status = ipfsa_http_put_header(&request, "Host", "localhost", err);
  ipfsa_buf_str(&request, "Connection: close\r\n");
  ipfsa_http_put_end(&request);
  if (status == IPFSA_OK) status = ipfsa_buf_status(&request, err);
  if (status) return status;
  if (send(fd, request.data, request.len, MSG_NOSIGNAL) != (ssize_t)request.len) return IPFSA_OK;
  ipfsa_http_reader reader;
  ipfsa_http_reader_init(&reader, false);
  ipfsa_http_event event = IPFSA_HTTP_MORE;
  while (event == IPFSA_HTTP_MORE) {
    uint8_t data[4096];
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (ipfsa_wire_poll(&ready, 1, ipfsa_engine_cancel_fd(engine), deadline, NULL)) break;
    ssize_t n = recv(fd, data, sizeof data, 0);
    if (n <= 0) break;
    ipfsa_cursor in = ipfsa_cursor_over(ipfsa_bytes_of(data, (size_t)n));
    ipfsa_bytes body;
    if ((status = ipfsa_http_read(&reader, &in, &event, &body, err))) break;
  }
  if (event == IPFSA_HTTP_HEAD) *ret = reader.status;
  ipfsa_http_reader_release(&reader);
  return status == IPFSA_E_NOMEM ? status : IPFSA_OK;
}

static ipfsa_status probe_port(ipfsa_engine *engine, const ipfsa_container *c, const ipfsa_probe *probe, uint64_t deadline, bool *ret, char why[IPFSA_PROBE_WHY],
                               ipfsa_error *err) {
  struct sockaddr_in to;
  bool reached = address_of(c, ipfsa_engine_is_local(engine), probe->port, &to);
  IPFSA_AUTO_FD int fd = reached ? try_connect(engine, &to, deadline) : -1;
  bool is_tcp = probe->kind == IPFSA_PROBE_TCP;
  if (!reached) snprintf(why, IPFSA_PROBE_WHY, "no way to this port: it is not published, and the container has no address here");
  else if (fd < 0 || (is_tcp && !stays_open(engine, fd))) snprintf(why, IPFSA_PROBE_WHY, "nobody listens");
  else if (is_tcp) *ret = true;
  else {
    int code = 0;
    ipfsa_status status = ask_http(engine, fd, probe->text, deadline, &code, err);
    if (status) return status;
    *ret = code >= 200 && code < 400;
    if (code) snprintf(why, IPFSA_PROBE_WHY, "HTTP status %d", code);
    else snprintf(why, IPFSA_PROBE_WHY, "no answer");
  }
  return IPFSA_OK;
}

/* --- a line of the log --- */

struct ipfsa_log_finder {
  regex_t pattern;
  struct { char text[MAX_LOG_LINE]; size_t len; } line[2]; /* of standard output and standard error */
  bool found;
};

ipfsa_status ipfsa_log_finder_new(const char *pattern, ipfsa_log_finder **ret, ipfsa_error *err) {
  ipfsa_log_finder *f = ipfsa_calloc(1, sizeof *f);
  if (!f || regcomp(&f->pattern, pattern, REG_EXTENDED | REG_NOSUB) != 0) { /* the pattern was checked before */
    ipfsa_free(f);
    return ipfsa_fail_nomem(err);
  }
  *ret = f;
  return IPFSA_OK;
}

void ipfsa_log_finder_free(ipfsa_log_finder *f) {
  if (f) regfree(&f->pattern);
  ipfsa_free(f);
}

bool ipfsa_log_finder_found(const ipfsa_log_finder *f) { return f->found; }

int ipfsa_log_finder_feed(void *finder, int stream, const void *data, size_t len) {
  ipfsa_log_finder *f = finder;
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

/* --- one try --- */

static ipfsa_status probe_log(ipfsa_engine *engine, const ipfsa_container *c, const char *pattern, uint64_t deadline, const char *since, bool *ret,
                              char why[IPFSA_PROBE_WHY], ipfsa_error *err) {
  ipfsa_log_finder *f = NULL;
  ipfsa_status status = ipfsa_log_finder_new(pattern, &f, err);
  if (status) return status;
  ipfsa_container_logs_options options = {.struct_size = sizeof options, .since = since};
  ipfsa_error local = {0};
  status = ipfsa_container_read_logs(engine, c->name, &options, false, false, deadline, ipfsa_log_finder_feed, f, &local);
  *ret = f->found;
  ipfsa_log_finder_free(f);
  if (*ret) return IPFSA_OK;
  if (status == IPFSA_E_NOMEM) return ipfsa_fail_nomem(err);
  snprintf(why, IPFSA_PROBE_WHY, "%.150s", status ? local.message : "no such line yet");
  return IPFSA_OK;
}

static ipfsa_status probe_exec(ipfsa_engine *engine, const ipfsa_container *c, const char *command, uint64_t deadline, bool *ret, char why[IPFSA_PROBE_WHY],
                               ipfsa_error *err) {
  const char *words[] = {"sh", "-c", command};
  int64_t code = 1;
  ipfsa_error local = {0};
  ipfsa_status status = ipfsa_container_run(engine, c->name, (ipfsa_texts){words, 3}, NULL, deadline, NULL, NULL, &code, &local);
  *ret = status == IPFSA_OK && code == 0;
  if (status == IPFSA_E_NOMEM) return ipfsa_fail_nomem(err);
  if (status) snprintf(why, IPFSA_PROBE_WHY, "%.150s", local.message);
  else if (code) snprintf(why, IPFSA_PROBE_WHY, "exit code %lld", (long long)code);
  return IPFSA_OK;
}

/* Whatever an engine says may pass: it is asked again. That memory ran out here says nothing of the container. */
ipfsa_status ipfsa_probe_run(ipfsa_engine *engine, const ipfsa_container *c, const ipfsa_probe *probe, uint64_t deadline, const char *since, bool *ret,
                             char why[IPFSA_PROBE_WHY], ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  *ret = false;
  why[0] = '\0';
  if (probe->kind == IPFSA_PROBE_EXEC) status = probe_exec(engine, c, probe->text, deadline, ret, why, err);
  else if (probe->kind == IPFSA_PROBE_LOG) status = probe_log(engine, c, probe->text, deadline, since, ret, why, err);
  else if (probe->kind != IPFSA_PROBE_HEALTHY) status = probe_port(engine, c, probe, deadline, ret, why, err);
  else {
    *ret = strcmp(c->health, "healthy") == 0;
    if (!*ret) snprintf(why, IPFSA_PROBE_WHY, "the engine says %s", *c->health ? c->health : "nothing: it has no check");
  }
  return status ? status : ipfsa_engine_pause(engine, 0, err); /* E_CANCELLED when that is why */
}
