#include "cid/cid.h"

#include "../support.h"
#include "base/alloc.h"
#include "base/fault.h"

#define V0 "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"
#define V1 "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"

/* Blocks whose CIDs are known from other implementations (empty directory, empty file, …). */
static void known_blocks(void **state) {
  (void)state;
  static const struct {
    const char *hex;
    uint64_t codec, hash;
    const char *v0, *v1;
  } known[] = {
      {"0a020801", 0x70, 0x12, V0, V1},
      {"0a0408021800", 0x70, 0x12, "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH", "bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y"},
      {"", 0x55, 0x12, NULL, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"},
      {"", 0x70, 0x12, "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n", "bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"},
      {"0a05080138ed03", 0x70, 0x12, "QmRviohgafvCsbkiTgfQFipbuXJ6k1YtoiaQW4quttJPKu", NULL},
      {"0a0908041205612e747874", 0x70, 0x12, "QmS9U51FvTAqDDVLJ5okMzeLjsEeg8JEG1rPmSq2oPahF6", "bafybeibysfkbozujnkzmx63h6nk4td2kmqcyhxhq67adb6vgr3mis24ble"},
      {"", 0x55, 0x00, NULL, "bafkqaaa"},
      {"68656c6c6f", 0x55, 0x00, NULL, "bafkqablimvwgy3y"},
      {"68656c6c6f20776f726c64", 0x55, 0x12, NULL, "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"},
      {"48656c6c6f204d617273210a", 0x55, 0x12, NULL, "bafkreibmlvvgdyihetgocpof6xk64kjjzdeq2e4c7hqs3krdheosk4tgj4"},
      {"a0", 0x71, 0x12, NULL, "bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua"},
      {"7b7d", 0x129, 0x12, NULL, "baguqeeraiqjw7i2vwntyuekgvulpp2det2kpwt6cd7tx5ayqybqpmhfk76fa"},
  };
  ipfsa_error err = {0};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    uint8_t data[64];
    ipfsa_bytes block = ipfsa_bytes_of(data, test_hex(known[i].hex, data));
    for (unsigned version = 0; version < 2; version++) {
      const char *text = version ? known[i].v1 : known[i].v0;
      if (!text) continue;
      ipfsa_cid cid, back;
      char out[IPFSA_MAX_CID_TEXT];
      assert_ok(ipfsa_cid_of_block(version, known[i].codec, known[i].hash, 0, block, &cid, &err));
      ipfsa_cid_format(&cid, out);
      assert_string_equal(out, text);
      assert_ok(ipfsa_cid_parse(text, strlen(text), &back, &err));
      assert_true(ipfsa_cid_equal(&cid, &back));
      assert_ok(ipfsa_cid_verify(&back, block, &err));
      assert_status(ipfsa_cid_verify(&back, ipfsa_bytes_str("other"), &err), IPFSA_E_CORRUPT);
      assert_non_null(strstr(err.message, text));
    }
  }
}

