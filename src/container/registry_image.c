/* One image: its manifest or index, and what follows from it. */
#include <sys/utsname.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "container/registry_inside.h"
#include "hash/hash.h"

void ipfsa_image_facts_release(ipfsa_image_facts *f) {
  ipfsa_text_list_release(&f->platforms);
  ipfsa_free(f->description);
  *f = (ipfsa_image_facts){0};
}

/* As images name it; what is not known here stays as uname says it. */
static const char *own_platform(char ret[96]) {
  static const char *const names[][2] = {{"x86_64", "amd64"}, {"aarch64", "arm64"}, {"armv7l", "arm"}, {"armv6l", "arm"}, {"i686", "386"}, {"loongarch64", "loong64"}};
  struct utsname machine;
  if (uname(&machine) != 0) return "linux/amd64";
  const char *name = machine.machine;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(machine.machine, names[i][0]) == 0) name = names[i][1];
  snprintf(ret, 96, "linux/%s", name);
  return ret;
}

static void digest_text(const ipfsa_buf *body, char ret[IPFSA_IMAGE_DIGEST_LEN + 1]) {
  ipfsa_sha256_stream stream;
  uint8_t digest[32];
  ipfsa_sha256_init(&stream);
  ipfsa_sha256_update(&stream, body->data, body->len);
  ipfsa_sha256_final(&stream, digest);
  int n = snprintf(ret, IPFSA_IMAGE_DIGEST_LEN + 1, "sha256:");
  for (int i = 0; i < 32; i++) n += snprintf(ret + n, (size_t)(IPFSA_IMAGE_DIGEST_LEN + 1 - n), "%02x", digest[i]);
}

static ipfsa_status check_digest(const char *computed, const char *expected, const char *who, ipfsa_error *err) {
  if (strcmp(computed, expected) == 0) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_CORRUPT, "the bytes have the digest %s, %s says %.80s; they are not used", computed, who, expected);
}

/* kind: "manifests" or "blobs". version was checked against its grammar before it became part of a URL. */
static ipfsa_status get(ipfsa_registry *r, const char *path, const char *kind, const char *version, ipfsa_http_answer *response, ipfsa_buf *body,
                        char ret_digest[IPFSA_IMAGE_DIGEST_LEN + 1], ipfsa_error *err) {
  char origin[IPFSA_MAX_ORIGIN];
  IPFSA_AUTO_BUF ipfsa_buf url = {0};
  bool by_digest = ipfsa_image_digest_is_valid(version), is_manifest = strcmp(kind, "manifests") == 0;
  ipfsa_origin_format(&r->place.origin, origin);
  ipfsa_buf_printf(&url, "%s/v2/%s/%s/%s", origin, path, kind, version);
  ipfsa_status status = ipfsa_buf_status(&url, err);
  if (status == IPFSA_OK)
    status = ipfsa_registry_get(r, path, ipfsa_buf_cstr(&url), is_manifest ? IPFSA_MANIFEST_ACCEPT : NULL, IPFSA_MAX_MANIFEST, response, body, err);
  if (status) return status;
  digest_text(body, ret_digest);
  const char *header = ipfsa_http_answer_header(response, "docker-content-digest", 0);
  if (by_digest) status = check_digest(ret_digest, version, "the reference", err);
  if (status == IPFSA_OK && header && strncmp(header, "sha256:", 7) == 0) status = check_digest(ret_digest, header, "the registry", err);
  return status;
}

static ipfsa_status get_manifest(ipfsa_registry *r, const char *path, const char *version, char ret_digest[IPFSA_IMAGE_DIGEST_LEN + 1], uint64_t *ret_len,
                                 ipfsa_manifest *ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf body = {0};
  IPFSA_AUTO_HTTP_ANSWER ipfsa_http_answer response = {0};
  char platform[96];
  ipfsa_status status = get(r, path, "manifests", version, &response, &body, ret_digest, err);
  if (status) return status;
  *ret_len = body.len;
  return ipfsa_manifest_parse(ipfsa_buf_bytes(&body), ipfsa_http_answer_header(&response, "content-type", 0), own_platform(platform), ret, err);
}

