#include "store/records.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/pack.h"

#define MANY 8 /* buffers: what comes after so many is worth that a huge page is zeroed for it */

size_t ipfsa_records__full = IPFSA_RECORDS_FULL;

void ipfsa_records_release(ipfsa_records *r) {
  for (unsigned i = 0; i < IPFSA_RECORDS_BUFFERS; i++) ipfsa_free_aligned(r->buffers[i].room);
  *r = (ipfsa_records){0};
}

const uint8_t *ipfsa_records_data(const ipfsa_records *r) { return r->buffers[r->current].room; }

static bool make_room(ipfsa_records_buffer *b, bool huge) {
  if (b->room && b->huge == huge) return true;
  ipfsa_free_aligned(b->room);
  b->huge = huge;
  b->room = ipfsa_alloc_aligned(huge ? IPFSA_HUGE_PAGE : IPFSA_PACK_PAGE, IPFSA_RECORDS_ROOM);
  if (b->room && huge) ipfsa_prefer_huge_pages(b->room, IPFSA_RECORDS_ROOM);
  return b->room != NULL;
}

ipfsa_status ipfsa_records_prepare(ipfsa_records *r, size_t more, ipfsa_write_queue *queue, ipfsa_error *err) {
  ipfsa_records_buffer *b = &r->buffers[r->current];
  if (more > IPFSA_RECORDS_ROOM - r->len) return ipfsa_fail(err, IPFSA_E_LIMIT, "a record of %zu bytes, at most %d", more, IPFSA_MAX_BLOCK);
  if (r->len) return IPFSA_OK;
  ipfsa_status status = b->ticket ? ipfsa_write_queue_settle(queue, b->ticket, err) : IPFSA_OK;
  if (status) return status;
  b->ticket = 0;
  return make_room(b, r->n_full >= MANY) ? IPFSA_OK : ipfsa_fail_nomem(err);
}

void ipfsa_records_append(ipfsa_records *r, ipfsa_bytes data) {
  if (data.len) memcpy(r->buffers[r->current].room + r->len, data.data, data.len);
  r->len += data.len;
}

bool ipfsa_records_are_full(const ipfsa_records *r) { return r->len >= ipfsa_records__full; }

size_t ipfsa_records_pad(ipfsa_records *r) {
  size_t len = (r->len + IPFSA_PACK_PAGE - 1) / IPFSA_PACK_PAGE * IPFSA_PACK_PAGE;
  memset(r->buffers[r->current].room + r->len, 0, len - r->len);
  return len;
}

void ipfsa_records_clear(ipfsa_records *r) { r->len = 0; }

void ipfsa_records_next(ipfsa_records *r, uint64_t ticket) {
  r->buffers[r->current].ticket = ticket;
  r->current = (r->current + 1) % IPFSA_RECORDS_BUFFERS;
  if (r->n_full < MANY) r->n_full++;
  r->len = 0;
}
