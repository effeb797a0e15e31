/* As in a program that gave jansson allocators of its own: what they give is no block of malloc's, so who frees it with free() ends here. */
#ifndef IPFSA_TESTS_JSON_MEMORY_H
#define IPFSA_TESTS_JSON_MEMORY_H

#include <jansson.h>
#include <stdlib.h>

#define JSON_SHIFT 32 /* keeps the alignment */

static long n_json_blocks;

static void *json_own_malloc(size_t size) {
  char *block = (malloc)(size + JSON_SHIFT);
  if (block) __atomic_add_fetch(&n_json_blocks, 1, __ATOMIC_RELAXED);
  return block ? block + JSON_SHIFT : NULL;
}

static void json_own_free(void *at) {
  if (!at) return;
  __atomic_sub_fetch(&n_json_blocks, 1, __ATOMIC_RELAXED);
  (free)((char *)at - JSON_SHIFT);
}

/* Set-up and tear-down of a group of tests. */
static inline int json_memory_own(void **state) {
  (void)state;
  json_set_alloc_funcs(json_own_malloc, json_own_free);
  return 0;
}

static inline int json_memory_is_back(void **state) {
  (void)state;
  if (n_json_blocks) print_error("%ld blocks of jansson's are not freed\n", n_json_blocks);
  return n_json_blocks != 0;
}

#endif
