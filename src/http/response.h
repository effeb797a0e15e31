/* Reads one response after the other from bytes as they come (RFC 9112), strictly: what could be understood in two ways is an error. Threads: one
 * at a time per reader. */
#ifndef IPFSA_HTTP_RESPONSE_H
#define IPFSA_HTTP_RESPONSE_H

#include "base/buf.h"
#include "base/bytes.h"

#define IPFSA_MAX_HTTP_LINE 8192u      /* bytes of a status line, header, chunk size; what servers send stays far below */
#define IPFSA_MAX_HTTP_HEADERS 65536u  /* bytes of all headers of one response */
#define IPFSA_MAX_HTTP_HEADER_COUNT 100u
#define IPFSA_MAX_HTTP_INTERIM 8u      /* 1xx responses before the real one */

typedef enum ipfsa_http_event {
  IPFSA_HTTP_MORE, /* all bytes are used up: give more, or tell that the stream ended */
  IPFSA_HTTP_HEAD, /* status and headers are known */
  IPFSA_HTTP_BODY, /* a piece of the body, borrowed from the input */
  IPFSA_HTTP_END   /* the response is over; with `upgraded` what follows belongs to another protocol */
} ipfsa_http_event;

typedef enum ipfsa_http_state {
  IPFSA_HTTP_AT_STATUS, IPFSA_HTTP_AT_HEADER, IPFSA_HTTP_AT_BODY, IPFSA_HTTP_AT_CHUNK_SIZE, IPFSA_HTTP_AT_CHUNK_END, IPFSA_HTTP_AT_TRAILER,
  IPFSA_HTTP_AT_CLOSE, IPFSA_HTTP_AT_END, IPFSA_HTTP_IS_OVER
} ipfsa_http_state;

typedef struct ipfsa_http_reader {
  ipfsa_http_state state;
  bool head_only;         /* the request was HEAD: no body whatever the headers say */
  bool chunked, has_length, upgraded;
  bool keep_alive;        /* valid at END: the connection can carry another request */
  int status;             /* 100..999 */
  uint64_t left;          /* bytes of the body or chunk to come */
  ipfsa_buf line;         /* the line being gathered */
  ipfsa_buf headers;      /* "name\0value\0" pairs, names in lower case */
  unsigned n_headers, n_interim;
} ipfsa_http_reader;

void ipfsa_http_reader_init(ipfsa_http_reader *reader, bool head_only);
void ipfsa_http_reader_release(ipfsa_http_reader *reader);
/* Goes on to the next event. E_MALFORMED and E_LIMIT: the connection is of no use any more. */
ipfsa_status ipfsa_http_read(ipfsa_http_reader *reader, ipfsa_cursor *in, ipfsa_http_event *ret, ipfsa_bytes *ret_body, ipfsa_error *err);
/* The stream ended: OK when the response could end here, else E_IO. */
ipfsa_status ipfsa_http_read_eof(ipfsa_http_reader *reader, ipfsa_error *err);
/* First value of a header (name in lower case), or NULL; borrowed until the reader is released or starts anew. */
const char *ipfsa_http_header(const ipfsa_http_reader *reader, const char *name);

#endif
