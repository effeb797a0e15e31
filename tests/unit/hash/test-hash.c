#include "hash/hash.h"

#include <openssl/evp.h>

#include "../support.h"
#include "base/bytes.h"
#include "cid/cid.h"

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

/* Digests of messages of these lengths (byte i is i % 251), one after the other, hashed once more with sha2-256. The expected values come from
 * Python's hashlib; keccak and murmur3 from reference programs written from their definitions, the former checked against hashlib's SHA-3. */
static const size_t lengths[] = {0,   1,   63,  64,  65,  71,  72,  73,  103, 104, 105, 111, 112, 113,
                                 127, 128, 129, 135, 136, 137, 143, 144, 145, 200, 255, 256, 257, 1000};
enum { N_LENGTHS = sizeof lengths / sizeof *lengths };

static void check_chain(uint64_t first, uint64_t last, size_t digest_len, const char *expected) {
  static uint8_t all[64 * N_LENGTHS * 64];
  uint8_t data[1000], sum[32], wanted[32];
  size_t used = 0;
  ipfsa_error err = {0};
  for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i % 251);
  for (uint64_t code = first; code <= last; code++)
    for (size_t i = 0; i < N_LENGTHS; i++) {
      size_t a = lengths[i] * (i % 5) / 5, b = (lengths[i] - a) / 2;
      ipfsa_bytes parts[3] = {{data, a}, {data + a, b}, {data + a + b, lengths[i] - a - b}};
      ipfsa_multihash mh;
      assert_ok(ipfsa_hash_digest(code, digest_len, parts, 3, &mh, &err));
      assert_int_equal(mh.len, digest_len ? digest_len : ipfsa_hash_size(code));
      assert_true(used + mh.len <= sizeof all);
      memcpy(all + used, mh.digest, mh.len);
      used += mh.len;
    }
  assert_int_equal(EVP_Digest(all, used, sum, NULL, EVP_sha256(), NULL), 1);
  assert_int_equal(test_hex(expected, wanted), 32);
  assert_memory_equal(sum, wanted, 32);
}

static void every_function_on_every_boundary(void **state) {
  (void)state;
  static const struct { uint64_t code; size_t len; const char *expected; } cases[] = {
      {IPFSA_HASH_SHA1, 0, "3a5425177905644bc8f0084bb14fb962fe1f760f54e6189bed21be9756bf9393"},
      {IPFSA_HASH_SHA2_256, 0, "ca96b9ea9baf1f93fa6f16a058475e8efb676db7ad709798322058e77cfb5bcd"},
      {IPFSA_HASH_SHA2_512, 0, "b78961fed07f8411752062bd5b093d666e9df8892d5ac23cbfb805591320a294"},
      {IPFSA_HASH_SHA3_224, 0, "6b5e926a9fefc53b7d946b5e78943f9b6cf1a268192a2682bca5f2a1da7cf988"},
      {IPFSA_HASH_SHA3_256, 0, "f4606dea6cfd7a65a137bfe931941ab76142cabffbaa6c6d72e909484e1512ef"},
      {IPFSA_HASH_SHA3_384, 0, "d4d7b3a926738abe5c188e524122ae00be1d83693dbde8eb43310fc3e04df11c"},
      {IPFSA_HASH_SHA3_512, 0, "62f553ff738e85cb05e17b8160ee3600624d839520a01b19fd08cc57e174738c"},
      {IPFSA_HASH_SHAKE_256, 0, "5504a6cf35376017cd1e8f0c0688c27bc7195829d39ceacf7050efcd0624d975"},
      {IPFSA_HASH_SHAKE_256, 128, "0652124438deb8372ce7f9f399fb983a4d395b5bf8a3942273bd0b90d89746bd"},
      {IPFSA_HASH_DBL_SHA2_256, 0, "3299035a432456e0624c83566c55679030dc917cd10aa86c1137c388a003bf4a"},
      {IPFSA_HASH_KECCAK_224, 0, "97b49aac8467eedb60201e440690d740f93a3b96bf9575348c04489931d8ec4b"},
      {IPFSA_HASH_KECCAK_256, 0, "dbeef5e4e5d428913b9688a1b63308b9dc3541822a9addea9383bebd01d1d4f4"},
      {IPFSA_HASH_KECCAK_384, 0, "8e432f93feaeff46eff811975acae9ec367fadbbd11bc4a2c6073c6d71f38d2a"},
      {IPFSA_HASH_KECCAK_512, 0, "a0ad907b9d7e054a30fa220fb95642dc7afd65c7f9c5f9cf29c9ac405ed16f74"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_chain(cases[i].code, cases[i].code, cases[i].len, cases[i].expected);
  check_chain(0xb201, 0xb240, 0, "0fbcaac475a8295ac615d2e5cb41ba292c09b4e1eb32838dd87d6e315a4cf07d");
  check_chain(0xb241, 0xb260, 0, "a948ff7435a70432a7beb1cca1b8b5def061a3c57f4aff9bcdfa64adddeb704b");
}

/* The published vectors of BLAKE3 at the edge of a chunk; the recorded imports cover longer trees. */
static void blake3_around_a_chunk(void **state) {
  (void)state;
  static char data[1025];
  for (size_t i = 0; i < sizeof data; i++) data[i] = (char)(i % 251);
  static const struct { size_t len; const char *expected; } cases[] = {
      {1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"},
      {1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"}};
  for (size_t i = 0; i < 2; i++) {
    ipfsa_error err = {0};
    ipfsa_multihash mh, xof;
    uint8_t expected[32];
    ipfsa_bytes part = ipfsa_bytes_of(data, cases[i].len);
    test_hex(cases[i].expected, expected);
    assert_ok(ipfsa_hash_digest(IPFSA_HASH_BLAKE3, 0, &part, 1, &mh, &err));
    assert_memory_equal(mh.digest, expected, 32);
    assert_ok(ipfsa_hash_digest(IPFSA_HASH_BLAKE3, 128, &part, 1, &xof, &err));
    assert_memory_equal(xof.digest, expected, 32);
    assert_memory_not_equal(xof.digest, xof.digest + 64, 64);
  }
}

static void murmur_of_every_length(void **state) {
  (void)state;
  uint8_t data[100], all[100][8], sum[32], wanted[32];
  for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)i;
  for (size_t len = 0; len < 100; len++) ipfsa_murmur3_hamt((ipfsa_bytes){data, len}, all[len]);
  assert_int_equal(EVP_Digest(all, sizeof all, sum, NULL, EVP_sha256(), NULL), 1);
  test_hex("8a2b999aad704c3b42c602c7dfa5c48a7bb82d2f24456c983da3c3580ca7c20b", wanted);
  assert_memory_equal(sum, wanted, 32);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(known_answers),        cmocka_unit_test(blake2_agrees_with_libcrypto),
      cmocka_unit_test(murmur_of_hamt_names), cmocka_unit_test(limits),
      cmocka_unit_test(every_function_on_every_boundary),
      cmocka_unit_test(blake3_around_a_chunk),
      cmocka_unit_test(murmur_of_every_length),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
