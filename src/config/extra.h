/* Keys that are not in the schema, in sections that are open to others (endpoints.NAME and the like): kept, shown, changed, never judged. */
#ifndef IPFSA_CONFIG_EXTRA_H
#define IPFSA_CONFIG_EXTRA_H

#include "base/buf.h"
#include "config/config.h"

typedef struct ipfsa_config_extra {
  char *name, *text; /* text: strings as they are, all else as JSON */
  bool quoted;       /* a string */
} ipfsa_config_extra;
typedef struct ipfsa_config_extras { /* zeroed = none; in the order they were read */
  ipfsa_config_extra *items;
  size_t n, cap;
} ipfsa_config_extras;
const ipfsa_config_extras *ipfsa_config_extras_of(const ipfsa_config *config);
void ipfsa_config_extras_release(ipfsa_config_extras *extras);
ipfsa_status ipfsa_config_extras_add(ipfsa_config_extras *extras, const char *name, const char *text, bool quoted, ipfsa_error *err);
const ipfsa_config_extra *ipfsa_config_extras_find(const ipfsa_config_extras *extras, const char *name);
/* The same keys with the same values, `but` (may be NULL) left out of both. */
bool ipfsa_config_extras_equal(const ipfsa_config_extras *a, const ipfsa_config_extras *b, const char *but);

bool ipfsa_config_is_secret(const char *name); /* api_key, password, …: not shown with others */
/* May a key of this name be made? "endpoints.NAME.KEY" alone: elsewhere it would be a slip of the pen. */
bool ipfsa_config_is_open(const char *name);
/* Appends "KEY = VALUE" lines of those right in `section` (its length given), secrets hidden. */
void ipfsa_config_extras_print(const ipfsa_config_extras *extras, const char *section, size_t section_len, ipfsa_buf *out);
size_t ipfsa_config_section_len(const char *name); /* of "a.b" in "a.b.key", 0 for a key at the root */

#define IPFSA_CONFIG_HIDDEN "(hidden)" /* what is shown for a secret */

#endif
