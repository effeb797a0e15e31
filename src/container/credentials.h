/* Registry credentials as `docker login` leaves them in config.json, and `podman login` in auth.json. Threads: any. */
#ifndef IPFSA_CONTAINER_CREDENTIALS_H
#define IPFSA_CONTAINER_CREDENTIALS_H

#include <ipfsa/base.h>

#define IPFSA_MAX_DOCKER_CONFIG 1048576 /* bytes of config.json or auth.json; own limit */

typedef struct ipfsa_credentials { /* zeroed is valid: none */
  char *basic;      /* "Basic …", the whole header value; owned, wiped by release */
  char note[160];   /* why there are none although the file speaks of this registry; "" otherwise */
} ipfsa_credentials;

/* For a registry by its host as references have it ("docker.io", "localhost:5000"), and a repository of it ("" = none): a login kept for just that
 * repository, or what it lies in, goes before one for the host. A missing file is none. path NULL: $DOCKER_CONFIG/config.json, else
 * ~/.docker/config.json; where that has none, $REGISTRY_AUTH_FILE, $XDG_RUNTIME_DIR/containers/auth.json (without the variable /run/containers/UID/),
 * then $XDG_CONFIG_HOME/containers/auth.json. Errors never quote the file. */
ipfsa_status ipfsa_credentials_find(const char *path, const char *host, const char *repository, ipfsa_credentials *ret, ipfsa_error *err);
/* "user:password", for those who want it in another form. NUL bytes in it are E_MALFORMED. Owned, ipfsa_secret_free. */
ipfsa_status ipfsa_credentials_pair(const ipfsa_credentials *credentials, char **ret, ipfsa_error *err);
void ipfsa_credentials_release(ipfsa_credentials *credentials);
/* Frees a text after overwriting it. */
void ipfsa_secret_free(char *secret);

#endif
