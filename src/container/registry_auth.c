/* Basic authorisation and the Bearer token flow. */
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "codec/json.h"
#include "container/challenge.h"
#include "container/registry_inside.h"
#include "http/request.h"

#define MAX_TOKEN_ANSWER 65536 /* bytes; own limit */

static ipfsa_status token_url(const ipfsa_registry *r, const char *path, const ipfsa_challenge *c, ipfsa_buf *url, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf scope = {0};
  ipfsa_origin realm;
  ipfsa_status status = ipfsa_url_parse(c->realm, &realm, NULL, err);
  if (status) return ipfsa_error_prefix(err, status, "its token server");
  if (r->place.origin.tls && !realm.tls) return ipfsa_fail(err, IPFSA_E_DENIED, "its token server speaks http, though the registry itself speaks https");
  ipfsa_buf_append(url, c->realm, strcspn(c->realm, "#"));
  ipfsa_http_put_query(url, "service", c->service);
  if (!*c->scope && *path) ipfsa_buf_printf(&scope, "repository:%s:pull", path);
  else ipfsa_buf_str(&scope, *c->scope ? c->scope : "registry:catalog:*");
  if ((status = ipfsa_buf_status(&scope, err))) return status;
  ipfsa_http_put_query(url, "scope", ipfsa_buf_cstr(&scope));
  return ipfsa_buf_status(url, err);
}

static ipfsa_status keep_token(ipfsa_registry *r, const ipfsa_buf *answer, ipfsa_error *err) {
  json_t *root = NULL;
  ipfsa_buf header = {0};
  if (ipfsa_json_load(ipfsa_buf_bytes(answer), "answer", &root, NULL) != IPFSA_OK) return ipfsa_fail(err, IPFSA_E_MALFORMED, "the answer of its token server is no JSON");
  const char *token = ipfsa_json_string(root, "token");
  if (!token || !*token) token = ipfsa_json_string(root, "access_token");
  ipfsa_status status = token && *token ? IPFSA_OK : ipfsa_fail(err, IPFSA_E_MALFORMED, "the answer of its token server holds no token");
  if (status == IPFSA_OK) {
    ipfsa_buf_printf(&header, "Bearer %s", token);
    ipfsa_buf_u8(&header, 0);
    status = ipfsa_buf_status(&header, err);
  }
  json_decref(root);
  if (status == IPFSA_OK) r->authorization = (char *)ipfsa_buf_take(&header, NULL);
  ipfsa_buf_release(&header);
  return status;
}

static ipfsa_status fetch_token(ipfsa_registry *r, const char *path, const ipfsa_challenge *c, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf url = {.max = IPFSA_MAX_URL};
  IPFSA_AUTO_HTTP_ANSWER ipfsa_http_answer response = {0};
  ipfsa_buf body = {0};
  ipfsa_status status = token_url(r, path, c, &url, err);
  if (status) return status;
  ipfsa_http_request request = {.url = ipfsa_buf_cstr(&url), .authorization = r->credentials.basic, .sink = ipfsa_registry_to_buf, .sink_ctx = &body, .max_body = MAX_TOKEN_ANSWER};
  request.whole_ms = ipfsa_registry_time_left(r, err);
  if (!request.whole_ms) return IPFSA_E_TIMEOUT;
  status = ipfsa_http_perform(r->client, &request, &response, err);
  if (status == IPFSA_OK) status = ipfsa_buf_status(&body, err);
  if (status == IPFSA_OK && (response.status == 401 || response.status == 403))
    status = ipfsa_fail(err, IPFSA_E_DENIED, "its token server refused (status %d); %s%.100s%s", response.status,
                        *r->credentials.note ? r->credentials.note : r->credentials.basic ? "the login kept for " : "log in with 'docker login ",
                        *r->credentials.note ? "" : r->place.host, *r->credentials.note ? "" : r->credentials.basic ? " is not accepted; log in again" : "'");
  else if (status == IPFSA_OK && response.status != 200) status = ipfsa_fail(err, IPFSA_E_IO, "its token server answered with status %d", response.status);
  if (status == IPFSA_OK) status = keep_token(r, &body, err);
  if (body.data) explicit_bzero(body.data, body.cap);
  ipfsa_buf_release(&body);
  return status;
}

/* before: what was refused, or NULL */
static ipfsa_status use_basic(ipfsa_registry *r, const char *before, ipfsa_error *err) {
  if (*r->credentials.note) return ipfsa_fail(err, IPFSA_E_DENIED, "it asks for a login; %s", r->credentials.note);
  if (!r->credentials.basic) return ipfsa_fail(err, IPFSA_E_DENIED, "it asks for a login: log in with 'docker login %.100s'", r->place.host);
  if (before && strcmp(before, r->credentials.basic) == 0) return ipfsa_fail(err, IPFSA_E_DENIED, "it does not accept the login kept for %.100s; log in again", r->place.host);
  r->authorization = ipfsa_strdup(r->credentials.basic);
  return r->authorization ? IPFSA_OK : ipfsa_fail_nomem(err);
}

ipfsa_status ipfsa_registry_authorize(ipfsa_registry *r, const char *path, const ipfsa_http_answer *refusal, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf all = {0};
  ipfsa_challenge challenge;
  const char *line;
  for (unsigned i = 0; (line = ipfsa_http_answer_header(refusal, "www-authenticate", i)); i++) ipfsa_buf_printf(&all, "%s%s", i ? ", " : "", line);
  ipfsa_status status = ipfsa_buf_status(&all, err);
  if (status == IPFSA_OK) status = ipfsa_challenge_parse(ipfsa_buf_cstr(&all), &challenge, err);
  if (status) return status;
  ipfsa_credentials_release(&r->credentials);
  status = ipfsa_credentials_find(r->docker_config, r->place.host, path, &r->credentials, err);
  if (status) return status;
  bool basic = challenge.scheme == IPFSA_CHALLENGE_BASIC;
  char *before = ipfsa_steal(r->authorization);
  status = basic ? use_basic(r, before, err) : fetch_token(r, path, &challenge, err);
  ipfsa_secret_free(before);
  if (status) return status;
  r->authorization_is_basic = basic;
  snprintf(r->authorized_path, sizeof r->authorized_path, "%s", path);
  return IPFSA_OK;
}
