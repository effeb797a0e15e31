/* Image manifests, indexes and config blobs as JSON. Pure: nothing is fetched here. Threads: any. */
#ifndef IPFSA_CONTAINER_MANIFEST_H
#define IPFSA_CONTAINER_MANIFEST_H

#include "base/buf.h"
#include "container/reference.h"
#include "container/text_list.h"

#define IPFSA_MAX_MANIFEST (4u << 20)    /* bytes; the distribution specification's figure. Config blobs likewise */
#define IPFSA_MAX_MANIFEST_ENTRIES 4096  /* layers of an image, images of an index; own limit */
#define IPFSA_MAX_DESCRIPTION 2000       /* bytes kept of a description; own limit */

/* What to send as Accept; without the v2 types old registries turn a manifest into another one. */
#define IPFSA_MANIFEST_ACCEPT                                                                                    \
  "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "         \
  "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"

typedef struct ipfsa_descriptor {
  char digest[IPFSA_IMAGE_DIGEST_LEN + 1];
  uint64_t size; /* bytes */
} ipfsa_descriptor;

typedef struct ipfsa_manifest { /* zeroed is valid */
  bool is_index;
  ipfsa_descriptor next;  /* of an image: its config; of an index: the image for the wanted platform, else the first. digest "" = none */
  bool has_image_config;  /* next is a config that names a platform */
  uint64_t total_size;    /* image: bytes of config and layers as they are transferred */
  ipfsa_text_list platforms;  /* index: "linux/amd64", "linux/arm64/v8" … */
  char *description;      /* NULL = none */
} ipfsa_manifest;

void ipfsa_manifest_release(ipfsa_manifest *manifest);
/* content_type: of the answer, may be NULL. platform: the wanted one, "linux/amd64". E_MALFORMED when type and content disagree; E_NOT_SUPPORTED
 * for schema 1. */
ipfsa_status ipfsa_manifest_parse(ipfsa_bytes text, const char *content_type, const char *platform, ipfsa_manifest *ret, ipfsa_error *err);
/* Adds the platform of a config blob to the list, and its label as description where there is none yet (*description owned). */
ipfsa_status ipfsa_image_config_parse(ipfsa_bytes text, ipfsa_text_list *platforms, char **description, ipfsa_error *err);

#endif
