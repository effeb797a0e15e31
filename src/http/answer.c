#include "http/answer.h"

#include <ctype.h>

#include "base/bytes.h"
#include "base/error.h"

void ipfsa_http_answer_release(ipfsa_http_answer *r) {
  ipfsa_buf_release(&r->target);
  ipfsa_buf_release(&r->headers);
  *r = (ipfsa_http_answer){0};
}

const char *ipfsa_http_answer_header(const ipfsa_http_answer *r, const char *name, unsigned i) {
  const char *at = (const char *)r->headers.data, *end = at ? at + r->headers.len : NULL;
  while (at < end) {
    const char *value = at + strlen(at) + 1;
    if (strcmp(at, name) == 0 && i-- == 0) return value;
    at = value + strlen(value) + 1;
  }
  return NULL;
}

static ipfsa_bytes trim(ipfsa_bytes b) {
  while (b.len && isspace(b.data[b.len - 1])) b.len--;
  while (b.len && isspace(b.data[0])) b.data++, b.len--;
  return b;
}

ipfsa_status ipfsa_http_answer_take_line(ipfsa_http_answer *r, ipfsa_bytes line, ipfsa_error *err) {
  if (line.len >= 5 && memcmp(line.data, "HTTP/", 5) == 0) {
    ipfsa_buf_clear(&r->headers);
    r->n_headers = 0;
    return IPFSA_OK;
  }
  line = trim(line);
  const uint8_t *colon = line.len ? memchr(line.data, ':', line.len) : NULL;
  if (!colon || memchr(line.data, '\0', line.len)) return IPFSA_OK; /* the empty line, or no header at all */
  if (++r->n_headers > IPFSA_MAX_ANSWER_N_HEADERS || r->headers.len + line.len + 2 > IPFSA_MAX_ANSWER_HEADERS)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "the answer has over %d headers or %d bytes of them", IPFSA_MAX_ANSWER_N_HEADERS, IPFSA_MAX_ANSWER_HEADERS);
  for (const uint8_t *p = line.data; p < colon; p++) ipfsa_buf_u8(&r->headers, (uint8_t)tolower(*p));
  ipfsa_buf_u8(&r->headers, 0);
  ipfsa_buf_append_bytes(&r->headers, trim(ipfsa_bytes_of(colon + 1, line.len - (size_t)(colon - line.data) - 1)));
  ipfsa_buf_u8(&r->headers, 0);
  return ipfsa_buf_status(&r->headers, err);
}
