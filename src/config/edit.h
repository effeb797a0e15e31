/* Changing one key of a TOML text and nothing else: comments, order and spacing stay. */
#ifndef IPFSA_CONFIG_EDIT_H
#define IPFSA_CONFIG_EDIT_H

#include "base/buf.h"

/* Sets section.key to text (quoted: as a string); NULL removes it. A key that is not there is added at the end of its section. */
ipfsa_status ipfsa_toml_edit(ipfsa_buf *toml, const char *name, const char *text, bool quoted, ipfsa_error *err);

/* Appends a value; quoted: as a string, escaped. */
void ipfsa_toml_put_value(ipfsa_buf *out, const char *text, bool quoted);

#endif
