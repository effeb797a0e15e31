#include <ipfsa/alias.h>
#include <ipfsa/repo.h>

#include "base/fault.h"
#include "dag_fixture.h"
#include "node/path.h"

static void set(fixture *f, const char *name, const ipfsa_cid *cid) {
  ipfsa_error err = {0};
  ipfsa_alias alias = {.cid = *cid};
  snprintf(alias.name, sizeof alias.name, "%s", name);
  assert_ok(ipfsa_alias_set(&f->node, &alias, 1, &err));
}

static void names_that_may_be(void **state) {
  (void)state;
  static const char *const good[] = {"a", "org/model", "A_b-c.d/9", "_/_", "a.git.x", "model-7b-Q4_K.gguf", "ipfsx/a", "a/ipfs"};
  static const char *const bad[] = {"",        "/",      "a/",     "/a",     "a/b/c",   "-a",    "a-",     ".a/b",  "a/b.",    "a--b",   "a..b",
                                    "a b",     "a\n",    "m\xc3\xa9", "a.git", "a/b.git", "ipfs/a", "ipns/a", "a:b",   "a%b",     "a\\b",
                                    "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn", "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn/a"};
  ipfsa_error err = {0};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_ok(ipfsa_alias_check(good[i], &err));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (ipfsa_alias_check(bad[i], &err) != IPFSA_E_INVALID) fail_msg("\"%s\" is taken", bad[i]);
  char text[IPFSA_MAX_ALIAS + 3];
  memset(text, 'a', sizeof text);
  text[IPFSA_MAX_ALIAS_PART] = '/';
  text[IPFSA_MAX_ALIAS] = '\0';
  assert_ok(ipfsa_alias_check(text, &err));
  text[IPFSA_MAX_ALIAS] = 'a';
  text[IPFSA_MAX_ALIAS + 1] = '\0';
  assert_status(ipfsa_alias_check(text, &err), IPFSA_E_LIMIT);
}

typedef struct events {
  ipfsa_alias_event items[IPFSA_MAX_ALIAS_HISTORY + 1];
  int n;
} events;

static int note_event(void *ctx, const ipfsa_alias_event *event) {
  events *all = ctx;
  all->items[all->n++] = *event;
  return 0;
}

static events history(fixture *f, const char *name) {
  ipfsa_error err = {0};
  events all = {.n = 0};
  assert_ok(ipfsa_alias_history(&f->node, name, note_event, &all, &err));
  return all;
}

static void names_and_their_history_last(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  ipfsa_cid a[TREE], b[TREE], got;
  add_tree(f, "a", a);
  add_tree(f, "b", b);
  assert_status(ipfsa_alias_get(&f->node, "org/model", &got, &err), IPFSA_E_NOT_FOUND);
  assert_status(ipfsa_alias_history(&f->node, "org/model", note_event, &(events){.n = 0}, &err), IPFSA_E_NOT_FOUND);
  set(f, "org/model", &a[0]);
  set(f, "org/model", &a[0]); /* no line */
  set(f, "org/model", &b[0]);
  fixture_reopen(f);
  assert_ok(ipfsa_alias_get(&f->node, "org/model", &got, &err));
  assert_true(ipfsa_cid_equal(&got, &b[0]));
  assert_ok(ipfsa_alias_rm(&f->node, "org/model", false, &err));
  assert_status(ipfsa_alias_rm(&f->node, "org/model", false, &err), IPFSA_E_NOT_FOUND);
  fixture_reopen(f);
  assert_status(ipfsa_alias_get(&f->node, "org/model", &got, &err), IPFSA_E_NOT_FOUND);
  events all = history(f, "org/model");
  assert_int_equal(all.n, 3);
  assert_true(all.items[0].removed && !all.items[1].removed);
  assert_true(ipfsa_cid_equal(&all.items[1].cid, &b[0]) && ipfsa_cid_equal(&all.items[2].cid, &a[0]));
  assert_true(all.items[2].at > 0 && all.items[2].at <= all.items[0].at);
  assert_ok(ipfsa_alias_rm(&f->node, "org/model", true, &err));
  assert_status(ipfsa_alias_history(&f->node, "org/model", note_event, &all, &err), IPFSA_E_NOT_FOUND);
  for (int i = 0; i < IPFSA_MAX_ALIAS_HISTORY + 5; i++) set(f, "org/model", i % 2 ? &a[0] : &b[i % TREE]);
  assert_int_equal(history(f, "org/model").n, IPFSA_MAX_ALIAS_HISTORY);
  fixture_free(f);
}

