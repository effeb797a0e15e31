#include <ipfsa/pin.h>

#include "dag_fixture.h"

static void pin_add_wants_every_block(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  ipfsa_cid t[TREE];
  add_tree(f, "t", t);
  for (int i = 0; i < TREE; i++) {
    remove_block(f, &t[i]);
    assert_status(ipfsa_pin_add(&f->node, &t[0], NULL, &err), IPFSA_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "pin: block was not found locally (offline): ipld: could not find"));
    char text[IPFSA_MAX_CID_TEXT];
    ipfsa_cid_format(&t[i], text);
    assert_non_null(strstr(err.message, text));
    add_tree(f, "t", t);
  }
  ipfsa_pin pin;
  assert_status(ipfsa_pin_find(&f->node, &t[0], IPFSA_PIN_NONE, &pin, NULL, &err), IPFSA_E_NOT_PINNED);
  assert_ok(ipfsa_pin_add(&f->node, &t[0], &(ipfsa_pin_add_options){.struct_size = sizeof(ipfsa_pin_add_options), .name = "n"}, &err));
  fixture_reopen(f);
  assert_ok(ipfsa_pin_find(&f->node, &t[0], IPFSA_PIN_NONE, &pin, NULL, &err));
  assert_int_equal(pin.mode, IPFSA_PIN_RECURSIVE);
  assert_string_equal(pin.name, "n");
  fixture_free(f);
}

static void names_have_a_limit(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  ipfsa_cid t[TREE];
  add_tree(f, "t", t);
  char name[IPFSA_MAX_PIN_NAME + 2];
  memset(name, 'n', sizeof name);
  ipfsa_pin_add_options options = {.struct_size = sizeof options, .name = name};
  name[IPFSA_MAX_PIN_NAME + 1] = '\0';
  assert_status(ipfsa_pin_add(&f->node, &t[0], &options, &err), IPFSA_E_LIMIT);
  name[IPFSA_MAX_PIN_NAME] = '\0';
  assert_ok(ipfsa_pin_add(&f->node, &t[0], &options, &err));
  fixture_free(f);
}

typedef struct seen_pins {
  int n[4];
} seen_pins;

static int count_pin(void *ctx, const ipfsa_pin *pin) {
  ((seen_pins *)ctx)->n[pin->mode]++;
  return 0;
}

static void listing_and_finding(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  ipfsa_cid a[TREE], b[TREE], through;
  add_tree(f, "a", a);
  add_tree(f, "b", b);
  ipfsa_pin_add_options named = {.struct_size = sizeof named, .name = "weights-7"}, direct = {.struct_size = sizeof direct, .direct = true};
  assert_ok(ipfsa_pin_add(&f->node, &a[0], &named, &err));
  assert_ok(ipfsa_pin_add(&f->node, &a[4], NULL, &err)); /* below a[0], and a pin of its own */
  assert_ok(ipfsa_pin_add(&f->node, &b[1], &direct, &err));
  seen_pins seen = {0};
  assert_ok(ipfsa_pin_list(&f->node, IPFSA_PIN_NONE, NULL, count_pin, &seen, &err));
  assert_int_equal(seen.n[IPFSA_PIN_RECURSIVE], 2);
  assert_int_equal(seen.n[IPFSA_PIN_DIRECT], 1);
  assert_int_equal(seen.n[IPFSA_PIN_INDIRECT], 3);
  seen = (seen_pins){0};
  assert_ok(ipfsa_pin_list(&f->node, IPFSA_PIN_NONE, "ights", count_pin, &seen, &err));
  assert_int_equal(seen.n[IPFSA_PIN_RECURSIVE], 1);
  assert_int_equal(seen.n[IPFSA_PIN_INDIRECT] + seen.n[IPFSA_PIN_DIRECT], 0);
  seen = (seen_pins){0};
  assert_ok(ipfsa_pin_list(&f->node, IPFSA_PIN_INDIRECT, NULL, count_pin, &seen, &err));
  assert_int_equal(seen.n[IPFSA_PIN_INDIRECT], 3);
  assert_int_equal(seen.n[IPFSA_PIN_RECURSIVE], 0);
  ipfsa_pin pin;
  assert_ok(ipfsa_pin_find(&f->node, &a[2], IPFSA_PIN_NONE, &pin, &through, &err));
  assert_int_equal(pin.mode, IPFSA_PIN_INDIRECT);
  assert_true(ipfsa_cid_equal(&through, &a[0]));
  assert_status(ipfsa_pin_find(&f->node, &a[2], IPFSA_PIN_DIRECT, &pin, &through, &err), IPFSA_E_NOT_PINNED);
  assert_status(ipfsa_pin_find(&f->node, &b[0], IPFSA_PIN_NONE, &pin, &through, &err), IPFSA_E_NOT_PINNED);
  assert_status(ipfsa_pin_find(&f->node, &b[2], IPFSA_PIN_NONE, &pin, &through, &err), IPFSA_E_NOT_PINNED);
  fixture_free(f);
}

