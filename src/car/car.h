/* CAR archives, sans I/O: bytes are fed in, sections come out; a writer makes bytes. Source: ipld/ipld specs/transport/car. */
#ifndef IPFSA_CAR_CAR_H
#define IPFSA_CAR_CAR_H

#include "base/buf.h"
#include "cid/cid.h"

#define IPFSA_MAX_CAR_HEADER (1u << 20)          /* bytes: 64 bytes a root and more roots than anyone needs */
#define IPFSA_MAX_CAR_SECTION (2097152u + 168u)  /* a block and its CID; go-car's readers take 8 MiB */
#define IPFSA_MAX_CAR_ROOTS 16384
#define IPFSA_CAR_AWAY_MIN 16384 /* bytes of a block; below, it comes with what is read anyway */

typedef enum ipfsa_car_event {
  IPFSA_CAR_NEED, /* feed more */
  IPFSA_CAR_HEADER, /* roots are known */
  IPFSA_CAR_BLOCK,  /* cid and data */
  IPFSA_CAR_AWAY,   /* cid, and where in the input the data lie; they were not fed, and feeding goes on behind them */
  IPFSA_CAR_END     /* of the archive; what follows (a CARv2 index) is of no interest */
} ipfsa_car_event;

typedef struct ipfsa_car_reader {
  ipfsa_buf in;         /* bytes not yet taken */
  size_t pos;
  uint64_t off;         /* of in.data[0] in the input */
  int stage;
  uint64_t payload_end; /* CARv2: where the CARv1 inside ends; UINT64_MAX = at the end of input */
  bool ended;           /* nothing more will be fed */
  uint64_t away_end;    /* size of an input that can be read anywhere: large blocks before it come as AWAY. 0: an input that only comes in order */
  ipfsa_cid *roots;
  size_t n_roots;
  ipfsa_cid cid;        /* of the last BLOCK */
  ipfsa_bytes data;     /* of BLOCK, until the next call */
  uint64_t away_off;    /* of AWAY */
  uint32_t away_len;
  uint64_t n_blocks;
} ipfsa_car_reader;

/* Zeroed = ready. */
void ipfsa_car_reader_release(ipfsa_car_reader *r);
ipfsa_status ipfsa_car_reader_feed(ipfsa_car_reader *r, ipfsa_bytes bytes, ipfsa_error *err); /* empty: the input is over */
/* The same without a copy: room for `len` more bytes, then how many of them there are (0: the input is over). */
ipfsa_status ipfsa_car_reader_room(ipfsa_car_reader *r, size_t len, uint8_t **ret, ipfsa_error *err);
void ipfsa_car_reader_filled(ipfsa_car_reader *r, size_t n);
uint64_t ipfsa_car_reader_wants(const ipfsa_car_reader *r); /* where in the input the next bytes that are fed lie */
ipfsa_status ipfsa_car_reader_next(ipfsa_car_reader *r, ipfsa_car_event *ret, ipfsa_error *err);

void ipfsa_buf_car_header(ipfsa_buf *buf, const ipfsa_cid *root);
void ipfsa_buf_car_section_head(ipfsa_buf *buf, const ipfsa_cid *cid, size_t data_len); /* the block's bytes follow */

#endif
