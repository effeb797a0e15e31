/* Text forms of bytes, without any multibase prefix. Threads: any. */
#ifndef IPFSA_CODEC_BASEN_H
#define IPFSA_CODEC_BASEN_H

#include "base/buf.h"
#include "base/bytes.h"

/* Bases whose number is one big integer cost the square of their length: 4 KiB holds any CID or key many times over. */
#define IPFSA_MAX_BIG_BASE 4096

typedef enum ipfsa_basen_kind {
  IPFSA_BASEN_BITS, /* a power of two: `bits` a character */
  IPFSA_BASEN_BIG,  /* one big integer, leading zero bytes as leading zero digits */
  IPFSA_BASEN_45,   /* RFC 9285 */
  IPFSA_BASEN_PROQUINT,
  IPFSA_BASEN_EMOJI,
} ipfsa_basen_kind;

typedef struct ipfsa_basen {
  ipfsa_basen_kind kind;
  const char *alphabet;
  unsigned bits;  /* BITS */
  bool pad;       /* "=" to a whole group */
  bool any_case;  /* decodes upper and lower case alike */
} ipfsa_basen;

void ipfsa_basen_encode(const ipfsa_basen *base, ipfsa_bytes in, ipfsa_buf *out);
/* E_MALFORMED with the offset of the character that does not fit; E_LIMIT over IPFSA_MAX_BIG_BASE. Appends to out. */
ipfsa_status ipfsa_basen_decode(const ipfsa_basen *base, ipfsa_bytes text, ipfsa_buf *out, ipfsa_error *err);

#endif
