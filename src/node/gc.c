/* Garbage collection: mark without any lock, then, in the store's exclusive turn, mark what changed meanwhile, and sweep.
 *
 * Why nothing that is needed goes: the sweep runs while no blockstore writer is open, in this process or another, and while pins, roots,
 * leases (gate here, store lock elsewhere) and holds (their folder's lock) cannot be written. Whoever pins, sets a root, leases or holds before that
 * moment is seen by the second mark; whoever does after it looks for blocks that are already gone, and finds them missing. Writers name what they wrote
 * before they close. So gc acts as if it happened at the moment of the sweep. */
#include "node/mark.h"
#include "node/materialised.h"
#include "store/hold.h"

typedef struct gc_run {
  ipfsa_node *node;
  const ipfsa_gc_options *options;
  ipfsa_gc_result result;
  ipfsa_mark mark;
  bool gated, stopped;
  int holds_fd; /* while nobody can make a hold */
  ipfsa_progress at; /* of the sweep */
  ipfsa_status status; /* of the second mark */
  ipfsa_error err;
} gc_run;

static ipfsa_cid raw_cid(const ipfsa_multihash *mh) {
  return (ipfsa_cid){.codec = IPFSA_CODEC_RAW, .version = 1, .defined = true, .mh = *mh};
}

/* The store asks only in its exclusive turn: the first question is the moment for the second mark. */
static void mark_again(gc_run *run) {
  ipfsa_pins_gate_shut();
  run->gated = true;
  run->mark.progress = NULL; /* the turn is the store's: nothing that may wait */
  run->status = ipfsa_leases_expire(run->node->store, run->mark.lease_grace_s, &run->err);
  if (run->status == IPFSA_OK) run->status = ipfsa_holds_shut(run->node->store, &run->holds_fd, &run->err);
  if (run->status == IPFSA_OK) run->status = ipfsa_mark_all(&run->mark, &run->err);
}

static bool keep_block(void *ctx, const ipfsa_multihash *mh) {
  gc_run *run = ctx;
  if (!run->gated) mark_again(run);
  bool keep = run->status != IPFSA_OK || ipfsa_live_set_has(&run->mark.live, mh);
  run->result.n_kept += keep;
  run->at.done_items++;
  if (run->options->progress && run->at.done_items % 1024 == 0) (void)run->options->progress(run->options->progress_ctx, &run->at);
  return keep;
}

static int note_removed(void *ctx, const ipfsa_multihash *mh, uint64_t size) {
  gc_run *run = ctx;
  run->result.n_removed++;
  run->result.bytes_removed += size;
  ipfsa_cid cid = raw_cid(mh);
  /* Stopping half way through the report would not bring the blocks back. */
  if (!run->stopped && run->options->removed) run->stopped = run->options->removed(run->options->ctx, &cid, size) != 0;
  return 0;
}

static void report_damaged(gc_run *run) {
  bool told = run->options->damaged != NULL;
  for (size_t i = 0; i < run->mark.n_damaged; i++) {
    const ipfsa_mark_item *item = &run->mark.damaged[i];
    if (item->lenient) continue;
    run->result.n_damaged++;
    ipfsa_error why = {0};
    IPFSA_AUTO_BLOCK ipfsa_block block = {0};
    if (told && ipfsa_blockstore_get(run->node->bs, &item->cid, &block, &why) == IPFSA_OK)
      snprintf(why.message, sizeof why.message, "it cannot be decoded");
    if (told) told = run->options->damaged(run->options->ctx, &item->cid, why.message) == 0;
  }
}

static ipfsa_status start_mark(gc_run *run, uint64_t lease_grace_s, ipfsa_error *err) {
  ipfsa_status status = ipfsa_mark_init(&run->mark, run->node, lease_grace_s, err);
  run->mark.progress = run->options->progress;
  run->mark.progress_ctx = run->options->progress_ctx;
  return status;
}

/* A root, or a block below a pin, that could not be had. */
static bool misses_pinned(const gc_run *run, ipfsa_status status) {
  if (status) return status == IPFSA_E_CORRUPT && !ipfsa_cid_is_none(&run->mark.failed_root);
  for (size_t i = 0; i < run->mark.n_damaged; i++)
    if (!run->mark.damaged[i].lenient) return true;
  return false;
}

/* The first mark, outside of all locks. What is below a block that is missed would be swept, and the index is only a hint: before anything goes by
 * what it lacks, it is made anew from the packs. Nor is a root that was unpinned and swept by somebody meanwhile a reason to give up. */
static ipfsa_status first_mark(gc_run *run, ipfsa_error *err) {
  uint64_t grace = run->mark.lease_grace_s;
  ipfsa_status status = ipfsa_mark_all(&run->mark, err);
  if (!misses_pinned(run, status)) return status;
  ipfsa_mark_release(&run->mark);
  status = ipfsa_store_reindex(run->node->store, err);
  ipfsa_status started = start_mark(run, grace, status ? NULL : err);
  if (status == IPFSA_OK) status = started;
  return status ? status : ipfsa_mark_all(&run->mark, err);
}

static ipfsa_status collect(gc_run *run, ipfsa_error *err) {
  ipfsa_status status = first_mark(run, err);
  if (status == IPFSA_OK) status = ipfsa_store_sweep(run->node->store, keep_block, run, note_removed, run, err);
  ipfsa_fs_unlock_close(&run->holds_fd);
  if (run->gated) ipfsa_pins_gate_open();
  if (run->status) {
    if (err) *err = run->err;
    return run->status;
  }
  if (status == IPFSA_OK) status = ipfsa_materialised_evict(run->node, run->mark.lease_grace_s, err); /* no lock is held */
  if (status) return status;
  report_damaged(run);
  if (run->stopped) return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled while telling what was removed");
  if (run->result.n_damaged)
    return ipfsa_fail(err, IPFSA_E_PARTIAL, "encountered errors during gc run: %llu pinned blocks are missing or damaged; all else was done",
                      (unsigned long long)run->result.n_damaged);
  return IPFSA_OK;
}

ipfsa_status ipfsa_repo_gc(ipfsa_node *node, const ipfsa_gc_options *given, ipfsa_gc_result *ret, ipfsa_error *err) {
  ipfsa_gc_options options = IPFSA_OPTIONS(ipfsa_gc_options, given);
  uint64_t grace = node->config ? (uint64_t)ipfsa_config_int(node->config, "store.gc_grace") : IPFSA_LEASE_GRACE_S;
  if (options.lease_grace_s) grace = options.lease_grace_s == UINT64_MAX ? 0 : options.lease_grace_s;
  if (node->read_only) return ipfsa_fail(err, IPFSA_E_READ_ONLY, "the repo is open for reading only");
  gc_run run = {.node = node, .options = &options, .holds_fd = -1};
  ipfsa_status status = start_mark(&run, grace, err);
  if (status == IPFSA_OK) status = collect(&run, err);
  ipfsa_mark_release(&run.mark);
  if (ret && (status == IPFSA_OK || status == IPFSA_E_PARTIAL)) *ret = run.result;
  return status;
}
