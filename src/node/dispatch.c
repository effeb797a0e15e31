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
#include "node/dispatch_to.h"
#include "node/dispatch_model.h"
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
  ipfsa_model m;
  const ipfsa_config *config; /* what has the endpoints */
  const ipfsa_dispatch_options *o;
  const ipfsa_endpoint *endpoint;
  ipfsa_delivery delivery;
  const ipfsa_model_file *open_file; /* the one that `open` reads */
  ipfsa_file *open;
  ipfsa_progress at; /* as last told */
  bool holds;        /* a tree of the repo's own */
} dispatching;

/* ---- what drivers ask for ---- */

static ipfsa_status plain_place(const dispatching *d, ipfsa_place_style style, ipfsa_buf *ret, ipfsa_error *err) {
  char name[sizeof d->m.name + sizeof d->m.cid_text];
  snprintf(name, sizeof name, style == IPFSA_PLACE_CONTENT ? "%s/%s" : "%s", d->m.name, d->m.cid_text);
  ipfsa_layout_plain(name, d->m.look.is_folder, d->m.file_name, d->m.look.format, ret);
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
  ipfsa_status status = ipfsa_layout_hub(d->m.name, &d->m.cid, model, commit, err);
  if (status) return status;
  ipfsa_buf_printf(ret, "%s/snapshots/%s", ipfsa_buf_cstr(model), commit);
  if (!d->m.look.is_folder) ipfsa_buf_u8(ret, '/'), ipfsa_layout_file_name(d->m.file_name, d->m.look.format, ret);
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
  ipfsa_status status = ipfsa_materialise(d->m.node, d->m.cid_text, HOLDER, &o, &tree, err);
  if (status) return status;
  d->holds = true;
  ipfsa_placed placed = {.path = ipfsa_strdup(tree->path), .changed = tree->made, .way = tree->way, .bytes = tree->made ? tree->size : 0};
  ipfsa_materialised_free(tree);
  if (!placed.path) return ipfsa_fail_nomem(err);
  *ret = placed;
  return IPFSA_OK;
}

static ipfsa_status let_go(dispatching *d, ipfsa_error *err) {
  return d->holds ? ipfsa_materialise_release(d->m.node, &d->m.cid, HOLDER, NULL, err) : IPFSA_OK;
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
  if (status == IPFSA_OK) status = ipfsa_publish(d->m.node, &d->m.cid, e->model_dir, ipfsa_buf_cstr(&place), d->o->progress, d->o->progress_ctx, &made, err);
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
    IPFSA_AUTO_FREE char *path = d->m.look.is_folder ? join(d->m.path, file->path) : ipfsa_strdup(d->m.path);
    ipfsa_status status = path ? ipfsa_file_open(d->m.node, path, &d->open, err) : ipfsa_fail_nomem(err);
    if (status) return status;
    d->open_file = file;
  }
  ipfsa_status status = ipfsa_file_read_at(d->open, off, data, len, ret_len, err);
  if (status == IPFSA_OK && *ret_len == 0 && len && off < file->size) return ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "%.200s ends before its size", file->path);
  return status;
}

static ipfsa_status recall(void *ctx, const char *server, const char *model, char **ret_text, ipfsa_error *err) {
  const dispatching *d = ctx;
  return ipfsa_dispatch_mark_get(d->m.node, server, model, ret_text, err);
}

static ipfsa_status remember(void *ctx, const char *server, const char *model, const char *text, ipfsa_error *err) {
  const dispatching *d = ctx;
  return ipfsa_dispatch_mark_set(d->m.node, server, model, text, err);
}

