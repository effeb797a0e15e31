/* What other nouns ask of an open file beside the public calls. */
#ifndef IPFSA_NODE_FILE_H
#define IPFSA_NODE_FILE_H

#include <ipfsa/read.h>

#include "base/source.h"

/* Which ranges of it the store has not (unixfs/missing.h). */
ipfsa_status ipfsa_file_missing_ranges(ipfsa_file *file, ipfsa_range_cb cb, void *ctx, ipfsa_error *err);

/* ipfsa_source.leaf_at of a file: sha2-256 of the block, and how it wraps its bytes. */
bool ipfsa_file_leaf_at(ipfsa_file *file, uint64_t off, ipfsa_source_leaf *ret);

/* ipfsa_source.rest and .wake of a file: views stay, and are good again when no gc came between and their packs are as they were. */
bool ipfsa_file_rest(ipfsa_file *file);
bool ipfsa_file_wake(ipfsa_file *file);

#endif
