/* A data-model value as one flat array in pre-order: no recursion, no pointers between nodes. What dag-cbor, dag-json and the logical form
 * of dag-pb are decoded into and encoded from. Threads: one at a time per value. */
#ifndef IPFSA_IPLD_VALUE_H
#define IPFSA_IPLD_VALUE_H

#include "ipld/walk.h"

#define IPFSA_MAX_NESTING 64            /* own limit; the public fixtures reach 11 */
#define IPFSA_MAX_VALUE_ITEMS (1u << 20) /* own limit, per block */

typedef enum ipfsa_value_type {
  IPFSA_VALUE_NULL,
  IPFSA_VALUE_BOOL,   /* u */
  IPFSA_VALUE_INT,    /* negative: −1 − u, else u: the range of CBOR, −2^64..2^64−1 */
  IPFSA_VALUE_FLOAT,  /* f, finite */
  IPFSA_VALUE_STRING, /* bytes, UTF-8 checked */
  IPFSA_VALUE_BYTES,  /* bytes */
  IPFSA_VALUE_LINK,   /* bytes: a binary CID, checked */
  IPFSA_VALUE_LIST,   /* u children follow */
  IPFSA_VALUE_MAP     /* likewise, each with its key */
} ipfsa_value_type;

typedef struct ipfsa_value_item {
  ipfsa_value_type type;
  bool negative;
  uint32_t next; /* index behind this item and all below it */
  uint64_t u;
  double f;
  ipfsa_bytes bytes; /* borrowed from the block, or from `arena` */
  ipfsa_bytes key;   /* in a map */
} ipfsa_value_item;

typedef struct ipfsa_value { /* zeroed = empty */
  ipfsa_value_item *items;
  size_t n_items, cap;
  uint8_t *arena; /* unescaped text and decoded bytes; never moved */
  size_t arena_len, arena_cap;
} ipfsa_value;

void ipfsa_value_release(ipfsa_value *value);
ipfsa_status ipfsa_value_reserve_arena(ipfsa_value *value, size_t n, ipfsa_error *err); /* once, before the first item */
/* Appends; *ret_index may be NULL. E_LIMIT over IPFSA_MAX_VALUE_ITEMS. */
ipfsa_status ipfsa_value_add(ipfsa_value *value, const ipfsa_value_item *item, size_t *ret_index, ipfsa_error *err);
size_t ipfsa_utf8_len(ipfsa_bytes text); /* bytes of its beginning that are well-formed */
static inline bool ipfsa_is_utf8(ipfsa_bytes text) { return ipfsa_utf8_len(text) == text.len; }

/* Indexes of a map's children sorted: bytewise, or (cbor) by length first. *ret owned, ipfsa_free. E_MALFORMED on duplicate keys. */
ipfsa_status ipfsa_value_sorted_keys(const ipfsa_value *value, size_t map, bool length_first, uint32_t **ret, ipfsa_error *err);

typedef ipfsa_status (*ipfsa_value_decode_fn)(ipfsa_bytes block, ipfsa_value *ret, ipfsa_error *err);
/* Any of dag-pb, dag-cbor, dag-json, raw by codec (cbor by its dag form; json knows no links and no bytes). E_NOT_SUPPORTED for others. */
/* Every link of a block that `decode` understands. */
ipfsa_status ipfsa_value_links(ipfsa_bytes block, ipfsa_value_decode_fn decode, ipfsa_link_cb cb, void *ctx, ipfsa_error *err);
ipfsa_status ipfsa_value_decode(uint64_t codec, ipfsa_bytes block, ipfsa_value *ret, ipfsa_error *err);
/* Encodes the item `at` and what is below it. E_NOT_SUPPORTED: links in plain cbor, links or bytes in plain json. */
ipfsa_status ipfsa_value_encode(uint64_t codec, const ipfsa_value *value, size_t at, ipfsa_buf *out, ipfsa_error *err);

/* Child by map key or list index; SIZE_MAX when there is none. */
size_t ipfsa_value_child(const ipfsa_value *value, size_t at, ipfsa_bytes segment);

#endif
