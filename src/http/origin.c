#include "http/origin.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/error.h"

/* ---- addresses ---- */

typedef struct range4 {
  uint32_t net;
  unsigned bits;
} range4;

/* IANA's special-purpose registry: what is not globally reachable. */
static const range4 private4[] = {
    {0x00000000, 8},  /* this network */
    {0x0a000000, 8},  /* RFC 1918 */
    {0x64400000, 10}, /* carrier-grade NAT */
    {0x7f000000, 8},  /* loopback */
    {0xa9fe0000, 16}, /* link-local, cloud metadata */
    {0xac100000, 12}, /* RFC 1918 */
    {0xc0000000, 24}, /* protocol assignments */
    {0xc0000200, 24}, /* documentation */
    {0xc0a80000, 16}, /* RFC 1918 */
    {0xc6120000, 15}, /* benchmarks */
    {0xc6336400, 24}, /* documentation */
    {0xcb007100, 24}, /* documentation */
    {0xe0000000, 4},  /* multicast */
    {0xf0000000, 4},  /* reserved, broadcast */
};

static bool is_private4(uint32_t address) {
  for (size_t i = 0; i < sizeof private4 / sizeof *private4; i++)
    if (((address ^ private4[i].net) >> (32 - private4[i].bits)) == 0) return true;
  return false;
}

typedef struct range6 {
  uint8_t net[16];
  unsigned bits;
  int inner; /* byte at which an IPv4 address stands that decides; -1: private as a whole */
} range6;

static const range6 ranges6[] = {
    {{[10] = 0xff, 0xff}, 96, 12},                 /* ::ffff:a.b.c.d */
    {{0}, 96, 12},                                 /* ::, ::1, and a.b.c.d in the old compatible form */
    {{0, 0x64, 0xff, 0x9b}, 96, 12},               /* NAT64 */
    {{0, 0x64, 0xff, 0x9b, 0, 1}, 48, -1},         /* local NAT64 */
    {{1}, 64, -1},                                 /* discard */
    {{0x20, 0x01, 0, 0}, 32, -1},                  /* Teredo: the address of a host behind NAT */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, -1},            /* documentation */
    {{0x20, 0x02}, 16, 2},                         /* 6to4 */
    {{0xfc}, 7, -1},                               /* ULA */
    {{0xfe, 0x80}, 10, -1},                        /* link-local */
    {{0xfe, 0xc0}, 10, -1},                        /* site-local */
    {{0xff}, 8, -1},                               /* multicast */
};

static bool in_range6(const uint8_t address[16], const range6 *r) {
  unsigned whole = r->bits / 8, rest = r->bits % 8;
  if (memcmp(address, r->net, whole) != 0) return false;
  return rest == 0 || ((address[whole] ^ r->net[whole]) >> (8 - rest)) == 0;
}

static bool is_private6(const uint8_t address[16]) {
  for (size_t i = 0; i < sizeof ranges6 / sizeof *ranges6; i++) {
    if (!in_range6(address, &ranges6[i])) continue;
    if (ranges6[i].inner < 0) return true;
    const uint8_t *a = address + ranges6[i].inner;
    return is_private4((uint32_t)a[0] << 24 | (uint32_t)a[1] << 16 | (uint32_t)a[2] << 8 | a[3]);
  }
  return false;
}

bool ipfsa_address_is_private(const struct sockaddr *address) {
  if (address->sa_family == AF_INET) {
    struct sockaddr_in in;
    memcpy(&in, address, sizeof in);
    return is_private4(ntohl(in.sin_addr.s_addr));
  }
  if (address->sa_family != AF_INET6) return true;
  struct sockaddr_in6 in6;
  memcpy(&in6, address, sizeof in6);
  return in6.sin6_scope_id != 0 || is_private6(in6.sin6_addr.s6_addr);
}

bool ipfsa_origin_is_private(const ipfsa_origin *origin) {
  struct in_addr in;
  struct in6_addr in6;
  if (origin->ip6) return inet_pton(AF_INET6, origin->host, &in6) != 1 || is_private6(in6.s6_addr);
  if (inet_pton(AF_INET, origin->host, &in) == 1) return is_private4(ntohl(in.s_addr));
  size_t len = strlen(origin->host), local = strlen("localhost");
  return len >= local && strcmp(origin->host + len - local, "localhost") == 0 && (len == local || origin->host[len - local - 1] == '.');
}

/* ---- URLs ---- */

static ipfsa_status bad_host(ipfsa_error *err, ipfsa_bytes host, const char *why) {
  return ipfsa_fail(err, IPFSA_E_INVALID, "URL host \"%.*s\": %s", (int)(host.len < 100 ? host.len : 100), (const char *)host.data, why);
}

