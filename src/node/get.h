/* What get to disk and get to an archive share. */
#ifndef IPFSA_NODE_GET_H
#define IPFSA_NODE_GET_H

#include "node/node.h"

/* E_NO_SPACE when the file system of `where` has not `size` bytes left, as `what` says of itself. Where nobody can tell, the writing will. */
ipfsa_status ipfsa_get_check_room(const char *what, const char *where, uint64_t size, ipfsa_error *err);

#endif
