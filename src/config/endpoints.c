/* The tables [endpoints.NAME]: kept as others' keys are, judged when they are asked for. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "config/extra.h"
#include "config/schema.h"

#define PREFIX "endpoints."

/* Length of NAME in "endpoints.NAME.KEY", 0 for any other key. */
static size_t endpoint_len(const char *name) { return ipfsa_config_is_open(name) ? ipfsa_config_section_len(name) - strlen(PREFIX) : 0; }

static bool is_listed(char *const *list, size_t n, const char *name, size_t len) {
  for (size_t i = 0; i < n; i++)
    if (strlen(list[i]) == len && memcmp(list[i], name, len) == 0) return true;
  return false;
}

ipfsa_status ipfsa_config_endpoints(const ipfsa_config *config, char ***ret, size_t *ret_n, ipfsa_error *err) {
  const ipfsa_config_extras *extras = ipfsa_config_extras_of(config);
  char **list = extras->n ? ipfsa_calloc(extras->n, sizeof *list) : NULL;
  size_t n = 0;
  if (extras->n && !list) return ipfsa_fail_nomem(err);
  for (size_t i = 0; i < extras->n; i++) {
    size_t len = endpoint_len(extras->items[i].name);
    if (len == 0) continue;
    const char *name = extras->items[i].name + strlen(PREFIX);
    if (is_listed(list, n, name, len)) continue;
    if (!(list[n] = ipfsa_strndup(name, len))) {
      ipfsa_config_list_free(list, n);
      return ipfsa_fail_nomem(err);
    }
    n++;
  }
  *ret = list;
  *ret_n = n;
  return IPFSA_OK;
}

ipfsa_status ipfsa_config_endpoint_get(const ipfsa_config *config, const char *endpoint, const char *key, char **ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf name = {0};
  ipfsa_buf_printf(&name, PREFIX "%s.%s", endpoint, key);
  ipfsa_status status = ipfsa_buf_status(&name, err);
  if (status) return status;
  const ipfsa_config_key *known = ipfsa_config_endpoint_key(ipfsa_buf_cstr(&name));
  if (!known) return ipfsa_fail(err, IPFSA_E_INVALID, "an endpoint has no key %s", key);
  const ipfsa_config_extra *extra = ipfsa_config_extras_find(ipfsa_config_extras_of(config), ipfsa_buf_cstr(&name));
  if (extra) {
    status = ipfsa_config_check(known, extra->text, extra->quoted, ret, err);
    return status ? ipfsa_error_prefix(err, status, PREFIX "%s", endpoint) : IPFSA_OK;
  }
  *ret = ipfsa_strdup(known->default_);
  return *ret ? IPFSA_OK : ipfsa_fail_nomem(err);
}
