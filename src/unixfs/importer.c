/* read → chunk → hash → in order: store and build. A large file of fixed chunks is read and hashed by the workers, a buffer of leaves each; what
 * only comes in order (a pipe, chunks that depend on the content) is read by the caller and hashed by the workers. The caller stores and
 * builds. Buffers are reused from file to file; a file of one buffer never meets another thread here (import_batch.c has many of those). */
#include "unixfs/importer.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/map.h"
#include "unixfs/chunker.h"
#include "unixfs/importer_inside.h"

#define MIN_BUFFER (4u << 20)  /* bytes: sixteen leaves of 256 KiB fill the lanes once */
#define MAX_BUFFER (12u << 20) /* three of them stay under 40 MiB */
#define MIN_ROOMS 6
#define MAX_ROOMS 12           /* buffers of our own at MIN_BUFFER: 48 MiB where there are many processors */
#define MAX_WINDOW (16u << 20) /* bytes of a mapping */
#define MIN_MAPPED_CHUNK 16384 /* bytes; the store writes those from where they lie, which a failing page only makes fail */
#define MAPPED_LEAVES 32 /* twice what fills the lanes: who maps or unmaps keeps the other threads from it */
#define MAX_SLOTS 24
#define MAX_WRITING 2 /* slots whose bytes are on their way to the disk while the others are read and hashed */
#define MAX_AT_ONCE 4 /* slots between two looks of the caller: at progress, at who wants to stop, at who wants to write the file */
#define SPARE 2       /* slots beside one for each worker, so that none waits for the caller */

typedef struct file_run file_run;
typedef struct slot {
  ipfsa_task task;
  ipfsa_importer *owner;
  file_run *reads; /* the worker reads [off, off + len) itself; NULL: the bytes are there */
  ipfsa_leaf_buffer b;
  uint64_t off; /* of the data in the file */
  size_t len;
  const uint8_t *map; /* held until the leaves are stored */
  uint64_t ticket;    /* of their writes */
  ipfsa_status status;
  ipfsa_error err;
  bool done;
} slot;

struct ipfsa_importer {
  const ipfsa_import_params *params;
  ipfsa_blockstore_writer *w;
  ipfsa_pool *pool;
  size_t buffer_size, fill_size, n_slots;
  slot slots[MAX_SLOTS];
  pthread_mutex_t lock;
  pthread_cond_t finished;
  const slot *awaited; /* who wakes the caller */
  ipfsa_layout_builder layout;
  ipfsa_leaf *stored; /* leaves of a run that are not inlined */
  size_t stored_cap;
};

/* Cut at tensors, chunks are at most of that size; where there are none, all have it. */
static bool has_fixed_size(const ipfsa_chunker_spec *c) { return c->kind == IPFSA_CHUNKER_SIZE || c->kind == IPFSA_CHUNKER_TENSOR; }

static size_t n_workers(const ipfsa_importer *im) { return im->pool ? ipfsa_pool_n_threads(im->pool) : 1; }

static void choose_sizes(ipfsa_importer *im) {
  uint64_t chunk = ipfsa_chunker_max(&im->params->chunker), want = 16 * chunk;
  im->buffer_size = want < MIN_BUFFER ? MIN_BUFFER : want > MAX_BUFFER ? MAX_BUFFER : (want + IPFSA_LEAF_ALIGNMENT - 1) / IPFSA_LEAF_ALIGNMENT * IPFSA_LEAF_ALIGNMENT;
  size_t rooms = n_workers(im) + SPARE + MAX_WRITING;
  im->n_slots = im->buffer_size > MIN_BUFFER ? 3 : rooms < MIN_ROOMS ? MIN_ROOMS : rooms < MAX_ROOMS ? rooms : MAX_ROOMS;
  im->fill_size = im->buffer_size;
  if (!has_fixed_size(&im->params->chunker)) return;
  /* Whole chunks only: nothing is carried over, and runs of chunks of a page multiple keep their alignment. */
  uint64_t n = im->buffer_size / chunk < IPFSA_MAX_BUFFER_LEAVES ? im->buffer_size / chunk : IPFSA_MAX_BUFFER_LEAVES;
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
  choose_sizes(im);
  for (size_t i = 0; i < MAX_SLOTS; i++) {
    im->slots[i].owner = im;
    ipfsa_leaf_buffer_init(&im->slots[i].b, params);
  }
  pthread_mutex_init(&im->lock, NULL);
  pthread_cond_init(&im->finished, NULL);
  *ret = im;
  return IPFSA_OK;
}

