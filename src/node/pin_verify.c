/* pin verify: below every recursive pin, every node is read, hashed and decoded, and every leaf is here. */
#include <ipfsa/pin.h>

#include "node/dag_walk.h"
#include "store/pins.h"

typedef struct pin_verification {
  ipfsa_node *node;
  ipfsa_pin_verdict_cb cb;
  void *ctx;
  ipfsa_progress_cb progress;
  void *progress_ctx;
  ipfsa_progress at;
  ipfsa_cid_set *seen; /* shared while all pins were good: what was seen then is good below, too */
  bool out_of_memory, cancelled;
  uint64_t n_bad_pins;
  ipfsa_pin_bad *bad;
  size_t n_listed, bad_cap;
  ipfsa_pin_verdict verdict;
  ipfsa_status status;
  ipfsa_error err;
} pin_verification;

static bool note_bad(pin_verification *v, const ipfsa_cid *cid, const ipfsa_error *why) {
  v->verdict.n_bad++;
  if (v->n_listed >= IPFSA_MAX_PIN_BAD) return true;
  if (!ipfsa_grow((void **)&v->bad, &v->bad_cap, v->n_listed + 1, sizeof *v->bad)) return false;
  ipfsa_pin_bad *bad = &v->bad[v->n_listed++];
  bad->cid = *cid;
  snprintf(bad->message, sizeof bad->message, "%.250s", why->message);
  return true;
}

static int verify_block(void *ctx, const ipfsa_dag_visit *at) {
  pin_verification *v = ctx;
  v->verdict.n_blocks++;
  v->at.done_items++;
  v->out_of_memory = at->status && !note_bad(v, at->cid, at->why);
  v->cancelled = v->progress && v->progress(v->progress_ctx, &v->at) != 0;
  return v->out_of_memory || v->cancelled;
}

static ipfsa_status verify_dag(pin_verification *v, const ipfsa_cid *root) {
  ipfsa_dag_walk_options walk = {.leaves = IPFSA_DAG_LEAVES_SIZED, .take_faults = true, .visit = verify_block, .ctx = v, .seen = v->seen};
  ipfsa_status status = ipfsa_dag_walk(v->node, root, &walk, &v->err);
  if (v->cancelled) return ipfsa_fail(&v->err, IPFSA_E_CANCELLED, "cancelled");
  return v->out_of_memory ? ipfsa_fail_nomem(&v->err) : status;
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

ipfsa_status ipfsa_pin_verify(ipfsa_node *node, ipfsa_pin_verdict_cb cb, void *ctx, ipfsa_progress_cb progress, void *progress_ctx, uint64_t *ret_n_bad,
                              ipfsa_error *err) {
  pin_verification v = {.node = node, .cb = cb, .ctx = ctx, .progress = progress, .progress_ctx = progress_ctx};
  ipfsa_status status = ipfsa_cid_set_new(&v.seen, err);
  if (status == IPFSA_OK) status = ipfsa_pins_iterate(node->store, verify_pin, &v, err);
  ipfsa_cid_set_free(v.seen);
  ipfsa_free(v.bad);
  if (v.status) {
    if (err) *err = v.err;
    return v.status;
  }
  if (status == IPFSA_OK && ret_n_bad) *ret_n_bad = v.n_bad_pins;
  return status;
}
