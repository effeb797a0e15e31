#include "ipld/dagjson.h"

#include <math.h>

#include "base/alloc.h"
#include "base/error.h"
#include "codec/basen.h"

typedef struct open_node {
  size_t index;
  bool after_comma; /* a value must follow */
} open_node;

typedef struct json_reader {
  ipfsa_cursor c;
  ipfsa_value *value;
  ipfsa_error *err;
  open_node open[IPFSA_MAX_NESTING];
  size_t depth;
  bool plain; /* json, not dag-json: "/" is a key like any other */
} json_reader;

static ipfsa_status malformed(json_reader *r, const char *what) {
  uint64_t off = ipfsa_cursor_offset(&r->c);
  return ipfsa_fail_at(r->err, IPFSA_E_MALFORMED, off, "dag-json: %s at byte %llu", what, (unsigned long long)off);
}

static void skip_space(ipfsa_cursor *c) {
  uint8_t b;
  while (ipfsa_cursor_peek(c, &b) && (b == ' ' || b == '\t' || b == '\n' || b == '\r')) ipfsa_cursor_u8(c, &b);
}

static bool next_is(ipfsa_cursor *c, char wanted) {
  uint8_t b;
  skip_space(c);
  if (!ipfsa_cursor_peek(c, &b) || b != (uint8_t)wanted) return false;
  return ipfsa_cursor_u8(c, &b);
}

static bool read_hex4(ipfsa_cursor *c, uint32_t *ret) {
  ipfsa_bytes h;
  uint32_t v = 0;
  if (!ipfsa_cursor_take(c, 4, &h)) return false;
  for (size_t i = 0; i < 4; i++) {
    uint8_t d = h.data[i];
    int x = d >= '0' && d <= '9' ? d - '0' : d >= 'a' && d <= 'f' ? d - 'a' + 10 : d >= 'A' && d <= 'F' ? d - 'A' + 10 : -1;
    if (x < 0) return false;
    v = v << 4 | (uint32_t)x;
  }
  *ret = v;
  return true;
}

static size_t put_utf8(uint8_t *p, uint32_t code) {
  if (code < 0x80) return p[0] = (uint8_t)code, 1;
  if (code < 0x800) return p[0] = (uint8_t)(0xc0 | code >> 6), p[1] = (uint8_t)(0x80 | (code & 63)), 2;
  if (code < 0x10000)
    return p[0] = (uint8_t)(0xe0 | code >> 12), p[1] = (uint8_t)(0x80 | (code >> 6 & 63)), p[2] = (uint8_t)(0x80 | (code & 63)), 3;
  p[0] = (uint8_t)(0xf0 | code >> 18);
  p[1] = (uint8_t)(0x80 | (code >> 12 & 63));
  p[2] = (uint8_t)(0x80 | (code >> 6 & 63));
  p[3] = (uint8_t)(0x80 | (code & 63));
  return 4;
}

/* \uXXXX, with its second half where it is a surrogate. */
static bool read_unicode(ipfsa_cursor *c, uint32_t *ret) {
  uint32_t low;
  ipfsa_bytes mark;
  if (!read_hex4(c, ret)) return false;
  if (*ret >= 0xdc00 && *ret < 0xe000) return false;
  if (*ret < 0xd800 || *ret >= 0xdc00) return true;
  if (!ipfsa_cursor_take(c, 2, &mark) || mark.data[0] != '\\' || mark.data[1] != 'u' || !read_hex4(c, &low)) return false;
  if (low < 0xdc00 || low >= 0xe000) return false;
  *ret = 0x10000 + ((*ret - 0xd800) << 10) + (low - 0xdc00);
  return true;
}

