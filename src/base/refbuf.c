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

/* Large buffers are kept for the next block: fresh pages from the kernel cost more than reading and hashing what goes into them. They begin on a page
 * border, as blocks do in packs and files: between places that are aligned differently the kernel copies at two thirds of the speed. */
#define LARGE ((size_t)65536)
#define PAGE 4096
#define MAX_KEPT 16
#define MAX_KEPT_BYTES ((size_t)24 << 20) /* of all */

typedef struct heap_refbuf {
  ipfsa_refbuf base;
  size_t cap;
  uint8_t *data; /* behind this, or on a page border of its own */
} heap_refbuf;

static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static heap_refbuf *kept[MAX_KEPT];
static size_t n_kept, kept_bytes;

/* A child that is forked by one thread has no other that could let go of it. */
static void before_fork(void) { pthread_mutex_lock(&kept_lock); }
static void after_fork(void) { pthread_mutex_unlock(&kept_lock); }
__attribute__((constructor)) static void at_fork(void) { (void)pthread_atfork(before_fork, after_fork, after_fork); }

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
  for (size_t i = 0; i < n_kept; i++) {
    if (kept[i]->cap < len || kept[i]->cap > 2 * len) continue;
    found = kept[i];
    kept[i] = kept[--n_kept];
    kept_bytes -= found->cap;
    break;
  }
  pthread_mutex_unlock(&kept_lock);
  return found;
}

static void free_heap(heap_refbuf *heap) {
  if (heap->cap >= LARGE) ipfsa_free_aligned(heap->data);
  ipfsa_free(heap);
}

static void release_heap(ipfsa_refbuf *self) {
  heap_refbuf *heap = (heap_refbuf *)self;
  if (!keep(heap)) free_heap(heap);
}

/* For leak checkers: what is kept at the end of the program is no leak. */
__attribute__((destructor)) static void drop_kept(void) {
  while (n_kept) free_heap(kept[--n_kept]);
}

static heap_refbuf *new_small(size_t len) {
  size_t total;
  if (__builtin_add_overflow(sizeof(heap_refbuf), len, &total)) return NULL;
  heap_refbuf *heap = ipfsa_malloc(total);
  if (heap) *heap = (heap_refbuf){.cap = len, .data = (uint8_t *)(heap + 1)};
  return heap;
}

static heap_refbuf *new_large(size_t len) {
  heap_refbuf *heap = ipfsa_malloc(sizeof *heap);
  uint8_t *data = heap ? ipfsa_alloc_aligned(len < IPFSA_HUGE_PAGE ? PAGE : IPFSA_HUGE_PAGE, len) : NULL;
  if (!data) return ipfsa_free(heap), NULL;
  ipfsa_prefer_huge_pages(data, len);
  *heap = (heap_refbuf){.cap = len, .data = data};
  return heap;
}

ipfsa_refbuf *ipfsa_refbuf_new(size_t len, uint8_t **ret_data) {
  heap_refbuf *heap = len >= LARGE ? take_kept(len) : NULL;
  if (!heap) heap = len >= LARGE ? new_large(len) : new_small(len);
  if (!heap) return NULL;
  heap->base = (ipfsa_refbuf){.refs = 1, .release = release_heap};
  *ret_data = heap->data;
  return &heap->base;
}
