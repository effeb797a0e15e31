/* Pins of a node: complete DAGs only. */
#include <ipfsa/pin.h>

#include "node/dag_walk.h"
#include "node/path.h"

static ipfsa_status require_block(ipfsa_node *node, const ipfsa_cid *cid, ipfsa_error *err) {
  bool here = false;
  ipfsa_status status = ipfsa_blockstore_has(node->bs, cid, &here, err);
  if (status || here) return status;
  uint64_t size = 0;
  return ipfsa_blockstore_size(node->bs, cid, &size, err); /* says what is missing in the store's words */
}

ipfsa_status ipfsa_pin_resolve(ipfsa_node *node, const char *path, ipfsa_cid *ret, ipfsa_error *err) {
  ipfsa_resolved at;
  ipfsa_status status = ipfsa_node_resolve(node, path, &at, err);
  if (status) return status;
  if (at.remainder[0])
    return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "\"%.200s\" ends inside a block, at \"%.100s\"; only whole blocks can be pinned", path, at.remainder);
  *ret = at.cid;
  return IPFSA_OK;
}

/* --- add --- */

typedef struct pin_check {
  const ipfsa_pin_add_options *options;
  ipfsa_progress at;
} pin_check;

static int check_visit(void *ctx, const ipfsa_dag_visit *at) {
  pin_check *check = ctx;
  const ipfsa_pin_add_options *o = check->options;
  check->at.done_items++;
  check->at.done_bytes += at->size;
  return o && o->progress && o->progress(o->progress_ctx, &check->at) != 0;
}

/* Leaves are looked up and not read: a pin is about being here; pin verify reads. */
static ipfsa_status check_complete(ipfsa_node *node, const ipfsa_cid *root, const ipfsa_pin_add_options *options, ipfsa_error *err) {
  pin_check check = {.options = options};
  return ipfsa_dag_walk(node, root, &(ipfsa_dag_walk_options){.leaves = IPFSA_DAG_LEAVES_SIZED, .visit = check_visit, .ctx = &check}, err);
}

/* The lease keeps gc off the DAG between the look and the pin. */
static ipfsa_status check_leased(ipfsa_node *node, const ipfsa_cid *root, const ipfsa_pin_add_options *options, ipfsa_lease **ret,
                                 ipfsa_error *err) {
  ipfsa_lease *lease = NULL;
  ipfsa_status status = require_block(node, root, err); /* first, so that a mistyped CID costs no write */
  if (status == IPFSA_OK) status = ipfsa_lease_new(node->store, &lease, err);
  if (status == IPFSA_OK) status = ipfsa_lease_add(lease, root, err);
  if (status == IPFSA_OK)
    status = options && options->direct ? require_block(node, root, err) : check_complete(node, root, options, err);
  if (status) {
    ipfsa_lease_free(lease);
    return status;
  }
  *ret = lease;
  return IPFSA_OK;
}

ipfsa_status ipfsa_pin_add(ipfsa_node *node, const ipfsa_cid *cid, const ipfsa_pin_add_options *given, ipfsa_error *err) {
  ipfsa_pin_add_options options = IPFSA_OPTIONS(ipfsa_pin_add_options, given);
  ipfsa_pin pin = {.cid = *cid, .mode = options.direct ? IPFSA_PIN_DIRECT : IPFSA_PIN_RECURSIVE};
  size_t name_len = options.name ? strlen(options.name) : 0;
  if (name_len > IPFSA_MAX_PIN_NAME)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "a pin name has at most %d bytes, this one has %zu", IPFSA_MAX_PIN_NAME, name_len);
  if (name_len) memcpy(pin.name, options.name, name_len);
  ipfsa_lease *lease = NULL;
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_status status = check_leased(node, cid, &options, &lease, err);
  if (status) return status == IPFSA_E_NOT_FOUND ? ipfsa_error_prefix(err, status, "pin") : status;
  status = ipfsa_pins_set(node->store, &pin, 1, err);
  ipfsa_lease_free(lease);
  return status;
}

