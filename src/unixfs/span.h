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
/* The same for who only looks ahead: that something is not here says nothing about the rest of the file. */
const ipfsa_span *ipfsa_span_map_look(ipfsa_span_map *map, uint64_t off);
/* Where find gave NULL: no leaf is known in [*ret_start, *ret_end) around off, as far as one node of the file tells; 0 and the size where none does. */
void ipfsa_span_map_gap(const ipfsa_span_map *map, uint64_t off, uint64_t *ret_start, uint64_t *ret_end);

#endif
