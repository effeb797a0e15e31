#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/options.h"
#include "container/container_inside.h"
#include "container/pull_auth.h"

ipfsa_status ipfsa_image_look(ipfsa_engine *engine, const ipfsa_reference *ref, json_t **ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf name = {0}, target = {0};
  ipfsa_image_put(&name, ref, true);
  ipfsa_buf_printf(&target, "/images/%s/json", ipfsa_buf_cstr(&name)); /* its characters were checked; engines want the slashes as they are */
  int code = 0;
  IPFSA_AUTO_JSON json_t *json = NULL;
  ipfsa_status status = ipfsa_buf_status(&name, err);
  if (status == IPFSA_OK) status = ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "GET", .target = &target, .also_fine = 404}, &json, &code, err);
  if (status) return status;
  if (code == 404) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "image %.200s is not here; pull it with 'image pull'", ipfsa_buf_cstr(&name));
  if (ret) *ret = ipfsa_steal(json);
  return IPFSA_OK;
}

static bool is_os(const char *word) { return ipfsa_list_has("linux windows freebsd darwin", word); }

/* The system that "linux/arm64" or "linux" asks for; empty: any. */
static ipfsa_bytes wanted_os(const char *platform) {
  const char *slash = strchr(platform, '/');
  if (slash) return ipfsa_bytes_of(platform, (size_t)(slash - platform));
  return is_os(platform) ? ipfsa_bytes_str(platform) : (ipfsa_bytes){0};
}

/* The architecture that "linux/arm64/v8", "arm64" or "linux/aarch64" asks for, as images name it; empty: any. Engines take all these forms. */
static ipfsa_bytes wanted_architecture(const char *platform) {
  static const char *const names[][2] = {{"x86_64", "amd64"}, {"x86-64", "amd64"}, {"aarch64", "arm64"}, {"armhf", "arm"}, {"armel", "arm"}, {"i386", "386"}};
  const char *slash = strchr(platform, '/'), *word = slash ? slash + 1 : platform;
  size_t len = strcspn(word, "/");
  if (!slash && is_os(word)) return (ipfsa_bytes){0};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strlen(names[i][0]) == len && strncasecmp(names[i][0], word, len) == 0) return ipfsa_bytes_str(names[i][1]);
  return ipfsa_bytes_of(word, len);
}

static bool fits(const char *got, ipfsa_bytes wanted) {
  return wanted.len == 0 || (strlen(got) == wanted.len && strncasecmp(got, (const char *)wanted.data, wanted.len) == 0);
}

ipfsa_status ipfsa_image_check_platform(const json_t *inspect, const ipfsa_reference *ref, const char *platform, ipfsa_error *err) {
  if (!platform) platform = "";
  const char *os = ipfsa_json_text(inspect, "Os"), *architecture = ipfsa_json_text(inspect, "Architecture");
  if ((!*os || fits(os, wanted_os(platform))) && fits(architecture, wanted_architecture(platform))) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "image %.200s: it is for %.20s%s%.20s, not for %.40s", ref->path, os, *os ? "/" : "", architecture, platform);
}

/* --- pull --- */

typedef struct puller {
  ipfsa_pull_cb cb;
  void *ctx;
} puller;

static int hand_on(void *ctx, const json_t *object) {
  puller *p = ctx;
  if (!p->cb) return 0;
  const json_t *detail = ipfsa_json_at(object, "progressDetail", NULL);
  int64_t done = ipfsa_json_int(detail, "current"), total = ipfsa_json_int(detail, "total");
  ipfsa_pull_step step = {.layer = ipfsa_json_text(object, "id"), .status = ipfsa_json_text(object, "status"), .done_bytes = done > 0 ? (uint64_t)done : 0,
                          .total_bytes = total > 0 ? (uint64_t)total : 0};
  return p->cb(p->ctx, &step);
}

/* A pull that was denied, although a login is kept where we do not look. */
static ipfsa_status explain_denial(ipfsa_status status, const ipfsa_pull_auth *auth, ipfsa_error *err) {
  if (!err || status != IPFSA_E_DENIED || !*auth->note) return status;
  char told[sizeof err->message];
  snprintf(told, sizeof told, "%s", err->message);
  return ipfsa_fail(err, status, "%.*s (%s)", 300, told, auth->note);
}

/* Was what the name promised pulled? An engine may give another platform without a word. */
static ipfsa_status check_pulled(ipfsa_engine *engine, const ipfsa_reference *ref, const char *platform, ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *json = NULL;
  ipfsa_status status = ipfsa_image_look(engine, ref, &json, err);
  if (status) return status;
  bool has_digest = !*ref->digest;
  json_t *digest;
  size_t i;
  json_array_foreach(json_object_get(json, "RepoDigests"), i, digest) {
    const char *at = strchr(json_string_value(digest) ? json_string_value(digest) : "", '@');
    has_digest = has_digest || (at && strcmp(at + 1, ref->digest) == 0);
  }
  if (!has_digest) return ipfsa_fail(err, IPFSA_E_CORRUPT, "image %.200s: what was pulled does not have digest %s", ref->path, ref->digest);
  return ipfsa_image_check_platform(json, ref, platform, err);
}

