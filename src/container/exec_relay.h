/* A connection to a port inside a container by way of a program that the engine runs there: its standard input and output are the connection. For
 * containers without a network, engines on other machines, and servers that listen on the container's own loopback only. Which program: the first
 * that the image holds of a fixed list. Threads: any. */
#ifndef IPFSA_CONTAINER_EXEC_RELAY_H
#define IPFSA_CONTAINER_EXEC_RELAY_H

#include "container/engine.h"
#include "container/relay.h"

typedef struct ipfsa_exec_relay ipfsa_exec_relay; /* static: one program and how it is called */
const char *ipfsa_exec_relay_name(const ipfsa_exec_relay *relay);
/* Does it pass on the end of what is sent, and still bring what comes back? */
bool ipfsa_exec_relay_half_closes(const ipfsa_exec_relay *relay);

/* E_NOT_SUPPORTED: the container holds none of them. E_BUSY: it does not run. */
ipfsa_status ipfsa_exec_relay_find(ipfsa_engine *engine, const char *container, const ipfsa_exec_relay **ret, ipfsa_error *err);

/* What the program said when a connection ended without a byte of answer: from the relay's thread. */
typedef void (*ipfsa_exec_relay_cb)(void *ctx, const char *words);
ipfsa_status ipfsa_exec_relay_open(ipfsa_engine *engine, const char *container, const ipfsa_exec_relay *relay, uint16_t port, ipfsa_exec_relay_cb cb, void *ctx,
                                   ipfsa_relay_end *ret, ipfsa_error *err);

#endif
