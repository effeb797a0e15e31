/* Drivers: how a model gets to a kind of endpoint, and how that kind says that it is ready. One file each, behind this table. A driver knows no node: what
 * it needs of the store it asks its delivery for. Threads: one at a time per delivery. */
#ifndef IPFSA_DISPATCH_DRIVER_H
#define IPFSA_DISPATCH_DRIVER_H

#include <ipfsa/checkpoint.h>
#include <ipfsa/materialise.h>

#include "dispatch/endpoint.h"
#include "dispatch/server.h"

typedef struct ipfsa_model_file {
  char *path; /* below the folder; of a single file its name */
  uint64_t size;
} ipfsa_model_file;

typedef enum ipfsa_place_style {
  IPFSA_PLACE_NAMED,   /* model_dir/NAME[.suffix]; other content under the name is exchanged */
  IPFSA_PLACE_CONTENT, /* model_dir/NAME/CID[.suffix]: the path itself says which content */
  IPFSA_PLACE_HELD     /* a tree of the repo's own, kept until the delivery is over */
} ipfsa_place_style;
typedef struct ipfsa_placed {
  char *path, *server_path; /* owned; here, and as the server has it */
  bool changed;             /* by this call */
  ipfsa_way way;            /* when changed */
  uint64_t bytes;
} ipfsa_placed;
void ipfsa_placed_release(ipfsa_placed *placed);

typedef struct ipfsa_delivery ipfsa_delivery;
typedef struct ipfsa_driver {
  const char *kind;
  uint16_t port;   /* the usual one of its servers; 0: there is none */
  bool needs_url;  /* a server without a usual port */
  bool needs_socket; /* a process that listens at a unix socket */
  bool needs_dir;  /* models are published into model_dir */
  bool takes_hub;  /* also in the layout of a hub's cache */
  bool flat_names; /* ORG/NAME is called ORG--NAME there */
  bool own_layout; /* content is a folder as the server wants it, perhaps without a checkpoint at its top */
  /* Brings it there and does not return before the probe of the server is true for this model; fills place, source, way, bytes, health_ns. */
  ipfsa_status (*bring)(ipfsa_delivery *delivery, ipfsa_error *err);

  /* Is it ready, as its server says? NULL: only bringing it can tell. */
  ipfsa_status (*probe)(ipfsa_delivery *delivery, bool *ret, ipfsa_error *err);
} ipfsa_driver;
const ipfsa_driver *ipfsa_driver_find(const char *kind); /* NULL */

extern const ipfsa_driver ipfsa_driver_path, ipfsa_driver_shm, ipfsa_driver_ollama, ipfsa_driver_llamacpp, ipfsa_driver_triton, ipfsa_driver_mlserver, ipfsa_driver_sglang,
    ipfsa_driver_vllm, ipfsa_driver_openai;

/* What the node does for a driver. */
typedef struct ipfsa_delivery_calls {
  ipfsa_status (*publish)(void *ctx, ipfsa_place_style style, ipfsa_placed *ret, ipfsa_error *err);
  /* Bytes of a file of the content, verified; *ret_len < len at its end only. */
  ipfsa_status (*read)(void *ctx, const ipfsa_model_file *file, uint64_t off, void *data, size_t len, size_t *ret_len, ipfsa_error *err);
  /* What the last success with this server and model left, "" when nothing did; durable. `text` is one line; model "": of the server as such. */
  ipfsa_status (*recall)(void *ctx, const char *server, const char *model, char **ret_text, ipfsa_error *err);
  ipfsa_status (*remember)(void *ctx, const char *server, const char *model, const char *text, ipfsa_error *err);
  int (*tell)(void *ctx, uint64_t done, uint64_t total); /* bytes; other than 0: stop */
} ipfsa_delivery_calls;

struct ipfsa_delivery {
  const ipfsa_driver *driver;
  const ipfsa_endpoint *endpoint;
  ipfsa_server *server; /* NULL: the kind has none */
  uint64_t timeout_ms;  /* the endpoint's */
  const char *cid;      /* text of version 1 */
  const char *model;    /* as the server is to call it */
  bool is_folder;
  ipfsa_checkpoint_format format; /* 0: none at the top of the folder */
  const ipfsa_model_file *files;
  size_t n_files;
  const ipfsa_delivery_calls *calls;
  void *ctx;
  /* What a driver fills. */
  ipfsa_placed placed; /* released by the caller; path: also a URL */
  bool transferred;    /* bytes went there */
  const char *way;     /* static; "" */
  uint64_t bytes, health_ns;
};

/* Publishes, and takes what that says into the delivery. */
ipfsa_status ipfsa_delivery_publish(ipfsa_delivery *delivery, ipfsa_place_style style, ipfsa_error *err);
/* Asks the driver's probe until it is true, at growing intervals, for the endpoint's timeout; E_TIMEOUT. `what` is a word for what is waited for. */
ipfsa_status ipfsa_delivery_await(ipfsa_delivery *delivery, const char *what, ipfsa_error *err);
/* Once. */
ipfsa_status ipfsa_delivery_is_ready(ipfsa_delivery *delivery, bool *ret, ipfsa_error *err);
const ipfsa_model_file *ipfsa_delivery_find(const ipfsa_delivery *delivery, const char *path); /* NULL */

#endif
