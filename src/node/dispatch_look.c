/* Every check of the format, before anything is done; and which files there are. */
#include "node/dispatch_look.h"

#include <string.h>

#include "base/buf.h"
#include "dispatch/layout.h"

#define PICKLE_WARNING "it runs what it holds when it is loaded (CVE-2025-32434, CVE-2026-24747, CVE-2025-24357)"
#define PROGRAM_WARNING "the server runs it when the model is loaded"
#define MAX_LOOKED_AT 65536u /* entries of a model's folders; the largest have thousands */

void ipfsa_model_look_release(ipfsa_model_look *look) {
  for (size_t i = 0; i < look->n_files; i++) ipfsa_free(look->files[i].path);
  ipfsa_free(look->files);
  look->files = NULL;
  look->n_files = look->cap = 0;
}

static ipfsa_status keep_file(ipfsa_model_look *look, const char *path, uint64_t size, ipfsa_error *err) {
  char *copy = ipfsa_strdup(path);
  if (!copy || !ipfsa_grow((void **)&look->files, &look->cap, look->n_files + 1, sizeof *look->files)) {
    ipfsa_free(copy);
    return ipfsa_fail_nomem(err);
  }
  look->files[look->n_files++] = (ipfsa_model_file){copy, size};
  return IPFSA_OK;
}

static ipfsa_status meet_danger(const ipfsa_model_look *look, const char *file, const char *what, ipfsa_error *err) {
  if (!look->allow_pickle) return ipfsa_fail(err, IPFSA_E_DENIED, "%.200s is a %s; allow it with --allow-pickle", file, what);
  char text[512];
  snprintf(text, sizeof text, "%.200s is a %s", file, what);
  if (look->warned) look->warned(look->warned_ctx, text);
  return IPFSA_OK;
}

static ipfsa_status meet_pickle(const ipfsa_model_look *look, const char *file, ipfsa_error *err) { return meet_danger(look, file, "pickle: " PICKLE_WARNING, err); }

/* A folder may hold more than its checkpoint, and servers load that, too. */
typedef struct looking {
  ipfsa_model_look *look;
  char **folders; /* paths still to be looked through */
  size_t n, cap, n_seen;
  const char *at;
  ipfsa_status status;
  ipfsa_error *err;
} looking;

static bool ends_with(const char *name, size_t len, const char *suffix) {
  size_t tail = strlen(suffix);
  return len >= tail && memcmp(name + len - tail, suffix, tail) == 0;
}

static bool names_pickle(const char *name, size_t len) {
  static const char *const suffixes[] = {".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"};
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
    if (ends_with(name, len, suffixes[i])) return true;
  return false;
}

/* Of a .bin by its first bytes: a pickle of protocol 2 to 5, an opcode that older ones begin with, a zip, which torch.save writes around one, zlib, gzip. */
static bool begins_as_pickle(const uint8_t *data, size_t n) {
  if (n < 2) return false;
  return (data[0] == 0x80 && data[1] >= 2 && data[1] <= 5) || (data[0] == 'P' && data[1] == 'K') || data[0] == 0x1f || (data[0] && strchr("x(c]})lI", data[0]));
}

typedef struct first_bytes {
  uint8_t data[4];
  size_t n;
} first_bytes;

static int take_first(void *ctx, const void *data, size_t len) {
  first_bytes *b = ctx;
  size_t n = len < sizeof b->data - b->n ? len : sizeof b->data - b->n;
  memcpy(b->data + b->n, data, n);
  b->n += n;
  return 0;
}

static ipfsa_status look_at_file(looking *l, const char *path, const char *name, size_t len) {
  ipfsa_node *node = l->look->node;
  if (ends_with(name, len, ".safetensors") || ends_with(name, len, ".gguf")) {
    ipfsa_checkpoint *cp = NULL;
    ipfsa_status status = ipfsa_checkpoint_open(node, path, &cp, l->err);
    ipfsa_checkpoint_close(cp);
    return status;
  }
  first_bytes b = {0};
  if (names_pickle(name, len)) return meet_pickle(l->look, path, l->err);
  if (l->look->own_layout && ends_with(name, len, ".py")) return meet_danger(l->look, path, "program: " PROGRAM_WARNING, l->err);
  if (!ends_with(name, len, ".bin")) return IPFSA_OK;
  ipfsa_status status = ipfsa_cat(node, path, 0, sizeof b.data, take_first, &b, NULL, NULL, l->err);
  return status || !begins_as_pickle(b.data, b.n) ? status : meet_pickle(l->look, path, l->err);
}

