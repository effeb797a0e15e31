#include "ipld/dagcbor.h"

#include <math.h>

#include "base/alloc.h"
#include "base/error.h"

enum { MAJOR_UINT, MAJOR_NEGATIVE, MAJOR_BYTES, MAJOR_STRING, MAJOR_LIST, MAJOR_MAP, MAJOR_TAG, MAJOR_SIMPLE };
#define TAG_CID 42

typedef struct cbor_head {
  unsigned major, info;
  uint64_t value;
} cbor_head;

typedef struct open_node {
  size_t index;
  uint64_t left;
} open_node;

typedef struct cbor_reader {
  ipfsa_cursor c;
  ipfsa_value *value;
  ipfsa_error *err;
  open_node open[IPFSA_MAX_NESTING];
  size_t depth;
  ipfsa_bytes last_key[IPFSA_MAX_NESTING]; /* of each open map, for the order */
} cbor_reader;

static ipfsa_status malformed(cbor_reader *r, const char *what) {
  uint64_t off = ipfsa_cursor_offset(&r->c);
  return ipfsa_fail_at(r->err, IPFSA_E_MALFORMED, off, "dag-cbor: %s at byte %llu", what, (unsigned long long)off);
}

/* A head in its shortest form, definite lengths only. */
static ipfsa_status read_head(cbor_reader *r, cbor_head *ret) {
  uint8_t first, byte;
  uint16_t two;
  uint32_t four;
  if (!ipfsa_cursor_u8(&r->c, &first)) return malformed(r, "the input ends where a value should begin");
  cbor_head h = {first >> 5, first & 31, first & 31};
  bool ok = true, shortest = true;
  switch (h.info) {
  case 24: ok = ipfsa_cursor_u8(&r->c, &byte), h.value = ok ? byte : 0, shortest = h.value >= 24; break;
  case 25: ok = ipfsa_cursor_u16be(&r->c, &two), h.value = ok ? two : 0, shortest = h.value > 0xff; break;
  case 26: ok = ipfsa_cursor_u32be(&r->c, &four), h.value = ok ? four : 0, shortest = h.value > 0xffff; break;
  case 27: ok = ipfsa_cursor_u64be(&r->c, &h.value), shortest = h.value > 0xffffffff; break;
  case 28:
  case 29:
  case 30: return malformed(r, "a reserved length");
  case 31: return malformed(r, "an indefinite length, which is not allowed,");
  default: break;
  }
  if (!ok) return malformed(r, "a number is cut short");
  if (!shortest && h.major != MAJOR_SIMPLE) return malformed(r, "a number is not in its shortest form");
  *ret = h;
  return IPFSA_OK;
}

static ipfsa_status read_string(cbor_reader *r, uint64_t len, bool text, ipfsa_bytes *ret) {
  ipfsa_bytes bytes;
  if (!ipfsa_cursor_take(&r->c, len, &bytes)) return malformed(r, "a string is longer than the input");
  if (text && !ipfsa_is_utf8(bytes)) return malformed(r, "a string is not UTF-8");
  *ret = bytes;
  return IPFSA_OK;
}

static ipfsa_status read_link(cbor_reader *r, const cbor_head *tag, ipfsa_value_item *item) {
  cbor_head h;
  if (tag->value != TAG_CID) return malformed(r, "a tag other than 42");
  ipfsa_status status = read_head(r, &h);
  if (status) return status;
  ipfsa_bytes bytes;
  if (h.major != MAJOR_BYTES) return malformed(r, "tag 42 without a byte string");
  status = read_string(r, h.value, false, &bytes);
  if (status) return status;
  if (bytes.len < 2 || bytes.data[0] != 0) return malformed(r, "a link without its leading zero byte");
  ipfsa_cid cid;
  item->type = IPFSA_VALUE_LINK;
  item->bytes = ipfsa_bytes_of(bytes.data + 1, bytes.len - 1);
  status = ipfsa_cid_decode(item->bytes, &cid, r->err);
  return status ? ipfsa_error_prefix(r->err, status, "dag-cbor: link before byte %zu", ipfsa_cursor_offset(&r->c)) : IPFSA_OK;
}

