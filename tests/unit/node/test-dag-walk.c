#include <errno.h>

#include "base/fault.h"
#include "dag_fixture.h"
#include "hash/hash.h"
#include "node/dag_walk.h"

#define N_LEAVES 300
#define N_NODES 40

typedef struct seen_list {
  ipfsa_cid cids[N_LEAVES + N_NODES];
  uint64_t sizes[N_LEAVES + N_NODES];
  unsigned depths[N_LEAVES + N_NODES];
  size_t n, n_read, n_faults, stop_at;
} seen_list;

typedef struct wide_dag {
  fixture *f;
  ipfsa_cid leaves[N_LEAVES], nodes[N_NODES], root;
} wide_dag;

/* Raw leaves, wrapped leaves that the store knows by their kind, and leaves put as dag-pb blocks, of several sizes. */
static void add_leaf(ipfsa_blockstore_writer *w, int i, ipfsa_cid *ret) {
  ipfsa_error err = {0};
  static uint8_t data[40000];
  size_t len = i % 7 ? (size_t)(i % 50) : 20000 + (size_t)i;
  memset(data, i % 251, len);
  memcpy(data, &i, len < sizeof i ? len : sizeof i);
  if (i % 3 == 0) {
    assert_ok(put_block(w, IPFSA_CODEC_RAW, ipfsa_bytes_of(data, len), ret, &err));
  } else if (i % 3 == 1) {
    char text[32];
    snprintf(text, sizeof text, "leaf %d", i);
    assert_ok(put_parent(w, NULL, 0, text, ret, &err));
  } else {
    uint8_t prefix[32], suffix[32];
    size_t prefix_len, suffix_len;
    ipfsa_leaf_wrap(IPFSA_LEAF_PB_FILE, len, prefix, &prefix_len, suffix, &suffix_len);
    ipfsa_bytes parts[3] = {{prefix, prefix_len}, {data, len}, {suffix, suffix_len}};
    *ret = (ipfsa_cid){.codec = IPFSA_CODEC_DAG_PB, .version = 1, .defined = true};
    assert_ok(ipfsa_hash_digest(IPFSA_HASH_SHA2_256, 0, parts, 3, &ret->mh, &err));
    ipfsa_leaf leaf = {.hash = IPFSA_HASH_SHA2_256, .digest = ret->mh.digest, .digest_len = 32, .len = (uint32_t)len};
    assert_ok(ipfsa_writer_put_run(w, &(ipfsa_leaf_run){data, len, IPFSA_LEAF_PB_FILE, &leaf, 1}, &err));
  }
}

/* Nodes over leaves and over other nodes, so that much is reached on several ways. */
static wide_dag make_dag(void) {
  ipfsa_error err = {0};
  wide_dag d = {.f = fixture_new()};
  ipfsa_blockstore_writer *w = NULL;
  assert_ok(ipfsa_blockstore_begin(d.f->node.bs, &w, &err));
  for (int i = 0; i < N_LEAVES; i++) add_leaf(w, i, &d.leaves[i]);
  for (int i = 0; i < N_NODES; i++) {
    ipfsa_cid children[32];
    size_t n = 0;
    for (int k = 0; k < 20; k++) children[n++] = d.leaves[(i * 13 + k * (i % 5 + 1)) % N_LEAVES];
    for (int k = 1; k < 4 && i >= k * 2; k++) children[n++] = d.nodes[i - k * 2];
    assert_ok(put_parent(w, children, n, "node", &d.nodes[i], &err));
  }
  d.root = d.nodes[N_NODES - 1];
  assert_ok(ipfsa_writer_commit(w, &err));
  ipfsa_writer_close(w);
  return d;
}

static int note(void *ctx, const ipfsa_dag_visit *at) {
  seen_list *list = ctx;
  if (list->stop_at && list->n == list->stop_at) return 1;
  list->cids[list->n] = *at->cid;
  list->sizes[list->n] = at->size;
  list->depths[list->n++] = at->depth;
  list->n_read += at->data.len > 0;
  list->n_faults += at->status != IPFSA_OK;
  if (at->data.len) {
    assert_int_equal(at->data.len, at->size);
    assert_int_equal(ipfsa_cid_verify(at->cid, at->data, NULL), IPFSA_OK);
  }
  return 0;
}

/* The order is that of the plain walk, one block after the other. */
static ipfsa_status plain_get(void *ctx, const ipfsa_cid *cid, ipfsa_block *ret, ipfsa_error *err) {
  return ipfsa_blockstore_get(ctx, cid, ret, err);
}

static ipfsa_walk_step plain_note(void *ctx, const ipfsa_cid *cid, ipfsa_bytes data, unsigned depth) {
  seen_list *list = ctx;
  list->cids[list->n] = *cid;
  list->sizes[list->n] = data.len;
  list->depths[list->n++] = depth;
  return IPFSA_WALK_GO;
}

