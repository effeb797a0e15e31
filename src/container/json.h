/* JSON from an engine: bounded in size and depth before the parser sees it, and read without surprises: a missing key, null and a value of another
 * type are the same as absent. Threads: one at a time per value. */
#ifndef IPFSA_CONTAINER_JSON_H
#define IPFSA_CONTAINER_JSON_H

#include <ipfsa/container.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "codec/json.h"

#define IPFSA_MAX_ENGINE_JSON (16u << 20)      /* bytes of a whole answer: some thousand containers or images */
#define IPFSA_MAX_ENGINE_JSON_ITEM (1u << 20)  /* bytes of one object in a stream */

static inline void ipfsa_json_unref(json_t **json) { json_decref(*json); }
#define IPFSA_AUTO_JSON __attribute__((cleanup(ipfsa_json_unref)))

/* ipfsa_json_load, but no text at all gives *ret NULL. */
ipfsa_status ipfsa_json_parse(ipfsa_bytes text, const char *what, json_t **ret, ipfsa_error *err);

/* Cuts concatenated objects (with or without white space or record separators between them) out of bytes as they come. */
typedef struct ipfsa_json_cutter {
  ipfsa_buf item;
  unsigned depth;
  bool in_string, escaped;
} ipfsa_json_cutter;
void ipfsa_json_cutter_init(ipfsa_json_cutter *cutter);
void ipfsa_json_cutter_release(ipfsa_json_cutter *cutter);
/* *ret_item (owned by the cutter until the next call) is the next whole object's text; empty: more input is needed. */
ipfsa_status ipfsa_json_cut(ipfsa_json_cutter *cutter, ipfsa_cursor *in, ipfsa_bytes *ret_item, ipfsa_error *err);
ipfsa_status ipfsa_json_cutter_eof(const ipfsa_json_cutter *cutter, ipfsa_error *err);

/* Walks keys ("State", "Health", NULL); NULL when one is missing. Borrowed. */
json_t *ipfsa_json_at(const json_t *json, ...) __attribute__((sentinel));
const char *ipfsa_json_text(const json_t *json, const char *key); /* "" when absent */
int64_t ipfsa_json_int(const json_t *json, const char *key);      /* 0 when absent; reals are cut */
bool ipfsa_json_bool(const json_t *json, const char *key);

/* Text that goes to an engine. jansson gives NULL for what is no UTF-8 and when memory runs out: where text was checked first (E_INVALID, and the text, which
 * may be a secret, is not in the message), NULL means memory. text NULL is fine. */
ipfsa_status ipfsa_json_check_text(const char *what, const char *text, ipfsa_error *err);
ipfsa_status ipfsa_json_check_texts(const char *what, ipfsa_texts texts, ipfsa_error *err);
void ipfsa_json_make_text(char *text); /* what is shown only: its bytes past ASCII become '?' where they are no UTF-8, or were cut */
json_t *ipfsa_json_list(ipfsa_texts texts); /* NULL as above */

#endif
