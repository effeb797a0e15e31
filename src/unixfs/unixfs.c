#include "unixfs/unixfs.h"

#include "base/error.h"
#include "codec/protobuf.h"

static ipfsa_status bad(ipfsa_error *err, const char *what) { return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "not UnixFS: %s", what); }

static ipfsa_status decode_mtime(ipfsa_bytes bytes, ipfsa_unixfs_meta *meta, ipfsa_error *err) {
  ipfsa_cursor c = ipfsa_cursor_over(bytes);
  bool has_seconds = false;
  uint32_t nanos = 0;
  while (ipfsa_cursor_left(&c)) {
    ipfsa_pb_field f;
    if (!ipfsa_cursor_pb_field(&c, &f)) return bad(err, "its mtime is cut short");
    if (f.number == 1 && f.wire == IPFSA_PB_VARINT) meta->mtime_s = (int64_t)f.value, has_seconds = true;
    if (f.number == 2 && f.wire == IPFSA_PB_FIXED32) {
      if (f.value == 0 || f.value > 999999999) return bad(err, "nanoseconds of mtime outside 1..999999999");
      nanos = (uint32_t)f.value;
    }
  }
  if (!has_seconds) return bad(err, "an mtime without seconds");
  meta->has_mtime = true;
  meta->mtime_ns = nanos;
  return IPFSA_OK;
}

static ipfsa_status add_blocksize(ipfsa_unixfs *u, uint64_t size, ipfsa_error *err) {
  u->n_blocksizes++;
  if (__builtin_add_overflow(u->blocksizes_sum, size, &u->blocksizes_sum)) return bad(err, "blocksizes sum up to over 2^64");
  return IPFSA_OK;
}

static ipfsa_status take_field(ipfsa_unixfs *u, const ipfsa_pb_field *f, bool *has_type, ipfsa_error *err) {
  bool varint = f->wire == IPFSA_PB_VARINT;
  switch (f->number) {
  case 1:
    if (!varint || f->value > IPFSA_UNIXFS_HAMT) return bad(err, "its Type is unknown");
    u->type = (ipfsa_unixfs_type)f->value;
    *has_type = true;
    return IPFSA_OK;
  case 2:
    if (f->wire != IPFSA_PB_BYTES) return bad(err, "its Data is no byte string");
    u->data = f->bytes;
    u->has_data = true;
    return IPFSA_OK;
  case 3:
    if (!varint) return bad(err, "its filesize is no number");
    u->filesize = f->value;
    u->has_filesize = true;
    return IPFSA_OK;
  case 4:
    if (varint) return add_blocksize(u, f->value, err);
    if (f->wire == IPFSA_PB_BYTES) { /* packed: never written, accepted */
      ipfsa_cursor c = ipfsa_cursor_over(f->bytes);
      uint64_t size;
      while (ipfsa_cursor_left(&c)) {
        if (!ipfsa_cursor_pb_varint(&c, &size)) return bad(err, "its blocksizes are cut short");
        ipfsa_status status = add_blocksize(u, size, err);
        if (status) return status;
      }
      return IPFSA_OK;
    }
    return bad(err, "its blocksizes are no numbers");
  case 5: u->hash_type = varint ? f->value : 0; return IPFSA_OK;
  case 6: u->fanout = varint ? f->value : 0; return IPFSA_OK;
  case 7: u->meta.mode = varint ? (uint32_t)f->value : 0; return IPFSA_OK;
  case 8: return f->wire == IPFSA_PB_BYTES ? decode_mtime(f->bytes, &u->meta, err) : bad(err, "its mtime is no message");
  default: return IPFSA_OK;
  }
}

static ipfsa_status check_rules(const ipfsa_unixfs *u, uint32_t n_links, ipfsa_error *err) {
  uint64_t total;
  switch (u->type) {
  case IPFSA_UNIXFS_RAW:
  case IPFSA_UNIXFS_FILE:
    if (u->n_blocksizes != n_links) return bad(err, "a file has as many blocksizes as links");
    if (__builtin_add_overflow(u->blocksizes_sum, u->data.len, &total)) return bad(err, "a file of over 2^64 bytes");
    if (u->has_filesize && u->filesize != total) return bad(err, "filesize is not the sum of Data and blocksizes");
    if (!u->has_filesize && total != 0) return bad(err, "filesize is missing");
    return IPFSA_OK;
  case IPFSA_UNIXFS_SYMLINK: return n_links ? bad(err, "a symlink with links") : IPFSA_OK;
  default: return IPFSA_OK;
  }
}

ipfsa_status ipfsa_unixfs_decode(ipfsa_bytes message, uint32_t n_links, ipfsa_unixfs *ret, ipfsa_error *err) {
  ipfsa_cursor c = ipfsa_cursor_over(message);
  ipfsa_unixfs u = {.message = message};
  bool has_type = false;
  while (ipfsa_cursor_left(&c)) {
    ipfsa_pb_field f;
    if (!ipfsa_cursor_pb_field(&c, &f)) return bad(err, "the message is malformed");
    ipfsa_status status = take_field(&u, &f, &has_type, err);
    if (status) return status;
  }
  if (!has_type) return bad(err, "it has no Type");
  ipfsa_status status = check_rules(&u, n_links, err);
  if (status) return status;
  *ret = u;
  return IPFSA_OK;
}

