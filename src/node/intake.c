#include "node/intake.h"

#include "hash/hash.h"

#define ROOM (4u << 20)    /* bytes of a batch: sixteen blocks of 256 KiB fill the lanes; at least IPFSA_MAX_BLOCK */
#define MAX_BLOCKS 1024    /* in a batch */
#define MAX_BATCHES 12     /* their rooms stay under 48 MiB */
#define WRITING 5          /* batches on their way to the disk while the others are filled and hashed; of two, the disk had but one most of the time */
#define PAGED_BLOCK 16384  /* bytes; blocks from here on are written from where they lie, and begin on a page border behind smaller ones */
#define PAGE 4096

typedef struct batch_block {
  ipfsa_cid cid;
  uint64_t number;
  int fd; /* −1: its bytes are there; else the worker reads them from this file, */
  uint64_t off; /* at this place */
} batch_block;

typedef struct batch {
  ipfsa_task task;
  struct ipfsa_intake *owner;
  uint8_t *room; /* page-aligned */
  bool huge;     /* … in huge pages: what is written from others goes out in many small requests */
  size_t len;
  batch_block *blocks;
  ipfsa_leaf *leaves; /* digests point into blocks */
  size_t n;
  uint64_t ticket;
  ipfsa_status status;
  ipfsa_error err;
  bool done;
} batch;

struct ipfsa_intake {
  ipfsa_node *node;
  ipfsa_blockstore_writer *w;
  ipfsa_pool *pool; /* NULL until a second batch is begun: a few blocks need no threads */
  pthread_mutex_t lock;
  pthread_cond_t finished;
  size_t n_batches, head, n_busy; /* ring: batches head … head + n_busy − 1 are being verified, the next is being filled */
  batch batches[MAX_BATCHES];
};

ipfsa_status ipfsa_intake_new(ipfsa_node *node, ipfsa_blockstore_writer *w, ipfsa_intake **ret, ipfsa_error *err) {
  ipfsa_intake *in = ipfsa_calloc(1, sizeof *in);
  if (!in) return ipfsa_fail_nomem(err);
  in->node = node;
  in->w = w;
  in->n_batches = WRITING + 2; /* more, once the number of threads is known */
  pthread_mutex_init(&in->lock, NULL);
  pthread_cond_init(&in->finished, NULL);
  for (size_t i = 0; i < MAX_BATCHES; i++) in->batches[i].owner = in;
  *ret = in;
  return IPFSA_OK;
}

static void wait_for(batch *b) {
  pthread_mutex_lock(&b->owner->lock);
  while (!b->done) pthread_cond_wait(&b->owner->finished, &b->owner->lock);
  pthread_mutex_unlock(&b->owner->lock);
}

void ipfsa_intake_free(ipfsa_intake *in) {
  if (!in) return;
  for (; in->n_busy; in->n_busy--, in->head = (in->head + 1) % in->n_batches) wait_for(&in->batches[in->head]);
  (void)ipfsa_writer_settle(in->w, IPFSA_ALL_RUNS, NULL); /* what failed, the commit told or will tell */
  for (size_t i = 0; i < MAX_BATCHES; i++) {
    ipfsa_free_aligned(in->batches[i].room);
    ipfsa_free(in->batches[i].blocks);
    ipfsa_free(in->batches[i].leaves);
  }
  pthread_cond_destroy(&in->finished);
  pthread_mutex_destroy(&in->lock);
  ipfsa_free(in);
}

/* ---- in the worker ---- */

static ipfsa_bytes data_of(const batch *b, size_t i) { return ipfsa_bytes_of(b->room + b->leaves[i].off, b->leaves[i].len); }

static bool is_sha256(const ipfsa_multihash *mh) { return mh->code == IPFSA_HASH_SHA2_256 && mh->len == 32; }

/* True: sha2-256 and right. The others are looked at one by one. */
static void match_sha256(const batch *b, size_t first, size_t n, bool *ret_good) {
  ipfsa_sha256_job jobs[64];
  uint8_t digests[64][32];
  size_t n_jobs = 0;
  for (size_t i = 0; i < n; i++)
    if (is_sha256(&b->blocks[first + i].cid.mh)) jobs[n_jobs++] = (ipfsa_sha256_job){{data_of(b, first + i), {0}, {0}}, digests[i]};
  if (n_jobs) ipfsa_sha256_batch(jobs, n_jobs);
  for (size_t i = 0; i < n; i++) {
    const ipfsa_multihash *mh = &b->blocks[first + i].cid.mh;
    ret_good[i] = is_sha256(mh) && memcmp(digests[i], mh->digest, 32) == 0;
  }
}

