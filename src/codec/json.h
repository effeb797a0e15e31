/* JSON from outside into jansson values, with a bounded depth. Threads: any. */
#ifndef IPFSA_CODEC_JSON_H
#define IPFSA_CODEC_JSON_H

#include <ipfsa/base.h>
#include <jansson.h>

#include "base/buf.h"

#define IPFSA_MAX_JSON_DEPTH 64 /* objects and lists in each other; jansson recurses, so it must be bounded */

/* One whole text; a key that comes twice is malformed. *ret: json_decref. `what` names the text in errors. */
ipfsa_status ipfsa_json_load(ipfsa_bytes text, const char *what, json_t **ret, ipfsa_error *err);
/* The text under a key of an object, borrowed; NULL when there is none or it is no text. */
const char *ipfsa_json_string(const json_t *object, const char *key);
/* Its text, with jansson's flags; a failure sticks to out, json NULL (it could not be made) being one of memory. Not json_dumps: what that gives is freed as the
 * program that we are part of has told jansson (json_set_alloc_funcs). */
void ipfsa_json_put(ipfsa_buf *out, const json_t *json, size_t flags);
/* The same as a text of its own, ipfsa_free; NULL: no memory. */
char *ipfsa_json_print(const json_t *json, size_t flags);

#endif
