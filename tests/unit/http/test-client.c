#include "http/client.h"

#include <netdb.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "server.h"

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: one\r\nx-a:  two \r\nConnection: close\r\n\r\nhello"

/* Stands before libc's for libcurl as well: a resolver whose answers the test chooses. */
static const char *fake_name, *fake_address;
static int n_resolved;
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret) {
  static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  if (!real) {
    extern void *dlsym(void *, const char *);
    void *symbol = dlsym((void *)-1L /* RTLD_NEXT */, "getaddrinfo");
    memcpy(&real, &symbol, sizeof real);
  }
  bool faked = node && fake_name && strcmp(node, fake_name) == 0;
  if (faked) n_resolved++;
  return real(faked ? fake_address : node, service, hints, ret);
}

static bool left_out; /* no libcurl on this machine */

static bool never(void *ctx) { return *(bool *)ctx; }
static bool is_cancelled;

/* A client that may talk to the first n_allowed servers. */
static ipfsa_http_client *new_client(const server *servers, size_t n_allowed) {
  ipfsa_error err = {0};
  ipfsa_origin origins[4];
  ipfsa_http_client *client = NULL;
  for (size_t i = 0; i < n_allowed; i++) {
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", servers[i].port);
    assert_ok(ipfsa_url_parse(url, &origins[i], NULL, &err));
  }
  ipfsa_http_settings settings = {.private_origins = origins, .n_private_origins = n_allowed, .cancelled = never, .cancelled_ctx = &is_cancelled};
  assert_ok(ipfsa_http_client_new(&settings, &client, &err));
  return client;
}

static int to_buf(void *ctx, const void *data, size_t len) {
  ipfsa_buf_append(ctx, data, len);
  return 0;
}

typedef struct got {
  ipfsa_status status;
  ipfsa_error err;
  ipfsa_http_answer response;
  ipfsa_buf body;
} got;

static void drop(got *g) {
  ipfsa_http_answer_release(&g->response);
  ipfsa_buf_release(&g->body);
}

static got ask(ipfsa_http_client *client, ipfsa_http_request request, const char *format, ...) {
  got g = {0};
  char url[512];
  va_list args;
  va_start(args, format);
  vsnprintf(url, sizeof url, format, args);
  va_end(args);
  request.url = url;
  if (!request.max_body) request.max_body = 1 << 20;
  request.sink = to_buf;
  request.sink_ctx = &g.body;
  g.status = ipfsa_http_perform(client, &request, &g.response, &g.err);
  return g;
}

static const ipfsa_http_request plain = {0};

static void an_answer_is_read(void **state) {
  (void)state;
  if (left_out) skip();
  server s = {.answers = {OK_ANSWER}};
  server_start(&s);
  ipfsa_http_client *client = new_client(&s, 1);
  ipfsa_http_header header = {"Accept", "text/plain"};
  got g = ask(client, (ipfsa_http_request){.headers = &header, .n_headers = 1, .authorization = "Bearer t"}, "http://127.0.0.1:%u/a?b=c#d", s.port);
  if (g.status) fail_msg("%s", g.err.message);
  assert_int_equal(g.response.status, 200);
  assert_string_equal(ipfsa_buf_cstr(&g.body), "hello");
  assert_string_equal(ipfsa_http_answer_header(&g.response, "x-a", 0), "one");
  assert_string_equal(ipfsa_http_answer_header(&g.response, "x-a", 1), "two");
  assert_null(ipfsa_http_answer_header(&g.response, "x-a", 2));
  assert_string_equal((const char *)g.response.target.data, "/a?b=c");
  assert_int_equal(strncmp(s.requests[0], "GET /a?b=c HTTP/1.1\r\n", 21), 0);
  assert_non_null(strstr(s.requests[0], "\r\nAccept: text/plain\r\n"));
  assert_non_null(strstr(s.requests[0], "\r\nAuthorization: Bearer t\r\n"));
  assert_null(strcasestr(s.requests[0], "accept-encoding"));
  drop(&g);

  g = ask(client, (ipfsa_http_request){.method = "POST", .body = {(const uint8_t *)"k=v", 3}}, "http://127.0.0.1:%u", s.port);
  assert_int_equal(g.status, IPFSA_OK);
  assert_int_equal(strncmp(s.requests[1], "POST / HTTP/1.1\r\n", 17), 0);
  assert_non_null(strstr(s.requests[1], "\r\n\r\nk=v"));
  drop(&g);
  ipfsa_http_client_free(client);
  server_stop(&s);
}

