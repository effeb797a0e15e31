/* Tunnels: a port of this machine's loopback that leads to a port inside a container, published or not. Straight to the container's address where
 * there is a way, else through a relay program that is run inside the container for each connection (exec).
 *
 * The container is looked up anew for each connection, so a tunnel survives its restart; connections that were open end. Only containers that
 * ipfs-accelerate started are reached. A connection that fails ends alone. */
#ifndef IPFSA_TUNNEL_H
#define IPFSA_TUNNEL_H

#include <ipfsa/container.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IPFSA_MAX_TUNNEL_NAME 80u           /* bytes: a socket is named after it */
#define IPFSA_MAX_TUNNEL_CONNECTIONS 16384u /* at once: two descriptors each, and some more while bytes move */
#define IPFSA_TUNNEL_CONNECTIONS 1024u      /* the default */
#define IPFSA_TUNNEL_IDLE_MS 3600000        /* the default: an hour, longer than keep-alive and long polls last */

typedef struct ipfsa_tunnel ipfsa_tunnel;

typedef struct ipfsa_tunnel_options {
  size_t struct_size;
  const char *name;         /* [a-zA-Z0-9][a-zA-Z0-9_.-]*: other processes of this user then find it. NULL: this process only */
  uint16_t local_port;      /* of 127.0.0.1; 0: a free one */
  uint32_t max_connections; /* at once, more are refused; 0 = IPFSA_TUNNEL_CONNECTIONS; fewer when the process may not open that many files */
  int64_t idle_timeout_ms;  /* a connection on which nothing moves for this long is ended; 0 = IPFSA_TUNNEL_IDLE_MS, negative = never */
} ipfsa_tunnel_options;

typedef struct ipfsa_tunnel_info {
  char name[IPFSA_MAX_TUNNEL_NAME + 1]; /* "" without */
  char container[132], engine[264];
  char last_error[264]; /* why the last connection failed; "" = none has */
  uint16_t local_port, container_port;
  int64_t pid;
  int64_t started;      /* seconds since 1970 */
  bool answers;         /* false: its process does not answer, and what follows is unknown */
  uint64_t n_accepted, n_open, n_failed; /* connections; failed: the container could not be reached */
  uint64_t n_refused;   /* over max_connections */
  uint64_t n_broken, n_idle; /* ended by an error of one side; by the idle timeout */
  uint64_t sent_bytes, received_bytes; /* to and from the container */
} ipfsa_tunnel_info;

/* Listens. The tunnel has an engine connection of its own. E_BUSY: the local port is taken. E_EXISTS: a live tunnel has this name. E_NOT_FOUND: no
 * such container or engine. E_DENIED: not ours. E_NOT_SUPPORTED: it runs, has no address that can be reached, and holds no program that can relay. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_tunnel_open(const ipfsa_engine_options *engine, const char *container, uint16_t container_port,
                                                     const ipfsa_tunnel_options *options, ipfsa_tunnel **ret, ipfsa_error *err);
/* Carries bytes in the calling thread until the tunnel is stopped (OK), once. SIGPIPE is blocked in this thread meanwhile. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_tunnel_run(ipfsa_tunnel *tunnel, ipfsa_error *err);
/* From any thread, async-signal-safe: run returns soon, for good. */
IPFSA_API void ipfsa_tunnel_stop(ipfsa_tunnel *tunnel);
IPFSA_API void ipfsa_tunnel_get_info(ipfsa_tunnel *tunnel, ipfsa_tunnel_info *ret); /* from any thread */
IPFSA_API void ipfsa_tunnel_close(ipfsa_tunnel *tunnel); /* not while it runs; ends its connections; NULL is fine */

typedef int (*ipfsa_tunnel_cb)(void *ctx, const ipfsa_tunnel_info *info); /* other than 0 stops: E_CANCELLED */
/* The named tunnels of this user, by name. What processes that died left behind is removed. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_tunnel_list(ipfsa_tunnel_cb cb, void *ctx, ipfsa_error *err);
/* Stops a tunnel, wherever it runs, and waits until its port is free. E_NOT_FOUND. E_TIMEOUT: its process does not answer. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_tunnel_rm(const char *name, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
