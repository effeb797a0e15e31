/* Removing what is ours and not in use: asked for by label and removed one by one, so that no engine's own idea of pruning reaches further. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/options.h"
#include "container/container_inside.h"

#define FRESH_S 600 /* a container that was made and never started this recently may be about to be */

typedef struct pruner {
  ipfsa_engine *engine;
  ipfsa_container_pruned_cb cb;
  void *ctx;
  ipfsa_status failed; /* of the first that could not be removed; the others are tried all the same */
  ipfsa_error failure;
} pruner;

/* One removal. What is in use, or gone in the meantime, stays without a word: it is not what was asked for. */
static ipfsa_status remove_one(pruner *p, const char *kind, const char *path, const char *id, const char *query, const char *name, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_buf_str(&target, path);
  ipfsa_http_put_encoded(&target, id);
  ipfsa_buf_str(&target, query);
  ipfsa_error local = {0};
  ipfsa_status status = ipfsa_engine_ask(p->engine, &(ipfsa_engine_call){.method = "DELETE", .target = &target}, NULL, NULL, &local);
  bool stays = status == IPFSA_E_BUSY || status == IPFSA_E_NOT_FOUND || status == IPFSA_E_DENIED;
  if (stays && !local.sys_errno) return IPFSA_OK; /* with an errno it is the engine that is not found */
  if (status) ipfsa_error_prefix(&local, status, "%s %.100s", kind, name);
  if (status == IPFSA_E_CANCELLED || status == IPFSA_E_TIMEOUT || status == IPFSA_E_NOMEM || local.sys_errno) { /* the engine itself: no other would go better */
    if (err) *err = local;
    return status;
  }
  if (status && !p->failed) p->failed = status, p->failure = local;
  if (status) return IPFSA_OK;
  return p->cb && p->cb(p->ctx, kind, name) != 0 ? ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled") : IPFSA_OK;
}

static ipfsa_status ask_for_ours(pruner *p, const char *path, json_t **ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_buf_str(&target, path);
  ipfsa_engine_put_filters(&target, json_pack("{s:[s]}", "label", IPFSA_CONTAINER_LABEL "=1"));
  return ipfsa_engine_ask(p->engine, &(ipfsa_engine_call){.method = "GET", .target = &target}, ret, NULL, err);
}

/* Neither running nor paused, and not about to be. States are looked at here: engines disagree on which of them may be filtered by. */
static bool is_over(const json_t *entry) {
  const char *state = ipfsa_container_state(ipfsa_json_text(entry, "State"));
  if (strcmp(state, "created") == 0) return ipfsa_json_int(entry, "Created") < ipfsa_clock_wall_s() - FRESH_S;
  return strcmp(state, "exited") == 0 || strcmp(state, "dead") == 0;
}

static ipfsa_status prune_containers(pruner *p, ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *list = NULL;
  ipfsa_status status = ask_for_ours(p, "/containers/json?all=1", &list, err);
  json_t *entry;
  size_t i;
  json_array_foreach(list, i, entry) {
    if (status) break;
    if (!is_over(entry) || !ipfsa_labels_are_ours(ipfsa_json_at(entry, "Labels", NULL))) continue;
    const char *name = json_string_value(json_array_get(json_object_get(entry, "Names"), 0));
    status = remove_one(p, "container", "/containers/", ipfsa_json_text(entry, "Id"), "?v=1", name && *name == '/' ? name + 1 : ipfsa_json_text(entry, "Id"), err);
  }
  return status;
}

static ipfsa_status prune_volumes(pruner *p, ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *answer = NULL;
  ipfsa_status status = ask_for_ours(p, "/volumes", &answer, err);
  json_t *entry;
  size_t i;
  json_array_foreach(json_object_get(answer, "Volumes"), i, entry) {
    if (status) break;
    if (!ipfsa_labels_are_ours(ipfsa_json_at(entry, "Labels", NULL))) continue;
    const char *name = ipfsa_json_text(entry, "Name");
    status = remove_one(p, "volume", "/volumes/", name, "", name, err);
  }
  return status;
}

static ipfsa_status prune_networks(pruner *p, ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *list = NULL;
  IPFSA_AUTO_JSON json_t *containers = NULL;
  ipfsa_status status = ask_for_ours(p, "/networks", &list, err);
  if (status == IPFSA_OK) status = ipfsa_network_list_users(p->engine, &containers, err);
  json_t *entry;
  size_t i;
  json_array_foreach(list, i, entry) {
    if (status) break;
    if (!ipfsa_labels_are_ours(ipfsa_json_at(entry, "Labels", NULL)) || ipfsa_network_user(containers, entry)) continue;
    status = remove_one(p, "network", "/networks/", ipfsa_json_text(entry, ipfsa_network_key(p->engine)), "", ipfsa_json_text(entry, "Name"), err);
  }
  return status;
}

ipfsa_status ipfsa_container_prune(ipfsa_engine *engine, const ipfsa_container_prune_options *options, ipfsa_container_pruned_cb cb, void *ctx,
                                   ipfsa_error *err) {
  ipfsa_container_prune_options o = IPFSA_OPTIONS(ipfsa_container_prune_options, options);
  pruner p = {.engine = engine, .cb = cb, .ctx = ctx};
  bool none = !o.containers && !o.volumes && !o.networks;
  ipfsa_status status = none || o.containers ? prune_containers(&p, err) : IPFSA_OK;
  if (status == IPFSA_OK && (none || o.networks)) status = prune_networks(&p, err);
  if (status == IPFSA_OK && !none && o.volumes) status = prune_volumes(&p, err);
  if (status || !p.failed) return status;
  if (err) *err = p.failure;
  return p.failed;
}
