/* read → chunk → hash (workers, a buffer of leaves at a time) → in order: store and build. The caller's thread does all but the hashing;
 * buffers are reused from file to file; a file of one buffer never meets another thread. */
#include "unixfs/importer.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/error.h"
#include "unixfs/chunker.h"
#include "unixfs/layout.h"

#define MIN_BUFFER (4u << 20)  /* bytes: sixteen leaves of 256 KiB fill the lanes once */
#define MAX_BUFFER (12u << 20) /* three of them stay under 40 MiB */
#define MAX_SLOTS 6
#define MAX_LEAVES 16384 /* a buffer, whatever the chunk size */
#define ALIGNMENT 4096

typedef struct slot {
  ipfsa_task task;
  ipfsa_importer *owner;
  uint8_t *data;
  size_t len;
  uint64_t off; /* of data[0] in the file */
  ipfsa_leaf *leaves;
  uint8_t *digests; /* IPFSA_MAX_DIGEST a leaf for odd functions, 32 for sha2-256 */
  size_t n_leaves, leaves_cap;
  ipfsa_status status;
  ipfsa_error err;
  bool done;
} slot;

struct ipfsa_importer {
  const ipfsa_import_params *params;
  ipfsa_blockstore_writer *w;
  ipfsa_pool *pool;
  ipfsa_leaf_kind kind;
  size_t buffer_size, fill_size, digest_size;
  slot slots[MAX_SLOTS];
  size_t n_slots;
  pthread_mutex_t lock;
  pthread_cond_t finished;
  ipfsa_layout_builder layout;
  ipfsa_leaf *stored; /* leaves of a run that are not inlined */
  size_t stored_cap;
};

static ipfsa_leaf_kind kind_of(const ipfsa_import_params *p) {
  if (p->raw_leaves) return IPFSA_LEAF_RAW;
  return p->layout == IPFSA_LAYOUT_TRICKLE ? IPFSA_LEAF_PB_RAW : IPFSA_LEAF_PB_FILE;
}

static void choose_sizes(ipfsa_importer *im) {
  uint64_t chunk = ipfsa_chunker_max(&im->params->chunker), want = 16 * chunk;
  im->buffer_size = want < MIN_BUFFER ? MIN_BUFFER : want > MAX_BUFFER ? MAX_BUFFER : (want + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  im->n_slots = im->buffer_size > MIN_BUFFER ? 3 : MAX_SLOTS;
  im->fill_size = im->buffer_size;
  if (im->params->chunker.kind != IPFSA_CHUNKER_SIZE) return;
  /* Whole chunks only: nothing is carried over, and runs of chunks of a page multiple keep their alignment. */
  uint64_t n = im->buffer_size / chunk < MAX_LEAVES ? im->buffer_size / chunk : MAX_LEAVES;
  im->fill_size = n * chunk;
}

ipfsa_status ipfsa_importer_new(const ipfsa_import_params *params, ipfsa_blockstore_writer *w, ipfsa_pool *pool, ipfsa_importer **ret,
                                ipfsa_error *err) {
  if (ipfsa_hash_size(params->hash) == 0)
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "unknown multihash code %llu (0x%llx): no such hash registered",
                      (unsigned long long)params->hash, (unsigned long long)params->hash);
  ipfsa_importer *im = ipfsa_calloc(1, sizeof *im);
  if (!im) return ipfsa_fail_nomem(err);
  im->params = params;
  im->w = w;
  im->pool = pool;
  im->kind = kind_of(params);
  im->digest_size = params->hash == IPFSA_HASH_SHA2_256 ? 32 : IPFSA_MAX_DIGEST;
  choose_sizes(im);
  pthread_mutex_init(&im->lock, NULL);
  pthread_cond_init(&im->finished, NULL);
  *ret = im;
  return IPFSA_OK;
}

void ipfsa_importer_free(ipfsa_importer *im) {
  if (!im) return;
  for (size_t i = 0; i < MAX_SLOTS; i++) {
    ipfsa_free_aligned(im->slots[i].data);
    ipfsa_free(im->slots[i].leaves);
    ipfsa_free(im->slots[i].digests);
  }
  ipfsa_layout_release(&im->layout);
  ipfsa_free(im->stored);
  pthread_cond_destroy(&im->finished);
  pthread_mutex_destroy(&im->lock);
  ipfsa_free(im);
}

