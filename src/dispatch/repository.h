/* The model repository of the Open Inference Protocol's servers: index, load, ready (kserve: model repository extension). Threads: as drivers. */
#ifndef IPFSA_DISPATCH_REPOSITORY_H
#define IPFSA_DISPATCH_REPOSITORY_H

#include "dispatch/driver.h"

/* `server`: how the program is called in errors. Publishes, loads where the server has other content or none, waits until it is ready. */
ipfsa_status ipfsa_repository_bring(ipfsa_delivery *delivery, const char *server, ipfsa_error *err);
ipfsa_status ipfsa_repository_probe(ipfsa_delivery *delivery, bool *ret, ipfsa_error *err);

#endif
