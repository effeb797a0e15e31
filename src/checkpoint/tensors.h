/* The tensors of one file, in little memory: the bytes of the header once, 32 bytes a tensor, dimensions side by side, and a hash table of 4-byte numbers.
 * Threads: built by one; read by any. */
#ifndef IPFSA_CHECKPOINT_TENSORS_H
#define IPFSA_CHECKPOINT_TENSORS_H

#include "base/bytes.h"
#include "checkpoint/dtype.h"

#define IPFSA_MAX_TENSORS 1000000      /* of one file: an order more than the largest models have */
#define IPFSA_MAX_TENSOR_NAME 4096     /* bytes: no path of modules is longer */
#define IPFSA_MAX_TENSOR_RANK 16       /* dimensions: torch stops at 64, models at 5 */

typedef struct ipfsa_tensor_record {
  uint64_t begin, end; /* bytes from the start of the data */
  uint32_t name;       /* where it begins in text */
  uint32_t shape;      /* first of its dimensions */
  uint16_t name_len;
  uint8_t dtype, rank;
} ipfsa_tensor_record;

/* Of a zip: from its local header to the end of its bytes. */
typedef struct ipfsa_member {
  uint64_t begin, data, end;
  uint32_t crc;
} ipfsa_member;

typedef struct ipfsa_tensors {
  uint8_t *text; /* the header, or the names one behind the other; owned */
  size_t text_len;
  ipfsa_tensor_record *items; /* in the order of their bytes once sorted */
  size_t n, cap;
  uint64_t *dims;
  size_t n_dims, dims_cap;
  uint32_t *table; /* of slots, 0 = empty, else number + 1 */
  size_t mask;     /* slots less 1 */
  ipfsa_member *members; /* of a zip, in the order of their bytes; else none */
  size_t n_members;
  uint64_t seed;   /* so that nobody can choose names that collide */
} ipfsa_tensors;

void ipfsa_tensors_release(ipfsa_tensors *t);
/* E_LIMIT at MAX_TENSORS. The pointer stays until the next add. */
ipfsa_status ipfsa_tensors_add(ipfsa_tensors *t, ipfsa_tensor_record **ret, ipfsa_error *err);
ipfsa_status ipfsa_tensors_add_dim(ipfsa_tensors *t, uint64_t dim, ipfsa_error *err); /* MAX_TENSORS of MAX_TENSOR_RANK at most: their number fits into 32 bits */
static inline ipfsa_bytes ipfsa_tensors_name(const ipfsa_tensors *t, const ipfsa_tensor_record *r) { return ipfsa_bytes_of(t->text + r->name, r->name_len); }
void ipfsa_tensors_sort(ipfsa_tensors *t); /* by begin, end, place in the header; what is in order costs one pass */
/* Makes the table. *ret_twice: the later of two of one name, NULL when there are none. */
ipfsa_status ipfsa_tensors_index(ipfsa_tensors *t, const ipfsa_tensor_record **ret_twice, ipfsa_error *err);
uint64_t ipfsa_tensors_hash(uint64_t seed, ipfsa_bytes name);
const ipfsa_tensor_record *ipfsa_tensors_find(const ipfsa_tensors *t, ipfsa_bytes name); /* NULL: there is none; needs the index */
/* Π dimensions, and bytes by the type; false: they do not fit into 64 bits. */
bool ipfsa_tensors_bits(const ipfsa_tensors *t, const ipfsa_tensor_record *r, const ipfsa_dtype *type, uint64_t *ret_bits);

#endif
