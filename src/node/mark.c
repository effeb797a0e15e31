#include "node/mark.h"

#include "node/dag_walk.h"
#include "store/aliases.h"
#include "store/hold.h"

ipfsa_status ipfsa_mark_init(ipfsa_mark *mark, ipfsa_node *node, uint64_t lease_grace_s, ipfsa_error *err) {
  *mark = (ipfsa_mark){.node = node, .lease_grace_s = lease_grace_s};
  ipfsa_status status = ipfsa_live_set_init(&mark->live, err);
  if (status == IPFSA_OK) status = ipfsa_cid_set_new(&mark->seen, err);
  for (int i = 0; i < 2 && status == IPFSA_OK; i++) status = ipfsa_cid_set_new(&mark->bad[i], err);
  return status;
}

void ipfsa_mark_release(ipfsa_mark *mark) {
  ipfsa_live_set_release(&mark->live);
  ipfsa_cid_set_free(mark->seen);
  for (int i = 0; i < 2; i++) ipfsa_cid_set_free(mark->bad[i]);
  ipfsa_free(mark->stack);
  ipfsa_free(mark->damaged);
}

static bool push(ipfsa_mark *mark, const ipfsa_cid *cid, bool lenient) {
  if (!ipfsa_grow((void **)&mark->stack, &mark->cap, mark->n + 1, sizeof *mark->stack)) return false;
  mark->stack[mark->n++] = (ipfsa_mark_item){*cid, lenient};
  return true;
}

static ipfsa_status note_damaged(ipfsa_mark *mark, const ipfsa_mark_item *item, ipfsa_error *err) {
  bool is_new = false;
  ipfsa_status status = ipfsa_cid_set_add(mark->bad[item->lenient], &item->cid, false, &is_new, err);
  if (status || !is_new) return status;
  if (!ipfsa_grow((void **)&mark->damaged, &mark->damaged_cap, mark->n_damaged + 1, sizeof *mark->damaged)) return ipfsa_fail_nomem(err);
  mark->damaged[mark->n_damaged++] = *item;
  return IPFSA_OK;
}

static int push_link(void *ctx, ipfsa_bytes name, const ipfsa_cid *cid, uint64_t tsize) {
  (void)name, (void)tsize;
  ipfsa_mark *mark = ctx;
  return push(mark, cid, mark->lenient) ? 0 : 1;
}

static ipfsa_cid seen_key(const ipfsa_cid *cid) {
  ipfsa_cid v1 = *cid;
  v1.version = 1;
  return v1;
}

/* The fault of a block below the root of a pin is noted, any other ends the mark. */
static ipfsa_status judge(ipfsa_mark *mark, const ipfsa_mark_item *item, bool is_root, ipfsa_status status, const ipfsa_error *why, ipfsa_error *err) {
  if (ipfsa_is_fault_of_block(status) && !is_root) return note_damaged(mark, item, err);
  if (err) *err = *why;
  return status;
}

/* A block that was read: what it links to is pushed. */
static ipfsa_status push_links(ipfsa_mark *mark, const ipfsa_mark_item *item, bool is_root, ipfsa_bytes data, ipfsa_error *err) {
  ipfsa_error why = {0};
  mark->lenient = item->lenient;
  ipfsa_status status = ipfsa_block_links(&item->cid, data, push_link, mark, &why);
  if (status == IPFSA_E_CANCELLED) return ipfsa_fail_nomem(err);
  if (status) return judge(mark, item, is_root, status, &why, err);
  ipfsa_cid key = seen_key(&item->cid);
  return ipfsa_cid_set_add(mark->seen, &key, false, NULL, err);
}

/* Several are read at a time: neighbours in one call, hashed side by side. The first that cannot be read is judged alone. */
static ipfsa_status expand(ipfsa_mark *mark, bool is_root, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  for (size_t at = 0; status == IPFSA_OK && at < mark->n_batch;) {
    ipfsa_block blocks[IPFSA_MAX_GET_MANY];
    ipfsa_cid cids[IPFSA_MAX_GET_MANY];
    ipfsa_error why = {0};
    size_t got = 0;
    for (size_t i = at; i < mark->n_batch; i++) cids[i - at] = mark->batch[i].cid;
    ipfsa_status read = ipfsa_blockstore_get_many(mark->node->bs, cids, mark->n_batch - at, false, blocks, &got, &why);
    if (read) {
      status = judge(mark, &mark->batch[at++], is_root, read, &why, err);
      continue;
    }
    for (size_t i = 0; i < got; i++) {
      if (status == IPFSA_OK) status = push_links(mark, &mark->batch[at + i], is_root, blocks[i].data, err);
      ipfsa_block_release(&blocks[i]);
    }
    at += got;
  }
  mark->n_batch = 0;
  ipfsa_progress at = {.done_items = mark->live.count};
  if (status == IPFSA_OK && mark->progress && mark->progress(mark->progress_ctx, &at) != 0) return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled; nothing was removed");
  return status;
}

static bool in_batch(const ipfsa_mark *mark, const ipfsa_cid *cid) {
  for (size_t i = 0; i < mark->n_batch; i++)
    if (mark->batch[i].cid.codec == cid->codec && ipfsa_multihash_equal(&mark->batch[i].cid.mh, &cid->mh)) return true;
  return false;
}

