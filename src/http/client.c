#include "http/client.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "http/curl.h"
#include "http/proxy.h"

#define UPLOAD_PIECE 524288L /* bytes of a body in memory at a time */
#define MAX_DROPPED 1048576 /* bytes of the body of a redirect; more than that is no redirect page */

struct ipfsa_http_client {
  const ipfsa_curl *curl;
  CURL *easy;
  ipfsa_origin *private_origins;
  size_t n_private_origins;
  char *ca_file;
  bool (*cancelled)(void *ctx);
  void *cancelled_ctx;
  ipfsa_proxy proxies[2]; /* for http, for https; looked up once */
  bool proxy_known[2];
};

/* One hop: a request to one URL. */
typedef struct hop {
  ipfsa_http_client *client;
  const ipfsa_http_request *request;
  const ipfsa_origin *origin;
  ipfsa_http_answer *response;
  bool follows;      /* a redirect is not the answer */
  bool may_private;  /* the operator named this origin */
  bool denied;       /* an address was refused */
  uint64_t received; /* bytes of body */
  uint64_t sent;     /* bytes of a body that is read piece by piece; where the next one begins */
  uint64_t moved, moved_at, deadline, stall_ns; /* bytes both ways, and when that last changed */
  ipfsa_status status; /* of a callback that stopped the transfer */
  ipfsa_error *err;
} hop;

void ipfsa_http_client_free(ipfsa_http_client *c) {
  if (!c) return;
  if (c->easy) c->curl->easy_cleanup(c->easy);
  ipfsa_free(c->private_origins);
  ipfsa_free(c->ca_file);
  ipfsa_free(c);
}

ipfsa_status ipfsa_http_client_new(const ipfsa_http_settings *settings, ipfsa_http_client **ret, ipfsa_error *err) {
  const ipfsa_curl *curl = NULL;
  ipfsa_status status = ipfsa_curl_get(&curl, err);
  if (status) return status;
  ipfsa_http_client *c = ipfsa_calloc(1, sizeof *c);
  if (!c) return ipfsa_fail_nomem(err);
  c->curl = curl;
  c->cancelled = settings->cancelled;
  c->cancelled_ctx = settings->cancelled_ctx;
  c->n_private_origins = settings->n_private_origins;
  c->private_origins = ipfsa_memdup(settings->private_origins, settings->n_private_origins * sizeof *c->private_origins);
  c->ca_file = settings->ca_file ? ipfsa_strdup(settings->ca_file) : NULL;
  c->easy = curl->easy_init();
  if (!c->private_origins || (settings->ca_file && !c->ca_file) || !c->easy) {
    ipfsa_http_client_free(c);
    return ipfsa_fail_nomem(err);
  }
  *ret = c;
  return IPFSA_OK;
}

static bool may_be_private(const ipfsa_http_client *c, const ipfsa_origin *origin) {
  for (size_t i = 0; i < c->n_private_origins; i++)
    if (ipfsa_origin_equal(&c->private_origins[i], origin)) return true;
  return false;
}

/* ---- libcurl's questions ---- */

