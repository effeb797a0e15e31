#include "ipld/dagpb_value.h"

#include "base/alloc.h"
#include "base/error.h"
#include "ipld/dagpb.h"

static ipfsa_status add(ipfsa_value *v, const char *key, ipfsa_value_type type, ipfsa_bytes bytes, uint64_t u, ipfsa_error *err) {
  ipfsa_value_item item = {.type = type, .bytes = bytes, .u = u};
  if (key) item.key = ipfsa_bytes_str(key);
  return ipfsa_value_add(v, &item, NULL, err);
}

static ipfsa_status add_link(ipfsa_value *v, const ipfsa_pb_link *link, ipfsa_error *err) {
  size_t at = v->n_items;
  ipfsa_status status = add(v, NULL, IPFSA_VALUE_MAP, (ipfsa_bytes){0}, 1u + link->has_name + link->has_tsize, err);
  if (status == IPFSA_OK) status = add(v, "Hash", IPFSA_VALUE_LINK, link->cid, 0, err);
  if (status == IPFSA_OK && link->has_name) {
    if (!ipfsa_is_utf8(link->name)) return ipfsa_fail(err, IPFSA_E_MALFORMED, "dag-pb: a link's Name is not UTF-8 and has no logical form");
    status = add(v, "Name", IPFSA_VALUE_STRING, link->name, 0, err);
  }
  if (status == IPFSA_OK && link->has_tsize) status = add(v, "Tsize", IPFSA_VALUE_INT, (ipfsa_bytes){0}, link->tsize, err);
  if (status == IPFSA_OK) v->items[at].next = (uint32_t)v->n_items;
  return status;
}

ipfsa_status ipfsa_dagpb_to_value(ipfsa_bytes block, ipfsa_value *ret, ipfsa_error *err) {
  ipfsa_pbnode node;
  ipfsa_status status = ipfsa_pbnode_decode(block, &node, err);
  if (status == IPFSA_OK) status = add(ret, NULL, IPFSA_VALUE_MAP, (ipfsa_bytes){0}, 1u + node.has_data, err);
  if (status == IPFSA_OK && node.has_data) status = add(ret, "Data", IPFSA_VALUE_BYTES, node.data, 0, err);
  size_t list = ret->n_items;
  if (status == IPFSA_OK) status = add(ret, "Links", IPFSA_VALUE_LIST, (ipfsa_bytes){0}, node.n_links, err);
  if (status) return status;
  ipfsa_pb_link_iter links = ipfsa_pbnode_links(&node);
  ipfsa_pb_link link;
  while (status == IPFSA_OK && ipfsa_pb_link_next(&links, &link)) status = add_link(ret, &link, err);
  if (status) return status;
  ret->items[list].next = ret->items[0].next = (uint32_t)ret->n_items;
  return IPFSA_OK;
}

static ipfsa_status link_of(const ipfsa_value *v, size_t at, ipfsa_pb_link *ret, ipfsa_error *err) {
  ipfsa_pb_link link = {0};
  if (v->items[at].type != IPFSA_VALUE_MAP) return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "dag-pb: a link must be a map of Hash, Name and Tsize");
  size_t child = at + 1;
  for (uint64_t i = 0; i < v->items[at].u; i++, child = v->items[child].next) {
    const ipfsa_value_item *item = &v->items[child];
    if (ipfsa_bytes_equal(item->key, ipfsa_bytes_str("Hash")) && item->type == IPFSA_VALUE_LINK) link.cid = item->bytes;
    else if (ipfsa_bytes_equal(item->key, ipfsa_bytes_str("Name")) && item->type == IPFSA_VALUE_STRING)
      link.name = item->bytes, link.has_name = true;
    else if (ipfsa_bytes_equal(item->key, ipfsa_bytes_str("Tsize")) && item->type == IPFSA_VALUE_INT && !item->negative)
      link.tsize = item->u, link.has_tsize = true;
    else
      return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "dag-pb: a link has the key \"%.*s\" that it cannot hold, or with a value of another type",
                        (int)(item->key.len < 100 ? item->key.len : 100), item->key.data);
  }
  if (!link.cid.data) return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "dag-pb: a link without Hash");
  *ret = link;
  return IPFSA_OK;
}

typedef struct sortable {
  ipfsa_pb_link link;
  size_t order;
} sortable;

static int by_name(const void *a, const void *b) {
  const sortable *x = a, *y = b;
  int c = ipfsa_bytes_compare(x->link.name, y->link.name);
  return c ? c : x->order < y->order ? -1 : 1;
}

static ipfsa_status put_links(const ipfsa_value *v, size_t list, ipfsa_buf *out, ipfsa_error *err) {
  size_t n = v->items[list].u;
  if (n > IPFSA_MAX_PB_LINKS) return ipfsa_fail(err, IPFSA_E_LIMIT, "dag-pb: over %d links in one block", IPFSA_MAX_PB_LINKS);
  IPFSA_AUTO_FREE sortable *links = ipfsa_calloc(n, sizeof *links);
  if (!links) return ipfsa_fail_nomem(err);
  size_t child = list + 1;
  for (size_t i = 0; i < n; i++, child = v->items[child].next) {
    ipfsa_status status = link_of(v, child, &links[i].link, err);
    if (status) return status;
    links[i].order = i;
  }
  qsort(links, n, sizeof *links, by_name);
  for (size_t i = 0; i < n; i++) ipfsa_buf_pb_link(out, &links[i].link);
  return IPFSA_OK;
}

ipfsa_status ipfsa_dagpb_from_value(const ipfsa_value *v, size_t at, ipfsa_buf *out, ipfsa_error *err) {
  const ipfsa_value_item *data = NULL;
  size_t links = SIZE_MAX, child = at + 1;
  if (v->items[at].type != IPFSA_VALUE_MAP) return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "dag-pb: the value must be a map of Data and Links");
  for (uint64_t i = 0; i < v->items[at].u; i++, child = v->items[child].next) {
    const ipfsa_value_item *item = &v->items[child];
    if (ipfsa_bytes_equal(item->key, ipfsa_bytes_str("Data")) && item->type == IPFSA_VALUE_BYTES) data = item;
    else if (ipfsa_bytes_equal(item->key, ipfsa_bytes_str("Links")) && item->type == IPFSA_VALUE_LIST) links = child;
    else
      return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "dag-pb: the key \"%.*s\" is neither Data (bytes) nor Links (a list)",
                        (int)(item->key.len < 100 ? item->key.len : 100), item->key.data);
  }
  if (links == SIZE_MAX) return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "dag-pb: Links is missing");
  ipfsa_status status = put_links(v, links, out, err);
  if (status) return status;
  if (data) ipfsa_buf_pb_data(out, data->bytes);
  return ipfsa_buf_status(out, err);
}
