#include <jansson.h>

#include "../support.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "cid/cid.h"

static void published_vectors(void **state) {
  (void)state;
  ipfsa_error err = {0};
  const char *path = test_shared_vector("multibase.json");
  if (!path) {
    printf("skipped: multibase.json is not here\n");
    skip();
  }
  json_t *all = json_load_file(path, 0, NULL);
  assert_true(json_array_size(all) >= 81);
  size_t i;
  json_t *row;
  json_array_foreach(all, i, row) {
    const char *base = json_string_value(json_object_get(row, "base")), *file = json_string_value(json_object_get(row, "file"));
    const char *encoded = json_string_value(json_object_get(row, "encoded")), *found = NULL;
    uint8_t plain[256], *data = NULL;
    size_t n = test_hex(json_string_value(json_object_get(row, "plain_hex")), plain), len = 0;
    assert_ok(ipfsa_multibase_decode(encoded, strlen(encoded), &data, &len, &found, &err));
    assert_string_equal(found, base);
    assert_int_equal(len, n);
    assert_memory_equal(data, plain, n);
    ipfsa_data_free(data);
    if (strcmp(file, "case_insensitivity") == 0) continue;
    char *text = NULL;
    assert_ok(ipfsa_multibase_encode(base, ipfsa_bytes_of(plain, n), &text, &err));
    assert_string_equal(text, encoded);
    ipfsa_text_free(text);
  }
  json_decref(all);
}

static const char *const bases[] = {"base2", "base8", "base10", "base16", "base16upper", "base32", "base32upper", "base32pad",
  "base32padupper", "base32hex", "base32hexupper", "base32hexpad", "base32hexpadupper", "base32z", "base36", "base36upper",
  "base45", "base58btc", "base58flickr", "base64", "base64pad", "base64url", "base64urlpad", "proquint", "base256emoji"};
#define N_BASES (sizeof bases / sizeof *bases)

/* Every length up to 64, with and without leading zeros; the empty payload is the prefix alone. */
static void every_base_round_trips(void **state) {
  (void)state;
  ipfsa_error err = {0};
  for (size_t b = 0; b < N_BASES; b++)
    for (size_t n = 0; n <= 64; n++) {
      uint8_t in[64], *back = NULL;
      size_t len = 0;
      char *text = NULL;
      const char *found = NULL;
      test_shake128(bases[b], in, n);
      if (n % 3 == 0) memset(in, 0, n / 2);
      ipfsa_status status = ipfsa_multibase_encode(bases[b], ipfsa_bytes_of(in, n), &text, &err);
      if (strcmp(bases[b], "proquint") == 0 && n % 2) {
        assert_int_equal(status, IPFSA_E_NOT_SUPPORTED);
        assert_null(text);
        continue;
      }
      assert_ok(status);
      assert_ok(ipfsa_multibase_decode(text, strlen(text), &back, &len, &found, &err));
      assert_string_equal(found, bases[b]);
      assert_true(len == n && memcmp(back, in, n) == 0);
      ipfsa_data_free(back);
      ipfsa_text_free(text);
    }
}

static void wrong_text_leaves_outputs_alone(void **state) {
  (void)state;
  ipfsa_error err = {0};
  static const char *const bad[] = {"", "1abc", "Qabc", "/abc", "nope", "b1", "zO", "f0", "fzz", "0101", "m=", "MAA", "mAB", "\xf0\x9f\x9a\x80""a"};
  uint8_t *data = NULL;
  size_t len = 77;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_status(ipfsa_multibase_decode(bad[i], strlen(bad[i]), &data, &len, NULL, &err), IPFSA_E_MALFORMED);
    assert_null(data);
    assert_int_equal(len, 77);
  }
  char *text = NULL;
  assert_status(ipfsa_multibase_encode("base33", ipfsa_bytes_of("", 0), &text, &err), IPFSA_E_NOT_SUPPORTED);
  assert_null(text);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  for (size_t b = 0; b < N_BASES; b++)
    for (uint64_t nth = 1;; nth++) {
      ipfsa_error err = {0};
      char *text = NULL;
      uint8_t *data = NULL;
      size_t len = 0;
      ipfsa_fault_arm(&(ipfsa_fault_plan){.kind = IPFSA_FAULT_ALLOC, .nth = nth, .mode = IPFSA_FAULT_FAIL});
      ipfsa_status status = ipfsa_multibase_encode(bases[b], ipfsa_bytes_of("hello!", 6), &text, &err);
      if (!status) status = ipfsa_multibase_decode(text, strlen(text), &data, &len, NULL, &err);
      bool fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      assert_int_equal(status, fired ? IPFSA_E_NOMEM : IPFSA_OK);
      ipfsa_text_free(text);
      ipfsa_data_free(data);
      if (!fired) break;
    }
}

/* Names and codes of the published table: all of ours are in it, with its codes. */
static void multicodec_table_agrees(void **state) {
  (void)state;
  const char *path = test_shared_vector("multicodec.tsv");
  if (!path) {
    printf("skipped: multicodec.tsv is not here\n");
    skip();
  }
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  char line[1024], name[256], tag[64];
  size_t codecs = 0, hashes = 0, n_codecs = 0, n_hashes = 0;
  while (fgets(line, sizeof line, file)) {
    unsigned long long code;
    uint64_t got = 0;
    if (sscanf(line, "%255s %63s 0x%llx", name, tag, &code) != 3) continue;
    if (strcmp(tag, "multihash") == 0) {
      const char *ours = ipfsa_hash_to_string(code);
      if (ours) assert_string_equal(ours, name);
      if (ipfsa_hash_from_string(name, &got)) {
        assert_int_equal(got, code);
        hashes++;
      }
    } else if (ipfsa_codec_from_string(name, &got)) {
      assert_int_equal(got, code);
      assert_string_equal(ipfsa_codec_to_string(code), name);
      codecs++;
    }
  }
  fclose(file);
  ipfsa_table_row row;
  while (ipfsa_codec_row(n_codecs, &row)) n_codecs++;
  while (ipfsa_hash_row(n_hashes, &row)) n_hashes++;
  assert_int_equal(hashes, n_hashes);
  assert_int_equal(codecs, n_codecs + 7); /* seven are known and not listed */
  uint64_t code = 0;
  assert_true(ipfsa_hash_from_string("SHA3", &code) && code == IPFSA_HASH_SHA3_512);
  assert_false(ipfsa_hash_from_string("murmur3-x64-64", &code));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(published_vectors),         cmocka_unit_test(every_base_round_trips),
      cmocka_unit_test(wrong_text_leaves_outputs_alone), cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(multicodec_table_agrees),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
