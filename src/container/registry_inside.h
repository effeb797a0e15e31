/* What the registry's own files share. */
#ifndef IPFSA_CONTAINER_REGISTRY_INSIDE_H
#define IPFSA_CONTAINER_REGISTRY_INSIDE_H

#include "container/credentials.h"
#include "container/registry.h"
#include "http/client.h"

struct ipfsa_registry {
  ipfsa_registry_place place;
  ipfsa_http_client *client;
  char *docker_config;
  ipfsa_credentials credentials; /* of the repository that was authorised last */
  char *authorization; /* what worked last; wiped at the end */
  bool authorization_is_basic;
  char authorized_path[IPFSA_MAX_REPOSITORY + 1]; /* the repository a token is for */
  uint64_t deadline_ns;
};

/* One answer: 2xx, else an error that quotes the registry. The path is of the repository, "" for the catalog. url is at the registry's own origin.
 * body and response are empty before. */
ipfsa_status ipfsa_registry_get(ipfsa_registry *registry, const char *path, const char *url, const char *accept, uint64_t max_body,
                                ipfsa_http_answer *ret_response, ipfsa_buf *body, ipfsa_error *err);
/* Milliseconds left, at least 1; 0 and an error when there are none. */
uint32_t ipfsa_registry_time_left(const ipfsa_registry *registry, ipfsa_error *err);
/* After a 401 with these headers: makes registry->authorization anew. E_DENIED when there is no way. */
ipfsa_status ipfsa_registry_authorize(ipfsa_registry *registry, const char *path, const ipfsa_http_answer *refusal, ipfsa_error *err);
int ipfsa_registry_to_buf(void *buf, const void *data, size_t len); /* an ipfsa_write_cb; the buf's failure is looked at afterwards */

#endif
