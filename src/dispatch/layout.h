/* Names of models, and the path that a model gets below an endpoint's folder. Pure. Threads: any. */
#ifndef IPFSA_DISPATCH_LAYOUT_H
#define IPFSA_DISPATCH_LAYOUT_H

#include <ipfsa/checkpoint.h>

#include "base/buf.h"

#define IPFSA_MAX_MODEL_PART 96 /* bytes of NAME, of ORG; the limit of model hubs */

/* NAME or ORG/NAME as model hubs take it: ASCII letters, digits, "_", "-", "."; a part does not begin or end with "-" or "."; no "--", no "..". E_INVALID, E_LIMIT. */
ipfsa_status ipfsa_model_name_check(const char *name, ipfsa_error *err);

/* "org/model", and for a file its suffix, unless the name has it. file_name: what the content calls the file, or "". */
void ipfsa_layout_plain(const char *name, bool is_folder, const char *file_name, ipfsa_checkpoint_format format, ipfsa_buf *out);
/* The hub's cache (huggingface_hub: file_download.py): "models--org--model" and the commit, which is the first 20 bytes of the digest. */
#define IPFSA_HUB_COMMIT 41 /* with terminator */
ipfsa_status ipfsa_layout_hub(const char *name, const ipfsa_cid *cid, ipfsa_buf *out, char ret_commit[IPFSA_HUB_COMMIT], ipfsa_error *err);
/* The file's own name or "model" with the format's suffix. */
void ipfsa_layout_file_name(const char *file_name, ipfsa_checkpoint_format format, ipfsa_buf *out);

#endif