static void put_pull(ipfsa_buf *target, const ipfsa_reference *ref, const char *platform) {
  IPFSA_AUTO_BUF ipfsa_buf image = {0};
  ipfsa_image_put(&image, ref, false);
  ipfsa_buf_str(target, "/images/create");
  ipfsa_http_put_query(target, "fromImage", ipfsa_buf_cstr(&image));
  ipfsa_http_put_query(target, "tag", *ref->digest ? ref->digest : *ref->tag ? ref->tag : "latest"); /* without one all tags would come */
  if (platform && *platform) ipfsa_http_put_query(target, "platform", platform);
  if (image.failed && !target->failed) target->failed = image.failed;
}

ipfsa_status ipfsa_image_pull(ipfsa_engine *engine, const char *name, const ipfsa_image_pull_options *options, ipfsa_error *err) {
  ipfsa_image_pull_options o = IPFSA_OPTIONS(ipfsa_image_pull_options, options);
  ipfsa_reference ref;
  ipfsa_pull_auth auth = {0};
  ipfsa_status status = ipfsa_image_parse(engine, name, &ref, err);
  if (status == IPFSA_OK) status = ipfsa_pull_auth_make(&ref, o.username, o.password, &auth, err);
  if (status) return status;
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  put_pull(&target, &ref, o.platform);
  ipfsa_engine_reply *reply = NULL;
  puller p = {o.cb, o.ctx};
  status = ipfsa_engine_begin(engine, &(ipfsa_engine_call){.method = "POST", .target = &target, .auth = auth.header}, &reply, err);
  if (status == IPFSA_OK) status = ipfsa_engine_each(reply, hand_on, &p, err);
  ipfsa_engine_reply_end(reply);
  if (status) status = explain_denial(ipfsa_error_prefix(err, status, "pull of %.200s", name), &auth, err);
  else status = check_pulled(engine, &ref, o.platform, err);
  ipfsa_pull_auth_release(&auth);
  return status;
}

/* --- list, remove --- */

/* The digest that this name has in its own registry: the same image may have another one elsewhere, or under a name that was never pushed none. An image
 * without name is told by any. */
static const char *digest_of(const json_t *entry, const char *name) {
  const char *last = name ? strrchr(name, '/') : NULL, *colon = name ? strchr(last ? last : name, ':') : NULL;
  size_t len = colon ? (size_t)(colon - name) : name ? strlen(name) : 0;
  const json_t *digests = json_object_get(entry, "RepoDigests");
  for (size_t i = 0; i < json_array_size(digests); i++) {
    const char *text = json_string_value(json_array_get(digests, i)), *at = text ? strchr(text, '@') : NULL;
    if (at && strncmp(text, "<none>", 6) != 0 && (!name || ((size_t)(at - text) == len && memcmp(text, name, len) == 0))) return at + 1;
  }
  return "";
}

static ipfsa_status hand_on_entry(const json_t *entry, ipfsa_image_cb cb, void *ctx, ipfsa_error *err) {
  json_t *tags = json_object_get(entry, "RepoTags");
  int64_t size = ipfsa_json_int(entry, "Size");
  ipfsa_image image = {.id = ipfsa_json_text(entry, "Id"), .size = size > 0 ? (uint64_t)size : 0, .created = ipfsa_json_int(entry, "Created")};
  size_t n = json_array_size(tags) ? json_array_size(tags) : 1;
  for (size_t i = 0; i < n; i++) {
    const char *tag = json_string_value(json_array_get(tags, i));
    if (tag && strcmp(tag, "<none>:<none>") == 0) tag = NULL;
    image.name = tag ? tag : "<none>";
    image.digest = digest_of(entry, tag);
    if (cb(ctx, &image) != 0) return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_image_list(ipfsa_engine *engine, ipfsa_image_cb cb, void *ctx, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  IPFSA_AUTO_JSON json_t *list = NULL;
  ipfsa_buf_str(&target, "/images/json");
  ipfsa_status status = ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "GET", .target = &target}, &list, NULL, err);
  json_t *entry;
  size_t i;
  json_array_foreach(list, i, entry) {
    if (status) break;
    status = hand_on_entry(entry, cb, ctx, err);
  }
  return status;
}

/* An id ("sha256:…" or hexadecimal digits) is taken as it is. */
static bool is_image_id(const char *name) {
  const char *hex = strncmp(name, "sha256:", 7) == 0 ? name + 7 : name;
  size_t len = strlen(hex);
  return (len == 12 || len == 64) && hex[strspn(hex, "0123456789abcdef")] == '\0';
}

ipfsa_status ipfsa_image_rm(ipfsa_engine *engine, const char *name, bool force, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_buf_str(&target, "/images/");
  if (is_image_id(name)) ipfsa_buf_str(&target, name);
  else {
    ipfsa_reference ref;
    ipfsa_status status = ipfsa_reference_parse(name, strlen(name), &ref, err);
    if (status) return status;
    ipfsa_image_put(&target, &ref, true);
  }
  if (force) ipfsa_http_put_query(&target, "force", "1");
  ipfsa_status status = ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "DELETE", .target = &target}, NULL, NULL, err);
  return status ? ipfsa_error_prefix(err, status, "image %.200s", name) : IPFSA_OK;
}
