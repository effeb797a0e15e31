/* Dispatch: the endpoint, the checks, the place, the answer. */
#include <fcntl.h>
#include <ipfsa/alias.h>
#include <ipfsa/checkpoint.h>
#include <ipfsa/dispatch.h>
#include <ipfsa/read.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "dispatch/driver.h"
#include "dispatch/layout.h"
#include "node/dispatch_look.h"
#include "node/dispatch_mark.h"
#include "node/materialised.h"
#include "node/path.h"
#include "node/publish.h"
#include "unixfs/reader.h"

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
    ipfsa_endpoint_row row = {names[i], e.kind, *e.url ? e.url : e.socket, e.model_dir, e.layout, usable ? why.message : "", strcmp(names[i], ipfsa_config_string(node->config, "endpoints.default")) == 0};
    if (cb(ctx, &row) != 0) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  }
  ipfsa_config_list_free(names, n);
  return status;
}

/* ---- what is on its way ---- */

typedef struct dispatching {
  ipfsa_node *node;
  const ipfsa_config *config; /* what has the endpoints */
  const ipfsa_dispatch_options *o;
  const char *path;
  const ipfsa_endpoint *endpoint;
  ipfsa_cid cid; /* version 1 */
  const char *file_name; /* borrowed from the path; "" */
  ipfsa_model_look look;
  char name[2 * IPFSA_MAX_MODEL_PART + 3]; /* ORG--NAME has one more */
  ipfsa_materialised_name cid_text;
  ipfsa_delivery delivery;
  const ipfsa_model_file *open_file; /* the one that `open` reads */
  ipfsa_file *open;
  ipfsa_progress at; /* as last told */
  bool holds;        /* a tree of the repo's own */
} dispatching;

/* ---- its name, its place ---- */

static ipfsa_status find_content(dispatching *d, ipfsa_error *err) {
  ipfsa_resolved at;
  ipfsa_unixfs_stat st;
  ipfsa_status status = ipfsa_node_resolve(d->node, d->path, &at, err);
  if (status == IPFSA_OK && *at.remainder) status = ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "%.200s leads into a block and to no file or folder", d->path);
  if (status == IPFSA_OK) status = ipfsa_unixfs_stat_get(d->node->bs, &at.cid, &st, err);
  if (status) return status;
  ipfsa_materialised_name_of(&at.cid, &d->cid, d->cid_text);
  d->look.size = st.size;
  d->look.is_folder = st.type == IPFSA_UNIXFS_DIRECTORY || st.type == IPFSA_UNIXFS_HAMT;
  const char *slash = strrchr(d->path, '/');
  d->file_name = !d->look.is_folder && *at.name && slash ? slash + 1 : "";
  return IPFSA_OK;
}

static ipfsa_status choose_name(dispatching *d, bool hub, ipfsa_error *err) {
  const char *plain = strncmp(d->path, "/ipfs/", 6) == 0 ? d->path + 6 : d->path;
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
  int n = *d->file_name ? snprintf(d->name, sizeof d->name, "%.*s", dot && dot != d->file_name ? (int)(dot - d->file_name) : (int)strlen(d->file_name), d->file_name)
                        : snprintf(d->name, sizeof d->name, "%s%s", hub ? "ipfs/" : "", d->cid_text);
  if (n >= (int)sizeof d->name) return ipfsa_fail(err, IPFSA_E_LIMIT, "no name can be made of %.100s…; choose one with --name", d->path);
  return ipfsa_model_name_check(d->name, err);
}

/* No part of a name has "--" in it, so two names never become one. */
static void flatten(char *name) {
  char *slash = strchr(name, '/');
  if (!slash) return;
  memmove(slash + 2, slash + 1, strlen(slash + 1) + 1);
  slash[0] = slash[1] = '-';
}

/* ---- what drivers ask for ---- */