static ipfsa_status read_simple(cbor_reader *r, const cbor_head *h, ipfsa_value_item *item) {
  switch (h->info) {
  case 20:
  case 21:
    item->type = IPFSA_VALUE_BOOL;
    item->u = h->info == 21;
    return IPFSA_OK;
  case 22: item->type = IPFSA_VALUE_NULL; return IPFSA_OK;
  case 27:
    item->type = IPFSA_VALUE_FLOAT;
    memcpy(&item->f, &h->value, sizeof item->f);
    return isfinite(item->f) ? IPFSA_OK : malformed(r, "NaN or an infinity before");
  case 25:
  case 26: return malformed(r, "a float that is not of 64 bits before");
  default: return malformed(r, "a simple value other than false, true and null before");
  }
}

static ipfsa_status read_item(cbor_reader *r, ipfsa_value_item *item) {
  cbor_head h;
  ipfsa_status status = read_head(r, &h);
  if (status) return status;
  item->u = h.value;
  switch (h.major) {
  case MAJOR_NEGATIVE:
  case MAJOR_UINT:
    item->negative = h.major == MAJOR_NEGATIVE;
    item->type = IPFSA_VALUE_INT;
    return IPFSA_OK;
  case MAJOR_BYTES: item->type = IPFSA_VALUE_BYTES; return read_string(r, h.value, false, &item->bytes);
  case MAJOR_STRING: item->type = IPFSA_VALUE_STRING; return read_string(r, h.value, true, &item->bytes);
  case MAJOR_LIST: item->type = IPFSA_VALUE_LIST; break;
  case MAJOR_MAP: item->type = IPFSA_VALUE_MAP; break;
  case MAJOR_TAG: return read_link(r, &h, item);
  default: return read_simple(r, &h, item);
  }
  /* Each child takes a byte at least. */
  return h.value > ipfsa_cursor_left(&r->c) ? malformed(r, "more children than bytes") : IPFSA_OK;
}

static ipfsa_status read_key(cbor_reader *r, ipfsa_bytes *ret) {
  cbor_head h;
  ipfsa_status status = read_head(r, &h);
  if (status) return status;
  if (h.major != MAJOR_STRING) return malformed(r, "a map key that is no string");
  ipfsa_bytes key, *last = &r->last_key[r->depth - 1];
  status = read_string(r, h.value, true, &key);
  if (status) return status;
  bool in_order = !last->data || last->len < key.len || (last->len == key.len && ipfsa_bytes_compare(*last, key) < 0);
  if (!in_order) return malformed(r, "map keys twice or out of order before");
  *last = *ret = key;
  return IPFSA_OK;
}

static ipfsa_status read_value(cbor_reader *r) {
  ipfsa_value_item item = {0};
  ipfsa_status status = IPFSA_OK;
  open_node *top = r->depth ? &r->open[r->depth - 1] : NULL;
  if (top && r->value->items[top->index].type == IPFSA_VALUE_MAP) status = read_key(r, &item.key);
  if (status == IPFSA_OK) status = read_item(r, &item);
  if (status) return status;
  if (top) top->left--;
  size_t index;
  status = ipfsa_value_add(r->value, &item, &index, r->err);
  if (status) return status;
  if (item.type != IPFSA_VALUE_LIST && item.type != IPFSA_VALUE_MAP) return IPFSA_OK;
  if (r->depth == IPFSA_MAX_NESTING) return ipfsa_fail(r->err, IPFSA_E_LIMIT, "dag-cbor: nested deeper than %d", IPFSA_MAX_NESTING);
  r->last_key[r->depth] = (ipfsa_bytes){0};
  r->open[r->depth++] = (open_node){index, item.u};
  return IPFSA_OK;
}

ipfsa_status ipfsa_dagcbor_decode(ipfsa_bytes block, ipfsa_value *ret, ipfsa_error *err) {
  cbor_reader r = {.c = ipfsa_cursor_over(block), .value = ret, .err = err};
  do {
    ipfsa_status status = read_value(&r);
    if (status) return status;
    while (r.depth && r.open[r.depth - 1].left == 0) {
      ret->items[r.open[r.depth - 1].index].next = (uint32_t)ret->n_items;
      r.depth--;
    }
  } while (r.depth);
  return ipfsa_cursor_left(&r.c) ? malformed(&r, "bytes after the value,") : IPFSA_OK;
}