/* The one place where an address is judged: it is the address that is connected to, so no name can change its mind in between. */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)purpose;
  hop *h = ctx;
  const ipfsa_proxy *proxy = &h->client->proxies[h->origin->tls];
  if (!h->may_private && ipfsa_address_is_private(&address->addr) && !ipfsa_proxy_has(proxy, &address->addr)) {
    h->denied = true;
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t take_header(char *data, size_t size, size_t n, void *ctx) {
  hop *h = ctx;
  h->status = ipfsa_http_answer_take_line(h->response, ipfsa_bytes_of(data, size * n), h->err);
  return h->status ? 0 : size * n;
}

static bool is_redirect(long status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

static size_t take_body(char *data, size_t size, size_t n, void *ctx) {
  hop *h = ctx;
  const ipfsa_http_request *r = h->request;
  long status = 0;
  size_t len = size * n;
  h->client->curl->easy_getinfo(h->client->easy, CURLINFO_RESPONSE_CODE, &status);
  bool dropped = !r->sink || (h->follows && is_redirect(status));
  uint64_t max = h->follows && is_redirect(status) ? MAX_DROPPED : r->max_body;
  if (len > max - h->received) h->status = ipfsa_fail(h->err, IPFSA_E_LIMIT, "the answer is over %llu bytes", (unsigned long long)max);
  else if (!dropped && r->sink(r->sink_ctx, data, len) != 0) h->status = ipfsa_fail(h->err, IPFSA_E_CANCELLED, "stopped by its receiver");
  h->received += h->status ? 0 : len;
  return h->status ? 0 : len;
}

static size_t give_body(char *data, size_t size, size_t n, void *ctx) {
  hop *h = ctx;
  const ipfsa_http_request *r = h->request;
  uint64_t left = r->body_len - h->sent;
  size_t room = left < size * n ? (size_t)left : size * n, len = 0;
  if (room == 0) return 0;
  h->status = r->read_body(r->read_body_ctx, h->sent, data, room, &len, h->err);
  if (h->status == IPFSA_OK && (len == 0 || len > room))
    h->status = ipfsa_fail(h->err, IPFSA_E_INVALID, "the body to be sent ends at byte %llu of %llu", (unsigned long long)h->sent, (unsigned long long)r->body_len);
  h->sent += h->status ? 0 : len;
  return h->status ? CURL_READFUNC_ABORT : len;
}

static int seek_body(void *ctx, curl_off_t off, int origin) {
  hop *h = ctx;
  if (origin != SEEK_SET || off < 0 || (uint64_t)off > h->request->body_len) return CURL_SEEKFUNC_FAIL;
  h->sent = (uint64_t)off;
  return CURL_SEEKFUNC_OK;
}

static int watch(void *ctx, curl_off_t dl_total, curl_off_t dl_now, curl_off_t ul_total, curl_off_t ul_now) {
  (void)dl_total, (void)ul_total;
  hop *h = ctx;
  uint64_t now = ipfsa_clock_monotonic_ns(), moved = (uint64_t)dl_now + (uint64_t)ul_now + h->response->headers.len;
  if (moved != h->moved) h->moved = moved, h->moved_at = now;
  if (h->client->cancelled && h->client->cancelled(h->client->cancelled_ctx)) h->status = ipfsa_fail(h->err, IPFSA_E_CANCELLED, "cancelled");
  else if (now - h->moved_at > h->stall_ns)
    h->status = ipfsa_fail(h->err, IPFSA_E_TIMEOUT, "no byte came for %llu ms", (unsigned long long)(h->stall_ns / 1000000));
  return h->status ? 1 : 0;
}

/* ---- one hop ---- */

static ipfsa_status add_header(const ipfsa_curl *curl, struct curl_slist **list, const char *name, const char *value, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf line = {0};
  if (strpbrk(name, "\r\n:") || strpbrk(value, "\r\n")) return ipfsa_fail(err, IPFSA_E_INVALID, "HTTP header \"%.60s\": a line end in it", name);
  ipfsa_buf_printf(&line, *value ? "%s: %s" : "%s;", name, value);
  ipfsa_status status = ipfsa_buf_status(&line, err);
  struct curl_slist *longer = status == IPFSA_OK ? curl->slist_append(*list, ipfsa_buf_cstr(&line)) : NULL;
  if (!longer) return ipfsa_fail_nomem(err);
  *list = longer;
  return IPFSA_OK;
}

static ipfsa_status make_headers(const hop *h, bool with_authorization, struct curl_slist **ret, ipfsa_error *err) {
  const ipfsa_curl *curl = h->client->curl;
  const ipfsa_http_request *r = h->request;
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; i < r->n_headers && status == IPFSA_OK; i++) status = add_header(curl, ret, r->headers[i].name, r->headers[i].value, err);
  if (status == IPFSA_OK && r->authorization && with_authorization) status = add_header(curl, ret, "Authorization", r->authorization, err);
  if (status == IPFSA_OK && r->body.data) { /* no waiting for "100 Continue" */
    struct curl_slist *longer = curl->slist_append(*ret, "Expect:");
    if (!longer) return ipfsa_fail_nomem(err);
    *ret = longer;
  }
  return status;
}

static CURLcode set_body_reader(hop *h) {
  const ipfsa_curl *curl = h->client->curl;
  CURL *easy = h->client->easy;
  CURLcode code = curl->easy_setopt(easy, CURLOPT_POST, 1L);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)h->request->body_len);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_READDATA, h);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek_body);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_SEEKDATA, h);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_PIECE);
  return code;
}

static CURLcode set_method(hop *h) {
  const ipfsa_curl *curl = h->client->curl;
  const ipfsa_http_request *r = h->request;
  CURL *easy = h->client->easy;
  CURLcode code = CURLE_OK;
  if (r->body.data) {
    code = curl->easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
    if (!code) code = curl->easy_setopt(easy, CURLOPT_POSTFIELDS, (const char *)r->body.data);
  } else if (r->read_body) code = set_body_reader(h);
  if (!code && r->method && strcmp(r->method, "HEAD") == 0) code = curl->easy_setopt(easy, CURLOPT_NOBODY, 1L);
  else if (!code && r->method) code = curl->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
  return code;
}