static ipfsa_status read_block(batch *b, size_t i) {
  const batch_block *block = &b->blocks[i];
  size_t got = 0;
  if (block->fd < 0) return IPFSA_OK;
  ipfsa_status status = ipfsa_fs_read_at(block->fd, b->room + b->leaves[i].off, b->leaves[i].len, block->off, &got, &b->err);
  if (status == IPFSA_OK && got < b->leaves[i].len)
    status = ipfsa_fail(&b->err, IPFSA_E_CHANGED, "the archive was cut short at byte %llu while it was read; import it again when it is at rest",
                        (unsigned long long)(block->off + got));
  return status ? ipfsa_error_prefix(&b->err, status, "block %llu", (unsigned long long)block->number) : IPFSA_OK;
}

/* The first n blocks. */
static ipfsa_status verify(batch *b, size_t n_blocks) {
  for (size_t at = 0; at < n_blocks; at += 64) {
    bool good[64];
    size_t n = n_blocks - at < 64 ? n_blocks - at : 64;
    match_sha256(b, at, n, good);
    for (size_t i = at; i < at + n; i++) {
      ipfsa_status status = good[i - at] ? IPFSA_OK : ipfsa_cid_verify(&b->blocks[i].cid, data_of(b, i), &b->err);
      if (status) return ipfsa_error_prefix(&b->err, status, "block %llu", (unsigned long long)b->blocks[i].number);
    }
  }
  return IPFSA_OK;
}

/* What is wrong with a block before one that cannot be read comes first. */
static ipfsa_status work(batch *b) {
  ipfsa_status unread = IPFSA_OK;
  size_t n = 0;
  while (n < b->n && (unread = read_block(b, n)) == IPFSA_OK) n++;
  ipfsa_error why = b->err;
  ipfsa_status status = verify(b, n);
  if (status || unread == IPFSA_OK) return status;
  b->err = why;
  return unread;
}

static void run_task(ipfsa_task *task) {
  batch *b = (batch *)task;
  b->status = work(b);
  pthread_mutex_lock(&b->owner->lock);
  b->done = true;
  pthread_cond_signal(&b->owner->finished);
  pthread_mutex_unlock(&b->owner->lock);
}

/* ---- in the caller ---- */

static ipfsa_status retire_oldest(ipfsa_intake *in, ipfsa_error *err) {
  batch *b = &in->batches[in->head];
  wait_for(b);
  in->head = (in->head + 1) % in->n_batches;
  in->n_busy--;
  ipfsa_leaf_run run = {b->room, b->len, IPFSA_LEAF_RAW, b->leaves, b->n};
  b->len = b->n = 0;
  if (b->status == IPFSA_OK) return ipfsa_writer_put_run_later(in->w, &run, NULL, &b->ticket, err);
  if (err) *err = b->err;
  return b->status;
}

static batch *current(ipfsa_intake *in) { return &in->batches[(in->head + in->n_busy) % in->n_batches]; }

static ipfsa_status make_room(batch *b, ipfsa_error *err) {
  bool huge = b->owner->pool; /* not for a few blocks: a huge page is zeroed whole */
  if (huge && !b->huge && b->n == 0) {
    ipfsa_free_aligned(b->room); /* of the first batch */
    b->room = NULL;
  }
  if (!b->room) {
    b->room = ipfsa_alloc_aligned(IPFSA_HUGE_PAGE, ROOM);
    b->huge = huge;
    if (b->room && huge) ipfsa_prefer_huge_pages(b->room, ROOM);
  }
  if (!b->blocks) b->blocks = ipfsa_calloc(MAX_BLOCKS, sizeof *b->blocks);
  if (!b->leaves) b->leaves = ipfsa_calloc(MAX_BLOCKS, sizeof *b->leaves);
  return b->room && b->blocks && b->leaves ? IPFSA_OK : ipfsa_fail_nomem(err);
}

