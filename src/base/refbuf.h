/* Shared immutable bytes with a reference count and a way to give them back (heap, mapping, pool).
 * Threads: ref and unref from any. */
#ifndef IPFSA_BASE_REFBUF_H
#define IPFSA_BASE_REFBUF_H

#include <ipfsa/base.h>

typedef struct ipfsa_refbuf ipfsa_refbuf;
struct ipfsa_refbuf {
  int refs;
  void (*release)(ipfsa_refbuf *self); /* frees what it holds and itself */
};

ipfsa_refbuf *ipfsa_refbuf_ref(ipfsa_refbuf *ref);   /* NULL is fine */
ipfsa_refbuf *ipfsa_refbuf_unref(ipfsa_refbuf *ref); /* returns NULL */

/* A heap refbuf with `len` writable bytes behind it, or NULL. */
ipfsa_refbuf *ipfsa_refbuf_new(size_t len, uint8_t **ret_data);

#endif