/* The opening quote is read already. Text without escapes is borrowed, else it goes to the arena, which has room for the whole block. */
static ipfsa_status read_string(json_reader *r, ipfsa_bytes *ret) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  const uint8_t *start = r->c.pos;
  size_t arena_start = r->value->arena_len;
  bool escaped = false;
  uint8_t b;
  for (;;) {
    if (!ipfsa_cursor_u8(&r->c, &b)) return malformed(r, "a string has no end");
    if (b == '"') break;
    if (b < 0x20) return malformed(r, "a control character in a string");
    if (b != '\\') {
      if (escaped) r->value->arena[r->value->arena_len++] = b;
      continue;
    }
    if (!escaped) {
      size_t n = (size_t)(r->c.pos - start) - 1;
      memcpy(r->value->arena + arena_start, start, n);
      r->value->arena_len += n;
      escaped = true;
    }
    if (!ipfsa_cursor_u8(&r->c, &b)) return malformed(r, "a string has no end");
    const char *at = b ? strchr(from, b) : NULL;
    uint32_t code;
    if (at) r->value->arena[r->value->arena_len++] = (uint8_t)to[at - from];
    else if (b == 'u' && read_unicode(&r->c, &code))
      r->value->arena_len += put_utf8(r->value->arena + r->value->arena_len, code);
    else return malformed(r, "an invalid escape in a string");
  }
  *ret = escaped ? ipfsa_bytes_of(r->value->arena + arena_start, r->value->arena_len - arena_start)
                 : ipfsa_bytes_of(start, (size_t)(r->c.pos - start) - 1);
  return ipfsa_is_utf8(*ret) ? IPFSA_OK : malformed(r, "a string that is not UTF-8");
}

static bool number_byte(uint8_t b) { return (b >= '0' && b <= '9') || b == '-' || b == '+' || b == '.' || b == 'e' || b == 'E'; }

/* JSON's grammar: -?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)? */
static bool valid_number(const char *p, bool *ret_float) {
  *ret_float = false;
  if (*p == '-') p++;
  if (*p < '0' || *p > '9') return false;
  if (*p == '0') p++;
  else
    while (*p >= '0' && *p <= '9') p++;
  if (*p == '.') {
    *ret_float = true;
    if (*++p < '0' || *p > '9') return false;
    while (*p >= '0' && *p <= '9') p++;
  }
  if (*p == 'e' || *p == 'E') {
    *ret_float = true;
    p++;
    if (*p == '+' || *p == '-') p++;
    if (*p < '0' || *p > '9') return false;
    while (*p >= '0' && *p <= '9') p++;
  }
  return *p == '\0';
}

#define MAX_NUMBER 800 /* characters; the longest exact double has 767 digits */

static ipfsa_status read_number(json_reader *r, ipfsa_value_item *item) {
  char text[MAX_NUMBER + 1];
  size_t n = 0;
  uint8_t b;
  bool is_float;
  while (n < MAX_NUMBER && ipfsa_cursor_peek(&r->c, &b) && number_byte(b)) {
    text[n++] = (char)b;
    ipfsa_cursor_u8(&r->c, &b);
  }
  text[n] = '\0';
  if (!valid_number(text, &is_float)) return malformed(r, "an invalid number before");
  if (is_float) {
    item->type = IPFSA_VALUE_FLOAT;
    item->f = strtod(text, NULL);
    return isfinite(item->f) ? IPFSA_OK : malformed(r, "a number too large for a float before");
  }
  unsigned __int128 v = 0, max = (unsigned __int128)1 << 64;
  bool negative = text[0] == '-';
  for (const char *p = text + negative; *p; p++) {
    v = v * 10 + (unsigned)(*p - '0');
    if (v > max) break;
  }
  if (v > max || (v == max && !negative)) return malformed(r, "an integer outside -2^64..2^64-1 before");
  item->type = IPFSA_VALUE_INT;
  item->negative = negative && v > 0;
  item->u = item->negative ? (uint64_t)(v - 1) : (uint64_t)v;
  return IPFSA_OK;
}

static ipfsa_status read_word(json_reader *r, ipfsa_value_item *item) {
  static const struct { const char *word; ipfsa_value_type type; uint64_t u; } words[] = {
      {"true", IPFSA_VALUE_BOOL, 1}, {"false", IPFSA_VALUE_BOOL, 0}, {"null", IPFSA_VALUE_NULL, 0}};
  for (size_t i = 0; i < 3; i++) {
    ipfsa_cursor at = r->c;
    ipfsa_bytes b;
    size_t n = strlen(words[i].word);
    if (!ipfsa_cursor_take(&at, n, &b) || memcmp(b.data, words[i].word, n) != 0) continue;
    r->c = at;
    item->type = words[i].type;
    item->u = words[i].u;
    return IPFSA_OK;
  }
  uint8_t b;
  if (!ipfsa_cursor_peek(&r->c, &b)) return malformed(r, "the input ends where a value should begin,");
  return ipfsa_fail_at(r->err, IPFSA_E_MALFORMED, ipfsa_cursor_offset(&r->c),
                       "dag-json: invalid char while expecting start of value: 0x%02x at byte %zu", b, ipfsa_cursor_offset(&r->c));
}