/* Would a resolver take the last label for a number ("0x7f", "017", "2130706433")? */
static bool ends_in_number(ipfsa_bytes host) {
  size_t at = host.len;
  while (at > 0 && host.data[at - 1] != '.') at--;
  ipfsa_bytes label = {host.data + at, host.len - at};
  bool hex = label.len >= 2 && label.data[0] == '0' && (label.data[1] | 0x20) == 'x';
  for (size_t i = hex ? 2 : 0; i < label.len; i++)
    if (hex ? !isxdigit(label.data[i]) : !isdigit(label.data[i])) return false;
  return true;
}

static ipfsa_status check_labels(ipfsa_bytes host, ipfsa_error *err) {
  size_t label = 0;
  for (size_t i = 0; i < host.len; i++) {
    uint8_t c = host.data[i];
    if (c >= 0x80) return bad_host(err, host, "not ASCII; write the name in its xn-- form");
    if (!isalnum(c) && c != '-' && c != '_' && c != '.') return bad_host(err, host, "a character that no host name has");
    label = c == '.' ? 0 : label + 1;
    if (label > 63 || (c == '.' && (i == 0 || host.data[i - 1] == '.'))) return bad_host(err, host, "a label is empty or over 63 bytes");
  }
  return IPFSA_OK;
}

static ipfsa_status take_name(ipfsa_bytes host, ipfsa_origin *ret, ipfsa_error *err) {
  if (host.len > 1 && host.data[host.len - 1] == '.') host.len--;
  if (host.len == 0 || host.len > IPFSA_MAX_HOST) return bad_host(err, host, "expected 1 to 253 bytes");
  ipfsa_status status = check_labels(host, err);
  if (status) return status;
  for (size_t i = 0; i < host.len; i++) ret->host[i] = (char)tolower(host.data[i]);
  ret->host[host.len] = '\0';
  if (!ends_in_number(host)) return IPFSA_OK;
  struct in_addr in;
  char usual[INET_ADDRSTRLEN] = "";
  if (inet_pton(AF_INET, ret->host, &in) != 1 || !inet_ntop(AF_INET, &in, usual, sizeof usual) || strcmp(usual, ret->host) != 0)
    return bad_host(err, host, "a number that is no address in its usual form a.b.c.d");
  return IPFSA_OK;
}

static ipfsa_status take_ip6(ipfsa_bytes host, ipfsa_origin *ret, ipfsa_error *err) {
  char text[INET6_ADDRSTRLEN];
  struct in6_addr in6;
  if (memchr(host.data, '%', host.len)) return bad_host(err, host, "an address with a zone reaches only this link; it is not asked");
  if (host.len >= sizeof text) return bad_host(err, host, "no IPv6 address");
  memcpy(text, host.data, host.len);
  text[host.len] = '\0';
  if (inet_pton(AF_INET6, text, &in6) != 1 || !inet_ntop(AF_INET6, &in6, ret->host, sizeof ret->host)) return bad_host(err, host, "no IPv6 address");
  ret->ip6 = true;
  return IPFSA_OK;
}

static ipfsa_status take_port(ipfsa_bytes text, ipfsa_origin *ret, ipfsa_error *err) {
  uint32_t port = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (!isdigit(text.data[i]) || i >= 5) return ipfsa_fail(err, IPFSA_E_INVALID, "URL port: expected a number of 1 to 65535");
    port = port * 10 + (uint32_t)(text.data[i] - '0');
  }
  if (port < 1 || port > 65535) return ipfsa_fail(err, IPFSA_E_INVALID, "URL port: expected a number of 1 to 65535");
  ret->port = (uint16_t)port;
  return IPFSA_OK;
}

static ipfsa_status take_authority(ipfsa_bytes all, ipfsa_origin *ret, ipfsa_error *err) {
  if (memchr(all.data, '@', all.len)) return ipfsa_fail(err, IPFSA_E_INVALID, "URL with a user or password before the host: those are never put into URLs");
  ipfsa_bytes host = all, rest = {all.data + all.len, 0};
  bool brackets = all.len && all.data[0] == '[';
  const uint8_t *end = memchr(all.data, brackets ? ']' : ':', all.len);
  if (brackets && !end) return bad_host(err, all, "a bracket is not closed");
  if (end) {
    const uint8_t *behind = brackets ? end + 1 : end;
    host = brackets ? ipfsa_bytes_of(all.data + 1, (size_t)(end - all.data) - 1) : ipfsa_bytes_of(all.data, (size_t)(end - all.data));
    rest = ipfsa_bytes_of(behind, (size_t)(all.data + all.len - behind));
  }
  ipfsa_status status = brackets ? take_ip6(host, ret, err) : take_name(host, ret, err);
  if (status || rest.len == 0) return status;
  if (rest.data[0] != ':') return bad_host(err, all, "expected \":PORT\" behind the bracket");
  return take_port(ipfsa_bytes_of(rest.data + 1, rest.len - 1), ret, err);
}

