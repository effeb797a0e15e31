#include "base/map.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support.h"
#include "base/fault.h"
#include "base/fs.h"
#include "base/source.h"

#define LEN (3u << 20)

static char *make_file(const char *dir, ipfsa_error *err) {
  static char path[4096];
  static uint8_t data[LEN];
  for (size_t i = 0; i < LEN; i++) data[i] = (uint8_t)(i * 31 >> 7);
  snprintf(path, sizeof path, "%s/f", dir);
  int fd = ipfsa_fs_open(AT_FDCWD, path, O_WRONLY | O_CREAT, 0600, err);
  assert_true(fd >= 0);
  assert_int_equal(ipfsa_fs_write(fd, data, LEN, err), IPFSA_OK);
  ipfsa_fs_close(&fd);
  return path;
}

static void a_held_file_keeps_writers_out(void **state) {
  (void)state;
  ipfsa_error err = {0};
  char *dir = test_temp_dir(), *path = make_file(dir, &err);
  int fd = ipfsa_fs_open(AT_FDCWD, path, O_RDONLY, 0, &err);
  if (!ipfsa_fs_hold(fd)) {
    puts("skipped: no leases on this file system");
    skip();
  }
  assert_true(ipfsa_fs_holds(fd));
  const uint8_t *map = ipfsa_fs_map(fd, 1u << 20, 1u << 20);
  assert_non_null(map);
  for (size_t i = 0; i < 1u << 20; i++) assert_int_equal(map[i], (uint8_t)((i + (1u << 20)) * 31 >> 7));
  /* Somebody who wants to write waits, and is seen to wait. */
  assert_int_equal(open(path, O_WRONLY | O_TRUNC | O_NONBLOCK | O_CLOEXEC), -1);
  assert_int_equal(errno, EWOULDBLOCK);
  assert_false(ipfsa_fs_holds(fd));
  assert_int_equal(map[5], (uint8_t)((5 + (1u << 20)) * 31 >> 7));
  ipfsa_fs_unmap(map, 1u << 20);
  ipfsa_fs_let_go(fd);
  int writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  assert_true(writer >= 0);
  assert_false(ipfsa_fs_hold(fd)); /* being written: read it */
  close(writer);
  ipfsa_fs_close(&fd);
  test_remove_tree(dir);
}

static void what_cannot_be_mapped_is_refused(void **state) {
  (void)state;
  ipfsa_error err = {0};
  char *dir = test_temp_dir(), *path = make_file(dir, &err);
  int fd = ipfsa_fs_open(AT_FDCWD, path, O_RDONLY, 0, &err);
  assert_null(ipfsa_fs_map(fd, LEN, 1u << 20)); /* behind the end: touching it would kill */
  assert_null(ipfsa_fs_map(fd, 0, LEN + 8192));
  assert_null(ipfsa_fs_map(-1, 0, 4096));
  ipfsa_fault_arm(&(ipfsa_fault_plan){.kind = IPFSA_FAULT_FILE, .nth = 1, .n_calls = 2, .mode = IPFSA_FAULT_FAIL, .sys_errno = EIO});
  assert_false(ipfsa_fs_hold(fd));
  assert_null(ipfsa_fs_map(fd, 0, 4096));
  ipfsa_fault_disarm();
  ipfsa_fs_unmap(NULL, 4096);
  ipfsa_fs_close(&fd);
  test_remove_tree(dir);
}

static void a_source_read_from_many_places(void **state) {
  (void)state;
  ipfsa_error err = {0};
  char *dir = test_temp_dir(), *path = make_file(dir, &err);
  int fd = ipfsa_fs_open(AT_FDCWD, path, O_RDWR, 0, &err);
  ipfsa_source *s = NULL;
  uint8_t bytes[100];
  assert_int_equal(lseek(fd, 1000, SEEK_SET), 1000);
  assert_ok(ipfsa_source_open_fd(fd, false, "f", &s, &err));
  assert_int_equal(s->size_hint, LEN - 1000);
  assert_int_equal(s->map_off, 1000);
  assert_ok(s->read_at(s, bytes, sizeof bytes, 5000, &err));
  for (size_t i = 0; i < sizeof bytes; i++) assert_int_equal(bytes[i], (uint8_t)((i + 6000) * 31 >> 7));
  assert_ok(s->check(s, &err));
  assert_status(s->read_at(s, bytes, sizeof bytes, s->size_hint - 99, &err), IPFSA_E_CHANGED);
  usleep(20000); /* past the tick of the file system's clock */
  assert_int_equal(pwrite(fd, "x", 1, 7), 1);
  assert_status(s->check(s, &err), IPFSA_E_CHANGED);
  assert_non_null(strstr(err.message, "f changed while it was read: something was written to it"));
  assert_int_equal(ftruncate(fd, LEN / 2), 0);
  assert_status(s->check(s, &err), IPFSA_E_CHANGED);
  assert_non_null(strstr(err.message, "now fewer"));
  ipfsa_source_close(s);
  ipfsa_fs_close(&fd);
  test_remove_tree(dir);
}

static void what_has_no_entry_is_not_mapped(void **state) {
  (void)state;
  ipfsa_error err = {0};
  char *dir = test_temp_dir(), *path = make_file(dir, &err);
  int fd = ipfsa_fs_open(AT_FDCWD, path, O_RDONLY, 0, &err), page_map = ipfsa_fs_open_page_map();
  if (page_map < 0) {
    puts("skipped: no /proc/self/pagemap");
    skip();
  }
  uint8_t *room = ipfsa_fs_reserve(1u << 20);
  assert_non_null(room);
  assert_true(ipfsa_fs_map_at(fd, 0, room, 1u << 20));
  assert_false(ipfsa_fs_are_mapped(page_map, room, 1u << 20));
  assert_true(ipfsa_fs_populate(room, 1u << 20));
  assert_true(ipfsa_fs_are_mapped(page_map, room, 1u << 20));
  assert_int_equal(madvise(room + 40960, 4096, MADV_DONTNEED), 0);
  assert_false(ipfsa_fs_are_mapped(page_map, room, 1u << 20)); /* though it is in the page cache */
  assert_false(ipfsa_fs_are_mapped(page_map, room + 40960 - 1, 2));
  assert_true(ipfsa_fs_are_mapped(page_map, room + 1, 40959) && ipfsa_fs_are_mapped(page_map, room + 45056, 100));
  assert_false(ipfsa_fs_are_mapped(-1, room, 4096));
  ipfsa_fs_unmap(room, 1u << 20);
  ipfsa_fs_close(&page_map);
  ipfsa_fs_close(&fd);
  test_remove_tree(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_has_no_entry_is_not_mapped),
      cmocka_unit_test(a_held_file_keeps_writers_out), cmocka_unit_test(what_cannot_be_mapped_is_refused),
                                     cmocka_unit_test(a_source_read_from_many_places)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
