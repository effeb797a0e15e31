/* Volumes and binds. A bind gives a container a piece of the host: what would give it the host itself is refused. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "container/spec.h"

void ipfsa_spec_mount_release(ipfsa_spec_mount *m) {
  ipfsa_free(m->source);
  ipfsa_free(m->target);
  *m = (ipfsa_spec_mount){0};
}

/* Is `path` the folder or below it? */
static bool is_within(const char *path, const char *folder) {
  size_t len = strlen(folder);
  return strncmp(path, folder, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static bool has_hidden_part(const char *path) { return strstr(path, "/.") != NULL; }

/* Is the engine's own socket below the folder? Sockets of other engines lie in /run, which is denied as a whole. */
static bool holds_socket(const ipfsa_engine *engine, const char *path) {
  const char *socket = ipfsa_engine_socket_path(engine);
  char *real = socket ? realpath(socket, NULL) : NULL;
  bool holds = socket && (is_within(socket, path) || (real && is_within(real, path)));
  free(real); /* libc allocated it */
  return holds;
}

/* The reason why this folder of the host is not for containers, or NULL. */
static const char *why_denied(const ipfsa_engine *engine, const char *path) {
  static const char *const whole[] = {"/etc", "/proc", "/sys", "/dev", "/boot", "/run", "/var/run", "/var/lib/docker", "/var/lib/containers", "/var/lib/containerd",
                                      "/var/spool/cron", "/usr", "/bin", "/sbin", "/lib", "/lib64"};
  const char *repo = ipfsa_engine_repo(engine);
  if (*repo && (is_within(path, repo) || is_within(repo, path))) return "it holds the repo, keys included";
  if (strcmp(path, "/") == 0) return "it is the host's root folder";
  if (holds_socket(engine, path)) return "it holds the engine's socket, which is root on its host, also when it is read-only";
  for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
    if (is_within(path, whole[i]) || is_within(whole[i], path)) return "it holds the host's own system";
  if (strcmp(path, "/root") == 0 || strcmp(path, "/home") == 0) return "it holds the keys and settings of users";
  if (is_within(path, "/home") && !strchr(path + strlen("/home/"), '/')) return "it is a user's whole home; bind a folder in it";
  if ((is_within(path, "/root") || is_within(path, "/home")) && has_hidden_part(path)) return "it holds keys or settings of a user";
  return NULL;
}

static bool is_normal(const char *path) {
  return path[0] == '/' && !strstr(path, "//") && !strstr(path, "/../") && !strstr(path, "/./") && !(strlen(path) >= 3 && strcmp(path + strlen(path) - 3, "/..") == 0) &&
         !(strlen(path) >= 2 && strcmp(path + strlen(path) - 2, "/.") == 0);
}

/* *ret: where the path really is, on this machine; on another it is taken as it stands. Owned. */
static ipfsa_status resolve(const ipfsa_engine *engine, const char *path, char **ret, ipfsa_error *err) {
  if (!ipfsa_engine_is_local(engine)) {
    *ret = ipfsa_strdup(path);
    return *ret ? IPFSA_OK : ipfsa_fail_nomem(err);
  }
  char *real = realpath(path, NULL);
  if (!real) return ipfsa_fail_errno(err, errno, "bind of %.200s", path);
  *ret = ipfsa_strdup(real);
  free(real); /* libc allocated it */
  if (!*ret) return ipfsa_fail_nomem(err);
  struct stat st;
  ipfsa_status status = ipfsa_fs_stat_target(AT_FDCWD, *ret, &st, err);
  if (status == IPFSA_OK && !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
    status = ipfsa_danger(engine, "bind", *ret, "it is a socket or device; an engine's socket is root on its host, also when it is read-only", err);
  return status;
}

static ipfsa_status check_bind(const ipfsa_engine *engine, ipfsa_spec_mount *m, ipfsa_error *err) {
  size_t len = strlen(m->source);
  if (len > 1 && m->source[len - 1] == '/') m->source[len - 1] = '\0';
  if (!is_normal(m->source)) return ipfsa_fail(err, IPFSA_E_INVALID, "bind of %.200s: write the path without '.', '..' and empty parts", m->source);
  const char *why = why_denied(engine, m->source); /* also as it is written: /var/run may be a link */
  ipfsa_status status = why ? ipfsa_danger(engine, "bind", m->source, why, err) : IPFSA_OK;
  IPFSA_AUTO_FREE char *real = NULL;
  if (status == IPFSA_OK) status = resolve(engine, m->source, &real, err);
  if (status) return status;
  why = why_denied(engine, real);
  if (why && !ipfsa_danger_allowed(engine, "bind", m->source)) status = ipfsa_danger(engine, "bind", real, why, err);
  if (status) return status;
  ipfsa_free(m->source);
  m->source = ipfsa_steal(real);
  return IPFSA_OK;
}

static ipfsa_status take_modes(const ipfsa_engine *engine, const char *modes, ipfsa_spec_mount *m, ipfsa_error *err) {
  for (const char *p = modes; *p; p += *p == ',') {
    size_t n = strcspn(p, ",");
    if (n == 2 && memcmp(p, "ro", 2) == 0) m->read_only = true;
    else if (n == 6 && memcmp(p, "shared", 6) == 0) return ipfsa_danger(engine, "bind-propagation", "shared", "mounts of the container would appear on the host", err);
    else if (n == 7 && memcmp(p, "rshared", 7) == 0) return ipfsa_danger(engine, "bind-propagation", "rshared", "mounts of the container would appear on the host", err);
    else if (n != 2 || memcmp(p, "rw", 2) != 0) return ipfsa_fail(err, IPFSA_E_INVALID, "volume option \"%.*s\": expected ro or rw", (int)n, p);
    p += n;
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_spec_check_target(const char *what, const char *text, const char *target, ipfsa_error *err) {
  if (is_normal(target) && strcmp(target, "/") != 0) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_INVALID, "%s \"%.200s\": the target is an absolute path other than / in the container", what, text);
}

ipfsa_status ipfsa_spec_mount_parse(const ipfsa_engine *engine, const char *text, ipfsa_spec_mount *ret, ipfsa_error *err) {
  const char *first = strchr(text, ':'), *second = first ? strchr(first + 1, ':') : NULL;
  const char *end = second ? second : text + strlen(text);
  if (!first || first == text || end == first + 1)
    return ipfsa_fail(err, IPFSA_E_INVALID, "volume \"%.200s\": expected NAME:/target[:ro] or /path:/target[:ro]", text);
  ipfsa_spec_mount m = {.is_bind = *text == '/'};
  m.source = ipfsa_strndup(text, (size_t)(first - text));
  m.target = ipfsa_strndup(first + 1, (size_t)(end - first - 1));
  ipfsa_status status = m.source && m.target ? IPFSA_OK : ipfsa_fail_nomem(err);
  if (status == IPFSA_OK) status = ipfsa_spec_check_target("volume", text, m.target, err);
  if (status == IPFSA_OK && second) status = take_modes(engine, second + 1, &m, err);
  if (status == IPFSA_OK) status = m.is_bind ? check_bind(engine, &m, err) : ipfsa_name_check("volume", m.source, err);
  if (status) ipfsa_spec_mount_release(&m);
  else *ret = m;
  return status;
}

ipfsa_status ipfsa_spec_mount_check_root(const ipfsa_engine *engine, const ipfsa_spec_mount *m, const char *data_root, ipfsa_error *err) {
  if (!m->is_bind || !data_root || !*data_root) return IPFSA_OK;
  char *real = ipfsa_engine_is_local(engine) ? realpath(data_root, NULL) : NULL;
  const char *root = real ? real : data_root;
  bool shows_it = is_within(m->source, root) || is_within(root, m->source);
  free(real); /* libc allocated it */
  return shows_it ? ipfsa_danger(engine, "bind", m->source, "it holds the engine's own images and containers", err) : IPFSA_OK;
}
