/* A server that speaks HTTP and JSON: asked with its token, within time limits, its answers bounded, its refusals told in its own words. Threads: one at a
 * time per server. */
#ifndef IPFSA_DISPATCH_SERVER_H
#define IPFSA_DISPATCH_SERVER_H

#include <jansson.h>

#include "base/buf.h"

#define IPFSA_MAX_SERVER_ANSWER (16u << 20) /* bytes; lists of models stay far below */
#define IPFSA_SERVER_CONNECT_MS 2000
#define IPFSA_SERVER_ANSWER_MS 5000

typedef struct ipfsa_server {
  struct ipfsa_http_client *client; /* http/client.h */
  char *url;           /* without a last slash */
  char *authorization; /* NULL: none */
  uint64_t timeout_ms; /* until a model must be ready */
  bool (*cancelled)(void *ctx);
  void *cancelled_ctx;
} ipfsa_server;

typedef struct ipfsa_server_settings {
  const char *url;   /* http[s]://HOST[:PORT][/PREFIX]; may lie on a private address: the operator named it. Copied */
  const char *token; /* NULL: none. Copied */
  uint64_t timeout_ms;
  bool (*cancelled)(void *ctx); /* may be NULL */
  void *cancelled_ctx;
} ipfsa_server_settings;
ipfsa_status ipfsa_server_open(const ipfsa_server_settings *settings, ipfsa_server **ret, ipfsa_error *err);
void ipfsa_server_close(ipfsa_server *server); /* NULL is fine */

typedef struct ipfsa_ask {
  const char *method; /* NULL = GET */
  const char *target; /* from "/" on */
  const json_t *json; /* sent as the body */
  ipfsa_status (*read_body)(void *ctx, uint64_t off, void *data, size_t room, size_t *ret_len, ipfsa_error *err); /* or this, as in http/client.h */
  void *read_body_ctx;
  uint64_t body_len;
  bool is_long;       /* the answer may take as long as a model takes to load: the endpoint's timeout */
  bool is_transfer;   /* as long as bytes move */
  bool may_miss;      /* 404 is an answer, too */
  bool may_refuse;    /* every status is, but 401 and 403 */
} ipfsa_ask;
/* 2xx, and what may be besides. *ret_status, *ret_json (json_decref; NULL: no JSON in it) may be NULL. Any other answer is an error with the server's own words:
 * 401, 403 E_DENIED; 404 E_NOT_FOUND; other 4xx E_INVALID; 5xx E_IO. */
ipfsa_status ipfsa_server_ask(ipfsa_server *server, const ipfsa_ask *ask, int *ret_status, json_t **ret_json, ipfsa_error *err);
/* The same, the answer line by line: JSON objects, one a line. cb: other than OK stops. */
typedef ipfsa_status (*ipfsa_line_cb)(void *ctx, const json_t *line, ipfsa_error *err);
ipfsa_status ipfsa_server_ask_lines(ipfsa_server *server, const ipfsa_ask *ask, ipfsa_line_cb cb, void *ctx, ipfsa_error *err);
/* What a JSON answer says of an error ("error", its "message", "detail", "message"); "". Borrowed from the JSON. */
const char *ipfsa_server_words(const json_t *json);
/* ": " and the words, cut, without control characters and without the token. server may be NULL: there is no token. */
void ipfsa_server_quote(const ipfsa_server *server, const char *words, ipfsa_buf *out);

/* Waits that long, or until it is cancelled: E_CANCELLED. */
ipfsa_status ipfsa_server_pause(const ipfsa_server *server, uint64_t ms, ipfsa_error *err);

static inline void ipfsa_json_drop(json_t **json) { json_decref(*json); }
#define IPFSA_AUTO_JSON_DROP __attribute__((cleanup(ipfsa_json_drop)))

#endif
