/* Weights on the disk in the layout of Hugging Face accelerate (utils/offload.py): "<name>.dat", the bytes of the tensor as they are, and "index.json", its type and
 * shape. Calls from any thread; two at once on one folder lose entries of one of them. */
#ifndef IPFSA_OFFLOAD_H
#define IPFSA_OFFLOAD_H

#include <ipfsa/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IPFSA_MAX_OFFLOAD_NAME 230        /* bytes: a file name less ".dat" and what a file is called while it is written */
#define IPFSA_MAX_OFFLOAD_INDEX 268435456 /* bytes of index.json: some million weights */

typedef struct ipfsa_offload_weight {
  const char *name;  /* "model.layers.0.weight" */
  const char *dtype; /* torch's: "float16", "bfloat16" (its bits are kept as int16), …: what numpy knows and bfloat16 */
  const uint64_t *shape;
  uint32_t rank;
  const void *data; /* little-endian, row-major, a bool in one byte */
  size_t size;
} ipfsa_offload_weight;

/* Makes the folder when there is none (its parent is there), writes the weights, then adds them to the index: what it names is there, however this ends. E_INVALID: a
 * name with "/" (accelerate cannot write it either), a weight without elements (it could not be mapped), a size that is not the shape's.
 * E_NOT_SUPPORTED: a type accelerate 0.34.2 could not load. E_MALFORMED: an index.json that is none. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_offload_write(const char *folder, const ipfsa_offload_weight *weights, size_t n, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
