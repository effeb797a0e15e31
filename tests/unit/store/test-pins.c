#include "store/pins.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "store_fixture.h"

typedef store_fixture fixture;

static void reopen(fixture *f) { store_reopen(f, (ipfsa_store_options){.no_sync = true}); }

static fixture new_fixture(void) {
  fixture f;
  store_begin(&f);
  reopen(&f);
  return f;
}

static ipfsa_cid cid_of(const char *text) {
  ipfsa_error err = {0};
  ipfsa_cid cid;
  assert_ok(ipfsa_cid_of_block(1, IPFSA_CODEC_RAW, IPFSA_HASH_SHA2_256, 0, ipfsa_bytes_str(text), &cid, &err));
  return cid;
}

static ipfsa_pin pin_of(const char *text, ipfsa_pin_mode mode, const char *name) {
  ipfsa_pin pin = {.cid = cid_of(text), .mode = mode};
  snprintf(pin.name, sizeof pin.name, "%s", name);
  return pin;
}

static int count_pins(void *ctx, const ipfsa_pin *pin) {
  (void)pin;
  ++*(int *)ctx;
  return 0;
}

static int n_pins(ipfsa_store *store) {
  ipfsa_error err = {0};
  int n = 0;
  assert_ok(ipfsa_pins_iterate(store, count_pins, &n, &err));
  return n;
}

static void pins_stay_with_mode_and_name(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture f = new_fixture();
  char long_name[IPFSA_MAX_PIN_NAME + 1];
  memset(long_name, 'n', IPFSA_MAX_PIN_NAME);
  long_name[IPFSA_MAX_PIN_NAME] = '\0';
  ipfsa_pin pins[] = {pin_of("a", IPFSA_PIN_RECURSIVE, "first"), pin_of("b", IPFSA_PIN_DIRECT, ""), pin_of("c", IPFSA_PIN_RECURSIVE, long_name)};
  assert_ok(ipfsa_pins_set(f.store, pins, 3, &err));
  reopen(&f);
  for (int i = 0; i < 3; i++) {
    ipfsa_pin got;
    assert_ok(ipfsa_pins_get(f.store, &pins[i].cid, &got, &err));
    assert_int_equal(got.mode, pins[i].mode);
    assert_string_equal(got.name, pins[i].name);
    assert_true(ipfsa_cid_equal(&got.cid, &pins[i].cid));
  }
  assert_int_equal(n_pins(f.store), 3);
  assert_ok(ipfsa_pins_remove(f.store, &pins[0].cid, &err));
  assert_status(ipfsa_pins_remove(f.store, &pins[0].cid, &err), IPFSA_E_NOT_PINNED);
  assert_string_equal(err.message, "not pinned or pinned indirectly");
  ipfsa_pin untouched = pins[1];
  assert_status(ipfsa_pins_get(f.store, &pins[0].cid, &untouched, &err), IPFSA_E_NOT_PINNED);
  assert_true(ipfsa_cid_equal(&untouched.cid, &pins[1].cid));
  assert_int_equal(n_pins(f.store), 2);
  store_end(&f);
}

static void direct_upgrades_and_recursive_does_not_fall_back(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture f = new_fixture();
  ipfsa_pin direct = pin_of("a", IPFSA_PIN_DIRECT, ""), recursive = pin_of("a", IPFSA_PIN_RECURSIVE, "x"), got;
  assert_ok(ipfsa_pins_set(f.store, &direct, 1, &err));
  assert_ok(ipfsa_pins_set(f.store, &recursive, 1, &err));
  ipfsa_pin both[] = {pin_of("other", IPFSA_PIN_RECURSIVE, ""), direct};
  assert_status(ipfsa_pins_set(f.store, both, 2, &err), IPFSA_E_PINNED);
  assert_non_null(strstr(err.message, "already pinned recursively"));
  assert_status(ipfsa_pins_get(f.store, &both[0].cid, &got, &err), IPFSA_E_NOT_PINNED); /* all or nothing */
  assert_ok(ipfsa_pins_get(f.store, &recursive.cid, &got, &err));
  assert_int_equal(got.mode, IPFSA_PIN_RECURSIVE);
  ipfsa_pin wrong = pin_of("w", IPFSA_PIN_INDIRECT, "");
  assert_status(ipfsa_pins_set(f.store, &wrong, 1, &err), IPFSA_E_INVALID);
  memset(wrong.name, 'n', sizeof wrong.name);
  wrong.mode = IPFSA_PIN_DIRECT;
  assert_status(ipfsa_pins_set(f.store, &wrong, 1, &err), IPFSA_E_LIMIT);
  store_end(&f);
}

