/* Where the engine is: from an option, the environment, the configuration, Docker's contexts, or the sockets engines use. Threads: any. */
#ifndef IPFSA_CONTAINER_ADDRESS_H
#define IPFSA_CONTAINER_ADDRESS_H

#include <ipfsa/base.h>

typedef enum ipfsa_engine_kind { IPFSA_ENGINE_UNIX, IPFSA_ENGINE_TCP, IPFSA_ENGINE_TLS, IPFSA_ENGINE_SSH } ipfsa_engine_kind;

typedef struct ipfsa_engine_address {
  ipfsa_engine_kind kind;
  char *text;           /* "unix:///run/docker.sock": for messages */
  char *path;           /* unix: the socket; ssh: the socket on the far side, or NULL */
  char *user;           /* ssh, or NULL */
  char *host, *port;    /* tcp, tls; ssh (port may be NULL) */
  char *tls_dir;        /* folder with ca.pem, cert.pem, key.pem, or NULL: the system's authorities, no client certificate */
  bool skip_verify;     /* tls: a context that says so */
  const char *found_in; /* static text: "DOCKER_HOST" */
} ipfsa_engine_address;

void ipfsa_engine_address_release(ipfsa_engine_address *address);
/* "unix:///path", "tcp://host:2375", "ssh://user@host:port". tls: with DOCKER_TLS_VERIFY or a context's certificates. */
ipfsa_status ipfsa_engine_address_parse(const char *text, bool tls, ipfsa_engine_address *ret, ipfsa_error *err);
/* host and context are what the caller names (NULL or "": nothing), configured what the configuration does. Order: host, context, DOCKER_HOST,
 * DOCKER_CONTEXT, CONTAINER_HOST, configured, Docker's current context, the usual sockets. */
ipfsa_status ipfsa_engine_find(const char *host, const char *context, const char *configured, ipfsa_engine_address *ret, ipfsa_error *err);

#endif