static int append_name(void *ctx, const ipfsa_alias *alias) {
  strcat(strcat(ctx, alias->name), " ");
  return 0;
}

static void several_are_set_all_or_none(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  ipfsa_cid a[TREE];
  char names[100] = "";
  add_tree(f, "a", a);
  ipfsa_alias list[] = {{"b", a[0]}, {"a/c", a[1]}, {"bad/", a[2]}};
  assert_status(ipfsa_alias_set(&f->node, list, 3, &err), IPFSA_E_INVALID);
  assert_ok(ipfsa_alias_list(&f->node, append_name, names, &err));
  assert_string_equal(names, "");
  assert_ok(ipfsa_alias_set(&f->node, list, 2, &err));
  assert_ok(ipfsa_alias_list(&f->node, append_name, names, &err));
  assert_string_equal(names, "a/c b ");
  list[0].cid = (ipfsa_cid){0};
  assert_status(ipfsa_alias_set(&f->node, list, 1, &err), IPFSA_E_INVALID);
  ipfsa_alias *many = calloc(IPFSA_MAX_ALIASES_AT_ONCE + 1, sizeof *many);
  for (size_t i = 0; i <= IPFSA_MAX_ALIASES_AT_ONCE; i++) many[i] = (ipfsa_alias){"same", a[0]};
  assert_status(ipfsa_alias_set(&f->node, many, IPFSA_MAX_ALIASES_AT_ONCE + 1, &err), IPFSA_E_LIMIT);
  assert_ok(ipfsa_alias_set(&f->node, many, IPFSA_MAX_ALIASES_AT_ONCE, &err));
  free(many);
  fixture_free(f);
}

static void a_path_may_begin_with_one(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  ipfsa_cid a[TREE], b[TREE], got;
  char text[IPFSA_MAX_CID_TEXT];
  add_tree(f, "a", a);
  add_tree(f, "b", b);
  set(f, "org", &a[0]);
  set(f, "org/model", &b[0]);
  static const struct { const char *path; bool is_b; } ways[] = {{"org", false}, {"org/model", true}, {"/ipfs/org/model", true}, {"ipfs://org/model", true}, {"org/model/x/y", true},
                                                                 {"org/other", false}, {"org/", false}, {"org//model", false}};
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    assert_ok(ipfsa_path_check(&f->node, ways[i].path, &got, &err));
    if (!ipfsa_cid_equal(&got, ways[i].is_b ? &b[0] : &a[0])) fail_msg("%s leads elsewhere", ways[i].path);
    assert_status(ipfsa_path_check(NULL, ways[i].path, &got, &err), IPFSA_E_INVALID);
  }
  ipfsa_cid_format(&a[0], text);
  assert_ok(ipfsa_path_check(&f->node, text, &got, &err));
  assert_true(ipfsa_cid_equal(&got, &a[0]));
  static const char *const none[] = {"orga", "/org/model", "model", "", "/ipfs/", "/ipfs//org"};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) assert_status(ipfsa_path_check(&f->node, none[i], &got, &err), IPFSA_E_INVALID);
  fixture_free(f);
}

/* Also beside a pin that shares blocks: what is missing below the pin is still told. */
static void gc_keeps_what_is_here(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  ipfsa_cid kept[TREE], partly[TREE], away[TREE], gone[TREE];
  add_tree(f, "kept", kept);
  add_tree(f, "partly", partly);
  add_tree(f, "away", away);
  add_tree(f, "gone", gone);
  set(f, "kept", &kept[0]);
  set(f, "partly", &partly[0]);
  set(f, "away", &away[0]);
  set(f, "moved", &gone[0]);
  set(f, "moved", &kept[0]);
  remove_block(f, &partly[2]);
  for (int i = 0; i < TREE; i++) remove_block(f, &away[i]);
  assert_ok(ipfsa_repo_gc(&f->node, NULL, NULL, &err));
  assert_int_equal(n_here(f, kept), TREE);
  assert_int_equal(n_here(f, partly), TREE - 1);
  assert_int_equal(n_here(f, gone), 0);
  assert_ok(ipfsa_roots_set(f->node.store, "mfs", &partly[0], &err));
  assert_status(ipfsa_repo_gc(&f->node, NULL, NULL, &err), IPFSA_E_PARTIAL);
  assert_ok(ipfsa_roots_remove(f->node.store, "mfs", &err));
  assert_ok(ipfsa_alias_rm(&f->node, "kept", false, &err));
  assert_ok(ipfsa_alias_rm(&f->node, "moved", false, &err));
  assert_ok(ipfsa_repo_gc(&f->node, NULL, NULL, &err));
  assert_int_equal(n_here(f, kept), 0);
  fixture_free(f);
}

