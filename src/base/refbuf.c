#include "base/refbuf.h"

#include "base/alloc.h"

ipfsa_refbuf *ipfsa_refbuf_ref(ipfsa_refbuf *ref) {
  if (ref) __atomic_add_fetch(&ref->refs, 1, __ATOMIC_RELAXED);
  return ref;
}

ipfsa_refbuf *ipfsa_refbuf_unref(ipfsa_refbuf *ref) {
  if (ref && __atomic_sub_fetch(&ref->refs, 1, __ATOMIC_ACQ_REL) == 0) ref->release(ref);
  return NULL;
}

static void release_heap(ipfsa_refbuf *self) { ipfsa_free(self); }

ipfsa_refbuf *ipfsa_refbuf_new(size_t len, uint8_t **ret_data) {
  size_t total;
  if (__builtin_add_overflow(sizeof(ipfsa_refbuf), len, &total)) return NULL;
  ipfsa_refbuf *ref = ipfsa_malloc(total);
  if (!ref) return NULL;
  *ref = (ipfsa_refbuf){.refs = 1, .release = release_heap};
  *ret_data = (uint8_t *)(ref + 1);
  return ref;
}
