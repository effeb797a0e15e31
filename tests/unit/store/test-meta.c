#include "store/meta.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support.h"
#include "base/alloc.h"
#include "base/fault.h"
#include "base/fs.h"

typedef struct folder {
  char *path;
  int fd;
} folder;

static folder new_folder(void) {
  ipfsa_error err = {0};
  folder f = {.path = test_temp_dir()};
  f.fd = ipfsa_fs_open_dir(AT_FDCWD, f.path, &err);
  assert_true(f.fd >= 0);
  return f;
}

static void drop_folder(folder *f) {
  ipfsa_fs_close(&f->fd);
  test_remove_tree(f->path);
}

static ipfsa_bytes b(const char *text) { return ipfsa_bytes_str(text); }

static ipfsa_status put_one(ipfsa_meta *meta, const char *key, const char *value, ipfsa_error *err) {
  ipfsa_meta_txn *txn = NULL;
  ipfsa_status status = ipfsa_meta_begin(meta, true, &txn, err);
  if (status) return status;
  status = ipfsa_meta_put(txn, IPFSA_META_STATE, b(key), b(value), err);
  if (status == IPFSA_OK) return ipfsa_meta_commit(txn, err);
  ipfsa_meta_abort(txn);
  return status;
}

/* The value as text into ret (64 bytes). */
static ipfsa_status get_one(ipfsa_meta *meta, const char *key, char *ret, ipfsa_error *err) {
  ipfsa_meta_txn *txn = NULL;
  ipfsa_status status = ipfsa_meta_begin(meta, false, &txn, err);
  if (status) return status;
  ipfsa_bytes value = {0};
  status = ipfsa_meta_get(txn, IPFSA_META_STATE, b(key), &value, err);
  if (status == IPFSA_OK) snprintf(ret, 64, "%.*s", (int)value.len, (const char *)value.data);
  ipfsa_meta_abort(txn);
  return status;
}

static void what_is_committed_stays(void **state) {
  (void)state;
  ipfsa_error err = {0};
  folder f = new_folder();
  ipfsa_meta *meta = NULL;
  assert_status(ipfsa_meta_open(f.fd, false, false, &meta, &err), IPFSA_E_NOT_FOUND);
  assert_null(meta);
  assert_ok(ipfsa_meta_open(f.fd, true, false, &meta, &err));
  char text[64] = "untouched";
  assert_status(get_one(meta, "k", text, &err), IPFSA_E_NOT_FOUND);
  assert_string_equal(text, "untouched");
  assert_ok(put_one(meta, "k", "v1", &err));
  ipfsa_meta_txn *txn = NULL;
  assert_ok(ipfsa_meta_begin(meta, true, &txn, &err));
  assert_ok(ipfsa_meta_put(txn, IPFSA_META_STATE, b("k"), b("v2"), &err));
  ipfsa_meta_abort(txn);
  assert_ok(get_one(meta, "k", text, &err));
  assert_string_equal(text, "v1");
  ipfsa_meta_close(meta);
  assert_ok(ipfsa_meta_open(f.fd, false, false, &meta, &err));
  assert_ok(get_one(meta, "k", text, &err));
  assert_string_equal(text, "v1");
  ipfsa_meta_close(meta);
  drop_folder(&f);
}

static int collect_keys(void *ctx, ipfsa_bytes key, ipfsa_bytes value) {
  (void)value;
  snprintf((char *)ctx + strlen(ctx), 64 - strlen(ctx), "%.*s,", (int)key.len, (const char *)key.data);
  return 0;
}

static int stop_at_once(void *ctx, ipfsa_bytes key, ipfsa_bytes value) {
  (void)key, (void)value;
  return ++*(int *)ctx;
}