static void update_moves_the_name(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture f = new_fixture();
  ipfsa_pin from = pin_of("from", IPFSA_PIN_RECURSIVE, "model"), direct = pin_of("d", IPFSA_PIN_DIRECT, ""), got;
  ipfsa_cid to = cid_of("to"), third = cid_of("third");
  assert_status(ipfsa_pins_update(f.store, &from.cid, &to, true, &err), IPFSA_E_NOT_PINNED);
  assert_string_equal(err.message, "'from' cid was not recursively pinned already");
  assert_ok(ipfsa_pins_set(f.store, &from, 1, &err));
  assert_ok(ipfsa_pins_set(f.store, &direct, 1, &err));
  assert_status(ipfsa_pins_update(f.store, &direct.cid, &to, true, &err), IPFSA_E_NOT_PINNED);
  assert_ok(ipfsa_pins_update(f.store, &from.cid, &from.cid, true, &err)); /* to itself: nothing */
  assert_ok(ipfsa_pins_update(f.store, &from.cid, &to, true, &err));
  assert_status(ipfsa_pins_get(f.store, &from.cid, &got, &err), IPFSA_E_NOT_PINNED);
  assert_ok(ipfsa_pins_get(f.store, &to, &got, &err));
  assert_string_equal(got.name, "model");
  assert_ok(ipfsa_pins_update(f.store, &to, &third, false, &err));
  assert_ok(ipfsa_pins_get(f.store, &to, &got, &err));
  assert_status(ipfsa_pins_update(f.store, &to, &third, true, &err), IPFSA_E_PINNED);
  assert_string_equal(err.message, "'to' cid was already recursively pinned");
  store_end(&f);
}

static int note_root(void *ctx, const char *name, const ipfsa_cid *cid) {
  (void)cid;
  snprintf((char *)ctx + strlen(ctx), 64 - strlen(ctx), "%s,", name);
  return 0;
}

static void roots_are_named(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture f = new_fixture();
  ipfsa_cid a = cid_of("a"), b = cid_of("b"), got = b;
  assert_status(ipfsa_roots_get(f.store, "mfs", &got, &err), IPFSA_E_NOT_FOUND);
  assert_true(ipfsa_cid_equal(&got, &b));
  assert_ok(ipfsa_roots_set(f.store, "mfs", &a, &err));
  assert_ok(ipfsa_roots_set(f.store, "other", &a, &err));
  assert_ok(ipfsa_roots_set(f.store, "mfs", &b, &err));
  reopen(&f);
  assert_ok(ipfsa_roots_get(f.store, "mfs", &got, &err));
  assert_true(ipfsa_cid_equal(&got, &b));
  char names[64] = "";
  assert_ok(ipfsa_roots_iterate(f.store, note_root, names, &err));
  assert_string_equal(names, "mfs,other,");
  store_end(&f);
}

static int count_cids(void *ctx, const ipfsa_cid *cid) {
  (void)cid;
  ++*(int *)ctx;
  return 0;
}

static int n_leased(ipfsa_store *store, uint64_t grace_s) {
  ipfsa_error err = {0};
  int n = 0;
  assert_ok(ipfsa_leases_iterate(store, grace_s, count_cids, &n, &err));
  return n;
}

