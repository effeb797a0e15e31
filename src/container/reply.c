/* One request and its answer. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "container/engine_inside.h"
#include "container/secrets.h"

#define READ_SIZE 65536u          /* bytes taken from the connection at once */
#define MAX_ERROR_BODY (64u << 10) /* bytes of an error's text */

struct ipfsa_engine_reply {
  ipfsa_engine *engine;
  ipfsa_wire *wire;
  ipfsa_http_reader reader;
  ipfsa_cursor in;
  bool over, waits;
  uint64_t more_ns, deadline;
  uint8_t buffer[READ_SIZE];
};

int ipfsa_engine_reply_status(const ipfsa_engine_reply *r) { return r->reader.status; }
const char *ipfsa_engine_reply_header(const ipfsa_engine_reply *r, const char *name) { return ipfsa_http_header(&r->reader, name); }

ipfsa_wire *ipfsa_engine_reply_wire(ipfsa_engine_reply *r, ipfsa_bytes *ret_first) {
  *ret_first = ipfsa_bytes_of(r->in.pos, ipfsa_cursor_left(&r->in));
  return r->wire;
}

void ipfsa_engine_reply_end(ipfsa_engine_reply *r) {
  if (!r) return;
  bool over = r->over || r->reader.state == IPFSA_HTTP_AT_END; /* an answer without body need not be read to its end */
  bool reusable = over && r->reader.keep_alive && !r->reader.upgraded && ipfsa_cursor_left(&r->in) == 0;
  if (r->wire && reusable) ipfsa_engine_keep_wire(r->engine, r->wire);
  else ipfsa_wire_close(r->wire);
  ipfsa_http_reader_release(&r->reader);
  ipfsa_free(r);
}

static uint64_t next_deadline(const ipfsa_engine_reply *r, bool wait) {
  uint64_t last = r->deadline ? r->deadline : IPFSA_NO_DEADLINE;
  if (wait) return last;
  uint64_t soon = ipfsa_clock_monotonic_ns() + r->engine->timeout_ns + r->more_ns;
  return soon < last ? soon : last;
}

/* The connection broke or ended too early: an ssh that ended says why. */
static ipfsa_status explain_end(ipfsa_engine_reply *r, ipfsa_status status, ipfsa_error *err) {
  const char *words = status == IPFSA_E_IO ? ipfsa_wire_last_words(r->wire) : "";
  return *words ? ipfsa_fail(err, status, "container engine %s: ssh ended: %s", r->engine->address.text, words) : status;
}

/* The next event of the answer, reading as needed. */
static ipfsa_status next_event(ipfsa_engine_reply *r, ipfsa_http_event *ret, ipfsa_bytes *ret_body, ipfsa_error *err) {
  for (;;) {
    ipfsa_status status = ipfsa_http_read(&r->reader, &r->in, ret, ret_body, err);
    if (status || *ret != IPFSA_HTTP_MORE) return status;
    size_t n = 0;
    status = ipfsa_wire_read(r->wire, r->buffer, sizeof r->buffer, next_deadline(r, r->waits), &n, err);
    if (status) return explain_end(r, status, err);
    r->in = ipfsa_cursor_over(ipfsa_bytes_of(r->buffer, n));
    if (n) continue;
    status = ipfsa_http_read_eof(&r->reader, err);
    if (status) return explain_end(r, ipfsa_error_prefix(err, status, "container engine %s", r->engine->address.text), err);
    *ret = IPFSA_HTTP_END;
    r->reader.state = IPFSA_HTTP_IS_OVER;
    return IPFSA_OK;
  }
}

ipfsa_status ipfsa_engine_reply_next(ipfsa_engine_reply *r, ipfsa_bytes *ret, ipfsa_error *err) {
  ipfsa_http_event event;
  *ret = (ipfsa_bytes){0};
  while (!r->over) {
    ipfsa_status status = next_event(r, &event, ret, err);
    if (status) return status;
    if (event == IPFSA_HTTP_BODY && ret->len) return IPFSA_OK;
    r->over = event == IPFSA_HTTP_END;
  }
  *ret = (ipfsa_bytes){0};
  return IPFSA_OK;
}

/* --- failures in the engine's words --- */

typedef struct hint {
  const char *words; /* part of the engine's message */
  ipfsa_status status;
  const char *advice;
} hint;

