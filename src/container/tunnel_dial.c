#include "container/tunnel_dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "container/container_inside.h"
#include "container/exec_relay.h"

#define CONNECT_SECONDS 3u /* to a bridge of this machine: microseconds, or never */

struct ipfsa_tunnel_dialer {
  ipfsa_engine *engine;
  char *container;
  uint16_t port;
  bool may_connect;       /* containers of this engine can have addresses that this machine reaches */
  uint64_t n_late;        /* relaxed */
  pthread_mutex_t lock;   /* over what follows */
  char unreachable[64];   /* an address that did not answer at all */
  char relay_of[80];      /* id of the container whose relay program is known */
  const ipfsa_exec_relay *relay;
  char last_error[264];
};

/* The engine's socket belongs to root, and so does the engine: its bridges are then in this machine's network. One of a user (rootless, or in a
 * virtual machine) gives its containers addresses that mean something else here. */
static bool is_roots(const ipfsa_engine *engine) {
  struct stat st;
  const char *path = ipfsa_engine_socket_path(engine);
  return path && ipfsa_fs_stat_target(AT_FDCWD, path, &st, NULL) == IPFSA_OK && st.st_uid == 0;
}

ipfsa_status ipfsa_tunnel_dialer_new(ipfsa_engine *engine, const char *container, uint16_t port, ipfsa_tunnel_dialer **ret, ipfsa_error *err) {
  ipfsa_tunnel_dialer *d = ipfsa_calloc(1, sizeof *d);
  if (d) d->container = ipfsa_strdup(container);
  if (!d || !d->container) {
    ipfsa_free(d);
    return ipfsa_fail_nomem(err);
  }
  d->engine = engine;
  d->port = port;
  d->may_connect = is_roots(engine);
  pthread_mutex_init(&d->lock, NULL);
  *ret = d;
  return IPFSA_OK;
}

void ipfsa_tunnel_dialer_free(ipfsa_tunnel_dialer *d) {
  if (!d) return;
  pthread_mutex_destroy(&d->lock);
  ipfsa_free(d->container);
  ipfsa_free(d);
}

/* --- what is remembered --- */

void ipfsa_tunnel_dialer_note(ipfsa_tunnel_dialer *d, const char *words) {
  pthread_mutex_lock(&d->lock);
  snprintf(d->last_error, sizeof d->last_error, "%s", words);
  ipfsa_json_make_text(d->last_error); /* a program in the container says what it likes, and 'tunnel ls' gets it as JSON */
  pthread_mutex_unlock(&d->lock);
}

void ipfsa_tunnel_dialer_last_error(ipfsa_tunnel_dialer *d, char *ret, size_t room) {
  pthread_mutex_lock(&d->lock);
  snprintf(ret, room, "%s", d->last_error);
  pthread_mutex_unlock(&d->lock);
}

uint64_t ipfsa_tunnel_dialer_n_late(const ipfsa_tunnel_dialer *d) { return __atomic_load_n(&d->n_late, __ATOMIC_RELAXED); }

static void late_failure(void *ctx, const char *words) {
  ipfsa_tunnel_dialer *d = ctx;
  __atomic_fetch_add(&d->n_late, 1, __ATOMIC_RELAXED);
  ipfsa_tunnel_dialer_note(d, words);
}

static void set_unreachable(ipfsa_tunnel_dialer *d, const char *address) {
  pthread_mutex_lock(&d->lock);
  snprintf(d->unreachable, sizeof d->unreachable, "%s", address);
  pthread_mutex_unlock(&d->lock);
}

static bool is_unreachable(ipfsa_tunnel_dialer *d, const char *address) {
  pthread_mutex_lock(&d->lock);
  bool so = strcmp(d->unreachable, address) == 0;
  pthread_mutex_unlock(&d->lock);
  return so;
}

/* --- straight --- */

/* One of this machine's own networks, such as a bridge: an address behind a router would be somebody else's. */
static bool is_on_link(struct in_addr address) {
  struct ifaddrs *all = NULL;
  bool found = false;
  if (getifaddrs(&all) != 0) return false;
  for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
    if (!i->ifa_addr || !i->ifa_netmask || i->ifa_addr->sa_family != AF_INET) continue;
    struct sockaddr_in own, mask;
    memcpy(&own, i->ifa_addr, sizeof own);
    memcpy(&mask, i->ifa_netmask, sizeof mask);
    bool same = ((own.sin_addr.s_addr ^ address.s_addr) & mask.sin_addr.s_addr) == 0;
    found = same && own.sin_addr.s_addr != address.s_addr && own.sin_addr.s_addr != htonl(INADDR_LOOPBACK);
  }
  freeifaddrs(all);
  return found;
}

static bool can_connect(ipfsa_tunnel_dialer *d, const char *address, struct in_addr *ret) {
  return d->may_connect && *address && inet_pton(AF_INET, address, ret) == 1 && is_on_link(*ret) && !is_unreachable(d, address);
}

