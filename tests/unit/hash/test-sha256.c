/* The sha2-256 kernels against libcrypto: alone, in batches, forced, and as `stats hash` shows them. */
#include <ipfsa/hash.h>

#include <openssl/evp.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support.h"
#include "base/fault.h"
#include "hash/kernels.h"

enum { MAX_LEN = 4096, N_ALIGNMENTS = 5 };
static const size_t alignments[N_ALIGNMENTS] = {0, 1, 7, 32, 63};
static uint8_t data[MAX_LEN + 64];
static uint8_t expected[N_ALIGNMENTS][MAX_LEN + 1][32], got[MAX_LEN + 1][32];
static ipfsa_sha256_job jobs[MAX_LEN + 1];

static int make_expected(void **state) {
  (void)state;
  test_shake128("kernels", data, sizeof data);
  for (size_t a = 0; a < N_ALIGNMENTS; a++)
    for (size_t len = 0; len <= MAX_LEN; len++)
      if (EVP_Digest(data + alignments[a], len, expected[a][len], NULL, EVP_sha256(), NULL) != 1) return 1;
  return 0;
}

/* Splits at a and b; empty parts are NULL now and then, as callers leave them zeroed. */
static ipfsa_sha256_job job_of(const uint8_t *p, size_t len, size_t a, size_t b, uint8_t *digest) {
  ipfsa_sha256_job job = {{{a ? p : NULL, a}, {b ? p + a : NULL, b}, {p + a + b, len - a - b}}, digest};
  return job;
}

static uint64_t next_random(uint64_t *seed) {
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  return *seed ^= *seed << 17;
}

static void check_lengths(const ipfsa_sha256_plan *plan) {
  for (size_t a = 0; a < N_ALIGNMENTS; a++) {
    memset(got, 0, sizeof got);
    for (size_t len = 0; len <= MAX_LEN; len++) {
      size_t first = len * 7 % (len + 1), second = len * 3 % (len - first + 1);
      jobs[len] = a == 0 ? job_of(data + alignments[a], len, 0, len, got[len]) : job_of(data + alignments[a], len, first, second, got[len]);
    }
    ipfsa_sha256_batch_by(plan, jobs, MAX_LEN + 1);
    assert_memory_equal(got, expected[a], sizeof got);
  }
}

static void check_random_batches(const ipfsa_sha256_plan *plan, const char *name) {
  uint64_t seed = 0x9e3779b97f4a7c15;
  for (size_t round = 0; round < 15; round++)
    for (size_t n = 1; n <= 40; n++) {
      size_t len[40], a[40];
      memset(got, 0, n * 32);
      for (size_t i = 0; i < n; i++) {
        uint64_t r = next_random(&seed);
        len[i] = r % 3 == 0 ? (r >> 8) % 130 : (r >> 8) % (MAX_LEN + 1);
        a[i] = (r >> 24) % N_ALIGNMENTS;
        size_t first = (r >> 32) % (len[i] + 1), second = (r >> 48) % (len[i] - first + 1);
        jobs[i] = job_of(data + alignments[a[i]], len[i], first, second, got[i]);
      }
      ipfsa_sha256_batch_by(plan, jobs, n);
      for (size_t i = 0; i < n; i++)
        if (memcmp(got[i], expected[a[i]][len[i]], 32) != 0) fail_msg("kernel %s: job %zu of %zu, round %zu, %zu bytes", name, i, n, round, len[i]);
    }
}

static void every_kernel(void **state) {
  (void)state;
  const ipfsa_sha256_kernel *k;
  for (size_t i = 0; (k = ipfsa_sha256_kernel_at(i)); i++) {
    if (!k->usable()) {
      print_message("skipped: kernel %s: this processor has no such instructions\n", k->name);
      continue;
    }
    ipfsa_sha256_plan plan = ipfsa_sha256_plan_of(k);
    assert_ptr_equal(plan.wide, k);
    check_lengths(&plan);
    check_random_batches(&plan, k->name);
  }
}

