/* DAG nodes by value: get, put, stat. */
#include <ipfsa/dag.h>

#include "ipld/value.h"
#include "node/dag.h"
#include "node/dag_walk.h"
#include "node/path.h"

static size_t find_remainder(const ipfsa_value *value, const char *rest) {
  size_t at = 0;
  while (*rest && at != SIZE_MAX) {
    size_t len = strcspn(rest, "/");
    at = ipfsa_value_child(value, at, ipfsa_bytes_of(rest, len));
    rest += len + (rest[len] == '/');
  }
  return at;
}

ipfsa_status ipfsa_dag_get(ipfsa_node *node, const char *path, uint64_t output_codec, ipfsa_write_cb write, void *ctx, ipfsa_error *err) {
  ipfsa_resolved at;
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  IPFSA_AUTO(ipfsa_value_release) ipfsa_value value = {0};
  IPFSA_AUTO_BUF ipfsa_buf out = {0};
  ipfsa_status status = ipfsa_node_resolve(node, path, &at, err);
  if (status == IPFSA_OK) status = ipfsa_blockstore_get(node->bs, &at.cid, &block, err);
  uint64_t codec = output_codec ? output_codec : IPFSA_CODEC_DAG_JSON;
  bool as_it_is = status == IPFSA_OK && codec == at.cid.codec && !at.remainder[0];
  if (as_it_is) return write(ctx, block.data.data, block.data.len) == 0 ? IPFSA_OK : ipfsa_fail(err, IPFSA_E_CANCELLED, "the output takes no more");
  if (status == IPFSA_OK) status = ipfsa_value_decode(at.cid.codec, block.data, &value, err);
  size_t item = status == IPFSA_OK ? find_remainder(&value, at.remainder) : 0;
  if (status == IPFSA_OK && item == SIZE_MAX) status = ipfsa_fail(err, IPFSA_E_NOT_FOUND, "key not found: \"%.200s\"", at.remainder);
  if (status == IPFSA_OK) status = ipfsa_value_encode(codec, &value, item, &out, err);
  if (status == IPFSA_OK && write(ctx, out.data, out.len) != 0) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "the output takes no more");
  return status;
}

/* One block, durable, and its pin before gc may look. */
ipfsa_status ipfsa_node_put_block(ipfsa_node *node, const ipfsa_cid *cid, ipfsa_bytes block, bool pin, ipfsa_error *err) {
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_status status = ipfsa_blockstore_begin(node->bs, &w, err);
  if (status == IPFSA_OK) status = ipfsa_writer_put(w, cid, block, err);
  if (status == IPFSA_OK) status = ipfsa_writer_commit(w, err);
  ipfsa_pin root = {.cid = *cid, .mode = IPFSA_PIN_RECURSIVE};
  if (status == IPFSA_OK && pin) status = ipfsa_pins_set(node->store, &root, 1, err);
  ipfsa_writer_close(w);
  return status;
}

ipfsa_status ipfsa_dag_put(ipfsa_node *node, ipfsa_bytes data, const ipfsa_dag_put_options *given, ipfsa_cid *ret, ipfsa_error *err) {
  ipfsa_dag_put_options o = IPFSA_OPTIONS(ipfsa_dag_put_options, given);
  uint64_t input = o.input_codec ? o.input_codec : IPFSA_CODEC_DAG_JSON, store = o.store_codec ? o.store_codec : IPFSA_CODEC_DAG_CBOR;
  IPFSA_AUTO(ipfsa_value_release) ipfsa_value value = {0};
  IPFSA_AUTO_BUF ipfsa_buf block = {0};
  ipfsa_cid cid;
  ipfsa_status status = ipfsa_value_decode(input, data, &value, err);
  if (status == IPFSA_OK) status = ipfsa_value_encode(store, &value, 0, &block, err);
  if (status == IPFSA_OK) status = ipfsa_cid_of_block(1, store, o.hash ? o.hash : IPFSA_HASH_SHA2_256, 0, ipfsa_buf_bytes(&block), &cid, err);
  if (status == IPFSA_OK) status = ipfsa_node_put_block(node, &cid, ipfsa_buf_bytes(&block), o.pin, err);
  if (status == IPFSA_OK) *ret = cid;
  return status;
}

/* ---- stat ---- */

typedef struct stat_run {
  ipfsa_cid_set *all;
  ipfsa_dag_stat *stat;
  ipfsa_dag_summary *sum;
  ipfsa_progress_cb progress;
  void *progress_ctx;
  ipfsa_progress at;
  bool out_of_memory, cancelled;
} stat_run;

static int count_block(void *ctx, const ipfsa_dag_visit *at) {
  stat_run *run = ctx;
  bool is_new = false;
  run->out_of_memory = ipfsa_cid_set_add(run->all, at->cid, false, &is_new, NULL) != IPFSA_OK;
  if (run->out_of_memory) return 1;
  run->stat->n_blocks++;
  run->stat->size += at->size;
  if (is_new) run->sum->unique_blocks++, run->sum->total_size += at->size;
  else run->sum->shared_size += at->size;
  run->at.done_items++;
  run->at.done_bytes += at->size;
  run->cancelled = run->progress && run->progress(run->progress_ctx, &run->at) != 0;
  return run->cancelled;
}

ipfsa_status ipfsa_dag_stat_get(ipfsa_node *node, const ipfsa_cid *roots, size_t n, ipfsa_progress_cb progress, void *progress_ctx,
                                ipfsa_dag_stat *ret_stats, ipfsa_dag_summary *ret, ipfsa_error *err) {
  ipfsa_dag_summary sum = {0};
  stat_run run = {.sum = &sum, .progress = progress, .progress_ctx = progress_ctx};
  ipfsa_status status = ipfsa_cid_set_new(&run.all, err);
  for (size_t i = 0; status == IPFSA_OK && i < n; i++) {
    ret_stats[i] = (ipfsa_dag_stat){0};
    run.stat = &ret_stats[i];
    ipfsa_dag_walk_options walk = {.leaves = IPFSA_DAG_LEAVES_SIZED, .visit = count_block, .ctx = &run};
    status = ipfsa_dag_walk(node, &roots[i], &walk, err);
    if (run.out_of_memory) status = ipfsa_fail_nomem(err);
    if (run.cancelled) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  }
  ipfsa_cid_set_free(run.all);
  if (status) return status;
  sum.ratio = sum.total_size ? (double)(sum.total_size + sum.shared_size) / (double)sum.total_size : 1;
  *ret = sum;
  return IPFSA_OK;
}
