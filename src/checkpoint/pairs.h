/* Metadata of a checkpoint: texts under keys, in the order of the file. Threads: built by one; read by any. */
#ifndef IPFSA_CHECKPOINT_PAIRS_H
#define IPFSA_CHECKPOINT_PAIRS_H

#include "base/buf.h"
#include "base/bytes.h"

#define IPFSA_MAX_CHECKPOINT_PAIRS (1u << 20)           /* real files have tens */
#define IPFSA_MAX_CHECKPOINT_METADATA (16u << 20)       /* bytes of all keys and values; trainers leave a few hundred KiB */

typedef struct ipfsa_pair {
  uint32_t key, key_len, value, value_len; /* in text */
} ipfsa_pair;
typedef struct ipfsa_pairs {
  ipfsa_buf text;
  ipfsa_pair *items;
  size_t n, cap;
} ipfsa_pairs;

void ipfsa_pairs_release(ipfsa_pairs *p);
ipfsa_status ipfsa_pairs_add(ipfsa_pairs *p, ipfsa_bytes key, ipfsa_bytes value, ipfsa_error *err); /* copies both */
/* *ret: the number of one whose key another has too, SIZE_MAX when there is none. */
ipfsa_status ipfsa_pairs_find_twice(const ipfsa_pairs *p, size_t *ret, ipfsa_error *err);
static inline ipfsa_bytes ipfsa_pairs_key(const ipfsa_pairs *p, size_t i) { return ipfsa_bytes_of(p->text.data + p->items[i].key, p->items[i].key_len); }

#endif
