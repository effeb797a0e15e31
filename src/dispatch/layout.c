#include "dispatch/layout.h"

#include <string.h>

#include "base/error.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."

static bool part_is_good(const char *part, size_t len) {
  if (len == 0 || strchr("-.", part[0]) || strchr("-.", part[len - 1]) || strspn(part, LETTERS) < len) return false;
  for (size_t i = 0; i + 1 < len; i++)
    if (part[i] == part[i + 1] && strchr("-.", part[i])) return false;
  return true;
}

ipfsa_status ipfsa_model_name_check(const char *name, ipfsa_error *err) {
  const char *slash = strchr(name, '/'), *last = slash ? slash + 1 : name;
  size_t org = slash ? (size_t)(slash - name) : 0;
  if (org > IPFSA_MAX_MODEL_PART || strlen(last) > IPFSA_MAX_MODEL_PART)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "model name \"%.100s…\": a part has at most %d bytes", name, IPFSA_MAX_MODEL_PART);
  if ((!slash || part_is_good(name, org)) && part_is_good(last, strlen(last))) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_INVALID, "model name \"%.200s\": expected NAME or ORG/NAME of letters, digits, _, - and ., as model hubs take it; choose one with --name", name);
}

static const char *suffix_of(const char *file_name, ipfsa_checkpoint_format format) {
  const char *dot = strrchr(file_name, '.');
  if (dot && dot != file_name && dot[strspn(dot, LETTERS)] == '\0') return dot;
  return format == IPFSA_CHECKPOINT_SAFETENSORS ? ".safetensors" : format == IPFSA_CHECKPOINT_GGUF ? ".gguf" : ".pt";
}

void ipfsa_layout_plain(const char *name, bool is_folder, const char *file_name, ipfsa_checkpoint_format format, ipfsa_buf *out) {
  const char *suffix = is_folder ? "" : suffix_of(file_name, format);
  size_t len = strlen(name), tail = strlen(suffix);
  bool has = len > tail && strcmp(name + len - tail, suffix) == 0;
  ipfsa_buf_printf(out, "%s%s", name, has ? "" : suffix);
}

void ipfsa_layout_file_name(const char *file_name, ipfsa_checkpoint_format format, ipfsa_buf *out) {
  if (*file_name) ipfsa_buf_str(out, file_name);
  else ipfsa_buf_printf(out, "model%s", suffix_of("", format));
}

ipfsa_status ipfsa_layout_hub(const char *name, const ipfsa_cid *cid, ipfsa_buf *out, char ret_commit[IPFSA_HUB_COMMIT], ipfsa_error *err) {
  const char *slash = strchr(name, '/');
  if (cid->mh.len < 20) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "a digest of %u bytes; the hub's layout needs 20 for the name of a commit", (unsigned)cid->mh.len);
  for (int i = 0; i < 20; i++) snprintf(ret_commit + 2 * i, 3, "%02x", cid->mh.digest[i]);
  ipfsa_buf_printf(out, "models--%.*s%s%s", slash ? (int)(slash - name) : 0, name, slash ? "--" : "", slash ? slash + 1 : name);
  return ipfsa_buf_status(out, err);
}
