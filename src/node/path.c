#include "node/path.h"

#include <ipfsa/alias.h>

#include "ipld/value.h"
#include "unixfs/directory.h"

typedef struct parsed_path {
  ipfsa_cid root;
  char text[IPFSA_MAX_PATH]; /* segments, each terminated */
  const char *segments[IPFSA_MAX_PATH_SEGMENTS];
  size_t n;
} parsed_path;

static ipfsa_status bad_path(const char *text, const char *why, ipfsa_error *err) {
  return ipfsa_fail(err, IPFSA_E_INVALID, "invalid path \"%.200s\": %s", text, why);
}

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

/* URLs are percent-decoded; paths are taken as they are. */
static size_t copy_segment(const char *from, size_t len, bool url, char *to) {
  size_t n = 0;
  for (size_t i = 0; i < len; i++) {
    int high = url && from[i] == '%' && len - i > 2 ? hex_digit(from[i + 1]) : -1, low = high >= 0 ? hex_digit(from[i + 2]) : -1;
    if (low >= 0) to[n++] = (char)(high << 4 | low), i += 2;
    else to[n++] = from[i];
  }
  return n;
}

/* "." goes, ".." takes the segment before it. */
static ipfsa_status split(const char *text, const char *rest, bool url, parsed_path *ret, ipfsa_error *err) {
  size_t used = 0;
  while (*rest) {
    size_t len = strcspn(rest, "/");
    if (len == 0 || (len == 1 && rest[0] == '.')) {
      rest += len + (rest[len] == '/');
      continue;
    }
    if (len == 2 && rest[0] == '.' && rest[1] == '.') {
      if (ret->n == 0) return bad_path(text, "\"..\" leads out of its root", err);
      ret->n--;
    } else {
      if (ret->n == IPFSA_MAX_PATH_SEGMENTS) return ipfsa_fail(err, IPFSA_E_LIMIT, "a path of over %d segments", IPFSA_MAX_PATH_SEGMENTS);
      ret->segments[ret->n++] = ret->text + used;
      used += copy_segment(rest, len, url, ret->text + used);
      ret->text[used++] = '\0';
    }
    rest += len + (rest[len] == '/');
  }
  return IPFSA_OK;
}

static ipfsa_status try_alias(ipfsa_node *node, const char *at, size_t len, ipfsa_cid *ret, ipfsa_error *err) {
  char name[IPFSA_MAX_ALIAS + 1];
  if (len == 0 || len > IPFSA_MAX_ALIAS) return IPFSA_E_NOT_FOUND;
  memcpy(name, at, len);
  name[len] = '\0';
  ipfsa_error why = {0};
  ipfsa_status status = ipfsa_alias_check(name, &why);
  if (status == IPFSA_E_INVALID || status == IPFSA_E_LIMIT) return IPFSA_E_NOT_FOUND;
  if (status == IPFSA_OK) status = ipfsa_alias_get(node, name, ret, &why);
  if (status && status != IPFSA_E_NOT_FOUND && err) *err = why;
  return status;
}

/* What begins with no CID may begin with an alias, of two segments or of one. E_NOT_FOUND: it does not. */
static ipfsa_status root_by_alias(ipfsa_node *node, const char *at, ipfsa_cid *ret, size_t *ret_len, ipfsa_error *err) {
  size_t one = strcspn(at, "/"), two = at[one] ? one + 1 + strcspn(at + one + 1, "/") : one;
  *ret_len = two;
  ipfsa_status status = try_alias(node, at, two, ret, err);
  if (status != IPFSA_E_NOT_FOUND || one == two) return status;
  *ret_len = one;
  return try_alias(node, at, one, ret, err);
}

/* node NULL: no aliases. */
static ipfsa_status parse(ipfsa_node *node, const char *text, parsed_path *ret, ipfsa_error *err) {
  if (strlen(text) >= IPFSA_MAX_PATH) return ipfsa_fail(err, IPFSA_E_LIMIT, "a path of over %d bytes", IPFSA_MAX_PATH - 1);
  memset(ret, 0, offsetof(parsed_path, text));
  ret->n = 0;
  const char *at = text;
  bool url = strncmp(text, "ipfs://", 7) == 0;
  if (strncmp(text, "/ipns/", 6) == 0 || strncmp(text, "ipns://", 7) == 0)
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "cannot resolve %.200s: IPNS names need the network, which this version does not reach", text);
  if (url) at += 7;
  else if (strncmp(text, "/ipfs/", 6) == 0) at += 6;
  else if (text[0] == '/') return bad_path(text, "unknown namespace; it begins with /ipfs/", err);
  size_t len = strcspn(at, "/");
  ipfsa_error why = {0};
  ipfsa_status status = ipfsa_cid_parse(at, len, &ret->root, &why);
  if (status == IPFSA_E_NOMEM) return ipfsa_fail_nomem(err);
  if (status && node) {
    ipfsa_status named = root_by_alias(node, at, &ret->root, &len, err);
    if (named && named != IPFSA_E_NOT_FOUND) return named;
    status = named ? status : IPFSA_OK;
  }
  if (status) return bad_path(text, at == text || len == 0 ? "path does not have enough components" : why.message, err);
  return split(text, at + len, url, ret, err);
}

