/* A server of models started in a container on a model of the store. */
#ifndef IPFSA_SERVE_H
#define IPFSA_SERVE_H

#include <ipfsa/container.h>
#include <ipfsa/materialise.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ipfsa_serve_options {
  size_t struct_size;
  const char *server; /* "ollama", "llamacpp", "vllm", "sglang", "triton", "mlserver" */
  const char *model;  /* name that it is served under; NULL: the alias, else the name of the file, else the CID */
  const char *name;   /* of the container; NULL: the model's, with "--" for "/" */
  const char *image;  /* NULL: the one that the server's makers publish */
  uint16_t port;      /* on 127.0.0.1; 0: the engine picks one */
  const char *gpus;   /* as ipfsa_container_start_options */
  uint64_t memory;    /* bytes; 0 = three quarters of the engine's */
  ipfsa_texts args;   /* behind the server's own */
  ipfsa_texts env;    /* "NAME=value"; values appear in no message */
  ipfsa_pull_when pull;
  int64_t timeout_ms; /* from the start until it is ready; 0 = 10 min */
  bool allow_pickle;
  void (*warned)(void *ctx, const char *text); /* may be NULL */
  void *warned_ctx;
  ipfsa_progress_cb progress; /* bytes of making the files, or of the upload; asked all the time whether to go on */
  void *progress_ctx;
  ipfsa_pull_cb on_pull;
  void *pull_ctx;
} ipfsa_serve_options;

typedef struct ipfsa_served {
  ipfsa_cid cid; /* version 1 */
  const char *server, *model, *container, *image;
  const char *url;  /* http://127.0.0.1:PORT */
  const char *way;  /* of the files: "reflink", "link", "copy", "upload"; "" when they were there */
  bool changed;     /* false: it ran already, with the same options */
  double health_ms; /* the last look whether it is ready */
} ipfsa_served;
IPFSA_API void ipfsa_served_free(ipfsa_served *served); /* NULL is fine */

/* path: a CID, a path below one, an alias: a model as the server takes it. It is shown to the container read-only (to Ollama it is uploaded), and kept from
 * gc as long as the container is there. Returns when the server's own probe says that it serves this model; a failure removes the container that this call
 * made, and tells the last line of what it said. The engine must be on this machine. What ipfsa_container_start and ipfsa_dispatch fail with; E_IO: the
 * server ended; E_TIMEOUT. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_serve(ipfsa_node *node, ipfsa_engine *engine, const char *path, const ipfsa_serve_options *options, ipfsa_served **ret,
                                               ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
