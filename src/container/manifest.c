#include "container/manifest.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "codec/json.h"

typedef enum manifest_kind { KIND_UNKNOWN, KIND_IMAGE, KIND_INDEX, KIND_OLD } manifest_kind;

void ipfsa_manifest_release(ipfsa_manifest *m) {
  ipfsa_text_list_release(&m->platforms);
  ipfsa_free(m->description);
  *m = (ipfsa_manifest){0};
}

static manifest_kind kind_of(const char *type) {
  static const struct {
    const char *type;
    manifest_kind kind;
  } rows[] = {{"application/vnd.oci.image.index.v1+json", KIND_INDEX},
              {"application/vnd.docker.distribution.manifest.list.v2+json", KIND_INDEX},
              {"application/vnd.oci.image.manifest.v1+json", KIND_IMAGE},
              {"application/vnd.docker.distribution.manifest.v2+json", KIND_IMAGE},
              {"application/vnd.docker.distribution.manifest.v1+prettyjws", KIND_OLD},
              {"application/vnd.docker.distribution.manifest.v1+json", KIND_OLD}};
  size_t len = type ? strcspn(type, "; \t") : 0;
  for (size_t i = 0; len && i < sizeof rows / sizeof *rows; i++)
    if (strlen(rows[i].type) == len && strncasecmp(rows[i].type, type, len) == 0) return rows[i].kind;
  return KIND_UNKNOWN;
}

static ipfsa_status bad(ipfsa_error *err, const char *why) { return ipfsa_fail(err, IPFSA_E_MALFORMED, "image manifest: %s", why); }

/* The answer's type, the type in the text and the shape of the text must not contradict each other: a manifest that is two things at once is an
 * attack (CVE-2021-41190). */
static ipfsa_status find_kind(const json_t *root, const char *content_type, manifest_kind *ret, ipfsa_error *err) {
  const char *inner = ipfsa_json_string(root, "mediaType");
  manifest_kind outside = kind_of(content_type), inside = kind_of(inner);
  bool layers = json_object_get(root, "layers") || json_object_get(root, "config"), manifests = json_object_get(root, "manifests") != NULL;
  if (outside == KIND_OLD || json_integer_value(json_object_get(root, "schemaVersion")) == 1)
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "image manifest: of schema 1, which registries stopped accepting in 2019; push the image again");
  if (json_integer_value(json_object_get(root, "schemaVersion")) != 2) return bad(err, "schemaVersion is not 2");
  if (inner && inside == KIND_UNKNOWN) return bad(err, "its mediaType is none of an image or an index");
  if (outside != KIND_UNKNOWN && inside != KIND_UNKNOWN && outside != inside) return bad(err, "its mediaType is not the type it was sent as");
  if (layers && manifests) return bad(err, "it has layers and manifests, so it is neither image nor index");
  manifest_kind kind = outside ? outside : inside ? inside : manifests ? KIND_INDEX : KIND_IMAGE;
  if ((kind == KIND_INDEX) != manifests) return bad(err, "it does not hold what its type says");
  *ret = kind;
  return IPFSA_OK;
}

static ipfsa_status take_descriptor(const json_t *json, ipfsa_descriptor *ret, ipfsa_error *err) {
  const char *digest = ipfsa_json_string(json, "digest");
  const json_t *size = json_object_get(json, "size");
  if (!digest || !ipfsa_image_digest_is_valid(digest)) return bad(err, "a digest is not sha256: with 64 hexadecimal digits");
  if (!json_is_integer(size) || json_integer_value(size) < 0) return bad(err, "a size is no number of bytes");
  snprintf(ret->digest, sizeof ret->digest, "%s", digest);
  ret->size = (uint64_t)json_integer_value(size);
  return IPFSA_OK;
}

static ipfsa_status take_description(const json_t *labels, char **ret, ipfsa_error *err) {
  static const char *const keys[] = {"org.opencontainers.image.description", "org.label-schema.description"};
  for (size_t i = 0; i < 2 && !*ret; i++) {
    const char *text = ipfsa_json_string(labels, keys[i]);
    if (text && *text && !(*ret = ipfsa_strndup(text, strnlen(text, IPFSA_MAX_DESCRIPTION)))) return ipfsa_fail_nomem(err);
  }
  return IPFSA_OK;
}

static ipfsa_status take_list(const json_t *list, ipfsa_error *err) {
  if (!json_is_array(list)) return bad(err, "layers or manifests is no list");
  if (json_array_size(list) > IPFSA_MAX_MANIFEST_ENTRIES)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "image manifest: %zu entries; at most %d are read", json_array_size(list), IPFSA_MAX_MANIFEST_ENTRIES);
  return IPFSA_OK;
}