/* The plans in use, and every number of live lanes at which the wide kernel could hand over to the pair. */
static void every_handover(void **state) {
  (void)state;
  check_random_batches(ipfsa_sha256_plan_for(1), "few");
  ipfsa_sha256_plan plan = *ipfsa_sha256_plan_for(SIZE_MAX);
  check_lengths(&plan);
  for (plan.min_live = 1; plan.min_live <= plan.wide->lanes; plan.min_live++) check_random_batches(&plan, "chosen");
  ipfsa_sha256_batch(jobs, 0);
}

static void streams_in_pieces(void **state) {
  (void)state;
  for (size_t len = 0; len <= MAX_LEN; len += 61)
    for (size_t piece = 1; piece <= 200; piece += 9) {
      ipfsa_sha256_stream s;
      uint8_t digest[32];
      ipfsa_sha256_init(&s);
      for (size_t at = 0; at < len; at += piece) {
        ipfsa_sha256_update(&s, data + at, len - at < piece ? len - at : piece);
        ipfsa_sha256_update(&s, NULL, 0);
      }
      ipfsa_sha256_final(&s, digest);
      assert_memory_equal(digest, expected[0][len], 32);
    }
}

/* The choice is made once a process, so each case has one of its own. */
static void check_forced(const char *value, const char *wanted) {
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    bool forced = false;
    setenv("IPFSA_SHA256", value, 1);
    const char *name = ipfsa_sha256_chosen(&forced)->name;
    const ipfsa_sha256_plan *few = ipfsa_sha256_plan_for(1);
    bool ok = wanted ? forced && strcmp(name, wanted) == 0 && few->wide == ipfsa_sha256_chosen(NULL) && !few->pair : !forced;
    _exit(ok ? 0 : 1);
  }
  int status = -1;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail_msg("IPFSA_SHA256=%s is not obeyed", value);
}

static void forced_by_the_environment(void **state) { /* first: nothing has been chosen yet */
  (void)state;
  const ipfsa_sha256_kernel *k;
  for (size_t i = 0; (k = ipfsa_sha256_kernel_at(i)); i++) check_forced(k->name, k->usable() ? k->name : NULL);
  check_forced("", NULL);
  check_forced("sha9000", NULL);
  check_forced("AVX512", NULL);
}

static void rows(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_hash_kernel row = {.struct_size = sizeof row};
  size_t n = 0, n_chosen = 0;
  ipfsa_status status;
  for (; (status = ipfsa_hash_kernel_row(n, &row, &err)) == IPFSA_OK; n++) {
    assert_true(row.supported == (row.gb_per_s > 0));
    assert_non_null(row.reason);
    n_chosen += row.chosen;
    if (row.chosen) assert_true(row.supported);
  }
  assert_int_equal(status, IPFSA_E_NOT_FOUND);
  assert_null(ipfsa_sha256_kernel_at(n));
  assert_int_equal(n_chosen, 1);
  row = (ipfsa_hash_kernel){.struct_size = 8, .n_lanes = 99};
  assert_status(ipfsa_hash_kernel_row(0, &row, &err), IPFSA_E_INVALID);
  row.struct_size = sizeof row;
  ipfsa_fault_arm(&(ipfsa_fault_plan){.kind = IPFSA_FAULT_ALLOC, .nth = 1, .mode = IPFSA_FAULT_FAIL});
  status = ipfsa_hash_kernel_row(0, &row, &err);
  ipfsa_fault_disarm();
  assert_int_equal(status, IPFSA_E_NOMEM);
  assert_int_equal(row.n_lanes, 99);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(forced_by_the_environment), cmocka_unit_test(every_kernel), cmocka_unit_test(every_handover),
      cmocka_unit_test(streams_in_pieces),         cmocka_unit_test(rows),
  };
  return cmocka_run_group_tests(tests, make_expected, NULL);
}
