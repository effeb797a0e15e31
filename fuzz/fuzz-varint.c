/* Varints of multiformats and of protobuf, and protobuf fields. Accepted: the whole input is one strict varint. */
#include "codec/protobuf.h"
#include "fuzz.h"

static void strict(ipfsa_bytes in) {
  ipfsa_cursor c = ipfsa_cursor_over(in);
  uint64_t v = 0;
  if (!ipfsa_cursor_varint(&c, &v)) {
    FUZZ_CHECK(ipfsa_cursor_offset(&c) == 0);
    return;
  }
  uint8_t out[IPFSA_MAX_VARINT];
  size_t n = ipfsa_varint_encode(v, out);
  FUZZ_CHECK(v <= INT64_MAX && n == ipfsa_varint_size(v));
  FUZZ_CHECK(n == ipfsa_cursor_offset(&c) && memcmp(out, in.data, n) == 0);
  fuzz_accepted = ipfsa_cursor_left(&c) == 0;
}

static void lax(ipfsa_bytes in) {
  ipfsa_cursor c = ipfsa_cursor_over(in);
  uint64_t v = 0, back = 0;
  if (!ipfsa_cursor_pb_varint(&c, &v)) return;
  uint8_t out[IPFSA_MAX_VARINT];
  size_t n = ipfsa_varint_encode(v, out);
  FUZZ_CHECK(n <= ipfsa_cursor_offset(&c));
  ipfsa_cursor again = ipfsa_cursor_over(ipfsa_bytes_of(out, n));
  FUZZ_CHECK(ipfsa_cursor_pb_varint(&again, &back) && back == v && ipfsa_cursor_left(&again) == 0);
}

static void fields(ipfsa_bytes in) {
  ipfsa_cursor c = ipfsa_cursor_over(in);
  ipfsa_pb_field field, back;
  while (ipfsa_cursor_left(&c) && ipfsa_cursor_pb_field(&c, &field)) {
    IPFSA_AUTO_BUF ipfsa_buf buf = {0};
    if (field.wire == IPFSA_PB_VARINT) ipfsa_buf_pb_varint(&buf, field.number, field.value);
    else if (field.wire == IPFSA_PB_FIXED32) ipfsa_buf_pb_fixed32(&buf, field.number, (uint32_t)field.value);
    else if (field.wire == IPFSA_PB_BYTES) ipfsa_buf_pb_bytes(&buf, field.number, field.bytes);
    else continue;
    ipfsa_cursor again = ipfsa_cursor_over(ipfsa_buf_bytes(&buf));
    FUZZ_CHECK(buf.failed || ipfsa_cursor_pb_field(&again, &back));
    if (buf.failed) continue;
    FUZZ_CHECK(back.number == field.number && back.wire == field.wire);
    FUZZ_CHECK(field.wire == IPFSA_PB_BYTES ? ipfsa_bytes_equal(back.bytes, field.bytes) : back.value == field.value);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ipfsa_bytes in = ipfsa_bytes_of(data, size);
  strict(in);
  lax(in);
  fields(in);
  return 0;
}