static ipfsa_status check_size(uint64_t got, const ipfsa_descriptor *expected, ipfsa_error *err) {
  if (got == expected->size) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_CORRUPT, "%s has %llu bytes, its descriptor says %llu", expected->digest, (unsigned long long)got, (unsigned long long)expected->size);
}

static ipfsa_status take_config(ipfsa_registry *r, const char *path, const ipfsa_descriptor *config, ipfsa_image_facts *facts, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf body = {0};
  IPFSA_AUTO_HTTP_ANSWER ipfsa_http_answer response = {0};
  char digest[IPFSA_IMAGE_DIGEST_LEN + 1];
  ipfsa_status status = get(r, path, "blobs", config->digest, &response, &body, digest, err);
  if (status == IPFSA_OK) status = check_size(body.len, config, err);
  if (status) return status;
  return ipfsa_image_config_parse(ipfsa_buf_bytes(&body), &facts->platforms, &facts->description, err);
}

/* An image manifest: its size, and what its config says. */
static ipfsa_status take_image(ipfsa_registry *r, const char *path, const ipfsa_manifest *m, ipfsa_image_facts *facts, ipfsa_error *err) {
  if (m->is_index) return ipfsa_fail(err, IPFSA_E_MALFORMED, "an index inside an index is not followed");
  facts->size = m->total_size;
  if (!facts->description && m->description && !(facts->description = ipfsa_strdup(m->description))) return ipfsa_fail_nomem(err);
  bool told = facts->platforms.n > 0 && facts->description; /* by the index */
  return m->has_image_config && !told ? take_config(r, path, &m->next, facts, err) : IPFSA_OK;
}

static ipfsa_status take_index(ipfsa_registry *r, const char *path, ipfsa_manifest *index, ipfsa_image_facts *facts, ipfsa_error *err) {
  ipfsa_manifest image = {0};
  char digest[IPFSA_IMAGE_DIGEST_LEN + 1];
  uint64_t len = 0;
  facts->platforms = index->platforms;
  index->platforms = (ipfsa_text_list){0};
  facts->description = ipfsa_steal(index->description);
  if (!*index->next.digest) return IPFSA_OK; /* an empty index */
  ipfsa_status status = get_manifest(r, path, index->next.digest, digest, &len, &image, err);
  if (status == IPFSA_OK) status = check_size(len, &index->next, err);
  if (status == IPFSA_OK) status = take_image(r, path, &image, facts, err);
  ipfsa_manifest_release(&image);
  return status;
}

ipfsa_status ipfsa_registry_image(ipfsa_registry *r, const char *path, const char *version, ipfsa_image_facts *ret, ipfsa_error *err) {
  ipfsa_manifest manifest = {0};
  ipfsa_image_facts facts = {0};
  uint64_t len = 0;
  if (!ipfsa_image_path_is_valid(path)) return ipfsa_fail(err, IPFSA_E_INVALID, "\"%.100s\" is no name of a repository", path);
  if (!ipfsa_image_tag_is_valid(version) && !ipfsa_image_digest_is_valid(version)) return ipfsa_fail(err, IPFSA_E_INVALID, "\"%.100s\" is neither tag nor digest", version);
  ipfsa_status status = get_manifest(r, path, version, facts.digest, &len, &manifest, err);
  if (status == IPFSA_OK) status = manifest.is_index ? take_index(r, path, &manifest, &facts, err) : take_image(r, path, &manifest, &facts, err);
  ipfsa_manifest_release(&manifest);
  if (status) {
    ipfsa_image_facts_release(&facts);
    return ipfsa_error_prefix(err, status, "%.150s:%.80s", path, version);
  }
  *ret = facts;
  return IPFSA_OK;
}
