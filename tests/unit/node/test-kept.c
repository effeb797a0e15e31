/* A checkpoint of content that was closed and is opened again: the same memory, as long as nothing changed and gc did not come; never more than that. */
#include <errno.h>
#include <ipfsa/alias.h>
#include <ipfsa/checkpoint.h>
#include <unistd.h>

#include "damage.h"
#include "repo_fixture.h"

#include "base/fault.h"
#include "node/node.h"

#define BYTES 400000 /* of the one tensor */

typedef struct world {
  repo_fixture r;
  uint8_t *data; /* of a checkpoint's tensor, by its number */
} world;

static int setup(void **state) {
  world *w = *state = calloc(1, sizeof *w);
  w->data = malloc(BYTES);
  repo_begin(&w->r);
  return 0;
}

static int teardown(void **state) {
  world *w = *state;
  repo_end(&w->r);
  free(w->data);
  free(w);
  return 0;
}

static void fill(world *w, int number) {
  char seed[32];
  snprintf(seed, sizeof seed, "kept %d", number);
  test_shake128(seed, w->data, BYTES);
}

/* A file with one tensor. Not pinned: gc may have it. */
static ipfsa_cid add_padded(world *w, int number, int padding, char ret_text[IPFSA_MAX_CID_TEXT]) {
  static uint8_t file[8 + 128 + BYTES];
  char *header = (char *)file + 8;
  fill(w, number);
  snprintf(header, 128, "{\"t\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]}%*s", BYTES, BYTES, padding, "}");
  size_t len = strlen(header);
  file[0] = (uint8_t)len;
  memcpy(header + len, w->data, BYTES);
  const ipfsa_add_options options = {.struct_size = sizeof options, .chunker = "tensor", .pin = IPFSA_OFF};
  return repo_add(&w->r, "model.safetensors", file, 8 + len + BYTES, &options, ret_text);
}

/* As writers pad it. */
static ipfsa_cid add(world *w, int number, char ret_text[IPFSA_MAX_CID_TEXT]) { return add_padded(w, number, 50, ret_text); }

static ipfsa_status view(ipfsa_checkpoint *cp, ipfsa_view *ret, ipfsa_error *err) {
  ipfsa_tensor t;
  assert_true(ipfsa_checkpoint_tensor(cp, 0, &t));
  return ipfsa_checkpoint_view(cp, &t, 0, t.size, ret, err);
}

/* Opened, viewed and closed; where its bytes were. */
static const void *visit(world *w, const char *path) {
  ipfsa_error err = {0};
  ipfsa_checkpoint *cp = NULL;
  ipfsa_view v = {0};
  assert_ok(ipfsa_checkpoint_open(w->r.node, path, &cp, &err));
  assert_ok(view(cp, &v, &err));
  assert_int_equal(v.size, BYTES);
  assert_true(v.mapped > BYTES / 2);
  assert_memory_equal(v.data, w->data, BYTES);
  ipfsa_checkpoint_close(cp);
  return v.data;
}

static void it_is_the_same_memory(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  ipfsa_checkpoint *one = NULL, *two = NULL;
  ipfsa_view a = {0}, b = {0};
  char cid[IPFSA_MAX_CID_TEXT];
  (void)add(w, 1, cid);
  const void *at = visit(w, cid);
  assert_int_equal(w->r.node->kept.n, 1);
  assert_ptr_equal(visit(w, cid), at);
  assert_ok(ipfsa_checkpoint_open(w->r.node, cid, &one, &err));
  assert_ok(ipfsa_checkpoint_open(w->r.node, cid, &two, &err)); /* each its own while both are open */
  assert_ok(view(one, &a, &err));
  assert_ok(view(two, &b, &err));
  assert_ptr_equal(a.data, at);
  assert_ptr_not_equal(b.data, at);
  ipfsa_checkpoint_close(one);
  assert_memory_equal(b.data, w->data, BYTES);
  ipfsa_checkpoint_close(two);
  assert_int_equal(w->r.node->kept.n, 2);
}

static void gc_takes_what_is_only_kept(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  ipfsa_checkpoint *cp = NULL;
  ipfsa_gc_result gone = {0};
  char cid[IPFSA_MAX_CID_TEXT];
  (void)add(w, 1, cid);
  (void)visit(w, cid);
  ipfsa_node *other = repo_open(&w->r, false); /* as another process would have it */
  assert_ok(ipfsa_checkpoint_open(w->r.node, cid, &cp, &err));
  assert_ok(ipfsa_repo_gc(other, NULL, &gone, &err));
  assert_int_equal(gone.n_removed, 0); /* it is in use again */
  ipfsa_checkpoint_close(cp);
  assert_ok(ipfsa_repo_gc(other, NULL, &gone, &err));
  assert_true(gone.n_removed > 1);
  assert_status(ipfsa_checkpoint_open(w->r.node, cid, &cp, &err), IPFSA_E_NOT_FOUND);
  assert_int_equal(w->r.node->kept.n, 0);
  ipfsa_node_close(other);
}

static void a_pack_that_was_written_to_is_looked_at_anew(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  ipfsa_checkpoint *cp = NULL;
  ipfsa_view v = {0};
  char cid[IPFSA_MAX_CID_TEXT];
  (void)add(w, 1, cid);
  (void)visit(w, cid);
  damage_packs(w->r.path, w->data + 100000, 64);
  assert_ok(ipfsa_checkpoint_open(w->r.node, cid, &cp, &err));
  assert_status(view(cp, &v, &err), IPFSA_E_CORRUPT);
  ipfsa_checkpoint_close(cp);
}

