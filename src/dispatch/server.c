#include "dispatch/server.h"

#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "codec/json.h"
#include "http/client.h"

#define MAX_WORDS 300          /* bytes of a server's words in an error */
#define MAX_LINE (1u << 20)    /* bytes of one line of an answer in lines */
#define MAX_LINES (256u << 20) /* bytes of all of them: a line a step of a long work */
#define PAUSE_MS 50

void ipfsa_server_close(ipfsa_server *s) {
  if (!s) return;
  ipfsa_http_client_free(s->client);
  ipfsa_free(s->url);
  if (s->authorization) explicit_bzero(s->authorization, strlen(s->authorization));
  ipfsa_free(s->authorization);
  ipfsa_free(s);
}

static ipfsa_status set_token(ipfsa_server *s, const char *token, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf text = {0};
  size_t len = 0;
  for (const char *p = token; *p; p++)
    if ((unsigned char)*p <= 32 || *p == 127) return ipfsa_fail(err, IPFSA_E_INVALID, "the token of the endpoint has spaces or control characters in it");
  ipfsa_buf_printf(&text, "Bearer %s", token);
  ipfsa_buf_u8(&text, '\0');
  ipfsa_status status = ipfsa_buf_status(&text, err);
  if (status == IPFSA_OK) s->authorization = (char *)ipfsa_buf_take(&text, &len);
  return status;
}

ipfsa_status ipfsa_server_open(const ipfsa_server_settings *o, ipfsa_server **ret, ipfsa_error *err) {
  ipfsa_origin origin;
  ipfsa_status status = ipfsa_url_parse(o->url, &origin, NULL, err);
  if (status) return status;
  ipfsa_server *s = ipfsa_calloc(1, sizeof *s);
  if (!s) return ipfsa_fail_nomem(err);
  ipfsa_http_settings settings = {.private_origins = &origin, .n_private_origins = 1, .cancelled = o->cancelled, .cancelled_ctx = o->cancelled_ctx};
  s->timeout_ms = o->timeout_ms, s->cancelled = o->cancelled, s->cancelled_ctx = o->cancelled_ctx;
  s->url = ipfsa_strdup(o->url);
  status = s->url ? ipfsa_http_client_new(&settings, &s->client, err) : ipfsa_fail_nomem(err);
  if (status == IPFSA_OK && o->token) status = set_token(s, o->token, err);
  if (status) ipfsa_server_close(s);
  else *ret = s;
  return status;
}

/* ---- words ---- */

static const char *text_of(const json_t *json) { return json_is_string(json) ? json_string_value(json) : ""; }

const char *ipfsa_server_words(const json_t *json) {
  static const char *const keys[] = {"error", "message", "detail", "error_message"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    const json_t *value = json_object_get(json, keys[i]);
    if (json_is_object(value)) value = json_object_get(value, "message");
    if (json_is_array(value)) value = json_object_get(json_array_get(value, 0), "msg");
    if (*text_of(value)) return text_of(value);
  }
  return "";
}

/* A server may repeat what it was sent. */
static size_t token_at(const ipfsa_server *s, const char *p) {
  const char *token = s && s->authorization ? s->authorization + strlen("Bearer ") : "";
  size_t len = strlen(token);
  return len && strncmp(p, token, len) == 0 ? len : 0;
}

/* Of a Python traceback the last line says what it was. */
static const char *last_line(const char *words) {
  const char *last = words;
  if (strncmp(words, "Traceback ", 10) != 0) return words;
  for (const char *p = words; (p = strchr(p, '\n'));)
    if (p[1 + strspn(p + 1, " \t\r\n")]) last = ++p;
    else break;
  return last;
}

void ipfsa_server_quote(const ipfsa_server *s, const char *words, ipfsa_buf *out) {
  size_t n = 0;
  words = last_line(words + strspn(words, " \t\r\n"));
  words += strspn(words, " \t\r\n");
  if (*words) ipfsa_buf_str(out, ": ");
  while (*words && n < MAX_WORDS) {
    size_t hidden = token_at(s, words);
    if (hidden) ipfsa_buf_str(out, "(hidden)");
    else ipfsa_buf_u8(out, (unsigned char)*words < 32 || *words == 127 ? ' ' : (uint8_t)*words);
    words += hidden ? hidden : 1;
    n++;
  }
  while (out->len && strchr(" .", out->data[out->len - 1])) out->len--; /* our sentences have no full stop */
  if (*words) ipfsa_buf_str(out, "…");
}

