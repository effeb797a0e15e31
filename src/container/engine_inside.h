/* The inside of an engine, for engine.c and reply.c. */
#ifndef IPFSA_CONTAINER_ENGINE_INSIDE_H
#define IPFSA_CONTAINER_ENGINE_INSIDE_H

#include "container/engine.h"

struct ipfsa_engine {
  ipfsa_engine_address address;
  int cancel_fd;          /* an event that stays readable once it is cancelled */
  uint64_t timeout_ns;
  ipfsa_text_list allowed, registries;
  char *repo;
  char session[17];
  unsigned minor;         /* 0 until it is negotiated */
  ipfsa_engine_info info;
  pthread_mutex_t lock;   /* over idle */
  ipfsa_wire *idle;       /* a connection that can carry the next request, or NULL */
};

/* A kept connection (*ret_kept) or a new one. */
ipfsa_status ipfsa_engine_take_wire(ipfsa_engine *engine, int cancel_fd, uint64_t deadline, bool fresh, ipfsa_wire **ret, bool *ret_kept, ipfsa_error *err);
void ipfsa_engine_keep_wire(ipfsa_engine *engine, ipfsa_wire *wire);

#endif
