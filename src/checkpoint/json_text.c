#include "checkpoint/json_text.h"

ipfsa_json_text ipfsa_json_text_over(uint8_t *data, size_t len) {
  return (ipfsa_json_text){.c = ipfsa_cursor_over(ipfsa_bytes_of(data, len)), .data = data};
}

static bool fail(ipfsa_json_text *t, const char *why) {
  t->why = why;
  return false;
}

uint8_t ipfsa_json_text_next(ipfsa_json_text *t) {
  uint8_t b;
  while (ipfsa_cursor_peek(&t->c, &b)) {
    if (b != ' ' && b != '\t' && b != '\n' && b != '\r') return b;
    t->c.pos++;
  }
  return 0;
}

bool ipfsa_json_text_take(ipfsa_json_text *t, uint8_t byte) {
  if (ipfsa_json_text_next(t) != byte || ipfsa_cursor_left(&t->c) == 0) return false;
  t->c.pos++;
  return true;
}

bool ipfsa_json_text_expect(ipfsa_json_text *t, uint8_t byte, const char *why) { return ipfsa_json_text_take(t, byte) || fail(t, why); }

bool ipfsa_json_text_more(ipfsa_json_text *t, uint8_t close, bool *failed) {
  if (ipfsa_json_text_take(t, ',')) return true;
  if (!ipfsa_json_text_take(t, close)) *failed = !fail(t, close == '}' ? "expected , or }" : "expected , or ]");
  return false;
}

/* ---- texts ---- */

static bool hex4(ipfsa_json_text *t, uint32_t *ret) {
  ipfsa_bytes digits;
  uint32_t v = 0;
  if (!ipfsa_cursor_take(&t->c, 4, &digits)) return fail(t, "an escape ends early");
  for (size_t i = 0; i < 4; i++) {
    uint8_t d = digits.data[i], low = d | 0x20;
    if (d >= '0' && d <= '9') v = v << 4 | (d - '0');
    else if (low >= 'a' && low <= 'f') v = v << 4 | (uint32_t)(low - 'a' + 10);
    else return fail(t, "an escape \\u needs four hexadecimal digits");
  }
  *ret = v;
  return true;
}

static size_t put_utf8(uint8_t *to, uint32_t v) {
  if (v < 0x80) return to[0] = (uint8_t)v, 1;
  if (v < 0x800) return to[0] = (uint8_t)(0xc0 | v >> 6), to[1] = (uint8_t)(0x80 | (v & 63)), 2;
  if (v < 0x10000) return to[0] = (uint8_t)(0xe0 | v >> 12), to[1] = (uint8_t)(0x80 | (v >> 6 & 63)), to[2] = (uint8_t)(0x80 | (v & 63)), 3;
  to[0] = (uint8_t)(0xf0 | v >> 18), to[1] = (uint8_t)(0x80 | (v >> 12 & 63)), to[2] = (uint8_t)(0x80 | (v >> 6 & 63)), to[3] = (uint8_t)(0x80 | (v & 63));
  return 4;
}

/* Behind "\u": six or twelve characters become at most four bytes. */
static bool unescape_u(ipfsa_json_text *t, uint8_t *to, size_t *ret_len) {
  uint32_t v, low;
  if (!hex4(t, &v)) return false;
  if (v >= 0xdc00 && v < 0xe000) return fail(t, "half of a surrogate pair stands alone");
  if (v >= 0xd800 && v < 0xdc00) {
    ipfsa_bytes lead;
    if (!ipfsa_cursor_take(&t->c, 2, &lead) || lead.data[0] != '\\' || lead.data[1] != 'u') return fail(t, "half of a surrogate pair stands alone");
    if (!hex4(t, &low)) return false;
    if (low < 0xdc00 || low >= 0xe000) return fail(t, "half of a surrogate pair stands alone");
    v = 0x10000 + ((v - 0xd800) << 10 | (low - 0xdc00));
  }
  *ret_len = put_utf8(to, v);
  return true;
}

static bool unescape(ipfsa_json_text *t, uint8_t *to, size_t *ret_len) {
  static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
  uint8_t b;
  if (!ipfsa_cursor_u8(&t->c, &b)) return fail(t, "an escape ends early");
  if (b == 'u') return unescape_u(t, to, ret_len);
  const char *at = b ? strchr(from, b) : NULL;
  if (!at) return fail(t, "there is no such escape");
  *to = (uint8_t)into[at - from];
  *ret_len = 1;
  return true;
}

