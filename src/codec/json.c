#include "codec/json.h"

#include "base/bytes.h"
#include "base/error.h"

/* Brackets outside texts; what is no JSON is found by the parser. */
static bool is_too_deep(ipfsa_bytes text) {
  size_t depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.data[i];
    if (quoted) {
      i += c == '\\';
      quoted = c != '"';
    } else if (c == '"') quoted = true;
    else if ((c == '[' || c == '{') && ++depth > IPFSA_MAX_JSON_DEPTH) return true;
    else if ((c == ']' || c == '}') && depth > 0) depth--;
  }
  return false;
}

ipfsa_status ipfsa_json_load(ipfsa_bytes text, const char *what, json_t **ret, ipfsa_error *err) {
  json_error_t why;
  if (is_too_deep(text)) return ipfsa_fail(err, IPFSA_E_LIMIT, "%s: JSON over %d levels deep", what, IPFSA_MAX_JSON_DEPTH);
  json_t *json = json_loadb(text.data ? (const char *)text.data : "", text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
  if (!json && (json_error_code(&why) == json_error_out_of_memory || !*why.text)) return ipfsa_fail_nomem(err);
  if (!json) return ipfsa_fail_at(err, IPFSA_E_MALFORMED, (uint64_t)(why.position < 0 ? 0 : why.position), "%s is no JSON: %.150s", what, why.text);
  *ret = json;
  return IPFSA_OK;
}

const char *ipfsa_json_string(const json_t *object, const char *key) { return json_string_value(json_object_get(object, key)); }

static int put_piece(const char *data, size_t len, void *out) {
  ipfsa_buf_append(out, data, len);
  return ((ipfsa_buf *)out)->failed ? -1 : 0;
}

void ipfsa_json_put(ipfsa_buf *out, const json_t *json, size_t flags) {
  if (json && json_dump_callback(json, put_piece, out, flags) == 0) return;
  if (!out->failed) out->failed = IPFSA_E_NOMEM;
}

char *ipfsa_json_print(const json_t *json, size_t flags) {
  IPFSA_AUTO_BUF ipfsa_buf text = {0};
  size_t len;
  ipfsa_json_put(&text, json, flags);
  ipfsa_buf_u8(&text, '\0');
  return text.failed ? NULL : (char *)ipfsa_buf_take(&text, &len);
}
