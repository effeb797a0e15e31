/* Unsigned varints of multiformats (strict: at most 9 bytes, minimal) and protobuf (at most 10 bytes, any form). */
#ifndef IPFSA_CODEC_VARINT_H
#define IPFSA_CODEC_VARINT_H

#include "base/buf.h"
#include "base/bytes.h"

#define IPFSA_MAX_VARINT 10
size_t ipfsa_varint_size(uint64_t v);                        /* 1..10 */
size_t ipfsa_varint_encode(uint64_t v, uint8_t *ret);        /* returns the length */
void ipfsa_buf_varint(ipfsa_buf *buf, uint64_t v);
bool ipfsa_cursor_varint(ipfsa_cursor *c, uint64_t *ret);    /* multiformats: 9 bytes, minimal form */
bool ipfsa_cursor_pb_varint(ipfsa_cursor *c, uint64_t *ret); /* protobuf: 10 bytes, longer forms read */

#endif
