/* Incidents of public trackers are named where a test stands for one. */
#include <errno.h>
#include <ipfsa/pin.h>

#include "base/clock.h"
#include "base/fault.h"
#include "dag_fixture.h"
#include "hash/hash.h"
#include "node/mark.h"

typedef struct gc_notes {
  int n_removed, n_damaged;
  ipfsa_cid damaged;
} gc_notes;

static int note_removed(void *ctx, const ipfsa_cid *cid, uint64_t size) {
  (void)cid, (void)size;
  ((gc_notes *)ctx)->n_removed++;
  return 0;
}

static int note_damaged(void *ctx, const ipfsa_cid *cid, const char *what) {
  gc_notes *notes = ctx;
  assert_true(what[0]);
  notes->n_damaged++;
  notes->damaged = *cid;
  return 0;
}

static ipfsa_status gc(fixture *f, gc_notes *notes, ipfsa_error *err) {
  *notes = (gc_notes){0};
  ipfsa_gc_options options = {.struct_size = sizeof options, .removed = note_removed, .damaged = note_damaged, .ctx = notes};
  return ipfsa_repo_gc(&f->node, &options, NULL, err);
}

static void only_the_unreachable_goes(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  ipfsa_cid pinned[TREE], direct[TREE], root[TREE], leased[TREE], garbage[TREE];
  add_tree(f, "pinned", pinned);
  add_tree(f, "direct", direct);
  add_tree(f, "root", root);
  add_tree(f, "leased", leased);
  add_tree(f, "garbage", garbage);
  assert_ok(ipfsa_pin_add(&f->node, &pinned[0], NULL, &err));
  assert_ok(ipfsa_pin_add(&f->node, &direct[1], &(ipfsa_pin_add_options){.struct_size = sizeof(ipfsa_pin_add_options), .direct = true}, &err));
  assert_ok(ipfsa_roots_set(f->node.store, "mfs", &root[0], &err));
  ipfsa_lease *lease = NULL;
  assert_ok(ipfsa_lease_new(f->node.store, &lease, &err));
  assert_ok(ipfsa_lease_add(lease, &leased[0], &err));
  gc_notes notes;
  assert_ok(gc(f, &notes, &err));
  assert_int_equal(notes.n_removed, 9);
  assert_int_equal(notes.n_damaged, 0);
  assert_int_equal(n_here(f, pinned), TREE);
  assert_int_equal(n_here(f, root), TREE);
  assert_int_equal(n_here(f, leased), TREE);
  assert_int_equal(n_here(f, direct), 1);
  assert_int_equal(n_here(f, garbage), 0);
  assert_ok(gc(f, &notes, &err));
  assert_int_equal(notes.n_removed, 0);
  ipfsa_lease_free(lease);
  assert_ok(gc(f, &notes, &err));
  assert_int_equal(notes.n_removed, TREE);
  fixture_reopen(f);
  assert_int_equal(n_here(f, pinned), TREE);
  assert_int_equal(n_here(f, leased), 0);
  fixture_free(f);
}

/* kubo#3453, #3712: a block that cannot be read neither stops gc nor costs what can be reached. */
static void a_missing_block_is_told_and_gc_goes_on(void **state) {
  (void)state;
  for (int missing = 1; missing < TREE; missing++) {
    ipfsa_error err = {0};
    fixture *f = fixture_new();
    ipfsa_cid pinned[TREE], garbage[TREE];
    add_tree(f, "pinned", pinned);
    add_tree(f, "garbage", garbage);
    assert_ok(ipfsa_pin_add(&f->node, &pinned[0], NULL, &err));
    remove_block(f, &pinned[missing]);
    gc_notes notes;
    assert_status(gc(f, &notes, &err), IPFSA_E_PARTIAL);
    assert_int_equal(notes.n_damaged, 1);
    assert_true(ipfsa_cid_equal(&notes.damaged, &pinned[missing]));
    assert_int_equal(n_here(f, garbage), 0);
    assert_int_equal(n_here(f, pinned), missing == 1 ? 2 : 4); /* below a missing node nothing can be reached */
    fixture_free(f);
  }
}

