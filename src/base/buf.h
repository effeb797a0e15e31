/* The bounded builder: bytes are appended, the first failure sticks, and it is looked at once at the end.
 * Zeroed is valid and empty; max 0 means the default limit of 1 GiB. Threads: one at a time per buf. */
#ifndef IPFSA_BASE_BUF_H
#define IPFSA_BASE_BUF_H

#include <ipfsa/base.h>
#include <stdarg.h>

typedef struct ipfsa_buf {
  uint8_t *data;
  size_t len, cap, max;
  ipfsa_status failed; /* IPFSA_OK, E_NOMEM or E_LIMIT; sticky until clear or release */
} ipfsa_buf;

void ipfsa_buf_release(ipfsa_buf *buf);
void ipfsa_buf_clear(ipfsa_buf *buf);                       /* empty and unfailed, memory kept */
bool ipfsa_buf_reserve(ipfsa_buf *buf, size_t more);        /* room for `more` bytes behind len */
void ipfsa_buf_append(ipfsa_buf *buf, const void *data, size_t len);
void ipfsa_buf_append_bytes(ipfsa_buf *buf, ipfsa_bytes bytes);
void ipfsa_buf_u8(ipfsa_buf *buf, uint8_t byte);
void ipfsa_buf_fill(ipfsa_buf *buf, uint8_t byte, size_t n);
void ipfsa_buf_u16be(ipfsa_buf *buf, uint16_t v);
void ipfsa_buf_u32be(ipfsa_buf *buf, uint32_t v);
void ipfsa_buf_u64be(ipfsa_buf *buf, uint64_t v);
void ipfsa_buf_u32le(ipfsa_buf *buf, uint32_t v);
void ipfsa_buf_u64le(ipfsa_buf *buf, uint64_t v);
void ipfsa_buf_str(ipfsa_buf *buf, const char *text);
void ipfsa_buf_printf(ipfsa_buf *buf, const char *format, ...) IPFSA_PRINTF(2, 3);
const char *ipfsa_buf_cstr(ipfsa_buf *buf);                 /* terminates (not counted in len); "" if failed */
ipfsa_status ipfsa_buf_status(const ipfsa_buf *buf, ipfsa_error *err); /* reports the sticky failure */
uint8_t *ipfsa_buf_take(ipfsa_buf *buf, size_t *ret_len);   /* owned, free with ipfsa_free; buf is empty after */
static inline ipfsa_bytes ipfsa_buf_bytes(const ipfsa_buf *buf) { return (ipfsa_bytes){buf->data, buf->len}; }
#define IPFSA_AUTO_BUF __attribute__((cleanup(ipfsa_buf_release)))

#endif
