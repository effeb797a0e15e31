/* What containers, volumes, networks and images may be called, and what the configuration allows by name. Threads: any. */
#ifndef IPFSA_CONTAINER_NAMES_H
#define IPFSA_CONTAINER_NAMES_H

#include "container/engine.h"
#include "container/reference.h"

#define IPFSA_MAX_OBJECT_NAME 128u     /* bytes; engines take more, host names do not */

/* `what` is "container", "volume" or "network". */
ipfsa_status ipfsa_name_check(const char *what, const char *name, ipfsa_error *err);

/* A reference that images may come from: docker.allowed_registries, or this machine itself. E_INVALID, E_DENIED. */
ipfsa_status ipfsa_image_parse(const ipfsa_engine *engine, const char *name, ipfsa_reference *ret, ipfsa_error *err);
/* As engines understand it: without docker.io and library where they are implied; with_tag: with the digest, else the tag, else latest. */
void ipfsa_image_put(ipfsa_buf *out, const ipfsa_reference *reference, bool with_tag);

/* Is `word` one of the texts in a list separated by spaces? */
bool ipfsa_list_has(const char *list, const char *word);
/* Does the configuration allow this dangerous thing: by "thing", or by "thing=value"? */
bool ipfsa_danger_allowed(const ipfsa_engine *engine, const char *thing, const char *value);
/* OK when it is allowed, else E_DENIED with how to allow it. */
ipfsa_status ipfsa_danger(const ipfsa_engine *engine, const char *thing, const char *value, const char *why, ipfsa_error *err);

#endif