/* "http://" or "https://"; the length of it, or 0. */
static size_t scheme_len(const char *text, bool *ret_tls) {
  *ret_tls = strncasecmp(text, "https://", 8) == 0;
  return *ret_tls ? 8 : strncasecmp(text, "http://", 7) == 0 ? 7 : 0;
}

static ipfsa_status check_characters(const char *text, ipfsa_error *err) {
  size_t len = strlen(text);
  if (len > IPFSA_MAX_URL) return ipfsa_fail(err, IPFSA_E_LIMIT, "URL of %zu bytes; at most %d are accepted", len, IPFSA_MAX_URL);
  for (size_t i = 0; i < len; i++)
    if ((uint8_t)text[i] <= 0x20 || (uint8_t)text[i] >= 0x7f || text[i] == '\\')
      return ipfsa_fail_at(err, IPFSA_E_INVALID, i, "URL: byte %zu must be percent-encoded", i);
  return IPFSA_OK;
}

ipfsa_status ipfsa_url_parse(const char *text, ipfsa_origin *ret, const char **ret_target, ipfsa_error *err) {
  ipfsa_origin o = {0};
  size_t skip = scheme_len(text, &o.tls);
  if (skip == 0) return ipfsa_fail(err, IPFSA_E_INVALID, "URL: expected http:// or https:// at its start");
  size_t len = strcspn(text + skip, "/?#");
  o.port = o.tls ? 443 : 80;
  ipfsa_status status = take_authority(ipfsa_bytes_of(text + skip, len), &o, err);
  if (status == IPFSA_OK) status = check_characters(text, err);
  if (status) return status;
  *ret = o;
  if (ret_target) *ret_target = text + skip + len;
  return IPFSA_OK;
}

bool ipfsa_origin_equal(const ipfsa_origin *a, const ipfsa_origin *b) {
  return a->tls == b->tls && a->port == b->port && a->ip6 == b->ip6 && strcmp(a->host, b->host) == 0;
}

void ipfsa_origin_format(const ipfsa_origin *o, char ret[IPFSA_MAX_ORIGIN]) {
  int n = snprintf(ret, IPFSA_MAX_ORIGIN, "%s://%s%s%s", o->tls ? "https" : "http", o->ip6 ? "[" : "", o->host, o->ip6 ? "]" : "");
  if (o->port != (o->tls ? 443 : 80)) snprintf(ret + n, IPFSA_MAX_ORIGIN - (size_t)n, ":%u", o->port);
}

ipfsa_status ipfsa_url_join(const ipfsa_origin *base, const char *target, const char *reference, ipfsa_buf *out, ipfsa_error *err) {
  char origin[IPFSA_MAX_ORIGIN];
  IPFSA_AUTO_BUF ipfsa_buf text = {0};
  bool tls;
  size_t len = strcspn(reference, "#");
  ipfsa_origin_format(base, origin);
  if (scheme_len(reference, &tls) == 0) {
    size_t colon = strcspn(reference, ":/?#");
    if (reference[colon] == ':') return ipfsa_fail(err, IPFSA_E_INVALID, "URL: expected http:// or https:// at its start");
    if (reference[0] == '/' && reference[1] == '/') ipfsa_buf_str(&text, base->tls ? "https:" : "http:");
    else ipfsa_buf_str(&text, origin);
    size_t path = strcspn(target, "?#");
    if (reference[0] == '?' || len == 0) ipfsa_buf_append(&text, target, path);
    else if (reference[0] != '/') {
      while (path > 0 && target[path - 1] != '/') path--;
      ipfsa_buf_append(&text, path ? target : "/", path ? path : 1);
    }
  }
  ipfsa_buf_append(&text, reference, len);
  ipfsa_status status = ipfsa_buf_status(&text, err);
  ipfsa_origin checked;
  if (status == IPFSA_OK) status = ipfsa_url_parse(ipfsa_buf_cstr(&text), &checked, NULL, err);
  if (status) return status;
  ipfsa_buf_append_bytes(out, ipfsa_buf_bytes(&text));
  return ipfsa_buf_status(out, err);
}
