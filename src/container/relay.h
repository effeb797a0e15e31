/* Pairs of byte streams, each copied into the other by one thread: by splice where both ends are sockets and much comes, else through one shared
 * buffer (docs/internals/tunnel.md). The end of one direction is passed on as the end of that direction only; a
 * connection that broke is passed on as broken (a reset), never as an end.
 * Memory and descriptors are held only for bytes under way. Threads: one at a time per relay; counters and wake from any. */
#ifndef IPFSA_CONTAINER_RELAY_H
#define IPFSA_CONTAINER_RELAY_H

#include <ipfsa/base.h>

/* How to use an end that is not a plain socket. Nothing waits: what would is said by *ret_again, or by *ret_len 0 of write. */
typedef struct ipfsa_relay_ops {
  ipfsa_status (*read)(void *ctx, void *data, size_t cap, size_t *ret_len, bool *ret_again, ipfsa_error *err); /* 0 bytes and not again: the end */
  ipfsa_status (*write)(void *ctx, const void *data, size_t len, size_t *ret_len, ipfsa_error *err);
  ipfsa_status (*end_writing)(void *ctx, ipfsa_error *err);
  void (*close)(void *ctx); /* closes the descriptor, too */
} ipfsa_relay_ops;

typedef struct ipfsa_relay_end {
  int fd;                     /* non-blocking; watched for readiness */
  const ipfsa_relay_ops *ops; /* NULL: a plain stream socket */
  void *ctx;
} ipfsa_relay_end;
/* For a TCP socket between two places of this machine, before it listens or connects: it sends at once and without pacing. An accepted one inherits that. */
void ipfsa_relay_set_up(int fd);
void ipfsa_relay_end_close(ipfsa_relay_end *end, bool reset); /* reset: the other side sees a broken connection, where its kind can show that */

typedef struct ipfsa_relay_counters {
  uint64_t n_pairs;  /* all that were added */
  uint64_t n_open;
  uint64_t n_broken; /* ended by an error of one side */
  uint64_t n_idle;   /* ended because nothing moved for too long */
  uint64_t a_to_b_bytes, b_to_a_bytes;
} ipfsa_relay_counters;

typedef struct ipfsa_relay ipfsa_relay;
/* idle_ns: a pair in which nothing moves for this long is ended; 0 = never. */
ipfsa_status ipfsa_relay_new(uint64_t idle_ns, ipfsa_relay **ret, ipfsa_error *err);
void ipfsa_relay_use_splice(ipfsa_relay *relay, bool splices); /* true unless said; for tests and measurements */
void ipfsa_relay_free(ipfsa_relay *relay); /* ends every pair; NULL is fine */
/* Both ends are the relay's from now on, also when this fails (they are closed then). */
ipfsa_status ipfsa_relay_add(ipfsa_relay *relay, ipfsa_relay_end a, ipfsa_relay_end b, ipfsa_error *err);
/* Another descriptor for the same wait: cb is called while it is readable. It stays the caller's and is watched until the relay is freed or it is
 * closed. At most 8. */
typedef void (*ipfsa_relay_cb)(void *ctx);
ipfsa_status ipfsa_relay_watch(ipfsa_relay *relay, int fd, ipfsa_relay_cb cb, void *ctx, ipfsa_error *err);
/* Waits until something can move, at most timeout_ms (-1: as long as it takes), and moves a fair share of everything that can. */
ipfsa_status ipfsa_relay_step(ipfsa_relay *relay, int timeout_ms, ipfsa_error *err);
ipfsa_relay_counters ipfsa_relay_count(const ipfsa_relay *relay);

#endif
