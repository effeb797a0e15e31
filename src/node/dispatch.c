/* Dispatch: the endpoint, the checks, the place, the answer. */
#include <fcntl.h>
#include <ipfsa/alias.h>
#include <ipfsa/checkpoint.h>
#include <ipfsa/dispatch.h>
#include <ipfsa/read.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "dispatch/endpoint.h"
#include "dispatch/layout.h"
#include "node/materialised.h"
#include "node/path.h"
#include "node/publish.h"
#include "unixfs/reader.h"

#define PICKLE_WARNING "it runs what it holds when it is loaded (CVE-2025-32434, CVE-2026-24747, CVE-2025-24357)"
#define MAX_LOOKED_AT 65536u /* entries of a model's folders; the largest have thousands */

/* ---- endpoints ---- */

ipfsa_status ipfsa_endpoint_list(ipfsa_node *node, ipfsa_endpoint_cb cb, void *ctx, ipfsa_error *err) {
  char **names = NULL;
  size_t n = 0;
  ipfsa_status status = ipfsa_config_endpoints(node->config, &names, &n, err);
  for (size_t i = 0; i < n && status == IPFSA_OK; i++) {
    IPFSA_AUTO_ENDPOINT ipfsa_endpoint e = {0};
    ipfsa_error why = {0};
    ipfsa_status usable = ipfsa_endpoint_load(node->config, names[i], &e, &why);
    if (usable == IPFSA_OK) usable = ipfsa_endpoint_check(&e, &why);
    if (usable == IPFSA_E_NOMEM) {
      status = ipfsa_fail_nomem(err);
      break;
    }
    ipfsa_endpoint_row row = {names[i], e.kind, e.url, e.model_dir, e.layout, usable ? why.message : "", strcmp(names[i], ipfsa_config_string(node->config, "endpoints.default")) == 0};
    if (cb(ctx, &row) != 0) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  }
  ipfsa_config_list_free(names, n);
  return status;
}

/* ---- checks ---- */

typedef struct dispatching {
  ipfsa_node *node;
  const ipfsa_dispatch_options *o;
  const char *path;
  ipfsa_cid cid; /* version 1 */
  bool is_folder;
  const char *file_name; /* borrowed from the path; "" */
  ipfsa_checkpoint_format format;
  char name[2 * IPFSA_MAX_MODEL_PART + 2];
  ipfsa_buf place; /* below model_dir */
  char commit[IPFSA_HUB_COMMIT];
} dispatching;

static ipfsa_status meet_pickle(const dispatching *d, const char *file, ipfsa_error *err) {
  if (!d->o->allow_pickle) return ipfsa_fail(err, IPFSA_E_DENIED, "%.200s is a pickle: " PICKLE_WARNING "; allow it with --allow-pickle", file);
  char text[512];
  snprintf(text, sizeof text, "%.200s is a pickle: " PICKLE_WARNING, file);
  if (d->o->warned) d->o->warned(d->o->warned_ctx, text);
  return IPFSA_OK;
}

/* A folder may hold more than its checkpoint, and servers load that, too. */
typedef struct looking {
  const dispatching *d;
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
  ipfsa_node *node = l->d->node;
  if (ends_with(name, len, ".safetensors") || ends_with(name, len, ".gguf")) {
    ipfsa_checkpoint *cp = NULL;
    ipfsa_status status = ipfsa_checkpoint_open(node, path, &cp, l->err);
    ipfsa_checkpoint_close(cp);
    return status;
  }
  first_bytes b = {0};
  if (names_pickle(name, len)) return meet_pickle(l->d, path, l->err);
  if (!ends_with(name, len, ".bin")) return IPFSA_OK;
  ipfsa_status status = ipfsa_cat(node, path, 0, sizeof b.data, take_first, &b, NULL, NULL, l->err);
  return status || !begins_as_pickle(b.data, b.n) ? status : meet_pickle(l->d, path, l->err);
}

