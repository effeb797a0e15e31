/* An endpoint as the configuration says it. Threads: any. */
#ifndef IPFSA_DISPATCH_ENDPOINT_H
#define IPFSA_DISPATCH_ENDPOINT_H

#include "config/config.h"

typedef struct ipfsa_endpoint { /* zeroed is valid; texts owned, "" where not set */
  char *name, *kind, *url, *host, *port, *model_dir, *server_dir, *layout, *socket, *sealed, *timeout;
} ipfsa_endpoint;
void ipfsa_endpoint_release(ipfsa_endpoint *endpoint);
#define IPFSA_AUTO_ENDPOINT __attribute__((cleanup(ipfsa_endpoint_release)))
/* E_NOT_FOUND: no table [endpoints.NAME]; E_INVALID: a value in it is none of its key. *ret is filled as far as it could be read, also then. */
ipfsa_status ipfsa_endpoint_load(const ipfsa_config *config, const char *name, ipfsa_endpoint *ret, ipfsa_error *err);
/* Can models be dispatched to it? E_INVALID: kind, url, model_dir or what else the kind needs is missing. */
ipfsa_status ipfsa_endpoint_check(const ipfsa_endpoint *endpoint, ipfsa_error *err);
/* Of token_env, else api_key; owned, NULL: none. It belongs in no log and no error. */
ipfsa_status ipfsa_endpoint_token(const ipfsa_config *config, const ipfsa_endpoint *endpoint, char **ret, ipfsa_error *err);
/* "http://HOST:PORT[/PREFIX]" without a last slash; owned. */
ipfsa_status ipfsa_endpoint_url(const ipfsa_endpoint *endpoint, char **ret, ipfsa_error *err);

#endif
