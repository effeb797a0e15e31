/* Where a file is cut when somebody knows its parts: chunks never straddle two large parts, and what is equal in two files becomes equal chunks
 * wherever it stands. Threads: built by one; read by any. */
#ifndef IPFSA_UNIXFS_CUTS_H
#define IPFSA_UNIXFS_CUTS_H

#include <ipfsa/base.h>

typedef struct ipfsa_cuts {
  uint32_t size;  /* bytes of the largest chunk; given */
  uint64_t *ends; /* of pieces, rising: each is cut every `size` bytes from its own start */
  size_t n, cap;
  uint64_t start, at; /* of the piece under way, and how far it came */
} ipfsa_cuts;

void ipfsa_cuts_release(ipfsa_cuts *c);
/* The next part reaches from where the last one ended to `end`. Parts shorter than `size` that stand together share a chunk while they fit. */
ipfsa_status ipfsa_cuts_add(ipfsa_cuts *c, uint64_t end, ipfsa_error *err);
ipfsa_status ipfsa_cuts_close(ipfsa_cuts *c, ipfsa_error *err); /* a border, whatever the sizes; also at the end of the file */
/* Where the chunk ends that begins at off, which is a border; behind the last part every `size` bytes. */
uint64_t ipfsa_cuts_next(const ipfsa_cuts *c, uint64_t off);

#endif
