/* Types of elements, by format. Threads: any. */
#ifndef IPFSA_CHECKPOINT_DTYPE_H
#define IPFSA_CHECKPOINT_DTYPE_H

#include "base/bytes.h"

typedef struct ipfsa_dtype {
  const char *name; /* NULL: there is none of this number */
  uint16_t n;       /* elements a block; 1 for plain types */
  uint16_t bits;    /* of a block */
} ipfsa_dtype;

/* Exactly the spellings of safetensors; NULL: unknown. *ret_id: its number. */
const ipfsa_dtype *ipfsa_dtype_of_safetensors(ipfsa_bytes name, uint8_t *ret_id);
const ipfsa_dtype *ipfsa_dtype_safetensors(uint8_t id);
const ipfsa_dtype *ipfsa_dtype_gguf(uint32_t id); /* NULL: unknown, or removed */
extern const ipfsa_dtype ipfsa_dtype_storage; /* bytes whose type only a pickle knows */

#endif
