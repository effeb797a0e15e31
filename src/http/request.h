/* Request heads (RFC 9112). What would break the framing (control characters, spaces in a target) is refused, so that nothing a caller passes can
 * become a second request. Threads: any. */
#ifndef IPFSA_HTTP_REQUEST_H
#define IPFSA_HTTP_REQUEST_H

#include "base/buf.h"

/* One segment of a path, or a value of a query, percent-encoded: everything but unreserved characters (RFC 3986, 2.3). */
void ipfsa_http_put_encoded(ipfsa_buf *target, const char *text);
/* "?key=value" or "&key=value", as the target needs it. */
void ipfsa_http_put_query(ipfsa_buf *target, const char *key, const char *value);

ipfsa_status ipfsa_http_put_request(ipfsa_buf *head, const char *method, const char *target, ipfsa_error *err);
ipfsa_status ipfsa_http_put_header(ipfsa_buf *head, const char *name, const char *value, ipfsa_error *err);
void ipfsa_http_put_end(ipfsa_buf *head); /* the empty line */

#endif