/* What stands for loopback in any form is not asked unless the operator named it; the server must see nothing. */
static void private_origins_are_refused(void **state) {
  (void)state;
  if (left_out) skip();
  server s = {.answers = {OK_ANSWER}};
  server_start(&s);
  ipfsa_http_client *client = new_client(&s, 0);
  static const struct {
    const char *host;
    ipfsa_status status;
  } rows[] = {{"127.0.0.1", IPFSA_E_DENIED},          {"127.0.0.1.", IPFSA_E_DENIED},   {"localhost", IPFSA_E_DENIED},  {"LOCALHOST.", IPFSA_E_DENIED},
              {"[::ffff:127.0.0.1]", IPFSA_E_DENIED}, {"[::1]", IPFSA_E_DENIED},        {"0.0.0.0", IPFSA_E_DENIED},    {"169.254.169.254", IPFSA_E_DENIED},
              {"[::]", IPFSA_E_DENIED},               {"127.1.2.3", IPFSA_E_DENIED},    {"2130706433", IPFSA_E_INVALID}, {"0177.0.0.1", IPFSA_E_INVALID},
              {"0x7f.1", IPFSA_E_INVALID},            {"a:b@127.0.0.1", IPFSA_E_INVALID}, {"[fe80::1%25lo]", IPFSA_E_INVALID}, {"127\xe3\x80\x82" "0.0.1", IPFSA_E_INVALID}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    got g = ask(client, plain, "http://%s:%u/", rows[i].host, s.port);
    if (g.status != rows[i].status) fail_msg("%s: %s (%s)", rows[i].host, ipfsa_status_to_string(g.status), g.err.message);
    drop(&g);
  }
  assert_int_equal(s.n_requests, 0);
  ipfsa_http_client_free(client);
  server_stop(&s);
}

/* A name is resolved once, and what it resolved to is judged: no second answer can come in between. Also xn-- names, and the mapped form. */
static void names_are_judged_by_their_address(void **state) {
  (void)state;
  if (left_out) skip();
  server s = {.answers = {OK_ANSWER}};
  server_start(&s);
  ipfsa_http_client *client = new_client(&s, 1); /* the address is allowed by its number, the names are not */
  static const char *const names[] = {"rebind.example", "xn--bcher-kva.example"}, *const addresses[] = {"127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0"};
  for (size_t i = 0; i < 6; i++) {
    fake_name = names[i % 2], fake_address = addresses[i / 2], n_resolved = 0;
    ipfsa_http_client *fresh = i % 2 ? new_client(&s, 1) : NULL;
    got g = ask(fresh ? fresh : client, plain, "http://%s:%u/", fake_name, s.port);
    if (g.status != IPFSA_E_DENIED) fail_msg("%s: %s (%s)", fake_address, ipfsa_status_to_string(g.status), g.err.message);
    assert_true(n_resolved <= 1);
    drop(&g);
    ipfsa_http_client_free(fresh);
  }
  fake_name = NULL;
  assert_int_equal(s.n_requests, 0);
  ipfsa_http_client_free(client);
  server_stop(&s);
}

