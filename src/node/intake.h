/* Blocks from outside on their way into the store: gathered in batches, verified by the workers in full lanes, stored in the order they came.
 * Threads: one caller; hashing uses the node's pool. */
#ifndef IPFSA_NODE_INTAKE_H
#define IPFSA_NODE_INTAKE_H

#include "node/node.h"

typedef struct ipfsa_intake ipfsa_intake;
ipfsa_status ipfsa_intake_new(ipfsa_node *node, ipfsa_blockstore_writer *w, ipfsa_intake **ret, ipfsa_error *err); /* borrows both */
void ipfsa_intake_free(ipfsa_intake *intake); /* NULL is fine; before the writer is closed */
/* Takes a copy of the block; `number` is how messages call it. What is wrong with a block is told here or by a later call, first come first told. */
ipfsa_status ipfsa_intake_put(ipfsa_intake *intake, uint64_t number, const ipfsa_cid *cid, ipfsa_bytes data, ipfsa_error *err);
/* The same for a block that lies in a file, of 1 to IPFSA_MAX_BLOCK bytes, no identity: a worker reads it. fd stays open until finish or free has returned. */
ipfsa_status ipfsa_intake_put_from(ipfsa_intake *intake, uint64_t number, const ipfsa_cid *cid, int fd, uint64_t off, uint32_t len, ipfsa_error *err);
ipfsa_status ipfsa_intake_finish(ipfsa_intake *intake, ipfsa_error *err); /* all are verified and the writer has them */

#endif
