/* JSON piece by piece, for headers of a million tensors: one pass, no tree, no recursion; texts are unescaped where they stand, so the memory is the
 * reader's own. RFC 8259, strictly; that the bytes are UTF-8 is checked by the caller. Threads: one at a time each. */
#ifndef IPFSA_CHECKPOINT_JSON_TEXT_H
#define IPFSA_CHECKPOINT_JSON_TEXT_H

#include "base/bytes.h"

typedef struct ipfsa_json_text {
  ipfsa_cursor c;
  uint8_t *data;   /* what c stands on */
  const char *why; /* static: what was expected, after a failure; c stands there */
} ipfsa_json_text;

ipfsa_json_text ipfsa_json_text_over(uint8_t *data, size_t len);
static inline size_t ipfsa_json_text_at(const ipfsa_json_text *t) { return ipfsa_cursor_offset(&t->c); }
/* The next byte that is no white space, not taken; 0 at the end. */
uint8_t ipfsa_json_text_next(ipfsa_json_text *t);
bool ipfsa_json_text_take(ipfsa_json_text *t, uint8_t byte);              /* takes the next byte if it is this one; no failure */
bool ipfsa_json_text_expect(ipfsa_json_text *t, uint8_t byte, const char *why);
bool ipfsa_json_text_string(ipfsa_json_text *t, ipfsa_bytes *ret);        /* borrowed from the memory */
bool ipfsa_json_text_unsigned(ipfsa_json_text *t, uint64_t *ret);         /* no sign, fraction or exponent; below 2^64 */
bool ipfsa_json_text_null(ipfsa_json_text *t);
/* Any value, of at most `depth` (≤ 64) lists and objects in each other. */
bool ipfsa_json_text_skip(ipfsa_json_text *t, unsigned depth);
/* After a member or item: true = another follows, its separator is taken; false = `close` is taken, or *failed. */
bool ipfsa_json_text_more(ipfsa_json_text *t, uint8_t close, bool *failed);

#endif