static void redirects_are_checked(void **state) {
  (void)state;
  if (left_out) skip();
  server s[3] = {{.answers = {NULL}}, {.answers = {OK_ANSWER}}, {.answers = {OK_ANSWER}}};
  char answers[2][256];
  for (int i = 0; i < 3; i++) server_start(&s[i]);
  ipfsa_http_client *client = new_client(s, 2);
  for (int i = 0; i < 2; i++)
    snprintf(answers[i], sizeof answers[i], "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/next\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlook",
             s[i + 1].port);
  s[0].answers[0] = answers[0], s[0].answers[1] = answers[1];
  s[0].answers[2] = "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

  /* To another origin that was named: followed, the secret stays behind, the redirect's own body is dropped. */
  got g = ask(client, (ipfsa_http_request){.authorization = "Bearer secret"}, "http://127.0.0.1:%u/", s[0].port);
  if (g.status) fail_msg("%s", g.err.message);
  assert_string_equal(ipfsa_buf_cstr(&g.body), "hello");
  assert_int_equal(g.response.origin.port, s[1].port);
  assert_non_null(strstr(s[0].requests[0], "Bearer secret"));
  assert_null(strstr(s[1].requests[0], "secret"));
  drop(&g);
  /* To a private one that was not. */
  g = ask(client, plain, "http://127.0.0.1:%u/", s[0].port);
  assert_int_equal(g.status, IPFSA_E_DENIED);
  assert_int_equal(s[2].n_requests, 0);
  drop(&g);
  g = ask(client, plain, "http://127.0.0.1:%u/", s[0].port);
  assert_int_equal(g.status, IPFSA_E_INVALID);
  drop(&g);
  ipfsa_http_client_free(client);
  for (int i = 0; i < 3; i++) server_stop(&s[i]);
}

static void redirects_have_a_limit(void **state) {
  (void)state;
  if (left_out) skip();
  static const char again[] = "HTTP/1.1 307 Again\r\nLocation: next?x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  server s = {.answers = {again, again, again, OK_ANSWER, again}};
  server_start(&s);
  ipfsa_http_client *client = new_client(&s, 1);
  got g = ask(client, plain, "http://127.0.0.1:%u/a/b", s.port); /* IPFSA_MAX_REDIRECTS of them */
  if (g.status) fail_msg("%s", g.err.message);
  assert_string_equal((const char *)g.response.target.data, "/a/next?x");
  assert_int_equal(strncmp(s.requests[3], "GET /a/next?x HTTP", 18), 0);
  drop(&g);
  g = ask(client, plain, "http://127.0.0.1:%u/a/b", s.port);
  assert_int_equal(g.status, IPFSA_E_LIMIT);
  assert_int_equal(s.n_requests, 8);
  drop(&g);
  g = ask(client, (ipfsa_http_request){.method = "POST", .body = {(const uint8_t *)"", 0}}, "http://127.0.0.1:%u/a/b", s.port);
  assert_int_equal(g.status, IPFSA_OK); /* a POST is not sent twice: the redirect is its answer */
  assert_int_equal(g.response.status, 307);
  drop(&g);
  ipfsa_http_client_free(client);
  server_stop(&s);
}

static void bodies_have_a_limit(void **state) {
  (void)state;
  if (left_out) skip();
  static const char *const heads[] = {"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"};
  for (int i = 0; i < 2; i++) {
    server s = {.answers = {heads[i]}, .pad = 100000};
    server_start(&s);
    ipfsa_http_client *client = new_client(&s, 1);
    got g = ask(client, (ipfsa_http_request){.max_body = 100000}, "http://127.0.0.1:%u/", s.port);
    assert_int_equal(g.status, IPFSA_OK);
    assert_int_equal(g.body.len, 100000);
    drop(&g);
    g = ask(client, (ipfsa_http_request){.max_body = 99999}, "http://127.0.0.1:%u/", s.port);
    assert_int_equal(g.status, IPFSA_E_LIMIT);
    assert_true(g.body.len <= 99999);
    drop(&g);
    ipfsa_http_client_free(client);
    server_stop(&s);
  }
}

