/* Containers on a Docker or Podman engine: started with safe defaults, waited for, looked at, fed and removed. What this library makes carries the
 * label io.ipfs-accelerate.managed=1; only that is changed or removed.
 *
 * Calls on one engine may come from several threads. Every options struct begins with struct_size (set it to sizeof); zero means the default. Texts
 * in results live until the callback returns or the result is freed. Names: [a-zA-Z0-9][a-zA-Z0-9_.-]+, at most 128 bytes. */
#ifndef IPFSA_CONTAINER_H
#define IPFSA_CONTAINER_H

#include <ipfsa/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IPFSA_CONTAINER_LABEL "io.ipfs-accelerate.managed"

/* A list of texts, borrowed for the length of the call. */
typedef struct ipfsa_texts {
  const char *const *items;
  size_t n;
} ipfsa_texts;

/* --- the engine --- */

typedef struct ipfsa_engine ipfsa_engine;
typedef struct ipfsa_engine_options {
  size_t struct_size;
  const char *repo_path;  /* its configuration ([docker]) is read; NULL: the default repo's; where there is no repo, defaults hold */
  const char *host;       /* "unix:///path", "tcp://host:port", "ssh://user@host" */
  const char *context;    /* name of a Docker context */
  int64_t timeout_ms;     /* longest time without progress; 0 = docker.timeout of the configuration */
  int cancel_fd;          /* once it is readable, opening fails with E_CANCELLED; 0 = none. Later there is ipfsa_engine_cancel */
} ipfsa_engine_options;
/* Finds the engine (host, context, DOCKER_HOST, DOCKER_CONTEXT, CONTAINER_HOST, docker.host of the configuration, Docker's current context, the
 * usual sockets) and agrees on the API version (1.40 to 1.56, or DOCKER_API_VERSION). E_NOT_FOUND when none listens. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_engine_open(const ipfsa_engine_options *options, ipfsa_engine **ret, ipfsa_error *err);
IPFSA_API void ipfsa_engine_close(ipfsa_engine *engine); /* NULL is fine */
/* Calls in progress and later ones fail with E_CANCELLED; what a failing call tidies up is still tidied up. Async-signal-safe. */
IPFSA_API void ipfsa_engine_cancel(ipfsa_engine *engine);

typedef struct ipfsa_engine_info {
  const char *address, *found_in; /* until the engine is closed */
  char version[64], api_version[16], os[32], arch[32]; /* api_version: the one agreed on */
  bool is_podman;
} ipfsa_engine_info;
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_engine_about(ipfsa_engine *engine, ipfsa_engine_info *ret, ipfsa_error *err);

/* --- containers --- */

typedef struct ipfsa_container_port {
  uint16_t container_port;
  const char *protocol; /* "tcp", "udp" */
  const char *host_ip;  /* "" when it is not published */
  uint16_t host_port;   /* 0 when it is not published; may change at every start */
} ipfsa_container_port;

typedef struct ipfsa_container {
  const char *id, *name, *image;
  const char *state;  /* "created", "running", "paused", "restarting", "exited", "dead" */
  const char *health; /* "" without check, "starting", "healthy", "unhealthy" */
  const char *address; /* on its first network; "" when it has none */
  int64_t exit_code;
  bool is_ours;
  const ipfsa_container_port *ports;
  size_t n_ports;
} ipfsa_container;
IPFSA_API void ipfsa_container_free(ipfsa_container *container); /* NULL is fine */

typedef enum ipfsa_pull_when { IPFSA_PULL_MISSING = 0, IPFSA_PULL_NEVER = 1, IPFSA_PULL_ALWAYS = 2 } ipfsa_pull_when;
typedef struct ipfsa_pull_step {
  const char *layer;  /* "" for the image as a whole */
  const char *status; /* in the engine's words */
  uint64_t done_bytes, total_bytes; /* of the layer; 0 while unknown */
} ipfsa_pull_step;
typedef int (*ipfsa_pull_cb)(void *ctx, const ipfsa_pull_step *step); /* other than 0 cancels */

/* How a container is probed while it is watched (ipfsa/watch.h): kept in its label, so that a watch in another shell finds it. */
typedef struct ipfsa_probe_options {
  size_t struct_size;
  ipfsa_texts probes;      /* as waits: "http:PORT[/path]", …; all must hold. log: said once since the start. At most 16 */
  int64_t interval_ms;     /* 0 = 5 s */
  int64_t timeout_ms;      /* of one probe; 0 = 3 s */
  int64_t start_period_ms; /* failures in it do not count; 0 = 10 s */
  uint32_t threshold;      /* failures in a row that make it unhealthy; 0 = 3 */
} ipfsa_probe_options;

