#include <ipfsa/offload.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "codec/json.h"
#include "ipld/value.h"

#define INDEX "index.json"
#define MAX_RANK 32 /* numpy's limit, and accelerate reads with numpy */

static const struct { const char *name; uint64_t bytes; } types[] = {{"bool", 1},    {"uint8", 1},   {"int8", 1},    {"int16", 2},   {"int32", 4},     {"int64", 8},
                                                                     {"float16", 2}, {"bfloat16", 2}, {"float32", 4}, {"float64", 8}, {"complex64", 8}, {"complex128", 16}};

static const char *plain(const char *dtype) { return strncmp(dtype, "torch.", 6) == 0 ? dtype + 6 : dtype; }

static ipfsa_status check_size(const ipfsa_offload_weight *w, uint64_t size, ipfsa_error *err) {
  bool empty = false, large = false;
  if (w->rank > MAX_RANK) return ipfsa_fail(err, IPFSA_E_LIMIT, "the weight \"%.200s\" has over %d dimensions", w->name, MAX_RANK);
  for (uint32_t i = 0; i < w->rank; i++) {
    empty |= w->shape[i] == 0;
    large |= w->shape[i] > INT64_MAX || __builtin_mul_overflow(size, w->shape[i], &size);
  }
  if (empty) return ipfsa_fail(err, IPFSA_E_INVALID, "the weight \"%.200s\" has no elements: an empty file cannot be mapped, keep it in memory", w->name);
  if (large || size != w->size) return ipfsa_fail(err, IPFSA_E_INVALID, "the weight \"%.200s\" has %zu bytes, its shape says otherwise", w->name, w->size);
  return IPFSA_OK;
}

static ipfsa_status check(const ipfsa_offload_weight *w, ipfsa_error *err) {
  size_t len = strlen(w->name);
  if (len == 0 || strchr(w->name, '/')) return ipfsa_fail(err, IPFSA_E_INVALID, "a weight named \"%.200s\" cannot be a file of its own; expected a name without \"/\"", w->name);
  if (len > IPFSA_MAX_OFFLOAD_NAME) return ipfsa_fail(err, IPFSA_E_LIMIT, "the name of the weight \"%.100s\" is over %d bytes", w->name, IPFSA_MAX_OFFLOAD_NAME);
  if (!ipfsa_is_utf8(ipfsa_bytes_str(w->name))) return ipfsa_fail(err, IPFSA_E_INVALID, "a weight's name that is no UTF-8 cannot stand in " INDEX);
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (strcmp(types[i].name, plain(w->dtype)) == 0) return check_size(w, types[i].bytes, err);
  return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "the weight \"%.200s\" is of type %.50s, which accelerate cannot load from the disk; keep it in memory or load it as another", w->name, w->dtype);
}

/* ---- the index ---- */

static ipfsa_status read_index(int dirfd, json_t **ret, ipfsa_error *err) {
  IPFSA_AUTO_FREE char *text = NULL;
  size_t len = 0;
  ipfsa_error why = {0};
  ipfsa_status status = ipfsa_fs_read_file(dirfd, INDEX, IPFSA_MAX_OFFLOAD_INDEX, &text, &len, &why);
  if (status == IPFSA_E_NOT_FOUND) return (*ret = json_object()) ? IPFSA_OK : ipfsa_fail_nomem(err);
  if (status) {
    if (err) *err = why;
    return status;
  }
  status = ipfsa_json_load((ipfsa_bytes){(const uint8_t *)text, len}, INDEX, ret, err);
  if (status || json_is_object(*ret)) return status;
  json_decref(*ret);
  return ipfsa_fail(err, IPFSA_E_MALFORMED, INDEX " is no object of weights; move it away");
}

static bool add_entry(json_t *index, const ipfsa_offload_weight *w) {
  json_t *shape = json_array();
  bool fine = shape != NULL;
  for (uint32_t i = 0; i < w->rank && fine; i++) fine = json_array_append_new(shape, json_integer((json_int_t)w->shape[i])) == 0;
  json_t *entry = fine ? json_pack("{s:s,s:O}", "dtype", plain(w->dtype), "shape", shape) : NULL;
  json_decref(shape);
  return entry && json_object_set_new(index, w->name, entry) == 0;
}

static ipfsa_status write_index(int dirfd, json_t *index, const ipfsa_offload_weight *weights, size_t n, ipfsa_error *err) {
  for (size_t i = 0; i < n; i++)
    if (!add_entry(index, &weights[i])) return ipfsa_fail_nomem(err);
  size_t len = json_dumpb(index, NULL, 0, JSON_INDENT(2) | JSON_ENSURE_ASCII);
  if (len > IPFSA_MAX_OFFLOAD_INDEX) return ipfsa_fail(err, IPFSA_E_LIMIT, INDEX " would be over %d bytes", IPFSA_MAX_OFFLOAD_INDEX);
  IPFSA_AUTO_FREE char *text = ipfsa_malloc(len + 1);
  if (!text || len == 0 || json_dumpb(index, text, len, JSON_INDENT(2) | JSON_ENSURE_ASCII) != len) return ipfsa_fail_nomem(err);
  return ipfsa_fs_replace_file(dirfd, INDEX, text, len, 0644, err);
}

static ipfsa_status write_weight(int dirfd, const ipfsa_offload_weight *w, ipfsa_error *err) {
  char name[IPFSA_MAX_OFFLOAD_NAME + 5];
  snprintf(name, sizeof name, "%s.dat", w->name);
  return ipfsa_fs_replace_file(dirfd, name, w->data, w->size, 0644, err);
}

ipfsa_status ipfsa_offload_write(const char *folder, const ipfsa_offload_weight *weights, size_t n, ipfsa_error *err) {
  ipfsa_error local = {0};
  json_t *index = NULL;
  ipfsa_status status = IPFSA_OK;
  if (!err) err = &local;
  for (size_t i = 0; i < n && status == IPFSA_OK; i++) status = check(&weights[i], err);
  if (status || n == 0) return status; /* as there: nothing to write, no index */
  ipfsa_error made = {0};
  status = ipfsa_fs_mkdir(AT_FDCWD, folder, 0777, &made);
  if (status && status != IPFSA_E_EXISTS) return *err = made, status;
  IPFSA_AUTO_FD int dirfd = ipfsa_fs_open_dir(AT_FDCWD, folder, err);
  if (dirfd < 0) return err->status;
  status = read_index(dirfd, &index, err);
  if (status) return status;
  for (size_t i = 0; i < n && status == IPFSA_OK; i++) status = write_weight(dirfd, &weights[i], err);
  if (status == IPFSA_OK) status = write_index(dirfd, index, weights, n, err);
  json_decref(index);
  return status;
}
