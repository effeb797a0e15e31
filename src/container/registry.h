/* A client of one OCI registry (distribution-spec v1.1): listing, manifests by tag or digest, every digest checked. Threads: one at a time per
 * registry. */
#ifndef IPFSA_CONTAINER_REGISTRY_H
#define IPFSA_CONTAINER_REGISTRY_H

#include "container/manifest.h"
#include "http/origin.h"

#define IPFSA_MAX_REGISTRY_PAGE (4u << 20) /* bytes of one page of a list */
#define IPFSA_MAX_REGISTRY_PAGES 100       /* pages followed of one list; own limit, against lists that never end */
#define IPFSA_MAX_REGISTRY_NAMES 10000     /* tags or repositories taken of one list; own limit */

typedef struct ipfsa_registry ipfsa_registry;

/* Where a registry is, from "[http[s]://]HOST[:PORT][/NAME]". Without a scheme: https, on loopback http. */
typedef struct ipfsa_registry_place {
  ipfsa_origin origin;
  char host[IPFSA_MAX_REPOSITORY + 1]; /* as references have it */
  char path[IPFSA_MAX_REPOSITORY + 1]; /* one repository, "" = all */
} ipfsa_registry_place;
ipfsa_status ipfsa_registry_place_parse(const char *text, ipfsa_registry_place *ret, ipfsa_error *err);

typedef struct ipfsa_registry_settings {
  const ipfsa_registry_place *place;   /* the operator named it, so it may be private. Copied */
  const ipfsa_origin *private_origins; /* as is what redirects and token servers may be. Copied */
  size_t n_private_origins;
  const char *docker_config;           /* path of config.json with logins; NULL: the usual place */
  uint64_t timeout_ms;                 /* for everything that is asked of it, from now on; 0 = 30 s */
  bool (*cancelled)(void *ctx);        /* may be NULL */
  void *cancelled_ctx;
} ipfsa_registry_settings;
ipfsa_status ipfsa_registry_open(const ipfsa_registry_settings *settings, ipfsa_registry **ret, ipfsa_error *err);
void ipfsa_registry_close(ipfsa_registry *registry);

/* Appends up to max names in the registry's order. E_NOT_FOUND; catalog: E_NOT_SUPPORTED where the registry has none. */
ipfsa_status ipfsa_registry_tags(ipfsa_registry *registry, const char *path, size_t max, ipfsa_text_list *ret, ipfsa_error *err);
ipfsa_status ipfsa_registry_catalog(ipfsa_registry *registry, size_t max, ipfsa_text_list *ret, ipfsa_error *err);

typedef struct ipfsa_image_facts { /* zeroed is valid */
  char digest[IPFSA_IMAGE_DIGEST_LEN + 1]; /* of the manifest or index that the tag names, computed here from its bytes */
  uint64_t size;         /* bytes to transfer for this machine's platform, else for the first one */
  ipfsa_text_list platforms; /* "linux/amd64" … */
  char *description;     /* NULL = none */
} ipfsa_image_facts;
void ipfsa_image_facts_release(ipfsa_image_facts *facts);
/* version: a tag or a digest. E_CORRUPT when bytes do not match the digest they were asked by or sent with. */
ipfsa_status ipfsa_registry_image(ipfsa_registry *registry, const char *path, const char *version, ipfsa_image_facts *ret, ipfsa_error *err);

#endif