/* ---- hashing one buffer of leaves ---- */

static void hash_sha256(slot *s) {
  enum { BATCH = 64 };
  ipfsa_leaf_kind kind = s->owner->kind;
  for (size_t at = 0; at < s->n_leaves; at += BATCH) {
    ipfsa_sha256_job jobs[BATCH];
    uint8_t prefix[BATCH][32], suffix[BATCH][32];
    size_t n = s->n_leaves - at < BATCH ? s->n_leaves - at : BATCH;
    for (size_t i = 0; i < n; i++) {
      const ipfsa_leaf *leaf = &s->leaves[at + i];
      size_t prefix_len, suffix_len;
      ipfsa_leaf_wrap(kind, leaf->len, prefix[i], &prefix_len, suffix[i], &suffix_len);
      jobs[i] = (ipfsa_sha256_job){{{prefix[i], prefix_len}, {s->data + leaf->off, leaf->len}, {suffix[i], suffix_len}},
                                   s->digests + (at + i) * 32};
    }
    ipfsa_sha256_batch(jobs, n);
  }
}

/* A leaf that is inlined needs no digest; identity as the hash function stops at 128 bytes by itself. */
static ipfsa_status hash_others(slot *s) {
  for (size_t i = 0; i < s->n_leaves; i++) {
    ipfsa_leaf *leaf = &s->leaves[i];
    uint8_t prefix[32], suffix[32];
    ipfsa_bytes parts[3] = {{prefix, 0}, {s->data + leaf->off, leaf->len}, {suffix, 0}};
    ipfsa_leaf_wrap(s->owner->kind, leaf->len, prefix, &parts[0].len, suffix, &parts[2].len);
    if (ipfsa_params_inlines(s->owner->params, parts[0].len + leaf->len + parts[2].len)) continue;
    ipfsa_multihash mh;
    ipfsa_status status = ipfsa_hash_digest(s->owner->params->hash, 0, parts, 3, &mh, &s->err);
    if (status) return status;
    memcpy(s->digests + i * IPFSA_MAX_DIGEST, mh.digest, mh.len);
    leaf->digest_len = mh.len;
  }
  return IPFSA_OK;
}

static void hash_slot(slot *s) {
  s->status = IPFSA_OK;
  if (s->owner->params->hash == IPFSA_HASH_SHA2_256) hash_sha256(s);
  else s->status = hash_others(s);
}

static void run_task(ipfsa_task *task) {
  slot *s = (slot *)task;
  hash_slot(s);
  ipfsa_importer *im = s->owner;
  pthread_mutex_lock(&im->lock);
  s->done = true;
  pthread_cond_signal(&im->finished);
  pthread_mutex_unlock(&im->lock);
}

static void wait_for(slot *s) {
  pthread_mutex_lock(&s->owner->lock);
  while (!s->done) pthread_cond_wait(&s->owner->finished, &s->owner->lock);
  pthread_mutex_unlock(&s->owner->lock);
}

/* ---- filling a buffer ---- */

static ipfsa_status prepare_slot(ipfsa_importer *im, slot *s, ipfsa_error *err) {
  s->owner = im;
  s->task.run = run_task;
  s->n_leaves = s->len = 0;
  s->done = false;
  if (!s->data) s->data = ipfsa_alloc_aligned(ALIGNMENT, im->buffer_size);
  return s->data ? IPFSA_OK : ipfsa_fail_nomem(err);
}

static ipfsa_status add_leaf(ipfsa_importer *im, slot *s, size_t off, size_t len, ipfsa_error *err) {
  if (s->n_leaves == s->leaves_cap) {
    size_t cap = s->leaves_cap ? s->leaves_cap * 2 : 16;
    uint8_t *digests = ipfsa_reallocarray(s->digests, cap, im->digest_size);
    if (!digests) return ipfsa_fail_nomem(err);
    s->digests = digests;
    ipfsa_leaf *leaves = ipfsa_reallocarray(s->leaves, cap, sizeof *leaves);
    if (!leaves) return ipfsa_fail_nomem(err);
    s->leaves = leaves;
    s->leaves_cap = cap;
  }
  s->leaves[s->n_leaves++] = (ipfsa_leaf){.hash = im->params->hash, .digest_len = 32, .off = (uint32_t)off, .len = (uint32_t)len};
  return IPFSA_OK;
}