ipfsa_status ipfsa_path_check(ipfsa_node *node, const char *text, ipfsa_cid *ret_root, ipfsa_error *err) {
  parsed_path path;
  ipfsa_status status = parse(node, text, &path, err);
  if (status == IPFSA_OK && ret_root) *ret_root = path.root;
  return status;
}

/* One dag-pb segment: an entry of a directory, or a link by its name. */
static ipfsa_status step_dagpb(ipfsa_blockstore *bs, ipfsa_cid *at, const char *segment, ipfsa_error *err) {
  ipfsa_dir_entry entry;
  ipfsa_status status = ipfsa_dir_find(bs, at, ipfsa_bytes_str(segment), &entry, err);
  if (status == IPFSA_OK) *at = entry.cid;
  if (status != IPFSA_E_WRONG_TYPE && status != IPFSA_E_NOT_UNIXFS) return status;
  char text[IPFSA_MAX_CID_TEXT];
  ipfsa_cid_format(at, text);
  return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "no link named \"%s\" under %.200s", segment, text);
}

/* Segments inside a value, up to the first link; *io_i moves on. */
static ipfsa_status step_value(ipfsa_blockstore *bs, ipfsa_cid *at, const parsed_path *path, size_t *io_i, bool *ret_inside, ipfsa_error *err) {
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  IPFSA_AUTO(ipfsa_value_release) ipfsa_value value = {0};
  ipfsa_status status = ipfsa_blockstore_get(bs, at, &block, err);
  if (status == IPFSA_OK) status = ipfsa_value_decode(at->codec, block.data, &value, err);
  if (status) return status;
  size_t here = 0, i = *io_i;
  *ret_inside = false;
  for (; i < path->n; i++) {
    size_t child = ipfsa_value_child(&value, here, ipfsa_bytes_str(path->segments[i]));
    if (child == SIZE_MAX) {
      bool is_list = value.items[here].type == IPFSA_VALUE_LIST, is_map = value.items[here].type == IPFSA_VALUE_MAP;
      if (is_map || is_list) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "key not found: \"%s\"", path->segments[i]);
      return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "no link named \"%s\": the value before it has no fields", path->segments[i]);
    }
    here = child;
    if (value.items[here].type != IPFSA_VALUE_LINK) continue;
    *io_i = i + 1;
    return ipfsa_cid_decode(value.items[here].bytes, at, err);
  }
  *ret_inside = true;
  return IPFSA_OK;
}

static void join(const parsed_path *path, size_t from, char *ret) {
  size_t used = 0;
  ret[0] = '\0';
  for (size_t i = from; i < path->n; i++)
    used += (size_t)snprintf(ret + used, IPFSA_MAX_PATH - used, "%s%s", i > from ? "/" : "", path->segments[i]);
}

static ipfsa_status resolve_over(ipfsa_node *node, ipfsa_blockstore *bs, const char *text, ipfsa_resolved *ret, ipfsa_error *err) {
  parsed_path path;
  ipfsa_status status = parse(node, text, &path, err);
  if (status) return status;
  ipfsa_cid at = path.root;
  size_t i = 0;
  bool inside = false;
  while (status == IPFSA_OK && i < path.n && !inside) {
    if (at.codec == IPFSA_CODEC_DAG_PB) status = step_dagpb(bs, &at, path.segments[i], err), i++;
    else if (at.codec == IPFSA_CODEC_DAG_CBOR || at.codec == IPFSA_CODEC_DAG_JSON) status = step_value(bs, &at, &path, &i, &inside, err);
    else {
      char cid[IPFSA_MAX_CID_TEXT];
      ipfsa_cid_format(&at, cid);
      return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "no link named \"%s\" under %.200s", path.segments[i], cid);
    }
  }
  if (status) return status;
  ret->root = path.root;
  ret->cid = at;
  join(&path, i, ret->remainder);
  snprintf(ret->name, sizeof ret->name, "%.255s", path.n ? path.segments[path.n - 1] : "");
  return IPFSA_OK;
}

ipfsa_status ipfsa_node_resolve(ipfsa_node *node, const char *text, ipfsa_resolved *ret, ipfsa_error *err) { return resolve_over(node, node->bs, text, ret, err); }

ipfsa_status ipfsa_node_resolve_block(ipfsa_node *node, const char *path, ipfsa_cid *ret, ipfsa_error *err) {
  ipfsa_resolved at;
  ipfsa_status status = resolve_over(node, ipfsa_node_reading(node), path, &at, err);
  if (status) return status;
  if (at.remainder[0]) return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "%.200s leads to a value inside a block; 'dag get' shows it", path);
  *ret = at.cid;
  return IPFSA_OK;
}
