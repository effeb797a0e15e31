#include "unixfs/cuts.h"

#include "base/alloc.h"
#include "base/error.h"

void ipfsa_cuts_release(ipfsa_cuts *c) {
  ipfsa_free(c->ends);
  *c = (ipfsa_cuts){0};
}

ipfsa_status ipfsa_cuts_close(ipfsa_cuts *c, ipfsa_error *err) {
  if (c->at == c->start) return IPFSA_OK;
  if (!ipfsa_grow((void **)&c->ends, &c->cap, c->n + 1, sizeof *c->ends)) return ipfsa_fail_nomem(err);
  c->ends[c->n++] = c->start = c->at;
  return IPFSA_OK;
}

ipfsa_status ipfsa_cuts_add(ipfsa_cuts *c, uint64_t end, ipfsa_error *err) {
  bool large = end - c->at >= c->size;
  ipfsa_status status = large || end - c->start > c->size ? ipfsa_cuts_close(c, err) : IPFSA_OK;
  c->at = end;
  return status == IPFSA_OK && large ? ipfsa_cuts_close(c, err) : status;
}

uint64_t ipfsa_cuts_next(const ipfsa_cuts *c, uint64_t off) {
  size_t low = 0, high = c->n; /* the first piece that ends behind off */
  while (low < high) {
    size_t mid = low + (high - low) / 2;
    if (c->ends[mid] <= off) low = mid + 1;
    else high = mid;
  }
  uint64_t start = low ? c->ends[low - 1] : 0, next = start + ((off - start) / c->size + 1) * c->size;
  return low < c->n && c->ends[low] < next ? c->ends[low] : next;
}