ipfsa_status ipfsa_pin_rm(ipfsa_node *node, const ipfsa_cid *cid, bool recursive, ipfsa_error *err) {
  ipfsa_pin pin;
  ipfsa_status status = ipfsa_pins_get(node->store, cid, &pin, err);
  if (status) return status;
  if (pin.mode == IPFSA_PIN_RECURSIVE && !recursive) {
    char text[IPFSA_MAX_CID_TEXT];
    ipfsa_cid_format(cid, text);
    return ipfsa_fail(err, IPFSA_E_PINNED, "%.300s is pinned recursively", text);
  }
  return ipfsa_pins_remove(node->store, cid, err);
}

ipfsa_status ipfsa_pin_update(ipfsa_node *node, const ipfsa_cid *from, const ipfsa_cid *to, bool unpin, ipfsa_error *err) {
  ipfsa_pin pin;
  ipfsa_lease *lease = NULL;
  ipfsa_status status = ipfsa_pins_get(node->store, from, &pin, err);
  if (status == IPFSA_E_NOT_PINNED) return ipfsa_fail(err, status, "'from' cid was not recursively pinned already");
  if (status == IPFSA_OK && !ipfsa_cid_equal(from, to)) status = check_leased(node, to, NULL, &lease, err);
  if (status == IPFSA_OK) status = ipfsa_pins_update(node->store, from, to, unpin, err);
  ipfsa_lease_free(lease);
  return status;
}

/* --- list and find --- */

typedef struct pin_listing {
  ipfsa_node *node;
  ipfsa_pin_mode mode;
  const char *name_contains;
  ipfsa_pin_cb cb;
  void *ctx;
  ipfsa_pin *recursive; /* roots to walk */
  size_t n, cap;
  ipfsa_cid_set *own;  /* pins of their own */
  ipfsa_status status; /* why a callback stopped */
  ipfsa_error err;
} pin_listing;

static bool wants(const pin_listing *l, const ipfsa_pin *pin) {
  if (l->mode != IPFSA_PIN_NONE && l->mode != pin->mode) return false;
  return !l->name_contains || strstr(pin->name, l->name_contains) != NULL;
}

static int list_pin(void *ctx, const ipfsa_pin *pin) {
  pin_listing *l = ctx;
  if (l->own) l->status = ipfsa_cid_set_add(l->own, &pin->cid, false, NULL, &l->err);
  if (l->status) return 1;
  if (l->own && pin->mode == IPFSA_PIN_RECURSIVE) {
    if (!ipfsa_grow((void **)&l->recursive, &l->cap, l->n + 1, sizeof *l->recursive)) {
      l->status = ipfsa_fail_nomem(&l->err);
      return 1;
    }
    l->recursive[l->n++] = *pin;
  }
  return wants(l, pin) ? l->cb(l->ctx, pin) : 0;
}

static int list_indirect(void *ctx, const ipfsa_dag_visit *at) {
  pin_listing *l = ctx;
  if (ipfsa_cid_set_has(l->own, at->cid, false)) return 0;
  ipfsa_pin pin = {.cid = *at->cid, .mode = IPFSA_PIN_INDIRECT};
  return l->cb(l->ctx, &pin);
}

static ipfsa_status walk_listing(pin_listing *l, ipfsa_error *err) {
  ipfsa_cid_set *seen = NULL;
  ipfsa_status status = ipfsa_cid_set_new(&seen, err);
  ipfsa_dag_walk_options walk = {.leaves = IPFSA_DAG_LEAVES_NAMED, .visit = list_indirect, .ctx = l, .seen = seen};
  for (size_t i = 0; i < l->n && status == IPFSA_OK; i++) status = ipfsa_dag_walk(l->node, &l->recursive[i].cid, &walk, err);
  ipfsa_cid_set_free(seen);
  return status;
}

static void release_listing(pin_listing *l) {
  ipfsa_free(l->recursive);
  ipfsa_cid_set_free(l->own);
}

