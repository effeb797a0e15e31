/* The outgoing HTTP client: one request at a time, redirects followed and every address checked here. Connections are kept between requests.
 * Threads: one at a time per client; several clients side by side. */
#ifndef IPFSA_HTTP_CLIENT_H
#define IPFSA_HTTP_CLIENT_H

#include "http/answer.h"

#define IPFSA_MAX_REDIRECTS 3 /* own limit */
#define IPFSA_HTTP_CONNECT_MS 10000
#define IPFSA_HTTP_STALL_MS 30000
#define IPFSA_HTTP_WHOLE_MS 3600000

typedef struct ipfsa_http_client ipfsa_http_client;

typedef struct ipfsa_http_settings {
  const ipfsa_origin *private_origins; /* may lie on private addresses: the operator named them. Copied */
  size_t n_private_origins;
  const char *ca_file;                 /* PEM of authorities trusted instead of the system's; NULL: those. Copied */
  bool (*cancelled)(void *ctx);        /* may be NULL; asked at least once a second from the requesting thread */
  void *cancelled_ctx;
} ipfsa_http_settings;

/* E_NOT_SUPPORTED where this build or this machine has no libcurl. */
ipfsa_status ipfsa_http_client_new(const ipfsa_http_settings *settings, ipfsa_http_client **ret, ipfsa_error *err);
void ipfsa_http_client_free(ipfsa_http_client *client);

typedef struct ipfsa_http_header {
  const char *name, *value;
} ipfsa_http_header;

typedef struct ipfsa_http_request {
  const char *method; /* NULL = GET. Redirects are followed for GET and HEAD; with others they are the answer */
  const char *url;
  const ipfsa_http_header *headers;
  size_t n_headers;
  const char *authorization; /* value of that header, NULL = none; not sent on to another origin, never in an error */
  ipfsa_bytes body;          /* sent with Content-Length unless data is NULL */
  /* Or a body that is asked for as it is sent, a piece in memory at a time: body_len bytes in all, from `off` on at most `room`, *ret_len at least
   * one. Its failure is the request's. off goes back where a kept connection turns out to be closed, so the same bytes may be asked for twice. */
  ipfsa_status (*read_body)(void *ctx, uint64_t off, void *data, size_t room, size_t *ret_len, ipfsa_error *err);
  void *read_body_ctx;
  uint64_t body_len;
  ipfsa_write_cb sink;       /* the last answer's body, whatever its status; NULL: dropped */
  void *sink_ctx;
  uint64_t max_body;         /* bytes; one more is E_LIMIT */
  uint32_t connect_ms, stall_ms, whole_ms; /* to connect; without a byte in either direction; for all of it with redirects. 0 = IPFSA_HTTP_… */
} ipfsa_http_request;

/* OK for every status that a server may answer with. E_DENIED: the URL, or where a redirect leads, is private and was not named by the
 * operator, or a redirect leads from https to http. E_TIMEOUT, E_CANCELLED (also when the sink stops it), E_LIMIT, E_INVALID (URL), E_IO. Errors
 * name method, origin and path, not the query. ret: released or zeroed; filled on success only. */
ipfsa_status ipfsa_http_perform(ipfsa_http_client *client, const ipfsa_http_request *request, ipfsa_http_answer *ret, ipfsa_error *err);

#endif
