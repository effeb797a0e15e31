/* Ignore rules in gitignore's form, as `ipfs add` applies them: each pattern is held against an entry's own name, never its path. */
#ifndef IPFSA_NODE_IGNORE_H
#define IPFSA_NODE_IGNORE_H

#include "base/bytes.h"

typedef struct ipfsa_ignore { /* zeroed = no rules */
  char **patterns;
  size_t n, cap;
} ipfsa_ignore;

#define IPFSA_MAX_IGNORE_FILE (1u << 20) /* bytes of a rules file */
ipfsa_status ipfsa_ignore_add(ipfsa_ignore *rules, const char *line, size_t len, ipfsa_error *err); /* comments and blank lines are dropped */
ipfsa_status ipfsa_ignore_add_file(ipfsa_ignore *rules, const char *path, ipfsa_error *err);
bool ipfsa_ignore_matches(const ipfsa_ignore *rules, const char *name); /* the last pattern that fits decides */
void ipfsa_ignore_release(ipfsa_ignore *rules);

#endif