static void a_missing_root_stops_gc(void **state) {
  (void)state;
  for (int named = 0; named < 2; named++) {
    ipfsa_error err = {0};
    fixture *f = fixture_new();
    ipfsa_cid pinned[TREE], garbage[TREE];
    add_tree(f, "pinned", pinned);
    add_tree(f, "garbage", garbage);
    if (named) assert_ok(ipfsa_roots_set(f->node.store, "mfs", &pinned[0], &err));
    else assert_ok(ipfsa_pin_add(&f->node, &pinned[0], NULL, &err));
    remove_block(f, &pinned[0]);
    gc_notes notes;
    assert_status(gc(f, &notes, &err), IPFSA_E_CORRUPT);
    assert_int_equal(notes.n_removed, 0);
    assert_int_equal(n_here(f, pinned), TREE - 1);
    assert_int_equal(n_here(f, garbage), TREE);
    add_tree(f, "pinned", pinned);
    assert_ok(gc(f, &notes, &err));
    assert_int_equal(n_here(f, pinned), TREE);
    assert_int_equal(n_here(f, garbage), 0);
    fixture_free(f);
  }
}

static int damage_in_pack(void *ctx, const char *name, unsigned char type) {
  (void)type;
  ipfsa_error err = {0};
  struct { int packs_fd; ipfsa_bytes block; int n; } *d = ctx;
  IPFSA_AUTO_FD int fd = ipfsa_fs_open(d->packs_fd, name, O_RDWR, 0, &err);
  assert_true(fd >= 0);
  uint8_t *all = malloc(1 << 20);
  size_t len = 0;
  assert_ok(ipfsa_fs_read_at(fd, all, 1 << 20, 0, &len, &err));
  uint8_t *at = memmem(all, len, d->block.data, d->block.len);
  if (at) {
    *at ^= 1;
    assert_ok(ipfsa_fs_write_at(fd, at, 1, (uint64_t)(at - all), &err));
    d->n++;
  }
  free(all);
  return 0;
}

static void damage_block(fixture *f, const ipfsa_cid *cid) {
  ipfsa_error err = {0};
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  assert_ok(ipfsa_blockstore_get(f->node.bs, cid, &block, &err));
  struct { int packs_fd; ipfsa_bytes block; int n; } d = {ipfsa_fs_open_dir(f->node.repo_fd, "packs", &err), block.data, 0};
  assert_ok(ipfsa_fs_list(d.packs_fd, ".", damage_in_pack, &d, &err));
  assert_int_equal(d.n, 1);
  ipfsa_fs_close(&d.packs_fd);
}

/* The bytes on disk changed: of a node below a pin, then of a pin's root. */
static void a_damaged_block_is_told_and_a_damaged_root_stops_gc(void **state) {
  (void)state;
  for (int which = 0; which < 2; which++) {
    ipfsa_error err = {0};
    fixture *f = fixture_new();
    ipfsa_cid pinned[TREE], garbage[TREE];
    add_tree(f, "pinned", pinned);
    add_tree(f, "garbage", garbage);
    assert_ok(ipfsa_pin_add(&f->node, &pinned[0], NULL, &err));
    damage_block(f, &pinned[which]);
    fixture_reopen(f);
    gc_notes notes;
    assert_status(gc(f, &notes, &err), which ? IPFSA_E_PARTIAL : IPFSA_E_CORRUPT);
    assert_int_equal(notes.n_damaged, which);
    assert_int_equal(n_here(f, garbage), which ? 0 : TREE);
    assert_true(has(f, &pinned[0]) && has(f, &pinned[4]));
    fixture_free(f);
  }
}

