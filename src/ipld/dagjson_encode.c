#include <math.h>

#include "base/alloc.h"
#include "base/error.h"
#include "codec/basen.h"
#include "ipld/dagjson.h"

static void put_string(ipfsa_buf *out, ipfsa_bytes s) {
  ipfsa_buf_u8(out, '"');
  for (size_t i = 0; i < s.len; i++) {
    uint8_t b = s.data[i];
    bool separator = b == 0xe2 && s.len - i > 2 && s.data[i + 1] == 0x80 && (s.data[i + 2] & 0xfe) == 0xa8; /* U+2028, U+2029 */
    if (b == '"' || b == '\\') ipfsa_buf_u8(out, '\\'), ipfsa_buf_u8(out, b);
    else if (b == '\n') ipfsa_buf_str(out, "\\n");
    else if (b == '\r') ipfsa_buf_str(out, "\\r");
    else if (b == '\t') ipfsa_buf_str(out, "\\t");
    else if (b < 0x20) ipfsa_buf_printf(out, "\\u%04x", b);
    else if (separator) ipfsa_buf_printf(out, "\\u%04x", 0x2028u + (s.data[i + 2] & 1u)), i += 2;
    else ipfsa_buf_u8(out, b);
  }
  ipfsa_buf_u8(out, '"');
}

/* Shortest digits that read back; exponent form below 1e-6 and from 1e21 on; a decimal point where the value is integral. */
static void put_float(ipfsa_buf *out, double f) {
  char digits[40];
  int precision = 0;
  do snprintf(digits, sizeof digits, "%.*e", precision, f);
  while (strtod(digits, NULL) != f && precision++ < 17);
  double magnitude = fabs(f);
  int exponent = atoi(strchr(digits, 'e') + 1);
  if (magnitude != 0 && (magnitude < 1e-6 || magnitude >= 1e21)) {
    *strchr(digits, 'e') = '\0';
    ipfsa_buf_printf(out, "%se%s%d", digits, exponent < 0 ? "" : "+", exponent);
    return;
  }
  int decimals = precision - exponent;
  ipfsa_buf_printf(out, "%.*f", decimals > 0 ? decimals : 0, f);
  if (decimals <= 0) ipfsa_buf_str(out, ".0");
}

static ipfsa_status put_item(ipfsa_buf *out, const ipfsa_value_item *item, ipfsa_error *err) {
  static const ipfsa_basen base64 = {IPFSA_BASEN_BITS, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 6, false, false};
  ipfsa_cid cid;
  char text[IPFSA_MAX_CID_TEXT];
  switch (item->type) {
  case IPFSA_VALUE_NULL: ipfsa_buf_str(out, "null"); break;
  case IPFSA_VALUE_BOOL: ipfsa_buf_str(out, item->u ? "true" : "false"); break;
  case IPFSA_VALUE_INT:
    if (item->negative && item->u == UINT64_MAX) ipfsa_buf_str(out, "-18446744073709551616");
    else ipfsa_buf_printf(out, "%s%llu", item->negative ? "-" : "", (unsigned long long)(item->u + item->negative));
    break;
  case IPFSA_VALUE_FLOAT: put_float(out, item->f); break;
  case IPFSA_VALUE_STRING: put_string(out, item->bytes); break;
  case IPFSA_VALUE_BYTES:
    ipfsa_buf_str(out, "{\"/\":{\"bytes\":\"");
    ipfsa_basen_encode(&base64, item->bytes, out);
    ipfsa_buf_str(out, "\"}}");
    break;
  case IPFSA_VALUE_LINK: {
    ipfsa_status status = ipfsa_cid_decode(item->bytes, &cid, err);
    if (status) return status;
    ipfsa_cid_format(&cid, text);
    ipfsa_buf_printf(out, "{\"/\":\"%s\"}", text);
    break;
  }
  case IPFSA_VALUE_LIST: ipfsa_buf_u8(out, '['); break;
  case IPFSA_VALUE_MAP: ipfsa_buf_u8(out, '{'); break;
  }
  return IPFSA_OK;
}

typedef struct open_output {
  uint32_t *order; /* of a map, owned; NULL: list */
  uint64_t done, n;
  size_t next;
} open_output;

ipfsa_status ipfsa_dagjson_encode(const ipfsa_value *value, size_t at, ipfsa_buf *out, ipfsa_error *err) {
  open_output open[IPFSA_MAX_NESTING];
  size_t depth = 0;
  ipfsa_status status = IPFSA_OK;
  for (;;) {
    const ipfsa_value_item *item = &value->items[at];
    status = put_item(out, item, err);
    if (status) break;
    if (item->type == IPFSA_VALUE_LIST || item->type == IPFSA_VALUE_MAP) {
      if (depth == IPFSA_MAX_NESTING) {
        status = ipfsa_fail(err, IPFSA_E_LIMIT, "dag-json: nested deeper than %d", IPFSA_MAX_NESTING);
        break;
      }
      open[depth] = (open_output){NULL, 0, item->u, at + 1};
      if (item->type == IPFSA_VALUE_MAP) status = ipfsa_value_sorted_keys(value, at, false, &open[depth].order, err);
      if (status) break;
      depth++;
    }
    while (depth && open[depth - 1].done == open[depth - 1].n) {
      ipfsa_buf_u8(out, open[depth - 1].order ? '}' : ']');
      ipfsa_free(open[--depth].order);
    }
    if (!depth) break;
    open_output *top = &open[depth - 1];
    at = top->order ? top->order[top->done] : top->next;
    top->next = value->items[at].next;
    if (top->done++) ipfsa_buf_u8(out, ',');
    if (top->order) {
      put_string(out, value->items[at].key);
      ipfsa_buf_u8(out, ':');
    }
  }
  while (depth) ipfsa_free(open[--depth].order);
  return status ? status : ipfsa_buf_status(out, err);
}
