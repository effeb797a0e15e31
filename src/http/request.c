#include "http/request.h"

#include <string.h>

#include "base/error.h"

static bool is_unreserved(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c) != NULL;
}

void ipfsa_http_put_encoded(ipfsa_buf *target, const char *text) {
  for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
    if (is_unreserved(*p)) ipfsa_buf_u8(target, *p);
    else ipfsa_buf_printf(target, "%%%02X", *p);
  }
}

void ipfsa_http_put_query(ipfsa_buf *target, const char *key, const char *value) {
  bool first = target->len == 0 || memchr(target->data, '?', target->len) == NULL;
  ipfsa_buf_u8(target, first ? '?' : '&');
  ipfsa_http_put_encoded(target, key);
  ipfsa_buf_u8(target, '=');
  ipfsa_http_put_encoded(target, value);
}

static bool is_visible(const char *text) {
  for (const unsigned char *p = (const unsigned char *)text; *p; p++)
    if (*p <= 0x20 || *p >= 0x7f) return false;
  return *text != '\0';
}

ipfsa_status ipfsa_http_put_request(ipfsa_buf *head, const char *method, const char *target, ipfsa_error *err) {
  if (!is_visible(method) || !is_visible(target) || *target != '/')
    return ipfsa_fail(err, IPFSA_E_INVALID, "HTTP request: the target begins with a slash and holds no spaces or control characters; encode it first");
  ipfsa_buf_printf(head, "%s %s HTTP/1.1\r\n", method, target);
  return IPFSA_OK;
}

ipfsa_status ipfsa_http_put_header(ipfsa_buf *head, const char *name, const char *value, ipfsa_error *err) {
  bool fine = is_visible(name) && !strchr(name, ':');
  for (const unsigned char *p = (const unsigned char *)value; fine && *p; p++) fine = (*p >= 0x20 && *p != 0x7f) || *p == '\t';
  if (!fine) return ipfsa_fail(err, IPFSA_E_INVALID, "HTTP header %.40s: its value holds control characters", is_visible(name) ? name : "without a name");
  ipfsa_buf_printf(head, "%s: %s\r\n", name, value);
  return IPFSA_OK;
}

void ipfsa_http_put_end(ipfsa_buf *head) { ipfsa_buf_str(head, "\r\n"); }