static int look_at_entry(void *ctx, const ipfsa_entry *e) {
  looking *l = ctx;
  IPFSA_AUTO_BUF ipfsa_buf path = {0};
  if (++l->n_seen > MAX_LOOKED_AT) l->status = ipfsa_fail(l->err, IPFSA_E_LIMIT, "over %u files and folders; a model that is dispatched has fewer", MAX_LOOKED_AT);
  ipfsa_buf_printf(&path, "%s/%.*s", l->at, (int)e->name_len, e->name);
  if (l->status == IPFSA_OK) l->status = ipfsa_buf_status(&path, l->err);
  if (l->status) return 1;
  if (e->type == IPFSA_ENTRY_FILE) l->status = keep_file(l->look, ipfsa_buf_cstr(&path) + strlen(l->look->path) + 1, e->size, l->err);
  if (e->type == IPFSA_ENTRY_FILE && l->status == IPFSA_OK) l->status = look_at_file(l, ipfsa_buf_cstr(&path), e->name, e->name_len);
  if (e->type == IPFSA_ENTRY_DIRECTORY) {
    char *copy = ipfsa_strdup(ipfsa_buf_cstr(&path));
    if (!copy || !ipfsa_grow((void **)&l->folders, &l->cap, l->n + 1, sizeof *l->folders)) ipfsa_free(copy), l->status = ipfsa_fail_nomem(l->err);
    else l->folders[l->n++] = copy;
  }
  return l->status ? 1 : 0;
}

static ipfsa_status look_through(ipfsa_model_look *look, ipfsa_error *err) {
  looking l = {.look = look, .err = err};
  ipfsa_error stopped = {0};
  char *at = ipfsa_strdup(look->path);
  ipfsa_status status = at ? IPFSA_OK : ipfsa_fail_nomem(err);
  while (at && status == IPFSA_OK) {
    l.at = at;
    status = ipfsa_ls(look->node, at, true, look_at_entry, &l, &stopped);
    if (l.status) status = l.status;
    else if (status) *err = stopped;
    ipfsa_free(at);
    at = status == IPFSA_OK && l.n ? l.folders[--l.n] : NULL;
  }
  while (l.n) ipfsa_free(l.folders[--l.n]);
  ipfsa_free(l.folders);
  return status;
}

/* Servers with a layout of their own want no checkpoint at the top. */
static ipfsa_status check_top(ipfsa_model_look *look, ipfsa_error *err) {
  ipfsa_checkpoint *cp = NULL;
  ipfsa_error why = {0};
  ipfsa_status status = ipfsa_checkpoint_open(look->node, look->path, &cp, &why);
  if (status == IPFSA_OK) look->format = ipfsa_checkpoint_format_of(cp);
  ipfsa_checkpoint_close(cp);
  if (status == IPFSA_E_NOT_FOUND && look->is_folder && look->own_layout) return IPFSA_OK;
  if (status) *err = why;
  return status;
}

ipfsa_status ipfsa_model_look_at(ipfsa_model_look *look, ipfsa_error *err) {
  ipfsa_status status = check_top(look, err);
  if (status == IPFSA_OK && look->is_folder) return look_through(look, err);
  if (status) return status;
  IPFSA_AUTO_BUF ipfsa_buf name = {0};
  ipfsa_layout_file_name(look->file_name, look->format, &name);
  status = ipfsa_buf_status(&name, err);
  if (status == IPFSA_OK) status = keep_file(look, ipfsa_buf_cstr(&name), look->size, err);
  bool is_pickle = look->format == IPFSA_CHECKPOINT_TORCH || look->format == IPFSA_CHECKPOINT_PICKLE;
  return status || !is_pickle ? status : meet_pickle(look, look->path, err);
}