void ipfsa_importer_free(ipfsa_importer *im) {
  if (!im) return;
  for (size_t i = 0; i < MAX_SLOTS; i++) {
    (void)ipfsa_importer_settle(im, &im->slots[i].ticket, NULL); /* what failed, the commit told or will tell */
    ipfsa_leaf_buffer_release(&im->slots[i].b);
  }
  ipfsa_layout_release(&im->layout);
  ipfsa_free(im->stored);
  pthread_cond_destroy(&im->finished);
  pthread_mutex_destroy(&im->lock);
  ipfsa_free(im);
}

bool ipfsa_importer_is_large(const ipfsa_importer *im) { return im->buffer_size > MIN_BUFFER; }
const ipfsa_import_params *ipfsa_importer_params(const ipfsa_importer *im) { return im->params; }
ipfsa_pool *ipfsa_importer_pool(const ipfsa_importer *im) { return im->pool; }

/* ---- in order: store and build ---- */

ipfsa_status ipfsa_importer_store(ipfsa_importer *im, const ipfsa_leaf_buffer *b, size_t first, size_t n, const ipfsa_external *external,
                                  const ipfsa_held_file *from, uint64_t *ret_ticket, ipfsa_error *err) {
  *ret_ticket = 0;
  if (!im->w || im->params->hash == IPFSA_HASH_IDENTITY) return IPFSA_OK;
  ipfsa_leaf_run run = {b->data, b->len, b->kind, b->leaves + first, n};
  if (im->params->inline_limit) {
    if (!ipfsa_grow((void **)&im->stored, &im->stored_cap, n, sizeof *im->stored)) return ipfsa_fail_nomem(err);
    run.leaves = im->stored;
    run.n_leaves = 0;
    for (size_t i = first; i < first + n; i++)
      if (!ipfsa_params_inlines(im->params, ipfsa_leaf_buffer_block_len(b, i))) im->stored[run.n_leaves++] = b->leaves[i];
  }
  if (run.n_leaves == 0) return IPFSA_OK;
  return external ? ipfsa_writer_put_external(im->w, &run, external, err) : ipfsa_writer_put_run_later(im->w, &run, from, ret_ticket, err);
}

ipfsa_status ipfsa_importer_settle(ipfsa_importer *im, uint64_t *ticket, ipfsa_error *err) {
  uint64_t of = *ticket;
  *ticket = 0;
  return im->w ? ipfsa_writer_settle(im->w, of, err) : IPFSA_OK;
}

static ipfsa_status build(ipfsa_importer *im, const ipfsa_leaf_buffer *b, size_t first, size_t n, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  for (size_t i = first; status == IPFSA_OK && i < first + n; i++) {
    ipfsa_dag_ref ref;
    status = ipfsa_leaf_buffer_ref(b, i, &ref, err);
    if (status == IPFSA_OK) status = ipfsa_layout_add(&im->layout, &ref, err);
  }
  return status;
}

static ipfsa_status take_slot(ipfsa_importer *im, slot *s, const ipfsa_external *external, const ipfsa_held_file *from, ipfsa_error *err) {
  if (s->status) {
    if (err) *err = s->err;
    return s->status;
  }
  ipfsa_external at = {0};
  if (external) {
    at = *external;
    at.off += s->off;
  }
  ipfsa_status status = ipfsa_importer_store(im, &s->b, 0, s->b.n_leaves, external ? &at : NULL, from, &s->ticket, err);
  return status ? status : build(im, &s->b, 0, s->b.n_leaves, err);
}

