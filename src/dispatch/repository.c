#include "dispatch/repository.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "dispatch/layout.h"

/* Names have no character that a URL would need encoded (layout.h). */
typedef char target[2 * IPFSA_MAX_MODEL_PART + 64];

static void put_target(const ipfsa_delivery *d, const char *before, const char *after, target ret) { snprintf(ret, sizeof(target), "%s%.200s%s", before, d->model, after); }

ipfsa_status ipfsa_repository_probe(ipfsa_delivery *d, bool *ret, ipfsa_error *err) {
  target to;
  int answered = 0;
  put_target(d, "/v2/models/", "/ready", to);
  ipfsa_status status = ipfsa_server_ask(d->server, &(ipfsa_ask){.target = to, .may_refuse = true}, &answered, NULL, err);
  *ret = status == IPFSA_OK && answered == 200;
  return status;
}

static ipfsa_status ask_index(ipfsa_delivery *d, const char *server, json_t **ret, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *body = json_object();
  if (!body) return ipfsa_fail_nomem(err);
  ipfsa_status status = ipfsa_server_ask(d->server, &(ipfsa_ask){.method = "POST", .target = "/v2/repository/index", .json = body}, NULL, ret, err);
  if (status == IPFSA_E_NOT_FOUND) return ipfsa_error_prefix(err, IPFSA_E_NOT_SUPPORTED, "this is no %s", server);
  if (status == IPFSA_OK && !json_is_array(*ret))
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "POST %.200s/v2/repository/index answers with no list: this is no %s", d->server->url, server);
  return status;
}

static bool lists(const ipfsa_delivery *d, const json_t *index) {
  size_t i;
  const json_t *item;
  json_array_foreach(index, i, item) {
    const char *name = json_string_value(json_object_get(item, "name"));
    if (name && strcmp(name, d->model) == 0) return true;
  }
  return false;
}

static ipfsa_status load(ipfsa_delivery *d, ipfsa_error *err) {
  target to;
  IPFSA_AUTO_JSON_DROP json_t *body = json_object();
  put_target(d, "/v2/repository/models/", "/load", to);
  return body ? ipfsa_server_ask(d->server, &(ipfsa_ask){.method = "POST", .target = to, .json = body, .is_long = true}, NULL, NULL, err) : ipfsa_fail_nomem(err);
}

/* The load of what is not in its index is refused in the server's words; the place helps to see why. */
static ipfsa_status refresh(ipfsa_delivery *d, const json_t *index, ipfsa_error *err) {
  ipfsa_status status = load(d, err);
  if (status == IPFSA_OK || status == IPFSA_E_CANCELLED || status == IPFSA_E_NOMEM || lists(d, index)) return status;
  return ipfsa_error_prefix(err, status, "%.200s stands at %.200s and is not in the server's index", d->model, d->placed.path);
}

ipfsa_status ipfsa_repository_bring(ipfsa_delivery *d, const char *server, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *before = NULL;
  IPFSA_AUTO_JSON_DROP json_t *index = NULL;
  IPFSA_AUTO_FREE char *last = NULL;
  bool ready = false;
  ipfsa_status status = ask_index(d, server, &before, err); /* nothing is put there for a server that is none */
  if (status == IPFSA_OK) status = ipfsa_delivery_publish(d, IPFSA_PLACE_NAMED, err);
  if (status == IPFSA_OK) status = d->calls->recall(d->ctx, d->server->url, d->model, &last, err);
  if (status == IPFSA_OK) status = ask_index(d, server, &index, err);
  if (status == IPFSA_OK) status = ipfsa_delivery_is_ready(d, &ready, err);
  if (status) return status;
  bool is_fresh = ready && !d->placed.changed && strcmp(last, d->cid) == 0;
  if (is_fresh) return IPFSA_OK;
  status = refresh(d, index, err);
  if (status == IPFSA_OK) status = ipfsa_delivery_await(d, "its ready probe is not true", err);
  return status ? status : d->calls->remember(d->ctx, d->server->url, d->model, d->cid, err);
}
