#include "checkpoint/pairs.h"

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
