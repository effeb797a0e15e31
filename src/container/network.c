#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "container/container_inside.h"

static ipfsa_status list(ipfsa_engine *engine, bool foreign, json_t **ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_buf_str(&target, "/networks");
  if (!foreign) ipfsa_engine_put_filters(&target, json_pack("{s:[s]}", "label", IPFSA_CONTAINER_LABEL "=1"));
  return ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "GET", .target = &target}, ret, NULL, err);
}

/* A name may be ambiguous to Docker, an id never is. Podman has one of a name, and, asked by id, removes a network although containers use it. */
const char *ipfsa_network_key(const ipfsa_engine *engine) { return ipfsa_engine_is_podman(engine) ? "Name" : "Id"; }

ipfsa_status ipfsa_network_list_users(ipfsa_engine *engine, json_t **ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_buf_str(&target, "/containers/json?all=1");
  return ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "GET", .target = &target}, ret, NULL, err);
}

const char *ipfsa_network_user(const json_t *containers, const json_t *network) {
  for (size_t i = 0; i < json_array_size(containers); i++) {
    const json_t *entry = json_array_get(containers, i), *set = ipfsa_json_at(entry, "NetworkSettings", "Networks", ipfsa_json_text(network, "Name"), NULL);
    const char *id = ipfsa_json_text(set, "NetworkID"); /* "" before the first start */
    if (!set || (*id && strcmp(id, ipfsa_json_text(network, "Id")) != 0)) continue; /* another of this name, that is no more */
    const char *name = json_string_value(json_array_get(json_object_get(entry, "Names"), 0));
    return !name ? ipfsa_json_text(entry, "Id") : *name == '/' ? name + 1 : name;
  }
  return NULL;
}

/* The network of exactly this name, or NULL. Older engines hold several of one name: ours comes first. Borrowed. */
static const json_t *find(const json_t *all, const char *name) {
  const json_t *found = NULL;
  for (size_t i = 0; i < json_array_size(all); i++) {
    const json_t *entry = json_array_get(all, i);
    if (strcmp(ipfsa_json_text(entry, "Name"), name) != 0) continue;
    if (ipfsa_labels_are_ours(ipfsa_json_at(entry, "Labels", NULL))) return entry;
    found = entry;
  }
  return found;
}

ipfsa_status ipfsa_network_create(ipfsa_engine *engine, const char *name, bool internal, bool *ret_created, ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *all = NULL;
  ipfsa_status status = ipfsa_name_check("network", name, err);
  if (status == IPFSA_OK) status = list(engine, true, &all, err);
  if (status) return status;
  const json_t *there = find(all, name);
  if (there && !ipfsa_labels_are_ours(ipfsa_json_at(there, "Labels", NULL)))
    return ipfsa_fail(err, IPFSA_E_EXISTS, "network %s is there and was not made by ipfs-accelerate: choose another name", name);
  if (there && ipfsa_json_bool(there, "Internal") != internal)
    return ipfsa_fail(err, IPFSA_E_EXISTS, "network %s is there and %s: remove it first with 'network rm %s'", name, internal ? "has a way out" : "has no way out", name);
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  /* CheckDuplicate: two makers at the same moment shall not end with two networks of one name, which older engines allow. */
  IPFSA_AUTO_JSON json_t *body = json_pack("{s:s,s:b,s:b,s:s,s:{s:s,s:s}}", "Name", name, "CheckDuplicate", 1, "Internal", internal, "Driver", "bridge", "Labels",
                                           IPFSA_CONTAINER_LABEL, "1", "io.ipfs-accelerate.session", ipfsa_engine_session(engine));
  if (!body) return ipfsa_fail_nomem(err);
  ipfsa_buf_str(&target, "/networks/create");
  if (!there) status = ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "POST", .target = &target, .body = body}, NULL, NULL, err);
  if (status) return ipfsa_error_prefix(err, status, "network %s", name);
  if (ret_created) *ret_created = !there;
  return IPFSA_OK;
}

ipfsa_status ipfsa_network_rm(ipfsa_engine *engine, const char *name, ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *all = NULL;
  ipfsa_status status = ipfsa_name_check("network", name, err);
  if (status == IPFSA_OK) status = list(engine, true, &all, err);
  if (status) return status;
  const json_t *there = find(all, name);
  if (!there) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "network %s: there is none of this name", name);
  if (!ipfsa_labels_are_ours(ipfsa_json_at(there, "Labels", NULL))) status = ipfsa_danger(engine, "foreign", name, "this network was not made by ipfs-accelerate", err);
  IPFSA_AUTO_JSON json_t *containers = NULL;
  if (status == IPFSA_OK) status = ipfsa_network_list_users(engine, &containers, err);
  if (status) return status;
  const char *user = ipfsa_network_user(containers, there);
  if (user) return ipfsa_fail(err, IPFSA_E_BUSY, "network %s: container %.128s uses it; remove the containers that use it first", name, user);
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_buf_str(&target, "/networks/");
  ipfsa_http_put_encoded(&target, ipfsa_json_text(there, ipfsa_network_key(engine)));
  status = ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "DELETE", .target = &target}, NULL, NULL, err);
  return status ? ipfsa_error_prefix(err, status, "network %s", name) : IPFSA_OK;
}

ipfsa_status ipfsa_network_list(ipfsa_engine *engine, bool foreign, ipfsa_network_cb cb, void *ctx, ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *all = NULL;
  ipfsa_status status = list(engine, foreign, &all, err);
  json_t *entry;
  size_t i;
  json_array_foreach(all, i, entry) {
    if (status) break;
    ipfsa_network network = {ipfsa_json_text(entry, "Id"), ipfsa_json_text(entry, "Name"), ipfsa_json_text(entry, "Driver"),
                             ipfsa_labels_are_ours(ipfsa_json_at(entry, "Labels", NULL)), ipfsa_json_bool(entry, "Internal")};
    if (cb(ctx, &network) != 0) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  }
  return status;
}