bool ipfsa_json_text_string(ipfsa_json_text *t, ipfsa_bytes *ret) {
  if (!ipfsa_json_text_expect(t, '"', "expected a text in double quotes")) return false;
  uint8_t *start = t->data + ipfsa_cursor_offset(&t->c), *to = start;
  for (;;) {
    uint8_t b;
    if (!ipfsa_cursor_u8(&t->c, &b)) return fail(t, "a text does not end");
    if (b == '"') break;
    size_t n = 1;
    if (b < 0x20) return fail(t, "a control character in a text");
    if (b == '\\') {
      if (!unescape(t, to, &n)) return false;
    } else *to = b;
    to += n;
  }
  *ret = ipfsa_bytes_of(start, (size_t)(to - start));
  return true;
}

/* ---- numbers and what is passed over ---- */

static bool is_digit(uint8_t b) { return b >= '0' && b <= '9'; }
static uint8_t peek(const ipfsa_json_text *t) {
  uint8_t b = 0;
  (void)ipfsa_cursor_peek(&t->c, &b);
  return b;
}

bool ipfsa_json_text_unsigned(ipfsa_json_text *t, uint64_t *ret) {
  uint8_t first = ipfsa_json_text_next(t);
  if (!is_digit(first)) return fail(t, "expected a whole number from 0 on");
  t->c.pos++;
  if (first == '0' && is_digit(peek(t))) return fail(t, "a number begins with 0");
  uint64_t v = (uint64_t)(first - '0');
  for (; is_digit(peek(t)); t->c.pos++)
    if (__builtin_mul_overflow(v, (uint64_t)10, &v) || __builtin_add_overflow(v, (uint64_t)(peek(t) - '0'), &v)) return fail(t, "a number is 2^64 or more");
  uint8_t after = peek(t);
  if (after == '.' || after == 'e' || after == 'E') return fail(t, "expected a whole number, without fraction or exponent");
  *ret = v;
  return true;
}

static bool skip_digits(ipfsa_json_text *t) {
  if (!is_digit(peek(t))) return fail(t, "expected a digit");
  while (is_digit(peek(t))) t->c.pos++;
  return true;
}

static bool skip_number(ipfsa_json_text *t) {
  if (peek(t) == '-') t->c.pos++;
  if (peek(t) == '0') t->c.pos++;
  else if (!skip_digits(t)) return false;
  if (is_digit(peek(t))) return fail(t, "a number begins with 0");
  if (peek(t) == '.') {
    t->c.pos++;
    if (!skip_digits(t)) return false;
  }
  if (peek(t) != 'e' && peek(t) != 'E') return true;
  t->c.pos++;
  if (peek(t) == '+' || peek(t) == '-') t->c.pos++;
  return skip_digits(t);
}

static bool skip_word(ipfsa_json_text *t, const char *word) {
  size_t n = strlen(word);
  if (ipfsa_cursor_left(&t->c) < n || memcmp(t->c.pos, word, n) != 0) return fail(t, "expected a value");
  t->c.pos += n;
  return true;
}

bool ipfsa_json_text_null(ipfsa_json_text *t) { return ipfsa_json_text_next(t) == 'n' && skip_word(t, "null"); }

static bool skip_scalar(ipfsa_json_text *t, uint8_t first) {
  ipfsa_bytes ignored;
  if (first == '"') return ipfsa_json_text_string(t, &ignored);
  if (first == 't') return skip_word(t, "true");
  if (first == 'f') return skip_word(t, "false");
  if (first == 'n') return skip_word(t, "null");
  if (first == '-' || is_digit(first)) return skip_number(t);
  return fail(t, "expected a value");
}

static bool skip_key(ipfsa_json_text *t) {
  ipfsa_bytes ignored;
  return ipfsa_json_text_string(t, &ignored) && ipfsa_json_text_expect(t, ':', "expected :");
}

bool ipfsa_json_text_skip(ipfsa_json_text *t, unsigned depth) {
  uint64_t objects = 0; /* bit i: is level i an object? */
  unsigned level = 0;
  for (;;) {
    uint8_t first = ipfsa_json_text_next(t);
    bool object = first == '{', opened = false, failed = false;
    if (object || first == '[') {
      if (level >= depth) return fail(t, "too many lists and objects in each other");
      t->c.pos++;
      opened = !ipfsa_json_text_take(t, object ? '}' : ']');
      if (opened) {
        objects = (objects & ~((uint64_t)1 << level)) | (uint64_t)object << level;
        level++;
      }
    } else if (!skip_scalar(t, first)) return false;
    bool more = opened;
    while (!more && level) { /* what is closed is itself an item of the level above */
      more = ipfsa_json_text_more(t, objects >> (level - 1) & 1 ? '}' : ']', &failed);
      if (failed) return false;
      if (!more) level--;
    }
    if (level == 0) return true;
    if ((objects >> (level - 1) & 1) && !skip_key(t)) return false;
  }
}
