/* The zip that torch.save writes: its members by the central directory, its storages as items. Pickles are never read, let alone run: which storage is which
 * tensor is not known. Source: pytorch, caffe2/serialize; PKWARE APPNOTE. Threads: any. */
#ifndef IPFSA_CHECKPOINT_TORCH_H
#define IPFSA_CHECKPOINT_TORCH_H

#include "base/source.h"
#include "checkpoint/tensors.h"

#define IPFSA_MAX_ZIP_MEMBERS 1000000
#define IPFSA_MAX_ZIP_DIRECTORY (256u << 20) /* bytes */

/* *ret is zeroed before; begin and end of its items count from the start of the file. On failure it holds nothing. */
ipfsa_status ipfsa_torch_parse(ipfsa_source *source, uint64_t size, ipfsa_tensors *ret, ipfsa_error *err);

#endif
