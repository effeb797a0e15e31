#include "container/reference.h"

#include <ctype.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/error.h"

#define OLD_HUB "index.docker.io" /* another name of Docker Hub */

static bool is_name_byte(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/* [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* */
static bool is_component(ipfsa_bytes text) {
  size_t i = 0;
  while (i < text.len) {
    size_t start = i;
    while (i < text.len && is_name_byte(text.data[i])) i++;
    if (i == start) return false;
    if (i == text.len) return true;
    uint8_t gap = text.data[i];
    size_t n = 0;
    while (i < text.len && text.data[i] == gap) i++, n++;
    if (!((gap == '.' && n == 1) || (gap == '_' && n <= 2) || gap == '-')) return false;
  }
  return false; /* empty, or it ends in a separator */
}

static bool is_path(ipfsa_bytes text) {
  while (text.len) {
    const uint8_t *slash = memchr(text.data, '/', text.len);
    size_t len = slash ? (size_t)(slash - text.data) : text.len;
    if (!is_component(ipfsa_bytes_of(text.data, len))) return false;
    if (!slash) return true;
    text = ipfsa_bytes_of(slash + 1, text.len - len - 1);
  }
  return false;
}

/* Labels of letters, digits and inner dashes, or an IPv6 address in brackets; then maybe :PORT. */
static bool is_host(ipfsa_bytes text) {
  size_t i = 0, label = 0;
  if (text.len && text.data[0] == '[') {
    for (i = 1; i < text.len && (isxdigit(text.data[i]) || text.data[i] == ':'); i++) continue;
    if (i < 3 || i == text.len || text.data[i++] != ']') return false;
  } else {
    for (; i < text.len && text.data[i] != ':'; i++) {
      uint8_t c = text.data[i];
      bool last = i + 1 == text.len || text.data[i + 1] == '.' || text.data[i + 1] == ':';
      if (c == '.' ? label == 0 : !isalnum(c) && !(c == '-' && label > 0 && !last)) return false;
      label = c == '.' ? 0 : label + 1;
    }
    if (label == 0) return false;
  }
  if (i == text.len) return true;
  size_t digits = text.len - i - 1;
  for (size_t k = i + 1; k < text.len; k++)
    if (!isdigit(text.data[k])) return false;
  return text.data[i] == ':' && digits >= 1 && digits <= 5;
}

static bool is_tag(ipfsa_bytes text) {
  if (text.len == 0 || text.len > IPFSA_MAX_IMAGE_TAG) return false;
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.data[i];
    if (!isalnum(c) && c != '_' && (i == 0 || (c != '.' && c != '-'))) return false;
  }
  return true;
}

static bool is_hex(ipfsa_bytes text) {
  for (size_t i = 0; i < text.len; i++)
    if (!(text.data[i] >= '0' && text.data[i] <= '9') && !(text.data[i] >= 'a' && text.data[i] <= 'f')) return false;
  return text.len == 64;
}

static bool is_digest(ipfsa_bytes text) {
  return text.len == IPFSA_IMAGE_DIGEST_LEN && memcmp(text.data, "sha256:", 7) == 0 && is_hex(ipfsa_bytes_of(text.data + 7, 64));
}

bool ipfsa_image_path_is_valid(const char *path) { return strlen(path) <= IPFSA_MAX_REPOSITORY && is_path(ipfsa_bytes_str(path)); }
bool ipfsa_image_tag_is_valid(const char *tag) { return is_tag(ipfsa_bytes_str(tag)); }
bool ipfsa_image_digest_is_valid(const char *digest) { return is_digest(ipfsa_bytes_str(digest)); }

static ipfsa_status bad(ipfsa_bytes all, const char *why, ipfsa_error *err) {
  int len = (int)(all.len < 120 ? all.len : 120);
  return ipfsa_fail(err, IPFSA_E_INVALID, "image \"%.*s\": %s; expected [HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST]", len, (const char *)all.data, why);
}

static void copy(char *to, ipfsa_bytes from) {
  if (from.len) memcpy(to, from.data, from.len);
  to[from.len] = '\0';
}

/* A first part with a dot or a colon, or "localhost", is a host. */
static bool looks_like_host(ipfsa_bytes first) {
  if (first.len == 9 && memcmp(first.data, "localhost", 9) == 0) return true;
  for (size_t i = 0; i < first.len; i++)
    if (first.data[i] == '.' || first.data[i] == ':' || first.data[i] == '[') return true;
  return false;
}

