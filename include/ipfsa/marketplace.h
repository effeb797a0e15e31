/* The marketplace: images that several sources know, merged into one list. Sources are asked side by side, each with its time limit; one that
 * cannot be reached is told beside the results. No node is needed. */
#ifndef IPFSA_MARKETPLACE_H
#define IPFSA_MARKETPLACE_H

#include <ipfsa/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All texts live until the callback returns; what is not known is "" or 0. */
typedef struct ipfsa_marketplace_entry {
  const char *name;        /* "ipfs-node"; without a name of its own the last part of its repository */
  const char *image;       /* as people write it: "ipfs/kubo:latest" */
  const char *reference;   /* the same in full: "docker.io/ipfs/kubo:latest" */
  const char *digest;      /* "sha256:…" of what `image` names */
  const char *description;
  const char *const *tags;
  const char *const *architectures; /* "linux/amd64", "linux/arm64/v8" */
  const char *const *sources;       /* at least one: "curated", "local", "engine", or a registry's host */
  size_t n_tags, n_architectures, n_sources;
  uint64_t size;           /* bytes: to transfer, when a registry says so; else on the disk of the engine */
  bool official;           /* of Docker's own library, by name or by the engine's word */
  bool verified;           /* the digest was computed here, from the manifest's bytes, in this call */
  bool allowed;            /* docker.allowed_registries lets images come from its registry */
} ipfsa_marketplace_entry;
typedef int (*ipfsa_marketplace_cb)(void *ctx, const ipfsa_marketplace_entry *entry); /* other than 0 stops: E_CANCELLED */
/* What a source could not tell. message: one sentence. A source may fail in part: then its other entries are there. */
typedef void (*ipfsa_marketplace_failed_cb)(void *ctx, const char *source, ipfsa_status status, const char *message);

#define IPFSA_MAX_MARKETPLACE_LIMIT 1000 /* entries of one search */

typedef struct ipfsa_marketplace_options {
  size_t struct_size;
  const char *repo_path;      /* its configuration is read ([docker], [marketplace], [http]); NULL: the default repo's; no repo: defaults */
  const char *const *sources; /* "curated", "local", "engine", "registries", or one registry's host; none: marketplace.sources */
  size_t n_sources;
  size_t limit;               /* entries, at most IPFSA_MAX_MARKETPLACE_LIMIT; 0 = 25 */
  int64_t timeout_ms;         /* of each source; 0 = 10 s */
  const char *docker_config;  /* path of Docker's config.json with the logins of registries; NULL: the usual places */
  ipfsa_progress_cb progress; /* items: sources that have answered, of all; called about ten times a second */
  ipfsa_marketplace_failed_cb failed;
  void *ctx;                  /* of both */
} ipfsa_marketplace_options;

/* Entries whose name, image or description holds the term (any case), best first; NULL or "": all. A term with a registry's host in it
 * ("ghcr.io/a/b:tag") is looked up there. cb gets each entry once, failures are told before. ret_n_answered (may be NULL): sources that answered
 * at least in part. Calls from any thread. E_INVALID: unknown source. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_marketplace_search(const char *term, const ipfsa_marketplace_options *options, ipfsa_marketplace_cb cb, void *ctx,
                                                            size_t *ret_n_answered, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
