/* Dispatch: a model out of the store to where it is served from, by the endpoints of the configuration. Every check of its format is made before
 * anything is done. Calls from any thread. */
#ifndef IPFSA_DISPATCH_H
#define IPFSA_DISPATCH_H

#include <ipfsa/materialise.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A table [endpoints.NAME]; all borrowed for the call. The token is in none of it. */
typedef struct ipfsa_endpoint_row {
  const char *name, *kind, *url, *model_dir, *layout; /* "" where not set; url: of kind shm the socket */
  const char *problem; /* why it cannot be used as it stands; "" */
  bool is_default;
} ipfsa_endpoint_row;
typedef int (*ipfsa_endpoint_cb)(void *ctx, const ipfsa_endpoint_row *row); /* other than 0 stops: E_CANCELLED */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_endpoint_list(ipfsa_node *node, ipfsa_endpoint_cb cb, void *ctx, ipfsa_error *err);

typedef struct ipfsa_dispatch_options {
  size_t struct_size;
  const char *endpoint; /* NULL: endpoints.default */
  const char *name;     /* of the model: NAME or ORG/NAME; NULL: the alias, else the name of the file, else the CID */
  bool allow_pickle;    /* also files that run what they hold when they are loaded */
  void (*warned)(void *ctx, const char *text); /* may be NULL */
  void *warned_ctx;
  ipfsa_progress_cb progress;
  void *progress_ctx;
  const char *settings; /* TOML: its [endpoints] in place of those of the repo's configuration; NULL = none */
} ipfsa_dispatch_options;

typedef struct ipfsa_dispatched {
  ipfsa_cid cid;        /* version 1 */
  const char *endpoint, *kind, *model;
  const char *place;    /* path of the file or folder; of a server that was sent the model, its URL; of a process, its socket */
  const char *format;   /* "safetensors", "gguf", "torch", "pickle"; "folder": a layout of the server's own, without a checkpoint at its top */
  const char *source;   /* "cache": it was there, untouched, and nothing was transferred; else "store" */
  const char *way;      /* "reflink", "link", "copy", "upload", "sealed"; "" when nothing was transferred */
  uint64_t bytes;       /* that this call put there */
  bool ready;
  double health_ms;     /* the last look whether it is ready */
} ipfsa_dispatched;
IPFSA_API void ipfsa_dispatched_free(ipfsa_dispatched *dispatched); /* NULL is fine */

/* path: a CID, a path below one, or an alias: a file, or a folder. When it returns, the server's own probe for the model was true; where it reads
 * models from a folder, the model stands there whole and is on the disk, and under a name that was dispatched to before the old content was exchanged
 * for it in one step (docs/dispatch.md has each kind). E_NOT_FOUND (endpoint), E_INVALID (configuration, name, what the server refuses), E_MALFORMED (the
 * format, with tensor and byte), E_DENIED (pickles, the token), E_EXISTS (something else stands under the name), E_NO_SPACE, E_NOT_SUPPORTED, E_IO and
 * E_TIMEOUT (the server); a server's refusal is told in its own words. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_dispatch(ipfsa_node *node, const char *path, const ipfsa_dispatch_options *options, ipfsa_dispatched **ret,
                                                  ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
