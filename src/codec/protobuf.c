#include "codec/protobuf.h"

static bool read_fixed(ipfsa_cursor *c, ipfsa_pb_field *field) {
  if (field->wire == IPFSA_PB_FIXED64) return ipfsa_cursor_u64le(c, &field->value);
  uint32_t v;
  if (!ipfsa_cursor_u32le(c, &v)) return false;
  field->value = v;
  return true;
}

bool ipfsa_cursor_pb_field(ipfsa_cursor *c, ipfsa_pb_field *ret) {
  ipfsa_cursor at = *c;
  ipfsa_pb_field field = {0};
  uint64_t tag, len;
  if (!ipfsa_cursor_pb_varint(&at, &tag)) return false;
  if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff) return false; /* field numbers have 29 bits */
  field.number = (uint32_t)(tag >> 3);
  field.wire = (ipfsa_pb_wire)(tag & 7);
  bool ok = false;
  switch (field.wire) {
  case IPFSA_PB_VARINT: ok = ipfsa_cursor_pb_varint(&at, &field.value); break;
  case IPFSA_PB_BYTES: ok = ipfsa_cursor_pb_varint(&at, &len) && ipfsa_cursor_take(&at, len, &field.bytes); break;
  case IPFSA_PB_FIXED32:
  case IPFSA_PB_FIXED64: ok = read_fixed(&at, &field); break;
  }
  if (!ok) return false;
  *c = at;
  *ret = field;
  return true;
}

void ipfsa_buf_pb_varint(ipfsa_buf *buf, uint32_t number, uint64_t v) {
  ipfsa_buf_varint(buf, (uint64_t)number << 3 | IPFSA_PB_VARINT);
  ipfsa_buf_varint(buf, v);
}

void ipfsa_buf_pb_bytes(ipfsa_buf *buf, uint32_t number, ipfsa_bytes v) {
  ipfsa_buf_varint(buf, (uint64_t)number << 3 | IPFSA_PB_BYTES);
  ipfsa_buf_varint(buf, v.len);
  ipfsa_buf_append_bytes(buf, v);
}

void ipfsa_buf_pb_fixed32(ipfsa_buf *buf, uint32_t number, uint32_t v) {
  ipfsa_buf_varint(buf, (uint64_t)number << 3 | IPFSA_PB_FIXED32);
  ipfsa_buf_u32le(buf, v);
}
