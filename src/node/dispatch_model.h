/* A model on its way to a server: its content, its name, what was seen of it. Threads: one at a time per model. */
#ifndef IPFSA_NODE_DISPATCH_MODEL_H
#define IPFSA_NODE_DISPATCH_MODEL_H

#include "dispatch/layout.h"
#include "node/dispatch_look.h"
#include "node/materialised.h"

typedef struct ipfsa_model {
  ipfsa_node *node;
  const char *path; /* both set by the caller; the rest zeroed */
  ipfsa_cid cid;    /* version 1 */
  ipfsa_materialised_name cid_text;
  const char *file_name; /* of a single file, borrowed from the path; "" */
  ipfsa_model_look look;
  char name[2 * IPFSA_MAX_MODEL_PART + 3]; /* ORG--NAME has one more */
} ipfsa_model;

/* The content; E_NOT_UNIXFS when the path leads to no file or folder. */
ipfsa_status ipfsa_model_find(ipfsa_model *model, ipfsa_error *err);
/* wanted NULL: the alias, else the file's name without suffix, else the CID (in a hub "ipfs/CID"). */
ipfsa_status ipfsa_model_choose_name(ipfsa_model *model, const char *wanted, bool hub, ipfsa_error *err);
/* ORG/NAME becomes ORG--NAME. */
void ipfsa_model_flatten(char *name);
void ipfsa_model_release(ipfsa_model *model);

#endif
