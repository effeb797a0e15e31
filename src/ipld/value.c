#include "ipld/value.h"

#include "base/alloc.h"
#include "base/error.h"
#include "ipld/dagcbor.h"
#include "ipld/dagjson.h"
#include "ipld/dagpb_value.h"

void ipfsa_value_release(ipfsa_value *value) {
  ipfsa_free(value->items);
  ipfsa_free(value->arena);
  *value = (ipfsa_value){0};
}

ipfsa_status ipfsa_value_links(ipfsa_bytes block, ipfsa_value_decode_fn decode, ipfsa_link_cb cb, void *ctx, ipfsa_error *err) {
  IPFSA_AUTO(ipfsa_value_release) ipfsa_value value = {0};
  ipfsa_status status = decode(block, &value, err);
  for (size_t i = 0; status == IPFSA_OK && i < value.n_items; i++) {
    if (value.items[i].type != IPFSA_VALUE_LINK) continue;
    ipfsa_cid cid;
    status = ipfsa_cid_decode(value.items[i].bytes, &cid, err);
    if (status == IPFSA_OK && cb(ctx, value.items[i].key, &cid, 0) != 0) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "stopped");
  }
  return status;
}

ipfsa_status ipfsa_value_reserve_arena(ipfsa_value *value, size_t n, ipfsa_error *err) {
  value->arena = ipfsa_malloc(n);
  if (!value->arena) return ipfsa_fail_nomem(err);
  value->arena_cap = n;
  return IPFSA_OK;
}

ipfsa_status ipfsa_value_add(ipfsa_value *value, const ipfsa_value_item *item, size_t *ret_index, ipfsa_error *err) {
  if (value->n_items >= IPFSA_MAX_VALUE_ITEMS)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "over %u values in one block", IPFSA_MAX_VALUE_ITEMS);
  if (!ipfsa_grow((void **)&value->items, &value->cap, value->n_items + 1, sizeof *value->items)) return ipfsa_fail_nomem(err);
  if (ret_index) *ret_index = value->n_items;
  value->items[value->n_items] = *item;
  value->items[value->n_items].next = (uint32_t)value->n_items + 1;
  value->n_items++;
  return IPFSA_OK;
}

size_t ipfsa_utf8_len(ipfsa_bytes text) {
  const uint8_t *p = text.data, *end = p + text.len;
  while (p < end) {
    if (*p < 0x80) {
      p++;
      continue;
    }
    size_t n = *p >= 0xc2 && *p < 0xe0 ? 1 : *p >= 0xe0 && *p < 0xf0 ? 2 : *p >= 0xf0 && *p < 0xf5 ? 3 : 0;
    if (n == 0 || (size_t)(end - p) <= n) return (size_t)(p - text.data);
    if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] >= 0xa0) || (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] >= 0x90))
      return (size_t)(p - text.data);
    for (size_t i = 1; i <= n; i++)
      if ((p[i] & 0xc0) != 0x80) return (size_t)(p - text.data);
    p += n + 1;
  }
  return text.len;
}

typedef struct sort_order {
  const ipfsa_value *value;
  bool length_first;
} sort_order;

static int compare_keys(const void *a, const void *b, void *ctx) {
  const sort_order *o = ctx;
  ipfsa_bytes x = o->value->items[*(const uint32_t *)a].key, y = o->value->items[*(const uint32_t *)b].key;
  if (o->length_first && x.len != y.len) return x.len < y.len ? -1 : 1;
  return ipfsa_bytes_compare(x, y);
}

ipfsa_status ipfsa_value_sorted_keys(const ipfsa_value *value, size_t map, bool length_first, uint32_t **ret, ipfsa_error *err) {
  size_t n = value->items[map].u;
  uint32_t *order = ipfsa_reallocarray(NULL, n + 1, sizeof *order);
  if (!order) return ipfsa_fail_nomem(err);
  uint32_t at = (uint32_t)map + 1;
  for (size_t i = 0; i < n; i++, at = value->items[at].next) order[i] = at;
  sort_order by = {value, length_first};
  qsort_r(order, n, sizeof *order, compare_keys, &by);
  for (size_t i = 1; i < n; i++)
    if (compare_keys(&order[i - 1], &order[i], &by) == 0) {
      ipfsa_bytes key = value->items[order[i]].key;
      ipfsa_free(order);
      return ipfsa_fail(err, IPFSA_E_MALFORMED, "the key \"%.*s\" stands twice in a map", (int)(key.len < 100 ? key.len : 100), key.data);
    }
  *ret = order;
  return IPFSA_OK;
}

