/* That accelerate reads what is written is test_offload_peer.py's. */
#include <ipfsa/offload.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support.h"
#include "base/alloc.h"
#include "base/fault.h"
#include "base/fs.h"

static const uint64_t two_by_three[] = {2, 3}, none[] = {0, 3}, huge[] = {UINT64_MAX, 2};
static const uint8_t bytes[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
static const ipfsa_offload_weight good = {"a.weight", "bfloat16", two_by_three, 2, bytes, 12}, scalar = {"b", "torch.float32", NULL, 0, bytes, 4};

static char *content(const char *dir, const char *name, size_t *ret_len) {
  ipfsa_error err = {0};
  char path[600], *text = NULL;
  snprintf(path, sizeof path, "%s/%s", dir, name);
  ipfsa_status status = ipfsa_fs_read_file(AT_FDCWD, path, 1 << 20, &text, ret_len, &err);
  if (status && status != IPFSA_E_NOT_FOUND) fail_msg("%s: %s", path, err.message);
  return text;
}

static void expect(const char *dir, const char *name, const void *want, size_t want_len) {
  size_t len = 0;
  char *text = content(dir, name, &len);
  assert_non_null(text);
  assert_int_equal(len, want_len);
  assert_memory_equal(text, want, len);
  ipfsa_free(text);
}

#define INDEX_A "{\n  \"a.weight\": {\n    \"dtype\": \"bfloat16\",\n    \"shape\": [\n      2,\n      3\n    ]\n  }"
#define INDEX_B ",\n  \"b\": {\n    \"dtype\": \"float32\",\n    \"shape\": []\n  }"

static void weights_and_index(void **state) {
  (void)state;
  ipfsa_error err = {0};
  char *dir = test_temp_dir(), folder[500];
  snprintf(folder, sizeof folder, "%s/offload", dir);
  assert_ok(ipfsa_offload_write(folder, NULL, 0, &err));
  assert_int_equal(access(folder, F_OK), -1);
  assert_ok(ipfsa_offload_write(folder, &good, 1, &err));
  expect(folder, "a.weight.dat", bytes, 12);
  expect(folder, "index.json", INDEX_A "\n}", strlen(INDEX_A "\n}"));
  assert_ok(ipfsa_offload_write(folder, &scalar, 1, &err)); /* merged */
  expect(folder, "b.dat", bytes, 4);
  expect(folder, "index.json", INDEX_A INDEX_B "\n}", strlen(INDEX_A INDEX_B "\n}"));
  assert_ok(ipfsa_offload_write(folder, &good, 1, &err));
  expect(folder, "index.json", INDEX_A INDEX_B "\n}", strlen(INDEX_A INDEX_B "\n}"));
  test_remove_tree(dir);
}

static void refuse(const char *dir, const ipfsa_offload_weight *w, ipfsa_status status) {
  ipfsa_error err = {0};
  assert_status(ipfsa_offload_write(dir, (ipfsa_offload_weight[]){good, *w}, 2, &err), status);
  size_t len;
  assert_null(content(dir, "index.json", &len));
  assert_null(content(dir, "a.weight.dat", &len)); /* all are looked at before anything is written */
}

static void what_cannot_be_is_refused(void **state) {
  (void)state;
  ipfsa_error err = {0};
  char *dir = test_temp_dir(), name[IPFSA_MAX_OFFLOAD_NAME + 2], path[600];
  ipfsa_offload_weight w = good;
  static const char *const names[] = {"", "a/b", "/a", "../a"};
  for (size_t i = 0; i < 4; i++) w.name = names[i], refuse(dir, &w, IPFSA_E_INVALID);
  memset(name, 'n', sizeof name);
  name[sizeof name - 1] = '\0';
  w.name = name;
  refuse(dir, &w, IPFSA_E_LIMIT);
  w = good, w.dtype = "float8_e4m3fn";
  refuse(dir, &w, IPFSA_E_NOT_SUPPORTED);
  w = good, w.size = 11;
  refuse(dir, &w, IPFSA_E_INVALID);
  w = good, w.shape = none, w.size = 0;
  refuse(dir, &w, IPFSA_E_INVALID);
  w = good, w.shape = huge;
  refuse(dir, &w, IPFSA_E_INVALID);
  w = good, w.name = "\xff";
  refuse(dir, &w, IPFSA_E_INVALID);
  w = good, w.rank = 33;
  refuse(dir, &w, IPFSA_E_LIMIT);
  name[IPFSA_MAX_OFFLOAD_NAME] = '\0';
  w = good, w.name = name;
  assert_ok(ipfsa_offload_write(dir, &w, 1, &err));
  uint64_t ones[32];
  for (size_t i = 0; i < 32; i++) ones[i] = 1;
  w = good, w.shape = ones, w.rank = 32, w.size = 2;
  assert_ok(ipfsa_offload_write(dir, &w, 1, &err));
  snprintf(path, sizeof path, "%s/index.json", dir);
  static const char *const indexes[] = {"[]", "{", "", "{\"a\":1,\"a\":2}"};
  for (size_t i = 0; i < 4; i++) {
    FILE *file = fopen(path, "w");
    fputs(indexes[i], file);
    fclose(file);
    assert_status(ipfsa_offload_write(dir, &good, 1, &err), IPFSA_E_MALFORMED);
    expect(dir, "index.json", indexes[i], strlen(indexes[i]));
  }
  assert_int_equal(truncate(path, IPFSA_MAX_OFFLOAD_INDEX), 0); /* zeros are looked at, and are no JSON */
  assert_status(ipfsa_offload_write(dir, &good, 1, &err), IPFSA_E_MALFORMED);
  assert_int_equal(truncate(path, IPFSA_MAX_OFFLOAD_INDEX + 1), 0);
  assert_status(ipfsa_offload_write(dir, &good, 1, &err), IPFSA_E_LIMIT);
  test_remove_tree(dir);
}

/* Whatever fails: the index is the old one or the new one, and what it names is there. */
static void anything_may_fail(void **state) {
  (void)state;
  static const struct { ipfsa_fault_kind kind; int sys_errno; } ways[] = {{IPFSA_FAULT_ALLOC, ENOMEM}, {IPFSA_FAULT_FILE, EIO}, {IPFSA_FAULT_FILE, ENOSPC}};
  unsigned n_failed = 0;
  for (size_t i = 0; i < 3; i++) {
    bool fired = true;
    for (uint64_t n = 1; fired; n++) {
      ipfsa_error err = {0};
      char *dir = test_temp_dir();
      assert_ok(ipfsa_offload_write(dir, &scalar, 1, &err));
      ipfsa_fault_arm(&(ipfsa_fault_plan){ways[i].kind, n, 1, IPFSA_FAULT_FAIL, ways[i].sys_errno});
      ipfsa_status status = ipfsa_offload_write(dir, &good, 1, &err);
      fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      size_t len = 0;
      char *index = content(dir, "index.json", &len);
      assert_non_null(strstr(index, "\"b\""));
      if (strstr(index, "a.weight")) expect(dir, "a.weight.dat", bytes, 12);
      else assert_true(status != IPFSA_OK);
      if (status) assert_true(err.message[0] && err.message[strlen(err.message) - 1] != '.');
      n_failed += status != IPFSA_OK;
      ipfsa_free(index);
      test_remove_tree(dir);
    }
  }
  assert_true(n_failed > 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(weights_and_index), cmocka_unit_test(what_cannot_be_is_refused), cmocka_unit_test(anything_may_fail)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
