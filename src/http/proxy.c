#include "http/proxy.h"

#include <netdb.h>

#include "base/bytes.h"

/* HTTP_PROXY in capitals is not read, as curl does not: a CGI server sets it from a request header. */
static const char *from_environment(bool tls) {
  static const char *const names[2][4] = {{"http_proxy", "all_proxy", "ALL_PROXY", NULL}, {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}};
  for (size_t i = 0; i < 4 && names[tls][i]; i++) {
    const char *text = getenv(names[tls][i]);
    if (text && *text) return text;
  }
  return NULL;
}

/* "[scheme://][user:password@]host[:port][/]"; curl's default port is 1080, for https proxies 443. */
static bool split(const char *text, char host[IPFSA_MAX_HOST + 1], char port[6]) {
  const char *scheme = strstr(text, "://"), *start = scheme ? scheme + 3 : text;
  const char *end = start + strcspn(start, "/");
  for (const char *at = memchr(start, '@', (size_t)(end - start)); at; at = memchr(start, '@', (size_t)(end - start))) start = at + 1;
  const char *host_end = *start == '[' ? memchr(start, ']', (size_t)(end - start)) : memchr(start, ':', (size_t)(end - start));
  const char *colon = host_end && *start == '[' ? host_end + 1 : host_end;
  if (!host_end) host_end = colon = end;
  start += *start == '[';
  if (host_end - start < 1 || host_end - start > IPFSA_MAX_HOST) return false;
  snprintf(host, IPFSA_MAX_HOST + 1, "%.*s", (int)(host_end - start), start);
  bool named = colon < end && *colon == ':' && end - colon > 1 && end - colon <= 6;
  if (named) snprintf(port, 6, "%.*s", (int)(end - colon - 1), colon + 1);
  else snprintf(port, 6, "%s", scheme && scheme - text == 5 && strncmp(text, "https", 5) == 0 ? "443" : "1080");
  return true;
}

void ipfsa_proxy_find(bool tls, ipfsa_proxy *ret) {
  char host[IPFSA_MAX_HOST + 1], port[6];
  ret->n = 0;
  const char *text = from_environment(tls);
  if (!text || !split(text, host, port)) return;
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list = NULL;
  if (getaddrinfo(host, port, &hints, &list) != 0) return; /* curl will say so itself */
  for (struct addrinfo *a = list; a && ret->n < IPFSA_MAX_PROXY_ADDRESSES; a = a->ai_next)
    if (a->ai_addrlen <= sizeof ret->addresses[0]) memcpy(&ret->addresses[ret->n++], a->ai_addr, a->ai_addrlen);
  freeaddrinfo(list);
}

static bool same_address(const struct sockaddr_storage *known, const struct sockaddr *address) {
  if (known->ss_family != address->sa_family) return false;
  if (address->sa_family == AF_INET) {
    struct sockaddr_in a, b;
    memcpy(&a, known, sizeof a);
    memcpy(&b, address, sizeof b);
    return a.sin_port == b.sin_port && a.sin_addr.s_addr == b.sin_addr.s_addr;
  }
  if (address->sa_family != AF_INET6) return false;
  struct sockaddr_in6 a, b;
  memcpy(&a, known, sizeof a);
  memcpy(&b, address, sizeof b);
  return a.sin6_port == b.sin6_port && memcmp(&a.sin6_addr, &b.sin6_addr, sizeof a.sin6_addr) == 0;
}

bool ipfsa_proxy_has(const ipfsa_proxy *proxy, const struct sockaddr *address) {
  for (size_t i = 0; i < proxy->n; i++)
    if (same_address(&proxy->addresses[i], address)) return true;
  return false;
}