static seen_list *plain_walk(wide_dag *d) {
  ipfsa_error err = {0};
  seen_list *list = calloc(1, sizeof *list);
  ipfsa_walk_options o = {.get = plain_get, .get_ctx = d->f->node.bs, .visit = plain_note, .visit_ctx = list};
  assert_ok(ipfsa_walk(&d->root, &o, &err));
  return list;
}

static ipfsa_status walk(wide_dag *d, ipfsa_dag_leaves leaves, bool take_faults, size_t stop_at, seen_list *list, ipfsa_error *err) {
  *list = (seen_list){.stop_at = stop_at};
  return ipfsa_dag_walk(&d->f->node, &d->root, &(ipfsa_dag_walk_options){.leaves = leaves, .take_faults = take_faults, .visit = note, .ctx = list}, err);
}

static void the_order_is_that_of_the_plain_walk(void **state) {
  (void)state;
  ipfsa_error err = {0};
  wide_dag d = make_dag();
  seen_list *expected = plain_walk(&d), *got = calloc(1, sizeof *got);
  assert_true(expected->n > 150);
  for (int mode = 0; mode < 3; mode++) {
    assert_ok(walk(&d, (ipfsa_dag_leaves)mode, false, 0, got, &err));
    assert_int_equal(got->n, expected->n);
    for (size_t i = 0; i < got->n; i++) {
      assert_true(ipfsa_cid_equal(&got->cids[i], &expected->cids[i]));
      assert_int_equal(got->depths[i], expected->depths[i]);
      if (mode < 2) assert_int_equal(got->sizes[i], expected->sizes[i]);
    }
    if (mode == 0) assert_true(got->n_read + 2 >= got->n); /* an empty one or two */
    else assert_true(got->n_read < got->n / 2);            /* what is known to be a leaf was not read */
  }
  free(expected);
  free(got);
  fixture_free(d.f);
}

static void a_visitor_can_stop(void **state) {
  (void)state;
  ipfsa_error err = {0};
  wide_dag d = make_dag();
  seen_list *got = calloc(1, sizeof *got);
  for (size_t at = 1; at < 150; at += 11) {
    assert_status(walk(&d, IPFSA_DAG_LEAVES_READ, false, at, got, &err), IPFSA_E_CANCELLED);
    assert_int_equal(got->n, at);
  }
  d.f->node.cancelled = 1;
  assert_status(walk(&d, IPFSA_DAG_LEAVES_READ, false, 0, got, &err), IPFSA_E_CANCELLED);
  free(got);
  fixture_free(d.f);
}

/* Missing leaves and nodes: told one by one where they stand, or the end of the walk after all that comes before. */
static void faults_come_in_order(void **state) {
  (void)state;
  ipfsa_error err = {0};
  wide_dag d = make_dag();
  seen_list *expected = plain_walk(&d), *got = calloc(1, sizeof *got);
  size_t first = 0, n_missing = 0;
  for (size_t i = 60; i < expected->n; i += 17) {
    bool is_leaf = expected->cids[i].codec == IPFSA_CODEC_RAW || expected->sizes[i] < 100;
    if (!is_leaf) continue;
    if (!first) first = i;
    remove_block(d.f, &expected->cids[i]);
    n_missing++;
  }
  assert_true(n_missing > 3);
  for (int mode = 0; mode < 2; mode++) {
    assert_ok(walk(&d, (ipfsa_dag_leaves)mode, true, 0, got, &err));
    assert_int_equal(got->n_faults, n_missing);
    assert_int_equal(got->n, expected->n);
    for (size_t i = 0; i < got->n; i++) assert_true(ipfsa_cid_equal(&got->cids[i], &expected->cids[i]));
    assert_status(walk(&d, (ipfsa_dag_leaves)mode, false, 0, got, &err), IPFSA_E_NOT_FOUND);
    assert_int_equal(got->n, first);
    char text[IPFSA_MAX_CID_TEXT];
    ipfsa_cid_format(&expected->cids[first], text);
    assert_non_null(strstr(err.message, text));
  }
  free(expected);
  free(got);
  fixture_free(d.f);
}

static void the_nth_allocation_fails(void **state) {
  (void)state;
  ipfsa_error err = {0};
  wide_dag d = make_dag();
  seen_list *got = calloc(1, sizeof *got);
  for (int kind = 0; kind < 2; kind++) {
    bool fired = true;
    for (uint64_t n = 1; fired; n += n / 20 + 1) {
      ipfsa_fault_arm(&(ipfsa_fault_plan){kind ? IPFSA_FAULT_FILE : IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, EIO});
      ipfsa_status status = walk(&d, IPFSA_DAG_LEAVES_READ, true, 0, got, &err);
      fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      if (!fired) assert_ok(status);
      if (status == IPFSA_OK) assert_int_equal(got->n_faults, 0);
    }
  }
  free(got);
  fixture_free(d.f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_order_is_that_of_the_plain_walk),
      cmocka_unit_test(a_visitor_can_stop),
      cmocka_unit_test(faults_come_in_order),
      cmocka_unit_test(the_nth_allocation_fails),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