static ipfsa_status decode_raw(ipfsa_bytes block, ipfsa_value *ret, ipfsa_error *err) {
  return ipfsa_value_add(ret, &(ipfsa_value_item){.type = IPFSA_VALUE_BYTES, .bytes = block}, NULL, err);
}

ipfsa_status ipfsa_value_decode(uint64_t codec, ipfsa_bytes block, ipfsa_value *ret, ipfsa_error *err) {
  ipfsa_value value = {0};
  ipfsa_status status;
  switch (codec) {
  case IPFSA_CODEC_RAW: status = decode_raw(block, &value, err); break;
  case IPFSA_CODEC_DAG_PB: status = ipfsa_dagpb_to_value(block, &value, err); break;
  case IPFSA_CODEC_CBOR:
  case IPFSA_CODEC_DAG_CBOR: status = ipfsa_dagcbor_decode(block, &value, err); break;
  case IPFSA_CODEC_JSON: status = ipfsa_json_decode(block, &value, err); break;
  case IPFSA_CODEC_DAG_JSON: status = ipfsa_dagjson_decode(block, &value, err); break;
  default: {
    const char *name = ipfsa_codec_to_string(codec);
    status = ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "no decoder registered for multicodec code %llu (0x%llx)%s%s",
                        (unsigned long long)codec, (unsigned long long)codec, name ? " " : "", name ? name : "");
  }
  }
  if (status) ipfsa_value_release(&value);
  else *ret = value;
  return status;
}

/* What the plain forms of cbor and json have no place for. */
static ipfsa_status check_plain(uint64_t codec, const ipfsa_value *value, size_t at, ipfsa_error *err) {
  bool json = codec == IPFSA_CODEC_JSON;
  for (size_t i = at; i < value->items[at].next && (json || codec == IPFSA_CODEC_CBOR); i++) {
    if (value->items[i].type == IPFSA_VALUE_LINK) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "cannot marshal IPLD links to %s; dag-%s can", json ? "json" : "cbor", json ? "json" : "cbor");
    if (json && value->items[i].type == IPFSA_VALUE_BYTES) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "cannot marshal IPLD bytes to json; dag-json can");
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_value_encode(uint64_t codec, const ipfsa_value *value, size_t at, ipfsa_buf *out, ipfsa_error *err) {
  const ipfsa_value_item *item = &value->items[at];
  ipfsa_status status = check_plain(codec, value, at, err);
  if (status) return status;
  switch (codec) {
  case IPFSA_CODEC_RAW:
    if (item->type != IPFSA_VALUE_BYTES) return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "only bytes can be encoded as raw");
    ipfsa_buf_append_bytes(out, item->bytes);
    return ipfsa_buf_status(out, err);
  case IPFSA_CODEC_DAG_PB: return ipfsa_dagpb_from_value(value, at, out, err);
  case IPFSA_CODEC_CBOR:
  case IPFSA_CODEC_DAG_CBOR: return ipfsa_dagcbor_encode(value, at, out, err);
  case IPFSA_CODEC_JSON:
  case IPFSA_CODEC_DAG_JSON: return ipfsa_dagjson_encode(value, at, out, err);
  default:
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "no encoder registered for multicodec code %llu (0x%llx)", (unsigned long long)codec,
                      (unsigned long long)codec);
  }
}

/* "12" → 12; leading zeros and signs are no list index. */
static bool list_index(ipfsa_bytes s, uint64_t *ret) {
  if (s.len == 0 || s.len > 10 || (s.len > 1 && s.data[0] == '0')) return false;
  uint64_t v = 0;
  for (size_t i = 0; i < s.len; i++) {
    if (s.data[i] < '0' || s.data[i] > '9') return false;
    v = v * 10 + (uint64_t)(s.data[i] - '0');
  }
  *ret = v;
  return true;
}

size_t ipfsa_value_child(const ipfsa_value *value, size_t at, ipfsa_bytes segment) {
  const ipfsa_value_item *item = &value->items[at];
  uint64_t index = 0;
  if (item->type != IPFSA_VALUE_MAP && item->type != IPFSA_VALUE_LIST) return SIZE_MAX;
  if (item->type == IPFSA_VALUE_LIST && !list_index(segment, &index)) return SIZE_MAX;
  size_t child = at + 1;
  for (uint64_t i = 0; i < item->u; i++, child = value->items[child].next)
    if (item->type == IPFSA_VALUE_LIST ? i == index : ipfsa_bytes_equal(value->items[child].key, segment)) return child;
  return SIZE_MAX;
}