static void an_alias_is_what_it_says_now(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  ipfsa_alias alias = {.name = "org/model"};
  char cid[IPFSA_MAX_CID_TEXT];
  alias.cid = add(w, 1, cid);
  assert_ok(ipfsa_alias_set(w->r.node, &alias, 1, &err));
  (void)visit(w, "org/model");
  alias.cid = add(w, 2, cid);
  assert_ok(ipfsa_alias_set(w->r.node, &alias, 1, &err));
  (void)visit(w, "org/model");
  assert_int_equal(w->r.node->kept.n, 0);
}

static void what_was_written_to_is_not_kept(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  ipfsa_checkpoint *cp = NULL;
  ipfsa_view v = {0};
  char cid[IPFSA_MAX_CID_TEXT];
  (void)add(w, 1, cid);
  assert_ok(ipfsa_checkpoint_open(w->r.node, cid, &cp, &err));
  ipfsa_checkpoint_set_views_writable(cp);
  assert_ok(view(cp, &v, &err));
  memset((void *)(uintptr_t)v.data, 0, 1000);
  ipfsa_checkpoint_close(cp);
  assert_int_equal(w->r.node->kept.n, 0);
  (void)visit(w, cid);
}

static void writable_views_of_one_that_was_kept(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  ipfsa_checkpoint *cp = NULL;
  ipfsa_view v = {0};
  char cid[IPFSA_MAX_CID_TEXT];
  (void)add(w, 1, cid);
  (void)visit(w, cid);
  assert_ok(ipfsa_checkpoint_open(w->r.node, cid, &cp, &err));
  ipfsa_checkpoint_set_views_writable(cp);
  assert_ok(view(cp, &v, &err));
  memset((void *)(uintptr_t)v.data, 0, BYTES);
  ipfsa_checkpoint_close(cp);
  (void)visit(w, cid);
}

static void who_reads_does_not_wait_for_who_writes(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  char cid[IPFSA_MAX_CID_TEXT];
  (void)add(w, 1, cid);
  ipfsa_node *other = repo_open(&w->r, false); /* as another process would have it */
  assert_ok(ipfsa_store_lock(other->store, &err)); /* as long as an add takes */
  (void)visit(w, cid);
  ipfsa_store_unlock(other->store);
  ipfsa_node_close(other);
}

static void the_oldest_goes(void **state) {
  world *w = *state;
  char cids[IPFSA_MAX_KEPT + 2][IPFSA_MAX_CID_TEXT];
  for (int i = 0; i < IPFSA_MAX_KEPT + 2; i++) {
    (void)add(w, i, cids[i]);
    (void)visit(w, cids[i]);
  }
  assert_int_equal(w->r.node->kept.n, IPFSA_MAX_KEPT);
  for (int i = 0; i < IPFSA_MAX_KEPT + 2; i++) {
    fill(w, i);
    (void)visit(w, cids[i]);
  }
  assert_int_equal(w->r.node->kept.n, IPFSA_MAX_KEPT);
}

static ipfsa_status visit_twice(world *w, const char *cid, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  for (int i = 0; i < 2 && status == IPFSA_OK; i++) {
    ipfsa_checkpoint *cp = NULL;
    ipfsa_view v = {0};
    status = ipfsa_checkpoint_open(w->r.node, cid, &cp, err);
    if (status) return status;
    status = view(cp, &v, err);
    if (status == IPFSA_OK) assert_memory_equal(v.data, w->data, BYTES);
    ipfsa_checkpoint_close(cp);
  }
  return status;
}

/* padding 49: nothing is mapped, all is copied. */
static void fail_every_step(world *w, int padding) {
  char cid[IPFSA_MAX_CID_TEXT];
  (void)add_padded(w, 1, padding, cid);
  const ipfsa_fault_kind kinds[] = {IPFSA_FAULT_ALLOC, IPFSA_FAULT_FILE};
  for (size_t k = 0; k < 2; k++) {
    uint64_t nth = 1;
    for (bool fired = true; fired; nth++) {
      ipfsa_error err = {0};
      repo_reopen(&w->r, false);
      ipfsa_fault_arm(&(ipfsa_fault_plan){.kind = kinds[k], .nth = nth, .mode = IPFSA_FAULT_FAIL, .sys_errno = EIO});
      ipfsa_status status = visit_twice(w, cid, &err);
      fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      if (status) assert_true(fired && err.message[0]);
      if (fired) assert_ok(visit_twice(w, cid, &err));
    }
    assert_true(nth > 10);
  }
}

static void every_step_fails_once(void **state) {
  fail_every_step(*state, 50);
  fail_every_step(*state, 49);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(it_is_the_same_memory, setup, teardown),
      cmocka_unit_test_setup_teardown(gc_takes_what_is_only_kept, setup, teardown),
      cmocka_unit_test_setup_teardown(a_pack_that_was_written_to_is_looked_at_anew, setup, teardown),
      cmocka_unit_test_setup_teardown(an_alias_is_what_it_says_now, setup, teardown),
      cmocka_unit_test_setup_teardown(what_was_written_to_is_not_kept, setup, teardown),
      cmocka_unit_test_setup_teardown(writable_views_of_one_that_was_kept, setup, teardown),
      cmocka_unit_test_setup_teardown(who_reads_does_not_wait_for_who_writes, setup, teardown),
      cmocka_unit_test_setup_teardown(the_oldest_goes, setup, teardown),
      cmocka_unit_test_setup_teardown(every_step_fails_once, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