static void tables_iterate_in_key_order_and_stand_apart(void **state) {
  (void)state;
  ipfsa_error err = {0};
  folder f = new_folder();
  ipfsa_meta *meta = NULL;
  assert_ok(ipfsa_meta_open(f.fd, true, false, &meta, &err));
  ipfsa_meta_txn *txn = NULL;
  assert_ok(ipfsa_meta_begin(meta, true, &txn, &err));
  assert_ok(ipfsa_meta_put(txn, IPFSA_META_PINS, b("b"), b("1"), &err));
  assert_ok(ipfsa_meta_put(txn, IPFSA_META_PINS, b("c"), b(""), &err));
  assert_ok(ipfsa_meta_put(txn, IPFSA_META_PINS, b("a"), b("2"), &err));
  assert_ok(ipfsa_meta_put(txn, IPFSA_META_ROOTS, b("mfs"), b("3"), &err));
  assert_ok(ipfsa_meta_del(txn, IPFSA_META_PINS, b("b"), &err));
  assert_status(ipfsa_meta_del(txn, IPFSA_META_PINS, b("b"), &err), IPFSA_E_NOT_FOUND);
  assert_ok(ipfsa_meta_commit(txn, &err));
  assert_ok(ipfsa_meta_begin(meta, false, &txn, &err));
  char keys[64] = "";
  assert_ok(ipfsa_meta_iterate(txn, IPFSA_META_PINS, collect_keys, keys, &err));
  assert_string_equal(keys, "a,c,");
  int calls = 0;
  assert_status(ipfsa_meta_iterate(txn, IPFSA_META_PINS, stop_at_once, &calls, &err), IPFSA_E_CANCELLED);
  assert_int_equal(calls, 1);
  ipfsa_bytes value = {0};
  assert_ok(ipfsa_meta_get(txn, IPFSA_META_PINS, b("c"), &value, &err));
  assert_int_equal(value.len, 0);
  ipfsa_meta_abort(txn);
  ipfsa_meta_close(meta);
  drop_folder(&f);
}

static void keys_have_a_limit(void **state) {
  (void)state;
  ipfsa_error err = {0};
  folder f = new_folder();
  ipfsa_meta *meta = NULL;
  assert_ok(ipfsa_meta_open(f.fd, true, false, &meta, &err));
  uint8_t key[512];
  memset(key, 'k', sizeof key);
  ipfsa_meta_txn *txn = NULL;
  assert_ok(ipfsa_meta_begin(meta, true, &txn, &err));
  assert_ok(ipfsa_meta_put(txn, IPFSA_META_PATHS, ipfsa_bytes_of(key, 511), b("v"), &err));
  assert_status(ipfsa_meta_put(txn, IPFSA_META_PATHS, ipfsa_bytes_of(key, 512), b("v"), &err), IPFSA_E_LIMIT);
  assert_status(ipfsa_meta_put(txn, IPFSA_META_PATHS, ipfsa_bytes_of(key, 0), b("v"), &err), IPFSA_E_LIMIT);
  assert_ok(ipfsa_meta_commit(txn, &err));
  ipfsa_meta_close(meta);
  drop_folder(&f);
}

static void two_handles_of_one_process_share(void **state) {
  (void)state;
  ipfsa_error err = {0};
  folder f = new_folder();
  ipfsa_meta *a = NULL, *reader = NULL;
  assert_ok(ipfsa_meta_open(f.fd, true, false, &a, &err));
  assert_ok(ipfsa_meta_open(f.fd, false, true, &reader, &err));
  assert_ok(put_one(a, "k", "v", &err));
  char text[64];
  assert_ok(get_one(reader, "k", text, &err));
  assert_status(put_one(reader, "k", "w", &err), IPFSA_E_READ_ONLY);
  ipfsa_meta_close(a);
  assert_ok(get_one(reader, "k", text, &err));
  assert_string_equal(text, "v");
  ipfsa_meta_close(reader);
  drop_folder(&f);
}

static void a_reader_sees_the_moment_it_began(void **state) {
  (void)state;
  ipfsa_error err = {0};
  folder f = new_folder();
  ipfsa_meta *meta = NULL;
  assert_ok(ipfsa_meta_open(f.fd, true, false, &meta, &err));
  assert_ok(put_one(meta, "k", "old", &err));
  ipfsa_meta_txn *txn = NULL;
  assert_ok(ipfsa_meta_begin(meta, false, &txn, &err));
  assert_ok(put_one(meta, "k", "new", &err));
  ipfsa_bytes value = {0};
  assert_ok(ipfsa_meta_get(txn, IPFSA_META_STATE, b("k"), &value, &err));
  assert_memory_equal(value.data, "old", 3);
  ipfsa_meta_abort(txn);
  ipfsa_meta_close(meta);
  drop_folder(&f);
}

