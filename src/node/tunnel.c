/* A tunnel over an engine as the configuration wants it. */
#include "container/tunnel.h"

ipfsa_status ipfsa_tunnel_open(const ipfsa_engine_options *engine, const char *container, uint16_t container_port, const ipfsa_tunnel_options *options,
                               ipfsa_tunnel **ret, ipfsa_error *err) {
  ipfsa_engine *own = NULL;
  ipfsa_status status = ipfsa_engine_open(engine, &own, err);
  return status ? status : ipfsa_tunnel_start(own, container, container_port, options, ret, err);
}
