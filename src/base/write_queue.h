/* Writes under way: a buffer goes to a file while its owner goes on. io_uring where the kernel grants it, else each write is done at once: the
 * same results. IPFSA_IO=plain or IPFSA_IO=uring in the environment forces one. Every write is a fault point, and fails or falls short when its
 * turn to end has come. Threads: any. */
#ifndef IPFSA_BASE_WRITE_QUEUE_H
#define IPFSA_BASE_WRITE_QUEUE_H

#include <ipfsa/base.h>

#define IPFSA_MAX_WRITES 4 /* under way at a time: two keep a disk busy, more smooth what it does unevenly */

typedef struct ipfsa_write_queue ipfsa_write_queue;
ipfsa_status ipfsa_write_queue_new(ipfsa_write_queue **ret, ipfsa_error *err);
void ipfsa_write_queue_free(ipfsa_write_queue *queue); /* NULL is fine; waits for what is under way */
bool ipfsa_write_queue_is_ring(const ipfsa_write_queue *queue);
/* fd stays open and the bytes as they are until the ticket is settled. Waits while IPFSA_MAX_WRITES are under way. */
ipfsa_status ipfsa_write_queue_put(ipfsa_write_queue *queue, int fd, const void *data, size_t len, uint64_t off, uint64_t *ret_ticket,
                                   ipfsa_error *err);
/* Returns when all writes up to this ticket have ended, well or not. When any write of this queue failed, this and every later call says so. */
#define IPFSA_ALL_WRITES UINT64_MAX
ipfsa_status ipfsa_write_queue_settle(ipfsa_write_queue *queue, uint64_t ticket, ipfsa_error *err);

/* A write that has not ended after that long, and that the kernel says it has not begun, is taken back and done plainly. Tests make it shorter. */
extern long ipfsa_write_queue_patience_ms;
/* Tests that keep a log of what goes to files hear of it here, when a write is begun. NULL: nobody listens. */
extern void (*ipfsa_write_queue_listener)(int fd, const void *data, size_t len, uint64_t off);

#endif
