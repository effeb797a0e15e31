#include "checkpoint/pairs.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"

void ipfsa_pairs_release(ipfsa_pairs *p) {
  ipfsa_buf_release(&p->text);
  ipfsa_free(p->items);
  *p = (ipfsa_pairs){0};
}

ipfsa_status ipfsa_pairs_add(ipfsa_pairs *p, ipfsa_bytes key, ipfsa_bytes value, ipfsa_error *err) {
  if (p->n == IPFSA_MAX_CHECKPOINT_PAIRS) return ipfsa_fail(err, IPFSA_E_LIMIT, "more than %u entries of metadata", IPFSA_MAX_CHECKPOINT_PAIRS);
  size_t room = IPFSA_MAX_CHECKPOINT_METADATA - p->text.len;
  if (key.len > room || value.len > room - key.len) return ipfsa_fail(err, IPFSA_E_LIMIT, "more than %u bytes of metadata", IPFSA_MAX_CHECKPOINT_METADATA);
  if (!ipfsa_grow((void **)&p->items, &p->cap, p->n + 1, sizeof *p->items)) return ipfsa_fail_nomem(err);
  ipfsa_pair pair = {(uint32_t)p->text.len, (uint32_t)key.len, (uint32_t)(p->text.len + key.len), (uint32_t)value.len};
  ipfsa_buf_append_bytes(&p->text, key);
  ipfsa_buf_append_bytes(&p->text, value);
  ipfsa_status status = ipfsa_buf_status(&p->text, err);
  if (status == IPFSA_OK) p->items[p->n++] = pair;
  return status;
}

static int by_key(const void *a, const void *b, void *ctx) {
  const ipfsa_pairs *p = *(const ipfsa_pairs *const *)ctx;
  uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
  int order = ipfsa_bytes_compare(ipfsa_pairs_key(p, i), ipfsa_pairs_key(p, k));
  return order ? order : i < k ? -1 : 1;
}

ipfsa_status ipfsa_pairs_find_twice(const ipfsa_pairs *p, size_t *ret, ipfsa_error *err) {
  IPFSA_AUTO_FREE uint32_t *order = ipfsa_reallocarray(NULL, p->n ? p->n : 1, sizeof *order);
  if (!order) return ipfsa_fail_nomem(err);
  for (size_t i = 0; i < p->n; i++) order[i] = (uint32_t)i;
  qsort_r(order, p->n, sizeof *order, by_key, &p);
  *ret = SIZE_MAX;
  for (size_t i = 1; i < p->n && *ret == SIZE_MAX; i++)
    if (ipfsa_bytes_equal(ipfsa_pairs_key(p, order[i - 1]), ipfsa_pairs_key(p, order[i]))) *ret = order[i];
  return IPFSA_OK;
}
