/* Every allocation of the library goes through here, so that tests can make the n-th one fail.
 * Raw malloc and friends are poisoned for all who include this (see poison.h). Threads: any. */
#ifndef IPFSA_BASE_ALLOC_H
#define IPFSA_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

void *ipfsa_malloc(size_t size);                       /* NULL when memory or the fault plan says so */
void *ipfsa_calloc(size_t n, size_t size);             /* overflow-checked */
void *ipfsa_realloc(void *old, size_t size);           /* old stays valid on failure */
void *ipfsa_reallocarray(void *old, size_t n, size_t size);
void *ipfsa_memdup(const void *data, size_t len);      /* len 0: a valid pointer */
char *ipfsa_strdup(const char *text);
char *ipfsa_strndup(const char *text, size_t len);
void ipfsa_free(void *ptr);                            /* NULL is fine */
/* Page-aligned memory for O_DIRECT; free with ipfsa_free_aligned. */
void *ipfsa_alloc_aligned(size_t alignment, size_t size);
void ipfsa_free_aligned(void *ptr);
/* Memory that will be filled from end to end, from IPFSA_HUGE_PAGE bytes on and aligned to as much: fewer faults, and few pieces on the way to a disk. A hint. */
#define IPFSA_HUGE_PAGE ((size_t)2 << 20)
void ipfsa_prefer_huge_pages(void *at, size_t len);

/* Makes room for `need` elements in a growable array (doubling); false: out of memory, nothing changed. */
bool ipfsa_grow(void **array, size_t *cap, size_t need, size_t element_size);

/* Cleanup attribute for locals: `IPFSA_AUTO_FREE char *x = NULL;` */
static inline void ipfsa_free_ptr(void *ptr) { ipfsa_free(*(void **)ptr); }
#define IPFSA_AUTO_FREE __attribute__((cleanup(ipfsa_free_ptr)))
#define IPFSA_AUTO(release) __attribute__((cleanup(release)))

/* Hands the pointer on and leaves NULL behind, against double frees. */
#define ipfsa_steal(ptr) ({ __typeof__(ptr) stolen_ = (ptr); (ptr) = NULL; stolen_; })

#endif