static ipfsa_status take_link(json_reader *r, ipfsa_bytes text, ipfsa_value_item *item) {
  ipfsa_cid cid;
  ipfsa_status status = ipfsa_cid_parse((const char *)text.data, text.len, &cid, r->err);
  if (status) return ipfsa_error_prefix(r->err, status, "dag-json: link before byte %zu", ipfsa_cursor_offset(&r->c));
  if (r->value->arena_cap - r->value->arena_len < ipfsa_cid_size(&cid)) return malformed(r, "an odd link before");
  item->type = IPFSA_VALUE_LINK;
  item->bytes = ipfsa_bytes_of(r->value->arena + r->value->arena_len, ipfsa_cid_encode(&cid, r->value->arena + r->value->arena_len));
  r->value->arena_len += item->bytes.len;
  return IPFSA_OK;
}

/* base64 without padding; padding is read too. */
static ipfsa_status take_bytes(json_reader *r, ipfsa_bytes text, ipfsa_value_item *item) {
  static const ipfsa_basen base64 = {IPFSA_BASEN_BITS, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 6, false, false};
  while (text.len && text.data[text.len - 1] == '=') text.len--;
  IPFSA_AUTO_BUF ipfsa_buf out = {0};
  ipfsa_status status = ipfsa_basen_decode(&base64, text, &out, r->err);
  if (status) return ipfsa_error_prefix(r->err, status, "dag-json: bytes before byte %zu", ipfsa_cursor_offset(&r->c));
  item->type = IPFSA_VALUE_BYTES;
  item->bytes = ipfsa_bytes_of(r->value->arena + r->value->arena_len, out.len);
  if (out.len) memcpy(r->value->arena + r->value->arena_len, out.data, out.len);
  r->value->arena_len += out.len;
  return IPFSA_OK;
}

/* After "{": is this {"/": "…"} or {"/": {"bytes": "…"}}? Otherwise the cursor is put back and *ret_done stays false. */
static ipfsa_status try_reserved(json_reader *r, ipfsa_value_item *item, bool *ret_done) {
  ipfsa_cursor back = r->c;
  size_t arena = r->value->arena_len;
  ipfsa_bytes key, text;
  *ret_done = false;
  if (!next_is(&r->c, '"')) return r->c = back, IPFSA_OK;
  ipfsa_status status = read_string(r, &key);
  if (status) return status;
  bool slash = key.len == 1 && key.data[0] == '/' && next_is(&r->c, ':');
  if (slash && next_is(&r->c, '"')) {
    status = read_string(r, &text);
    if (status) return status;
    if (!next_is(&r->c, '}')) return malformed(r, "a map that begins like a link has more keys");
    *ret_done = true;
    return take_link(r, text, item);
  }
  if (slash && next_is(&r->c, '{') && next_is(&r->c, '"')) {
    status = read_string(r, &key);
    if (status) return status;
    if (key.len == 5 && memcmp(key.data, "bytes", 5) == 0 && next_is(&r->c, ':') && next_is(&r->c, '"')) {
      status = read_string(r, &text);
      if (status) return status;
      if (!next_is(&r->c, '}') || !next_is(&r->c, '}')) return malformed(r, "a map that begins like bytes has more keys");
      *ret_done = true;
      return take_bytes(r, text, item);
    }
  }
  r->c = back;
  r->value->arena_len = arena;
  return IPFSA_OK;
}