/* Wrapped leaves are known by their kind: one whose bytes rotted is verify's to tell, and gc, which reads none, keeps it. */
static void leaves_are_not_read(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  uint8_t data[3000], prefix[32], suffix[32];
  size_t prefix_len, suffix_len;
  memset(data, 7, sizeof data);
  ipfsa_leaf_wrap(IPFSA_LEAF_PB_FILE, sizeof data, prefix, &prefix_len, suffix, &suffix_len);
  ipfsa_cid leaf = {.codec = IPFSA_CODEC_DAG_PB, .version = 1, .defined = true}, parent, garbage[TREE];
  ipfsa_bytes parts[3] = {{prefix, prefix_len}, {data, sizeof data}, {suffix, suffix_len}};
  assert_ok(ipfsa_hash_digest(IPFSA_HASH_SHA2_256, 0, parts, 3, &leaf.mh, &err));
  ipfsa_leaf one = {.hash = IPFSA_HASH_SHA2_256, .digest = leaf.mh.digest, .digest_len = 32, .len = sizeof data};
  ipfsa_blockstore_writer *w = NULL;
  assert_ok(ipfsa_blockstore_begin(f->node.bs, &w, &err));
  assert_ok(ipfsa_writer_put_run(w, &(ipfsa_leaf_run){data, sizeof data, IPFSA_LEAF_PB_FILE, &one, 1}, &err));
  assert_ok(put_parent(w, &leaf, 1, "parent", &parent, &err));
  assert_ok(ipfsa_writer_commit(w, &err));
  ipfsa_writer_close(w);
  add_tree(f, "garbage", garbage);
  assert_ok(ipfsa_pin_add(&f->node, &parent, NULL, &err));
  struct { int packs_fd; ipfsa_bytes block; int n; } d = {ipfsa_fs_open_dir(f->node.repo_fd, "packs", &err), {data, sizeof data}, 0};
  assert_ok(ipfsa_fs_list(d.packs_fd, ".", damage_in_pack, &d, &err));
  ipfsa_fs_close(&d.packs_fd);
  assert_int_equal(d.n, 1);
  gc_notes notes;
  assert_ok(gc(f, &notes, &err));
  assert_int_equal(notes.n_removed, TREE);
  assert_true(has(f, &leaf) && has(f, &parent));
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  assert_status(ipfsa_blockstore_get(f->node.bs, &leaf, &block, &err), IPFSA_E_CORRUPT);
  fixture_free(f);
}

/* More children than are read at a time; some twice, some missing. */
static void a_wide_node_is_marked_whole(void **state) {
  (void)state;
  enum { N = 45 };
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  ipfsa_cid children[2 * N], leaves[N], root;
  ipfsa_blockstore_writer *w = NULL;
  assert_ok(ipfsa_blockstore_begin(f->node.bs, &w, &err));
  for (int i = 0; i < N; i++) {
    char text[16];
    snprintf(text, sizeof text, "leaf %d", i);
    assert_ok(put_leaf(w, text, &leaves[i], &err));
    assert_ok(put_parent(w, &leaves[i], 1, text, &children[i], &err));
    children[2 * N - 1 - i] = children[i];
  }
  assert_ok(put_parent(w, children, 2 * N, "root", &root, &err));
  assert_ok(ipfsa_writer_commit(w, &err));
  ipfsa_writer_close(w);
  assert_ok(ipfsa_pin_add(&f->node, &root, NULL, &err));
  int missing = 0;
  for (int i = 3; i < N; i += 7, missing++) remove_block(f, &children[i]);
  gc_notes notes;
  assert_status(gc(f, &notes, &err), IPFSA_E_PARTIAL);
  assert_int_equal(notes.n_damaged, missing);
  assert_int_equal(notes.n_removed, missing); /* the leaves below */
  for (int i = 0; i < N; i++) {
    bool gone = i >= 3 && (i - 3) % 7 == 0;
    assert_int_equal(has(f, &leaves[i]), !gone);
    assert_int_equal(has(f, &children[i]), !gone);
  }
  fixture_free(f);
}

