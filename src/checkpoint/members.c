#include "checkpoint/members.h"

#include <zlib.h>

#include "base/error.h"

/* torch can be told to write none: then each is 0 (torch/serialization.py, set_crc32_options). */
ipfsa_members_check ipfsa_members_check_over(const ipfsa_tensors *t) {
  ipfsa_members_check c = {.of = t, .is_off = true};
  for (size_t i = 0; i < t->n_members; i++) c.is_off = c.is_off && t->members[i].crc == 0;
  return c;
}

static ipfsa_status end_member(ipfsa_members_check *c, const ipfsa_member *m, ipfsa_error *err) {
  if (c->crc != m->crc)
    return ipfsa_fail_at(err, IPFSA_E_CORRUPT, m->data, "the member whose bytes begin at %llu has CRC-32 %08x, its directory says %08x: the file is damaged, get it again",
                         (unsigned long long)m->data, c->crc, m->crc);
  c->crc = 0;
  c->next++;
  return IPFSA_OK;
}

ipfsa_status ipfsa_members_check_feed(ipfsa_members_check *c, const uint8_t *data, size_t len, ipfsa_error *err) {
  const uint64_t start = c->off, end = start + len;
  ipfsa_status status = IPFSA_OK;
  c->off = end;
  while (!c->is_off && status == IPFSA_OK && c->next < c->of->n_members) {
    const ipfsa_member *m = &c->of->members[c->next];
    uint64_t from = m->data > start ? m->data : start, to = m->end < end ? m->end : end;
    if (from < to) c->crc = (uint32_t)crc32_z(c->crc, data + (from - start), (size_t)(to - from));
    if (m->end > end) break;
    status = end_member(c, m, err);
  }
  return status;
}
