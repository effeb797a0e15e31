#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>

#include "../support.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/fault.h"
#include "base/source.h"

static void replace_is_whole_or_old(void **state) {
  (void)state;
  ipfsa_error err = {0};
  char *dir = test_temp_dir();
  int fd = ipfsa_fs_open_dir(AT_FDCWD, dir, &err);
  assert_true(fd >= 0);
  assert_ok(ipfsa_fs_replace_file(fd, "f", "old", 3, 0644, &err));
  for (uint64_t n = 1;; n++) {
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_FILE, n, 1, IPFSA_FAULT_FAIL, EIO});
    ipfsa_status status = ipfsa_fs_replace_file(fd, "f", "newer", 5, 0644, &err);
    bool fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    char *text = NULL;
    size_t len = 0;
    assert_ok(ipfsa_fs_read_file(fd, "f", 100, &text, &len, &err));
    if (status) assert_true(strcmp(text, "old") == 0 || strcmp(text, "newer") == 0);
    else assert_string_equal(text, "newer");
    ipfsa_free(text);
    assert_ok(ipfsa_fs_replace_file(fd, "f", "old", 3, 0644, &err));
    if (!fired) break;
    assert_true(status != IPFSA_OK);
  }
  ipfsa_fs_close(&fd);
  test_remove_tree(dir);
}

static void short_and_interrupted_calls_go_on(void **state) {
  (void)state;
  ipfsa_error err = {0};
  char *dir = test_temp_dir();
  int dirfd = ipfsa_fs_open_dir(AT_FDCWD, dir, &err);
  int fd = ipfsa_fs_open(dirfd, "f", O_RDWR | O_CREAT, 0600, &err);
  uint8_t data[1000], back[1000];
  test_shake128("fs", data, sizeof data);
  ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_FILE, 1, 5, IPFSA_FAULT_SHORT, 0});
  assert_ok(ipfsa_fs_write_at(fd, data, sizeof data, 7, &err));
  ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_FILE, 1, 3, IPFSA_FAULT_FAIL, EINTR});
  size_t n = 0;
  assert_ok(ipfsa_fs_read_at(fd, back, sizeof back, 7, &n, &err));
  ipfsa_fault_disarm();
  assert_int_equal(n, sizeof back);
  assert_memory_equal(data, back, sizeof data);
  ipfsa_fs_close(&fd);
  ipfsa_fs_close(&dirfd);
  test_remove_tree(dir);
}

static void read_file_has_a_limit(void **state) {
  (void)state;
  ipfsa_error err = {0};
  char *dir = test_temp_dir();
  int fd = ipfsa_fs_open_dir(AT_FDCWD, dir, &err);
  assert_ok(ipfsa_fs_replace_file(fd, "f", "12345", 5, 0644, &err));
  char *text = NULL;
  size_t len = 0;
  assert_ok(ipfsa_fs_read_file(fd, "f", 5, &text, &len, &err));
  assert_int_equal(len, 5);
  ipfsa_free(text);
  text = NULL;
  assert_status(ipfsa_fs_read_file(fd, "f", 4, &text, &len, &err), IPFSA_E_LIMIT);
  assert_null(text);
  assert_status(ipfsa_fs_read_file(fd, "nosuch", 4, &text, &len, &err), IPFSA_E_NOT_FOUND);
  assert_string_equal(err.message, "open nosuch: no such file or directory");
  ipfsa_fs_close(&fd);
  test_remove_tree(dir);
}

static void a_source_notices_a_changing_file(void **state) {
  (void)state;
  ipfsa_error err = {0};
  char *dir = test_temp_dir();
  int dirfd = ipfsa_fs_open_dir(AT_FDCWD, dir, &err);
  uint8_t data[64] = {0};
  for (int grow = 0; grow < 2; grow++) {
    assert_ok(ipfsa_fs_replace_file(dirfd, "f", data, sizeof data, 0644, &err));
    int fd = ipfsa_fs_open(dirfd, "f", O_RDWR, 0, &err);
    ipfsa_source *source = NULL;
    assert_ok(ipfsa_source_open_fd(fd, true, "f", &source, &err));
    size_t n = 0;
    assert_ok(source->read(source, data, 32, &n, &err));
    assert_ok(ipfsa_fs_truncate(fd, grow ? 96 : 40, &err));
    ipfsa_status status = source->read(source, data, 32, &n, &err);
    if (status == IPFSA_OK) status = source->read(source, data, 32, &n, &err);
    assert_int_equal(status, IPFSA_E_CHANGED);
    ipfsa_source_close(source);
  }
  ipfsa_fs_close(&dirfd);
  test_remove_tree(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(replace_is_whole_or_old),
      cmocka_unit_test(short_and_interrupted_calls_go_on),
      cmocka_unit_test(read_file_has_a_limit),
      cmocka_unit_test(a_source_notices_a_changing_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