/* The same bytes, reached as a raw leaf first and as a node afterwards. */
static void one_digest_as_leaf_and_as_node(void **state) {
  (void)state;
  for (int order = 0; order < 2; order++) {
    ipfsa_error err = {0};
    fixture *f = fixture_new();
    ipfsa_cid t[TREE], parent;
    add_tree(f, "t", t);
    ipfsa_cid as_leaf = t[0];
    as_leaf.codec = IPFSA_CODEC_RAW;
    ipfsa_cid both[] = {order ? t[0] : as_leaf, order ? as_leaf : t[0]};
    ipfsa_blockstore_writer *w = NULL;
    assert_ok(ipfsa_blockstore_begin(f->node.bs, &w, &err));
    assert_ok(put_parent(w, both, 2, "", &parent, &err));
    assert_ok(ipfsa_writer_commit(w, &err));
    ipfsa_writer_close(w);
    assert_ok(ipfsa_pin_add(&f->node, &parent, NULL, &err));
    gc_notes notes;
    assert_ok(gc(f, &notes, &err));
    assert_int_equal(notes.n_removed, 0);
    assert_int_equal(n_here(f, t), TREE);
    fixture_free(f);
  }
}

static void the_live_set_forgets_nothing(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_live_set set;
  assert_ok(ipfsa_live_set_init(&set, &err));
  ipfsa_multihash mh = {.code = IPFSA_HASH_SHA2_256, .len = 32};
  int n = 20000, strange = 0;
  for (int i = 0; i < n; i++) {
    memcpy(mh.digest, &i, sizeof i);
    assert_ok(ipfsa_live_set_add(&set, &mh, &err));
  }
  assert_int_equal(set.count, n);
  for (int i = 0; i < 2 * n; i++) {
    memcpy(mh.digest, &i, sizeof i);
    if (i < n) assert_true(ipfsa_live_set_has(&set, &mh));
    else strange += ipfsa_live_set_has(&set, &mh);
  }
  assert_int_equal(strange, 0);
  mh.code = IPFSA_HASH_BLAKE3;
  assert_false(ipfsa_live_set_has(&set, &mh));
  ipfsa_live_set_release(&set);
}

typedef struct failing_run {
  ipfsa_cid pinned[TREE], garbage[TREE], direct[TREE], leased[TREE], many[12][TREE];
} failing_run;

/* Several packs, of which some die; a root, a direct pin, and the lease of one who is alive. */
static fixture *failing_fixture(failing_run *r, ipfsa_lease **ret_lease) {
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  f->max_pack_size = 16384;
  fixture_reopen(f);
  add_tree(f, "garbage", r->garbage);
  for (int i = 0; i < 12; i++) {
    char name[16];
    snprintf(name, sizeof name, "garbage %d", i);
    add_tree(f, name, r->many[i]);
  }
  add_tree(f, "pinned", r->pinned);
  add_tree(f, "direct", r->direct);
  add_tree(f, "leased", r->leased);
  assert_ok(ipfsa_pin_add(&f->node, &r->pinned[0], NULL, &err));
  assert_ok(ipfsa_pin_add(&f->node, &r->direct[1], &(ipfsa_pin_add_options){.struct_size = sizeof(ipfsa_pin_add_options), .direct = true}, &err));
  assert_ok(ipfsa_roots_set(f->node.store, "mfs", &r->pinned[1], &err));
  assert_ok(ipfsa_lease_new(f->node.store, ret_lease, &err));
  assert_ok(ipfsa_lease_add(*ret_lease, &r->leased[0], &err));
  return f;
}

static void reopen_leased(fixture *f, ipfsa_lease **lease, const ipfsa_cid *cid) {
  ipfsa_error err = {0};
  ipfsa_lease_free(*lease);
  fixture_reopen(f);
  assert_ok(ipfsa_lease_new(f->node.store, lease, &err));
  assert_ok(ipfsa_lease_add(*lease, cid, &err));
}