bool ipfsa_importer_carries_meta(const ipfsa_importer *im, const ipfsa_unixfs_meta *meta, size_t n_leaves) {
  bool pb_file = !im->params->raw_leaves && im->params->layout == IPFSA_LAYOUT_BALANCED;
  return meta && (meta->mode || meta->has_mtime) && pb_file && n_leaves == 1;
}

/* A file that is one dag-pb leaf and carries mode or mtime: its own block, with the metadata inside. */
static ipfsa_status put_leaf_with_meta(ipfsa_importer *im, ipfsa_bytes data, const ipfsa_unixfs_meta *meta, ipfsa_dag_ref *ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf message = {0}, block = {0};
  ipfsa_buf_unixfs_leaf(&message, IPFSA_UNIXFS_FILE, data, meta);
  ipfsa_buf_pb_data(&block, ipfsa_buf_bytes(&message));
  ipfsa_status status = ipfsa_buf_status(&message, err);
  if (status == IPFSA_OK) status = ipfsa_buf_status(&block, err);
  ipfsa_dag_ref ref = {.tsize = block.len, .filesize = data.len};
  if (status == IPFSA_OK) status = ipfsa_params_put(im->params, im->w, IPFSA_CODEC_DAG_PB, ipfsa_buf_bytes(&block), &ref.cid, err);
  if (status == IPFSA_OK) *ret = ref;
  return status;
}

ipfsa_status ipfsa_importer_build(ipfsa_importer *im, const ipfsa_leaf_buffer *b, size_t first, size_t n, const ipfsa_unixfs_meta *meta,
                                  ipfsa_dag_ref *ret, ipfsa_error *err) {
  if (ipfsa_importer_carries_meta(im, meta, n)) {
    const ipfsa_leaf *leaf = &b->leaves[first];
    return put_leaf_with_meta(im, ipfsa_bytes_of(b->data + leaf->off, leaf->len), meta, ret, err);
  }
  ipfsa_layout_start(&im->layout, im->params, im->w, meta);
  ipfsa_status status = build(im, b, first, n, err);
  return status ? status : ipfsa_layout_finish(&im->layout, ret, err);
}

/* ---- one large file ---- */

struct file_run {
  ipfsa_importer *im;
  ipfsa_source *source;
  const ipfsa_external *external;
  const ipfsa_cuts *cuts;
  ipfsa_progress_cb progress;
  void *progress_ctx;
  ipfsa_progress at;
  size_t head, n_busy, n_slots; /* ring: slots head … head + n_busy − 1 are being read or hashed */
  size_t n_writing;             /* of the others may be on their way to the disk */
  size_t n_at_once;             /* so many are waited for together: the caller takes a processor from a worker each time it wakes */
  size_t fill_size;
  uint64_t off;
  bool ended;
  bool by_workers; /* they read */
  int page_map;    /* of ipfsa_fs_open_page_map, while held */
  bool held;       /* … through mappings; changed by the caller's thread alone, while no slot is busy */
  const uint8_t *carry; /* tail of the last buffer, in that buffer's slot */
  size_t carry_len;
};

static ipfsa_status read_slot(slot *s) {
  file_run *f = s->reads;
  if (f->held) s->map = ipfsa_fs_map(f->source->map_fd, f->source->map_off + s->off, s->len, f->page_map);
  if (s->map) {
    s->b.data = s->map;
    s->b.n_leaves = 0;
  } else {
    ipfsa_status status = ipfsa_leaf_buffer_reserve(&s->b, s->owner->buffer_size, true, &s->err);
    if (status == IPFSA_OK) status = f->source->read_at(f->source, s->b.room, s->len, s->off, &s->err);
    if (status) return status;
  }
  s->b.len = s->len;
  s->b.cuts = f->cuts;
  s->b.at = s->off;
  size_t used = 0;
  return ipfsa_leaf_buffer_cut(&s->b, 0, s->len, true, &used, &s->err);
}

static void drop_map(slot *s) {
  ipfsa_fs_unmap(s->map, s->len);
  s->map = NULL;
}

/* Its bytes are on the disk, or never will be: the slot can be filled anew. */
static ipfsa_status settle(slot *s, ipfsa_error *err) {
  ipfsa_status status = ipfsa_importer_settle(s->owner, &s->ticket, err);
  drop_map(s);
  return status;
}