static ipfsa_status wait_connected(ipfsa_tunnel_dialer *d, int fd, int *ret_code, ipfsa_error *err) {
  struct pollfd wait = {.fd = fd, .events = POLLOUT};
  socklen_t len = sizeof *ret_code;
  ipfsa_status status = ipfsa_wire_poll(&wait, 1, ipfsa_engine_cancel_fd(d->engine), ipfsa_clock_monotonic_ns() + CONNECT_SECONDS * 1000000000ull, err);
  if (status == IPFSA_E_TIMEOUT) *ret_code = ETIMEDOUT;
  else if (status == IPFSA_OK) (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, ret_code, &len);
  return status == IPFSA_E_TIMEOUT ? IPFSA_OK : status;
}

/* *ret_code: errno of a connection that does not come about, which leaves the other way. */
static ipfsa_status connect_to(ipfsa_tunnel_dialer *d, struct in_addr address, ipfsa_relay_end *ret, int *ret_code, ipfsa_error *err) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(d->port), .sin_addr = address};
  IPFSA_AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return ipfsa_fail_errno(err, errno, "tunnel to %s: socket", d->container);
  ipfsa_relay_set_up(fd);
  *ret_code = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ? 0 : errno;
  if (*ret_code == EINPROGRESS) {
    ipfsa_status status = wait_connected(d, fd, ret_code, err);
    if (status) return status;
  }
  if (*ret_code == 0) {
    *ret = (ipfsa_relay_end){.fd = fd};
    fd = -1;
  }
  return IPFSA_OK;
}

/* --- by exec --- */

static ipfsa_status find_relay(ipfsa_tunnel_dialer *d, const ipfsa_container *c, const ipfsa_exec_relay **ret, ipfsa_error *err) {
  pthread_mutex_lock(&d->lock);
  *ret = strcmp(d->relay_of, c->id) == 0 ? d->relay : NULL;
  pthread_mutex_unlock(&d->lock);
  if (*ret) return IPFSA_OK;
  ipfsa_status status = ipfsa_exec_relay_find(d->engine, c->id, ret, err);
  if (status) return status;
  pthread_mutex_lock(&d->lock);
  snprintf(d->relay_of, sizeof d->relay_of, "%s", c->id);
  d->relay = *ret;
  pthread_mutex_unlock(&d->lock);
  return IPFSA_OK;
}

/* --- both --- */

static ipfsa_status look(ipfsa_tunnel_dialer *d, ipfsa_container **ret, ipfsa_error *err) {
  json_t *json = NULL;
  ipfsa_status status = ipfsa_container_look_ours(d->engine, d->container, &json, err);
  return status ? status : ipfsa_container_from_inspect(json, ret, err);
}

static bool runs(const ipfsa_container *c) { return strcmp(c->state, "running") == 0; }

ipfsa_status ipfsa_tunnel_dialer_check(ipfsa_tunnel_dialer *d, ipfsa_error *err) {
  ipfsa_container *c = NULL;
  struct in_addr address;
  const ipfsa_exec_relay *relay;
  ipfsa_status status = look(d, &c, err);
  if (status == IPFSA_OK && runs(c) && !can_connect(d, c->address, &address)) status = find_relay(d, c, &relay, err);
  ipfsa_container_free(c);
  return status;
}

static ipfsa_status dial_into(ipfsa_tunnel_dialer *d, const ipfsa_container *c, ipfsa_relay_end *ret, ipfsa_error *err) {
  if (!runs(c)) return ipfsa_fail(err, IPFSA_E_BUSY, "container %s does not run; start it with 'container start %s'", d->container, d->container);
  struct in_addr address;
  int code = 0;
  if (can_connect(d, c->address, &address)) {
    ipfsa_status status = connect_to(d, address, ret, &code, err);
    if (status || code == 0) return status;
    if (code != ECONNREFUSED) set_unreachable(d, c->address);
  }
  /* Refused may mean that the server listens on the container's own loopback only: the relay finds that out. */
  const ipfsa_exec_relay *relay;
  ipfsa_error none = {0};
  ipfsa_status status = find_relay(d, c, &relay, &none);
  if (status == IPFSA_E_NOT_SUPPORTED && code) return ipfsa_fail_errno(err, code, "container %s: connect to port %u of %s", d->container, d->port, c->address);
  if (status && err) *err = none;
  return status ? status : ipfsa_exec_relay_open(d->engine, c->id, relay, d->port, late_failure, d, ret, err);
}

ipfsa_status ipfsa_tunnel_dial(ipfsa_tunnel_dialer *d, ipfsa_relay_end *ret, ipfsa_error *err) {
  ipfsa_container *c = NULL;
  ipfsa_status status = look(d, &c, err);
  if (status == IPFSA_OK) status = dial_into(d, c, ret, err);
  ipfsa_container_free(c);
  return status;
}