static void check_after_gc(fixture *f, const failing_run *r) {
  assert_int_equal(n_here(f, r->pinned), TREE);
  assert_int_equal(n_here(f, r->leased), TREE);
  assert_true(has(f, &r->direct[1]));
}

/* The n-th operation of a kind fails in a way, for every n, each time in a whole gc of a repo of its own: what is pinned is whole, and the next
 * gc does its work. */
static void fail_every(ipfsa_fault_kind kind, ipfsa_fault_mode mode, int sys_errno) {
  for (uint64_t n = 1;; n++) {
    ipfsa_error err = {0};
    failing_run r;
    ipfsa_lease *lease = NULL;
    fixture *f = failing_fixture(&r, &lease);
    gc_notes notes;
    ipfsa_fault_arm(&(ipfsa_fault_plan){kind, n, 1, mode, sys_errno});
    ipfsa_status status = gc(f, &notes, &err);
    bool fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    if (!fired || mode == IPFSA_FAULT_SHORT) assert_ok(status);
    check_after_gc(f, &r);
    if (n % 3 == 0) reopen_leased(f, &lease, &r.leased[0]); /* or it goes on in the same store */
    status = gc(f, &notes, &err);
    if (status == IPFSA_E_POISONED) {
      reopen_leased(f, &lease, &r.leased[0]);
      status = gc(f, &notes, &err);
    }
    assert_ok(status);
    check_after_gc(f, &r);
    assert_int_equal(n_here(f, r.garbage), 0);
    for (int i = 0; i < 12; i++) assert_int_equal(n_here(f, r.many[i]), 0);
    ipfsa_lease_free(lease);
    fixture_free(f);
    if (!fired) break;
  }
}

static void a_gc_that_runs_out_of_memory_costs_nothing(void **state) {
  (void)state;
  fail_every(IPFSA_FAULT_ALLOC, IPFSA_FAULT_FAIL, ENOMEM);
}

static void a_gc_whose_disk_fails_costs_nothing(void **state) {
  (void)state;
  fail_every(IPFSA_FAULT_FILE, IPFSA_FAULT_FAIL, EIO);
}

static void short_reads_and_writes_do_not_trouble_gc(void **state) {
  (void)state;
  fail_every(IPFSA_FAULT_FILE, IPFSA_FAULT_SHORT, 0);
}

/* Tables longer than what is read of them at a time; dead blocks between live ones, and packs that die. */
static void many_blocks_go_between_many(void **state) {
  (void)state;
  enum { N = 2000 };
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  f->max_pack_size = 65536;
  fixture_reopen(f);
  ipfsa_cid *all = calloc(N, sizeof *all), *live = calloc(N, sizeof *live), root[N / 100 + 1];
  size_t n_live = 0, n_roots = 0;
  ipfsa_blockstore_writer *w = NULL;
  assert_ok(ipfsa_blockstore_begin(f->node.bs, &w, &err));
  for (int i = 0; i < N; i++) {
    char text[128];
    int len = snprintf(text, sizeof text, "block %d ", i);
    memset(text + len, 'x', sizeof text - (size_t)len);
    assert_ok(put_block(w, IPFSA_CODEC_RAW, ipfsa_bytes_of(text, (size_t)(len + i % 60)), &all[i], &err));
    bool keep = i > N / 2 && i % 3;
    if (keep) live[n_live++] = all[i];
    if (i % 250 == 249) assert_ok(ipfsa_writer_commit(w, &err));
  }
  for (size_t i = 0; i < n_live; i += 100) assert_ok(put_parent(w, live + i, n_live - i < 100 ? n_live - i : 100, "p", &root[n_roots++], &err));
  assert_ok(ipfsa_writer_commit(w, &err));
  ipfsa_writer_close(w);
  for (size_t i = 0; i < n_roots; i++) assert_ok(ipfsa_pin_add(&f->node, &root[i], NULL, &err));
  gc_notes notes;
  assert_ok(gc(f, &notes, &err));
  assert_int_equal(notes.n_removed, N - (int)n_live);
  fixture_reopen(f);
  for (int i = 0; i < N; i++) assert_int_equal(has(f, &all[i]), i > N / 2 && i % 3 != 0);
  ipfsa_store_verify_result result;
  assert_ok(ipfsa_store_verify(f->node.store, false, NULL, NULL, NULL, NULL, &result, &err));
  assert_int_equal(result.n_damaged, 0);
  assert_int_equal(result.n_blocks, n_live + n_roots);
  free(all);
  free(live);
  fixture_free(f);
}

