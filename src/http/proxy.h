/* The proxy that the environment names, as curl reads it: it is the operator's word that its address may be connected to. */
#ifndef IPFSA_HTTP_PROXY_H
#define IPFSA_HTTP_PROXY_H

#include <netinet/in.h>

#include "http/origin.h"

#define IPFSA_MAX_PROXY_ADDRESSES 16 /* of one proxy's name */

typedef struct ipfsa_proxy {
  size_t n;
  struct sockaddr_storage addresses[IPFSA_MAX_PROXY_ADDRESSES]; /* with ports */
} ipfsa_proxy;

/* Looks up the proxy for URLs of this kind; no proxy, or one that cannot be resolved: n is 0. */
void ipfsa_proxy_find(bool tls, ipfsa_proxy *ret);
bool ipfsa_proxy_has(const ipfsa_proxy *proxy, const struct sockaddr *address);

#endif
