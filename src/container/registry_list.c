/* Lists that come in pages: tags and the catalog. */
#include <strings.h>

#include "base/bytes.h"
#include "base/error.h"
#include "codec/json.h"
#include "container/registry_inside.h"

static const char *skip_blanks(const char *p) { return p + strspn(p, " \t"); }

/* A word or a quoted text, whose inside is *ret; returns what follows. */
static const char *take_text(const char *p, ipfsa_bytes *ret) {
  bool quoted = *p == '"';
  p += quoted;
  size_t len = strcspn(p, quoted ? "\"" : " \t;,");
  *ret = ipfsa_bytes_of(p, len);
  return p + len + (quoted && p[len]);
}

static bool has_word(ipfsa_bytes text, const char *word) {
  const char *p = (const char *)text.data, *end = p + text.len;
  for (size_t n; p < end; p += n + 1) {
    for (n = 0; p + n < end && p[n] != ' '; n++) continue;
    if (n == strlen(word) && strncasecmp(p, word, n) == 0) return true;
  }
  return false;
}

/* Reads the parameters of one link (RFC 8288) up to the next; *ret_next: its relation is "next". */
static const char *take_parameters(const char *p, bool *ret_next) {
  *ret_next = false;
  for (p = skip_blanks(p); *p == ';'; p = skip_blanks(p)) {
    ipfsa_bytes value = {0};
    const char *name = skip_blanks(p + 1);
    size_t len = strcspn(name, " \t=;,");
    p = skip_blanks(name + len);
    if (*p == '=') p = take_text(skip_blanks(p + 1), &value);
    *ret_next |= len == 3 && strncasecmp(name, "rel", 3) == 0 && has_word(value, "next");
  }
  return p + strcspn(p, ",");
}

/* `<TARGET>; rel="next"` among the links of all such headers: the target, or an empty slice. */
static ipfsa_bytes next_target(const ipfsa_http_answer *response) {
  const char *p;
  for (unsigned i = 0; (p = ipfsa_http_answer_header(response, "link", i)); i++)
    while (*(p += strspn(p, " \t,")) == '<') {
      const char *close = strchr(p, '>');
      if (!close) break;
      ipfsa_bytes target = ipfsa_bytes_of(p + 1, (size_t)(close - p) - 1);
      bool is_next;
      p = take_parameters(close + 1, &is_next);
      if (is_next) return target;
    }
  return (ipfsa_bytes){0};
}

/* The next page must lie at the same origin: the login goes along. */
static ipfsa_status next_page(const ipfsa_registry *r, const ipfsa_http_answer *response, ipfsa_buf *url, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_origin origin;
  ipfsa_buf_append_bytes(&target, next_target(response));
  ipfsa_status status = ipfsa_buf_status(&target, err);
  ipfsa_buf_clear(url);
  if (status || target.len == 0) return status;
  status = ipfsa_url_join(&response->origin, (const char *)response->target.data, ipfsa_buf_cstr(&target), url, err);
  if (status == IPFSA_OK) status = ipfsa_url_parse(ipfsa_buf_cstr(url), &origin, NULL, err);
  if (status) return ipfsa_error_prefix(err, status, "the next page");
  if (!ipfsa_origin_equal(&origin, &r->place.origin)) return ipfsa_fail(err, IPFSA_E_DENIED, "its list goes on at another server; it is not followed");
  return IPFSA_OK;
}

static ipfsa_status take_names(const ipfsa_buf *body, const char *key, bool (*is_valid)(const char *), size_t max, ipfsa_text_list *ret, ipfsa_error *err) {
  json_t *root = NULL, *item;
  ipfsa_status status = ipfsa_json_load(ipfsa_buf_bytes(body), "its list", &root, err);
  if (status) return status;
  const json_t *list = json_object_get(root, key);
  size_t i;
  if (!json_is_array(list) && !json_is_null(list)) status = ipfsa_fail(err, IPFSA_E_MALFORMED, "its list has no \"%s\"", key); /* null: none */
  json_array_foreach(list, i, item) {
    const char *name = json_string_value(item);
    if (status || ret->n >= max) break;
    if (!name || !is_valid(name)) status = ipfsa_fail(err, IPFSA_E_MALFORMED, "\"%.60s\" in its list is no name", name ? name : "(no text)");
    else status = ipfsa_text_list_add(ret, name, err);
  }
  json_decref(root);
  return status;
}

static ipfsa_status list(ipfsa_registry *r, const char *path, ipfsa_buf *url, const char *key, bool (*is_valid)(const char *), size_t max,
                         ipfsa_text_list *ret, ipfsa_error *err) {
  ipfsa_status status = ipfsa_buf_status(url, err);
  if (max > IPFSA_MAX_REGISTRY_NAMES) max = IPFSA_MAX_REGISTRY_NAMES;
  for (int n = 0; status == IPFSA_OK && url->len && ret->n < max; n++) {
    IPFSA_AUTO_BUF ipfsa_buf body = {0};
    IPFSA_AUTO_HTTP_ANSWER ipfsa_http_answer response = {0};
    if (n == IPFSA_MAX_REGISTRY_PAGES) return ipfsa_fail(err, IPFSA_E_LIMIT, "its list has over %d pages", IPFSA_MAX_REGISTRY_PAGES);
    status = ipfsa_registry_get(r, path, ipfsa_buf_cstr(url), "application/json", IPFSA_MAX_REGISTRY_PAGE, &response, &body, err);
    if (status == IPFSA_OK) status = take_names(&body, key, is_valid, max, ret, err);
    if (status == IPFSA_OK) status = next_page(r, &response, url, err);
  }
  return status;
}

ipfsa_status ipfsa_registry_tags(ipfsa_registry *r, const char *path, size_t max, ipfsa_text_list *ret, ipfsa_error *err) {
  char origin[IPFSA_MAX_ORIGIN];
  IPFSA_AUTO_BUF ipfsa_buf url = {0};
  if (!ipfsa_image_path_is_valid(path)) return ipfsa_fail(err, IPFSA_E_INVALID, "\"%.100s\" is no name of a repository", path);
  ipfsa_origin_format(&r->place.origin, origin);
  ipfsa_buf_printf(&url, "%s/v2/%s/tags/list?n=%zu", origin, path, max < 1000 ? max : 1000);
  return list(r, path, &url, "tags", ipfsa_image_tag_is_valid, max, ret, err);
}

ipfsa_status ipfsa_registry_catalog(ipfsa_registry *r, size_t max, ipfsa_text_list *ret, ipfsa_error *err) {
  char origin[IPFSA_MAX_ORIGIN];
  IPFSA_AUTO_BUF ipfsa_buf url = {0};
  ipfsa_origin_format(&r->place.origin, origin);
  ipfsa_buf_printf(&url, "%s/v2/_catalog?n=%zu", origin, max < 1000 ? max : 1000);
  ipfsa_status status = list(r, "", &url, "repositories", ipfsa_image_path_is_valid, max, ret, err);
  /* Not in the specification: who has none says 404, who shows it to nobody 401 or 403. */
  if (status == IPFSA_E_NOT_FOUND || status == IPFSA_E_DENIED) return ipfsa_error_prefix(err, IPFSA_E_NOT_SUPPORTED, "its catalog is not shown");
  return status;
}