static const hint hints[] = {
    {"client version", IPFSA_E_VERSION, "the engine's DOCKER_MIN_API_VERSION or its age stands in the way: update it, or set DOCKER_API_VERSION"},
    {"port is already allocated", IPFSA_E_BUSY, "choose another host port, or none to let the engine pick one"},
    {"address already in use", IPFSA_E_BUSY, "choose another host port, or none to let the engine pick one"},
    {"container-init binary not found", IPFSA_E_NOT_SUPPORTED, "install catatonit on the engine's host, or start without an init process (--init=false)"},
    {"no space left on device", IPFSA_E_NO_SPACE, "free space on the engine's disk"},
    {"could not select device driver", IPFSA_E_NOT_SUPPORTED, "the engine has no such GPU driver: install the NVIDIA container toolkit on its host"},
    {"is already in use", IPFSA_E_EXISTS, "choose another name or remove what has it"},
    {"already exists", IPFSA_E_EXISTS, "choose another name or remove what has it"},
    {"volume is in use", IPFSA_E_BUSY, "remove the containers that use it first"},
    {"volume is being used", IPFSA_E_BUSY, "remove the containers that use it first"},
    {"has active endpoints", IPFSA_E_BUSY, "remove the containers that use it first"},
    {"network is being used", IPFSA_E_BUSY, "remove the containers that use it first"},
    {"image is being used", IPFSA_E_BUSY, "remove the containers that use it first"},
    {"is in use by", IPFSA_E_BUSY, "remove the containers that use it first"},
    {"is being used by", IPFSA_E_BUSY, "remove the containers that use it first"},
    {"manifest unknown", IPFSA_E_NOT_FOUND, "see whether name and tag are right"},
    {"image not known", IPFSA_E_NOT_FOUND, "'image ls' tells what is here, and 'image pull' brings more"},
    {"No such image", IPFSA_E_NOT_FOUND, "'image ls' tells what is here, and 'image pull' brings more"},
    {"pull access denied", IPFSA_E_DENIED, "see whether the name is right, or log in to the registry"},
    {"no basic auth credentials", IPFSA_E_DENIED, "log in to the registry"},
    {"unauthorized", IPFSA_E_DENIED, "log in to the registry"},
    {"dial tcp", IPFSA_E_IO, "the engine cannot reach the registry"},
    {"No command specified", IPFSA_E_INVALID, "the image names none: give one after the image"},
};

static ipfsa_status status_of(int http) {
  switch (http) {
  case 400: return IPFSA_E_INVALID;
  case 401: case 403: return IPFSA_E_DENIED;
  case 404: case 405: return IPFSA_E_NOT_FOUND;
  case 409: return IPFSA_E_BUSY;
  case 501: return IPFSA_E_NOT_SUPPORTED;
  default: return IPFSA_E_IO;
  }
}

/* The engine's message as our error, with advice where some is known. */
static ipfsa_status in_its_words(const char *message, ipfsa_status status, ipfsa_error *err) {
  size_t len = strlen(message);
  while (len && strchr(" \r\n.", message[len - 1])) len--;
  char text[360];
  size_t n = len < sizeof text - 1 ? len : sizeof text - 1;
  for (size_t i = 0; i < n; i++) text[i] = (unsigned char)message[i] < 0x20 ? ' ' : message[i];
  text[n] = '\0';
  for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
    if (strcasestr(text, hints[i].words)) return ipfsa_fail(err, hints[i].status, "the engine says: %s; %s", text, hints[i].advice);
  return ipfsa_fail(err, status, "the engine says: %s", text);
}

/* {"message"} or the text itself. */
static ipfsa_status answer_failed(ipfsa_engine_reply *r, ipfsa_texts secrets, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf body = {.max = MAX_ERROR_BODY + 1}; /* and its terminator */
  ipfsa_bytes piece;
  do {
    ipfsa_status status = ipfsa_engine_reply_next(r, &piece, err);
    if (status) return status;
    size_t room = MAX_ERROR_BODY - body.len;
    ipfsa_buf_append(&body, piece.data, piece.len < room ? piece.len : room);
  } while (piece.len);
  IPFSA_AUTO_JSON json_t *json = NULL;
  const char *message = "";
  if (ipfsa_json_parse(ipfsa_buf_bytes(&body), "error", &json, NULL) == IPFSA_OK) message = ipfsa_json_text(json, "message");
  if (!*message) message = ipfsa_buf_cstr(&body);
  char bare[64];
  snprintf(bare, sizeof bare, "status %d without a word", r->reader.status);
  IPFSA_AUTO_FREE char *copy = ipfsa_strdup(*message ? message : bare);
  if (!copy) return ipfsa_fail_nomem(err);
  ipfsa_secrets_hide(copy, secrets);
  return in_its_words(copy, status_of(r->reader.status), err);
}

