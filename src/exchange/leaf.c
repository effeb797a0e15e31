#include "codec/varint.h"
#include "exchange/blockstore.h"

/* A dag-pb leaf is 0a vi(message) | 08 type 12 vi(n) <data> 18 vi(n); with no data the field 12 is left out (content-addressing, UnixFS). */
void ipfsa_leaf_wrap(ipfsa_leaf_kind kind, uint64_t len, uint8_t *ret_prefix, size_t *ret_prefix_len, uint8_t *ret_suffix,
                     size_t *ret_suffix_len) {
  *ret_prefix_len = *ret_suffix_len = 0;
  if (kind == IPFSA_LEAF_RAW) return;
  uint8_t head[16], *suffix = ret_suffix;
  size_t n = 0;
  head[n++] = 0x08;
  head[n++] = kind == IPFSA_LEAF_PB_FILE ? 2 : 0;
  if (len) {
    head[n++] = 0x12;
    n += ipfsa_varint_encode(len, head + n);
  }
  *suffix = 0x18;
  *ret_suffix_len = 1 + ipfsa_varint_encode(len, suffix + 1);
  uint8_t *p = ret_prefix;
  *p++ = 0x0a;
  p += ipfsa_varint_encode(n + len + *ret_suffix_len, p);
  memcpy(p, head, n);
  *ret_prefix_len = (size_t)(p - ret_prefix) + n;
}
