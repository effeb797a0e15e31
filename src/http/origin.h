/* URLs and addresses of outgoing requests: what is accepted, and what counts as private. Pure: no name is resolved here. Threads: any. */
#ifndef IPFSA_HTTP_ORIGIN_H
#define IPFSA_HTTP_ORIGIN_H

#include <sys/socket.h>

#include "base/buf.h"

#define IPFSA_MAX_URL 8192  /* bytes; the request line of most servers */
#define IPFSA_MAX_HOST 253  /* bytes; RFC 1035 without the last dot */
#define IPFSA_MAX_ORIGIN (IPFSA_MAX_HOST + 20) /* "https://[host]:65535" and NUL */

typedef struct ipfsa_origin {
  bool tls;
  bool ip6;      /* host is an IPv6 address, without brackets */
  uint16_t port;
  char host[IPFSA_MAX_HOST + 1]; /* lower case, without a last dot; addresses in their one usual form */
} ipfsa_origin;

/* "http[s]://HOST[:PORT]TARGET". *ret_target (may be NULL) is borrowed from text: "" or from "/" or "?" on, a fragment not cut off. Refused
 * with E_INVALID: other schemes, user-info, zones, hosts outside ASCII, addresses in other than their usual form (decimal, octal, short). */
ipfsa_status ipfsa_url_parse(const char *text, ipfsa_origin *ret, const char **ret_target, ipfsa_error *err);
/* Where a Location or Link leads that came with the answer to base + target; appended to out, without fragment. */
ipfsa_status ipfsa_url_join(const ipfsa_origin *base, const char *target, const char *reference, ipfsa_buf *out, ipfsa_error *err);
bool ipfsa_origin_equal(const ipfsa_origin *a, const ipfsa_origin *b);
void ipfsa_origin_format(const ipfsa_origin *origin, char ret[IPFSA_MAX_ORIGIN]); /* the default port is left out */

/* Is this host private by its very text: a private address, localhost? Names are judged by what they resolve to, when it is connected to. */
bool ipfsa_origin_is_private(const ipfsa_origin *origin);
/* Loopback, link-local, RFC 1918, ULA, multicast and every other address that is not of the public internet, also inside an IPv6 address. */
bool ipfsa_address_is_private(const struct sockaddr *address);

#endif
