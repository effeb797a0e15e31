/* Slices of tensors out of a file, for the ranks of a model that is spread over several devices: what lies near in the file is read together, in aligned
 * reads, and lands in memory that the caller gives, dense and row-major. Pure but for the source's read_at. Calls from any thread. */
#ifndef IPFSA_SLICES_H
#define IPFSA_SLICES_H

#include <ipfsa/checkpoint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IPFSA_MAX_SLICES 1048576 /* as many as a checkpoint of today may have tensors */
#define IPFSA_MAX_SLICE_RANK 64  /* dimensions; torch's own limit */
#define IPFSA_MAX_SLICE_READ 1073741824 /* bytes of one read: memory */

/* Elements [start, stop) of dimension `dim`, all of the others. Rank 0: start 0, stop 1. */
typedef struct ipfsa_slice {
  const char *name;      /* for errors */
  uint64_t offset;       /* of the tensor in the file */
  const uint64_t *shape; /* slowest dimension first */
  uint32_t rank, bits;   /* bits: of one element; what is cut ends on bytes */
  uint32_t dim;
  uint64_t start, stop;
  void *data; /* where it goes */
  size_t size; /* bytes there: exactly those of the slice */
} ipfsa_slice;

/* What rank r of n has of a dimension of `size`: blocks of ⌈size / n⌉, the last ones shorter or empty, as torch.chunk cuts. E_INVALID: rank ≥ n. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_slice_of_rank(uint64_t size, uint32_t rank, uint32_t n, uint64_t *ret_start, uint64_t *ret_stop, ipfsa_error *err);
/* Bytes of a slice; data and size are not looked at. E_INVALID, E_LIMIT. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_slice_size(const ipfsa_slice *slice, uint64_t *ret, ipfsa_error *err);

typedef struct ipfsa_slices_options {
  size_t struct_size;
  uint32_t align;   /* reads begin and end on multiples, but at the end of the file; a power of two; 0 = 4096 */
  uint64_t gap;     /* bytes not wanted that are read all the same rather than to read twice; 0 = 131072 */
  uint64_t largest; /* bytes of one read, rounded up to `align`; 0 = 8 MiB */
} ipfsa_slices_options;
typedef struct ipfsa_slices_read {
  uint64_t offset, size; /* in the file */
  uint64_t wanted;       /* bytes of it that go into slices */
} ipfsa_slices_read;
typedef int (*ipfsa_slices_cb)(void *ctx, const ipfsa_slices_read *read); /* other than 0 stops: E_CANCELLED */
/* The reads that ipfsa_slices_load would make, in the order of the file, none over another. Nothing is read, data may be NULL. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_slices_plan(uint64_t file_size, const ipfsa_slice *slices, size_t n, const ipfsa_slices_options *options, ipfsa_slices_cb cb,
                                                     void *ctx, ipfsa_error *err);
/* Tensors may come in any order and may not overlap; a tensor comes once. E_INVALID: one that reaches past the end of the source, a slice that does not fit its
 * memory. E_IO: the source failed. A read of which every byte is wanted, for one place, goes there directly. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_slices_load(const ipfsa_checkpoint_source *source, const ipfsa_slice *slices, size_t n, const ipfsa_slices_options *options,
                                                     ipfsa_error *err);

/* What a rank has of a tensor of an open checkpoint. */
typedef struct ipfsa_rank_slice {
  const ipfsa_tensor *tensor; /* as the checkpoint gave it */
  uint32_t dim;  /* the dimension along which ranks divide it, as ipfsa_slice_of_rank does */
  bool whole;    /* every rank has all of it */
  void *data;    /* where it goes, dense and row-major */
  size_t size;   /* bytes there: exactly ipfsa_checkpoint_rank_size */
} ipfsa_rank_slice;
/* data and size are not looked at. E_INVALID: no such rank, dimension or tensor; a cut inside a byte or, with quantised types, inside a block. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_checkpoint_rank_size(const ipfsa_checkpoint *checkpoint, const ipfsa_rank_slice *slice, uint32_t rank, uint32_t n_ranks,
                                                              uint64_t *ret, ipfsa_error *err);
/* Loads what rank has of n tensors, file after file, as ipfsa_slices_load does; content is verified. A tensor comes once. On failure the memory holds
 * nothing of use. Threads: as reads of the checkpoint. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_checkpoint_load_rank(ipfsa_checkpoint *checkpoint, const ipfsa_rank_slice *slices, size_t n, uint32_t rank,
                                                              uint32_t n_ranks, const ipfsa_slices_options *options, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
