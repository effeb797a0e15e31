#include "container/content.h"

#include <string.h>

#include "base/error.h"
#include "cid/cid.h"
#include "container/container_inside.h"

static int each_word(const char *text, ipfsa_content_cb cb, void *ctx) {
  char cid[IPFSA_MAX_CID_TEXT];
  int stop = 0;
  for (const char *p = text; *p && !stop;) {
    size_t n = strcspn(p, " ");
    if (n && n < sizeof cid) {
      memcpy(cid, p, n);
      cid[n] = '\0';
      stop = cb(ctx, cid);
    }
    p += n + (p[n] == ' ');
  }
  return stop;
}

ipfsa_status ipfsa_container_each_content(ipfsa_engine *engine, ipfsa_content_cb cb, void *ctx, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_buf_str(&target, "/containers/json?all=1");
  ipfsa_engine_put_filters(&target, json_pack("{s:[s]}", "label", IPFSA_CONTAINER_LABEL "=1"));
  IPFSA_AUTO_JSON json_t *list = NULL;
  ipfsa_status status = ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "GET", .target = &target}, &list, NULL, err);
  if (status == IPFSA_OK && !json_is_array(list)) status = ipfsa_fail(err, IPFSA_E_MALFORMED, "container engine: its list of containers is no list");
  json_t *entry;
  size_t i;
  json_array_foreach(list, i, entry) {
    if (status) break;
    if (each_word(ipfsa_json_text(json_object_get(entry, "Labels"), IPFSA_LABEL_CID), cb, ctx) != 0) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  }
  return status;
}