static ipfsa_status plain_place(const dispatching *d, ipfsa_place_style style, ipfsa_buf *ret, ipfsa_error *err) {
  char name[sizeof d->name + sizeof d->cid_text];
  snprintf(name, sizeof name, style == IPFSA_PLACE_CONTENT ? "%s/%s" : "%s", d->name, d->cid_text);
  ipfsa_layout_plain(name, d->look.is_folder, d->file_name, d->look.format, ret);
  return ipfsa_buf_status(ret, err);
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

static ipfsa_status hub_place(dispatching *d, ipfsa_buf *model, char commit[IPFSA_HUB_COMMIT], ipfsa_buf *ret, ipfsa_error *err) {
  ipfsa_status status = ipfsa_layout_hub(d->name, &d->cid, model, commit, err);
  if (status) return status;
  ipfsa_buf_printf(ret, "%s/snapshots/%s", ipfsa_buf_cstr(model), commit);
  if (!d->look.is_folder) ipfsa_buf_u8(ret, '/'), ipfsa_layout_file_name(d->file_name, d->look.format, ret);
  return ipfsa_buf_status(ret, err);
}

static char *join(const char *folder, const char *name) {
  IPFSA_AUTO_BUF ipfsa_buf text = {0};
  size_t len;
  ipfsa_buf_printf(&text, "%s/%s", folder, name);
  ipfsa_buf_u8(&text, '\0');
  return text.failed ? NULL : (char *)ipfsa_buf_take(&text, &len);
}

#define HOLDER "dispatch shm"

/* The use is given back when the delivery is over: whoever has a descriptor keeps its file. */
static ipfsa_status hold(dispatching *d, ipfsa_placed *ret, ipfsa_error *err) {
  ipfsa_materialised *tree = NULL;
  ipfsa_materialise_options o = {.struct_size = sizeof o, .progress = d->o->progress, .progress_ctx = d->o->progress_ctx};
  ipfsa_status status = ipfsa_materialise(d->node, d->cid_text, HOLDER, &o, &tree, err);
  if (status) return status;
  d->holds = true;
  ipfsa_placed placed = {.path = ipfsa_strdup(tree->path), .changed = tree->made, .way = tree->way, .bytes = tree->made ? tree->size : 0};
  ipfsa_materialised_free(tree);
  if (!placed.path) return ipfsa_fail_nomem(err);
  *ret = placed;
  return IPFSA_OK;
}

static ipfsa_status let_go(dispatching *d, ipfsa_error *err) {
  return d->holds ? ipfsa_materialise_release(d->node, &d->cid, HOLDER, NULL, err) : IPFSA_OK;
}

static ipfsa_status publish(void *ctx, ipfsa_place_style style, ipfsa_placed *ret, ipfsa_error *err) {
  dispatching *d = ctx;
  if (style == IPFSA_PLACE_HELD) return hold(d, ret, err);
  const ipfsa_endpoint *e = d->endpoint;
  IPFSA_AUTO_BUF ipfsa_buf model = {0}, place = {0};
  char commit[IPFSA_HUB_COMMIT];
  bool hub = strcmp(e->layout, "huggingface") == 0;
  ipfsa_published made = {0};
  ipfsa_status status = hub ? hub_place(d, &model, commit, &place, err) : plain_place(d, style, &place, err);
  if (status == IPFSA_OK) status = ipfsa_publish(d->node, &d->cid, e->model_dir, ipfsa_buf_cstr(&place), d->o->progress, d->o->progress_ctx, &made, err);
  if (status == IPFSA_OK && hub) status = set_branch(e->model_dir, &model, commit, err);
  if (status) return status;
  ipfsa_placed placed = {.path = join(e->model_dir, ipfsa_buf_cstr(&place)), .server_path = join(*e->server_dir ? e->server_dir : e->model_dir, ipfsa_buf_cstr(&place)),
                         .changed = made.changed, .way = made.way, .bytes = made.bytes};
  if (!placed.path || !placed.server_path) {
    ipfsa_placed_release(&placed);
    return ipfsa_fail_nomem(err);
  }
  *ret = placed;
  return IPFSA_OK;
}

static ipfsa_status read_file(void *ctx, const ipfsa_model_file *file, uint64_t off, void *data, size_t len, size_t *ret_len, ipfsa_error *err) {
  dispatching *d = ctx;
  if (d->open_file != file) {
    ipfsa_file_close(d->open);
    d->open = NULL, d->open_file = NULL;
    IPFSA_AUTO_FREE char *path = d->look.is_folder ? join(d->path, file->path) : ipfsa_strdup(d->path);
    ipfsa_status status = path ? ipfsa_file_open(d->node, path, &d->open, err) : ipfsa_fail_nomem(err);
    if (status) return status;
    d->open_file = file;
  }
  ipfsa_status status = ipfsa_file_read_at(d->open, off, data, len, ret_len, err);
  if (status == IPFSA_OK && *ret_len == 0 && len && off < file->size) return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "%.200s ends before its size", file->path);
  return status;
}