/* Leaves are done with here, unread; what may have links joins the batch of those to be read. */
static ipfsa_status mark_one(ipfsa_mark *mark, const ipfsa_mark_item *item, bool is_root, ipfsa_error *err) {
  bool raw = item->cid.codec == IPFSA_CODEC_RAW, identity = ipfsa_cid_is_identity(&item->cid), leaf = raw && identity;
  ipfsa_cid key = seen_key(&item->cid);
  ipfsa_error why = {0};
  ipfsa_status status = identity ? IPFSA_OK : ipfsa_live_set_add(&mark->live, &item->cid.mh, err);
  if (status || leaf || (!raw && (ipfsa_cid_set_has(mark->seen, &key, false) || in_batch(mark, &item->cid)))) return status;
  status = ipfsa_blockstore_is_leaf(mark->node->bs, &item->cid, &leaf, &why);
  if (status == IPFSA_OK && raw && !leaf) status = ipfsa_fail(&why, IPFSA_E_NOT_FOUND, "missing");
  if (status) return judge(mark, item, is_root, status, &why, err);
  if (!leaf) mark->batch[mark->n_batch++] = *item;
  return IPFSA_OK;
}

/* Depth first over an explicit stack, several steps at a time; the first item is the root. */
static ipfsa_status mark_from(ipfsa_mark *mark, const ipfsa_cid *root, bool lenient, bool is_root, ipfsa_error *err) {
  mark->n = mark->n_batch = 0;
  if (!push(mark, root, lenient)) return ipfsa_fail_nomem(err);
  ipfsa_status status = IPFSA_OK;
  while (mark->n && status == IPFSA_OK) {
    if (ipfsa_node_is_cancelled(mark->node)) return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
    while (mark->n && mark->n_batch < IPFSA_MAX_GET_MANY && status == IPFSA_OK) {
      ipfsa_mark_item item = mark->stack[--mark->n];
      status = mark_one(mark, &item, is_root, err);
    }
    if (status == IPFSA_OK) status = expand(mark, is_root, err);
    is_root = false;
  }
  return status;
}

typedef struct root_pass {
  ipfsa_mark *mark;
  ipfsa_status status;
  ipfsa_error err;
} root_pass;

static int mark_root(root_pass *pass, const char *what, const ipfsa_cid *cid) {
  ipfsa_error why = {0};
  pass->status = mark_from(pass->mark, cid, false, true, &why);
  if (pass->status == IPFSA_OK) return 0;
  if (ipfsa_is_fault_of_block(pass->status)) {
    char text[IPFSA_MAX_CID_TEXT];
    ipfsa_cid_format(cid, text);
    pass->mark->failed_root = *cid;
    pass->status = ipfsa_fail(&pass->err, IPFSA_E_CORRUPT,
                              "the root block of the %s %.150s cannot be read (%.150s); nothing was removed: bring the block back or unpin it",
                              what, text, why.message);
  } else pass->err = why;
  return 1;
}

static int mark_pin(void *ctx, const ipfsa_pin *pin) {
  root_pass *pass = ctx;
  if (pin->mode == IPFSA_PIN_RECURSIVE) return mark_root(pass, "pin", &pin->cid);
  if (!ipfsa_cid_is_identity(&pin->cid)) pass->status = ipfsa_live_set_add(&pass->mark->live, &pin->cid.mh, &pass->err);
  return pass->status != IPFSA_OK;
}

static bool is_alias(const char *name) { return strncmp(name, IPFSA_ALIAS_ROOT, strlen(IPFSA_ALIAS_ROOT)) == 0; }

static int mark_named(void *ctx, const char *name, const ipfsa_cid *cid) {
  char what[300];
  if (is_alias(name)) return 0;
  snprintf(what, sizeof what, "root \"%.100s\"", name);
  return mark_root(ctx, what, cid);
}

/* What an alias names need not be here. */
static int mark_alias(void *ctx, const char *name, const ipfsa_cid *cid) {
  root_pass *pass = ctx;
  if (is_alias(name)) pass->status = mark_from(pass->mark, cid, true, false, &pass->err);
  return pass->status != IPFSA_OK;
}

static int mark_lease(void *ctx, const ipfsa_cid *cid) {
  root_pass *pass = ctx;
  pass->status = mark_from(pass->mark, cid, true, false, &pass->err);
  return pass->status != IPFSA_OK;
}

/* What could not be read before may have been written since, with everything below it. */
static ipfsa_status mark_damaged_again(ipfsa_mark *mark, ipfsa_error *err) {
  size_t n = mark->n_damaged;
  IPFSA_AUTO_FREE ipfsa_mark_item *again = ipfsa_steal(mark->damaged);
  mark->n_damaged = mark->damaged_cap = 0;
  ipfsa_status status = IPFSA_OK;
  for (int i = 0; i < 2 && status == IPFSA_OK; i++) {
    ipfsa_cid_set_free(mark->bad[i]);
    mark->bad[i] = NULL;
    status = ipfsa_cid_set_new(&mark->bad[i], err);
  }
  for (size_t i = 0; i < n && status == IPFSA_OK; i++) status = mark_from(mark, &again[i].cid, again[i].lenient, false, err);
  return status;
}

ipfsa_status ipfsa_mark_all(ipfsa_mark *mark, ipfsa_error *err) {
  root_pass pass = {.mark = mark};
  ipfsa_store *store = mark->node->store;
  ipfsa_error local = {0};
  ipfsa_status status = mark_damaged_again(mark, &local);
  /* Aliases, leases and holds last: what they share with pins was then marked strictly. */
  if (status == IPFSA_OK) status = ipfsa_pins_iterate(store, mark_pin, &pass, &local);
  if (status == IPFSA_OK) status = ipfsa_roots_iterate(store, mark_named, &pass, &local);
  if (status == IPFSA_OK) status = ipfsa_roots_iterate(store, mark_alias, &pass, &local);
  if (status == IPFSA_OK) status = ipfsa_leases_iterate(store, mark->lease_grace_s, mark_lease, &pass, &local);
  if (status == IPFSA_OK) status = ipfsa_holds_iterate(store, mark_lease, &pass, &local);
  if (pass.status) status = pass.status, local = pass.err;
  if (status && err) *err = local;
  return status;
}
