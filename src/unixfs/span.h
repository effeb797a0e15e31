/* From an offset in a file to the leaf that holds it, without walking the DAG again. Threads: one at a time. */
#ifndef IPFSA_UNIXFS_SPAN_H
#define IPFSA_UNIXFS_SPAN_H

#include "exchange/blockstore.h"

typedef struct ipfsa_span { /* bytes [start, start + place.len) of the file */
  uint64_t start;
  ipfsa_place place;
} ipfsa_span;

typedef struct ipfsa_span_map ipfsa_span_map;
ipfsa_status ipfsa_span_map_new(ipfsa_blockstore *bs, const ipfsa_cid *file, uint64_t size, ipfsa_span_map **ret, ipfsa_error *err);
void ipfsa_span_map_forget(ipfsa_span_map *map); /* leaves that came since are found, which were not there before */
void ipfsa_span_map_free(ipfsa_span_map *map); /* NULL is fine */
/* NULL: no such leaf is known; read the file in the usual way. Borrowed until the next call. */
const ipfsa_span *ipfsa_span_map_find(ipfsa_span_map *map, uint64_t off);

#endif