typedef struct ipfsa_container_start_options {
  size_t struct_size;
  ipfsa_texts command, entrypoint; /* words; none: the image's */
  ipfsa_texts env;       /* "NAME=value"; values appear in no message */
  ipfsa_texts ports;     /* "[[IP:]HOST:]CONTAINER[/tcp|/udp]"; HOST 0 or left out: the engine picks one; IP 127.0.0.1 */
  ipfsa_texts volumes;   /* "NAME:/target[:ro]" or "/path:/target[:ro]"; a volume that is missing is made */
  ipfsa_texts tmpfs;     /* "/path" or "/path:SIZE"; /tmp and /run are there already, unless a volume is */
  ipfsa_texts networks;  /* "bridge" when empty; the first is the main one */
  ipfsa_texts labels;    /* "key=value" */
  ipfsa_texts extras;    /* "NAME=value", see docs/containers.md: what is dangerous is refused unless docker.allow_dangerous names it */
  const char *gpus;      /* "all", a count, "device=0,1", or CDI names ("nvidia.com/gpu=0") */
  const char *restart;   /* "no", "always", "unless-stopped", "on-failure[:N]" */
  const char *user;      /* NULL: the image's, and 1000:1000 where it names none */
  const char *workdir;
  const char *platform;  /* "linux/arm64" */
  const char *health_cmd; /* shell command the engine runs every 5 s; NULL: the image's check */
  uint64_t memory;       /* bytes; 0 = three quarters of the engine's */
  uint64_t nano_cpus;    /* 0 = all */
  uint64_t pids;         /* 0 = 512 */
  uint64_t shm_size;     /* 0 = 64 MiB */
  bool writable;         /* the root file system; default: read-only */
  bool no_init;          /* default: a small init process passes signals on and reaps */
  ipfsa_pull_when pull;
  ipfsa_texts waits;     /* all must come true: "http:PORT[/path]", "tcp:PORT", "log:REGEX" (POSIX extended), "exec:COMMAND", "healthy" */
  int64_t wait_timeout_ms; /* for all of them; 0 = 60 s */
  ipfsa_pull_cb on_pull;
  void *pull_ctx;
  const ipfsa_probe_options *probe; /* NULL: none */
} ipfsa_container_start_options;
/* Makes and starts it, and waits as asked; a failure leaves nothing behind but a pulled image. One of this name that runs already is no error
 * (*ret_changed false); one that is stopped is started again. E_EXISTS: it was made with other options. image NULL: it must be there (E_NOT_FOUND).
 * E_DENIED: refused as dangerous, or not ours. E_BUSY: a port is taken. *ret (may be NULL) is freed with ipfsa_container_free. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_container_start(ipfsa_engine *engine, const char *name, const char *image,
                                                         const ipfsa_container_start_options *options, ipfsa_container **ret, bool *ret_changed,
                                                         ipfsa_error *err);
/* A Kubo node: ports 5001 and 8080 at free ports of 127.0.0.1, swarm port 4001 there as well, its repo in the volume NAME-data. image NULL:
 * ipfs/kubo:latest. options (may be NULL) come on top; ports and volumes given there replace these. Waits until the daemon says that it is ready. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_container_start_ipfs(ipfsa_engine *engine, const char *name, const char *image,
                                                              const ipfsa_container_start_options *options, ipfsa_container **ret, bool *ret_changed,
                                                              ipfsa_error *err);
/* grace_s: seconds between SIGTERM and SIGKILL, negative = 10. *ret_changed (may be NULL): false when it was stopped already. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_container_stop(ipfsa_engine *engine, const char *name, int64_t grace_s, bool *ret_changed, ipfsa_error *err);
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_container_restart(ipfsa_engine *engine, const char *name, int64_t grace_s, ipfsa_error *err);
/* With its anonymous volumes. E_BUSY: it runs and `force` is not said. E_NOT_FOUND. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_container_rm(ipfsa_engine *engine, const char *name, bool force, ipfsa_error *err);
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_container_get(ipfsa_engine *engine, const char *name, ipfsa_container **ret, ipfsa_error *err);
/* All the engine knows, as JSON; owned, ipfsa_text_free. Values of the environment are hidden unless show_env. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_container_inspect(ipfsa_engine *engine, const char *name, bool show_env, char **ret_json, ipfsa_error *err);

typedef struct ipfsa_container_list_options {
  size_t struct_size;
  bool all;     /* stopped ones, too */
  bool foreign; /* those of others, too */
} ipfsa_container_list_options;
typedef int (*ipfsa_container_cb)(void *ctx, const ipfsa_container *container); /* other than 0 stops: E_CANCELLED */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_container_list(ipfsa_engine *engine, const ipfsa_container_list_options *options, ipfsa_container_cb cb, void *ctx,
                                                        ipfsa_error *err);