/* Also when one fails: nobody writes from any slot afterwards. */
static ipfsa_status settle_slots(file_run *f, ipfsa_status status, ipfsa_error *err) {
  for (size_t i = 0; i < f->n_slots; i++) {
    ipfsa_status one = settle(&f->im->slots[i], status ? NULL : err);
    if (status == IPFSA_OK) status = one;
  }
  return status;
}

/* Nobody reads the bytes any more when they are hashed. */
static bool are_only_hashed(const ipfsa_importer *im, const file_run *f) { return !im->w || (f && f->external); }

static void work_slot(slot *s) {
  s->status = s->reads ? read_slot(s) : IPFSA_OK;
  if (s->status == IPFSA_OK) s->status = ipfsa_leaf_buffer_hash(&s->b, &s->err);
  if (are_only_hashed(s->owner, s->reads)) drop_map(s);
}

static void run_task(ipfsa_task *task) {
  slot *s = (slot *)task;
  work_slot(s);
  ipfsa_importer *im = s->owner;
  pthread_mutex_lock(&im->lock);
  s->done = true;
  if (im->awaited == s) pthread_cond_signal(&im->finished);
  pthread_mutex_unlock(&im->lock);
}

static void wait_for(slot *s) {
  pthread_mutex_lock(&s->owner->lock);
  s->owner->awaited = s;
  while (!s->done) pthread_cond_wait(&s->owner->finished, &s->owner->lock);
  pthread_mutex_unlock(&s->owner->lock);
}

static ipfsa_status retire_oldest(file_run *f, ipfsa_error *err) {
  slot *s = &f->im->slots[f->head];
  wait_for(s);
  f->head = (f->head + 1) % f->n_slots;
  f->n_busy--;
  ipfsa_held_file from = {f->source->map_fd, f->source->map_off + s->off};
  ipfsa_status status = take_slot(f->im, s, f->external, s->map ? &from : NULL, err);
  if (status) return status;
  f->at.done_bytes += s->len;
  if (f->progress && f->progress(f->progress_ctx, &f->at) != 0) return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  return IPFSA_OK;
}

/* The tail that is carried over lies in the slot submitted last: one slot stays free to take it. */
static size_t most_busy(const file_run *f) { return f->n_slots - f->n_writing - !f->by_workers; }

static void choose_slots(file_run *f, size_t n, size_t n_writing) {
  f->n_slots = n;
  f->n_writing = n_writing;
  size_t left = n_workers(f->im) + 1, most = most_busy(f); /* a slot for each worker, and one more */
  f->n_at_once = most > left + 2 ? (most - left) / 2 : 1;
  if (f->n_at_once > MAX_AT_ONCE) f->n_at_once = MAX_AT_ONCE;
}

static void choose_rooms(file_run *f) { choose_slots(f, f->im->n_slots, f->im->n_slots > 3 ? MAX_WRITING : 0); }

static ipfsa_status retire_some(file_run *f, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  wait_for(&f->im->slots[(f->head + f->n_at_once - 1) % f->n_slots]); /* those before it were begun before */
  for (size_t i = 0; i < f->n_at_once && status == IPFSA_OK; i++) status = retire_oldest(f, err);
  return status;
}

static void let_go(file_run *f) {
  if (f->held) ipfsa_fs_let_go(f->source->map_fd);
  ipfsa_fs_close(&f->page_map);
  f->held = false;
}

/* Somebody waits to write the file: what is mapped is finished, then he may; the rest is read. */
static ipfsa_status check_held(file_run *f, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  if (!f->held || ipfsa_fs_holds(f->source->map_fd)) return IPFSA_OK;
  while (status == IPFSA_OK && f->n_busy) status = retire_oldest(f, err);
  if (status == IPFSA_OK) status = settle_slots(f, status, err);
  if (status) return status;
  let_go(f);
  choose_rooms(f);
  f->fill_size = f->im->fill_size;
  f->head = 0;
  return f->source->check(f->source, err);
}

