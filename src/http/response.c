#include "http/response.h"

#include <strings.h>

#include "base/error.h"

void ipfsa_http_reader_init(ipfsa_http_reader *r, bool head_only) {
  *r = (ipfsa_http_reader){.head_only = head_only, .line.max = IPFSA_MAX_HTTP_LINE, .headers.max = IPFSA_MAX_HTTP_HEADERS};
}

void ipfsa_http_reader_release(ipfsa_http_reader *r) {
  ipfsa_buf_release(&r->line);
  ipfsa_buf_release(&r->headers);
}

const char *ipfsa_http_header(const ipfsa_http_reader *r, const char *name) {
  const char *p = (const char *)r->headers.data, *end = p + r->headers.len;
  while (p && p < end) {
    const char *value = p + strlen(p) + 1;
    if (strcmp(p, name) == 0) return value;
    p = value + strlen(value) + 1;
  }
  return NULL;
}

static ipfsa_status malformed(ipfsa_error *err, const char *what) {
  return ipfsa_fail(err, IPFSA_E_MALFORMED, "HTTP response: %s; is the other side an HTTP server?", what);
}

/* Gathers up to the next CRLF. *ret_whole: the line is there, without its end, terminated. */
static ipfsa_status gather_line(ipfsa_http_reader *r, ipfsa_cursor *in, bool *ret_whole, ipfsa_error *err) {
  size_t left = ipfsa_cursor_left(in);
  const uint8_t *newline = left ? memchr(in->pos, '\n', left) : NULL;
  ipfsa_bytes piece = {0};
  (void)ipfsa_cursor_take(in, newline ? (size_t)(newline - in->pos) + 1 : left, &piece);
  ipfsa_buf_append_bytes(&r->line, piece);
  *ret_whole = newline != NULL;
  if (r->line.failed == IPFSA_E_LIMIT) return ipfsa_fail(err, IPFSA_E_LIMIT, "HTTP response: a line is longer than %u bytes", IPFSA_MAX_HTTP_LINE);
  if (r->line.failed) return ipfsa_buf_status(&r->line, err);
  if (!newline) return IPFSA_OK;
  if (r->line.len < 2 || r->line.data[r->line.len - 2] != '\r') return malformed(err, "a line does not end in CR LF");
  r->line.len -= 2;
  r->line.data[r->line.len] = '\0';
  for (size_t i = 0; i < r->line.len; i++)
    if ((r->line.data[i] < 0x20 && r->line.data[i] != '\t') || r->line.data[i] == 0x7f) return malformed(err, "a line holds control characters");
  return IPFSA_OK;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static ipfsa_status parse_status(ipfsa_http_reader *r, const char *line, ipfsa_error *err) {
  if (strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || line[8] != ' ') return malformed(err, "it does not begin with HTTP/1.1");
  const char *p = line + 9;
  if (!is_digit(p[0]) || !is_digit(p[1]) || !is_digit(p[2]) || p[0] == '0' || (p[3] && p[3] != ' ')) return malformed(err, "the status is no number of three digits");
  r->status = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
  r->keep_alive = line[7] == '1';
  r->chunked = r->has_length = r->upgraded = false;
  r->n_headers = 0;
  ipfsa_buf_clear(&r->headers);
  r->state = IPFSA_HTTP_AT_HEADER;
  return IPFSA_OK;
}

static bool is_token(const char *p, size_t len) {
  for (size_t i = 0; i < len; i++)
    if ((unsigned char)p[i] <= 0x20 || (unsigned char)p[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", p[i])) return false;
  return len > 0;
}

static ipfsa_status set_length(ipfsa_http_reader *r, const char *value, ipfsa_error *err) {
  uint64_t n = 0;
  size_t len = strlen(value);
  bool fine = len > 0 && len <= 18 && value[strspn(value, "0123456789")] == '\0';
  for (size_t i = 0; fine && i < len; i++) n = n * 10 + (uint64_t)(value[i] - '0');
  if (!fine || (r->has_length && r->left != n)) return malformed(err, "Content-Length is no number, or there are two");
  r->has_length = true;
  r->left = n;
  return IPFSA_OK;
}

/* Is `word` one of the comma-separated values? */
static bool lists(const char *value, const char *word) {
  size_t len = strlen(word);
  for (const char *p = value; *p;) {
    p += strspn(p, " \t,");
    size_t n = strcspn(p, " \t,");
    if (n == len && strncasecmp(p, word, n) == 0) return true;
    p += n;
  }
  return false;
}

static ipfsa_status note_header(ipfsa_http_reader *r, const char *name, const char *value, ipfsa_error *err) {
  if (strcmp(name, "content-length") == 0) return set_length(r, value, err);
  if (strcmp(name, "transfer-encoding") == 0) {
    if (r->chunked || strcasecmp(value, "chunked") != 0) return malformed(err, "a Transfer-Encoding other than chunked");
    r->chunked = true;
  }
  if (strcmp(name, "connection") == 0 && lists(value, "close")) r->keep_alive = false;
  return IPFSA_OK;
}

static ipfsa_status parse_header(ipfsa_http_reader *r, char *line, ipfsa_error *err) {
  char *colon = strchr(line, ':');
  if (!colon || !is_token(line, (size_t)(colon - line))) return malformed(err, "a header has no name");
  if (++r->n_headers > IPFSA_MAX_HTTP_HEADER_COUNT)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "HTTP response: more than %u headers", IPFSA_MAX_HTTP_HEADER_COUNT);
  *colon = '\0';
  for (char *p = line; *p; p++)
    if (*p >= 'A' && *p <= 'Z') *p += 'a' - 'A';
  char *value = colon + 1 + strspn(colon + 1, " \t"), *end = value + strlen(value);
  while (end > value && (end[-1] == ' ' || end[-1] == '\t')) *--end = '\0';
  ipfsa_buf_append(&r->headers, line, strlen(line) + 1);
  ipfsa_buf_append(&r->headers, value, strlen(value) + 1);
  if (r->headers.failed == IPFSA_E_LIMIT) return ipfsa_fail(err, IPFSA_E_LIMIT, "HTTP response: headers of more than %u bytes", IPFSA_MAX_HTTP_HEADERS);
  if (r->headers.failed) return ipfsa_buf_status(&r->headers, err);
  return note_header(r, line, value, err);
}

/* How the body is framed (RFC 9112, 6.3). */
static ipfsa_status after_headers(ipfsa_http_reader *r, bool *ret_head, ipfsa_error *err) {
  if (r->status < 200 && r->status != 101) {
    if (++r->n_interim > IPFSA_MAX_HTTP_INTERIM) return malformed(err, "too many interim responses");
    r->state = IPFSA_HTTP_AT_STATUS;
    return IPFSA_OK;
  }
  if (r->chunked && r->has_length) return malformed(err, "both Content-Length and Transfer-Encoding");
  *ret_head = true;
  r->upgraded = r->status == 101;
  if (r->upgraded || r->head_only || r->status == 204 || r->status == 304 || (r->has_length && r->left == 0)) r->state = IPFSA_HTTP_AT_END;
  else if (r->chunked) r->state = IPFSA_HTTP_AT_CHUNK_SIZE;
  else if (r->has_length) r->state = IPFSA_HTTP_AT_BODY;
  else r->state = IPFSA_HTTP_AT_CLOSE, r->keep_alive = false;
  return IPFSA_OK;
}

static ipfsa_status parse_chunk_size(ipfsa_http_reader *r, const char *line, ipfsa_error *err) {
  size_t n = strspn(line, "0123456789abcdefABCDEF");
  if (n == 0 || n > 15 || (line[n] && !strchr("; \t", line[n]))) return malformed(err, "a chunk without a size");
  r->left = 0;
  for (size_t i = 0; i < n; i++) {
    char c = line[i];
    r->left = r->left << 4 | (uint64_t)(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  if (r->left) r->state = IPFSA_HTTP_AT_BODY;
  else r->state = IPFSA_HTTP_AT_TRAILER, r->n_headers = 0;
  return IPFSA_OK;
}

static ipfsa_status parse_trailer(ipfsa_http_reader *r, const char *line, ipfsa_error *err) {
  if (!*line) r->state = IPFSA_HTTP_AT_END;
  else if (++r->n_headers > IPFSA_MAX_HTTP_HEADER_COUNT) return ipfsa_fail(err, IPFSA_E_LIMIT, "HTTP response: more than %u trailers", IPFSA_MAX_HTTP_HEADER_COUNT);
  return IPFSA_OK;
}

static ipfsa_status take_line(ipfsa_http_reader *r, bool *ret_head, ipfsa_error *err) {
  char *line = (char *)r->line.data;
  ipfsa_status status = IPFSA_OK;
  switch (r->state) {
  case IPFSA_HTTP_AT_STATUS: status = parse_status(r, line, err); break;
  case IPFSA_HTTP_AT_HEADER: status = *line ? parse_header(r, line, err) : after_headers(r, ret_head, err); break;
  case IPFSA_HTTP_AT_CHUNK_SIZE: status = parse_chunk_size(r, line, err); break;
  case IPFSA_HTTP_AT_CHUNK_END:
    if (*line) return malformed(err, "a chunk is longer than its size");
    r->state = IPFSA_HTTP_AT_CHUNK_SIZE;
    break;
  default: status = parse_trailer(r, line, err); break;
  }
  ipfsa_buf_clear(&r->line);
  return status;
}

static void take_body(ipfsa_http_reader *r, ipfsa_cursor *in, ipfsa_bytes *ret) {
  uint64_t n = ipfsa_cursor_left(in);
  if (r->state == IPFSA_HTTP_AT_BODY && n > r->left) n = r->left;
  (void)ipfsa_cursor_take(in, n, ret);
  if (r->state == IPFSA_HTTP_AT_CLOSE) return;
  r->left -= n;
  if (r->left == 0) r->state = r->chunked ? IPFSA_HTTP_AT_CHUNK_END : IPFSA_HTTP_AT_END;
}

ipfsa_status ipfsa_http_read(ipfsa_http_reader *r, ipfsa_cursor *in, ipfsa_http_event *ret, ipfsa_bytes *ret_body, ipfsa_error *err) {
  for (;;) {
    if (r->state == IPFSA_HTTP_AT_END || r->state == IPFSA_HTTP_IS_OVER) {
      r->state = IPFSA_HTTP_IS_OVER;
      *ret = IPFSA_HTTP_END;
      return IPFSA_OK;
    }
    if (ipfsa_cursor_left(in) == 0) {
      *ret = IPFSA_HTTP_MORE;
      return IPFSA_OK;
    }
    if (r->state == IPFSA_HTTP_AT_BODY || r->state == IPFSA_HTTP_AT_CLOSE) {
      take_body(r, in, ret_body);
      *ret = IPFSA_HTTP_BODY;
      return IPFSA_OK;
    }
    bool whole = false, head = false;
    ipfsa_status status = gather_line(r, in, &whole, err);
    if (status == IPFSA_OK && whole) status = take_line(r, &head, err);
    if (status) return status;
    if (!head) continue;
    *ret = IPFSA_HTTP_HEAD;
    return IPFSA_OK;
  }
}

ipfsa_status ipfsa_http_read_eof(ipfsa_http_reader *r, ipfsa_error *err) {
  if (r->state == IPFSA_HTTP_IS_OVER || r->state == IPFSA_HTTP_AT_END || r->state == IPFSA_HTTP_AT_CLOSE) return IPFSA_OK;
  bool begun = r->state != IPFSA_HTTP_AT_STATUS || r->line.len;
  return ipfsa_fail(err, IPFSA_E_IO, "HTTP response: the connection ended %s", begun ? "in the middle of it" : "before it began");
}