static void rm_and_update(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  ipfsa_cid a[TREE], b[TREE];
  add_tree(f, "a", a);
  add_tree(f, "b", b);
  assert_ok(ipfsa_pin_add(&f->node, &a[0], NULL, &err));
  assert_status(ipfsa_pin_rm(&f->node, &a[0], false, &err), IPFSA_E_PINNED);
  assert_non_null(strstr(err.message, "is pinned recursively"));
  assert_status(ipfsa_pin_rm(&f->node, &a[1], true, &err), IPFSA_E_NOT_PINNED);
  remove_block(f, &b[3]);
  assert_status(ipfsa_pin_update(&f->node, &a[0], &b[0], true, &err), IPFSA_E_NOT_FOUND);
  add_tree(f, "b", b);
  assert_ok(ipfsa_pin_update(&f->node, &a[0], &b[0], true, &err));
  assert_status(ipfsa_pin_rm(&f->node, &a[0], true, &err), IPFSA_E_NOT_PINNED);
  assert_ok(ipfsa_pin_rm(&f->node, &b[0], true, &err));
  fixture_free(f);
}

typedef struct verdicts {
  int ok, broken;
  uint64_t n_bad;
  ipfsa_cid bad;
} verdicts;

static int note_verdict(void *ctx, const ipfsa_pin_verdict *v) {
  verdicts *all = ctx;
  if (v->ok) all->ok++;
  else all->broken++;
  all->n_bad += v->n_bad;
  if (v->n_listed) all->bad = v->bad[0].cid;
  return 0;
}

static void verify_tells_which_pin_misses_what(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  ipfsa_cid a[TREE], b[TREE], both;
  add_tree(f, "a", a);
  add_tree(f, "b", b);
  ipfsa_blockstore_writer *w = NULL;
  assert_ok(ipfsa_blockstore_begin(f->node.bs, &w, &err));
  assert_ok(put_parent(w, (ipfsa_cid[]){a[0], b[0]}, 2, "", &both, &err));
  assert_ok(ipfsa_writer_commit(w, &err));
  ipfsa_writer_close(w);
  assert_ok(ipfsa_pin_add(&f->node, &a[0], NULL, &err));
  assert_ok(ipfsa_pin_add(&f->node, &b[0], NULL, &err));
  assert_ok(ipfsa_pin_add(&f->node, &both, NULL, &err));
  verdicts all = {0};
  uint64_t n_bad = 9;
  assert_ok(ipfsa_pin_verify(&f->node, note_verdict, &all, NULL, NULL, &n_bad, &err));
  assert_int_equal(all.ok, 3);
  assert_int_equal(n_bad, 0);
  remove_block(f, &b[2]); /* below b and below both */
  all = (verdicts){0};
  assert_ok(ipfsa_pin_verify(&f->node, note_verdict, &all, NULL, NULL, &n_bad, &err));
  assert_int_equal(all.ok, 1);
  assert_int_equal(all.broken, 2);
  assert_int_equal(n_bad, 2);
  assert_int_equal(all.n_bad, 2);
  assert_true(ipfsa_cid_equal(&all.bad, &b[2]));
  fixture_free(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pin_add_wants_every_block),
      cmocka_unit_test(names_have_a_limit),
      cmocka_unit_test(listing_and_finding),
      cmocka_unit_test(rm_and_update),
      cmocka_unit_test(verify_tells_which_pin_misses_what),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