/* Of whole chunks, as many as fit into a buffer. */
static size_t next_len(const file_run *f) {
  uint64_t total = f->at.total_bytes, left = total - f->off;
  if (!f->cuts) return left < f->fill_size ? (size_t)left : f->fill_size;
  uint64_t end = f->off;
  for (size_t n = 0; end < total && n < IPFSA_MAX_BUFFER_LEAVES; n++) {
    uint64_t next = ipfsa_cuts_next(f->cuts, end);
    if (next - f->off > f->fill_size) break;
    end = next < total ? next : total;
  }
  return (size_t)(end - f->off);
}

/* The next stretch for a worker to read. */
static ipfsa_status assign_next(file_run *f, slot **ret, ipfsa_error *err) {
  slot *s = &f->im->slots[(f->head + f->n_busy) % f->n_slots];
  ipfsa_status status = settle(s, err);
  if (status) return status;
  s->reads = f;
  s->off = f->off;
  s->len = next_len(f);
  f->off += s->len;
  *ret = s->len ? s : NULL;
  return IPFSA_OK;
}

/* Reads and cuts the next buffer into a free slot. *ret is NULL when the file is over. */
static ipfsa_status fill_next(file_run *f, slot **ret, ipfsa_error *err) {
  ipfsa_importer *im = f->im;
  *ret = NULL;
  if (f->ended && f->carry_len == 0) return IPFSA_OK;
  slot *s = &im->slots[(f->head + f->n_busy) % f->n_slots];
  s->reads = NULL;
  ipfsa_status status = settle(s, err);
  if (status == IPFSA_OK) status = ipfsa_leaf_buffer_reserve(&s->b, im->buffer_size, f->off > 0, err); /* the first may hold all there is */
  if (status) return status;
  if (f->carry_len) memmove(s->b.room, f->carry, f->carry_len);
  size_t len = f->carry_len;
  s->off = f->off;
  if (!f->ended && len < im->fill_size) {
    size_t n = 0, want = im->fill_size - len;
    status = f->source->read(f->source, s->b.room + len, want, &n, err);
    if (status) return status;
    len += n;
    f->ended = n < want;
  }
  size_t used = 0;
  s->b.cuts = f->cuts;
  s->b.at = f->off;
  status = ipfsa_leaf_buffer_cut(&s->b, 0, len, f->ended, &used, err);
  if (status) return status;
  f->carry = s->b.room + used;
  f->carry_len = len - used;
  f->off += used;
  s->len = s->b.len = used;
  if (used) *ret = s;
  return IPFSA_OK;
}

static ipfsa_status next_slot(file_run *f, slot **ret, ipfsa_error *err) {
  if (!f->by_workers) return fill_next(f, ret, err);
  ipfsa_status status = check_held(f, err);
  return status ? status : assign_next(f, ret, err);
}

static ipfsa_status run_slots(file_run *f, slot *first, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  for (slot *s = first; s && status == IPFSA_OK;) {
    s->task.run = run_task;
    s->done = false;
    f->n_busy++;
    if (f->im->pool) ipfsa_pool_submit(f->im->pool, &s->task);
    else run_task(&s->task);
    if (f->n_busy >= most_busy(f)) status = retire_some(f, err);
    if (status == IPFSA_OK) status = next_slot(f, &s, err);
  }
  while (status == IPFSA_OK && f->n_busy) status = retire_oldest(f, err);
  for (; f->n_busy; f->n_busy--, f->head = (f->head + 1) % f->n_slots) {
    wait_for(&f->im->slots[f->head]);
  }
  return settle_slots(f, status, err);
}

/* One buffer holds the whole file: hashed here, at once. */
static ipfsa_status import_small(file_run *f, slot *s, const ipfsa_unixfs_meta *meta, ipfsa_dag_ref *ret, ipfsa_error *err) {
  ipfsa_importer *im = f->im;
  ipfsa_status status = IPFSA_OK;
  if (!ipfsa_importer_carries_meta(im, meta, s->b.n_leaves)) {
    status = ipfsa_leaf_buffer_hash(&s->b, err);
    if (status == IPFSA_OK) status = ipfsa_importer_store(im, &s->b, 0, s->b.n_leaves, f->external, NULL, &s->ticket, err);
  }
  if (status == IPFSA_OK) status = ipfsa_importer_build(im, &s->b, 0, s->b.n_leaves, meta, ret, err);
  f->at.done_bytes = s->len;
  if (status == IPFSA_OK && f->progress && f->progress(f->progress_ctx, &f->at) != 0) return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  return status;
}

