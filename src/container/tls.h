/* TLS for engines over tcp. libssl is loaded when it is first needed: linked in, it would cost every start of the program more than a
 * millisecond. Threads: one at a time per connection. */
#ifndef IPFSA_CONTAINER_TLS_H
#define IPFSA_CONTAINER_TLS_H

#include "container/address.h"

typedef struct ipfsa_tls ipfsa_tls;

/* fd: connected and non-blocking; it stays the caller's. */
ipfsa_status ipfsa_tls_new(int fd, const ipfsa_engine_address *address, ipfsa_tls **ret, ipfsa_error *err);
void ipfsa_tls_free(ipfsa_tls *tls);
/* Each returns OK when it went on; *ret_wait is POLLIN or POLLOUT when the socket must become ready first, else 0. */
ipfsa_status ipfsa_tls_handshake(ipfsa_tls *tls, short *ret_wait, ipfsa_error *err);
ipfsa_status ipfsa_tls_read(ipfsa_tls *tls, void *data, size_t cap, size_t *ret_len, short *ret_wait, ipfsa_error *err);
ipfsa_status ipfsa_tls_write(ipfsa_tls *tls, const void *data, size_t len, size_t *ret_len, short *ret_wait, ipfsa_error *err);
void ipfsa_tls_end_writing(ipfsa_tls *tls);
bool ipfsa_tls_has_pending(const ipfsa_tls *tls);

#endif