/* --- sending --- */

static ipfsa_status build(ipfsa_engine *e, const ipfsa_engine_call *call, ipfsa_buf *out, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_status status = ipfsa_buf_status(call->target, err);
  if (status) return status;
  if (e->minor) ipfsa_buf_printf(&target, "/v1.%u", e->minor);
  ipfsa_buf_append_bytes(&target, ipfsa_buf_bytes(call->target));
  IPFSA_AUTO_BUF ipfsa_buf body = {0};
  if (call->body) ipfsa_json_put(&body, call->body, JSON_COMPACT);
  status = ipfsa_buf_status(&body, err);
  if (status) return status;
  ipfsa_bytes data = call->body ? ipfsa_buf_bytes(&body) : call->raw;
  const char *path = ipfsa_buf_cstr(&target);
  status = ipfsa_buf_status(&target, err);
  if (status == IPFSA_OK) status = ipfsa_http_put_request(out, call->method, path, err);
  if (status == IPFSA_OK) status = ipfsa_http_put_header(out, "Host", "localhost", err);
  if (status == IPFSA_OK) status = ipfsa_http_put_header(out, "User-Agent", "ipfs-accelerate/" IPFSA_VERSION, err);
  if (status == IPFSA_OK && call->auth) status = ipfsa_http_put_header(out, "X-Registry-Auth", call->auth, err);
  if (status) return status;
  if (call->upgrade) ipfsa_buf_str(out, "Connection: Upgrade\r\nUpgrade: tcp\r\n");
  if (call->body || call->content_type) ipfsa_buf_printf(out, "Content-Type: %s\r\n", call->body ? "application/json" : call->content_type);
  if (data.len || strcmp(call->method, "POST") == 0 || strcmp(call->method, "PUT") == 0) ipfsa_buf_printf(out, "Content-Length: %zu\r\n", data.len);
  ipfsa_http_put_end(out);
  ipfsa_buf_append_bytes(out, data);
  return ipfsa_buf_status(out, err);
}

static bool means_gone(ipfsa_status status, const ipfsa_error *err) {
  return status == IPFSA_E_IO && (err->sys_errno == 0 || err->sys_errno == ECONNRESET || err->sys_errno == EPIPE);
}

/* One attempt on one connection, up to the headers. *ret_stale: a kept connection had been ended by the engine before the request reached it. */
static ipfsa_status attempt(ipfsa_engine_reply *r, const ipfsa_engine_call *call, ipfsa_bytes request, bool fresh, bool *ret_stale, ipfsa_error *err) {
  int cancel_fd = call->cleaning ? -1 : r->engine->cancel_fd;
  bool kept = false;
  *ret_stale = false;
  ipfsa_status status = ipfsa_engine_take_wire(r->engine, cancel_fd, next_deadline(r, false), fresh, &r->wire, &kept, err);
  if (status) return status;
  ipfsa_http_reader_init(&r->reader, strcmp(call->method, "HEAD") == 0);
  r->in = ipfsa_cursor_over((ipfsa_bytes){0});
  ipfsa_error sending = {0};
  status = ipfsa_wire_write(r->wire, request.data, request.len, next_deadline(r, false), &sending);
  bool reset = status && (sending.sys_errno == EPIPE || sending.sys_errno == ECONNRESET);
  if (status && !reset) {
    if (err) *err = sending;
    return status;
  }
  ipfsa_http_event event;
  ipfsa_bytes none;
  status = next_event(r, &event, &none, err); /* also after a reset: an engine may answer before it has read everything */
  *ret_stale = kept && status && means_gone(status, err) && r->reader.state == IPFSA_HTTP_AT_STATUS && r->reader.line.len == 0;
  return status;
}

