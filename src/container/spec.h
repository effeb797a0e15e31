/* The body that makes a container: built from options key by key, never passed through. What could reach the host is refused here, unless the
 * configuration names it. Pure but for the checks of bind sources on this machine. Threads: any. */
#ifndef IPFSA_CONTAINER_SPEC_H
#define IPFSA_CONTAINER_SPEC_H

#include "container/content.h"
#include "container/names.h"

#define IPFSA_LABEL_SESSION "io.ipfs-accelerate.session"
#define IPFSA_LABEL_SPEC "io.ipfs-accelerate.spec" /* sha256 of the body: was it made with these options? */
#define IPFSA_MAX_SPEC_ITEMS 1000u /* of any list of options: more is a mistake, and each is checked */

typedef struct ipfsa_spec_facts { /* what the engine and the image say */
  const char *image;      /* as it goes into the body */
  const char *image_user; /* "" when the image names none */
  const ipfsa_content *contents; /* made by this program, so no check of binds applies */
  size_t n_contents;
  int64_t n_cpus, memory; /* of the engine's host; 0 = unknown: no limit is set */
  const char *data_root;  /* the engine's own folder, which no container sees; NULL or "" = unknown */
} ipfsa_spec_facts;

/* *ret: the body of /containers/create. */
ipfsa_status ipfsa_spec_build(const ipfsa_engine *engine, const char *name, const ipfsa_container_start_options *options, const ipfsa_spec_facts *facts, json_t **ret,
                              ipfsa_error *err);

/* One volume option, taken apart and checked; texts are owned by it. */
typedef struct ipfsa_spec_mount {
  bool is_bind, read_only;
  char *source, *target;
} ipfsa_spec_mount;
void ipfsa_spec_mount_release(ipfsa_spec_mount *mount);
/* Absolute, normal, and not / itself? `what` and text are for messages. */
ipfsa_status ipfsa_spec_check_target(const char *what, const char *text, const char *target, ipfsa_error *err);
ipfsa_status ipfsa_spec_mount_parse(const ipfsa_engine *engine, const char *text, ipfsa_spec_mount *ret, ipfsa_error *err);
/* No bind of the folder in which the engine keeps its images and containers, wherever it is. */
ipfsa_status ipfsa_spec_mount_check_root(const ipfsa_engine *engine, const ipfsa_spec_mount *mount, const char *data_root, ipfsa_error *err);

/* The options named one by one: "pid=host", "cap-add=NET_BIND_SERVICE". Sets keys of HostConfig. */
ipfsa_status ipfsa_spec_put_extra(const ipfsa_engine *engine, const char *text, json_t *host_config, ipfsa_error *err);

/* "[[IP:]HOST:]CONTAINER[/tcp|/udp]" into PortBindings and ExposedPorts. */
ipfsa_status ipfsa_spec_put_port(const ipfsa_engine *engine, const char *text, json_t *bindings, json_t *exposed, ipfsa_error *err);

/* A network somebody made, on which containers have names; not one that engines have by themselves. */
bool ipfsa_spec_network_has_names(const char *network);

#endif
