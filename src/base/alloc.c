#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fault.h"

static bool refused(void) { return ipfsa_fault_point(IPFSA_FAULT_ALLOC) == IPFSA_FAULT_FAIL; }

void *ipfsa_malloc(size_t size) { return refused() ? NULL : malloc(size ? size : 1); }

void *ipfsa_calloc(size_t n, size_t size) { return refused() ? NULL : calloc(n ? n : 1, size ? size : 1); }

void *ipfsa_realloc(void *old, size_t size) { return refused() ? NULL : realloc(old, size ? size : 1); }

void *ipfsa_reallocarray(void *old, size_t n, size_t size) {
  size_t total;
  if (__builtin_mul_overflow(n, size, &total)) return NULL;
  return ipfsa_realloc(old, total);
}

void *ipfsa_memdup(const void *data, size_t len) {
  void *copy = ipfsa_malloc(len);
  if (copy && len) memcpy(copy, data, len);
  return copy;
}

char *ipfsa_strndup(const char *text, size_t len) {
  size_t n = strnlen(text, len);
  char *copy = ipfsa_malloc(n + 1);
  if (!copy) return NULL;
  memcpy(copy, text, n);
  copy[n] = '\0';
  return copy;
}

char *ipfsa_strdup(const char *text) { return ipfsa_memdup(text, strlen(text) + 1); }

void ipfsa_free(void *ptr) { free(ptr); }

void *ipfsa_alloc_aligned(size_t alignment, size_t size) {
  void *ptr = NULL;
  if (refused() || posix_memalign(&ptr, alignment, size ? size : alignment) != 0) return NULL;
  return ptr;
}

void ipfsa_free_aligned(void *ptr) { free(ptr); }

void ipfsa_prefer_huge_pages(void *at, size_t len) {
  if (len >= IPFSA_HUGE_PAGE && (uintptr_t)at % IPFSA_HUGE_PAGE == 0) (void)madvise(at, len / IPFSA_HUGE_PAGE * IPFSA_HUGE_PAGE, MADV_HUGEPAGE);
}

bool ipfsa_grow(void **array, size_t *cap, size_t need, size_t element_size) {
  if (need <= *cap) return true;
  size_t n = *cap ? *cap : 8;
  while (n < need)
    if (__builtin_mul_overflow(n, (size_t)2, &n)) return false;
  void *grown = ipfsa_reallocarray(*array, n, element_size);
  if (!grown) return false;
  *array = grown;
  *cap = n;
  return true;
}