ipfsa_status ipfsa_engine_begin(ipfsa_engine *e, const ipfsa_engine_call *call, ipfsa_engine_reply **ret, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  IPFSA_AUTO_BUF ipfsa_buf request = {0};
  ipfsa_status status = build(e, call, &request, err);
  if (status) return status;
  ipfsa_engine_reply *r = ipfsa_calloc(1, sizeof *r);
  if (!r) return ipfsa_fail_nomem(err);
  r->engine = e;
  r->waits = call->waits;
  r->more_ns = (uint64_t)call->more_ms * 1000000;
  r->deadline = call->deadline;
  bool stale, asks = strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0;
  /* What changes something is never sent twice; where a connection costs nothing it gets one of its own. */
  status = attempt(r, call, ipfsa_buf_bytes(&request), !asks && ipfsa_engine_is_local(e), &stale, err);
  if (stale && asks) {
    ipfsa_wire_close(r->wire);
    r->wire = NULL;
    ipfsa_http_reader_release(&r->reader);
    status = attempt(r, call, ipfsa_buf_bytes(&request), true, &stale, err);
  }
  int code = r->reader.status;
  bool fine = (code >= 200 && code < 300) || (code == 101 && call->upgrade) || (code && (unsigned)code == call->also_fine);
  if (status == IPFSA_OK && !fine) {
    r->waits = false;
    status = answer_failed(r, call->secrets, err);
  }
  if (status) ipfsa_engine_reply_end(r);
  else *ret = r;
  return status;
}

/* --- on top --- */

ipfsa_status ipfsa_engine_ask(ipfsa_engine *e, const ipfsa_engine_call *call, json_t **ret, int *ret_status, ipfsa_error *err) {
  ipfsa_engine_reply *r = NULL;
  ipfsa_status status = ipfsa_engine_begin(e, call, &r, err);
  if (status) return status;
  IPFSA_AUTO_BUF ipfsa_buf body = {.max = IPFSA_MAX_ENGINE_JSON};
  ipfsa_bytes piece = {0};
  do {
    status = ipfsa_engine_reply_next(r, &piece, err);
    if (status == IPFSA_OK) ipfsa_buf_append_bytes(&body, piece);
    if (body.failed == IPFSA_E_LIMIT) status = ipfsa_fail(err, IPFSA_E_LIMIT, "container engine %s: an answer of more than %u bytes", e->address.text, IPFSA_MAX_ENGINE_JSON);
    else if (body.failed) status = ipfsa_buf_status(&body, err);
  } while (status == IPFSA_OK && piece.len);
  int code = r->reader.status;
  ipfsa_engine_reply_end(r);
  json_t *json = NULL;
  if (status == IPFSA_OK && ret) status = ipfsa_json_parse(ipfsa_buf_bytes(&body), "the engine's answer", &json, err);
  if (status) return status;
  if (ret) *ret = json;
  if (ret_status) *ret_status = code;
  return IPFSA_OK;
}

/* A failure may come inside a 200: {"errorDetail":{"message"}}, older {"error"}. */
static ipfsa_status take_object(ipfsa_bytes text, ipfsa_engine_object_cb cb, void *ctx, ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *object = NULL;
  ipfsa_status status = ipfsa_json_parse(text, "the engine's stream", &object, err);
  if (status) return status;
  const char *message = ipfsa_json_text(ipfsa_json_at(object, "errorDetail", NULL), "message");
  if (!*message) message = ipfsa_json_text(object, "error");
  if (*message) return in_its_words(message, IPFSA_E_IO, err);
  return cb(ctx, object) == 0 ? IPFSA_OK : ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
}

ipfsa_status ipfsa_engine_each(ipfsa_engine_reply *r, ipfsa_engine_object_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_json_cutter cutter;
  ipfsa_json_cutter_init(&cutter);
  ipfsa_bytes piece = {0};
  ipfsa_status status;
  do {
    status = ipfsa_engine_reply_next(r, &piece, err);
    ipfsa_cursor in = ipfsa_cursor_over(piece);
    ipfsa_bytes item = {0};
    while (status == IPFSA_OK && ipfsa_cursor_left(&in)) {
      status = ipfsa_json_cut(&cutter, &in, &item, err);
      if (status == IPFSA_OK && item.len) status = take_object(item, cb, ctx, err);
    }
  } while (status == IPFSA_OK && piece.len);
  if (status == IPFSA_OK) status = ipfsa_json_cutter_eof(&cutter, err);
  ipfsa_json_cutter_release(&cutter);
  return status;
}
