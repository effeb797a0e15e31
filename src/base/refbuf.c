#include "base/refbuf.h"

#include <pthread.h>

#include "base/alloc.h"

ipfsa_refbuf *ipfsa_refbuf_ref(ipfsa_refbuf *ref) {
  if (ref) __atomic_add_fetch(&ref->refs, 1, __ATOMIC_RELAXED);
  return ref;
}

ipfsa_refbuf *ipfsa_refbuf_unref(ipfsa_refbuf *ref) {
  if (ref && __atomic_sub_fetch(&ref->refs, 1, __ATOMIC_ACQ_REL) == 0) ref->release(ref);
  return NULL;
}

/* Large buffers are kept for the next block: fresh pages from the kernel cost more than reading and hashing what goes into them. */
#define LARGE ((size_t)65536)
#define MAX_KEPT 16
#define MAX_KEPT_BYTES ((size_t)24 << 20) /* of all */

typedef struct heap_refbuf {
  ipfsa_refbuf base;
  size_t cap;
} heap_refbuf;

static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static heap_refbuf *kept[MAX_KEPT];
static size_t n_kept, kept_bytes;

static bool keep(heap_refbuf *heap) {
  if (heap->cap < LARGE || heap->cap > MAX_KEPT_BYTES) return false;
  pthread_mutex_lock(&kept_lock);
  bool room = n_kept < MAX_KEPT && kept_bytes + heap->cap <= MAX_KEPT_BYTES;
  if (room) kept[n_kept++] = heap, kept_bytes += heap->cap;
  pthread_mutex_unlock(&kept_lock);
  return room;
}

/* One that fits and wastes at most as much again. */
static heap_refbuf *take_kept(size_t len) {
  heap_refbuf *found = NULL;
  pthread_mutex_lock(&kept_lock);
  for (size_t i = 0; i < n_kept && !found; i++) {
    if (kept[i]->cap < len || kept[i]->cap > 2 * len) continue;
    found = kept[i];
    kept[i] = kept[--n_kept];
    kept_bytes -= found->cap;
  }
  pthread_mutex_unlock(&kept_lock);
  return found;
}

static void release_heap(ipfsa_refbuf *self) {
  heap_refbuf *heap = (heap_refbuf *)self;
  if (!keep(heap)) ipfsa_free(heap);
}

/* For leak checkers: what is kept at the end of the program is no leak. */
__attribute__((destructor)) static void drop_kept(void) {
  while (n_kept) ipfsa_free(kept[--n_kept]);
}

ipfsa_refbuf *ipfsa_refbuf_new(size_t len, uint8_t **ret_data) {
  size_t total;
  if (__builtin_add_overflow(sizeof(heap_refbuf), len, &total)) return NULL;
  heap_refbuf *heap = len >= LARGE ? take_kept(len) : NULL;
  if (!heap) {
    heap = ipfsa_malloc(total);
    if (!heap) return NULL;
    heap->cap = len;
  }
  heap->base = (ipfsa_refbuf){.refs = 1, .release = release_heap};
  *ret_data = (uint8_t *)(heap + 1);
  return &heap->base;
}