static void versions_and_bases(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_cid v0, v1, back, raw;
  char text[IPFSA_MAX_CID_TEXT];
  assert_ok(ipfsa_cid_parse(V0, 46, &v0, &err));
  assert_ok(ipfsa_cid_to_version(&v0, 1, &v1, &err));
  ipfsa_cid_format(&v1, text);
  assert_string_equal(text, V1);
  assert_false(ipfsa_cid_equal(&v0, &v1));
  assert_true(ipfsa_multihash_equal(&v0.mh, &v1.mh));
  assert_ok(ipfsa_cid_to_version(&v1, 0, &back, &err));
  assert_true(ipfsa_cid_equal(&back, &v0));
  assert_ok(ipfsa_cid_make(1, IPFSA_CODEC_RAW, &v0.mh, &raw, &err));
  assert_status(ipfsa_cid_to_version(&raw, 0, &back, &err), IPFSA_E_INVALID);
  assert_status(ipfsa_cid_make(2, IPFSA_CODEC_RAW, &v0.mh, &back, &err), IPFSA_E_INVALID);
  assert_ok(ipfsa_cid_format_base(&v0, "base58btc", text, &err));
  assert_string_equal(text, V0);
  assert_status(ipfsa_cid_format_base(&v0, "base99", text, &err), IPFSA_E_NOT_SUPPORTED);
  ipfsa_table_row row;
  for (size_t i = 1; ipfsa_multibase_row(i, &row); i++) {
    assert_ok(ipfsa_cid_format_base(&v1, row.name, text, &err));
    assert_ok(ipfsa_cid_parse(text, strlen(text), &back, &err));
    assert_true(ipfsa_cid_equal(&back, &v1));
  }
  assert_ok(ipfsa_cid_make(1, IPFSA_CODEC_LIBP2P_KEY, &v0.mh, &v1, &err));
  ipfsa_cid_format(&v1, text);
  assert_int_equal(text[0], 'k');
  assert_ok(ipfsa_cid_parse(text, strlen(text), &back, &err));
  assert_true(ipfsa_cid_equal(&back, &v1));
}

static void malformed_text(void **state) {
  (void)state;
  ipfsa_error err = {0};
  static const char *const bad[] = {
      "", "Q", "b", "nope", "Qm", "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3N0", V0 "x", V1 "a", "z" V0, "bafkq", "bafkqa",
      "bafkqaca" /* identity of 1 byte, none there */, "baiaaa" /* version 2 */, "f01550022" /* 34 announced, none */,
      "f815512",
  };
  ipfsa_cid cid = {.codec = 99};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_status(ipfsa_cid_parse(bad[i], strlen(bad[i]), &cid, &err), IPFSA_E_MALFORMED);
    assert_int_equal(cid.codec, 99);
  }
  static char longer[IPFSA_MAX_CID_TEXT + 1];
  memset(longer, '0', IPFSA_MAX_CID_TEXT);
  assert_status(ipfsa_cid_parse(longer, IPFSA_MAX_CID_TEXT, &cid, &err), IPFSA_E_LIMIT);
  assert_status(ipfsa_cid_parse(longer, IPFSA_MAX_CID_TEXT - 1, &cid, &err), IPFSA_E_MALFORMED);
}