ipfsa_blocksize_iter ipfsa_unixfs_blocksizes(const ipfsa_unixfs *u) {
  return (ipfsa_blocksize_iter){ipfsa_cursor_over(u->message), ipfsa_cursor_over((ipfsa_bytes){0})};
}

bool ipfsa_blocksize_next(ipfsa_blocksize_iter *iter, uint64_t *ret) {
  for (;;) {
    if (ipfsa_cursor_left(&iter->packed)) return ipfsa_cursor_pb_varint(&iter->packed, ret);
    ipfsa_pb_field f;
    if (!ipfsa_cursor_left(&iter->cursor) || !ipfsa_cursor_pb_field(&iter->cursor, &f)) return false;
    if (f.number != 4) continue;
    if (f.wire == IPFSA_PB_VARINT) return *ret = f.value, true;
    iter->packed = ipfsa_cursor_over(f.bytes);
  }
}

ipfsa_status ipfsa_unixfs_decode_block(ipfsa_bytes block, ipfsa_pbnode *ret_node, ipfsa_unixfs *ret, ipfsa_error *err) {
  ipfsa_pbnode node;
  ipfsa_status status = ipfsa_pbnode_decode(block, &node, err);
  if (status) return status;
  if (!node.has_data) return bad(err, "the node has no Data");
  status = ipfsa_unixfs_decode(node.data, node.n_links, ret, err);
  if (status == IPFSA_OK) *ret_node = node;
  return status;
}

void ipfsa_buf_unixfs_meta(ipfsa_buf *buf, const ipfsa_unixfs_meta *meta) {
  if (!meta) return;
  if (meta->mode) ipfsa_buf_pb_varint(buf, 7, meta->mode);
  if (!meta->has_mtime) return;
  uint64_t seconds = (uint64_t)meta->mtime_s;
  size_t len = 1 + ipfsa_varint_size(seconds) + (meta->mtime_ns ? 5 : 0);
  ipfsa_buf_varint(buf, 8 << 3 | IPFSA_PB_BYTES);
  ipfsa_buf_varint(buf, len);
  ipfsa_buf_pb_varint(buf, 1, seconds);
  if (meta->mtime_ns) ipfsa_buf_pb_fixed32(buf, 2, meta->mtime_ns);
}

void ipfsa_buf_unixfs_leaf(ipfsa_buf *buf, ipfsa_unixfs_type type, ipfsa_bytes data, const ipfsa_unixfs_meta *meta) {
  ipfsa_buf_pb_varint(buf, 1, type);
  if (data.len) ipfsa_buf_pb_bytes(buf, 2, data);
  ipfsa_buf_pb_varint(buf, 3, data.len);
  ipfsa_buf_unixfs_meta(buf, meta);
}

void ipfsa_buf_unixfs_file(ipfsa_buf *buf, uint64_t filesize, const uint64_t *blocksizes, size_t n, const ipfsa_unixfs_meta *meta) {
  ipfsa_buf_pb_varint(buf, 1, IPFSA_UNIXFS_FILE);
  ipfsa_buf_pb_varint(buf, 3, filesize);
  for (size_t i = 0; i < n; i++) ipfsa_buf_pb_varint(buf, 4, blocksizes[i]);
  ipfsa_buf_unixfs_meta(buf, meta);
}

void ipfsa_buf_unixfs_directory(ipfsa_buf *buf, const ipfsa_unixfs_meta *meta) {
  ipfsa_buf_pb_varint(buf, 1, IPFSA_UNIXFS_DIRECTORY);
  ipfsa_buf_unixfs_meta(buf, meta);
}

void ipfsa_buf_unixfs_symlink(ipfsa_buf *buf, ipfsa_bytes target, const ipfsa_unixfs_meta *meta) {
  ipfsa_buf_pb_varint(buf, 1, IPFSA_UNIXFS_SYMLINK);
  if (target.len) ipfsa_buf_pb_bytes(buf, 2, target);
  ipfsa_buf_unixfs_meta(buf, meta);
}

void ipfsa_buf_unixfs_hamt(ipfsa_buf *buf, ipfsa_bytes bitmap, uint64_t fanout, const ipfsa_unixfs_meta *meta) {
  ipfsa_buf_pb_varint(buf, 1, IPFSA_UNIXFS_HAMT);
  if (bitmap.len) ipfsa_buf_pb_bytes(buf, 2, bitmap);
  ipfsa_buf_pb_varint(buf, 5, 0x22);
  ipfsa_buf_pb_varint(buf, 6, fanout);
  ipfsa_buf_unixfs_meta(buf, meta);
}
