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
  const uint8_t *map = ipfsa_fs_map(fd, 1u << 20, 1u << 20, -1);
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
  assert_null(ipfsa_fs_map(fd, LEN, 1u << 20, -1)); /* behind the end: touching it would kill */
  assert_null(ipfsa_fs_map(fd, 0, LEN + 8192, -1));
  assert_null(ipfsa_fs_map(-1, 0, 4096, -1));
  ipfsa_fault_arm(&(ipfsa_fault_plan){.kind = IPFSA_FAULT_FILE, .nth = 1, .n_calls = 2, .mode = IPFSA_FAULT_FAIL, .sys_errno = EIO});
  assert_false(ipfsa_fs_hold(fd));
  assert_null(ipfsa_fs_map(fd, 0, 4096, -1));
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
  assert_true(ipfsa_fs_populate(room, 1u << 20, -1));
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

/* In pages of 4 KiB, written one by one, a file has no larger ones in memory either. */
static char *make_small_pages(const char *dir, size_t n_pages, size_t more) {
  static char path[4096];
  uint8_t page[4096];
  snprintf(path, sizeof path, "%s/small", dir);
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  assert_true(fd >= 0);
  for (size_t i = 0; i <= n_pages; i++) {
    memset(page, (int)(i % 251), sizeof page);
    size_t len = i < n_pages ? sizeof page : more;
    assert_int_equal(write(fd, page, len), len);
  }
  assert_int_equal(fsync(fd), 0);
  close(fd);
  return path;
}

/* A sanitizer's own memory about these pages would have its faults. */
__attribute__((no_sanitize("address", "thread"))) static bool is_right(const uint8_t *at, size_t off, size_t len) {
  bool right = true;
  for (size_t i = off; i < off + len; i += 4096 - i % 4096) right = right && at[i - off] == i / 4096 % 251;
  return right;
}

static void expect_all_there(const uint8_t *at, size_t off, size_t len) {
  (void)is_right(at, off, 1); /* the code itself */
  uint64_t faults = ipfsa_fs_page_faults();
  bool right = is_right(at, off, len);
  assert_int_equal(ipfsa_fs_page_faults(), faults);
  assert_true(right);
}

static void pages_come_in_groups(void **state) {
  (void)state;
  enum { N = 1100, MORE = 777 };
  ipfsa_error err = {0};
  char *dir = test_temp_dir(), *path = make_small_pages(dir, N, MORE);
  int fd = ipfsa_fs_open(AT_FDCWD, path, O_RDONLY, 0, &err), page_map = ipfsa_fs_open_page_map();
  if (page_map < 0 || !ipfsa_fs_counts_page_faults()) {
    puts("skipped: no /proc/self/pagemap, or faults are not counted");
    skip();
  }
  static const struct { size_t off, len; } ranges[] = {{0, 4096}, {0, 4097}, {0, 65536}, {0, 65537}, {4096, 65536}, {61440, 8192}, {4096 * 500, 4096 * 30},
                                                       {4096 * 17, 4096 * 1000}, {0, 4096 * N + MORE}};
  for (int drop = 0; drop < 3; drop++)
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
      /* some pages, or all, have to come from the disk */
      for (size_t page = 0; drop && page < N; page += drop == 1 ? 37 : 1) assert_int_equal(posix_fadvise(fd, (off_t)(page * 4096), 4096, POSIX_FADV_DONTNEED), 0);
      const uint8_t *map = ipfsa_fs_map(fd, ranges[i].off, ranges[i].len, page_map);
      assert_non_null(map);
      assert_true(ipfsa_fs_are_mapped(page_map, map, ranges[i].len));
      expect_all_there(map, ranges[i].off, ranges[i].len);
      ipfsa_fs_unmap(map, ranges[i].len);
    }
  uint8_t *room = ipfsa_fs_reserve(N * 4096);
  assert_non_null(room);
  assert_true(ipfsa_fs_map_at(fd, 0, room, N * 4096));
  assert_true(ipfsa_fs_populate(room + 5000, 100001, page_map)); /* from the middle of a page to that of another */
  expect_all_there(room + 5000, 5000, 100001);
  assert_true(ipfsa_fs_are_mapped(page_map, room + 5000, 100001));
  ipfsa_fs_unmap(room, N * 4096);
  /* A page behind the end is found, also where no group begins with it. */
  assert_null(ipfsa_fs_map(fd, 0, (N + 2) * 4096, page_map));
  assert_null(ipfsa_fs_map(fd, (N - 3) * 4096, 20 * 4096, page_map));
  assert_null(ipfsa_fs_map(fd, (N + 1) * 4096, 4096, page_map));
  ipfsa_fs_close(&page_map);
  ipfsa_fs_close(&fd);
  test_remove_tree(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_has_no_entry_is_not_mapped), cmocka_unit_test(pages_come_in_groups),
      cmocka_unit_test(a_held_file_keeps_writers_out), cmocka_unit_test(what_cannot_be_mapped_is_refused),
                                     cmocka_unit_test(a_source_read_from_many_places)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
