#include "container/names.h"

#include <string.h>

#include "base/error.h"

static bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

ipfsa_status ipfsa_name_check(const char *what, const char *name, ipfsa_error *err) {
  size_t len = strlen(name);
  bool fine = len >= 2 && len <= IPFSA_MAX_OBJECT_NAME && is_alnum(name[0]);
  for (size_t i = 1; fine && i < len; i++) fine = is_alnum(name[i]) || strchr("_.-", name[i]);
  if (fine) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_INVALID, "%s name \"%.128s\": expected 2 to %u letters, digits, '_', '.' or '-', the first a letter or digit", what, name, IPFSA_MAX_OBJECT_NAME);
}

/* --- images --- */

static bool is_allowed(const ipfsa_engine *engine, const char *host) {
  const ipfsa_text_list *allowed = ipfsa_engine_registries(engine);
  for (size_t i = 0; i < allowed->n; i++)
    if (ipfsa_reference_host_is(allowed->items[i], host)) return true;
  return allowed->n == 0 || (ipfsa_reference_host_is_loopback(host) && ipfsa_engine_is_local(engine));
}

ipfsa_status ipfsa_image_parse(const ipfsa_engine *engine, const char *name, ipfsa_reference *ret, ipfsa_error *err) {
  ipfsa_reference reference;
  ipfsa_status status = ipfsa_reference_parse(name, strlen(name), &reference, err);
  if (status) return status;
  if (!is_allowed(engine, reference.host))
    return ipfsa_fail(err, IPFSA_E_DENIED, "refused: images from %.100s are not allowed; to allow them, add it to docker.allowed_registries in the configuration", reference.host);
  *ret = reference;
  return IPFSA_OK;
}

void ipfsa_image_put(ipfsa_buf *out, const ipfsa_reference *reference, bool with_tag) {
  ipfsa_reference_familiar_name(reference, out);
  if (!with_tag) return;
  if (*reference->digest) ipfsa_buf_printf(out, "@%s", reference->digest); /* beside a digest the tag says nothing */
  else ipfsa_buf_printf(out, ":%s", *reference->tag ? reference->tag : "latest");
}

/* --- what is allowed by name --- */

bool ipfsa_list_has(const char *list, const char *word) {
  size_t len = strlen(word);
  for (const char *p = list; *p;) {
    p += strspn(p, " ");
    size_t n = strcspn(p, " ");
    if (n == len && n && memcmp(p, word, n) == 0) return true;
    p += n;
  }
  return false;
}

bool ipfsa_danger_allowed(const ipfsa_engine *engine, const char *thing, const char *value) {
  const ipfsa_text_list *allowed = ipfsa_engine_allowed(engine);
  char both[512];
  int n = snprintf(both, sizeof both, "%s=%s", thing, value ? value : "");
  return ipfsa_text_list_has(allowed, thing) || (n > 0 && (size_t)n < sizeof both && ipfsa_text_list_has(allowed, both));
}

ipfsa_status ipfsa_danger(const ipfsa_engine *engine, const char *thing, const char *value, const char *why, ipfsa_error *err) {
  if (ipfsa_danger_allowed(engine, thing, value)) return IPFSA_OK;
  bool has_value = value && *value;
  return ipfsa_fail(err, IPFSA_E_DENIED, "refused: %s%s%.100s: %s; to allow it, add \"%s%s%.100s\" to docker.allow_dangerous in the configuration", thing,
                    has_value ? "=" : "", has_value ? value : "", why, thing, has_value ? "=" : "", has_value ? value : "");
}
