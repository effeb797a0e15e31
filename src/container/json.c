#include "container/json.h"

#include <stdarg.h>

#include "base/alloc.h"
#include "base/error.h"
#include "ipld/value.h"

static bool is_gap(uint8_t c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0x1e; }

/* One byte further; false: nested too deep. */
static bool step(ipfsa_json_cutter *cutter, uint8_t c) {
  if (cutter->in_string) {
    if (cutter->escaped) cutter->escaped = false;
    else if (c == '\\') cutter->escaped = true;
    else if (c == '"') cutter->in_string = false;
  } else if (c == '"') cutter->in_string = true;
  else if (c == '{' || c == '[') return ++cutter->depth <= IPFSA_MAX_JSON_DEPTH;
  else if ((c == '}' || c == ']') && cutter->depth) cutter->depth--;
  return true;
}

ipfsa_status ipfsa_json_parse(ipfsa_bytes text, const char *what, json_t **ret, ipfsa_error *err) {
  size_t n_gaps = 0;
  while (n_gaps < text.len && is_gap(text.data[n_gaps])) n_gaps++;
  if (n_gaps < text.len) return ipfsa_json_load(text, what, ret, err);
  *ret = NULL;
  return IPFSA_OK;
}

void ipfsa_json_cutter_init(ipfsa_json_cutter *cutter) { *cutter = (ipfsa_json_cutter){.item.max = IPFSA_MAX_ENGINE_JSON_ITEM}; }
void ipfsa_json_cutter_release(ipfsa_json_cutter *cutter) { ipfsa_buf_release(&cutter->item); }

ipfsa_status ipfsa_json_cut(ipfsa_json_cutter *cutter, ipfsa_cursor *in, ipfsa_bytes *ret_item, ipfsa_error *err) {
  *ret_item = (ipfsa_bytes){0};
  if (cutter->depth == 0) {
    ipfsa_buf_clear(&cutter->item);
    uint8_t c;
    while (ipfsa_cursor_peek(in, &c) && is_gap(c)) (void)ipfsa_cursor_u8(in, &c);
    if (ipfsa_cursor_peek(in, &c) && c != '{') return ipfsa_fail(err, IPFSA_E_MALFORMED, "container engine: a stream of JSON objects does not go on with a brace");
  }
  const uint8_t *start = in->pos;
  uint8_t c;
  bool whole = false;
  while (!whole && ipfsa_cursor_u8(in, &c)) {
    if (!step(cutter, c)) return ipfsa_fail(err, IPFSA_E_LIMIT, "container engine: JSON is nested deeper than %d", IPFSA_MAX_JSON_DEPTH);
    whole = cutter->depth == 0;
  }
  ipfsa_buf_append(&cutter->item, start, (size_t)(in->pos - start));
  if (cutter->item.failed == IPFSA_E_LIMIT) return ipfsa_fail(err, IPFSA_E_LIMIT, "container engine: an object of more than %u bytes", IPFSA_MAX_ENGINE_JSON_ITEM);
  if (cutter->item.failed) return ipfsa_buf_status(&cutter->item, err);
  if (whole) *ret_item = ipfsa_buf_bytes(&cutter->item);
  return IPFSA_OK;
}

ipfsa_status ipfsa_json_cutter_eof(const ipfsa_json_cutter *cutter, ipfsa_error *err) {
  return cutter->depth == 0 ? IPFSA_OK : ipfsa_fail(err, IPFSA_E_IO, "container engine: the stream ended in the middle of an object");
}

json_t *ipfsa_json_at(const json_t *json, ...) {
  va_list keys;
  va_start(keys, json);
  json_t *at = NULL;
  const json_t *from = json;
  for (const char *key; (key = va_arg(keys, const char *));) {
    at = json_object_get(from, key);
    from = at;
  }
  va_end(keys);
  return json_is_null(at) ? NULL : at;
}

const char *ipfsa_json_text(const json_t *json, const char *key) {
  const char *text = json_string_value(json_object_get(json, key));
  return text ? text : "";
}

int64_t ipfsa_json_int(const json_t *json, const char *key) {
  const json_t *value = json_object_get(json, key);
  if (!json_is_real(value)) return json_integer_value(value);
  double v = json_real_value(value);
  return v > -9e18 && v < 9e18 ? (int64_t)v : 0;
}

bool ipfsa_json_bool(const json_t *json, const char *key) { return json_is_true(json_object_get(json, key)); }

/* --- towards an engine --- */

ipfsa_status ipfsa_json_check_text(const char *what, const char *text, ipfsa_error *err) {
  if (!text || ipfsa_is_utf8(ipfsa_bytes_str(text))) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_INVALID, "%s: it is no UTF-8 text, so it cannot be handed to the engine", what);
}

ipfsa_status ipfsa_json_check_texts(const char *what, ipfsa_texts texts, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; i < texts.n && status == IPFSA_OK; i++) status = ipfsa_json_check_text(what, texts.items[i], err);
  return status;
}

void ipfsa_json_make_text(char *text) {
  if (ipfsa_is_utf8(ipfsa_bytes_str(text))) return;
  for (char *p = text; *p; p++)
    if ((unsigned char)*p >= 0x80) *p = '?';
}

json_t *ipfsa_json_list(ipfsa_texts texts) {
  json_t *list = json_array();
  for (size_t i = 0; i < texts.n && list; i++) {
    if (json_array_append_new(list, json_string(texts.items[i])) == 0) continue;
    json_decref(list);
    return NULL;
  }
  return list;
}