static ipfsa_status take_name(ipfsa_bytes all, ipfsa_bytes name, ipfsa_reference *ret, ipfsa_error *err) {
  const uint8_t *slash = name.len ? memchr(name.data, '/', name.len) : NULL;
  ipfsa_bytes first = slash ? ipfsa_bytes_of(name.data, (size_t)(slash - name.data)) : (ipfsa_bytes){0}, path = name;
  if (name.len > IPFSA_MAX_REPOSITORY) return bad(all, "a name over 255 bytes", err);
  copy(ret->host, ipfsa_bytes_str(IPFSA_DOCKER_HUB));
  if (first.len && looks_like_host(first)) {
    if (!is_host(first)) return bad(all, "what stands before the first slash is no host", err);
    for (size_t i = 0; i < first.len; i++) ret->host[i] = (char)tolower(first.data[i]);
    ret->host[first.len] = '\0';
    if (strcmp(ret->host, OLD_HUB) == 0) copy(ret->host, ipfsa_bytes_str(IPFSA_DOCKER_HUB));
    ret->has_host = true;
    path = ipfsa_bytes_of(slash + 1, name.len - first.len - 1);
  }
  if (!is_path(path)) return bad(all, "the name has parts of lower-case letters and digits, with single separators between them", err);
  if (is_hex(path)) return bad(all, "64 hexadecimal digits are an id, not a name", err);
  bool in_library = strcmp(ret->host, IPFSA_DOCKER_HUB) == 0 && !memchr(path.data, '/', path.len);
  static const char library[] = "library/";
  size_t skip = in_library ? sizeof library - 1 : 0;
  if (path.len + skip > IPFSA_MAX_REPOSITORY) return bad(all, "a name over 255 bytes", err);
  memcpy(ret->path, library, skip);
  copy(ret->path + skip, path);
  return IPFSA_OK;
}

ipfsa_status ipfsa_reference_parse(const char *text, size_t len, ipfsa_reference *ret, ipfsa_error *err) {
  ipfsa_reference r = {0};
  ipfsa_bytes all = text ? ipfsa_bytes_of(text, len) : ipfsa_bytes_of("", 0), name = all;
  const uint8_t *at = memchr(all.data, '@', all.len);
  if (at) {
    ipfsa_bytes digest = ipfsa_bytes_of(at + 1, all.len - (size_t)(at - all.data) - 1);
    if (!is_digest(digest)) return bad(all, "the digest is not sha256: with 64 hexadecimal digits in lower case", err);
    copy(r.digest, digest);
    name.len = (size_t)(at - all.data);
  }
  const uint8_t *slash = memrchr(name.data, '/', name.len), *last = slash ? slash + 1 : name.data;
  const uint8_t *colon = memchr(last, ':', name.len - (size_t)(last - name.data));
  if (colon) {
    ipfsa_bytes tag = ipfsa_bytes_of(colon + 1, name.len - (size_t)(colon - name.data) - 1);
    if (!is_tag(tag)) return bad(all, "the tag has 1 to 128 letters, digits, dots, dashes and underscores, and begins with none of dot and dash", err);
    copy(r.tag, tag);
    name.len = (size_t)(colon - name.data);
  }
  ipfsa_status status = take_name(all, name, &r, err);
  if (status == IPFSA_OK) *ret = r;
  return status;
}

bool ipfsa_reference_same_name(const ipfsa_reference *a, const ipfsa_reference *b) {
  return strcmp(a->host, b->host) == 0 && strcmp(a->path, b->path) == 0;
}

static void put_version(const ipfsa_reference *r, ipfsa_buf *out) {
  if (*r->tag || !*r->digest) ipfsa_buf_printf(out, ":%s", *r->tag ? r->tag : "latest");
  if (*r->digest) ipfsa_buf_printf(out, "@%s", r->digest);
}

void ipfsa_reference_canonical(const ipfsa_reference *r, ipfsa_buf *out) {
  ipfsa_buf_printf(out, "%s/%s", r->host, r->path);
  put_version(r, out);
}

bool ipfsa_reference_host_is(const char *written, const char *host) {
  return strcasecmp(strcasecmp(written, OLD_HUB) == 0 ? IPFSA_DOCKER_HUB : written, host) == 0;
}

bool ipfsa_reference_host_is_loopback(const char *host) {
  size_t n = strcspn(host, ":");
  if (host[0] == '[') return strncmp(host, "[::1]", 5) == 0 && (host[5] == ':' || !host[5]);
  if (n == 9 && memcmp(host, "localhost", 9) == 0) return true;
  return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == n;
}

void ipfsa_reference_familiar_name(const ipfsa_reference *r, ipfsa_buf *out) {
  bool hub = strcmp(r->host, IPFSA_DOCKER_HUB) == 0;
  const char *path = hub && strncmp(r->path, "library/", 8) == 0 && !strchr(r->path + 8, '/') ? r->path + 8 : r->path;
  /* "library/docker.io" alone would read as a host: such names keep their prefix. */
  if (hub && !looks_like_host(ipfsa_bytes_of(path, strcspn(path, "/")))) ipfsa_buf_str(out, path);
  else ipfsa_buf_printf(out, "%s/%s", r->host, r->path);
}

void ipfsa_reference_familiar(const ipfsa_reference *r, ipfsa_buf *out) {
  ipfsa_reference_familiar_name(r, out);
  put_version(r, out);
}