static void a_live_lease_protects_until_it_is_freed(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture f = new_fixture();
  ipfsa_lease *lease = NULL, *other = NULL;
  ipfsa_cid a = cid_of("a"), b = cid_of("b");
  assert_ok(ipfsa_lease_new(f.store, &lease, &err));
  assert_ok(ipfsa_lease_new(f.store, &other, &err));
  assert_int_equal(n_leased(f.store, 0), 0);
  assert_ok(ipfsa_lease_add(lease, &a, &err));
  assert_ok(ipfsa_lease_add(lease, &b, &err));
  assert_ok(ipfsa_lease_add(other, &a, &err));
  assert_int_equal(n_leased(f.store, 0), 3);
  assert_ok(ipfsa_leases_expire(f.store, 0, &err)); /* this process lives */
  assert_int_equal(n_leased(f.store, 0), 3);
  ipfsa_lease_free(lease);
  assert_int_equal(n_leased(f.store, 0), 1);
  ipfsa_lease_free(other);
  assert_int_equal(n_leased(f.store, 0), 0);
  store_end(&f);
}

static void a_dead_process_lease_is_grace(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture f = new_fixture();
  ipfsa_store_close(f.store);
  f.store = NULL;
  pid_t pid = fork();
  if (pid == 0) {
    ipfsa_store *store = NULL;
    ipfsa_lease *lease = NULL;
    ipfsa_cid a = cid_of("a");
    bool good = ipfsa_store_open(f.fd, &(ipfsa_store_options){.create = true}, &store, NULL) == IPFSA_OK &&
                ipfsa_lease_new(store, &lease, NULL) == IPFSA_OK && ipfsa_lease_add(lease, &a, NULL) == IPFSA_OK;
    _exit(good ? 0 : 1); /* without freeing it, as a killed one */
  }
  int result = 0;
  assert_int_equal(waitpid(pid, &result, 0), pid);
  assert_int_equal(result, 0);
  reopen(&f);
  assert_int_equal(n_leased(f.store, 3600), 1);
  assert_ok(ipfsa_leases_expire(f.store, 3600, &err)); /* notes the death */
  assert_int_equal(n_leased(f.store, 3600), 1);
  assert_int_equal(n_leased(f.store, 0), 0); /* its grace would be over */
  assert_ok(ipfsa_leases_expire(f.store, 0, &err));
  assert_int_equal(n_leased(f.store, 3600), 0); /* gone */
  store_end(&f);
}

/* Each file operation and each allocation of every change fails once: the change is whole or not there, and said so. */
static void failing_changes_are_all_or_nothing(void **state) {
  (void)state;
  for (int kind = 0; kind < 2; kind++) {
    for (uint64_t n = 1;; n++) {
      ipfsa_error err = {0};
      fixture f = new_fixture();
      ipfsa_pin pins[] = {pin_of("a", IPFSA_PIN_RECURSIVE, ""), pin_of("b", IPFSA_PIN_DIRECT, "")};
      ipfsa_lease *lease = NULL;
      assert_ok(ipfsa_lease_new(f.store, &lease, &err));
      ipfsa_fault_arm(&(ipfsa_fault_plan){kind ? IPFSA_FAULT_ALLOC : IPFSA_FAULT_FILE, n, 1, IPFSA_FAULT_FAIL, EIO});
      ipfsa_status leased = ipfsa_lease_add(lease, &pins[0].cid, &err);
      ipfsa_status status = ipfsa_pins_set(f.store, pins, 2, &err);
      bool fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      reopen(&f); /* after the close of a lease's store the lease is only freed from memory: */
      assert_int_equal(n_pins(f.store), status ? 0 : 2);
      assert_int_equal(n_leased(f.store, 0), leased ? 0 : 1);
      ipfsa_free(lease);
      store_end(&f);
      if (!fired) {
        assert_ok(leased);
        assert_ok(status);
        break;
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pins_stay_with_mode_and_name),
      cmocka_unit_test(direct_upgrades_and_recursive_does_not_fall_back),
      cmocka_unit_test(update_moves_the_name),
      cmocka_unit_test(roots_are_named),
      cmocka_unit_test(a_live_lease_protects_until_it_is_freed),
      cmocka_unit_test(a_dead_process_lease_is_grace),
      cmocka_unit_test(failing_changes_are_all_or_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
