#include "container/address.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/fs.h"
#include "container/json.h"
#include "hash/hash.h"

#define MAX_CONTEXT_FILE (1u << 20) /* bytes of config.json and meta.json; config.json holds one entry a registry */

void ipfsa_engine_address_release(ipfsa_engine_address *a) {
  ipfsa_free(a->text);
  ipfsa_free(a->path);
  ipfsa_free(a->user);
  ipfsa_free(a->host);
  ipfsa_free(a->port);
  ipfsa_free(a->tls_dir);
  *a = (ipfsa_engine_address){0};
}

static const char *env(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

/* A password, which none of these takes, is not repeated. */
static bool holds_password(const char *text) {
  const char *at = strrchr(text, '@'), *from = strstr(text, "//");
  return at && memchr(from && from < at ? from + 2 : text, ':', (size_t)(at - (from && from < at ? from + 2 : text)));
}

static ipfsa_status wrong(ipfsa_error *err, const char *text) {
  if (holds_password(text)) text = "(not shown: it holds a password)";
  return ipfsa_fail(err, IPFSA_E_INVALID, "container engine \"%.200s\": expected unix:///path, tcp://host:port or ssh://user@host[:port]", text);
}

/* A part that is lost for want of memory must not look like one that was not given: another engine would be spoken to. */
static char *take(const char *text, size_t len, bool *ret_nomem) {
  char *copy = ipfsa_strndup(text, len);
  if (!copy) *ret_nomem = true;
  return copy;
}

/* "host", "host:port", "[::1]:port" in [text, end). */
static bool split_host(const char *text, const char *end, char **ret_host, char **ret_port, bool *ret_nomem) {
  const char *host = text, *host_end, *port = NULL;
  if (*text == '[') {
    host++;
    host_end = memchr(host, ']', (size_t)(end - host));
    if (!host_end) return false;
    if (host_end + 1 < end && host_end[1] != ':') return false;
    if (host_end + 1 < end) port = host_end + 2;
  } else {
    host_end = memchr(host, ':', (size_t)(end - host));
    if (host_end) port = host_end + 1;
    else host_end = end;
  }
  if (host_end == host || *host == '-') return false; /* a dash would be an option of ssh */
  for (const char *p = host; p < host_end; p++)
    if ((unsigned char)*p <= 0x20 || strchr("/@?#%\\'\"`$;&|<>()", *p)) return false;
  if (port && (port == end || (size_t)(end - port) > 5)) return false;
  for (const char *p = port; p && p < end; p++)
    if (*p < '0' || *p > '9') return false;
  *ret_host = take(host, (size_t)(host_end - host), ret_nomem);
  if (port) *ret_port = take(port, (size_t)(end - port), ret_nomem);
  return true;
}

static bool parse_ssh(const char *rest, ipfsa_engine_address *a, bool *ret_nomem) {
  const char *end = rest + strcspn(rest, "/"), *at = memchr(rest, '@', (size_t)(end - rest));
  if (at) {
    for (const char *p = rest; p < at; p++)
      if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || (p > rest && strchr("-._", *p)))) return false;
    if (at == rest) return false;
    a->user = take(rest, (size_t)(at - rest), ret_nomem);
    rest = at + 1;
  }
  if (*end && end[1]) {
    if (end[strspn(end, "/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")]) return false; /* it goes through a shell */
    a->path = take(end, strlen(end), ret_nomem);
  }
  return split_host(rest, end, &a->host, &a->port, ret_nomem);
}

static bool parse_tcp(const char *rest, bool tls, ipfsa_engine_address *a, bool *ret_nomem) {
  size_t len = strlen(rest);
  if (len && rest[len - 1] == '/') len--;
  if (!split_host(rest, rest + len, &a->host, &a->port, ret_nomem)) return false;
  if (!a->port) a->port = take(tls ? "2376" : "2375", 4, ret_nomem);
  return true;
}

ipfsa_status ipfsa_engine_address_parse(const char *text, bool tls, ipfsa_engine_address *ret, ipfsa_error *err) {
  bool fine = false, nomem = false;
  ipfsa_engine_address a = {.text = take(text, strlen(text), &nomem)};
  if (strncmp(text, "unix://", 7) == 0 && text[7] == '/') {
    struct sockaddr_un room;
    fine = strlen(text + 7) < sizeof room.sun_path;
    a.kind = IPFSA_ENGINE_UNIX;
    a.path = take(text + 7, strlen(text + 7), &nomem);
  } else if (strncmp(text, "tcp://", 6) == 0 || strncmp(text, "https://", 8) == 0) {
    bool secure = tls || text[0] == 'h';
    a.kind = secure ? IPFSA_ENGINE_TLS : IPFSA_ENGINE_TCP;
    fine = parse_tcp(strchr(text, '/') + 2, secure, &a, &nomem);
  } else if (strncmp(text, "ssh://", 6) == 0) {
    a.kind = IPFSA_ENGINE_SSH;
    fine = parse_ssh(text + 6, &a, &nomem);
  }
  if (fine && !nomem) {
    *ret = a;
    return IPFSA_OK;
  }
  ipfsa_engine_address_release(&a);
  return nomem ? ipfsa_fail_nomem(err) : wrong(err, text);
}