/* Cuts what is in the buffer; what is too short to cut while the file goes on is left for the next buffer. */
static ipfsa_status cut_leaves(ipfsa_importer *im, slot *s, bool ended, size_t *ret_used, ipfsa_error *err) {
  size_t at = 0, max = ipfsa_chunker_max(&im->params->chunker);
  while (at < s->len && (ended || s->len - at >= max) && s->n_leaves < MAX_LEAVES) {
    size_t n = ipfsa_chunker_cut(&im->params->chunker, s->data + at, s->len - at);
    ipfsa_status status = add_leaf(im, s, at, n, err);
    if (status) return status;
    at += n;
  }
  for (size_t i = 0; i < s->n_leaves; i++) s->leaves[i].digest = s->digests + i * im->digest_size;
  *ret_used = at;
  return IPFSA_OK;
}

/* ---- in order: store and build ---- */

static size_t wrapped_len(ipfsa_leaf_kind kind, uint32_t len) {
  uint8_t prefix[32], suffix[32];
  size_t prefix_len, suffix_len;
  ipfsa_leaf_wrap(kind, len, prefix, &prefix_len, suffix, &suffix_len);
  return prefix_len + len + suffix_len;
}

static ipfsa_status leaf_ref(ipfsa_importer *im, const slot *s, const ipfsa_leaf *leaf, ipfsa_dag_ref *ret, ipfsa_error *err) {
  size_t len = wrapped_len(im->kind, leaf->len);
  ipfsa_multihash mh;
  memset(&mh, 0, sizeof mh);
  mh.code = leaf->hash;
  mh.len = (uint8_t)leaf->digest_len;
  uint8_t whole[IPFSA_MAX_DIGEST];
  if (ipfsa_params_inlines(im->params, len)) {
    size_t prefix_len, suffix_len;
    uint8_t suffix[32];
    ipfsa_leaf_wrap(im->kind, leaf->len, whole, &prefix_len, suffix, &suffix_len);
    if (leaf->len) memcpy(whole + prefix_len, s->data + leaf->off, leaf->len);
    if (suffix_len) memcpy(whole + prefix_len + leaf->len, suffix, suffix_len);
  } else {
    memcpy(mh.digest, leaf->digest, leaf->digest_len);
  }
  ret->tsize = len;
  ret->filesize = leaf->len;
  uint64_t codec = im->kind == IPFSA_LEAF_RAW ? IPFSA_CODEC_RAW : IPFSA_CODEC_DAG_PB;
  return ipfsa_params_cid(im->params, codec, len, &mh, ipfsa_bytes_of(whole, len), &ret->cid, err);
}

/* Puts the run of leaves that are neither inlined nor identity CIDs. */
static ipfsa_status store_leaves(ipfsa_importer *im, slot *s, const ipfsa_external *external, ipfsa_error *err) {
  if (!im->w || im->params->hash == IPFSA_HASH_IDENTITY) return IPFSA_OK;
  ipfsa_leaf_run run = {s->data, s->len, im->kind, s->leaves, s->n_leaves};
  if (im->params->inline_limit) {
    if (!ipfsa_grow((void **)&im->stored, &im->stored_cap, s->n_leaves, sizeof *im->stored)) return ipfsa_fail_nomem(err);
    run.leaves = im->stored;
    run.n_leaves = 0;
    for (size_t i = 0; i < s->n_leaves; i++)
      if (!ipfsa_params_inlines(im->params, wrapped_len(im->kind, s->leaves[i].len))) im->stored[run.n_leaves++] = s->leaves[i];
  }
  if (run.n_leaves == 0) return IPFSA_OK;
  if (!external) return ipfsa_writer_put_run(im->w, &run, err);
  ipfsa_external at = *external;
  at.off += s->off;
  return ipfsa_writer_put_external(im->w, &run, &at, err);
}