/* ---- asking ---- */

typedef struct asking {
  ipfsa_server *server;
  ipfsa_buf text; /* the answer, or the line that is being gathered */
  ipfsa_line_cb cb;
  void *ctx;
  ipfsa_status status; /* of cb, or why a line is none */
  ipfsa_error *err;
  int answered; /* status: lines are taken from a 2xx only */
} asking;

static int take_text(void *ctx, const void *data, size_t len) {
  ipfsa_buf_append(ctx, data, len);
  return ((ipfsa_buf *)ctx)->failed ? 1 : 0;
}

static ipfsa_status take_line(asking *a) {
  IPFSA_AUTO_JSON_DROP json_t *json = NULL;
  size_t gaps = 0;
  while (gaps < a->text.len && strchr(" \t\r\n", a->text.data[gaps])) gaps++;
  if (gaps == a->text.len) return ipfsa_buf_clear(&a->text), IPFSA_OK;
  ipfsa_status status = ipfsa_json_load(ipfsa_buf_bytes(&a->text), "a line of its answer", &json, a->err);
  if (status == IPFSA_OK) status = a->cb(a->ctx, json, a->err);
  ipfsa_buf_clear(&a->text);
  return status;
}

static int take_lines(void *ctx, const void *data, size_t len) {
  asking *a = ctx;
  const char *p = data, *end = p + len;
  while (p < end && a->status == IPFSA_OK) {
    const char *nl = memchr(p, '\n', (size_t)(end - p)), *to = nl ? nl : end;
    ipfsa_buf_append(&a->text, p, (size_t)(to - p));
    if (a->text.failed == IPFSA_E_LIMIT) a->status = ipfsa_fail(a->err, IPFSA_E_LIMIT, "a line of its answer is over %u bytes", MAX_LINE);
    else if (a->text.failed) a->status = ipfsa_fail_nomem(a->err);
    else if (nl) a->status = take_line(a);
    p = nl ? nl + 1 : end;
  }
  return a->status ? 1 : 0;
}

static ipfsa_status refused(const ipfsa_server *s, const ipfsa_ask *ask, int status, const json_t *json, ipfsa_buf *text, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf words = {0};
  const char *advice = status == 401 || status == 403 ? "; set token_env or api_key of the endpoint" : "";
  ipfsa_status code = *advice ? IPFSA_E_DENIED : status == 404 ? IPFSA_E_NOT_FOUND : status < 500 ? IPFSA_E_INVALID : IPFSA_E_IO;
  ipfsa_server_quote(s, json ? ipfsa_server_words(json) : ipfsa_buf_cstr(text), &words);
  return ipfsa_fail(err, code, "%s %.100s%.100s: the server answers %d%s%s", ask->method ? ask->method : "GET", s->url, ask->target, status, ipfsa_buf_cstr(&words), advice);
}

static bool is_accepted(const ipfsa_ask *ask, int status) {
  if (status >= 200 && status < 300) return true;
  return status != 401 && status != 403 && (ask->may_refuse || (ask->may_miss && status == 404));
}

static void set_limits(const ipfsa_server *s, const ipfsa_ask *ask, ipfsa_http_request *r) {
  uint32_t patience = s->timeout_ms < 1000 ? 1000 : s->timeout_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)s->timeout_ms;
  r->connect_ms = IPFSA_SERVER_CONNECT_MS;
  r->stall_ms = ask->is_long || ask->is_transfer ? patience : IPFSA_SERVER_ANSWER_MS;
  r->whole_ms = ask->is_transfer ? UINT32_MAX : ask->is_long ? patience : IPFSA_SERVER_ANSWER_MS; /* of a transfer: as long as bytes move */
}

