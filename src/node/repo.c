/* The repo as a whole: counting, checking, listing. */
#include <ipfsa/repo.h>

#include "node/node.h"

#define RAW_CID(multihash) ((ipfsa_cid){.codec = IPFSA_CODEC_RAW, .version = 1, .defined = true, .mh = *(multihash)})

ipfsa_status ipfsa_repo_stat_get(ipfsa_node *node, ipfsa_repo_stat *ret, ipfsa_error *err) {
  ipfsa_store_stat stat;
  ipfsa_status status = ipfsa_store_stat_get(node->store, &stat, err);
  if (status) return status;
  ipfsa_repo_stat all = {.struct_size = ret->struct_size < sizeof all ? ret->struct_size : sizeof all,
                         .n_blocks = stat.n_blocks,
                         .block_bytes = stat.block_bytes,
                         .disk_bytes = stat.disk_bytes,
                         .dead_bytes = stat.dead_bytes,
                         .max_size = stat.max_size,
                         .n_packs = stat.n_packs};
  memcpy(ret, &all, all.struct_size);
  return IPFSA_OK;
}

typedef struct damage_relay {
  ipfsa_repo_damage_cb cb;
  void *ctx;
} damage_relay;

static int relay_damage(void *ctx, const ipfsa_multihash *mh, const char *what) {
  damage_relay *relay = ctx;
  ipfsa_cid none = {0}, cid = mh ? RAW_CID(mh) : none;
  return relay->cb ? relay->cb(relay->ctx, &cid, what) : 0;
}

ipfsa_status ipfsa_repo_verify(ipfsa_node *node, const ipfsa_repo_verify_options *given, ipfsa_repo_verify_result *ret, ipfsa_error *err) {
  ipfsa_repo_verify_options options = IPFSA_OPTIONS(ipfsa_repo_verify_options, given);
  if (options.repair && node->read_only) return ipfsa_fail(err, IPFSA_E_READ_ONLY, "the repo is open for reading only");
  damage_relay relay = {options.damaged, options.damaged_ctx};
  ipfsa_store_verify_result result = {0};
  ipfsa_status status = ipfsa_store_verify(node->store, options.repair, relay_damage, &relay, options.progress, options.progress_ctx,
                                           &result, err);
  if (status) return status;
  if (ret) *ret = (ipfsa_repo_verify_result){result.n_blocks, result.n_bytes, result.n_damaged, result.n_quarantined};
  return IPFSA_OK;
}

int ipfsa_repo_verify_code(ipfsa_status status, const ipfsa_repo_verify_result *result) {
  if (status) return 3;
  if (result->n_damaged > result->n_quarantined) return 2;
  return result->n_damaged ? 1 : 0;
}

typedef struct list_relay {
  ipfsa_node *node;
  ipfsa_repo_cid_cb cb;
  void *ctx;
} list_relay;

static int relay_block(void *ctx, const ipfsa_multihash *mh, uint64_t size) {
  list_relay *relay = ctx;
  if (ipfsa_node_is_cancelled(relay->node)) return 1;
  ipfsa_cid cid = RAW_CID(mh);
  return relay->cb(relay->ctx, &cid, size);
}

ipfsa_status ipfsa_repo_list(ipfsa_node *node, ipfsa_repo_cid_cb cb, void *ctx, ipfsa_error *err) {
  list_relay relay = {node, cb, ctx};
  return ipfsa_blockstore_iterate(node->bs, relay_block, &relay, err);
}

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
const char *ipfsa_repo_version(void) { return "ipfs-accelerate-repo@" TEXT(IPFSA_REPO_VERSION); }

typedef struct external_relay {
  ipfsa_external_cb cb;
  void *ctx;
  bool keep_bad; /* to be removed when all are told */
  ipfsa_multihash *bad;
  size_t n_bad, cap;
  bool out_of_memory;
} external_relay;

static int relay_external(void *ctx, const ipfsa_multihash *mh, const char *path, uint64_t off, uint64_t size, ipfsa_status status,
                          const char *what) {
  external_relay *relay = ctx;
  ipfsa_external_block block = {RAW_CID(mh), path, off, size, status, what ? what : ""};
  bool lost = status == IPFSA_E_NOT_FOUND || status == IPFSA_E_CHANGED || status == IPFSA_E_CORRUPT;
  if (lost && relay->keep_bad) {
    relay->out_of_memory = !ipfsa_grow((void **)&relay->bad, &relay->cap, relay->n_bad + 1, sizeof *relay->bad);
    if (relay->out_of_memory) return 1;
    relay->bad[relay->n_bad++] = *mh;
  }
  return relay->cb ? relay->cb(relay->ctx, &block) : 0;
}

static ipfsa_status remove_bad(ipfsa_node *node, const external_relay *relay, ipfsa_error *err) {
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_status status = ipfsa_blockstore_begin(node->bs, &w, err);
  for (size_t i = 0; status == IPFSA_OK && i < relay->n_bad; i++) {
    ipfsa_cid cid = RAW_CID(&relay->bad[i]);
    status = ipfsa_writer_del(w, &cid, err);
  }
  if (status == IPFSA_OK) status = ipfsa_writer_commit(w, err);
  ipfsa_writer_close(w);
  return status;
}

ipfsa_status ipfsa_repo_list_external(ipfsa_node *node, const ipfsa_external_options *given, ipfsa_external_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_external_options o = IPFSA_OPTIONS(ipfsa_external_options, given);
  if (!ipfsa_config_bool(node->config, "filestore.enabled"))
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "filestore is not enabled: run 'ipfs-accelerate config --bool filestore.enabled true'");
  external_relay relay = {.cb = cb, .ctx = ctx, .keep_bad = o.verify && o.remove_bad};
  ipfsa_status status = ipfsa_store_list_external(node->store, o.only ? &o.only->mh : NULL, o.verify, o.file_order, relay_external, &relay, err);
  if (relay.out_of_memory) status = ipfsa_fail_nomem(err);
  if (status == IPFSA_OK && relay.n_bad) status = remove_bad(node, &relay, err);
  ipfsa_free(relay.bad);
  return status;
}
