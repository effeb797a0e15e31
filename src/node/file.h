/* What other nouns ask of an open file beside the public calls. */
#ifndef IPFSA_NODE_FILE_H
#define IPFSA_NODE_FILE_H

#include <ipfsa/read.h>

#include "base/source.h"

/* Which ranges of it the store has not (unixfs/missing.h). */
ipfsa_status ipfsa_file_missing_ranges(ipfsa_file *file, ipfsa_range_cb cb, void *ctx, ipfsa_error *err);

#endif
