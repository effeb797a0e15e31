/* Image references: [HOST[:PORT]/]PATH[:TAG][@sha256:…], by the grammar of the distribution specification. Threads: any. */
#ifndef IPFSA_CONTAINER_REFERENCE_H
#define IPFSA_CONTAINER_REFERENCE_H

#include "base/buf.h"

#define IPFSA_MAX_REPOSITORY 255 /* bytes of host and path together; the specification's */
#define IPFSA_MAX_IMAGE_TAG 128  /* likewise */
#define IPFSA_IMAGE_DIGEST_LEN 71 /* "sha256:" and 64 digits */
#define IPFSA_DOCKER_HUB "docker.io"

typedef struct ipfsa_reference {
  char host[IPFSA_MAX_REPOSITORY + 1]; /* lower case, with a port when one was given; docker.io when none was */
  char path[IPFSA_MAX_REPOSITORY + 1]; /* "library/busybox" */
  char tag[IPFSA_MAX_IMAGE_TAG + 1];   /* "" = none given */
  char digest[IPFSA_IMAGE_DIGEST_LEN + 1]; /* "" = none given */
  bool has_host;                       /* it was written out */
} ipfsa_reference;

/* E_INVALID naming what is wrong. */
ipfsa_status ipfsa_reference_parse(const char *text, size_t len, ipfsa_reference *ret, ipfsa_error *err);
bool ipfsa_reference_same_name(const ipfsa_reference *a, const ipfsa_reference *b); /* host and path */
/* HOST/PATH[:TAG][@DIGEST], the tag latest when there is neither. */
void ipfsa_reference_canonical(const ipfsa_reference *reference, ipfsa_buf *out);
/* The same as people write it: without docker.io/ and library/ where they are implied. */
void ipfsa_reference_familiar(const ipfsa_reference *reference, ipfsa_buf *out);
/* The first part of that, without tag and digest. Read again it is the same host and path, so that "docker.io/ghcr.io/x" never becomes an image of ghcr.io. */
void ipfsa_reference_familiar_name(const ipfsa_reference *reference, ipfsa_buf *out);
/* Does a host as people write it into a configuration, in any case, mean this one? */
bool ipfsa_reference_host_is(const char *written, const char *host);
/* Is this host, as references have it, "localhost" or a loopback address, and not a name that only begins so? */
bool ipfsa_reference_host_is_loopback(const char *host);

bool ipfsa_image_path_is_valid(const char *path);
bool ipfsa_image_tag_is_valid(const char *tag);
bool ipfsa_image_digest_is_valid(const char *digest); /* sha256: and 64 digits in lower case: before it becomes part of a URL */

#endif