static void malformed_bytes(void **state) {
  (void)state;
  ipfsa_error err = {0};
  uint8_t whole[IPFSA_MAX_CID], data[64];
  ipfsa_cid cid, back = {.codec = 99};
  assert_ok(ipfsa_cid_parse(V1, strlen(V1), &cid, &err));
  size_t len = ipfsa_cid_encode(&cid, whole);
  assert_int_equal(len, 36);
  assert_int_equal(len, ipfsa_cid_size(&cid));
  for (size_t n = 0; n < len; n++) assert_status(ipfsa_cid_decode(ipfsa_bytes_of(whole, n), &back, &err), IPFSA_E_MALFORMED);
  whole[len] = 0;
  assert_status(ipfsa_cid_decode(ipfsa_bytes_of(whole, len + 1), &back, &err), IPFSA_E_MALFORMED);
  ipfsa_cursor c = ipfsa_cursor_over(ipfsa_bytes_of(whole, len + 1));
  assert_int_equal(back.codec, 99);
  assert_ok(ipfsa_cursor_cid(&c, &back, &err));
  assert_true(ipfsa_cid_equal(&back, &cid) && ipfsa_cursor_left(&c) == 1);
  static const char *const bad[] = {"00", "02551200", "03551200", "01d500120100", "0155920012", "01551280"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_status(ipfsa_cid_decode(ipfsa_bytes_of(data, test_hex(bad[i], data)), &back, &err), IPFSA_E_MALFORMED);
}

/* Digests of n bytes: what the format takes and what the rules allow. */
static ipfsa_status decode_digest(uint8_t code, size_t n, ipfsa_cid *ret, ipfsa_error *err) {
  ipfsa_buf buf = {0};
  ipfsa_buf_u8(&buf, 1);
  ipfsa_buf_u8(&buf, 0x55);
  ipfsa_buf_u8(&buf, code);
  if (n >= 0x80) ipfsa_buf_u8(&buf, (uint8_t)(n | 0x80));
  ipfsa_buf_u8(&buf, (uint8_t)(n >= 0x80 ? n >> 7 : n));
  ipfsa_buf_fill(&buf, 0xab, n);
  ipfsa_status status = ipfsa_cid_decode(ipfsa_buf_bytes(&buf), ret, err);
  ipfsa_buf_release(&buf);
  return status;
}

static void digest_bounds_and_allow_list(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_cid cid = {0};
  assert_ok(decode_digest(0x1e, 19, &cid, &err));
  assert_status(ipfsa_cid_check_allowed(&cid, &err), IPFSA_E_DENIED);
  assert_ok(decode_digest(0x1e, 20, &cid, &err));
  assert_ok(ipfsa_cid_check_allowed(&cid, &err));
  assert_ok(decode_digest(0x1e, 128, &cid, &err));
  assert_ok(ipfsa_cid_check_allowed(&cid, &err));
  assert_status(decode_digest(0x1e, 129, &cid, &err), IPFSA_E_LIMIT);
  assert_ok(decode_digest(0x00, 0, &cid, &err));
  assert_ok(ipfsa_cid_check_allowed(&cid, &err));
  assert_ok(decode_digest(0x00, 128, &cid, &err));
  assert_ok(ipfsa_cid_check_allowed(&cid, &err));
  assert_status(decode_digest(0x00, 129, &cid, &err), IPFSA_E_LIMIT);
  static const struct {
    uint64_t code;
    bool allowed;
  } rows[] = {{0x11, true}, {0x22, false}, {0x1d, true}, {0x56, true}, {0xb213, false}, {0xb214, true}, {0xb240, true},
              {0xb241, false}, {0xb253, false}, {0xb254, true}, {0xb260, true}, {0xb261, false}, {0xd5, false}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    ipfsa_multihash mh = {.code = rows[i].code, .len = 32};
    assert_status(ipfsa_multihash_check_allowed(&mh, &err), rows[i].allowed ? IPFSA_OK : IPFSA_E_DENIED);
  }
  static uint8_t data[129];
  assert_ok(ipfsa_cid_of_block(1, 0x55, 0, 0, ipfsa_bytes_of(data, 128), &cid, &err));
  assert_status(ipfsa_cid_of_block(1, 0x55, 0, 0, ipfsa_bytes_of(data, 129), &cid, &err), IPFSA_E_LIMIT);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  static const char *const texts[] = {V0, V1};
  for (size_t t = 0; t < 2; t++)
    for (uint64_t nth = 1;; nth++) {
      ipfsa_error err = {0};
      ipfsa_cid cid = {.codec = 99};
      char text[IPFSA_MAX_CID_TEXT];
      ipfsa_fault_arm(&(ipfsa_fault_plan){.kind = IPFSA_FAULT_ALLOC, .nth = nth, .mode = IPFSA_FAULT_FAIL});
      ipfsa_status status = ipfsa_cid_parse(texts[t], strlen(texts[t]), &cid, &err);
      if (status) assert_int_equal(cid.codec, 99);
      if (!status) status = ipfsa_cid_format_base(&cid, "base36", text, &err);
      bool fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      assert_int_equal(status, fired ? IPFSA_E_NOMEM : IPFSA_OK);
      if (!fired) break;
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(known_blocks),    cmocka_unit_test(versions_and_bases),           cmocka_unit_test(malformed_text),
      cmocka_unit_test(malformed_bytes), cmocka_unit_test(digest_bounds_and_allow_list), cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
