/* The far end of a tunnel: looks the container up and connects, straight where there is a way, else by exec. Threads: any; calls wait, at most for
 * the engine's timeout. */
#ifndef IPFSA_CONTAINER_TUNNEL_DIAL_H
#define IPFSA_CONTAINER_TUNNEL_DIAL_H

#include "container/engine.h"
#include "container/relay.h"

typedef struct ipfsa_tunnel_dialer ipfsa_tunnel_dialer;

/* Borrows the engine. */
ipfsa_status ipfsa_tunnel_dialer_new(ipfsa_engine *engine, const char *container, uint16_t port, ipfsa_tunnel_dialer **ret, ipfsa_error *err);
void ipfsa_tunnel_dialer_free(ipfsa_tunnel_dialer *dialer);
/* Is there such a container of ours and, if it runs, a way into it? */
ipfsa_status ipfsa_tunnel_dialer_check(ipfsa_tunnel_dialer *dialer, ipfsa_error *err);
ipfsa_status ipfsa_tunnel_dial(ipfsa_tunnel_dialer *dialer, ipfsa_relay_end *ret, ipfsa_error *err);
/* Failures that show only later: a relay program that found nobody listening. */
uint64_t ipfsa_tunnel_dialer_n_late(const ipfsa_tunnel_dialer *dialer);
void ipfsa_tunnel_dialer_note(ipfsa_tunnel_dialer *dialer, const char *words);
void ipfsa_tunnel_dialer_last_error(ipfsa_tunnel_dialer *dialer, char *ret, size_t room);

#endif