static ipfsa_status take_slot(ipfsa_importer *im, slot *s, const ipfsa_external *external, ipfsa_error *err) {
  if (s->status) {
    if (err) *err = s->err;
    return s->status;
  }
  ipfsa_status status = store_leaves(im, s, external, err);
  for (size_t i = 0; status == IPFSA_OK && i < s->n_leaves; i++) {
    ipfsa_dag_ref ref;
    status = leaf_ref(im, s, &s->leaves[i], &ref, err);
    if (status == IPFSA_OK) status = ipfsa_layout_add(&im->layout, &ref, err);
  }
  return status;
}

/* A file that is one dag-pb leaf and carries mode or mtime: its own block, with the metadata inside. */
static ipfsa_status put_leaf_with_meta(ipfsa_importer *im, const slot *s, const ipfsa_unixfs_meta *meta, ipfsa_dag_ref *ret,
                                       ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf message = {0}, block = {0};
  ipfsa_buf_unixfs_leaf(&message, IPFSA_UNIXFS_FILE, ipfsa_bytes_of(s->data, s->len), meta);
  ipfsa_buf_pb_data(&block, ipfsa_buf_bytes(&message));
  ipfsa_status status = ipfsa_buf_status(&message, err);
  if (status == IPFSA_OK) status = ipfsa_buf_status(&block, err);
  ipfsa_dag_ref ref = {.tsize = block.len, .filesize = s->len};
  if (status == IPFSA_OK) status = ipfsa_params_put(im->params, im->w, IPFSA_CODEC_DAG_PB, ipfsa_buf_bytes(&block), &ref.cid, err);
  if (status == IPFSA_OK) *ret = ref;
  return status;
}

/* ---- one file ---- */

typedef struct file_run {
  ipfsa_importer *im;
  ipfsa_source *source;
  const ipfsa_external *external;
  ipfsa_progress_cb progress;
  void *progress_ctx;
  ipfsa_progress at;
  size_t head, n_busy; /* ring: slots head … head + n_busy − 1 are being hashed */
  uint64_t off;
  bool ended;
  uint8_t *carry; /* tail of the last buffer, in that buffer's slot */
  size_t carry_len;
} file_run;

static ipfsa_status retire_oldest(file_run *f, ipfsa_error *err) {
  slot *s = &f->im->slots[f->head];
  wait_for(s);
  f->head = (f->head + 1) % f->im->n_slots;
  f->n_busy--;
  ipfsa_status status = take_slot(f->im, s, f->external, err);
  if (status) return status;
  f->at.done_bytes += s->leaves[s->n_leaves - 1].off + s->leaves[s->n_leaves - 1].len;
  if (f->progress && f->progress(f->progress_ctx, &f->at) != 0) return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  return IPFSA_OK;
}

/* Reads and cuts the next buffer into a free slot. *ret is NULL when the file is over. */
static ipfsa_status fill_next(file_run *f, slot **ret, ipfsa_error *err) {
  ipfsa_importer *im = f->im;
  *ret = NULL;
  if (f->ended && f->carry_len == 0) return IPFSA_OK;
  slot *s = &im->slots[(f->head + f->n_busy) % im->n_slots];
  ipfsa_status status = prepare_slot(im, s, err);
  if (status) return status;
  if (f->carry_len) memmove(s->data, f->carry, f->carry_len);
  s->len = f->carry_len;
  s->off = f->off;
  if (!f->ended && s->len < im->fill_size) {
    size_t n = 0, want = im->fill_size - s->len;
    status = f->source->read(f->source, s->data + s->len, want, &n, err);
    if (status) return status;
    s->len += n;
    f->ended = n < want;
  }
  size_t used = 0;
  status = cut_leaves(im, s, f->ended, &used, err);
  if (status) return status;
  f->carry = s->data + used;
  f->carry_len = s->len - used;
  f->off += used;
  s->len = used;
  if (used) *ret = s;
  return IPFSA_OK;
}

