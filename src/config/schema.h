/* The one table of keys: section, name, type, default, range, Kubo's name. Everything else in this room follows from it. */
#ifndef IPFSA_CONFIG_SCHEMA_H
#define IPFSA_CONFIG_SCHEMA_H

#include "config/config.h"

typedef enum ipfsa_config_type {
  IPFSA_CONFIG_BOOL,
  IPFSA_CONFIG_INT,
  IPFSA_CONFIG_BYTES,  /* an integer, or text with a unit: "10GB", "256KiB" */
  IPFSA_CONFIG_STRING,
  IPFSA_CONFIG_CHOICE, /* one of `choices`, separated by "|" */
  IPFSA_CONFIG_FLAG,   /* true, false, or unset */
  IPFSA_CONFIG_CHUNKER,
  IPFSA_CONFIG_LIST,   /* of texts; kept as JSON, which is TOML as well */
  IPFSA_CONFIG_SECONDS /* whole or with a fraction */
} ipfsa_config_type;

typedef struct ipfsa_config_key {
  const char *name;     /* "import.cid_version" */
  ipfsa_config_type type;
  const char *default_; /* as text; "" = unset for FLAG and STRING */
  int64_t min, max;     /* INT, BYTES */
  const char *choices;
  const char *kubo;     /* "Import.CidVersion", or NULL */
  const char *help;
} ipfsa_config_key;

extern const ipfsa_config_key ipfsa_config_schema[];
extern const size_t ipfsa_config_n_keys;
/* Sections whose keys must all be known; in others unknown keys are kept (the old Python package's promise). */
bool ipfsa_config_owns_section(const char *section, size_t len);
size_t ipfsa_config_find(const char *name);      /* by our name; SIZE_MAX */
size_t ipfsa_config_find_kubo(const char *name); /* by Kubo's, case-insensitively; SIZE_MAX */
const char *ipfsa_config_nearest(const char *name); /* the known name with the fewest differences, or NULL */

/* The key of an "endpoints.NAME.KEY", whose `name` is KEY alone; NULL when this table does not know it: then it is kept as it is. */
const ipfsa_config_key *ipfsa_config_endpoint_key(const char *name);

/* Is the text a value of this key? On success *ret_canonical holds it in the form the getters read; owned, ipfsa_free. quoted: it stood
 * in quotation marks. */
ipfsa_status ipfsa_config_check(const ipfsa_config_key *key, const char *text, bool quoted, char **ret_canonical, ipfsa_error *err);
bool ipfsa_config_parse_bytes(const char *text, uint64_t *ret);
#define IPFSA_MAX_CONFIG_LIST 256 /* texts in one list; own limit */

#endif
