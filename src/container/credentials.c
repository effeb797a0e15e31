#include "container/credentials.h"

#include <string.h>
#include <strings.h>

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

/* "https://index.docker.io/v1/", "host", "http://host:5000/v2/": is it this host? */
static bool key_is_for(const char *key, const char *host) {
  const char *scheme = strstr(key, "://"), *start = scheme ? scheme + 3 : key;
  size_t len = strcspn(start, "/");
  if (len == strlen("index.docker.io") && strncasecmp(start, "index.docker.io", len) == 0) return strcmp(host, IPFSA_DOCKER_HUB) == 0;
  return len == strlen(host) && strncasecmp(start, host, len) == 0;
}

static const json_t *find_key(const json_t *object, const char *host) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)object, key, value) if (key_is_for(key, host)) return value;
  return NULL;
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
  if (status == IPFSA_OK && strlen((const char *)plain.data) + 1 != plain.len) status = ipfsa_fail(err, IPFSA_E_MALFORMED, "a login in Docker's config.json holds a NUL byte; log in again");
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
      return ipfsa_fail(err, IPFSA_E_MALFORMED, "the login of %.100s in Docker's config.json is not base64 of user:password; log in again", host);
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

static ipfsa_status take_file(const json_t *root, const char *host, ipfsa_credentials *ret, ipfsa_error *err) {
  const json_t *entry = find_key(json_object_get(root, "auths"), host), *helper = find_key(json_object_get(root, "credHelpers"), host);
  const char *store = json_is_string(helper) ? json_string_value(helper) : entry ? ipfsa_json_string(root, "credsStore") : NULL;
  ipfsa_status status = entry ? take_entry(entry, host, ret, err) : IPFSA_OK;
  if (status == IPFSA_OK && !ret->basic && !*ret->note && store)
    snprintf(ret->note, sizeof ret->note, "its login is kept by docker-credential-%.40s; helpers are not run: put it under auths in config.json", store);
  return status;
}

static ipfsa_status default_path(ipfsa_buf *ret, ipfsa_error *err) {
  const char *folder = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
  if (folder && *folder) ipfsa_buf_printf(ret, "%s/config.json", folder);
  else if (home && *home) ipfsa_buf_printf(ret, "%s/.docker/config.json", home);
  return ipfsa_buf_status(ret, err);
}

ipfsa_status ipfsa_credentials_find(const char *path, const char *host, ipfsa_credentials *ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf place = {0};
  char *text = NULL;
  size_t len = 0;
  if (path) ipfsa_buf_str(&place, path);
  ipfsa_status status = path ? ipfsa_buf_status(&place, err) : default_path(&place, err);
  if (status || place.len == 0) return status;
  status = ipfsa_fs_read_file(AT_FDCWD, ipfsa_buf_cstr(&place), IPFSA_MAX_DOCKER_CONFIG, &text, &len, err);
  if (status == IPFSA_E_NOT_FOUND) return IPFSA_OK;
  if (status) return status;
  json_t *root = NULL;
  ipfsa_error why = {0}; /* the parser's own words quote what it read */
  status = ipfsa_json_load(ipfsa_bytes_of(text, len), "it", &root, &why);
  explicit_bzero(text, len);
  ipfsa_free(text);
  if (status) return ipfsa_fail(err, status, "%.200s cannot be read as JSON", ipfsa_buf_cstr(&place));
  ipfsa_credentials found = {0};
  status = take_file(root, host, &found, err);
  json_decref(root);
  if (status == IPFSA_OK) *ret = found;
  else ipfsa_credentials_release(&found);
  return status;
}
