#include "ipld/dagpb.h"

#include "base/error.h"
#include "codec/protobuf.h"

/* Field order inside a PBLink is fixed: Hash 1, Name 2, Tsize 3; each at most once. */
static ipfsa_status decode_link(ipfsa_bytes body, uint64_t at, ipfsa_pb_link *ret, ipfsa_error *err) {
  ipfsa_cursor c = ipfsa_cursor_over(body);
  ipfsa_pb_link link = {0};
  uint32_t last = 0;
  while (ipfsa_cursor_left(&c)) {
    ipfsa_pb_field f;
    uint64_t off = at + ipfsa_cursor_offset(&c);
    if (!ipfsa_cursor_pb_field(&c, &f)) return ipfsa_fail_at(err, IPFSA_E_MALFORMED, off, "dag-pb: a link is cut short at byte %llu", (unsigned long long)off);
    if (f.number <= last || f.number > 3 || f.wire != (f.number == 3 ? IPFSA_PB_VARINT : IPFSA_PB_BYTES))
      return ipfsa_fail_at(err, IPFSA_E_MALFORMED, off, "dag-pb: field %u of a link at byte %llu is unknown, repeated or out of order",
                           f.number, (unsigned long long)off);
    last = f.number;
    if (f.number == 1) link.cid = f.bytes;
    if (f.number == 2) link.name = f.bytes, link.has_name = true;
    if (f.number == 3) link.tsize = f.value, link.has_tsize = true;
  }
  ipfsa_cid cid;
  if (!link.cid.data) return ipfsa_fail_at(err, IPFSA_E_MALFORMED, at, "dag-pb: the link at byte %llu has no Hash", (unsigned long long)at);
  ipfsa_status status = ipfsa_cid_decode(link.cid, &cid, err);
  if (status) return ipfsa_error_prefix(err, status, "dag-pb: link at byte %llu", (unsigned long long)at);
  *ret = link;
  return IPFSA_OK;
}

ipfsa_status ipfsa_pbnode_decode(ipfsa_bytes block, ipfsa_pbnode *ret, ipfsa_error *err) {
  ipfsa_cursor c = ipfsa_cursor_over(block);
  ipfsa_pbnode node = {0};
  bool links_over = false; /* Data came after links */
  while (ipfsa_cursor_left(&c)) {
    ipfsa_pb_field f;
    const uint8_t *before = c.pos;
    uint64_t off = ipfsa_cursor_offset(&c);
    if (!ipfsa_cursor_pb_field(&c, &f)) return ipfsa_fail_at(err, IPFSA_E_MALFORMED, off, "dag-pb: a field is cut short at byte %llu", (unsigned long long)off);
    if (f.wire != IPFSA_PB_BYTES || (f.number != 1 && f.number != 2))
      return ipfsa_fail_at(err, IPFSA_E_MALFORMED, off, "dag-pb: unknown field %u of wire type %d at byte %llu", f.number, (int)f.wire,
                           (unsigned long long)off);
    if (f.number == 1) {
      if (node.has_data) return ipfsa_fail_at(err, IPFSA_E_MALFORMED, off, "dag-pb: a second Data field at byte %llu", (unsigned long long)off);
      node.data = f.bytes;
      node.has_data = true;
      links_over = node.n_links > 0;
      continue;
    }
    if (links_over) return ipfsa_fail_at(err, IPFSA_E_MALFORMED, off, "dag-pb: links on both sides of Data (byte %llu)", (unsigned long long)off);
    if (node.n_links == IPFSA_MAX_PB_LINKS)
      return ipfsa_fail_at(err, IPFSA_E_LIMIT, off, "dag-pb: over %d links in one block", IPFSA_MAX_PB_LINKS);
    ipfsa_pb_link link;
    ipfsa_status status = decode_link(f.bytes, off, &link, err);
    if (status) return status;
    if (node.n_links++ == 0) node.links.data = before;
    node.links.len = (size_t)(c.pos - node.links.data);
  }
  *ret = node;
  return IPFSA_OK;
}

ipfsa_pb_link_iter ipfsa_pbnode_links(const ipfsa_pbnode *node) { return (ipfsa_pb_link_iter){ipfsa_cursor_over(node->links)}; }

bool ipfsa_pb_link_next(ipfsa_pb_link_iter *iter, ipfsa_pb_link *ret) {
  ipfsa_pb_field f;
  if (!ipfsa_cursor_left(&iter->cursor) || !ipfsa_cursor_pb_field(&iter->cursor, &f)) return false;
  ipfsa_cursor c = ipfsa_cursor_over(f.bytes);
  ipfsa_pb_link link = {0};
  while (ipfsa_cursor_left(&c) && ipfsa_cursor_pb_field(&c, &f)) {
    if (f.number == 1) link.cid = f.bytes;
    if (f.number == 2) link.name = f.bytes, link.has_name = true;
    if (f.number == 3) link.tsize = f.value, link.has_tsize = true;
  }
  *ret = link;
  return true;
}

ipfsa_status ipfsa_pb_link_cid(const ipfsa_pb_link *link, ipfsa_cid *ret, ipfsa_error *err) { return ipfsa_cid_decode(link->cid, ret, err); }

static size_t link_body_size(size_t cid_len, size_t name_len, bool has_name, uint64_t tsize, bool has_tsize) {
  size_t n = 1 + ipfsa_varint_size(cid_len) + cid_len;
  if (has_name) n += 1 + ipfsa_varint_size(name_len) + name_len;
  if (has_tsize) n += 1 + ipfsa_varint_size(tsize);
  return n;
}

size_t ipfsa_pb_link_size(size_t cid_len, size_t name_len, uint64_t tsize) {
  size_t body = link_body_size(cid_len, name_len, true, tsize, true);
  return 1 + ipfsa_varint_size(body) + body;
}

void ipfsa_buf_pb_link(ipfsa_buf *buf, const ipfsa_pb_link *link) {
  ipfsa_buf_u8(buf, 2 << 3 | IPFSA_PB_BYTES);
  ipfsa_buf_varint(buf, link_body_size(link->cid.len, link->name.len, link->has_name, link->tsize, link->has_tsize));
  ipfsa_buf_pb_bytes(buf, 1, link->cid);
  if (link->has_name) ipfsa_buf_pb_bytes(buf, 2, link->name);
  if (link->has_tsize) ipfsa_buf_pb_varint(buf, 3, link->tsize);
}

void ipfsa_buf_pb_data(ipfsa_buf *buf, ipfsa_bytes data) { ipfsa_buf_pb_bytes(buf, 1, data); }
