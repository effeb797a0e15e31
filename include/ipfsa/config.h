/* A repo's configuration. Names are ours ("import.chunker") or Kubo's ("Import.UnixFSChunker"). Changes are checked, atomic and durable.
 * Calls from any thread, one at a time. */
#ifndef IPFSA_CONFIG_H
#define IPFSA_CONFIG_H

#include <ipfsa/node.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Value as JSON text (a section's as an object; Kubo's unset keys: null). Owned, free with ipfsa_text_free. E_NOT_FOUND for an unknown name. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_node_config_get(ipfsa_node *node, const char *name, char **ret_json, ipfsa_error *err);
/* value: JSON ("1", "true", "\"text\"", "null" = unset) when is_json, else text as it is. Saved before the call returns. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_node_config_set(ipfsa_node *node, const char *name, const char *value, bool is_json, ipfsa_error *err);
/* All effective values, as TOML or as JSON in Kubo's shape. Owned, free with ipfsa_text_free. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_node_config_show(ipfsa_node *node, bool json, char **ret_text, ipfsa_error *err);
/* The TOML file as it stands, for an editor. Owned, free with ipfsa_text_free. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_node_config_text(ipfsa_node *node, char **ret_text, ipfsa_error *err);
/* Puts another TOML in its place, once it is checked. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_node_config_replace(ipfsa_node *node, const char *toml, size_t len, ipfsa_error *err);
/* dry_run: nothing is saved; *ret_before and *ret_after (owned) are the TOML then and now. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_node_config_apply_profile(ipfsa_node *node, const char *profile, bool dry_run, char **ret_before, char **ret_after,
                                                                   ipfsa_error *err);

/* A TOML text with one key changed and all else as it was, comments and order too; no node is needed. name: "section.key", or "a.b.key"; value: as TOML
 * writes it ("12", "\"text\"", "[1, 2]"), NULL removes the key. *ret_text owned, free with ipfsa_text_free. E_MALFORMED when the text was no TOML, or
 * would be none: a value over several lines is beyond it. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_toml_set(const char *toml, size_t len, const char *name, const char *value, char **ret_text, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