static ipfsa_status run_buffers(file_run *f, slot *first, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  for (slot *s = first; s && status == IPFSA_OK;) {
    if (f->im->pool) {
      ipfsa_pool_submit(f->im->pool, &s->task);
    } else {
      hash_slot(s);
      s->done = true;
    }
    f->n_busy++;
    /* The tail that is carried over lies in the slot just submitted: one slot stays free to take it. */
    if (f->n_busy >= f->im->n_slots - 1) status = retire_oldest(f, err);
    if (status == IPFSA_OK) status = fill_next(f, &s, err);
  }
  while (status == IPFSA_OK && f->n_busy) status = retire_oldest(f, err);
  for (; f->n_busy; f->n_busy--, f->head = (f->head + 1) % f->im->n_slots) wait_for(&f->im->slots[f->head]);
  return status;
}

/* One buffer holds the whole file: hashed here, at once. */
static ipfsa_status import_small(file_run *f, slot *s, const ipfsa_unixfs_meta *meta, ipfsa_dag_ref *ret, ipfsa_error *err) {
  ipfsa_importer *im = f->im;
  bool has_meta = meta && (meta->mode || meta->has_mtime);
  if (has_meta && im->kind == IPFSA_LEAF_PB_FILE && s->n_leaves == 1) return put_leaf_with_meta(im, s, meta, ret, err);
  hash_slot(s);
  ipfsa_status status = take_slot(im, s, f->external, err);
  if (status == IPFSA_OK) status = ipfsa_layout_finish(&im->layout, ret, err);
  f->at.done_bytes = s->len;
  if (status == IPFSA_OK && f->progress && f->progress(f->progress_ctx, &f->at) != 0)
    return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  return status;
}

ipfsa_status ipfsa_importer_file(ipfsa_importer *im, ipfsa_source *source, const ipfsa_unixfs_meta *meta, const ipfsa_external *external,
                                 ipfsa_progress_cb progress, void *progress_ctx, ipfsa_dag_ref *ret, ipfsa_error *err) {
  file_run f = {.im = im, .source = source, .external = external, .progress = progress, .progress_ctx = progress_ctx};
  f.at.total_bytes = source->size_hint == UINT64_MAX ? 0 : source->size_hint;
  ipfsa_layout_start(&im->layout, im->params, im->w, meta);
  slot *s = NULL;
  ipfsa_status status = fill_next(&f, &s, err);
  if (status) return status;
  ipfsa_dag_ref ref;
  if (!s && im->params->layout == IPFSA_LAYOUT_TRICKLE) { /* an empty file is a root without leaves */
    status = ipfsa_layout_finish(&im->layout, &ref, err);
  } else if (!s) { /* an empty balanced file is one empty leaf */
    s = &im->slots[0];
    status = add_leaf(im, s, 0, 0, err);
    if (status == IPFSA_OK) s->leaves[0].digest = s->digests;
    if (status == IPFSA_OK) status = import_small(&f, s, meta, &ref, err);
  } else if (f.ended && f.carry_len == 0) {
    status = import_small(&f, s, meta, &ref, err);
  } else {
    status = run_buffers(&f, s, err);
    if (status == IPFSA_OK) status = ipfsa_layout_finish(&im->layout, &ref, err);
  }
  if (status == IPFSA_OK) *ret = ref;
  return status;
}

ipfsa_status ipfsa_import_symlink(const ipfsa_import_params *params, ipfsa_blockstore_writer *w, ipfsa_bytes target,
                                  const ipfsa_unixfs_meta *meta, ipfsa_dag_ref *ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf message = {0}, block = {0};
  ipfsa_buf_unixfs_symlink(&message, target, meta);
  ipfsa_buf_pb_data(&block, ipfsa_buf_bytes(&message));
  ipfsa_status status = ipfsa_buf_status(&block, err);
  ipfsa_dag_ref ref = {.tsize = block.len};
  if (status == IPFSA_OK) status = ipfsa_params_put(params, w, IPFSA_CODEC_DAG_PB, ipfsa_buf_bytes(&block), &ref.cid, err);
  if (status == IPFSA_OK) *ret = ref;
  return status;
}