static CURLcode set_limits(const hop *h, uint64_t now) {
  const ipfsa_curl *curl = h->client->curl;
  CURL *easy = h->client->easy;
  const ipfsa_http_request *r = h->request;
  CURLcode code = curl->easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)((h->deadline - now) / 1000000 + 1));
  if (!code) code = curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(r->connect_ms ? r->connect_ms : IPFSA_HTTP_CONNECT_MS));
  if (!code) code = curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  if (!code) code = curl->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  if (!code && h->client->ca_file) code = curl->easy_setopt(easy, CURLOPT_CAINFO, h->client->ca_file);
  return code;
}

static CURLcode set_callbacks(hop *h) {
  const ipfsa_curl *curl = h->client->curl;
  CURL *easy = h->client->easy;
  CURLcode code = curl->easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_OPENSOCKETDATA, h);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_HEADERDATA, h);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_WRITEDATA, h);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, watch);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_XFERINFODATA, h);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  return code;
}

/* What libcurl says, in our words where it matters. */
static ipfsa_status outcome(const hop *h, CURLcode code, const char *detail, ipfsa_error *err) {
  if (h->status) return h->status; /* a callback has said why */
  if (h->denied) return ipfsa_fail(err, IPFSA_E_DENIED, "its address is private; name the origin in http.private_origins to allow it");
  switch (code) {
  case CURLE_OK: return IPFSA_OK;
  case CURLE_OUT_OF_MEMORY: return ipfsa_fail_nomem(err);
  case CURLE_OPERATION_TIMEDOUT: return ipfsa_fail(err, IPFSA_E_TIMEOUT, "%s", detail);
  default: return ipfsa_fail(err, IPFSA_E_IO, "%s", detail);
  }
}

/* One request to a URL whose text was checked. */
static ipfsa_status perform_hop(hop *h, const char *url, bool with_authorization, ipfsa_error *err) {
  const ipfsa_curl *curl = h->client->curl;
  CURL *easy = h->client->easy;
  char detail[CURL_ERROR_SIZE] = "";
  struct curl_slist *headers = NULL;
  uint64_t now = ipfsa_clock_monotonic_ns();
  if (now >= h->deadline) return ipfsa_fail(err, IPFSA_E_TIMEOUT, "its time was used up");
  h->moved_at = now;
  curl->easy_reset(easy);
  ipfsa_status status = make_headers(h, with_authorization, &headers, err);
  CURLcode code = status ? CURLE_OK : curl->easy_setopt(easy, CURLOPT_URL, url);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
  if (!code) code = curl->easy_setopt(easy, CURLOPT_USERAGENT, "ipfs-accelerate/" IPFSA_VERSION);
  if (!code) code = set_limits(h, now);
  if (!code) code = set_callbacks(h);
  if (!code) code = set_method(h);
  if (!code && status == IPFSA_OK) code = curl->easy_perform(easy);
  if (status == IPFSA_OK) status = outcome(h, code, *detail ? detail : curl->easy_strerror(code), err);
  long answered = 0;
  if (status == IPFSA_OK) curl->easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answered);
  h->response->status = (int)answered;
  curl->easy_reset(easy); /* it must not keep pointers into this frame */
  curl->slist_free_all(headers);
  return status;
}

/* ---- redirects ---- */

static ipfsa_status check_origin(hop *h, const ipfsa_origin *from, ipfsa_error *err) {
  const ipfsa_origin *to = h->origin;
  if (from && from->tls && !to->tls) return ipfsa_fail(err, IPFSA_E_DENIED, "a redirect from https to http is not followed");
  h->may_private = may_be_private(h->client, to);
  if (!h->may_private && ipfsa_origin_is_private(to))
    return ipfsa_fail(err, IPFSA_E_DENIED, "its address is private; name the origin in http.private_origins to allow it");
  if (!h->client->proxy_known[to->tls]) ipfsa_proxy_find(to->tls, &h->client->proxies[to->tls]);
  h->client->proxy_known[to->tls] = true;
  return IPFSA_OK;
}

