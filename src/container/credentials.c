#include "container/credentials.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/fs.h"
#include "codec/basen.h"
#include "codec/json.h"
#include "container/reference.h"

static const ipfsa_basen base64 = {.kind = IPFSA_BASEN_BITS, .alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", .bits = 6, .pad = true};

#define BASIC "Basic " /* RFC 7617 */

void ipfsa_secret_free(char *secret) {
  if (secret) explicit_bzero(secret, strlen(secret));
  ipfsa_free(secret);
}

void ipfsa_credentials_release(ipfsa_credentials *c) {
  ipfsa_secret_free(c->basic);
  *c = (ipfsa_credentials){0};
}

static void wipe(ipfsa_buf *buf) {
  if (buf->data) explicit_bzero(buf->data, buf->cap);
  ipfsa_buf_release(buf);
}

/* Does the repository lie in the folder "team" or "team/model" (of this length)? */
static bool is_in(const char *repository, const char *folder, size_t len) {
  return strncmp(repository, folder, len) == 0 && (repository[len] == '\0' || repository[len] == '/');
}

/* How well a key fits, 0 not at all. 1: the host as older programs wrote it ("http://host:5000/v2/"), 2: as it is written today, for Docker Hub as a URL
 * and by Podman as a name, more: a folder of it ("quay.io/team", Podman's), the longest best. */
static size_t key_fits(const char *key, const char *host, const char *repository) {
  bool is_hub = strcmp(host, IPFSA_DOCKER_HUB) == 0;
  if (is_hub && strcmp(key, "https://index.docker.io/v1/") == 0) return 2;
  const char *scheme = strstr(key, "://"), *start = scheme ? scheme + 3 : key, *folder = start + strcspn(start, "/");
  size_t len = (size_t)(folder - start);
  bool same = len == strlen(host) && strncasecmp(start, host, len) == 0;
  if (!same && !(is_hub && len == strlen("index.docker.io") && strncasecmp(start, "index.docker.io", len) == 0)) return 0;
  if (!*folder && !scheme && same) return 2;
  while (*folder == '/') folder++;
  size_t folder_len = strlen(folder);
  while (folder_len && folder[folder_len - 1] == '/') folder_len--;
  bool is_version = folder_len == 2 && folder[0] == 'v' && (folder[1] == '1' || folder[1] == '2');
  if (scheme || folder_len == 0 || is_version) return 1;
  return is_in(repository, folder, folder_len) ? 2 + folder_len : 0;
}

static const json_t *find_key(const json_t *object, const char *host, const char *repository) {
  const char *key;
  json_t *value;
  const json_t *best = NULL;
  size_t best_fit = 0;
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    size_t fit = key_fits(key, host, repository);
    if (fit > best_fit) best_fit = fit, best = value;
  }
  return best;
}

static ipfsa_status make_basic(ipfsa_bytes user_and_password, char **ret, ipfsa_error *err) {
  ipfsa_buf out = {0};
  ipfsa_buf_str(&out, BASIC);
  ipfsa_basen_encode(&base64, user_and_password, &out);
  ipfsa_buf_u8(&out, 0);
  ipfsa_status status = ipfsa_buf_status(&out, err);
  if (status == IPFSA_OK && !(*ret = ipfsa_strdup((const char *)out.data))) status = ipfsa_fail_nomem(err);
  wipe(&out);
  return status;
}

ipfsa_status ipfsa_credentials_pair(const ipfsa_credentials *c, char **ret, ipfsa_error *err) {
  ipfsa_buf plain = {0};
  ipfsa_status status = ipfsa_basen_decode(&base64, ipfsa_bytes_str(c->basic + strlen(BASIC)), &plain, err);
  ipfsa_buf_u8(&plain, 0);
  if (status == IPFSA_OK) status = ipfsa_buf_status(&plain, err);
  if (status == IPFSA_OK && strlen((const char *)plain.data) + 1 != plain.len) status = ipfsa_fail(err, IPFSA_E_MALFORMED, "a login that is kept holds a NUL byte; log in again");
  if (status == IPFSA_OK && !(*ret = ipfsa_strdup((const char *)plain.data))) status = ipfsa_fail_nomem(err);
  wipe(&plain);
  return status;
}

