/* The header of a safetensors file, checked as the reference reader checks it, and more strictly where that keeps silent (names that come twice,
 * entries written as lists). Source: huggingface/safetensors, safetensors/src/tensor.rs. Threads: any. */
#ifndef IPFSA_CHECKPOINT_SAFETENSORS_H
#define IPFSA_CHECKPOINT_SAFETENSORS_H

#include "base/source.h"
#include "checkpoint/pairs.h"
#include "checkpoint/tensors.h"

#define IPFSA_MAX_SAFETENSORS_HEADER 100000000 /* bytes; the reference reader's */
#define IPFSA_MAX_SAFETENSORS_DEPTH 4          /* objects and lists in each other; the format needs 3 */

/* source has read_at; size: bytes of the file. *ret and *metadata are zeroed before; on failure they hold nothing. *ret_data: where the bytes of
 * tensors begin in the file. E_MALFORMED and E_LIMIT name tensor, byte and reason. */
ipfsa_status ipfsa_safetensors_parse(ipfsa_source *source, uint64_t size, ipfsa_tensors *ret, uint64_t *ret_data, ipfsa_pairs *metadata,
                                     ipfsa_error *err);

#endif