/* Another process, killed while it writes, leaves what was committed and no lock behind. */
static void a_killed_writer_holds_nobody_up(void **state) {
  (void)state;
  ipfsa_error err = {0};
  folder f = new_folder();
  int ready[2];
  assert_int_equal(pipe(ready), 0);
  pid_t pid = fork();
  if (pid == 0) {
    ipfsa_meta *meta = NULL;
    ipfsa_meta_txn *txn = NULL;
    bool good = ipfsa_meta_open(f.fd, true, false, &meta, NULL) == IPFSA_OK && put_one(meta, "k", "kept", NULL) == IPFSA_OK &&
                ipfsa_meta_begin(meta, true, &txn, NULL) == IPFSA_OK &&
                ipfsa_meta_put(txn, IPFSA_META_STATE, b("k"), b("lost"), NULL) == IPFSA_OK;
    (void)!write(ready[1], good ? "y" : "n", 1);
    for (;;) pause();
  }
  char answer = 0;
  assert_int_equal(read(ready[0], &answer, 1), 1);
  assert_int_equal(answer, 'y');
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  ipfsa_meta *meta = NULL;
  assert_ok(ipfsa_meta_open(f.fd, false, false, &meta, &err));
  char text[64];
  assert_ok(get_one(meta, "k", text, &err));
  assert_string_equal(text, "kept");
  assert_ok(put_one(meta, "k", "again", &err));
  ipfsa_meta_close(meta);
  close(ready[0]);
  close(ready[1]);
  drop_folder(&f);
}

static void each_failing_operation_is_old_or_new(void **state) {
  (void)state;
  static const int codes[] = {EIO, ENOSPC};
  for (int kind = 0; kind < 3; kind++) {
    for (uint64_t n = 1;; n++) {
      ipfsa_error err = {0};
      folder f = new_folder();
      ipfsa_meta *meta = NULL;
      assert_ok(ipfsa_meta_open(f.fd, true, false, &meta, &err));
      assert_ok(put_one(meta, "k", "old", &err));
      ipfsa_meta_close(meta);
      meta = NULL;
      ipfsa_fault_arm(&(ipfsa_fault_plan){kind == 2 ? IPFSA_FAULT_ALLOC : IPFSA_FAULT_FILE, n, 1, IPFSA_FAULT_FAIL, kind < 2 ? codes[kind] : 0});
      ipfsa_status status = ipfsa_meta_open(f.fd, true, false, &meta, &err);
      if (status == IPFSA_OK) status = put_one(meta, "k", "new", &err);
      bool fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      if (fired) {
        assert_int_equal(status, kind == 0 ? IPFSA_E_IO : kind == 1 ? IPFSA_E_NO_SPACE : IPFSA_E_NOMEM);
        assert_true(err.message[0]);
      } else assert_ok(status);
      ipfsa_meta_close(meta);
      meta = NULL;
      assert_ok(ipfsa_meta_open(f.fd, false, false, &meta, &err));
      char text[64];
      assert_ok(get_one(meta, "k", text, &err));
      assert_string_equal(text, fired ? "old" : "new");
      ipfsa_meta_close(meta);
      drop_folder(&f);
      if (!fired) break;
    }
  }
}

static void a_failed_sync_refuses_writes_and_reads_go_on(void **state) {
  (void)state;
  ipfsa_error err = {0};
  folder f = new_folder();
  ipfsa_meta *meta = NULL;
  assert_ok(ipfsa_meta_open(f.fd, true, false, &meta, &err));
  assert_ok(put_one(meta, "k", "old", &err));
  ipfsa_meta_txn *txn = NULL;
  assert_ok(ipfsa_meta_begin(meta, true, &txn, &err));
  assert_ok(ipfsa_meta_put(txn, IPFSA_META_STATE, b("k"), b("new"), &err));
  ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_FILE, 1, 1, IPFSA_FAULT_FAIL, EIO});
  assert_status(ipfsa_meta_commit(txn, &err), IPFSA_E_IO);
  ipfsa_fault_disarm();
  assert_status(put_one(meta, "k", "new", &err), IPFSA_E_POISONED);
  char text[64];
  assert_ok(get_one(meta, "k", text, &err));
  assert_string_equal(text, "old");
  ipfsa_meta_close(meta);
  assert_ok(ipfsa_meta_open(f.fd, false, false, &meta, &err));
  assert_ok(put_one(meta, "k", "new", &err));
  ipfsa_meta_close(meta);
  drop_folder(&f);
}

