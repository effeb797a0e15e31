/* Protobuf wire format, as much as dag-pb and UnixFS need. */
#ifndef IPFSA_CODEC_PROTOBUF_H
#define IPFSA_CODEC_PROTOBUF_H

#include "codec/varint.h"

typedef enum ipfsa_pb_wire { IPFSA_PB_VARINT = 0, IPFSA_PB_FIXED64 = 1, IPFSA_PB_BYTES = 2, IPFSA_PB_FIXED32 = 5 } ipfsa_pb_wire;
typedef struct ipfsa_pb_field {
  uint32_t number;
  ipfsa_pb_wire wire;
  uint64_t value;    /* VARINT, FIXED32, FIXED64 */
  ipfsa_bytes bytes; /* BYTES, borrowed from the input */
} ipfsa_pb_field;
/* Reads the next field; false on malformed input (wire types 3, 4, 6, 7, number 0, length past the end). Check
 * ipfsa_cursor_left first: an empty cursor is the end, not an error. */
bool ipfsa_cursor_pb_field(ipfsa_cursor *c, ipfsa_pb_field *ret);
void ipfsa_buf_pb_varint(ipfsa_buf *buf, uint32_t number, uint64_t v);
void ipfsa_buf_pb_bytes(ipfsa_buf *buf, uint32_t number, ipfsa_bytes v);
void ipfsa_buf_pb_fixed32(ipfsa_buf *buf, uint32_t number, uint32_t v);

#endif
