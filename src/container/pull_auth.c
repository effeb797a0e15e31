#include "container/pull_auth.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/error.h"
#include "codec/basen.h"
#include "container/json.h"

/* RFC 4648 §5, padded: what engines want in the header. */
static const ipfsa_basen base64url = {.kind = IPFSA_BASEN_BITS, .alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", .bits = 6, .pad = true};

void ipfsa_pull_auth_release(ipfsa_pull_auth *auth) {
  ipfsa_secret_free(auth->header);
  *auth = (ipfsa_pull_auth){0};
}

/* {"username","password","serveraddress"}; {} for nobody. */
static ipfsa_status encode(const char *registry, const char *username, const char *password, char **ret, ipfsa_error *err) {
  ipfsa_status status = ipfsa_json_check_text("user name for the registry", username, err);
  if (status == IPFSA_OK) status = ipfsa_json_check_text("password for the registry", password, err);
  if (status) return status;
  IPFSA_AUTO_JSON json_t *json = username ? json_pack("{s:s,s:s,s:s}", "username", username, "password", password ? password : "", "serveraddress", registry) : json_object();
  IPFSA_AUTO_BUF ipfsa_buf text = {0};
  ipfsa_json_put(&text, json, JSON_COMPACT);
  status = ipfsa_buf_status(&text, err);
  if (status) return status;
  ipfsa_buf out = {0};
  ipfsa_basen_encode(&base64url, ipfsa_buf_bytes(&text), &out);
  explicit_bzero(text.data, text.len);
  (void)ipfsa_buf_cstr(&out);
  status = ipfsa_buf_status(&out, err);
  size_t len = 0;
  if (status == IPFSA_OK) *ret = (char *)ipfsa_buf_take(&out, &len);
  else ipfsa_buf_release(&out);
  return status;
}

/* "user:password"; a password may hold colons, a user name not. */
static ipfsa_status encode_pair(const char *registry, char *pair, char **ret, ipfsa_error *err) {
  char *colon = strchr(pair, ':');
  if (!colon) return ipfsa_fail(err, IPFSA_E_MALFORMED, "the login kept for %.100s is not user:password; log in again", registry);
  *colon = '\0';
  ipfsa_status status = encode(registry, pair, colon + 1, ret, err);
  *colon = ':';
  return status;
}

ipfsa_status ipfsa_pull_auth_make(const ipfsa_reference *ref, const char *username, const char *password, ipfsa_pull_auth *ret, ipfsa_error *err) {
  if (username) return encode(ref->host, username, password, &ret->header, err);
  ipfsa_credentials found = {0};
  char *pair = NULL;
  ipfsa_status status = ipfsa_credentials_find(NULL, ref->host, ref->path, &found, err);
  if (status == IPFSA_OK) snprintf(ret->note, sizeof ret->note, "%s", found.note);
  if (status == IPFSA_OK && found.basic) status = ipfsa_credentials_pair(&found, &pair, err);
  if (status == IPFSA_OK) status = pair ? encode_pair(ref->host, pair, &ret->header, err) : encode(ref->host, NULL, NULL, &ret->header, err);
  ipfsa_secret_free(pair);
  ipfsa_credentials_release(&found);
  return status;
}