/* The pool comes with the second batch, when the ring has not turned yet, so that it may grow. */
static ipfsa_status need_pool(ipfsa_intake *in, ipfsa_error *err) {
  if (in->pool) return IPFSA_OK;
  ipfsa_status status = ipfsa_node_pool(in->node, &in->pool, err);
  if (status) return status;
  size_t want = ipfsa_pool_n_threads(in->pool) + 1 + WRITING;
  if (want > in->n_batches) in->n_batches = want < MAX_BATCHES ? want : MAX_BATCHES;
  return IPFSA_OK;
}

/* Hands the batch at hand to a worker; the next one can be filled. */
static ipfsa_status turn(ipfsa_intake *in, ipfsa_error *err) {
  batch *b = current(in);
  ipfsa_status status = need_pool(in, err);
  if (status) return status;
  b->task.run = run_task;
  b->done = false;
  ipfsa_pool_submit(in->pool, &b->task);
  in->n_busy++;
  if (in->n_busy >= in->n_batches - WRITING) status = retire_oldest(in, err);
  if (status) return status;
  uint64_t ticket = current(in)->ticket;
  current(in)->ticket = 0;
  return ipfsa_writer_settle(in->w, ticket, err);
}

/* Where a block of that length goes in the batch. */
static size_t place(const batch *b, size_t len) {
  bool behind_small = b->n && b->leaves[b->n - 1].len < PAGED_BLOCK;
  return len >= PAGED_BLOCK && behind_small ? (b->len + PAGE - 1) / PAGE * PAGE : b->len;
}

/* Never stored: an identity CID, or a block over the limit. */
static ipfsa_status put_at_once(ipfsa_intake *in, uint64_t number, const ipfsa_cid *cid, ipfsa_bytes data, ipfsa_error *err) {
  ipfsa_status status = ipfsa_writer_put(in->w, cid, data, err);
  if (status == IPFSA_OK) status = ipfsa_cid_verify(cid, data, err);
  if (status == IPFSA_OK) return IPFSA_OK;
  ipfsa_error earlier = {0};
  ipfsa_status before = ipfsa_intake_finish(in, &earlier);
  if (before == IPFSA_OK) return ipfsa_error_prefix(err, status, "block %llu", (unsigned long long)number);
  if (err) *err = earlier;
  return before;
}

/* Room for a block in the batch at hand; *ret is where its bytes go. */
static ipfsa_status add_block(ipfsa_intake *in, const batch_block *block, size_t len, uint8_t **ret, ipfsa_error *err) {
  batch *b = current(in);
  ipfsa_status status = IPFSA_OK;
  if (b->n == MAX_BLOCKS || place(b, len) + len > ROOM) status = turn(in, err), b = current(in);
  if (status == IPFSA_OK) status = make_room(b, err);
  if (status) return status;
  size_t at = place(b, len);
  memset(b->room + b->len, 0, at - b->len);
  b->blocks[b->n] = *block;
  const ipfsa_multihash *mh = &b->blocks[b->n].cid.mh;
  b->leaves[b->n++] = (ipfsa_leaf){mh->code, mh->digest, mh->len, (uint32_t)at, (uint32_t)len};
  b->len = at + len;
  *ret = b->room + at;
  return IPFSA_OK;
}

ipfsa_status ipfsa_intake_put(ipfsa_intake *in, uint64_t number, const ipfsa_cid *cid, ipfsa_bytes data, ipfsa_error *err) {
  if (ipfsa_cid_is_identity(cid) || data.len > IPFSA_MAX_BLOCK) return put_at_once(in, number, cid, data, err);
  uint8_t *at = NULL;
  ipfsa_status status = add_block(in, &(batch_block){*cid, number, -1, 0}, data.len, &at, err);
  if (status == IPFSA_OK && data.len) memcpy(at, data.data, data.len);
  return status;
}

ipfsa_status ipfsa_intake_put_from(ipfsa_intake *in, uint64_t number, const ipfsa_cid *cid, int fd, uint64_t off, uint32_t len, ipfsa_error *err) {
  uint8_t *at = NULL;
  return add_block(in, &(batch_block){*cid, number, fd, off}, len, &at, err);
}

ipfsa_status ipfsa_intake_finish(ipfsa_intake *in, ipfsa_error *err) {
  batch *last = current(in);
  if (last->n) { /* here: no worker would be faster, and a few blocks wake none */
    run_task(&last->task);
    in->n_busy++;
  }
  ipfsa_status status = IPFSA_OK;
  while (status == IPFSA_OK && in->n_busy) status = retire_oldest(in, err);
  return status;
}