static ipfsa_status perform(asking *a, const ipfsa_ask *ask, ipfsa_http_answer *ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf url = {.max = IPFSA_MAX_URL + 1};
  IPFSA_AUTO_FREE char *body = ask->json ? ipfsa_json_print(ask->json, JSON_COMPACT) : NULL;
  if (ask->json && !body) return ipfsa_fail_nomem(err);
  ipfsa_http_header headers[] = {{"Content-Type", body ? "application/json" : "application/octet-stream"}};
  ipfsa_http_request r = {.method = ask->method, .headers = headers, .n_headers = body || ask->read_body ? 1 : 0, .authorization = a->server->authorization,
                          .body = body ? ipfsa_bytes_str(body) : (ipfsa_bytes){0}, .read_body = ask->read_body, .read_body_ctx = ask->read_body_ctx,
                          .body_len = ask->body_len, .sink = a->cb ? take_lines : take_text, .sink_ctx = a->cb ? (void *)a : (void *)&a->text,
                          .max_body = a->cb ? MAX_LINES : IPFSA_MAX_SERVER_ANSWER};
  set_limits(a->server, ask, &r);
  ipfsa_buf_printf(&url, "%s%s", a->server->url, ask->target);
  ipfsa_status status = ipfsa_buf_status(&url, err);
  r.url = ipfsa_buf_cstr(&url);
  if (status == IPFSA_OK) status = ipfsa_http_perform(a->server->client, &r, ret, err);
  return status;
}

ipfsa_status ipfsa_server_ask(ipfsa_server *s, const ipfsa_ask *ask, int *ret_status, json_t **ret_json, ipfsa_error *err) {
  IPFSA_AUTO_HTTP_ANSWER ipfsa_http_answer answer = {0};
  IPFSA_AUTO_JSON_DROP json_t *json = NULL;
  ipfsa_error no_json = {0};
  asking a = {.server = s, .err = err};
  ipfsa_status status = perform(&a, ask, &answer, err);
  if (status == IPFSA_E_CANCELLED && a.text.failed) status = ipfsa_buf_status(&a.text, err);
  if (status == IPFSA_OK && a.text.len && ipfsa_json_load(ipfsa_buf_bytes(&a.text), "its answer", &json, &no_json) == IPFSA_E_NOMEM) status = ipfsa_fail_nomem(err);
  if (status == IPFSA_OK && !is_accepted(ask, answer.status)) status = refused(s, ask, answer.status, json, &a.text, err);
  ipfsa_buf_release(&a.text);
  if (status) return status;
  if (ret_status) *ret_status = answer.status;
  if (ret_json) *ret_json = ipfsa_steal(json);
  return IPFSA_OK;
}

ipfsa_status ipfsa_server_ask_lines(ipfsa_server *s, const ipfsa_ask *ask, ipfsa_line_cb cb, void *ctx, ipfsa_error *err) {
  IPFSA_AUTO_HTTP_ANSWER ipfsa_http_answer answer = {0};
  ipfsa_error own = {0};
  asking a = {.server = s, .cb = cb, .ctx = ctx, .err = &own, .text.max = MAX_LINE};
  ipfsa_status status = perform(&a, ask, &answer, err);
  if (status == IPFSA_OK && a.text.len) a.status = take_line(&a);
  if (a.status) status = ipfsa_fail(err, a.status, "%s %.100s%.100s: %s", ask->method, s->url, ask->target, own.message);
  ipfsa_buf_release(&a.text);
  return status;
}

ipfsa_status ipfsa_server_pause(const ipfsa_server *s, uint64_t ms, ipfsa_error *err) {
  uint64_t end = ipfsa_clock_monotonic_ns() + ms * 1000000;
  for (uint64_t now; (now = ipfsa_clock_monotonic_ns()) < end;) {
    uint64_t step = end - now < PAUSE_MS * 1000000u ? end - now : PAUSE_MS * 1000000u;
    nanosleep(&(struct timespec){0, (long)step}, NULL);
    if (s->cancelled && s->cancelled(s->cancelled_ctx)) return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  }
  return IPFSA_OK;
}