ipfsa_status ipfsa_dagcbor_links(ipfsa_bytes block, ipfsa_link_cb cb, void *ctx, ipfsa_error *err) {
  return ipfsa_value_links(block, ipfsa_dagcbor_decode, cb, ctx, err);
}

static void put_head(ipfsa_buf *out, unsigned major, uint64_t v) {
  uint8_t m = (uint8_t)(major << 5);
  if (v < 24) ipfsa_buf_u8(out, m | (uint8_t)v);
  else if (v <= 0xff) ipfsa_buf_u8(out, m | 24), ipfsa_buf_u8(out, (uint8_t)v);
  else if (v <= 0xffff) ipfsa_buf_u8(out, m | 25), ipfsa_buf_u16be(out, (uint16_t)v);
  else if (v <= 0xffffffff) ipfsa_buf_u8(out, m | 26), ipfsa_buf_u32be(out, (uint32_t)v);
  else ipfsa_buf_u8(out, m | 27), ipfsa_buf_u64be(out, v);
}

static void put_bytes(ipfsa_buf *out, unsigned major, ipfsa_bytes b) {
  put_head(out, major, b.len);
  ipfsa_buf_append_bytes(out, b);
}

static void put_item(ipfsa_buf *out, const ipfsa_value_item *item) {
  uint64_t bits;
  switch (item->type) {
  case IPFSA_VALUE_NULL: ipfsa_buf_u8(out, 0xf6); break;
  case IPFSA_VALUE_BOOL: ipfsa_buf_u8(out, item->u ? 0xf5 : 0xf4); break;
  case IPFSA_VALUE_INT: put_head(out, item->negative ? MAJOR_NEGATIVE : MAJOR_UINT, item->u); break;
  case IPFSA_VALUE_FLOAT:
    memcpy(&bits, &item->f, sizeof bits);
    ipfsa_buf_u8(out, 0xfb);
    ipfsa_buf_u64be(out, bits);
    break;
  case IPFSA_VALUE_STRING: put_bytes(out, MAJOR_STRING, item->bytes); break;
  case IPFSA_VALUE_BYTES: put_bytes(out, MAJOR_BYTES, item->bytes); break;
  case IPFSA_VALUE_LINK:
    put_head(out, MAJOR_TAG, TAG_CID);
    put_head(out, MAJOR_BYTES, item->bytes.len + 1);
    ipfsa_buf_u8(out, 0);
    ipfsa_buf_append_bytes(out, item->bytes);
    break;
  case IPFSA_VALUE_LIST: put_head(out, MAJOR_LIST, item->u); break;
  case IPFSA_VALUE_MAP: put_head(out, MAJOR_MAP, item->u); break;
  }
}

typedef struct open_output {
  uint32_t *order; /* of a map, owned; NULL: list */
  uint64_t done, n;
  size_t next; /* of a list: the next child */
} open_output;

ipfsa_status ipfsa_dagcbor_encode(const ipfsa_value *value, size_t at, ipfsa_buf *out, ipfsa_error *err) {
  open_output open[IPFSA_MAX_NESTING];
  size_t depth = 0;
  ipfsa_status status = IPFSA_OK;
  for (;;) {
    const ipfsa_value_item *item = &value->items[at];
    put_item(out, item);
    if (item->type == IPFSA_VALUE_LIST || item->type == IPFSA_VALUE_MAP) {
      if (depth == IPFSA_MAX_NESTING) {
        status = ipfsa_fail(err, IPFSA_E_LIMIT, "dag-cbor: nested deeper than %d", IPFSA_MAX_NESTING);
        break;
      }
      open[depth] = (open_output){NULL, 0, item->u, at + 1};
      if (item->type == IPFSA_VALUE_MAP) status = ipfsa_value_sorted_keys(value, at, true, &open[depth].order, err);
      if (status) break;
      depth++;
    }
    while (depth && open[depth - 1].done == open[depth - 1].n) ipfsa_free(open[--depth].order);
    if (!depth) break;
    open_output *top = &open[depth - 1];
    at = top->order ? top->order[top->done] : top->next;
    top->next = value->items[at].next;
    if (top->order) put_bytes(out, MAJOR_STRING, value->items[at].key);
    top->done++;
  }
  while (depth) ipfsa_free(open[--depth].order);
  return status ? status : ipfsa_buf_status(out, err);
}