static void headers_have_a_limit(void **state) {
  (void)state;
  if (left_out) skip();
  static char many[2][8192];
  for (int k = 0; k < 2; k++) { /* Connection is one more of them */
    strcpy(many[k], "HTTP/1.1 200 OK\r\nConnection: close\r\n");
    for (int i = 0; i < IPFSA_MAX_ANSWER_N_HEADERS - 1 + k; i++) strcat(many[k], "X: y\r\n");
    strcat(many[k], "\r\n");
  }
  static char large[IPFSA_MAX_ANSWER_HEADERS + 4096] = "HTTP/1.1 200 OK\r\nConnection: close\r\nX: ";
  memset(large + strlen(large), 'x', IPFSA_MAX_ANSWER_HEADERS);
  strcat(large, "\r\n\r\n");
  server s = {.answers = {many[0], many[1], large}};
  server_start(&s);
  ipfsa_http_client *client = new_client(&s, 1);
  static const ipfsa_status expected[] = {IPFSA_OK, IPFSA_E_LIMIT, IPFSA_E_LIMIT};
  for (int i = 0; i < 3; i++) {
    got g = ask(client, plain, "http://127.0.0.1:%u/", s.port);
    if (g.status != expected[i]) fail_msg("%d: %s (%s)", i, ipfsa_status_to_string(g.status), g.err.message);
    drop(&g);
  }
  ipfsa_http_client_free(client);
  server_stop(&s);
}

