#include <ipfsa/block.h>
#include <ipfsa/pin.h>

#include "node/dag.h"

ipfsa_status ipfsa_block_get(ipfsa_node *node, const ipfsa_cid *cid, ipfsa_write_cb write, void *ctx, ipfsa_error *err) {
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  ipfsa_status status = ipfsa_blockstore_get(node->bs, cid, &block, err);
  if (status == IPFSA_OK && write(ctx, block.data.data, block.data.len) != 0) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "the output takes no more");
  return status;
}

ipfsa_status ipfsa_block_size(ipfsa_node *node, const ipfsa_cid *cid, uint64_t *ret, ipfsa_error *err) {
  return ipfsa_blockstore_size(node->bs, cid, ret, err);
}

ipfsa_status ipfsa_block_put(ipfsa_node *node, ipfsa_bytes data, unsigned version, uint64_t codec, uint64_t hash, size_t digest_len, bool pin,
                             ipfsa_cid *ret, ipfsa_error *err) {
  ipfsa_cid cid;
  ipfsa_status status = ipfsa_cid_of_block(version, codec, hash, digest_len, data, &cid, err);
  if (status == IPFSA_OK) status = ipfsa_node_put_block(node, &cid, data, pin, err);
  if (status == IPFSA_OK) *ret = cid;
  return status;
}

/* With gc's gate shut and the store's lock held nobody pins between the question and the removal. */
static ipfsa_status remove_unpinned(ipfsa_node *node, const ipfsa_cid *cid, ipfsa_error *err) {
  ipfsa_pin pin;
  ipfsa_cid through;
  char text[IPFSA_MAX_CID_TEXT];
  ipfsa_status status = ipfsa_pin_find(node, cid, IPFSA_PIN_NONE, &pin, &through, err);
  if (status == IPFSA_OK && pin.mode == IPFSA_PIN_INDIRECT) ipfsa_cid_format(&through, text);
  if (status == IPFSA_OK && pin.mode == IPFSA_PIN_INDIRECT) return ipfsa_fail(err, IPFSA_E_PINNED, "pinned via %.300s", text);
  if (status == IPFSA_OK) return ipfsa_fail(err, IPFSA_E_PINNED, "pinned: %s", pin.mode == IPFSA_PIN_RECURSIVE ? "recursive" : "direct");
  if (status != IPFSA_E_NOT_PINNED) return status;
  ipfsa_blockstore_writer *w = NULL;
  status = ipfsa_blockstore_begin(node->bs, &w, err);
  if (status == IPFSA_OK) status = ipfsa_writer_del(w, cid, err);
  if (status == IPFSA_OK) status = ipfsa_writer_commit(w, err);
  ipfsa_writer_close(w);
  return status;
}

ipfsa_status ipfsa_block_rm(ipfsa_node *node, const ipfsa_cid *cid, bool force, ipfsa_error *err) {
  ipfsa_status status = ipfsa_store_lock(node->store, err);
  if (status) return status;
  ipfsa_pins_gate_shut();
  status = remove_unpinned(node, cid, err);
  ipfsa_pins_gate_open();
  ipfsa_store_unlock(node->store);
  if (status != IPFSA_E_NOT_FOUND) return status;
  if (force) return IPFSA_OK;
  char text[IPFSA_MAX_CID_TEXT];
  ipfsa_cid_format(cid, text);
  return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "ipld: could not find %.200s", text);
}
