/* What happens to our containers, told once each, over as many connections as it takes. */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/options.h"
#include "container/container_inside.h"

#define REMEMBERED 64        /* events of the last moments: enough to drop what a new connection repeats */
#define RECONNECT_MS 200
#define MAX_RECONNECTS 150u  /* in a row without an event: half a minute */

typedef struct follower {
  ipfsa_container_event_cb cb;
  void *ctx;
  bool foreign, is_podman;
  int64_t since_ns, until_ns; /* 0: not given */
  int64_t last_ns;
  struct { int64_t time_ns; char key[160]; } seen[REMEMBERED];
  size_t n_seen;
  unsigned n_tries;
} follower;

static bool is_repeated(follower *f, int64_t time_ns, const char *key) {
  size_t n = f->n_seen < REMEMBERED ? f->n_seen : REMEMBERED;
  for (size_t i = 0; i < n; i++)
    if (f->seen[i].time_ns == time_ns && strcmp(f->seen[i].key, key) == 0) return true;
  size_t at = f->n_seen++ % REMEMBERED;
  f->seen[at].time_ns = time_ns;
  snprintf(f->seen[at].key, sizeof f->seen[at].key, "%s", key);
  return false;
}

/* Every health probe of the engine makes three of these. */
static bool is_noise(const char *action) { return strncmp(action, "exec_", 5) == 0; }

static int hand_on(void *ctx, const json_t *object) {
  follower *f = ctx;
  const json_t *attributes = ipfsa_json_at(object, "Actor", "Attributes", NULL);
  ipfsa_container_event event = {
      .time_ns = ipfsa_json_int(object, "timeNano"), .type = ipfsa_json_text(object, "Type"), .action = ipfsa_json_text(object, "Action"),
      .id = ipfsa_json_text(ipfsa_json_at(object, "Actor", NULL), "ID"), .name = ipfsa_json_text(attributes, "name"), .image = ipfsa_json_text(attributes, "image")};
  if (event.time_ns <= 0) event.time_ns = ipfsa_json_int(object, "time") * 1000000000;
  f->n_tries = 0;
  if (event.time_ns > f->last_ns) f->last_ns = event.time_ns;
  if (f->is_podman && (event.time_ns < f->since_ns || (f->until_ns && event.time_ns > f->until_ns))) return 0; /* asked for by whole seconds */
  if (is_noise(event.action) || (!f->foreign && !ipfsa_labels_are_ours(attributes))) return 0; /* not every engine filters */
  char key[160];
  snprintf(key, sizeof key, "%s %s %.70s", event.type, event.action, event.id);
  return is_repeated(f, event.time_ns, key) ? 0 : f->cb(f->ctx, &event);
}

/* Podman 4 misunderstands fractions. */
static void put_time(const follower *f, ipfsa_buf *target, const char *key, int64_t ns) {
  char text[40];
  if (f->is_podman) snprintf(text, sizeof text, "%lld", (long long)(ns / 1000000000));
  else snprintf(text, sizeof text, "%lld.%09lld", (long long)(ns / 1000000000), (long long)(ns % 1000000000));
  ipfsa_http_put_query(target, key, text);
}

static ipfsa_status follow_once(ipfsa_engine *engine, follower *f, const ipfsa_container_events_options *o, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_buf_str(&target, "/events");
  if (f->last_ns) f->since_ns = f->last_ns;
  if (f->since_ns || o->since) put_time(f, &target, "since", f->since_ns);
  if (o->until) put_time(f, &target, "until", f->until_ns + (f->is_podman ? 999999999 : 0));
  /* Podman 4 finds nothing by a label that its events hold; what is not ours is left out above as well. */
  if (!f->foreign && !f->is_podman) ipfsa_engine_put_filters(&target, json_pack("{s:[s]}", "label", IPFSA_CONTAINER_LABEL "=1"));
  ipfsa_engine_reply *reply = NULL;
  ipfsa_status status = ipfsa_engine_begin(engine, &(ipfsa_engine_call){.method = "GET", .target = &target, .waits = true}, &reply, err);
  if (status == IPFSA_OK) status = ipfsa_engine_each(reply, hand_on, f, err);
  ipfsa_engine_reply_end(reply);
  return status;
}

/* A connection that ends, or an engine that is just being restarted. */
static bool may_pass(ipfsa_status status, const ipfsa_error *err) {
  return status == IPFSA_OK || status == IPFSA_E_NOT_FOUND || (status == IPFSA_E_IO && (err->sys_errno || strstr(err->message, "ended")));
}

ipfsa_status ipfsa_container_events(ipfsa_engine *engine, const ipfsa_container_events_options *options, ipfsa_container_event_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  const ipfsa_container_events_options copy = IPFSA_OPTIONS(ipfsa_container_events_options, options), *o = &copy;
  follower f = {.cb = cb, .ctx = ctx, .foreign = o->foreign, .is_podman = ipfsa_engine_is_podman(engine)};
  ipfsa_status given = o->since ? ipfsa_container_time("since", o->since, &f.since_ns, err) : IPFSA_OK;
  if (given == IPFSA_OK && o->until) given = ipfsa_container_time("until", o->until, &f.until_ns, err);
  if (given) return given;
  bool connected = false;
  for (;;) {
    ipfsa_status status = follow_once(engine, &f, o, err);
    connected = connected || status == IPFSA_OK || f.last_ns;
    if (status == IPFSA_OK && o->until) return IPFSA_OK;
    if (!connected || !may_pass(status, err) || ++f.n_tries > MAX_RECONNECTS) return status ? status : ipfsa_fail(err, IPFSA_E_IO, "the engine ends its event stream at once");
    status = ipfsa_engine_pause(engine, RECONNECT_MS, err);
    if (status) return status;
  }
}