static void a_cut_or_strange_file_is_refused(void **state) {
  (void)state;
  ipfsa_error err = {0};
  folder f = new_folder();
  ipfsa_meta *meta = NULL;
  assert_ok(ipfsa_meta_open(f.fd, true, false, &meta, &err));
  assert_ok(put_one(meta, "k", "v", &err));
  ipfsa_meta_close(meta);
  meta = NULL;
  int fd = ipfsa_fs_open(f.fd, "meta/data.mdb", O_RDWR, 0, &err);
  struct stat st;
  assert_ok(ipfsa_fs_fstat(fd, &st, &err));
  assert_ok(ipfsa_fs_truncate(fd, (uint64_t)st.st_size - 4096, &err));
  assert_status(ipfsa_meta_open(f.fd, false, false, &meta, &err), IPFSA_E_CORRUPT);
  assert_non_null(strstr(err.message, "cut"));
  uint8_t noise[16384];
  test_shake128("noise", noise, sizeof noise);
  assert_ok(ipfsa_fs_write_at(fd, noise, sizeof noise, 0, &err));
  assert_status(ipfsa_meta_open(f.fd, false, false, &meta, &err), IPFSA_E_CORRUPT);
  assert_null(meta);
  ipfsa_fs_close(&fd);
  drop_folder(&f);
}

static void an_init_that_was_cut_is_finished(void **state) {
  (void)state;
  for (int len = 0; len <= 4096; len += 2048) {
    ipfsa_error err = {0};
    folder f = new_folder();
    assert_ok(ipfsa_fs_mkdir(f.fd, "meta", 0755, &err));
    char zeros[4096] = {0};
    assert_ok(ipfsa_fs_replace_file(f.fd, "meta/data.mdb", zeros, (size_t)len, 0644, &err));
    ipfsa_meta *meta = NULL;
    assert_ok(ipfsa_meta_open(f.fd, true, false, &meta, &err));
    assert_ok(put_one(meta, "k", "v", &err));
    ipfsa_meta_close(meta);
    drop_folder(&f);
  }
}

static void a_folder_without_write_permission_is_read(void **state) {
  (void)state;
  if (geteuid() == 0) {
    print_message("skipped: root may write everywhere\n");
    skip();
  }
  ipfsa_error err = {0};
  folder f = new_folder();
  ipfsa_meta *meta = NULL;
  assert_ok(ipfsa_meta_open(f.fd, true, false, &meta, &err));
  assert_ok(put_one(meta, "k", "v", &err));
  ipfsa_meta_close(meta);
  assert_int_equal(fchmodat(f.fd, "meta/data.mdb", 0444, 0), 0);
  assert_int_equal(fchmodat(f.fd, "meta/lock.mdb", 0444, 0), 0);
  assert_int_equal(fchmodat(f.fd, "meta", 0555, 0), 0);
  assert_ok(ipfsa_meta_open(f.fd, false, true, &meta, &err));
  char text[64];
  assert_ok(get_one(meta, "k", text, &err));
  assert_status(put_one(meta, "k", "w", &err), IPFSA_E_READ_ONLY);
  ipfsa_meta_close(meta);
  assert_int_equal(fchmodat(f.fd, "meta", 0755, 0), 0);
  drop_folder(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_committed_stays),
      cmocka_unit_test(tables_iterate_in_key_order_and_stand_apart),
      cmocka_unit_test(keys_have_a_limit),
      cmocka_unit_test(two_handles_of_one_process_share),
      cmocka_unit_test(a_reader_sees_the_moment_it_began),
      cmocka_unit_test(a_killed_writer_holds_nobody_up),
      cmocka_unit_test(each_failing_operation_is_old_or_new),
      cmocka_unit_test(a_failed_sync_refuses_writes_and_reads_go_on),
      cmocka_unit_test(a_cut_or_strange_file_is_refused),
      cmocka_unit_test(an_init_that_was_cut_is_finished),
      cmocka_unit_test(a_folder_without_write_permission_is_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