static ipfsa_status read_item(json_reader *r, ipfsa_value_item *item) {
  uint8_t b = 0;
  skip_space(&r->c);
  if (!ipfsa_cursor_peek(&r->c, &b)) return malformed(r, "the input ends where a value should begin,");
  if (b == '-' || (b >= '0' && b <= '9')) return read_number(r, item);
  if (b != '"' && b != '[' && b != '{') return read_word(r, item);
  ipfsa_cursor_u8(&r->c, &b);
  if (b == '"') {
    item->type = IPFSA_VALUE_STRING;
    return read_string(r, &item->bytes);
  }
  item->type = b == '[' ? IPFSA_VALUE_LIST : IPFSA_VALUE_MAP;
  bool done = false;
  return b == '{' && !r->plain ? try_reserved(r, item, &done) : IPFSA_OK;
}

static bool is_container(const ipfsa_value_item *item) { return item->type == IPFSA_VALUE_LIST || item->type == IPFSA_VALUE_MAP; }

static ipfsa_status read_value(json_reader *r, ipfsa_bytes key) {
  ipfsa_value_item item = {.key = key};
  ipfsa_status status = read_item(r, &item);
  if (status) return status;
  if (r->depth) r->value->items[r->open[r->depth - 1].index].u++;
  size_t index;
  status = ipfsa_value_add(r->value, &item, &index, r->err);
  if (status || !is_container(&item)) return status;
  if (r->depth == IPFSA_MAX_NESTING) return ipfsa_fail(r->err, IPFSA_E_LIMIT, "dag-json: nested deeper than %d", IPFSA_MAX_NESTING);
  r->open[r->depth++] = (open_node){index, false};
  return IPFSA_OK;
}

static ipfsa_status close_node(json_reader *r) {
  size_t index = r->open[--r->depth].index;
  r->value->items[index].next = (uint32_t)r->value->n_items;
  if (r->value->items[index].type != IPFSA_VALUE_MAP) return IPFSA_OK;
  uint32_t *order = NULL; /* sorting finds duplicate keys */
  ipfsa_status status = ipfsa_value_sorted_keys(r->value, index, false, &order, r->err);
  ipfsa_free(order);
  return status ? ipfsa_error_prefix(r->err, status, "dag-json") : IPFSA_OK;
}

/* One step inside the innermost open list or map: its end, or its next value. */
static ipfsa_status read_member(json_reader *r) {
  open_node *top = &r->open[r->depth - 1];
  bool map = r->value->items[top->index].type == IPFSA_VALUE_MAP, first = r->value->items[top->index].u == 0;
  if (next_is(&r->c, map ? '}' : ']')) return close_node(r);
  if (!first && !next_is(&r->c, ',')) return malformed(r, "a comma or the end of the list or map is missing");
  ipfsa_bytes key = {0};
  if (map) {
    if (!next_is(&r->c, '"')) return malformed(r, "a key is missing");
    ipfsa_status status = read_string(r, &key);
    if (status) return status;
    if (!next_is(&r->c, ':')) return malformed(r, "a colon is missing");
  }
  return read_value(r, key);
}

static ipfsa_status decode(ipfsa_bytes block, bool plain, ipfsa_value *ret, ipfsa_error *err) {
  json_reader r = {.c = ipfsa_cursor_over(block), .value = ret, .err = err, .plain = plain};
  ipfsa_status status = ipfsa_value_reserve_arena(ret, 2 * block.len + 16, err); /* a reserved form may be read twice */
  if (status == IPFSA_OK) status = read_value(&r, (ipfsa_bytes){0});
  while (status == IPFSA_OK && r.depth) status = read_member(&r);
  skip_space(&r.c);
  if (status == IPFSA_OK && ipfsa_cursor_left(&r.c)) status = malformed(&r, "text after the value,");
  return status;
}

ipfsa_status ipfsa_dagjson_decode(ipfsa_bytes block, ipfsa_value *ret, ipfsa_error *err) { return decode(block, false, ret, err); }
ipfsa_status ipfsa_json_decode(ipfsa_bytes block, ipfsa_value *ret, ipfsa_error *err) { return decode(block, true, ret, err); }

ipfsa_status ipfsa_dagjson_links(ipfsa_bytes block, ipfsa_link_cb cb, void *ctx, ipfsa_error *err) {
  return ipfsa_value_links(block, ipfsa_dagjson_decode, cb, ctx, err);
}
