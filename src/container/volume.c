#include <string.h>

#include "base/error.h"
#include "container/container_inside.h"

static void put_target(ipfsa_buf *target, const char *name) {
  ipfsa_buf_str(target, "/volumes/");
  ipfsa_http_put_encoded(target, name);
}

/* *ret_is_ours is set when it is there. */
static ipfsa_status look(ipfsa_engine *engine, const char *name, bool *ret_there, bool *ret_is_ours, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  IPFSA_AUTO_JSON json_t *json = NULL;
  int code = 0;
  put_target(&target, name);
  ipfsa_status status = ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "GET", .target = &target, .also_fine = 404}, &json, &code, err);
  if (status) return status;
  *ret_there = code != 404;
  *ret_is_ours = ipfsa_labels_are_ours(ipfsa_json_at(json, "Labels", NULL));
  return IPFSA_OK;
}

ipfsa_status ipfsa_volume_create(ipfsa_engine *engine, const char *name, bool *ret_created, ipfsa_error *err) {
  bool there = false, ours = false;
  ipfsa_status status = ipfsa_name_check("volume", name, err);
  if (status == IPFSA_OK) status = look(engine, name, &there, &ours, err); /* making one that is there says nothing about whose it is */
  if (status) return status;
  if (there && !ours) return ipfsa_fail(err, IPFSA_E_EXISTS, "volume %s is there and was not made by ipfs-accelerate: choose another name", name);
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  IPFSA_AUTO_JSON json_t *body = json_pack("{s:s,s:{s:s,s:s}}", "Name", name, "Labels", IPFSA_CONTAINER_LABEL, "1", "io.ipfs-accelerate.session", ipfsa_engine_session(engine));
  if (!body) return ipfsa_fail_nomem(err);
  ipfsa_buf_str(&target, "/volumes/create");
  if (ret_created) *ret_created = !there; /* also when the answer is lost: it may have been made */
  if (!there) status = ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "POST", .target = &target, .body = body}, NULL, NULL, err);
  return status ? ipfsa_error_prefix(err, status, "volume %s", name) : IPFSA_OK;
}

ipfsa_status ipfsa_volume_rm(ipfsa_engine *engine, const char *name, ipfsa_error *err) {
  bool there = false, ours = false;
  ipfsa_status status = ipfsa_name_check("volume", name, err);
  if (status == IPFSA_OK) status = look(engine, name, &there, &ours, err);
  if (status) return status;
  if (!there) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "volume %s: there is none of this name", name);
  if (!ours) status = ipfsa_danger(engine, "foreign", name, "this volume was not made by ipfs-accelerate", err);
  if (status) return status;
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  put_target(&target, name);
  status = ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "DELETE", .target = &target}, NULL, NULL, err);
  return status ? ipfsa_error_prefix(err, status, "volume %s", name) : IPFSA_OK;
}

ipfsa_status ipfsa_volume_list(ipfsa_engine *engine, bool foreign, ipfsa_volume_cb cb, void *ctx, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  IPFSA_AUTO_JSON json_t *json = NULL;
  ipfsa_buf_str(&target, "/volumes");
  if (!foreign) ipfsa_engine_put_filters(&target, json_pack("{s:[s]}", "label", IPFSA_CONTAINER_LABEL "=1"));
  ipfsa_status status = ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "GET", .target = &target}, &json, NULL, err);
  json_t *entry;
  size_t i;
  json_array_foreach(json_object_get(json, "Volumes"), i, entry) {
    if (status) break;
    ipfsa_volume volume = {ipfsa_json_text(entry, "Name"), ipfsa_json_text(entry, "Driver"), ipfsa_json_text(entry, "Mountpoint"),
                           ipfsa_labels_are_ours(ipfsa_json_at(entry, "Labels", NULL))};
    if (cb(ctx, &volume) != 0) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  }
  return status;
}