static int tell(void *ctx, uint64_t done, uint64_t total) {
  dispatching *d = ctx;
  if (done != UINT64_MAX) d->at = (ipfsa_progress){.done_bytes = done, .total_bytes = total};
  if (ipfsa_node_is_cancelled(d->m.node)) return 1;
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
  if (box) box->endpoint = ipfsa_strdup(d->endpoint->name), box->kind = ipfsa_strdup(d->endpoint->kind), box->model = ipfsa_strdup(d->m.name), box->place = ipfsa_strdup(v->placed.path);
  if (!box || !box->endpoint || !box->kind || !box->model || !box->place) {
    ipfsa_dispatched_free((ipfsa_dispatched *)box);
    return ipfsa_fail_nomem(err);
  }
  box->view = (ipfsa_dispatched){.cid = d->m.cid, .endpoint = box->endpoint, .kind = box->kind, .model = box->model, .place = box->place,
                                 .format = d->m.look.format ? ipfsa_checkpoint_format_name(d->m.look.format) : "folder", .source = v->transferred ? "store" : "cache",
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
  ipfsa_status status = ipfsa_model_choose_name(&d->m, d->o->name, v->driver->takes_hub && strcmp(d->endpoint->layout, "huggingface") == 0, err);
  if (status) return status;
  if (v->driver->flat_names) ipfsa_model_flatten(d->m.name);
  v->endpoint = d->endpoint, v->cid = d->m.cid_text, v->model = d->m.name, v->is_folder = d->m.look.is_folder, v->format = d->m.look.format;
  v->files = d->m.look.files, v->n_files = d->m.look.n_files, v->calls = &node_calls, v->ctx = d, v->way = "";
  status = open_server(d, &v->server, err);
  if (status == IPFSA_OK) status = v->driver->bring(v, err);
  ipfsa_server_close(v->server);
  ipfsa_status released = let_go(d, status ? NULL : err);
  if (status == IPFSA_OK) status = released;
  return status && *v->endpoint->kind ? ipfsa_error_prefix(err, status, "endpoint %.100s", d->endpoint->name) : status;
}

static ipfsa_status look(dispatching *d, ipfsa_error *err) {
  ipfsa_model_look *l = &d->m.look;
  l->node = d->m.node, l->path = d->m.path, l->own_layout = d->delivery.driver->own_layout, l->allow_pickle = d->o->allow_pickle;
  l->warned = d->o->warned, l->warned_ctx = d->o->warned_ctx, l->file_name = d->m.file_name;
  return ipfsa_model_look_at(l, err);
}

ipfsa_status ipfsa_dispatch_to(ipfsa_node *node, const ipfsa_config *config, const ipfsa_endpoint *e, const char *path, const ipfsa_dispatch_options *o, ipfsa_dispatched **ret,
                               ipfsa_error *err) {
  dispatching d = {.m = {.node = node, .path = path}, .config = config, .o = o, .endpoint = e};
  ipfsa_lease *lease = NULL;
  if (node->read_only) return ipfsa_fail(err, IPFSA_E_READ_ONLY, "the repo is open for reading only");
  ipfsa_status status = ipfsa_endpoint_check(e, err);
  if (status == IPFSA_OK) status = ipfsa_model_find(&d.m, err);
  if (status == IPFSA_OK) status = ipfsa_lease_new(node->store, &lease, err);
  if (status == IPFSA_OK) status = ipfsa_lease_add(lease, &d.m.cid, err);
  if (status == IPFSA_OK) d.delivery.driver = ipfsa_driver_find(e->kind);
  if (status == IPFSA_OK) status = look(&d, err);
  if (status == IPFSA_OK) status = deliver(&d, err);
  if (status == IPFSA_OK) status = answer(&d, ret, err);
  ipfsa_file_close(d.open);
  ipfsa_placed_release(&d.delivery.placed);
  ipfsa_model_release(&d.m);
  ipfsa_lease_free(lease);
  return status;
}

ipfsa_status ipfsa_dispatch(ipfsa_node *node, const char *path, const ipfsa_dispatch_options *options, ipfsa_dispatched **ret, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_dispatch_options o = IPFSA_OPTIONS(ipfsa_dispatch_options, options);
  IPFSA_AUTO_ENDPOINT ipfsa_endpoint e = {0};
  ipfsa_config *own = NULL;
  ipfsa_status status = o.settings ? ipfsa_config_parse(o.settings, strlen(o.settings), "the settings", &own, err) : IPFSA_OK;
  const ipfsa_config *config = own ? own : node->config;
  if (status == IPFSA_OK) status = ipfsa_endpoint_load(config, o.endpoint ? o.endpoint : ipfsa_config_string(config, "endpoints.default"), &e, err);
  if (status == IPFSA_OK) status = ipfsa_dispatch_to(node, config, &e, path, &o, ret, err);
  ipfsa_config_free(own);
  return status;
}
