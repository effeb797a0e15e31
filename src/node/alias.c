/* Aliases of a node: what a name may look like, and the calls. */
#include <ipfsa/alias.h>

#include "base/clock.h"
#include "node/node.h"
#include "store/aliases.h"

/* ASCII, whatever the locale. */
static bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

static ipfsa_status bad_name(const char *name, const char *why, ipfsa_error *err) {
  return ipfsa_fail(err, IPFSA_E_INVALID, "\"%.200s\" cannot be an alias: %s; expected NAME or NAMESPACE/NAME", name, why);
}

static ipfsa_status check_part(const char *name, const char *part, size_t len, ipfsa_error *err) {
  if (len == 0) return bad_name(name, "a part is empty", err);
  if (len > IPFSA_MAX_ALIAS_PART) return ipfsa_fail(err, IPFSA_E_LIMIT, "a part of an alias has at most %d bytes, \"%.100s\" has %zu", IPFSA_MAX_ALIAS_PART, part, len);
  for (size_t i = 0; i < len; i++) {
    if (!is_word(part[i]) && part[i] != '-' && part[i] != '.') return bad_name(name, "it has other than letters, digits, \"_\", \"-\" and \".\"", err);
    if (i && part[i] == part[i - 1] && !is_word(part[i])) return bad_name(name, "it has \"--\" or \"..\"", err);
  }
  if (!is_word(part[0]) || !is_word(part[len - 1])) return bad_name(name, "a part begins or ends with \"-\" or \".\"", err);
  return IPFSA_OK;
}

ipfsa_status ipfsa_alias_check(const char *name, ipfsa_error *err) {
  size_t len = strlen(name), first = strcspn(name, "/");
  ipfsa_cid cid;
  ipfsa_status status = check_part(name, name, first, err);
  if (status == IPFSA_OK && name[first]) status = strchr(name + first + 1, '/') ? bad_name(name, "it has two slashes", err) : check_part(name, name + first + 1, len - first - 1, err);
  if (status) return status;
  if (len > 4 && strcmp(name + len - 4, ".git") == 0) return bad_name(name, "it ends in \".git\"", err);
  if (first == 4 && (memcmp(name, "ipfs", 4) == 0 || memcmp(name, "ipns", 4) == 0)) return bad_name(name, "\"ipfs\" and \"ipns\" are no namespaces of names", err);
  status = ipfsa_cid_parse(name, first, &cid, NULL);
  if (status == IPFSA_E_NOMEM) return ipfsa_fail_nomem(err);
  return status == IPFSA_OK ? bad_name(name, "it begins with a CID, and would never be found", err) : IPFSA_OK;
}

ipfsa_status ipfsa_alias_set(ipfsa_node *node, const ipfsa_alias *aliases, size_t n, ipfsa_error *err) {
  if (n > IPFSA_MAX_ALIASES_AT_ONCE) return ipfsa_fail(err, IPFSA_E_LIMIT, "over %d aliases at once; set them in several calls", IPFSA_MAX_ALIASES_AT_ONCE);
  for (size_t i = 0; i < n; i++) {
    if (strnlen(aliases[i].name, sizeof aliases[i].name) > IPFSA_MAX_ALIAS) return ipfsa_fail(err, IPFSA_E_LIMIT, "an alias has at most %d bytes", IPFSA_MAX_ALIAS);
    ipfsa_status status = ipfsa_alias_check(aliases[i].name, err);
    if (status) return status;
    if (ipfsa_cid_is_none(&aliases[i].cid)) return ipfsa_fail(err, IPFSA_E_INVALID, "the alias \"%.200s\" needs a CID", aliases[i].name);
  }
  return ipfsa_aliases_set(node->store, aliases, n, ipfsa_clock_wall_s(), err);
}

ipfsa_status ipfsa_alias_get(ipfsa_node *node, const char *name, ipfsa_cid *ret, ipfsa_error *err) {
  ipfsa_status status = ipfsa_alias_check(name, err);
  return status ? status : ipfsa_aliases_get(node->store, name, ret, err);
}

ipfsa_status ipfsa_alias_rm(ipfsa_node *node, const char *name, bool forget, ipfsa_error *err) {
  ipfsa_status status = ipfsa_alias_check(name, err);
  return status ? status : ipfsa_aliases_remove(node->store, name, forget, ipfsa_clock_wall_s(), err);
}

ipfsa_status ipfsa_alias_list(ipfsa_node *node, ipfsa_alias_cb cb, void *ctx, ipfsa_error *err) { return ipfsa_aliases_iterate(node->store, cb, ctx, err); }

ipfsa_status ipfsa_alias_history(ipfsa_node *node, const char *name, ipfsa_alias_event_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_status status = ipfsa_alias_check(name, err);
  return status ? status : ipfsa_aliases_history(node->store, name, cb, ctx, err);
}

ipfsa_status ipfsa_alias_histories(ipfsa_node *node, ipfsa_alias_record_cb cb, void *ctx, ipfsa_error *err) { return ipfsa_aliases_histories(node->store, cb, ctx, err); }

ipfsa_status ipfsa_alias_restore(ipfsa_node *node, const ipfsa_alias_record *records, size_t n, ipfsa_error *err) {
  if (n > IPFSA_MAX_ALIASES_AT_ONCE) return ipfsa_fail(err, IPFSA_E_LIMIT, "over %d lines at once; restore them in several calls", IPFSA_MAX_ALIASES_AT_ONCE);
  for (size_t i = 0; i < n; i++) {
    const ipfsa_alias_record *r = &records[i];
    if (strnlen(r->name, sizeof r->name) > IPFSA_MAX_ALIAS) return ipfsa_fail(err, IPFSA_E_LIMIT, "an alias has at most %d bytes", IPFSA_MAX_ALIAS);
    ipfsa_status status = ipfsa_alias_check(r->name, err);
    if (status) return status;
    if (!r->event.removed && ipfsa_cid_is_none(&r->event.cid)) return ipfsa_fail(err, IPFSA_E_INVALID, "the alias \"%.200s\" needs a CID", r->name);
  }
  return ipfsa_aliases_restore(node->store, records, n, err);
}
