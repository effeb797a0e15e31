/* A tunnel over an engine that is open already. Threads: as in ipfsa/tunnel.h. */
#ifndef IPFSA_CONTAINER_TUNNEL_H
#define IPFSA_CONTAINER_TUNNEL_H

#include <ipfsa/tunnel.h>

/* The engine is the tunnel's from now on, also when this fails. */
ipfsa_status ipfsa_tunnel_start(ipfsa_engine *engine, const char *container, uint16_t container_port, const ipfsa_tunnel_options *options, ipfsa_tunnel **ret,
                                ipfsa_error *err);

#endif
