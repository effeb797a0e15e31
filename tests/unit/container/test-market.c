#include "../support.h"
#include "base/alloc.h"
#include "base/fault.h"
#include "container/market.h"

static ipfsa_status add(ipfsa_market_list *list, const char *image, const char *source, const char *description, const char *digest, bool verified, ipfsa_error *err) {
  ipfsa_reference reference;
  ipfsa_market_item item = {0};
  ipfsa_status status = ipfsa_reference_parse(image, strlen(image), &reference, err);
  if (status == IPFSA_OK) status = ipfsa_market_item_init(&item, &reference, NULL, description, source, err);
  if (status == IPFSA_OK) status = ipfsa_text_list_add(&item.tags, reference.tag, err);
  if (status == IPFSA_OK && *digest) status = ipfsa_text_list_add(&item.platforms, digest, err);
  snprintf(item.digest, sizeof item.digest, "%s", digest);
  item.size = strlen(digest);
  item.verified = verified;
  if (status == IPFSA_OK) status = ipfsa_market_list_merge(list, &item, err);
  ipfsa_market_item_release(&item);
  return status;
}

/* One repository from four sources, and another. */
static ipfsa_status fill(ipfsa_market_list *list, ipfsa_error *err) {
  ipfsa_status status = add(list, "busybox:latest", "curated", "", "", false, err);
  if (status == IPFSA_OK) status = add(list, "docker.io/library/busybox:1.35", "local", "", "aa", false, err);
  if (status == IPFSA_OK) status = add(list, "index.docker.io/busybox:1.36", "docker.io", "from the registry", "bbbb", true, err);
  if (status == IPFSA_OK) status = add(list, "busybox:1.35", "engine", "from the engine", "cc", false, err);
  return status == IPFSA_OK ? add(list, "ghcr.io/x/busybox", "local", "", "", false, err) : status;
}

static void sources_are_merged(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_market_list list = {0};
  assert_ok(fill(&list, &err));
  assert_int_equal(list.n, 2);
  const ipfsa_market_item *item = &list.items[0];
  assert_string_equal(item->digest, "bbbb"); /* what was verified, with all that belongs to it */
  assert_string_equal(item->reference.tag, "1.36");
  assert_int_equal(item->size, 4);
  assert_int_equal(item->platforms.n, 1);
  assert_string_equal(item->platforms.items[0], "bbbb");
  assert_string_equal(item->description, "from the registry");
  assert_true(item->verified && item->official && !list.items[1].official);
  assert_int_equal(item->sources.n, 4);
  assert_string_equal(item->sources.items[0], "curated");
  assert_int_equal(item->tags.n, 3);
  ipfsa_market_list_release(&list);
}

static void the_best_come_first(void **state) {
  (void)state;
  static const char *const images[] = {"x/has-redis-inside", "a/other:1", "x/rediscover", "ghcr.io/x/Redis-no", "b/other:1", "redis", "c/redis"};
  static const char *const sorted[] = {"redis:latest", "c/redis:latest", "x/rediscover:latest", "x/has-redis-inside:latest", "a/other:1", "b/other:1"};
  ipfsa_error err = {0};
  ipfsa_market_list list = {0};
  for (size_t i = 0; i < 7; i++)
    if (i != 3) assert_ok(add(&list, images[i], "local", "about redis", "", false, &err));
  assert_status(add(&list, images[3], "local", "", "", false, &err), IPFSA_E_INVALID);
  ipfsa_market_list_sort(&list, "REDIS");
  assert_int_equal(list.n, 6);
  for (size_t i = 0; i < 6; i++) {
    ipfsa_buf text = {0};
    ipfsa_reference_familiar(&list.items[i].reference, &text);
    assert_string_equal(ipfsa_buf_cstr(&text), sorted[i]);
    ipfsa_buf_release(&text);
  }
  ipfsa_market_list_release(&list);
}

static void memory_may_run_out(void **state) {
  (void)state;
  for (uint64_t nth = 1;; nth++) {
    ipfsa_error err = {0};
    ipfsa_market_list list = {0};
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, nth, 1, IPFSA_FAULT_FAIL, 0});
    ipfsa_status status = fill(&list, &err);
    bool fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    assert_int_equal(status, fired ? IPFSA_E_NOMEM : IPFSA_OK);
    ipfsa_market_list_release(&list);
    if (!fired) break;
  }
}

static void count_failure(void *ctx, const char *source, ipfsa_status status, const char *message) {
  assert_string_equal(source, "index");
  assert_int_equal(status, IPFSA_E_NOT_SUPPORTED);
  assert_string_equal(message, "not yet");
  ++*(int *)ctx;
}

static int n_entries;
static int count_entry(void *ctx, const ipfsa_marketplace_entry *entry) {
  assert_true(entry->n_sources == 1 && *entry->name && *entry->image && *entry->reference);
  return ++n_entries == *(int *)ctx;
}

static int cancel(void *ctx, const ipfsa_progress *at) {
  (void)ctx, (void)at;
  return 1;
}

static void a_search_can_be_stopped(void **state) {
  (void)state;
  static const char *const left_out[] = {"index"}, *const why[] = {"not yet"};
  ipfsa_error err = {0};
  int n_failures = 0, stop_at = 0;
  size_t n_answered = 0;
  ipfsa_market_params params = {.query = {.term = "ipfs", .limit = 2, .timeout_ms = 1000}, .ask_curated = true, .left_out = left_out, .left_out_why = why,
                                .n_left_out = 1, .failed = count_failure, .ctx = &n_failures};
  n_entries = 0;
  assert_ok(ipfsa_market_search(&params, count_entry, &stop_at, &n_answered, &err));
  assert_true(n_entries == 2 && n_failures == 1 && n_answered == 1);
  n_entries = 0;
  stop_at = 1;
  assert_status(ipfsa_market_search(&params, count_entry, &stop_at, &n_answered, &err), IPFSA_E_CANCELLED);
  assert_int_equal(n_entries, 1);
  n_entries = 0;
  params.progress = cancel;
  assert_status(ipfsa_market_search(&params, count_entry, &stop_at, &n_answered, &err), IPFSA_E_CANCELLED);
  assert_int_equal(n_entries, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(sources_are_merged), cmocka_unit_test(the_best_come_first), cmocka_unit_test(memory_may_run_out),
                                     cmocka_unit_test(a_search_can_be_stopped)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
