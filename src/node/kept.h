/* Checkpoints that were closed and may be opened again: a server that loads one model after another comes back to the same few, and finds them mapped and
 * verified. They keep nothing from gc, and few bytes of memory. Threads: any. */
#ifndef IPFSA_NODE_KEPT_H
#define IPFSA_NODE_KEPT_H

#include <ipfsa/checkpoint.h>
#include <pthread.h>
#include <stdint.h>

#define IPFSA_MAX_KEPT 4 /* the oldest goes; each may keep 16 MiB and 1024 mappings a file */

typedef struct ipfsa_kept {
  pthread_mutex_t lock;
  ipfsa_checkpoint *items[IPFSA_MAX_KEPT]; /* the oldest first */
  uint64_t since_ns[IPFSA_MAX_KEPT];
  size_t n;
} ipfsa_kept;

void ipfsa_kept_init(ipfsa_kept *kept);
void ipfsa_kept_release(ipfsa_kept *kept); /* ends them all */
/* The checkpoint of that path, as good as newly opened; NULL: none is kept, or not any more. */
ipfsa_checkpoint *ipfsa_kept_take(ipfsa_kept *kept, const char *path);
/* From now on it comes here when it is closed, if what it has can rest. path: of content, and always of the same. Without memory it does not. */
void ipfsa_kept_watch(ipfsa_kept *kept, ipfsa_checkpoint *cp, const char *path);

#endif