static int look_at_entry(void *ctx, const ipfsa_entry *e) {
  looking *l = ctx;
  IPFSA_AUTO_BUF ipfsa_buf path = {0};
  if (++l->n_seen > MAX_LOOKED_AT) l->status = ipfsa_fail(l->err, IPFSA_E_LIMIT, "over %u files and folders; a model that is dispatched has fewer", MAX_LOOKED_AT);
  ipfsa_buf_printf(&path, "%s/%.*s", l->at, (int)e->name_len, e->name);
  if (l->status == IPFSA_OK) l->status = ipfsa_buf_status(&path, l->err);
  if (l->status) return 1;
  if (e->type == IPFSA_ENTRY_FILE) l->status = look_at_file(l, ipfsa_buf_cstr(&path), e->name, e->name_len);
  if (e->type == IPFSA_ENTRY_DIRECTORY) {
    char *copy = ipfsa_strdup(ipfsa_buf_cstr(&path));
    if (!copy || !ipfsa_grow((void **)&l->folders, &l->cap, l->n + 1, sizeof *l->folders)) ipfsa_free(copy), l->status = ipfsa_fail_nomem(l->err);
    else l->folders[l->n++] = copy;
  }
  return l->status ? 1 : 0;
}

static ipfsa_status look_through(const dispatching *d, ipfsa_error *err) {
  looking l = {.d = d, .err = err};
  ipfsa_error stopped = {0};
  char *at = ipfsa_strdup(d->path);
  ipfsa_status status = at ? IPFSA_OK : ipfsa_fail_nomem(err);
  while (at && status == IPFSA_OK) {
    l.at = at;
    status = ipfsa_ls(d->node, at, true, look_at_entry, &l, &stopped);
    if (l.status) status = l.status;
    else if (status) *err = stopped;
    ipfsa_free(at);
    at = status == IPFSA_OK && l.n ? l.folders[--l.n] : NULL;
  }
  while (l.n) ipfsa_free(l.folders[--l.n]);
  ipfsa_free(l.folders);
  return status;
}

static ipfsa_status check_formats(dispatching *d, ipfsa_error *err) {
  ipfsa_checkpoint *cp = NULL;
  ipfsa_status status = ipfsa_checkpoint_open(d->node, d->path, &cp, err);
  if (status) return status;
  d->format = ipfsa_checkpoint_format_of(cp);
  ipfsa_checkpoint_close(cp);
  if (d->is_folder) return look_through(d, err);
  bool is_pickle = d->format == IPFSA_CHECKPOINT_TORCH || d->format == IPFSA_CHECKPOINT_PICKLE;
  return is_pickle ? meet_pickle(d, d->path, err) : IPFSA_OK;
}

/* ---- its name, its place ---- */

static ipfsa_status find_content(dispatching *d, ipfsa_error *err) {
  ipfsa_resolved at;
  ipfsa_unixfs_stat st;
  ipfsa_materialised_name text;
  ipfsa_status status = ipfsa_node_resolve(d->node, d->path, &at, err);
  if (status == IPFSA_OK && *at.remainder) status = ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "%.200s leads into a block and to no file or folder", d->path);
  if (status == IPFSA_OK) status = ipfsa_unixfs_stat_get(d->node->bs, &at.cid, &st, err);
  if (status) return status;
  ipfsa_materialised_name_of(&at.cid, &d->cid, text);
  d->is_folder = st.type == IPFSA_UNIXFS_DIRECTORY || st.type == IPFSA_UNIXFS_HAMT;
  const char *slash = strrchr(d->path, '/');
  d->file_name = !d->is_folder && *at.name && slash ? slash + 1 : "";
  return IPFSA_OK;
}

