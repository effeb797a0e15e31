/* dag-pb: strict decoding, canonical encoding. Source: ipld/ipld specs/codecs/dag-pb/spec.md. */
#ifndef IPFSA_IPLD_DAGPB_H
#define IPFSA_IPLD_DAGPB_H

#include "ipld/block.h"

#define IPFSA_MAX_PB_LINKS 65536

typedef struct ipfsa_pb_link {
  ipfsa_bytes cid; /* binary CID, already validated on decode */
  ipfsa_bytes name;
  uint64_t tsize;
  bool has_name, has_tsize;
} ipfsa_pb_link;

/* Decoding does not allocate: it checks the whole block once, then links are read one by one. All slices borrow from the block. */
typedef struct ipfsa_pbnode {
  ipfsa_bytes links; /* the encoded links, back to back */
  ipfsa_bytes data;
  bool has_data;
  uint32_t n_links;
} ipfsa_pbnode;
ipfsa_status ipfsa_pbnode_decode(ipfsa_bytes block, ipfsa_pbnode *ret, ipfsa_error *err);

typedef struct ipfsa_pb_link_iter { ipfsa_cursor cursor; } ipfsa_pb_link_iter;
ipfsa_pb_link_iter ipfsa_pbnode_links(const ipfsa_pbnode *node);
bool ipfsa_pb_link_next(ipfsa_pb_link_iter *iter, ipfsa_pb_link *ret); /* false at the end; cannot fail on a decoded node */
ipfsa_status ipfsa_pb_link_cid(const ipfsa_pb_link *link, ipfsa_cid *ret, ipfsa_error *err);

/* Encoding: links in the order given (the caller sorts directories by name, stably), then Data. */
void ipfsa_buf_pb_link(ipfsa_buf *buf, const ipfsa_pb_link *link);
void ipfsa_buf_pb_data(ipfsa_buf *buf, ipfsa_bytes data);
size_t ipfsa_pb_link_size(size_t cid_len, size_t name_len, uint64_t tsize); /* encoded with name and tsize, framing included */

#endif