/* From the parsed parts, so that libcurl reads the host that was checked. */
static ipfsa_status rebuild(const ipfsa_origin *origin, const char *target, ipfsa_buf *ret, ipfsa_error *err) {
  char text[IPFSA_MAX_ORIGIN];
  ipfsa_origin_format(origin, text);
  ipfsa_buf_clear(ret);
  ipfsa_buf_printf(ret, "%s%s%.*s", text, *target == '/' ? "" : "/", (int)strcspn(target, "#"), target);
  return ipfsa_buf_status(ret, err);
}

static ipfsa_status keep_place(ipfsa_http_answer *r, const ipfsa_origin *origin, const char *target, ipfsa_error *err) {
  r->origin = *origin;
  ipfsa_buf_clear(&r->target);
  ipfsa_buf_append(&r->target, target, strcspn(target, "#"));
  ipfsa_buf_u8(&r->target, 0);
  return ipfsa_buf_status(&r->target, err);
}

static ipfsa_status follow(hop *h, ipfsa_buf *url, ipfsa_error *err) {
  const char *method = h->request->method;
  ipfsa_origin first = {0}, at = {0}, before = {0};
  const char *target = NULL;
  IPFSA_AUTO_BUF ipfsa_buf next = {0};
  ipfsa_status status;
  h->follows = !method || strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
  h->origin = &at; /* cppcheck-suppress autoVariables ; the hop is not used after this call */
  for (int n = 0;; n++) {
    if ((status = ipfsa_url_parse(ipfsa_buf_cstr(url), &at, &target, err))) return status;
    if (n == 0) first = at;
    if ((status = check_origin(h, n ? &before : NULL, err)) || (status = keep_place(h->response, &at, target, err))) return status;
    if ((status = rebuild(&at, target, &next, err))) return status;
    if ((status = perform_hop(h, ipfsa_buf_cstr(&next), ipfsa_origin_equal(&first, &at), err))) return status;
    const char *location = h->follows && is_redirect(h->response->status) ? ipfsa_http_answer_header(h->response, "location", 0) : NULL;
    if (!location) return IPFSA_OK;
    if (n == IPFSA_MAX_REDIRECTS) return ipfsa_fail(err, IPFSA_E_LIMIT, "over %d redirects", IPFSA_MAX_REDIRECTS);
    before = at;
    ipfsa_buf_clear(url);
    status = ipfsa_url_join(&at, (const char *)h->response->target.data, location, url, err);
    if (status) return ipfsa_error_prefix(err, status, "redirect");
    h->received = h->moved = h->sent = 0;
  }
}

/* "GET https://host/path": without the query, which may hold secrets. */
static ipfsa_status say_where(const ipfsa_http_request *request, const ipfsa_buf *url, ipfsa_status status, ipfsa_error *err) {
  ipfsa_origin origin;
  char text[IPFSA_MAX_ORIGIN];
  const char *target = "", *method = request->method ? request->method : "GET";
  IPFSA_AUTO_BUF ipfsa_buf copy = {0};
  ipfsa_buf_append_bytes(&copy, ipfsa_buf_bytes(url));
  if (status == IPFSA_E_NOMEM || ipfsa_url_parse(ipfsa_buf_cstr(&copy), &origin, &target, NULL) != IPFSA_OK) return status;
  ipfsa_origin_format(&origin, text);
  return ipfsa_error_prefix(err, status, "%s %s%.*s", method, text, (int)strcspn(target, "?#") > 120 ? 120 : (int)strcspn(target, "?#"), target);
}

ipfsa_status ipfsa_http_perform(ipfsa_http_client *client, const ipfsa_http_request *request, ipfsa_http_answer *ret, ipfsa_error *err) {
  IPFSA_AUTO_HTTP_ANSWER ipfsa_http_answer response = {0};
  IPFSA_AUTO_BUF ipfsa_buf url = {.max = IPFSA_MAX_URL + 1};
  uint64_t whole_ms = request->whole_ms ? request->whole_ms : IPFSA_HTTP_WHOLE_MS, stall_ms = request->stall_ms ? request->stall_ms : IPFSA_HTTP_STALL_MS;
  hop h = {.client = client, .request = request, .response = &response, .err = err, .stall_ns = stall_ms * 1000000};
  h.deadline = ipfsa_clock_monotonic_ns() + whole_ms * 1000000;
  ipfsa_buf_str(&url, request->url);
  ipfsa_status status = ipfsa_buf_status(&url, err);
  if (status == IPFSA_OK) status = follow(&h, &url, err);
  if (status) return say_where(request, &url, status, err);
  *ret = response;
  response = (ipfsa_http_answer){0};
  return IPFSA_OK;
}
