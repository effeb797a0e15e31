#include "container/engine.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "container/engine_inside.h"

#define DEFAULT_TIMEOUT_MS 60000

const ipfsa_text_list *ipfsa_engine_allowed(const ipfsa_engine *e) { return &e->allowed; }
const ipfsa_text_list *ipfsa_engine_registries(const ipfsa_engine *e) { return &e->registries; }
const char *ipfsa_engine_repo(const ipfsa_engine *e) { return e->repo; }
unsigned ipfsa_engine_minor(const ipfsa_engine *e) { return e->minor; }
const char *ipfsa_engine_address_text(const ipfsa_engine *e) { return e->address.text; }
const char *ipfsa_engine_socket_path(const ipfsa_engine *e) { return e->address.kind == IPFSA_ENGINE_UNIX ? e->address.path : NULL; }
bool ipfsa_engine_is_podman(const ipfsa_engine *e) { return e->info.is_podman; }
bool ipfsa_engine_is_local(const ipfsa_engine *e) { return e->address.kind == IPFSA_ENGINE_UNIX; }
uint64_t ipfsa_engine_timeout_ns(const ipfsa_engine *e) { return e->timeout_ns; }
int ipfsa_engine_cancel_fd(const ipfsa_engine *e) { return e->cancel_fd; }
const char *ipfsa_engine_session(const ipfsa_engine *e) { return e->session; }

ipfsa_status ipfsa_engine_pause(const ipfsa_engine *e, unsigned ms, ipfsa_error *err) {
  struct pollfd none = {.fd = -1};
  ipfsa_status status = ipfsa_wire_poll(&none, 1, e->cancel_fd, ipfsa_clock_monotonic_ns() + (uint64_t)ms * 1000000, err);
  return status == IPFSA_E_TIMEOUT ? IPFSA_OK : status;
}

/* --- connections --- */

ipfsa_status ipfsa_engine_take_wire(ipfsa_engine *e, int cancel_fd, uint64_t deadline, bool fresh, ipfsa_wire **ret, bool *ret_kept, ipfsa_error *err) {
  pthread_mutex_lock(&e->lock);
  ipfsa_wire *kept = e->idle;
  e->idle = NULL;
  pthread_mutex_unlock(&e->lock);
  if (kept && !fresh && ipfsa_wire_is_quiet(kept)) {
    ipfsa_wire_set_cancel(kept, cancel_fd);
    *ret = kept;
    *ret_kept = true;
    return IPFSA_OK;
  }
  ipfsa_wire_close(kept); /* the engine has ended it, or was restarted */
  *ret_kept = false;
  return ipfsa_wire_open(&e->address, cancel_fd, deadline, ret, err);
}

void ipfsa_engine_keep_wire(ipfsa_engine *e, ipfsa_wire *wire) {
  pthread_mutex_lock(&e->lock);
  ipfsa_wire *old = e->idle;
  e->idle = wire;
  pthread_mutex_unlock(&e->lock);
  ipfsa_wire_close(old);
}

/* --- the version --- */

/* "1.41" → 41; 0 when it is none. */
static unsigned minor_of(const char *text) {
  if (!text || strncmp(text, "1.", 2) != 0) return 0;
  unsigned long v = strtoul(text + 2, NULL, 10);
  return v > 0 && v < 1000 ? (unsigned)v : 0;
}

static ipfsa_status choose_version(ipfsa_engine *e, unsigned server, ipfsa_error *err) {
  const char *fixed = getenv("DOCKER_API_VERSION");
  if (fixed && *fixed) {
    e->minor = minor_of(fixed);
    if (e->minor >= IPFSA_ENGINE_MIN_MINOR && e->minor <= IPFSA_ENGINE_MAX_MINOR) return IPFSA_OK;
    return ipfsa_fail(err, IPFSA_E_INVALID, "DOCKER_API_VERSION %.20s: this program speaks 1.%u to 1.%u; unset it to let the version be agreed on", fixed,
                      IPFSA_ENGINE_MIN_MINOR, IPFSA_ENGINE_MAX_MINOR);
  }
  if (server < IPFSA_ENGINE_MIN_MINOR)
    return ipfsa_fail(err, IPFSA_E_VERSION, "container engine %s: it speaks API 1.%u; at least 1.%u (Docker 19.03) is needed: update the engine", e->address.text,
                      server, IPFSA_ENGINE_MIN_MINOR);
  e->minor = server < IPFSA_ENGINE_MAX_MINOR ? server : IPFSA_ENGINE_MAX_MINOR;
  return IPFSA_OK;
}

static ipfsa_status ping(ipfsa_engine *e, const char *method, ipfsa_engine_reply **ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_buf_str(&target, "/_ping");
  return ipfsa_engine_begin(e, &(ipfsa_engine_call){.method = method, .target = &target}, ret, err);
}