static ipfsa_status take_image(const json_t *root, ipfsa_manifest *m, ipfsa_error *err) {
  const json_t *layers = json_object_get(root, "layers"), *config = json_object_get(root, "config"), *layer;
  const char *type = ipfsa_json_string(config, "mediaType");
  ipfsa_status status = take_list(layers, err);
  if (status == IPFSA_OK) status = take_descriptor(config, &m->next, err);
  if (status) return status;
  m->total_size = m->next.size;
  m->has_image_config = type && (strcmp(type, "application/vnd.oci.image.config.v1+json") == 0 || strcmp(type, "application/vnd.docker.container.image.v1+json") == 0);
  for (size_t i = 0; (layer = json_array_get(layers, i)); i++) {
    ipfsa_descriptor d;
    if ((status = take_descriptor(layer, &d, err))) return status;
    if (__builtin_add_overflow(m->total_size, d.size, &m->total_size)) return bad(err, "its sizes add up to over 2^64 bytes");
  }
  return IPFSA_OK;
}

/* "os/architecture[/variant]" into ret; false for what is no platform, as attestations ("unknown/unknown"). */
static bool platform_text(const json_t *p, ipfsa_buf *ret) {
  const char *os = ipfsa_json_string(p, "os"), *architecture = ipfsa_json_string(p, "architecture"), *variant = ipfsa_json_string(p, "variant");
  if (!os || !architecture || !*os || !*architecture || strcmp(os, "unknown") == 0) return false;
  if (strlen(os) > 32 || strlen(architecture) > 32 || (variant && strlen(variant) > 32)) return false;
  ipfsa_buf_printf(ret, "%s/%s%s%s", os, architecture, variant && *variant ? "/" : "", variant && *variant ? variant : "");
  return true;
}

/* Is `wanted` "linux/arm64" met by "linux/arm64/v8"? */
static bool is_wanted(const char *platform, const char *wanted) {
  size_t len = strlen(wanted);
  return strncmp(platform, wanted, len) == 0 && (platform[len] == '\0' || platform[len] == '/');
}

static ipfsa_status take_index(const json_t *root, const char *wanted, ipfsa_manifest *m, ipfsa_error *err) {
  const json_t *list = json_object_get(root, "manifests"), *entry;
  ipfsa_status status = take_list(list, err);
  bool found = false;
  for (size_t i = 0; status == IPFSA_OK && (entry = json_array_get(list, i)); i++) {
    IPFSA_AUTO_BUF ipfsa_buf platform = {0};
    ipfsa_descriptor d;
    if ((status = take_descriptor(entry, &d, err))) return status;
    bool has = platform_text(json_object_get(entry, "platform"), &platform);
    if ((status = ipfsa_buf_status(&platform, err))) return status;
    bool first = !*m->next.digest && (has || !json_object_get(entry, "platform")), better = has && !found && is_wanted(ipfsa_buf_cstr(&platform), wanted);
    if (first || better) m->next = d;
    found |= better;
    if (has) status = ipfsa_text_list_add_once(&m->platforms, ipfsa_buf_cstr(&platform), err);
  }
  m->is_index = true;
  return status;
}

ipfsa_status ipfsa_manifest_parse(ipfsa_bytes text, const char *content_type, const char *platform, ipfsa_manifest *ret, ipfsa_error *err) {
  if (text.len > IPFSA_MAX_MANIFEST) return ipfsa_fail(err, IPFSA_E_LIMIT, "image manifest of %zu bytes; at most %u are read", text.len, IPFSA_MAX_MANIFEST);
  json_t *root = NULL;
  ipfsa_manifest m = {0};
  manifest_kind kind = KIND_UNKNOWN;
  ipfsa_status status = ipfsa_json_load(text, "image manifest", &root, err);
  if (status) return status;
  status = json_is_object(root) ? find_kind(root, content_type, &kind, err) : bad(err, "it is no object");
  if (status == IPFSA_OK) status = kind == KIND_INDEX ? take_index(root, platform, &m, err) : take_image(root, &m, err);
  if (status == IPFSA_OK) status = take_description(json_object_get(root, "annotations"), &m.description, err);
  json_decref(root);
  if (status == IPFSA_OK) *ret = m;
  else ipfsa_manifest_release(&m);
  return status;
}

ipfsa_status ipfsa_image_config_parse(ipfsa_bytes text, ipfsa_text_list *platforms, char **description, ipfsa_error *err) {
  json_t *root = NULL;
  IPFSA_AUTO_BUF ipfsa_buf platform = {0};
  ipfsa_status status = ipfsa_json_load(text, "image config", &root, err);
  if (status) return status;
  bool has = platform_text(root, &platform);
  status = ipfsa_buf_status(&platform, err);
  if (status == IPFSA_OK && has) status = ipfsa_text_list_add_once(platforms, ipfsa_buf_cstr(&platform), err);
  if (status == IPFSA_OK) status = take_description(json_object_get(json_object_get(root, "config"), "Labels"), description, err);
  json_decref(root);
  return status;
}
