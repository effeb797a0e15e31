/* Small blocks of a transaction, gathered until there are enough for one write. A full buffer is written while the next is filled. Threads: one at a time. */
#ifndef IPFSA_STORE_RECORDS_H
#define IPFSA_STORE_RECORDS_H

#include "base/bytes.h"
#include "base/write_queue.h"
#include "ipld/block.h"

#define IPFSA_RECORDS_FULL (1u << 20) /* bytes; from here on they are written */
#define IPFSA_RECORDS_ROOM (IPFSA_RECORDS_FULL + IPFSA_MAX_BLOCK)
#define IPFSA_RECORDS_BUFFERS 3 /* one is filled, two keep the disk busy */
extern size_t ipfsa_records__full; /* tests make it smaller */

typedef struct ipfsa_records_buffer {
  uint8_t *room;   /* page-aligned; NULL: not needed so far */
  bool huge;       /* … in huge pages */
  uint64_t ticket; /* of its write, 0 = none under way */
} ipfsa_records_buffer;

typedef struct ipfsa_records {
  ipfsa_records_buffer buffers[IPFSA_RECORDS_BUFFERS];
  unsigned current, n_full; /* n_full: so far, up to where it matters */
  size_t len;               /* bytes in the current one */
} ipfsa_records;

void ipfsa_records_release(ipfsa_records *r); /* nothing is under way any more */
const uint8_t *ipfsa_records_data(const ipfsa_records *r);
/* Makes the current buffer ready to take so many bytes more, once what is being written from it is written. */
ipfsa_status ipfsa_records_prepare(ipfsa_records *r, size_t more, ipfsa_write_queue *queue, ipfsa_error *err);
void ipfsa_records_append(ipfsa_records *r, ipfsa_bytes data); /* prepared for; the caller writes what is full before more is appended */
bool ipfsa_records_are_full(const ipfsa_records *r);
size_t ipfsa_records_pad(ipfsa_records *r);                 /* zeros up to a page border; returns the length then */
void ipfsa_records_clear(ipfsa_records *r);                 /* written: begins anew in the same buffer */
void ipfsa_records_next(ipfsa_records *r, uint64_t ticket); /* being written: begins anew in another buffer */

#endif