/* --- Docker's contexts --- */

static ipfsa_status docker_folder(ipfsa_buf *ret, ipfsa_error *err) {
  const char *config = env("DOCKER_CONFIG"), *home = env("HOME");
  if (config) ipfsa_buf_str(ret, config);
  else if (home) ipfsa_buf_printf(ret, "%s/.docker", home);
  else return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "Docker's contexts: neither DOCKER_CONFIG nor HOME is set");
  return ipfsa_buf_status(ret, err);
}

/* A JSON file, or NULL in *ret when there is none. */
static ipfsa_status read_json_file(const char *path, json_t **ret, ipfsa_error *err) {
  IPFSA_AUTO_FREE char *text = NULL;
  size_t len = 0;
  ipfsa_status status = ipfsa_fs_read_file(AT_FDCWD, path, MAX_CONTEXT_FILE, &text, &len, err);
  if (status == IPFSA_E_NOT_FOUND) {
    *ret = NULL;
    return IPFSA_OK;
  }
  return status ? status : ipfsa_json_parse(ipfsa_bytes_of(text, len), path, ret, err);
}

static void hex_of_name(const char *name, char ret[65]) {
  ipfsa_sha256_stream sha;
  uint8_t digest[32];
  ipfsa_sha256_init(&sha);
  ipfsa_sha256_update(&sha, name, strlen(name));
  ipfsa_sha256_final(&sha, digest);
  for (size_t i = 0; i < 32; i++) snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

static ipfsa_status context_address(const char *folder, const char *id, const json_t *meta, const char *name, ipfsa_engine_address *ret, ipfsa_error *err) {
  const json_t *endpoint = ipfsa_json_at(meta, "Endpoints", "docker", NULL);
  const char *host = ipfsa_json_text(endpoint, "Host");
  if (!*host) return ipfsa_fail(err, IPFSA_E_MALFORMED, "Docker's context %.80s: it names no host; recreate it with 'docker context create'", name);
  IPFSA_AUTO_BUF ipfsa_buf tls = {0};
  ipfsa_buf_printf(&tls, "%s/contexts/tls/%s/docker", folder, id);
  bool has_tls = access(ipfsa_buf_cstr(&tls), F_OK) == 0;
  bool skip = ipfsa_json_bool(endpoint, "SkipTLSVerify");
  ipfsa_engine_address a;
  ipfsa_status status = ipfsa_buf_status(&tls, err);
  if (status == IPFSA_OK) status = ipfsa_engine_address_parse(host, has_tls || skip, &a, err);
  if (status) return ipfsa_error_prefix(err, status, "Docker's context %.80s", name);
  a.skip_verify = skip;
  if (has_tls) a.tls_dir = ipfsa_strdup(ipfsa_buf_cstr(&tls));
  if (has_tls && !a.tls_dir) {
    ipfsa_engine_address_release(&a);
    return ipfsa_fail_nomem(err);
  }
  *ret = a;
  return IPFSA_OK;
}

static ipfsa_status from_context(const char *name, ipfsa_engine_address *ret, ipfsa_error *err) {
  char id[65];
  hex_of_name(name, id);
  IPFSA_AUTO_BUF ipfsa_buf folder = {0}, path = {0};
  ipfsa_status status = docker_folder(&folder, err);
  if (status) return status;
  ipfsa_buf_printf(&path, "%s/contexts/meta/%s/meta.json", ipfsa_buf_cstr(&folder), id);
  IPFSA_AUTO_JSON json_t *meta = NULL;
  const char *file = ipfsa_buf_cstr(&path);
  status = ipfsa_buf_status(folder.failed ? &folder : &path, err);
  if (status == IPFSA_OK) status = read_json_file(file, &meta, err);
  if (status) return status;
  if (!meta) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "Docker's context %.80s: there is none of this name; see 'docker context ls'", name);
  return context_address(ipfsa_buf_cstr(&folder), id, meta, name, ret, err);
}

