/* A stream of bytes to an engine: a unix socket, tcp, TLS, or the pipes of an ssh that runs "docker system dial-stdio" on the far side. Everything
 * waits with a deadline and ends when the engine is cancelled. Threads: one at a time per wire. */
#ifndef IPFSA_CONTAINER_WIRE_H
#define IPFSA_CONTAINER_WIRE_H

#include "container/address.h"

typedef struct ipfsa_wire ipfsa_wire;

#define IPFSA_NO_DEADLINE UINT64_MAX

/* Deadlines are on the monotonic clock, in nanoseconds. cancel_fd (or -1): when it is readable, calls fail with E_CANCELLED. */
ipfsa_status ipfsa_wire_open(const ipfsa_engine_address *address, int cancel_fd, uint64_t deadline, ipfsa_wire **ret, ipfsa_error *err);
void ipfsa_wire_close(ipfsa_wire *wire);
void ipfsa_wire_set_cancel(ipfsa_wire *wire, int cancel_fd);

/* *ret_len 0: the other side sends no more. An ssh that ended with a failure is one: E_IO with its words. */
ipfsa_status ipfsa_wire_read(ipfsa_wire *wire, void *data, size_t cap, uint64_t deadline, size_t *ret_len, ipfsa_error *err);
ipfsa_status ipfsa_wire_write(ipfsa_wire *wire, const void *data, size_t len, uint64_t deadline, ipfsa_error *err);
/* Without waiting: *ret_len bytes went out; *ret_again of read: nothing is there yet. */
ipfsa_status ipfsa_wire_try_read(ipfsa_wire *wire, void *data, size_t cap, size_t *ret_len, bool *ret_again, ipfsa_error *err);
ipfsa_status ipfsa_wire_try_write(ipfsa_wire *wire, const void *data, size_t len, size_t *ret_len, ipfsa_error *err);
ipfsa_status ipfsa_wire_end_writing(ipfsa_wire *wire, ipfsa_error *err); /* half-close: the other side sees the end of input */

/* For poll loops of the caller's. has_pending: bytes wait inside TLS, do not poll. */
int ipfsa_wire_fd(const ipfsa_wire *wire);
bool ipfsa_wire_has_pending(const ipfsa_wire *wire);
/* An idle connection that is still good: open, with nothing to read. */
bool ipfsa_wire_is_quiet(ipfsa_wire *wire);
/* What ssh said on its standard error, for messages; "" otherwise. Static buffer of the wire. */
const char *ipfsa_wire_last_words(ipfsa_wire *wire);

/* Waits until one of the descriptors is ready. E_TIMEOUT, E_CANCELLED (cancel_fd is added to the set). */
struct pollfd;
ipfsa_status ipfsa_wire_poll(struct pollfd *fds, unsigned n_fds, int cancel_fd, uint64_t deadline, ipfsa_error *err);

#endif