static ipfsa_status choose_name(dispatching *d, bool hub, ipfsa_error *err) {
  const char *plain = strncmp(d->path, "/ipfs/", 6) == 0 ? d->path + 6 : d->path;
  ipfsa_materialised_name text;
  ipfsa_cid cid;
  if (d->o->name) {
    ipfsa_status status = ipfsa_model_name_check(d->o->name, err);
    if (status) return status;
    snprintf(d->name, sizeof d->name, "%s", d->o->name);
    return IPFSA_OK;
  }
  if (ipfsa_alias_check(plain, NULL) == IPFSA_OK && ipfsa_alias_get(d->node, plain, &cid, NULL) == IPFSA_OK) {
    snprintf(d->name, sizeof d->name, "%s", plain);
    return IPFSA_OK;
  }
  const char *dot = strrchr(d->file_name, '.');
  ipfsa_materialised_name_of(&d->cid, &cid, text);
  int n = *d->file_name ? snprintf(d->name, sizeof d->name, "%.*s", dot && dot != d->file_name ? (int)(dot - d->file_name) : (int)strlen(d->file_name), d->file_name)
                        : snprintf(d->name, sizeof d->name, "%s%s", hub ? "ipfs/" : "", text);
  if (n >= (int)sizeof d->name) return ipfsa_fail(err, IPFSA_E_LIMIT, "no name can be made of %.100s…; choose one with --name", d->path);
  return ipfsa_model_name_check(d->name, err);
}

static ipfsa_status choose_place(dispatching *d, bool hub, ipfsa_buf *ret_model, ipfsa_error *err) {
  if (!hub) ipfsa_layout_plain(d->name, d->is_folder, d->file_name, d->format, &d->place);
  else {
    ipfsa_status status = ipfsa_layout_hub(d->name, &d->cid, ret_model, d->commit, err);
    if (status) return status;
    ipfsa_buf_printf(&d->place, "%s/snapshots/%s", ipfsa_buf_cstr(ret_model), d->commit);
    if (!d->is_folder) ipfsa_buf_u8(&d->place, '/'), ipfsa_layout_file_name(d->file_name, d->format, &d->place);
  }
  return ipfsa_buf_status(&d->place, err);
}

/* The snapshot is whole before the branch names it. */
static ipfsa_status set_branch(const char *model_dir, ipfsa_buf *model, const char *commit, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf path = {0};
  IPFSA_AUTO_FREE char *now = NULL;
  size_t len = 0;
  ipfsa_buf_printf(&path, "%s/%s/refs", model_dir, ipfsa_buf_cstr(model));
  ipfsa_status status = ipfsa_buf_status(&path, err);
  if (status == IPFSA_OK) status = ipfsa_fs_mkdir(AT_FDCWD, ipfsa_buf_cstr(&path), 0755, err);
  if (status && status != IPFSA_E_EXISTS) return status;
  ipfsa_buf_str(&path, "/main");
  status = ipfsa_buf_status(&path, err);
  if (status) return status;
  if (ipfsa_fs_read_file(AT_FDCWD, ipfsa_buf_cstr(&path), 64, &now, &len, NULL) == IPFSA_OK && strcmp(now, commit) == 0) return IPFSA_OK;
  return ipfsa_fs_replace_file(AT_FDCWD, ipfsa_buf_cstr(&path), commit, strlen(commit), 0644, err);
}

/* ---- the answer ---- */

typedef struct dispatched_box { /* what a caller gets is its first member */
  ipfsa_dispatched view;
  char *endpoint, *kind, *model, *place;
} dispatched_box;

void ipfsa_dispatched_free(ipfsa_dispatched *dispatched) {
  dispatched_box *box = (dispatched_box *)dispatched;
  if (!box) return;
  char *texts[] = {box->endpoint, box->kind, box->model, box->place};
  for (size_t i = 0; i < 4; i++) ipfsa_free(texts[i]);
  ipfsa_free(box);
}