static ipfsa_status recall(void *ctx, const char *key, char **ret_text, ipfsa_error *err) {
  const dispatching *d = ctx;
  return ipfsa_dispatch_mark_get(d->node, key, d->name, ret_text, err);
}

static ipfsa_status remember(void *ctx, const char *key, const char *text, ipfsa_error *err) {
  const dispatching *d = ctx;
  return ipfsa_dispatch_mark_set(d->node, key, d->name, text, err);
}

static int tell(void *ctx, uint64_t done, uint64_t total) {
  dispatching *d = ctx;
  if (done != UINT64_MAX) d->at = (ipfsa_progress){.done_bytes = done, .total_bytes = total};
  return d->o->progress ? d->o->progress(d->o->progress_ctx, &d->at) : 0;
}

static bool is_cancelled(void *ctx) { return tell(ctx, UINT64_MAX, 0) != 0; }

static const ipfsa_delivery_calls node_calls = {publish, read_file, recall, remember, tell};

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

static ipfsa_status answer(const dispatching *d, ipfsa_dispatched **ret, ipfsa_error *err) {
  const ipfsa_delivery *v = &d->delivery;
  dispatched_box *box = ipfsa_calloc(1, sizeof *box);
  if (box) box->endpoint = ipfsa_strdup(d->endpoint->name), box->kind = ipfsa_strdup(d->endpoint->kind), box->model = ipfsa_strdup(d->name), box->place = ipfsa_strdup(v->placed.path);
  if (!box || !box->endpoint || !box->kind || !box->model || !box->place) {
    ipfsa_dispatched_free((ipfsa_dispatched *)box);
    return ipfsa_fail_nomem(err);
  }
  box->view = (ipfsa_dispatched){.cid = d->cid, .endpoint = box->endpoint, .kind = box->kind, .model = box->model, .place = box->place,
                                 .format = d->look.format ? ipfsa_checkpoint_format_name(d->look.format) : "folder", .source = v->transferred ? "store" : "cache",
                                 .way = v->way, .bytes = v->bytes, .ready = true, .health_ms = (double)v->health_ns / 1e6};
  *ret = &box->view;
  return IPFSA_OK;
}

/* ---- all of it ---- */

static ipfsa_status open_server(dispatching *d, ipfsa_server **ret, ipfsa_error *err) {
  IPFSA_AUTO_FREE char *url = NULL;
  IPFSA_AUTO_FREE char *token = NULL;
  double seconds = strtod(d->endpoint->timeout, NULL); /* the schema bounds it */
  d->delivery.timeout_ms = (uint64_t)(seconds * 1000);
  if (!d->delivery.driver->port && !d->delivery.driver->needs_url) return IPFSA_OK;
  ipfsa_status status = ipfsa_endpoint_url(d->endpoint, &url, err);
  if (status == IPFSA_OK) status = ipfsa_endpoint_token(d->config, d->endpoint, &token, err);
  if (status) return status;
  status = ipfsa_server_open(&(ipfsa_server_settings){.url = url, .token = token, .timeout_ms = d->delivery.timeout_ms, .cancelled = is_cancelled, .cancelled_ctx = d}, ret, err);
  if (token) explicit_bzero(token, strlen(token));
  return status;
}