static ipfsa_status fail_listing(pin_listing *l, ipfsa_status status, ipfsa_error *err) {
  if (l->status == IPFSA_OK) return status;
  if (err) *err = l->err;
  return l->status;
}

ipfsa_status ipfsa_pin_list(ipfsa_node *node, ipfsa_pin_mode mode, const char *name_contains, ipfsa_pin_cb cb, void *ctx,
                            ipfsa_error *err) {
  pin_listing l = {.node = node, .mode = mode, .name_contains = name_contains, .cb = cb, .ctx = ctx};
  /* Indirect pins have no names, so a wish for a name leaves them out. */
  bool indirect = (mode == IPFSA_PIN_NONE || mode == IPFSA_PIN_INDIRECT) && !(name_contains && *name_contains);
  ipfsa_status status = indirect ? ipfsa_cid_set_new(&l.own, err) : IPFSA_OK;
  if (status == IPFSA_OK) status = ipfsa_pins_iterate(node->store, list_pin, &l, err);
  if (status == IPFSA_OK && indirect) status = walk_listing(&l, err);
  release_listing(&l);
  return fail_listing(&l, status, err);
}

typedef struct pin_search {
  const ipfsa_cid *cid;
  bool found;
} pin_search;

static int search_visit(void *ctx, const ipfsa_dag_visit *at) {
  pin_search *search = ctx;
  search->found = at->depth > 0 && ipfsa_cid_equal(at->cid, search->cid);
  return search->found;
}

static int ignore_pin(void *ctx, const ipfsa_pin *pin) {
  (void)ctx, (void)pin;
  return 0;
}

/* Each pin is walked but for what an earlier one had: then it was not in there. */
static ipfsa_status search_below(pin_listing *l, const ipfsa_cid *cid, ipfsa_pin *ret, ipfsa_cid *ret_through, ipfsa_error *err) {
  ipfsa_cid_set *seen = NULL;
  pin_search search = {.cid = cid};
  ipfsa_status status = ipfsa_cid_set_new(&seen, err);
  ipfsa_dag_walk_options walk = {.leaves = IPFSA_DAG_LEAVES_NAMED, .visit = search_visit, .ctx = &search, .seen = seen};
  size_t i = 0;
  for (; i < l->n && status == IPFSA_OK && !search.found; i++) status = ipfsa_dag_walk(l->node, &l->recursive[i].cid, &walk, err);
  ipfsa_cid_set_free(seen);
  if (!search.found) return status ? status : ipfsa_fail(err, IPFSA_E_NOT_PINNED, "not pinned");
  *ret = (ipfsa_pin){.cid = *cid, .mode = IPFSA_PIN_INDIRECT};
  if (ret_through) *ret_through = l->recursive[i - 1].cid;
  return IPFSA_OK;
}

ipfsa_status ipfsa_pin_find(ipfsa_node *node, const ipfsa_cid *cid, ipfsa_pin_mode mode, ipfsa_pin *ret, ipfsa_cid *ret_through,
                            ipfsa_error *err) {
  ipfsa_pin pin;
  ipfsa_status status = ipfsa_pins_get(node->store, cid, &pin, err);
  if (status && status != IPFSA_E_NOT_PINNED) return status;
  if (status == IPFSA_OK && (mode == IPFSA_PIN_NONE || mode == pin.mode)) {
    *ret = pin;
    return IPFSA_OK;
  }
  if (mode != IPFSA_PIN_NONE && mode != IPFSA_PIN_INDIRECT) return ipfsa_fail(err, IPFSA_E_NOT_PINNED, "not pinned");
  pin_listing l = {.node = node, .cb = ignore_pin};
  status = ipfsa_cid_set_new(&l.own, err);
  if (status == IPFSA_OK) status = ipfsa_pins_iterate(node->store, list_pin, &l, err);
  if (status == IPFSA_OK) status = search_below(&l, cid, ret, ret_through, err);
  release_listing(&l);
  return fail_listing(&l, status, err);
}
