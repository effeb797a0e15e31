/* What came back: status, headers in order, and the URL that answered in the end. Threads: one at a time per response. */
#ifndef IPFSA_HTTP_RESPONSE_H
#define IPFSA_HTTP_RESPONSE_H

#include "http/origin.h"

#define IPFSA_MAX_HTTP_HEADERS 65536 /* bytes of all headers of an answer; own limit */
#define IPFSA_MAX_HTTP_N_HEADERS 100 /* own limit */

typedef struct ipfsa_http_response { /* zeroed is valid */
  int status;
  ipfsa_origin origin; /* of the URL that answered, after redirects */
  ipfsa_buf target;    /* its path and query, terminated */
  ipfsa_buf headers;   /* "name\0value\0" …, names in lower case */
  unsigned n_headers;
} ipfsa_http_response;

void ipfsa_http_response_release(ipfsa_http_response *response);
#define IPFSA_AUTO_HTTP_RESPONSE __attribute__((cleanup(ipfsa_http_response_release)))
/* The i-th value (from 0) of a header, by its name in lower case; NULL when there is none. Borrowed until release. */
const char *ipfsa_http_response_header(const ipfsa_http_response *response, const char *name, unsigned i);
/* One line as it came, with its line end: a status line begins the headers anew. */
ipfsa_status ipfsa_http_response_take_line(ipfsa_http_response *response, ipfsa_bytes line, ipfsa_error *err);

#endif
