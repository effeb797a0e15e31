#include "container/registry.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "codec/json.h"
#include "container/registry_inside.h"

#define TIMEOUT_MS 30000

/* ---- where it is ---- */

ipfsa_status ipfsa_registry_place_parse(const char *text, ipfsa_registry_place *ret, ipfsa_error *err) {
  ipfsa_registry_place p = {0};
  IPFSA_AUTO_BUF ipfsa_buf url = {0};
  const char *behind = "", *scheme = strstr(text, "://"), *host = scheme ? scheme + 3 : text, *path = host + strcspn(host, "/");
  size_t len = (size_t)(path - host);
  if (len == 0 || len > IPFSA_MAX_REPOSITORY) return ipfsa_fail(err, IPFSA_E_INVALID, "registry \"%.100s\": expected [http://]HOST[:PORT][/NAME]", text);
  for (size_t i = 0; i < len; i++) p.host[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] + 32 : host[i]);
  if (strcmp(p.host, "index.docker.io") == 0 || strcmp(p.host, "registry-1.docker.io") == 0) snprintf(p.host, sizeof p.host, "%s", IPFSA_DOCKER_HUB);
  while (*path == '/') path++;
  size_t path_len = strlen(path);
  while (path_len && path[path_len - 1] == '/') path_len--;
  bool hub = strcmp(p.host, IPFSA_DOCKER_HUB) == 0, in_library = hub && path_len && !memchr(path, '/', path_len);
  int n = snprintf(p.path, sizeof p.path, "%s%.*s", in_library ? "library/" : "", (int)path_len, path);
  if (n >= (int)sizeof p.path) return ipfsa_fail(err, IPFSA_E_INVALID, "registry \"%.100s\": a name over %d bytes", text, IPFSA_MAX_REPOSITORY);
  if (*p.path && !ipfsa_image_path_is_valid(p.path)) return ipfsa_fail(err, IPFSA_E_INVALID, "registry \"%.100s\": what follows the host is no name of a repository", text);
  if (scheme) ipfsa_buf_append(&url, text, (size_t)(host - text));
  else ipfsa_buf_str(&url, ipfsa_reference_host_is_loopback(p.host) ? "http://" : "https://");
  ipfsa_buf_str(&url, hub ? "registry-1.docker.io" : p.host);
  ipfsa_status status = ipfsa_buf_status(&url, err);
  if (status == IPFSA_OK) status = ipfsa_url_parse(ipfsa_buf_cstr(&url), &p.origin, &behind, err);
  if (status == IPFSA_OK && *behind) status = ipfsa_fail(err, IPFSA_E_INVALID, "what follows the host is no name of a repository");
  if (status) return ipfsa_error_prefix(err, status, "registry \"%.100s\"", text);
  *ret = p;
  return IPFSA_OK;
}

/* ---- open, close ---- */

void ipfsa_registry_close(ipfsa_registry *r) {
  if (!r) return;
  ipfsa_http_client_free(r->client);
  ipfsa_credentials_release(&r->credentials);
  ipfsa_secret_free(r->authorization);
  ipfsa_free(r->docker_config);
  ipfsa_free(r);
}

static ipfsa_status open_client(ipfsa_registry *r, const ipfsa_registry_settings *s, ipfsa_error *err) {
  size_t n = s->n_private_origins;
  IPFSA_AUTO_FREE ipfsa_origin *origins = ipfsa_reallocarray(NULL, n + 1, sizeof *origins);
  if (!origins) return ipfsa_fail_nomem(err);
  if (n) memcpy(origins, s->private_origins, n * sizeof *origins);
  origins[n] = s->place->origin;
  ipfsa_http_settings settings = {.private_origins = origins, .n_private_origins = n + 1, .cancelled = s->cancelled, .cancelled_ctx = s->cancelled_ctx};
  return ipfsa_http_client_new(&settings, &r->client, err);
}

ipfsa_status ipfsa_registry_open(const ipfsa_registry_settings *s, ipfsa_registry **ret, ipfsa_error *err) {
  ipfsa_registry *r = ipfsa_calloc(1, sizeof *r);
  if (!r) return ipfsa_fail_nomem(err);
  r->place = *s->place;
  r->deadline_ns = ipfsa_clock_monotonic_ns() + (s->timeout_ms ? s->timeout_ms : TIMEOUT_MS) * 1000000;
  r->docker_config = s->docker_config ? ipfsa_strdup(s->docker_config) : NULL;
  ipfsa_status status = s->docker_config && !r->docker_config ? ipfsa_fail_nomem(err) : open_client(r, s, err);
  if (status) ipfsa_registry_close(r);
  else *ret = r;
  return status;
}