/* May workers read the file, and through mappings? Their windows are larger than our buffers, and more. */
static void choose_reading(file_run *f) {
  const ipfsa_import_params *p = f->im->params;
  uint64_t size = f->source->size_hint;
  f->by_workers = f->source->read_at && has_fixed_size(&p->chunker) && size != UINT64_MAX && size > f->im->fill_size;
  if (!f->by_workers || f->cuts || f->source->map_fd < 0 || f->source->map_off || p->inline_limit || p->hash != IPFSA_HASH_SHA2_256) return;
  uint32_t chunk = p->chunker.size;
  if (chunk < MIN_MAPPED_CHUNK || chunk % IPFSA_LEAF_ALIGNMENT) return;
  f->held = ipfsa_fs_hold(f->source->map_fd);
  if (!f->held) return;
  f->page_map = ipfsa_fs_open_page_map();
  size_t leaves = MAPPED_LEAVES * (size_t)chunk <= MAX_WINDOW ? MAPPED_LEAVES : MAX_WINDOW / chunk;
  f->fill_size = leaves * chunk;
  if (f->fill_size < MIN_BUFFER) f->fill_size = MIN_BUFFER / chunk * chunk;
  /* Windows are pages of the cache, so there may be one for each worker; one that waits to be hashed maps nothing yet, but one that was stays until it is written. */
  bool large = f->fill_size > MIN_BUFFER;
  size_t n_writing = are_only_hashed(f->im, f) ? 0 : large ? 1 : MAX_WRITING, n = n_workers(f->im) + (large ? 1 : SPARE) + n_writing;
  if (n_writing == 0) n += 2 * MAX_AT_ONCE;
  choose_slots(f, n < MAX_SLOTS ? n : MAX_SLOTS, n_writing);
}

static ipfsa_status import_large(file_run *f, const ipfsa_unixfs_meta *meta, slot *first, ipfsa_dag_ref *ret, ipfsa_error *err) {
  ipfsa_layout_start(&f->im->layout, f->im->params, f->im->w, meta);
  ipfsa_status status = run_slots(f, first, err);
  if (status == IPFSA_OK && f->by_workers) status = f->source->check(f->source, err);
  let_go(f);
  return status ? status : ipfsa_layout_finish(&f->im->layout, ret, err);
}

ipfsa_status ipfsa_importer_file(ipfsa_importer *im, ipfsa_source *source, const ipfsa_unixfs_meta *meta, const ipfsa_external *external,
                                 const ipfsa_cuts *cuts, ipfsa_progress_cb progress, void *progress_ctx, ipfsa_dag_ref *ret, ipfsa_error *err) {
  file_run f = {.im = im, .source = source, .external = external, .cuts = cuts, .progress = progress, .progress_ctx = progress_ctx, .fill_size = im->fill_size, .page_map = -1};
  choose_rooms(&f);
  f.at.total_bytes = source->size_hint == UINT64_MAX ? 0 : source->size_hint;
  slot *s = NULL;
  ipfsa_dag_ref ref = {0};
  choose_reading(&f);
  ipfsa_status status = next_slot(&f, &s, err);
  if (status == IPFSA_OK && !s) { /* an empty balanced file is one empty leaf, an empty trickle one a root without leaves */
    s = &im->slots[0];
    s->len = 0;
    if (im->params->layout == IPFSA_LAYOUT_BALANCED) status = ipfsa_leaf_buffer_add(&s->b, 0, 0, err);
  }
  if (status == IPFSA_OK && !f.by_workers && f.ended && f.carry_len == 0) status = import_small(&f, s, meta, &ref, err);
  else if (status == IPFSA_OK) status = import_large(&f, meta, s, &ref, err);
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