/* --- schedules: kubo#6252, #6207 (add), #6444 (unpin), #6310 (pin of blocks that are garbage) --- */

#define N_TREES 8
#define RUN_MS 700

typedef struct schedule {
  fixture *f;
  uint64_t end_ns;
  pthread_mutex_t lock[N_TREES]; /* one actor a tree: what it acknowledged is known */
  bool pinned[N_TREES];
  ipfsa_cid trees[N_TREES][TREE];
  int n_gc, n_add, n_pin, n_unpin, failed;
  char message[600];
} schedule;

typedef struct actor {
  schedule *s;
  uint64_t seed;
  pthread_t thread;
} actor;

static uint64_t next_random(uint64_t *seed) {
  *seed = *seed * 6364136223846793005u + 1442695040888963407u;
  return *seed >> 33;
}

static void note_failure(schedule *s, const char *what, const ipfsa_error *err) {
  if (!__atomic_exchange_n(&s->failed, 1, __ATOMIC_SEQ_CST)) snprintf(s->message, sizeof s->message, "%s: %.500s", what, err->message);
}

static ipfsa_status add_pinned(schedule *s, int i, ipfsa_error *err) {
  char name[16];
  snprintf(name, sizeof name, "tree %d", i);
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_status status = ipfsa_blockstore_begin(s->f->node.bs, &w, err);
  if (status) return status;
  status = put_tree(w, name, s->trees[i], err);
  if (status == IPFSA_OK) status = ipfsa_writer_commit(w, err);
  ipfsa_pin pin = {.cid = s->trees[i][0], .mode = IPFSA_PIN_RECURSIVE};
  if (status == IPFSA_OK) status = ipfsa_pins_set(s->f->node.store, &pin, 1, err);
  ipfsa_writer_close(w);
  return status;
}

static void act_on_tree(schedule *s, int i, uint64_t what) {
  ipfsa_error err = {0};
  pthread_mutex_lock(&s->lock[i]);
  if (what % 3 == 0) {
    if (add_pinned(s, i, &err)) note_failure(s, "add", &err);
    else s->pinned[i] = true, __atomic_add_fetch(&s->n_add, 1, __ATOMIC_RELAXED);
  } else if (what % 3 == 1 && s->pinned[i]) {
    if (ipfsa_pin_rm(&s->f->node, &s->trees[i][0], true, &err)) note_failure(s, "unpin", &err);
    s->pinned[i] = false;
    __atomic_add_fetch(&s->n_unpin, 1, __ATOMIC_RELAXED);
  } else if (what % 3 == 2 && !s->pinned[i] && !ipfsa_cid_is_none(&s->trees[i][0])) {
    ipfsa_status status = ipfsa_pin_add(&s->f->node, &s->trees[i][0], NULL, &err); /* perhaps garbage, perhaps gone */
    s->pinned[i] = status == IPFSA_OK;
    if (status == IPFSA_OK) __atomic_add_fetch(&s->n_pin, 1, __ATOMIC_RELAXED);
    else if (status != IPFSA_E_NOT_FOUND) note_failure(s, "pin", &err);
  }
  pthread_mutex_unlock(&s->lock[i]);
}

static void *run_actor(void *arg) {
  actor *a = arg;
  while (ipfsa_clock_monotonic_ns() < a->s->end_ns && !__atomic_load_n(&a->s->failed, __ATOMIC_RELAXED)) {
    uint64_t r = next_random(&a->seed);
    act_on_tree(a->s, (int)(r % N_TREES), r / N_TREES);
  }
  return NULL;
}

