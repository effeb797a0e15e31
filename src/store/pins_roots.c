/* Named roots: name → binary CID. */
#include "base/error.h"
#include "store/pins.h"

ipfsa_status ipfsa_roots_get(ipfsa_store *store, const char *name, ipfsa_cid *ret, ipfsa_error *err) {
  ipfsa_meta_txn *txn = NULL;
  ipfsa_bytes value = {0};
  ipfsa_status status = ipfsa_meta_begin(ipfsa_store_meta(store), false, &txn, err);
  if (status) return status;
  status = ipfsa_meta_get(txn, IPFSA_META_ROOTS, ipfsa_bytes_str(name), &value, err);
  if (status == IPFSA_OK) status = ipfsa_cid_decode(value, ret, err);
  ipfsa_meta_abort(txn);
  if (status == IPFSA_E_NOT_FOUND) return ipfsa_fail(err, status, "there is no root named \"%.200s\"", name);
  return status ? ipfsa_error_prefix(err, status, "the root \"%.100s\"", name) : IPFSA_OK;
}

typedef struct root_change {
  const char *name;
  const ipfsa_cid *cid; /* NULL: it goes */
} root_change;

static ipfsa_status put_root(ipfsa_meta_txn *txn, const void *how, ipfsa_error *err) {
  const root_change *change = how;
  uint8_t bytes[IPFSA_MAX_CID];
  ipfsa_bytes name = ipfsa_bytes_str(change->name);
  if (!change->cid) return ipfsa_meta_del(txn, IPFSA_META_ROOTS, name, err);
  return ipfsa_meta_put(txn, IPFSA_META_ROOTS, name, ipfsa_bytes_of(bytes, ipfsa_cid_encode(change->cid, bytes)), err);
}

static ipfsa_status change_root(ipfsa_store *store, const char *name, const ipfsa_cid *cid, ipfsa_error *err) {
  return ipfsa_pins__change(store, put_root, &(root_change){name, cid}, err);
}

ipfsa_status ipfsa_roots_set(ipfsa_store *store, const char *name, const ipfsa_cid *cid, ipfsa_error *err) { return change_root(store, name, cid, err); }

ipfsa_status ipfsa_roots_remove(ipfsa_store *store, const char *name, ipfsa_error *err) {
  ipfsa_status status = change_root(store, name, NULL, err);
  return status == IPFSA_E_NOT_FOUND ? ipfsa_fail(err, status, "there is no root named \"%.200s\"", name) : status;
}

typedef struct root_iteration {
  int (*cb)(void *ctx, const char *name, const ipfsa_cid *cid);
  void *ctx;
  ipfsa_status status;
  ipfsa_error err;
} root_iteration;

static int each_root(void *ctx, ipfsa_bytes key, ipfsa_bytes value) {
  root_iteration *it = ctx;
  ipfsa_cid cid;
  char name[512];
  snprintf(name, sizeof name, "%.*s", (int)key.len, (const char *)key.data);
  it->status = ipfsa_cid_decode(value, &cid, &it->err);
  if (it->status) {
    ipfsa_error_prefix(&it->err, it->status, "the root \"%.100s\"", name);
    return 1;
  }
  return it->cb(it->ctx, name, &cid);
}

ipfsa_status ipfsa_roots_iterate(ipfsa_store *store, int (*cb)(void *ctx, const char *name, const ipfsa_cid *cid), void *ctx,
                                 ipfsa_error *err) {
  ipfsa_meta_txn *txn = NULL;
  ipfsa_status status = ipfsa_meta_begin(ipfsa_store_meta(store), false, &txn, err);
  if (status) return status;
  root_iteration it = {.cb = cb, .ctx = ctx};
  status = ipfsa_meta_iterate(txn, IPFSA_META_ROOTS, each_root, &it, err);
  ipfsa_meta_abort(txn);
  if (it.status == IPFSA_OK) return status;
  if (err) *err = it.err;
  return it.status;
}
