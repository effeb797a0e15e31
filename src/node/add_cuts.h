/* Where --chunker=tensor cuts a file: at the tensors of the checkpoint that it is. Threads: any. */
#ifndef IPFSA_NODE_ADD_CUTS_H
#define IPFSA_NODE_ADD_CUTS_H

#include "base/source.h"
#include "unixfs/cuts.h"

/* ret->size is given. source (borrowed) has read_at; name tells formats and stands in errors. *ret_known false: it is no checkpoint, *err says why. */
ipfsa_status ipfsa_add_cuts(ipfsa_source *source, const char *name, ipfsa_cuts *ret, bool *ret_known, ipfsa_error *err);

#endif
