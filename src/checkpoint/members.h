/* Bytes of a zip held against the CRC-32 that its directory has of each member, as they go by. Threads: one. */
#ifndef IPFSA_CHECKPOINT_MEMBERS_H
#define IPFSA_CHECKPOINT_MEMBERS_H

#include "checkpoint/tensors.h"

typedef struct ipfsa_members_check {
  const ipfsa_tensors *of;
  uint64_t off; /* of the next byte in the file */
  size_t next;  /* the member at hand */
  uint32_t crc;
  bool is_off; /* the writer left all of them out: nothing to hold against */
} ipfsa_members_check;

ipfsa_members_check ipfsa_members_check_over(const ipfsa_tensors *t); /* borrows; of other formats: takes all bytes */
/* The next bytes of the file. E_CORRUPT names the first member that is not what its directory says. */
ipfsa_status ipfsa_members_check_feed(ipfsa_members_check *c, const uint8_t *data, size_t len, ipfsa_error *err);

#endif