static ipfsa_status negotiate(ipfsa_engine *e, ipfsa_error *err) {
  ipfsa_engine_reply *reply = NULL;
  ipfsa_error first = {0};
  ipfsa_status status = ping(e, "HEAD", &reply, &first);
  if (status == IPFSA_E_NOT_FOUND && first.sys_errno == 0) status = ping(e, "GET", &reply, err); /* a server without HEAD */
  else if (status && err) *err = first;
  if (status) return status;
  unsigned server = minor_of(ipfsa_engine_reply_header(reply, "api-version"));
  e->info.is_podman = ipfsa_engine_reply_header(reply, "libpod-api-version") != NULL;
  ipfsa_engine_reply_end(reply);
  if (server == 0) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "%s answers, but names no API version: is it a container engine?", e->address.text);
  return choose_version(e, server, err);
}

/* --- life --- */

/* Where the folder really is; one that is not there is taken as it is written. */
static char *real_path_of(const char *path) {
  char *real = path && *path ? realpath(path, NULL) : NULL;
  char *copy = ipfsa_strdup(real ? real : path ? path : "");
  free(real); /* libc allocated it */
  return copy;
}

static ipfsa_status copy_texts(ipfsa_texts texts, ipfsa_text_list *ret, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; i < texts.n && status == IPFSA_OK; i++) status = ipfsa_text_list_add(ret, texts.items[i], err);
  return status;
}

ipfsa_status ipfsa_engine_connect(const ipfsa_engine_params *params, ipfsa_engine **ret, ipfsa_error *err) {
  ipfsa_engine *e = ipfsa_calloc(1, sizeof *e);
  if (!e) return ipfsa_fail_nomem(err);
  pthread_mutex_init(&e->lock, NULL);
  int64_t ms = params->timeout_ms > 0 ? params->timeout_ms : DEFAULT_TIMEOUT_MS;
  e->timeout_ns = (uint64_t)(ms < INT32_MAX ? ms : INT32_MAX) * 1000000;
  snprintf(e->session, sizeof e->session, "%016llx", (unsigned long long)ipfsa_random_u64());
  e->repo = real_path_of(params->repo_path);
  e->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  ipfsa_status status = copy_texts(params->allow_dangerous, &e->allowed, err);
  if (status == IPFSA_OK) status = copy_texts(params->registries, &e->registries, err);
  if (status == IPFSA_OK && !e->repo) status = ipfsa_fail_nomem(err);
  if (status == IPFSA_OK && e->cancel_fd < 0) status = ipfsa_fail_errno(err, errno, "container engine: event");
  if (status == IPFSA_OK) status = ipfsa_engine_find(params->host, params->context, params->configured_host, &e->address, err);
  int own = e->cancel_fd;
  if (params->cancel_fd > 0) e->cancel_fd = params->cancel_fd;
  if (status == IPFSA_OK) status = negotiate(e, err);
  e->cancel_fd = own;
  if (status) {
    ipfsa_engine_close(e);
    return status;
  }
  e->info.address = e->address.text;
  e->info.found_in = e->address.found_in ? e->address.found_in : "";
  snprintf(e->info.api_version, sizeof e->info.api_version, "1.%u", e->minor);
  *ret = e;
  return IPFSA_OK;
}

void ipfsa_engine_close(ipfsa_engine *e) {
  if (!e) return;
  ipfsa_wire_close(e->idle);
  ipfsa_engine_address_release(&e->address);
  ipfsa_fs_close(&e->cancel_fd);
  ipfsa_text_list_release(&e->allowed);
  ipfsa_text_list_release(&e->registries);
  ipfsa_free(e->repo);
  pthread_mutex_destroy(&e->lock);
  ipfsa_free(e);
}

void ipfsa_engine_cancel(ipfsa_engine *e) {
  uint64_t one = 1;
  if (write(e->cancel_fd, &one, sizeof one) < 0) return; /* full: it is cancelled already */
}

ipfsa_status ipfsa_engine_about(ipfsa_engine *e, ipfsa_engine_info *ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  IPFSA_AUTO_JSON json_t *json = NULL;
  ipfsa_buf_str(&target, "/version");
  ipfsa_status status = ipfsa_engine_ask(e, &(ipfsa_engine_call){.method = "GET", .target = &target}, &json, NULL, err);
  if (status) return status;
  *ret = e->info;
  snprintf(ret->version, sizeof ret->version, "%s", ipfsa_json_text(json, "Version"));
  snprintf(ret->os, sizeof ret->os, "%s", ipfsa_json_text(json, "Os"));
  snprintf(ret->arch, sizeof ret->arch, "%s", ipfsa_json_text(json, "Arch"));
  return IPFSA_OK;
}

void ipfsa_engine_put_filters(ipfsa_buf *target, json_t *filters) {
  IPFSA_AUTO_BUF ipfsa_buf text = {0};
  ipfsa_json_put(&text, filters, JSON_COMPACT);
  json_decref(filters);
  const char *words = ipfsa_buf_cstr(&text);
  if (!text.failed) ipfsa_http_put_query(target, "filters", words);
  else if (!target->failed) target->failed = text.failed; /* a call without its filter would mean everything */
}