/* "currentContext" of config.json; *ret stays NULL when none is set. Owned. */
static ipfsa_status current_context(char **ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf path = {0};
  ipfsa_status status = docker_folder(&path, err);
  if (status) return status == IPFSA_E_NOT_FOUND ? IPFSA_OK : status;
  ipfsa_buf_str(&path, "/config.json");
  IPFSA_AUTO_JSON json_t *config = NULL;
  const char *file = ipfsa_buf_cstr(&path);
  status = ipfsa_buf_status(&path, err);
  if (status == IPFSA_OK) status = read_json_file(file, &config, err);
  const char *name = ipfsa_json_text(config, "currentContext");
  if (status || !*name || strcmp(name, "default") == 0) return status;
  *ret = ipfsa_strdup(name);
  return *ret ? IPFSA_OK : ipfsa_fail_nomem(err);
}

/* --- the usual sockets --- */

static bool somebody_listens(const char *path) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof to.sun_path) return false;
  memcpy(to.sun_path, path, strlen(path) + 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool yes = fd >= 0 && (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EACCES);
  if (fd >= 0) close(fd);
  return yes;
}

static ipfsa_status usual_socket(ipfsa_engine_address *ret, ipfsa_error *err) {
  const char *run = env("XDG_RUNTIME_DIR");
  static const struct { bool runtime; const char *path; } sockets[] = {
      {false, "/var/run/docker.sock"}, {true, "docker.sock"}, {false, "/run/podman/podman.sock"}, {true, "podman/podman.sock"}};
  for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++) {
    if (sockets[i].runtime && !run) continue;
    IPFSA_AUTO_BUF ipfsa_buf text = {0};
    ipfsa_buf_printf(&text, "unix://%s%s%s", sockets[i].runtime ? run : "", sockets[i].runtime ? "/" : "", sockets[i].path);
    const char *address = ipfsa_buf_cstr(&text);
    if (text.failed) return ipfsa_buf_status(&text, err);
    if (somebody_listens(address + 7)) return ipfsa_engine_address_parse(address, false, ret, err);
  }
  return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "container engine: none listens on /var/run/docker.sock, /run/podman/podman.sock or below $XDG_RUNTIME_DIR; start Docker "
                    "or Podman's service, or name one in DOCKER_HOST, with --host, or in the configuration (docker.host)");
}

static ipfsa_status from_text(const char *text, const char *found_in, ipfsa_engine_address *ret, ipfsa_error *err) {
  const char *verify = env("DOCKER_TLS_VERIFY"), *certs = env("DOCKER_CERT_PATH"), *home = env("HOME");
  ipfsa_engine_address a;
  ipfsa_status status = ipfsa_engine_address_parse(text, verify != NULL, &a, err);
  if (status) return ipfsa_error_prefix(err, status, "%s", found_in);
  if (a.kind == IPFSA_ENGINE_TLS && (certs || home)) {
    IPFSA_AUTO_BUF ipfsa_buf dir = {0};
    if (certs) ipfsa_buf_str(&dir, certs);
    else ipfsa_buf_printf(&dir, "%s/.docker", home);
    a.tls_dir = ipfsa_strdup(ipfsa_buf_cstr(&dir));
    if (!a.tls_dir || dir.failed) {
      ipfsa_engine_address_release(&a);
      return ipfsa_fail_nomem(err);
    }
  }
  a.found_in = found_in;
  *ret = a;
  return IPFSA_OK;
}

static ipfsa_status from_named_context(const char *name, const char *found_in, ipfsa_engine_address *ret, ipfsa_error *err) {
  if (strcmp(name, "default") == 0) return usual_socket(ret, err);
  ipfsa_status status = from_context(name, ret, err);
  if (status == IPFSA_OK) ret->found_in = found_in;
  return status;
}

ipfsa_status ipfsa_engine_find(const char *host, const char *context, const char *configured, ipfsa_engine_address *ret, ipfsa_error *err) {
  if (host && *host) return from_text(host, "--host", ret, err);
  if (context && *context) return from_named_context(context, "--context", ret, err);
  if (env("DOCKER_HOST")) return from_text(env("DOCKER_HOST"), "DOCKER_HOST", ret, err);
  if (env("DOCKER_CONTEXT")) return from_named_context(env("DOCKER_CONTEXT"), "DOCKER_CONTEXT", ret, err);
  if (env("CONTAINER_HOST")) return from_text(env("CONTAINER_HOST"), "CONTAINER_HOST", ret, err);
  if (configured && *configured) return from_text(configured, "docker.host in the configuration", ret, err);
  IPFSA_AUTO_FREE char *current = NULL;
  ipfsa_status status = current_context(&current, err);
  if (status) return status;
  if (current) return from_named_context(current, "Docker's current context", ret, err);
  status = usual_socket(ret, err);
  if (status == IPFSA_OK) ret->found_in = "the usual sockets";
  return status;
}