static void *run_collector(void *arg) {
  actor *a = arg;
  while (ipfsa_clock_monotonic_ns() < a->s->end_ns && !__atomic_load_n(&a->s->failed, __ATOMIC_RELAXED)) {
    ipfsa_error err = {0};
    ipfsa_status status = ipfsa_repo_gc(&a->s->f->node, NULL, NULL, &err);
    if (status) note_failure(a->s, "gc", &err);
    a->s->n_gc++;
  }
  return NULL;
}

static int count_broken(void *ctx, const ipfsa_pin_verdict *v) {
  *(int *)ctx += !v->ok;
  return 0;
}

static void acknowledged_pins_are_complete_beside_gc(void **state) {
  (void)state;
  ipfsa_error err = {0};
  const char *given = getenv("IPFSA_SEED");
  uint64_t seed = given ? strtoull(given, NULL, 10) : 1;
  const char *soak = getenv("IPFSA_SOAK_SECONDS");
  uint64_t run_ms = soak ? strtoull(soak, NULL, 10) * 1000 : RUN_MS;
  schedule s = {.f = fixture_new(), .end_ns = ipfsa_clock_monotonic_ns() + run_ms * 1000000};
  for (int i = 0; i < N_TREES; i++) pthread_mutex_init(&s.lock[i], NULL);
  actor actors[4];
  for (uint64_t i = 0; i < 4; i++) {
    actors[i] = (actor){.s = &s, .seed = seed * 1000 + i};
    assert_int_equal(pthread_create(&actors[i].thread, NULL, i == 3 ? run_collector : run_actor, &actors[i]), 0);
  }
  for (int i = 0; i < 4; i++) pthread_join(actors[i].thread, NULL);
  if (s.failed) fail_msg("seed %llu: %s", (unsigned long long)seed, s.message);
  print_message("%d gc, %d add, %d pin, %d unpin\n", s.n_gc, s.n_add, s.n_pin, s.n_unpin);
  assert_true(s.n_gc > 0 && s.n_add > 0);
  fixture_reopen(s.f);
  for (int i = 0; i < N_TREES; i++) {
    ipfsa_pin pin;
    if (s.pinned[i]) {
      assert_ok(ipfsa_pins_get(s.f->node.store, &s.trees[i][0], &pin, &err));
      assert_int_equal(n_here(s.f, s.trees[i]), TREE);
    } else if (!ipfsa_cid_is_none(&s.trees[i][0])) {
      assert_status(ipfsa_pins_get(s.f->node.store, &s.trees[i][0], &pin, &err), IPFSA_E_NOT_PINNED);
    }
    pthread_mutex_destroy(&s.lock[i]);
  }
  int broken = 0;
  assert_ok(ipfsa_pin_verify(&s.f->node, count_broken, &broken, NULL, NULL, NULL, &err));
  assert_int_equal(broken, 0);
  fixture_free(s.f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(only_the_unreachable_goes),
      cmocka_unit_test(a_missing_block_is_told_and_gc_goes_on),
      cmocka_unit_test(a_missing_root_stops_gc),
      cmocka_unit_test(a_damaged_block_is_told_and_a_damaged_root_stops_gc),
      cmocka_unit_test(leaves_are_not_read),
      cmocka_unit_test(a_wide_node_is_marked_whole),
      cmocka_unit_test(one_digest_as_leaf_and_as_node),
      cmocka_unit_test(the_live_set_forgets_nothing),
      cmocka_unit_test(a_gc_that_runs_out_of_memory_costs_nothing),
      cmocka_unit_test(a_gc_whose_disk_fails_costs_nothing),
      cmocka_unit_test(short_reads_and_writes_do_not_trouble_gc),
      cmocka_unit_test(many_blocks_go_between_many),
      cmocka_unit_test(acknowledged_pins_are_complete_beside_gc),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
