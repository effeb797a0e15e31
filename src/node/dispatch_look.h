/* Looking at a model before it is dispatched: its format, its files, what in it is dangerous. Threads: one at a time per look. */
#ifndef IPFSA_NODE_DISPATCH_LOOK_H
#define IPFSA_NODE_DISPATCH_LOOK_H

#include <ipfsa/read.h>

#include "dispatch/driver.h"
#include "node/node.h"

typedef struct ipfsa_model_look {
  ipfsa_node *node;
  const char *path;
  bool is_folder, own_layout, allow_pickle;
  const char *file_name; /* of a single file, as the content calls it; "" */
  uint64_t size;         /* of a single file */
  void (*warned)(void *ctx, const char *text);
  void *warned_ctx;
  ipfsa_checkpoint_format format; /* 0: no checkpoint at the top of a folder */
  ipfsa_model_file *files;
  size_t n_files, cap;
} ipfsa_model_look;

/* E_MALFORMED and what else a checkpoint may be refused for; E_DENIED: pickles, and programs in a layout that has them run. Fills format and files. */
ipfsa_status ipfsa_model_look_at(ipfsa_model_look *look, ipfsa_error *err);
void ipfsa_model_look_release(ipfsa_model_look *look);

#endif
