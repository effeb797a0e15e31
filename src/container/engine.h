/* The engine: one address, the API version agreed on, and requests over it. A request is begun, its body is read piece by piece, and it is ended;
 * everything else in this room is made of that. Threads: any for calls of their own; one at a time per reply. */
#ifndef IPFSA_CONTAINER_ENGINE_H
#define IPFSA_CONTAINER_ENGINE_H

#include <ipfsa/container.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "container/json.h"
#include "container/text_list.h"
#include "container/wire.h"
#include "http/request.h"
#include "http/response.h"

#define IPFSA_ENGINE_MIN_MINOR 40u /* 1.40: HEAD /_ping and GPU requests */
#define IPFSA_ENGINE_MAX_MINOR 56u /* what was read of the changes so far */

/* What node hands over from options and configuration; texts are copied. */
typedef struct ipfsa_engine_params {
  const char *host, *context, *configured_host; /* may be NULL */
  int64_t timeout_ms;          /* without progress; 0 = 60 s */
  ipfsa_texts allow_dangerous; /* "thing" or "thing=value" */
  ipfsa_texts registries;      /* hosts images may come from; none = any */
  const char *repo_path;       /* a folder containers never see; may be NULL */
  int cancel_fd;               /* of connecting; 0 = none */
} ipfsa_engine_params;
ipfsa_status ipfsa_engine_connect(const ipfsa_engine_params *params, ipfsa_engine **ret, ipfsa_error *err);

const ipfsa_text_list *ipfsa_engine_allowed(const ipfsa_engine *engine);
const ipfsa_text_list *ipfsa_engine_registries(const ipfsa_engine *engine);
const char *ipfsa_engine_repo(const ipfsa_engine *engine);       /* the folder containers never see, links resolved; "" = none */
unsigned ipfsa_engine_minor(const ipfsa_engine *engine);         /* of the API: 41 for 1.41 */
const char *ipfsa_engine_address_text(const ipfsa_engine *engine); /* "unix:///run/docker.sock" */
const char *ipfsa_engine_socket_path(const ipfsa_engine *engine);  /* NULL when it is not on a socket of this machine */
bool ipfsa_engine_is_podman(const ipfsa_engine *engine);
bool ipfsa_engine_is_local(const ipfsa_engine *engine);          /* on this machine: its published ports can be reached at loopback */
uint64_t ipfsa_engine_timeout_ns(const ipfsa_engine *engine);
int ipfsa_engine_cancel_fd(const ipfsa_engine *engine);
const char *ipfsa_engine_session(const ipfsa_engine *engine); /* random, of this engine value: a label on what it makes */
ipfsa_status ipfsa_engine_pause(const ipfsa_engine *engine, unsigned ms, ipfsa_error *err); /* sleeps; E_CANCELLED */

typedef struct ipfsa_engine_call {
  const char *method;
  ipfsa_buf *target;        /* "/containers/json?all=1", without the version; its failure is reported here */
  json_t *body;             /* borrowed; NULL = none */
  const char *content_type; /* of raw, when there is no json body */
  ipfsa_bytes raw;
  const char *auth;         /* X-Registry-Auth; never in messages */
  ipfsa_texts secrets;      /* an environment whose values are hidden in the engine's words */
  bool upgrade;             /* ask for the raw connection */
  bool waits;               /* the answer or its body may take any time: follow, wait, events, exec */
  bool cleaning;            /* runs to its end although the engine was cancelled: tidying up after a failure */
  int64_t more_ms;          /* this long on top of the timeout: a stop with its grace period */
  uint64_t deadline;        /* of the whole call; 0 = none */
  unsigned also_fine;       /* a status besides 2xx that is no failure: 304 */
} ipfsa_engine_call;

typedef struct ipfsa_engine_reply ipfsa_engine_reply;
/* Sends and reads up to the headers. Statuses other than 2xx (101 with upgrade) are failures in the engine's words. */
ipfsa_status ipfsa_engine_begin(ipfsa_engine *engine, const ipfsa_engine_call *call, ipfsa_engine_reply **ret, ipfsa_error *err);
int ipfsa_engine_reply_status(const ipfsa_engine_reply *reply);
const char *ipfsa_engine_reply_header(const ipfsa_engine_reply *reply, const char *name);
/* The next piece of the body; empty: it is over. Borrowed until the next call. */
ipfsa_status ipfsa_engine_reply_next(ipfsa_engine_reply *reply, ipfsa_bytes *ret, ipfsa_error *err);
void ipfsa_engine_reply_end(ipfsa_engine_reply *reply); /* NULL is fine; a connection that is still good is kept */
/* After an upgrade: the connection itself, and the bytes that came with the headers (borrowed until the reply ends). It stays the reply's. */
ipfsa_wire *ipfsa_engine_reply_wire(ipfsa_engine_reply *reply, ipfsa_bytes *ret_first);

/* The whole of it: sends, reads the answer as JSON (*ret may be NULL when there is no body; ret itself may be NULL), ends. *ret_status may be NULL. */
ipfsa_status ipfsa_engine_ask(ipfsa_engine *engine, const ipfsa_engine_call *call, json_t **ret, int *ret_status, ipfsa_error *err);

/* Every object of a stream of objects. An object that carries an error fails the call in the engine's words. Other than 0 stops: E_CANCELLED. */
typedef int (*ipfsa_engine_object_cb)(void *ctx, const json_t *object);
ipfsa_status ipfsa_engine_each(ipfsa_engine_reply *reply, ipfsa_engine_object_cb cb, void *ctx, ipfsa_error *err);

/* filters={"label":["…"],…} onto the target; filters is consumed. */
void ipfsa_engine_put_filters(ipfsa_buf *target, json_t *filters);

#endif