static ipfsa_status take_entry(const json_t *entry, const char *host, ipfsa_credentials *ret, ipfsa_error *err) {
  const char *auth = ipfsa_json_string(entry, "auth"), *user = ipfsa_json_string(entry, "username"), *password = ipfsa_json_string(entry, "password");
  const char *identity = ipfsa_json_string(entry, "identitytoken");
  ipfsa_buf plain = {0};
  ipfsa_status status = IPFSA_OK;
  if (identity && *identity) {
    snprintf(ret->note, sizeof ret->note, "its login is an identity token, which is not supported: log in with a user and password or access token");
    return IPFSA_OK;
  }
  if (auth && *auth) {
    if (ipfsa_basen_decode(&base64, ipfsa_bytes_str(auth), &plain, NULL) != IPFSA_OK || plain.len == 0 || !memchr(plain.data, ':', plain.len)) {
      wipe(&plain);
      return ipfsa_fail(err, IPFSA_E_MALFORMED, "the login kept for %.100s is not base64 of user:password; log in again", host);
    }
    if (plain.data[plain.len - 1] == '\0') plain.len--; /* some writers end it so */
  } else if (user && password) {
    ipfsa_buf_printf(&plain, "%s:%s", user, password);
    status = ipfsa_buf_status(&plain, err);
  } else return IPFSA_OK; /* an empty entry marks a login kept elsewhere */
  if (status == IPFSA_OK) status = make_basic(ipfsa_buf_bytes(&plain), &ret->basic, err);
  wipe(&plain);
  return status;
}

static ipfsa_status take_file(const json_t *root, const char *host, const char *repository, ipfsa_credentials *ret, ipfsa_error *err) {
  const json_t *entry = find_key(json_object_get(root, "auths"), host, repository), *helper = find_key(json_object_get(root, "credHelpers"), host, repository);
  const char *store = json_is_string(helper) ? json_string_value(helper) : entry ? ipfsa_json_string(root, "credsStore") : NULL;
  ipfsa_status status = entry ? take_entry(entry, host, ret, err) : IPFSA_OK;
  if (status == IPFSA_OK && !ret->basic && !*ret->note && store)
    snprintf(ret->note, sizeof ret->note, "its login is kept by docker-credential-%.40s; helpers are not run: put it under auths in config.json", store);
  return status;
}

static ipfsa_status read_file(const char *path, const char *host, const char *repository, ipfsa_credentials *ret, ipfsa_error *err) {
  char *text = NULL;
  size_t len = 0;
  ipfsa_status status = ipfsa_fs_read_file(AT_FDCWD, path, IPFSA_MAX_DOCKER_CONFIG, &text, &len, err);
  if (status == IPFSA_E_NOT_FOUND) return IPFSA_OK;
  if (status) return status;
  json_t *root = NULL;
  ipfsa_error why = {0}; /* the parser's own words quote what it read */
  status = ipfsa_json_load(ipfsa_bytes_of(text, len), "it", &root, &why);
  explicit_bzero(text, len);
  ipfsa_free(text);
  if (status) return ipfsa_fail(err, status, "%.200s cannot be read as JSON", path);
  ipfsa_credentials found = {0};
  status = take_file(root, host, repository, &found, err);
  json_decref(root);
  if (status == IPFSA_OK) *ret = found;
  else ipfsa_credentials_release(&found);
  return status;
}

#define N_PLACES 4

/* Where logins are kept, in the order they are looked at; empty: not there. The first is Docker's, the others are Podman's (containers-auth.json(5)). */
static ipfsa_status usual_place(unsigned i, ipfsa_buf *ret, ipfsa_error *err) {
  static const struct {
    const char *variable, *below, *home; /* home: below $HOME where the variable is not set */
  } rows[N_PLACES] = {{"DOCKER_CONFIG", "/config.json", "/.docker/config.json"}, {"REGISTRY_AUTH_FILE", "", NULL}, {"XDG_RUNTIME_DIR", "/containers/auth.json", NULL},
                      {"XDG_CONFIG_HOME", "/containers/auth.json", "/.config/containers/auth.json"}};
  const char *folder = getenv(rows[i].variable), *home = rows[i].home ? getenv("HOME") : NULL;
  ipfsa_buf_clear(ret);
  if (folder && *folder) ipfsa_buf_printf(ret, "%s%s", folder, rows[i].below);
  else if (strcmp(rows[i].variable, "XDG_RUNTIME_DIR") == 0) ipfsa_buf_printf(ret, "/run/containers/%lu/auth.json", (unsigned long)getuid());
  else if (home && *home) ipfsa_buf_printf(ret, "%s%s", home, rows[i].home);
  return ipfsa_buf_status(ret, err);
}

ipfsa_status ipfsa_credentials_find(const char *path, const char *host, const char *repository, ipfsa_credentials *ret, ipfsa_error *err) {
  ipfsa_credentials found = {0}, first = {0};
  if (path) return read_file(path, host, repository, ret, err);
  IPFSA_AUTO_BUF ipfsa_buf place = {0};
  ipfsa_status status = IPFSA_OK;
  for (unsigned i = 0; i < N_PLACES && status == IPFSA_OK && !found.basic; i++) {
    if (!*first.note) first = found; /* why there is none in the first file that speaks of it */
    found = (ipfsa_credentials){0};
    status = usual_place(i, &place, err);
    if (status == IPFSA_OK && place.len) status = read_file(ipfsa_buf_cstr(&place), host, repository, &found, err);
    if (status == IPFSA_E_DENIED && i >= 2) status = IPFSA_OK; /* nobody named it: /run/containers may be root's alone */
  }
  if (status == IPFSA_OK) *ret = found.basic || !*first.note ? found : first;
  return status;
}