/* stream: 1 standard output, 2 standard error. Pieces are no lines. Other than 0 stops: E_CANCELLED. */
typedef int (*ipfsa_container_output_cb)(void *ctx, int stream, const void *data, size_t len);
typedef struct ipfsa_container_logs_options {
  size_t struct_size;
  bool follow, timestamps;
  uint64_t tail;      /* last lines; 0 = all */
  const char *since;  /* seconds since 1970, a fraction allowed; NULL = from the start */
} ipfsa_container_logs_options;
/* With follow: until the container ends or the engine is cancelled. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_container_logs(ipfsa_engine *engine, const char *name, const ipfsa_container_logs_options *options,
                                                        ipfsa_container_output_cb cb, void *ctx, ipfsa_error *err);

typedef struct ipfsa_container_exec_options {
  size_t struct_size;
  ipfsa_texts env;
  const char *user, *workdir;
  bool use_stdin; /* read stdin_fd and pass it on; its end is passed on as well */
  int stdin_fd;
} ipfsa_container_exec_options;
/* Runs command[0] with its arguments and waits for it. *ret_exit_code: 126 or 127 when it could not be run. E_BUSY: the container does not run. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_container_exec(ipfsa_engine *engine, const char *name, ipfsa_texts command,
                                                        const ipfsa_container_exec_options *options, ipfsa_container_output_cb cb, void *ctx,
                                                        int64_t *ret_exit_code, ipfsa_error *err);

typedef struct ipfsa_container_stats {
  double cpu_percent; /* 100 = one processor */
  uint64_t memory_bytes, memory_limit, net_received, net_sent, disk_read, disk_written, pids;
} ipfsa_container_stats;
/* One sample over a second or two. E_BUSY: it does not run. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_container_get_stats(ipfsa_engine *engine, const char *name, ipfsa_container_stats *ret, ipfsa_error *err);

typedef struct ipfsa_container_event {
  int64_t time_ns;    /* since 1970, the engine's clock */
  const char *type;   /* "container", "image", "network", "volume" */
  const char *action; /* "start", "die", "health_status: healthy" */
  const char *id, *name, *image;
} ipfsa_container_event;
typedef int (*ipfsa_container_event_cb)(void *ctx, const ipfsa_container_event *event);
typedef struct ipfsa_container_events_options {
  size_t struct_size;
  const char *since, *until; /* seconds since 1970, a fraction allowed; NULL: from now, without end */
  bool foreign;
} ipfsa_container_events_options;
/* What happens to ours. A connection that ends is made again, and no event is told twice. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_container_events(ipfsa_engine *engine, const ipfsa_container_events_options *options, ipfsa_container_event_cb cb,
                                                          void *ctx, ipfsa_error *err);

typedef struct ipfsa_container_prune_options {
  size_t struct_size;
  bool containers, volumes, networks; /* all false: containers and networks; volumes hold data, so they must be named */
} ipfsa_container_prune_options;
typedef int (*ipfsa_container_pruned_cb)(void *ctx, const char *kind, const char *name); /* after each removal */
/* Removes what is ours and not in use: stopped containers, networks and volumes without containers, be they stopped. What cannot be removed does not keep
 * the others: the first such failure is returned in the end. cb may be NULL. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_container_prune(ipfsa_engine *engine, const ipfsa_container_prune_options *options, ipfsa_container_pruned_cb cb,
                                                         void *ctx, ipfsa_error *err);

/* --- images, volumes, networks --- */

typedef struct ipfsa_image {
  const char *id;
  const char *name;   /* "repo:tag", "<none>" without */
  const char *digest; /* "sha256:…" of its registry, "" for one that came from none */
  uint64_t size;
  int64_t created;    /* seconds since 1970 */
} ipfsa_image;
typedef int (*ipfsa_image_cb)(void *ctx, const ipfsa_image *image);
typedef struct ipfsa_image_pull_options {
  size_t struct_size;
  const char *platform;
  const char *username, *password; /* of the registry; NULL: what `docker login` or `podman login` left for it, else none */
  ipfsa_pull_cb cb;
  void *ctx;
} ipfsa_image_pull_options;
/* One image; without tag, "latest". A digest in the name is checked afterwards. E_DENIED: its registry is not in docker.allowed_registries. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_image_pull(ipfsa_engine *engine, const char *name, const ipfsa_image_pull_options *options, ipfsa_error *err);
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_image_list(ipfsa_engine *engine, ipfsa_image_cb cb, void *ctx, ipfsa_error *err);
/* E_BUSY while a container uses it. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_image_rm(ipfsa_engine *engine, const char *name, bool force, ipfsa_error *err);

typedef struct ipfsa_volume {
  const char *name, *driver, *mountpoint;
  bool is_ours;
} ipfsa_volume;
typedef int (*ipfsa_volume_cb)(void *ctx, const ipfsa_volume *volume);
/* E_EXISTS when there is one that is not ours; *ret_created (may be NULL): false when it was there. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_volume_create(ipfsa_engine *engine, const char *name, bool *ret_created, ipfsa_error *err);
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_volume_list(ipfsa_engine *engine, bool foreign, ipfsa_volume_cb cb, void *ctx, ipfsa_error *err);
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_volume_rm(ipfsa_engine *engine, const char *name, ipfsa_error *err);

typedef struct ipfsa_network {
  const char *id, *name, *driver;
  bool is_ours, internal;
} ipfsa_network;
typedef int (*ipfsa_network_cb)(void *ctx, const ipfsa_network *network);
/* internal: without a way out. E_EXISTS, *ret_created as above. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_network_create(ipfsa_engine *engine, const char *name, bool internal, bool *ret_created, ipfsa_error *err);
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_network_list(ipfsa_engine *engine, bool foreign, ipfsa_network_cb cb, void *ctx, ipfsa_error *err);
/* E_BUSY when a container uses it, be it stopped. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_network_rm(ipfsa_engine *engine, const char *name, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