/* ---- histories that are restored ---- */

typedef struct record_list {
  ipfsa_alias_record items[8];
  size_t n;
} record_list;

static int note_record(void *ctx, const ipfsa_alias_record *record) {
  record_list *all = ctx;
  if (all->n < 8) all->items[all->n] = *record;
  all->n++;
  return 0;
}

static ipfsa_alias_record record_of(const char *name, int64_t at, const ipfsa_cid *cid) {
  ipfsa_alias_record r = {.event = {.at = at, .removed = !cid}};
  snprintf(r.name, sizeof r.name, "%s", name);
  if (cid) r.event.cid = *cid;
  return r;
}

static void histories_are_restored_all_or_none(void **state) {
  (void)state;
  fixture *f = fixture_new();
  ipfsa_error err = {0};
  ipfsa_cid t[TREE], now;
  add_tree(f, "t", t);
  const ipfsa_alias_record records[] = {record_of("a", 10, &t[0]), record_of("a", 30, &t[1]), record_of("gone", 5, &t[0]), record_of("gone", 6, NULL)};
  bool fired = true;
  for (uint64_t n = 1; fired; n++) {
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, 0});
    ipfsa_status status = ipfsa_alias_restore(&f->node, records, 4, &err);
    fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    record_list all = {.n = 0};
    assert_ok(ipfsa_alias_histories(&f->node, note_record, &all, &err));
    assert_int_equal(all.n, status == IPFSA_OK ? 4 : 0);
    if (status == IPFSA_OK) break;
    assert_int_equal(status, IPFSA_E_NOMEM);
  }
  const ipfsa_alias_record more[] = {record_of("a", 20, &t[2]), record_of("a", 10, &t[0])}; /* between, and one that is there */
  assert_ok(ipfsa_alias_restore(&f->node, more, 2, &err));
  record_list all = {.n = 0};
  assert_ok(ipfsa_alias_histories(&f->node, note_record, &all, &err));
  assert_int_equal(all.n, 5);
  const int64_t times[] = {10, 20, 30, 5, 6};
  for (int i = 0; i < 5; i++) assert_int_equal(all.items[i].event.at, times[i]);
  assert_ok(ipfsa_alias_get(&f->node, "a", &now, &err));
  assert_true(ipfsa_cid_equal(&now, &t[1]));
  assert_status(ipfsa_alias_get(&f->node, "gone", &now, &err), IPFSA_E_NOT_FOUND);
  const ipfsa_alias_record bad[] = {record_of("fine", 1, &t[0]), record_of("not/a/name", 1, &t[0])};
  assert_status(ipfsa_alias_restore(&f->node, bad, 2, &err), IPFSA_E_INVALID);
  assert_status(ipfsa_alias_get(&f->node, "fine", &now, &err), IPFSA_E_NOT_FOUND);
  ipfsa_alias_record *many = calloc(IPFSA_MAX_ALIAS_HISTORY + 5, sizeof *many);
  for (int i = 0; i < IPFSA_MAX_ALIAS_HISTORY + 5; i++) many[i] = record_of("many", 1000 + i, &t[i % 2]);
  assert_ok(ipfsa_alias_restore(&f->node, many, IPFSA_MAX_ALIAS_HISTORY + 5, &err));
  events kept = history(f, "many");
  assert_int_equal(kept.n, IPFSA_MAX_ALIAS_HISTORY);
  assert_int_equal(kept.items[0].at, 1000 + IPFSA_MAX_ALIAS_HISTORY + 4);
  assert_status(ipfsa_alias_restore(&f->node, many, IPFSA_MAX_ALIASES_AT_ONCE + 1, &err), IPFSA_E_LIMIT);
  free(many);
  fixture_free(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_that_may_be),        cmocka_unit_test(names_and_their_history_last), cmocka_unit_test(several_are_set_all_or_none),
      cmocka_unit_test(a_path_may_begin_with_one), cmocka_unit_test(gc_keeps_what_is_here), cmocka_unit_test(histories_are_restored_all_or_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