/* A server that hangs is left: by the stall limit, by the whole limit, by cancelling. None waits for the server. */
static void waiting_ends(void **state) {
  (void)state;
  if (left_out) skip();
  static const char *const answers[] = {"", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel"};
  for (int i = 0; i < 6; i++) {
    server s = {.answers = {answers[i % 2]}, .hangs = true};
    server_start(&s);
    ipfsa_http_client *client = new_client(&s, 1);
    is_cancelled = i / 2 == 2;
    got g = ask(client, (ipfsa_http_request){.stall_ms = i / 2 == 0 ? 50 : 0, .whole_ms = i / 2 == 1 ? 50 : 0}, "http://127.0.0.1:%u/", s.port);
    assert_int_equal(g.status, is_cancelled ? IPFSA_E_CANCELLED : IPFSA_E_TIMEOUT);
    is_cancelled = false;
    drop(&g);
    ipfsa_http_client_free(client);
    server_stop(&s);
  }
}

static void broken_answers_are_errors(void **state) {
  (void)state;
  if (left_out) skip();
  server s = {.answers = {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhel", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "", "nonsense\r\n\r\n"}};
  server_start(&s);
  ipfsa_http_client *client = new_client(&s, 1);
  for (int i = 0; i < 4; i++) {
    got g = ask(client, plain, "http://127.0.0.1:%u/path?token=secret", s.port);
    assert_int_equal(g.status, IPFSA_E_IO);
    assert_non_null(strstr(g.err.message, "/path: "));
    assert_null(strstr(g.err.message, "secret"));
    drop(&g);
  }
  got g = ask(client, (ipfsa_http_request){.authorization = "Bearer secret\r\nX: y"}, "http://127.0.0.1:%u/", s.port);
  assert_int_equal(g.status, IPFSA_E_INVALID);
  assert_null(strstr(g.err.message, "secret"));
  assert_int_equal(s.n_requests, 4);
  drop(&g);
  ipfsa_http_client_free(client);
  server_stop(&s);
  g = (got){0};
  client = new_client(&s, 1); /* nobody listens there any more */
  g = ask(client, plain, "http://127.0.0.1:%u/", s.port);
  assert_int_equal(g.status, IPFSA_E_IO);
  drop(&g);
  ipfsa_http_client_free(client);
}

/* The proxy of the environment may lie on loopback, what is asked through it may not. */
static void proxies_are_honoured(void **state) {
  (void)state;
  if (left_out) skip();
  server s = {.answers = {OK_ANSWER}};
  char proxy[64];
  server_start(&s);
  snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u/", s.port);
  setenv("http_proxy", proxy, 1);
  ipfsa_http_client *client = new_client(&s, 0);
  got g = ask(client, plain, "http://registry.example/v2/");
  if (g.status) fail_msg("%s", g.err.message);
  assert_int_equal(strncmp(s.requests[0], "GET http://registry.example/v2/ HTTP/1.1\r\n", 42), 0);
  drop(&g);
  g = ask(client, plain, "http://127.0.0.1:%u/", s.port);
  assert_int_equal(g.status, IPFSA_E_DENIED);
  drop(&g);
  setenv("no_proxy", "direct.example", 1);
  fake_name = "direct.example", fake_address = "127.0.0.2";
  g = ask(client, plain, "http://direct.example:%u/", s.port); /* not through it, so judged by its address */
  assert_int_equal(g.status, IPFSA_E_DENIED);
  drop(&g);
  fake_name = NULL;
  unsetenv("http_proxy");
  unsetenv("no_proxy");
  assert_int_equal(s.n_requests, 1);
  ipfsa_http_client_free(client);
  server_stop(&s);
}

/* openssl's test server in a folder of its own: /r is a redirect to plain http, /ok an answer. -1: there is no openssl here. */
static pid_t start_tls(const char *dir, uint16_t http_port, uint16_t *ret_port, FILE **ret_said) {
  char command[2048];
  int out[2];
  snprintf(command, sizeof command,
           "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 "
           "-keyout key.pem -out cert.pem 2>/dev/null && printf 'HTTP/1.0 302 X\\r\\nLocation: http://127.0.0.1:%u/\\r\\n\\r\\n' >r && "
           "printf 'HTTP/1.0 200 OK\\r\\n\\r\\nhello' >ok", dir, http_port);
  if (system(command) != 0) return -1;
  assert_int_equal(pipe(out), 0);
  pid_t pid = fork();
  if (pid == 0) {
    dup2(out[1], STDOUT_FILENO);
    if (!freopen("/dev/null", "w", stderr)) _exit(127);
    if (chdir(dir) == 0) execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-HTTP", "-cert", "cert.pem", "-key", "key.pem", (char *)NULL);
    _exit(127);
  }
  close(out[1]);
  FILE *said = fdopen(out[0], "r");
  char line[256];
  unsigned port = 0;
  while (!port && fgets(line, sizeof line, said)) (void)!sscanf(line, "ACCEPT 127.0.0.1:%u", &port);
  *ret_port = (uint16_t)port;
  *ret_said = said; /* open while it runs: it goes on talking */
  return pid;
}

/* Certificates are checked against the authorities, and https does not lead to http, also where both origins were named. */
static void tls_is_checked_and_kept(void **state) {
  (void)state;
  if (left_out) skip();
  server s = {.answers = {OK_ANSWER}};
  server_start(&s);
  char *dir = test_temp_dir(), url[64], ca[512];
  uint16_t port = 0;
  FILE *said = NULL;
  pid_t pid = start_tls(dir, s.port, &port, &said);
  if (pid < 0) printf("skipped: openssl cannot make a certificate here\n");
  if (pid > 0) {
    ipfsa_error err = {0};
    ipfsa_origin origins[2];
    snprintf(url, sizeof url, "https://127.0.0.1:%u", port);
    assert_ok(ipfsa_url_parse(url, &origins[0], NULL, &err));
    snprintf(url, sizeof url, "http://127.0.0.1:%u", s.port);
    assert_ok(ipfsa_url_parse(url, &origins[1], NULL, &err));
    snprintf(ca, sizeof ca, "%s/cert.pem", dir);
    static const struct {
      bool trusted;
      const char *path;
      ipfsa_status status;
    } rows[] = {{false, "ok", IPFSA_E_IO}, {true, "ok", IPFSA_OK}, {true, "r", IPFSA_E_DENIED}};
    for (size_t i = 0; i < 3; i++) {
      ipfsa_http_client *client = NULL;
      ipfsa_http_settings settings = {.private_origins = origins, .n_private_origins = 2, .ca_file = rows[i].trusted ? ca : NULL};
      assert_ok(ipfsa_http_client_new(&settings, &client, &err));
      got g = ask(client, plain, "https://127.0.0.1:%u/%s", port, rows[i].path);
      if (g.status != rows[i].status) fail_msg("%zu: %s (%s)", i, ipfsa_status_to_string(g.status), g.err.message);
      drop(&g);
      ipfsa_http_client_free(client);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    fclose(said);
  }
  assert_int_equal(s.n_requests, 0);
  server_stop(&s);
  test_remove_tree(dir);
  if (pid < 0) skip();
}

/* ---- bodies that are read as they are sent ---- */

typedef struct upload {
  uint64_t fails_at, ends_at; /* byte; 0: does not */
  uint64_t n_read;
  size_t largest;
} upload;

static unsigned char byte_at(uint64_t off) { return (unsigned char)('a' + off % 23); }

static ipfsa_status read_upload(void *ctx, uint64_t off, void *data, size_t room, size_t *ret_len, ipfsa_error *err) {
  upload *u = ctx;
  if (u->fails_at && off >= u->fails_at) {
    snprintf(err->message, sizeof err->message, "the block is gone");
    return err->status = IPFSA_E_CORRUPT;
  }
  *ret_len = u->ends_at && off >= u->ends_at ? 0 : room < 70001 ? room : 70001;
  for (size_t i = 0; i < *ret_len; i++) ((unsigned char *)data)[i] = byte_at(off + i);
  if (*ret_len > u->largest) u->largest = *ret_len;
  u->n_read += *ret_len;
  return IPFSA_OK;
}

static got send_upload(ipfsa_http_client *client, const server *s, upload *u, uint64_t len) {
  return ask(client, (ipfsa_http_request){.method = "POST", .read_body = read_upload, .read_body_ctx = u, .body_len = len}, "http://127.0.0.1:%u/up", s->port);
}

static void bodies_are_read_as_they_are_sent(void **state) {
  (void)state;
  if (left_out) skip();
  server s = {.answers = {OK_ANSWER}, .takes_all = true};
  server_start(&s);
  ipfsa_http_client *client = new_client(&s, 1);
  static const uint64_t sizes[] = {0, 1, 70001, 900000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    upload u = {0};
    uint64_t sum = 0;
    for (uint64_t off = 0; off < sizes[i]; off++) sum += byte_at(off);
    got g = send_upload(client, &s, &u, sizes[i]);
    if (g.status) fail_msg("%s", g.err.message);
    assert_int_equal(u.n_read, sizes[i]);
    assert_int_equal(s.n_body, sizes[i]);
    assert_int_equal(s.sum_body, sum);
    assert_string_equal(ipfsa_buf_cstr(&g.body), "hello");
    drop(&g);
  }
  upload broken = {.fails_at = 140002};
  got g = send_upload(client, &s, &broken, 900000);
  assert_int_equal(g.status, IPFSA_E_CORRUPT);
  assert_non_null(strstr(g.err.message, "the block is gone"));
  assert_int_equal(broken.n_read, 140002);
  drop(&g);
  g = send_upload(client, &s, &(upload){.ends_at = 70001}, 900000);
  assert_int_equal(g.status, IPFSA_E_INVALID);
  assert_non_null(strstr(g.err.message, "ends at byte 70001 of 900000"));
  drop(&g);
  ipfsa_http_client_free(client);
  server_stop(&s);
}

/* A server that refuses without reading is heard, and one that goes away is an error; neither waits for the rest of the body. */
static void bodies_may_be_refused(void **state) {
  (void)state;
  if (left_out) skip();
  static const char *const answers[] = {"HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 4\r\n\r\nfull", ""};
  for (int i = 0; i < 2; i++) {
    server s = {.answers = {answers[i]}, .hangs = i == 0}; /* one that hangs up with bytes unread may take its own answer away */
    upload u = {0};
    server_start(&s);
    ipfsa_http_client *client = new_client(&s, 1);
    got g = send_upload(client, &s, &u, (uint64_t)1 << 40);
    if (i == 0 && g.status) fail_msg("%s", g.err.message);
    assert_int_equal(g.status, i == 0 ? IPFSA_OK : IPFSA_E_IO);
    assert_true(i == 1 || g.response.status == 507);
    assert_true(u.n_read < 64u << 20);
    drop(&g);
    ipfsa_http_client_free(client);
    server_stop(&s);
  }
}

/* Every allocation on the way may fail, libcurl's own too: an error, or the whole answer. */
static void memory_may_run_out(void **state) {
  (void)state;
  if (left_out) skip();
  server s = {.answers = {OK_ANSWER}};
  server_start(&s);
  uint64_t n_failed = 0;
  for (uint64_t nth = 1; nth < 10000; nth++) {
    ipfsa_error err = {0};
    ipfsa_http_client *client = NULL;
    ipfsa_origin origin;
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", s.port);
    assert_ok(ipfsa_url_parse(url, &origin, NULL, &err));
    ipfsa_http_settings settings = {.private_origins = &origin, .n_private_origins = 1, .ca_file = "x"};
    char body[16] = "";
    ipfsa_buf to = {0};
    ipfsa_http_answer response = {0};
    ipfsa_http_request request = {.url = url, .sink = to_buf, .sink_ctx = &to, .max_body = 5, .authorization = "Basic YTpi"};
    assert_true(ipfsa_buf_reserve(&to, 16));
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, nth, 1, IPFSA_FAULT_FAIL, 0});
    ipfsa_status status = ipfsa_http_client_new(&settings, &client, &err);
    if (status == IPFSA_OK) status = ipfsa_http_perform(client, &request, &response, &err);
    bool fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    snprintf(body, sizeof body, "%.*s", (int)to.len, (const char *)to.data);
    if (status == IPFSA_OK) assert_string_equal(body, "hello");
    else assert_true(err.message[0] && fired);
    n_failed += status != IPFSA_OK;
    ipfsa_http_client_free(client);
    ipfsa_http_answer_release(&response);
    ipfsa_buf_release(&to);
    if (!fired) break;
  }
  assert_true(n_failed > 20);
  server_stop(&s);
}

int main(void) {
  ipfsa_error err = {0};
  ipfsa_http_client *client = NULL;
  ipfsa_status status = ipfsa_http_client_new(&(ipfsa_http_settings){0}, &client, &err);
  ipfsa_http_client_free(client);
  left_out = status == IPFSA_E_NOT_SUPPORTED;
  if (left_out) printf("skipped: %s\n", err.message);
  for (const char *const *name = (const char *const[]){"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", NULL}; *name; name++)
    unsetenv(*name);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_answer_is_read),         cmocka_unit_test(private_origins_are_refused), cmocka_unit_test(names_are_judged_by_their_address),
      cmocka_unit_test(redirects_are_checked),     cmocka_unit_test(redirects_have_a_limit),      cmocka_unit_test(bodies_have_a_limit),
      cmocka_unit_test(headers_have_a_limit),      cmocka_unit_test(waiting_ends),                cmocka_unit_test(broken_answers_are_errors),
      cmocka_unit_test(proxies_are_honoured),      cmocka_unit_test(tls_is_checked_and_kept),   cmocka_unit_test(memory_may_run_out),
      cmocka_unit_test(bodies_are_read_as_they_are_sent), cmocka_unit_test(bodies_may_be_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