static ipfsa_status answer(dispatching *d, const ipfsa_endpoint *e, const ipfsa_published *p, uint64_t health_ns, ipfsa_dispatched **ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf place = {0};
  dispatched_box *box = ipfsa_calloc(1, sizeof *box);
  ipfsa_buf_printf(&place, "%s/%s", e->model_dir, ipfsa_buf_cstr(&d->place));
  if (box) box->endpoint = ipfsa_strdup(e->name), box->kind = ipfsa_strdup(e->kind), box->model = ipfsa_strdup(d->name), box->place = ipfsa_strdup(ipfsa_buf_cstr(&place));
  if (!box || place.failed || !box->endpoint || !box->kind || !box->model || !box->place) {
    ipfsa_dispatched_free((ipfsa_dispatched *)box);
    return ipfsa_fail_nomem(err);
  }
  box->view = (ipfsa_dispatched){.cid = d->cid, .endpoint = box->endpoint, .kind = box->kind, .model = box->model, .place = box->place,
                                 .format = ipfsa_checkpoint_format_name(d->format), .source = p->changed ? "store" : "cache",
                                 .way = p->changed ? ipfsa_way_name(p->way) : "", .bytes = p->bytes, .ready = true, .health_ms = (double)health_ns / 1e6};
  *ret = &box->view;
  return IPFSA_OK;
}

/* ---- all of it ---- */

/* Ready is what a look at the place itself says, after it was put there. */
static ipfsa_status put_there(dispatching *d, const ipfsa_endpoint *e, ipfsa_published *ret, uint64_t *ret_health, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf model = {0}, path = {0};
  bool hub = strcmp(e->layout, "huggingface") == 0;
  struct stat st;
  ipfsa_status status = choose_name(d, hub, err);
  if (status == IPFSA_OK) status = choose_place(d, hub, &model, err);
  if (status == IPFSA_OK) status = ipfsa_publish(d->node, &d->cid, e->model_dir, ipfsa_buf_cstr(&d->place), d->o->progress, d->o->progress_ctx, ret, err);
  if (status == IPFSA_OK && hub) status = set_branch(e->model_dir, &model, d->commit, err);
  ipfsa_buf_printf(&path, "%s/%s", e->model_dir, ipfsa_buf_cstr(&d->place));
  if (status == IPFSA_OK) status = ipfsa_buf_status(&path, err);
  uint64_t before = ipfsa_clock_monotonic_ns();
  if (status == IPFSA_OK) status = ipfsa_fs_stat(AT_FDCWD, ipfsa_buf_cstr(&path), &st, err);
  *ret_health = ipfsa_clock_monotonic_ns() - before;
  return status;
}

ipfsa_status ipfsa_dispatch(ipfsa_node *node, const char *path, const ipfsa_dispatch_options *options, ipfsa_dispatched **ret, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_dispatch_options o = IPFSA_OPTIONS(ipfsa_dispatch_options, options);
  dispatching d = {.node = node, .o = &o, .path = path};
  IPFSA_AUTO_ENDPOINT ipfsa_endpoint e = {0};
  ipfsa_lease *lease = NULL;
  ipfsa_published made = {0};
  uint64_t health = 0;
  if (node->read_only) return ipfsa_fail(err, IPFSA_E_READ_ONLY, "the repo is open for reading only");
  ipfsa_status status = ipfsa_endpoint_load(node->config, o.endpoint ? o.endpoint : ipfsa_config_string(node->config, "endpoints.default"), &e, err);
  if (status == IPFSA_OK) status = ipfsa_endpoint_check(&e, err);
  if (status == IPFSA_OK) status = find_content(&d, err);
  if (status == IPFSA_OK) status = ipfsa_lease_new(node->store, &lease, err);
  if (status == IPFSA_OK) status = ipfsa_lease_add(lease, &d.cid, err);
  if (status == IPFSA_OK) status = check_formats(&d, err);
  if (status == IPFSA_OK) status = put_there(&d, &e, &made, &health, err);
  if (status == IPFSA_OK) status = answer(&d, &e, &made, health, ret, err);
  ipfsa_buf_release(&d.place);
  ipfsa_lease_free(lease);
  return status;
}
