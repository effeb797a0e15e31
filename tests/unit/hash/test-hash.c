#include "hash/hash.h"

#include <openssl/evp.h>

#include "../support.h"
#include "base/bytes.h"
#include "cid/cid.h"
#include "hash/kernels.h"

static void check_text(uint64_t code, const char *text, size_t len, const char *expected) {
  ipfsa_error err = {0};
  ipfsa_multihash mh;
  ipfsa_bytes parts[2] = {ipfsa_bytes_of(text, strlen(text) / 3), ipfsa_bytes_of(text + strlen(text) / 3, strlen(text) - strlen(text) / 3)};
  assert_ok(ipfsa_hash_digest(code, len, parts, 2, &mh, &err));
  char *hex = test_to_hex(mh.digest, mh.len);
  assert_string_equal(hex, expected);
  free(hex);
}

static void known_answers(void **state) {
  (void)state;
  check_text(IPFSA_HASH_SHA1, "abc", 0, "a9993e364706816aba3e25717850c26c9cd0d89d");
  check_text(IPFSA_HASH_SHA2_256, "abc", 0, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  check_text(IPFSA_HASH_SHA2_256, "abc", 20, "ba7816bf8f01cfea414140de5dae2223b00361a3");
  check_text(IPFSA_HASH_DBL_SHA2_256, "hello", 0, "9595c9df90075148eb06860365df33584b75bff782a510c6cd4883a419833d50");
  check_text(IPFSA_HASH_KECCAK_256, "", 0, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
  check_text(IPFSA_HASH_KECCAK_512, "", 0, "0eab42de4c3ceb9235fc91acffe746b29c29a8c366b7c60e4e67c466f36a4304c00fa9caf9d87976ba469bcbe06713b4"
                                           "35f091ef2769fb160cdab33d3670680e");
  check_text(0xb240, "abc", 0, "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925a"
                               "b92386edd4009923");
  check_text(0xb260, "abc", 0, "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
  check_text(IPFSA_HASH_BLAKE3, "", 0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
  check_text(IPFSA_HASH_BLAKE3, "abc", 0, "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85");
  check_text(IPFSA_HASH_IDENTITY, "hello", 0, "68656c6c6f");
}

/* The recorded imports hold blake3, keccak and blake2 CIDs of larger files; these are lengths around a chunk of each function, against
 * libcrypto where it has the function whole. */
static void blake2_agrees_with_libcrypto(void **state) {
  (void)state;
  ipfsa_error err = {0};
  uint8_t data[600], expected[64];
  test_shake128("blake2", data, sizeof data);
  for (size_t len = 0; len <= sizeof data; len++)
    for (int s = 0; s < 2; s++) {
      ipfsa_multihash mh;
      ipfsa_bytes parts[3] = {{data, len / 2}, {NULL, 0}, {data + len / 2, len - len / 2}};
      assert_ok(ipfsa_hash_digest(s ? 0xb260 : 0xb240, 0, parts, 3, &mh, &err));
      assert_int_equal(EVP_Digest(data, len, expected, NULL, s ? EVP_blake2s256() : EVP_blake2b512(), NULL), 1);
      assert_memory_equal(mh.digest, expected, mh.len);
    }
}

static void murmur_of_hamt_names(void **state) {
  (void)state;
  static const struct { const char *name, *hex; } cases[] = {{"470.txt", "006e88df5847e67c"}, {"a.txt", "59a0c46995547089"},
      {"b.txt", "8502e28ff5fba84a"}, {"c.txt", "54a4fe2530e4b9bb"}, {"", "0000000000000000"}};
  for (size_t i = 0; i < 5; i++) {
    uint8_t out[8], expected[8];
    ipfsa_murmur3_hamt(ipfsa_bytes_str(cases[i].name), out);
    test_hex(cases[i].hex, expected);
    assert_memory_equal(out, expected, 8);
  }
}

static void limits(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_multihash mh;
  uint8_t data[200] = {0};
  ipfsa_bytes at = {data, 128}, past = {data, 129};
  assert_ok(ipfsa_hash_digest(IPFSA_HASH_IDENTITY, 0, &at, 1, &mh, &err));
  assert_status(ipfsa_hash_digest(IPFSA_HASH_IDENTITY, 0, &past, 1, &mh, &err), IPFSA_E_LIMIT);
  assert_string_equal(err.message, "digest too large: identity digest got 129 bytes, maximum 128");
  assert_status(ipfsa_hash_digest(IPFSA_HASH_SHA2_256, 33, &at, 1, &mh, &err), IPFSA_E_LIMIT);
  assert_ok(ipfsa_hash_digest(IPFSA_HASH_BLAKE3, 128, &at, 1, &mh, &err));
  assert_status(ipfsa_hash_digest(IPFSA_HASH_BLAKE3, 129, &at, 1, &mh, &err), IPFSA_E_LIMIT);
  assert_status(ipfsa_hash_digest(0x1012, 0, &at, 1, &mh, &err), IPFSA_E_NOT_SUPPORTED);
  assert_ok(ipfsa_hash_digest(IPFSA_HASH_SHA2_256, 0, &at, 1, &mh, &err));
  assert_ok(ipfsa_hash_verify(&mh, &at, 1, &err));
  mh.digest[31] ^= 1;
  assert_status(ipfsa_hash_verify(&mh, &at, 1, &err), IPFSA_E_CORRUPT);
}

static void every_kernel_on_every_length(void **state) {
  (void)state;
  enum { MAX = 4096 };
  static uint8_t data[MAX + 64];
  static uint8_t expected[MAX + 1][32], got[MAX + 1][32];
  test_shake128("kernels", data, sizeof data);
  for (size_t len = 0; len <= MAX; len++) assert_int_equal(EVP_Digest(data + len % 7, len, expected[len], NULL, EVP_sha256(), NULL), 1);
  const ipfsa_sha256_kernel *k;
  for (size_t i = 0; (k = ipfsa_sha256_kernel_at(i)); i++) {
    if (!k->usable()) {
      print_message("skipped: kernel %s: this processor has no such instructions\n", k->name);
      continue;
    }
    /* Neighbours in a batch have every mixture of lengths; whole blocks only, one lane each, then the state is compared. */
    for (size_t blocks = 0; blocks <= MAX / 64; blocks++) {
      uint32_t states[IPFSA_SHA256_MAX_LANES][8], one[8];
      const uint8_t *lanes[IPFSA_SHA256_MAX_LANES];
      for (size_t l = 0; l < k->lanes; l++) {
        memcpy(states[l], ipfsa_sha256_iv, sizeof one);
        lanes[l] = data + l;
      }
      k->compress(states, lanes, blocks);
      for (size_t l = 0; l < k->lanes; l++) {
        memcpy(one, ipfsa_sha256_iv, sizeof one);
        ipfsa_sha256_portable_1((uint32_t (*)[8])one, &lanes[l], blocks);
        assert_memory_equal(one, states[l], sizeof one);
      }
    }
  }
  static ipfsa_sha256_job jobs[MAX + 1];
  for (size_t len = 0; len <= MAX; len++) {
    size_t a = len * 7 % (len + 1), b = len * 3 % (len - a + 1);
    const uint8_t *p = data + len % 7;
    jobs[len] = (ipfsa_sha256_job){{{p, a}, {p + a, b}, {p + a + b, len - a - b}}, got[len]};
  }
  for (size_t n = 1; n <= 40; n++) {
    memset(got, 0, sizeof got);
    for (size_t at = 0; at <= MAX; at += n) ipfsa_sha256_batch(jobs + at, at + n <= MAX + 1 ? n : MAX + 1 - at);
    assert_memory_equal(got, expected, sizeof got);
  }
  memset(got, 0, sizeof got);
  ipfsa_sha256_batch(jobs, MAX + 1);
  assert_memory_equal(got, expected, sizeof got);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(known_answers),        cmocka_unit_test(blake2_agrees_with_libcrypto),
      cmocka_unit_test(murmur_of_hamt_names), cmocka_unit_test(limits),
      cmocka_unit_test(every_kernel_on_every_length),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