static ipfsa_status deliver(dispatching *d, ipfsa_error *err) {
  ipfsa_delivery *v = &d->delivery;
  ipfsa_status status = choose_name(d, v->driver->takes_hub && strcmp(d->endpoint->layout, "huggingface") == 0, err);
  if (status) return status;
  if (v->driver->flat_names) flatten(d->name);
  v->endpoint = d->endpoint, v->cid = d->cid_text, v->model = d->name, v->is_folder = d->look.is_folder, v->format = d->look.format;
  v->files = d->look.files, v->n_files = d->look.n_files, v->calls = &node_calls, v->ctx = d, v->way = "";
  status = open_server(d, &v->server, err);
  if (status == IPFSA_OK) status = v->driver->bring(v, err);
  ipfsa_server_close(v->server);
  ipfsa_status released = let_go(d, status ? NULL : err);
  if (status == IPFSA_OK) status = released;
  return status && *v->endpoint->kind ? ipfsa_error_prefix(err, status, "endpoint %.100s", d->endpoint->name) : status;
}

static ipfsa_status look(dispatching *d, ipfsa_error *err) {
  ipfsa_model_look *l = &d->look;
  l->node = d->node, l->path = d->path, l->own_layout = d->delivery.driver->own_layout, l->allow_pickle = d->o->allow_pickle;
  l->warned = d->o->warned, l->warned_ctx = d->o->warned_ctx, l->file_name = d->file_name;
  return ipfsa_model_look_at(l, err);
}

static ipfsa_status find_endpoint(dispatching *d, ipfsa_config **ret_own, ipfsa_endpoint *ret, ipfsa_error *err) {
  ipfsa_status status = d->o->settings ? ipfsa_config_parse(d->o->settings, strlen(d->o->settings), "the settings", ret_own, err) : IPFSA_OK;
  if (status) return status;
  d->config = d->o->settings ? *ret_own : d->node->config;
  status = ipfsa_endpoint_load(d->config, d->o->endpoint ? d->o->endpoint : ipfsa_config_string(d->config, "endpoints.default"), ret, err);
  return status ? status : ipfsa_endpoint_check(ret, err);
}

ipfsa_status ipfsa_dispatch(ipfsa_node *node, const char *path, const ipfsa_dispatch_options *options, ipfsa_dispatched **ret, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_dispatch_options o = IPFSA_OPTIONS(ipfsa_dispatch_options, options);
  IPFSA_AUTO_ENDPOINT ipfsa_endpoint e = {0};
  dispatching d = {.node = node, .o = &o, .path = path, .endpoint = &e};
  ipfsa_lease *lease = NULL;
  ipfsa_config *own = NULL;
  if (node->read_only) return ipfsa_fail(err, IPFSA_E_READ_ONLY, "the repo is open for reading only");
  ipfsa_status status = find_endpoint(&d, &own, &e, err);
  if (status == IPFSA_OK) status = find_content(&d, err);
  if (status == IPFSA_OK) status = ipfsa_lease_new(node->store, &lease, err);
  if (status == IPFSA_OK) status = ipfsa_lease_add(lease, &d.cid, err);
  if (status == IPFSA_OK) d.delivery.driver = ipfsa_driver_find(e.kind);
  if (status == IPFSA_OK) status = look(&d, err);
  if (status == IPFSA_OK) status = deliver(&d, err);
  if (status == IPFSA_OK) status = answer(&d, ret, err);
  ipfsa_file_close(d.open);
  ipfsa_placed_release(&d.delivery.placed);
  ipfsa_model_look_release(&d.look);
  ipfsa_lease_free(lease);
  ipfsa_config_free(own);
  return status;
}
