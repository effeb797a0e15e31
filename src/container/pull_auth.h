/* The header by which an engine logs in to a registry when it pulls. */
#ifndef IPFSA_CONTAINER_PULL_AUTH_H
#define IPFSA_CONTAINER_PULL_AUTH_H

#include "container/credentials.h"
#include "container/reference.h"

typedef struct ipfsa_pull_auth { /* zeroed is valid: none */
  char *header;   /* value of X-Registry-Auth; owned, wiped by release */
  char note[160]; /* why there is no login although a file of logins speaks of this registry; "" otherwise */
} ipfsa_pull_auth;

/* With the user name and password that are given, else the login that `docker login` or `podman login` left for the registry, else as nobody. */
ipfsa_status ipfsa_pull_auth_make(const ipfsa_reference *ref, const char *username, const char *password, ipfsa_pull_auth *ret, ipfsa_error *err);
void ipfsa_pull_auth_release(ipfsa_pull_auth *auth);

#endif
