/* TOML ↔ typed options through one schema. Only this room sees TOML. Threads: one at a time per config. */
#ifndef IPFSA_CONFIG_CONFIG_H
#define IPFSA_CONFIG_CONFIG_H

#include <ipfsa/base.h>

#define IPFSA_MAX_CONFIG (1u << 20)   /* bytes of a TOML file */
#define IPFSA_MAX_CONFIG_DEPTH 32     /* tables in tables; own limit */
#define IPFSA_MAX_CONFIG_KEYS 65536   /* own limit */

typedef struct ipfsa_config ipfsa_config;
/* Reads `path` below dirfd (missing: defaults), then environment overrides (IPFSA_<SECTION>_<KEY>). Unknown keys fail in sections this schema
 * owns, naming line and nearest known key. */
ipfsa_status ipfsa_config_load(int dirfd, const char *path, ipfsa_config **ret, ipfsa_error *err);
ipfsa_status ipfsa_config_parse(const char *text, size_t len, const char *name, ipfsa_config **ret, ipfsa_error *err);
void ipfsa_config_free(ipfsa_config *config);
void ipfsa_config_swap(ipfsa_config *a, ipfsa_config *b); /* of all they hold */

/* Typed reads by our names ("import.chunker"); the key must be in the schema (asserted by a test), the default is already applied. */
bool ipfsa_config_bool(const ipfsa_config *config, const char *key);
int64_t ipfsa_config_int(const ipfsa_config *config, const char *key);
uint64_t ipfsa_config_bytes(const ipfsa_config *config, const char *key); /* "10GB", "256KiB", 262144 */
const char *ipfsa_config_string(const ipfsa_config *config, const char *key); /* borrowed until set or free; never NULL */
/* The texts of a list; owned, free with ipfsa_config_list_free. An empty list is NULL with *ret_n 0. */
ipfsa_status ipfsa_config_list(const ipfsa_config *config, const char *key, char ***ret, size_t *ret_n, ipfsa_error *err);
void ipfsa_config_list_free(char **list, size_t n);
bool ipfsa_config_is_set(const ipfsa_config *config, const char *key); /* in the file, a profile or the environment */

/* Names of the tables [endpoints.NAME], each once, in the order of the file; owned, ipfsa_config_list_free. */
ipfsa_status ipfsa_config_endpoints(const ipfsa_config *config, char ***ret, size_t *ret_n, ipfsa_error *err);
/* A value of [endpoints.NAME] by a key of the schema, or its default; owned, ipfsa_free. E_INVALID: what stands there is none of this key. */
ipfsa_status ipfsa_config_endpoint_get(const ipfsa_config *config, const char *endpoint, const char *key, char **ret, ipfsa_error *err);

/* By any name, ours or Kubo's dotted one ("Import.CidVersion"). JSON text in and out, as `ipfs config` does; section names give objects.
 * get: E_NOT_FOUND "failed to get config value: \"Nope not found\"". *ret_json owned, ipfsa_free. An unset optional Kubo key gives "null". */
ipfsa_status ipfsa_config_get_json(const ipfsa_config *config, const char *name, char **ret_json, ipfsa_error *err);
/* value_json: `1`, `true`, `"text"`, `null` (= unset). Type and range checked. In memory until save. Comments and order are kept. */
ipfsa_status ipfsa_config_set_json(ipfsa_config *config, const char *name, const char *value_json, ipfsa_error *err);
ipfsa_status ipfsa_config_set_string(ipfsa_config *config, const char *name, const char *text, ipfsa_error *err); /* `ipfs config K V` */
ipfsa_status ipfsa_config_save(ipfsa_config *config, int dirfd, const char *path, ipfsa_error *err); /* atomic */
const char *ipfsa_config_text(const ipfsa_config *config, size_t *ret_len); /* the TOML as it would be saved */
/* All effective values: TOML text, or Kubo-shaped JSON. Secrets are hidden. Owned, ipfsa_free. */
ipfsa_status ipfsa_config_show(const ipfsa_config *config, bool json, char **ret_text, ipfsa_error *err);
/* Kubo's profiles that make sense here; E_NOT_FOUND "nope is not a profile". */
ipfsa_status ipfsa_config_apply_profile(ipfsa_config *config, const char *profile, ipfsa_error *err);
bool ipfsa_config_profile_row(size_t i, const char **ret_name, const char **ret_description);

#endif
