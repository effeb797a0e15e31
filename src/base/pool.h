/* A fixed set of worker threads over one FIFO queue. Tasks do not wait for tasks. Threads: submit from any. */
#ifndef IPFSA_BASE_POOL_H
#define IPFSA_BASE_POOL_H

#include <ipfsa/base.h>

typedef struct ipfsa_pool ipfsa_pool;
typedef struct ipfsa_task ipfsa_task;
struct ipfsa_task { /* embedded by the caller, who keeps it alive until run has returned */
  void (*run)(ipfsa_task *self);
  ipfsa_task *next;
};

/* n_threads 0 = one per online processor. */
ipfsa_status ipfsa_pool_new(unsigned n_threads, ipfsa_pool **ret, ipfsa_error *err);
void ipfsa_pool_free(ipfsa_pool *pool); /* finishes what is queued */
void ipfsa_pool_submit(ipfsa_pool *pool, ipfsa_task *task);
/* True: no worker has begun with it, and none will; whoever would wait for it runs it himself, rather than sleep. */
bool ipfsa_pool_take_back(ipfsa_pool *pool, ipfsa_task *task);
unsigned ipfsa_pool_n_threads(const ipfsa_pool *pool);

#endif
