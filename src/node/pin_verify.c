/* pin verify: every block below every recursive pin is read, hashed and decoded. */
#include <ipfsa/pin.h>

#include "ipld/walk.h"
#include "node/node.h"

typedef struct pin_verification {
  ipfsa_node *node;
  ipfsa_pin_verdict_cb cb;
  void *ctx;
  ipfsa_cid_set *seen; /* shared while all pins were good: what was seen then is good below, too */
  ipfsa_cid *stack;
  size_t n, cap;
  bool out_of_memory;
  uint64_t n_bad_pins;
  ipfsa_pin_bad *bad;
  size_t n_listed, bad_cap;
  ipfsa_pin_verdict verdict;
  ipfsa_status status;
  ipfsa_error err;
} pin_verification;

static int push_link(void *ctx, ipfsa_bytes name, const ipfsa_cid *cid, uint64_t tsize) {
  (void)name, (void)tsize;
  pin_verification *v = ctx;
  v->out_of_memory = !ipfsa_grow((void **)&v->stack, &v->cap, v->n + 1, sizeof *v->stack);
  if (v->out_of_memory) return 1;
  v->stack[v->n++] = *cid;
  return 0;
}

static bool note_bad(pin_verification *v, const ipfsa_cid *cid, const ipfsa_error *why) {
  v->verdict.n_bad++;
  if (v->n_listed >= IPFSA_MAX_PIN_BAD) return true;
  if (!ipfsa_grow((void **)&v->bad, &v->bad_cap, v->n_listed + 1, sizeof *v->bad)) return false;
  ipfsa_pin_bad *bad = &v->bad[v->n_listed++];
  bad->cid = *cid;
  snprintf(bad->message, sizeof bad->message, "%.250s", why->message);
  return true;
}

/* What a block can be at fault for; all else (memory, disk) is a failure to check. */
static bool is_fault_of_block(ipfsa_status status) {
  return status == IPFSA_E_NOT_FOUND || status == IPFSA_E_CORRUPT || status == IPFSA_E_MALFORMED || status == IPFSA_E_LIMIT ||
         status == IPFSA_E_DENIED || status == IPFSA_E_CHANGED;
}

static ipfsa_status verify_block(pin_verification *v, const ipfsa_cid *cid) {
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  ipfsa_error why = {0};
  v->verdict.n_blocks++;
  ipfsa_status status = ipfsa_blockstore_get(v->node->bs, cid, &block, &why);
  if (status == IPFSA_OK) status = ipfsa_block_links(cid, block.data, push_link, v, &why);
  if (v->out_of_memory) return ipfsa_fail_nomem(&v->err);
  if (status == IPFSA_OK) return IPFSA_OK;
  if (!is_fault_of_block(status)) {
    v->err = why;
    return status;
  }
  return note_bad(v, cid, &why) ? IPFSA_OK : ipfsa_fail_nomem(&v->err);
}

static ipfsa_status verify_dag(pin_verification *v, const ipfsa_cid *root) {
  v->n = 0;
  ipfsa_status status = push_link(v, (ipfsa_bytes){0}, root, 0) == 0 ? IPFSA_OK : ipfsa_fail_nomem(&v->err);
  while (status == IPFSA_OK && v->n) {
    ipfsa_cid cid = v->stack[--v->n];
    bool is_new = false;
    if (ipfsa_node_is_cancelled(v->node)) return ipfsa_fail(&v->err, IPFSA_E_CANCELLED, "cancelled");
    status = ipfsa_cid_set_add(v->seen, &cid, false, &is_new, &v->err);
    if (status == IPFSA_OK && is_new) status = verify_block(v, &cid);
  }
  return status;
}

static ipfsa_status fresh_seen(pin_verification *v) {
  ipfsa_cid_set_free(v->seen);
  v->seen = NULL;
  return ipfsa_cid_set_new(&v->seen, &v->err);
}

static int verify_pin(void *ctx, const ipfsa_pin *pin) {
  pin_verification *v = ctx;
  if (pin->mode != IPFSA_PIN_RECURSIVE) return 0;
  v->n_listed = 0;
  v->verdict = (ipfsa_pin_verdict){.cid = &pin->cid};
  v->status = verify_dag(v, &pin->cid);
  if (v->status) return 1;
  if (v->verdict.n_bad) v->status = fresh_seen(v);
  if (v->status) return 1;
  v->verdict.ok = v->verdict.n_bad == 0;
  v->verdict.bad = v->bad;
  v->verdict.n_listed = v->n_listed;
  v->n_bad_pins += !v->verdict.ok;
  return v->cb(v->ctx, &v->verdict);
}

ipfsa_status ipfsa_pin_verify(ipfsa_node *node, ipfsa_pin_verdict_cb cb, void *ctx, uint64_t *ret_n_bad, ipfsa_error *err) {
  pin_verification v = {.node = node, .cb = cb, .ctx = ctx};
  ipfsa_status status = ipfsa_cid_set_new(&v.seen, err);
  if (status == IPFSA_OK) status = ipfsa_pins_iterate(node->store, verify_pin, &v, err);
  ipfsa_cid_set_free(v.seen);
  ipfsa_free(v.stack);
  ipfsa_free(v.bad);
  if (v.status) {
    if (err) *err = v.err;
    return v.status;
  }
  if (status == IPFSA_OK && ret_n_bad) *ret_n_bad = v.n_bad_pins;
  return status;
}
