/* JSON from outside into jansson values, with a bounded depth. Threads: any. */
#ifndef IPFSA_CODEC_JSON_H
#define IPFSA_CODEC_JSON_H

#include <ipfsa/base.h>
#include <jansson.h>

#define IPFSA_MAX_JSON_DEPTH 64 /* objects and lists in each other; jansson recurses, so it must be bounded */

/* One whole text; a key that comes twice is malformed. *ret: json_decref. `what` names the text in errors. */
ipfsa_status ipfsa_json_load(ipfsa_bytes text, const char *what, json_t **ret, ipfsa_error *err);
/* The text under a key of an object, borrowed; NULL when there is none or it is no text. */
const char *ipfsa_json_string(const json_t *object, const char *key);

#endif
