/* What came back: status, headers in order, and the URL that answered in the end. Threads: one at a time per response. */
#ifndef IPFSA_HTTP_ANSWER_H
#define IPFSA_HTTP_ANSWER_H

#include "http/origin.h"

#define IPFSA_MAX_ANSWER_HEADERS 65536 /* bytes of all headers of an answer; own limit */
#define IPFSA_MAX_ANSWER_N_HEADERS 100 /* own limit */

typedef struct ipfsa_http_answer { /* zeroed is valid */
  int status;
  ipfsa_origin origin; /* of the URL that answered, after redirects */
  ipfsa_buf target;    /* its path and query, terminated */
  ipfsa_buf headers;   /* "name\0value\0" …, names in lower case */
  unsigned n_headers;
} ipfsa_http_answer;

void ipfsa_http_answer_release(ipfsa_http_answer *response);
#define IPFSA_AUTO_HTTP_ANSWER __attribute__((cleanup(ipfsa_http_answer_release)))
/* The i-th value (from 0) of a header, by its name in lower case; NULL when there is none. Borrowed until release. */
const char *ipfsa_http_answer_header(const ipfsa_http_answer *response, const char *name, unsigned i);
/* One line as it came, with its line end: a status line begins the headers anew. */
ipfsa_status ipfsa_http_answer_take_line(ipfsa_http_answer *response, ipfsa_bytes line, ipfsa_error *err);

#endif