/* ---- one answer ---- */

uint32_t ipfsa_registry_time_left(const ipfsa_registry *r, ipfsa_error *err) {
  uint64_t now = ipfsa_clock_monotonic_ns();
  if (now < r->deadline_ns) return (uint32_t)((r->deadline_ns - now) / 1000000 + 1);
  ipfsa_fail(err, IPFSA_E_TIMEOUT, "its time was used up");
  return 0;
}

int ipfsa_registry_to_buf(void *buf, const void *data, size_t len) {
  ipfsa_buf_append(buf, data, len);
  return 0;
}

/* "MANIFEST_UNKNOWN: manifest unknown" out of {"errors":[{"code","message"}]}, or the status alone. */
static ipfsa_status refuse(const ipfsa_http_answer *response, const ipfsa_buf *body, ipfsa_error *err) {
  int code = response->status;
  json_t *root = NULL;
  if (ipfsa_json_load(ipfsa_buf_bytes(body), "answer", &root, NULL) != IPFSA_OK) root = NULL;
  const json_t *first = json_array_get(json_object_get(root, "errors"), 0);
  const char *name = ipfsa_json_string(first, "code"), *message = ipfsa_json_string(first, "message");
  ipfsa_status status = code == 401 || code == 403 ? IPFSA_E_DENIED : code == 404 ? IPFSA_E_NOT_FOUND : code == 405 || code == 501 ? IPFSA_E_NOT_SUPPORTED
                        : code == 429 ? IPFSA_E_BUSY : IPFSA_E_IO;
  ipfsa_fail(err, status, "status %d%s%.60s%s%.200s", code, name ? ", " : "", name ? name : "", message ? ": " : "", message ? message : "");
  json_decref(root);
  return status;
}

/* After a 401 although all was done that can be. */
static ipfsa_status refuse_login(const ipfsa_registry *r, const ipfsa_http_answer *response, const ipfsa_buf *body, ipfsa_error *err) {
  ipfsa_error told = {0};
  if (*r->credentials.note) return ipfsa_fail(err, IPFSA_E_DENIED, "status 401; %s", r->credentials.note);
  if (!r->credentials.basic) return ipfsa_fail(err, IPFSA_E_DENIED, "status 401; log in with 'docker login %.100s'", r->place.host);
  refuse(response, body, &told);
  return ipfsa_fail(err, IPFSA_E_DENIED, "%.300s; the login kept for %.100s is not accepted, or may not read this", told.message, r->place.host);
}

static ipfsa_status ask_once(ipfsa_registry *r, const char *path, const char *url, const char *accept, uint64_t max_body, ipfsa_http_answer *response,
                             ipfsa_buf *body, ipfsa_error *err) {
  ipfsa_http_header header = {"Accept", accept};
  bool authorized = r->authorization && (r->authorization_is_basic || strcmp(r->authorized_path, path) == 0);
  ipfsa_http_request request = {.url = url, .headers = &header, .n_headers = accept ? 1 : 0, .sink = ipfsa_registry_to_buf, .sink_ctx = body, .max_body = max_body};
  request.authorization = authorized ? r->authorization : NULL;
  request.whole_ms = ipfsa_registry_time_left(r, err);
  if (!request.whole_ms) return IPFSA_E_TIMEOUT;
  ipfsa_status status = ipfsa_http_perform(r->client, &request, response, err);
  return status ? status : ipfsa_buf_status(body, err);
}

ipfsa_status ipfsa_registry_get(ipfsa_registry *r, const char *path, const char *url, const char *accept, uint64_t max_body,
                                ipfsa_http_answer *ret_response, ipfsa_buf *body, ipfsa_error *err) {
  IPFSA_AUTO_HTTP_ANSWER ipfsa_http_answer response = {0};
  ipfsa_status status = ask_once(r, path, url, accept, max_body, &response, body, err);
  if (status) return status;
  if (response.status == 401) {
    if ((status = ipfsa_registry_authorize(r, path, &response, err))) return status;
    ipfsa_http_answer_release(&response);
    ipfsa_buf_clear(body);
    if ((status = ask_once(r, path, url, accept, max_body, &response, body, err))) return status;
  }
  if (response.status == 401) return refuse_login(r, &response, body, err);
  if (response.status < 200 || response.status > 299) return refuse(&response, body, err);
  *ret_response = response;
  response = (ipfsa_http_answer){0};
  return IPFSA_OK;
}
